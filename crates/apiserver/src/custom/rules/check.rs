//! What is wrong with a rule before it ever runs: unknown names, fields and functions, wrong types.
//!
//! The interpreter only fails when it meets such a thing; Kubernetes refuses the definition. This is a
//! small part of CEL's type checker: what it cannot tell the type of, it lets pass.

use kube_cel::cel::IdedExpr;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators as op,
};
use schema::model::{Rule, Validation};
use schema::{NodeRef, Type};

use super::value::escape;
use super::{NESTING_MAX, TEXT_MAX, invalid};
use api::status::FieldError;

/// What is known of the type of an expression.
#[derive(Clone, Copy)]
enum Kind<'a> {
    /// A value of the schema that is no scalar.
    Node(NodeRef<'a>),
    /// A scalar, by CEL's name.
    Scalar(&'static str),
    /// Nothing is known.
    Any,
}

/// Functions that are there, besides those with a namespace.
const FUNCTIONS: &[&str] = &[
    "add",
    "asApproximateFloat",
    "asInteger",
    "bool",
    "bytes",
    "charAt",
    "cidr",
    "compareTo",
    "contains",
    "containsCIDR",
    "containsIP",
    "distinct",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "family",
    "find",
    "findAll",
    "first",
    "flatten",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "hasValue",
    "indexOf",
    "int",
    "ip",
    "isCIDR",
    "isGlobalUnicast",
    "isGreaterThan",
    "isIP",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isQuantity",
    "isSemver",
    "isSorted",
    "isURL",
    "isUnspecified",
    "join",
    "last",
    "lastIndexOf",
    "lowerAscii",
    "major",
    "masked",
    "matches",
    "max",
    "min",
    "minor",
    "or",
    "orValue",
    "patch",
    "prefixLength",
    "quantity",
    "replace",
    "reverse",
    "semver",
    "sign",
    "size",
    "slice",
    "sort",
    "split",
    "startsWith",
    "string",
    "sub",
    "substring",
    "sum",
    "timestamp",
    "trim",
    "type",
    "uint",
    "upperAscii",
    "url",
    "validate",
    "value",
];
/// What a function's name may begin with.
const NAMESPACES: &[&str] =
    &["optional", "math", "sets", "lists", "strings", "base64", "ip", "cidr", "format", "jsonpatch"];

/// Visits every node with its path, written as Kubernetes writes paths in a schema.
pub(super) fn walk<'a>(node: NodeRef<'a>, path: &str, visit: &mut dyn FnMut(NodeRef<'a>, &str)) {
    visit(node, path);
    for field in node.fields() {
        walk(field.node(), &format!("{path}.properties[{}]", field.name()), visit);
    }
    if let Some(items) = node.items() {
        walk(items, &format!("{path}.items"), visit);
    }
    if let Some(values) = node.values() {
        walk(values, &format!("{path}.additionalProperties"), visit);
    }
    let Some(Validation { all_of, any_of, one_of, .. }) = node.validation() else { return };
    for (name, ids) in [("allOf", all_of), ("anyOf", any_of), ("oneOf", one_of)] {
        for (index, id) in ids.iter().enumerate() {
            walk(node.sibling(*id), &format!("{path}.{name}[{index}]"), visit);
        }
    }
}

/// Whether the text may be handed to the parser, which recurses with it.
pub(super) fn text(text: &str) -> Result<(), String> {
    if text.len() > TEXT_MAX {
        return Err(format!("the expression is longer than {TEXT_MAX} bytes"));
    }
    let (mut depth, mut deepest, mut prefix) = (0_usize, 0, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefix = if matches!(c, '!' | '-' | '?' | ':') { prefix + 1 } else { prefix };
        deepest = deepest.max(depth);
    }
    if deepest > NESTING_MAX || prefix > NESTING_MAX * 8 {
        return Err(format!("the expression nests deeper than {NESTING_MAX} levels"));
    }
    Ok(())
}

/// Refuses expressions whose evaluation would recurse too deep.
pub(super) fn depth(expression: &IdedExpr, left: usize) -> Result<(), String> {
    let Some(left) = left.checked_sub(1) else {
        return Err("the expression nests too many operators".to_owned());
    };
    children(expression).into_iter().try_for_each(|child| depth(child, left))
}

fn children(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            })
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => Vec::new(),
    }
}

