//! A press of the button of a message that nobody requested: whether its link may stand there is judged anew.

use connect_card::reply::live::RENEW;
use stand_ins::fault::Fault;
use stand_ins::slack::Message;

use super::{after, channels_of, mistyped};
use crate::destinations_watched::{A_WHILE, acme, bot, breaks, config, made_elsewhere, posted, program};
use crate::harness::{CHANNEL, Engine, OUTSIDER, Outside, TestBot, link_of, postgres, until};

/// The call that makes a Connect Card.
const CARD: &str = "connect_card";
/// How begins what whoever presses reads where no link may stand any more.
const NOT_HERE: &str = "I can't make a link for Stripe in this channel any more.";

/// What somebody of the customer's reads who presses the button of the first message; `None` if a link
/// appears there. No card is made but for a link.
async fn pressed(bot: &TestBot) -> Option<String> {
    let message = posted(bot).into_iter().find(|it| it.rendered().contains("stopped working")).unwrap();
    let (before, cards) = (posted(bot).len(), bot.fivetran.calls_to(CARD));
    bot.presses(OUTSIDER, &message, RENEW).await;
    let after = posted(bot);
    let has_link = after.iter().any(|it| link_of(it).is_some());
    assert_eq!(bot.fivetran.calls_to(CARD) - cards, usize::from(has_link));
    let said = after[before..].iter().find(|it| it.user.as_deref() == Some(OUTSIDER));
    assert_eq!(has_link, said.is_none(), "{after:?}");
    said.map(Message::rendered)
}

/// One that was brought up while its channel was shared with one customer.
async fn brought_up(bot: &TestBot) {
    made_elsewhere(bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert_eq!(channels_of(bot), [CHANNEL]);
}

#[tokio::test]
async fn whoever_shares_the_channel_is_seen_again_when_the_button_is_pressed() {
    let bot = bot(&acme()).await;
    brought_up(&bot).await;
    bot.slack.share(CHANNEL, &["T0OTHER", "T0HOOLI"], &[]);
    bot.passes(A_WHILE).await;
    let said = pressed(&bot).await.expect("no link");
    assert!(said.starts_with(NOT_HERE), "{said}");
    bot.slack.share(CHANNEL, &["T0OTHER"], &[]);
    bot.passes(A_WHILE).await;
    assert_eq!(pressed(&bot).await, None, "with one customer");
    bot.finish().await;
}

#[tokio::test]
async fn while_slack_does_not_say_who_shares_it_the_button_makes_no_link() {
    let bot = bot(&acme()).await;
    brought_up(&bot).await;
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.fail_always("conversations.info", Fault::Status(503)));
    let said = pressed(&bot).await.expect("no link");
    assert!(said.starts_with("Slack doesn't tell me at the moment who else is in this channel"), "{said}");
    bot.slack.faults(|faults| faults.heal());
    bot.passes(A_WHILE).await;
    assert_eq!(pressed(&bot).await, None);
    bot.finish().await;
}

/// What was brought up stays when `watch` is turned off; but not in the channel of another customer.
#[tokio::test]
async fn the_button_makes_no_link_once_the_customers_channel_is_another_one() {
    for (watch, channels, expected) in
        [(true, mistyped(), Some(())), (false, mistyped(), Some(())), (false, acme(), None)]
    {
        let first = bot(&acme()).await;
        brought_up(&first).await;
        let next = after(first, watch, &channels, ("PORT", "")).await;
        // Its clock begins behind that of those before it, and of Slack's.
        next.clock.advance(A_WHILE);
        let said = pressed(&next).await;
        assert_eq!(said.as_ref().map(|it| assert!(it.starts_with(NOT_HERE), "{it}")), expected, "{watch}");
        next.finish().await;
    }
}

/// Between the judgement of a press and its end, while the channel comes to be shared. What has been intended
/// may stand there, and comes to its end; of what has not, nobody is told that it may.
async fn is_judged_whatever_crashes(engine: Engine, point: &str, has_link: bool) {
    let outside = Outside::start().await;
    breaks(&outside, "stripe");
    let (_folder, path) = config(true, &acme());
    let lease = if matches!(engine, Engine::Postgres(_)) { "4" } else { "600" };
    let program = program(engine, &outside, &path).with("LEASE_SECONDS", lease);
    let mut crashing = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").start().await;
    let message = until("the message", async || outside.slack.messages().first().cloned()).await;
    let _ = outside.slack.press(&crashing.url(), &message, RENEW, OUTSIDER).await;
    assert_eq!(crashing.wait().await.code(), None, "{engine} at “{point}”: {}", crashing.log());
    outside.slack.share(CHANNEL, &["T0OTHER", "T0HOOLI"], &[]);
    let process = program.start().await;
    until("the end", async || process.log().contains("command ended").then_some(())).await;
    process.stop().await;
    let messages = outside.slack.messages();
    let shows = messages.iter().any(|it| link_of(it).is_some());
    let says = messages.iter().any(|it| it.rendered().starts_with(NOT_HERE));
    assert_eq!((shows, says), (has_link, !has_link), "{engine} at “{point}”: {messages:?}");
    outside.shutdown();
}

#[tokio::test]
async fn a_press_is_judged_until_its_link_is_intended_whatever_crashes() {
    for (point, has_link) in [("company: answered", false), ("post: answered", true)] {
        is_judged_whatever_crashes(Engine::Sqlite, point, has_link).await;
        if let Some(postgres) = postgres::shared() {
            is_judged_whatever_crashes(Engine::Postgres(postgres), point, has_link).await;
        }
    }
}
