//! From something that a person wants to a committed command that the worker carries out.
//!
//! Owns the commit before the acknowledgement, for slash commands and for buttons alike. Must not
//! call Fivetran or Slack.

use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::crash::crash_point;
use crate::journal::Progress;
use crate::slack::ResponseUrl;
use crate::store::{Accepted, Claimed, NewCommand, Store, StoreError};
use crate::work::Work;

/// Where commands come in: into the database, and from there to the worker. Clones share it.
#[derive(Clone)]
pub struct Intake {
    clock: Clock,
    store: Store,
    /// To the worker, which holds the lease of each from its commit on.
    accepted: mpsc::UnboundedSender<Claimed>,
    random: SystemRandom,
}

/// Who wants something, where, and how they can be answered.
pub(super) struct Asked {
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    pub(super) response_url: ResponseUrl,
}

/// What came of it.
pub(super) enum Answered {
    /// It is committed, under this reference.
    Accepted(String),
    /// The same is being done already.
    AlreadyOnIt,
    /// The database did not take it; nothing will happen.
    NotAccepted,
}

impl Intake {
    /// Commits to `store` and hands on to whoever receives from `accepted`.
    #[must_use]
    pub fn new(clock: Clock, store: Store, accepted: mpsc::UnboundedSender<Claimed>) -> Self {
        Self { clock, store, accepted, random: SystemRandom::new() }
    }

    /// Commits a command and hands it to the worker. `key` names the request, so that a replay, which
    /// has the same, is no second command; `progress` is where it begins.
    pub(super) async fn accept(&self, key: &[u8], asked: Asked, work: &Work, progress: Progress) -> Answered {
        let (Ok(json), Some(id)) = (serde_json::to_string(work), self.reference()) else {
            return Answered::NotAccepted;
        };
        let Asked { team_id, channel_id, user_id, response_url } = asked;
        let new = NewCommand {
            id: id.clone(),
            dedup: hex(key),
            subject: work.subject(),
            team_id,
            channel_id,
            user_id,
            request: json,
            response_url: SecretString::from(response_url.expose().to_owned()),
            progress,
            accepted_at: self.clock.now(),
        };
        // A task of its own: when Slack hangs up, this future is dropped, and a command must not be
        // left committed with nobody at work on it.
        match tokio::spawn(self.clone().commit(new)).await {
            Ok(Ok(true)) => {
                crash_point("accept: acknowledging");
                Answered::Accepted(id)
            }
            Ok(Ok(false)) => Answered::AlreadyOnIt,
            Ok(Err(error)) => {
                tracing::error!(command = id, %error, "a command was not accepted");
                Answered::NotAccepted
            }
            Err(_) => Answered::NotAccepted,
        }
    }

    /// Commits a command; false if it has a twin.
    async fn commit(self, new: NewCommand) -> Result<bool, StoreError> {
        crash_point("accept: before the commit");
        match self.store.accept(new).await? {
            Accepted::Committed(claimed) => {
                crash_point("accept: committed");
                // The receiver is gone only at the very end of a shutdown; the next process looks.
                let _ = self.accepted.send(claimed);
                Ok(true)
            }
            Accepted::Twin => Ok(false),
        }
    }

    /// A reference for a new command: ten characters that can be read out on the phone. `None`
    /// when the system has no random numbers.
    fn reference(&self) -> Option<String> {
        // Crockford's base 32: no I, L, O and U.
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut bytes = [0_u8; 10];
        self.random.fill(&mut bytes).ok()?;
        bytes.iter().map(|byte| DIGITS.get(usize::from(byte % 32)).map(|&digit| char::from(digit))).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}
