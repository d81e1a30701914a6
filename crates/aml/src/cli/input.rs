//! Reading documents: files, directories, YAML, standard input.

use super::{Failure, Surroundings};
use crate::document::Document;
use crate::files::{FileError, Files};
use crate::printing::Json;
use crate::source::Source;
use crate::stdlib::parse_yaml;

/// Reads a document by its name on the command line.
pub(super) fn document(name: &str, surroundings: &mut Surroundings<'_>) -> Result<Document, Failure> {
    let sources = sources(name, surroundings.files)?;
    Ok(Document::parse(sources, surroundings.limits)?)
}

fn sources(name: &str, files: &mut dyn Files) -> Result<Vec<Source>, Failure> {
    let failed = |error: FileError| Failure::file(format!("open {name}: {error}"));
    if name == "-" {
        return Ok(vec![Source::new("<stdin>", files.stdin().map_err(failed)?)]);
    }
    if let Some(names) = files.list(name).map_err(failed)? {
        return directory(name, names, files);
    }
    let text = files.read(name).map_err(failed)?;
    if is_yaml(name) {
        let json = parse_yaml(&text).map_err(|why| Failure::file(format!("{name}: {why}")))?;
        return Ok(vec![Source::new(name, json.compact())]);
    }
    Ok(vec![Source::new(name, text)])
}

/// The AML files of a directory, by name.
fn directory(name: &str, mut names: Vec<String>, files: &dyn Files) -> Result<Vec<Source>, Failure> {
    names.retain(|file| is_aml(file));
    names.sort();
    let mut sources = Vec::new();
    for file in names {
        let path = format!("{}/{file}", name.trim_end_matches('/'));
        let text = files.read(&path).map_err(|error| Failure::file(format!("open {path}: {error}")))?;
        sources.push(Source::new(path, text));
    }
    Ok(sources)
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

fn is_aml(name: &str) -> bool {
    name == "Acornfile" || matches!(extension(name).as_str(), "aml" | "acorn")
}

fn is_yaml(name: &str) -> bool {
    matches!(extension(name).as_str(), "yaml" | "yml")
}

/// The value of a document on its own.
pub(super) fn value(document: &Document, surroundings: &Surroundings<'_>) -> Result<Json, Failure> {
    let outcome = document.evaluate(&Default::default(), surroundings.limits, surroundings.clock)?;
    Ok(outcome.value)
}
