//! What the customer does, and what people are told of it at once: a return is followed by quick
//! looks, a link that nobody used is not called connected, and whoever sees a link can ask about it.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use connect_card::life::LANDING_WINDOW;
use connect_card::reply::ask::{CANCEL, REAUTHORISE};
use expect_test::expect;
use futures_util::future::join_all;
use ring::digest::{SHA256, digest};
use stand_ins::fault::Fault;

use crate::harness::{
    CHANNEL, Setup, TestBot, Trick, USER, Wire, channels_with_a_link, client, landing_of, link_of, until,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The customer's browser comes back, and nobody waits for what that brings about.
async fn land(bot: &TestBot, link: &str) -> String {
    get(bot, landing_of(link)).await
}

/// The page as it stands, by what follows `/connected/` in its address.
async fn get(bot: &TestBot, rest: &str) -> String {
    let page = client().get(format!("{}/connected/{rest}", bot.url)).send().await.unwrap();
    page.text().await.unwrap()
}

/// What stands between the only two tags of such a name.
fn within<'a>(page: &'a str, tag: &str) -> &'a str {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    assert_eq!((page.matches(&format!("<{tag}")).count(), page.matches(&close).count()), (1, 1), "{page}");
    page.split_once(&open).unwrap().1.split_once(&close).unwrap().0
}

