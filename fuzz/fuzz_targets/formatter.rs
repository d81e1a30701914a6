//! Formatting keeps the tree, and formatting twice changes nothing.

#![no_main]

use aml::{Document, Limits, formatter, is_file_map};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let limits = Limits::default();
    let Ok(document) = Document::parse_text("fuzz", text, &limits) else { return };
    if is_file_map(text) {
        return;
    }
    let once = formatter::format(&document);
    let again = Document::parse_text("again", &once, &limits).expect("formatted text parses");
    assert_eq!(again.body(), document.body(), "the tree changed:\n{once}");
    assert_eq!(formatter::format(&again), once, "formatting twice changed:\n{once}");
});
