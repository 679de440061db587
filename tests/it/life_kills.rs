//! Links while processes die: no message is left untrue, no news comes twice without a cause, and
//! another replica looks after what a dead one posted.

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::outbound;
use connect_card::reply::live::RENEW;
use futures_util::future::join_all;
use sqlx::Connection as _;
use stand_ins::slack::{self, Message, Visibility};

use crate::harness::{CHANNEL, USER, link_of, until};
use crate::kills::{Random, seed};
use crate::process::{Outside, Process, Setup, now, say};

/// Kills, each in the middle of what became of a few links.
const KILLS: usize = 12;
/// Links that something happens to at a time: two whose customer lands, two that are renewed.
const AT_A_TIME: usize = 4;
/// How far a message's time, which is Slack's, may be from a kill that cut off its sender.
const LATE: f64 = 0.5;

fn with_token(database: String, log: std::path::PathBuf) -> Setup {
    Setup::new(database, log).with("SLACK_BOT_TOKEN", slack::BOT_TOKEN).with("LEASE_SECONDS", "1")
}

/// The message of a schema's link, as it stands.
fn message_of(outside: &Outside, schema: &str) -> Option<Message> {
    let (shown, mut found) = (format!("`{schema}`"), None);
    for message in outside.slack.messages() {
        let is_link = message.visibility == Visibility::Channel && message.thread_ts.is_none();
        if is_link && message.payload.to_string().contains(&shown) {
            assert!(found.is_none(), "{schema} has two messages");
            found = Some(message);
        }
    }
    found
}

/// When the thread of this message was told `words`.
fn told(outside: &Outside, message: &Message, words: &str) -> Vec<f64> {
    let messages = outside.slack.messages().into_iter();
    messages
        .filter(|told| told.thread_ts.as_deref() == Some(&*message.ts) && told.rendered().contains(words))
        .map(|told| told.ts.parse().unwrap())
        .collect()
}

/// Posts a link for each of these schemas, and gives their messages.
async fn post(process: &Process, outside: &Outside, schemas: &[String]) -> Vec<Message> {
    let mut posted = Vec::new();
    for schema in schemas {
        let ack = process.send(outside, &format!("/connect-card google_ads {schema}")).await.unwrap();
        assert_eq!(ack.status, 200);
        let wait = until("a link", async || message_of(outside, schema).filter(|it| link_of(it).is_some()));
        posted.push(wait.await);
    }
    posted
}

/// The customer finishes, and their browser comes back to a bot that may die under it.
async fn finish_and_land(outside: &Outside, url: &str, schema: &str, link: &str) {
    let connections = outside.fivetran.connections();
    let of_schema = connections.iter().find(|it| it["schema"].as_str() == Some(schema)).unwrap();
    outside.fivetran.finish_setup(of_schema["id"].as_str().unwrap());
    land(url, link).await;
}

