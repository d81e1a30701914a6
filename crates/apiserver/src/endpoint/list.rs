//! GET of many objects: from one snapshot, page by page at one revision, streamed.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use api::meta::Time;
use api::status::Status;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Call;
use super::read::{freshen, parse_version};
use crate::cache::shard::{Object, Objects, range};
use crate::negotiate::{Encoding, Form};
use crate::render::{IncludeObject, Renderer};
use crate::respond::{self, Outcome};
use crate::selection::Selection;

/// Bytes gathered before they are handed to the connection.
const CHUNK: usize = 128 * 1024;

/// A continue token: the revision of the list and the key after which the next page begins.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    v: String,
    rv: u64,
    start: String,
}

/// One page of a list.
struct Page {
    objects: Vec<Arc<Object>>,
    revision: u64,
    next: Option<String>,
    remaining: Option<usize>,
}

/// Answers `list`.
///
/// # Errors
/// 400 for parameters that contradict each other, 410 for a revision that is no longer known.
pub async fn list(call: &Call) -> Outcome {
    let include = IncludeObject::parse(&call.query.include_object)?;
    let selection = Selection::of(call.resource(), &call.info, &call.query)?;
    let (objects, revision, after) = snapshot(call).await?;
    let page = page(call, &selection, &objects, revision, after.as_deref());
    let renderer = call.renderer(include);
    send(renderer, page, call.shared.now())
}

/// The snapshot that the parameters ask for, its revision, and the key to start after.
async fn snapshot(call: &Call) -> Result<(Objects, u64, Option<String>), Status> {
    let query = &call.query;
    check_parameters(query)?;
    let shard = call.shared.cache.shard(call.prefix());
    if !query.continue_token.is_empty() {
        let token = parse_token(&query.continue_token)?;
        let now = if token.rv == 0 { freshen(call, "").await? } else { call.shared.cache.applied() };
        if token.rv == 0 {
            return Ok((shard.snapshot().0, now, Some(token.start)));
        }
        let objects = shard.snapshot_at(token.rv, now).ok_or_else(|| expired(&token))?;
        return Ok((objects, token.rv, Some(token.start)));
    }
    if query.resource_version_match == "Exact" {
        let wanted = parse_version(&query.resource_version)?;
        let now = freshen(call, &query.resource_version).await?;
        let objects = shard.snapshot_at(wanted, now).ok_or_else(Status::list_expired)?;
        return Ok((objects, wanted, None));
    }
    // The revision is read before the snapshot: a list may be newer than it says, never older.
    let applied = freshen(call, &query.resource_version).await?;
    let (objects, changed) = shard.snapshot();
    Ok((objects, applied.max(changed), None))
}

fn check_parameters(query: &crate::request::Query) -> Result<(), Status> {
    let (version, rule) = (query.resource_version.as_str(), query.resource_version_match.as_str());
    let invalid = |text: &str| Err(Status::bad_request(text));
    match rule {
        "" | "NotOlderThan" | "Exact" => {}
        _ => return invalid("resourceVersionMatch must be \"Exact\" or \"NotOlderThan\""),
    }
    if !rule.is_empty() && version.is_empty() && query.continue_token.is_empty() {
        return invalid("resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if rule == "Exact" && version == "0" {
        return invalid("resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"");
    }
    if !query.continue_token.is_empty() && !version.is_empty() && version != "0" {
        return invalid("specifying resource version is not allowed when using continue");
    }
    Ok(())
}

fn parse_token(text: &str) -> Result<Token, Status> {
    let wrong = || Status::bad_request("continue key is not valid: it was not made by this server");
    let json = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| wrong())?;
    serde_json::from_slice(&json).map_err(|_| wrong())
}

fn encode_token(revision: u64, start: &str) -> String {
    let token = Token { v: "meta.k8s.io/v1".into(), rv: revision, start: start.into() };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).expect("a token always serialises"))
}

/// 410 with a token that goes on from the same key at the latest revision instead.
fn expired(token: &Token) -> Status {
    Status::continue_expired(&encode_token(0, &token.start))
}

fn page(call: &Call, selection: &Selection, objects: &Objects, revision: u64, after: Option<&str>) -> Page {
    let selected = range(objects, &selection.prefix, after).filter(|object| selection.matches(object));
    let limit = usize::try_from(call.query.limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Page { objects: selected.cloned().collect(), revision, next: None, remaining: None };
    }
    let mut selected = selected.peekable();
    let taken: Vec<Arc<Object>> = selected.by_ref().take(limit).cloned().collect();
    let last = taken.last().filter(|_| selected.peek().is_some()).map(|object| object.key.to_string());
    let Some(last) = last else { return Page { objects: taken, revision, next: None, remaining: None } };
    let remaining = selection.is_everything().then(|| selected.count());
    call.shared.cache.shard(call.prefix()).keep(revision, objects, Instant::now());
    Page { objects: taken, revision, next: Some(encode_token(revision, &last)), remaining }
}

impl Page {
    fn metadata(&self) -> serde_json::Value {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if let Some(next) = &self.next {
            metadata["continue"] = json!(next);
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        metadata
    }
}

fn send(renderer: Renderer, page: Page, now: Time) -> Outcome {
    let (kind, api_version) = renderer.list_kind();
    let mut head =
        format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{}"#, page.metadata());
    match renderer.form() {
        Form::Table => {
            let _ = write!(head, r#","columnDefinitions":{},"rows":["#, renderer.column_definitions());
        }
        _ => head.push_str(r#","items":["#),
    }
    let chunks = Chunks { renderer, objects: page.objects.into_iter(), head: Some(head), first: true, now };
    chunks.into_answer()
}

/// A list's JSON, chunk by chunk: memory stays bounded however long the list is.
struct Chunks {
    renderer: Renderer,
    objects: std::vec::IntoIter<Arc<Object>>,
    head: Option<String>,
    first: bool,
    now: Time,
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = BytesMut::with_capacity(CHUNK / 4);
        let head = self.head.take();
        if head.is_none() && self.objects.as_slice().is_empty() {
            return None;
        }
        chunk.put_slice(head.unwrap_or_default().as_bytes());
        while chunk.len() < CHUNK
            && let Some(object) = self.objects.next()
        {
            if !std::mem::take(&mut self.first) {
                chunk.put_u8(b',');
            }
            chunk.put_slice(&self.renderer.item(&object.versioned, self.now));
        }
        if self.objects.as_slice().is_empty() {
            chunk.put_slice(b"]}");
        }
        Some(chunk.freeze())
    }
}

impl Chunks {
    fn into_answer(mut self) -> Outcome {
        let renderer = self.renderer.clone();
        let first = self.next().unwrap_or_default();
        if self.objects.as_slice().is_empty() {
            return renderer.encode(StatusCode::OK, first);
        }
        if renderer.encoding() == Encoding::Yaml {
            let whole: BytesMut = std::iter::once(first).chain(self).flatten().collect();
            return renderer.encode(StatusCode::OK, whole.freeze());
        }
        let body = respond::streamed(futures::stream::iter(std::iter::once(first).chain(self)));
        Ok(respond::answer(StatusCode::OK, "application/json", body))
    }
}