#[tokio::test]
async fn the_page_may_use_the_style_and_the_script_that_it_carries_and_ask_the_bot() {
    let bot = TestBot::start().await;
    let page = client().get(format!("{}/connected/0123456789", bot.url)).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = page.text().await.unwrap();
    let hash = |tag| {
        let hash = digest(&SHA256, within(&page, tag).as_bytes());
        format!("'sha256-{}'", BASE64_STANDARD.encode(hash))
    };
    let expected = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style"),
    );
    assert_eq!(policy, expected);
    // What the policy would not let pass is not in the page.
    for not in [" style=", " onload=", " src=", "@import", "url("] {
        assert!(!page.contains(not), "{not}");
    }
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_to_its_script_and_to_a_browser_without_scripts_when_to_ask_again() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let link = link_of(&bot.link_message()).unwrap();
    let again = format!("{}?again", landing_of(&link));
    let asks = |page: &str, seconds: u32| {
        assert!(page.contains(&format!(r#"<main data-asks="{seconds}" data-next="?again">"#)), "{page}");
        let refresh =
            format!(r#"<noscript><meta http-equiv="refresh" content="{seconds}; url=?again"></noscript>"#);
        let refreshes = page.matches("http-equiv").count();
        assert_eq!((page.contains(&refresh), refreshes), (seconds > 0, usize::from(seconds > 0)), "{page}");
    };
    let page = land(&bot, &link).await;
    assert!(page.contains("<h1>Checking Google Ads</h1>"), "{page}");
    asks(&page, 2);
    // Were a page that asks by itself a visit, it would begin anew to check.
    for (later, seconds) in [(Duration::from_secs(31), 10), (Duration::from_secs(300), 30)] {
        bot.passes(later).await;
        let page = get(&bot, &again).await;
        assert!(page.contains("<h1>Google Ads isn't connected yet</h1>"), "{page}");
        asks(&page, seconds);
    }
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(60)).await;
    let page = get(&bot, &again).await;
    assert!(page.contains("<title>Google Ads is connected</title>"), "{page}");
    asks(&page, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fivetran_may_need_a_moment_after_two_landings_at_once() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.begins_here();
    // No list is to tell what the looks do not.
    bot.fivetran.faults(|faults| faults.fail_always("list_page", Fault::Status(503)));
    let link = link_of(&bot.link_message()).unwrap();
    bot.notes("the customer finishes, and Fivetran has not noticed yet");
    let (one, two) = tokio::join!(land(&bot, &link), land(&bot, &link));
    assert!(one.contains("Checking") && two.contains("Checking"), "{one} {two}");
    for _ in 0..3 {
        bot.passes(Duration::from_secs(3)).await;
        assert!(link_of(&bot.link_message()).is_some());
    }
    let looks = bot.fivetran.calls_to("get_connection");
    assert!((3..=8).contains(&looks), "{looks} looks: quick ones, and not one for each second");
    bot.customer_finishes("acme");
    bot.notes("Fivetran has noticed");
    bot.passes(Duration::from_secs(15)).await;
    bot.ends(expect![[r#"
        the customer finishes, and Fivetran has not noticed yet
        … 3 s later …
        … 3 s later …
        … 3 s later …
        the customer finishes the setup
        Fivetran has noticed
        … 15 s later …
        #customer-acme
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

/// Anybody who sees the link may load its page, as often as they like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visits_to_one_link_at_the_same_time_are_one() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let link = link_of(&bot.link_message()).unwrap();
    let version = || bot.count("SELECT version FROM connection");
    let (before, looks) = (version().await, bot.fivetran.calls_to("get_connection"));
    let slow = Fault::SlowAfter(Duration::from_secs(3));
    bot.fivetran.faults(|faults| faults.fail_next("get_connection", slow, 1));
    let visits = join_all((0..20).map(|_| land(&bot, &link)));
    assert!(visits.await.iter().all(|page| page.contains("Checking")));
    // A quick look or two have come due meanwhile.
    let (looks, commits) = (bot.fivetran.calls_to("get_connection") - looks, version().await - before);
    assert!((1..=4).contains(&looks), "{looks} looks");
    assert!((1..=8).contains(&commits), "{commits} commits");
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(15)).await;
    let page = land(&bot, &link).await;
    assert!(page.contains("<title>Google Ads is connected</title>"), "{page}");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_in_again_while_fivetran_is_silent_is_seen_by_the_next_list() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("google_ads", "acme", "connected");
    bot.types("google_ads acme").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    // The list says what it will say after their return, too.
    bot.passes(Duration::from_secs(31)).await;
    bot.fivetran.faults(|faults| {
        for route in ["get_connection", "list_page"] {
            faults.fail_always(route, Fault::Status(503));
        }
    });
    let page = land(&bot, &link_of(&bot.link_message()).unwrap()).await;
    assert!(page.contains("<h1>Checking Google Ads</h1>"), "{page}");
    bot.passes(LANDING_WINDOW.unsigned_abs()).await;
    assert!(link_of(&bot.link_message()).is_some());
    bot.fivetran.faults(|faults| faults.heal());
    bot.passes(Duration::from_secs(61)).await;
    let message = bot.slack.messages().into_iter().next_back().unwrap();
    assert!(message.rendered().contains("Google Ads is connected"), "{}", message.rendered());
    assert_eq!(channels_with_a_link(&bot.slack), [""; 0]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finishes_while_no_bot_is_there_is_not_told_that_their_link_has_expired() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    let outside = bot.outside();
    let folder = bot.stop().await;
    // Of what came to pass meanwhile no list tells; Fivetran can be asked.
    outside.fivetran.faults(|faults| faults.fail_always("list_page", Fault::Status(503)));
    let setup = Setup::beside(outside).after(folder).later(DAY + Duration::from_secs(300));
    let bot = setup.start().await;
    until("the edit", async || channels_with_a_link(&bot.slack).is_empty().then_some(())).await;
    let shown: Vec<_> = bot.finish().await.iter().map(|message| message.rendered()).collect();
    assert!(shown[0].contains("*Google Ads* is connected"), "{shown:#?}");
    assert!(shown.iter().all(|shown| !shown.contains("expired")), "{shown:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_expires_by_the_clock_alone_where_fivetran_cannot_be_asked_at_all() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let outside = bot.outside();
    let folder = bot.stop().await;
    outside.fivetran.faults(|faults| {
        for route in ["get_connection", "list_page"] {
            faults.fail_always(route, Fault::Status(503));
        }
    });
    let before = outside.fivetran.calls_to("get_connection");
    let bot = Setup::beside(outside).after(folder).later(DAY + Duration::from_secs(300)).start().await;
    until("the edit", async || channels_with_a_link(&bot.slack).is_empty().then_some(())).await;
    assert!(bot.fivetran.calls_to("get_connection") > before, "it was asked first");
    let shown: Vec<_> = bot.finish().await.iter().map(|message| message.rendered()).collect();
    assert!(shown[0].contains("The link for *Google Ads* expired"), "{shown:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_authorise_again_that_nobody_used_expires_and_says_that_all_is_as_before() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("google_ads", "acme", "connected");
    bot.types("google_ads acme").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    bot.begins_here();
    bot.passes(DAY).await;
    bot.types("status acme").await;
    bot.types("list").await;
    // That it stays connected is no news either.
    bot.passes(DAY).await;
    // Another one is used.
    bot.types("google_ads acme").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    bot.lands(&link_of(&bot.link_message()).unwrap()).await;
    bot.types("status acme").await;
    bot.ends(expect![[r#"
        … 24 h later …
        #customer-acme
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected as before. The link to sign in again expired T+24h.
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              The link to sign in to Google Ads again has expired. Google Ads is connected as before.
        alice: /connect-card status acme
          only alice sees:
              :white_check_mark: *Google Ads* into `acme`
              connected; the link to sign in again has expired · since T+24h
              Fivetran says: set up and working; the next sync is scheduled; the first sync isn't finished
              yet.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
        alice: /connect-card list
          only alice sees:
              One link in this channel:
              :white_check_mark: *Google Ads* into `acme`
              connected; the link to sign in again has expired · since T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
        … 24 h later …
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells alice alone:
            Google Ads is already connected to acme, so I didn't post a link here: it would let whoever sees
            it sign in again. If you meant another customer, choose another schema.
            It was requested in #customer-acme by @alice.
            [Post a sign-in link here]
            [Never mind]
            Ref R2
        alice presses [Post a sign-in link here]
          only alice sees instead:
              Making a link for Google Ads now. It will appear here.
              Ref R3
        bot posts message 2:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            Google Ads was connected before. Signing in again replaces the earlier sign-in.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+72h · Everyone here can see this
            link, and anyone who has it can use it · Ref R3
        bot edits message 1:
            A newer link for *Google Ads* was requested, so this one is no longer in use.
            Requested by @alice · The data goes to `acme` · Ref R1
        the customer comes back, and sees:
            Google Ads is connected
            Your sign-in is complete, and there's nothing more to do. You can close this window and go back
            to where you found the link.
        bot edits message 2:
            :white_check_mark: *Google Ads* is connected (since T+48h).
            Requested by @alice · The data goes to `acme` · Ref R3
          in the thread of message 2:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
        alice: /connect-card status acme
          only alice sees:
              :white_check_mark: *Google Ads* into `acme`
              connected · since T+48h
              Fivetran says: set up and working; the next sync is scheduled; the first sync isn't finished
              yet.
              Requested by @alice · Link created T+48h, T+48h · Connection `amber_anchor` · Ref R3
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sees_a_link_can_ask_about_it_before_slack_has_said_that_it_is_there() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "chat.postMessage").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    wire.arm(Trick::Hold);
    bot.types_meanwhile(USER, CHANNEL, "google_ads acme").await;
    until("the link to be visible", async || (channels_with_a_link(&bot.slack) == [CHANNEL]).then_some(()))
        .await;
    bot.notes("the link is visible, and Slack's answer on its way");
    for typed in ["status acme", "list", "google_ads acme", "renew acme"] {
        bot.types_meanwhile(USER, CHANNEL, typed).await;
    }
    let question = bot.private(&bot.types_meanwhile(USER, CHANNEL, "cancel acme").await);
    bot.presses_meanwhile(USER, &question, CANCEL).await;
    bot.notes("Slack's answer arrives");
    wire.release();
    bot.settle().await;
    bot.presses(USER, &question, CANCEL).await;
    assert_eq!(bot.fivetran.connections().len(), 0);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        the link is visible, and Slack's answer on its way
        alice: /connect-card status acme
          only alice sees:
              :hourglass_flowing_sand: *Google Ads* into `acme`
              its link is on its way; Slack hasn't confirmed the message yet
              Fivetran says: nobody has finished the setup yet.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a new link]
              [Cancel the connection]
        alice: /connect-card list
          only alice sees:
              One link in this channel:
              :hourglass_flowing_sand: *Google Ads* into `acme`
              waiting for your customer · works until T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
        alice: /connect-card google_ads acme
          only alice sees:
              Already on it: I'm making a link for Google Ads (schema acme).
        alice: /connect-card renew acme
          only alice sees:
              I'm still working on an earlier request for Google Ads (schema acme) here. Please try again when
              it's done.
        alice: /connect-card cancel acme
          only alice sees:
              Cancel the connection for Google Ads into acme? It's removed from Fivetran, and its link stops
              working. Data already in the destination stays there.
              [Cancel the connection]
              [Never mind]
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        alice presses [Cancel the connection]
          only alice sees instead:
              I'm still working on an earlier request for Google Ads (schema acme) here. Please try again when
              it's done.
        Slack's answer arrives
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
    "#]])
        .await;
}
