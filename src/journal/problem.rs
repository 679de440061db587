//! Why a command ends without a link, as it is stored and told.
//!
//! Owns the names of problems in the database and in the log. Knows no sentence: [`crate::reply`]
//! words them.

use serde::{Deserialize, Serialize};

use crate::fivetran::model::Said;
use crate::fivetran::schema::Misfit;

/// Why a command ends without a link. Stored, so that it can be told after a crash; worded in
/// [`crate::reply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Fivetran rejects the API key.
    KeyRejected,
    /// The key's role may not do this.
    Forbidden(Said),
    /// The destination's group does not exist.
    GroupUnknown(Said),
    /// Fivetran refuses the connection for a reason of its own.
    Refused(Said),
    /// Another service's connection has the schema.
    SchemaTaken {
        /// That service's id.
        service: String,
    },
    /// The name is taken, yet no such connection is to be seen with this key.
    NameTaken(Said),
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
    /// The connection whose link is to be renewed is no longer there.
    Gone,
    /// No problem at all: the connection was cancelled, as was asked for.
    Cancelled,
    /// The connection is not cancelled, since it has been connected.
    NotCancelled,
    /// The service wants a table, or does not.
    Misfit(MisfitKind),
    /// Fivetran asks for a longer pause than anyone would wait.
    RateLimited {
        /// Seconds, if it said.
        retry_after_s: Option<u64>,
    },
    /// Fivetran gave no clear answer until the deadline.
    NoAnswer,
    /// Slack refuses the message with the link.
    CannotPost {
        /// Slack's word for it.
        slack_says: String,
    },
}

impl Problem {
    /// Its name in the database and in the log.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::KeyRejected => "key_rejected",
            Self::Forbidden(_) => "forbidden",
            Self::GroupUnknown(_) => "group_unknown",
            Self::Refused(_) => "refused",
            Self::SchemaTaken { .. } => "schema_taken",
            Self::NameTaken(_) => "name_taken",
            Self::AlreadyConnected { .. } => "already_connected",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Gone => "gone",
            Self::Cancelled => "cancelled",
            Self::NotCancelled => "not_cancelled",
            Self::Misfit(_) => "misfit",
            Self::RateLimited { .. } => "rate_limited",
            Self::NoAnswer => "no_answer",
            Self::CannotPost { .. } => "cannot_post",
        }
    }
}

/// Where and by whom a connection was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The channel.
    pub channel_id: String,
    /// The person.
    pub user_id: String,
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
