//! `[destinations.x] watch = true`: what was made elsewhere and has lost its access is brought up in its
//! customer's channel, once.

use std::time::Duration;

use connect_card::reply::live::RENEW;
use expect_test::expect;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{BOT_TOKEN, Message};
use tempfile::TempDir;

use crate::harness::{
    CHANNEL, Engine, OUTSIDER, Outside, PRIVATE, Setup, TestBot, USER, link_of, postgres, until,
};

/// Longer than until a destination is listed again in which nothing is the bot's.
pub(crate) const A_WHILE: Duration = Duration::from_secs(5 * 60 + 31);
const INFO: &str = "conversations.info";
pub(crate) const POST: &str = "chat.postMessage";
const LISTS: &str = "list_page";

pub(crate) fn acme() -> String {
    format!("[channels.{CHANNEL}]\ncustomer = \"acme\"\n")
}

/// A destination, watched or not, and these channels.
pub(crate) fn config(watch: bool, channels: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    let text = format!(
        "schema = \"{{customer}}_{{service}}\"\n[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\nwatch = {watch}\n{channels}"
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

pub(crate) async fn bot_of(setup: Setup, watch: bool, channels: &str) -> TestBot {
    let (_folder, path) = config(watch, channels);
    let bot = setup.with("CONFIG", &path).with("FIVETRAN_GROUP_ID", "").start().await;
    // Its first list is one without anything in it, not one that is on its way when something is made.
    if bot.fivetran.connections().is_empty() {
        bot.settle().await;
    }
    bot
}

pub(crate) async fn bot(channels: &str) -> TestBot {
    bot_of(Setup::new().await, true, channels).await
}

/// Somebody makes a connection in Fivetran, and it works.
pub(crate) fn made_elsewhere(bot: &TestBot, schema: &str) -> String {
    bot.fivetran.seed_connection("stripe", schema, "connected")
}

pub(crate) fn posted(bot: &TestBot) -> Vec<Message> {
    bot.slack.messages()
}

#[tokio::test]
async fn one_that_loses_its_access_is_brought_up_and_lives_from_then_on_as_every_other() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 0, "it works");
    bot.connection_breaks("acme_stripe", "The token was revoked.");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    bot.types("list").await;
    bot.types("status acme_stripe").await;
    let message = posted(&bot).into_iter().find(|it| it.rendered().contains("stopped working")).unwrap();
    bot.presses(OUTSIDER, &message, RENEW).await;
    assert_eq!(bot.created(), 0);
    bot.customer_finishes("acme_stripe");
    bot.passes(A_WHILE).await;
    bot.connection_breaks("acme_stripe", "The token was revoked again.");
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        … 5 min later …
        the connection breaks; Fivetran says: reconnect / Reconnect / The token was revoked.
        … 5 min later …
        #customer-acme
        bot posts message 1:
            :warning: *Stripe* was connected, but its access has stopped working. Fivetran says: The token
            was revoked. To fix it, get a link and sign in again.
            [Get a link to fix it]
            The data goes to `acme_stripe` in prod · Ref R1
        … 5 min later …
        alice: /connect-card list
          only alice sees:
              One link in this channel:
              :warning: *Stripe* into `acme_stripe`
              needs to be connected again · since T+10min · not requested here
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
        alice: /connect-card status acme_stripe
          only alice sees:
              :warning: *Stripe* into `acme_stripe`
              needs to be connected again · since T+10min
              Fivetran says: set up, but not working now; the next sync is scheduled; the first sync isn't
              finished yet.
              To do:
              • Reconnect (reconnect): The token was revoked.
              Not requested here · Posted T+10min, T+10min · In prod · Connection `amber_anchor` · Ref R1
              [Get a link to fix it]
        outsider presses [Get a link to fix it] of message 1
        bot edits message 1:
            Please connect *Stripe*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            Stripe was connected before. Signing in again replaces the earlier sign-in.
            [Connect Stripe → card 1]
            The data goes to `acme_stripe` in prod · Works until T+24h20min · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
          in the thread of message 1:
              @outsider asked for a new link; it's in the message above.
        the customer finishes the setup
        … 5 min later …
        bot edits message 1:
            :white_check_mark: *Stripe* is connected (since T+20min).
            The data goes to `acme_stripe` in prod · Ref R1
          in the thread of message 1:
              Stripe is connected, and its first sync has started.
        the connection breaks; Fivetran says: reconnect / Reconnect / The token was revoked again.
        … 5 min later …
        bot edits message 1:
            :warning: *Stripe* was connected, but its access has stopped working. Fivetran says: The token
            was revoked again. To fix it, get a link and sign in again.
            [Get a link to fix it]
            The data goes to `acme_stripe` in prod · Ref R1
          in the thread of message 1:
              Stripe needs to be connected again: The token was revoked again.
    "#]])
        .await;
}

