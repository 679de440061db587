//! The form of `/connect-card` alone: opened, filled in, submitted; and every way to misuse it.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::slack::{Ack, Visibility, block_faults};

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, Setup, TestBot, Trick, USER, Wire, post};

/// Opens the form and gives it as Slack keeps it.
async fn open(bot: &TestBot) -> Value {
    let ack = bot.send("").await;
    assert_eq!(ack.text(), "");
    let view = bot.slack.views().pop().unwrap();
    assert_eq!(block_faults(&view), Vec::<String>::new());
    view
}

fn id(view: &Value) -> &str {
    view["id"].as_str().unwrap()
}

fn values(service: &str, schema: &str, table: Option<&str>) -> Value {
    json!({
        "service": { "service": { "type": "external_select", "selected_option": {
            "text": { "type": "plain_text", "text": "whatever" }, "value": service } } },
        "schema": { "schema": { "type": "plain_text_input", "value": schema } },
        "table": { "table": { "type": "plain_text_input", "value": table } },
    })
}

async fn submit(bot: &TestBot, view: &Value, values: Value, user: &str) -> Ack {
    let ack = bot.slack.submit_view(&bot.url, id(view), values, user).await.unwrap();
    assert_eq!(ack.status, 200, "{}", ack.text());
    ack
}

/// The sentence of a form that gave way to one.
fn sentence(ack: &Ack) -> String {
    let body = ack.json();
    assert_eq!(body["response_action"], "update", "{body}");
    assert_eq!(block_faults(&body["view"]), Vec::<String>::new());
    body["view"]["blocks"][0]["text"]["text"].as_str().unwrap().to_owned()
}

fn errors(ack: &Ack) -> Value {
    let body = ack.json();
    assert_eq!(body["response_action"], "errors", "{body}");
    body["errors"].clone()
}

async fn nothing_happened(bot: TestBot) {
    let fivetran = bot.fivetran.clone();
    assert!(bot.finish().await.is_empty());
    assert!(fivetran.connections().is_empty());
}

#[tokio::test]
async fn a_bare_command_opens_the_form_and_the_form_makes_a_link() {
    let bot = TestBot::start().await;
    let view = open(&bot).await;
    let fields: Vec<_> = view["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "input")
        .map(|block| (block["block_id"].as_str().unwrap(), block["optional"] == true))
        .collect();
    assert_eq!(fields, [("service", false), ("schema", false), ("table", true)]);
    let metadata = view["private_metadata"].as_str().unwrap();
    assert!(metadata.len() > 100 && !metadata.contains("http") && !metadata.contains(USER), "{metadata}");

    let ack = submit(&bot, &view, values("google_ads", "acme", None), USER).await;
    assert_eq!(ack.json(), json!({ "response_action": "clear" }));
    let message = bot.finish_with_link().await;
    assert_eq!((message.visibility, message.channel.as_str()), (Visibility::Channel, CHANNEL));
    assert!(message.rendered().contains("`acme`"), "{}", message.rendered());
}

#[tokio::test]
async fn without_a_token_there_is_help_instead() {
    let bot = Setup::new().await.without_token().start().await;
    let ack = bot.send("").await;
    assert!(ack.text().contains("What you can type"), "{}", ack.text());
    assert_eq!(bot.slack.calls_to("views.open"), 0);
    nothing_happened(bot).await;
}

#[tokio::test]
async fn a_form_that_does_not_open_leaves_words() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "POST /api/views.open").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    // Slack is slow, answers with an error, or the trigger has been used or is too old.
    let used = bot.slack.command_request("/connect-card", CHANNEL, USER);
    let send = async |body: &str| {
        let headers = bot.slack.signed_request(body.as_bytes());
        let url = format!("{}/slack/commands", bot.url);
        post(&url, &headers, body.as_bytes().to_vec()).await.unwrap()
    };
    assert_eq!(send(&used.body).await.text(), "");
    let mut acks = vec![send(&used.body).await];
    let late = bot.slack.command_request("/connect-card", CHANNEL, USER);
    bot.advance(Duration::from_millis(3100));
    acks.push(send(&late.body).await);
    bot.slack.faults(|faults| faults.fail_next("views.open", Fault::Status(500), 1));
    acks.push(bot.send("").await);
    // Slack's answer is held back for ever.
    wire.arm(Trick::Hold);
    acks.push(bot.send("").await);
    assert_eq!(wire.played(), 1);
    for ack in acks {
        let said = ack.json();
        assert_eq!(said["response_type"], "ephemeral");
        let text = said["text"].as_str().unwrap();
        assert!(text.contains("/connect-card google_ads customer_schema"), "{text}");
    }
    // The stand-in knows the form whose opening was held back; its person got words instead.
    assert_eq!(bot.slack.views().len(), 2);
    nothing_happened(bot).await;
}

