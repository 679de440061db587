//! Commands that wait for their turn at Fivetran: what they knew before the wait is asked again
//! after it, and what has changed by then sends nothing.
//!
//! A rate limit makes them wait: whoever meets it rests, and everybody behind stands in line until
//! the pause is over. Who stands in front is called first, so that a call of the last one tells that
//! the turn of the others has passed.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::FivetranStandIn;

use crate::harness::{CHANNEL, Engine, Outside, Setup, TestBot, client, free_port, until};

/// What Fivetran asks for: short enough to be waited out.
const PAUSE: Duration = Duration::from_secs(50);

/// A bot whose metrics can be read.
async fn start(lease_s: &str) -> (TestBot, Metrics) {
    let metrics = Metrics::on_a_free_port();
    let setup = Setup::new().await.with("METRICS_ADDR", &metrics.0).with("LEASE_SECONDS", lease_s);
    (setup.start().await, metrics)
}

/// Where a bot shows its metrics.
struct Metrics(String);

impl Metrics {
    fn on_a_free_port() -> Self {
        Self(format!("127.0.0.1:{}", free_port()))
    }

    async fn until_so_many_wait(&self, wanted: usize) {
        until("the line", async || {
            let answer = client().get(format!("http://{}/metrics", self.0)).send().await.ok()?;
            let text = answer.text().await.ok()?;
            let waiting = text.lines().find_map(|line| line.strip_prefix("connect_card_waiting "))?;
            (waiting == wanted.to_string()).then_some(())
        })
        .await;
    }
}

fn throttle_one(fivetran: &FivetranStandIn) {
    let retry_after = Some(PAUSE.as_secs().to_string());
    fivetran.faults(|it| it.fail_next("create_connection", Fault::Throttled { retry_after }, 1));
}

/// When Fivetran was asked about a schema, first to last.
fn asked_for(fivetran: &FivetranStandIn, schema: &str) -> Vec<Instant> {
    let about = |call: &stand_ins::fivetran::Call| {
        call.body.to_string().contains(schema) || call.query.contains(schema)
    };
    fivetran.calls().into_iter().filter(about).map(|call| call.at).collect()
}

/// Types a command that meets the rate limit and one that waits because of it.
async fn one_meets_the_limit_and_one_waits(bot: &TestBot, metrics: &Metrics) {
    throttle_one(&bot.fivetran);
    bot.send("google_ads first_customer").await;
    until("the limit", async || (!asked_for(&bot.fivetran, "first_customer").is_empty()).then_some(())).await;
    bot.send("google_ads second_customer").await;
    metrics.until_so_many_wait(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_holds_everybody_and_not_for_longer_than_it_says() {
    let (bot, metrics) = start("45").await;
    one_meets_the_limit_and_one_waits(&bot, &metrics).await;
    assert_eq!(asked_for(&bot.fivetran, "second_customer").len(), 0);
    bot.advance(PAUSE + Duration::from_secs(2));
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_taken_over_while_it_waits_is_not_sent() {
    let (bot, metrics) = start("1").await;
    one_meets_the_limit_and_one_waits(&bot, &metrics).await;
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let taken = "UPDATE command SET fence = fence + 1, owner = 'another', lease_until = 9e15 \
                 WHERE request LIKE '%second_customer%' AND ended_at IS NULL";
    assert_eq!(sqlx::query(taken).execute(&mut db).await.unwrap().rows_affected(), 1);
    // It learns so when it prolongs its leases.
    metrics.until_so_many_wait(0).await;
    bot.advance(PAUSE + Duration::from_secs(2));
    until("the first one's link", async || {
        bot.slack.messages().iter().any(|it| it.rendered().contains("`first_customer`")).then_some(())
    })
    .await;
    assert_eq!(asked_for(&bot.fivetran, "second_customer").len(), 0);
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_lease_ran_out_while_it_waited_is_not_sent_on_it() {
    let (bot, metrics) = start("1").await;
    one_meets_the_limit_and_one_waits(&bot, &metrics).await;
    // No lease can be prolonged any more.
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut db).await.unwrap();
    let ended = "SELECT count(*) FROM command WHERE request LIKE '%second_customer%' \
                 AND lease_until < unixepoch('subsec') * 1000";
    until("the end of its lease", async || {
        let ended: i64 = sqlx::query_scalar(ended).fetch_one(&mut db).await.unwrap();
        (ended == 1).then_some(())
    })
    .await;
    bot.advance(PAUSE + Duration::from_secs(2));
    metrics.until_so_many_wait(0).await;
    // Whatever was sent when it was called has arrived before all of these.
    for _ in 0..50 {
        client().get(format!("{}/public/connector-types", bot.fivetran.url())).send().await.unwrap();
    }
    assert_eq!(asked_for(&bot.fivetran, "second_customer").len(), 0);
    sqlx::query("ROLLBACK").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_waits_when_the_bot_stops_is_left_to_the_next_process() {
    let outside = Outside::start().await;
    let metrics = Metrics::on_a_free_port();
    let program = Engine::Sqlite.program(&outside).with("METRICS_ADDR", &metrics.0);
    let process = program.start().await;
    throttle_one(&outside.fivetran);
    process.send_in(&outside.slack, CHANNEL, "google_ads first_customer").await;
    until("the limit", async || (!asked_for(&outside.fivetran, "first_customer").is_empty()).then_some(()))
        .await;
    process.send_in(&outside.slack, CHANNEL, "google_ads second_customer").await;
    metrics.until_so_many_wait(1).await;
    let log = process.stop().await;
    assert!(!log.contains("leaving commands to the next process"), "it does not wait for them: {log}");
    assert_eq!(asked_for(&outside.fivetran, "second_customer").len(), 0);
    let process = program.start().await;
    until("its link", async || {
        let messages = outside.slack.messages();
        messages.iter().any(|it| it.rendered().contains("second_customer")).then_some(())
    })
    .await;
    process.stop().await;
}
