//! The weekly digest: tells channels, or the audit channel, what is still unfinished in them.
//!
//! Owns when each is told, that none is told twice for a week whatever crashes, and what is done where Slack
//! does not take it. A channel's digest is taken in the database before it is posted: a crash between the
//! two loses it, and nothing makes two of it. Must not call Fivetran, nor know how a digest is worded.

pub mod when;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::command::places::Channels;
use crate::crash::crash_point;
use crate::life::{Link, State};
use crate::reply::digest::{Item, LINES, More, for_channel, for_us, is_left};
use crate::slack::id;
use crate::slack::refusal::{self, Fix, Sort};
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{Store, StoreError};
use when::{Moment, Schedule};

/// How often the clock is looked at: it may be set.
const POLL: Duration = Duration::from_secs(2);
/// The rest after a post: what people wait for comes first within what Slack takes of a workspace.
/// <https://docs.slack.dev/apis/web-api/rate-limits>
const REST: Duration = Duration::from_secs(1);
/// The pause before channels are gone through again that Slack, or the database, has put off.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest pause.
const PAUSE_LIMIT: Duration = Duration::from_secs(300);
/// Links that are read for one digest; what is beyond them is not counted.
const READ: usize = 300;
/// How long a post in flight may take at a shutdown before it is abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
/// The rest before this is begun again after it has ended by a mistake of its own.
const BEGIN_AGAIN: Duration = Duration::from_secs(60);

/// When a digest is posted, and who gets to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When.
    pub schedule: Schedule,
    /// Where.
    pub to: To,
}

impl Plan {
    /// The same plan has the same text, and every other one another.
    fn text(&self) -> String {
        let to = match self.to {
            To::Channels => "channels",
            To::Audit => "audit",
        };
        format!("{} to {to}", self.schedule.text())
    }
}

/// Where digests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To each channel in which something is unfinished, unless its table says no.
    Channels,
    /// To the audit channel, and besides to each channel whose table says yes.
    Audit,
}

/// Whoever posts digests. No `Debug`: it holds the token.
pub struct Digests {
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Slack.
    pub web_api: WebApi,
    /// What holds in which channel.
    pub channels: Arc<Channels>,
    /// When and where.
    pub plan: Plan,
    /// `AUDIT_CHANNEL`.
    pub audit_channel: Option<String>,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
    /// The channels in which Slack takes none, and its word, as far as the log was told.
    pub told: Mutex<BTreeSet<(String, String)>>,
}

/// The poster at work.
pub struct Handle {
    working: JoinHandle<()>,
    abandon: CancellationToken,
}

/// What came of a channel's turn.
enum Came {
    /// There was nothing to tell, or nobody but somebody else may.
    Nothing,
    /// It was posted, or it may have been.
    Posted,
    /// It was not, and never will be for this week.
    Never,
    /// It was not, and this channel comes again after about so long.
    Later(Duration),
    /// It was not, and no channel may be told before this pause is over.
    Paused(Duration),
}

