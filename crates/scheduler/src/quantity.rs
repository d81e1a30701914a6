//! Quantities (`100m`, `1.5Gi`, `2e3`) as the whole numbers the scheduler counts in.
//!
//! Follows the grammar of `apimachinery/pkg/api/resource`: a decimal number and
//! a binary suffix, a decimal suffix or an exponent. Fractions are rounded away
//! from zero, so that a request never becomes smaller than what was asked for.

/// Reads a quantity in whole units (bytes, pods, devices); `None` where it is not a quantity.
pub fn value(text: &str) -> Option<i64> {
    scaled(text, 0)
}

/// Reads a quantity in thousandths (millicores); `None` where it is not a quantity.
pub fn milli(text: &str) -> Option<i64> {
    scaled(text, 3)
}

/// Digits kept after the decimal point; more are beyond what Kubernetes stores (nano).
const FRACTION_DIGITS_MAX: usize = 18;

/// Computes `text * 10^power`, rounded up and held within `i64`.
fn scaled(text: &str, power: i32) -> Option<i64> {
    let number_end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let (digits, fraction) = mantissa(number)?;
    let (factor, exponent) = unit(suffix)?;
    Some(shift(digits.checked_mul(factor)?, power + exponent - fraction))
}

/// Splits `-1.25` into `(-125, 2)`: all digits, and how many follow the point.
fn mantissa(number: &str) -> Option<(i128, i32)> {
    let (sign, unsigned) = match number.as_bytes().first()? {
        b'-' => (-1, &number[1..]),
        b'+' => (1, &number[1..]),
        _ => (1, number),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let digits: i128 = match (whole, fraction) {
        ("", "") => return None,
        _ => format!("0{whole}{fraction}").parse().ok()?,
    };
    Some((sign * digits, i32::try_from(fraction.len()).ok()?))
}

/// The binary factor and the decimal exponent of a suffix.
fn unit(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into()),
    })
}

/// Multiplies by a power of ten, rounding away from zero and saturating.
fn shift(digits: i128, exponent: i32) -> i64 {
    let ten = 10_i128.saturating_pow(exponent.unsigned_abs());
    let shifted =
        if exponent >= 0 { digits.saturating_mul(ten) } else { digits / ten + (digits % ten).signum() };
    shifted.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let cases: &[(&str, Option<i64>, Option<i64>)] = &[
            ("0", Some(0), Some(0)),
            ("1", Some(1), Some(1000)),
            ("100m", Some(1), Some(100)),
            ("1.5", Some(2), Some(1500)),
            (".5", Some(1), Some(500)),
            ("1500m", Some(2), Some(1500)),
            ("1u", Some(1), Some(1)),
            ("2k", Some(2000), Some(2_000_000)),
            ("1Ki", Some(1024), Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736), Some(1_610_612_736_000)),
            ("12e3", Some(12_000), Some(12_000_000)),
            ("12E-1", Some(2), Some(1200)),
            ("1E", Some(1_000_000_000_000_000_000), Some(i64::MAX)),
            ("8Ei", Some(i64::MAX), Some(i64::MAX)),
            ("-1", Some(-1), Some(-1000)),
            ("", None, None),
            ("m", None, None),
            ("1 Gi", None, None),
            ("1.2.3", None, None),
            ("1gb", None, None),
        ];
        for (text, whole, thousandths) in cases {
            assert_eq!((value(text), milli(text)), (*whole, *thousandths), "{text:?}");
        }
    }
}
