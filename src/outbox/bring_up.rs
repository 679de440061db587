//! The first post of a message that nobody's command posts: that of a connection which was made elsewhere and
//! has lost its access.
//!
//! Owns when it is posted, and that it is tried again until that is known. What has crashed between Slack's
//! post and the record is posted once more, as a command's link is. Knows nothing of Fivetran.

use super::{Outbox, RARELY, RETRY_FIRST, RETRY_LIMIT, UNCLEAR_PAUSES};
use crate::crash::crash_point;
use crate::life::Place;
use crate::outbound::CALL_TIMEOUT;
use crate::reply::live;
use crate::slack::respond::PostError;
use crate::store::{Brought, ClaimedMessage, StoreError};

impl Outbox {
    /// Posts a message that stands nowhere yet, if there still is something to ask of its customer.
    pub(super) async fn bring_up(
        &self,
        message: &ClaimedMessage,
        channel: &str,
    ) -> Result<Brought, StoreError> {
        let Some(web_api) = &self.web_api else { return Ok(self.again(message, None)) };
        let connections = self.store.connections_of(message).await?;
        let mut links = connections.iter().map(|stored| &stored.connection.link);
        let Some(link) = links.find(|link| link.message_id == message.id) else {
            // Somebody has asked for it meanwhile: its link has a message of its own.
            self.stands(message, None).await;
            return self.tell_alone(message).await;
        };
        if !link.asks_customer() {
            // It works again before anybody read that it did not: should it break anew, that is told.
            return self.tell_alone(message).await;
        }
        // What the message says by itself is not told under it once more.
        if let Brought::Again(at) = self.tell_alone(message).await? {
            return Ok(Brought::Again(at));
        }
        if message.lease_left() < CALL_TIMEOUT {
            return Ok(self.again(message, None));
        }
        crash_point("bring up: before the post");
        let posted = web_api.post_message(channel, live::settled(link)).await;
        crash_point("bring up: posted");
        match posted {
            Ok(place) => {
                self.stands(message, place.as_ref()).await;
                self.tell(message, place.as_ref(), web_api).await
            }
            Err(error @ (PostError::Unclear(_) | PostError::Unconfirmed(_))) => {
                tracing::info!(message = message.id, %error, "it is not clear whether a message was posted");
                match (&error, UNCLEAR_PAUSES.get(message.tries as usize)) {
                    (PostError::Unclear(_), Some(&pause)) => Ok(self.again(message, Some(pause))),
                    _ => {
                        self.stands(message, None).await;
                        self.tell_alone(message).await
                    }
                }
            }
            Err(PostError::Refused(word)) => {
                tracing::info!(
                    message = message.id,
                    channel,
                    slack_says = word,
                    "a broken connection can't be brought up in its customer's channel yet"
                );
                Ok(self.rest(message, None, RARELY))
            }
            Err(error) => Ok(self.failed(message, &error)),
        }
    }

    /// Notes that it was posted, and where. Only the database keeps it from being posted again: so until that
    /// is on disk, or the bot stops.
    async fn stands(&self, message: &ClaimedMessage, place: Option<&Place>) {
        let mut pause = RETRY_FIRST;
        while let Err(error) = self.store.posted_message(message, place, self.clock.now()).await {
            tracing::warn!(message = message.id, %error, "could not record a message, trying again");
            if self.stopping.is_cancelled() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LIMIT);
        }
    }
}
