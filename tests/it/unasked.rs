//! What was made elsewhere and waits for its first post, or has lost its place: whether it may still be
//! brought up there is judged anew, and what breaks again is not broken unheard.

mod presses;

use std::time::Duration;

use connect_card::reply::ask::REAUTHORISE;
use connect_card::reply::live::RENEW;
use expect_test::expect;
use serde_json::json;
use stand_ins::fault::Fault;

use crate::audit::told;
use crate::destinations_watched::{
    A_WHILE, POST, acme, bot, bot_of, breaks, config, made_elsewhere, posted, program,
};
use crate::harness::{
    AUDIT, CHANNEL, COLLEAGUE, Engine, OUTSIDER, Outside, PRIVATE, Program, SHARED, Setup, TestBot, USER,
    client, free_port, link_of, postgres, until,
};

/// Longer than until a message is tried again that Slack has refused.
const UNTIL_TRIED: Duration = Duration::from_secs(61 * 60);
const UPDATE: &str = "chat.update";
/// Messages that are still to be posted, or to be brought to what they should show.
const DUE: &str = "SELECT count(*) FROM message WHERE due IS NOT NULL";

/// The same customer, in a channel that the bot is not in.
fn mistyped() -> String {
    acme().replace(CHANNEL, PRIVATE)
}

