//! The channel that a connection belongs to: the one in which it was asked for first.
//!
//! Owns what a look at Fivetran means once that is known. Must not call Slack or Fivetran.

use super::Outcome;
use super::deliver::Job;
use crate::journal::{Found, Origin};
use crate::slack::id;
use crate::store::Store;
use crate::work::{Confirmed, Work};

/// Adds to what was found where and by whom it was asked for before.
pub(super) async fn with_origin(found: Found, job: Job<'_>, store: &Store) -> Outcome {
    // A renewal goes where its link stands, be that a direct message; whoever asked for it there has
    // been checked by the message they pressed.
    let Work::Connect(request) = job.work else { return Outcome::Found(found) };
    let (Found::Unfinished { connection: id, .. } | Found::Finished { connection: id, .. }) = &found else {
        return Outcome::Found(found);
    };
    let stored = match store.connection(&request.key()).await {
        Ok(stored) => stored,
        // Without knowing where its link is, none may be posted: it is asked again.
        Err(error) => {
            tracing::warn!(command = job.claimed.id, %error, "could not read where a connection's link is");
            return Outcome::Postponed;
        }
    };
    let Some(link) = stored.map(|stored| stored.connection.link).filter(|link| link.is_home_of(id)) else {
        return Outcome::Found(found);
    };
    let here =
        id::may_be_one(&link.team_id, &job.claimed.team_id) && link.channel_id == job.claimed.channel_id;
    let origin = Origin { channel_id: link.channel_id, user_id: link.requester };
    Outcome::Found(match found {
        Found::Finished { connection, broken, .. } => {
            Found::Finished { connection, origin: Some(origin), broken }
        }
        Found::Unfinished { connection, .. } if !here && request.confirmed == Confirmed::No => {
            Found::Elsewhere { connection, origin }
        }
        found => found,
    })
}
