//! A source that is asked for by itself, just as the onboarding that it would belong to comes to its end: it
//! is in the one message or has one of its own, and is never part of what is done.

use std::time::Duration;

use connect_card::reply::onboarding::CONNECT;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{BOT_TOKEN, Message, Visibility};
use tempfile::TempDir;

use crate::harness::{CHANNEL, Engine, Outside, Process, Program, Setup, USER, link_of, postgres, until};
use crate::onboarding::config;

/// A channel in which an onboarding of two sources is open.
struct Scene {
    outside: Outside,
    program: Program,
    folder: TempDir,
}

impl Scene {
    async fn new(engine: Engine) -> Self {
        let (folder, path) = config();
        let outside = Outside::start().await;
        let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN).with("CONFIG", &path);
        // Nobody else takes over what is stopped or waits.
        Self { outside, program: program.with("LEASE_SECONDS", "600"), folder }
    }

    async fn begin(&self, process: &Process) {
        process.send(&self.outside.slack, "google_ads, hubspot").await;
        until("the message", async || {
            let it = self.channel().pop()?.rendered();
            (it.contains("Connect Google Ads") && it.contains("Connect HubSpot")).then_some(())
        })
        .await;
        // That it stands there is on disk by then.
        let is_its_end = |line: &str| line.contains("command ended") && line.contains(r#""verb":"onboard""#);
        until("its end", async || process.log().lines().any(is_its_end).then_some(())).await;
    }

    /// The messages in the channel.
    fn channel(&self) -> Vec<Message> {
        let shown = |it: &Message| it.visibility == Visibility::Channel && it.thread_ts.is_none();
        self.outside.slack.messages().into_iter().filter(shown).collect()
    }

    /// Where Stripe is: whether in the message of the onboarding, and whether by a link of its own.
    fn stripe(&self) -> (bool, bool) {
        let all = self.channel();
        let offers = |it: &&Message| it.payload.to_string().contains(&format!("\"{CONNECT}\""));
        let shared = all.iter().filter(offers).any(|it| it.rendered().contains("Connect Stripe"));
        (shared, all.iter().any(|it| link_of(it).is_some() && it.rendered().contains("Stripe")))
    }

    /// Whether its person was told that it is in the message.
    fn is_promised(&self) -> bool {
        let told = |it: &Message| it.rendered().contains("Stripe is in the message above");
        self.outside.slack.messages().iter().any(told)
    }

    /// Its customer finishes it, by the button in the message.
    fn finish_stripe(&self) {
        let is_it = |it: &&Value| it["schema"] == "acme_stripe";
        let connections = self.outside.fivetran.connections();
        self.outside.fivetran.finish_setup(connections.iter().find(is_it).unwrap()["id"].as_str().unwrap());
    }

    fn made(&self) -> Option<usize> {
        self.outside.connections_by_name().get("acme_stripe").copied()
    }

    async fn until_it_has_its_own(&self) {
        until("a message of its own", async || self.stripe().1.then_some(())).await;
        assert_eq!((self.stripe(), self.is_promised(), self.made()), ((false, true), false, Some(1)));
    }

    async fn until_it_is_in_the_message(&self) {
        until("a line", async || (self.stripe().0 && self.is_promised()).then_some(())).await;
        assert_eq!((self.stripe(), self.made()), ((true, false), Some(1)));
    }
}

/// The last source is connected between the look for what is open and the commit.
async fn comes_too_late(engine: Engine) {
    let scene = Scene::new(engine).await;
    let held = scene.folder.path().join("held");
    let holds = scene.program.clone().with("CRASH_AT", "add: before the commit").with("CRASH_BY", "hold");
    // A process that stood still could hold SQLite's lock.
    let process = holds.with("CRASH_HELD", held.to_str().unwrap()).start().await;
    scene.begin(&process).await;
    let _ = process.try_to_send(&scene.outside.slack, CHANNEL, "stripe").await;
    until("it to be held", async || held.exists().then_some(())).await;
    scene.program.sql("UPDATE onboarding SET done_at = 5").await;
    std::fs::remove_file(&held).unwrap();
    scene.until_it_has_its_own().await;
    process.stop().await;
    scene.outside.shutdown();
}

#[tokio::test]
async fn what_comes_too_late_has_a_message_of_its_own_on_sqlite() {
    comes_too_late(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_comes_too_late_has_a_message_of_its_own_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    comes_too_late(Engine::Postgres(postgres)).await;
}

/// Whoever has put it into the message dies, before or after that is on disk and before anybody hears of it.
async fn survives(engine: Engine, point: &str) {
    let scene = Scene::new(engine).await;
    let program = scene.program.clone();
    let program = program.with("LEASE_SECONDS", if matches!(engine, Engine::Sqlite) { "600" } else { "4" });
    let mut process = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").start().await;
    scene.begin(&process).await;
    let _ = process.try_to_send(&scene.outside.slack, CHANNEL, "stripe").await;
    assert_eq!(process.wait().await.code(), None, "{point}: {}", process.log());
    assert!(!scene.is_promised(), "{point}");
    if point == "add: recorded" {
        // What it is part of may be done by the time somebody goes on with it.
        scene.program.sql("UPDATE onboarding SET done_at = 5").await;
    }
    let process = program.start().await;
    scene.until_it_is_in_the_message().await;
    process.stop().await;
    scene.outside.shutdown();
}

#[tokio::test]
async fn what_joins_survives_a_kill_on_sqlite() {
    survives(Engine::Sqlite, "add: before the commit").await;
    survives(Engine::Sqlite, "add: recorded").await;
}

#[tokio::test]
async fn what_joins_survives_a_kill_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    survives(Engine::Postgres(postgres), "add: before the commit").await;
    survives(Engine::Postgres(postgres), "add: recorded").await;
}

