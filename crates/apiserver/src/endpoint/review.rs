//! Questions that are answered and not kept: who a token names, who I am, who may do what.

use std::collections::BTreeMap;

use api::gvk::GroupVersionKind;
use api::meta;
use api::status::{FieldError, FieldPath, Status};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::authn::User;
use crate::authz::rule::Rule;
use crate::authz::{Action, Decision};
use crate::decode::{self, FieldValidation};
use crate::negotiate::Encoding;
use crate::request::ResourceInfo;
use crate::respond::{self, Outcome};

#[cfg(test)]
mod tests;

/// Answers `create` of a review.
///
/// # Errors
/// 400 for a body that is not understood, 422 for a question that makes no sense, 501 for a resource
/// that is no review.
pub async fn create(call: &Call) -> Outcome {
    let kind = call.resource().kind.clone();
    let mut review = decode(call, &kind)?;
    let status = match &*kind {
        "TokenReview" => token(call, &review).await?,
        "SelfSubjectReview" => json!({"userInfo": user_info(&call.user)}),
        "SelfSubjectRulesReview" => rules(call, &review)?,
        _ => access(call, &mut review)?,
    };
    meta::metadata_mut(&mut review);
    if &*kind == "SelfSubjectReview" {
        meta::set_creation_timestamp(&mut review, call.shared.now());
    }
    review["status"] = status;
    answer(call, StatusCode::CREATED, &review)
}

/// Whether [`create`] answers creates of a kind.
pub fn is_review(group: &str) -> bool {
    matches!(group, "authentication.k8s.io" | "authorization.k8s.io")
}

/// The body as an object of a kind, with what it leaves out.
pub(super) fn decode(call: &Call, kind: &str) -> Result<Value, Status> {
    let validation = FieldValidation::parse(&call.query.field_validation)?;
    let (group, version) = match kind {
        "TokenRequest" => ("authentication.k8s.io", "v1"),
        _ => (&*call.resource().group, &*call.target.version().name),
    };
    let gvk = GroupVersionKind::new(group.to_owned(), version.to_owned(), kind.to_owned());
    let family = group.split('.').next().unwrap_or_default();
    let definition = schema::builtin().definition(&format!("io.k8s.api.{family}.{version}.{kind}"));
    let shape = definition.map_or(schema::decode::Shape::Custom, schema::decode::Shape::Typed);
    let decoded = decode::expect_kind(decode::body(&call.headers, &call.body, shape)?, &gvk)?;
    validation.judge(&decoded.issues)?;
    Ok(decoded.value)
}

/// An object that is not stored, in the encoding asked for.
pub(super) fn answer(call: &Call, code: StatusCode, object: &Value) -> Outcome {
    match call.accepted.encoding {
        Encoding::Json | Encoding::Protobuf => Ok(respond::json(code, Bytes::from(object.to_string()))),
        Encoding::Yaml => {
            let yaml = serde_saphyr::to_string(object).map_err(Status::internal_error)?;
            Ok(respond::answer(code, "application/yaml", respond::full(yaml)))
        }
    }
}

/// A list of texts; absent and null are empty.
pub(super) fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

async fn token(call: &Call, review: &Value) -> Result<Value, Status> {
    let token = meta::text(review, "spec.token");
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let audiences = texts(review.pointer("/spec/audiences"));
    Ok(match call.shared.authenticator.review(token, &audiences).await {
        Ok(valid) => {
            json!({"authenticated": true, "user": user_info(&valid.user), "audiences": valid.audiences})
        }
        Err(why) => json!({"user": {}, "error": why}),
    })
}

/// Whether a user may do something: the three access reviews.
fn access(call: &Call, review: &mut Value) -> Result<Value, Status> {
    let own = call.resource().kind == "SelfSubjectAccessReview";
    check_access(call, review, own)?;
    let spec = &review["spec"];
    let user = if own { (*call.user).clone() } else { asked_user(spec) };
    let (resource, text) =
        (spec.get("resourceAttributes").filter(|r| !r.is_null()).map(asked_resource), |path| {
            meta::text(spec, path)
        });
    let action = match &resource {
        Some((verb, resource)) => Action::on(verb, resource),
        None => Action {
            verb: text("nonResourceAttributes.verb"),
            path: text("nonResourceAttributes.path"),
            resource: None,
            field_selector: "",
        },
    };
    let selector =
        if resource.is_some() { asked_selector(&spec["resourceAttributes"]) } else { String::new() };
    let action = Action { field_selector: &selector, ..action };
    Ok(decided(call.shared.authorizer.authorize(&user, &action)))
}

