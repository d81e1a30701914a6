//! Functions on `host:port`, as Go's `net` package does them.

use super::{failed, string};
use crate::evaluation::{Evaluated, Machine};
use crate::value::Value;

pub(super) fn join_host_port(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let host = string(args, 0);
    let port = match &args[1] {
        Value::Number(number) => number.to_int().map_err(failed)?.to_string(),
        _ => string(args, 1).to_string(),
    };
    let joined = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    machine.new_text(joined).map(Some)
}

pub(super) fn split_host_port(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let address = string(args, 0);
    let (host, port) = split(&address).map_err(|why| failed(format!("address {address}: {why}")))?;
    let parts = vec![Value::text(host), Value::text(port)];
    machine.new_list(parts).map(Some)
}

fn split(address: &str) -> Result<(&str, &str), &'static str> {
    let colon = address.rfind(':').ok_or("missing port in address")?;
    let (host, port) = (&address[..colon], &address[colon + 1..]);
    if let Some(rest) = address.strip_prefix('[') {
        let end = rest.find(']').ok_or("missing ']' in address")?;
        if end + 2 != colon {
            let missing = end + 2 == address.len();
            return Err(if missing { "missing port in address" } else { "too many colons in address" });
        }
        let host = &rest[..end];
        if host.contains('[') {
            return Err("unexpected '[' in address");
        }
        return Ok((host, port));
    }
    if host.contains(':') {
        return Err("too many colons in address");
    }
    if address.contains('[') {
        return Err("unexpected '[' in address");
    }
    if address.contains(']') {
        return Err("unexpected ']' in address");
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_split_as_in_go() {
        let cases = [
            ("a:1", Ok(("a", "1"))),
            (":1", Ok(("", "1"))),
            ("[::1]:80", Ok(("::1", "80"))),
            ("a", Err("missing port in address")),
            ("[::1]", Err("missing port in address")),
            ("::1:80", Err("too many colons in address")),
            ("[::1", Err("missing ']' in address")),
        ];
        for (address, expected) in cases {
            assert_eq!(super::split(address), expected, "{address}");
        }
    }
}
