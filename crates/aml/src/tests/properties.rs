//! What holds for any input: nothing panics, limits hold, formatting changes nothing.

use crate::formatter::format;
use crate::{Document, Inputs, Limits, Source, is_file_map, split_file_map};
use proptest::prelude::*;
use std::time::Duration;

/// Limits small enough for many runs.
fn limits() -> Limits {
    Limits { steps: 50_000, memory_bytes: 16 << 20, output_bytes: 1 << 20, ..Limits::default() }
}

/// Everything that can be asked of a text; also what the fuzz targets ask.
fn ask_everything(text: &str) {
    let limits = limits();
    let document = match Document::parse_text("t", text, &limits) {
        Ok(document) => document,
        Err(found) => {
            assert!(found.iter().all(|d| !d.render().is_empty() && !d.plain_line().is_empty()));
            return;
        }
    };
    let clock = || Duration::ZERO;
    match document.evaluate(&Inputs::default(), &limits, &clock) {
        Ok(outcome) => assert!(outcome.usage.memory_bytes <= limits.memory_bytes),
        Err(found) => {
            assert!(!found.render().is_empty());
            assert!(found.to_json().is_object());
        }
    }
    let _ = document.arguments(&limits, &clock);
    let _ = document.describe_schema(&limits, &clock);
    formatting_changes_nothing(&document, text);
}

fn formatting_changes_nothing(document: &Document, text: &str) {
    let once = format(document);
    let again = match Document::parse_text("f", &once, &limits()) {
        Ok(again) => again,
        Err(found) => {
            panic!("formatted text does not parse: {}\n--- text\n{text}\n--- formatted\n{once}", found[0])
        }
    };
    assert_eq!(again.body(), document.body(), "formatting changed the tree of\n{text}\n---\n{once}");
    assert_eq!(format(&again), once, "formatting twice changed\n{text}");
    assert_eq!(comments(text), comments(&once), "formatting lost a comment of\n{text}\n---\n{once}");
}

fn comments(text: &str) -> usize {
    crate::tokens::lex(text, 1)
        .map_or(0, |t| t.iter().filter(|t| t.kind == crate::tokens::Kind::Comment).count())
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1".to_owned()),
        Just("1.5e3".to_owned()),
        Just("2Ki".to_owned()),
        Just("\"s\"".to_owned()),
        Just("\"a\\(b)c\"".to_owned()),
        Just("`r`".to_owned()),
        Just("\"\"\"\n\tx\n\t\"\"\"".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("string".to_owned()),
        Just("int".to_owned()),
        Just("args.x".to_owned()),
        "[a-d]",
    ]
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 48, 4, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "&&", "||", "==", "!=", "<", ">=", "=~"]);
        let gap = prop::sample::select(vec!["", " ", "\n", "\n\n\t// c\n", " // d\n"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
            inner.clone().prop_map(|e| format!("({e})")),
            inner.clone().prop_map(|e| format!("!{e}")),
            inner.clone().prop_map(|e| format!("-{e}")),
            (prop::collection::vec(inner.clone(), 0..3), gap.clone())
                .prop_map(|(items, gap)| format!("[{gap}{}]", items.join(&format!(",{gap}")))),
            (prop::collection::vec(("[a-d]", inner.clone()), 0..3), gap.clone()).prop_map(|(fields, gap)| {
                let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{gap}{}}}", fields.join(&format!(",{gap}")))
            }),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| format!("if {c} {{ {a} }} else {{ {b} }}")),
            (inner.clone(), inner.clone()).prop_map(|(c, a)| format!("[for i, b in {c} {{ {a} }}]")),
            (inner.clone(), inner.clone()).prop_map(|(c, a)| format!("for b in {c} {{ \"k\\(b)\": {a} }}")),
            inner.clone().prop_map(|e| format!("define {{ a: {e}, b?: string, match \"x\": int }}")),
            inner.clone().prop_map(|e| format!("default {e}")),
            inner.clone().prop_map(|e| format!("(lambda a, b: {e})(1, 2)")),
            inner.clone().prop_map(|e| format!("function int {{args: a: 1\nreturn: {e}}}")),
            (inner.clone(), "[a-d]").prop_map(|(e, k)| format!("{e}.{k}")),
            (inner.clone(), inner.clone()).prop_map(|(e, i)| format!("{e}[{i}]")),
            (inner.clone(), inner).prop_map(|(e, i)| format!("std.merge({e}, right: {i})")),
        ]
    })
}

fn document() -> impl Strategy<Value = String> {
    let decl = (prop::sample::select(vec!["", "let ", "define "]), "[a-d]", expression(), any::<bool>())
        .prop_map(
            |(word, key, value, embed)| {
                if embed && word.is_empty() { value } else { format!("{word}{key}: {value}") }
            },
        );
    let end = prop::sample::select(vec!["\n", "\n\n", " // t\n", "\n// l\n", "\n\n// b\n\n"]);
    prop::collection::vec((decl, end), 0..6).prop_map(|decls| decls.into_iter().map(|(d, e)| d + e).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_hold_every_promise(text in document()) {
        ask_everything(&text);
    }

    #[test]
    fn token_soup_holds_every_promise(words in prop::collection::vec(prop::sample::select(vec![
        "a", "b", ":", "?", ",", "\n", "{", "}", "[", "]", "(", ")", "+", "-", "||", "&&", "==", "1", "\"x\"", "\"\\(",
        "if", "else", "for", "in", "let", "function", "lambda", "define", "default", "match", "string", "// c\n", ".",
        "skip", "break", "std", "args", "$", "\"\"\"", "`", "null", "true", "enum",
    ]), 0..30)) {
        ask_everything(&words.join(" "));
    }

    #[test]
    fn any_text_holds_every_promise(text in ".{0,60}") {
        ask_everything(&text);
    }

    #[test]
    fn any_file_map_is_split_or_refused(text in "//aml:filemap\n[{}\":a, b]{0,30}") {
        let _ = split_file_map(Source::new("t", text));
    }
}

/// So do whole documents, and inputs that once broke a promise.
#[test]
fn documents_of_the_corpus_hold_every_promise() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        ask_everything(&String::from_utf8_lossy(&text));
        count += 1;
    }
    assert!(count > 5);
}

/// Every source of every case holds every promise too; so do their beginnings.
#[test]
fn the_corpus_holds_every_promise() {
    for file in super::case_files() {
        let case = super::Case::read(&file);
        // Files in a map have no text of their own to format.
        for source in case.sources().iter().filter(|s| !is_file_map(&s.text)) {
            ask_everything(&source.text);
            let middle = source.text.len() / 2;
            if source.text.is_char_boundary(middle) {
                ask_everything(&source.text[..middle]);
            }
        }
    }
}
