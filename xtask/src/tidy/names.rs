//! How crates and modules are named, laid out and introduced.

use super::finding::Finding;
use super::scan::{line_of, words};
use super::{File, crate_of};
use crate::workspace::Package;

/// A name that says nothing about what is inside collects everything.
const NAMELESS: &[&str] = &["utils", "util", "common", "helpers", "types", "misc"];

/// Names of crates, folders, files and inline modules; `foo.rs` beside `foo/`, not `foo/mod.rs`.
pub(super) fn modules(file: &File) -> Vec<Finding> {
    let Some(source) = &file.rust else { return Vec::new() };
    let finding = |line, name: &str| {
        Finding::error(
            &file.path,
            line,
            "name",
            format!("`{name}` says nothing: put each thing where its noun lives"),
        )
    };
    let parts = file.path.trim_end_matches(".rs").split('/');
    let mut findings: Vec<_> =
        parts.filter(|part| NAMELESS.contains(part)).map(|part| finding(1, part)).collect();
    if file.path.ends_with("/mod.rs") {
        findings.push(Finding::error(
            &file.path,
            1,
            "mod-rs",
            "name the file after its module: `foo.rs` beside `foo/`",
        ));
    }
    if file.path.starts_with("crates/core/") {
        findings.push(finding(1, "core"));
    }
    findings.extend(words(&source.code, "mod").filter_map(|at| {
        let name =
            source.code[at + 3..].trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        NAMELESS.contains(&name).then(|| finding(line_of(&source.code, at), name))
    }));
    findings
}

/// A crate introduces itself: what it is, what it never knows, a picture of its data, its invariants.
pub(super) fn crate_doc(file: &File) -> Vec<Finding> {
    let root = file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs");
    let documented = file.text.starts_with("//!");
    let instead = "open with `//!`: what it is, what it never knows, a picture of the data, invariants";
    let finding = (root && !documented).then(|| Finding::error(&file.path, 1, "crate-doc", instead));
    finding.into_iter().collect()
}

/// Every crate inherits the one lint table; `container` has its own, since it may hold `unsafe`.
pub(super) fn lint_table(file: &File) -> Vec<Finding> {
    let name = crate_of(&file.path).filter(|name| *name != "container");
    if name.is_none() || !file.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let mut lines = file.text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherited =
        lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true");
    let instead = "add `[lints]` with `workspace = true`: lints are chosen in the root Cargo.toml";
    let finding = (!inherited).then(|| Finding::error(&file.path, 1, "lint-table", instead));
    finding.into_iter().collect()
}

/// One test program per crate: each links everything once more.
pub(super) fn test_programs(packages: &[Package]) -> Vec<Finding> {
    let findings = packages.iter().filter(|package| package.member).filter_map(|package| {
        let tests = package.targets.iter().filter(|kind| *kind == "test").count();
        let library = package.targets.iter().any(|kind| kind == "lib" || kind == "proc-macro");
        let instead = if library && tests > 0 {
            "a library's tests are modules under src/: `#[cfg(test)] mod tests;`"
        } else if tests > 1 {
            "make one program of the files in tests/: one main.rs with modules"
        } else {
            return None;
        };
        Some(Finding::error(&package.manifest, 1, "test-programs", instead))
    });
    findings.collect()
}

#[cfg(test)]
mod tests;
