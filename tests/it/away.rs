//! A bot that was away for hours: everybody whose command was open when it went hears of it when it is back.

use connect_card::crash::POINTS;
use stand_ins::slack::{Message, Visibility};

use crate::harness::{CHANNEL, Outside, Program, until};

/// What is open when its process dies here has no link, and its person is told this.
const TOLD: [(&str, &str); 5] = [
    ("accept: committed", INTERRUPTED),
    ("create: before the call", INTERRUPTED),
    ("create: answered", INTERRUPTED),
    // Nobody knows any more whether it was posted.
    ("post: before the call", "The link may already be in the channel"),
    ("tell: before the call", "is already connected"),
];
const INTERRUPTED: &str = "I was interrupted and couldn't finish this in time";
/// Longer than anything is tried at Slack.
const AWAY_MS: i64 = 3 * 60 * 60 * 1000;

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
async fn whoever_waits_is_told_by_a_bot_that_was_away_for_hours() {
    for (point, words) in TOLD {
        let outside = Outside::start().await;
        if point.starts_with("tell") {
            let _ = outside.fivetran.seed_connection("google_ads", "acme", "connected");
        }
        let program = Program::against(&outside).with("LEASE_SECONDS", "600");
        dies_for_hours(&program, &outside, point, "google_ads acme").await;
        assert!(told(&outside).is_none(), "{point}");
        let process = program.start().await;
        let sentence = until(&format!("a sentence: {point}"), async || told(&outside)).await.rendered();
        assert!(sentence.contains(words), "{point}: {sentence}");
        until("the end", async || process.log().contains("command ended").then_some(())).await;
        assert!(process.log().contains(r#""result":"told""#), "{point}: {}", process.log());
        // What they are told to do helps.
        if !point.starts_with("tell") {
            process.send(&outside.slack, "google_ads acme").await;
            let in_channel = |it: &Message| it.visibility == Visibility::Channel;
            let link = async || outside.slack.messages().into_iter().find(in_channel);
            let link = until(&format!("the link: {point}"), link).await;
            assert!(link.rendered().contains("Connect Google Ads"), "{point}: {}", link.rendered());
        }
        process.stop().await;
        assert_eq!(outside.fivetran.connections().len(), 1, "{point}");
        outside.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_whoever_asked_for_several() {
    let (_folder, path) = crate::onboarding::config();
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("LEASE_SECONDS", "600").with("CONFIG", &path);
    dies_for_hours(&program, &outside, "onboard: expanded", "google_ads, hubspot").await;
    let process = program.start().await;
    let report = until("the report", async || told(&outside)).await.rendered();
    for words in ["Google Ads", "HubSpot"] {
        assert!(report.contains(words), "{report}");
    }
    let all_ended = || process.log().matches("command ended").count() == 3;
    until("the end of all three", async || all_ended().then_some(())).await;
    assert!(!process.log().contains(r#""result":"undeliverable""#), "{}", process.log());
    process.stop().await;
    outside.shutdown();
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
    assert!(sentence.contains("this one can't read it. Try it again"), "{sentence}");
    until("the end", async || process.log().contains("command ended").then_some(())).await;
    assert!(process.log().contains(r#""result":"told""#), "{}", process.log());
    process.send(&outside.slack, "google_ads acme").await;
    let in_channel = |it: &Message| it.visibility == Visibility::Channel;
    until("the link", async || outside.slack.messages().into_iter().find(in_channel)).await;
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
