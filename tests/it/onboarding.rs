//! One customer's sources in one message: from the command to the last sign-in, whatever fails in between.

use std::time::Duration;

use connect_card::reply::onboarding::CONNECT;
use serde_json::Value;
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, Used, Visibility};
use tempfile::TempDir;

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, Setup, TestBot, USER, accepted, link_of, say, until};

/// A channel of acme's, whose connections are named by a pattern.
pub(crate) fn config() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    let text = format!("schema = \"{{customer}}_{{service}}\"\n[channels.{CHANNEL}]\ncustomer = \"acme\"\n");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn bot() -> (TestBot, TempDir) {
    let (folder, path) = config();
    (Setup::new().await.with("CONFIG", &path).start().await, folder)
}

/// The messages in the channel that offer sources, or did.
fn messages(bot: &TestBot) -> Vec<Message> {
    let shows = |it: &Message| it.visibility == Visibility::Channel && it.thread_ts.is_none();
    bot.slack.messages().into_iter().filter(shows).collect()
}

fn the_message(bot: &TestBot) -> Message {
    let mut messages = messages(bot);
    assert_eq!(messages.len(), 1, "{:?}", messages.iter().map(Message::rendered).collect::<Vec<_>>());
    messages.remove(0)
}

/// What the lines of a message say, and what their buttons are called.
fn lines(message: &Message) -> Vec<(String, Option<String>)> {
    let blocks = message.payload["blocks"].as_array().unwrap();
    let line = |block: &Value| {
        let text = block["text"]["text"].as_str()?.to_owned();
        Some((text, block["accessory"]["text"]["text"].as_str().map(str::to_owned)))
    };
    blocks.iter().skip(1).filter_map(line).collect()
}

/// The line of a service.
fn line(message: &Message, service: &str) -> Option<(String, Option<String>)> {
    lines(message).into_iter().find(|(text, _)| text.contains(&format!("*{service}*")))
}

/// Somebody presses the button of a service.
async fn press(bot: &TestBot, user: &str, service: &str) {
    let message = the_message(bot);
    let blocks = message.payload["blocks"].as_array().unwrap();
    let block = blocks.iter().find(|block| {
        block["text"]["text"].as_str().is_some_and(|text| text.contains(&format!("*{service}*")))
    });
    let block_id = block.unwrap()["block_id"].as_str().unwrap();
    let used = Used { block_id: Some(block_id), action_id: CONNECT, choice: Value::Null };
    let ack = bot.slack.use_in_message(&bot.url, &message, used, user).await.unwrap();
    assert_eq!(ack.status, 200);
}

/// The private messages with a link that somebody has got.
fn links_of(bot: &TestBot, user: &str) -> Vec<String> {
    let theirs = |it: &Message| it.visibility != Visibility::Channel && it.user.as_deref() == Some(user);
    bot.slack.messages().iter().filter(|it| theirs(it)).filter_map(link_of).collect()
}

async fn until_it_says(bot: &TestBot, words: &str) -> Message {
    until(words, async || messages(bot).into_iter().find(|it| it.rendered().contains(words))).await
}

#[tokio::test]
async fn several_sources_are_one_message_and_a_link_is_for_whoever_asks() {
    let (bot, _folder) = bot().await;
    let ack = bot.send("google_ads, facebook_ads, hubspot").await;
    for name in ["acme_google_ads", "acme_facebook_ads", "acme_hubspot"] {
        assert!(ack.text().contains(name), "{}", ack.text());
    }
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 3);
    let message = the_message(&bot);
    let buttons: Vec<_> = lines(&message).into_iter().filter_map(|(_, button)| button).collect();
    assert_eq!(buttons, ["Connect Google Ads", "Connect Facebook Ads", "Connect HubSpot"]);
    assert_eq!(link_of(&message), None, "no link is in the channel");

    // A person of the customer's presses, and sees a link that nobody else does.
    press(&bot, OUTSIDER, "HubSpot").await;
    let link = until("a link", async || links_of(&bot, OUTSIDER).pop()).await;
    // Two cards of one second are the same card.
    bot.advance(Duration::from_secs(2));
    bot.fivetran.advance(Duration::from_secs(2));
    press(&bot, COLLEAGUE, "HubSpot").await;
    let other = until("a link", async || links_of(&bot, COLLEAGUE).pop()).await;
    assert_ne!(link, other);
    assert_eq!(links_of(&bot, USER), [""; 0]);
    bot.until_all_ended().await;
    assert_eq!(lines(&the_message(&bot)), lines(&message), "what one sees changes nothing for the others");

    bot.customer_finishes("acme_hubspot");
    bot.look_at_due_links().await;
    let message = until_it_says(&bot, "1 of 3 connected").await;
    let (text, button) = line(&message, "HubSpot").unwrap();
    assert!(text.contains("is connected (since"), "{text}");
    assert_eq!(button, None);
    for schema in ["acme_google_ads", "acme_facebook_ads"] {
        bot.customer_finishes(schema);
    }
    bot.look_at_due_links().await;
    let message = until_it_says(&bot, "All 3 are connected. It took less than a minute.").await;
    assert!(lines(&message).iter().all(|(_, button)| button.is_none()));
    let told = |it: &Message| it.thread_ts.is_some() && it.rendered().contains("All 3 are connected.");
    until("the thread", async || bot.slack.messages().iter().any(told).then_some(())).await;
    bot.finish().await;
}

