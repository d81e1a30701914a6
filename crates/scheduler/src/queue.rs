//! The pods that wait to be placed. A state machine: time and events are arguments, nothing is done.
//!
//! ```text
//!            add                    pop                 done
//!  (gated) ───────> active ───────────────> in flight ───────> gone
//!              ^      ^  \_ pop when idle _/    │  │
//!              │      └──── backoff <── retry ──┘  │
//!              │              ^                    │ reject
//!              └── event, 5 min ── unschedulable <─┘
//! ```
//! - A pod is in exactly one of these places, from `add` to `done` or `remove`.
//! - `active` is ordered by priority, then by how long a pod has waited.
//! - Backoff is 1 s after the first failure and doubles to 10 s.
//! - A rejected pod waits for an event that one of the plugins that refused it
//!   hopes from, or 5 minutes. Hints are asked once for all pods alike.
//! - A pod that backs off after a rejection is taken early when nothing is
//!   active (KEP-5142); one that backs off after an error is not.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{
    event::Event,
    plugin::PluginSet,
    template::{Pod, TemplateId},
    time::Time,
};

/// The first backoff.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest backoff.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long a rejected pod waits for an event before it is tried anyway.
const UNSCHEDULABLE_MAX: Duration = Duration::from_secs(300);

type Uid = Arc<str>;
/// Order of taking: priority, waiting time, arrival.
type ActiveKey = (Reverse<i32>, Time, u64);
/// Order of expiry.
type BackoffKey = (Time, Reverse<i32>, u64);
/// Rejected pods for which every hint says the same.
type Alike = (TemplateId, PluginSet);

/// Why a pod backs off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Rejection,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Gated,
    Active(ActiveKey),
    Backoff(Cause, BackoffKey),
    Unschedulable(Alike, Time),
    InFlight,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<Pod>,
    place: Place,
    arrival: u64,
    since: Time,
    failed: Option<(Time, Cause)>,
    rejections: u32,
    errors: u32,
}

/// How many pods are in each place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Held back by scheduling gates.
    pub gated: usize,
    /// Ready to be taken.
    pub active: usize,
    /// Waiting out a backoff.
    pub backoff: usize,
    /// Waiting for an event.
    pub unschedulable: usize,
    /// Taken, and not yet done.
    pub in_flight: usize,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    entries: HashMap<Uid, Entry>,
    active: BTreeMap<ActiveKey, Uid>,
    backoff: BTreeMap<BackoffKey, Uid>,
    error_backoff: BTreeMap<BackoffKey, Uid>,
    unschedulable: HashMap<Alike, BTreeSet<Uid>>,
    oldest: BTreeSet<(Time, Uid)>,
    arrivals: u64,
}

impl Queue {
    /// Takes in a pod, or what changed of one. A rejected pod whose template changed is tried again.
    pub fn add(&mut self, pod: Arc<Pod>, now: Time) {
        let uid = pod.uid.clone();
        let Some(entry) = self.entries.get_mut(&uid) else { return self.insert(pod, now) };
        let old = std::mem::replace(&mut entry.pod, pod);
        let entry = &self.entries[&uid];
        let changed = old.template_id != entry.pod.template_id;
        match entry.place {
            Place::Gated if !entry.pod.gated => self.put_active(&uid),
            Place::Active(_) if changed => self.put_active(&uid),
            Place::Unschedulable(..) if changed => self.awaken(&uid, now),
            _ => {}
        }
    }

    fn insert(&mut self, pod: Arc<Pod>, now: Time) {
        let uid = pod.uid.clone();
        self.arrivals += 1;
        let gated = pod.gated;
        let entry = Entry {
            pod,
            place: Place::Gated,
            arrival: self.arrivals,
            since: now,
            failed: None,
            rejections: 0,
            errors: 0,
        };
        self.entries.insert(uid.clone(), entry);
        if !gated {
            self.put_active(&uid);
        }
    }

    /// Forgets a pod, wherever it is.
    pub fn remove(&mut self, uid: &str) {
        if let Some(entry) = self.entries.remove(uid) {
            self.unlink(&entry.place, &entry.pod.uid);
        }
    }

    /// Whether the pod is here.
    pub fn contains(&self, uid: &str) -> bool {
        self.entries.contains_key(uid)
    }

    /// Takes the pod to be placed next; it is in flight until `done`, `reject` or `retry`.
    pub fn pop(&mut self, now: Time) -> Option<Arc<Pod>> {
        self.flush(now);
        let next = self.active.values().next().or_else(|| self.backoff.values().next());
        let uid = next?.clone();
        self.put(&uid, Place::InFlight);
        Some(self.entries[&uid].pod.clone())
    }

    /// The pod is placed.
    pub fn done(&mut self, uid: &str) {
        self.remove(uid);
    }

    /// No node takes the pod: it waits for an event that concerns the plugins which refused it.
    pub fn reject(&mut self, uid: &str, plugins: PluginSet, now: Time) {
        let Some(entry) = self.in_flight(uid) else { return };
        entry.rejections += 1;
        entry.errors = 0;
        entry.failed = Some((now, Cause::Rejection));
        entry.since = now;
        let (uid, alike) = (entry.pod.uid.clone(), (entry.pod.template_id, plugins));
        self.put(&uid, Place::Unschedulable(alike, now));
    }

