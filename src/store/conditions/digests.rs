//! Scenarios of digests: who posts a channel's, since when they are posted, and what is unfinished.

use jiff::Timestamp;

use super::super::Store;
use super::changes::Changes;
use super::connections::{but, in_state};
use super::scene::{Outcome, Scene, at, keep, same};
use crate::life::State;

/// The conditions of their statements, each with what takes it away.
pub(super) const CHANGES: Changes = &[
    (
        "a_channels_digest_of_a_week_is_taken_once",
        &[
            ("take_digest", "ON CONFLICT DO NOTHING", "ON CONFLICT (week, channel_id) DO UPDATE SET at = $3"),
            ("give_digest_back", "week = $1", "$1 = $1"),
            ("give_digest_back", "channel_id = $2", "$2 = $2"),
            ("digests_told", "week = $1", "$1 = $1"),
            ("digests_told", "channel_id = ''", "true"),
        ],
    ),
    (
        "weeks_long_before_are_forgotten_however_the_clock_went",
        &[
            ("digests_behind", "channel_id = ''", "true"),
            ("digests_behind", "week DESC", "week"),
            ("digests_behind", "OFFSET $1", "OFFSET 0 * $1"),
            ("forget_digests", "week <= $1", "$1 = $1"),
        ],
    ),
    (
        "a_plan_counts_from_when_it_came_into_force",
        &[
            (
                "plan_digests",
                "CONFLICT (name) DO UPDATE SET plan = $1, since = $2",
                "CONFLICT (name) DO UPDATE SET plan = plan",
            ),
            ("plan_digests", "digest_plan.plan <> $1", "false"),
            ("plan_digests", "digest_plan.plan <> $1", "true"),
            ("plan_digests", "digest_plan.since > $2", "false"),
            ("digests_since", "name = 'weekly'", "name = 'daily'"),
        ],
    ),
    (
        "what_is_unfinished_is_listed_by_channel_most_urgent_first",
        &[
            ("next_channel", "channel_id > $1", "$1 = $1"),
            ("next_channel", "min(", "max("),
            ("unfinished_here", "c.channel_id = $1", "$1 = $1"),
            ("unfinished_here", "c.urgency < $2", "$2 = $2"),
            ("unfinished_here", "ORDER BY c.urgency, ", "ORDER BY "),
            ("unfinished_here", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
            ("unfinished_here", "LIMIT $3", "LIMIT 100"),
            ("unfinished", "c.urgency < $1", "$1 = $1"),
            ("unfinished", "ORDER BY c.urgency, ", "ORDER BY "),
            ("unfinished", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
            ("unfinished", "LIMIT $2", "LIMIT 100"),
        ],
    ),
];

pub(super) async fn a_channels_digest_of_a_week_is_taken_once(scene: &Scene) -> Outcome {
    let now = at(1000);
    same!(scene.a.take_digest(7, "C", now).await?, true);
    same!(scene.b.take_digest(7, "C", now).await?, false);
    same!(scene.b.take_digest(7, "D", now).await?, true);
    same!(scene.b.take_digest(8, "C", now).await?, true);
    scene.a.give_digest_back(7, "C").await?;
    same!(scene.a.take_digest(7, "D", now).await?, false);
    same!(scene.a.take_digest(8, "C", now).await?, false);
    same!(scene.b.are_digests_told(7).await?, false);
    same!(scene.b.take_digest(7, "C", now).await?, true);
    scene.a.digests_told(7, now).await?;
    same!((scene.b.are_digests_told(7).await?, scene.b.are_digests_told(8).await?), (true, false));
    Ok(())
}

pub(super) async fn weeks_long_before_are_forgotten_however_the_clock_went(scene: &Scene) -> Outcome {
    // What is taken and not told is no week of its own.
    same!(scene.a.take_digest(21, "C", at(0)).await?, true);
    for week in 1..=8 {
        same!(scene.a.take_digest(week, "C", at(week)).await?, true);
        scene.a.digests_told(week, at(week)).await?;
    }
    same!(scene.a.take_digest(1, "C", at(0)).await?, false);
    // A clock that is years ahead brings one week, and not the end of those before.
    scene.a.digests_told(900, at(0)).await?;
    same!(scene.a.take_digest(1, "C", at(0)).await?, true);
    for week in (2..=8).chain([21]) {
        same!(scene.a.take_digest(week, "C", at(0)).await?, false);
    }
    Ok(())
}

async fn since(store: &Store, plan: &str, ms: i64) -> Outcome<Timestamp> {
    Ok(store.plan_digests(plan, at(ms)).await?)
}

pub(super) async fn a_plan_counts_from_when_it_came_into_force(scene: &Scene) -> Outcome {
    same!(since(&scene.a, "monday", 100).await?, at(100));
    same!(since(&scene.b, "monday", 200).await?, at(100));
    same!(since(&scene.b, "tuesday", 300).await?, at(300));
    same!(since(&scene.a, "tuesday", 400).await?, at(300));
    // The clock has been set back since.
    same!(since(&scene.a, "tuesday", 50).await?, at(50));
    Ok(())
}

pub(super) async fn what_is_unfinished_is_listed_by_channel_most_urgent_first(scene: &Scene) -> Outcome {
    let of = |name, state, channel: &str, ms| {
        but(in_state("g", name, state), |it| {
            it.link.channel_id = channel.to_owned();
            it.link.expires_at = at(ms);
        })
    };
    for it in [
        of("a_connected", State::Connected, "C", 100_000),
        of("b_waiting", State::Waiting, "C", 300_000),
        of("c_waiting", State::Waiting, "C", 200_000),
        of("z_broken", State::Broken, "C", 400_000),
        of("expired", State::Expired, "D", 100_000),
        of("a_gone", State::Gone, "E", 100_000),
    ] {
        keep(scene, &it).await?;
    }
    let list = async |channel: Option<&str>, limit| -> Outcome<Vec<String>> {
        let links = scene.a.unfinished(channel, limit).await?;
        Ok(links.into_iter().map(|link| link.id).collect())
    };
    same!(list(Some("C"), 9).await?, ["g_z_broken", "g_c_waiting", "g_b_waiting"]);
    same!(list(Some("C"), 2).await?, ["g_z_broken", "g_c_waiting"]);
    same!(list(Some("D"), 9).await?, ["g_expired"]);
    same!(list(Some("E"), 9).await?, [""; 0]);
    same!(list(None, 9).await?, ["g_z_broken", "g_expired", "g_c_waiting", "g_b_waiting"]);
    same!(list(None, 1).await?, ["g_z_broken"]);
    same!(scene.a.channel_after("").await?.as_deref(), Some("C"));
    same!(scene.a.channel_after("C").await?.as_deref(), Some("D"));
    same!(scene.a.channel_after("E").await?, None);
    Ok(())
}
