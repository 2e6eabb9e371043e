//! `CloudEvents` over HTTP: from a request to a checked event, and from an event to a request.
//!
//! # Source
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

mod attributes;
mod decode;
mod encode;
mod header_text;
mod record;

pub use crate::answer::Refusal;
pub use decode::decode;
pub use encode::encode;
pub use record::decode_record;

/// A media type without its parameters, in lower case: names of types are case-insensitive (RFC 9110, 8.3.1).
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type.ends_with("/json") || media_type.ends_with("+json")
}
