//! Watches: the objects there are, then every change, once and in order.
//!
//! A watcher reads the shard's ring at its own pace. When it has fallen off the ring's tail it gets
//! an `ERROR` event with a 410 Status, and the stream ends (reference: the watch API of Kubernetes).

use std::sync::Arc;
use std::time::Duration;

use api::meta::Time;
use api::status::Status;
use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Call;
use super::read::{freshen, parse_version};
use crate::cache::shard::{Change, Object, Position, Shard, TooOld, range};
use crate::render::{IncludeObject, Renderer};
use crate::respond::{self, Outcome};
use crate::selection::Selection;
use crate::server::Shared;

/// Changes read at once, and bytes after which they are handed to the connection.
const BATCH: usize = 256;
const CHUNK: usize = 64 * 1024;
/// How often a watcher that asked for bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// The shortest and longest time a watch lasts when the client does not say.
const TIMEOUT_MIN_SECONDS: u64 = 1800;

struct Watcher {
    shared: Arc<Shared>,
    shard: Arc<Shard>,
    waker: watch::Receiver<u64>,
    position: Position,
    /// Changes up to this revision are known to the client.
    after: u64,
    selection: Selection,
    renderer: Renderer,
    initial: std::vec::IntoIter<Arc<Object>>,
    /// The revision to announce once the initial events are out.
    initial_end: Option<u64>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    columns_sent: bool,
    failed: Option<TooOld>,
    ended: bool,
}

/// Answers `watch`.
///
/// # Errors
/// 400 for parameters that contradict each other.
pub async fn watch(call: &Call) -> Outcome {
    let watcher = Watcher::start(call).await?;
    let chunks = futures::stream::unfold(watcher, |mut watcher| async move {
        let chunk = watcher.next_chunk().await?;
        Some((chunk, watcher))
    });
    Ok(respond::answer(StatusCode::OK, "application/json", respond::streamed(chunks)))
}

fn check_parameters(call: &Call) -> Result<(), Status> {
    let query = &call.query;
    let forbidden = |text: &str| Err(Status::bad_request(text));
    match (query.send_initial_events, query.resource_version_match.as_str()) {
        (Some(_), "NotOlderThan") | (None, "") => {}
        (Some(_), _) => {
            return forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        (None, _) => {
            return forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
    }
    if query.send_initial_events == Some(true) && !query.bookmarks {
        return forbidden("sendInitialEvents requires allowWatchBookmarks to be true");
    }
    Ok(())
}

impl Watcher {
    async fn start(call: &Call) -> Result<Self, Status> {
        check_parameters(call)?;
        let query = &call.query;
        let selection = Selection::of(call.resource(), &call.info, query)?;
        let include = IncludeObject::parse(&query.include_object)?;
        let shard = call.shared.cache.shard(call.prefix());
        let from = Start::of(call).await?;
        let waker = shard.waker();
        let (initial, position, after, failed) = from.open(&shard, &selection);
        let initial_end = from.announce().then_some(after);
        let now = Instant::now();
        let timeout = query
            .timeout_seconds
            .filter(|seconds| *seconds > 0)
            .unwrap_or_else(|| call.shared.watch_timeout());
        Ok(Self {
            shared: Arc::clone(&call.shared),
            waker,
            position,
            after,
            selection,
            renderer: call.renderer(include),
            initial: initial.into_iter(),
            initial_end,
            bookmarks: query.bookmarks,
            next_bookmark: now + BOOKMARK_EVERY,
            deadline: now + Duration::from_secs(timeout),
            columns_sent: false,
            failed,
            ended: false,
            shard,
        })
    }

    /// The next bytes to send; `None` ends the stream.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(chunk) = self.initial_chunk() {
                return Some(chunk);
            }
            if let Some(failed) = self.failed {
                self.ended = true;
                return Some(error_event(&Status::too_old(failed.requested, failed.oldest)));
            }
            self.waker.borrow_and_update();
            let applied = self.shared.cache.applied();
            let Some((changes, position)) = self.shard.read_from(self.position, BATCH) else {
                self.ended = true;
                return Some(error_event(&Status::watch_expired()));
            };
            self.position = position;
            let idle = changes.is_empty();
            let chunk = self.encode(&changes);
            if !chunk.is_empty() {
                return Some(chunk);
            }
            if idle && let Some(chunk) = self.wait(applied).await {
                return Some(chunk);
            }
        }
    }

    /// Waits for changes, the next bookmark or the end.
    async fn wait(&mut self, applied: u64) -> Option<Bytes> {
        let until = if self.bookmarks { self.deadline.min(self.next_bookmark) } else { self.deadline };
        tokio::select! {
            woken = self.waker.changed() => {
                self.ended = woken.is_err();
                return None;
            }
            () = tokio::time::sleep_until(until) => {}
        }
        self.ended = Instant::now() >= self.deadline;
        self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
        self.bookmarks.then(|| self.bookmark(applied.max(self.after), false))
    }

    fn initial_chunk(&mut self) -> Option<Bytes> {
        let mut chunk = BytesMut::new();
        let now = self.shared.now();
        while chunk.len() < CHUNK
            && let Some(object) = self.initial.next()
        {
            self.event(&mut chunk, "ADDED", &object.versioned, now);
        }
        if self.initial.as_slice().is_empty()
            && let Some(revision) = self.initial_end.take()
        {
            chunk.put_slice(&self.bookmark(revision, true));
        }
        (!chunk.is_empty()).then(|| chunk.freeze())
    }

    fn encode(&mut self, changes: &[Arc<Change>]) -> Bytes {
        let mut chunk = BytesMut::new();
        let now = self.shared.now();
        let after = self.after;
        for change in changes.iter().filter(|change| change.revision > after) {
            let is = change.object.as_ref().filter(|object| self.selection.matches(object));
            let was = change.previous.as_ref().filter(|object| self.selection.matches(object));
            match (was, is) {
                (None, Some(object)) => self.event(&mut chunk, "ADDED", &object.versioned, now),
                (Some(_), Some(object)) => self.event(&mut chunk, "MODIFIED", &object.versioned, now),
                (Some(object), None) => {
                    self.event(&mut chunk, "DELETED", &object.versioned.at(change.revision), now);
                }
                (None, None) => {}
            }
        }
        self.after = changes.last().map_or(self.after, |change| self.after.max(change.revision));
        chunk.freeze()
    }

    fn event(&mut self, chunk: &mut BytesMut, kind: &str, object: &crate::value::Versioned, now: Time) {
        let with_columns = !std::mem::replace(&mut self.columns_sent, true);
        let object = self.renderer.single(object, now, with_columns);
        chunk.put_slice(b"{\"type\":\"");
        chunk.put_slice(kind.as_bytes());
        chunk.put_slice(b"\",\"object\":");
        chunk.put_slice(&object);
        chunk.put_slice(b"}\n");
    }

    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = self.renderer.bookmark(metadata);
        Bytes::from(format!("{}\n", json!({"type": "BOOKMARK", "object": object})))
    }
}

