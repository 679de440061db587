//! Whatever Fivetran does: one link and one connection, or one sentence that says what to do.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::fivetran::FivetranStandIn;

use crate::harness::{Program, Setup, TestBot, Trick, Wire, is_note, until};

const COMMAND: &str = "google_ads customer_schema";

enum Ends {
    /// In one link and one connection.
    Well,
    /// In a sentence with all of these words, and no connection.
    Told(&'static [&'static str]),
}
use Ends::{Told, Well};

async fn check(name: &'static str, bot: TestBot, typed: &str, ends: Ends) {
    bot.send(typed).await;
    // What was lost is looked for until it cannot appear any more; no test has the minute.
    let mut looks = 0;
    until("a message", async || {
        let looked = bot.fivetran.calls_to("list_connections");
        if looked > looks {
            looks = looked;
            bot.clock.advance(Duration::from_secs(7));
        }
        bot.slack.messages().iter().any(|message| !is_note(message)).then_some(())
    })
    .await;
    let fivetran = bot.fivetran.clone();
    let created = bot.created();
    match ends {
        Well => {
            bot.finish_with_link().await;
            assert_eq!((created, fivetran.connections().len()), (1, 1), "{name}");
        }
        Told(words) => {
            let sentence = bot.finish_with_sentence().await;
            assert!(words.iter().all(|word| sentence.contains(word)), "{name}: {sentence}");
            assert_eq!((created, fivetran.connections().len()), (0, 0), "{name}");
        }
    }
}

fn creating(fivetran: &FivetranStandIn, fault: Fault, times: usize) {
    fivetran.faults(|faults| faults.fail_next("create_connection", fault, times));
}

fn throttled(seconds: &str) -> Fault {
    Fault::Throttled { retry_after: Some(seconds.to_owned()) }
}

