//! The JSON reader: recursive descent over the text, led by the schema.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::scalar::{self, Literal};
use super::{DEPTH_MAX, DecodeError, Decoded, ISSUES_MAX, Issue, Shape};
use crate::facts::builtin;
use crate::model::{FieldRef, NodeRef, Type};

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

pub(super) fn decode(body: &[u8], shape: Shape<'_>) -> Result<Decoded, DecodeError> {
    // Go replaces bytes that are no UTF-8; so do we.
    let text = String::from_utf8_lossy(body);
    let mut reader = Reader {
        text: &text,
        at: 0,
        depth: 0,
        path: Vec::with_capacity(16),
        issues: Vec::new(),
        wrong: None,
    };
    let want = match shape {
        Shape::Typed(node) => Want::node(node),
        Shape::Custom => Want::Custom,
        Shape::Any => Want::Any,
    };
    let value = reader.value(want)?;
    reader.end()?;
    match reader.wrong {
        Some(error) => Err(error),
        None => Ok(Decoded { value, issues: reader.issues }),
    }
}

/// What the value at hand should be.
#[derive(Clone, Copy)]
enum Want<'s> {
    Node(NodeRef<'s>),
    /// The root of a custom resource.
    Custom,
    /// Anything; duplicate fields are issues.
    Any,
    /// Anything, and nobody looks inside.
    Opaque,
}

impl<'s> Want<'s> {
    fn node(node: NodeRef<'s>) -> Self {
        if node.ty() == Type::Any { Self::Opaque } else { Self::Node(node) }
    }
}

/// One step from the root to the value at hand.
enum Step<'t, 's> {
    /// A field of a struct: it counts in error messages.
    Field {
        name: &'s str,
        owner: NodeRef<'s>,
    },
    Key(Cow<'t, str>),
    Index(usize),
}

struct Reader<'t, 's> {
    text: &'t str,
    at: usize,
    depth: usize,
    path: Vec<Step<'t, 's>>,
    issues: Vec<Issue>,
    /// The first value of a wrong type.
    wrong: Option<DecodeError>,
}

type Read<T> = Result<T, DecodeError>;

impl<'t, 's> Reader<'t, 's> {
    fn value(&mut self, want: Want<'s>) -> Read<Value> {
        match self.peek_token() {
            Some(b'{') => self.object(want),
            Some(b'[') => self.array(want),
            Some(b'"') => {
                let text = self.string()?;
                Ok(self.fit(want, Literal::String(text)))
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = self.number()?;
                Ok(self.fit(want, Literal::Number(number)))
            }
            Some(b't') => self.word("true", want, Literal::Bool(true)),
            Some(b'f') => self.word("false", want, Literal::Bool(false)),
            Some(b'n') => self.word("null", want, Literal::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn end(&mut self) -> Read<()> {
        match self.peek_token() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("after top-level value")),
        }
    }

    // -- objects and arrays

    fn object(&mut self, want: Want<'s>) -> Read<Value> {
        let want = self.container(want, "object", |ty| matches!(ty, Type::Object | Type::Map));
        self.enter()?;
        let mut map = Map::new();
        let mut nulls = false;
        if self.peek_token() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                if self.peek_token() != Some(b'"') {
                    return Err(self.unexpected("looking for beginning of object key string"));
                }
                let key = self.string()?;
                self.expect(b':', "after object key")?;
                nulls |= self.member(want, key, &mut map)?;
                if self.next_or(b'}', "after object key:value pair")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        if nulls {
            map.retain(|_, value| !value.is_null());
        }
        Ok(Value::Object(map))
    }

    /// Reads the value of one member. Tells whether a null was put in that is to be taken out again.
    fn member(&mut self, want: Want<'s>, key: Cow<'t, str>, map: &mut Map<String, Value>) -> Read<bool> {
        match want {
            Want::Node(owner) if owner.ty() == Type::Map => {
                let node = owner.values().expect("a map has a node of values");
                self.keyed(key, Want::node(node), map)?;
            }
            Want::Node(owner) => match owner.field(&key) {
                Some(field) => {
                    self.step_into(Step::Field { name: field.name(), owner }, map);
                    let value = self.value(Want::node(field.node()))?;
                    self.path.pop();
                    let value = if omitted(field, &value) { Value::Null } else { value };
                    let null = value.is_null();
                    map.insert(key.into_owned(), value);
                    return Ok(null);
                }
                None => self.unknown(key)?,
            },
            Want::Custom => {
                let want = custom_member(&key);
                self.keyed(key, want, map)?;
            }
            Want::Any => self.keyed(key, Want::Any, map)?,
            Want::Opaque => {
                let value = self.value(Want::Opaque)?;
                map.insert(key.into_owned(), value);
            }
        }
        Ok(false)
    }

    /// Reads the value of a map's key and puts it in; a null is the zero value of the map's node.
    fn keyed(&mut self, key: Cow<'t, str>, want: Want<'s>, map: &mut Map<String, Value>) -> Read<()> {
        self.step_into(Step::Key(key), map);
        let value = match (self.value(want)?, want) {
            (Value::Null, Want::Node(node)) => scalar::zero(node),
            (value, _) => value,
        };
        if let Some(Step::Key(key)) = self.path.pop() {
            map.insert(key.into_owned(), value);
        }
        Ok(())
    }

    fn unknown(&mut self, key: Cow<'t, str>) -> Read<()> {
        self.path.push(Step::Key(key));
        self.issue(Issue::UnknownField);
        self.value(Want::Opaque)?;
        self.path.pop();
        Ok(())
    }

    fn array(&mut self, want: Want<'s>) -> Read<Value> {
        let want = self.container(want, "array", |ty| ty == Type::Array);
        let node = match want {
            Want::Node(node) => node.items(),
            _ => None,
        };
        let inner = match want {
            Want::Custom | Want::Any => Want::Any,
            _ => node.map_or(Want::Opaque, Want::node),
        };
        self.enter()?;
        let mut items = Vec::new();
        if self.peek_token() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.path.push(Step::Index(items.len()));
                let value = self.value(inner)?;
                self.path.pop();
                items.push(if value.is_null() { node.map_or(value, scalar::zero) } else { value });
                if self.next_or(b']', "after array element")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Array(items))
    }

