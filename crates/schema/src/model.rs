//! The model: one arena of nodes per set of definitions.
//!
//! ```text
//! Schema ── definitions: name -> NodeId (sorted)
//!        ├─ nodes:  [Node { ty, format, fields: 12..40, element, keys, extra }]
//!        └─ fields: [Field { name, node, patch strategy }]   an object's fields are one sorted run
//! ```
//!
//! All built-ins are one arena whose definitions have names such as `io.k8s.api.core.v1.Pod`;
//! each version of a CustomResourceDefinition is an arena of its own with one definition.
//! Recursion (`JSONSchemaProps`) is an id that points back.

use std::borrow::Cow;
use std::fmt;

use regex::Regex;
use serde_json::{Number, Value};

/// A name that usually lives in the committed table of facts.
pub type Name = Cow<'static, str>;

/// What a value must be. Widths and string formats are told by [`Format`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Type {
    /// Anything: the schema states no type, or only `x-kubernetes-preserve-unknown-fields`.
    #[default]
    Any,
    /// An object with named fields.
    Object,
    /// An object used as a map; every value has the node [`NodeRef::values`].
    Map,
    /// A list; every item has the node [`NodeRef::items`].
    Array,
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A whole number or a string (`x-kubernetes-int-or-string`).
    IntOrString,
    /// A resource quantity: a string such as `100m`, or a number.
    Quantity,
}

/// The `format` of a node as far as it decides something here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// No format.
    #[default]
    None,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// IEEE single.
    Float,
    /// IEEE double.
    Double,
    /// Base64 in a string.
    Byte,
    /// RFC 3339 time in a string.
    DateTime,
    /// RFC 3339 time with microseconds in a string.
    MicroTime,
    /// Another format, told by [`NodeRef::format_name`].
    Other,
}

impl Format {
    /// The format with this name, [`Format::Other`] when it is none that matters here.
    pub fn named(name: &str) -> Self {
        match name {
            "" => Self::None,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float" => Self::Float,
            "double" => Self::Double,
            "byte" => Self::Byte,
            "date-time" => Self::DateTime,
            _ => Self::Other,
        }
    }

    /// The name OpenAPI gives to this format.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Other => None,
            Self::Int32 => Some("int32"),
            Self::Int64 => Some("int64"),
            Self::Float => Some("float"),
            Self::Double => Some("double"),
            Self::Byte => Some("byte"),
            Self::DateTime | Self::MicroTime => Some("date-time"),
        }
    }
}

/// `x-kubernetes-list-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListType {
    /// Owned as a whole.
    Atomic,
    /// Each item owned for itself; items are scalars and unique.
    Set,
    /// Each item owned for itself; items are objects told apart by [`NodeRef::list_keys`].
    Map,
}

impl ListType {
    /// The value `x-kubernetes-list-type` has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atomic => "atomic",
            Self::Set => "set",
            Self::Map => "map",
        }
    }
}

/// `x-kubernetes-map-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapType {
    /// Owned as a whole.
    Atomic,
    /// Each entry owned for itself.
    Granular,
}

impl MapType {
    /// The value `x-kubernetes-map-type` has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atomic => "atomic",
            Self::Granular => "granular",
        }
    }
}

/// `x-kubernetes-patch-strategy`: how a strategic merge patch treats a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged by the merge key (or as a set) instead of replaced.
    pub merge: bool,
    /// The field is replaced as a whole.
    pub replace: bool,
    /// `$retainKeys` is honoured: keys not listed are cleared.
    pub retain_keys: bool,
}

impl PatchStrategy {
    /// Reads the comma-separated form; unknown words are ignored.
    pub fn parse(text: &str) -> Self {
        let has = |word| text.split(',').any(|part| part == word);
        Self { merge: has("merge"), replace: has("replace"), retain_keys: has("retainKeys") }
    }

    /// Whether the field states no strategy.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for PatchStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.merge, "merge"), (self.replace, "replace"), (self.retain_keys, "retainKeys")];
        let mut separator = "";
        for (_, word) in words.iter().filter(|(on, _)| *on) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// Group, version and kind of a definition that is an object of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionKind {
    /// The group, empty for the core group.
    pub group: Name,
    /// The version.
    pub version: Name,
    /// The kind.
    pub kind: Name,
}

/// The address of a node within its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

/// One rule of `x-kubernetes-validations`, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The CEL expression.
    pub rule: String,
    /// The fixed message, if any.
    pub message: Option<String>,
    /// A CEL expression that makes the message.
    pub message_expression: Option<String>,
    /// `FieldValueInvalid` (default), `FieldValueForbidden`, `FieldValueRequired` or `FieldValueDuplicate`.
    pub reason: Option<String>,
    /// The field, relative to the node, that a failure is reported at.
    pub field_path: Option<String>,
    /// Whether `oldSelf` is optional, so that the rule also runs at creation.
    pub optional_old_self: bool,
}

/// A `pattern`, compiled once.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The expression as written.
    pub source: String,
    /// The compiled expression.
    pub regex: Regex,
}

