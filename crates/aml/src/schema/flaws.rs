//! Why a value does not fit a schema: the whole list for the original's sentence,
//! the one option that came closest for people.

use crate::diagnostics::{Code, Fault, FaultBox};
use crate::evaluation::Machine;
use crate::schema::DataPath;
use crate::source::Span;
use crate::value::{Kind, PathId};

#[derive(Clone, Debug)]
pub(crate) enum Flaw {
    /// Not a flaw of the value: evaluation itself failed.
    Fault(FaultBox),
    Kind {
        expected: Kind,
        found: Kind,
    },
    Constraint {
        plain: String,
        better: String,
        wanted: Option<String>,
    },
    /// Says only that one of the alternates must fit.
    Alternate,
    Unknown {
        key: String,
        data: String,
        schema: PathId,
        suggestion: Option<String>,
        known: Vec<String>,
        reach: usize,
        span: Span,
    },
    Missing {
        keys: Vec<String>,
        data: String,
        schema: PathId,
        reach: usize,
    },
    /// A flaw of the value of a key.
    Key {
        key: String,
        data: String,
        schema: PathId,
        inner: Box<Flaw>,
        reach: usize,
        spans: KeySpans,
    },
    /// A schema with what is wrong with itself and with each of its alternates.
    Unmatched {
        span: Span,
        flaws: Vec<Flaw>,
        alternates: Vec<Flaw>,
    },
    /// No schema of a list fits the element.
    Joined {
        index: usize,
        data: String,
        flaws: Vec<Flaw>,
    },
}

/// Where a key and its value are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeySpans {
    pub(crate) key: Span,
    pub(crate) value: Span,
}

/// Messages of nested flaws end here.
const LONGEST: usize = 1000;

impl Flaw {
    pub(super) fn kind(expected: Kind, found: Kind) -> Self {
        Self::Kind { expected, found }
    }

    /// A comparison that makes no sense is a flaw; a limit or an undefined value is not.
    pub(super) fn of_operation(fault: FaultBox) -> Result<Self, Self> {
        if fault.code == Code::Limit || fault.is_undefined() {
            return Err(Self::Fault(fault));
        }
        let better = fault.better.clone().unwrap_or_else(|| fault.plain.clone());
        Ok(Self::Constraint { plain: fault.plain, better, wanted: None })
    }

    /// Lets faults through that no alternate can make good.
    pub(super) fn unless_fault(self) -> Result<Self, Self> {
        if let Self::Fault(_) = self { Err(self) } else { Ok(self) }
    }

    pub(super) fn in_key(
        self,
        key: &str,
        path: &DataPath<'_>,
        schema: PathId,
        reach: usize,
        spans: KeySpans,
    ) -> Self {
        if let Self::Fault(_) = self {
            return self;
        }
        Self::Key { key: key.to_owned(), data: path.text(), schema, inner: Box::new(self), reach, spans }
    }

    pub(crate) fn into_fault(self, machine: &Machine<'_>) -> FaultBox {
        if let Self::Fault(fault) = self {
            return fault;
        }
        let mut fault = Fault::new(Code::Schema, self.plain(machine));
        fault.better = Some(self.better());
        fault.hint = self.hint();
        fault.focus = Some(self.focus()).filter(|s| s.is_some());
        let mut spans = Vec::new();
        self.spans(&mut spans);
        spans.reverse();
        fault.trace = spans;
        fault
    }

    /// Positions of the schemas along the first path down.
    fn spans(&self, out: &mut Vec<Span>) {
        match self {
            Self::Key { inner, .. } => inner.spans(out),
            Self::Joined { flaws, .. } => {
                if let Some(first) = flaws.first() {
                    first.spans(out);
                }
            }
            Self::Unmatched { span, flaws, alternates } => {
                if span.is_some() {
                    out.push(*span);
                }
                if let Some(first) = flaws.iter().chain(alternates).next() {
                    first.spans(out);
                }
            }
            _ => {}
        }
    }

    /// The flaw along the first path down, which the original's message follows.
    fn first_inner(&self) -> Option<&Flaw> {
        match self {
            Self::Joined { flaws, .. } => flaws.first(),
            Self::Unmatched { flaws, alternates, .. } => flaws.iter().chain(alternates).next(),
            _ => None,
        }
    }

