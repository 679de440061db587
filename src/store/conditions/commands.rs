//! Scenarios of commands: accepting, taking, keeping and ending them.
//!
//! Owns the orders in which a lease, a fence or an owner of a command matters.

use std::time::Duration;

use tokio::time::Instant;

use super::super::row::{NewRow, json};
use super::super::{KEEP, Recorded, StoreError};
use super::scene::{Outcome, Scene, accept, at, command, delivering, names, same, take, try_accept};
use crate::journal::{Ending, Progress, Stage, Then};
use crate::telemetry::OpenStage;

/// Lets every lease of a command run out.
const RUN_OUT: &str = "UPDATE command SET lease_until = 1 WHERE lease_until > 0";

fn over(ending: Ending) -> Progress {
    Progress::of(Stage::Create.over(ending))
}

pub(super) async fn a_twin_and_a_replay_are_no_second_command(scene: &Scene) -> Outcome {
    let (first, _other) = (accept(&scene.a, "x").await?, accept(&scene.a, "y").await?);
    let met = async |id, request, subject| -> Outcome<_> {
        Ok(try_accept(&scene.b, command(id, request, subject)).await?.err())
    };
    same!(met("replay", "x", "other").await?.as_deref(), Some("request of x"));
    same!(met("twin", "other", "x").await?.as_deref(), Some("request of x"));
    // It is open as long as it waits.
    same!(scene.a.record(&first, &delivering(), Then::WaitUntil(at(2000))).await, Recorded::Committed);
    same!(met("twin", "other", "x").await?.as_deref(), Some("request of x"));
    same!(scene.a.record(&first, &over(Ending::Told), Then::End(at(3000))).await, Recorded::Committed);
    same!(met("replay", "x", "other").await?.as_deref(), Some("x again"));
    same!(met("next", "other", "x").await?, None);
    Ok(())
}

pub(super) async fn the_same_request_is_promised_again_where_it_surely_happens(scene: &Scene) -> Outcome {
    let again = async |store, request| -> Outcome<_> {
        Ok(try_accept(store, command("again", request, request)).await?.err())
    };
    let first = accept(&scene.a, "x").await?;
    same!(again(&scene.a, "x").await?.as_deref(), Some("x again"));
    // Whoever took it in may be about to make it void.
    same!(again(&scene.b, "x").await?.as_deref(), Some("request of x"));
    scene.run(RUN_OUT).await?;
    let second = take(&scene.b, 5000).await?;
    same!(again(&scene.a, "x").await?.as_deref(), Some("x again"));
    drop((first, second));
    let ended = accept(&scene.a, "y").await?;
    same!(scene.a.record(&ended, &over(Ending::Told), Then::End(at(3000))).await, Recorded::Committed);
    same!(again(&scene.b, "y").await?.as_deref(), Some("y again"));
    Ok(())
}

pub(super) async fn a_command_is_taken_by_one_process_at_a_time(scene: &Scene) -> Outcome {
    let first = accept(&scene.a, "x").await?;
    same!(scene.ask("SELECT owner FROM command").await?, "A");
    same!(names(&scene.b, 5000).await?, [""; 0]);
    scene.run(RUN_OUT).await?;
    // In hand still: its lease may only be prolonged too late.
    same!(names(&scene.a, 5000).await?, [""; 0]);
    let second = take(&scene.b, 5000).await?;
    same!(second.fence, 2);
    same!(scene.ask("SELECT owner || ' ' || fence FROM command").await?, "B 2");
    drop((first, second));
    same!(names(&scene.a, 5000).await?, [""; 0]);
    same!(names(&scene.b, 5000).await?, [""; 0]);
    Ok(())
}

pub(super) async fn what_is_due_is_taken_in_its_order(scene: &Scene) -> Outcome {
    for (id, run_at) in [("late", 3000), ("first", 1000), ("second", 2000)] {
        let claimed = accept(&scene.a, id).await?;
        let wait = Then::WaitUntil(at(run_at));
        same!(scene.a.record(&claimed, &delivering(), wait).await, Recorded::Committed);
    }
    same!(names(&scene.b, 999).await?, [""; 0]);
    let claimed = scene.b.claim(at(2999), 1).await?;
    same!(claimed.iter().map(|claimed| claimed.id.as_str()).collect::<Vec<_>>(), ["first"]);
    same!(names(&scene.b, 2999).await?, ["second 2"]);
    same!(names(&scene.b, 3000).await?, ["late 2"]);
    Ok(())
}

