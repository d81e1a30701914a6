//! GET of one object.

use http::StatusCode;

use super::Call;
use crate::cache::CacheError;
use crate::render::IncludeObject;
use crate::respond::Outcome;
use api::status::Status;
use std::time::Duration;

/// How long a read waits for a revision that has not come yet.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until the cache is as current as a read with this `resourceVersion` must be, and gives the
/// revision applied.
///
/// # Errors
/// 400 for a malformed version, 504 for one that does not come in time.
pub async fn freshen(call: &Call, resource_version: &str) -> Result<u64, Status> {
    let cache = &call.shared.cache;
    let applied = match resource_version {
        "" => cache.catch_up().await,
        "0" => Ok(cache.applied()),
        text => cache.wait_for(parse_version(text)?, PATIENCE).await,
    };
    applied.map_err(|error| cache_failure(&error))
}

/// A resourceVersion as a number.
///
/// # Errors
/// 400 for anything else.
pub fn parse_version(text: &str) -> Result<u64, Status> {
    text.parse()
        .map_err(|_| Status::bad_request(format!("invalid resource version {text:?}: it is not a number")))
}

/// A cache failure as a client sees it.
pub fn cache_failure(error: &CacheError) -> Status {
    match error {
        CacheError::TooLarge { requested, current } => Status::too_large_version(*requested, *current),
        CacheError::Stopped | CacheError::Store(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "a read failed");
            Status::internal_error("the object store failed: see the server's log")
        }
    }
}

/// Answers `get`.
///
/// # Errors
/// 404 when there is no such object.
pub async fn get(call: &Call) -> Outcome {
    let include = IncludeObject::parse(&call.query.include_object)?;
    freshen(call, &call.query.resource_version).await?;
    let shard = call.shared.cache.shard(call.prefix());
    let object = shard.get(&call.key(&call.info.name)).ok_or_else(|| call.not_found(&call.info.name))?;
    let renderer = call.renderer(include);
    renderer.answer(StatusCode::OK, &object.versioned, call.shared.now())
}
