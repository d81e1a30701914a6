//! The line of a pod: its status sums up phases, conditions and containers in the order kube-apiserver does.

use serde_json::Value;

use super::cell::{self, NONE};
use super::{AGE, Head, NAME, Spec, items};
use crate::duration;
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[Spec { group: "", kind: "Pod", columns: COLUMNS, cells }];

const COLUMNS: &[Head] = &[
    NAME,
    Head::text("Ready", "How many of its containers are ready"),
    Head::text("Status", "What its containers are doing, in a word"),
    Head::text("Restarts", "How often its containers were restarted, and when last"),
    AGE,
    Head::text("IP", "Its address").wide(),
    Head::text("Node", "Where it runs").wide(),
    Head::text("Nominated Node", "Where room is being made for it").wide(),
    Head::text("Readiness Gates", "How many of its extra conditions hold").wide(),
];

/// What the containers add up to.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

/// Restarts and the end of the run before the last of them.
#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Time>,
}

fn cells(pod: &Value, now: Time) -> Vec<Value> {
    let Summary { ready, total, reason, restarts } = summary(pod);
    let address = items(pod, "status.podIPs").first().map_or("", |ip| meta::text(ip, "ip"));
    vec![
        cell::name(pod),
        format!("{ready}/{total}").into(),
        reason.into(),
        restarts.text(now).into(),
        cell::age(pod, now),
        if address.is_empty() { NONE } else { address }.into(),
        cell::text_or(pod, "spec.nodeName", NONE),
        cell::text_or(pod, "status.nominatedNodeName", NONE),
        readiness_gates(pod).into(),
    ]
}

/// The phase of a pod that has come to its end.
pub(super) fn finished(pod: &Value) -> Option<&'static str> {
    match meta::text(pod, "status.phase") {
        "Succeeded" => Some("Succeeded"),
        "Failed" => Some("Failed"),
        _ => None,
    }
}

/// The sentence clients get with the phase.
pub(super) fn finished_message(phase: &str) -> &'static str {
    if phase == "Succeeded" { "The pod has completed successfully." } else { "The pod failed." }
}

fn summary(pod: &Value) -> Summary {
    let mut summary = Summary {
        ready: 0,
        total: items(pod, "spec.containers").len()
            + items(pod, "spec.initContainers").iter().filter(|c| sidecar(c)).count(),
        reason: phase_reason(pod),
        restarts: Restarts::default(),
    };
    let (initializing, sidecars) = summary.init(pod);
    if !initializing || cell::holds(pod, "Initialized") {
        summary.restarts = sidecars;
        summary.run(pod);
    }
    if let Some(end) = ending(pod) {
        end.clone_into(&mut summary.reason);
    }
    summary
}

/// What the pod as a whole says, before its containers are asked.
fn phase_reason(pod: &Value) -> String {
    let gated = items(pod, "status.conditions")
        .iter()
        .any(|c| meta::text(c, "type") == "PodScheduled" && meta::text(c, "reason") == "SchedulingGated");
    let reason = match meta::text(pod, "status.reason") {
        "" => meta::text(pod, "status.phase"),
        reason => reason,
    };
    if gated { "SchedulingGated" } else { reason }.to_owned()
}

/// What a deletion makes of the status.
fn ending(pod: &Value) -> Option<&'static str> {
    if meta::text(pod, "metadata.deletionTimestamp").is_empty() {
        return None;
    }
    match meta::text(pod, "status.reason") {
        "NodeLost" => Some("Unknown"),
        _ if finished(pod).is_none() => Some("Terminating"),
        _ => None,
    }
}

impl Summary {
    /// Goes through the init containers up to the first that is not done.
    /// Returns whether there is one, and the restarts of sidecars.
    fn init(&mut self, pod: &Value) -> (bool, Restarts) {
        let specs = items(pod, "spec.initContainers");
        let mut sidecars = Restarts::default();
        for (i, status) in items(pod, "status.initContainerStatuses").iter().enumerate() {
            let spec = specs.iter().find(|s| meta::text(s, "name") == meta::text(status, "name"));
            let is_sidecar = spec.is_some_and(sidecar);
            self.restarts.add(status);
            if is_sidecar {
                sidecars.add(status);
            }
            if ended_well(status) {
                continue;
            }
            if is_sidecar && cell::flag(status, "started", false) {
                self.ready += usize::from(cell::flag(status, "ready", false));
                continue;
            }
            self.reason =
                format!("Init:{}", init_reason(status).unwrap_or_else(|| format!("{i}/{}", specs.len())));
            return (true, sidecars);
        }
        (false, sidecars)
    }

    /// Goes through the containers; the first one in the list has the last word.
    fn run(&mut self, pod: &Value) {
        let mut running = false;
        for status in items(pod, "status.containerStatuses").iter().rev() {
            self.restarts.add(status);
            if let Some(reason) = waiting(status).or_else(|| terminated(status)) {
                self.reason = reason;
            } else if cell::flag(status, "ready", false) && meta::at(status, "state.running").is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if running && self.reason == "Completed" {
            let ready = cell::holds(pod, "Ready");
            if ready { "Running" } else { "NotReady" }.clone_into(&mut self.reason);
        }
    }
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += cell::int(status, "restartCount");
        let ended = Time::parse(meta::text(status, "lastState.terminated.finishedAt"));
        self.last = self.last.max(ended);
    }

    fn text(self, now: Time) -> String {
        match self.last.filter(|_| self.count != 0) {
            Some(last) => format!("{} ({} ago)", self.count, duration::between(last, now)),
            None => self.count.to_string(),
        }
    }
}

fn sidecar(container: &Value) -> bool {
    meta::text(container, "restartPolicy") == "Always"
}

fn ended_well(status: &Value) -> bool {
    meta::at(status, "state.terminated").is_some() && cell::int(status, "state.terminated.exitCode") == 0
}

fn init_reason(status: &Value) -> Option<String> {
    terminated(status).or_else(|| waiting(status).filter(|r| r != "PodInitializing"))
}

fn waiting(status: &Value) -> Option<String> {
    Some(meta::text(status, "state.waiting.reason")).filter(|r| !r.is_empty()).map(str::to_owned)
}

fn terminated(status: &Value) -> Option<String> {
    let end = meta::at(status, "state.terminated")?;
    Some(match (meta::text(end, "reason"), cell::int(end, "signal")) {
        ("", 0) => format!("ExitCode:{}", cell::int(end, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    })
}

fn readiness_gates(pod: &Value) -> String {
    let gates = items(pod, "spec.readinessGates");
    let held = gates.iter().filter(|g| cell::holds(pod, meta::text(g, "conditionType"))).count();
    if gates.is_empty() { NONE.to_owned() } else { format!("{held}/{}", gates.len()) }
}
