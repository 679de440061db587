//! From something that a person wants to a committed command that the worker carries out.
//!
//! Owns the commit before the acknowledgement, for slash commands and for buttons alike. Must not
//! call Fivetran or Slack.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use slack_morphism::prelude::SlackMessageContent;
use tokio::sync::mpsc;

use super::allowance::Allowance;
use super::deadline::Deadline;
use crate::clock::Clock;
use crate::crash::crash_point;
use crate::journal::Progress;
use crate::reply::{self, TooMuch, UnderWay, onboarding};
use crate::seal;
use crate::slack::{ResponseUrl, id};
use crate::store::{Accepted, Before, Claimed, NewCommand, Store, StoreError, Twin};
use crate::telemetry::Answer;
use crate::work::{Intent, Onboard, Work};

/// How long after a command the same request is answered as the first time although it has ended: Slack
/// sends it again, or somebody presses twice, within seconds, and what is to appear then has just appeared.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Where commands come in: into the database, and from there to the worker. Clones share it.
#[derive(Clone)]
pub struct Intake {
    clock: Clock,
    store: Store,
    allowance: Allowance,
    under_way: UnderWayHere,
    /// To the worker, which holds the lease of each from its commit on.
    accepted: mpsc::UnboundedSender<Claimed>,
}

/// Who wants something, where, and how they can be answered.
pub(super) struct Asked {
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    /// Where in that channel they can be answered, if Slack told.
    pub(super) response_url: Option<ResponseUrl>,
}

/// What came of it.
pub(super) enum Answered {
    /// It is committed, under this reference: now, or when the same request came before.
    Accepted(String),
    /// Something is under way for the same connection.
    AlreadyOnIt(UnderWay),
    /// The database did not take it; it is certain that nothing was done and nothing will be.
    NotAccepted,
    /// The database may have taken it. It is being made void, but that is not certain yet.
    Unsure,
    /// It would be more than the bot takes on; nothing was done and nothing will be.
    TooMuch(TooMuch),
}

impl Answered {
    /// What a request that was answered so counts as.
    pub(super) fn counts_as(&self) -> Answer {
        match self {
            Self::Accepted(_) => Answer::Accepted,
            Self::AlreadyOnIt(_) => Answer::Replied,
            Self::NotAccepted | Self::Unsure => Answer::NotAccepted,
            Self::TooMuch(_) => Answer::TooMuch,
        }
    }

    /// What whoever wants the work is told.
    pub(super) fn told(&self, work: &Work) -> SlackMessageContent {
        match self {
            Self::Accepted(id) => reply::accepted(work, id),
            Self::AlreadyOnIt(under_way) => reply::already_on_it(work, under_way),
            Self::NotAccepted => reply::not_accepted(),
            Self::Unsure => reply::unsure(),
            Self::TooMuch(too_much) => reply::too_much(*too_much),
        }
    }
}

/// Whether a command was committed, or what it met, as far as that can be told.
enum Committed {
    Yes,
    Before(Before),
    No(Option<Twin>),
}

impl Answered {
    /// What is said to a command of several sources.
    pub(super) fn told_several(&self, onboard: &Onboard) -> SlackMessageContent {
        match self {
            Self::Accepted(id) => onboarding::accepted(onboard, id),
            Self::AlreadyOnIt(_) => onboarding::already(onboard.customer.as_deref()),
            Self::NotAccepted => reply::not_accepted(),
            Self::Unsure => reply::unsure(),
            Self::TooMuch(too_much) => reply::too_much(*too_much),
        }
    }
}

impl Intake {
    /// Commits to `store` and hands on to whoever receives from `accepted`.
    #[must_use]
    pub fn new(
        clock: Clock,
        store: Store,
        allowance: Allowance,
        accepted: mpsc::UnboundedSender<Claimed>,
    ) -> Self {
        Self { clock, store, allowance, under_way: UnderWayHere::default(), accepted }
    }

    /// Counts something that is answered without becoming a command, and yet costs a look elsewhere.
    ///
    /// # Errors
    /// Why it is not to be done.
    pub(super) fn look(&self, user_id: &str) -> Result<(), TooMuch> {
        self.allowance.look(user_id, self.clock.now())
    }

