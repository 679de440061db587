//! An Enterprise organisation of several workspaces, and people of other companies in a shared
//! channel: who is who, and which message is meant.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE};
use connect_card::reply::list::NEXT;
use connect_card::reply::live::RENEW;
use serde_json::{Value, json};
use stand_ins::chaos::Lasts::UntilHealed;
use stand_ins::fault::Fault;
use stand_ins::slack::{Ack, Message};

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, SHARED, Setup, TestBot, USER};

/// Somebody of another workspace of the organisation.
const SIBLING: &str = "W0SIBLING";
const DAY: Duration = Duration::from_secs(25 * 60 * 60);
/// How Slack tells somebody's workspace in an organisation.
const HOMES: [&str; 3] =
    ["slack-user-of-fixed-workspace", "slack-user-of-organisation", "slack-user-without-team"];

async fn bot(whole: bool) -> TestBot {
    let setup = Setup::new().await;
    if whole {
        setup.slack.install_in_organisation()
    } else {
        setup.slack.join_organisation()
    }
    setup.start().await
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap_or_default()
}

#[track_caller]
fn assert_accepted(ack: &Ack) {
    assert!(ack.text().contains("Making a link"), "{}", ack.text());
}

async fn question(bot: &TestBot, user: &str) -> Message {
    let ack = bot.types_as(user, CHANNEL, "cancel acme").await;
    Message { user: Some(user.to_owned()), ..bot.private(&ack) }
}

#[tokio::test]
async fn whoever_may_type_may_press_wherever_in_the_organisation_slack_says_they_are() {
    for whole in [false, true] {
        for home in HOMES {
            let bot = bot(whole).await;
            assert_accepted(&bot.types("google_ads acme").await);
            bot.slack.chaos(home, UntilHealed);
            let answer = bot.presses(USER, &question(&bot, USER).await, CANCEL).await;
            assert!(text(&answer).contains("Cancelling"), "{whole} {home}: {answer}");
            bot.finish().await;
        }
    }
}

#[tokio::test]
async fn the_organisation_is_one_workspace_for_commands_lists_and_links() {
    for whole in [false, true] {
        let bot = bot(whole).await;
        for n in 0..12 {
            let user = if n % 2 == 0 { SIBLING } else { USER };
            assert_accepted(&bot.types_as(user, CHANNEL, &format!("google_ads tenant_{n}")).await);
        }
        // Whoever asks, and wherever it was asked for: the same channel has the same links.
        for user in [SIBLING, USER] {
            let ack = bot.types_as(user, CHANNEL, "list").await;
            assert!(ack.text().contains("tenant_0"), "{whole} {user}: {}", ack.text());
            let first = Message { user: Some(user.to_owned()), ..bot.private(&ack) };
            let answer = bot.presses(user, &first, NEXT).await;
            assert!(answer.to_string().contains("tenant_"), "{whole} {user}: {answer}");
        }
        let status = bot.types_as(USER, CHANNEL, "status tenant_0").await;
        assert!(status.text().contains("Google Ads"), "{}", status.text());
        // Asked for again by somebody of the other workspace, it is no other channel's.
        let again = bot.types_as(USER, CHANNEL, "google_ads tenant_0").await;
        assert_accepted(&again);
        let told: Vec<_> = bot.slack.messages().iter().map(Message::rendered).collect();
        assert!(!told.iter().any(|it| it.contains("another channel")), "{told:#?}");
        bot.finish().await;
    }
}

/// What Slack leaves out of a press in an organisation.
const SPARSE: [&str; 2] = ["slack-without-organisation", "slack-team-of-another-workspace"];

#[tokio::test]
async fn a_press_that_does_not_tell_the_organisation_is_still_its_persons() {
    for whole in [false, true] {
        for sparse in SPARSE {
            let bot = bot(whole).await;
            assert_accepted(&bot.types("google_ads acme").await);
            bot.slack.chaos(sparse, UntilHealed);
            let answer = bot.presses(USER, &question(&bot, USER).await, CANCEL).await;
            assert!(text(&answer).contains("Cancelling"), "{whole} {sparse}: {answer}");
            bot.slack.usual_payloads();
            bot.types_as(USER, SHARED, "google_ads other").await;
            bot.passes(DAY).await;
            let expired = bot.link_message();
            bot.slack.chaos(sparse, UntilHealed);
            bot.presses(OUTSIDER, &expired, RENEW).await;
            assert_ne!(bot.link_message().payload, expired.payload, "{whole} {sparse}");
            bot.finish().await;
        }
    }
}

/// Everything that is asked about a link finds it where it was asked for.
async fn assert_found(bot: &TestBot, user: &str) {
    let list = bot.types_as(user, CHANNEL, "list").await;
    assert!(list.text().contains("acme"), "{user}: {}", list.text());
    for (typed, found) in
        [("status acme", "Google Ads"), ("renew acme", "new link"), ("google_ads acme", "Making a link")]
    {
        let ack = bot.types_as(user, CHANNEL, typed).await;
        assert!(ack.text().contains(found) && !ack.text().contains("no link"), "{user}: {}", ack.text());
    }
    let told: Vec<_> = bot.slack.messages().iter().map(Message::rendered).collect();
    assert!(!told.iter().any(|it| it.contains("another channel")), "{told:#?}");
}

