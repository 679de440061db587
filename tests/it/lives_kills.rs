//! Whole lives of connections while processes die and stand still and a quarter of both partners'
//! answers are faults: nothing acknowledged is lost, nothing is made twice, and in the end every
//! message is true and at most one link of a connection is on show, in its home.
//!
//! The suite has a short run for each engine. The long form says how many kills:
//! `CONNECT_CARD_KILLS=2000 cargo test --test it lives_kills -- --nocapture`
//!
//! What was stopped is woken when its lease has long ended, and on Postgres others have gone on with
//! what it held. Who is judged, and by whom: the bot, by nothing but what Slack shows and Fivetran has.

mod people;
mod verdict;

use std::time::Duration;

use futures_util::future::join_all;
use stand_ins::fault::Fault;
use stand_ins::slack::BOT_TOKEN;
use tokio::time::Instant;

use crate::harness::postgres;
use crate::harness::{Engine, Outside, PATIENCE, Process, Program, Random, kills, now, say, seed};
use crate::kills::Breaks;
use people::People;
use verdict::Verdict;

/// Kills of one run in the suite.
const KILLS: usize = 10;
/// Replicas at a time on Postgres.
const REPLICAS: usize = 3;
/// Longer than a healthy replica ever stands still.
const LEASE: Duration = Duration::from_secs(3);
/// One in so many of the breaks is a standstill and no kill.
const STANDSTILLS: u64 = 6;
/// Whoever was stopped has found out what it missed, so long after it has woken.
const AWAKE_S: f64 = 10.0;
/// Long enough that a kill falls between any two calls of one command.
const LATENCY: Duration = Duration::from_millis(5);
/// How often the end is looked at. A look reads all that was ever said.
const GLANCE: Duration = Duration::from_millis(200);
/// After so many of them, time has passed for whatever rests.
const GLANCES: u32 = 10;

/// A quarter of all answers is of these kinds.
fn bad_days(outside: &Outside, seed: u64) {
    let faults = || {
        vec![
            Fault::Status(503),
            Fault::DropAfter,
            Fault::DropBefore,
            Fault::Truncated,
            Fault::SlowAfter(Duration::from_millis(400)),
        ]
    };
    outside.slack.faults(|it| it.fail_randomly(seed, 4, faults()));
    outside.fivetran.faults(|it| it.fail_randomly(seed ^ 1, 4, faults()));
}

/// One of the processes that share a database.
struct Replica {
    program: Program,
    process: Process,
    /// When it was stopped, by Slack's clock, and until when it is to stand still.
    stopped: Option<(f64, Instant)>,
    /// When it was stopped last, and when it woke from that.
    woken: Option<(f64, f64)>,
}

impl Replica {
    async fn start(program: Program) -> Self {
        let process = program.start().await;
        Self { program, process, stopped: None, woken: None }
    }

    /// Ends it by SIGKILL and starts it anew.
    async fn killed(self, kills: &mut Breaks) -> Self {
        let Self { program, process, stopped, woken } = self;
        // What it did just before it stood still, it may never have come to note down.
        let began = match (stopped, woken) {
            (Some((since, _)), _) => since,
            (None, Some((since, woken))) if now() < woken + AWAKE_S => since,
            _ => now(),
        };
        let id = process.id();
        process.kill().await;
        long_leases_end(&program, id).await;
        let next = Self::start(program).await;
        kills.note(began, now());
        next
    }

    async fn stand_still(&mut self, time: Duration) {
        let since = now();
        self.process.stand_still().await;
        self.stopped = Some((since, Instant::now() + time));
    }

    /// Whether it has stood still for as long as it was to.
    fn is_to_wake(&self) -> bool {
        self.stopped.is_some_and(|(_, until)| until <= Instant::now())
    }

    async fn wake(&mut self, stops: &mut Breaks) {
        let Some((since, _)) = self.stopped.take() else { return };
        self.process.wake().await;
        self.woken = Some((since, now()));
        stops.note(since, now() + AWAKE_S);
    }
}

/// The leases of messages and of lists are long ones: their time is over for a process that is gone.
async fn long_leases_end(program: &Program, id: u32) {
    for table in ["message", "sweep"] {
        program.sql(&format!("UPDATE {table} SET lease_until = 0 WHERE owner LIKE '{id}-%'")).await;
    }
}

