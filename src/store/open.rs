//! Opening the database: what must hold before a command may be accepted into it.
//!
//! Owns the settings of both engines, the checks that they are really in force, and that an SQLite file is whole:
//! one that is as it was left is read to its end later. A refusal names the cause and the remedy.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ring::rand::SecureRandom as _;
use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::mpsc;

use super::accept::Accepting;
use super::failure::sqlite_code;
use super::file::SqliteFile;
use super::lease::Leases;
use super::lock::{Lock, private};
use super::messages::ON_ITS_WAY;
use super::question::Question;
use super::sessions::{Servers, Sessions};
use super::statements::Statements;
use super::tombstone::Graveyard;
use super::{
    Inner, OpenError, Pool, Store, StoreError, Undeliverable, change, migrations, millis, statements,
};
use crate::crash::without_sync;
use crate::seal::{Purpose, Sealer};
use crate::telemetry::Metrics;

/// How long it holds that the database takes writes, or doesn't: probes ask every few seconds.
const WRITABLE: Duration = Duration::from_secs(1);

/// The oldest SQLite without the bug by which a reset of the write-ahead log could corrupt a
/// file; fixed in March 2026.
const SQLITE_OLDEST: (u32, u32, u32) = (3, 51, 3);
/// Pages of the write-ahead log after which SQLite moves them into the file. At its own 1000 whoever
/// commits at that moment, which may be an acknowledgement, waits for up to a tenth of a second while
/// thousands of leases are prolonged; at 200 for a tenth of that, and fewer pages are written twice.
const CHECKPOINT_PAGES: &str = "200";

/// Prepared statements that are kept: each of ours, and each combination of them that is handed over at once.
/// To prepare one takes longer than to run it.
const STATEMENTS: usize = 512;

/// Gives up all leases: the lock says that whoever held them is gone. What they have sent last may not be: see
/// [`Store::release`].
const FREE_LEASES: &str = "BEGIN;
    UPDATE message SET lease_until = CASE WHEN place_ts IS NULL THEN 0
        ELSE min(lease_until, CAST(unixepoch('subsec') * 1000 AS INTEGER) + $1) END WHERE lease_until > 0;
    UPDATE command SET lease_until = 0 WHERE ended_at IS NULL AND lease_until <> 0;
    UPDATE sweep SET lease_until = 0 WHERE lease_until <> 0;
    UPDATE audit_turn SET lease_until = 0 WHERE lease_until <> 0;
    COMMIT";

/// `DATABASE_URL`. No `Debug`: it can hold a password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A whole `postgres://` URL, of one server or of several.
    Postgres(SecretString),
}

/// How to open the database.
pub struct Options<'a> {
    /// Which one.
    pub url: &'a DatabaseUrl,
    /// The secrets under which response_urls are sealed, the newest first.
    pub secrets: &'a [SecretString],
    /// How long a lease lasts when it is not prolonged.
    pub lease: Duration,
    /// Where commits are timed.
    pub metrics: Metrics,
}

impl Store {
    /// Opens the database, brings its tables up to date, and starts the writers on the current
    /// runtime.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(options: Options<'_>) -> Result<Self, OpenError> {
        let (pool, sql, lock) = match options.url {
            DatabaseUrl::Sqlite(path) => {
                let (file, lock) = sqlite(path).await?;
                (Pool::Sqlite(file), &statements::SQLITE, Some(lock))
            }
            DatabaseUrl::Postgres(url) => {
                let servers = Servers::read(url)?;
                let place = servers.prepare().await?;
                (Pool::Postgres(Sessions::open(servers, place)?), &statements::POSTGRES, None)
            }
        };
        Ok(Self::start(pool, sql, owner()?, lock, &options))
    }

    /// Checks an SQLite file that was as it had been left, and so was opened without being checked. Reads all of
    /// it, beside whatever else is done with it.
    ///
    /// # Errors
    /// [`OpenError::Damaged`]; another if it can't be checked.
    pub async fn check(&self) -> Result<(), OpenError> {
        let Some(lock) = &self.0.lock else { return Ok(()) };
        let Some(path) = lock.untouched() else { return Ok(()) };
        // Nor until then, should this be broken off.
        lock.found(false);
        let mut db = reader(path).connect().await.map_err(|error| OpenError::of_sqlite(path, error))?;
        let checked = whole(&mut db, path).await;
        let _ = db.close().await;
        lock.found(checked.is_ok());
        checked
    }

    /// Starts the writers on the current runtime.
    pub(super) fn start(
        pool: Pool,
        sql: &'static Statements,
        owner: String,
        lock: Option<Lock>,
        options: &Options<'_>,
    ) -> Self {
        let (accepts, new) = mpsc::unbounded_channel();
        let (records, changed) = mpsc::unbounded_channel();
        let (graveyard, progress) = (Graveyard::open(pool.clone(), sql), Arc::default());
        let accepting = Accepting {
            pool: pool.clone(),
            sql,
            owner: owner.clone(),
            lease: options.lease,
            graveyard: graveyard.clone(),
            progress: Arc::clone(&progress),
            metrics: options.metrics.clone(),
        };
        tokio::spawn(accepting.run(new));
        tokio::spawn(change::run(changed, pool.clone(), sql, options.metrics.clone()));
        Self(Arc::new(Inner {
            pool,
            sql,
            sealer: Sealer::new(options.secrets, Purpose::ResponseUrl),
            owner,
            lease: options.lease,
            accepts,
            records,
            leases: Leases::new(options.lease),
            behind: tokio::sync::Notify::new(),
            keeps_trail: AtomicBool::default(),
            line_kept: tokio::sync::Notify::new(),
            progress,
            graveyard,
            probe: Question::holding(WRITABLE),
            counted: Question::holding(Duration::ZERO),
            lock,
        }))
    }
}

