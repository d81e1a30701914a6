use std::sync::Arc;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use serde::de::DeserializeOwned;

use super::{Replicated, Snapshot, plan, plan_status};
use crate::plan::tests::{Case, check_all};

fn check<K: Replicated + DeserializeOwned>(case: &Case) {
    let pods = |field: &str| case.get::<Vec<Pod>>(field).into_iter().map(Arc::new).collect();
    let set = Arc::new(case.must::<K>("set")).replicator().unwrap();
    let snapshot = Snapshot { set, pods: pods("pods"), related: pods("related") };
    case.compare("expect", &plan(&snapshot, case.now()));
    let failure: Option<String> = case.get("failure");
    let status = plan_status(&snapshot, failure.as_deref(), case.now());
    case.compare("status", &status);
    case.compare_again(&status);
}

#[test]
fn replicaset_cases() {
    check_all("replicaset", check::<ReplicaSet>);
}

#[test]
fn replication_controller_cases() {
    check_all("replication_controller", check::<ReplicationController>);
}
