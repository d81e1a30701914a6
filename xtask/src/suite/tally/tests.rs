use super::*;

fn tally(lines: &str, skip_log: &str) -> Tally {
    let mut tally = Tally::default();
    lines.lines().for_each(|line| tally.line(line));
    tally.finish(skip_log);
    tally
}

fn check(lines: &str, skip_log: &str, expected: (usize, usize, usize)) {
    let tally = tally(lines, skip_log);
    let counts = (tally.passed(), tally.failed(), tally.skips.len());
    assert_eq!(counts, expected, "passed, failed, skipped of\n{lines}\n{skip_log}");
}

const STORE: &str = "     Running unittests src/lib.rs (target/debug/deps/store-0f3c)";
const OK: &str =
    "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.12s";

#[test]
fn counts_results() {
    check("", "", (0, 0, 0));
    check(OK, "", (0, 0, 0));
    check(&format!("{STORE}\n{OK}"), "", (3, 0, 0));
    check(&format!("{STORE}\n{OK}\n   Doc-tests store\n{OK}"), "", (6, 0, 0));
    check(&format!("   Doc-tests store\nrunning 3 tests\n{OK}\nrunning 3 tests\n{OK}"), "", (6, 0, 0));
    check(
        &format!("{STORE}\nrunning 4 tests\ntest result: ok. 99 passed; 7 failed; 0 ignored\n{OK}"),
        "",
        (3, 0, 0),
    );
    let failed = "test a::b ... FAILED\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured";
    check(&format!("{STORE}\n{failed}\n{STORE}\n{OK}"), "", (4, 2, 0));
}

#[test]
fn a_binary_without_a_result_failed() {
    check(&format!("{STORE}\ntest a ... ok\n{STORE}\n{OK}"), "", (3, 1, 0));
}

#[test]
fn skips_are_not_passes() {
    let lines = format!("{STORE}\n{OK}");
    check(&lines, "CORACLE-SKIP: pods::exec: needs root\n", (2, 0, 1));
    check(&lines, "CORACLE-SKIP: a: needs root\nCORACLE-SKIP: a: needs root\nnoise\n", (2, 0, 1));
    let ignored = format!("{STORE}\ntest slow ... ignored, takes an hour\n{OK}");
    check(&ignored, "", (3, 0, 1));
    assert_eq!(tally(&ignored, "").skips["store::slow"], "takes an hour");
    assert_eq!(
        tally(&lines, "CORACLE-SKIP: a::b: no nft: install nftables").skips["a::b"],
        "no nft: install nftables"
    );
}

#[test]
fn names_what_failed_and_where() {
    let lines =
        format!("{STORE}\ntest a::b - should panic ... FAILED\ntest result: FAILED. 0 passed; 1 failed;");
    let binaries = tally(&lines, "").binaries;
    assert_eq!(
        (binaries[0].name.as_str(), binaries[0].failures[0].as_str()),
        ("store", "a::b - should panic")
    );
    let doc = binary_name("   Doc-tests api");
    let hyphen = binary_name("     Running tests/up.rs (/t/debug/deps/up_down-1a-2b)");
    assert_eq!((doc.as_deref(), hyphen.as_deref()), (Some("api (doc)"), Some("up_down-1a")));
}
