//! Ingresses and their classes.

use api::meta::name;
use serde_json::json;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::service::check_host;
use crate::strategy::tree::{fill, inner};
use crate::strategy::{Generation, Strategy, format, keep_status};

const GROUP: &str = "networking.k8s.io";
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

pub(super) const ROW: Strategy = Strategy {
    group: GROUP,
    kind: "Ingress",
    generation: Generation::OfSpec,
    default: |ingress| {
        let Some(fields) = ingress.as_object_mut() else { return };
        fill(fields, "status", json!({"loadBalancer": {}}));
    },
    prepare_create: |ingress| {
        if let Some(fields) = ingress.as_object_mut() {
            fields.insert("status".into(), json!({"loadBalancer": {}}));
        }
    },
    prepare_update: keep_status,
    validate: |ingress, faults| {
        check(ingress, faults);
        let annotations = ingress.at("annotations");
        let shown = annotations.at(CLASS_ANNOTATION);
        let metadata = ingress.at("metadata.annotations");
        let (annotated, class) = (metadata.key(CLASS_ANNOTATION), ingress.at("spec.ingressClassName"));
        if annotated.is_set() && class.is_set() && annotated.text() != class.text() {
            let detail = "must match `ingressClassName` when both are specified";
            faults.invalid(&shown, annotated.text(), detail);
        }
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check(new, faults);
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        for ingress in new.at("status.loadBalancer.ingress").items() {
            let ip = ingress.at("ip");
            if !ip.text().is_empty() {
                faults.each(&ip, ip.text(), format::ip(ip.text()));
            }
            check_host(&ingress.at("hostname"), faults);
        }
    },
    ..Strategy::DEFAULT
};

fn check(ingress: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(ingress, faults);
    let spec = ingress.at("spec");
    let (rules, backend, class) = (spec.at("rules"), spec.at("defaultBackend"), spec.at("ingressClassName"));
    if rules.is_empty() && !backend.is_set() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        faults.invalid(&spec, rules.value().clone(), detail);
    }
    if backend.is_set() {
        check_backend(&backend, faults);
    }
    rules.items().for_each(|rule| check_rule(&rule, faults));
    spec.at("tls").items().for_each(|tls| check_tls(&tls, faults));
    if class.is_set() {
        faults.each(&class, class.text(), name::dns1123_subdomain(class.text()));
    }
}

fn host_faults(host: &str) -> Vec<String> {
    if host.contains('*') { format::wildcard_subdomain(host) } else { name::dns1123_subdomain(host) }
}

fn check_rule(rule: &Field<'_>, faults: &mut Faults) {
    let host = rule.at("host");
    if !host.text().is_empty() {
        if format::parse_ip(host.text()).is_some() {
            faults.wrong_text(&host, "must be a DNS name, not an IP address");
        }
        faults.each(&host, host.text(), host_faults(host.text()));
    }
    let http = rule.at("http");
    if !http.is_set() {
        return;
    }
    let paths = http.at("paths");
    if paths.is_empty() {
        faults.required(&paths, "");
    }
    paths.items().for_each(|path| check_path(&path, faults));
}

