//! Socket Mode: commands come in over sockets that the bot opens. What is behind them does not know.
//!
//! The suite has a small storm of closed, refused, hung and replaced sockets. The long form says how many
//! commands: `CONNECT_CARD_SOCKETS=10000 cargo test --test it storm -- --nocapture`

use std::collections::HashSet;
use std::time::Duration;

use connect_card::reply::live::RENEW;
use expect_test::expect;
use stand_ins::fault::Fault;
use stand_ins::slack::{APP_ID, APP_TOKEN, Ack, Delivery, Oddity, Opening, Rotation, Rule, Twice, Which};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{
    CHANNEL, Engine, Outside, Process, Program, Random, Setup, TestBot, USER, accepted, client, number,
    postgres, reference, say, seed, until,
};

const COMMAND: &str = "google_ads customer_schema";
/// Commands of the suite's storm.
const STORM: usize = 200;
/// How many people type in it.
const TYPISTS: usize = 8;

/// A bot that nobody reaches.
pub(crate) async fn setup() -> Setup {
    let setup = Setup::new().await.with("SLACK_SIGNING_SECRET", "").with("PUBLIC_URL", "");
    setup.slack.deliver_by(Delivery::Sockets);
    setup.with("SLACK_APP_TOKEN", APP_TOKEN)
}

pub(crate) async fn start() -> TestBot {
    let bot = setup().await.start().await;
    bot.slack.wait_for_sockets(|count| count == 2).await;
    bot
}

/// Nothing was said on a socket that Slack makes nothing of.
fn assert_well_said(bot: &TestBot) {
    assert_eq!(bot.slack.violations(), []);
}

async fn readiness(url: &str) -> (u16, String) {
    let answer = client().get(format!("{url}/readyz")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_whole_story_needs_no_address() {
    let bot = start().await;
    assert_eq!(readiness(&bot.url).await, (200, "ready, 2 of 2 sockets\n".to_owned()));
    bot.types(COMMAND).await;
    bot.types("list").await;
    bot.types("google_ads").await;
    let view = bot.opens_form().await;
    bot.submits(USER, &view, ["google_ads", "from_the_form", ""]).await;
    bot.customer_finishes("customer_schema");
    bot.passes(Duration::from_secs(60)).await;
    // A request beside the sockets is nobody's.
    let answer = client().post(format!("{}/slack/commands", bot.url)).body("command=%2Fx").send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 401);
    assert_well_said(&bot);
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts message 1:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
        alice: /connect-card list
          only alice sees:
              One link in this channel:
              :hourglass_flowing_sand: *Google Ads* into `customer_schema`
              waiting for your customer · works until T+24h · requested by @alice
              For details or changes, type `/connect-card status SCHEMA`, `/connect-card renew SCHEMA` or
              `/connect-card cancel SCHEMA`
        alice: /connect-card google_ads
          only alice sees:
              Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA
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
        alice submits the form: service google_ads, schema from_the_form
          the form closes
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 2]
            Requested by @alice · The data goes to `from_the_form` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R2
        the customer finishes the setup
        … 1 min later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `customer_schema` · Ref R1
          in the thread of message 1:
              Google Ads is connected, and its first sync has started. (Requested by @alice.)
    "#]])
        .await;
}

#[tokio::test]
async fn presses_and_suggestions_are_answered() {
    let bot = start().await;
    bot.types(COMMAND).await;
    let link = bot.link_message();
    bot.passes(Duration::from_secs(25 * 3600)).await;
    let expired = bot.slack.messages().into_iter().find(|message| message.ts == link.ts).unwrap();
    bot.presses(USER, &expired, RENEW).await;
    let view = bot.opens_form().await;
    let id = view["id"].as_str().unwrap();
    let suggested = bot.slack.suggest(&bot.url, "service", "service", "goog", USER, Some(id)).await.unwrap();
    assert!(suggested.text().contains("Google Ads"), "{}", suggested.text());
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1, "the press made a new link");
    assert_well_said(&bot);
    bot.finish().await;
}

