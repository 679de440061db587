//! Secrets that are replaced while the bot runs: by a signal, or because their file has changed.

use std::path::Path;

use stand_ins::fault::Fault;
use stand_ins::fivetran::{API_KEY, API_SECRET};
use stand_ins::slack::{APP_TOKEN, BOT_TOKEN, Delivery, SIGNING_SECRET, Which};

use crate::harness::{CHANNEL, Outside, Process, Program, accepted, until};
use crate::kills::{Breaks, People};

/// A second key of the same account.
const SECOND: (&str, &str) = ("second-key", "second-secret");
/// A key of another account.
const STRANGER: (&str, &str) = ("a-strangers-key", "a-strangers-secret");
/// Not Slack's.
const WRONG_APP_TOKEN: &str = "xapp-1-A0SANDBOX-1-wrong";
const ANOTHER_APPS_TOKEN: &str = "xapp-1-A0ANOTHER-1-good";
/// Not Slack's.
const WRONG: &str = "00000000000000000000000000000000";

/// The variable comes from a file in the program's folder from now on, which holds `content`.
fn in_file(program: Program, name: &str, content: &str) -> Program {
    let path = program.folder().join(name);
    write(&path, content);
    program.without(name).with(&format!("{name}_FILE"), path.to_str().unwrap())
}

