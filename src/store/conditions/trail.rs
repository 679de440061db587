//! Scenarios of the audit channel: whose turn it is to tell it, and which lines wait for that.
//!
//! Owns the orders in which a turn, a line's place or what was given up matters.

use super::super::{KEEP_LINES, LONGEST_PAUSE, MOST_LINES, Recorded, Store};
use super::changes::Changes;
use super::scene::{Outcome, Scene, accept, at, same};
use crate::journal::{Ending, Progress, Stage, Then};
use crate::trail::{Entry, What};

/// The conditions of its statements, each with what takes it away.
pub(super) const CHANGES: Changes = &[
    (
        "the_channel_is_told_by_one_process_at_a_time",
        &[
            ("take_turn", "owner = $1, ", ""),
            ("take_turn", "fence = fence + 1", "fence = fence"),
            ("take_turn", "+ $2", "+ 0 * $2"),
            ("take_turn", "lease_until <=", "0 <="),
            ("take_turn", "due <= $3", "$3 = $3"),
            ("take_turn", "due > $4", "$4 <> $4"),
            ("take_turn", "due > $4", "$4 = $4"),
            ("record_turn", "fence = $1", "$1 = $1"),
            ("record_turn", "due = $2", "due = 0 * $2"),
            ("record_turn", "tries = $3", "tries = 0 * $3"),
            ("record_turn", "lease_until = 0", "lease_until = lease_until"),
            ("release_turn", "owner = $1", "$1 = $1"),
            ("hurry_turn", "due = 0", "due = due"),
            ("hurry_turn", "tries = 0", "tries = tries"),
            ("hurry_turn", "tries > 0", "true"),
        ],
    ),
    (
        "lines_come_in_their_order_and_go_once_they_are_told",
        &[
            ("lines", "ORDER BY seq, id", "ORDER BY id"),
            ("oldest_line", "min(seq)", "max(seq)"),
            ("lines", "LIMIT $1", "LIMIT 100"),
            ("forget_lines", "WHERE id", "WHERE true OR id"),
        ],
    ),
    (
        "what_waits_too_long_is_given_up_and_counted",
        &[
            ("take_turn", "dropped > 0", "0 > 0"),
            ("take_turn", "> dropped_to", "> 0 * dropped_to"),
            ("lines", "seq > (", "0 < ("),
            ("oldest_line", "seq > (", "0 < ("),
            ("record_turn", "dropped - $4", "dropped - 0 * $4"),
            ("line_before", "seq <= $1", "$1 = $1"),
            ("void_lines", "dropped + (", "0 + ("),
            ("void_lines", "seq > dropped_to", "true"),
            ("void_lines", "seq <= $1", "$1 = $1"),
            ("void_lines", ", dropped_to = $1", ""),
            ("void_lines", "dropped_to < $1", "$1 = $1"),
            ("purge_lines", "WHERE id", "WHERE true OR id"),
            ("purge_lines", "seq <= (", "0 <= ("),
        ],
    ),
    (
        "of_too_many_the_oldest_are_given_up",
        &[("line_behind", "seq DESC", "seq"), ("line_behind", "OFFSET $1", "OFFSET 0 * $1")],
    ),
];

/// Lets the turn run out.
const RUN_OUT: &str = "UPDATE audit_turn SET lease_until = 1";

/// A command that ends, and a line of that.
async fn end(store: &Store, id: &str, ms: i64) -> Outcome {
    store.keep_trail();
    let claimed = accept(store, id).await?;
    let progress = Progress::of(Stage::Create.over(Ending::Told));
    let entry = Entry {
        at: at(ms),
        reference: id.to_owned(),
        channel_id: "C".to_owned(),
        service: "Google Ads".to_owned(),
        schema: "acme".to_owned(),
        destination: None,
        what: What::Gone,
    };
    // Twice, as where the answer to the commit was lost.
    for _ in 0..2 {
        let recorded = store.record_with(&claimed, &progress, Then::End(at(ms)), Some(&entry)).await;
        same!(recorded, Recorded::Committed);
    }
    Ok(())
}

/// Takes the turn, and returns the lines; `None` if it cannot be taken.
async fn lines(store: &Store, now: i64, limit: i64) -> Outcome<Option<String>> {
    let turn = store.take_turn(at(now), limit).await?;
    let Some(turn) = turn else { return Ok(None) };
    let ids: Vec<_> = turn.lines.iter().map(|line| line.id.as_str()).collect();
    Ok(Some(ids.join(" ")))
}

pub(super) async fn the_channel_is_told_by_one_process_at_a_time(scene: &Scene) -> Outcome {
    end(&scene.a, "one", 5).await?;
    end(&scene.b, "two", 7).await?;
    let first = scene.a.take_turn(at(10), 10).await?.ok_or("it is nobody's turn")?;
    same!(lines(&scene.b, 10, 10).await?, None);
    scene.run(RUN_OUT).await?;
    let second = scene.b.take_turn(at(10), 10).await?.ok_or("it has run out")?;
    same!(scene.a.record_turn(&first, at(0), 0, 0).await?, Recorded::LeaseLost);
    same!(scene.b.record_turn(&second, at(100), 3, 0).await?, Recorded::Committed);
    same!(lines(&scene.a, 99, 10).await?, None);
    let third = scene.a.take_turn(at(100), 10).await?.ok_or("it is due")?;
    same!(third.tries, 3);
    scene.b.release().await?;
    same!(lines(&scene.b, 100, 10).await?, None);
    scene.a.release().await?;
    same!(lines(&scene.b, 100, 10).await?, Some("one two".to_owned()));
    same!(scene.b.record_turn(&third, at(900), 0, 0).await?, Recorded::LeaseLost);
    scene.b.release().await?;
    let fourth = scene.b.take_turn(at(100), 10).await?.ok_or("it is given up")?;
    same!(scene.b.record_turn(&fourth, at(900), 5, 0).await?, Recorded::Committed);
    // A clock that was set back by an hour leaves the channel untold for no longer than any pause lasts.
    let hour = 3_600_000;
    same!(lines(&scene.a, hour, 10).await?, Some("one two".to_owned()));
    scene.run("UPDATE audit_turn SET due = 3600000, lease_until = 0").await?;
    same!(lines(&scene.a, hour - LONGEST_PAUSE.as_millis() as i64, 10).await?, None);
    same!(lines(&scene.a, 100, 10).await?, Some("one two".to_owned()));
    scene.run("UPDATE audit_turn SET due = 900, tries = 5, lease_until = 0").await?;
    scene.a.hurry_turn().await?;
    let hurried = scene.a.take_turn(at(100), 10).await?.ok_or("it is made due")?;
    same!(hurried.tries, 0);
    // Slack asks for a pause, whoever starts meanwhile.
    same!(scene.a.record_turn(&hurried, at(900), 0, 0).await?, Recorded::Committed);
    scene.b.hurry_turn().await?;
    same!(lines(&scene.b, 899, 10).await?, None);
    Ok(())
}

