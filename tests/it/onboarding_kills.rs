//! Several sources at once, while processes die: whatever the point, nothing is made twice, what was
//! acknowledged is in one message that is true, and what was refused is told.

use connect_card::reply::onboarding::CONNECT;
use futures_util::{StreamExt as _, stream};
use stand_ins::fault::Fault;
use stand_ins::slack::{BOT_TOKEN, Message, Visibility};

use crate::harness::{CHANNEL, Engine, Outside, postgres, until};
use crate::onboarding::config;

/// Points at a time; most of each one's time is spent waiting.
const AT_A_TIME: usize = 6;

/// Where a process dies between the command and its end.
const POINTS: [&str; 13] = [
    "accept: committed",
    "onboard: company seen",
    "onboard: expanded",
    "create: before the call",
    "create: answered",
    "look: answered",
    "mint: answered",
    "deliver: recorded",
    "join: before the commit",
    "onboard: before the post",
    "onboard: posted",
    "onboard: reported",
    "end: recorded",
];

/// The messages that offer sources.
fn offers(outside: &Outside) -> Vec<Message> {
    let offers = |it: &Message| {
        it.visibility == Visibility::Channel && it.payload.to_string().contains(&format!("\"{CONNECT}\""))
    };
    outside.slack.messages().into_iter().filter(offers).collect()
}

fn report(outside: &Outside) -> Option<Message> {
    let reports = |it: &Message| it.rendered().contains("One of the 3 sources isn't in the message");
    outside.slack.messages().into_iter().find(reports)
}

async fn survives(engine: Engine, point: &'static str) {
    let what = format!("{engine}, killed at “{point}”");
    let (_folder, path) = config();
    let outside = Outside::start().await;
    let _ = outside.fivetran.seed_connection("stripe", "acme_hubspot", "connected");
    if ["look: answered", "mint: answered"].contains(&point) {
        outside.fivetran.faults(|it| it.fail_next("create_connection", Fault::DropAfter, 3));
    }
    let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN).with("CONFIG", &path);
    let program = program.with("LEASE_SECONDS", if matches!(engine, Engine::Sqlite) { "600" } else { "1" });
    let crashing = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill");
    let mut process = crashing.start().await;
    // It may die before it has answered; all of these points come after the commit.
    let _ = process.try_to_send(&outside.slack, CHANNEL, "google_ads, hubspot, facebook_ads").await;
    assert_eq!(process.wait().await.code(), None, "{what}: {}", process.log());

    let process = program.start().await;
    let all_there = async || {
        let message = offers(&outside).pop()?.rendered();
        let both = ["Google Ads", "Facebook Ads"].iter().all(|it| message.contains(&format!("Connect {it}")));
        (both && !message.contains("HubSpot") && !message.contains("being set up")).then_some(())
    };
    until(&format!("the message: {what}"), all_there).await;
    until(&format!("the report: {what}"), async || report(&outside)).await;
    for (name, count) in outside.connections_by_name() {
        assert_eq!(count, 1, "{what}: {name} was made {count} times");
    }
    // Only where the answer to its post was lost with the process can the message stand there twice.
    assert!(offers(&outside).len() == 1 || point == "onboard: posted", "{what}: {}", offers(&outside).len());

    let ids: Vec<_> = ["acme_google_ads", "acme_facebook_ads"]
        .iter()
        .map(|name| {
            let connections = outside.fivetran.connections();
            let it = connections.iter().find(|it| it["schema"] == **name).unwrap();
            it["id"].as_str().unwrap().to_owned()
        })
        .collect();
    ids.iter().for_each(|id| outside.fivetran.finish_setup(id));
    for name in ["acme_google_ads", "acme_facebook_ads"] {
        process.send(&outside.slack, &format!("status {name}")).await;
    }
    let done =
        |it: &Message| it.visibility == Visibility::Channel && it.rendered().contains("Both are connected.");
    until(&format!("the end: {what}"), async || outside.slack.messages().iter().any(done).then_some(()))
        .await;
    process.stop().await;
    outside.shutdown();
}

async fn every_point(engine: Engine) {
    stream::iter(POINTS).for_each_concurrent(AT_A_TIME, async |point| survives(engine, point).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_survive_a_kill_at_every_point_on_sqlite() {
    every_point(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_survive_a_kill_at_every_point_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    every_point(Engine::Postgres(postgres)).await;
}
