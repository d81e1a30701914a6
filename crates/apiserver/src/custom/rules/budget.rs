//! What the rules of one object may cost: steps of loops, converted values, and time.
//!
//! The interpreter has no means for it, so every loop's condition is compiled to call [`TICK`] first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use kube_cel::cel::{Context, ExecutionError, IdedExpr, Value as CelValue};

/// Steps that all rules of one object may take together.
const STEPS_MAX: u64 = 1_000_000;
/// And how long, since a step may copy a long list.
const TIME_MAX: Duration = Duration::from_secs(1);
/// A name that no rule can write.
const TICK: &str = "@tick";

/// What is left to spend.
#[derive(Debug)]
pub(super) struct Budget {
    spent: AtomicU64,
    deadline: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self { spent: AtomicU64::new(0), deadline: Instant::now() + TIME_MAX }
    }
}

impl Budget {
    /// Takes one step; false when there is nothing left.
    pub(super) fn step(&self) -> bool {
        self.spent.fetch_add(1, Ordering::Relaxed) < STEPS_MAX
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) >= STEPS_MAX || Instant::now() >= self.deadline
    }
}

/// Makes the ticks of rules count against `budget`.
pub(super) fn register(context: &mut Context<'_>, budget: &Arc<Budget>) {
    let budget = Arc::clone(budget);
    context.add_function(TICK, move || -> Result<CelValue, ExecutionError> {
        if budget.step() && !budget.is_spent() {
            Ok(CelValue::Bool(true))
        } else {
            Err(ExecutionError::function_error("loop", "the budget is spent"))
        }
    });
}

/// Makes every loop in an expression tick: its condition becomes `@tick() ? condition : false`.
pub(super) fn charge_loops(expression: &mut IdedExpr) {
    each_child(expression, &mut charge_loops);
    if let Expr::Comprehension(comprehension) = &mut expression.expr {
        let condition = std::mem::take(&mut comprehension.loop_cond);
        let tick = call(TICK, Vec::new());
        let never = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Boolean(false.into())) };
        comprehension.loop_cond = call(operators::CONDITIONAL, vec![tick, condition, never]);
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }) }
}

/// Visits the parts of an expression.
fn each_child(expression: &mut IdedExpr, visit: &mut dyn FnMut(&mut IdedExpr)) {
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| visit(target));
            call.args.iter_mut().for_each(visit);
        }
        Expr::Comprehension(inner) => {
            let inner = &mut **inner;
            for part in [
                &mut inner.iter_range,
                &mut inner.accu_init,
                &mut inner.loop_cond,
                &mut inner.loop_step,
                &mut inner.result,
            ] {
                visit(part);
            }
        }
        Expr::List(list) => list.elements.iter_mut().for_each(visit),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                match &mut entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        visit(&mut entry.key);
                        visit(&mut entry.value);
                    }
                    EntryExpr::StructField(field) => visit(&mut field.value),
                }
            }
        }
        Expr::Select(select) => visit(&mut select.operand),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
    }
}
