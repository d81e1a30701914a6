//! A constructor for every failure.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::quote::quote;
use super::{Cause, Details, FieldError, GroupKind, GroupResource, Reason, Status, Verb};

/// Who asked for what: the words of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The verb, such as `list`.
    pub verb: &'a str,
    /// The resource; empty for a path that is none.
    pub resource: &'a GroupResource,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The object's name, or empty.
    pub name: &'a str,
    /// The namespace; empty at the cluster scope.
    pub namespace: &'a str,
    /// The path of a request for no resource.
    pub path: &'a str,
}

impl Attributes<'_> {
    fn refusal(&self) -> String {
        let Self { user, verb, resource, subresource, namespace, path, .. } = self;
        let user = format!("User {} cannot {verb}", quote(user));
        if resource.resource.is_empty() {
            return format!("{user} path {}", quote(path));
        }
        let slash = if subresource.is_empty() { "" } else { "/" };
        let whole = quote(&format!("{}{slash}{subresource}", resource.resource));
        let place = match *namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {}", quote(namespace)),
        };
        format!("{user} resource {whole} in API group {} {place}", quote(&resource.group))
    }
}

/// 4xx about one object.
impl Status {
    /// 404: no object of that name.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} not found", quote(name));
        Self::failure(404, Reason::NotFound, message).with(Details::resource(resource, name))
    }

    /// 404: nothing is served at the path.
    pub fn path_not_found() -> Self {
        let message = "the server could not find the requested resource";
        Self::failure(404, Reason::NotFound, message).with(Details::default())
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} already exists", quote(name));
        Self::failure(409, Reason::AlreadyExists, message).with(Details::resource(resource, name))
    }

    /// 409: every generated name that was tried is taken; `name` is the last.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str, retry_after: u16) -> Self {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for the object",
            quote(name)
        );
        let details = Details { retry_after_seconds: retry_after, ..Details::resource(resource, name) };
        Self::failure(409, Reason::AlreadyExists, message).with(details)
    }

    /// 409: the object has another resourceVersion than the update is based on.
    pub fn conflict(resource: &GroupResource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict_because(resource, name, why)
    }

    /// 409 for a stated reason.
    pub fn conflict_because(resource: &GroupResource, name: &str, why: impl Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {why}", quote(name));
        Self::failure(409, Reason::Conflict, message).with(Details::resource(resource, name))
    }

    /// 409: an update or patch names another uid than the object's.
    pub fn uid_precondition(resource: &GroupResource, name: &str, wanted: &str, actual: &str) -> Self {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {actual}");
        Self::conflict_because(resource, name, why)
    }

    /// 409: an update or patch names another resourceVersion as precondition than the object's.
    pub fn version_precondition(resource: &GroupResource, name: &str, wanted: &str, actual: &str) -> Self {
        let why = format!(
            "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {actual}"
        );
        Self::conflict_because(resource, name, why)
    }

    /// 409: a deletion names another uid as precondition than the object's.
    pub fn delete_uid_precondition(resource: &GroupResource, name: &str, wanted: &str, actual: &str) -> Self {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({actual}). \
             The object might have been deleted and then recreated"
        );
        Self::conflict_because(resource, name, why)
    }

    /// 409: a deletion names another resourceVersion as precondition than the object's.
    pub fn delete_version_precondition(
        resource: &GroupResource,
        name: &str,
        wanted: &str,
        actual: &str,
    ) -> Self {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record \
             ({actual}). The object might have been modified"
        );
        Self::conflict_because(resource, name, why)
    }

    /// 409: server-side apply found fields that others own; one cause per field.
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        Self::failure(409, Reason::Conflict, message).with(Details { causes, ..Details::default() })
    }

    /// 422: the object's fields are wrong.
    pub fn invalid(kind: &GroupKind, name: &str, errors: &[FieldError]) -> Self {
        let subject = format!("{kind} {} is invalid", quote(name));
        let message = match aggregate(errors).as_str() {
            "" => subject,
            faults => format!("{subject}: {faults}"),
        };
        let causes = errors.iter().map(FieldError::cause).collect();
        Self::failure(422, Reason::Invalid, message).with(Details { causes, ..Details::kind(kind, name) })
    }

    /// 405: the verb is not for this resource.
    pub fn method_not_supported(resource: &GroupResource, action: &str) -> Self {
        let message =
            format!("{action} is not supported on resources of kind {}", quote(&resource.to_string()));
        Self::failure(405, Reason::MethodNotAllowed, message).with(Details::resource(resource, ""))
    }
}

/// Who may do what.
impl Status {
    /// 401: no valid credentials.
    pub fn unauthorized() -> Self {
        Self::failure(401, Reason::Unauthorized, "Unauthorized")
    }

    /// 403 from the authorizer; `reason` is its explanation or empty.
    pub fn forbidden(attributes: &Attributes<'_>, reason: &str) -> Self {
        let refusal = attributes.refusal();
        let why = if reason.is_empty() { refusal } else { format!("{refusal}: {reason}") };
        Self::forbidden_because(attributes.resource, attributes.name, why)
    }

