//! `connect-card init` as a person meets it: in a real terminal, against the stand-ins.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use connect_card::fivetran::keys::ApiKey;
use connect_card::fivetran::{Fivetran, FivetranConfig};
use serde_json::json;
use stand_ins::fivetran::{API_KEY, API_SECRET, GROUP_ID};
use stand_ins::slack::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET};

use crate::harness::{Outside, Program, Terminal, client};

const ADDRESS: &str = "https://bot.example.com";
const CHANNELS: &str = "Set channel defaults now? [y/N]";

/// In an empty folder, with nothing set but where the partners are.
fn newcomer(outside: &Outside) -> Program {
    Program::bare()
        .with("SLACK_API_URL", &outside.slack.api_url())
        .with("FIVETRAN_API_URL", &outside.fivetran.url())
}

fn env_file(program: &Program) -> String {
    std::fs::read_to_string(program.folder().join(".env")).unwrap_or_default()
}

/// A `.env` in which everything is right for these stand-ins.
fn complete() -> String {
    format!(
        "# mine\nPUBLIC_URL={ADDRESS}\nSLACK_SIGNING_SECRET={SIGNING_SECRET} # of the app\n\nSLACK_BOT_TOKEN={BOT_TOKEN}\nFIVETRAN_API_KEY={API_KEY}\nFIVETRAN_API_SECRET={API_SECRET}\nFIVETRAN_GROUP_ID={GROUP_ID}\n#PORT=3000\n"
    )
}

#[track_caller]
fn assert_shows_no_secret(screen: &str) {
    for secret in [API_KEY, API_SECRET, BOT_TOKEN, SIGNING_SECRET, "xoxb-revoked", "hunter2"] {
        assert!(!screen.contains(secret), "{secret}: {screen}");
    }
}

