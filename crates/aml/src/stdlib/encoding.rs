//! Hashes, base64, hex and JSON.

use super::{failed, string};
use crate::evaluation::{Evaluated, Machine};
use crate::printing::Json;
use crate::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha1sum(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.new_text(hex(&sha1::Sha1::digest(string(args, 0).as_bytes()))).map(Some)
}

pub(super) fn sha256sum(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.new_text(hex(&sha2::Sha256::digest(string(args, 0).as_bytes()))).map(Some)
}

pub(super) fn sha512sum(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.new_text(hex(&sha2::Sha512::digest(string(args, 0).as_bytes()))).map(Some)
}

pub(super) fn base64(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let encoded = STANDARD.encode(string(args, 0).as_bytes());
    machine.new_text(encoded).map(Some)
}

pub(super) fn base64_decode(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let content: String = string(args, 0).chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = STANDARD.decode(&content).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) => at,
            _ => content.len(),
        };
        failed(format!("illegal base64 data at input byte {at}"))
    })?;
    decoded(machine, bytes, "base64")
}

pub(super) fn to_hex(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.new_text(hex(string(args, 0).as_bytes())).map(Some)
}

pub(super) fn from_hex(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let content = string(args, 0);
    if let Some(wrong) = content.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(failed(format!("encoding/hex: invalid byte: U+{:04X} '{wrong}'", wrong as u32)));
    }
    if content.len() % 2 == 1 {
        return Err(failed("encoding/hex: odd length hex string"));
    }
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    let bytes = content.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    decoded(machine, bytes, "hex")
}

fn decoded(machine: &mut Machine<'_>, bytes: Vec<u8>, what: &str) -> Evaluated {
    let text =
        String::from_utf8(bytes).map_err(|_| failed(format!("invalid utf8 content after {what} decode")))?;
    machine.new_text(text).map(Some)
}

pub(super) fn to_json(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    match machine.json_of(&args[0])? {
        Some(json) => machine.new_text(json.compact()).map(Some),
        None => Ok(None),
    }
}

pub(super) fn from_json(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let content = string(args, 0);
    machine.charge(content.len().saturating_mul(16))?;
    let parsed: serde_json::Value =
        serde_json::from_str(&content).map_err(|error| failed(error.to_string()))?;
    let json = Json::from(&parsed);
    machine.value_of(&json).map(Some)
}