pub(super) async fn a_late_record_changes_nothing(scene: &Scene) -> Outcome {
    const ROW: &str = "SELECT stage || ' ' || run_at || ' ' || (lease_until > 0) || ' ' || (subject IS NULL) \
                       || (response_url IS NULL) || ' ' || coalesce(ended_at, '-') FROM command ORDER BY id";
    let (first, _other) = (accept(&scene.a, "x").await?, accept(&scene.a, "y").await?);
    scene.run("UPDATE command SET lease_until = 1 WHERE id = 'x'").await?;
    let second = take(&scene.b, 5000).await?;
    let wait = Then::WaitUntil(at(9000));
    same!(scene.a.record(&first, &delivering(), wait).await, Recorded::LeaseLost);
    same!(scene.ask(ROW).await?, "create 1000 1 00 -,create 1000 1 00 -");
    drop(first);
    same!(scene.b.record(&second, &delivering(), Then::GoOn).await, Recorded::Committed);
    same!(scene.ask(ROW).await?, "deliver 1000 1 00 -,create 1000 1 00 -");
    same!(scene.b.record(&second, &delivering(), wait).await, Recorded::Committed);
    same!(scene.ask(ROW).await?, "deliver 9000 0 00 -,create 1000 1 00 -");
    let third = take(&scene.a, 9000).await?;
    let end = Then::End(at(10_000));
    same!(scene.b.record(&second, &over(Ending::Told), end).await, Recorded::LeaseLost);
    // Its answer was lost: again.
    for _ in 0..2 {
        same!(scene.a.record(&third, &over(Ending::Delivered), end).await, Recorded::Committed);
        same!(scene.ask(ROW).await?, "delivered 10000 0 11 10000,create 1000 1 00 -");
    }
    for then in [Then::GoOn, Then::End(at(10_001))] {
        same!(scene.a.record(&third, &delivering(), then).await, Recorded::LeaseLost);
    }
    same!(scene.ask(ROW).await?, "delivered 10000 0 11 10000,create 1000 1 00 -");
    drop((second, third));
    same!(names(&scene.b, 20_000).await?, [""; 0]);
    same!(scene.ask("SELECT CAST(fence AS TEXT) FROM command WHERE id = 'x'").await?, "3");
    Ok(())
}

pub(super) async fn a_lease_is_prolonged_by_its_holder_alone(scene: &Scene) -> Outcome {
    let mut held = Vec::new();
    for id in ["held", "taken", "theirs", "ended", "put_down"] {
        held.push(accept(&scene.a, id).await?);
    }
    drop(accept(&scene.a, "let_go").await?);
    let _other = accept(&scene.b, "other").await?;
    scene.run(RUN_OUT).await?;
    scene.run("UPDATE command SET fence = 2 WHERE id = 'taken'").await?;
    scene.run("UPDATE command SET owner = 'B' WHERE id = 'theirs'").await?;
    scene.run("UPDATE command SET ended_at = 5 WHERE id = 'ended'").await?;
    scene.run("UPDATE command SET lease_until = 0 WHERE id = 'put_down'").await?;
    scene.a.renew(Duration::ZERO).await?;
    same!(held.iter().map(|it| it.lease.is_held()).collect::<Vec<_>>(), [true, false, false, false, false]);
    same!(scene.ask("SELECT id FROM command WHERE lease_until > 1").await?, "held");
    // The one that was prolonged is not to be had.
    let mut taken = names(&scene.b, 5000).await?;
    taken.sort();
    same!(taken, ["let_go 2", "put_down 2", "taken 3", "theirs 2"]);
    Ok(())
}

pub(super) async fn who_stops_gives_up_only_its_own(scene: &Scene) -> Outcome {
    let _held = (accept(&scene.a, "x").await?, accept(&scene.b, "y").await?);
    scene.a.release().await?;
    same!(scene.ask("SELECT id FROM command WHERE lease_until > 0").await?, "y");
    Ok(())
}

