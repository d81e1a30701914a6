//! The committed table of the built-in kinds, and its reader.
//!
//! ```text
//! p core.v1 io.k8s.api.core.v1                    package: alias, full name
//! in core.v1                                      the definitions that follow lie in it
//! d Pod =/v1/Pod                                  definition [type] [facts] [=group/version/kind]
//!  metadata @meta.v1:ObjectMeta                   field[!] type [facts]; `!` is required
//!  containers! [@Container] list=map:name patch=merge key=name
//! ```
//!
//! Types: `str bytes time microtime i32 i64 dbl bool quantity intstr any`, `[item]`, `{value}`,
//! `@Name` in the same package, `@alias:Name` in another. A definition without a type is an object
//! of the fields that follow. The table is compiled in; it is read once, in about a millisecond,
//! and names stay borrowed from it.

use std::collections::HashMap;
use std::sync::LazyLock;

use thiserror::Error;

use crate::model::{
    Definition, Extra, Field, Format, GroupVersionKind, ListType, MapType, Name, Node, NodeId, PatchStrategy,
    Schema, Type,
};

/// Why a table of facts cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line} of the schema facts: {problem}")]
pub struct FactsError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

static BUILTIN: LazyLock<Schema> =
    LazyLock::new(|| read(include_str!("../facts/builtin.txt")).expect("a test reads the committed table"));

/// The schema of all kinds built into Kubernetes 1.36, read from the committed table at first use.
pub fn builtin() -> &'static Schema {
    &BUILTIN
}

/// Reads a table of facts.
pub fn read(table: &'static str) -> Result<Schema, FactsError> {
    let mut reader = Reader::default();
    reader
        .declare(table)
        .and_then(|()| reader.fill(table))
        .map_err(|(line, problem)| FactsError { line: line + 1, problem })?;
    Ok(reader.finish())
}

type Problem<T> = Result<T, String>;
type Located<T> = Result<T, (usize, String)>;

#[derive(Default)]
struct Reader {
    schema: Schema,
    /// alias -> full name of the package.
    packages: HashMap<&'static str, &'static str>,
    /// (alias, short name) -> node of the definition.
    ids: HashMap<(&'static str, &'static str), NodeId>,
    /// Nodes of field types already made, by their text; cleared for every package.
    made: HashMap<&'static str, NodeId>,
    /// Copies of a definition's node with another map type, filled in when all are read.
    copies: Vec<(NodeId, NodeId, MapType)>,
    package: &'static str,
    /// The definition being read and its fields so far.
    open: Option<NodeId>,
    fields: Vec<Field>,
    required: Vec<Name>,
}

/// Text after the type: `list=…` and so on.
#[derive(Default)]
struct Facts {
    list: Option<ListType>,
    keys: Box<[Name]>,
    map: Option<MapType>,
    patch: PatchStrategy,
    merge_key: Option<Box<str>>,
    default: Option<serde_json::Value>,
    kinds: Vec<GroupVersionKind>,
}

impl Facts {
    fn shapes_node(&self) -> bool {
        self.list.is_some() || self.map.is_some() || self.default.is_some()
    }
}

fn facts(words: &'static str) -> Problem<Facts> {
    let mut facts = Facts::default();
    for word in words.split_ascii_whitespace() {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is no fact"))?;
        match key {
            "" => facts.kinds.push(kind(value)?),
            "list" => (facts.list, facts.keys) = list(value)?,
            "map" if value == "atomic" => facts.map = Some(MapType::Atomic),
            "map" if value == "granular" => facts.map = Some(MapType::Granular),
            "patch" => facts.patch = PatchStrategy::parse(value),
            "key" => facts.merge_key = Some(value.into()),
            "default" => facts.default = Some(serde_json::from_str(value).map_err(|e| e.to_string())?),
            _ => return Err(format!("{word:?} is no fact")),
        }
    }
    Ok(facts)
}

fn kind(text: &'static str) -> Problem<GroupVersionKind> {
    let mut parts = text.splitn(3, '/').map(Name::Borrowed);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(group), Some(version), Some(kind)) => Ok(GroupVersionKind { group, version, kind }),
        _ => Err(format!("{text:?} is no group/version/kind")),
    }
}

fn list(text: &'static str) -> Problem<(Option<ListType>, Box<[Name]>)> {
    let (word, keys) = text.split_once(':').unwrap_or((text, ""));
    let list = match word {
        "atomic" => ListType::Atomic,
        "set" => ListType::Set,
        "map" => ListType::Map,
        _ => return Err(format!("{word:?} is no list type")),
    };
    let keys = keys.split(',').filter(|key| !key.is_empty()).map(Name::Borrowed).collect();
    Ok((Some(list), keys))
}

