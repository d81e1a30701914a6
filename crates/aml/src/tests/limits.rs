//! Whatever grows has a limit, and the limit ends in a diagnostic.

use crate::{Code, Diagnostic, Document, Inputs, Limits};
use std::cell::Cell;
use std::time::Duration;

fn run(text: &str, limits: &Limits) -> Result<String, Box<Diagnostic>> {
    let document = Document::parse_text("t", text, limits).map_err(|mut d| Box::new(d.remove(0)))?;
    document.evaluate(&Inputs::default(), limits, &|| Duration::ZERO).map(|o| o.value.compact())
}

#[test]
fn limits_end_in_diagnostics() {
    let small = Limits { steps: 200_000, memory_bytes: 8 << 20, output_bytes: 1 << 20, ..Limits::default() };
    let cases = [
        ("deep brackets", "a: ".to_owned() + &"[".repeat(100_000)),
        ("deep braces", "{".repeat(100_000)),
        ("deep parens", "a: ".to_owned() + &"(".repeat(100_000)),
        ("deep unary", "a: ".to_owned() + &"-".repeat(100_000) + "1"),
        ("long chain", "a: 1".to_owned() + &" + 1".repeat(100_000)),
        ("long selector", "a: b".to_owned() + &".c".repeat(100_000)),
        ("deep else", "if false {}".to_owned() + &" else if false {}".repeat(50_000)),
        ("endless range", "a: std.range(0, 1000000000000)".into()),
        ("recursion", "f: function {args: n: 0\nreturn: f(args.n + 1)}\na: f(0)".into()),
        ("mutual recursion", "f: lambda n: g(n)\ng: lambda n: f(n)\na: f(0)".into()),
        ("nested values", "a: {let l: [for i in std.range(5000) {x: prev}]\nl[4999]}".into()),
        (
            "doubling text",
            "a0: \"x\"\n".to_owned()
                + &(1..40).map(|i| format!("a{i}: a{} + a{}\n", i - 1, i - 1)).collect::<String>(),
        ),
        (
            "doubling objects",
            "a0: {x: 1}\n".to_owned()
                + &(1..40).map(|i| format!("a{i}: {{l: a{}, r: a{}}}\n", i - 1, i - 1)).collect::<String>(),
        ),
        ("nested loops", "a: [for i in std.range(10000) {[for j in std.range(10000) {i}]}]".into()),
        (
            "doubling schemas",
            "define S0: {a: 1}\n".to_owned()
                + &(1..40)
                    .map(|i| format!("define S{i}: {{l: S{}, r: S{}}}\n", i - 1, i - 1))
                    .collect::<String>()
                + "a: S39({})",
        ),
        (
            "doubling unions",
            "define U0: int > 1\n".to_owned()
                + &(1..40).map(|i| format!("define U{i}: U{} || U{}\n", i - 1, i - 1)).collect::<String>()
                + "a: U39(0)",
        ),
        ("many patterns", "a: [for i in std.range(1000) {\"x\" =~ \"\\(i)\"}]".into()),
        (
            "deep scopes",
            (0..200).map(|i| format!("a{i}: {{")).collect::<String>() + "x: nope" + &"}".repeat(200),
        ),
    ];
    for (name, text) in cases {
        let found = run(&text, &small).expect_err(name);
        assert!(
            found.code == Code::Limit || name == "deep scopes" || found.plain.contains("exceeded"),
            "{name}: {found}"
        );
    }
}

#[test]
fn calls_nest_as_deep_as_the_original_allows() {
    let text = |n: usize| {
        format!(
            "f: function {{args: n: 0\nif args.n > 0 {{return: f(args.n - 1) + 1}} else {{return: 0}}}}\na: f({n})"
        )
    };
    assert_eq!(run(&text(99), &Limits::default()).unwrap(), "{\"a\":99}");
    let found = run(&text(100), &Limits::default()).unwrap_err();
    assert!(found.plain.contains("exceeded max call depth 101 > 100"), "{found}");
}

#[test]
fn long_chains_of_references_are_followed() {
    let forward: String = (0..500).map(|i| format!("a{i}: a{}\n", i + 1)).collect();
    let value = run(&(forward + "a500: 1"), &Limits::default()).unwrap();
    assert!(value.starts_with("{\"a0\":1,"), "{value}");
}

#[test]
fn the_clock_ends_evaluation() {
    let limits = Limits::default();
    let document = Document::parse_text("t", "a: [for i in std.range(100000) {i}]", &limits).unwrap();
    let calls = Cell::new(0);
    let clock = || {
        calls.set(calls.get() + 1);
        Duration::from_secs(calls.get() * 6)
    };
    let found = document.evaluate(&Inputs::default(), &limits, &clock).unwrap_err();
    assert_eq!((found.code, found.plain.as_str()), (Code::Limit, "evaluation takes longer than 10s"));
}

/// Work and memory grow with the document, not faster.
#[test]
fn ten_times_the_document_takes_ten_times_the_work() {
    let usage = |count: usize| {
        let text: String = (0..count)
            .map(|i| {
                format!(
                    "containers: web{i}: {{\n base\n env: {{A: \"\\({i} + 1)\", if args.dev {{B: \"x\"}}}}\n \
                     files: {{for f in [1, 2] {{\"/\\(f)\": std.toUpper(\"x\")}}}}\n scale: args.scale\n}}\n"
                )
            })
            .collect();
        let text = format!("args: {{scale: 1, dev: true}}\nlet base: {{image: \"x\"}}\n{text}");
        let limits = Limits::default();
        let document = Document::parse_text("t", &text, &limits).unwrap();
        document.evaluate(&Inputs::default(), &limits, &|| Duration::ZERO).unwrap().usage
    };
    let (small, large) = (usage(60), usage(600));
    assert!(large.steps <= small.steps * 11, "{small:?} {large:?}");
    assert!(large.memory_bytes <= small.memory_bytes * 11, "{small:?} {large:?}");
}
