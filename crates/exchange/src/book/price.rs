//! A price as a number of smallest units, which is quick to compare.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use streamforge_events::Decimal;

/// Digits behind the point of every price and quantity of the exchange.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#order-book>
const DIGITS: u32 = 8;

/// A price of the exchange, which is never nought.
///
/// # Units
/// 10⁻⁸ of the quote asset; printed with eight digits behind the point, as the exchange does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

/// A number that is no price of the exchange.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no price: it must be above 0 and below 184467440737, with at most 8 digits behind the point")]
pub struct UnknownPrice(String);

impl Price {
    /// Builds the price `mantissa / 10^scale`; none if it is none or has more digits behind the point than usual.
    #[inline]
    pub(crate) fn from_parts(mantissa: u64, scale: u32) -> Option<Self> {
        let units = match DIGITS.checked_sub(scale)? {
            0 => mantissa,
            missing => mantissa.checked_mul(10_u64.pow(missing))?,
        };
        (units > 0).then_some(Self(units))
    }

    pub(super) fn units(self) -> u64 {
        self.0
    }

    pub(super) fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// The number as a decimal.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::from_parts(u128::from(self.0), DIGITS).unwrap_or(Decimal::ZERO)
    }
}

impl TryFrom<Decimal> for Price {
    type Error = UnknownPrice;

    fn try_from(number: Decimal) -> Result<Self, UnknownPrice> {
        let unknown = || UnknownPrice(number.to_string());
        let (mantissa, scale) = (number.mantissa(), number.scale());
        let units = if scale <= DIGITS {
            mantissa.checked_mul(10_u128.pow(DIGITS - scale)).ok_or_else(unknown)?
        } else {
            let divisor = 10_u128.checked_pow(scale - DIGITS).ok_or_else(unknown)?;
            if mantissa % divisor != 0 {
                return Err(unknown());
            }
            mantissa / divisor
        };
        match u64::try_from(units) {
            Ok(units) if units > 0 => Ok(Self(units)),
            _ => Err(unknown()),
        }
    }
}

impl FromStr for Price {
    type Err = UnknownPrice;

    fn from_str(text: &str) -> Result<Self, UnknownPrice> {
        let number: Decimal = text.parse().map_err(|_| UnknownPrice(text.to_owned()))?;
        Self::try_from(number)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal().fmt(formatter)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.decimal().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Decimal::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_print_as_the_exchange_writes_them() {
        for (text, printed) in [
            ("61837.63000000", "61837.63000000"),
            ("0.00000637", "0.00000637"),
            ("1", "1.00000000"),
            ("2.1000000000", "2.10000000"),
            ("184467440737.09551615", "184467440737.09551615"),
        ] {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in
            ["0", "0.00000000", "0.000000001", "-1", "1e30", "184467440738", "", "NaN", "1000000000000000000000000000"]
        {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }
}
