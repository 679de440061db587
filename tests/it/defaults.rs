//! What connections of a service are made with: what the file `CONFIG` says of it, and what Fivetran's
//! metadata says of that.

use serde_json::{Value, json};
use stand_ins::fault::{Fault, Faults};
use stand_ins::fivetran::{Call, FivetranStandIn, GROUP_ID};
use tempfile::TempDir;

use crate::harness::{Outside, Process, Program, Setup, TestBot, link_of, until};

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

async fn until_logged(process: &Process, line: &str) {
    until(line, async || process.log().contains(line).then_some(())).await;
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
    let warning = "Fivetran's metadata for google_ads has no config key sync_mod (did you mean sync_mode?)";
    until_logged(&process, warning).await;
    process.send(&outside.slack, "google_ads acme").await;
    let words = "Unrecognized field 'sync_mod'";
    let told = async || outside.slack.messages().iter().any(|it| it.rendered().contains(words)).then_some(());
    until("Fivetran's words", told).await;
    assert_eq!(created(&outside.fivetran, "acme").await["config"]["sync_mod"], "AllAccounts");
    let log = process.stop().await;
    assert!(log.contains("Fivetran refused a connection that was made with defaults of CONFIG"), "{log}");
    assert_eq!(outside.fivetran.calls_to("create_connection"), 1, "no second try without it");
}

#[tokio::test]
async fn what_the_metadata_forbids_is_sent_no_more_once_fivetran_can_be_asked() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    for route in ["connector_type", "connector_types", "account"] {
        fivetran.faults(|faults| faults.fail_always(route, Fault::Status(503)));
    }
    let text = "[services.google_ads.config]\nclient_id = \"canary\"\nsync_mode = \"AllAccounts\"\n\
                [services.postgres.config]\npublic_key = \"canary\"\n";
    let (_folder, path) = file(text);
    let process = Program::against(&outside).with("CONFIG", &path).start().await;
    until_logged(&process, "the config values of postgres could not be checked; it is tried again").await;
    process.send(&outside.slack, "postgres before").await;
    assert_eq!(
        created(fivetran, "before").await["config"]["public_key"],
        "canary",
        "nobody knows better yet"
    );

    fivetran.faults(Faults::heal);
    until_logged(&process, "services.google_ads.config.client_id is a secret by Fivetran's metadata").await;
    until_logged(&process, "services.postgres.config.public_key is set by Fivetran alone").await;
    for typed in ["google_ads acme", "postgres after"] {
        process.send(&outside.slack, typed).await;
    }
    assert_eq!(
        created(fivetran, "acme").await["config"],
        json!({ "schema": "acme", "sync_mode": "AllAccounts" })
    );
    assert_eq!(created(fivetran, "after").await["config"], json!({ "schema_prefix": "after" }));
    let log = process.stop().await;
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn each_service_with_config_values_is_asked_about_once() {
    let outside = Outside::start().await;
    let (_folder, path) = file(DEFAULTS);
    let process = Program::against(&outside).with("CONFIG", &path).start().await;
    until_logged(&process, "Fivetran's metadata knows all config values of CONFIG").await;
    let asked = outside.fivetran.calls().into_iter().filter(|call| call.route == "connector_type");
    let asked: Vec<_> = asked.map(|call| call.path.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["google_ads", "postgres"]);
    process.stop().await;
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

/// What `check` says of a file's defaults, and whether it is content.
async fn checked(outside: &Outside, text: &str) -> (i32, Vec<String>) {
    let (_folder, path) = file(text);
    let output = Program::against(outside).with("CONFIG", &path).run(&["check"]).await;
    let lines = output.stdout.lines().filter(|line| line.contains(" CONFIG: ")).map(str::to_owned);
    (output.code, lines.collect())
}

#[tokio::test]
async fn check_asks_fivetran_about_each_default() {
    let outside = Outside::start().await;
    assert_eq!(
        checked(&outside, DEFAULTS).await,
        (
            0,
            vec![
                "✓ CONFIG: defaults of google_ads: 2 config values, synced every 60 minutes, without the setup guide, with all fields".to_owned(),
                "✓ CONFIG: defaults of postgres: 1 config value, reached by ProxyAgent, a proxy agent".to_owned(),
                "✓ CONFIG: defaults of stripe: synced every 15 minutes".to_owned(),
            ]
        )
    );
    let text = "[services.google_ads.config]\nclient_id = \"canary\"\ncolour = \"canary\"\n\
                conversion_window_size = \"canary\"\nsync_mode = \"canary\"\n\
                [services.adwords]\nsync_frequency = 60\n";
    let (code, lines) = checked(&outside, text).await;
    assert_eq!(
        (code, lines),
        (
            1,
            vec![
                "✗ CONFIG: services.adwords is for a service which Fivetran does not list (it is now called google_ads): correct the id".to_owned(),
                "✗ CONFIG: services.google_ads.config.client_id is a secret by Fivetran's metadata, so it is not sent: remove it; the customer types it on the Connect Card".to_owned(),
                "· CONFIG: Fivetran's metadata for google_ads has no config key colour; it is sent all the same, and Fivetran has the last word".to_owned(),
                "· CONFIG: services.google_ads.config.conversion_window_size wants a whole number; it is sent all the same, and Fivetran has the last word".to_owned(),
                "· CONFIG: services.google_ads.config.sync_mode takes ManagerAccounts, AllAccounts, SpecificAccounts; it is sent all the same, and Fivetran has the last word".to_owned(),
            ]
        )
    );
}

#[tokio::test]
async fn check_says_which_defaults_it_cannot_check() {
    let outside = Outside::start().await;
    outside.fivetran.faults(|faults| faults.fail_always("connector_type", Fault::Status(403)));
    let (code, lines) = checked(&outside, DEFAULTS).await;
    // That the key may not read metadata is a line of its own.
    assert_eq!((code, lines.len()), (1, 3), "{lines:#?}");
    for (line, service) in lines.iter().zip(["google_ads", "postgres"]) {
        assert!(line.starts_with(&format!("· CONFIG: defaults of {service}: ")), "{line}");
        assert!(line.contains("cannot be checked (the API key may not do this"), "{line}");
    }
    assert!(lines[2].starts_with("✓ CONFIG: defaults of stripe: "), "{lines:#?}");
}
