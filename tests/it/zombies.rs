//! A process that is stopped in the middle and wakes when others have gone on: what it does then is
//! undone, and in the end one link is on show, in its home.
//!
//! Kills at random do not make the order in which a fence matters, so it is made here: one replica
//! is stopped at a named point, the other goes on, and the first wakes.

use std::time::Duration;

use connect_card::life::{self, Event};
use connect_card::reply::ask::POST_HERE;
use connect_card::store::{Brought, DatabaseUrl, MessageWrite, Options, Store, Write, Written};
use secrecy::SecretString;
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::slack::{self, BOT_TOKEN, Message, Visibility};

use crate::harness::postgres::{self, Postgres};
use crate::harness::{
    CHANNEL, Engine, Outside, Process, Program, SHARED, Setup, TestBot, Trick, USER, Wire,
    channels_with_a_link, client, is_note, link_of, until,
};

/// Two replicas on one database, of which the first stops at a point.
struct Pair {
    outside: Outside,
    postgres: &'static Postgres,
    database: String,
    stopping: Program,
    other: Program,
}

impl Pair {
    async fn at(postgres: &'static Postgres, point: &str, token: &str) -> Self {
        let outside = Outside::start().await;
        let program = Engine::Postgres(postgres).program(&outside);
        let program = program.with("SLACK_BOT_TOKEN", token);
        let database = program.var("DATABASE_URL").rsplit_once('/').unwrap().1.to_owned();
        let other = program.clone().on_another_port().with("LEASE_SECONDS", "1");
        // On a busy machine a lease of a second can be over before the step that it shall stop in.
        let stopping = program.with("LEASE_SECONDS", "4").with("CRASH_AT", point).with("CRASH_BY", "stop");
        Self { outside, postgres, database, stopping, other }
    }

    fn sql(&self, sql: &str) -> String {
        let (worked, said) = self.postgres.psql(&self.database, sql);
        assert!(worked, "{said}");
        said
    }

    async fn until_every_command_has_ended(&self) {
        until("every command's end", async || {
            (self.sql("SELECT count(*) FROM command WHERE ended_at IS NULL") == "0").then_some(())
        })
        .await;
    }

    /// Types to a process that stops before it answers, or after.
    async fn type_to(&self, process: &Process, arguments: &str) {
        let _ = process.try_to_send(&self.outside.slack, CHANNEL, arguments).await;
        process.until_it_is_stopped().await;
    }

    /// Moves the connection to the other channel, as its person confirms.
    async fn move_by(&self, process: &Process) {
        self.until_every_command_has_ended().await;
        process.send_in(&self.outside.slack, SHARED, "google_ads acme").await;
        let question = until("the question", async || {
            let mut messages = self.outside.slack.messages().into_iter();
            messages.find(|it| it.visibility == Visibility::Ephemeral && it.channel == SHARED && !is_note(it))
        })
        .await;
        // Until its command has ended too, another one about the same connection is turned away.
        self.until_every_command_has_ended().await;
        let pressed = self.outside.slack.press(&process.url(), &question, POST_HERE, USER).await;
        assert_eq!(pressed.unwrap().status, 200);
        until("the link in its new home", async || self.shown().contains(&SHARED.to_owned()).then_some(()))
            .await;
        self.until_every_command_has_ended().await;
    }

    fn shown(&self) -> Vec<String> {
        channels_with_a_link(&self.outside.slack)
    }

    /// The one that was stopped goes on and stops by itself, the other brings all to an end.
    async fn wake_and_stop(&self, stopped: Process, other: Process) {
        stopped.wake().await;
        stopped.stop().await;
        until("one link in its home", async || (self.shown() == [SHARED]).then_some(())).await;
        other.stop().await;
        assert_eq!(self.shown(), [SHARED]);
        self.outside.shutdown();
    }

