//! Writes the committed table of protobuf field numbers.
//!
//! ```text
//! OpenAPI: fields and JSON names ─┐
//! k8s-pb: numbers ────────────────┼─> crates/schema/facts/protobuf.txt
//! kubectl's Go types: pointers ───┘   (numbers are compared with k8s-pb's)
//! ```
//!
//! OpenAPI does not tell which scalars are pointers in Kubernetes, and the encoder writes every
//! other scalar even when it is empty. The types compiled into a kubectl binary tell; it is older
//! than the description, so [`NEWER_POINTERS`] adds what came since.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::gotypes::{self, GoField, GoTypes};
use super::prost::{self, Messages, plain};

const TABLE: &str = "crates/schema/facts/protobuf.txt";
const HEADER: &str = "\
# Protobuf field numbers of the built-in kinds: DEFINITION FIELD=NUMBER…
# `2.1` is field 1 of the message inlined as field 2; `*` marks a scalar that is kept when empty.
# Written by `cargo run -p xtask -- codegen protobuf K8S_PB_SRC KUBECTL`.
";

/// Optional scalars that are pointers, of types that no kubectl has or that came after it.
const NEWER_POINTERS: &[(&str, &[&str])] = &[
    ("AllocatedDeviceStatus", &["shareID"]),
    ("BasicDevice", &["allowMultipleAllocations", "bindsToNode"]),
    ("CSIDriverSpec", &["serviceAccountTokenInSecrets"]),
    ("CustomResourceDefinitionVersion", &["deprecationWarning"]),
    ("CustomResourceSubresourceScale", &["labelSelectorPath"]),
    ("Device", &["allowMultipleAllocations", "bindsToNode"]),
    ("DeviceClassSpec", &["extendedResourceName"]),
    ("DeviceConstraint", &["distinctAttribute"]),
    ("DeviceRequestAllocationResult", &["shareID"]),
    ("FileKeySelector", &["optional"]),
    (
        "JSONSchemaProps",
        &[
            "$ref",
            "maxItems",
            "maxLength",
            "maxProperties",
            "maximum",
            "minItems",
            "minLength",
            "minProperties",
            "minimum",
            "multipleOf",
            "x-kubernetes-list-type",
            "x-kubernetes-map-type",
            "x-kubernetes-preserve-unknown-fields",
        ],
    ),
    ("MutatingAdmissionPolicySpec", &["failurePolicy"]),
    ("PodCertificateProjection", &["maxExpirationSeconds"]),
    ("PodCertificateRequestSpec", &["maxExpirationSeconds"]),
    ("PodSpec", &["hostnameOverride"]),
    ("ServiceReference", &["path", "port"]),
    ("ValidationRule", &["optionalOldSelf", "reason"]),
    ("WebhookClientConfig", &["url"]),
];

/// Packages whose types came unchanged from an older version of the group, to which a type goes
/// back that is not yet known in the newer one. Promotion keeps field numbers.
const PROMOTED: &[(&str, &str)] = &[
    ("io.k8s.api.admissionregistration.v1", "io.k8s.api.admissionregistration.v1beta1"),
    ("io.k8s.api.admissionregistration.v1beta1", "io.k8s.api.admissionregistration.v1alpha1"),
    ("io.k8s.api.resource.v1", "io.k8s.api.resource.v1beta2"),
    ("io.k8s.api.resource.v1beta2", "io.k8s.api.resource.v1alpha3"),
];

/// Writes the table from the source folder of the crate `k8s-pb` and a kubectl binary.
pub(crate) fn run(root: &Path, swagger: &Value, source: &Path, kubectl: &Path) -> Result<String> {
    let messages = prost::read(source)?;
    let binary = fs::read(kubectl).with_context(|| format!("cannot read {}", kubectl.display()))?;
    let types = gotypes::read(&binary).with_context(|| kubectl.display().to_string())?;
    let (table, report) = table(swagger, &messages, &types)?;
    fs::write(root.join(TABLE), &table).with_context(|| format!("cannot write {TABLE}"))?;
    Ok(format!("{report}wrote {TABLE}: {} bytes", table.len()))
}

