//! How an attribute's text is written into an HTTP header and read back.
//!
//! # Source
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values>

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::answer::Refusal;

/// Percent-encodes what may not stand in a header: space, double quote, percent and all but printable ASCII.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Takes the quotes off, then decodes percent signs once; bytes that are not UTF-8 are refused.
pub(super) fn decode(name: &str, value: &str) -> Result<String, Refusal> {
    if !value.bytes().any(|byte| matches!(byte, b'%' | b'"')) {
        return Ok(value.to_owned());
    }
    let unquoted = unquote(value);
    let text = percent_decode_str(&unquoted).decode_utf8().map_err(|_| {
        let reason = format!("header `ce-{name}` does not decode to UTF-8");
        Refusal::bad_request("INVALID_ATTRIBUTE", reason)
    })?;
    Ok(text.into_owned())
}

const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Older versions of the specification let values be quoted strings (RFC 7230, 3.2.6).
fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let literal = if character == '\\' { characters.next() } else { Some(character) };
        text.extend(literal);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_follows_the_examples_of_the_specification() {
        let cases = [
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("100%", "100%25"),
            ("plain/text", "plain/text"),
            ("这是测试币456", "%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81456"),
        ];
        for (text, header) in cases {
            assert_eq!(encode(text), header);
            assert_eq!(decode("subject", header).unwrap(), text);
        }
    }

    #[test]
    fn decoding_accepts_quotes_and_needless_encoding_and_refuses_broken_utf8() {
        assert_eq!(decode("id", r#""a b\"c""#).unwrap(), r#"a b"c"#);
        assert_eq!(decode("id", "%41%2542").unwrap(), "A%42");
        assert!(decode("id", "%C0%A0").is_err());
    }
}
