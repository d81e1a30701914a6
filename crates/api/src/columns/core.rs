//! Lines of core's data: namespaces, configuration, quotas, events, and of leases.

use serde_json::Value;

use super::cell::{self, UNKNOWN};
use super::{AGE, Head, NAME, Spec, items};
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        group: "",
        kind: "Namespace",
        columns: &[NAME, Head::text("Status", "Whether it is active or going"), AGE],
        cells: |o, now| vec![cell::name(o), cell::text(o, "status.phase"), cell::age(o, now)],
    },
    Spec {
        group: "",
        kind: "ConfigMap",
        columns: &[NAME, Head::text("Data", "The number of its entries"), AGE],
        cells: |o, now| {
            let entries = cell::count(o, "data") + cell::count(o, "binaryData");
            vec![cell::name(o), entries.into(), cell::age(o, now)]
        },
    },
    Spec {
        group: "",
        kind: "Secret",
        columns: &[
            NAME,
            Head::text("Type", "What it is for"),
            Head::text("Data", "The number of its entries"),
            AGE,
        ],
        cells: |o, now| {
            vec![cell::name(o), cell::text(o, "type"), cell::count(o, "data").into(), cell::age(o, now)]
        },
    },
    Spec {
        group: "",
        kind: "ServiceAccount",
        columns: &[NAME, Head::text("Secrets", "The number of its secrets"), AGE],
        cells: |o, now| vec![cell::name(o), cell::count(o, "secrets").into(), cell::age(o, now)],
    },
    Spec {
        group: "",
        kind: "ResourceQuota",
        columns: &[
            NAME,
            Head::text("Request", "Used and allowed amounts, but for limits"),
            Head::text("Limit", "Used and allowed amounts of limits"),
            AGE,
        ],
        cells: quota,
    },
    Spec {
        group: "",
        kind: "ComponentStatus",
        columns: &[
            NAME,
            Head::text("Status", "Whether it is healthy"),
            Head::text("Message", "What it says"),
            Head::text("Error", "What is wrong with it"),
        ],
        cells: component,
    },
    Spec { group: "", kind: "Event", columns: EVENT, cells: event },
    Spec { group: "events.k8s.io", kind: "Event", columns: EVENT, cells: event },
    Spec {
        group: "coordination.k8s.io",
        kind: "Lease",
        columns: &[NAME, Head::text("Holder", "Who holds it"), AGE],
        cells: |o, now| vec![cell::name(o), cell::text(o, "spec.holderIdentity"), cell::age(o, now)],
    },
];

const EVENT: &[Head] = &[
    Head::text("Last Seen", "The time since it last happened"),
    Head::text("Type", "Normal or Warning"),
    Head::text("Reason", "Why, in a word"),
    Head::text("Object", "What it is about"),
    Head::text("Subobject", "Which part of the object it is about").wide(),
    Head::text("Source", "Who reports it").wide(),
    Head::text("Message", "What happened"),
    Head::text("First Seen", "The time since it first happened").wide(),
    Head::text("Count", "How often it happened").wide(),
    NAME.wide(),
];

fn quota(object: &Value, now: Time) -> Vec<Value> {
    let hard = meta::at(object, "status.hard").and_then(Value::as_object);
    let line = |(name, hard): (&String, &Value)| {
        let used = object.get("status").and_then(|s| s.get("used")).and_then(|u| u.get(name));
        let (used, hard) = (cell::quantity(used), cell::quantity(Some(hard)));
        (name.starts_with("limits."), format!("{name}: {used}/{hard}"))
    };
    let lines: Vec<(bool, String)> = hard.into_iter().flatten().map(line).collect();
    let column = |limits: bool| {
        let texts = lines.iter().filter(|(l, _)| *l == limits).map(|(_, text)| text.as_str());
        texts.collect::<Vec<_>>().join(", ").into()
    };
    vec![cell::name(object), column(false), column(true), cell::age(object, now)]
}

fn component(object: &Value, _now: Time) -> Vec<Value> {
    let healthy = items(object, "conditions").iter().find(|c| meta::text(c, "type") == "Healthy");
    let status = match healthy.map(|c| meta::text(c, "status")) {
        None => "Unknown",
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
    };
    let condition = healthy.unwrap_or(&Value::Null);
    vec![cell::name(object), status.into(), cell::text(condition, "message"), cell::text(condition, "error")]
}

/// The first of two fields that is set: core's name for it, then that of `events.k8s.io`.
fn either<'a>(event: &'a Value, core: &str, new: &str) -> &'a str {
    match meta::text(event, core) {
        "" => meta::text(event, new),
        text => text,
    }
}

fn event(object: &Value, now: Time) -> Vec<Value> {
    let first = first_of(object, &["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"], now);
    let series = meta::at(object, "series").is_some();
    let last = match series {
        true => cell::since(object, "series.lastObservedTime", now),
        false => match first_of(object, &["lastTimestamp", "deprecatedLastTimestamp"], now).as_str() {
            UNKNOWN => first.clone(),
            last => last.to_owned(),
        },
    };
    let count = match series {
        true => cell::int(object, "series.count"),
        false => cell::int(object, "count").max(cell::int(object, "deprecatedCount")).max(1),
    };
    vec![
        last.into(),
        cell::text(object, "type"),
        cell::text(object, "reason"),
        subject(object).into(),
        either(object, "involvedObject.fieldPath", "regarding.fieldPath").into(),
        source(object).into(),
        either(object, "message", "note").trim().into(),
        first.into(),
        count.into(),
        cell::name(object),
    ]
}

fn first_of(object: &Value, paths: &[&str], now: Time) -> String {
    let set = paths.iter().find(|p| !meta::text(object, p).is_empty());
    set.map_or_else(|| UNKNOWN.to_owned(), |path| cell::since(object, path, now))
}

fn subject(object: &Value) -> String {
    let kind = either(object, "involvedObject.kind", "regarding.kind").to_lowercase();
    match either(object, "involvedObject.name", "regarding.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(object: &Value) -> String {
    let part = |paths: [&str; 3]| paths.into_iter().map(|p| meta::text(object, p)).find(|t| !t.is_empty());
    let reporter = match either(object, "reportingComponent", "reportingController") {
        "" => None,
        reporter => Some(reporter),
    };
    let component = part(["source.component", "deprecatedSource.component", ""]).or(reporter).unwrap_or("");
    match part(["source.host", "deprecatedSource.host", "reportingInstance"]) {
        Some(host) => format!("{component}, {host}"),
        None => component.to_owned(),
    }
}
