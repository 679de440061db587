//! The metrics as an operator sees them: all of those that the manual has and no others, by labels that
//! nobody outside can choose, and true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_card::reply::live::{OPEN_CARD, RENEW};
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{APP_TOKEN, Delivery, Message, Which};

use crate::harness::{
    AUDIT, CHANNEL, Outside, Program, Setup, TestBot, USER, client, free_port, until, values,
};
use crate::sockets;

const COMMAND: &str = "google_ads customer_schema";

/// A bot, and where its metrics are.
async fn start(setup: Setup) -> (TestBot, Metrics) {
    let address = format!("127.0.0.1:{}", free_port());
    let bot = setup.with("METRICS_ADDR", &address).start().await;
    (bot, Metrics(format!("http://{address}/metrics")))
}

struct Metrics(String);

impl Metrics {
    async fn page(&self) -> String {
        client().get(&self.0).send().await.unwrap().text().await.unwrap()
    }

    /// The samples that this scrape has, by name and labels.
    async fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.page().await)
    }

    /// Waits until a counter has come so far.
    async fn until_it_reaches(&self, sample: &str, least: f64) {
        until(sample, async || {
            (self.samples().await[&format!("connect_card_{sample}")] >= least).then_some(())
        })
        .await;
    }

    /// Waits until a sample has this value.
    async fn until_it_says(&self, sample: &str, value: f64) {
        until(sample, async || {
            (self.samples().await.get(&format!("connect_card_{sample}")) == Some(&value)).then_some(())
        })
        .await;
    }
}

fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// Every series without the buckets of histograms.
fn series(page: &str) -> BTreeSet<String> {
    samples(page).into_keys().filter(|name| !name.contains("_bucket{")).collect()
}

/// Name and kind of every metric, as the page tells them.
fn told(page: &str) -> BTreeSet<(String, String)> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE connect_card_"));
    types.map(|line| line.split_once(' ').unwrap()).map(|(name, kind)| (name.into(), kind.into())).collect()
}

