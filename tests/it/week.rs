//! A week of three customers and eight sources, as the people in it see it: what each channel, thread, private
//! message, Home and page shows after each step. `UPDATE_GOLDEN=1 cargo test --test it week` rewrites it.

mod board;

use std::time::Duration;

use connect_card::reply::ask::CANCEL;
use connect_card::reply::home::{EVERYBODYS, EXPORT};
use connect_card::reply::live::RENEW;
use connect_card::reply::onboarding::CONNECT;
use jiff::Timestamp;
use stand_ins::fivetran::GROUP_ID;
use stand_ins::slack::{Message, Used, Visibility};
use tempfile::TempDir;

use crate::harness::{
    Browser, CHANNEL, COLLEAGUE, OUTSIDER, SHARED, Setup, TestBot, USER, label_of, link_of, say, until,
};
use board::{Board, GLOBEX, name, since_monday_morning};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/week.txt");
/// Their customers' channels.
const ACME: &str = SHARED;
const INITECH: &str = CHANNEL;

/// A `CONFIG` with a pattern, a bundle, a service's defaults and a channel for each customer; its digests are
/// posted on the day and hour that is an hour before the week begins.
fn config(began: Timestamp) -> (TempDir, String) {
    let at = (began - jiff::SignedDuration::from_hours(1)).to_zoned(jiff::tz::TimeZone::UTC);
    let text = format!(
        "schema = \"{{customer}}_{{service}}\"\n\
         [destinations.warehouse]\ngroup_id = \"{GROUP_ID}\"\nwatch = true\n\
         [bundles.onboarding]\nservices = [\"google_ads\", \"hubspot\", \"facebook_ads\"]\n\
         [services.google_ads]\nsync_frequency = 60\nhide_setup_guide = true\n\
         [digest]\nto = \"channels\"\nday = \"{}\"\nat = \"{}\"\n\
         [channels.{ACME}]\ncustomer = \"acme\"\n\
         [channels.{GLOBEX}]\ncustomer = \"globex\"\n\
         [channels.{INITECH}]\ncustomer = \"initech\"\n",
        at.strftime("%A").to_string().to_lowercase(),
        at.strftime("%H:%M"),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The bot, what people see of it, and the browser in which a customer's person sits.
struct Week {
    bot: TestBot,
    began: Timestamp,
    board: Board,
    browser: Browser,
    _folder: TempDir,
}

impl Week {
    async fn begins() -> Self {
        let began = connect_card::clock::Clock::default().now();
        let (folder, config) = config(began);
        let bot = Setup::new().await.with("CONFIG", &config).with("FIVETRAN_GROUP_ID", "").start().await;
        Self { bot, began, board: Board::new(began), browser: Browser::default(), _folder: folder }
    }

    /// Time goes on to an hour of a day; Monday is 0.
    async fn comes(&mut self, day: i64, hour: i64, heading: &str) {
        let now = self.bot.clock.now();
        let wait = (self.began + since_monday_morning(day, hour)).duration_since(now);
        self.bot.passes(Duration::try_from(wait).expect("time goes on")).await;
        self.board.day(heading);
        self.board.look(&self.bot);
    }

    /// Somebody types a command in a channel.
    async fn types(&mut self, user: &str, channel: &str, arguments: &str) -> Message {
        self.board.happens(&format!("{} types in #{}: /connect-card {arguments}", name(user), name(channel)));
        let ack = self.bot.types_as(user, channel, arguments).await;
        self.board.answered(user, &ack.json());
        self.board.look(&self.bot);
        self.bot.private_in(channel, &ack)
    }

    /// Somebody presses the first button of this kind in a message.
    async fn presses(&mut self, user: &str, message: &Message, action: &str) {
        let label = label_of(message, action);
        self.board.happens(&format!("{} presses [{label}] in #{}", name(user), name(&message.channel)));
        self.bot.presses(user, message, action).await;
        self.board.look(&self.bot);
    }

    /// Somebody presses a source's button in the channel's message. Gives the link that they alone see.
    async fn asks_for(&mut self, user: &str, channel: &str, label: &str) -> String {
        self.board.happens(&format!("{} presses [{label}] in #{}", name(user), name(channel)));
        let (message, reference) = source(&self.bot, channel, label);
        let before = self.bot.slack.messages().len();
        let used = Used { action_id: CONNECT, block_id: Some(&reference), ..Used::default() };
        // Two cards of one second are the same card.
        self.a_moment_passes();
        let ack = self.bot.slack.use_in_message(&self.bot.url, &message, used, user).await.unwrap();
        assert_eq!(ack.status, 200);
        let link =
            until("a link", async || self.bot.slack.messages().iter().skip(before).find_map(link_of)).await;
        self.bot.settle().await;
        self.board.look(&self.bot);
        link
    }

    /// A customer's person signs in at a Connect Card. Gives the address of the page that they come to.
    async fn signs_in(&mut self, link: &str, what: &str) -> String {
        self.board.happens(what);
        let (landing, page) = self.browser.connects(link).await;
        self.board.page(&page);
        self.bot.settle().await;
        self.board.look(&self.bot);
        landing
    }

    /// They press the page's button, and sign in at what it opens.
    async fn goes_on(&mut self, landing: &str, what: &str) -> String {
        self.board.happens("she presses the page's button");
        self.a_moment_passes();
        let page = self.browser.presses(landing).await;
        self.board.page(&page);
        let link = page.leads_to().expect("a Connect Card");
        self.signs_in(&link, what).await
    }

    /// What both of our own people see in their Home.
    async fn homes(&mut self) {
        self.board
            .happens("alice opens her Home, and bob his, in which he has chosen to see everybody's links");
        for user in [USER, COLLEAGUE] {
            let home = self.bot.opens_home(user).await;
            self.board.home(user, &home);
        }
    }

    fn a_moment_passes(&self) {
        let moment = Duration::from_secs(2);
        self.bot.advance(moment);
        self.bot.fivetran.advance(moment);
    }

    /// Holds all of it against the file.
    #[expect(clippy::disallowed_methods, reason = "a variable of this test alone")]
    fn holds(&self) {
        let told = self.board.told();
        for word in ["://", "auth="] {
            assert!(!told.contains(word), "nobody reads a link: {told}");
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            std::fs::write(GOLDEN, told).unwrap();
        }
        let expected = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(told == expected, "if this is meant: UPDATE_GOLDEN=1 cargo test --test it week\n{told}");
    }
}

/// A test that fails on the way says how far it has come.
impl Drop for Week {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(self.board.told());
        }
    }
}

