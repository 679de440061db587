//! Which database servers the bot works with: one that stops to take writes and starts again, several
//! of which one takes writes, and one whose tables a newer release has changed.

use std::sync::Arc;
use std::time::Duration;

use connect_card::store::{DatabaseUrl, Options, Store};
use secrecy::SecretString;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::slack;

use crate::harness::postgres::{self, Postgres};
use crate::harness::{Engine, Outside, PATIENCE, Program, Setup, TestBot, accepted, free_port, needs, until};

/// By these words somebody is told that nothing was done and nothing will be.
const CERTAIN: &str = "I didn't do anything";

/// Runs one statement beside the bot.
fn ask(server: &Postgres, database: &str, sql: &str) -> String {
    let (worked, rows) = tokio::task::block_in_place(|| server.psql(database, sql));
    assert!(worked, "{rows}");
    rows
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// Sessions that are opened from now on are read-only or not; those that are open stay as they are.
fn make_read_only(server: &Postgres, database: &str, how: &str) {
    ask(server, "postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = {how}"));
}

fn end_sessions(server: &Postgres, database: &str) {
    let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
    ask(server, "postgres", &sql);
}

/// The next command is refused, for certain, and nothing comes of it.
async fn refuses(bot: &TestBot, schema: &str) {
    let sentence = bot.send(&format!("google_ads {schema}")).await.text();
    assert!(sentence.contains(CERTAIN), "{sentence}");
}

