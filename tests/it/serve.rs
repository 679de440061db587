//! The bot as a process: health, metrics, the customer's landing page, and the end of it.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_card::outbound;
use sqlx::Connection as _;
use stand_ins::fault::{Fault, Faults};
use stand_ins::fivetran::FivetranStandIn;
use stand_ins::slack::{Message, SlackStandIn, Visibility};

use crate::harness::{CHANNEL, Setup, TestBot, USER, link_of, stand_ins, until};
use crate::program::{Program, free_address};

const COMMAND: &str = "google_ads customer_schema";

async fn get(url: String) -> reqwest::Response {
    outbound::client(None).unwrap().get(url).send().await.unwrap()
}

#[tokio::test]
async fn a_bot_that_runs_is_alive_and_ready() {
    let bot = TestBot::start().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(format!("{}{path}", bot.url)).await.status().as_u16(), 200, "{path}");
    }
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn a_bot_that_is_stopping_is_alive_and_not_ready() {
    let bot = TestBot::start().await;
    bot.app.bot.stopping.cancel();
    assert_eq!(get(format!("{}/healthz", bot.url)).await.status().as_u16(), 200);
    assert_eq!(get(format!("{}/readyz", bot.url)).await.status().as_u16(), 503);
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn a_command_that_cannot_be_noted_down_is_refused_and_never_happens() {
    let bot = TestBot::start().await;
    let mut other = sqlx::SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let ack = bot.send("google_ads while_locked").await;
    assert!(ack.json()["text"].as_str().unwrap().contains("could not note this down"), "{}", ack.text());
    assert_eq!(get(format!("{}/readyz", bot.url)).await.status().as_u16(), 503);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    bot.send("google_ads afterwards").await;
    let fivetran = bot.fivetran.clone();
    assert!(bot.finish_with_link().await.rendered().contains("afterwards"));
    assert_eq!(fivetran.connections().len(), 1);
}

#[tokio::test]
async fn the_landing_page_keeps_everything_to_itself() {
    let bot = TestBot::start().await;
    let mut pages = Vec::new();
    for path in ["/connected/0123456789?id=calm_delta", "/connected/%3Cscript%3Ecanary?x=<b>canary"] {
        let page = get(format!("{}{path}", bot.url)).await;
        assert_eq!(page.status().as_u16(), 200);
        let header = |name: &str| page.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("x-robots-tag").contains("noindex"));
        assert!(page.headers().get("set-cookie").is_none());
        pages.push(page.text().await.unwrap());
    }
    assert_eq!(pages[0], pages[1], "whoever opens it, with whatever, sees the same");
    for echo in ["calm_delta", "0123456789", "canary", "<script"] {
        assert!(!pages[0].contains(echo), "{echo}");
    }
    assert_eq!(bot.api_calls().len(), 0, "opening it changes nothing");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn the_card_leads_the_customer_back_to_the_landing_page() {
    let bot = TestBot::start().await;
    bot.send(COMMAND).await;
    let link = link_of(&bot.message(1).await).unwrap();
    let client = outbound::client(None).unwrap();
    let done = client.post(link).body("outcome=connect").send().await.unwrap();
    assert!(done.status().is_redirection(), "{}", done.status());
    let back = done.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&format!("{}/connected/", bot.url)), "{back}");
    let page = get(back).await;
    assert_eq!(page.status().as_u16(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("Google Ads is connected"), "{page}");
    // The message has turned, and its thread tells.
    let [message, news] = &bot.finish().await[..] else { panic!("a message and its thread") };
    assert!(message.rendered().contains("is connected, since"), "{}", message.rendered());
    assert_eq!(link_of(message), None);
    assert_eq!(news.thread_ts.as_ref(), Some(&message.ts));
}