#[tokio::test]
async fn what_fivetran_refuses_is_told_to_whoever_asked_and_the_others_go_on() {
    let (bot, _folder) = bot().await;
    let _ = bot.fivetran.seed_connection("stripe", "acme_hubspot", "connected");
    bot.send("google_ads, hubspot, facebook_ads").await;
    bot.until_all_ended().await;
    let message = the_message(&bot);
    assert_eq!(lines(&message).len(), 2, "{}", message.rendered());
    assert!(!message.rendered().contains("HubSpot"), "{}", message.rendered());
    let report = bot.slack.messages().into_iter().find(|it| it.visibility == Visibility::Ephemeral).unwrap();
    assert_eq!(report.user.as_deref(), Some(USER));
    let said = report.rendered();
    for words in [
        "One of the 3 sources isn't in the message:",
        "HubSpot",
        "belongs to a connection for another service",
    ] {
        assert!(said.contains(words), "{said}");
    }
    bot.finish().await;
}

#[tokio::test]
async fn where_nothing_can_be_set_up_the_channel_sees_nothing() {
    let (bot, _folder) = bot().await;
    for schema in ["acme_google_ads", "acme_hubspot"] {
        let _ = bot.fivetran.seed_connection("stripe", schema, "connected");
    }
    bot.send("google_ads, hubspot").await;
    let messages = bot.finish().await;
    assert_eq!(messages.len(), 1);
    assert!(messages[0].rendered().contains("None of the 2 sources could be added:"));
    assert_eq!(messages[0].visibility, Visibility::Ephemeral);
}

#[tokio::test]
async fn what_is_asked_for_later_goes_into_the_same_message_while_it_is_open() {
    let (bot, _folder) = bot().await;
    bot.send("google_ads, hubspot").await;
    bot.until_all_ended().await;
    // By itself.
    bot.send("stripe").await;
    bot.until_all_ended().await;
    until_it_says(&bot, "Connect Stripe").await;
    let told = |it: &Message| it.rendered().contains("Stripe is in the message above");
    until("a word", async || bot.slack.messages().iter().any(told).then_some(())).await;
    // With one that is there already, which is made no second time.
    bot.send("facebook_ads, hubspot").await;
    bot.until_all_ended().await;
    let message = until_it_says(&bot, "Connect Facebook Ads").await;
    let services: Vec<_> = lines(&message).into_iter().filter_map(|(_, button)| button).collect();
    assert_eq!(
        services,
        ["Connect Google Ads", "Connect HubSpot", "Connect Facebook Ads", "Connect Stripe"],
        "{}",
        message.rendered()
    );
    assert_eq!(bot.created(), 4);
    // What is typed is another matter, and of no customer.
    bot.send("stripe other_schema").await;
    bot.until_all_ended().await;
    assert_eq!(messages(&bot).len(), 2);

    for schema in ["acme_google_ads", "acme_hubspot", "acme_facebook_ads", "acme_stripe"] {
        bot.customer_finishes(schema);
    }
    bot.look_at_due_links().await;
    until_it_says(&bot, "All 4 are connected.").await;
    // Once that is done, more begins another.
    bot.send("linkedin_ads, pinterest_ads").await;
    bot.until_all_ended().await;
    assert_eq!(messages(&bot).len(), 3);
    bot.finish().await;
}

