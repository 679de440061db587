//! The audit channel: each thing that happens is a line in it, at least once, in order, without a link;
//! and nothing waits for that.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE, REAUTHORISE, SYNC_NOW};
use connect_card::reply::live::RENEW;
use expect_test::expect;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::{API_KEY, API_SECRET};
use stand_ins::slack::{BOT_TOKEN, Message, SIGNING_SECRET, SlackStandIn};

use crate::harness::{
    AUDIT, CHANNEL, COLLEAGUE, Engine, Outside, PRIVATE, Program, SHARED, Setup, TestBot, USER, accepted,
    button_of, client, free_port, postgres, reference, strings, token_of, until,
};

/// Longer than until the next list.
const A_LIST: Duration = Duration::from_secs(31);
/// Longer than until one that is missing is asked about again.
const UNTIL_SURE: Duration = Duration::from_secs(190);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What is still to be done, on Postgres.
const AT_WORK: &str =
    "SELECT (SELECT count(*) FROM audit_line) + count(*) FROM audit_turn WHERE lease_until > 0";
/// Longer than any pause between two tries.
const PAUSE: Duration = Duration::from_secs(301);

/// A bot that tells the channel.
async fn bot() -> TestBot {
    Setup::new().await.with("AUDIT_CHANNEL", AUDIT).start().await
}

fn messages_in(slack: &SlackStandIn, channel: &str) -> Vec<Message> {
    slack.messages().into_iter().filter(|message| message.channel == channel).collect()
}

/// All lines that stand in a channel.
fn lines_in(slack: &SlackStandIn, channel: &str) -> Vec<String> {
    let texts = messages_in(slack, channel).into_iter().map(|message| {
        let block = &message.payload["blocks"][0]["text"];
        assert_eq!((&block["type"], &block["verbatim"]), (&json!("mrkdwn"), &json!(true)));
        assert_eq!((message.unfurl_links, message.unfurl_media), (Some(false), Some(false)));
        block["text"].as_str().unwrap().to_owned()
    });
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Waits until so many lines stand in the channel.
pub(crate) async fn told(slack: &SlackStandIn, number: usize) -> Vec<String> {
    let what = format!("{number} lines in the audit channel");
    until(&what, async || Some(lines_in(slack, AUDIT)).filter(|lines| lines.len() >= number)).await
}

/// How often each reference stands in the lines.
fn counts(lines: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(reference(line).unwrap_or_default()).or_default() += 1;
    }
    counts
}

/// Has commands fail, which Slack's Web API is not needed for, and gives their references.
async fn fail(bot: &TestBot, number: usize) -> Vec<String> {
    if bot.fivetran.connections().iter().all(|connection| connection["schema"] != "was_connected") {
        let _ = bot.fivetran.seed_connection("google_ads", "was_connected", "connected");
    }
    let mut references = Vec::new();
    for _ in 0..number {
        references.push(accepted(&bot.send("google_ads was_connected").await).unwrap());
        bot.until_all_ended().await;
    }
    references
}

/// The lines that wait.
async fn waiting(bot: &TestBot) -> i64 {
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM audit_line").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    count
}

