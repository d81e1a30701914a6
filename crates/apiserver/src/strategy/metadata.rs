//! The rules of `metadata`, the same for all kinds but for the form of the name.
//!
//! Sources: apimachinery `api/validation/objectmeta.go`, apiserver `registry/rest` of Kubernetes 1.36.

use api::meta::name;
use api::selector::LabelSelector;
use serde_json::Value;

use super::field::{Faults, Field};
use super::tree::{self, same};

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// They must have one.
    Namespaced,
    /// They may have none.
    Cluster,
    /// The table of kinds knows, and the request pipeline has seen to it.
    Either,
}

/// What is wrong with a name.
pub(crate) type NameRule = fn(&str) -> Vec<String>;

/// What the metadata of a kind looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta {
    /// Whether it has a namespace.
    pub(crate) scope: Scope,
    /// The form of its name.
    pub(crate) name: NameRule,
}

impl Meta {
    /// In a namespace, with a DNS subdomain as name: most kinds.
    pub(crate) const NAMESPACED: Self = Self { scope: Scope::Namespaced, name: name::dns1123_subdomain };
    /// Outside of namespaces, with a DNS subdomain as name.
    pub(crate) const CLUSTER: Self = Self { scope: Scope::Cluster, name: name::dns1123_subdomain };

    /// Finds what is wrong with the metadata of an object.
    pub(crate) fn check(&self, object: &Field<'_>, faults: &mut Faults) {
        self.check_extension(object, faults);
        standard_finalizers(&object.at("metadata"), faults);
    }

    /// The same for kinds outside of Kubernetes' core, whose finalizers need no domain.
    pub(crate) fn check_extension(&self, object: &Field<'_>, faults: &mut Faults) {
        let meta = object.at("metadata");
        self.check_name(&meta, faults);
        self.check_namespace(&meta, faults);
        faults.nonnegative(&meta.at("generation"));
        labels(&meta.at("labels"), faults);
        annotations(&meta.at("annotations"), faults);
        owners(&meta.at("ownerReferences"), faults);
        finalizers(&meta.at("finalizers"), faults);
        managed_fields(&meta.at("managedFields"), faults);
    }

    fn check_name(&self, meta: &Field<'_>, faults: &mut Faults) {
        let (generate, name) = (meta.at("generateName"), meta.at("name"));
        if !generate.text().is_empty() {
            faults.each(&generate, generate.text(), (self.name)(&mask_dash(generate.text())));
        }
        if name.text().is_empty() {
            faults.required(&name, "name or generateName is required");
        } else {
            faults.each(&name, name.text(), (self.name)(name.text()));
        }
    }

    fn check_namespace(&self, meta: &Field<'_>, faults: &mut Faults) {
        let namespace = meta.at("namespace");
        match (self.scope, namespace.text()) {
            (Scope::Namespaced, "") => faults.required(&namespace, ""),
            (Scope::Namespaced, text) => faults.each(&namespace, text, name::dns1123_label(text)),
            (Scope::Cluster, text) if !text.is_empty() => {
                faults.forbidden(&namespace, "not allowed on this type");
            }
            (Scope::Cluster | Scope::Either, _) => {}
        }
    }
}

/// Finds what is wrong with a change of metadata.
pub(crate) fn check_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    check_update_common(new, old, faults);
    standard_finalizers(&new.at("metadata"), faults);
}

/// The part of [`check_update`] that the registry does for every kind before the kind's own rules.
pub(crate) fn check_update_common(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let (new, old) = (new.at("metadata"), old.at("metadata"));
    if old.has("deletionTimestamp") {
        no_new_finalizers(&new.at("finalizers"), &old.at("finalizers"), faults);
    }
    let version = new.at("resourceVersion");
    if version.text().is_empty() {
        faults.wrong_text(&version, "must be specified for an update");
    }
    let generation = new.at("generation");
    if generation.number().unwrap_or(0) < old.number_at("generation") {
        faults.invalid(&generation, generation.number().unwrap_or(0), "must not be decremented");
    }
    for field in ["name", "namespace", "uid"] {
        let at = new.at(field);
        if at.text() != old.text_at(field) {
            faults.wrong_text(&at, "field is immutable");
        }
    }
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        faults.immutable(&new.at(field), &old.at(field));
    }
    labels(&new.at("labels"), faults);
    annotations(&new.at("annotations"), faults);
    owners(&new.at("ownerReferences"), faults);
    managed_fields(&new.at("managedFields"), faults);
}

