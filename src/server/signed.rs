//! Reading a body that must be Slack's.
//!
//! Owns the bounds on what a stranger can make us read, and the order of the checks: size and
//! time first, then the signature, and only then may anybody look at the content.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;

use super::deadline::Deadline;
use crate::clock::Clock;
use crate::current::Current;
use crate::slack::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use crate::slack::socket::Switch;
use crate::telemetry::Metrics;

/// Largest body, in bytes. Slack's largest are interactions with a whole modal in them: ours takes half of it
/// with a hundred destinations of the longest names to choose from.
const BODY_LIMIT: usize = 64 * 1024;

/// Reads a body within the bounds.
///
/// # Errors
/// 413, 408, or 400 when the connection breaks off.
pub(super) async fn read(body: Body, deadline: Deadline) -> Result<Bytes, StatusCode> {
    tokio::time::timeout_at(deadline.early(), whole(body)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

/// The bytes in one piece. Kept as they come, each piece would keep all that it was read into: of one that comes
/// byte by byte, 8 KiB for each byte.
async fn whole(mut body: Body) -> Result<Bytes, StatusCode> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        // Trailers say nothing that anybody asks for.
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > BODY_LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.into())
}

/// Who tells Slack's requests from others. No `Debug`: it holds the signing secrets.
pub struct Signed {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The keys of Slack's signatures.
    pub verifier: Current<Verifier>,
    /// Whether Slack uses sockets instead.
    pub socket_mode: Switch,
}

impl Signed {
    /// Verifies a body's signature and returns its bytes.
    ///
    /// # Errors
    /// 401.
    pub(super) fn verify(&self, head: &Parts, body: &Bytes) -> Result<[u8; 32], StatusCode> {
        let headers = &head.headers;
        let values = |name| headers.get_all(name).iter().map(|value| value.as_bytes());
        let now = self.clock.now();
        let verified =
            self.verifier.get().verify(values(TIMESTAMP_HEADER), values(SIGNATURE_HEADER), body, now);
        let signed_at: Option<i64> =
            headers.get(TIMESTAMP_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        if let (Ok(_), Some(signed_at)) = (&verified, signed_at) {
            self.metrics.slacks_clock(signed_at, now);
            self.socket_mode.has_sent_a_request();
        }
        verified.map_err(|error| {
            if self.metrics.may_log_refusal(now.as_second()) {
                let skew_s = signed_at.map(|signed_at| now.as_second().saturating_sub(signed_at));
                let path = head.uri.path();
                tracing::warn!(reason = %error, path, skew_s, bytes = body.len(), "refused a request");
            }
            StatusCode::UNAUTHORIZED
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use ring::hmac;
    use secrecy::SecretString;
    use tokio::time::Instant;

    use super::*;

    fn within_time() -> Deadline {
        Deadline::since(Instant::now())
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_a_byte_further() {
        for (length, expected) in
            [(0, Ok(0)), (64 * 1024, Ok(64 * 1024)), (64 * 1024 + 1, Err(StatusCode::PAYLOAD_TOO_LARGE))]
        {
            let read = read(Body::from(vec![b'x'; length]), within_time()).await;
            assert_eq!(read.map(|bytes| bytes.len()), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_breaks_off_or_never_ends_is_told_as_that() {
        let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
        assert_eq!(read(Body::from_stream(broken), within_time()).await, Err(StatusCode::BAD_REQUEST));
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(read(Body::from_stream(endless), within_time()).await, Err(StatusCode::REQUEST_TIMEOUT));
    }

    #[test]
    fn only_what_is_signed_is_believed_and_gets_its_signature_for_a_name() {
        let signed = Signed {
            clock: Clock::default(),
            metrics: Metrics::default(),
            verifier: Current::new(Verifier::new(&[SecretString::from("secret")])),
            socket_mode: Switch::default(),
        };
        let body = Bytes::from_static(b"text=adwords");
        let time = Clock::default().now().as_second().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let tag = hmac::sign(&key, &[b"v0:", time.as_bytes(), b":", &body].concat());
        let hex = tag.as_ref().iter().fold("v0=".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        for (signature, body, expected) in [
            (&hex, body.clone(), Ok(tag.as_ref().try_into().unwrap())),
            (&hex, Bytes::from_static(b"text=stripe"), Err(StatusCode::UNAUTHORIZED)),
            (&hex.replace("v0=", "v1="), body, Err(StatusCode::UNAUTHORIZED)),
        ] {
            let request = Request::post("/slack/commands")
                .header(TIMESTAMP_HEADER, &time)
                .header(SIGNATURE_HEADER, signature);
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(signed.verify(&head, &body), expected);
        }
    }
}
