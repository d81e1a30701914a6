//! CEL rules of custom resources: compiled once per definition, evaluated under a budget.
//!
//! ```text
//! x-kubernetes-validations ── compile ──> Programs (by text, each loop with a tick)
//! object, old object ── rule_sites ── value ──> self, oldSelf ── evaluate ──> FieldError
//! ```
//!
//! Follows Kubernetes' "Common Expression Language" and KEP 2876, with ratcheting as in KEP 4008. The
//! interpreter is `cel`, its Kubernetes functions are `kube-cel`'s. It has no type checker and no
//! cost model: [`check`] finds what is statically wrong, [`budget`] bounds what a rule may cost.

mod budget;
mod check;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use api::status::{FieldError, FieldErrorKind};
use kube_cel::KubeCelExt;
use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::{Context, ExecutionError, IdedExpr, Program, Value as CelValue};
use schema::validate::{RuleSite, rule_sites};
use schema::{NodeRef, Type};
use serde_json::Value;

use budget::Budget;

/// The longest rule that is compiled, in bytes.
const TEXT_MAX: usize = 16 * 1024;
/// How deep brackets may nest in a rule, and operators in what it compiles to.
const NESTING_MAX: usize = 50;
const DEPTH_MAX: usize = 150;
/// Kubernetes takes no longer texts for messages.
const MESSAGE_MAX: usize = 5 * 1024;
/// Stack of the thread that compiles: the parser recurses a dozen times per bracket, and once
/// per operator of a chain as long as [`TEXT_MAX`] lets it be. Only what is touched is ever allocated.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// The compiled rules of one schema, by their texts.
#[derive(Debug, Default)]
pub(crate) struct Programs(HashMap<String, Compiled>);

#[derive(Debug)]
struct Compiled {
    expression: IdedExpr,
    /// Whether it compares with the old state: a transition rule.
    uses_old: bool,
}

/// Why the rules of one object were not all evaluated to true.
struct Evaluation<'a> {
    programs: &'a Programs,
    budget: Arc<Budget>,
    errors: Vec<FieldError>,
}

impl Programs {
    /// Compiles every rule below `root`, which lies at `path`.
    ///
    /// # Errors
    /// Every rule that does not compile, with its path.
    pub(crate) fn compile(root: NodeRef<'_>, path: &str) -> Result<Self, Vec<FieldError>> {
        let mut programs = Self::default();
        let mut errors = Vec::new();
        if !has_rules(root) {
            return Ok(programs);
        }
        let compiled = std::thread::scope(|scope| {
            let all = || check::walk(root, path, &mut |node, at| programs.add(node, at, &mut errors));
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, all);
            thread.map(|thread| thread.join().is_ok())
        });
        if !matches!(compiled, Ok(true)) {
            errors.push(invalid(path, Value::Null, "the rules cannot be compiled: no thread to do it"));
        }
        if errors.is_empty() { Ok(programs) } else { Err(errors) }
    }

    fn add(&mut self, node: NodeRef<'_>, path: &str, errors: &mut Vec<FieldError>) {
        for (index, rule) in node.rules().iter().enumerate() {
            let at = format!("{path}.x-kubernetes-validations[{index}]");
            check::shape(rule, &at, node, errors);
            let texts = [
                ("rule", Some(&rule.rule), "bool"),
                ("messageExpression", rule.message_expression.as_ref(), "string"),
            ];
            for (name, text, wanted) in texts {
                let Some(text) = text.filter(|text| !self.0.contains_key(*text) || name == "rule") else {
                    continue;
                };
                match compile(text, node, wanted) {
                    Ok(compiled) => drop(self.0.insert(text.clone(), compiled)),
                    Err(why) => {
                        let detail = format!("compilation failed: {why}");
                        errors.push(invalid(&format!("{at}.{name}"), text.as_str(), &detail));
                    }
                }
            }
            let transition = self.0.get(&rule.rule).is_some_and(|compiled| compiled.uses_old);
            if rule.optional_old_self && !transition {
                let detail = "may not be set if oldSelf is not used in rule";
                errors.push(invalid(&format!("{at}.optionalOldSelf"), true, detail));
            }
        }
    }

    /// Evaluates the rules that apply to an object.
    ///
    /// A rule about a value that did not change is not evaluated again, unless it is about the change.
    pub(crate) fn evaluate(&self, root: NodeRef<'_>, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut evaluation = Evaluation { programs: self, budget: Arc::default(), errors: Vec::new() };
        for site in rule_sites(root, new, old) {
            if !evaluation.site(&site, root) {
                break;
            }
        }
        evaluation.errors
    }
}

fn has_rules(root: NodeRef<'_>) -> bool {
    let mut found = false;
    check::walk(root, "", &mut |node, _| found |= !node.rules().is_empty());
    found
}

fn invalid(path: &str, value: impl Into<Value>, detail: &str) -> FieldError {
    let (kind, bad_value) = (FieldErrorKind::Invalid, Some(value.into()));
    FieldError { kind, path: path.to_owned(), bad_value, detail: detail.to_owned() }
}