#[tokio::test]
async fn from_nothing_to_a_bot_that_can_start_and_the_next_time_nothing_is_asked() {
    let outside = Outside::start().await;
    outside.fivetran.add_group("another_group", "Sandbox Warehouse");
    let program = newcomer(&outside);
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer("1 or 2 [1]:", "https").await;
    terminal.shows("Type 1 for Socket Mode, or 2 for a public https address.").await;
    terminal.answer("1 or 2 [1]:", "2").await;
    terminal.answer("Address:", "").await;
    terminal.shows("Nothing was typed.").await;
    terminal.answer("Address:", "http://bot.example.com").await;
    terminal.shows("✗ PUBLIC_URL is plain http").await;
    terminal.answer("Address:", ADDRESS).await;
    terminal.shows("https://api.slack.com/apps?new_app=1&manifest_yaml=").await;
    terminal.shows("https%3A%2F%2Fbot.example.com%2Fslack%2Fcommands").await;
    terminal.answer_hidden("Signing secret:", "hunter2").await;
    terminal.answer("Keep it anyway? [y/N]", "").await;
    terminal.answer_hidden("Signing secret:", SIGNING_SECRET).await;
    for (token, told) in [
        (SIGNING_SECRET, "✗ SLACK_BOT_TOKEN looks like a signing secret"),
        ("xoxb-revoked", "✗ Slack refuses this token (invalid_auth)"),
        (BOT_TOKEN, "✓ Bot token: connect-card in workspace “Sandbox”"),
    ] {
        terminal.answer_hidden("Bot token:", token).await;
        terminal.shows(told).await;
    }
    terminal.answer_hidden("API key:", API_KEY).await;
    terminal.answer_hidden("API secret:", "hunter2").await;
    terminal.shows("✗ Fivetran rejects this key").await;
    terminal.answer_hidden("API key:", &BASE64_STANDARD.encode("nothingbutoneword")).await;
    terminal.shows("✗ FIVETRAN_API_KEY looks like Base64").await;
    let whole = BASE64_STANDARD.encode(format!("{API_KEY}:{API_SECRET}"));
    terminal.answer_hidden("API key:", &format!(" {whole} ")).await;
    terminal.shows("✓ Fivetran key: works, account “Sandbox”").await;
    terminal.shows("1  Sandbox Warehouse (another_group)\n".replace('\n', "\r\n").as_str()).await;
    terminal.shows(&format!("2  Sandbox Warehouse ({GROUP_ID})")).await;
    terminal.answer("Number:", "").await;
    terminal.answer("Number:", "warehouse").await;
    terminal.answer("Number:", "2").await;
    terminal.shows(&format!("✓ Destination: Sandbox Warehouse ({GROUP_ID})")).await;
    terminal.answer(CHANNELS, "n").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("✓ configuration: all variables are valid"), "{screen}");
    assert!(screen.contains("/connect-card serve\n"), "{screen}");
    assert_shows_no_secret(&screen);
    let written = env_file(&program);
    assert_eq!(
        written,
        format!(
            "# Kept by connect-card init. Its README explains every variable.\nPUBLIC_URL={ADDRESS}\nSLACK_SIGNING_SECRET={SIGNING_SECRET}\nSLACK_BOT_TOKEN={BOT_TOKEN}\nFIVETRAN_API_KEY={API_KEY}\nFIVETRAN_API_SECRET={API_SECRET}\nFIVETRAN_GROUP_ID={GROUP_ID}\n"
        )
    );
    let mode = std::fs::metadata(program.folder().join(".env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(outside.fivetran.connections().is_empty() && outside.slack.messages().is_empty());

    let mut again = Terminal::run(&program, &["init"]);
    again.shows("Found: PUBLIC_URL, SLACK_SIGNING_SECRET, SLACK_BOT_TOKEN, FIVETRAN_API_KEY, ").await;
    again.answer(CHANNELS, "").await;
    let (code, screen) = again.end().await;
    assert_eq!((code, env_file(&program)), (0, written), "{screen}");
    assert_eq!(screen.matches("✓ Bot token: ").count(), 1, "{screen}");
    assert_shows_no_secret(&screen);
}

#[tokio::test]
async fn what_is_wrong_is_replaced_only_if_wanted_and_everything_else_stays() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let wrong = complete()
        .replace(&format!("FIVETRAN_API_SECRET={API_SECRET}"), "FIVETRAN_API_SECRET=hunter2")
        .replace(&format!("FIVETRAN_GROUP_ID={GROUP_ID}"), "FIVETRAN_GROUP_ID=gone_group");
    std::fs::write(program.folder().join(".env"), &wrong).unwrap();

    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows("✓ Bot token: ").await;
    terminal.shows("✗ Fivetran rejects this key").await;
    terminal.answer("Replace it in .env? [Y/n]", "n").await;
    terminal.shows("· Fivetran rejects the API key. The destination stays as it is.").await;
    terminal.answer(CHANNELS, "n").await;
    let (code, screen) = terminal.end().await;
    assert_eq!((code, env_file(&program)), (1, wrong.clone()), "{screen}");
    assert!(
        screen.contains("✗ Fivetran key: rejected") && screen.contains("Each ✗ says what to do."),
        "{screen}"
    );

    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer("Replace it in .env? [Y/n]", "").await;
    terminal.answer_hidden("API key:", API_KEY).await;
    terminal.answer_hidden("API secret:", API_SECRET).await;
    terminal.shows("✗ This account has no destination with the id gone_group").await;
    terminal.answer("Replace it in .env? [Y/n]", "y").await;
    terminal.shows(&format!("1  Sandbox Warehouse ({GROUP_ID})")).await;
    terminal.answer("Number [1]:", "").await;
    terminal.answer(CHANNELS, "n").await;
    let (code, screen) = terminal.end().await;
    assert_eq!((code, env_file(&program)), (0, complete()), "{screen}");
    assert_shows_no_secret(&screen);
}