    /// The message that the link was posted in first, as it stands.
    fn message(&self) -> Message {
        let mut messages = self.outside.slack.messages().into_iter();
        messages.find(|it| it.visibility == Visibility::Channel && it.thread_ts.is_none()).expect("a message")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_stopped_after_its_post_does_not_undo_what_was_done_since() {
    let Some(postgres) = postgres::shared() else { return };
    let pair = Pair::at(postgres, "post: answered", BOT_TOKEN).await;
    let stopped = pair.stopping.start().await;
    pair.type_to(&stopped, "google_ads acme").await;
    assert_eq!(pair.shown(), [CHANNEL]);
    let other = pair.other.start().await;
    until("the other to post it too", async || (pair.shown().len() == 2).then_some(())).await;
    pair.move_by(&other).await;
    assert_eq!(pair.shown(), [CHANNEL, SHARED], "where the first one stands, only the stopped one knows");
    pair.wake_and_stop(stopped, other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_stopped_before_its_post_does_not_make_it_any_more() {
    let Some(postgres) = postgres::shared() else { return };
    // Without a token nothing that is posted can be taken back: it must not be posted.
    for token in [BOT_TOKEN, ""] {
        let pair = Pair::at(postgres, "post: before the call", token).await;
        let stopped = pair.stopping.start().await;
        pair.type_to(&stopped, "google_ads acme").await;
        assert_eq!(pair.shown(), [""; 0]);
        let other = pair.other.start().await;
        until("the other to post it", async || (pair.shown() == [CHANNEL]).then_some(())).await;
        pair.until_every_command_has_ended().await;
        let posted = pair.outside.slack.history().len();
        stopped.wake().await;
        stopped.stop().await;
        other.stop().await;
        assert_eq!(pair.outside.slack.history().len(), posted, "nothing more was sent");
        pair.outside.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_stopped_in_a_renewal_does_not_revive_the_message_that_was_left() {
    let Some(postgres) = postgres::shared() else { return };
    let pair = Pair::at(postgres, "post: answered", BOT_TOKEN).await;
    let other = pair.other.start().await;
    other.send_in(&pair.outside.slack, CHANNEL, "google_ads acme").await;
    until("the link", async || (pair.shown() == [CHANNEL]).then_some(())).await;
    pair.until_every_command_has_ended().await;
    // Two cards of one connection are the same link if they are made in the same second.
    pair.outside.fivetran.advance(Duration::from_secs(2));
    let stopped = pair.stopping.start().await;
    pair.type_to(&stopped, "renew acme").await;
    assert_eq!(pair.message().edits.len(), 1);
    // The lease of a message is a long one; its time is over.
    pair.sql("UPDATE message SET lease_until = 0");
    pair.move_by(&other).await;
    assert_eq!(pair.shown(), [SHARED]);
    pair.wake_and_stop(stopped, other).await;
}

/// The customer's browser comes back from the link on show.
async fn land(process: &Process, link: &str) {
    let (_, path) = link.split_once("/connected/").unwrap();
    let id = path.split(['&', '?']).next().unwrap().to_owned();
    let url = format!("{}/connected/{id}", process.url());
    tokio::spawn(client().get(url).send());
}

/// One is stopped just before an edit that says "connected"; since then it broke, and perhaps a link
/// to fix it is on show.
async fn an_edit_comes_too_late(postgres: &'static Postgres, renewed: bool) {
    let pair = Pair::at(postgres, "edit: before the call", BOT_TOKEN).await;
    let fivetran = &pair.outside.fivetran;
    let stopped = pair.stopping.start().await;
    stopped.send_in(&pair.outside.slack, CHANNEL, "google_ads acme").await;
    until("the link", async || (pair.shown() == [CHANNEL]).then_some(())).await;
    pair.until_every_command_has_ended().await;
    let id = fivetran.connections()[0]["id"].as_str().unwrap().to_owned();
    fivetran.finish_setup(&id);
    land(&stopped, &link_of(&pair.message()).unwrap()).await;
    stopped.until_it_is_stopped().await;
    assert_eq!(pair.message().edits.len(), 0);

    fivetran.break_with(&id, ["reconnect", "Reconnect", ""]);
    // Two cards of one connection are the same link if they are made in the same second.
    fivetran.advance(Duration::from_secs(2));
    // The leases of messages and of lists are long ones; their time is over.
    pair.sql("UPDATE message SET lease_until = 0");
    pair.sql("UPDATE sweep SET lease_until = 0");
    let other = pair.other.start().await;
    let says = |words: &str| pair.message().rendered().contains(words);
    until("the other to say that it is broken", async || {
        pair.sql("UPDATE sweep SET next_at = 0 WHERE next_at IS NOT NULL");
        says("its access has stopped working").then_some(())
    })
    .await;
    if renewed {
        other.send_in(&pair.outside.slack, CHANNEL, "renew acme").await;
        until("a link to fix it", async || (pair.shown() == [CHANNEL]).then_some(())).await;
        pair.until_every_command_has_ended().await;
    }
    let edits = pair.message().edits.len();
    stopped.wake().await;
    until("the edit that came too late", async || (pair.message().edits.len() > edits).then_some(())).await;
    // Without its link the message offers another one, and the next list says again what is wrong.
    let truth: &[&str] = if renewed {
        &["Get a new link", "Get a link to fix it"]
    } else {
        &["its access has stopped working"]
    };
    let is_told = || truth.iter().any(|&words| says(words)) && !says("is connected (since ");
    until("the truth again", async || is_told().then_some(())).await;
    stopped.stop().await;
    other.stop().await;
    assert!(is_told(), "{}", pair.message().rendered());
    pair.outside.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_comes_too_late_is_followed_by_the_truth() {
    let Some(postgres) = postgres::shared() else { return };
    an_edit_comes_too_late(postgres, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_comes_too_late_and_hides_a_link_is_followed_by_another_offer() {
    let Some(postgres) = postgres::shared() else { return };
    an_edit_comes_too_late(postgres, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_arrives_after_its_process_has_stopped_does_not_have_the_last_word() {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.slack.addr(), "nothing yet").await;
    let bot = setup.with("SLACK_API_URL", &format!("{}/api/", wire.url())).start().await;
    bot.types("google_ads acme").await;
    let id = bot.connection_of("acme");
    wire.listen_for("chat.update");
    wire.arm(Trick::Late);
    bot.fivetran.finish_setup(&id);
    bot.advance(Duration::from_secs(31));
    until("the edit to be on its way", async || (wire.played() == 1).then_some(())).await;
    let outside = bot.outside();
    // It waits for its edit, but not for as long as Slack may take.
    let folder = bot.stop().await;
    let next = Setup::beside(outside).after(folder).start().await;
    let mut db = SqliteConnection::connect(&next.database()).await.unwrap();
    // It has to wait for some seconds, and here for as long as this takes.
    let kept = "UPDATE message SET lease_until = 9000000000000000 WHERE lease_until > 0";
    let kept = sqlx::query(kept).execute(&mut db).await.unwrap().rows_affected();
    assert_eq!(kept, 1, "whoever edits it now would have that undone");
    let says = |words: &str| next.link_message().rendered().contains(words);
    next.fivetran.break_with(&id, ["reconnect", "Reconnect", ""]);
    until("the next one to know that it broke", async || {
        next.advance(Duration::from_secs(31));
        (next.count("SELECT count(*) FROM connection WHERE state = 'broken'").await == 1).then_some(())
    })
    .await;
    wire.release();
    until("the edit to arrive", async || (wire.arrived() == 1).then_some(())).await;
    assert!(says(" is connected (since "), "{}", next.link_message().rendered());

    sqlx::query("UPDATE message SET lease_until = 0").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    until("the truth", async || says("its access has stopped working").then_some(())).await;
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_edits_a_message_without_having_it_any_more_does_not_have_the_last_word() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let now = bot.clock.now();
    let folder = bot.stop().await;
    let url = DatabaseUrl::Sqlite(folder.path().join("bot.db"));
    let secrets = [SecretString::from(slack::SIGNING_SECRET.to_owned())];
    let store = Store::open(Options {
        url: &url,
        secrets: &secrets,
        lease: Duration::from_secs(30),
        metrics: connect_card::telemetry::Metrics::default(),
    })
    .await
    .unwrap();
    let path = folder.path().join("bot.db").display().to_string();
    let mut db = SqliteConnection::connect(&format!("sqlite:{path}")).await.unwrap();
    let id: String = sqlx::query_scalar("SELECT id FROM message").fetch_one(&mut db).await.unwrap();

    // One edits; somebody who was stopped finds that they have edited too, before or after.
    let held = store.claim_message(&id).await.unwrap().unwrap();
    store.found_message(&id, held.place.as_ref().unwrap(), None, now).await.unwrap();
    assert!(store.claim_message(&id).await.unwrap().is_none(), "whoever has it keeps it");
    store.record_message(&held, Brought::Shown, now).await.unwrap();
    let due = store.claim_messages(now, 10).await.unwrap();
    assert_eq!(due.len(), 1, "what stands there is not known, so it is edited again");
    store.record_message(&due[0], Brought::Shown, now).await.unwrap();

    // A link was put into a message that somebody else has edited since.
    let late = store.claim_message(&id).await.unwrap().unwrap();
    sqlx::query("UPDATE message SET lease_until = 0").execute(&mut db).await.unwrap();
    let since = store.claim_message(&id).await.unwrap().unwrap();
    store.record_message(&since, Brought::Shown, now).await.unwrap();
    let stored = store.connection(&late.key).await.unwrap().unwrap();
    let change = life::next(&stored.connection, Event::Posted, false, now);
    let write = Write {
        change: &change,
        version: stored.version,
        held: None,
        progress: None,
        message: MessageWrite::Shown(&late),
        trail: None,
        reminders: false,
        now,
    };
    assert_eq!(store.write(write).await.unwrap(), Written::Committed);
    assert_eq!(store.claim_messages(now, 10).await.unwrap().len(), 1);
    db.close().await.unwrap();
    store.close().await;
}
