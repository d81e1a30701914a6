//! Reading and writing quantities.

use std::fmt;

use super::decimal::Decimal;
use super::{Format, NANO, Quantity, QuantityError};

/// Decimal suffixes from 10^-9, every third power.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Binary suffixes from 1024^0.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Digits after the point that are read from a binary quantity; more only round up.
const BINARY_FRACTION_MAX: usize = 18;

/// The parts of a quantity's text.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    let parts = split(text)?;
    let (power, format) = suffix(parts.suffix)?;
    let (amount, format) = match format {
        Format::BinarySi => binary(&parts, power)?,
        _ => (decimal(&parts, power)?, format),
    };
    let Decimal { mantissa, scale } = amount;
    let mantissa = if parts.negative { -mantissa } else { mantissa };
    Ok(Quantity { amount: Decimal { mantissa, scale }, format })
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = digits(rest);
    let (fraction, suffix, point) = match rest.strip_prefix('.') {
        Some(rest) => (digits(rest).0, digits(rest).1, true),
        None => ("", rest, false),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    let good = (point || !whole.is_empty()) && exponent.bytes().all(|b| b.is_ascii_digit());
    if good { Ok(Parts { negative, whole, fraction, suffix }) } else { Err(QuantityError::Format) }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The power of a suffix: of two for a binary one, of ten for the others.
fn suffix(text: &str) -> Result<(i32, Format), QuantityError> {
    if let Some(i) = DECIMAL.iter().position(|s| *s == text) {
        return Ok((power_at(i) * 3 + NANO, Format::DecimalSi));
    }
    if let Some(i) = BINARY.iter().position(|s| *s == text) {
        return Ok((power_at(i) * 10, Format::BinarySi));
    }
    let exponent = text.strip_prefix(['e', 'E']).and_then(|e| e.parse().ok()).ok_or(QuantityError::Suffix)?;
    Ok((exponent, Format::DecimalExponent))
}

fn power_at(index: usize) -> i32 {
    i32::try_from(index).expect("the tables are short")
}

fn decimal(parts: &Parts<'_>, power: i32) -> Result<Decimal, QuantityError> {
    let all = format!("{}{}", parts.whole, parts.fraction);
    let all = all.trim_start_matches('0');
    let places = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::Numeric)?;
    let scale = power.checked_sub(places).ok_or(QuantityError::Numeric)?;
    // Digits below a nano are dropped before they are counted, so that they cannot overflow.
    let dropped = usize::try_from(NANO.saturating_sub(scale)).unwrap_or(0);
    let (kept, rest) = all.split_at(all.len().saturating_sub(dropped));
    let up = i128::from(rest.bytes().any(|b| b != b'0'));
    Ok(Decimal::new(number(kept)? + up, if dropped > 0 { NANO } else { scale }))
}

fn binary(parts: &Parts<'_>, power: i32) -> Result<(Decimal, Format), QuantityError> {
    let (fraction, rest) = parts.fraction.split_at(parts.fraction.len().min(BINARY_FRACTION_MAX));
    let up = i128::from(rest.bytes().any(|b| b != b'0'));
    let all = format!("{}{fraction}", parts.whole);
    let product = number(all.trim_start_matches('0')).ok().and_then(|n| (n + up).checked_mul(1 << power));
    let cap = Decimal::new(i64::MAX.into(), 0);
    let amount = product.map_or(cap, |p| Decimal::new(p, -power_at(fraction.len())).round_up(NANO));
    let amount = if amount.compare(cap).is_gt() { cap } else { amount };
    let below_one = amount.compare(Decimal::new(1, 0)).is_lt();
    Ok((amount, if below_one { Format::DecimalSi } else { Format::BinarySi }))
}

fn number(digits: &str) -> Result<i128, QuantityError> {
    if digits.is_empty() {
        return Ok(0);
    }
    // One digit less than the type holds leaves room to round up.
    if digits.len() > 37 {
        Err(QuantityError::Numeric)
    } else {
        digits.parse().map_err(|_| QuantityError::Numeric)
    }
}

/// The canonical form: the shortest number with the largest suffix that keeps it whole.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.format, self.binary_digits()) {
            _ if self.is_zero() => f.write_str("0"),
            (_, Some((mantissa, suffix))) => write!(f, "{mantissa}{suffix}"),
            (Format::DecimalExponent, None) => self.write_exponent(f),
            (Format::DecimalSi | Format::BinarySi, None) => self.write_decimal(f),
        }
    }
}

impl Quantity {
    /// The mantissa and suffix in powers of 1024, where that is how the quantity is written.
    fn binary_digits(self) -> Option<(i128, &'static str)> {
        let mut mantissa =
            self.amount.at(0).filter(|m| self.format == Format::BinarySi && m.abs() >= 1024)?;
        let mut power = 0;
        while mantissa % 1024 == 0 && power + 1 < BINARY.len() {
            mantissa /= 1024;
            power += 1;
        }
        Some((mantissa, BINARY[power]))
    }

    fn write_decimal(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { mantissa, scale } = self.amount;
        let exponent = (scale - scale.rem_euclid(3)).min(18);
        let index = usize::try_from((exponent - NANO) / 3).ok().filter(|_| exponent >= NANO);
        match index {
            Some(i) => write_shifted(f, mantissa, scale - exponent, DECIMAL[i]),
            // Only sums and differences could be finer, and reading rounds to nanos.
            None => self.write_exponent(f),
        }
    }

    fn write_exponent(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { mantissa, scale } = self.amount;
        let exponent = scale - scale.rem_euclid(3);
        let suffix = if exponent == 0 { String::new() } else { format!("e{exponent}") };
        write_shifted(f, mantissa, scale - exponent, &suffix)
    }
}

fn write_shifted(f: &mut fmt::Formatter<'_>, mantissa: i128, zeros: i32, suffix: &str) -> fmt::Result {
    let zeros = usize::try_from(zeros).expect("exponents round down");
    write!(f, "{mantissa}{:0<zeros$}{suffix}", "")
}
