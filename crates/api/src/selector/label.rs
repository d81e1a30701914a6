//! Label selectors, from text or from a `metav1.LabelSelector`.

use std::fmt;

use serde_json::Value;
use serde_json::map::Map;

use super::{SelectorError, syntax};
use crate::meta;
use crate::status::{FieldError, FieldPath};

/// A conjunction of requirements on labels, or what matches nothing at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How its value is compared.
    pub operator: Operator,
    /// What it is compared with; sorted, and empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=` or `==`: it has the one value.
    Equals,
    /// `!=`: it has not the one value, or is absent.
    NotEquals,
    /// It has one of the values.
    In,
    /// It has none of the values, or is absent.
    NotIn,
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
    /// It is an integer above the one value.
    GreaterThan,
    /// It is an integer below the one value.
    LessThan,
}

impl LabelSelector {
    /// What matches every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// What matches no object.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// The conjunction of these requirements, sorted by key.
    pub fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements, nothing: false }
    }

    /// Reads the syntax of `labelSelector` parameters: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
    ///
    /// # Errors
    /// The text is malformed, or a key or value is no label's; worded as Kubernetes does.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        syntax::parse(text).map(Self::of)
    }

    /// Reads a `metav1.LabelSelector`: absent or null matches nothing, an empty one everything.
    ///
    /// # Errors
    /// An operator is unknown, or a key or value is no label's.
    pub fn from_object(selector: Option<&Value>) -> Result<Self, SelectorError> {
        let Some(selector) = selector.filter(|s| !s.is_null()) else { return Ok(Self::nothing()) };
        let mut requirements = equalities(selector.get("matchLabels"))?;
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            requirements.push(Requirement::from_expression(expression)?);
        }
        Ok(Self::of(requirements))
    }

    /// Reads a plain map of labels, as Services and ReplicationControllers have: each must be equal.
    ///
    /// # Errors
    /// A key or value is no label's.
    pub fn from_map(labels: Option<&Value>) -> Result<Self, SelectorError> {
        equalities(labels).map(Self::of)
    }

    /// Whether it matches every object.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// Whether it matches no object, whatever its labels.
    pub fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// Its requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether the object's labels match.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_map(meta::labels(object))
    }

    /// Whether these labels match; none are the same as an empty map.
    pub fn matches_map(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.matches_with(|key| labels.and_then(|l| l.get(key)).and_then(Value::as_str))
    }

    /// Whether the labels that a function looks up match.
    pub fn matches_with<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|r| r.matches(lookup(&r.key)))
    }
}

impl Requirement {
    /// A requirement whose key and values are checked.
    ///
    /// # Errors
    /// The key or a value is no label's, or the operator takes another number of values.
    pub fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        values.sort();
        values.dedup();
        let faults = [check_key(key), check_count(operator, &values), check_values(key, operator, &values)];
        match faults.into_iter().flatten().next() {
            Some(fault) => Err(SelectorError::Requirement(fault)),
            None => Ok(Self { key: key.to_owned(), operator, values }),
        }
    }

    fn from_expression(expression: &Value) -> Result<Self, SelectorError> {
        let operator = match meta::text(expression, "operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(SelectorError::Operator(other.to_owned())),
        };
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
        Self::new(meta::text(expression, "key"), operator, values)
    }

    /// Whether a label with this value, or an absent one, satisfies it.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let named = |v: &str| self.values.iter().any(|w| w == v);
        match self.operator {
            Operator::Equals | Operator::In => value.is_some_and(named),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(named),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compare(value).is_some_and(|(label, bound)| label > bound),
            Operator::LessThan => self.compare(value).is_some_and(|(label, bound)| label < bound),
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        Some((value?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

fn equalities(labels: Option<&Value>) -> Result<Vec<Requirement>, SelectorError> {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    labels
        .map(|(k, v)| Requirement::new(k, Operator::Equals, vec![v.as_str().unwrap_or("").to_owned()]))
        .collect()
}

pub(super) fn check_key(key: &str) -> Option<FieldError> {
    let faults = meta::name::qualified_name(key);
    (!faults.is_empty()).then(|| FieldError::invalid(&FieldPath::root(), key, faults.join("; ")))
}

fn check_count(operator: Operator, values: &[String]) -> Option<FieldError> {
    let rule = match (operator, values.len()) {
        (Operator::In | Operator::NotIn, 0) => "for 'in', 'notin' operators, values set can't be empty",
        (Operator::Exists | Operator::DoesNotExist, 1..) => {
            "values set must be empty for exists and does not exist"
        }
        (Operator::Equals | Operator::NotEquals, 0 | 2..) => {
            "exact-match compatibility requires one single value"
        }
        (Operator::GreaterThan | Operator::LessThan, 0 | 2..) => {
            "for 'Gt', 'Lt' operators, exactly one value is required"
        }
        _ => return None,
    };
    Some(FieldError::invalid(&FieldPath::new("values"), values.to_vec(), rule))
}

fn check_values(key: &str, operator: Operator, values: &[String]) -> Option<FieldError> {
    let numeric = matches!(operator, Operator::GreaterThan | Operator::LessThan);
    values.iter().enumerate().find_map(|(i, value)| {
        let path = FieldPath::new("values").index(i);
        if numeric && value.parse::<i64>().is_err() {
            let rule = "for 'Gt', 'Lt' operators, the value must be an integer";
            return Some(FieldError::invalid(&path, value.as_str(), rule));
        }
        let faults = meta::name::label_value(value);
        (!faults.is_empty()).then(|| FieldError::invalid(&path.key(key), value.as_str(), faults.join("; ")))
    })
}

/// The syntax that [`LabelSelector::parse`] reads; empty for everything and for nothing.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}
