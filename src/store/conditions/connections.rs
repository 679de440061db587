//! Scenarios of connections: whose word about one counts, and which of them are found.
//!
//! Owns the orders in which a version, or a command's fence, matters to a connection.

use super::super::{KEEP, LastList, MessageWrite, Recorded, Store, Sweep, Watched, Written};
use super::scene::{
    Judged, Outcome, Scene, accept, at, connection, delivering, intend, keep, place, post, same, take,
};
use crate::journal::{Ending, Progress, Stage, Then};
use crate::life::{Connection, Posting, State};
use crate::work::Key;

const VERSIONS: &str =
    "SELECT group_id || '_' || name || ' ' || version || ' ' || generation FROM connection ORDER BY 1";

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| format!("{}_{}", key.group_id, key.name)).collect()
}

/// The same, but for something.
pub(super) fn but(mut connection: Connection, change: impl FnOnce(&mut Connection)) -> Connection {
    change(&mut connection);
    connection
}

pub(super) fn in_state(group_id: &str, name: &str, state: State) -> Connection {
    but(connection(group_id, name), |it| it.link.state = state)
}

pub(super) async fn who_judged_by_an_old_version_changes_nothing(scene: &Scene) -> Outcome {
    for (group_id, name) in [("g", "n"), ("g", "other"), ("other", "n")] {
        keep(scene, &connection(group_id, name)).await?;
    }
    let next = but(connection("g", "n"), |it| it.generation = 2);
    let last = but(connection("g", "n"), |it| it.generation = 3);
    same!(Judged::by(&next, 0).write(&scene.b).await?, Written::Conflict);
    same!(Judged::by(&next, 1).write(&scene.a).await?, Written::Committed);
    same!(Judged::by(&last, 1).write(&scene.b).await?, Written::Conflict);
    same!(scene.ask(VERSIONS).await?, "g_n 2 2,g_other 1 1,other_n 1 1");
    // What was purged meanwhile does not come back.
    scene.run("DELETE FROM connection WHERE group_id = 'g' AND name = 'n'").await?;
    same!(Judged::by(&last, 2).write(&scene.b).await?, Written::Conflict);
    scene.run("DELETE FROM connection WHERE group_id = 'other'").await?;
    same!(Judged::by(&last, 2).write(&scene.b).await?, Written::Conflict);
    keep(scene, &connection("other", "n")).await?;
    scene.run("DELETE FROM connection WHERE group_id = 'g'").await?;
    same!(Judged::by(&last, 2).write(&scene.b).await?, Written::Conflict);
    same!(scene.ask(VERSIONS).await?, "other_n 1 1");
    Ok(())
}

pub(super) async fn a_command_that_is_not_ours_moves_no_connection(scene: &Scene) -> Outcome {
    keep(scene, &connection("g", "n")).await?;
    let next = but(connection("g", "n"), |it| it.generation = 2);
    let (first, _other) = (accept(&scene.a, "x").await?, accept(&scene.a, "y").await?);
    scene.run("UPDATE command SET lease_until = 1 WHERE id = 'x'").await?;
    let second = take(&scene.b, 5000).await?;
    let late = Judged { held: Some(&first), then: Some(Then::GoOn), ..Judged::by(&next, 1) };
    same!(late.write(&scene.a).await?, Written::LeaseLost);
    same!(scene.ask(VERSIONS).await?, "g_n 1 1");
    let held = Judged { held: Some(&second), then: Some(Then::GoOn), ..Judged::by(&next, 1) };
    same!(held.write(&scene.b).await?, Written::Committed);
    same!(scene.ask("SELECT stage FROM command ORDER BY id").await?, "deliver,create");
    let over = Progress::of(Stage::Create.over(Ending::Told));
    same!(scene.b.record(&second, &over, Then::End(at(6000))).await, Recorded::Committed);
    let ended = Judged { held: Some(&second), ..Judged::by(&next, 2) };
    same!(ended.write(&scene.b).await?, Written::LeaseLost);
    same!(scene.ask(VERSIONS).await?, "g_n 2 2");
    same!(scene.ask("SELECT stage FROM command ORDER BY id").await?, "told,create");
    Ok(())
}