/// The message in a channel with this source's button, and the source's reference.
fn source(bot: &TestBot, channel: &str, label: &str) -> (Message, String) {
    let messages = bot.slack.messages().into_iter().rev();
    let posted = messages.filter(|it| it.channel == channel && it.visibility == Visibility::Channel);
    let found = posted.filter_map(|message| {
        let blocks = message.payload["blocks"].as_array()?;
        let block = blocks.iter().find(|block| block["accessory"]["text"]["text"] == label)?;
        let reference = block["accessory"]["value"].as_str()?.to_owned();
        Some((message, reference))
    });
    found.into_iter().next().expect("a message with this button")
}

/// The channel's message that was posted last, but for threads.
fn message_in(bot: &TestBot, channel: &str) -> Message {
    let mut messages = bot.slack.messages().into_iter();
    let posted = |it: &Message| it.visibility == Visibility::Channel && it.thread_ts.is_none();
    messages.rfind(|it| it.channel == channel && posted(it)).expect("a message")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_customers_and_eight_sources_read_as_in_the_golden_file() {
    let mut week = Week::begins().await;
    // Somebody has used the name before, for another service; and initech's first source is older than the bot.
    let _ = week.bot.fivetran.seed_connection("stripe", "globex_hubspot", "connected");
    let _ = week.bot.fivetran.seed_connection("mailchimp", "initech_mailchimp", "connected");

    week.board.day("Monday");
    week.types(USER, ACME, "onboarding").await;
    week.types(USER, GLOBEX, "salesforce, hubspot and mailchimp").await;
    week.types(COLLEAGUE, INITECH, "shopify").await;
    let stale = week.asks_for(OUTSIDER, GLOBEX, "Connect Salesforce").await;
    week.bot.opens_home(COLLEAGUE).await;
    week.bot.presses_in_home(COLLEAGUE, EVERYBODYS).await;
    week.homes().await;

    week.comes(1, 10, "Tuesday, 10:00").await;
    let link = week.asks_for(OUTSIDER, ACME, "Connect Google Ads").await;
    let landing = week.signs_in(&link, "carol signs in to Google Ads").await;
    week.goes_on(&landing, "she signs in to HubSpot").await;
    week.board.happens("carol opens yesterday's link for Salesforce: Fivetran says that it is too old");
    let refused = crate::harness::client().get(&stale).send().await.unwrap();
    assert!(!refused.status().is_success(), "{}", refused.status());
    week.asks_for(OUTSIDER, GLOBEX, "Connect Salesforce").await;
    let expired = message_in(&week.bot, INITECH);
    week.presses(OUTSIDER, &expired, RENEW).await;
    week.homes().await;

    week.comes(2, 9, "Wednesday, 09:00").await;
    week.types(USER, ACME, "stripe").await;
    let question = week.types(USER, GLOBEX, "cancel globex_mailchimp").await;
    week.presses(USER, &question, CANCEL).await;
    week.homes().await;

    week.comes(3, 10, "Thursday, 10:00").await;
    week.board.happens("somebody at acme takes back the sign-in to Google Ads, and Fivetran notices");
    week.bot.connection_breaks("acme_google_ads", "The sign-in was taken back");
    week.bot.passes(Duration::from_secs(3600)).await;
    week.board.look(&week.bot);
    week.homes().await;
    let link = week.asks_for(OUTSIDER, ACME, "Fix Google Ads").await;
    week.signs_in(&link, "carol signs in to Google Ads again").await;
    let renewed = message_in(&week.bot, INITECH);
    week.presses(OUTSIDER, &renewed, RENEW).await;
    let link = link_of(&message_in(&week.bot, INITECH)).expect("a link");
    week.signs_in(&link, "carol signs in to Shopify").await;
    week.board.happens("initech's Mailchimp, which somebody connected in Fivetran itself, loses its access");
    week.bot.connection_breaks("initech_mailchimp", "The password was changed");
    week.bot.passes(Duration::from_secs(3600)).await;
    week.board.look(&week.bot);
    let broken = message_in(&week.bot, INITECH);
    week.presses(OUTSIDER, &broken, RENEW).await;
    let link = link_of(&message_in(&week.bot, INITECH)).expect("a link");
    week.signs_in(&link, "carol signs in to Mailchimp again").await;
    week.homes().await;

    week.comes(4, 10, "Friday, 10:00").await;
    let link = week.asks_for(OUTSIDER, ACME, "Connect Facebook Ads").await;
    let landing = week.signs_in(&link, "carol signs in to Facebook Ads").await;
    week.goes_on(&landing, "she signs in to Stripe").await;
    week.homes().await;
    week.board.happens("bob presses [Send me this as CSV] in his Home");
    let home = week.bot.presses_in_home(COLLEAGUE, EXPORT).await;
    week.board.home(COLLEAGUE, &home);
    let file = week.bot.slack.files().pop().expect("a file").content.expect("with something in it");
    week.board.file(&String::from_utf8(file).unwrap());
    week.board.look(&week.bot);

    week.comes(7, 9, "The next Monday, 09:00: the digests were due an hour ago").await;
    let told = "SELECT count(*) FROM digest WHERE channel_id = ''";
    until("the week's digests", async || (week.bot.count(told).await == 1).then_some(())).await;
    week.board.look(&week.bot);
    week.homes().await;
    week.holds();
    week.bot.settle().await;
}
