//! `doctor`: whether the bot is well, for those who may use it, with what to do about what is not, and in
//! time whatever does not answer.

use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{APP_TOKEN, Ack, BOT_TOKEN, Delivery, SIGNING_SECRET, render};

use crate::harness::{CHANNEL, GUEST, OUTSIDER, PRIVATE, Setup, TestBot, USER, until};
use crate::sockets;

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
            "Everything looks fine.",
            "✓ Version ",
            "✓ The database is writable.",
            "✓ No command is open.",
            "✓ Every message shows how its link stands.",
            "✓ The clock is right.",
            "✓ Slack accepts my token.",
            "✓ All scopes that I need are granted.",
            "✓ I'm in this channel",
            "✓ Fivetran accepts the key of FIVETRAN_API_KEY.",
            "✓ Data from this channel goes to ",
            "calls are left in this hour.",
            "every member of the workspace, in every channel",
        ],
    );
    assert!(!shown.contains('✗') && !shown.contains("sockets"), "{shown}");
    for secret in [BOT_TOKEN, SIGNING_SECRET, &bot.fivetran.url(), USER, GROUP_ID] {
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
            "✓ Slack accepts my token.",
            "✓ Fivetran accepts the key of FIVETRAN_API_KEY.",
        ],
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_not_known_and_the_database_takes_writes_all_the_same() {
    let bot = TestBot::start().await;
    asks(&bot, CHANNEL).await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("ALTER TABLE sweep RENAME TO hidden").execute(&mut other).await.unwrap();
    let shown = asks(&bot, CHANNEL).await;
    assert_says(
        &shown,
        &[
            "Everything looks fine.",
            "✓ The database is writable.",
            "– I couldn't read in time which commands are open",
        ],
    );
    assert!(!shown.contains("how its connections stand") && !shown.contains("watched"), "{shown}");
    sqlx::query("ALTER TABLE hidden RENAME TO sweep").execute(&mut other).await.unwrap();
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_was_never_listed_is_not_said_to_have_been() {
    let bot = TestBot::start().await;
    bot.fivetran.faults(|faults| faults.fail_always("list_page", Fault::Status(500)));
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    bot.until_all_ended().await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    // Until a list has failed, and is put off.
    for (ahead, says) in [(60, "– I'm about to look for the first time"), (1200, "✗ I should have looked ")]
    {
        bot.advance(Duration::from_secs(ahead));
        until("a list that failed", async || {
            let next: Option<i64> =
                sqlx::query_scalar("SELECT next_at FROM sweep").fetch_one(&mut other).await.unwrap();
            (next? > bot.clock.now().as_millisecond()).then_some(())
        })
        .await;
        assert_says(&asks(&bot, CHANNEL).await, &[says]);
    }
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_without_a_destination_has_no_list_and_needs_no_account() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("customers.toml");
    std::fs::write(
        &file,
        format!("[destinations.a]\ngroup_id = \"a\"\n[destinations.b]\ngroup_id = \"{GROUP_ID}\"\n"),
    )
    .unwrap();
    let setup = Setup::new().await.with("CONFIG", file.to_str().unwrap()).with("FIVETRAN_GROUP_ID", "");
    let bot = setup.start().await;
    let forbidden = serde_json::json!({ "code": "Forbidden", "message": "Not permitted" });
    bot.fivetran.faults(|faults| faults.fail_always("account", Fault::Says(403, forbidden)));
    let shown = asks(&bot, CHANNEL).await;
    assert_says(
        &shown,
        &[
            "Everything looks fine.",
            "✓ Fivetran accepts the key of FIVETRAN_API_KEY.",
            "– This channel has no destination of its own",
        ],
    );
    assert!(!shown.contains("how its connections stand") && !shown.contains("watched"), "{shown}");
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
        assert_says(&shown, &[says, "✓ The database is writable.", "✓ Slack accepts my token."]);
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
        assert_says(&asks(&bot, CHANNEL).await, &[says, "✓ Fivetran accepts the key"]);
    }
    // As a proxy may leave it: without the header.
    let whose = serde_json::json!({ "ok": true, "team_id": "T", "user_id": "U" });
    bot.slack.faults(|faults| faults.fail_next("auth.test", Fault::Says(200, whose), 1));
    let shown = asks(&bot, CHANNEL).await;
    assert_says(&shown, &["✓ Slack accepts my token.", "– Slack didn't say which scopes I'm granted."]);
    assert!(!shown.contains("scopes that I need"), "{shown}");
    bot.slack.set_scopes(&["commands", "users:read"]);
    let unguarded =
        "– Without the scope groups:read, nobody is asked before a link goes into a private channel";
    assert_says(&asks(&bot, CHANNEL).await, &["✗ The scope chat:write isn't granted", unguarded]);
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_sockets_are_open_is_said_with_what_to_do_about_none() {
    // Both ways are open, so that there is one to ask by while no socket is.
    let setup = Setup::new().await.with("SLACK_APP_TOKEN", APP_TOKEN);
    setup.slack.faults(|faults| faults.fail_always("apps.connections.open", Fault::Status(503)));
    let bot = setup.start().await;
    assert_says(
        &asks(&bot, CHANNEL).await,
        &[
            "One thing needs attention. It has a ✗.",
            "✗ No socket to Slack is open here. Check the network and SLACK_APP_TOKEN;",
        ],
    );
    bot.slack.faults(|faults| faults.heal());
    bot.slack.wait_for_sockets(|count| count == 2).await;
    bot.slack.deliver_by(Delivery::Sockets);
    let shown = until("both sockets to be heard", async || {
        let shown = asks(&bot, CHANNEL).await;
        shown.contains("✓ 2 of 2 sockets to Slack are open.").then_some(shown)
    })
    .await;
    assert_says(&shown, &["Everything looks fine."]);
    assert!(!shown.contains(APP_TOKEN) && !shown.contains('✗'), "{shown}");
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_the_bot_is_not_in_is_told_how_to_invite_it() {
    let bot = TestBot::start().await;
    bot.send_in(PRIVATE, "google_ads customer_schema").await;
    bot.message(1).await;
    bot.until_all_ended().await;
    let shown = asks(&bot, PRIVATE).await;
    assert_says(
        &shown,
        &[
            "Everything looks fine.",
            "– I wasn't in this channel",
            "/invite @connect-card",
            "I'll know when I next post here.",
        ],
    );
    bot.stop().await;
    let bot = Setup::new().await.without_token().start().await;
    let shown = asks(&bot, CHANNEL).await;
    assert_says(&shown, &["– I have no bot token"]);
    assert!(!shown.contains("I'm in this channel") && !shown.contains("/invite"), "{shown}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_refuses_commands_only_where_they_are_signed() {
    let refuses = "From five minutes on I have to refuse every command.";
    for by_http in [true, false] {
        let bot = if by_http { TestBot::start().await } else { sockets::start().await };
        asks(&bot, CHANNEL).await;
        bot.clock.advance(Duration::from_secs(100));
        let shown = until("the clock to be known", async || {
            let shown = asks(&bot, CHANNEL).await;
            shown.contains("ahead of Slack's").then_some(shown)
        })
        .await;
        assert_eq!(shown.contains(refuses), by_http, "{shown}");
        assert_says(&shown, &["✗ The clock is ", "Let NTP set the machine's time."]);
        bot.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_nobody_could_be_told_of_is_said_for_a_day() {
    let bot = TestBot::start().await;
    bot.send("google_ads customer_schema").await;
    bot.until_all_ended().await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("UPDATE command SET stage = 'undeliverable'").execute(&mut other).await.unwrap();
    assert_says(
        &asks(&bot, CHANNEL).await,
        &["✗ In the last day one command ended without my being able to tell anybody.", "connect-card check"],
    );
    bot.advance(Duration::from_secs(25 * 60 * 60));
    assert!(!asks(&bot, CHANNEL).await.contains("without my being able"));
    bot.stop().await;
}
