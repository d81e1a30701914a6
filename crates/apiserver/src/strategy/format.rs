//! The forms that texts and numbers must have, with Kubernetes' messages.
//!
//! Each check returns what is wrong, one message per fault. Names, label keys and label values are in
//! `api::meta::name`. Source: apimachinery `util/validation` of Kubernetes 1.36.

use std::net::IpAddr;

use api::meta::name;

/// What is wrong with a port number.
pub(crate) fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1, 65535)
}

/// What is wrong with a number that has bounds, both inclusive.
pub(crate) fn in_range(value: i64, min: i64, max: i64) -> Vec<String> {
    if (min..=max).contains(&value) { Vec::new() } else { vec![range_rule(min, max)] }
}

/// The rule of a number that has bounds.
pub(crate) fn range_rule(min: i64, max: i64) -> String {
    format!("must be between {min} and {max}, inclusive")
}

/// What is wrong with the id of a user or group.
pub(crate) fn user_id(id: i64) -> Vec<String> {
    in_range(id, 0, 0xffff_ffff)
}

/// What is wrong with the name of a port.
pub(crate) fn port_name(port: &str) -> Vec<String> {
    let bytes = port.as_bytes();
    let legal = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    let mut faults = Vec::new();
    if bytes.len() > 15 {
        faults.push(longest(15));
    }
    if bytes.is_empty() || !bytes.iter().all(legal) {
        faults.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !bytes.iter().any(u8::is_ascii_lowercase) {
        faults.push("must contain at least one letter (a-z)".to_owned());
    }
    if port.contains("--") {
        faults.push("must not contain consecutive hyphens".to_owned());
    }
    if bytes.first() == Some(&b'-') || bytes.last() == Some(&b'-') {
        faults.push("must not begin or end with a hyphen".to_owned());
    }
    faults
}

/// The rule of a text that may have so many bytes.
pub(crate) fn longest(max_bytes: usize) -> String {
    format!("must be no more than {max_bytes} bytes")
}

/// What is wrong with the name of an HTTP header.
pub(crate) fn http_header(value: &str) -> Vec<String> {
    const RULE: &str = "a valid HTTP header must consist of alphanumeric characters or '-'";
    let good = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if good { Vec::new() } else { vec![rule(RULE, &["X-Header-Name"], "[-A-Za-z0-9]+")] }
}

/// What is wrong with the name of an environment variable.
pub(crate) fn env_name(value: &str) -> Vec<String> {
    const RULE: &str =
        "a valid environment variable name must consist only of printable ASCII characters other than '='";
    if value.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    let good = value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=');
    if good { Vec::new() } else { vec![RULE.to_owned()] }
}

/// What is wrong with a key of a ConfigMap or Secret.
pub(crate) fn data_key(value: &str) -> Vec<String> {
    const RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    const EXAMPLES: [&str; 3] = ["key.name", "KEY_NAME", "key-name"];
    let mut faults = Vec::new();
    if value.len() > 253 {
        faults.push(longest(253));
    }
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        faults.push(rule(RULE, &EXAMPLES, "[-._a-zA-Z0-9]+"));
    }
    match value {
        "." => faults.push("must not be '.'".to_owned()),
        ".." => faults.push("must not be '..'".to_owned()),
        value if value.starts_with("..") => faults.push("must not start with '..'".to_owned()),
        _ => {}
    }
    faults
}

/// What is wrong with a percentage.
pub(crate) fn percent(value: &str) -> Vec<String> {
    const RULE: &str = "a valid percent string must be a numeric string followed by an ending '%'";
    if percent_of(value).is_some() { Vec::new() } else { vec![rule(RULE, &["1%", "93%"], "[0-9]+%")] }
}

