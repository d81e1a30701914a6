use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::*;
use crate::cases;
use crate::model::{FieldRef, GroupVersionKind};

mod encode;

/// Definitions newer than what the table was made from, without any number.
const UNNUMBERED: &[&str] = &[
    "core.v1.NodeAllocatableResourceClaimStatus",
    "core.v1.PodSchedulingGroup",
    "pkg.version.Info",
    "resource.v1.NodeAllocatableResourceMapping",
    "resource.v1alpha3.PoolStatus",
    "resource.v1alpha3.ResourcePoolStatusRequest",
    "resource.v1alpha3.ResourcePoolStatusRequestList",
    "resource.v1alpha3.ResourcePoolStatusRequestSpec",
    "resource.v1alpha3.ResourcePoolStatusRequestStatus",
    "resource.v1beta1.NodeAllocatableResourceMapping",
    "resource.v1beta2.NodeAllocatableResourceMapping",
];

/// Fields newer than what the table was made from; all are alpha or only in a status.
const NUMBERLESS: &[&str] = &[
    "certificates.v1beta1.PodCertificateRequestSpec.stubPKCS10Request",
    "core.v1.ImageVolumeStatus.imageRef",
    "core.v1.PodSpec.schedulingGroup",
    "core.v1.PodStatus.nodeAllocatableResourceClaimStatuses",
    "core.v1.ResourceHealth.message",
    "core.v1.VolumeMountStatus.volumeStatus",
    "core.v1.VolumeStatus.image",
    "meta.v1.ListMeta.shardInfo",
    "meta.v1.ShardInfo.selector",
    "resource.v1.Device.nodeAllocatableResourceMappings",
    "resource.v1.DeviceAttribute.bools",
    "resource.v1.DeviceAttribute.ints",
    "resource.v1.DeviceAttribute.strings",
    "resource.v1.DeviceAttribute.versions",
    "resource.v1beta1.BasicDevice.nodeAllocatableResourceMappings",
    "resource.v1beta1.DeviceAttribute.bools",
    "resource.v1beta1.DeviceAttribute.ints",
    "resource.v1beta1.DeviceAttribute.strings",
    "resource.v1beta1.DeviceAttribute.versions",
    "resource.v1beta2.Device.nodeAllocatableResourceMappings",
    "resource.v1beta2.DeviceAttribute.bools",
    "resource.v1beta2.DeviceAttribute.ints",
    "resource.v1beta2.DeviceAttribute.strings",
    "resource.v1beta2.DeviceAttribute.versions",
    "storage.v1.CSIDriverSpec.preventPodSchedulingIfMissing",
];

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The tree of a body, or the text of the error.
fn decoded(body: &[u8]) -> Value {
    decode(body, None).map_or_else(|error| json!(error.to_string()), |decoded| decoded.value)
}

fn version_of(kind: &GroupVersionKind) -> String {
    if kind.group.is_empty() { kind.version.to_string() } else { format!("{}/{}", kind.group, kind.version) }
}

fn kinds() -> Vec<(NodeRef<'static>, GroupVersionKind)> {
    let of = |node: NodeRef<'static>| node.kinds().iter().map(move |kind| (node, kind.clone()));
    builtin().definitions().flat_map(of).filter(|(node, _)| table::message_of(*node).is_some()).collect()
}

/// The body of a tree of the kind.
fn encoded(api_version: &str, kind: &str, tree: &Value) -> Vec<u8> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let node = builtin().kind(group, version, kind).unwrap_or_else(|| panic!("no {api_version} {kind}"));
    encode::body(api_version, kind, &encode::object(node, tree))
}

#[test]
fn recorded_bodies() {
    cases::run("protobuf", 30, |case| (decoded(&unhex(case["hex"].as_str().unwrap())), case["json"].clone()));
}

#[test]
fn every_field_has_a_number() {
    let mut missing = BTreeSet::new();
    for node in builtin().definitions().filter(|node| node.ty() == Type::Object) {
        let full = node.definition_name().unwrap();
        let name: Vec<&str> = full.rsplitn(4, '.').take(3).collect();
        let name = format!("{}.{}.{}", name[2], name[1], name[0]);
        let numbered = encode::names(table::message_of(node));
        if UNNUMBERED.contains(&name.as_str()) || name.starts_with("scheduling.v1alpha2.") {
            assert!(numbered.is_empty(), "{name} has numbers");
            continue;
        }
        let typed = node.field("apiVersion").is_some() && node.field("kind").is_some();
        let type_meta = |field: &&str| typed && ["apiVersion", "kind"].contains(field);
        let fields = node.fields().map(FieldRef::name).filter(|field| !numbered.contains(field));
        missing.extend(fields.filter(|field| !type_meta(field)).map(|field| format!("{name}.{field}")));
    }
    assert_eq!(missing.iter().map(String::as_str).collect::<Vec<_>>(), NUMBERLESS);
}