/// All at once, so that their waits add up to one.
async fn all(cases: Vec<(&'static str, Vec<Fault>, Ends)>) {
    join_all(cases.into_iter().map(async |(name, faults, ends)| {
        let bot = TestBot::start().await;
        faults.into_iter().for_each(|fault| creating(&bot.fivetran, fault, 1));
        check(name, bot, COMMAND, ends).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_whose_fate_is_unclear_ends_in_one_connection_and_one_link() {
    all(vec![
        ("dropped before the work", vec![Fault::DropBefore], Well),
        ("dropped after the work", vec![Fault::DropAfter], Well),
        ("answered too late", vec![Fault::SlowAfter(Duration::from_secs(17))], Well),
        ("a truncated answer", vec![Fault::Truncated], Well),
        ("an HTML page with 200", vec![Fault::NotJson], Well),
        ("an empty answer", vec![Fault::Empty], Well),
        ("an answer of 4 MiB", vec![Fault::Oversized], Well),
        ("500, then well", vec![Fault::Status(500)], Well),
        ("503, then dropped after the work", vec![Fault::Status(503), Fault::DropAfter], Well),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_creation_ends_in_one_sentence_with_a_remedy() {
    let refusals = |status| vec![Fault::Status(status); 4];
    all(vec![
        ("401", refusals(401), Told(&["rejected the API key", "FIVETRAN_API_KEY"])),
        ("403", refusals(403), Told(&["isn't allowed to do this", "needs to let it create"])),
        ("400", refusals(400), Told(&["refused the request for", "The request is malformed"])),
        ("409 that speaks of no name", refusals(409), Told(&["can't do this", "in a few minutes"])),
        (
            "409 of a connection that cannot be seen",
            vec![Fault::Says(409, json!({"code": "Conflict", "message": "schema already exists"}))],
            Told(&["can't see", "another schema"]),
        ),
        (
            "a redirect",
            vec![Fault::Redirect("http://127.0.0.1:9/".to_owned())],
            Told(&["redirects me", "302", "HTTPS_PROXY"]),
        ),
        ("429 for an hour", vec![throttled("3600")], Told(&["rate limit", "Try again in 60 minutes"])),
        ("429 for a second", vec![throttled("1")], Well),
        ("429 without a word", vec![Fault::Throttled { retry_after: None }], Well),
    ])
    .await;
}

#[tokio::test]
async fn an_unknown_group_is_told_with_the_variable_that_sets_it() {
    let bot = Setup::new().await.with("FIVETRAN_GROUP_ID", "no_such_group").start().await;
    check("404", bot, COMMAND, Told(&["doesn't know this destination", "FIVETRAN_GROUP_ID"])).await;
}

#[tokio::test]
async fn a_wrong_key_is_told_with_the_variables_that_set_it() {
    let bot = Setup::new().await.with("FIVETRAN_API_KEY", "revoked").start().await;
    check("401", bot, COMMAND, Told(&["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"])).await;
}

#[tokio::test]
async fn a_service_that_fivetran_no_longer_has_is_told_in_its_words() {
    let setup = Setup::new().await;
    // Without the catalogue the one built in serves, which has services that the stand-in lacks.
    setup.fivetran.faults(|faults| faults.fail_always("connector_types", Fault::Status(503)));
    let bot = setup.start_without_catalogue().await;
    check("400", bot, "pinterest_ads customer_schema", Told(&["Unsupported connector service"])).await;
}

#[tokio::test]
async fn a_taken_name_may_be_refused_with_400_as_well() {
    let bot = TestBot::start().await;
    bot.fivetran.set_duplicate_answer(400);
    let _ = bot.fivetran.seed_connection("google_ads", "customer_schema", "incomplete");
    bot.send(COMMAND).await;
    bot.message(1).await;
    assert_eq!((bot.created(), bot.fivetran.connections().len()), (0, 1));
    assert!(bot.finish_with_link().await.rendered().contains("replaces an earlier one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_and_minting_are_repeated_until_they_work() {
    let faults = [Fault::Status(500), Fault::DropBefore, Fault::DropAfter, Fault::Truncated, throttled("1")];
    join_all(faults.into_iter().map(async |fault| {
        let bot = TestBot::start().await;
        creating(&bot.fivetran, Fault::DropAfter, 1);
        for route in ["list_connections", "connect_card"] {
            bot.fivetran.faults(|faults| faults.fail_next(route, fault.clone(), 2));
        }
        check("look and mint", bot, COMMAND, Well).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_slack_did_not_take_is_posted_again() {
    for (token, route) in [(true, "chat.postMessage"), (false, "response_url")] {
        let faults = [Fault::Status(500), Fault::DropBefore, throttled("1")];
        join_all(faults.into_iter().map(async |fault| {
            let setup = Setup::new().await;
            let setup = if token { setup } else { setup.without_token() };
            let bot = setup.start().await;
            bot.slack.faults(|faults| faults.fail_next(route, fault, 1));
            check(route, bot, COMMAND, Well).await;
        }))
        .await;
    }
}

#[tokio::test]
async fn one_slow_creation_holds_up_no_other_command() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "slow_customer").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    bot.send("google_ads slow_customer").await;
    until("the first creation", async || (bot.created() == 1).then_some(())).await;
    bot.send("hubspot quick_customer").await;
    assert!(bot.message(1).await.rendered().contains("quick_customer"));
    wire.release();
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test]
async fn when_fivetran_stays_away_the_person_is_told_while_that_is_possible() {
    let bot = Setup::new().await.without_token().start().await;
    for route in ["create_connection", "list_connections"] {
        bot.fivetran.faults(|faults| faults.fail_always(route, Fault::Status(503)));
    }
    bot.send(COMMAND).await;
    until("a first look", async || (bot.fivetran.calls_to("list_connections") > 0).then_some(())).await;
    assert!(bot.slack.messages().is_empty());
    // Past the last try at Fivetran, within the half hour of a response_url.
    bot.advance(Duration::from_secs(26 * 60));
    bot.message(1).await;
    let sentence = bot.finish_with_sentence().await;
    assert!(
        sentence.contains("gave no clear answer in time") && sentence.contains("same command"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_command_that_nobody_could_be_told_about_is_counted_and_listed() {
    let bot = Setup::new().await.without_token().start().await;
    bot.slack.faults(|faults| faults.fail_always("response_url", Fault::DropBefore));
    bot.send(COMMAND).await;
    until("a first post", async || (bot.slack.calls_to("response_url") > 0).then_some(())).await;
    bot.advance(Duration::from_secs(31 * 60));
    bot.until_all_ended().await;
    assert_eq!(bot.census().await.undeliverable, 1);
    assert_eq!(bot.fivetran.connections().len(), 1);
    assert!(bot.slack.messages().is_empty());

    let id = bot.fivetran.connections()[0]["id"].as_str().unwrap().to_owned();
    let program = Program::against(&bot.outside()).with("DATABASE_URL", &bot.database());
    let _folder = bot.stop().await;
    let output = program.run(&["check"]).await;
    let listed = output.stdout.lines().find(|line| line.contains("undeliverable"));
    assert!(listed.is_some_and(|line| line.contains(&id)), "{output:?}");
}