#[tokio::test]
async fn faults_appear_at_their_fields() {
    let bot = TestBot::start().await;
    let view = open(&bot).await;
    for (given, expected) in [
        (values("google_ads", "Acme-Corp", None), json!({ "schema": "acme_corp" })),
        (values("google_ads", "acme", Some("budget")), json!({ "table": "leave this field empty" })),
        (values("google_sheets", "acme", None), json!({ "table": "one table" })),
        (values("google_sheets", "Acme", Some("1")), json!({ "schema": "acme", "table": "_1" })),
        (values("no_such_service", "acme", None), json!({ "service": "Choose a service" })),
        (
            values("<!channel>", "<!channel>", Some("<@U1>")),
            json!({ "service": "list", "schema": "channel", "table": "u1" }),
        ),
        (json!({}), json!({ "service": "Choose", "schema": "Use only" })),
    ] {
        let found = errors(&submit(&bot, &view, given.clone(), USER).await);
        let found = found.as_object().unwrap();
        let expected = expected.as_object().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{given}");
        for (field, words) in expected {
            let said = found[field].as_str().unwrap();
            assert!(said.contains(words.as_str().unwrap()), "{field} of {given}: {said}");
            assert!(said.chars().count() <= 500, "{said}");
        }
    }
    // The same form, mended.
    let ack = submit(&bot, &view, values("google_sheets", "acme", Some("budget")), USER).await;
    assert_eq!(ack.json()["response_action"], "clear");
    assert!(bot.finish_with_link().await.rendered().contains("table `budget` in schema `acme`"));
}

#[tokio::test]
async fn a_form_is_for_the_person_it_was_opened_for() {
    let bot = TestBot::start().await;
    let view = open(&bot).await;
    for user in [COLLEAGUE, OUTSIDER] {
        let ack = submit(&bot, &view, values("google_ads", "acme", None), user).await;
        assert!(sentence(&ack).contains("You didn't open this form"), "{}", ack.text());
    }
    nothing_happened(bot).await;
}

/// A submission as Slack would send it, changed before it is signed.
async fn tampered(bot: &TestBot, view: &Value, change: impl Fn(&mut Value)) -> Ack {
    let mut view = view.clone();
    view["state"] = json!({ "values": values("google_ads", "acme", None) });
    let mut payload = json!({
        "type": "view_submission", "view": view, "team": { "id": "T0SANDBOX" },
        "user": { "id": USER, "team_id": "T0SANDBOX" },
    });
    change(&mut payload);
    let body = bot.slack.interaction_request(&payload).body;
    let headers = bot.slack.signed_request(body.as_bytes());
    let url = format!("{}/slack/interactivity", bot.url);
    let ack = post(&url, &headers, body.into_bytes()).await.unwrap();
    assert_eq!(ack.status, 200);
    ack
}

#[tokio::test]
async fn a_draft_that_is_forged_or_moved_does_not_open() {
    let bot = TestBot::start().await;
    let view = open(&bot).await;
    let genuine = view["private_metadata"].as_str().unwrap().to_owned();
    let damaged = format!("{}{}", &genuine[..genuine.len() - 4], "AAAA");
    for metadata in ["", "{}", "AAAA", &damaged, "{\"user_id\":\"U0ALICE\"}", &"A".repeat(3000)] {
        let ack =
            tampered(&bot, &view, |payload| payload["view"]["private_metadata"] = json!(metadata)).await;
        assert!(sentence(&ack).contains("can no longer be used"), "{}", ack.text());
    }
    let ack = tampered(&bot, &view, |payload| payload["team"]["id"] = json!("T0OTHER")).await;
    assert!(sentence(&ack).contains("can no longer be used"), "{}", ack.text());
    // Views that are none of ours, and what else happens to ours, are acknowledged and no more.
    let ack = tampered(&bot, &view, |payload| payload["view"]["callback_id"] = json!("another")).await;
    assert_eq!(ack.text(), "");
    let ack = tampered(&bot, &view, |payload| payload["type"] = json!("view_closed")).await;
    assert_eq!(ack.text(), "");
    nothing_happened(bot).await;
}

