//! The claims of a service-account token, and whether they still hold.
//!
//! Reference: Kubernetes' bound service-account tokens (KEP-1205, KEP-4193).

use std::collections::BTreeMap;

use api::meta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authn::{AUTHENTICATED, User, account};

/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

/// All claims of a token; times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// For whom it is meant.
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it expires.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Who issued it.
    pub iss: String,
    /// Its own id.
    #[serde(default)]
    pub jti: String,
    /// What it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub bound: Bound,
    /// From when on it is valid.
    pub nbf: i64,
    /// The user it names.
    pub sub: String,
}

/// The objects a token is bound to: without any of them it is invalid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The namespace of all of them.
    pub namespace: String,
    /// The node of the pod, or the node itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<Reference>,
    /// The pod.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pod: Option<Reference>,
    /// The secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<Reference>,
    /// The service account.
    pub serviceaccount: Reference,
    /// When clients should have fetched a newer one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warnafter: Option<i64>,
}

/// An object by name and uid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// The uid; empty for a node that was not there.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub uid: String,
}

impl Reference {
    /// A reference to an object.
    pub fn to(object: &Value) -> Self {
        Self { name: meta::name(object).to_owned(), uid: meta::uid(object).to_owned() }
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(input)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}

/// Why a token is not valid; the texts are Kubernetes'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no token of ours at all.
    #[error("invalid bearer token")]
    Foreign,
    /// It is for others.
    #[error("token audiences {0} is invalid for the target audiences {1}")]
    Audience(String, String),
    /// Its time is over.
    #[error("service account token has expired")]
    Expired,
    /// Its time has not come.
    #[error("service account token is not valid yet")]
    TooEarly,
    /// A bound object is gone.
    #[error("service account token has been invalidated")]
    Invalidated,
    /// The account is gone.
    #[error("serviceaccounts {0:?} not found")]
    NoAccount(String),
    /// The account is being deleted.
    #[error("service account {0} has been deleted")]
    AccountDeleted(String),
    /// An object of that name is another one.
    #[error("{0} UID ({1}) does not match {2} ({3})")]
    Uid(&'static str, String, &'static str, String),
}

impl Invalid {
    /// Whether a cache that is behind may be the reason.
    pub fn may_be_stale(&self) -> bool {
        matches!(self, Self::Invalidated | Self::NoAccount(_) | Self::AccountDeleted(_) | Self::Uid(..))
    }
}

impl Claims {
    /// Whether the time is right and every bound object is there; `lookup` finds an object by resource
    /// prefix and key.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self, now: i64, lookup: impl Fn(&str, &str) -> Option<Value>) -> Result<(), Invalid> {
        if now - LEEWAY > self.exp {
            return Err(Invalid::Expired);
        }
        if now + LEEWAY < self.nbf {
            return Err(Invalid::TooEarly);
        }
        let (bound, check) = (&self.bound, Check { now, lookup });
        check.account(&bound.namespace, &bound.serviceaccount)?;
        let key = |reference: &Reference| format!("{}/{}", bound.namespace, reference.name);
        if let Some(secret) = &bound.secret {
            check.object(
                "core/secrets",
                &key(secret),
                secret,
                ("secret", "service account secret ref claim"),
            )?;
        }
        if let Some(pod) = &bound.pod {
            check.object("core/pods", &key(pod), pod, ("pod", "service account pod ref claim"))?;
        }
        // The node of a bound pod is information; a token bound to a node lives with it.
        if let (Some(node), None) = (&bound.node, &bound.pod) {
            check.object("core/nodes", &node.name, node, ("node", "service account node ref claim"))?;
        }
        Ok(())
    }

    /// The user a valid token names.
    pub fn user(&self) -> User {
        let Bound { namespace, serviceaccount, pod, node, .. } = &self.bound;
        let mut extra = BTreeMap::new();
        let mut add = |key: &str, value: String| {
            if !value.is_empty() {
                extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value]);
            }
        };
        if !self.jti.is_empty() {
            add("credential-id", format!("JTI={}", self.jti));
        }
        for (kind, reference) in [("pod", pod), ("node", node)] {
            let Some(Reference { name, uid }) = reference else { continue };
            add(&format!("{kind}-name"), name.clone());
            add(&format!("{kind}-uid"), uid.clone());
        }
        let mut groups = account::groups(namespace);
        groups.push(AUTHENTICATED.to_owned());
        let name = account::user_name(namespace, &serviceaccount.name);
        User { name, uid: serviceaccount.uid.clone(), groups, extra }
    }
}

struct Check<F> {
    now: i64,
    lookup: F,
}

impl<F: Fn(&str, &str) -> Option<Value>> Check<F> {
    fn account(&self, namespace: &str, claimed: &Reference) -> Result<(), Invalid> {
        let key = format!("{namespace}/{}", claimed.name);
        let found = (self.lookup)("core/serviceaccounts", &key);
        let account = found.ok_or_else(|| Invalid::NoAccount(claimed.name.clone()))?;
        if self.is_deleted(&account) {
            return Err(Invalid::AccountDeleted(key));
        }
        same_uid(&account, claimed, ("service account", "claim"))
    }

    fn object(
        &self,
        prefix: &str,
        key: &str,
        claimed: &Reference,
        words: (&'static str, &'static str),
    ) -> Result<(), Invalid> {
        let found = (self.lookup)(prefix, key).filter(|object| !self.is_deleted(object));
        same_uid(&found.ok_or(Invalid::Invalidated)?, claimed, words)
    }

    /// Whether an object's time to go has passed.
    fn is_deleted(&self, object: &Value) -> bool {
        meta::deletion_timestamp(object).is_some_and(|at| at.unix() < self.now - LEEWAY)
    }
}

fn same_uid(object: &Value, claimed: &Reference, words: (&'static str, &'static str)) -> Result<(), Invalid> {
    let uid = meta::uid(object);
    if uid == claimed.uid {
        return Ok(());
    }
    Err(Invalid::Uid(words.0, uid.to_owned(), words.1, claimed.uid.clone()))
}
