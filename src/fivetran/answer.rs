//! What an answer of Fivetran's means, or of whatever stands in its place: the one table of statuses.
//!
//! Pure. One status is not one cause: what counts is whether Fivetran itself speaks, which is JSON
//! with a `code`. A proxy, a portal and a gateway answer in HTML, or with a `code` that names nothing.
//! <https://fivetran.com/docs/rest-api/getting-started/api-response-codes>

use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Call;
use super::error::Error;
use super::model::{self, ApiMessage};
use crate::outbound::{CallError, Obstacle};

/// An answer as it came.
pub(super) struct Heard<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: &'a [u8],
}

/// An answer that says that all is well, not yet read.
pub(super) struct Answer {
    pub(super) call: Call,
    pub(super) status: u16,
    pub(super) answered_at: Option<Timestamp>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// What it holds.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let odd = |_| unreadable(self.call, self.status, &self.body);
        if self.body.is_empty() && matches!(self.call, Call::Delete | Call::Sync) {
            // All that there is to say, the status says.
            return serde_json::from_value(Value::Null).map_err(odd);
        }
        serde_json::from_slice::<model::Answer<T>>(&self.body).map(|answer| answer.data).map_err(odd)
    }
}

/// Judges an answer to a call about this connection, or about none. `Ok`: it is to be read.
pub(super) fn judge(call: Call, connection: Option<&str>, heard: &Heard<'_>) -> Result<(), Error> {
    let Heard { status, retry_after, body } = *heard;
    if (200..=299).contains(&status) {
        return Ok(());
    }
    let said = ApiMessage::read(body).filter(|said| !said.code.is_empty());
    Err(match (status, said) {
        (301 | 302 | 303 | 307 | 308, _) => Error::Blocked(Obstacle::Redirect { status }),
        // Neither says that nothing was done.
        (408 | 425, _) => unclear(status),
        (407, _) => Error::Blocked(Obstacle::ProxySignIn),
        (429, _) => Error::Throttled(retry_after),
        (401, Some(said)) => Error::KeyRejected(said),
        (403, Some(said)) => Error::Forbidden(said),
        (404, Some(said)) if connection.is_some_and(|id| said.says_gone(id)) => Error::Gone(said),
        (404, Some(said)) if said.names_what_is_missing() => Error::NotFound(said),
        // Any other code, as a bare `NotFound`, speaks of the address and not of what stands there.
        (404, _) => Error::Blocked(Obstacle::Foreign { status }),
        (400..=499, Some(said)) => Error::Rejected { status, said },
        (400..=499, None) => Error::Blocked(Obstacle::Foreign { status }),
        (511, _) => Error::Blocked(Obstacle::NetworkSignIn),
        // The others of these send nobody anywhere, and are nothing that an API says.
        (300..=399, _) => Error::Blocked(Obstacle::Foreign { status }),
        // Fivetran answers 500 for what it has done, too; and a gateway knows nothing of it.
        _ if call.acts() || status >= 500 => unclear(status),
        _ => Error::Blocked(Obstacle::Foreign { status }),
    })
}

/// What an answer means that says that all is well and cannot be read all the same.
fn unreadable(call: Call, status: u16, body: &[u8]) -> Error {
    if call.acts() {
        return Error::Unclear(CallError::Unanswered("an answer of another shape"));
    }
    let is_json = body.is_empty() || serde_json::from_slice::<Value>(body).is_ok();
    // A page of a network's own, which answers whatever is asked for.
    Error::Blocked(if is_json { Obstacle::OddShape } else { Obstacle::Foreign { status } })
}

