//! Several in one commit, one of which the database does not take: the others do not suffer for it.
//!
//! What is asked for in one moment goes into one commit. A trigger stands for whatever the database may have
//! against one row.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::conditions::scene::{Scene, accept, at, command, connection, delivering, keep};
use super::lease::Leases;
use super::{Accepted, Claimed, MessageWrite, Recorded, StoreError, Write, Written, statements};
use crate::journal::Then;
use crate::life::Change;

/// Waits for what must happen.
async fn happens<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it does not happen")
}

#[tokio::test]
async fn a_new_command_that_is_refused_keeps_no_other_out() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON command WHEN NEW.id = 'bad' \
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene.run(refuse).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    let answers = ["x", "bad", "y"].map(|id| scene.a.accept(command(id, id, id), limit));
    let answers = happens(join_all(answers)).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(Accepted::Committed(claimed)) => Ok(claimed.id),
            Ok(Accepted::Before(_) | Accepted::Twin(_)) => panic!("there was nothing before"),
            Err(error) => Err(error),
        })
        .collect();
    assert!(
        matches!(answers.as_slice(), [Ok(x), Err(StoreError::Refused(_)), Ok(y)] if x == "x" && y == "y"),
        "{answers:?}"
    );
    assert_eq!(scene.ask("SELECT id FROM command ORDER BY id").await.unwrap(), "x,y");
}

#[tokio::test]
async fn progress_that_is_refused_keeps_no_other_from_disk() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let mut claimed = Vec::new();
    for id in ["x", "bad", "y"] {
        claimed.push(accept(&scene.a, id).await.unwrap());
    }
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON command WHEN NEW.id = 'bad' \
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene.run(refuse).await.unwrap();
    let progress = delivering();
    let record = |claimed| scene.a.record(claimed, &progress, Then::GoOn);
    let [x, bad, y] = claimed.as_slice() else { panic!() };
    let others = happens(futures_util::future::join(record(x), record(y)));
    tokio::select! {
        biased;
        recorded = record(bad) => panic!("{recorded:?}"),
        recorded = others => assert_eq!(recorded, (Recorded::Committed, Recorded::Committed)),
    }
    let stages = scene.ask("SELECT id || ' ' || stage FROM command ORDER BY id").await.unwrap();
    assert_eq!(stages, "bad create,x deliver,y deliver");
}

#[tokio::test]
async fn a_change_that_comes_too_late_takes_no_others_progress_with_it() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let (x, y) = (accept(&scene.a, "x").await.unwrap(), accept(&scene.a, "y").await.unwrap());
    let [taken, free] = ["taken", "free"].map(|name| connection("g", name));
    keep(&scene, &taken).await.unwrap();
    let progress = delivering();
    let write = async |claimed: &Claimed, connection: &crate::life::Connection| {
        let change = Change { connection: connection.clone(), show: Vec::new(), news: None };
        let write = Write {
            change: &change,
            // Nobody has it yet; of one of them that is not so any more.
            version: 0,
            held: Some(claimed),
            progress: Some((&progress, Then::GoOn)),
            message: MessageWrite::None,
            trail: None,
            reminders: false,
            now: at(1000),
        };
        scene.a.write(write).await.unwrap()
    };
    let written = happens(futures_util::future::join(write(&x, &taken), write(&y, &free))).await;
    assert_eq!(written, (Written::Conflict, Written::Committed));
    let stages = scene.ask("SELECT id || ' ' || stage FROM command ORDER BY id").await.unwrap();
    assert_eq!(stages, "x create,y deliver");
}

#[tokio::test]
async fn a_command_is_surely_ours_for_what_is_left_of_its_lease() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let claimed = accept(&scene.a, "x").await.unwrap();
    let lease = scene.a.lease();
    tokio::time::pause();
    let leases = Leases::new(lease);
    let claimed = Claimed { lease: leases.guard("x", 1, leases.now_ms()), ..claimed };
    let (long, short, moment) = (lease * 2, lease / 10, Duration::from_millis(1));
    // Of what takes longer than a lease, only that the lease is fresh can be asked.
    for (left, holds_long, holds_short) in [
        (lease, true, true),
        (lease * 3 / 5, true, true),
        (lease * 3 / 5 - moment, false, true),
        (short, false, true),
        (short - moment, false, false),
    ] {
        tokio::time::advance(claimed.lease.left() - left).await;
        assert_eq!(scene.a.holds_for(&claimed, long), holds_long, "{left:?}");
        assert_eq!(scene.a.holds_for(&claimed, short), holds_short, "{left:?}");
    }
}
