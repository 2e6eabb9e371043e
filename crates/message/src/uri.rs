//! Tells a URI reference from any other text.

use std::net::Ipv6Addr;

/// Whether the text is a URI reference of RFC 3986, with letters beyond ASCII let through, as Java's `URI` does.
///
/// # Source
/// <https://www.rfc-editor.org/rfc/rfc3986#section-4.1>
pub(super) fn is_reference(text: &str) -> bool {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !has_characters(fragment, "/?[]") || !has_characters(query, "/?[]") {
        return false;
    }
    let first_segment = rest.split('/').next().unwrap_or_default();
    let path = match first_segment.split_once(':') {
        Some((scheme, _)) if is_scheme(scheme) => &rest[scheme.len() + 1..],
        Some(_) => return false,
        None => rest,
    };
    let Some(after) = path.strip_prefix("//") else {
        return has_characters(path, "/");
    };
    let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
    is_authority(authority) && has_characters(path, "/")
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn is_authority(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let after_host = if let Some(literal) = host.strip_prefix('[') {
        match literal.split_once(']') {
            Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => rest,
            _ => return false,
        }
    } else {
        let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
        if !has_characters(name, "") {
            return false;
        }
        rest
    };
    let is_port = match after_host.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => after_host.is_empty(),
    };
    is_port && has_characters(user, "")
}

/// Only characters of a path segment, complete percent escapes and those of `more`.
fn has_characters(text: &str, more: &str) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let is_allowed = match c {
            '%' => (0..2).all(|_| rest.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ if c.is_ascii() => c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c) || more.contains(c),
            _ => !c.is_control() && !c.is_whitespace(),
        };
        if !is_allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        for text in [
            "",
            "/s",
            "s",
            "https://example.com:8080/a?b=c#d",
            "urn:uuid:1",
            "mailto:a@b",
            "http://[::1]:80/x",
            "//host/path",
            "a%20b",
            "/日本",
            "../x",
            "?q=[1]",
        ] {
            assert!(is_reference(text), "{text}");
        }
        for text in [
            "a b",
            "http://[::1",
            "://x",
            "1a:b",
            "http://a:b/",
            "a%2",
            "a%zz",
            "<x>",
            "a\\b",
            "\"",
            "{x}",
            "a|b",
            "a^b",
            "/[x]",
            "http://a]b/",
            "a#b#c",
        ] {
            assert!(!is_reference(text), "{text}");
        }
    }
}
