//! `POST /slack/interactivity`: what people do with the bot's messages and with its form.
//!
//! Owns who may press what. A button's value is only ever the reference of a row of ours, and
//! everything that decides is read from that row: the channel, the message, the person. Must not
//! call Fivetran or Slack before the answer, which has to arrive within three seconds.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use serde_json::Value;
use slack_morphism::prelude::{SlackMessageContent, SlackMessageResponseType};

use super::accept::{Answered, Asked, Intake};
use super::deadline::Deadline;
use super::form::Forms;
use super::json;
use super::list::page as page_of;
use super::signed::{self, Signed};
use crate::clock::Clock;
use crate::command::{cancel, renew, sync};
use crate::journal::Progress;
use crate::life::{Link, State};
use crate::permission::{Gate, Person, Refused};
use crate::reply::list::{BACK, NEXT};
use crate::reply::live::{OPEN_CARD, RENEW};
use crate::reply::{self, ask};
use crate::slack::respond;
use crate::slack::{Interaction, ResponseUrl};
use crate::store::{Store, StoreError};
use crate::telemetry::{Answer, Metrics};
use crate::work::{Confirmed, Work};

/// How long a private question can be answered; its buttons stay, but what they are about moves on.
const QUESTION_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What the route uses. No `Debug`: it holds secrets.
pub struct Interactivity {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// Who tells Slack's requests from others.
    pub signed: Arc<Signed>,
    /// The HTTP client, for response_urls.
    pub http: reqwest::Client,
    /// Where a response_url may point.
    pub response_url_origins: Arc<[url::Origin]>,
    /// Who may.
    pub gate: Arc<Gate>,
    /// Where commands come in.
    pub intake: Intake,
    /// The links and commands that buttons are about.
    pub store: Store,
    /// The form of the bare command.
    pub forms: Arc<Forms>,
}

/// Answers one interaction. One that is unknown is answered all the same, and only its kind is
/// logged: the rest holds what people typed, and a response_url.
pub async fn handle(Shared(interactivity): Shared<Arc<Interactivity>>, request: Request) -> Response {
    let response = receive(&interactivity, request).await;
    if !response.status().is_success() {
        interactivity.metrics.answered(Answer::Refused, 0.0);
    }
    response
}

async fn receive(route: &Interactivity, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let deadline = Deadline::of(&head.extensions);
    let body = match signed::read(body, deadline).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let signature = match route.signed.verify(&head, &body) {
        Ok(signature) => signature,
        Err(status) => return status.into_response(),
    };
    let Some(interaction) = Interaction::decode(&body) else {
        tracing::warn!(bytes = body.len(), "an interaction that cannot be read");
        return StatusCode::OK.into_response();
    };
    match respond(route, &signature, interaction, deadline).await {
        Some(answer) => json(&answer),
        None => StatusCode::OK.into_response(),
    }
}

/// From an interaction that is Slack's, whichever way it came in, to the answer, if it has one. `key`
/// names the request: a replay has the same.
async fn respond(
    route: &Interactivity,
    key: &[u8],
    interaction: Interaction,
    deadline: Deadline,
) -> Option<Value> {
    tracing::debug!(kind = interaction.kind, "an interaction");
    match interaction.kind.as_str() {
        "block_suggestion" => serde_json::to_value(route.forms.suggest(&interaction)).ok(),
        "view_submission" => {
            serde_json::to_value(route.forms.submit(key, &interaction, deadline).await?).ok()
        }
        "block_actions" => {
            Press::of(route, interaction, deadline)?.answer(route, key).await;
            None
        }
        _ => None,
    }
}

/// A press of a button of ours.
struct Press {
    action: String,
    value: String,
    team_id: String,
    channel_id: String,
    message_ts: Option<String>,
    user_id: String,
    /// The person's own workspace.
    home: Option<String>,
    /// Whether the person is of another workspace than the one that the app is installed in.
    outsider: bool,
    response_url: ResponseUrl,
    deadline: Deadline,
}

/// How the person learns what came of a press.
enum Feedback {
    /// In the place of the question.
    Replace(SlackMessageContent),
    /// Beside the message, which stays.
    Ephemeral(SlackMessageContent),
    /// The message itself will show it.
    None,
}

