//! What a request asks for, read from its method, path and query alone.
//!
//! ```text
//! /api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE[/REST]
//! /apis/GROUP/VERSION/RESOURCE/NAME/SUBRESOURCE[/REST]
//! /healthz, /version, /openapi/v3 …                     no resource
//! ```

use http::Method;

/// The attributes of a request, as authorization and audit see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for
    /// requests without a resource the HTTP method in lower case.
    pub verb: &'static str,
    /// The whole path, percent-decoded by nobody: routing compares segments.
    pub path: String,
    /// What is asked for, if it is a resource.
    pub resource: Option<ResourceInfo>,
}

/// The resource part of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceInfo {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The plural name.
    pub resource: String,
    /// The subresource, or empty.
    pub subresource: String,
    /// What follows the subresource (`proxy/PATH`), without a leading slash.
    pub rest: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The object's name, or empty.
    pub name: String,
}

/// The query parameters of the API, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// `labelSelector`.
    pub label_selector: String,
    /// `fieldSelector`.
    pub field_selector: String,
    /// `resourceVersion`, empty when absent.
    pub resource_version: String,
    /// `resourceVersionMatch`.
    pub resource_version_match: String,
    /// `limit`, 0 when absent.
    pub limit: u64,
    /// `continue`.
    pub continue_token: String,
    /// `watch`.
    pub watch: bool,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `sendInitialEvents`.
    pub send_initial_events: Option<bool>,
    /// `timeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    /// `dryRun`, every value given.
    pub dry_run: Vec<String>,
    /// `fieldManager`.
    pub field_manager: String,
    /// `fieldValidation`.
    pub field_validation: String,
    /// `force`, as server-side apply means it.
    pub force: Option<bool>,
    /// `gracePeriodSeconds`.
    pub grace_period_seconds: Option<i64>,
    /// `propagationPolicy`.
    pub propagation_policy: Option<String>,
    /// `orphanDependents`.
    pub orphan_dependents: Option<bool>,
    /// `includeObject` of Table requests.
    pub include_object: String,
    /// `pretty`.
    pub pretty: bool,
    /// Everything else, for subresources with options of their own (`log`, `exec`).
    pub other: Vec<(String, String)>,
}

/// A query parameter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for query parameter {name}: {value:?}")]
pub struct QueryError {
    /// The parameter.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Query {
    /// Reads a query string.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parsed.set(&name, &value)?;
        }
        Ok(parsed)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        let wrong = || QueryError { name: name.to_owned(), value: value.to_owned() };
        match name {
            "labelSelector" => value.clone_into(&mut self.label_selector),
            "fieldSelector" => value.clone_into(&mut self.field_selector),
            "resourceVersion" => value.clone_into(&mut self.resource_version),
            "resourceVersionMatch" => value.clone_into(&mut self.resource_version_match),
            "limit" => self.limit = value.parse().map_err(|_| wrong())?,
            "continue" => value.clone_into(&mut self.continue_token),
            "watch" => self.watch = truth(value).ok_or_else(wrong)?,
            "allowWatchBookmarks" => self.bookmarks = truth(value).ok_or_else(wrong)?,
            "sendInitialEvents" => self.send_initial_events = Some(truth(value).ok_or_else(wrong)?),
            "timeoutSeconds" => self.timeout_seconds = Some(value.parse().map_err(|_| wrong())?),
            "dryRun" => self.dry_run.push(value.to_owned()),
            "fieldManager" => value.clone_into(&mut self.field_manager),
            "fieldValidation" => value.clone_into(&mut self.field_validation),
            "force" => self.force = Some(truth(value).ok_or_else(wrong)?),
            "gracePeriodSeconds" => self.grace_period_seconds = Some(value.parse().map_err(|_| wrong())?),
            "propagationPolicy" => self.propagation_policy = Some(value.to_owned()),
            "orphanDependents" => self.orphan_dependents = Some(truth(value).ok_or_else(wrong)?),
            "includeObject" => value.clone_into(&mut self.include_object),
            "pretty" => self.pretty = truth(value).unwrap_or(false),
            _ => self.other.push((name.to_owned(), value.to_owned())),
        }
        Ok(())
    }
}

/// Booleans as the API reads them: an empty value means true.
fn truth(value: &str) -> Option<bool> {
    match value {
        "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl RequestInfo {
    /// Reads the attributes of a request.
    pub fn of(method: &Method, path: &str, query: &Query) -> Self {
        let (resource, legacy_watch) = match resource_of(path) {
            Some((resource, watch)) => (Some(resource), watch),
            None => (None, false),
        };
        let Some(mut resource) = resource else {
            return Self { verb: plain_verb(method), path: path.to_owned(), resource: None };
        };
        let watch = legacy_watch || query.watch;
        let verb = resource_verb(method, !resource.name.is_empty(), watch);
        if matches!(verb, "list" | "watch" | "deletecollection") && resource.name.is_empty() {
            resource.name = name_in(&query.field_selector).to_owned();
        }
        Self { verb, path: path.to_owned(), resource: Some(resource) }
    }

    /// True for verbs that change nothing.
    pub fn is_read_only(&self) -> bool {
        matches!(self.verb, "get" | "list" | "watch" | "head" | "options")
    }
}

fn plain_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "unknown",
    }
}

