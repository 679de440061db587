//! How a reply reaches Slack: which of the ways is tried, and in which order.
//!
//! Owns the choice between the Web API and the response_url. A link goes to the channel by the
//! Web API first, since only such a message can be edited later; a failure goes to the person by
//! the response_url first, since that always works. Must not call Fivetran.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use super::Outcome;
use crate::clock::Clock;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Notice, PostFailure};
use crate::life::{self, Place, Purpose};
use crate::reply::live::{self, Note, Waiting};
use crate::reply::{self, Audience, ask};
use crate::slack::ResponseUrl;
use crate::slack::respond::{self, PostError};
use crate::slack::web_api::WebApi;
use crate::store::{Claimed, ClaimedLink, NewLink, Recorded, Store};
use crate::telemetry::{Metrics, Party};
use crate::work::{Confirmed, Request, Work};

/// First pause before a link that could not be kept is tried again.
const KEEP_PAUSE: Duration = Duration::from_millis(50);

/// A command in hand.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// Its row.
    pub(super) claimed: &'a Claimed,
    /// What it is to do.
    pub(super) work: &'a Work,
}

/// A link that is to be posted.
pub(super) struct Posting<'a> {
    pub(super) connection: &'a str,
    /// Whether the connection was there before this command.
    pub(super) existed: bool,
    pub(super) card: &'a ConnectCard,
}

/// The ways to Slack, and where posted links are kept. No `Debug`: it holds the token.
pub struct Delivery {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The links.
    pub store: Store,
    /// The HTTP client, for response_urls.
    pub http: reqwest::Client,
    /// Where a response_url may point.
    pub response_url_origins: Arc<[url::Origin]>,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// Who gets to see a link.
    pub audience: Audience,
    /// The channels in which the hint to invite the bot was given.
    pub hints: Hints,
}

impl Delivery {
    /// Whether there is a bot token.
    #[must_use]
    pub fn has_web_api(&self) -> bool {
        self.web_api.is_some()
    }

    /// Posts the link in the channel, and keeps it to be watched.
    pub(super) async fn post_link(
        &self,
        claimed: &Claimed,
        request: &Request,
        posting: Posting<'_>,
        again: bool,
    ) -> Outcome {
        let now = self.clock.now();
        let note = match (posting.existed, request.confirmed) {
            (_, Confirmed::Reauthorise) => Note::Reauthorise,
            (true, _) => Note::Existed,
            (false, _) => Note::None,
        };
        let waiting = Waiting {
            request,
            requester: &claimed.user_id,
            card: posting.card,
            note,
            audience: self.audience,
            reference: &claimed.id,
        };
        let expires_at = posting.card.expires_at(now);
        self.count_retry(again);
        let message = match self.post(claimed, live::waiting(&waiting, now)).await {
            Ok(message) => message,
            Err(failed) => return failed,
        };
        // With a token, only where the bot is not a member; elsewhere its message can be edited.
        let outside = self.has_web_api() && message.is_none() && self.audience == Audience::Channel;
        self.keep(claimed, request, &posting, message, expires_at).await;
        if outside && self.hints.first_time(&claimed.channel_id) {
            // The link is there; a hint that is lost is given the next time.
            let _ = self.respond(claimed, &ask::invite(), SlackMessageResponseType::Ephemeral).await;
        }
        Outcome::Posted
    }

    /// Posts by the Web API, else by the response_url, after which the message cannot be edited.
    async fn post(&self, claimed: &Claimed, content: SlackMessageContent) -> Result<Option<Place>, Outcome> {
        if self.audience == Audience::Requester {
            return self.post_privately(claimed, content).await;
        }
        let mut refused = None;
        if let Some(web_api) = &self.web_api {
            match web_api.post_message(&claimed.channel_id, content.clone()).await {
                Ok(place) => return Ok(Some(place)),
                Err(PostError::Refused(word)) => {
                    tracing::info!(
                        command = claimed.id,
                        slack_says = word,
                        "not by the Web API; using the response_url"
                    );
                    refused = Some(word);
                }
                Err(error) => return Err(failed(claimed, error)),
            }
        }
        match self.respond(claimed, &content, SlackMessageResponseType::InChannel).await {
            Ok(()) => Ok(None),
            // The first refusal is the one that somebody can do something about.
            Err(PostError::Refused(word)) => {
                Err(Outcome::PostFailed(PostFailure::Refused(refused.unwrap_or(word))))
            }
            Err(error) => Err(failed(claimed, error)),
        }
    }

