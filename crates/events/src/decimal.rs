//! A price or a quantity, exactly as the exchange sent it.

use std::{fmt, str::FromStr};

use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A non-negative decimal number that keeps every digit and its scale: `"610009597781.00"` prints the same.
///
/// Up to 28 digits. Equality compares values; use [`Display`](fmt::Display) to compare texts.
///
/// # Units
/// Prices in the quote asset, quantities in the base asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(rust_decimal::Decimal);

impl Decimal {
    /// Nought, printed as `0`.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);

    /// Builds `mantissa / 10^scale`; none if it has more than 28 digits.
    #[must_use]
    pub fn from_parts(mantissa: u128, scale: u32) -> Option<Self> {
        let mantissa = i128::try_from(mantissa).ok()?;
        rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(Self)
    }

    /// The digits without their point.
    #[must_use]
    pub fn mantissa(self) -> u128 {
        self.0.mantissa().unsigned_abs()
    }

    /// How many digits stand behind the point.
    #[must_use]
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// Whether the number is nought.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The nearest double, for computing.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0.to_f64().unwrap_or(f64::NAN)
    }

    /// The exact sum with the larger of both scales; none if it would need more than 28 digits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale().max(other.scale());
        let widen = |value: Self| value.mantissa().checked_mul(10_u128.checked_pow(scale - value.scale())?);
        Self::from_parts(widen(self)?.checked_add(widen(other)?)?, scale)
    }
}

impl FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = || Error::Decimal(text.chars().take(64).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let significant = text.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
        if text.len() > 64 || !digits(whole) || !digits(fraction) || significant > 28 {
            return Err(fail());
        }
        rust_decimal::Decimal::from_str_exact(text).map(Self).map_err(|_| fail())
    }
}

impl TryFrom<String> for Decimal {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_scale_survive() {
        for text in
            ["0.00000001", "93738.19000000", "610009597781.00", "32067355081399.00000000", "0", "0.00000000", "8"]
        {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for text in
            ["", "-1", "+1", "1e5", "1_000", ".5", "5.", "NaN", "0x10", "1.2.3", "12345678901234567890123456789"]
        {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_or_absent() {
        let add =
            |a: &str, b: &str| a.parse::<Decimal>().unwrap().checked_add(b.parse().unwrap()).map(|sum| sum.to_string());
        assert_eq!(add("0.10000000", "0.2").as_deref(), Some("0.30000000"));
        assert_eq!(add("32067355081399.00000000", "0.00000001").as_deref(), Some("32067355081399.00000001"));
        assert_eq!(add("9999999999999999999999999999", "0.1"), None);
    }
}
