//! The lexer: text to tokens, comments included.
//!
//! A newline ends a value: after a value, a closing bracket or a `?` it becomes a
//! comma token, unless the next character is `,` or `:` (so that any JSON reads
//! the same). A string with `\(…)` in it becomes several tokens with the tokens of
//! the expressions in between.

use crate::source::Span;

/// A token's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The end of the text.
    Eof,
    /// `// …`
    Comment,
    /// A name.
    Ident,
    /// A number.
    Number,
    /// A whole string literal.
    String,
    /// A string literal up to its first `\(`.
    StringStart,
    /// From `)` to the next `\(`.
    StringMiddle,
    /// From `)` to the closing quote.
    StringEnd,
    /// A written comma.
    Comma,
    /// A comma that a line end stands for.
    Newline,
    /// An operator, a bracket or a keyword, by its text.
    Fixed(&'static str),
}

impl Kind {
    /// The token's name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eof => "EOF",
            Self::Comment => "COMMENT",
            Self::Ident => "IDENT",
            Self::Number => "NUMBER",
            Self::String | Self::StringMiddle | Self::StringEnd => "STRING",
            Self::StringStart => "INTERPOLATION",
            Self::Comma | Self::Newline => ",",
            Self::Fixed(text) => text,
        }
    }
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'t str,
    /// Where it is.
    pub span: Span,
}

/// A problem in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LexError {
    /// What is wrong.
    pub message: String,
    /// Where it is.
    pub span: Span,
}

/// The words that cannot be names.
pub const KEYWORDS: [&str; 12] =
    ["if", "else", "for", "in", "let", "function", "lambda", "define", "default", "true", "false", "null"];

/// Longer operators first, so that the first match is the longest.
const OPERATORS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "=~", "!~", "+", "-", "*", "/", "<", ">", "!", "(", ")", "[", "]",
    "{", "}", ".", ":", "?", ",",
];

struct Quote {
    mark: u8,
    count: usize,
    /// Parentheses open inside of the expression.
    open: usize,
}

struct Lexer<'t> {
    text: &'t str,
    file: u32,
    offset: usize,
    ends_value: bool,
    strings: Vec<Quote>,
    tokens: Vec<Token<'t>>,
    errors: Vec<LexError>,
}

/// Cuts `text`, source number `file`, into tokens; the last one is `Eof`.
///
/// # Errors
/// Every problem in the text, in source order.
pub fn lex(text: &str, file: u32) -> Result<Vec<Token<'_>>, Vec<LexError>> {
    if text.len() >= u32::MAX as usize {
        let span = Span { file, start: 0, end: 0 };
        return Err(vec![LexError { message: "source is larger than 4 GiB".into(), span }]);
    }
    let mut lexer = Lexer {
        text,
        file,
        offset: if text.starts_with('\u{feff}') { 3 } else { 0 },
        ends_value: false,
        strings: Vec::new(),
        tokens: Vec::with_capacity(text.len() / 4),
        errors: Vec::new(),
    };
    while lexer.next() {}
    if lexer.errors.is_empty() { Ok(lexer.tokens) } else { Err(lexer.errors) }
}

