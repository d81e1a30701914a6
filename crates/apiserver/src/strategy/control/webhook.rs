//! Configurations of admission webhooks.

use api::meta::name;
use serde_json::{Value, json};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{each, fill, inner};
use crate::strategy::{Generation, Strategy};

const GROUP: &str = "admissionregistration.k8s.io";

pub(super) const MUTATING: Strategy = Strategy {
    group: GROUP,
    kind: "MutatingWebhookConfiguration",
    generation: Generation::OfContent,
    default: |configuration| {
        default(configuration);
        let hooks = configuration.as_object_mut().into_iter().flat_map(|fields| each(fields, "webhooks"));
        hooks.for_each(|hook| fill(hook, "reinvocationPolicy", "Never"));
    },
    validate: check,
    // The registry has compared the metadata.
    validate_update: |new, _, faults| check(new, faults),
    ..Strategy::DEFAULT
};

pub(super) const VALIDATING: Strategy =
    Strategy { kind: "ValidatingWebhookConfiguration", default, ..MUTATING };

fn default(configuration: &mut Value) {
    for hook in configuration.as_object_mut().into_iter().flat_map(|fields| each(fields, "webhooks")) {
        fill(hook, "failurePolicy", "Fail");
        fill(hook, "matchPolicy", "Equivalent");
        fill(hook, "namespaceSelector", json!({}));
        fill(hook, "objectSelector", json!({}));
        fill(hook, "timeoutSeconds", 10);
        each(hook, "rules").for_each(|rule| fill(rule, "scope", "*"));
        let service = inner(hook, "clientConfig").and_then(|config| inner(config, "service"));
        service.into_iter().for_each(|service| fill(service, "port", 443));
    }
}

fn check(configuration: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(configuration, faults);
    let mut names: Vec<String> = Vec::new();
    for hook in configuration.at("webhooks").items() {
        check_hook(&hook, faults);
        check_versions(&hook.at("admissionReviewVersions"), faults);
        let name = hook.at("name");
        if !name.text().is_empty() && names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
    }
}

fn check_hook(hook: &Field<'_>, faults: &mut Faults) {
    check_name(&hook.at("name"), faults);
    hook.at("rules").items().for_each(|rule| check_rule(&rule, faults));
    faults.optional_one_of(&hook.at("failurePolicy"), &["Fail", "Ignore"]);
    faults.optional_one_of(&hook.at("matchPolicy"), &["Equivalent", "Exact"]);
    let (effects, timeout) = (hook.at("sideEffects"), hook.at("timeoutSeconds"));
    if !effects.is_set() {
        faults.required(&effects, "must specify one of None, NoneOnDryRun");
    }
    faults.optional_one_of(&effects, &["None", "NoneOnDryRun"]);
    if timeout.number().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        faults.wrong(&timeout, "the timeout value must be between 1 and 30 seconds");
    }
    metadata::selector(&hook.at("namespaceSelector"), faults);
    metadata::selector(&hook.at("objectSelector"), faults);
    faults.optional_one_of(&hook.at("reinvocationPolicy"), &["IfNeeded", "Never"]);
    check_client(&hook.at("clientConfig"), faults);
    check_conditions(&hook.at("matchConditions"), faults);
}

fn check_name(name: &Field<'_>, faults: &mut Faults) {
    let messages = name::dns1123_subdomain(name.text());
    if name.text().is_empty() {
        faults.required(name, "");
    } else if !messages.is_empty() {
        faults.wrong_text(name, messages.join(","));
    } else if name.text().split('.').count() < 3 {
        faults.wrong_text(name, "should be a domain with at least three segments separated by dots");
    }
}

fn check_rule(rule: &Field<'_>, faults: &mut Faults) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let has_star = |list: &Field<'_>| list.list().len() > 1 && list.texts().any(|text| text == "*");
    let (operations, groups, versions) =
        (rule.at("operations"), rule.at("apiGroups"), rule.at("apiVersions"));
    for (list, noun) in
        [(&operations, "other operations"), (&groups, "other API groups"), (&versions, "other API versions")]
    {
        if list.is_empty() {
            faults.required(list, "");
        }
        if has_star(list) {
            faults.wrong(list, format!("if '*' is present, must not specify {noun}"));
        }
        for item in list.items() {
            match noun {
                "other operations" => faults.optional_one_of(&item, &OPERATIONS),
                "other API versions" if item.text().is_empty() => faults.required(&item, ""),
                _ => {}
            }
        }
    }
    check_resources(&rule.at("resources"), faults);
    faults.optional_one_of(&rule.at("scope"), &["*", "Cluster", "Namespaced"]);
}

