//! The messages of onboardings.
//!
//! Owns that it is noted when nothing in one is left to do, and that its thread hears of it. What the
//! message shows is [`crate::reply::onboarding`]'s.

use super::Outbox;
use crate::life::{News, Place};
use crate::onboarding::Onboarding;
use crate::reply::onboarding;
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{Brought, ClaimedMessage, StoreError};

impl Outbox {
    /// The onboarding that a message shows, if it is of one. Once nothing in it is left to do, that is noted.
    pub(super) async fn onboarding(
        &self,
        message: &ClaimedMessage,
    ) -> Result<Option<Onboarding>, StoreError> {
        let Some(id) = &message.onboarding else { return Ok(None) };
        let Some(mut onboarding) = self.store.onboarding(id).await? else { return Ok(None) };
        let now = self.clock.now();
        if onboarding.done_at.is_none()
            && onboarding.is_done()
            && self.store.finish_onboarding(&onboarding, now).await?
        {
            onboarding.done_at = Some(now);
        }
        Ok(Some(onboarding))
    }

    /// Leaves to the sentence about all of it what it says too: that the last source is connected. Before that is
    /// told, since it is told until the database knows so.
    pub(super) async fn leave_to_the_end(&self, message: &ClaimedMessage) -> Result<(), StoreError> {
        for pending in self.store.news_of(&message.id).await? {
            if matches!(pending.news, News::Connected { .. }) {
                self.store.forget_news(&pending.id).await?;
            }
        }
        Ok(())
    }

    /// Tells the thread, once, that nothing is left to do. Whether it was heard where Slack did not answer,
    /// the message says in any case.
    pub(super) async fn tell_done(
        &self,
        message: &ClaimedMessage,
        onboarding: &Onboarding,
        place: &Place,
        web_api: &WebApi,
    ) -> Result<Brought, StoreError> {
        if !onboarding.is_news() {
            return Ok(Brought::Shown);
        }
        match web_api.post_in_thread(place, onboarding::finished(onboarding)).await {
            Err(error @ (PostError::Throttled(_) | PostError::NotSent(_) | PostError::Later { .. })) => {
                return Ok(self.again(message, Some(error.pause())));
            }
            Err(error) => {
                tracing::info!(message = message.id, %error, "the thread of an onboarding may not have heard its end");
            }
            Ok(_) => {}
        }
        self.store.told_onboarding(&onboarding.id).await?;
        Ok(Brought::Shown)
    }
}
