//! A database whose answers get lost, that falls silent, or that holds what this version cannot
//! read: nothing that was not promised happens, and nothing that was promised hangs.

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::journal::Progress;
use connect_card::store::{Accepted, DatabaseUrl, NewCommand, Options, Store};
use secrecy::SecretString;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{self, Message};
use tokio::time::Instant;

use crate::harness::postgres::{self, Postgres};
use crate::harness::{Setup, TestBot, Trick, Wire, client, landing_of, link_of, until};

/// A bot on Postgres behind a wire.
async fn behind_a_wire(postgres: &Postgres, word: &str) -> (TestBot, Wire, String) {
    let url = postgres.database();
    let (head, rest) = url.split_once("127.0.0.1:").unwrap();
    let (port, database) = rest.split_once('/').unwrap();
    let wire = Wire::lay(port.parse().unwrap(), word).await;
    let through = format!("{head}127.0.0.1:{}/{database}", wire.port);
    let bot = Setup::new().await.with("LEASE_SECONDS", "1").with("DATABASE_URL", &through).start().await;
    (bot, wire, database.to_owned())
}

async fn stage_of(postgres: &'static Postgres, database: &str, schema: &str) -> Vec<String> {
    let (database, sql) = (
        database.to_owned(),
        format!("SELECT stage FROM command WHERE request LIKE '%{schema}%' ORDER BY accepted_at"),
    );
    let (worked, rows) = tokio::task::spawn_blocking(move || postgres.psql(&database, &sql)).await.unwrap();
    assert!(worked, "{rows}");
    rows.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_was_not_promised_and_never_happens() {
    let Some(postgres) = postgres::shared() else { return };
    let (bot, wire, database) = behind_a_wire(postgres, "ghost_schema").await;
    wire.arm(Trick::Cut);
    let sentence = bot.send("google_ads ghost_schema").await.text();
    assert!(wire.played() == 1, "the answer was lost");
    assert!(sentence.contains("I didn't do anything"), "{sentence}");
    until("the row is void", async || {
        (stage_of(postgres, &database, "ghost_schema").await == ["void"]).then_some(())
    })
    .await;
    // It is no twin to anybody.
    bot.send("google_ads ghost_schema").await;
    assert!(bot.message(1).await.rendered().contains("ghost_schema"));
    assert_eq!(bot.fivetran.calls_to("create_connection"), 1);
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_is_claimed_again() {
    let Some(postgres) = postgres::shared() else { return };
    let (bot, wire, _) = behind_a_wire(postgres, "SKIP LOCKED").await;
    // A command that waits, so that it has to be claimed.
    let throttled = Fault::Throttled { retry_after: Some("1".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", throttled, 1));
    bot.send("google_ads claimed_twice").await;
    until("it waits", async || (bot.fivetran.calls_to("create_connection") == 1).then_some(())).await;
    wire.arm(Trick::Cut);
    until("a claim was cut off", async || (wire.played() == 1).then_some(())).await;
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_is_given_up_and_stops_nothing_for_long() {
    let Some(postgres) = postgres::shared() else { return };
    let (bot, wire, _) = behind_a_wire(postgres, "silent_schema").await;
    wire.arm(Trick::Silence);
    let sentence = bot.send("google_ads silent_schema").await.text();
    assert!(sentence.contains("it may be lost"), "{sentence}");
    // While the writer waits for it, the bot says that it is not ready.
    until("the bot is not ready", async || (!bot.is_ready().await).then_some(())).await;
    until("the bot is ready", async || bot.is_ready().await.then_some(())).await;
    bot.send("google_ads after_silence").await;
    assert!(bot.message(1).await.rendered().contains("after_silence"));
    // The silent connection is as silent as ever.
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_comes_back_while_the_database_is_slow_sees_a_page_that_asks_again() {
    let Some(postgres) = postgres::shared() else { return };
    let (bot, wire, _) = behind_a_wire(postgres, "nothing yet").await;
    bot.send("google_ads acme").await;
    let link = link_of(&bot.message(1).await).unwrap();
    bot.until_all_ended().await;
    let page = async || {
        let page = client().get(format!("{}/connected/{}", bot.url, landing_of(&link))).send().await.unwrap();
        assert_eq!(page.status(), 200);
        page.text().await.unwrap()
    };
    wire.listen_for(landing_of(&link));
    wire.arm(Trick::Hold);
    let slow = page().await;
    assert!(wire.played() > 0, "the database was asked");
    assert!(slow.contains("Checking your connection") && slow.contains(r#"content="10""#), "{slow}");
    wire.release();
    let quick = page().await;
    assert!(quick.contains("Google Ads"), "{quick}");
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_read_does_not_hold_up_its_neighbours() {
    let bot = Setup::new().await.with("LEASE_SECONDS", "1").start().await;
    let throttled = Fault::Throttled { retry_after: Some("2".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", throttled, 3));
    bot.send("google_ads good_schema").await;
    bot.send("google_ads bad_schema").await;
    bot.send("google_ads old_schema").await;
    let path = bot.database().strip_prefix("sqlite:").unwrap().to_owned();
    let mut beside = SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    until("all wait", async || {
        let sql = "SELECT count(*) FROM command WHERE lease_until = 0";
        let waiting: i64 = sqlx::query(sql).fetch_one(&mut beside).await.unwrap().get(0);
        (waiting == 3).then_some(())
    })
    .await;
    // As a newer version might have left it.
    for future in [
        "UPDATE command SET stage = 'rehearse' WHERE request LIKE '%bad_schema%'",
        "UPDATE command SET stage = 'rehearse', accepted_at = accepted_at - 7201000 WHERE request LIKE '%old_schema%'",
    ] {
        sqlx::query(future).execute(&mut beside).await.unwrap();
    }
    assert!(bot.message(1).await.rendered().contains("good_schema"));
    // It is still there for a version that can read it.
    let back = "UPDATE command SET stage = 'create' WHERE request LIKE '%bad_schema%'";
    sqlx::query(back).execute(&mut beside).await.unwrap();
    until("its link", async || {
        let messages = bot.slack.messages();
        messages.iter().any(|it| it.rendered().contains("`bad_schema`")).then_some(())
    })
    .await;
    // But not for ever: then its person is told.
    until("the end of the old one", async || {
        let sql = "SELECT count(*) FROM command WHERE stage = 'told' AND ended_at IS NOT NULL";
        let ended: i64 = sqlx::query(sql).fetch_one(&mut beside).await.unwrap().get(0);
        (ended == 1).then_some(())
    })
    .await;
    drop(beside);
    let told = |it: &Message| it.rendered().contains("I had to give up on a command of yours");
    let messages = bot.finish().await;
    assert_eq!((messages.len(), messages.iter().filter(|it| told(it)).count()), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_during_a_stall_is_nobodys_twin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stalled.db");
    let url = DatabaseUrl::Sqlite(path.clone());
    let secrets = [SecretString::from(slack::SIGNING_SECRET.to_owned())];
    let store = Store::open(Options {
        url: &url,
        secrets: &secrets,
        lease: Duration::from_secs(30),
        metrics: connect_card::telemetry::Metrics::default(),
    })
    .await
    .unwrap();
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let accept = |id: &str| {
        let new = NewCommand {
            id: id.to_owned(),
            dedup: id.to_owned(),
            subject: "the same".to_owned(),
            team_id: "T".to_owned(),
            channel_id: "C".to_owned(),
            user_id: "U".to_owned(),
            request: "{}".to_owned(),
            response_url: Some(SecretString::from("https://hooks.slack.com/x".to_owned())),
            progress: Progress::default(),
            accepted_at: Clock::default().now(),
        };
        let store = store.clone();
        tokio::spawn(async move { store.accept(new, Instant::now() + Duration::from_secs(2)).await })
    };
    assert!(accept("first").await.unwrap().is_err(), "not in time");
    let second = accept("second");
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert!(matches!(second.await.unwrap(), Ok(Accepted::Committed(_))), "its predecessor is void");
    let rows =
        sqlx::query("SELECT id FROM command WHERE stage <> 'void'").fetch_all(&mut other).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>(), ["second"]);
    drop(other);
    store.close().await;
}
