use std::time::Duration;

use super::*;

fn phase(name: &'static str, outcome: Outcome) -> Phase {
    Phase { name, outcome, took: Duration::from_millis(1500) }
}

fn report(phases: Vec<Phase>, tests: &str, skip_log: &str, ci: bool) -> Report {
    let mut tally = Tally::default();
    tally.line("     Running unittests src/lib.rs (target/debug/deps/store-0f3c)");
    tests.lines().for_each(|line| tally.line(line));
    tally.finish(skip_log);
    Report { phases, tally, ci }
}

fn check(report: &Report, passed: bool, last: &str) {
    let text = report.to_string();
    assert_eq!(text.lines().last(), Some(last), "{text}");
    assert_eq!(report.passed(), passed, "{text}");
}

const OK: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; finished in 0.12s";
const BAD: &str =
    "test a::b ... FAILED\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; finished in 0.12s";
const SKIP: &str = "CORACLE-SKIP: pods::exec: needs root\n";

#[test]
fn the_last_line_counts_everything() {
    let fine = || phase("format", Outcome::Passed);
    let bad = |name| phase(name, Outcome::Failed("mend it".to_owned()));
    check(&report(vec![fine()], OK, "", false), true, "3 passed, 0 failed, 0 skipped");
    check(&report(vec![fine(), bad("tidy")], OK, "", false), false, "3 passed, 1 failed, 0 skipped");
    check(&report(vec![fine(), bad("tests")], BAD, "", false), false, "2 passed, 1 failed, 0 skipped");
    check(&report(vec![bad("tests")], OK, "", false), false, "3 passed, 1 failed, 0 skipped");
    let not_run = || phase("deny", Outcome::NotRun("cargo-deny is not installed".to_owned()));
    check(&report(vec![not_run()], OK, "", true), true, "3 passed, 0 failed, 0 skipped");
}

#[test]
fn a_skip_fails_ci_only() {
    check(&report(vec![], OK, SKIP, false), true, "2 passed, 0 failed, 1 skipped");
    check(&report(vec![], OK, SKIP, true), false, "2 passed, 0 failed, 1 skipped");
}

#[test]
fn says_what_failed_and_why_it_was_skipped() {
    let text =
        report(vec![phase("tests", Outcome::Failed("see above".to_owned()))], BAD, SKIP, true).to_string();
    for line in ["  store: a::b", "  pods::exec: needs root", "  tests        1.5 s  FAILED: see above"] {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
    }
}