#[tokio::test]
async fn an_envelope_that_comes_twice_is_one_command() {
    let bot = start().await;
    let mut references = HashSet::new();
    for (at, twice) in [Twice::AtOnce, Twice::AfterALostAck].into_iter().enumerate() {
        bot.slack.deliver_next_twice(twice, 1);
        // Whichever answer is heard, it is that of the command.
        references.insert(accepted(&bot.send(&format!("google_ads twice_{at}")).await).unwrap());
    }
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 2);
    let messages = bot.slack.messages().into_iter().filter_map(|message| reference(&message.rendered()));
    assert_eq!(messages.collect::<HashSet<_>>(), references);
    assert_well_said(&bot);
    bot.finish().await;
}

#[tokio::test]
async fn a_form_that_is_on_the_screen_is_not_said_to_have_failed() {
    for twice in [Twice::AtOnce, Twice::AfterALostAck] {
        let bot = start().await;
        bot.slack.deliver_next_twice(twice, 1);
        let answer = bot.send("").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{twice:?}");
        assert_eq!(bot.slack.views().len(), 1);
        assert_well_said(&bot);
        bot.finish().await;
    }
}

#[tokio::test]
async fn the_next_socket_is_open_before_the_old_one_closes() {
    let bot = start().await;
    let old = bot.slack.live_sockets();
    let long = Duration::from_secs(600);
    // Slack will not close it before the test ends: whoever waited for that would open none.
    assert_eq!(bot.slack.rotate_sockets(Which::Oldest, Rotation::Warning, long), 1);
    bot.slack.wait_for_sockets(|count| count == 3).await;
    assert_eq!(readiness(&bot.url).await.1, "ready, 2 of 2 sockets\n");
    assert_eq!(bot.slack.rotate_sockets(Which::Number(old[1]), Rotation::RefreshRequested, long), 1);
    bot.slack.wait_for_sockets(|count| count == 3).await;
    // What still comes over one that was warned of is answered there.
    bot.slack.rotate_sockets(Which::All, Rotation::Warning, long);
    for at in 0..6 {
        bot.send(&format!("google_ads schema_{at}")).await;
    }
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 6);
    assert_well_said(&bot);
    bot.finish().await;
}

#[tokio::test]
async fn a_socket_that_is_silent_is_replaced() {
    let bot = start().await;
    let old = bot.slack.live_sockets();
    assert_eq!(bot.slack.hang_sockets(Which::All), 2);
    bot.slack.wait_for_sockets(|count| count == 0).await;
    until("the bot to notice", async || (readiness(&bot.url).await.0 == 503).then_some(())).await;
    bot.slack.wait_for_sockets(|count| count == 2).await;
    assert!(bot.slack.live_sockets().iter().all(|number| !old.contains(number)));
    bot.send(COMMAND).await;
    bot.finish_with_link().await;
}

#[tokio::test]
async fn a_bot_without_a_socket_is_not_ready_and_keeps_trying() {
    let setup = setup().await;
    let refused = Fault::Status(503);
    setup.slack.faults(|faults| faults.fail_always("apps.connections.open", refused));
    let bot = setup.start().await;
    assert_eq!(readiness(&bot.url).await, (503, "no socket to Slack is open\n".to_owned()));
    until("more tries", async || (bot.slack.calls_to("apps.connections.open") >= 5).then_some(())).await;
    bot.slack.fail_next_links(Opening::Refused(408), 1);
    bot.slack.fail_next_links(Opening::Refused(200), 1);
    bot.slack.fail_next_links(Opening::Reset, 2);
    bot.slack.fail_next_links(Opening::Hangs, 1);
    bot.slack.fail_next_links(Opening::Silent, 1);
    bot.slack.faults(|faults| faults.heal());
    bot.slack.wait_for_sockets(|count| count == 2).await;
    assert_eq!(readiness(&bot.url).await.0, 200);
    bot.send(COMMAND).await;
    assert_well_said(&bot);
    bot.finish_with_link().await;
}

