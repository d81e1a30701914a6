use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::{Content, Remaining, plan};
use crate::plan::tests::{Case, check_all};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Left {
    resource: String,
    finalizers: Vec<Vec<String>>,
    failure: Option<String>,
}

fn remaining(left: Left) -> Remaining {
    let meta = |finalizers| ObjectMeta { finalizers: Some(finalizers), ..ObjectMeta::default() };
    let metas: Vec<ObjectMeta> = left.finalizers.into_iter().map(meta).collect();
    Remaining::new(left.resource, &metas.iter().collect::<Vec<_>>(), left.failure)
}

fn check(case: &Case) {
    let remaining = case.get::<Vec<Left>>("remaining").into_iter().map(remaining).collect();
    let content = Content { discovery_failure: case.get("discovery_failure"), remaining };
    let plan = plan(&case.must::<Namespace>("namespace"), &content, case.now());
    case.compare("expect", &plan);
    case.compare_again(&plan);
}

#[test]
fn namespace_cases() {
    check_all("namespace", check);
}
