//! Channel = customer: what the file `CONFIG` says, and how it fills in what is not typed.

use expect_test::expect;
use serde_json::json;
use stand_ins::fivetran::GROUP_ID;
use tempfile::TempDir;

use crate::harness::{CHANNEL, Outside, PRIVATE, Program, Setup, TestBot, USER};

/// A file of this text, and the folder that it lives in.
fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn acme() -> String {
    format!(
        "[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n\
         [channels.{CHANNEL}]\nschema = \"acme\"\ndestination = \"prod\"\n\
         services = [\"google_ads\", \"google_sheets\"]\n"
    )
}

async fn bot(text: &str) -> (TestBot, TempDir) {
    let (folder, path) = file(text);
    let setup = Setup::new().await.with("CONFIG", &path).with("FIVETRAN_GROUP_ID", "");
    (setup.start().await, folder)
}

#[tokio::test]
async fn the_channel_knows_the_schema_and_the_destination() {
    let (bot, _folder) = bot(&acme()).await;
    bot.types("google_ads").await;
    let call = &bot.api_calls()[0];
    assert_eq!(call.body["config"], json!({ "schema": "acme" }));
    assert_eq!(call.body["group_id"], GROUP_ID);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads
          only alice sees:
              Making a link for Google Ads now, into `acme`. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` in prod · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn what_is_typed_is_stronger_than_the_channel() {
    let (bot, _folder) = bot(&acme()).await;
    bot.types("google_ads other to prod").await;
    assert_eq!(bot.api_calls()[0].body["config"], json!({ "schema": "other" }));
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads other to prod
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `other` in prod · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

/// One channel with a pattern and one with a plain schema.
fn named() -> String {
    format!(
        "schema = \"{{customer}}_{{service}}\"\n[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n\
         [channels.{CHANNEL}]\ncustomer = \"acme\"\n[channels.{PRIVATE}]\nschema = \"globex\"\n"
    )
}

#[tokio::test]
async fn two_services_in_one_channel_get_a_schema_each() {
    let (bot, _folder) = bot(&named()).await;
    for typed in ["stripe", "google_sheets", "renew"] {
        bot.types(typed).await;
    }
    let calls = bot.api_calls();
    let configs: Vec<_> = calls.iter().map(|call| call.body["config"].clone()).collect();
    assert_eq!(
        configs,
        [
            json!({ "schema": "acme_stripe" }),
            json!({ "schema": "acme_google_sheets", "table": "google_sheets" })
        ]
    );
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card stripe
          only alice sees:
              Making a link for Stripe now, into `acme_stripe`. It will appear here.
              Ref R1
        bot posts:
            Please connect *Stripe*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Stripe → card 1]
            Requested by @alice · The data goes to `acme_stripe` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R1
        alice: /connect-card google_sheets
          only alice sees:
              Making a link for Google Sheets now, into `acme_google_sheets.google_sheets`. It will appear
              here.
              Ref R2
        bot posts:
            Please connect *Google Sheets*: click the button and sign in on the page that opens. Your
            password stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Sheets → card 2]
            Requested by @alice · The data goes to table `google_sheets` in `acme_google_sheets` · Works
            until T+24h · Everyone here can see this link, and anyone who has it can use it · Ref R2
        alice: /connect-card renew
          only alice sees:
              Type one schema: /connect-card renew SCHEMA
    "#]])
        .await;
}

#[tokio::test]
async fn the_second_source_of_a_plain_schema_is_still_refused() {
    let (bot, _folder) = bot(&named()).await;
    for typed in ["stripe", "hubspot"] {
        bot.types_as(USER, PRIVATE, typed).await;
    }
    assert_eq!(bot.created(), 1);
    bot.ends(expect![[r#"
        #leadership
        alice: /connect-card stripe
          only alice sees:
              Making a link for Stripe now, into `globex`. It will appear here.
              Ref R1
        bot posts:
            Please connect *Stripe*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Stripe → card 1]
            Requested by @alice · The data goes to `globex` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot tells alice alone:
            The link is posted, but I'm not in this channel, so the message won't update when your customer
            finishes. /invite me, and future ones will.
        alice: /connect-card hubspot
          only alice sees:
              Making a link for HubSpot now, into `globex`. It will appear here.
              Ref R2
        bot tells alice alone:
            The schema globex belongs to a connection for another service (Stripe). Choose another schema,
            for example: /connect-card hubspot globex_2
            [Use hubspot globex_2]
            Ref R2
    "#]])
        .await;
}

#[tokio::test]
async fn the_form_of_a_channel_with_a_pattern_asks_for_no_schema() {
    let (bot, _folder) = bot(&named()).await;
    let view = bot.opens_form().await;
    let schema = &view["blocks"][2];
    assert_eq!(
        (&schema["optional"], &schema["hint"]["text"]),
        (
            &json!(true),
            &json!(
                "Leave it empty for the channel's own, such as acme_google_ads. It can't be changed later."
            )
        )
    );
    let answer = bot.submits(USER, &view, ["stripe", "", ""]).await;
    assert_eq!(answer, json!({ "response_action": "clear" }));
    assert_eq!(bot.api_calls()[0].body["config"], json!({ "schema": "acme_stripe" }));
    bot.finish_with_link().await;
}

#[tokio::test]
async fn check_says_what_a_pattern_makes() {
    let outside = Outside::start().await;
    outside.fivetran.list_service("15five", "15Five");
    let long = "x".repeat(60);
    let mut text = format!(
        "schema = \"{{customer}}_{{service}}\"\n[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n\
         [channels.C1]\ncustomer = \"acme\"\nservices = [\"stripe\", \"google_sheets\"]\n\
         [channels.C2]\ncustomer = \"{long}\"\nservices = [\"stripe\"]\n\
         [channels.C3]\nschema = \"{{service}}\"\nservices = [\"15five\", \"hubspot\"]\n\
         [channels.C4]\nschema = \"globex\"\n\
         [channels.C5]\nschema = \"globex\"\nservices = [\"stripe\"]\n\
         [channels.C6]\nschema = \"globex\"\nservices = [\"google_sheets\", \"s3\"]\n\
         [channels.C7]\nschema = \"{{customer}}\"\ncustomer = \"initech\"\n"
    );
    for n in 10..15 {
        text += &format!("[channels.C{n}]\ncustomer = \"c{n}\"\n");
    }
    let (_folder, path) = file(&text);
    let program = Program::against(&outside).with("CONFIG", &path).without("FIVETRAN_GROUP_ID");
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    let lines: Vec<_> = output.stdout.lines().filter(|line| line.contains("CONFIG: ")).collect();
    let told = lines.join("\n").replace(&long, "(60 x)") + "\n";
    expect![[r#"
        ✓ CONFIG: acme's channel C1 names its schemas by {customer}_{service}, such as acme_stripe
        ✓ CONFIG: c10's channel C10 names its schemas by {customer}_{service}, such as c10_google_ads
        ✓ CONFIG: c11's channel C11 names its schemas by {customer}_{service}, such as c11_google_ads
        ✓ CONFIG: c12's channel C12 names its schemas by {customer}_{service}, such as c12_google_ads
        ✓ CONFIG: c13's channel C13 names its schemas by {customer}_{service}, such as c13_google_ads
        ✓ CONFIG: and 4 more
        · CONFIG: channels.C4 has the schema globex for every service: only one source fits in it, and the second is refused. A pattern such as "{customer}_{service}" gives each its own
        · CONFIG: channels.C7 has the pattern {customer} for every service: only one source fits in it, and the second is refused. A pattern such as "{customer}_{service}" gives each its own
        ✗ CONFIG: channels.C2: stripe would be called “(60 x)_stripe”, which is longer than 63 characters; shorten the pattern, or the customer
        ✗ CONFIG: channels.C3: 15five would be called “15five”, which isn't a valid schema; begin the pattern with a letter
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn a_table_is_asked_for_where_the_channels_schema_has_none() {
    let (bot, _folder) = bot(&acme()).await;
    bot.types("google_sheets").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_sheets
          only alice sees:
              Google Sheets fills one table, so it needs SCHEMA.TABLE: add the name of the table. Try:
              /connect-card google_sheets acme.google_sheets
              [Use google_sheets acme.google_sheets]
    "#]])
        .await;
}

#[tokio::test]
async fn a_service_that_the_channel_does_not_allow_is_refused_by_name() {
    let (bot, _folder) = bot(&acme()).await;
    for typed in ["hubspot", "hubspot acme"] {
        bot.types(typed).await;
    }
    // Another channel is another customer.
    bot.types_as(USER, PRIVATE, "hubspot").await;
    assert!(bot.api_calls().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card hubspot
          only alice sees:
              This channel isn't set up for HubSpot, so I didn't create anything. Allowed here: google_ads
              (Google Ads) and google_sheets (Google Sheets).
        alice: /connect-card hubspot acme
          only alice sees:
              This channel isn't set up for HubSpot, so I didn't create anything. Allowed here: google_ads
              (Google Ads) and google_sheets (Google Sheets).
        #leadership
        alice: /connect-card hubspot
          only alice sees:
              Where should the data from HubSpot go? Add a schema: /connect-card hubspot SCHEMA
    "#]])
        .await;
}

#[tokio::test]
async fn of_two_destinations_one_must_be_said() {
    let (bot, _folder) =
        bot("[destinations.b]\ngroup_id = \"b\"\n[destinations.a]\ngroup_id = \"a\"\n").await;
    bot.types("google_ads acme").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Where should the data go? Add “to” and one of these: a or b.
    "#]])
        .await;
}

const FAULTY: &str = "default_destination = \"nowhere\"\ncolour = 1\n\
    [destinations.Prod]\ngroup_id = \"a b\"\n\
    [channels.general]\n[channels.C1]\nshema = \"x\"\nschema = \"X\"\nservices = [\"Google Ads\"]\n";

#[tokio::test]
async fn every_fault_of_the_file_is_told_at_once_by_serve_and_by_check() {
    let outside = Outside::start().await;
    let (_folder, path) = file(FAULTY);
    let program = Program::against(&outside).with("CONFIG", &path).with("PORT", "many");
    let (serve, check) = (program.run(&["serve"]).await, program.run(&["check"]).await);
    assert_eq!((serve.code, check.code), (2, 1), "{serve:?} {check:?}");
    let keys = [
        "default_destination",
        "colour",
        "destinations.Prod",
        "destinations.Prod.group_id",
        "channels.general",
        "channels.C1.shema",
        "channels.C1.schema",
        "channels.C1.services, entry 1",
    ];
    for key in keys {
        let start = format!("{path}: {key} ");
        assert!(serve.stderr.lines().any(|line| line.starts_with(&start)), "{key}: {serve:?}");
        let start = format!("✗ {start}");
        assert!(check.stdout.lines().any(|line| line.starts_with(&start)), "{key}: {check:?}");
    }
    assert_eq!(serve.stderr.lines().count(), keys.len() + 1, "and PORT: {serve:?}");
    assert!(outside.slack.calls().is_empty() && outside.fivetran.calls().is_empty());
}

#[tokio::test]
async fn check_tries_every_destination_and_knows_every_service() {
    let outside = Outside::start().await;
    let text = format!(
        "[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n[destinations.old]\ngroup_id = \"gone\"\n\
         [channels.C1]\nservices = [\"google_ads\", \"adwords\", \"gogle_ads\"]\n"
    );
    let (_folder, path) = file(&text);
    let program = Program::against(&outside).with("CONFIG", &path).without("FIVETRAN_GROUP_ID");
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    let bad: Vec<_> = output.stdout.lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(bad.len(), 3, "{output:?}");
    assert!(bad[0].contains("old (gone)") && bad[0].contains("CONFIG"), "{bad:?}");
    assert!(bad[1].contains("channels.C1.services") && bad[1].contains("now called google_ads"), "{bad:?}");
    assert!(bad[2].contains("gogle_ads"), "{bad:?}");
    assert!(output.stdout.contains("✓ Fivetran destination prod"), "{output:?}");
}

#[tokio::test]
async fn a_shell_can_name_a_destination_of_the_file() {
    let outside = Outside::start().await;
    let (_folder, path) = file(&acme());
    let program = Program::against(&outside).with("CONFIG", &path).without("FIVETRAN_GROUP_ID");
    let output = program.run(&["link", "hubspot", "tenant", "--destination", "prod", "--json"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(outside.fivetran.connections()[0]["group_id"], GROUP_ID);
}
