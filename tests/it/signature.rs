//! Who is believed: signatures, sizes and times at the real HTTP port. Whatever is refused here
//! has no effect, which each test asserts from what the outside parties have seen.

use std::time::{Duration, Instant};

use connect_card::reply::live::OPEN_CARD;
use ring::hmac;
use stand_ins::slack::{Ack, SIGNING_SECRET};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{CHANNEL, COLLEAGUE, OUTSIDER, Setup, TestBot, USER, client, post, signed_headers};

const COMMANDS: &str = "/slack/commands";
const INTERACTIVITY: &str = "/slack/interactivity";
const TIMESTAMP: &str = "X-Slack-Request-Timestamp";
const SIGNATURE: &str = "X-Slack-Signature";
const LIMIT: usize = 64 * 1024;

/// Slack's signature over any timestamp text, even one that is no number.
fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &signed);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

fn now(bot: &TestBot) -> i64 {
    bot.clock.now().as_second()
}

/// The form of a command that would create a connection.
fn form(bot: &TestBot) -> Vec<u8> {
    bot.slack.command_request("/connect-card google_ads customer_schema", CHANNEL, USER).body.into_bytes()
}

async fn send(bot: &TestBot, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Ack {
    let mut all = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    all.extend(headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    post(&format!("{}{path}", bot.url), &all, body.to_vec()).await.unwrap()
}

async fn send_signed(bot: &TestBot, path: &str, body: &[u8]) -> Ack {
    post(&format!("{}{path}", bot.url), &signed_headers(body), body.to_vec()).await.unwrap()
}

/// Stops the bot; nothing may have come of anything.
async fn finish_without_effect(bot: TestBot) {
    assert_eq!(bot.api_calls().len(), 0, "{:#?}", bot.api_calls());
    let slack = bot.slack.clone();
    assert!(bot.finish().await.is_empty());
    // At start the bot looks at its own scopes, whoever sends what.
    assert!(slack.calls().iter().all(|(route, _)| route == "auth.test"), "{:?}", slack.calls());
}

#[tokio::test]
async fn every_edge_case_of_the_two_headers_gets_its_status() {
    let bot = TestBot::start().await;
    let body = form(&bot);
    let time = now(&bot).to_string();
    let good = sign(SIGNING_SECRET, &time, &body);
    let at = |timestamp: &str| (timestamp.to_owned(), sign(SIGNING_SECRET, timestamp, &body));
    let shifted = |seconds: i64| at(&(now(&bot) + seconds).to_string());

    let pairs = [
        // The bounds to the second are the verifier's own tests; here some seconds may pass.
        ("stale", shifted(-302)),
        ("very stale", shifted(-86_400)),
        ("from the future", shifted(360)),
        ("an hour ahead", shifted(3600)),
        ("no number", at("yesterday")),
        ("empty", at("")),
        ("a sign", at(&format!("+{time}"))),
        ("a negative one", at(&format!("-{time}"))),
        ("a fraction", at(&format!("{time}.5"))),
        ("an underscore", at(&time.replacen('1', "1_", 1))),
        ("hexadecimal", at(&format!("0x{time}"))),
        ("thirteen digits", at(&format!("000{time}"))),
        ("upper-case hex", (time.clone(), good.to_uppercase().replace("V0", "v0"))),
        ("junk after it", (time.clone(), format!("{good}=junk"))),
        ("a digit more", (time.clone(), format!("{good}0"))),
        ("a digit less", (time.clone(), good[..good.len() - 1].to_owned())),
        ("no version", (time.clone(), good.replace("v0=", ""))),
        ("version 1", (time.clone(), good.replace("v0=", "v1="))),
        ("an empty signature", (time.clone(), String::new())),
        ("two in one header", (time.clone(), format!("{good},{good}"))),
        ("another secret", (time.clone(), sign("another", &time, &body))),
        ("an empty secret", (time.clone(), sign("", &time, &body))),
        ("another second", (now(&bot).saturating_sub(7).to_string(), good.clone())),
        ("another body", (time.clone(), sign(SIGNING_SECRET, &time, b"text=other"))),
    ];
    for (name, (timestamp, signature)) in pairs {
        let ack = send(&bot, COMMANDS, &[(TIMESTAMP, &timestamp), (SIGNATURE, &signature)], &body).await;
        assert_eq!(ack.status, 401, "{name}");
        assert!(ack.body.is_empty(), "{name}: a forger is told nothing");
    }

    let time = now(&bot).to_string();
    let good = sign(SIGNING_SECRET, &time, &body);
    let (t, s) = ((TIMESTAMP, time.as_str()), (SIGNATURE, good.as_str()));
    for (name, headers) in [
        ("none", vec![]),
        ("no signature", vec![t]),
        ("no timestamp", vec![s]),
        ("two timestamps", vec![t, t, s]),
        ("two signatures", vec![t, s, s]),
        ("two signatures, one good", vec![t, s, (SIGNATURE, "v0=00")]),
    ] {
        assert_eq!(send(&bot, COMMANDS, &headers, &body).await.status, 401, "{name}");
    }
    let mut tampered = body.clone();
    tampered.push(b'1');
    assert_eq!(send(&bot, COMMANDS, &[t, s], &tampered).await.status, 401);
    assert_eq!(send(&bot, INTERACTIVITY, &[t, s], &tampered).await.status, 401);
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn a_signature_within_five_minutes_is_taken_in_both_directions() {
    let bot = TestBot::start().await;
    let body = bot.slack.command_request("/connect-card help", CHANNEL, USER).body.into_bytes();
    for shift in [-270, -30, 0, 30, 270] {
        let time = (now(&bot) + shift).to_string();
        let signature = sign(SIGNING_SECRET, &time, &body);
        let ack = send(&bot, COMMANDS, &[(TIMESTAMP, &time), (SIGNATURE, &signature)], &body).await;
        assert_eq!(ack.status, 200, "{shift}");
        // Header names are the same in any case.
        let lower = [("x-slack-request-timestamp", time.as_str()), ("X-SLACK-SIGNATURE", &signature)];
        assert_eq!(send(&bot, COMMANDS, &lower, &body).await.status, 200, "{shift}");
    }
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn during_a_rotation_both_secrets_are_taken() {
    let both = format!("the-new-one,{SIGNING_SECRET}");
    let bot = Setup::new().await.with("SLACK_SIGNING_SECRET", &both).start().await;
    let body = bot.slack.command_request("/connect-card help", CHANNEL, USER).body.into_bytes();
    let time = now(&bot).to_string();
    for (secret, status) in [("the-new-one", 200), (SIGNING_SECRET, 200), (both.as_str(), 401)] {
        let signature = sign(secret, &time, &body);
        let ack = send(&bot, COMMANDS, &[(TIMESTAMP, &time), (SIGNATURE, &signature)], &body).await;
        assert_eq!(ack.status, status, "{secret}");
    }
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn a_command_without_a_response_url_is_carried_out_where_there_is_a_token() {
    for token in [true, false] {
        let setup = Setup::new().await;
        let bot = if token { setup } else { setup.without_token() }.start().await;
        let good = String::from_utf8(form(&bot)).unwrap();
        let fields: Vec<_> = good.split('&').filter(|field| !field.starts_with("response_url=")).collect();
        let ack = send_signed(&bot, COMMANDS, fields.join("&").as_bytes()).await;
        assert_eq!(ack.status, 200);
        if token {
            assert!(ack.text().contains("Making a link"), "{}", ack.text());
            bot.finish_with_link().await;
        } else {
            assert!(ack.text().contains("I couldn't read this command"), "{}", ack.text());
            finish_without_effect(bot).await;
        }
    }
}

#[tokio::test]
async fn what_is_signed_but_no_command_is_a_bad_request() {
    let bot = TestBot::start().await;
    let good = String::from_utf8(form(&bot)).unwrap();
    let hook = good.split('&').find(|field| field.starts_with("response_url=")).unwrap().to_owned();
    let without = |name: &str| -> String {
        let fields = good.split('&').filter(|field| !field.starts_with(&format!("{name}=")));
        fields.collect::<Vec<_>>().join("&")
    };
    let elsewhere = "response_url=https%3A%2F%2Fhooks.slack.com.evil.example%2Fcommands%2F1";
    let inner = "response_url=http%3A%2F%2F169.254.169.254%2Fcommands%2F1";
    for (name, body) in [
        ("no channel", without("channel_id")),
        ("no user", without("user_id")),
        ("no workspace", without("team_id")),
        ("two texts", format!("{good}&text=hubspot+other")),
        ("a response_url elsewhere", good.replace(&hook, elsewhere)),
        ("a response_url inside", good.replace(&hook, inner)),
        ("percent signs that are no UTF-8", good.replace("google_ads", "%FF%FE")),
    ] {
        // Somebody has typed it, and reads no status.
        let ack = send_signed(&bot, COMMANDS, body.as_bytes()).await;
        assert_eq!(ack.status, 200, "{name}");
        assert!(ack.text().contains("I couldn't read this command"), "{name}: {}", ack.text());
        assert_eq!(ack.json()["response_type"], "ephemeral", "{name}");
        assert_eq!(send(&bot, COMMANDS, &[], body.as_bytes()).await.status, 401, "{name}, unsigned");
    }
    for (name, body) in [
        ("empty", String::new()),
        ("another form", "a=b".to_owned()),
        ("JSON", r#"{"type":"url_verification","challenge":"x"}"#.to_owned()),
    ] {
        assert_eq!(send_signed(&bot, COMMANDS, body.as_bytes()).await.status, 400, "{name}");
        assert_eq!(send(&bot, COMMANDS, &[], body.as_bytes()).await.status, 401, "{name}, unsigned");
    }
    let bytes = [good.as_bytes(), b"&x=\xFF\xFE"].concat();
    assert_eq!(send_signed(&bot, COMMANDS, &bytes).await.status, 200);
    assert_eq!(send(&bot, COMMANDS, &[], &bytes).await.status, 401);
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn slacks_certificate_probe_is_answered_unsigned_and_nothing_rides_along() {
    let bot = TestBot::start().await;
    for probe in ["ssl_check=1", "ssl_check=1&token=abc", "token=abc&ssl_check=1"] {
        let ack = send(&bot, COMMANDS, &[], probe.as_bytes()).await;
        assert_eq!((ack.status, ack.body.len()), (200, 0), "{probe}");
    }
    let command = String::from_utf8(form(&bot)).unwrap();
    for smuggled in [
        format!("ssl_check=1&{command}"),
        format!("{command}&ssl_check=1"),
        "ssl_check=1&payload=%7B%22type%22%3A%22block_actions%22%7D".to_owned(),
        "ssl_check=1&ssl_check=1".to_owned(),
        "ssl_check=2".to_owned(),
        "ssl_check=".to_owned(),
    ] {
        for path in [COMMANDS, INTERACTIVITY] {
            assert_eq!(send(&bot, path, &[], smuggled.as_bytes()).await.status, 401, "{path} {smuggled}");
        }
    }
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_however_it_is_sent() {
    let bot = TestBot::start().await;
    let help = bot.slack.command_request("/connect-card help", CHANNEL, USER).body;
    let padded = |length: usize| format!("{help}&pad={}", "x".repeat(length - help.len() - 5)).into_bytes();
    assert_eq!(send_signed(&bot, COMMANDS, &padded(LIMIT)).await.status, 200);
    for path in [COMMANDS, INTERACTIVITY] {
        assert_eq!(send_signed(&bot, path, &padded(LIMIT + 1)).await.status, 413, "{path}");
    }
    let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", LIMIT + 1, "x".repeat(LIMIT + 1));
    let head = "POST /slack/commands HTTP/1.1\r\nhost: bot\r\ntransfer-encoding: chunked\r\n\r\n";
    let (answer, _) = speak(&bot, &[head.as_bytes(), chunk.as_bytes()].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn slow_senders_are_let_go() {
    let bot = TestBot::start().await;
    let slow_body = b"POST /slack/commands HTTP/1.1\r\nhost: bot\r\ncontent-length: 100\r\n\r\ntoken=";
    let half_header = b"POST /slack/commands HTTP/1.1\r\nhost: bot\r\n";
    let ((body, body_took), (header, header_took)) =
        tokio::join!(speak(&bot, slow_body), speak(&bot, half_header));
    // Each ends by itself, so that nobody can hold a connection, but not before its time.
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(body_took >= Duration::from_millis(1900), "{body_took:?}");
    assert!(header.is_empty() || header.starts_with("HTTP/1.1 408"), "{header}");
    assert!(header_took >= Duration::from_millis(4900), "{header_took:?}");
    finish_without_effect(bot).await;
}

/// Sends bytes and reads until the answer's head is there or the bot hangs up.
async fn speak(bot: &TestBot, bytes: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(bot.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

#[tokio::test]
async fn other_methods_and_paths_are_not_there() {
    let bot = TestBot::start().await;
    let client = client();
    for (path, status) in [
        (COMMANDS, 405),
        (INTERACTIVITY, 405),
        ("/", 404),
        ("/metrics", 404),
        ("/slack/commands/", 404),
        ("/slack/events", 405),
        ("/connected", 404),
        ("/connected/a/b/c", 404),
    ] {
        let answer = client.get(format!("{}{path}", bot.url)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
    assert_eq!(send_signed(&bot, "/slack/unknown", &form(&bot)).await.status, 404);
    assert_eq!(send_signed(&bot, "/healthz", &form(&bot)).await.status, 405);
    finish_without_effect(bot).await;
}

#[tokio::test]
async fn a_button_press_is_answered_when_signed_and_refused_when_not() {
    let bot = TestBot::start().await;
    bot.send("google_ads customer_schema").await;
    let message = bot.message(1).await;
    let calls = bot.fivetran.calls().len();
    for user in [USER, COLLEAGUE, OUTSIDER] {
        let ack = bot.slack.press(&bot.url, &message, OPEN_CARD, user).await.unwrap();
        assert_eq!((ack.status, ack.body.len()), (200, 0));
    }
    let payload = bot.slack.interaction_request(&serde_json::json!({ "type": "block_actions" })).body;
    assert_eq!(send(&bot, INTERACTIVITY, &[], payload.as_bytes()).await.status, 401);
    // Signed, but nothing that this version knows: answered, or the person sees a warning sign.
    for body in [payload.as_str(), "payload=%7B", "payload=%7B%22type%22%3A%22new_kind%22%7D"] {
        assert_eq!(send_signed(&bot, INTERACTIVITY, body.as_bytes()).await.status, 200, "{body}");
    }
    assert_eq!(bot.fivetran.calls().len(), calls);
    bot.finish_with_link().await;
}
