//! The Node authorizer: what a kubelet may do, narrowed to what its node has to do with.
//!
//! ```text
//! node <- pod <- secret, configmap, serviceaccount, resourceclaim
//!         pod <- persistentvolumeclaim <- persistentvolume <- secret
//! ```
//!
//! Reference: Kubernetes' node authorization mode with selectors (KEP-4601). What the content of an
//! object decides is left to the NodeRestriction admission plugin, as there.

use std::sync::Arc;

use super::rule::Rule;
use super::{Action, Authorizer, Decision, Known};
use crate::authn::User;
use crate::bootstrap::node_rules;
use crate::cache::WatchCache;
use crate::request::ResourceInfo;

mod graph;
pub mod reference;
#[cfg(test)]
mod tests;

use graph::Graph;
use reference::Target;

/// Every kubelet is in this group.
pub const NODES: &str = "system:nodes";
const NODE_USER: &str = "system:node:";
const LEASES: &str = "kube-node-lease";

/// The Node authorizer.
pub struct Node {
    graph: Graph,
    rules: Vec<Rule>,
}

/// The node that a user is, if it is one.
pub fn node_name(user: &User) -> Option<&str> {
    user.name.strip_prefix(NODE_USER).filter(|_| user.is_member(NODES))
}

impl Node {
    /// An authorizer over what is in the cache.
    pub fn new(cache: Arc<WatchCache>) -> Self {
        Self { graph: Graph::new(cache), rules: node_rules() }
    }

    fn decide(&self, node: &str, action: &Action<'_>) -> Decision {
        let Some(asked) = action.resource else { return self.by_rules(action) };
        let subresource = asked.subresource.as_str();
        match (asked.group.as_str(), asked.resource.as_str()) {
            ("", "secrets") => self.read(node, Target::Secret, action.verb, asked),
            ("", "configmaps") => self.read(node, Target::ConfigMap, action.verb, asked),
            ("", "persistentvolumeclaims") if subresource == "status" => match action.verb {
                "update" | "patch" => self.related(node, Target::Claim, asked),
                _ => no("can only get/update/patch this type"),
            },
            ("", "persistentvolumeclaims") => self.get(node, Target::Claim, action.verb, asked),
            ("", "persistentvolumes") => self.get(node, Target::Volume, action.verb, asked),
            ("resource.k8s.io", "resourceclaims") => {
                self.get(node, Target::ResourceClaim, action.verb, asked)
            }
            ("storage.k8s.io", "volumeattachments") => self.get(node, Target::Attachment, action.verb, asked),
            ("", "serviceaccounts") => self.token(node, action.verb, asked),
            ("coordination.k8s.io", "leases") => lease(node, action.verb, asked),
            ("storage.k8s.io", "csinodes") => csi_node(node, action.verb, asked),
            ("resource.k8s.io", "resourceslices") => self.slice(node, action, asked),
            ("", "nodes") => own_node(node, action.verb, asked),
            ("", "pods") => self.pod(node, action, asked),
            _ => self.by_rules(action),
        }
    }

    fn by_rules(&self, action: &Action<'_>) -> Decision {
        if self.rules.iter().any(|rule| rule.allows(action)) { yes() } else { no("") }
    }

    /// Reads of one secret or configmap.
    fn read(&self, node: &str, target: Target, verb: &str, asked: &ResourceInfo) -> Decision {
        match verb {
            "get" | "list" | "watch" if !asked.subresource.is_empty() => no("cannot read subresource"),
            "get" | "list" | "watch" if asked.namespace.is_empty() => {
                no("can only read namespaced object of this type")
            }
            "get" | "list" | "watch" => self.related(node, target, asked),
            _ => no("can only read resources of this type"),
        }
    }

    fn get(&self, node: &str, target: Target, verb: &str, asked: &ResourceInfo) -> Decision {
        if verb != "get" {
            return no("can only get individual resources of this type");
        }
        if asked.subresource.is_empty() {
            self.related(node, target, asked)
        } else {
            no("cannot get subresource")
        }
    }

    fn related(&self, node: &str, target: Target, asked: &ResourceInfo) -> Decision {
        if asked.name.is_empty() {
            return no("No Object name found");
        }
        if self.graph.has(node, target, &asked.namespace, &asked.name) {
            return yes();
        }
        Decision::NoOpinion(format!("no relationship found between node '{node}' and this object"))
    }

