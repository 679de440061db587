//! Scenarios of onboardings: who makes several commands of one, and when nothing is left to do.
//!
//! Owns the orders in which a fence, what is open, or what is still being made matters.

use super::super::{KEEP, MessageWrite, Recorded, Store, Write, Written};
use super::changes::Changes;
use super::scene::{Judged, Outcome, Scene, accept, at, connection, keep, same, take};
use crate::journal::{Ending, Progress, Stage, Then};
use crate::life::{Change, State};
use crate::work::{Onboard, Request};

/// The conditions of the statements, each with what takes it away.
pub(super) const CHANGES: Changes = &[
    (
        "several_sources_are_made_once_and_by_their_holder",
        &[
            ("hold", "id = $1 AND", "$1 = $1 AND"),
            ("hold", "fence = $2", "$2 = $2"),
            ("hold", "AND ended_at IS NULL", ""),
            ("expanded", "parent = $1", "$1 <> $1"),
            ("begin", " ON CONFLICT DO NOTHING", ""),
            ("begin_message", "ON CONFLICT (id) DO NOTHING", ""),
        ],
    ),
    (
        "what_is_added_goes_to_what_is_open_for_the_same_customer",
        &[
            ("open", "channel_id = $1", "$1 = $1"),
            ("open", "customer = $2", "$2 = $2"),
            ("open", "done_at IS NULL", "true"),
            ("open_shown", "m.onboarding = o.id", "true"),
            ("open_shown", "o.channel_id = $1", "$1 = $1"),
            ("open_shown", "o.customer = $2", "$2 = $2"),
            ("open_shown", "o.done_at IS NULL", "true"),
            ("open_shown", "m.place_ts IS NOT NULL", "true"),
            ("onboarding", "o.id = $1", "$1 = $1"),
            ("onboarding", "m.onboarding = o.id", "m.onboarding <> o.id"),
            ("sources", "s.onboarding = $1", "$1 = $1"),
            ("sources", "k.id = s.command", "k.id <> s.command"),
            ("sources", "k.id IS NOT NULL AND", ""),
            ("sources", "AND k.ended_at IS NULL", ""),
            ("sources", "s.at, ", "-s.at, "),
        ],
    ),
    (
        "what_is_done_takes_no_source_that_was_asked_for_by_itself",
        &[
            ("change", "v.joins IS NULL OR", "true OR"),
            ("change", "v.joins IS NULL OR", "false OR"),
            ("change", "b.id = v.joins AND", ""),
            ("change", "AND b.done_at IS NULL", ""),
        ],
    ),
    (
        "an_onboarding_is_done_once_and_when_nothing_is_left",
        &[
            ("finish", "id = $1 AND", "$1 = $1 AND"),
            ("finish", "AND done_at IS NULL", ""),
            ("finish", "c.message = $2", "$2 = $2"),
            ("finish", "c.state IN", "'' NOT IN"),
            ("finish", "c.state IN", "'' IN"),
            ("told", "id = $1", "$1 = $1"),
            ("finish", "k.id = s.command", "true"),
            ("finish", "s.onboarding = $1", "$1 = $1"),
            ("finish", "AND k.ended_at IS NULL", ""),
        ],
    ),
    (
        "what_was_done_long_ago_is_forgotten_with_its_message",
        &[
            ("purge_sources", "WHERE onboarding", "WHERE true OR onboarding"),
            ("purge_sources", "o.done_at < $1", "$1 = $1"),
            ("purge_sources", "m.onboarding = o.id", "true"),
            ("purge_onboardings", "WHERE id", "WHERE true OR id"),
            ("purge_onboardings", "o.done_at < $1", "$1 = $1"),
            ("purge_onboardings", "m.onboarding = o.id", "true"),
        ],
    ),
];

fn source(name: &str) -> Request {
    let mut request = connection("g", name).link.request;
    request.customer = Some("acme".to_owned());
    request
}

fn onboard(customer: &str, names: &[&str]) -> Onboard {
    let sources = names.iter().map(|name| source(name)).collect();
    Onboard { customer: Some(customer.to_owned()), sources }
}

/// Makes the commands of a command that this process has just accepted. Returns their ids, or what stood
/// in the way.
async fn expand(store: &Store, id: &str, onboard: &Onboard, ms: i64) -> Outcome<Vec<String>> {
    let claimed = accept(store, id).await?;
    let expanded = store.expand(&claimed, onboard, at(ms)).await?;
    Ok(expanded.map_or_else(Vec::new, |it| it.commands.iter().map(|command| command.id.clone()).collect()))
}

