//! Nothing waits for what does not concern it: edits not for Fivetran's budget, one link's look or
//! edit not for another's, and a command that must wait makes no cards meanwhile.

use std::time::Duration;

use connect_card::reply::ask::CANCEL;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::Call;
use stand_ins::slack::Message;

use crate::harness::{
    CHANNEL, PRIVATE, Setup, TestBot, Trick, USER, Wire, channels_with_a_link, client, link_of, until,
};

/// The message of a schema's link, as it stands.
fn message_of(bot: &TestBot, schema: &str) -> Message {
    let shown = format!("`{schema}`");
    let mut messages = bot.slack.messages().into_iter();
    messages.find(|it| it.thread_ts.is_none() && it.rendered().contains(&shown)).expect("a message")
}

async fn until_connected(bot: &TestBot, schema: &str) {
    until("it is connected", async || {
        message_of(bot, schema).rendered().contains(" is connected (since ").then_some(())
    })
    .await;
}

/// The customer's browser comes back, and nobody waits for the page.
fn land(bot: &TestBot, schema: &str) {
    let link = link_of(&message_of(bot, schema)).unwrap();
    let (_, path) = link.split_once("/connected/").unwrap();
    let url = format!("{}/connected/{}", bot.url, path.split(['&', '?']).next().unwrap());
    tokio::spawn(client().get(url).send());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_link_loses_its_button_at_once_whatever_fivetran_asks_of_lists() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let throttled = Fault::Throttled { retry_after: Some("3600".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("list_page", throttled, 1));
    bot.passes(Duration::from_secs(31)).await;
    assert_eq!(bot.fivetran.faults(|faults| faults.applied()), 1, "a list met the limit");
    let question = bot.private(&bot.types("cancel acme").await);
    bot.presses_meanwhile(USER, &question, CANCEL).await;
    let before = bot.clock.now();
    until("the edit", async || message_of(&bot, "acme").rendered().contains("was cancelled").then_some(()))
        .await;
    // The test moves the clock, and has not.
    assert!(bot.clock.now().duration_since(before).as_secs() < 3600);
    assert_eq!(channels_with_a_link(&bot.slack), [""; 0]);
    bot.stop().await;
}

/// A bot whose calls to Fivetran can be held back, with a link for each of these.
async fn behind_a_wire(schemas: &[&str]) -> (TestBot, Wire) {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "nothing yet").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    for schema in schemas {
        bot.types(&format!("google_ads {schema}")).await;
    }
    (bot, wire)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_hangs_delays_no_other_link() {
    let (bot, wire) = behind_a_wire(&["hangs", "moves"]).await;
    wire.listen_for(&format!("GET /v1/connections/{}", bot.connection_of("hangs")));
    wire.arm(Trick::Hold);
    land(&bot, "hangs");
    land(&bot, "moves");
    // One that its landing asked for, and one of the quick ones that follow.
    until("two looks to hang", async || (wire.played() == 2).then_some(())).await;
    // The other's landing was too early, and so is the first quick look; a later one finds it.
    let moves = bot.connection_of("moves");
    let is_look = |call: &Call| call.route == "get_connection" && call.path.ends_with(&moves);
    until("two looks at the other", async || {
        (bot.fivetran.calls().iter().filter(|call| is_look(call)).count() >= 2).then_some(())
    })
    .await;
    bot.fivetran.finish_setup(&moves);
    until_connected(&bot, "moves").await;
    assert_eq!(wire.given_up(), 0, "the looks still hang");
    wire.release();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_during_which_something_else_happens_is_made_again_at_once() {
    let (bot, wire) = behind_a_wire(&["acme"]).await;
    bot.fivetran.faults(|faults| faults.fail_always("list_page", Fault::Status(503)));
    wire.listen_for(&format!("GET /v1/connections/{}", bot.connection_of("acme")));
    wire.arm(Trick::Hold);
    land(&bot, "acme");
    until("two looks to hang", async || (wire.played() == 2).then_some(())).await;
    // So that nobody but these two tells what comes of it.
    let changes = "UPDATE connection SET version = version + 1, look_at = NULL RETURNING version";
    assert!(bot.count(changes).await > 0);
    bot.fivetran.finish_setup(&bot.connection_of("acme"));
    wire.release();
    until_connected(&bot, "acme").await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_hangs_delays_no_look() {
    let (bot, wire) = behind_a_wire(&["acme"]).await;
    wire.listen_for("limit=");
    wire.arm(Trick::Hold);
    bot.advance(Duration::from_secs(31));
    until("a list to hang", async || (wire.played() == 1).then_some(())).await;
    land(&bot, "acme");
    bot.fivetran.finish_setup(&bot.connection_of("acme"));
    until_connected(&bot, "acme").await;
    assert_eq!(wire.given_up(), 0, "it still hangs");
    wire.release();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_hangs_delays_no_other_message() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "nothing yet").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    for schema in ["hangs", "moves"] {
        bot.types(&format!("google_ads {schema}")).await;
    }
    // A body has the reference of its message's link, and no other has.
    let text = message_of(&bot, "hangs").rendered();
    wire.listen_for(&crate::harness::reference(&text).unwrap());
    wire.arm(Trick::Hold);
    for schema in ["hangs", "moves"] {
        bot.fivetran.finish_setup(&bot.connection_of(schema));
        land(&bot, schema);
        if schema == "hangs" {
            until("the edit to hang", async || (wire.played() == 1).then_some(())).await;
        }
    }
    until_connected(&bot, "moves").await;
    assert_eq!(wire.given_up(), 0, "it still hangs");
    wire.release();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_whose_message_is_held_elsewhere_makes_one_card_in_all_its_tries() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let first = link_of(&message_of(&bot, "acme"));
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let held = "UPDATE message SET owner = 'another', fence = fence + 1, lease_until = 9000000000000000";
    assert_eq!(sqlx::query(held).execute(&mut db).await.unwrap().rows_affected(), 1);
    bot.types_meanwhile(USER, CHANNEL, "renew acme").await;
    let looks = bot.fivetran.calls_to("get_connection") + bot.fivetran.calls_to("list_connections");
    until("five tries", async || {
        bot.advance(Duration::from_secs(2));
        let now = bot.fivetran.calls_to("get_connection") + bot.fivetran.calls_to("list_connections");
        (now >= looks + 5).then_some(())
    })
    .await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1);
    sqlx::query("UPDATE message SET lease_until = 0").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    bot.settle().await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1, "the one that it had kept");
    assert_ne!(link_of(&message_of(&bot, "acme")), first);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_call_of_a_post_is_not_made_on_a_lease_that_the_first_has_outlived() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "chat.postMessage").await;
    let setup = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).with("LEASE_SECONDS", "2");
    let bot = setup.start().await;
    wire.arm(Trick::Hold);
    // The bot is no member there: what the Web API refuses goes by the response_url.
    bot.send_in(PRIVATE, "google_ads acme").await;
    until("the first call", async || (wire.played() == 1).then_some(())).await;
    // No lease can be prolonged any more.
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut db).await.unwrap();
    let ended = "SELECT count(*) FROM command WHERE lease_until < unixepoch('subsec') * 1000";
    until("the end of its lease", async || {
        let ended: i64 = sqlx::query_scalar(ended).fetch_one(&mut db).await.unwrap();
        (ended == 1).then_some(())
    })
    .await;
    wire.release();
    // Whatever was sent when the answer came has arrived before all of these.
    for _ in 0..50 {
        client().get(bot.slack.url()).send().await.unwrap();
    }
    assert_eq!(bot.slack.calls_to("response_url"), 0);
    sqlx::query("ROLLBACK").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    bot.until_all_ended().await;
    assert_eq!(channels_with_a_link(&bot.slack), [PRIVATE], "once it is held again");
    bot.finish().await;
}