/// Keeps what an update can never change: uid, times, and what is left out of them.
pub(crate) fn carry_over(new: &mut Value, old: &Value) {
    let (Some(new), Some(old)) =
        (tree::fields_at(new, "metadata"), old.get("metadata").and_then(Value::as_object))
    else {
        return;
    };
    for (field, always) in [
        ("uid", false),
        ("creationTimestamp", true),
        ("deletionTimestamp", true),
        ("deletionGracePeriodSeconds", false),
    ] {
        if let Some(value) = old.get(field).filter(|value| !value.is_null())
            && (always || tree::is_zero(new, field))
        {
            new.insert(field.to_owned(), value.clone());
        }
    }
}

/// Sets the first generation.
pub(crate) fn first_generation(object: &mut Value) {
    api::meta::set_generation(object, 1);
}

/// Counts the generation up where what the user wants has changed.
///
/// `parts` are JSON pointers to what counts; none means everything but metadata and status.
pub(crate) fn next_generation(new: &mut Value, old: &Value, parts: &[&str]) {
    let part = |object: &Value, pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let changed = match parts {
        [] => !same(&content(new), &content(old)),
        parts => parts.iter().any(|pointer| !same(&part(new, pointer), &part(old, pointer))),
    };
    let generation = old["metadata"]["generation"].as_i64();
    match generation {
        Some(generation) => api::meta::set_generation(new, generation + i64::from(changed)),
        None if changed => api::meta::set_generation(new, 1),
        None => {}
    }
}

fn content(object: &Value) -> Value {
    let fields = object.as_object().into_iter().flatten();
    let kept =
        fields.filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status" | "kind" | "apiVersion"));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A trailing dash of a `generateName` is no fault: letters will follow it.
fn mask_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut masked: String = rest.chars().take(rest.chars().count() - 1).collect();
            masked.push('a');
            masked
        }
        _ => prefix.to_owned(),
    }
}

/// Finds what is wrong with a map of labels.
pub(crate) fn labels(labels: &Field<'_>, faults: &mut Faults) {
    for (key, value) in labels.entries() {
        faults.each(labels, key, name::qualified_name(key));
        faults.each(labels, value.text(), name::label_value(value.text()));
    }
}

/// Finds what is wrong with a key of labels.
pub(crate) fn label_key(at: &Field<'_>, key: &str, faults: &mut Faults) {
    faults.each(at, key, name::qualified_name(key));
}

/// Finds what is wrong with annotations.
pub(crate) fn annotations(annotations: &Field<'_>, faults: &mut Faults) {
    const MAX_BYTES: usize = 256 * 1024;
    let mut bytes = 0;
    for (key, value) in annotations.entries() {
        faults.each(annotations, key, name::qualified_name(&key.to_lowercase()));
        bytes += key.len() + value.text().len();
    }
    if bytes > MAX_BYTES {
        faults.too_long(annotations, MAX_BYTES);
    }
}

fn owners(owners: &Field<'_>, faults: &mut Faults) {
    let mut controller: Option<String> = None;
    for owner in owners.items() {
        check_owner(owners, &owner, faults);
        if !owner.is_true("controller") {
            continue;
        }
        let this = format!("{}/{}", owner.text_at("kind"), owner.text_at("name"));
        match &controller {
            None => controller = Some(this),
            Some(first) => faults.wrong(
                owners,
                format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                     and {this}"
                ),
            ),
        }
    }
}

fn check_owner(owners: &Field<'_>, owner: &Field<'_>, faults: &mut Faults) {
    let version = owner.text_at("apiVersion");
    if version.is_empty() || version.ends_with('/') {
        faults.invalid(&owners.at("apiVersion"), version, "version must not be empty");
    }
    for field in ["kind", "name", "uid"] {
        if owner.text_at(field).is_empty() {
            faults.invalid(&owners.at(field), "", "must not be empty");
        }
    }
    if version == "v1" && owner.text_at("kind") == "Event" {
        let event = "/v1, Kind=Event is disallowed from being an owner";
        faults.invalid(owners, owner.value().clone(), event);
    }
}

fn finalizers(finalizers: &Field<'_>, faults: &mut Faults) {
    for finalizer in finalizers.texts() {
        faults.each(finalizers, finalizer, name::qualified_name(finalizer));
    }
    let has = |name| finalizers.texts().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        faults.wrong(finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
    }
}

/// A finalizer without a domain must be one of Kubernetes' own.
fn standard_finalizers(meta: &Field<'_>, faults: &mut Faults) {
    for finalizer in meta.at("finalizers").items() {
        standard_finalizer(&finalizer, faults);
    }
}

