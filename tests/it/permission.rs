//! Who may use the bot, and what happens where Slack does not tell.

use std::time::Duration;

use expect_test::expect;
use futures_util::future::join_all;
use serde_json::json;
use stand_ins::fault::{Fault, Faults};
use stand_ins::slack::{Ack, TEAM_ID};

use crate::harness::{
    CHANNEL, COLLEAGUE, GUEST, OUTSIDER, Outside, PRIVATE, Program, SHARED, Setup, TestBot, Trick, USER,
    Wire, post, until,
};

const GROUP: &str = "S0SETUP";
/// Without those that only permissions need.
const FEW_SCOPES: [&str; 2] = ["commands", "chat:write"];

async fn asked(bot: &TestBot, user: &str, typed: &str) -> Ack {
    bot.types_as(user, CHANNEL, typed).await
}

/// The same where time must not pass by itself.
async fn sent(bot: &TestBot, user: &str, typed: &str) -> Ack {
    bot.send_as(user, CHANNEL, typed).await
}

/// What the person reads, mentions included.
fn shown(ack: &Ack) -> String {
    ack.json()["blocks"][0]["text"]["text"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_accepted(ack: &Ack) {
    assert!(shown(ack).contains("Making a link"), "{}", ack.text());
}

/// A sentence that says what is so and whom to ask.
#[track_caller]
fn assert_refused(ack: &Ack, word: &str) {
    let text = shown(ack);
    assert!(text.contains(word) && text.contains("Ask the people who run this bot"), "{text}");
}

/// Nothing was done for anybody.
async fn assert_untouched(bot: TestBot) {
    assert!(bot.api_calls().is_empty());
    assert!(bot.finish().await.is_empty());
}

#[tokio::test]
async fn guests_and_outsiders_are_refused_unless_they_ask_for_help() {
    let bot = TestBot::start().await;
    for typed in ["google_ads acme", "", "no_such_service"] {
        asked(&bot, GUEST, typed).await;
    }
    asked(&bot, OUTSIDER, "google_ads acme").await;
    asked(&bot, "U0NOBODY", "google_ads acme").await;
    let help = asked(&bot, GUEST, " Help ").await;
    assert!(help.text().contains("What you can type"));
    assert!(bot.api_calls().is_empty());
    assert!(bot.slack.messages().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        guest: /connect-card google_ads acme
          only guest sees:
              Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you,
              or to give you access.
        guest: /connect-card
          only guest sees:
              Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you,
              or to give you access.
        guest: /connect-card no_such_service
          only guest sees:
              Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you,
              or to give you access.
        outsider: /connect-card google_ads acme
          only outsider sees:
              Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run
              this bot to do it for you.
        U0NOBODY: /connect-card google_ads acme
          only U0NOBODY sees:
              Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run
              this bot to do it for you.
        guest: /connect-card  Help
          only guest sees:
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
    "#]])
        .await;
}

#[tokio::test]
async fn a_member_is_let_in_without_any_list() {
    let bot = TestBot::start().await;
    assert_accepted(&bot.types("google_ads acme").await);
    bot.finish_with_link().await;
}

#[tokio::test]
async fn a_list_of_people_keeps_the_others_out_and_names_whom_to_ask() {
    let setup = Setup::new().await.with("ALLOWED_USERS", "U0ALICE,U0GUEST,W0CAROL,U0DAVE");
    let bot = setup.start().await;
    asked(&bot, COLLEAGUE, "google_ads acme").await;
    assert_eq!(bot.slack.calls_to("users.info"), 0, "nobody had to be asked");
    asked(&bot, USER, "google_ads acme").await;
    asked(&bot, GUEST, "google_ads by_name").await;
    bot.ends(expect![[r#"
        #customer-acme
        bob: /connect-card google_ads acme
          only bob sees:
              You're not on the list of people who can use this bot, so I did nothing. Ask the people who run
              this bot (for example @alice, @guest, @W0CAROL) to add you.
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        guest: /connect-card google_ads by_name
          only guest sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 2]
            Requested by @guest · The data goes to `by_name` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R2
    "#]])
        .await;
}

#[tokio::test]
async fn somebody_on_the_list_whom_slack_does_not_know_reads_that() {
    let bot = Setup::new().await.with("ALLOWED_USERS", "U0NOBODY").start().await;
    assert_refused(
        &asked(&bot, "U0NOBODY", "google_ads acme").await,
        "can't find you from the bot's workspace",
    );
    assert_untouched(bot).await;
}

#[tokio::test]
async fn people_of_a_user_group_are_let_in() {
    let bot = Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP).start().await;
    assert_accepted(&sent(&bot, USER, "google_ads acme").await);
    assert_refused(&sent(&bot, COLLEAGUE, "google_ads other").await, "not on the list");
    bot.slack.set_user_group(GROUP, &[COLLEAGUE, GUEST]);
    assert_refused(&sent(&bot, GUEST, "google_ads other").await, "Guests");
    bot.advance(Duration::from_secs(270));
    assert_refused(&sent(&bot, COLLEAGUE, "google_ads other").await, "not on the list");
    assert_eq!(bot.slack.calls_to("usergroups.users.list"), 1);
    bot.advance(Duration::from_secs(30));
    assert_accepted(&sent(&bot, COLLEAGUE, "google_ads other").await);
    assert_refused(&sent(&bot, USER, "google_ads mine").await, "not on the list");
    assert_refused(&sent(&bot, GUEST, "google_ads mine").await, "Guests");
    assert_eq!(bot.slack.calls_to("usergroups.users.list"), 2);
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test]
async fn other_channels_are_refused() {
    let bot = Setup::new().await.with("ALLOWED_CHANNELS", PRIVATE).start().await;
    asked(&bot, USER, "google_ads acme").await;
    assert_eq!(bot.slack.calls_to("users.info"), 0);
    bot.types_as(USER, PRIVATE, "google_ads acme").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              This bot isn't allowed in this channel, so I did nothing. Ask the people who run this bot to
              allow it here.
        #leadership
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        bot tells alice alone:
            The link is posted, but I'm not in this channel, so the message won't update when your customer
            finishes. /invite me, and future ones will.
    "#]])
        .await;
}

#[tokio::test]
async fn a_person_is_looked_up_once_in_five_minutes_however_many_commands_come() {
    let bot = TestBot::start().await;
    // So that they overlap; the bot waits longer than that for each of them.
    bot.slack.set_latency(Duration::from_millis(50));
    let acks = join_all((0..5).map(|_| bot.send_as(GUEST, CHANNEL, "google_ads acme"))).await;
    acks.iter().for_each(|ack| assert_refused(ack, "Guests"));
    assert_eq!(bot.slack.calls_to("users.info"), 1);
    bot.advance(Duration::from_secs(270));
    assert_refused(&sent(&bot, GUEST, "google_ads acme").await, "Guests");
    assert_eq!(bot.slack.calls_to("users.info"), 1);
    bot.advance(Duration::from_secs(30));
    assert_refused(&sent(&bot, GUEST, "google_ads acme").await, "Guests");
    assert_eq!(bot.slack.calls_to("users.info"), 2);
    assert_untouched(bot).await;
}

#[tokio::test]
async fn a_slow_look_delays_only_its_own_person_and_not_for_long() {
    // So many that, one after the other, they would keep the last longer than Slack waits.
    const SLOW: usize = 8;
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "U0SLOW").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    // What Slack would say of them is held back for ever.
    wire.arm(Trick::Hold);
    let slow = join_all(
        (0..SLOW).map(async |n| bot.send_as(&format!("U0SLOW{n}"), CHANNEL, "google_ads slow").await),
    );
    let quick = async {
        until("all of the slow looks", async || (wire.played() == SLOW).then_some(())).await;
        bot.send_as(COLLEAGUE, CHANNEL, "google_ads quick").await
    };
    let (slow, quick) = tokio::join!(slow, quick);
    // Nothing is known against them; and all want the same.
    slow.iter()
        .for_each(|ack| assert!(ack.text().contains("Making a link") || ack.text().contains("lready")));
    assert_accepted(&quick);
    // Their name is also in the link's message.
    wire.release();
    assert_eq!(bot.finish().await.len(), 2);
}

#[tokio::test]
async fn where_slack_is_silent_only_those_named_are_let_in() {
    for (fault, reason) in [
        (Fault::Status(500), "Slack answered with an error (internal_error)"),
        (Fault::Page(502, "<html>"), "Slack answered with an error (status 502)"),
        (Fault::DropBefore, "Slack didn't answer in time"),
        (Fault::NotJson, "I couldn't read Slack's answer"),
        (Fault::Throttled { retry_after: None }, "Slack is limiting how often I may ask"),
    ] {
        let setup = Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP).with("ALLOWED_USERS", COLLEAGUE);
        let bot = setup.start().await;
        bot.slack.faults(|faults| {
            for route in ["users.info", "usergroups.users.list", "auth.test"] {
                faults.fail_always(route, fault.clone());
            }
        });
        assert_refused(&asked(&bot, USER, "google_ads acme").await, reason);
        assert_accepted(&asked(&bot, COLLEAGUE, "google_ads acme").await);
        bot.slack.faults(Faults::heal);
        bot.advance(Duration::from_secs(10));
        assert_accepted(&asked(&bot, USER, "google_ads again").await);
        assert_eq!(bot.finish().await.len(), 2);
    }
}

#[tokio::test]
async fn without_a_list_a_silent_slack_keeps_out_only_those_who_are_known_to_be_no_members() {
    for fault in [
        Fault::Status(500),
        Fault::DropBefore,
        Fault::NotJson,
        Fault::Throttled { retry_after: None },
        Fault::Throttled { retry_after: Some("30".to_owned()) },
        Fault::Says(200, json!({ "ok": true, "user": [] })),
        Fault::Says(200, json!({ "ok": false, "error": "token_revoked" })),
    ] {
        let bot = TestBot::start().await;
        assert_refused(&asked(&bot, GUEST, "google_ads acme").await, "Guests");
        let outside = bot.types_as(OUTSIDER, SHARED, "google_ads acme").await;
        assert_refused(&outside, "own workspace");
        // Longer than an answer of Slack's is believed.
        bot.advance(Duration::from_secs(3600));
        bot.slack.faults(|faults| {
            for route in ["users.info", "auth.test"] {
                faults.fail_always(route, fault.clone());
            }
        });
        assert_accepted(&asked(&bot, USER, "google_ads acme").await);
        for _ in 0..2 {
            assert_refused(&asked(&bot, GUEST, "google_ads other").await, "Guests");
            let outside = bot.types_as(OUTSIDER, SHARED, "google_ads other").await;
            assert_refused(&outside, "own workspace");
            bot.advance(Duration::from_secs(3600));
        }
        bot.finish_with_link().await;
    }
}

/// A command of somebody of another workspace, as it would come from there.
async fn sent_from_elsewhere(bot: &TestBot, typed: &str) -> Ack {
    let request = bot.slack.command_request(&format!("/connect-card {typed}"), SHARED, OUTSIDER).body;
    let body = request.replace(&format!("team_id={TEAM_ID}"), "team_id=T0ELSEWHERE").into_bytes();
    post(&format!("{}/slack/commands", bot.url), &bot.slack.signed_request(&body), body).await.unwrap()
}

/// What keeps Slack from telling whose the token is, and what is said of it.
fn untold() -> [(Fault, &'static str); 5] {
    let throttled = Fault::Throttled { retry_after: Some("30".to_owned()) };
    [
        (Fault::Status(500), "one of them: Slack"),
        (throttled, "one of them: Slack"),
        (Fault::Says(200, json!({ "ok": false, "error": "ratelimited" })), "one of them: Slack"),
        (Fault::Says(200, json!({ "ok": false, "error": "token_revoked" })), "(token_revoked)"),
        (Fault::Says(200, json!({ "ok": true })), "one of them: Slack's answer doesn't say"),
    ]
}

#[tokio::test]
async fn an_outsider_is_not_let_in_because_slack_never_told_whose_the_token_is() {
    for (fault, reason) in untold() {
        let setup = Setup::new().await.with("ALLOWED_USERS", COLLEAGUE).with("ALLOWED_USER_GROUPS", GROUP);
        setup.slack.faults(|faults| faults.fail_always("auth.test", fault.clone()));
        let listed = setup.start().await;
        assert_accepted(&asked(&listed, COLLEAGUE, "google_ads by_name").await);
        listed.finish_with_link().await;

        let setup = Setup::new().await;
        setup.slack.faults(|faults| faults.fail_always("auth.test", fault.clone()));
        let bot = setup.start().await;
        assert_refused(&sent_from_elsewhere(&bot, "google_ads acme").await, reason);
        assert_refused(&asked(&bot, USER, "google_ads acme").await, reason);
        assert!(bot.api_calls().is_empty() && bot.slack.messages().is_empty());
        // Once it is known, it stays known.
        bot.slack.faults(Faults::heal);
        bot.advance(Duration::from_secs(60));
        assert_accepted(&asked(&bot, USER, "google_ads acme").await);
        bot.slack.faults(|faults| faults.fail_always("auth.test", fault.clone()));
        bot.advance(Duration::from_secs(3600));
        assert_accepted(&asked(&bot, USER, "google_ads other").await);
        assert_refused(&sent_from_elsewhere(&bot, "google_ads leak").await, "own workspace");
        assert_eq!(bot.finish().await.len(), 2);
    }
}

#[tokio::test]
async fn whose_the_token_is_outlives_a_restart_but_is_nothing_that_another_token_may_use() {
    let first = TestBot::start().await;
    assert_accepted(&asked(&first, USER, "google_ads acme").await);
    first.until_all_ended().await;
    let outside = first.outside();
    let folder = first.stop().await;
    outside.slack.faults(|faults| {
        for route in ["auth.test", "users.info"] {
            faults.fail_always(route, Fault::Status(500));
        }
    });
    let second = Setup::beside(outside.clone()).after(folder).start().await;
    assert_accepted(&asked(&second, USER, "google_ads after_the_restart").await);
    assert_refused(&sent_from_elsewhere(&second, "google_ads leak").await, "own workspace");
    second.until_all_ended().await;
    let folder = second.stop().await;
    let third = Setup::beside(outside).after(folder).with("SLACK_BOT_TOKEN", "xoxb-another").start().await;
    assert_refused(&asked(&third, USER, "google_ads elsewhere").await, "whether you're one of them");
    assert_eq!(third.finish().await.len(), 2);
}

#[tokio::test]
async fn with_a_list_of_groups_a_silent_slack_is_the_reason_that_is_told() {
    for (route, words) in [
        ("users.info", "couldn't find out who you are: Slack is limiting how often I may ask"),
        (
            "usergroups.users.list",
            "couldn't check whether you're in one: Slack is limiting how often I may ask",
        ),
    ] {
        let bot = Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP).start().await;
        bot.slack.faults(|faults| faults.fail_always(route, Fault::Throttled { retry_after: None }));
        for user in [USER, COLLEAGUE] {
            let ack = asked(&bot, user, "google_ads acme").await;
            assert_refused(&ack, words);
            assert!(!ack.text().contains("on the list"), "{}", ack.text());
        }
        assert_untouched(bot).await;
    }
    let bot = Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP).start().await;
    let revoked = Fault::Says(200, json!({ "ok": false, "error": "token_revoked" }));
    bot.slack.faults(|faults| faults.fail_always("users.info", revoked.clone()));
    assert_refused(&asked(&bot, USER, "google_ads acme").await, "token_revoked");
    assert_untouched(bot).await;
}

#[tokio::test]
async fn a_missing_scope_closes_only_what_needs_it() {
    let setup = Setup::new().await;
    setup.slack.set_scopes(&FEW_SCOPES);
    let bot = setup.start().await;
    assert_accepted(&asked(&bot, GUEST, "google_ads acme").await);
    bot.finish_with_link().await;

    let setup = Setup::new().await.with("ALLOWED_USER_GROUPS", GROUP);
    setup.slack.set_scopes(&FEW_SCOPES);
    let bot = setup.start().await;
    asked(&bot, USER, "google_ads acme").await;
    assert!(bot.api_calls().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Only certain user groups can use this bot, and I couldn't check whether you're in one: Slack
              hasn't granted me the scope usergroups:read. So I did nothing. Ask the people who run this bot
              to add it to the app and reinstall it.
    "#]])
        .await;

    let bot = Setup::new().await.with("ALLOWED_USER_GROUPS", "S0GONE").start().await;
    asked(&bot, USER, "google_ads acme").await;
    assert!(bot.api_calls().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Only certain user groups can use this bot, and I couldn't check whether you're in one: one of
              those groups doesn't exist. So I did nothing. Ask the people who run this bot to correct
              ALLOWED_USER_GROUPS.
    "#]])
        .await;
}

#[tokio::test]
async fn without_a_token_nobody_is_known_and_a_group_lets_nobody_in() {
    let bot = Setup::new().await.without_token().start().await;
    assert_accepted(&asked(&bot, GUEST, "google_ads acme").await);
    bot.finish().await;

    let bot = Setup::new().await.without_token().with("ALLOWED_USER_GROUPS", GROUP).start().await;
    asked(&bot, USER, "google_ads acme").await;
    assert!(bot.api_calls().is_empty());
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Only certain user groups can use this bot, and I couldn't check whether you're in one: I have no
              token to check with. So I did nothing. Ask the people who run this bot to set SLACK_BOT_TOKEN.
    "#]])
        .await;
}

#[tokio::test]
async fn what_cannot_be_known_is_said_by_check_and_once_at_start() {
    let outside = Outside::start().await;
    let slack = &outside.slack;
    let program = Program::against(&outside).with("ALLOWED_USER_GROUPS", GROUP);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("✓ user group S0SETUP: 1 members"), "{output:?}");

    slack.set_scopes(&FEW_SCOPES);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    for line in [
        "· Slack scopes: users:read is not granted",
        "· Slack scopes: usergroups:read is not granted",
        "· access: without the scope users:read, guests cannot be told",
        "✗ access: ALLOWED_USER_GROUPS lets nobody in",
    ] {
        assert!(output.stdout.lines().any(|it| it.starts_with(line)), "{line}: {output:?}");
    }
    let output = program.with("SLACK_BOT_TOKEN", "").run(&["check"]).await;
    assert!(output.stdout.contains("✗ access: ALLOWED_USER_GROUPS lets nobody in without SLACK_BOT_TOKEN"));

    let running = Program::against(&outside).start().await;
    until("the warning", async || running.log().contains("guests cannot be told from members").then_some(()))
        .await;
    running.send(slack, "google_ads acme").await;
    let printed = running.stop().await;
    assert_eq!(printed.matches("guests cannot be told from members").count(), 1, "{printed}");
}
