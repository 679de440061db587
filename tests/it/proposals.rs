//! A line that the bot proposes can be typed by a button, by the person to whom it was proposed, where
//! it was, and with nothing else coming of it than if they had typed it.

use std::time::Duration;

use connect_card::reply::ask::TYPE;
use serde_json::json;

use crate::harness::{CHANNEL, COLLEAGUE, GUEST, SHARED, Setup, TestBot, USER, link_of, objects};

const NOT_YOURS: &str = "This button isn't for you";

/// What stands on the buttons of an answer.
fn labels(answer: &serde_json::Value) -> Vec<String> {
    let buttons = objects(answer).into_iter().filter(|object| object["type"] == json!("button"));
    buttons.map(|button| button["text"]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_does_what_the_line_would_do_and_only_once() {
    let bot = TestBot::start().await;
    let question = bot.private(&bot.types("customer google_ads").await);
    assert_eq!(labels(&question.payload), ["Use google_ads customer"]);
    let answer = bot.presses(USER, &question, TYPE[0]).await;
    assert_eq!(answer["replace_original"], true);
    assert!(answer.to_string().contains("Making a link for Google Ads now"), "{answer}");
    assert_eq!(bot.created(), 1);
    // A client that still shows the button: what took its place comes there once more.
    let again = bot.presses(USER, &question, TYPE[0]).await;
    assert_eq!(again["blocks"], answer["blocks"]);
    bot.advance(Duration::from_secs(61));
    let again = bot.presses(USER, &question, TYPE[0]).await;
    assert!(again.to_string().contains("An earlier request"), "{again}");
    assert_eq!(bot.created(), 1);
    let messages = bot.finish().await;
    assert_eq!(messages.iter().filter(|message| link_of(message).is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_proposed_after_the_work_has_its_button_too() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("hubspot", "acme", "incomplete");
    bot.types("google_ads acme").await;
    let refusal = bot.private_message();
    assert_eq!(labels(&refusal.payload), ["Use google_ads acme_2"]);
    let answer = bot.presses(COLLEAGUE, &refusal, TYPE[0]).await;
    assert!(answer.to_string().contains(NOT_YOURS), "{answer}");
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.presses(USER, &refusal, TYPE[0]).await;
    let created = bot.fivetran.connections();
    assert!(
        created.iter().any(|it| it["service"] == "google_ads" && it["schema"] == "acme_2"),
        "{created:?}"
    );
    let messages = bot.finish().await;
    assert_eq!(messages.iter().filter(|message| link_of(message).is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_service_that_may_be_meant_has_its_button() {
    let bot = TestBot::start().await;
    let ack = bot.types("googel_ads acme").await;
    let labels = labels(&ack.json());
    assert!(!labels.is_empty() && labels.len() <= 3 && labels[0] == "Use google_ads", "{labels:?}");
    bot.presses(USER, &bot.private(&ack), TYPE[0]).await;
    assert_eq!(bot.fivetran.connections()[0]["service"], "google_ads");
    let list = bot.private(&bot.types("status nothing_here").await);
    let answer = bot.presses(USER, &list, TYPE[0]).await;
    assert!(answer.to_string().contains("One link in this channel"), "{answer}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_is_for_one_person_in_one_channel_who_may_still() {
    let bot = Setup::new().await.with("ALLOWED_USERS", &format!("{USER},{COLLEAGUE}")).start().await;
    let question = bot.private(&bot.types("customer google_ads").await);
    let answer = bot.presses(COLLEAGUE, &question, TYPE[0]).await;
    assert!(answer.to_string().contains(NOT_YOURS), "{answer}");
    let mut elsewhere = question.clone();
    elsewhere.channel = SHARED.to_owned();
    let answer = bot.presses(USER, &elsewhere, TYPE[0]).await;
    assert!(answer.to_string().contains(NOT_YOURS), "{answer}");
    // Whoever rewrites the value is not let in by that.
    let rewritten = |value: String| {
        let mut message = question.clone();
        let text = message.payload.to_string();
        let ours = format!("{USER} {CHANNEL} /connect-card google_ads customer");
        assert!(text.contains(&ours), "{text}");
        message.payload = serde_json::from_str(&text.replace(&ours, &value)).unwrap();
        message
    };
    let theirs = rewritten(format!("{GUEST} {CHANNEL} /connect-card google_ads customer"));
    let answer = bot.presses(GUEST, &theirs, TYPE[0]).await;
    assert!(answer.to_string().contains("so I did nothing"), "{answer}");
    for value in ["nonsense", "U0ALICE C0CUSTOMER connect-card google_ads x"] {
        let answer = bot.presses(USER, &rewritten(value.to_owned()), TYPE[0]).await;
        assert!(answer.to_string().contains(NOT_YOURS), "{answer}");
    }
    let wrong = rewritten(format!("{USER} {CHANNEL} /connect-card google_ads 1 2 3"));
    let answer = bot.presses(USER, &wrong, TYPE[0]).await;
    assert!(answer.to_string().contains("can't contain spaces"), "it is read like typed text: {answer}");
    assert_eq!(bot.created(), 0);
    bot.finish().await;
}
