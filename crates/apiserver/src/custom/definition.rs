//! CustomResourceDefinitions themselves: defaults, what their status begins as, what must be right.
//!
//! Source: `pkg/apis/apiextensions/{v1,validation}` and `pkg/registry/customresourcedefinition` of
//! apiextensions-apiserver, Kubernetes 1.36.

use std::collections::BTreeSet;

use api::columns::CustomColumn;
use api::meta::{self, name};
use api::status::{FieldError, FieldErrorKind};
use schema::{NodeRef, Type};
use serde_json::{Value, json};

use super::{CompileError, Custom, names};

/// Holds a definition until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
const SELECTABLE_MAX: usize = 8;

/// Fills in what a client left out.
pub(crate) fn default(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let conversion = spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    if let Some(service) =
        conversion.pointer_mut("/webhook/clientConfig/service").and_then(Value::as_object_mut)
    {
        service.entry("port").or_insert_with(|| json!(443));
    }
    for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(version) = version.as_object_mut() else { continue };
        version.entry("served").or_insert(json!(false));
        version.entry("storage").or_insert(json!(false));
    }
    let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) else { return };
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !kind.is_empty() {
        fill(names, "singular", kind.to_lowercase());
        fill(names, "listKind", format!("{kind}List"));
    }
}

fn fill(names: &mut serde_json::Map<String, Value>, field: &str, value: String) {
    if names.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
        names.insert(field.to_owned(), value.into());
    }
}

fn storage_version(definition: &Value) -> Option<&str> {
    versions(definition).find(|v| v["storage"] == true).map(|version| meta::text(version, "name"))
}

fn versions(definition: &Value) -> impl Iterator<Item = &Value> {
    definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// Readies a new definition: no status but the version its objects will be stored in, and the finalizer.
pub(crate) fn prepare_create(definition: &mut Value) {
    let stored: Vec<&str> = storage_version(definition).into_iter().collect();
    let status =
        json!({"acceptedNames": {"plural": "", "kind": ""}, "conditions": [], "storedVersions": stored});
    if let Some(fields) = definition.as_object_mut() {
        fields.insert("status".into(), status);
    }
    let finalizers: Vec<String> = meta::finalizers(definition).map(str::to_owned).collect();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        let all: Vec<&str> = finalizers.iter().map(String::as_str).chain([FINALIZER]).collect();
        meta::set_finalizers(definition, &all);
    }
}

/// Readies a changed definition: the status stays, but for a storage version that is new.
pub(crate) fn prepare_update(definition: &mut Value, old: &Value) {
    let mut status = old.get("status").cloned().unwrap_or_else(|| json!({}));
    if let Some(stored) = storage_version(definition) {
        let known = status.get("storedVersions").and_then(Value::as_array).cloned().unwrap_or_default();
        if !known.iter().any(|version| version == stored) {
            let all: Vec<Value> = known.into_iter().chain([stored.into()]).collect();
            status["storedVersions"] = all.into();
        }
    }
    if let Some(fields) = definition.as_object_mut() {
        fields.insert("status".into(), status);
    }
}

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, kind: FieldErrorKind, path: &str, value: Option<Value>, detail: impl Into<String>) {
        self.0.push(FieldError { kind, path: path.to_owned(), bad_value: value, detail: detail.into() });
    }

    fn required(&mut self, path: &str, detail: &str) {
        self.add(FieldErrorKind::Required, path, None, detail);
    }

    fn invalid(&mut self, path: &str, value: impl Into<Value>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Invalid, path, Some(value.into()), detail);
    }

    fn forbidden(&mut self, path: &str, detail: &str) {
        self.add(FieldErrorKind::Forbidden, path, None, detail);
    }

    fn unsupported(&mut self, path: &str, value: &str, known: &[&str]) {
        let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
        let detail = format!("supported values: {}", known.join(", "));
        self.add(FieldErrorKind::NotSupported, path, Some(value.into()), detail);
    }

    fn each(&mut self, path: &str, value: &str, messages: Vec<String>) {
        for message in messages {
            self.invalid(path, value, message);
        }
    }

    /// A text that must be set and one of those known.
    fn one_of(&mut self, path: &str, value: &str, known: &[&str]) {
        if value.is_empty() {
            self.required(path, "");
        } else if !known.contains(&value) {
            self.unsupported(path, value, known);
        }
    }
}