    /// The original's sentence.
    fn plain(&self, machine: &Machine<'_>) -> String {
        match self {
            Self::Fault(fault) => fault.plain.clone(),
            Self::Kind { expected, found } => {
                let hint = if *expected == Kind::Schema && *found == Kind::Object {
                    " (Are you missing the \"define\" keyword?)"
                } else {
                    ""
                };
                format!("expected kind {expected} but got kind {found}{hint}")
            }
            Self::Constraint { plain, .. } => plain.clone(),
            Self::Alternate => "must match alternate".into(),
            Self::Unknown { key, data, schema, .. } => {
                format!("unknown field \"{key}\"{}", suffix(machine, data, *schema))
            }
            Self::Missing { keys, data, schema, .. } => {
                let suffix = suffix(machine, data, *schema);
                match &keys[..] {
                    [key] => format!("missing required key \"{key}\"{suffix}"),
                    keys => format!("missing required keys [{}]{suffix}", keys.join(" ")),
                }
            }
            Self::Key { .. } => self.plain_key(machine),
            Self::Unmatched { flaws, alternates, .. } => plain_options(machine, flaws, alternates),
            Self::Joined { flaws, .. } => {
                let lines: Vec<String> = flaws.iter().map(|f| f.plain(machine)).collect();
                lines.join(", ")
            }
        }
    }

    /// `schema violation key a.b: <cause> [path …] [schema path …]`
    fn plain_key(&self, machine: &Machine<'_>) -> String {
        let mut keys = Vec::new();
        let mut last = self;
        let mut next = Some(self);
        while let Some(flaw) = next {
            next = match flaw {
                Self::Key { key, inner, .. } => {
                    keys.push(key.as_str());
                    last = flaw;
                    Some(inner)
                }
                other => other.first_inner(),
            };
        }
        let Self::Key { data, schema, inner, .. } = last else { unreachable!("starts at a key") };
        let cause = inner.plain(machine);
        let mut text =
            format!("schema violation key {}: {cause}{}", keys.join("."), suffix(machine, data, *schema));
        if text.len() > LONGEST {
            let mut end = LONGEST;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        text
    }

    /// The flaw that matters: of several options the one that fits best.
    fn closest(&self) -> &Flaw {
        match self {
            Self::Unmatched { .. } | Self::Joined { .. } => self.step().map_or(self, Flaw::closest),
            other => other,
        }
    }

    /// One level from a schema with options to the option that fits best.
    fn step(&self) -> Option<&Flaw> {
        match self {
            Self::Unmatched { flaws, alternates, .. } => {
                best(flaws.iter().filter(|f| !matches!(f, Self::Alternate)).chain(alternates))
            }
            Self::Joined { flaws, .. } => best(flaws.iter()),
            _ => None,
        }
    }

    /// The list element this flaw of a list's key is about.
    pub(super) fn element(&self) -> Option<usize> {
        match self {
            Self::Joined { index, .. } => Some(*index),
            other => other.step().and_then(Flaw::element),
        }
    }

    /// How far the value got before this flaw.
    fn reach(&self) -> usize {
        match self {
            Self::Fault(_) | Self::Kind { .. } | Self::Alternate => 0,
            Self::Constraint { .. } => 10,
            Self::Unknown { reach, suggestion, .. } => {
                15 + 20 * reach + usize::from(suggestion.is_some()) * 8
            }
            Self::Missing { reach, .. } => 20 + 20 * reach,
            Self::Key { inner, reach, .. } => 20 + 20 * reach + inner.reach(),
            Self::Unmatched { .. } | Self::Joined { .. } => match self.closest() {
                Self::Unmatched { .. } | Self::Joined { .. } => 0,
                closest => closest.reach(),
            },
        }
    }

    /// The sentence for people.
    fn better(&self) -> String {
        let (path, flaw) = self.target();
        let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
        match flaw {
            Self::Unknown { key, .. } => format!("unknown field \"{key}\"{}", within(&path)),
            Self::Missing { keys, .. } => {
                let names: Vec<String> = keys.iter().map(|k| format!("\"{k}\"")).collect();
                let key = if keys.len() == 1 { "key" } else { "keys" };
                format!("missing required {key} {}{}", names.join(", "), within(&path))
            }
            Self::Kind { .. } => format!("{at}{}", self.kinds_wanted(flaw)),
            Self::Constraint { better, .. } => match self.wanted() {
                wanted if wanted.len() > 1 => {
                    let found = better.split(" is not ").next().unwrap_or("value");
                    format!("{at}{found} is none of {}", wanted.join(", "))
                }
                _ => format!("{at}{better}"),
            },
            Self::Fault(fault) => fault.plain.clone(),
            _ => format!("{at}value does not fit its schema"),
        }
    }

    /// The path to the flaw that matters, and that flaw.
    fn target(&self) -> (String, &Flaw) {
        let mut path = String::new();
        let mut flaw = self;
        loop {
            flaw = match flaw {
                Self::Key { data, inner, .. } => {
                    path.clone_from(data);
                    inner
                }
                Self::Joined { data, .. } => {
                    path.clone_from(data);
                    match flaw.step() {
                        Some(next) => next,
                        None => break,
                    }
                }
                other => match other.step() {
                    Some(next) => next,
                    None => break,
                },
            };
        }
        match flaw {
            Self::Unknown { data, key, .. } => {
                path = data.strip_suffix(key.as_str()).unwrap_or(data).trim_end_matches('.').to_owned();
            }
            Self::Missing { data, .. } => path.clone_from(data),
            _ => {}
        }
        (path, flaw)
    }

    /// The place in the data that is wrong.
    fn focus(&self) -> Span {
        let mut around = KeySpans::default();
        let mut flaw = self.closest();
        while let Self::Key { spans, inner, .. } = flaw {
            if spans.key.is_some() || spans.value.is_some() {
                around = *spans;
            }
            flaw = inner.closest();
        }
        match flaw {
            Self::Unknown { span, .. } if span.is_some() => *span,
            Self::Unknown { .. } | Self::Missing { .. } => around.key,
            _ if around.value.is_some() => around.value,
            _ => around.key,
        }
    }

    /// The schema with all its options around the flaw that matters.
    fn options(&self) -> Vec<&Flaw> {
        let mut flaw = self;
        loop {
            flaw = match flaw {
                Self::Key { inner, .. } => inner,
                Self::Unmatched { .. } | Self::Joined { .. } => match flaw.closest() {
                    Self::Key { inner, .. } => inner,
                    _ => break,
                },
                _ => break,
            };
        }
        let mut out = Vec::new();
        leaves(flaw, &mut out);
        out
    }

    fn kinds_wanted(&self, flaw: &Flaw) -> String {
        let Self::Kind { found, .. } = flaw else { return String::new() };
        let mut kinds: Vec<&str> = Vec::new();
        for option in self.options() {
            if let Self::Kind { expected, .. } = option
                && !kinds.contains(&expected.name())
            {
                kinds.push(expected.name());
            }
        }
        format!("expected {}, got {found}", kinds.join(" or "))
    }

    /// The texts that would have been right.
    fn wanted(&self) -> Vec<String> {
        let mut out = Vec::new();
        for option in self.options() {
            if let Self::Constraint { wanted: Some(wanted), .. } = option {
                out.push(format!("\"{wanted}\""));
            }
        }
        out
    }

    fn hint(&self) -> Option<String> {
        match self.target().1 {
            Self::Unknown { suggestion: Some(key), .. } => Some(format!("did you mean \"{key}\"?")),
            Self::Unknown { known, .. } if !known.is_empty() && known.len() <= 20 => {
                Some(format!("known here: {}", known.join(", ")))
            }
            Self::Kind { expected: Kind::Schema, found: Kind::Object } => {
                Some("write `define` before the schema".into())
            }
            Self::Constraint { better, .. } => {
                let found = better.split(" is not ").next()?;
                let wanted = self.wanted();
                let plain: Vec<&str> = wanted.iter().map(|w| w.trim_matches('"')).collect();
                crate::diagnostics::did_you_mean(found, plain)
            }
            _ => None,
        }
    }
}

fn within(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

/// The first of those that got furthest.
fn best<'f>(options: impl Iterator<Item = &'f Flaw>) -> Option<&'f Flaw> {
    let mut best: Option<(usize, &Flaw)> = None;
    for option in options {
        let reach = option.reach();
        if best.is_none_or(|(most, _)| reach > most) {
            best = Some((reach, option));
        }
    }
    best.map(|(_, option)| option)
}

