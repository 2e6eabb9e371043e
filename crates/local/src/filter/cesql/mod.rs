//! `CloudEvents` SQL: a boolean expression over an event's attributes.
//!
//! The grammar, its precedences included, is that of the `CloudEvents` SQL specification and of the Java SDK that
//! Knative's data plane uses: `NOT` and unary minus bind tightest, `AND`, `OR` and `XOR` bind alike and to the right.
//! Any error, a missing attribute too, makes the filter false.
//!
//! Source: <https://github.com/cloudevents/spec/blob/main/cesql/spec.md>

mod evaluate;
mod function;
mod parse;
mod token;

use std::str::FromStr;

use crate::message::Message;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression(Node);

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no CloudEvents SQL expression: {0}")]
pub struct ParseError(String);

impl Expression {
    /// Whether the expression is true for this event, without any error on the way.
    #[must_use]
    pub fn holds(&self, message: &Message) -> bool {
        matches!(self.0.evaluate(message), Ok(Value::Boolean(true)))
    }
}

impl FromStr for Expression {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::expression(text).map(Self)
    }
}

/// A value of one of the language's three types.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    String(String),
    Integer(i32),
    Boolean(bool),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Literal(Value),
    Attribute(String),
    Exists(String),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(Box<Node>, Operator, Box<Node>),
    Like(Box<Node>, String),
    In(Box<Node>, Vec<Node>),
    Call(function::Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Message {
        let attributes = [
            ("specversion", "1.0"),
            ("id", "1"),
            ("source", "/s"),
            ("type", "a.b"),
            ("sequence", "10"),
            ("hop", "3"),
            ("color", ""),
            ("percent", "50%"),
            ("flag", "TRUE"),
        ];
        let mut message = Message::default();
        for (name, value) in attributes {
            message.set(name, value);
        }
        message
    }

    #[test]
    fn expressions_hold_or_not() {
        for (text, expected) in [
            ("type = 'a.b'", true),
            ("type = \"a.b\" and source <> '/t'", true),
            ("type != 'a.b'", false),
            ("sequence = 10", true),
            ("hop < sequence AND hop <= 3 AND sequence > 9 AND sequence >= 10", true),
            ("2 + 3 * 4 = 14", true),
            ("(2 + 3) * 4 = 20", true),
            ("7 / 2 = 3 AND -7 / 2 = -3 AND -7 % 2 = -1", true),
            ("1 / 0 = 0", false),
            ("2147483647 + 1 > 0", false),
            ("true OR false AND false", true),
            ("true XOR true", false),
            ("NOT flag", false),
            ("NOT (type = 'x')", true),
            ("EXISTS color", true),
            ("EXISTS shape", false),
            ("EXISTS shape AND shape = 'round'", false),
            ("shape = 'round' OR true", false),
            ("NOT (shape = 'round')", false),
            ("type LIKE 'a%'", true),
            ("type LIKE '_._'", true),
            ("type NOT LIKE 'a._'", false),
            ("percent LIKE '50\\%'", true),
            ("type LIKE 'a\\%'", false),
            ("type LIKE '%.%.%'", false),
            ("type IN ('x', 'a.b')", true),
            ("type NOT IN ('x')", true),
            ("sequence IN (9, 10)", true),
            ("LENGTH(type) = 3", true),
            ("CONCAT(type, '-', 1) = 'a.b-1'", true),
            ("CONCAT_WS('-', 'a', 'b') = 'a-b'", true),
            ("UPPER(LOWER('aB')) = 'AB'", true),
            ("TRIM('  x ') = 'x'", true),
            ("LEFT('abc', 2) = 'ab' AND RIGHT('abc', 2) = 'bc' AND LEFT('abc', 9) = 'abc'", true),
            ("LEFT('abc', -1) = 'abc'", false),
            ("SUBSTRING('abcdef', 3) = 'cdef'", true),
            ("SUBSTRING('abcdef', 2, 3) = 'bcd'", true),
            ("SUBSTRING('abcdef', -2) = 'ef'", true),
            ("SUBSTRING('abc', 4) = ''", false),
            ("ABS(-5) = 5", true),
            ("IS_INT(sequence) AND NOT IS_INT(type)", true),
            ("IS_BOOL(flag) AND BOOL(flag)", true),
            ("INT(sequence) = 10 AND STRING(10) = '10'", true),
            ("'it\\'s' = \"it's\"", true),
            ("type", false),
            ("'true'", false),
            ("1", false),
        ] {
            let expression: Expression = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(expression.holds(&event()), expected, "{text}");
        }
    }

    #[test]
    fn broken_expressions_are_refused() {
        let deep = "(".repeat(10_000);
        let negated = "NOT ".repeat(10_000);
        for text in [
            "",
            "type =",
            "type = 'a",
            "= 'a'",
            "type LIKE type",
            "EXISTS 'a'",
            "UNKNOWN(1)",
            "LENGTH()",
            "LENGTH('a', 'b')",
            "(type = 'a'",
            "type = 'a')",
            "Type = 'a'",
            "a # b",
            "99999999999 = 1",
            "a IN ()",
            "my_ext = 1",
            "type 'a'",
            &deep,
            &negated,
        ] {
            assert!(text.parse::<Expression>().is_err(), "{text}");
        }
    }
}
