//! An onboarding is made of a command of several sources, and looked after while links are shown for them.

use std::sync::Arc;

use crate::journal::{FIRST_FENCE, Progress};
use crate::life::{self, State};
use crate::store::conditions::scene::{Judged, Outcome, Scene, accept, at, connection, keep, place};
use crate::store::statements;
use crate::work::{Onboard, Work};

fn onboard(names: &[&str]) -> Onboard {
    let source = |name: &&str| connection("g", name).link.request;
    Onboard { customer: Some("acme".to_owned()), sources: names.iter().map(source).collect() }
}

#[tokio::test]
async fn the_sources_of_a_command_are_in_hand_and_in_one_message_once_it_is_expanded() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let claimed = accept(&scene.a, "x").await?;
    assert!(!scene.a.is_expanded("x").await?);
    let expanded =
        scene.a.expand(&claimed, &onboard(&["one", "two"]), at(2000)).await?.ok_or("it is ours")?;
    assert!(scene.a.is_expanded("x").await?);
    let whole = life::Onboarding { id: "x".to_owned(), message_id: "x-0".to_owned() };
    assert_eq!(expanded.onboarding, whole);
    for (command, (id, name)) in expanded.commands.iter().zip([("x-1", "one"), ("x-2", "two")]) {
        let guards = scene.a.0.leases.all();
        assert!(guards.iter().any(|guard| Arc::ptr_eq(guard, &command.lease)), "nobody else takes it");
        let mut request = connection("g", name).link.request;
        request.onboarding = Some("x".to_owned());
        assert_eq!((command.id.as_str(), command.lease.key()), (id, (id, FIRST_FENCE)));
        assert_eq!(command.request, serde_json::to_string(&Work::Connect(request))?);
        assert_eq!((command.progress.clone(), command.accepted_at), (Progress::default(), at(2000)));
    }
    assert_eq!(expanded.commands.len(), 2);
    assert!(scene.a.claim(at(9000), 9).await?.is_empty());
    let order = scene.ask("SELECT command || ' ' || place || ' ' || name FROM source ORDER BY place").await?;
    assert_eq!(order, "x-1 0 one,x-2 1 two");
    // Its message is nowhere until it is posted.
    let (here, there) = (place("7"), async || scene.a.open_message("C", "acme").await);
    assert_eq!(there().await?, None);
    let message = scene.a.claim_message("x-0").await?.ok_or("it is there")?;
    assert!(scene.a.posted_message(&message, Some(&here), at(3000)).await?);
    assert_eq!(there().await?, Some(here));
    assert_eq!(scene.a.open_onboarding("C", "acme").await?, Some(whole));
    Ok(())
}

#[tokio::test]
async fn a_source_is_offered_anew_to_whoever_gets_a_link_for_it() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let claimed = accept(&scene.a, "x").await?;
    scene.a.expand(&claimed, &onboard(&["one"]), at(1000)).await?.ok_or("it is ours")?;
    let mut source = connection("g", "one");
    source.link.message_id = "x-0".to_owned();
    assert!(!scene.a.offer(&source.key, at(2000)).await, "there is none");
    keep(&scene, &source).await?;
    let stands = async || -> Outcome<_> {
        let stored = scene.a.connection(&source.key).await?.ok_or("it is there")?;
        Ok((stored.version, stored.connection.link.state, stored.connection.link.expires_at))
    };
    let offered =
        life::offer(&scene.a.connection(&source.key).await?.ok_or("it is there")?.connection, at(2000));
    let until = offered.ok_or("it expires soon")?.connection.link.expires_at;
    assert!(scene.a.offer(&source.key, at(2000)).await);
    assert_eq!(stands().await?, (2, State::Waiting, until));
    assert!(scene.a.offer(&source.key, at(2000)).await, "there is time enough");
    assert_eq!(stands().await?, (2, State::Waiting, until));
    // What cannot be written is not on disk.
    source.link.state = State::Expired;
    Judged::by(&source, 2).write(&scene.a).await?;
    scene
        .run("CREATE TRIGGER refuse BEFORE UPDATE ON connection BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await?;
    assert!(!scene.a.offer(&source.key, at(2000)).await);
    assert_eq!(stands().await?.1, State::Expired);
    Ok(())
}
