//! The rules for names, label keys and label values, with Kubernetes' messages.
//!
//! Each check returns what is wrong, one message per fault; an empty list means the name is good.
//! Source: apimachinery `util/validation` and `api/validation/path` of Kubernetes 1.36.

/// The letters of generated names: no vowels, so no words.
const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;
const GENERATED_MAX: usize = 63;

const LABEL_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// What is wrong with a DNS-1123 label: namespaces, containers, volumes.
pub fn dns1123_label(name: &str) -> Vec<String> {
    let mut faults = too_long(name, 63);
    if !is_label(name) {
        faults.push(if is_subdomain(name) {
            "must not contain dots".to_owned()
        } else {
            format(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                 start and end with an alphanumeric character",
                LABEL_FORMAT,
                &["my-name", "123-abc"],
            )
        });
    }
    faults
}

/// What is wrong with a DNS-1123 subdomain: the names of most objects.
pub fn dns1123_subdomain(name: &str) -> Vec<String> {
    let mut faults = too_long(name, 253);
    if !is_subdomain(name) {
        faults.push(format(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character",
            &format!("{LABEL_FORMAT}(\\.{LABEL_FORMAT})*"),
            &["example.com"],
        ));
    }
    faults
}

/// What is wrong with a DNS-1035 label: the names of Services.
pub fn dns1035_label(name: &str) -> Vec<String> {
    let mut faults = too_long(name, 63);
    if !(is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase())) {
        faults.push(format(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            "[a-z]([-a-z0-9]*[a-z0-9])?",
            &["my-name", "abc-123"],
        ));
    }
    faults
}

/// What is wrong with a qualified name: label and annotation keys, finalizers, resource names.
pub fn qualified_name(name: &str) -> Vec<String> {
    const RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character";
    let rule = || format(RULE, QUALIFIED_FORMAT, &["MyName", "my.name", "123-abc"]);
    let mut faults = Vec::new();
    let local = match name.split_once('/') {
        None => name,
        Some((_, local)) if local.contains('/') => {
            let optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {} {optional}", rule())];
        }
        Some(("", local)) => {
            faults.push("prefix part must be non-empty".to_owned());
            local
        }
        Some((prefix, local)) => {
            faults.extend(dns1123_subdomain(prefix).into_iter().map(|f| format!("prefix part {f}")));
            local
        }
    };
    if local.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    }
    faults.extend(too_long(local, 63).into_iter().map(|f| format!("name part {f}")));
    if !is_qualified(local) {
        faults.push(format!("name part {}", rule()));
    }
    faults
}

/// What is wrong with the value of a label.
pub fn label_value(value: &str) -> Vec<String> {
    let mut faults = too_long(value, 63);
    if !value.is_empty() && !is_qualified(value) {
        faults.push(format(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
             must start and end with an alphanumeric character",
            &format!("({QUALIFIED_FORMAT})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    faults
}

/// What is wrong with a name that only has to fit into a path: RBAC objects.
pub fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let illegal = ["/", "%"].into_iter().filter(|c| name.contains(c));
    illegal.map(|c| format!("may not contain '{c}'")).collect()
}

/// The name made from a `generateName`: the base, cut to 58 bytes, and five letters drawn from `random`.
///
/// Each byte of `random` should be uniform; the bias of the remainder is below one part in a hundred.
pub fn generate(base: &str, random: [u8; SUFFIX_LENGTH]) -> String {
    let mut cut = base.len().min(GENERATED_MAX - SUFFIX_LENGTH);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let letter = |byte: u8| char::from(SUFFIX_ALPHABET[usize::from(byte) % SUFFIX_ALPHABET.len()]);
    base[..cut].chars().chain(random.into_iter().map(letter)).collect()
}

fn is_label(name: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    framed(name.as_bytes(), alnum, |b| alnum(b) || b == b'-')
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_qualified(name: &str) -> bool {
    framed(
        name.as_bytes(),
        |b| b.is_ascii_alphanumeric(),
        |b| b.is_ascii_alphanumeric() || b"-_.".contains(&b),
    )
}

/// Whether the ends satisfy one rule and everything another.
fn framed(bytes: &[u8], end: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    match bytes {
        [] => false,
        [first, .., last] => end(*first) && end(*last) && bytes.iter().all(|b| inner(*b)),
        [only] => end(*only),
    }
}

fn too_long(text: &str, max_bytes: usize) -> Vec<String> {
    if text.len() > max_bytes { vec![format!("must be no more than {max_bytes} bytes")] } else { Vec::new() }
}

/// A rule, examples that keep it, and its regular expression.
fn format(rule: &str, regex: &str, examples: &[&str]) -> String {
    let quoted: Vec<String> = examples.iter().map(|e| format!("'{e}'")).collect();
    let examples = quoted.join(",  or ");
    format!("{rule} (e.g. {examples}, regex used for validation is '{regex}')")
}
