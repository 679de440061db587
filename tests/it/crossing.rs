//! A connection stays with its customer: its link is on show in one channel at most, and what Slack
//! never confirmed counts as posted.

use std::time::Duration;

use connect_card::reply::ask::POST_HERE;
use expect_test::expect;
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::slack::Visibility;

use crate::harness::{
    CHANNEL, COLLEAGUE, SHARED, Setup, TestBot, Trick, USER, Wire, channels_with_a_link, most_links_on_show,
    until,
};

/// Longer than the Fivetran connection's row is kept by anybody.
const MONTH: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Slack's word that it will not take a message, on either way to a channel.
fn refusal() -> Fault {
    Fault::Says(200, json!({ "ok": false, "error": "is_archived" }))
}

/// The link is posted, Slack's answer to that is lost, and the channel takes nothing more.
fn lose_the_answer_and_archive(bot: &TestBot) {
    bot.slack.faults(|faults| {
        faults.fail_next("chat.postMessage", Fault::DropAfter, 1);
        faults.fail_next("chat.postMessage", refusal(), 1);
        faults.fail_next("response_url", refusal(), 1);
    });
}

/// That nobody but the person who typed there saw anything in the other channel.
fn assert_nothing_crossed(bot: &TestBot) {
    assert_eq!(channels_with_a_link(&bot.slack), [CHANNEL]);
    let mut in_shared = bot.slack.messages().into_iter().filter(|message| message.channel == SHARED);
    assert!(in_shared.all(|message| message.visibility == Visibility::Ephemeral));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_may_have_been_posted_is_asked_about_in_another_channel() {
    let bot = TestBot::start().await;
    lose_the_answer_and_archive(&bot);
    bot.types("google_ads acme").await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    assert_nothing_crossed(&bot);
    bot.ends(expect![[""]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_when_its_person_could_not_be_told_either() {
    let bot = TestBot::start().await;
    lose_the_answer_and_archive(&bot);
    bot.slack.faults(|faults| {
        faults.fail_next("response_url", refusal(), 1);
        faults.fail_next("chat.postEphemeral", refusal(), 1);
        faults.fail_next("chat.postMessage", refusal(), 1);
    });
    bot.types("google_ads acme").await;
    assert_eq!(bot.census().await.undeliverable, 1);
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    assert_nothing_crossed(&bot);
    assert!(bot.private_message().rendered().contains("was already requested in another channel"));
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_without_a_token_after_four_unclear_posts() {
    let bot = Setup::new().await.without_token().start().await;
    bot.slack.faults(|faults| faults.fail_next("response_url", Fault::DropAfter, 4));
    bot.types_meanwhile(USER, CHANNEL, "google_ads acme").await;
    // Each of the pauses after an unclear post, and what chance adds to it.
    for (posts, pause_s) in [(1, 5), (2, 60), (3, 500)] {
        until("a post", async || (bot.slack.calls_to("response_url") == posts).then_some(())).await;
        bot.advance(Duration::from_secs(pause_s));
    }
    until("the last post", async || (bot.slack.calls_to("response_url") == 4).then_some(())).await;
    bot.notes("Slack took four posts, and confirmed none");
    // The person is told meanwhile, or later: whoever asks elsewhere is asked in either case.
    bot.types_meanwhile(COLLEAGUE, SHARED, "google_ads acme").await;
    bot.passes(Duration::from_secs(700)).await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    let shown = channels_with_a_link(&bot.slack);
    assert_eq!(shown, [CHANNEL; 4], "all where they belong");
    bot.ends(expect![[""]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_hangs_at_fivetran_never_revives_a_link_that_has_moved() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "/connect-card HTTP").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.types("google_ads acme").await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    let question = bot.private_message();
    wire.arm(Trick::Hold);
    bot.types_meanwhile(USER, CHANNEL, "renew acme").await;
    until("the renewal to hang", async || (wire.played() == 1).then_some(())).await;
    bot.notes("Fivetran does not answer");
    bot.presses_meanwhile(COLLEAGUE, &question, POST_HERE).await;
    bot.notes("Fivetran answers");
    wire.release();
    bot.settle().await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    bot.presses(COLLEAGUE, &bot.private_message(), POST_HERE).await;
    assert_eq!(most_links_on_show(&bot.slack), 1);
    assert_eq!(channels_with_a_link(&bot.slack), [SHARED]);
    bot.ends(expect![[""]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_message_cannot_be_edited_now_is_not_posted_elsewhere() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    bot.slack.faults(|faults| faults.fail_always("chat.update", Fault::Status(503)));
    bot.presses_meanwhile(COLLEAGUE, &bot.private_message(), POST_HERE).await;
    // It is tried again and again.
    until("three edits that fail", async || {
        bot.advance(Duration::from_secs(5));
        (bot.slack.calls_to("chat.update") >= 3).then_some(())
    })
    .await;
    assert_eq!(channels_with_a_link(&bot.slack), [CHANNEL]);
    bot.slack.faults(stand_ins::fault::Faults::heal);
    until("the link in its new place", async || {
        bot.advance(Duration::from_secs(5));
        (channels_with_a_link(&bot.slack) == [SHARED]).then_some(())
    })
    .await;
    assert_eq!(most_links_on_show(&bot.slack), 1);
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1, "one card for all tries");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_a_connection_is_outlives_every_row_that_is_purged() {
    let bot = TestBot::start().await;
    bot.types("google_ads unfinished").await;
    bot.types("stripe finished").await;
    bot.customer_finishes("finished");
    bot.passes(MONTH).await;
    bot.passes(MONTH).await;
    // The housekeeping of many nights.
    while bot.store().purge(bot.clock.now()).await.unwrap() > 0 {}
    assert_eq!(bot.census().await.oldest_open, None);
    bot.begins_here();
    bot.types_as(COLLEAGUE, SHARED, "google_ads unfinished").await;
    bot.types_as(COLLEAGUE, SHARED, "stripe finished").await;
    assert_eq!(channels_with_a_link(&bot.slack), [""; 0], "the old one has expired");
    bot.ends(expect![[""]]).await;
}
