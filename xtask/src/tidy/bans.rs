//! What may not stand in the tree, each with what to do instead.

use super::finding::Finding;
use super::scan::{attributes, line_of, words};
use super::{File, crate_of};

/// A word banned from code or from comments.
struct Ban {
    word: &'static str,
    layer: Layer,
    instead: &'static str,
}

enum Layer {
    Code,
    Comment,
}

const BANS: &[Ban] = &[
    Ban {
        word: "todo!",
        layer: Layer::Code,
        instead: "finish it, or answer with an error that names what is missing",
    },
    Ban {
        word: "unimplemented!",
        layer: Layer::Code,
        instead: "answer with an error that names what is missing",
    },
    Ban { word: "dbg!", layer: Layer::Code, instead: "use `tracing`, or a test that shows the value" },
    Ban { word: "FIXME", layer: Layer::Comment, instead: "mend it now, or open an issue" },
    Ban { word: "XXX", layer: Layer::Comment, instead: "mend it now, or open an issue" },
];

/// Words that mark unfinished work.
pub(super) fn unfinished(file: &File) -> Vec<Finding> {
    BANS.iter().flat_map(|ban| banned(file, ban)).collect()
}

fn banned(file: &File, ban: &Ban) -> Vec<Finding> {
    let text = match (&file.rust, &ban.layer) {
        (Some(source), Layer::Code) => &source.code,
        (Some(source), Layer::Comment) => &source.comments,
        (None, Layer::Comment) if is_script(&file.path) => &file.text,
        (None, _) => return Vec::new(),
    };
    let finding = |at| {
        Finding::error(
            &file.path,
            line_of(text, at),
            "unfinished",
            format!("`{}`: {}", ban.word, ban.instead),
        )
    };
    words(text, ban.word).map(finding).collect()
}

/// Prose may name the words; what is executed may not hold them.
fn is_script(path: &str) -> bool {
    ["scripts/", ".ci/", "Makefile"].iter().any(|start| path.starts_with(start)) || path.ends_with(".toml")
}

/// Attributes that hide something without saying why.
pub(super) fn attributes_with_reasons(file: &File) -> Vec<Finding> {
    let Some(source) = &file.rust else { return Vec::new() };
    let findings = attributes(&source.code).filter_map(|(at, attribute)| {
        let (rule, instead) = unexplained(attribute)?;
        Some(Finding::error(&file.path, line_of(&source.code, at), rule, instead))
    });
    findings.collect()
}

fn unexplained(attribute: &str) -> Option<(&'static str, &'static str)> {
    let holds = |word| words(attribute, word).next().is_some();
    if attribute.trim() == "ignore" {
        return Some((
            "ignore",
            "say why: `#[ignore = \"…\"]`; a test that lacks something on this machine is a skip",
        ));
    }
    if holds("allow") && holds("dead_code") {
        return Some(("dead-code", "remove the code; it is in git"));
    }
    if holds("unwrap_used") && !holds("reason") {
        return Some(("unwrap", "name the invariant: `expect(\"…\")`, or `reason = \"…\"` in the attribute"));
    }
    None
}

/// Hosts of package registries and of proxies for them, in pieces so that this file does not hold them.
const REGISTRIES: &[[&str; 2]] = &[
    ["crates", ".io"],
    ["rsproxy", ".cn"],
    ["registry.npmjs", ".org"],
    ["registry.yarnpkg", ".com"],
    ["npmmirror", ".com"],
    ["pypi", ".org"],
    ["pythonhosted", ".org"],
    ["rubygems", ".org"],
    ["proxy.golang", ".org"],
    ["sum.golang", ".org"],
    ["goproxy", ".cn"],
    ["goproxy", ".io"],
    ["repo.maven", ".apache.org"],
    ["deb.debian", ".org"],
    ["snapshot.debian", ".org"],
    ["archive.ubuntu", ".com"],
];

/// Where packages come from is the machine's configuration, not the tree's.
pub(super) fn registries(file: &File) -> Vec<Finding> {
    const INSTEAD: &str = "leave the source of packages to the machine's own configuration";
    // Cargo writes the lock file, and names its registry there.
    if file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let hosts = REGISTRIES.iter().map(|pieces| pieces.concat());
    let named = hosts.flat_map(|host| words(&file.text, &host).collect::<Vec<_>>());
    let replaced = words(&file.text, "replace-with").filter(|_| file.path.contains(".cargo/config"));
    let finding = |at| Finding::error(&file.path, line_of(&file.text, at), "registry", INSTEAD);
    named.chain(replaced).map(finding).collect()
}

/// `unsafe` lives in one crate, behind its traits.
pub(super) fn unsafe_code(file: &File) -> Vec<Finding> {
    let Some(source) = &file.rust else { return Vec::new() };
    if crate_of(&file.path) == Some("container") {
        return Vec::new();
    }
    let instead =
        "only crates/container may hold `unsafe`: use a safe crate such as rustix, or a trait of container's";
    let finding = |at| Finding::error(&file.path, line_of(&source.code, at), "unsafe", instead);
    words(&source.code, "unsafe").map(finding).collect()
}

/// The largest file that git may hold, in bytes.
const BLOB_BYTES_MAX: usize = 1 << 20;

/// Every clone carries every blob for ever.
pub(super) fn blob(path: &str, bytes: usize) -> Option<Finding> {
    let instead = || format!("{bytes} bytes: over {BLOB_BYTES_MAX}; generate it, or keep its source");
    (bytes > BLOB_BYTES_MAX).then(|| Finding::error(path, 1, "blob", instead()))
}

#[cfg(test)]
mod tests;
