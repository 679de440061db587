//! Why a command ends without a link, as it is stored and told.
//!
//! Owns the names of problems in the database and in the log. Knows no sentence: [`crate::reply`]
//! words them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fivetran::model::ApiMessage;
use crate::fivetran::schema::Misfit;
use crate::outbound::Obstacle;

/// Why a command ends without a link. Stored, so that it can be told after a crash; worded in
/// [`crate::reply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Fivetran rejects the API key.
    KeyRejected,
    /// The key's role may not do this.
    Forbidden(ApiMessage),
    /// The destination's group does not exist.
    GroupUnknown(ApiMessage),
    /// Fivetran refuses what was asked for.
    Refused(ApiMessage),
    /// Fivetran refuses for a reason that is not in what was asked for.
    Declined {
        /// The HTTP status.
        status: u16,
        /// Fivetran's own words.
        said: ApiMessage,
    },
    /// Fivetran refuses it for how things are with it now, which may change.
    Conflict(ApiMessage),
    /// Something stands between the bot and Fivetran.
    Blocked(Obstacle),
    /// Fivetran's answer is larger than is read.
    TooLarge {
        /// How much is read.
        limit_mb: usize,
    },
    /// Another service's connection has the schema.
    SchemaTaken {
        /// That service's id.
        service: String,
    },
    /// The name is taken, yet no such connection is to be seen with this key.
    NameTaken(ApiMessage),
    /// The same service's connection has the schema and has been connected already.
    AlreadyConnected {
        /// Where it was asked for, if it was here.
        origin: Option<Origin>,
    },
    /// The connection's link was posted in another channel.
    Elsewhere {
        /// Where.
        origin: Origin,
    },
    /// The channel is shared with several other organisations, and nobody has said that the link may go there.
    Shared(Others),
    /// Fivetran does not show the connection whose link is to be renewed, or that is to be cancelled.
    Gone,
    /// The connection is not cancelled, since it has been connected.
    NotCancelled,
    /// The connection is not synced, since somebody has paused it.
    Paused,
    /// The connection is not synced, since nobody has finished its setup.
    Unfinished,
    /// The service wants a table, or does not.
    Misfit(MisfitKind),
    /// Fivetran asks for a longer pause than anyone would wait.
    RateLimited {
        /// Seconds, if it said.
        retry_after_s: Option<u64>,
    },
    /// Fivetran gave no clear answer until the deadline.
    NoAnswer,
    /// It was not finished in time, as where no bot was running, and nothing is known against Fivetran.
    OutOfTime,
    /// A connection may have been made, and whether it was cannot be seen.
    Unsure {
        /// What is in the way of seeing it.
        why: Box<Problem>,
    },
    /// Slack refuses the message with the link.
    CannotPost {
        /// Slack's word for it.
        slack_says: String,
    },
    /// Whether the link was posted could not be made sure of.
    Unconfirmed,
    /// The link that was to be renewed has made way for a newer one in the same channel.
    Superseded,
    /// Nobody has asked for the connection, and by the configuration, or for those who share the channel, no
    /// link for it may stand there; the log has the reason.
    NotHere,
    /// The same as long as Slack doesn't say who shares the channel.
    CompanyUntold,
}

impl Problem {
    /// Its name in the log, which is that of its tag in the database.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyRejected => "key_rejected",
            Self::Forbidden(_) => "forbidden",
            Self::GroupUnknown(_) => "group_unknown",
            Self::Refused(_) => "refused",
            Self::Declined { .. } => "declined",
            Self::Conflict(_) => "conflict",
            Self::Blocked(_) => "blocked",
            Self::TooLarge { .. } => "too_large",
            Self::SchemaTaken { .. } => "schema_taken",
            Self::NameTaken(_) => "name_taken",
            Self::AlreadyConnected { .. } => "already_connected",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Shared(_) => "shared",
            Self::Gone => "gone",
            Self::NotCancelled => "not_cancelled",
            Self::Paused => "paused",
            Self::Unfinished => "unfinished",
            Self::Misfit(_) => "misfit",
            Self::RateLimited { .. } => "rate_limited",
            Self::NoAnswer => "no_answer",
            Self::OutOfTime => "out_of_time",
            Self::Unsure { .. } => "unsure",
            Self::NotHere => "not_here",
            Self::CompanyUntold => "company_untold",
            // As it is stored.
            Self::CannotPost { .. } | Self::Unconfirmed | Self::Superseded => "cannot_post",
        }
    }
}

