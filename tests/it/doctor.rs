//! `doctor`: whether the bot is well, for those who may use it, with what to do about what is not, and in
//! time whatever does not answer.

use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{Ack, BOT_TOKEN, SIGNING_SECRET, render};

use crate::harness::{CHANNEL, GUEST, OUTSIDER, PRIVATE, Setup, TestBot, USER, until};

/// What the person reads, who alone does.
async fn asks(bot: &TestBot, channel: &str) -> String {
    let ack = bot.send_in(channel, "doctor").await;
    read(&ack)
}

fn read(ack: &Ack) -> String {
    assert_eq!(ack.json()["response_type"], "ephemeral");
    render(&ack.json())
}

#[track_caller]
fn assert_says(shown: &str, lines: &[&str]) {
    for line in lines {
        assert!(shown.contains(line), "no “{line}” in:\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_well_says_so_and_nothing_that_nobody_should_know() {
    let bot = TestBot::start().await;
    assert_says(&asks(&bot, CHANNEL).await, &["– I don't know yet whether I'm in this channel"]);
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    bot.until_all_ended().await;
    let shown = asks(&bot, CHANNEL).await;
    assert_says(
        &shown,
        &[
            "Nothing that I can see is amiss.",
            "✓ Version ",
            "✓ The database takes writes.",
            "✓ No command is open.",
            "✓ Every message shows how its link stands.",
            "✓ The clock is right.",
            "✓ Slack takes my token.",
            "✓ All scopes that I need are granted.",
            "✓ I'm in this channel",
            "✓ Fivetran takes the key of FIVETRAN_API_KEY.",
            "✓ Links of this channel lead into ",
            "calls are left in this hour.",
            "every member of the workspace, in every channel",
        ],
    );
    assert!(!shown.contains('✗') && !shown.contains("sockets"), "{shown}");
    for secret in [BOT_TOKEN, SIGNING_SECRET, &bot.fivetran.url(), USER, "group_"] {
        assert!(!shown.contains(secret), "{secret} in:\n{shown}");
    }
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_said_to_and_keeps_nobody_waiting() {
    let bot = TestBot::start().await;
    asks(&bot, CHANNEL).await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    // Whether a row can be written is asked anew after a second.
    let shown = until("the database's silence", async || {
        let shown = asks(&bot, CHANNEL).await;
        shown.contains("✗ The database doesn't take writes in time").then_some(shown)
    })
    .await;
    assert_says(
        &shown,
        &[
            "One thing needs attention.",
            "– So I can't say which commands are open",
            "✓ Slack takes my token.",
            "✓ Fivetran takes the key of FIVETRAN_API_KEY.",
        ],
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fivetran_says_is_said_with_what_to_do() {
    let bot = TestBot::start().await;
    let throttled = Fault::Throttled { retry_after: Some("2400".to_owned()) };
    for (fault, says) in [
        (Fault::Status(401), "✗ Fivetran rejects the key of FIVETRAN_API_KEY. Make a new one"),
        (throttled, "✗ Fivetran asks for a pause of 40 minutes"),
        (Fault::Status(500), "– Fivetran gave no clear answer in time."),
        (Fault::SlowAfter(Duration::from_secs(20)), "– Fivetran gave no clear answer in time."),
    ] {
        bot.fivetran.faults(|faults| faults.fail_next("group", fault, 1));
        let shown = asks(&bot, CHANNEL).await;
        assert_says(&shown, &[says, "✓ The database takes writes.", "✓ Slack takes my token."]);
    }
    bot.fivetran.shutdown();
    assert_says(&asks(&bot, CHANNEL).await, &["✗ I can't reach Fivetran."]);
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_says_is_said_with_what_to_do() {
    let bot = TestBot::start().await;
    asks(&bot, CHANNEL).await;
    let revoked = serde_json::json!({ "ok": false, "error": "token_revoked" });
    for (fault, says) in [
        (Fault::Says(200, revoked), "✗ Slack refuses my token (token_revoked): "),
        (Fault::SlowAfter(Duration::from_secs(20)), "– Slack gave no clear answer in time."),
    ] {
        bot.slack.faults(|faults| faults.fail_next("auth.test", fault, 1));
        assert_says(&asks(&bot, CHANNEL).await, &[says, "✓ Fivetran takes the key"]);
    }
    bot.slack.set_scopes(&["commands", "users:read"]);
    assert_says(&asks(&bot, CHANNEL).await, &["✗ The scope chat:write isn't granted"]);
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_the_bot_is_not_in_is_told_how_to_invite_it() {
    let bot = TestBot::start().await;
    bot.send_in(PRIVATE, "google_ads customer_schema").await;
    bot.message(1).await;
    bot.until_all_ended().await;
    let shown = asks(&bot, PRIVATE).await;
    assert_says(&shown, &["✗ I wasn't in this channel", "/invite @connect-card"]);
    bot.stop().await;
    let bot = Setup::new().await.without_token().start().await;
    let shown = asks(&bot, CHANNEL).await;
    assert_says(&shown, &["– I have no bot token"]);
    assert!(!shown.contains("in this channel:\n") && !shown.contains("/invite"), "{shown}");
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_use_the_bot_learns_nothing() {
    let bot = TestBot::start().await;
    for person in [GUEST, OUTSIDER] {
        let shown = read(&bot.send_as(person, CHANNEL, "doctor").await);
        assert!(shown.contains("so I did nothing"), "{shown}");
        assert!(!shown.contains("database") && !shown.contains("Version"), "{shown}");
    }
    bot.stop().await;
}
