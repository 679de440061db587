//! What goes wrong with the database, and what that proves.
//!
//! Owns one question above all: can what was asked for have been done all the same? Only a code that says
//! otherwise is believed; silence, a broken connection and every code that is not on the list
//! leave it open. Must not know what was asked for.

use std::io::ErrorKind;
use std::path::Path;

/// A database operation failed. Carries no text of the database's, which can repeat values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused; nothing was done.
    #[error("the database refused ({0})")]
    Refused(String),
    /// There was no session to ask on; nothing was done.
    #[error("the database cannot be reached ({0})")]
    Unreached(String),
    /// The time was over before the database was asked; nothing was done, and nothing will be.
    #[error("the database was not asked in time")]
    Withdrawn,
    /// Whether it was done was not clear; it has been made sure that it was not, and will not be.
    #[error("the database failed, and what it may have done is void")]
    Voided,
    /// The connection broke off; what was asked for may have been done.
    #[error("the database failed ({0})")]
    Database(String),
    /// The database did not answer; what was asked for may have been done.
    #[error("the database does not answer")]
    Unanswered,
    /// No commit until the deadline; there may be one yet.
    #[error("the database did not commit in time")]
    Slow,
    /// Something in a row cannot be read.
    #[error("the row of {0} cannot be read")]
    Unreadable(String),
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error(
        "another connect-card is already using {file} (process {holder}): stop it, or give this one its own DATABASE_URL"
    )]
    Locked {
        /// The database file.
        file: String,
        /// Its process id, as it wrote it.
        holder: String,
    },
    /// The file or its folder cannot be used.
    #[error("the database file {file} can't be used: {cause}")]
    File {
        /// The database file or its lock.
        file: String,
        /// What is wrong with it, and what to do.
        cause: String,
    },
    /// Postgres cannot be reached or does not let us in.
    #[error(
        "the database cannot be reached ({0}): check DATABASE_URL, and that the server is running and lets this user in"
    )]
    Unreachable(StoreError),
    /// What the release before has left cannot be taken over.
    #[error(
        "what is in the database could not be brought up to date ({0}): check that it takes writes and that its disk has room, and start again"
    )]
    Unready(StoreError),
    /// The server, or each of them, takes no writes.
    #[error(
        "the database takes no writes: DATABASE_URL must name a server, or several of which one is, that is no standby and not read-only"
    )]
    ReadOnly,
    /// `DATABASE_URL` cannot mean what it says.
    #[error("DATABASE_URL {0}")]
    Address(&'static str),
    /// The tables could not be made or brought up to date.
    #[error(
        "the tables could not be created or updated ({0}): check the database user's permissions, and that nothing else has changed the tables"
    )]
    Migration(String),
    /// A step that was taken is not the program's own step of that number.
    #[error(
        "the tables were made by a different build of connect-card, whose migration {0} is not this one's: start that build, or restore a backup"
    )]
    OtherBuild(i64),
    /// An SQLite file is damaged.
    #[error(
        "the database file {file} is damaged ({found}): move it away with its -wal and -shm, and restore a backup"
    )]
    Damaged {
        /// The file.
        file: String,
        /// What SQLite says of it.
        found: String,
    },
    /// A setting without which an acknowledged command could be lost.
    #[error("{setting} is {found}, which could lose acknowledged commands: {remedy}")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl OpenError {
    /// What the system says of a file, in words about files.
    pub(super) fn of_file(file: &Path, kind: ErrorKind) -> Self {
        let known = match kind {
            ErrorKind::NotFound => Some("its folder doesn't exist; create it, or correct DATABASE_URL"),
            ErrorKind::PermissionDenied => Some(
                "this user may not write there; change the permissions of the file and its folder, or DATABASE_URL",
            ),
            ErrorKind::IsADirectory => Some("it is a folder; DATABASE_URL must name a file"),
            ErrorKind::NotADirectory => Some("a part of its path is a file; correct DATABASE_URL"),
            ErrorKind::ReadOnlyFilesystem => Some(READ_ONLY),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(FULL),
            _ => None,
        };
        let other =
            || format!("{kind}; DATABASE_URL must name a file in a folder that this user can write to");
        Self::File { file: file.display().to_string(), cause: known.map_or_else(other, str::to_owned) }
    }

    /// What SQLite says of its file; what has no code here is told as it is.
    pub(super) fn of_sqlite(file: &Path, error: sqlx::Error) -> Self {
        let cause = match sqlite_code(&error) {
            Some(3) => "this user may not use it; change the permissions of the file and its folder",
            Some(5 | 6) => "another program holds it; stop whatever has it open",
            Some(8) => READ_ONLY,
            Some(10) => "its disk fails; look at the system's log",
            Some(11) => "it is damaged; move it away with its -wal and -shm, and restore a backup",
            Some(13) => FULL,
            Some(14) => "it can't be opened; this user must be able to write to the file and its folder",
            Some(26) => "it is no SQLite database; correct DATABASE_URL",
            _ => match error {
                sqlx::Error::Io(error) => return Self::of_file(file, error.kind()),
                error => {
                    let cause = StoreError::from(error).to_string();
                    return Self::File { file: file.display().to_string(), cause };
                }
            },
        };
        Self::File { file: file.display().to_string(), cause: cause.to_owned() }
    }
}

