//! Trees to lines.

use super::lines::Lines;
use crate::limits::with_stack;
use crate::tree::{
    Body, Comment, Comments, Decl, DeclNode, Expr, ExprNode, Field, For, If, Interpolation, Label, LabelNode,
    List, Operator,
};

pub(super) fn document(out: &mut Lines, body: &Body) {
    decls(out, &body.decls);
    dangling(out, &body.dangling, body.decls.is_empty());
}

/// Declarations, each on lines of its own.
fn decls(out: &mut Lines, decls: &[Decl]) {
    for (index, item) in decls.iter().enumerate() {
        leading(out, &item.comments, index == 0);
        decl(out, item, true);
        trailing(out, &item.comments);
        out.end_line();
    }
}

fn leading(out: &mut Lines, comments: &Comments, first: bool) {
    if comments.blank_before && !first {
        out.blank_line();
    }
    for (index, comment) in comments.leading.iter().enumerate() {
        if comment.blank_before && (index > 0) {
            out.blank_line();
        }
        out.push(&comment.text);
        out.end_line();
    }
    if comments.detached && !comments.leading.is_empty() {
        out.blank_line();
    }
}

fn trailing(out: &mut Lines, comments: &Comments) {
    if let Some(comment) = &comments.trailing {
        out.push(" ");
        out.push(&comment.text);
    }
}

fn dangling(out: &mut Lines, comments: &[Comment], first: bool) {
    for (index, comment) in comments.iter().enumerate() {
        if comment.blank_before && !(first && index == 0) {
            out.blank_line();
        }
        out.push(&comment.text);
        out.end_line();
    }
}

fn decl(out: &mut Lines, decl: &Decl, aligned: bool) {
    match &decl.node {
        DeclNode::Let { name, value } => {
            out.push("let ");
            out.push(&name.name);
            out.push(": ");
            expr(out, value);
        }
        DeclNode::Field(node) => field(out, node, aligned),
        DeclNode::Embed(value) => expr(out, value),
    }
}

fn field(out: &mut Lines, field: &Field, aligned: bool) {
    label(out, &field.label);
    out.push(if field.optional { "?:" } else { ":" });
    if let Some(inner) = implied(&field.value) {
        out.push(" ");
        // What is inside of `a: b: 1` may be anything but a struct with comments.
        return decl(out, inner, false);
    }
    let simple = !matches!(&field.value.node, ExprNode::Struct(_) | ExprNode::List(_));
    let line = out.line();
    if aligned && simple {
        out.mark_key();
    }
    out.push(" ");
    expr(out, &field.value);
    if out.line() != line {
        out.unmark_line(line);
        out.unmark();
    }
}

/// The declaration of the struct that `a: b: 1` implies.
fn implied(value: &Expr) -> Option<&Decl> {
    let ExprNode::Struct(body) = &value.node else { return None };
    if body.braces { None } else { body.decls.first() }
}

fn label(out: &mut Lines, label: &Label) {
    if label.matches {
        out.push("match ");
    }
    match &label.node {
        LabelNode::Ident(name) => out.push(name),
        LabelNode::Text(text) => out.verbatim(&text.raw),
        LabelNode::Interpolation(parts) => interpolation(out, parts),
    }
}

fn interpolation(out: &mut Lines, parts: &Interpolation) {
    out.verbatim(&parts.raw[0]);
    for (inner, raw) in parts.exprs.iter().zip(&parts.raw[1..]) {
        expr(out, inner);
        out.verbatim(raw);
    }
}

fn expr(out: &mut Lines, value: &Expr) {
    with_stack(|| expr_node(out, value));
}

