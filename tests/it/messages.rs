//! What people see: where the link stands in a message, and that no reply outgrows Slack's limits.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use connect_card::command::bundle::NO_BUNDLES;
use connect_card::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
use connect_card::command::surface::Surface;
use connect_card::command::{UsageError, Vocabulary, parse};
use connect_card::fivetran::catalog::{Catalog, ServiceId};
use connect_card::fivetran::model::{ApiMessage, ConnectCard};
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::journal::{MisfitKind, Notice, Origin, Problem};
use connect_card::reply::live::{self, Note};
use connect_card::reply::{self, Audience, UnderWay};
use connect_card::work::{Confirmed, Request, Work};
use expect_test::expect;
use jiff::Timestamp;
use serde_json::{Value, json};
use stand_ins::slack::{Message, block_faults};

use crate::harness::{Setup, TestBot, client, link_of, strings, token_of};

/// The link is where one presses and nowhere else: not in a notification, not for a crawler.
fn assert_link_is_only_in_the_button(message: &Message, link: &str) {
    let token = token_of(link);
    assert!(token.len() > 40, "{token}");
    let holders: Vec<_> =
        strings(&message.payload).into_iter().filter(|(_, text)| text.contains(&token)).collect();
    assert_eq!(holders, [(".blocks[].elements[].url".to_owned(), link.to_owned())]);
    let hosts: Vec<_> = strings(&message.payload)
        .into_iter()
        .filter(|(path, text)| text.contains("://") && path != ".blocks[].elements[].url")
        .collect();
    assert_eq!(hosts, []);
}

async fn posted(bot: TestBot) -> (Message, TestBot) {
    bot.types("google_ads customer_schema").await;
    (bot.link_message(), bot)
}

#[tokio::test]
async fn the_link_is_in_the_button_and_nowhere_else() {
    for setup in [Setup::new().await, Setup::new().await.without_token()] {
        let (message, bot) = posted(setup.start().await).await;
        let link = link_of(&message).unwrap();
        assert!(link.starts_with(&format!("{}/connect-card/setup?", bot.fivetran.url())), "{link}");
        assert_link_is_only_in_the_button(&message, &link);
        assert_eq!((message.unfurl_links, message.unfurl_media), (Some(false), Some(false)));
        bot.finish_with_link().await;
    }
}

#[tokio::test]
async fn the_posted_link_opens_the_card_of_the_connection_that_was_made() {
    let (message, bot) = posted(TestBot::start().await).await;
    let page = client().get(link_of(&message).unwrap()).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("customer_schema"), "{page}");
    bot.finish_with_link().await;
}

