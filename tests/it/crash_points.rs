//! Every named crash point, by kill, by termination and by panic, on both engines: the command is taken up
//! again in time, and ends as if nothing had been.

use std::collections::HashSet;

use connect_card::crash::POINTS;
use connect_card::reply::ask::CANCEL;
use futures_util::{StreamExt as _, stream};
use stand_ins::fault::Fault;
use stand_ins::slack::{BOT_TOKEN, Visibility};

use crate::harness::{CHANNEL, Engine, Outside, Program, USER, accepted, postgres, until};

/// Points at a time; most of each one's time is spent waiting.
const AT_A_TIME: usize = 6;

/// How a process ends at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Kill,
    Terminate,
}

impl By {
    /// What the process's end looks like.
    fn code(self) -> Option<i32> {
        match self {
            Self::Kill => None,
            Self::Terminate => Some(0),
        }
    }
}

/// The program that comes after the crash, and the one that crashes. A lease that has to be waited
/// for would be waited for in vain, but where that is the one way: on Postgres nobody else can tell
/// that its holder is dead.
fn programs(engine: Engine, program: Program, point: &str, by: By) -> (Program, Program) {
    let lease = if by == By::Kill && matches!(engine, Engine::Postgres(_)) { "1" } else { "600" };
    let program = program.with("LEASE_SECONDS", lease);
    let by = if by == By::Kill { "kill" } else { "terminate" };
    let crashing = program.clone().with("CRASH_AT", point).with("CRASH_BY", by);
    (program, crashing)
}

/// Goes through points, some of them at once.
async fn each(points: impl IntoIterator<Item = &'static str>, through: impl AsyncFn(&'static str)) {
    stream::iter(points).for_each_concurrent(AT_A_TIME, async |point| through(point).await).await;
}

/// Arranges for a command to come by the point, and says whether it ends in a link.
fn arrange(outside: &Outside, point: &str, schema: &str) -> bool {
    let fivetran = &outside.fivetran;
    match point.split_once(':').map_or(point, |(step, _)| step) {
        "look" | "mint" => fivetran.faults(|it| it.fail_next("create_connection", Fault::DropAfter, 1)),
        "wait" => {
            let throttled = Fault::Throttled { retry_after: Some("1".to_owned()) };
            fivetran.faults(|it| it.fail_next("create_connection", throttled, 1));
        }
        "tell" => {
            let _ = fivetran.seed_connection("google_ads", schema, "connected");
            return false;
        }
        _ => {}
    }
    true
}

/// Those that a command for one source passes, which is typed.
fn of_a_command() -> impl Iterator<Item = &'static str> {
    POINTS.into_iter().filter(|point| {
        !is_of_a_cancellation(point)
            && !is_of_an_edit(point)
            && !is_of_an_onboarding(point)
            && !is_of_a_digest(point)
    })
}

async fn every_point(engine: Engine, by: By) {
    each(of_a_command(), async |point| survives(engine, by, point).await).await;
}

async fn survives(engine: Engine, by: By, point: &'static str) {
    let what = format!("{engine}, {by:?} at “{point}”");
    let outside = Outside::start().await;
    let schema = "customer_schema";
    let ends_in_a_link = arrange(&outside, point, schema);
    let program = engine.program(&outside);
    // Only with a token can Slack be asked who else is in the channel.
    let program =
        if point.starts_with("company") { program.with("SLACK_BOT_TOKEN", BOT_TOKEN) } else { program };
    let (program, crashing) = programs(engine, program, point, by);
    let mut process = crashing.start().await;
    let ack = process.try_to_send(&outside.slack, CHANNEL, &format!("google_ads {schema}")).await;
    let reference = ack.ok().as_ref().and_then(accepted);
    assert_eq!(process.wait().await.code(), by.code(), "{what}: {}", process.log());

    let effects = || {
        outside.fivetran.calls().iter().filter(|call| call.path.starts_with("/v1/")).count()
            + outside.slack.messages().len()
    };
    let before = effects();
    let finished = |reference: &str| outside.messages_by_reference().contains_key(reference);
    // One that was not acknowledged can be told only by its message.
    let already = reference.as_deref().map_or(!outside.slack.messages().is_empty(), finished);
    let process = program.start().await;
    if !already && (reference.is_some() || point == "accept: committed" || point == "accept: acknowledging") {
        until(&format!("work to go on: {what}"), async || (effects() > before).then_some(())).await;
    }
    let references = HashSet::from_iter(reference);
    outside.until_all_ended(&references).await;
    // One that was committed but not acknowledged may also have come to its end.
    process.stop().await;

    for (name, count) in outside.connections_by_name() {
        assert_eq!(count, 1, "{what}: {name} was made {count} times");
    }
    for (reference, (links, failures)) in outside.messages_by_reference() {
        if references.contains(&reference) {
            assert_eq!((links > 0, failures > 0), (ends_in_a_link, !ends_in_a_link), "{what}");
        }
        // While one task acknowledges, another may be between Slack's answer and the commit.
        let between =
            ["post: answered", "tell: answered", "accept: acknowledging"].contains(&point) && by == By::Kill;
        assert!(links + failures == 1 || between, "{what}: {links} links, {failures} failures");
    }
    outside.shutdown();
}

