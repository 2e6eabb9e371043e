//! A price or a quantity, exactly as the exchange sent it.

use std::{fmt, ops::Deref, str::FromStr};

use rust_decimal::prelude::ToPrimitive;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::Error;

/// Significant digits of a number at most.
const MOST_DIGITS: usize = 28;

/// Characters of a number's text at most, leading and trailing noughts included.
const LONGEST_TEXT: usize = 64;

/// Digits that a `u64` always holds.
const WORD_DIGITS: usize = 19;

/// The first number with more digits than that.
const WORD: u128 = 10_u128.pow(19);

/// A non-negative decimal number that keeps every digit and its scale: `"610009597781.00"` prints the same.
///
/// Up to 28 digits. Equality compares values; use [`Display`](fmt::Display) to compare texts.
///
/// # Units
/// Prices in the quote asset, quantities in the base asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// Builds `mantissa / 10^scale`, the same as [`from_parts`](Self::from_parts) and quicker; none for a scale above 28.
    #[inline]
    #[must_use]
    pub fn from_word(mantissa: u64, scale: u32) -> Option<Self> {
        if scale > rust_decimal::Decimal::MAX_SCALE {
            return None;
        }
        let (upper, lower) = (mantissa >> 32, mantissa & u64::from(u32::MAX));
        let (upper, lower) = (u32::try_from(upper).ok()?, u32::try_from(lower).ok()?);
        Some(Self(rust_decimal::Decimal::from_parts(lower, upper, 0, false, scale)))
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

    /// The number as it prints, on the stack.
    #[must_use]
    pub fn text(self) -> DecimalText {
        DecimalText::of(self.mantissa(), self.scale() as usize)
    }
}

impl FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map(Self).ok_or_else(|| Error::Decimal(text.chars().take(LONGEST_TEXT).collect()))
    }
}

/// Reads a number in one pass: the library's own reader takes several times as long, and rounds unless told not to.
fn parse(text: &str) -> Option<rust_decimal::Decimal> {
    if text.len() > LONGEST_TEXT {
        return None;
    }
    // The first digits that a word always holds, and those behind them.
    let mut words = [0_u64; 2];
    let mut digits = 0;
    let mut point = None;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'0' if digits == 0 => {}
            b'0'..=b'9' => {
                digits += 1;
                if digits > MOST_DIGITS {
                    return None;
                }
                let word = &mut words[usize::from(digits > WORD_DIGITS)];
                *word = *word * 10 + u64::from(byte - b'0');
            }
            b'.' if point.is_none() => point = Some(place),
            _ => return None,
        }
    }
    let (whole, fraction) = match point {
        Some(place) => (place, text.len() - place - 1),
        None => (text.len(), 1),
    };
    if whole == 0 || fraction == 0 {
        return None;
    }
    let scale = if point.is_some() { u32::try_from(fraction).ok()? } else { 0 };
    if let (Ok(word), true) = (i64::try_from(words[0]), digits <= WORD_DIGITS) {
        return rust_decimal::Decimal::try_new(word, scale).ok();
    }
    let behind = u32::try_from(digits.saturating_sub(WORD_DIGITS)).ok()?;
    let mantissa = i128::from(words[0]) * 10_i128.pow(behind) + i128::from(words[1]);
    rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DecimalVisitor)
    }
}

/// Reads a number from text that stays where it is.
struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a decimal number as a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.precision().is_some() {
            return self.0.fmt(formatter);
        }
        formatter.pad_integral(true, "", &self.text())
    }
}

/// Text of a [`Decimal`], kept on the stack.
#[derive(Clone, Copy, Debug)]
pub struct DecimalText {
    bytes: [u8; Self::LENGTH],
    start: usize,
}

impl DecimalText {
    /// Room for 29 digits, which the library's numbers can have, a point and a nought before it.
    const LENGTH: usize = 32;

    fn of(mantissa: u128, scale: usize) -> Self {
        let mut text = Self { bytes: [b'0'; Self::LENGTH], start: Self::LENGTH };
        if let Ok(word) = u64::try_from(mantissa) {
            text.push(word);
        } else {
            // The upper part has ten digits at most.
            let (upper, lower) = (mantissa / WORD, mantissa % WORD);
            text.push(u64::try_from(lower).unwrap_or_default());
            text.start = Self::LENGTH - WORD_DIGITS;
            text.push(u64::try_from(upper).unwrap_or_default());
        }
        let whole_end = Self::LENGTH - scale;
        text.start = text.start.min(whole_end - 1);
        if scale > 0 {
            text.bytes.copy_within(text.start..whole_end, text.start - 1);
            text.start -= 1;
            text.bytes[whole_end - 1] = b'.';
        }
        text
    }

    /// Writes the digits of a word before those that are there.
    fn push(&mut self, mut word: u64) {
        while word > 0 {
            let [pair, ..] = (word % 100).to_le_bytes();
            word /= 100;
            self.start -= 2;
            self.bytes[self.start] = b'0' + pair / 10;
            self.bytes[self.start + 1] = b'0' + pair % 10;
        }
        // An odd number of digits got a nought before it.
        if self.bytes.get(self.start) == Some(&b'0') {
            self.start += 1;
        }
    }
}

impl Deref for DecimalText {
    type Target = str;

    fn deref(&self) -> &str {
        // Only digits and a point were ever written.
        std::str::from_utf8(&self.bytes[self.start..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn reading_and_printing_agree_with_the_library(text in "-?(0{0,24}|0\\.0{0,20})[0-9]{0,22}\\.{0,2}[0-9]{0,18}") {
            let digits = text.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
            let is_plain = !text.starts_with(['.', '-']) && !text.ends_with('.') && digits <= MOST_DIGITS;
            let expected = rust_decimal::Decimal::from_str_exact(&text).ok().filter(|_| is_plain);
            let parsed = text.parse::<Decimal>().ok();
            prop_assert_eq!(parsed.map(|decimal| decimal.0), expected);
            if let (Some(parsed), Some(expected)) = (parsed, expected) {
                prop_assert_eq!(parsed.scale(), expected.scale());
                prop_assert_eq!(parsed.to_string(), expected.to_string());
                prop_assert_eq!(serde_json::to_string(&parsed).unwrap(), format!("\"{expected}\""));
                prop_assert_eq!(format!("{parsed:>40}|{parsed:<8}"), format!("{expected:>40}|{expected:<8}"));
            }
        }
    }

    #[test]
    fn a_word_makes_the_same_number() {
        for mantissa in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            for scale in [0, 8, 28, 29, u32::MAX] {
                let (expected, made) =
                    (Decimal::from_parts(mantissa.into(), scale), Decimal::from_word(mantissa, scale));
                assert_eq!(format!("{made:?}"), format!("{expected:?}"), "{mantissa} {scale}");
            }
        }
    }

    #[test]
    fn the_longest_numbers_print_whole() {
        for (mantissa, scale) in [(u128::from(u64::MAX), 0), (u128::from(u64::MAX) + 1, 20), ((1 << 96) - 1, 28)] {
            let decimal = Decimal::from_parts(mantissa, scale).unwrap();
            assert_eq!(decimal.to_string(), decimal.0.to_string());
        }
        assert_eq!(Decimal::from_parts(10_u128.pow(19), 0).unwrap().to_string(), "10000000000000000000");
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
