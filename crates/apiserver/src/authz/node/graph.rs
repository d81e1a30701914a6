//! Which objects the pods of each node refer to, kept current by reading on in the pods' shard.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::meta;
use serde_json::Value;

use super::reference::{PodReferences, Target};
use crate::cache::WatchCache;
use crate::cache::shard::{Object, Position, Shard};

/// Changes read at a time.
const BATCH: usize = 1024;

/// What one pod refers to, in its own namespace.
#[derive(Debug, Default)]
struct Links {
    node: Box<str>,
    namespace: Box<str>,
    targets: HashSet<(Target, Box<str>)>,
}

#[derive(Debug, Default)]
struct State {
    position: Option<Position>,
    pods: HashMap<Arc<str>, Links>,
    nodes: HashMap<Box<str>, HashSet<Arc<str>>>,
}

/// The graph. A question costs what changed since the last one, and the pods of one node.
pub(super) struct Graph {
    cache: Arc<WatchCache>,
    pods: Arc<Shard>,
    state: Mutex<State>,
}

impl Graph {
    pub(super) fn new(cache: Arc<WatchCache>) -> Self {
        let pods = cache.shard("core/pods");
        Self { cache, pods, state: Mutex::default() }
    }

    /// Whether a node has to do with an object.
    pub(super) fn has(&self, node: &str, target: Target, namespace: &str, name: &str) -> bool {
        match target {
            Target::Attachment => self.names_node("storage.k8s.io/volumeattachments", name, node),
            Target::Slice => self.names_node("resource.k8s.io/resourceslices", name, node),
            Target::Volume => self.claim_of(name).is_some_and(|(namespace, claim)| {
                self.current().refers(node, Target::Claim, &namespace, &claim)
            }),
            Target::Pod => self.current().runs(node, &format!("{namespace}/{name}")),
            Target::Secret => {
                let claims = {
                    let state = self.current();
                    if state.refers(node, target, namespace, name) {
                        return true;
                    }
                    state.claims(node)
                };
                claims.iter().any(|claim| self.volume_has_secret(claim, namespace, name))
            }
            _ => self.current().refers(node, target, namespace, name),
        }
    }

    fn object(&self, prefix: &str, key: &str) -> Option<Value> {
        let object = self.cache.shard(prefix).get(key)?;
        serde_json::from_slice(object.versioned.json()).ok()
    }

    fn names_node(&self, prefix: &str, name: &str, node: &str) -> bool {
        self.object(prefix, name).is_some_and(|object| meta::text(&object, "spec.nodeName") == node)
    }

    /// Namespace and name of the claim that a volume is bound to.
    fn claim_of(&self, volume: &str) -> Option<(String, String)> {
        let volume = self.object("core/persistentvolumes", volume)?;
        let text = |path| meta::text(&volume, path).to_owned();
        Some((text("spec.claimRef.namespace"), text("spec.claimRef.name")))
            .filter(|(_, name)| !name.is_empty())
    }

    /// Whether the volume of a claim (`namespace/name`) needs a secret on the node.
    fn volume_has_secret(&self, claim: &str, namespace: &str, name: &str) -> bool {
        let Some(claim_object) = self.object("core/persistentvolumeclaims", claim) else { return false };
        let volume = meta::text(&claim_object, "spec.volumeName");
        if volume.is_empty() || self.claim_of(volume).is_none_or(|(ns, own)| format!("{ns}/{own}") != claim) {
            return false;
        }
        let home = claim.split_once('/').map_or("", |(namespace, _)| namespace);
        let Some(volume) = self.object("core/persistentvolumes", volume) else { return false };
        volume_secrets(&volume, home).contains(&(namespace.to_owned(), name.to_owned()))
    }

    /// The state with everything applied that the cache has.
    fn current(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((changes, next)) =
            state.position.and_then(|position| self.pods.read_from(position, BATCH))
        {
            state.position = Some(next);
            for change in &changes {
                match (&change.object, &change.previous) {
                    (Some(object), _) => state.put(object),
                    (None, Some(gone)) => state.remove(&gone.key),
                    (None, None) => {}
                }
            }
            if changes.len() < BATCH {
                return state;
            }
        }
        // The first question, or so late that changes are lost: begin anew.
        let (objects, _, position) = self.pods.snapshot_and_position();
        *state = State { position: Some(position), ..State::default() };
        objects.values().for_each(|object| state.put(object));
        state
    }
}

impl State {
    fn put(&mut self, object: &Object) {
        self.remove(&object.key);
        let Ok(pod) = serde_json::from_slice::<PodReferences>(object.versioned.json()) else { return };
        if pod.node().is_empty() {
            return;
        }
        let namespace = object.key.split_once('/').map_or("", |(namespace, _)| namespace);
        let mut links = Links { node: pod.node().into(), namespace: namespace.into(), ..Links::default() };
        // A mirror pod is the node's own word: it opens nothing.
        if !pod.is_mirror() {
            links.targets.extend(pod.targets().into_iter().map(|(target, name)| (target, name.into())));
            links.targets.extend(pod.claims().into_iter().map(|name| (Target::Claim, name.into())));
        }
        self.nodes.entry(links.node.clone()).or_default().insert(Arc::clone(&object.key));
        self.pods.insert(Arc::clone(&object.key), links);
    }

    fn remove(&mut self, key: &Arc<str>) {
        let Some(links) = self.pods.remove(key) else { return };
        if let Some(pods) = self.nodes.get_mut(&links.node) {
            pods.remove(key);
            if pods.is_empty() {
                self.nodes.remove(&links.node);
            }
        }
    }

    fn runs(&self, node: &str, pod: &str) -> bool {
        self.nodes.get(node).is_some_and(|pods| pods.contains(pod))
    }

    fn links(&self, node: &str) -> impl Iterator<Item = &Links> {
        self.nodes.get(node).into_iter().flatten().filter_map(|key| self.pods.get(key))
    }

    fn refers(&self, node: &str, target: Target, namespace: &str, name: &str) -> bool {
        let wanted = (target, name.into());
        self.links(node).any(|links| &*links.namespace == namespace && links.targets.contains(&wanted))
    }

    /// The claims of a node's pods, as `namespace/name`.
    fn claims(&self, node: &str) -> HashSet<String> {
        let of = |links: &Links| -> Vec<String> {
            let claims = links.targets.iter().filter(|(target, _)| *target == Target::Claim);
            claims.map(|(_, name)| format!("{}/{name}", links.namespace)).collect()
        };
        self.links(node).flat_map(of).collect()
    }
}

/// Namespace and name of the secrets that a kubelet needs to mount a volume; `home` is its claim's
/// namespace.
fn volume_secrets(volume: &Value, home: &str) -> Vec<(String, String)> {
    let sources =
        volume.get("spec").and_then(Value::as_object).into_iter().flatten().map(|(_, source)| source);
    let fields = ["secretRef", "nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"];
    let mut found = Vec::new();
    for source in sources.filter(|source| source.is_object()) {
        for reference in fields.iter().filter_map(|field| source.get(*field)) {
            let namespace = meta::text(reference, "namespace");
            let namespace = if namespace.is_empty() { home } else { namespace };
            found.push((namespace.to_owned(), meta::text(reference, "name").to_owned()));
        }
        let direct = meta::text(source, "secretName");
        if !direct.is_empty() {
            let namespace = meta::text(source, "secretNamespace");
            let namespace = if namespace.is_empty() { home } else { namespace };
            found.push((namespace.to_owned(), direct.to_owned()));
        }
    }
    found
}
