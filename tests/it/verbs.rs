//! The verbs that only look: `status`, `list` and `services`, and the buttons in their answers.

use std::time::Duration;

use connect_card::reply::ask::CANCEL;
use connect_card::reply::ask::RENEW_HERE;
use connect_card::reply::list::{BACK, NEXT};
use expect_test::expect;
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::slack::Message;

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, SHARED, Setup, TestBot, Trick, USER, Wire};

/// The message with another value behind each of its buttons.
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

/// A bot with a posted link for each of these schemas.
pub(crate) async fn with_links(schemas: &[&str]) -> TestBot {
    let bot = TestBot::start().await;
    for schema in schemas {
        bot.types(&format!("google_ads {schema}")).await;
    }
    bot.begins_here();
    bot
}

#[tokio::test]
async fn services_are_found_in_the_acknowledgement() {
    let bot = TestBot::start().await;
    for typed in [
        "services google",
        "SERVICES",
        "services adwords",
        "services googel_ads",
        "services <!channel> &amp;",
        "services qqqqqqq",
    ] {
        let ack = bot.types(typed).await;
        assert!(!ack.text().contains("<!channel>\",\"verbatim"), "{typed}");
    }
    assert!(bot.api_calls().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card services google
          only alice sees:
              Services matching “google”:
              • `google_ads` — Google Ads
              • `google_analytics_4` — Google Analytics 4
              • `google_sheets` — Google Sheets
              To request one: `/connect-card google_ads SCHEMA`
        alice: /connect-card SERVICES
          only alice sees:
              Popular services:
              • `google_ads` — Google Ads
              • `facebook_ads` — Facebook Ads
              • `salesforce` — Salesforce
              • `hubspot` — HubSpot
              • `google_analytics_4` — Google Analytics 4
              • `google_sheets` — Google Sheets
              • `linkedin_ads` — LinkedIn Ads
              • `shopify` — Shopify
              • `stripe` — Stripe
              • `postgres` — PostgreSQL
              • `mysql` — MySQL
              • `mongo` — MongoDB
              • `bingads` — Microsoft Advertising
              • `zendesk` — Zendesk Support
              • `jira` — Jira
              And 5 more: add a word to narrow it down.
              To request one: `/connect-card google_ads SCHEMA`
        alice: /connect-card services adwords
          only alice sees:
              “adwords” is the old name of this service:
              • `google_ads` — Google Ads
              To request one: `/connect-card google_ads SCHEMA`
        alice: /connect-card services googel_ads
          only alice sees:
              No service matches “googel_ads”. The closest:
              • `google_ads` — Google Ads
              To request one: `/connect-card google_ads SCHEMA`
        alice: /connect-card services <!channel> &amp;
          only alice sees:
              No service matches “@channel &”. Try fewer letters, or another word from its name.
        alice: /connect-card services qqqqqqq
          only alice sees:
              No service matches “qqqqqqq”. Try fewer letters, or another word from its name.
    "#]])
        .await;
}

#[tokio::test]
async fn of_many_services_the_first_are_shown_and_the_rest_counted() {
    let setup = Setup::new().await;
    for n in 0..40 {
        setup.fivetran.list_service(&format!("many_{n:02}_{}", "x".repeat(90)), &"&<>".repeat(80));
    }
    let bot = setup.start().await;
    let text = bot.private(&bot.types("services many").await).rendered();
    assert_eq!(text.matches("• ").count(), 15, "{text}");
    assert!(text.contains("And 25 more"), "{text}");
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn an_empty_list_says_what_to_type() {
    let bot = TestBot::start().await;
    bot.types("list").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card list
          only alice sees:
              No open links in this channel. Make one with /connect-card SERVICE SCHEMA
    "#]])
        .await;
}

#[tokio::test]
async fn the_list_turns_its_pages_in_place() {
    let names: Vec<_> = (0..12).map(|n| format!("tenant_{n:02}")).collect();
    let bot = with_links(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // One needs attention, and so comes first; one is connected, and so last.
    bot.customer_finishes("tenant_03");
    bot.connection_breaks("tenant_07", "Reconnect");
    bot.passes(Duration::from_secs(21)).await;
    bot.begins_here();
    let first = bot.private(&bot.types("list").await);
    let answer = bot.presses(USER, &first, NEXT).await;
    assert_eq!((&answer["replace_original"], &answer["response_type"]), (&json!(true), &json!("ephemeral")));
    let second = Message { payload: answer, ..first.clone() };
    bot.presses(USER, &second, BACK).await;

    bot.notes("a page that is not there is the last one:");
    bot.presses(USER, &with_value(first.clone(), "18446744073709551615"), NEXT).await;
    bot.notes("what is no page is nothing:");
    let forged = bot.presses(USER, &with_value(first.clone(), "../../x"), NEXT).await;
    assert_eq!(forged["replace_original"], false);
    bot.presses(OUTSIDER, &first, NEXT).await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card list
          only alice sees:
              12 links in this channel, most urgent first; showing 1 to 10:
              :warning: *Google Ads* into `tenant_07`
              needs to be connected again · since T · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_00`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_01`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_02`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_04`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_05`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_06`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_08`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_09`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_10`
              waiting for your customer · works until T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
              [Next]
        alice presses [Next]
          only alice sees instead:
              12 links in this channel, most urgent first; showing 11 to 12:
              :hourglass_flowing_sand: *Google Ads* into `tenant_11`
              waiting for your customer · works until T+24h · requested by @alice
              :white_check_mark: *Google Ads* into `tenant_03`
              connected · since T · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
              [Back]
        alice presses [Back]
          only alice sees instead:
              12 links in this channel, most urgent first; showing 1 to 10:
              :warning: *Google Ads* into `tenant_07`
              needs to be connected again · since T · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_00`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_01`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_02`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_04`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_05`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_06`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_08`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_09`
              waiting for your customer · works until T+24h · requested by @alice
              :hourglass_flowing_sand: *Google Ads* into `tenant_10`
              waiting for your customer · works until T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
              [Next]
        a page that is not there is the last one:
        alice presses [Next]
          only alice sees instead:
              12 links in this channel, most urgent first; showing 11 to 12:
              :hourglass_flowing_sand: *Google Ads* into `tenant_11`
              waiting for your customer · works until T+24h · requested by @alice
              :white_check_mark: *Google Ads* into `tenant_03`
              connected · since T · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
              [Back]
        what is no page is nothing:
        alice presses [Next]
          only alice sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        outsider presses [Next]
          only outsider sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, ask
              whoever posted the link for a new one.
    "#]])
        .await;
}

#[tokio::test]
async fn status_says_what_the_database_and_fivetran_know() {
    let bot = with_links(&["acme"]).await;
    bot.types("status acme").await;
    bot.customer_finishes("acme");
    // The link's own message follows.
    bot.types("status acme").await;
    bot.connection_breaks("acme", "Reconnect <!here> & sign in");
    bot.types("status acme").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :hourglass_flowing_sand: *Google Ads* into `acme`
              waiting for your customer · works until T+24h
              Fivetran says: nobody has finished the setup yet.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a new link]
              [Cancel the connection]
        the customer finishes the setup
        alice: /connect-card status acme
          only alice sees:
              :white_check_mark: *Google Ads* into `acme`
              connected · since T
              Fivetran says: set up and working; a sync is running; the first sync isn't finished yet.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
        the connection breaks; Fivetran says: reconnect / Reconnect / Reconnect <!here> & sign in
        alice: /connect-card status acme
          only alice sees:
              :warning: *Google Ads* into `acme`
              needs to be connected again · since T
              Fivetran says: set up, but not working now; the next sync is scheduled; the first sync isn't
              finished yet.
              To do:
              • Reconnect (reconnect): Reconnect <!here> & sign in
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a link to fix it]
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. Fivetran says:
            Reconnect <!here> & sign in. To fix it, get a link and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads needs to be connected again: Reconnect <!here> & sign in. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test]
async fn status_does_not_wait_for_a_slow_fivetran() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), "GET /v1/connections/").await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    bot.types("google_ads acme").await;
    bot.begins_here();
    // Fivetran's answer is held back for as long as the person looks.
    wire.arm(Trick::Hold);
    bot.types_meanwhile(USER, CHANNEL, "status acme").await;
    assert!(wire.played() > 0);
    wire.release();
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :hourglass_flowing_sand: *Google Ads* into `acme`
              waiting for your customer · works until T+24h
              I couldn't see what Fivetran says just now; this is the last known status.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a new link]
              [Cancel the connection]
    "#]])
        .await;
}

#[tokio::test]
async fn a_link_whose_time_is_over_does_not_wait_any_more() {
    let bot = with_links(&["acme"]).await;
    bot.fivetran.faults(|faults| {
        faults.fail_always("get_connection", Fault::Status(503));
        faults.fail_always("list_connections", Fault::Status(503));
    });
    // Before the watcher has looked.
    bot.announce_stop();
    bot.advance(Duration::from_secs(25 * 3600));
    for typed in ["status acme", "list"] {
        bot.types_meanwhile(USER, CHANNEL, typed).await;
    }
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :hourglass: *Google Ads* into `acme`
              the link has expired · worked until T+24h
              I couldn't see what Fivetran says just now; this is the last known status.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a new link]
              [Cancel the connection]
        alice: /connect-card list
          only alice sees:
              One link in this channel:
              :hourglass: *Google Ads* into `acme`
              the link has expired · worked until T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
        bot edits message 1:
            :hourglass: The link for *Google Ads* expired T+24h. If the setup isn't finished yet, get a new
            link.
            [Get a new link]
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              The link for Google Ads has expired. If the setup isn't finished yet, use the button above to
              get a new one.
    "#]])
        .await;
}

#[tokio::test]
async fn another_channels_links_are_nobodys_business() {
    let bot = with_links(&["acme"]).await;
    bot.types("status nothing").await;
    for typed in ["status acme", "list"] {
        bot.types_as(USER, SHARED, typed).await;
    }
    for typed in ["status", "status a b", "status Ümlaut"] {
        bot.types(typed).await;
    }
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card status nothing
          only alice sees:
              No link for nothing has been posted in this channel. /connect-card list shows the ones that
              have.
              [Show the links]
        #shared-acme
        alice: /connect-card status acme
          only alice sees:
              No link for acme has been posted in this channel. /connect-card list shows the ones that have.
              [Show the links]
        alice: /connect-card list
          only alice sees:
              No open links in this channel. Make one with /connect-card SERVICE SCHEMA
        #customer-acme
        alice: /connect-card status
          only alice sees:
              Type one schema: /connect-card status SCHEMA
        alice: /connect-card status a b
          only alice sees:
              Type one schema: /connect-card status SCHEMA
        alice: /connect-card status Ümlaut
          only alice sees:
              “Ümlaut” isn't a valid schema. Try: /connect-card status umlaut
              [Use status umlaut]
    "#]])
        .await;
}

#[tokio::test]
async fn the_buttons_of_a_status_renew_and_cancel() {
    let bot = with_links(&["acme"]).await;
    let status = bot.private(&bot.types("status acme").await);

    // Not from another channel, not by an outsider, not with another value.
    let elsewhere = Message { channel: SHARED.to_owned(), ..status.clone() };
    for (message, user) in [
        (elsewhere, USER),
        (status.clone(), OUTSIDER),
        (with_value(status.clone(), "0000000000"), USER),
        (with_value(status.clone(), "'; drop table link; --"), USER),
    ] {
        let answer = bot.presses(user, &message, RENEW_HERE).await;
        assert!(answer["text"].as_str().unwrap().contains("I didn't do anything"), "{answer}");
    }
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);

    bot.presses(COLLEAGUE, &status, RENEW_HERE).await;
    bot.presses(USER, &status, CANCEL).await;
    assert!(bot.fivetran.connections().is_empty());
    bot.types("status acme").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :hourglass_flowing_sand: *Google Ads* into `acme`
              waiting for your customer · works until T+24h
              Fivetran says: nobody has finished the setup yet.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a new link]
              [Cancel the connection]
        #shared-acme
        alice presses [Get a new link]
          only alice sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        #customer-acme
        outsider presses [Get a new link]
          only outsider sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, ask
              whoever posted the link for a new one.
        alice presses [Get a new link]
          only alice sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        alice presses [Get a new link]
          only alice sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        bob presses [Get a new link]
          only bob sees instead:
              Making a new link for Google Ads now. It will appear in its message above.
              [Open the message → that message]
              Ref R2
        bot edits message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            This is a fresh link; it replaces the earlier one.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
          in the thread of message 1:
              @bob asked for a new link; it's in the message above.
        alice presses [Cancel the connection]
          only alice sees instead:
              Cancelling the connection for Google Ads now. I'll tell you when it's done.
              Ref R3
        bot tells alice alone:
            The connection for Google Ads into acme is cancelled, and its link no longer works. Data already
            in the destination stays there.
            Ref R3
        bot edits message 1:
            The request to connect *Google Ads* was cancelled, so its link no longer works.
            Requested by @alice · The data goes to `acme` · Ref R1
        alice: /connect-card status acme
          only alice sees:
              :no_entry_sign: *Google Ads* into `acme`
              cancelled; its link no longer works · since T
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn what_was_cancelled_is_not_asked_about_again() {
    let bot = with_links(&["acme"]).await;
    let question = bot.private(&bot.types("cancel acme").await);
    bot.presses(USER, &question, CANCEL).await;
    assert_eq!(bot.fivetran.connections().len(), 0);
    // A client that still shows the button.
    let again = bot.presses(USER, &question, CANCEL).await;
    assert!(again.to_string().contains("there's nothing to cancel"), "{again}");
    for typed in ["cancel acme", "renew acme"] {
        let answer = bot.types(typed).await.json();
        assert!(answer.to_string().contains("was cancelled or removed"), "{answer}");
        assert!(!answer.to_string().contains("button"), "{answer}");
    }
    bot.finish().await;
}
