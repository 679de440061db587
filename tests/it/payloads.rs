//! The shapes in the wild of what Slack sends: a field that nobody needs spoils nothing, and what
//! cannot be read gets a sentence.

use connect_card::reply::ask::{CANCEL, DISMISS};
use serde_json::{Value, json};
use stand_ins::chaos::Lasts::UntilHealed;
use stand_ins::slack::{Ack, Message};

use crate::harness::{CHANNEL, PRIVATE, TestBot, USER, until};

/// Shapes of fields that the bot does not need.
const HARMLESS: [&str; 6] = [
    "slack-values-list",
    "slack-values-null",
    "slack-values-text",
    "slack-state-list",
    "slack-state-null",
    "slack-unneeded-fields-differ",
];

async fn suggest(bot: &TestBot, view: &Value) -> usize {
    let id = view["id"].as_str();
    let ack = bot.slack.suggest(&bot.url, "service", "service", "google ads", USER, id).await.unwrap();
    ack.json()["options"].as_array().map_or(0, Vec::len)
}

/// The question whether a connection shall be deleted.
async fn question(bot: &TestBot) -> Message {
    bot.private(&bot.types("cancel acme").await)
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_field_that_nobody_needs_spoils_neither_choices_nor_presses() {
    let bot = TestBot::start().await;
    let view = bot.opens_form().await;
    bot.types("google_ads acme").await;
    for shape in HARMLESS {
        bot.slack.chaos(shape, UntilHealed);
        assert_ne!(suggest(&bot, &view).await, 0, "{shape}");
        let answer = bot.presses(USER, &question(&bot).await, DISMISS).await;
        assert!(text(&answer).starts_with("OK"), "{shape}: {answer}");
        bot.slack.usual_payloads();
    }
    bot.slack.chaos("slack-unneeded-fields-differ", UntilHealed);
    let answer = bot.submits(USER, &view, ["google_ads", "other", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    bot.finish().await;
}

#[tokio::test]
async fn a_form_that_brings_nothing_back_stays_open_and_says_so() {
    let bot = TestBot::start().await;
    let view = bot.opens_form().await;
    for shape in &HARMLESS[..5] {
        bot.slack.chaos(shape, UntilHealed);
        let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
        assert_eq!(answer["response_action"], "errors", "{shape}: {answer}");
        assert!(answer["errors"]["service"].as_str().unwrap().contains("Choose"), "{shape}: {answer}");
        bot.slack.usual_payloads();
    }
    assert!(bot.fivetran.connections().is_empty());
    // What cannot be read at all: the form does not just close.
    for shape in ["slack-without-view", "slack-without-user", "slack-without-type"] {
        bot.slack.chaos(shape, UntilHealed);
        let ack = submitted(&bot, &view).await;
        let answer = ack.json();
        if shape == "slack-without-view" {
            assert_eq!(answer["response_action"], "update", "{shape}: {answer}");
        }
        assert!(ack.text().contains("couldn't read"), "{shape}: {answer}");
        bot.slack.usual_payloads();
    }
    assert!(bot.finish().await.is_empty());
}

async fn submitted(bot: &TestBot, view: &Value) -> Ack {
    let values = crate::harness::values(["google_ads", "acme", ""]);
    bot.slack.submit_view(&bot.url, view["id"].as_str().unwrap(), values, USER).await.unwrap()
}

#[tokio::test]
async fn a_press_that_cannot_be_read_gets_a_sentence() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    for shape in ["slack-without-user", "slack-without-actions", "slack-without-type"] {
        let question = question(&bot).await;
        bot.slack.chaos(shape, UntilHealed);
        let answer = bot.presses(USER, &question, CANCEL).await;
        assert!(text(&answer).contains("couldn't read"), "{shape}: {answer}");
        bot.slack.usual_payloads();
    }
    // Without an address to answer at, there is still the bot's own way.
    let question = question(&bot).await;
    bot.slack.chaos("slack-without-response-url", UntilHealed);
    let before = bot.slack.calls_to("chat.postEphemeral");
    bot.slack.press(&bot.url, &question, CANCEL, USER).await.unwrap();
    until("a private message", async || (bot.slack.calls_to("chat.postEphemeral") > before).then_some(()))
        .await;
    assert!(bot.private_message().rendered().contains("couldn't read"));
    assert_eq!(bot.fivetran.connections().len(), 1, "nothing was deleted");
    bot.finish().await;
}

#[tokio::test]
async fn a_button_of_another_version_says_so() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let mut question = question(&bot).await;
    let json = question.payload.to_string().replace(CANCEL, "of_the_next_version");
    question.payload = serde_json::from_str(&json).unwrap();
    let answer = bot.presses(USER, &question, "of_the_next_version").await;
    assert!(text(&answer).contains("another version"), "{answer}");
    bot.finish().await;
}

#[tokio::test]
async fn in_a_direct_message_nobody_is_told_to_invite_the_bot() {
    let bot = TestBot::start().await;
    for channel in ["D0PAIR", "G0TRIO", PRIVATE] {
        bot.types_as(USER, channel, &format!("google_ads {}", channel.to_lowercase())).await;
        let hint = bot.private_message();
        assert_eq!(hint.channel, channel);
        let said = hint.rendered();
        assert_eq!(said.contains("/invite"), channel == PRIVATE, "{channel}: {said}");
        assert_eq!(said.contains("direct message"), channel != PRIVATE, "{channel}: {said}");
    }
    let bot_is_there = bot.types_as(USER, CHANNEL, "google_ads acme").await;
    assert!(!bot_is_there.text().contains("/invite"));
    bot.finish().await;
}
