use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};

use super::{Snapshot, plan, subsets};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let snapshot = Snapshot {
        service: case.get::<Option<Service>>("service").map(Arc::new),
        pods: case.get::<Vec<Pod>>("pods").into_iter().map(Arc::new).collect(),
        endpoints: case.get::<Option<Endpoints>>("endpoints").map(Arc::new),
    };
    case.compare("expect", &plan(&snapshot));
}

#[test]
fn endpoints_cases() {
    check_all("endpoints", check);
}

/// Subsets as (ready, not ready) counts.
#[test]
fn capacity_is_shared_in_proportion_and_goes_to_the_ready_first() {
    let check = |before: &[(usize, usize)], after: &[(usize, usize)], truncated: bool| {
        let list = |count: usize| (count > 0).then(|| vec![Default::default(); count]);
        let mut subsets: Vec<_> = before
            .iter()
            .map(|(ready, waiting)| k8s_openapi::api::core::v1::EndpointSubset {
                addresses: list(*ready),
                not_ready_addresses: list(*waiting),
                ports: None,
            })
            .collect();
        assert_eq!(subsets::truncate(&mut subsets), truncated, "{before:?}");
        let count = |list: &Option<Vec<_>>| list.as_ref().map_or(0, Vec::len);
        let counts: Vec<_> =
            subsets.iter().map(|s| (count(&s.addresses), count(&s.not_ready_addresses))).collect();
        assert_eq!(counts, after, "{before:?}");
    };
    check(&[(1000, 0)], &[(1000, 0)], false);
    check(&[(1001, 0)], &[(1000, 0)], true);
    check(&[(900, 200)], &[(900, 100)], true);
    check(&[(1200, 200)], &[(1000, 0)], true);
    check(&[(600, 300), (600, 0)], &[(500, 0), (500, 0)], true);
    check(&[(400, 400), (400, 400)], &[(400, 100), (400, 100)], true);
    check(&[(667, 0), (667, 0), (667, 0)], &[(334, 0), (333, 0), (333, 0)], true);
}
