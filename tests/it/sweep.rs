//! How soon a customer who has finished is seen, and what that costs of Fivetran's hourly limit,
//! with few connections and with many. Virtual time passes second by second, and Fivetran's stand-in
//! holds the limit; what counts is when the message in Slack says it, in virtual seconds.
//!
//! The suite has a quarter of an hour with a thousand connections. The long form has an hour, and
//! besides a few connections an account with so many in 50 destinations:
//! `CONNECT_CARD_SWEEP=100000 cargo test --release --test it sweep -- --nocapture`

use std::fmt::Write as _;
use std::time::Duration;

use connect_card::fivetran::catalog::ServiceId;
use connect_card::fivetran::model::LINK_LIFE;
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::life::{Change, Connection, Link, Reminded, State};
use connect_card::store::{MessageWrite, Write, Written};
use connect_card::work::{Confirmed, Request};
use futures_util::future::join_all;
use stand_ins::slack::Message;

use crate::harness::{CHANNEL, Random, Setup, TestBot, USER, client, link_of, number, say};

const HOUR: u64 = 3600;
/// Seconds that the suite has.
const SHORT: u64 = 900;
const SECOND: Duration = Duration::from_secs(1);
/// Requests an hour of a paying account and of one on trial.
/// <https://fivetran.com/docs/rest-api/rate-limiting>
const PAYING: u64 = 20_000;
const TRIAL: u64 = 500;
/// Seconds within which a customer who comes back is seen.
const LANDED: u64 = 2;
/// Seconds between two customers who finish, every other one without coming back to the bot.
const APART: u64 = 100;
/// Before the end nobody finishes for so long, in seconds: each can be seen.
const QUIET: u64 = 200;
/// Rows that wait for one commit of the store's.
const ROWS_AT_ONCE: usize = 10_000;

/// The calls that watching makes, by the stand-in's names.
const CALLS: [&str; 4] = ["list_page", "get_connection", "list_connections", "connect_card"];

/// An account with so many connections, each with an open link.
#[derive(Clone, Copy)]
struct Account {
    connections: usize,
    groups: usize,
    limit: u64,
}

/// What watching has shown.
struct Watched {
    calls: Vec<usize>,
    all: usize,
    refused: usize,
    /// The longest wait of a customer who came back, and of one who did not.
    slowest: [u64; 2],
}

