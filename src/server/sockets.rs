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
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ring::digest::{SHA256, digest};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::commands::Commands;
use super::deadline::Deadline;
use super::interactivity::{self, Interactivity};
use crate::clock::Clock;
use crate::slack::envelope::{Envelope, Kind};
use crate::slack::interaction::Interaction;
use crate::slack::respond::PostError;
use crate::slack::socket::{self, Opener};
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
    /// Where commands go.
    pub commands: Arc<Commands>,
    /// Where presses and forms go.
    pub interactivity: Arc<Interactivity>,
    /// How many hear.
    pub open: Open,
}

/// Keeps sockets open until `stop`, then ends them: what was heard is answered first.
pub async fn keep(sockets: Sockets, stop: CancellationToken) {
    let sockets = Arc::new(sockets);
    let complaints = Arc::new(Complaints::default());
    let one = || place(Arc::clone(&sockets), Arc::clone(&complaints), stop.clone());
    let mut places: JoinSet<()> = (0..SOCKETS).map(|_| one()).collect();
    while let Some(ended) = places.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "what keeps a socket open has failed, and begins anew");
            places.spawn(one());
        }
    }
}

/// Keeps one socket open, whichever it is.
async fn place(sockets: Arc<Sockets>, complaints: Arc<Complaints>, stop: CancellationToken) {
    let mut pace = Pace::default();
    let mut leaving = JoinSet::new();
    loop {
        let Some(opened) = stop.run_until_cancelled(sockets.opener.open()).await else { break };
        let outcome = match opened {
            Ok(socket) => {
                complaints.over();
                tracing::info!(
                    app = socket.app_id,
                    connections = socket.connections,
                    "a socket to Slack is open"
                );
                let since = Instant::now();
                let mut hearing = Hearing::new(socket, Arc::clone(&sockets));
                let end = hearing.listen(&stop).await;
                let (reason, lasted) = (end.reason(), since.elapsed());
                sockets.metrics.socket_ended(reason);
                tracing::info!(
                    reason = reason.name(),
                    lasted_s = lasted.as_secs(),
                    "a socket to Slack has ended"
                );
                match end {
                    End::Stopped => {
                        hearing.finish().await;
                        break;
                    }
                    // The next one is opened before this one ends.
                    End::Replaced => {
                        let stop = stop.clone();
                        leaving.spawn(async move { hearing.leave(&stop).await });
                    }
                    End::Closed | End::Stale => hearing.let_go(),
                    End::TooMany => drop(leaving.spawn(hearing.finish())),
                    End::Refused(word) => {
                        complaints.refused(word);
                        leaving.spawn(hearing.finish());
                    }
                }
                end.outcome(lasted)
            }
            Err(error) => {
                tracing::debug!(%error, "could not open a socket to Slack");
                complaints.not_opened(&error);
                let outcome = Outcome::of(&error);
                let refused = outcome == Outcome::Refused;
                sockets.metrics.socket_ended(if refused { SocketEnd::Refused } else { SocketEnd::Failed });
                outcome
            }
        };
        while leaving.try_join_next().is_some() {}
        if stop.run_until_cancelled(tokio::time::sleep(pace.after(outcome, pace::chance()))).await.is_none() {
            break;
        }
    }
    while leaving.join_next().await.is_some() {}
}

impl Sockets {
    /// From an envelope to the frame that acknowledges it.
    async fn answer(&self, envelope: Envelope, heard: Instant) -> String {
        let deadline = Deadline::since(heard);
        let key = name(&envelope.payload);
        let answer = match envelope.kind {
            Kind::SlashCommand => self.commands.heard(&key, &envelope.payload, deadline).await,
            Kind::Interaction => {
                let interaction = Interaction::of_payload(&envelope.payload);
                interactivity::respond(&self.interactivity, &key, interaction, deadline).await
            }
            Kind::Another => None,
        };
        envelope.acknowledged(answer)
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

/// What whoever runs the bot has to be told about its sockets: each once, until one opens again.
#[derive(Default)]
struct Complaints(std::sync::Mutex<BTreeSet<String>>);

impl Complaints {
    fn not_opened(&self, error: &PostError) {
        match error {
            PostError::Refused(word) => self.refused(word),
            error if self.is_new("") => {
                tracing::warn!(%error, "could not open a socket to Slack; the bot keeps trying");
            }
            _ => {}
        }
    }

    fn refused(&self, word: &str) {
        if self.is_new(word) {
            tracing::error!(
                slack_says = word,
                "Slack refuses a socket, and will until somebody does something: {}",
                socket::advice(word)
            );
        }
    }

    fn is_new(&self, word: &str) -> bool {
        self.told().insert(word.to_owned())
    }

    fn over(&self) {
        self.told().clear();
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
    fn each_trouble_is_told_once_until_a_socket_opens() {
        let complaints = Complaints::default();
        assert!(complaints.is_new("invalid_auth"));
        assert!(!complaints.is_new("invalid_auth"));
        assert!(complaints.is_new("link_disabled"));
        complaints.over();
        assert!(complaints.is_new("invalid_auth"));
    }
}
