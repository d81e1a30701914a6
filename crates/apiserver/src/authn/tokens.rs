//! Bearer tokens: the seam between the pipeline and whoever can verify one.

use futures::future::BoxFuture;

use super::User;

/// Verifies bearer tokens.
pub trait Tokens: Send + Sync {
    /// The user a token names, or `None` when it is not valid.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>>;
}
