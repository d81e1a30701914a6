use serde_json::{Value, json};

use super::*;

fn cm() -> GroupResource {
    GroupResource::new("", "configmaps")
}

fn deploy() -> GroupResource {
    GroupResource::new("apps", "deployments")
}

fn asks<'a>(resource: &'a GroupResource, name: &'a str, namespace: &'a str) -> Attributes<'a> {
    Attributes { user: "u", verb: "list", resource, subresource: "", name, namespace, path: "" }
}

/// Every constructor's message, code and reason, and its details as JSON.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn failures_read_as_kubernetes_words_them() {
    let pods = GroupResource::new("", "pods");
    let none = GroupResource::new("", "");
    let log = Attributes { subresource: "log", verb: "get", ..asks(&pods, "p", "d") };
    let path = Attributes { path: "/metrics", verb: "get", ..asks(&none, "", "") };
    let cases = [
        (
            Status::not_found(&cm(), "x"),
            "404 NotFound configmaps \"x\" not found",
            json!({"name": "x", "kind": "configmaps"}),
        ),
        (
            Status::not_found(&deploy(), "x"),
            "404 NotFound deployments.apps \"x\" not found",
            json!({"name": "x", "group": "apps", "kind": "deployments"}),
        ),
        (
            Status::path_not_found(),
            "404 NotFound the server could not find the requested resource",
            json!({}),
        ),
        (
            Status::already_exists(&cm(), "x"),
            "409 AlreadyExists configmaps \"x\" already exists",
            json!({"name": "x", "kind": "configmaps"}),
        ),
        (
            Status::conflict(&cm(), "x"),
            "409 Conflict Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes to the latest version and try again",
            json!({"name": "x", "kind": "configmaps"}),
        ),
        (
            Status::uid_precondition(&cm(), "x", "a", "b"),
            "409 Conflict Operation cannot be fulfilled on configmaps \"x\": Precondition failed: UID in precondition: a, UID in object meta: b",
            json!({"name": "x", "kind": "configmaps"}),
        ),
        (
            Status::method_not_supported(&cm(), "watch"),
            "405 MethodNotAllowed watch is not supported on resources of kind \"configmaps\"",
            json!({"kind": "configmaps"}),
        ),
        (
            Status::method_not_allowed(),
            "405 MethodNotAllowed the server does not allow this method on the requested resource",
            json!({}),
        ),
        (Status::unauthorized(), "401 Unauthorized Unauthorized", Value::Null),
        (
            Status::forbidden(&asks(&pods, "", "default"), ""),
            "403 Forbidden pods is forbidden: User \"u\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
            json!({"kind": "pods"}),
        ),
        (
            Status::forbidden(&asks(&deploy(), "d", ""), "no"),
            "403 Forbidden deployments.apps \"d\" is forbidden: User \"u\" cannot list resource \"deployments\" in API group \"apps\" at the cluster scope: no",
            json!({"name": "d", "group": "apps", "kind": "deployments"}),
        ),
        (
            Status::forbidden(&log, ""),
            "403 Forbidden pods \"p\" is forbidden: User \"u\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"d\"",
            json!({"name": "p", "kind": "pods"}),
        ),
        (
            Status::forbidden(&path, ""),
            "403 Forbidden forbidden: User \"u\" cannot get path \"/metrics\"",
            json!({}),
        ),
        (Status::bad_request("no"), "400 BadRequest no", Value::Null),
        (
            Status::watch_expired(),
            "410 Expired The resourceVersion for the provided watch is too old.",
            Value::Null,
        ),
        (Status::too_old(3, 9), "410 Expired too old resource version: 3 (9)", Value::Null),
        (Status::gone("x"), "410 Gone x", Value::Null),
        (
            Status::not_acceptable(&["application/json", "application/yaml"]),
            "406 NotAcceptable only the following media types are accepted: application/json, application/yaml",
            Value::Null,
        ),
        (
            Status::unsupported_media_type(&["application/json"]),
            "415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: application/json",
            Value::Null,
        ),
        (
            Status::request_entity_too_large("limit is 3"),
            "413 RequestEntityTooLarge Request entity too large: limit is 3",
            Value::Null,
        ),
        (Status::too_many_requests("later", 2), "429 TooManyRequests later", json!({"retryAfterSeconds": 2})),
        (
            Status::internal_error("boom"),
            "500 InternalError Internal error occurred: boom",
            json!({"causes": [{"message": "boom"}]}),
        ),
        (
            Status::server_timeout(&cm(), Verb::Create, 1),
            "500 ServerTimeout The create operation against configmaps could not be completed at this time, please try again.",
            json!({"name": "create", "kind": "configmaps", "retryAfterSeconds": 1}),
        ),
        (Status::service_unavailable("down"), "503 ServiceUnavailable down", Value::Null),
        (Status::timeout("slow", 0), "504 Timeout Timeout: slow", json!({})),
        (
            Status::too_large_version(9, 3),
            "504 Timeout Timeout: Too large resource version: 9, current: 3",
            json!({"retryAfterSeconds": 1, "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}),
        ),
    ];
    for (status, line, details) in cases {
        assert_eq!(format!("{} {:?} {}", status.code, status.reason, status.message), line);
        let tree = serde_json::to_value(&status).unwrap();
        assert_eq!(tree.get("details").cloned().unwrap_or_default(), details, "{line}");
        assert_eq!(tree["kind"], "Status");
        assert_eq!(tree["metadata"], json!({}));
        assert_eq!(serde_json::from_value::<Status>(tree).unwrap(), status);
    }
}

#[test]
fn a_finished_deletion_is_a_success_without_code() {
    let tree = serde_json::to_value(Status::deleted(&deploy(), "x", "u-1")).unwrap();
    let details = json!({"name": "x", "group": "apps", "kind": "deployments", "uid": "u-1"});
    assert_eq!(
        tree,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    );
    assert_eq!(Status::deleted(&deploy(), "x", "u").http_code(), 200);
}

#[test]
fn expired_lists_offer_a_token() {
    let status = Status::continue_expired("tok");
    assert_eq!(serde_json::to_value(&status).unwrap()["metadata"], json!({"continue": "tok"}));
    assert!(status.message.starts_with("The provided continue parameter is too old"));
}

#[test]
fn validation_failures_gather_their_faults() {
    let spec = FieldPath::new("spec");
    let name = FieldError::required(&spec.child("containers").index(0).child("name"), "");
    let pod = GroupKind::new("", "Pod");
    let one = Status::invalid(&pod, "x", std::slice::from_ref(&name));
    assert_eq!(one.message, "Pod \"x\" is invalid: spec.containers[0].name: Required value");
    let size = FieldError::invalid(&spec.child("replicas"), -1, "must be greater than or equal to 0");
    let two = Status::invalid(&GroupKind::new("apps", "Deployment"), "d", &[name.clone(), size, name]);
    assert_eq!(
        two.message,
        "Deployment.apps \"d\" is invalid: [spec.containers[0].name: Required value, \
         spec.replicas: Invalid value: -1: must be greater than or equal to 0]"
    );
    let causes = &two.details.as_ref().unwrap().causes;
    assert_eq!(causes.len(), 3);
    assert_eq!(
        serde_json::to_value(&causes[1]).unwrap(),
        json!({"reason": "FieldValueInvalid", "message": "Invalid value: -1: must be greater than or equal to 0", "field": "spec.replicas"})
    );
    assert_eq!(Status::invalid(&pod, "x", &[]).message, "Pod \"x\" is invalid");
}

#[test]
fn field_errors_read_as_kubernetes_words_them() {
    let path = FieldPath::new("a").child("b").key("k.io/x");
    for (error, text) in [
        (
            FieldError::not_supported(&path, "X", &["A", "B"]),
            r#"a.b[k.io/x]: Unsupported value: "X": supported values: "A", "B""#,
        ),
        (FieldError::duplicate(&path, "n"), r#"a.b[k.io/x]: Duplicate value: "n""#),
        (FieldError::forbidden(&path, "no"), "a.b[k.io/x]: Forbidden: no"),
        (FieldError::too_long(&path, 63), "a.b[k.io/x]: Too long: may not be more than 63 bytes"),
        (FieldError::too_many(&path, 5, 3), "a.b[k.io/x]: Too many: 5: must have at most 3 items"),
        (FieldError::type_invalid(&path, Value::Null, "bad"), r#"a.b[k.io/x]: Invalid value: "null": bad"#),
        (FieldError::not_found(&path, "n"), r#"a.b[k.io/x]: Not found: "n""#),
        (FieldError::internal(&path, "x"), "a.b[k.io/x]: Internal error: x"),
        (
            FieldError::invalid(&FieldPath::root(), json!({"a": [1]}), ""),
            r#"<nil>: Invalid value: {"a":[1]}"#,
        ),
        (
            FieldError::invalid(&path, "q\"\n\u{1}\u{200b}é", "x"),
            r#"a.b[k.io/x]: Invalid value: "q\"\n\x01\u200bé": x"#,
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
