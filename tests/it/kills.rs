//! Kills at random, again and again, while commands run and a quarter of Fivetran's answers are
//! faults: no acknowledged command is lost, none makes two connections.
//!
//! The suite has a few kills of each kind. The long form says how many:
//! `CONNECT_CARD_KILLS=200 cargo test --test it kills -- --nocapture`. It comes in rounds, after each of
//! which all must end: killed once a second, a bot falls behind, and what waits for half an hour can't be told.
//!
//! The seed of a run is printed; `CONNECT_CARD_SEED` replays its choices. (The machine's timing
//! is not among them.)

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use stand_ins::fault::Fault;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::harness::{
    CHANNEL, Engine, Outside, Program, Random, USER, accepted, kills, now, postgres, say, seed, until,
};

/// Kills of one run in the suite.
const KILLS: usize = 15;
/// Kills after which what was typed must end. They take a few minutes: whoever takes over a creation looks
/// for it for a minute, so while the kills last many commands wait, and none may outlive its half hour.
const ROUND: usize = 500;
/// People who type at the same time.
const PEOPLE: usize = 6;

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

/// People who type until they are told to stop, each command for a schema of its own.
pub(crate) struct People {
    typed: Arc<Typed>,
    typing: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Typed {
    stop: AtomicBool,
    /// The references of the commands that were acknowledged.
    acknowledged: Mutex<HashSet<String>>,
    /// Commands that got no acknowledgement.
    refused: AtomicUsize,
}

impl People {
    /// So many of them begin to type, each at one of these programs after the other.
    pub(crate) fn start(number: usize, outside: &Outside, programs: &[Program]) -> Self {
        let typed = Arc::<Typed>::default();
        let urls: Vec<_> = programs.iter().map(Program::url).collect();
        let typing = (0..number).map(|person| {
            let (typed, outside, urls) = (Arc::clone(&typed), outside.clone(), urls.clone());
            tokio::spawn(async move { typed.go_on(person, &outside, &urls).await })
        });
        Self { typing: typing.collect(), typed }
    }

    /// Waits until somebody has had an acknowledgement from now on.
    pub(crate) async fn until_one_is_acknowledged(&self) {
        let before = self.typed.acknowledged.lock().await.len();
        until("an acknowledgement", async || {
            (self.typed.acknowledged.lock().await.len() > before).then_some(())
        })
        .await;
    }

    /// They stop.
    pub(crate) async fn stop(&mut self) {
        self.typed.stop.store(true, Ordering::Relaxed);
        for typing in self.typing.drain(..) {
            typing.await.unwrap();
        }
    }

    /// Waits until every acknowledged command has ended.
    async fn until_all_ended(&self, outside: &Outside) {
        outside.until_all_ended(&*self.typed.acknowledged.lock().await).await;
    }