/// The process that has put it into the message dies before it has said so, and its customer finishes it before
/// another process goes on: it is in the message, and nobody is told anything else.
async fn is_not_asked_about_again(engine: Engine) {
    let scene = Scene::new(engine).await;
    let program = scene.program.clone();
    let program = program.with("LEASE_SECONDS", if matches!(engine, Engine::Sqlite) { "600" } else { "4" });
    let mut process =
        program.clone().with("CRASH_AT", "add: recorded").with("CRASH_BY", "kill").start().await;
    scene.begin(&process).await;
    let _ = process.try_to_send(&scene.outside.slack, CHANNEL, "stripe").await;
    assert_eq!(process.wait().await.code(), None, "{}", process.log());
    scene.finish_stripe();
    let cards = scene.outside.fivetran.calls_to("connect_card");
    let process = program.start().await;
    until("its end", async || {
        let is_its_end = |line: &str| line.contains("command ended") && line.contains("acme_stripe");
        process.log().lines().any(is_its_end).then_some(())
    })
    .await;
    assert!(scene.is_promised(), "{}", process.log());
    let denied = |it: &Message| it.rendered().contains("couldn't make sure that its link was posted");
    assert!(!scene.outside.slack.messages().iter().any(denied), "{}", process.log());
    assert_eq!(scene.outside.fivetran.calls_to("connect_card"), cards, "nobody would use it");
    process.stop().await;
    scene.outside.shutdown();
}

#[tokio::test]
async fn what_has_joined_is_not_asked_about_again_on_sqlite() {
    is_not_asked_about_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_has_joined_is_not_asked_about_again_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    is_not_asked_about_again(Engine::Postgres(postgres)).await;
}

#[tokio::test]
async fn what_has_joined_has_joined_though_slack_takes_no_word_of_it() {
    let (_folder, path) = config();
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    bot.types("google_ads, hubspot").await;
    for route in ["response_url", "chat.postEphemeral", "chat.postMessage"] {
        let hour = Fault::Throttled { retry_after: Some("3600".to_owned()) };
        bot.slack.faults(|faults| faults.fail_always(route, hour));
    }
    bot.types_meanwhile(USER, CHANNEL, "stripe").await;
    let tried = || bot.slack.calls_to("chat.postMessage") > 1;
    until("a refused word", async || tried().then_some(())).await;
    bot.advance(Duration::from_mins(26));
    bot.until_all_ended().await;
    bot.slack.faults(|faults| faults.heal());
    let messages = bot.finish().await;
    let all: Vec<_> = messages.iter().map(Message::rendered).collect();
    assert!(
        !all.iter().any(|text| text.contains("rejected") || text.contains("type the command again")),
        "{all:#?}"
    );
}

/// A session of our own, in which we are in the middle of something.
async fn session(scene: &Scene, statement: &'static str) -> PgConnection {
    let mut db = PgConnection::connect(scene.program.var("DATABASE_URL")).await.unwrap();
    sqlx::query("BEGIN").execute(&mut db).await.unwrap();
    assert_eq!(sqlx::query(statement).execute(&mut db).await.unwrap().rows_affected(), 1, "{statement}");
    db
}

async fn count(scene: &Scene, statement: &'static str) -> i64 {
    let mut db = PgConnection::connect(scene.program.var("DATABASE_URL")).await.unwrap();
    let count = sqlx::query_scalar(statement).fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    count
}

#[tokio::test]
async fn what_joins_waits_for_an_end_that_is_being_committed() {
    let Some(postgres) = postgres::shared() else { return };
    let scene = Scene::new(Engine::Postgres(postgres)).await;
    let process = scene.program.start().await;
    scene.begin(&process).await;
    // The end holds it, and has not been committed.
    let mut ends = session(&scene, "UPDATE onboarding SET opened_at = opened_at").await;
    process.send(&scene.outside.slack, "stripe").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO connection %'";
    until("somebody who waits", async || (count(&scene, waits).await > 0).then_some(())).await;
    assert_eq!((scene.stripe(), scene.is_promised()), ((false, false), false));
    sqlx::query("UPDATE onboarding SET done_at = 5").execute(&mut ends).await.unwrap();
    sqlx::query("COMMIT").execute(&mut ends).await.unwrap();
    scene.until_it_has_its_own().await;
    process.stop().await;
    scene.outside.shutdown();
}

#[tokio::test]
async fn an_end_waits_for_what_joins_and_is_being_committed() {
    let Some(postgres) = postgres::shared() else { return };
    let scene = Scene::new(Engine::Postgres(postgres)).await;
    let process = scene.program.start().await;
    scene.begin(&process).await;
    // Or what is still to be written about it would wait for us, and what joins for that.
    let at_work = "SELECT count(*) FROM message WHERE lease_until > 0";
    until("the message to be at rest", async || (count(&scene, at_work).await == 0).then_some(())).await;
    // What joins comes to this row when its connection is written, and before it is committed.
    let mut ours = session(&scene, "UPDATE message SET tries = tries WHERE onboarding IS NOT NULL").await;
    process.send(&scene.outside.slack, "stripe").await;
    let free =
        "WITH free AS (SELECT 1 FROM onboarding FOR NO KEY UPDATE SKIP LOCKED) SELECT count(*) FROM free";
    until("a lock on the onboarding", async || (count(&scene, free).await == 0).then_some(())).await;
    assert_eq!((scene.stripe(), scene.is_promised()), ((false, false), false));
    sqlx::query("ROLLBACK").execute(&mut ours).await.unwrap();
    scene.until_it_is_in_the_message().await;
    process.stop().await;
    scene.outside.shutdown();
}
