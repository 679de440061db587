//! A whole bot with both outside parties, and what tests look for in what those have seen.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use connect_card::app::{self, App};
use connect_card::cli::sandbox;
use connect_card::clock::Clock;
use connect_card::config::{self, Vars};
use connect_card::outbound;
use connect_card::store::Census;
use serde_json::Value;
use stand_ins::fivetran::{Call, FivetranStandIn};
use stand_ins::slack::{self, Ack, Message, SlackStandIn, Visibility, block_faults};
use tempfile::TempDir;
use tokio::time::Instant;

/// A public channel with the bot in it.
pub(crate) const CHANNEL: &str = "C0CUSTOMER";
/// A private channel without the bot.
pub(crate) const PRIVATE: &str = "C0PRIVATE";
/// Who types.
pub(crate) const USER: &str = "U0ALICE";

/// Longest wait for anything; on an idle machine all of it comes within a few seconds.
const PATIENCE: Duration = Duration::from_secs(45);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(5);

/// Looks until there is something, or fails the test.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// The outside parties and the variables of a bot that does not run yet.
pub(crate) struct Setup {
    pub(crate) slack: SlackStandIn,
    pub(crate) fivetran: FivetranStandIn,
    vars: Vec<(String, String)>,
}

impl Setup {
    /// Stand-ins, and a bot token.
    pub(crate) async fn new() -> Self {
        let (slack, fivetran) = stand_ins().await;
        let vars = stand_in_vars(&slack, &fivetran);
        Self { slack, fivetran, vars }
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
        let bot = self.start_without_catalogue().await;
        // The one built in has hundreds of services, the stand-in's a few.
        until("the catalogue", async || (bot.app.bot.catalog.current().len() < 100).then_some(())).await;
        bot
    }

    /// Starts the bot and leaves the catalogue to itself.
    pub(crate) async fn start_without_catalogue(self) -> TestBot {
        let Self { slack, fivetran, vars } = self;
        let folder = tempfile::tempdir().unwrap();
        let listener = app::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "PORT").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let database = database_in(&folder);
        let own = [("PUBLIC_URL", url.as_str()), ("DATABASE_URL", database.as_str())];
        let given = vars.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let config =
            config::serve(&Vars::from_pairs(own.into_iter().chain(given))).unwrap_or_else(|faults| {
                panic!("the test's variables are wrong: {faults}");
            });
        let clock = Clock::default();
        let app = App::start(config, listener, clock.clone()).await.unwrap();
        TestBot { slack, fivetran, clock, url, app, folder }
    }
}

/// The `DATABASE_URL` of a file in this folder.
fn database_in(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("bot.db").display())
}

/// Both outside parties.
pub(crate) async fn stand_ins() -> (SlackStandIn, FivetranStandIn) {
    sandbox::stand_ins().await.unwrap()
}

/// Posts a body as Slack would.
pub(crate) async fn post(url: &str, headers: &[(String, String)], body: Vec<u8>) -> std::io::Result<Ack> {
    slack::post(&outbound::client(None).unwrap(), url, headers, body).await
}

/// The headers that Slack would send with a body now.
pub(crate) fn signed_headers(body: &[u8]) -> Vec<(String, String)> {
    slack::signed_headers(Clock::default().now(), body)
}

/// What leads to the stand-ins, as variables.
pub(crate) fn stand_in_vars(slack: &SlackStandIn, fivetran: &FivetranStandIn) -> Vec<(String, String)> {
    let vars = sandbox::stand_in_vars(slack, fivetran);
    vars.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// A running bot with its outside parties.
pub(crate) struct TestBot {
    pub(crate) slack: SlackStandIn,
    pub(crate) fivetran: FivetranStandIn,
    pub(crate) clock: Clock,
    pub(crate) url: String,
    pub(crate) app: App,
    folder: TempDir,
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
        let typed = format!("/connect-card {arguments}");
        let ack = self.slack.command(&self.url, &typed, channel, USER).await.unwrap();
        assert_eq!(ack.status, 200, "{typed}: {}", ack.text());
        ack
    }

    /// Waits until there are so many messages, and gives the last of these.
    pub(crate) async fn message(&self, number: usize) -> Message {
        until("a message", async || self.slack.messages().get(number - 1).cloned()).await
    }

    /// Whether `/readyz` says yes.
    pub(crate) async fn is_ready(&self) -> bool {
        let client = connect_card::outbound::client(None).unwrap();
        client
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
        self.app.bot.store.census(Clock::default().now()).await.unwrap()
    }

    /// Waits until every command has ended.
    pub(crate) async fn until_all_ended(&self) {
        until("every command's end", async || self.census().await.oldest_open.is_none().then_some(())).await;
    }

    /// Waits until every command has ended and stops the bot. Gives all the messages there are;
    /// that each keeps Slack's limits and unfurls nothing is asserted here, for every test.
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

/// The address behind the first button that has one.
pub(crate) fn link_of(message: &Message) -> Option<String> {
    let blocks = message.payload["blocks"].as_array().into_iter().flatten();
    let mut buttons = blocks.filter_map(|block| block["elements"].as_array()).flatten();
    buttons.find_map(|button| button["url"].as_str()).map(str::to_owned)
}

/// The Connect Card's token in a link.
pub(crate) fn token_of(link: &str) -> String {
    let (_, rest) = link.split_once("auth=").expect("the link has a token");
    rest.split('&').next().unwrap().to_owned()
}

/// Every object in a JSON value, the value itself included.
pub(crate) fn objects(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(below.into_iter().flat_map(objects)).collect()
}

/// Every string in a JSON value with the path to it.
pub(crate) fn strings(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((path.to_owned(), text.clone())),
            Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), found)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| walk(field, &format!("{path}.{name}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}
