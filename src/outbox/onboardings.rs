//! The messages of onboardings.
//!
//! Owns that it is noted, once, when nothing in one is left to do, and that its thread hears of it. What the
//! message shows is [`crate::reply::onboarding`]'s.

use super::Outbox;
use crate::life::Place;
use crate::onboarding::Onboarding;
use crate::reply::onboarding;
use crate::slack::web_api::WebApi;
use crate::store::{ClaimedMessage, StoreError};

/// What the message of an onboarding shows.
pub(super) struct Shows {
    pub(super) onboarding: Onboarding,
    /// Whether it was noted just now that nothing is left to do.
    pub(super) finished: bool,
}

impl Outbox {
    /// The onboarding that a message shows, if it is of one. Once nothing in it is left to do, that is noted.
    pub(super) async fn onboarding(&self, message: &ClaimedMessage) -> Result<Option<Shows>, StoreError> {
        let Some(id) = &message.onboarding else { return Ok(None) };
        let Some(mut onboarding) = self.store.onboarding(id).await? else { return Ok(None) };
        let now = self.clock.now();
        let finished = onboarding.done_at.is_none()
            && onboarding.is_done()
            && self.store.finish_onboarding(&onboarding, now).await?;
        if finished {
            onboarding.done_at = Some(now);
        }
        Ok(Some(Shows { onboarding, finished }))
    }

    /// Tells the thread that nothing is left to do. Once: the message says it in any case.
    pub(super) async fn tell_finished(&self, onboarding: &Onboarding, place: &Place, web_api: &WebApi) {
        if let Err(error) = web_api.post_in_thread(place, onboarding::finished(onboarding)).await {
            tracing::info!(message = onboarding.message_id, %error, "the thread cannot be told");
        }
    }
}
