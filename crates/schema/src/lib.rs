//! Schema facts of built-in and custom kinds, and everything that is decided from them alone.