pub(super) async fn a_connection_is_found_by_what_names_it(scene: &Scene) -> Outcome {
    let newer = but(connection("new", "n"), |it| {
        it.link.posted_at = at(2000);
        it.link.id = "g_n".to_owned();
    });
    let unposted = but(in_state("no", "n", State::Unposted), |it| it.link.posted_at = at(9000));
    let elsewhere = but(connection("away", "n"), |it| {
        it.link.channel_id = "D".to_owned();
        it.link.posted_at = at(8000);
    });
    let abroad = but(connection("abroad", "n"), |it| {
        it.link.team_id = "S".to_owned();
        it.link.posted_at = at(8000);
    });
    let other = but(connection("g", "other"), |it| it.link.posted_at = at(8000));
    for it in [connection("g", "n"), newer, unposted, elsewhere, abroad, other] {
        keep(scene, &it).await?;
    }
    for (group_id, name) in [("g", "n"), ("g", "other"), ("new", "n"), ("away", "n")] {
        let key = Key { group_id: group_id.to_owned(), name: name.to_owned() };
        same!(scene.a.connection(&key).await?.map(|stored| stored.connection.key), Some(key));
    }
    let none = Key { group_id: "new".to_owned(), name: "other".to_owned() };
    same!(scene.a.connection(&none).await?.is_none(), true);
    let group = |stored: Option<super::super::Stored>| stored.map(|stored| stored.connection.key.group_id);
    same!(group(scene.a.connection_of_link("g_n").await?).as_deref(), Some("new"));
    same!(group(scene.a.connection_of_link("away_n").await?).as_deref(), Some("away"));
    same!(group(scene.a.connection_of_link("none").await?), None);
    same!(group(scene.a.connection_of_schema("T", "C", "n").await?).as_deref(), Some("new"));
    same!(group(scene.a.connection_of_schema("E", "C", "n").await?).as_deref(), Some("abroad"));
    Ok(())
}

pub(super) async fn a_channel_lists_its_own_most_urgent_first(scene: &Scene) -> Outcome {
    let expiring = |name, ms| but(connection("g", name), |it| it.link.expires_at = at(ms));
    for it in [
        in_state("g", "d_connected", State::Connected),
        expiring("b_waiting", 200_000),
        expiring("c_waiting", 100_000),
        in_state("g", "z_broken", State::Broken),
        in_state("g", "a_gone", State::Gone),
        but(in_state("g", "away", State::Broken), |it| it.link.channel_id = "D".to_owned()),
        but(in_state("g", "abroad", State::Broken), |it| it.link.team_id = "S".to_owned()),
    ] {
        keep(scene, &it).await?;
    }
    let list = async |skip, limit| -> Outcome<Vec<String>> {
        let links = scene.a.links_of_channel("T", "C", skip, limit).await?;
        Ok(links.into_iter().map(|link| link.id).collect())
    };
    let all = ["g_z_broken", "g_c_waiting", "g_b_waiting", "g_d_connected"];
    same!(list(0, 9).await?, all);
    same!(list(1, 2).await?, all[1..3]);
    same!(scene.a.count_links_of_channel("T", "C", 99).await?, 4);
    same!(scene.a.count_links_of_channel("T", "C", 3).await?, 3);
    // An organisation may be of every workspace, and the reverse; another organisation is none of it.
    same!(scene.a.count_links_of_channel("E", "C", 99).await?, 5);
    same!(scene.a.links_of_channel("E", "C", 0, 9).await?.len(), 5);
    scene.run("UPDATE connection SET team_id = 'E1' WHERE team_id = 'T'").await?;
    same!(scene.a.count_links_of_channel("E2", "C", 99).await?, 1);
    same!(scene.a.links_of_channel("E2", "C", 0, 9).await?.len(), 1);
    same!(list(0, 9).await?, all);
    Ok(())
}

pub(super) async fn a_group_is_searched_for_those_that_are_watched(scene: &Scene) -> Outcome {
    for it in [
        connection("g", "c"),
        connection("g", "a"),
        connection("g", "b"),
        in_state("g", "bb", State::Cancelled),
        connection("h", "bbb"),
    ] {
        keep(scene, &it).await?;
    }
    scene.run("UPDATE connection SET watch_until = 5000 WHERE name = 'c'").await?;
    let watched = async |now, after, limit| Outcome::Ok(scene.a.watched("g", at(now), after, limit).await?);
    let names = |watched: &[Watched]| watched.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let all = watched(4999, None, 9).await?;
    same!(names(&all), ["c", "a", "b"]);
    same!(names(&watched(5001, None, 9).await?), ["a", "b"]);
    same!(names(&watched(4999, all.first(), 9).await?), ["a", "b"]);
    same!(names(&watched(4999, all.get(1), 9).await?), ["b"]);
    same!(names(&watched(4999, None, 1).await?), ["c"]);
    Ok(())
}