/// Tries whether an SQLite file could be made and used, and leaves nothing of that behind: whoever tries it
/// may be another user than the one that the file is to belong to. Everything happens in a folder of its
/// own beside where the file will be.
///
/// # Errors
/// [`OpenError`], of the file.
pub async fn rehearse(path: &Path) -> Result<(), OpenError> {
    let folder = Rehearsal::beside(path)?;
    let opened = sqlite(&folder.0.join("rehearsal.db")).await;
    let (file, lock) = opened.map_err(|error| match error {
        OpenError::File { cause, .. } => OpenError::File { file: path.display().to_string(), cause },
        error => error,
    })?;
    file.close().await;
    drop(lock);
    Ok(())
}

/// A folder for this user alone, which is gone with its holder.
struct Rehearsal(PathBuf);

impl Rehearsal {
    fn beside(path: &Path) -> Result<Self, OpenError> {
        // A name that a process which was killed cannot have left behind.
        let folder = folder_of(path).join(format!(".connect-card-check-{}", owner()?));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|cause| file_error(path, &cause))?;
        Ok(Self(folder))
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a file is, or will be.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// The user of this process and the one whose an SQLite file is, if these are two. Whoever opened it for
/// another would leave them files that they cannot use.
#[must_use]
pub fn strangers(path: &Path) -> Option<Strangers> {
    let owner = std::fs::metadata(path).ok()?.uid();
    // What this process makes is its user's.
    let probe = Rehearsal::beside(path).ok()?;
    let user = std::fs::metadata(&probe.0).ok()?.uid();
    (owner != user).then_some(Strangers { user, owner })
}

/// Two users, by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// Who runs this.
    pub user: u32,
    /// Whose the file is.
    pub owner: u32,
}

/// The latest undeliverable commands of an SQLite file that another process is at work on.
///
/// # Errors
/// [`StoreError`].
pub async fn undeliverable_beside(path: &Path, limit: i64) -> Result<Vec<Undeliverable>, StoreError> {
    let pool = Pool::Sqlite(SqliteFile::open(reader(path)).await?);
    super::undeliverable(&pool, &statements::SQLITE, limit).await
}

/// A name for this process that no other will ever have.
fn owner() -> Result<String, OpenError> {
    let mut bytes = [0_u8; 8];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| OpenError::Unreachable(StoreError::Refused("no random numbers".to_owned())))?;
    Ok(format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(bytes)))
}

/// A reader beside the writer, which is what the write-ahead log is for.
fn reader(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(Duration::from_secs(5))
}

/// Fails for a file that is damaged. All of it is read for that.
async fn whole(db: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(db).await;
    let found = match found {
        Ok(found) if found == "ok" => return Ok(()),
        // Above the last line it says which database that is.
        Ok(found) => found.lines().last().unwrap_or_default().to_owned(),
        // The disk can't read it, it is damaged, or it is no database.
        Err(error) if matches!(sqlite_code(&error), Some(10 | 11 | 26)) => {
            "it can't be read to its end".to_owned()
        }
        Err(error) => return Err(OpenError::of_sqlite(path, error)),
    };
    Err(OpenError::Damaged { file: path.display().to_string(), found })
}