fn check_path(item: &Field<'_>, faults: &mut Faults) {
    const SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
    const SUFFIXES: [&str; 2] = ["/..", "/."];
    let (kind, path) = (item.at("pathType"), item.at("path"));
    if !kind.is_set() {
        return faults.required(&kind, "pathType must be specified");
    }
    let rooted = path.text().starts_with('/');
    match kind.text() {
        "Exact" | "Prefix" => {
            if !rooted {
                faults.wrong_text(&path, "must be an absolute path");
            }
            for sequence in SEQUENCES.iter().filter(|sequence| path.text().contains(**sequence)) {
                faults.wrong_text(&path, format!("must not contain '{sequence}'"));
            }
            for suffix in SUFFIXES.iter().filter(|suffix| path.text().ends_with(**suffix)) {
                faults.wrong_text(&path, format!("cannot end with '{suffix}'"));
            }
        }
        "ImplementationSpecific" => {
            if !path.text().is_empty() && !rooted {
                faults.wrong_text(&path, "must be an absolute path");
            }
        }
        _ => faults.unsupported(&kind, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
    check_backend(&item.at("backend"), faults);
}

fn check_backend(backend: &Field<'_>, faults: &mut Faults) {
    let (resource, service) = (backend.at("resource"), backend.at("service"));
    match (resource.is_set(), service.is_set()) {
        (true, true) => faults.invalid(backend, "", "cannot set both resource and service backends"),
        (true, false) => check_reference(&resource, faults),
        (false, true) => check_service(backend, &service, faults),
        (false, false) => faults.invalid(backend, "", "resource or service backend is required"),
    }
}

fn check_service(backend: &Field<'_>, service: &Field<'_>, faults: &mut Faults) {
    let (name, port, number) = (service.at("name"), service.at("port.name"), service.at("port.number"));
    if name.text().is_empty() {
        faults.required(&name, "");
    } else {
        faults.each(&name, name.text(), name::dns1035_label(name.text()));
    }
    match (port.text(), number.number().unwrap_or(0)) {
        ("", 0) => faults.required(backend, "port name or number is required"),
        ("", value) => faults.each_number(&number, format::port_number(value)),
        (text, 0) => faults.each(&port, text, format::port_name(text)),
        _ => faults.invalid(backend, "", "cannot set both port name & port number"),
    }
}

/// Finds what is wrong with a reference to an object of any kind.
fn check_reference(reference: &Field<'_>, faults: &mut Faults) {
    let group = reference.at("apiGroup");
    if group.is_set() {
        faults.each(&group, group.text(), name::dns1123_subdomain(group.text()));
    }
    for field in ["kind", "name"] {
        let at = reference.at(field);
        if at.text().is_empty() {
            faults.required(&at, format!("{field} is required"));
        } else {
            faults.each(&at, at.text(), name::path_segment(at.text()));
        }
    }
}

fn check_tls(tls: &Field<'_>, faults: &mut Faults) {
    for host in tls.at("hosts").items() {
        faults.each(&host, host.text(), host_faults(host.text()));
    }
    let secret = tls.at("secretName");
    if !secret.text().is_empty() {
        faults.each(&secret, secret.text(), name::dns1123_subdomain(secret.text()));
    }
}

pub(super) const CLASS: Strategy = Strategy {
    group: GROUP,
    kind: "IngressClass",
    generation: Generation::OfSpec,
    default: |class| {
        let spec = class.as_object_mut().and_then(|fields| inner(fields, "spec"));
        if let Some(parameters) = spec.and_then(|spec| inner(spec, "parameters")) {
            fill(parameters, "scope", "Cluster");
        }
    },
    validate: check_class,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        let controller = new.at("spec.controller");
        if controller.text() != old.text_at("spec.controller") {
            faults.wrong_text(&controller, "field is immutable");
        }
        check_class(new, faults);
    },
    ..Strategy::DEFAULT
};

fn check_class(class: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(class, faults);
    let (controller, parameters) = (class.at("spec.controller"), class.at("spec.parameters"));
    if controller.text().len() > 250 {
        faults.too_long(&controller, 250);
    }
    if controller.text().is_empty() {
        faults.required(&controller, "");
    } else {
        for (part, fault) in format::domain_prefixed_path(controller.text()) {
            faults.invalid(&controller, part, fault);
        }
    }
    if parameters.is_set() {
        check_parameters(&parameters, faults);
    }
}

fn check_parameters(parameters: &Field<'_>, faults: &mut Faults) {
    check_reference(parameters, faults);
    let (scope, namespace) = (parameters.at("scope"), parameters.at("namespace"));
    match scope.text() {
        _ if !scope.is_set() => faults.required(&scope, ""),
        "Namespace" if !namespace.is_set() => {
            faults.required(&namespace, "`parameters.scope` is set to 'Namespace'");
        }
        "Namespace" => faults.each(&namespace, namespace.text(), name::dns1123_label(namespace.text())),
        "Cluster" if namespace.is_set() => {
            faults.forbidden(&namespace, "`parameters.scope` is set to 'Cluster'");
        }
        "Cluster" => {}
        _ => faults.unsupported(&scope, &["Cluster", "Namespace"]),
    }
}
