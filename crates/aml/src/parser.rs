//! The parser: tokens to [`tree`](crate::tree).
//!
//! It stops at the first problem of a source: everything after a wrong token would
//! be a guess, and a guess is a second error for the same cause.

mod comments;
mod expressions;

use crate::diagnostics::{Code, Fault, FaultBox};
use crate::limits::with_stack;
use crate::quotes::unquote;
use crate::source::Span;
use crate::tokens::{Kind, Token, lex};
use crate::tree::{
    Body, Comment, Decl, DeclNode, Expr, ExprNode, Field, Ident, Label, LabelNode, Operator, Text,
};
use std::sync::Arc;

type Parsed<T> = Result<T, FaultBox>;

pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    /// Comments with the index of the token that follows each.
    comments: Vec<(usize, Comment)>,
    /// Comments before this index have found their place.
    placed: usize,
    next: usize,
    depth: usize,
    nesting: usize,
}

/// Parses one source, number `file`, as a document.
pub(crate) fn parse_document(text: &str, file: u32, nesting: usize) -> Result<Body, Vec<FaultBox>> {
    let mut parser = Parser::new(text, file, nesting)?;
    parser.document().map_err(|fault| vec![fault])
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, file: u32, nesting: usize) -> Result<Self, Vec<FaultBox>> {
        let all = lex(text, file).map_err(|errors| {
            errors.into_iter().map(|e| Fault::new(Code::Syntax, e.message).at(e.span)).collect::<Vec<_>>()
        })?;
        let (tokens, comments) = comments::separate(text, all);
        Ok(Self { text, tokens, comments, placed: 0, next: 0, depth: 0, nesting })
    }

    fn document(&mut self) -> Parsed<Body> {
        let start = self.token().span;
        let decls = self.decls("\u{0}")?;
        self.expect_eof()?;
        let dangling = self.take_comments();
        let span = Span { file: start.file, start: 0, end: self.text.len() as u32 };
        Ok(Body { decls, dangling, span, broken: true, braces: false })
    }

    fn expect_eof(&self) -> Parsed<()> {
        if self.token().kind == Kind::Eof { Ok(()) } else { Err(self.expected("'EOF'")) }
    }

    fn token(&self) -> Token<'t> {
        self.tokens[self.next]
    }

    fn ahead(&self, by: usize) -> Kind {
        self.tokens.get(self.next + by).map_or(Kind::Eof, |t| t.kind)
    }

    fn is(&self, text: &str) -> bool {
        matches!(self.token().kind, Kind::Fixed(fixed) if fixed == text)
    }

    fn advance(&mut self) -> Token<'t> {
        let token = self.token();
        if token.kind != Kind::Eof {
            self.next += 1;
        }
        token
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, text: &'static str) -> Parsed<Span> {
        if self.is(text) { Ok(self.advance().span) } else { Err(self.expected(&format!("'{text}'"))) }
    }

    /// The end of the token before the current one.
    fn last_span(&self) -> Span {
        self.tokens[self.next.saturating_sub(1)].span
    }

    fn error(&self, message: impl Into<String>) -> FaultBox {
        Fault::new(Code::Syntax, message).at(self.token().span)
    }

    fn expected(&self, what: &str) -> FaultBox {
        let token = self.token();
        self.error(match token.kind {
            Kind::Newline => format!("expected {what}, found newline"),
            Kind::Ident | Kind::Number | Kind::String | Kind::StringStart => {
                format!("expected {what}, found '{}' {}", token.kind.name(), token.text)
            }
            kind => format!("expected {what}, found '{}'", kind.name()),
        })
    }

    /// Runs `parse` one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.level()?;
        let result = with_stack(|| parse(self));
        self.depth -= 1;
        result
    }

    fn level(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > self.nesting {
            let message = format!("source nests deeper than {} levels", self.nesting);
            return Err(Fault::new(Code::Limit, message).at(self.token().span));
        }
        Ok(())
    }

    fn ident(&mut self) -> Parsed<Ident> {
        if self.token().kind != Kind::Ident {
            return Err(self.expected("'IDENT'"));
        }
        let token = self.advance();
        Ok(Ident { name: token.text.into(), span: token.span })
    }

    /// Declarations up to `close` or the end of the text.
    fn decls(&mut self, close: &str) -> Parsed<Vec<Decl>> {
        let mut decls = Vec::new();
        while !self.is(close) && self.token().kind != Kind::Eof {
            decls.push(self.separated_decl(close)?);
        }
        Ok(decls)
    }

    fn separated_decl(&mut self, close: &str) -> Parsed<Decl> {
        let mut comments = self.open_comments();
        let mut decl = self.decl()?;
        let ended = match self.token().kind {
            Kind::Comma | Kind::Newline => {
                self.advance();
                true
            }
            Kind::Eof => close == "\u{0}",
            _ => self.is(close),
        };
        if !ended {
            let context = if close == ")" { "func arg" } else { "struct literal" };
            return Err(self.missing_comma(context, &decl));
        }
        self.close_comments(&mut comments, decl.span);
        decl.comments = comments;
        Ok(decl)
    }

    fn missing_comma(&self, context: &str, before: &Decl) -> FaultBox {
        let dashed = matches!(
            &before.node,
            DeclNode::Embed(Expr { node: ExprNode::Binary { op: Operator::Sub, .. }, .. })
        );
        let hint = match self.token().kind {
            Kind::Fixed(":") if dashed => Some("a key with - in it needs quotes".to_owned()),
            Kind::Fixed(":") => Some("a key is a name or a string".to_owned()),
            _ => None,
        };
        self.error(format!("missing ',' in {context}")).hinted(hint)
    }

    fn decl(&mut self) -> Parsed<Decl> {
        self.deeper(|p| if p.is("let") { p.let_decl() } else { p.field_or_embed() })
    }

    fn let_decl(&mut self) -> Parsed<Decl> {
        let start = self.expect("let")?;
        let name = self.ident()?;
        self.expect(":")?;
        let value = self.expr()?;
        let span = start.to(value.span);
        Ok(Decl { node: DeclNode::Let { name, value }, comments: Default::default(), span })
    }

    fn field_or_embed(&mut self) -> Parsed<Decl> {
        let start = self.token().span;
        let matches = self.token().text == "match"
            && self.token().kind == Kind::Ident
            && matches!(self.ahead(1), Kind::String | Kind::StringStart);
        if matches {
            self.advance();
        }
        let expr = if matches { self.operand()? } else { self.expr()? };
        let labelled = matches || self.is("?") || self.is(":");
        match as_label(&expr).filter(|_| labelled) {
            Some(node) => self.field(Label { node, matches, span: start.to(expr.span) }),
            None => {
                let span = expr.span;
                Ok(Decl { node: DeclNode::Embed(expr), comments: Default::default(), span })
            }
        }
    }

    fn field(&mut self, label: Label) -> Parsed<Decl> {
        let optional = self.eat("?");
        self.expect(":")?;
        let inner = self.decl()?;
        let span = label.span.to(inner.span);
        let value = match inner.node {
            DeclNode::Embed(expr) => expr,
            _ => implied_struct(inner),
        };
        Ok(Decl {
            node: DeclNode::Field(Field { label, optional, value }),
            comments: Default::default(),
            span,
        })
    }

    /// `{ … }`
    fn body(&mut self) -> Parsed<Body> {
        let start = self.expect("{")?;
        let broken = self.breaks_line(start);
        let decls = self.decls("}")?;
        let dangling = self.take_comments();
        let end = self.expect("}")?;
        Ok(Body {
            decls,
            broken: broken || !dangling.is_empty(),
            dangling,
            span: start.to(end),
            braces: true,
        })
    }

    fn struct_expr(&mut self) -> Parsed<Expr> {
        let body = self.deeper(Self::body)?;
        let span = body.span;
        Ok(Expr { node: ExprNode::Struct(Box::new(body)), span })
    }

    /// True when a line ends between `opener` and the current token.
    fn breaks_line(&self, opener: Span) -> bool {
        self.text[opener.end as usize..self.token().span.start as usize].contains('\n')
    }

    fn text(&self, token: Token<'t>) -> Parsed<Text> {
        let mut texts = unquote(&[token.text]).map_err(|m| Fault::new(Code::Syntax, m).at(token.span))?;
        Ok(Text { raw: token.text.into(), value: texts.swap_remove(0).into() })
    }
}

/// The struct that `a: b: 1` implies around `b: 1`.
fn implied_struct(decl: Decl) -> Expr {
    let span = decl.span;
    let body = Body { decls: vec![decl], dangling: Vec::new(), span, broken: false, braces: false };
    Expr { node: ExprNode::Struct(Box::new(body)), span }
}

/// The label an expression before a colon is.
fn as_label(expr: &Expr) -> Option<LabelNode> {
    match &expr.node {
        ExprNode::Ident(name) => Some(LabelNode::Ident(Arc::clone(name))),
        ExprNode::Text(text) => Some(LabelNode::Text(text.clone())),
        ExprNode::Interpolation(parts) => Some(LabelNode::Interpolation(parts.clone())),
        _ => None,
    }
}
