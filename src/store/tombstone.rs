//! Tombstones: they make sure that a command that nobody was promised never happens.
//!
//! Owns that this holds in whatever order the command's insert and its tombstone reach the database.
//! Whether the insert was done is not known; it may even be under way still, or waiting, uncommitted,
//! for a standby. So a tombstone is not an update that finds nothing and calls that done, but three
//! statements on one session, each of which commits by itself:
//!
//! 1. [`Statements::bury`] inserts a row with the same id and the same request that has ended, and
//!    that has no subject. Where one of the two keys is taken it inserts nothing; if it is by a row
//!    that is not committed yet, it waits for that, or fails and is tried again. Afterwards a
//!    committed row holds one of the keys, for as long as ended rows are kept, so that an insert
//!    that comes later inserts nothing.
//! 2. [`Statements::void`] ends the row with this id if it was the insert's after all and nobody has
//!    taken it since. If it was there before step 1 it is seen, since this is a later statement; and
//!    after step 1 it cannot come.
//! 3. [`Statements::alive`] asks for rows with these ids that are not void. Where the request's key
//!    was taken by another row (a replay meets the original) there is no row of this id, and none
//!    can come. What is left was taken by somebody else before step 2, and is theirs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot, watch};

use super::row::{NewRow, json};
use super::statements::Statements;
use super::{LeaseGuard, Pool, StoreError, on};

/// Most rows of one statement.
const BATCH: usize = 256;
/// Pause after a failure. The statements have time limits of their own.
const PAUSE: Duration = Duration::from_millis(200);

/// A row that may be there, or come, and must not happen.
pub(super) struct Doomed {
    pub(super) row: NewRow,
    /// Keeps this process from taking the row.
    pub(super) lease: Arc<LeaseGuard>,
    /// Who wants to know when it is void.
    pub(super) reply: Option<oneshot::Sender<Result<bool, StoreError>>>,
}

/// Where doomed rows go. Clones share it.
#[derive(Clone)]
pub(super) struct Graveyard {
    doomed: mpsc::UnboundedSender<Doomed>,
    awaited: Arc<Awaited>,
}