/// Waits until none does: a line stands in the channel a moment before it is forgotten.
async fn until_none_waits(bot: &TestBot) {
    until("no line to wait", async || (waiting(bot).await == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_thing_that_happens_is_a_line_without_a_link() {
    let bot = bot().await;
    let mut known = 0;
    // After each step, so that no line has to tell its time.
    let mut one_more = async || {
        known += 1;
        assert_eq!(told(&bot.slack, known).await.len(), known);
    };
    let mut acks = vec![bot.types("google_ads acme").await];
    one_more().await;
    acks.push(bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await);
    one_more().await;
    bot.presses(COLLEAGUE, &bot.private_message(), POST_HERE).await;
    one_more().await;
    bot.passes(DAY).await;
    one_more().await;
    bot.presses(USER, &bot.link_message(), RENEW).await;
    one_more().await;
    bot.customer_finishes("acme");
    bot.passes(A_LIST).await;
    one_more().await;
    bot.connection_breaks("acme", "See https://canary.example/secret");
    bot.passes(A_LIST).await;
    one_more().await;
    bot.customer_finishes("acme");
    bot.passes(A_LIST).await;
    one_more().await;
    acks.push(bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await);
    one_more().await;
    bot.presses(COLLEAGUE, &bot.private_message(), REAUTHORISE).await;
    one_more().await;
    bot.passes(DAY).await;
    one_more().await;
    bot.connection_breaks_with("acme", ["unknown_sync_failure", "Sync failed", "https://canary.example"]);
    bot.passes(A_LIST).await;
    one_more().await;
    bot.presses(COLLEAGUE, &bot.private_message(), SYNC_NOW).await;
    one_more().await;
    acks.push(bot.types("stripe other").await);
    one_more().await;
    let asked = bot.types("cancel other").await;
    bot.presses(USER, &bot.private(&asked), CANCEL).await;
    one_more().await;
    let said = json!({ "code": "InvalidInput", "message": "Read https://canary.example/help first" });
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", Fault::Says(400, said), 1));
    acks.push(bot.types("google_ads refused").await);
    one_more().await;
    bot.fivetran.delete(&bot.connection_of("acme"));
    bot.passes(A_LIST).await;
    bot.passes(UNTIL_SURE).await;
    one_more().await;

    let mut secrets: Vec<String> =
        [BOT_TOKEN, SIGNING_SECRET, API_KEY, API_SECRET, "canary", "://"].map(str::to_owned).to_vec();
    let links = bot.slack.calls().into_iter().filter_map(|(_, body)| button_of(&body));
    secrets.extend(links.map(|link| token_of(&link)));
    secrets.extend(acks.iter().filter_map(|ack| Some(ack.response_url.rsplit_once('/')?.1.to_owned())));
    assert!(secrets.len() > 14, "{}", secrets.len());
    for message in messages_in(&bot.slack, AUDIT) {
        for (path, text) in strings(&message.payload) {
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{path}: {text}");
        }
    }
    let lines = lines_in(&bot.slack, AUDIT);
    let said = lines.iter().map(|line| line.rsplit_once(" · Ref `").unwrap().0);
    expect![[r#"
        :link: *Link posted* · Google Ads into `acme` · <#C0CUSTOMER> · by `U0ALICE`
        :x: *No link* · Google Ads into `acme` · it belongs to <#C0CUSTOMER> · <#C0SHARED> · by `U0BOB`
        :link: *Link moved here* · Google Ads into `acme` · from <#C0CUSTOMER> · <#C0SHARED> · by `U0BOB`
        :hourglass: *Link expired* · Google Ads into `acme` · <#C0SHARED>
        :link: *Link renewed* · Google Ads into `acme` · <#C0SHARED> · by `U0ALICE`
        :white_check_mark: *Connected* · Google Ads into `acme` · <#C0SHARED>
        :warning: *Needs attention* · Google Ads into `acme` · the customer is asked to sign in again · <#C0SHARED>
        :white_check_mark: *Working again* · Google Ads into `acme` · <#C0SHARED>
        :x: *No link* · Google Ads into `acme` · it is connected already · <#C0SHARED> · by `U0BOB`
        :link: *Link to sign in again posted* · Google Ads into `acme` · <#C0SHARED> · by `U0BOB`
        :hourglass: *Link to sign in again expired* · Google Ads into `acme` · connected as before · <#C0SHARED>
        :warning: *Needs attention* · Google Ads into `acme` · a sync failed · <#C0SHARED>
        :arrow_forward: *Sync started* · Google Ads into `acme` · <#C0SHARED> · by `U0BOB`
        :link: *Link posted* · Stripe into `other` · <#C0CUSTOMER> · by `U0ALICE`
        :no_entry_sign: *Connection cancelled* · Stripe into `other` · <#C0CUSTOMER> · by `U0ALICE`
        :x: *No link* · Google Ads into `refused` · Fivetran refused it · <#C0CUSTOMER> · by `U0ALICE`
        :no_entry_sign: *Gone from Fivetran* · Google Ads into `acme` · <#C0SHARED>
    "#]].assert_eq(&said.map(|line| format!("{line}\n")).collect::<String>());
    until_none_waits(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn nothing_is_kept_for_a_channel_that_nobody_named() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(A_LIST).await;
    assert_eq!(waiting(&bot).await, 0);
    assert!(messages_in(&bot.slack, AUDIT).is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn a_line_whose_answer_was_lost_comes_again_and_no_other() {
    let bot = bot().await;
    bot.slack.faults(|faults| faults.fail_next("chat.postMessage", Fault::DropAfter, 1));
    let first = fail(&bot, 1).await;
    told(&bot.slack, 1).await;
    bot.advance(PAUSE);
    told(&bot.slack, 2).await;
    let second = fail(&bot, 1).await;
    let lines = told(&bot.slack, 3).await;
    assert_eq!(counts(&lines), BTreeMap::from([(first[0].clone(), 2), (second[0].clone(), 1)]));
    bot.finish().await;
}

#[tokio::test]
async fn while_slack_is_down_lines_wait_and_then_come_in_order_in_one_message() {
    let bot = bot().await;
    let down = Fault::Says(200, json!({ "ok": false, "error": "service_unavailable" }));
    bot.slack.faults(|faults| faults.fail_always("chat.postMessage", down));
    let references = fail(&bot, 5).await;
    assert_eq!(waiting(&bot).await, 5);
    assert!(messages_in(&bot.slack, AUDIT).is_empty());
    // A limit goes on where the outage ends.
    let limit = Fault::Throttled { retry_after: Some("30".to_owned()) };
    let tries = bot.slack.calls_to("chat.postMessage");
    bot.slack.faults(|faults| {
        faults.heal();
        faults.fail_next("chat.postMessage", limit, 1);
    });
    bot.advance(PAUSE);
    until("the limit", async || (bot.slack.calls_to("chat.postMessage") > tries).then_some(())).await;
    bot.advance(Duration::from_secs(29));
    bot.slack.advance(Duration::from_secs(2));
    bot.clock.advance(Duration::from_secs(2));
    let lines = told(&bot.slack, 5).await;
    assert_eq!(bot.slack.calls_in_a_pause(), 0);
    let told: Vec<_> = lines.iter().filter_map(|line| reference(line)).collect();
    assert_eq!(told, references, "in the order in which they happened");
    assert!(lines.iter().all(|line| line.contains("<!date^")), "and when: {lines:?}");
    assert_eq!(messages_in(&bot.slack, AUDIT).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_line_that_slack_does_not_take_keeps_no_other_back() {
    let bot = Setup::new().await.with("AUDIT_CHANNEL", PRIVATE).start().await;
    let references = fail(&bot, 2).await;
    assert_eq!(waiting(&bot).await, 2);
    let refused = Fault::Says(200, json!({ "ok": false, "error": "invalid_blocks" }));
    // Both together, and the first of them alone.
    bot.slack.faults(|faults| faults.fail_next("chat.postMessage", refused, 2));
    bot.slack.join(PRIVATE);
    let tries = || bot.slack.calls().iter().filter(|(_, body)| body["channel"] == PRIVATE).count();
    for _ in 0..3 {
        let before = tries();
        bot.advance(PAUSE);
        until("another try", async || (tries() > before).then_some(())).await;
    }
    let lines = until("the other line", async || {
        Some(lines_in(&bot.slack, PRIVATE)).filter(|lines| !lines.is_empty())
    })
    .await;
    assert_eq!(counts(&lines), BTreeMap::from([(references[1].clone(), 1)]));
    until_none_waits(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn what_waits_for_more_than_a_week_is_given_up_and_counted() {
    let bot = Setup::new().await.with("AUDIT_CHANNEL", PRIVATE).start().await;
    let _ = fail(&bot, 2).await;
    bot.advance(8 * DAY);
    let new = fail(&bot, 1).await;
    bot.store().purge(bot.clock.now()).await.unwrap();
    assert_eq!(waiting(&bot).await, 1);
    bot.slack.join(PRIVATE);
    bot.advance(PAUSE);
    let lines =
        until("the lines", async || Some(lines_in(&bot.slack, PRIVATE)).filter(|lines| !lines.is_empty()))
            .await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("2 earlier lines are missing"), "{lines:?}");
    assert_eq!(reference(&lines[1]).as_ref(), new.first());
    bot.finish().await;
}

#[tokio::test]
async fn how_long_the_oldest_line_waits_is_measured_and_told_by_doctor() {
    let address = format!("127.0.0.1:{}", free_port());
    let setup = Setup::new().await.with("AUDIT_CHANNEL", PRIVATE).with("METRICS_ADDR", &address);
    let bot = setup.start().await;
    let age = async || -> f64 {
        let page = client().get(format!("http://{address}/metrics")).send().await.unwrap();
        let page = page.text().await.unwrap();
        let mut ages =
            page.lines().filter_map(|line| line.strip_prefix("connect_card_audit_oldest_seconds "));
        ages.next().unwrap().parse().unwrap()
    };
    let says = async || bot.send("doctor").await.text().contains("/invite @connect-card");
    assert_eq!((age().await, says().await), (0.0, false));
    let _ = fail(&bot, 1).await;
    assert_eq!((waiting(&bot).await, says().await), (1, false));
    bot.advance(Duration::from_secs(121));
    assert!(age().await >= 121.0 && says().await);
    bot.slack.join(PRIVATE);
    bot.advance(PAUSE);
    until("the line", async || (!lines_in(&bot.slack, PRIVATE).is_empty()).then_some(())).await;
    until("nothing to wait", async || (age().await == 0.0).then_some(())).await;
    assert!(!says().await);
    bot.finish().await;
}

/// The process dies between the commit and the post: the line is in the commit.
async fn survives_a_kill(engine: Engine) {
    let outside = Outside::start().await;
    // Nothing can be told before the kill: the bot is not in the channel.
    let program = engine.program(&outside).with("AUDIT_CHANNEL", PRIVATE).with("SLACK_BOT_TOKEN", BOT_TOKEN);
    let program = program.with("LEASE_SECONDS", "1");
    let crashing = program.clone().with("CRASH_AT", "end: recorded").with("CRASH_BY", "kill");
    let mut process = crashing.start().await;
    let ack = process.try_to_send(&outside.slack, CHANNEL, "google_ads acme").await.unwrap();
    process.wait().await;
    assert!(lines_in(&outside.slack, PRIVATE).is_empty());
    outside.slack.join(PRIVATE);
    let process = program.start().await;
    let lines =
        until("the line", async || Some(lines_in(&outside.slack, PRIVATE)).filter(|lines| !lines.is_empty()))
            .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("*Link posted*"), "{lines:?}");
    assert_eq!(reference(&lines[0]), accepted(&ack));
    process.stop().await;
    outside.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_survives_a_kill_before_it_was_told_on_sqlite() {
    survives_a_kill(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_survives_a_kill_before_it_was_told_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    survives_a_kill(Engine::Postgres(postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_each_thing_once_and_one_alone_goes_on() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let program = Engine::Postgres(postgres).program(&outside).with("LEASE_SECONDS", "1");
    let program = program.with("SLACK_BOT_TOKEN", BOT_TOKEN).with("AUDIT_CHANNEL", AUDIT);
    let database = program.var("DATABASE_URL").rsplit_once('/').unwrap().1.to_owned();
    let programs = [program.clone().on_another_port(), program.on_another_port()];
    let mut processes = join_all(programs.iter().map(Program::start)).await;
    let mut references = Vec::new();
    for n in 0..12 {
        let ack = processes[n % 2].send(&outside.slack, &format!("google_ads both_{n}")).await;
        references.extend(accepted(&ack));
    }
    let lines = told(&outside.slack, references.len()).await;
    let once = |references: &[String]| -> BTreeMap<String, usize> {
        references.iter().map(|reference| (reference.clone(), 1)).collect()
    };
    assert_eq!(counts(&lines), once(&references));
    // Nobody is at work on a post then.
    until("the lines to be forgotten", async || {
        let (database, at_work) = (database.clone(), AT_WORK);
        let asked = tokio::task::spawn_blocking(move || postgres.psql(&database, at_work));
        (asked.await.unwrap().1.trim() == "0").then_some(())
    })
    .await;
    let one = processes.remove(0);
    one.kill().await;
    let other = processes.remove(0);
    for n in 0..3 {
        references.extend(accepted(&other.send(&outside.slack, &format!("google_ads alone_{n}")).await));
    }
    let lines = told(&outside.slack, references.len()).await;
    assert_eq!(counts(&lines), once(&references));
    other.stop().await;
    outside.shutdown();
}

#[tokio::test]
async fn the_log_says_once_that_the_channel_takes_nothing() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("AUDIT_CHANNEL", PRIVATE).with("LOG_FORMAT", "json");
    let process = program.start().await;
    let said =
        |process: &crate::harness::Process| process.log().matches("no message for AUDIT_CHANNEL").count();
    let tries = || outside.slack.calls().iter().filter(|(_, body)| body["channel"] == PRIVATE).count();
    process.send(&outside.slack, "google_ads acme").await;
    until("the second try", async || (tries() > 1).then_some(())).await;
    assert_eq!(said(&process), 1, "{}", process.log());
    outside.slack.join(PRIVATE);
    until("the line", async || (!lines_in(&outside.slack, PRIVATE).is_empty()).then_some(())).await;
    let log = process.stop().await;
    assert!(log.contains("takes messages for the audit channel again"), "{log}");
    outside.shutdown();
}

#[tokio::test]
async fn check_names_the_channel_and_posts_nothing() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("AUDIT_CHANNEL", AUDIT);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("· audit channel: C0AUDIT, not tried"), "{output:?}");
    let output = program.without("SLACK_BOT_TOKEN").run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("✗ AUDIT_CHANNEL is set, but SLACK_BOT_TOKEN isn't"), "{output:?}");
    assert!(outside.slack.messages().is_empty());
}
