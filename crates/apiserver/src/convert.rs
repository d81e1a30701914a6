//! Built-in kinds that are served in more versions than they are stored in.
//!
//! Core events are stored as `v1`, also when written as `events.k8s.io/v1`; autoscalers as
//! `autoscaling/v2`. All other kinds differ in `apiVersion` only.

use api::gvk::GroupVersionKind;
use api::kinds::Resource;
use api::meta;
use serde_json::{Map, Value, json};

/// The group, version and kind in which objects of a resource are stored.
pub fn storage_kind(resource: &Resource) -> GroupVersionKind {
    let group = match resource.storage.0.split('/').next() {
        Some("core") | None => "",
        Some(group) => group,
    };
    if group == resource.group {
        return resource.gvk(resource.storage_version());
    }
    GroupVersionKind::new(group.to_owned(), "v1", resource.kind.clone())
}

/// An object in another version of its kind.
pub fn convert(mut object: Value, to: &GroupVersionKind) -> Value {
    let wanted = to.group_version().to_string();
    let from = meta::api_version(&object).to_owned();
    if from == wanted {
        return object;
    }
    match (from.as_str(), wanted.as_str()) {
        ("v1", "events.k8s.io/v1") => rename(&mut object, EVENT_FIELDS, false),
        ("events.k8s.io/v1", "v1") => rename(&mut object, EVENT_FIELDS, true),
        ("autoscaling/v2", "autoscaling/v1") => autoscaler_to_v1(&mut object),
        ("autoscaling/v1", "autoscaling/v2") => autoscaler_to_v2(&mut object),
        _ => {}
    }
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), wanted.into());
    }
    object
}

/// Fields of an event: the name in core/v1, the name in events.k8s.io/v1.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Value, fields: &[(&str, &str)], back: bool) {
    let Some(map) = object.as_object_mut() else { return };
    for (core, new) in fields {
        let (from, to) = if back { (new, core) } else { (core, new) };
        if let Some(value) = map.remove(*from) {
            map.insert((*to).into(), value);
        }
    }
}

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// v1 knows one metric, CPU utilization; all else travels in annotations, as Kubernetes does it.
fn autoscaler_to_v1(object: &mut Value) {
    let mut spare = Map::new();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = spec.remove("metrics");
        let (cpu, rest) = split_cpu(metrics, "/resource/target/averageUtilization");
        if let Some(cpu) = cpu {
            spec.insert("targetCPUUtilizationPercentage".into(), cpu);
        }
        put(&mut spare, METRICS, rest);
        put(&mut spare, BEHAVIOR, spec.remove("behavior"));
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let metrics = status.remove("currentMetrics");
        let (cpu, rest) = split_cpu(metrics, "/resource/current/averageUtilization");
        if let Some(cpu) = cpu {
            status.insert("currentCPUUtilizationPercentage".into(), cpu);
        }
        put(&mut spare, CURRENT_METRICS, rest);
        put(&mut spare, CONDITIONS, status.remove("conditions"));
    }
    for (key, value) in spare {
        meta::set_annotation(object, &key, value.as_str().unwrap_or_default());
    }
}

fn put(spare: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        spare.insert(key.into(), value.to_string().into());
    }
}

/// The CPU utilization in a list of metrics, and the other metrics if there are any.
fn split_cpu(metrics: Option<Value>, pointer: &str) -> (Option<Value>, Option<Value>) {
    let Some(Value::Array(metrics)) = metrics else { return (None, None) };
    let is_cpu = |metric: &Value| {
        metric["type"] == "Resource"
            && metric["resource"]["name"] == "cpu"
            && metric.pointer(pointer).is_some()
    };
    let (cpu, rest): (Vec<Value>, Vec<Value>) = metrics.into_iter().partition(is_cpu);
    let cpu = cpu.first().and_then(|metric| metric.pointer(pointer)).cloned();
    (cpu, (!rest.is_empty()).then_some(Value::Array(rest)))
}

fn autoscaler_to_v2(object: &mut Value) {
    let metrics = take_annotation(object, METRICS);
    let behavior = take_annotation(object, BEHAVIOR);
    let current = take_annotation(object, CURRENT_METRICS);
    let conditions = take_annotation(object, CONDITIONS);
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let cpu = spec.remove("targetCPUUtilizationPercentage").map(|percent| {
            let target = json!({"type": "Utilization", "averageUtilization": percent});
            json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
        });
        insert_metrics(spec, "metrics", cpu, metrics);
        insert(spec, "behavior", behavior);
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let cpu = status.remove("currentCPUUtilizationPercentage").map(|percent| {
            let current = json!({"averageUtilization": percent, "averageValue": "0"});
            json!({"type": "Resource", "resource": {"name": "cpu", "current": current}})
        });
        insert_metrics(status, "currentMetrics", cpu, current);
        insert(status, "conditions", conditions);
    }
}

fn take_annotation(object: &mut Value, key: &str) -> Option<Value> {
    let annotations = object.pointer_mut("/metadata/annotations")?.as_object_mut()?;
    serde_json::from_str(annotations.remove(key)?.as_str()?).ok()
}

fn insert(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.into(), value);
    }
}

fn insert_metrics(map: &mut Map<String, Value>, key: &str, cpu: Option<Value>, rest: Option<Value>) {
    let rest = rest.and_then(|rest| rest.as_array().cloned()).unwrap_or_default();
    let all: Vec<Value> = rest.into_iter().chain(cpu).collect();
    insert(map, key, (!all.is_empty()).then_some(Value::Array(all)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Converts there and back again; the middle must look as expected, the end like the start.
    fn check(object: &Value, to: &str, expected: &Value) {
        let kind = meta::kind(object).to_owned();
        let target = GroupVersionKind::parse(to, &kind).unwrap();
        let source = GroupVersionKind::parse(meta::api_version(object), &kind).unwrap();
        let converted = convert(object.clone(), &target);
        assert_eq!(&converted, expected);
        assert_eq!(&convert(converted, &source), object);
    }

    #[test]
    fn events_rename_their_fields() {
        check(
            &json!({"apiVersion": "v1", "kind": "Event", "message": "m", "reason": "r",
                    "involvedObject": {"name": "p"}, "reportingComponent": "kubelet", "count": 3}),
            "events.k8s.io/v1",
            &json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "m", "reason": "r",
                    "regarding": {"name": "p"}, "reportingController": "kubelet", "deprecatedCount": 3}),
        );
    }

    #[test]
    fn autoscalers_keep_what_v1_cannot_say() {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 50}}});
        let pods = json!({"type": "Pods"});
        check(
            &json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                    "metadata": {"annotations": {"a": "b"}}, "spec": {"metrics": [pods, cpu], "maxReplicas": 3}}),
            "autoscaling/v1",
            &json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
                    "metadata": {"annotations": {"a": "b", METRICS: "[{\"type\":\"Pods\"}]"}},
                    "spec": {"targetCPUUtilizationPercentage": 50, "maxReplicas": 3}}),
        );
    }
}
