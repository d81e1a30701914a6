//! Reads messages and their field numbers from Rust source that `prost-build` wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A field of a message.
#[derive(Debug)]
pub(super) struct ProtoField {
    /// See [`plain`].
    pub(super) name: String,
    pub(super) number: u32,
    /// The message of a field that is one message (neither repeated nor a map).
    pub(super) message: Option<String>,
}

/// Messages by package and plain name, e.g. `io.k8s.api.core.v1.podspec`.
pub(super) type Messages = BTreeMap<String, Vec<ProtoField>>;

/// The letters and digits of a name in lower case: what is left when case conventions are undone.
pub(super) fn plain(name: &str) -> String {
    name.trim_start_matches("r#")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

/// Reads all messages of a crate's `src` folder, whose folders are the packages below `io.k8s`.
pub(super) fn read(src: &Path) -> Result<Messages> {
    let mut messages = Messages::new();
    walk(src, &mut Vec::new(), &mut messages)?;
    Ok(messages)
}

fn walk(folder: &Path, package: &mut Vec<String>, out: &mut Messages) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name is not UTF-8")?.to_owned();
        if path.is_dir() {
            package.push(name.replace('_', "-"));
            walk(&path, package, out)?;
            package.pop();
        } else if name == "mod.rs" {
            read_module(&fs::read_to_string(&path)?, package, out)
                .with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn read_module(text: &str, package: &[String], out: &mut Messages) -> Result<()> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut fields: Option<&mut Vec<ProtoField>> = None;
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("pub struct ") {
            let name = name.trim_end_matches([' ', '{', '}']);
            fields = Some(out.entry(full_name(package, name)).or_default());
        } else if let Some(attribute) = line.strip_prefix("#[prost(") {
            let mut declaration = String::new();
            while !declaration.ends_with(',')
                || declaration.matches('<').count() != declaration.matches('>').count()
            {
                declaration.push_str(lines.next().context("a field has no end")?);
            }
            let field = field(attribute, &declaration, package)?;
            fields.as_mut().context("a field outside a message")?.push(field);
        }
    }
    Ok(())
}

fn full_name(package: &[String], name: &str) -> String {
    format!("io.k8s.{}.{}", package.join("."), plain(name))
}

fn field(attribute: &str, declaration: &str, package: &[String]) -> Result<ProtoField> {
    let tag = attribute.split("tag = \"").nth(1).and_then(|rest| rest.split('"').next()).context("no tag")?;
    let (name, ty) =
        declaration.trim_start_matches("pub ").split_once(':').context("a field without a type")?;
    let single = attribute.starts_with("message, optional");
    Ok(ProtoField { name: plain(name), number: tag.parse()?, message: single.then(|| resolve(ty, package)) })
}

/// The message that the innermost type argument names, read from inside `package`.
fn resolve(ty: &str, package: &[String]) -> String {
    let path = ty.rsplit('<').next().unwrap_or(ty).trim_end_matches(['>', ',']);
    let mut home = package.to_vec();
    let mut steps: Vec<&str> = path.split("::").collect();
    let name = steps.pop().unwrap_or_default();
    for step in steps {
        match step {
            "super" => drop(home.pop()),
            deeper => home.push(deeper.replace('_', "-")),
        }
    }
    full_name(&home, name)
}
