//! Several processes on one Postgres: they share the work, take over from one that dies, and
//! outlive the database's own crashes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::kills::{Random, Typed, bad_day, judge, seed, type_until};
use crate::needs;
use crate::postgres::Postgres;
use crate::process::{Outside, Setup, now, say};

/// Replicas at a time.
const REPLICAS: usize = 3;
/// How often the database is ended as by a power cut.
const DATABASE_CRASHES: usize = 5;
/// How often a replica is killed between two of those.
const KILLS_BETWEEN: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_lose_nothing_while_one_is_killed_and_the_database_crashes() {
    let Some(bin) = needs::postgres() else { return };
    let seed = seed();
    say(&format!("replicas: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    // A server of its own: it is not for others to suffer from.
    let postgres = tokio::task::spawn_blocking(|| Postgres::start(bin)).await.unwrap();
    let postgres = Arc::new(postgres);
    let database = postgres.database();
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    bad_day(&outside, seed, 8);
    let setups: Vec<_> = (0..REPLICAS)
        .map(|at| {
            Setup::new(database.clone(), folder.path().join(format!("{at}.log"))).with("LEASE_SECONDS", "1")
        })
        .collect();
    // Together, so that they also migrate the same empty database at once.
    let mut processes: Vec<_> = setups.iter().map(|setup| setup.spawn(&outside)).collect();
    for process in &mut processes {
        process.until_it_listens().await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let typed = Arc::new(Typed::default());
    let urls: Vec<_> = setups.iter().map(Setup::url).collect();
    let people: Vec<_> = (0..REPLICAS)
        .map(|person| {
            let (stop, outside, typed) = (Arc::clone(&stop), outside.clone(), Arc::clone(&typed));
            tokio::spawn(type_until(stop, outside, urls.clone(), person, typed, Duration::from_millis(20)))
        })
        .collect();
    let mut breaks = Vec::new();
    for _ in 0..DATABASE_CRASHES {
        for _ in 0..KILLS_BETWEEN {
            tokio::time::sleep(Duration::from_millis(50 + random.below(250))).await;
            let at = random.below(REPLICAS as u64) as usize;
            let victim = processes.remove(at);
            victim.kill().await;
            breaks.push(now());
            processes.insert(at, setups[at].start(&outside).await);
        }
        let server = Arc::clone(&postgres);
        tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
        breaks.push(now());
    }
    stop.store(true, Ordering::Relaxed);
    for person in people {
        person.await.unwrap();
    }
    outside.fivetran.faults(|it| it.heal());
    let doubled = judge("replicas", &outside, &typed, &breaks).await;
    let acknowledged = typed.acknowledged.lock().await.len();
    say(&format!(
        "replicas: {} kills, {DATABASE_CRASHES} crashes of Postgres, {acknowledged} commands acknowledged and ended, \
         {} not acknowledged, {doubled} messages twice",
        DATABASE_CRASHES * KILLS_BETWEEN,
        typed.refused.load(Ordering::Relaxed)
    ));
    assert!(acknowledged > 50, "{acknowledged}");
    for mut process in processes {
        process.terminate();
        assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    }
}
