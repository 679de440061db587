//! Socket Mode: what Slack sends over sockets that the bot opens, in the place of requests to it.
//!
//! Owns how many sockets are kept open and when the next one is opened, and which route an envelope goes
//! to; from there on nothing knows the way it came. One socket is `hearing`'s, the rests between them are
//! `pace`'s. Must not know what a route does.
//!
//! <https://docs.slack.dev/apis/events-api/using-socket-mode>

mod hearing;
mod pace;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commands::Commands;
use super::deadline::Deadline;
use super::events::Events;
use super::interactivity::Interactivity;
use crate::clock::Clock;
use crate::slack::envelope::{Envelope, Kind};
use crate::slack::respond::PostError;
use crate::slack::socket::{self, Opener};
use crate::slack::web_api::WebApi;
use crate::telemetry::{Metrics, SocketEnd};
use hearing::{End, Hearing};
use pace::{Outcome, Pace};

/// How many sockets each process keeps open, so that one may be replaced, or die, while another hears.
/// Slack allows an app ten.
pub const SOCKETS: usize = 2;

/// How many sockets hear, for whoever asks whether the bot can be reached. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Open(Arc<AtomicUsize>);

impl Open {
    /// How many hear now; one more than [`SOCKETS`] while one is being replaced.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts a socket until it is dropped.
    fn one_more(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// A socket that is counted.
struct Counted(Open);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What hears Slack. No `Debug`: it holds secrets.
pub struct Sockets {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// What opens them.
    pub opener: Opener,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// Where commands go.
    pub commands: Arc<Commands>,
    /// Where presses and forms go.
    pub interactivity: Arc<Interactivity>,
    /// Where events go.
    pub events: Arc<Events>,
    /// How many hear.
    pub open: Open,
}

/// Keeps sockets open until `stop`, then ends them: what was heard is answered first.
pub async fn keep(sockets: Sockets, stop: CancellationToken) {
    let renewals = sockets.opener.renewals();
    let place = Place {
        sockets: Arc::new(sockets),
        complaints: Arc::default(),
        own_app: Arc::default(),
        leaving: TaskTracker::new(),
        stop,
    };
    let keep_one = || {
        let (place, stop) = (place.clone(), place.stop.clone());
        keep_trying(renewals.clone(), stop, move |token| place.clone().once(token))
    };
    futures_util::future::join_all((0..SOCKETS).map(|_| keep_one())).await;
    place.leaving.close();
    place.leaving.wait().await;
}

/// Tries again and again until `stop`, or until a try says that this is the end, and rests in between.
/// `once` is told which of the tokens it is with: a new one may be taken where the one before was refused.
async fn keep_trying<T>(mut renewals: watch::Receiver<u64>, stop: CancellationToken, once: impl Fn(u64) -> T)
where
    T: Future<Output = Option<Outcome>> + Send + 'static,
{
    let mut pace = Pace::default();
    loop {
        let token = *renewals.borrow_and_update();
        // In a task of its own, so that one that panics is a failure like any other.
        let outcome = match tokio::spawn(once(token)).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "what keeps a socket open has failed, and begins anew");
                Outcome::Failed(Duration::ZERO)
            }
        };
        let rest = tokio::time::sleep(pace.after(outcome, pace::chance()));
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = renewals.changed(), if outcome.is_refusal() => {}
            () = rest => {}
        }
    }
}

/// Where one socket is kept open, whichever it is. Clones are of the same bot.
#[derive(Clone)]
struct Place {
    sockets: Arc<Sockets>,
    complaints: Arc<Complaints>,
    /// The app of the bot token, once asked for: no other bot's token takes its place without a restart.
    own_app: Arc<OnceCell<Option<String>>>,
    /// The sockets that are listened to no more but for what is under way.
    leaving: TaskTracker,
    stop: CancellationToken,
}