    fn token(&self, node: &str, verb: &str, asked: &ResourceInfo) -> Decision {
        if verb != "create" || asked.name.is_empty() {
            return no("can only create tokens for individual service accounts");
        }
        if asked.subresource != "token" {
            return no("can only create token subresource of serviceaccount");
        }
        self.related(node, Target::Account, asked)
    }

    fn slice(&self, node: &str, action: &Action<'_>, asked: &ResourceInfo) -> Decision {
        if !asked.subresource.is_empty() {
            return no("cannot authorize ResourceSlice subresources");
        }
        match action.verb {
            "create" => yes(),
            "get" | "update" | "patch" | "delete" => self.related(node, Target::Slice, asked),
            "watch" | "list" | "deletecollection" if selects(action.field_selector, "nodeName", node) => {
                yes()
            }
            "watch" | "list" | "deletecollection" => {
                no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => no(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, \
                     patch, delete, deletecollection",
            ),
        }
    }

    fn pod(&self, node: &str, action: &Action<'_>, asked: &ResourceInfo) -> Decision {
        match (asked.subresource.as_str(), action.verb) {
            ("", "get") => self.related(node, Target::Pod, asked),
            ("", "list" | "watch") if selects(action.field_selector, "spec.nodeName", node) => yes(),
            ("", "list" | "watch") if !asked.name.is_empty() => self.related(node, Target::Pod, asked),
            ("", "list" | "watch") => no("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => yes(),
            _ => no(""),
        }
    }
}

impl Authorizer for Node {
    fn authorize(&self, user: &User, action: &Action<'_>) -> Decision {
        match node_name(user) {
            None => no(""),
            Some("") => Decision::NoOpinion(format!("unknown node for user {:?}", user.name)),
            Some(node) => self.decide(node, action),
        }
    }

    fn known(&self, user: &User, _namespace: &str) -> Known {
        if node_name(user).is_none() {
            return Known::default();
        }
        let faults = vec!["node authorizer does not support user rule resolution".to_owned()];
        Known { rules: Vec::new(), incomplete: true, faults }
    }
}

fn yes() -> Decision {
    Decision::Allow(String::new())
}

fn no(reason: &str) -> Decision {
    Decision::NoOpinion(reason.to_owned())
}

fn lease(node: &str, verb: &str, asked: &ResourceInfo) -> Decision {
    match verb {
        "get" | "create" | "update" | "patch" | "delete" => {}
        _ => return no("can only get, create, update, patch, or delete a node lease"),
    }
    if asked.namespace != LEASES {
        return Decision::NoOpinion(format!("can only access leases in the {LEASES:?} system namespace"));
    }
    // A create has no name yet.
    let own = verb == "create" || asked.name == node;
    if own { yes() } else { no("can only access node lease with the same name as the requesting node") }
}

fn csi_node(node: &str, verb: &str, asked: &ResourceInfo) -> Decision {
    match verb {
        "get" | "create" | "update" | "patch" | "delete" => {}
        _ => return no("can only get, create, update, patch, or delete a CSINode"),
    }
    if !asked.subresource.is_empty() {
        return no("cannot authorize CSINode subresources");
    }
    let own = verb == "create" || asked.name == node;
    if own { yes() } else { no("can only access CSINode with the same name as the requesting node") }
}

fn own_node(node: &str, verb: &str, asked: &ResourceInfo) -> Decision {
    match (asked.subresource.as_str(), verb, asked.name.as_str()) {
        ("", "create" | "update" | "patch", _) | ("status", "update" | "patch", _) => yes(),
        ("", "get" | "list" | "watch", name) if name == node => yes(),
        ("", "get" | "list" | "watch", "") => {
            Decision::NoOpinion(format!("node '{node}' cannot read all nodes, only its own Node object"))
        }
        ("", "get" | "list" | "watch", name) => {
            Decision::NoOpinion(format!("node '{node}' cannot read '{name}', only its own Node object"))
        }
        _ => no(""),
    }
}

/// Whether a field selector demands that a field has a value.
fn selects(selector: &str, field: &str, value: &str) -> bool {
    let demands = |term: &str| {
        let (name, wanted) = term.split_once('=')?;
        Some(name == field && wanted.trim_start_matches('=') == value)
    };
    selector.split(',').any(|term| demands(term) == Some(true))
}
