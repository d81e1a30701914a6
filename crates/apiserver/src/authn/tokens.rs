//! Bearer tokens: the seam between the pipeline and whoever can verify one, and service-account tokens.
//!
//! ```text
//! TokenRequest -> Claims -> jwt::Key -> token        token -> jwt::Key -> Claims -> live objects -> User
//! ```

use std::sync::Arc;

use api::meta::Time;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::User;
use crate::authz::rule::quoted;
use crate::cache::WatchCache;
use crate::server::Environment;

pub mod claims;
pub mod jwt;
#[cfg(test)]
mod tests;

use claims::{Bound, Claims, Invalid};
use jwt::{Key, KeyError};

/// Who issues tokens, and the audience of those that name none.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Where the keys of the issuer are.
pub const JWKS_PATH: &str = "/openid/v1/jwks";

/// What pods' automatic volumes ask for, and how long such a token is valid at most.
const AUTOMATIC_SECONDS: i64 = 3607;
const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;

/// A token that is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// Whom it names.
    pub user: User,
    /// The audiences asked for that it is meant for.
    pub audiences: Vec<String>,
}

/// Verifies bearer tokens.
pub trait Tokens: Send + Sync {
    /// The user a token names, or `None` when it is not valid.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>>;

    /// Whom a token names and for which of `audiences` (empty: the server itself), or why it is not valid.
    fn review<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, Result<Reviewed, String>> {
        Box::pin(async move {
            let user = self.authenticate(token).await.ok_or_else(|| Invalid::Foreign.to_string())?;
            Ok(Reviewed { user, audiences: audiences.to_vec() })
        })
    }

    /// Who issues tokens for service accounts, if anybody does.
    fn issuer(&self) -> Option<&ServiceAccountTokens> {
        None
    }
}

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// When its holder should have fetched a newer one.
    pub expires: Time,
}

/// Issues and verifies the tokens of service accounts.
pub struct ServiceAccountTokens {
    key: Key,
    audiences: Vec<String>,
    cache: Arc<WatchCache>,
    environment: Environment,
}

impl ServiceAccountTokens {
    /// Tokens of [`ISSUER`], signed by a PKCS#8 PEM key on P-256, bound to objects in the cache.
    ///
    /// # Errors
    /// When the key is no such key.
    pub fn new(key_pem: &str, cache: Arc<WatchCache>, environment: Environment) -> Result<Self, KeyError> {
        let audiences = vec![ISSUER.to_owned()];
        Ok(Self { key: Key::from_pem(key_pem)?, audiences, cache, environment })
    }

    fn now(&self) -> i64 {
        Time::from((self.environment.now)()).unix()
    }

    /// The audiences of tokens for the server itself.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Issues a token for some seconds; no audience means the server itself.
    ///
    /// Tokens of automatic volumes live for a year beside their pod, and say when they were meant to be
    /// replaced: as in Kubernetes, for clients that read their token once.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn issue(&self, mut bound: Bound, audiences: &[String], seconds: i64) -> Result<Issued, KeyError> {
        let now = self.now();
        let aud = if audiences.is_empty() { self.audiences.clone() } else { audiences.to_vec() };
        let ours = aud.iter().all(|audience| self.audiences.contains(audience));
        let automatic = bound.pod.is_some() && ours && seconds == AUTOMATIC_SECONDS;
        bound.warnafter = automatic.then_some(now + seconds);
        let claims = Claims {
            aud,
            exp: now + if automatic { EXTENDED_SECONDS } else { seconds },
            iat: now,
            iss: ISSUER.to_owned(),
            jti: self.environment.uid(),
            sub: super::account::user_name(&bound.namespace, &bound.serviceaccount.name),
            nbf: now,
            bound,
        };
        let expires = Time::from_unix(now + seconds);
        Ok(Issued { token: self.key.sign(&claims)?, expires })
    }

    /// The claims of a token of ours whose bound objects are all there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub async fn verify(&self, token: &str) -> Result<Claims, Invalid> {
        let claims: Claims =
            self.key.verify(token).filter(|claims: &Claims| claims.iss == ISSUER).ok_or(Invalid::Foreign)?;
        match self.validate(&claims) {
            // A token is often used the moment its objects are made: the cache may be behind.
            Err(invalid) if invalid.may_be_stale() && self.cache.catch_up().await.is_ok() => {
                self.validate(&claims)?;
            }
            other => other?,
        }
        Ok(claims)
    }

    fn validate(&self, claims: &Claims) -> Result<(), Invalid> {
        claims.validate(self.now(), |prefix, key| {
            let object = self.cache.shard(prefix).get(key)?;
            serde_json::from_slice(object.versioned.json()).ok()
        })
    }

    /// The claims' audiences that are among `wanted`, or the server's own where none are wanted.
    fn accepted(&self, claims: &Claims, wanted: &[String]) -> Result<Vec<String>, Invalid> {
        let wanted = if wanted.is_empty() { &self.audiences } else { wanted };
        let accepted: Vec<String> = claims.aud.iter().filter(|own| wanted.contains(own)).cloned().collect();
        if accepted.is_empty() {
            Err(Invalid::Audience(quoted(&claims.aud), quoted(wanted)))
        } else {
            Ok(accepted)
        }
    }

    /// Verifies a token for audiences.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub async fn check(&self, token: &str, audiences: &[String]) -> Result<Reviewed, Invalid> {
        let claims = self.verify(token).await?;
        Ok(Reviewed { audiences: self.accepted(&claims, audiences)?, user: claims.user() })
    }

    /// `/.well-known/openid-configuration` of a server that clients reach at `host:port`.
    pub fn openid_configuration(&self, address: &str) -> Value {
        json!({
            "issuer": ISSUER,
            "jwks_uri": format!("https://{address}{JWKS_PATH}"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    /// `/openid/v1/jwks`, served as `application/jwk-set+json`.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.key.jwk()]})
    }
}

impl Tokens for ServiceAccountTokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>> {
        Box::pin(async move {
            let checked = self.check(token, &[]).await;
            checked
                .inspect_err(|why| tracing::debug!(%why, "a bearer token is refused"))
                .ok()
                .map(|valid| valid.user)
        })
    }

    fn review<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, Result<Reviewed, String>> {
        Box::pin(async move {
            self.check(token, audiences).await.map_err(|why| match why {
                Invalid::Foreign => why.to_string(),
                other => format!("[{}, {other}]", Invalid::Foreign),
            })
        })
    }

    fn issuer(&self) -> Option<&ServiceAccountTokens> {
        Some(self)
    }
}
