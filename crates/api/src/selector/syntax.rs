//! The text of label selectors: tokens, then a recursive descent that errs as Kubernetes' does.

use super::SelectorError;
use super::label::{Operator, Requirement, check_key};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    End,
    Word,
    Symbol,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
}

const END: Token<'static> = Token { kind: Kind::End, text: "" };
const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

impl Token<'_> {
    fn is(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Whether a requirement can begin here.
    fn opens(&self) -> bool {
        self.kind == Kind::Word || self.is("!")
    }
}

/// The requirements of a selector, in the order of the text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { tokens: tokens(text), next: 0 };
    let mut requirements = Vec::new();
    loop {
        let token = parser.peek();
        if token.kind == Kind::End {
            return Ok(requirements);
        }
        if !token.opens() {
            return Err(expected(token, "!, identifier, or 'end of string'"));
        }
        requirements.push(parser.requirement().map_err(|e| in_requirement(&e))?);
        let token = parser.take();
        if token.kind == Kind::End {
            return Ok(requirements);
        }
        if !token.is(",") {
            return Err(expected(token, "',' or 'end of string'"));
        }
        if !parser.peek().opens() {
            return Err(expected(parser.peek(), "identifier after ','"));
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or(END)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.peek().is("!");
        if absent {
            self.take();
        }
        let key = self.take();
        if key.kind != Kind::Word {
            return Err(expected(key, "identifier"));
        }
        if let Some(fault) = check_key(key.text) {
            return Err(SelectorError::Requirement(fault));
        }
        let alone = self.peek().kind == Kind::End || self.peek().is(",");
        match (absent, alone) {
            (true, _) => Requirement::new(key.text, Operator::DoesNotExist, Vec::new()),
            (false, true) => Requirement::new(key.text, Operator::Exists, Vec::new()),
            (false, false) => self.comparison(key.text),
        }
    }

    fn comparison(&mut self, key: &str) -> Result<Requirement, SelectorError> {
        let token = self.take();
        let operator = operator(token).ok_or_else(|| expected(token, OPERATORS))?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.set()?,
            _ => vec![self.value()?],
        };
        Requirement::new(key, operator, values)
    }

    /// `(a,b)`; a missing value is the empty one.
    fn set(&mut self) -> Result<Vec<String>, SelectorError> {
        let open = self.take();
        if !open.is("(") {
            return Err(SelectorError::Syntax(format!("found '{}' expected: '('", open.text)));
        }
        let mut values = Vec::new();
        loop {
            let value = if self.peek().kind == Kind::Word { self.take().text } else { "" };
            values.push(value.to_owned());
            let token = self.take();
            if token.is(")") {
                return Ok(values);
            }
            if !token.is(",") {
                let wanted = if value.is_empty() { "',', ')' or identifier" } else { "',' or ')'" };
                return Err(expected(token, wanted));
            }
        }
    }

    /// One value, empty before a comma or the end.
    fn value(&mut self) -> Result<String, SelectorError> {
        let token = self.peek();
        if token.kind == Kind::End || token.is(",") {
            return Ok(String::new());
        }
        match self.take() {
            Token { kind: Kind::Word, text } => Ok(text.to_owned()),
            other => Err(expected(other, "identifier")),
        }
    }
}

fn operator(token: Token<'_>) -> Option<Operator> {
    Some(match (token.kind, token.text) {
        (Kind::Word, "in") => Operator::In,
        (Kind::Word, "notin") => Operator::NotIn,
        (Kind::Symbol, "=" | "==") => Operator::Equals,
        (Kind::Symbol, "!=") => Operator::NotEquals,
        (Kind::Symbol, ">") => Operator::GreaterThan,
        (Kind::Symbol, "<") => Operator::LessThan,
        _ => return None,
    })
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = skip_blank(text);
    while !rest.is_empty() {
        let symbol = SYMBOLS.iter().find(|s| rest.starts_with(**s));
        let (kind, length) =
            symbol.map_or_else(|| (Kind::Word, word_length(rest)), |s| (Kind::Symbol, s.len()));
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text });
        rest = skip_blank(after);
    }
    tokens
}

fn skip_blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

fn word_length(text: &str) -> usize {
    text.find([' ', '\t', '\r', '\n', '=', '!', '(', ')', ',', '>', '<']).unwrap_or(text.len())
}

fn expected(found: Token<'_>, wanted: &str) -> SelectorError {
    SelectorError::Syntax(format!("found '{}', expected: {wanted}", found.text))
}

fn in_requirement(error: &SelectorError) -> SelectorError {
    SelectorError::Syntax(format!("unable to parse requirement: {error}"))
}