/// What is wrong with a definition.
pub(crate) fn validate(definition: &Value) -> Vec<FieldError> {
    let mut faults = Faults::default();
    identity(definition, &mut faults);
    let spec = definition.get("spec").unwrap_or(&Value::Null);
    check_names(spec, &mut faults);
    check_versions(spec, &mut faults);
    check_conversion(spec, &mut faults);
    if spec.get("preserveUnknownFields") == Some(&Value::Bool(true)) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        faults.invalid("spec.preserveUnknownFields", true, detail);
    }
    if faults.0.is_empty() {
        check_compiled(definition, &mut faults);
    }
    faults.0
}

/// What is wrong with a change of a definition.
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut faults = Faults::default();
    if new.get("spec") != old.get("spec") {
        faults.0 = validate(new);
    }
    let established = old.get("status").is_some_and(|status| names::is_true(status, "Established"));
    for field in ["spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"] {
        let (is, was) = (meta::text(new, field), meta::text(old, field));
        let fixed = established || matches!(field, "spec.group" | "spec.names.plural");
        if is != was && fixed {
            faults.invalid(field, is, "field is immutable");
        }
    }
    check_stored(new, &mut faults);
    faults.0
}

/// What is wrong with a change of a definition's status.
pub(crate) fn validate_status(new: &Value) -> Vec<FieldError> {
    let mut faults = Faults::default();
    check_stored(new, &mut faults);
    faults.0
}

fn identity(definition: &Value, faults: &mut Faults) {
    let group = meta::text(definition, "spec.group");
    let wanted = format!("{}.{group}", meta::text(definition, "spec.names.plural"));
    if meta::name(definition) != wanted {
        faults.invalid("metadata.name", meta::name(definition), "must be spec.names.plural+\".\"+spec.group");
    }
    if group.is_empty() {
        faults.required("spec.group", "");
    } else {
        faults.each("spec.group", group, name::dns1123_subdomain(group));
        if !group.contains('.') {
            faults.invalid("spec.group", group, "should be a domain with at least one dot");
        }
    }
    faults.one_of("spec.scope", meta::text(definition, "spec.scope"), &["Cluster", "Namespaced"]);
    if names::is_protected(group) {
        check_approval(meta::annotation(definition, names::APPROVED), faults);
    }
}

fn check_approval(annotation: Option<&str>, faults: &mut Faults) {
    let path = format!("metadata.annotations[{}]", names::APPROVED);
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match annotation {
        None | Some("") => {
            let detail =
                format!("protected groups must have approval annotation {:?}, {see}", names::APPROVED);
            faults.required(&path, &detail);
        }
        Some(text) if text.starts_with("unapproved") || names::is_url(text) => {}
        Some(text) => {
            let detail = format!(
                "protected groups must have approval annotation {:?} with either a URL or a reason starting with \
                 \"unapproved\", {see}",
                names::APPROVED
            );
            faults.invalid(&path, text, detail);
        }
    }
}

fn check_names(spec: &Value, faults: &mut Faults) {
    let names = spec.get("names").unwrap_or(&Value::Null);
    let text = |field| meta::text(names, field);
    for field in ["plural", "singular"] {
        let path = format!("spec.names.{field}");
        match text(field) {
            "" if field == "plural" => faults.required(&path, ""),
            "" => {}
            name => faults.each(&path, name, name::dns1035_label(name)),
        }
    }
    for field in ["kind", "listKind"] {
        let path = format!("spec.names.{field}");
        match text(field) {
            "" => faults.required(&path, ""),
            kind => {
                let messages = name::dns1035_label(&kind.to_lowercase());
                let worded = |text| format!("may have mixed case, but should otherwise match: {text}");
                faults.each(&path, kind, messages.into_iter().map(worded).collect());
            }
        }
    }
    for field in ["shortNames", "categories"] {
        let listed = names.get(field).and_then(Value::as_array).into_iter().flatten();
        for (index, name) in listed.filter_map(Value::as_str).enumerate() {
            faults.each(&format!("spec.names.{field}[{index}]"), name, name::dns1035_label(name));
        }
    }
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        faults.invalid("spec.names.listKind", text("listKind"), "kind and listKind may not be the same");
    }
}

