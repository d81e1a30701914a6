//! `xtask test`: every check and every test, then one summary of what ran and what did not.
//!
//! ```text
//! format, clippy, tidy, deny ── Outcome ──┐
//! cargo test ── lines ── Tally ───────────┼── Report ── exit code
//! tests ── CORACLE_SKIP_LOG ── skips ─────┘
//! ```
//! A failed phase never stops a later one: one run shows all there is to mend.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use anyhow::{Context, Result};

use crate::{cargo, tidy};
use report::Report;
use tally::Tally;

mod report;
mod tally;

/// How a phase ended.
#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    /// The tool is not installed; says which.
    NotRun(String),
}

/// One step of the suite.
#[derive(Debug)]
struct Phase {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs the suite; true when everything passed and, under `CORACLE_CI=1`, nothing was skipped.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    anyhow::ensure!(
        args.is_empty(),
        "`xtask test` takes no arguments; for one test use `cargo test -p CRATE NAME`"
    );
    let ci = env::var_os("CORACLE_CI").is_some_and(|value| value == "1");
    let mut tally = Tally::default();
    let phases = vec![
        phase("format", || check(&["fmt", "--all", "--check"], "run `make fmt`")),
        phase("clippy", || {
            check(
                &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
                "mend what clippy names",
            )
        }),
        phase("tidy", || Ok(passed_if(tidy::run(&[])?, "mend what tidy names"))),
        phase("deny", deny),
        phase("tests", || tests(&mut tally)),
    ];
    let report = Report { phases, tally, ci };
    println!("\n{report}");
    Ok(report.passed())
}

fn phase(name: &'static str, run: impl FnOnce() -> Result<Outcome>) -> Phase {
    println!("== {name}");
    let start = Instant::now();
    let outcome = run().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    Phase { name, outcome, took: start.elapsed() }
}

fn passed_if(passed: bool, otherwise: &str) -> Outcome {
    if passed { Outcome::Passed } else { Outcome::Failed(otherwise.to_owned()) }
}

fn check(args: &[&str], otherwise: &str) -> Result<Outcome> {
    let status = cargo().args(args).status().with_context(|| format!("cannot run cargo {}", args[0]))?;
    Ok(passed_if(status.success(), otherwise))
}

/// Licences and bans, where `cargo-deny` is installed; tidy checks the ones that matter most anyway.
fn deny() -> Result<Outcome> {
    let installed = cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        return Ok(Outcome::NotRun("cargo-deny is not installed".to_owned()));
    }
    check(
        &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"],
        "mend what cargo deny names",
    )
}

fn tests(tally: &mut Tally) -> Result<Outcome> {
    let log = SkipLog::create()?;
    let succeeded = stream_tests(&log.0, tally)?;
    tally.finish(&log.take()?);
    Ok(match (tally.failed(), succeeded) {
        (0, true) => Outcome::Passed,
        (0, false) => Outcome::Failed("cargo test itself failed: see its output above".to_owned()),
        (_, _) => Outcome::Failed("see `failed` above".to_owned()),
    })
}

/// Runs `cargo test` with its lines both shown and counted; answers whether it succeeded.
/// Both streams share one pipe: results (stdout) must stay under the `Running` line (stderr) they belong to.
fn stream_tests(skip_log: &Path, tally: &mut Tally) -> Result<bool> {
    let (reader, writer) = io::pipe()?;
    let mut child = cargo()
        .args(["test", "--workspace", "--no-fail-fast", "--color", "never"])
        .env("CORACLE_SKIP_LOG", skip_log)
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .context("cannot run cargo test")?;
    let mut out = io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        tally.line(&String::from_utf8_lossy(&line));
    }
    Ok(child.wait()?.success())
}

/// The file to which tests append the lines `CORACLE-SKIP: TEST: REASON` (see CONTRIBUTING.md).
/// It is removed when this value is dropped.
struct SkipLog(PathBuf);

impl SkipLog {
    fn create() -> Result<Self> {
        let path = env::temp_dir().join(format!("coracle-skips-{}", process::id()));
        fs::write(&path, "").with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    fn take(self) -> Result<String> {
        fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))
    }
}

impl Drop for SkipLog {
    fn drop(&mut self) {
        // A file left behind in the temporary folder harms nobody, and there is nobody to tell.
        let _ = fs::remove_file(&self.0);
    }
}
