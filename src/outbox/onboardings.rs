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

    /// The news that the sentence about all of it says too: which sources are connected. They are forgotten
    /// only after it, since it may not be heard, and not be so any more when it is tried again.
    pub(super) async fn said_at_the_end(&self, message: &ClaimedMessage) -> Result<Vec<String>, StoreError> {
        let mut news = self.store.news_of(&message.id).await?;
        news.retain(|pending| matches!(pending.news, News::Connected { .. }));
        Ok(news.into_iter().map(|pending| pending.id).collect())
    }

    /// Tells the thread, once, that nothing is left to do, and with it the news of these ids. Whether it was heard where Slack did not answer,
    /// the message says in any case.
    pub(super) async fn tell_done(
        &self,
        message: &ClaimedMessage,
        onboarding: &Onboarding,
        with: &[String],
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
        for id in with {
            self.store.forget_news(id).await?;
        }
        // Last of all: until the database knows so, it is told again, and they are not news any more.
        self.store.told_onboarding(&onboarding.id).await?;
        Ok(Brought::Shown)
    }
}
