//! What the database does for a statement: it finds the few rows that it wants, however many there
//! are. The plan of every statement is looked at on both engines.
//!
//! The long form times what people wait for, with a thousand rows and with up to so many, and prints a
//! table: `CONNECT_CARD_ROWS=1000000 cargo test --release --test it plans -- --nocapture --test-threads 1`

mod rows;

use std::fmt::Write as _;

use connect_card::clock::Clock;
use connect_card::command::home::{About, Filter, Listed, MOST_LINKS};
use connect_card::journal::Progress;
use connect_card::store::{Accepted, NewCommand, Store, Wanted};
use connect_card::work::Key;
use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::harness::{Engine, PATIENCE, number, say};
pub(crate) use rows::{Beside, engines};
use rows::{DUE, Filled, WATCHED};

/// Rows with which Postgres does not take the whole table for a short cut.
const ROWS: usize = 20_000;
/// The tables that grow.
const GROWING: [&str; 5] = ["command", "connection", "message", "news", "link"];
/// Indexes of what is at work, due or new, and of nothing else: to read one of them whole is to read
/// what is wanted.
const SMALL: [&str; 12] = [
    "audit_line_seq",
    "command_open",
    "command_owner",
    "command_oldest",
    "connection_look",
    "digest_round",
    "connection_missing",
    "message_due",
    "message_owner",
    "message_unposted",
    "link_left",
    "sweep_due",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_that_grows() {
    for engine in engines() {
        let mut filled = Filled::with(engine, ROWS).await;
        let mut faults = String::new();
        let statements = filled.store.statements();
        assert!(statements.len() > 40, "{}", statements.len());
        for (name, sql) in statements {
            for plan in filled.beside.plans(name, sql).await {
                for fault in faults_of(engine, &plan) {
                    let _ = writeln!(faults, "{name} on {engine}: {fault}\n{}\n", plan.join("\n"));
                }
            }
        }
        assert!(faults.is_empty(), "{faults}");
        filled.store.close().await;
    }
}

impl Beside {
    /// The ways in which a statement may be carried out.
    async fn plans(&mut self, name: &str, sql: &str) -> Vec<Vec<String>> {
        if let Self::Sqlite(_) = self {
            return vec![self.lines(&format!("EXPLAIN QUERY PLAN {sql}"), "detail").await];
        }
        self.run(&format!("PREPARE {name} AS {sql}")).await;
        let types = format!(
            "SELECT unnest(parameter_types)::text AS kind FROM pg_prepared_statements WHERE name = '{name}'"
        );
        let types = self.lines(&types, "kind").await;
        let value = |(kind, place): (&String, usize)| match kind.as_str() {
            "bigint" if sql.contains(&format!("LIMIT ${place}")) => "16".to_owned(),
            "bigint" if sql.contains(&format!("OFFSET ${place}")) => "0".to_owned(),
            "bigint" => Clock::default().now().as_millisecond().to_string(),
            "integer" => "0".to_owned(),
            "json" => "'[]'".to_owned(),
            _ => "'g1'".to_owned(),
        };
        let values: Vec<_> = types.iter().zip(1..).map(value).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        let mut plans = Vec::new();
        // One made for these values, and the one that Postgres may keep for all.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            self.run(&format!("SET plan_cache_mode = {mode}")).await;
            plans
                .push(self.lines(&format!("EXPLAIN (COSTS OFF) EXECUTE {name}{values}"), "QUERY PLAN").await);
        }
        plans
    }
}

/// What is wrong with a plan.
fn faults_of(engine: Engine, plan: &[String]) -> Vec<String> {
    match engine {
        Engine::Sqlite => plan.iter().filter(|line| reads_all_on_sqlite(line)).cloned().collect(),
        Engine::Postgres(_) => {
            let places = 0..plan.len();
            places.filter(|&at| reads_all_on_postgres(plan, at)).map(|at| plan[at].clone()).collect()
        }
    }
}

/// A line such as `SCAN c USING INDEX connection_look`; a search names what it goes by.
fn reads_all_on_sqlite(line: &str) -> bool {
    let Some(scanned) = line.strip_prefix("SCAN ") else { return false };
    let name = scanned.split(' ').next().unwrap_or_default();
    let given = ["CONSTANT", "jsonb_each", "v", "counted", "sweep", "audit_turn"].contains(&name)
        || name.starts_with('(');
    let small = scanned.split_once("INDEX ").is_some_and(|(_, index)| SMALL.contains(&index));
    !given && !small
}

/// A sequential scan, or one by an index that is not told where to begin or end.
fn reads_all_on_postgres(plan: &[String], at: usize) -> bool {
    let line = plan[at].trim_start().trim_start_matches("->").trim_start();
    if let Some(table) = line.strip_prefix("Seq Scan on ") {
        return table.split(' ').next().is_some_and(|table| GROWING.contains(&table));
    }
    let index = ["Index Scan using ", "Index Only Scan using ", "Bitmap Index Scan on "];
    let Some(index) = index.iter().find_map(|kind| line.strip_prefix(kind)) else { return false };
    let index = index.split(' ').next().unwrap_or_default();
    let mut below = plan[at + 1..].iter().take_while(|line| !line.trim_start().starts_with("->"));
    !SMALL.contains(&index) && !below.any(|line| line.trim_start().starts_with("Index Cond:"))
}

