//! Drives sockets as an app does: who gets one, what comes on it, and what may be said there.

use std::collections::BTreeMap;

use futures_util::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;

use super::super::*;
use super::app::*;
use super::json;
use crate::outside::client;

#[tokio::test]
async fn an_address_is_given_to_an_app_level_token_in_the_header() {
    let slack = stand_in().await;
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for (authorization, error) in [
        (None, "not_authed"),
        (bearer(BOT_TOKEN), "not_allowed_token_type"),
        (bearer("xapp-1-A0OTHER-1-x"), "invalid_auth"),
    ] {
        let answer = ask(&slack, authorization.as_deref(), "{}").await.json();
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!(error)));
    }
    // "Passing it as a POST parameter will result in an error": docs.slack.dev.
    let form = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let url = format!("{}apps.connections.open", slack.api_url());
    let body = format!("token={APP_TOKEN}").into_bytes();
    let in_the_body = post(&client(), &url, &form, body).await.unwrap().json();
    assert_eq!(in_the_body["error"], "invalid_auth");

    let url = address(&slack).await;
    assert!(url.starts_with("ws://127.0.0.1:") && url.contains("/link/?ticket="), "{url}");
    assert!(url.ends_with(&format!("&app_id={APP_ID}")), "{url}");

    slack.set_app_tokens(&["xapp-new"]);
    let old = ask(&slack, bearer(APP_TOKEN).as_deref(), "{}").await.json();
    assert_eq!(old["error"], "invalid_auth");
    assert_eq!(ask(&slack, bearer("xapp-new").as_deref(), "{}").await.json()["ok"], true);

    let pause = Fault::Throttled { retry_after: Some("7".to_owned()) };
    slack.faults(|faults| faults.fail_next("apps.connections.open", pause, 1));
    for _ in 0..2 {
        assert_eq!(ask(&slack, bearer("xapp-new").as_deref(), "{}").await.status, 429);
    }
    slack.shutdown();
}

#[tokio::test]
async fn a_ticket_opens_one_socket_within_half_a_minute() {
    let slack = stand_in().await;
    let (used, late) = (address(&slack).await, address(&slack).await);
    let strange = used.replace(APP_ID, "A0OTHER");
    let socket = App::connect(&used).await.unwrap();
    slack.advance(Duration::from_secs(31));
    for url in [used, late, strange] {
        match App::connect(&url).await.err() {
            Some(Error::Http(response)) => assert_eq!(response.status(), 409),
            other => panic!("{url}: {other:?}"),
        }
    }
    drop(socket);
    slack.shutdown();
}

#[tokio::test]
async fn a_socket_says_hello_first_and_the_eleventh_is_turned_away() {
    let slack = stand_in().await;
    let mut sockets = Vec::new();
    for count in 1..=10 {
        let mut app = App::connect(&address(&slack).await).await.unwrap();
        let hello = app.next().await;
        assert_eq!((&hello["type"], &hello["num_connections"]), (&json!("hello"), &json!(count)));
        assert_eq!(hello["connection_info"], json!({ "app_id": APP_ID }));
        let debug = &hello["debug_info"];
        assert!(debug["host"].is_string() && debug["build_number"].is_u64(), "{debug}");
        assert_eq!(debug["approximate_connection_time"], 18_060);
        sockets.push(app);
    }
    let mut eleventh = App::connect(&address(&slack).await).await.unwrap();
    assert_eq!(eleventh.last().await, (vec!["too_many_websockets".to_owned()], None));
    sockets.pop();
    slack.wait_for_sockets(|count| count == 9).await;
    let url = format!("{}&debug_reconnects=true", address(&slack).await);
    let mut tenth = App::connect(&url).await.unwrap();
    assert_eq!(tenth.next().await["debug_info"]["approximate_connection_time"], 360);
    assert!(slack.violations().is_empty(), "{:?}", slack.violations());
    slack.shutdown();
}

