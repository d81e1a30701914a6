//! What pods ask for and what nodes have: cpu, memory, ephemeral storage and named extended resources.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::api::resource::Quantity};

use crate::quantity;

/// What a container without a cpu request is taken to use when nodes are scored, in millicores.
const DEFAULT_MILLI_CPU: i64 = 100;
/// What a container without a memory request is taken to use when nodes are scored, in bytes.
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Amounts per resource: cpu in millicores, all others in whole units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resources {
    /// Cpu in millicores.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local ephemeral storage in bytes.
    pub ephemeral_storage: i64,
    /// Every other resource (hugepages, devices), sorted by name.
    pub extended: Vec<(Arc<str>, i64)>,
}

/// The cpu and memory a pod is scored by, defaults filled in where it asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Cpu in millicores.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
}

type Quantities = BTreeMap<String, Quantity>;

impl Resources {
    /// Decodes a resource list; `pods` is left out (see [`allowed_pods`]), as are unreadable quantities,
    /// which the API server does not store.
    pub fn decode(list: Option<&Quantities>) -> Self {
        let mut resources = Self::default();
        for (name, Quantity(text)) in list.into_iter().flatten() {
            match name.as_str() {
                "cpu" => resources.milli_cpu = quantity::milli(text).unwrap_or(0),
                "pods" => {}
                _ => *resources.slot(name) = quantity::value(text).unwrap_or(0),
            }
        }
        resources
    }

    /// The amount of an extended resource; zero where it is absent.
    pub fn extended(&self, name: &str) -> i64 {
        self.find(name).map_or(0, |at| self.extended[at].1)
    }

    /// Whether nothing is asked for.
    pub fn is_zero(&self) -> bool {
        self.milli_cpu == 0
            && self.memory == 0
            && self.ephemeral_storage == 0
            && self.extended.iter().all(|(_, amount)| *amount == 0)
    }

    /// Adds `other`, per resource.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, |mine, theirs| mine + theirs);
    }

    /// Takes `other` away, per resource.
    pub fn subtract(&mut self, other: &Self) {
        self.merge(other, |mine, theirs| mine - theirs);
    }

    /// Raises each resource to at least what `other` has.
    pub fn raise_to(&mut self, other: &Self) {
        self.merge(other, i64::max);
    }

    fn merge(&mut self, other: &Self, join: impl Fn(i64, i64) -> i64) {
        self.milli_cpu = join(self.milli_cpu, other.milli_cpu);
        self.memory = join(self.memory, other.memory);
        self.ephemeral_storage = join(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.extended {
            let mine = self.slot(name);
            *mine = join(*mine, *amount);
        }
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.extended.binary_search_by(|(key, _)| key.as_ref().cmp(name))
    }

    fn slot(&mut self, name: &str) -> &mut i64 {
        match name {
            "cpu" => &mut self.milli_cpu,
            "memory" => &mut self.memory,
            "ephemeral-storage" => &mut self.ephemeral_storage,
            _ => {
                let at = self.find(name).unwrap_or_else(|at| {
                    self.extended.insert(at, (Arc::from(name), 0));
                    at
                });
                &mut self.extended[at].1
            }
        }
    }
}

/// How many pods a node takes; zero where it does not say.
pub fn allowed_pods(allocatable: Option<&Quantities>) -> i64 {
    allocatable.and_then(|list| list.get("pods")).and_then(|q| quantity::value(&q.0)).unwrap_or(0)
}

/// What a pod asks a node for, and what it is scored by.
///
/// Follows `component-helpers/resource.PodRequests`: containers run together and
/// are summed; an init container runs alone beside the sidecars started before
/// it, so only its peak counts; pod-level requests (KEP-2837) replace the sum;
/// overhead is added. A pod being resized (KEP-1287) counts at the larger of
/// what it asks for and what it holds.
pub fn of_pod(spec: &core::PodSpec, status: Option<&core::PodStatus>) -> (Resources, Usage) {
    let asked = total(spec, status, false);
    let scored = total(spec, status, true);
    (asked, Usage { milli_cpu: scored.milli_cpu, memory: scored.memory })
}

fn total(spec: &core::PodSpec, status: Option<&core::PodStatus>, defaults: bool) -> Resources {
    let one = |container: &core::Container| of_container(container, status, defaults);
    let mut running = Resources::default();
    for container in &spec.containers {
        running.add(&one(container));
    }
    let mut sidecars = Resources::default();
    let mut peak = Resources::default();
    for container in spec.init_containers.iter().flatten() {
        let mut moment = one(container);
        if container.restart_policy.as_deref() == Some("Always") {
            running.add(&moment);
            sidecars.add(&moment);
            peak.raise_to(&sidecars);
        } else {
            moment.add(&sidecars);
            peak.raise_to(&moment);
        }
    }
    running.raise_to(&peak);
    override_by_pod_level(&mut running, spec);
    running.add(&Resources::decode(spec.overhead.as_ref()));
    running
}

fn of_container(container: &core::Container, status: Option<&core::PodStatus>, defaults: bool) -> Resources {
    let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
    let mut resources = Resources::decode(requests);
    if defaults {
        let asks = |name| requests.is_some_and(|list| list.contains_key(name));
        if !asks("cpu") {
            resources.milli_cpu = DEFAULT_MILLI_CPU;
        }
        if !asks("memory") {
            resources.memory = DEFAULT_MEMORY;
        }
    }
    if let Some(held) = held(&container.name, status) {
        resources.raise_to(&held);
    }
    resources
}

/// What the kubelet has allocated to a container, which outlives a smaller request until it is applied.
fn held(name: &str, status: Option<&core::PodStatus>) -> Option<Resources> {
    let status = status?;
    let containers = status.container_statuses.iter().flatten();
    let all = containers.chain(status.init_container_statuses.iter().flatten());
    let found = all.into_iter().find(|container| container.name == name)?;
    Some(Resources::decode(found.allocated_resources.as_ref()))
}

fn override_by_pod_level(running: &mut Resources, spec: &core::PodSpec) {
    let Some(requests) = spec.resources.as_ref().and_then(|r| r.requests.as_ref()) else { return };
    let level = Resources::decode(Some(requests));
    for name in requests.keys().filter(|name| pod_level(name)) {
        *running.slot(name) = match name.as_str() {
            "cpu" => level.milli_cpu,
            "memory" => level.memory,
            _ => level.extended(name),
        };
    }
}

fn pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}
