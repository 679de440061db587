//! The form of `/connect-card` alone: opened, filled in, submitted; and every way to misuse it.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::slack::{Ack, TEAM_ID, Visibility, block_faults};

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, Setup, TestBot, Trick, USER, Wire, post, values};

/// The sentence of a form that gave way to one.
fn sentence(ack: &Ack) -> String {
    let body = ack.json();
    assert_eq!(body["response_action"], "update", "{body}");
    assert_eq!(block_faults(&body["view"]), Vec::<String>::new());
    body["view"]["blocks"][0]["text"]["text"].as_str().unwrap().to_owned()
}

/// Nothing was made, and nothing posted.
async fn nothing_happened(bot: TestBot) {
    let fivetran = bot.fivetran.clone();
    assert!(bot.finish().await.is_empty());
    assert!(fivetran.connections().is_empty());
}

#[tokio::test]
async fn a_bare_command_opens_the_form_and_the_form_makes_a_link() {
    let bot = TestBot::start().await;
    let view = bot.opens_form().await;
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

    let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    let message = bot.link_message();
    assert_eq!((message.visibility, message.channel.as_str()), (Visibility::Channel, CHANNEL));
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card
          a form opens for alice:
              Connect a source
              The link will appear in #customer-acme, for your customer.
              Service:
              [Type part of a name ▾]
              Schema:
              [ … ]  such as customer_schema
              Table:
              [ … ]  such as my_table
        alice submits the form: service google_ads, schema acme
          the form closes
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn without_a_token_there_is_help_instead() {
    let bot = Setup::new().await.without_token().start().await;
    let ack = bot.types("").await;
    assert!(ack.text().contains("What you can type"), "{}", ack.text());
    assert_eq!(bot.slack.calls_to("views.open"), 0);
    nothing_happened(bot).await;
}

#[tokio::test]
async fn a_form_that_does_not_open_leaves_words() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "POST /api/views.open").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    let used = bot.slack.command_request("/connect-card", CHANNEL, USER);
    let send = async |body: &str| {
        let headers = bot.slack.signed_request(body.as_bytes());
        let url = format!("{}/slack/commands", bot.url);
        post(&url, &headers, body.as_bytes().to_vec()).await.unwrap()
    };
    assert_eq!(send(&used.body).await.text(), "");
    // What the trigger has opened is on the screen.
    assert_eq!(send(&used.body).await.text(), "");
    // Slack is slow, answers with an error, or the trigger is too old.
    let mut acks = Vec::new();
    let late = bot.slack.command_request("/connect-card", CHANNEL, USER);
    bot.advance(Duration::from_millis(3100));
    acks.push(send(&late.body).await);
    bot.slack.faults(|faults| faults.fail_next("views.open", Fault::Status(500), 1));
    acks.push(bot.send("").await);
    // Slack's answer is held back for ever.
    wire.arm(Trick::Hold);
    acks.push(bot.send("").await);
    assert_eq!(wire.played(), 1);
    assert_eq!(acks.len(), 3);
    // What Slack refuses has not opened; what it does not answer may have.
    for (ack, lead) in acks.into_iter().zip([
        "I couldn't open the form.",
        "The form may not have opened.",
        "The form may not have opened.",
    ]) {
        let said = ack.json();
        assert_eq!(said["response_type"], "ephemeral");
        let text = said["text"].as_str().unwrap();
        assert!(text.starts_with(lead) && text.contains("/connect-card SERVICE SCHEMA"), "{text}");
    }
    // The stand-in knows the form whose opening was held back; its person got words instead.
    assert_eq!(bot.slack.views().len(), 2);
    nothing_happened(bot).await;
}