/// Finds a finalizer that is neither Kubernetes' own nor has a domain.
pub(crate) fn standard_finalizer(finalizer: &Field<'_>, faults: &mut Faults) {
    let text = finalizer.text();
    if !text.contains('/') && !matches!(text, "kubernetes" | "orphan" | "foregroundDeletion") {
        faults.invalid(
            finalizer,
            text,
            "name is neither a standard finalizer name nor is it fully qualified",
        );
    }
}

fn no_new_finalizers(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let mut extra: Vec<&str> = new.texts().filter(|name| !old.texts().any(|old| old == *name)).collect();
    extra.sort_unstable();
    extra.dedup();
    if !extra.is_empty() {
        let quoted: Vec<String> = extra.iter().map(|name| format!("{name:?}")).collect();
        let list = quoted.join(", ");
        let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
        faults.forbidden(new, format!("{why} []string{{{list}}}"));
    }
}

fn managed_fields(entries: &Field<'_>, faults: &mut Faults) {
    for entry in entries.items() {
        let operation = entry.at("operation");
        if !matches!(operation.text(), "Apply" | "Update") {
            faults.wrong_text(&operation, "must be `Apply` or `Update`");
        }
        let form = entry.at("fieldsType");
        if !matches!(form.text(), "" | "FieldsV1") {
            faults.wrong_text(&form, "must be `FieldsV1`");
        }
        if entry.text_at("manager").len() > 128 {
            faults.too_long(&entry.at("manager"), 128);
        }
        if entry.text_at("subresource").len() > 256 {
            faults.too_long(&entry.at("subresource"), 256);
        }
    }
}

/// Finds what is wrong with a label selector; an absent one is good.
pub(crate) fn selector(selector: &Field<'_>, faults: &mut Faults) {
    labels(&selector.at("matchLabels"), faults);
    for expression in selector.at("matchExpressions").items() {
        let values = expression.at("values");
        match expression.text_at("operator") {
            "In" | "NotIn" if values.is_empty() => {
                faults.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                faults
                    .forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => faults.wrong_text(&expression.at("operator"), "not a valid selector operator"),
        }
        label_key(&expression.at("key"), expression.text_at("key"), faults);
        for value in values.items() {
            faults.each(&value, value.text(), name::label_value(value.text()));
        }
    }
}

/// Whether a label selector asks for nothing in particular.
pub(crate) fn selects_all(selector: &Field<'_>) -> bool {
    selector.at("matchLabels").is_empty() && selector.at("matchExpressions").is_empty()
}

/// Whether a label selector matches labels; `None` where the selector is wrong.
pub(crate) fn selects(selector: &Field<'_>, labels: &Field<'_>) -> Option<bool> {
    let selector = LabelSelector::from_object(Some(selector.value())).ok()?;
    Some(selector.matches_map(labels.map()))
}

/// Finds what is wrong with a list of `metav1.Condition`.
pub(crate) fn conditions(conditions: &Field<'_>, faults: &mut Faults) {
    let mut seen: Vec<&str> = Vec::new();
    for condition in conditions.items() {
        let (kind, status) = (condition.at("type"), condition.at("status"));
        if seen.contains(&kind.text()) {
            faults.duplicate(&kind, kind.text());
        }
        seen.push(condition.text_at("type"));
        label_key(&kind, kind.text(), faults);
        if !matches!(status.text(), "True" | "False" | "Unknown") {
            faults.unsupported(&status, &["False", "True", "Unknown"]);
        }
        if condition.number_at("observedGeneration") < 0 {
            faults.wrong(&condition.at("observedGeneration"), "must be greater than or equal to zero");
        }
        if !condition.has("lastTransitionTime") {
            faults.required(&condition.at("lastTransitionTime"), "must be set");
        }
        check_reason(&condition.at("reason"), faults);
        if condition.text_at("message").len() > 32 * 1024 {
            faults.too_long(&condition.at("message"), 32 * 1024);
        }
    }
}

fn check_reason(reason: &Field<'_>, faults: &mut Faults) {
    const RULE: &str = "a condition reason must start with alphabetic character, optionally followed by a string of \
                        alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
    const EXAMPLES: [&str; 5] = ["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"];
    let bytes = reason.text().as_bytes();
    if bytes.is_empty() {
        return faults.required(reason, "must be set");
    }
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let good = bytes[0].is_ascii_alphabetic()
        && bytes.last().is_some_and(word)
        && bytes.iter().all(|b| word(b) || b",:".contains(b));
    if !good {
        let regex = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
        faults.wrong_text(reason, super::format::rule(RULE, &EXAMPLES, regex));
    }
    if bytes.len() > 1024 {
        faults.too_long(reason, 1024);
    }
}
