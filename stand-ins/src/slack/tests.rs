//! Drives the Slack stand-in over real HTTP.

mod app;
mod broken_sockets;
mod conversations;
mod homes;
mod sockets;

use serde_json::json;

use super::*;
use crate::fault::Fault;
use crate::outside::{client, now};

async fn stand_in() -> SlackStandIn {
    SlackStandIn::start(now, client()).await.unwrap()
}

fn headers(authorized: bool) -> Vec<(String, String)> {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if authorized {
        headers.push(("authorization".to_owned(), format!("Bearer {BOT_TOKEN}")));
    }
    headers
}

async fn api(slack: &SlackStandIn, method: &str, body: Value) -> Value {
    let url = format!("{}{method}", slack.api_url());
    post(&client(), &url, &headers(true), body.to_string().into_bytes()).await.unwrap().json()
}

async fn respond(url: &str, body: Value) -> Ack {
    post(&client(), url, &headers(false), body.to_string().into_bytes()).await.unwrap()
}

#[tokio::test]
async fn a_response_url_takes_five_messages_within_half_an_hour() {
    let slack = stand_in().await;
    let url = slack.response_url("C0PRIVATE", "U0ALICE");
    assert_eq!(respond(&url, json!({ "blocks": [{ "type": "no" }] })).await.text(), "invalid_blocks");
    assert_eq!(respond(&url, json!({ "response_type": "in_channel" })).await.text(), "no_text");
    assert_eq!(respond(&url, json!({ "text": "wait" })).await.text(), "ok");
    respond(&url, json!({ "text": "done", "replace_original": true })).await;
    let public = json!({
        "text": "look", "response_type": "in_channel", "unfurl_links": false, "unfurl_media": false,
    });
    for _ in 0..3 {
        assert_eq!(respond(&url, public.clone()).await.status, 200);
    }
    let sixth = respond(&url, public).await;
    assert_eq!((sixth.status, sixth.json()["error"].as_str()), (404, Some("used_url")));

    let messages = slack.messages();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[0].visibility, Visibility::Ephemeral);
    assert_eq!(messages[0].user.as_deref(), Some("U0ALICE"));
    assert_eq!((messages[0].rendered().as_str(), messages[0].edits.len()), ("done", 1));
    assert_eq!(messages[1].visibility, Visibility::Channel);
    assert_eq!((messages[1].unfurl_links, messages[1].unfurl_media), (Some(false), Some(false)));

    let late = slack.response_url("C0CUSTOMER", "U0ALICE");
    slack.advance(Duration::from_secs(31 * 60));
    assert_eq!(respond(&late, json!({ "text": "x" })).await.json()["error"], "expired_url");
    slack.shutdown();
}

#[tokio::test]
async fn messages_are_posted_and_edited() {
    let slack = stand_in().await;
    let posted = api(&slack, "chat.postMessage", json!({ "channel": "C0CUSTOMER", "text": "one" })).await;
    assert_eq!(posted["ok"], true);
    let edit = json!({ "channel": "C0CUSTOMER", "ts": posted["ts"], "text": "two" });
    assert_eq!(api(&slack, "chat.update", edit).await["ok"], true);
    let messages = slack.messages();
    assert_eq!((messages.len(), messages[0].payload["text"].as_str()), (1, Some("two")));

    let errors = [
        ("chat.postMessage", json!({ "channel": "C0PRIVATE", "text": "x" }), "channel_not_found"),
        ("chat.postMessage", json!({ "channel": "C0CUSTOMER" }), "no_text"),
        (
            "chat.postMessage",
            json!({ "channel": "C0CUSTOMER", "blocks": [{ "type": "header" }] }),
            "invalid_blocks",
        ),
        ("chat.update", json!({ "channel": "C0CUSTOMER", "ts": "1.0", "text": "x" }), "message_not_found"),
        ("users.info", json!({ "user": "U0NOBODY" }), "user_not_found"),
        ("chat.dance", json!({}), "unknown_method"),
    ];
    for (method, body, error) in errors {
        assert_eq!(api(&slack, method, body).await["error"], error, "{method}");
    }
    let direct = api(&slack, "chat.postMessage", json!({ "channel": "U0BOB", "text": "hi" })).await;
    assert_eq!(direct["channel"], "D0BOB");
    slack.join("C0PRIVATE");
    let joined = api(&slack, "chat.postMessage", json!({ "channel": "C0PRIVATE", "text": "x" })).await;
    assert_eq!(joined["ok"], true);

    slack.set_scopes(&["commands"]);
    let refused = api(&slack, "chat.postMessage", json!({ "channel": "U0BOB", "text": "x" })).await;
    assert_eq!(
        (refused["error"].as_str(), refused["needed"].as_str()),
        (Some("missing_scope"), Some("chat:write"))
    );
    let url = format!("{}auth.test", slack.api_url());
    let stranger = post(&client(), &url, &headers(false), b"{}".to_vec()).await.unwrap();
    assert_eq!(stranger.json()["error"], "not_authed");
    slack.shutdown();
}

