//! What connections of a service are made with, by the file `CONFIG`.

use serde_json::{Value, json};
use stand_ins::fivetran::{Call, FivetranStandIn, GROUP_ID};
use tempfile::TempDir;

use crate::harness::{Outside, Program, Setup, TestBot, link_of, until};

const DEFAULTS: &str = r#"
    [services.google_ads]
    sync_frequency = 60
    hide_setup_guide = true
    all_fields = true
    config = { sync_mode = "SpecificAccounts", accounts = ["1", "2"] }
    [services.postgres]
    networking_method = "ProxyAgent"
    proxy_agent_id = "steadfast_otter"
    config.always_encrypted = true
    [services.stripe]
    sync_frequency = 15
"#;

/// A file of this text, and the folder that it lives in.
fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("services.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn bot(text: &str) -> (TestBot, TempDir) {
    let (folder, path) = file(text);
    (Setup::new().await.with("CONFIG", &path).start().await, folder)
}

/// The calls about connections, but for the lists that are read all the time.
fn calls(fivetran: &FivetranStandIn) -> Vec<Call> {
    let is_one = |call: &Call| call.path.starts_with("/v1/connections") && call.route != "list_page";
    fivetran.calls().into_iter().filter(is_one).collect()
}

/// The body of the creation of the connection of this name, once there is one.
async fn created(fivetran: &FivetranStandIn, name: &str) -> Value {
    let names = |call: &Call| {
        let config = &call.body["config"];
        call.route == "create_connection"
            && ["schema", "schema_prefix"].into_iter().any(|key| config[key] == *name)
    };
    let body = async || fivetran.calls().into_iter().find(names).map(|call| call.body);
    until("the creation", body).await
}

#[tokio::test]
async fn a_connection_is_made_with_the_defaults_of_its_service_in_one_call() {
    let (bot, _folder) = bot(DEFAULTS).await;
    for typed in ["google_ads acme", "postgres erp", "hubspot crm"] {
        bot.send(typed).await;
    }
    bot.until_all_ended().await;
    assert_eq!(calls(&bot.fivetran).len(), 3, "{:#?}", calls(&bot.fivetran));
    let mut ads = created(&bot.fivetran, "acme").await;
    let card = ads["connect_card_config"].as_object_mut().unwrap();
    let landing = card.remove("redirect_uri").unwrap();
    assert!(landing.as_str().unwrap().starts_with(&format!("{}/connected/", bot.url)), "{landing}");
    assert_eq!(
        ads,
        json!({
            "service": "google_ads",
            "group_id": GROUP_ID,
            "run_setup_tests": false,
            "paused": false,
            "destination_schema_names": "FIVETRAN_NAMING",
            "sync_frequency": 60,
            "config": { "schema": "acme", "sync_mode": "SpecificAccounts", "accounts": ["1", "2"] },
            "connect_card_config": { "hide_setup_guide": true, "all_fields": true },
        })
    );
    let erp = created(&bot.fivetran, "erp").await;
    assert_eq!(erp["config"], json!({ "schema_prefix": "erp", "always_encrypted": true }));
    assert_eq!([&erp["networking_method"], &erp["proxy_agent_id"]], ["ProxyAgent", "steadfast_otter"]);
    let crm = created(&bot.fivetran, "crm").await;
    assert_eq!((&crm["config"], crm.as_object().unwrap().len()), (&json!({ "schema": "crm" }), 7));
    // Fivetran has kept them.
    let kept = bot.fivetran.connections().into_iter().find(|kept| kept["schema"] == "erp").unwrap();
    assert_eq!(kept["networking_method"], "ProxyAgent");
    assert_eq!(bot.finish().await.len(), 3);
}

