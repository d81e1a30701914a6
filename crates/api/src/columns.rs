//! Columns of server-side Tables: what `kubectl get` shows of each kind.
//!
//! ```text
//!   Printer ── columns() ──> name, type, priority …        (the head of the Table)
//!           ── row(object, now) ──> cells, conditions      (one line of it)
//! ```
//!
//! A printer is built in for a kind, made from a CustomResourceDefinition's columns, or the general one. Every
//! column has a cell, wide ones included: the client leaves out those with a priority above 0.
//! Source: the printers of kube-apiserver 1.36; ages count to the `now` that is passed in.

mod access;
mod cell;
mod core;
mod custom;
mod extension;
mod jsonpath;
mod network;
mod node;
mod pod;
mod storage;
mod workloads;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::gvk::Text;
use crate::meta::{self, Time};

pub use custom::{ColumnError, CustomColumn};
pub use jsonpath::{JsonPath, JsonPathError};

/// One column of a Table: `metav1.TableColumnDefinition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The head, which clients print in capitals.
    pub name: Text,
    /// The OpenAPI type of the cells.
    pub kind: Text,
    /// The OpenAPI format of the cells; `name` marks the object's name.
    pub format: Text,
    /// What it shows.
    pub description: Text,
    /// 0 is always shown, more only in wide output.
    pub priority: i32,
}

/// One line of a Table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// One value per column.
    pub cells: Vec<Value>,
    /// `metav1.TableRowCondition` values: whether the object has come to its end.
    pub conditions: Vec<Value>,
}

/// Turns objects of one kind into lines.
#[derive(Debug, Clone)]
pub enum Printer {
    /// A built-in kind's own.
    Builtin(&'static Builtin),
    /// A custom resource's own.
    Custom(CustomPrinter),
}

/// A built-in kind's columns and how to fill them.
#[derive(Debug)]
pub struct Builtin {
    columns: Vec<Column>,
    cells: Cells,
    finished: fn(&Value) -> Option<&'static str>,
}

/// A custom resource's columns and where to find their values.
#[derive(Debug, Clone)]
pub struct CustomPrinter {
    columns: Vec<Column>,
    values: Vec<CustomColumn>,
}

type Cells = fn(&Value, Time) -> Vec<Value>;

/// A built-in printer as the families of kinds list it.
struct Spec {
    group: &'static str,
    kind: &'static str,
    columns: &'static [Head],
    cells: Cells,
}

/// A column as the families of kinds write it.
#[derive(Clone, Copy)]
struct Head {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    description: &'static str,
    priority: i32,
}

const FAMILIES: [&[Spec]; 8] = [
    pod::SPECS,
    workloads::SPECS,
    core::SPECS,
    node::SPECS,
    network::SPECS,
    storage::SPECS,
    access::SPECS,
    extension::SPECS,
];

/// By group, then by kind.
static BUILTIN: LazyLock<BTreeMap<&str, BTreeMap<&str, Builtin>>> = LazyLock::new(|| {
    let mut groups = BTreeMap::<_, BTreeMap<_, _>>::new();
    for spec in FAMILIES.iter().copied().flatten() {
        groups.entry(spec.group).or_default().insert(spec.kind, spec.expand());
    }
    groups
});

static GENERAL: LazyLock<Builtin> = LazyLock::new(|| {
    const COLUMNS: &[Head] =
        &[NAME, Head { kind: "date", ..Head::text("Created At", "When the object was made") }];
    Spec { group: "", kind: "", columns: COLUMNS, cells: |o, _| vec![cell::name(o), cell::created_at(o)] }
        .expand()
});

impl Printer {
    /// The printer of a kind: its own, or else name and creation time.
    pub fn builtin(group: &str, kind: &str) -> Self {
        Self::Builtin(BUILTIN.get(group).and_then(|g| g.get(kind)).unwrap_or(&GENERAL))
    }

    /// The printer of a custom resource from its `additionalPrinterColumns`; without any, name and age.
    ///
    /// # Errors
    /// A column has no name, no known type, or a path that cannot be evaluated.
    pub fn custom(additional: &[Value]) -> Result<Self, ColumnError> {
        let age = [json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})];
        let additional = if additional.is_empty() { &age } else { additional };
        let values = additional.iter().map(CustomColumn::parse).collect::<Result<Vec<_>, _>>()?;
        let columns =
            [Column::from(NAME)].into_iter().chain(values.iter().map(|v| v.column.clone())).collect();
        Ok(Self::Custom(CustomPrinter { columns, values }))
    }

    /// Its columns.
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Builtin(builtin) => &builtin.columns,
            Self::Custom(custom) => &custom.columns,
        }
    }

    /// An object's line, with ages counted to `now`.
    pub fn row(&self, object: &Value, now: Time) -> Row {
        match self {
            Self::Builtin(builtin) => builtin.row(object, now),
            Self::Custom(custom) => custom.row(object, now),
        }
    }
}

impl Builtin {
    fn row(&self, object: &Value, now: Time) -> Row {
        let condition = |reason: &str| {
            let message = pod::finished_message(reason);
            json!({"type": "Completed", "status": "True", "reason": reason, "message": message})
        };
        let conditions = (self.finished)(object).map(condition).into_iter().collect();
        Row { cells: (self.cells)(object, now), conditions }
    }
}

impl CustomPrinter {
    fn row(&self, object: &Value, now: Time) -> Row {
        let values = self.values.iter().map(|v| v.cell(object, now));
        Row { cells: [cell::name(object)].into_iter().chain(values).collect(), conditions: Vec::new() }
    }
}

impl Column {
    /// `metav1.TableColumnDefinition` as JSON.
    pub fn to_value(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        })
    }
}

impl Spec {
    fn expand(&self) -> Builtin {
        let columns = self.columns.iter().copied().map(Column::from).collect();
        let finished = if (self.group, self.kind) == ("", "Pod") { pod::finished } else { |_: &Value| None };
        Builtin { columns, cells: self.cells, finished }
    }
}

impl From<Head> for Column {
    fn from(head: Head) -> Self {
        Self {
            name: head.name.into(),
            kind: head.kind.into(),
            format: head.format.into(),
            description: head.description.into(),
            priority: head.priority,
        }
    }
}

impl Head {
    /// A column of texts.
    const fn text(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: "string", format: "", description, priority: 0 }
    }

    /// A column of whole numbers.
    const fn integer(name: &'static str, description: &'static str) -> Self {
        Self { kind: "integer", ..Self::text(name, description) }
    }

    /// A column of truth values.
    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self { kind: "boolean", ..Self::text(name, description) }
    }

    /// The same, shown only in wide output.
    const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }
}

const NAME: Head = Head { format: "name", ..Head::text("Name", "The name, unique within the namespace") };
const AGE: Head = Head::text("Age", "The time since the object was made");
const CONTAINERS: Head = Head::text("Containers", "The names of the template's containers").wide();
const IMAGES: Head = Head::text("Images", "The images of the template's containers").wide();
const SELECTOR: Head = Head::text("Selector", "Which pods belong to the object").wide();

/// The items of a list at a dotted path.
fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    meta::at(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
