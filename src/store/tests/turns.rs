//! What is one process's for a while: a message's lease, the turn to tell the audit channel, a plan of digests.

use std::time::Duration;

use tokio::time::Instant;

use super::Log;
use crate::store::conditions::scene::{Outcome, Scene, at, connection, intend, place, post};
use crate::store::statements;
use crate::store::trail::TURN;

#[tokio::test]
async fn a_message_is_surely_ours_until_its_lease_runs_out() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    post(&scene, &connection("g", "n"), "1.1").await?;
    // It is longer than the least here.
    let lease = scene.a.lease();
    scene.a.disturb_message("g_n", at(1000)).await?;
    for is_due in [true, false] {
        let asked = Instant::now();
        let message = match is_due {
            true => scene.a.claim_messages(at(1000), 1).await?.pop(),
            false => scene.a.claim_message("g_n").await?,
        };
        let message = message.ok_or("it is nobody's")?;
        tokio::time::pause();
        tokio::time::advance((asked + lease / 2).saturating_duration_since(Instant::now())).await;
        assert!(message.lease_left() >= lease / 2, "{:?}", message.lease_left());
        tokio::time::advance(message.lease_left()).await;
        assert_eq!(message.lease_left(), Duration::ZERO);
        tokio::time::resume();
        scene.run("UPDATE message SET lease_until = 0").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_turn_is_surely_ours_until_it_runs_out() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    scene.run("INSERT INTO audit_line VALUES ('line', 5, '{}')").await?;
    let asked = Instant::now();
    let turn = scene.a.take_turn(at(10), 1).await?.ok_or("it is nobody's")?;
    tokio::time::pause();
    tokio::time::advance((asked + TURN / 2).saturating_duration_since(Instant::now())).await;
    assert!(turn.left() >= TURN / 2, "{:?}", turn.left());
    tokio::time::advance(turn.left()).await;
    assert_eq!(turn.left(), Duration::ZERO);
    Ok(())
}

#[tokio::test]
async fn lines_that_were_given_up_are_deleted_in_however_many_portions() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501) \
                INSERT INTO audit_line SELECT 'L' || i, i, '{}' FROM n";
    scene.run(fill).await?;
    let (log, _guard) = Log::begin();
    // As `docs/operations.md` says: not before a week is over.
    let week = 7 * 24 * 60 * 60 * 1000;
    scene.a.trim_lines(at(week)).await?;
    assert_eq!(log.count("were given up"), 0);
    scene.a.trim_lines(at(week + 1)).await?;
    assert_eq!(log.count("were given up"), 1);
    assert_eq!(scene.ask("SELECT id FROM audit_line").await?, "");
    // One that comes late is one of those.
    scene.run("INSERT INTO audit_line VALUES ('late', 400, '{}')").await?;
    scene.a.trim_lines(at(week + 1)).await?;
    assert_eq!(log.count("were given up"), 1);
    let turn = scene.a.take_turn(at(10), 1).await?.ok_or("it is to be told")?;
    assert_eq!(turn.dropped, 501);
    Ok(())
}

/// A process whose plan is in force only reads that: were it to write, it could undo another plan that comes into
/// force at that moment.
#[tokio::test]
async fn while_a_plan_is_in_force_nothing_is_written_about_it() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    scene.a.plan_digests("monday", at(50)).await?;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON digest_plan BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene.run(refuse).await?;
    assert_eq!(scene.a.digests_since("monday", at(50)).await?, Some(at(50)));
    assert_eq!(scene.a.digests_since("tuesday", at(60)).await?, None);
    assert!(scene.a.digests_since("monday", at(49)).await.is_err(), "the clock has been set back");
    Ok(())
}

#[tokio::test]
async fn a_message_that_was_found_meanwhile_stays_where_it_was_found() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    intend(&scene, &connection("g", "n")).await?;
    let message = scene.a.claim_message("g_n").await?.ok_or("it is nobody's")?;
    let [first, copy] = ["1", "2"].map(place);
    assert!(scene.a.posted_message(&message, Some(&first), at(2000)).await?, "nobody knew of it");
    assert!(!scene.a.posted_message(&message, Some(&copy), at(2000)).await?);
    assert_eq!(scene.ask("SELECT place_ts FROM message").await?, "1");
    Ok(())
}
