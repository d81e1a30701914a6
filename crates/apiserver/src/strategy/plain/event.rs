//! Events, of the core group and of `events.k8s.io`.
//!
//! Both are one kind to Kubernetes: what the new group calls `note`, `regarding` and `deprecated…` are the core
//! group's `message`, `involvedObject` and so on.

use api::meta::name;

use crate::strategy::Strategy;
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::same;

pub(super) const CORE: Strategy = Strategy {
    kind: "Event",
    validate: |event, faults| check_basics(event, &CORE_NAMES, faults),
    validate_update: |new, _, faults| check_basics(new, &CORE_NAMES, faults),
    ..Strategy::DEFAULT
};

pub(super) const EVENTS: Strategy = Strategy {
    group: "events.k8s.io",
    kind: "Event",
    validate: |event, faults| {
        check_basics(event, &EVENT_NAMES, faults);
        Meta::NAMESPACED.check(event, faults);
        check_series(event, faults);
        check_strict(event, faults);
    },
    validate_update: |new, old, faults| {
        check_basics(new, &EVENT_NAMES, faults);
        metadata::check_update(new, old, faults);
        if !same(new.at("series").value(), old.at("series").value()) {
            check_series(new, faults);
        }
        for (field, shown) in FROZEN {
            let at = new.at(field);
            let shown = new.at(shown);
            faults.immutable(&at.moved_to(&shown), &old.at(field));
        }
    },
    ..Strategy::DEFAULT
};

/// What a group calls the fields both have.
struct Names {
    object: &'static str,
    message: &'static str,
    controller: &'static str,
}

const CORE_NAMES: Names =
    Names { object: "involvedObject", message: "message", controller: "reportingComponent" };
const EVENT_NAMES: Names = Names { object: "regarding", message: "note", controller: "reportingController" };

/// The fields that never change, with the names by which faults call them.
const FROZEN: [(&str, &str); 14] = [
    ("regarding", "involvedObject"),
    ("reason", "reason"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

fn check_basics(event: &Field<'_>, names: &Names, faults: &mut Faults) {
    let (namespace, object) = (event.text_at("metadata.namespace"), event.at(names.object));
    let about = object.text_at("namespace");
    let shown = event.at("involvedObject.namespace");
    let dated = event.has("eventTime");
    let agrees = match about {
        "" if dated => matches!(namespace, "default" | "kube-system"),
        "" => matches!(namespace, "" | "default"),
        about => dated || namespace == about,
    };
    if !agrees {
        faults.invalid(&shown, about, "does not match event.namespace");
    }
    if dated {
        check_dated(event, names, faults);
    }
    faults.each(&event.at("namespace"), namespace, name::dns1123_subdomain(namespace));
}

fn check_dated(event: &Field<'_>, names: &Names, faults: &mut Faults) {
    let controller = event.at("reportingController");
    let text = event.text_at(names.controller);
    if text.is_empty() {
        faults.required(&controller, "");
    }
    faults.each(&controller, text, name::qualified_name(text));
    for field in ["reportingInstance", "action", "reason"] {
        let at = event.at(field);
        if at.text().is_empty() {
            faults.required(&at, "");
        }
        if at.text().len() > 128 {
            faults.invalid(&at, "", "can have at most 128 characters");
        }
    }
    if event.text_at(names.message).len() > 1024 {
        faults.invalid(&event.at("message"), "", "can have at most 1024 characters");
    }
}

fn check_series(event: &Field<'_>, faults: &mut Faults) {
    let series = event.at("series");
    if !series.is_set() {
        return;
    }
    if series.number_at("count") < 2 {
        faults.invalid(&series.at("count"), "", "should be at least 2");
    }
    if !series.has("lastObservedTime") {
        faults.required(&series.at("lastObservedTime"), "");
    }
}

fn check_strict(event: &Field<'_>, faults: &mut Faults) {
    if !event.has("eventTime") {
        faults.required(&event.at("eventTime"), "");
    }
    let kind = event.at("type");
    if !matches!(kind.text(), "Normal" | "Warning") {
        faults.invalid(&kind, "", format!("has invalid value: {}", kind.text()));
    }
    for (field, shown) in [
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
        ("deprecatedSource", "source"),
    ] {
        let at = event.at(field);
        let is_zero = at.is_empty() || at.number() == Some(0);
        if !is_zero {
            faults.invalid(&event.at(shown), "", "needs to be unset");
        }
    }
}
