//! A connection stays with its customer: its link is on show in one channel at most, and what Slack
//! never confirmed counts as posted.

use std::time::Duration;

use connect_card::reply::ask::{POST_HERE, REAUTHORISE};
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
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot tells alice alone:
            The connection for Google Ads is ready, but I couldn't make sure that its link was posted. The
            link may already be in the channel; if it isn't, type the command again for a fresh one.
            Ref R1
        #shared-acme
        bob: /connect-card google_ads acme
          only bob sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells bob alone:
            Google Ads for acme was already requested in another channel, so I didn't post a link here: it
            could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R2
    "#]])
        .await;
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
    // Through the pauses after each unclear post, whenever the bot begins them.
    until("four posts", async || {
        bot.advance(Duration::from_secs(2));
        (bot.slack.calls_to("response_url") == 4).then_some(())
    })
    .await;
    bot.notes("Slack took four posts, and confirmed none");
    // The person is told meanwhile, or later: whoever asks elsewhere is asked in either case.
    bot.types_meanwhile(COLLEAGUE, SHARED, "google_ads acme").await;
    bot.passes(Duration::from_secs(700)).await;
    bot.types_as(COLLEAGUE, SHARED, "google_ads acme").await;
    let shown = channels_with_a_link(&bot.slack);
    assert_eq!(shown, [CHANNEL; 4], "all where they belong");
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        Slack took four posts, and confirmed none
        #shared-acme
        bob: /connect-card google_ads acme
          only bob sees:
              A request for the same connection (schema acme) is in progress in another channel. Please try
              again in a minute.
        … 11 min later …
        #customer-acme
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot tells alice alone:
            The connection for Google Ads is ready, but I couldn't make sure that its link was posted. The
            link may already be in the channel; if it isn't, type the command again for a fresh one.
            Ref R1
        #shared-acme
        bob: /connect-card google_ads acme
          only bob sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells bob alone:
            Google Ads for acme was already requested in another channel, so I didn't post a link here: it
            could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R2
    "#]])
        .await;
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
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        #shared-acme
        bob: /connect-card google_ads acme
          only bob sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells bob alone:
            Google Ads for acme was already requested in another channel, so I didn't post a link here: it
            could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R2
        #customer-acme
        alice: /connect-card renew acme
          only alice sees:
              Making a new link for Google Ads now. It will appear in its message above.
              [Open the message → that message]
              Ref R3
        Fivetran does not answer
        #shared-acme
        bob presses [Post a fresh link here]
          only bob sees instead:
              A request for the same connection (schema acme) is in progress in another channel. Please try
              again in a minute.
        Fivetran answers
        #customer-acme
        bot edits message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This is a fresh link; it replaces the earlier one.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
          in the thread of message 1:
              @alice asked for a new link; it's in the message above.
        #shared-acme
        bob: /connect-card google_ads acme
          only bob sees:
              Making a link for Google Ads now. It will appear here.
              Ref R4
        bot tells bob alone:
            Google Ads for acme was already requested in another channel, so I didn't post a link here: it
            could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R4
        bob presses [Post a fresh link here]
          only bob sees instead:
              Making a link for Google Ads now. It will appear here.
              Ref R5
        #customer-acme
        bot edits message 1:
            A newer link for *Google Ads* was requested, so this one is no longer in use.
            Requested by @alice · The data goes to `acme` · Ref R1
        #shared-acme
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This link replaces an earlier one that was never used to finish the setup.
            [Connect Google Ads → card 3]
            Requested by @bob · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R5
    "#]])
        .await;
}

/// Whoever asks in the other channel gets their link once the button here is gone, and not before.
async fn waits_for_the_edit(bot: TestBot, action: &str) {
    bot.slack.faults(|faults| faults.fail_always("chat.update", Fault::Status(503)));
    bot.types_meanwhile(COLLEAGUE, SHARED, "google_ads acme").await;
    let question = until("the question", async || {
        let mut messages = bot.slack.messages().into_iter();
        messages.find(|it| it.channel == SHARED && it.rendered().contains("Never mind"))
    })
    .await;
    bot.until_all_ended().await;
    bot.presses_meanwhile(COLLEAGUE, &question, action).await;
    let cards = bot.fivetran.calls_to("connect_card");
    let tries = bot.slack.calls_to("chat.update");
    let began = bot.clock.now();
    // It is tried again and again.
    until("three edits that fail", async || {
        bot.advance(Duration::from_secs(5));
        (bot.slack.calls_to("chat.update") >= tries + 3).then_some(())
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
    // A card is kept for a quarter of an hour, and then made anew.
    let quarters = usize::try_from(bot.clock.now().duration_since(began).as_mins() / 15).unwrap();
    let made = bot.fivetran.calls_to("connect_card") - cards;
    assert!(made <= 1 + quarters, "{made} cards in {quarters} quarters of an hour");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_message_cannot_be_edited_now_is_not_posted_elsewhere() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    waits_for_the_edit(bot, POST_HERE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_one_to_authorise_again_while_the_button_of_the_first_is_there() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.slack.faults(|faults| faults.fail_always("chat.update", Fault::Status(503)));
    bot.fivetran.finish_setup(&bot.connection_of("acme"));
    bot.advance(Duration::from_secs(31));
    until("the first edit to fail", async || (bot.slack.calls_to("chat.update") > 0).then_some(())).await;
    waits_for_the_edit(bot, REAUTHORISE).await;
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
    bot.ends(expect![[r#"
        #shared-acme
        bob: /connect-card google_ads unfinished
          only bob sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot tells bob alone:
            Google Ads for unfinished was already requested in another channel, so I didn't post a link
            here: it could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R1
        bob: /connect-card stripe finished
          only bob sees:
              Making a link for Stripe now. It will appear here.
              Ref R2
        bot tells bob alone:
            Stripe is already connected to finished, so I didn't post a link here: it would let whoever sees
            it sign in again. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a sign-in link here]
            [Never mind]
            Ref R2
    "#]])
        .await;
}
