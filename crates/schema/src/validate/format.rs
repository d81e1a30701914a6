//! String formats that Kubernetes checks in custom resources. Other formats hold always.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a constant pattern compiles")
}

static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$")
});
static EMAIL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[^@\s<>]+@[^@\s<>]+$"));
static URI: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([a-zA-Z][a-zA-Z0-9+.-]*:\S+|/\S*)$"));
static MAC: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^([0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}([:-][0-9A-Fa-f]{2}){0,2}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2,3})$",
    )
});
static UUID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$")
});
static DATE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"));
static DATE_TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$",
    )
});
static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[+-]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(ns|us|µs|μs|ms|s|m|h|[a-z]+)(\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(ns|us|µs|μs|ms|s|m|h|[a-z]+))*)$",
    )
});
static BASE64: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"));
static HEX_COLOR: LazyLock<Regex> = LazyLock::new(|| pattern(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"));
static OBJECT_ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[0-9a-fA-F]{24}$"));

/// Whether the text has this format.
pub(super) fn holds(format: &str, text: &str) -> bool {
    match format {
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => cidr(text),
        "hostname" => text.len() <= 255 && HOSTNAME.is_match(text),
        "email" => EMAIL.is_match(text),
        "uri" => URI.is_match(text),
        "mac" => MAC.is_match(text),
        "uuid" => UUID.is_match(text),
        "uuid3" => uuid(text, '3'),
        "uuid4" => uuid(text, '4'),
        "uuid5" => uuid(text, '5'),
        "date" => DATE.is_match(text),
        "date-time" | "datetime" => DATE_TIME.is_match(text),
        "duration" => DURATION.is_match(text),
        "byte" => BASE64.is_match(text),
        "hexcolor" => HEX_COLOR.is_match(text),
        "bsonobjectid" => OBJECT_ID.is_match(text),
        _ => true,
    }
}

fn uuid(text: &str, version: char) -> bool {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    UUID.is_match(text) && hex.chars().nth(12) == Some(version)
}

fn cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}
