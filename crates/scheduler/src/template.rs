//! What decides where a pod may go, decoded once and shared by all pods made alike.
//!
//! ```text
//!  Pod (k8s-openapi, 6 KB) --decode--> Pod { uid, name, node } --> Arc<Template>
//!                                       one per pod                one per ReplicaSet, Job, …
//! ```
//! Two pods with equal templates get equal verdicts from every plugin, so the
//! identity of the template is the key of every memo.

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::api::core::v1 as core;

use crate::{
    label::{Labels, NodeTerm, Requirement, Selector},
    resources::{self, Resources, Usage},
    taint::Toleration,
};

/// The identity of a template within this process; never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateId(u64);

/// All of a pod's specification that scheduling reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    /// Where the pod lives.
    pub namespace: Box<str>,
    /// The pod's labels.
    pub labels: Labels,
    /// Higher goes first.
    pub priority: i32,
    /// Whether it may evict others (`preemptionPolicy` is not `Never`).
    pub preempts: bool,
    /// What it asks a node for.
    pub requests: Resources,
    /// What it is scored by.
    pub usage: Usage,
    /// `nodeSelector`: all of them hold on the node.
    pub node_selector: Vec<Requirement>,
    /// Required node affinity: one of them holds on the node. `None`: not asked for.
    pub node_terms: Option<Vec<NodeTerm>>,
    /// Preferred node affinity with weights.
    pub node_preferences: Vec<(i32, NodeTerm)>,
    /// Taints it bears.
    pub tolerations: Vec<Toleration>,
    /// Ports it takes on the node.
    pub ports: Vec<HostPort>,
    /// Its images, with a tag or digest each; repeated as often as used.
    pub images: Vec<Box<str>>,
    /// How it is spread over topologies.
    pub spread: Vec<Spread>,
    /// Required pod affinity.
    pub affinity: Vec<PodTerm>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<PodTerm>,
    /// Preferred pod affinity with weights; anti-affinity has negative weights.
    pub pod_preferences: Vec<(i32, PodTerm)>,
    /// The uid of its controller.
    pub owner: Option<Box<str>>,
    /// What it needs that this scheduler cannot give, in words for its user.
    pub unsupported: Vec<&'static str>,
}

/// A port taken on the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Box<str>,
    /// The address it is taken on; `0.0.0.0` is all of them.
    pub address: Box<str>,
    /// The port.
    pub port: i32,
}

/// A topology spread constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// The node label whose values are the domains.
    pub key: Box<str>,
    /// How far apart the fullest and the emptiest domain may be.
    pub max_skew: i32,
    /// Fewer domains than this count as if one were empty.
    pub min_domains: i32,
    /// Whether it must hold (`DoNotSchedule`).
    pub required: bool,
    /// The pods that are counted.
    pub selector: Selector,
    /// Whether nodes that the pod's node affinity excludes are no domains.
    pub honors_affinity: bool,
    /// Whether nodes with taints that the pod does not tolerate are no domains.
    pub honors_taints: bool,
}

/// A pod affinity term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodTerm {
    /// The node label whose values are the domains.
    pub key: Box<str>,
    /// The pods meant.
    pub selector: Selector,
    namespaces: Option<Vec<Box<str>>>,
}

impl PodTerm {
    /// Whether the term means this pod.
    pub fn matches(&self, pod: &Template) -> bool {
        self.namespaces.as_ref().is_none_or(|list| list.contains(&pod.namespace))
            && self.selector.matches(&pod.labels)
    }
}

/// A pod as the scheduler knows it: who it is, and its shared template.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Unique over time.
    pub uid: Arc<str>,
    /// Unique in its namespace.
    pub name: Box<str>,
    /// The node it is assigned to.
    pub node: Option<Arc<str>>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether scheduling gates hold it back.
    pub gated: bool,
    /// The identity of `template`.
    pub template_id: TemplateId,
    /// What scheduling reads.
    pub template: Arc<Template>,
}

impl Pod {
    /// `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.template.namespace, self.name)
    }

    /// Whether nothing that is accounted differs.
    pub fn is_like(&self, other: &Self) -> bool {
        self.template_id == other.template_id && self.terminating == other.terminating
    }
}

