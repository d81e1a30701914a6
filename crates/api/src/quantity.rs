//! Quantities: exact decimal numbers with the suffixes of Kubernetes resources, printed in canonical form.
//!
//! ```text
//!   "1.5Gi" ── parse ──> mantissa 1610612736 · 10^0, binary ── Display ──> "1536Mi"
//! ```
//!
//! Source: Kubernetes 1.36 apimachinery (`api/resource`). A value is `mantissa · 10^scale` with 38 digits of
//! mantissa; what cannot be held is an error when read and saturates when computed. Reading rounds away from zero
//! to whole nanos, as Kubernetes does, so that asking for a little never becomes asking for nothing.

mod decimal;
mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde_json::Value;

use decimal::Decimal;

/// An amount of a resource: CPU, memory, storage, objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    amount: Decimal,
    format: Format,
}

/// How a quantity is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// With a power of ten as suffix: `100m`, `5k`.
    #[default]
    DecimalSi,
    /// With a power of 1024 as suffix: `64Mi`.
    BinarySi,
    /// With an exponent: `1e3`.
    DecimalExponent,
}

/// A text is no quantity; worded as Kubernetes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is not a number followed by a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The suffix is none there is.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The number is too large to hold.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
}

const NANO: i32 = -9;
const MILLI: i32 = -3;

impl Quantity {
    /// A whole number of units.
    pub fn units(units: i64, format: Format) -> Self {
        Self { amount: Decimal::new(units.into(), 0), format }
    }

    /// A number of thousandths, as CPU is counted.
    pub fn milli(thousandths: i64, format: Format) -> Self {
        Self { amount: Decimal::new(thousandths.into(), MILLI), format }
    }

    /// Reads a quantity of an object: a string or a bare number.
    ///
    /// # Errors
    /// The value is neither, or its text is no quantity.
    pub fn from_value(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.trim().parse(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Format),
        }
    }

    /// How it is written.
    pub fn format(self) -> Format {
        self.format
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.amount.mantissa == 0
    }

    /// -1, 0 or 1.
    pub fn signum(self) -> i32 {
        self.amount.mantissa.signum().try_into().expect("a sign fits any integer")
    }

    /// In whole units, rounded away from zero and saturating.
    pub fn value(self) -> i64 {
        self.amount.rounded(0)
    }

    /// In thousandths, rounded away from zero and saturating.
    pub fn milli_value(self) -> i64 {
        self.amount.rounded(MILLI)
    }

    /// The nearest floating-point number, for metrics and ratios.
    pub fn as_f64(self) -> f64 {
        format!("{}e{}", self.amount.mantissa, self.amount.scale).parse().unwrap_or(f64::INFINITY)
    }

    /// Rounded away from zero to a power of ten, such as -3 for thousandths.
    #[must_use]
    pub fn round_up(self, scale: i32) -> Self {
        Self { amount: self.amount.round_up(scale), ..self }
    }

    /// The negative amount.
    #[must_use]
    pub fn negated(self) -> Self {
        let Decimal { mantissa, scale } = self.amount;
        Self { amount: Decimal { mantissa: mantissa.saturating_neg(), scale }, ..self }
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;

    /// The exact sum; zero takes the other's format.
    fn add(self, other: Self) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self { amount: self.amount.plus(other.amount), format }
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;

    /// The exact difference; zero takes the other's format.
    fn sub(self, other: Self) -> Self {
        self + other.negated()
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::default(), |sum, q| sum + q)
    }
}

/// Amounts compare, whatever their format: `1000m` equals `1`.
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.amount.compare(other.amount)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal amounts have equal parts, since the mantissa never ends in a zero.
        (self.amount.mantissa, self.amount.scale).hash(state);
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        text::parse(text)
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string().into()
    }
}

#[cfg(test)]
mod tests;