impl<'t> Lexer<'t> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.offset + ahead).copied().unwrap_or(0)
    }

    fn at_end(&self) -> bool {
        self.offset >= self.text.len()
    }

    fn span(&self, start: usize) -> Span {
        Span { file: self.file, start: start as u32, end: self.offset as u32 }
    }

    fn error(&mut self, start: usize, message: impl Into<String>) {
        let mut span = self.span(start);
        span.end = span.end.max(span.start + 1).min(self.text.len() as u32);
        self.errors.push(LexError { message: message.into(), span });
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.ends_value = match kind {
            Kind::Ident | Kind::Number | Kind::String | Kind::StringEnd => true,
            Kind::Fixed(text) => {
                matches!(text, ")" | "]" | "}" | "?") || text.as_bytes()[0].is_ascii_lowercase()
            }
            _ => false,
        };
        let token = Token { kind, text: &self.text[start..self.offset], span: self.span(start) };
        self.tokens.push(token);
    }

    /// Reads one token; false at the end.
    fn next(&mut self) -> bool {
        self.skip_blanks();
        let start = self.offset;
        if self.at_end() {
            if self.ends_value {
                self.push(Kind::Newline, start);
            }
            self.push(Kind::Eof, start);
            return false;
        }
        let c = self.text[start..].chars().next().expect("not at the end");
        match c {
            '\n' => self.newline(),
            '0'..='9' => self.number(),
            '.' if self.peek(1).is_ascii_digit() => self.number(),
            '"' | '`' => self.string(),
            '/' if self.peek(1) == b'/' => self.comment(),
            '$' => {
                self.offset += 1;
                self.push(Kind::Ident, start);
            }
            _ if c.is_alphabetic() => self.word(),
            _ => self.operator(c),
        }
        true
    }

    fn skip_blanks(&mut self) {
        while !self.at_end() {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' => self.offset += 1,
                b'\n' if !self.ends_value => self.offset += 1,
                _ => break,
            }
        }
    }

    /// A line end after a value: a comma, unless `,` or `:` follows.
    fn newline(&mut self) {
        let start = self.offset;
        self.ends_value = false;
        self.skip_blanks();
        if !matches!(self.peek(0), b',' | b':') {
            let token = Token {
                kind: Kind::Newline,
                text: "\n",
                span: Span { file: self.file, start: start as u32, end: start as u32 + 1 },
            };
            self.tokens.push(token);
        }
    }

    fn comment(&mut self) {
        let start = self.offset;
        if self.ends_value {
            self.push(Kind::Newline, start);
            return;
        }
        let end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        self.offset = start + self.text[start..end].trim_end().len();
        self.push(Kind::Comment, start);
        self.offset = end;
    }

    fn word(&mut self) {
        let start = self.offset;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.offset += length;
        let word = &rest[..length];
        let kind = KEYWORDS.iter().find(|k| **k == word).map_or(Kind::Ident, |k| Kind::Fixed(k));
        self.push(kind, start);
    }

    fn operator(&mut self, c: char) {
        let start = self.offset;
        let rest = &self.text[start..];
        let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) else {
            self.offset += c.len_utf8();
            let message = match c {
                '\0' => "illegal character NUL".to_owned(),
                '\u{feff}' => "illegal byte order mark".to_owned(),
                _ => format!("illegal character U+{:04X} '{c}'", c as u32),
            };
            return self.error(start, message);
        };
        self.offset += op.len();
        if let Some(quote) = self.strings.last_mut() {
            match *op {
                "(" => quote.open += 1,
                ")" if quote.open == 0 => return self.resume_string(start),
                ")" => quote.open -= 1,
                _ => {}
            }
        }
        self.push(if *op == "," { Kind::Comma } else { Kind::Fixed(op) }, start);
    }

    fn digits(&mut self) {
        let mut last = 0;
        while self.peek(0).is_ascii_digit() || self.peek(0) == b'_' {
            if last == b'_' && self.peek(0) == b'_' {
                self.error(self.offset, "illegal '_' in number");
            }
            last = self.peek(0);
            self.offset += 1;
        }
        if last == b'_' {
            self.error(self.offset - 1, "illegal '_' in number");
        }
    }

    fn number(&mut self) {
        let start = self.offset;
        let zero = self.peek(0) == b'0';
        self.digits();
        let length = self.offset - start;
        let fraction = self.peek(0) == b'.' && self.peek(1) != b'.';
        if fraction {
            self.offset += 1;
            self.digits();
        }
        let exponent = matches!(self.peek(0), b'e' | b'E');
        if zero && length > 1 && !fraction && !exponent {
            self.error(start, "illegal integer number");
        }
        match self.peek(0) {
            _ if zero && length == 1 && !fraction && !exponent => {}
            b'K' | b'k' | b'M' | b'm' | b'G' | b'g' | b'T' | b't' | b'P' | b'p' => {
                self.offset += if self.peek(1) == b'i' { 2 } else { 1 };
            }
            b'e' | b'E' => {
                self.offset += if matches!(self.peek(1), b'+' | b'-') { 2 } else { 1 };
                if !self.peek(0).is_ascii_digit() {
                    self.error(start, "exponent has no digits");
                }
                self.digits();
            }
            _ => {}
        }
        self.push(Kind::Number, start);
    }

    fn repeated(&self, mark: u8, most: usize) -> usize {
        (0..most).take_while(|i| self.peek(*i) == mark).count()
    }

    fn string(&mut self) {
        let start = self.offset;
        let mark = self.peek(0);
        self.offset += 1;
        let more = self.repeated(mark, 2);
        self.offset += more;
        if more == 1 {
            return self.push(Kind::String, start);
        }
        self.string_rest(start, Quote { mark, count: more + 1, open: 0 }, Kind::StringStart, Kind::String);
    }

    /// At the `)` that ends an expression in a string.
    fn resume_string(&mut self, start: usize) {
        let quote = self.strings.pop().expect("only called inside of a string");
        self.string_rest(start, quote, Kind::StringMiddle, Kind::StringEnd);
    }

    fn string_rest(&mut self, start: usize, quote: Quote, open: Kind, closed: Kind) {
        loop {
            if self.at_end() || (quote.count == 1 && self.peek(0) == b'\n') {
                self.error(start, "string literal not terminated");
                return;
            }
            let marks = self.repeated(quote.mark, quote.count);
            self.offset += marks;
            if marks == quote.count {
                return self.push(closed, start);
            }
            if marks > 0 {
                continue;
            }
            if self.peek(0) != b'\\' {
                self.skip_char();
                continue;
            }
            self.offset += 1;
            if quote.mark == b'"' && self.peek(0) == b'(' {
                self.offset += 1;
                self.strings.push(quote);
                return self.push(open, start);
            }
            if quote.mark == b'"' || self.peek(0) == quote.mark {
                self.skip_char();
            }
        }
    }

    fn skip_char(&mut self) {
        if let Some(c) = self.text[self.offset..].chars().next() {
            if c == '\0' {
                self.error(self.offset, "illegal character NUL");
            }
            self.offset += c.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_become_commas_only_after_values() {
        let cases = [
            ("a: 1\nb", "IDENT : NUMBER , IDENT , EOF"),
            ("a:\n1", "IDENT : NUMBER , EOF"),
            ("a\n: 1", "IDENT : NUMBER , EOF"),
            ("a\n, 1", "IDENT , NUMBER , EOF"),
            ("a + // c\n1", "IDENT + COMMENT NUMBER , EOF"),
            ("a // c\n1", "IDENT , COMMENT NUMBER , EOF"),
            ("\"x\\(a + (b))y\"", "INTERPOLATION IDENT + ( IDENT ) STRING , EOF"),
            ("1Ki .5 1.5e-3 0K", "NUMBER NUMBER NUMBER NUMBER IDENT , EOF"),
            ("if\n", "if , EOF"),
        ];
        for (text, expected) in cases {
            let tokens = lex(text, 1).unwrap();
            let names: Vec<&str> = tokens.iter().map(|t| t.kind.name()).collect();
            assert_eq!(names.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn bad_texts_say_why() {
        let cases = [
            ("01", "illegal integer number"),
            ("1__0", "illegal '_' in number"),
            ("1_", "illegal '_' in number"),
            ("\"a", "string literal not terminated"),
            ("`a\n`", "string literal not terminated"),
            ("#", "illegal character U+0023 '#'"),
            ("a = 1", "illegal character U+003D '='"),
            ("_a", "illegal character U+005F '_'"),
        ];
        for (text, expected) in cases {
            assert_eq!(lex(text, 1).unwrap_err()[0].message, expected, "{text}");
        }
    }
}
