//! `/connect-card SERVICE SCHEMA`: from the command to the link in the channel.

use futures_util::future::join_all;
use serde_json::json;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{Via, Visibility};

use crate::harness::{
    CHANNEL, PRIVATE, SHARED, Setup, TestBot, Trick, USER, Wire, accepted, link_of, post, signed_headers,
    until,
};

#[tokio::test]
async fn a_command_is_acknowledged_before_fivetran_has_answered() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    assert!(accepted(&bot.send("google_ads customer_schema").await).is_some());
    until("the creation", async || (bot.created() == 1).then_some(())).await;
    assert!(bot.slack.messages().is_empty(), "Fivetran's answer is held back");
    wire.release();
    bot.finish_with_link().await;
}

#[tokio::test]
async fn one_command_is_one_call_with_exactly_the_agreed_body() {
    let bot = TestBot::start().await;
    let ack = bot.send("google_ads customer_schema").await;
    let reference = ack.json()["blocks"][1]["elements"][0]["text"].as_str().unwrap().to_owned();
    let reference = reference.trim_start_matches("Ref ").trim_matches('`').to_owned();
    assert_eq!(reference.len(), 10);
    bot.message(1).await;
    let calls = bot.api_calls();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!((calls[0].method.as_str(), calls[0].path.as_str()), ("POST", "/v1/connections"));
    assert_eq!(
        calls[0].body,
        json!({
            "service": "google_ads",
            "group_id": GROUP_ID,
            "run_setup_tests": false,
            "paused": false,
            "destination_schema_names": "FIVETRAN_NAMING",
            "config": { "schema": "customer_schema" },
            "connect_card_config": { "redirect_uri": format!("{}/connected/{reference}", bot.url) },
        })
    );
    assert!(calls[0].authorized);
    assert_eq!(calls[0].accept.replace(' ', ""), "application/json;version=2");
    assert_eq!(calls[0].content_type, "application/json");
    assert!(calls[0].user_agent.starts_with("connect-card/"), "{}", calls[0].user_agent);
    let catalogue = bot.fivetran.calls().into_iter().find(|call| call.route == "connector_types").unwrap();
    assert!(!catalogue.authorized, "the public catalogue needs no key");
    bot.finish_with_link().await;
}

#[tokio::test]
async fn the_config_has_the_keys_that_the_service_wants() {
    for (typed, config) in [
        ("postgres erp", json!({ "schema_prefix": "erp" })),
        ("google_sheets budget.year_2026", json!({ "schema": "budget", "table": "year_2026" })),
        ("s3 lake.events", json!({ "schema": "lake", "table_group_name": "events" })),
    ] {
        let bot = TestBot::start().await;
        bot.send(typed).await;
        bot.message(1).await;
        assert_eq!(bot.api_calls()[0].body["config"], config, "{typed}");
        bot.finish_with_link().await;
    }
}

#[tokio::test]
async fn with_a_token_the_link_comes_by_the_web_api_alone() {
    let bot = TestBot::start().await;
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    assert_eq!(bot.slack.calls_to("response_url"), 0);
    assert_eq!(bot.finish_with_link().await.via, Via::PostMessage);
}

#[tokio::test]
async fn without_a_token_the_link_comes_by_the_response_url() {
    let bot = Setup::new().await.without_token().start().await;
    bot.send_in(PRIVATE, "google_ads customer_schema").await;
    bot.message(1).await;
    assert_eq!(bot.slack.calls_to("response_url"), 1);
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 0);
    let message = bot.finish_with_link().await;
    assert_eq!((message.via, message.channel.as_str()), (Via::ResponseUrl, PRIVATE));
    assert_eq!(message.payload["response_type"], "in_channel");
}

#[tokio::test]
async fn where_the_bot_is_not_a_member_the_response_url_serves() {
    let bot = TestBot::start().await;
    bot.send_in(PRIVATE, "google_ads customer_schema").await;
    bot.message(1).await;
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 1);
    assert_eq!(bot.created(), 1);
    let messages = bot.finish().await;
    let message = messages.iter().find(|message| link_of(message).is_some()).unwrap();
    assert_eq!((message.via, message.channel.as_str()), (Via::ResponseUrl, PRIVATE));
}

#[tokio::test]
async fn an_unfinished_connection_gets_a_fresh_link() {
    let bot = TestBot::start().await;
    let id = bot.fivetran.seed_connection("google_ads", "customer_schema", "incomplete");
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    assert_eq!(bot.created(), 0);
    assert_eq!(bot.fivetran.connections().len(), 1);
    let minted: Vec<_> = bot.api_calls().into_iter().filter(|call| call.route == "connect_card").collect();
    assert_eq!(minted.len(), 1);
    assert_eq!(minted[0].path, format!("/v1/connections/{id}/connect-card"));
    let message = bot.finish_with_link().await;
    assert!(message.rendered().contains("replaces an earlier one"), "{}", message.rendered());
}

