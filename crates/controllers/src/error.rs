//! Why a reconcile failed.

use crate::informer::Key;

/// An error of a reconcile; each one backs off and is retried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused a request or could not be reached.
    #[error("the API server did not do what was asked")]
    Api(#[source] Box<kube::Error>),
    /// A request could not be built; a name that is no URL path.
    #[error("a request could not be built")]
    Request(#[from] kube::core::request::Error),
    /// An owner was replaced by another object of its name.
    #[error("{target} is another object now")]
    Replaced {
        /// The owner.
        target: Key,
    },
    /// An owner is being deleted.
    #[error("{target} is being deleted")]
    Deleting {
        /// The owner.
        target: Key,
    },
    /// An object holds what its kind does not allow.
    #[error("{target}: {reason}")]
    Invalid {
        /// The object.
        target: Key,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl Error {
    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Api(error) => match &**error {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    fn code(&self) -> u16 {
        self.status().map_or(0, |status| status.code)
    }

    /// The object of a request does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == 404
    }

    /// The resource takes no such request.
    pub(crate) fn is_method_not_allowed(&self) -> bool {
        self.code() == 405
    }

    /// The object was changed, or its preconditions do not hold.
    pub fn is_conflict(&self) -> bool {
        self.code() == 409
    }

    /// The object to be created is there already.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(|status| status.reason == "AlreadyExists")
    }

    /// Nothing is left to do: what was to be created exists, what was to be changed is gone.
    pub(crate) fn is_moot(&self) -> bool {
        self.is_already_exists() || self.is_not_found()
    }

    /// A part of ordinary life: another writer was faster, or the object is gone.
    pub fn is_normal(&self) -> bool {
        self.is_conflict()
            || self.is_not_found()
            || matches!(self, Self::Replaced { .. } | Self::Deleting { .. })
    }

    /// Creation was forbidden because the namespace is going away: there is nothing to retry.
    pub fn namespace_terminating(&self) -> bool {
        let causes = self.status().and_then(|status| status.details.as_ref()).map(|details| &details.causes);
        causes.is_some_and(|causes| causes.iter().any(|cause| cause.reason == "NamespaceTerminating"))
    }

    /// Not worth an event: nobody has to do anything about it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.namespace_terminating() || self.is_already_exists()
    }

    /// The server's message where there is one, else the chain of causes.
    pub fn message(&self) -> String {
        match self.status() {
            Some(status) => status.message.clone(),
            None => chain(self),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