impl Place {
    /// Opens a socket and hears until it ends; `None`: the bot stops. `token` is the number of the token that
    /// it is opened with.
    async fn once(self, token: u64) -> Option<Outcome> {
        let Self { sockets, complaints, leaving, stop, .. } = self.clone();
        let socket = match stop.run_until_cancelled(sockets.opener.open()).await? {
            Ok(socket) => socket,
            Err(error) => {
                tracing::debug!(%error, "could not open a socket to Slack");
                complaints.not_opened(token, &error);
                let outcome = Outcome::of(&error);
                sockets.metrics.socket_ended(if outcome.is_refusal() {
                    SocketEnd::Refused
                } else {
                    SocketEnd::Failed
                });
                return Some(outcome);
            }
        };
        complaints.over();
        tracing::info!(app = socket.app_id, connections = socket.connections, "a socket to Slack is open");
        // Nothing that is heard waits for it.
        tokio::spawn(self.compare(socket.app_id.clone()));
        let since = Instant::now();
        let mut hearing = Hearing::new(socket, Arc::clone(&sockets));
        let end = hearing.listen(&stop).await;
        let (reason, lasted) = (end.reason(), since.elapsed());
        sockets.metrics.socket_ended(reason);
        tracing::info!(reason = reason.name(), lasted_s = lasted.as_secs(), "a socket to Slack has ended");
        match end {
            End::Stopped => {
                hearing.finish().await;
                return None;
            }
            // The next one is opened before this one ends.
            End::Replaced => drop(leaving.spawn(async move { hearing.leave(&stop).await })),
            End::Closed | End::Stale => hearing.let_go(),
            End::TooMany => drop(leaving.spawn(hearing.finish())),
            End::Refused(word) => {
                complaints.refused(token, word);
                leaving.spawn(hearing.finish());
            }
        }
        Some(end.outcome(lasted))
    }

    /// Tells whoever runs the bot if the socket is of another app than the bot token, as far as both can be
    /// known: everything would look well, and no command of the bot's own app would come.
    async fn compare(self, of_socket: Option<String>) {
        let (Some(of_socket), Some(web_api)) = (of_socket, &self.sockets.web_api) else { return };
        // Without the scope for it nothing is known, and nothing is said.
        let Ok(own) = self.own_app.get_or_try_init(|| web_api.app_id()).await else { return };
        if let Some(own) = own
            && *own != of_socket
            && self.complaints.is_another(&of_socket)
        {
            tracing::error!(
                "SLACK_APP_TOKEN is of another app ({of_socket}) than SLACK_BOT_TOKEN ({own}), so the bot hears \
                 the commands of that one: in the settings of {own}, {}",
                socket::MAKE_TOKEN
            );
        }
    }
}

impl Sockets {
    /// From an envelope to the frame that acknowledges it.
    async fn answer(&self, envelope: Envelope, heard: Instant) -> String {
        let deadline = Deadline::since(heard);
        let key = name(&envelope.payload);
        let answer = match envelope.kind {
            Kind::SlashCommand => self.commands.heard(&key, &envelope.payload, deadline).await,
            Kind::Interaction => self.interactivity.heard(&key, &envelope.payload, deadline).await,
            Kind::Event => {
                self.events.heard(&envelope.payload, deadline);
                None
            }
            Kind::Another => None,
        };
        envelope.acknowledged(answer)
    }

    /// The frame that says of a command that there are too many now; `None`: it is something that people
    /// press, of which no flood is made.
    fn turn_away(&self, envelope: &Envelope) -> Option<String> {
        let is_command = envelope.kind == Kind::SlashCommand;
        is_command.then(|| envelope.acknowledged(self.commands.turned_away()))
    }
}

/// What names a request that came over a socket: what is in it, since Slack may send it once more in
/// another envelope. Two are never the same: each has a trigger of its own.
fn name(payload: &Value) -> [u8; 32] {
    let digest = digest(&SHA256, format!("socket {payload}").as_bytes());
    let mut name = [0; 32];
    name.copy_from_slice(digest.as_ref());
    name
}

