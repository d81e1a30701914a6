use super::super::finding::Level;
use super::*;
use crate::workspace::Dependency;

const TABLE: &str = "\
# Architecture

<!-- tidy: imports -->

| crate | may import |
|---|---|
| `api` | nothing |
| `server` | `api`, `store` |
| `store` | nothing |

| `not` | `a row` |
";

fn package(name: &str, imports: &[(&str, bool)]) -> Package {
    let dependencies = imports.iter().map(|&(name, dev)| Dependency { name: name.to_owned(), dev }).collect();
    let manifest = format!("crates/{name}/Cargo.toml");
    Package { name: name.to_owned(), member: true, manifest, dependencies, ..Package::default() }
}

fn outside(name: &str) -> Package {
    Package { member: false, ..package(name, &[]) }
}

/// Findings as `path:line: what to do`, errors only.
fn errors(document: &str, packages: &[Package]) -> Vec<String> {
    let manifest = "[package]\nname = \"api\"\n\n[dependencies]\nstore-log = \"1\"\nstore.workspace = true\n";
    let files = [File::new(DOCUMENT, document), File::new("crates/api/Cargo.toml", manifest)];
    let findings = check(&files, packages).into_iter().filter(|finding| finding.level == Level::Error);
    findings.map(|finding| finding.to_string()).collect()
}

fn check_errors(packages: &[Package], expected: &[&str]) {
    let found = errors(TABLE, packages);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found:?} does not start with {expected:?}");
    }
}

#[test]
fn allowed_imports_pass() {
    check_errors(&[package("api", &[("serde", false)]), outside("serde")], &[]);
    check_errors(
        &[package("api", &[]), package("store", &[]), package("server", &[("api", false), ("store", false)])],
        &[],
    );
}

#[test]
fn imports_for_tests_are_free() {
    check_errors(&[package("api", &[("store", true)]), package("store", &[])], &[]);
}

#[test]
fn forbidden_imports_fail_where_they_stand() {
    let packages = [package("api", &[("store", false)]), package("store", &[])];
    check_errors(
        &packages,
        &["crates/api/Cargo.toml:6: imports: `api` may not import `store` (ARCHITECTURE.md:7)"],
    );
}

#[test]
fn every_crate_has_a_row_and_its_own_folder() {
    check_errors(&[package("app", &[])], &["crates/app/Cargo.toml:1: imports: give `app` a row"]);
    let elsewhere = Package { manifest: "crates/apis/Cargo.toml".to_owned(), ..package("api", &[]) };
    check_errors(&[elsewhere], &["crates/apis/Cargo.toml:1: imports: name the folder `api`"]);
}

#[test]
fn a_row_without_a_crate_is_a_warning() {
    let findings = check(&[File::new(DOCUMENT, TABLE)], &[package("api", &[]), package("store", &[])]);
    assert_eq!(findings.iter().map(|f| (f.level, f.line)).collect::<Vec<_>>(), [(Level::Warning, 8)]);
}

#[test]
fn a_table_that_cannot_be_read_fails() {
    assert_eq!(errors("", &[]).len(), 1);
    let broken = format!("{MARKER}\n| crate | may import |\n|---|---|\n| `api` | all |\n| api | nothing |\n");
    let found = errors(&broken, &[]);
    assert!(
        found[0].starts_with("ARCHITECTURE.md:4:") && found[1].starts_with("ARCHITECTURE.md:5:"),
        "{found:?}"
    );
    assert!(check(&[], &[])[0].to_string().starts_with("ARCHITECTURE.md:1: imports: write it"));
}
