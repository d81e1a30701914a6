//! Any document is evaluated within its limits, as a document and as a schema.

#![no_main]

use aml::{Document, Inputs, Limits};
use std::time::Instant;

fn reprint(json: &str, limits: &Limits) -> Option<String> {
    let limits = Limits { nesting: 8_000, ..limits.clone() };
    let document = Document::parse_text("again", json, &limits).expect("output is a document");
    let start = Instant::now();
    let outcome = document.evaluate(&Inputs::default(), &limits, &|| start.elapsed());
    outcome.ok().map(|outcome| outcome.value.pretty())
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let limits = Limits {
        steps: 200_000,
        memory_bytes: 64 << 20,
        output_bytes: 4 << 20,
        ..Limits::default()
    };
    let Ok(document) = Document::parse_text("fuzz", text, &limits) else { return };
    let start = Instant::now();
    let clock = || start.elapsed();
    match document.evaluate(&Inputs::default(), &limits, &clock) {
        Ok(outcome) => {
            assert!(outcome.usage.memory_bytes <= limits.memory_bytes);
            // JSON is AML: what was printed evaluates to itself, but for the order of
            // keys in a schema's JSON, which the first time follows the original.
            let once = reprint(&outcome.value.pretty(), &limits);
            if let Some(once) = once {
                assert_eq!(reprint(&once, &limits), Some(once));
            }
        }
        Err(problem) => assert!(!problem.render().is_empty()),
    }
    let _ = document.arguments(&limits, &clock);
    let _ = document.describe_schema(&limits, &clock);
});
