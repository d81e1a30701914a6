//! Taints of nodes and the tolerations of pods that answer them.

use k8s_openapi::api::core::v1 as core;

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// No new pod is placed.
    NoSchedule,
    /// Other nodes are preferred.
    PreferNoSchedule,
    /// No new pod is placed and running ones are evicted.
    NoExecute,
}

impl Effect {
    fn decode(effect: &str) -> Option<Self> {
        match effect {
            "NoSchedule" => Some(Self::NoSchedule),
            "PreferNoSchedule" => Some(Self::PreferNoSchedule),
            "NoExecute" => Some(Self::NoExecute),
            _ => None,
        }
    }
}

/// A taint on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    key: Box<str>,
    value: Box<str>,
    effect: Effect,
}

impl Taint {
    /// Takes over a taint; one with an effect unknown to the API does nothing and gives `None`.
    pub fn decode(taint: &core::Taint) -> Option<Self> {
        let value = taint.value.as_deref().unwrap_or_default();
        Some(Self {
            key: taint.key.as_str().into(),
            value: value.into(),
            effect: Effect::decode(&taint.effect)?,
        })
    }

    /// The taint that cordoning stands for.
    pub fn unschedulable() -> Self {
        Self {
            key: "node.kubernetes.io/unschedulable".into(),
            value: Box::default(),
            effect: Effect::NoSchedule,
        }
    }

    /// Whether it keeps new pods away.
    pub fn repels(&self) -> bool {
        self.effect != Effect::PreferNoSchedule
    }
}

/// A toleration of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    key: Box<str>,
    value: Box<str>,
    test: Test,
    effect: Option<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Test {
    Equal,
    Exists,
    Never,
}

impl Toleration {
    /// Takes over a toleration; one that cannot be read tolerates nothing.
    pub fn decode(toleration: &core::Toleration) -> Self {
        let named = toleration.effect.as_deref().unwrap_or_default();
        let effect = Effect::decode(named);
        let test = match toleration.operator.as_deref() {
            _ if !named.is_empty() && effect.is_none() => Test::Never,
            None | Some("" | "Equal") => Test::Equal,
            Some("Exists") => Test::Exists,
            Some(_) => Test::Never,
        };
        Self {
            key: toleration.key.as_deref().unwrap_or_default().into(),
            value: toleration.value.as_deref().unwrap_or_default().into(),
            test,
            effect,
        }
    }

    /// Whether it tolerates the taint; an empty key with `Exists` tolerates all.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let key = self.key.is_empty() || self.key == taint.key;
        let value = match self.test {
            Test::Exists => true,
            Test::Equal => self.value == taint.value,
            Test::Never => false,
        };
        key && value && self.effect.is_none_or(|effect| effect == taint.effect)
    }

    /// Whether it speaks about `PreferNoSchedule` at all.
    pub fn concerns_preference(&self) -> bool {
        self.effect.is_none_or(|effect| effect == Effect::PreferNoSchedule)
    }
}

/// Whether one of the tolerations tolerates the taint.
pub fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

/// Whether none of the taints keeps a pod with these tolerations away.
pub fn admits(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    taints.iter().filter(|taint| taint.repels()).all(|taint| tolerated(taint, tolerations))
}