/// Value facts that only custom resources state.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Smallest value.
    pub minimum: Option<Number>,
    /// Whether the smallest value itself is refused.
    pub exclusive_minimum: bool,
    /// Largest value.
    pub maximum: Option<Number>,
    /// Whether the largest value itself is refused.
    pub exclusive_maximum: bool,
    /// The value is a multiple of this.
    pub multiple_of: Option<Number>,
    /// Shortest string, in Unicode code points.
    pub min_length: Option<u64>,
    /// Longest string, in Unicode code points.
    pub max_length: Option<u64>,
    /// Pattern the string matches somewhere.
    pub pattern: Option<Pattern>,
    /// Fewest items.
    pub min_items: Option<u64>,
    /// Most items.
    pub max_items: Option<u64>,
    /// Items are pairwise different.
    pub unique_items: bool,
    /// Fewest entries.
    pub min_properties: Option<u64>,
    /// Most entries.
    pub max_properties: Option<u64>,
    /// All of these hold.
    pub all_of: Vec<NodeId>,
    /// At least one of these holds.
    pub any_of: Vec<NodeId>,
    /// Exactly one of these holds.
    pub one_of: Vec<NodeId>,
    /// This does not hold.
    pub not: Option<NodeId>,
}

/// Facts few nodes have.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// The default.
    pub default: Option<Value>,
    /// The allowed values; empty when any is.
    pub enumeration: Vec<Value>,
    /// The name of a format that is [`Format::Other`].
    pub format: Option<Name>,
    /// Value facts.
    pub validation: Validation,
    /// CEL rules.
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) ty: Type,
    pub(crate) format: Format,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded_resource: bool,
    pub(crate) list: Option<ListType>,
    pub(crate) map: Option<MapType>,
    /// The run of this object's fields in `Schema::fields`.
    pub(crate) fields: (u32, u32),
    /// Node of items or of map values.
    pub(crate) element: Option<NodeId>,
    /// List keys of a [`ListType::Map`].
    pub(crate) keys: Box<[Name]>,
    pub(crate) required: Box<[Name]>,
    /// Index of the definition this node is the root of.
    pub(crate) definition: Option<u32>,
    pub(crate) extra: Option<Box<Extra>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) node: NodeId,
    pub(crate) patch: PatchStrategy,
    pub(crate) merge_key: Option<Box<str>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    pub(crate) node: NodeId,
    pub(crate) kinds: Vec<GroupVersionKind>,
}

/// An immutable set of definitions. It is built by [`crate::builtin`] or from a CRD.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub(crate) nodes: Vec<Node>,
    pub(crate) fields: Vec<Field>,
    /// Sorted by name.
    pub(crate) definitions: Vec<Definition>,
}

impl Schema {
    /// The node of the definition with this full name.
    pub fn definition(&self, name: &str) -> Option<NodeRef<'_>> {
        let found = self.definitions.binary_search_by(|d| d.name.as_ref().cmp(name)).ok()?;
        Some(self.at(self.definitions[found].node))
    }

    /// The definition of this kind. `DeleteOptions` and `WatchEvent` belong to every group and are
    /// found by any of them.
    pub fn kind(&self, group: &str, version: &str, kind: &str) -> Option<NodeRef<'_>> {
        let has = |d: &&Definition| {
            d.kinds.iter().any(|k| k.kind == kind && k.version == version && k.group == group)
        };
        self.definitions.iter().find(has).map(|d| self.at(d.node))
    }

    /// All definitions in the order of their names.
    pub fn definitions(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.definitions.iter().map(|d| self.at(d.node))
    }

    /// The node of the only definition of a CRD's arena (the first one otherwise).
    ///
    /// # Panics
    /// When the schema is empty, which no constructor returns.
    pub fn root(&self) -> NodeRef<'_> {
        self.at(self.definitions.first().expect("a schema has a definition").node)
    }

    pub(crate) fn at(&self, id: NodeId) -> NodeRef<'_> {
        NodeRef { schema: self, id }
    }

    /// Adds a node.
    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        self.nodes.push(node);
        id
    }

    /// Adds a run of fields, sorted by name.
    pub(crate) fn push_fields(&mut self, mut fields: Vec<Field>) -> (u32, u32) {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        let start = self.fields.len();
        self.fields.append(&mut fields);
        let index = |at| u32::try_from(at).expect("fewer than 2^32 fields");
        (index(start), index(self.fields.len()))
    }
}

/// A node of a schema: cheap to copy, borrowed from its [`Schema`].
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    schema: &'a Schema,
    id: NodeId,
}

impl fmt::Debug for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeRef")
            .field("id", &self.id.0)
            .field("type", &self.ty())
            .field("definition", &self.definition_name())
            .finish()
    }
}

