//! A place in an object, as far as ownership of fields is concerned.

use serde_json::Value;

use super::element;
use crate::facts::builtin;
use crate::model::{ListType, MapType, NodeRef, Type};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// How a value is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As a whole.
    Leaf,
    /// Field by field.
    Map,
    /// Item by item.
    List,
}

/// A place: its node, if the schema knows it. Without one the form is deduced from the value: maps
/// are granular, lists atomic.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: Option<NodeRef<'a>>,
    /// The whole object, which has `apiVersion`, `kind` and a known `metadata` in any case.
    root: bool,
}

impl<'a> Place<'a> {
    pub(super) fn root(node: Option<NodeRef<'a>>) -> Self {
        Self { node, root: true }
    }

    pub(super) fn child(self, key: &str) -> Self {
        let mut node = self.node.and_then(|node| node.child(key));
        if self.root && key == "metadata" && node.is_none_or(|node| node.fields().len() == 0) {
            node = builtin().definition(OBJECT_META);
        }
        Self { node, root: false }
    }

    /// Whether this is the `metadata` of an object.
    pub(super) fn is_metadata(self) -> bool {
        self.node.is_some_and(|node| node.definition_name() == Some(OBJECT_META))
    }

    pub(super) fn items(self) -> Self {
        Self { node: self.node.and_then(NodeRef::items), root: false }
    }

    /// Whether the schema names this field, so that it exists without being owned itself.
    pub(super) fn has_field(self, key: &str) -> bool {
        self.root && matches!(key, "apiVersion" | "kind" | "metadata")
            || self.node.is_some_and(|node| node.field(key).is_some())
    }

    pub(super) fn form(self, value: &Value) -> Form {
        let Some(node) = self.node.filter(|node| node.ty() != Type::Any) else {
            return if value.is_object() { Form::Map } else { Form::Leaf };
        };
        match node.ty() {
            Type::Object | Type::Map if node.map_type() != Some(MapType::Atomic) => Form::Map,
            Type::Array if matches!(node.list_type(), Some(ListType::Set | ListType::Map)) => Form::List,
            _ => Form::Leaf,
        }
    }

    /// The element of an item of this list.
    pub(super) fn element(self, item: &Value) -> Result<String, String> {
        match self.node {
            Some(node) if node.list_type() == Some(ListType::Map) => element::map_item(node, item),
            _ => element::set_item(item),
        }
    }

    /// Whether the place lies in a built-in kind, whose absent parts Go fills with zero values.
    pub(super) fn is_builtin(self) -> bool {
        self.node.is_some_and(|node| std::ptr::eq(node.schema(), builtin()))
    }
}
