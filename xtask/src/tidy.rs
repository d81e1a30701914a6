//! `xtask tidy`: the rules of this tree that neither rustc nor clippy checks.
//!
//! ```text
//! git ls-files -> File (path, text) ── rules over one file ───┐
//! ARCHITECTURE.md, cargo metadata ──── rules over the tree ───┴─> Finding -> `path:line: rule: what to do`
//! ```
//! Every rule is a pure function from text to findings and has its cases beside it. Rules that must
//! name what they ban keep it in string literals, which the scanner blanks.

use std::path::Path;
use std::{fs, process};

use anyhow::{Context, Result, bail};

use crate::{root, workspace};
use finding::{Finding, Level};
use scan::Source;

mod bans;
mod dependencies;
mod finding;
mod imports;
mod names;
mod scan;
mod sizes;

/// A file of the tree and, if it is Rust, its text with code and comments told apart.
struct File {
    path: String,
    text: String,
    rust: Option<Source>,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let rust = path.ends_with(".rs").then(|| Source::new(path, text));
        Self { path: path.to_owned(), text: text.to_owned(), rust }
    }
}

/// A rule over one file.
type Rule = fn(&File) -> Vec<Finding>;

const RULES: &[Rule] = &[
    bans::unfinished,
    bans::attributes_with_reasons,
    bans::registries,
    bans::unsafe_code,
    names::modules,
    names::crate_doc,
    names::lint_table,
    sizes::review,
];

/// Checks the whole tree; true when no rule is broken. `--sizes` prints function lengths per crate.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let sizes = match args {
        [] => false,
        [flag] if flag == "--sizes" => true,
        _ => bail!("usage: cargo run -p xtask -- tidy [--sizes]"),
    };
    let (files, mut findings) = tree()?;
    findings.extend(files.iter().flat_map(|file| RULES.iter().flat_map(|rule| rule(file))));
    let packages = workspace::load()?;
    findings.extend(imports::check(&files, &packages));
    findings.extend(dependencies::check(&packages, &workspace::built()?));
    findings.extend(names::test_programs(&packages));
    findings.sort();
    if sizes {
        println!("{}", sizes::table(&files));
    }
    Ok(print(&findings))
}

fn print(findings: &[Finding]) -> bool {
    findings.iter().for_each(|finding| println!("{finding}"));
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    println!("tidy: {errors} errors, {} warnings", findings.len() - errors);
    errors == 0
}

/// Every text file that git knows or would add, and the blobs too large to keep.
fn tree() -> Result<(Vec<File>, Vec<Finding>)> {
    let (mut files, mut findings) = (Vec::new(), Vec::new());
    for path in paths()? {
        // A file removed from the folder but not yet from the index is nobody's fault.
        let Ok(content) = fs::read(root().join(&path)) else { continue };
        findings.extend(bans::blob(&path, content.len()));
        if let Ok(text) = String::from_utf8(content) {
            files.push(File::new(&path, &text));
        }
    }
    Ok((files, findings))
}

fn paths() -> Result<Vec<String>> {
    let output = process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("cannot run git, which tells tidy what belongs to the tree")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let list = String::from_utf8(output.stdout).context("a file name that is not UTF-8")?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// The crate that a path belongs to: `crates/NAME/…` or `xtask/…`.
fn crate_of(path: &str) -> Option<&str> {
    let mut parts = Path::new(path).iter().filter_map(|part| part.to_str());
    match parts.next()? {
        "crates" => parts.next(),
        "xtask" => Some("xtask"),
        _ => None,
    }
}

/// A file for the rules' own cases.
#[cfg(test)]
fn check(rule: Rule, path: &str, text: &str, lines: &[usize]) {
    let findings = rule(&File::new(path, text));
    let found: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(found, lines, "{path}:\n{text}\n{findings:#?}");
}
