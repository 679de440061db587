//! Scenarios of a clock that was set back.
//!
//! Owns what becomes due by that, and that nothing else does.

use super::super::{LONGEST_PAUSE, LONGEST_PAUSE_OF_AN_EDIT};
use super::changes::Changes;
use super::scene::{Outcome, Scene, accept, at, connection, post, same};

/// The conditions of its statements, each with what takes it away.
pub(super) const CHANGES: Changes = &[
    (
        "what_a_clock_set_back_has_put_off_is_due",
        &[
            ("hasten_commands", "SET run_at = $1", "SET run_at = run_at + 0 * $1"),
            ("hasten_commands", "ended_at IS NULL AND", ""),
            ("hasten_looks", "SET look_at = $1", "SET look_at = look_at + 0 * $1"),
            ("hasten_sweeps", "SET next_at = $1", "SET next_at = next_at + 0 * $1"),
            ("hasten_sweeps", "listed_at, posted_at", "posted_at, posted_at"),
            ("hasten_sweeps", "listed_at, posted_at", "listed_at, 0"),
            ("hasten_sweeps", "WHEN posted_at > $2", "WHEN false"),
            ("hasten_sweeps", "WHEN posted_at > $2", "WHEN true"),
            ("hasten_sweeps", "WHEN listed_at > $2", "WHEN false"),
            ("hasten_sweeps", "WHEN listed_at > $2", "WHEN true"),
            ("hasten_messages", "SET due = $1", "SET due = due + 0 * $1"),
        ],
    ),
    (
        "no_pause_that_somebody_meant_is_cut_short",
        &[
            ("hasten_commands", "WHERE id", "WHERE true OR id"),
            ("hasten_commands", "run_at > $2", "$2 = $2"),
            ("hasten_looks", "look_at > $2", "$2 = $2"),
            ("hasten_looks", "= $1 WHERE ", "= $1 WHERE true OR "),
            ("hasten_sweeps", "next_at > $1 AND", ""),
            ("hasten_sweeps", ") > $2", ") > 0 * $2"),
            ("hasten_messages", "WHERE id", "WHERE true OR id"),
            ("hasten_messages", "due > $2", "$2 = $2"),
        ],
    ),
];

/// When everything is due.
const DUE: &str = "SELECT (SELECT group_concat(run_at) FROM (SELECT run_at FROM command ORDER BY id)) || ' ' \
                   || (SELECT group_concat(look_at) FROM (SELECT look_at FROM connection ORDER BY name)) || ' ' \
                   || (SELECT group_concat(coalesce(next_at, '-')) FROM (SELECT next_at FROM sweep ORDER BY group_id)) || ' ' \
                   || (SELECT group_concat(due) FROM (SELECT due FROM message ORDER BY id))";

/// When each group was listed and posted into.
const LISTED: &str = "SELECT group_concat(coalesce(listed_at, '-') || ' ' || posted_at) FROM (SELECT * FROM sweep ORDER BY group_id)";

/// A command that is open, one that has ended, a connection to be looked at, its message that is behind, and
/// three groups.
async fn fill(scene: &Scene) -> Outcome {
    drop((accept(&scene.a, "ended").await?, accept(&scene.a, "open").await?));
    post(scene, &connection("g", "n"), "1.1").await?;
    scene.run("UPDATE command SET ended_at = 5, run_at = 7200000 WHERE id = 'ended'").await?;
    scene.run("DELETE FROM sweep").await?;
    scene
        .run(
            "INSERT INTO sweep (group_id, next_at, posted_at, listed_at) VALUES ('listed', 7200000, 5, 7100000), \
             ('new', 7200000, 7200000, NULL), ('unwatched', NULL, 7200000, 7200000)",
        )
        .await
}

pub(super) async fn what_a_clock_set_back_has_put_off_is_due(scene: &Scene) -> Outcome {
    fill(scene).await?;
    scene.run("UPDATE command SET run_at = 7200000").await?;
    scene.run("UPDATE connection SET look_at = 7200000").await?;
    scene.run("UPDATE message SET due = 7200000").await?;
    // By two hours.
    same!(scene.b.hasten(at(9)).await?, 5);
    same!(scene.ask(DUE).await?, "7200000,9 9 9,9,- 9");
    same!(scene.ask(LISTED).await?, "9 5,- 9,7200000 7200000");
    // Nor is a list that cannot be had now hastened for as long.
    scene.run("UPDATE sweep SET next_at = 600009 WHERE next_at IS NOT NULL").await?;
    same!(scene.b.hasten(at(9)).await?, 0);
    Ok(())
}

pub(super) async fn no_pause_that_somebody_meant_is_cut_short(scene: &Scene) -> Outcome {
    fill(scene).await?;
    let pauses = [LONGEST_PAUSE, LONGEST_PAUSE_OF_AN_EDIT].map(|pause| pause.as_millis());
    same!(pauses, [600_000, 3_600_000]);
    scene.run("UPDATE command SET run_at = 605000").await?;
    scene.run("UPDATE connection SET look_at = 605000").await?;
    scene.run("UPDATE message SET due = 3605000").await?;
    // A list can be put off for a day; one of before, or of a clock that is a little ahead, proves nothing.
    scene.run("UPDATE sweep SET next_at = 86405000, listed_at = 6000, posted_at = 6000").await?;
    scene.run("UPDATE sweep SET next_at = 4000, listed_at = 900000 WHERE group_id = 'new'").await?;
    same!(scene.b.hasten(at(5000)).await?, 0);
    same!(scene.ask(DUE).await?, "605000,605000 605000 86405000,4000,86405000 3605000");
    Ok(())
}
