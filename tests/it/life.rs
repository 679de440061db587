//! The whole life of a link: one message that is true at every moment, and a thread that tells the
//! story, by a clock that the test moves.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE, REAUTHORISE};
use connect_card::reply::live::RENEW;
use expect_test::expect;
use stand_ins::fault::Fault;

use crate::harness::{COLLEAGUE, OUTSIDER, PRIVATE, SHARED, Setup, TestBot, Trick, USER, Wire, link_of};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_the_life_of_a_link_is_one_true_message_and_its_thread() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "/connect-card HTTP").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.types("adwords customer_schema").await;
    let first = link_of(&bot.link_message()).unwrap();
    bot.lands(&first).await;
    bot.passes(DAY).await;
    bot.lands(&first).await;

    // Two ask at once: one of them gets the new link, and so does everybody.
    wire.arm(Trick::Hold);
    let expired = bot.link_message();
    bot.presses_meanwhile(COLLEAGUE, &expired, RENEW).await;
    bot.presses_meanwhile(OUTSIDER, &expired, RENEW).await;
    wire.release();
    bot.settle().await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1, "one new link for two presses");

    bot.customer_finishes("customer_schema");
    bot.lands(&link_of(&bot.link_message()).unwrap()).await;

    bot.connection_breaks("customer_schema", "Reconnect");
    bot.passes(Duration::from_secs(3601)).await;
    // A link to fix it, which stays although the connection is as broken as before.
    bot.presses(COLLEAGUE, &bot.link_message(), RENEW).await;
    bot.passes(Duration::from_secs(30)).await;
    bot.customer_finishes("customer_schema");
    bot.passes(Duration::from_secs(61)).await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card adwords customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here. (adwords is now called google_ads, so I
              used that.)
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
        the customer comes back, and sees:
            Checking Google Ads
            This takes a moment, and the page updates by itself. If you've finished signing in, you can also
            close it.
        … 24 h later …
        bot edits message 1:
            :hourglass: The link for *Google Ads* expired T+24h. If the setup isn't finished yet, get a new
            link.
            [Get a new link]
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              The link for Google Ads has expired. If the setup isn't finished yet, use the button above to
              get a new one.
        the customer comes back, and sees:
            Checking Google Ads
            This takes a moment, and the page updates by itself. If you've finished signing in, you can also
            close it.
        bob presses [Get a new link] of message 1
        outsider presses [Get a new link] of message 1
          only outsider sees:
              Already on it: I'm making a new link for Google Ads.
        bot edits message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This is a fresh link; it replaces the earlier one.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `customer_schema` · Works until T+48h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
          in the thread of message 1:
              @bob asked for a new link; it's in the message above.
        the customer finishes the setup
        the customer comes back, and sees:
            Google Ads is connected
            Your sign-in is complete, and there's nothing more to do. You can close this window and go back
            to where you found the link.
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T+24h).
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
        the connection breaks; Fivetran says: reconnect / Reconnect / Reconnect
        … 1 h later …
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. To fix it, get a link
            and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              Google Ads needs to be connected again: its access has stopped working. (Requested by @alice.)
        bob presses [Get a link to fix it] of message 1
        bot edits message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This is a fresh link; it replaces the earlier one.
            [Connect Google Ads → card 3]
            Requested by @alice · The data goes to `customer_schema` · Works until T+49h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
          in the thread of message 1:
              @bob asked for a new link; it's in the message above.
        … 30 s later …
        the customer finishes the setup
        … 1 min later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T+25h).
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_link_crosses_customers_by_a_typo() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    // The same schema in another customer's channel.
    bot.types_as(USER, SHARED, "google_ads acme").await;
    // It is one person's question.
    let question = bot.private_message();
    for user in [COLLEAGUE, OUTSIDER, USER] {
        bot.presses(user, &question, POST_HERE).await;
    }
    assert_eq!(bot.created(), 1);
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
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells alice alone:
            Google Ads for acme was already requested in another channel, so I didn't post a link here: it
            could reach the wrong customer. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a fresh link here]
            [Never mind]
            Ref R2
        bob presses [Post a fresh link here]
          only bob sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        outsider presses [Post a fresh link here]
          only outsider sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, ask
              whoever posted the link for a new one.
        alice presses [Post a fresh link here]
          only alice sees instead:
              Making a link for Google Ads now. It will appear here.
              Ref R3
        #customer-acme
        bot edits message 1:
            A newer link for *Google Ads* was requested, so this one is no longer in use.
            Requested by @alice · The data goes to `acme` · Ref R1
        #shared-acme
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This link replaces an earlier one that was never used to finish the setup.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R3
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_one_is_authorised_again_only_when_its_person_says_so() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("google_ads", "acme", "connected");
    bot.types("google_ads acme").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    assert_eq!(bot.created(), 0);
    // That it is connected is no news; that its customer has come back is.
    bot.passes(Duration::from_secs(30)).await;
    bot.lands(&link_of(&bot.link_message()).unwrap()).await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot tells alice alone:
            Google Ads is already connected to acme, so I didn't post a link here: it would let whoever sees
            it sign in again. If you meant another customer, choose another schema.
            [Post a sign-in link here]
            [Never mind]
            Ref R1
        alice presses [Post a sign-in link here]
          only alice sees instead:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            Google Ads was connected before. Signing in again replaces the earlier sign-in.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R2
        … 30 s later …
        the customer comes back, and sees:
            Google Ads is connected
            Your sign-in is complete, and there's nothing more to do. You can close this window and go back
            to where you found the link.
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R2
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_connection_is_cancelled_and_a_connected_one_is_not() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    // The question is the acknowledgement itself; pressing its button is a press like any other.
    let question = bot.private(&bot.types("cancel acme").await);
    bot.presses(USER, &question, CANCEL).await;
    assert!(bot.fivetran.connections().is_empty());
    bot.types("renew acme").await;

    bot.types("stripe other").await;
    bot.customer_finishes("other");
    let question = bot.private(&bot.types("cancel other").await);
    bot.presses(USER, &question, CANCEL).await;
    assert_eq!(bot.fivetran.connections().len(), 1);
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
        alice: /connect-card cancel acme
          only alice sees:
              Cancel the connection for Google Ads into acme? It's removed from Fivetran, and its link stops
              working. Data already in the destination stays there.
              [Cancel the connection]
              [Never mind]
        alice presses [Cancel the connection]
          only alice sees instead:
              Cancelling the connection for Google Ads now. I'll tell you when it's done.
              Ref R2
        bot tells alice alone:
            The connection for Google Ads into acme is cancelled, and its link no longer works. Data already
            in the destination stays there.
            Ref R2
        bot edits message 1:
            The request to connect *Google Ads* was cancelled, so its link no longer works.
            Requested by @alice · The data goes to `acme` · Ref R1
        alice: /connect-card renew acme
          only alice sees:
              Google Ads was cancelled or removed, so it can't have a new link. If it's still needed, whoever
              requested it can type the command again.
        alice: /connect-card stripe other
          only alice sees:
              Making a link for Stripe now. It will appear here.
              Ref R3
        bot posts:
            Please connect *Stripe*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Stripe → card 2]
            Requested by @alice · The data goes to `other` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R3
        the customer finishes the setup
        alice: /connect-card cancel other
          only alice sees:
              Cancel the connection for Stripe into other? It's removed from Fivetran, and its link stops
              working. Data already in the destination stays there.
              [Cancel the connection]
              [Never mind]
        alice presses [Cancel the connection]
          only alice sees instead:
              Cancelling the connection for Stripe now. I'll tell you when it's done.
              Ref R4
        bot tells alice alone:
            Stripe is connected to other now, so I didn't cancel it. A connection in use can only be deleted
            in Fivetran.
            Ref R4
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_or_misplaced_press_has_no_effect() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.passes(DAY).await;
    let expired = bot.link_message();
    let mut forged = expired.clone();
    let json = forged.payload.to_string();
    let reference = json.split_once(r#""value":""#).unwrap().1.split_once('"').unwrap().0.to_owned();
    for value in ["", "0123456789", "x' OR 1=1 --", &"9".repeat(2000)] {
        forged.payload = serde_json::from_str(&json.replace(&reference, value)).unwrap();
        let answer = bot.presses(USER, &forged, RENEW).await;
        assert!(
            answer["text"].as_str().unwrap().contains("ask whoever posted the link"),
            "{value}: {answer}"
        );
    }
    // The right value from another message, or another channel.
    let mut elsewhere = expired.clone();
    elsewhere.channel = SHARED.to_owned();
    let mut other = expired.clone();
    other.ts = "1.000001".to_owned();
    for misplaced in [elsewhere, other] {
        let answer = bot.presses(USER, &misplaced, RENEW).await;
        assert!(answer["text"].as_str().unwrap().contains("ask whoever posted the link"), "{answer}");
    }
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    assert_eq!(bot.link_message().payload, expired.payload);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_could_not_be_edited_is_edited_later() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.slack.faults(|faults| faults.fail_next("chat.update", Fault::Status(503), 1));
    bot.passes(Duration::from_secs(21)).await;
    assert_eq!(bot.slack.calls_to("chat.update"), 1);
    bot.notes("Slack refuses an edit");
    bot.passes(Duration::from_secs(61)).await;
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
        the customer finishes the setup
        … 21 s later …
        Slack refuses an edit
        … 1 min later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_bot_is_no_member_the_hint_to_invite_it_comes_once_and_privately() {
    let bot = TestBot::start().await;
    for schema in ["acme", "other"] {
        bot.types_as(USER, PRIVATE, &format!("google_ads {schema}")).await;
    }
    bot.ends(expect![[r#"
        #leadership
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
            The link is posted, but I'm not in this channel, so the message won't update when your customer
            finishes. /invite me, and future ones will.
        alice: /connect-card google_ads other
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `other` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R2
    "#]])
        .await;
}