#[tokio::test]
async fn what_the_environment_or_a_file_says_is_not_replaced_in_env() {
    let outside = Outside::start().await;
    let program = newcomer(&outside).with("FIVETRAN_API_SECRET", "hunter2");
    let without_secret = complete().replace(&format!("FIVETRAN_API_SECRET={API_SECRET}\n"), "");
    std::fs::write(program.folder().join(".env"), &without_secret).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows("✗ Fivetran rejects this key").await;
    terminal.shows("correct it there").await;
    terminal.answer(CHANNELS, "").await;
    let (code, screen) = terminal.end().await;
    assert_eq!((code, env_file(&program)), (1, without_secret), "{screen}");
    assert_shows_no_secret(&screen);
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_variables_are_named_and_nothing_is_lost() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let output = program.run(&["init"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    for name in
        ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "PUBLIC_URL", "FIVETRAN_API_KEY", "FIVETRAN_GROUP_ID"]
    {
        assert!(output.stderr.contains(name), "{name}: {output:?}");
    }
    assert!(!program.folder().join(".env").exists());

    // Ctrl-C before anything was kept.
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows_and_hides("1 or 2 [1]:").await;
    terminal.press("\x03");
    terminal.shows("Stopped. Nothing new was written. To go on, run ").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    assert!(screen.ends_with("/connect-card init in this folder.\n"), "{screen}");
    assert!(!program.folder().join(".env").exists());

    // Ctrl-C while a secret is typed: what was kept stays, and the terminal shows again what is typed.
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer("1 or 2 [1]:", "2").await;
    terminal.answer("Address:", ADDRESS).await;
    terminal.shows_and_hides("Signing secret:").await;
    terminal.press("half\x03");
    terminal.shows("Stopped. Written to .env: PUBLIC_URL. For the rest, run ").await;
    assert!(terminal.shows_what_is_typed());
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    assert!(env_file(&program).ends_with(&format!("\nPUBLIC_URL={ADDRESS}\n")), "{screen}");

    // Ctrl-D, where the line is hidden and where it is not.
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows_and_hides("Signing secret:").await;
    terminal.press("\x04");
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    let last = screen.lines().last().unwrap();
    assert!(last.starts_with("Stopped. Nothing new was written."), "{screen}");
    std::fs::remove_file(program.folder().join(".env")).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer("1 or 2 [1]:", "2").await;
    terminal.shows("Address:").await;
    terminal.press("\x04");
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    assert!(screen.lines().last().unwrap().starts_with("Stopped. Nothing new was written."), "{screen}");
}

#[tokio::test]
async fn a_key_that_sees_no_destination_takes_its_id_and_nobody_reached_can_be_gone_without() {
    let outside = Outside::start().await;
    let body = json!({ "name": "narrow", "permissions": [
        { "resource_type": "CONNECTOR", "access_level": "MANAGE", "resource_filter": { "group_ids": [GROUP_ID] } },
    ] });
    let (key, secret) = outside.fivetran.create_system_key(&body).unwrap();
    let slack_only = complete().split_once("FIVETRAN_API_KEY").unwrap().0.to_owned();
    let program = newcomer(&outside);
    std::fs::write(program.folder().join(".env"), &slack_only).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer_hidden("API key:", &key).await;
    terminal.answer_hidden("API secret:", &secret).await;
    terminal.shows("✓ Fivetran key: works").await;
    terminal.shows("This key sees no destination").await;
    terminal.answer("Destination Group ID:", "no such id").await;
    terminal.shows("✗ FIVETRAN_GROUP_ID is not a group id").await;
    terminal.answer("Destination Group ID:", GROUP_ID).await;
    terminal.shows(&format!("✓ Destination: {GROUP_ID}, whose name this key may not read")).await;
    terminal.answer(CHANNELS, "n").await;
    let (_, screen) = terminal.end().await;
    assert!(!screen.contains(&key) && !screen.contains(&secret), "{screen}");
    assert!(env_file(&program).ends_with(&format!(
        "FIVETRAN_API_KEY={key}\nFIVETRAN_API_SECRET={secret}\nFIVETRAN_GROUP_ID={GROUP_ID}\n"
    )));

    let program = newcomer(&outside).with("FIVETRAN_API_URL", "http://127.0.0.1:9");
    std::fs::write(program.folder().join(".env"), &slack_only).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer_hidden("API key:", API_KEY).await;
    terminal.answer_hidden("API secret:", API_SECRET).await;
    terminal
        .shows("· Fivetran is not reachable (no connection); check FIVETRAN_API_URL first, which is set")
        .await;
    terminal.answer("Keep it anyway? [y/N]", "y").await;
    terminal.answer("Destination Group ID:", GROUP_ID).await;
    terminal.answer("Keep it anyway? [y/N]", "y").await;
    terminal.answer(CHANNELS, "n").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    assert!(env_file(&program).ends_with(&format!("FIVETRAN_GROUP_ID={GROUP_ID}\n")), "{screen}");
}

#[tokio::test]
async fn channels_can_be_given_defaults_in_a_file_of_their_own() {
    let outside = Outside::start().await;
    outside.fivetran.add_group("calm_delta", "EU Lake");
    let program = newcomer(&outside);
    std::fs::write(program.folder().join(".env"), complete()).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer(CHANNELS, "y").await;
    terminal.answer("Channel id (Enter: no more):", "#acme").await;
    terminal.answer("Channel id (Enter: no more):", "C0123ABC").await;
    terminal.answer("(Enter: none):", "Acme Inc").await;
    terminal.answer("(Enter: none):", "acme").await;
    terminal.answer("Another destination than Sandbox Warehouse? [y/N]", "y").await;
    terminal.answer("Number:", "eu").await;
    terminal.answer("Remind people there of links that nobody has finished? [y/N]", "y").await;
    terminal.answer("Channel id (Enter: no more):", "").await;
    terminal.shows("✓ connect-card.toml: 1 channel set").await;
    terminal.shows("A bot in a container must be given that file").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert_eq!(env_file(&program), format!("{}CONFIG=connect-card.toml\n", complete()));
    let file = std::fs::read_to_string(program.folder().join("connect-card.toml")).unwrap();
    assert!(file.ends_with(
        "[destinations.sandbox-warehouse]\ngroup_id = \"sandbox_group\"\n\n[destinations.eu-lake]\ngroup_id = \"calm_delta\"\n\n[channels.C0123ABC]\ncustomer = \"acme\"\ndestination = \"eu-lake\"\nreminders = true\n"
    ), "{file}");
    let next = screen.split("Then, in the channel C0123ABC in Slack, type:").nth(1).unwrap();
    assert!(next.trim_end().ends_with("/connect-card google_ads"), "{screen}");
    assert!(screen.contains("EU Lake") && screen.contains("Destination: Sandbox Warehouse"), "{screen}");
}

#[tokio::test]
async fn whoever_has_the_app_is_not_sent_to_make_one() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let tokens = |app: &str| format!("SLACK_APP_TOKEN={app}\nSLACK_BOT_TOKEN={BOT_TOKEN}\n");
    std::fs::write(program.folder().join(".env"), tokens(APP_TOKEN)).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows("Found: SLACK_APP_TOKEN, SLACK_BOT_TOKEN. They are tried now, ").await;
    terminal.shows("✓ App-level token: ").await;
    terminal.shows("✓ Bot token: ").await;
    terminal.shows("If you have one, use it").await;
    terminal.shows_and_hides("API key:").await;
    terminal.press("\x03");
    let (_, screen) = terminal.end().await;
    assert!(!screen.contains("new_app=1") && !screen.contains("1 or 2"), "{screen}");

    // Nor where only a token has to be replaced, or only one of the app's secrets is there.
    let revoked = tokens("xapp-1-A0-1-revoked");
    for (env, question) in [
        (revoked.as_str(), "Replace it in .env? [Y/n]"),
        (revoked.lines().next().unwrap(), "Replace it in .env? [Y/n]"),
        (revoked.lines().last().unwrap(), "1 or 2 [1]:"),
    ] {
        std::fs::write(program.folder().join(".env"), format!("{env}\n")).unwrap();
        let mut terminal = Terminal::run(&program, &["init"]);
        terminal.answer_hidden(question, "").await;
        terminal.answer_hidden("App-level token:", "").await;
        terminal.shows("Nothing was typed.").await;
        terminal.shows_and_hides("App-level token:").await;
        terminal.press("\x03");
        let (_, screen) = terminal.end().await;
        assert!(!screen.contains("new_app=1"), "{screen}");
        assert_shows_no_secret(&screen);
    }
}

