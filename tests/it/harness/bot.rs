//! A whole bot in the test's own process.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use connect_card::app::{self, App};
use connect_card::clock::Clock;
use connect_card::config::{self, Vars};
use connect_card::fivetran::catalog::Catalog;
use connect_card::store::{Census, Store};
use stand_ins::fivetran::{Call, FivetranStandIn};
use stand_ins::slack::{Ack, Message, SlackStandIn, Visibility, block_faults};
use tempfile::TempDir;

use super::transcript::Transcript;
use super::{CHANNEL, Outside, USER, client, is_note, link_of, reference, until};

/// The outside parties and the variables of a bot that does not run yet.
pub(crate) struct Setup {
    pub(crate) slack: SlackStandIn,
    pub(crate) fivetran: FivetranStandIn,
    vars: Vec<(String, String)>,
    /// With the database of a bot before this one.
    folder: Option<TempDir>,
    clock: Clock,
}

impl Setup {
    /// Stand-ins, and a bot token.
    pub(crate) async fn new() -> Self {
        Self::beside(Outside::start().await)
    }

    /// The same beside stand-ins that are there already.
    pub(crate) fn beside(outside: Outside) -> Self {
        let vars = outside.vars();
        let Outside { slack, fivetran } = outside;
        Self { slack, fivetran, vars, folder: None, clock: Clock::default() }
    }

    /// Takes over the database that another bot has left.
    pub(crate) fn after(self, folder: TempDir) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Time passes for everybody before the bot starts.
    pub(crate) fn later(self, by: Duration) -> Self {
        self.clock.advance(by);
        self.slack.advance(by);
        self.fivetran.advance(by);
        self
    }

    /// Leaves the bot token out.
    pub(crate) fn without_token(self) -> Self {
        self.with("SLACK_BOT_TOKEN", "")
    }

    /// Sets a variable, in place of what it was.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the bot and waits until it has Fivetran's catalogue.
    pub(crate) async fn start(self) -> TestBot {
        let built_in = Catalog::built_in().len();
        let bot = self.start_without_catalogue().await;
        until("the catalogue", async || (bot.catalog_size() != built_in).then_some(())).await;
        bot
    }

    /// Starts the bot and leaves the catalogue to itself.
    pub(crate) async fn start_without_catalogue(self) -> TestBot {
        let Self { slack, fivetran, vars, folder, clock } = self;
        let folder = folder.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let listener = app::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "PORT").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let database = database_in(&folder);
        let own = [("PUBLIC_URL", url.as_str()), ("DATABASE_URL", database.as_str())];
        let given = vars.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let config =
            config::serve(&Vars::from_pairs(own.into_iter().chain(given))).unwrap_or_else(|faults| {
                panic!("the test's variables are wrong: {faults}");
            });
        let app = App::start(config, listener, clock.clone()).await.unwrap();
        let transcript = Mutex::new(Transcript::new(clock.now()));
        TestBot { slack, fivetran, clock, url, app, folder, transcript }
    }
}

/// The `DATABASE_URL` of a file in this folder.
fn database_in(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("bot.db").display())
}

/// A running bot with its outside parties.
pub(crate) struct TestBot {
    pub(crate) slack: SlackStandIn,
    pub(crate) fivetran: FivetranStandIn,
    pub(crate) clock: Clock,
    pub(crate) url: String,
    app: App,
    folder: TempDir,
    transcript: Mutex<Transcript>,
}

impl TestBot {
    /// The usual one: with a bot token and Fivetran's catalogue.
    pub(crate) async fn start() -> Self {
        Setup::new().await.start().await
    }

    /// Types what follows `/connect-card` in the usual channel; the bot must acknowledge with 200.
    pub(crate) async fn send(&self, arguments: &str) -> Ack {
        self.send_in(CHANNEL, arguments).await
    }

    /// The same in another channel.
    pub(crate) async fn send_in(&self, channel: &str, arguments: &str) -> Ack {
        self.send_as(USER, channel, arguments).await
    }

    /// The same by somebody else.
    pub(crate) async fn send_as(&self, user: &str, channel: &str, arguments: &str) -> Ack {
        let typed = format!("/connect-card {arguments}");
        let ack = self.slack.command(&self.url, &typed, channel, user).await.unwrap();
        assert_eq!(ack.status, 200, "{typed}: {}", ack.text());
        ack
    }

    /// Waits until there are so many messages, and gives the last of these; that a command waits does
    /// not count.
    pub(crate) async fn message(&self, number: usize) -> Message {
        until("a message", async || {
            self.slack.messages().into_iter().filter(|message| !is_note(message)).nth(number - 1)
        })
        .await
    }

