//! Bodies that a fault makes of an answer's own.
//!
//! Owns their bytes, and how fast these come. Must not know which fault asks for one.

use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::CONTENT_LENGTH;

use super::Coding;
use crate::encoding::gzip;
use crate::wire::{Answer, Body};

/// Between two bytes of a body that drips.
const DRIP: Duration = Duration::from_secs(1);
/// How many bytes of a flood come at once.
const CHUNK: usize = 64 << 10;

/// Half of the body at once, and this after so long, under the length of the whole.
pub(super) fn in_two(answer: &Answer, after: Duration, rest: io::Result<Frame<Bytes>>) -> Response<Body> {
    let half = answer.body.slice(..answer.body.len() / 2);
    let frames = stream::iter([Ok(Frame::data(half))]).chain(stream::once(async move {
        tokio::time::sleep(after).await;
        rest
    }));
    let mut response = answer.with_body(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, answer.body.len().into());
    response
}

/// The body, of which a byte comes in a second, under its length.
pub(super) fn dripping(answer: &Answer) -> Response<Body> {
    let bytes = answer.body.clone();
    let frames = stream::iter(0..bytes.len()).then(move |at| {
        let byte = bytes.slice(at..=at);
        async move {
            tokio::time::sleep(DRIP).await;
            Ok(Frame::data(byte))
        }
    });
    let mut response = answer.with_body(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, answer.body.len().into());
    response
}

/// A body of so many bytes, which begins like JSON.
pub(super) fn flood(answer: &Answer, bytes: usize, declared: bool) -> Response<Body> {
    let mut filled = b"{\"padding\":\"".to_vec();
    filled.resize(CHUNK, b'x');
    let first = Bytes::from(filled);
    let rest = Bytes::from(vec![b'x'; CHUNK]);
    let frames = stream::iter((0..bytes.div_ceil(CHUNK)).map(move |at| {
        let chunk = if at == 0 { &first } else { &rest };
        Ok(Frame::data(chunk.slice(..CHUNK.min(bytes - at * CHUNK))))
    }));
    let mut response = answer.with_body(StreamBody::new(frames).boxed_unsync());
    if declared {
        response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    }
    response
}

/// A JSON object with so many bytes more in it; what is no object stays as it is.
pub(super) fn padded(body: &Bytes, bytes: usize) -> Bytes {
    let Some(fields) = body.strip_prefix(b"{") else { return body.clone() };
    let mut padded = Vec::with_capacity(body.len() + bytes + 16);
    padded.extend(b"{\"padding\":\"");
    padded.resize(padded.len() + bytes, b'x');
    padded.extend(b"\",");
    padded.extend(fields);
    Bytes::from(padded)
}

pub(super) fn coded(mut answer: Answer, coding: Coding) -> Answer {
    match coding {
        Coding::ByteOrderMark => {
            answer.body = Bytes::from([b"\xef\xbb\xbf", answer.body.as_ref()].concat());
            answer
        }
        Coding::WrongCharset => {
            answer.content_type = "application/json; charset=iso-8859-1";
            answer
        }
        Coding::Gzip => {
            answer.body = Bytes::from(gzip(&answer.body));
            answer.with("content-encoding", "gzip")
        }
    }
}