#[tokio::test]
async fn whoever_runs_the_bot_learns_why_slack_refuses_a_socket() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("SLACK_APP_TOKEN", APP_TOKEN);
    outside.slack.set_app_tokens(&["xapp-another"]);
    let process = program.start().await;
    let told = until("the line", async || {
        process.log().lines().find(|line| line.contains("Slack refuses a socket")).map(str::to_owned)
    })
    .await;
    assert!(told.contains("invalid_auth") && told.contains("SLACK_APP_TOKEN"), "{told}");
    assert!(!told.contains(APP_TOKEN));
    let log = process.stop().await;
    assert_eq!(log.matches("Slack refuses a socket").count(), 1, "{log}");
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("✗ Slack sockets: invalid_auth"), "{}", output.stdout);
    assert_eq!(output.code, 1);
    outside.slack.set_app_tokens(&[APP_TOKEN]);
    let output = program.run(&["check"]).await;
    assert!(
        output.stdout.contains("✓ Slack sockets: the app-level token may open them"),
        "{}",
        output.stdout
    );
    assert_eq!(outside.slack.sockets_opened(), 0, "one that is open would be sent commands");
}

#[tokio::test]
async fn socket_mode_that_is_switched_off_is_told() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = Program::against(&outside).with("SLACK_APP_TOKEN", APP_TOKEN);
    let process = program.start().await;
    until("both sockets", async || readiness(&process.url()).await.1.contains("2 of 2").then_some(())).await;
    outside.slack.disable_links();
    until("the line", async || process.log().contains("link_disabled").then_some(())).await;
    outside.slack.wait_for_sockets(|count| count == 0).await;
    // The other way is still open.
    outside.slack.deliver_by(Delivery::Http);
    process.send(&outside.slack, COMMAND).await;
    let log = process.stop().await;
    assert_eq!(log.matches("Slack refuses a socket").count(), 1, "{log}");
}

#[tokio::test]
async fn odd_frames_disturb_nobody() {
    let bot = start().await;
    for (at, oddity) in [
        Oddity::Binary,
        Oddity::Unauthenticated,
        Oddity::PingInText,
        Oddity::Array,
        Oddity::UnknownEnvelope,
        Oddity::Unknown,
        Oddity::Pieces,
        Oddity::Huge,
    ]
    .into_iter()
    .enumerate()
    {
        let opened = bot.slack.sockets_opened();
        bot.slack.send_oddity(Which::Oldest, oddity);
        if oddity == Oddity::Huge {
            // More than is read: another socket takes its place.
            until("another socket", async || (bot.slack.sockets_opened() > opened).then_some(())).await;
            bot.slack.wait_for_sockets(|count| count == 2).await;
        }
        bot.send(&format!("google_ads after_{at}")).await;
    }
    bot.slack.deliver_in_pieces(true);
    bot.send("google_ads in_pieces").await;
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 9);
    assert_well_said(&bot);
    bot.finish().await;
}

#[tokio::test]
async fn both_ways_are_open_while_one_takes_the_place_of_the_other() {
    let setup = Setup::new().await.with("SLACK_APP_TOKEN", APP_TOKEN);
    let bot = setup.start().await;
    bot.slack.wait_for_sockets(|count| count == 2).await;
    for (at, delivery) in [Delivery::Http, Delivery::Sockets, Delivery::Http].into_iter().enumerate() {
        bot.slack.deliver_by(delivery);
        bot.send(&format!("google_ads way_{at}")).await;
    }
    // A request may come whatever becomes of the sockets.
    let ready = (200, "ready, 0 of 2 sockets\n".to_owned());
    bot.slack.faults(|faults| faults.fail_always("apps.connections.open", Fault::Status(500)));
    bot.slack.reset_sockets(Which::All);
    until("no socket", async || (readiness(&bot.url).await == ready).then_some(())).await;
    bot.slack.faults(|faults| faults.heal());
    bot.slack.wait_for_sockets(|count| count == 2).await;
    // Once Socket Mode is switched off, requests come again.
    bot.slack.disable_links();
    bot.slack.wait_for_sockets(|count| count == 0).await;
    until("requests", async || (readiness(&bot.url).await == ready).then_some(())).await;
    bot.send("google_ads without_sockets").await;
    bot.until_all_ended().await;
    assert_eq!(bot.created(), 4);
    bot.finish().await;
}

