use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use proptest::prelude::*;

use super::{Allocator, ClusterRange, Range, RangeError, plan};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let ranges: Vec<(String, u8)> = case.must("ranges");
    let ranges: Vec<ClusterRange> =
        ranges.iter().map(|(range, prefix)| ClusterRange::parse(range, *prefix).unwrap()).collect();
    let reserved: Vec<Range> =
        case.get::<Vec<String>>("reserved").iter().map(|range| range.parse().unwrap()).collect();
    let nodes = case.get::<Vec<Node>>("nodes").into_iter().map(Arc::new).collect();
    case.compare("expect", &plan(&ranges, &reserved, nodes));
}

#[test]
fn node_ipam_cases() {
    check_all("node_ipam", check);
}

#[test]
fn ranges_are_read_and_shown() {
    let check = |text: &str, shown: Option<&str>| {
        let range = text.parse::<Range>().map(|range| range.to_string());
        assert_eq!(range.ok().as_deref(), shown, "{text}");
    };
    check("10.42.0.0/16", Some("10.42.0.0/16"));
    check("10.42.7.9/16", Some("10.42.0.0/16"));
    check("0.0.0.0/0", Some("0.0.0.0/0"));
    check("fd00:42::/56", Some("fd00:42::/56"));
    check("::/0", Some("::/0"));
    check("10.42.0.0/33", None);
    check("10.42.0.0", None);
    check("pods/16", None);
    assert_eq!(ClusterRange::standard(), ClusterRange::parse("10.42.0.0/16", 24).unwrap());
    let error = ClusterRange::parse("10.42.0.0/16", 8).unwrap_err();
    assert!(matches!(error, RangeError::NodePrefix { node_prefix: 8, .. }));
    assert!(ClusterRange::parse("10.42.0.0/16", 33).is_err());
}

/// All parts that an allocator gives, as their first and last addresses.
fn all(whole: &str, prefix: u8, taken: &[Range]) -> Vec<String> {
    let mut allocator = Allocator::new(ClusterRange::parse(whole, prefix).unwrap(), taken);
    let mut parts = Vec::new();
    while let Some(part) = allocator.peek() {
        parts.push(part.to_string());
        allocator.take();
    }
    parts
}

#[test]
fn the_ends_of_the_address_space_are_given_once() {
    assert_eq!(all("255.255.255.252/30", 31, &[]), ["255.255.255.252/31", "255.255.255.254/31"]);
    assert_eq!(all("0.0.0.0/0", 1, &[]), ["0.0.0.0/1", "128.0.0.0/1"]);
    assert_eq!(all("::/0", 1, &[]), ["::/1", "8000::/1"]);
    assert_eq!(all("::/0", 0, &[]), ["::/0"]);
}

proptest! {
    /// The allocator gives exactly the /24s of 10.0.0.0/18 that touch nothing taken.
    #[test]
    fn free_parts_are_those_that_touch_nothing(taken in prop::collection::vec((0u8..80, 0u8..=255, 17u8..=32), 0..12)) {
        let taken: Vec<Range> = taken.iter().map(|(c, d, prefix)| Range::new([10, 0, *c, *d], *prefix)).collect();
        let touches = |part: u8| taken.iter().any(|range| {
            let text = range.to_string();
            let (address, prefix) = text.split_once('/').unwrap();
            let first = u32::from(address.parse::<std::net::Ipv4Addr>().unwrap());
            let last = first | (u32::MAX.checked_shr(prefix.parse().unwrap()).unwrap_or(0));
            let (start, end) = (0x0a00_0000 + (u32::from(part) << 8), 0x0a00_00ff + (u32::from(part) << 8));
            first <= end && last >= start
        });
        let expected: BTreeSet<String> = (0..64).filter(|part| !touches(*part)).map(|part| format!("10.0.{part}.0/24")).collect();
        let given = all("10.0.0.0/18", 24, &taken);
        prop_assert_eq!(given.len(), expected.len());
        prop_assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