/// Every sample of an OpenMetrics page by its name and labels.
fn samples(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with("# EOF\n"), "{page}");
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let address = free_address();
    let bot = Setup::new().await.with("METRICS_ADDR", &address.to_string()).start().await;
    bot.send(COMMAND).await;
    bot.message(1).await;
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", Fault::Status(403), 1));
    bot.send("google_ads refused_schema").await;
    bot.message(2).await;
    bot.send("help").await;
    get(format!("{}/slack/commands", bot.url)).await;
    let forged = outbound::client(None).unwrap().post(format!("{}/slack/commands", bot.url)).body("a=b");
    assert_eq!(forged.send().await.unwrap().status().as_u16(), 401);
    let client = outbound::client(None).unwrap();
    let forged = client.post(format!("{}/slack/interactivity", bot.url)).body("payload=%7B%7D");
    assert_eq!(forged.send().await.unwrap().status().as_u16(), 401);
    let probe = client.post(format!("{}/slack/commands", bot.url)).body("ssl_check=1");
    assert_eq!(probe.send().await.unwrap().status().as_u16(), 200);

    let found = until("both ends to be counted", async || {
        let page = get(format!("http://{address}/metrics")).await;
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let found = samples(&page.text().await.unwrap());
        (found.get("connect_card_command_seconds_count") == Some(&2.0)).then_some(found)
    })
    .await;
    for (name, value) in [
        (r#"connect_card_answers_total{answer="accepted"}"#, 2.0),
        (r#"connect_card_answers_total{answer="replied"}"#, 1.0),
        (r#"connect_card_answers_total{answer="refused"}"#, 2.0),
        (r#"connect_card_answers_total{answer="not_accepted"}"#, 0.0),
        (r#"connect_card_commands_ended_total{ending="undeliverable"}"#, 0.0),
        (r#"connect_card_retries_total{party="fivetran"}"#, 0.0),
        (r#"connect_card_retries_total{party="slack"}"#, 0.0),
        (r#"connect_card_commands_ended_total{ending="delivered"}"#, 1.0),
        (r#"connect_card_commands_ended_total{ending="told"}"#, 1.0),
        ("connect_card_ack_seconds_count", 3.0),
        ("connect_card_undeliverable", 0.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in {found:#?}");
    }
    assert_eq!(get(format!("{}/metrics", bot.url)).await.status().as_u16(), 404, "not where Slack comes in");
    assert_eq!(bot.finish().await.len(), 2);
}

async fn parties() -> (SlackStandIn, FivetranStandIn, Program) {
    let (slack, fivetran) = stand_ins().await;
    let program = Program::against(&slack, &fivetran);
    (slack, fivetran, program)
}

async fn first_message(slack: &SlackStandIn) -> Message {
    until("the message", async || slack.messages().first().cloned()).await
}

/// One link in the channel, one connection: whatever came between.
#[track_caller]
fn assert_delivered_once(slack: &SlackStandIn, fivetran: &FivetranStandIn) {
    let messages = slack.messages();
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert_eq!((messages[0].visibility, messages[0].channel.as_str()), (Visibility::Channel, CHANNEL));
    assert!(link_of(&messages[0]).is_some(), "{}", messages[0].rendered());
    assert_eq!(fivetran.connections().len(), 1);
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight() {
    let (slack, fivetran, program) = parties().await;
    fivetran.set_latency(Duration::from_secs(3));
    let bot = program.serve().await;
    bot.send(&slack, COMMAND).await;
    let (code, took, printed) = bot.terminate().await;
    assert_eq!(code, 0, "{printed}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_delivered_once(&slack, &fivetran);
}

#[tokio::test]
async fn what_a_shutdown_cannot_finish_the_next_process_does() {
    let (slack, fivetran, program) = parties().await;
    let bot = program.serve().await;
    fivetran.faults(|faults| faults.fail_always("create_connection", Fault::DropAfter));
    fivetran.faults(|faults| faults.fail_always("list_connections", Fault::Status(500)));
    bot.send(&slack, COMMAND).await;
    until("a first try", async || (fivetran.calls_to("list_connections") > 0).then_some(())).await;
    let (code, took, printed) = bot.terminate().await;
    assert_eq!(code, 0, "{printed}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(slack.messages().is_empty());

    fivetran.faults(Faults::heal);
    let next = program.serve().await;
    first_message(&slack).await;
    let (code, _, printed) = next.terminate().await;
    assert_eq!(code, 0, "{printed}");
    assert_delivered_once(&slack, &fivetran);
}

#[tokio::test]
async fn what_a_crash_interrupts_the_next_process_finishes_without_doubling_it() {
    let (slack, fivetran, program) = parties().await;
    let program = program.with("LEASE_SECONDS", "2");
    let bot = program.serve().await;
    // Fivetran makes the connection, and the process dies before it hears of it.
    fivetran.faults(|faults| {
        faults.fail_next("create_connection", Fault::SlowAfter(Duration::from_secs(10)), 1);
    });
    bot.send(&slack, COMMAND).await;
    until("the creation", async || (fivetran.connections().len() == 1).then_some(())).await;
    bot.kill().await;
    assert!(slack.messages().is_empty());

    let next = program.serve().await;
    let message = first_message(&slack).await;
    assert!(message.rendered().contains(USER), "the next process knows who asked");
    assert_eq!(next.terminate().await.0, 0);
    assert_delivered_once(&slack, &fivetran);
    let made = fivetran.calls().iter().filter(|call| call.route == "create_connection").count();
    assert_eq!(made, 1, "it was looked for, not made again");
}

#[tokio::test]
async fn a_second_process_does_not_touch_the_same_file() {
    let (_, _, program) = parties().await;
    let bot = program.serve().await;
    let second = program.run(&["serve"]).await;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("another connect-card is at work"), "{second:?}");
    assert_eq!(get(format!("{}/readyz", bot.url)).await.status().as_u16(), 200);
    assert_eq!(bot.terminate().await.0, 0);
}