/// Where a watch begins.
enum Start {
    /// With the objects there are; `announce` marks their end by a bookmark.
    Objects { applied: u64, announce: bool },
    /// After a revision.
    After(u64),
}

impl Start {
    async fn of(call: &Call) -> Result<Self, Status> {
        let query = &call.query;
        let version = query.resource_version.as_str();
        match query.send_initial_events {
            Some(true) => Ok(Self::Objects { applied: freshen(call, version).await?, announce: true }),
            Some(false) if version.is_empty() || version == "0" => Ok(Self::After(freshen(call, "").await?)),
            None if version.is_empty() || version == "0" => {
                Ok(Self::Objects { applied: freshen(call, version).await?, announce: false })
            }
            _ => Ok(Self::After(parse_version(version)?)),
        }
    }

    fn announce(&self) -> bool {
        matches!(self, Self::Objects { announce: true, .. })
    }

    /// The initial objects, the position to read on from, the revision known, and why it cannot start.
    fn open(
        &self,
        shard: &Shard,
        selection: &Selection,
    ) -> (Vec<Arc<Object>>, Position, u64, Option<TooOld>) {
        let (objects, changed, position) = shard.snapshot_and_position();
        match *self {
            Self::Objects { applied, .. } => {
                let all = range(&objects, &selection.prefix, None);
                let selected = all.filter(|object| selection.matches(object)).cloned().collect();
                (selected, position, applied.max(changed), None)
            }
            Self::After(revision) => match shard.position_after(revision) {
                Ok(position) => (Vec::new(), position, revision, None),
                Err(too_old) => (Vec::new(), position, revision, Some(too_old)),
            },
        }
    }
}

fn error_event(status: &Status) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})))
}

impl Shared {
    /// Watches last 30 to 60 minutes, spread so that clients do not all come back at once.
    fn watch_timeout(&self) -> u64 {
        TIMEOUT_MIN_SECONDS + u64::from(u16::from_le_bytes(self.random())) % TIMEOUT_MIN_SECONDS
    }
}
