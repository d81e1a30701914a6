//! Who may import whom: the table in ARCHITECTURE.md against what `cargo metadata` says.
//!
//! ```text
//! <!-- tidy: imports -->
//! | crate | may import |
//! |---|---|
//! | `api` | nothing |
//! | `apiserver` | `api`, `schema`, `store` |
//! ```
//! The table ends with the first line that is no row. Imports for tests alone are free.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::{File, crate_of};
use crate::workspace::Package;

const DOCUMENT: &str = "ARCHITECTURE.md";
const MARKER: &str = "<!-- tidy: imports -->";
const RULE: &str = "imports";

/// A row: its line, and the crates that its crate may import.
#[derive(Debug, PartialEq)]
struct Row<'a> {
    line: usize,
    allowed: BTreeSet<&'a str>,
}

type Table<'a> = BTreeMap<&'a str, Row<'a>>;

/// Compares the table with the workspace.
pub(super) fn check(files: &[File], packages: &[Package]) -> Vec<Finding> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else {
        return vec![Finding::error(
            DOCUMENT,
            1,
            RULE,
            "write it: it holds the table of who may import whom",
        )];
    };
    let (table, mut findings) = parse(&document.text);
    let members: Vec<_> = packages.iter().filter(|package| package.member).collect();
    findings.extend(members.iter().flat_map(|package| member(package, &members, &table, files)));
    let gone = table.iter().filter(|(name, _)| !members.iter().any(|package| package.name == **name));
    findings.extend(gone.map(|(name, row)| {
        Finding::warning(
            DOCUMENT,
            row.line,
            RULE,
            format!("no crate `{name}`: remove its row, or add the crate"),
        )
    }));
    findings
}

/// Reads the table; findings are for rows that cannot be read.
fn parse(document: &str) -> (Table<'_>, Vec<Finding>) {
    let lines = document.lines().zip(1..).skip_while(|(line, _)| line.trim() != MARKER).skip(1);
    let rows = lines
        .skip_while(|(line, _)| line.trim().is_empty())
        .take_while(|(line, _)| line.starts_with('|'))
        .skip(2);
    let (mut table, mut findings) = (Table::new(), Vec::new());
    for (text, line) in rows {
        match row(text) {
            Some((name, allowed)) => drop(table.insert(name, Row { line, allowed })),
            None => findings.push(Finding::error(
                DOCUMENT,
                line,
                RULE,
                "write the row as | `crate` | `a`, `b` | or | `crate` | nothing |",
            )),
        }
    }
    if table.is_empty() {
        findings.push(Finding::error(DOCUMENT, 1, RULE, format!("no table after the line {MARKER}")));
    }
    (table, findings)
}

fn row(text: &str) -> Option<(&str, BTreeSet<&str>)> {
    let mut cells = text.trim().trim_matches('|').split('|').map(str::trim);
    let name = quoted(cells.next()?)?;
    let imports = cells.next()?;
    let allowed = if imports == "nothing" {
        BTreeSet::new()
    } else {
        imports.split(", ").map(quoted).collect::<Option<_>>()?
    };
    Some((name, allowed))
}

/// What stands in backticks.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`').filter(|name| !name.is_empty())
}

/// Checks one crate's imports against its row.
fn member(package: &Package, members: &[&Package], table: &Table<'_>, files: &[File]) -> Vec<Finding> {
    let Package { name, manifest, .. } = package;
    if crate_of(manifest).is_some_and(|folder| folder != name) {
        return vec![Finding::error(
            manifest,
            1,
            RULE,
            format!("name the folder `{name}`: the folder is the crate"),
        )];
    }
    let Some(row) = table.get(name.as_str()) else {
        return vec![Finding::error(manifest, 1, RULE, format!("give `{name}` a row in {DOCUMENT}"))];
    };
    let local = |name: &str| members.iter().any(|member| member.name == name);
    let imports = package.dependencies.iter().filter(|dependency| !dependency.dev && local(&dependency.name));
    let forbidden = imports.filter(|dependency| !row.allowed.contains(dependency.name.as_str()));
    let finding = |import: &str| {
        let instead = format!(
            "`{name}` may not import `{import}` ({DOCUMENT}:{}): siblings meet through API objects",
            row.line
        );
        Finding::error(manifest, line_of_dependency(files, manifest, import), RULE, instead)
    };
    forbidden.map(|dependency| finding(&dependency.name)).collect()
}

/// Where the manifest names a dependency, as far as a search for its line can tell.
fn line_of_dependency(files: &[File], manifest: &str, dependency: &str) -> usize {
    let text = files.iter().find(|file| file.path == manifest).map_or("", |file| &file.text);
    let names =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(names).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests;
