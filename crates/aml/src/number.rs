//! Numbers: kept as written until something is computed with them.

use std::sync::Arc;

/// A number of the language.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    /// A computed integer.
    Int(i64),
    /// A literal as written, or a computed fraction as printed.
    Text(Arc<str>),
}

/// A number as something can be computed with it; integers keep both forms.
#[derive(Clone, Copy, Debug)]
struct Parts {
    int: Option<i64>,
    float: f64,
}

impl Number {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Text(text) => text.to_string(),
        }
    }

    fn from_float(value: f64) -> Self {
        Self::Text(plain_float(value).into())
    }

    /// The value as an integer, if it is written as one.
    pub(crate) fn to_int(&self) -> Result<i64, String> {
        let text = match self {
            Self::Int(value) => return Ok(*value),
            Self::Text(text) => text,
        };
        let (digits, factor) = split_suffix(text);
        let parse_error = |kind: &str| format!("strconv.ParseInt: parsing \"{digits}\": {kind}");
        let value: i64 = digits.parse().map_err(|e: std::num::ParseIntError| match e.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                parse_error("value out of range")
            }
            _ => parse_error("invalid syntax"),
        })?;
        value.checked_mul(factor).ok_or_else(|| parse_error("value out of range"))
    }

    fn parts(&self) -> Option<Parts> {
        if let Self::Int(value) = self {
            return Some(Parts { int: Some(*value), float: *value as f64 });
        }
        let text = self.text();
        let (digits, factor) = split_suffix(&text);
        let float: f64 = digits.parse().ok()?;
        Some(Parts { int: self.to_int().ok(), float: float * factor as f64 })
    }

    /// The number in JSON: as written, unless a suffix or `_` has to go.
    pub(crate) fn json(&self) -> String {
        let text = self.text();
        let (digits, factor) = split_suffix(&text);
        if factor == 1 {
            return complete_digits(&digits);
        }
        match (self.to_int(), self.parts()) {
            (Ok(value), _) => value.to_string(),
            (_, Some(parts)) => json_float(parts.float),
            _ => text,
        }
    }
}

/// JSON wants a digit on both sides of the point.
fn complete_digits(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let rest = if rest.starts_with('.') { format!("0{rest}") } else { rest.to_owned() };
    let mut rest = rest.trim_start_matches('0').to_owned();
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        rest.insert(0, '0');
    }
    if let Some(point) = rest.find('.')
        && !rest[point + 1..].starts_with(|c: char| c.is_ascii_digit())
    {
        rest.insert(point + 1, '0');
    }
    format!("{sign}{rest}")
}

/// The digits without `_`, and the factor the suffix stands for.
fn split_suffix(text: &str) -> (std::borrow::Cow<'_, str>, i64) {
    let binary = text.ends_with('i');
    let body = text.strip_suffix('i').unwrap_or(text);
    let power = match body.as_bytes().last() {
        Some(b'k' | b'K') => 1,
        Some(b'm' | b'M') => 2,
        Some(b'g' | b'G') => 3,
        Some(b't' | b'T') => 4,
        Some(b'p' | b'P') => 5,
        _ => 0,
    };
    if power == 0 {
        return (without_underscores(text), 1);
    }
    let base: i64 = if binary { 1024 } else { 1000 };
    (without_underscores(&body[..body.len() - 1]), base.pow(power))
}

fn without_underscores(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('_') { text.replace('_', "").into() } else { text.into() }
}

/// A float in digits only, as short as it can be.
pub(crate) fn plain_float(value: f64) -> String {
    format!("{value}")
}

/// A float as Go's JSON encoder prints it.
fn json_float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').expect("exponent form has an e");
        let sign = if exponent.starts_with('-') { "-" } else { "+" };
        return format!("{digits}e{sign}{:0>2}", exponent.trim_start_matches('-'));
    }
    plain_float(value)
}

/// What two numbers can be combined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
        }
    }

    fn ints(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => a.checked_div(b).filter(|_| a.checked_rem(b) == Some(0)),
        }
    }

    fn floats(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
        }
    }
}

/// Combines two numbers: an integer where that is exact, else a fraction.
///
/// # Errors
/// A sentence, when the result is no number.
pub(crate) fn combine(op: Arithmetic, left: &Number, right: &Number) -> Result<Number, String> {
    let (a, b) = (parse(left)?, parse(right)?);
    if op == Arithmetic::Divide && b.float == 0.0 {
        return Err("division by zero".into());
    }
    if let Some(value) = a.int.zip(b.int).and_then(|(a, b)| op.ints(a, b)) {
        return Ok(Number::Int(value));
    }
    let value = op.floats(a.float, b.float);
    if value.is_finite() {
        Ok(Number::from_float(value))
    } else {
        Err(format!("can not {} {} and {}: result is too large", op.verb(), left.text(), right.text()))
    }
}

/// Orders two numbers.
///
/// # Errors
/// A sentence, when one is not a number that can be parsed.
pub(crate) fn order(left: &Number, right: &Number) -> Result<std::cmp::Ordering, String> {
    let (a, b) = (parse(left)?, parse(right)?);
    if let Some((a, b)) = a.int.zip(b.int) {
        return Ok(a.cmp(&b));
    }
    Ok(a.float.total_cmp(&b.float))
}

fn parse(number: &Number) -> Result<Parts, String> {
    number.parts().ok_or_else(|| format!("invalid number {}, not parsable as int or float", number.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(digits: &str) -> Number {
        Number::Text(digits.into())
    }

    #[test]
    fn json_keeps_what_was_written_and_expands_the_rest() {
        let cases = [
            ("1.0e10", "1.0e10"),
            ("1_000", "1000"),
            ("1Ki", "1024"),
            ("1.5K", "1500"),
            ("2m", "2000000"),
            ("1Pi", "1125899906842624"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("007.5", "7.5"),
            ("99999999P", "9.9999999e+22"),
        ];
        for (written, expected) in cases {
            assert_eq!(text(written).json(), expected, "{written}");
        }
    }

    #[test]
    fn arithmetic_is_exact_where_it_can_be() {
        let cases = [
            (Arithmetic::Divide, "4", "2", "2"),
            (Arithmetic::Divide, "1", "2", "0.5"),
            (Arithmetic::Add, "0.1", "0.2", "0.30000000000000004"),
            (Arithmetic::Add, "1Ki", "1", "1025"),
            (Arithmetic::Multiply, "1e3", "2", "2000"),
            (Arithmetic::Add, "9223372036854775807", "1", "9223372036854776000"),
        ];
        for (op, a, b, expected) in cases {
            assert_eq!(combine(op, &text(a), &text(b)).unwrap().json(), expected, "{a} {op:?} {b}");
        }
        assert!(combine(Arithmetic::Divide, &text("1"), &text("0")).is_err());
    }
}
