//! A place in a text that is read from left to right, eight bytes at a time where it can be.

/// Digits that a word always holds.
const MOST_DIGITS: u32 = 19;

/// Digits of a mantissa that every number with a point has room for.
const MOST_DECIMAL_DIGITS: u32 = 18;

/// The bytes before which text ends, the right way or another.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut control = 0;
    while control < b' ' as usize {
        ends[control] = true;
        control += 1;
    }
    ends[b'"' as usize] = true;
    ends[b'@' as usize] = true;
    ends[b'\\' as usize] = true;
    ends
};

/// What is left of a text; whoever finds something unexpected gives the whole text up.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    rest: &'a [u8],
}

/// A number without a sign: `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) mantissa: u64,
    pub(super) scale: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn next_is(&self, byte: u8) -> bool {
        self.rest.first() == Some(&byte)
    }

    /// Steps over exactly this.
    #[inline]
    pub(super) fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (head, behind) = self.rest.split_first_chunk::<N>()?;
        if head != expected {
            return None;
        }
        self.rest = behind;
        Some(())
    }

    /// Steps over text without `@` that stands for itself in JSON, up to an end of it and over that.
    #[inline]
    pub(super) fn text_to(&mut self, end: u8) -> Option<&'a str> {
        let length = self.rest.iter().position(|byte| ENDS[usize::from(*byte)])?;
        let start = self.text.len() - self.rest.len();
        let (_, behind) = self.rest.split_at(length);
        self.rest = behind.strip_prefix(&[end])?;
        self.text.get(start..start + length)
    }

    /// Steps over a whole number as JSON has it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call costs as much as the digits of a number")]
    pub(super) fn integer(&mut self) -> Option<u64> {
        let starts_with_nought = self.next_is(b'0');
        let (number, digits) = self.digits()?;
        (digits == 1 || !starts_with_nought).then_some(number)
    }

    /// Steps over a truth value.
    #[inline]
    pub(super) fn boolean(&mut self) -> Option<bool> {
        if self.next_is(b't') {
            return self.literal(b"true").map(|()| true);
        }
        self.literal(b"false").map(|()| false)
    }

    /// Steps over a number with or without a point.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call costs as much as the digits of a number")]
    pub(super) fn number(&mut self) -> Option<Number> {
        let (whole, before) = self.digits()?;
        if !self.next_is(b'.') {
            return (before <= MOST_DECIMAL_DIGITS).then_some(Number { mantissa: whole, scale: 0 });
        }
        self.rest = &self.rest[1..];
        let (fraction, scale) = self.digits()?;
        if before + scale > MOST_DECIMAL_DIGITS {
            return None;
        }
        let widened = if scale == 8 { whole * 100_000_000 } else { whole * 10_u64.pow(scale) };
        Some(Number { mantissa: widened + fraction, scale })
    }

    /// Steps over digits: their number, and how many there are.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call costs as much as the digits of a number")]
    fn digits(&mut self) -> Option<(u64, u32)> {
        let (mut number, mut digits) = (0_u64, 0);
        // Jumps of a length that is known before the digits are keep a processor from waiting for each of them.
        while let Some((chunk, behind)) = self.rest.split_first_chunk()
            && let Some(eight) = eight_digits(u64::from_le_bytes(*chunk))
        {
            digits += 8;
            if digits > MOST_DIGITS {
                return None;
            }
            number = number * 100_000_000 + eight;
            self.rest = behind;
        }
        while let [digit @ b'0'..=b'9', behind @ ..] = self.rest {
            digits += 1;
            if digits > MOST_DIGITS {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            self.rest = behind;
        }
        (digits > 0).then_some((number, digits))
    }
}

/// The number that eight digits make, the first one in the lowest byte; none if one of them is none.
///
/// # Source
/// <https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/>
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    let values = word ^ 0x3030_3030_3030_3030;
    // The highest bit of a byte says that it is no digit.
    if (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_the_library_reads_them() {
        let longest = "1234567890123456789";
        for behind in ["", "\"", ",\"q\":\"0.5\"", ":;<=>?@", "/.-,", "\u{00e9}ab", "\u{00b0}\u{00b1}\u{00b2}"] {
            for length in 1..=longest.len() {
                let digits = &longest[..length];
                let text = format!("{digits}{behind}");
                let mut cursor = Cursor::new(&text);
                assert_eq!(cursor.digits(), Some((digits.parse().unwrap(), u32::try_from(length).unwrap())), "{text}");
                assert_eq!(cursor.rest, behind.as_bytes(), "{text}");
            }
            assert_eq!(Cursor::new(behind).digits(), None, "{behind}");
        }
        assert_eq!(Cursor::new("12345678901234567890").digits(), None);
    }

    #[test]
    fn numbers_keep_their_scale_and_odd_ones_are_given_up() {
        let number = |mantissa, scale| Some(Number { mantissa, scale });
        for (text, expected) in [
            ("61685.99000000\"", number(6_168_599_000_000, 8)),
            ("0.00\"", number(0, 2)),
            ("007\"", number(7, 0)),
            ("0.123456789\"", number(123_456_789, 9)),
            ("123456789012345678", number(123_456_789_012_345_678, 0)),
            ("1234567890123456789", None),
            ("1234567890.123456789", None),
            (".5", None),
            ("5.", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(Cursor::new(text).number(), expected, "{text}");
        }
        let integers = [("0", Some(0)), ("10", Some(10)), ("00", None), ("01", None), ("-1", None), ("", None)];
        for (text, expected) in integers {
            assert_eq!(Cursor::new(text).integer(), expected, "{text}");
        }
    }

    #[test]
    fn text_ends_where_it_is_told_to_and_escapes_are_given_up() {
        for (text, expected) in [
            ("btcusdt@", Some("btcusdt")),
            ("\u{5e01}@", Some("\u{5e01}")),
            ("a\"@", None),
            ("a\\@", None),
            ("a", None),
        ] {
            assert_eq!(Cursor::new(text).text_to(b'@'), expected, "{text}");
        }
    }
}
