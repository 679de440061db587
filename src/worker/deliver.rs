//! How a reply reaches Slack: which of the ways is tried, and in which order.
//!
//! Owns the choice between the Web API and the response_url. A link goes to the channel by the
//! Web API first, since only such a message can be edited later; a failure goes to the person by
//! the response_url first, since that needs no membership. Must not call Fivetran.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
use crate::slack::caller::Caller;
use crate::slack::pauses::Pauses;
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
    /// Who calls response_urls.
    pub caller: Caller,
    /// Where a response_url may point.
    pub response_url_origins: Arc<[url::Origin]>,
    /// The pauses that Slack asks for by response_urls, for each channel.
    pub response_url_pauses: Pauses,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// Who gets to see a link.
    pub audience: Audience,
    /// The channels in which the hint to invite the bot was given.
    pub hints: Hints,
}

/// A message that has reached Slack.
pub(super) struct Sent {
    /// Where it can be edited, if it can.
    pub(super) place: Option<Place>,
    /// Whether it could be, were the bot in the channel.
    pub(super) uninvited: bool,
}

impl Sent {
    /// By the Web API, which nearly always says where.
    pub(super) fn at(place: Option<Place>) -> Self {
        Self { place, uninvited: false }
    }

    /// Where it cannot be edited by its own place.
    pub(super) fn nowhere() -> Self {
        Self { place: None, uninvited: false }
    }
}

/// What has been tried of a post.
#[derive(Clone, Copy)]
pub(super) struct Tried {
    /// Whether a try of which nothing was heard may have posted it.
    pub(super) unclear: bool,
    /// What has failed since the stage began, calls to Fivetran included.
    pub(super) tries: u32,
}

impl Tried {
    /// Whether nothing has failed yet.
    pub(super) fn is_none(self) -> bool {
        !self.unclear && self.tries == 0
    }
}

impl Delivery {
    /// Whether there is a bot token.
    #[must_use]
    pub fn has_web_api(&self) -> bool {
        self.web_api.is_some()
    }

    /// Whether a link is shown to a whole channel by a token with which can be asked who that is.
    pub(super) fn shows_all(&self) -> bool {
        self.audience == Audience::Channel && self.has_web_api()
    }

