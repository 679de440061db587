//! `POST /slack/interactivity`, and what comes over a socket in its place: what people do with the bot's
//! messages and with its form.
//!
//! Owns who may press what, and in which channel a press counts. A button's value is the reference of a
//! row of ours, and everything that decides is read from that row: the channel, the message, the person.
//! Or it is a line, which is judged as if the person had typed it here and now. Must not call Fivetran or
//! Slack before the answer, which has to arrive within three seconds.

mod answer;
mod in_message;

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::accept::{Answered, Asked, Intake};
use super::commands::Commands;
use super::deadline::Deadline;
use super::feedback::{self, Feedback, Way};
use super::form::Forms;
use super::home::Homes;
use super::json;
use super::list::page as page_of;
use super::signed::{self, Signed};
use crate::clock::Clock;
use crate::command::proposal::Proposal;
use crate::command::{cancel, renew, sync};
use crate::journal::Progress;
use crate::life::Link;
use crate::permission::{Gate, Home, Person, Reason, Refused};
use crate::reply::list::{BACK, NEXT};
use crate::reply::live::{OPEN_CARD, RENEW};
use crate::reply::{self, ask, form, onboarding::CONNECT};
use crate::slack::caller::Caller;
use crate::slack::id;
use crate::slack::interaction::{Interaction, Unreadable, Workspace};
use crate::slack::{ResponseUrl, SlashCommand};
use crate::store::{Store, StoreError};
use crate::telemetry::{Answer, Metrics};
use crate::work::Work;
use answer::Yes;

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
    /// Who calls response_urls.
    pub caller: Caller,
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
    /// What becomes of a line that a button types.
    pub commands: Arc<Commands>,
    /// What becomes of a press in the app's Home.
    pub homes: Arc<Homes>,
}

/// Answers one interaction, an unknown one too. Only its kind is logged: the rest holds what people typed.
pub async fn handle(Shared(route): Shared<Arc<Interactivity>>, request: Request) -> Response {
    let deadline = Deadline::of(request.extensions());
    let (answer, response) = match route.receive(request, deadline).await {
        Ok((answer, Some(said))) => (answer, json(&said)),
        Ok((answer, None)) => (answer, StatusCode::OK.into_response()),
        Err(status) => (Answer::Refused, status.into_response()),
    };
    route.metrics.answered(answer, deadline.began().elapsed().as_secs_f64());
    response
}

impl Interactivity {
    /// From a request over HTTP to what it counts as and what there is to say, if anything.
    async fn receive(
        &self,
        request: Request,
        deadline: Deadline,
    ) -> Result<(Answer, Option<Value>), StatusCode> {
        let (head, body) = request.into_parts();
        let body = signed::read(body, deadline).await?;
        let signature = self.signed.verify(&head, &body)?;
        match Interaction::decode(&body) {
            Ok(interaction) => Ok(respond(self, &signature, interaction, deadline).await),
            Err(Unreadable { is_form }) => {
                tracing::warn!(bytes = body.len(), "an interaction that cannot be read");
                // Of a press, nothing says where to answer; a form waits for an answer in it, and would
                // close without one as if it had worked.
                let said = is_form.then(|| form::instead(form::unreadable()));
                Ok((Answer::Replied, said.and_then(|said| serde_json::to_value(said).ok())))
            }
        }
    }

    /// From the payload of an envelope to what goes into its acknowledgement, if anything.
    pub(super) async fn heard(&self, key: &[u8], payload: &Value, deadline: Deadline) -> Option<Value> {
        let interaction = Interaction::of_payload(payload);
        let (answer, said) = respond(self, key, interaction, deadline).await;
        self.metrics.answered(answer, deadline.began().elapsed().as_secs_f64());
        said
    }
}

