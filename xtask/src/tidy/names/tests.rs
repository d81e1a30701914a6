use super::super::check;
use super::*;

#[test]
fn names_say_what_is_inside() {
    let lines = |path, text, lines: &[usize]| check(modules, path, text, lines);
    lines("crates/api/src/common.rs", "", &[1]);
    lines("crates/api/src/helpers/quantity.rs", "", &[1]);
    lines("crates/utils/src/lib.rs", "", &[1]);
    lines("crates/core/src/lib.rs", "", &[1]);
    lines("crates/api/src/kinds/mod.rs", "", &[1]);
    lines("crates/api/src/lib.rs", "mod kinds;\n\npub mod types {\n}\n", &[3]);
    lines("crates/api/src/lib.rs", "mod kinds; // mod types\nmod typesetting;\nmod model;\n", &[]);
    lines("docs/types.md", "", &[]);
}

#[test]
fn crates_introduce_themselves() {
    check(crate_doc, "crates/api/src/lib.rs", "mod a;\n//! Late.\n", &[1]);
    check(crate_doc, "xtask/src/main.rs", "", &[1]);
    check(crate_doc, "crates/api/src/lib.rs", "//! The table of kinds.\nmod a;\n", &[]);
    check(crate_doc, "crates/api/src/a.rs", "fn a() {}\n", &[]);
}

#[test]
fn crates_inherit_the_lint_table() {
    let manifest = "crates/api/Cargo.toml";
    check(lint_table, manifest, "[package]\nversion.workspace = true\n[lints]\nworkspace = true\n", &[]);
    check(lint_table, manifest, "[lints]\n[dependencies]\nworkspace = true\n", &[1]);
    check(lint_table, manifest, "[lints.rust]\nunsafe_code = \"allow\"\n", &[1]);
    check(lint_table, "crates/container/Cargo.toml", "[package]\n", &[]);
    check(lint_table, "Cargo.toml", "[workspace]\n", &[]);
}

#[test]
fn one_test_program_per_crate() {
    let package = |targets: &[&str], member| Package {
        targets: targets.iter().map(|&kind| kind.to_owned()).collect(),
        member,
        ..Package::default()
    };
    let cases = [
        (package(&["lib"], true), 0),
        (package(&["lib", "test"], true), 1),
        (package(&["bin", "test"], true), 0),
        (package(&["bin", "test", "test"], true), 1),
        (package(&["lib", "test", "test"], false), 0),
    ];
    for (package, expected) in cases {
        assert_eq!(test_programs(std::slice::from_ref(&package)).len(), expected, "{package:?}");
    }
}