#[tokio::test]
async fn what_heals_by_itself_is_told_so() {
    let bot = bot(&acme()).await;
    let id = made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.fivetran.finish_setup(&id);
    bot.passes(A_WHILE).await;
    let messages = posted(&bot);
    assert!(messages[0].rendered().contains("is connected"), "{}", messages[0].rendered());
    assert!(!messages.iter().any(|it| it.rendered().contains("Requested by")));
    bot.finish().await;
}

#[tokio::test]
async fn whatever_else_is_broken_is_silent() {
    let other = format!("[channels.{PRIVATE}]\ncustomer = \"acme\"\n");
    let two = acme() + &other;
    let one = acme();
    let only_hubspot = acme() + "services = [\"hubspot\"]\n";
    for (what, channels, schema, task, paused) in [
        ("nobody's", &one, "globex_stripe", ["reconnect", "Reconnect", ""], false),
        ("of two", &two, "acme_stripe", ["reconnect", "Reconnect", ""], false),
        ("another service", &only_hubspot, "acme_stripe", ["reconnect", "Reconnect", ""], false),
        ("another cause", &one, "acme_stripe", ["reconnect_warehouse", "Reconnect Warehouse", ""], false),
        ("a sync", &one, "acme_stripe", ["unknown_sync_failure", "Sync failed", ""], false),
        ("paused", &one, "acme_stripe", ["reconnect", "Reconnect", ""], true),
    ] {
        let bot = bot(channels).await;
        let id = made_elsewhere(&bot, schema);
        bot.fivetran.break_with(&id, task);
        bot.fivetran.set_paused(&id, paused);
        bot.passes(A_WHILE).await;
        bot.passes(A_WHILE).await;
        assert!(bot.fivetran.calls_to(LISTS) >= 2, "{what}");
        assert_eq!(posted(&bot).len(), 0, "{what}");
        bot.finish().await;
    }
}

#[tokio::test]
async fn one_that_nobody_finished_is_not_the_bots() {
    let bot = bot(&acme()).await;
    let id = bot.fivetran.seed_connection("stripe", "acme_stripe", "incomplete");
    bot.passes(A_WHILE).await;
    bot.fivetran.set_tasks(&id, vec![stand_ins::fivetran::tasks::task("reconnect", "Reconnect", "")]);
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 0);
    bot.finish().await;
}

