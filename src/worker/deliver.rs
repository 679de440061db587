//! How a reply reaches Slack: which of the ways is tried, and in which order.
//!
//! Owns the choice between the Web API and the response_url. A link goes to the channel by the
//! Web API first, since only such a message can be edited later; a failure goes to the person by
//! the response_url first, since that always works. Must not call Fivetran.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use super::Outcome;
use crate::clock::Clock;
use crate::journal::{Notice, PostFailure};
use crate::life::{Change, Place};
use crate::outbound::CALL_TIMEOUT;
use crate::reply::live;
use crate::reply::{self, Audience};
use crate::slack::ResponseUrl;
use crate::slack::respond::{self, PostError};
use crate::slack::web_api::WebApi;
use crate::store::{Claimed, Store};
use crate::telemetry::{Metrics, Party};
use crate::work::Work;

/// A command in hand.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// Its row.
    pub(super) claimed: &'a Claimed,
    /// What it is to do.
    pub(super) work: &'a Work,
}

/// The ways to Slack. No `Debug`: it holds the token.
pub struct Delivery {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// Who knows for how long a command is ours.
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

    /// Posts by the Web API, else by the response_url, after which the message cannot be edited.
    pub(super) async fn post(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
    ) -> Result<Option<Place>, PostError> {
        // Whoever was stopped since that was asked last must not go on as if nothing was.
        self.is_ours(claimed)?;
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
                Err(error) => return Err(error),
            }
        }
        self.is_ours(claimed)?;
        match self.respond(claimed, &content, SlackMessageResponseType::InChannel).await {
            Ok(()) => Ok(None),
            // The first refusal is the one that somebody can do something about.
            Err(PostError::Refused(word)) => Err(PostError::Refused(refused.unwrap_or(word))),
            Err(error) => Err(error),
        }
    }

    /// Shows the link to its requester alone: by the response_url, else by a direct message. Never by
    /// an ephemeral message of the Web API, whose links Slack follows.
    async fn post_privately(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
    ) -> Result<Option<Place>, PostError> {
        match self.respond(claimed, &content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Ok(None),
            Err(PostError::Refused(word)) => {
                tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
            }
            Err(error) => return Err(error),
        }
        let dead = || PostError::Refused(DEAD_RESPONSE_URL.to_owned());
        let web_api = self.web_api.as_ref().ok_or_else(dead)?;
        self.is_ours(claimed)?;
        web_api.post_message(&claimed.user_id, content).await.map(Some)
    }

    /// Puts something else in the place of a message.
    pub(super) async fn update(&self, place: &Place, content: &SlackMessageContent) -> Result<(), PostError> {
        match &self.web_api {
            Some(web_api) => web_api.update(place, content).await,
            None => Err(PostError::NotSent("without a token")),
        }
    }

    /// Says in the thread of a message who asked for the new link in it.
    pub(super) async fn say_who_renewed(&self, claimed: &Claimed, place: &Place) {
        if let Some(web_api) = &self.web_api {
            // The message says it; without a word in the thread it is as true.
            let _ = web_api.post_in_thread(place, live::renewed_by(&claimed.user_id)).await;
        }
    }

    /// Says once in a channel what would keep its messages up to date.
    pub(super) async fn hint_to_invite(&self, claimed: &Claimed, hint: &SlackMessageContent) {
        if self.audience == Audience::Channel && self.hints.first_time(&claimed.channel_id) {
            // The link is there; a hint that is lost is given the next time.
            let _ = self.respond(claimed, hint, SlackMessageResponseType::Ephemeral).await;
        }
    }

    /// Tells the person what came of the command in the place of a link.
    pub(super) async fn tell(&self, job: Job<'_>, notice: &Notice, again: bool) -> Outcome {
        let Job { claimed, work } = job;
        let content = reply::notice(notice, work, &claimed.id);
        if let Err(error) = self.is_ours(claimed) {
            return failed(claimed, error);
        }
        self.count_retry(again);
        match self.respond(claimed, &content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Outcome::Told,
            Err(PostError::Refused(word)) => {
                tracing::info!(command = claimed.id, slack_says = word, "the response_url is dead");
            }
            Err(error) => return failed(claimed, error),
        }
        let Some(web_api) = &self.web_api else { return dead_response_url() };
        if let Err(error) = self.is_ours(claimed) {
            return failed(claimed, error);
        }
        match web_api.post_ephemeral(&claimed.channel_id, &claimed.user_id, &content).await {
            Ok(()) => return Outcome::Told,
            Err(PostError::Refused(_)) => {}
            Err(error) => return failed(claimed, error),
        }
        if let Err(error) = self.is_ours(claimed) {
            return failed(claimed, error);
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

    /// Whether one more call can be made before anybody else may have the command: each takes its time.
    fn is_ours(&self, claimed: &Claimed) -> Result<(), PostError> {
        match self.store.holds_for(claimed, CALL_TIMEOUT) {
            true => Ok(()),
            false => Err(PostError::NotSent("not ours any more")),
        }
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

/// What stands for Slack's word where there is nobody left to ask.
const DEAD_RESPONSE_URL: &str = "the response_url is dead";

fn dead_response_url() -> Outcome {
    Outcome::PostFailed(PostFailure::Refused(DEAD_RESPONSE_URL.to_owned()))
}

pub(super) fn failed(claimed: &Claimed, error: PostError) -> Outcome {
    tracing::debug!(command = claimed.id, %error, "a message did not reach Slack");
    Outcome::PostFailed(match error {
        PostError::Refused(word) => PostFailure::Refused(word),
        PostError::Throttled(pause) => PostFailure::Throttled(pause),
        PostError::NotSent(_) => PostFailure::NotSent,
        PostError::Unclear(_) => PostFailure::Unclear,
    })
}

/// What a post that did not arrive means for the command: an earlier one may have.
pub(super) fn not_posted(job: Job<'_>, change: &Change, error: PostError) -> Outcome {
    let unclear = change.connection.posting.as_ref().is_some_and(|posting| posting.unclear);
    match failed(job.claimed, error) {
        Outcome::PostFailed(PostFailure::Refused(_)) if unclear => {
            Outcome::PostFailed(PostFailure::Unconfirmed)
        }
        outcome => outcome,
    }
}
