//! The AML language: lexer, parser, evaluator, schemas, formatter and diagnostics.
