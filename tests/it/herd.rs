//! The herd: many open commands through an outage of Fivetran's. They wait without a word to the
//! database or the log, and all end in their links once it is over.
//!
//! The suite has a small herd and a short outage, judged by counts. The long form says how many
//! commands and how many seconds, and prints a table of rates:
//! `CONNECT_CARD_HERD=8000 CONNECT_CARD_OUTAGE=300 cargo test --release --test it herd -- --nocapture`

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::Connection as _;
use stand_ins::fault::Fault;
use tokio::time::Instant;

use crate::harness::{CHANNEL, Engine, Outside, Process, Program, accepted, number, postgres, say};

/// Commands of the suite's herd.
const HERD: usize = 200;
/// Calls to Fivetran, beyond those that find out about it, that the suite's outage lasts for.
const PROBES: usize = 6;
/// People who type the herd's commands.
const TYPISTS: usize = 16;
/// How long a call to Fivetran takes.
const LATENCY: Duration = Duration::from_millis(100);
/// Between two commands that are typed during the outage.
const PACE: Duration = Duration::from_millis(100);
/// Everything of Fivetran's that a command may need.
const ROUTES: [&str; 4] = ["create_connection", "list_connections", "connect_card", "get_connection"];

/// What the outside can count at one moment.
#[derive(Clone, Copy)]
struct Counts {
    at: Instant,
    claims: i64,
    /// Bytes: to the disk by the program, or to the server's write-ahead log.
    written: u64,
    lines: usize,
    calls: usize,
}

/// Whoever counts.
struct Counter<'a> {
    engine: Engine,
    program: &'a Program,
    process: &'a Process,
    outside: &'a Outside,
}

impl Counter<'_> {
    async fn counts(&self) -> Counts {
        Counts {
            at: Instant::now(),
            claims: self.number("SELECT coalesce(sum(fence - 1), 0) FROM command").await,
            written: self.written().await,
            lines: self.process.log().lines().count(),
            calls: calls(self.outside),
        }
    }

    async fn number(&self, sql: &'static str) -> i64 {
        match self.engine {
            Engine::Sqlite => {
                let url = format!("sqlite:{}", self.program.database().display());
                let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
                let number = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
                db.close().await.unwrap();
                number
            }
            Engine::Postgres(_) => {
                let mut db = sqlx::PgConnection::connect(self.program.var("DATABASE_URL")).await.unwrap();
                let sql = format!("SELECT CAST(({sql}) AS BIGINT)");
                let number = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap();
                db.close().await.unwrap();
                number
            }
        }
    }

    async fn written(&self) -> u64 {
        match self.engine {
            // Only Linux tells; elsewhere the table has a zero.
            Engine::Sqlite => std::fs::read_to_string(format!("/proc/{}/io", self.process.id()))
                .ok()
                .and_then(|text| {
                    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
                })
                .unwrap_or_default(),
            Engine::Postgres(_) => {
                let position = self.number("pg_current_wal_lsn() - '0/0'").await;
                position.unsigned_abs()
            }
        }
    }

    async fn until_none_is_open(&self) {
        /// An outage of full size leaves more behind than other tests wait for.
        const LONGEST: Duration = Duration::from_secs(1800);
        let end = Instant::now() + LONGEST;
        while self.number("SELECT count(*) FROM command WHERE ended_at IS NULL").await > 0 {
            assert!(Instant::now() < end, "the herd does not end: {}", self.process.log());
            tokio::time::sleep(PACE).await;
        }
    }
}

fn calls(outside: &Outside) -> usize {
    ROUTES.iter().map(|route| outside.fivetran.calls_to(route)).sum()
}

/// What the typed commands came to.
#[derive(Default)]
struct Typed {
    references: HashSet<String>,
    acknowledged_in: Vec<Duration>,
}

impl Typed {
    async fn type_in(&mut self, process: &Process, outside: &Outside, schema: &str) {
        let begun = Instant::now();
        let ack =
            process.try_to_send(&outside.slack, CHANNEL, &format!("google_ads {schema}")).await.unwrap();
        self.acknowledged_in.push(begun.elapsed());
        let reference = accepted(&ack).unwrap_or_else(|| panic!("{schema}: {}", ack.text()));
        self.references.insert(reference);
    }