/// As an orchestrator does it: whole, or not at all.
fn write(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// The lines that set the Fivetran key.
fn key((key, secret): (&str, &str)) -> String {
    format!("FIVETRAN_API_KEY={key}\nFIVETRAN_API_SECRET={secret}\n")
}

/// The lines that set the one beside it.
fn second_key((key, secret): (&str, &str)) -> String {
    format!("FIVETRAN_API_KEY_2={key}\nFIVETRAN_API_SECRET_2={secret}\n")
}

async fn until_logged(process: &Process, line: &str, times: usize) {
    until(line, async || (process.log().matches(line).count() == times).then_some(())).await;
}

#[tokio::test]
async fn a_secret_whose_file_changes_is_replaced_and_no_command_is_lost() {
    let outside = Outside::start().await;
    let program = in_file(Program::against(&outside), "SLACK_SIGNING_SECRET", SIGNING_SECRET);
    let path = program.folder().join("SLACK_SIGNING_SECRET");
    let process = program.start().await;
    let mut references = std::collections::HashSet::new();
    let first = process.send(&outside.slack, "google_ads schema_0").await;
    references.extend(accepted(&first));
    // While it is rotated, the file holds both: nobody is refused at any time.
    let mut replaced = 0;
    for (at, content) in [format!("{WRONG},{SIGNING_SECRET}"), SIGNING_SECRET.to_owned()].iter().enumerate() {
        write(&path, content);
        replaced += 1;
        let mut typed = 0;
        while process.log().matches("SLACK_SIGNING_SECRET was replaced").count() < replaced {
            typed += 1;
            let ack = process.send(&outside.slack, &format!("google_ads schema_{at}_{typed}")).await;
            references.extend(accepted(&ack));
        }
    }
    outside.until_all_ended(&references).await;
    write(&path, WRONG);
    until_logged(&process, "SLACK_SIGNING_SECRET was replaced", 3).await;
    let refused = process.try_to_send(&outside.slack, CHANNEL, "google_ads refused").await.unwrap();
    assert_eq!(refused.status, 401);
    // An empty file is no secret, and takes none away.
    write(&path, SIGNING_SECRET);
    until_logged(&process, "SLACK_SIGNING_SECRET was replaced", 4).await;
    write(&path, "");
    until_logged(&process, "cannot be read again, and nothing has changed", 1).await;
    process.send(&outside.slack, "google_ads afterwards").await;
    let log = process.stop().await;
    assert!(!log.contains(SIGNING_SECRET) && !log.contains(WRONG), "{log}");
}

#[tokio::test]
async fn a_hang_up_reads_the_variables_again() {
    let outside = Outside::start().await;
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let program = Program::against(&outside).without("FIVETRAN_API_KEY").without("FIVETRAN_API_SECRET");
    let dotenv = program.folder().join(".env");
    write(&dotenv, &key((API_KEY, API_SECRET)));
    let process = program.start().await;
    process.send(&outside.slack, "google_ads with_the_first").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    // One that Fivetran rejects takes no other's place.
    write(&dotenv, &key(("no", "no")));
    process.hang_up().await;
    until_logged(&process, "Fivetran rejects the new key; the old one stays", 1).await;
    write(&dotenv, &key(SECOND));
    process.hang_up().await;
    until_logged(&process, "the Fivetran key was replaced", 1).await;
    outside.fivetran.revoke_key(API_KEY, API_SECRET);
    process.send(&outside.slack, "google_ads with_the_second").await;
    until("the link", async || (outside.slack.messages().len() == 2).then_some(())).await;
    // A mistake anywhere changes nothing.
    write(&dotenv, "FIVETRAN_API_KEY=only-half\n");
    process.hang_up().await;
    until_logged(&process, "cannot be read again, and nothing has changed", 1).await;
    process.send(&outside.slack, "google_ads still_with_the_second").await;
    until("the link", async || (outside.slack.messages().len() == 3).then_some(())).await;
    let log = process.stop().await;
    assert!(!log.contains(SECOND.1) && !log.contains(API_SECRET), "{log}");
}

#[tokio::test]
async fn a_bot_token_that_slack_refuses_replaces_none() {
    let outside = Outside::start().await;
    let program = in_file(Program::against(&outside), "SLACK_BOT_TOKEN", BOT_TOKEN);
    let path = program.folder().join("SLACK_BOT_TOKEN");
    let process = program.start().await;
    write(&path, "xoxb-1-of-nobody");
    until_logged(&process, "Slack does not take the new SLACK_BOT_TOKEN; the old one stays", 1).await;
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    let log = process.stop().await;
    assert!(!log.contains("of-nobody"), "{log}");
}

#[tokio::test]
async fn the_next_socket_is_opened_with_the_new_token() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = in_file(Program::against(&outside), "SLACK_APP_TOKEN", APP_TOKEN);
    let path = program.folder().join("SLACK_APP_TOKEN");
    let process = program.start().await;
    outside.slack.wait_for_sockets(|count| count == 2).await;
    process.send(&outside.slack, "google_ads before").await;
    let new = "xapp-1-A0SANDBOX-2-the-new-one";
    outside.slack.set_app_tokens(&[APP_TOKEN, new]);
    write(&path, new);
    until_logged(&process, "SLACK_APP_TOKEN was replaced", 1).await;
    // The old one is revoked, and its sockets end.
    outside.slack.set_app_tokens(&[new]);
    outside.slack.reset_sockets(Which::All);
    outside.slack.wait_for_sockets(|count| count == 2).await;
    process.send(&outside.slack, "google_ads after").await;
    until("both links", async || (outside.slack.messages().len() == 2).then_some(())).await;
    let log = process.stop().await;
    assert!(!log.contains(new), "{log}");
}

#[tokio::test]
async fn a_new_token_is_tried_at_once_where_the_one_before_was_refused() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = in_file(Program::against(&outside), "SLACK_APP_TOKEN", WRONG_APP_TOKEN);
    let path = program.folder().join("SLACK_APP_TOKEN");
    outside.slack.set_app_tokens(&[APP_TOKEN]);
    let process = program.start().await;
    until_logged(&process, "Slack refuses a socket", 1).await;
    // Each that is refused is told of, and once.
    write(&path, "xapp-1-A0SANDBOX-2-wrong-too");
    until_logged(&process, "Slack refuses the new SLACK_APP_TOKEN; the old one stays", 1).await;
    write(&path, APP_TOKEN);
    outside.slack.wait_for_sockets(|count| count == 2).await;
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    let log = process.stop().await;
    assert_eq!(log.matches("Slack refuses a socket").count(), 1, "{log}");
}

