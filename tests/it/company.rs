//! Channels that other organisations share: with more than one of them, a person is asked privately before
//! a link goes there, and before anything is made.

use std::time::Duration;

use connect_card::fivetran::schema::Target;
use connect_card::reply::ask::{DISMISS, POST_FOR_ALL, POST_HERE, REAUTHORISE};
use connect_card::reply::live::RENEW;
use connect_card::work::{Onboard, Request, Work};
use expect_test::expect;
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, Visibility};

use crate::harness::{
    CHANNEL, COLLEAGUE, OUTSIDER, Outside, PRIVATE, Program, SHARED, Setup, TestBot, USER, link_of,
};

/// The organisations besides the bot's.
const CUSTOMERS: [&str; 3] = ["T0OTHER", "E0INITECH", "T0HOOLI"];
const INFO: &str = "conversations.info";
const DAY: Duration = Duration::from_secs(25 * 60 * 60);
/// Longer than Slack's answers are believed.
const LATER: Duration = Duration::from_secs(6 * 60);

/// A bot, and the usual channel is shared with so many organisations.
async fn bot(others: usize) -> TestBot {
    started(Setup::new().await, others).await
}

async fn started(setup: Setup, others: usize) -> TestBot {
    setup.slack.share(CHANNEL, &CUSTOMERS[..others], &[]);
    setup.start().await
}

/// The messages with a link that the whole channel sees.
fn links(bot: &TestBot) -> Vec<Message> {
    let messages = bot.slack.messages().into_iter();
    messages.filter(|it| it.visibility == Visibility::Channel && link_of(it).is_some()).collect()
}

/// The question that was asked last.
fn question(bot: &TestBot) -> Message {
    let question = bot.private_message();
    assert!(question.rendered().contains("shared with"), "{}", question.rendered());
    question
}

