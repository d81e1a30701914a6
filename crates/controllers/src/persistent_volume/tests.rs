use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Consumer, Snapshot, local_path, plan_claim, plan_volume, quantity};
use crate::plan::tests::{Case, check_all};

fn arcs<T>(items: Vec<T>) -> Vec<Arc<T>> {
    items.into_iter().map(Arc::new).collect()
}

/// A case is about a volume, or about a claim, or about classes at the start.
fn check(case: &Case) {
    let classes: Vec<Arc<StorageClass>> = arcs(case.get("classes"));
    let plan = if let Some(volume) = case.get::<Option<PersistentVolume>>("volume") {
        let claim: Option<PersistentVolumeClaim> = case.get("claim");
        plan_volume(&volume, claim.as_ref(), case.get("homeless"))
    } else if let Some(claim) = case.get::<Option<PersistentVolumeClaim>>("claim") {
        plan_claim(&snapshot(case, claim, &classes), "/data/volumes/")
    } else {
        local_path::plan_class(&classes)
    };
    case.compare("expect", &plan);
}

fn snapshot(case: &Case, claim: PersistentVolumeClaim, classes: &[Arc<StorageClass>]) -> Snapshot {
    let node: Option<Node> = case.get("node");
    let pod: Option<String> = case.get("pod");
    let consumer = match (node, pod) {
        (Some(node), _) => Consumer::On(Arc::new(node)),
        (None, Some(pod)) => Consumer::Waiting(pod),
        (None, None) => Consumer::None,
    };
    let name = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    Snapshot {
        used: matches!(consumer, Consumer::On(_)),
        class: classes.iter().find(|class| class.metadata.name == name && name.is_some()).cloned(),
        default: local_path::default_class(classes),
        volumes: arcs(case.get("volumes")),
        claim: Arc::new(claim),
        consumer,
    }
}

#[test]
fn persistent_volume_cases() {
    check_all("persistent_volume", check);
}

#[test]
fn quantities_are_bytes_rounded_up() {
    let check = |text: &str, bytes: Option<u128>| {
        assert_eq!(quantity::bytes(&Quantity(text.into())), bytes, "{text}");
    };
    check("1Gi", Some(1 << 30));
    check("1.5Gi", Some(3 << 29));
    check("10G", Some(10_000_000_000));
    check("5e3", Some(5000));
    check("1E", Some(1_000_000_000_000_000_000));
    check("1500m", Some(2));
    check("0.1", Some(1));
    check("+7", Some(7));
    check("many", None);
    check("", None);
    check("1Xi", None);
}
