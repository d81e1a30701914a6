//! The verbs of discovery, as a set.

use std::fmt;

/// One thing that can be done to a resource, as discovery and RBAC name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verb {
    /// POST a new object.
    Create,
    /// DELETE one object.
    Delete,
    /// DELETE all objects that match.
    DeleteCollection,
    /// GET one object.
    Get,
    /// GET all objects that match.
    List,
    /// PATCH one object.
    Patch,
    /// PUT one object.
    Update,
    /// GET the changes to all objects that match.
    Watch,
}

/// A set of verbs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verbs(u8);

impl Verb {
    /// Every verb, in the order of discovery documents.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::Delete,
        Self::DeleteCollection,
        Self::Get,
        Self::List,
        Self::Patch,
        Self::Update,
        Self::Watch,
    ];

    /// The name in discovery and RBAC rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }

    /// The verb of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.name() == name)
    }
}

impl Verbs {
    /// All eight verbs: what most resources allow.
    pub const STANDARD: Self = Self(0xff);
    /// Reviews and bindings: objects that are asked, not kept.
    pub const CREATE: Self = Self::of(&[Verb::Create]);
    /// Objects that the server makes up when asked.
    pub const READ: Self = Self::of(&[Verb::Get, Verb::List]);
    /// What `status`, `scale` and their like allow.
    pub const MODIFY: Self = Self::of(&[Verb::Get, Verb::Patch, Verb::Update]);

    /// The set of these verbs.
    pub const fn of(verbs: &[Verb]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < verbs.len() {
            bits |= 1 << verbs[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// This set without one verb.
    pub const fn without(self, verb: Verb) -> Self {
        Self(self.0 & !(1 << verb as u8))
    }

    /// Whether the verb is in the set.
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u8) != 0
    }

    /// The verbs of the set, in the order of discovery documents.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |v| self.contains(*v))
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Verb::name)).finish()
    }
}