/// What is still to be made void.
#[derive(Default)]
struct Awaited {
    /// The subjects: who meets one has no twin. One that is there twice is awaited twice.
    subjects: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Awaited {
    fn subjects(&self) -> MutexGuard<'_, Vec<String>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graveyard {
    /// Opens it, with a task of its own that ends with the last clone.
    pub(super) fn open(pool: Pool, sql: &'static Statements) -> Self {
        let (doomed, waiting) = mpsc::unbounded_channel();
        let awaited = Arc::<Awaited>::default();
        tokio::spawn(Digger { pool, sql, awaited: Arc::clone(&awaited) }.run(waiting));
        Self { doomed, awaited }
    }

    /// Makes sure that a row never happens.
    pub(super) fn bury(&self, doomed: Doomed) {
        self.awaited.subjects().push(doomed.row.subject.clone());
        self.awaited.count.send_modify(|count| *count += 1);
        // It has gone only after a panic, which ends the process: see `Store::a_writer_ended`.
        let _ = self.doomed.send(doomed);
    }

    /// Whether a row about this is still to be made void.
    pub(super) fn awaits(&self, subject: &str) -> bool {
        self.awaited.subjects().iter().any(|awaited| awaited == subject)
    }

    /// Whether something is still to be made void.
    pub(super) fn is_at_work(&self) -> bool {
        *self.awaited.count.borrow() > 0
    }

    /// Waits until nothing is to be made void any more.
    pub(super) async fn at_rest(&self) {
        // It owns the sender itself.
        let _ = self.awaited.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Whether its task has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.doomed.is_closed()
    }

    /// Waits until its task has ended, which it does by a panic alone while there is a clone.
    pub(super) async fn closed(&self) {
        self.doomed.closed().await;
    }
}

struct Digger {
    pool: Pool,
    sql: &'static Statements,
    awaited: Arc<Awaited>,
}

impl Digger {
    async fn run(self, mut waiting: mpsc::UnboundedReceiver<Doomed>) {
        let mut rows = Vec::with_capacity(BATCH);
        while !rows.is_empty() || waiting.recv_many(&mut rows, BATCH).await > 0 {
            while rows.len() < BATCH
                && let Ok(more) = waiting.try_recv()
            {
                rows.push(more);
            }
            rows = self.bury(rows).await;
            if rows.is_empty() {
                continue;
            }
            if self.pool.is_closed() {
                tracing::error!(
                    count = rows.len(),
                    "commands that were not promised could not be made void and may happen yet"
                );
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Buries rows together or, where that fails, each by itself. Returns those that are left.
    async fn bury(&self, rows: Vec<Doomed>) -> Vec<Doomed> {
        let together = self.lay(&rows.iter().map(|doomed| &doomed.row).collect::<Vec<_>>()).await;
        match together {
            Ok(alive) => {
                rows.into_iter().for_each(|doomed| self.conclude(doomed, &alive));
                Vec::new()
            }
            // One must not wait for another one's insert.
            Err(error) if rows.len() > 1 && error.may_be_one_rows_fault() => {
                let mut left = Vec::new();
                for doomed in rows {
                    match self.lay(&[&doomed.row]).await {
                        Ok(alive) => self.conclude(doomed, &alive),
                        Err(_) => left.push(doomed),
                    }
                }
                left
            }
            Err(error) => {
                tracing::debug!(count = rows.len(), %error, "commands cannot be made void yet");
                rows
            }
        }
    }

    /// The three statements. Returns the ids that somebody else has taken.
    async fn lay(&self, rows: &[&NewRow]) -> Result<HashSet<String>, StoreError> {
        let json = json(rows)?;
        on!(&self.pool, db => {
            sqlx::query(self.sql.bury).bind(&json).execute(&mut *db).await?;
            sqlx::query(self.sql.void).bind(&json).execute(&mut *db).await?;
            let alive = sqlx::query(self.sql.alive).bind(&json).fetch_all(&mut *db).await?;
            alive.iter().map(|row| Ok(row.try_get("id")?)).collect()
        })
    }

    fn conclude(&self, doomed: Doomed, alive: &HashSet<String>) {
        let Doomed { row, lease, reply } = doomed;
        let happens = alive.contains(&row.id);
        if happens {
            tracing::warn!(
                command = row.id,
                "a command that was not promised was taken up and happens all the same"
            );
        } else {
            tracing::info!(command = row.id, "a command that was not promised is void");
        }
        {
            let mut subjects = self.awaited.subjects();
            if let Some(at) = subjects.iter().position(|awaited| *awaited == row.subject) {
                subjects.swap_remove(at);
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(Err(if happens { StoreError::Slow } else { StoreError::Voided }));
        }
        drop(lease);
        self.awaited.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::super::file::SqliteFile;
    use super::super::{lease::Leases, statements};
    use super::*;

    /// A row of the same request as others of this name.
    fn row(id: &str, request: &str) -> NewRow {
        let text = str::to_owned;
        NewRow {
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

    async fn insert(db: &mut SqliteConnection, row: &NewRow) -> usize {
        let query =
            sqlx::query(statements::SQLITE.accept).bind(json(&[row]).unwrap()).bind("me").bind(1000_i64);
        query.fetch_all(db).await.unwrap().len()
    }

    async fn run(db: &mut SqliteConnection, sql: &'static str) {
        sqlx::query(sql).execute(db).await.unwrap();
    }

    async fn stored(db: &mut SqliteConnection) -> Vec<(String, String, bool)> {
        let sql = "SELECT id, stage, subject IS NULL AND response_url IS NULL AND ended_at IS NOT NULL AS over \
                   FROM command ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(db).await.unwrap();
        rows.iter().map(|row| (row.get("id"), row.get("stage"), row.get("over"))).collect()
    }

    /// A database, and what the graveyard says of a row that it was given.
    struct Scene {
        db: SqliteConnection,
        graveyard: Graveyard,
        _folder: tempfile::TempDir,
    }

    impl Scene {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}?mode=rwc", folder.path().join("bot.db").display());
            let file = SqliteFile::open(url.parse().unwrap()).await.unwrap();
            crate::store::migrations::sqlite(
                &mut file.lock().await.unwrap(),
                std::path::Path::new("tombstone.db"),
            )
            .await
            .unwrap();
            let db = SqliteConnection::connect(&url).await.unwrap();
            let graveyard = Graveyard::open(Pool::Sqlite(file), &statements::SQLITE);
            Self { db, graveyard, _folder: folder }
        }

        async fn bury(&self, row: &NewRow) -> StoreError {
            let (reply, answer) = oneshot::channel();
            let lease = Leases::new(Duration::from_secs(30)).guard(&row.id, 1, 0);
            self.graveyard.bury(Doomed { row: row.clone(), lease, reply: Some(reply) });
            let error = answer.await.unwrap().unwrap_err();
            self.graveyard.at_rest().await;
            assert!(!self.graveyard.awaits(&row.subject));
            error
        }
    }

    fn void(id: &str) -> (String, String, bool) {
        (id.to_owned(), "void".to_owned(), true)
    }

    fn open(id: &str) -> (String, String, bool) {
        (id.to_owned(), "create".to_owned(), false)
    }

    #[tokio::test]
    async fn an_insert_that_was_done_is_ended() {
        let mut scene = Scene::new().await;
        let row = row("a", "request");
        assert_eq!(insert(&mut scene.db, &row).await, 1);
        assert!(matches!(scene.bury(&row).await, StoreError::Voided));
        assert_eq!(stored(&mut scene.db).await, [void("a")]);
        // Again, since an answer was lost.
        assert!(matches!(scene.bury(&row).await, StoreError::Voided));
        assert_eq!(stored(&mut scene.db).await, [void("a")]);
    }

    #[tokio::test]
    async fn an_insert_that_comes_later_inserts_nothing() {
        let mut scene = Scene::new().await;
        let late = row("a", "request");
        assert!(matches!(scene.bury(&late).await, StoreError::Voided));
        assert_eq!(insert(&mut scene.db, &late).await, 0);
        assert_eq!(stored(&mut scene.db).await, [void("a")]);
        // What it was about can be asked for again.
        let mut again = row("b", "another request");
        again.subject = late.subject;
        assert_eq!(insert(&mut scene.db, &again).await, 1);
        assert_eq!(stored(&mut scene.db).await, [void("a"), open("b")]);
    }

    #[tokio::test]
    async fn a_replay_does_not_void_its_original() {
        let mut scene = Scene::new().await;
        let (original, replay) = (row("a", "request"), row("b", "request"));
        assert_eq!(insert(&mut scene.db, &original).await, 1);
        assert!(matches!(scene.bury(&replay).await, StoreError::Voided));
        assert_eq!(insert(&mut scene.db, &replay).await, 0);
        assert_eq!(stored(&mut scene.db).await, [open("a")]);
    }

    #[tokio::test]
    async fn what_somebody_else_has_taken_is_theirs_and_not_called_void() {
        for taken in ["UPDATE command SET fence = 2", "UPDATE command SET stage = 'delivered', ended_at = 9"]
        {
            let mut scene = Scene::new().await;
            let row = row("a", "request");
            assert_eq!(insert(&mut scene.db, &row).await, 1);
            run(&mut scene.db, taken).await;
            assert!(matches!(scene.bury(&row).await, StoreError::Slow), "{taken}");
            assert_ne!(stored(&mut scene.db).await, [void("a")], "{taken}");
        }
    }

    #[tokio::test]
    async fn it_is_tried_until_it_is_certain() {
        let mut scene = Scene::new().await;
        let row = row("a", "request");
        run(&mut scene.db, "ALTER TABLE command RENAME TO away").await;
        let (reply, mut answer) = oneshot::channel();
        let lease = Leases::new(Duration::from_secs(30)).guard(&row.id, 1, 0);
        scene.graveyard.bury(Doomed { row: row.clone(), lease, reply: Some(reply) });
        assert!(tokio::time::timeout(PAUSE * 2, &mut answer).await.is_err(), "not yet");
        assert!(scene.graveyard.awaits("a"));
        run(&mut scene.db, "ALTER TABLE away RENAME TO command").await;
        assert!(matches!(answer.await.unwrap(), Err(StoreError::Voided)));
        assert_eq!(stored(&mut scene.db).await, [void("a")]);
    }

    #[tokio::test]
    async fn one_that_cannot_be_made_void_yet_keeps_no_other_waiting() {
        let mut scene = Scene::new().await;
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON command WHEN NEW.id = 'bad' \
                      BEGIN SELECT RAISE(ABORT, 'no'); END";
        run(&mut scene.db, refuse).await;
        let bury = |row: NewRow| {
            let (reply, answer) = oneshot::channel();
            let lease = Leases::new(Duration::from_secs(30)).guard(&row.id, 1, 0);
            scene.graveyard.bury(Doomed { row, lease, reply: Some(reply) });
            answer
        };
        // In one moment, and so in one statement.
        let (bad, good) = (bury(row("bad", "one")), bury(row("good", "two")));
        let good = tokio::time::timeout(Duration::from_secs(60), good).await.expect("it does not happen");
        assert!(matches!(good.unwrap(), Err(StoreError::Voided)));
        assert!(scene.graveyard.awaits("bad") && !scene.graveyard.awaits("good"));
        run(&mut scene.db, "DROP TRIGGER refuse").await;
        assert!(matches!(bad.await.unwrap(), Err(StoreError::Voided)));
        scene.graveyard.at_rest().await;
        assert_eq!(stored(&mut scene.db).await, [void("bad"), void("good")]);
    }
}
