//! Conflicts: fields an applier wants to change that others own.

use std::fmt;

use super::fields::FieldSet;
use super::managed::{Identity, Operation};
use crate::quote::Quoted;

/// One field another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager, as messages show it: `"kubectl" using apps/v1`.
    pub manager: String,
    /// The field's path: `.spec.replicas`.
    pub field: String,
}

impl Conflict {
    /// The message of the Status cause (reason `FieldManagerConflict`).
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// All conflicts of an apply, by manager. `Display` is the message of the Status (409, `Conflict`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    /// The conflicts of each manager with the fields it owns.
    pub(super) fn of(mut sets: Vec<(Identity, FieldSet)>) -> Self {
        sets.sort_by(|a, b| a.0.cmp(&b.0));
        let all = |(identity, set): (Identity, FieldSet)| {
            let manager = show(&identity);
            set.paths().into_iter().map(move |field| Conflict { manager: manager.clone(), field })
        };
        Self(sets.into_iter().flat_map(all).collect())
    }
}

fn show(identity: &Identity) -> String {
    let mut text = Quoted(&identity.manager).to_string();
    if !identity.subresource.is_empty() {
        text.push_str(&format!(" with subresource {}", Quoted(&identity.subresource)));
    }
    if identity.operation == Operation::Update {
        text.push_str(&format!(" using {}", identity.api_version));
    }
    text
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.0[..] {
            return write!(f, "Apply failed with 1 conflict: {}: {}", only.message(), only.field);
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut manager = None;
        for conflict in &self.0 {
            if manager != Some(&conflict.manager) {
                let newline = if manager.is_some() { "\n" } else { "" };
                write!(f, "{newline}conflicts with {}:", conflict.manager)?;
                manager = Some(&conflict.manager);
            }
            write!(f, "\n- {}", conflict.field)?;
        }
        Ok(())
    }
}
