//! Scenarios of messages: who edits one, what it shows afterwards, and what comes too late.
//!
//! Owns the orders in which a lease or a fence of a message matters.

use super::super::{Brought, ClaimedMessage, MessageWrite, Recorded, Store, Written};
use super::scene::{Judged, Outcome, Scene, at, connection, intend, keep, place, post, same};
use crate::life::{News, State};

async fn due(store: &Store, now: i64) -> Outcome<Vec<ClaimedMessage>> {
    Ok(store.claim_messages(at(now), 9).await?)
}

async fn take(store: &Store, id: &str) -> Outcome<ClaimedMessage> {
    Ok(store.claim_message(id).await?.ok_or("somebody has it")?)
}

fn ids(claimed: &[ClaimedMessage]) -> Vec<&str> {
    claimed.iter().map(|message| message.id.as_str()).collect()
}

/// Changes what a message should show, by its connection `g n`.
async fn show(scene: &Scene, version: i64, now: i64) -> Outcome {
    let it = connection("g", "n");
    let shows = Judged { show: &["g_n"], now, ..Judged::by(&it, version) };
    same!(shows.write(&scene.a).await?, Written::Committed);
    Ok(())
}

/// Writes what becomes known of the message of `g n`.
async fn write(scene: &Scene, version: i64, message: MessageWrite<'_>, now: i64) -> Outcome {
    let it = connection("g", "n");
    let judged = Judged { message, now, ..Judged::by(&it, version) };
    same!(judged.write(&scene.a).await?, Written::Committed);
    Ok(())
}