#[test]
fn a_plan_that_reads_all_is_told_from_one_that_does_not() {
    for (line, all) in [
        ("SCAN c", true),
        ("SCAN command USING INDEX command_ended", true),
        ("SCAN message USING COVERING INDEX message_due", false),
        ("SCAN jsonb_each VIRTUAL TABLE INDEX 1:", false),
        ("SEARCH c USING INDEX connection_link (link=?)", false),
    ] {
        assert_eq!(reads_all_on_sqlite(line), all, "{line}");
    }
    for (plan, all) in [
        (&["Limit", "  ->  Seq Scan on connection c", "        Filter: (x)"][..], true),
        (&["Limit", "  ->  Seq Scan on sweep"], false),
        (&["Limit", "  ->  Index Scan using news_at on news n", "        Filter: (x)"], true),
        (&["Limit", "  ->  Index Scan using news_at on news n", "        Index Cond: (at < 1)"], false),
        (&["Limit", "  ->  Bitmap Index Scan on message_due"], false),
    ] {
        let plan: Vec<_> = plan.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(reads_all_on_postgres(&plan, 1), all, "{plan:?}");
    }
}

/// What is timed, in the order of [`times`].
const TIMED: [&str; 10] = [
    "acknowledgement",
    "claim of commands",
    "claim of messages",
    "claim of looks",
    "sweep's read",
    "page of a list",
    "status by name",
    "status by key",
    "one's own Home",
    "everybody's Home",
];
/// How often each is timed; the middle one counts.
const TIMES: usize = 60;
/// How many are claimed at a time.
const CLAIMED: i64 = (DUE / TIMES) as i64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_wait_for_takes_as_long_with_many_rows_as_with_few() {
    let most = number("CONNECT_CARD_ROWS", 0);
    let sizes: Vec<_> = [1000, 100_000, 1_000_000].into_iter().filter(|&rows| rows <= most).collect();
    for engine in if sizes.is_empty() { Vec::new() } else { engines() } {
        let mut measured = Vec::new();
        for &rows in &sizes {
            let filled = Filled::with(engine, rows).await;
            measured.push(times(&filled.store).await);
            filled.store.close().await;
        }
        let mut table = format!("{engine}, in microseconds");
        for rows in &sizes {
            let _ = write!(table, "  {rows:>9} rows");
        }
        table.push_str("  most to least\n");
        for (at, what) in TIMED.iter().enumerate() {
            let times: Vec<_> = measured.iter().map(|times| times[at]).collect();
            let _ = write!(table, "{what:width$}", width = format!("{engine}, in microseconds").len());
            for time in &times {
                let _ = write!(table, "  {time:>14.0}");
            }
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            let _ = writeln!(table, "  {:>13.2}", times.iter().copied().fold(0.0, f64::max) / least);
        }
        say(&table);
    }
}

/// How long each takes, in microseconds.
async fn times(store: &Store) -> Vec<f64> {
    let now = Clock::default().now();
    let again = now + SignedDuration::from_hours(1);
    let key = Key { group_id: "g0".to_owned(), name: "name_7".to_owned() };
    vec![
        median(async |at| {
            let accepted = store.accept(command(at), Instant::now() + PATIENCE).await.unwrap();
            assert!(matches!(accepted, Accepted::Committed(_)));
        })
        .await,
        median(async |_| assert_ne!(store.claim(now, CLAIMED).await.unwrap().len(), 0)).await,
        median(async |_| assert_ne!(store.claim_messages(now, CLAIMED).await.unwrap().len(), 0)).await,
        median(async |_| assert_ne!(store.claim_looks(now, again, CLAIMED).await.unwrap().len(), 0)).await,
        median(async |_| {
            assert_eq!(store.watched("g0", now, None, WATCHED).await.unwrap().len(), WATCHED);
        })
        .await,
        median(async |_| {
            let total = store.count_links_of_channel("T", "C0", WATCHED).await.unwrap();
            let page = store.links_of_channel("T", "C0", 0, 10).await.unwrap();
            assert_eq!((total, page.len()), (WATCHED, 10));
        })
        .await,
        median(async |_| {
            assert!(store.connection_of_schema("T", "C0", "name_7").await.unwrap().is_some());
        })
        .await,
        median(async |_| assert!(store.connection(&key).await.unwrap().is_some())).await,
        median(async |_| assert_ne!(home(store, Some("U")).await, 0)).await,
        median(async |_| assert_ne!(home(store, None).await, 0)).await,
    ]
}

/// How many links are on the page that somebody's Home shows, or everybody's.
async fn home(store: &Store, requester: Option<&str>) -> usize {
    let requester = requester.map(str::to_owned);
    let wanted = Wanted { team_id: "T".to_owned(), requester, urgencies: Filter::All.urgencies() };
    let now = Clock::default().now();
    let listed = Listed::of(store.links_in_short(&wanted, MOST_LINKS + 1).await.unwrap(), now);
    let mut shown = 0;
    for about in listed.on(0) {
        let About::Link(key) = about else { panic!("{about:?}") };
        shown += usize::from(store.connection(key).await.unwrap().is_some());
    }
    shown
}

async fn median(step: impl AsyncFn(usize)) -> f64 {
    let mut times = Vec::with_capacity(TIMES);
    for at in 0..TIMES {
        let start = Instant::now();
        step(at).await;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

fn command(at: usize) -> NewCommand {
    NewCommand {
        id: format!("NEW{at}"),
        dedup: format!("new {at}"),
        subject: format!("new {at}"),
        team_id: "T".to_owned(),
        channel_id: "C0".to_owned(),
        user_id: "U".to_owned(),
        request: serde_json::to_string(&rows::request()).unwrap(),
        response_url: Some(SecretString::from("https://hooks.slack.com/x")),
        progress: Progress::default(),
        accepted_at: Clock::default().now(),
    }
}