#[tokio::test]
async fn a_source_is_cancelled_and_broken_by_itself() {
    let (bot, _folder) = bot().await;
    bot.send("google_ads, hubspot").await;
    bot.until_all_ended().await;
    let ack = bot.send("cancel acme_hubspot").await;
    let question = bot.private(&ack);
    bot.slack.press(&bot.url, &question, connect_card::reply::ask::CANCEL, USER).await.unwrap();
    let message = until_it_says(&bot, "was cancelled").await;
    assert_eq!(line(&message, "HubSpot").unwrap().1, None);
    assert_eq!(line(&message, "Google Ads").unwrap().1.as_deref(), Some("Connect Google Ads"));
    bot.customer_finishes("acme_google_ads");
    bot.look_at_due_links().await;
    until_it_says(&bot, "It's connected.").await;
    bot.connection_breaks("acme_google_ads", "The sign-in was taken back");
    bot.look_at_due_links().await;
    bot.advance(Duration::from_secs(60));
    bot.look_at_due_links().await;
    let message = until_it_says(&bot, "its access has stopped working").await;
    assert_eq!(line(&message, "Google Ads").unwrap().1.as_deref(), Some("Fix Google Ads"));
    press(&bot, USER, "Google Ads").await;
    until("a link", async || links_of(&bot, USER).pop()).await;
    bot.finish().await;
}

#[tokio::test]
async fn that_a_source_is_connected_is_told_by_itself_where_the_end_could_not_be() {
    let (bot, _folder) = bot().await;
    bot.send("google_ads, hubspot").await;
    bot.until_all_ended().await;
    bot.customer_finishes("acme_google_ads");
    bot.look_at_due_links().await;
    let threads = || bot.slack.messages().into_iter().filter(|it| it.thread_ts.is_some()).collect::<Vec<_>>();
    until("the first news", async || (threads().len() == 1).then_some(())).await;
    // The sentence about both of them meets a pause of Slack's, and before that is over it is not so any more.
    let throttled = Fault::Throttled { retry_after: Some("30".to_owned()) };
    bot.slack.faults(|it| it.fail_next("chat.postMessage", throttled, 1));
    let calls = bot.slack.calls_to("chat.postMessage");
    bot.customer_finishes("acme_hubspot");
    bot.look_at_due_links().await;
    until_it_says(&bot, "Both are connected.").await;
    until("the refusal", async || (bot.slack.calls_to("chat.postMessage") > calls).then_some(())).await;
    bot.connection_breaks("acme_google_ads", "The sign-in was taken back");
    bot.passes(Duration::from_secs(60)).await;
    bot.passes(Duration::from_secs(60)).await;
    until_it_says(&bot, "its access has stopped working").await;
    let told: Vec<_> = threads().iter().map(Message::rendered).collect();
    assert!(told.iter().any(|it| it.contains("HubSpot is connected")), "{told:#?}");
    assert!(!told.iter().any(|it| it.contains("Both are connected")), "{told:#?}");
    bot.finish().await;
}

#[tokio::test]
async fn while_fivetran_asks_for_a_pause_the_message_says_what_is_still_being_set_up() {
    let (bot, _folder) = bot().await;
    let throttled = Fault::Throttled { retry_after: Some("5".to_owned()) };
    bot.fivetran.faults(|it| it.fail_next("create_connection", throttled, 2));
    bot.send("google_ads, hubspot, facebook_ads").await;
    bot.advance(Duration::from_secs(4));
    until_it_says(&bot, "is being set up").await;
    bot.advance(Duration::from_secs(10));
    bot.until_all_ended().await;
    let message = until_it_says(&bot, "Please connect these 3 sources.").await;
    assert_eq!(lines(&message).len(), 3);
    until("the buttons", async || {
        let buttons = lines(&the_message(&bot)).into_iter().filter(|(_, button)| button.is_some()).count();
        (buttons == 3).then_some(())
    })
    .await;
    assert_eq!(bot.created(), 3);
    bot.finish().await;
}

