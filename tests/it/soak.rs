//! A long day: commands all the time, a kill every round, and at the end of each round nothing is larger than
//! before: memory, descriptors, the write-ahead log, the tables.
//!
//! The suite has a few short rounds. The long form says how many of a minute each:
//! `CONNECT_CARD_SOAK=60 cargo test --release --test it soak -- --nocapture --test-threads 1`
//!
//! On Postgres it is one replica that is killed, and the other, which lives all day, that is measured. What has
//! ended is aged past its retention between the rounds, so that a round is to the tables what a month is.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tokio::time::Instant;

use crate::harness::proc::{descriptors, memory_kb};
use crate::harness::{
    CHANNEL, Engine, Outside, Process, Program, Random, accepted, now, number, postgres, say, seed, until,
};
use crate::kills::bad_day;

/// Rounds in the suite.
const ROUNDS: usize = 3;
/// Commands of a round in the suite.
const COMMANDS: usize = 20;
/// Commands of a round that lasts a minute.
const COMMANDS_A_MINUTE: usize = 150;
/// Schemas that are asked for again and again.
const SCHEMAS: usize = 25;
/// The round after which nothing grows any more: caches have filled by then.
const WARM: usize = 1;
/// What a descriptor count may vary by: connections that are kept for a while, more than of a minute's round.
const DESCRIPTORS: usize = 64;
/// `journal_size_limit`, and the pages of the commits since.
const LARGEST_WAL: u64 = 20 << 20;

/// A day, in seconds.
const DAY_S: f64 = 86_400.0;

/// What there is at the end of a round.
#[derive(Debug)]
struct Look {
    /// Of the process, in kB; `None` where the system does not tell.
    memory: Option<u64>,
    descriptors: Option<usize>,
    /// The file, its log: in bytes; of a Postgres, its own figure and nothing.
    database: u64,
    log: u64,
    /// Rows by table.
    rows: BTreeMap<String, i64>,
}

impl Look {
    async fn at(program: &Program, process: &Process) -> Self {
        let mut look = Self {
            memory: memory_kb(process.id()),
            descriptors: descriptors(process.id()),
            database: 0,
            log: 0,
            rows: BTreeMap::new(),
        };
        let url = program.var("DATABASE_URL");
        let names = if url.starts_with("sqlite:") {
            let size = |path: &str| std::fs::metadata(path).map_or(0, |file| file.len());
            let path = program.database().display().to_string();
            (look.database, look.log) = (size(&path), size(&format!("{path}-wal")));
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        } else {
            let size = "SELECT pg_database_size(current_database())";
            look.database = number_of(url, size).await.try_into().unwrap();
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
        };
        for name in words(url, names).await {
            let count = number_of(url, &format!("SELECT count(*) FROM {name}")).await;
            look.rows.insert(name, count);
        }
        look.rows.retain(|_, rows| *rows > 0);
        look
    }

    /// Asserts that nothing is larger than it was, after so many commands in a round.
    fn judge(&self, before: &Self, commands: usize) {
        for (name, &rows) in &self.rows {
            let then = before.rows.get(name).copied().unwrap_or_default();
            // What a round leaves is there until the next one: as much as before, and never twice that.
            let most = then + i64::try_from(commands / 2).unwrap();
            assert!(rows <= most, "{name} has {rows} rows, and had {then}");
        }
        assert!(self.log <= LARGEST_WAL, "the write-ahead log has {} bytes", self.log);
        if let (Some(now), Some(then)) = (self.descriptors, before.descriptors) {
            assert!(now <= then + DESCRIPTORS, "{now} descriptors, and there were {then}");
        }
        if let (Some(now), Some(then)) = (self.memory, before.memory) {
            assert!(now <= then + then / 2 + 16_384, "{now} kB, and there were {then}");
        }
    }
}

