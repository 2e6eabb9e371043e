//! Events keep their spelling on every way in and out.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn structured(document: &str) -> Result<Message, Malformed> {
    let headers = headers(&[("content-type", "Application/CloudEvents+JSON; charset=UTF-8")]);
    Message::from_http(&headers, Bytes::copy_from_slice(document.as_bytes()))
}

const REQUIRED: &str = r#""specversion":"1.0","id":"i","source":"/s","type":"t""#;

#[test]
fn structured_data_keeps_its_bytes() {
    for (members, content_type, body) in [
        (r#""data": {"b": 1.10, "a":  [1e2]}"#, Some("application/json"), r#"{"b": 1.10, "a":  [1e2]}"#),
        (r#""data":"x""#, Some("application/json"), r#""x""#),
        (r#""data":"x","datacontenttype":"text/plain""#, Some("text/plain"), "x"),
        (r#""data":"x","datacontenttype":"a/b+json""#, Some("a/b+json"), r#""x""#),
        (r#""data_base64":"AGE=","datacontenttype":"a/b""#, Some("a/b"), "\0a"),
        (r#""subject":null"#, None, ""),
    ] {
        let message = structured(&format!("{{{REQUIRED},{members}}}")).unwrap();
        assert_eq!(message.attribute("datacontenttype"), content_type, "{members}");
        assert_eq!(message.body(), body.as_bytes(), "{members}");
        assert_eq!(message.attribute("subject"), None);
    }
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let message = structured(&format!("{{{REQUIRED},\"data\":{deep}}}")).unwrap();
    assert_eq!(message.body(), deep.as_bytes());
}

#[test]
fn structured_extensions_are_spelled_canonically() {
    let message = structured(&format!("{{{REQUIRED},\"attempt\":3,\"final\":true,\"q\":\"é\"}}"));
    let message = message.unwrap();
    let values = ["attempt", "final", "q"].map(|name| message.attribute(name));
    assert_eq!(values, [Some("3"), Some("true"), Some("é")]);
    assert_eq!(message.to_headers()["ce-q"], "%C3%A9");
    let again = Message::from_record(message.to_record(0)).unwrap();
    assert_eq!(again, message);
}

#[test]
fn broken_documents_are_refused() {
    for members in [
        r#""data":1,"data_base64":"AA==""#,
        r#""data_base64":"?""#,
        r#""x":1.5"#,
        r#""x":{}"#,
        r#""Upper":"x""#,
        r#""time":"yesterday""#,
        r#""subject":1"#,
    ] {
        assert!(structured(&format!("{{{REQUIRED},{members}}}")).is_err(), "{members}");
    }
    for document in ["", "[]", "{}", "\"x\"", r#"{"specversion":"1.0","id":null,"source":"/s","type":"t"}"#] {
        assert!(structured(document).is_err(), "{document}");
    }
}

#[test]
fn doubtful_headers_are_refused() {
    let event = [("ce-specversion", "1.0"), ("ce-id", "i"), ("ce-source", "/s"), ("ce-type", "t")];
    for extra in [("ce-id", "other"), ("ce-", "x"), ("ce-data", "x"), ("ce-datacontenttype", "a/b")] {
        let mut pairs = event.to_vec();
        pairs.push(extra);
        assert!(Message::from_http(&headers(&pairs), Bytes::new()).is_err(), "{extra:?}");
    }
    let mut latin = headers(&event);
    latin.insert("ce-subject", HeaderValue::from_bytes(b"\xe9").unwrap());
    assert!(Message::from_http(&latin, Bytes::new()).is_err());
}

#[test]
fn a_record_in_structured_mode_is_an_event_too() {
    let record = streamforge_bus::Record {
        headers: vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())],
        value: format!("{{{REQUIRED},\"partitionkey\":\"k\"}}").into_bytes(),
        ..streamforge_bus::Record::default()
    };
    let message = Message::from_record(record).unwrap();
    assert_eq!(message.attribute("type"), Some("t"));
    assert_eq!(message.to_record(7).key.as_deref(), Some(b"k".as_slice()));
    assert!(Message::from_record(streamforge_bus::Record::default()).is_err());
}