/// A customer of the channel, who finishes at that second.
struct Customer {
    connection: String,
    message: u64,
    finishes: u64,
    comes_back: bool,
    seen: Option<u64>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finishes_is_seen_within_a_minute_however_many_connections_there_are() {
    let mut sizes = vec![(1000, 5)];
    if many() > 0 {
        sizes.extend([(10, 2), (many(), 50)]);
    }
    let accounts = sizes.into_iter();
    let accounts = accounts.map(|(connections, groups)| Account { connections, groups, limit: PAYING });
    judge(accounts.collect(), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finishes_on_trial_is_seen_within_three_minutes() {
    judge(vec![Account { connections: 1000, groups: 5, limit: TRIAL }], 180).await;
}

/// The connections of the long form.
fn many() -> usize {
    number("CONNECT_CARD_SWEEP", 0)
}

/// How long an account is watched for, in seconds.
fn duration() -> u64 {
    if many() > 0 { HOUR } else { SHORT }
}

/// Lets each account live for a while, says in a table what came of it, and asserts that nobody waited
/// for longer, in seconds, and no request was too many.
async fn judge(accounts: Vec<Account>, longest: u64) {
    let mut table = String::from("connections  groups  limit/h");
    for call in CALLS {
        let _ = write!(table, "  {call}");
    }
    table.push_str("  calls/h  came back  did not\n");
    let mut all = Vec::new();
    for account in accounts {
        let watched = account.watch().await;
        table.push_str(&account.line(&watched));
        all.push(watched);
    }
    say(&table);
    for watched in all {
        let [came_back, did_not] = watched.slowest;
        assert!(came_back <= LANDED, "who comes back is seen within {LANDED} s:\n{table}");
        assert!(did_not <= longest, "who does not is seen within {longest} s:\n{table}");
        assert_eq!(watched.refused, 0, "a request too many:\n{table}");
    }
}

impl Account {
    /// Lets the time pass.
    async fn watch(self) -> Watched {
        let (bot, folder) = self.bot().await;
        let mut customers = self.customers(&bot).await;
        self.fill(&bot, customers.len()).await;
        bot.fivetran.set_hourly_limit(self.limit);
        // From now on the watcher works only when the test lets it: two would share one pace.
        bot.announce_stop();
        let calls = || CALLS.map(|call| bot.fivetran.calls_to(call));
        let (before, all_before) = (calls(), bot.api_calls().len());
        for second in 1..=duration() {
            bot.advance(SECOND);
            bot.fivetran.advance(SECOND);
            bot.look_at_due_links().await;
            for customer in &mut customers {
                customer.live(second, &bot).await;
            }
        }
        let slowest = [true, false].map(|came_back| {
            let of_kind = customers.iter().filter(|customer| customer.comes_back == came_back);
            of_kind.map(|it| it.seen.map_or(u64::MAX, |seen| seen - it.finishes)).max().unwrap_or(0)
        });
        let watched = Watched {
            calls: calls().iter().zip(before).map(|(after, before)| after - before).collect(),
            all: bot.api_calls().len() - all_before,
            refused: bot.api_calls().iter().filter(|call| call.status == 429).count(),
            slowest,
        };
        let _ = bot.stop().await;
        drop(folder);
        watched
    }

    fn line(self, watched: &Watched) -> String {
        let mut line = format!("{:>11}  {:>6}  {:>7}", self.connections, self.groups, self.limit);
        for (call, count) in CALLS.iter().zip(&watched.calls) {
            let _ = write!(line, "  {count:>width$}", width = call.len());
        }
        let wait =
            |seconds: u64| if seconds == u64::MAX { "never".to_owned() } else { format!("{seconds} s") };
        let [back, not] = watched.slowest.map(wait);
        let _ =
            writeln!(line, "  {:>7}  {back:>9}  {not:>7}", watched.all * HOUR as usize / duration() as usize);
        line
    }

    /// A bot that knows every group as a destination.
    async fn bot(self) -> (TestBot, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("destinations.toml");
        let mut text = String::new();
        for group in 0..self.groups {
            let _ = writeln!(text, "[destinations.d{group}]\ngroup_id = \"{}\"", id_of(group));
        }
        std::fs::write(&path, text).unwrap();
        let setup = Setup::new().await.with("CONFIG", path.to_str().unwrap()).with("FIVETRAN_GROUP_ID", "");
        for group in 0..self.groups {
            setup.fivetran.add_group(&id_of(group), &id_of(group));
        }
        (setup.start().await, folder)
    }

    /// Makes the customers' links by commands, as anybody does.
    async fn customers(self, bot: &TestBot) -> Vec<Customer> {
        let count = (((duration() - QUIET) / APART) as usize).min(self.connections);
        let mut chance = Random(8);
        let mut customers = Vec::new();
        for n in 0..count {
            let group = n % self.groups;
            bot.send(&format!("google_ads customer_{n} to d{group}")).await;
            let message = bot.message(n + 1).await;
            customers.push(Customer {
                connection: bot.connection_of(&format!("customer_{n}")),
                message: message.id,
                // Not in step with anything that the bot does every so many seconds.
                finishes: APART * n as u64 + chance.below(APART) + 1,
                comes_back: n % 2 == 0,
                seen: None,
            });
        }
        bot.until_all_ended().await;
        customers
    }

    /// Fills the account up: connections of other links, whose messages nobody looks at.
    async fn fill(self, bot: &TestBot, there_are: usize) {
        for group in 0..self.groups {
            let made = (0..there_are).filter(|n| n % self.groups == group).count();
            let count = self.connections / self.groups - made;
            let connections =
                bot.fivetran.seed_connections(&id_of(group), "google_ads", "filler", "incomplete", count);
            for (chunk, connections) in connections.chunks(ROWS_AT_ONCE).enumerate() {
                let rows = connections
                    .iter()
                    .enumerate()
                    .map(|(n, connection)| keep(bot, group, chunk * ROWS_AT_ONCE + n, connection));
                join_all(rows).await;
            }
        }
    }
}

/// Keeps an open link, as if a command had posted it a moment ago.
async fn keep(bot: &TestBot, group: usize, n: usize, connection_id: &str) {
    let now = bot.clock.now();
    let id = format!("FILL{group:02}{n:06}");
    let request = request(&id_of(group), &format!("filler_{n}"));
    let connection = Connection {
        key: request.key(),
        link: Link {
            onboarding: None,
            message_id: format!("{id}-1"),
            id,
            connection_id: connection_id.to_owned(),
            team_id: "T0SANDBOX".to_owned(),
            channel_id: CHANNEL.to_owned(),
            requester: Some(USER.to_owned()),
            request,
            message: None,
            state: State::Waiting,
            detail: None,
            trouble: None,
            posted_at: now,
            expires_at: now + LINK_LIFE,
            changed_at: now,
            reminded: Reminded::default(),
            purpose: None,
            landed_at: None,
        },
        generation: 1,
        posting: None,
        look_at: None,
        looks: 0,
        missing_since: None,
        // The first list is the first look at all of them.
        seen: None,
    };
    let write = Write {
        change: &Change { connection, show: Vec::new(), news: None },
        version: 0,
        held: None,
        progress: None,
        message: MessageWrite::New,
        trail: None,
        reminders: false,
        now,
    };
    assert_eq!(bot.store().write(write).await.unwrap(), Written::Committed);
}

fn request(group: &str, schema: &str) -> Request {
    Request {
        service: ServiceId::parse("google_ads").unwrap(),
        service_name: "Google Ads".to_owned(),
        kind: Some(SchemaKind::Schema),
        retired: None,
        target: Target::parse(schema).unwrap(),
        group_id: group.to_owned(),
        destination: None,
        slash: "/connect-card".to_owned(),
        in_direct_message: false,
        confirmed: Confirmed::No,
        for_all: false,
        by_channel: false,
        customer: None,
        onboarding: None,
    }
}

fn id_of(group: usize) -> String {
    format!("group_{group}")
}

impl Customer {
    /// Finishes if it is time, and looks whether the message says so.
    async fn live(&mut self, second: u64, bot: &TestBot) {
        if self.seen.is_some() || second < self.finishes {
            return;
        }
        if second == self.finishes {
            bot.fivetran.finish_setup(&self.connection);
            if self.comes_back {
                self.come_back(bot).await;
            }
        }
        if self.message(bot).rendered().contains("is connected") {
            self.seen = Some(second);
        }
    }

    async fn come_back(&self, bot: &TestBot) {
        let link = link_of(&self.message(bot)).unwrap();
        let (_, path) = link.split_once("/connected/").unwrap();
        let id = path.split(['&', '?']).next().unwrap();
        let page = client().get(format!("{}/connected/{id}", bot.url)).send().await.unwrap();
        assert_eq!(page.status(), 200);
        // What the browser was answered is known; the message may be a call away.
        let _ = page.bytes().await.unwrap();
    }

    fn message(&self, bot: &TestBot) -> Message {
        bot.slack.messages().into_iter().find(|message| message.id == self.message).unwrap()
    }
}