#[tokio::test]
async fn a_command_is_the_form_as_an_object_and_its_acknowledgement_what_a_person_sees() {
    let slack = stand_in().await;
    let mut app = App::open(&slack).await;
    let answer = json!({ "response_type": "ephemeral", "text": "Wait" });
    let typing = type_command(&slack);
    let envelope = app.serve(&answer).await;
    let ack = typing.await.unwrap().unwrap();
    assert_eq!((ack.status, ack.json(), ack.content_type.as_str()), (200, answer.clone(), JSON));
    assert_eq!(envelope["type"], "slash_commands");
    assert_eq!(envelope["accepts_response_payload"], true);
    assert_eq!(envelope["envelope_id"].as_str().unwrap().len(), 36);
    assert_eq!(envelope["payload"]["response_url"], ack.response_url);
    assert_eq!(envelope["payload"]["trigger_id"], ack.trigger_id);
    let form = slack.command_request(TYPED, "C0CUSTOMER", "U0ALICE").body;
    let mut form: BTreeMap<String, Value> = form_urlencoded::parse(form.as_bytes())
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect();
    for fresh in ["response_url", "trigger_id"] {
        form.insert(fresh.to_owned(), envelope["payload"][fresh].clone());
    }
    assert_eq!(envelope["payload"], json!(form));

    // What a person sees of it is what they see over HTTP.
    let writing = slack.clone();
    let writing = tokio::spawn(async move { writing.write("", TYPED, "C0CUSTOMER", "U0ALICE").await });
    app.serve(&answer).await;
    writing.await.unwrap();
    let seen = slack.messages();
    assert_eq!((seen.len(), seen[0].via, seen[0].rendered().as_str()), (1, Via::Ack, "Wait"));
    assert!(slack.violations().is_empty());
    slack.shutdown();
}

#[tokio::test]
async fn an_interaction_is_the_payload_that_its_form_carries() {
    let slack = stand_in().await;
    let mut app = App::open(&slack).await;
    let posting = json!({ "channel": "C0CUSTOMER", "text": "go", "blocks": [{
        "type": "actions", "elements": [{
            "type": "button", "action_id": "renew", "value": "7",
            "text": { "type": "plain_text", "text": "Renew" },
        }],
    }] });
    let authorized = [("content-type", JSON), ("authorization", &format!("Bearer {BOT_TOKEN}"))];
    let authorized = authorized.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let api = async |method: &str, body: Value| {
        let url = format!("{}{method}", slack.api_url());
        post(&client(), &url, &authorized, body.to_string().into_bytes()).await.unwrap().json()
    };
    api("chat.postMessage", posting).await;
    let pressing = slack.clone();
    let pressing = tokio::spawn(async move {
        let message = pressing.messages().remove(0);
        let used = Used { action_id: "renew", ..Used::default() };
        pressing.use_in_message("", &message, used, "U0BOB").await
    });
    let press = app.serve(&json!({})).await;
    pressing.await.unwrap().unwrap();
    assert_eq!((&press["type"], &press["payload"]["type"]), (&json!("interactive"), &json!("block_actions")));
    assert_eq!(press["payload"]["actions"][0]["value"], "7");
    assert_eq!(press["accepts_response_payload"], false);

    let view = json!({
        "type": "modal", "callback_id": "new", "title": { "type": "plain_text", "text": "New" },
        "submit": { "type": "plain_text", "text": "Create" },
        "blocks": [{
            "type": "input", "block_id": "schema", "label": { "type": "plain_text", "text": "Schema" },
            "element": { "type": "plain_text_input", "action_id": "name" },
        }],
    });
    let opened = api("views.open", json!({ "trigger_id": slack.trigger_id("U0ALICE"), "view": view })).await;
    let id = opened["view"]["id"].as_str().unwrap().to_owned();
    let submitting = slack.clone();
    let submitted = tokio::spawn(async move { submitting.submit("", &id, json!({}), "U0ALICE").await });
    let errors = json!({ "response_action": "errors", "errors": { "schema": "Taken" } });
    let form = app.serve(&errors).await;
    assert_eq!(
        (&form["payload"]["type"], &form["accepts_response_payload"]),
        (&json!("view_submission"), &json!(true))
    );
    assert_eq!(submitted.await.unwrap().unwrap(), errors["errors"]);

    let suggesting = type_into_a_menu(&slack);
    let typed = app.serve(&json!({ "options": [] })).await;
    assert_eq!(typed["payload"]["type"], "block_suggestion");
    assert_eq!(suggesting.await.unwrap().unwrap().json(), json!({ "options": [] }));
    assert!(slack.violations().is_empty());
    // It has to be answered.
    let suggesting = type_into_a_menu(&slack);
    app.serve(&Value::Null).await;
    assert!(suggesting.await.unwrap().is_err());
    assert_eq!(rules(&slack), [Rule::Payload]);

    let event = slack.clone();
    let event = tokio::spawn(async move { event.envelope("events_api", &json!({ "type": "x" })).await });
    let sent = app.serve(&Value::Null).await;
    assert_eq!((&sent["retry_attempt"], &sent["accepts_response_payload"]), (&json!(0), &json!(false)));
    assert!(event.await.unwrap().unwrap().body.is_empty());
    slack.shutdown();
}

