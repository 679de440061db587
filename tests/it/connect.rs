//! `/connect-card SERVICE SCHEMA`: from the command to the link in the channel.

use expect_test::expect;
use futures_util::future::join_all;
use serde_json::json;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::Via;

use crate::harness::{
    CHANNEL, PRIVATE, SHARED, Setup, TestBot, Trick, USER, Wire, post, signed_headers, until,
};

#[tokio::test]
async fn a_command_is_acknowledged_before_fivetran_has_answered() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    bot.types_meanwhile(USER, CHANNEL, "google_ads customer_schema").await;
    until("the creation", async || (bot.created() == 1).then_some(())).await;
    assert!(bot.slack.messages().is_empty(), "Fivetran's answer is held back");
    bot.notes("Fivetran is slow");
    wire.release();
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        Fivetran is slow
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
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
    bot.types("google_ads customer_schema").await;
    assert_eq!(bot.slack.calls_to("response_url"), 0);
    assert_eq!(bot.finish_with_link().await.via, Via::PostMessage);
}

#[tokio::test]
async fn without_a_token_the_link_comes_by_the_response_url() {
    let bot = Setup::new().await.without_token().start().await;
    bot.types_as(USER, PRIVATE, "google_ads customer_schema").await;
    assert_eq!(bot.slack.calls_to("response_url"), 1);
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 0);
    let message = bot.link_message();
    assert_eq!(message.via, Via::ResponseUrl);
    assert_eq!(message.payload["response_type"], "in_channel");
    bot.ends(expect![[r#"
        #leadership
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn where_the_bot_is_not_a_member_the_response_url_serves() {
    let bot = TestBot::start().await;
    bot.types_as(USER, PRIVATE, "google_ads customer_schema").await;
    assert_eq!(bot.slack.calls_to("chat.postMessage"), 1);
    assert_eq!(bot.created(), 1);
    assert_eq!(bot.link_message().via, Via::ResponseUrl);
    bot.ends(expect![[r#"
        #leadership
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
        bot tells alice alone:
            The link is posted, but I'm not in this channel, so the message won't update when your customer
            finishes. /invite me, and future ones will.
    "#]])
        .await;
}

#[tokio::test]
async fn an_unfinished_connection_gets_a_fresh_link() {
    let bot = TestBot::start().await;
    let id = bot.fivetran.seed_connection("google_ads", "customer_schema", "incomplete");
    bot.types("google_ads customer_schema").await;
    assert_eq!(bot.created(), 0);
    assert_eq!(bot.fivetran.connections().len(), 1);
    let minted: Vec<_> = bot.api_calls().into_iter().filter(|call| call.route == "connect_card").collect();
    assert_eq!(minted.len(), 1);
    assert_eq!(minted[0].path, format!("/v1/connections/{id}/connect-card"));
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This link replaces an earlier one that was never used to finish the setup.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn a_connected_connection_is_refused_in_private() {
    let bot = TestBot::start().await;
    for (schema, state) in [("customer_schema", "connected"), ("broken_schema", "broken")] {
        let _ = bot.fivetran.seed_connection("google_ads", schema, state);
    }
    bot.types("google_ads customer_schema").await;
    bot.types("google_ads broken_schema").await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot tells alice alone:
            Google Ads is already connected to customer_schema, so I didn't post a link here: it would let
            whoever sees it sign in again. If you meant another customer, choose another schema.
            [Post a sign-in link here]
            [Never mind]
            Ref R1
        alice: /connect-card google_ads broken_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot tells alice alone:
            Google Ads is already connected to broken_schema, so I didn't post a link here: it would let
            whoever sees it sign in again. If you meant another customer, choose another schema.
            [Post a sign-in link here]
            [Never mind]
            Ref R2
    "#]])
        .await;
}

#[tokio::test]
async fn a_schema_of_another_service_is_refused_by_its_name() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("hubspot", "customer_schema", "incomplete");
    bot.types("google_ads customer_schema").await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot tells alice alone:
            The schema customer_schema belongs to a connection for another service (HubSpot). Choose another
            schema, for example: /connect-card google_ads customer_schema_2
            [Use google_ads customer_schema_2]
            Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn a_retired_name_becomes_its_successor_and_only_the_private_reply_says_so() {
    let bot = TestBot::start().await;
    bot.types("adwords customer_schema").await;
    assert_eq!(bot.api_calls()[0].body["service"], "google_ads");
    // It is not the customer's affair.
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card adwords customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here. (adwords is now called google_ads, so I
              used that.)
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

/// What Fivetran lists is known in the first second after a start as well.
#[tokio::test]
async fn a_word_that_nothing_knows_waits_for_the_first_catalogue() {
    for (id, name) in [("brand_new_source", "Brand New Source"), ("adwords", "AdWords")] {
        let setup = Setup::new().await;
        setup.fivetran.list_service(id, name);
        let bot = setup.start_without_catalogue().await;
        let ack = bot.send(&format!("{id} customer_schema")).await;
        assert!(ack.text().contains(&format!("Making a link for {name} now")), "{}", ack.text());
        let creation = until("the creation", async || {
            bot.api_calls().into_iter().find(|it| it.route == "create_connection")
        });
        assert_eq!(creation.await.body["service"], json!(id));
    }
}

/// Nor is a name read as a service and a schema because only a part of it is known yet.
#[tokio::test]
async fn a_name_waits_for_the_first_catalogue_whichever_way_it_comes() {
    for way in ["typed", "searched", "suggested", "chosen"] {
        let setup = Setup::new().await;
        setup.fivetran.list_service("google_ads_manager", "Google Ads Manager");
        let wire = Wire::to(setup.fivetran.addr(), "/public/connector-types").await;
        wire.arm(Trick::Hold);
        let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start_without_catalogue().await;
        let view = bot.opens_form().await;
        let comes = async {
            match way {
                "typed" => bot.send("google ads manager").await.text().to_owned(),
                "searched" => bot.send("services ads manager").await.text().to_owned(),
                "suggested" => {
                    let asked = bot.slack.suggest(&bot.url, "service", "service", "ads manager", USER, None);
                    asked.await.unwrap().json().to_string()
                }
                _ => bot.submits_meanwhile(USER, &view, ["google_ads_manager", "acme", ""]).await.to_string(),
            }
        };
        let released = async {
            until("the catalogue is asked for", async || (wire.played() > 0).then_some(())).await;
            wire.release();
        };
        let (said, ()) = tokio::join!(comes, released);
        let expected = if way == "chosen" { r#"{"response_action":"clear"}"# } else { "Google Ads Manager" };
        assert!(said.contains(expected), "{way}: {said}");
    }
}

#[tokio::test]
async fn a_service_that_a_link_cannot_set_up_is_told_and_not_created() {
    let setup = Setup::new().await;
    setup.fivetran.list_service("connector_sdk", "Connector SDK");
    let bot = setup.start().await;
    let ack = bot.send("connector_sdk customer_schema").await;
    assert!(ack.text().contains("I didn't create anything"), "{}", ack.text());
    assert!(!bot.api_calls().iter().any(|it| it.route == "create_connection"));
}

#[tokio::test]
async fn a_retired_name_that_the_catalogue_lists_is_taken_at_its_word() {
    let setup = Setup::new().await;
    setup.fivetran.list_service("adwords", "AdWords");
    let bot = setup.start().await;
    bot.types("adwords customer_schema").await;
    let creation = bot.api_calls().pop().unwrap();
    assert_eq!((creation.route, &creation.body["service"]), ("create_connection", &json!("adwords")));
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card adwords customer_schema
          only alice sees:
              Making a link for AdWords now. It will appear here.
              Ref R1
        bot posts:
            Please connect *AdWords*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect AdWords → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn the_same_words_again_while_the_first_are_at_work_are_not_done_twice() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "POST /v1/connections").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    wire.arm(Trick::Hold);
    bot.types_meanwhile(USER, CHANNEL, "google_ads customer_schema").await;
    bot.types_meanwhile(USER, CHANNEL, "google_ads customer_schema").await;
    // Another customer's channel must not get a link to the same connection while the first is on
    // its way, whose channel Fivetran cannot tell us yet.
    bot.types_meanwhile(USER, SHARED, "google_ads customer_schema").await;
    wire.release();
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Already on it: I'm making a link for Google Ads (schema customer_schema).
        #shared-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              A request for the same connection (schema customer_schema) is in progress in another channel.
              Please try again in a minute.
        #customer-acme
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
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
    for typed in [
        "help",
        "google_ads",
        "gogle_ads customer_schema",
        "google_ads Customer-Schema",
        "google_sheets budget",
        "google_ads customer_schema to nowhere",
    ] {
        bot.types(typed).await;
    }
    assert_eq!(bot.api_calls().len(), 0);
    assert!(bot.slack.messages().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card help
          only alice sees:
              *What you can type*
              • `/connect-card`  opens a form to choose from
              • `/connect-card SERVICE SCHEMA`  posts a link for your customer to connect SERVICE; its data
              goes to SCHEMA
              • `/connect-card SERVICE, SERVICE CUSTOMER`  posts one message with a link for each SERVICE,
              into schemas named after CUSTOMER; a bundle's name stands for its services
              • `/connect-card status SCHEMA`  shows you, and only you, the status of the link for SCHEMA
              • `/connect-card list`  lists this channel's links, most urgent first
              • `/connect-card renew SCHEMA`  replaces this channel's link for SCHEMA with a new one
              • `/connect-card cancel SCHEMA`  cancels the connection for SCHEMA if your customer hasn't
              finished it
              • `/connect-card services WORDS`  searches Fivetran's services by id and name; also shows the
              bundles and destinations there are
              • `/connect-card doctor`  checks, for you alone, whether the bot is well
              • `/connect-card help`  shows this

              *For example*
              • `/connect-card google_ads customer_schema`
              • `/connect-card google_ads, facebook_ads, hubspot acme`
              • `/connect-card status customer_schema`
              • `/connect-card renew customer_schema`
              • `/connect-card cancel customer_schema`
              • `/connect-card services google`
              Services that fill a single table need SCHEMA.TABLE. A service alone takes the channel's own
              schema, if it has one. “to DESTINATION” at the end names another destination. A schema's name
              can't be changed later.
        alice: /connect-card google_ads
          only alice sees:
              Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA
        alice: /connect-card gogle_ads customer_schema
          only alice sees:
              I don't know a service called “gogle_ads”. Did you mean google_ads (Google Ads)? Try:
              /connect-card google_ads customer_schema
              [Use google_ads]
        alice: /connect-card google_ads Customer-Schema
          only alice sees:
              “Customer-Schema” isn't a valid schema: it has capital letters and “-” (use a–z, 0–9 and _).
              Try: /connect-card google_ads customer_schema
              [Use google_ads customer_schema]
        alice: /connect-card google_sheets budget
          only alice sees:
              Google Sheets fills one table, so it needs SCHEMA.TABLE: add the name of the table. Try:
              /connect-card google_sheets budget.google_sheets
              [Use google_sheets budget.google_sheets]
        alice: /connect-card google_ads customer_schema to nowhere
          only alice sees:
              I don't know a destination called “nowhere”; there's only the default one. Leave out “to
              nowhere”.
    "#]])
        .await;
}
