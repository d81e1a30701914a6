//! What a rule reports: where, which rule, and what to do instead.

use std::fmt;

/// Errors fail the run; warnings are signals for the reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Warning,
    Error,
}

/// One breach of a rule. Sorts warnings first, so that errors stand at the end of the output.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) rule: &'static str,
    pub(super) instead: String,
}

impl Finding {
    /// A breach that fails the run.
    pub(super) fn error(path: &str, line: usize, rule: &'static str, instead: impl Into<String>) -> Self {
        Self { level: Level::Error, path: path.to_owned(), line, rule, instead: instead.into() }
    }

    /// A signal that does not.
    pub(super) fn warning(path: &str, line: usize, rule: &'static str, instead: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(path, line, rule, instead) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, path, line, rule, instead } = self;
        let level = if *level == Level::Warning { "warning: " } else { "" };
        write!(f, "{path}:{line}: {level}{rule}: {instead}")
    }
}
