//! Links while processes die: no message is left untrue, no news comes twice without a cause, and
//! another replica looks after what a dead one posted.
//!
//! `CONNECT_CARD_KILLS` says how many kills the first of these runs has.

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::reply::live::RENEW;
use futures_util::future::join_all;
use sqlx::Connection as _;
use stand_ins::slack::{Ack, Message, Visibility};
use tokio::sync::Notify;

use crate::harness::postgres::{self, Postgres};
use crate::harness::{
    CHANNEL, COLLEAGUE, Engine, Outside, Process, Program, Random, Trick, USER, Wire, client, kills, link_of,
    say, seed, until,
};
use crate::kills::Breaks;

/// Kills in the suite, each in the middle of what became of a few links.
const KILLS: usize = 6;
/// Links that something happens to at a time: two whose customer lands, two that are renewed.
const AT_A_TIME: usize = 4;
/// Long enough that a kill falls between any two calls of one look.
const LATENCY: Duration = Duration::from_millis(15);

fn with_token(engine: Engine, outside: &Outside) -> Program {
    let token = stand_ins::slack::BOT_TOKEN;
    engine.program(outside).with("SLACK_BOT_TOKEN", token).with("LEASE_SECONDS", "1")
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

/// That the thread was told `words` once, but for where a break cut off that it was noted down.
fn assert_told_once(outside: &Outside, message: &Message, words: &str, breaks: &Breaks) {
    for pair in told(outside, message, words).windows(2) {
        assert!(breaks.cut_off(pair), "{words:?} was told twice without a cause, at {pair:?}");
    }
}

/// Posts a link for each of these schemas, and gives their messages.
async fn post(process: &Process, outside: &Outside, schemas: &[String]) -> Vec<Message> {
    for schema in schemas {
        process.send(&outside.slack, &format!("google_ads {schema}")).await;
    }
    let mut posted = Vec::new();
    for schema in schemas {
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
    let client = client();
    let _ = client.get(format!("{url}/connected/{id}")).send().await;
}

/// Types a renewal; true if it was acknowledged.
async fn renew(process_url: &str, outside: &Outside, schema: &str) -> bool {
    let typed = format!("/connect-card renew {schema}");
    let ack = outside.slack.command(process_url, &typed, CHANNEL, USER).await;
    ack.is_ok_and(|ack| {
        assert_eq!(ack.status, 200);
        assert!(ack.text().contains("Making a new link"), "{schema}: {}", ack.text());
        true
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_looked_after_by_whoever_comes_after_a_kill() {
    let seed = seed();
    say(&format!("links: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let rounds = kills(KILLS);
    let outside = Outside::start().await;
    let program = with_token(Engine::Sqlite, &outside);
    let mut process = program.start().await;
    let schemas: Vec<_> = (0..rounds * AT_A_TIME).map(|n| format!("link_{n:03}")).collect();
    let first = post(&process, &outside, &schemas).await;
    // What there is to renew is known as soon as the link's row is kept, a moment after its message.
    until_idle(&program).await;
    // Two cards of one connection are the same link if they are made in the same second.
    outside.fivetran.advance(Duration::from_secs(2));
    outside.slack.set_latency(LATENCY);
    outside.fivetran.set_latency(LATENCY);
    let (mut breaks, mut renewals) = (Breaks::default(), Vec::new());
    for (round, (schemas, first)) in schemas.chunks(AT_A_TIME).zip(first.chunks(AT_A_TIME)).enumerate() {
        let (finished, renewed) = schemas.split_at(AT_A_TIME / 2);
        let (url, one_is_acknowledged) = (process.url(), Notify::new());
        let landings = finished.iter().zip(first).map(async |(schema, message)| {
            finish_and_land(&outside, &url, schema, &link_of(message).unwrap()).await;
        });
        let typed = async {
            let typed = renewed.iter().map(async |schema| {
                let acknowledged = renew(&url, &outside, schema).await;
                if acknowledged {
                    one_is_acknowledged.notify_one();
                }
                acknowledged
            });
            let acknowledged = join_all(typed).await;
            // The kill must not wait for ever; that none was acknowledged is judged below.
            one_is_acknowledged.notify_one();
            acknowledged
        };
        let pause = Duration::from_millis(random.below(150));
        let killed = breaks.during(async {
            // Half of the kills wait until there is something to lose.
            if round % 2 == 1 {
                one_is_acknowledged.notified().await;
            }
            tokio::time::sleep(pause).await;
            process.kill().await;
            program.start().await
        });
        let (_, acknowledged, next) = tokio::join!(join_all(landings), typed, killed);
        renewals.extend(acknowledged);
        process = next;
    }
    thirty_seconds_pass(&program).await;
    let mut acknowledged = renewals.iter();
    for (at, (schema, first)) in schemas.iter().zip(&first).enumerate() {
        let is_finished = at % AT_A_TIME < AT_A_TIME / 2;
        let news = if is_finished { "is connected" } else { "asked for a new link" };
        if !is_finished && !acknowledged.next().unwrap() {
            continue;
        }
        let message = until(&format!("{schema}, acknowledged, to be looked after"), async || {
            let message = message_of(&outside, schema)?;
            let is_true = if is_finished {
                message.rendered().contains(" is connected (since ") && link_of(&message).is_none()
            } else {
                link_of(&message).is_some_and(|link| Some(link) != link_of(first))
            };
            is_true.then_some(message)
        })
        .await;
        assert_eq!(message.ts, first.ts, "{schema}: it is the same message");
        if is_finished {
            // Who renewed a link is said under it only if nothing is in the way.
            let is_told = async || (!told(&outside, &message, news).is_empty()).then_some(());
            until("the thread to be told", is_told).await;
        }
        assert_told_once(&outside, &message, news, &breaks);
    }
    let renewed = renewals.iter().filter(|&&acknowledged| acknowledged).count();
    assert!(renewed >= rounds / 2, "{renewed} renewals were acknowledged in {rounds} rounds");
    say(&format!(
        "links: {rounds} kills, {} landings and {renewed} acknowledged renewals, each message true in the end",
        rounds * AT_A_TIME / 2
    ));
    process.stop().await;
}

async fn until_idle(program: &Program) {
    let mut db = sqlite(program).await;
    until("every command's end", async || {
        let open = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM command WHERE ended_at IS NULL");
        (open.fetch_one(&mut db).await.unwrap() == 0).then_some(())
    })
    .await;
    db.close().await.unwrap();
}

async fn sqlite(program: &Program) -> sqlx::SqliteConnection {
    sqlx::SqliteConnection::connect(&format!("sqlite:{}", program.database().display())).await.unwrap()
}

/// Makes every list due that is to be read within thirty seconds, the time between two: a landing
/// that died with the bot is made up for by the next of these, and must not be later.
async fn thirty_seconds_pass(program: &Program) {
    let mut db = sqlite(program).await;
    let done = sqlx::query("UPDATE sweep SET next_at = next_at - 30000 WHERE next_at IS NOT NULL")
        .execute(&mut db)
        .await;
    assert!(done.unwrap().rows_affected() > 0);
    db.close().await.unwrap();
}

/// Lets the time of every link run out while no process is there to see it.
async fn expire(program: &Program) {
    let mut db = sqlite(program).await;
    let past = Clock::default().now().as_millisecond() - 1;
    for statement in ["UPDATE connection SET expires_at = $1, tick_at = $1", "UPDATE sweep SET next_at = $1"]
    {
        let done = sqlx::query(statement).bind(past).execute(&mut db).await;
        assert!(done.unwrap().rows_affected() > 0);
    }
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_expires_while_nobody_is_there_is_renewed_through_kills() {
    let seed = seed();
    say(&format!("expiry: CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let outside = Outside::start().await;
    let program = with_token(Engine::Sqlite, &outside);
    let process = program.start().await;
    let schemas: Vec<_> = (0..6).map(|n| format!("late_{n}")).collect();
    let first = post(&process, &outside, &schemas).await;
    process.stop().await;
    expire(&program).await;
    // Two cards of one connection are the same link if they are made in the same second.
    outside.fivetran.advance(Duration::from_secs(2));
    outside.slack.set_latency(LATENCY);
    outside.fivetran.set_latency(LATENCY);

    let mut breaks = Breaks::default();
    let mut process = program.start().await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        let next = breaks.during(async {
            process.kill().await;
            program.start().await
        });
        process = next.await;
    }
    let mut expired = Vec::new();
    for schema in &schemas {
        let message = until(&format!("{schema} to be seen to have expired"), async || {
            let message = message_of(&outside, schema)?;
            let told = !told(&outside, &message, "has expired. If the setup isn't finished yet").is_empty();
            (told && message.rendered().contains("expired") && link_of(&message).is_none()).then_some(message)
        })
        .await;
        expired.push(message);
    }
    // Two people press each button, and the bot dies in the middle.
    let url = process.url();
    let presses = expired.iter().map(async |message| {
        let press = |user| outside.slack.press(&url, message, RENEW, user);
        let (one, two) = tokio::join!(press(USER), press(COLLEAGUE));
        [one, two].into_iter().any(|ack: std::io::Result<Ack>| ack.is_ok_and(|ack| ack.status == 200))
    });
    let pause = Duration::from_millis(random.below(120));
    let killed = breaks.during(async {
        tokio::time::sleep(pause).await;
        process.kill().await;
        program.start().await
    });
    let (acknowledged, process) = tokio::join!(join_all(presses), killed);
    let mut renewed = 0;
    for (((schema, first), expired), acknowledged) in
        schemas.iter().zip(&first).zip(&expired).zip(&acknowledged)
    {
        if !acknowledged {
            // Whoever got no answer presses again.
            let _ = outside.slack.press(&process.url(), expired, RENEW, USER).await.unwrap();
        }
        let message = until(&format!("{schema} to have a new link"), async || {
            message_of(&outside, schema).filter(|message| link_of(message).is_some())
        })
        .await;
        assert_ne!(link_of(&message), link_of(first), "{schema}");
        assert_eq!(message.ts, first.ts, "{schema}: it is the same message");
        for news in ["has expired. If the setup isn't finished yet", "asked for a new link"] {
            assert_told_once(&outside, &message, news, &breaks);
        }
        renewed += usize::from(*acknowledged);
    }
    say(&format!("expiry: 5 kills, {renewed} of {} presses acknowledged before the last", schemas.len()));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_a_links_news_once_and_one_goes_on_for_the_other() {
    let Some(postgres) = postgres::shared() else { return };
    let outside = Outside::start().await;
    // Longer than a healthy replica ever stands still.
    let program = with_token(Engine::Postgres(postgres), &outside).with("LEASE_SECONDS", "3");
    // On which a new card can be held back.
    let wire = Wire::to(outside.fivetran.addr(), "/connect-card HTTP").await;
    let program = program.with("FIVETRAN_API_URL", &wire.url());
    let posting = program.start().await;
    let other = program.clone().on_another_port().start().await;
    let urls = [posting.url(), other.url()];
    let schemas: Vec<_> = (0..8).map(|n| format!("shared_{n}")).collect();
    let posted = post(&posting, &outside, &schemas).await;
    let links: Vec<_> = posted.iter().map(|message| link_of(message).unwrap()).collect();
    until_at_rest(postgres, &program).await;
    let is_connected = async |at: usize| {
        until("it is connected", async || {
            let message = message_of(&outside, &schemas[at])?;
            let told = !told(&outside, &message, "is connected").is_empty();
            (told && message.rendered().contains(" is connected (since ")).then_some(message)
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
    // Two cards of one connection are the same link if they are made in the same second.
    outside.fivetran.advance(Duration::from_secs(2));
    // Two people ask both replicas for one new link.
    let typed = format!("/connect-card renew {}", schemas[4]);
    wire.arm(Trick::Hold);
    let asked = |url| outside.slack.command(url, &typed, CHANNEL, USER);
    let (one, two) = tokio::join!(asked(&urls[0]), asked(&urls[1]));
    assert_eq!((one.unwrap().status, two.unwrap().status), (200, 200));
    wire.release();
    let renewed = until("the new link", async || {
        let link = link_of(&message_of(&outside, &schemas[4])?)?;
        let message = message_of(&outside, &schemas[4])?;
        (link != links[4] && !told(&outside, &message, "asked for a new link").is_empty()).then_some(link)
    })
    .await;
    assert_eq!(outside.fivetran.calls_to("connect_card"), 1, "one new link for both");
    // What the one has posted, the other goes on with. A link that the dead one is at work on would
    // have to wait for its lease, so it is to be idle.
    until_at_rest(postgres, &program).await;
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
    other.stop().await;
}

/// Waits until nobody is at work on a command or a link.
async fn until_at_rest(postgres: &Postgres, program: &Program) {
    let at_work = "SELECT (SELECT count(*) FROM command WHERE ended_at IS NULL) \
                   + (SELECT count(*) FROM link WHERE lease_until > 0)";
    let database = program.var("DATABASE_URL").rsplit_once('/').unwrap().1.to_owned();
    until("the work in hand to end", async || {
        let (well, rows) = postgres.psql(&database, at_work);
        assert!(well, "{rows}");
        rows.lines().any(|line| line.trim() == "0").then_some(())
    })
    .await;
}
