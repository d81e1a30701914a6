//! One metadata watch per served resource, kept in step with discovery.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;
use crate::discovery::{Served, discover};

/// A definition's resource is served shortly after its event: so long we wait before asking again.
const SETTLE: Duration = Duration::from_secs(1);
/// After a discovery that failed.
const RETRY: Duration = Duration::from_secs(5);

/// The watches of all resources.
pub(super) struct Monitors {
    client: Client,
    shared: Arc<Shared>,
    running: JoinSet<()>,
    /// By group, version and plural name.
    known: HashMap<(String, String), Monitor>,
}

struct Monitor {
    served: Arc<Served>,
    task: tokio::task::AbortHandle,
    listed: watch::Receiver<bool>,
}

impl Monitors {
    pub(super) fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self { client, shared, running: JoinSet::new(), known: HashMap::new() }
    }

    /// Starts the watches and waits for their first lists, at most `limit`.
    pub(super) async fn first_lists(&mut self, limit: Duration) {
        while !self.refresh().await {
            tokio::time::sleep(RETRY).await;
        }
        let lists: Vec<_> = self.known.values().map(|monitor| monitor.listed.clone()).collect();
        let all = async {
            for mut listed in lists {
                let _ = listed.wait_for(|listed| *listed).await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("garbage collection begins although not every resource could be listed");
        }
    }

    /// Follows discovery for ever: after each event that changes the set of resources it looks now
    /// and once more when the change has settled.
    pub(super) async fn keep(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            shared.rediscover.notified().await;
            let now = self.refresh().await;
            tokio::time::sleep(if now { SETTLE } else { RETRY }).await;
            if !self.refresh().await {
                shared.rediscover.notify_one();
            }
        }
    }

    /// Brings the watches in step with discovery. Whether discovery answered.
    async fn refresh(&mut self) -> bool {
        let found = match discover(&self.client).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "discovery failed, it will be retried"
                );
                return false;
            }
        };
        let found: Vec<Served> = found.into_iter().filter(is_collected).collect();
        let names: HashSet<_> = found.iter().map(identity).collect();
        self.known.retain(|name, monitor| {
            let stays = names.contains(name);
            if !stays {
                monitor.task.abort();
            }
            stays
        });
        for served in found {
            self.start(served);
        }
        *self.shared.served() = self.known.values().map(|monitor| Arc::clone(&monitor.served)).collect();
        true
    }

    fn start(&mut self, served: Served) {
        let name = identity(&served);
        if self.known.contains_key(&name) {
            return;
        }
        let served = Arc::new(served);
        let (done, listed) = watch::channel(false);
        let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(self.client.clone(), &served.api);
        let events = watcher(api, watcher::Config::default()).default_backoff();
        let (shared, own) = (Arc::clone(&self.shared), Arc::clone(&served));
        let task = self.running.spawn(async move { follow(&shared, &own, events, &done).await });
        self.known.insert(name, Monitor { served, task, listed });
    }
}

/// The version belongs to it: a resource that moves to another version is watched anew.
fn identity(served: &Served) -> (String, String) {
    (served.api.api_version.clone(), served.api.plural.clone())
}

/// Only what can be watched and deleted can be collected; Events are too many and own nothing.
fn is_collected(served: &Served) -> bool {
    let event = served.api.plural == "events" && matches!(&*served.api.group, "" | "events.k8s.io");
    !event && ["list", "watch", "delete"].into_iter().all(|verb| served.can(verb))
}

/// Whether the objects of a resource decide which resources are served.
fn defines_resources(served: &Served) -> bool {
    matches!(
        &*served.full_name(),
        "customresourcedefinitions.apiextensions.k8s.io" | "apiservices.apiregistration.k8s.io"
    )
}

async fn follow(
    shared: &Shared,
    served: &Arc<Served>,
    events: impl Stream<Item = Result<Event<PartialObjectMeta<DynamicObject>>, watcher::Error>>,
    listed: &watch::Sender<bool>,
) {
    let mut events = std::pin::pin!(events);
    let mut list: HashSet<String> = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                observe(shared, served, &event, &mut list);
                if matches!(event, Event::InitDone) {
                    listed.send_replace(true);
                } else if defines_resources(served) && matches!(event, Event::Apply(_) | Event::Delete(_)) {
                    shared.rediscover.notify_one();
                }
            }
            Err(error) => {
                tracing::debug!(resource = served.full_name(), %error, "watch failed, it will be retried");
            }
        }
    }
}

fn observe(
    shared: &Shared,
    served: &Arc<Served>,
    event: &Event<PartialObjectMeta<DynamicObject>>,
    list: &mut HashSet<String>,
) {
    let mut graph = shared.graph();
    let visit = match event {
        Event::Apply(object) => graph.upsert(served, &object.metadata),
        Event::Delete(object) => graph.remove(object.metadata.uid.as_deref().unwrap_or_default()),
        Event::Init => {
            list.clear();
            Vec::new()
        }
        Event::InitApply(object) => {
            list.extend(object.metadata.uid.clone());
            graph.upsert(served, &object.metadata)
        }
        Event::InitDone => {
            let missed = graph.of(served).into_iter().filter(|uid| !list.contains(uid));
            let missed: Vec<String> = missed.collect();
            missed.iter().flat_map(|uid| graph.remove(uid)).collect()
        }
    };
    drop(graph);
    visit.into_iter().for_each(|uid| shared.queue.add(uid));
}
