//! Expressions, from the loosest binding to the tightest.

use super::{Parsed, Parser};
use crate::diagnostics::{Code, Fault};
use crate::quotes::unquote;
use crate::tokens::Kind;
use crate::tree::{
    Body, Decl, Expr, ExprNode, For, Function, If, Interpolation, Item, Lambda, List, Operator, Spot,
};

const BINARY: [Operator; 14] = [
    Operator::Or,
    Operator::And,
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
    Operator::Match,
    Operator::NotMatch,
    Operator::Add,
    Operator::Sub,
    Operator::Mul,
    Operator::Div,
];

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(|p| p.binary(1))
    }

    fn binary_operator(&self) -> Option<Operator> {
        let Kind::Fixed(text) = self.token().kind else { return None };
        BINARY.into_iter().find(|op| op.text() == text)
    }

    /// Operators of at least this precedence, grouped to the left.
    fn binary(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = self.unary()?;
        let depth = self.depth;
        while let Some(op) = self.binary_operator().filter(|op| op.precedence() >= least) {
            // A chain makes the tree deeper with every operator.
            self.level()?;
            let op_span = Spot(self.advance().span);
            let right = self.binary(op.precedence() + 1)?;
            let span = left.span.to(right.span);
            let node = ExprNode::Binary { op, op_span, left: Box::new(left), right: Box::new(right) };
            left = Expr { node, span };
        }
        self.depth = depth;
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let op = match self.token().kind {
            Kind::Fixed("+") => Operator::Add,
            Kind::Fixed("-") => Operator::Sub,
            Kind::Fixed("!") => Operator::Not,
            _ => return self.primary(),
        };
        let start = self.advance().span;
        let operand = self.deeper(Self::unary)?;
        let span = start.to(operand.span);
        Ok(Expr { node: ExprNode::Unary { op, operand: Box::new(operand) }, span })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let mut expr = self.operand()?;
        let depth = self.depth;
        loop {
            self.level()?;
            expr = match self.token().kind {
                Kind::Fixed(".") => self.select(expr)?,
                Kind::Fixed("[") => self.index(expr)?,
                Kind::Fixed("(") => self.call(expr)?,
                _ => break,
            };
        }
        self.depth = depth;
        Ok(expr)
    }

    fn select(&mut self, base: Expr) -> Parsed<Expr> {
        self.expect(".")?;
        if self.token().kind != Kind::Ident {
            return Err(self
                .expected("selector")
                .hinted(Some("use [\"…\"] for keys that are not names".into())));
        }
        let name = self.ident()?;
        let span = base.span.to(name.span);
        Ok(Expr { node: ExprNode::Select { base: Box::new(base), name }, span })
    }

    fn index(&mut self, base: Expr) -> Parsed<Expr> {
        self.expect("[")?;
        let start = if self.is(":") { None } else { Some(Box::new(self.expr()?)) };
        let slice = self.eat(":");
        let end = if slice && !self.is("]") { Some(Box::new(self.expr()?)) } else { None };
        let close = self.expect("]")?;
        let span = base.span.to(close);
        let base = Box::new(base);
        let node = match (slice, start) {
            (false, Some(index)) => ExprNode::Index { base, index },
            (_, start) => ExprNode::Slice { base, start, end },
        };
        Ok(Expr { node, span })
    }

    fn call(&mut self, function: Expr) -> Parsed<Expr> {
        let paren = self.expect("(")?;
        let broken = self.breaks_line(paren);
        let decls = self.decls(")")?;
        let dangling = self.take_comments();
        let close = self.expect(")")?;
        let span = function.span.to(close);
        let broken = broken || !dangling.is_empty();
        let args = Box::new(Body { decls, dangling, span: paren.to(close), broken, braces: true });
        Ok(Expr { node: ExprNode::Call { function: Box::new(function), paren: Spot(paren), args }, span })
    }

    pub(super) fn operand(&mut self) -> Parsed<Expr> {
        let token = self.token();
        let node = match token.kind {
            Kind::Ident => ExprNode::Ident(self.advance().text.into()),
            Kind::Number => ExprNode::Number(self.advance().text.into()),
            Kind::String => {
                let token = self.advance();
                ExprNode::Text(self.text(token)?)
            }
            Kind::StringStart => return self.interpolation(),
            Kind::Fixed("null") => self.word(ExprNode::Null),
            Kind::Fixed("true") => self.word(ExprNode::Bool(true)),
            Kind::Fixed("false") => self.word(ExprNode::Bool(false)),
            Kind::Fixed("{") => return self.struct_expr(),
            Kind::Fixed("[") => return self.list(),
            Kind::Fixed("(") => return self.paren(),
            Kind::Fixed("if") => return self.conditional(),
            Kind::Fixed("for") => return self.for_expr(),
            Kind::Fixed("function") => return self.function(),
            Kind::Fixed("lambda") => return self.lambda(),
            Kind::Fixed("define") => return self.define(),
            Kind::Fixed("default") => return self.default_expr(),
            Kind::Fixed("else") => {
                let hint = "write else on the line of the closing brace".to_owned();
                return Err(self.expected("operand").hinted(Some(hint)));
            }
            _ => return Err(self.expected("operand")),
        };
        Ok(Expr { node, span: token.span })
    }

    fn word(&mut self, node: ExprNode) -> ExprNode {
        self.advance();
        node
    }

    fn interpolation(&mut self) -> Parsed<Expr> {
        let first = self.advance();
        let mut pieces = vec![first.text];
        let mut exprs = Vec::new();
        loop {
            exprs.push(self.expr()?);
            let token = self.token();
            if !matches!(token.kind, Kind::StringMiddle | Kind::StringEnd) {
                return Err(self.error("expected ')' for string interpolation"));
            }
            self.advance();
            pieces.push(token.text);
            if token.kind == Kind::StringEnd {
                break;
            }
        }
        let span = first.span.to(self.last_span());
        let texts = unquote(&pieces).map_err(|m| Fault::new(Code::Syntax, m).at(span))?;
        let raw = pieces.into_iter().map(Into::into).collect();
        let texts = texts.into_iter().map(Into::into).collect();
        Ok(Expr { node: ExprNode::Interpolation(Interpolation { raw, texts, exprs }), span })
    }

    fn paren(&mut self) -> Parsed<Expr> {
        let start = self.expect("(")?;
        let inner = self.expr()?;
        let end = self.expect(")")?;
        Ok(Expr { node: ExprNode::Paren(Box::new(inner)), span: start.to(end) })
    }

    fn list(&mut self) -> Parsed<Expr> {
        let start = self.expect("[")?;
        if self.is("for") {
            return self.list_for(start);
        }
        let broken = self.breaks_line(start);
        let mut items = Vec::new();
        while !self.is("]") {
            items.push(self.list_item()?);
        }
        let dangling = self.take_comments();
        let end = self.expect("]")?;
        let broken = broken || !dangling.is_empty();
        Ok(Expr { node: ExprNode::List(List { items, dangling, broken }), span: start.to(end) })
    }

    fn list_item(&mut self) -> Parsed<Item> {
        let mut comments = self.open_comments();
        let value = self.expr()?;
        match self.token().kind {
            Kind::Comma => {
                self.advance();
            }
            Kind::Newline => {
                self.advance();
                if !self.is("]") {
                    let hint = Some("put a comma at the end of the line before".to_owned());
                    return Err(self.error("missing ',' before newline in list literal").hinted(hint));
                }
            }
            _ if self.is("]") => {}
            _ => return Err(self.error("missing ',' in list literal")),
        }
        self.close_comments(&mut comments, value.span);
        Ok(Item { value, comments })
    }

    fn list_for(&mut self, start: crate::source::Span) -> Parsed<Expr> {
        self.expect("for")?;
        let (key, value, collection) = self.for_clause()?;
        let body = self.expr()?;
        if self.token().kind == Kind::Newline {
            self.advance();
        }
        let end = self.expect("]")?;
        let node = ExprNode::ListFor(Box::new(For { key, value, collection, body, otherwise: None }));
        Ok(Expr { node, span: start.to(end) })
    }

    fn for_clause(&mut self) -> Parsed<(Option<crate::tree::Ident>, crate::tree::Ident, Expr)> {
        let first = self.ident()?;
        let (key, value) = if self.token().kind == Kind::Comma {
            self.advance();
            (Some(first), self.ident()?)
        } else {
            (None, first)
        };
        self.expect("in")?;
        Ok((key, value, self.expr()?))
    }

    fn for_expr(&mut self) -> Parsed<Expr> {
        let start = self.expect("for")?;
        let (key, value, collection) = self.for_clause()?;
        let body = self.struct_expr()?;
        let otherwise = self.otherwise()?;
        let span = start.to(self.last_span());
        Ok(Expr { node: ExprNode::For(Box::new(For { key, value, collection, body, otherwise })), span })
    }

    fn conditional(&mut self) -> Parsed<Expr> {
        let start = self.expect("if")?;
        let condition = self.expr()?;
        let then = self.struct_expr()?;
        let otherwise = self.otherwise()?;
        let span = start.to(self.last_span());
        Ok(Expr { node: ExprNode::If(Box::new(If { condition, then, otherwise })), span })
    }

    fn otherwise(&mut self) -> Parsed<Option<Expr>> {
        if !self.eat("else") {
            return Ok(None);
        }
        match self.token().kind {
            Kind::Fixed("if") => self.deeper(Self::conditional).map(Some),
            Kind::Fixed("{") => self.struct_expr().map(Some),
            _ => Err(self.error("expected if or { after an else")),
        }
    }

    fn function(&mut self) -> Parsed<Expr> {
        let start = self.expect("function")?;
        let returns = if self.is("{") { None } else { Some(self.expr()?) };
        let body = self.deeper(Self::body)?;
        let span = start.to(body.span);
        Ok(Expr { node: ExprNode::Function(Box::new(Function { returns, body })), span })
    }

    fn lambda(&mut self) -> Parsed<Expr> {
        let start = self.expect("lambda")?;
        let mut params = Vec::new();
        while !self.is(":") {
            params.push(self.ident()?);
            if self.token().kind == Kind::Comma {
                self.advance();
            }
        }
        self.expect(":")?;
        let body = self.expr()?;
        let span = start.to(body.span);
        Ok(Expr { node: ExprNode::Lambda(Box::new(Lambda { params, body })), span })
    }

    fn define(&mut self) -> Parsed<Expr> {
        let start = self.expect("define")?;
        let decl: Decl = self.decl()?;
        let span = start.to(decl.span);
        Ok(Expr { node: ExprNode::Define(Box::new(decl)), span })
    }

    /// `default x`, or `default` as a key.
    fn default_expr(&mut self) -> Parsed<Expr> {
        let start = self.expect("default")?;
        if self.is(":") {
            return Ok(Expr { node: ExprNode::Ident("default".into()), span: start });
        }
        let value = self.expr()?;
        let span = start.to(value.span);
        Ok(Expr { node: ExprNode::Default(Box::new(value)), span })
    }
}
