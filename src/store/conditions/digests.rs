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
            ("give_digest_back", "channel_id IN ($2, '')", "$2 = $2"),
            ("give_digest_back", "channel_id IN ($2, '')", "channel_id = $2"),
            ("give_digest_back", "channel_id IN ($2, '')", "$2 = $2 AND channel_id = ''"),
            ("digest_taken", "week = $1", "$1 = $1"),
            ("digest_taken", "channel_id = $2", "$2 = $2"),
        ],
    ),
    (
        "weeks_long_before_are_forgotten_however_the_clock_went",
        &[
            ("digests_behind", "channel_id = ''", "true"),
            ("digests_behind", "week DESC", "week"),
            ("digests_behind", "OFFSET $1", "OFFSET 0 * $1"),
            ("forget_digests", "week <= $1", "$1 = $1"),
            ("forget_digests", "week < $2", "$2 = $2"),
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
            ("unfinished_here", "c.watch_until > $3", "$3 = $3"),
            ("unfinished_here", "LIMIT $4", "LIMIT $4 - 1"),
            ("unfinished", "c.urgency < $1", "$1 = $1"),
            ("unfinished", "ORDER BY c.urgency, ", "ORDER BY "),
            ("unfinished", "c.expires_at, c.name LIMIT", "c.name LIMIT"),
            ("unfinished", "c.watch_until > $2", "$2 = $2"),
            ("unfinished", "LIMIT $3", "LIMIT $3 - 1"),
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
    same!((scene.a.is_digest_taken(7, "C").await?, scene.a.is_digest_taken(7, "E").await?), (true, false));
    same!((scene.a.is_digest_taken(9, "C").await?, scene.b.are_digests_told(7).await?), (false, false));
    scene.a.digests_told(7, now).await?;
    same!((scene.b.are_digests_told(7).await?, scene.b.are_digests_told(8).await?), (true, false));
    // Who gives one back has not told, whatever somebody else has noted meanwhile.
    scene.b.digests_told(8, now).await?;
    scene.b.give_digest_back(7, "C").await?;
    same!((scene.a.are_digests_told(7).await?, scene.a.are_digests_told(8).await?), (false, true));
    same!((scene.a.is_digest_taken(7, "C").await?, scene.a.is_digest_taken(7, "D").await?), (false, true));
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
    // Nor do many of them, once it is right again: this week and the one before stay.
    for week in 901..=907 {
        scene.a.digests_told(week, at(0)).await?;
    }
    for week in [19, 20, 21] {
        scene.a.take_digest(week, "D", at(0)).await?;
    }
    scene.a.digests_told(21, at(0)).await?;
    same!(scene.a.is_digest_taken(19, "D").await?, false);
    same!((scene.a.is_digest_taken(20, "D").await?, scene.a.is_digest_taken(21, "C").await?), (true, true));
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
    // While a process runs, another plan may come into force, the clock be set back, or the plan forgotten.
    same!(scene.b.digests_since("monday", at(60)).await?, None);
    same!(scene.b.digests_since("tuesday", at(60)).await?, Some(at(50)));
    same!(scene.b.digests_since("tuesday", at(40)).await?, Some(at(40)));
    scene.a.unplan_digests().await?;
    same!(scene.b.digests_since("tuesday", at(70)).await?, Some(at(70)));
    scene.a.unplan_digests().await?;
    same!(since(&scene.a, "tuesday", 80).await?, at(80));
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
    let list = async |channel: Option<&str>, limit, days: i64| -> Outcome<(String, bool)> {
        let (links, more) = scene.a.unfinished(channel, limit, at(days * 24 * 60 * 60 * 1000)).await?;
        Ok((links.into_iter().map(|link| link.id).collect::<Vec<_>>().join(" "), more))
    };
    let all = |ids: &str| (ids.to_owned(), false);
    let some = |ids: &str| (ids.to_owned(), true);
    same!(list(Some("C"), 3, 0).await?, all("g_z_broken g_c_waiting g_b_waiting"));
    same!(list(Some("C"), 2, 0).await?, some("g_z_broken g_c_waiting"));
    same!(list(Some("C"), 1, 0).await?, some("g_z_broken"));
    same!(list(Some("D"), 9, 0).await?, all("g_expired"));
    same!(list(Some("E"), 9, 0).await?, all(""));
    same!(list(None, 9, 0).await?, all("g_z_broken g_expired g_c_waiting g_b_waiting"));
    same!(list(None, 1, 0).await?, some("g_z_broken"));
    // A week after links have expired nobody knows what became of them; what is broken is watched for longer.
    same!(list(Some("C"), 9, 8).await?, all("g_z_broken"));
    same!(list(Some("D"), 9, 8).await?, all(""));
    same!(list(None, 9, 8).await?, all("g_z_broken"));
    same!(scene.a.channel_after("").await?.as_deref(), Some("C"));
    same!(scene.a.channel_after("C").await?.as_deref(), Some("D"));
    same!(scene.a.channel_after("E").await?, None);
    Ok(())
}
