//! A command that is accepted, comes again, or is taken up where it was left.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::doomed;
use crate::journal::{Ending, Notice, Problem, Progress, Stage, Then};
use crate::store::accept;
use crate::store::conditions::scene::{self, Outcome, Scene, at, command, connection, take};
use crate::store::{Accepted, Before, NewCommand, Recorded, StoreError, statements};
use crate::work::Work;

/// A store whose accepting writer is the test.
async fn scene() -> (Scene, mpsc::UnboundedReceiver<accept::Accept>, tempfile::TempDir) {
    let (db, folder) = Scene::database().await;
    let mut scene = Scene::new(&db, &statements::SQLITE).await;
    let (accepts, waiting) = mpsc::unbounded_channel();
    Arc::get_mut(&mut scene.a.0).unwrap().accepts = accepts;
    (scene, waiting, folder)
}

/// What came of a command that nobody commits in time, where this happens to it meanwhile.
async fn accepted(
    scene: &Scene,
    waiting: &mut mpsc::UnboundedReceiver<accept::Accept>,
    meanwhile: impl AsyncFnOnce(accept::Accept),
) -> Result<Accepted, StoreError> {
    let limit = Instant::now() + Duration::from_secs(2);
    let accepting = scene.a.accept(command("x", "x", "x"), limit);
    let taken = async { meanwhile(waiting.recv().await.unwrap()).await };
    futures_util::future::join(accepting, taken).await.0
}

/// Whoever is told that a command was withdrawn knows that nothing happens, and that is only so if the database was
/// not asked.
#[tokio::test]
async fn a_command_is_withdrawn_unless_its_writer_has_taken_it() {
    let (scene, mut waiting, _folder) = scene().await;
    tokio::time::pause();
    let long = Duration::from_secs(60);
    let withdrawn = accepted(&scene, &mut waiting, async |accept| {
        tokio::time::sleep(long).await;
        assert!(!accept.turn.take(), "its caller has taken it back");
    });
    assert!(matches!(withdrawn.await, Err(StoreError::Withdrawn)));
    let slow = accepted(&scene, &mut waiting, async |accept| {
        assert!(accept.turn.take());
        tokio::time::sleep(long).await;
        assert!(accept.reply.is_closed(), "nobody waits any more");
    });
    assert!(matches!(slow.await, Err(StoreError::Slow)));
    let committed = accepted(&scene, &mut waiting, async |accept| {
        assert!(accept.turn.take());
        accept.reply.send(Ok(true)).unwrap();
    });
    assert!(matches!(committed.await, Ok(Accepted::Committed(_))));
    // The writer has ended, before it took the command or with it in its hands.
    let untaken = accepted(&scene, &mut waiting, async |accept| drop(accept)).await;
    assert!(matches!(untaken, Err(StoreError::Withdrawn)));
    let taken = accepted(&scene, &mut waiting, async |accept| {
        assert!(accept.turn.take());
        drop(accept);
    });
    assert!(matches!(taken.await, Err(error) if !error.proves_nothing_done()));
    // Nobody is asked for what is too late already.
    let late = scene.a.accept(command("x", "x", "x"), Instant::now()).await;
    assert!(matches!(late, Err(StoreError::Withdrawn)) && waiting.try_recv().is_err());
    drop(waiting);
    let gone = scene.a.accept(command("x", "x", "x"), Instant::now() + long).await;
    assert!(matches!(gone, Err(StoreError::Withdrawn)));
}

/// Whoever takes a command up finds it as it was left.
#[tokio::test]
async fn a_command_is_taken_up_where_it_was_left() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let notice = Notice::Problem(Problem::CannotPost { slack_says: "not_in_channel".to_owned() });
    let deliver = |existed| Stage::Deliver { connection: "conn".to_owned(), existed };
    for (id, stage, tries, posts, noted) in [
        ("new", Stage::Create, 0, 0, false),
        ("made", deliver(false), 1, 2, true),
        ("found", deliver(true), 0, 1, false),
        ("tell", Stage::Tell { notice, connection: None }, 3, 0, true),
    ] {
        let progress = Progress { stage, tries, posts, noted };
        let held = scene::accept(&scene.a, id).await?;
        assert_eq!(scene.a.record(&held, &progress, Then::WaitUntil(at(2000))).await, Recorded::Committed);
        let taken = take(&scene.b, 2000).await?;
        assert_eq!((taken.id.as_str(), &taken.progress), (id, &progress));
        let url = taken.response_url.as_ref().map(|url| url.expose_secret());
        assert_eq!(url, Some("https://slack.example/response"));
        assert_eq!((taken.request, taken.accepted_at), (format!("request of {id}"), at(1000)));
    }
    // Of what a later version has left, nothing is known; a cancellation and a sync stand in the same words.
    let _odd = scene::accept(&scene.a, "odd").await?;
    scene
        .run("UPDATE command SET stage = 'later', owner = '', lease_until = 0, fence = 1 WHERE id = 'odd'")
        .await?;
    let odd = take(&scene.b, 2000).await?;
    assert_eq!((odd.id.as_str(), odd.request.as_str()), ("odd", ""));
    let request = connection("g", "n").link.request;
    for (work, stage) in [
        (
            Work::Cancel { link: "g_n".to_owned(), request: request.clone() },
            Stage::Cancel { connection: "conn".to_owned() },
        ),
        (Work::Sync { link: "g_n".to_owned(), request }, Stage::Sync { connection: "conn".to_owned() }),
    ] {
        let id = stage.name().to_owned() + &format!("{:?}", work.intent());
        let request = serde_json::to_string(&work)?;
        let new = NewCommand { request, progress: Progress::of(stage.clone()), ..command(&id, &id, &id) };
        let Accepted::Committed(held) = scene.a.accept(new, Instant::now() + Duration::from_secs(60)).await?
        else {
            return Err("it met somebody".into());
        };
        scene.a.record(&held, &held.progress, Then::WaitUntil(at(2000))).await;
        assert_eq!(take(&scene.b, 2000).await?.progress.stage, stage);
    }
    Ok(())
}

/// A request that comes again is answered by what it became, once that is sure.
#[tokio::test]
async fn a_request_is_known_again_once_it_is_sure_that_it_happens() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    assert_eq!(scene.a.before("x").await?, None);
    let held = scene::accept(&scene.a, "x").await?;
    let found = Before { id: "x".to_owned(), accepted_at: at(1000), has_ended: false };
    assert_eq!(scene.a.before("x").await?.as_ref(), Some(&found));
    // The process that took it in may still make it void.
    assert!(matches!(scene.b.before("x").await, Err(StoreError::Unanswered)));
    // As this one may: while it makes anything void, what has not ended is not sure.
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON command WHEN NEW.id = 'doomed' \
                  BEGIN SELECT RAISE(ABORT, 'no'); END";
    scene.run(refuse).await?;
    scene.a.0.graveyard.bury(doomed("doomed"));
    assert!(matches!(scene.a.before("x").await, Err(StoreError::Unanswered)));
    let over = Progress::of(Stage::Create.over(Ending::Told));
    assert_eq!(scene.a.record(&held, &over, Then::End(at(3000))).await, Recorded::Committed);
    let ended = Before { has_ended: true, ..found };
    assert_eq!(scene.a.before("x").await?.as_ref(), Some(&ended));
    scene.run("DROP TRIGGER refuse").await?;
    scene.a.0.graveyard.at_rest().await;
    assert_eq!(scene.a.before("doomed").await?, None, "it is void");
    Ok(())
}