pub(super) async fn several_sources_are_made_once_and_by_their_holder(scene: &Scene) -> Outcome {
    let both = onboard("acme", &["one", "two"]);
    let (first, _other) = (accept(&scene.a, "x").await?, accept(&scene.a, "y").await?);
    scene.run("UPDATE command SET lease_until = 1 WHERE id = 'x'").await?;
    let second = take(&scene.b, 5000).await?;
    same!(scene.a.expand(&first, &both, at(1000)).await?.is_none(), true);
    same!(scene.ask("SELECT command FROM source").await?, "");
    let expanded = scene.b.expand(&second, &both, at(1000)).await?.ok_or("somebody else's")?;
    let made: Vec<_> = expanded.commands.iter().map(|command| command.id.as_str()).collect();
    same!(made, ["x-1", "x-2"]);
    same!(expanded.onboarding.id, "x");
    // Whoever takes it over finds it expanded, however it stands by then.
    scene.run("UPDATE onboarding SET done_at = 5").await?;
    let again = scene.b.expand(&second, &both, at(2000)).await?.ok_or("somebody else's")?;
    same!((again.onboarding.id.as_str(), again.commands.len()), ("x", 0));
    same!(scene.ask("SELECT command FROM source ORDER BY 1").await?, "x-1,x-2");
    scene.run("UPDATE onboarding SET done_at = NULL").await?;
    let over = Progress::of(Stage::Create.over(Ending::Told));
    same!(scene.b.record(&second, &over, Then::End(at(6000))).await, Recorded::Committed);
    same!(scene.b.expand(&second, &both, at(7000)).await?.is_none(), true);
    // Another one joins, whose source somebody is making already.
    let more = expand(&scene.a, "z", &onboard("acme", &["two", "three"]), 3000).await?;
    same!(more, ["z-2"]);
    same!(scene.ask("SELECT id FROM onboarding").await?, "x");
    same!(scene.ask("SELECT id FROM message").await?, "x-0");
    Ok(())
}

pub(super) async fn what_is_added_goes_to_what_is_open_for_the_same_customer(scene: &Scene) -> Outcome {
    // The same customer's in another channel.
    scene
        .run(
            "INSERT INTO onboarding (id, team_id, channel_id, customer, requester, opened_at) \
             VALUES ('away', 'T', 'E', 'acme', 'U', 1)",
        )
        .await?;
    expand(&scene.a, "x", &onboard("acme", &["one"]), 1000).await?;
    expand(&scene.a, "other", &onboard("beta", &["two"]), 2000).await?;
    let open = |it: Option<crate::life::Onboarding>| it.map(|it| it.id);
    same!(open(scene.a.open_onboarding("C", "acme").await?), None);
    scene.run("UPDATE message SET place_channel = 'C', place_ts = '1' WHERE id = 'other-0'").await?;
    same!(open(scene.a.open_onboarding("C", "acme").await?), None);
    scene.run("UPDATE message SET place_channel = 'C', place_ts = '2' WHERE id = 'x-0'").await?;
    same!(open(scene.a.open_onboarding("C", "acme").await?).as_deref(), Some("x"));
    same!(open(scene.a.open_onboarding("C", "beta").await?).as_deref(), Some("other"));
    same!(open(scene.a.open_onboarding("D", "acme").await?), None);
    expand(&scene.b, "y", &onboard("acme", &["a_first"]), 3000).await?;
    let seen = scene.b.onboarding("x").await?.ok_or("none")?;
    let shown: Vec<_> =
        seen.sources.iter().map(|source| (source.key.name.as_str(), source.under_way)).collect();
    same!(shown, [("one", true), ("a_first", true)]);
    same!(seen.message_id, "x-0");
    same!(scene.b.onboarding("other").await?.ok_or("none")?.id, "other");
    scene.run("UPDATE command SET ended_at = 5 WHERE id = 'x-1'").await?;
    scene.run("DELETE FROM command WHERE id = 'y-1'").await?;
    let seen = scene.b.onboarding("x").await?.ok_or("none")?;
    same!(seen.sources.iter().any(|source| source.under_way), false);
    scene.run("UPDATE onboarding SET done_at = 5 WHERE id = 'x'").await?;
    same!(open(scene.a.open_onboarding("C", "acme").await?), None);
    expand(&scene.b, "z", &onboard("acme", &["late"]), 4000).await?;
    scene.run("UPDATE message SET place_channel = 'C', place_ts = '3' WHERE id = 'z-0'").await?;
    same!(open(scene.a.open_onboarding("C", "acme").await?).as_deref(), Some("z"));
    // Where nobody named a customer, nothing is added.
    let nobody = Onboard { customer: None, sources: vec![source("alone")] };
    for id in ["n", "m"] {
        let claimed = accept(&scene.a, id).await?;
        let expanded = scene.a.expand(&claimed, &nobody, at(5000)).await?.ok_or("somebody else's")?;
        same!(expanded.onboarding.id, id);
    }
    same!(scene.a.onboarding("n").await?.ok_or("none")?.customer, None);
    Ok(())
}

