//! Lines of what extends or guards the API.

use serde_json::Value;

use super::cell::{self, NONE, UNSET};
use super::{AGE, Head, NAME, Spec};
use crate::meta::{self, Time};
use crate::selector::LabelSelector;

pub(super) const SPECS: &[Spec] = &[
    webhooks("MutatingWebhookConfiguration"),
    webhooks("ValidatingWebhookConfiguration"),
    Spec {
        group: ADMISSION,
        kind: "ValidatingAdmissionPolicy",
        columns: &[NAME, Head::integer("Validations", "The number of its rules"), PARAM_KIND, AGE],
        cells: |o, now| policy(o, "spec.validations", now),
    },
    Spec {
        group: ADMISSION,
        kind: "MutatingAdmissionPolicy",
        columns: &[NAME, Head::integer("Mutations", "The number of its rules"), PARAM_KIND, AGE],
        cells: |o, now| policy(o, "spec.mutations", now),
    },
    policy_binding("ValidatingAdmissionPolicyBinding"),
    policy_binding("MutatingAdmissionPolicyBinding"),
    Spec {
        group: "apiregistration.k8s.io",
        kind: "APIService",
        columns: &[
            NAME,
            Head::text("Service", "Who serves it"),
            Head::text("Available", "Whether it answers"),
            AGE,
        ],
        cells: api_service,
    },
    Spec {
        group: "flowcontrol.apiserver.k8s.io",
        kind: "FlowSchema",
        columns: &[
            NAME,
            Head::text("PriorityLevel", "Where its requests queue"),
            Head::text("MatchingPrecedence", "Its place among the schemas"),
            Head::text("DistinguisherMethod", "What makes flows of its requests"),
            AGE,
            Head::text("MissingPL", "Whether its priority level is missing"),
        ],
        cells: flow_schema,
    },
    Spec {
        group: "flowcontrol.apiserver.k8s.io",
        kind: "PriorityLevelConfiguration",
        columns: &[
            NAME,
            Head::text("Type", "Whether it limits requests"),
            Head::text("NominalConcurrencyShares", "Its share of the requests under way"),
            Head::text("Queues", "The number of its queues"),
            Head::text("HandSize", "How many queues a flow is dealt"),
            Head::text("QueueLengthLimit", "How many requests a queue holds"),
            AGE,
        ],
        cells: priority_level,
    },
];

const ADMISSION: &str = "admissionregistration.k8s.io";
const PARAM_KIND: Head = Head::text("ParamKind", "The kind of its parameters");

const fn webhooks(kind: &'static str) -> Spec {
    const COLUMNS: &[Head] = &[NAME, Head::integer("Webhooks", "The number of its webhooks"), AGE];
    let cells = |o: &Value, now| vec![cell::name(o), cell::count(o, "webhooks").into(), cell::age(o, now)];
    Spec { group: ADMISSION, kind, columns: COLUMNS, cells }
}

const fn policy_binding(kind: &'static str) -> Spec {
    const COLUMNS: &[Head] = &[
        NAME,
        Head::text("PolicyName", "The policy it puts in force"),
        Head::text("ParamRef", "The parameters it gives"),
        AGE,
    ];
    let cells = |o: &Value, now| {
        vec![cell::name(o), cell::text(o, "spec.policyName"), parameters(o).into(), cell::age(o, now)]
    };
    Spec { group: ADMISSION, kind, columns: COLUMNS, cells }
}

fn policy(object: &Value, rules: &str, now: Time) -> Vec<Value> {
    let kind = meta::at(object, "spec.paramKind").map_or_else(
        || UNSET.to_owned(),
        |k| format!("{}/{}", meta::text(k, "apiVersion"), meta::text(k, "kind")),
    );
    vec![cell::name(object), cell::count(object, rules).into(), kind.into(), cell::age(object, now)]
}

/// What a binding's `paramRef` names; without a namespace it may be in any.
fn parameters(object: &Value) -> String {
    let Some(param) = meta::at(object, "spec.paramRef") else { return UNSET.to_owned() };
    match (meta::text(param, "name"), meta::text(param, "namespace"), param.get("selector")) {
        ("", _, None) => UNSET.to_owned(),
        ("", _, selector) => {
            LabelSelector::from_object(selector).map_or_else(|_| UNSET.to_owned(), |s| s.to_string())
        }
        (name, "", _) => format!("*/{name}"),
        (name, namespace, _) => format!("{namespace}/{name}"),
    }
}

fn api_service(object: &Value, now: Time) -> Vec<Value> {
    let service = meta::at(object, "spec.service").map_or_else(
        || "Local".to_owned(),
        |s| format!("{}/{}", meta::text(s, "namespace"), meta::text(s, "name")),
    );
    let available = cell::condition(object, "Available").map_or_else(
        || "Unknown".to_owned(),
        |c| match (meta::text(c, "status"), meta::text(c, "reason")) {
            ("True", _) => "True".to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        },
    );
    vec![cell::name(object), service.into(), available.into(), cell::age(object, now)]
}

fn flow_schema(object: &Value, now: Time) -> Vec<Value> {
    let dangling = cell::condition(object, "Dangling").map_or("?", |c| meta::text(c, "status"));
    vec![
        cell::name(object),
        cell::text(object, "spec.priorityLevelConfiguration.name"),
        cell::integer(object, "spec.matchingPrecedence"),
        cell::text_or(object, "spec.distinguisherMethod.type", NONE),
        cell::age(object, now),
        dangling.into(),
    ]
}

fn priority_level(object: &Value, now: Time) -> Vec<Value> {
    let limited = meta::at(object, "spec.limited").unwrap_or(&Value::Null);
    let queuing = meta::at(limited, "limitResponse.queuing").unwrap_or(&Value::Null);
    let number = |from: &Value, field: &str| from.get(field).cloned().unwrap_or_else(|| NONE.into());
    vec![
        cell::name(object),
        cell::text(object, "spec.type"),
        number(limited, "nominalConcurrencyShares"),
        number(queuing, "queues"),
        number(queuing, "handSize"),
        number(queuing, "queueLengthLimit"),
        cell::age(object, now),
    ]
}
