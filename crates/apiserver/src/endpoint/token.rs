//! `serviceaccounts/NAME/token`: a TokenRequest, answered with a token.

use api::meta;
use api::status::{FieldError, FieldPath, Reason, Status};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, read};
use crate::authn::tokens::ServiceAccountTokens;
use crate::authn::tokens::claims::{Bound, Reference};
use crate::respond::Outcome;

/// The seconds of a request that names none, the fewest, and the most.
const SECONDS_DEFAULT: i64 = 3600;
const SECONDS_MIN: i64 = 600;
const SECONDS_MAX: i64 = 1 << 32;

/// Answers `create`.
///
/// # Errors
/// 404 when the account or the bound object is not there, 422 for a lifetime out of bounds, 400 and 409
/// for an object that the token cannot be bound to.
pub async fn create(call: &Call) -> Outcome {
    let issuer = call.shared.authenticator.issuer().ok_or_else(|| {
        Status::failure(
            501,
            Reason::MethodNotAllowed,
            "this server has no key to sign service-account tokens with",
        )
    })?;
    let mut request = super::review::decode(call, "TokenRequest")?;
    let spec = request.get("spec").cloned().unwrap_or_default();
    let seconds = spec.get("expirationSeconds").and_then(Value::as_i64).unwrap_or(SECONDS_DEFAULT);
    check_seconds(seconds)?;
    check_name(call, &request)?;
    read::freshen(call, "").await?;
    let account = object(call, "serviceaccounts", &call.info.namespace, &call.info.name)?;
    let bound = bind(call, &account, spec.get("boundObjectRef").filter(|reference| !reference.is_null()))?;
    let audiences = audiences(issuer, &spec);
    // A dry run shows what would happen, and a token is what must not.
    let (token, expires) = match call.dry_run()? {
        true => (String::new(), call.shared.now().plus(seconds)),
        false => {
            let issued = issuer.issue(bound, &audiences, seconds).map_err(Status::internal_error)?;
            (issued.token, issued.expires)
        }
    };
    request["spec"]["audiences"] = audiences.into();
    request["spec"]["expirationSeconds"] = seconds.into();
    request["status"] = json!({"token": token, "expirationTimestamp": Value::from(expires)});
    meta::set_name(&mut request, &call.info.name);
    meta::set_namespace(&mut request, &call.info.namespace);
    meta::set_creation_timestamp(&mut request, call.shared.now());
    super::review::answer(call, StatusCode::CREATED, &request)
}

fn audiences(issuer: &ServiceAccountTokens, spec: &Value) -> Vec<String> {
    let named = super::review::texts(spec.get("audiences"));
    if named.is_empty() { issuer.audiences().to_vec() } else { named }
}

fn check_seconds(seconds: i64) -> Result<(), Status> {
    let detail = match seconds {
        ..SECONDS_MIN => "may not specify a duration less than 10 minutes",
        SECONDS_MIN..=SECONDS_MAX => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let path = FieldPath::new("spec").child("expirationSeconds");
    let kind = api::gvk::GroupKind::new("authentication.k8s.io", "TokenRequest");
    Err(Status::invalid(&kind, "", &[FieldError::invalid(&path, seconds, detail)]))
}

/// A body may repeat what the path says, and say nothing else.
fn check_name(call: &Call, request: &Value) -> Result<(), Status> {
    for (own, path, what) in [
        (meta::name(request), &call.info.name, "service account name"),
        (meta::namespace(request), &call.info.namespace, "namespace"),
    ] {
        if !own.is_empty() && own != path {
            return Err(Status::bad_request(format!(
                "must match the {what} if specified: the body says {own:?}, the path {path:?}"
            )));
        }
    }
    Ok(())
}

/// An object of the core group.
fn object(call: &Call, plural: &str, namespace: &str, name: &str) -> Result<Value, Status> {
    let key = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    let found = call.shared.cache.shard(&format!("core/{plural}")).get(&key);
    let found = found.and_then(|object| serde_json::from_slice(object.versioned.json()).ok());
    found.ok_or_else(|| Status::not_found(&api::gvk::GroupResource::new("", plural.to_owned()), name))
}

/// What a token for the account is bound to.
fn bind(call: &Call, account: &Value, reference: Option<&Value>) -> Result<Bound, Status> {
    let namespace = &call.info.namespace;
    let serviceaccount = Reference::to(account);
    let mut bound = Bound { namespace: namespace.clone(), serviceaccount, ..Bound::default() };
    let Some(reference) = reference else { return Ok(bound) };
    let text = |field| meta::text(reference, field);
    let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    // Only the group counts, and the core group has none.
    let uid = match (version.contains('/'), kind) {
        (false, "Pod") => {
            let pod = object(call, "pods", namespace, name)?;
            let runs_as = meta::text(&pod, "spec.serviceAccountName");
            if runs_as != call.info.name {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    call.info.name
                )));
            }
            bound.node = node_of(call, &pod);
            bound.pod.insert(Reference::to(&pod)).uid.clone()
        }
        (false, "Node") => bound.node.insert(Reference::to(&object(call, "nodes", "", name)?)).uid.clone(),
        (false, "Secret") => {
            bound.secret.insert(Reference::to(&object(call, "secrets", namespace, name)?)).uid.clone()
        }
        _ => {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let wanted = text("uid");
    if wanted.is_empty() || wanted == uid {
        return Ok(bound);
    }
    let why = format!(
        "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been \
         deleted and then recreated"
    );
    Err(Status::conflict_because(&api::gvk::GroupResource::new("", kind.to_owned()), name, why))
}

/// The node that a pod is bound to; without a uid where it is not there.
fn node_of(call: &Call, pod: &Value) -> Option<Reference> {
    let name = meta::text(pod, "spec.nodeName");
    if name.is_empty() {
        return None;
    }
    let node = object(call, "nodes", "", name).ok();
    Some(
        node.map_or_else(
            || Reference { name: name.to_owned(), uid: String::new() },
            |node| Reference::to(&node),
        ),
    )
}
