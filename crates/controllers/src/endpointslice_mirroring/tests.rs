use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{Snapshot, plan};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let snapshot = Snapshot {
        endpoints: case.get::<Option<Endpoints>>("endpoints").map(Arc::new),
        service: case.get::<Option<Service>>("service").map(Arc::new),
        slices: case.get::<Vec<EndpointSlice>>("slices").into_iter().map(Arc::new).collect(),
    };
    case.compare("expect", &plan(&snapshot));
}

#[test]
fn endpointslice_mirroring_cases() {
    check_all("endpointslice_mirroring", check);
}