pub(super) async fn a_look_is_taken_once_and_when_it_is_due(scene: &Scene) -> Outcome {
    for (name, look) in [("late", Some(3000)), ("second", Some(2000)), ("first", Some(1000)), ("never", None)]
    {
        let look = look.map(at);
        keep(scene, &but(connection("g", name), |it| it.look_at = look)).await?;
    }
    let looks = async |store: &Store, now, limit| -> Outcome<Vec<String>> {
        Ok(names(&store.claim_looks(at(now), at(10_000), limit).await?))
    };
    same!(looks(&scene.a, 999, 9).await?, [""; 0]);
    same!(looks(&scene.a, 2999, 1).await?, ["g_first"]);
    same!(looks(&scene.b, 2999, 9).await?, ["g_second"]);
    same!(looks(&scene.b, 2999, 9).await?, [""; 0]);
    same!(looks(&scene.b, 10_000, 9).await?.len(), 3);
    Ok(())
}

pub(super) async fn a_moment_that_has_passed_is_seen(scene: &Scene) -> Outcome {
    for (name, ms) in [("late", 3000), ("second", 2000), ("first", 1000)] {
        keep(scene, &but(connection("g", name), |it| it.link.expires_at = at(ms))).await?;
    }
    same!(names(&scene.a.ticked(at(999), 9).await?), [""; 0]);
    same!(names(&scene.a.ticked(at(2999), 9).await?), ["g_first", "g_second"]);
    same!(names(&scene.a.ticked(at(2999), 1).await?), ["g_first"]);
    Ok(())
}

pub(super) async fn the_missing_are_those_not_believed_to_be_gone(scene: &Scene) -> Outcome {
    for (name, state, missing) in [
        ("here", State::Waiting, false),
        ("missing", State::Waiting, true),
        ("missing_too", State::Connected, true),
        ("gone", State::Gone, true),
    ] {
        let missing_since = missing.then(|| at(1000));
        keep(scene, &but(in_state("g", name, state), |it| it.missing_since = missing_since)).await?;
    }
    same!(scene.a.missing(9).await?, 2);
    same!(scene.a.missing(1).await?, 1);
    Ok(())
}

pub(super) async fn a_group_is_listed_by_one_process_at_a_time(scene: &Scene) -> Outcome {
    const ROWS: &str = "SELECT group_id || ' ' || coalesce(next_at, '-') || ' ' || pages || ' ' || fence || ' ' \
                        || (lease_until > 0) FROM sweep ORDER BY 1";
    keep(scene, &connection("g", "n")).await?;
    // Listed from its first link on, whatever else is posted in it.
    let later = Judged { now: 5000, ..Judged::by(&connection("g", "other"), 0) }.write(&scene.a).await?;
    same!(later, Written::Committed);
    let one = async |store: &Store, now| -> Outcome<Option<Sweep>> {
        Ok(store.claim_sweeps(at(now), 1).await?.pop())
    };
    same!(one(&scene.a, 20_999).await?.is_none(), true);
    let mut first = one(&scene.a, 21_000).await?.ok_or("not due")?;
    same!(one(&scene.b, 21_000).await?.is_none(), true);
    scene.run("UPDATE sweep SET lease_until = 1").await?;
    let mut second = one(&scene.b, 21_000).await?.ok_or("not free")?;
    same!(
        Judged { now: 2000, ..Judged::by(&connection("h", "n"), 0) }.write(&scene.a).await?,
        Written::Committed
    );
    scene.run("UPDATE sweep SET fence = 2 WHERE group_id = 'h'").await?;
    (first.pages, second.pages) = (7, 3);
    same!(scene.a.record_sweep(&first, None, at(0)).await?, Recorded::LeaseLost);
    same!(scene.ask(ROWS).await?, "g 21000 1 2 1,h 22000 1 2 0");
    same!(scene.b.record_sweep(&second, Some(at(30_000)), at(1)).await?, Recorded::Committed);
    same!(scene.ask(ROWS).await?, "g 30000 3 2 0,h 22000 1 2 0");
    same!(scene.a.sweep_pages().await?, 4);
    // The one that is due longest comes first, and as many as were asked for.
    same!(one(&scene.a, 40_000).await?.map(|it| it.group_id).as_deref(), Some("h"));
    let last = one(&scene.b, 40_000).await?.ok_or("not due")?;
    scene.a.release().await?;
    same!(scene.ask(ROWS).await?, "g 30000 3 3 1,h 22000 1 3 0");
    // A link was posted in it ten minutes ago, as it counts, or a moment longer.
    const NEXT: &str = "SELECT coalesce(CAST(next_at AS TEXT), '-') FROM sweep WHERE group_id = 'g'";
    same!(scene.b.record_sweep(&last, None, at(624_999)).await?, Recorded::Committed);
    same!(scene.ask(NEXT).await?, "654999");
    same!(scene.b.record_sweep(&last, None, at(625_000)).await?, Recorded::Committed);
    same!(scene.ask(NEXT).await?, "-");
    same!(scene.a.sweep_pages().await?, 1);
    let again = Judged { now: 60_000, ..Judged::by(&connection("g", "more"), 0) }.write(&scene.a).await?;
    same!(again, Written::Committed);
    same!(scene.ask(NEXT).await?, "80000");
    Ok(())
}

