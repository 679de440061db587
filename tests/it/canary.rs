//! No secret leaves by the logs, the metrics or the database, whatever happens and however much is
//! logged.

use std::time::Duration;

use base64::Engine as _;
use connect_card::reply::home::EXPORT;
use serde_json::json;
use stand_ins::fault::{Fault, Faults};
use stand_ins::fivetran::{API_KEY, API_SECRET};
use stand_ins::slack::{APP_TOKEN, Ack, BOT_TOKEN, SIGNING_SECRET, SlackStandIn, Used};

use crate::harness::{
    CHANNEL, Outside, PRIVATE, Process, Program, USER, accepted, client, free_port, link_of, post,
    signed_headers, token_of, until,
};

/// A key beside the first one.
const SECOND: (&str, &str) = ("canary-of-the-second-key", "canary-of-the-second-secret");
/// A proxy's password, and a database's.
const PROXYS: &str = "canary-of-the-proxy";
const DATABASES: &str = "canary-of-the-database";

/// A secret by the name under which a failure tells it.
type Canary = (&'static str, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_logs_metrics_or_the_database_with_a_bot_token() {
    look_for_secrets(BOT_TOKEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_logs_metrics_or_the_database_without_a_bot_token() {
    look_for_secrets("").await;
}

async fn look_for_secrets(token: &str) {
    let outside = Outside::start().await;
    let slack = &outside.slack;
    let metrics = format!("127.0.0.1:{}", free_port());
    let program = Program::against(&outside)
        .with("SLACK_BOT_TOKEN", token)
        .with("RUST_LOG", "trace,hyper=trace,reqwest=trace,sqlx=trace")
        .with("LOG_FORMAT", "json")
        .with("SLACK_APP_TOKEN", APP_TOKEN)
        .with("FIVETRAN_API_KEY_2", SECOND.0)
        .with("FIVETRAN_API_SECRET_2", SECOND.1)
        .with("HTTPS_PROXY", &format!("http://somebody:{PROXYS}@127.0.0.1:9"))
        .with("METRICS_ADDR", &metrics);
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let bot = program.start().await;
    slack.wait_for_sockets(|count| count == 2).await;
    let mut canaries = standing();
    canaries.extend(everything(&bot, &outside).await);
    if !token.is_empty() {
        canaries.extend(export(&bot, slack).await);
    }

    // One stays open, so that the database holds what an open command needs.
    let route = if token.is_empty() { "response_url" } else { "chat.postMessage" };
    let before = slack.calls_to(route);
    slack.faults(|faults| faults.fail_always(route, Fault::Status(500)));
    canaries.extend(secrets_of(&bot.send(slack, "google_ads left_open").await.response_url));
    until("a failed post", async || (slack.calls_to(route) > before).then_some(())).await;
    assert_absent(&canaries, &files(&program), "the database while it runs");
    let told = bot.send(slack, "doctor").await.text();
    assert_absent(&canaries, told.as_bytes(), "the doctor's answer");
    let ready = client().get(format!("{}/readyz", bot.url())).send().await.unwrap().text().await.unwrap();
    assert_absent(&canaries, ready.as_bytes(), "what a balancer reads");
    let checked = program.run(&["check"]).await;
    assert!(checked.stdout.contains("clock:"), "{}", checked.stdout);
    assert_absent(&canaries, (checked.stdout + &checked.stderr).as_bytes(), "what the check says");
    // The last that Fivetran is asked for: it wants to be left alone for longer than the test lasts.
    let limit = Fault::Throttled { retry_after: Some("9999".to_owned()) };
    outside.fivetran.faults(|faults| faults.fail_next("create_connection", limit, 1));
    let before = outside.fivetran.calls_to("create_connection");
    canaries.extend(secrets_of(&bot.send(slack, "google_ads limited").await.response_url));
    let asked = async || (outside.fivetran.calls_to("create_connection") > before).then_some(());
    until("the limit", asked).await;

    let page = client().get(format!("http://{metrics}/metrics")).send().await.unwrap();
    let printed = bot.stop().await;
    canaries.extend(slack.messages().iter().filter_map(link_of).map(|link| ("a card", token_of(&link))));

    for (name, least) in [("a response_url", 20), ("a card", 15)] {
        assert!(canaries.iter().filter(|(known, _)| *known == name).count() >= least, "{name}");
    }
    assert!(printed.lines().count() > 50, "RUST_LOG=trace is in force");
    assert!(printed.contains("command ended") && printed.contains("refused a request"));
    assert_absent(&canaries, printed.as_bytes(), "the log");
    for line in printed.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (level, target) = (line["level"].as_str().unwrap(), line["target"].as_str().unwrap());
        let ours = target.starts_with("connect_card");
        assert!(ours || !matches!(level, "DEBUG" | "TRACE"), "{target} knows headers and paths: {level}");
    }
    // What the harness looks for in every log, and what Slack has beside that.
    for never in
        ["eyJ", "auth=", "connect-card/setup", "/commands/T0", "ticket=", "sandbox-verification-token"]
    {
        assert!(!printed.contains(never), "the log has {never}");
    }
    assert_absent(&canaries, page.text().await.unwrap().as_bytes(), "the metrics");
    let files = files(&program);
    assert!(files.windows(9).any(|bytes| bytes == b"left_open"), "the database was read");
    assert_absent(&canaries, &files, "the database");
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_told_of_without_its_password() {
    let outside = Outside::start().await;
    // With a label that is longer than any may be: it is asked of no network.
    let nowhere = format!("{}.invalid/db?sslmode=require", "a".repeat(64));
    for rest in ["127.0.0.1:1/db", "127.0.0.1:1,127.0.0.1:1/db", &nowhere, "[::1/db", "a,/db"] {
        let url = format!("postgres://somebody:{DATABASES}@{rest}");
        let program = Program::against(&outside).with("DATABASE_URL", &url).with("RUST_LOG", "trace");
        for task in ["serve", "check"] {
            let said = program.run(&[task]).await;
            assert_ne!(said.code, 0, "{rest}: {task}");
            let said = said.stdout + &said.stderr;
            assert!(said.contains("DATABASE_URL") || said.contains("database"), "{rest}: {said}");
            assert!(!said.contains(DATABASES), "{rest}: {task} says {said}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_crash_leaves_no_core_dump_whatever_the_shell_allows() {
    use std::os::unix::process::ExitStatusExt as _;

    let program = Program::against(&Outside::start().await);
    let dumps = async |run: &str| {
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-c", &format!("ulimit -c unlimited 2>/dev/null; {run}")]).current_dir(program.folder());
        shell.stderr(std::process::Stdio::null()).kill_on_drop(true);
        shell
    };
    // Where nothing dumps here at all, what follows says nothing.
    let control = dumps("kill -ABRT $$").await.status().await.unwrap();
    let serve = program.command(&["serve"]);
    let mut shell = dumps(&format!("exec '{}' serve", serve.as_std().get_program().to_str().unwrap())).await;
    shell.env_clear();
    shell.envs(serve.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut bot = shell.spawn().unwrap();
    until("the bot to answer", async || {
        client().get(format!("{}/healthz", program.url())).send().await.ok().map(drop)
    })
    .await;
    let id = bot.id().unwrap().to_string();
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{limit}");
    let killed = tokio::process::Command::new("kill").args(["-ABRT", &id]).status().await.unwrap();
    assert!(killed.success());
    let ended = bot.wait().await.unwrap();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "a control dumps: {control}");
}

/// The secrets that the configuration holds.
fn standing() -> Vec<Canary> {
    let basic = format!("{API_KEY}:{API_SECRET}");
    vec![
        ("the signing secret", SIGNING_SECRET.to_owned()),
        ("the bot token", BOT_TOKEN.to_owned()),
        ("the API key", API_KEY.to_owned()),
        ("the API secret", API_SECRET.to_owned()),
        ("the app token", APP_TOKEN.to_owned()),
        ("the second API key", SECOND.0.to_owned()),
        ("the second API secret", SECOND.1.to_owned()),
        ("the proxy's password", PROXYS.to_owned()),
        ("the basic credentials", base64::engine::general_purpose::STANDARD.encode(basic)),
    ]
}

/// Everything that can come of a Home: it is shown, and its list sent as a file. Gives the address for that.
async fn export(bot: &Process, slack: &SlackStandIn) -> Option<Canary> {
    slack.open_home(&bot.url(), USER).await.unwrap();
    let home = until("a Home", async || slack.homes().pop()).await.1;
    let used = Used { action_id: EXPORT, ..Used::default() };
    slack.use_in_view(&bot.url(), home["id"].as_str().unwrap(), used, json!({}), USER).await.unwrap();
    let file = until("a file", async || slack.files().pop().filter(|file| file.channel.is_some())).await;
    let content = String::from_utf8(file.content.unwrap()).unwrap();
    assert!(content.contains("was_begun") && !content.contains("://"), "{content}");
    Some(("a file's address", file.path.rsplit_once('/')?.1.to_owned()))
}

/// A response_url's own secret: the last part of its path.
fn secrets_of(response_url: &str) -> Option<Canary> {
    let (_, secret) = response_url.rsplit_once('/')?;
    assert!(secret.len() >= 8, "{response_url}");
    Some(("a response_url", secret.to_owned()))
}

/// Everything that can come of a command, until each has ended in a message.
async fn everything(bot: &Process, outside: &Outside) -> Vec<Canary> {
    let Outside { slack, fivetran } = outside;
    let mut acks = Vec::new();
    let send = async |channel: &str, typed: &str| bot.send_in(slack, channel, typed).await;
    for typed in ["help", "", "gogle_ads x", "google_ads Bad-Name", "google_ads x to nowhere"] {
        acks.push(send(CHANNEL, typed).await);
    }
    let _ = fivetran.seed_connection("google_ads", "was_connected", "connected");
    let _ = fivetran.seed_connection("google_ads", "was_begun", "incomplete");
    let _ = fivetran.seed_connection("hubspot", "was_another", "incomplete");
    for schema in ["fresh", "was_connected", "was_begun", "was_another"] {
        acks.push(send(CHANNEL, &format!("adwords {schema}")).await);
    }
    acks.push(send(PRIVATE, "google_ads in_private").await);

    let late = Fault::SlowAfter(Duration::from_millis(300));
    let throttled = |seconds: &str| Fault::Throttled { retry_after: Some(seconds.to_owned()) };
    let elsewhere = Fault::Redirect("http://127.0.0.1:9/".to_owned());
    let faults = [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(409),
        Fault::Status(400),
        Fault::Status(500),
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncated,
        Fault::NotJson,
        Fault::Empty,
        Fault::Oversized,
        throttled("1"),
        late,
        elsewhere,
    ];
    // Each command creates at least once, and so each fault is met, whoever meets which.
    for (n, fault) in faults.into_iter().enumerate() {
        fivetran.faults(|faults| faults.fail_next("create_connection", fault, 1));
        acks.push(send(CHANNEL, &format!("google_ads faulty_{n}")).await);
    }
    until_all_ended(outside, &acks).await;
    for (n, fault) in
        [Fault::Status(500), Fault::DropBefore, throttled("1"), Fault::Status(403)].into_iter().enumerate()
    {
        for route in ["chat.postMessage", "response_url"] {
            slack.faults(|faults| faults.fail_next(route, fault.clone(), 1));
        }
        acks.push(send(CHANNEL, &format!("google_ads unposted_{n}")).await);
    }
    until_all_ended(outside, &acks).await;
    slack.faults(Faults::heal);
    forge(bot, slack).await;
    let triggers = acks.iter().map(|ack| ("a trigger_id", ack.trigger_id.clone()));
    acks.iter().filter_map(|ack| secrets_of(&ack.response_url)).chain(triggers).collect()
}

async fn until_all_ended(outside: &Outside, acks: &[Ack]) {
    outside.until_all_ended(&acks.iter().filter_map(accepted).collect()).await;
}

/// Requests that are refused, each with a whole command in it.
async fn forge(bot: &Process, slack: &SlackStandIn) {
    let url = format!("{}/slack/commands", bot.url());
    let body = slack.command_request("/connect-card google_ads forged", CHANNEL, USER).body;
    let good = signed_headers(body.as_bytes());
    let foreign = body.replace("127.0.0.1", "192.0.2.1");
    for (headers, body, status) in [
        (Vec::new(), body.clone(), 401),
        (good.clone(), format!("{body}&text=x"), 401),
        // Its person reads that it wasn't carried out.
        (signed_headers(foreign.as_bytes()), foreign, 200),
        (Vec::new(), format!("ssl_check=1&{body}"), 401),
        (Vec::new(), "x".repeat(70_000), 413),
    ] {
        assert_eq!(post(&url, &headers, body.into_bytes()).await.unwrap().status, status);
    }
}

/// Every byte of the database: the file, its write-ahead log, whatever lies beside it.
fn files(program: &Program) -> Vec<u8> {
    let name = program.database().file_name().unwrap().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(program.folder()).unwrap().map(Result::unwrap);
    let own = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name));
    own.flat_map(|entry| std::fs::read(entry.path()).unwrap()).collect()
}

#[track_caller]
fn assert_absent(canaries: &[Canary], bytes: &[u8], place: &str) {
    let text = String::from_utf8_lossy(bytes);
    for (name, secret) in canaries {
        assert!(!text.contains(secret.as_str()), "{name} is in {place}");
    }
}