/// One that has lost its access, and a bot that can't say so yet, since it isn't in the channel.
async fn waiting(setup: Setup) -> TestBot {
    let bot = bot_of(setup, true, &mistyped()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert_eq!((posted(&bot).len(), bot.count(DUE).await), (0, 1));
    bot
}

/// The next bot on its database, by this `CONFIG` and with this variable.
async fn after(bot: TestBot, watch: bool, channels: &str, (name, value): (&str, &str)) -> TestBot {
    let outside = bot.outside();
    let folder = bot.stop().await;
    bot_of(Setup::beside(outside).after(folder).with(name, value), watch, channels).await
}

fn says(word: &str) -> Fault {
    Fault::Says(200, json!({ "ok": false, "error": word }))
}

fn channels_of(bot: &TestBot) -> Vec<String> {
    posted(bot).into_iter().map(|message| message.channel).collect()
}

#[tokio::test]
async fn a_corrected_channel_gets_the_message_and_the_mistyped_one_never() {
    let first = waiting(Setup::new().await).await;
    let next = after(first, true, &acme(), ("PORT", "")).await;
    next.slack.join(PRIVATE);
    next.passes(UNTIL_TRIED).await;
    next.passes(A_WHILE).await;
    assert_eq!(channels_of(&next), [CHANNEL]);
    next.finish().await;
}

#[tokio::test]
async fn what_does_not_hold_any_more_is_let_go_and_adopted_anew_once_it_does() {
    for (what, watch, variable) in [
        ("not watched", false, ("PORT", "")),
        ("not allowed there", true, ("ALLOWED_CHANNELS", SHARED)),
        ("links are private", true, ("LINK_VISIBILITY", "requester")),
    ] {
        let first = waiting(Setup::new().await).await;
        let next = after(first, watch, &mistyped(), variable).await;
        next.slack.join(PRIVATE);
        next.passes(UNTIL_TRIED).await;
        assert_eq!((posted(&next).len(), next.count(DUE).await), (0, 0), "{what}");
        next.passes(UNTIL_TRIED).await;
        let again = after(next, true, &mistyped(), (variable.0, "")).await;
        // Its clock begins behind that of those before it.
        again.passes(UNTIL_TRIED * 4).await;
        again.passes(A_WHILE).await;
        assert_eq!(channels_of(&again), [PRIVATE], "{what}");
        again.finish().await;
    }
}

#[tokio::test]
async fn whoever_shares_the_channel_is_seen_again_before_the_first_post() {
    let bot = waiting(Setup::new().await).await;
    bot.slack.join(PRIVATE);
    bot.slack.share(PRIVATE, &["T0OTHER", "T0HOOLI"], &[]);
    bot.passes(UNTIL_TRIED).await;
    bot.passes(A_WHILE).await;
    assert_eq!((posted(&bot).len(), bot.count(DUE).await), (0, 0));
    bot.slack.share(PRIVATE, &["T0OTHER"], &[]);
    bot.passes(A_WHILE * 2).await;
    assert_eq!(channels_of(&bot), [PRIVATE], "with one customer it is said");
    bot.finish().await;
}

/// Slack's silence says nothing of who shares it, for as long as it takes.
#[tokio::test]
async fn while_slack_does_not_say_who_shares_it_nothing_is_posted_and_nothing_let_go() {
    let bot = waiting(Setup::new().await).await;
    bot.slack.join(PRIVATE);
    bot.slack.faults(|faults| faults.fail_always("conversations.info", Fault::Status(503)));
    bot.passes(UNTIL_TRIED).await;
    assert_eq!((posted(&bot).len(), bot.count(DUE).await), (0, 1));
    bot.slack.faults(|faults| faults.heal());
    bot.passes(A_WHILE).await;
    assert_eq!(channels_of(&bot), [PRIVATE]);
    bot.finish().await;
}

/// Between its end here and what follows from it.
async fn is_let_go_whatever_crashes(engine: Engine) {
    let outside = Outside::start().await;
    breaks(&outside, "stripe");
    let (_folder, path) = config(true, &mistyped());
    let lease = if matches!(engine, Engine::Postgres(_)) { "4" } else { "600" };
    let first = program(engine, &outside, &path).with("LEASE_SECONDS", lease);
    let process = first.clone().start().await;
    until("a try", async || (outside.slack.calls_to(POST) > 0).then_some(())).await;
    process.stop().await;
    let (_other, path) = config(true, &acme());
    let second = first.with("CONFIG", &path);
    second.sql("UPDATE message SET due = 0 WHERE due IS NOT NULL").await;
    let point = "bring up: let go";
    let mut crashing = second.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").start().await;
    assert_eq!(crashing.wait().await.code(), None, "{engine}: {}", crashing.log());
    let why = "its customer's channel is another one by now";
    assert_eq!(crashing.log().matches(why).count(), 1, "{engine}: {}", crashing.log());
    outside.slack.join(PRIVATE);
    second.sql("UPDATE sweep SET next_at = 0, listed_at = NULL").await;
    let process = second.start().await;
    until("the message", async || (!outside.slack.messages().is_empty()).then_some(())).await;
    process.stop().await;
    let channels: Vec<_> = outside.slack.messages().into_iter().map(|it| it.channel).collect();
    assert_eq!(channels, [CHANNEL], "{engine}");
    outside.shutdown();
}

#[tokio::test]
async fn what_is_let_go_stays_so_whatever_crashes() {
    is_let_go_whatever_crashes(Engine::Sqlite).await;
    if let Some(postgres) = postgres::shared() {
        is_let_go_whatever_crashes(Engine::Postgres(postgres)).await;
    }
}

#[tokio::test]
async fn one_whose_message_was_deleted_is_brought_up_anew_when_it_breaks_again() {
    let bot = bot(&acme()).await;
    let id = made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "The token was revoked.");
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.fail_next(UPDATE, says("message_not_found"), 1));
    bot.fivetran.finish_setup(&id);
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 1, "nobody has to do anything");
    bot.connection_breaks("acme_stripe", "The token was revoked again.");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    let messages = posted(&bot);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[1].rendered().contains("revoked again"), "{}", messages[1].rendered());
    bot.finish().await;
}

#[tokio::test]
async fn one_that_breaks_again_just_as_its_message_turns_out_to_be_gone_is_brought_up_anew() {
    let bot = bot(&acme()).await;
    let id = made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.fivetran.finish_setup(&id);
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.fail_next(UPDATE, says("message_not_found"), 1));
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    let messages: Vec<_> = posted(&bot).into_iter().filter(|it| it.thread_ts.is_none()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[1].rendered().contains("stopped working"), "{}", messages[1].rendered());
    bot.finish().await;
}