    /// Shows the link to its requester alone: by the response_url, else by a direct message. Never by
    /// an ephemeral message of the Web API, whose links Slack follows.
    async fn post_privately(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
    ) -> Result<Option<Place>, Outcome> {
        match self.respond(claimed, &content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Ok(None),
            Err(PostError::Refused(word)) => {
                tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
            }
            Err(error) => return Err(failed(claimed, error)),
        }
        let Some(web_api) = &self.web_api else { return Err(dead_response_url()) };
        match web_api.post_message(&claimed.user_id, content).await {
            Ok(place) => Ok(Some(place)),
            Err(error) => Err(failed(claimed, error)),
        }
    }

    /// Keeps a posted link, so that its message stays true. What was posted was posted: this is tried
    /// until it works, as every record of it is.
    async fn keep(
        &self,
        claimed: &Claimed,
        request: &Request,
        posting: &Posting<'_>,
        message: Option<Place>,
        expires_at: Timestamp,
    ) {
        let mut pause = KEEP_PAUSE;
        loop {
            let now = self.clock.now();
            let kept = self.store.keep_link(NewLink {
                id: &claimed.id,
                connection_id: posting.connection,
                team_id: &claimed.team_id,
                channel_id: &claimed.channel_id,
                requester: &claimed.user_id,
                request,
                message: message.clone(),
                purpose: (request.confirmed == Confirmed::Reauthorise).then_some(Purpose::Reauthorise),
                posted_at: now,
                expires_at,
                check_at: life::first_look(now),
            });
            let replaced = async {
                // A connection that was there before may have an older link somewhere.
                if posting.existed {
                    self.store.replace_links(posting.connection, &claimed.id, now).await
                } else {
                    Ok(())
                }
            };
            match kept.await {
                Ok(()) => match replaced.await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(command = claimed.id, %error, "could not retire older links, trying again")
                    }
                },
                Err(error) => {
                    tracing::warn!(command = claimed.id, %error, "could not keep the link, trying again")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(KEEP_PAUSE * 40);
        }
    }

    /// Puts a new link into the message of an old one. If that message cannot be edited, the link is
    /// posted anew.
    pub(super) async fn renew_link(
        &self,
        claimed: &Claimed,
        link: &str,
        card: &ConnectCard,
        again: bool,
    ) -> Outcome {
        let mut old = match self.store.claim_link(link).await {
            Ok(Some(old)) => old,
            // Somebody is editing its message at this moment, or the database is busy.
            Ok(None) | Err(_) => return Outcome::Postponed,
        };
        let now = self.clock.now();
        if old.link.state == life::State::Waiting
            && old.link.posted_at > claimed.accepted_at
            && now < old.link.expires_at
        {
            // Somebody else's press has made one since.
            return self.give_back(&old, Outcome::Posted).await;
        }
        let waiting = Waiting {
            request: &old.link.request,
            requester: &old.link.requester,
            card,
            note: Note::Renewed,
            audience: self.audience,
            reference: link,
        };
        let (content, expires_at) = (live::waiting(&waiting, now), card.expires_at(now));
        self.count_retry(again);
        let edited = match self.renew_in_place(claimed, &old, &content).await {
            Ok(edited) => edited,
            Err(error) => return self.give_back(&old, failed(claimed, error)).await,
        };
        if !edited {
            match self.post(claimed, content).await {
                Ok(place) => old.link.message = place,
                Err(failed) => return self.give_back(&old, failed).await,
            }
        }
        life::renewed(&mut old.link, expires_at, now);
        self.record(&old, life::first_look(now)).await;
        Outcome::Posted
    }

