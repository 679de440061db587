//! The one connection with an SQLite file.
//!
//! Owns that it is used by one at a time, in the order in which they came, and that another is opened after one
//! that is of no use, or of which nobody knows what it is at. The driver's own pool asks its connection before
//! and after every use whether it is well; each question wakes two threads, and a file does not go away as a
//! server does. Must not know what is asked.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::time::timeout;

/// Longest wait for the connection.
pub(super) const QUEUE_LIMIT: Duration = Duration::from_secs(5);

/// An SQLite file in use. Clones share its one connection, so that there is nothing to be busy with, and every
/// write is in one order.
#[derive(Clone)]
pub(super) struct SqliteFile(Arc<Shared>);

struct Shared {
    options: SqliteConnectOptions,
    /// None while there has to be another one.
    connection: Mutex<Option<SqliteConnection>>,
    /// Whether the connection is of no use any more.
    spoilt: AtomicBool,
    /// Whether one ever was.
    was_spoilt: AtomicBool,
    closed: AtomicBool,
}

impl SqliteFile {
    /// Opens the file.
    ///
    /// # Errors
    /// The driver's.
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = Mutex::new(Some(options.connect().await?));
        let [spoilt, was_spoilt, closed] = [false; 3].map(AtomicBool::new);
        Ok(Self(Arc::new(Shared { options, connection, spoilt, was_spoilt, closed })))
    }

    /// The connection, as soon as it is free.
    ///
    /// # Errors
    /// The driver's; nothing was asked then.
    pub(super) async fn acquire(&self) -> Result<InUse<'_>, sqlx::Error> {
        let held = self.lock().await?;
        Ok(InUse { held, spoilt: &self.0.spoilt, keep: false })
    }

    /// The same, to be used on whatever becomes of this use.
    ///
    /// # Errors
    /// The driver's; nothing was asked then.
    pub(super) async fn lock(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, sqlx::Error> {
        let acquired = timeout(QUEUE_LIMIT, async {
            let mut held = self.0.connection.lock().await;
            if self.is_closed() {
                return Err(sqlx::Error::PoolClosed);
            }
            if self.0.spoilt.swap(false, Ordering::Relaxed)
                && let Some(old) = held.take()
            {
                self.0.was_spoilt.store(true, Ordering::Relaxed);
                // What was asked of it is done before anything else is, as long as it answers at all.
                let _ = old.close().await;
            }
            if held.is_none() {
                *held = Some(self.0.options.connect().await?);
            }
            MutexGuard::try_map(held, Option::as_mut).map_err(|_| sqlx::Error::WorkerCrashed)
        });
        acquired.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Whether anything has gone wrong with the file, as a page that can't be read.
    pub(super) fn was_spoilt(&self) -> bool {
        [&self.0.spoilt, &self.0.was_spoilt].into_iter().any(|spoilt| spoilt.load(Ordering::Relaxed))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    /// Closes it once it is free, by which its write-ahead log goes. Nobody gets it any more.
    pub(super) async fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
        if let Some(connection) = self.0.connection.lock().await.take() {
            // What could not be moved into the file is in its log, where whoever opens it finds it.
            let _ = connection.close().await;
        }
    }
}

/// The connection in use. Another one takes its place afterwards unless it is kept: one whose user is gone
/// before the answer came may be within a transaction that nobody ends.
pub(super) struct InUse<'a> {
    held: MappedMutexGuard<'a, SqliteConnection>,
    spoilt: &'a AtomicBool,
    keep: bool,
}

impl InUse<'_> {
    /// Nothing is under way on it, and it is good.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Deref for InUse<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.held
    }
}

impl DerefMut for InUse<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.held
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if !self.keep {
            self.spoilt.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    /// Each connection has a temporary table of its own, by which it is known again.
    async fn marks(file: &SqliteFile) -> i64 {
        let mut db = file.acquire().await.unwrap();
        db.keep();
        sqlx::query("CREATE TEMP TABLE IF NOT EXISTS mark (n INTEGER)").execute(&mut *db).await.unwrap();
        sqlx::query("INSERT INTO mark VALUES (1)").execute(&mut *db).await.unwrap();
        sqlx::query("SELECT count(*) FROM mark").fetch_one(&mut *db).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn a_connection_is_used_until_it_is_not_kept_or_closed() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            SqliteConnectOptions::new().filename(folder.path().join("bot.db")).create_if_missing(true);
        let file = SqliteFile::open(options).await.unwrap();
        assert_eq!((marks(&file).await, marks(&file.clone()).await), (1, 2));
        drop(file.acquire().await.unwrap());
        assert_eq!((marks(&file).await, marks(&file).await), (1, 2));
        file.close().await;
        assert!(matches!(file.acquire().await, Err(sqlx::Error::PoolClosed)));
    }

    #[tokio::test]
    async fn a_transaction_that_nobody_ends_is_undone_before_anything_else_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            SqliteConnectOptions::new().filename(folder.path().join("bot.db")).create_if_missing(true);
        let file = SqliteFile::open(options).await.unwrap();
        sqlx::query("CREATE TABLE t (n INTEGER)").execute(&mut *file.lock().await.unwrap()).await.unwrap();
        let mut db = file.acquire().await.unwrap();
        sqlx::query("BEGIN").execute(&mut *db).await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *db).await.unwrap();
        drop(db);
        let mut db = file.acquire().await.unwrap();
        sqlx::query("BEGIN").execute(&mut *db).await.expect("there is no other one");
        let n: i64 = sqlx::query("SELECT count(*) FROM t").fetch_one(&mut *db).await.unwrap().get(0);
        assert_eq!(n, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_it_too_long_has_asked_nothing() {
        let file = SqliteFile::open(SqliteConnectOptions::new().in_memory(true)).await.unwrap();
        let held = file.lock().await.unwrap();
        assert!(matches!(file.acquire().await, Err(sqlx::Error::PoolTimedOut)));
        drop(held);
        assert!(file.acquire().await.is_ok());
    }
}
