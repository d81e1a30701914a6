//! From values to output: everything is computed, functions are left out.

use super::Machine;
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::printing::Json;
use crate::tree::ExprNode;
use crate::value::{Kind, Recipe, ThunkId, Value};

impl<'t> Machine<'t> {
    /// The value as JSON; nothing for what has no JSON form.
    pub(crate) fn json_of(&mut self, value: &Value) -> Result<Option<Json>, FaultBox> {
        let mut writer = Writer { open: Vec::new(), depth: 0, bytes: 0 };
        self.write_json(value, &mut writer).map_err(own_circle)
    }

    fn write_json(&mut self, value: &Value, writer: &mut Writer) -> Result<Option<Json>, FaultBox> {
        Ok(Some(match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.json()),
            Value::Text(text) => {
                writer.bytes += text.len() + 2;
                Json::String(text.to_string())
            }
            Value::Default(inner) => return self.write_json(inner, writer),
            Value::List(_) | Value::Object(_) => return self.write_nested(value, writer),
            Value::Schema(schema) => return self.schema_json(*schema),
            Value::Func(_) | Value::Loop(_) | Value::Root(_) => return Ok(None),
        }))
    }

    fn write_nested(&mut self, value: &Value, writer: &mut Writer) -> Result<Option<Json>, FaultBox> {
        writer.depth += 1;
        if writer.depth > self.limits.value_depth {
            let message = format!("value nests deeper than {} levels", self.limits.value_depth);
            return Err(Fault::new(Code::Limit, message));
        }
        let json = self.deeper(|m| match value {
            Value::List(id) => m.list_json(*id, writer),
            Value::Object(id) => m.object_json(*id, writer),
            _ => unreachable!("only lists and objects nest"),
        })?;
        writer.depth -= 1;
        Ok(Some(json))
    }

    fn list_json(&mut self, id: crate::value::ListId, writer: &mut Writer) -> Result<Json, FaultBox> {
        let mut out = Vec::new();
        for item in self.list(id).iter() {
            self.count_output(writer, 4)?;
            out.extend(self.write_json(item, writer)?);
        }
        Ok(Json::Array(out))
    }

    /// Keys are computed in the order they were defined, so that what refers back
    /// finds its result, and sorted as the original prints them.
    fn object_json(&mut self, id: crate::value::ObjectId, writer: &mut Writer) -> Result<Json, FaultBox> {
        if writer.open.contains(&id) {
            return Err(contains_itself());
        }
        writer.open.push(id);
        let object = self.object(id);
        let mut out = Vec::with_capacity(object.entries.len());
        for (key, thunk) in &object.entries {
            self.count_output(writer, key.len() + 6)?;
            let Some(value) = self.force(*thunk).map_err(own_circle)? else { continue };
            if let Some(json) = self.write_json(&value, writer).map_err(|f| self.name_circle(f, *thunk))? {
                out.push((key.to_string(), json));
            }
        }
        writer.open.pop();
        self.check_thunks(&object.lets)?;
        out.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Json::Object(out))
    }

    /// Says which name closed a circle.
    fn name_circle(&self, mut fault: FaultBox, thunk: ThunkId) -> FaultBox {
        if fault.is_undefined()
            && fault.plain.is_empty()
            && let Recipe::Expr { expr, .. } = &self.thunks[thunk.0 as usize].recipe
        {
            let name = match &expr.node {
                ExprNode::Ident(name) => name,
                ExprNode::Select { name, .. } => &name.name,
                _ => return fault,
            };
            fault = Fault::undefined(format!("key not found \"{name}\""), expr.span);
            fault.better = Some(format!("\"{name}\" contains itself"));
        }
        fault
    }

    fn count_output(&mut self, writer: &mut Writer, bytes: usize) -> Result<(), FaultBox> {
        self.step()?;
        self.charge(bytes + 48)?;
        writer.bytes += bytes;
        if writer.bytes > self.limits.output_bytes {
            let message = format!("output is larger than {} bytes", self.limits.output_bytes);
            return Err(Fault::new(Code::Limit, message));
        }
        Ok(())
    }

    /// Computes everything inside of a value; an undefined part is a fault.
    pub(crate) fn force_deep(&mut self, value: &Value) -> Result<(), FaultBox> {
        self.walk(value, false, 0)
    }

    /// Finds errors in everything inside of a value; undefined parts do not matter.
    pub(crate) fn check_value(&mut self, value: &Value) -> Result<(), FaultBox> {
        self.walk(value, true, 0)
    }

    /// Finds errors in definitions nobody may ever need.
    pub(crate) fn check_thunks(&mut self, thunks: &[ThunkId]) -> Result<(), FaultBox> {
        for thunk in thunks {
            match self.force(*thunk) {
                Ok(Some(value)) => self.check_value(&value)?,
                Err(fault) if !fault.is_undefined() => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }

    fn walk(&mut self, value: &Value, lenient: bool, depth: usize) -> Result<(), FaultBox> {
        if depth > self.limits.value_depth {
            let message = format!("value nests deeper than {} levels", self.limits.value_depth);
            return Err(Fault::new(Code::Limit, message));
        }
        match value {
            Value::Default(inner) => self.walk(inner, lenient, depth),
            Value::List(id) => {
                let list = self.list(*id);
                if list.iter().any(|v| matches!(v, Value::List(_) | Value::Object(_) | Value::Default(_))) {
                    for item in list.iter() {
                        self.deeper(|m| m.walk(item, lenient, depth + 1))?;
                    }
                }
                Ok(())
            }
            Value::Object(id) => self.walk_object(*id, lenient, depth),
            _ => Ok(()),
        }
    }

    fn walk_object(
        &mut self,
        id: crate::value::ObjectId,
        lenient: bool,
        depth: usize,
    ) -> Result<(), FaultBox> {
        if self.walked.get(&id).is_some_and(|defined| *defined || lenient) {
            return Ok(());
        }
        if self.walking.contains(&id) {
            return if lenient { Ok(()) } else { Err(contains_itself()) };
        }
        let taint = std::mem::replace(&mut self.taint, u32::MAX);
        let circles = self.circles;
        let object = self.object(id);
        self.walking.push(id);
        let mut result = Ok(());
        for (_, thunk) in &object.entries {
            let forced = self.force(*thunk).map_err(own_circle);
            let walked = match forced {
                Ok(Some(value)) => self.deeper(|m| m.walk(&value, lenient, depth + 1)),
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            };
            match walked {
                Err(fault) if !(lenient && fault.is_undefined()) => {
                    result = Err(fault);
                    break;
                }
                _ => {}
            }
        }
        self.walking.pop();
        if result.is_ok() && self.taint == u32::MAX && circles == self.circles {
            self.walked.insert(id, !lenient);
        }
        self.taint = self.taint.min(taint);
        result
    }

    /// The fault that `std.error(value)` raises.
    pub(crate) fn thrown(&mut self, value: &Value) -> FaultBox {
        let mut fault = Fault::new(Code::Thrown, self.show(value));
        fault.thrown = Some(self.thrown.len() as u32);
        self.thrown.push(value.clone());
        fault
    }

    /// A value as it stands in messages.
    pub(crate) fn show(&mut self, value: &Value) -> String {
        let text = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.text(),
            Value::Text(text) => text.to_string(),
            Value::Default(inner) => return self.show(inner),
            Value::Func(_) => "function".to_owned(),
            Value::Loop(_) => "skip or break".to_owned(),
            Value::Root(_) => "$".to_owned(),
            Value::Schema(id) => {
                let schema = self.schema(*id);
                match self.path_text(schema.path) {
                    path if path.is_empty() => format!("({} schema)", schema.kind),
                    path => format!("({} schema {path})", schema.kind),
                }
            }
            Value::List(_) | Value::Object(_) => match self.json_of(value) {
                Ok(Some(json)) => json.compact(),
                _ => format!("{}", value.kind()),
            },
        };
        shorten(text)
    }

    /// A value as it stands in a string with `\(…)`; nothing for what has no form.
    pub(super) fn interpolated(&mut self, value: &Value) -> Result<Option<String>, FaultBox> {
        match value {
            Value::Number(number) => Ok(Some(number.text())),
            Value::Text(text) => Ok(Some(text.to_string())),
            value if matches!(value.kind(), Kind::Func | Kind::Undefined) => Ok(None),
            value => Ok(self.json_of(value)?.map(|json| json.go_text())),
        }
    }

    /// The JSON of a document's value. A function is called without arguments.
    pub(crate) fn document_json(&mut self, value: Option<Value>, name: &str) -> Result<Json, FaultBox> {
        let nothing = |kind: &str| {
            let message = format!(
                "value kind {kind} from source <{name}> did not produce a native value: value did not produce any output"
            );
            Fault::new(Code::NoOutput, message)
        };
        let value = match value {
            Some(callee @ Value::Func(_)) => {
                self.call(&callee, Vec::new(), crate::value::PathId(0))?.or(Some(callee))
            }
            value => value,
        };
        let Some(value) = value else {
            return Err(Fault::new(
                Code::NoOutput,
                format!("source <{name}>: value did not produce any output"),
            ));
        };
        let kind = value.kind().name();
        self.json_of(&value)?.ok_or_else(|| nothing(kind))
    }

    /// A value from outside.
    pub(crate) fn value_of(&mut self, json: &Json) -> Result<Value, FaultBox> {
        self.deeper(|m| match json {
            Json::Null => Ok(Value::Null),
            Json::Bool(value) => Ok(Value::Bool(*value)),
            Json::Number(text) => Ok(Value::Number(crate::number::Number::Text(text.as_str().into()))),
            Json::String(text) => m.new_text(text.clone()),
            Json::Array(items) => {
                let items = items.iter().map(|item| m.value_of(item)).collect::<Result<_, _>>()?;
                m.new_list(items)
            }
            Json::Object(entries) => {
                let mut values = std::collections::BTreeMap::new();
                for (key, value) in entries {
                    values.insert(crate::value::Key::from(key.as_str()), m.value_of(value)?);
                }
                m.object_of(values.into_iter().collect())
            }
        })
    }
}

struct Writer {
    /// The objects around what is being written.
    open: Vec<crate::value::ObjectId>,
    depth: usize,
    bytes: usize,
}

fn contains_itself() -> FaultBox {
    Fault::undefined("", crate::source::Span::NONE)
}

/// A circle found while computing a field from outside has no name yet.
fn own_circle(mut fault: FaultBox) -> FaultBox {
    if fault.is_undefined() && fault.plain.is_empty() {
        fault.plain = "value is defined by itself".into();
    }
    fault
}

/// Messages show at most this much of a value.
const SHOWN_BYTES: usize = 400;

fn shorten(mut text: String) -> String {
    if text.len() > SHOWN_BYTES {
        let mut end = SHOWN_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