impl Press {
    /// `None` for a press that needs no answer: of a button that opens a link, or of none of ours.
    fn of(route: &Interactivity, interaction: Interaction, deadline: Deadline) -> Option<Self> {
        let response_url = interaction.response_url(&route.response_url_origins)?;
        let Interaction { user, team, channel, container, actions, .. } = interaction;
        let user = user?;
        let team_id = team.map(|team| team.id);
        // In an organisation a person's team can be the organisation itself, whose id begins so.
        let home = user.team_id.filter(|home| !home.starts_with('E'));
        let outsider = matches!((&home, &team_id), (Some(home), Some(team)) if home != team);
        let container_channel = container.as_ref().and_then(|container| container.channel_id.clone());
        let action = actions.into_iter().next().filter(|action| action.action_id != OPEN_CARD)?;
        Some(Self {
            action: action.action_id,
            value: action.value?,
            team_id: team_id.or_else(|| home.clone())?,
            channel_id: channel.map(|channel| channel.id).or(container_channel)?,
            message_ts: container.and_then(|container| container.message_ts),
            user_id: user.id,
            home,
            outsider,
            response_url,
            deadline,
        })
    }

    async fn answer(self, route: &Interactivity, key: &[u8]) {
        let result = match self.action.as_str() {
            RENEW => self.renew(route, key).await,
            ask::DISMISS => Ok(Feedback::Replace(ask::dismissed())),
            _ if self.outsider => Ok(Feedback::Ephemeral(ask::not_yours())),
            ask::POST_HERE
            | ask::REAUTHORISE
            | ask::CANCEL
            | ask::RENEW_HERE
            | ask::SYNC_NOW
            | BACK
            | NEXT
                if let Err(refused) = self.authorize(route).await =>
            {
                Ok(Feedback::Ephemeral(reply::refused(&refused)))
            }
            ask::POST_HERE => self.confirm(route, key, Confirmed::PostHere).await,
            ask::REAUTHORISE => self.confirm(route, key, Confirmed::Reauthorise).await,
            ask::RENEW_HERE => self.renew_here(route, key).await,
            ask::SYNC_NOW => self.sync(route, key).await,
            BACK | NEXT => self.turn(route).await,
            ask::CANCEL => self.cancel(route, key).await,
            _ => return,
        };
        let said = result.unwrap_or_else(|error| {
            tracing::error!(%error, "could not look up what a button is about");
            Feedback::Ephemeral(reply::not_accepted())
        });
        let (http, url) = (route.http.clone(), self.response_url);
        // After the answer: a sentence that is lost here was not promised to anyone.
        tokio::spawn(async move {
            let sent = match said {
                Feedback::Replace(content) => respond::replace(&http, &url, &content).await,
                Feedback::Ephemeral(content) => {
                    respond::post(&http, &url, &content, SlackMessageResponseType::Ephemeral).await
                }
                Feedback::None => Ok(()),
            };
            if let Err(error) = sent {
                tracing::info!(%error, "a press could not be answered");
            }
        });
    }

    /// Whether the person may still do what a private message is about.
    async fn authorize(&self, route: &Interactivity) -> Result<(), Refused> {
        let person = Person {
            team_id: self.home.as_deref().unwrap_or(&self.team_id),
            enterprise_id: None,
            user_id: &self.user_id,
        };
        route.gate.authorize(&person, &self.channel_id, route.clock.now(), self.deadline.early()).await
    }

    /// Anyone who sees a link's own message may ask for a new link in it, people of the customer's
    /// workspace too: the new one appears where the old one was.
    async fn renew(&self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        let link = self.look_up(route).await?;
        let Some(link) = link.filter(|link| self.is_in_message_of(link)) else {
            return Ok(Feedback::Ephemeral(ask::not_yours()));
        };
        if link.state == State::Waiting && route.clock.now() < link.expires_at {
            // Pressed in a client that does not show the new link yet.
            return Ok(Feedback::Ephemeral(ask::renewed_already()));
        }
        Ok(match renew::work(&link) {
            Ok((work, progress)) => match self.accept(route, key, &work, progress).await {
                Answered::Accepted(_) => Feedback::None,
                Answered::AlreadyOnIt(under_way) => {
                    Feedback::Ephemeral(reply::already_on_it(&work, &under_way))
                }
                Answered::NotAccepted => Feedback::Ephemeral(reply::not_accepted()),
                Answered::Unsure => Feedback::Ephemeral(reply::unsure()),
            },
            Err(why) => Feedback::Ephemeral(ask::not_renewable(why, &link)),
        })
    }

    /// Whether the press came from the very message of the link.
    fn is_in_message_of(&self, link: &Link) -> bool {
        let place = link.message.as_ref();
        self.team_id == link.team_id
            && place.is_some_and(|place| place.channel == self.channel_id)
            && place.map(|place| &place.ts) == self.message_ts.as_ref()
    }