#[tokio::test]
async fn without_watch_nothing_is_listed_and_nothing_said() {
    let bot = bot_of(Setup::new().await, false, &acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    for _ in 0..3 {
        bot.passes(A_WHILE).await;
    }
    assert_eq!((posted(&bot).len(), bot.fivetran.calls_to(LISTS)), (0, 0));
    bot.finish().await;
}

#[tokio::test]
async fn nothing_is_said_where_a_command_would_be_asked_first() {
    let setup = Setup::new().await;
    setup.slack.share(CHANNEL, &["T0OTHER", "T0HOOLI"], &[]);
    let bot = bot_of(setup, true, &acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert_eq!((posted(&bot).len(), bot.slack.calls_to(INFO)), (0, 1));
    bot.slack.share(CHANNEL, &["T0OTHER"], &[]);
    bot.passes(A_WHILE * 2).await;
    assert_eq!(posted(&bot).len(), 1, "with one customer it is said");
    bot.finish().await;
}

#[tokio::test]
async fn of_many_a_few_are_brought_up_at_a_time_in_each_channel() {
    let bot = bot(&acme()).await;
    for service in ["stripe", "hubspot", "google_ads", "facebook_ads", "github"] {
        let id = bot.fivetran.seed_connection(service, &format!("acme_{service}"), "connected");
        bot.fivetran.break_with(&id, ["reconnect", "Reconnect", ""]);
    }
    let lists = bot.fivetran.calls_to(LISTS);
    bot.passes(A_WHILE).await;
    let lists = bot.fivetran.calls_to(LISTS) - lists;
    assert_eq!(posted(&bot).len(), (lists * 3).min(5), "after {lists} lists");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 5);
    bot.finish().await;
}

#[tokio::test]
async fn slack_that_says_nothing_of_one_channel_is_asked_of_no_other_until_the_next_list() {
    let globex = format!("[channels.{PRIVATE}]\ncustomer = \"globex\"\n");
    let bot = bot(&(acme() + &globex)).await;
    for customer in ["acme", "globex"] {
        for service in ["stripe", "hubspot"] {
            let id = bot.fivetran.seed_connection(service, &format!("{customer}_{service}"), "connected");
            bot.fivetran.break_with(&id, ["reconnect", "Reconnect", ""]);
        }
    }
    bot.slack.faults(|faults| faults.fail_always(INFO, Fault::Status(503)));
    let lists = bot.fivetran.calls_to(LISTS);
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    let lists = bot.fivetran.calls_to(LISTS) - lists;
    assert!(lists >= 2, "{lists}");
    assert!((1..=lists).contains(&bot.slack.calls_to(INFO)), "{} of {lists}", bot.slack.calls_to(INFO));
    assert_eq!(posted(&bot).len(), 0);
    bot.slack.faults(|faults| faults.heal());
    for _ in 0..3 {
        bot.passes(A_WHILE).await;
    }
    // The bot is not in the other channel.
    assert_eq!(posted(&bot).len(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn what_the_release_before_has_passed_over_is_posted() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.slack.faults(|faults| {
        faults.fail_always(
            POST,
            Fault::Says(200, serde_json::json!({ "ok": false, "error": "not_in_channel" })),
        )
    });
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.heal());
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let passed_over = "UPDATE message SET shown = wanted, due = NULL, lease_until = 0 WHERE due IS NOT NULL";
    assert_eq!(sqlx::query(passed_over).execute(&mut db).await.unwrap().rows_affected(), 1);
    db.close().await.unwrap();
    let outside = bot.outside();
    let folder = bot.stop().await;
    let next = bot_of(Setup::beside(outside).after(folder), true, &acme()).await;
    until("the message", async || (posted(&next).len() == 1).then_some(())).await;
    next.finish().await;
}

#[tokio::test]
async fn one_made_again_under_the_name_of_one_that_is_gone_is_brought_up() {
    let bot = bot(&acme()).await;
    bot.types("stripe").await;
    bot.customer_finishes("acme_stripe");
    bot.passes(A_WHILE).await;
    let first = bot.fivetran.connections()[0]["id"].as_str().unwrap().to_owned();
    bot.fivetran.delete(&first);
    for _ in 0..6 {
        bot.passes(A_WHILE).await;
    }
    let gone = posted(&bot)[0].rendered();
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    let messages = posted(&bot);
    let brought_up = messages.iter().filter(|it| it.rendered().contains("stopped working")).count();
    assert_eq!(brought_up, 1, "{messages:?}");
    assert_eq!(messages[0].rendered(), gone);
    bot.finish().await;
}

#[tokio::test]
async fn where_links_are_private_nothing_is_brought_up() {
    let setup = Setup::new().await.with("LINK_VISIBILITY", "requester");
    let bot = bot_of(setup, true, &acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert_eq!((posted(&bot).len(), bot.fivetran.calls_to(LISTS)), (0, 0));
    bot.finish().await;
}

#[tokio::test]
async fn slack_is_asked_again_and_what_has_healed_meanwhile_is_not_brought_up() {
    let bot = bot(&acme()).await;
    let id = made_elsewhere(&bot, "acme_stripe");
    bot.slack.faults(|faults| {
        faults.fail_always(
            POST,
            Fault::Says(200, serde_json::json!({ "ok": false, "error": "not_in_channel" })),
        )
    });
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert_eq!(posted(&bot).len(), 0);
    bot.fivetran.finish_setup(&id);
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.heal());
    bot.passes(Duration::from_secs(2 * 60 * 60)).await;
    assert_eq!(posted(&bot).len(), 0, "nobody read that it was broken");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.passes(A_WHILE).await;
    let messages = posted(&bot);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].rendered().contains("stopped working"), "{}", messages[0].rendered());
    bot.finish().await;
}

#[tokio::test]
async fn whoever_asks_for_it_has_the_only_link() {
    let bot = bot(&acme()).await;
    made_elsewhere(&bot, "acme_stripe");
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    bot.types("stripe").await;
    let question = bot.private_message();
    bot.presses(USER, &question, connect_card::reply::ask::REAUTHORISE).await;
    let links = posted(&bot).into_iter().filter(|it| link_of(it).is_some()).count();
    assert_eq!((links, bot.created(), bot.fivetran.connections().len()), (1, 0, 1));
    bot.settle().await;
    assert!(posted(&bot)[0].rendered().contains("A link for"), "{}", posted(&bot)[0].rendered());
    bot.finish().await;
}

