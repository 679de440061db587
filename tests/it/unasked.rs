//! What was made elsewhere and waits for its first post, or has lost its place: whether it may still be
//! brought up there is judged anew, and what breaks again is not broken unheard.

use std::time::Duration;

use serde_json::json;
use stand_ins::fault::Fault;

use crate::destinations_watched::{
    A_WHILE, POST, acme, bot, bot_of, breaks, config, made_elsewhere, posted, program,
};
use crate::harness::{
    CHANNEL, Engine, Outside, PRIVATE, SHARED, Setup, TestBot, client, free_port, postgres, until,
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
    let lease = if matches!(engine, Engine::Postgres(_)) { "1" } else { "600" };
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
async fn nor_is_it_when_what_it_will_say_has_changed() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let bot = waiting(Setup::new().await.with("METRICS_ADDR", &metrics)).await;
    bot.connection_breaks("acme_stripe", "The token was revoked.");
    bot.passes(A_WHILE).await;
    assert_eq!((behind(&metrics).await, bot.count(DUE).await), ([0.0; 2], 1));
    assert_eq!(bot.count("SELECT count(*) FROM message WHERE behind_since IS NOT NULL").await, 0);
    bot.finish().await;
}