impl Reader {
    /// First pass: packages, and one empty node per definition, so that references resolve.
    fn declare(&mut self, table: &'static str) -> Located<()> {
        for (number, line) in table.lines().enumerate() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("p"), Some(alias), Some(name)) => drop(self.packages.insert(alias, name)),
                (Some("in"), Some(alias), None) => self.package = alias,
                (Some("d"), Some(short), _) => {
                    let full =
                        self.packages.get(self.package).ok_or((number, "no such package".to_owned()))?;
                    let node = self.schema.push(Node::default());
                    self.ids.insert((self.package, short), node);
                    let name = Name::Owned(format!("{full}.{short}"));
                    self.schema.definitions.push(Definition { name, node, kinds: Vec::new() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Second pass: what each definition is.
    fn fill(&mut self, table: &'static str) -> Located<()> {
        let mut next = 0;
        for (number, line) in table.lines().enumerate() {
            let filled = if let Some(field) = line.strip_prefix(' ') {
                self.field(field)
            } else if let Some(definition) = line.strip_prefix("d ") {
                next += 1;
                self.definition(next - 1, definition)
            } else {
                self.enter(line);
                Ok(())
            };
            filled.map_err(|problem| (number, problem))?;
        }
        self.close();
        Ok(())
    }

    fn enter(&mut self, line: &'static str) {
        if let Some(alias) = line.strip_prefix("in ") {
            self.close();
            self.package = alias;
            self.made.clear();
        }
    }

    fn definition(&mut self, index: usize, line: &'static str) -> Problem<()> {
        self.close();
        let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
        let (ty, words) = match rest.split_once(' ').unwrap_or((rest, "")) {
            (first, _) if first.is_empty() || first.contains('=') => ("", rest),
            (first, words) => (first, words),
        };
        let facts = facts(words)?;
        let mut node =
            if ty.is_empty() { Node { ty: Type::Object, ..Node::default() } } else { self.shape(ty)? };
        node.map = facts.map;
        node.definition = u32::try_from(index).ok();
        let definition = &mut self.schema.definitions[index];
        definition.kinds = facts.kinds;
        self.schema.nodes[definition.node.0 as usize] = node;
        self.open = Some(definition.node);
        Ok(())
    }

    /// Ends the open definition by giving it its fields.
    fn close(&mut self) {
        let Some(id) = self.open.take() else { return };
        let fields = std::mem::take(&mut self.fields);
        let required = std::mem::take(&mut self.required).into_boxed_slice();
        let run = self.schema.push_fields(fields);
        let node = &mut self.schema.nodes[id.0 as usize];
        node.fields = run;
        node.required = required;
    }

    fn field(&mut self, line: &'static str) -> Problem<()> {
        let (name, rest) = line.split_once(' ').ok_or("a field without a type")?;
        let (ty, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let facts = facts(words)?;
        let node = if facts.shapes_node() { self.shaped(ty, &facts)? } else { self.plain(ty)? };
        let bare = name.strip_suffix('!').unwrap_or(name);
        if bare.len() < name.len() {
            self.required.push(Name::Borrowed(bare));
        }
        let Facts { patch, merge_key, .. } = facts;
        self.fields.push(Field { name: Name::Borrowed(bare), node, patch, merge_key });
        Ok(())
    }

    /// The node of a type that has facts of its own.
    fn shaped(&mut self, ty: &'static str, facts: &Facts) -> Problem<NodeId> {
        if let (Some(reference), Some(map)) = (ty.strip_prefix('@'), facts.map) {
            let original = self.reference(reference)?;
            let copy = self.schema.push(Node::default());
            self.copies.push((copy, original, map));
            return Ok(copy);
        }
        let mut node = self.shape(ty)?;
        node.list = facts.list;
        node.keys = facts.keys.clone();
        node.map = facts.map;
        node.extra = facts
            .default
            .as_ref()
            .map(|default| Box::new(Extra { default: Some(default.clone()), ..Extra::default() }));
        Ok(self.schema.push(node))
    }

    /// The node of a type without facts, shared by all that have the same text.
    fn plain(&mut self, ty: &'static str) -> Problem<NodeId> {
        if let Some(reference) = ty.strip_prefix('@') {
            return self.reference(reference);
        }
        if let Some(&id) = self.made.get(ty) {
            return Ok(id);
        }
        let node = self.shape(ty)?;
        let id = self.schema.push(node);
        self.made.insert(ty, id);
        Ok(id)
    }

    fn reference(&self, text: &'static str) -> Problem<NodeId> {
        let key = text.split_once(':').unwrap_or((self.package, text));
        self.ids.get(&key).copied().ok_or_else(|| format!("no definition {text:?}"))
    }

    fn shape(&mut self, ty: &'static str) -> Problem<Node> {
        let scalar = |ty, format| Ok(Node { ty, format, ..Node::default() });
        match ty {
            "str" => scalar(Type::String, Format::None),
            "bytes" => scalar(Type::String, Format::Byte),
            "time" => scalar(Type::String, Format::DateTime),
            "microtime" => scalar(Type::String, Format::MicroTime),
            "i32" => scalar(Type::Integer, Format::Int32),
            "i64" => scalar(Type::Integer, Format::Int64),
            "dbl" => scalar(Type::Number, Format::Double),
            "bool" => scalar(Type::Boolean, Format::None),
            "quantity" => scalar(Type::Quantity, Format::None),
            "intstr" => scalar(Type::IntOrString, Format::None),
            "any" => Ok(Node { preserve_unknown: true, ..Node::default() }),
            _ => self.compound(ty),
        }
    }

    fn compound(&mut self, ty: &'static str) -> Problem<Node> {
        let within = |open, close| ty.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
        let (kind, element) = if let Some(item) = within('[', ']') {
            (Type::Array, item)
        } else if let Some(value) = within('{', '}') {
            (Type::Map, value)
        } else {
            return Err(format!("{ty:?} is no type"));
        };
        Ok(Node { ty: kind, element: Some(self.plain(element)?), ..Node::default() })
    }

    fn finish(mut self) -> Schema {
        self.sort_definitions();
        for (copy, original, map) in std::mem::take(&mut self.copies) {
            let node = Node { map: Some(map), ..self.schema.nodes[original.0 as usize].clone() };
            self.schema.nodes[copy.0 as usize] = node;
        }
        self.schema
    }

    fn sort_definitions(&mut self) {
        self.schema.definitions.sort_by(|a, b| a.name.cmp(&b.name));
        for (index, definition) in self.schema.definitions.iter().enumerate() {
            self.schema.nodes[definition.node.0 as usize].definition = u32::try_from(index).ok();
        }
        self.schema.nodes.shrink_to_fit();
        self.schema.fields.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
