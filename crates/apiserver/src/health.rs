//! `/healthz`, `/livez`, `/readyz` with a line per check, and `/version`: open to everybody.

use http::{Response, StatusCode};
use serde_json::json;

use crate::request::RequestInfo;
use crate::respond::{self, Body};
use crate::server::Shared;

/// One check: its name, and whether it is well.
struct Check {
    name: &'static str,
    well: bool,
}

/// Whether a path answers without credentials.
pub fn is_public(info: &RequestInfo) -> bool {
    matches!(info.verb, "get" | "head")
        && matches!(endpoint(&info.path).0, "healthz" | "livez" | "readyz" | "version")
}

/// The endpoint and the single check that a path names.
fn endpoint(path: &str) -> (&str, &str) {
    let path = path.trim_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}

/// Answers a public path.
pub(crate) fn answer(shared: &Shared, info: &RequestInfo, query: Option<&str>) -> Response<Body> {
    let (endpoint, single) = endpoint(&info.path);
    if endpoint == "version" {
        return version(shared);
    }
    let mut checks = checks(shared, endpoint);
    if !single.is_empty() {
        checks.retain(|check| check.name == single);
        if checks.is_empty() {
            return respond::text(StatusCode::NOT_FOUND, format!("no check is called {single}\n"));
        }
    }
    let well = checks.iter().all(|check| check.well);
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")));
    let code = if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    if well && !verbose {
        return respond::text(code, "ok");
    }
    respond::text(code, report(&checks, endpoint, well))
}

fn checks(shared: &Shared, endpoint: &str) -> Vec<Check> {
    let mut checks = vec![Check { name: "ping", well: true }];
    if endpoint != "livez" {
        checks.push(Check { name: "watch-cache", well: shared.cache.is_ready() });
        checks.push(Check { name: "poststarthook/crd-informer-synced", well: shared.definitions.is_ready() });
    }
    checks
}

fn report(checks: &[Check], endpoint: &str, well: bool) -> String {
    let line = |check: &Check| {
        if check.well { format!("[+]{} ok\n", check.name) } else { format!("[-]{} failed\n", check.name) }
    };
    let lines: String = checks.iter().map(line).collect();
    let verdict = if well { "passed" } else { "failed" };
    format!("{lines}{endpoint} check {verdict}\n")
}

fn version(shared: &Shared) -> Response<Body> {
    let git = &shared.version.kubernetes;
    let mut numbers = git.trim_start_matches('v').split('.');
    respond::value(&json!({
        "major": numbers.next().unwrap_or_default(),
        "minor": numbers.next().unwrap_or_default(),
        "gitVersion": format!("{git}+{}", shared.version.coracle),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none: this is Rust", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    }))
}

/// The processor as Go names it, which is what clients compare.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