fn table(swagger: &Value, messages: &Messages, types: &GoTypes) -> Result<(String, String)> {
    let (mut out, mut report, mut package) = (HEADER.to_owned(), String::new(), "");
    for (name, definition) in swagger["definitions"].as_object().context("no definitions")? {
        let Some(properties) = definition["properties"].as_object() else { continue };
        let (home, short) = super::split(name)?;
        let numbers = numbers(name, properties, messages)?;
        let missing = properties.keys().filter(|field| !numbers.contains_key(field.as_str()));
        for field in missing.filter(|field| !["apiVersion", "kind"].contains(&field.as_str())) {
            writeln!(report, "no number: {name} {field}")?;
        }
        if numbers.is_empty() {
            continue;
        }
        if package != home {
            package = home;
            writeln!(out, "\nin {home}")?;
        }
        write!(out, "{short}")?;
        for (field, path) in &numbers {
            let schema = &properties[*field];
            let keep = is_scalar(schema) && keeps_empty(name, field, path, definition, types, &mut report)?;
            let path: Vec<String> = path.iter().map(u32::to_string).collect();
            write!(out, " {field}={}{}", path.join("."), if keep { "*" } else { "" })?;
        }
        out.push('\n');
    }
    Ok((out, report))
}

/// JSON name -> path of field numbers.
type Numbers<'a> = BTreeMap<&'a str, Vec<u32>>;

fn numbers<'a>(
    name: &str,
    properties: &'a serde_json::Map<String, Value>,
    messages: &Messages,
) -> Result<Numbers<'a>> {
    let (package, short) = super::split(name)?;
    let wanted: BTreeMap<String, &str> = properties.keys().map(|key| (plain(key), key.as_str())).collect();
    ensure!(wanted.len() == properties.len(), "{name}: names differ only in case");
    let mut numbers = Numbers::new();
    let message =
        homes(package).map(|home| format!("{home}.{}", plain(short))).find(|m| messages.contains_key(m));
    if let Some(message) = message {
        claim(&message, &mut Vec::new(), &wanted, messages, &mut numbers);
    }
    Ok(numbers)
}

/// A package and those its types were promoted from.
fn homes(package: &str) -> impl Iterator<Item = &str> {
    let older = |newer: &&str| PROMOTED.iter().find(|(package, _)| package == newer).map(|(_, older)| *older);
    std::iter::successors(Some(package), older)
}

/// Takes the numbers of a message's fields. A message that the definition does not know as a field
/// is a struct inlined in JSON, whose fields are the definition's own.
fn claim<'a>(
    message: &str,
    path: &mut Vec<u32>,
    wanted: &BTreeMap<String, &'a str>,
    messages: &Messages,
    out: &mut Numbers<'a>,
) {
    for field in messages.get(message).into_iter().flatten() {
        path.push(field.number);
        match (wanted.get(&field.name), &field.message) {
            (Some(key), _) => drop(out.entry(key).or_insert_with(|| path.clone())),
            (None, Some(inlined)) if path.len() < 3 => claim(inlined, path, wanted, messages, out),
            (None, _) => {}
        }
        path.pop();
    }
}

fn is_scalar(schema: &Value) -> bool {
    matches!(schema["type"].as_str(), Some("string" | "integer" | "number" | "boolean"))
}

/// Whether Kubernetes' JSON has the scalar even when it is empty.
fn keeps_empty(
    name: &str,
    field: &str,
    path: &[u32],
    definition: &Value,
    types: &GoTypes,
    report: &mut String,
) -> Result<bool> {
    let (package, short) = super::split(name)?;
    if let Some(go) = homes(package).find_map(|home| go_field(&go_name(home, short), path, types)) {
        ensure!(go.json == field, "{name}: {path:?} is {field} in OpenAPI and {} in Go", go.json);
        return Ok(go.pointer || !go.omits_empty);
    }
    let required = definition["required"].as_array().is_some_and(|names| names.iter().any(|n| n == field));
    let pointer =
        NEWER_POINTERS.iter().any(|(definition, fields)| *definition == short && fields.contains(&field));
    if !required && !pointer {
        writeln!(report, "taken as no pointer: {name} {field}")?;
    }
    Ok(required || pointer)
}

fn go_field<'a>(name: &str, path: &[u32], types: &'a GoTypes) -> Option<&'a GoField> {
    let (last, inlined) = path.split_last()?;
    let mut fields = types.get(name)?;
    for number in inlined {
        let outer = fields.iter().find(|field| field.number == Some(*number))?;
        fields = types.get(outer.holds.as_ref()?)?;
    }
    fields.iter().find(|field| field.number == Some(*last))
}

/// `io.k8s.api.core.v1` and `Pod` -> `k8s.io/api/core/v1.Pod`.
fn go_name(package: &str, short: &str) -> String {
    format!("k8s.io/{}.{short}", package.trim_start_matches("io.k8s.").replace('.', "/"))
}
