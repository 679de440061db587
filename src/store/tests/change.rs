//! What is recorded in one moment, and how it is tried again.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{join, join3};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Log;
use crate::journal::Then;
use crate::life::{Change, Connection, News, State};
use crate::store::change::{Done, Job};
use crate::store::conditions::scene::{
    Judged, Outcome, Scene, accept, at, connection, delivering, keep, post,
};
use crate::store::file::QUEUE_LIMIT;
use crate::store::{MessageWrite, Recorded, StoreError, Write, Written, statements};
use crate::trail::{Entry, What};

fn entry() -> Entry {
    Entry {
        at: at(1000),
        reference: "x".to_owned(),
        channel_id: "C".to_owned(),
        service: "Google Ads".to_owned(),
        schema: "acme".to_owned(),
        destination: None,
        what: What::Connected,
    }
}

/// A change that shows nothing anew.
fn still(connection: &Connection) -> Change {
    Change { connection: connection.clone(), show: Vec::new(), news: None }
}

fn write_of<'a>(change: &'a Change, version: i64, trail: Option<&'a Entry>) -> Write<'a> {
    let (held, progress, message, reminders, now) = (None, None, MessageWrite::None, false, at(1000));
    Write { change, version, held, progress, message, trail, reminders, now }
}

#[tokio::test]
async fn whoever_edits_messages_is_woken_by_what_there_is_to_show_or_to_tell() {
    let (db, _folder) = Scene::database().await;
    let store = Scene::new(&db, &statements::SQLITE).await.a;
    for (name, show, news, is_woken) in [
        ("neither", &[][..], None, false),
        ("shows", &["g_shows"][..], None, true),
        ("tells", &[][..], Some(News::Expired), true),
    ] {
        let connection = connection("g", name);
        Judged { show, news, ..Judged::by(&connection, 0) }.write(&store).await.unwrap();
        assert_eq!(store.behind().now_or_never().is_some(), is_woken, "{name}");
    }
}