/// What whoever runs the bot has to be told about its sockets: each once, until one opens again or there is
/// another token.
#[derive(Default)]
struct Complaints(Mutex<Told>);

/// What was told of a token, which is known by its number.
#[derive(Default)]
struct Told {
    token: u64,
    words: BTreeSet<String>,
    /// Another app than the bot's, of which sockets were opened last.
    another: Option<String>,
}

impl Complaints {
    fn not_opened(&self, token: u64, error: &PostError) {
        match error {
            PostError::Refused(word) => self.refused(token, word),
            error if self.is_new(token, "") => {
                tracing::warn!(%error, "could not open a socket to Slack; the bot keeps trying");
            }
            _ => {}
        }
    }

    fn refused(&self, token: u64, word: &str) {
        if self.is_new(token, word) {
            tracing::error!(
                slack_says = word,
                "Slack refuses a socket, and will until somebody does something: {}",
                socket::advice(word)
            );
        }
    }

    fn is_new(&self, token: u64, word: &str) -> bool {
        let mut told = self.told();
        if token > told.token {
            *told = Told { token, ..Told::default() };
        }
        // Of one that has been replaced meanwhile nobody wants to know any more.
        token == told.token && told.words.insert(word.to_owned())
    }

    fn is_another(&self, app: &str) -> bool {
        let mut told = self.told();
        let is_new = told.another.as_deref() != Some(app);
        told.another = Some(app.to_owned());
        is_new
    }

    fn over(&self) {
        self.told().words.clear();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_one_name() {
        let read = |text| name(&serde_json::from_str(text).unwrap());
        let one = read(r#"{"trigger_id":"1.2.a","text":"x"}"#);
        assert_eq!(one, read(r#"{ "trigger_id": "1.2.a", "text": "x" }"#));
        assert_ne!(one, read(r#"{"trigger_id":"1.2.b","text":"x"}"#));
    }

    #[test]
    fn each_trouble_is_told_once_until_a_socket_opens_or_the_token_is_replaced() {
        let complaints = Complaints::default();
        assert!(complaints.is_new(0, "invalid_auth"));
        assert!(!complaints.is_new(0, "invalid_auth"));
        assert!(complaints.is_new(0, "link_disabled"));
        complaints.over();
        assert!(complaints.is_new(0, "invalid_auth"));
        assert!(complaints.is_new(1, "invalid_auth"));
        assert!(!complaints.is_new(1, "invalid_auth"));
        assert!(!complaints.is_new(0, "link_disabled"), "it is in use no more");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_by_a_mistake_of_its_own_rests_as_after_any_failure() {
        let (_renew, renewals) = watch::channel(0);
        let (began, tries) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let once = |_| {
            let tries = Arc::clone(&tries);
            async move {
                let tried = tries.fetch_add(1, Ordering::Relaxed);
                assert!(tried == 10, "a mistake");
                None
            }
        };
        keep_trying(renewals, CancellationToken::new(), once).await;
        // Half of 0.25 + 0.5 + 1 + 2 + 4 + 8 + 4 * 15 s is left to chance.
        let rested = began.elapsed();
        assert!((Duration::from_secs(37)..Duration::from_secs(76)).contains(&rested), "{rested:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_token_ends_the_rest_after_a_refusal_and_no_other() {
        for (outcome, waits) in [(Outcome::Refused, false), (Outcome::Failed(Duration::from_secs(60)), true)]
        {
            let (renew, renewals) = watch::channel(0);
            let began = Instant::now();
            // The new one comes while the old one is tried.
            let once = move |token| {
                let renew = renew.clone();
                async move {
                    renew.send_replace(1);
                    (token == 0).then_some(outcome)
                }
            };
            keep_trying(renewals, CancellationToken::new(), once).await;
            assert_eq!(began.elapsed() >= Duration::from_secs(60), waits, "{outcome:?}");
        }
    }
}
