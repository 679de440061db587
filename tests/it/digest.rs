//! The weekly digest: what is unfinished, once a week for each channel, whatever crashes; and where there
//! is nothing, nothing.

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::reply::ask::REAUTHORISE;
use jiff::tz::TimeZone;
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::slack::{BOT_TOKEN, Message, SlackStandIn};
use tempfile::TempDir;

use crate::harness::{
    AUDIT, CHANNEL, Engine, Outside, PRIVATE, Program, SHARED, Setup, TestBot, USER, link_of, postgres, until,
};

/// What the digests of a channel begin with, and those of the audit channel.
const HEADS: [&str; 2] = ["What's still to be connected here", "What's still unfinished this week"];
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A `CONFIG` of this text whose digests are posted every week so many hours from now.
fn config(hours: i64, text: &str) -> (TempDir, String) {
    let at = Clock::default().now() + jiff::SignedDuration::from_hours(hours);
    let at = at.to_zoned(TimeZone::UTC);
    let (day, time) = (at.strftime("%A").to_string().to_lowercase(), at.strftime("%H:%M"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    std::fs::write(&path, format!("[digest]\nday = \"{day}\"\nat = \"{time}\"\n{text}")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// A bot whose next digest is due in two hours.
async fn bot(text: &str) -> (TestBot, TempDir) {
    let (folder, path) = config(2, text);
    let setup = Setup::new().await.with("CONFIG", &path).with("AUDIT_CHANNEL", AUDIT);
    (setup.start().await, folder)
}

fn digests(slack: &SlackStandIn) -> Vec<Message> {
    let is_one = |message: &Message| HEADS.iter().any(|head| message.rendered().contains(head));
    slack.messages().into_iter().filter(is_one).collect()
}

fn digests_in(slack: &SlackStandIn, channel: &str) -> Vec<Message> {
    digests(slack).into_iter().filter(|message| message.channel == channel).collect()
}

/// Waits until every channel has had its turn in so many weeks.
async fn until_told(bot: &TestBot, weeks: i64) {
    let told = "SELECT count(*) FROM digest WHERE channel_id = ''";
    until("the week's end of digests", async || (bot.count(told).await == weeks).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_channel_is_told_what_is_unfinished_in_it_once_a_week() {
    let (bot, _folder) = bot("to = \"channels\"\n").await;
    bot.types("google_ads acme").await;
    bot.types("stripe done").await;
    bot.customer_finishes("done");
    // The bot sees that one is finished before the digest is due.
    bot.passes(HOUR).await;
    bot.passes(HOUR * 2).await;
    until_told(&bot, 1).await;
    let told = digests_in(&bot.slack, CHANNEL);
    assert_eq!(told.len(), 1);
    let text = told[0].rendered();
    assert!(text.contains("Google Ads") && text.contains("waiting to be connected"), "{text}");
    assert!(!text.contains("Stripe") && !text.contains("acme") && link_of(&told[0]).is_none(), "{text}");
    assert!(digests_in(&bot.slack, AUDIT).is_empty());
    // In a week it is told again, and the link has expired by then.
    bot.passes(DAY * 7).await;
    until_told(&bot, 2).await;
    let told = digests_in(&bot.slack, CHANNEL);
    assert_eq!(told.len(), 2);
    let text = told[1].rendered();
    assert!(text.contains("its link has expired. Press “Get a new link”"), "{text}");
    // In another one nobody watches it any more: it may be finished by now, and is not brought up.
    bot.passes(DAY * 7).await;
    until_told(&bot, 3).await;
    assert_eq!(digests(&bot.slack).len(), 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_its_channel_cannot_see_or_need_not_use_is_no_matter_of_the_channels() {
    let (bot, _folder) = bot("to = \"channels\"\n[channels.C0SHARED]\ndigest = false\n").await;
    // One works and may be signed in to again; of another nobody knows where its message stands.
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(HOUR / 2).await;
    bot.types("google_ads acme").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    bot.types("stripe hidden").await;
    bot.types("hubspot elsewhere").await;
    bot.types("google_sheets seen.tab").await;
    let database = sqlx::SqlitePool::connect(&bot.database()).await.unwrap();
    for sql in [
        "UPDATE message SET place_channel = NULL, place_ts = NULL WHERE name = 'hidden'",
        "UPDATE message SET place_channel = 'D0ALICE' WHERE name = 'elsewhere'",
    ] {
        assert_eq!(sqlx::query(sql).execute(&database).await.unwrap().rows_affected(), 1, "{sql}");
    }
    database.close().await;
    bot.passes(HOUR * 2).await;
    until_told(&bot, 1).await;
    let told = digests(&bot.slack);
    assert_eq!(told.len(), 1);
    let text = told[0].rendered();
    assert!(text.contains("Google Sheets"), "{text}");
    for name in ["Google Ads", "Stripe", "HubSpot"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_whose_message_stands_nowhere_are_told_to_nobody_but_us() {
    let text = format!("to = \"audit\"\n[channels.{CHANNEL}]\ncustomer = \"acme\"\ndigest = true\n");
    let (bot, _folder) = bot(&text).await;
    bot.types("google_ads, stripe").await;
    let database = sqlx::SqlitePool::connect(&bot.database()).await.unwrap();
    let sql = "UPDATE message SET place_channel = NULL, place_ts = NULL";
    sqlx::query(sql).execute(&database).await.unwrap();
    database.close().await;
    bot.passes(HOUR * 3).await;
    until_told(&bot, 1).await;
    let told = digests(&bot.slack);
    assert_eq!((told.len(), told[0].channel.as_str()), (1, AUDIT));
    let text = told[0].rendered();
    assert!(
        text.contains("*0 of 2 connected*") && text.contains("I know of no message that shows it."),
        "{text}"
    );
    bot.finish().await;
}

/// Runs the program until it comes to a point, and nothing is done that was not before.
async fn comes_to(program: &Program, point: &str) {
    // It may be there before anybody could ask whether it is ready.
    let mut process = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").spawn();
    process.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_posted_before_it_is_due_nor_by_a_plan_that_was_put_back_nor_twice() {
    let outside = Outside::start().await;
    let (_folder, early) = config(2, "to = \"channels\"\n");
    let (_folder_too, due) = config(-1, "to = \"channels\"\n");
    let program = Program::against(&outside).with("LEASE_SECONDS", "1");
    let process = program.start().await;
    process.send_in(&outside.slack, CHANNEL, "google_ads acme").await;
    until("the link", async || outside.slack.messages().iter().any(|it| link_of(it).is_some()).then_some(()))
        .await;
    process.stop().await;
    comes_to(&program.clone().with("CONFIG", &early), "digest: none due").await;
    let program_with = program.clone().with("CONFIG", &due);
    comes_to(&program_with, "digest: none due").await;
    assert!(digests(&outside.slack).is_empty());
    // The table is taken away and put back: what was due meanwhile is over.
    program.sql("UPDATE digest_plan SET since = 0").await;
    program.start().await.stop().await;
    comes_to(&program_with, "digest: none due").await;
    assert!(digests(&outside.slack).is_empty());
    // The control: by the same plan it is posted, and then not again.
    program.sql("UPDATE digest_plan SET since = 0").await;
    comes_to(&program_with, "digest: all told").await;
    assert_eq!(digests(&outside.slack).len(), 1);
    comes_to(&program_with, "digest: all told").await;
    assert_eq!(digests(&outside.slack).len(), 1);
    outside.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_digest_is_posted_where_slack_does_not_take_all() {
    // Without an audit channel, whose lines go the same way.
    let (_folder, path) = config(2, "to = \"channels\"\n");
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    for service in ["google_ads", "stripe", "hubspot"] {
        bot.types(&format!("{service} {service}")).await;
    }
    bot.slack.faults(|faults| {
        faults.fail_next(
            "chat.postMessage",
            Fault::Says(200, json!({ "ok": false, "error": "msg_too_long" })),
            1,
        );
    });
    bot.passes(HOUR * 3).await;
    until_told(&bot, 1).await;
    let told = digests(&bot.slack);
    assert_eq!(told.len(), 1);
    assert!(told[0].rendered().contains("… and 1 more."), "{}", told[0].rendered());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_share_a_message_are_one_line_that_says_how_far_they_are() {
    let acme = format!("[channels.{CHANNEL}]\ncustomer = \"acme\"\n");
    let (bot, _folder) = bot(&format!("to = \"channels\"\n{acme}")).await;
    bot.types("google_ads, hubspot, stripe").await;
    bot.customer_finishes("acme_google_ads");
    bot.passes(HOUR).await;
    bot.passes(HOUR * 2).await;
    until_told(&bot, 1).await;
    let told = digests_in(&bot.slack, CHANNEL);
    assert_eq!(told.len(), 1);
    let text = told[0].rendered();
    assert!(text.contains("*1 of 3 connected*; still waiting: *HubSpot*, *Stripe*."), "{text}");
    assert!(!text.contains("Google Ads") && !text.contains("acme"), "{text}");
    // Once nothing is left to do, nothing is posted.
    bot.customer_finishes("acme_hubspot");
    bot.customer_finishes("acme_stripe");
    bot.passes(HOUR).await;
    bot.passes(DAY * 7).await;
    until_told(&bot, 2).await;
    assert_eq!(digests(&bot.slack).len(), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_unfinished_nothing_is_posted() {
    let (bot, _folder) = bot(&format!("to = \"channels\"\n[channels.{SHARED}]\ndigest = false\n")).await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.types_as(USER, SHARED, "google_ads globex").await;
    bot.passes(HOUR).await;
    bot.passes(HOUR * 2).await;
    until_told(&bot, 1).await;
    assert!(digests(&bot.slack).is_empty(), "one is connected, and the other's channel wants none");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_channel_is_told_of_every_channel_and_a_channel_that_wants_one_besides() {
    let (bot, _folder) = bot(&format!("to = \"audit\"\n[channels.{SHARED}]\ndigest = true\n")).await;
    bot.types("google_ads acme").await;
    bot.types_as(USER, SHARED, "stripe globex").await;
    bot.passes(HOUR * 3).await;
    until_told(&bot, 1).await;
    let told = digests_in(&bot.slack, AUDIT);
    assert_eq!(told.len(), 1);
    let text = told[0].rendered();
    for word in [CHANNEL, SHARED, "Google Ads", "acme", "Stripe", "globex", USER] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(link_of(&told[0]), None);
    assert_eq!(
        (digests_in(&bot.slack, SHARED).len(), digests_in(&bot.slack, CHANNEL).len()),
        (1, 0),
        "{text}"
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_puts_off_is_posted_later_and_what_it_refuses_is_not_and_told_once() {
    let outside = Outside::start().await;
    let (_folder, path) = config(-1, "to = \"channels\"\n");
    let program = Program::against(&outside).with("CONFIG", &path).with("LOG_FORMAT", "json");
    let process = program.start().await;
    process.send_in(&outside.slack, CHANNEL, "google_ads acme").await;
    // The bot is not in this one: the link goes by the response_url.
    process.send_in(&outside.slack, PRIVATE, "google_ads globex").await;
    until("both links", async || {
        (outside.slack.messages().iter().filter(|it| link_of(it).is_some()).count() == 2).then_some(())
    })
    .await;
    process.stop().await;
    program.sql("UPDATE digest_plan SET since = 0").await;
    // As if it had been, and somebody had put it out since.
    let placed = format!("place_channel = '{PRIVATE}', place_ts = '1700000000.000100'");
    program.sql(&format!("UPDATE message SET {placed} WHERE name = 'globex'")).await;
    let throttled = Fault::Throttled { retry_after: Some("1".to_owned()) };
    outside.slack.faults(|faults| faults.fail_next("chat.postMessage", throttled, 1));
    let process = program.start().await;
    until("the digest", async || (!digests(&outside.slack).is_empty()).then_some(())).await;
    let said = || process.log().matches("Slack takes no digest for this channel").count();
    until("the refusal", async || (said() > 0).then_some(())).await;
    assert_eq!((said(), digests_in(&outside.slack, CHANNEL).len()), (1, 1), "{}", process.log());
    // The week is over for both, once all have had their turn.
    process.stop().await;
    comes_to(&program, "digest: all told").await;
    let refused = || {
        let to = |(_, body): &(_, serde_json::Value)| body["channel"] == json!(PRIVATE);
        outside.slack.calls().iter().filter(|call| to(call)).count()
    };
    let before = refused();
    comes_to(&program, "digest: all told").await;
    assert_eq!((refused(), digests(&outside.slack).len()), (before, 1));
    outside.shutdown();
}

/// A process dies at the point: what it has posted stands there once, and what it has not is lost.
async fn dies(engine: Engine, point: &str, posted: usize) {
    let outside = Outside::start().await;
    let (_folder, path) = config(-1, "to = \"channels\"\n");
    let program = engine.program(&outside).with("CONFIG", &path).with("SLACK_BOT_TOKEN", BOT_TOKEN);
    let program = program.with("LEASE_SECONDS", "1");
    let process = program.start().await;
    process.send_in(&outside.slack, CHANNEL, "google_ads acme").await;
    process.send_in(&outside.slack, SHARED, "google_ads globex").await;
    until("both links", async || {
        (outside.slack.messages().iter().filter(|it| link_of(it).is_some()).count() == 2).then_some(())
    })
    .await;
    process.stop().await;
    assert!(digests(&outside.slack).is_empty(), "the moment was over before anybody asked for digests");
    program.sql("UPDATE digest_plan SET since = 0").await;
    let mut process = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").start().await;
    process.wait().await;
    assert_eq!(digests(&outside.slack).len(), posted, "{engine}: {point}");
    let process = program.start().await;
    until("the other channel's digest", async || (digests(&outside.slack).len() == posted + 1).then_some(()))
        .await;
    process.stop().await;
    // Nothing is posted that was, nor what was lost.
    comes_to(&program, "digest: all told").await;
    assert_eq!(digests(&outside.slack).len(), posted + 1, "{engine}: {point}");
    outside.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_the_way_posts_nothing_twice_on_sqlite() {
    dies(Engine::Sqlite, "digest: taken", 0).await;
    dies(Engine::Sqlite, "digest: posted", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_on_the_way_posts_nothing_twice_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    dies(Engine::Postgres(postgres), "digest: taken", 0).await;
    dies(Engine::Postgres(postgres), "digest: posted", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_post_each_digest_once() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let (_folder, path) = config(-1, "to = \"channels\"\n");
    let program = Engine::Postgres(postgres).program(&outside).with("CONFIG", &path);
    let program = program.with("SLACK_BOT_TOKEN", BOT_TOKEN).with("LEASE_SECONDS", "1");
    let process = program.start().await;
    for channel in [CHANNEL, SHARED, AUDIT] {
        process.send_in(&outside.slack, channel, &format!("google_ads {}", channel.to_lowercase())).await;
    }
    until("the links", async || {
        (outside.slack.messages().iter().filter(|it| link_of(it).is_some()).count() == 3).then_some(())
    })
    .await;
    process.stop().await;
    program.sql("UPDATE digest_plan SET since = 0").await;
    let programs = [program.clone().on_another_port(), program.clone().on_another_port()];
    let processes = futures_util::future::join_all(programs.iter().map(Program::start)).await;
    let database = program.var("DATABASE_URL").rsplit_once('/').unwrap().1.to_owned();
    until("the week's end of digests", async || {
        let (database, told) = (database.clone(), "SELECT count(*) FROM digest WHERE channel_id = ''");
        let asked = tokio::task::spawn_blocking(move || postgres.psql(&database, told));
        (asked.await.unwrap().1.trim() == "1").then_some(())
    })
    .await;
    for process in processes {
        process.stop().await;
    }
    for channel in [CHANNEL, SHARED, AUDIT] {
        assert_eq!(digests_in(&outside.slack, channel).len(), 1, "{channel}");
    }
    outside.shutdown();
}

#[tokio::test]
async fn check_says_when_the_next_one_is_and_what_is_missing_for_it() {
    let outside = Outside::start().await;
    let (_folder, path) = config(2, "to = \"audit\"\n");
    let program = Program::against(&outside).with("CONFIG", &path);
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("digest.to is audit, but AUDIT_CHANNEL isn't set"), "{output:?}");
    let output = program.clone().with("AUDIT_CHANNEL", AUDIT).run(&["check"]).await;
    assert!(output.stdout.contains("✓ CONFIG: the next digest goes to AUDIT_CHANNEL"), "{output:?}");
    let (_folder, path) = config(2, "to = \"channels\"\n");
    let program = program.with("CONFIG", &path);
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("✓ CONFIG: the next digest goes to each channel"), "{output:?}");
    let output = program.clone().with("LINK_VISIBILITY", "requester").run(&["check"]).await;
    assert!(output.stdout.contains("digest goes to channels, but LINK_VISIBILITY is"), "{output:?}");
    let output = program.without("SLACK_BOT_TOKEN").run(&["check"]).await;
    assert!(output.stdout.contains("digest is there, but SLACK_BOT_TOKEN isn't"), "{output:?}");
}