pub(super) async fn what_is_done_takes_no_source_that_was_asked_for_by_itself(scene: &Scene) -> Outcome {
    for (id, customer) in [("x", "acme"), ("other", "beta")] {
        expand(&scene.a, id, &onboard(customer, &[id]), 1000).await?;
    }
    let claimed = accept(&scene.a, "alone").await?;
    let mut alone = connection("g", "alone");
    alone.link.message_id = "x-0".to_owned();
    let change = Change { connection: alone.clone(), show: vec!["x-0".to_owned()], news: None };
    let join = async |version| -> Outcome<_> {
        let (held, message, now) = (Some(&claimed), MessageWrite::None, at(2000));
        let (progress, trail, reminders) = (None, None, false);
        let write = Write { change: &change, version, held, progress, message, trail, reminders, now };
        Ok(scene.a.join("x", write).await?)
    };
    scene.run("UPDATE onboarding SET done_at = 5 WHERE id = 'x'").await?;
    same!(join(0).await?, None);
    same!(scene.ask("SELECT name FROM connection").await?, "");
    scene.run("UPDATE onboarding SET done_at = NULL WHERE id = 'x'").await?;
    same!(join(0).await?, Some(Written::Committed));
    // What it was judged by is not so any more; and whoever has not the command any more moves nothing.
    same!(join(0).await?, Some(Written::Conflict));
    scene.run("UPDATE command SET fence = fence + 1 WHERE id = 'alone'").await?;
    same!(join(1).await?, Some(Written::LeaseLost));
    // It keeps the onboarding open, as the others do. What is in it goes on when that is done.
    scene.run("UPDATE command SET ended_at = 5").await?;
    let seen = scene.b.onboarding("x").await?.ok_or("none")?;
    same!(scene.b.finish_onboarding(&seen, at(3000)).await?, false);
    alone.link.state = State::Connected;
    same!(Judged::by(&alone, 1).write(&scene.a).await?, Written::Committed);
    same!(scene.b.finish_onboarding(&seen, at(4000)).await?, true);
    Ok(())
}

pub(super) async fn an_onboarding_is_done_once_and_when_nothing_is_left(scene: &Scene) -> Outcome {
    expand(&scene.a, "x", &onboard("acme", &["one"]), 1000).await?;
    expand(&scene.a, "other", &onboard("beta", &["two"]), 1000).await?;
    let seen = scene.a.onboarding("x").await?.ok_or("none")?;
    same!(scene.a.finish_onboarding(&seen, at(2000)).await?, false);
    scene.run("UPDATE command SET ended_at = 5 WHERE id IN ('x', 'x-1')").await?;
    let mut one = connection("g", "one");
    one.link.message_id = "x-0".to_owned();
    keep(scene, &one).await?;
    let mut elsewhere = connection("g", "elsewhere");
    elsewhere.link.message_id = "m".to_owned();
    keep(scene, &elsewhere).await?;
    same!(scene.a.finish_onboarding(&seen, at(2000)).await?, false);
    one.link.state = State::Connected;
    Judged::by(&one, 1).write(&scene.a).await?;
    same!(scene.a.finish_onboarding(&seen, at(3000)).await?, true);
    same!(scene.b.finish_onboarding(&seen, at(4000)).await?, false);
    scene.a.told_onboarding("x").await?;
    same!(scene.ask("SELECT id || ' ' || told FROM onboarding ORDER BY 1").await?, "other 0,x 1");
    same!(
        scene.ask("SELECT id || ' ' || coalesce(done_at, 0) FROM onboarding ORDER BY 1").await?,
        "other 0,x 3000"
    );
    Ok(())
}

pub(super) async fn what_was_done_long_ago_is_forgotten_with_its_message(scene: &Scene) -> Outcome {
    for (id, customer) in [("old", "a"), ("shown", "b"), ("open", "c"), ("new", "d")] {
        expand(&scene.a, id, &onboard(customer, &[id]), 1000).await?;
    }
    scene.run("UPDATE command SET ended_at = 5").await?;
    scene.run("UPDATE onboarding SET done_at = 5 WHERE id IN ('old', 'shown')").await?;
    scene.run("UPDATE onboarding SET done_at = 9000000000000 WHERE id = 'new'").await?;
    scene.run("UPDATE message SET left_at = NULL WHERE onboarding = 'shown'").await?;
    scene.a.purge(at(10_000) + KEEP).await?;
    scene.a.purge(at(10_000) + KEEP).await?;
    same!(scene.ask("SELECT id FROM onboarding ORDER BY 1").await?, "new,open,shown");
    same!(scene.ask("SELECT onboarding FROM source ORDER BY 1").await?, "new,open,shown");
    Ok(())
}