    /// 403 for a stated reason, as admission gives it.
    pub fn forbidden_because(resource: &GroupResource, name: &str, why: impl Display) -> Self {
        let message = match (resource.resource.as_ref(), name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{resource} is forbidden: {why}"),
            _ => format!("{resource} {} is forbidden: {why}", quote(name)),
        };
        Self::failure(403, Reason::Forbidden, message).with(Details::resource(resource, name))
    }
}

/// 4xx about the request itself.
impl Status {
    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, Reason::BadRequest, message)
    }

    /// 405: nothing answers to this method here.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::failure(405, Reason::MethodNotAllowed, message).with(Details::default())
    }

    /// 406: the client accepts none of the formats there are.
    pub fn not_acceptable(formats: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", formats.join(", "));
        Self::failure(406, Reason::NotAcceptable, message)
    }

    /// 410: what was asked for is gone for good.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::failure(410, Reason::Gone, message)
    }

    /// 410: history does not reach back so far; the text says what to do.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(410, Reason::Expired, message)
    }

    /// 410: a watch begins before the oldest event that is kept.
    pub fn watch_expired() -> Self {
        Self::expired("The resourceVersion for the provided watch is too old.")
    }

    /// 410: a watch begins before the oldest event in the cache; both are revisions.
    pub fn too_old(wanted: u64, oldest: u64) -> Self {
        Self::expired(format!("too old resource version: {wanted} ({oldest})"))
    }

    /// 410: a list is asked for at a compacted revision.
    pub fn list_expired() -> Self {
        Self::expired("The resourceVersion for the provided list is too old.")
    }

    /// 410: a continue token's revision is compacted; `resume` goes on without consistency.
    pub fn continue_expired(resume: &str) -> Self {
        let mut status = Self::expired(CONTINUE_EXPIRED);
        resume.clone_into(&mut status.metadata.continue_token);
        status
    }

    /// 413: the body is too large.
    pub fn request_entity_too_large(detail: impl Display) -> Self {
        let message = format!("Request entity too large: {detail}");
        Self::failure(413, Reason::RequestEntityTooLarge, message)
    }

    /// 415: the body is in none of the formats there are.
    pub fn unsupported_media_type(formats: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            formats.join(", ")
        );
        Self::failure(415, Reason::UnsupportedMediaType, message)
    }

    /// 429: come back later; also what an eviction that a budget forbids answers.
    pub fn too_many_requests(message: impl Into<String>, retry_after: u16) -> Self {
        Self::failure(429, Reason::TooManyRequests, message).with(Details::retry_after(retry_after))
    }
}

// The text that clients' pagers know, word for word on the wire.
const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. \
    You can start a new list without the continue parameter, or use the continue token in this response to \
    retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - \
    objects that were created, modified, or deleted between the time the first chunk was returned and now may \
    show up in the list.";

/// 5xx.
impl Status {
    /// 500: our own fault.
    pub fn internal_error(fault: impl Display) -> Self {
        let cause = Cause { message: fault.to_string(), ..Cause::default() };
        let details = Details { causes: vec![cause], ..Details::default() };
        Self::failure(500, Reason::InternalError, format!("Internal error occurred: {fault}")).with(details)
    }

    /// 500: the operation met a passing obstacle.
    pub fn server_timeout(resource: &GroupResource, verb: Verb, retry_after: u16) -> Self {
        let message = format!(
            "The {verb} operation against {resource} could not be completed at this time, please try again."
        );
        let details =
            Details { retry_after_seconds: retry_after, ..Details::resource(resource, verb.name()) };
        Self::failure(500, Reason::ServerTimeout, message).with(details)
    }

    /// 503: a part that is needed does not answer.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::failure(503, Reason::ServiceUnavailable, message)
    }

    /// 504: the operation took too long and may still complete.
    pub fn timeout(message: impl Display, retry_after: u16) -> Self {
        let status = Self::failure(504, Reason::Timeout, format!("Timeout: {message}"));
        status.with(Details::retry_after(retry_after))
    }

    /// 504: the client knows a revision that the server has not reached.
    pub fn too_large_version(wanted: u64, current: u64) -> Self {
        let cause = Cause {
            reason: "ResourceVersionTooLarge".into(),
            message: "Too large resource version".into(),
            field: String::new(),
        };
        let status = Self::timeout(format!("Too large resource version: {wanted}, current: {current}"), 1);
        status.with(Details { causes: vec![cause], ..Details::retry_after(1) })
    }
}

/// The distinct faults as one text: one alone, several as `[a, b]`.
fn aggregate(errors: &[FieldError]) -> String {
    let mut seen = BTreeSet::new();
    let texts = errors.iter().map(ToString::to_string);
    let distinct: Vec<String> = texts.filter(|t| seen.insert(t.clone())).collect();
    match distinct.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
