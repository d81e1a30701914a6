//! The `coracle` binary: flags, configuration, the order of services, signals, and the CLI verbs.
//!
//! The only crate with `anyhow`, environment variables and exit codes; it knows every other crate.
#![expect(clippy::print_stderr, reason = "errors go to the terminal here and nowhere else")]

use std::process::ExitCode;

mod bootstrap;
mod cli;
mod components;
mod hollow;
mod kubeconfig;
mod language;
mod lifecycle;
mod listener;
mod notify;
mod pki;
mod ports;
mod server;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// `error:` with the chain of causes, then each `hint:` on a line of its own.
fn report(error: &anyhow::Error) {
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let (message, hints): (Vec<_>, Vec<_>) = text.lines().partition(|line| !line.starts_with("hint:"));
    eprintln!("error: {}", message.join("\n"));
    for hint in hints {
        eprintln!("{hint}");
    }
}