fn leaves<'f>(flaw: &'f Flaw, out: &mut Vec<&'f Flaw>) {
    match flaw {
        Flaw::Unmatched { flaws, alternates, .. } => {
            flaws.iter().chain(alternates).for_each(|f| leaves(f, out));
        }
        Flaw::Joined { flaws, .. } => flaws.iter().for_each(|f| leaves(f, out)),
        leaf => out.push(leaf),
    }
}

fn suffix(machine: &Machine<'_>, data: &str, schema: PathId) -> String {
    let mut out = String::new();
    if !data.is_empty() {
        out.push_str(&format!(" [path {data}]"));
    }
    let schema = machine.path_text(schema);
    if !schema.is_empty() {
        out.push_str(&format!(" [schema path {schema}]"));
    }
    out
}

/// One message, or `option 1: […], option 2: […]`.
fn plain_options(machine: &Machine<'_>, flaws: &[Flaw], alternates: &[Flaw]) -> String {
    let own: Vec<String> =
        flaws.iter().filter(|f| !matches!(f, Flaw::Alternate)).map(|f| f.plain(machine)).collect();
    let mut options: Vec<String> = Vec::new();
    for text in std::iter::once(own.join(", ")).chain(alternates.iter().map(|f| f.plain(machine))) {
        if !text.is_empty() && !options.contains(&text) {
            options.push(text);
        }
    }
    match &options[..] {
        [] => "unspecified error".into(),
        [only] => only.clone(),
        options => {
            let numbered = options.iter().enumerate().map(|(i, o)| format!("option {}: [{o}]", i + 1));
            numbered.collect::<Vec<_>>().join(", ")
        }
    }
}
