//! The calls to Fivetran: what each is called in the log, how long it may take and how much is read.
//!
//! Owns those bounds and their reasons. Must not know a path or a body.

use std::fmt;
use std::time::Duration;

use crate::outbound::CALL_TIMEOUT;
use crate::telemetry::Operation;

/// How long after a creation was sent it may still be carried out: Fivetran's API gives up by itself
/// after a minute, and may answer 500 for what it has done.
/// <https://fivetran.com/docs/rest-api/troubleshooting/pause-connector-500-error>
pub const CREATE_LIMIT: Duration = Duration::from_secs(60);
/// Longest wait for the answer of a creation: until Fivetran itself has given up. Whoever waited for
/// less would never learn of a slow refusal, and send what must not be sent twice again and again.
const CREATE_TIMEOUT: Duration = Duration::from_secs(65);

const MIB: usize = 1024 * 1024;
/// Largest answer about one connection, in bytes. One has about 1 KB; the largest that was heard of, with
/// every account and table in its config, had 405 KB.
const ONE_LIMIT: usize = 8 * MIB;
/// Largest page of a list, in bytes: a thousand connections of 32 KB. Four are read at a time.
const PAGE_LIMIT: usize = 32 * MIB;
/// Largest catalogue, in bytes; it has about 1 MB. A service's metadata may be large as well.
const CATALOGUE_LIMIT: usize = 16 * MIB;

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `POST /v1/connections`
    Create,
    /// `GET /v1/connections?group_id&schema`
    Look,
    /// `GET /v1/connections?group_id`
    List,
    /// `GET /v1/connections/{id}`
    See,
    /// `DELETE /v1/connections/{id}`
    Delete,
    /// `POST /v1/connections/{id}/sync`
    Sync,
    /// `POST /v1/connections/{id}/connect-card`
    Card,
    /// `GET /public/connector-types`
    Catalogue,
    /// `GET /v1/metadata/connector-types/{service}`
    Metadata,
    /// `GET /v1/account/info`
    Account,
    /// `GET /v1/groups/{id}`, and the list of them
    Group,
}

impl Call {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Look,
        Self::List,
        Self::See,
        Self::Delete,
        Self::Sync,
        Self::Card,
        Self::Catalogue,
        Self::Metadata,
        Self::Account,
        Self::Group,
    ];

    /// Longest wait for the whole answer.
    #[must_use]
    pub fn timeout(self) -> Duration {
        match self {
            Self::Create => CREATE_TIMEOUT,
            _ => CALL_TIMEOUT,
        }
    }

    /// Largest answer that is read, in bytes.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Self::List => PAGE_LIMIT,
            Self::Catalogue | Self::Metadata => CATALOGUE_LIMIT,
            Self::Create
            | Self::Look
            | Self::See
            | Self::Delete
            | Self::Sync
            | Self::Card
            | Self::Account
            | Self::Group => ONE_LIMIT,
        }
    }

    /// [`Self::limit`] in MB, for people.
    #[must_use]
    pub fn limit_mb(self) -> usize {
        self.limit() / MIB
    }

    /// Whether an answer that cannot be read may hide that something was done which must not be done
    /// twice, or not be told of wrongly.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, Self::Create | Self::Delete | Self::Sync)
    }
}

impl Call {
    /// What it is counted as.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Look => Operation::Look,
            Self::List => Operation::List,
            Self::See => Operation::See,
            Self::Delete => Operation::Delete,
            Self::Sync => Operation::Sync,
            Self::Card => Operation::Card,
            Self::Catalogue => Operation::Catalogue,
            Self::Metadata => Operation::Metadata,
            Self::Account => Operation::Account,
            Self::Group => Operation::Group,
        }
    }

    /// What it is called in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create a connection",
            Self::Look => "look for a connection by its name",
            Self::List => "list a destination's connections",
            Self::See => "look at a connection",
            Self::Delete => "delete a connection",
            Self::Sync => "sync a connection",
            Self::Card => "make a link",
            Self::Catalogue => "fetch the catalogue",
            Self::Metadata => "read a service's metadata",
            Self::Account => "look at the account",
            Self::Group => "look at a destination",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
