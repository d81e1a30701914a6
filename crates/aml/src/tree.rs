//! The syntax tree. It keeps every comment and every span, so that the formatter
//! and an editor need nothing but the tree and its text.
//!
//! ```text
//! Body ── decls: Let | Field | Embed     each with the comments around it
//! Field ── label ── value: Expr
//! Expr ── span, node
//! ```
//! Two trees are equal when they say the same; spans and comments do not count.

use crate::source::Span;
use std::sync::Arc;

/// A comment of one line, with its slashes.
#[derive(Clone, Debug)]
pub struct Comment {
    /// The text from the slashes to the end of the line.
    pub text: String,
    /// Where it is.
    pub span: Span,
    /// True when an empty line precedes it.
    pub blank_before: bool,
}

/// Comments around a declaration or a list element.
#[derive(Clone, Debug, Default)]
pub struct Comments {
    /// Comments on lines of their own before it.
    pub leading: Vec<Comment>,
    /// The comment after it on its last line.
    pub trailing: Option<Comment>,
    /// True when an empty line precedes it or its first comment.
    pub blank_before: bool,
    /// True when an empty line stands between the leading comments and it.
    pub detached: bool,
}

/// Comments never make two trees different.
impl PartialEq for Comments {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Comments {
    /// The text that describes what follows: the comment block right above, else
    /// the comment after it.
    #[must_use]
    pub fn description(&self) -> String {
        let block = if self.detached { &[][..] } else { &self.leading[..] };
        let start = block.iter().rposition(|c| c.blank_before).unwrap_or(0);
        let lines = block[start..].iter().chain(self.trailing.iter().filter(|_| block.is_empty()));
        let lines: Vec<&str> = lines.map(|c| c.text.trim_start_matches("//").trim()).collect();
        lines.join("\n").trim().to_owned()
    }
}

/// The declarations between two braces, or of a whole document.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The declarations in source order.
    pub decls: Vec<Decl>,
    /// Comments after the last declaration.
    pub dangling: Vec<Comment>,
    /// From brace to brace, or the whole text.
    pub span: Span,
    /// True when the source breaks the line after the opening brace.
    pub broken: bool,
    /// False for the body that `a: b: 1` implies.
    pub braces: bool,
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.decls == other.decls
    }
}

/// One declaration.
#[derive(Clone, Debug)]
pub struct Decl {
    /// What it declares.
    pub node: DeclNode,
    /// The comments around it.
    pub comments: Comments,
    /// From its first to its last token.
    pub span: Span,
}

impl PartialEq for Decl {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// The three kinds of declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum DeclNode {
    /// `let name: value`
    Let {
        /// The name.
        name: Ident,
        /// The value.
        value: Expr,
    },
    /// `label: value`
    Field(Field),
    /// An expression whose value becomes part of the surrounding struct.
    Embed(Expr),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key.
    pub label: Label,
    /// True for `key?:`.
    pub optional: bool,
    /// The value.
    pub value: Expr,
}

/// A name.
#[derive(Clone, Debug)]
pub struct Ident {
    /// The name.
    pub name: Arc<str>,
    /// Where it is.
    pub span: Span,
}

impl PartialEq for Ident {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A key as it was written.
#[derive(Clone, Debug)]
pub struct Label {
    /// What the key is.
    pub node: LabelNode,
    /// True for `match "pattern"`.
    pub matches: bool,
    /// Where it is.
    pub span: Span,
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node && self.matches == other.matches
    }
}

/// The forms of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelNode {
    /// A bare name.
    Ident(Arc<str>),
    /// A quoted text.
    Text(Text),
    /// A quoted text with `\(…)` in it.
    Interpolation(Interpolation),
}

/// A string literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The literal as written, with its quotes.
    pub raw: Arc<str>,
    /// The text it stands for.
    pub value: Arc<str>,
}