/// The templates in use.
#[derive(Debug, Default)]
pub struct Templates {
    known: HashMap<Arc<Template>, TemplateId>,
    next: u64,
    purge_at: usize,
}

impl Templates {
    /// Decodes a pod and shares its template with pods made alike.
    pub fn decode(&mut self, pod: &core::Pod) -> Pod {
        let (template, template_id) = self.share(Template::decode(pod));
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let node = spec_of(pod).and_then(|spec| spec.node_name.as_deref());
        Pod {
            uid: text(&pod.metadata.uid).into(),
            name: text(&pod.metadata.name).into(),
            node: node.filter(|name| !name.is_empty()).map(Arc::from),
            gated: spec_of(pod)
                .and_then(|spec| spec.scheduling_gates.as_ref())
                .is_some_and(|g| !g.is_empty()),
            terminating: pod.metadata.deletion_timestamp.is_some(),
            template_id,
            template,
        }
    }

    fn share(&mut self, template: Template) -> (Arc<Template>, TemplateId) {
        if let Some((shared, id)) = self.known.get_key_value(&template) {
            return (shared.clone(), *id);
        }
        self.purge();
        self.next += 1;
        let (shared, id) = (Arc::new(template), TemplateId(self.next));
        self.known.insert(shared.clone(), id);
        (shared, id)
    }

    /// Forgets templates that no pod has any more, each time their number has doubled.
    fn purge(&mut self) {
        if self.known.len() >= self.purge_at {
            self.known.retain(|template, _| Arc::strong_count(template) > 1);
            self.purge_at = 2 * self.known.len().max(512);
        }
    }
}

impl Template {
    /// Decodes what scheduling reads of a pod.
    pub fn decode(pod: &core::Pod) -> Self {
        let Some(spec) = &pod.spec else { return Self::default() };
        let (requests, usage) = resources::of_pod(spec, pod.status.as_ref());
        let namespace: Box<str> = pod.metadata.namespace.as_deref().unwrap_or_default().into();
        let mut template = Self {
            labels: Labels::decode(pod.metadata.labels.as_ref()),
            priority: spec.priority.unwrap_or(0),
            preempts: spec.preemption_policy.as_deref() != Some("Never"),
            requests,
            usage,
            node_selector: decode_node_selector(spec),
            tolerations: spec.tolerations.iter().flatten().map(Toleration::decode).collect(),
            ports: host_ports(spec),
            images: images(spec),
            owner: controller(pod),
            namespace,
            ..Self::default()
        };
        template.spread = spread(spec, pod);
        template.decode_affinity(spec, pod);
        if spec.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty()) {
            template.unsupported.push("dynamic resource allocation (spec.resourceClaims)");
        }
        template
    }

    fn decode_affinity(&mut self, spec: &core::PodSpec, pod: &core::Pod) {
        let Some(affinity) = &spec.affinity else { return };
        if let Some(node) = &affinity.node_affinity {
            let required = node.required_during_scheduling_ignored_during_execution.as_ref();
            self.node_terms =
                required.map(|selector| selector.node_selector_terms.iter().map(NodeTerm::decode).collect());
            let preferred = node.preferred_during_scheduling_ignored_during_execution.iter().flatten();
            self.node_preferences =
                preferred.map(|term| (term.weight, NodeTerm::decode(&term.preference))).collect();
        }
        if let Some(near) = &affinity.pod_affinity {
            self.affinity =
                self.pod_terms(near.required_during_scheduling_ignored_during_execution.as_ref(), pod);
            let soft = near.preferred_during_scheduling_ignored_during_execution.as_ref();
            self.add_preferences(soft, 1, pod);
        }
        if let Some(far) = &affinity.pod_anti_affinity {
            self.anti_affinity =
                self.pod_terms(far.required_during_scheduling_ignored_during_execution.as_ref(), pod);
            let soft = far.preferred_during_scheduling_ignored_during_execution.as_ref();
            self.add_preferences(soft, -1, pod);
        }
    }

    fn add_preferences(
        &mut self,
        terms: Option<&Vec<core::WeightedPodAffinityTerm>>,
        sign: i32,
        pod: &core::Pod,
    ) {
        for weighted in terms.into_iter().flatten() {
            let term = self.pod_term(&weighted.pod_affinity_term, pod);
            self.pod_preferences.push((sign * weighted.weight, term));
        }
    }

    fn pod_terms(&mut self, terms: Option<&Vec<core::PodAffinityTerm>>, pod: &core::Pod) -> Vec<PodTerm> {
        terms.into_iter().flatten().map(|term| self.pod_term(term, pod)).collect()
    }

    fn pod_term(&mut self, term: &core::PodAffinityTerm, pod: &core::Pod) -> PodTerm {
        let mut selector = Selector::decode(term.label_selector.as_ref());
        narrow(&mut selector, term.match_label_keys.as_ref(), pod, true);
        narrow(&mut selector, term.mismatch_label_keys.as_ref(), pod, false);
        let listed = term.namespaces.clone().unwrap_or_default();
        let by_label = Selector::decode(term.namespace_selector.as_ref());
        if !by_label.is_nothing() && !by_label.is_everything() {
            self.unsupported.push("pod affinity with a namespaceSelector");
        }
        let namespaces = match listed.as_slice() {
            _ if by_label.is_everything() => None,
            [] if by_label.is_nothing() => Some(vec![self.namespace.clone()]),
            names => Some(names.iter().map(|name| name.as_str().into()).collect()),
        };
        PodTerm { key: term.topology_key.as_str().into(), selector, namespaces }
    }
}

