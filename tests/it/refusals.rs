//! Whatever Slack refuses: what can help is done, what cannot is not tried for ever, and a link that
//! may be there is not posted once more.

use std::time::Duration;

use serde_json::json;
use stand_ins::chaos::Lasts;
use stand_ins::fault::{Fault, Faults};
use stand_ins::slack::{Message, Via, Visibility};

use crate::harness::{CHANNEL, COLLEAGUE, GUEST, Outside, Program, Setup, TestBot, link_of, until};

const COMMAND: &str = "google_ads acme";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn without_token() -> TestBot {
    Setup::new().await.without_token().start().await
}

fn links(messages: &[Message]) -> usize {
    messages.iter().filter(|message| link_of(message).is_some()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_of_a_response_url_is_not_repeated_whatever_its_body_says() {
    for name in ["slack-response-url-json", "slack-response-url-empty", "slack-response-url-cut"] {
        let bot = without_token().await;
        bot.slack.chaos(name, Lasts::UntilHealed);
        bot.send(COMMAND).await;
        bot.until_all_ended().await;
        assert_eq!(bot.slack.calls_to("response_url"), 1, "{name}");
        bot.finish_with_link().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_the_place_of_an_answer_is_told_and_the_link_is_not_repeated() {
    let bot = without_token().await;
    bot.slack.chaos("slack-response-url-page", Lasts::Calls(1));
    bot.send(COMMAND).await;
    let messages = bot.finish().await;
    assert_eq!(links(&messages), 1);
    let told: Vec<_> = messages.iter().filter(|it| it.visibility == Visibility::Ephemeral).collect();
    assert!(
        told.len() == 1 && told[0].rendered().contains("couldn't make sure that its link was posted"),
        "{:?}",
        told[0].rendered()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_was_answered_is_not_repeated_either() {
    let bot = TestBot::start().await;
    bot.slack.chaos("slack-post-without-a-place", Lasts::UntilHealed);
    bot.send(COMMAND).await;
    bot.finish_with_link().await;
    for name in ["slack-post-page", "slack-post-other-json"] {
        let bot = TestBot::start().await;
        bot.slack.chaos(name, Lasts::UntilHealed);
        bot.send(COMMAND).await;
        let messages = bot.finish().await;
        let told = messages.last().map(Message::rendered).unwrap_or_default();
        assert_eq!((links(&messages), messages.len()), (1, 2), "{name}");
        assert!(told.contains("couldn't make sure that its link was posted"), "{name}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_url_that_slack_does_not_know_yet_is_tried_once_more() {
    let bot = without_token().await;
    bot.slack.chaos("slack-response-url-not-yet", Lasts::Calls(1));
    bot.send(COMMAND).await;
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_response_url_is_not_tried_again() {
    for name in
        ["slack-response-url-used", "slack-response-url-expired-in-words", "slack-response-url-archived"]
    {
        let bot = without_token().await;
        bot.slack.chaos(name, Lasts::UntilHealed);
        bot.send(COMMAND).await;
        bot.until_all_ended().await;
        // Once for the link, and once for the sentence.
        assert_eq!(bot.slack.calls_to("response_url"), 2, "{name}");
        assert_eq!(bot.census().await.undeliverable, 1, "{name}");
        bot.stop().await;
    }
}

/// A bot whose only link has moved on, so that its message has to be edited.
async fn with_a_message_behind(arrange: impl FnOnce(&TestBot)) -> TestBot {
    let bot = TestBot::start().await;
    bot.types(COMMAND).await;
    arrange(&bot);
    bot.customer_finishes("acme");
    bot.passes(MINUTE).await;
    bot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_edited_any_more_is_left_alone() {
    let bot = with_a_message_behind(|bot| bot.slack.archive(CHANNEL)).await;
    assert_eq!(bot.slack.calls_to("chat.update"), 1);
    for _ in 0..4 {
        bot.passes(HOUR).await;
    }
    assert_eq!(bot.slack.calls_to("chat.update"), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_slack_refuses_for_now_comes_later() {
    for name in ["slack-update-migrating", "slack-token-revoked", "slack-proxy-page"] {
        let bot = with_a_message_behind(|bot| bot.slack.chaos(name, Lasts::UntilHealed)).await;
        let tried = bot.slack.calls_to("chat.update");
        assert!(tried > 0 && !bot.link_message().rendered().contains("is connected"), "{name}");
        bot.slack.faults(Faults::heal);
        bot.passes(HOUR).await;
        assert!(bot.link_message().rendered().contains("is connected"), "{name}");
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_whose_answer_is_a_page_is_made_again_until_slack_says_yes() {
    let bot = with_a_message_behind(|bot| bot.slack.chaos("slack-update-page", Lasts::UntilHealed)).await;
    let tried = bot.slack.calls_to("chat.update");
    bot.slack.faults(Faults::heal);
    bot.passes(10 * MINUTE).await;
    assert_eq!(bot.slack.calls_to("chat.update"), tried + 1);
    bot.passes(HOUR).await;
    assert_eq!(bot.slack.calls_to("chat.update"), tried + 1, "it says what it should");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_nobody_knows_is_asked_again_ever_more_rarely_and_not_for_ever() {
    let bot =
        with_a_message_behind(|bot| bot.slack.chaos("slack-update-unheard-of", Lasts::UntilHealed)).await;
    let calls = || bot.slack.calls_to("chat.update");
    bot.passes(HOUR).await;
    let first = calls();
    for _ in 0..8 {
        bot.passes(HOUR).await;
    }
    assert!(calls() - first <= 10, "{} calls in eight hours", calls() - first);
    for _ in 0..40 {
        bot.passes(HOUR).await;
    }
    let last = calls();
    assert!(last <= 40, "{last} calls in all");
    for _ in 0..4 {
        bot.passes(HOUR).await;
    }
    assert_eq!(calls(), last, "it is left as it is");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_web_api_refuses_goes_by_the_response_url() {
    for name in
        ["slack-read-only-channel", "slack-scope-missing", "slack-token-expired", "slack-workspace-moves"]
    {
        let bot = TestBot::start().await;
        bot.slack.chaos(name, Lasts::UntilHealed);
        bot.send(COMMAND).await;
        bot.message(1).await;
        bot.finish_with_link().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_holds_for_every_post_until_it_is_over() {
    let bot = TestBot::start().await;
    bot.slack.chaos("slack-pause", Lasts::Calls(1));
    bot.send("google_ads one").await;
    until("the pause", async || (bot.slack.calls_to("chat.postMessage") == 1).then_some(())).await;
    bot.send("google_ads two").await;
    bot.until_all_ended().await;
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 1, "both go by another way");
    bot.advance(Duration::from_secs(40));
    bot.send("google_ads three").await;
    bot.until_all_ended().await;
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 2);
    assert_eq!(bot.slack.calls_in_a_pause(), 0);
    assert_eq!(links(&bot.finish().await), 3);
}

fn throttled(seconds: u64) -> Fault {
    Fault::Throttled { retry_after: Some(seconds.to_string()) }
}

fn says(word: &str) -> Fault {
    Fault::Says(200, json!({ "ok": false, "error": word }))
}

/// A bot that takes a command over whose first post failed so, and how its own posts go.
async fn takes_over_after(first: Fault, arrange: impl FnOnce(&mut Faults)) -> TestBot {
    let bot = TestBot::start().await;
    bot.slack.faults(|faults| faults.fail_next("chat.postMessage", first, 1));
    bot.send(COMMAND).await;
    until("the first post", async || (bot.slack.calls_to("chat.postMessage") == 1).then_some(())).await;
    let outside = bot.outside();
    let folder = bot.stop().await;
    outside.slack.faults(arrange);
    let bot = Setup::beside(outside).after(folder).start().await;
    // However long it waits, and for whatever.
    until("the command's end", async || {
        bot.advance(Duration::from_secs(2));
        bot.census().await.oldest_open.is_none().then_some(())
    })
    .await;
    bot
}

/// As the first process has left it: not heard of, though it is there, or surely not there.
fn first_posts() -> [(Fault, bool); 2] {
    [(Fault::DropAfter, true), (throttled(4), false)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_of_an_earlier_process_gets_no_copy_that_cannot_be_edited_however_often_slack_fails() {
    for fault in [throttled(60), says("team_added_to_org")] {
        for (first, is_there) in first_posts() {
            let bot = takes_over_after(first, |faults| {
                faults.fail_next("chat.postMessage", fault.clone(), 3);
            });
            let messages = bot.await.finish().await;
            let ways: Vec<_> = messages.iter().map(|message| message.via).collect();
            let expected = if is_there { vec![Via::PostMessage; 2] } else { vec![Via::ResponseUrl] };
            assert_eq!(ways, expected, "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_after_a_failure_and_a_refusal_that_there_is_no_link_of_an_earlier_process() {
    for failure in [throttled(60), says("team_added_to_org")] {
        for (first, is_there) in first_posts() {
            let bot = takes_over_after(first, |faults| {
                faults.fail_next("chat.postMessage", failure.clone(), 1);
                faults.fail_always("chat.postMessage", says("is_archived"));
                faults.fail_always("response_url", says("is_archived"));
            });
            let messages = bot.await.finish().await;
            assert_eq!(links(&messages), usize::from(is_there), "{failure:?}");
            let told = messages.last().unwrap().rendered();
            assert_eq!(
                told.contains("couldn't make sure that its link was posted"),
                is_there,
                "{failure:?}: {told}"
            );
            assert_eq!(told.contains("is_archived"), !is_there, "{failure:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_token_that_slack_takes_back_is_an_error_in_the_log_once() {
    let outside = Outside::start().await;
    let running = Program::against(&outside).start().await;
    running.send(&outside.slack, "status acme").await;
    let revoked = Fault::Says(200, json!({ "ok": false, "error": "token_revoked" }));
    outside.slack.faults(|faults| faults.fail_always("users.info", revoked.clone()));
    for user in [COLLEAGUE, GUEST] {
        outside.slack.command(&running.url(), "/connect-card status acme", CHANNEL, user).await.unwrap();
    }
    let log = running.stop().await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("token_revoked")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("ERROR") && lines[0].contains("Slack refuses"), "{log}");
}