fn check_resources(resources: &Field<'_>, faults: &mut Faults) {
    if resources.is_empty() {
        faults.required(resources, "");
    }
    let (mut whole, mut everywhere): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut plain = false;
    for item in resources.items() {
        let text = item.text();
        if text.is_empty() {
            faults.required(&item, "");
            continue;
        }
        let Some((resource, sub)) = text.split_once('/') else {
            plain = text != "*";
            continue;
        };
        if whole.iter().any(|taken| taken == resource) {
            faults.wrong_text(&item, format!("if '{resource}/*' is present, must not specify {text}"));
        }
        if everywhere.iter().any(|taken| taken == sub) {
            faults.wrong_text(&item, format!("if '*/{sub}' is present, must not specify {text}"));
        }
        if sub == "*" {
            whole.push(resource.to_owned());
        }
        if resource == "*" {
            everywhere.push(sub.to_owned());
        }
    }
    if resources.list().len() > 1 && resources.texts().any(|text| text == "*/*") {
        faults.wrong(resources, "if '*/*' is present, must not specify other resources");
    }
    if plain && resources.texts().any(|text| text == "*") {
        let detail = "if '*' is present, must not specify other resources without subresources";
        faults.wrong(resources, detail);
    }
}

fn check_client(config: &Field<'_>, faults: &mut Faults) {
    let (url, service) = (config.at("url"), config.at("service"));
    if url.is_set() == service.is_set() {
        return faults.required(config, "exactly one of url or service is required");
    }
    if url.is_set() {
        return check_url(&url, faults);
    }
    for (field, detail) in
        [("name", "service name is required"), ("namespace", "service namespace is required")]
    {
        if service.text_at(field).is_empty() {
            faults.required(&service.at(field), detail);
        }
    }
    let (path, port) = (service.at("path"), service.at("port"));
    if port.number().is_some_and(|port| !(1..=65535).contains(&port)) {
        faults.wrong(&port, "port is not valid: must be between 1 and 65535, inclusive");
    }
    if path.is_set() && !path.text().starts_with('/') {
        faults.wrong_text(&path, "must start with a '/'");
    }
}

fn check_url(url: &Field<'_>, faults: &mut Faults) {
    const FORM: &str = "; desired format: https://host[/path]";
    let Some((scheme, rest)) = url.text().split_once("://") else {
        return faults.required(url, format!("url must be a valid URL: {}{FORM}", url.text()));
    };
    if scheme != "https" {
        faults.wrong_text(url, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if host.is_empty() {
        faults.wrong_text(url, format!("host must be specified{FORM}"));
    }
    if host.contains('@') {
        faults.wrong_text(url, "user information is not permitted in the URL");
    }
    if rest.contains('#') {
        faults.wrong_text(url, "fragments are not permitted in the URL");
    }
    if rest.contains('?') {
        faults.wrong_text(url, "query parameters are not permitted in the URL");
    }
}

/// The expressions themselves are for the rule engine to judge.
fn check_conditions(conditions: &Field<'_>, faults: &mut Faults) {
    if conditions.list().len() > 64 {
        faults.too_many(conditions, conditions.list().len(), 64);
    }
    let mut names: Vec<String> = Vec::new();
    for condition in conditions.items() {
        let (name, expression) = (condition.at("name"), condition.at("expression"));
        if expression.text().trim().is_empty() {
            faults.required(&expression, "");
        }
        if name.text().is_empty() {
            faults.required(&name, "");
            continue;
        }
        faults.each(&name, name.text(), name::qualified_name(name.text()));
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
    }
}

fn check_versions(versions: &Field<'_>, faults: &mut Faults) {
    if versions.is_empty() {
        return faults.required(versions, "must specify one of v1, v1beta1");
    }
    for (index, version) in versions.items().enumerate() {
        if versions.list()[..index].contains(version.value()) {
            faults.wrong_text(&version, "duplicate version");
            continue;
        }
        faults.each(&version, version.text(), name::dns1035_label(version.text()));
    }
    if !versions.texts().any(|version| matches!(version, "v1" | "v1beta1")) {
        faults.wrong(versions, "must include at least one of v1, v1beta1");
    }
}
