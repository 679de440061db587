//! The audit channel: tells it, line by line, what the bot did and what became of links.
//!
//! Owns when the channel is told, and how often, and what is done where Slack does not take it. What
//! there is to tell stands in the database since the commit that made it so: nothing waits for this.
//! Must not call Fivetran, nor know how a line is worded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::outbound::CALL_TIMEOUT;
use crate::reply::audit::{LINES, lines};
use crate::slack::refusal::{self, Sort};
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{ChannelTurn, LONGEST_PAUSE, Recorded, Store, StoreError};
use crate::trail::Line;

/// How often the database is asked for lines that another process has left.
const POLL: Duration = Duration::from_secs(2);
/// The rest after a post: Slack takes about one message a second in a channel, and what comes meanwhile
/// shares the next one. <https://docs.slack.dev/apis/web-api/rate-limits>
const REST: SignedDuration = SignedDuration::from_millis(1100);
/// Longest pause before the channel is tried again.
const PAUSE_LIMIT: i64 = 300;
/// The pause that a rate limit without one is given.
const THROTTLED_PAUSE: Duration = Duration::from_secs(30);
/// Shortest pause before the database is asked again to forget what was told.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// Longest of those pauses.
const RETRY_LIMIT: Duration = Duration::from_secs(2);
/// How long a post in flight may take at a shutdown before it is abandoned.
const FINISH_LIMIT: Duration = Duration::from_secs(12);
/// The rest before this is begun again after it has ended by a mistake of its own.
const BEGIN_AGAIN: Duration = Duration::from_secs(60);

/// Whoever tells the audit channel. No `Debug`: it holds the token.
pub struct Audit {
    clock: Clock,
    store: Store,
    web_api: WebApi,
    /// `AUDIT_CHANNEL`.
    channel: String,
    stopping: CancellationToken,
    /// How many lines go into one message: fewer where Slack does not take what is in one.
    most: AtomicUsize,
    /// What Slack has said no in, as far as the log was told.
    told: Mutex<Option<String>>,
}

/// The teller at work.
pub struct Handle {
    working: JoinHandle<()>,
    abandon: CancellationToken,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// There was nothing to tell, or nothing may be told yet.
    Nothing,
    /// The channel was told.
    Told,
    /// It was not.
    NotTold,
}

/// What is to be done with lines that Slack was given.
enum Verdict {
    /// They are there.
    There,
    /// They will never be: one of them alone is more than Slack takes.
    Never,
    /// Again after this pause, in a smaller message if it has several.
    Again(Duration),
    /// Not before this pause is over, which Slack asks for.
    Paused(Duration),
}

