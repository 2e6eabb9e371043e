//! Cuts an expression into words, literals and signs.

use super::ParseError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, an attribute, a function's name or an integer.
    Word(String),
    Text(String),
    Sign(&'static str),
}

/// Signs, longer ones before those they begin with.
const SIGNS: [&str; 15] = ["<>", "<=", ">=", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ","];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let used = if first == '\'' || first == '"' {
            let (literal, used) = string(rest, first)?;
            tokens.push(Token::Text(literal));
            used
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let length = rest.find(is_end).unwrap_or(rest.len());
            if length == 0 {
                return Err(ParseError(format!("unexpected `{first}`")));
            }
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        };
        rest = rest[used..].trim_start();
    }
    Ok(tokens)
}

/// Reads a quoted string; only its own quote is unescaped, because `LIKE` patterns have escapes of their own.
fn string(text: &str, quote: char) -> Result<(String, usize), ParseError> {
    let mut literal = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character == quote {
            return Ok((literal, position + 1));
        }
        match characters.peek() {
            Some(&(_, next)) if character == '\\' && next == quote => {
                literal.push(quote);
                characters.next();
            }
            Some(&(_, next)) if character == '\\' => {
                literal.push(character);
                literal.push(next);
                characters.next();
            }
            _ => literal.push(character),
        }
    }
    Err(ParseError(format!("missing closing {quote}")))
}
