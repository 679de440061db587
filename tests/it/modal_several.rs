//! The form with several services: what it shows of them before anything is made, and what a submission makes.

use std::time::Duration;

use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::slack::{TEAM_ID, Used, block_faults};

use crate::harness::{CHANNEL, Setup, TestBot, Trick, USER, Wire, post, until};
use crate::several::{bot, schemas, set_up};

/// The state of the form's inputs, as Slack tells it.
fn values(chosen: &[&str], customer: &str) -> Value {
    json!({
        "service": { "service": { "type": "multi_external_select", "selected_options": options(chosen) } },
        "customer": { "customer": { "type": "plain_text_input", "value": (!customer.is_empty()).then_some(customer) } },
    })
}

fn options(chosen: &[&str]) -> Value {
    chosen.iter().map(|it| json!({ "text": { "type": "plain_text", "text": it }, "value": it })).collect()
}

fn id(view: &Value) -> &str {
    view["id"].as_str().unwrap()
}

/// Changes a field of the form.
async fn changes(bot: &TestBot, view: &Value, field: &str, chosen: &[&str], customer: &str) {
    let choice = match field {
        "service" => json!({ "selected_options": options(chosen) }),
        _ => json!({ "value": customer }),
    };
    let used = Used { block_id: Some(field), action_id: field, choice };
    let ack = bot.slack.use_in_view(&bot.url, id(view), used, values(chosen, customer), USER).await.unwrap();
    assert_eq!((ack.status, ack.text()), (200, String::new()));
}

/// The same, and what the form shows then.
async fn shows(bot: &TestBot, view: &Value, field: &str, chosen: &[&str], customer: &str) -> Value {
    let calls = bot.slack.calls_to("views.update");
    changes(bot, view, field, chosen, customer).await;
    until("the form to change", async || (bot.slack.calls_to("views.update") > calls).then_some(())).await;
    let hash = &view["hash"];
    let shown =
        async || bot.slack.views().into_iter().find(|it| it["id"] == view["id"] && it["hash"] != *hash);
    let shown = until("the form to have changed", shown).await;
    assert_eq!(block_faults(&shown), Vec::<String>::new());
    shown
}

async fn submits(bot: &TestBot, view: &Value, chosen: &[&str], customer: &str) -> Value {
    let ack = bot.slack.submit_view(&bot.url, id(view), values(chosen, customer), USER).await.unwrap();
    assert_eq!(ack.status, 200);
    ack.json()
}

fn fields(view: &Value) -> Vec<&str> {
    let blocks = view["blocks"].as_array().unwrap().iter();
    blocks.filter(|block| block["type"] == "input").map(|block| block["block_id"].as_str().unwrap()).collect()
}

fn says(view: &Value, words: &str) {
    assert!(view["blocks"].to_string().contains(words), "{words}: {view}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_shows_the_schemas_and_makes_them_without_another_question() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    // One service is asked for as ever, without another call.
    changes(&bot, &view, "service", &["stripe"], "").await;
    let chosen = ["stripe", "bundle:onboarding", "google_sheets"];
    let view = shows(&bot, &view, "service", &chosen, "").await;
    assert_eq!(bot.slack.calls_to("views.update"), 1);
    assert_eq!(fields(&view), ["service", "customer"]);
    says(&view, "The schemas will be shown here.");
    let view = shows(&bot, &view, "customer", &chosen, "acme").await;
    for name in ["acme_stripe", "acme_google_ads", "acme_hubspot", "acme_google_sheets.google_sheets"] {
        says(&view, &format!("→ `{name}`"));
    }
    assert!(schemas(&bot).is_empty());
    assert_eq!(submits(&bot, &view, &chosen, "acme").await, json!({ "response_action": "clear" }));
    bot.until_all_ended().await;
    assert_eq!(
        schemas(&bot),
        ["acme_google_ads", "acme_google_sheets.google_sheets", "acme_hubspot", "acme_stripe"]
    );
    // All in one message.
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_were_not_shown_are_shown_before_they_are_made() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    let chosen = ["stripe", "hubspot"];
    let view = shows(&bot, &view, "service", &chosen, "acme").await;
    says(&view, "acme_stripe");
    let answer = submits(&bot, &view, &chosen, "globex").await;
    assert_eq!(answer["response_action"], "update");
    assert_eq!(block_faults(&answer["view"]), Vec::<String>::new());
    says(&answer["view"], "Nothing has been created yet.");
    says(&answer["view"], "globex_hubspot");
    assert!(schemas(&bot).is_empty());
    let shown = json!({ "id": view["id"], "private_metadata": answer["view"]["private_metadata"],
        "callback_id": answer["view"]["callback_id"], "type": "modal" });
    assert_eq!(sends(&bot, shown, &chosen, "globex").await["response_action"], "clear");
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["globex_hubspot", "globex_stripe"]);
}

