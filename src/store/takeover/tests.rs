//! What the release before has kept, and as what it is taken over.

use super::*;
use crate::store::conditions::scene::{self, Outcome, Scene, at, keep};
use crate::store::statements;

fn link(id: &str, state: State, posted_at: i64) -> Link {
    let mut link = scene::connection("g", "acme").link;
    (link.id, link.state) = (id.to_owned(), state);
    link.posted_at = Timestamp::from_second(posted_at).unwrap();
    link
}

/// Of several links of one connection one is taken for its own, whichever is come by first.
#[test]
fn a_connections_link_is_the_one_that_stands_or_was_posted_last() {
    use State::{Replaced, Waiting};
    let (old, new) = (1, 2);
    for (one, other, goes_before) in [
        (("a", Waiting, new), ("b", Waiting, old), true),
        (("a", Waiting, old), ("b", Waiting, new), false),
        (("a", Waiting, new), ("b", Waiting, new), false),
        (("a", Waiting, old), ("b", Replaced, new), true),
        (("a", Replaced, new), ("b", Waiting, old), false),
        (("a", Replaced, new), ("b", Replaced, old), true),
        (("a", Replaced, old), ("b", Replaced, new), false),
        // The same link again.
        (("a", Waiting, old), ("a", Waiting, new), true),
        (("a", Replaced, old), ("a", Waiting, new), true),
    ] {
        let row = |(id, state, posted_at)| link(id, state, posted_at);
        let old = Old { link: row(one), stale: false };
        assert_eq!(old.goes_before(&row(other)), goes_before, "{one:?} {other:?}");
    }
}

#[test]
fn a_message_is_behind_once_a_release_that_was_rolled_back_has_touched_it() {
    for (stale, state, wanted, due, left) in [
        (false, State::Waiting, 1, None, false),
        (true, State::Waiting, 2, Some(0), false),
        (false, State::Replaced, 1, None, true),
    ] {
        let mut old = Old { link: link("a", state, 1), stale };
        assert_eq!(old.message(), None, "it cannot be edited");
        old.link.message = Some(scene::place("7"));
        let row = old.message().unwrap();
        assert_eq!((row["wanted"].as_i64(), row["due"].as_i64()), (Some(wanted), due));
        assert_eq!(row["left_at"].is_null(), !left);
        assert_eq!((row["place_channel"].as_str(), row["place_ts"].as_str()), (Some("C"), Some("7")));
    }
}

/// A row of the release before, as it stands in its table.
async fn keep_old(scene: &Scene, id: &str, name: &str, state: State, posted_at: i64, stale: bool) -> Outcome {
    let request = serde_json::to_string(&scene::connection("g", name).link.request)?;
    let sql = format!(
        "INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, message_channel, \
         message_ts, state, made_over, detail, posted_at, expires_at, changed_at, reminded, stale, check_at) VALUES \
         ('{id}', 'conn_{id}', 'T', 'C', 'U', '{request}', '{name}', 'C', 'ts_{id}', '{}', 'connected', 'detail', \
         {posted_at}, 5000, 6000, 1, {stale}, 7)",
        state.name()
    );
    scene.run(Box::leak(sql.into_boxed_str())).await
}

#[tokio::test]
async fn a_link_is_taken_over_with_all_that_is_known_of_it() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    keep_old(&scene, "a", "n", State::Broken, 3000, true).await?;
    // One that no version has written.
    scene
        .run(
            "INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, state, \
             posted_at, expires_at, changed_at) VALUES ('odd', '', '', '', '', '{}', '', 'waiting', 1, 1, 1)",
        )
        .await?;
    assert_eq!(scene.a.take_links_over(at(9000)).await?, 2);
    assert_eq!(scene.a.take_links_over(at(9000)).await?, 0, "they were taken over");
    let stands = scene.a.connection_of_link("a").await?.ok_or("it is there")?;
    let expected = Connection {
        generation: 1,
        link: Link {
            state: State::Broken,
            purpose: Some(Purpose::Reauthorise),
            detail: Some("detail".to_owned()),
            message: Some(Place { channel: "C".to_owned(), ts: "ts_a".to_owned() }),
            message_id: "a".to_owned(),
            connection_id: "conn_a".to_owned(),
            reminded: reminded(1),
            changed_at: at(6000),
            ..Link { expires_at: at(5000), ..link_at("a", 3000) }
        },
        ..scene::connection("g", "n")
    };
    assert_eq!(stands.connection, expected);
    assert!(stands.behind, "a release that was rolled back has touched it");
    assert_eq!(scene.ask("SELECT name FROM connection").await?, "n");
    Ok(())
}