fn resource_verb(method: &Method, named: bool, watch: bool) -> &'static str {
    match (method.as_str(), named, watch) {
        ("GET" | "HEAD", _, true) => "watch",
        ("GET" | "HEAD", true, _) => "get",
        ("GET" | "HEAD", false, _) => "list",
        ("POST", _, _) => "create",
        ("PUT", _, _) => "update",
        ("PATCH", _, _) => "patch",
        ("DELETE", true, _) => "delete",
        ("DELETE", false, _) => "deletecollection",
        _ => "unknown",
    }
}

/// The name in a field selector that selects exactly one object by name.
fn name_in(selector: &str) -> &str {
    let mut terms = selector.split(',').filter_map(|term| term.strip_prefix("metadata.name="));
    terms.next().map_or("", |name| name.trim_start_matches('='))
}

/// The resource a path names, and whether it is the legacy `/watch/` form.
fn resource_of(path: &str) -> Option<(ResourceInfo, bool)> {
    let mut parts = path.trim_matches('/').split('/').map(decode);
    let mut info = ResourceInfo::default();
    match parts.next()?.as_str() {
        "api" => info.version = parts.next()?,
        "apis" => {
            info.group = parts.next()?;
            info.version = parts.next()?;
        }
        _ => return None,
    }
    let mut parts: Vec<String> = parts.collect();
    let legacy_watch = parts.first().is_some_and(|first| first == "watch") && parts.len() > 1;
    if legacy_watch {
        parts.remove(0);
    }
    namespaced(&mut info, &mut parts);
    let mut parts = parts.into_iter();
    info.resource = parts.next().filter(|resource| !resource.is_empty())?;
    info.name = parts.next().unwrap_or_default();
    info.subresource = parts.next().unwrap_or_default();
    info.rest = parts.collect::<Vec<_>>().join("/");
    if info.resource == "namespaces" && info.group.is_empty() {
        info.namespace.clone_from(&info.name);
    }
    Some((info, legacy_watch))
}

/// Takes `namespaces/NS` off the front where a resource other than the namespace itself follows.
fn namespaced(info: &mut ResourceInfo, parts: &mut Vec<String>) {
    let own = |part: &String| part == "status" || part == "finalize";
    if parts.len() >= 3 && parts[0] == "namespaces" && !own(&parts[2]) {
        info.namespace.clone_from(&parts[1]);
        parts.drain(..2);
    }
}

fn decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, verb: &str, expected: &str) {
        let (method, rest) = request.split_once(' ').unwrap();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = Query::parse(query).unwrap();
        let info = RequestInfo::of(&method.parse().unwrap(), path, &query);
        let shown = info.resource.as_ref().map_or(String::new(), |r| {
            [&r.group, &r.version, &r.namespace, &r.resource, &r.name, &r.subresource, &r.rest]
                .map(String::as_str)
                .join("|")
        });
        assert_eq!((info.verb, shown.as_str()), (verb, expected), "{request}");
    }

    #[test]
    fn paths_name_resources() {
        check("GET /api/v1/pods", "list", "|v1||pods|||");
        check("GET /api/v1/pods?watch=1", "watch", "|v1||pods|||");
        check("GET /api/v1/watch/namespaces/a/pods", "watch", "|v1|a|pods|||");
        check("GET /api/v1/namespaces/a/pods/b", "get", "|v1|a|pods|b||");
        check("GET /api/v1/namespaces/a/pods/b?watch=true", "watch", "|v1|a|pods|b||");
        check("GET /api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db", "list", "|v1|a|pods|b||");
        check("POST /api/v1/namespaces/a/pods/b/eviction", "create", "|v1|a|pods|b|eviction|");
        check("GET /api/v1/namespaces/a", "get", "|v1|a|namespaces|a||");
        check("PUT /api/v1/namespaces/a/finalize", "update", "|v1|a|namespaces|a|finalize|");
        check("GET /api/v1/namespaces/a/status", "get", "|v1|a|namespaces|a|status|");
        check(
            "PATCH /apis/apps/v1/namespaces/a/deployments/d/scale",
            "patch",
            "apps|v1|a|deployments|d|scale|",
        );
        check("GET /api/v1/nodes/n/proxy/a/b", "get", "|v1||nodes|n|proxy|a/b");
        check(
            "DELETE /apis/apps/v1/namespaces/a/deployments",
            "deletecollection",
            "apps|v1|a|deployments|||",
        );
        check(
            "GET /api/v1/namespaces/a/services/https%3Ax%3A1/proxy",
            "get",
            "|v1|a|services|https:x:1|proxy|",
        );
    }

    #[test]
    fn other_paths_name_none() {
        for path in
            ["/", "/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1", "/healthz", "/openapi/v3"]
        {
            check(&format!("GET {path}"), "get", "");
        }
    }

    #[test]
    fn parameters_are_typed() {
        let query = Query::parse("limit=5&watch&dryRun=All&x=y&force=false").unwrap();
        assert_eq!((query.limit, query.watch, query.force), (5, true, Some(false)));
        assert_eq!(query.dry_run, ["All"]);
        assert_eq!(query.other, [("x".to_owned(), "y".to_owned())]);
        for wrong in ["limit=x", "watch=maybe", "gracePeriodSeconds=1s"] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
    }
}
