//! From something that a person wants to a committed command that the worker carries out.
//!
//! Owns the commit before the acknowledgement, for slash commands and for buttons alike. Must not
//! call Fivetran or Slack.

use std::sync::Arc;

use secrecy::SecretString;

use crate::app::Bot;
use crate::command::Work;
use crate::crash::crash_point;
use crate::journal::Progress;
use crate::slack::ResponseUrl;
use crate::store::{Accepted, NewCommand, StoreError};

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

/// Commits a command and hands it to the worker. `signature` names the request; `progress` is
/// where it begins.
pub(super) async fn accept(
    bot: &Arc<Bot>,
    signature: &[u8],
    asked: Asked,
    work: &Work,
    progress: Progress,
) -> Answered {
    let (Ok(json), Some(id)) = (serde_json::to_string(work), bot.reference()) else {
        return Answered::NotAccepted;
    };
    let Asked { team_id, channel_id, user_id, response_url } = asked;
    let new = NewCommand {
        id: id.clone(),
        dedup: hex(signature),
        subject: work.subject(),
        team_id,
        channel_id,
        user_id,
        request: json,
        response_url: SecretString::from(response_url.expose().to_owned()),
        progress,
        accepted_at: bot.clock.now(),
    };
    // A task of its own: when Slack hangs up, this future is dropped, and a command must not be
    // left committed with nobody at work on it.
    let committing = tokio::spawn({
        let bot = Arc::clone(bot);
        async move {
            crash_point("accept: before the commit");
            let result = bot.store.accept(new).await;
            Ok(match result? {
                Accepted::Committed(claimed) => {
                    crash_point("accept: committed");
                    bot.take_up(claimed);
                    true
                }
                Accepted::Twin => false,
            })
        }
    });
    match committing.await {
        Ok(Ok(true)) => {
            crash_point("accept: acknowledging");
            Answered::Accepted(id)
        }
        Ok(Ok(false)) => Answered::AlreadyOnIt,
        Ok(Err(error)) => {
            let error: StoreError = error;
            tracing::error!(command = id, %error, "a command was not accepted");
            Answered::NotAccepted
        }
        Err(_) => Answered::NotAccepted,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}