fn decided(decision: Decision) -> Value {
    let (mut status, reason) = match decision {
        Decision::Allow(reason) => (json!({"allowed": true}), reason),
        Decision::Deny(reason) => (json!({"allowed": false, "denied": true}), reason),
        Decision::NoOpinion(reason) => (json!({"allowed": false}), reason),
    };
    if !reason.is_empty() {
        status["reason"] = reason.into();
    }
    status
}

fn check_access(call: &Call, review: &Value, own: bool) -> Result<(), Status> {
    let spec = FieldPath::new("spec");
    let set = |field: &str| {
        review.get("spec").and_then(|spec| spec.get(field)).is_some_and(|value| !meta::is_empty(value))
    };
    let mut errors = Vec::new();
    let (resource, path) = (set("resourceAttributes"), set("nonResourceAttributes"));
    if resource && path {
        let detail = "cannot be specified in combination with resourceAttributes";
        errors.push(FieldError::invalid(&spec.child("nonResourceAttributes"), "", detail));
    }
    if !resource && !path {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid(&spec.child("resourceAttributes"), Value::Null, detail));
    }
    if !own && !set("user") && !set("groups") {
        errors.push(FieldError::invalid(
            &spec.child("user"),
            "",
            "at least one of user or group must be specified",
        ));
    }
    if call.resource().namespaced() {
        let namespace = meta::text(review, "spec.resourceAttributes.namespace");
        if namespace != call.info.namespace {
            let detail = "must match metadata.namespace";
            errors.push(FieldError::invalid(
                &spec.child("resourceAttributes").child("namespace"),
                namespace,
                detail,
            ));
        }
        if path {
            let detail = "disallowed on this kind of request";
            errors.push(FieldError::invalid(&spec.child("nonResourceAttributes"), "", detail));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(&call.resource().group_kind(), "", &errors)) }
}

fn asked_user(spec: &Value) -> User {
    let extra = spec.get("extra").and_then(Value::as_object).into_iter().flatten();
    let extra: BTreeMap<String, Vec<String>> =
        extra.map(|(key, values)| (key.to_lowercase(), texts(Some(values)))).collect();
    let text = |field| meta::text(spec, field).to_owned();
    User { name: text("user"), uid: text("uid"), groups: texts(spec.get("groups")), extra }
}

fn asked_resource(attributes: &Value) -> (String, ResourceInfo) {
    let text = |field| meta::text(attributes, field).to_owned();
    let info = ResourceInfo {
        group: text("group"),
        version: text("version"),
        resource: text("resource"),
        subresource: text("subresource"),
        namespace: text("namespace"),
        name: text("name"),
        rest: String::new(),
    };
    (text("verb"), info)
}

/// The field selector in its typed form; requirements that are no equality narrow nothing here.
fn asked_selector(attributes: &Value) -> String {
    let raw = meta::text(attributes, "fieldSelector.rawSelector");
    if !raw.is_empty() {
        return raw.to_owned();
    }
    let requirements = attributes.pointer("/fieldSelector/requirements").and_then(Value::as_array);
    let terms = requirements.into_iter().flatten().filter_map(|requirement| {
        let values = texts(requirement.get("values"));
        let single = meta::text(requirement, "operator") == "In" && values.len() == 1;
        single.then(|| format!("{}={}", meta::text(requirement, "key"), values[0]))
    });
    terms.collect::<Vec<_>>().join(",")
}

/// What the caller may do in a namespace.
fn rules(call: &Call, review: &Value) -> Result<Value, Status> {
    let namespace = meta::text(review, "spec.namespace");
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let known = call.shared.authorizer.known(&call.user, namespace);
    let (paths, resources): (Vec<Rule>, Vec<Rule>) =
        known.rules.into_iter().partition(|rule| !rule.non_resource_urls.is_empty());
    let mut status =
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": known.incomplete});
    if !known.faults.is_empty() {
        status["evaluationError"] = known.faults.join(", ").into();
    }
    Ok(status)
}
