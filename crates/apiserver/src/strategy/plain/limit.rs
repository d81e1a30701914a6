//! LimitRanges.

use std::collections::BTreeSet;

use api::meta::name;
use api::quantity::{Format, Quantity};
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::Meta;
use crate::strategy::tree::{self, Fields, each, fill, make};
use crate::strategy::{Strategy, resource};

pub(super) const ROW: Strategy = Strategy {
    kind: "LimitRange",
    default: |range| {
        let limits = tree::fields_at(range, "spec").into_iter().flat_map(|spec| each(spec, "limits"));
        limits.for_each(default_limit);
    },
    validate: check,
    // The registry has compared the metadata.
    validate_update: |new, _, faults| check(new, faults),
    ..Strategy::DEFAULT
};

const LISTS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

fn default_limit(limit: &mut Fields) {
    LISTS.iter().for_each(|list| resource::canonical_list(limit, list));
    if tree::text(limit, "type") != "Container" {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        let source = limit.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(list) = make(limit, to) {
            source.into_iter().for_each(|(name, amount)| fill(list, &name, amount));
        }
    }
}

fn check(range: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(range, faults);
    let mut types: Vec<String> = Vec::new();
    for limit in range.at("spec.limits").items() {
        let kind = limit.at("type");
        check_type(&kind, faults);
        if types.iter().any(|taken| taken == kind.text()) {
            faults.duplicate(&kind, kind.text());
        }
        types.push(kind.text().to_owned());
        check_names(&limit, kind.text(), faults);
        let names: BTreeSet<&str> = LISTS
            .iter()
            .filter(|list| kind.text() != "Pod" || !list.starts_with("default"))
            .flat_map(|list| limit.at(list).map().into_iter().flatten().map(|(name, _)| name.as_str()))
            .collect();
        names.into_iter().for_each(|name| check_amounts(&limit, name, faults));
    }
}

fn check_type(kind: &Field<'_>, faults: &mut Faults) {
    let messages = name::qualified_name(kind.text());
    let good = messages.is_empty();
    faults.each(kind, kind.text(), messages);
    let standard = matches!(kind.text(), "Pod" | "Container" | "PersistentVolumeClaim");
    if good && !kind.text().contains('/') && !standard {
        faults.wrong_text(kind, "must be a standard limit type or fully qualified");
    }
}

fn check_names(limit: &Field<'_>, kind: &str, faults: &mut Faults) {
    let check = |list: &str, faults: &mut Faults| {
        for (name, amount) in limit.at(list).entries() {
            if matches!(kind, "Pod" | "Container") {
                resource::container_resource_name(name, &amount, faults);
            } else {
                resource::check_name(name, &amount, faults);
            }
        }
    };
    check("max", faults);
    check("min", faults);
    for list in ["default", "defaultRequest"] {
        if kind != "Pod" {
            check(list, faults);
        } else if !limit.at(list).is_empty() {
            faults.forbidden(&limit.at(list), "may not be specified when `type` is 'Pod'");
        }
    }
    let bounded = limit.at("min").key("storage").is_set() || limit.at("max").key("storage").is_set();
    if kind == "PersistentVolumeClaim" && !bounded {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        faults.required(&limit.at("limits"), detail);
    }
    check("maxLimitRequestRatio", faults);
}

fn check_amounts(limit: &Field<'_>, name: &str, faults: &mut Faults) {
    let given = |list: &str| {
        let list = limit.at(list);
        let amount = list.key(name);
        amount.is_set().then(|| resource::of(amount.value()))
    };
    let (min, max) = (given("min"), given("max"));
    let (default, request, ratio) =
        (given("default"), given("defaultRequest"), given("maxLimitRequestRatio"));
    let rules = [
        ("min", min, "min value", max, "max value", true),
        ("defaultRequest", min, "min value", request, "default request value", false),
        ("defaultRequest", request, "default request value", max, "max value", true),
        ("defaultRequest", request, "default request value", default, "default limit value", true),
        ("default", min, "min value", default, "default value", true),
        ("default", default, "default value", max, "max value", false),
    ];
    for (list, low, low_name, high, high_name, shows_low) in rules {
        let (Some(low), Some(high)) = (low, high) else { continue };
        if low > high {
            let shown = if shows_low { low } else { high };
            let detail = format!("{low_name} {low} is greater than {high_name} {high}");
            let list = limit.at(list);
            faults.invalid(&list.key(name), shown.to_string(), detail);
        }
    }
    let ratios = limit.at("maxLimitRequestRatio");
    if let Some(ratio) = ratio {
        check_ratio(&ratios.key(name), ratio, min, max, faults);
    }
    if let (Some(default), Some(request)) = (default, request)
        && !resource::may_overcommit(name)
        && default != request
    {
        let detail =
            format!("default value {default} must equal to defaultRequest value {request} in {name}");
        let list = limit.at("defaultRequest");
        faults.invalid(&list.key(name), request.to_string(), detail);
    }
}

fn check_ratio(
    at: &Field<'_>,
    ratio: Quantity,
    min: Option<Quantity>,
    max: Option<Quantity>,
    faults: &mut Faults,
) {
    if ratio < Quantity::units(1, Format::DecimalSi) {
        faults.invalid(at, ratio.to_string(), format!("ratio {ratio} is less than 1"));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.as_f64() / min.as_f64();
        if ratio.as_f64() > most {
            let detail = format!("ratio {ratio} is greater than max/min = {most:.6}");
            faults.invalid(at, ratio.to_string(), detail);
        }
    }
}
