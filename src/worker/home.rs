//! The channel that a connection belongs to: the one in which it was asked for first.
//!
//! Owns how that is found among the links and the commands that the bot knows. Must not call Slack or
//! Fivetran.

use super::Outcome;
use super::deliver::Job;
use crate::journal::{Failure, Found, Origin};
use crate::store::{Claimed, Store, StoreError};
use crate::work::{Confirmed, Work};

/// Adds to what was found where and by whom it was asked for before.
pub(super) async fn with_origin(found: Found, job: Job<'_>, store: &Store) -> Outcome {
    // A renewal goes where its link stands, be that a direct message; whoever asked for it there has
    // been checked by the message they pressed.
    let Work::Connect(request) = job.work else { return Outcome::Found(found) };
    let (Found::Unfinished { connection, .. } | Found::Finished { connection, .. }) = &found else {
        return Outcome::Found(found);
    };
    let Ok(home) = home(connection, job.claimed, store).await else {
        // Without knowing where its link is, none may be posted: it is asked again.
        return Outcome::Failed(Failure::NotSent);
    };
    Outcome::Found(match (found, home) {
        (Found::Finished { connection, broken, .. }, Some(Home { origin, .. })) => {
            Found::Finished { connection, origin: Some(origin), broken }
        }
        (Found::Unfinished { connection, .. }, Some(Home { origin, here: false }))
            if request.confirmed == Confirmed::No =>
        {
            Found::Elsewhere { connection, origin }
        }
        (found, _) => found,
    })
}

struct Home {
    origin: Origin,
    /// Whether it is the channel of the command in hand.
    here: bool,
}

async fn home(connection: &str, claimed: &Claimed, store: &Store) -> Result<Option<Home>, StoreError> {
    let Claimed { team_id, channel_id, .. } = claimed;
    if let Some(link) = store.link_of_connection(connection).await? {
        let here = &link.team_id == team_id && &link.channel_id == channel_id;
        let origin = Origin { channel_id: link.channel_id, user_id: link.requester };
        return Ok(Some(Home { origin, here }));
    }
    // A link that is on its way to another channel has no row yet; its command has.
    let elsewhere = store.elsewhere(connection, team_id, channel_id).await?;
    Ok(elsewhere.map(|(channel_id, user_id)| Home { origin: Origin { channel_id, user_id }, here: false }))
}