#[tokio::test]
async fn an_app_token_that_slack_refuses_replaces_none() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = in_file(Program::against(&outside), "SLACK_APP_TOKEN", APP_TOKEN);
    let path = program.folder().join("SLACK_APP_TOKEN");
    let process = program.start().await;
    outside.slack.wait_for_sockets(|count| count == 2).await;
    write(&path, WRONG_APP_TOKEN);
    until_logged(&process, "Slack refuses the new SLACK_APP_TOKEN; the old one stays", 1).await;
    // Slack takes this one, but would send the commands of another app.
    outside.slack.set_app_tokens(&[APP_TOKEN, ANOTHER_APPS_TOKEN]);
    write(&path, ANOTHER_APPS_TOKEN);
    until_logged(&process, "the new SLACK_APP_TOKEN is another app's, and the old one stays", 1).await;
    write(&path, &format!("{WRONG_APP_TOKEN},{APP_TOKEN}"));
    until_logged(&process, "sockets are opened with the other one", 1).await;
    // It would show only now.
    outside.slack.reset_sockets(Which::All);
    outside.slack.wait_for_sockets(|count| count == 2).await;
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    let log = process.stop().await;
    assert!(!log.contains("SLACK_APP_TOKEN was replaced"), "{log}");
}

#[tokio::test]
async fn where_slack_refuses_the_first_app_token_sockets_are_opened_with_the_second() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program =
        Program::against(&outside).with("SLACK_APP_TOKEN", &format!("{WRONG_APP_TOKEN},{APP_TOKEN}"));
    let process = program.start().await;
    outside.slack.wait_for_sockets(|count| count == 2).await;
    outside.slack.reset_sockets(Which::All);
    outside.slack.wait_for_sockets(|count| count == 2).await;
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    let log = process.stop().await;
    assert_eq!(log.matches("Slack refuses one of the two tokens in SLACK_APP_TOKEN").count(), 1, "{log}");
    assert!(!log.contains("Slack refuses a socket"), "{log}");
}

#[tokio::test]
async fn what_could_not_be_tried_is_tried_again() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let program = Program::against(&outside).without("SLACK_BOT_TOKEN").without("SLACK_APP_TOKEN");
    let program = program.without("FIVETRAN_API_KEY").without("FIVETRAN_API_SECRET");
    let dotenv = program.folder().join(".env");
    let secrets = |bot: &str, app: &str, of: (&str, &str)| {
        format!("SLACK_BOT_TOKEN={bot}\nSLACK_APP_TOKEN={app}\n{}", key(of))
    };
    write(&dotenv, &secrets(BOT_TOKEN, APP_TOKEN, (API_KEY, API_SECRET)));
    let process = program.start().await;
    outside.slack.wait_for_sockets(|count| count == 2).await;
    // One call of each finds something broken.
    let new = "xapp-1-A0SANDBOX-2-the-new-one";
    outside.slack.set_app_tokens(&[APP_TOKEN, new]);
    outside.slack.faults(|faults| {
        faults.fail_always("auth.test", Fault::Status(503));
        faults.fail_always("apps.connections.open", Fault::Status(503));
    });
    outside.fivetran.faults(|faults| faults.fail_always("account", Fault::Status(503)));
    write(&dotenv, &secrets("xoxb-1-of-nobody", new, SECOND));
    process.hang_up().await;
    for name in ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "Fivetran key"] {
        let line = format!("the new {name} could not be tried; it is tried again");
        until(&line, async || process.log().contains(&line).then_some(())).await;
    }
    assert!(!process.log().contains("was replaced"));
    outside.slack.faults(|faults| faults.heal());
    outside.fivetran.faults(|faults| faults.heal());
    until_logged(&process, "SLACK_APP_TOKEN was replaced", 1).await;
    until_logged(&process, "the Fivetran key was replaced", 1).await;
    until_logged(&process, "Slack does not take the new SLACK_BOT_TOKEN; the old one stays", 1).await;
    process.stop().await;
}