#[expect(clippy::too_many_lines, reason = "a table: one arm per kind of expression")]
fn expr_node(out: &mut Lines, value: &Expr) {
    match &value.node {
        ExprNode::Null => out.push("null"),
        ExprNode::Bool(value) => out.push(if *value { "true" } else { "false" }),
        ExprNode::Number(text) | ExprNode::Ident(text) => out.push(text),
        ExprNode::Text(text) => out.verbatim(&text.raw),
        ExprNode::Interpolation(parts) => interpolation(out, parts),
        ExprNode::Struct(body) => braces(out, body),
        ExprNode::List(items) => list(out, items),
        ExprNode::ListFor(node) => {
            out.push("[");
            for_clause(out, node);
            expr(out, &node.body);
            out.push("]");
        }
        ExprNode::Paren(inner) => {
            out.push("(");
            expr(out, inner);
            out.push(")");
        }
        ExprNode::Unary { op, operand } => unary(out, *op, operand),
        ExprNode::Binary { op, left, right, .. } => {
            expr(out, left);
            out.push(" ");
            out.push(op.text());
            out.push(" ");
            expr(out, right);
        }
        ExprNode::Select { base, name } => {
            expr(out, base);
            // A point right after digits would belong to the number.
            out.push(if matches!(base.node, ExprNode::Number(_)) { " ." } else { "." });
            out.push(&name.name);
        }
        ExprNode::Index { base, index } => {
            expr(out, base);
            out.push("[");
            expr(out, index);
            out.push("]");
        }
        ExprNode::Slice { base, start, end } => {
            expr(out, base);
            out.push("[");
            start.iter().for_each(|e| expr(out, e));
            out.push(":");
            end.iter().for_each(|e| expr(out, e));
            out.push("]");
        }
        ExprNode::Call { function, args, .. } => {
            expr(out, function);
            delimited(out, args, "(", ")");
        }
        ExprNode::If(node) => conditional(out, node),
        ExprNode::For(node) => {
            for_clause(out, node);
            expr(out, &node.body);
            otherwise(out, node.otherwise.as_ref());
        }
        ExprNode::Function(function) => {
            out.push("function ");
            if let Some(returns) = &function.returns {
                expr(out, returns);
                out.push(" ");
            }
            braces(out, &function.body);
        }
        ExprNode::Lambda(lambda) => {
            out.push("lambda");
            for (index, param) in lambda.params.iter().enumerate() {
                out.push(if index > 0 { ", " } else { " " });
                out.push(&param.name);
            }
            out.push(if lambda.params.is_empty() { " : " } else { ": " });
            expr(out, &lambda.body);
        }
        ExprNode::Define(inner) => {
            out.push("define ");
            decl(out, inner, false);
        }
        ExprNode::Default(inner) => {
            out.push("default ");
            expr(out, inner);
        }
    }
}

fn unary(out: &mut Lines, op: Operator, operand: &Expr) {
    out.push(op.text());
    expr(out, operand);
}

fn conditional(out: &mut Lines, node: &If) {
    out.push("if ");
    expr(out, &node.condition);
    out.push(" ");
    expr(out, &node.then);
    otherwise(out, node.otherwise.as_ref());
}

fn otherwise(out: &mut Lines, node: Option<&Expr>) {
    if let Some(node) = node {
        out.push(" else ");
        expr(out, node);
    }
}

fn for_clause(out: &mut Lines, node: &For) {
    out.push("for ");
    if let Some(key) = &node.key {
        out.push(&key.name);
        out.push(", ");
    }
    out.push(&node.value.name);
    out.push(" in ");
    expr(out, &node.collection);
    out.push(" ");
}

fn braces(out: &mut Lines, body: &Body) {
    delimited(out, body, "{", "}");
}

fn has_comments(body: &Body) -> bool {
    let commented = |c: &Comments| !c.leading.is_empty() || c.trailing.is_some();
    !body.dangling.is_empty() || body.decls.iter().any(|d| commented(&d.comments))
}

/// Declarations between brackets, on one line if they were and can be.
fn delimited(out: &mut Lines, body: &Body, open: &str, close: &str) {
    out.push(open);
    if body.decls.is_empty() && body.dangling.is_empty() {
        return out.push(close);
    }
    if body.broken || has_comments(body) {
        out.end_line();
        out.indent += 1;
        decls(out, &body.decls);
        dangling(out, &body.dangling, body.decls.is_empty());
        out.indent -= 1;
    } else {
        for (index, item) in body.decls.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            decl(out, item, false);
        }
    }
    out.push(close);
}

fn list(out: &mut Lines, list: &List) {
    out.push("[");
    if list.items.is_empty() && list.dangling.is_empty() {
        return out.push("]");
    }
    let commented = |c: &Comments| !c.leading.is_empty() || c.trailing.is_some();
    if list.broken || list.items.iter().any(|i| commented(&i.comments)) {
        out.end_line();
        out.indent += 1;
        for (index, item) in list.items.iter().enumerate() {
            leading(out, &item.comments, index == 0);
            expr(out, &item.value);
            out.push(",");
            trailing(out, &item.comments);
            out.end_line();
        }
        dangling(out, &list.dangling, list.items.is_empty());
        out.indent -= 1;
    } else {
        for (index, item) in list.items.iter().enumerate() {
            if index > 0 {
                out.push(", ");
            }
            expr(out, &item.value);
        }
    }
    out.push("]");
}