/// The same, as the manual has them.
fn documented() -> BTreeSet<(String, String)> {
    let manual = include_str!("../../docs/operations.md");
    let section = manual.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells
        .flat_map(|cells| {
            let names = cells[0].split('`').filter(|piece| !piece.is_empty() && *piece != ", ");
            names.map(move |name| (name.to_owned(), cells[1].to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_manual_documents_is_measured_and_nothing_else() {
    let setup = Setup::new().await.with("FIVETRAN_API_KEY_EXPIRES", "2199-12-31");
    let (bot, metrics) = start(setup).await;
    bot.send(COMMAND).await;
    let connection = until("a connection", async || {
        bot.fivetran.connections().first().and_then(|it| it["id"].as_str().map(str::to_owned))
    })
    .await;
    bot.message(1).await;
    bot.until_all_ended().await;
    bot.fivetran.finish_setup(&connection);
    // The first list of a destination is due a while after its first link.
    bot.advance(Duration::from_secs(60));
    metrics.until_it_reaches("message_seconds_count", 1.0).await;
    // With Socket Mode alone is anything ever heard on a socket.
    let only_there = ("socket_heard_timestamp_seconds".to_owned(), "gauge".to_owned());
    let mut expected = documented();
    assert!(expected.remove(&only_there));
    metrics
        .until_it_says("fivetran_key_expires_timestamp_seconds{key=\"FIVETRAN_API_KEY\"}", 7_258_032_000.0)
        .await;
    let found = metrics.page().await;
    assert_eq!(told(&found), expected);
    let samples = samples(&found);
    for (sample, value) in [
        ("calls_total{party=\"fivetran\",call=\"create\",outcome=\"ok\"}", 1.0),
        ("calls_total{party=\"slack\",call=\"chat.postMessage\",outcome=\"ok\"}", 2.0),
        ("calls_total{party=\"slack\",call=\"chat.update\",outcome=\"ok\"}", 1.0),
        ("commit_seconds_count{writer=\"accept\"}", 1.0),
        ("open_commands{stage=\"create\"}", 0.0),
        ("database_up", 1.0),
        ("messages_behind", 0.0),
        ("message_oldest_seconds", 0.0),
        ("clock_skew_seconds", 0.0),
        ("sockets", 0.0),
        ("sockets_wanted", 0.0),
        ("by_http", 1.0),
        ("audit_oldest_seconds", 0.0),
        ("rate_limit{party=\"fivetran\"}", 20_000.0),
    ] {
        assert_eq!(samples.get(&format!("connect_card_{sample}")), Some(&value), "{sample}");
    }
    for (sample, least) in [
        ("sweeps_total{outcome=\"ok\"}", 1.0),
        ("sweep_seconds_count", 1.0),
        ("commit_seconds_count{writer=\"change\"}", 1.0),
        ("call_seconds_count{party=\"fivetran\"}", 2.0),
        ("rate_limit_remaining{party=\"fivetran\"}", 1.0),
    ] {
        assert!(samples[&format!("connect_card_{sample}")] >= least, "{sample}");
    }
    let version = concat!("connect_card_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(samples.get(version), Some(&1.0));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_outside_adds_a_series() {
    let (bot, metrics) = start(Setup::new().await).await;
    let canary = "canary\"}\nforged 1";
    bot.send("help").await;
    let before = series(&metrics.page().await);
    for typed in [canary, "google_ads canary_schema", "status canary_schema", "services canary"] {
        bot.send(typed).await;
    }
    bot.send_as("UCANARY01", "CCANARY01", "list").await;
    let forged = client().post(format!("{}/slack/canary", bot.url)).header("x-slack-canary", "canary");
    let forged = forged.body("command=canary").send().await.unwrap();
    assert_eq!(forged.status().as_u16(), 404);
    let says = Fault::Says(400, serde_json::json!({ "code": canary, "message": canary }));
    for fault in [Fault::Status(403), Fault::Status(418), says] {
        bot.fivetran.faults(|faults| faults.fail_next("create_connection", fault, 1));
        bot.send("google_ads canary_more").await;
        bot.until_all_ended().await;
    }
    let page = metrics.page().await;
    let new: Vec<_> = series(&page).difference(&before).cloned().collect();
    // What is known from Fivetran's first answer on, and while there is something to watch.
    let later = [
        "rate_limit_remaining{party=\"fivetran\"}",
        "rate_limit{party=\"fivetran\"}",
        "sweep_oldest_seconds",
    ];
    let later = later.map(|name| format!("connect_card_{name}"));
    assert!(new.iter().all(|name| later.contains(name)), "{new:?}");
    for secret in ["canary", "xoxb", CHANNEL, &bot.url] {
        assert!(!page.to_lowercase().contains(&secret.to_lowercase()), "{secret}");
    }
    bot.stop().await;
}

/// The sample of calls to Fivetran that came to this.
fn fivetran(call: &str, outcome: &str) -> String {
    format!("calls_total{{party=\"fivetran\",call=\"{call}\",outcome=\"{outcome}\"}}")
}

/// The same of Slack.
fn slack(call: &str, outcome: &str) -> String {
    format!("calls_total{{party=\"slack\",call=\"{call}\",outcome=\"{outcome}\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_counted_by_what_they_come_to() {
    let throttled = |seconds: &str| Fault::Throttled { retry_after: Some(seconds.to_owned()) };
    let (bot, metrics) = start(Setup::new().await).await;
    bot.send(COMMAND).await;
    bot.message(1).await;
    bot.until_all_ended().await;
    for (fault, outcome) in [
        (Fault::Status(403), "refused"),
        (Fault::Status(500), "failed"),
        (Fault::NotJson, "failed"),
        (Fault::DropBefore, "failed"),
        // Nobody who has typed a command waits so long.
        (Fault::SlowAfter(Duration::from_secs(20)), "timeout"),
        (throttled("1"), "limited"),
    ] {
        let sample = fivetran("see", outcome);
        let before = metrics.samples().await[&format!("connect_card_{sample}")];
        bot.fivetran.faults(|faults| faults.fail_next("get_connection", fault.clone(), 1));
        bot.send("status customer_schema").await;
        metrics.until_it_reaches(&sample, before + 1.0).await;
    }
    for (fault, outcome) in [(Fault::Status(503), "failed"), (throttled("1"), "limited")] {
        bot.slack.faults(|faults| faults.fail_next("chat.postMessage", fault, 1));
        bot.send(&format!("google_ads {outcome}")).await;
        metrics.until_it_reaches(&slack("chat.postMessage", outcome), 1.0).await;
    }
    bot.slack.faults(|faults| faults.fail_always("chat.postMessage", Fault::Says(200, not_in_channel())));
    bot.send("google_ads another").await;
    metrics.until_it_reaches(&slack("response_url", "ok"), 1.0).await;
    bot.fivetran.shutdown();
    bot.send("status customer_schema").await;
    until("a call that nobody takes", async || {
        let samples = metrics.samples().await;
        (samples[&format!("connect_card_{}", fivetran("see", "unreachable"))] > 0.0).then_some(())
    })
    .await;
    bot.stop().await;
}

fn not_in_channel() -> serde_json::Value {
    serde_json::json!({ "ok": false, "error": "not_in_channel" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_does_not_keep_a_scrape_waiting() {
    let (bot, metrics) = start(Setup::new().await).await;
    bot.send("help").await;
    metrics.until_it_says("database_up", 1.0).await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    // Whoever writes waits, and holds the one session.
    let typed = bot.send(COMMAND);
    let scraped = metrics.until_it_says("database_up", 0.0);
    let (ack, ()) = tokio::join!(typed, scraped);
    assert!(metrics.samples().await.contains_key("connect_card_answers_total{answer=\"replied\"}"));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    metrics.until_it_says("database_up", 1.0).await;
    assert!(ack.text().contains("I couldn't save your request"), "{}", ack.text());
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_is_noticed() {
    let (bot, metrics) = start(Setup::new().await).await;
    bot.send("help").await;
    metrics.until_it_says("clock_skew_seconds", 0.0).await;
    bot.clock.advance(Duration::from_secs(60));
    bot.send("list").await;
    until("the skew", async || {
        let skew = *metrics.samples().await.get("connect_card_clock_skew_seconds")?;
        (58.0..62.0).contains(&skew).then_some(())
    })
    .await;
    bot.stop().await;
}

#[tokio::test]
async fn requests_count_as_a_way_in_only_while_slack_sends_them() {
    let setup = Setup::new().await.with("SLACK_APP_TOKEN", APP_TOKEN);
    let (bot, metrics) = start(setup).await;
    bot.slack.wait_for_sockets(|count| count == 2).await;
    metrics.until_it_says("by_http", 0.0).await;
    // Nobody can say any more that Socket Mode is switched off, but a request can.
    bot.slack.faults(|faults| faults.fail_always("apps.connections.open", Fault::Status(500)));
    bot.slack.reset_sockets(Which::All);
    metrics.until_it_says("sockets", 0.0).await;
    metrics.until_it_says("by_http", 0.0).await;
    bot.slack.deliver_by(Delivery::Http);
    bot.send("status customer_schema").await;
    metrics.until_it_says("by_http", 1.0).await;
    bot.slack.faults(|faults| faults.heal());
    metrics.until_it_says("by_http", 0.0).await;
    bot.slack.disable_links();
    metrics.until_it_says("by_http", 1.0).await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_buttons_and_suggestions_are_counted_like_commands_whichever_way_they_come() {
    for by_http in [true, false] {
        let setup = if by_http { Setup::new().await } else { sockets::setup().await };
        let (bot, metrics) = start(setup).await;
        if !by_http {
            bot.slack.wait_for_sockets(|count| count == 2).await;
        }
        metrics.until_it_says("by_http", f64::from(u8::from(by_http))).await;
        let mut expected = [0.0; 4];
        let mut counts = async |accepted: f64, replied: f64, not_accepted: f64| {
            let more = [accepted, replied, not_accepted, 0.0];
            expected.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            let samples = metrics.samples().await;
            let answers = ["accepted", "replied", "not_accepted", "refused"];
            let counted =
                answers.map(|answer| samples[&format!("connect_card_answers_total{{answer=\"{answer}\"}}")]);
            assert_eq!(counted, expected, "by HTTP: {by_http}");
            // None of them was refused, so the time that each took is in the histogram.
            assert_eq!(samples["connect_card_ack_seconds_count"], expected.iter().sum::<f64>());
        };
        let view = bot.opens_form().await;
        counts(0.0, 1.0, 0.0).await;
        let id = view["id"].as_str().unwrap();
        bot.slack.suggest(&bot.url, "service", "service", "goog", USER, Some(id)).await.unwrap();
        counts(0.0, 1.0, 0.0).await;
        bot.submits(USER, &view, ["google_ads", "not a schema", ""]).await;
        counts(0.0, 1.0, 0.0).await;
        bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
        counts(1.0, 0.0, 0.0).await;
        for action in [OPEN_CARD, "unknown"] {
            let link = bot.link_message();
            let link = if action == OPEN_CARD { link } else { with_button(link, action) };
            bot.presses(USER, &link, action).await;
            counts(0.0, 1.0, 0.0).await;
        }
        bot.passes(Duration::from_secs(25 * 60 * 60)).await;
        bot.presses(USER, &bot.link_message(), RENEW).await;
        counts(1.0, 0.0, 0.0).await;
        let view = bot.opens_form().await;
        counts(0.0, 1.0, 0.0).await;
        // The database takes nothing in time.
        let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let (id, filled_in) = (view["id"].as_str().unwrap(), values(["google_ads", "late", ""]));
        bot.slack.submit_view(&bot.url, id, filled_in, USER).await.unwrap();
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        counts(0.0, 0.0, 1.0).await;
        bot.stop().await;
    }
}

/// The same message with another button in the place of its own.
fn with_button(message: Message, action: &str) -> Message {
    let payload = message.payload.to_string().replace(OPEN_CARD, action);
    Message { payload: serde_json::from_str(&payload).unwrap(), ..message }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_read_but_takes_no_write_is_not_up() {
    let (bot, metrics) = start(Setup::new().await).await;
    bot.send(COMMAND).await;
    bot.until_all_ended().await;
    metrics.until_it_says("database_up", 1.0).await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    // As on a full disk.
    let full = "CREATE TRIGGER full BEFORE INSERT ON probe BEGIN SELECT RAISE(ABORT, 'disk is full'); END";
    sqlx::query(full).execute(&mut other).await.unwrap();
    metrics.until_it_says("database_up", 0.0).await;
    assert!(!bot.is_ready().await);
    // What can be counted is.
    metrics.until_it_says("open_commands{stage=\"create\"}", 0.0).await;
    sqlx::query("DROP TRIGGER full").execute(&mut other).await.unwrap();
    metrics.until_it_says("database_up", 1.0).await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_look_has_a_series_while_there_is_something_to_watch() {
    let (bot, metrics) = start(Setup::new().await).await;
    assert!(!metrics.page().await.contains("sweep_oldest_seconds"));
    bot.send(COMMAND).await;
    bot.until_all_ended().await;
    until("the time of a look", async || {
        metrics.samples().await.contains_key("connect_card_sweep_oldest_seconds").then_some(())
    })
    .await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_no_version_has_read_in_time_ends_like_any_other() {
    let outside = Outside::start().await;
    let address = format!("127.0.0.1:{}", free_port());
    let program = Program::against(&outside).with("METRICS_ADDR", &address).with("AUDIT_CHANNEL", AUDIT);
    let process = program.start().await;
    let metrics = Metrics(format!("http://{address}/metrics"));
    let lost = |id: &str, request: &str| {
        format!(
            "INSERT INTO command (id, dedup, team_id, channel_id, user_id, request, stage, accepted_at, run_at, \
             owner, fence, lease_until) VALUES ('{id}', '{id}', 'T', '{CHANNEL}', '{USER}', '{request}', 'create', \
             1, 1, '', 1, 0)"
        )
    };
    // Of a release to come: one that still says what it is about, and one that does not.
    let later = r#"{"verb":"later","service":"google_ads","service_name":"Google Ads","target":{"schema":"acme","table":null},"group_id":"g","slash":"/connect-card"}"#;
    program.sql(&lost("LATERVERB1", later)).await;
    program.sql(&lost("NOTHINGAT1", "{}")).await;
    metrics.until_it_says("commands_ended_total{ending=\"told\"}", 2.0).await;
    let told = |id: &str| {
        let messages = outside.slack.messages().into_iter().filter(|message| message.channel == AUDIT);
        messages
            .map(|message| message.rendered())
            .any(|text| text.contains(id) && text.contains("no version of the bot could read it in time"))
    };
    until("the lines of the audit channel", async || {
        (told("LATERVERB1") && told("NOTHINGAT1")).then_some(())
    })
    .await;
    let log = process.stop().await;
    for id in ["LATERVERB1", "NOTHINGAT1"] {
        let ended = |line: &&str| line.contains("command ended") && line.contains(id);
        let line = log.lines().find(ended).unwrap_or_else(|| panic!("{id} did not end: {log}"));
        assert!(line.contains(r#""result":"told""#) && line.contains(USER), "{line}");
    }
    outside.shutdown();
}