#[tokio::test]
async fn turned_off_it_stays_as_it_is_and_is_watched_as_one_of_ours() {
    let first = bot(&acme()).await;
    let outside = first.outside();
    made_elsewhere(&first, "acme_stripe");
    first.connection_breaks("acme_stripe", "");
    first.passes(A_WHILE).await;
    let folder = first.stop().await;
    let second = bot_of(Setup::beside(outside).after(folder), false, &acme()).await;
    let foreign = second.fivetran.seed_connection("hubspot", "acme_hubspot", "connected");
    second.fivetran.break_with(&foreign, ["reconnect", "Reconnect", ""]);
    second.passes(A_WHILE).await;
    assert_eq!(posted(&second).len(), 1, "{:?}", posted(&second));
    second.customer_finishes("acme_stripe");
    second.passes(A_WHILE).await;
    assert!(posted(&second)[0].rendered().contains("is connected"), "{}", posted(&second)[0].rendered());
    second.finish().await;
}

#[tokio::test]
async fn one_of_ours_that_breaks_after_it_was_watched_says_so_in_its_message() {
    let bot = bot(&acme()).await;
    bot.types("stripe").await;
    bot.customer_finishes("acme_stripe");
    bot.passes(A_WHILE).await;
    bot.passes(Duration::from_secs(40 * 24 * 60 * 60)).await;
    bot.connection_breaks("acme_stripe", "");
    bot.passes(A_WHILE).await;
    assert!(posted(&bot)[0].rendered().contains("stopped working"), "{}", posted(&bot)[0].rendered());
    assert_eq!(bot.created(), 1);
    bot.finish().await;
}

/// A program on this engine that watches, beside a connection that has lost its access.
pub(crate) fn program(engine: Engine, outside: &Outside, path: &str) -> crate::harness::Program {
    engine
        .program(outside)
        .with("SLACK_BOT_TOKEN", BOT_TOKEN)
        .with("CONFIG", path)
        .with("FIVETRAN_GROUP_ID", "")
}

pub(crate) fn breaks(outside: &Outside, service: &str) {
    let id = outside.fivetran.seed_connection(service, &format!("acme_{service}"), "connected");
    outside.fivetran.break_with(&id, ["reconnect", "Reconnect", ""]);
}

/// Between a commit and what follows from it: what is posted is there once. What Slack has taken and no row
/// knows of is posted once more, as a command's link is.
async fn survives(engine: Engine, point: &str, most: usize) {
    let outside = Outside::start().await;
    breaks(&outside, "stripe");
    let (_folder, path) = config(true, &acme());
    let lease = if matches!(engine, Engine::Postgres(_)) { "1" } else { "600" };
    let program = program(engine, &outside, &path).with("LEASE_SECONDS", lease);
    let mut crashing = program.clone().with("CRASH_AT", point).with("CRASH_BY", "kill").start().await;
    assert_eq!(crashing.wait().await.code(), None, "{engine} at “{point}”: {}", crashing.log());
    let process = program.start().await;
    until("the message", async || outside.slack.messages().len().ge(&most).then_some(())).await;
    process.stop().await;
    let messages = outside.slack.messages();
    assert_eq!(messages.len(), most, "{engine} at “{point}”: {messages:?}");
    let last = messages.last().unwrap().rendered();
    assert!(last.contains("stopped working"), "{last}");
    outside.shutdown();
}

#[tokio::test]
async fn a_crash_loses_no_message_and_makes_no_second_one() {
    let points = [("bring up: recorded", 1), ("bring up: before the post", 1), ("bring up: posted", 2)];
    for (point, most) in points {
        survives(Engine::Sqlite, point, most).await;
        if let Some(postgres) = postgres::shared() {
            survives(Engine::Postgres(postgres), point, most).await;
        }
    }
}

#[tokio::test]
async fn two_replicas_bring_each_up_once() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    let services = ["stripe", "hubspot", "google_ads", "facebook_ads", "github"];
    services.iter().for_each(|service| breaks(&outside, service));
    let (_folder, path) = config(true, &acme());
    let one = program(Engine::Postgres(postgres), &outside, &path);
    let other = one.clone().on_another_port();
    let (first, second) = tokio::join!(one.start(), other.start());
    until("the messages", async || (outside.slack.messages().len() >= services.len()).then_some(())).await;
    let _ = tokio::join!(first.stop(), second.stop());
    assert_eq!(outside.slack.messages().len(), services.len());
    outside.shutdown();
}
