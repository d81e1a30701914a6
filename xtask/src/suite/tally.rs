//! Counts tests in the lines that `cargo test` prints. Pure: lines in, counts out.
//!
//! ```text
//!      Running unittests src/lib.rs (target/debug/deps/store-0f3c)   -> a binary named `store`
//! test engine::loses_nothing ... FAILED                              -> its failed test
//! test result: FAILED. 41 passed; 1 failed; 0 ignored; …             -> its counts
//! ```
//! A binary that never prints its result (a crash, an abort) counts as one failure. The last result
//! holds: the output of failed tests, which comes before it, may look like one. Doc tests can come as
//! several runs under one heading; each run after the first counts as a binary of its own.
//! Skipped tests appear to libtest as passed; the skip log takes them back out.

use std::collections::BTreeMap;

/// What one test binary, or the doc tests of one crate, reported.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Binary {
    pub(super) name: String,
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) failures: Vec<String>,
    /// As libtest prints it, such as `0.12s`.
    pub(super) took: String,
    finished: bool,
}

/// The counts of a whole run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) binaries: Vec<Binary>,
    /// Test, by its path from the crate, to reason: from the skip log, or marked `#[ignore = "…"]`.
    pub(super) skips: BTreeMap<String, String>,
    logged_skips: usize,
}

impl Tally {
    /// Takes in the next line of output.
    pub(super) fn line(&mut self, line: &str) {
        if let Some(name) = self.begun(line) {
            self.binaries.push(Binary { name, ..Binary::default() });
        }
        let Some(binary) = self.binaries.last_mut() else { return };
        if let Some(result) = line.strip_prefix("test result: ") {
            binary.result(result);
        } else if let Some((test, "FAILED")) = outcome(line) {
            binary.failures.push(test.to_owned());
        } else if let Some((test, reason)) = ignored(line) {
            self.skips.insert(format!("{}::{test}", binary.name), reason.to_owned());
        }
    }

    /// The binary that begins with this line.
    fn begun(&self, line: &str) -> Option<String> {
        let again = self.binaries.last().filter(|binary| binary.finished && line.starts_with("running "));
        binary_name(line).or_else(|| again.map(|binary| binary.name.clone()))
    }

    /// Ends the run with the content of the skip log.
    pub(super) fn finish(&mut self, skip_log: &str) {
        for binary in self.binaries.iter_mut().filter(|binary| !binary.finished) {
            binary.failed += 1;
            binary.failures.push("the test program ended without a result".to_owned());
        }
        let lines = skip_log.lines().filter_map(|line| line.strip_prefix("CORACLE-SKIP: "));
        for (test, reason) in lines.map(|skip| skip.split_once(": ").unwrap_or((skip, "no reason given"))) {
            if self.skips.insert(test.to_owned(), reason.to_owned()).is_none() {
                self.logged_skips += 1;
            }
        }
    }

    /// Tests that ran to their end and succeeded.
    pub(super) fn passed(&self) -> usize {
        self.binaries.iter().map(|binary| binary.passed).sum::<usize>().saturating_sub(self.logged_skips)
    }

    /// Tests that failed, and binaries that crashed.
    pub(super) fn failed(&self) -> usize {
        self.binaries.iter().map(|binary| binary.failed).sum()
    }
}

impl Binary {
    fn result(&mut self, result: &str) {
        self.passed = count(result, "passed");
        self.failed = count(result, "failed");
        self.took = result.rsplit_once("finished in ").map_or(String::new(), |(_, took)| took.to_owned());
        self.finished = true;
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> usize {
    let words: Vec<&str> = result.split([' ', ';', '.']).filter(|part| !part.is_empty()).collect();
    let found = words.windows(2).find(|pair| pair[1] == word);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// The crate that a `Running` or `Doc-tests` line announces.
fn binary_name(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (doc)"));
    }
    let (_, path) = line.strip_prefix("Running ")?.rsplit_once(" (")?;
    let file = path.strip_suffix(')')?.rsplit('/').next()?;
    Some(file.rsplit_once('-').map_or(file, |(name, _hash)| name).to_owned())
}

/// The test and its outcome in `test NAME ... OUTCOME`.
fn outcome(line: &str) -> Option<(&str, &str)> {
    let (test, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    Some((test, outcome.trim_end()))
}

/// The test and the reason in `test NAME ... ignored, REASON`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (test, outcome) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some((test, outcome.strip_prefix(", ").unwrap_or("ignored without a reason")))
}

#[cfg(test)]
mod tests;