    /// The time in ms within which so many of a hundred acknowledgements came.
    fn within(&self, percent: usize) -> f64 {
        let mut times = self.acknowledged_in.clone();
        times.sort_unstable();
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// The whole herd, typed by several people at once.
async fn type_the_herd(size: usize, process: &Process, outside: &Outside) -> Typed {
    let people = (0..TYPISTS).map(async |person| {
        let mut typed = Typed::default();
        for n in (person..size).step_by(TYPISTS) {
            typed.type_in(process, outside, &format!("herd_{n}")).await;
        }
        typed
    });
    let mut all = Typed::default();
    for typed in join_all(people).await {
        all.references.extend(typed.references);
        all.acknowledged_in.extend(typed.acknowledged_in);
    }
    all
}

async fn a_herd_waits_out_an_outage(engine: Engine) {
    let size = number("CONNECT_CARD_HERD", HERD);
    let lasts: usize = number("CONNECT_CARD_OUTAGE", 0);
    let outside = Outside::start().await;
    outside.fivetran.set_latency(LATENCY);
    outside.fivetran.faults(|it| ROUTES.iter().for_each(|route| it.fail_always(route, Fault::Status(503))));
    let program = engine.program(&outside);
    let process = program.start().await;
    let counter = Counter { engine, program: &program, process: &process, outside: &outside };

    let start = counter.counts().await;
    let herd = type_the_herd(size, &process, &outside).await;
    let known = counter.counts().await;
    let mut late = Typed::default();
    loop {
        let schema = format!("late_{}", late.references.len());
        late.type_in(&process, &outside, &schema).await;
        let over = match lasts {
            0 => calls(&outside) >= known.calls + PROBES,
            seconds => known.at.elapsed() >= Duration::from_secs(seconds as u64),
        };
        if over {
            break;
        }
        tokio::time::sleep(PACE).await;
    }
    let end = counter.counts().await;
    outside.fivetran.faults(|it| it.heal());
    counter.until_none_is_open().await;
    let recovered = counter.counts().await;
    let log = process.stop().await;

    let all: HashSet<_> = herd.references.union(&late.references).cloned().collect();
    assert_eq!(all.len(), size + late.references.len(), "each command has its reference");
    let messages = outside.messages_by_reference();
    let without: Vec<_> = all.iter().filter(|it| messages.get(*it) != Some(&(1, 0))).collect();
    assert!(
        without.is_empty(),
        "{} commands have not one link each, such as {:?}",
        without.len(),
        without[0]
    );
    let doubled = outside.connections_by_name().into_values().filter(|&count| count != 1).count();
    assert_eq!(doubled, 0, "no connection was made twice");

    report(engine, [start, known, end, recovered], &herd, &late);
    // A command is put down, and taken up again, only after a call of its own.
    let (claims, made) = (end.claims - start.claims, end.calls - start.calls);
    assert!(claims <= made as i64, "{claims} claims for {made} calls");
    let warnings = log.lines().filter(|line| line.contains("\"WARN\"") || line.contains(" WARN ")).count();
    // Each cause, once a minute.
    let minutes = 1 + start.at.elapsed().as_secs() as usize / 60;
    assert!(warnings <= 4 * minutes, "{warnings} warnings in {minutes} minutes");
}

fn report(engine: Engine, [start, known, end, recovered]: [Counts; 4], herd: &Typed, late: &Typed) {
    let outage = (end.at - known.at).as_secs_f64();
    let whole = (end.at - start.at).as_secs_f64();
    say(&format!(
        "{engine}: {} commands, {} more in an outage of {outage:.0} s\n\
         | | while it lasts |\n|---|---|\n\
         | claims a second | {:.2} |\n| MB/s written | {:.3} |\n| log lines | {} |\n| calls a second | {:.2} |\n\
         | calls from the first command on | {} in {whole:.0} s |\n\
         | acknowledged, p99, herd | {:.1} ms |\n\
         | acknowledged during the outage, half | {:.1} ms |\n| p99 | {:.1} ms |\n\
         | all ended after recovery | {:.1} s |",
        herd.references.len(),
        late.references.len(),
        (end.claims - known.claims) as f64 / outage,
        (end.written - known.written) as f64 / 1e6 / outage,
        end.lines - start.lines,
        (end.calls - known.calls) as f64 / outage,
        end.calls - start.calls,
        herd.within(99),
        late.within(50),
        late.within(99),
        (recovered.at - end.at).as_secs_f64(),
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_waits_out_an_outage_on_sqlite() {
    a_herd_waits_out_an_outage(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_waits_out_an_outage_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    a_herd_waits_out_an_outage(Engine::Postgres(postgres)).await;
}