/// From an interaction that is Slack's, whichever way it came in, to what it counts as and the answer, if
/// it has one. `key` names the request: a replay has the same.
async fn respond(
    route: &Interactivity,
    key: &[u8],
    interaction: Interaction,
    deadline: Deadline,
) -> (Answer, Option<Value>) {
    tracing::debug!(kind = interaction.known_kind(), "an interaction");
    let replied = |said: Option<Value>| (Answer::Replied, said);
    let unreadable = |missing: &str| {
        tracing::warn!(missing, "an interaction that cannot be read");
        tell(route, &interaction, Feedback::ephemeral(ask::unreadable()));
        replied(None)
    };
    match interaction.kind.as_str() {
        "block_suggestion" => {
            replied(serde_json::to_value(route.forms.suggest(&interaction, deadline).await).ok())
        }
        "view_submission" => {
            let (answer, said) = route.forms.submit(key, &interaction, deadline).await;
            (answer, said.and_then(|said| serde_json::to_value(said).ok()))
        }
        // What a button that opens a link does, the browser does.
        "block_actions"
            if interaction.home().is_none()
                && interaction
                    .action
                    .as_ref()
                    .is_some_and(|it| it.id == OPEN_CARD || it.id == ask::OPEN_MESSAGE) =>
        {
            replied(None)
        }
        "block_actions" if interaction.home().is_some() => {
            (route.homes.pressed(key, &interaction, deadline).await, None)
        }
        "block_actions"
            if interaction.view.as_ref().is_some_and(|view| view.callback_id == form::CALLBACK) =>
        {
            route.forms.changed(&interaction);
            replied(None)
        }
        "block_actions" => match Press::of(route, &interaction, deadline) {
            Ok(press) => {
                let said = press.answer(route, key).await;
                let answer = said.answer;
                tell(route, &interaction, said);
                (answer, None)
            }
            Err(missing) => unreadable(missing),
        },
        "" if interaction.view.is_some() => {
            tracing::warn!(missing = "type", "an interaction that cannot be read");
            replied(serde_json::to_value(form::instead(form::unreadable())).ok())
        }
        "" => unreadable("type"),
        _ => replied(None),
    }
}

/// A press of a button of ours.
struct Press {
    action: String,
    value: String,
    /// Where the app is installed.
    workspace: Workspace,
    /// Where the message with the button stands.
    pressed_in: String,
    /// Where what comes of it belongs: the same, unless the question came as a direct message.
    channel_id: String,
    /// Whether that is a conversation that nobody can invite the bot to.
    is_direct: bool,
    message_ts: Option<String>,
    user_id: String,
    /// The person's own workspace.
    home: Home,
    /// `None` where it leads to another conversation than what comes of it.
    response_url: Option<ResponseUrl>,
    deadline: Deadline,
}