/// Whose digest it is.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// A customer's channel.
    Channel(&'a str),
    /// The audit channel, which is told of all.
    Audit(&'a str),
}

/// Starts posting digests. It is no reason to stop the bot where that ends by a mistake.
#[must_use]
pub fn start(digests: Arc<Digests>) -> Handle {
    let abandon = CancellationToken::new();
    let working = tokio::spawn({
        let abandon = abandon.clone();
        async move {
            while !digests.stopping.is_cancelled() {
                let (posting, abandon) = (Arc::clone(&digests), abandon.clone());
                let run = tokio::spawn(async move {
                    let _ = abandon.run_until_cancelled(posting.run()).await;
                });
                if run.await.is_err() {
                    tracing::error!("whoever posts digests has ended, and begins again in a minute");
                    let _ = digests.stopping.run_until_cancelled(tokio::time::sleep(BEGIN_AGAIN)).await;
                }
            }
        }
    });
    Handle { working, abandon }
}

impl Handle {
    /// Lets a post in flight finish, within 12 s. The bot must be stopping.
    pub async fn stop(mut self) {
        if tokio::time::timeout(FINISH_LIMIT, &mut self.working).await.is_err() {
            self.abandon.cancel();
            let _ = self.working.await;
        }
    }
}

impl Digests {
    /// Until the bot stops.
    async fn run(&self) {
        self.begin().await;
        // The week in which channels are to come again. Whoever else notes that all have had their turn may
        // have seen as taken what was given back since.
        let mut again = None;
        while !self.stopping.is_cancelled() {
            let rest = match self.look(&mut again).await {
                Ok(rest) => rest.min(PAUSE_LIMIT),
                Err(error) => {
                    tracing::warn!(%error, "could not look up what digests there are to post");
                    PAUSE
                }
            };
            self.rest(rest).await;
        }
    }

    /// Posts what is due. Gives the rest before the next look.
    async fn look(&self, again: &mut Option<i64>) -> Result<Duration, StoreError> {
        let Some(moment) = self.due().await? else {
            crash_point("digest: none due");
            return Ok(POLL);
        };
        if *again != Some(moment.week) && self.store.are_digests_told(moment.week).await? {
            crash_point("digest: all told");
            return Ok(POLL);
        }
        *again = Some(moment.week);
        let pause = self.tell_all(moment).await?;
        if pause.is_none() {
            *again = None;
        }
        Ok(pause.unwrap_or(POLL))
    }

    /// The moment whose digests are to be posted now. The database is only asked where it may matter.
    async fn due(&self) -> Result<Option<Moment>, StoreError> {
        let now = self.clock.now();
        if self.plan.schedule.due(Timestamp::MIN, now).is_none() {
            return Ok(None);
        }
        let since = self.store.digests_since(&self.plan.text(), now).await?;
        Ok(since.and_then(|since| self.plan.schedule.due(since, now)))
    }

    async fn rest(&self, pause: Duration) {
        let _ = self.stopping.run_until_cancelled(tokio::time::sleep(pause)).await;
    }

    /// Puts the plan in force: what it names before this moment is over.
    async fn begin(&self) {
        let plan = self.plan.text();
        while !self.stopping.is_cancelled() {
            match self.store.plan_digests(&plan, self.clock.now()).await {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "could not note when digests are to be posted"),
            }
            self.rest(POLL).await;
        }
    }

    /// Goes through the channels once. `None`: each has had its turn; else the pause after which those come
    /// again that have not.
    async fn tell_all(&self, moment: Moment) -> Result<Option<Duration>, StoreError> {
        let mut again: Option<Duration> = None;
        if let (To::Audit, Some(channel)) = (self.plan.to, &self.audit_channel) {
            match self.tell(Whose::Audit(channel), moment).await? {
                Came::Paused(pause) => return Ok(Some(pause)),
                Came::Later(pause) => again = Some(pause),
                Came::Nothing | Came::Posted | Came::Never => {}
            }
        }
        let mut channel = String::new();
        while let Some(next) = self.next_channel(&channel).await? {
            if self.stopping.is_cancelled() {
                return Ok(Some(POLL));
            }
            if self.wants_one(&next) {
                match self.tell(Whose::Channel(&next), moment).await? {
                    Came::Nothing => {}
                    Came::Posted | Came::Never => self.rest(REST).await,
                    Came::Later(pause) => again = Some(again.map_or(pause, |other| other.min(pause))),
                    Came::Paused(pause) => return Ok(Some(pause)),
                }
            }
            channel = next;
        }
        if again.is_some() {
            return Ok(again);
        }
        self.store.digests_told(moment.week, self.clock.now()).await?;
        Ok(None)
    }

    /// The channel after this one that may have a digest: where only those have one whose table says so,
    /// nobody asks the database for others.
    async fn next_channel(&self, channel: &str) -> Result<Option<String>, StoreError> {
        match self.plan.to {
            To::Channels => self.store.channel_after(channel).await,
            To::Audit => {
                let mut named = self.channels.by_id.iter();
                let next = named.find(|(id, it)| id.as_str() > channel && it.digest == Some(true));
                Ok(next.map(|(id, _)| id.clone()))
            }
        }
    }

    fn wants_one(&self, channel: &str) -> bool {
        !id::is_of_two(channel) && self.channels.of(channel).digest.unwrap_or(self.plan.to == To::Channels)
    }

    /// Gives one channel its digest, if there is anything unfinished and nobody else has.
    async fn tell(&self, whose: Whose<'_>, moment: Moment) -> Result<Came, StoreError> {
        let (channel, only) = match whose {
            Whose::Channel(channel) => (channel, Some(channel)),
            Whose::Audit(channel) => (channel, None),
        };
        if self.store.is_digest_taken(moment.week, channel).await? {
            return Ok(Came::Nothing);
        }
        let now = self.clock.now();
        let (links, at_least) = self.store.unfinished(only, READ, now).await?;
        let (items, count) = self.items(links, whose, now).await?;
        if items.is_empty() || !self.store.take_digest(moment.week, channel, now).await? {
            return Ok(Came::Nothing);
        }
        crash_point("digest: taken");
        let later = self.clock.now();
        let came = if later < moment.at {
            // The clock has been set back.
            Came::Paused(PAUSE)
        } else if self.plan.schedule.due(moment.at, later) == Some(moment) {
            self.post(whose, &items, More { count, at_least }, now).await
        } else {
            // Whoever was stopped meanwhile must not bring up what nobody expects any more.
            Came::Never
        };
        if matches!(came, Came::Later(_) | Came::Paused(_)) {
            self.store.give_digest_back(moment.week, channel).await?;
        }
        Ok(came)
    }

    /// Posts a digest, and half of it where Slack does not take all.
    async fn post(&self, whose: Whose<'_>, items: &[Item], more: More, now: Timestamp) -> Came {
        let (Whose::Channel(channel) | Whose::Audit(channel)) = whose;
        let post = async |items: &[Item], more| {
            let content = match whose {
                Whose::Channel(_) => for_channel(items, more, now),
                Whose::Audit(_) => for_us(items, more, now),
            };
            let posted = self.web_api.post_message(channel, content).await;
            crash_point("digest: posted");
            posted.map(drop)
        };
        let mut posted = post(items, more).await;
        let (half, left_out) = items.split_at(items.len().div_ceil(2));
        if let Err(PostError::Refused(word)) = &posted
            && refusal::is_about_the_content(word)
            && !left_out.is_empty()
        {
            tracing::warn!(channel, slack_says = word, "Slack does not take a digest; half of it is posted");
            posted = post(half, More { count: more.count + left_out.len(), ..more }).await;
        }
        self.judge(channel, posted)
    }

    /// What there is to tell, the most urgent first, and how much more there is.
    async fn items(
        &self,
        links: Vec<Link>,
        whose: Whose<'_>,
        now: Timestamp,
    ) -> Result<(Vec<Item>, usize), StoreError> {
        let links = links.into_iter().map(|link| link.as_of(now));
        let mut links: Vec<_> = links.filter(|link| concerns(link, whose)).collect();
        links.sort_by_cached_key(Link::rank);
        let (mut items, mut seen, mut count) = (Vec::new(), BTreeSet::new(), 0);
        for link in links {
            let together = link.onboarding.clone().filter(|_| is_for_the_customer(&link));
            let is_new = together.as_ref().is_none_or(|id| seen.insert(id.clone()));
            if !is_new {
                continue;
            }
            let item = match together {
                None => Item::Link(Box::new(link)),
                Some(id) => match self.store.onboarding(&id).await? {
                    Some(onboarding) => Item::Onboarding(Box::new(onboarding)),
                    None => continue,
                },
            };
            if !stands(&item, whose) || !is_left(&item, now) {
                continue;
            }
            if items.len() == LINES {
                count += 1;
            } else {
                items.push(item);
            }
        }
        Ok((items, count))
    }

    fn judge(&self, channel: &str, posted: Result<(), PostError>) -> Came {
        let Err(error) = posted else {
            self.told().retain(|(of, _)| of != channel);
            return Came::Posted;
        };
        match &error {
            // Slack may speak of this channel alone.
            PostError::Throttled(pause) => match self.web_api.posting_rests() {
                Some(rest) => Came::Paused(rest),
                None => Came::Later(pause.unwrap_or(PAUSE)),
            },
            PostError::NotSent(_) => Came::Paused(PAUSE),
            PostError::Later { pause, .. } => Came::Later((*pause).max(PAUSE)),
            // Every channel meets the same, until somebody does something; what, Slack's client has told.
            PostError::Refused(word) if concerns_all(word) => Came::Paused(PAUSE_LIMIT),
            PostError::Refused(word) if refusal::sort(word) == Sort::Operator(Fix::Installation) => {
                Came::Later(PAUSE_LIMIT)
            }
            PostError::Refused(word) => {
                // What somebody has to do about the others, Slack's client has told.
                if refusal::sort(word) == Sort::Final
                    && self.told().insert((channel.to_owned(), word.clone()))
                {
                    tracing::warn!(
                        channel,
                        slack_says = word,
                        "Slack takes no digest for this channel: invite the bot, or set digest = false for it in CONFIG"
                    );
                }
                Came::Never
            }
            PostError::Unclear(_) | PostError::Unconfirmed(_) => {
                tracing::warn!(channel, %error, "a digest may not have arrived; it is not posted again");
                Came::Posted
            }
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeSet<(String, String)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether every channel is refused in the same word. The app may be installed where others are.
fn concerns_all(word: &str) -> bool {
    matches!(refusal::sort(word), Sort::Operator(Fix::Scope | Fix::Token | Fix::Rotation))
}

/// Whether its customer has something left to do.
fn is_for_the_customer(link: &Link) -> bool {
    matches!(link.state, State::Waiting | State::Expired) || link.asks_customer()
}

/// Whether a digest is to tell of a link: to a channel, of what it has seen and its customer can do.
fn concerns(link: &Link, whose: Whose<'_>) -> bool {
    let unfinished = matches!(link.state, State::Waiting | State::Expired | State::Broken);
    match whose {
        Whose::Audit(_) => unfinished,
        Whose::Channel(_) => {
            is_for_the_customer(link) && !link.is_only_to_reauthorise() && !link.request.in_direct_message
        }
    }
}

/// Whether a digest is to tell of it where it stands: to a channel, of what it can see. What was posted for
/// one person alone, or in a way that leaves no trace, is nothing to the others.
fn stands(item: &Item, whose: Whose<'_>) -> bool {
    let place = match item {
        Item::Link(link) => &link.message,
        Item::Onboarding(onboarding) => &onboarding.message,
    };
    match whose {
        Whose::Audit(_) => true,
        Whose::Channel(channel) => place.as_ref().is_some_and(|place| place.channel == channel),
    }
}
