//! The first post of a message that nobody's command posts: that of a connection which was made elsewhere and
//! has lost its access.
//!
//! Owns when it is posted, that it is tried again until that is known, and that its connection is let go where
//! that may not be said any more, or once it breaks again and what was posted is lost. What has crashed between
//! Slack's post and the record is posted once more, as a command's link is. Knows nothing of Fivetran.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Outbox, RARELY, RETRY_FIRST, RETRY_LIMIT, UNCLEAR_PAUSES};
use crate::crash::crash_point;
use crate::life::{self, Link, News, Place, State};
use crate::outbound::CALL_TIMEOUT;
use crate::reply::live;
use crate::slack::respond::PostError;
use crate::store::{Brought, ClaimedMessage, MessageWrite, StoreError, Stored, Write, Written};
use crate::trail::Entry;
use crate::unasked::{MOVED, Silent};

/// From when on it is no matter of an invitation that is on its way that a channel takes no post. Nothing else
/// would tell: what has never stood anywhere is in no gauge.
const UNSEEN: SignedDuration = SignedDuration::from_hours(1);

impl Outbox {
    /// Posts a message that stands nowhere yet, if there still is something to ask of its customer, and that
    /// still may be said in the channel.
    pub(super) async fn bring_up(
        &self,
        message: &ClaimedMessage,
        channel: &str,
    ) -> Result<Brought, StoreError> {
        let Some(web_api) = &self.web_api else { return Ok(self.again(message, None)) };
        let connections = self.store.connections_of(message).await?;
        let Some(stored) = connections.iter().find(|it| it.connection.link.message_id == message.id) else {
            // Somebody has asked for it meanwhile: its link has a message of its own.
            self.stands(message, None).await;
            return self.tell_alone(message).await;
        };
        let link = &stored.connection.link;
        if link.state == State::Unposted {
            return Ok(Brought::OutOfReach);
        }
        if !link.asks_customer() {
            // It works again before anybody read that it did not: should it break anew, that is told.
            return self.tell_alone(message).await;
        }
        match self.may_be_said(link, channel).await {
            Ok(()) => {}
            Err(Silent::Untold) => return Ok(self.again(message, None)),
            Err(Silent::Because(why)) => return self.is_not_said(message, stored, why).await,
        }
        // What the message says by itself is not told under it once more.
        let told = self.tell_alone(message).await?;
        if told.is_not_yet() {
            return Ok(told);
        }
        if message.lease_left() < CALL_TIMEOUT {
            return Ok(self.again(message, None));
        }
        crash_point("bring up: before the post");
        let posted = web_api.post_message(channel, live::settled(link)).await;
        crash_point("bring up: posted");
        match posted {
            Ok(place) => match self.stands(message, place.as_ref()).await {
                true => self.tell(message, place.as_ref(), web_api).await,
                // It is another copy that is kept true, and its thread that is told.
                false => Ok(self.again(message, None)),
            },
            Err(error @ (PostError::Unclear(_) | PostError::Unconfirmed(_))) => {
                tracing::info!(message = message.id, %error, "it is not clear whether a message was posted");
                match (&error, UNCLEAR_PAUSES.get(message.tries as usize)) {
                    (PostError::Unclear(_), Some(&pause)) => Ok(self.unclear(pause)),
                    _ => {
                        self.stands(message, None).await;
                        self.tell_alone(message).await
                    }
                }
            }
            Err(PostError::Refused(word)) => {
                if self.clock.now().duration_since(message.since) < UNSEEN {
                    tracing::info!(
                        message = message.id,
                        channel,
                        slack_says = word,
                        "a broken connection can't be brought up in its customer's channel yet"
                    );
                } else {
                    tracing::warn!(
                        message = message.id,
                        channel,
                        slack_says = word,
                        "a broken connection still can't be brought up in its customer's channel, and nobody there \
                         knows; invite the bot if it is not in there"
                    );
                }
                Ok(self.rest(message, None, RARELY))
            }
            Err(error) => Ok(self.failed(message, &error)),
        }
    }

    /// Posts once more after a pause what may be there. Nothing else counts as a try: whatever has kept a message
    /// away before, for however long, what is unclear is repeated as often.
    fn unclear(&self, pause: Duration) -> Brought {
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        Brought::Again(self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX))
    }

    /// Whether a link may be brought up in a channel now: hours may have gone by since that was judged last.
    async fn may_be_said(&self, link: &Link, channel: &str) -> Result<(), Silent> {
        if self.unasked.channel_of_link(link).map_err(Silent::Because)? != channel {
            return Err(Silent::Because(MOVED));
        }
        self.unasked.company_of(channel, self.clock.now()).await
    }

    /// Lets a connection go that may not be brought up any more where it was to be.
    async fn is_not_said(
        &self,
        message: &ClaimedMessage,
        stored: &Stored,
        why: &'static str,
    ) -> Result<Brought, StoreError> {
        let link = &stored.connection.link;
        let entry = Entry::of_let_go(link, why, self.clock.now());
        if !self.let_go(stored, Some(&entry)).await? {
            return Ok(self.again(message, None));
        }
        if self.unasked.is_first(&link.connection_id, why) {
            tracing::info!(
                message = message.id,
                connection = link.connection_id,
                schema = link.request.target.connection_name(),
                channel = link.channel_id,
                why,
                "a connection that was not requested here is broken; its channel is not told any more"
            );
        }
        crash_point("bring up: let go");
        Ok(Brought::OutOfReach)
    }

    /// Where a connection that nobody asked for has broken again, and its message is lost: lets it go, so that
    /// it is brought up anew. Returns whether that is done, where it is to be.
    pub(super) async fn bring_up_anew(&self, message: &ClaimedMessage) -> Result<bool, StoreError> {
        let news = self.store.news_of(&message.id).await?;
        if !news.iter().any(|pending| pending.news == News::Broken) {
            return Ok(true);
        }
        for stored in self.store.connections_of(message).await? {
            let link = &stored.connection.link;
            if link.message_id != message.id || life::let_go(&stored.connection, self.clock.now()).is_none() {
                continue;
            }
            if self.unasked.channel_of_link(link).is_err() {
                continue;
            }
            if !self.let_go(&stored, None).await? {
                return Ok(false);
            }
            tracing::info!(
                connection = link.connection_id,
                channel = link.channel_id,
                "a connection that was not requested here is broken again and its message is lost; the next list \
                 brings it up anew"
            );
        }
        Ok(true)
    }

    /// Forgets that a connection was found. Returns whether that is so by now.
    async fn let_go(&self, stored: &Stored, trail: Option<&Entry>) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let Some(change) = life::let_go(&stored.connection, now) else { return Ok(false) };
        let (version, message) = (stored.version, MessageWrite::None);
        let write = Write {
            change: &change,
            version,
            held: None,
            progress: None,
            message,
            trail,
            reminders: false,
            now,
        };
        Ok(self.store.write(write).await? == Written::Committed)
    }

    /// Notes that it was posted, and where. Only the database keeps it from being posted again: so until that
    /// is on disk, or the bot stops. Returns whether it is that.
    async fn stands(&self, message: &ClaimedMessage, place: Option<&Place>) -> bool {
        let mut pause = RETRY_FIRST;
        loop {
            let error = match self.store.posted_message(message, place, self.clock.now()).await {
                Ok(stands) => return stands,
                Err(error) => error,
            };
            tracing::warn!(message = message.id, %error, "could not record a message, trying again");
            if self.stopping.is_cancelled() {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LIMIT);
        }
    }
}
