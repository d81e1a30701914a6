//! What must be right about the addresses of a Service.

use crate::strategy::field::{Faults, Field};
use crate::strategy::format;

/// Whether the Service has no address by choice.
pub(super) fn is_headless(spec: &Field<'_>) -> bool {
    let ips = spec.at("clusterIPs");
    ips.list().len() == 1 && ips.index(0).text() == "None"
}

/// Finds what is wrong with cluster addresses and their families.
pub(super) fn check(spec: &Field<'_>, faults: &mut Faults) {
    if spec.text_at("type") == "ExternalName" {
        return;
    }
    let (ips, families, policy) = (spec.at("clusterIPs"), spec.at("ipFamilies"), spec.at("ipFamilyPolicy"));
    let single = spec.text_at("clusterIP");
    if single.is_empty() {
        if !ips.is_empty() {
            faults.wrong(&ips, "must be empty when `clusterIP` is not specified");
        }
    } else if ips.is_empty() {
        faults.required(&ips, "");
    } else if ips.index(0).text() != single {
        faults.wrong(&ips, "first value must match `clusterIP`");
    }
    for (index, family) in families.items().enumerate() {
        if !matches!(family.text(), "IPv4" | "IPv6") {
            faults.unsupported(&family, &["IPv4", "IPv6"]);
        }
        if families.list()[..index].contains(family.value()) {
            faults.duplicate(&family, family.text());
        }
    }
    faults.optional_one_of(&policy, &["PreferDualStack", "RequireDualStack", "SingleStack"]);
    if check_ips(&ips, faults) {
        check_stacks(spec, &ips, &families, faults);
    }
}

/// Tells whether every address can be read.
fn check_ips(ips: &Field<'_>, faults: &mut Faults) -> bool {
    let mut readable = true;
    for (index, ip) in ips.items().enumerate() {
        if index == 0 && ip.text() == "None" {
            if ips.list().len() > 1 {
                readable = false;
                faults.wrong(ips, "'None' must be the first and only value");
            }
            continue;
        }
        let messages = format::ip(ip.text());
        readable &= messages.is_empty();
        faults.each(&ip, ip.text(), messages);
    }
    if ips.list().len() > 2 {
        faults.wrong(ips, "may only hold up to 2 values");
    }
    readable
}

fn check_stacks(spec: &Field<'_>, ips: &Field<'_>, families: &Field<'_>, faults: &mut Faults) {
    if ips.list().len() > 1 && format::is_dual_stack(ips.texts()) != Some(true) {
        faults.wrong(ips, "may specify no more than one IP for each IP family");
    }
    if is_headless(spec) {
        return;
    }
    for (index, (ip, family)) in ips.items().zip(families.texts()).enumerate() {
        let v6 = format::parse_ip(ip.text()).is_some_and(|ip| ip.is_ipv6());
        if (family == "IPv4" && v6) || (family == "IPv6" && !v6) {
            faults
                .wrong_text(&ip, format!("expected an {family} value as indicated by `ipFamilies[{index}]`"));
        }
    }
}

/// Finds families and policies that a cluster with IPv4 alone cannot serve.
pub(super) fn check_cluster(spec: &Field<'_>, faults: &mut Faults) {
    let (families, policy) = (spec.at("ipFamilies"), spec.at("ipFamilyPolicy"));
    let selectorless = is_headless(spec) && spec.at("selector").is_empty();
    if spec.text_at("type") == "ExternalName" || selectorless {
        return;
    }
    for family in families.items().filter(|family| family.text() == "IPv6") {
        faults.wrong_text(&family, "not configured on this cluster");
    }
    if policy.text() == "RequireDualStack" {
        faults.wrong_text(&policy, "this cluster is not configured for dual-stack services");
    }
}

/// Finds changes of addresses that were given for good.
pub(super) fn check_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let external = |spec: &Field<'_>| spec.text_at("type") == "ExternalName";
    if external(new) || external(old) {
        return;
    }
    if !(is_headless(new) && is_headless(old)) {
        check_list(new, old, "clusterIPs", "clusterIP", faults);
    }
    if !is_headless(new) && !is_headless(old) {
        check_list(new, old, "ipFamilies", "ipFamily", faults);
    }
}

fn check_list(new: &Field<'_>, old: &Field<'_>, field: &str, noun: &str, faults: &mut Faults) {
    let (now, before) = (new.at(field), old.at(field));
    let (count, count_before) = (now.list().len(), before.list().len());
    let first = now.index(0);
    if count == count_before {
        for index in 0..count {
            if now.list()[index] != before.list()[index] {
                let shown = if field == "clusterIPs" { now.index(index) } else { now.index(0) };
                faults.invalid(&shown, now.value().clone(), "may not change once set");
            }
        }
        return;
    }
    if count < count_before && new.at("clusterIPs").is_empty() {
        faults.invalid(&first, now.value().clone(), format!("primary {noun} can not be unset"));
    }
    if let (Some(now_first), Some(before_first)) = (now.list().first(), before.list().first())
        && now_first != before_first
    {
        faults.invalid(&first, new.at("clusterIPs").value().clone(), "may not change once set");
    }
    let policy = new.at("ipFamilyPolicy");
    if count < count_before && count == 1 && policy.text() != "SingleStack" {
        faults.wrong(&policy, format!("must be set to 'SingleStack' when releasing the secondary {noun}"));
    }
}