#[tokio::test]
async fn a_key_of_another_account_replaces_none_wherever_it_is_put() {
    let outside = Outside::start().await;
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    outside.fivetran.add_user_key(STRANGER.0, STRANGER.1, false);
    let program = Program::against(&outside).without("FIVETRAN_API_KEY").without("FIVETRAN_API_SECRET");
    let dotenv = program.folder().join(".env");
    let first = (API_KEY, API_SECRET);
    write(&dotenv, &key(first));
    let process = program.start().await;
    // Beside one that works, which would answer for it.
    let refused = "is of another account; the old one stays";
    write(&dotenv, &format!("{}{}", key(first), second_key(STRANGER)));
    process.hang_up().await;
    until_logged(&process, refused, 1).await;
    write(&dotenv, &format!("{}{}", key(first), second_key(("no", "no"))));
    process.hang_up().await;
    until_logged(&process, "Fivetran rejects the new key; the old one stays", 1).await;
    write(&dotenv, &format!("{}{}", key(first), second_key(SECOND)));
    process.hang_up().await;
    until_logged(&process, "the Fivetran key was replaced", 1).await;
    // A new secret ends the old one at once, so nobody can ask the old one any more.
    outside.fivetran.revoke_key(API_KEY, API_SECRET);
    outside.fivetran.revoke_key(SECOND.0, SECOND.1);
    write(&dotenv, &key(STRANGER));
    process.hang_up().await;
    until_logged(&process, refused, 2).await;
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    process.stop().await;
}

#[tokio::test]
async fn what_was_left_out_for_a_while_is_replaced_like_what_stayed() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).without("SLACK_SIGNING_SECRET");
    let program = program.with("SLACK_APP_TOKEN", APP_TOKEN);
    let dotenv = program.folder().join(".env");
    write(&dotenv, &format!("SLACK_SIGNING_SECRET={SIGNING_SECRET}\n"));
    let process = program.start().await;
    write(&dotenv, "");
    process.hang_up().await;
    until_logged(&process, "begins or ends with a restart", 1).await;
    process.send(&outside.slack, "google_ads acme").await;
    write(&dotenv, &format!("SLACK_SIGNING_SECRET={WRONG}\n"));
    process.hang_up().await;
    until_logged(&process, "SLACK_SIGNING_SECRET was replaced", 1).await;
    let refused = process.try_to_send(&outside.slack, CHANNEL, "google_ads refused").await.unwrap();
    assert_eq!(refused.status, 401);
    process.stop().await;
}

#[tokio::test]
async fn a_secret_that_can_be_read_only_once_starts_the_bot() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).without("SLACK_BOT_TOKEN");
    let pipe = program.folder().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let program = program.with("SLACK_BOT_TOKEN_FILE", pipe.to_str().unwrap());
    let written = tokio::task::spawn_blocking(move || std::fs::write(pipe, BOT_TOKEN));
    let process = program.start().await;
    written.await.unwrap().unwrap();
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    process.stop().await;
}

