//! Times as Kubernetes writes them: RFC 3339 in UTC, whole seconds or six decimals.
//!
//! The conversion is forty lines of proleptic Gregorian calendar, so no time crate is needed: time zones,
//! locales and clocks are exactly what this crate does not know.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

const DAY: i64 = 86_400;
const MICROS: i64 = 1_000_000;

/// `metav1.Time`: whole seconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

/// `metav1.MicroTime`: microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MicroTime(i64);

impl Time {
    /// The time that many seconds after 1970 UTC.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 UTC.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// The time that many seconds later, or earlier if negative.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Reads any RFC 3339 time; decimals of a second are dropped, as Kubernetes does when it writes.
    pub fn parse(text: &str) -> Option<Self> {
        MicroTime::parse(text).map(MicroTime::seconds)
    }
}

impl MicroTime {
    /// The time that many microseconds after 1970 UTC.
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 UTC.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The whole second it is in.
    pub const fn seconds(self) -> Time {
        Time(self.0.div_euclid(MICROS))
    }

    /// Reads any RFC 3339 time; decimals beyond the sixth are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
        let (micros, zone) = decimals(rest)?;
        let seconds = parse_date(date)? * DAY + parse_clock(clock)? - parse_zone(zone)?;
        Some(Self(seconds * MICROS + micros))
    }
}

impl From<SystemTime> for MicroTime {
    fn from(time: SystemTime) -> Self {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        Self(time.duration_since(UNIX_EPOCH).map_or_else(|e| -micros(e.duration()), micros))
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        MicroTime::from(time).seconds()
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        time.to_string().into()
    }
}

impl From<MicroTime> for Value {
    fn from(time: MicroTime) -> Self {
        time.to_string().into()
    }
}

/// `2026-11-23T16:01:38Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0)?;
        f.write_str("Z")
    }
}

/// `2026-11-23T16:01:38.000123Z`.
impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0.div_euclid(MICROS))?;
        write!(f, ".{:06}Z", self.0.rem_euclid(MICROS))
    }
}

fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// The date of a day counted from 1970-01-01; years begin in March here so that leap days come last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day, counted from 1970-01-01, of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn parse_date(text: &str) -> Option<i64> {
    let [year, month, day] = split(text, '-', [4, 2, 2])?;
    let date = days(year, month, day);
    // A day that does not exist, such as February 30, comes back as another one.
    (civil(date) == (year, month, day)).then_some(date)
}

fn parse_clock(text: &str) -> Option<i64> {
    let [hour, minute, second] = split(text, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The offset from UTC in seconds.
fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let [hour, minute] = split(text.strip_prefix(['+', '-'])?, ':', [2, 2])?;
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

/// Microseconds of a decimal part, if there is one, and what follows it.
fn decimals(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(count);
    let six = format!("{:0<6}", &digits[..count.min(6)]);
    Some((if count == 0 { return None } else { six.parse().ok()? }, rest))
}

fn split<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let plain = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        *number = if plain { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}
