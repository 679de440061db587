//! Every named crash point, by kill and by termination, on both engines: the command is taken up
//! again in time, and ends as if nothing had been.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use connect_card::crash::POINTS;
use connect_card::reply::ask::CANCEL;
use stand_ins::fault::Fault;
use stand_ins::slack::{self, Visibility};

use crate::harness::{self, USER};
use crate::process::{Outside, Setup, accepted, say, until};

/// The lease of the tests on Postgres, whose end the others wait for.
const LEASE_S: u64 = 2;
/// A process of a debug build on a busy machine needs this to get going.
const MACHINE: Duration = Duration::from_millis(1000);

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

async fn every_point(engine: &str, database: impl Fn(&str) -> String, by: &str, limit: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut doubled = 0;
    let mut slowest = Duration::ZERO;
    let points: Vec<_> = POINTS.into_iter().filter(|point| !is_of_a_cancellation(point)).collect();
    for (at, &point) in points.iter().enumerate() {
        let outside = Outside::start().await;
        let schema = format!("point_{at}");
        let ends_in_a_link = arrange(&outside, point, &schema);
        let setup = Setup::new(database(&schema), folder.path().join(format!("{at}.log")))
            .with("LEASE_SECONDS", &LEASE_S.to_string());
        let crashing = setup.clone().with("CRASH_AT", point).with("CRASH_BY", by);
        let mut process = crashing.start(&outside).await;
        let ack = process.send(&outside, &format!("/connect-card google_ads {schema}")).await;
        let reference = ack.ok().as_ref().and_then(accepted);
        let ended = process.wait().await;
        assert_eq!(
            ended.code(),
            if by == "kill" { None } else { Some(0) },
            "{point} {by}: {}",
            process.log()
        );

        let effects = || {
            outside.fivetran.calls().iter().filter(|call| call.path.starts_with("/v1/")).count()
                + outside.slack.messages().len()
        };
        // What Fivetran asked for, and its jitter, is not ours to shorten.
        let pause = if point == "wait: recorded" { Duration::from_secs(2) } else { Duration::ZERO };
        let before = effects();
        let finished = |reference: &str| outside.messages_by_reference().contains_key(reference);
        // One that was not acknowledged can be told only by its message.
        let already = reference.as_deref().map_or(!outside.slack.messages().is_empty(), finished);
        let restarted = Instant::now();
        let process = setup.start(&outside).await;
        if !already
            && (reference.is_some() || point == "accept: committed" || point == "accept: acknowledging")
        {
            until(&format!("{engine}: work goes on after {point} by {by}"), || effects() > before).await;
            slowest = slowest.max(restarted.elapsed().saturating_sub(pause));
            assert!(
                restarted.elapsed() < limit + pause + MACHINE,
                "{engine}: after {point} by {by} it took {:?}",
                restarted.elapsed()
            );
        }
        let references = HashSet::from_iter(reference);
        outside.until_all_ended(&references).await;
        // One that was committed but not acknowledged may also have come to its end.
        process.terminate();
        let mut process = process;
        assert_eq!(process.wait().await.code(), Some(0), "{point}: {}", process.log());

        for (name, count) in outside.connections_by_name() {
            assert_eq!(count, 1, "{engine}: {point} by {by} made {name} {count} times");
        }
        for (reference, (links, failures)) in outside.messages_by_reference() {
            if references.contains(&reference) {
                assert_eq!(
                    (links > 0, failures > 0),
                    (ends_in_a_link, !ends_in_a_link),
                    "{engine} {point} {by}"
                );
            }
            doubled += links.saturating_sub(1);
            // While one task acknowledges, another may be between Slack's answer and the commit.
            let between = ["post: answered", "tell: answered", "accept: acknowledging"].contains(&point)
                && by == "kill";
            assert!(
                links + failures == 1 || between,
                "{engine}: {point} by {by}: {links} links, {failures} failures"
            );
        }
        outside.slack.shutdown();
        outside.fivetran.shutdown();
    }
    say(&format!(
        "{engine}, {by}: {} points, slowest resumption {slowest:?}, links shown twice: {doubled}",
        points.len()
    ));
}

