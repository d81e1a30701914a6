//! Who sends a request: client certificates and bearer tokens.
//!
//! A TLS peer proves its certificate before this module sees it; here its subject is read. Components
//! in the server's own process are named by whoever holds the [`crate::ApiServer`], never by a header.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::status::Status;
use http::HeaderMap;
use x509_parser::prelude::{FromDer, X509Certificate};

pub mod account;
pub mod impersonation;
pub mod tokens;

/// Members of this group may do anything, whatever the rules say.
pub const MASTERS: &str = "system:masters";
/// Every authenticated user is a member.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Requests for health endpoints without credentials are in this group.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user of a request without credentials.
pub const ANONYMOUS: &str = "system:anonymous";

/// An identity, as the `authentication.k8s.io` API describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// An identifier that outlives renaming, or empty.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Anything else the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user in groups; `system:authenticated` is added.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().copied().chain([AUTHENTICATED]).map(str::to_owned).collect();
        Self { name: name.to_owned(), groups, ..Self::default() }
    }

    /// The user of a request without credentials.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// Whether the user is a member of the group.
    pub fn is_member(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// What the transport knows of the caller.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A TLS connection, with the client's certificate (DER) where it proved one.
    Tls(Option<Arc<[u8]>>),
    /// A component in this process, named by the binary.
    Component(Arc<User>),
}

/// Reads identities.
pub struct Authenticator {
    tokens: Arc<dyn tokens::Tokens>,
}

impl Authenticator {
    /// An authenticator that takes the tokens that `tokens` accepts.
    pub fn new(tokens: Arc<dyn tokens::Tokens>) -> Self {
        Self { tokens }
    }

    /// The caller, or `None` when the request carries no credentials.
    ///
    /// # Errors
    /// 401 when it carries credentials that are not valid.
    pub async fn authenticate(&self, peer: &Peer, headers: &HeaderMap) -> Result<Option<Arc<User>>, Status> {
        match peer {
            Peer::Component(user) => return Ok(Some(Arc::clone(user))),
            Peer::Tls(Some(certificate)) => {
                if let Some(user) = subject(certificate) {
                    return Ok(Some(Arc::new(user)));
                }
            }
            Peer::Tls(None) => {}
        }
        match bearer(headers) {
            Some(token) => match self.tokens.authenticate(&token).await {
                Some(user) => Ok(Some(Arc::new(user))),
                None => Err(Status::unauthorized()),
            },
            None => Ok(None),
        }
    }
}

impl Authenticator {
    /// Who issues tokens for service accounts, if anybody does.
    pub fn issuer(&self) -> Option<&tokens::ServiceAccountTokens> {
        self.tokens.issuer()
    }

    /// Whom a token names and for which of `audiences`, or why it is not valid.
    ///
    /// # Errors
    /// The reason, as a TokenReview shows it.
    pub async fn review(&self, token: &str, audiences: &[String]) -> Result<tokens::Reviewed, String> {
        self.tokens.review(token, audiences).await
    }
}

/// Common name and organizations of a verified certificate.
fn subject(der: &[u8]) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let groups: Vec<&str> = subject.iter_organization().filter_map(|group| group.as_str().ok()).collect();
    Some(User::new(name, &groups))
}

/// The bearer token in the `Authorization` header, or in the WebSocket protocol list where browsers put it.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = header("authorization") {
        let (scheme, token) = value.trim().split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    let protocols = header("sec-websocket-protocol")?;
    let encoded =
        protocols.split(',').find_map(|p| p.trim().strip_prefix("base64url.bearer.authorization.k8s.io."))?;
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, encoded).ok()?;
    String::from_utf8(decoded).ok()
}
