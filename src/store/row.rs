//! Rows as the statements read them, and values as they are stored.
//!
//! Owns the names of their columns in JSON. Must not know what is done with them.

use jiff::Timestamp;
use serde::Serialize;

use super::StoreError;
use crate::journal::{Notice, Progress, Then};
use crate::life::{Place, Reminded};

/// What stands in the column of whoever asked where nobody did.
pub(super) const NOBODY: &str = "";

/// A new row, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct NewRow {
    pub(super) id: String,
    pub(super) dedup: String,
    pub(super) subject: String,
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    pub(super) request: String,
    pub(super) response_url: Option<String>,
    pub(super) stage: &'static str,
    pub(super) connection_id: Option<String>,
    pub(super) existed: u8,
    pub(super) accepted_at: i64,
}

#[cfg(test)]
impl NewRow {
    /// One of a request of this name.
    pub(super) fn of_request(id: &str, request: &str) -> Self {
        let text = str::to_owned;
        Self {
            id: text(id),
            dedup: text(request),
            subject: text(id),
            team_id: text("T"),
            channel_id: text("C"),
            user_id: text("U"),
            request: text("{}"),
            response_url: Some(text("sealed")),
            stage: "create",
            connection_id: None,
            existed: 0,
            accepted_at: 7,
        }
    }
}

/// How a command stands, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct ProgressRow {
    pub(super) id: String,
    pub(super) fence: i64,
    pub(super) stage: &'static str,
    pub(super) connection_id: Option<String>,
    pub(super) existed: u8,
    pub(super) problem: Option<String>,
    pub(super) tries: u32,
    pub(super) posts: u32,
    pub(super) noted: u8,
    pub(super) run_at: i64,
    pub(super) ended_at: Option<i64>,
    /// 1 while this process goes on.
    pub(super) keep: u8,
}

impl ProgressRow {
    /// As the writer takes it: the command by its id and fence.
    pub(super) fn of(
        (id, fence): (&str, i64),
        accepted_at: Timestamp,
        progress: &Progress,
        then: Then,
    ) -> Self {
        let (run_at, ended_at, keep) = match then {
            Then::GoOn => (accepted_at, None, 1),
            Then::WaitUntil(time) => (time, None, 0),
            Then::End(time) => (time, Some(time.as_millisecond()), 0),
        };
        Self {
            id: id.to_owned(),
            fence,
            stage: progress.stage.name(),
            connection_id: progress.stage.connection().map(str::to_owned),
            existed: progress.stage.existed().into(),
            problem: progress.stage.notice().and_then(Notice::to_json),
            tries: progress.tries,
            posts: progress.posts,
            noted: progress.noted.into(),
            run_at: run_at.as_millisecond(),
            ended_at,
            keep,
        }
    }
}

/// Which reminders were sent, as it is stored.
pub(super) fn bits(reminded: Reminded) -> i64 {
    i64::from(reminded.before) + 2 * i64::from(reminded.after)
}

/// From how it is stored.
pub(super) fn reminded(bits: i64) -> Reminded {
    Reminded { before: bits & 1 != 0, after: bits & 2 != 0 }
}

/// A place as it is stored.
pub(super) fn place_of(place: Option<&Place>) -> (Option<String>, Option<String>) {
    place.map(|place| (place.channel.clone(), place.ts.clone())).unzip()
}

/// Rows as the parameter of a statement.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|_| StoreError::Refused("a row that is no JSON".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_reminders_were_sent_is_read_as_it_was_stored() {
        for (bits_of, before, after) in
            [(0, false, false), (1, true, false), (2, false, true), (3, true, true)]
        {
            let sent = Reminded { before, after };
            assert_eq!((bits(sent), reminded(bits_of)), (bits_of, sent));
        }
    }
}