pub(super) async fn a_message_is_edited_by_one_process_at_a_time(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "other"), "1.2").await?;
    show(scene, 2, 5000).await?;
    same!(ids(&due(&scene.a, 4999).await?), [""; 0]);
    let first = due(&scene.a, 5000).await?.pop().ok_or("not due")?;
    same!(due(&scene.b, 5000).await?.len(), 0);
    same!(scene.b.claim_message("g_n").await?.is_none(), true);
    scene.run("UPDATE message SET lease_until = 1 WHERE id = 'g_n'").await?;
    let second = take(&scene.b, "g_n").await?;
    same!(scene.a.claim_message("g_n").await?.is_none(), true);
    same!(due(&scene.a, 5000).await?.len(), 0);
    scene.run("UPDATE message SET fence = 2 WHERE id = 'g_other'").await?;
    same!(scene.a.record_message(&first, Brought::Shown, at(6000)).await?, Recorded::LeaseLost);
    let before = "g_n C/1.1 1 of 2 due 5000 tries 0 leased,g_other C/1.2 1 of 1 due - tries 0";
    same!(scene.messages().await?, before);
    same!(scene.b.record_message(&second, Brought::Shown, at(6000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 2 of 2 due - tries 0,g_other C/1.2 1 of 1 due - tries 0");
    // By its next fence a message is due again: the one that was due is nobody's any more.
    scene.run("UPDATE message SET due = 7000 WHERE id = 'g_n'").await?;
    scene.run("UPDATE message SET due = 6000 WHERE id = 'g_other'").await?;
    same!(ids(&scene.a.claim_messages(at(7000), 1).await?), ["g_other"]);
    scene.run("UPDATE message SET lease_until = 1 WHERE lease_until > 0").await?;
    same!(due(&scene.b, 7000).await?.iter().map(|it| it.fence).collect::<Vec<_>>(), [3, 4]);
    Ok(())
}

pub(super) async fn what_an_edit_came_to_is_kept(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    show(scene, 2, 2000).await?;
    let held = take(&scene.a, "g_n").await?;
    same!(scene.a.record_message(&held, Brought::Again(at(9000)), at(3000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 1 of 2 due 9000 tries 1");
    // One that may still be on its way keeps everybody else away, for as long as that.
    let held = take(&scene.a, "g_n").await?;
    same!(scene.a.record_message(&held, Brought::Unanswered(at(9000)), at(3000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 1 of 2 due 9000 tries 2 leased");
    same!(scene.a.claim_message("g_n").await?.is_none(), true);
    same!(due(&scene.b, 9000).await?.len(), 0);
    let soon = "SELECT id FROM message WHERE lease_until \
                BETWEEN 1 AND CAST(unixepoch('subsec') * 1000 AS INTEGER) + 10000";
    same!(scene.ask(soon).await?, "g_n");
    scene.run("UPDATE message SET lease_until = 0, tries = 1").await?;
    // Something else was wanted meanwhile.
    let held = take(&scene.a, "g_n").await?;
    show(scene, 3, 4000).await?;
    same!(scene.a.record_message(&held, Brought::Again(at(9000)), at(4500)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 1 of 3 due 9000 tries 2");
    let held = take(&scene.a, "g_n").await?;
    show(scene, 4, 4000).await?;
    same!(scene.a.record_message(&held, Brought::Shown, at(5000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 3 of 4 due 4000 tries 0");
    let held = take(&scene.a, "g_n").await?;
    scene.a.disturb_message("g_n", at(4000)).await?;
    same!(scene.a.record_message(&held, Brought::Shown, at(5000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 4 of 5 due 5000 tries 0");
    // Somebody is to be told meanwhile, within the same millisecond even.
    let held = take(&scene.a, "g_n").await?;
    let it = connection("g", "n");
    let tells = Judged { news: Some(News::Broken), now: 5000, ..Judged::by(&it, 5) };
    same!(tells.write(&scene.a).await?, Written::Committed);
    same!(scene.a.record_message(&held, Brought::Shown, at(6000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 5 of 5 due 5001 tries 0");
    let held = take(&scene.a, "g_n").await?;
    same!(scene.a.record_message(&held, Brought::Shown, at(6000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 5 of 5 due - tries 0");
    scene.a.disturb_message("g_n", at(7000)).await?;
    let held = take(&scene.a, "g_n").await?;
    scene.a.disturb_message("g_n", at(7000)).await?;
    same!(scene.a.record_message(&held, Brought::OutOfReach, at(8000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n -/- 6 of 7 due - tries 0");
    Ok(())
}

pub(super) async fn a_message_that_comes_to_stand_is_due_only_if_it_is_behind(scene: &Scene) -> Outcome {
    intend(scene, &connection("g", "n")).await?;
    intend(scene, &connection("g", "other")).await?;
    // It stands nowhere yet, so nobody can be told anything there.
    let it = connection("g", "other");
    let tells = Judged { news: Some(News::Gone), now: 500, ..Judged::by(&it, 1) };
    same!(tells.write(&scene.a).await?, Written::Committed);
    // The same message may be announced again.
    write(scene, 1, MessageWrite::New, 1000).await?;
    let held = take(&scene.b, "g_n").await?;
    let there = place("1.1");
    write(scene, 2, MessageWrite::Placed(Some(&there)), 2000).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 1 due - tries 0 leased,g_other -/- 1 of 1 due - tries 0");
    same!(scene.b.record_message(&held, Brought::OutOfReach, at(3000)).await?, Recorded::Committed);
    // What is nowhere cannot be brought to anything.
    show(scene, 3, 4000).await?;
    write(scene, 4, MessageWrite::Placed(None), 5000).await?;
    same!(scene.messages().await?, "g_n -/- 1 of 2 due - tries 0,g_other -/- 1 of 1 due - tries 0");
    write(scene, 5, MessageWrite::Placed(Some(&there)), 6000).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 2 due 6000 tries 0,g_other -/- 1 of 1 due - tries 0");
    // Where somebody is still to be told something.
    let elsewhere = place("1.2");
    let placed = MessageWrite::Placed(Some(&elsewhere));
    let stands = Judged { message: placed, now: 8000, ..Judged::by(&it, 2) };
    same!(stands.write(&scene.a).await?, Written::Committed);
    same!(scene.messages().await?, "g_n C/1.1 1 of 2 due 6000 tries 0,g_other C/1.2 1 of 1 due 8000 tries 0");
    Ok(())
}

pub(super) async fn a_link_that_is_put_into_a_message_comes_by_its_lease(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "other"), "1.2").await?;
    scene.run("UPDATE message SET fence = 1 WHERE id = 'g_other'").await?;
    let other = ",g_other C/1.2 1 of 1 due - tries 0";
    let held = take(&scene.a, "g_n").await?;
    write(scene, 2, MessageWrite::Shown(&held), 2000).await?;
    same!(scene.messages().await?, format!("g_n C/1.1 1 of 1 due - tries 0{other}"));
    // It came to stand elsewhere meanwhile, and something else was wanted.
    let held = take(&scene.a, "g_n").await?;
    scene
        .a
        .found_message(
            "g_n",
            &crate::life::Place { channel: "D".to_owned(), ts: "2.2".to_owned() },
            None,
            at(3000),
        )
        .await?;
    same!(scene.messages().await?, format!("g_n D/2.2 1 of 2 due 3000 tries 0 leased{other}"));
    write(scene, 3, MessageWrite::Shown(&held), 4000).await?;
    same!(scene.messages().await?, format!("g_n D/2.2 1 of 2 due 4000 tries 0{other}"));
    let held = take(&scene.a, "g_n").await?;
    write(scene, 4, MessageWrite::Shown(&held), 5000).await?;
    same!(scene.messages().await?, format!("g_n D/2.2 2 of 2 due 4000 tries 0{other}"));
    let held = take(&scene.a, "g_n").await?;
    scene.run("UPDATE message SET due = NULL").await?;
    write(scene, 5, MessageWrite::Untouched(&held), 6000).await?;
    same!(scene.messages().await?, format!("g_n D/2.2 2 of 2 due - tries 0{other}"));
    Ok(())
}

pub(super) async fn a_message_stands_where_it_was_found_first(scene: &Scene) -> Outcome {
    let it = connection("g", "n");
    let due = Judged { message: MessageWrite::Due, now: 1000, ..Judged::by(&it, 0) };
    same!(due.write(&scene.a).await?, Written::Committed);
    let held = take(&scene.a, "g_n").await?;
    scene.b.placed_message("g_n", &place("1.1"), at(2000)).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 3 due 2000 tries 0 leased");
    // Another copy of it, and where whoever posted that has it.
    scene.b.placed_message("g_n", &place("2.2"), at(3000)).await?;
    scene.a.posted_message(&held, Some(&place("3.3")), at(3000)).await?;
    scene.a.posted_message(&held, None, at(3000)).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 3 due 2000 tries 0 leased");
    // Where its link has come to stand, that counts.
    scene.b.found_message("g_n", &place("4.4"), None, at(4000)).await?;
    same!(scene.messages().await?, "g_n C/4.4 1 of 4 due 4000 tries 0 leased");
    Ok(())
}

pub(super) async fn an_edit_that_came_too_late_is_made_good(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    let late = take(&scene.a, "g_n").await?;
    scene.run("UPDATE message SET lease_until = 1").await?;
    let held = take(&scene.b, "g_n").await?;
    // Whoever has it now keeps it, and what the late one shows is not believed.
    let mut claims_more = late.clone();
    claims_more.wanted = 9;
    write(scene, 2, MessageWrite::Shown(&claims_more), 2000).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 2 due 2000 tries 0 leased");
    scene.a.found_message("g_n", &place("9.9"), Some(&late), at(3000)).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 3 due 3000 tries 0 leased");
    same!(scene.b.record_message(&held, Brought::Shown, at(4000)).await?, Recorded::Committed);
    same!(scene.messages().await?, "g_n C/1.1 1 of 3 due 3000 tries 0");
    // One that nobody has waited for, though its lease still held.
    let held = take(&scene.b, "g_n").await?;
    scene.b.found_message("g_n", &place("9.9"), Some(&held), at(5000)).await?;
    same!(scene.messages().await?, "g_n C/1.1 1 of 4 due 5000 tries 0");
    Ok(())
}

pub(super) async fn a_message_knows_since_when_it_shows_no_link(scene: &Scene) -> Outcome {
    const ROWS: &str = "SELECT coalesce(CAST(left_at AS TEXT), '-') FROM message ORDER BY id";
    for (group_id, name) in [("g", "n"), ("g", "other"), ("h", "n")] {
        intend(scene, &connection(group_id, name)).await?;
    }
    same!(scene.ask(ROWS).await?, "-,-,-");
    let mut elsewhere = connection("g", "n");
    elsewhere.link.message_id = "elsewhere".to_owned();
    for (version, now) in [(1, 2000), (2, 3000)] {
        let judged = Judged { now, ..Judged::by(&elsewhere, version) };
        same!(judged.write(&scene.a).await?, Written::Committed);
        same!(scene.ask(ROWS).await?, "2000,-,-");
    }
    write(scene, 3, MessageWrite::None, 4000).await?;
    same!(scene.ask(ROWS).await?, "-,-,-");
    Ok(())
}

pub(super) async fn a_message_knows_since_when_it_is_behind(scene: &Scene) -> Outcome {
    const SINCE: &str = "SELECT coalesce(CAST(behind_since AS TEXT), '-') FROM message WHERE id = 'g_n'";
    // As a release that does not know the column leaves it.
    const OLD: &str = "UPDATE message SET behind_since = 1";
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "told"), "1.2").await?;
    intend(scene, &connection("g", "nowhere")).await?;
    scene.run("UPDATE message SET due = 10 WHERE id = 'g_told'").await?;
    scene.run("UPDATE message SET wanted = 2 WHERE id = 'g_nowhere'").await?;
    let behind = async || -> Outcome<(i64, Option<i64>)> {
        let census = scene.a.census(at(1)).await?;
        Ok((census.behind, census.behind_since.map(|since| since.as_millisecond())))
    };
    same!(behind().await?, (0, None));
    show(scene, 2, 2000).await?;
    show(scene, 3, 3000).await?;
    same!(scene.ask(SINCE).await?, "2000");
    same!(behind().await?, (1, Some(2000)));
    let held = take(&scene.a, "g_n").await?;
    same!(held.behind_since(), Some(at(2000)));
    same!(scene.a.record_message(&held, Brought::Again(at(9000)), at(3000)).await?, Recorded::Committed);
    same!(behind().await?, (1, Some(2000)));
    let held = take(&scene.a, "g_n").await?;
    same!(scene.a.record_message(&held, Brought::Shown, at(3000)).await?, Recorded::Committed);
    same!(scene.ask(SINCE).await?, "-");
    scene.run(OLD).await?;
    same!(take(&scene.b, "g_told").await?.behind_since(), None);
    show(scene, 4, 5000).await?;
    same!(scene.ask(SINCE).await?, "5000");
    scene.a.disturb_message("g_n", at(6000)).await?;
    same!(scene.ask(SINCE).await?, "5000");
    let held = take(&scene.a, "g_n").await?;
    write(scene, 5, MessageWrite::Shown(&held), 7000).await?;
    same!(scene.ask(SINCE).await?, "5000");
    // It shows what it should by now, so what comes to light later is new.
    scene.a.found_message("g_n", &place("9.9"), None, at(8000)).await?;
    same!(scene.ask(SINCE).await?, "-");
    same!(behind().await?, (1, Some(8000)));
    let held = take(&scene.a, "g_n").await?;
    same!(scene.a.record_message(&held, Brought::Shown, at(8000)).await?, Recorded::Committed);
    scene.run(OLD).await?;
    scene.a.disturb_message("g_n", at(9000)).await?;
    same!(scene.ask(SINCE).await?, "-");
    // One that stands nowhere shows nothing untrue, however much has changed: what is told of it for its
    // requester alone is late from then on, and so is what it shows once it is found.
    const NOWHERE: &str = "SELECT coalesce(CAST(behind_since AS TEXT), '-') FROM message WHERE id = 'g_away'";
    let away = connection("g", "away");
    intend(scene, &away).await?;
    for (version, now) in [(1, 10_000), (2, 20_000)] {
        let shows = Judged { show: &["g_away"], now, ..Judged::by(&away, version) };
        same!(shows.write(&scene.a).await?, Written::Committed);
    }
    scene.run("UPDATE message SET shown = wanted, due = NULL WHERE id = 'g_n'").await?;
    same!(behind().await?, (0, None));
    let tells =
        Judged { show: &["g_away"], news: Some(News::Recovered), now: 900_000, ..Judged::by(&away, 3) };
    same!(tells.write(&scene.a).await?, Written::Committed);
    same!((scene.ask(NOWHERE).await?, behind().await?), ("900000".to_owned(), (1, Some(900_000))));
    same!(take(&scene.a, "g_away").await?.behind_since(), None);
    scene.a.found_message("g_away", &place("7.7"), None, at(950_000)).await?;
    same!((scene.ask(NOWHERE).await?, behind().await?), ("-".to_owned(), (1, Some(950_000))));
    // One that is still to be posted shows nothing either, and is no later for what it will say.
    const UNPOSTED: &str = "SELECT coalesce(CAST(behind_since AS TEXT), '-') FROM message WHERE id = 'g_due'";
    scene.run("UPDATE message SET shown = wanted, due = NULL").await?;
    let waits = connection("g", "due");
    let due = Judged { message: MessageWrite::Due, ..Judged::by(&waits, 0) };
    same!(due.write(&scene.a).await?, Written::Committed);
    same!((scene.ask(UNPOSTED).await?, behind().await?), ("-".to_owned(), (0, None)));
    let shows = Judged { show: &["g_due"], now: 960_000, ..Judged::by(&waits, 1) };
    same!(shows.write(&scene.a).await?, Written::Committed);
    same!((scene.ask(UNPOSTED).await?, behind().await?), ("-".to_owned(), (0, None)));
    Ok(())
}

pub(super) async fn a_disturbed_message_is_due_where_it_stands(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "other"), "1.2").await?;
    intend(scene, &connection("g", "nowhere")).await?;
    for id in ["g_n", "g_nowhere"] {
        scene.a.disturb_message(id, at(2000)).await?;
    }
    same!(
        scene.messages().await?,
        "g_n C/1.1 1 of 2 due 2000 tries 0,g_nowhere -/- 1 of 1 due - tries 0,g_other C/1.2 1 of 1 due - tries 0"
    );
    Ok(())
}

pub(super) async fn what_the_release_before_has_passed_over_is_due_again(scene: &Scene) -> Outcome {
    const DUE: &str = "SELECT id || ' ' || coalesce(due, '-') FROM message ORDER BY id";
    let there = place("1.1");
    for (name, state, place) in [
        ("healed", State::Connected, None),
        ("more", State::Broken, None),
        ("n", State::Broken, None),
        ("stands", State::Broken, Some(&there)),
        ("waits", State::Broken, None),
    ] {
        let mut it = connection("g", name);
        it.link.state = state;
        let due = Judged { message: MessageWrite::Due, ..Judged::by(&it, 0) };
        same!(due.write(&scene.a).await?, Written::Committed);
        if place.is_some() {
            let stands = Judged { message: MessageWrite::Placed(place), ..Judged::by(&it, 1) };
            same!(stands.write(&scene.a).await?, Written::Committed);
        }
    }
    // A command's, which may have been posted nowhere.
    let mut nowhere = connection("g", "nowhere");
    nowhere.link.state = State::Broken;
    intend(scene, &nowhere).await?;
    scene.run("UPDATE message SET due = NULL, shown = wanted").await?;
    scene.run("UPDATE message SET due = 9000 WHERE id = 'g_waits'").await?;
    same!(scene.a.rearm_messages(at(5000)).await?, 2);
    same!(scene.ask(DUE).await?, "g_healed -,g_more 5000,g_n 5000,g_nowhere -,g_stands -,g_waits 9000");
    Ok(())
}

pub(super) async fn a_thread_is_told_what_is_its_own_in_order(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "other"), "1.2").await?;
    intend(scene, &connection("g", "nowhere")).await?;
    let tell = async |name: &str, version, news, now| -> Outcome {
        let it = connection("g", name);
        let judged = Judged { news: Some(news), now, ..Judged::by(&it, version) };
        same!(judged.write(&scene.a).await?, Written::Committed);
        Ok(())
    };
    tell("n", 2, News::Broken, 9000).await?;
    tell("n", 3, News::Fixed, 8000).await?;
    tell("other", 2, News::Gone, 7000).await?;
    tell("nowhere", 1, News::Gone, 6000).await?;
    // What it shows is as it was, but it is somebody's turn to tell.
    same!(
        scene.messages().await?,
        "g_n C/1.1 1 of 1 due 8000 tries 0,g_nowhere -/- 1 of 1 due - tries 0,g_other C/1.2 1 of 1 due 7000 tries 0"
    );
    tell("nowhere", 2, News::Recovered, 5000).await?;
    // Nor does what nobody can be told there keep that from being told.
    tell("nowhere", 3, News::Gone, 6000).await?;
    same!(scene.ask("SELECT CAST(due AS TEXT) FROM message WHERE id = 'g_nowhere'").await?, "5000");
    let told = async |id: &str| -> Outcome<Vec<News>> {
        Ok(scene.a.news_of(id).await?.into_iter().map(|it| it.news).collect())
    };
    same!(told("g_n").await?, [News::Fixed, News::Broken]);
    same!(told("g_other").await?, [News::Gone]);
    let first = scene.a.news_of("g_n").await?.remove(0);
    scene.a.forget_news(&first.id).await?;
    same!(told("g_n").await?, [News::Broken]);
    same!(told("g_other").await?, [News::Gone]);
    // A connection that was forgotten and is there again counts its versions anew.
    scene.run("UPDATE connection SET version = 2 WHERE name = 'n'").await?;
    tell("n", 2, News::Expired, 9500).await?;
    same!(told("g_n").await?, [News::Broken]);
    Ok(())
}

pub(super) async fn who_stops_leaves_only_its_messages_once_no_edit_is_on_its_way(scene: &Scene) -> Outcome {
    post(scene, &connection("g", "n"), "1.1").await?;
    post(scene, &connection("g", "other"), "1.2").await?;
    scene.run("UPDATE message SET due = 1").await?;
    // Shorter than the lease, and longer than this takes.
    let soon = "SELECT id FROM message WHERE lease_until BETWEEN CAST(unixepoch('subsec') * 1000 AS INTEGER) + 1000 \
                AND CAST(unixepoch('subsec') * 1000 AS INTEGER) + 60000";
    let _theirs = take(&scene.b, "g_other").await?;
    same!(ids(&due(&scene.a, 5000).await?), ["g_n"]);
    scene.a.release().await?;
    same!(scene.ask(soon).await?, "g_n");
    // Of what was brought to what it should show, nothing is on its way.
    scene.run("UPDATE message SET lease_until = 0 WHERE id = 'g_n'").await?;
    scene.a.release().await?;
    same!(scene.ask(soon).await?, "");
    scene.b.release().await?;
    same!(scene.ask(soon).await?, "g_other");
    scene.run("UPDATE message SET lease_until = 1").await?;
    // What stands nowhere yet is being posted, and that is another message each time.
    scene.run("UPDATE message SET place_ts = NULL WHERE id = 'g_other'").await?;
    let _ours = (take(&scene.a, "g_other").await?, take(&scene.b, "g_n").await?);
    scene.a.release().await?;
    same!(scene.ask("SELECT id FROM message WHERE lease_until > 0").await?, "g_n");
    Ok(())
}

pub(super) async fn a_message_is_about_those_that_it_shows_and_its_own(scene: &Scene) -> Outcome {
    intend(scene, &connection("g", "n")).await?;
    for (group_id, name) in [("g", "other"), ("h", "n"), ("h", "shown")] {
        keep(scene, &connection(group_id, name)).await?;
    }
    scene.run("UPDATE connection SET message = 'moved' WHERE group_id = 'g' AND name = 'n'").await?;
    scene.run("UPDATE connection SET message = 'g_n' WHERE name = 'shown'").await?;
    let about = scene.a.connections_of(&take(&scene.a, "g_n").await?).await?;
    let about: Vec<_> = about.iter().map(|it| it.connection.link.id.as_str()).collect();
    same!(about, ["g_n", "h_shown"]);
    Ok(())
}