    /// Commits a command and hands it to the worker, until the deadline. `key` names the request, so
    /// that a replay, which has the same, is no second command; `progress` is where it begins.
    pub(super) async fn accept(
        &self,
        key: &[u8],
        asked: Asked,
        work: &Work,
        progress: Progress,
        deadline: Deadline,
    ) -> Answered {
        let subject = match work {
            // Shown to each person alone, it changes nothing for anybody else.
            Work::Open { link, .. } => format!("open {link} {}", asked.user_id),
            _ => work.subject(),
        };
        let here = (asked.team_id.clone(), asked.channel_id.clone());
        let json = serde_json::to_string(work).ok();
        match self.commit_json(key, asked, (json, subject, 1), progress, deadline).await {
            Ok(answered) => answered,
            Err(twin) => Answered::AlreadyOnIt(under_way(work, (&here.0, &here.1), twin)),
        }
    }

    /// The same for several sources of one customer.
    pub(super) async fn accept_onboard(
        &self,
        key: &[u8],
        asked: Asked,
        onboard: &Onboard,
        deadline: Deadline,
    ) -> Answered {
        let what = (onboard.to_json(), onboard.subject(&asked.channel_id), onboard.sources.len());
        let accepted = self.commit_json(key, asked, what, Progress::default(), deadline).await;
        accepted.unwrap_or(Answered::AlreadyOnIt(UnderWay::Unknown))
    }

    /// Commits a command: what was asked for as JSON, what it is about, and how many it counts as.
    ///
    /// # Errors
    /// The open command about the same, as far as it can be told.
    async fn commit_json(
        &self,
        key: &[u8],
        asked: Asked,
        (json, subject, cost): (Option<String>, String, usize),
        progress: Progress,
        deadline: Deadline,
    ) -> Result<Answered, Option<Twin>> {
        let (Some(json), Some(id)) = (json, seal::reference()) else {
            return Ok(Answered::NotAccepted);
        };
        let Asked { team_id, channel_id, user_id, response_url } = asked;
        let dedup = hex(key);
        let allowed = || self.allowance.act(&user_id, cost, self.clock.now());
        let here = match self.under_way.begin(&dedup, allowed) {
            Ok(here) => here,
            // The same request is just being committed.
            Err((_, true)) => return Ok(Answered::Unsure),
            Err((too_much, false)) => {
                return Ok(self.again(dedup, deadline).await.unwrap_or(Answered::TooMuch(too_much)));
            }
        };
        let new = NewCommand {
            id: id.clone(),
            dedup,
            subject,
            team_id,
            channel_id,
            user_id,
            request: json,
            response_url: response_url.map(|url| SecretString::from(url.expose().to_owned())),
            progress,
            accepted_at: self.clock.now(),
        };
        let now = new.accepted_at;
        // A task of its own: when Slack hangs up, this future is dropped, and a command must not be
        // left committed with nobody at work on it.
        Ok(match tokio::spawn(self.clone().commit(new, here, deadline)).await {
            Ok(Ok(Committed::Yes)) => {
                crash_point("accept: acknowledging");
                Answered::Accepted(id)
            }
            Ok(Ok(Committed::Before(before))) => answered_before(before, now),
            Ok(Ok(Committed::No(twin))) => return Err(twin),
            Ok(Err(error)) if error.proves_nothing_done() => {
                tracing::error!(command = id, %error, "a command was not accepted");
                Answered::NotAccepted
            }
            Ok(Err(error)) => {
                tracing::error!(command = id, %error, "a command may not have been accepted");
                Answered::Unsure
            }
            Err(_) => Answered::Unsure,
        })
    }

    /// What was answered to the same request, if it became a command: it may not be told that nothing was done.
    async fn again(&self, dedup: String, deadline: Deadline) -> Option<Answered> {
        let store = self.store.clone();
        match deadline.wait_for(async move { store.before(&dedup).await }).await {
            Ok(Ok(before)) => before.map(|before| answered_before(before, self.clock.now())),
            Ok(Err(error)) => {
                tracing::warn!(%error, "could not see whether a command was there before");
                Some(Answered::Unsure)
            }
            Err(_) => Some(Answered::Unsure),
        }
    }

