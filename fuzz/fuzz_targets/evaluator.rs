//! Any document is evaluated within its limits, as a document and as a schema.

#![no_main]

use aml::{Document, Inputs, Limits};
use std::time::Instant;

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
            let printed = outcome.value.pretty();
            // JSON is AML: what was printed evaluates to itself.
            let again = Document::parse_text("again", &printed, &Limits { nesting: 8_000, ..limits.clone() })
                .expect("output is a document");
            if let Ok(again) = again.evaluate(&Inputs::default(), &limits, &clock) {
                assert_eq!(again.value.pretty(), printed);
            }
        }
        Err(problem) => assert!(!problem.render().is_empty()),
    }
    let _ = document.arguments(&limits, &clock);
    let _ = document.describe_schema(&limits, &clock);
});
