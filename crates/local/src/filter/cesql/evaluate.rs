//! Evaluates an expression for one event; the first error ends it.

use super::{Node, Operator, Value};
use crate::message::Message;

/// An evaluation error. What it was does not matter: the event does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed;

impl Node {
    pub(super) fn evaluate(&self, message: &Message) -> Result<Value, Failed> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Attribute(name) => {
                let value = message.attribute(name).ok_or(Failed)?;
                Ok(Value::String(value.to_owned()))
            }
            Self::Exists(name) => Ok(Value::Boolean(message.attribute(name).is_some())),
            Self::Not(inner) => Ok(Value::Boolean(!inner.evaluate(message)?.boolean()?)),
            Self::Minus(inner) => {
                let negative = inner.evaluate(message)?.integer()?.checked_neg();
                negative.map(Value::Integer).ok_or(Failed)
            }
            Self::Binary(left, operator, right) => binary(left, *operator, right, message),
            Self::Like(inner, pattern) => {
                let text = inner.evaluate(message)?.string();
                Ok(Value::Boolean(is_like(&text, pattern)))
            }
            Self::In(inner, elements) => {
                let value = inner.evaluate(message)?;
                for element in elements {
                    let element = element.evaluate(message)?;
                    if element.cast_like(&value)? == value {
                        return Ok(Value::Boolean(true));
                    }
                }
                Ok(Value::Boolean(false))
            }
            Self::Call(function, arguments) => {
                let values: Result<Vec<_>, _> = arguments.iter().map(|argument| argument.evaluate(message)).collect();
                function.call(&values?)
            }
        }
    }
}

impl Value {
    pub(super) fn string(&self) -> String {
        match self {
            Self::String(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(flag) => flag.to_string(),
        }
    }

    pub(super) fn integer(&self) -> Result<i32, Failed> {
        match self {
            Self::String(text) => text.parse().map_err(|_| Failed),
            Self::Integer(number) => Ok(*number),
            Self::Boolean(flag) => Ok(i32::from(*flag)),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, Failed> {
        match self {
            Self::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::String(_) => Err(Failed),
            Self::Integer(number) => Ok(*number != 0),
            Self::Boolean(flag) => Ok(*flag),
        }
    }

    fn cast_like(&self, model: &Self) -> Result<Self, Failed> {
        match model {
            Self::String(_) => Ok(Self::String(self.string())),
            Self::Integer(_) => self.integer().map(Self::Integer),
            Self::Boolean(_) => self.boolean().map(Self::Boolean),
        }
    }
}

fn binary(left: &Node, operator: Operator, right: &Node, message: &Message) -> Result<Value, Failed> {
    let left = left.evaluate(message)?;
    match operator {
        Operator::And if !left.boolean()? => return Ok(Value::Boolean(false)),
        Operator::Or if left.boolean()? => return Ok(Value::Boolean(true)),
        _ => {}
    }
    let right = right.evaluate(message)?;
    let flag = match operator {
        Operator::And | Operator::Or => right.boolean()?,
        Operator::Xor => left.boolean()? != right.boolean()?,
        Operator::Equal => left.cast_like(&right)? == right,
        Operator::NotEqual => left.cast_like(&right)? != right,
        Operator::Less => left.integer()? < right.integer()?,
        Operator::LessOrEqual => left.integer()? <= right.integer()?,
        Operator::Greater => left.integer()? > right.integer()?,
        Operator::GreaterOrEqual => left.integer()? >= right.integer()?,
        _ => return arithmetic(left.integer()?, operator, right.integer()?),
    };
    Ok(Value::Boolean(flag))
}

fn arithmetic(left: i32, operator: Operator, right: i32) -> Result<Value, Failed> {
    let result = match operator {
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
        Operator::Add => left.checked_add(right),
        _ => left.checked_sub(right),
    };
    result.map(Value::Integer).ok_or(Failed)
}

/// Matches `%` as any run of characters and `_` as one; a backslash takes the next character literally.
///
/// Goes back to the last `%` only, so the time is at most pattern times text.
fn is_like(text: &str, pattern: &str) -> bool {
    enum Part {
        Any,
        One,
        Exactly(char),
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
            _ => Part::Exactly(character),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at_text, mut at_part) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match parts.get(at_part) {
            Some(Part::Any) => {
                last_any = Some((at_part, at_text));
                at_part += 1;
                continue;
            }
            Some(Part::One) => {
                (at_text, at_part) = (at_text + 1, at_part + 1);
                continue;
            }
            Some(Part::Exactly(expected)) if *expected == text[at_text] => {
                (at_text, at_part) = (at_text + 1, at_part + 1);
                continue;
            }
            _ => {}
        }
        let Some((any, matched)) = last_any else {
            return false;
        };
        last_any = Some((any, matched + 1));
        (at_part, at_text) = (any + 1, matched + 1);
    }
    parts[at_part..].iter().all(|part| matches!(part, Part::Any))
}
