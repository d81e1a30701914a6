//! Names and amounts of resources: CPU, memory, storage, extended resources.
//!
//! Source: `pkg/apis/core/helper`, `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;
use api::quantity::Quantity;
use serde_json::Value;

use super::field::{Faults, Field};
use super::tree::{Fields, inner};

/// Kubernetes keeps no less than a thousandth.
const MILLI: i32 = -3;

/// The amount; what is none counts as zero, since decoding has refused it already.
pub(crate) fn of(value: &Value) -> Quantity {
    Quantity::from_value(value).unwrap_or_default()
}

/// Whether an amount is below zero.
pub(crate) fn is_negative(value: &Value) -> bool {
    of(value).signum() < 0
}

/// Writes the amounts of the list under `name` as Kubernetes stores them.
pub(crate) fn canonical_list(fields: &mut Fields, name: &str) {
    let amounts = inner(fields, name).into_iter().flat_map(|list| list.values_mut());
    for amount in amounts {
        if let Ok(quantity) = Quantity::from_value(amount) {
            *amount = quantity.round_up(MILLI).into();
        }
    }
}

/// Writes the amounts of requests and limits as Kubernetes stores them.
pub(crate) fn canonical_requirements(resources: &mut Fields) {
    canonical_list(resources, "limits");
    canonical_list(resources, "requests");
}

/// Finds an amount below zero, and one that must be whole and is not.
pub(crate) fn check_amount(name: &str, amount: &Field<'_>, faults: &mut Faults) {
    check_amount_at(name, amount.value(), amount, faults);
}

/// The same where the fault points elsewhere.
pub(crate) fn check_amount_at(name: &str, value: &Value, amount: &Field<'_>, faults: &mut Faults) {
    let quantity = of(value);
    if quantity.signum() < 0 {
        faults.invalid(amount, quantity.to_string(), "must be greater than or equal to 0");
    }
    if is_whole(name) && quantity.milli_value() % 1000 != 0 {
        faults.invalid(amount, quantity.to_string(), "must be an integer");
    }
}

/// Whether amounts of the resource are whole numbers.
fn is_whole(name: &str) -> bool {
    is_object_count(name) || is_extended(name)
}

fn is_object_count(name: &str) -> bool {
    matches!(
        name,
        "pods"
            | "resourcequotas"
            | "services"
            | "replicationcontrollers"
            | "secrets"
            | "configmaps"
            | "persistentvolumeclaims"
            | "services.nodeports"
            | "services.loadbalancers"
    )
}

/// Whether the resource is Kubernetes' own.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether the resource is somebody else's, such as a GPU.
pub(crate) fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

/// Whether more of the resource may be promised than there is.
pub(crate) fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Whether the resource is memory in huge pages.
pub(crate) fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_standard_for_containers(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge_page(name)
}

/// Whether quotas know the resource.
pub(crate) fn is_standard_for_quota(name: &str) -> bool {
    let compute = |name: &str| matches!(name, "cpu" | "memory" | "ephemeral-storage");
    let huge = is_huge_page(name) || name.starts_with("requests.hugepages-");
    let part = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits."));
    compute(name) || is_object_count(name) || name == "requests.storage" || part.is_some_and(compute) || huge
}

fn is_standard(name: &str) -> bool {
    is_standard_for_quota(name)
        || matches!(name, "storage" | "persistentvolumeclaims" | "limits.storage")
        || is_standard_for_containers(name)
}

/// Finds what is wrong with the name of a resource.
pub(crate) fn check_name(name: &str, at: &Field<'_>, faults: &mut Faults) -> bool {
    let messages = name::qualified_name(name);
    let good = messages.is_empty();
    faults.each(at, name, messages);
    if good && !name.contains('/') && !is_standard(name) {
        faults.invalid(at, name, "must be a standard resource type or fully qualified");
        return false;
    }
    good
}