#[tokio::test]
async fn one_of_which_slack_never_said_whether_it_was_posted_is_brought_up_anew_when_it_breaks_again() {
    let bot = bot(&acme()).await;
    let id = made_elsewhere(&bot, "acme_stripe");
    bot.slack.faults(|faults| faults.fail_always(POST, Fault::Status(503)));
    bot.connection_breaks("acme_stripe", "");
    for _ in 0..6 {
        bot.passes(A_WHILE).await;
    }
    let tries = bot.slack.calls_to(POST);
    assert_eq!((tries, posted(&bot).len()), (5, 0));
    bot.slack.faults(|faults| faults.heal());
    bot.passes(UNTIL_TRIED).await;
    assert_eq!(bot.slack.calls_to(POST), tries, "it may be there");
    bot.fivetran.finish_setup(&id);
    bot.passes(A_WHILE).await;
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 1);
    bot.finish().await;
}

/// However long the bot could not post at all before.
#[tokio::test]
async fn one_of_which_slack_does_not_say_at_first_whether_it_was_posted_is_posted_again() {
    let bot = waiting(Setup::new().await).await;
    for _ in 0..4 {
        bot.passes(UNTIL_TRIED).await;
    }
    assert!(bot.slack.calls_to(POST) >= 5, "refused each time");
    bot.slack.join(PRIVATE);
    bot.slack.faults(|faults| faults.fail_next(POST, Fault::Status(503), 1));
    bot.passes(UNTIL_TRIED).await;
    bot.passes(A_WHILE).await;
    assert_eq!(channels_of(&bot), [PRIVATE]);
    bot.finish().await;
}

/// What the metrics say of messages that are behind: how many, and for how long one.
async fn behind(metrics: &str) -> [f64; 2] {
    let page = client().get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    ["messages_behind", "message_oldest_seconds"].map(|name| {
        let name = format!("connect_card_{name} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name));
        value.expect("a number").parse().unwrap()
    })
}

async fn counts_what_stands_somewhere_alone(engine: Engine) {
    let outside = Outside::start().await;
    breaks(&outside, "stripe");
    let (_folder, path) = config(true, &mistyped());
    let metrics = format!("127.0.0.1:{}", free_port());
    let process = program(engine, &outside, &path).with("METRICS_ADDR", &metrics).start().await;
    until("a try", async || (outside.slack.calls_to(POST) > 0).then_some(())).await;
    assert_eq!(behind(&metrics).await, [0.0; 2], "{engine}");
    process.stop().await;
    outside.shutdown();
}

#[tokio::test]
async fn what_slack_does_not_let_the_bot_post_yet_is_not_behind() {
    counts_what_stands_somewhere_alone(Engine::Sqlite).await;
    if let Some(postgres) = postgres::shared() {
        counts_what_stands_somewhere_alone(Engine::Postgres(postgres)).await;
    }
}

#[tokio::test]
async fn the_log_warns_of_what_slack_does_not_let_the_bot_post_for_an_hour() {
    let outside = Outside::start().await;
    breaks(&outside, "stripe");
    let (_folder, path) = config(true, &mistyped());
    let program = program(Engine::Sqlite, &outside, &path);
    let says = "still can't be brought up in its customer's channel";
    let process = program.clone().start().await;
    until("a try", async || process.log().contains("customer's channel yet").then_some(())).await;
    assert!(!process.log().contains(says), "{}", process.log());
    process.stop().await;
    program.sql("UPDATE message SET posted_at = 0, due = 0 WHERE due IS NOT NULL").await;
    let process = program.start().await;
    until("a warning", async || process.log().contains(says).then_some(())).await;
    process.stop().await;
    outside.shutdown();
}

#[tokio::test]
async fn nor_is_it_when_what_it_will_say_has_changed() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let bot = waiting(Setup::new().await.with("METRICS_ADDR", &metrics)).await;
    bot.connection_breaks("acme_stripe", "The token was revoked.");
    bot.passes(A_WHILE).await;
    assert_eq!((behind(&metrics).await, bot.count(DUE).await), ([0.0; 2], 1));
    assert_eq!(bot.count("SELECT count(*) FROM message WHERE behind_since IS NOT NULL").await, 0);
    bot.finish().await;
}