pub(super) async fn a_group_that_is_watched_whole_is_listed_and_waits_no_shorter(scene: &Scene) -> Outcome {
    const ROWS: &str =
        "SELECT group_id || ' ' || coalesce(next_at, '-') || ' ' || posted_at FROM sweep ORDER BY 1";
    keep(scene, &connection("g", "n")).await?;
    same!(scene.ask(ROWS).await?, "g 21000 21000");
    let groups = ["g", "h"].map(str::to_owned).into();
    scene.a.want_lists(&groups, at(50_000)).await?;
    same!(scene.ask(ROWS).await?, "g 21000 21000,h 50000 50000");
    scene.run("UPDATE sweep SET next_at = NULL").await?;
    scene.b.want_lists(&groups, at(60_000)).await?;
    same!(scene.ask(ROWS).await?, "g 60000 60000,h 60000 60000");
    Ok(())
}

pub(super) async fn a_group_knows_when_it_was_listed_last(scene: &Scene) -> Outcome {
    keep(scene, &connection("g", "n")).await?;
    let before = async || -> Outcome<Option<i64>> {
        Ok(scene.a.census(at(1)).await?.listed_before.map(|at| at.as_millisecond()))
    };
    // Of one that never was listed, when a link was posted in it, however often that fails.
    let never = LastList::Never { wanted: Some(at(21_000)) };
    same!((before().await?, scene.a.listed("g").await?), (Some(21_000), Some(never)));
    let sweep = scene.a.claim_sweeps(at(21_000), 1).await?.pop().ok_or("not due")?;
    same!(scene.a.record_sweep(&sweep, Some(at(31_000)), at(22_000)).await?, Recorded::Committed);
    same!((before().await?, scene.a.listed("g").await?), (Some(21_000), Some(never)));
    let mut sweep = scene.a.claim_sweeps(at(31_000), 1).await?.pop().ok_or("not due")?;
    sweep.listed_at = Some(at(22_000));
    same!(scene.a.record_sweep(&sweep, Some(at(52_000)), at(22_000)).await?, Recorded::Committed);
    same!((before().await?, scene.a.listed("g").await?), (Some(22_000), Some(LastList::At(at(22_000)))));
    same!(scene.a.listed("h").await?, None);
    let sweep = scene.a.claim_sweeps(at(52_000), 1).await?.pop().ok_or("not due")?;
    same!(sweep.listed_at, Some(at(22_000)));
    // Nothing in it is watched any more.
    same!(scene.a.record_sweep(&sweep, None, at(700_000)).await?, Recorded::Committed);
    same!((before().await?, scene.a.listed("g").await?), (None, None));
    Ok(())
}

