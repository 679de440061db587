//! A press reaches what it is about, and its answer the person, also where the usual way is no way.

use connect_card::reply::ask::{CANCEL, POST_HERE, TYPE};
use serde_json::{Value, json};
use stand_ins::fault::{Fault, Faults};
use stand_ins::slack::{Message, Visibility};

use crate::harness::{CHANNEL, COLLEAGUE, PRIVATE, SHARED, Setup, TestBot, USER, link_of, until};

/// A direct message.
const DIRECT: &str = "D0PAIR";
/// A direct message of several people.
const TRIO: &str = "G0TRIO";
const NOT_YOURS: &str = "This button isn't for you";

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap_or_default()
}

/// The same message where it stands if it could be told in no other way.
fn told_directly(message: Message) -> Message {
    Message { channel: DIRECT.to_owned(), ..message }
}

/// The channels in which links stand.
fn with_links(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter(|it| link_of(it).is_some()).map(|it| it.channel.as_str()).collect()
}

#[tokio::test]
async fn a_question_in_a_direct_message_is_answered_for_the_channel_that_it_is_about() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.types_as(USER, SHARED, "google_ads acme").await;
    let question = told_directly(bot.private_message());
    let answer = bot.presses(COLLEAGUE, &question, POST_HERE).await;
    assert!(text(&answer).contains(NOT_YOURS), "{answer}");
    let answer = bot.presses(USER, &question, POST_HERE).await;
    assert!(text(&answer).contains("OK, I'm on it") && answer.to_string().contains(SHARED), "{answer}");
    assert_eq!(bot.link_message().channel, SHARED);
    let cancel = bot.types_as(USER, SHARED, "cancel acme").await;
    let cancel = told_directly(bot.private_in(SHARED, &cancel));
    let answer = bot.presses(COLLEAGUE, &cancel, CANCEL).await;
    assert!(text(&answer).contains(NOT_YOURS), "{answer}");
    let answer = bot.presses(USER, &cancel, CANCEL).await;
    assert!(text(&answer).contains("Cancelling"), "{answer}");
    assert!(!with_links(&bot.finish().await).contains(&DIRECT));
}

#[tokio::test]
async fn in_a_direct_message_the_rules_of_the_channel_count_that_it_is_about() {
    for (allowed, links) in [(CHANNEL, &[CHANNEL][..]), (DIRECT, &[])] {
        // Where it was typed it was allowed.
        let open = TestBot::start().await;
        let question = told_directly(open.private(&open.types("customer google_ads").await));
        open.finish().await;
        let bot = Setup::new().await.with("ALLOWED_CHANNELS", allowed).start().await;
        let answer = bot.presses(USER, &question, TYPE[0]).await;
        assert_eq!(text(&answer).contains("isn't allowed"), links.is_empty(), "{answer}");
        assert_eq!(with_links(&bot.finish().await), links);
    }
}

#[tokio::test]
async fn a_line_typed_by_a_button_knows_a_direct_message_of_several_people() {
    let bot = TestBot::start().await;
    let question = bot.types_as(USER, TRIO, "customer google_ads").await;
    bot.presses(USER, &bot.private_in(TRIO, &question), TYPE[0]).await;
    let hint = bot.private_message().rendered();
    assert!(hint.contains("direct message") && !hint.contains("/invite"), "{hint}");
    bot.finish().await;
}

#[tokio::test]
async fn an_answer_finds_another_way_where_the_response_url_is_none() {
    for (channel, expected) in [(CHANNEL, Visibility::Ephemeral), (PRIVATE, Visibility::Channel)] {
        for fault in [
            Fault::Status(500),
            Fault::Throttled { retry_after: Some("2".to_owned()) },
            Fault::NotJson,
            Fault::Says(410, json!({ "ok": false, "error": "expired_url" })),
            Fault::Page(403, "<html>"),
        ] {
            let bot = TestBot::start().await;
            let ack = bot.types_as(USER, channel, "customer google_ads").await;
            let question = bot.private_in(channel, &ack);
            bot.slack.faults(|faults| faults.fail_always("response_url", fault.clone()));
            bot.slack.press(&bot.url, &question, TYPE[0], COLLEAGUE).await.unwrap();
            let told = until("the answer", async || {
                let by_the_token = |it: &Message| {
                    it.rendered().contains(NOT_YOURS) && it.via != stand_ins::slack::Via::ResponseUrl
                };
                bot.slack.messages().into_iter().find(by_the_token)
            })
            .await;
            // Where the bot is no member, it writes to the person.
            assert_eq!(told.visibility, expected, "{fault:?}");
            if channel == PRIVATE {
                assert_eq!(told.channel, "D0BOB", "{fault:?}");
            }
            bot.slack.faults(Faults::heal);
            bot.stop().await;
        }
    }
}
