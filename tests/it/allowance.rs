//! Who asks for too much is told so at once, nothing comes of it, and nobody else notices.

use std::time::Duration;

use connect_card::reply::home::EXPORT;
use connect_card::reply::live::RENEW;
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::slack::Used;

use crate::harness::{
    CHANNEL, COLLEAGUE, OUTSIDER, Outside, Program, Setup, TestBot, USER, accepted, post, until,
};

/// Commands that one person may send within ten minutes, here.
const FEW: usize = 3;
/// In which one more comes back.
const A_THIRD: Duration = Duration::from_secs(200);

async fn bot() -> TestBot {
    Setup::new().await.with("COMMANDS_PER_PERSON", "3").start().await
}

#[track_caller]
fn assert_refused(said: &str, words: &str) {
    assert!(said.contains("I didn't do this") && said.contains(words), "{said}");
}

#[tokio::test]
async fn one_person_can_only_ask_for_so_much_and_another_for_as_much() {
    let bot = bot().await;
    for n in 0..FEW {
        bot.types(&format!("google_ads acme_{n}")).await;
    }
    for typed in ["google_ads acme_3", "renew acme_1", "status acme_1", "list", "cancel acme_1", ""] {
        assert_refused(&bot.types(typed).await.text(), "from one person");
    }
    assert_eq!(bot.count("SELECT count(*) FROM command").await, 3);
    // What costs nothing is answered.
    for typed in ["help", "services ads", "gogle_ads x"] {
        let said = bot.types(typed).await.text();
        assert!(!said.contains("I didn't do this"), "{said}");
    }
    bot.types_as(COLLEAGUE, CHANNEL, "google_ads acme_3").await;
    assert_eq!(bot.created(), 4);
    // It comes back with time.
    bot.advance(A_THIRD);
    bot.types("google_ads acme_4").await;
    assert_refused(&bot.types("google_ads acme_5").await.text(), "in 4 minutes");
    assert_eq!(bot.created(), 5);
    bot.finish().await;
}

#[tokio::test]
async fn a_form_and_a_button_count_as_what_is_typed_does() {
    let bot = bot().await;
    bot.types("google_ads acme").await;
    let view = bot.opens_form().await;
    bot.types("status acme").await;
    let answer = bot.submits(USER, &view, ["google_ads", "another", ""]).await;
    let said = answer["errors"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
    assert_refused(said, "from one person");
    // The form stays open, and works once there is something left.
    bot.advance(A_THIRD);
    let answer = bot.submits(USER, &view, ["google_ads", "another", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    bot.finish().await;
}

#[tokio::test]
async fn a_customer_who_presses_counts_as_whoever_types_does() {
    let bot = Setup::new().await.with("COMMANDS_PER_PERSON", "1").start().await;
    let mut links = Vec::new();
    for schema in ["acme", "another"] {
        bot.types(&format!("google_ads {schema}")).await;
        links.push(bot.link_message());
        bot.advance(3 * A_THIRD);
    }
    bot.passes(Duration::from_secs(25 * 3600)).await;
    let now = bot.slack.messages();
    let links = links.iter().map(|link| now.iter().find(|it| it.ts == link.ts).unwrap());
    let mut answers = Vec::new();
    for link in links {
        answers.push(bot.presses(OUTSIDER, link, RENEW).await.to_string());
    }
    assert_eq!(answers[0], "null", "the message shows a new link");
    assert_refused(&answers[1], "from one person");
    bot.finish().await;
}

#[tokio::test]
async fn a_list_as_a_file_counts_too() {
    let bot = Setup::new().await.with("COMMANDS_PER_PERSON", "1").start().await;
    bot.types("google_ads acme").await;
    bot.slack.open_home(&bot.url, USER).await.unwrap();
    let home = until("a Home", async || bot.slack.homes().pop()).await.1;
    let used = Used { action_id: EXPORT, ..Used::default() };
    bot.slack.use_in_view(&bot.url, home["id"].as_str().unwrap(), used, json!({}), USER).await.unwrap();
    let said = until("the refusal", async || {
        let home = bot.slack.homes().pop()?.1.to_string();
        home.contains("I didn't do this").then_some(home)
    });
    assert_refused(&said.await, "from one person");
    assert!(bot.slack.files().is_empty());
    bot.finish().await;
}

#[tokio::test]
async fn the_workspace_can_only_ask_for_so_much() {
    let bot = Setup::new().await.with("COMMANDS_PER_WORKSPACE", "2").start().await;
    bot.types("google_ads acme").await;
    bot.types_as(COLLEAGUE, CHANNEL, "hubspot acme_crm").await;
    assert_refused(&bot.types("google_ads late").await.text(), "commands in all");
    assert_refused(&bot.types_as(COLLEAGUE, CHANNEL, "google_ads late").await.text(), "commands in all");
    assert_eq!(bot.created(), 2);
    bot.finish().await;
}

#[tokio::test]
async fn a_command_that_was_taken_in_is_never_told_that_it_was_not() {
    let bot = bot().await;
    let request = bot.slack.command_request("/connect-card google_ads acme", CHANNEL, USER);
    let headers = bot.slack.signed_request(request.body.as_bytes());
    let url = format!("{}/slack/commands", bot.url);
    let send = async || post(&url, &headers, request.body.clone().into_bytes()).await.unwrap();
    let first = accepted(&send().await).unwrap();
    bot.settle().await;
    for n in 1..FEW {
        bot.send(&format!("google_ads acme_{n}")).await;
    }
    assert_refused(&bot.send("google_ads too_much").await.text(), "from one person");
    assert_eq!(accepted(&send().await), Some(first));
    assert_eq!(bot.created(), FEW);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_has_an_end_and_what_was_taken_in_is_done() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("OPEN_COMMANDS", "5");
    let process = program.start().await;
    outside.fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Status(503)));
    let mut taken = std::collections::HashSet::new();
    let refused = until("a refusal", async || {
        let ack = process.send(&outside.slack, &format!("google_ads acme_{}", taken.len())).await;
        match accepted(&ack) {
            Some(reference) => {
                taken.insert(reference);
                None
            }
            None => Some(ack.text()),
        }
    })
    .await;
    assert_refused(&refused, "waiting to be done");
    assert!((4..=6).contains(&taken.len()), "{taken:?}");
    // A look is still answered.
    assert!(!process.send(&outside.slack, "list").await.text().contains("I didn't do this"));
    outside.fivetran.faults(stand_ins::fault::Faults::heal);
    outside.until_all_ended(&taken).await;
    let again = process.send(&outside.slack, "google_ads afterwards").await;
    assert!(accepted(&again).is_some(), "{}", again.text());
    let log = process.stop().await;
    assert!(log.contains("too many commands are open; no other is accepted"), "{log}");
}