#[tokio::test]
async fn a_connected_connection_is_refused_in_private() {
    let bot = TestBot::start().await;
    for (schema, state) in [("customer_schema", "connected"), ("broken_schema", "broken")] {
        let _ = bot.fivetran.seed_connection("google_ads", schema, state);
    }
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    bot.send("google_ads broken_schema").await;
    bot.message(2).await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    for message in bot.finish().await {
        assert_eq!((message.visibility, message.user.as_deref()), (Visibility::Ephemeral, Some(USER)));
        assert!(message.rendered().contains("already connected"), "{}", message.rendered());
    }
}

#[tokio::test]
async fn a_schema_of_another_service_is_refused_by_its_name() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("hubspot", "customer_schema", "incomplete");
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    let sentence = bot.finish_with_sentence().await;
    assert!(sentence.contains("hubspot") && sentence.contains("customer_schema_2"), "{sentence}");
}

#[tokio::test]
async fn a_retired_name_becomes_its_successor_and_the_reply_says_so() {
    let bot = TestBot::start().await;
    let ack = bot.send("adwords customer_schema").await;
    assert!(ack.json()["text"].as_str().unwrap().contains("adwords is called google_ads now"));
    bot.message(1).await;
    assert_eq!(bot.api_calls()[0].body["service"], "google_ads");
    let message = bot.finish_with_link().await;
    assert!(!message.rendered().contains("adwords"), "not the customer's affair: {}", message.rendered());
}

#[tokio::test]
async fn a_retired_name_that_the_catalogue_lists_is_taken_at_its_word() {
    let setup = Setup::new().await;
    setup.fivetran.list_service("adwords", "AdWords");
    let bot = setup.start().await;
    let ack = bot.send("adwords customer_schema").await;
    assert!(!ack.text().contains("google_ads"), "{}", ack.text());
    bot.message(1).await;
    let creation = bot.api_calls().pop().unwrap();
    assert_eq!((creation.route, &creation.body["service"]), ("create_connection", &json!("adwords")));
    bot.finish_with_link().await;
}

#[tokio::test]
async fn the_same_words_again_while_the_first_are_at_work_are_not_done_twice() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    bot.send("google_ads customer_schema").await;
    let again = bot.send("google_ads customer_schema").await;
    assert!(again.json()["text"].as_str().unwrap().starts_with("Already on it"), "{}", again.text());
    // Another customer's channel must not get a link to the same connection while the first is on
    // its way, whose channel Fivetran cannot tell us yet.
    let elsewhere = bot.send_in(SHARED, "google_ads customer_schema").await;
    assert!(elsewhere.text().contains("requested in another one"), "{}", elsewhere.text());
    wire.release();
    assert_eq!(bot.finish_with_link().await.channel, CHANNEL);
}

#[tokio::test]
async fn one_signed_request_replayed_twenty_times_is_one_command() {
    let bot = TestBot::start().await;
    let request = bot.slack.command_request("/connect-card google_ads customer_schema", CHANNEL, USER);
    let headers = signed_headers(request.body.as_bytes());
    let url = format!("{}/slack/commands", bot.url);
    let replay = || post(&url, &headers, request.body.clone().into_bytes());
    let acks = join_all((0..19).map(|_| replay())).await;
    bot.message(1).await;
    bot.until_all_ended().await;
    let late = replay().await;
    for ack in acks.into_iter().chain([late]) {
        assert_eq!(ack.unwrap().status, 200);
    }
    assert_eq!((bot.created(), bot.fivetran.connections().len()), (1, 1));
    bot.finish_with_link().await;
}

#[tokio::test]
async fn words_that_are_no_command_are_answered_in_the_acknowledgement_alone() {
    let bot = TestBot::start().await;
    for (typed, hint) in [
        ("help", "/connect-card google_ads customer_schema"),
        ("google_ads", "Add a schema"),
        ("gogle_ads customer_schema", "Did you mean google_ads"),
        ("google_ads Customer-Schema", "/connect-card google_ads customer_schema"),
        ("google_sheets budget", "/connect-card google_sheets budget.my_table"),
        ("google_ads customer_schema to nowhere", "I don't know a destination called “nowhere”"),
    ] {
        let ack = bot.send(typed).await.json();
        assert_eq!(ack["response_type"], "ephemeral");
        assert!(ack.to_string().contains(hint), "{typed}: {ack}");
    }
    assert_eq!(bot.api_calls().len(), 0);
    assert!(bot.finish().await.is_empty());
}
