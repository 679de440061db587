//! An SQLite file from before it is there until it is left, and whoever looks at it meanwhile.

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use super::{Log, file_of, open, try_open};
use crate::journal::{Ending, Progress, Stage, Then};
use crate::store::conditions::scene::accept;
use crate::store::lock::Lock;
use crate::store::{CLOSE_LIMIT, OpenError, Recorded, StoreError, rehearse, strangers, undeliverable_beside};

#[tokio::test]
async fn a_file_is_left_as_whole_unless_something_went_wrong_with_it() {
    for spoilt in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bot.db");
        let store = open(&path).await;
        store.keep_catalogue("{}", Timestamp::UNIX_EPOCH).await.unwrap();
        if spoilt {
            // Nobody knows what came of this use.
            drop(file_of(&store).acquire().await.unwrap());
        }
        let (log, _guard) = Log::begin();
        store.close().await;
        assert_eq!(log.count("did not close"), 0);
        assert!(matches!(store.kept_catalogue().await, Err(StoreError::Unreached(_))), "it is closed");
        assert!(!folder.path().join("bot.db-wal").exists());
        let next = Lock::take(&path).unwrap();
        assert_eq!(next.untouched().is_some(), !spoilt);
    }
}

#[tokio::test]
async fn a_file_that_is_not_closed_in_time_is_left_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let store = open(&path).await;
    let held = file_of(&store).lock().await.unwrap();
    tokio::time::pause();
    let (began, (log, _guard)) = (Instant::now(), Log::begin());
    store.close().await;
    assert_eq!(log.count("did not close in time"), 1);
    assert!((CLOSE_LIMIT..CLOSE_LIMIT * 2).contains(&began.elapsed()));
    assert!(matches!(Lock::take(&path), Err(OpenError::Locked { .. })));
    drop(held);
}

#[tokio::test]
async fn a_rehearsal_says_whether_a_file_could_be_there_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    rehearse(&folder.path().join("bot.db")).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let path = folder.path().join("missing/bot.db");
    let refused = rehearse(&path).await.unwrap_err().to_string();
    assert!(
        refused.contains(path.to_str().unwrap()) && refused.contains("its folder doesn't exist"),
        "{refused}"
    );
}

#[tokio::test]
async fn who_is_no_stranger_is_not_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    assert_eq!(strangers(&path), None, "there is none yet");
    open(&path).await.close().await;
    assert_eq!(strangers(&path), None, "it is this user's");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "it and its lock");
}

#[tokio::test]
async fn what_nobody_could_be_told_is_read_beside_the_process_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    let store = open(&path).await;
    for (id, ending) in [("lost", Ending::Undeliverable), ("told", Ending::Told)] {
        let claimed = accept(&store, id).await.unwrap();
        let over = Progress::of(Stage::Create.over(ending));
        let ended = store.record(&claimed, &over, Then::End(Timestamp::UNIX_EPOCH)).await;
        assert_eq!(ended, Recorded::Committed);
    }
    let lost = undeliverable_beside(&path, 9).await.unwrap();
    assert_eq!(lost.iter().map(|lost| lost.id.as_str()).collect::<Vec<_>>(), ["lost"]);
}

/// Spoils a page that nothing is read of when the file is opened.
async fn damage(path: &Path) {
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'digest'";
    let page: i64 = sqlx::query_scalar(page).fetch_one(&mut db).await.unwrap();
    let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let at = u64::try_from((page - 1) * size).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 64], at).unwrap();
}

#[tokio::test]
async fn a_file_that_is_as_it_was_left_is_read_to_its_end_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bot.db");
    open(&path).await.close().await;
    let store = open(&path).await;
    store.check().await.expect("it is whole");
    store.close().await;
    assert!(Lock::take(&path).unwrap().untouched().is_some());
    damage(&path).await;
    // As if its disk had spoilt it: nobody has touched it.
    let lock = Lock::take(&path).unwrap();
    lock.found(true);
    lock.leave(true, true);
    let store = open(&path).await;
    let damaged = store.check().await.unwrap_err();
    assert!(matches!(damaged, OpenError::Damaged { .. }), "{damaged}");
    store.close().await;
    // So it is read before it is used the next time.
    let refused = try_open(&path).await.err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}