#[tokio::test]
async fn views_open_once_per_trigger_and_guard_their_hash() {
    let slack = stand_in().await;
    let view = json!({
        "type": "modal", "title": { "type": "plain_text", "text": "New" },
        "blocks": [{ "type": "divider" }],
    });
    let open = json!({ "trigger_id": slack.trigger_id("U0ALICE"), "view": view });
    let opened = api(&slack, "views.open", open.clone()).await;
    assert_eq!(opened["ok"], true);
    assert_eq!(api(&slack, "views.open", open).await["error"], "exchanged_trigger_id");
    let id = &opened["view"]["id"];
    let update = json!({ "view_id": id, "hash": opened["view"]["hash"], "view": view });
    assert_eq!(api(&slack, "views.update", update.clone()).await["ok"], true);
    assert_eq!(api(&slack, "views.update", update).await["error"], "hash_conflict");
    assert_eq!(slack.views().len(), 1);
    slack.shutdown();
}

#[tokio::test]
async fn slack_calls_the_bot_and_presses_its_buttons() {
    // A second stand-in plays the bot: it keeps what reaches it.
    let (slack, bot) = (stand_in().await, stand_in().await);
    let typed = "/connect-card adwords customer_schema";
    let ack = slack.command(&bot.url(), typed, "C0CUSTOMER", "U0ALICE").await.unwrap();
    assert_eq!(ack.status, 404);
    assert!(ack.response_url.starts_with(&slack.url()));
    let form = slack.command_request(typed, "C0PRIVATE", "U0ALICE").body;
    assert!(form.contains("command=%2Fconnect-card&text=adwords+customer_schema"));
    assert!(form.contains("channel_name=privategroup"));

    let message = json!({ "channel": "C0SHARED", "text": "go", "blocks": [{
        "type": "actions", "elements": [{
            "type": "button", "action_id": "renew", "value": "7",
            "text": { "type": "plain_text", "text": "Renew" },
        }],
    }] });
    api(&slack, "chat.postMessage", message).await;
    let message = &slack.messages()[0];
    let ack = slack.press(&bot.url(), message, "renew", "U0OUTSIDER").await.unwrap();
    assert_eq!(
        respond(&ack.response_url, json!({ "text": "gone", "replace_original": "true" })).await.status,
        200
    );
    assert_eq!(slack.messages()[0].rendered(), "gone");
    assert!(slack.press(&bot.url(), message, "other", "U0BOB").await.is_err());

    bot.shutdown();
    // It stops listening a moment later; a call that still gets through is answered.
    while slack.command(&bot.url(), typed, "C0CUSTOMER", "U0ALICE").await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn faults_show_on_the_wire() {
    let slack = stand_in().await;
    let url = slack.response_url("C0CUSTOMER", "U0ALICE");
    let text = || json!({ "text": "x" }).to_string().into_bytes();
    let throttled = Fault::Throttled { retry_after: Some("1".to_owned()) };
    for (fault, posted) in [(Fault::DropBefore, 0), (throttled, 0), (Fault::DropAfter, 1)] {
        slack.faults(|faults| faults.fail_next("response_url", fault.clone(), 1));
        let answered = post(&client(), &url, &headers(false), text()).await;
        assert_eq!(
            answered.map_or(0, |ack| ack.status),
            if matches!(fault, Fault::Throttled { .. }) { 429 } else { 0 }
        );
        assert_eq!(slack.messages().len(), posted, "{fault:?}");
    }
    slack.faults(|faults| faults.fail_next("auth.test", Fault::Truncated, 1));
    let url = format!("{}auth.test", slack.api_url());
    assert!(post(&client(), &url, &headers(true), b"{}".to_vec()).await.is_err());
    assert_eq!(api(&slack, "auth.test", json!({})).await["team_id"], TEAM_ID);
    slack.shutdown();
}

#[tokio::test]
async fn a_method_wants_its_arguments_and_takes_them_as_documented() {
    let slack = stand_in().await;
    // docs.slack.dev: the required arguments of each; laravel-slack-api #38 has the words.
    for (method, body, missing) in [
        ("chat.postMessage", json!({ "text": "x" }), "channel"),
        ("chat.postEphemeral", json!({ "channel": "C0CUSTOMER", "text": "x" }), "user"),
        ("chat.update", json!({ "channel": "C0CUSTOMER", "text": "x" }), "ts"),
        ("views.open", json!({ "trigger_id": slack.trigger_id("U0ALICE") }), "view"),
        ("users.info", json!({}), "user"),
        ("conversations.info", json!({}), "channel"),
        ("usergroups.users.list", json!({}), "usergroup"),
    ] {
        let refused = api(&slack, method, body).await;
        let word = format!("[ERROR] missing required field: {missing}");
        assert_eq!(refused["error"], "invalid_arguments", "{method}");
        assert_eq!(refused["response_metadata"]["messages"], json!([word]), "{method}");
    }
    // The words for what cannot be read are each method's own errors.
    let ask = async |media: &str, target: &str, body: &str| {
        let headers = [("authorization", format!("Bearer {BOT_TOKEN}")), ("content-type", media.to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let url = format!("{}{target}", slack.api_url());
        post(&client(), &url, &headers, body.as_bytes().to_vec()).await.unwrap().json()
    };
    assert_eq!(ask("text/xml", "users.info", "<user/>").await["error"], "invalid_post_type");
    assert_eq!(ask("application/json", "users.info", "{").await["error"], "invalid_json");
    assert_eq!(ask("application/x-www-form-urlencoded", "users.info", "user=U0BOB").await["ok"], true);
    // A token in an address is none.
    let url = format!("{}auth.test?token={BOT_TOKEN}", slack.api_url());
    let stranger = post(&client(), &url, &headers(false), Vec::new()).await.unwrap();
    assert_eq!(stranger.json()["error"], "not_authed");
    slack.shutdown();
}

#[tokio::test]
async fn a_message_that_is_too_long_is_cut_off_and_one_with_too_much_is_refused() {
    let slack = stand_in().await;
    // docs.slack.dev, chat.postMessage: more than 40,000 characters are truncated.
    let long = json!({ "channel": "C0CUSTOMER", "text": "ä".repeat(40_001) });
    assert_eq!(api(&slack, "chat.postMessage", long).await["ok"], true);
    assert_eq!(slack.messages()[0].payload["text"].as_str().unwrap().chars().count(), 40_000);
    for (fields, error) in [
        (json!({ "blocks": { "type": "divider" } }), "invalid_blocks_format"),
        (json!({ "blocks": [{ "type": "divider", "colour": "red" }] }), "invalid_blocks"),
        (json!({ "attachments": vec![json!({ "text": "x" }); 101] }), "too_many_attachments"),
    ] {
        let mut body = json!({ "channel": "C0CUSTOMER", "text": "x" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(api(&slack, "chat.postMessage", body).await["error"], error);
    }
    // slack.md, 1.5: a response_url takes JSON.
    let url = slack.response_url("C0CUSTOMER", "U0ALICE");
    let form = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let refused = post(&client(), &url, &form, b"payload=%7B%22text%22%3A%22x%22%7D".to_vec()).await.unwrap();
    assert_eq!((refused.status, refused.text().as_str()), (400, "invalid_payload"));
    slack.shutdown();
}

#[tokio::test]
async fn an_edit_without_a_text_leaves_the_blocks_and_one_with_a_text_does_not() {
    // docs.slack.dev, chat.update, text, blocks or attachments.
    let slack = stand_in().await;
    let blocks = json!([{ "type": "section", "text": { "type": "plain_text", "text": "one" } }]);
    let attachments = json!([{ "text": "aside" }]);
    let message =
        json!({ "channel": "C0CUSTOMER", "text": "one", "blocks": blocks, "attachments": attachments });
    let posted = api(&slack, "chat.postMessage", message).await;
    let edit = async |mut fields: Value| {
        (fields["channel"], fields["ts"]) = (json!("C0CUSTOMER"), posted["ts"].clone());
        assert_eq!(api(&slack, "chat.update", fields).await["ok"], true);
        slack.messages()[0].payload.clone()
    };
    let aside = edit(json!({ "attachments": [{ "text": "another" }] })).await;
    assert_eq!((&aside["blocks"], &aside["attachments"][0]["text"]), (&blocks, &json!("another")));
    let plain = edit(json!({ "text": "two" })).await;
    assert_eq!((&plain["blocks"], &plain["attachments"][0]["text"]), (&Value::Null, &json!("another")));
    slack.shutdown();
}

#[tokio::test]
async fn a_trigger_is_looked_at_before_the_view_and_used_up_after_it() {
    let slack = stand_in().await;
    let modal = json!({
        "type": "modal", "title": { "type": "plain_text", "text": "New" }, "external_id": "one",
        "blocks": [{ "type": "divider" }],
    });
    let open = async |trigger: &str, view: &Value| {
        api(&slack, "views.open", json!({ "trigger_id": trigger, "view": view })).await["error"].clone()
    };
    // docs.slack.dev, views.open.
    assert_eq!(open("12345", &json!({ "type": "no" })).await, "invalid_trigger_id");
    let trigger = slack.trigger_id("U0ALICE");
    assert_eq!(open(&trigger, &json!({ "type": "home", "blocks": [] })).await, "invalid_arguments");
    assert_eq!(open(&trigger, &modal).await, Value::Null);
    assert_eq!(open(&slack.trigger_id("U0ALICE"), &modal).await, "duplicate_external_id");
    let without = api(&slack, "views.open", json!({ "view": modal })).await;
    assert_eq!(without["response_metadata"]["messages"], json!(["invalid `trigger_id`"]));
    let nowhere = api(&slack, "views.update", json!({ "view": modal })).await;
    assert_eq!(nowhere["error"], "invalid_arguments");
    slack.shutdown();
}