#[tokio::test]
async fn the_message_says_who_asked_what_it_fills_and_until_when() {
    let (message, bot) = posted(TestBot::start().await).await;
    let blocks = message.payload["blocks"].to_string();
    let date = blocks.split_once("<!date^").unwrap().1.split_once('>').unwrap().0;
    assert_eq!(date.split('^').next().unwrap(), expiry_of(&link_of(&message).unwrap()).to_string());
    assert!(date.ends_with(" UTC"), "where Slack cannot tell the time: {date}");
    let text = message.payload["text"].as_str().unwrap();
    assert!(text.contains("Google Ads") && text.contains("UTC") && !text.contains("http"), "{text}");
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+24h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn an_expiry_follows_the_tokens_own_time() {
    let bot = TestBot::start().await;
    // Fivetran's clock is an hour ahead of ours.
    bot.fivetran.advance(Duration::from_secs(3600));
    let (message, bot) = posted(bot).await;
    let expiry = format!("<!date^{}^", expiry_of(&link_of(&message).unwrap()));
    assert!(message.payload["blocks"].to_string().contains(&expiry), "{expiry}");
    bot.ends(expect![[r#"
        #customer-acme
        alice: /connect-card google_ads customer_schema
          only alice sees:
              Making a link for Google Ads now. It will appear here.
              Ref R1
        bot posts:
            Please connect *Google Ads*: click the button and sign in on the page that opens. Your password
            stays on that page; neither we nor anyone in this channel can see it.
            [Connect Google Ads → card 1]
            Requested by @alice · The data goes to `customer_schema` · Works until T+25h · Everyone here can
            see this link, and anyone who has it can use it · Ref R1
    "#]])
        .await;
}

/// When a link ends, in seconds: a day after its token was issued.
fn expiry_of(link: &str) -> i64 {
    let token = token_of(link);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["iat"].as_i64().unwrap() + 24 * 60 * 60
}

/// The longest of everything.
fn long_request(table: bool) -> Request {
    let target =
        format!("{}{}", "s".repeat(63), if table { format!(".{}", "t".repeat(63)) } else { String::new() });
    Request {
        service: ServiceId::parse("a_service_with_a_rather_long_id").unwrap(),
        service_name: "Größe & <Ads> *".repeat(7)[..].chars().take(100).collect(),
        kind: Some(if table { SchemaKind::Table } else { SchemaKind::Schema }),
        retired: Some("a_name_of_forty_characters_or_thereabout".to_owned()),
        target: Target::parse(&target).unwrap(),
        group_id: "g".repeat(100),
        destination: Some("d".repeat(200)),
        slash: format!("/{}", "c".repeat(31)),
        in_direct_message: false,
        confirmed: Confirmed::No,
        for_all: false,
        by_channel: false,
        customer: None,
        onboarding: None,
    }
}

fn card(link_length: usize) -> ConnectCard {
    let start = "https://fivetran.com/connect-card/setup?auth=";
    let uri = format!("{start}{}", "x".repeat(link_length - start.len()));
    serde_json::from_value(json!({ "uri": uri, "token": "a.b.c" })).unwrap()
}

#[track_caller]
fn assert_fits(content: impl serde::Serialize, what: &str) -> Value {
    let json = serde_json::to_value(content).unwrap();
    assert_eq!(block_faults(&json), Vec::<String>::new(), "{what}");
    assert!(!json["text"].as_str().unwrap().is_empty(), "{what}: a notification needs words");
    json
}

#[test]
fn every_reply_keeps_slacks_limits_with_the_longest_of_everything() {
    let now = Timestamp::UNIX_EPOCH;
    let said = || ApiMessage { code: "C".repeat(500), message: "<&".repeat(250) };
    for request in [long_request(false), long_request(true)] {
        for note in [Note::None, Note::Existed, Note::Reauthorise, Note::Renewed] {
            for length in [200, 2900] {
                let (card, requester) = (card(length), "U".repeat(64));
                let waiting = live::Waiting {
                    request: &request,
                    requester: Some(&requester),
                    card: &card,
                    note,
                    audience: Audience::Channel,
                    reference: "0123456789",
                };
                let json = assert_fits(live::waiting(&waiting, now), "link");
                assert!(!json["text"].as_str().unwrap().contains("https"), "{json}");
            }
        }
        let link = "0123456789".to_owned();
        for work in [
            Work::Connect(request.clone()),
            Work::Renew { link: link.clone(), requester: None, unasked: false, request: request.clone() },
            Work::Cancel { link, request: request.clone() },
        ] {
            assert_fits(reply::accepted(&work, "0123456789"), "accepted");
            let another = UnderWay::Another(Box::new(request.clone()));
            for under_way in [UnderWay::Same, another, UnderWay::Elsewhere, UnderWay::Unknown] {
                assert_fits(reply::already_on_it(&work, &under_way), "already on it");
            }
        }
        let origin = || Origin { channel_id: "C".repeat(64), user_id: Some("U".repeat(64)) };
        for problem in [
            Problem::KeyRejected,
            Problem::Forbidden(said()),
            Problem::GroupUnknown(said()),
            Problem::Refused(said()),
            Problem::SchemaTaken { service: "s".repeat(100) },
            Problem::NameTaken(said()),
            Problem::AlreadyConnected { origin: None },
            Problem::AlreadyConnected { origin: Some(origin()) },
            Problem::Elsewhere { origin: origin() },
            Problem::NotCancelled,
            Problem::Misfit(MisfitKind::TableMissing),
            Problem::Misfit(MisfitKind::TableNotWanted),
            Problem::RateLimited { retry_after_s: Some(u64::MAX) },
            Problem::RateLimited { retry_after_s: None },
            Problem::NoAnswer,
            Problem::CannotPost { slack_says: "w".repeat(5000) },
            Problem::Unconfirmed,
        ] {
            let (notice, work) = (Notice::from(problem), Work::Connect(request.clone()));
            assert_fits(
                reply::notice(&notice, &work, "0123456789", "U0ALICE", "C0CUSTOMER"),
                &format!("{notice:?}"),
            );
        }
        let work = Work::Cancel { link: "0123456789".to_owned(), request: request.clone() };
        assert_fits(
            reply::notice(&Notice::Cancelled, &work, "0123456789", "U0ALICE", "C0CUSTOMER"),
            "cancelled",
        );
    }
    assert_fits(reply::not_accepted(), "not accepted");
    assert_fits(reply::unsure(), "unsure");
    assert_fits(reply::help(Surface::Slack(&format!("/{}", "c".repeat(31))), true), "help");
}

#[test]
fn every_usage_error_keeps_slacks_limits() {
    let catalog = Catalog::from_live((0..5).map(|n| {
        (format!("service_{n}_{}", "x".repeat(80)), format!("Service {n} {}", "y".repeat(100)), None)
    }))
    .unwrap();
    let named = (0..200).map(|n| (format!("destination_{n}"), "group".to_owned())).collect();
    let destinations = Destinations { named, ..Destinations::default() };
    let services = (0..200).map(|n| ServiceId::parse(&format!("s{n}_{}", "x".repeat(90))).unwrap()).collect();
    let narrow = ChannelDefaults { services, ..ChannelDefaults::default() };
    let slash = format!("/{}", "c".repeat(31));
    let slash = Surface::Slack(&slash);
    let live = format!("service_0_{}", "x".repeat(80));
    let mut kinds = Vec::new();
    for (channel, typed) in [
        (&NO_DEFAULTS, String::new()),
        (&NO_DEFAULTS, "x".repeat(4000)),
        (&NO_DEFAULTS, format!("{} y", "x".repeat(4000))),
        (&NO_DEFAULTS, format!("service_0_{}z y", "x".repeat(80))),
        (&NO_DEFAULTS, live.clone()),
        (&NO_DEFAULTS, format!("{live} {}", "s".repeat(64))),
        (&NO_DEFAULTS, format!("{live} Ümlaut")),
        (&NO_DEFAULTS, format!("{live} schema to {}", "z".repeat(4000))),
        (&NO_DEFAULTS, format!("{live} schema")),
        (&narrow, live.clone()),
    ] {
        let vocabulary = Vocabulary {
            slash,
            catalog: &catalog,
            destinations: &destinations,
            channel,
            bundles: &NO_BUNDLES,
        };
        let error = parse(&typed, &vocabulary).unwrap_err();
        assert_fits(reply::usage(&error, slash), &format!("{error:?}"));
        assert!(!reply::usage_sentence(&error, slash).is_empty());
        kinds.push(std::mem::discriminant(&error));
    }
    kinds.dedup();
    assert!(kinds.len() >= 5, "the cases cover most kinds of {}", std::any::type_name::<UsageError>());
}