impl Press {
    /// # Errors
    /// What is missing.
    fn of(
        route: &Interactivity,
        interaction: &Interaction,
        deadline: Deadline,
    ) -> Result<Self, &'static str> {
        let Interaction { user_id, user_team, workspace, channel_id, message_ts, action, .. } = interaction;
        let action = action.as_ref().filter(|action| !action.id.is_empty()).ok_or("action")?;
        let channel = channel_id.clone().ok_or("channel")?;
        Ok(Self {
            action: action.id.clone(),
            value: action.value.clone().unwrap_or_default(),
            workspace: workspace.clone(),
            is_direct: id::is_direct(&channel, interaction.channel_name.as_deref()),
            pressed_in: channel.clone(),
            channel_id: channel,
            message_ts: message_ts.clone(),
            user_id: user_id.clone().ok_or("user")?,
            home: Home::Told(user_team.clone()),
            response_url: Some(interaction.response_url(&route.response_url_origins).ok_or("response_url")?),
            deadline,
        })
    }

    async fn answer(mut self, route: &Interactivity, key: &[u8]) -> Feedback {
        let result = match self.action.as_str() {
            RENEW | CONNECT => self.renew(route, key).await,
            ask::DISMISS => Ok(Feedback::replace(ask::dismissed())),
            _ => self.answer_for_itself(route, key).await,
        };
        result.unwrap_or_else(|error| {
            tracing::error!(%error, "could not look up what a button is about");
            Feedback::ephemeral(reply::not_accepted()).counting_as(Answer::NotAccepted)
        })
    }

    /// The same where it counts who presses.
    async fn answer_for_itself(&mut self, route: &Interactivity, key: &[u8]) -> Result<Feedback, StoreError> {
        if id::is_of_two(&self.pressed_in) {
            match self.belongs_to(route).await? {
                Some(channel) if channel == self.pressed_in => {}
                Some(channel) => {
                    // In the direct message nobody else may come to see what comes of it.
                    (self.is_direct, self.response_url) = (id::is_direct(&channel, None), None);
                    self.channel_id = channel;
                }
                None => return Ok(Feedback::ephemeral(ask::not_yours())),
            }
        }
        match self.authorize(route).await {
            Ok(team_id) => self.act(route, key, &team_id).await,
            // There is nobody whom they could ask for access.
            Err(Refused { reason: Reason::Outsider, .. }) => {
                Ok(Feedback::ephemeral(ask::not_yours_outside()))
            }
            Err(refused) => Ok(Feedback::ephemeral(reply::refused(&refused))),
        }
    }

    /// Where what was asked in a direct message belongs: where its row or its line says, if it was asked
    /// of this person.
    async fn belongs_to(&self, route: &Interactivity) -> Result<Option<String>, StoreError> {
        let asked = match self.action.as_str() {
            ask::POST_HERE | ask::POST_FOR_ALL | ask::REAUTHORISE => {
                self.question(route).await?.map(|asked| (asked.user_id, asked.channel_id))
            }
            ask::RENEW_HERE | ask::CANCEL | ask::SYNC_NOW => {
                self.look_up(route).await?.map(|link| (link.requester.unwrap_or_default(), link.channel_id))
            }
            action if ask::types(action) => Proposal::parse(&self.value)
                .map(|proposal| (proposal.user.to_owned(), proposal.channel.to_owned())),
            _ => return Ok(Some(self.pressed_in.clone())),
        };
        let asked = asked.filter(|(user, channel)| *user == self.user_id || *channel == self.pressed_in);
        Ok(asked.map(|(_, channel)| channel))
    }

    /// What only people do who may use the bot; `team_id` is what everything of theirs is kept under.
    async fn act(&self, route: &Interactivity, key: &[u8], team_id: &str) -> Result<Feedback, StoreError> {
        match self.action.as_str() {
            ask::POST_HERE => self.confirm(route, key, team_id, Yes::PostHere).await,
            ask::POST_FOR_ALL => self.confirm(route, key, team_id, Yes::PostForAll).await,
            ask::REAUTHORISE => self.confirm(route, key, team_id, Yes::Reauthorise).await,
            ask::RENEW_HERE => self.renew_here(route, key, team_id).await,
            BACK | NEXT => self.turn(route, team_id).await,
            ask::CANCEL => self.cancel(route, key, team_id).await,
            ask::SYNC_NOW => self.sync(route, key, team_id).await,
            action if ask::types(action) => self.types(route, key, team_id).await,
            _ => {
                tracing::warn!("a press of a button that this version does not have");
                Ok(Feedback::ephemeral(ask::unknown()))
            }
        }
    }

    /// Whether the person may still do what a private message is about.
    async fn authorize(&self, route: &Interactivity) -> Result<String, Refused> {
        let person = Person {
            user_id: self.user_id.clone(),
            workspace: self.workspace.clone(),
            home: self.home.clone(),
        };
        let (now, limit) = (route.clock.now(), self.deadline.early());
        route.gate.authorize(&person, &self.channel_id, now, limit).await
    }

    /// Types the line that was proposed to this person, here: from there on it is as if they had.
    async fn types(&self, route: &Interactivity, key: &[u8], team_id: &str) -> Result<Feedback, StoreError> {
        let theirs = |it: &Proposal<'_>| it.user == self.user_id && it.channel == self.channel_id;
        let proposal = Proposal::parse(&self.value).filter(theirs);
        let Some(proposal) = proposal else { return Ok(Feedback::ephemeral(ask::not_yours())) };
        if self.asked_too_long_ago(route) {
            return Ok(Feedback::replace(ask::too_old()));
        }
        let typed = SlashCommand {
            team_id: team_id.to_owned(),
            enterprise_id: None,
            is_direct: self.is_direct,
            channel_id: self.channel_id.clone(),
            user_id: self.user_id.clone(),
            command: proposal.slash.to_owned(),
            text: proposal.line.to_owned(),
            response_url: self.response_url.clone(),
            trigger_id: None,
        };
        let (answer, content) =
            route.commands.read(&self.once(key), typed, self.action == ask::MAKE, self.deadline).await;
        let elsewhere = answer == Answer::Accepted && self.channel_id != self.pressed_in;
        let content = if elsewhere { Some(reply::accepted_in(&self.channel_id)) } else { content };
        Ok(content.map_or_else(Feedback::none, Feedback::replace).counting_as(answer))
    }

    /// Names this button in this message, so that pressing it twice is one command. `key` names the
    /// press, for a message that has no name.
    fn once(&self, key: &[u8]) -> Vec<u8> {
        let Some(ts) = &self.message_ts else { return key.to_vec() };
        let Self { pressed_in, user_id, value, .. } = self;
        let button = [pressed_in, user_id, ts, value].map(String::as_str).join("\n");
        digest(&SHA256, button.as_bytes()).as_ref().to_vec()
    }

    /// The link that a button is about.
    async fn look_up(&self, route: &Interactivity) -> Result<Option<Link>, StoreError> {
        let (store, id) = (route.store.clone(), self.value.clone());
        let stored = self.deadline.wait_for(async move { store.connection_of_link(&id).await }).await;
        let stored = stored.unwrap_or(Err(StoreError::Unanswered))?;
        Ok(stored.map(|stored| stored.connection.link))
    }

    /// The same, only in the channel that it was asked for in.
    async fn link_here(&self, route: &Interactivity, team_id: &str) -> Result<Option<Link>, StoreError> {
        let link = self.look_up(route).await?;
        Ok(link.filter(|it| id::may_be_one(&it.team_id, team_id) && it.channel_id == self.channel_id))
    }

    /// From a private message: the same as `renew`, typed.
    async fn renew_here(
        &self,
        route: &Interactivity,
        key: &[u8],
        team_id: &str,
    ) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route, team_id).await? else {
            return Ok(Feedback::ephemeral(ask::not_yours()));
        };
        match renew::work(&link) {
            Ok((work, progress)) if self.channel_id == self.pressed_in => {
                let answered = self.accept(route, key, &link.team_id, &work, progress).await;
                let told = route.commands.told_of(&answered, &work, &link);
                Ok(Feedback::replace(told).counting_as(answered.counts_as()))
            }
            Ok((work, progress)) => self.carry_out(route, key, &link.team_id, work, progress).await,
            Err(why) => Ok(Feedback::replace(ask::not_renewable(why, &link))),
        }
    }

    /// From a private message about a connection that does not work.
    async fn sync(&self, route: &Interactivity, key: &[u8], team_id: &str) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route, team_id).await? else {
            return Ok(Feedback::ephemeral(ask::not_yours()));
        };
        match sync::work(&link) {
            Ok((work, progress)) => self.carry_out(route, key, &link.team_id, work, progress).await,
            Err(why) => Ok(Feedback::replace(ask::not_synced(why, &link))),
        }
    }

    /// Another page of the list of this channel; the value is nothing but its number.
    async fn turn(&self, route: &Interactivity, team_id: &str) -> Result<Feedback, StoreError> {
        let Ok(number) = self.value.parse() else { return Ok(Feedback::ephemeral(ask::not_yours())) };
        let (here, now) = ((team_id, self.channel_id.as_str()), route.clock.now());
        let page = page_of(&route.store, here, number, now, self.deadline).await?;
        Ok(Feedback::replace(reply::list::list(&page, None)))
    }

    async fn cancel(&self, route: &Interactivity, key: &[u8], team_id: &str) -> Result<Feedback, StoreError> {
        let Some(link) = self.link_here(route, team_id).await? else {
            return Ok(Feedback::ephemeral(ask::not_yours()));
        };
        if self.asked_too_long_ago(route) {
            return Ok(Feedback::replace(ask::too_old()));
        }
        // It may have been connected, or be gone, since the button was shown.
        if let Some(why) = cancel::refused(&link) {
            return Ok(Feedback::replace(ask::not_cancellable(why, &link)));
        }
        let (work, progress) = cancel::work(&link);
        self.carry_out(route, key, &link.team_id, work, progress).await
    }

    /// Whether the question is older than one may get.
    fn asked_too_long_ago(&self, route: &Interactivity) -> bool {
        let posted = self.message_ts.as_deref().and_then(id::posted_at);
        posted.is_some_and(|posted| route.clock.now().as_second() - posted > QUESTION_LIFE.as_secs())
    }

    async fn carry_out(
        &self,
        route: &Interactivity,
        key: &[u8],
        team_id: &str,
        work: Work,
        progress: Progress,
    ) -> Result<Feedback, StoreError> {
        let answered = self.accept(route, key, team_id, &work, progress).await;
        let links = matches!(work, Work::Connect(_) | Work::Renew { .. } | Work::Open { .. });
        let told = match &answered {
            Answered::Accepted(_) if links && self.channel_id != self.pressed_in => {
                reply::accepted_in(&self.channel_id)
            }
            _ => answered.told(&work),
        };
        Ok(Feedback::replace(told).counting_as(answered.counts_as()))
    }

    async fn accept(
        &self,
        route: &Interactivity,
        key: &[u8],
        team_id: &str,
        work: &Work,
        progress: Progress,
    ) -> Answered {
        route.intake.accept(key, self.asked(team_id), work, progress, self.deadline).await
    }

    fn asked(&self, team_id: &str) -> Asked {
        Asked {
            team_id: team_id.to_owned(),
            channel_id: self.channel_id.clone(),
            user_id: self.user_id.clone(),
            response_url: self.response_url.clone(),
        }
    }
}

/// Tells somebody what came of what they did.
fn tell(route: &Interactivity, interaction: &Interaction, said: Feedback) {
    let way = Way::of(&route.response_url_origins, interaction);
    feedback::tell(route.caller.clone(), route.forms.web_api.clone(), way, said);
}