    /// Edits the message of an old link to show the new one; false if that has to be posted anew.
    async fn renew_in_place(
        &self,
        claimed: &Claimed,
        old: &ClaimedLink,
        content: &SlackMessageContent,
    ) -> Result<bool, PostError> {
        let (Some(web_api), Some(at)) = (&self.web_api, &old.link.message) else { return Ok(false) };
        if self.audience == Audience::Requester {
            // What the whole channel can see must not show a link that is for one person.
            let replaced = life::Link { state: life::State::Replaced, ..old.link.clone() };
            return match web_api.update(at, &live::settled(&replaced)).await {
                Ok(()) => Ok(false),
                Err(error) if error.message_is_out_of_reach() => Ok(false),
                Err(error) => Err(error),
            };
        }
        match web_api.update(at, content).await {
            Ok(()) => {
                // The message says it; without a word in the thread it is as true.
                let _ = web_api.post_in_thread(at, live::renewed_by(&claimed.user_id)).await;
                Ok(true)
            }
            Err(error) if error.message_is_out_of_reach() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the lease of a link whose message was not edited.
    async fn give_back(&self, old: &ClaimedLink, outcome: Outcome) -> Outcome {
        // Whoever has taken it since knows better how it stands; a lease that cannot be given back ends.
        if let Err(error) = self.store.record_link(old, Some(self.clock.now())).await {
            tracing::warn!(link = old.link.id, %error, "could not give a link back");
        }
        outcome
    }

    /// Marks a link as cancelled; its message is edited by whoever watches it next. False if somebody
    /// is editing it at this moment.
    async fn mark_cancelled(&self, link: &str) -> bool {
        match self.store.claim_link(link).await {
            Ok(Some(mut old)) => {
                old.link.state = life::State::Cancelled;
                old.link.stale = true;
                old.link.changed_at = self.clock.now();
                self.record(&old, self.clock.now()).await;
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Records how a link stands, tried until it works: what happened outside has happened.
    async fn record(&self, old: &ClaimedLink, check_at: Timestamp) {
        let mut held = old.clone();
        loop {
            match self.store.record_link(&held, Some(check_at)).await {
                Ok(Recorded::Committed) => return,
                // Taken over while Slack was slow: what we have just shown is newer all the same.
                Ok(Recorded::LeaseLost) => {
                    if let Ok(Some(again)) = self.store.claim_link(&held.link.id).await {
                        let mut link = held.link;
                        if again.link.state.is_over() {
                            // A newer link stands elsewhere, or the connection is gone: the message, which
                            // says otherwise now, is to say so again.
                            (link.state, link.stale) = (again.link.state, true);
                        }
                        held = again.showing(link);
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(link = held.link.id, %error, "could not record a link, trying again")
                }
            }
            tokio::time::sleep(KEEP_PAUSE * 10).await;
        }
    }

    /// Tells the person what came of the command in the place of a link.
    pub(super) async fn tell(&self, job: Job<'_>, notice: &Notice, again: bool) -> Outcome {
        let Job { claimed, work } = job;
        if let (Notice::Cancelled, Work::Cancel { link, .. }) = (notice, work)
            && !self.mark_cancelled(link).await
        {
            return Outcome::Postponed;
        }
        let content = reply::notice(notice, work, &claimed.id);
        self.count_retry(again);
        match self.respond(claimed, &content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Outcome::Told,
            Err(PostError::Refused(word)) => {
                tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
            }
            Err(error) => return failed(claimed, error),
        }
        let Some(web_api) = &self.web_api else { return dead_response_url() };
        match web_api.post_ephemeral(&claimed.channel_id, &claimed.user_id, &content).await {
            Ok(()) => return Outcome::Told,
            Err(PostError::Refused(_)) => {}
            Err(error) => return failed(claimed, error),
        }
        // In the channel it cannot be; a direct message can.
        match web_api.post_message(&claimed.user_id, content).await {
            Ok(_) => Outcome::Told,
            Err(error) => failed(claimed, error),
        }
    }

    async fn respond(
        &self,
        claimed: &Claimed,
        content: &SlackMessageContent,
        response_type: SlackMessageResponseType,
    ) -> Result<(), PostError> {
        let sealed_away = || {
            PostError::Refused("the response_url does not open: was the signing secret changed?".to_owned())
        };
        let url = claimed.response_url.as_ref().ok_or_else(sealed_away)?;
        let url =
            ResponseUrl::parse(url.expose_secret(), &self.response_url_origins).ok_or_else(sealed_away)?;
        respond::post(&self.http, &url, content, response_type).await
    }

    fn count_retry(&self, again: bool) {
        if again {
            self.metrics.retried(Party::Slack);
        }
    }
}

/// The channels in which something was said that need not be said twice.
#[derive(Default)]
pub struct Hints(Mutex<HashSet<String>>);

/// Channels remembered; beyond that, a hint may come a second time.
const HINTS: usize = 10_000;

impl Hints {
    /// Whether it has not been said in this channel since the start.
    fn first_time(&self, channel_id: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= HINTS {
            said.clear();
        }
        said.insert(channel_id.to_owned())
    }
}

fn dead_response_url() -> Outcome {
    Outcome::PostFailed(PostFailure::Refused("the response_url is dead".to_owned()))
}

fn failed(claimed: &Claimed, error: PostError) -> Outcome {
    tracing::warn!(command = claimed.id, %error, "a message did not reach Slack");
    Outcome::PostFailed(match error {
        PostError::Refused(word) => PostFailure::Refused(word),
        PostError::Throttled(pause) => PostFailure::Throttled(pause),
        PostError::NotSent(_) => PostFailure::NotSent,
        PostError::Unclear(_) => PostFailure::Unclear,
    })
}
