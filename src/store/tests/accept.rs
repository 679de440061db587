//! Commands that are accepted in one moment, by a writer that may be stuck.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::store::conditions::scene::{Scene, command};
use crate::store::file::QUEUE_LIMIT;
use crate::store::{Accepted, StoreError, statements};

#[tokio::test]
async fn while_its_writer_is_stuck_a_store_is_not_writable_whatever_else_can_be_written() {
    let (db, _folder) = Scene::database().await;
    let store = Scene::new(&db, &statements::SQLITE).await.a;
    let held = db.lock().await.unwrap();
    tokio::time::pause();
    let mut waits = Box::pin(store.accept(command("x", "x", "x"), Instant::now() + Duration::from_secs(60)));
    for (pause, is_writable) in [(Duration::from_secs(1), true), (Duration::from_secs(2), false)] {
        assert!(waits.as_mut().now_or_never().is_none());
        tokio::time::sleep(pause).await;
        store.0.probe.is_answered(true);
        assert_eq!(store.is_writable(Timestamp::UNIX_EPOCH).await, is_writable);
    }
    drop(held);
}

/// Anybody may ask, and hang up, as often as they like.
#[tokio::test]
async fn whoever_hangs_up_leaves_one_question_and_not_one_each() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let held = db.lock().await.unwrap();
    let at = |ms| Timestamp::from_millisecond(ms).unwrap();
    for ms in 1..=9 {
        assert!(scene.a.is_writable(at(ms)).now_or_never().is_none());
    }
    drop(held);
    let asked = || scene.ask("SELECT CAST(at AS TEXT) FROM probe");
    while asked().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked().await.unwrap(), "1");
}

/// Counts how often a command is tried, and refuses it. What was done before that stays done, unlike where a
/// statement is aborted.
const REFUSE: [&str; 2] = [
    "CREATE TABLE tried (id TEXT)",
    "CREATE TRIGGER refuse BEFORE INSERT ON command BEGIN INSERT INTO tried VALUES (NEW.id); \
     SELECT RAISE(FAIL, 'no'); END",
];

#[tokio::test]
async fn a_command_that_is_refused_by_itself_is_not_tried_again() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    for statement in REFUSE {
        scene.run(statement).await.unwrap();
    }
    let limit = Instant::now() + Duration::from_secs(60);
    let refused = scene.a.accept(command("x", "x", "x"), limit).await.err().unwrap();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert_eq!(scene.ask("SELECT id FROM tried").await.unwrap(), "x");
}

/// Where the reason is none of theirs, all of them are answered at once: each by itself would wait as long.
#[tokio::test]
async fn commands_that_cannot_be_asked_for_are_all_told_so_after_one_wait() {
    let (db, _folder) = Scene::database().await;
    let store = Scene::new(&db, &statements::SQLITE).await.a;
    let held = db.lock().await.unwrap();
    tokio::time::pause();
    let (began, limit) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    let accept = |id| store.accept(command(id, id, id), limit);
    let (x, y) = join(accept("x"), accept("y")).await;
    assert!(began.elapsed() < QUEUE_LIMIT * 2);
    assert!(matches!((x.err(), y.err()), (Some(StoreError::Unreached(_)), Some(StoreError::Unreached(_)))));
    drop(held);
}

#[tokio::test]
async fn whoever_types_again_what_nobody_waited_for_meets_nothing_of_it() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let limit = Instant::now() + Duration::from_secs(60);
    let held = db.lock().await.unwrap();
    let mut first = Box::pin(scene.a.accept(command("first", "first", "same"), limit));
    assert!(first.as_mut().now_or_never().is_none());
    // Once nothing else is left to do, it waits for the database, and is committed for nobody.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_millis(1)).await;
    tokio::time::resume();
    drop(first);
    let mut again = Box::pin(scene.a.accept(command("again", "again", "same"), limit));
    assert!(again.as_mut().now_or_never().is_none());
    drop(held);
    assert!(matches!(again.await.unwrap(), Accepted::Committed(claimed) if claimed.id == "again"));
    let rows = scene.ask("SELECT id || ' ' || stage FROM command ORDER BY id").await.unwrap();
    assert_eq!(rows, "again create,first void");
}