/// The first column of what a database answers.
macro_rules! asked {
    ($url:expr, $question:expr) => {{
        let question = AssertSqlSafe($question.to_owned());
        if $url.starts_with("sqlite:") {
            let mut db = SqliteConnection::connect($url).await.unwrap();
            sqlx::query_scalar(question).fetch_all(&mut db).await.unwrap()
        } else {
            let mut db = PgConnection::connect($url).await.unwrap();
            sqlx::query_scalar(question).fetch_all(&mut db).await.unwrap()
        }
    }};
}

async fn words(url: &str, question: &str) -> Vec<String> {
    asked!(url, question)
}

async fn number_of(url: &str, question: &str) -> i64 {
    let numbers: Vec<i64> = asked!(url, question);
    numbers[0]
}

/// Types a command about one of the schemas; whatever becomes of one that a kill cuts off, it is not promised.
async fn type_one(outside: &Outside, process: &Process, at: usize, promised: &mut HashSet<String>) {
    let text = format!("google_ads schema_{}", at % SCHEMAS);
    let ack = process.try_to_send(&outside.slack, CHANNEL, &text).await;
    promised.extend(ack.ok().as_ref().and_then(accepted));
}

async fn soak(engine: Engine, replicas: usize) {
    let minutes = number("CONNECT_CARD_SOAK", 0);
    let (rounds, commands) = if minutes > 0 { (minutes, COMMANDS_A_MINUTE) } else { (ROUNDS, COMMANDS) };
    let round_lasts = Duration::from_secs(if minutes > 0 { 60 } else { 0 });
    let seed = seed();
    say(&format!("{engine}: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    bad_day(&outside, seed, 20);
    let first = engine.program(&outside).with("LEASE_SECONDS", "2");
    let programs: Vec<_> = (0..replicas).map(|_| first.clone().on_another_port()).collect();
    let mut processes = Vec::new();
    for program in &programs {
        processes.push(program.start().await);
    }
    let (mut promised, mut warm) = (HashSet::new(), None);
    for round in 0..rounds {
        let began = Instant::now();
        let kill_at = random.below(commands as u64) as usize;
        for at in 0..commands {
            // The pace of a day, not a wait for anything.
            tokio::time::sleep_until(began + round_lasts * u32::try_from(at).unwrap() / commands as u32)
                .await;
            let to = at % processes.len();
            type_one(&outside, &processes[to], at, &mut promised).await;
            if at == kill_at {
                processes.remove(0).kill().await;
                processes.insert(0, programs[0].start_again_and_again().await);
            }
        }
        outside.until_all_ended(&promised).await;
        // What was old when the killed one started again is gone, or soon will be.
        let before = ((now() - 30.5 * DAY_S) * 1e3) as i64;
        let old = format!(
            "SELECT (SELECT count(*) FROM command WHERE ended_at < {before}) + \
             (SELECT count(*) FROM message AS m WHERE m.left_at < {before} AND m.due IS NULL \
             AND NOT EXISTS (SELECT 1 FROM connection AS c WHERE c.message = m.id))"
        );
        let url = first.var("DATABASE_URL");
        until("the purge", async || (number_of(url, &old).await == 0).then_some(())).await;
        let look = Look::at(&programs[replicas - 1], &processes[replicas - 1]).await;
        say(&format!("{engine}: round {round}, {} commands: {look:?}", promised.len()));
        match &warm {
            Some(before) => look.judge(before, commands),
            None if round == WARM => warm = Some(look),
            None => {}
        }
        // More than the 30 days for which what has ended is kept.
        let month = (31.0 * DAY_S * 1e3) as i64;
        for (table, column) in [("command", "ended_at"), ("message", "left_at")] {
            first.sql(&format!("UPDATE {table} SET {column} = {column} - {month} WHERE {column} > 0")).await;
        }
    }
    outside.fivetran.faults(stand_ins::fault::Faults::heal);
    first.until_nothing_is_open().await;
    for (name, count) in outside.connections_by_name() {
        assert_eq!(count, 1, "{engine}: {name} was made {count} times");
    }
    for process in processes {
        let log = process.stop().await;
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_grows_on_sqlite() {
    soak(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_grows_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    soak(Engine::Postgres(postgres), 2).await;
}
