//! The committed table of field numbers, and its reader.
//!
//! ```text
//! in io.k8s.api.core.v1                  the definitions that follow lie in it
//! Volume name=1* hostPath=2.1            definition FIELD=NUMBER…
//! ```
//!
//! `2.1` is field 1 of a message that is field 2 and inlined in JSON; `*` marks a scalar that is
//! kept when it is empty.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::model::NodeRef;

/// What a field number of a message stands for.
#[derive(Debug)]
pub(super) enum Slot {
    Field {
        name: &'static str,
        keeps_empty: bool,
    },
    /// A message whose fields belong to the same JSON object.
    Inlined(Message),
}

/// The fields of a message, sorted by number.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<(u32, Slot)>);

impl Message {
    pub(super) fn slot(&self, number: u32) -> Option<&Slot> {
        let at = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&self.0[at].1)
    }

    /// Files a field under its path of numbers.
    fn add(&mut self, path: &[u32], name: &'static str, keeps_empty: bool) -> Option<()> {
        let (first, rest) = path.split_first()?;
        let found = self.0.binary_search_by_key(first, |(number, _)| *number);
        if rest.is_empty() {
            self.0.insert(found.err()?, (*first, Slot::Field { name, keeps_empty }));
            return Some(());
        }
        let at = found.unwrap_or_else(|at| {
            self.0.insert(at, (*first, Slot::Inlined(Self::default())));
            at
        });
        match &mut self.0[at].1 {
            Slot::Inlined(inner) => inner.add(rest, name, keeps_empty),
            Slot::Field { .. } => None,
        }
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> &[(u32, Slot)] {
        &self.0
    }
}

static MESSAGES: LazyLock<HashMap<String, Message>> = LazyLock::new(|| {
    read(include_str!("../../facts/protobuf.txt")).expect("a test reads the committed table")
});

/// The message of the definition that this node is the root of.
pub(super) fn message_of(node: NodeRef<'_>) -> Option<&'static Message> {
    MESSAGES.get(node.definition_name()?)
}

/// Reads a table; nothing when a line is malformed or a number is given twice.
fn read(table: &'static str) -> Option<HashMap<String, Message>> {
    let mut package = "";
    let mut messages = HashMap::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (first, rest) = line.split_once(' ')?;
        if first == "in" {
            package = rest;
        } else {
            messages.insert(format!("{package}.{first}"), message(rest)?);
        }
    }
    Some(messages)
}

fn message(fields: &'static str) -> Option<Message> {
    let mut message = Message::default();
    for field in fields.split(' ') {
        let (name, path) = field.split_once('=')?;
        let bare = path.trim_end_matches('*');
        let numbers: Vec<u32> = bare.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        message.add(&numbers, name, bare.len() < path.len())?;
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let cases = [
            ("in p\nA b=1 c=2.1* d=2.3", true),
            ("# text\n\nin p\nA b=1", true),
            ("A", false),
            ("A b", false),
            ("A b=x", false),
            ("A b=1 c=1", false),
            ("A b=1 c=1.2", false),
            ("A b=1.2 c=1", false),
        ];
        for (table, sound) in cases {
            assert_eq!(read(table).is_some(), sound, "{table:?}");
        }
    }
}
