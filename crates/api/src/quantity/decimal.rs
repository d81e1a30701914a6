//! Exact decimals: `mantissa · 10^scale`.

use std::cmp::Ordering;

/// A decimal number whose mantissa does not end in a zero; zero itself has scale 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Decimal {
    pub(super) mantissa: i128,
    pub(super) scale: i32,
}

impl Decimal {
    /// The number in normal form.
    pub(super) fn new(mut mantissa: i128, mut scale: i32) -> Self {
        if mantissa == 0 {
            return Self::default();
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            scale = scale.saturating_add(1);
        }
        Self { mantissa, scale }
    }

    /// The mantissa at another scale, if it is whole there and can be held.
    pub(super) fn at(self, scale: i32) -> Option<i128> {
        let shift = self.scale.checked_sub(scale).and_then(|s| u32::try_from(s).ok())?;
        self.mantissa.checked_mul(10_i128.checked_pow(shift)?)
    }

    /// Rounded away from zero to a multiple of `10^scale`.
    pub(super) fn round_up(self, scale: i32) -> Self {
        if self.scale >= scale {
            return self;
        }
        let Some(divisor) = 10_i128.checked_pow(scale.abs_diff(self.scale)) else {
            return Self::new(self.mantissa.signum(), scale);
        };
        let rest = i128::from(self.mantissa % divisor != 0) * self.mantissa.signum();
        Self::new(self.mantissa / divisor + rest, scale)
    }

    /// In multiples of `10^scale`, rounded away from zero and saturating.
    pub(super) fn rounded(self, scale: i32) -> i64 {
        let limit = if self.mantissa < 0 { i64::MIN } else { i64::MAX };
        self.round_up(scale).at(scale).and_then(|m| m.try_into().ok()).unwrap_or(limit)
    }

    /// The sum; exact, or saturating where 38 digits do not hold it.
    pub(super) fn plus(self, other: Self) -> Self {
        let scale = self.scale.min(other.scale);
        let (larger, smaller) =
            if self.magnitude() < other.magnitude() { (other, self) } else { (self, other) };
        match (larger.at(scale), smaller.at(scale)) {
            (Some(a), Some(b)) => Self::new(a.saturating_add(b), scale),
            // The scales are so far apart that the smaller one is beyond the last digit.
            _ => larger,
        }
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        signs.then_with(|| {
            let scale = self.scale.min(other.scale);
            match (self.at(scale), other.at(scale)) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ if self.mantissa < 0 => other.magnitude().cmp(&self.magnitude()),
                _ => self.magnitude().cmp(&other.magnitude()),
            }
        })
    }

    /// The power of ten above the number; a difference of one may hide equal lengths, more never does.
    fn magnitude(self) -> i64 {
        if self.mantissa == 0 {
            return i64::MIN;
        }
        i64::from(self.mantissa.unsigned_abs().ilog10()) + i64::from(self.scale)
    }
}