#[tokio::test]
async fn a_secret_that_is_pasted_where_yes_or_no_is_asked_is_neither_shown_nor_taken() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let wrong =
        complete().replace(&format!("FIVETRAN_API_SECRET={API_SECRET}"), "FIVETRAN_API_SECRET=hunter2");
    std::fs::write(program.folder().join(".env"), &wrong).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer_hidden("Replace it in .env? [Y/n]", API_KEY).await;
    terminal.shows("That was neither y nor n. Nothing was taken.").await;
    // It goes on to where the secret belongs.
    terminal.answer_hidden("API key:", API_KEY).await;
    terminal.answer_hidden("API secret:", API_SECRET).await;
    terminal.shows("✓ Fivetran key: works").await;
    terminal.answer_hidden(CHANNELS, BOT_TOKEN).await;
    terminal.shows("Nothing was taken.").await;
    let (code, screen) = terminal.end().await;
    assert_eq!((code, env_file(&program)), (0, complete()), "{screen}");
    assert_shows_no_secret(&screen);

    let without_token = complete().replace(&format!("SLACK_BOT_TOKEN={BOT_TOKEN}\n"), "");
    std::fs::write(program.folder().join(".env"), &without_token).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer_hidden("Bot token:", "").await;
    terminal.shows("the bot can't post more than 30 minutes after").await;
    terminal.answer_hidden("Leave it out? [y/N]", BOT_TOKEN).await;
    terminal.shows("Nothing was taken.").await;
    terminal.answer_hidden("Bot token:", BOT_TOKEN).await;
    terminal.answer(CHANNELS, "").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert!(env_file(&program).ends_with(&format!("\nSLACK_BOT_TOKEN={BOT_TOKEN}\n")), "{screen}");
    assert_shows_no_secret(&screen);
}