/// Compiles one expression about values of `node` that must give a `wanted`.
fn compile(text: &str, node: NodeRef<'_>, wanted: &str) -> Result<Compiled, String> {
    check::text(text)?;
    let program = Program::compile(text).map_err(|errors| errors.to_string())?;
    let mut expression = program.expression().clone();
    check::depth(&expression, DEPTH_MAX)?;
    check::types(&expression, node, wanted)?;
    let uses_old = program.references().has_variable("oldSelf");
    budget::charge_loops(&mut expression);
    Ok(Compiled { expression, uses_old })
}

impl Evaluation<'_> {
    /// Evaluates one rule at one value; false when nothing may be evaluated any more.
    fn site(&mut self, site: &RuleSite<'_>, root: NodeRef<'_>) -> bool {
        let Some(compiled) = self.programs.0.get(&site.rule.rule) else { return true };
        let skipped = if compiled.uses_old {
            site.old.is_none() && !site.rule.optional_old_self
        } else {
            site.old == Some(site.value)
        };
        if skipped {
            return true;
        }
        let at_root = site.node.id() == root.id();
        let Some(context) = self.context(site, at_root) else {
            return self.exhausted(site);
        };
        match context.resolve(&compiled.expression) {
            Ok(CelValue::Bool(true)) => true,
            Ok(CelValue::Bool(false)) => {
                let detail = self.message(site, &context);
                self.errors.push(refusal(site, detail));
                true
            }
            Ok(_) => {
                let detail = format!("cel rule did not give a bool: {}", site.rule.rule);
                self.errors.push(refusal(site, detail));
                true
            }
            Err(_) if self.budget.is_spent() => self.exhausted(site),
            Err(error) => {
                self.errors.push(refusal(site, evaluation_detail(&error, site)));
                true
            }
        }
    }

    fn exhausted(&mut self, site: &RuleSite<'_>) -> bool {
        let detail = format!(
            "no further validation rules will be run due to call cost exceeds limit for rule: {}",
            title(site)
        );
        self.errors.push(refusal(site, detail));
        false
    }

    /// The variables of a site; `None` when converting them costs more than there is to spend.
    fn context(&self, site: &RuleSite<'_>, at_root: bool) -> Option<Context<'static>> {
        let mut context = Context::default().with_all();
        budget::register(&mut context, &self.budget);
        let convert = |value| value::convert(Some(site.node), value, at_root, &self.budget);
        context.add_variable_from_value("self", convert(site.value)?);
        let old = site.old.map(convert);
        match (old, site.rule.optional_old_self) {
            (Some(old), false) => context.add_variable_from_value("oldSelf", old?),
            (Some(old), true) => {
                context
                    .add_variable_from_value("oldSelf", CelValue::Opaque(Arc::new(OptionalValue::of(old?))));
            }
            (None, true) => {
                context.add_variable_from_value("oldSelf", CelValue::Opaque(Arc::new(OptionalValue::none())));
            }
            (None, false) => {}
        }
        Some(context)
    }

    /// The words of a rule that does not hold: what its messageExpression gives, if that is a usable
    /// text, else its message, else the rule.
    fn message(&self, site: &RuleSite<'_>, context: &Context<'_>) -> String {
        let compiled = site.rule.message_expression.as_ref().and_then(|text| self.programs.0.get(text));
        let made = compiled.and_then(|compiled| context.resolve(&compiled.expression).ok());
        if let Some(CelValue::String(text)) = made
            && !text.trim().is_empty()
            && !text.contains('\n')
            && text.len() <= MESSAGE_MAX
        {
            return text.trim().to_owned();
        }
        match site.rule.message.as_deref().map(str::trim) {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => format!("failed rule: {}", site.rule.rule.trim()),
        }
    }
}

fn title<'a>(site: &'a RuleSite<'_>) -> &'a str {
    site.rule.message.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(&site.rule.rule)
}

fn evaluation_detail(error: &ExecutionError, site: &RuleSite<'_>) -> String {
    let title = title(site);
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key} evaluating rule: {title}"),
        ExecutionError::NoSuchOverload
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnexpectedType { .. } => format!(
            "'no such overload': call arguments did not match a supported operator, function or macro \
             signature for rule: {title}"
        ),
        other => format!("{other} evaluating rule: {title}"),
    }
}

/// The error of a rule, of the kind its `reason` names, at its `fieldPath`.
fn refusal(site: &RuleSite<'_>, detail: String) -> FieldError {
    let kind = match site.rule.reason.as_deref() {
        Some("FieldValueForbidden") => FieldErrorKind::Forbidden,
        Some("FieldValueRequired") => FieldErrorKind::Required,
        Some("FieldValueDuplicate") => FieldErrorKind::Duplicate,
        _ => FieldErrorKind::Invalid,
    };
    let relative = site.rule.field_path.as_deref().unwrap_or_default();
    let path = format!("{}{relative}", site.path);
    let path = path.trim_start_matches('.').to_owned();
    let path = if path.is_empty() { "<nil>".to_owned() } else { path };
    FieldError { kind, path, bad_value: Some(type_name(site.node).into()), detail }
}

/// The type that Kubernetes shows in place of the value.
fn type_name(node: NodeRef<'_>) -> &'static str {
    match node.ty() {
        Type::Object | Type::Map => "object",
        Type::Array => "array",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
