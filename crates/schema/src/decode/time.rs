//! Times as Kubernetes stores them: UTC, whole seconds (`Time`) or microseconds (`MicroTime`).

use crate::quote::Quoted;

const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Elements of both layouts: width in digits (0 is a literal), element, its range, its name.
type Element = (usize, &'static str, std::ops::RangeInclusive<i64>, &'static str);

const ELEMENTS: [Element; 11] = [
    (4, "2006", 0..=9999, "year"),
    (0, "-", 0..=0, ""),
    (2, "01", 1..=12, "month"),
    (0, "-", 0..=0, ""),
    (2, "02", 1..=31, "day"),
    (0, "T", 0..=0, ""),
    (2, "15", 0..=23, "hour"),
    (0, ":", 0..=0, ""),
    (2, "04", 0..=59, "minute"),
    (0, ":", 0..=0, ""),
    (2, "05", 0..=59, "second"),
];

/// The canonical form of an RFC 3339 time, or what Go's `time.Parse` says of the text. Kubernetes
/// insists on six digits in a `MicroTime`; any number is taken here, since clients in other
/// languages leave zeros out.
pub(super) fn canonical(text: &str, micro: bool) -> Result<String, String> {
    let layout = if micro { MICRO_LAYOUT } else { LAYOUT };
    let cannot = |rest: &str, element: &str| {
        let (text, layout, rest, element) = (Quoted(text), Quoted(layout), Quoted(rest), Quoted(element));
        format!("parsing time {text} as {layout}: cannot parse {rest} as {element}")
    };
    let range = |name: &str| format!("parsing time {}: {name} out of range", Quoted(text));
    let (parts, rest) = elements(text, cannot, range)?;
    let (fraction, zone) = fraction(rest);
    let offset = offset(zone).ok_or_else(|| cannot(zone, "Z07:00"))?;
    let [year, month, day, hour, minute, second] = parts;
    if day > month_length(year, month) {
        return Err(range("day"));
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Ok(written(seconds, micro.then(|| micros(fraction))))
}

/// The six numbers, and what follows them.
fn elements(
    text: &str,
    cannot: impl Fn(&str, &str) -> String,
    out_of_range: impl Fn(&str) -> String,
) -> Result<([i64; 6], &str), String> {
    let mut parts = [0; 6];
    let mut at = 0;
    let mut rest = text;
    for (width, element, range, name) in &ELEMENTS {
        if *width == 0 {
            rest = rest.strip_prefix(element).ok_or_else(|| cannot(rest, element))?;
            continue;
        }
        let digits = rest.get(..*width).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let value: i64 = digits.and_then(|d| d.parse().ok()).ok_or_else(|| cannot(rest, element))?;
        if !range.contains(&value) {
            return Err(out_of_range(name));
        }
        parts[at] = value;
        at += 1;
        rest = &rest[*width..];
    }
    Ok((parts, rest))
}

/// The digits after the point, if any, and the zone.
fn fraction(rest: &str) -> (&str, &str) {
    let Some(after) = rest.strip_prefix(['.', ',']) else { return ("", rest) };
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    if digits == 0 { ("", rest) } else { after.split_at(digits) }
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        [b'Z'] => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let number = |at: usize| {
        let digits =
            zone.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<i64>().ok()
    };
    let (hours, minutes) = (number(1)?, number(4)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn micros(fraction: &str) -> u32 {
    let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
    six.parse().unwrap_or(0)
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

fn written(seconds: i64, micros: Option<u32>) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = micros.map(|micros| format!(".{micros:06}")).unwrap_or_default();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form() {
        for (text, micro, expected) in [
            ("2026-02-03T04:05:06Z", false, "2026-02-03T04:05:06Z"),
            ("2026-02-03T04:05:06.999Z", false, "2026-02-03T04:05:06Z"),
            ("2026-01-01T00:30:00+01:00", false, "2025-12-31T23:30:00Z"),
            ("2024-02-28T23:30:00-00:45", false, "2024-02-29T00:15:00Z"),
            ("1969-12-31T23:59:59Z", false, "1969-12-31T23:59:59Z"),
            ("2026-02-03T04:05:06Z", true, "2026-02-03T04:05:06.000000Z"),
            ("2026-02-03T04:05:06.1234567Z", true, "2026-02-03T04:05:06.123456Z"),
        ] {
            assert_eq!(canonical(text, micro).as_deref(), Ok(expected), "{text}");
        }
        for text in ["2026-02-30T00:00:00Z", "2026-02-03T04:05:06+24:00", "2026-02-03 04:05:06Z", ""] {
            assert!(canonical(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_survives() {
        for day in -720_000..3_000_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }
}
