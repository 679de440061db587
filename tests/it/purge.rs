//! What is deleted in time, and what stays for as long as it is needed.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE};
use sqlx::{Connection as _, SqliteConnection};

use crate::harness::{SHARED, TestBot, USER};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The messages that are kept, by the connections that they were posted for, and the connections.
async fn kept(bot: &TestBot) -> (Vec<String>, Vec<String>) {
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let messages = sqlx::query_scalar("SELECT name || ' in ' || place_channel FROM message ORDER BY 1");
    let messages = messages.fetch_all(&mut db).await.unwrap();
    let connections = sqlx::query_scalar("SELECT name FROM connection ORDER BY 1");
    (messages, connections.fetch_all(&mut db).await.unwrap())
}

/// The housekeeping of many nights.
async fn purge(bot: &TestBot) {
    while bot.store().purge(bot.clock.now()).await.unwrap() > 0 {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_a_month_after_its_link_has_left_it_and_none_before() {
    let bot = TestBot::start().await;
    bot.types("google_ads stays").await;
    bot.types("google_ads moves").await;
    bot.types_as(USER, SHARED, "google_ads moves").await;
    bot.presses(USER, &bot.private_message(), POST_HERE).await;
    bot.types("google_ads ends").await;
    let question = bot.types("cancel ends").await;
    bot.presses(USER, &bot.private(&question), CANCEL).await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = ["ends in C0CUSTOMER", "moves in C0CUSTOMER", "moves in C0SHARED", "stays in C0CUSTOMER"];
    let all = (names(&all), names(&["ends", "moves", "stays"]));
    assert_eq!(kept(&bot).await, all);
    bot.passes(29 * DAY).await;
    purge(&bot).await;
    assert_eq!(kept(&bot).await, all, "not before a month is over");
    bot.passes(2 * DAY).await;
    purge(&bot).await;
    let left = (names(&["moves in C0SHARED", "stays in C0CUSTOMER"]), names(&["moves", "stays"]));
    assert_eq!(kept(&bot).await, left);
    bot.passes(400 * DAY).await;
    purge(&bot).await;
    assert_eq!(kept(&bot).await, left, "those are there for as long as their connections are");
    bot.finish().await;
}