fn link_at(id: &str, ms: i64) -> Link {
    Link { id: id.to_owned(), posted_at: at(ms), ..scene::connection("g", "n").link }
}

/// Of several links of one connection, whichever is come by first, the one that stands is its own, and whatever else
/// may still be on show is brought to what is so.
#[tokio::test]
async fn of_several_links_one_is_taken_over_and_the_others_messages_are_looked_after() -> Outcome {
    const BEHIND: &str = "SELECT id FROM message WHERE due IS NOT NULL ORDER BY id";
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    for (olds, taken, generation, behind) in [
        // The one that was posted later shows, and the one that gave way to it is hidden.
        (vec![("a", State::Waiting, 1, false), ("b", State::Waiting, 2, false)], "b", 2, "a"),
        (vec![("a", State::Waiting, 1, false), ("b", State::Waiting, 2, true)], "b", 2, "a,b"),
        // What was replaced shows no link any more.
        (vec![("a", State::Replaced, 1, false), ("b", State::Waiting, 2, false)], "b", 2, ""),
        (vec![("a", State::Replaced, 1, true), ("b", State::Waiting, 2, false)], "b", 2, "a"),
        // One that comes to light later and goes before nothing may be on show all the same, unless it is over.
        (vec![("a", State::Waiting, 1, false), ("b", State::Cancelled, 2, false)], "b", 2, "a"),
        (vec![("a", State::Waiting, 1, false), ("b", State::Replaced, 2, false)], "a", 1, ""),
        (vec![("a", State::Waiting, 1, false), ("b", State::Replaced, 2, true)], "a", 1, "b"),
    ] {
        for table in ["DELETE FROM link", "DELETE FROM connection", "DELETE FROM message"] {
            scene.run(table).await?;
        }
        let what = format!("{olds:?}");
        for (id, state, posted_at, stale) in olds {
            keep_old(&scene, id, "n", state, posted_at, stale).await?;
            assert_eq!(scene.a.take_links_over(at(9000)).await?, 1);
        }
        let stands = scene.a.connection(&scene::connection("g", "n").key).await?.ok_or("it is there")?;
        assert_eq!(
            (stands.connection.link.id.as_str(), stands.connection.generation),
            (taken, generation),
            "{what}"
        );
        assert_eq!(scene.ask(BEHIND).await?, behind, "{what}");
    }
    Ok(())
}

/// A link that this release has posted since goes before one that comes to light, which may still be on show.
#[tokio::test]
async fn a_link_that_comes_to_light_is_hidden_behind_a_newer_one() -> Outcome {
    let (db, _folder) = Scene::database().await;
    let scene = Scene::new(&db, &statements::SQLITE).await;
    let mut newer = scene::connection("g", "n");
    newer.link.posted_at = at(5000);
    keep(&scene, &newer).await?;
    for (id, state, stale) in
        [("works", State::Waiting, false), ("over", State::Cancelled, false), ("touched", State::Gone, true)]
    {
        keep_old(&scene, id, "n", state, 1000, stale).await?;
    }
    assert_eq!(scene.a.take_links_over(at(9000)).await?, 3);
    let stands = scene.a.connection(&newer.key).await?.ok_or("it is there")?;
    assert_eq!((&stands.connection.link.id, stands.version), (&newer.link.id, 1), "nothing was changed");
    let due = "SELECT id || ' ' || due FROM message WHERE due IS NOT NULL ORDER BY id";
    assert_eq!(scene.ask(due).await?, "touched 9000,works 9000");
    Ok(())
}