    /// What the inside of an array or object should be; a wrong type is noted and not looked into.
    fn container(&mut self, want: Want<'s>, found: &str, fits: fn(Type) -> bool) -> Want<'s> {
        match want {
            Want::Node(node) if fits(node.ty()) => want,
            Want::Node(node) => {
                self.mismatch(node, found);
                Want::Opaque
            }
            other => other,
        }
    }

    fn enter(&mut self) -> Read<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(DecodeError::Depth) } else { Ok(()) }
    }

    /// After an element: `,` goes on (false), the closing byte ends (true).
    fn next_or(&mut self, close: u8, context: &str) -> Read<bool> {
        match self.peek_token() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.unexpected(context)),
        }
    }

    fn expect(&mut self, byte: u8, context: &str) -> Read<()> {
        if self.peek_token() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(context))
    }

    // -- scalars

    fn word(&mut self, word: &str, want: Want<'s>, literal: Literal<'t>) -> Read<Value> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let context = format!("in literal {word} (expecting '{}')", expected as char);
                return Err(self.unexpected(&context));
            }
            self.at += 1;
        }
        Ok(self.fit(want, literal))
    }

    /// A scalar as the schema wants it; a misfit is noted, and the value given back does not matter.
    fn fit(&mut self, want: Want<'s>, literal: Literal<'t>) -> Value {
        let fitted = match want {
            Want::Node(node) => scalar::fit(node, literal),
            _ => scalar::free(literal),
        };
        match (fitted, want) {
            (Ok(value), _) => value,
            (Err(scalar::Misfit::Type { found, expected }), Want::Node(node)) => {
                let expected = expected.map_or_else(|| go_type(node), str::to_owned);
                self.wrong_type(found, expected);
                Value::Null
            }
            (Err(scalar::Misfit::Type { found, .. }), _) => {
                self.wrong_type(found, "float64".to_owned());
                Value::Null
            }
            (Err(scalar::Misfit::Format(message)), _) => {
                self.wrong.get_or_insert(DecodeError::Format(message));
                Value::Null
            }
        }
    }

    /// Reads a string, borrowing it from the text when it holds no escape.
    fn string(&mut self) -> Read<Cow<'t, str>> {
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
                }
                b'\\' => return self.escaped(start).map(Cow::Owned),
                0..0x20 => break,
                _ => self.at += 1,
            }
        }
        Err(self.unexpected("in string literal"))
    }

    fn escaped(&mut self, start: usize) -> Read<String> {
        let mut out = self.text[start..self.at].to_owned();
        loop {
            let run = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(&self.text[run..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let escape = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(escape)
    }

    /// The character of a `\u` escape; half a surrogate pair is U+FFFD, as in Go.
    fn unicode(&mut self) -> Read<char> {
        let high = self.hex4()?;
        if let Some(c) = char::from_u32(high) {
            return Ok(c);
        }
        let after = self.at;
        if high < 0xdc00 && self.text.as_bytes()[after..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let pair = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| (byte as char).to_digit(16));
            let digit = digit.ok_or_else(|| self.unexpected("in \\u hexadecimal character escape"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Read<&'t str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self, context: &str) -> Read<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected(context)) } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek_token(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    // -- issues and errors

    /// Steps into a member, noting it when the object has one of that name already.
    fn step_into(&mut self, step: Step<'t, 's>, map: &Map<String, Value>) {
        let known = match &step {
            Step::Field { name, .. } => map.contains_key(*name),
            Step::Key(key) => map.contains_key(key.as_ref()),
            Step::Index(_) => false,
        };
        self.path.push(step);
        if known {
            self.issue(Issue::DuplicateField);
        }
    }

    fn issue(&mut self, make: fn(String) -> Issue) {
        if self.issues.len() >= ISSUES_MAX {
            return;
        }
        let issue = make(self.path_text());
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }

    /// `spec.containers[0].name`
    fn path_text(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            let name = match step {
                Step::Field { name, .. } => name,
                Step::Key(key) => key.as_ref(),
                Step::Index(index) => {
                    out.push_str(&format!("[{index}]"));
                    continue;
                }
            };
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(name);
        }
        out
    }

    fn mismatch(&mut self, node: NodeRef<'s>, found: &str) {
        match node.ty() {
            Type::Quantity => {
                self.wrong.get_or_insert(DecodeError::Format(super::quantity::FORM.to_owned()));
            }
            Type::IntOrString => self.wrong_type(found.to_owned(), "int32".to_owned()),
            _ => self.wrong_type(found.to_owned(), go_type(node)),
        }
    }

    fn wrong_type(&mut self, found: String, expected: String) {
        if self.wrong.is_some() {
            return;
        }
        let fields: Vec<&str> = self.path.iter().filter_map(Step::field_name).collect();
        let owner = self.path.iter().rev().find_map(Step::owner);
        let place = owner.map_or_else(
            || "value".to_owned(),
            |owner| format!("struct field {}.{}", struct_name(owner), fields.join(".")),
        );
        self.wrong = Some(DecodeError::Type { found, place, expected });
    }

    fn unexpected(&self, context: &str) -> DecodeError {
        let message = match self.peek() {
            None => "unexpected end of JSON input".to_owned(),
            Some(b'\'') => format!("invalid character '\\'' {context}"),
            Some(b'"') => format!("invalid character '\"' {context}"),
            Some(byte) => {
                let quoted = crate::quote::Quoted((byte as char).encode_utf8(&mut [0; 2])).to_string();
                format!("invalid character '{}' {context}", quoted.trim_matches('"'))
            }
        };
        DecodeError::Syntax { message, offset: self.at }
    }
}

impl<'s> Step<'_, 's> {
    fn field_name(&self) -> Option<&'s str> {
        match self {
            Self::Field { name, .. } => Some(name),
            _ => None,
        }
    }

    fn owner(&self) -> Option<NodeRef<'s>> {
        match self {
            Self::Field { owner, .. } => Some(*owner),
            _ => None,
        }
    }
}

/// Whether Kubernetes drops the value when it writes the object: an optional list or map without
/// members. An empty object is kept, as a pointer to a struct is.
fn omitted(field: FieldRef<'_>, value: &Value) -> bool {
    let empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    empty && !field.required() && matches!(field.node().ty(), Type::Map | Type::Array)
}

fn custom_member(key: &str) -> Want<'static> {
    if key != "metadata" {
        return Want::Any;
    }
    builtin().definition(OBJECT_META).map_or(Want::Any, Want::node)
}

/// `DeploymentSpec` of `io.k8s.api.apps.v1.DeploymentSpec`.
fn struct_name(node: NodeRef<'_>) -> &str {
    let name = node.definition_name().unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name)
}

/// The type Kubernetes' implementation has for this node, as its messages name it.
fn go_type(node: NodeRef<'_>) -> String {
    match node.ty() {
        Type::Object => {
            let name = node.definition_name().unwrap_or_default();
            let package_start = name.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
            name[package_start..].to_owned()
        }
        Type::Map => format!("map[string]{}", node.values().map(go_type).unwrap_or_default()),
        Type::Array => format!("[]{}", node.items().map(go_type).unwrap_or_default()),
        _ => scalar::go_type(node).to_owned(),
    }
}
