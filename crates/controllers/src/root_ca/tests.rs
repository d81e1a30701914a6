use k8s_openapi::api::core::v1::ConfigMap;

use super::plan;
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let map: Option<ConfigMap> = case.get("map");
    case.compare("expect", &plan(&case.must("namespace"), map.as_ref(), "PEM"));
}

#[test]
fn root_ca_cases() {
    check_all("root_ca", check);
}