#[tokio::test]
async fn a_way_to_the_bot_neither_begins_nor_ends_before_a_restart() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).without("SLACK_SIGNING_SECRET");
    let dotenv = program.folder().join(".env");
    write(&dotenv, &format!("SLACK_SIGNING_SECRET={SIGNING_SECRET}\n"));
    let process = program.start().await;
    write(&dotenv, &format!("SLACK_APP_TOKEN={APP_TOKEN}\n"));
    process.hang_up().await;
    until_logged(&process, "begins or ends with a restart", 1).await;
    process.send(&outside.slack, "google_ads acme").await;
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    assert_eq!(outside.slack.sockets_opened(), 0);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_secret_is_replaced_while_people_type_and_each_gets_their_link() {
    let outside = Outside::start().await;
    let (bot, app) = ("xoxb-another-of-the-same-bot", "xapp-1-A0SANDBOX-2-the-new-one");
    let program = ["SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"]
        .into_iter()
        .fold(Program::against(&outside), Program::without);
    let dotenv = program.folder().join(".env");
    let set = |signing: &str, bot: &str, app: &str, keys: &str| {
        let slack = format!("SLACK_SIGNING_SECRET={signing}\nSLACK_BOT_TOKEN={bot}\nSLACK_APP_TOKEN={app}\n");
        write(&dotenv, &(slack + keys));
    };
    let (first, both) = (key((API_KEY, API_SECRET)), key((API_KEY, API_SECRET)) + &second_key(SECOND));
    set(SIGNING_SECRET, BOT_TOKEN, APP_TOKEN, &first);
    let process = program.start().await;
    let mut people = People::start(3, &outside, std::slice::from_ref(&program));
    people.until_one_is_acknowledged().await;

    // Each as docs/operations.md has it: both are taken for a while, and then the old one is revoked.
    set(&format!("{WRONG},{SIGNING_SECRET}"), BOT_TOKEN, APP_TOKEN, &first);
    process.hang_up().await;
    until_logged(&process, "SLACK_SIGNING_SECRET was replaced", 1).await;
    outside.slack.set_signing_secret(WRONG);
    people.until_one_is_acknowledged().await;

    outside.slack.set_bot_tokens(&[BOT_TOKEN, bot]);
    set(&format!("{WRONG},{SIGNING_SECRET}"), bot, APP_TOKEN, &first);
    process.hang_up().await;
    until_logged(&process, "SLACK_BOT_TOKEN was replaced", 1).await;
    outside.slack.set_bot_tokens(&[bot]);
    people.until_one_is_acknowledged().await;

    outside.slack.set_app_tokens(&[APP_TOKEN, app]);
    set(&format!("{WRONG},{SIGNING_SECRET}"), bot, app, &first);
    process.hang_up().await;
    until_logged(&process, "SLACK_APP_TOKEN was replaced", 1).await;
    outside.slack.set_app_tokens(&[app]);
    outside.slack.reset_sockets(Which::All);
    outside.slack.wait_for_sockets(|count| count == 2).await;
    people.until_one_is_acknowledged().await;

    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    set(&format!("{WRONG},{SIGNING_SECRET}"), bot, app, &both);
    process.hang_up().await;
    until_logged(&process, "the Fivetran key was replaced", 1).await;
    outside.fivetran.revoke_key(API_KEY, API_SECRET);
    people.until_one_is_acknowledged().await;

    set(WRONG, bot, app, &key(SECOND));
    process.hang_up().await;
    until_logged(&process, "the Fivetran key was replaced", 2).await;
    until_logged(&process, "SLACK_SIGNING_SECRET was replaced", 2).await;
    people.until_one_is_acknowledged().await;
    people.stop().await;
    people.judge("a rotation of everything", &outside, &Breaks::default()).await;
    let others: Vec<_> =
        outside.messages_by_reference().into_iter().filter(|(_, messages)| *messages != (1, 0)).collect();
    assert!(others.is_empty(), "one link each: {others:?}");
    let log = process.stop().await;
    for secret in [bot, app, WRONG, SECOND.1] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn what_was_sealed_under_the_secret_before_is_opened_after_a_restart_with_both() {
    for by in [Delivery::Http, Delivery::Sockets] {
        let outside = Outside::start().await;
        outside.slack.deliver_by(by);
        let program = Program::against(&outside).without("SLACK_BOT_TOKEN").without("PUBLIC_URL");
        let (program, name, both) = match by {
            Delivery::Http => (program, "SLACK_SIGNING_SECRET", format!("{WRONG},{SIGNING_SECRET}")),
            Delivery::Sockets => {
                let program = program.without("SLACK_SIGNING_SECRET").with("SLACK_APP_TOKEN", APP_TOKEN);
                (program, "SLACK_APP_TOKEN", format!("xapp-1-A0SANDBOX-2-the-new-one,{APP_TOKEN}"))
            }
        };
        let program = if by == Delivery::Http { program.on_another_port() } else { program };
        outside.slack.faults(|faults| faults.fail_always("response_url", Fault::Status(503)));
        let process = program.start().await;
        if by == Delivery::Sockets {
            outside.slack.wait_for_sockets(|count| count == 2).await;
        }
        process.send(&outside.slack, "google_ads acme").await;
        let tried = async || (outside.slack.calls_to("response_url") > 0).then_some(());
        until("a post that fails", tried).await;
        process.kill().await;
        outside.slack.faults(|faults| faults.heal());
        let process = program.with(name, &both).start().await;
        until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
        process.stop().await;
    }
}