/// The next command is accepted, and its link is posted.
async fn accepts(bot: &TestBot, schema: &str) {
    let ack = bot.send(&format!("google_ads {schema}")).await;
    assert!(accepted(&ack).is_some(), "{}", ack.text());
    until("its link", async || {
        bot.slack.messages().iter().any(|message| message.rendered().contains(schema)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_into_a_read_only_server_commands_are_accepted_as_soon_as_it_takes_writes() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    let bot = Setup::new().await.with("DATABASE_URL", &url).start().await;
    accepts(&bot, "before_it").await;
    make_read_only(server, name(&url), "on");
    end_sessions(server, name(&url));
    for schema in ["during_one", "during_two", "during_three"] {
        refuses(&bot, schema).await;
    }
    assert!(!bot.is_ready().await);
    make_read_only(server, name(&url), "off");
    accepts(&bot, "after_it").await;
    until("it is ready", async || bot.is_ready().await.then_some(())).await;
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_have_become_read_only_are_not_used_again() {
    let Some(bin) = needs::postgres() else { return };
    let server = tokio::task::block_in_place(|| Arc::new(Postgres::start(bin)));
    let bot = Setup::new().await.with("DATABASE_URL", &server.database()).start().await;
    accepts(&bot, "before_it").await;
    // All sessions of the server at once, those that are open too.
    tokio::task::block_in_place(|| server.set("default_transaction_read_only", "on"));
    until("it is not ready", async || (!bot.is_ready().await).then_some(())).await;
    refuses(&bot, "during_it").await;
    tokio::task::block_in_place(|| server.set("default_transaction_read_only", "off"));
    accepts(&bot, "after_it").await;
    assert_eq!(bot.finish().await.len(), 2);
}

/// Makes the tables of a database that the bot is to find ready.
async fn prepare(url: &str) {
    let secrets = [SecretString::from(slack::SIGNING_SECRET.to_owned())];
    let url = DatabaseUrl::Postgres(SecretString::from(url.to_owned()));
    let options = Options {
        url: &url,
        secrets: &secrets,
        lease: Duration::from_secs(30),
        metrics: connect_card::telemetry::Metrics::default(),
    };
    Store::open(options).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_the_one_that_takes_writes_is_used() {
    let Some(bin) = needs::postgres() else { return };
    let (first, second) =
        tokio::task::block_in_place(|| (Postgres::start(bin.clone()), Postgres::start(bin)));
    let (url, other) = (first.database(), second.database());
    let database = name(&url);
    assert_eq!(database, name(&other), "one name for both");
    prepare(&other).await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}", free_port(), first.port(), second.port());
    let url = format!("postgres://postgres@{hosts}/{database}?target_session_attrs=read-write");
    make_read_only(&second, database, "on");
    let bot = Setup::new().await.with("DATABASE_URL", &url).start().await;
    let commands = |server: &Postgres| ask(server, database, "SELECT count(*) FROM command");
    accepts(&bot, "on_the_first").await;
    assert_eq!((commands(&first), commands(&second)), ("1".to_owned(), "0".to_owned()));
    // A failover to the second one.
    make_read_only(&first, database, "on");
    make_read_only(&second, database, "off");
    end_sessions(&first, database);
    until("a command is accepted", async || {
        accepted(&bot.send("google_ads on_the_second").await).map(|_| ())
    })
    .await;
    assert_eq!((commands(&first), commands(&second)), ("1".to_owned(), "1".to_owned()));
    bot.message(2).await;
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_named_at_the_start() {
    let Some(server) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let url = server.database();
    make_read_only(server, name(&url), "on");
    let standby = format!("{url}?target_session_attrs=standby");
    for (url, words) in [(url.as_str(), "takes no writes"), (standby.as_str(), "DATABASE_URL asks for")] {
        let mut process = Program::against(&outside).with("DATABASE_URL", url).spawn();
        assert_eq!(process.wait().await.code(), Some(1));
        assert!(process.log().contains(words), "{}", process.log());
    }
}

/// Where it is written which steps were taken, and which of them a release may not know.
const STEPS: [(&str, i64); 2] = [("_sqlx_migrations", 3), ("connect_card_steps", 99)];

/// Writes to the database of a bot that is not running.
async fn write(engine: Engine, program: &Program, sql: &str) {
    match engine {
        Engine::Postgres(server) => {
            ask(server, name(program.var("DATABASE_URL")), sql);
        }
        Engine::Sqlite => {
            let mut db = SqliteConnection::connect(program.var("DATABASE_URL")).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        }
    }
}

async fn a_newer_release_was_here(engine: Engine) {
    let outside = Outside::start().await;
    let program = engine.program(&outside);
    program.start().await.stop().await;
    let checksum = match engine {
        Engine::Sqlite => "x'00'",
        Engine::Postgres(_) => "'\\x00'",
    };
    let step = |table: &str, version: i64| {
        format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time) \
             VALUES ({version}, '', true, {checksum}, 0)"
        )
    };
    // A step that this release does not know, in either place.
    for (table, known) in STEPS {
        write(engine, &program, &step(table, known + 1)).await;
    }
    let process = program.start().await;
    let ack = process.send(&outside.slack, "google_ads rolled_back").await;
    let reference = accepted(&ack).expect("accepted");
    outside.until_all_ended(&[reference].into()).await;
    process.stop().await;
    // One that was not finished, or is not what it was, is another matter.
    for (table, spoil, heal, words) in [
        (STEPS[1].0, "success = false", "success = true", "partially applied"),
        (STEPS[0].0, "success = false", "success = true", "partially applied"),
    ] {
        write(engine, &program, &format!("UPDATE {table} SET {spoil}")).await;
        let mut process = program.spawn();
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await.unwrap();
        assert_eq!(ended.code(), Some(1), "{}", process.log());
        assert!(process.log().contains(words), "{}", process.log());
        write(engine, &program, &format!("UPDATE {table} SET {heal}")).await;
    }
    write(engine, &program, &format!("UPDATE {} SET checksum = {checksum} WHERE version = 1", STEPS[0].0))
        .await;
    let mut process = program.spawn();
    assert_eq!(process.wait().await.code(), Some(1), "{}", process.log());
    assert!(process.log().contains("a different build of connect-card"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_starts_on_an_sqlite_file_that_a_newer_one_has_changed() {
    a_newer_release_was_here(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_starts_on_a_postgres_database_that_a_newer_one_has_changed() {
    let Some(server) = postgres::shared() else { return };
    a_newer_release_was_here(Engine::Postgres(server)).await;
}
