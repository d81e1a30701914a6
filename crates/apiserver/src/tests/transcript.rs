//! Scripts in `testdata/transcripts`: what is sent, and what must come back.
//!
//! ```text
//! # a comment
//! > METHOD URI [header: value ...]
//! > body                              (optional, may span lines)
//! < CODE
//! <~ CODE                             (instead: sent again until it is answered so)
//! < JSON that the answer must contain  (an object matches if each of its fields does)
//! <= JSON that the answer must equal
//! ```
//! `$name` in a URI or body is replaced by what `<$name /json/pointer` read from the answer before.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{read, send, server};

#[derive(Default)]
struct Step {
    line: usize,
    request: String,
    body: String,
    code: u16,
    /// Whether the answer may take a while to become that.
    eventually: bool,
    contains: String,
    equals: String,
    captures: Vec<(String, String)>,
}

fn parse(script: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut answered = true;
    for (index, line) in script.lines().enumerate() {
        if let Some(text) = line.strip_prefix("> ") {
            if answered {
                steps.push(Step { line: index + 1, request: text.into(), ..Step::default() });
            } else {
                steps.last_mut().unwrap().body.push_str(text);
            }
            answered = false;
            continue;
        }
        let Some(step) = steps.last_mut() else { continue };
        if let Some(capture) = line.strip_prefix("<$") {
            let (name, pointer) = capture.split_once(' ').unwrap();
            step.captures.push((format!("${name}"), pointer.into()));
        } else if let Some(text) = line.strip_prefix("<= ") {
            step.equals.push_str(text);
        } else if let Some(text) = line.strip_prefix("<~ ") {
            (step.code, step.eventually, answered) = (text.parse().unwrap(), true, true);
        } else if let Some(text) = line.strip_prefix("< ") {
            match text.parse() {
                Ok(code) if step.code == 0 => step.code = code,
                _ => step.contains.push_str(text),
            }
            answered = true;
        }
    }
    steps
}

fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected.iter().all(|(key, value)| {
            // An expected null says that the field must be absent.
            actual.get(key).map_or(value.is_null(), |found| contains(found, value))
        }),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| contains(a, e))
        }
        _ => actual == expected,
    }
}

fn fill(text: &str, known: &BTreeMap<String, String>) -> String {
    known.iter().rev().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

async fn check(path: &Path) {
    let server = server().await;
    let mut known = BTreeMap::new();
    for step in parse(&fs::read_to_string(path).unwrap()) {
        let place = format!("{}:{}: {}", path.display(), step.line, step.request);
        let request = fill(&step.request, &known);
        let mut words = request.splitn(3, ' ');
        let (method, uri) = (words.next().unwrap(), words.next().unwrap());
        let mut headers: Vec<(&str, &str)> = words
            .next()
            .into_iter()
            .flat_map(|all| all.split(" | "))
            .filter_map(|h| h.split_once(": "))
            .collect();
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        let body = fill(&step.body, &known);
        let deadline = Instant::now() + Duration::from_secs(20);
        let (code, answer) = loop {
            let (code, answer) = read(send(&server, method, uri, &headers, &body).await).await;
            if code == step.code || !step.eventually || Instant::now() > deadline {
                break (code, answer);
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(code, step.code, "{place}\n{answer:#}");
        if !step.contains.is_empty() {
            let expected: Value = serde_json::from_str(&fill(&step.contains, &known)).expect(&place);
            assert!(contains(&answer, &expected), "{place}\nexpected {expected:#}\nfound {answer:#}");
        }
        if !step.equals.is_empty() {
            let expected: Value = serde_json::from_str(&fill(&step.equals, &known)).expect(&place);
            assert_eq!(answer, expected, "{place}");
        }
        for (name, pointer) in step.captures {
            let value =
                answer.pointer(&pointer).unwrap_or_else(|| panic!("{place}: no {pointer} in {answer:#}"));
            known.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
}

#[tokio::test]
async fn transcripts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/transcripts");
    let mut scripts: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for script in scripts {
        check(&script).await;
    }
}