/// Slack has taken each of them, and said nothing.
#[tokio::test]
async fn the_button_of_a_message_of_which_slack_said_nothing_puts_a_link_into_it() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.slack.faults(|faults| faults.fail_next(POST, Fault::DropAfter, 5));
    bot.connection_breaks("acme_stripe", "");
    for _ in 0..6 {
        bot.passes(A_WHILE).await;
    }
    let copies = posted(&bot);
    assert_eq!(copies.len(), 5);
    bot.presses(OUTSIDER, &copies[1], RENEW).await;
    let links = |bot: &TestBot| posted(bot).iter().map(|it| link_of(it).is_some()).collect::<Vec<_>>();
    assert_eq!(links(&bot)[..5], [false, true, false, false, false], "{:?}", posted(&bot));
    // It is the one that is kept true from now on.
    bot.customer_finishes("acme_stripe");
    bot.passes(A_WHILE).await;
    let shown = posted(&bot)[1].rendered();
    assert!(shown.contains("is connected"), "{shown}");
    // The others offer nothing that would be amiss.
    bot.presses(OUTSIDER, &copies[0], RENEW).await;
    assert!(!links(&bot).contains(&true));
    bot.finish().await;
}

/// Neither was it cancelled, nor has anybody requested it.
#[tokio::test]
async fn the_button_of_a_copy_of_what_was_let_go_says_that_it_is_out_of_date() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.slack.faults(|faults| faults.fail_next(POST, Fault::DropAfter, 5));
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.slack.share(CHANNEL, &["T0OTHER", "T0HOOLI"], &[]);
    bot.passes(A_WHILE).await;
    let copies = posted(&bot);
    assert!(!copies.is_empty() && bot.count(DUE).await == 0, "it is let go: {copies:?}");
    bot.presses(OUTSIDER, &copies[0], RENEW).await;
    let said = bot.private_message();
    assert_eq!((said.user.as_deref(), posted(&bot).len()), (Some(OUTSIDER), copies.len() + 1));
    expect!["This message is out of date, so I didn't make a link for Stripe. If there's a newer message about it here, use the button there; otherwise ask the people who run this bot."].assert_eq(&said.rendered());
    bot.finish().await;
}

#[tokio::test]
async fn whoever_asks_for_it_in_another_channel_is_asked_and_takes_it_over() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.types_as(COLLEAGUE, SHARED, "stripe acme_stripe").await;
    bot.presses(COLLEAGUE, &bot.private_message(), REAUTHORISE).await;
    bot.customer_finishes("acme_stripe");
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: reconnect / Reconnect
        … 5 min later …
        #customer-acme
        bot posts message 1:
            :warning: *Stripe* was connected, but its access has stopped working. To fix it, get a link and
            sign in again.
            [Get a link to fix it]
            The data goes to `acme_stripe` in prod · Ref R1
        #shared-acme
        bob: /connect-card stripe acme_stripe
          only bob sees:
              Making a link for Stripe now. It will appear here.
              Ref R2
        bot tells bob alone:
            Stripe is already connected to acme_stripe, so I didn't post a link here: it would let whoever
            sees it sign in again. If you meant another customer, choose another schema.
            It belongs to #customer-acme.
            [Post a sign-in link here]
            [Never mind]
            Ref R2
        bob presses [Post a sign-in link here]
          only bob sees instead:
              Making a link for Stripe now. It will appear here.
              Ref R3
        bot posts message 2:
            Please connect *Stripe*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            Stripe was connected before. Signing in again replaces the earlier sign-in.
            [Connect Stripe → card 1]
            Requested by @bob · The data goes to `acme_stripe` · Works until T+24h10min · Everyone here can
            see this link, and anyone who has it can use it · Ref R3
        #customer-acme
        bot edits message 1:
            A link for *Stripe* was requested, so this message is no longer in use.
            The data goes to `acme_stripe` · Ref R1
        the customer finishes the setup
        … 5 min later …
        #shared-acme
        bot edits message 2:
            :white_check_mark: *Stripe* is connected (since T+10min).
            Requested by @bob · The data goes to `acme_stripe` · Ref R3
          in the thread of message 2:
              Stripe is connected, and its first sync has started. (Requested by @bob.)
    "#]])
        .await;
}