#[tokio::test]
async fn a_wrong_address_that_stays_makes_no_app() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    std::fs::write(program.folder().join(".env"), "PUBLIC_URL=http://bot.example.com\n").unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows("✗ PUBLIC_URL is plain http").await;
    terminal.answer("Replace it in .env? [Y/n]", "n").await;
    terminal.shows("needs a right address").await;
    terminal.shows_and_hides("Signing secret:").await;
    terminal.press("\x03");
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 1, "{screen}");
    assert!(!screen.contains("new_app=1"), "{screen}");
}

#[tokio::test]
async fn ctrl_c_ends_the_check_at_the_end_as_well() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    std::fs::write(program.folder().join(".env"), complete()).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows(CHANNELS).await;
    // Far longer than this test has patience.
    outside.fivetran.set_latency(Duration::from_secs(3600));
    terminal.press("n\n");
    terminal.shows("✓ configuration: all variables are valid").await;
    terminal.interrupt().await;
    terminal.shows("Stopped.").await;
    let (code, screen) = terminal.end().await;
    assert_eq!((code, env_file(&program)), (1, complete()), "{screen}");
    let of_check = screen.split("Now connect-card check").last().unwrap();
    assert!(!of_check.contains("Fivetran"), "{screen}");
}

#[tokio::test]
async fn no_name_from_outside_steers_the_terminal() {
    let outside = Outside::start().await;
    outside.fivetran.add_group("another_group", "\x1b]0;EU\x07 \u{9b}2JLake\n✓ all is well");
    let program = newcomer(&outside);
    let without_destination = complete().replace(&format!("FIVETRAN_GROUP_ID={GROUP_ID}\n"), "");
    std::fs::write(program.folder().join(".env"), without_destination).unwrap();
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.shows("]0;EU 2JLake✓ all is well (another_group)").await;
    terminal.answer("Number:", "another_group").await;
    terminal.shows("✓ Destination: ]0;EU 2JLake✓ all is well (another_group)").await;
    terminal.answer(CHANNELS, "n").await;
    terminal.shows("“]0;EU 2JLake✓ all is well”").await;
    let (_, screen) = terminal.end().await;
    // What a line ends with is for the terminal.
    let steers = |c: char| c.is_control() && c != '\n';
    let of_check = screen.split("Now connect-card check").last().unwrap();
    assert!(!of_check.contains(steers), "{of_check:?}");
    assert!(!screen.contains(['\u{7}', '\u{9b}']), "{screen:?}");
}

