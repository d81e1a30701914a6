//! What one evaluation may use. Everything an author can make grow has a limit.

use std::time::Duration;

/// Limits of parsing and evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep a source may nest brackets and operators.
    pub nesting: usize,
    /// How deep evaluation may recurse, counted in steps that need a result first.
    pub depth: usize,
    /// How deep objects and lists may nest in a value.
    pub value_depth: usize,
    /// How deep one function may call itself.
    pub call_depth: u32,
    /// How deep scopes may nest.
    pub scope_depth: u32,
    /// How often one struct may be looked at again because its own keys changed.
    pub rounds: u32,
    /// How many evaluation steps may be taken.
    pub steps: u64,
    /// Bytes of memory an evaluation may hold, estimated from what it allocates.
    pub memory_bytes: usize,
    /// Bytes of output.
    pub output_bytes: usize,
    /// Time by the given clock.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nesting: 2_000,
            depth: 4_000,
            value_depth: 500,
            call_depth: 100,
            scope_depth: 100,
            rounds: 100,
            steps: 100_000_000,
            memory_bytes: 256 << 20,
            output_bytes: 64 << 20,
            time: Duration::from_secs(10),
        }
    }
}

/// What an evaluation used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Evaluation steps taken.
    pub steps: u64,
    /// Highest estimate of memory held, in bytes.
    pub memory_bytes: usize,
}

/// Runs `body` with room on the stack, whatever depth the caller is at.
///
/// Depth is bounded by [`Limits`]; how many bytes a level needs depends on the
/// build, so the stack grows instead of the limit being a guess.
pub(crate) fn with_stack<T>(body: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 << 10, 4 << 20, body)
}
