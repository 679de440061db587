//! Databases of every age, and bots of two ages on one database: whatever the tables were like when the
//! last bot stopped, or how its update ended, this one brings them up to date and goes on with every row.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::life::State;
use connect_card::work::Key;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{BOT_TOKEN, TEAM_ID};

use crate::harness::aged::{Aged, engines, steps};
use crate::harness::{
    CHANNEL, Engine, Outside, PATIENCE, Process, Program, Setup, USER, client, needs, postgres, until,
};
use crate::kills::{Breaks, People};

/// The step since when there are links with messages, and the one since when connections have rows.
const LINKS: i64 = 3;
const CONNECTIONS: i64 = 4;

/// What somebody asked for, as every release has written it.
fn request(name: &str) -> String {
    json!({
        "verb": "connect", "service": "google_ads", "service_name": "Google Ads", "kind": "schema", "retired": null,
        "target": { "schema": name, "table": null }, "group_id": GROUP_ID, "destination": null,
        "slash": "/connect-card", "confirmed": "no",
    })
    .to_string()
}

/// Rows of each state that a database of step `last` can hold, with what belongs to them outside. `tag`
/// tells them from those of other databases with the same Slack and Fivetran.
struct Rows {
    /// The commands that are open.
    open: HashSet<String>,
    /// What is watched: its name, and its id at Fivetran.
    watched: Vec<(String, String)>,
}

impl Rows {
    async fn fill(aged: &Aged, last: i64, outside: &Outside, tag: &str) -> Self {
        let now = Clock::default().now().as_millisecond();
        let (seeded, hour) = (|name: &str| seed(outside, name), 3_600_000);
        let mut rows = Self { open: HashSet::new(), watched: Vec::new() };
        let mut sql = String::new();
        let key_rejected = r#"'{"problem":"key_rejected"}'"#;
        for (stage, problem, ended) in [
            ("create", "NULL", false),
            ("deliver", "NULL", false),
            ("tell", key_rejected, false),
            ("delivered", "NULL", true),
            ("told", key_rejected, true),
            ("undeliverable", key_rejected, true),
            ("void", "NULL", true),
        ] {
            let (id, name) = (format!("{stage}-{tag}"), format!("{stage}_{tag}"));
            let connection = match stage {
                "deliver" | "delivered" => format!("'{}'", seeded(&name)),
                // The last bot has died before it could write down that it was made.
                "create" => {
                    seeded(&name);
                    "NULL".to_owned()
                }
                _ => "NULL".to_owned(),
            };
            let (subject, end) = match ended {
                true => ("NULL".to_owned(), now.to_string()),
                false => (format!("'{GROUP_ID} {name}'"), "NULL".to_owned()),
            };
            sql += &format!(
                "INSERT INTO command (id, dedup, subject, team_id, channel_id, user_id, request, stage, connection_id, \
                 problem, accepted_at, run_at, ended_at, owner, fence, lease_until) VALUES ('{id}', '{id}', {subject}, \
                 '{TEAM_ID}', '{CHANNEL}', '{USER}', '{}', '{stage}', {connection}, {problem}, {now} - 60000, \
                 {now} - 60000, {end}, 'of the release before', 2, 0);",
                request(&name)
            );
            if !ended {
                rows.open.insert(id);
            }
        }
        if last >= LINKS {
            let name = format!("link_{tag}");
            let (connection, ts) = (seeded(&name), post(outside).await);
            sql += &format!(
                "INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, \
                 message_channel, message_ts, state, posted_at, expires_at, changed_at, check_at) VALUES ('L-{tag}', \
                 '{connection}', '{TEAM_ID}', '{CHANNEL}', '{USER}', '{}', '{name}', '{CHANNEL}', '{ts}', 'waiting', \
                 {now} - {hour}, {now} + 20 * {hour}, {now} - {hour}, {now});",
                request(&name)
            );
            rows.watched.push((name, connection));
        }
        if last >= CONNECTIONS {
            let name = format!("connection_{tag}");
            let (connection, ts) = (seeded(&name), post(outside).await);
            sql += &format!(
                "INSERT INTO connection (group_id, name, connection_id, team_id, channel_id, requester, request, link, \
                 generation, message, state, posted_at, expires_at, changed_at, reminded, looks, tick_at, watch_until, \
                 urgency, version) VALUES ('{GROUP_ID}', '{name}', '{connection}', '{TEAM_ID}', '{CHANNEL}', '{USER}', \
                 '{}', 'C-{tag}', 1, 'C-{tag}', 'waiting', {now} - {hour}, {now} + 20 * {hour}, {now} - {hour}, 0, 0, \
                 {now} + 20 * {hour}, {now} + 200 * {hour}, 2, 3); \
                 INSERT INTO message (id, group_id, name, link, requester, place_channel, place_ts, wanted, shown, \
                 tries, posted_at) VALUES ('C-{tag}', '{GROUP_ID}', '{name}', 'C-{tag}', '{USER}', '{CHANNEL}', '{ts}', \
                 1, 1, 0, {now} - {hour}); \
                 INSERT INTO news (id, message, body, at) VALUES ('N-{tag}', 'gone', 'cannot be read', {now}); \
                 INSERT INTO sweep (group_id, next_at, posted_at) VALUES ('{GROUP_ID}', {now}, {now} - {hour});",
                request(&name)
            );
            rows.watched.push((name, connection));
        }
        aged.run(sql).await;
        rows
    }
}

