//! Computing what a thunk stands for, once.

use super::{Evaluated, Machine};
use crate::diagnostics::{Fault, FaultBox};
use crate::source::Span;
use crate::value::{FINAL, Memo, Recipe, ThunkId, Value};

impl<'t> Machine<'t> {
    /// The value of a thunk. A thunk that needs itself is undefined.
    pub(crate) fn force(&mut self, id: ThunkId) -> Evaluated {
        match &self.thunks[id.0 as usize].memo {
            Memo::Done { result, stamp } if *stamp == FINAL => return result.clone(),
            Memo::Done { result, stamp } if *stamp == self.invalidations => {
                let result = result.clone();
                // What is provisional makes its user provisional too.
                self.taint = 0;
                return result;
            }
            Memo::Busy => {
                self.circles += 1;
                return Err(Fault::undefined("", Span::NONE));
            }
            _ => {}
        }
        self.deeper(|m| m.compute(id))
    }

    fn compute(&mut self, id: ThunkId) -> Evaluated {
        let outer = std::mem::replace(&mut self.taint, u32::MAX);
        self.thunks[id.0 as usize].memo = Memo::Busy;
        let circles = self.circles;
        let mut tries = 0;
        let (result, stamp) = loop {
            let before = self.invalidations;
            let recipe = self.thunks[id.0 as usize].recipe.clone();
            let result = self.cook(recipe);
            if self.taint == u32::MAX {
                break (result, FINAL);
            }
            tries += 1;
            if before == self.invalidations || tries >= self.limits.rounds {
                break (result, before);
            }
        };
        // A circle through a thunk in progress must not stick to what is inside of it.
        let circular = circles != self.circles && matches!(&result, Err(fault) if fault.is_undefined());
        self.thunks[id.0 as usize].memo =
            if circular { Memo::Empty } else { Memo::Done { result: result.clone(), stamp } };
        self.taint = self.taint.min(outer);
        result
    }

    fn cook(&mut self, recipe: Recipe<'t>) -> Evaluated {
        match recipe {
            Recipe::Expr { expr, env } => self.eval(expr, env),
            Recipe::Schema { expr, env, span } => match self.eval(expr, env)? {
                Some(value) => self.field_schema(value, span).map(|id| Some(Value::Schema(id))),
                None => Ok(None),
            },
            Recipe::Merge(parts) => self.merge_thunks(&parts),
            Recipe::Add(parts) => {
                let mut values = Vec::with_capacity(parts.len());
                for part in parts {
                    values.extend(self.force(part)?);
                }
                self.add_up(&values)
            }
            Recipe::Value(value) => Ok(value),
            Recipe::Std(index) => Ok(Some(Value::Func(crate::stdlib::function(self, index)))),
        }
    }

    /// The value of a thunk, where the key exists only if there is one.
    pub(crate) fn exists(&mut self, id: ThunkId) -> Result<bool, FaultBox> {
        if !self.thunks[id.0 as usize].may_vanish {
            return Ok(true);
        }
        match self.force(id) {
            Ok(value) => Ok(value.is_some()),
            Err(fault) if fault.is_undefined() => Ok(true),
            Err(fault) => Err(fault),
        }
    }
}
