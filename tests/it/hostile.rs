//! What a person types is never markup, in whatever part of a command it stands.

use serde_json::Value;
use stand_ins::slack::{TEAM_ID, block_faults};

use crate::harness::{CHANNEL, Setup, TestBot, USER, objects, post, signed_headers};

/// What tends to be markup, code or a nuisance somewhere.
fn hostile() -> Vec<String> {
    let long = "é<".repeat(2048);
    let mut texts: Vec<String> = [
        "<!channel>",
        "<!here|here>",
        "<!everyone>",
        "<!subteam^S0SETUP>",
        "@here",
        "@channel",
        "#general",
        "<@U1>",
        "<#C1|x>",
        "&",
        "&lt;!channel&gt;",
        "&amp;<",
        "<https://evil.example|Fivetran>",
        "https://evil.example/",
        "\u{202E}emehcs_remotsuc",
        "customer\u{200B}_\u{2060}schema",
        "customer\u{FEFF}schema",
        "`code`",
        "```block```",
        "*bold*_it_~no~",
        "line\nbreak",
        "line\r\n> quote",
        "tab\tbed",
        "nul\0l",
        "bell\u{7}",
        "😀",
        ":smile:",
        "👩‍👩‍👧‍👦",
        "x'; DROP TABLE command; --",
        "' OR 1=1 --",
        r#"{"service":"x"}"#,
        r#"","blocks":[],"x":""#,
        "\\u003c!channel\\u003e",
        "%3C!channel%3E",
        "${jndi:ldap://evil.example}",
        "../../etc/passwd",
        "{{7*7}}",
        "{typed}",
        "“smart”",
        "a|b",
        "^",
        "--json",
        "Ünïcödé",
        "\u{FFFF}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(long);
    texts
}

/// Slack looks for markup in every mrkdwn object and in the top-level text; none of it may be
/// foreign.
fn assert_harmless(payload: &Value, typed: &str) {
    assert_eq!(block_faults(payload), Vec::<String>::new(), "{typed:?}");
    let text = payload["text"].as_str().unwrap();
    assert!(!text.contains(['<', '>']), "{typed:?}: {text}");
    for object in objects(payload) {
        if object["type"] == "mrkdwn" {
            assert_eq!(object["verbatim"], true, "{typed:?}: {object}");
            let text = object["text"].as_str().unwrap();
            let rest = without_date(&text.replace(&format!("<@{USER}>"), ""));
            assert!(!rest.contains(['<', '>']), "{typed:?}: {text}");
            assert_eq!(text.matches('`').count() % 2, 0, "{typed:?}: {text}");
        } else if object["type"] == "plain_text" {
            assert!(object["verbatim"].is_null());
        }
    }
}

/// A text without the bot's own date markup.
fn without_date(text: &str) -> String {
    match text.split_once("<!date^") {
        None => text.to_owned(),
        Some((before, date)) => format!("{before}{}", date.split_once('>').unwrap().1),
    }
}

#[tokio::test]
async fn nothing_typed_becomes_markup_in_any_place() {
    let bot = TestBot::start().await;
    for (n, text) in hostile().into_iter().enumerate() {
        let arguments = [
            text.clone(),
            format!("{text} customer_{n}"),
            format!("google_ads {text}"),
            format!("google_ads {text}{n}"),
            format!("google_ads customer_{n} {text}"),
            format!("google_sheets customer_{n}.{text}"),
            format!("google_ads customer_{n} to {text}"),
        ];
        for arguments in arguments {
            let ack = bot.send(&arguments).await.json();
            assert_eq!(ack["response_type"], "ephemeral", "{arguments:?}");
            assert_harmless(&ack, &arguments);
        }
    }
    let messages = bot.finish().await;
    assert!(!messages.is_empty(), "some of it is a command once the invisible is gone");
    for message in messages {
        assert_harmless(&message.payload, &message.rendered());
    }
}

#[tokio::test]
async fn nothing_in_the_commands_own_name_becomes_markup() {
    let bot = TestBot::start().await;
    for name in ["/<!channel>", "/`a`&<@U1>", "/connect\u{202E}card", "/*x*"] {
        for text in ["", "help", "nonsense x", "google_ads Bad-Name", "google_ads"] {
            let body = form(&bot, name, text);
            let url = format!("{}/slack/commands", bot.url);
            let ack = post(&url, &signed_headers(&body), body).await.unwrap();
            assert_eq!(ack.status, 200, "{name}");
            assert_harmless(&ack.json(), name);
        }
    }
    assert!(bot.finish().await.is_empty());
}

/// A signed form whose command Slack itself would never send.
fn form(bot: &TestBot, name: &str, text: &str) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("team_id", TEAM_ID)
        .append_pair("channel_id", CHANNEL)
        .append_pair("user_id", USER)
        .append_pair("command", name)
        .append_pair("text", text)
        .append_pair("response_url", &bot.slack.response_url(CHANNEL, USER))
        .finish()
        .into_bytes()
}

#[tokio::test]
async fn what_fivetran_says_is_not_markup_either() {
    let setup = Setup::new().await;
    setup.fivetran.list_service("evil_ads", "<!channel> *Evil* & `Ads`");
    let bot = setup.start().await;
    let ack = bot.send("evil_ads customer_schema").await.json();
    assert_harmless(&ack, "evil_ads");
    bot.message(1).await;
    let suggestion = bot.send("evil_adz customer_schema").await.json();
    assert_harmless(&suggestion, "evil_adz");
    for message in bot.finish().await {
        assert_harmless(&message.payload, "evil_ads");
    }
}
