//! Resources of a pod as a whole: their defaults, and how they relate to those of its containers.
//!
//! Source: KEP-2837 (pod-level resources), KEP-753 (sidecars), `component-helpers/resource`.

use std::collections::BTreeMap;

use api::quantity::Quantity;
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::resource;
use crate::strategy::tree::{Fields, fill, inner, make};

/// Whether a resource can be given for a pod as a whole.
pub(crate) fn is_supported(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// What the containers ask for together: `which` is `requests` or `limits`.
///
/// Containers and sidecars add up; an init container counts with the sidecars before it, and the larger sum holds.
pub(crate) fn aggregate(spec: &Field<'_>, which: &str) -> BTreeMap<String, Quantity> {
    let mut running = BTreeMap::new();
    let containers = spec.at("containers");
    for container in containers.items() {
        add(&mut running, &amounts(&container, which));
    }
    let (mut sidecars, mut peak) = (BTreeMap::new(), BTreeMap::new());
    let inits = spec.at("initContainers");
    for container in inits.items() {
        let mut at_once = amounts(&container, which);
        if container.text_at("restartPolicy") == "Always" {
            add(&mut running, &at_once);
            add(&mut sidecars, &at_once);
            at_once.clone_from(&sidecars);
        } else {
            add(&mut at_once, &sidecars);
        }
        raise(&mut peak, at_once);
    }
    raise(&mut running, peak);
    running
}

fn amounts(container: &Field<'_>, which: &str) -> BTreeMap<String, Quantity> {
    let resources = container.at("resources");
    resources
        .at(which)
        .entries()
        .map(|(name, amount)| (name.to_owned(), resource::of(amount.value())))
        .collect()
}

fn add(sum: &mut BTreeMap<String, Quantity>, other: &BTreeMap<String, Quantity>) {
    for (name, amount) in other {
        let sum = sum.entry(name.clone()).or_default();
        *sum = *sum + *amount;
    }
}

fn raise(peak: &mut BTreeMap<String, Quantity>, other: BTreeMap<String, Quantity>) {
    for (name, amount) in other {
        let peak = peak.entry(name).or_default();
        if *peak < amount {
            *peak = amount;
        }
    }
}

/// Completes the resources of a pod where they are given in part.
pub(crate) fn default_resources(spec: &mut Fields) {
    if !spec.get("resources").is_some_and(Value::is_object) {
        return;
    }
    let whole = Value::Object(spec.clone());
    let view = Field::root(&whole);
    let (requests, limits) = (aggregate(&view, "requests"), aggregate(&view, "limits"));
    let all_limited = |name: &str| {
        let lists = [view.at("containers"), view.at("initContainers")];
        let limited = |list: &Field<'_>| list.items().all(|c| c.at("resources.limits").key(name).is_set());
        lists.iter().all(limited)
    };
    let Some(resources) = inner(spec, "resources") else { return };
    default_huge_page_limits(resources, &limits);
    default_requests(resources, &requests);
    default_limits(resources, &limits, all_limited);
}

fn has_entries(resources: &Fields, which: &str) -> bool {
    resources.get(which).and_then(Value::as_object).is_some_and(|list| !list.is_empty())
}

fn default_huge_page_limits(resources: &mut Fields, limits: &BTreeMap<String, Quantity>) {
    if !has_entries(resources, "limits") && !has_entries(resources, "requests") {
        return;
    }
    let requests = resources.get("requests").cloned().unwrap_or_default();
    for (name, amount) in limits.iter().filter(|(name, _)| name.starts_with("hugepages-")) {
        if requests.get(name).is_none()
            && let Some(list) = make(resources, "limits")
        {
            fill(list, name, amount.to_string());
        }
    }
}

fn default_requests(resources: &mut Fields, requests: &BTreeMap<String, Quantity>) {
    if !has_entries(resources, "limits") {
        return;
    }
    let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    let Some(list) = make(resources, "requests") else { return };
    for (name, amount) in requests.iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory")) {
        fill(list, name, amount.to_string());
    }
    for (name, limit) in limits.into_iter().filter(|(name, _)| is_supported(name)) {
        fill(list, &name, limit);
    }
}

fn default_limits(
    resources: &mut Fields,
    limits: &BTreeMap<String, Quantity>,
    all_limited: impl Fn(&str) -> bool,
) {
    let given = |which: &str, resources: &Fields| {
        let list = resources.get(which).and_then(Value::as_object);
        list.is_some_and(|list| list.keys().any(|name| is_supported(name)))
    };
    if given("limits", resources) || !given("requests", resources) {
        return;
    }
    let basic =
        limits.iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory") && all_limited(name));
    let basic: Vec<_> = basic.collect();
    if basic.is_empty() {
        return;
    }
    let Some(list) = make(resources, "limits") else { return };
    for (name, amount) in basic {
        fill(list, name, amount.to_string());
    }
}

/// Finds what is wrong with the resources of a pod as a whole.
pub(crate) fn check(spec: &Field<'_>, claims: &[&str], faults: &mut Faults) {
    let resources = spec.at("resources");
    if !resources.is_set() {
        return;
    }
    if resources.has("claims") {
        faults.forbidden(&resources.at("claims"), "claims cannot be set for Resources at pod-level");
    }
    resource::check_requirements(&resources, resource::pod_resource_name, claims, faults);
    check_requests(spec, &resources, faults);
    check_limits(spec, &resources, faults);
}

fn check_requests(spec: &Field<'_>, resources: &Field<'_>, faults: &mut Faults) {
    let requests = resources.at("requests");
    for (name, sum) in aggregate(spec, "requests") {
        let at = requests.key(&name);
        let whole = resource::of(at.value());
        if sum > whole {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            faults.invalid(&at, whole.to_string(), detail);
        }
    }
}

fn check_limits(spec: &Field<'_>, resources: &Field<'_>, faults: &mut Faults) {
    let limits = resources.at("limits");
    let containers = spec.at("containers");
    for (index, container) in containers.items().enumerate() {
        let own = container.at("resources.limits");
        for (name, limit) in own.entries() {
            let whole = limits.key(name);
            let (limit, whole_amount) = (resource::of(limit.value()), resource::of(whole.value()));
            if whole.is_set() && limit > whole_amount {
                let list = resources.at("containers");
                let item = list.index(index);
                let entry = item.key(name);
                let detail = format!("must be less than or equal to pod limits of {whole_amount}");
                faults.invalid(&entry.at("limits"), limit.to_string(), detail);
            }
        }
    }
}
