//! The logic of `aml eval` and `aml fmt`: arguments and files in, text and an exit
//! code out. Whoever calls it does the printing.
//!
//! Exit codes: 0 is success, 1 a problem in a document or file, 2 a problem in the
//! arguments.

mod eval;
mod flags;
mod fmt;
mod input;

use crate::diagnostics::{Code, Diagnostic, did_you_mean};
use crate::evaluation::Clock;
use crate::files::Files;
use crate::limits::Limits;

/// What the command runs with.
pub struct Surroundings<'s> {
    /// Access to files and standard input.
    pub files: &'s mut dyn Files,
    /// What evaluation may use.
    pub limits: &'s Limits,
    /// Time since any moment.
    pub clock: Clock<'s>,
    /// True when standard error goes to a person's terminal.
    pub terminal: bool,
}

/// What the command wants printed, and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Text for standard output.
    pub stdout: String,
    /// Text for standard error.
    pub stderr: String,
    /// The exit code.
    pub exit_code: u8,
}

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Style {
    /// With the source line and a marker.
    #[default]
    Rendered,
    /// The original tool's one line.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Why a command failed.
struct Failure {
    diagnostics: Vec<Diagnostic>,
    exit_code: u8,
}

impl Failure {
    fn usage(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { diagnostics: vec![Diagnostic::new(Code::Usage, message).with_hint(hint)], exit_code: 2 }
    }

    fn file(message: impl Into<String>) -> Self {
        Diagnostic::new(Code::File, message).into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], exit_code: 1 }
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        (*diagnostic).into()
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, exit_code: 1 }
    }
}

const HELP: &str = "Usage:
  aml eval [flags] FILE [argument flags] [QUERY…]
  aml fmt FILE…

eval prints the value of FILE as JSON. FILE may be a directory of .aml, .acorn and
Acornfile files, a .yaml file, or - for standard input. Flags after FILE are the
arguments the file declares (see: aml eval FILE --help), --profile, and
--arg NAME=VALUE. A value of @FILE is read from a file, @{…} is AML. With a QUERY,
its value is printed instead.

fmt rewrites files in the one style; - formats standard input to standard output.

Flags:
      --args-file string     Default arguments to pass (default \".args.acorn\")
      --print-args           Evaluate the file and print args description
      --print-schema         Evaluate the file as schema and print schema description
      --schema-file string   Validate result against schema file
      --plain                Print each problem on one line
      --json-errors          Print problems as JSON, one object per line
";

/// Runs `aml ARGS`. `args` are the words after `aml`.
#[must_use]
pub fn run(args: &[String], surroundings: &mut Surroundings<'_>) -> Answer {
    let mut style = if surroundings.terminal { Style::Rendered } else { Style::Plain };
    let result = dispatch(args, surroundings, &mut style);
    result.unwrap_or_else(|failure| Answer {
        stdout: String::new(),
        stderr: failure.diagnostics.iter().map(|d| show(d, style)).collect(),
        exit_code: failure.exit_code,
    })
}

fn dispatch(
    args: &[String],
    surroundings: &mut Surroundings<'_>,
    style: &mut Style,
) -> Result<Answer, Failure> {
    match args.first().map(String::as_str) {
        Some("eval") => eval::run(&args[1..], surroundings, style),
        Some("fmt") => fmt::run(&args[1..], surroundings, style),
        None | Some("help" | "--help" | "-h") => Ok(help()),
        Some(other) => {
            let hint = did_you_mean(other, ["eval", "fmt", "help"]);
            Err(Failure::usage(format!("unknown command \"{other}\" for \"aml\""), hint))
        }
    }
}

fn help() -> Answer {
    Answer { stdout: HELP.to_owned(), ..Answer::default() }
}

fn show(diagnostic: &Diagnostic, style: Style) -> String {
    match style {
        Style::Rendered => diagnostic.render(),
        Style::Plain => format!("{}\n", diagnostic.plain_line()),
        Style::Json => format!("{}\n", diagnostic.to_json()),
    }
}

#[cfg(test)]
mod tests;