async fn sqlite(path: &Path) -> Result<(SqliteFile, Lock), OpenError> {
    let lock = Lock::take(path)?;
    private(path).map_err(|cause| file_error(path, &cause))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if without_sync() { SqliteSynchronous::Off } else { SqliteSynchronous::Full })
        .busy_timeout(Duration::from_secs(5))
        .pragma("journal_size_limit", "16777216")
        // What a statement keeps while it runs, to be undone, is small: a file of its own for it costs more.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .statement_cache_capacity(STATEMENTS);
    let failed = |error| OpenError::of_sqlite(path, error);
    let opened = SqliteFile::open(options).await.map_err(failed)?;
    let mut db = opened.lock().await.map_err(failed)?;

    let settings = "SELECT sqlite_version(), (SELECT journal_mode FROM pragma_journal_mode), \
                    (SELECT synchronous FROM pragma_synchronous)";
    let (version, mode, sync): (String, String, i64) =
        sqlx::query_as(settings).fetch_one(&mut *db).await.map_err(failed)?;
    let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    let found = (
        numbers.first().copied().unwrap_or(0),
        numbers.get(1).copied().unwrap_or(0),
        numbers.get(2).copied().unwrap_or(0),
    );
    let checks = [
        ("SQLite's version", found >= SQLITE_OLDEST, version, "build with the SQLite version in Cargo.lock"),
        (
            "SQLite's journal_mode",
            mode == "wal",
            mode,
            "put the file on a local disk; network folders have no shared memory",
        ),
        (
            "SQLite's synchronous",
            sync == 2 || without_sync(),
            sync.to_string(),
            "this is a bug in the build; please report it",
        ),
    ];
    for (setting, good, found, remedy) in checks {
        if !good {
            return Err(OpenError::Unsafe { setting, found, remedy });
        }
    }
    if lock.untouched().is_none() {
        whole(&mut db, path).await?;
        lock.found(true);
    }
    migrations::sqlite(&mut db, path).await?;
    let query = sqlx::query(FREE_LEASES).bind(millis(ON_ITS_WAY));
    query.execute(&mut *db).await.map_err(failed)?;
    drop(db);
    Ok((opened, lock))
}

fn file_error(path: &Path, cause: &std::io::Error) -> OpenError {
    OpenError::of_file(path, cause.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sqlite_is_told_of_in_words_about_files() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = [secrecy::SecretString::from("secret")];
        std::fs::write(folder.path().join("text.db"), "no database, but a text\n".repeat(100)).unwrap();
        std::fs::create_dir(folder.path().join("folder.db")).unwrap();
        for (name, words) in [
            ("text.db", "it is no SQLite database"),
            ("folder.db", "it is a folder"),
            ("missing/bot.db", "its folder doesn't exist"),
        ] {
            let url = DatabaseUrl::Sqlite(folder.path().join(name));
            let lease = std::time::Duration::from_secs(30);
            let opened = Store::open(Options {
                url: &url,
                secrets: &secrets,
                lease,
                metrics: crate::telemetry::Metrics::default(),
            })
            .await;
            let told = opened.err().unwrap().to_string();
            assert!(told.contains(words) && !told.contains("server"), "{name}: {told}");
        }
    }

    #[tokio::test]
    async fn of_steps_that_cannot_all_be_taken_none_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.db");
        let mut db =
            SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
        sqlx::query("CREATE TABLE digest (somebody TEXT)").execute(&mut db).await.unwrap();
        let refused = sqlite(&path).await.err().unwrap();
        assert!(matches!(refused, OpenError::Migration(_)), "{refused}");
        let tables = "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'";
        let tables: String = sqlx::query_scalar(tables).fetch_one(&mut db).await.unwrap();
        assert_eq!(tables, "digest");
    }

    #[tokio::test]
    async fn a_file_is_damaged_only_if_that_is_why_it_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.db");
        let check = async |path| {
            whole(&mut reader(path).busy_timeout(Duration::ZERO).connect().await.unwrap(), path).await
        };
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut other = options.connect().await.unwrap();
        sqlx::query("CREATE TABLE t (n INTEGER)").execute(&mut other).await.unwrap();
        check(&path).await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        let refused = check(&path).await.unwrap_err().to_string();
        assert!(refused.contains("another program holds it"), "{refused}");
        let text = folder.path().join("text.db");
        std::fs::write(&text, "no database, but a text\n".repeat(100)).unwrap();
        let refused = check(&text).await.unwrap_err();
        assert!(
            matches!(&refused, OpenError::Damaged { found, .. } if found.contains("to its end")),
            "{refused}"
        );
    }

    #[test]
    fn a_file_is_in_the_folder_that_its_path_names() {
        for (path, folder) in [("bot.db", "."), ("data/bot.db", "data"), ("/bot.db", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder));
        }
    }

    #[test]
    fn no_two_processes_have_one_name() {
        let names: std::collections::HashSet<_> = (0..9).map(|_| owner().unwrap()).collect();
        assert_eq!(names.len(), 9);
        let id = format!("{}-", std::process::id());
        assert!(names.iter().all(|name| name.starts_with(&id)), "{names:?}");
    }
}
