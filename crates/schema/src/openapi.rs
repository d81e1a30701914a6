//! OpenAPI documents: v3 per group version, and the one of v2.
//!
//! ```text
//! routes (from the API server's table) ─┐          ┌─ v3: paths, components.schemas
//! built-in schema, custom schemas      ─┼─> Source ┤
//! descriptions (a callback)            ─┘          └─ v2: paths, definitions
//! ```
//!
//! A document holds the operations of its routes and every definition they reach. It says what
//! kubectl reads from it: the kinds of operations and definitions, patch content types, the query
//! parameters `dryRun`, `fieldManager` and `fieldValidation`, and all `x-kubernetes-*` facts.
//! Follows the OpenAPI Specification 2.0 and 3.0.0, and KEP 2896 (v3) for how Kubernetes splits it.

mod custom;
mod definition;
mod operation;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{GroupVersionKind, Schema};

/// What a route does; the names are Kubernetes' verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// List objects, or watch them with `?watch=true`.
    List,
    /// Create an object.
    Create,
    /// Replace an object.
    Update,
    /// Change parts of an object.
    Patch,
    /// Delete an object.
    Delete,
    /// Delete all objects that a selector matches.
    DeleteCollection,
    /// Open a stream (exec, attach, port-forward, proxy) by GET.
    Connect,
}

/// Whether objects live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In none.
    Cluster,
    /// In one.
    Namespaced,
}

/// A query parameter that only some routes have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// The name.
    pub name: String,
    /// `string`, `boolean` or `integer`.
    pub ty: &'static str,
    /// What it does.
    pub description: String,
}

/// One operation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path with its variables, e.g. `/api/v1/namespaces/{namespace}/pods/{name}/status`.
    pub path: String,
    /// What it does.
    pub verb: Verb,
    /// Whether the resource lives in a namespace. (A list over all namespaces is namespaced too.)
    pub scope: Scope,
    /// Group and version the route is served under, which is not always the kind's own.
    pub group: String,
    /// See `group`.
    pub version: String,
    /// The kind the route takes or gives, e.g. `autoscaling/v1 Scale` for `deployments/scale`.
    pub kind: GroupVersionKind,
    /// The kind of the resource the route belongs to, e.g. `Deployment` for `deployments/scale`.
    pub parent: String,
    /// The subresource, if any.
    pub subresource: Option<String>,
    /// The definition of the answer, e.g. `io.k8s.api.core.v1.PodList`; `None` where it is text.
    pub definition: Option<String>,
    /// The definition of the body of a create or an update, where it is not the answer's.
    pub body: Option<String>,
    /// Query parameters beyond those that the verb has anyway.
    pub query: Vec<QueryParameter>,
}

/// A kind defined by a CustomResourceDefinition.
#[derive(Clone, Debug)]
pub struct CustomKind<'a> {
    /// The kind.
    pub kind: GroupVersionKind,
    /// The kind of its lists.
    pub list_kind: String,
    /// The `openAPIV3Schema` of this version, if it has one.
    pub schema: Option<&'a Value>,
}

/// All a document is made from.
pub struct Source<'a> {
    /// The version of Kubernetes the document names, e.g. `v1.36.0`.
    pub server_version: &'a str,
    /// The operations. For v3 the caller passes those of one group version.
    pub routes: &'a [Route],
    /// The built-in definitions.
    pub builtin: &'a Schema,
    /// The custom kinds the routes may name.
    pub customs: &'a [CustomKind<'a>],
    /// JSON schemas by definition name, of which only `description` and
    /// `properties.*.description` are used.
    pub descriptions: &'a dyn Fn(&str) -> Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    fn prefix(self) -> &'static str {
        match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        }
    }

    fn reference(self, name: &str) -> Value {
        json!({"$ref": format!("{}{name}", self.prefix())})
    }
}

/// The OpenAPI v3 document of the routes of one group version.
pub fn v3(source: &Source<'_>) -> Value {
    let paths = paths(source, Dialect::V3);
    let schemas = definitions(source, Dialect::V3, &paths);
    let bearer = json!({"type": "apiKey", "name": "authorization", "in": "header",
        "description": "Bearer Token authentication"});
    json!({
        "openapi": "3.0.0",
        "info": info(source),
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"BearerToken": bearer}},
        "security": [{"BearerToken": []}],
    })
}

/// The OpenAPI v2 document of all routes.
pub fn v2(source: &Source<'_>) -> Value {
    let paths = paths(source, Dialect::V2);
    let definitions = definitions(source, Dialect::V2, &paths);
    let bearer = json!({"type": "apiKey", "name": "authorization", "in": "header",
        "description": "Bearer Token authentication"});
    json!({
        "swagger": "2.0",
        "info": info(source),
        "paths": paths,
        "definitions": definitions,
        "parameters": operation::shared_parameters(),
        "securityDefinitions": {"BearerToken": bearer},
        "security": [{"BearerToken": []}],
    })
}

fn info(source: &Source<'_>) -> Value {
    json!({"title": "Kubernetes", "version": source.server_version})
}

fn paths(source: &Source<'_>, dialect: Dialect) -> Map<String, Value> {
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in source.routes {
        by_path.entry(&route.path).or_default().push(route);
    }
    by_path.into_iter().map(|(path, routes)| (path.to_owned(), operation::item(&routes, dialect))).collect()
}

/// Every definition the paths reach, by name. One that nobody knows is an open object: a document
/// with a dangling reference would be of no use to any client.
fn definitions(source: &Source<'_>, dialect: Dialect, paths: &Map<String, Value>) -> Map<String, Value> {
    let mut wanted = Vec::new();
    paths.values().for_each(|item| references(item, dialect.prefix(), &mut wanted));
    let custom = custom::definitions(source.customs, dialect);
    let mut found = Map::new();
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let schema = match (source.builtin.definition(&name), custom.get(&name)) {
            (Some(node), _) => definition::schema(node, dialect, source.descriptions),
            (None, Some(schema)) => schema.clone(),
            (None, None) => json!({"type": "object"}),
        };
        references(&schema, dialect.prefix(), &mut wanted);
        found.insert(name, schema);
    }
    found
}

/// The names of all definitions that are referred to.
fn references(value: &Value, prefix: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix(prefix)) {
                names.push(name.to_owned());
            }
            map.values().for_each(|inner| references(inner, prefix, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, prefix, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