/// Makes of the one command that there is, which has ended, one of two sources, as if it had just been typed.
async fn becomes_two_sources(bot: &TestBot) {
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let stored: String = sqlx::query_scalar("SELECT request FROM command").fetch_one(&mut db).await.unwrap();
    let Work::Connect(request) = serde_json::from_str(&stored).unwrap() else { panic!("{stored}") };
    let of = |schema: &str| Request { target: Target::parse(schema).unwrap(), ..request.clone() };
    let sources = vec![of("acme_one"), of("acme_two")];
    let onboard = Onboard { customer: Some("acme".to_owned()), sources };
    let reopened = sqlx::query(
        "UPDATE command SET request = $1, subject = $2, stage = 'create', problem = NULL, ended_at = NULL, \
         run_at = 0, accepted_at = $3, lease_until = 0",
    );
    let reopened = reopened.bind(onboard.to_json()).bind(onboard.subject(CHANNEL));
    reopened.bind(bot.clock.now().as_millisecond()).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    bot.settle().await;
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_person_is_asked_before_anything_is_made() {
    let bot = bot(3).await;
    bot.types("google_ads acme").await;
    assert_eq!((bot.api_calls().len(), bot.slack.calls_to(INFO)), (0, 1));
    bot.presses(USER, &question(&bot), POST_FOR_ALL).await;
    assert_eq!((bot.api_calls().len(), bot.slack.calls_to(INFO)), (1, 1));
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot tells alice alone:
            This channel is shared with 3 other organisations, and everyone in it could use a link for
            Google Ads to sign in, so I didn't post one. If it's for only one of them, type the command in a
            channel that you share with them alone.
            [Post it here]
            [Never mind]
            Ref R1
        alice presses [Post it here]
          only alice sees instead:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R2
    "#]])
        .await;
}

#[tokio::test]
async fn of_several_sources_it_is_asked_once_and_for_all_of_them() {
    let bot = bot(2).await;
    bot.types("google_ads acme").await;
    becomes_two_sources(&bot).await;
    assert_eq!((bot.created(), bot.slack.calls_to(INFO)), (0, 1));
    let question = question(&bot);
    assert!(question.rendered().contains("links for these 2 sources"), "{}", question.rendered());
    let answer = bot.presses(COLLEAGUE, &question, POST_FOR_ALL).await;
    assert!(text(&answer).contains("isn't for you"), "{answer}");
    bot.presses(USER, &question, POST_FOR_ALL).await;
    assert_eq!((bot.created(), bot.slack.calls_to(INFO)), (2, 1));
    assert!(bot.link_message().rendered().contains("Please connect these 2 sources."));
    bot.finish().await;
}

#[tokio::test]
async fn one_customer_costs_one_look_and_no_question() {
    let bot = bot(1).await;
    for schema in ["acme", "acme_two"] {
        bot.types(&format!("google_ads {schema}")).await;
    }
    assert_eq!((links(&bot).len(), bot.created(), bot.slack.calls_to(INFO)), (2, 2, 1));
    // What was seen is believed for a while, and then seen again.
    bot.slack.share(CHANNEL, &CUSTOMERS[..2], &[]);
    bot.advance(LATER);
    bot.types("google_ads acme_three").await;
    assert_eq!((links(&bot).len(), bot.created(), bot.slack.calls_to(INFO)), (2, 2, 2));
    bot.finish().await;
}

#[tokio::test]
async fn who_is_only_invited_counts_and_own_workspaces_do_not() {
    for (joined, with, invited, said) in [
        (false, 1, &["T0HOOLI"][..], "shared with 1 other organisation, 1 more is invited"),
        (false, 0, &["T0HOOLI", "E0INITECH"], "about to be shared with 2 other organisations"),
        (false, 0, &["T0HOOLI"], ""),
        (true, 1, &[], ""),
        (true, 2, &[], "shared with 2 other organisations"),
    ] {
        let setup = Setup::new().await;
        if joined {
            setup.slack.join_organisation();
        }
        setup.slack.share(CHANNEL, &CUSTOMERS[..with], invited);
        let bot = setup.start().await;
        bot.types("google_ads acme").await;
        assert_eq!(links(&bot).len(), usize::from(said.is_empty()), "{with} {invited:?}");
        if !said.is_empty() {
            assert!(bot.private_message().rendered().contains(said), "{}", bot.private_message().rendered());
        }
        bot.finish().await;
    }
}

#[tokio::test]
async fn a_yes_holds_for_one_command_and_through_its_other_questions() {
    let bot = bot(2).await;
    bot.types_as(USER, SHARED, "google_ads acme").await;
    bot.types("google_ads acme").await;
    bot.presses(USER, &question(&bot), POST_FOR_ALL).await;
    let elsewhere = bot.private_message();
    assert!(elsewhere.rendered().contains("another channel"), "{}", elsewhere.rendered());
    bot.presses(USER, &elsewhere, POST_HERE).await;
    let here: Vec<_> = links(&bot).into_iter().filter(|it| it.channel == CHANNEL).collect();
    assert_eq!(here.len(), 1, "one yes is enough");

    bot.customer_finishes("acme");
    bot.passes(DAY).await;
    bot.types("google_ads acme").await;
    bot.presses(USER, &question(&bot), POST_FOR_ALL).await;
    let connected = bot.private_message();
    assert!(connected.rendered().contains("already connected"), "{}", connected.rendered());
    let before = links(&bot).len();
    bot.presses(USER, &connected, REAUTHORISE).await;
    assert_eq!(links(&bot).len(), before + 1);

    // The next command is another one.
    bot.types("google_ads acme").await;
    question(&bot);
    bot.finish().await;
}

#[tokio::test]
async fn a_new_link_in_the_message_of_an_old_one_needs_no_word() {
    let bot = bot(2).await;
    bot.types("google_ads acme").await;
    bot.presses(USER, &question(&bot), POST_FOR_ALL).await;
    bot.passes(DAY).await;
    let expired = bot.link_message();
    let (messages, looks) = (bot.slack.messages().len(), bot.slack.calls_to(INFO));
    bot.presses(OUTSIDER, &expired, RENEW).await;
    assert!(link_of(&bot.link_message()).is_some());
    bot.passes(DAY).await;
    bot.types("renew acme").await;
    assert!(link_of(&bot.link_message()).is_some());
    assert_eq!(bot.slack.calls_to(INFO), looks);
    let questions = bot.slack.messages().split_off(messages);
    assert!(questions.iter().all(|it| !it.rendered().contains("shared with")), "{questions:#?}");
    bot.finish().await;
}

#[tokio::test]
async fn who_says_no_leaves_nothing_behind() {
    let bot = bot(2).await;
    bot.types("google_ads acme").await;
    let answer = bot.presses(USER, &question(&bot), DISMISS).await;
    assert!(text(&answer).contains("didn't do anything"), "{answer}");
    assert_eq!((bot.api_calls().len(), links(&bot).len()), (0, 0));
    bot.finish().await;
}

#[tokio::test]
async fn only_who_was_asked_may_answer_where_they_were_asked() {
    let bot = bot(2).await;
    bot.types("google_ads acme").await;
    let question = question(&bot);
    let elsewhere = Message { channel: SHARED.to_owned(), ..question.clone() };
    for (user, message) in [(COLLEAGUE, &question), (OUTSIDER, &question), (USER, &elsewhere)] {
        let answer = bot.presses(user, message, POST_FOR_ALL).await;
        assert!(text(&answer).contains("isn't for you"), "{user}: {answer}");
    }
    assert!(links(&bot).is_empty() && bot.api_calls().is_empty());
    bot.advance(DAY);
    let answer = bot.presses(USER, &question, POST_FOR_ALL).await;
    assert!(text(&answer).contains("expired"), "{answer}");
    assert!(links(&bot).is_empty());
    bot.stop().await;
}

#[tokio::test]
async fn a_question_outlives_the_process_that_asked_it() {
    let bot = bot(2).await;
    bot.types("google_ads acme").await;
    let (question, outside) = (question(&bot), bot.outside());
    let folder = bot.stop().await;
    let bot = Setup::beside(outside).after(folder).start().await;
    bot.presses(USER, &question, POST_FOR_ALL).await;
    assert_eq!(links(&bot).len(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn nobody_is_asked_where_only_one_person_sees_the_link_or_slack_cannot_be_asked() {
    let setup = Setup::new().await;
    setup.slack.set_scopes(&["commands", "chat:write", "users:read"]);
    let private = Setup::new().await.with("LINK_VISIBILITY", "requester");
    for (name, setup) in
        [("no scopes", setup), ("requester", private), ("no token", Setup::new().await.without_token())]
    {
        let bot = started(setup, 3).await;
        bot.types("google_ads acme").await;
        let shown = bot.slack.messages().into_iter().filter(|it| link_of(it).is_some()).count();
        assert_eq!((shown, bot.slack.calls_to(INFO)), (1, 0), "{name}");
        bot.finish().await;
    }
}

#[tokio::test]
async fn what_slack_does_not_show_is_posted_as_ever() {
    // The bot is not in this one, and into a direct message people are asked one by one.
    for (channel, looks) in [(PRIVATE, 1), ("D0PAIR", 0), ("G0TRIO", 0)] {
        let setup = Setup::new().await;
        setup.slack.share(channel, &CUSTOMERS, &[]);
        let bot = setup.start().await;
        for schema in ["acme", "acme_two"] {
            bot.types_as(USER, channel, &format!("google_ads {schema}")).await;
        }
        let shown = bot.slack.messages().into_iter().filter(|it| link_of(it).is_some()).count();
        assert_eq!((shown, bot.slack.calls_to(INFO)), (2, looks), "{channel}");
        bot.finish().await;
    }
    // Of the two scopes one is missing: the other's channels are seen, and this one is not asked about again.
    let setup = Setup::new().await;
    setup.slack.set_scopes(&["commands", "chat:write", "groups:read"]);
    let bot = started(setup, 3).await;
    for schema in ["acme", "acme_two"] {
        bot.types(&format!("google_ads {schema}")).await;
    }
    assert_eq!((links(&bot).len(), bot.slack.calls_to(INFO)), (2, 1));
    bot.finish().await;
}

#[tokio::test]
async fn a_slack_that_does_not_answer_is_asked_a_few_times_and_ends_no_command() {
    let failures = [
        Fault::Status(500),
        Fault::DropBefore,
        Fault::NotJson,
        Fault::Instead(r#"{"ok":true,"channel":{}}"#),
        Fault::Slow(Duration::from_secs(600), Box::new(Fault::Status(500))),
    ];
    for fault in failures {
        let bot = bot(3).await;
        bot.slack.faults(|faults| faults.fail_always(INFO, fault.clone()));
        bot.types("google_ads acme").await;
        assert_eq!((links(&bot).len(), bot.api_calls().len()), (1, 1), "{fault:?}");
        // A hiccup is no reason to guess.
        bot.slack.faults(|faults| {
            faults.heal();
            faults.fail_next(INFO, fault.clone(), 1);
        });
        bot.types("google_ads acme_two").await;
        assert_eq!((links(&bot).len(), bot.api_calls().len()), (1, 1), "{fault:?}");
        question(&bot);
        bot.finish().await;
    }
}

#[tokio::test]
async fn check_says_what_is_not_guarded() {
    let outside = Outside::start().await;
    let program = Program::against(&outside);
    let output = program.run(&["check"]).await;
    for kind in ["channels:read is granted, for asking", "groups:read is granted, for asking"] {
        assert!(output.stdout.contains(&format!("✓ Slack scopes: {kind}")), "{output:?}");
    }
    outside.slack.set_scopes(&["commands", "chat:write", "users:read", "usergroups:read"]);
    let output = program.run(&["check"]).await;
    for line in [
        "· Slack scopes: channels:read is not granted; it is only needed for asking before a link goes into a public",
        "· Slack scopes: groups:read is not granted; it is only needed for asking before a link goes into a private",
    ] {
        assert!(output.stdout.lines().any(|it| it.starts_with(line)), "{line}: {output:?}");
    }
    assert_eq!(output.code, 0, "{output:?}");
    let output = program.with("SLACK_BOT_TOKEN", "").run(&["check"]).await;
    assert!(output.stdout.contains("nobody is asked before one goes into a channel"), "{output:?}");
}
