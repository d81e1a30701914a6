use k8s_openapi::api::core::v1::ServiceAccount;

use super::plan;
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let account: Option<ServiceAccount> = case.get("account");
    case.compare("expect", &plan(&case.must("namespace"), account.as_ref()));
}

#[test]
fn serviceaccount_cases() {
    check_all("serviceaccount", check);
}