#[tokio::test]
async fn whatever_else_an_app_says_is_noted() {
    let slack = stand_in().await;
    let (mut one, mut other) = (App::open(&slack).await, App::open(&slack).await);
    // An envelope goes to one socket. Which one, nobody knows.
    let typing = type_command(&slack);
    let envelope = tokio::select! {
        envelope = one.next() => envelope,
        envelope = other.next() => {
            std::mem::swap(&mut one, &mut other);
            envelope
        }
    };
    other.ack(&envelope, &Value::Null).await;
    assert!(other.pongs().await);
    one.say("ok").await;
    one.0.send(Message::binary("{}")).await.unwrap();
    one.say(json!({ "envelope_id": "unheard-of" })).await;
    one.say(json!({ "envelope_id": envelope["envelope_id"], "type": "ack" })).await;
    one.say(json!({ "type": "ping" })).await;
    assert!(one.pongs().await);
    assert!(!typing.is_finished());
    one.ack(&envelope, &json!({ "response_type": "everywhere", "text": "x" })).await;
    assert_eq!(typing.await.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
    one.ack(&envelope, &Value::Null).await;
    assert!(one.pongs().await);
    let noted = [
        Rule::SameSocket,
        Rule::Object,
        Rule::Text,
        Rule::Known,
        Rule::Fields,
        Rule::EnvelopeId,
        Rule::Payload,
        Rule::Once,
    ];
    assert_eq!(rules(&slack), noted);

    // A press takes no answer in the acknowledgement: python-slack-sdk, issue 946.
    drop(other);
    slack.wait_for_sockets(|count| count == 1).await;
    let event = slack.clone();
    let event = tokio::spawn(async move { event.envelope("events_api", &json!({})).await });
    one.serve(&json!({ "text": "x" })).await;
    assert!(event.await.unwrap().unwrap().body.is_empty());
    assert_eq!(rules(&slack).last(), Some(&Rule::Accepted));
    slack.shutdown();
}

#[tokio::test]
async fn an_acknowledgement_has_three_seconds() {
    let slack = stand_in().await;
    slack.write("", TYPED, "C0CUSTOMER", "U0ALICE").await;
    assert!(slack.messages()[0].rendered().contains("dispatch_failed"));
    let mut app = App::open(&slack).await;
    let writing = slack.clone();
    let writing = tokio::spawn(async move { writing.write("", TYPED, "C0CUSTOMER", "U0ALICE").await });
    let envelope = app.next().await;
    writing.await.unwrap();
    assert!(slack.messages()[1].rendered().contains("operation_timeout"));
    app.ack(&envelope, &Value::Null).await;
    assert!(app.pongs().await);
    assert_eq!(rules(&slack), [Rule::InTime]);
    slack.shutdown();
}