fn spec_of(pod: &core::Pod) -> Option<&core::PodSpec> {
    pod.spec.as_ref()
}

/// Adds `matchLabelKeys` (KEP-3243, KEP-3633): the pod's own values of the keys.
fn narrow(selector: &mut Selector, keys: Option<&Vec<String>>, pod: &core::Pod, same: bool) {
    for key in keys.into_iter().flatten() {
        if let Some(value) = pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)) {
            selector.and(Requirement::within(key, &[value], same));
        }
    }
}

fn decode_node_selector(spec: &core::PodSpec) -> Vec<Requirement> {
    spec.node_selector.iter().flatten().map(|(key, value)| Requirement::equals(key, value)).collect()
}

fn spread(spec: &core::PodSpec, pod: &core::Pod) -> Vec<Spread> {
    let decode = |constraint: &core::TopologySpreadConstraint| {
        let mut selector = Selector::decode(constraint.label_selector.as_ref());
        narrow(&mut selector, constraint.match_label_keys.as_ref(), pod, true);
        Spread {
            key: constraint.topology_key.as_str().into(),
            max_skew: constraint.max_skew,
            min_domains: constraint.min_domains.unwrap_or(1),
            required: constraint.when_unsatisfiable == "DoNotSchedule",
            selector,
            honors_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    };
    spec.topology_spread_constraints.iter().flatten().map(decode).collect()
}

fn host_ports(spec: &core::PodSpec) -> Vec<HostPort> {
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let taken = ports.filter(|port| port.host_port.unwrap_or(0) > 0).map(|port| HostPort {
        protocol: filled(port.protocol.as_deref(), "TCP"),
        address: filled(port.host_ip.as_deref(), "0.0.0.0"),
        port: port.host_port.unwrap_or(0),
    });
    taken.collect()
}

fn filled(text: Option<&str>, default: &str) -> Box<str> {
    text.filter(|text| !text.is_empty()).unwrap_or(default).into()
}

fn images(spec: &core::PodSpec) -> Vec<Box<str>> {
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.map(|container| tagged(container.image.as_deref().unwrap_or_default())).collect()
}

/// Adds the tag that a runtime would: an image without tag and digest is `latest`.
fn tagged(image: &str) -> Box<str> {
    let path_end = image.rfind('/').map_or(0, |at| at + 1);
    match image[path_end..].contains(':') {
        true => image.into(),
        false => format!("{image}:latest").into(),
    }
}

fn controller(pod: &core::Pod) -> Option<Box<str>> {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str().into())
}