impl<'a> NodeRef<'a> {
    pub(crate) fn node(self) -> &'a Node {
        &self.schema.nodes[self.id.0 as usize]
    }

    /// The schema this node belongs to.
    pub fn schema(self) -> &'a Schema {
        self.schema
    }

    /// The node's address, equal for equal places of one schema.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Another node of the same schema.
    pub fn sibling(self, id: NodeId) -> Self {
        self.schema.at(id)
    }

    /// What a value must be.
    pub fn ty(self) -> Type {
        self.node().ty
    }

    /// The format that decides something here.
    pub fn format(self) -> Format {
        self.node().format
    }

    /// The format as OpenAPI names it, if there is one.
    pub fn format_name(self) -> Option<&'a str> {
        self.format().name().or_else(|| self.extra().and_then(|e| e.format.as_deref()))
    }

    /// Whether `null` is a value.
    pub fn nullable(self) -> bool {
        self.node().nullable
    }

    /// `x-kubernetes-preserve-unknown-fields`.
    pub fn preserves_unknown(self) -> bool {
        self.node().preserve_unknown
    }

    /// `x-kubernetes-embedded-resource`: the value is a whole object with its own metadata.
    pub fn is_embedded_resource(self) -> bool {
        self.node().embedded_resource
    }

    /// `x-kubernetes-list-type`, where stated. Server-side apply takes an absent one as atomic.
    pub fn list_type(self) -> Option<ListType> {
        self.node().list
    }

    /// The keys that tell the items of a [`ListType::Map`] apart.
    pub fn list_keys(self) -> &'a [Name] {
        &self.node().keys
    }

    /// `x-kubernetes-map-type`, where stated. Server-side apply takes an absent one as granular.
    pub fn map_type(self) -> Option<MapType> {
        self.node().map
    }

    /// The field with this name.
    pub fn field(self, name: &str) -> Option<FieldRef<'a>> {
        let (start, fields) = self.field_run();
        let at = fields.binary_search_by(|f| f.name.as_ref().cmp(name)).ok()?;
        Some(FieldRef { owner: self, index: start + at })
    }

    /// All fields, sorted by name.
    pub fn fields(self) -> impl ExactSizeIterator<Item = FieldRef<'a>> {
        let (start, fields) = self.field_run();
        (start..start + fields.len()).map(move |index| FieldRef { owner: self, index })
    }

    fn field_run(self) -> (usize, &'a [Field]) {
        let (start, end) = self.node().fields;
        (start as usize, &self.schema.fields[start as usize..end as usize])
    }

    /// The node of an array's items.
    pub fn items(self) -> Option<Self> {
        if self.ty() == Type::Map { None } else { self.element() }
    }

    /// The node of a map's values.
    pub fn values(self) -> Option<Self> {
        if self.ty() == Type::Map { self.element() } else { None }
    }

    fn element(self) -> Option<Self> {
        self.node().element.map(|id| self.sibling(id))
    }

    /// The node of the value under this key: the field's, or else the map's values.
    pub fn child(self, key: &str) -> Option<Self> {
        self.field(key).map(FieldRef::node).or_else(|| self.values())
    }

    /// The names that must be present.
    pub fn required(self) -> &'a [Name] {
        &self.node().required
    }

    /// The default, if one is stated.
    pub fn default(self) -> Option<&'a Value> {
        self.extra().and_then(|e| e.default.as_ref())
    }

    /// The allowed values; empty when any is.
    pub fn enumeration(self) -> &'a [Value] {
        self.extra().map_or(&[], |e| &e.enumeration)
    }

    /// Value facts, which only custom resources have.
    pub fn validation(self) -> Option<&'a Validation> {
        self.extra().map(|e| &e.validation)
    }

    /// CEL rules of this very node.
    pub fn rules(self) -> &'a [Rule] {
        self.extra().map_or(&[], |e| &e.rules)
    }

    fn extra(self) -> Option<&'a Extra> {
        self.node().extra.as_deref()
    }

    /// The full name of the definition this node is the root of, e.g. `io.k8s.api.core.v1.Pod`.
    pub fn definition_name(self) -> Option<&'a str> {
        Some(self.definition()?.name.as_ref())
    }

    /// The kinds that are described by the definition this node is the root of.
    pub fn kinds(self) -> &'a [GroupVersionKind] {
        self.definition().map_or(&[], |d| &d.kinds)
    }

    fn definition(self) -> Option<&'a Definition> {
        self.schema.definitions.get(self.node().definition? as usize)
    }
}

/// A field of an object node.
#[derive(Clone, Copy, Debug)]
pub struct FieldRef<'a> {
    owner: NodeRef<'a>,
    index: usize,
}

impl<'a> FieldRef<'a> {
    fn field(self) -> &'a Field {
        &self.owner.schema.fields[self.index]
    }

    /// The name.
    pub fn name(self) -> &'a str {
        &self.field().name
    }

    /// The node of the field's value.
    pub fn node(self) -> NodeRef<'a> {
        self.owner.sibling(self.field().node)
    }

    /// Whether the object must have the field.
    pub fn required(self) -> bool {
        self.owner.required().iter().any(|name| name == self.name())
    }

    /// `x-kubernetes-patch-strategy`.
    pub fn patch_strategy(self) -> PatchStrategy {
        self.field().patch
    }

    /// `x-kubernetes-patch-merge-key`.
    pub fn merge_key(self) -> Option<&'a str> {
        self.field().merge_key.as_deref()
    }
}