/// Finds what is wrong with the name of a container's resource.
pub(crate) fn container_resource_name(name: &str, at: &Field<'_>, faults: &mut Faults) {
    check_name(name, at, faults);
    if !name.contains('/') {
        if !is_standard_for_containers(name) {
            faults.invalid(at, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        faults.invalid(at, name, "doesn't follow extended resource name standard");
    }
}

/// Finds what is wrong with the name of a resource of a pod as a whole.
pub(crate) fn pod_resource_name(name: &str, at: &Field<'_>, faults: &mut Faults) {
    if check_name(name, at, faults) && !super::pod::level::is_supported(name) {
        faults.unsupported_value(at, name, &["cpu", "hugepages-", "memory"]);
    }
}

/// Finds what is wrong with the name of a quota's resource.
pub(crate) fn quota_resource_name(name: &str, at: &Field<'_>, faults: &mut Faults) {
    check_name(name, at, faults);
    if !name.contains('/') && !is_standard_for_quota(name) {
        faults.invalid(at, name, "must be a standard resource for quota");
    }
}

/// Finds what is wrong with a list of amounts whose names `check` judges.
pub(crate) fn check_list(list: &Field<'_>, check: fn(&str, &Field<'_>, &mut Faults), faults: &mut Faults) {
    for (name, amount) in list.entries() {
        check(name, &amount, faults);
        check_amount(name, &amount, faults);
    }
}

/// Finds what is wrong with requests and limits; `claims` are the names of the pod's resource claims.
pub(crate) fn check_requirements(
    resources: &Field<'_>,
    check: fn(&str, &Field<'_>, &mut Faults),
    claims: &[&str],
    faults: &mut Faults,
) {
    let (limits, requests) = (resources.at("limits"), resources.at("requests"));
    for (name, limit) in limits.entries() {
        check(name, &limit, faults);
        check_amount(name, &limit, faults);
        check_huge_page(name, &limit, faults);
    }
    for (name, request) in requests.entries() {
        check(name, &request, faults);
        check_amount(name, &request, faults);
        check_against_limit(name, &request, &requests, &limits, faults);
        check_huge_page(name, &request, faults);
    }
    let any = |test: fn(&str) -> bool| limits.entries().chain(requests.entries()).any(|(name, _)| test(name));
    if any(is_huge_page) && !any(|name| matches!(name, "cpu" | "memory")) {
        faults.forbidden(resources, "HugePages require cpu or memory");
    }
    check_claims(&resources.at("claims"), claims, faults);
}

fn check_against_limit(
    name: &str,
    request: &Field<'_>,
    requests: &Field<'_>,
    limits: &Field<'_>,
    faults: &mut Faults,
) {
    let limit = limits.key(name);
    if !limit.is_set() {
        if !may_overcommit(name) {
            faults.required(limits, "Limit must be set for non overcommitable resources");
        }
        return;
    }
    let (amount, limit) = (of(request.value()), of(limit.value()));
    if amount != limit && !may_overcommit(name) {
        faults.invalid(requests, amount.to_string(), format!("must be equal to {name} limit of {limit}"));
    } else if amount > limit {
        let detail = format!("must be less than or equal to {name} limit of {limit}");
        faults.invalid(requests, amount.to_string(), detail);
    }
}

fn check_huge_page(name: &str, amount: &Field<'_>, faults: &mut Faults) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let size = size.parse::<Quantity>().map_or(0, Quantity::value);
    let quantity = of(amount.value());
    let multiple = size > 0 && quantity.value() % size == 0;
    if !multiple {
        let detail = format!("{quantity} is not positive integer multiple of {name}");
        faults.invalid(amount, quantity.to_string(), detail);
    }
}

fn check_claims(claims: &Field<'_>, known: &[&str], faults: &mut Faults) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (claim, value) in claims.items().zip(claims.list()) {
        let text = |field| value.get(field).and_then(Value::as_str).unwrap_or("");
        let (name, request) = (text("name"), text("request"));
        if name.is_empty() {
            faults.required(&claim, "");
            continue;
        }
        if seen.contains(&(name, "")) {
            faults.duplicate(&claim, name);
        } else {
            if !request.is_empty() {
                faults.each(&claim.at("request"), request, name::dns1123_label(request));
            }
            if seen.contains(&(name, request)) {
                faults.duplicate(&claim, format!("{name}/{request}"));
            } else if request.is_empty() {
                let overlaps = seen.iter().filter(|(seen, _)| *seen == name).count();
                (0..overlaps).for_each(|_| faults.duplicate(&claim, name));
            }
            seen.push((name, request));
        }
        if !known.contains(&name) {
            let mut sorted = known.to_vec();
            sorted.sort_unstable();
            let which = if sorted.is_empty() {
                " which is empty".to_owned()
            } else {
                format!(": {}", sorted.join(", "))
            };
            faults.not_found(
                &claim,
                name,
                format!("must be one of the names in pod.spec.resourceClaims{which}"),
            );
        }
    }
}