/// Starts telling the channel. It is no reason to stop the bot where that ends by a mistake.
#[must_use]
pub fn start(audit: Arc<Audit>) -> Handle {
    let abandon = CancellationToken::new();
    let working = tokio::spawn({
        let abandon = abandon.clone();
        async move {
            while !audit.stopping.is_cancelled() {
                let (telling, abandon) = (Arc::clone(&audit), abandon.clone());
                let run = tokio::spawn(async move {
                    let _ = abandon.run_until_cancelled(telling.run()).await;
                });
                if run.await.is_err() {
                    tracing::error!(
                        "whoever tells the audit channel has ended, and begins again in a minute"
                    );
                    let _ = audit.stopping.run_until_cancelled(tokio::time::sleep(BEGIN_AGAIN)).await;
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

impl Audit {
    /// For this channel. `stopping` is set when the bot shuts down.
    #[must_use]
    pub fn new(
        clock: Clock,
        store: Store,
        web_api: WebApi,
        channel: String,
        stopping: CancellationToken,
    ) -> Self {
        let (most, told) = (AtomicUsize::new(LINES), Mutex::default());
        Self { clock, store, web_api, channel, stopping, most, told }
    }

    /// Until the bot stops.
    async fn run(&self) {
        if let Err(error) = self.store.hurry_turn().await {
            tracing::warn!(%error, "could not make the audit channel's turn due");
        }
        while !self.stopping.is_cancelled() {
            let came = self.step().await;
            let rest = if came == Came::Told { REST.unsigned_abs() } else { POLL };
            tokio::select! {
                () = self.stopping.cancelled() => {}
                // What is told at once would be told alone.
                () = self.store.line_kept(), if came == Came::Nothing => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// Tells the channel once, if it may be told and there is something to tell.
    async fn step(&self) -> Came {
        let most = self.most.load(Ordering::Relaxed);
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let turn = match self.store.take_turn(self.clock.now(), limit).await {
            Ok(Some(turn)) => turn,
            Ok(None) => return Came::Nothing,
            Err(error) => {
                tracing::warn!(%error, "could not ask for lines for the audit channel");
                return Came::NotTold;
            }
        };
        let now = self.clock.now();
        let (content, taken) = lines(&turn.lines, turn.dropped, now);
        if taken == 0 && turn.dropped <= 0 {
            self.give_back(&turn, now, turn.tries, 0).await;
            return Came::Nothing;
        }
        // A process that was stopped in between must not post what another one does.
        if turn.left() < CALL_TIMEOUT * 2 {
            return Came::NotTold;
        }
        let lines = turn.lines.get(..taken).unwrap_or_default();
        let posted = self.web_api.post_message(&self.channel, content).await.map(drop);
        let rested = |by| self.clock.now().saturating_add(by).unwrap_or(Timestamp::MAX);
        // After a longer one of Slack's, it is asked again.
        let bounded = |by| SignedDuration::try_from(by).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        match self.judge(posted, &turn, lines) {
            verdict @ (Verdict::There | Verdict::Never) => {
                self.most.store(LINES, Ordering::Relaxed);
                if !self.forget(lines).await {
                    return Came::NotTold;
                }
                let told = if matches!(verdict, Verdict::There) { turn.dropped } else { 0 };
                self.give_back(&turn, rested(REST), 0, told).await;
                Came::Told
            }
            Verdict::Again(pause) => {
                self.give_back(&turn, rested(bounded(pause)), turn.tries.saturating_add(1), 0).await;
                Came::NotTold
            }
            // No try has failed: a process that starts knows no better than Slack does.
            Verdict::Paused(pause) => {
                self.give_back(&turn, rested(bounded(pause).max(REST)), 0, 0).await;
                Came::NotTold
            }
        }
    }

    fn judge(&self, posted: Result<(), PostError>, turn: &ChannelTurn, lines: &[Line]) -> Verdict {
        let error = match posted {
            Ok(()) => {
                if self.told().take().is_some() {
                    tracing::info!("Slack takes messages for the audit channel again");
                }
                return Verdict::There;
            }
            Err(error) => error,
        };
        match &error {
            PostError::Refused(word) if refusal::is_about_the_content(word) => {
                let ids: Vec<_> = lines.iter().map(|line| line.id.as_str()).collect();
                if lines.len() > 1 {
                    self.most.store(lines.len() / 2, Ordering::Relaxed);
                } else {
                    tracing::error!(
                        ?ids,
                        slack_says = word,
                        "Slack takes no line of this for the audit channel"
                    );
                    return Verdict::Never;
                }
            }
            PostError::Refused(word) if refusal::sort(word) == Sort::Final => self.tell_refused(word),
            PostError::Throttled(pause) => {
                tracing::info!(%error, "the audit channel could not be told; its lines wait");
                return Verdict::Paused(pause.unwrap_or(THROTTLED_PAUSE));
            }
            // What somebody has to do about any other word, Slack's client has told.
            error => tracing::info!(%error, "the audit channel could not be told; its lines wait"),
        }
        let doubled = Duration::from_secs((1_u64 << turn.tries.min(12)).min(PAUSE_LIMIT.unsigned_abs()));
        Verdict::Again(error.pause().max(doubled))
    }

    /// Tells the log, once, what keeps the channel from being told.
    fn tell_refused(&self, word: &str) {
        let mut told = self.told();
        if told.as_deref() != Some(word) {
            tracing::error!(
                channel = self.channel,
                slack_says = word,
                "Slack takes no message for AUDIT_CHANNEL: invite the bot to the channel, open it again, or correct \
                 the variable; the lines wait for a week"
            );
            *told = Some(word.to_owned());
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets lines that the channel has: what is not forgotten is told again. So until the database
    /// takes it, or the bot stops.
    async fn forget(&self, lines: &[Line]) -> bool {
        let mut pause = RETRY_FIRST;
        loop {
            let Err(error) = self.store.forget_lines(lines).await else { return true };
            self.complain(&error, pause == RETRY_FIRST || self.stopping.is_cancelled());
            if self.stopping.is_cancelled() {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LIMIT);
        }
    }

    /// Where it cannot be given back, the turn ends by itself.
    async fn give_back(&self, turn: &ChannelTurn, due: Timestamp, tries: u32, told: i64) {
        match self.store.record_turn(turn, due, tries, told).await {
            Ok(Recorded::Committed) => {}
            Ok(Recorded::LeaseLost) => tracing::info!("another process tells the audit channel by now"),
            Err(error) => self.complain(&error, true),
        }
    }

    fn complain(&self, error: &StoreError, aloud: bool) {
        if aloud {
            tracing::warn!(%error, channel = self.channel, "could not record what the audit channel was told");
        }
    }
}