#[tokio::test]
async fn a_new_link_opens_the_card_that_the_first_one_did() {
    let (bot, _folder) = bot(DEFAULTS).await;
    bot.types("google_ads acme").await;
    bot.types("renew acme").await;
    let minted: Vec<_> =
        calls(&bot.fivetran).into_iter().filter(|call| call.route == "connect_card").collect();
    assert_eq!(minted.len(), 1, "{minted:#?}");
    let card = minted[0].body["connect_card_config"].as_object().unwrap();
    assert_eq!(card.len(), 3, "{card:?}");
    assert_eq!([&card["hide_setup_guide"], &card["all_fields"]], [true, true]);
    let links: Vec<_> = bot.slack.messages().iter().filter_map(link_of).collect();
    assert!(
        !links.is_empty() && links.iter().all(|link| link.contains("hide_setup_guide=true")),
        "{links:?}"
    );
    bot.finish().await;
}

#[tokio::test]
async fn a_shell_makes_them_as_the_bot_does() {
    let outside = Outside::start().await;
    let (_folder, path) = file(DEFAULTS);
    let output = Program::against(&outside).with("CONFIG", &path).run(&["link", "stripe", "tenant"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(created(&outside.fivetran, "tenant").await["sync_frequency"], 15);
    assert_eq!(outside.fivetran.calls_to("connector_type"), 0, "{output:?}");
}

/// Data that is synced otherwise than was said is worse than none.
#[tokio::test]
async fn a_default_that_fivetran_refuses_is_told_and_not_left_out() {
    let outside = Outside::start().await;
    let (_folder, path) = file("[services.google_ads]\nconfig = { sync_mod = \"AllAccounts\" }");
    let process = Program::against(&outside).with("CONFIG", &path).start().await;
    process.send(&outside.slack, "google_ads acme").await;
    let words = "Unrecognized field 'sync_mod'";
    let told = async || outside.slack.messages().iter().any(|it| it.rendered().contains(words)).then_some(());
    until("Fivetran's words", told).await;
    assert_eq!(created(&outside.fivetran, "acme").await["config"]["sync_mod"], "AllAccounts");
    let log = process.stop().await;
    assert!(log.contains("Fivetran refused a connection that was made with defaults of CONFIG"), "{log}");
    assert_eq!(outside.fivetran.calls_to("create_connection"), 1, "no second try without it");
}

const FAULTY: &str = r#"
    [services.GoogleAds]
    [services.stripe]
    colour = 1
    sync_frequency = 7
    networking_method = "directly"
    hybrid_deployment_agent_id = "a b"
    hide_setup_guide = "yes"
    all_fields = 1
    [services.stripe.config]
    schema = "canary"
    password = "canary"
    nested = { a = "canary" }
    [services.hubspot]
    config = "canary"
"#;

#[tokio::test]
async fn every_fault_of_the_defaults_is_told_at_once_by_serve_and_by_check() {
    let outside = Outside::start().await;
    let (_folder, path) = file(FAULTY);
    let program = Program::against(&outside).with("CONFIG", &path);
    let (serve, check) = (program.run(&["serve"]).await, program.run(&["check"]).await);
    assert_eq!((serve.code, check.code), (2, 1), "{serve:?} {check:?}");
    let keys = [
        "GoogleAds",
        "stripe.colour",
        "stripe.sync_frequency",
        "stripe.networking_method",
        "stripe.hybrid_deployment_agent_id",
        "stripe.hide_setup_guide",
        "stripe.all_fields",
        "stripe.config.schema",
        "stripe.config.password",
        "stripe.config.nested",
        "hubspot.config",
    ];
    for key in keys {
        let start = format!("{path}: services.{key} ");
        assert!(serve.stderr.lines().any(|line| line.starts_with(&start)), "{key}: {serve:?}");
        let start = format!("✗ {start}");
        assert!(check.stdout.lines().any(|line| line.starts_with(&start)), "{key}: {check:?}");
    }
    assert_eq!(serve.stderr.lines().count(), keys.len(), "{serve:?}");
    assert!(!serve.stderr.contains("canary") && !check.stdout.contains("canary"), "{serve:?} {check:?}");
    assert!(outside.fivetran.calls().is_empty());
}
