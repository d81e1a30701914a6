//! Answers: one place where statuses, headers and bodies are put together.

use api::status::Status;
use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// Any failure of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of requests and answers.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// What every handler gives.
pub type Outcome = Result<Response<Body>, Status>;

/// A body of bytes at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is made while it is sent.
pub fn streamed(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures::StreamExt;
    BodyExt::boxed_unsync(StreamBody::new(chunks.map(|chunk| Ok::<_, BoxError>(Frame::data(chunk)))))
}

/// An answer of a content type.
pub fn answer(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// A JSON answer.
pub fn json(code: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    answer(code, "application/json", full(body))
}

/// A JSON answer from a tree.
pub fn value(value: &serde_json::Value) -> Response<Body> {
    json(StatusCode::OK, value.to_string())
}

/// A text answer.
pub fn text(code: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    answer(code, "text/plain; charset=utf-8", full(body))
}

/// A `Status` as an answer, with `Retry-After` where one is due.
pub fn status(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.http_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(status).expect("a Status always serialises");
    let mut response = json(code, body);
    if let Some(seconds) = status.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Adds a `Warning` header (RFC 9111 section 5.5, code 299) per text.
pub fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(header) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            response.headers_mut().append(header::WARNING, header);
        }
    }
}
