//! Fivetran says that a connection is not there: one such answer changes nothing, two minutes apart
//! do, and of many at once somebody is told before anything is believed.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::fivetran::lies::Stranger;
use stand_ins::slack::BOT_TOKEN;

use crate::harness::{Engine, Outside, Program, TestBot, channels_with_a_link, link_of, postgres, until};

/// Longer than between two lists.
const A_LIST: Duration = Duration::from_secs(31);
/// Longer than until one that is missing is asked about again.
const UNTIL_SURE: Duration = Duration::from_secs(190);

/// Fivetran's own word for a connection that it does not have.
fn not_found() -> Fault {
    Fault::Says(404, json!({ "code": "NotFound_Connection", "message": "Cannot find entity 'Connection'" }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_those_are_believed_that_the_list_of_the_others_vouches_for() {
    let bot = TestBot::start().await;
    let names: Vec<_> = (0..20).map(|n| format!("many_{n:02}")).collect();
    for name in &names {
        bot.types(&format!("google_ads {name}")).await;
    }
    let gone = |bot: &TestBot| {
        let messages = bot.slack.messages();
        messages.iter().filter(|message| message.rendered().contains("was removed")).count()
    };
    for name in &names[..5] {
        bot.fivetran.delete(&bot.connection_of(name));
    }
    bot.passes(A_LIST).await;
    assert_eq!(gone(&bot), 0, "not by one answer");
    bot.passes(UNTIL_SURE).await;
    // Each message, and its thread.
    assert_eq!(gone(&bot), 10);
    // A key of another account sees none of them.
    bot.fivetran.lies(|lies| lies.be_of_another_account(Stranger::Empty));
    bot.passes(A_LIST).await;
    bot.passes(UNTIL_SURE).await;
    bot.passes(UNTIL_SURE).await;
    assert_eq!(gone(&bot), 10, "nor by a stranger's list");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_answer_that_a_connection_is_not_there_changes_nothing() {
    let bot = TestBot::start().await;
    for (schema, how) in [("in_a_list", 0), ("in_a_look", 1), ("in_a_status", 2)] {
        bot.types(&format!("google_ads {schema}")).await;
        let posted = bot.link_message();
        let id = bot.connection_of(schema);
        match how {
            0 => {
                bot.fivetran.deny(&id, true);
                bot.passes(A_LIST).await;
                bot.fivetran.tell_the_truth();
            }
            1 => {
                bot.fivetran.faults(|faults| faults.fail_next("get_connection", not_found(), 1));
                bot.lands(&link_of(&posted).unwrap()).await;
            }
            _ => {
                bot.fivetran.faults(|faults| faults.fail_next("get_connection", not_found(), 1));
                bot.types(&format!("status {schema}")).await;
            }
        }
        assert_eq!(bot.fivetran.faults(|faults| faults.applied()), how, "{schema}: it lied");
        assert_eq!(bot.link_message(), posted, "{schema}");
        bot.customer_finishes(schema);
        bot.passes(A_LIST).await;
        let shown = bot.link_message().rendered();
        assert!(shown.contains("is connected (since "), "{schema}: {shown}");
    }
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads in_a_list
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `in_a_list` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R1
        … 31 s later …
        the customer finishes the setup
        … 31 s later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `in_a_list` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
        alice: /connect-card google_ads in_a_look
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts message 2:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `in_a_look` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R2
        the customer comes back, and sees:
            Checking Google Ads
            This takes a moment, and the page updates by itself. If you've finished signing in, you can also
            close it.
        the customer finishes the setup
        … 31 s later …
        bot edits message 2:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `in_a_look` · Ref R2
          in the thread of message 2:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
        alice: /connect-card google_ads in_a_status
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R3
        bot posts message 3:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 3]
            Requested by @alice · The data goes to `in_a_status` · Works until T+24h · Everyone here can see
            this link, and anyone who has it can use it · Ref R3
        alice: /connect-card status in_a_status
          only alice sees:
              :hourglass_flowing_sand: *Google Ads* into `in_a_status`
              waiting for your customer · works until T+24h
              Fivetran doesn't show this connection right now. One answer isn't enough to believe that it's
              gone.
              Requested by @alice · Link created T, T · Connection `nimble_canyon` · Ref R3
              [Get a new link]
              [Cancel the connection]
        the customer finishes the setup
        … 31 s later …
        bot edits message 3:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `in_a_status` · Ref R3
          in the thread of message 3:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_deleted_is_gone_after_two_answers_and_told_once() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.fivetran.delete(&bot.connection_of("acme"));
    bot.notes("somebody deletes the connection in Fivetran");
    bot.passes(A_LIST).await;
    bot.passes(UNTIL_SURE).await;
    for _ in 0..3 {
        bot.passes(A_LIST).await;
    }
    bot.types("status acme").await;
    bot.types("renew acme").await;
    bot.types("google_ads acme").await;
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `acme` · Works until T+24h · Everyone here can see this
            link, and anyone who has it can use it · Ref R1
        somebody deletes the connection in Fivetran
        … 31 s later …
        … 3 min later …
        bot edits message 1:
            *Google Ads* was removed, so its link no longer works.
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads was removed.
        … 31 s later …
        … 31 s later …
        … 31 s later …
        alice: /connect-card status acme
          only alice sees:
              :no_entry_sign: *Google Ads* into `acme`
              removed in Fivetran; its link no longer works · since T
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
        alice: /connect-card renew acme
          only alice sees:
              Google Ads was cancelled or removed, so it can't have a new link. If it's still needed, whoever
              requested it can type the command again.
        alice: /connect-card google_ads acme
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R2
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `acme` · Works until T+24h10min · Everyone here can see
            this link, and anyone who has it can use it · Ref R2
        bot edits message 1:
            A newer link for *Google Ads* was requested, so this one is no longer in use.
            Requested by @alice · The data goes to `acme` · Ref R1
    "#]])
        .await;
}

/// A link whose connection is believed to be gone, and shows up again.
async fn gone_and_back(finished: bool) -> TestBot {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    if finished {
        bot.customer_finishes("acme");
        bot.passes(A_LIST).await;
    }
    bot.begins_here();
    bot.fivetran.deny(&bot.connection_of("acme"), false);
    bot.notes("Fivetran denies the connection");
    bot.passes(A_LIST).await;
    bot.passes(UNTIL_SURE).await;
    bot.fivetran.tell_the_truth();
    bot.notes("Fivetran shows it again");
    bot.passes(A_LIST).await;
    bot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_not_gone_after_all_works_again() {
    gone_and_back(true)
        .await
        .ends(expect![[r#"
            Fivetran denies the connection
            … 31 s later …
            … 3 min later …
            #customer-acme
            bot edits message 1:
                *Google Ads* was removed, so its link no longer works.
                Requested by @alice · The data goes to `acme` · Ref R1
              in the thread of message 1:
                  Google Ads was removed.
            Fivetran shows it again
            … 31 s later …
            bot edits message 1:
                :white_check_mark: *Google Ads* is connected (since T).
                Requested by @alice · The data goes to `acme` · Ref R1
              in the thread of message 1:
                  Google Ads is working again.
        "#]])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_was_not_gone_after_all_can_be_had_again() {
    let bot = gone_and_back(false).await;
    bot.types("renew acme").await;
    bot.ends(expect![[r#"
        Fivetran denies the connection
        … 31 s later …
        … 3 min later …
        #customer-acme
        bot edits message 1:
            *Google Ads* was removed, so its link no longer works.
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads was removed.
        Fivetran shows it again
        … 31 s later …
        bot edits message 1:
            :hourglass: The link for *Google Ads* expired T. If the setup isn't finished yet, get a new
            link.
            [Get a new link]
            Requested by @alice · The data goes to `acme` · Ref R1
        alice: /connect-card renew acme
          only alice sees:
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
              @alice asked for a new link; it's in the message above.
    "#]])
        .await;
}

/// Five connections at once, to a process whose log can be read.
async fn five_at_once(engine: Engine) {
    let outside = Outside::start().await;
    let program = engine.program(&outside).with("SLACK_BOT_TOKEN", BOT_TOKEN);
    let process = program.start().await;
    for n in 0..5 {
        process.send(&outside.slack, &format!("google_ads many_{n}")).await;
    }
    until("the links", async || (channels_with_a_link(&outside.slack).len() == 5).then_some(())).await;
    for connection in outside.fivetran.connections() {
        outside.fivetran.deny(connection["id"].as_str().unwrap(), false);
    }
    let database = Beside::of(engine, &program);
    // First all of them are noted to be missing, then that is believed of none.
    let lists = outside.fivetran.calls_to("list_page");
    until("two lists", async || {
        database.lets_pass("UPDATE sweep SET next_at = 0 WHERE next_at IS NOT NULL").await;
        (outside.fivetran.calls_to("list_page") >= lists + 2).then_some(())
    })
    .await;
    let looks = outside.fivetran.calls_to("get_connection");
    until("two looks at each, minutes later", async || {
        database
            .lets_pass("UPDATE connection SET missing_since = 1, look_at = 1 WHERE missing_since IS NOT NULL")
            .await;
        (outside.fivetran.calls_to("get_connection") >= looks + 10).then_some(())
    })
    .await;
    let told = until("the operator to be told", async || {
        let log = process.log();
        log.lines().find(|line| line.contains("does FIVETRAN_API_KEY belong")).map(str::to_owned)
    })
    .await;
    assert!(told.contains("ERROR"), "{told}");
    assert_eq!(outside.slack.calls_to("chat.update"), 0, "{engine}: every message stays");
    outside.fivetran.tell_the_truth();
    for connection in outside.fivetran.connections() {
        outside.fivetran.finish_setup(connection["id"].as_str().unwrap());
    }
    until("all to be seen to be connected", async || {
        database.lets_pass("UPDATE sweep SET next_at = 0 WHERE next_at IS NOT NULL").await;
        let messages = outside.slack.messages();
        let connected = messages.iter().filter(|it| it.rendered().contains("is connected (since "));
        (connected.count() == 5).then_some(())
    })
    .await;
    process.stop().await;
}

/// The database of a process, for time that the test has to let pass in it.
enum Beside {
    Sqlite(String),
    Postgres(&'static postgres::Postgres, String),
}

impl Beside {
    fn of(engine: Engine, program: &Program) -> Self {
        let url = program.var("DATABASE_URL");
        match engine {
            Engine::Sqlite => Self::Sqlite(url.to_owned()),
            Engine::Postgres(server) => Self::Postgres(server, url.rsplit_once('/').unwrap().1.to_owned()),
        }
    }

    async fn lets_pass(&self, sql: &'static str) {
        match self {
            Self::Sqlite(url) => {
                let mut db = SqliteConnection::connect(url).await.unwrap();
                sqlx::query(sql).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
            Self::Postgres(server, database) => {
                let (worked, said) = server.psql(database, sql);
                assert!(worked, "{said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_none_is_believed_and_the_operator_is_told_on_sqlite() {
    five_at_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_none_is_believed_and_the_operator_is_told_on_postgres() {
    let Some(postgres) = postgres::shared() else { return };
    five_at_once(Engine::Postgres(postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_fivetran_gives_again_shows_that_whatever_had_it_is_gone() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(A_LIST).await;
    bot.fivetran.delete(&bot.connection_of("acme"));
    let refusal = || Fault::Says(200, json!({ "ok": false, "error": "restricted_action" }));
    bot.slack.faults(|faults| {
        faults.fail_next("chat.postMessage", refusal(), 1);
        faults.fail_next("response_url", refusal(), 1);
    });
    bot.types("google_ads acme").await;
    let told = bot.private_message().rendered();
    assert!(told.contains("Slack doesn't let me post in this channel"), "{told}");
    until("the truth", async || {
        bot.link_message().rendered().contains("*Google Ads* was removed,").then_some(())
    })
    .await;
    bot.stop().await;
}