/// A submission of a view that the stand-in was not told of.
async fn sends(bot: &TestBot, mut view: Value, chosen: &[&str], customer: &str) -> Value {
    view["state"] = json!({ "values": values(chosen, customer) });
    let payload = json!({ "type": "view_submission", "view": view, "team": { "id": TEAM_ID },
        "user": { "id": USER, "team_id": TEAM_ID } });
    let body = bot.slack.interaction_request(&payload).body;
    let headers = bot.slack.signed_request(body.as_bytes());
    let url = format!("{}/slack/interactivity", bot.url);
    let first = post(&url, &headers, body.clone().into_bytes()).await.unwrap().json();
    // The same request once more is the same command.
    let again = post(&url, &headers, body.into_bytes()).await.unwrap().json();
    assert_eq!(first["response_action"], again["response_action"]);
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_was_sent_before_it_could_change_changes_then() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    let answer = submits(&bot, &view, &["stripe", "hubspot"], "").await;
    assert_eq!(answer["response_action"], "update", "{answer}");
    assert_eq!(fields(&answer["view"]), ["service", "customer"]);
    let initial = &answer["view"]["blocks"][1]["element"]["initial_options"];
    assert_eq!(initial[1]["value"], "hubspot", "{answer}");
    // And back: with one service left, the form asks for its schema.
    let view = shows(&bot, &view, "service", &["stripe", "hubspot"], "").await;
    let answer = submits(&bot, &view, &["stripe"], "").await;
    assert_eq!(fields(&answer["view"]), ["service", "schema", "table"]);
    let view = shows(&bot, &view, "service", &["stripe"], "").await;
    assert_eq!(fields(&view), ["service", "schema", "table"]);
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_shown_in_the_form_and_at_their_fields() {
    let (bot, _folder) =
        bot(&format!("[channels.{CHANNEL}]\nservices = [\"stripe\", \"hubspot\", \"google_ads\"]\n")).await;
    let opened = bot.opens_form().await;
    let mut view = opened;
    for (chosen, customer, field, words) in [
        (&["stripe", "hubspot"][..], "", "customer", "Enter the customer"),
        (&["stripe", "hubspot"], "Acme Inc", "customer", "Try: acme_inc"),
        (&["stripe", "shopify"], "acme", "service", "Shopify"),
        (&["stripe", "no_such"], "acme", "service", "Choose a service from the list."),
        (&["stripe", "bundle:gone"], "acme", "service", "Choose a service from the list."),
    ] {
        view = shows(&bot, &view, "service", chosen, customer).await;
        let last = view["blocks"].as_array().unwrap().last().unwrap().to_string();
        let words_there = if customer.is_empty() { "The schemas will be shown here." } else { words };
        assert!(last.contains(words_there), "{words_there}: {last}");
        let answer = submits(&bot, &view, chosen, customer).await;
        let said = answer["errors"][field].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(said.contains(words), "{said}");
    }
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_message_has_room_for_are_refused() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    let mut many: Vec<_> =
        "facebook_ads salesforce google_analytics_4 google_sheets linkedin_ads shopify postgres mysql \
                            mongo bingads zendesk jira s3 bigquery_db mailchimp sftp snowflake_db"
            .split_whitespace()
            .collect();
    // With the bundle's three they are twenty; another one is too many.
    many.push("bundle:onboarding");
    let view = shows(&bot, &view, "service", &many, "acme").await;
    says(&view, "acme_snowflake_db");
    bot.fivetran.list_service("twenty_first", "Twenty-first");
    many.push("twenty_first");
    let view = shows(&bot, &view, "service", &many, "acme").await;
    says(&view, "That's 21 services, and one message has room for 20. Choose fewer.");
    let answer = submits(&bot, &view, &many, "acme").await;
    assert!(answer["errors"]["service"].as_str().unwrap().starts_with("That's 21 services"), "{answer}");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_customer_stands_in_the_form_and_needs_no_question() {
    let (bot, _folder) = bot(&format!("[channels.{CHANNEL}]\ncustomer = \"acme\"\n")).await;
    let view = bot.opens_form().await;
    let chosen = ["bundle:onboarding"];
    let view = shows(&bot, &view, "service", &chosen, "").await;
    let customer = &view["blocks"][2];
    assert_eq!(
        (&customer["element"]["initial_value"], &customer["optional"]),
        (&json!("acme"), &json!(true))
    );
    says(&view, "acme_hubspot");
    assert_eq!(submits(&bot, &view, &chosen, "").await["response_action"], "clear");
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme_google_ads", "acme_hubspot", "acme_stripe"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_are_offered_first_where_all_of_them_can_be_asked_for() {
    for (channel, offered) in [("", true), ("services = [\"stripe\"]", false)] {
        let (bot, _folder) = bot(&format!("[channels.{CHANNEL}]\n{channel}\n")).await;
        let view = bot.opens_form().await;
        let found =
            bot.slack.suggest(&bot.url, "service", "service", "", USER, Some(id(&view))).await.unwrap();
        let found = found.json();
        let first = &found["option_groups"][0];
        assert_eq!(first["label"]["text"] == "Bundles", offered, "{found}");
        if offered {
            let option = &first["options"][0];
            assert_eq!(option["value"], "bundle:onboarding");
            assert_eq!(option["description"]["text"], "Google Ads, Stripe, HubSpot");
            assert_eq!(found["option_groups"][1]["label"]["text"], "Services");
        }
        assert!(bot.finish().await.is_empty());
    }
}

/// What the form holds in the end.
fn now(bot: &TestBot, view: &Value) -> Value {
    bot.slack.views().into_iter().find(|it| it["id"] == view["id"]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_slack_answers_late_does_not_undo_a_newer_one() {
    for newer in [&["stripe", "hubspot", "google_ads"][..], &["stripe"]] {
        let setup = Setup::new().await;
        let wire = Wire::to(setup.slack.addr(), "/views.update").await;
        let (setup, _folder) = set_up(setup, "");
        let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
        let view = bot.opens_form().await;
        let conflict = json!({ "ok": false, "error": "hash_conflict" });
        bot.slack.faults(|faults| faults.fail_next("views.update", Fault::Says(200, conflict), 1));
        wire.arm(Trick::Hold);
        changes(&bot, &view, "service", &["stripe", "hubspot"], "acme").await;
        until("the first", async || (bot.slack.calls_to("views.update") == 1).then_some(())).await;
        let shown = shows(&bot, &view, "service", newer, "acme").await;
        assert_eq!(fields(&shown).contains(&"schema"), newer.len() == 1, "{newer:?}");
        // The first hears only now that something was there before it.
        wire.release();
        shows(&bot, &shown, "service", &["stripe", "hubspot"], "globex").await;
        assert_eq!(bot.slack.calls_to("views.update"), 3, "{newer:?}");
        says(&now(&bot, &view), "globex_hubspot");
        assert!(bot.finish().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_shown_over_an_older_one_that_got_there_first() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    let conflict = json!({ "ok": false, "error": "hash_conflict" });
    bot.slack.faults(|faults| faults.fail_next("views.update", Fault::Says(200, conflict.clone()), 1));
    let shown = shows(&bot, &view, "service", &["stripe", "hubspot"], "acme").await;
    says(&shown, "acme_hubspot");
    // A call is noted a moment after what it shows.
    until("both calls", async || (bot.slack.calls_to("views.update") == 2).then_some(())).await;
    let calls = bot.slack.calls().into_iter().filter(|(route, _)| route == "views.update");
    let hashes: Vec<_> = calls.map(|(_, arguments)| arguments["hash"].clone()).collect();
    assert_eq!(hashes, [view["hash"].clone(), Value::Null]);
    // Any other refusal leaves the form as it was; what is sent is shown all the same.
    let refusal = json!({ "ok": false, "error": "view_too_large" });
    bot.slack.faults(|faults| faults.fail_next("views.update", Fault::Says(200, refusal.clone()), 1));
    let chosen = ["stripe", "hubspot", "google_ads"];
    changes(&bot, &view, "service", &chosen, "acme").await;
    until("the call", async || (bot.slack.calls_to("views.update") == 3).then_some(())).await;
    let answer = submits(&bot, &view, &chosen, "acme").await;
    says(&answer["view"], "acme_google_ads");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_told_twice_or_in_a_form_that_is_too_old_asks_nothing_of_slack() {
    let (bot, _folder) = bot("").await;
    let view = bot.opens_form().await;
    let mut changed = view.clone();
    changed["state"] = json!({ "values": values(&["stripe", "hubspot"], "acme") });
    let payload = json!({ "type": "block_actions", "view": changed, "team": { "id": TEAM_ID },
        "user": { "id": USER, "team_id": TEAM_ID }, "actions": [{ "action_id": "service",
        "block_id": "service", "type": "multi_external_select", "action_ts": "1000000000.000001" }] });
    let body = bot.slack.interaction_request(&payload).body;
    let headers = bot.slack.signed_request(body.as_bytes());
    let url = format!("{}/slack/interactivity", bot.url);
    for _ in 0..3 {
        assert_eq!(post(&url, &headers, body.clone().into_bytes()).await.unwrap().status, 200);
    }
    until("the call", async || (bot.slack.calls_to("views.update") > 0).then_some(())).await;
    shows(&bot, &view, "service", &["stripe", "hubspot"], "globex").await;
    assert_eq!(bot.slack.calls_to("views.update"), 2);
    bot.advance(Duration::from_secs(26 * 60));
    changes(&bot, &view, "service", &["stripe", "hubspot"], "initech").await;
    let answer = submits(&bot, &view, &["stripe", "hubspot"], "initech").await;
    says(&answer["view"], "open for too long");
    assert_eq!(bot.slack.calls_to("views.update"), 2);
    assert!(bot.finish().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_service_of_a_bundle_is_shown_before_it_is_made_like_several() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let (setup, _folder) = set_up(setup, "[bundles.one]\nservices = [\"stripe\"]\n");
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    let view = bot.opens_form().await;
    let chosen = ["bundle:one"];
    let view = shows(&bot, &view, "service", &chosen, "acme").await;
    says(&view, "acme_stripe");
    let answer = submits(&bot, &view, &chosen, "globex").await;
    assert_eq!(answer["response_action"], "update", "{answer}");
    says(&answer["view"], "globex_stripe");
    assert!(schemas(&bot).is_empty());
    wire.arm(Trick::Hold);
    assert_eq!(submits(&bot, &view, &chosen, "acme").await["response_action"], "clear");
    // While that is under way: there is no field for a schema at which to say so.
    let answer = submits(&bot, &view, &chosen, "acme").await;
    assert!(answer["errors"]["service"].is_string(), "{answer}");
    wire.release();
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme_stripe"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_customer_names_nothing_where_one_schema_does() {
    let (bot, _folder) =
        bot(&format!("[channels.{CHANNEL}]\nschema = \"acme\"\ncustomer = \"acme\"\n")).await;
    let view = bot.opens_form().await;
    let chosen = ["stripe", "hubspot"];
    let view = shows(&bot, &view, "service", &chosen, "").await;
    assert_eq!(view["blocks"][2]["element"]["initial_value"], Value::Null);
    let answer = submits(&bot, &view, &chosen, "").await;
    assert!(answer["errors"]["customer"].is_string(), "{answer}");
    // Back at one, Slack tells nothing of a schema that nobody touched.
    let view = shows(&bot, &view, "service", &["stripe"], "").await;
    assert_eq!(view["blocks"][2]["element"]["initial_value"], "acme");
    assert_eq!(submits(&bot, &view, &["stripe"], "").await["response_action"], "clear");
    bot.until_all_ended().await;
    assert_eq!(schemas(&bot), ["acme"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_destination_that_was_chosen_stays_and_another_one_is_shown_first() {
    let (bot, _folder) = bot(&format!(
        "[destinations.eu]\ngroup_id = \"elsewhere\"\n[channels.{CHANNEL}]\ncustomer = \"acme\"\n\
         destination = \"prod\"\n"
    ))
    .await;
    let chosen = |view: &Value| {
        let blocks = view["blocks"].as_array().unwrap().iter();
        let mut found = blocks.filter(|block| block["block_id"] == "destination");
        found.next().unwrap()["element"]["initial_option"]["value"].clone()
    };
    let view = bot.opens_form().await;
    let mut state = values(&["stripe", "hubspot"], "");
    let eu = json!({ "value": "=eu", "text": { "type": "plain_text", "text": "eu" } });
    state["destination"] =
        json!({ "destination": { "type": "static_select", "selected_option": eu.clone() } });
    let change = async |state: &Value| {
        let used = Used { block_id: Some("service"), action_id: "service", choice: json!({}) };
        let calls = bot.slack.calls_to("views.update");
        let before = now(&bot, &view)["hash"].clone();
        bot.slack.use_in_view(&bot.url, id(&view), used, state.clone(), USER).await.unwrap();
        until("the form to change", async || (bot.slack.calls_to("views.update") > calls).then_some(()))
            .await;
        until("it", async || (now(&bot, &view)["hash"] != before).then(|| now(&bot, &view))).await
    };
    assert_eq!(chosen(&change(&state).await), "=eu");
    let elsewhere = values(&["stripe", "hubspot"], "");
    let answer = bot.slack.submit_view(&bot.url, id(&view), elsewhere, USER).await.unwrap().json();
    assert_eq!(answer["response_action"], "update", "{answer}");
    assert!(bot.fivetran.connections().is_empty());
    state["service"] = values(&["stripe"], "")["service"].clone();
    assert_eq!(chosen(&change(&state).await), "=eu");
    assert!(bot.finish().await.is_empty());
}