    /// Placing the pod failed for a reason of the moment: it is tried again after a backoff.
    pub fn retry(&mut self, uid: &str, now: Time) {
        let Some(entry) = self.in_flight(uid) else { return };
        entry.errors += 1;
        entry.failed = Some((now, Cause::Error));
        entry.since = now;
        let uid = entry.pod.uid.clone();
        self.awaken(&uid, now);
    }

    fn in_flight(&mut self, uid: &str) -> Option<&mut Entry> {
        self.entries.get_mut(uid).filter(|entry| entry.place == Place::InFlight)
    }

    /// Tries again the rejected pods that an event may help.
    pub fn event(&mut self, event: &Event<'_>, now: Time) {
        let helped = |((_, plugins), uids): (&Alike, &BTreeSet<Uid>)| {
            let pod = &self.entries[uids.first()?].pod;
            plugins.may_pass(pod, event).then(|| uids.iter().cloned().collect::<Vec<_>>())
        };
        let awake: Vec<Uid> = self.unschedulable.iter().filter_map(helped).flatten().collect();
        for uid in awake {
            self.awaken(&uid, now);
        }
    }

    /// When something is due that `pop` would do, if anything is.
    pub fn deadline(&self) -> Option<Time> {
        let expiry = |map: &BTreeMap<BackoffKey, Uid>| map.keys().next().map(|(time, ..)| *time);
        let oldest = self.oldest.first().map(|(since, _)| *since + UNSCHEDULABLE_MAX);
        [expiry(&self.backoff), expiry(&self.error_backoff), oldest].into_iter().flatten().min()
    }

    /// How many pods are where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            active: self.active.len(),
            backoff: self.backoff.len() + self.error_backoff.len(),
            unschedulable: self.oldest.len(),
            ..Counts::default()
        };
        for entry in self.entries.values() {
            counts.gated += usize::from(entry.place == Place::Gated);
            counts.in_flight += usize::from(entry.place == Place::InFlight);
        }
        counts
    }

    /// Whether `pop` may have a pod now.
    pub fn is_ready(&self, now: Time) -> bool {
        !self.active.is_empty()
            || !self.backoff.is_empty()
            || self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Moves what is due: ended backoffs, and pods rejected long ago.
    fn flush(&mut self, now: Time) {
        let due = |map: &BTreeMap<BackoffKey, Uid>| {
            map.iter().take_while(|((expiry, ..), _)| *expiry <= now).map(|(_, uid)| uid.clone()).collect()
        };
        let ended: [Vec<Uid>; 2] = [due(&self.backoff), due(&self.error_backoff)];
        for uid in ended.into_iter().flatten() {
            self.put_active(&uid);
        }
        let old = self.oldest.iter().take_while(|(since, _)| *since + UNSCHEDULABLE_MAX <= now);
        for uid in old.map(|(_, uid)| uid.clone()).collect::<Vec<_>>() {
            self.awaken(&uid, now);
        }
    }

    /// To the backoff queue while the pod still backs off, else to the active queue.
    fn awaken(&mut self, uid: &Uid, now: Time) {
        let entry = &self.entries[uid];
        let key = |expiry| (expiry, Reverse(entry.pod.template.priority), entry.arrival);
        let place = entry.failed.map(|(at, cause)| (at + entry.backoff(cause), cause));
        match place {
            Some((expiry, cause)) if expiry > now => self.put(uid, Place::Backoff(cause, key(expiry))),
            _ => self.put_active(uid),
        }
    }

    fn put_active(&mut self, uid: &Uid) {
        let entry = &self.entries[uid];
        let key = (Reverse(entry.pod.template.priority), entry.since, entry.arrival);
        self.put(uid, Place::Active(key));
    }

    fn put(&mut self, uid: &Uid, place: Place) {
        let entry = self.entries.get_mut(uid).expect("only known pods are moved");
        let old = std::mem::replace(&mut entry.place, place);
        self.unlink(&old, uid);
        self.link(&place, uid.clone());
    }

    fn link(&mut self, place: &Place, uid: Uid) {
        match *place {
            Place::Gated | Place::InFlight => {}
            Place::Active(key) => {
                self.active.insert(key, uid);
            }
            Place::Backoff(Cause::Rejection, key) => {
                self.backoff.insert(key, uid);
            }
            Place::Backoff(Cause::Error, key) => {
                self.error_backoff.insert(key, uid);
            }
            Place::Unschedulable(alike, since) => {
                self.unschedulable.entry(alike).or_default().insert(uid.clone());
                self.oldest.insert((since, uid));
            }
        }
    }

    fn unlink(&mut self, place: &Place, uid: &Uid) {
        match place {
            Place::Gated | Place::InFlight => {}
            Place::Active(key) => {
                self.active.remove(key);
            }
            Place::Backoff(Cause::Rejection, key) => {
                self.backoff.remove(key);
            }
            Place::Backoff(Cause::Error, key) => {
                self.error_backoff.remove(key);
            }
            Place::Unschedulable(alike, since) => {
                self.oldest.remove(&(*since, uid.clone()));
                if let Some(group) = self.unschedulable.get_mut(alike) {
                    group.remove(uid);
                    if group.is_empty() {
                        self.unschedulable.remove(alike);
                    }
                }
            }
        }
    }
}

impl Entry {
    fn backoff(&self, cause: Cause) -> Duration {
        let failures = match cause {
            Cause::Rejection => self.rejections,
            Cause::Error => self.errors,
        };
        let doublings = failures.saturating_sub(1).min(8);
        (BACKOFF_MIN * 2_u32.pow(doublings)).min(BACKOFF_MAX)
    }
}

#[cfg(test)]
mod tests;
