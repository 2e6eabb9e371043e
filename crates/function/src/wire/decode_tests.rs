//! The rules of the `CloudEvents` HTTP binding, one case each.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use streamforge_events::AttributesReader;

use super::decode;
use crate::answer::Refusal;

const SOUND: [(&str, &str); 5] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/test"),
    ("ce-type", "io.streamforge.control.ping.v1"),
    ("content-type", "application/json"),
];

fn headers(changes: &[(&str, Option<&[u8]>)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in SOUND {
        headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(value));
    }
    for (name, value) in changes {
        let name = HeaderName::try_from(*name).unwrap();
        match value {
            Some(value) => {
                headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            }
            None => {
                headers.remove(name);
            }
        }
    }
    headers
}

fn code(outcome: Result<streamforge_events::Event, Refusal>) -> (u16, &'static str) {
    match outcome {
        Ok(_) => (0, "accepted"),
        Err(refusal) => (refusal.status.as_u16(), refusal.code),
    }
}

#[test]
fn a_broken_event_in_binary_mode_is_refused_with_its_reason() {
    type Case = (&'static str, Option<&'static [u8]>, &'static [u8], u16, &'static str);
    let cases: [Case; 24] = [
        ("ce-specversion", None, b"{}", 400, "NOT_A_CLOUDEVENT"),
        ("ce-specversion", Some(b"0.3"), b"{}", 400, "UNSUPPORTED_SPECVERSION"),
        ("ce-specversion", Some(b"2.0"), b"{}", 400, "UNSUPPORTED_SPECVERSION"),
        ("ce-id", None, b"{}", 400, "MISSING_ATTRIBUTE"),
        ("ce-id", Some(b""), b"{}", 400, "EMPTY_ATTRIBUTE"),
        ("ce-source", None, b"{}", 400, "MISSING_ATTRIBUTE"),
        ("ce-source", Some(b""), b"{}", 400, "EMPTY_ATTRIBUTE"),
        ("ce-source", Some(b"a%20b"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-type", None, b"{}", 400, "MISSING_ATTRIBUTE"),
        ("ce-type", Some(b""), b"{}", 400, "EMPTY_ATTRIBUTE"),
        ("ce-subject", Some(b""), b"{}", 400, "EMPTY_ATTRIBUTE"),
        ("ce-subject", Some(b"%C0%A0"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-subject", Some(b"a%0Ab"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-subject", Some(b"\xe4"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-time", Some(b"yesterday"), b"{}", 400, "INVALID_TIME"),
        ("ce-time", Some(b""), b"{}", 400, "INVALID_TIME"),
        ("ce-dataschema", Some(b"not absolute"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-bad-name", Some(b"1"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-datacontenttype", Some(b"text/xml"), b"{}", 400, "INVALID_ATTRIBUTE"),
        ("ce-x", Some(b"1"), b"{", 400, "INVALID_JSON"),
        ("ce-x", Some(b"1"), b"\"\xff\"", 400, "INVALID_JSON"),
        ("content-type", Some(b"application/cloudevents-batch+json"), b"[]", 415, "BATCH_MODE"),
        ("content-type", Some(b"text/plain"), b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("content-encoding", Some(b"gzip"), b"{}", 415, "UNSUPPORTED_ENCODING"),
    ];
    for (name, value, body, status, reason) in cases {
        assert_eq!(code(decode(&headers(&[(name, value)]), body)), (status, reason), "{name}: {value:?}");
    }
}

#[test]
fn a_repeated_header_is_refused() {
    for name in ["ce-id", "ce-traceparent", "content-type"] {
        let mut headers = headers(&[("ce-traceparent", Some(b"1"))]);
        let first = headers[name].clone();
        headers.append(HeaderName::try_from(name).unwrap(), first);
        assert_eq!(code(decode(&headers, b"{}")), (400, "DUPLICATE_ATTRIBUTE"), "{name}");
    }
}

#[test]
fn media_types_are_compared_without_regard_to_case_and_parameters() {
    for content_type in ["Application/JSON", "application/json; charset=UTF-8", "application/vnd.x+JSON"] {
        let headers = headers(&[("content-type", Some(content_type.as_bytes()))]);
        assert_eq!(code(decode(&headers, b"{}")).1, "accepted", "{content_type}");
    }
    let event = json!({"specversion": "1.0", "id": "1", "source": "/test", "type": "t",
        "datacontenttype": "Application/Json", "data": {"a": 1}});
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("Application/CloudEvents+JSON; charset=utf-8"));
    assert_eq!(code(decode(&headers, event.to_string().as_bytes())).1, "accepted");
}

#[test]
fn header_values_are_percent_decoded() {
    let headers = headers(&[("ce-subject", Some(b"%E8%BF%99%20456")), ("ce-id", Some(b"%41"))]);
    let event = decode(&headers, b"").unwrap();
    assert_eq!((event.id(), event.subject()), ("A", Some("\u{8fd9} 456")));
    assert_eq!(event.data(), None);
}

const ATTRIBUTES: &str = r#""specversion":"1.0","id":"1","source":"/test","type":"t""#;

fn structured(body: &str) -> (u16, &'static str) {
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::from_static("application/cloudevents+json");
    headers.insert("content-type", content_type);
    code(decode(&headers, body.as_bytes()))
}

#[test]
fn a_sound_event_in_structured_mode_is_accepted() {
    let cases = [
        "",
        r#","data":{"a":[1]}"#,
        r#","data":null,"subject":null"#,
        r#","data_base64":"e30=""#,
        r#","attempt":2,"flag":true"#,
    ];
    for more in cases {
        assert_eq!(structured(&format!("{{{ATTRIBUTES}{more}}}")).1, "accepted", "{more}");
    }
}

#[test]
fn a_broken_event_in_structured_mode_is_refused_with_its_reason() {
    let deep = format!(r#","data":{}1{}"#, "[".repeat(20_000), "]".repeat(20_000));
    let cases = [
        (r#","data_base64":"ew==""#, 400, "INVALID_JSON"),
        (r#","data_base64":"*""#, 400, "INVALID_ATTRIBUTE"),
        (r#","data":1,"data_base64":"e30=""#, 400, "INVALID_ATTRIBUTE"),
        (r#","id":"2""#, 400, "DUPLICATE_ATTRIBUTE"),
        (r#","time":"x""#, 400, "INVALID_TIME"),
        (r#","time":7"#, 400, "INVALID_ATTRIBUTE"),
        (r#","Upper":"x""#, 400, "INVALID_ATTRIBUTE"),
        (r#","nested":{}"#, 400, "INVALID_ATTRIBUTE"),
        (r#","fraction":1.5"#, 400, "INVALID_ATTRIBUTE"),
        (r#","datacontenttype":"text/xml""#, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (r#","datacontenttype":"application/cloudevents+json","data":{}"#, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (r#","data":{"a":1,"a":2}"#, 400, "DUPLICATE_ATTRIBUTE"),
        (deep.as_str(), 400, "INVALID_JSON"),
    ];
    for (more, status, reason) in cases {
        let shown: String = more.chars().take(80).collect();
        assert_eq!(structured(&format!("{{{ATTRIBUTES}{more}}}")), (status, reason), "{shown}");
    }
}

#[test]
fn a_broken_attribute_in_structured_mode_is_refused_with_its_reason() {
    let cases = [
        ("\"1\"", "null", "MISSING_ATTRIBUTE"),
        ("\"1\"", "\"\"", "EMPTY_ATTRIBUTE"),
        ("\"1\"", "1", "INVALID_ATTRIBUTE"),
        ("1.0", "0.3", "UNSUPPORTED_SPECVERSION"),
    ];
    for (sound, broken, reason) in cases {
        let body = format!("{{{}}}", ATTRIBUTES.replace(sound, broken));
        assert_eq!(structured(&body), (400, reason), "{body}");
    }
    for body in ["", "[]", ATTRIBUTES] {
        assert_eq!(structured(body), (400, "INVALID_JSON"), "{body}");
    }
}

#[test]
fn an_endless_attribute_is_refused() {
    let long = "x".repeat(5_000);
    assert_eq!(code(decode(&headers(&[("ce-id", Some(long.as_bytes()))]), b"{}")), (400, "INVALID_ATTRIBUTE"));
}
