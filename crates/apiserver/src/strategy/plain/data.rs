//! ConfigMaps and Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{self, fill_zero, same};
use crate::strategy::{Strategy, format};

/// How many bytes a ConfigMap or Secret may hold.
const MAX_BYTES: usize = 1024 * 1024;
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

pub(super) const CONFIG_MAP: Strategy = Strategy {
    kind: "ConfigMap",
    validate: check_config_map,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_frozen(new, old, &["data", "binaryData"], faults);
        check_config_map(new, faults);
    },
    ..Strategy::DEFAULT
};

pub(super) const SECRET: Strategy = Strategy {
    kind: "Secret",
    default: |secret| {
        merge_strings(secret);
        secret.as_object_mut().into_iter().for_each(|fields| fill_zero(fields, "type", "Opaque"));
    },
    prepare_update: |new, old| {
        merge_strings(new);
        if let Some(fields) = new.as_object_mut()
            && let Some(kind) = old.get("type")
        {
            // An old client may leave the type out: it stays.
            fill_zero(fields, "type", kind.clone());
        }
    },
    validate: check_secret,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        if new.text_at("type") != old.text_at("type") {
            faults.wrong_text(&new.at("type"), "field is immutable");
        }
        check_frozen(new, old, &["data"], faults);
        check_secret(new, faults);
    },
    ..Strategy::DEFAULT
};

/// `stringData` is for writing only: it ends up in `data`.
fn merge_strings(secret: &mut Value) {
    let Some(fields) = secret.as_object_mut() else { return };
    let Some(Value::Object(strings)) = fields.remove("stringData") else { return };
    let Some(data) = tree::make(fields, "data").filter(|_| !strings.is_empty()) else { return };
    for (key, text) in strings {
        data.insert(key, STANDARD.encode(text.as_str().unwrap_or("")).into());
    }
}

fn check_frozen(new: &Field<'_>, old: &Field<'_>, bags: &[&str], faults: &mut Faults) {
    if !old.is_true("immutable") {
        return;
    }
    if !new.is_true("immutable") {
        faults.forbidden(&new.at("immutable"), IMMUTABLE);
    }
    for bag in bags.iter().filter(|bag| !same(new.at(bag).value(), old.at(bag).value())) {
        faults.forbidden(&new.at(bag), IMMUTABLE);
    }
}

fn check_config_map(map: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(map, faults);
    let (data, binary) = (map.at("data"), map.at("binaryData"));
    let mut bytes = 0;
    for (key, value) in data.entries() {
        faults.each(&value, key, format::data_key(key));
        if binary.key(key).is_set() {
            faults.invalid(&value, key, "duplicate of key present in binaryData");
        }
        bytes += value.text().len();
    }
    for (key, value) in binary.entries() {
        faults.each(&value, key, format::data_key(key));
        bytes += decoded_length(value.text());
    }
    if bytes > MAX_BYTES {
        faults.too_long(&map.at(""), MAX_BYTES);
    }
}

fn decoded_length(encoded: &str) -> usize {
    encoded.trim_end_matches('=').len() * 3 / 4
}

fn check_secret(secret: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(secret, faults);
    let data = secret.at("data");
    let mut bytes = 0;
    for (key, value) in data.entries() {
        faults.each(&value, key, format::data_key(key));
        bytes += decoded_length(value.text());
    }
    if bytes > MAX_BYTES {
        faults.too_long(&data, MAX_BYTES);
    }
    check_type(secret, &data, faults);
}

fn check_type(secret: &Field<'_>, data: &Field<'_>, faults: &mut Faults) {
    let needs = |keys: &[&str], faults: &mut Faults| {
        for key in keys.iter().filter(|key| !data.key(key).is_set()) {
            faults.required(&data.key(key), "");
        }
    };
    match secret.text_at("type") {
        "kubernetes.io/service-account-token" => {
            let annotations = secret.at("metadata.annotations");
            let name = annotations.key("kubernetes.io/service-account.name");
            if name.text().is_empty() {
                faults.required(&name, "");
            }
        }
        "kubernetes.io/dockercfg" => check_json(&data.key(".dockercfg"), faults),
        "kubernetes.io/dockerconfigjson" => check_json(&data.key(".dockerconfigjson"), faults),
        "kubernetes.io/basic-auth" if !data.key("username").is_set() && !data.key("password").is_set() => {
            needs(&["username", "password"], faults);
        }
        "kubernetes.io/ssh-auth" => {
            let key = data.key("ssh-privatekey");
            if key.text().is_empty() {
                faults.required(&key, "");
            }
        }
        "kubernetes.io/tls" => needs(&["tls.crt", "tls.key"], faults),
        _ => {}
    }
}

/// The fault quotes nothing of the secret.
fn check_json(entry: &Field<'_>, faults: &mut Faults) {
    if !entry.is_set() {
        return faults.required(entry, "");
    }
    let decoded = STANDARD.decode(entry.text()).unwrap_or_default();
    if let Some(fault) = json_fault(&decoded) {
        faults.invalid(entry, "<secret contents redacted>", fault);
    }
}

/// What Go's decoder says of bytes that are no JSON object.
fn json_fault(bytes: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(value) => {
            let kind = match value {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
        }
        Err(error) if error.is_eof() => Some("unexpected end of JSON input".to_owned()),
        Err(error) => {
            let lines = bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1));
            let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
            let found = match bytes.get(offset).copied().map_or(' ', char::from) {
                control if control.is_ascii_control() => format!("\\x{:02x}", u32::from(control)),
                found => found.to_string(),
            };
            let place = if offset == 0 { "looking for beginning of value" } else { "in JSON value" };
            Some(format!("invalid character '{found}' {place}"))
        }
    }
}
