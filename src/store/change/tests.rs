//! What the recording writer does with a batch by itself, without the rest of the store.

use super::*;
use crate::journal::Stage;
use crate::store::file::SqliteFile;
use crate::store::{migrations, statements};

/// A file with its tables, in its folder, and commands of these ids.
async fn file(ids: &[&str]) -> (SqliteFile, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let file = SqliteFile::open(url.parse().unwrap()).await.unwrap();
    let mut db = file.lock().await.unwrap();
    migrations::sqlite(&mut db, &path).await.unwrap();
    let insert = "INSERT INTO command (id, dedup, team_id, channel_id, user_id, request, stage, accepted_at, run_at, \
                  owner, fence, lease_until) VALUES ($1, $1, 'T', 'C', 'U', '{}', 'create', 1, 1, 'A', 1, 1)";
    for id in ids {
        sqlx::query(insert).bind(*id).execute(&mut *db).await.unwrap();
    }
    drop(db);
    (file, folder)
}

/// The progress of a command.
fn job(id: &str) -> (Job, oneshot::Receiver<Result<Done, StoreError>>) {
    let progress = Progress::of(Stage::Deliver { connection: "conn".to_owned(), existed: false });
    let progress = ProgressRow::of((id, 1), Timestamp::UNIX_EPOCH, &progress, Then::GoOn);
    let (reply, answer) = oneshot::channel();
    (Job { change: None, progress: Some(progress), line: None, reply }, answer)
}

async fn ids(file: &SqliteFile, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(&mut *file.lock().await.unwrap()).await.unwrap()
}

/// Where all stands as it did, which it nearly always does, the database is asked once.
#[tokio::test]
async fn all_is_committed_at_once_or_nothing_is() {
    const DONE: &str = "SELECT id FROM command WHERE stage = 'deliver' ORDER BY id";
    let (file, _folder) = file(&["x", "y"]).await;
    let [x, y, none] = ["x", "y", "none"].map(|id| job(id).0);
    for (jobs, done) in [([&x, &none], [].as_slice()), ([&x, &y], &["x", "y"])] {
        let jobs = jobs.map(|job| Job {
            change: None,
            progress: job.progress.clone(),
            line: None,
            reply: oneshot::channel().0,
        });
        let mut db = file.lock().await.unwrap();
        let committed = at_once(&mut *db, &jobs, &[], &mut 0, &statements::SQLITE).await;
        assert_eq!(committed.is_ok_and(|it| it.is_some()), !done.is_empty());
        undo(&mut *db).await;
        drop(db);
        assert_eq!(ids(&file, DONE).await, done);
    }
}

#[tokio::test]
async fn what_is_refused_by_itself_is_not_tried_twice_at_once() {
    let (file, _folder) = file(&["x"]).await;
    // What was done before it fails stays done, unlike where a statement is aborted.
    for statement in [
        "CREATE TABLE tried (id TEXT)",
        "CREATE TRIGGER refuse BEFORE UPDATE ON command BEGIN INSERT INTO tried VALUES (NEW.id); \
         SELECT RAISE(FAIL, 'no'); END",
    ] {
        sqlx::query(statement).execute(&mut *file.lock().await.unwrap()).await.unwrap();
    }
    let (jobs, waiting) = mpsc::unbounded_channel();
    tokio::spawn(run(waiting, Pool::Sqlite(file.clone()), &statements::SQLITE, Metrics::default()));
    let (job, answer) = job("x");
    assert!(jobs.send(job).is_ok());
    assert!(matches!(answer.await.unwrap(), Err(StoreError::Refused(_))));
    assert_eq!(ids(&file, "SELECT id FROM tried").await, ["x"]);
}
