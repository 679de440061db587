//! Several processes on one Postgres: they share the work, take over from one that dies, and
//! outlive the database's own crashes.
//!
//! `CONNECT_CARD_KILLS` says how many kills a run has; the database crashes after every third.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::harness::postgres::Postgres;
use crate::harness::{Engine, Outside, Process, Program, Random, kills, needs, say, seed};
use crate::kills::{Breaks, People, bad_day};

/// Replicas at a time.
const REPLICAS: usize = 3;
/// Kills of one run in the suite.
const KILLS: usize = 6;
/// How often a replica is killed before the database is ended as by a power cut.
const KILLS_BETWEEN: usize = 3;
/// Longer than a healthy replica ever stands still.
const LEASE_S: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_lose_nothing_while_one_is_killed_and_the_database_crashes() {
    let Some(bin) = needs::postgres() else { return };
    let seed = seed();
    say(&format!("replicas: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    // A server of its own: it is not for others to suffer from.
    let postgres = Arc::new(tokio::task::spawn_blocking(|| Postgres::start(bin)).await.unwrap());
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    bad_day(&outside, seed, 8);
    let program = Engine::Sqlite.program(&outside).with("LEASE_SECONDS", &LEASE_S.to_string());
    let program = program.with("DATABASE_URL", &postgres.database());
    let programs: Vec<_> = (0..REPLICAS).map(|_| program.clone().on_another_port()).collect();
    // Together, so that they also migrate the same empty database at once.
    let mut processes = join_all(programs.iter().map(Program::start)).await;
    let mut people = People::start(REPLICAS, &outside, &programs);
    let mut breaks = Breaks::default();
    for kill in 1..=kills(KILLS) {
        people.until_one_is_acknowledged().await;
        tokio::time::sleep(Duration::from_millis(50 + random.below(250))).await;
        let at = random.below(REPLICAS as u64) as usize;
        let victim = processes.remove(at);
        let next = breaks.during(async {
            victim.kill().await;
            programs[at].start_again_and_again().await
        });
        processes.insert(at, next.await);
        if kill % KILLS_BETWEEN == 0 {
            let server = Arc::clone(&postgres);
            let crash = tokio::task::spawn_blocking(move || server.crash_and_restart());
            // A replica whose leases ended while the database was away learns it a little later.
            breaks.during_and_after(crash, Duration::from_secs(LEASE_S)).await.unwrap();
        }
    }
    people.stop().await;
    outside.fivetran.faults(|it| it.heal());
    people.judge("replicas", &outside, &breaks).await;
    join_all(processes.into_iter().map(Process::stop)).await;
}