/// The number of a percentage; one too large to hold counts as the largest.
pub(crate) fn percent_of(value: &str) -> Option<i64> {
    let digits = value.strip_suffix('%')?;
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// What is wrong with a domain whose first label is `*`.
pub(crate) fn wildcard_subdomain(value: &str) -> Vec<String> {
    const RULE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which \
                        must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric \
                        character";
    const FORMAT: &str = "\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
    let mut faults = Vec::new();
    if value.len() > 253 {
        faults.push(longest(253));
    }
    let good = value.strip_prefix("*.").is_some_and(|rest| rest.split('.').all(is_label));
    if !good {
        faults.push(rule(RULE, &["*.example.com"], FORMAT));
    }
    faults
}

/// What is wrong with a search domain, which may have underscores.
pub(crate) fn search_domain(value: &str) -> Vec<String> {
    const RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or \
                        '.', and must start and end with an alphanumeric character";
    const LABEL: &str = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
    let mut faults = Vec::new();
    if value.len() > 253 {
        faults.push(longest(253));
    }
    let good = |label: &str| is_label(&label.strip_prefix('_').unwrap_or(label).replace('_', "-"));
    if !value.split('.').all(good) {
        faults.push(rule(RULE, &["example.com"], &format!("{LABEL}(\\.{LABEL})*")));
    }
    faults
}

/// What is wrong with the name of a CSI driver.
pub(crate) fn csi_driver(value: &str) -> Vec<String> {
    name::dns1123_subdomain(&value.to_lowercase())
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.first().is_some_and(alnum)
        && bytes.last().is_some_and(alnum)
        && bytes.iter().all(|b| alnum(b) || *b == b'-')
}

/// What is wrong with an IP address.
pub(crate) fn ip(value: &str) -> Vec<String> {
    const RULE: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    if parse_ip(value).is_some() { Vec::new() } else { vec![RULE.to_owned()] }
}

/// What is wrong with a CIDR.
pub(crate) fn cidr(value: &str) -> Vec<String> {
    const RULE: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    if parse_cidr(value).is_some() { Vec::new() } else { vec![RULE.to_owned()] }
}

/// The IP address; leading zeros are tolerated, as Kubernetes does for old objects' sake.
pub(crate) fn parse_ip(value: &str) -> Option<IpAddr> {
    if let Ok(ip) = value.parse() {
        return Some(ip);
    }
    let parts: Vec<&str> = value.split('.').collect();
    let digits =
        |part: &&str| !part.is_empty() && part.len() <= 12 && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() != 4 || !parts.iter().all(digits) {
        return None;
    }
    let octets: Option<Vec<u8>> = parts.iter().map(|part| part.parse().ok()).collect();
    let octets: [u8; 4] = octets?.try_into().ok()?;
    Some(IpAddr::from(octets))
}

/// The address and prefix length of a CIDR.
pub(crate) fn parse_cidr(value: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = value.split_once('/')?;
    let ip = parse_ip(ip)?;
    if bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u8 = bits.parse().ok()?;
    (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, bits))
}

/// What makes an address unfit to be an endpoint or an external address.
pub(crate) fn non_special_ip(value: &str) -> Vec<String> {
    let Some(ip) = parse_ip(value) else { return vec!["must be a valid IP address".to_owned()] };
    let ip = ip.to_canonical();
    let (link_local, link_local_multicast) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.segments()[0] & 0xff0f == 0xff02),
    };
    let mut faults = Vec::new();
    if ip.is_unspecified() {
        faults.push(format!("may not be unspecified ({value})"));
    }
    if ip.is_loopback() {
        faults.push("may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned());
    }
    if link_local {
        faults.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned());
    }
    if link_local_multicast {
        faults.push("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned());
    }
    faults
}

/// Whether there is exactly one address of each family, or `None` where one is no address.
pub(crate) fn is_dual_stack<'a>(addresses: impl Iterator<Item = &'a str>) -> Option<bool> {
    let (mut v4, mut v6) = (false, false);
    for address in addresses {
        let ip = parse_ip(address.split_once('/').map_or(address, |(ip, _)| ip))?;
        v4 |= ip.is_ipv4();
        v6 |= ip.is_ipv6();
    }
    Some(v4 && v6)
}

/// What is wrong with a domain-prefixed path such as `example.com/controller`, with the part that is wrong.
pub(crate) fn domain_prefixed_path(value: &str) -> Vec<(String, String)> {
    const PATH: &str = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
    let whole = "must be a domain-prefixed path (such as \"acme.io/foo\")";
    let Some((host, path)) =
        value.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty())
    else {
        return vec![(value.to_owned(), whole.to_owned())];
    };
    let hosts = name::dns1123_subdomain(host).into_iter().map(|fault| (host.to_owned(), fault));
    let mut faults: Vec<_> = hosts.collect();
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b)) {
        faults.push((path.to_owned(), rule("Invalid path", &[], PATH)));
    }
    faults
}

/// What is wrong with a fully qualified domain name, with the part that is wrong.
pub(crate) fn fully_qualified_domain(value: &str) -> Vec<(String, String)> {
    let value = value.strip_suffix('.').unwrap_or(value);
    let faults = name::dns1123_subdomain(value);
    if !faults.is_empty() {
        return vec![(value.to_owned(), faults.join(","))];
    }
    if !value.contains('.') {
        return vec![(
            value.to_owned(),
            "should be a domain with at least two segments separated by dots".to_owned(),
        )];
    }
    let label = value.split('.').find(|label| !name::dns1123_label(label).is_empty());
    label.map(|label| (label.to_owned(), name::dns1123_label(label).join(","))).into_iter().collect()
}

/// A rule, examples that keep it, and its regular expression.
pub(crate) fn rule(rule: &str, examples: &[&str], regex: &str) -> String {
    if examples.is_empty() {
        return format!("{rule} (regex used for validation is '{regex}')");
    }
    let quoted: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{rule} (e.g. {}regex used for validation is '{regex}')", quoted.join(" or "))
}

/// The path, cleaned as Go's `path.Clean` cleans it.
pub(crate) fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