fn seed(outside: &Outside, name: &str) -> String {
    outside.fivetran.seed_connection("google_ads", name, "incomplete")
}

/// A message that stands in the channel, as an earlier bot has posted it.
async fn post(outside: &Outside) -> String {
    let url = format!("{}chat.postMessage", outside.slack.api_url());
    let message =
        json!({ "channel": CHANNEL, "text": "A link", "unfurl_links": false, "unfurl_media": false });
    let posted = client().post(url).bearer_auth(BOT_TOKEN).json(&message).send().await.unwrap();
    let posted: Value = posted.json().await.unwrap();
    posted["ts"].as_str().unwrap_or_else(|| panic!("{posted}")).to_owned()
}

/// Each column of each table that is text or number.
async fn columns(aged: &Aged) -> Vec<(String, String)> {
    aged.ask(match aged.engine {
        Engine::Sqlite => {
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.name <> 'checksum' ORDER BY t.name, c.cid"
        }
        Engine::Postgres(_) => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name <> 'commands' AND column_name <> 'checksum' ORDER BY table_name, ordinal_position"
        }
    })
    .await
}

/// Every row, as far as these columns go.
async fn rows(aged: &Aged, columns: &[(String, String)]) -> HashSet<(String, String)> {
    let of_each = columns.chunk_by(|one, next| one.0 == next.0).map(|of_table| {
        let values = of_table.iter().map(|(_, column)| format!("coalesce(CAST({column} AS TEXT), 'none')"));
        let (table, values) = (&of_table[0].0, values.collect::<Vec<_>>().join(" || '|' || "));
        format!("SELECT '{table}', {values} FROM {table}")
    });
    aged.ask(&of_each.collect::<Vec<_>>().join(" UNION ALL ")).await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_any_age_is_opened_and_gone_on_with() {
    for engine in engines() {
        // Each waits for disks and partners.
        for some in steps(engine).chunks(4) {
            join_all(some.iter().map(|(step, _)| go_on_from(engine, *step))).await;
        }
    }
}

async fn go_on_from(engine: Engine, step: i64) {
    go_on(Aged::at(engine, step).await, step).await;
}

/// Whether this release opens it, keeps each row, ends what is open and watches the rest.
async fn go_on(aged: Aged, step: i64) {
    let (outside, engine) = (Outside::start().await, aged.engine);
    let filled = Rows::fill(&aged, step, &outside, &step.to_string()).await;
    let its_columns = columns(&aged).await;
    let before = rows(&aged, &its_columns).await;
    aged.open().await.close().await;
    let after = rows(&aged, &its_columns).await;
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(lost.is_empty(), "{engine}, from step {step}: {lost:#?}");

    let bot = Setup::beside(outside.clone()).with("DATABASE_URL", &aged.url).start().await;
    outside.until_all_ended(&filled.open).await;
    bot.until_all_ended().await;
    for (_, id) in &filled.watched {
        outside.fivetran.finish_setup(id);
    }
    bot.advance(Duration::from_secs(60));
    for (name, _) in &filled.watched {
        let key = Key { group_id: GROUP_ID.to_owned(), name: name.clone() };
        until("a finished connection to be seen and shown", async || {
            bot.look_at_due_links().await;
            let stored = bot.store().connection(&key).await.unwrap()?;
            (stored.connection.link.state == State::Connected && !stored.behind).then_some(())
        })
        .await;
    }
    bot.stop().await;
    let all_columns = columns(&aged).await;
    let left = rows(&aged, &all_columns).await;
    let messages = outside.messages_by_reference();
    for id in &filled.open {
        let (links, sentences) = messages[id];
        assert_eq!(links + sentences, 1, "{engine}, from step {step}: {id}");
        assert_eq!(links == 0, id.starts_with("tell"), "{engine}, from step {step}: {id}");
    }
    assert!(outside.connections_by_name().values().all(|&count| count == 1), "{engine}, from step {step}");

    aged.open().await.close().await;
    assert_eq!(columns(&aged).await, all_columns, "{engine}, from step {step}");
    assert_eq!(rows(&aged, &all_columns).await, left, "{engine}, from step {step}: once is enough");
}

/// What the next release may do to the tables: this one passes over it, as the one before does over its own.
const ITS_STEP: &str = "ALTER TABLE command ADD COLUMN later BIGINT NOT NULL DEFAULT 0; \
     ALTER TABLE connection ADD COLUMN later TEXT; ALTER TABLE message ADD COLUMN later TEXT; \
     CREATE TABLE later (name TEXT PRIMARY KEY); CREATE INDEX command_later ON command (later); \
     INSERT INTO connect_card_steps (version, description, success, checksum, execution_time) \
     VALUES (9999, '', true, 'none', 0)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_the_next_release_open_and_those_that_somebody_has_changed_do_not() {
    for engine in engines() {
        let newest = steps(engine).last().unwrap().0;
        let aged = Aged::at(engine, newest).await;
        aged.run(ITS_STEP.replace("'none'", if matches!(engine, Engine::Sqlite) { "x''" } else { "'none'" }))
            .await;
        go_on(aged, newest).await;

        let aged = Aged::at(engine, newest).await;
        aged.run(
            "UPDATE connect_card_steps SET checksum = checksum || checksum WHERE version = 7".to_owned(),
        )
        .await;
        let refused = aged.try_open().await.err().expect("it is not this release's").to_string();
        assert!(
            refused.contains("different build") && refused.contains("migration 7 "),
            "{engine}: {refused}"
        );
    }
}

