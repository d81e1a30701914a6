//! Resource quantities in the one form Kubernetes gives back.
//!
//! `0.5` is `500m`, `1024Mi` is `1Gi`, `1000` is `1k`: the largest suffix that leaves a whole
//! number, in the family (binary, decimal, exponent) the quantity was written in. Follows the
//! documentation of `Quantity` in apimachinery's `pkg/api/resource`.

pub(super) const FORM: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX: &str = "unable to parse quantity's suffix";
const NUMERIC: &str = "unable to parse numeric part of quantity";

const DECIMAL: &[(&str, i32)] = &[
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: &[&str] = &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// One unit is a thousand million of the smallest amount there is.
const NANO: i128 = 1_000_000_000;

#[derive(Clone, Copy)]
enum Family {
    Binary(u32),
    Decimal(i32),
    Exponent(i32),
}

/// The canonical form, or what is wrong with the text. An amount that is too large to be counted
/// in 128 bits stays as it is written.
pub(super) fn canonical(text: &str) -> Result<String, &'static str> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits);
    check_form(number, suffix)?;
    let family = family(suffix).ok_or(SUFFIX)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(NUMERIC);
    }
    let Some(nano) = nano(whole, fraction, family) else { return Ok(text.to_owned()) };
    let sign = if negative && nano != 0 { "-" } else { "" };
    Ok(format!("{sign}{}", written(nano, family)))
}

fn check_form(number: &str, suffix: &str) -> Result<(), &'static str> {
    let tail = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let exponent = tail.strip_prefix(['+', '-']).unwrap_or(tail);
    let fits = !number.is_empty()
        && number.matches('.').count() < 2
        && exponent.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(()) } else { Err(FORM) }
}

fn family(suffix: &str) -> Option<Family> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(Family::Decimal(*power));
    }
    if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
        return u32::try_from(power).ok().map(Family::Binary);
    }
    suffix.strip_prefix(['e', 'E']).and_then(|power| power.parse().ok()).map(Family::Exponent)
}

/// The amount in thousand-millionths, rounded up.
fn nano(whole: &str, fraction: &str, family: Family) -> Option<i128> {
    let mantissa: i128 = match format!("{whole}{fraction}").trim_start_matches('0') {
        "" => return Some(0),
        digits => digits.parse().ok()?,
    };
    let (factor, power) = match family {
        Family::Binary(power) => (1024_i128.pow(power), 0),
        Family::Decimal(power) | Family::Exponent(power) => (1, power),
    };
    let power = power.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let amount = mantissa.checked_mul(factor)?;
    let scale = 10_i128.checked_pow(power.unsigned_abs());
    match (power < 0, scale) {
        (false, scale) => amount.checked_mul(scale?),
        (true, Some(scale)) => Some(amount / scale + i128::from(amount % scale != 0)),
        (true, None) => Some(1),
    }
}

fn written(nano: i128, family: Family) -> String {
    if nano == 0 {
        return "0".to_owned();
    }
    if matches!(family, Family::Binary(_)) && nano % NANO == 0 && nano >= 1024 * NANO {
        let (amount, power) = without_factors(nano / NANO, 1024, BINARY.len() - 1);
        return format!("{amount}{}", BINARY[power]);
    }
    let (mut amount, zeros) = without_factors(nano, 10, 27);
    let mut power = i32::try_from(zeros).map_or(0, |zeros| zeros - 9);
    while power % 3 != 0 {
        amount *= 10;
        power -= 1;
    }
    match family {
        Family::Exponent(_) if power == 0 => amount.to_string(),
        Family::Exponent(_) => format!("{amount}e{power}"),
        _ => {
            let suffix = DECIMAL.iter().find(|(_, known)| *known == power).map_or("", |(name, _)| name);
            format!("{amount}{suffix}")
        }
    }
}

/// The amount without its factors, at most `most` of them, and how many there were.
fn without_factors(mut amount: i128, factor: i128, most: usize) -> (i128, usize) {
    let mut count = 0;
    while count < most && amount % factor == 0 {
        amount /= factor;
        count += 1;
    }
    (amount, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_have_one_form() {
        for (text, expected) in [
            ("0", "0"),
            ("0Gi", "0"),
            ("-0", "0"),
            ("00.50", "500m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.", "1"),
            ("+2", "2"),
            ("-1.5", "-1500m"),
            ("1500m", "1500m"),
            ("1000m", "1"),
            ("100", "100"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("12345", "12345"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1.1Ki", "1126400m"),
            ("1e3", "1e3"),
            ("100e1", "1e3"),
            ("1E3", "1e3"),
            ("5e-1", "500e-3"),
            ("1e0", "1"),
            ("0.1n", "1n"),
            ("1.1n", "2n"),
            ("1e-100", "1e-9"),
            ("1E", "1E"),
            ("1000P", "1E"),
            ("1000E", "1000E"),
            ("99999999999999999999999999999999999999999", "99999999999999999999999999999999999999999"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, problem) in [
            ("", FORM),
            ("lots", FORM),
            ("1.2.3", FORM),
            ("1 Gi", FORM),
            ("--1", FORM),
            ("1Mk", SUFFIX),
            ("1Kii", SUFFIX),
            ("1e", SUFFIX),
            (".", NUMERIC),
        ] {
            assert_eq!(canonical(text), Err(problem), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_form_is_stable(text in "[+-]?[0-9]{0,12}\\.?[0-9]{0,12}(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,3})?") {
            if let Ok(once) = canonical(&text) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
            }
        }
    }
}