pub(super) async fn what_was_not_promised_never_happens(scene: &Scene) -> Outcome {
    let row = |id: &str| NewRow::of_request(id, id);
    const ROWS: &str = "SELECT id || ' ' || stage || ' ' || coalesce(ended_at, '-') || ' ' || (subject IS NULL) \
                        || (response_url IS NULL) FROM command ORDER BY id";
    let _other = accept(&scene.a, "other").await?;
    let _x = accept(&scene.a, "x").await?;
    // Again, since an answer was lost.
    for _ in 0..2 {
        same!(scene.lay(&row("x")).await?, [""; 0]);
        same!(scene.ask(ROWS).await?, "other create - 00,x void 7 11");
    }
    scene.run("DELETE FROM command WHERE id = 'other'").await?;
    // Taken by somebody else: theirs.
    let taken = accept(&scene.a, "y").await?;
    scene.run("UPDATE command SET lease_until = 1 WHERE id = 'y'").await?;
    let theirs = take(&scene.b, 5000).await?;
    same!(scene.lay(&row("y")).await?, ["y"]);
    drop((taken, theirs));
    let ended = accept(&scene.a, "z").await?;
    same!(scene.a.record(&ended, &over(Ending::Told), Then::End(at(9))).await, Recorded::Committed);
    same!(scene.lay(&row("z")).await?, ["z"]);
    same!(scene.ask(ROWS).await?, "x void 7 11,y create - 00,z told 9 11");
    // The tombstone is there before what it stands for.
    scene.with(scene.sql.bury, json(&[row("late")])?).await?;
    same!(scene.ask("SELECT stage || ' ' || ended_at FROM command WHERE id = 'late'").await?, "void 7");
    let late =
        scene.a.accept(command("late", "late", "late"), Instant::now() + Duration::from_secs(60)).await;
    same!(late.err().map(|error| error.to_string()), Some(StoreError::Voided.to_string()));
    Ok(())
}

pub(super) async fn what_nobody_could_be_told_is_counted_and_listed(scene: &Scene) -> Outcome {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    for (id, ending, end) in [
        ("old", Ending::Undeliverable, 1500),
        ("told", Ending::Told, 3000),
        ("new", Ending::Undeliverable, 3000),
        ("newest", Ending::Undeliverable, 4000),
    ] {
        let claimed = accept(&scene.a, id).await?;
        same!(scene.a.record(&claimed, &over(ending), Then::End(at(end))).await, Recorded::Committed);
    }
    let _open = accept(&scene.a, "open").await?;
    scene.run("UPDATE command SET accepted_at = 2000 WHERE id = 'open'").await?;
    let census = scene.a.census(at(DAY + 2000)).await?;
    same!((census.undeliverable, census.oldest_open), (2, Some(at(2000))));
    let listed = scene.a.undeliverable(2).await?;
    same!(listed.iter().map(|lost| lost.id.as_str()).collect::<Vec<_>>(), ["newest", "new"]);
    same!(scene.a.undeliverable(9).await?.len(), 3);
    Ok(())
}

pub(super) async fn what_is_open_is_counted_by_its_stage(scene: &Scene) -> Outcome {
    let over = accept(&scene.a, "over").await?;
    let ended = scene.a.record(&over, &self::over(Ending::Told), Then::End(at(1000))).await;
    same!(ended, Recorded::Committed);
    for id in ["x", "y", "z"] {
        let _open = accept(&scene.a, id).await?;
    }
    scene.run("UPDATE command SET stage = 'of the next release' WHERE id = 'z'").await?;
    let mut open = scene.a.census(at(1)).await?.open;
    open.sort_by_key(|(stage, _)| stage.name());
    same!(open, [(OpenStage::Create, 2), (OpenStage::Unknown, 1)]);
    Ok(())
}

pub(super) async fn what_ended_long_ago_is_forgotten_and_nothing_else(scene: &Scene) -> Outcome {
    for (id, end) in [("old", 1500), ("new", 1501)] {
        let claimed = accept(&scene.a, id).await?;
        same!(scene.a.record(&claimed, &over(Ending::Told), Then::End(at(end))).await, Recorded::Committed);
    }
    let _open = accept(&scene.a, "open").await?;
    same!(scene.a.purge(at(1501) + KEEP).await?, 1);
    same!(scene.ask("SELECT id FROM command ORDER BY id").await?, "new,open");
    Ok(())
}

pub(super) async fn one_command_is_read_and_the_probe_writes_again(scene: &Scene) -> Outcome {
    let _held = (accept(&scene.a, "x").await?, accept(&scene.a, "y").await?);
    for id in ["x", "y"] {
        let row = scene.a.command(id).await?.ok_or("none")?;
        same!(row.request, format!("request of {id}"));
    }
    same!(scene.a.command("z").await?.is_none(), true);
    for now in [1000, 2000] {
        scene.a.write_probe(at(now)).await?;
    }
    same!(scene.ask("SELECT CAST(at AS TEXT) FROM probe").await?, "2000");
    for (body, now) in [("old", 1000), ("new", 2000)] {
        scene.a.keep_catalogue(body, at(now)).await?;
        same!(scene.a.kept_catalogue().await?.as_deref(), Some(body));
        scene.a.keep_identity(body, at(now)).await?;
        same!(scene.a.kept_identity().await?.as_deref(), Some(body));
    }
    Ok(())
}
