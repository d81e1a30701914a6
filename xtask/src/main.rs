//! Development tasks: code generation and tidy.

mod codegen;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["codegen"] => codegen::run(false),
        ["codegen", "--check"] => codegen::run(true),
        _ => Err(anyhow::anyhow!("usage: xtask codegen [--check]")),
    };
    report(outcome)
}

#[expect(clippy::print_stderr, reason = "a development tool speaks to its terminal")]
fn report(outcome: anyhow::Result<String>) -> ExitCode {
    match outcome {
        Ok(message) => {
            eprintln!("{message}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