/// What came of one person's command.
enum Came {
    /// It was acknowledged, under this reference.
    Accepted(String),
    /// It came twice, since Slack had not heard the first acknowledgement, and is under way.
    UnderWay,
    /// Slack got no answer in time, and said so; what was done is not known.
    Lost,
}

/// Types a command until a socket takes it.
async fn insist(outside: &Outside, typed: &str) -> Came {
    loop {
        outside.slack.wait_for_sockets(|count| count > 0).await;
        let ack: std::io::Result<Ack> =
            outside.slack.command("http://nowhere.test", typed, CHANNEL, USER).await;
        match ack {
            Ok(ack) => match accepted(&ack) {
                Some(reference) => return Came::Accepted(reference),
                None => {
                    let known = ["Already on it", "An earlier request for"];
                    assert!(known.iter().any(|words| ack.text().contains(words)), "{}", ack.text());
                    return Came::UnderWay;
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotConnected => {}
            Err(_) => return Came::Lost,
        }
    }
}

/// One thing that befalls the sockets.
fn befall(outside: &Outside, random: &mut Random) {
    let slack = &outside.slack;
    let soon = Duration::from_millis(200 + random.below(800));
    match random.below(9) {
        0 => drop(slack.reset_sockets(Which::Any)),
        1 => drop(slack.close_sockets(Which::Any, 1001, "going away")),
        2 => drop(slack.hang_sockets(Which::Any)),
        3 => drop(slack.rotate_sockets(Which::Any, Rotation::Warning, soon)),
        4 => drop(slack.rotate_sockets(Which::Any, Rotation::RefreshRequested, soon)),
        5 => slack.faults(|faults| faults.fail_next("apps.connections.open", Fault::Status(500), 2)),
        6 => slack.fail_next_links(Opening::Reset, 1),
        7 => slack.deliver_next_twice(Twice::AfterALostAck, 3),
        _ => drop(slack.send_oddity(Which::Any, Oddity::Pieces)),
    }
}

async fn storm(engine: Engine, replicas: usize) {
    let (commands, seed) = (number("CONNECT_CARD_SOCKETS", STORM), seed());
    let began = Instant::now();
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = engine.program(&outside).with("SLACK_APP_TOKEN", APP_TOKEN).without("SLACK_SIGNING_SECRET");
    let programs = (0..replicas).map(|_| program.clone().on_another_port().without("PUBLIC_URL"));
    let mut processes = Vec::new();
    for program in programs {
        processes.push(program.start().await);
    }
    outside.slack.wait_for_sockets(|count| count == 2 * replicas).await;
    let mut people = JoinSet::new();
    for person in 0..TYPISTS {
        let (outside, mut random) = (outside.clone(), Random(seed ^ person as u64));
        people.spawn(async move {
            let mut came = Vec::new();
            for at in (person..commands).step_by(TYPISTS) {
                // Slowly enough for the storm to rage meanwhile.
                tokio::time::sleep(Duration::from_millis(random.below(200))).await;
                came.push(insist(&outside, &format!("/connect-card google_ads storm_{at}")).await);
            }
            came
        });
    }
    let mut random = Random(seed);
    let (mut references, mut under_way, mut lost, mut befallen) = (HashSet::new(), 0, 0, 0);
    loop {
        tokio::select! {
            came = people.join_next() => match came {
                Some(came) => for came in came.unwrap() {
                    match came {
                        Came::Accepted(reference) => assert!(references.insert(reference), "{seed}"),
                        Came::UnderWay => under_way += 1,
                        Came::Lost => lost += 1,
                    }
                },
                None => break,
            },
            () = tokio::time::sleep(Duration::from_millis(20 + random.below(130))) => {
                // Where there is none already, faults would only pile up.
                if !outside.slack.live_sockets().is_empty() {
                    befall(&outside, &mut random);
                    befallen += 1;
                }
            }
        }
    }
    outside.until_all_ended(&references).await;
    // What was lost on the way to Slack may be done all the same; then its message comes, too.
    let acknowledged = references.len() + under_way;
    until("the other messages", async || {
        let (messages, connections) = (outside.messages_by_reference(), outside.connections_by_name());
        (messages.len() == connections.len() && messages.len() >= acknowledged).then_some(())
    })
    .await;
    let messages = outside.messages_by_reference();
    assert!(messages.values().all(|&counts| counts == (1, 0)), "seed {seed}: {messages:?}");
    let connections = outside.connections_by_name();
    assert!(connections.values().all(|&count| count == 1), "seed {seed}: {connections:?}");
    // How soon each was acknowledged is for `.ci/check_sockets` to judge: here the machine may be busy, and
    // what comes a second time may come when the first three seconds are over.
    let violations = outside.slack.violations().into_iter().filter(|it| it.rule != Rule::InTime);
    assert_eq!(violations.collect::<Vec<_>>(), [], "seed {seed}");
    let opened = outside.slack.sockets_opened();
    assert!(acknowledged > commands / 2, "seed {seed}: {lost} of {commands} were lost");
    assert!(befallen > 0 && opened > 2 * replicas as u64, "there was no storm, seed {seed}");
    say(&format!(
        "sockets: seed {seed}, {commands} commands in {:?}, {acknowledged} acknowledged, {lost} lost on the way, \
         {befallen} blows, {opened} sockets",
        began.elapsed(),
    ));
    for process in processes {
        process.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_command_survives_a_storm_of_sockets() {
    storm(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_have_sockets_of_their_own() {
    let Some(postgres) = postgres::shared() else { return };
    storm(Engine::Postgres(postgres), 2).await;
}

#[tokio::test]
async fn one_socket_too_many_is_no_refusal_for_good() {
    let outside = Outside::start().await;
    let mut processes = Vec::new();
    for _ in 0..6 {
        // Each has a folder, and so a database, of its own.
        let program = Program::against(&outside).with("SLACK_APP_TOKEN", APP_TOKEN);
        processes.push(program.start().await);
    }
    outside.slack.wait_for_sockets(|count| count == 10).await;
    until("the one too many", async || {
        processes.iter().any(|process| process.log().contains("too_many_websockets")).then_some(())
    })
    .await;
    let log: String = processes.iter().map(Process::log).collect();
    assert!(!log.contains("Slack refuses a socket"), "{log}");
    // When others end, it is let in.
    processes.remove(0).stop().await;
    outside.slack.wait_for_sockets(|count| count == 10).await;
    for process in processes {
        process.stop().await;
    }
}

#[tokio::test]
async fn a_token_of_another_app_is_told_of() {
    for (app, told) in [(APP_ID, 0), ("A0OTHER", 1)] {
        let outside = Outside::start().await;
        outside.slack.set_bot_app(app);
        let process = Program::against(&outside).with("SLACK_APP_TOKEN", APP_TOKEN).start().await;
        let compared = |process: &Process| process.log().matches("is of another app (A0SANDBOX)").count();
        until("the question", async || (outside.slack.calls_to("bots.info") == 1).then_some(())).await;
        until("what is said", async || (compared(&process) == told).then_some(())).await;
        // Another socket is no news.
        let opened = outside.slack.sockets_opened();
        outside.slack.reset_sockets(Which::All);
        until("other sockets", async || (outside.slack.sockets_opened() > opened + 1).then_some(())).await;
        let log = process.stop().await;
        assert_eq!(log.matches("is of another app").count(), told, "{log}");
        assert_eq!(log.matches("than SLACK_BOT_TOKEN (A0OTHER)").count(), told, "{log}");
        assert_eq!(outside.slack.calls_to("bots.info"), 1);
    }
}