    /// What was said so far.
    pub(crate) fn transcript(&self) -> MutexGuard<'_, Transcript> {
        self.transcript.lock().unwrap()
    }

    /// Both outside parties.
    pub(crate) fn outside(&self) -> Outside {
        Outside { slack: self.slack.clone(), fivetran: self.fivetran.clone() }
    }

    /// Its database.
    pub(crate) fn store(&self) -> &Store {
        &self.app.store
    }

    /// How many services it knows.
    pub(crate) fn catalog_size(&self) -> usize {
        self.app.catalog.current().len()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.app.address
    }

    /// Says that it is about to stop.
    pub(crate) fn announce_stop(&self) {
        self.app.announce_stop();
    }

    /// Stops it, whatever it is at. Gives the folder of its database.
    pub(crate) async fn stop(self) -> TempDir {
        self.app.stop().await;
        self.folder
    }

    /// Looks at everything that is due and brings it to Slack, as the bot's own watcher and outbox do
    /// until a stop is announced.
    pub(crate) async fn look_at_due_links(&self) {
        while self.app.watcher.step().await + self.app.outbox.step().await > 0 {}
    }

    /// Whether `/readyz` says yes.
    pub(crate) async fn is_ready(&self) -> bool {
        client()
            .get(format!("{}/readyz", self.url))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    /// Its `DATABASE_URL`.
    pub(crate) fn database(&self) -> String {
        database_in(&self.folder)
    }

    /// Moves the bot's time and Slack's ahead.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.slack.advance(by);
    }

    /// The calls to Fivetran that can see or change an account, oldest first.
    pub(crate) fn api_calls(&self) -> Vec<Call> {
        self.fivetran.calls().into_iter().filter(|call| call.path.starts_with("/v1/")).collect()
    }

    /// How many connections the bot has made.
    pub(crate) fn created(&self) -> usize {
        let made = |call: &&Call| call.route == "create_connection" && call.status == 201;
        self.fivetran.calls().iter().filter(made).count()
    }

    /// How the database stands, by the real time.
    pub(crate) async fn census(&self) -> Census {
        self.store().census(Clock::default().now()).await.unwrap()
    }

    /// Waits until every command has ended: its link or its sentence is there, and all that belongs
    /// to it is kept.
    pub(crate) async fn until_all_ended(&self) {
        until("every command's end", async || self.census().await.oldest_open.is_none().then_some(())).await;
    }

    /// Waits until every command has ended and stops the bot. Gives all the messages there are, but
    /// for those that only say that a command waits; that each keeps Slack's limits and unfurls
    /// nothing, and that nobody is told twice that a command waits, is asserted here, for every test.
    pub(crate) async fn finish(self) -> Vec<Message> {
        self.until_all_ended().await;
        assert_eq!(self.census().await.undeliverable, 0, "somebody could not be told");
        self.app.stop().await;
        let messages = self.slack.messages();
        for message in &messages {
            assert_eq!(block_faults(&message.payload), Vec::<String>::new());
            if link_of(message).is_some() {
                assert_eq!((message.unfurl_links, message.unfurl_media), (Some(false), Some(false)));
            }
        }
        self.slack.shutdown();
        self.fivetran.shutdown();
        let (notes, messages): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_note);
        let commands: BTreeSet<_> = notes.iter().map(|note| reference(&note.rendered())).collect();
        assert_eq!(commands.len(), notes.len(), "each command says once that it waits");
        messages
    }

    /// [`Self::finish`], where one message with a link for the whole channel is all that is expected.
    pub(crate) async fn finish_with_link(self) -> Message {
        let message = only(self.finish().await);
        assert_eq!(message.visibility, Visibility::Channel, "{}", message.rendered());
        assert!(link_of(&message).is_some(), "{}", message.rendered());
        message
    }

    /// [`Self::finish`], where one sentence for the person alone is all that is expected.
    pub(crate) async fn finish_with_sentence(self) -> String {
        let message = only(self.finish().await);
        assert_eq!(message.visibility, Visibility::Ephemeral, "{}", message.rendered());
        assert_eq!(message.user.as_deref(), Some(USER));
        assert_eq!(link_of(&message), None);
        message.payload["text"].as_str().unwrap().to_owned()
    }
}

fn only(messages: Vec<Message>) -> Message {
    let shown: Vec<_> = messages.iter().map(Message::rendered).collect();
    assert_eq!(messages.len(), 1, "{shown:#?}");
    messages.into_iter().next().unwrap()
}
