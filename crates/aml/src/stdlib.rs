//! The standard library, `std`: 44 functions, one table.
//!
//! Functions check their arguments as functions of the language do, so a wrong one
//! is told in the same words; positional and named arguments both work.

mod collections;
mod encoding;
mod network;
mod paths;
mod text;
mod yaml;

pub(crate) use yaml::parse as parse_yaml;

use crate::diagnostics::{Code, Fault, FaultBox};
use crate::evaluation::{Evaluated, Machine, PathElement};
use crate::schema::{ObjectSchema, Schema, SchemaField};
use crate::value::{Func, FuncId, Key, Kind, Native, Object, PathId, Recipe, SchemaId, Value};

type Body = for<'m, 't> fn(&'m mut Machine<'t>, &[Value]) -> Evaluated;

/// A parameter: its name, the kinds it takes (none means any), its default.
struct Param(&'static str, &'static [Kind], Missing);

/// What a parameter is when it is not given.
enum Missing {
    Required,
    Null,
    Int(i64),
    Text(&'static str),
}

/// How a function is made.
enum Entry {
    /// Takes arguments by the table.
    Checked(&'static [Param], Body),
    /// Takes any positional arguments.
    Native(Native),
}

use Entry::Checked;
use Missing::{Int, Null, Required, Text};

const STRING: &[Kind] = &[Kind::String];
const NUMBER: &[Kind] = &[Kind::Number];
const ARRAY: &[Kind] = &[Kind::Array];
const ANY: &[Kind] = &[];
const SCHEMA: &[Kind] = &[Kind::Schema];

const CONTENT: &[Param] = &[Param("content", STRING, Required)];
const PATH: &[Param] = &[Param("path", STRING, Required)];

/// Every function by name.
static TABLE: [(&str, Entry); 44] = [
    ("catch", Checked(&[Param("test", &[Kind::Func], Required)], collections::catch)),
    ("itoa", Checked(&[Param("a", NUMBER, Required)], text::itoa)),
    ("atoi", Checked(&[Param("a", STRING, Required)], text::atoi)),
    ("fileExt", Checked(&[Param("filename", STRING, Required)], paths::file_ext)),
    ("dirname", Checked(PATH, paths::dirname)),
    ("basename", Checked(PATH, paths::basename)),
    (
        "pathJoin",
        Checked(&[Param("paths", ARRAY, Required), Param("separator", STRING, Text("/"))], paths::path_join),
    ),
    ("splitHostPort", Checked(&[Param("address", STRING, Required)], network::split_host_port)),
    (
        "joinHostPort",
        Checked(
            &[Param("address", STRING, Required), Param("port", &[Kind::String, Kind::Number], Required)],
            network::join_host_port,
        ),
    ),
    ("base64", Checked(CONTENT, encoding::base64)),
    ("base64decode", Checked(CONTENT, encoding::base64_decode)),
    ("sha1sum", Checked(CONTENT, encoding::sha1sum)),
    ("sha256sum", Checked(CONTENT, encoding::sha256sum)),
    ("sha512sum", Checked(CONTENT, encoding::sha512sum)),
    ("toHex", Checked(CONTENT, encoding::to_hex)),
    ("fromHex", Checked(CONTENT, encoding::from_hex)),
    ("toJSON", Checked(&[Param("content", ANY, Required)], encoding::to_json)),
    ("fromJSON", Checked(CONTENT, encoding::from_json)),
    ("toYAML", Checked(&[Param("content", ANY, Required)], yaml::to_yaml)),
    ("fromYAML", Checked(CONTENT, yaml::from_yaml)),
    (
        "ifelse",
        Checked(
            &[
                Param("condition", &[Kind::Bool], Required),
                Param("onTrue", ANY, Required),
                Param("onFalse", ANY, Required),
            ],
            collections::ifelse,
        ),
    ),
    ("reverse", Checked(&[Param("collection", ARRAY, Required)], collections::reverse)),
    ("mod", Checked(&[Param("a", NUMBER, Required), Param("b", NUMBER, Required)], collections::modulo)),
    (
        "sort",
        Checked(
            &[Param("collection", ARRAY, Required), Param("less", &[Kind::Func], Null)],
            collections::sort,
        ),
    ),
    (
        "range",
        Checked(
            &[Param("start", NUMBER, Required), Param("end", NUMBER, Null), Param("step", NUMBER, Int(1))],
            collections::range,
        ),
    ),
    ("toTitle", Checked(CONTENT, text::to_title)),
    (
        "isA",
        Checked(
            &[
                Param(
                    "value",
                    &[
                        Kind::Bool,
                        Kind::Number,
                        Kind::String,
                        Kind::Object,
                        Kind::Array,
                        Kind::Null,
                        Kind::Func,
                        Kind::Schema,
                    ],
                    Required,
                ),
                Param("check", SCHEMA, Required),
            ],
            collections::is_a,
        ),
    ),
    (
        "contains",
        Checked(
            &[
                Param("collection", &[Kind::Array, Kind::Object, Kind::String], Required),
                Param("keyOrValue", ANY, Required),
            ],
            collections::contains,
        ),
    ),
    ("debug", Entry::Native(Native::Debug)),
    ("error", Entry::Native(Native::Error)),
    (
        "split",
        Checked(
            &[
                Param("content", STRING, Required),
                Param("separator", STRING, Required),
                Param("limit", NUMBER, Int(-1)),
            ],
            text::split,
        ),
    ),
    ("cut", Checked(&[Param("str", STRING, Required), Param("separator", STRING, Required)], text::cut)),
    ("join", Checked(&[Param("content", ARRAY, Required), Param("separator", STRING, Required)], text::join)),
    (
        "endsWith",
        Checked(&[Param("content", STRING, Required), Param("suffix", STRING, Required)], text::ends_with),
    ),
    (
        "startsWith",
        Checked(&[Param("content", STRING, Required), Param("prefix", STRING, Required)], text::starts_with),
    ),
    ("toUpper", Checked(CONTENT, text::to_upper)),
    ("toLower", Checked(CONTENT, text::to_lower)),
    ("trim", Checked(CONTENT, text::trim)),
    (
        "trimSuffix",
        Checked(&[Param("content", STRING, Required), Param("suffix", STRING, Required)], text::trim_suffix),
    ),
    (
        "trimPrefix",
        Checked(&[Param("content", STRING, Required), Param("prefix", STRING, Required)], text::trim_prefix),
    ),
    (
        "replace",
        Checked(
            &[
                Param("content", STRING, Required),
                Param("old", STRING, Required),
                Param("new", STRING, Required),
                Param("count", NUMBER, Int(-1)),
            ],
            text::replace,
        ),
    ),
    (
        "indexOf",
        Checked(
            &[Param("content", &[Kind::String, Kind::Array], Required), Param("item", ANY, Required)],
            collections::index_of,
        ),
    ),
    ("merge", Checked(&[Param("left", ANY, Required), Param("right", ANY, Required)], collections::merge)),
    ("describe", Checked(&[Param("obj", SCHEMA, Required)], collections::describe)),
];

/// The object `std`.
pub(crate) fn object(machine: &mut Machine<'_>) -> Value {
    let mut object = Object::default();
    for (index, (name, _)) in TABLE.iter().enumerate() {
        let thunk = machine.new_thunk(Recipe::Std(index), false).expect("a new machine is within its limits");
        object.push((*name).into(), thunk);
    }
    machine.new_object(object).expect("a new machine is within its limits")
}

/// The function of a table entry.
pub(crate) fn function(machine: &mut Machine<'_>, index: usize) -> FuncId {
    if let Some(func) = machine.std_funcs.get(&index) {
        return *func;
    }
    let func = machine.new_func(match TABLE[index].1 {
        Entry::Native(native) => Func::Native(native),
        Checked(..) => Func::Std(index),
    });
    machine.std_funcs.insert(index, func);
    func
}

fn params(index: usize) -> &'static [Param] {
    match &TABLE[index].1 {
        Checked(params, _) => params,
        Entry::Native(_) => &[],
    }
}

/// Names of the parameters.
pub(crate) fn parameters(index: usize) -> Vec<Key> {
    params(index).iter().map(|p| p.0.into()).collect()
}

pub(crate) fn call(machine: &mut Machine<'_>, index: usize, args: &[Value]) -> Evaluated {
    match &TABLE[index].1 {
        Checked(_, body) => body(machine, args),
        Entry::Native(_) => Ok(None),
    }
}

/// The schema of the arguments, made once.
pub(crate) fn argument_schema(machine: &mut Machine<'_>, index: usize) -> Result<SchemaId, FaultBox> {
    if let Some(schema) = machine.std_schemas.get(&index) {
        return Ok(*schema);
    }
    let mut fields = Vec::new();
    for Param(name, kinds, missing) in params(index) {
        let schema = parameter_schema(machine, kinds, missing)?;
        fields.push(SchemaField {
            key: (*name).into(),
            matches: false,
            optional: false,
            description: String::new(),
            schema,
        });
    }
    let path = machine.push_path(PathId(0), PathElement::Key(TABLE[index].0.into()))?;
    let path = machine.push_path(path, PathElement::Key("args".into()))?;
    let object = Some(ObjectSchema { open: true, fields, ..ObjectSchema::default() });
    let schema = machine.new_schema(Schema { object, path, ..Schema::of(Kind::Object) })?;
    machine.std_schemas.insert(index, schema);
    Ok(schema)
}

fn parameter_schema(
    machine: &mut Machine<'_>,
    kinds: &[Kind],
    missing: &Missing,
) -> Result<SchemaId, FaultBox> {
    let mut schema = match kinds {
        [] => match machine.lookup(machine.builtins, &"any".into())? {
            Some(Value::Schema(any)) => any,
            _ => unreachable!("any is a built-in schema"),
        },
        kinds => alternatives(machine, kinds)?,
    };
    let default = match missing {
        Required => return Ok(schema),
        Null => Value::Null,
        Int(value) => Value::int(*value),
        Text(text) => Value::text(*text),
    };
    if let Value::Schema(with_default) = machine.schema_or(schema, default.into_default())? {
        schema = with_default;
    }
    Ok(schema)
}

fn alternatives(machine: &mut Machine<'_>, kinds: &[Kind]) -> Result<SchemaId, FaultBox> {
    let mut schema = machine.new_schema(crate::schema::describe::type_of(kinds[0]))?;
    for kind in &kinds[1..] {
        let next = machine.new_schema(crate::schema::describe::type_of(*kind))?;
        if let Value::Schema(both) = machine.schema_or(schema, Value::Schema(next))? {
            schema = both;
        }
    }
    Ok(schema)
}

/// `std.debug`: notes a line; gives nothing.
pub(crate) fn debug(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let shown: Vec<String> = args.iter().map(|value| machine.show(value)).collect();
    let mut line = shown.first().cloned().unwrap_or_default();
    for value in shown.iter().skip(1) {
        match line.find('%').filter(|at| line[at + 1..].starts_with(['s', 'v', 'd', 'q'])) {
            Some(at) => line.replace_range(at..at + 2, value),
            None => {
                line.push(' ');
                line.push_str(value);
            }
        }
    }
    machine.charge(line.len())?;
    machine.debug.push(format!("AML DEBUG: {line}"));
    Ok(None)
}

/// A fault of a library function.
fn failed(message: impl Into<String>) -> FaultBox {
    Fault::new(Code::Function, message)
}

/// The text of an argument that has been checked to be one.
fn string(args: &[Value], index: usize) -> Key {
    match &args[index] {
        Value::Text(text) => Key::clone(text),
        _ => "".into(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_function_has_its_own_name() {
        let names: std::collections::BTreeSet<&str> = super::TABLE.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), super::TABLE.len());
    }
}