/// What SQLite says an error is, without what it adds to that. <https://www.sqlite.org/rescode.html>
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

const READ_ONLY: &str = "it or its disk is read-only; DATABASE_URL must name a file that can be written";
const FULL: &str = "its disk is full; make room there";

impl StoreError {
    /// Whether it is certain that nothing was done, and that nothing will be.
    #[must_use]
    pub fn proves_nothing_done(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unreached(_) | Self::Withdrawn | Self::Voided => true,
            Self::Database(_) | Self::Unanswered | Self::Slow | Self::Unreadable(_) => false,
        }
    }

    /// Whether the session on which it came is not to be used again: it is broken, or its server
    /// takes no writes (any more).
    pub(super) fn spoils_its_session(&self) -> bool {
        match self {
            Self::Database(_) | Self::Unanswered => true,
            Self::Refused(_) => self.is_read_only() || self.code().starts_with("57"),
            Self::Unreached(_) | Self::Withdrawn | Self::Voided | Self::Slow | Self::Unreadable(_) => false,
        }
    }

    /// Whether a Postgres server said that it takes no writes.
    pub(super) fn is_read_only(&self) -> bool {
        self.code() == "25006"
    }

    /// Whether one row of many may be the reason. What says nothing of rows (a full disk, a server
    /// that takes no writes) is the same for each of them.
    pub(super) fn may_be_one_rows_fault(&self) -> bool {
        let code = self.code();
        match code.len() {
            0 => false,
            5 => ["21", "22", "23", "40", "54", "55"].iter().any(|class| code.starts_with(class)),
            _ => true,
        }
    }

    /// The code of a refusal, else nothing.
    fn code(&self) -> &str {
        match self {
            Self::Refused(word) => word.strip_prefix("code ").unwrap_or_default(),
            _ => "",
        }
    }

    /// What came of asking for a session: no statement was sent on it.
    pub(super) fn without_session(error: sqlx::Error) -> Self {
        match error.into() {
            Self::Database(word) | Self::Refused(word) => Self::Unreached(word),
            other => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(match error {
            sqlx::Error::Database(error) => {
                let code = error.code();
                let word =
                    code.as_deref().map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
                if code.is_some_and(|code| code_proves_nothing_done(&code)) {
                    return Self::Refused(word);
                }
                word
            }
            sqlx::Error::PoolTimedOut => "no connection free".to_owned(),
            sqlx::Error::Io(error) => error.kind().to_string(),
            sqlx::Error::PoolClosed => "closed".to_owned(),
            _ => "unexpected answer".to_owned(),
        })
    }
}

/// Whether a statement that ends in this code, and that is its own transaction, has done nothing. A
/// code of Postgres has five characters; SQLite's is a number below that.
fn code_proves_nothing_done(code: &str) -> bool {
    match code.len() {
        5 => sqlstate_proves_nothing_done(code),
        _ => code.parse().is_ok_and(sqlite_code_proves_nothing_done),
    }
}

