//! Ids that are computed from what caused them.

use sha2::{Digest, Sha256};

/// SHA-256 over the parts, each with its length in front, so that no two lists of parts run together.
#[must_use]
pub fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// Bytes in hexadecimal, lower case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Six lower-case letters or digits that stand for the parts.
#[must_use]
pub fn short_code(parts: &[&str]) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = digest(parts).iter().take(8).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let mut code = String::new();
    for _ in 0..6 {
        // The remainder is below 36, so it fits any index.
        code.push(char::from(DIGITS[usize::try_from(rest % 36).unwrap_or(0)]));
        rest /= 36;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["ab"]), digest(&["ab", ""]));
    }

    #[test]
    fn codes_are_stable_and_short() {
        let code = short_code(&["/streamforge/cli", "1"]);
        assert_eq!(code, short_code(&["/streamforge/cli", "1"]));
        assert_eq!(code.len(), 6);
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
    }
}