#[test]
fn every_kind_decodes_what_was_encoded() {
    let kinds = kinds();
    assert!(kinds.len() > 200, "only {} kinds", kinds.len());
    for (node, kind) in kinds {
        let mut tree = encode::sample(node, &mut Vec::new());
        let body = encode::body(&version_of(&kind), &kind.kind, &encode::object(node, &tree));
        tree["apiVersion"] = version_of(&kind).into();
        tree["kind"] = kind.kind.as_ref().into();
        assert_eq!(decoded(&body), tree, "{kind:?}");
    }
}

/// What is written although it is empty, and what of it the JSON has.
#[test]
fn empty_values() {
    let cases = [
        (
            ("apps/v1", "Deployment"),
            json!({"metadata": {"name": "", "generation": 0}, "spec": {"replicas": 0, "paused": false,
                "minReadySeconds": 0, "revisionHistoryLimit": 0, "strategy": {"type": ""}}, "status": {}}),
            json!({"metadata": {}, "spec": {"replicas": 0, "revisionHistoryLimit": 0, "strategy": {}}, "status": {}}),
        ),
        (
            ("v1", "Pod"),
            json!({"spec": {"hostNetwork": false, "enableServiceLinks": false, "nodeName": "",
                "terminationGracePeriodSeconds": 0, "containers": [{"name": "", "image": "", "tty": false,
                "securityContext": {"privileged": false, "runAsUser": 0},
                "ports": [{"containerPort": 0, "hostPort": 0}], "env": [{"name": "A", "value": ""}]}]}}),
            json!({"spec": {"enableServiceLinks": false, "terminationGracePeriodSeconds": 0, "containers":
                [{"name": "", "securityContext": {"privileged": false, "runAsUser": 0},
                "ports": [{"containerPort": 0}], "env": [{"name": "A"}]}]}}),
        ),
        (
            ("v1", "Secret"),
            json!({"data": {"a": ""}, "immutable": false, "type": ""}),
            json!({"data": {"a": ""}, "immutable": false}),
        ),
        (
            ("v1", "Service"),
            json!({"spec": {"ports": [{"port": 0, "nodePort": 0, "targetPort": 0, "name": ""}]}}),
            json!({"spec": {"ports": [{"port": 0, "targetPort": 0}]}}),
        ),
        (
            ("v1", "DeleteOptions"),
            json!({"gracePeriodSeconds": 0, "orphanDependents": false, "preconditions": {"uid": ""}}),
            json!({"gracePeriodSeconds": 0, "orphanDependents": false, "preconditions": {"uid": ""}}),
        ),
        (
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            json!({"spec": {"group": "", "preserveUnknownFields": false, "versions": [{"name": "v1", "served": false,
                "storage": false, "deprecated": false, "schema": {"openAPIV3Schema": {"minimum": 0, "title": "",
                "default": 0, "x-kubernetes-preserve-unknown-fields": false, "nullable": false}}}]}}),
            json!({"spec": {"group": "", "versions": [{"name": "v1", "served": false, "storage": false,
                "schema": {"openAPIV3Schema": {"minimum": 0, "default": 0,
                "x-kubernetes-preserve-unknown-fields": false}}}]}}),
        ),
    ];
    for ((api_version, kind), tree, mut expected) in cases {
        expected["apiVersion"] = api_version.into();
        expected["kind"] = kind.into();
        assert_eq!(decoded(&encoded(api_version, kind, &tree)), expected);
    }
}

