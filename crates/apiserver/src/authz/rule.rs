//! One policy rule of a Role or ClusterRole: what it allows, and whether it covers another.
//!
//! Reference: Kubernetes' `rbac.authorization.k8s.io/v1` PolicyRule; covering as the escalation check of
//! the API server computes it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::Action;
use crate::request::ResourceInfo;

/// Matches every verb, group, resource or path.
const ALL: &str = "*";

/// What may be done to what. Either resources or paths, never both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// The verbs, or `*`.
    #[serde(deserialize_with = "nullable")]
    pub verbs: Vec<String>,
    /// The groups, `""` for core, or `*`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `resource`, `resource/subresource`, `*/subresource` or `*`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The names; empty is every name.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths; a `*` at the end matches every rest.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "nullable",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub non_resource_urls: Vec<String>,
}

/// Lists that are `null` are empty.
fn nullable<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|own| own == wanted)
}

fn has_or_all(list: &[String], wanted: &str) -> bool {
    list.iter().any(|own| own == ALL || own == wanted)
}

/// Whether a pattern of a rule matches a path.
fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}

/// Whether a resource of a rule matches a resource and subresource.
fn resource_matches(pattern: &str, resource: &str, subresource: &str) -> bool {
    match (pattern.split_once('/'), subresource) {
        _ if pattern == ALL => true,
        (None, "") => pattern == resource,
        (None, _) | (Some(_), "") => false,
        (Some((parent, own)), _) => own == subresource && (parent == ALL || parent == resource),
    }
}

impl Rule {
    /// A rule about resources.
    pub fn new(verbs: &[&str], groups: &[&str], resources: &[&str]) -> Self {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            verbs: texts(verbs),
            api_groups: texts(groups),
            resources: texts(resources),
            ..Self::default()
        }
    }

    /// Everything, as only cluster administrators may do it.
    pub fn everything() -> [Self; 2] {
        let all = || vec![ALL.to_owned()];
        let paths = Self { verbs: all(), non_resource_urls: all(), ..Self::default() };
        [Self::new(&[ALL], &[ALL], &[ALL]), paths]
    }

    /// Whether the rule allows an action.
    pub fn allows(&self, action: &Action<'_>) -> bool {
        has_or_all(&self.verbs, action.verb)
            && match action.resource {
                Some(resource) => self.matches(resource),
                None => self.non_resource_urls.iter().any(|pattern| path_matches(pattern, action.path)),
            }
    }

    fn matches(&self, asked: &ResourceInfo) -> bool {
        has_or_all(&self.api_groups, &asked.group)
            && self.resources.iter().any(|own| resource_matches(own, &asked.resource, &asked.subresource))
            && (self.resource_names.is_empty() || has(&self.resource_names, &asked.name))
    }

    /// The rule as rules about one verb, group, resource, name or path each.
    pub fn parts(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let names = if self.resource_names.is_empty() {
            vec![Vec::new()]
        } else {
            self.resource_names.iter().map(one).collect()
        };
        let mut parts = Vec::new();
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let (verbs, api_groups, resources) = (one(verb), one(group), one(resource));
                    let part = Self { verbs, api_groups, resources, ..Self::default() };
                    parts.extend(
                        names.iter().map(|names| Self { resource_names: names.clone(), ..part.clone() }),
                    );
                }
            }
        }
        for path in &self.non_resource_urls {
            let part = |verb| Self { verbs: one(verb), non_resource_urls: one(path), ..Self::default() };
            parts.extend(self.verbs.iter().map(part));
        }
        parts
    }

    /// Whether everything that one of the [`Rule::parts`] of another rule allows, this one allows.
    fn covers(&self, part: &Self) -> bool {
        let all = |own: &[String], other: &[String]| other.iter().all(|wanted| has_or_all(own, wanted));
        all(&self.verbs, &part.verbs)
            && all(&self.api_groups, &part.api_groups)
            && part.resources.iter().all(|wanted| self.covers_resource(wanted))
            && part
                .non_resource_urls
                .iter()
                .all(|path| self.non_resource_urls.iter().any(|own| path_matches(own, path)))
            && self.covers_names(&part.resource_names)
    }

    fn covers_resource(&self, wanted: &str) -> bool {
        let any_parent =
            || wanted.split_once('/').is_some_and(|(_, own)| has(&self.resources, &format!("*/{own}")));
        has_or_all(&self.resources, wanted) || any_parent()
    }

    fn covers_names(&self, names: &[String]) -> bool {
        self.resource_names.is_empty()
            || (!names.is_empty() && names.iter().all(|name| has(&self.resource_names, name)))
    }
}

/// The parts of `wanted` that no rule of `held` covers; none is permission to grant `wanted`.
pub fn missing(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let parts = wanted.iter().flat_map(Rule::parts);
    parts.filter(|part| !held.iter().any(|own| own.covers(part))).collect()
}

/// Joins rules that differ in their verbs only and name one group, one resource and at most one name.
pub fn compact(rules: Vec<Rule>) -> Vec<Rule> {
    let mut compacted: Vec<Rule> = Vec::new();
    for rule in rules {
        let simple =
            rule.api_groups.len() == 1 && rule.resources.len() == 1 && rule.resource_names.len() <= 1;
        let same = |own: &&mut Rule| {
            (&own.api_groups, &own.resources, &own.resource_names)
                == (&rule.api_groups, &rule.resources, &rule.resource_names)
        };
        match compacted.iter_mut().find(same) {
            Some(own) if simple => {
                for verb in rule.verbs {
                    if !has(&own.verbs, &verb) {
                        own.verbs.push(verb);
                    }
                }
            }
            _ => compacted.push(rule),
        }
    }
    compacted
}

/// Texts as Go prints a list of them with `%q`.
pub fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// The short form of refusals: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let set = fields.iter().filter(|(_, list)| !list.is_empty());
        let texts: Vec<String> = set.map(|(name, list)| format!("{name}:{}", quoted(list))).collect();
        write!(f, "{{{}}}", texts.join(", "))
    }
}