/// By <https://www.postgresql.org/docs/current/errcodes-appendix.html>. What is raised before the
/// commit is written aborts the transaction. Not on the list are the codes that may follow a commit:
/// the session was ended, or the server is going down, while it waited for a standby (57P01, 57P02,
/// 57P05); the connection broke (08), the system failed (58, XX); and 40003, which says so itself.
fn sqlstate_proves_nothing_done(code: &str) -> bool {
    const CLASSES: [&str; 16] =
        ["0A", "21", "22", "23", "25", "26", "28", "3D", "3F", "40", "42", "44", "53", "54", "55", "P0"];
    match code {
        "40003" => false,
        // A statement that was cancelled while it waited for a standby succeeds, with a warning.
        "57014" | "57P03" | "57P04" => true,
        code => CLASSES.iter().any(|class| code.starts_with(class)),
    }
}

/// By <https://www.sqlite.org/rescode.html>; the last eight bits are the code, the others tell more.
/// After an error of the disk (10) or a damaged file (11) nobody knows what it holds.
fn sqlite_code_proves_nothing_done(code: u32) -> bool {
    /// In this order: a statement that makes no sense, no permission, aborted, busy, locked,
    /// read-only, interrupted, full, cannot be opened, too big, constraint, mismatch, not authorised,
    /// a parameter out of range, no database.
    const CODES: [u32; 15] = [1, 3, 4, 5, 6, 8, 9, 13, 14, 18, 19, 20, 23, 25, 26];
    CODES.contains(&(code & 0xff))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn a_code_of_postgres_proves_only_what_it_says() {
        for (code, proof) in [
            ("22001", true),  // too long
            ("23505", true),  // not unique
            ("25006", true),  // read-only
            ("25P03", true),  // idle in a transaction for too long
            ("28P01", true),  // the wrong password
            ("40001", true),  // could not be serialised
            ("40P01", true),  // a deadlock
            ("40003", false), // completion unknown
            ("42P01", true),  // no such table
            ("53100", true),  // a full disk
            ("53300", true),  // too many connections
            ("54000", true),  // a limit of the program
            ("55P03", true),  // a lock that could not be had
            ("57014", true),  // cancelled
            ("57P01", false), // ended by an administrator, maybe while it waited for a standby
            ("57P02", false), // the server crashed
            ("57P03", true),  // the server starts
            ("57P05", false), // the session was idle
            ("08006", false), // the connection failed
            ("08P01", false), // the protocol was broken
            ("58030", false), // an error of the disk
            ("XX000", false), // an error of the server's own
            ("XX001", false), // a damaged file
            ("ZZ999", false), // unknown
        ] {
            assert_eq!(code_proves_nothing_done(code), proof, "{code}");
        }
    }

    #[test]
    fn a_code_of_sqlite_proves_only_what_it_says() {
        for (code, proof) in [
            ("1", true),     // a statement that makes no sense
            ("5", true),     // busy
            ("517", true),   // busy, its snapshot is old
            ("8", true),     // read-only
            ("1032", true),  // read-only, the file was moved
            ("13", true),    // full
            ("2067", true),  // not unique
            ("10", false),   // an error of the disk
            ("778", false),  // of a write
            ("1034", false), // of a sync
            ("11", false),   // damaged
            ("2", false),    // an error of SQLite's own
            ("7", false),    // no memory
            ("99", false),   // unknown
            ("", false),
        ] {
            assert_eq!(code_proves_nothing_done(code), proof, "{code}");
        }
    }

    #[test]
    fn a_file_is_told_of_in_words_about_files() {
        let path = Path::new("/data/bot.db");
        for (kind, words) in [
            (ErrorKind::NotFound, "its folder doesn't exist"),
            (ErrorKind::PermissionDenied, "this user may not write there"),
            (ErrorKind::IsADirectory, "it is a folder"),
            (ErrorKind::StorageFull, "its disk is full"),
            (ErrorKind::ReadOnlyFilesystem, "or its disk is read-only"),
            (ErrorKind::Other, "DATABASE_URL must name a file"),
        ] {
            let told = OpenError::of_file(path, kind).to_string();
            assert!(told.starts_with("the database file /data/bot.db can't be used: "), "{told}");
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_session_is_given_up_where_it_or_its_server_is_of_no_use() {
        let refused = |code: &str| StoreError::Refused(format!("code {code}"));
        for (error, spoilt, read_only, one_row) in [
            (refused("25006"), true, true, false),
            (refused("57014"), true, false, false),
            (refused("23505"), false, false, true),
            (refused("55P03"), false, false, true),
            (refused("53100"), false, false, false),
            (refused("2067"), false, false, true),
            (StoreError::Refused("no JSON".to_owned()), false, false, false),
            (StoreError::Database("code 57P01".to_owned()), true, false, false),
            (StoreError::Unanswered, true, false, false),
            (StoreError::Unreached("no connection free".to_owned()), false, false, false),
        ] {
            let found = (error.spoils_its_session(), error.is_read_only(), error.may_be_one_rows_fault());
            assert_eq!(found, (spoilt, read_only, one_row), "{error}");
        }
    }

    #[test]
    fn without_a_session_nothing_was_done() {
        for error in [sqlx::Error::PoolTimedOut, sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into())] {
            let before = error.to_string();
            assert!(StoreError::without_session(error).proves_nothing_done(), "{before}");
        }
        assert!(!StoreError::from(sqlx::Error::PoolTimedOut).proves_nothing_done());
    }

    /// What a database says, with its code.
    #[derive(Debug, thiserror::Error)]
    #[error("the database says {0}")]
    pub(in crate::store) struct Said(pub(in crate::store) &'static str);

    impl sqlx::error::DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn what_sqlite_says_of_its_file_is_told_by_what_mends_it() {
        for (code, words) in [
            ("3", "this user may not use it"),
            ("5", "another program holds it"),
            ("6", "another program holds it"),
            ("517", "another program holds it"),
            ("8", "is read-only"),
            ("10", "its disk fails"),
            ("11", "it is damaged"),
            ("13", "its disk is full"),
            ("14", "it can't be opened"),
            ("26", "it is no SQLite database"),
            ("1", "code 1"),
        ] {
            let error = sqlx::Error::Database(Box::new(Said(code)));
            let told = OpenError::of_sqlite(Path::new("/data/bot.db"), error).to_string();
            assert!(told.contains("/data/bot.db") && told.contains(words), "{code}: {told}");
        }
        for (error, words) in [
            (sqlx::Error::Io(ErrorKind::NotFound.into()), "its folder doesn't exist"),
            (sqlx::Error::Io(ErrorKind::NotADirectory.into()), "a part of its path is a file"),
            (sqlx::Error::Io(ErrorKind::QuotaExceeded.into()), "its disk is full"),
            (sqlx::Error::PoolClosed, "closed"),
            (sqlx::Error::PoolTimedOut, "no connection free"),
        ] {
            let told = OpenError::of_sqlite(Path::new("/data/bot.db"), error).to_string();
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn what_the_system_says_of_a_file_is_told_by_what_mends_it() {
        for (kind, words) in [
            (ErrorKind::NotFound, "create it"),
            (ErrorKind::PermissionDenied, "change the permissions"),
            (ErrorKind::IsADirectory, "it is a folder"),
            (ErrorKind::NotADirectory, "a part of its path is a file"),
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::StorageFull, "make room"),
            (ErrorKind::QuotaExceeded, "make room"),
            (ErrorKind::Interrupted, "operation interrupted"),
        ] {
            let told = OpenError::of_file(Path::new("/data/bot.db"), kind).to_string();
            assert!(told.contains("/data/bot.db") && told.contains(words), "{kind}: {told}");
        }
    }

    #[test]
    fn what_has_no_code_is_told_by_its_kind_alone() {
        for (error, told) in [
            (sqlx::Error::Io(ErrorKind::BrokenPipe.into()), "broken pipe"),
            (sqlx::Error::PoolTimedOut, "no connection free"),
            (sqlx::Error::PoolClosed, "closed"),
            (sqlx::Error::ColumnNotFound("secret".to_owned()), "unexpected answer"),
        ] {
            assert_eq!(StoreError::from(error).to_string(), format!("the database failed ({told})"));
        }
    }

    /// An error without a code that proves anything proves nothing.
    #[test]
    fn what_was_done_is_known_by_the_code_alone() {
        for (code, proof) in [("23505", true), ("57P01", false), ("13", true), ("10", false)] {
            let error = StoreError::from(sqlx::Error::Database(Box::new(Said(code))));
            assert_eq!(error.proves_nothing_done(), proof, "{code}");
            assert!(error.to_string().contains(code), "{error}");
        }
    }
}
