//! Kills at random, again and again, while commands run and a quarter of Fivetran's answers are
//! faults: no acknowledged command is lost, none makes two connections.
//!
//! The seed of a run is printed; `CONNECT_CARD_SEED` replays its choices. (The machine's timing
//! is not among them.)

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stand_ins::fault::Fault;
use tokio::sync::Mutex;

use crate::process::{CHANNEL, Outside, Setup, USER, accepted, now, say};

/// Kills of one run.
const KILLS: usize = 200;
/// People who type at the same time.
const PEOPLE: usize = 6;

/// The generator of the run's choices: SplitMix64.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The run's seed, from the environment or the clock.
#[expect(clippy::disallowed_methods, reason = "a test's variable, and a seed that differs each time")]
pub(crate) fn seed() -> u64 {
    std::env::var("CONNECT_CARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |now| now.as_nanos() as u64)
    })
}

/// The faults of a bad day at Fivetran.
pub(crate) fn bad_day(outside: &Outside, seed: u64, one_in: u32) {
    outside.fivetran.faults(|it| {
        it.fail_randomly(
            seed,
            one_in,
            vec![
                Fault::DropAfter,
                Fault::DropBefore,
                Fault::Status(500),
                Fault::Truncated,
                Fault::Throttled { retry_after: Some("1".to_owned()) },
            ],
        );
        it.only_on(&["create_connection", "connect_card", "list_connections"]);
    });
}

/// What people typed and got.
#[derive(Default)]
pub(crate) struct Typed {
    /// The references of the commands that were acknowledged.
    pub acknowledged: Mutex<HashSet<String>>,
    /// Commands that got no acknowledgement.
    pub refused: AtomicUsize,
}

/// Types commands at one of `urls` until `stop`, each for a schema of its own.
pub(crate) async fn type_until(
    stop: Arc<AtomicBool>,
    outside: Outside,
    urls: Vec<String>,
    person: usize,
    typed: Arc<Typed>,
    pause: Duration,
) {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let text = format!("/connect-card google_ads s{person}_{count}");
        let url = &urls[count % urls.len()];
        match outside.slack.command(url, &text, CHANNEL, USER).await.ok().as_ref().and_then(accepted) {
            Some(reference) => drop(typed.acknowledged.lock().await.insert(reference)),
            None => drop(typed.refused.fetch_add(1, Ordering::Relaxed)),
        }
        tokio::time::sleep(pause).await;
    }
}

/// Asserts what must hold of every acknowledged command; returns how many messages came twice.
/// `breaks` are the moments at which something was killed: only a message whose commit one of
/// them cut off may be there twice.
pub(crate) async fn judge(what: &str, outside: &Outside, typed: &Typed, breaks: &[f64]) -> usize {
    let acknowledged = typed.acknowledged.lock().await;
    outside.until_all_ended(&acknowledged).await;
    for (name, count) in outside.connections_by_name() {
        assert_eq!(count, 1, "{what}: {name} was made {count} times");
    }
    let messages = outside.messages_by_reference();
    let times = outside.post_times();
    let mut doubled = 0;
    for reference in acknowledged.iter() {
        for pair in times[reference].windows(2) {
            // Slack may take note of a post a little after its sender has died.
            let cut_off = breaks.iter().any(|at| (pair[0] - 0.5..=pair[1]).contains(at));
            assert!(cut_off, "{what}: {reference} came twice without a cause, at {pair:?}");
        }
        let (links, failures) = messages[reference];
        // Killed again and again around its posts, a command uses up all that its response_url takes
        // but the last, by which its person is told just that: a link may be there.
        let used_up = links >= 1 && failures == 1 && outside.says_so(reference);
        assert!(
            links == 0 || failures == 0 || used_up,
            "{what}: {reference} has {links} links and {failures} failures"
        );
        doubled += (links + failures).saturating_sub(1);
    }
    doubled
}

async fn kill_again_and_again(engine: &str, database: String) {
    let seed = seed();
    say(&format!("{engine}: CONNECT_CARD_SEED={seed}"));
    let began = Instant::now();
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    bad_day(&outside, seed, 4);
    let setup = Setup::new(database, folder.path().join("log")).with("LEASE_SECONDS", "2");
    let stop = Arc::new(AtomicBool::new(false));
    let typed = Arc::new(Typed::default());
    let mut process = setup.start(&outside).await;
    let people: Vec<_> = (0..PEOPLE)
        .map(|person| {
            let (stop, outside, typed) = (Arc::clone(&stop), outside.clone(), Arc::clone(&typed));
            tokio::spawn(type_until(
                stop,
                outside,
                vec![setup.url()],
                person,
                typed,
                Duration::from_millis(10),
            ))
        })
        .collect();
    let mut kills = Vec::new();
    for _ in 0..KILLS {
        // From before the first command is acknowledged to well into the work on many.
        tokio::time::sleep(Duration::from_millis(20 + random.below(160))).await;
        process.kill().await;
        kills.push(now());
        process = setup.start(&outside).await;
    }
    stop.store(true, Ordering::Relaxed);
    for person in people {
        person.await.unwrap();
    }
    outside.fivetran.faults(|it| it.heal());
    let doubled = judge(engine, &outside, &typed, &kills).await;
    let acknowledged = typed.acknowledged.lock().await.len();
    say(&format!(
        "{engine}: {KILLS} kills, {acknowledged} commands acknowledged and ended, {} not acknowledged, \
         {doubled} messages twice, {:.0} s",
        typed.refused.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64()
    ));
    assert!(acknowledged >= KILLS, "hundreds of commands ran: {acknowledged}");
    process.terminate();
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_kills_lose_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again("SQLite", format!("sqlite:{}", folder.path().join("bot.db").display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_kills_lose_nothing_on_postgres() {
    let Some(postgres) = crate::postgres::shared() else { return };
    kill_again_and_again("Postgres", postgres.database()).await;
}
