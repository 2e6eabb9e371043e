//! The language's built-in functions.

use super::{Value, evaluate::Failed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Length,
    Concat,
    ConcatWithSeparator,
    Lower,
    Upper,
    Trim,
    Left,
    Right,
    Substring,
    Absolute,
    Integer,
    Boolean,
    String,
    IsInteger,
    IsBoolean,
}

impl Function {
    /// The function of that name, case-insensitive, that takes so many arguments.
    pub(super) fn find(name: &str, arguments: usize) -> Option<Self> {
        let (function, allowed) = match name.to_ascii_uppercase().as_str() {
            "LENGTH" => (Self::Length, arguments == 1),
            "CONCAT" => (Self::Concat, true),
            "CONCAT_WS" => (Self::ConcatWithSeparator, arguments >= 1),
            "LOWER" => (Self::Lower, arguments == 1),
            "UPPER" => (Self::Upper, arguments == 1),
            "TRIM" => (Self::Trim, arguments == 1),
            "LEFT" => (Self::Left, arguments == 2),
            "RIGHT" => (Self::Right, arguments == 2),
            "SUBSTRING" => (Self::Substring, arguments == 2 || arguments == 3),
            "ABS" => (Self::Absolute, arguments == 1),
            "INT" => (Self::Integer, arguments == 1),
            "BOOL" => (Self::Boolean, arguments == 1),
            "STRING" => (Self::String, arguments == 1),
            "IS_INT" => (Self::IsInteger, arguments == 1),
            "IS_BOOL" => (Self::IsBoolean, arguments == 1),
            _ => return None,
        };
        allowed.then_some(function)
    }

    /// Applies the function; the number of arguments was checked when it was found.
    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, Failed> {
        let first = arguments.first().ok_or(Failed);
        let texts = || arguments.iter().map(Value::string);
        let number = |index: usize| arguments.get(index).ok_or(Failed).and_then(Value::integer);
        let value = match self {
            Self::Length => {
                let length = first?.string().chars().count();
                Value::Integer(i32::try_from(length).map_err(|_| Failed)?)
            }
            Self::Concat => Value::String(texts().collect()),
            Self::ConcatWithSeparator => {
                let rest: Vec<String> = texts().skip(1).collect();
                Value::String(rest.join(&first?.string()))
            }
            Self::Lower => Value::String(first?.string().to_lowercase()),
            Self::Upper => Value::String(first?.string().to_uppercase()),
            Self::Trim => Value::String(first?.string().trim().to_owned()),
            Self::Left => {
                let count = usize::try_from(number(1)?).map_err(|_| Failed)?;
                Value::String(first?.string().chars().take(count).collect())
            }
            Self::Right => {
                let count = usize::try_from(number(1)?).map_err(|_| Failed)?;
                let characters: Vec<char> = first?.string().chars().collect();
                let start = characters.len().saturating_sub(count);
                Value::String(characters[start..].iter().collect())
            }
            Self::Substring => {
                let length = match arguments.len() {
                    3 => Some(number(2)?),
                    _ => None,
                };
                Value::String(substring(&first?.string(), number(1)?, length)?)
            }
            Self::Absolute => Value::Integer(first?.integer()?.checked_abs().ok_or(Failed)?),
            Self::Integer => Value::Integer(first?.integer()?),
            Self::Boolean => Value::Boolean(first?.boolean()?),
            Self::String => Value::String(first?.string()),
            Self::IsInteger => Value::Boolean(first?.integer().is_ok()),
            Self::IsBoolean => Value::Boolean(first?.boolean().is_ok()),
        };
        Ok(value)
    }
}

/// Characters from `position` on, which counts from 1, or from the end where negative; 0 gives nothing.
fn substring(text: &str, position: i32, length: Option<i32>) -> Result<String, Failed> {
    let characters: Vec<char> = text.chars().collect();
    let count = i64::try_from(characters.len()).map_err(|_| Failed)?;
    let position = i64::from(position);
    if position > count || position < -count {
        return Err(Failed);
    }
    let limit = match length {
        Some(length) => usize::try_from(length).map_err(|_| Failed)?,
        None => characters.len(),
    };
    let start = match position {
        0 => return Ok(String::new()),
        1.. => position - 1,
        _ => count + position,
    };
    let start = usize::try_from(start).map_err(|_| Failed)?;
    Ok(characters[start..].iter().take(limit).collect())
}
