//! A source that is asked for by itself, just as the onboarding that it would belong to comes to its end: it
//! is in the one message or has one of its own, and is never part of what is done.

use connect_card::reply::onboarding::CONNECT;
use sqlx::{Connection as _, PgConnection};
use stand_ins::slack::{BOT_TOKEN, Message, Visibility};
use tempfile::TempDir;

use crate::harness::{CHANNEL, Engine, Outside, Process, Program, link_of, postgres, until};
use crate::onboarding::config;

/// A channel in which an onboarding of two sources is open.
struct Scene {
    outside: Outside,
    program: Program,
    _folder: TempDir,
}

impl Scene {
    async fn new(engine: Engine) -> Self {
        let (folder, path) = config();
        let outside = Outside::start().await;
        let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN).with("CONFIG", &path);
        // Nobody else takes over what is stopped or waits.
        Self { outside, program: program.with("LEASE_SECONDS", "600"), _folder: folder }
    }

    async fn begin(&self, process: &Process) {
        process.send(&self.outside.slack, "google_ads, hubspot").await;
        until("the message", async || {
            let it = self.channel().pop()?.rendered();
            (it.contains("Connect Google Ads") && it.contains("Connect HubSpot")).then_some(())
        })
        .await;
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
    let stops = scene.program.clone().with("CRASH_AT", "add: before the commit").with("CRASH_BY", "stop");
    let process = stops.start().await;
    scene.begin(&process).await;
    let _ = process.try_to_send(&scene.outside.slack, CHANNEL, "stripe").await;
    process.until_it_is_stopped().await;
    scene.program.sql("UPDATE onboarding SET done_at = 5").await;
    process.wake().await;
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
    let program = program.with("LEASE_SECONDS", if matches!(engine, Engine::Sqlite) { "600" } else { "1" });
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
