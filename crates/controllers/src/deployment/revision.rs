//! Names, revisions and the annotations that ReplicaSets carry for their Deployment.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::strategy::Limits;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// The label that keeps the pods of two templates apart.
pub(super) const HASH: &str = "pod-template-hash";

/// The annotations of a Deployment that its ReplicaSets do not inherit.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MOST,
    "deprecated.deployment.rollback.to",
];

const HISTORY_CHARS: usize = 2000;

/// No vowels and no digits that look like them, so that no hash is a word.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

pub(super) type Annotations = BTreeMap<String, String>;

/// The hash of a template: FNV-1a over its JSON and the number of collisions so far, spelled in a
/// safe alphabet. Only ever compared for names; whether a ReplicaSet has a template is decided by
/// the template itself.
pub(super) fn template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut bytes = serde_json::to_vec(template).expect("a template is serialisable");
    bytes.extend(collisions.unwrap_or(0).to_le_bytes().into_iter().filter(|_| collisions.is_some()));
    let hash =
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// Whether a ReplicaSet was made of this template.
pub(super) fn has_template(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let Some(own) = set.spec.as_ref().and_then(|spec| spec.template.as_ref()) else { return false };
    own.spec == template.spec && bare(own) == bare(template)
}

/// The template's metadata without the hash label; absent and empty maps are the same.
fn bare(template: &PodTemplateSpec) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    let mut meta = template.metadata.clone().unwrap_or_default();
    if let Some(labels) = &mut meta.labels {
        labels.remove(HASH);
    }
    meta.labels = meta.labels.filter(|labels| !labels.is_empty());
    meta.annotations = meta.annotations.filter(|annotations| !annotations.is_empty());
    meta.creation_timestamp = None;
    meta
}

/// The revision in some annotations; 0 where there is none.
pub(super) fn revision(annotations: Option<&Annotations>) -> i64 {
    annotations.and_then(|all| all.get(REVISION)).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Copies what a ReplicaSet inherits from its Deployment.
pub(super) fn inherit(deployment: Option<&Annotations>, set: &mut Annotations) {
    let inherited = deployment.into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()));
    set.extend(inherited.map(|(name, value)| (name.clone(), value.clone())));
}

/// Raises the revision of a ReplicaSet, and remembers the one it had before.
pub(super) fn raise(set: &mut Annotations, revision: i64) {
    let old = set.get(REVISION).cloned();
    let number = match old.as_deref() {
        None | Some("") => 0,
        Some(text) => match text.parse::<i64>() {
            Ok(number) => number,
            Err(_) => return,
        },
    };
    if number >= revision {
        return;
    }
    set.insert(REVISION.into(), revision.to_string());
    if let Some(old) = old {
        let history = set.get(HISTORY).map_or("", String::as_str);
        if let Some(longer) = remember(history, &old) {
            set.insert(HISTORY.into(), longer);
        }
    }
}

/// The history with one more revision, its oldest entries dropped to keep it short.
fn remember(history: &str, revision: &str) -> Option<String> {
    if history.is_empty() {
        return Some(revision.to_owned());
    }
    let whole = format!("{history},{revision}");
    let mut rest = whole.as_str();
    while rest.len() > HISTORY_CHARS {
        rest = rest.split_once(',')?.1;
    }
    Some(rest.to_owned())
}

/// Notes for what size a ReplicaSet was last scaled: proportional scaling starts from there.
pub(super) fn note_size(set: &mut Annotations, limits: Limits) {
    set.insert(DESIRED.into(), limits.replicas.to_string());
    set.insert(MOST.into(), limits.most().to_string());
}

/// A number noted in an annotation.
pub(super) fn noted(set: &Annotations, name: &str) -> Option<i32> {
    set.get(name).and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_by_template_and_by_collision() {
        let template = PodTemplateSpec::default();
        let mut other = template.clone();
        other.spec.get_or_insert_default().node_name = Some("n1".into());
        let hashes = [
            template_hash(&template, None),
            template_hash(&template, Some(1)),
            template_hash(&template, Some(2)),
            template_hash(&other, None),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "{hashes:?}");
            assert!(hash.len() <= 10 && hash.bytes().all(|byte| ALPHABET.contains(&byte)), "{hash}");
        }
        assert_eq!(hashes[0], template_hash(&template, None));
    }

    #[test]
    fn revisions_rise_and_are_remembered() {
        let check = |old: Option<&str>, history: Option<&str>, revision, expected: &[(&str, &str)]| {
            let mut set = Annotations::new();
            set.extend(old.map(|old| (REVISION.to_owned(), old.to_owned())));
            set.extend(history.map(|history| (HISTORY.to_owned(), history.to_owned())));
            raise(&mut set, revision);
            let expected: Annotations =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(set, expected);
        };
        check(None, None, 1, &[(REVISION, "1")]);
        check(Some("1"), None, 3, &[(REVISION, "3"), (HISTORY, "1")]);
        check(Some("3"), Some("1"), 5, &[(REVISION, "5"), (HISTORY, "1,3")]);
        check(Some("5"), Some("1"), 5, &[(REVISION, "5"), (HISTORY, "1")]);
        check(Some("odd"), None, 5, &[(REVISION, "odd")]);
    }

    #[test]
    fn a_long_history_loses_its_oldest_entries() {
        let long = vec!["1234"; 400].join(",");
        let next = remember(&long, "9999").unwrap();
        assert!(next.len() <= HISTORY_CHARS && next.ends_with(",9999") && next.starts_with("1234,"));
    }
}