fn check_versions(spec: &Value, faults: &mut Faults) {
    let listed = spec.get("versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut known = BTreeSet::new();
    for (index, version) in listed.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        let name = meta::text(version, "name");
        faults.each(&format!("{path}.name"), name, name::dns1035_label(name));
        if !known.insert(name) {
            faults.invalid("spec.versions", json!(names_of(listed)), "must contain unique version names");
        }
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            faults.required(&format!("{path}.schema.openAPIV3Schema"), "schemas are required");
        }
        check_columns(version, &path, faults);
        check_scale(version, &path, faults);
    }
    if listed.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        faults.invalid("spec.versions", json!(names_of(listed)), detail);
    }
}

fn names_of(versions: &[Value]) -> Vec<&str> {
    versions.iter().map(|version| meta::text(version, "name")).collect()
}

fn check_columns(version: &Value, path: &str, faults: &mut Faults) {
    const TYPES: &str = "must be one of boolean,date,integer,number,string";
    const FORMATS: [&str; 9] =
        ["int32", "int64", "float", "double", "byte", "date", "date-time", "password", ""];
    let listed = version.get("additionalPrinterColumns").and_then(Value::as_array).into_iter().flatten();
    for (index, column) in listed.enumerate() {
        let at = |field: &str| format!("{path}.additionalPrinterColumns[{index}].{field}");
        let text = |field| meta::text(column, field);
        for field in ["name", "type", "jsonPath"] {
            if text(field).is_empty() {
                let detail = if field == "type" { TYPES } else { "" };
                faults.required(&at(field), detail);
            }
        }
        if !matches!(text("type"), "" | "boolean" | "date" | "integer" | "number" | "string") {
            faults.invalid(&at("type"), text("type"), TYPES);
        }
        if !FORMATS.contains(&text("format")) {
            let detail = "must be one of byte,date,date-time,double,float,int32,int64,password";
            faults.invalid(&at("format"), text("format"), detail);
        }
        let good = !text("jsonPath").is_empty() && !text("name").is_empty();
        let probe = json!({"name": "x", "type": "string", "jsonPath": text("jsonPath")});
        if good && CustomColumn::parse(&probe).is_err() {
            faults.invalid(&at("jsonPath"), text("jsonPath"), "is not a JSON path that can be evaluated");
        }
    }
}

fn check_scale(version: &Value, path: &str, faults: &mut Faults) {
    let Some(scale) = version.pointer("/subresources/scale") else { return };
    for (field, roots) in [
        ("specReplicasPath", &[".spec"][..]),
        ("statusReplicasPath", &[".status"]),
        ("labelSelectorPath", &[".status", ".spec"]),
    ] {
        let at = format!("{path}.subresources.scale.{field}");
        let text = meta::text(scale, field);
        if text.is_empty() {
            if field != "labelSelectorPath" {
                faults.required(&at, "");
            }
        } else if !is_plain_path(text) {
            faults.invalid(&at, text, "should be a simple json path starting with .");
        } else if !roots.iter().any(|root| text.strip_prefix(root).is_some_and(|rest| rest.starts_with('.')))
        {
            let roots = roots.join(" or ");
            faults.invalid(&at, text, format!("should be a json path under {roots}"));
        }
    }
}

/// A path of field names only: `.spec.replicas`.
fn is_plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('.') else { return false };
    let plain =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    rest.split('.').all(plain)
}

fn check_conversion(spec: &Value, faults: &mut Faults) {
    let conversion = spec.get("conversion").unwrap_or(&Value::Null);
    let strategy = meta::text(conversion, "strategy");
    faults.one_of("spec.conversion.strategy", strategy, &["None", "Webhook"]);
    let webhook = conversion.get("webhook");
    match (strategy, webhook) {
        ("None", Some(_)) => {
            faults.forbidden(
                "spec.conversion.webhook",
                "should not be set when strategy is not set to Webhook",
            );
        }
        ("Webhook", None) => {
            faults
                .required("spec.conversion.webhook.clientConfig", "required when strategy is set to Webhook");
        }
        ("Webhook", Some(webhook)) => check_webhook(webhook, faults),
        _ => {}
    }
}

