use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{Snapshot, plan};
use crate::plan::tests::{Case, check_all};

/// `pods: N` besides a list makes N more ready pods; `fill` puts ready pods A to B into a slice.
fn check(case: &Case) {
    let mut pods: Vec<Pod> = case.get("pods");
    let mut slices: Vec<EndpointSlice> = case.get("slices");
    let many: Vec<(u32, u32)> = case.get("many");
    pods.extend(many.iter().flat_map(|(first, last)| *first..*last).map(numbered));
    for (slice, range) in slices.iter_mut().zip(case.get::<Vec<(u32, u32)>>("fill")) {
        let old = Snapshot {
            service: Arc::new(case.must("service")),
            pods: (range.0..range.1).map(|number| Arc::new(numbered(number))).collect(),
            nodes: Vec::new(),
            slices: Vec::new(),
        };
        slice.endpoints = Some(super::desired::groups(&old, crate::service::Family::V4).remove(0).endpoints);
    }
    let snapshot = Snapshot {
        service: Arc::new(case.must("service")),
        pods: pods.into_iter().map(Arc::new).collect(),
        nodes: case.get::<Vec<Node>>("nodes").into_iter().map(Arc::new).collect(),
        slices: slices.into_iter().map(Arc::new).collect(),
    };
    let planned = plan(&snapshot);
    let sizes: Option<Vec<(String, usize)>> = case.get("sizes");
    match sizes {
        Some(sizes) => assert_eq!(written(&planned), sizes, "{}", case.name),
        None => case.compare("expect", &planned),
    }
}

fn numbered(number: u32) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": { "name": format!("p{number:04}"), "namespace": "shop", "uid": format!("u{number}"), "labels": { "app": "web" } },
        "spec": { "containers": [] },
        "status": {
            "phase": "Running", "podIP": format!("10.42.{}.{}", number / 250, number % 250 + 1),
            "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-05-01T11:00:00Z" }]
        }
    }))
    .unwrap()
}

/// Each written slice with its number of endpoints.
fn written(plan: &crate::plan::Plan) -> Vec<(String, usize)> {
    use crate::plan::{Step, Write};
    let actions = plan.steps.iter().flat_map(Step::actions);
    let size = |body: &serde_json::Value| body["endpoints"].as_array().map_or(0, Vec::len);
    actions
        .map(|action| match &action.write {
            Write::Create(_, body) => ("new".to_owned(), size(body)),
            Write::Patch { target, body, .. } => (target.name.clone(), size(body)),
            Write::Delete { target, .. } => (format!("-{}", target.name), 0),
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

#[test]
fn endpointslice_cases() {
    check_all("endpointslice", check);
}
