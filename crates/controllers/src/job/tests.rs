use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use super::{Snapshot, plan, plan_status};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let pods = case.get::<Vec<Pod>>("pods").into_iter().map(Arc::new).collect();
    let snapshot = Snapshot { job: Arc::new(case.must::<Job>("job")), pods, claims: Vec::new() };
    let first = plan(&snapshot, case.now());
    case.compare("expect", &first);
    let mut second = plan_status(&snapshot, true, case.now());
    case.compare("status", &second);
    second.again = [first.again, second.again].into_iter().flatten().min();
    case.compare_again(&second);
}

#[test]
fn job_cases() {
    check_all("job", check);
}