/// A panic ends the task that carries a command, and nothing else: the same process takes it up again.
async fn is_outlived(engine: Engine, point: &'static str) {
    let what = format!("{engine}, a panic at “{point}”");
    let outside = Outside::start().await;
    let schema = "customer_schema";
    let ends_in_a_link = arrange(&outside, point, schema);
    let program = engine.program(&outside).with("LEASE_SECONDS", "1");
    let program =
        if point.starts_with("company") { program.with("SLACK_BOT_TOKEN", BOT_TOKEN) } else { program };
    let process = program.with("CRASH_AT", point).with("CRASH_BY", "panic").start().await;
    let ack = process.try_to_send(&outside.slack, CHANNEL, &format!("google_ads {schema}")).await;
    let reference = ack.ok().as_ref().and_then(accepted);
    until(&what, async || process.log().contains("a test asks for it").then_some(())).await;
    let is_kept = point != "accept: before the commit";
    if is_kept {
        until(&format!("the command's message: {what}"), async || {
            (!outside.messages_by_reference().is_empty()).then_some(())
        })
        .await;
    }
    // It is as well as before.
    let next = process.send(&outside.slack, "hubspot another_schema").await;
    let next = accepted(&next).expect(&what);
    outside.until_all_ended(&reference.into_iter().chain([next.clone()]).collect()).await;
    process.stop().await;
    for (name, count) in outside.connections_by_name() {
        assert_eq!(count, 1, "{what}: {name} was made {count} times");
    }
    let mut told = 0;
    for (reference, (links, failures)) in outside.messages_by_reference() {
        if reference != next {
            told += 1;
            assert_eq!((links > 0, failures > 0), (ends_in_a_link, !ends_in_a_link), "{what}");
            let between = ["post: answered", "tell: answered"].contains(&point);
            assert!(links + failures == 1 || between, "{what}: {links} links, {failures} failures");
        }
    }
    assert_eq!(told, usize::from(is_kept), "{what}");
    outside.shutdown();
}

async fn every_panic(engine: Engine) {
    each(of_a_command(), async |point| is_outlived(engine, point).await).await;
}

/// These are come by with several sources alone.
fn is_of_an_onboarding(point: &str) -> bool {
    ["onboard", "join", "add"].iter().any(|it| point.starts_with(it))
}

/// These are come by once a week.
fn is_of_a_digest(point: &str) -> bool {
    point.starts_with("digest")
}

/// These are come by after a press on a button, not after a command that is typed.
fn is_of_a_cancellation(point: &str) -> bool {
    point.starts_with("cancel")
}

/// Come by when a message is edited, or one is brought up, which no command waits for.
fn is_of_an_edit(point: &str) -> bool {
    point.starts_with("edit") || point.starts_with("bring up")
}

async fn every_point_of_a_cancellation(engine: Engine) {
    let points: Vec<_> = POINTS.into_iter().filter(|point| is_of_a_cancellation(point)).collect();
    for by in [By::Kill, By::Terminate] {
        each(points.clone(), async |point| is_cancelled(engine, by, point).await).await;
    }
}

async fn is_cancelled(engine: Engine, by: By, point: &'static str) {
    let what = format!("{engine}, {by:?} at “{point}”");
    let outside = Outside::start().await;
    let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN);
    let (program, crashing) = programs(engine, program, point, by);
    let mut process = crashing.start().await;
    process.send(&outside.slack, "google_ads acme").await;
    let link = until("the link", async || outside.slack.messages().first().cloned()).await;
    // The question is the acknowledgement itself. It is answered once the link's own command has ended:
    // until then another one about the same connection is turned away.
    until("the command to end", async || process.log().contains("command ended").then_some(())).await;
    let mut question = link;
    question.payload = until("the question", async || {
        let asked = process.send(&outside.slack, "cancel acme").await.json();
        asked.to_string().contains(CANCEL).then_some(asked)
    })
    .await;
    question.visibility = Visibility::Ephemeral;
    // Until the command that posted the link has ended, nothing else is done to its connection.
    until("the command's end", async || process.log().contains("command ended").then_some(())).await;
    // The process may be at the point, and dead, before its answer is on its way.
    let pressed = outside.slack.press(&process.url(), &question, CANCEL, USER).await;
    assert!(pressed.map_or(by == By::Kill, |ack| ack.status == 200), "{what}");
    assert_eq!(process.wait().await.code(), by.code(), "{what}: {}", process.log());

    let process = program.start().await;
    until(&format!("the connection to be deleted: {what}"), async || {
        outside.fivetran.connections().is_empty().then_some(())
    })
    .await;
    let says = |words: &str| {
        let messages = outside.slack.messages();
        messages.iter().filter(|message| message.rendered().contains(words)).count()
    };
    until("the person to know", async || (says("is cancelled") > 0).then_some(())).await;
    until("the link's message to show it", async || (says("was cancelled") > 0).then_some(())).await;
    process.stop().await;
    assert_eq!(says("is cancelled"), 1, "{what}: the person is told once");
    assert_eq!(says("I didn't cancel it"), 0, "{what}");
    outside.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_survives_its_points_on_sqlite() {
    every_point_of_a_cancellation(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_survives_its_points_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    every_point_of_a_cancellation(Engine::Postgres(postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_kill_at_every_point_on_sqlite() {
    every_point(Engine::Sqlite, By::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_termination_at_every_point_on_sqlite() {
    every_point(Engine::Sqlite, By::Terminate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_kill_at_every_point_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    every_point(Engine::Postgres(postgres), By::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_termination_at_every_point_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    every_point(Engine::Postgres(postgres), By::Terminate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_outlives_a_panic_at_every_point_on_sqlite() {
    every_panic(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_outlives_a_panic_at_every_point_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    every_panic(Engine::Postgres(postgres)).await;
}