/// What a person is told in the place of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The connection was cancelled, as was asked for.
    Cancelled,
    /// Fivetran has begun to sync the connection, as was asked for.
    SyncBegun,
    /// It was syncing the connection already.
    SyncRunning,
    /// What was asked for was not done, for this reason.
    Problem(Problem),
}

/// How a cancellation that worked stands in the column of problems.
const CANCELLED: &str = r#"{"problem":"cancelled"}"#;
/// The field in which it stands what there is to tell, where the rest is for the version before.
const EXACTLY: &str = "exactly";
/// How syncs stand there.
const SYNC_BEGUN: &str = "sync_begun";
const SYNC_RUNNING: &str = "sync_running";
/// [`Problem::Unconfirmed`] is stored as a [`Problem::CannotPost`] with these words in the place of
/// Slack's, which every version reads.
const UNCONFIRMED: &str = "no clear answer";
/// The same for [`Problem::Superseded`].
const SUPERSEDED: &str = "a newer link has been posted";

impl Notice {
    /// Its name in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::SyncBegun => SYNC_BEGUN,
            Self::SyncRunning => SYNC_RUNNING,
            Self::Problem(problem) => problem.name(),
        }
    }

    /// What the version before tells in its place, if it does not know it: so that a command which it
    /// takes up after it was put back ends in a sentence, too.
    fn before(&self) -> Option<Problem> {
        Some(match self {
            Self::Problem(Problem::Conflict(said) | Problem::Declined { said, .. }) => {
                Problem::Refused(said.clone())
            }
            Self::SyncBegun | Self::SyncRunning => Problem::NoAnswer,
            Self::Problem(
                Problem::Blocked(_)
                | Problem::Shared(_)
                | Problem::TooLarge { .. }
                | Problem::Paused
                | Problem::Unfinished
                | Problem::NotHere
                | Problem::CompanyUntold
                | Problem::OutOfTime
                | Problem::Unsure { .. },
            ) => Problem::NoAnswer,
            Self::Cancelled | Self::Problem(_) => return None,
        })
    }

    /// As it is stored.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        if let Some(before) = self.before() {
            let mut both = serde_json::to_value(before).ok()?;
            let exactly = match self {
                Self::Problem(problem) => serde_json::to_value(problem).ok()?,
                done => done.name().into(),
            };
            both.as_object_mut()?.insert(EXACTLY.to_owned(), exactly);
            return Some(both.to_string());
        }
        match self {
            Self::Cancelled => Some(CANCELLED.to_owned()),
            Self::SyncBegun | Self::SyncRunning => None,
            Self::Problem(Problem::Unconfirmed) => {
                Self::Problem(Problem::CannotPost { slack_says: UNCONFIRMED.to_owned() }).to_json()
            }
            Self::Problem(Problem::Superseded) => {
                Self::Problem(Problem::CannotPost { slack_says: SUPERSEDED.to_owned() }).to_json()
            }
            // A type of ours, made of strings and numbers: this cannot fail.
            Self::Problem(problem) => serde_json::to_string(problem).ok(),
        }
    }

    /// From how it is stored; `None` if this version does not know it.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        if json == CANCELLED {
            return Some(Self::Cancelled);
        }
        // What only the next version knows is told as it has it told by this one.
        let exactly = serde_json::from_str::<Value>(json).ok()?.get_mut(EXACTLY).map(Value::take);
        match exactly.as_ref().and_then(Value::as_str) {
            Some(SYNC_BEGUN) => return Some(Self::SyncBegun),
            Some(SYNC_RUNNING) => return Some(Self::SyncRunning),
            _ => {}
        }
        if let Some(problem) = exactly.and_then(|exactly| serde_json::from_value(exactly).ok()) {
            return Some(Self::Problem(problem));
        }
        Some(Self::Problem(match serde_json::from_str(json).ok()? {
            Problem::CannotPost { slack_says } if slack_says == UNCONFIRMED => Problem::Unconfirmed,
            Problem::CannotPost { slack_says } if slack_says == SUPERSEDED => Problem::Superseded,
            problem => problem,
        }))
    }
}

impl From<Problem> for Notice {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Where and by whom a connection was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The channel.
    pub channel_id: String,
    /// The person, if one asked.
    pub user_id: Option<String>,
}