#[tokio::test]
async fn where_slack_takes_no_message_that_is_said_and_nothing_is_made_twice() {
    let (bot, _folder) = bot().await;
    let refused = Fault::Says(200, serde_json::json!({ "ok": false, "error": "not_in_channel" }));
    bot.slack.faults(|it| it.fail_next("chat.postMessage", refused, 1));
    bot.send("google_ads, hubspot").await;
    bot.until_all_ended().await;
    assert_eq!(messages(&bot).len(), 0);
    let report = bot.slack.messages().pop().unwrap().rendered();
    assert!(report.contains("2 sources are ready") && report.contains("/invite me"), "{report}");
    bot.send("google_ads, hubspot").await;
    bot.until_all_ended().await;
    assert_eq!(lines(&the_message(&bot)).len(), 2);
    assert_eq!(bot.created(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn without_a_message_that_can_be_kept_true_sources_are_asked_for_one_by_one() {
    let (folder, path) = config();
    let bot = Setup::new().await.without_token().with("CONFIG", &path).start().await;
    let ack = bot.send("google_ads, hubspot").await;
    assert!(ack.text().contains("Without a bot token"), "{}", ack.text());
    assert!(accepted(&ack).is_none());
    assert_eq!(bot.created(), 0);
    bot.finish().await;
    let bot = Setup::new().await.with("CONFIG", &path).with("LINK_VISIBILITY", "requester").start().await;
    let ack = bot.send("google_ads, hubspot").await;
    assert!(ack.text().contains("Links are only shown to the person who asks"), "{}", ack.text());
    bot.finish().await;
    drop(folder);
}

/// As many as one command may ask for: all that the stand-in offers.
const TWENTY: &str = "google_ads, facebook_ads, bingads, linkedin_ads, google_analytics_4, hubspot, mailchimp, \
                      salesforce, shopify, stripe, zendesk, jira, google_sheets, s3, sftp, postgres, mysql, mongo, \
                      snowflake_db, bigquery_db";

#[tokio::test]
async fn twenty_sources_take_a_call_each_and_one_message() {
    let (bot, _folder) = bot().await;
    bot.fivetran.set_latency(Duration::from_millis(100));
    let began = tokio::time::Instant::now();
    let ack = bot.send(TWENTY).await;
    assert!(ack.text().contains("Setting up 20 sources"), "{}", ack.text());
    let buttons = |it: &Message| lines(it).iter().filter(|(_, button)| button.is_some()).count();
    until("the whole message", async || messages(&bot).iter().any(|it| buttons(it) == 20).then_some(()))
        .await;
    let took = began.elapsed();
    bot.until_all_ended().await;
    let calls = bot.api_calls().into_iter().filter(|call| call.route != "list_page").count();
    say(&format!("20 sources: the whole message after {took:?}, {calls} calls of Fivetran's"));
    // No more than Fivetran creates in a minute, and nothing else is asked for.
    assert_eq!((bot.created(), calls), (20, 20));
    assert_eq!(messages(&bot).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn more_than_fivetran_makes_in_a_minute_follow_by_themselves_and_that_is_said() {
    let (bot, _folder) = bot().await;
    bot.fivetran.set_creation_limit(2, Duration::from_secs(60));
    bot.send("google_ads, facebook_ads, hubspot, stripe, linkedin_ads").await;
    until("what Fivetran makes at once", async || (bot.created() == 2).then_some(())).await;
    bot.advance(Duration::from_secs(10));
    let note = until("a word on it", async || {
        bot.slack
            .messages()
            .into_iter()
            .find(|it| it.rendered().contains("Still setting up 3 of the 5 sources"))
    })
    .await;
    assert_eq!((note.visibility, note.user.as_deref()), (Visibility::Ephemeral, Some(USER)));
    assert_eq!(until_it_says(&bot, "is being set up").await.ts, the_message(&bot).ts);
    for made in [4, 5] {
        bot.fivetran.advance(Duration::from_secs(60));
        bot.advance(Duration::from_secs(60));
        until("the next ones", async || (bot.created() == made).then_some(())).await;
    }
    bot.until_all_ended().await;
    let message = until_it_says(&bot, "Please connect these 5 sources.").await;
    assert_eq!(lines(&message).iter().filter(|(_, button)| button.is_some()).count(), 5);
    let said = |it: &&Message| it.visibility == Visibility::Ephemeral;
    assert_eq!(bot.slack.messages().iter().filter(said).count(), 1, "once, and nothing else had to be said");
    bot.finish().await;
}
