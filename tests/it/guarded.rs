//! The checks that stand before an effect: without any one of them, a test here fails.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE};
use connect_card::reply::live::RENEW;
use serde_json::{Value, json};
use stand_ins::slack::{Message, Visibility};

use crate::harness::{CHANNEL, COLLEAGUE, SHARED, Setup, TestBot, USER, link_of};
use crate::verbs::with_links;

const GROUP: &str = "S0SETUP";
const DAY: Duration = Duration::from_secs(25 * 60 * 60);

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap_or_default()
}

/// A bot whose user group the usual person leaves, after `first` and long enough for Slack to be
/// asked again.
async fn bot_of_a_group() -> TestBot {
    Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP).start().await
}

fn leaves_the_group(bot: &TestBot) {
    bot.slack.set_user_group(GROUP, &[]);
    bot.advance(Duration::from_secs(600));
}

#[tokio::test]
async fn a_press_by_somebody_who_may_not_any_more_has_no_effect() {
    let bot = bot_of_a_group().await;
    bot.types("google_ads acme").await;
    let question = bot.private(&bot.types("cancel acme").await);
    leaves_the_group(&bot);
    let answer = bot.presses(USER, &question, CANCEL).await;
    assert!(text(&answer).contains("not on the list"), "{answer}");
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_form_of_somebody_who_may_not_any_more_has_no_effect() {
    let bot = bot_of_a_group().await;
    let view = bot.opens_form().await;
    leaves_the_group(&bot);
    let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
    assert!(answer.to_string().contains("not on the list"), "{answer}");
    assert!(bot.fivetran.connections().is_empty());
    assert!(bot.finish().await.is_empty());
}

/// A question whether a link that was asked for in another channel may be posted here.
async fn asked(bot: &TestBot) -> Message {
    bot.types_as(USER, SHARED, "google_ads acme").await;
    bot.types("google_ads acme").await;
    let question = bot.private_message();
    assert!(question.rendered().contains("another channel"), "{}", question.rendered());
    question
}

/// The channels in which a link was posted.
fn posted(bot: &TestBot) -> Vec<String> {
    let with_link = bot.slack.messages().into_iter().filter(|message| link_of(message).is_some());
    with_link.map(|message| message.channel).collect()
}

#[tokio::test]
async fn only_who_was_asked_may_answer_where_they_were_asked() {
    let bot = TestBot::start().await;
    let question = asked(&bot).await;
    let elsewhere = Message { channel: SHARED.to_owned(), ..question.clone() };
    for (user, message) in [(COLLEAGUE, &question), (USER, &elsewhere)] {
        let answer = bot.presses(user, message, POST_HERE).await;
        assert!(text(&answer).contains("isn't for you"), "{user}: {answer}");
    }
    assert_eq!(posted(&bot), [SHARED]);
    bot.presses(USER, &question, POST_HERE).await;
    assert!(posted(&bot).contains(&CHANNEL.to_owned()));
    bot.finish().await;
}

#[tokio::test]
async fn a_question_is_answered_in_its_time_or_not_at_all() {
    let bot = TestBot::start().await;
    let question = asked(&bot).await;
    bot.advance(DAY);
    let answer = bot.presses(USER, &question, POST_HERE).await;
    assert!(text(&answer).contains("expired"), "{answer}");
    assert!(!posted(&bot).contains(&CHANNEL.to_owned()));
    bot.stop().await;
}

#[tokio::test]
async fn a_renewal_comes_from_the_message_that_it_is_about() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.types("google_ads other").await;
    bot.passes(DAY).await;
    let [one, other] = &bot.slack.messages()[..2] else { panic!("two links") };
    // The right value, in the message of another link, and in another channel.
    for message in [
        Message { ts: other.ts.clone(), id: other.id, ..one.clone() },
        Message { channel: SHARED.to_owned(), ..one.clone() },
    ] {
        let answer = bot.presses(USER, &message, RENEW).await;
        assert!(text(&answer).contains("ask whoever posted the link"), "{answer}");
    }
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_link_for_its_requester_is_for_nobody_else() {
    for token in [true, false] {
        let setup = Setup::new().await.with("LINK_VISIBILITY", "requester");
        let bot = if token { setup } else { setup.without_token() }.start().await;
        bot.types("google_ads acme").await;
        let messages = bot.finish().await;
        let [message] = &messages[..] else { panic!("{messages:#?}") };
        assert_eq!((message.visibility, message.user.as_deref()), (Visibility::Ephemeral, Some(USER)));
        assert!(link_of(message).is_some(), "{}", message.rendered());
    }
    let setup = Setup::new().await.with("LINK_VISIBILITY", "requester");
    let bot = setup.start().await;
    let view = bot.opens_form().await;
    let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    let messages = bot.finish().await;
    assert!(messages.iter().all(|it| it.visibility == Visibility::Ephemeral), "{messages:#?}");
}

/// Fivetran may say of a connection that has worked that its setup is not finished: a button from before
/// must not delete it then.
#[tokio::test]
async fn a_button_from_before_deletes_nothing_that_was_connected() {
    let bot = with_links(&["acme"]).await;
    let question = bot.private(&bot.types("cancel acme").await);
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(31)).await;
    bot.fivetran.set_setup_state(&bot.connection_of("acme"), "incomplete");
    bot.passes(Duration::from_secs(120)).await;
    let answer = bot.presses(USER, &question, CANCEL).await;
    assert!(answer.to_string().contains("has been connected, so I didn't cancel it"), "{answer}");
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.finish().await;
}