/// How many organisations besides the bot's own share a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Whose people are in it.
    pub connected: u32,
    /// That have been invited to it.
    pub invited: u32,
}

impl Others {
    /// How many will be able to read what is posted there.
    #[must_use]
    pub fn all(self) -> u32 {
        self.connected.saturating_add(self.invited)
    }
}

/// [`Misfit`] as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfitKind {
    /// A table is missing.
    TableMissing,
    /// A table was given.
    TableNotWanted,
}

impl From<Misfit> for MisfitKind {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::TableMissing { .. } => Self::TableMissing,
            Misfit::TableNotWanted => Self::TableNotWanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_comes_back_as_it_was_stored() {
        for notice in [
            Notice::Cancelled,
            Notice::SyncBegun,
            Notice::SyncRunning,
            Notice::Problem(Problem::Paused),
            Notice::Problem(Problem::Unfinished),
            Notice::Problem(Problem::Unconfirmed),
            Notice::Problem(Problem::Superseded),
            Notice::Problem(Problem::NotHere),
            Notice::Problem(Problem::CompanyUntold),
            Notice::Problem(Problem::NoAnswer),
            Notice::Problem(Problem::OutOfTime),
            Notice::Problem(Problem::Shared(Others { connected: 2, invited: 1 })),
            Notice::Problem(Problem::SchemaTaken { service: "stripe".to_owned() }),
            Notice::Problem(Problem::Conflict(ApiMessage::default())),
            Notice::Problem(Problem::Blocked(Obstacle::Redirect { status: 302 })),
            Notice::Problem(Problem::Blocked(Obstacle::UnknownHost)),
            Notice::Problem(Problem::Unsure { why: Box::new(Problem::KeyRejected) }),
            Notice::Problem(Problem::Unsure {
                why: Box::new(Problem::Blocked(Obstacle::Redirect { status: 302 })),
            }),
            Notice::Problem(Problem::Declined { status: 402, said: ApiMessage::default() }),
            Notice::Problem(Problem::TooLarge { limit_mb: 8 }),
            Notice::Problem(Problem::CannotPost { slack_says: "is_archived".to_owned() }),
        ] {
            assert_eq!(Notice::from_json(&notice.to_json().unwrap()), Some(notice));
        }
    }

    #[test]
    fn earlier_versions_read_what_is_stored() {
        for (notice, json) in [
            (Notice::Cancelled, r#"{"problem":"cancelled"}"#),
            (Problem::Unconfirmed.into(), r#"{"problem":"cannot_post","slack_says":"no clear answer"}"#),
            (Problem::NoAnswer.into(), r#"{"problem":"no_answer"}"#),
            (Notice::SyncBegun, r#"{"exactly":"sync_begun","problem":"no_answer"}"#),
            (
                Problem::Blocked(Obstacle::Redirect { status: 302 }).into(),
                r#"{"exactly":{"obstacle":"redirect","problem":"blocked","status":302},"problem":"no_answer"}"#,
            ),
            (
                Problem::Shared(Others { connected: 3, invited: 0 }).into(),
                r#"{"exactly":{"connected":3,"invited":0,"problem":"shared"},"problem":"no_answer"}"#,
            ),
            (Problem::NotHere.into(), r#"{"exactly":{"problem":"not_here"},"problem":"no_answer"}"#),
            (Problem::OutOfTime.into(), r#"{"exactly":{"problem":"out_of_time"},"problem":"no_answer"}"#),
            (Problem::Paused.into(), r#"{"exactly":{"problem":"paused"},"problem":"no_answer"}"#),
            (
                Problem::Conflict(ApiMessage { code: "C".to_owned(), message: "m".to_owned() }).into(),
                r#"{"code":"C","exactly":{"code":"C","message":"m","problem":"conflict"},"message":"m","problem":"refused"}"#,
            ),
        ] {
            assert_eq!(notice.to_json().as_deref(), Some(json));
            assert_eq!(Notice::from_json(json), Some(notice));
        }
        assert_eq!(Notice::from_json(r#"{"problem":"of a later version"}"#), None);
        for later in [r#"{"problem":"of a later version"}"#, r#""of a later version""#, "5"] {
            let json = format!(r#"{{"problem":"no_answer","exactly":{later}}}"#);
            assert_eq!(Notice::from_json(&json), Some(Problem::NoAnswer.into()), "{later}");
        }
    }
}