async fn land(url: &str, link: &str) {
    let (_, rest) = link.split_once("/connected/").unwrap();
    let id = rest.split(['&', '?']).next().unwrap();
    let client = outbound::client(None).unwrap();
    let _ = client.get(format!("{url}/connected/{id}")).send().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_looked_after_by_whoever_comes_after_a_kill() {
    let seed = seed();
    say(&format!("links: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    let database = format!("sqlite:{}", folder.path().join("bot.db").display());
    let setup = with_token(database, folder.path().join("log"));
    let mut process = setup.start(&outside).await;
    let schemas: Vec<_> = (0..KILLS * AT_A_TIME).map(|n| format!("link_{n:03}")).collect();
    let first = post(&process, &outside, &schemas).await;
    // Two cards of one connection are the same link if they are made in the same second.
    outside.fivetran.advance(Duration::from_secs(2));
    // Long enough that a kill falls between any two calls of one look.
    outside.slack.set_latency(Duration::from_millis(15));
    outside.fivetran.set_latency(Duration::from_millis(15));
    let (mut kills, mut renewals) = (Vec::new(), Vec::new());
    for (schemas, first) in schemas.chunks(AT_A_TIME).zip(first.chunks(AT_A_TIME)) {
        let (finished, renewed) = schemas.split_at(AT_A_TIME / 2);
        let url = process.url();
        let landings = finished.iter().zip(first).map(async |(schema, message)| {
            finish_and_land(&outside, &url, schema, &link_of(message).unwrap()).await;
        });
        let typed = renewed.iter().map(async |schema| {
            let typed = format!("/connect-card renew {schema}");
            let ack = outside.slack.command(&url, &typed, CHANNEL, USER).await;
            ack.ok().is_some_and(|ack| {
                assert_eq!(ack.status, 200);
                assert!(ack.text().contains("Making a new link"), "{schema}: {}", ack.text());
                true
            })
        });
        let killed = async {
            tokio::time::sleep(Duration::from_millis(random.below(150))).await;
            process.kill().await;
            kills.push(now());
        };
        let (_, acknowledged, ()) = tokio::join!(join_all(landings), join_all(typed), killed);
        renewals.extend(acknowledged);
        process = setup.start(&outside).await;
    }
    let mut doubled = 0;
    let mut acknowledged = renewals.iter();
    for (at, (schema, first)) in schemas.iter().zip(&first).enumerate() {
        let is_finished = at % AT_A_TIME < AT_A_TIME / 2;
        let news = if is_finished { "is connected" } else { "asked for a new link" };
        if !is_finished && !acknowledged.next().unwrap() {
            continue;
        }
        let message = until(&format!("{schema}, acknowledged, is looked after"), async || {
            let message = message_of(&outside, schema)?;
            let is_true = if is_finished {
                message.rendered().contains("is connected, since") && link_of(&message).is_none()
            } else {
                link_of(&message).is_some_and(|link| Some(link) != link_of(first))
            };
            is_true.then_some(message)
        })
        .await;
        assert_eq!(message.ts, first.ts, "{schema}: it is the same message");
        for pair in told(&outside, &message, news).windows(2) {
            let cut_off = kills.iter().any(|at| (pair[0] - LATE..=pair[1]).contains(at));
            assert!(cut_off, "{schema}: the thread was told twice without a cause, at {pair:?}");
            doubled += 1;
        }
    }
    let renewed = renewals.iter().filter(|&&acknowledged| acknowledged).count();
    say(&format!(
        "links: {KILLS} kills, {} landings and {renewed} acknowledged renewals, each message true in the end, \
         {doubled} news twice",
        KILLS * AT_A_TIME / 2
    ));
    assert!(renewed > 0, "some renewals were acknowledged");
    process.terminate();
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
}

/// Lets the time of every link run out while no process is there to see it.
async fn expire(database: &str) {
    let mut db = sqlx::SqliteConnection::connect(database).await.unwrap();
    let past = Clock::default().now().as_millisecond() - 1;
    let done =
        sqlx::query("UPDATE link SET expires_at = $1, check_at = $1").bind(past).execute(&mut db).await;
    assert!(done.unwrap().rows_affected() > 0);
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_expires_while_nobody_is_there_is_renewed_through_kills() {
    let seed = seed();
    say(&format!("expiry: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    let database = format!("sqlite:{}", folder.path().join("bot.db").display());
    let setup = with_token(database.clone(), folder.path().join("log"));
    let mut process = setup.start(&outside).await;
    let schemas: Vec<_> = (0..6).map(|n| format!("late_{n}")).collect();
    let first = post(&process, &outside, &schemas).await;
    process.terminate();
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
    expire(&database).await;
    // Two cards of one connection are the same link if they are made in the same second.
    outside.fivetran.advance(Duration::from_secs(2));

    let latency = Duration::from_millis(15);
    outside.slack.set_latency(latency);
    outside.fivetran.set_latency(latency);
    let mut kills = Vec::new();
    for _ in 0..4 {
        let process = setup.start(&outside).await;
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        process.kill().await;
        kills.push(now());
    }
    let process = setup.start(&outside).await;
    let mut expired = Vec::new();
    for schema in &schemas {
        let message = until(&format!("{schema} is seen to have expired"), async || {
            let message = message_of(&outside, schema)?;
            let told = !told(&outside, &message, "has expired").is_empty();
            (told && message.rendered().contains("expired") && link_of(&message).is_none()).then_some(message)
        })
        .await;
        expired.push(message);
    }
    // Two people press each button, and the bot dies in the middle.
    let url = process.url();
    let presses = expired.iter().map(async |message| {
        let press = |user| outside.slack.press(&url, message, RENEW, user);
        let (one, two) = tokio::join!(press(USER), press("U0BOB"));
        [one, two].into_iter().any(|ack| ack.is_ok_and(|ack| ack.status == 200))
    });
    let killed = async {
        tokio::time::sleep(Duration::from_millis(random.below(120))).await;
        process.kill().await;
        kills.push(now());
    };
    let (acknowledged, ()) = tokio::join!(join_all(presses), killed);
    let mut process = setup.start(&outside).await;
    let mut renewed = 0;
    for (((schema, first), expired), acknowledged) in
        schemas.iter().zip(&first).zip(&expired).zip(&acknowledged)
    {
        if !acknowledged {
            // Whoever got no answer presses again.
            let _ = outside.slack.press(&process.url(), expired, RENEW, USER).await.unwrap();
        }
        let message = until(&format!("{schema} has a new link"), async || {
            message_of(&outside, schema).filter(|message| link_of(message).is_some())
        })
        .await;
        assert_ne!(link_of(&message), link_of(first), "{schema}");
        assert_eq!(message.ts, first.ts, "{schema}: it is the same message");
        for news in ["has expired", "asked for a new link"] {
            for pair in told(&outside, &message, news).windows(2) {
                let cut_off = kills.iter().any(|at| (pair[0] - LATE..=pair[1]).contains(at));
                assert!(cut_off, "{schema}: {news:?} was told twice without a cause, at {pair:?}");
            }
        }
        renewed += usize::from(*acknowledged);
    }
    say(&format!(
        "expiry: {} kills, {renewed} of {} presses acknowledged before one",
        kills.len(),
        schemas.len()
    ));
    process.terminate();
    assert_eq!(process.wait().await.code(), Some(0), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_a_links_news_once_and_one_goes_on_for_the_other() {
    let Some(postgres) = crate::postgres::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    let database = postgres.database();
    let setups = [0, 1].map(|at| with_token(database.clone(), folder.path().join(format!("{at}.log"))));
    let posting = setups[0].start(&outside).await;
    let mut other = setups[1].start(&outside).await;
    let urls = [posting.url(), other.url()];
    let schemas: Vec<_> = (0..8).map(|n| format!("shared_{n}")).collect();
    let posted = post(&posting, &outside, &schemas).await;
    let links: Vec<_> = posted.iter().map(|message| link_of(message).unwrap()).collect();
    let is_connected = async |at: usize| {
        until("it is connected", async || {
            let message = message_of(&outside, &schemas[at])?;
            let told = !told(&outside, &message, "is connected").is_empty();
            (told && message.rendered().contains("is connected, since")).then_some(message)
        })
        .await
    };
    // One customer's browser, seen by both replicas at once.
    let (early, late) = (0..4, 4..8);
    for at in early.clone() {
        let at_both = finish_and_land(&outside, &urls[0], &schemas[at], &links[at]);
        tokio::join!(at_both, land(&urls[1], &links[at]));
        is_connected(at).await;
    }
    // Two people ask both replicas for one new link.
    let typed = format!("/connect-card renew {}", schemas[4]);
    outside.fivetran.set_latency(Duration::from_millis(300));
    let asked = |url| outside.slack.command(url, &typed, CHANNEL, USER);
    let (one, two) = tokio::join!(asked(&urls[0]), asked(&urls[1]));
    assert_eq!((one.unwrap().status, two.unwrap().status), (200, 200));
    let renewed = until("the new link", async || {
        let link = link_of(&message_of(&outside, &schemas[4])?)?;
        let message = message_of(&outside, &schemas[4])?;
        (link != links[4] && !told(&outside, &message, "asked for a new link").is_empty()).then_some(link)
    })
    .await;
    outside.fivetran.set_latency(Duration::ZERO);
    assert_eq!(outside.fivetran.calls_to("connect_card"), 1, "one new link for both");
    // What the one has posted, the other goes on with. A link that the dead one is at work on would
    // have to wait for its lease, so it is to be idle.
    let at_work = "SELECT (SELECT count(*) FROM command WHERE ended_at IS NULL) \
                   + (SELECT count(*) FROM link WHERE lease_until > 0)";
    until("the work in hand to end", async || {
        let (well, rows) = postgres.psql(&database, at_work);
        assert!(well, "{rows}");
        rows.lines().any(|line| line.trim() == "0").then_some(())
    })
    .await;
    posting.kill().await;
    for at in late {
        let link = if at == 4 { &renewed } else { &links[at] };
        finish_and_land(&outside, &urls[1], &schemas[at], link).await;
        is_connected(at).await;
    }
    for schema in &schemas {
        let message = message_of(&outside, schema).unwrap();
        assert_eq!(told(&outside, &message, "is connected").len(), 1, "{schema}");
    }
    other.terminate();
    assert_eq!(other.wait().await.code(), Some(0), "{}", other.log());
}