/// These are come by after a press on a button, not after a command that is typed.
fn is_of_a_cancellation(point: &str) -> bool {
    point.starts_with("cancel")
}

async fn every_point_of_a_cancellation(database: impl Fn(&str) -> String, by: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (at, point) in POINTS.into_iter().filter(|point| is_of_a_cancellation(point)).enumerate() {
        let outside = Outside::start().await;
        let log = folder.path().join(format!("{at}.log"));
        let setup = Setup::new(database(&format!("cancel_{at}")), log)
            .with("SLACK_BOT_TOKEN", slack::BOT_TOKEN)
            .with("LEASE_SECONDS", &LEASE_S.to_string());
        let mut process = setup.clone().with("CRASH_AT", point).with("CRASH_BY", by).start(&outside).await;
        process.send(&outside, "/connect-card google_ads acme").await.unwrap();
        until("the link is posted", || outside.slack.messages().len() == 1).await;
        // The question is the acknowledgement itself. What there is to cancel is known as soon as the
        // link's row is kept, a moment after its message is there.
        let mut question = outside.slack.messages()[0].clone();
        question.payload = harness::until("the question", async || {
            let asked = process.send(&outside, "/connect-card cancel acme").await.unwrap().json();
            asked.to_string().contains(CANCEL).then_some(asked)
        })
        .await;
        question.visibility = Visibility::Ephemeral;
        let ack = outside.slack.press(&process.url(), &question, CANCEL, USER).await.unwrap();
        assert_eq!(ack.status, 200, "{point}: {}", ack.text());
        let ended = process.wait().await;
        assert_eq!(ended.code(), if by == "kill" { None } else { Some(0) }, "{point} {by}");

        let mut process = setup.start(&outside).await;
        until(&format!("the connection is deleted after {point} by {by}"), || {
            outside.fivetran.connections().is_empty()
        })
        .await;
        let says = |words: &str| {
            let messages = outside.slack.messages();
            messages.iter().filter(|message| message.rendered().contains(words)).count()
        };
        until("the person knows", || says("is deleted") > 0).await;
        until("the link's message shows it", || says("was cancelled") > 0).await;
        assert_eq!(says("is deleted"), 1, "{point} by {by}: the person is told once");
        assert_eq!(says("I deleted nothing"), 0, "{point} by {by}");
        process.terminate();
        assert_eq!(process.wait().await.code(), Some(0), "{point} {by}: {}", process.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_survives_its_points_on_sqlite() {
    for by in ["kill", "terminate"] {
        let folder = tempfile::tempdir().unwrap();
        every_point_of_a_cancellation(sqlite(folder.path()), by).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_survives_its_points_on_postgres() {
    let Some(postgres) = crate::postgres::shared() else { return };
    for by in ["kill", "terminate"] {
        every_point_of_a_cancellation(|_| postgres.database(), by).await;
    }
}

fn sqlite(folder: &std::path::Path) -> impl Fn(&str) -> String + '_ {
    move |name| format!("sqlite:{}", folder.join(format!("{name}.db")).display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_kill_at_every_point_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    every_point("SQLite", sqlite(folder.path()), "kill", Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_termination_at_every_point_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    every_point("SQLite", sqlite(folder.path()), "terminate", Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_kill_at_every_point_on_postgres() {
    let Some(postgres) = crate::postgres::shared() else { return };
    let limit = Duration::from_secs(LEASE_S + 1);
    every_point("Postgres", |_| postgres.database(), "kill", limit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_survives_a_termination_at_every_point_on_postgres() {
    let Some(postgres) = crate::postgres::shared() else { return };
    let limit = Duration::from_secs(LEASE_S + 1);
    every_point("Postgres", |_| postgres.database(), "terminate", limit).await;
}
