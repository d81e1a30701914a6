//! Functions on lists, objects, schemas and functions.

use super::{failed, string};
use crate::diagnostics::{Code, FaultBox};
use crate::evaluation::expressions::to_int;
use crate::evaluation::operators::compare;
use crate::evaluation::{Evaluated, Machine};
use crate::number::{Arithmetic, Number, combine};
use crate::tree::Operator;
use crate::value::{Arg, PathId, Value};

/// Calls a function; the value it raised an error with, else null.
pub(super) fn catch(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    match machine.call(&args[0], Vec::new(), PathId(0)) {
        Ok(Some(value)) => {
            let checked = machine.check_value(&value);
            checked.map_or_else(|fault| caught(machine, fault), |()| Ok(Some(Value::Null)))
        }
        Ok(None) => Ok(Some(Value::Null)),
        Err(fault) => caught(machine, fault),
    }
}

fn caught(machine: &Machine<'_>, fault: FaultBox) -> Evaluated {
    if fault.code == Code::Limit {
        return Err(fault);
    }
    Ok(Some(fault.thrown.map_or(Value::Null, |index| machine.thrown[index as usize].clone())))
}

pub(super) fn ifelse(_: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    Ok(Some(args[if matches!(args[0], Value::Bool(true)) { 1 } else { 2 }].clone()))
}

pub(super) fn reverse(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Value::List(list) = &args[0] else { return Ok(None) };
    let items = machine.list(*list).iter().rev().cloned().collect();
    machine.new_list(items).map(Some)
}

pub(super) fn modulo(_: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (left, right) = (to_int(&args[0])?, to_int(&args[1])?);
    left.checked_rem(right).map(|rest| Some(Value::int(rest))).ok_or_else(|| failed("division by zero"))
}

pub(super) fn range(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (Value::Number(first), Value::Number(step)) = (&args[0], &args[2]) else { return Ok(None) };
    let (mut next, end) = match &args[1] {
        Value::Number(end) => (first.clone(), end.clone()),
        _ => (Number::Int(0), first.clone()),
    };
    if let (Number::Int(from), Ok(to), Ok(by)) = (integer(&next), end.to_int(), step.to_int())
        && by != 0
    {
        return integers(machine, from, to, by);
    }
    let (zero, step_value, end) = (Value::int(0), Value::Number(step.clone()), Value::Number(end));
    if machine.equal(&step_value, &zero)? {
        return Err(failed("step can not be 0"));
    }
    let op = if compare(Operator::Lt, &step_value, &zero)? { Operator::Gt } else { Operator::Lt };
    let mut items = Vec::new();
    while compare(op, &Value::Number(next.clone()), &end)? {
        machine.step()?;
        machine.charge(size_of::<Value>())?;
        items.push(Value::Number(next.clone()));
        let following = combine(Arithmetic::Add, &next, step).map_err(failed)?;
        if machine.equal(&Value::Number(next), &Value::Number(following.clone()))? {
            return Err(failed("step is too small to make a difference"));
        }
        next = following;
    }
    machine.new_list(items).map(Some)
}

fn integer(number: &Number) -> Number {
    number.to_int().map_or_else(|_| number.clone(), Number::Int)
}

fn integers(machine: &mut Machine<'_>, from: i64, to: i64, by: i64) -> Evaluated {
    let mut items = Vec::new();
    let mut next = Some(from);
    while let Some(value) = next.filter(|value| if by > 0 { *value < to } else { *value > to }) {
        machine.step()?;
        machine.charge(size_of::<Value>())?;
        items.push(Value::int(value));
        next = value.checked_add(by);
    }
    machine.new_list(items).map(Some)
}

/// Sorts by merging, so that an order that contradicts itself does no harm.
pub(super) fn sort(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Value::List(list) = &args[0] else { return Ok(None) };
    let items = (*machine.list(*list)).clone();
    let sorted = merge_sort(machine, items, &args[1])?;
    machine.new_list(sorted).map(Some)
}

fn merge_sort(
    machine: &mut Machine<'_>,
    mut items: Vec<Value>,
    less: &Value,
) -> Result<Vec<Value>, FaultBox> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = merge_sort(machine, items, less)?.into_iter().peekable();
    let mut right = merge_sort(machine, right, less)?.into_iter().peekable();
    let mut out = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let second_first = is_less(machine, less, b, a)?;
        out.extend(if second_first { right.next() } else { left.next() });
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}

fn is_less(machine: &mut Machine<'_>, less: &Value, a: &Value, b: &Value) -> Result<bool, FaultBox> {
    machine.step()?;
    if matches!(less, Value::Null) {
        return compare(Operator::Lt, &a.clone().plain(), &b.clone().plain());
    }
    let args = vec![Arg::Positional(a.clone()), Arg::Positional(b.clone())];
    match machine.call(less, args, PathId(0))?.map(Value::plain) {
        Some(Value::Bool(less)) => Ok(less),
        None => Ok(false),
        Some(other) => Err(failed(format!("expected kind bool, got incompatible {}", other.kind()))),
    }
}

pub(super) fn is_a(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Value::Schema(schema) = &args[1] else { return Ok(None) };
    match machine.check(*schema, args[0].clone()) {
        Ok(_) => Ok(Some(Value::Bool(true))),
        Err(fault) if fault.code == Code::Limit || fault.is_undefined() => Err(fault),
        Err(_) => Ok(Some(Value::Bool(false))),
    }
}

pub(super) fn contains(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let found = match (&args[0], &args[1]) {
        (Value::Object(_), Value::Text(key)) => machine.get_key(&args[0], key)?.is_some(),
        (Value::Object(_), _) => false,
        (Value::List(list), item) => {
            let list = machine.list(*list);
            let mut found = false;
            for other in list.iter() {
                found = found || machine.equal(other, item)?;
            }
            found
        }
        (Value::Text(text), Value::Text(part)) => text.contains(&**part),
        (_, other) => return Err(failed(format!("expected kind string, got incompatible {}", other.kind()))),
    };
    Ok(Some(Value::Bool(found)))
}

/// The first place of an item, or -1. Strings count bytes.
pub(super) fn index_of(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let at = match (&args[0], &args[1]) {
        (Value::Text(_), Value::Text(part)) => string(args, 0).find(&**part),
        (Value::List(list), item) => {
            let list = machine.list(*list);
            // Kinds that cannot be compared are not equal here.
            list.iter().position(|other| machine.equal(other, item).unwrap_or(false))
        }
        (_, other) => return Err(failed(format!("expected kind string, got incompatible {}", other.kind()))),
    };
    Ok(Some(Value::int(at.map_or(-1, |at| at as i64))))
}

/// Objects add up, the right side winning; anything else is replaced.
pub(super) fn merge(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.add_up(args)
}

pub(super) fn describe(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Value::Schema(schema) = &args[0] else { return Ok(None) };
    match machine.schema_json(*schema)? {
        Some(json) => machine.value_of(&json).map(Some),
        None => Ok(None),
    }
}
