//! Clocks that are wrong: the bot's against Slack's, one that jumps while something is done, and those of two
//! replicas against each other. Leases go by the database's, and what is done once is done once.

use std::time::Duration;

use connect_card::life::State;
use connect_card::work::Key;
use stand_ins::fault::Fault;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{Message, render};

use crate::harness::aged::engines;
use crate::harness::{CHANNEL, Engine, Setup, TestBot, USER, accepted, postgres, until};
use crate::sockets;

const TEN_MINUTES: Duration = Duration::from_secs(600);
/// As far as the clocks of replicas may be apart, for each to take Slack's signatures.
const APART: Duration = Duration::from_secs(290);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Puts the bot's clock off by ten minutes, in one direction or the other.
fn put_off(bot: &TestBot, ahead: bool) {
    if ahead { bot.clock.set_ahead(TEN_MINUTES) } else { bot.clock.set_back(TEN_MINUTES) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_minutes_off_no_request_is_taken_but_what_comes_over_a_socket() {
    for (ahead, way) in [(true, "ahead of Slack's"), (false, "behind Slack's")] {
        let bot = TestBot::start().await;
        put_off(&bot, ahead);
        let refused =
            bot.slack.command(&bot.url, "/connect-card google_ads refused", CHANNEL, USER).await.unwrap();
        assert_eq!(refused.status, 401, "{way}");
        assert_eq!(bot.count("SELECT count(*) FROM command").await, 0, "{way}");
        bot.stop().await;

        let bot = sockets::start().await;
        put_off(&bot, ahead);
        let told = until("the clock to be known", async || {
            let told = render(&bot.send("doctor").await.json());
            told.contains(way).then_some(told)
        })
        .await;
        assert!(told.contains("✗ The clock is ") && told.contains("Let NTP set"), "{told}");
        bot.send("google_ads acme").await;
        bot.finish_with_link().await;
    }
}

/// A creation without an answer may yet be done for a minute, by what passes and not by what a clock says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_while_a_connection_may_yet_appear_makes_no_second_one_and_keeps_nobody_waiting()
{
    for ahead in [true, false] {
        let setup = Setup::new().await;
        setup.fivetran.faults(|faults| faults.fail_next("create_connection", Fault::DropBefore, 1));
        let bot = setup.start().await;
        bot.send("google_ads acme").await;
        let looks = || bot.fivetran.calls_to("list_connections");
        until("a look", async || (looks() > 0).then_some(())).await;
        if ahead {
            bot.clock.set_ahead(TEN_MINUTES)
        } else {
            bot.clock.set_back(TEN_MINUTES)
        }
        let before = looks();
        until("more looks", async || (looks() > before + 1).then_some(())).await;
        assert_eq!(bot.fivetran.calls_to("create_connection"), 1, "ahead: {ahead}");
        bot.clock.advance(Duration::from_secs(66));
        bot.message(1).await;
        assert_eq!((bot.fivetran.calls_to("create_connection"), bot.created()), (2, 1), "ahead: {ahead}");
        bot.finish_with_link().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_while_a_connection_is_made_costs_no_lease_and_no_link() {
    for engine in engines() {
        for ahead in [true, false] {
            let mut setup = Setup::new().await;
            if let Engine::Postgres(postgres) = engine {
                setup = setup.with("DATABASE_URL", &postgres.database());
            }
            let slow = Fault::SlowAfter(Duration::from_millis(800));
            setup.fivetran.faults(|faults| faults.fail_next("create_connection", slow, 1));
            let bot = setup.start().await;
            bot.send("google_ads acme").await;
            until("the call", async || (bot.fivetran.calls_to("create_connection") > 0).then_some(())).await;
            put_off(&bot, ahead);
            bot.message(1).await;
            // And it is gone on with, by whichever clock.
            let key = Key { group_id: GROUP_ID.to_owned(), name: "acme".to_owned() };
            bot.customer_finishes("acme");
            until("the customer to be seen", async || {
                bot.clock.advance(Duration::from_secs(31));
                bot.look_at_due_links().await;
                let stored = bot.store().connection(&key).await.unwrap()?;
                (stored.connection.link.state == State::Connected && !stored.behind).then_some(())
            })
            .await;
            assert_eq!(bot.created(), 1, "{engine}");
            // The link's message, and a word in its thread.
            assert_eq!(bot.finish().await.len(), 2, "{engine}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_five_minutes_apart_do_everything_once() {
    let Some(postgres) = postgres::shared() else { return };
    let database = postgres.database();
    let behind = Setup::new().await.with("DATABASE_URL", &database).start().await;
    let ahead = Setup::beside(behind.outside()).with("DATABASE_URL", &database).start().await;
    ahead.clock.advance(APART);
    let mut references = std::collections::HashSet::new();
    for n in 0..4 {
        for (bot, tag) in [(&behind, "behind"), (&ahead, "ahead")] {
            references.extend(accepted(&bot.send(&format!("google_ads {tag}_{n}")).await));
        }
    }
    let outside = behind.outside();
    outside.until_all_ended(&references).await;
    assert_eq!(references.len(), 8);
    assert!(outside.messages_by_reference().values().all(|&messages| messages == (1, 0)));
    assert_eq!(behind.created(), 8);

    // By one clock the links have expired, by the other they have two minutes left.
    let expired = || {
        let texts: Vec<_> = outside.slack.messages().iter().map(Message::rendered).collect();
        let links = texts.iter().filter(|text| text.starts_with(":hourglass:")).count();
        let told =
            texts.iter().filter(|text| text.starts_with("The link for Google Ads has expired. If")).count();
        (links, told)
    };
    for bot in [&ahead, &behind] {
        bot.clock.advance(DAY - Duration::from_secs(120));
    }
    until("each link to be told to have expired", async || {
        ahead.look_at_due_links().await;
        (expired() == (8, 8)).then_some(())
    })
    .await;
    let said = outside.slack.messages().len();
    behind.look_at_due_links().await;
    assert_eq!((expired(), outside.slack.messages().len()), ((8, 8), said), "it is not taken back");
    behind.clock.advance(APART);
    for bot in [&behind, &ahead] {
        bot.look_at_due_links().await;
    }
    assert_eq!((expired(), outside.slack.messages().len()), ((8, 8), said), "nor told twice");
    ahead.stop().await;
    behind.stop().await;
}
