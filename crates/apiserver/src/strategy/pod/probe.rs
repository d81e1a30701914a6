//! What must be right about probes and lifecycle hooks.

use crate::strategy::field::{Faults, Field};
use crate::strategy::format;

/// Finds what is wrong with a liveness or startup probe.
pub(crate) fn check(probe: &Field<'_>, grace: Option<i64>, faults: &mut Faults) {
    if !probe.is_set() {
        return;
    }
    check_common(probe, grace, faults);
    let successes = probe.at("successThreshold");
    if successes.number() != Some(1) {
        faults.invalid(&successes, successes.number().unwrap_or(0), "must be 1");
    }
}

/// Finds what is wrong with a readiness probe.
pub(crate) fn check_readiness(probe: &Field<'_>, grace: Option<i64>, faults: &mut Faults) {
    if !probe.is_set() {
        return;
    }
    check_common(probe, grace, faults);
    let own_grace = probe.at("terminationGracePeriodSeconds");
    if own_grace.is_set() {
        faults.wrong(&own_grace, "must not be set for readinessProbes");
    }
}

fn check_common(probe: &Field<'_>, grace: Option<i64>, faults: &mut Faults) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], grace, faults);
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        faults.nonnegative(&probe.at(field));
    }
    let own_grace = probe.at("terminationGracePeriodSeconds");
    if own_grace.number().is_some_and(|seconds| seconds <= 0) {
        faults.wrong(&own_grace, "must be greater than 0");
    }
}

/// Finds what is wrong with lifecycle hooks.
pub(crate) fn check_lifecycle(lifecycle: &Field<'_>, grace: Option<i64>, faults: &mut Faults) {
    for hook in ["postStart", "preStop"] {
        let hook = lifecycle.at(hook);
        if hook.is_set() {
            handler(&hook, &["exec", "httpGet", "tcpSocket", "sleep"], grace, faults);
        }
    }
    if lifecycle.has("stopSignal") {
        stop_signal(&lifecycle.at("stopSignal"), faults);
    }
}

fn stop_signal(signal: &Field<'_>, faults: &mut Faults) {
    let known = signal.text().strip_prefix("SIG").is_some_and(|name| {
        let rt = name.strip_prefix("RTM");
        let plain = [
            "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
            "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
            "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
        ];
        plain.contains(&name) || rt.is_some_and(|rest| rest.starts_with("IN") || rest.starts_with("AX"))
    });
    if !known {
        faults.wrong_text(signal, "must be a valid signal");
    }
}

fn handler(at: &Field<'_>, kinds: &[&str], grace: Option<i64>, faults: &mut Faults) {
    let mut handlers = 0;
    for kind in kinds {
        let handler = at.at(kind);
        if !handler.is_set() {
            continue;
        }
        if handlers > 0 {
            faults.forbidden(&handler, "may not specify more than 1 handler type");
            continue;
        }
        handlers += 1;
        match *kind {
            "exec" if handler.at("command").is_empty() => faults.required(&handler.at("command"), ""),
            "httpGet" => http_get(&handler, faults),
            "tcpSocket" => port(&handler.at("port"), faults),
            "grpc" => faults.each_number(&handler.at("port"), format::port_number(handler.number_at("port"))),
            "sleep" => sleep(&handler, grace, faults),
            _ => {}
        }
    }
    if handlers == 0 {
        faults.required(at, "must specify a handler type");
    }
}

fn http_get(get: &Field<'_>, faults: &mut Faults) {
    if get.text_at("path").is_empty() {
        faults.required(&get.at("path"), "");
    }
    port(&get.at("port"), faults);
    if !matches!(get.text_at("scheme"), "HTTP" | "HTTPS") {
        faults.unsupported(&get.at("scheme"), &["HTTP", "HTTPS"]);
    }
    let headers = get.at("httpHeaders");
    for header in headers.items() {
        let name = header.text_at("name");
        faults.each(&headers, name, format::http_header(name));
    }
}

/// Finds what is wrong with a port that is a number or a name.
pub(crate) fn port(port: &Field<'_>, faults: &mut Faults) {
    if port.value().is_string() {
        faults.each(port, port.text(), format::port_name(port.text()));
    } else {
        faults.each_number(port, format::port_number(port.number().unwrap_or(0)));
    }
}

fn sleep(sleep: &Field<'_>, grace: Option<i64>, faults: &mut Faults) {
    let seconds = sleep.number_at("seconds");
    if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        faults.invalid(sleep, seconds, detail);
    }
}