#[tokio::test]
async fn one_that_waits_for_its_first_post_is_taken_over_and_never_posted_there() {
    let bot = waiting(Setup::new().await).await;
    bot.types("stripe acme_stripe").await;
    bot.presses(USER, &bot.private_message(), REAUTHORISE).await;
    bot.slack.join(PRIVATE);
    bot.passes(UNTIL_TRIED).await;
    bot.passes(A_WHILE).await;
    let links: Vec<_> = posted(&bot).into_iter().filter(|it| link_of(it).is_some()).collect();
    assert_eq!((links.len(), links[0].channel.as_str(), bot.created()), (1, CHANNEL, 0));
    assert!(!channels_of(&bot).contains(&PRIVATE.to_owned()));
    bot.finish().await;
}

#[tokio::test]
async fn the_audit_channel_is_told_what_is_to_be_brought_up_and_what_is_not_after_all() {
    let audit = ("AUDIT_CHANNEL", AUDIT);
    let first = bot_of(Setup::new().await.with(audit.0, audit.1), true, &mistyped()).await;
    made_elsewhere(&first, "acme_stripe");
    first.connection_breaks("acme_stripe", "See https://canary.example/secret");
    first.passes(A_WHILE).await;
    told(&first.slack, 1).await;
    let next = after(first, true, &acme(), audit).await;
    next.passes(UNTIL_TRIED * 2).await;
    next.passes(A_WHILE).await;
    told(&next.slack, 3).await;
    next.customer_finishes("acme_stripe");
    next.passes(A_WHILE).await;
    let lines = told(&next.slack, 4).await;
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            let (mark, said) = line.split_once('*').unwrap();
            let (said, reference) = said.rsplit_once(" · Ref ").unwrap();
            assert!(mark.starts_with(':') && reference.starts_with('`'), "{line}");
            format!("*{said}\n")
        })
        .collect();
    expect![[r#"
        *Access lost* · Stripe into `acme_stripe` in prod · not requested here; the customer is to be asked to sign in again · <#C0PRIVATE>
        *No longer for this channel* · Stripe into `acme_stripe` in prod · its customer's channel is another one by now · <#C0PRIVATE>
        *Access lost* · Stripe into `acme_stripe` in prod · not requested here; the customer is to be asked to sign in again · <#C0CUSTOMER>
        *Working again* · Stripe into `acme_stripe` in prod · <#C0CUSTOMER>
    "#]].assert_eq(&shown.concat());
    next.finish().await;
}

/// What `check` says of what is watched.
async fn checked(watch: bool, channels: &str, variable: (&str, &str)) -> String {
    let outside = Outside::start().await;
    let (_folder, path) = config(watch, channels);
    let program = Program::against(&outside).with("CONFIG", &path).with("FIVETRAN_GROUP_ID", "");
    let output = program.with(variable.0, variable.1).run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    outside.shutdown();
    let lines = output.stdout.lines().filter(|line| line.contains("watch"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn check_says_what_is_watched_and_whether_anything_can_come_of_it() {
    let other = format!("[channels.{SHARED}]\ncustomer = \"globex\"\n");
    let none = format!("[channels.{CHANNEL}]\nschema = \"{{service}}\"\n");
    for (watch, channels, variable, expected) in [
        (
            true,
            acme(),
            ("LINK_VISIBILITY", "channel"),
            "✓ CONFIG: watches prod for connections that were not requested here; one channel's customer is known",
        ),
        (
            true,
            acme() + &other,
            ("LINK_VISIBILITY", "channel"),
            "✓ CONFIG: watches prod for connections that were not requested here; 2 channels' customers are known",
        ),
        (
            true,
            none,
            ("LINK_VISIBILITY", "channel"),
            "· CONFIG: watch = true for prod, but nothing can be brought up: no channel has a customer or a schema of its own; add customer = \"…\" to [channels.ID]",
        ),
        (
            true,
            acme(),
            ("LINK_VISIBILITY", "requester"),
            "· CONFIG: watch = true for prod does nothing: it takes SLACK_BOT_TOKEN, and LINK_VISIBILITY=channel",
        ),
        (
            true,
            acme(),
            ("SLACK_BOT_TOKEN", ""),
            "· CONFIG: watch = true for prod does nothing: it takes SLACK_BOT_TOKEN, and LINK_VISIBILITY=channel",
        ),
        (false, acme(), ("LINK_VISIBILITY", "channel"), ""),
    ] {
        assert_eq!(checked(watch, &channels, variable).await, expected, "{channels}");
    }
}
