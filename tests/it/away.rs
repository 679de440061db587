//! A bot that was away for hours: everybody whose command was open when it went hears of it when it is back.

use connect_card::crash::POINTS;
use stand_ins::slack::{Message, Visibility};

use crate::harness::{CHANNEL, Outside, Program, until};

/// What comes of a command whose process dies at each of these.
const ENDS: [(&str, End); 7] = [
    ("accept: committed", End::Sentence(OUT_OF_TIME)),
    ("company: answered", End::Sentence(OUT_OF_TIME)),
    ("create: before the call", End::Sentence(OUT_OF_TIME)),
    ("create: answered", End::Sentence(OUT_OF_TIME)),
    // The connection is known by then.
    ("deliver: recorded", End::Link),
    ("post: before the call", End::Link),
    ("tell: before the call", End::Sentence("is already connected")),
];
const OUT_OF_TIME: &str = "I couldn't finish this in time, so there's no link for Google Ads yet.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Link,
    Sentence(&'static str),
}

/// Longer than anything is tried at Slack.
const AWAY_MS: i64 = 3 * 60 * 60 * 1000;

fn link(outside: &Outside) -> Option<Message> {
    outside.slack.messages().into_iter().find(|message| message.visibility == Visibility::Channel)
}

fn told(outside: &Outside) -> Option<Message> {
    outside.slack.messages().into_iter().find(|message| message.visibility != Visibility::Channel)
}

/// Types something, has the process die at this point, and is away for hours.
async fn dies_for_hours(program: &Program, outside: &Outside, point: &str, typed: &str) {
    assert!(POINTS.contains(&point));
    let crashing = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill");
    let mut process = crashing.start().await;
    // It may die before it has answered.
    let _ = process.try_to_send(&outside.slack, CHANNEL, typed).await;
    assert_eq!(process.wait().await.code(), None, "{point}: {}", process.log());
    program.sql(&format!("UPDATE command SET accepted_at = accepted_at - {AWAY_MS}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_of_it_from_a_bot_that_was_away_for_hours() {
    for (point, end) in ENDS {
        let outside = Outside::start().await;
        if point.starts_with("tell") {
            let _ = outside.fivetran.seed_connection("google_ads", "acme", "connected");
        }
        let program = Program::against(&outside).with("LEASE_SECONDS", "600");
        dies_for_hours(&program, &outside, point, "google_ads acme").await;
        assert!(told(&outside).is_none() && link(&outside).is_none(), "{point}");
        let process = program.start().await;
        until("the end", async || process.log().contains("command ended").then_some(())).await;
        match end {
            End::Link => assert_eq!(told(&outside).map(|told| told.rendered()), None, "{point}"),
            End::Sentence(words) => {
                let sentence = told(&outside).unwrap().rendered();
                assert!(sentence.contains(words), "{point}: {sentence}");
                assert!(link(&outside).is_none(), "{point}");
            }
        }
        // What they are told to do helps.
        if end == End::Sentence(OUT_OF_TIME) {
            process.send(&outside.slack, "google_ads acme").await;
        }
        if !point.starts_with("tell") {
            let link = until(&format!("the link: {point}"), async || link(&outside)).await;
            assert!(link.rendered().contains("Connect Google Ads"), "{point}: {}", link.rendered());
        }
        process.stop().await;
        assert_eq!(outside.fivetran.connections().len(), 1, "{point}");
        outside.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_whoever_asked_for_several() {
    for (point, words, commands) in [
        ("accept: committed", &["so none of the 2 sources was set up"][..], 1),
        (
            "onboard: expanded",
            &["there's no link for Google Ads yet", "there's no link for HubSpot yet"][..],
            3,
        ),
    ] {
        let (_folder, path) = crate::onboarding::config();
        let outside = Outside::start().await;
        let program = Program::against(&outside).with("LEASE_SECONDS", "600").with("CONFIG", &path);
        dies_for_hours(&program, &outside, point, "google_ads, hubspot").await;
        let process = program.start().await;
        let ended = || process.log().matches("command ended").count();
        until("the end of all", async || (ended() == commands).then_some(())).await;
        let report = told(&outside).unwrap().rendered();
        for words in words {
            assert!(report.contains(words), "{point}: {report}");
        }
        assert!(!process.log().contains(r#""result":"undeliverable""#), "{}", process.log());
        process.stop().await;
        assert_eq!(outside.fivetran.connections().len(), 0, "{point}: so late nothing is made");
        outside.shutdown();
    }
}

/// As after a version that was put back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_command_nobody_can_read_is_told_too() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("LEASE_SECONDS", "600");
    dies_for_hours(&program, &outside, "create: answered", "google_ads acme").await;
    program.sql("UPDATE command SET request = '{\"verb\":\"of a later version\"}'").await;
    let process = program.start().await;
    let sentence = until("a sentence", async || told(&outside)).await.rendered();
    assert!(sentence.contains("this one can't read it. Try it again."), "{sentence}");
    until("the end", async || process.log().contains("command ended").then_some(())).await;
    assert!(process.log().contains(r#""result":"told""#), "{}", process.log());
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || link(&outside)).await;
    process.stop().await;
    assert_eq!(outside.fivetran.connections().len(), 1);
    outside.shutdown();
}

/// By then a response_url is dead, and there is no other way: whoever runs the bot has to tell them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_they_are_left_to_whoever_runs_the_bot() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("LEASE_SECONDS", "600").with("SLACK_BOT_TOKEN", "");
    dies_for_hours(&program, &outside, "create: before the call", "google_ads acme").await;
    let process = program.start().await;
    until("the end", async || process.log().contains("command ended").then_some(())).await;
    assert!(process.log().contains(r#""result":"undeliverable""#), "{}", process.log());
    assert!(told(&outside).is_none());
    process.stop().await;
    let checked = program.run(&["check"]).await;
    assert!(checked.stdout.contains("undeliverable: "), "{}", checked.stdout);
    outside.shutdown();
}