#[tokio::test]
async fn a_channel_keeps_its_links_when_its_workspace_joins_an_organisation() {
    for whole in [false, true] {
        let bot = TestBot::start().await;
        assert_accepted(&bot.types("google_ads acme").await);
        if whole {
            bot.slack.install_in_organisation();
        } else {
            bot.slack.join_organisation();
        }
        bot.advance(Duration::from_secs(3600));
        for user in [USER, SIBLING] {
            assert_found(&bot, user).await;
        }
        bot.finish().await;
    }
}

#[tokio::test]
async fn without_a_token_an_organisation_is_one_by_what_each_request_tells() {
    let setup = Setup::new().await.without_token();
    setup.slack.join_organisation();
    let bot = setup.start().await;
    assert_accepted(&bot.types("google_ads acme").await);
    for user in [SIBLING, USER] {
        assert_found(&bot, user).await;
    }
    bot.finish().await;
}

#[tokio::test]
async fn a_form_comes_back_from_its_person_whatever_workspace_slack_tells() {
    for whole in [false, true] {
        for home in HOMES {
            let bot = bot(whole).await;
            let view = bot.opens_form().await;
            bot.slack.chaos(home, UntilHealed);
            bot.slack.chaos("slack-team-null", UntilHealed);
            let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
            assert_eq!(answer, json!({ "response_action": "clear" }), "{whole} {home}");
            bot.finish_with_link().await;
        }
    }
}

#[tokio::test]
async fn a_press_on_a_links_own_message_means_that_message() {
    for whole in [false, true] {
        for user in [SIBLING, OUTSIDER] {
            let bot = bot(whole).await;
            bot.types_as(USER, SHARED, "google_ads acme").await;
            bot.passes(DAY).await;
            let expired = bot.link_message();
            bot.presses(user, &expired, RENEW).await;
            assert_ne!(bot.link_message().payload, expired.payload, "{whole} {user}");
            bot.finish().await;
        }
    }
}

#[tokio::test]
async fn where_slack_does_not_tell_whose_somebody_is_nobody_is_let_in_and_the_reason_is_said() {
    let bot = bot(false).await;
    bot.types("google_ads acme").await;
    let asked = question(&bot, USER).await;
    bot.advance(Duration::from_secs(3600));
    bot.slack.faults(|faults| faults.fail_always("users.info", Fault::Status(500)));
    for home in ["slack-user-of-fixed-workspace", "slack-user-without-team"] {
        bot.slack.chaos(home, UntilHealed);
        let answer = bot.presses(COLLEAGUE, &asked, CANCEL).await;
        assert!(text(&answer).contains("couldn't find out whether you're one of them"), "{answer}");
        bot.slack.usual_payloads();
    }
    // An organisation's own id is enough.
    bot.slack.chaos("slack-user-of-organisation", UntilHealed);
    let answer = bot.presses(USER, &asked, CANCEL).await;
    assert!(text(&answer).contains("Cancelling"), "{answer}");
    bot.finish().await;
}

#[tokio::test]
async fn an_outsider_is_kept_out_whatever_slack_fails_to_tell() {
    // What fails; without any of it, the press alone tells that its person is from elsewhere.
    for failing in [&[][..], &["auth.test"], &["users.info"], &["auth.test", "users.info"]] {
        let bot = TestBot::start().await;
        bot.advance(Duration::from_secs(3600));
        bot.slack.faults(|faults| {
            failing.iter().for_each(|route| faults.fail_always(route, Fault::Status(500)));
        });
        assert_accepted(&bot.types_as(USER, SHARED, "google_ads acme").await);
        let ack = bot.types_as(USER, SHARED, "cancel acme").await;
        let answer = bot.presses(OUTSIDER, &bot.private_in(SHARED, &ack), CANCEL).await;
        assert!(text(&answer).contains("ask whoever posted the link"), "{failing:?}: {answer}");
        if !failing.contains(&"users.info") {
            let ack = bot.types_as(OUTSIDER, SHARED, "google_ads outside").await;
            assert!(ack.text().contains("own workspace"), "{failing:?}: {}", ack.text());
        }
        bot.finish().await;
    }
}

#[tokio::test]
async fn a_question_that_an_outsider_comes_to_see_is_not_theirs_to_answer() {
    let bot = TestBot::start().await;
    bot.types_as(USER, SHARED, "google_ads acme").await;
    bot.passes(DAY).await;
    let expired = bot.link_message();
    // Meanwhile the link has moved, so that a renewal here ends in a question.
    bot.types("google_ads acme").await;
    let question = bot.private_message();
    bot.presses(USER, &question, POST_HERE).await;
    let before = bot.fivetran.calls_to("connect_card");
    let answer = bot.presses(OUTSIDER, &question, POST_HERE).await;
    assert!(text(&answer).contains("ask whoever posted the link"), "{answer}");
    bot.presses(OUTSIDER, &expired, RENEW).await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), before);
    bot.finish().await;
}
