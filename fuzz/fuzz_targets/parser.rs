//! Any text is parsed or refused, and every problem can be shown.

#![no_main]

use aml::{Document, Limits};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = Document::parse_text("fuzz", text, &Limits::default()) {
        for problem in problems {
            assert!(!problem.render().is_empty() && !problem.plain_line().is_empty());
            assert!(problem.to_json().is_object());
        }
    }
});