fn unclear(status: u16) -> Error {
    Error::Unclear(CallError::Unanswered(match status {
        408 => "status 408",
        425 => "status 425",
        500 => "status 500",
        502 => "status 502",
        503 => "status 503",
        504 => "status 504",
        // A content network's, of its way to the server behind it.
        520..=530 => "status 52x",
        _ => "an error of the server",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fivetran's word, a code that names nothing, a page, nothing at all.
    const BODIES: [&str; 4] =
        [r#"{"code":"Word","message":"m"}"#, r#"{"message":"m"}"#, "<html>sign in</html>", ""];

    fn told(call: Call, connection: Option<&str>, status: u16, body: &str) -> String {
        let heard = Heard { status, retry_after: None, body: body.as_bytes() };
        match judge(call, connection, &heard) {
            Ok(()) => "to be read".to_owned(),
            Err(error) => {
                format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned()
                    + match &error {
                        Error::Blocked(obstacle) if obstacle.may_pass() => ", may pass",
                        _ => "",
                    }
            }
        }
    }

    #[test]
    fn every_status_is_sorted_by_who_speaks() {
        let of_fivetran = |status, word| (status, [word, "Blocked", "Blocked", "Blocked"]);
        let whoever = |status, word| (status, [word; 4]);
        let rows = [
            whoever(200, "to be read"),
            whoever(201, "to be read"),
            whoever(204, "to be read"),
            whoever(300, "Blocked"),
            whoever(301, "Blocked"),
            whoever(302, "Blocked"),
            whoever(303, "Blocked"),
            whoever(304, "Blocked"),
            whoever(307, "Blocked"),
            whoever(308, "Blocked"),
            of_fivetran(400, "Rejected"),
            of_fivetran(401, "KeyRejected"),
            of_fivetran(402, "Rejected"),
            (403, ["Forbidden", "Blocked, may pass", "Blocked, may pass", "Blocked, may pass"]),
            whoever(404, "Blocked, may pass"),
            of_fivetran(405, "Rejected"),
            of_fivetran(406, "Rejected"),
            whoever(407, "Blocked"),
            whoever(408, "Unclear"),
            of_fivetran(409, "Rejected"),
            of_fivetran(410, "Rejected"),
            of_fivetran(413, "Rejected"),
            of_fivetran(414, "Rejected"),
            of_fivetran(415, "Rejected"),
            of_fivetran(418, "Rejected"),
            of_fivetran(421, "Rejected"),
            of_fivetran(422, "Rejected"),
            whoever(425, "Unclear"),
            of_fivetran(426, "Rejected"),
            whoever(429, "Throttled"),
            of_fivetran(431, "Rejected"),
            of_fivetran(451, "Rejected"),
            whoever(500, "Unclear"),
            whoever(501, "Unclear"),
            whoever(502, "Unclear"),
            whoever(503, "Unclear"),
            whoever(504, "Unclear"),
            whoever(511, "Blocked"),
            whoever(520, "Unclear"),
            whoever(522, "Unclear"),
            whoever(526, "Unclear"),
            whoever(530, "Unclear"),
        ];
        for (status, words) in rows {
            for (body, word) in BODIES.into_iter().zip(words) {
                for call in Call::ALL {
                    assert_eq!(told(call, Some("calm_delta"), status, body), word, "{status} {body} {call}");
                }
            }
        }
    }

    #[test]
    fn only_what_sends_elsewhere_is_told_as_that() {
        for (status, elsewhere) in [
            (300, false),
            (301, true),
            (302, true),
            (303, true),
            (304, false),
            (305, false),
            (307, true),
            (308, true),
        ] {
            let heard = Heard { status, retry_after: None, body: b"" };
            let told = matches!(
                judge(Call::Look, None, &heard),
                Err(Error::Blocked(Obstacle::Redirect { status: told })) if told == status
            );
            assert_eq!(told, elsewhere, "{status}");
        }
    }

    #[test]
    fn only_fivetrans_word_about_that_connection_means_gone() {
        let body = |code: &str, message: &str| format!(r#"{{"code":"{code}","message":"{message}"}}"#);
        let about = |id: &str| format!("Cannot find entity 'Connection' with id '{id}'");
        for (code, message, word) in [
            ("NotFound_Connection", about("calm_delta"), "Gone"),
            ("NotFound_Connector", "Cannot find connector with id 'calm_delta'".to_owned(), "Gone"),
            ("NotFound_Connector", String::new(), "Gone"),
            ("NotFound_Integration", about("calm_delta"), "Gone"),
            ("NotFound_Connection", about("other_delta"), "NotFound"),
            ("NotFound_Group", about("calm_delta"), "NotFound"),
            ("NotFound_ConnectCard", String::new(), "NotFound"),
            ("NotFound", "HTTP 404 Not Found".to_owned(), "Blocked, may pass"),
            ("NotFound", about("calm_delta"), "Blocked, may pass"),
            ("Gone", about("calm_delta"), "Blocked, may pass"),
            ("", about("calm_delta"), "Blocked, may pass"),
        ] {
            for call in [Call::See, Call::Delete, Call::Card] {
                let told = told(call, Some("calm_delta"), 404, &body(code, &message));
                assert_eq!(told, word, "{code} {message} {call}");
            }
        }
        // Only a 404 is such a word, and only where a connection was asked about.
        let gone = body("NotFound_Connection", &about("calm_delta"));
        assert_eq!(told(Call::See, Some("calm_delta"), 403, &gone), "Forbidden");
        assert_eq!(told(Call::See, Some("calm_delta"), 410, &gone), "Rejected");
        assert_eq!(told(Call::Look, None, 404, &gone), "NotFound");
    }

    #[test]
    fn a_destination_that_is_not_found_is_named_in_the_message_alone() {
        let body = r#"{"code":"NotFound","message":"Destination with id projected_sickle not found"}"#;
        assert_eq!(told(Call::Create, None, 404, body), "NotFound");
        assert_eq!(told(Call::See, Some("projected_sickle"), 404, body), "NotFound");
    }

    #[test]
    fn a_page_in_the_place_of_an_answer_hides_only_what_was_done() {
        let word = |call, body: &str| match unreadable(call, 200, body.as_bytes()) {
            Error::Unclear(_) => "unclear",
            Error::Blocked(obstacle) if obstacle.may_pass() => "may pass",
            Error::Blocked(_) => "stays",
            error => panic!("{error}"),
        };
        for (body, read) in
            [("<html>sign in</html>", "stays"), ("", "may pass"), ("{}", "may pass"), ("[]", "may pass")]
        {
            for call in Call::ALL {
                assert_eq!(word(call, body), if call.acts() { "unclear" } else { read }, "{call} {body}");
            }
        }
    }
}
