//! What the operators do to values.

use super::{Evaluated, Machine};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::number::{Arithmetic, Number, combine, order};
use crate::schema::Constraint;
use crate::tree::{Expr, ExprNode, Operator};
use crate::value::{Env, Kind, Value};
use std::cmp::Ordering;

fn unsupported(value: &Value, op: Operator) -> FaultBox {
    let kind = value.kind();
    let fault = Fault::new(Code::Kind, format!("value kind {kind} does not support {} operation", op.text()));
    let hint = match (kind, op) {
        (Kind::String, Operator::Lt | Operator::Gt | Operator::Le | Operator::Ge) => {
            Some("only numbers have an order; std.atoi makes a number of a string".into())
        }
        _ => None,
    };
    fault.hinted(hint)
}

fn expected_kind(kind: Kind, value: &Value) -> FaultBox {
    Fault::new(Code::Kind, format!("expected kind {kind}, got incompatible {}", value.kind()))
}

impl<'t> Machine<'t> {
    pub(super) fn eval_unary(&mut self, op: Operator, operand: &'t Expr, env: Env) -> Evaluated {
        let Some(value) = self.eval(operand, env)? else { return Ok(None) };
        let value = self.defined(value.plain(), operand.span)?;
        match op {
            Operator::Not => match value {
                Value::Bool(value) => Ok(Some(Value::Bool(!value))),
                other => Err(unsupported(&other, op)),
            },
            _ => self.binary(op, &Value::int(0), value).map(Some),
        }
    }

    pub(super) fn eval_binary(&mut self, expr: &'t Expr, env: Env) -> Evaluated {
        let ExprNode::Binary { op, op_span, left, right } = &expr.node else {
            unreachable!("only called for binary expressions")
        };
        let Some(value) = self.eval(left, env)? else { return Ok(None) };
        let value = self.defined(value.plain(), left.span)?;
        let result = match (op, &value) {
            (Operator::And, Value::Bool(false)) => Ok(Value::Bool(false)),
            (Operator::Or, Value::Bool(true)) => Ok(Value::Bool(true)),
            _ => self.eval_right(right, env).and_then(|right| self.binary(*op, &value, right)),
        };
        result.map(Some).map_err(|fault| fault.at(op_span.0))
    }

    fn eval_right(&mut self, right: &'t Expr, env: Env) -> Result<Value, FaultBox> {
        match self.eval(right, env)? {
            Some(value) => self.defined(value, right.span),
            None => Err(Fault::new(Code::Kind, "right operand did not yield a value")),
        }
    }

    /// Applies an operator to values that are both there.
    pub(crate) fn binary(&mut self, op: Operator, left: &Value, right: Value) -> Result<Value, FaultBox> {
        if let Value::Schema(schema) = left {
            return self.schema_operator(op, *schema, right);
        }
        let right = right.plain();
        match op {
            Operator::Add => self.add(left, &right),
            Operator::Sub => arithmetic(op, Arithmetic::Subtract, left, &right),
            Operator::Mul => arithmetic(op, Arithmetic::Multiply, left, &right),
            Operator::Div => arithmetic(op, Arithmetic::Divide, left, &right),
            Operator::And | Operator::Or => logic(op, left, &right),
            Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => {
                compare(op, left, &right).map(Value::Bool)
            }
            Operator::Eq => self.equal(left, &right).map(Value::Bool),
            Operator::Ne => self.unequal(left, &right).map(Value::Bool),
            Operator::Match => self.matches(op, left, &right).map(Value::Bool),
            Operator::NotMatch => self.matches(op, left, &right).map(|found| Value::Bool(!found)),
            Operator::Not => Err(unsupported(left, op)),
        }
    }

    fn schema_operator(
        &mut self,
        op: Operator,
        left: crate::value::SchemaId,
        right: Value,
    ) -> Result<Value, FaultBox> {
        match op {
            Operator::And => self.schema_and(left, &right),
            Operator::Or => self.schema_or(left, right),
            Operator::Eq if right.kind() == Kind::Schema => {
                let Value::Schema(right) = right.plain() else { return Ok(Value::Bool(false)) };
                Ok(Value::Bool(self.merge_schemas(left, right).is_ok()))
            }
            Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Not => {
                Err(unsupported(&Value::Schema(left), op))
            }
            _ => {
                let mut schema = (*self.schema(left)).clone();
                schema.constraints.push(Constraint::Compare(op, right));
                Ok(Value::Schema(self.new_schema(schema)?))
            }
        }
    }

    fn add(&mut self, left: &Value, right: &Value) -> Result<Value, FaultBox> {
        match (left, right) {
            (Value::Text(a), Value::Text(b)) => {
                self.charge(a.len() + b.len())?;
                self.new_text(format!("{a}{b}"))
            }
            (Value::Text(_), other) => {
                let hint = "write \"\\(…)\" to put other values into a string".to_owned();
                Err(expected_kind(Kind::String, other).hinted(Some(hint)))
            }
            (Value::List(a), Value::List(b)) => {
                let mut items = (*self.list(*a)).clone();
                let more = self.list(*b);
                self.charge(more.len() * size_of::<Value>())?;
                items.extend(more.iter().cloned());
                self.new_list(items)
            }
            (Value::List(_), other) => {
                Err(Fault::new(Code::Kind, format!("can not add array to invalid kind {}", other.kind())))
            }
            (Value::Object(a), Value::Object(b)) => self.add_objects(&[*a, *b]),
            (Value::Object(_), other) => {
                Err(Fault::new(Code::Kind, format!("can not add kind object and {}", other.kind())))
            }
            _ => arithmetic(Operator::Add, Arithmetic::Add, left, right),
        }
    }

