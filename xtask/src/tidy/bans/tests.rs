use super::super::check;
use super::*;

const LIB: &str = "crates/store/src/lib.rs";

#[test]
fn unfinished_work() {
    let lines = |path, text, lines: &[usize]| check(unfinished, path, text, lines);
    lines(LIB, "fn a() {\n    todo!()\n}\nfn b() {\n    unimplemented!(\"b\")\n}", &[2, 5]);
    lines(LIB, "let x = dbg!(y);", &[1]);
    lines(LIB, "// FIXME: later\nlet fixme = 1; /* XXX */", &[1, 2]);
    lines(LIB, "let s = \"todo!() FIXME XXX dbg!\"; // todo! is banned", &[]);
    lines(LIB, "my_todo!(); XXXL();", &[]);
    lines("scripts/setup", "mktemp /tmp/a.XXXXXX\n# XXX", &[2]);
    lines("Cargo.toml", "# FIXME", &[1]);
    lines("CONTRIBUTING.md", "no FIXME", &[]);
}

#[test]
fn attributes_without_reasons() {
    let lines = |text, lines: &[usize]| check(attributes_with_reasons, LIB, text, lines);
    lines("#[test]\n#[ignore]\nfn a() {}", &[2]);
    lines("#[ignore = \"takes an hour\"]\nfn a() {}", &[]);
    lines("#![allow(dead_code)]\n#[allow(unused, dead_code, reason = \"x\")]\nfn a() {}", &[1, 2]);
    lines("#[cfg_attr(test, allow(dead_code))]\nfn a() {}", &[1]);
    lines("#[expect(dead_code, reason = \"read by the debugger\")]\nfn a() {}", &[]);
    lines("#[expect(clippy::unwrap_used)]\nfn a() {}", &[1]);
    lines("#[expect(\n    clippy::unwrap_used,\n    reason = \"a literal\"\n)]\nfn a() {}", &[]);
    lines("// #[ignore]\nlet s = \"#[ignore]\";", &[]);
}

#[test]
fn hosts_of_registries() {
    let lines = |path, text: &str, lines: &[usize]| check(registries, path, text, lines);
    let host = ["crates", ".io"].concat();
    lines("README.md", &format!("a\nsee https://{host}/x"), &[2]);
    lines(LIB, &format!("// index.{host}"), &[1]);
    lines("Cargo.lock", &format!("source = \"{host}\""), &[]);
    lines(".cargo/config.toml", "[source.x]\nreplace-with = \"mirror\"", &[2]);
    lines("README.md", "replace-with, rbac.authorization.k8s.io, docs.rs", &[]);
}

#[test]
fn unsafe_outside_container() {
    check(unsafe_code, LIB, "fn a() {\n    unsafe { b() }\n}", &[2]);
    check(unsafe_code, LIB, "// unsafe\nlet s = \"unsafe\"; let unsafe_code = 1;", &[]);
    check(unsafe_code, "crates/container/src/lib.rs", "unsafe { b() }", &[]);
}

#[test]
fn large_blobs() {
    assert_eq!(blob("a", BLOB_BYTES_MAX), None);
    assert!(blob("a", BLOB_BYTES_MAX + 1).is_some());
}
