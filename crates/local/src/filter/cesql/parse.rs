//! Builds the tree of an expression by operator precedence.

use super::{
    Node, Operator, ParseError, Value,
    function::Function,
    token::{Token, tokens},
};

/// Deepest nesting, far above any sensible filter and far below the stack's end.
const MAX_DEPTH: usize = 64;

const PREFIX: u8 = 60;
const LIKE: u8 = 50;
const IN: u8 = 45;

/// Longest text: operators of one precedence make a tree as deep as the text is long.
const MAX_LENGTH: usize = 4096;

pub(super) fn expression(text: &str) -> Result<Node, ParseError> {
    if text.len() > MAX_LENGTH {
        return Err(ParseError(format!("longer than {MAX_LENGTH} bytes")));
    }
    let mut parser = Parser { tokens: tokens(text)?, position: 0, depth: 0 };
    let node = parser.expression(0)?;
    match parser.peek() {
        None => Ok(node),
        Some(token) => Err(unexpected(Some(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
    depth: usize,
}

impl Parser {
    /// Reads operands and operators that bind at least as tightly as `minimum`.
    fn expression(&mut self, minimum: u8) -> Result<Node, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError("nested too deeply".to_owned()));
        }
        let mut left = self.operand()?;
        loop {
            let negated = self.is_keyword("NOT");
            if negated && self.position + 1 >= self.tokens.len() {
                break;
            }
            if negated {
                self.position += 1;
            }
            if LIKE >= minimum && self.take_keyword("LIKE") {
                let Some(Token::Text(pattern)) = self.next() else {
                    return Err(ParseError("LIKE needs a string literal".to_owned()));
                };
                left = negate(Node::Like(Box::new(left), pattern), negated);
                continue;
            }
            if IN >= minimum && self.take_keyword("IN") {
                self.expect("(")?;
                let elements = self.list()?;
                if elements.is_empty() {
                    return Err(ParseError("IN needs at least one element".to_owned()));
                }
                left = negate(Node::In(Box::new(left), elements), negated);
                continue;
            }
            if negated {
                self.position -= 1;
                break;
            }
            let Some((operator, binding, right_minimum)) = self.peek().and_then(binary) else {
                break;
            };
            if binding < minimum {
                break;
            }
            self.position += 1;
            let right = self.expression(right_minimum)?;
            left = Node::Binary(Box::new(left), operator, Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, ParseError> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Node::Literal(Value::String(text))),
            Some(Token::Sign("(")) => {
                let node = self.expression(0)?;
                self.expect(")")?;
                Ok(node)
            }
            Some(Token::Sign("-")) => Ok(Node::Minus(Box::new(self.expression(PREFIX)?))),
            Some(Token::Sign("+")) => self.expression(PREFIX),
            Some(Token::Word(word)) => self.word(&word),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn word(&mut self, word: &str) -> Result<Node, ParseError> {
        if self.peek() == Some(&Token::Sign("(")) && !word.eq_ignore_ascii_case("NOT") {
            self.position += 1;
            let arguments = self.list()?;
            let function = Function::find(word, arguments.len())
                .ok_or_else(|| ParseError(format!("no function {word} with {} arguments", arguments.len())))?;
            return Ok(Node::Call(function, arguments));
        }
        match word.to_ascii_uppercase().as_str() {
            "TRUE" => Ok(Node::Literal(Value::Boolean(true))),
            "FALSE" => Ok(Node::Literal(Value::Boolean(false))),
            "NOT" => Ok(Node::Not(Box::new(self.expression(PREFIX)?))),
            "EXISTS" => match self.next() {
                Some(Token::Word(name)) => Ok(Node::Exists(attribute(&name)?)),
                other => Err(unexpected(other.as_ref())),
            },
            _ if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = word.parse().map_err(|_| ParseError(format!("{word} is no 32 bit integer")))?;
                Ok(Node::Literal(Value::Integer(number)))
            }
            _ => Ok(Node::Attribute(attribute(word)?)),
        }
    }

    /// Reads expressions up to the closing parenthesis; the opening one is read.
    fn list(&mut self) -> Result<Vec<Node>, ParseError> {
        let mut elements = Vec::new();
        if self.peek() == Some(&Token::Sign(")")) {
            self.position += 1;
            return Ok(elements);
        }
        loop {
            elements.push(self.expression(0)?);
            match self.next() {
                Some(Token::Sign(",")) => {}
                Some(Token::Sign(")")) => return Ok(elements),
                other => return Err(unexpected(other.as_ref())),
            }
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    fn expect(&mut self, sign: &str) -> Result<(), ParseError> {
        match self.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        self.position += usize::from(found);
        found
    }
}

/// The operator, how tightly it binds, and the least binding of its right operand.
fn binary(token: &Token) -> Option<(Operator, u8, u8)> {
    let found = match token {
        Token::Sign("*") => (Operator::Multiply, 40, 41),
        Token::Sign("/") => (Operator::Divide, 40, 41),
        Token::Sign("%") => (Operator::Remainder, 40, 41),
        Token::Sign("+") => (Operator::Add, 30, 31),
        Token::Sign("-") => (Operator::Subtract, 30, 31),
        Token::Sign("=") => (Operator::Equal, 20, 21),
        Token::Sign("!=" | "<>") => (Operator::NotEqual, 20, 21),
        Token::Sign("<") => (Operator::Less, 20, 21),
        Token::Sign("<=") => (Operator::LessOrEqual, 20, 21),
        Token::Sign(">") => (Operator::Greater, 20, 21),
        Token::Sign(">=") => (Operator::GreaterOrEqual, 20, 21),
        Token::Word(word) if word.eq_ignore_ascii_case("AND") => (Operator::And, 10, 10),
        Token::Word(word) if word.eq_ignore_ascii_case("OR") => (Operator::Or, 10, 10),
        Token::Word(word) if word.eq_ignore_ascii_case("XOR") => (Operator::Xor, 10, 10),
        _ => return None,
    };
    Some(found)
}

fn negate(node: Node, negated: bool) -> Node {
    if negated {
        return Node::Not(Box::new(node));
    }
    node
}

fn attribute(name: &str) -> Result<String, ParseError> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_name {
        return Ok(name.to_owned());
    }
    Err(ParseError(format!("`{name}` is no attribute name")))
}

fn unexpected(token: Option<&Token>) -> ParseError {
    match token {
        None => ParseError("unexpected end".to_owned()),
        Some(Token::Word(word)) => ParseError(format!("unexpected `{word}`")),
        Some(Token::Text(text)) => ParseError(format!("unexpected '{text}'")),
        Some(Token::Sign(sign)) => ParseError(format!("unexpected `{sign}`")),
    }
}