pub(super) async fn lines_come_in_their_order_and_go_once_they_are_told(scene: &Scene) -> Outcome {
    same!(lines(&scene.a, 10, 10).await?, None);
    // By the same process, and so in the order of its commits, whatever its clock says.
    for (id, ms) in [("c", 6), ("b", 5), ("a", 9)] {
        end(&scene.a, id, ms).await?;
    }
    same!(scene.a.census(at(10)).await?.line_since, Some(at(6)));
    same!(lines(&scene.a, 10, 2).await?, Some("c b".to_owned()));
    scene.a.release().await?;
    let turn = scene.a.take_turn(at(10), 1).await?.ok_or("there is more")?;
    scene.a.forget_lines(&turn.lines).await?;
    scene.a.release().await?;
    same!(lines(&scene.a, 10, 10).await?, Some("b a".to_owned()));
    // A command that is somebody else's by now has not ended, and nothing is told of it.
    let late = accept(&scene.a, "late").await?;
    scene.run("UPDATE command SET fence = 7 WHERE id = 'late'").await?;
    let progress = Progress::of(Stage::Create.over(Ending::Told));
    let entry = turn.lines.first().and_then(|line| line.entry.as_ref());
    same!(scene.a.record_with(&late, &progress, Then::End(at(9)), entry).await, Recorded::LeaseLost);
    same!(scene.ask("SELECT id FROM audit_line ORDER BY seq").await?, "b,a");
    Ok(())
}

pub(super) async fn what_waits_too_long_is_given_up_and_counted(scene: &Scene) -> Outcome {
    let week = KEEP_LINES.as_millis() as i64;
    let (place, left) =
        ("SELECT CAST(dropped_to AS TEXT) FROM audit_turn", "SELECT id FROM audit_line ORDER BY seq");
    scene
        .run("INSERT INTO audit_line VALUES ('old', 4000, '{}'), ('just', 5000, '{}'), ('new', 5001, '{}')")
        .await?;
    scene.a.trim_lines(at(week + 5)).await?;
    same!(scene.ask(left).await?, "new");
    // Again, and one that comes late with an old place: none is counted twice.
    scene.run("INSERT INTO audit_line VALUES ('late', 4500, '{}'), ('next', 5500, '{}')").await?;
    scene.a.trim_lines(at(week + 5)).await?;
    same!((scene.ask(place).await?, scene.ask(left).await?), ("5000".to_owned(), "new,next".to_owned()));
    scene.run("INSERT INTO audit_line VALUES ('later', 4600, '{}')").await?;
    scene.b.trim_lines(at(week + 6)).await?;
    same!(scene.ask(left).await?, "");
    let turn = scene.b.take_turn(at(0), 10).await?.ok_or("it is still to be told")?;
    same!((turn.dropped, turn.lines.len()), (4, 0));
    same!(scene.b.record_turn(&turn, at(0), 0, 3).await?, Recorded::Committed);
    let turn = scene.b.take_turn(at(0), 10).await?.ok_or("one more")?;
    same!(scene.b.record_turn(&turn, at(0), 0, turn.dropped).await?, Recorded::Committed);
    same!(turn.dropped, 1);
    // What was given up and is not deleted yet is not there.
    scene.run("INSERT INTO audit_line VALUES ('void', 4700, '{}')").await?;
    scene.b.keep_trail();
    same!((lines(&scene.b, 0, 10).await?, scene.b.census(at(9)).await?.line_since), (None, None));
    scene.run("INSERT INTO audit_line VALUES ('fresh', 9000, '{}')").await?;
    same!(scene.b.census(at(9)).await?.line_since, Some(at(9)));
    // Without a channel nothing waits.
    same!(scene.a.census(at(9)).await?.line_since, None);
    same!(lines(&scene.b, 0, 10).await?, Some("fresh".to_owned()));
    Ok(())
}

pub(super) async fn of_too_many_the_oldest_are_given_up(scene: &Scene) -> Outcome {
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10003) \
                INSERT INTO audit_line SELECT 'L' || i, i, '{}' FROM n";
    same!(MOST_LINES, 10_000);
    scene.run(fill).await?;
    scene.a.trim_lines(at(0)).await?;
    let count = scene.ask("SELECT CAST(count(*) AS TEXT) || ' from ' || min(seq) FROM audit_line").await?;
    same!(count, "10000 from 4");
    let turn = scene.a.take_turn(at(0), 1).await?.ok_or("there are lines")?;
    same!(turn.dropped, 3);
    Ok(())
}
