//! `aml fmt FILE…`

use super::{Answer, Failure, Style, Surroundings, help};
use crate::document::Document;
use crate::formatter::format;
use crate::source::is_file_map;

pub(super) fn run(
    args: &[String],
    surroundings: &mut Surroundings<'_>,
    style: &mut Style,
) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let mut failure = Failure { diagnostics: Vec::new(), exit_code: 1 };
    let mut flags = true;
    for arg in args {
        match arg.as_str() {
            "--" if flags => flags = false,
            "--plain" if flags => *style = Style::Plain,
            "--json-errors" if flags => *style = Style::Json,
            "--help" | "-h" if flags => return Ok(help()),
            name if flags && name.len() > 1 && name.starts_with('-') => {
                return Err(Failure::usage(format!("unknown flag: {name}"), None));
            }
            name => match file(name, surroundings) {
                Ok(text) => answer.stdout.push_str(&text),
                Err(one) => failure.diagnostics.extend(one.diagnostics),
            },
        }
    }
    if failure.diagnostics.is_empty() { Ok(answer) } else { Err(failure) }
}

/// Formats one file in place; gives the text for standard output, if any.
fn file(name: &str, surroundings: &mut Surroundings<'_>) -> Result<String, Failure> {
    let read = if name == "-" { surroundings.files.stdin() } else { surroundings.files.read(name) };
    let text = read.map_err(|error| Failure::file(format!("reading {name}: {error}")))?;
    if is_file_map(&text) {
        return Err(Failure::file(format!(
            "formatting {name}: a file map holds several files; format them one by one"
        )));
    }
    let shown = if name == "-" { "<stdin>" } else { name };
    let formatted = format(&Document::parse_text(shown, &text, surroundings.limits)?);
    if name == "-" {
        return Ok(formatted);
    }
    if formatted != text {
        let written = surroundings.files.write(name, &formatted);
        written.map_err(|error| Failure::file(format!("writing file {name}: {error}")))?;
    }
    Ok(String::new())
}