/// What is wrong with the fields of a rule beside its expressions.
pub(super) fn shape(rule: &Rule, at: &str, node: NodeRef<'_>, errors: &mut Vec<FieldError>) {
    const REASONS: [&str; 4] =
        ["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"];
    if let Some(reason) = rule.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
        let detail = format!("supported values: {}", REASONS.map(|known| format!("{known:?}")).join(", "));
        let kind = api::status::FieldErrorKind::NotSupported;
        errors.push(FieldError {
            kind,
            path: format!("{at}.reason"),
            bad_value: Some(reason.into()),
            detail,
        });
    }
    if rule.message.as_deref().is_some_and(|message| message.trim().contains('\n')) {
        let shown = rule.message.as_deref().unwrap_or_default();
        errors.push(invalid(&format!("{at}.message"), shown, "message must not contain line breaks"));
    }
    if let Some(path) = rule.field_path.as_deref().filter(|path| !leads_somewhere(path, node)) {
        let detail = "fieldPath must be a valid path: it does not refer to a valid field";
        errors.push(invalid(&format!("{at}.fieldPath"), path, detail));
    }
}

/// Whether a JSON path of plain fields (`.spec.x`, `['x']`) exists below a node.
fn leads_somewhere(path: &str, node: NodeRef<'_>) -> bool {
    let plain = path.replace("['", ".").replace("']", "");
    let Some(fields) = plain.strip_prefix('.') else { return false };
    let mut at = Some(node);
    for name in fields.split('.') {
        at = at.and_then(|node| node.child(name));
    }
    at.is_some()
}

/// Refuses unknown names and types that do not fit.
pub(super) fn types(expression: &IdedExpr, node: NodeRef<'_>, wanted: &str) -> Result<(), String> {
    // `oldSelf` may be optional, which is a type of its own: nothing is told of it.
    let mut scope = vec![("self".to_owned(), kind_of(node)), ("oldSelf".to_owned(), Kind::Any)];
    match infer(expression, &mut scope)? {
        Kind::Scalar(found) if found != wanted => {
            Err(format!("cel expression must evaluate to a {wanted}, not {found}"))
        }
        Kind::Node(_) => Err(format!("cel expression must evaluate to a {wanted}")),
        _ => Ok(()),
    }
}

fn kind_of(node: NodeRef<'_>) -> Kind<'_> {
    match node.ty() {
        Type::Integer => Kind::Scalar("int"),
        Type::Number => Kind::Scalar("double"),
        Type::Boolean => Kind::Scalar("bool"),
        Type::String => match node.format_name().or_else(|| node.format().name()) {
            Some("date-time" | "date") => Kind::Scalar("timestamp"),
            Some("duration") => Kind::Scalar("duration"),
            Some("byte") => Kind::Scalar("bytes"),
            _ => Kind::Scalar("string"),
        },
        Type::Object | Type::Map | Type::Array => Kind::Node(node),
        _ => Kind::Any,
    }
}

type Scope<'a> = Vec<(String, Kind<'a>)>;

fn infer<'a>(expression: &IdedExpr, scope: &mut Scope<'a>) -> Result<Kind<'a>, String> {
    match &expression.expr {
        Expr::Literal(literal) => Ok(Kind::Scalar(match literal {
            LiteralValue::Boolean(_) => "bool",
            LiteralValue::Bytes(_) => "bytes",
            LiteralValue::Double(_) => "double",
            LiteralValue::Int(_) => "int",
            LiteralValue::Null => return Ok(Kind::Any),
            LiteralValue::String(_) => "string",
            LiteralValue::UInt(_) => "uint",
        })),
        Expr::Ident(name) => match scope.iter().rev().find(|(known, _)| known == name) {
            Some((_, kind)) => Ok(*kind),
            None => Err(undeclared(name)),
        },
        Expr::Select(select) => {
            let operand = infer(&select.operand, scope)?;
            let found = field(operand, &select.field)?;
            Ok(if select.test { Kind::Scalar("bool") } else { found })
        }
        Expr::Call(call) => infer_call(call, scope),
        Expr::Comprehension(comprehension) => infer_loop(comprehension, scope),
        Expr::Struct(inner) => Err(undeclared(&inner.type_name)),
        Expr::Unspecified => Err("the expression is incomplete".to_owned()),
        Expr::List(_) | Expr::Map(_) => {
            children(expression).into_iter().try_for_each(|child| infer(child, scope).map(drop))?;
            Ok(Kind::Any)
        }
    }
}

fn undeclared(name: &str) -> String {
    format!("undeclared reference to '{name}' (in container '')")
}