pub(super) async fn what_is_over_is_forgotten_and_nothing_else(scene: &Scene) -> Outcome {
    let posting = Posting { command: "x".to_owned(), unclear: true, in_place: false, before: None };
    let young = but(in_state("g", "young", State::Cancelled), |it| it.link.changed_at = at(1001));
    let maybe = but(in_state("g", "maybe", State::Unposted), |it| it.posting = Some(posting));
    for it in [
        in_state("g", "cancelled", State::Cancelled),
        in_state("g", "unposted", State::Unposted),
        in_state("g", "replaced", State::Replaced),
        young,
        maybe,
    ] {
        keep(scene, &it).await?;
    }
    for name in ["old", "due", "shows", "new"] {
        intend(scene, &in_state("m", name, State::Replaced)).await?;
    }
    scene.run("UPDATE connection SET message = 'm_shows' WHERE group_id = 'm'").await?;
    scene.run("UPDATE message SET due = 5 WHERE name = 'due'").await?;
    scene.run("UPDATE message SET left_at = 1000 + (name = 'new')").await?;
    scene.run("INSERT INTO news VALUES ('old', 'm', '', 1000), ('new', 'm', '', 1001)").await?;
    same!(scene.a.purge(at(1001) + KEEP).await?, 4);
    let left = "SELECT name FROM connection WHERE group_id = 'g' ORDER BY 1";
    same!(scene.ask(left).await?, "maybe,replaced,young");
    same!(scene.ask("SELECT id FROM message ORDER BY 1").await?, "m_due,m_new,m_shows");
    same!(scene.ask("SELECT id FROM news").await?, "new");
    Ok(())
}

pub(super) async fn a_link_that_is_taken_over_stays_so_until_it_is_touched(scene: &Scene) -> Outcome {
    scene
        .run("INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, state, \
              posted_at, expires_at, changed_at, check_at) VALUES \
              ('b', '', '', '', '', '', '', '', 2, 0, 0, 7), ('a', '', '', '', '', '', '', '', 1, 0, 0, 7)")
        .await?;
    let left = || scene.with(scene.sql.connections.links_left, 9);
    same!(left().await?, ["a", "b"]);
    same!(scene.with(scene.sql.connections.links_left, 1).await?, ["a"]);
    // Touched by an older release between being read and being marked.
    scene.run("UPDATE link SET fence = 1 WHERE id = 'b'").await?;
    let marks = r#"[{"id":"a","fence":0},{"id":"b","fence":0}]"#;
    scene.with(scene.sql.connections.links_taken, marks).await?;
    same!(left().await?, ["b"]);
    same!(scene.ask("SELECT id FROM link WHERE check_at IS NULL").await?, "a");
    scene.run("UPDATE link SET taken = -1, fence = 0").await?;
    scene.with(scene.sql.connections.links_taken, r#"[{"id":"a","fence":0}]"#).await?;
    same!(left().await?, ["b"]);
    Ok(())
}

pub(super) async fn a_connection_knows_whether_its_message_is_behind(scene: &Scene) -> Outcome {
    let behind = async |name: &str| -> Outcome<(bool, bool)> {
        let key = Key { group_id: "g".to_owned(), name: name.to_owned() };
        let stored = scene.a.connection(&key).await?.ok_or("none")?;
        Ok((stored.behind, stored.connection.link.message.is_some()))
    };
    keep(scene, &connection("g", "without")).await?;
    post(scene, &connection("g", "posted"), "1.1").await?;
    intend(scene, &connection("g", "unposted")).await?;
    same!(behind("without").await?, (false, false));
    same!(behind("posted").await?, (false, true));
    for (name, version) in [("posted", 2), ("unposted", 1)] {
        let id = format!("g_{name}");
        let it = connection("g", name);
        let shows = Judged { show: &[&id], ..Judged::by(&it, version) };
        same!(shows.write(&scene.a).await?, Written::Committed);
    }
    same!(behind("posted").await?, (true, true));
    same!(behind("unposted").await?, (false, false));
    Ok(())
}

pub(super) async fn what_is_posted_ends_its_command_in_one_commit(scene: &Scene) -> Outcome {
    let held = accept(&scene.a, "x").await?;
    let (it, there) = (connection("g", "n"), place("1.1"));
    intend(scene, &it).await?;
    let posted = Judged {
        held: Some(&held),
        then: Some(Then::End(at(2000))),
        message: MessageWrite::Placed(Some(&there)),
        ..Judged::by(&it, 1)
    };
    same!(posted.write(&scene.a).await?, Written::Committed);
    same!(scene.ask("SELECT stage || ' ' || ended_at FROM command").await?, "deliver 2000");
    same!(scene.messages().await?, "g_n C/1.1 1 of 1 due - tries 0");
    same!(scene.a.record(&held, &delivering(), Then::GoOn).await, Recorded::LeaseLost);
    Ok(())
}
