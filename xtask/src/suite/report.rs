//! The summary at the end of `xtask test`.

use std::fmt;

use super::tally::{Binary, Tally};
use super::{Outcome, Phase};

/// All that a run of the suite found. Its `Display` ends with the line `N passed, M failed, K skipped`.
pub(super) struct Report {
    pub(super) phases: Vec<Phase>,
    pub(super) tally: Tally,
    /// A skip is a failure.
    pub(super) ci: bool,
}

impl Report {
    /// True when the suite may be called green.
    pub(super) fn passed(&self) -> bool {
        self.failed() == 0 && (!self.ci || self.tally.skips.is_empty())
    }

    /// Failed tests, plus one for each failed phase that has no failed test to show for it.
    fn failed(&self) -> usize {
        let failed = self.phases.iter().filter(|phase| matches!(phase.outcome, Outcome::Failed(_)));
        let tests = self.tally.failed();
        tests + failed.filter(|phase| phase.name != "tests" || tests == 0).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ran:")?;
        self.tally.binaries.iter().filter(|binary| binary.counts()).try_for_each(|binary| ran(binary, f))?;
        let failures = self.tally.binaries.iter().flat_map(|b| b.failures.iter().map(|test| (&b.name, test)));
        section(f, "failed", failures)?;
        section(f, "skipped", &self.tally.skips)?;
        writeln!(f, "phases:")?;
        self.phases.iter().try_for_each(|phase| timed(phase, f))?;
        if self.ci && !self.tally.skips.is_empty() {
            writeln!(f, "CORACLE_CI=1: a skipped test is a failure")?;
        }
        let (passed, failed, skipped) = (self.tally.passed(), self.failed(), self.tally.skips.len());
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Binary {
    /// Crates without doc tests would fill the summary with zeros.
    fn counts(&self) -> bool {
        self.passed + self.failed > 0
    }
}

fn ran(binary: &Binary, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Binary { name, passed, failed, took, .. } = binary;
    writeln!(f, "  {name:20} {passed:>5} passed {failed:>4} failed  {took:>8}")
}

/// A titled list, left out when it is empty.
fn section<'a>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    lines: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> fmt::Result {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        writeln!(f, "{title}:")?;
    }
    lines.try_for_each(|(what, detail)| writeln!(f, "  {what}: {detail}"))
}

fn timed(phase: &Phase, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (name, seconds) = (phase.name, phase.took.as_secs_f64());
    match &phase.outcome {
        Outcome::Passed => writeln!(f, "  {name:8} {seconds:>7.1} s  passed"),
        Outcome::Failed(how) => writeln!(f, "  {name:8} {seconds:>7.1} s  FAILED: {how}"),
        Outcome::NotRun(why) => writeln!(f, "  {name:8} {:>7}    not run: {why}", "-"),
    }
}

#[cfg(test)]
mod tests;