#[tokio::test]
async fn a_form_that_was_open_for_too_long_says_so() {
    let bot = TestBot::start().await;
    let view = open(&bot).await;
    bot.advance(Duration::from_secs(26 * 60));
    let ack = submit(&bot, &view, values("google_ads", "acme", None), USER).await;
    assert!(sentence(&ack).contains("open for too long"), "{}", ack.text());
    nothing_happened(bot).await;
}

#[tokio::test]
async fn a_submission_counts_once() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    let view = open(&bot).await;
    // Replayed, signature and all; and a second form for the same thing.
    let mut view_with_values = view.clone();
    view_with_values["state"] = json!({ "values": values("google_ads", "acme", None) });
    let payload = json!({ "type": "view_submission", "view": view_with_values,
        "team": { "id": "T0SANDBOX" }, "user": { "id": USER, "team_id": "T0SANDBOX" } });
    let body = bot.slack.interaction_request(&payload).body;
    let headers = bot.slack.signed_request(body.as_bytes());
    let url = format!("{}/slack/interactivity", bot.url);
    let send = async || post(&url, &headers, body.clone().into_bytes()).await.unwrap();
    assert_eq!(send().await.json()["response_action"], "clear");
    assert!(errors(&send().await)["schema"].as_str().unwrap().starts_with("Already on it"));
    let ack = submit(&bot, &view, values("google_ads", "acme", None), USER).await;
    assert!(errors(&ack)["schema"].as_str().unwrap().starts_with("Already on it"));
    wire.release();
    bot.until_all_ended().await;
    // Long after the end of the command the replay still counts for nothing.
    assert!(errors(&send().await)["schema"].as_str().unwrap().starts_with("Already on it"));
    assert_eq!(bot.created(), 1);
    bot.finish_with_link().await;
}

async fn suggest(bot: &TestBot, typed: &str) -> Vec<(String, String)> {
    let ack = bot.slack.suggest(&bot.url, "service", "service", typed, USER, None).await.unwrap();
    let body = ack.json();
    let options = body["options"].as_array().unwrap().iter();
    let options = options.map(|option| {
        let label = option["text"]["text"].as_str().unwrap().to_owned();
        assert!(label.chars().count() <= 75, "{label}");
        (label, option["value"].as_str().unwrap().to_owned())
    });
    options.collect()
}

#[tokio::test]
async fn choices_come_while_somebody_types() {
    let bot = TestBot::start().await;
    let options = suggest(&bot, "google ads").await;
    assert_eq!(options[0], ("Google Ads (google_ads)".to_owned(), "google_ads".to_owned()));
    let options = suggest(&bot, "adwords").await;
    assert_eq!(options, [("Google Ads (google_ads)".to_owned(), "google_ads".to_owned())]);
    assert_eq!(suggest(&bot, "qqqqqqq").await, []);
    assert_eq!(suggest(&bot, "").await[0].1, "google_ads");
    let other = bot.slack.suggest(&bot.url, "another", "service", "google", USER, None).await.unwrap();
    assert_eq!(other.json(), json!({ "options": [] }));
    nothing_happened(bot).await;
}

#[tokio::test]
async fn of_eight_hundred_services_a_hundred_are_offered_at_the_most() {
    let setup = Setup::new().await;
    for n in 0..800 {
        setup.fivetran.list_service(
            &format!("service_{n}_{}", "x".repeat(n % 90)),
            &format!("Ä{}", "&<Name> ".repeat(n % 20)),
        );
    }
    let bot = setup.start().await;
    assert!(bot.catalog_size() > 800);
    for typed in ["", "s", "service x", "zzzz not there at all", &"x".repeat(3000)] {
        let offered = suggest(&bot, typed).await.len();
        assert!(offered <= 100, "{offered} for “{typed}”");
    }
    assert!(suggest(&bot, "service").await.len() > 50);
    nothing_happened(bot).await;
}
