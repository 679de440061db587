//! What threads, and the people who asked, are told of a message's links.
//!
//! Owns to whom each piece of news goes, and that none is told twice without need, nor forgotten before it was
//! told. What is news is [`crate::life`]'s.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Outbox, UNCLEAR_PAUSES, UNKNOWN_TRIES};
use crate::life::{Link, News, Place};
use crate::outbound::CALL_TIMEOUT;
use crate::reply::{live, trouble};
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::store::{Brought, ClaimedMessage, PendingNews, StoreError, Stored};

/// How often this process has told a person something alone and heard nothing, by the news's id. What fails
/// besides, such as the edit of the message, uses up none of these.
#[derive(Default)]
pub struct Unheard(Mutex<HashMap<String, usize>>);

/// News remembered; beyond that, some may be told more often. Other processes tell some that were begun here.
const REMEMBERED: usize = 10_000;

impl Unheard {
    /// How long the person is left alone after one more; `None`: they count as told. `tries`: what has failed of the
    /// message in a row. When that is a lot, many processes may have told them and died, and once more is enough.
    fn pause(&self, id: &str, tries: u32) -> Option<Duration> {
        let mut unheard = self.lock();
        if unheard.len() >= REMEMBERED {
            unheard.clear();
        }
        let times = unheard.entry(id.to_owned()).or_default();
        *times += 1;
        let pause = UNCLEAR_PAUSES.get(*times - 1).copied();
        pause.filter(|_| *times < 2 || tries < UNKNOWN_TRIES)
    }

    fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Tells the person alone what happened to the link of a message that cannot be edited: for what is
    /// said to everybody there is no place.
    pub(super) async fn tell_alone(&self, message: &ClaimedMessage) -> Result<Brought, StoreError> {
        match &self.web_api {
            Some(web_api) => self.tell(message, None, web_api).await,
            None => Ok(Brought::Shown),
        }
    }

    /// The same where the message stands nowhere any more, as far as is known: what has broken again, and nobody
    /// asked for, is brought up anew.
    pub(super) async fn tell_of_lost(&self, message: &ClaimedMessage) -> Result<Brought, StoreError> {
        match self.bring_up_anew(message).await? {
            true => self.tell_alone(message).await,
            false => Ok(self.again(message, None)),
        }
    }

    /// Tells the thread of a message what happened, or the person alone.
    pub(super) async fn tell(
        &self,
        message: &ClaimedMessage,
        place: Option<&Place>,
        web_api: &WebApi,
    ) -> Result<Brought, StoreError> {
        self.tell_but(&[], message, place, web_api).await
    }

    /// The same without the news of these ids: something else is about to say them, or they stay to be told.
    pub(super) async fn tell_but(
        &self,
        left_out: &[String],
        message: &ClaimedMessage,
        place: Option<&Place>,
        web_api: &WebApi,
    ) -> Result<Brought, StoreError> {
        loop {
            let mut news = self.store.news_of(&message.id).await?;
            news.retain(|pending| !left_out.contains(&pending.id));
            if news.is_empty() {
                return Ok(Brought::Shown);
            }
            // Read after them: how it stood before would say that they are not so.
            let connections = self.store.connections_of(message).await?;
            let brought = self.tell_some(message, place, web_api, news, &connections).await?;
            if brought.is_not_yet() {
                return Ok(brought);
            }
        }
    }

    async fn tell_some(
        &self,
        message: &ClaimedMessage,
        place: Option<&Place>,
        web_api: &WebApi,
        news: Vec<PendingNews>,
        connections: &[Stored],
    ) -> Result<Brought, StoreError> {
        let mut told = Vec::new();
        for pending in news {
            // What happened twice meanwhile is told as it stands now, once.
            let again = told.contains(&(pending.key.clone(), pending.news));
            let about = connections.iter().find(|stored| stored.connection.key == pending.key);
            if let Some(Stored { connection, .. }) = about
                && pending.news.holds(&connection.link)
                && !again
            {
                // The thread, and the person alone by one of two ways.
                if message.lease_left() < CALL_TIMEOUT * 3 {
                    return Ok(self.again(message, None));
                }
                match tell_one(web_api, place, pending.news, &connection.link).await {
                    Ok(true) => {}
                    Ok(false) => self.warn_of_silence(message, place, pending.news, &connection.link),
                    // Nothing else says it to that person: better twice than not at all.
                    Err(error @ (PostError::Unclear(_) | PostError::Unconfirmed(_))) => {
                        tracing::info!(message = message.id, %error, "it is not clear whether a person was told");
                        if let Some(pause) = self.unheard.pause(&pending.id, message.tries) {
                            return Ok(self.again(message, Some(pause)));
                        }
                    }
                    Err(error) if error.message_is_out_of_reach() => {
                        tracing::info!(message = message.id, %error, "the thread cannot be told");
                    }
                    // Whatever else was refused may be taken once somebody has done something about it.
                    Err(error) => {
                        let brought = self.failed(message, &error);
                        if brought.is_not_yet() {
                            return Ok(brought);
                        }
                    }
                }
                told.push((pending.key, pending.news));
            }
            self.store.forget_news(&pending.id).await?;
            self.unheard.forget(&pending.id);
        }
        Ok(Brought::Shown)
    }

    /// Of what its customer could mend, and nobody hears that it is broken.
    fn warn_of_silence(&self, message: &ClaimedMessage, place: Option<&Place>, news: News, link: &Link) {
        if news == News::Broken && link.asks_customer() && place.is_none() && message.post_in.is_none() {
            tracing::warn!(
                connection = link.connection_id,
                schema = link.request.target.connection_name(),
                channel = link.channel_id,
                "a connection that was not requested here is broken, and nobody is told: its message is lost, or \
                 Slack doesn't let the bot edit it; invite the bot to the channel again, or ask for the connection there"
            );
        }
    }
}

/// Tells one piece of news to whom it is for. Returns whether there is anybody.
async fn tell_one(
    web_api: &WebApi,
    place: Option<&Place>,
    news: News,
    link: &Link,
) -> Result<bool, PostError> {
    let content = match (news.is_private(link), news) {
        (true, News::Broken) => trouble::trouble(link),
        (true, _) => trouble::recovered(link),
        (false, _) => {
            let refused = match place {
                Some(place) => match web_api.post_in_thread(place, live::news(news, link)).await {
                    Err(error) if error.message_is_out_of_reach() => Err(error),
                    // It may be there; the message says it in any case, and saying it twice would be worse.
                    Err(PostError::Unclear(_) | PostError::Unconfirmed(_)) => return Ok(true),
                    told => return told.map(|()| true),
                },
                None => Ok(true),
            };
            match news {
                // Somebody has to ask the customer.
                News::Broken => trouble::nobody_asked(link),
                _ => return refused,
            }
        }
    };
    match &link.requester {
        Some(requester) => web_api.tell_alone(requester, &link.channel_id, &content).await.map(|()| true),
        // Nobody asked for it; whoever looks is told by `status`.
        None => Ok(false),
    }
}
