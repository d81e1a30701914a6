//! FlowSchemas and PriorityLevelConfigurations: fairness between clients.

use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, fill_zero, inner};
use crate::strategy::{Generation, Strategy, drop_status, keep_status};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";

pub(super) const SCHEMA: Strategy = Strategy {
    group: GROUP,
    kind: "FlowSchema",
    generation: Generation::OfSpec,
    default: |schema| {
        if let Some(spec) = fields_at(schema, "spec") {
            fill_zero(spec, "matchingPrecedence", 1000);
        }
    },
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: check_schema,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_schema_spec(new, faults);
    },
    ..Strategy::DEFAULT
};

fn check_schema(schema: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(schema, faults);
    check_schema_spec(schema, faults);
}

fn check_schema_spec(schema: &Field<'_>, faults: &mut Faults) {
    const LAST: i64 = 10_000;
    let spec = schema.at("spec");
    let precedence = spec.at("matchingPrecedence");
    let number = precedence.number().unwrap_or(0);
    if number <= 0 {
        faults.invalid(&precedence, number, "must be a positive value");
    }
    if number > LAST {
        faults.invalid(&precedence, number, format!("must not be greater than {LAST}"));
    }
    if number == 1 && schema.text_at("metadata.name") != "exempt" {
        faults.invalid(&precedence, number, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
    let method = spec.at("distinguisherMethod");
    if method.is_set() && !matches!(method.text_at("type"), "ByNamespace" | "ByUser") {
        faults.unsupported_value(&method, method.value().clone(), &["ByNamespace", "ByUser"]);
    }
    let level = spec.at("priorityLevelConfiguration");
    let name = level.at("name");
    if name.text().is_empty() {
        faults.required(&name, "must reference a priority level");
    } else {
        faults.each(&name, name.text(), api::meta::name::dns1123_subdomain(name.text()));
    }
    for rule in spec.at("rules").items() {
        let subjects = rule.at("subjects");
        if subjects.is_empty() {
            faults.required(&subjects, "subjects must contain at least one value");
        }
        if rule.at("resourceRules").is_empty() && rule.at("nonResourceRules").is_empty() {
            faults.required(&rule, "at least one of resourceRules and nonResourceRules has to be non-empty");
        }
    }
}

pub(super) const LEVEL: Strategy = Strategy {
    group: GROUP,
    kind: "PriorityLevelConfiguration",
    generation: Generation::OfSpec,
    default: default_level,
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: |level, faults| {
        Meta::CLUSTER.check(level, faults);
        check_level(&level.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_level(&new.at("spec"), faults);
    },
    ..Strategy::DEFAULT
};

fn default_level(level: &mut Value) {
    let Some(spec) = fields_at(level, "spec") else { return };
    if let Some(exempt) = inner(spec, "exempt") {
        fill(exempt, "nominalConcurrencyShares", 0);
        fill(exempt, "lendablePercent", 0);
    }
    let Some(limited) = inner(spec, "limited") else { return };
    fill(limited, "nominalConcurrencyShares", 30);
    fill(limited, "lendablePercent", 0);
    if let Some(queuing) = inner(limited, "limitResponse").and_then(|response| inner(response, "queuing")) {
        fill_zero(queuing, "handSize", 8);
        fill_zero(queuing, "queues", 64);
        fill_zero(queuing, "queueLengthLimit", 50);
    }
}

fn check_level(spec: &Field<'_>, faults: &mut Faults) {
    let (limited, exempt) = (spec.at("limited"), spec.at("exempt"));
    match spec.text_at("type") {
        "Exempt" => {
            if limited.is_set() {
                faults.forbidden(&limited, "must be nil if the type is not Limited");
            }
            check_shares(&exempt, faults);
        }
        "Limited" => {
            if exempt.is_set() {
                faults.forbidden(&exempt, "must be nil if the type is Limited");
            }
            if limited.is_set() {
                check_shares(&limited, faults);
                check_response(&limited.at("limitResponse"), faults);
            } else {
                faults.required(&limited, "must not be empty when type is Limited");
            }
        }
        _ => faults.unsupported(&spec.at("type"), &["Exempt", "Limited"]),
    }
}

fn check_shares(level: &Field<'_>, faults: &mut Faults) {
    let (shares, lendable, borrowing) = (
        level.at("nominalConcurrencyShares"),
        level.at("lendablePercent"),
        level.at("borrowingLimitPercent"),
    );
    if shares.number().is_some_and(|shares| shares < 0) {
        faults.wrong(&shares, "must be a non-negative integer");
    }
    if lendable.number().is_some_and(|percent| !(0..=100).contains(&percent)) {
        faults.wrong(&lendable, "must be between 0 and 100, inclusive");
    }
    if borrowing.number().is_some_and(|percent| percent < 0) {
        faults.wrong(&borrowing, "if specified, must be a non-negative integer");
    }
}

fn check_response(response: &Field<'_>, faults: &mut Faults) {
    let (kind, queuing) = (response.at("type"), response.at("queuing"));
    match kind.text() {
        "Reject" if queuing.is_set() => {
            faults.forbidden(&queuing, "must be nil if limited.limitResponse.type is not Limited");
        }
        "Reject" => {}
        "Queue" if queuing.is_set() => check_queuing(&queuing, faults),
        "Queue" => faults.required(&queuing, "must not be empty if limited.limitResponse.type is Limited"),
        "" => faults.required(&kind, "limit response type must not be empty"),
        _ => faults.unsupported(&kind, &["Queue", "Reject"]),
    }
}

fn check_queuing(queuing: &Field<'_>, faults: &mut Faults) {
    const MOST: i64 = 10_000_000;
    let (length, queues, hand) =
        (queuing.at("queueLengthLimit"), queuing.at("queues"), queuing.at("handSize"));
    for field in [&length, &queues] {
        if field.number().unwrap_or(0) <= 0 {
            faults.invalid(field, field.number().unwrap_or(0), "must be positive");
        }
    }
    let count = queues.number().unwrap_or(0);
    if count > MOST {
        faults.wrong(&queues, format!("must not be greater than {MOST}"));
    }
    let size = hand.number().unwrap_or(0);
    if size <= 0 {
        faults.invalid(&hand, size, "must be positive");
    } else if count > 0 && size > count {
        faults.invalid(&hand, size, format!("should not be greater than queues ({count})"));
    }
}
