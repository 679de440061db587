//! The store as a whole, and tests of several of its parts.

mod accept;
mod change;
mod commands;
mod connections;
mod file;
mod onboardings;
mod tombstone;
mod turns;

use std::path::Path;

use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::time::Instant;

use super::conditions::scene::{Judged, Scene, accept, at, connection};
use super::row::NewRow;
use super::tombstone::Doomed;
use super::*;
use crate::life::State;

/// Opens a database file as the bot does.
async fn try_open(path: &Path) -> Result<Store, OpenError> {
    let (url, secrets) = (DatabaseUrl::Sqlite(path.to_owned()), [SecretString::from("secret")]);
    let options = Options {
        url: &url,
        secrets: &secrets,
        lease: Duration::from_secs(30),
        metrics: crate::telemetry::Metrics::default(),
    };
    Store::open(options).await
}

async fn open(path: &Path) -> Store {
    try_open(path).await.unwrap()
}

/// What a test logs, as text.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    /// From here on, what this thread logs; until its guard is dropped.
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(lines.finish()))
    }

    /// How many lines have these words.
    fn count(&self, words: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(words)).count()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A row that is to be made void.
fn doomed(id: &str) -> Doomed {
    let row = NewRow::of_request(id, id);
    Doomed { row, lease: Leases::new(Duration::from_secs(30)).guard(id, 1, 0), reply: None }
}

fn file_of(store: &Store) -> &SqliteFile {
    let Pool::Sqlite(file) = &store.0.pool else { panic!("it is a file") };
    file
}

#[tokio::test]
async fn without_one_of_its_writers_the_store_is_not_writable_and_says_so() {
    for writer in ["accepts", "records"] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(&folder.path().join("bot.db")).await;
        assert!(store.is_writable(Timestamp::UNIX_EPOCH).await);
        assert!(store.a_writer_ended().now_or_never().is_none());
        // As after a panic: nobody receives any more.
        let inner = Arc::get_mut(&mut store.0).unwrap();
        match writer {
            "accepts" => inner.accepts = mpsc::unbounded_channel().0,
            _ => inner.records = mpsc::unbounded_channel().0,
        }
        store.a_writer_ended().await;
        assert!(!store.is_writable(Timestamp::UNIX_EPOCH).await, "{writer}");
    }
}

#[tokio::test]
async fn whether_it_takes_writes_is_asked_once_a_second_and_by_one_question_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("bot.db")).await;
    let is_writable = || store.is_writable(Timestamp::UNIX_EPOCH);
    let (second, moment) = (Duration::from_secs(1), Duration::from_millis(1));
    // Nobody can write from here on.
    let held = file_of(&store).lock().await.unwrap();
    tokio::time::pause();
    store.0.probe.is_answered(true);
    tokio::time::advance(second - moment).await;
    assert!(is_writable().await, "it was a moment ago");
    tokio::time::advance(moment).await;
    let asked = Instant::now();
    assert!(!is_writable().await, "there is no answer");
    assert!((second..second * 2).contains(&asked.elapsed()));
    assert!(!is_writable().await, "there was none a moment ago");
    // The answer may come, and counts from when it does.
    tokio::time::resume();
    drop(held);
    while !is_writable().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn all_that_is_old_enough_is_purged_in_however_many_portions() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501) \
                INSERT INTO command (id, dedup, team_id, channel_id, user_id, request, stage, accepted_at, run_at, \
                ended_at, owner, fence, lease_until) \
                SELECT i, i, 'T', 'C', 'U', '{}', 'told', 1, 1, 1, 'A', 1, 0 FROM n";
    scene.run(fill).await.unwrap();
    let mut over = connection("g", "over");
    over.link.state = State::Cancelled;
    Judged::by(&over, 0).write(&scene.a).await.unwrap();
    let _open = accept(&scene.a, "open").await.unwrap();
    // As `docs/operations.md` says.
    let days = |days: i64| at(days * 24 * 60 * 60 * 1000);
    assert_eq!(scene.a.purge(days(30)).await.unwrap(), 0);
    assert_eq!(scene.a.purge(days(31)).await.unwrap(), 502);
    assert_eq!(scene.ask("SELECT id FROM command").await.unwrap(), "open");
    assert_eq!(scene.a.purge(days(31)).await.unwrap(), 0);
}