#[tokio::test]
async fn an_env_that_cannot_be_read_or_is_a_link_is_left_alone() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let path = program.folder().join(".env");
    std::fs::write(&path, "SLACK_BOT_TOKEN='half\n").unwrap();
    let (code, screen) = Terminal::run(&program, &["init"]).end().await;
    assert_eq!((code, env_file(&program).as_str()), (2, "SLACK_BOT_TOKEN='half\n"), "{screen}");
    assert!(screen.contains(".env: line 1 has an opening quote"), "{screen}");
    std::fs::remove_file(&path).unwrap();
    let elsewhere = program.folder().join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    let (code, screen) = Terminal::run(&program, &["init"]).end().await;
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains(".env is a link to another file"), "{screen}");
}

#[tokio::test]
async fn every_page_of_the_destinations_is_read() {
    let fivetran = Outside::start().await.fivetran;
    for n in 0..2000 {
        fivetran.add_group(&format!("customer_{n}"), &format!("Customer {n}"));
    }
    let (key, secret) = (API_KEY.into(), API_SECRET.into());
    let key = ApiKey { variable: "FIVETRAN_API_KEY", key, secret, expires: None };
    let config = FivetranConfig { api_url: fivetran.url(), key, second_key: None };
    let groups = Fivetran::new(client(), config).groups().await.unwrap();
    let ids: std::collections::BTreeSet<_> = groups.iter().map(|group| group.id.as_str()).collect();
    assert_eq!((groups.len(), ids.len()), (2001, 2001));
    assert!(groups.iter().any(|group| group.id == "customer_1999" && group.name == "Customer 1999"));
    assert_eq!(fivetran.calls_to("groups"), 3);
}

#[tokio::test]
async fn socket_mode_is_the_first_choice_and_needs_no_address() {
    let outside = Outside::start().await;
    let program = newcomer(&outside);
    let mut terminal = Terminal::run(&program, &["init"]);
    terminal.answer("1 or 2 [1]:", "").await;
    terminal.shows("https://api.slack.com/apps?new_app=1&manifest_yaml=").await;
    terminal.shows("socket_mode_enabled%3A%20true").await;
    for (token, told) in [
        (BOT_TOKEN, "✗ SLACK_APP_TOKEN is a bot token"),
        ("xapp-1-A0-1-revoked", "✗ Slack refuses this token (invalid_auth)"),
        (APP_TOKEN, "✓ App-level token: opens sockets"),
    ] {
        terminal.answer_hidden("App-level token:", token).await;
        terminal.shows(told).await;
    }
    terminal.answer_hidden("Bot token:", "").await;
    terminal.answer("Leave it out? [y/N]", "n").await;
    terminal.answer_hidden("Bot token:", BOT_TOKEN).await;
    terminal.answer_hidden("API key:", API_KEY).await;
    terminal.answer_hidden("API secret:", API_SECRET).await;
    terminal.answer("Number [1]:", "").await;
    terminal.answer(CHANNELS, "").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("✓ Slack sockets: the app-level token may open them"), "{screen}");
    assert!(!screen.contains("PUBLIC_URL") && !screen.contains(APP_TOKEN), "{screen}");
    assert_shows_no_secret(&screen);
    assert!(env_file(&program).starts_with(&format!(
        "# Kept by connect-card init. Its README explains every variable.\nSLACK_APP_TOKEN={APP_TOKEN}\nSLACK_BOT_TOKEN={BOT_TOKEN}\n"
    )));
}