#[test]
fn odd_bodies() {
    use encode::{body, bytes_field};
    let pod = |raw: &[u8]| decoded(&body("v1", "Pod", raw));
    let metadata = |bytes: &[u8]| pod(&bytes_field(1, bytes));
    let cases = [
        (decoded(b""), json!(DecodeError::Prefix.to_string())),
        (decoded(b"{}"), json!(DecodeError::Prefix.to_string())),
        (decoded(b"k8s\0"), json!("Object 'Kind' is missing")),
        (decoded(&body("v1", "", b"")), json!("Object 'Kind' is missing")),
        (
            decoded(&body("stable.example.com/v1", "CronTab", b"")),
            json!(r#"no kind "CronTab" is registered for version "stable.example.com/v1" in protobuf"#),
        ),
        (
            decoded(&[body("v1", "Pod", b""), bytes_field(3, b"gzip")].concat()),
            json!(r#"content encoding "gzip" is not supported in a protobuf body"#),
        ),
        // Any group's DeleteOptions are known.
        (
            decoded(&body("stable.example.com/v1", "DeleteOptions", &[8, 0])),
            json!({"apiVersion": "stable.example.com/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}),
        ),
        // Fields with unknown numbers are skipped.
        (pod(&[0xfa, 0x7f, 1, 7, 0xf8, 0x7f, 1]), json!({"apiVersion": "v1", "kind": "Pod"})),
        // A message is merged, a scalar replaced, also by an empty one.
        (
            pod(&[bytes_field(1, &[10, 1, 97, 26, 1, 98]), bytes_field(1, &[10, 0, 42, 1, 99])].concat()),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "b", "uid": "c"}}),
        ),
        // A time without bytes is Go's zero time.
        (metadata(&[66, 0]), json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})),
        // A map entry without a value has an empty one.
        (
            metadata(&[90, 3, 10, 1, 97]),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": ""}}}),
        ),
        (
            metadata(&[10, 2, 0xff, 97]),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "\u{fffd}a"}}),
        ),
        (metadata(&[8, 1]), json!("proto: wrong wireType for field name")),
        (metadata(&[10, 9, 97]), json!("proto: unexpected end of the message")),
        (
            metadata(&[66, 9, 8, 255, 255, 255, 255, 255, 255, 255, 127]),
            json!("proto: a time is out of range"),
        ),
    ];
    for (index, (got, expected)) in cases.into_iter().enumerate() {
        assert_eq!(got, expected, "case {index}");
    }
}

#[test]
fn packed_lists() {
    // spec.securityContext.supplementalGroups, once packed and once not.
    let raw = encode::bytes_field(2, &encode::bytes_field(14, &[34, 3, 1, 150, 1, 32, 7]));
    let tree = decoded(&encode::body("v1", "Pod", &raw));
    assert_eq!(tree["spec"]["securityContext"]["supplementalGroups"], json!([1, 150, 7]));
}

#[test]
fn an_expected_kind_stands_in() {
    let bytes = [MAGIC.to_vec(), encode::bytes_field(2, &encode::bytes_field(1, &[10, 1, 97]))].concat();
    let pod = builtin().kind("", "v1", "Pod");
    assert_eq!(decode(&bytes, pod).unwrap().value, json!({"metadata": {"name": "a"}}));
    assert_eq!(decode(&bytes, None), Err(DecodeError::MissingKind));
}

/// Two containers a level around the root object: `allOf` and the schema in it.
#[test]
fn depth_is_bounded() {
    let schema_of = |levels: usize| {
        let nested = (0..levels).fold(json!({}), |inner, _| json!({"allOf": [inner]}));
        json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": nested}}]}})
    };
    let body = |levels| encoded("apiextensions.k8s.io/v1", "CustomResourceDefinition", &schema_of(levels));
    // The root, spec, versions, the version, schema and openAPIV3Schema are six.
    assert!(decode(&body((DEPTH_MAX - 6) / 2), None).is_ok());
    assert_eq!(decode(&body((DEPTH_MAX - 6) / 2 + 1), None), Err(DecodeError::Depth));
}

#[test]
fn embedded_json_is_bounded_and_checked() {
    let body = |text: &str| {
        let raw = encode::bytes_field(2, &encode::bytes_field(1, text.as_bytes()));
        encode::body("apps/v1", "ControllerRevision", &raw)
    };
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(decode(&body(&nested(DEPTH_MAX - 1)), None).is_ok());
    assert_eq!(decode(&body(&nested(DEPTH_MAX)), None), Err(DecodeError::Depth));
    assert!(matches!(decode(&body("{"), None), Err(DecodeError::Json(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(kind in select(kinds()), raw in any::<Vec<u8>>()) {
        let (_, kind) = kind;
        let _ = decode(&encode::body(&version_of(&kind), &kind.kind, &raw), None);
        let _ = decode(&[MAGIC.to_vec(), raw].concat(), None);
    }

    #[test]
    fn damaged_bodies_are_answered(
        kind in select(kinds()),
        at in any::<Index>(),
        damage in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let (node, kind) = kind;
        let tree = encode::sample(node, &mut Vec::new());
        let mut body = encode::body(&version_of(&kind), &kind.kind, &encode::object(node, &tree));
        let at = at.index(body.len());
        if cut {
            body.truncate(at);
        } else {
            body[at] = damage;
        }
        if let Ok(decoded) = decode(&body, None) {
            let text = decoded.value.to_string();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(decoded.value));
        }
    }
}