/// A string literal with expressions in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    /// Texts between the expressions as written: one more than expressions, the
    /// first with the opening and the last with the closing quote.
    pub raw: Vec<Arc<str>>,
    /// The same texts unquoted.
    pub texts: Vec<Arc<str>>,
    /// The expressions.
    pub exprs: Vec<Expr>,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub node: ExprNode,
    /// Where it is.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// A binary or unary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `=~`
    Match,
    /// `!~`
    NotMatch,
    /// `!`
    Not,
}

impl Operator {
    /// The operator as written.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::And => "&&",
            Self::Or => "||",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
            Self::Not => "!",
        }
    }

    /// How tightly the binary operator binds; higher is tighter.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 3,
            Self::And => 4,
            Self::Eq
            | Self::Ne
            | Self::Lt
            | Self::Le
            | Self::Gt
            | Self::Ge
            | Self::Match
            | Self::NotMatch => 5,
            Self::Add | Self::Sub => 6,
            Self::Mul | Self::Div => 7,
            Self::Not => 8,
        }
    }
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprNode {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written.
    Number(Arc<str>),
    /// A string literal.
    Text(Text),
    /// A string literal with expressions in it.
    Interpolation(Interpolation),
    /// A name.
    Ident(Arc<str>),
    /// `{ … }`
    Struct(Box<Body>),
    /// `[ … ]`
    List(List),
    /// `[for … in … expr]`
    ListFor(Box<For>),
    /// `( … )`
    Paren(Box<Expr>),
    /// `+x`, `-x`, `!x`
    Unary {
        /// The operator.
        op: Operator,
        /// The operand.
        operand: Box<Expr>,
    },
    /// `x op y`
    Binary {
        /// The operator.
        op: Operator,
        /// Where the operator is.
        op_span: Spot,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `x.name`
    Select {
        /// The object.
        base: Box<Expr>,
        /// The key.
        name: Ident,
    },
    /// `x[index]`
    Index {
        /// The list, string or object.
        base: Box<Expr>,
        /// The index or key.
        index: Box<Expr>,
    },
    /// `x[start:end]`
    Slice {
        /// The list.
        base: Box<Expr>,
        /// The first index.
        start: Option<Box<Expr>>,
        /// The index after the last.
        end: Option<Box<Expr>>,
    },
    /// `f(args)`
    Call {
        /// The function.
        function: Box<Expr>,
        /// Where the opening parenthesis is.
        paren: Spot,
        /// The arguments: embeds are positional, fields are named.
        args: Box<Body>,
    },
    /// `if … { … } else …`
    If(Box<If>),
    /// `for … in … { … } else …`
    For(Box<For>),
    /// `function T { … }`
    Function(Box<Function>),
    /// `lambda x, y: …`
    Lambda(Box<Lambda>),
    /// `define …`
    Define(Box<Decl>),
    /// `default …`
    Default(Box<Expr>),
}

/// A position that does not make trees different.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spot(pub Span);

impl PartialEq for Spot {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A list literal.
#[derive(Clone, Debug)]
pub struct List {
    /// The elements.
    pub items: Vec<Item>,
    /// Comments after the last element.
    pub dangling: Vec<Comment>,
    /// True when the source breaks the line after the opening bracket.
    pub broken: bool,
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

/// An element of a list literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The element.
    pub value: Expr,
    /// The comments around it.
    pub comments: Comments,
}

/// A conditional.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// Decides.
    pub condition: Expr,
    /// The value when the condition holds: always a struct.
    pub then: Expr,
    /// The value when it does not: a struct or another `if`.
    pub otherwise: Option<Expr>,
}

/// A loop.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// Name of the index or key.
    pub key: Option<Ident>,
    /// Name of the value.
    pub value: Ident,
    /// What is looped over.
    pub collection: Expr,
    /// The value of one round.
    pub body: Expr,
    /// The value when no round gave one.
    pub otherwise: Option<Expr>,
}

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The schema of the result.
    pub returns: Option<Expr>,
    /// Args, profiles, `return` and whatever helps.
    pub body: Body,
}

/// A lambda.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// Names of the parameters.
    pub params: Vec<Ident>,
    /// The result.
    pub body: Expr,
}