    /// Commits a command and hands it on, unless it has a twin. It is `_here` for as long as that takes.
    async fn commit(self, new: NewCommand, _here: Here, deadline: Deadline) -> Result<Committed, StoreError> {
        crash_point("accept: before the commit");
        match self.store.accept(new, deadline.end()).await? {
            Accepted::Committed(claimed) => {
                crash_point("accept: committed");
                // The receiver is gone only at the very end of a shutdown; the next process looks.
                let _ = self.accepted.send(claimed);
                Ok(Committed::Yes)
            }
            Accepted::Before(before) => Ok(Committed::Before(before)),
            Accepted::Twin(twin) => Ok(Committed::No(twin)),
        }
    }
}

/// The requests that this process is about to commit, by their keys, and how many copies of each. Clones share
/// it.
#[derive(Clone, Default)]
struct UnderWayHere(Arc<Mutex<HashMap<String, usize>>>);

impl UnderWayHere {
    /// Notes a request that is allowed, before anybody else asks about the same one.
    ///
    /// # Errors
    /// Why it is not allowed, and whether another copy of it was and is under way.
    fn begin<E>(&self, dedup: &str, allowed: impl FnOnce() -> Result<(), E>) -> Result<Here, (E, bool)> {
        let mut keys = self.keys();
        allowed().map_err(|error| (error, keys.contains_key(dedup)))?;
        *keys.entry(dedup.to_owned()).or_default() += 1;
        Ok(Here(self.clone(), dedup.to_owned()))
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, for as long as it is.
struct Here(UnderWayHere, String);

impl Drop for Here {
    fn drop(&mut self) {
        let mut keys = self.0.keys();
        if let Some(copies) = keys.get_mut(&self.1) {
            *copies -= 1;
            if *copies == 0 {
                keys.remove(&self.1);
            }
        }
    }
}

/// What a request is answered that was a command before.
fn answered_before(before: Before, now: Timestamp) -> Answered {
    // Whoever sends it again has not heard the answer.
    if !before.has_ended || now.duration_since(before.accepted_at) < AGAIN {
        Answered::Accepted(before.id)
    } else {
        Answered::AlreadyOnIt(UnderWay::Unknown)
    }
}

/// What an open command about the same connection is to somebody who wants `work` in a workspace and
/// channel.
fn under_way(work: &Work, here: (&str, &str), twin: Option<Twin>) -> UnderWay {
    let Some(twin) = twin else { return UnderWay::Unknown };
    if !(id::may_be_one(&twin.team_id, here.0) && twin.channel_id == here.1) {
        return UnderWay::Elsewhere;
    }
    let Ok(open) = serde_json::from_str::<Work>(&twin.request) else { return UnderWay::Unknown };
    // Whoever asks for a link gets it by another's consent too; the reverse would promise too much.
    let same =
        open.intent() == work.intent() || (open.verb() == work.verb() && work.intent() == Intent::Connect);
    if same && open.request().service == work.request().service {
        UnderWay::Same
    } else {
        UnderWay::Another(Box::new(open.request().clone()))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_under_way_until_its_last_copy_is_not() {
        let under_way = UnderWayHere::default();
        let allowed = || Ok::<(), &str>(());
        let refused = || Err::<(), &str>("too much");
        let is_known = || under_way.begin("a", refused).err().map(|(_, known)| known);
        assert_eq!(is_known(), Some(false));
        // One that is refused is none that is under way.
        assert_eq!(is_known(), Some(false));
        let (first, second) = (under_way.begin("a", allowed).ok(), under_way.begin("a", allowed).ok());
        assert!(first.is_some() && second.is_some());
        assert_eq!(is_known(), Some(true));
        drop(first);
        assert_eq!(is_known(), Some(true));
        drop(second);
        assert_eq!(is_known(), Some(false));
    }
}
