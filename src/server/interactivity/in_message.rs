//! Presses in the messages that a channel shares: for a new link in the place of an old one, or for a link
//! for a source of an onboarding.
//!
//! Owns that whoever sees such a message may press in it, and that the press came from there.

use super::{Interactivity, Press};
use crate::command::renew;
use crate::life::{Link, Place, State};
use crate::reply::{Audience, ask};
use crate::server::accept::Answered;
use crate::server::feedback::Feedback;
use crate::store::StoreError;

impl Press {
    /// Anyone who sees a link's own message may ask for a new link in it, people of the customer's
    /// workspace too: the new one appears where the old one was. For a source of an onboarding, whoever
    /// presses sees one alone.
    pub(super) async fn renew(&self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        let link = self.look_up(route).await?;
        let Some(link) = link.filter(|link| self.is_in_message_of(link)) else {
            return Ok(Feedback::ephemeral(ask::not_yours_outside()));
        };
        if link.onboarding.is_some() {
            // Since it was posted, links may have become private.
            if route.commands.audience == Audience::Requester
                && link.requester.as_ref().is_some_and(|it| *it != self.user_id)
            {
                return Ok(Feedback::ephemeral(ask::not_yours_outside()));
            }
            self.note_place(route, &link);
        } else if link.state == State::Waiting && route.clock.now() < link.expires_at {
            // Pressed in a client that does not show the new link yet.
            return Ok(Feedback::ephemeral(ask::renewed_already()));
        } else if !link.state.is_over()
            && let Some(found) = self.found(route, &link)
        {
            // The link goes into the message that offers it.
            self.deadline.wait_for(found).await.unwrap_or(Err(StoreError::Unanswered))?;
        }
        Ok(match renew::pressed(&link, &self.user_id) {
            Ok((work, progress)) => {
                let answered = self.accept(route, key, &link.team_id, &work, progress).await;
                let said = match &answered {
                    Answered::Accepted(_) => Feedback::none(),
                    another => Feedback::ephemeral(another.told(&work)),
                };
                said.counting_as(answered.counts_as())
            }
            Err(why) => Feedback::ephemeral(ask::not_renewable(why, &link)),
        })
    }

    /// Whether the press came from the very message of the link. No other message is in the same place,
    /// whatever Slack tells of the workspace. Of an onboarding, and of what nobody asked for, there may be a copy
    /// whose place was never heard of: no link stands in it, and a button with this value is ours.
    fn is_in_message_of(&self, link: &Link) -> bool {
        if link.onboarding.is_some() || link.requester.is_none() {
            return link.channel_id == self.pressed_in;
        }
        let here = |it: &Place| it.channel == self.pressed_in && Some(&it.ts) == self.message_ts.as_ref();
        link.message.as_ref().is_some_and(here)
    }

    /// A message of which nobody knew where it stands is kept up to date from now on. Nobody waits for that.
    fn note_place(&self, route: &Interactivity, link: &Link) {
        let Some(found) = self.found(route, link) else { return };
        let message = link.message_id.clone();
        tokio::spawn(async move {
            if let Err(error) = found.await {
                tracing::warn!(message, %error, "could not record where a message stands");
            }
        });
    }

    /// Records where such a message stands; `None` if that is known.
    fn found(
        &self,
        route: &Interactivity,
        link: &Link,
    ) -> Option<impl Future<Output = Result<(), StoreError>> + Send + use<>> {
        let (None, Some(ts)) = (&link.message, &self.message_ts) else { return None };
        let place = Place { channel: self.pressed_in.clone(), ts: ts.clone() };
        let (store, message, now) = (route.store.clone(), link.message_id.clone(), route.clock.now());
        Some(async move { store.placed_message(&message, &place, now).await })
    }
}