    /// Asserts what must hold of every acknowledged command. Only a message whose commit one of the
    /// breaks cut off may be there twice.
    pub(crate) async fn judge(&self, what: &str, outside: &Outside, breaks: &Breaks) {
        let acknowledged = self.typed.acknowledged.lock().await;
        outside.until_all_ended(&acknowledged).await;
        for (name, count) in outside.connections_by_name() {
            assert_eq!(count, 1, "{what}: {name} was made {count} times");
        }
        let least = breaks.0.len() / 2;
        assert!(acknowledged.len() >= least, "{what}: {} of {least} commands at least", acknowledged.len());
        let messages = outside.messages_by_reference();
        let times = outside.post_times();
        let mut doubled = 0;
        for reference in acknowledged.iter() {
            for pair in times[reference].windows(2) {
                assert!(breaks.cut_off(pair), "{what}: {reference} came twice without a cause, at {pair:?}");
            }
            let (links, failures) = messages[reference];
            // Killed again and again around its posts, a command uses up all that its response_url
            // takes but the last, by which its person is told just that: a link may be there.
            let used_up = links >= 1 && failures == 1 && outside.says_so(reference);
            assert!(
                links == 0 || failures == 0 || used_up,
                "{what}: {reference} has {links} links and {failures} failures"
            );
            doubled += (links + failures).saturating_sub(1);
        }
        say(&format!(
            "{what}: {} breaks, {} commands acknowledged and ended, {} not acknowledged, {doubled} messages twice",
            breaks.0.len(),
            acknowledged.len(),
            self.typed.refused.load(Ordering::Relaxed),
        ));
    }
}

impl Typed {
    async fn go_on(&self, person: usize, outside: &Outside, urls: &[String]) {
        // Between two commands of one person: a load, and no more than the machine can bear. For long, it is no
        // more than can end meanwhile: Fivetran often asks everybody to pause for a second.
        let pace = Duration::from_millis(if kills(KILLS) > KILLS { 2_000 } else { 15 });
        let mut count = 0;
        while !self.stop.load(Ordering::Relaxed) {
            count += 1;
            let text = format!("/connect-card google_ads s{person}_{count}");
            let url = &urls[count % urls.len()];
            match outside.slack.command(url, &text, CHANNEL, USER).await.ok().as_ref().and_then(accepted) {
                Some(reference) => drop(self.acknowledged.lock().await.insert(reference)),
                None => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            }
            tokio::time::sleep(pace).await;
        }
    }
}

/// When something was broken, each from just before until it worked again, by Slack's clock.
#[derive(Default)]
pub(crate) struct Breaks(Vec<(f64, f64)>);

impl Breaks {
    /// Breaks something and mends it.
    pub(crate) async fn during<T>(&mut self, broken: impl Future<Output = T>) -> T {
        self.during_and_after(broken, Duration::ZERO).await
    }

    /// The same where somebody may suffer from it for a while longer.
    pub(crate) async fn during_and_after<T>(
        &mut self,
        broken: impl Future<Output = T>,
        longer: Duration,
    ) -> T {
        let began = now();
        let mended = broken.await;
        self.0.push((began, now() + longer.as_secs_f64()));
        mended
    }

    /// Notes one that has been mended.
    pub(crate) fn note(&mut self, began: f64, mended: f64) {
        self.0.push((began, mended));
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether what was sent first may have been cut off before it was noted down, so that it was
    /// sent again. Slack may take note of a post a little after its sender has died, but not after
    /// the next one is there.
    pub(crate) fn cut_off(&self, pair: &[f64]) -> bool {
        self.0.iter().any(|(began, mended)| pair[0] <= *mended && *began <= pair[1])
    }
}

async fn kill_again_and_again(engine: Engine) {
    let seed = seed();
    say(&format!("{engine}: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let mut left = kills(KILLS);
    while left > 0 {
        let round = left.min(ROUND);
        kill_for_a_round(&engine, round, &mut random).await;
        left -= round;
    }
}

async fn kill_for_a_round(engine: &Engine, kills: usize, random: &mut Random) {
    let outside = Outside::start().await;
    outside.fivetran.set_latency(Duration::from_millis(5));
    bad_day(&outside, random.below(u64::MAX), 4);
    let program = engine.program(&outside).with("LEASE_SECONDS", "2");
    let mut process = program.start().await;
    let mut people = People::start(PEOPLE, &outside, std::slice::from_ref(&program));
    let mut breaks = Breaks::default();
    for kill in 0..kills {
        // Half of the kills from before the first command is acknowledged, half of them into work.
        if kill % 2 == 1 {
            people.until_one_is_acknowledged().await;
        }
        tokio::time::sleep(Duration::from_millis(20 + random.below(160))).await;
        process = breaks
            .during(async {
                process.kill().await;
                program.start_again_and_again().await
            })
            .await;
    }
    people.stop().await;
    outside.fivetran.faults(|it| it.heal());
    people.until_all_ended(&outside).await;
    // What nobody was promised may have been sent to Fivetran all the same.
    program.until_nothing_is_open().await;
    people.judge(&format!("{engine}"), &outside, &breaks).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_lose_nothing_on_sqlite() {
    kill_again_and_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_lose_nothing_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    kill_again_and_again(Engine::Postgres(postgres)).await;
}
