//! A connection is read as it was written, and found by its links.

use std::time::Duration;

use tokio::time::Instant;

use crate::life::{Connection, Link, Posting, Purpose, Reminded, State, Trouble};
use crate::store::conditions::scene::{Judged, Outcome, Scene, accept, at, command, connection, keep, post};
use crate::store::{Accepted, NewCommand, StoreError, statements};
use crate::work::{Key, Work};

/// A connection of which everything is known that can be, in this state.
fn known(state: State, trouble: Option<Trouble>) -> Connection {
    let plain = connection("g", "n");
    Connection {
        link: Link {
            state,
            trouble,
            requester: None,
            detail: Some("says Fivetran".to_owned()),
            posted_at: at(2000),
            expires_at: at(3000),
            changed_at: at(4000),
            reminded: Reminded { before: true, after: false },
            purpose: Some(Purpose::Reauthorise),
            landed_at: Some(at(5000)),
            ..plain.link.clone()
        },
        generation: 3,
        posting: Some(Posting {
            command: "x".to_owned(),
            unclear: true,
            in_place: false,
            before: Some(plain.link.into()),
        }),
        look_at: Some(at(6000)),
        looks: 2,
        missing_since: Some(at(7000)),
        seen: Some("seen".to_owned()),
        ..connection("g", "n")
    }
}

#[tokio::test]
async fn a_connection_is_read_as_it_was_written() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let trouble = Trouble { tested: true, ..Trouble::default() };
    let broken = known(State::Broken, Some(trouble.clone()));
    keep(&scene, &broken).await?;
    let read = async || Outcome::Ok(scene.a.connection(&broken.key).await?.ok_or("it is not there")?);
    assert_eq!(read().await?.connection, broken);
    scene.run("UPDATE connection SET trouble = 'of a later version'").await?;
    assert_eq!(read().await?.connection.link.trouble, Some(Trouble::default()));
    // The release before leaves trouble behind that is none any more.
    Judged::by(&known(State::Connected, Some(trouble)), 1).write(&scene.a).await?;
    assert_eq!(read().await?.connection, known(State::Connected, None));
    // Each of these is of a version that knows more.
    for odd in ["state = 'odd'", "request = '{}'", "posting = '{}'"] {
        let sql: &'static str = Box::leak(format!("UPDATE connection SET {odd}").into_boxed_str());
        keep(&scene, &connection("g", "before")).await?;
        scene.run(sql).await?;
        let unreadable = scene.a.connection(&broken.key).await;
        assert!(
            matches!(&unreadable, Err(StoreError::Unreadable(id)) if *id == broken.link.id),
            "{odd}: {unreadable:?}"
        );
        scene.run("DELETE FROM connection").await?;
        keep(&scene, &broken).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_link_before_the_newest_leads_to_its_connection_too() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let newest = connection("g", "n");
    post(&scene, &newest, "1.1").await?;
    let request = serde_json::to_string(&Work::Connect(newest.link.request.clone()))?;
    let first = NewCommand { request, ..command("first", "first", "first") };
    let deadline = Instant::now() + Duration::from_secs(60);
    assert!(matches!(scene.a.accept(first, deadline).await?, Accepted::Committed(_)));
    let _odd = accept(&scene.a, "odd").await?;
    let found = async |link| -> Outcome<Option<Key>> {
        Ok(scene.a.connection_of_any_link(link).await?.map(|stored| stored.connection.key))
    };
    assert_eq!(found("g_n").await?.as_ref(), Some(&newest.key));
    assert_eq!(found("first").await?.as_ref(), Some(&newest.key), "by the command that posted it");
    assert_eq!((found("odd").await?, found("none").await?), (None, None));
    Ok(())
}
