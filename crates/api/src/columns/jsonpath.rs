//! The part of JSONPath that printer columns use.
//!
//! ```text
//!   .spec.replicas   .metadata.labels['app.io/x']   .a\.b   .list[0]   .list[-1]   .list[1:3]   .list[*]   .map.*
//!   .status.conditions[?(@.type=="Ready")].status
//! ```

use std::cmp::Ordering;

use serde_json::Value;

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// A path cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// It does not begin with a dot or bracket.
    #[error("a path begins with '.' or '[', not with {0:?}")]
    Start(String),
    /// A bracket or quote is not closed.
    #[error("{0:?} is not closed")]
    Open(String),
    /// What stands in brackets is none of the things that may.
    #[error("cannot read {0:?} in brackets")]
    Bracket(String),
    /// Two dots, or a dot at the end.
    #[error("a name is missing after '.'")]
    NoName,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// Counted from the end if negative.
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    All,
    Filter(Filter),
}

/// Items for which a value below them compares with a literal, or exists.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    path: JsonPath,
    test: Option<(Comparison, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer operators come first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl JsonPath {
    /// Compiles a path; surrounding braces, as kubectl writes them, are allowed.
    ///
    /// # Errors
    /// It uses what is not in the subset above.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self { steps })
    }

    /// Every value at the path, in the order of the document.
    pub fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        self.steps
            .iter()
            .fold(vec![root], |found, step| found.into_iter().flat_map(|v| step.apply(v)).collect())
    }
}

fn step(text: &str) -> Result<(Step, &str), JsonPathError> {
    if let Some(rest) = text.strip_prefix('[') {
        return bracket(rest);
    }
    let rest = text.strip_prefix('.').ok_or_else(|| JsonPathError::Start(text.to_owned()))?;
    if let Some(rest) = rest.strip_prefix('[') {
        return bracket(rest);
    }
    let (name, rest) = field(rest);
    match name.as_str() {
        "" => Err(JsonPathError::NoName),
        "*" => Ok((Step::All, rest)),
        _ => Ok((Step::Field(name), rest)),
    }
}

/// A name up to the next dot or bracket that no backslash precedes.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '.' | '[' => return (name, &text[i..]),
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            c => name.push(c),
        }
    }
    (name, "")
}

/// What stands in brackets, and what follows them.
fn bracket(text: &str) -> Result<(Step, &str), JsonPathError> {
    let end = closing(text).ok_or_else(|| JsonPathError::Open(format!("[{text}")))?;
    let (inner, rest) = (text[..end].trim(), &text[end + 1..]);
    let wrong = || JsonPathError::Bracket(inner.to_owned());
    let step = if inner == "*" {
        Step::All
    } else if let Some(name) = quoted(inner) {
        Step::Field(name.to_owned())
    } else if let Some(filter) = inner.strip_prefix("?(").and_then(|f| f.strip_suffix(')')) {
        Step::Filter(Filter::parse(filter)?)
    } else if let Some((from, to)) = inner.split_once(':') {
        Step::Slice(bound(from).ok_or_else(wrong)?, bound(to).ok_or_else(wrong)?)
    } else {
        Step::Index(inner.parse().map_err(|_| wrong())?)
    };
    Ok((step, rest))
}

/// Where the bracket closes that is open before the text, quotes and inner brackets skipped.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(i),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|q| text.strip_prefix(q)?.strip_suffix(q))
}

/// A bound of a slice: absent, or a number.
fn bound(text: &str) -> Option<Option<i64>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

impl Filter {
    fn parse(text: &str) -> Result<Self, JsonPathError> {
        let wrong = || JsonPathError::Bracket(text.to_owned());
        let body = text.trim().strip_prefix('@').ok_or_else(wrong)?;
        let operator = COMPARISONS.iter().filter_map(|(name, c)| body.find(name).map(|i| (i, *name, *c)));
        // The leftmost operator is it; at one place `min_by_key` keeps the first, which is the longest.
        let Some((i, name, comparison)) = operator.min_by_key(|(i, ..)| *i) else {
            return Ok(Self { path: JsonPath::parse(body.trim())?, test: None });
        };
        let value = literal(body[i + name.len()..].trim()).ok_or_else(wrong)?;
        Ok(Self { path: JsonPath::parse(body[..i].trim())?, test: Some((comparison, value)) })
    }

    fn keeps(&self, item: &Value) -> bool {
        let found = self.path.find(item);
        match &self.test {
            None => !found.is_empty(),
            Some((comparison, value)) => found.into_iter().any(|v| comparison.holds(v, value)),
        }
    }
}

fn literal(text: &str) -> Option<Value> {
    quoted(text).map(Value::from).or_else(|| serde_json::from_str(text).ok())
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = order(left, right);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => (left == right).then_some(Ordering::Equal),
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let list = value.as_array().map_or(&[] as &[Value], Vec::as_slice);
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => list.get(position(*index, list.len())).into_iter().collect(),
            Self::Slice(from, to) => {
                let from = from.map_or(0, |i| position(i, list.len()));
                let to = to.map_or(list.len(), |i| position(i, list.len()).min(list.len()));
                list.get(from..to).unwrap_or_default().iter().collect()
            }
            Self::All => value.as_object().into_iter().flat_map(|m| m.values()).chain(list).collect(),
            Self::Filter(filter) => list.iter().filter(|item| filter.keeps(item)).collect(),
        }
    }
}

/// The place that an index means, past the end if there is none.
fn position(index: i64, length: usize) -> usize {
    match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => usize::try_from(index.unsigned_abs())
            .ok()
            .and_then(|i| length.checked_sub(i))
            .unwrap_or(usize::MAX),
    }
}
