//! What people are told when the database does not take a command in time: that nothing will happen
//! only where that is certain, and then nothing does, in whatever order things reach the database.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use sqlx::{Connection as _, SqliteConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use connect_card::reply::ask::CANCEL;

use crate::harness::postgres::{self, Postgres};
use crate::harness::{CHANNEL, SHARED, Setup, TestBot, Trick, USER, Wire, needs, signed_headers, until};

/// By these words somebody is told that nothing was done and nothing will be.
const CERTAIN: &str = "I didn't do anything";
/// By these, that nobody knows yet.
const UNSURE: &str = "it may be lost";
/// Longer than a request may take, from its first byte to the answer.
const TOO_LONG: Duration = Duration::from_secs(3);

/// Asks a database, beside the bot.
async fn ask(server: &Arc<Postgres>, database: &str, sql: &str) -> String {
    let (server, database, sql) = (Arc::clone(server), database.to_owned(), sql.to_owned());
    let asked = tokio::task::spawn_blocking(move || server.psql(&database, &sql));
    let (worked, rows) = asked.await.unwrap();
    assert!(worked, "{rows}");
    rows
}

async fn set(server: &Arc<Postgres>, setting: &'static str, value: &'static str) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || server.set(setting, value)).await.unwrap();
}

async fn stages(server: &Arc<Postgres>, database: &str, schema: &str) -> String {
    ask(server, database, &format!("SELECT stage FROM command WHERE request LIKE '%{schema}%'")).await
}

/// A bot on a server of its own, whose settings are nobody else's, and the name of its database.
async fn on_its_own_server() -> Option<(TestBot, Arc<Postgres>, String)> {
    let bin = needs::postgres()?;
    let server = tokio::task::spawn_blocking(|| Arc::new(Postgres::start(bin))).await.unwrap();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    // Short, so that a row that is not void would be taken up at once.
    let bot = Setup::new().await.with("LEASE_SECONDS", "1").with("DATABASE_URL", &url).start().await;
    Some((bot, server, database))
}

/// How many commits wait for a standby.
async fn waiting_for_a_standby(server: &Arc<Postgres>) -> usize {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    ask(server, "postgres", sql).await.parse().unwrap()
}