/// A program on this database, with all that it needs to end the commands in it.
fn program_on(aged: &Aged, outside: &Outside) -> Program {
    Program::against(outside).with("DATABASE_URL", &aged.url).with("LEASE_SECONDS", "3")
}

/// Waits until each command has ended, and asserts that each has one link or one sentence.
async fn until_each_has_ended_once(outside: &Outside, open: &HashSet<String>) {
    outside.until_all_ended(open).await;
    let messages = outside.messages_by_reference();
    assert!(open.iter().all(|id| messages[id].0 + messages[id].1 == 1), "{messages:?}");
    assert!(outside.connections_by_name().values().all(|&count| count == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_an_sqlite_file_that_is_killed_is_taken_back_whole_and_done_again() {
    let Some(strace) = needs::strace() else { return };
    let outside = Outside::start().await;
    let aged = Aged::at(Engine::Sqlite, LINKS).await;
    let filled = Rows::fill(&aged, LINKS, &outside, "killed").await;
    let program = program_on(&aged, &outside);
    let its_columns = columns(&aged).await;
    // Its commit writes each page with a head of its own: in the first of them, and on the way to the last.
    for write in [1, 8, 31] {
        let serve = program.command(&["serve"]);
        let mut traced = std::process::Command::new(&strace);
        traced
            .args(["-f", "-qq", "-o", "/dev/null", "-P", &format!("{}-wal", &aged.url[7..])])
            .args(["-e", "trace=pwrite64", "-e", &format!("inject=pwrite64:signal=KILL:when={write}")])
            .arg(serve.as_std().get_program())
            .arg("serve")
            .env_clear()
            .env("TRACEABLE", "1")
            .envs(serve.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(program.folder());
        let killed = tokio::process::Command::from(traced).kill_on_drop(true).output();
        let killed = tokio::time::timeout(PATIENCE, killed).await.expect("the fault is met").unwrap();
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        assert_eq!(columns(&aged).await, its_columns, "all steps or none");
    }
    let process = program.start().await;
    until_each_has_ended_once(&outside, &filled.open).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_of_postgres_waits_for_nobodys_lock_in_front_of_others_and_goes_on_after_a_kill() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let aged = Aged::at(Engine::Postgres(postgres), LINKS).await;
    let filled = Rows::fill(&aged, LINKS, &outside, "locked").await;
    let programs = [(); 3].map(|()| program_on(&aged, &outside).on_another_port());
    // As a backup does, for as long as it takes.
    let mut backup = PgConnection::connect(&aged.url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM command").execute(&mut backup).await.unwrap();
    let waits = "the tables can't be brought up to date yet";
    let first = programs[0].spawn();
    until("the update to wait", async || first.log().contains(waits).then_some(())).await;
    // Somebody of the release before, who waits for nothing longer than this.
    let mut other = PgConnection::connect(&aged.url).await.unwrap();
    sqlx::query("SET lock_timeout = '2s'").execute(&mut other).await.unwrap();
    for _ in 0..3 {
        sqlx::query("UPDATE command SET tries = tries").execute(&mut other).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    first.kill().await;
    let taken = "SELECT version::text FROM connect_card_steps ORDER BY version";
    let taken: Vec<(String,)> = aged.ask(taken).await;
    assert_eq!(taken, [("4".to_owned(),), ("5".to_owned(),)], "the steps until that one");
    let mut processes = programs.each_ref().map(Program::spawn);
    until("each to wait", async || processes.iter().all(|one| one.log().contains(waits)).then_some(())).await;
    sqlx::query("ROLLBACK").execute(&mut backup).await.unwrap();
    join_all(processes.iter_mut().map(Process::until_it_answers)).await;
    until_each_has_ended_once(&outside, &filled.open).await;
    join_all(processes.into_iter().map(Process::stop)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_under_load_loses_no_command_and_does_none_twice() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    let aged = Aged::at(Engine::Postgres(postgres), LINKS).await;
    // Without a bot token, as all who type there.
    let program = program_on(&aged, &outside).without("SLACK_BOT_TOKEN");
    let programs = [(); 2].map(|()| program.clone().on_another_port());
    let mut old = join_all(programs.iter().map(Program::start)).await;
    let mut people = People::start(3, &outside, &programs);
    people.until_one_is_acknowledged().await;
    // The next release comes: first its tables, while this one works on them, then a process for each of this one's.
    let step = format!("SET lock_timeout = '500ms'; BEGIN; {ITS_STEP}; COMMIT");
    until("the next release's step", async || {
        let mut db = PgConnection::connect(&aged.url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(step.clone())).execute(&mut db).await.ok()
    })
    .await;
    people.until_one_is_acknowledged().await;
    for (at, program) in programs.iter().enumerate() {
        old.remove(at).stop().await;
        old.insert(at, program.start().await);
        people.until_one_is_acknowledged().await;
    }
    people.stop().await;
    // A stop cuts off nothing.
    people.judge("a rolling update", &outside, &Breaks::default()).await;
    join_all(old.into_iter().map(Process::stop)).await;
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_told_as_that_and_stays() {
    let outside = Outside::start().await;
    let aged = Aged::at(Engine::Sqlite, CONNECTIONS).await;
    Rows::fill(&aged, CONNECTIONS, &outside, "kept").await;
    // As on a disk that is full by then.
    let refuse = "BEFORE INSERT ON connection BEGIN SELECT RAISE(FAIL, 'no room'); END";
    aged.run(format!("CREATE TRIGGER no_room {refuse}")).await;
    let program = program_on(&aged, &outside);
    let ended = program.run(&["serve"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("could not be brought up to date"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("lets this user in"), "{}", ended.stderr);
    aged.run("DROP TRIGGER no_room".to_owned()).await;
    program.start().await.stop().await;
    let left: Vec<(String, String)> = aged.ask("SELECT id, state FROM link WHERE taken <> fence").await;
    assert!(left.is_empty(), "{left:?}");
}
