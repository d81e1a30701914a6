use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;

use super::{Snapshot, plan, plan_collision, plan_refusal};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let sets = case.get::<Vec<ReplicaSet>>("sets").into_iter().map(Arc::new).collect();
    let pods = case.get::<Vec<Pod>>("pods").into_iter().map(Arc::new).collect();
    let deployment = Arc::new(case.must::<Deployment>("deployment"));
    let snapshot = Snapshot { deployment, sets, claims: Vec::new(), pods };
    let planned = match case.get::<Option<ReplicaSet>>("found") {
        Some(found) => plan_collision(&snapshot, &found),
        None => match case.get::<Option<String>>("refused") {
            Some(error) => plan_refusal(&snapshot, "web-x", &error, case.now()),
            None => plan(&snapshot, case.now()),
        },
    };
    case.compare("expect", &planned);
    case.compare_again(&planned);
}

#[test]
fn deployment_cases() {
    check_all("deployment", check);
}