#[tokio::test]
async fn faults_appear_at_their_fields() {
    let bot = TestBot::start().await;
    let view = bot.opens_form().await;
    bot.begins_here();
    for filled_in in [
        ["google_ads", "Acme-Corp", ""],
        ["google_ads", "acme", "budget"],
        ["google_sheets", "acme", ""],
        ["google_sheets", "Acme", "1"],
        ["no_such_service", "acme", ""],
        ["<!channel>", "<!channel>", "<@U1>"],
    ] {
        let answer = bot.submits(USER, &view, filled_in).await;
        let errors = answer["errors"].as_object().unwrap();
        assert!(errors.values().all(|words| words.as_str().unwrap().chars().count() <= 500), "{answer}");
    }
    // The same form, mended.
    bot.submits(USER, &view, ["google_sheets", "acme", "budget"]).await;
    // One that brings nothing back at all.
    let ack = bot.slack.submit_view(&bot.url, view["id"].as_str().unwrap(), json!({}), USER).await.unwrap();
    let errors = ack.json()["errors"].clone();
    assert!(errors["service"].as_str().unwrap().contains("Choose"), "{errors}");
    assert!(errors["schema"].as_str().unwrap().contains("Use only"), "{errors}");
    bot.ends(expect![[r#"
        alice submits the form: service google_ads, schema Acme-Corp
          the form says:
              schema: Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try:
              acme_corp
        alice submits the form: service google_ads, schema acme, table budget
          the form says:
              table: Google Ads names its own tables; leave this field empty.
        alice submits the form: service google_sheets, schema acme
          the form says:
              table: Google Sheets fills one table, so enter a name for it here.
        alice submits the form: service google_sheets, schema Acme, table 1
          the form says:
              schema: Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try: acme
              table: Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try: _1
        alice submits the form: service no_such_service, schema acme
          the form says:
              service: Choose a service from the list.
        alice submits the form: service <!channel>, schema <!channel>, table <@U1>
          the form says:
              schema: Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try: channel
              service: Choose a service from the list.
              table: Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit. Try: u1
        alice submits the form: service google_sheets, schema acme, table budget
          the form closes
        #customer-acme
        bot posts:
            Please connect *Google Sheets*: click the button and sign in on the page that opens. Your
            password stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Sheets → card 1]
            Requested by @alice · The data goes to table `budget` in `acme` · Works until T+24h · Everyone
            here can see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn a_form_is_for_the_person_it_was_opened_for() {
    let bot = TestBot::start().await;
    let view = bot.opens_form().await;
    bot.begins_here();
    for user in [COLLEAGUE, OUTSIDER] {
        bot.submits(user, &view, ["google_ads", "acme", ""]).await;
    }
    assert!(bot.fivetran.connections().is_empty());
    bot.ends(expect![[r#"
        bob submits the form: service google_ads, schema acme
          the form now shows:
              Connect a source
              You didn't open this form, or it can no longer be used, so nothing was created.
        outsider submits the form: service google_ads, schema acme
          the form now shows:
              Connect a source
              You didn't open this form, or it can no longer be used, so nothing was created.
    "#]])
        .await;
}

/// A submission as Slack would send it, changed before it is signed.
async fn tampered(bot: &TestBot, view: &Value, change: impl Fn(&mut Value)) -> Ack {
    let mut view = view.clone();
    view["state"] = json!({ "values": values(["google_ads", "acme", ""]) });
    let mut payload = json!({
        "type": "view_submission", "view": view, "team": { "id": TEAM_ID },
        "user": { "id": USER, "team_id": TEAM_ID },
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
    let view = bot.opens_form().await;
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
    let view = bot.opens_form().await;
    bot.begins_here();
    bot.passes(Duration::from_secs(26 * 60)).await;
    bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
    assert!(bot.fivetran.connections().is_empty());
    bot.ends(expect![[r#"
        … 26 min later …
        alice submits the form: service google_ads, schema acme
          the form now shows:
              Connect a source
              This form was open for too long, so nothing was created. Type /connect-card for a new one, or
              the whole command: /connect-card SERVICE SCHEMA
    "#]])
        .await;
}

#[tokio::test]
async fn a_submission_counts_once() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    let view = bot.opens_form().await;
    // Replayed, signature and all; and a second form for the same thing.
    let mut view_with_values = view.clone();
    view_with_values["state"] = json!({ "values": values(["google_ads", "acme", ""]) });
    let payload = json!({ "type": "view_submission", "view": view_with_values,
        "team": { "id": TEAM_ID }, "user": { "id": USER, "team_id": TEAM_ID } });
    let body = bot.slack.interaction_request(&payload).body;
    let headers = bot.slack.signed_request(body.as_bytes());
    let url = format!("{}/slack/interactivity", bot.url);
    let send = async || post(&url, &headers, body.clone().into_bytes()).await.unwrap();
    // Whoever replays it has not heard the answer.
    for _ in 0..2 {
        assert_eq!(send().await.json()["response_action"], "clear");
    }
    let body = bot.submits_meanwhile(USER, &view, ["google_ads", "acme", ""]).await;
    assert!(body["errors"]["schema"].as_str().unwrap().starts_with("Already on it: "), "{body}");
    wire.release();
    bot.until_all_ended().await;
    assert_eq!(send().await.json()["response_action"], "clear");
    // Long after the end of the command the replay still counts for nothing.
    bot.advance(Duration::from_secs(61));
    let body = send().await.json();
    let said = body["errors"]["schema"].as_str().unwrap();
    assert!(said.starts_with("An earlier request"), "{body}");
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

/// Slack sends a form back with all its choices in it.
#[tokio::test]
async fn a_form_with_as_many_and_as_long_destinations_as_there_may_be_comes_back() {
    let names = (0..100).map(|n| format!("{n:03}{}", "_".repeat(47)));
    let destinations: String =
        names.map(|it| format!("[destinations.{it}]\ngroup_id = \"{it}\"\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    std::fs::write(&path, destinations).unwrap();
    let bot = Setup::new().await.with("CONFIG", path.to_str().unwrap()).start().await;
    let view = bot.opens_form().await;
    let options = view["blocks"][4]["element"]["options"].as_array().unwrap();
    assert_eq!(options.len(), 100);
    let answer = bot.submits(USER, &view, ["google_ads", "acme", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    // Slack writes `\/` for `/` and adds ids, names and flags of its own; half of what is read is left for them.
    let sent = bot.slack.interaction_request(&json!({ "type": "view_submission", "view": view })).body;
    assert!(sent.len() < 32 * 1024, "{}", sent.len());
    bot.finish().await;
}
