//! Rows and their tombstones in whatever order they come, and a digger that is sent about by hand.

use sqlx::{Connection as _, SqliteConnection};

use super::super::file::{QUEUE_LIMIT, SqliteFile};
use super::super::{lease::Leases, statements};
use super::*;

async fn insert(db: &mut SqliteConnection, row: &NewRow) -> usize {
    let query = sqlx::query(statements::SQLITE.accept).bind(json(&[row]).unwrap()).bind("me").bind(1000_i64);
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

/// A file with its tables, in its folder.
async fn file() -> (SqliteFile, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let file = SqliteFile::open(url.parse().unwrap()).await.unwrap();
    crate::store::migrations::sqlite(&mut file.lock().await.unwrap(), &path).await.unwrap();
    (file, folder)
}

/// A database, and what the graveyard says of a row that it was given.
struct Scene {
    db: SqliteConnection,
    graveyard: Graveyard,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (file, folder) = file().await;
        let url = format!("sqlite:{}", folder.path().join("bot.db").display());
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
    let row = NewRow::of_request("a", "request");
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
    let late = NewRow::of_request("a", "request");
    assert!(matches!(scene.bury(&late).await, StoreError::Voided));
    assert_eq!(insert(&mut scene.db, &late).await, 0);
    assert_eq!(stored(&mut scene.db).await, [void("a")]);
    // What it was about can be asked for again.
    let mut again = NewRow::of_request("b", "another request");
    again.subject = late.subject;
    assert_eq!(insert(&mut scene.db, &again).await, 1);
    assert_eq!(stored(&mut scene.db).await, [void("a"), open("b")]);
}

#[tokio::test]
async fn a_replay_does_not_void_its_original() {
    let mut scene = Scene::new().await;
    let (original, replay) = (NewRow::of_request("a", "request"), NewRow::of_request("b", "request"));
    assert_eq!(insert(&mut scene.db, &original).await, 1);
    assert!(matches!(scene.bury(&replay).await, StoreError::Voided));
    assert_eq!(insert(&mut scene.db, &replay).await, 0);
    assert_eq!(stored(&mut scene.db).await, [open("a")]);
}

#[tokio::test]
async fn what_somebody_else_has_taken_is_theirs_and_not_called_void() {
    for taken in ["UPDATE command SET fence = 2", "UPDATE command SET stage = 'delivered', ended_at = 9"] {
        let mut scene = Scene::new().await;
        let row = NewRow::of_request("a", "request");
        assert_eq!(insert(&mut scene.db, &row).await, 1);
        run(&mut scene.db, taken).await;
        assert!(matches!(scene.bury(&row).await, StoreError::Slow), "{taken}");
        assert_ne!(stored(&mut scene.db).await, [void("a")], "{taken}");
    }
}

#[tokio::test]
async fn it_is_tried_until_it_is_certain() {
    let mut scene = Scene::new().await;
    let row = NewRow::of_request("a", "request");
    run(&mut scene.db, "ALTER TABLE command RENAME TO away").await;
    assert!(!scene.graveyard.is_at_work());
    let (reply, mut answer) = oneshot::channel();
    let lease = Leases::new(Duration::from_secs(30)).guard(&row.id, 1, 0);
    scene.graveyard.bury(Doomed { row: row.clone(), lease, reply: Some(reply) });
    assert!(tokio::time::timeout(PAUSE * 2, &mut answer).await.is_err(), "not yet");
    assert!(scene.graveyard.awaits("a") && scene.graveyard.is_at_work());
    run(&mut scene.db, "ALTER TABLE away RENAME TO command").await;
    assert!(matches!(answer.await.unwrap(), Err(StoreError::Voided)));
    scene.graveyard.at_rest().await;
    assert!(!scene.graveyard.is_at_work());
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
    let (bad, good) = (bury(NewRow::of_request("bad", "one")), bury(NewRow::of_request("good", "two")));
    let good = tokio::time::timeout(Duration::from_secs(60), good).await.expect("it does not happen");
    assert!(matches!(good.unwrap(), Err(StoreError::Voided)));
    assert!(scene.graveyard.awaits("bad") && !scene.graveyard.awaits("good"));
    run(&mut scene.db, "DROP TRIGGER refuse").await;
    assert!(matches!(bad.await.unwrap(), Err(StoreError::Voided)));
    scene.graveyard.at_rest().await;
    assert_eq!(stored(&mut scene.db).await, [void("bad"), void("good")]);
}

fn doomed(row: NewRow) -> Doomed {
    let lease = Leases::new(Duration::from_secs(30)).guard(&row.id, 1, 0);
    Doomed { row, lease, reply: None }
}

/// A digger that the test sends about by hand.
fn digger(file: &SqliteFile) -> Digger {
    Digger { pool: Pool::Sqlite(file.clone()), sql: &statements::SQLITE, awaited: Arc::default() }
}

/// Where the reason is none of theirs, none is tried by itself: each would wait as long.
#[tokio::test]
async fn what_cannot_be_asked_for_is_left_together_after_one_wait() {
    let (file, _folder) = file().await;
    let held = file.lock().await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let left = digger(&file).bury(["x", "y"].map(|id| doomed(NewRow::of_request(id, id))).into()).await;
    assert_eq!(left.len(), 2);
    assert!(began.elapsed() < QUEUE_LIMIT * 2);
    drop(held);
}

#[tokio::test]
async fn one_that_is_refused_by_itself_is_not_tried_twice_at_once() {
    let (file, _folder) = file().await;
    // What was done before it fails stays done, unlike where a statement is aborted.
    for statement in [
        "CREATE TABLE tried (id TEXT)",
        "CREATE TRIGGER refuse BEFORE INSERT ON command BEGIN INSERT INTO tried VALUES (NEW.id); \
         SELECT RAISE(FAIL, 'no'); END",
    ] {
        run(&mut file.lock().await.unwrap(), statement).await;
    }
    let left = digger(&file).bury(vec![doomed(NewRow::of_request("x", "x"))]).await;
    assert_eq!(left.len(), 1);
    let tried = sqlx::query_scalar("SELECT group_concat(id) FROM tried");
    let tried: String = tried.fetch_one(&mut *file.lock().await.unwrap()).await.unwrap();
    assert_eq!(tried, "x");
}