fn check_webhook(webhook: &Value, faults: &mut Faults) {
    let Some(config) = webhook.get("clientConfig") else {
        return faults
            .required("spec.conversion.webhook.clientConfig", "required when strategy is set to Webhook");
    };
    if config.get("url").is_some() == config.get("service").is_some() {
        let detail = "exactly one of url or service is required";
        faults.required("spec.conversion.webhook.clientConfig", detail);
    }
    if meta::text(config, "url").starts_with("http://") {
        let path = "spec.conversion.webhook.clientConfig.url";
        faults.invalid(path, meta::text(config, "url"), "'https' is the only allowed URL scheme");
    }
    let listed = webhook.get("conversionReviewVersions").and_then(Value::as_array);
    let reviews: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    let path = "spec.conversion.webhook.conversionReviewVersions";
    if reviews.is_empty() {
        faults.required(path, "");
    } else if !reviews.iter().any(|version| matches!(*version, "v1" | "v1beta1")) {
        faults.invalid(path, json!(reviews), "must include at least one of v1, v1beta1");
    }
}

/// Versions in which objects may still be stored must stay in the definition.
fn check_stored(definition: &Value, faults: &mut Faults) {
    let known: Vec<&str> = versions(definition).map(|version| meta::text(version, "name")).collect();
    let stored = definition.pointer("/status/storedVersions").and_then(Value::as_array);
    let mut current = false;
    for (index, version) in stored.into_iter().flatten().filter_map(Value::as_str).enumerate() {
        current |= Some(version) == storage_version(definition);
        if !known.contains(&version) {
            let detail = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in \
                 spec.versions until a storage migration ensures no data remains persisted in {version} and removes \
                 {version} from status.storedVersions"
            );
            faults.invalid(&format!("status.storedVersions[{index}]"), version, detail);
        }
    }
    if !current && let Some(storage) = storage_version(definition) {
        let detail = format!("must have the storage version {storage}");
        let shown = definition.pointer("/status/storedVersions").cloned().unwrap_or_default();
        faults.invalid("status.storedVersions", shown, detail);
    }
}

/// What only compiling tells: schemas, rules, and fields that must be in the schema.
fn check_compiled(definition: &Value, faults: &mut Faults) {
    match Custom::compile(definition) {
        Ok(custom) => {
            for (index, (version, compiled)) in versions(definition).zip(&custom.versions).enumerate() {
                check_selectable(version, compiled.root(), index, faults);
            }
        }
        Err(CompileError::Schema(errors)) => faults.0.extend(errors),
        Err(error @ (CompileError::Row(_) | CompileError::Columns(_))) => {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            faults.invalid("spec.versions", Value::Null, why);
        }
    }
}

fn check_selectable(version: &Value, root: NodeRef<'_>, index: usize, faults: &mut Faults) {
    let path = format!("spec.versions[{index}].selectableFields");
    let listed = version.get("selectableFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if listed.len() > SELECTABLE_MAX {
        let detail = format!("must have at most {SELECTABLE_MAX} items");
        faults.add(FieldErrorKind::TooMany, &path, Some(listed.len().into()), detail);
    }
    let mut seen = BTreeSet::new();
    for (index, entry) in listed.iter().enumerate() {
        let at = format!("{path}[{index}].jsonPath");
        let text = meta::text(entry, "jsonPath");
        if text.is_empty() {
            faults.required(&at, "");
        } else if !seen.insert(text) {
            faults.add(FieldErrorKind::Duplicate, &at, Some(text.into()), "");
        } else if let Err(detail) = selectable(text, root) {
            faults.invalid(&at, text, detail);
        }
    }
}

fn selectable(path: &str, root: NodeRef<'_>) -> Result<(), String> {
    let unknown = || "is an invalid path: does not refer to a valid field".to_owned();
    if !is_plain_path(path) {
        return Err("is an invalid path: must be a simple path of field names".to_owned());
    }
    let names = path.trim_start_matches('.').split('.');
    if path == ".metadata" || path.starts_with(".metadata.") {
        return Err("must not point to fields in metadata".to_owned());
    }
    let mut node = root;
    for name in names {
        node = node.field(name).ok_or_else(unknown)?.node();
    }
    match node.ty() {
        Type::String | Type::Boolean | Type::Integer => Ok(()),
        _ => Err(
            "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                  formats are allowed."
                .to_owned(),
        ),
    }
}
