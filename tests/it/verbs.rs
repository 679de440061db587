//! The verbs that only look: `status`, `list` and `services`, and the buttons in their answers.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::slack::{Ack, Message, Via, Visibility, block_faults};

use crate::harness::{
    CHANNEL, COLLEAGUE, OUTSIDER, SHARED, Setup, TestBot, Trick, USER, Wire, link_of, until,
};

/// An acknowledgement as the private message that Slack makes of it.
fn shown(ack: &Ack) -> Message {
    let payload = ack.json();
    assert_eq!(block_faults(&payload), Vec::<String>::new());
    assert_eq!(payload["response_type"], "ephemeral");
    Message {
        id: u64::MAX,
        channel: CHANNEL.to_owned(),
        // Questions do not live for ever.
        ts: format!("{}.000001", connect_card::clock::Clock::default().now().as_second()),
        user: Some(USER.to_owned()),
        visibility: Visibility::Ephemeral,
        via: Via::ResponseUrl,
        thread_ts: None,
        payload,
        edits: Vec::new(),
        unfurl_links: None,
        unfurl_media: None,
        deleted: false,
    }
}

async fn ask(bot: &TestBot, typed: &str) -> (String, Message) {
    let message = shown(&bot.send(typed).await);
    (message.rendered(), message)
}

/// Every button of a message as its action id and its value.
fn buttons(message: &Message) -> Vec<(String, String)> {
    let blocks = message.payload["blocks"].as_array().into_iter().flatten();
    let elements = blocks.filter_map(|block| block["elements"].as_array()).flatten();
    elements
        .filter(|element| element["type"] == "button")
        .map(|button| {
            let text = |field: &str| button[field].as_str().unwrap_or_default().to_owned();
            (text("action_id"), text("value"))
        })
        .collect()
}

fn with_value(mut message: Message, value: &str) -> Message {
    for block in message.payload["blocks"].as_array_mut().unwrap() {
        for element in block["elements"].as_array_mut().into_iter().flatten() {
            if element["type"] == "button" {
                element["value"] = json!(value);
            }
        }
    }
    message
}

/// Presses a button and waits for what is said to that.
async fn press(bot: &TestBot, message: &Message, action: &str, user: &str) -> Value {
    let before = bot.slack.calls_to("response_url");
    let ack = bot.slack.press(&bot.url, message, action, user).await.unwrap();
    assert_eq!((ack.status, ack.text().as_str()), (200, ""));
    until("an answer to a press", async || {
        let calls = bot.slack.calls();
        calls.into_iter().filter(|(route, _)| route == "response_url").nth(before).map(|(_, body)| body)
    })
    .await
}

fn words(body: &Value) -> String {
    stand_ins::slack::render(body)
}

/// A bot with a posted link for each of these schemas.
async fn with_links(schemas: &[&str]) -> TestBot {
    let bot = TestBot::start().await;
    for (n, schema) in schemas.iter().enumerate() {
        bot.send(&format!("google_ads {schema}")).await;
        bot.message(n + 1).await;
    }
    bot.until_all_ended().await;
    bot
}