    pub(crate) fn matches(&mut self, op: Operator, left: &Value, right: &Value) -> Result<bool, FaultBox> {
        let Value::Text(text) = left else { return Err(unsupported(left, op)) };
        let Value::Text(pattern) = right else { return Err(expected_kind(Kind::String, right)) };
        Ok(self.regex(pattern)?.is_match(text))
    }

    fn unequal(&mut self, left: &Value, right: &Value) -> Result<bool, FaultBox> {
        match (left, right) {
            // A number is neither equal nor unequal to another kind.
            (Value::Number(_), right) if right.kind() != Kind::Number => Ok(false),
            _ => self.equal(left, right).map(|equal| !equal),
        }
    }

    /// `==`; kinds that cannot be compared are an error, except with numbers and null.
    pub(crate) fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, FaultBox> {
        self.deeper(|m| match (left, right) {
            (Value::Default(left), right) => m.equal(left, right),
            (left, Value::Default(right)) => m.equal(left, right),
            (Value::Null, right) => Ok(right.kind() == Kind::Null),
            (Value::Number(a), Value::Number(b)) => is_order(a, b, |o| o == Ordering::Equal),
            (Value::Number(_), _) => Ok(false),
            (Value::Text(a), Value::Text(b)) => Ok(a == b),
            (Value::Text(_), other) => Err(expected_kind(Kind::String, other)),
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Bool(_), other) => Err(expected_kind(Kind::Bool, other)),
            (Value::List(a), Value::List(b)) => m.equal_lists(*a, *b),
            (Value::List(_), other) => {
                Err(Fault::new(Code::Kind, format!("can not compare array with kind {}", other.kind())))
            }
            (Value::Object(a), Value::Object(b)) if a == b => Ok(true),
            (Value::Object(_), Value::Object(_)) => m.equal_objects(left, right),
            (Value::Object(_), other) => {
                Err(Fault::new(Code::Kind, format!("can not compare object with kind {}", other.kind())))
            }
            (Value::Func(a), Value::Func(b)) => Ok(m.same_function(*a, *b)),
            (Value::Func(_), _) => Ok(false),
            (Value::Schema(a), Value::Schema(b)) => Ok(a == b || m.merge_schemas(*a, *b).is_ok()),
            (other, _) => Err(unsupported(other, Operator::Eq)),
        })
    }

    fn equal_lists(&mut self, a: crate::value::ListId, b: crate::value::ListId) -> Result<bool, FaultBox> {
        let (a, b) = (self.list(a), self.list(b));
        if a.len() != b.len() {
            return Ok(false);
        }
        for (x, y) in a.iter().zip(b.iter()) {
            if !self.equal(x, y)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_objects(&mut self, a: &Value, b: &Value) -> Result<bool, FaultBox> {
        let (mut a_keys, mut b_keys) = (self.keys_of(a)?, self.keys_of(b)?);
        a_keys.sort();
        b_keys.sort();
        if a_keys != b_keys {
            return Ok(false);
        }
        for key in &a_keys {
            if let (Some(x), Some(y)) = (self.get_key(a, key)?, self.get_key(b, key)?)
                && !self.equal(&x, &y)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `skip` and `break` are no values.
    pub(super) fn defined(&self, value: Value, span: crate::source::Span) -> Result<Value, FaultBox> {
        match value {
            Value::Loop(_) => Err(Fault::undefined("skip and break are no values", span)),
            value => Ok(value),
        }
    }
}

fn logic(op: Operator, left: &Value, right: &Value) -> Result<Value, FaultBox> {
    match (left, right) {
        // The left side has not decided, so the right side does.
        (Value::Bool(_), Value::Bool(right)) => Ok(Value::Bool(*right)),
        (Value::Bool(_), other) => Err(expected_kind(Kind::Bool, other)),
        (other, _) => Err(unsupported(other, op)),
    }
}

fn arithmetic(op: Operator, kind: Arithmetic, left: &Value, right: &Value) -> Result<Value, FaultBox> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            combine(kind, a, b).map(Value::Number).map_err(|m| Fault::new(Code::Kind, m))
        }
        (Value::Number(_), other) => Err(Fault::new(
            Code::Kind,
            format!("can not {} number to invalid kind {}", kind.verb(), other.kind()),
        )),
        (other, _) => Err(unsupported(other, op)),
    }
}

fn is_order(a: &Number, b: &Number, holds: impl Fn(Ordering) -> bool) -> Result<bool, FaultBox> {
    order(a, b).map(holds).map_err(|m| Fault::new(Code::Kind, m))
}

/// `<`, `<=`, `>`, `>=`: numbers only.
pub(crate) fn compare(op: Operator, left: &Value, right: &Value) -> Result<bool, FaultBox> {
    let Value::Number(a) = left else { return Err(unsupported(left, op)) };
    let (name, holds): (&str, fn(Ordering) -> bool) = match op {
        Operator::Lt => ("less than", Ordering::is_lt),
        Operator::Le => ("less than equal", Ordering::is_le),
        Operator::Gt => ("greater than", Ordering::is_gt),
        _ => ("greater than equal", Ordering::is_ge),
    };
    match right {
        Value::Number(b) => is_order(a, b, holds),
        other => {
            let message = format!("can not compare ({name}) number to invalid kind {}", other.kind());
            Err(Fault::new(Code::Kind, message))
        }
    }
}
