//! Amounts of storage, as far as they are compared.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The quantity in whole bytes, rounded up; none where it is malformed.
pub(super) fn bytes(quantity: &Quantity) -> Option<u128> {
    let text = quantity.0.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.trim_start_matches('+').split_once('.').unwrap_or((number, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('+')).parse::<u128>().ok()?;
    let places = u32::try_from(fraction.len()).ok()?;
    let (multiplier, divisor) = scale(suffix)?;
    let divisor = divisor.checked_mul(10u128.checked_pow(places)?)?;
    Some(digits.checked_mul(multiplier)?.div_ceil(divisor))
}

/// What a suffix multiplies by and divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let decimal = ["", "k", "M", "G", "T", "P", "E"];
    let binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let power =
        |list: &[&str]| list.iter().position(|known| *known == suffix).and_then(|at| u32::try_from(at).ok());
    if let Some(power) = power(&decimal) {
        return Some((1000u128.pow(power), 1));
    }
    if let Some(power) = power(&binary) {
        return Some((1024u128.pow(power), 1));
    }
    match suffix {
        "m" => Some((1, 1000)),
        "u" => Some((1, 1_000_000)),
        "n" => Some((1, 1_000_000_000)),
        _ => exponent(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

fn exponent(power: i32) -> Option<(u128, u128)> {
    let factor = 10u128.checked_pow(power.unsigned_abs())?;
    Some(if power < 0 { (1, factor) } else { (factor, 1) })
}