#[tokio::test]
async fn services_are_found_in_the_acknowledgement() {
    let bot = TestBot::start().await;
    for (typed, expected) in [
        ("services google", vec!["google_ads — Google Ads", "/connect-card google_"]),
        (
            "SERVICES",
            vec!["most requested", "google_ads — Google Ads", "/connect-card google_ads customer_schema"],
        ),
        ("services adwords", vec!["old name of this service", "google_ads — Google Ads"]),
        ("services googel_ads", vec!["The closest", "google_ads"]),
        ("services <!channel> &amp;", vec!["No service matches “<!channel> &amp;”"]),
        ("services qqqqqqq", vec!["No service matches “qqqqqqq”"]),
    ] {
        let (text, message) = ask(&bot, typed).await;
        let text = text.replace('`', "");
        for words in expected {
            assert!(text.contains(words), "{typed}: no {words} in {text}");
        }
        assert!(!message.payload.to_string().contains("<!channel>\",\"verbatim"), "{typed}");
    }
    assert_eq!(bot.fivetran.calls().iter().filter(|call| call.path.starts_with("/v1/")).count(), 0);
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn of_many_services_the_first_are_shown_and_the_rest_counted() {
    let setup = Setup::new().await;
    for n in 0..40 {
        setup.fivetran.list_service(&format!("many_{n:02}_{}", "x".repeat(90)), &"&<>".repeat(80));
    }
    let bot = setup.start().await;
    let (text, _) = ask(&bot, "services many").await;
    assert_eq!(text.matches("• ").count(), 15, "{text}");
    assert!(text.contains("And 25 more"), "{text}");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn an_empty_list_says_what_to_type() {
    let bot = TestBot::start().await;
    let (text, _) = ask(&bot, "list").await;
    assert_eq!(text, "No open links in this channel. Make one with /connect-card google_ads customer_schema");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn the_list_turns_its_pages_in_place() {
    let names: Vec<_> = (0..12).map(|n| format!("tenant_{n:02}")).collect();
    let bot = with_links(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // One needs attention, and so comes first; one is connected, and so last.
    let connections = bot.fivetran.connections();
    let id = |schema: &str| {
        connections.iter().find(|it| it["schema"] == schema).unwrap()["id"].as_str().unwrap().to_owned()
    };
    bot.fivetran.finish_setup(&id("tenant_03"));
    bot.fivetran.set_setup_state(&id("tenant_07"), "broken");
    for (schema, word) in [("tenant_03", "connected"), ("tenant_07", "needs attention")] {
        let (text, _) = ask(&bot, &format!("status {schema}")).await;
        assert!(text.contains(word), "{text}");
    }
    let (text, first) = until("the watcher", async || {
        let (text, message) = ask(&bot, "list").await;
        (text.contains("needs attention") && !text.contains("tenant_03")).then_some((text, message))
    })
    .await;
    assert!(text.starts_with("12 links in this channel, most urgent first; showing 1 to 10:"), "{text}");
    let at = |schema: &str| text.find(schema).unwrap_or(usize::MAX);
    assert!(at("tenant_07") < at("tenant_00"), "{text}");
    assert!(text.contains("`/connect-card renew SCHEMA`") && text.contains("<@").eq(&false), "{text}");
    assert_eq!(buttons(&first), [("list_next".to_owned(), "1".to_owned())]);

    let second = press(&bot, &first, "list_next", USER).await;
    assert_eq!((&second["replace_original"], &second["response_type"]), (&json!(true), &json!("ephemeral")));
    assert!(
        words(&second).contains("11 to 12") && words(&second).contains("tenant_03"),
        "{}",
        words(&second)
    );
    let second = Message { payload: second, ..first.clone() };
    assert_eq!(buttons(&second), [("list_back".to_owned(), "0".to_owned())]);
    let back = press(&bot, &second, "list_back", USER).await;
    assert!(words(&back).contains("1 to 10"), "{}", words(&back));

    // A page that is not there is the last one; what is no page, or an outsider's press, is nothing.
    let last = press(&bot, &with_value(first.clone(), "18446744073709551615"), "list_next", USER).await;
    assert!(words(&last).contains("11 to 12"), "{}", words(&last));
    let forged = press(&bot, &with_value(first.clone(), "../../x"), "list_next", USER).await;
    assert!(words(&forged).contains("nothing was done") && forged["replace_original"] == false);
    let outside = press(&bot, &first, "list_next", OUTSIDER).await;
    assert!(words(&outside).contains("isn't yours"), "{}", words(&outside));
    bot.finish().await;
}

#[tokio::test]
async fn status_says_what_the_database_and_fivetran_know() {
    let bot = with_links(&["acme"]).await;
    let (text, message) = ask(&bot, "status acme").await;
    for words in [
        "*Google Ads* into `acme`",
        "waiting for your customer",
        "works until",
        "nobody has finished the setup",
    ] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    assert!(message.payload.to_string().contains(&format!("<@{USER}>")));
    let reference = &buttons(&message)[0].1;
    assert_eq!(
        buttons(&message),
        [("renew_here".to_owned(), reference.clone()), ("cancel_connection".to_owned(), reference.clone())]
    );

    let id = bot.fivetran.connections()[0]["id"].as_str().unwrap().to_owned();
    bot.fivetran.finish_setup(&id);
    let (text, message) = ask(&bot, "status acme").await;
    assert!(text.contains("connected") && text.contains("set up and working"), "{text}");
    assert_eq!(buttons(&message), []);
    // The link's own message follows.
    until("the green message", async || {
        bot.message(1).await.rendered().contains("has been connected").then_some(())
    })
    .await;

    bot.fivetran.set_setup_state(&id, "broken");
    bot.fivetran.set_tasks(&id, vec![("reconnect".to_owned(), "Reconnect <!here> & sign in".to_owned())]);
    let (text, message) = ask(&bot, "status acme").await;
    assert!(text.contains("needs attention") && text.contains("• Reconnect <!here> & sign in"), "{text}");
    assert_eq!(buttons(&message).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn status_does_not_wait_for_a_slow_fivetran() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "GET /v1/connections/").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.send("google_ads acme").await;
    bot.until_all_ended().await;
    wire.arm(Trick::Hold);
    // Fivetran's answer is held back for ever.
    let text = shown(&bot.send("status acme").await).rendered();
    assert!(text.contains("didn't answer in time") && text.contains("waiting for your customer"), "{text}");
    assert!(wire.played() > 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_link_whose_time_is_over_does_not_wait_any_more() {
    let bot = with_links(&["acme"]).await;
    bot.fivetran.faults(|faults| {
        faults.fail_always("get_connection", stand_ins::fault::Fault::Status(503));
    });
    bot.advance(Duration::from_secs(25 * 3600));
    for typed in ["status acme", "list"] {
        let (text, _) = ask(&bot, typed).await;
        assert!(
            text.contains("expired before anyone finished") && text.contains("worked until"),
            "{typed}: {text}"
        );
    }
    bot.finish().await;
}

#[tokio::test]
async fn another_channels_links_are_nobodys_business() {
    let bot = with_links(&["acme"]).await;
    for (channel, typed) in [(CHANNEL, "status nothing"), (SHARED, "status acme")] {
        let text = shown(&bot.send_in(channel, typed).await).rendered();
        assert!(text.starts_with("No link for ") && text.contains("/connect-card list"), "{text}");
        assert!(!text.contains("Google"), "{text}");
    }
    let text = shown(&bot.send_in(SHARED, "list").await).rendered();
    assert!(text.starts_with("No open links"), "{text}");
    for typed in ["status", "status a b", "status Ümlaut"] {
        let (text, _) = ask(&bot, typed).await;
        assert!(text.contains("schema"), "{typed}: {text}");
    }
    bot.finish().await;
}

#[tokio::test]
async fn the_buttons_of_a_status_renew_and_cancel() {
    let bot = with_links(&["acme"]).await;
    let before = link_of(&bot.message(1).await).unwrap();
    let (_, status) = ask(&bot, "status acme").await;

    // Not from another channel, not by an outsider, not with another value.
    let elsewhere = Message { channel: SHARED.to_owned(), ..status.clone() };
    for (message, user) in [
        (elsewhere, USER),
        (status.clone(), OUTSIDER),
        (with_value(status.clone(), "0000000000"), USER),
        (with_value(status.clone(), "'; drop table link; --"), USER),
    ] {
        let said = press(&bot, &message, "renew_here", user).await;
        assert!(words(&said).contains("nothing was done"), "{}", words(&said));
    }
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);

    // A card of the same second is the same card.
    bot.fivetran.advance(Duration::from_secs(5));
    let said = press(&bot, &status, "renew_here", COLLEAGUE).await;
    assert!(words(&said).contains("Making a new link for Google Ads now"), "{}", words(&said));
    assert_eq!(said["replace_original"], true);
    until("the new link", async || link_of(&bot.slack.messages()[0]).filter(|link| *link != before)).await;
    let said = press(&bot, &status, "cancel_connection", USER).await;
    assert!(words(&said).contains("Cancelling"), "{}", words(&said));
    until("the cancelled connection", async || bot.fivetran.connections().is_empty().then_some(())).await;
    until("the end of the link", async || {
        let (text, message) = ask(&bot, "status acme").await;
        (text.contains("cancelled") && buttons(&message).is_empty()).then_some(())
    })
    .await;
    bot.finish().await;
}