/// The type of a field of what `operand` is.
fn field<'a>(operand: Kind<'a>, name: &str) -> Result<Kind<'a>, String> {
    match operand {
        Kind::Scalar(scalar @ ("int" | "double" | "bool" | "string" | "bytes")) => {
            Err(format!("type '{scalar}' does not support field selection"))
        }
        Kind::Node(node) if node.ty() == Type::Object => {
            let known = node.fields().find(|field| escape(field.name()) == name);
            match known {
                Some(found) => Ok(kind_of(found.node())),
                None => Err(format!("undefined field '{name}'")),
            }
        }
        Kind::Node(node) if node.ty() == Type::Array => {
            Err("type 'list' does not support field selection".to_owned())
        }
        Kind::Node(node) => Ok(node.values().map_or(Kind::Any, kind_of)),
        _ => Ok(Kind::Any),
    }
}

fn infer_call<'a>(call: &CallExpr, scope: &mut Scope<'a>) -> Result<Kind<'a>, String> {
    let name = call.func_name.as_str();
    let namespaced = match call.target.as_deref().map(|target| &target.expr) {
        Some(Expr::Ident(prefix)) => {
            NAMESPACES.contains(&prefix.as_str()) && !scope.iter().any(|(known, _)| known == prefix)
        }
        _ => false,
    };
    let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_operator && !namespaced && !FUNCTIONS.contains(&name) {
        return Err(undeclared(name));
    }
    if let Some(target) = call.target.as_deref().filter(|_| !namespaced) {
        infer(target, scope)?;
    }
    let args = call.args.iter().map(|arg| infer(arg, scope)).collect::<Result<Vec<_>, _>>()?;
    operator(name, &args)
}

fn operator<'a>(name: &str, args: &[Kind<'a>]) -> Result<Kind<'a>, String> {
    match (name, args) {
        (op::LOGICAL_AND | op::LOGICAL_OR, [a, b]) => {
            for kind in [a, b] {
                if let Kind::Scalar(found) = kind
                    && *found != "bool"
                {
                    return Err(format!("expected type 'bool' but found '{found}'"));
                }
            }
            Ok(Kind::Scalar("bool"))
        }
        (
            op::EQUALS | op::NOT_EQUALS | op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS,
            [a, b],
        ) => {
            comparable(name, *a, *b)?;
            Ok(Kind::Scalar("bool"))
        }
        (op::LOGICAL_NOT | op::IN, _) => Ok(Kind::Scalar("bool")),
        (op::INDEX, [Kind::Node(node), _]) => {
            Ok(node.items().or_else(|| node.values()).map_or(Kind::Any, kind_of))
        }
        ("size", _) => Ok(Kind::Scalar("int")),
        ("startsWith" | "endsWith" | "contains" | "matches", _) => Ok(Kind::Scalar("bool")),
        ("string", [_]) => Ok(Kind::Scalar("string")),
        _ => Ok(Kind::Any),
    }
}

/// Numbers compare with numbers, all else with its own type.
fn comparable(name: &str, a: Kind<'_>, b: Kind<'_>) -> Result<(), String> {
    let (Kind::Scalar(a), Kind::Scalar(b)) = (a, b) else { return Ok(()) };
    let number = |kind: &str| matches!(kind, "int" | "uint" | "double");
    if a == b || (number(a) && number(b)) {
        return Ok(());
    }
    Err(format!("found no matching overload for '{name}' applied to '({a}, {b})'"))
}

fn infer_loop<'a>(comprehension: &ComprehensionExpr, scope: &mut Scope<'a>) -> Result<Kind<'a>, String> {
    if comprehension.iter_var2.is_some() {
        return Err("macros with two variables are not served by this version of Coracle".to_owned());
    }
    let item = match infer(&comprehension.iter_range, scope)? {
        Kind::Node(node) if node.ty() == Type::Array => node.items().map_or(Kind::Any, kind_of),
        Kind::Node(node) if node.ty() == Type::Map => Kind::Scalar("string"),
        Kind::Scalar(scalar) => {
            return Err(format!("expression of type '{scalar}' cannot be range of a comprehension"));
        }
        _ => Kind::Any,
    };
    let initial = infer(&comprehension.accu_init, scope)?;
    let outer = scope.len();
    scope.push((comprehension.iter_var.clone(), item));
    scope.push((comprehension.accu_var.clone(), initial));
    infer(&comprehension.loop_cond, scope)?;
    infer(&comprehension.loop_step, scope)?;
    let result = infer(&comprehension.result, scope);
    scope.truncate(outer);
    result
}
