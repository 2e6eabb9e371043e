//! What a client may say on a stream's connection, and what it is answered.

use serde_json::{Value, json};

/// What is to be done about a message of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Control {
    Subscribe(Vec<String>, Value),
    Unsubscribe(Vec<String>, Value),
    List(Value),
    SetCombined(bool, Value),
    GetCombined(Value),
    /// Answered with an error; the connection stays.
    Refused(Value),
    /// No JSON: the connection ends.
    Nonsense,
}

/// Reads a message.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#live-subscribingunsubscribing-to-streams>
pub(super) fn read(text: &str) -> Control {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return Control::Nonsense };
    let id = message["id"].clone();
    let names = || -> Option<Vec<String>> {
        message["params"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let refused = |code: i64, words: &str| {
        Control::Refused(json!({"error": {"code": code, "msg": format!("Invalid request: {words}")}, "id": id}))
    };
    let property = message["params"][0].as_str();
    match (message["method"].as_str(), names()) {
        (Some("SUBSCRIBE"), Some(names)) => Control::Subscribe(names, id),
        (Some("UNSUBSCRIBE"), Some(names)) => Control::Unsubscribe(names, id),
        (Some("SUBSCRIBE" | "UNSUBSCRIBE"), None) => refused(2, "expected a list of streams"),
        (Some("LIST_SUBSCRIPTIONS"), _) => Control::List(id),
        (Some("SET_PROPERTY"), _) => match (property, message["params"][1].as_bool()) {
            (Some("combined"), Some(is_combined)) => Control::SetCombined(is_combined, id),
            (Some("combined"), None) => refused(1, "expected a boolean"),
            _ => refused(0, "unknown property"),
        },
        (Some("GET_PROPERTY"), _) if property == Some("combined") => Control::GetCombined(id),
        (Some("GET_PROPERTY"), _) => refused(0, "unknown property"),
        (method, _) => refused(2, &format!("unknown variant `{}`", method.unwrap_or_default())),
    }
}

/// The answer to what was done.
pub(super) fn done(result: &Value, id: &Value) -> String {
    format!(r#"{{"result":{result},"id":{id}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let subscribe = r#"{"method":"SUBSCRIBE","params":["a@trade"],"id":1}"#;
        assert_eq!(read(subscribe), Control::Subscribe(vec!["a@trade".to_owned()], json!(1)));
        assert_eq!(read("hello"), Control::Nonsense);
        for (text, code) in [
            (r#"{"method":"FOO","id":20}"#, 2),
            (r#"{"method":"SUBSCRIBE","params":"a","id":1}"#, 2),
            (r#"{"method":"SET_PROPERTY","params":["combined",7],"id":1}"#, 1),
            (r#"{"method":"GET_PROPERTY","params":["colour"],"id":1}"#, 0),
            ("[]", 2),
        ] {
            let Control::Refused(answer) = read(text) else { panic!("{text}") };
            assert_eq!(answer["error"]["code"], code, "{text}");
        }
    }
}
