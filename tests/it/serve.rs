//! The bot as a process: health, metrics, the customer's landing page, and the end of it.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::Duration;

use expect_test::expect;
use sqlx::Connection as _;
use stand_ins::fault::{Fault, Faults};
use stand_ins::slack::{Message, SlackStandIn, Visibility};

use crate::harness::{
    CHANNEL, Outside, Program, Setup, TestBot, Trick, USER, Wire, client, free_port, link_of, until,
};

const COMMAND: &str = "google_ads customer_schema";

async fn get(url: String) -> reqwest::Response {
    client().get(url).send().await.unwrap()
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
    bot.announce_stop();
    assert_eq!(get(format!("{}/healthz", bot.url)).await.status().as_u16(), 200);
    assert_eq!(get(format!("{}/readyz", bot.url)).await.status().as_u16(), 503);
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn a_command_that_cannot_be_noted_down_is_refused_and_never_happens() {
    let bot = TestBot::start().await;
    let mut other = sqlx::SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    bot.types_meanwhile(USER, CHANNEL, "google_ads while_locked").await;
    assert_eq!(get(format!("{}/readyz", bot.url)).await.status().as_u16(), 503);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    bot.types("google_ads afterwards").await;
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads while_locked
          only alice sees:
              I couldn't save your request in time, so it may be lost. If nothing comes of it here in a few
              minutes, please try again.
        alice: /connect-card google_ads afterwards
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `afterwards` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
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
    for echo in ["calm_delta", "0123456789", "canary", "<b>"] {
        assert!(!pages[0].contains(echo), "{echo}");
    }
    assert_eq!(bot.api_calls().len(), 0, "opening it changes nothing");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn the_card_leads_the_customer_back_to_the_landing_page() {
    let bot = TestBot::start().await;
    bot.types(COMMAND).await;
    let link = link_of(&bot.link_message()).unwrap();
    let done = client().post(link).body("outcome=connect").send().await.unwrap();
    assert!(done.status().is_redirection(), "{}", done.status());
    let back = done.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&format!("{}/connected/", bot.url)), "{back}");
    bot.lands(&back).await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
        the customer comes back, and sees:
            Google Ads is connected
            Your sign-in is complete, and there's nothing more to do. You can close this window and go back
            to where you found the link.
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
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
    let address = format!("127.0.0.1:{}", free_port());
    let bot = Setup::new().await.with("METRICS_ADDR", &address).start().await;
    bot.send(COMMAND).await;
    bot.message(1).await;
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", Fault::Status(403), 1));
    bot.send("google_ads refused_schema").await;
    bot.message(2).await;
    bot.send("help").await;
    get(format!("{}/slack/commands", bot.url)).await;
    let forged = client().post(format!("{}/slack/commands", bot.url)).body("a=b");
    assert_eq!(forged.send().await.unwrap().status().as_u16(), 401);
    let client = client();
    let forged = client.post(format!("{}/slack/interactivity", bot.url)).body("payload=%7B%7D");
    assert_eq!(forged.send().await.unwrap().status().as_u16(), 401);
    let probe = client.post(format!("{}/slack/commands", bot.url)).body("ssl_check=1");
    assert_eq!(probe.send().await.unwrap().status().as_u16(), 200);

    let found = until("both ends to be counted", async || {
        let page = get(format!("http://{address}/metrics")).await;
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let found = samples(&page.text().await.unwrap());
        let ended = |ending| found.get(&format!(r#"connect_card_commands_ended_total{{ending="{ending}"}}"#));
        (ended("delivered") == Some(&1.0) && ended("told") == Some(&1.0)).then_some(found)
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
        ("connect_card_command_seconds_count", 2.0),
        ("connect_card_ack_seconds_count", 3.0),
        ("connect_card_undeliverable", 0.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in {found:#?}");
    }
    assert_eq!(get(format!("{}/metrics", bot.url)).await.status().as_u16(), 404, "not where Slack comes in");
    assert_eq!(bot.finish().await.len(), 2);
}

async fn first_message(slack: &SlackStandIn) -> Message {
    until("the message", async || slack.messages().first().cloned()).await
}

/// One link in the channel, one connection: whatever came between.
#[track_caller]
fn assert_delivered_once(outside: &Outside) {
    let messages = outside.slack.messages();
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert_eq!((messages[0].visibility, messages[0].channel.as_str()), (Visibility::Channel, CHANNEL));
    assert!(link_of(&messages[0]).is_some(), "{}", messages[0].rendered());
    assert_eq!(outside.fivetran.connections().len(), 1);
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight() {
    let outside = Outside::start().await;
    let wire = Wire::to(outside.fivetran.addr(), "POST /v1/connections").await;
    wire.arm(Trick::Hold);
    let mut bot = Program::against(&outside).with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.send(&outside.slack, COMMAND).await;
    until("the creation", async || (outside.fivetran.connections().len() == 1).then_some(())).await;
    bot.terminate().await;
    until("the shutdown to begin", async || bot.log().contains("shutting down").then_some(())).await;
    assert!(outside.slack.messages().is_empty());
    wire.release();
    assert_eq!(bot.wait().await.code(), Some(0), "{}", bot.log());
    assert_delivered_once(&outside);
}

#[tokio::test]
async fn what_a_shutdown_cannot_finish_the_next_process_does() {
    let outside = Outside::start().await;
    let Outside { slack, fivetran } = &outside;
    let program = Program::against(&outside);
    let bot = program.start().await;
    fivetran.faults(|faults| faults.fail_always("create_connection", Fault::DropAfter));
    fivetran.faults(|faults| faults.fail_always("list_connections", Fault::Status(500)));
    bot.send(slack, COMMAND).await;
    until("a first try", async || (fivetran.calls_to("list_connections") > 0).then_some(())).await;
    // It ends although Fivetran never gives an answer.
    bot.stop().await;
    assert!(slack.messages().is_empty());

    fivetran.faults(Faults::heal);
    let next = program.start().await;
    first_message(slack).await;
    next.stop().await;
    assert_delivered_once(&outside);
}

#[tokio::test]
async fn what_a_crash_interrupts_the_next_process_finishes_without_doubling_it() {
    let outside = Outside::start().await;
    let Outside { slack, fivetran } = &outside;
    // On SQLite a dead process's leases need not be waited for.
    let program = Program::against(&outside).with("LEASE_SECONDS", "600");
    let bot = program.start().await;
    // Fivetran makes the connection, and the process dies before it hears of it.
    fivetran.faults(|faults| {
        faults.fail_next("create_connection", Fault::SlowAfter(Duration::from_secs(600)), 1);
    });
    bot.send(slack, COMMAND).await;
    until("the creation", async || (fivetran.connections().len() == 1).then_some(())).await;
    bot.kill().await;
    assert!(slack.messages().is_empty());

    let next = program.start().await;
    let message = first_message(slack).await;
    assert!(message.rendered().contains(USER), "the next process knows who asked");
    next.stop().await;
    assert_delivered_once(&outside);
    let made = fivetran.calls().iter().filter(|call| call.route == "create_connection").count();
    assert_eq!(made, 1, "it was looked for, not made again");
}

#[tokio::test]
async fn a_second_process_does_not_touch_the_same_file() {
    let program = Program::against(&Outside::start().await);
    let bot = program.start().await;
    let second = program.clone().on_another_port().run(&["serve"]).await;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("another connect-card is already using"), "{second:?}");
    assert_eq!(get(format!("{}/readyz", bot.url())).await.status().as_u16(), 200);
    bot.stop().await;
}

/// Spoils a page of a database that is not read at the start, as a disk does: whoever has left it doesn't see that.
async fn damage(program: &Program) {
    let url = format!("sqlite:{}", program.database().display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let (page, size): (u64, u64) = sqlx::query_as(
        "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'digest'",
    )
    .fetch_one(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(program.database()).unwrap();
    let lock = format!("{}.lock", program.database().display());
    let look = |file: &std::fs::File| {
        let it = file.metadata().unwrap();
        let (written, changed) = ((it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec()));
        let times = format!("{}.{:09} {}.{:09}", written.0, written.1, changed.0, changed.1);
        format!("closed {} {} {times}", it.ino(), it.len())
    };
    let left = std::fs::read_to_string(&lock).unwrap() == look(&file);
    file.write_all_at(&[0xff; 100], (page - 1) * size).unwrap();
    if left {
        std::fs::write(&lock, look(&file)).unwrap();
    }
}

/// That a damaged file takes no command, however often it is tried.
async fn assert_refused(program: &Program) {
    for _ in 0..2 {
        let refused = program.run(&["serve"]).await;
        assert_eq!(refused.code, 1, "{refused:?}");
        let told = format!("{}{}", refused.stdout, refused.stderr);
        assert!(told.contains("restore a backup") && !told.contains("listening"), "{told}");
        let checked = program.run(&["check"]).await;
        assert!(checked.stdout.contains("is damaged ("), "{checked:?}");
    }
}

#[tokio::test]
async fn a_bot_does_not_go_on_with_a_damaged_file() {
    let program = Program::against(&Outside::start().await);
    program.start().await.stop().await;
    damage(&program).await;
    let checked = program.run(&["check"]).await;
    assert!(checked.stdout.contains("is damaged ("), "{checked:?}");

    let program = Program::against(&Outside::start().await);
    program.start().await.stop().await;
    damage(&program).await;
    let mut process = program.spawn();
    assert_eq!(process.wait().await.code(), Some(1), "{}", process.log());
    let log = process.log();
    // It was as the bot had left it, so it was at work when it found out.
    assert!(["listening", "is damaged (", "restore a backup"].iter().all(|it| log.contains(it)), "{log}");
    assert_refused(&program).await;
}

#[tokio::test]
async fn a_damaged_file_takes_no_command_after_a_crash_or_in_anothers_place() {
    let program = Program::against(&Outside::start().await);
    program.start().await.stop().await;
    damage(&program).await;
    let backup = program.folder().join("backup.db");
    std::fs::copy(program.database(), &backup).unwrap();
    std::fs::rename(&backup, program.database()).unwrap();
    assert_refused(&program).await;

    let program = Program::against(&Outside::start().await);
    program.start().await.stop().await;
    program.start().await.kill().await;
    damage(&program).await;
    assert_refused(&program).await;
}