#[tokio::test]
async fn a_message_is_due_once_by_what_it_should_show_and_by_what_its_thread_is_told() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    for (show, news, expected) in [
        (&[][..], None, "1 -"),
        (&["g_n"][..], None, "2 5000"),
        (&[][..], Some(News::Expired), "1 5000"),
        (&["g_n"][..], Some(News::Expired), "2 5000"),
    ] {
        let connection = connection("g", "n");
        post(&scene, &connection, "1.1").await?;
        Judged { show, news, now: 5000, ..Judged::by(&connection, 2) }.write(&scene.a).await?;
        let stands = scene.ask("SELECT wanted || ' ' || coalesce(due, '-') FROM message").await?;
        assert_eq!(stands, expected, "{show:?} {news:?}");
        for table in ["DELETE FROM message", "DELETE FROM connection", "DELETE FROM news"] {
            scene.run(table).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_line_is_named_by_what_it_tells_of_and_wakes_whoever_tells_it() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let (x, y) = (accept(&scene.a, "x").await.unwrap(), accept(&scene.a, "y").await.unwrap());
    let (change, entry, progress) = (still(&connection("g", "n")), entry(), delivering());
    let is_woken = || scene.a.line_kept().now_or_never().is_some();
    // Nobody is to be told yet.
    scene.a.write(write_of(&change, 0, Some(&entry))).await.unwrap();
    assert_eq!(scene.a.record_with(&x, &progress, Then::GoOn, Some(&entry)).await, Recorded::Committed);
    assert!(!is_woken());
    scene.a.keep_trail();
    scene.a.write(write_of(&change, 1, None)).await.unwrap();
    assert_eq!(scene.a.record(&x, &progress, Then::GoOn).await, Recorded::Committed);
    assert!(!is_woken());
    scene.a.write(write_of(&change, 2, Some(&entry))).await.unwrap();
    assert!(is_woken());
    assert_eq!(scene.a.record_with(&x, &progress, Then::GoOn, Some(&entry)).await, Recorded::Committed);
    assert!(is_woken());
    let ends = Write {
        held: Some(&y),
        progress: Some((&progress, Then::End(at(2000)))),
        ..write_of(&change, 3, Some(&entry))
    };
    scene.a.write(ends).await.unwrap();
    // A connection's by its version; a command's by its reference, however often it is recorded.
    assert_eq!(scene.ask("SELECT id FROM audit_line ORDER BY seq").await.unwrap(), "g n 3,x,y");
}

/// A job that nobody carries out, and what its caller hears of it.
async fn next(jobs: &mut mpsc::UnboundedReceiver<Job>, heard: Result<Done, StoreError>) {
    let _ = jobs.recv().await.unwrap().reply.send(heard);
}

#[tokio::test]
async fn a_record_that_fails_is_tried_again_after_longer_and_longer_pauses() {
    let (db, _folder) = Scene::database().await;
    let mut store = Scene::new(&db, &statements::SQLITE).await.a;
    let claimed = accept(&store, "x").await.unwrap();
    let (records, mut jobs) = mpsc::unbounded_channel();
    Arc::get_mut(&mut store.0).unwrap().records = records;
    tokio::time::pause();
    let (began, progress) = (Instant::now(), delivering());
    let tries = async {
        let mut at = Vec::new();
        for _ in 0..9 {
            next(&mut jobs, Err(StoreError::Unanswered)).await;
            // Each pause is a moment longer: a timer is as fine as a millisecond.
            at.push(began.elapsed().as_millis() / 10 * 10);
        }
        next(&mut jobs, Ok(Done { changed: true, recorded: true })).await;
        at
    };
    let (log, guard) = Log::begin();
    let (recorded, tries) = join(store.record(&claimed, &progress, Then::GoOn), tries).await;
    drop(guard);
    assert_eq!(recorded, Recorded::Committed);
    assert_eq!(log.count("could not record"), 1, "once: a database that is down is down for every command");
    assert_eq!(tries, [0, 50, 150, 350, 750, 1550, 3150, 5150, 7150]);
    // Without a writer nothing is recorded, and whoever comes next takes it up.
    let (lost, ()) = join(store.record(&claimed, &progress, Then::GoOn), async {
        drop(jobs.recv().await);
    })
    .await;
    assert_eq!(lost, Recorded::LeaseLost);
    drop(jobs);
    assert_eq!(store.record(&claimed, &progress, Then::GoOn).await, Recorded::LeaseLost);
    let refused = store.write(write_of(&still(&connection("g", "n")), 0, None)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

/// Where the reason is none of theirs, all of them are answered at once: each by itself would wait as long.
#[tokio::test]
async fn changes_that_cannot_be_asked_for_are_all_told_so_after_one_wait() {
    let (db, _folder) = Scene::database().await;
    let store = Scene::new(&db, &statements::SQLITE).await.a;
    let (x, y) = (still(&connection("g", "x")), still(&connection("g", "y")));
    let held = db.lock().await.unwrap();
    tokio::time::pause();
    let began = Instant::now();
    let written = join(store.write(write_of(&x, 0, None)), store.write(write_of(&y, 0, None))).await;
    assert!(began.elapsed() < QUEUE_LIMIT * 2);
    assert!(matches!(written, (Err(StoreError::Unreached(_)), Err(StoreError::Unreached(_)))), "{written:?}");
    drop(held);
}

#[tokio::test]
async fn each_destination_is_listed_in_which_one_commit_has_put_links() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let changes =
        [("g", "x"), ("h", "y"), ("g", "z")].map(|(group_id, name)| still(&connection(group_id, name)));
    let [x, y, z] = changes.each_ref().map(|change| scene.a.write(write_of(change, 0, None)));
    let written = join3(x, y, z).await;
    assert!(matches!(written, (Ok(Written::Committed), Ok(Written::Committed), Ok(Written::Committed))));
    assert_eq!(scene.ask("SELECT group_id FROM sweep ORDER BY 1").await.unwrap(), "g,h");
}

#[tokio::test]
async fn a_destination_is_listed_again_once_a_link_of_it_is_watched_anew() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    for (show, state, is_listed) in [
        (&[][..], State::Waiting, "0"),
        (&["g_n"][..], State::Waiting, "1"),
        (&["g_n"][..], State::Cancelled, "0"),
    ] {
        let mut connection = connection("g", "n");
        keep(&scene, &connection).await?;
        // Nothing in it was watched any more.
        scene.run("UPDATE sweep SET next_at = NULL").await?;
        connection.link.state = state;
        Judged { show, ..Judged::by(&connection, 1) }.write(&scene.a).await?;
        let listed = scene.ask("SELECT CAST(next_at IS NOT NULL AS TEXT) FROM sweep").await?;
        assert_eq!(listed, is_listed, "{show:?} {state:?}");
        for table in ["DELETE FROM connection", "DELETE FROM sweep"] {
            scene.run(table).await?;
        }
    }
    Ok(())
}

/// Two in one moment about one connection: who comes second has to know what the first did.
#[tokio::test]
async fn of_two_changes_of_one_connection_the_second_is_judged_again() {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let (n, other) = (still(&connection("g", "n")), still(&connection("g", "other")));
    let written = join3(
        scene.a.write(write_of(&n, 0, None)),
        scene.a.write(write_of(&n, 0, None)),
        scene.a.write(write_of(&other, 0, None)),
    )
    .await;
    let (first, second, third) = (written.0.unwrap(), written.1.unwrap(), written.2.unwrap());
    assert_eq!((first, second, third), (Written::Committed, Written::Conflict, Written::Committed));
}

/// Of what is asked for in one moment all that can be done is, and each hears what that was; a line tells only of what
/// is so.
#[tokio::test]
async fn what_cannot_be_done_keeps_nothing_else_from_being_done_and_is_not_told() -> Outcome {
    const LINES: &str = "SELECT id FROM audit_line ORDER BY id";
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    scene.a.keep_trail();
    keep(&scene, &connection("g", "taken")).await?;
    let mut held = Vec::new();
    for id in ["x", "y", "z", "late"] {
        held.push(accept(&scene.a, id).await?);
    }
    let [x, y, z, late] = held.as_slice() else { panic!() };
    scene.run("UPDATE command SET fence = 7 WHERE id = 'late'").await?;
    let (progress, entry) = (delivering(), entry());
    let changes = ["taken", "one", "two", "three"].map(|name| still(&connection("g", name)));
    let [taken, one, two, three] = &changes;
    let write = async |change, held| {
        let progress = Some((&progress, Then::GoOn));
        scene.a.write(Write { held: Some(held), progress, ..write_of(change, 0, Some(&entry)) }).await
    };
    let record = |held| scene.a.record_with(held, &progress, Then::GoOn, Some(&entry));
    // A connection stands no more as it did.
    let written = join(write(taken, x), write(one, y)).await;
    assert_eq!((written.0?, written.1?), (Written::Conflict, Written::Committed));
    assert_eq!(scene.ask(LINES).await?, "y");
    // A command is somebody else's by now, by itself or with its connection.
    assert_eq!(join(record(late), record(x)).await, (Recorded::LeaseLost, Recorded::Committed));
    let written = join3(write(two, late), record(z), scene.a.write(write_of(three, 0, Some(&entry)))).await;
    assert_eq!(
        (written.0?, written.1, written.2?),
        (Written::LeaseLost, Recorded::Committed, Written::Committed)
    );
    assert_eq!(scene.ask(LINES).await?, "g three 1,x,y,z");
    assert_eq!(scene.ask("SELECT name FROM connection ORDER BY name").await?, "one,taken,three");
    let stages = scene.ask("SELECT id || ' ' || stage FROM command ORDER BY id").await?;
    assert_eq!(stages, "late create,x deliver,y deliver,z deliver");
    Ok(())
}