    /// Posts by the Web API, else by the response_url, after which the message cannot be edited.
    pub(super) async fn post(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
        tried: Tried,
    ) -> Result<Sent, PostError> {
        // Whoever was stopped since that was asked last must not go on as if nothing was.
        self.is_ours(claimed)?;
        if self.audience == Audience::Requester {
            return self.post_privately(claimed, content).await;
        }
        let mut refused = None;
        if let Some(web_api) = &self.web_api {
            match web_api.post_message(&claimed.channel_id, content.clone()).await {
                Ok(place) => return Ok(Sent::at(place)),
                Err(error) if self.is_worth_waiting_for(&error, claimed, tried) => return Err(error),
                Err(error) if error.leaves_other_ways() => {
                    tracing::info!(command = claimed.id, %error, "not by the Web API; using the response_url");
                    refused = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        self.is_ours(claimed)?;
        match self.respond(claimed, &content, SlackMessageResponseType::InChannel).await {
            Ok(()) => {
                let uninvited = refused.is_some_and(|refused| refused.may_end_by_an_invitation());
                Ok(Sent { place: None, uninvited })
            }
            // The first refusal is the one that somebody can do something about.
            Err(error) if error.leaves_other_ways() => Err(match refused {
                Some(refused) => refused.or(error),
                None => error,
            }),
            Err(error) => Err(error),
        }
    }

    /// Whether the Web API, by which alone a message can be edited later, may work so soon that its link
    /// does not go by the response_url.
    fn is_worth_waiting_for(&self, error: &PostError, claimed: &Claimed, tried: Tried) -> bool {
        match error {
            // A link that may be there is not put there again by a way of which no edit takes it back.
            PostError::Later { .. } | PostError::Throttled(_) | PostError::NotSent(_) if tried.unclear => {
                return true;
            }
            PostError::Throttled(_) | PostError::NotSent(_) => {}
            _ => return false,
        }
        let pause = error.pause();
        if !pause.is_zero() && pause <= WORTH_WAITING && tried.tries < SHORT_PAUSES {
            return true;
        }
        let age = self.clock.now().duration_since(claimed.accepted_at);
        let is_a_hiccup = tried.tries < HICCUPS;
        let waited = if is_a_hiccup { Duration::ZERO } else { Duration::try_from(age).unwrap_or_default() };
        waited.saturating_add(pause) <= WORTH_WAITING
    }

    /// Posts something for everybody in the channel by the Web API, by which alone it can be edited. Returns
    /// where it stands, if Slack said.
    pub(super) async fn post_for_all(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
    ) -> Result<Option<Place>, PostError> {
        self.is_ours(claimed)?;
        match &self.web_api {
            Some(web_api) => web_api.post_message(&claimed.channel_id, content).await,
            None => Err(PostError::Refused("there is no bot token".to_owned())),
        }
    }

    /// Shows the link to its requester alone: by the response_url, else by a direct message. Never by
    /// an ephemeral message of the Web API, whose links Slack follows.
    pub(super) async fn post_privately(
        &self,
        claimed: &Claimed,
        content: SlackMessageContent,
    ) -> Result<Sent, PostError> {
        let refused = match self.respond(claimed, &content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Ok(Sent::nowhere()),
            Err(error) if error.leaves_other_ways() => error,
            Err(error) => return Err(error),
        };
        tracing::info!(command = claimed.id, error = %refused, "not by the response_url");
        let Some(web_api) = &self.web_api else { return Err(nobody_to_ask(refused)) };
        self.is_ours(claimed)?;
        match web_api.post_message(&claimed.user_id, content).await {
            Ok(place) => Ok(Sent::at(place)),
            // A message to the person is the way that somebody can do something about.
            Err(error) if error.leaves_other_ways() => Err(error.or(refused)),
            Err(error) => Err(error),
        }
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
        let content = reply::notice(notice, work, &claimed.id, &claimed.user_id, &claimed.channel_id);
        self.count_retry(again);
        if let Err(error) = self.whisper(claimed, &content).await {
            return failed(claimed, error);
        }
        self.tell_requester(job, notice).await;
        Outcome::Told
    }

    /// Tells the person who asked for a link why somebody else got no new one by its button. Once: that
    /// one was told to ask them.
    async fn tell_requester(&self, Job { claimed, work }: Job<'_>, notice: &Notice) {
        let said = reply::behind(notice, work, &claimed.id, &claimed.user_id, &claimed.channel_id);
        let (Some(web_api), Some(requester), Some(content)) = (&self.web_api, work.requester(), said) else {
            return;
        };
        if self.is_ours(claimed).is_err() {
            return;
        }
        if let Err(error) = web_api.tell_alone(requester, &claimed.channel_id, &content).await {
            tracing::info!(command = claimed.id, %error, "could not tell whoever asked for the link why it failed");
        }
    }

    /// Shows something to the person alone by the first way that takes it: the response_url, the channel,
    /// a direct message. A sentence that may be there already is better said twice than not at all.
    pub(super) async fn whisper(
        &self,
        claimed: &Claimed,
        content: &SlackMessageContent,
    ) -> Result<(), PostError> {
        self.is_ours(claimed)?;
        let failure = match self.respond(claimed, content, SlackMessageResponseType::Ephemeral).await {
            Ok(()) => return Ok(()),
            Err(error) => may_be_repeated(error),
        };
        tracing::info!(command = claimed.id, error = %failure, "not by the response_url");
        let Some(web_api) = &self.web_api else { return Err(nobody_to_ask(failure)) };
        self.is_ours(claimed)?;
        let failure = match web_api.post_ephemeral(&claimed.channel_id, &claimed.user_id, content).await {
            Ok(()) => return Ok(()),
            Err(error) => may_be_repeated(error).or(failure),
        };
        self.is_ours(claimed)?;
        match web_api.post_message(&claimed.user_id, content.clone()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(may_be_repeated(error).or(failure)),
        }
    }

    pub(super) async fn respond(
        &self,
        claimed: &Claimed,
        content: &SlackMessageContent,
        response_type: SlackMessageResponseType,
    ) -> Result<(), PostError> {
        let sealed_away =
            || PostError::Refused("there is no response_url, or the signing secret was changed".to_owned());
        let url = claimed.response_url.as_ref().ok_or_else(sealed_away)?;
        let url =
            ResponseUrl::parse(url.expose_secret(), &self.response_url_origins).ok_or_else(sealed_away)?;
        // Each has a URL of its own, but all that post in a channel share its limit.
        let (pauses, channel) = (&self.response_url_pauses, claimed.channel_id.as_str());
        if let Some(left) = pauses.left(RESPONSE_URL, channel) {
            return Err(PostError::Throttled(Some(left)));
        }
        let posted = respond::post(&self.caller, &url, content, response_type).await;
        if let Err(PostError::Throttled(pause)) = &posted {
            pauses.asked(RESPONSE_URL, channel, *pause);
        }
        posted
    }

    /// Whether one more call can be made before anybody else may have the command: each takes its time.
    pub(super) fn is_ours(&self, claimed: &Claimed) -> Result<(), PostError> {
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

/// How long a link waits for the Web API when nothing can be sent by it: half as long as a person waits
/// without a word.
const WORTH_WAITING: Duration = Duration::from_secs(5);
/// Tries that may fail one right after the other before the Web API is taken to be away.
const HICCUPS: u32 = 2;
/// How often a short pause that Slack asks for is made, before a link goes another way.
const SHORT_PAUSES: u32 = 6;
/// What stands for a method's name where pauses are kept.
const RESPONSE_URL: &str = "response_url";
/// What stands for Slack's word where there is nobody left to ask.
const DEAD_RESPONSE_URL: &str = "the response_url is dead";

/// What the failure of a sentence comes to: something that answers in Slack's place may go away, and
/// saying it twice does no harm.
fn may_be_repeated(error: PostError) -> PostError {
    match error {
        PostError::Unconfirmed(why) => PostError::Unclear(why.to_owned()),
        error => error,
    }
}

/// What a refusal by the response_url comes to without any other way.
fn nobody_to_ask(error: PostError) -> PostError {
    match error {
        PostError::Refused(_) => PostError::Refused(DEAD_RESPONSE_URL.to_owned()),
        error => error,
    }
}

pub(super) fn failed(claimed: &Claimed, error: PostError) -> Outcome {
    tracing::debug!(command = claimed.id, %error, "a message did not reach Slack");
    Outcome::PostFailed(failure(error))
}

/// How a post has failed, as far as what follows goes by it.
pub(super) fn failure(error: PostError) -> PostFailure {
    match error {
        PostError::Refused(word) => PostFailure::Refused(word),
        PostError::Later { word, pause } => PostFailure::Later { slack_says: word, pause },
        PostError::Unconfirmed(_) => PostFailure::Unconfirmed,
        PostError::Throttled(pause) => PostFailure::Throttled(pause),
        PostError::NotSent(_) => PostFailure::NotSent,
        PostError::Unclear(_) => PostFailure::Unclear,
    }
}

/// What a post that did not arrive means for the command: an earlier one may have.
pub(super) fn not_posted(job: Job<'_>, change: &Change, error: PostError) -> Outcome {
    // One that this very command posted, by a process that slept over its lease, is there where nobody can edit it.
    let may_stand = change.connection.posting.as_ref().is_some_and(|posting| {
        posting.unclear || posting.before.as_ref().is_some_and(|before| before.id == job.claimed.id)
    });
    match failed(job.claimed, error) {
        Outcome::PostFailed(PostFailure::Refused(_)) if may_stand => {
            Outcome::PostFailed(PostFailure::Unconfirmed)
        }
        outcome => outcome,
    }
}
