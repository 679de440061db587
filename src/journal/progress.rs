//! How far a command has come: the part of it that is stored.
//!
//! Owns the stages, what each of them knows, and their names in the database.

use super::Notice;
use crate::work::Intent;

/// How far a command has come, with what is known by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The connection may or may not have been created.
    #[default]
    Create,
    /// The connection is to be deleted.
    Cancel {
        /// Its id.
        connection: String,
    },
    /// The connection is to be synced.
    Sync {
        /// Its id.
        connection: String,
    },
    /// The connection is there; its link has to reach the channel.
    Deliver {
        /// Its id.
        connection: String,
        /// Whether it was there before this command.
        existed: bool,
    },
    /// There will be no link; the person has to be told what came of the command.
    Tell {
        /// What to tell.
        notice: Notice,
        /// The connection's id, if there is one.
        connection: Option<String>,
    },
    /// Nothing is left to do.
    Over {
        /// How it ended.
        ending: Ending,
        /// What was told, or could not be.
        notice: Option<Notice>,
        /// The connection's id, if there is one.
        connection: Option<String>,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The link was posted.
    Delivered,
    /// The person was told.
    Told,
    /// Slack could not be reached in time.
    Undeliverable,
}

impl Stage {
    /// Its name in the database. A cancellation stands there as a `create` that knows its connection, and
    /// so does a sync: what the version before cannot read, it would leave lying for ever.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create | Self::Cancel { .. } | Self::Sync { .. } => "create",
            Self::Deliver { .. } => "deliver",
            Self::Tell { .. } => "tell",
            Self::Over { ending: Ending::Delivered, .. } => "delivered",
            Self::Over { ending: Ending::Told, .. } => "told",
            Self::Over { ending: Ending::Undeliverable, .. } => "undeliverable",
        }
    }

    /// The open stage that the columns of a row describe, of a command that wants this, as far as that
    /// can be read; `None` if they make none.
    #[must_use]
    pub fn stored(
        name: &str,
        intent: Option<Intent>,
        connection: Option<String>,
        existed: bool,
        notice: Option<Notice>,
    ) -> Option<Self> {
        match (name, connection) {
            ("create", None) => Some(Self::Create),
            ("create", Some(connection)) if intent == Some(Intent::Sync) => Some(Self::Sync { connection }),
            ("create", Some(connection)) => Some(Self::Cancel { connection }),
            ("deliver", Some(connection)) => Some(Self::Deliver { connection, existed }),
            ("tell", connection) => Some(Self::Tell { notice: notice?, connection }),
            _ => None,
        }
    }

    /// Whether a command that wants this can stand here. A row by which it cannot is of no version of
    /// ours, and nothing may be deleted, or posted, by it.
    #[must_use]
    pub fn fits(&self, intent: Intent) -> bool {
        match self {
            Self::Create => !matches!(intent, Intent::Cancel | Intent::Renew | Intent::Open | Intent::Sync),
            Self::Cancel { .. } => intent == Intent::Cancel,
            Self::Sync { .. } => intent == Intent::Sync,
            Self::Deliver { .. } => !matches!(intent, Intent::Cancel | Intent::Sync),
            Self::Tell { .. } | Self::Over { .. } => true,
        }
    }

    /// The connection's id, as far as it is known.
    #[must_use]
    pub fn connection(&self) -> Option<&str> {
        match self {
            Self::Create => None,
            Self::Cancel { connection } | Self::Sync { connection } | Self::Deliver { connection, .. } => {
                Some(connection)
            }
            Self::Tell { connection, .. } | Self::Over { connection, .. } => connection.as_deref(),
        }
    }

    /// Whether the connection is known to have been there before this command.
    #[must_use]
    pub fn existed(&self) -> bool {
        matches!(self, Self::Deliver { existed: true, .. })
    }

    /// What the person is told, or could not be.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        match self {
            Self::Tell { notice, .. } => Some(notice),
            Self::Over { notice, .. } => notice.as_ref(),
            _ => None,
        }
    }

    /// The end of it, with what is known by then.
    #[must_use]
    pub fn over(self, ending: Ending) -> Self {
        let (notice, connection) = match self {
            Self::Create => (None, None),
            Self::Cancel { connection } | Self::Sync { connection } | Self::Deliver { connection, .. } => {
                (None, Some(connection))
            }
            Self::Tell { notice, connection } => (Some(notice), connection),
            Self::Over { notice, connection, .. } => (notice, connection),
        };
        Self::Over { ending, notice, connection }
    }
}

/// Where a command stands; all that a process needs to go on after another one has died.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come.
    pub stage: Stage,
    /// Tries that failed since the stage began.
    pub tries: u32,
    /// Without a bot token: posts to the response_url that may have used up one of its five. Each
    /// is counted before it is made, so that no crash can hide one.
    pub posts: u32,
    /// Whether the person was told that it waits, or may have been: that is on disk before they are.
    pub noted: bool,
}

impl Progress {
    /// The beginning of a stage.
    #[must_use]
    pub fn of(stage: Stage) -> Self {
        Self { stage, ..Self::default() }
    }

    /// The end of a command that nobody can go on with.
    #[must_use]
    pub fn over(self, ending: Ending) -> Self {
        Self { stage: self.stage.over(ending), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
    use super::*;

    #[test]
    fn an_open_stage_comes_back_from_its_columns() {
        let connection = || "abc".to_owned();
        for stage in [
            Stage::Create,
            Stage::Cancel { connection: connection() },
            Stage::Sync { connection: connection() },
            Stage::Deliver { connection: connection(), existed: true },
            Stage::Deliver { connection: connection(), existed: false },
            Stage::Tell { notice: Notice::Cancelled, connection: Some(connection()) },
            Stage::Tell { notice: Notice::Problem(Problem::NoAnswer), connection: None },
        ] {
            let id = stage.connection().map(str::to_owned);
            let intent = if let Stage::Sync { .. } = stage { Intent::Sync } else { Intent::Cancel };
            let back =
                Stage::stored(stage.name(), Some(intent), id, stage.existed(), stage.notice().cloned());
            assert_eq!(back, Some(stage));
        }
    }

    #[test]
    fn a_cancellation_and_a_link_are_never_taken_for_one_another() {
        let connection = || "abc".to_owned();
        let (create, cancel) = (Stage::Create, Stage::Cancel { connection: connection() });
        let deliver = Stage::Deliver { connection: connection(), existed: true };
        let sync = Stage::Sync { connection: connection() };
        for (intent, fitting) in [
            (Intent::Connect, [true, false, true, false]),
            (Intent::PostHere, [true, false, true, false]),
            (Intent::Reauthorise, [true, false, true, false]),
            (Intent::Renew, [false, false, true, false]),
            (Intent::Cancel, [false, true, false, false]),
            (Intent::Sync, [false, false, false, true]),
        ] {
            assert_eq!(
                [&create, &cancel, &deliver, &sync].map(|stage| stage.fits(intent)),
                fitting,
                "{intent:?}"
            );
        }
    }

    #[test]
    fn columns_that_make_no_open_stage_are_refused() {
        for (name, connection) in
            [("deliver", None), ("sync", Some("abc")), ("tell", Some("abc")), ("told", None), ("", None)]
        {
            let connection = connection.map(str::to_owned);
            assert_eq!(Stage::stored(name, Some(Intent::Sync), connection, false, None), None, "{name}");
        }
    }
}