/// Ends every pause: commands and messages rest for up to ten minutes after answers that were lost,
/// and lists for half a minute.
async fn ten_minutes_pass(program: &Program) {
    for statement in [
        "UPDATE command SET run_at = run_at - 600000 WHERE ended_at IS NULL",
        "UPDATE message SET due = due - 600000 WHERE due IS NOT NULL",
        "UPDATE sweep SET next_at = next_at - 600000 WHERE next_at IS NOT NULL",
    ] {
        program.sql(statement).await;
    }
}

async fn live_through_kills(engine: Engine, replicas: usize) {
    let seed = seed();
    say(&format!("lives, {engine}: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let outside = Outside::start().await;
    outside.slack.set_latency(LATENCY);
    outside.fivetran.set_latency(LATENCY);
    bad_days(&outside, seed);
    let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN);
    let program = program.with("LEASE_SECONDS", &LEASE.as_secs().to_string());
    let programs: Vec<_> = (0..replicas).map(|_| program.clone().on_another_port()).collect();
    let mut people = People::start(&outside, &programs, seed);
    let mut replicas = join_all(programs.into_iter().map(Replica::start)).await;
    let (mut kills_so_far, mut stops) = (Breaks::default(), Breaks::default());
    while kills_so_far.count() < kills(KILLS) {
        // Some of the breaks wait until there is something to lose.
        if random.below(3) == 0 {
            people.until_something_is_promised().await;
        }
        tokio::time::sleep(Duration::from_millis(20 + random.below(250))).await;
        for replica in &mut replicas {
            if replica.is_to_wake() {
                replica.wake(&mut stops).await;
            }
        }
        let at = random.below(replicas.len() as u64) as usize;
        let alone = replicas.iter().filter(|it| it.stopped.is_none()).count() == 1;
        let time = LEASE + Duration::from_millis(200 + random.below(1500));
        if random.below(STANDSTILLS) > 0 {
            let victim = replicas.remove(at);
            replicas.insert(at, victim.killed(&mut kills_so_far).await);
        } else if replicas.len() == 1 {
            let only = &mut replicas[0];
            only.stand_still(time).await;
            tokio::time::sleep(time).await;
            only.wake(&mut stops).await;
        } else if replicas[at].stopped.is_none() && !alone {
            replicas[at].stand_still(time).await;
            long_leases_end(&program, replicas[at].process.id()).await;
        }
        if random.below(4) == 0 {
            ten_minutes_pass(&program).await;
        }
    }
    people.stop().await;
    outside.slack.faults(|it| it.heal());
    outside.fivetran.faults(|it| it.heal());
    for replica in &mut replicas {
        replica.wake(&mut stops).await;
    }
    let verdict = Verdict { outside: &outside, people: &people, kills: &kills_so_far, stops: &stops };
    until_nothing(&replicas, "an end of each command", async || verdict.unended()).await;
    // Those too of which a kill cut off the acknowledgement, so that nobody knows of them: their links come late.
    let open = "SELECT id FROM command WHERE ended_at IS NULL";
    let program = replicas[0].program.clone();
    until_nothing(&replicas, "an end of what nobody knows of", async || {
        program.asks_its_database(open).await
    })
    .await;
    people.everybody_lands(&replicas[0].process.url()).await;
    until_nothing(&replicas, "the truth", async || verdict.untrue()).await;
    let logs = join_all(replicas.into_iter().map(|it| it.process.stop())).await;
    assert!(logs.iter().all(|log| !log.contains("panicked")), "{logs:?}");
    verdict.judge(&engine.to_string());
    outside.shutdown();
}

/// Waits until there are none of these.
async fn until_nothing(replicas: &[Replica], what: &str, look: impl AsyncFn() -> Vec<String>) {
    let end = Instant::now() + PATIENCE;
    for glance in 0_u32.. {
        if glance.is_multiple_of(GLANCES) {
            ten_minutes_pass(&replicas[0].program).await;
        }
        let found = look().await;
        if found.is_empty() {
            return;
        }
        if Instant::now() >= end {
            let logs: Vec<_> = replicas.iter().map(|it| it.process.log()).collect();
            panic!("waited in vain for {what}: {found:#?}; the bots say: {}", logs.join("\n"));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_live_through_kills_on_sqlite() {
    live_through_kills(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_live_through_kills_and_standstills_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    live_through_kills(Engine::Postgres(postgres), REPLICAS).await;
}