/// The bot works as ever, and nothing has come of `ghost`.
async fn works_and_has_not_made(bot: TestBot, ghost: &str) {
    bot.send("google_ads afterwards").await;
    assert!(bot.message(1).await.rendered().contains("afterwards"));
    let made = bot.outside().connections_by_name();
    assert!(!made.contains_key(ghost), "{made:?}");
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_standby_is_not_denied_and_never_happens() {
    let Some((bot, server, database)) = on_its_own_server().await else { return };
    set(&server, "synchronous_standby_names", "nobody").await;
    let sentence = bot.send("google_ads ghost_schema").await.text();
    assert!(sentence.contains(UNSURE) && !sentence.contains(CERTAIN), "{sentence}");
    assert!(waiting_for_a_standby(&server).await > 0, "it still waits");
    assert_eq!(stages(&server, &database, "ghost_schema").await, "", "nobody can see it");
    // The bot gives its session up after a while, and makes the row void, which it cannot see.
    until("the tombstone waits for the insert", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        (ask(&server, "postgres", sql).await != "0").then_some(())
    })
    .await;
    set(&server, "synchronous_standby_names", "").await;
    until("the row is void", async || {
        (stages(&server, &database, "ghost_schema").await == "void").then_some(())
    })
    .await;
    works_and_has_not_made(bot, "ghost_schema").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_a_local_commit_is_no_proof_that_nothing_was_done() {
    let Some((bot, server, database)) = on_its_own_server().await else { return };
    set(&server, "synchronous_standby_names", "nobody").await;
    let sentence = tokio::join!(bot.send("google_ads ghost_schema"), async {
        until("the commit waits", async || (waiting_for_a_standby(&server).await > 0).then_some(())).await;
        // 57P01 for the bot; the row is committed on this server, and everybody sees it.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        ask(&server, "postgres", end).await;
    });
    let sentence = sentence.0.text();
    assert!(sentence.contains(UNSURE) && !sentence.contains(CERTAIN), "{sentence}");
    set(&server, "synchronous_standby_names", "").await;
    until("the row is void", async || {
        (stages(&server, &database, "ghost_schema").await == "void").then_some(())
    })
    .await;
    works_and_has_not_made(bot, "ghost_schema").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_that_arrives_after_its_tombstone_inserts_nothing() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let wire = Wire::lay(server.port(), "ghost_schema").await;
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{}/", wire.port));
    let bot = Setup::new().await.with("LEASE_SECONDS", "1").with("DATABASE_URL", &through).start().await;
    wire.arm(Trick::Late);
    let sentence = bot.send("google_ads ghost_schema").await.text();
    assert!(sentence.contains(UNSURE) && !sentence.contains(CERTAIN), "{sentence}");
    let stages = async || {
        let (database, sql) = (database.clone(), "SELECT stage FROM command".to_owned());
        let asked = tokio::task::spawn_blocking(move || server.psql(&database, &sql));
        asked.await.unwrap().1
    };
    until("the tombstone is there", async || (stages().await == "void").then_some(())).await;
    assert_eq!(wire.arrived(), 0);
    wire.release();
    until("the insert has arrived", async || (wire.arrived() == 1).then_some(())).await;
    assert_eq!(stages().await, "void");
    works_and_has_not_made(bot, "ghost_schema").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_line_behind_a_stalled_commit_is_certain_not_to_happen() {
    let bot = TestBot::start().await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let first = bot.send("google_ads stalled_schema");
    // The writer is at work on the first, so that nobody has asked the database for the second.
    let second = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        bot.send("google_ads waiting_schema").await
    };
    let (first, second) = tokio::join!(first, second);
    let (first, second) = (first.text(), second.text());
    assert!(first.contains(UNSURE) && !first.contains(CERTAIN), "{first}");
    assert!(second.contains(CERTAIN) && !second.contains(UNSURE), "{second}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    drop(other);
    until("it is ready again", async || bot.is_ready().await.then_some(())).await;
    works_and_has_not_made(bot, "stalled_schema").await;
}

/// One request on a connection that may carry more.
struct Line(TcpStream);

impl Line {
    async fn to(bot: &TestBot) -> Self {
        Self(TcpStream::connect(bot.address()).await.unwrap())
    }

    /// A typed command as bytes, signed.
    fn request(bot: &TestBot, arguments: &str) -> (String, String) {
        let body = bot.slack.command_request(&format!("/connect-card {arguments}"), CHANNEL, USER).body;
        let mut head =
            format!("POST /slack/commands HTTP/1.1\r\nhost: bot\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in signed_headers(body.as_bytes()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        (head + "\r\n", body)
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer, head and all.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let (_, length) = head.split_once("content-length: ").expect("a length");
                if body.len() == length.lines().next().unwrap().parse::<usize>().unwrap() {
                    return text;
                }
            }
            assert!(self.0.read_buf(&mut answer).await.unwrap() > 0, "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_header_took_the_time_is_not_carried_out() {
    let bot = TestBot::start().await;
    let mut line = Line::to(&bot).await;
    let (head, body) = Line::request(&bot, "google_ads too_late");
    let (first, rest) = head.split_at(10);
    line.say(first).await;
    tokio::time::sleep(TOO_LONG).await;
    line.say(&format!("{rest}{body}")).await;
    // Slack has told its person that this did not work, so it must not happen.
    let answer = line.answer().await;
    assert!(!answer.contains("Making a link"), "{answer}");
    works_and_has_not_made(bot, "too_late").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_quiet_has_not_used_up_the_time_of_its_next_request() {
    let bot = TestBot::start().await;
    let mut line = Line::to(&bot).await;
    for schema in ["first_schema", "second_schema"] {
        let (head, body) = Line::request(&bot, &format!("google_ads {schema}"));
        line.say(&head).await;
        line.say(&body).await;
        let answer = line.answer().await;
        assert!(answer.contains("Making a link"), "{answer}");
        tokio::time::sleep(TOO_LONG).await;
    }
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_slow_the_answer_does_not_wait_for_it() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "users.info").await;
    // Somebody who is named is let in although Slack does not tell.
    let setup = setup.with("ALLOWED_USERS", USER).with("SLACK_API_URL", &format!("{}/api/", wire.url()));
    let bot = setup.start().await;
    let mut other = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    wire.arm(Trick::Hold);
    let mut line = Line::to(&bot).await;
    let (head, body) = Line::request(&bot, "google_ads slow_schema");
    let (first, rest) = body.split_at(body.len() / 2);
    line.say(&head).await;
    line.say(first).await;
    tokio::time::sleep(Duration::from_millis(1900)).await;
    line.say(rest).await;
    let answer = line.answer().await;
    // On a busy machine the time may be over before the database is asked.
    assert!(answer.contains(UNSURE) || answer.contains(CERTAIN), "{answer}");
    // Only now do they go on, who were slow.
    wire.release();
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    drop(other);
    until("it is ready again", async || bot.is_ready().await.then_some(())).await;
    works_and_has_not_made(bot, "slow_schema").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_something_of_a_connection_at_work_is_told_what_is_under_way() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "DELETE /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.types("google_ads acme").await;
    let ack = bot.types("cancel acme").await;
    let question = bot.private(&ack);
    bot.begins_here();
    wire.arm(Trick::Hold);
    bot.presses_meanwhile(USER, &question, CANCEL).await;
    until("the deletion is on its way", async || (wire.played() == 1).then_some(())).await;
    bot.types_meanwhile(USER, CHANNEL, "renew acme").await;
    bot.types_meanwhile(USER, CHANNEL, "hubspot acme").await;
    bot.types_meanwhile(USER, SHARED, "google_ads acme").await;
    wire.release();
    bot.ends(expect![[r#"
        #customer-acme
        alice presses [Cancel the connection]
          only alice sees instead:
              Cancelling the connection for Google Ads now. I'll tell you when it's done.
              Ref R1
        alice: /connect-card renew acme
          only alice sees:
              I'm still working on an earlier request for Google Ads (schema acme) here. Please try again when
              it's done.
        alice: /connect-card hubspot acme
          only alice sees:
              I'm still working on an earlier request for Google Ads (schema acme) here. Please try again when
              it's done.
        #shared-acme
        alice: /connect-card google_ads acme
          only alice sees:
              A request for the same connection (schema acme) is in progress in another channel. Please try
              again in a minute.
        #customer-acme
        bot tells alice alone:
            The connection for Google Ads into acme is cancelled, and its link no longer works. Data already
            in the destination stays there.
            Ref R1
        bot edits message 1:
            The request to connect *Google Ads* was cancelled, so its link no longer works.
            Requested by @alice · The data goes to `acme` · Ref R2
    "#]])
        .await;
}
