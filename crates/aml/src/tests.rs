//! The language, case by case: every file under `testdata/cases` goes through
//! [`check`]. What holds for any input is in `properties`.

mod limits;
mod properties;

use super::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A case: named sections of text, each after a line `-- name --`.
struct Case {
    path: PathBuf,
    sections: BTreeMap<String, String>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut sections = BTreeMap::new();
        let mut name = "about".to_owned();
        for line in text.split_inclusive('\n') {
            let marker = line.trim_end().strip_prefix("-- ").and_then(|l| l.strip_suffix(" --"));
            match marker {
                Some(next) => {
                    name = next.to_owned();
                    sections.entry(name.clone()).or_default();
                }
                None => sections.entry(name.clone()).or_insert_with(String::new).push_str(line),
            }
        }
        Self { path: path.to_owned(), sections }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.sections.get(name).map(|text| text.strip_suffix('\n').unwrap_or(text))
    }

    fn sources(&self) -> Vec<Source> {
        let files = self.sections.iter().filter_map(|(name, text)| Some((name.strip_prefix("file ")?, text)));
        let mut sources: Vec<Source> = files.map(|(name, text)| Source::new(name, text.as_str())).collect();
        sources.extend(self.sections.get("source").map(|text| Source::new("case", text.as_str())));
        sources
    }

    fn args(&self) -> Vec<(String, Json)> {
        let value: serde_json::Value = serde_json::from_str(self.get("args").unwrap_or("{}")).unwrap();
        match Json::from(&value) {
            Json::Object(entries) => entries,
            _ => panic!("args must be an object"),
        }
    }

    fn words(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or_default().split_whitespace().map(String::from).collect()
    }

    fn evaluate(&self) -> Result<(Json, Vec<String>), Box<Diagnostic>> {
        let limits = Limits::default();
        let parse = |sources| {
            Document::parse(sources, &limits).map_err(|mut d: Vec<Diagnostic>| Box::new(d.remove(0)))
        };
        let document = parse(self.sources())?;
        let schema = match self.get("schema") {
            Some(text) => Some(parse(vec![Source::new("schema", text)])?),
            None => None,
        };
        let (args, profiles) = (self.args(), self.words("profiles"));
        let inputs = Inputs { args: &args, profiles: &profiles, schema: schema.as_ref(), globals: None };
        let outcome = document.evaluate(&inputs, &limits, &|| Duration::ZERO)?;
        Ok((outcome.value, outcome.debug))
    }
}

/// Checks everything a case expects; gives what differs.
fn check(case: &Case) -> Result<(), String> {
    let differs = |what: &str, expected: &str, found: &str| {
        if expected == found {
            Ok(())
        } else {
            Err(format!("{what}\n  expected: {expected}\n  found:    {found}"))
        }
    };
    let mut checks = 0;
    if let Some(expected) = case.get("format") {
        let document = Document::parse(case.sources(), &Limits::default()).map_err(|d| d[0].plain_line())?;
        differs("format", expected, formatter::format(&document).trim_end_matches('\n'))?;
        checks += 1;
    }
    let wants_value = ["json", "part", "pretty", "debug"].iter().any(|name| case.get(name).is_some());
    let wants_error =
        ["error", "message", "hint", "rendered", "contains"].iter().any(|name| case.get(name).is_some());
    if wants_value || wants_error {
        match (case.evaluate(), wants_value) {
            (Ok((value, debug)), true) => {
                case.get("json").map_or(Ok(()), |e| differs("json", e, &value.compact()))?;
                case.get("part").map_or(Ok(()), |part| match value.compact() {
                    found if found.contains(part) => Ok(()),
                    found => differs("part", part, &found),
                })?;
                case.get("pretty").map_or(Ok(()), |e| differs("pretty", e, &value.pretty()))?;
                case.get("debug").map_or(Ok(()), |e| differs("debug", e, &debug.join("\n")))?;
            }
            (Err(diagnostic), false) => check_error(case, &diagnostic)?,
            (Ok((value, _)), false) => return Err(format!("expected an error, found {}", value.compact())),
            (Err(diagnostic), true) => {
                return Err(format!("expected a value, found {}", diagnostic.plain_line()));
            }
        }
        checks += 1;
    }
    if checks == 0 { Err("the case expects nothing".into()) } else { Ok(()) }
}

fn check_error(case: &Case, diagnostic: &Diagnostic) -> Result<(), String> {
    let found = [
        ("error", diagnostic.plain_line()),
        ("message", diagnostic.message.clone()),
        ("hint", diagnostic.hint.clone().unwrap_or_default()),
        ("rendered", diagnostic.render().trim_end().to_owned()),
    ];
    for (name, found) in found {
        if let Some(expected) = case.get(name).filter(|e| *e != found) {
            return Err(format!("{name}\n  expected: {expected}\n  found:    {found}"));
        }
    }
    match case.get("contains") {
        Some(part) if !diagnostic.plain_line().contains(part) => {
            Err(format!("error\n  expected part: {part}\n  found:         {}", diagnostic.plain_line()))
        }
        _ => Ok(()),
    }
}

fn case_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    let mut files = Vec::new();
    for feature in std::fs::read_dir(root).unwrap() {
        let entries = std::fs::read_dir(feature.unwrap().path()).unwrap();
        files.extend(
            entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "aml-case")),
        );
    }
    files.sort();
    files
}

#[test]
fn cases_hold() {
    let files = case_files();
    assert!(files.len() >= 250, "only {} cases", files.len());
    let mut failures = Vec::new();
    for file in &files {
        let case = Case::read(file);
        if let Err(why) = check(&case) {
            let name = case.path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&case.path);
            failures.push(format!("{}: {why}", name.display()));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}
