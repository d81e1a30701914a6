//! Flags made of a document's arguments and profiles.

use super::{Failure, Surroundings, input};
use crate::diagnostics::did_you_mean;
use crate::document::{ArgKind, Argument, Arguments, Document};
use crate::printing::Json;
use crate::tokens::{Kind, lex};
use std::fmt::Write as _;

/// The flags a document has.
pub(super) struct Flags<'a> {
    file: &'a str,
    arguments: &'a Arguments,
}

/// What was given with flags.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) args: Vec<(String, Json)>,
    pub(super) profiles: Vec<String>,
    pub(super) queries: Vec<String>,
}

impl<'a> Flags<'a> {
    pub(super) fn new(file: &'a str, arguments: &'a Arguments) -> Self {
        Self { file, arguments }
    }

    /// Reads the words after FILE; `None` means that help was asked for.
    pub(super) fn parse(
        &self,
        words: &[String],
        surroundings: &mut Surroundings<'_>,
    ) -> Result<Option<Given>, Failure> {
        let mut given = Given::default();
        let mut index = 0;
        while let Some(word) = words.get(index) {
            index += 1;
            if word == "--" {
                given.queries.extend_from_slice(&words[index..]);
                break;
            }
            let Some(flag) = word.strip_prefix("--") else {
                match word.as_str() {
                    "-h" => return Ok(None),
                    flag if flag.len() > 1 && flag.starts_with('-') => {
                        return Err(Failure::usage(format!("unknown shorthand flag: {flag}"), None));
                    }
                    query => given.queries.push(query.to_owned()),
                }
                continue;
            };
            let (name, attached) =
                flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
            if name == "help" && self.argument(name).is_none() {
                return Ok(None);
            }
            let takes_word =
                attached.is_none() && self.argument(name).is_none_or(|a| a.kind != ArgKind::Bool);
            let value =
                match (attached, takes_word) {
                    (Some(value), _) => Some(value),
                    (None, false) => None,
                    (None, true) => {
                        self.known(name)?;
                        let next = words.get(index).cloned();
                        index += 1;
                        Some(next.ok_or_else(|| {
                            Failure::usage(format!("flag needs an argument: --{name}"), None)
                        })?)
                    }
                };
            self.set(&mut given, name, value.as_deref(), surroundings)?;
        }
        Ok(Some(given))
    }

    fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments.args.iter().find(|a| a.name == name && a.name != "profile")
    }

    fn known(&self, name: &str) -> Result<(), Failure> {
        if matches!(name, "profile" | "arg") || self.argument(name).is_some() {
            return Ok(());
        }
        let names = self.arguments.args.iter().map(|a| a.name.as_str()).chain(["profile", "arg"]);
        let hint = did_you_mean(name, names).or_else(|| {
            let own = ["plain", "json-errors", "print-args", "print-schema", "schema-file", "args-file"];
            own.contains(&name).then(|| format!("--{name} goes before FILE"))
        });
        Err(Failure::usage(format!("unknown flag: --{name}"), hint))
    }

    fn set(
        &self,
        given: &mut Given,
        name: &str,
        value: Option<&str>,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        self.known(name)?;
        let text = value.unwrap_or("true");
        match self.argument(name) {
            None if name == "profile" => given.profiles.extend(comma_separated(text)),
            None => self.set_by_name(given, text, surroundings)?,
            Some(argument) => self.set_argument(given, argument, text, surroundings)?,
        }
        Ok(())
    }

    /// `--arg NAME=VALUE`
    fn set_by_name(
        &self,
        given: &mut Given,
        text: &str,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::usage(
                format!("invalid argument \"{text}\" for --arg"),
                Some("write NAME=VALUE".into()),
            ));
        };
        match self.argument(name) {
            Some(argument) => self.set_argument(given, argument, value, surroundings),
            None => {
                let value = parse_value(value, ArgKind::Other, surroundings)?;
                put(given, name, value);
                Ok(())
            }
        }
    }

    fn set_argument(
        &self,
        given: &mut Given,
        argument: &Argument,
        text: &str,
        surroundings: &mut Surroundings<'_>,
    ) -> Result<(), Failure> {
        let name = &argument.name;
        match argument.kind {
            ArgKind::Bool => {
                let value = parse_bool(text).ok_or_else(|| {
                    let hint = Some("write true or false".to_owned());
                    Failure::usage(format!("invalid argument \"{text}\" for \"--{name}\" flag"), hint)
                })?;
                put(given, name, Json::Bool(value));
            }
            ArgKind::List => {
                let mut items = match given.args.iter().position(|(known, _)| known == name) {
                    Some(at) => match given.args.remove(at).1 {
                        Json::Array(items) => items,
                        _ => Vec::new(),
                    },
                    None => Vec::new(),
                };
                for item in comma_separated(text) {
                    items.push(parse_value(&item, argument.item, surroundings)?);
                }
                put(given, name, Json::Array(items));
            }
            kind => {
                let value = parse_value(text, kind, surroundings)?;
                put(given, name, value);
            }
        }
        Ok(())
    }

    /// The help of the file: each flag with its description.
    pub(super) fn usage(&self) -> String {
        let names: Vec<String> = self.arguments.profiles.iter().map(profile_text).collect();
        let mut rows = vec![(
            "profile".to_owned(),
            "strings".to_owned(),
            format!("Available profiles ({})", names.join(", ")),
        )];
        for argument in self.arguments.args.iter().filter(|a| a.name != "profile") {
            let kind = match argument.kind {
                ArgKind::Bool => "",
                ArgKind::List => "strings",
                _ => "string",
            };
            rows.push((argument.name.clone(), kind.to_owned(), argument.description.clone()));
        }
        rows.sort();
        let heads: Vec<String> = rows
            .iter()
            .map(|(name, kind, _)| format!("      --{name} {kind}").trim_end().to_owned())
            .collect();
        let widest = heads.iter().map(String::len).max().unwrap_or(0);
        let mut out = format!("Usage of {}:\n", self.file);
        for (head, (_, _, description)) in heads.iter().zip(&rows) {
            let description = description.replace('\n', &format!("\n{}", " ".repeat(widest + 3)));
            let line = format!("{head:widest$}   {description}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }
}

fn profile_text(profile: &crate::document::Profile) -> String {
    if profile.description.is_empty() {
        profile.name.clone()
    } else {
        format!("{}: {}", profile.name, profile.description)
    }
}

fn put(given: &mut Given, name: &str, value: Json) {
    given.args.retain(|(known, _)| known != name);
    given.args.push((name.to_owned(), value));
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// One line of comma-separated values, where `"…"` may hold commas.
fn comma_separated(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut out = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let last = out.last_mut().expect("starts with one value");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                last.push('"');
            }
            '"' if quoted || last.is_empty() => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => last.push(c),
        }
    }
    out
}

/// A value as it stands on the command line: text, a number, `@FILE` or `@{…}`.
fn parse_value(text: &str, kind: ArgKind, surroundings: &mut Surroundings<'_>) -> Result<Json, Failure> {
    let Some(reference) = text.strip_prefix('@') else {
        return match kind {
            ArgKind::Number => number(text),
            _ => Ok(Json::String(text.to_owned())),
        };
    };
    if kind == ArgKind::String {
        let read = surroundings.files.read(reference);
        return read.map(Json::String).map_err(|error| Failure::file(format!("open {reference}: {error}")));
    }
    let document = if reference.starts_with('{') {
        Document::parse_text("<inline>", reference, surroundings.limits)?
    } else {
        input::document(reference, surroundings)?
    };
    input::value(&document, surroundings)
}

/// A number as the language writes it, with a sign in front if need be.
fn number(text: &str) -> Result<Json, Failure> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = lex(digits, 1).is_ok_and(|tokens| {
        tokens.first().is_some_and(|t| t.kind == Kind::Number && t.text.len() == digits.len())
    });
    if is_number {
        return Ok(Json::Number(text.to_owned()));
    }
    Err(Failure::usage(
        format!("invalid number \"{text}\""),
        Some("write a number such as 80, 1.5 or 512Mi".into()),
    ))
}