    /// Only the person who was asked may answer, where they were asked.
    async fn confirm(
        &self,
        route: &Interactivity,
        key: &[u8],
        confirmed: Confirmed,
    ) -> Result<Feedback, StoreError> {
        let (store, id) = (route.store.clone(), self.value.clone());
        let asked = self.deadline.wait_for(async move { store.command(&id).await }).await;
        let asked = asked.unwrap_or(Err(StoreError::Unanswered))?.filter(|asked| {
            asked.user_id == self.user_id
                && asked.channel_id == self.channel_id
                && asked.team_id == self.team_id
        });
        let work = asked.as_ref().and_then(|asked| serde_json::from_str::<Work>(&asked.request).ok());
        // A renewal asks the same question when its link has moved to another channel.
        let (Some(asked), Some(Work::Connect(mut request) | Work::Renew { mut request, .. })) = (asked, work)
        else {
            return Ok(Feedback::Ephemeral(ask::not_yours()));
        };
        if route.clock.now().duration_since(asked.accepted_at) > QUESTION_LIFE {
            return Ok(Feedback::Replace(ask::too_old()));
        }
        request.confirmed = confirmed;
        self.carry_out(route, key, Work::Connect(request), Progress::default()).await
    }

    /// The link that a button is about.
    async fn look_up(&self, route: &Interactivity) -> Result<Option<Link>, StoreError> {
        let (store, id) = (route.store.clone(), self.value.clone());
        let stored = self.deadline.wait_for(async move { store.connection_of_link(&id).await }).await;
        let stored = stored.unwrap_or(Err(StoreError::Unanswered))?;
        Ok(stored.map(|stored| stored.connection.link))
    }

    /// The link that a button is about, only in the channel that it was asked for in.
    async fn link_here(&self, route: &Interactivity) -> Result<Option<Link>, StoreError> {
        let link = self.look_up(route).await?;
        Ok(link.filter(|link| link.team_id == self.team_id && link.channel_id == self.channel_id))
    }

    /// From a private message: the same as `renew`, typed.
    async fn renew_here(&self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route).await? else {
            return Ok(Feedback::Ephemeral(ask::not_yours()));
        };
        match renew::work(&link) {
            Ok((work, progress)) => self.carry_out(route, key, work, progress).await,
            Err(why) => Ok(Feedback::Replace(ask::not_renewable(why, &link))),
        }
    }

    /// From a private message about a connection that does not work.
    async fn sync(&self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route).await? else {
            return Ok(Feedback::Ephemeral(ask::not_yours()));
        };
        match sync::work(&link) {
            Ok((work, progress)) => self.carry_out(route, key, work, progress).await,
            Err(why) => Ok(Feedback::Replace(ask::not_synced(why, &link))),
        }
    }

    /// Another page of the list of this channel; the value is nothing but its number.
    async fn turn(&self, route: &Interactivity) -> Result<Feedback, StoreError> {
        let Ok(number) = self.value.parse() else { return Ok(Feedback::Ephemeral(ask::not_yours())) };
        let (store, team, channel) = (route.store.clone(), self.team_id.clone(), self.channel_id.clone());
        let now = route.clock.now();
        let page = self.deadline.wait_for(async move { page_of(&store, &team, &channel, number, now).await });
        let page = page.await.unwrap_or(Err(StoreError::Unanswered))?;
        Ok(Feedback::Replace(reply::list::list(&page, None)))
    }

    async fn cancel(&self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route).await? else {
            return Ok(Feedback::Ephemeral(ask::not_yours()));
        };
        if link.state.is_deleted() || self.asked_too_long_ago(route) {
            return Ok(Feedback::Replace(ask::too_old()));
        }
        let (work, progress) = cancel::work(&link);
        self.carry_out(route, key, work, progress).await
    }

    /// Whether the message with the question is older than a question may get. Slack's message ids
    /// begin with the second in which the message was posted.
    fn asked_too_long_ago(&self, route: &Interactivity) -> bool {
        let posted = self.message_ts.as_deref().and_then(|ts| ts.split('.').next()?.parse::<i64>().ok());
        posted.is_some_and(|posted| route.clock.now().as_second() - posted > QUESTION_LIFE.as_secs())
    }

    async fn carry_out(
        &self,
        route: &Interactivity,
        key: &[u8],
        work: Work,
        progress: Progress,
    ) -> Result<Feedback, StoreError> {
        Ok(Feedback::Replace(match self.accept(route, key, &work, progress).await {
            Answered::Accepted(id) => reply::accepted(&work, &id),
            Answered::AlreadyOnIt(under_way) => reply::already_on_it(&work, &under_way),
            Answered::NotAccepted => reply::not_accepted(),
            Answered::Unsure => reply::unsure(),
        }))
    }

    async fn accept(&self, route: &Interactivity, key: &[u8], work: &Work, progress: Progress) -> Answered {
        let asked = Asked {
            team_id: self.team_id.clone(),
            channel_id: self.channel_id.clone(),
            user_id: self.user_id.clone(),
            response_url: self.response_url.clone(),
        };
        route.intake.accept(key, asked, work, progress, self.deadline).await
    }
}
