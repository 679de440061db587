//! `POST /slack/commands`, and a command that comes over a socket: from a request of Slack's to a
//! committed command and its acknowledgement.
//!
//! Owns the order of things before the acknowledgement, which share one deadline. Only four things
//! wait for an outside party: whether the person may
//! ([`Gate::authorize`](crate::permission::Gate::authorize), 0.8 s at most); `status`, for Fivetran; the
//! form, for Slack; and `doctor`, for both.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;
use slack_morphism::prelude::{SlackCommandEventResponse, SlackMessageContent, SlackMessageResponseType};
use tokio::time::timeout_at;

use super::accept::{Answered, Asked, Intake};
use super::deadline::Deadline;
use super::doctor::Doctor;
use super::form::Forms;
use super::json;
use super::list::page as page_of;
use super::signed::{self, Signed};
use super::words::Words;
use crate::clock::Clock;
use crate::command::several::Several;
use crate::command::status::View;
use crate::command::surface::Surface;
use crate::command::{self, Command, UsageError, cancel, renew, services, status};
use crate::fivetran::schema::Target;
use crate::journal::Progress;
use crate::life::{self, Event, Link, Place};
use crate::permission::{Gate, Home, Person};
use crate::provision::{self, Provision};
use crate::reply::onboarding::{self, Alone};
use crate::reply::{
    self, Audience, ask, doctor as doctor_reply, list as list_reply, services as services_reply,
    several as several_reply, status as status_reply,
};
use crate::slack::interaction::Workspace;
use crate::slack::{self, NotACommand, SlashCommand};
use crate::store::{MessageWrite, Store, StoreError, Stored, Write};
use crate::telemetry::{Answer, Metrics};
use crate::work::{self, Work};

/// What the route uses. No `Debug`: it holds secrets.
pub struct Commands {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// Who tells Slack's requests from others.
    pub signed: Arc<Signed>,
    /// Where a response_url may point.
    pub response_url_origins: Arc<[url::Origin]>,
    /// Who may.
    pub gate: Arc<Gate>,
    /// What the words can refer to.
    pub words: Arc<Words>,
    /// Where commands come in.
    pub intake: Intake,
    /// The links, to look at.
    pub store: Store,
    /// Fivetran, to look at.
    pub provision: Provision,
    /// The form of the bare command.
    pub forms: Arc<Forms>,
    /// Who gets to see a link.
    pub audience: Audience,
    /// Who says whether the bot is well.
    pub doctor: Doctor,
}

/// Answers one slash command.
pub async fn handle(State(commands): State<Arc<Commands>>, request: Request) -> Response {
    let deadline = Deadline::of(request.extensions());
    let (answer, response) = match commands.receive(request, deadline).await {
        Ok((answer, Some(content))) => (answer, json(&for_the_person(content))),
        Ok((answer, None)) => (answer, StatusCode::OK.into_response()),
        // Slack's certificate probe is neither answered nor refused.
        Err(response) if response.status().is_success() => return response,
        Err(response) => (Answer::Refused, response),
    };
    commands.metrics.answered(answer, deadline.began().elapsed().as_secs_f64());
    response
}

impl Commands {
    /// From a request over HTTP to what there is to say, if anything.
    async fn receive(
        &self,
        request: Request,
        deadline: Deadline,
    ) -> Result<(Answer, Option<SlackMessageContent>), Response> {
        let (head, body) = request.into_parts();
        let body = signed::read(body, deadline).await.map_err(|status| status.into_response())?;
        if slack::is_ssl_check(&body) {
            return Err(StatusCode::OK.into_response());
        }
        let signature = self.signed.verify(&head, &body).map_err(|status| status.into_response())?;
        if !slack::is_typed(&body) {
            tracing::warn!("a signed request is no slash command");
            return Err(StatusCode::BAD_REQUEST.into_response());
        }
        let typed = SlashCommand::decode(&body, &self.response_url_origins);
        Ok(self.take(&signature, typed, deadline).await)
    }

    /// From the payload of an envelope to what goes into its acknowledgement, if anything.
    pub(super) async fn heard(&self, key: &[u8], payload: &Value, deadline: Deadline) -> Option<Value> {
        let typed = SlashCommand::of_payload(payload, &self.response_url_origins);
        let (answer, content) = self.take(key, typed, deadline).await;
        self.metrics.answered(answer, deadline.began().elapsed().as_secs_f64());
        serde_json::to_value(for_the_person(content?)).ok()
    }

    /// What goes into the acknowledgement of a command that is not even read, for want of time. It may have been
    /// taken in when it came the first time.
    pub(super) fn turned_away(&self) -> Option<Value> {
        self.metrics.answered(Answer::NotAccepted, 0.0);
        serde_json::to_value(for_the_person(reply::unsure())).ok()
    }

    /// The same from a command that is Slack's and may be unreadable.
    async fn take(
        &self,
        key: &[u8],
        typed: Result<SlashCommand, NotACommand>,
        deadline: Deadline,
    ) -> (Answer, Option<SlackMessageContent>) {
        // Without a token there is no other way to tell anybody anything.
        let answerable = |typed: &SlashCommand| typed.response_url.is_some() || self.forms.web_api.is_some();
        match typed.and_then(|typed| answerable(&typed).then_some(typed).ok_or(NotACommand::NoWay)) {
            Ok(typed) => self.respond(key, typed, deadline).await,
            // With a status, whoever typed it would read no more than that the app failed.
            Err(error) => {
                tracing::warn!(reason = %error, "a command that cannot be read");
                (Answer::Replied, Some(reply::unreadable()))
            }
        }
    }

    /// From a command that can be read to what there is to say. `key` names the request: a replay has the
    /// same.
    async fn respond(
        &self,
        key: &[u8],
        mut typed: SlashCommand,
        deadline: Deadline,
    ) -> (Answer, Option<SlackMessageContent>) {
        if self.asks_for_help(&typed.text, deadline).await {
            return (Answer::Replied, Some(self.help(&typed)));
        }
        let person = Person {
            user_id: typed.user_id.clone(),
            workspace: Workspace::new(Some(typed.team_id.clone()), typed.enterprise_id.clone()),
            home: Home::Here,
        };
        let allowed = self.gate.authorize(&person, &typed.channel_id, self.clock.now(), deadline.early());
        match allowed.await {
            // Wherever in an organisation it was typed, it is kept under the bot's own workspace.
            Ok(team_id) => typed.team_id = team_id,
            Err(refused) => return (Answer::Replied, Some(reply::refused(&refused))),
        }
        self.read(key, typed, false, deadline).await
    }

    fn help(&self, typed: &SlashCommand) -> SlackMessageContent {
        reply::help(Surface::of(&typed.command), self.forms.can_open(typed))
    }

    async fn asks_for_help(&self, text: &str, deadline: Deadline) -> bool {
        let catalog = self.words.catalog.current();
        command::asks_for_help(text, &catalog)
            && (!command::hangs_on_the_catalogue(text, &Ok(Command::Help), &catalog)
                || command::asks_for_help(text, &*self.words.newest(deadline).await))
    }

    /// From the words of somebody who may use the bot here to what there is to say. `sure`: they have seen
    /// what would be made of these words, and agreed.
    pub(super) async fn read(
        &self,
        key: &[u8],
        typed: SlashCommand,
        sure: bool,
        deadline: Deadline,
    ) -> (Answer, Option<SlackMessageContent>) {
        let catalog = self.words.catalog.current();
        let vocabulary = self.words.in_channel(&catalog, &typed.command, &typed.channel_id);
        let mut read = command::parse(&typed.text, &vocabulary);
        if command::hangs_on_the_catalogue(&typed.text, &read, &catalog) {
            let newest = self.words.newest(deadline).await;
            let vocabulary = self.words.in_channel(&newest, &typed.command, &typed.channel_id);
            read = command::parse(&typed.text, &vocabulary);
        }
        match read {
            Ok(mut command) => {
                if sure {
                    command = command.agreed();
                }
                let (answer, content) = self.answer(key, typed, command, deadline).await;
                (answer, Some(content))
            }
            Err(UsageError::Incomplete) if self.forms.can_open(&typed) => {
                match self.intake.look(&typed.user_id) {
                    Ok(()) => (Answer::Replied, self.forms.open(&typed, deadline).await.err()),
                    Err(too_much) => (Answer::TooMuch, Some(reply::too_much(too_much))),
                }
            }
            Err(error) => {
                let SlashCommand { command, user_id, channel_id, .. } = &typed;
                (Answer::Replied, Some(reply::usage_for(&error, command, user_id, channel_id)))
            }
        }
    }

    /// Answers a command: at once where the database knows the answer, else by accepting it. What takes more
    /// room than that is put by itself: a burst is a thousand of these.
    async fn answer(
        &self,
        key: &[u8],
        typed: SlashCommand,
        command: Command,
        deadline: Deadline,
    ) -> (Answer, SlackMessageContent) {
        let replied = |content| (Answer::Replied, content);
        let looks =
            matches!(command, Command::Doctor | Command::List | Command::Status(_) | Command::Cancel(_));
        if looks && let Err(too_much) = self.intake.look(&typed.user_id) {
            return (Answer::TooMuch, reply::too_much(too_much));
        }
        match command {
            Command::Connect(request) => self.connect(key, typed, request, deadline).await,
            Command::Help => replied(self.help(&typed)),
            Command::Services(words) => {
                let found = services::find(&words, &self.words.catalog.current(), services::SHOWN);
                let names = services::Names::find(&words, &self.words.bundles, &self.words.destinations);
                replied(services_reply::services(&found, &names, &words, &typed.command))
            }
            Command::Doctor => {
                let findings = Box::pin(self.doctor.look(&typed, deadline)).await;
                replied(doctor_reply::doctor(&findings, &typed.command))
            }
            Command::List => replied(self.links(&typed, deadline).await),
            Command::Status(target) => replied(Box::pin(self.status(&typed, &target, deadline)).await),
            Command::Onboard(several) => self.onboard(key, typed, &several, deadline).await,
            Command::Renew(target) => Box::pin(self.renew(key, typed, &target, deadline)).await,
            Command::Cancel(target) => replied(Box::pin(self.cancel(&typed, &target, deadline)).await),
        }
    }

    /// Accepts a command that connects one source.
    async fn connect(
        &self,
        key: &[u8],
        typed: SlashCommand,
        mut request: work::Request,
        deadline: Deadline,
    ) -> (Answer, SlackMessageContent) {
        request.in_direct_message = typed.is_direct;
        let work = Work::Connect(request);
        let SlashCommand { team_id, channel_id, user_id, response_url, .. } = typed;
        let here = channel_id.clone();
        let asked = Asked { team_id, channel_id, user_id, response_url };
        let answered = self.intake.accept(key, asked, &work, Progress::default(), deadline).await;
        if let Answered::Accepted(id) = &answered
            && let Some(place) = self.joins(work.request(), here, deadline).await
        {
            let address = self.gate.site().and_then(|site| place.permalink(&site));
            return (answered.counts_as(), onboarding::joining(work.request(), address, id));
        }
        (answered.counts_as(), answered.told(&work))
    }

    /// Accepts a command for a new link of a connection that is there.
    async fn renew(
        &self,
        key: &[u8],
        typed: SlashCommand,
        target: &Target,
        deadline: Deadline,
    ) -> (Answer, SlackMessageContent) {
        let link = match self.link(&typed, target, deadline, reply::not_accepted).await {
            Ok(link) => link,
            Err(content) => return (Answer::Replied, content),
        };
        match renew::work(&link) {
            Ok((work, progress)) => {
                let SlashCommand { team_id, channel_id, user_id, response_url, .. } = typed;
                let asked = Asked { team_id, channel_id, user_id, response_url };
                let answered = self.intake.accept(key, asked, &work, progress, deadline).await;
                (answered.counts_as(), self.told_of(&answered, &work, &link))
            }
            Err(why) => (Answer::Replied, ask::not_renewable(why, &link)),
        }
    }

    /// Asks whether a link's connection is to be deleted, if it can be.
    async fn cancel(&self, typed: &SlashCommand, target: &Target, deadline: Deadline) -> SlackMessageContent {
        match self.link(typed, target, deadline, reply::not_accepted).await {
            Ok(link) => match cancel::refused(&link) {
                Some(why) => ask::not_cancellable(why, &link),
                None => ask::cancel(&link),
            },
            Err(content) => content,
        }
    }

    /// How a schema's link stands.
    async fn status(&self, typed: &SlashCommand, target: &Target, deadline: Deadline) -> SlackMessageContent {
        match self.stored(typed, target, deadline, status_reply::unavailable).await {
            Ok(stored) => self.how(stored, deadline).await,
            Err(content) => content,
        }
    }

    /// Where the message stands that a source is added to, if one is open for its customer here. Only whoever
    /// names a customer waits for the database once more.
    async fn joins(&self, request: &work::Request, channel_id: String, deadline: Deadline) -> Option<Place> {
        let is_shared = self.audience == Audience::Channel && self.forms.web_api.is_some();
        let customer = request.customer.clone().filter(|_| is_shared)?;
        let store = self.store.clone();
        deadline.wait_for(async move { store.open_message(&channel_id, &customer).await }).await.ok()?.ok()?
    }

    /// Accepts several sources of one customer, where one message can be kept true for all of them.
    async fn onboard(
        &self,
        key: &[u8],
        typed: SlashCommand,
        several: &Several,
        deadline: Deadline,
    ) -> (Answer, SlackMessageContent) {
        let Several { onboard, asks, .. } = several;
        let alone = match self.audience {
            _ if onboard.sources.len() < 2 => None,
            _ if self.forms.web_api.is_none() => Some(Alone::NoToken),
            _ if typed.is_direct => Some(Alone::Direct),
            Audience::Requester => Some(Alone::Private),
            Audience::Channel => None,
        };
        if let Some(why) = alone {
            return (Answer::Replied, onboarding::one_at_a_time(why));
        }
        if *asks {
            let SlashCommand { command, user_id, channel_id, .. } = &typed;
            return (Answer::Replied, several_reply::preview(several, command, user_id, channel_id));
        }
        let SlashCommand { team_id, channel_id, user_id, response_url, .. } = typed;
        let asked = Asked { team_id, channel_id, user_id, response_url };
        let answered = self.intake.accept_onboard(key, asked, onboard, deadline).await;
        (answered.counts_as(), answered.told_several(onboard))
    }

    /// What whoever wants something of a link that is there is told.
    pub(super) fn told_of(&self, answered: &Answered, work: &Work, link: &Link) -> SlackMessageContent {
        // Where it can be edited, the new link takes the old one's place.
        let place = link.message.as_ref().filter(|_| matches!(self.audience, Audience::Channel));
        match (answered, work, place.filter(|_| self.forms.web_api.is_some())) {
            (Answered::Accepted(reference), Work::Renew { .. }, Some(place)) => {
                let address = self.gate.site().and_then(|site| place.permalink(&site));
                reply::renewing_in_place(link, address.as_ref(), reference)
            }
            _ => answered.told(work),
        }
    }

    /// The links of the channel of the command.
    async fn links(&self, typed: &SlashCommand, deadline: Deadline) -> SlackMessageContent {
        let here = (typed.team_id.as_str(), typed.channel_id.as_str());
        match page_of(&self.store, here, 0, self.clock.now(), deadline).await {
            Ok(page) => list_reply::list(&page, Some(&typed.command)),
            Err(error) => {
                tracing::error!(%error, "could not look the links of a channel up");
                status_reply::unavailable()
            }
        }
    }

    /// How a link stands. If Fivetran knows better than its message, that is looked after soon.
    async fn how(&self, stored: Stored, deadline: Deadline) -> SlackMessageContent {
        let view = self.view(&stored.connection.link, deadline).await;
        let now = self.clock.now();
        let report = status::report(&stored.connection, view, now);
        if report.link.state != stored.connection.link.state || matches!(report.view, View::Gone) {
            self.ask_about(stored, now);
        }
        status_reply::status(&report)
    }

    /// Has a connection looked at soon. Nobody is told of it, so nobody waits for it.
    fn ask_about(&self, stored: Stored, now: Timestamp) {
        let change = life::next(&stored.connection, Event::Asked, false, now);
        let reminders = self.words.channels.of(&change.connection.link.channel_id).reminders;
        let store = self.store.clone();
        tokio::spawn(async move {
            let (version, message) = (stored.version, MessageWrite::None);
            let write = Write {
                change: &change,
                version,
                held: None,
                progress: None,
                message,
                trail: None,
                reminders,
                now,
            };
            // Whatever else has just happened to it is as good a look.
            if let Err(error) = store.write(write).await {
                tracing::warn!(link = change.connection.link.id, %error, "could not look sooner");
            }
        });
    }

    /// What Fivetran says of a link's connection, in the time there is.
    async fn view(&self, link: &Link, deadline: Deadline) -> View {
        // Its connection is deleted; there is nobody to ask about.
        if link.state.is_over() {
            return View::Gone;
        }
        match timeout_at(deadline.early(), self.provision.see(&link.connection_id)).await {
            Ok(Ok(Some(connection))) => {
                View::Seen { status: connection.status, tests: connection.setup_tests }
            }
            Ok(Ok(None)) => View::Gone,
            Ok(Err(error)) => {
                tracing::info!(link = link.id, %error, "could not see how a connection stands");
                View::Silent(provision::reason(error))
            }
            Err(_) => View::Silent(None),
        }
    }

    /// The link of a schema in the channel of the command, or the sentence that there is none; `failed`
    /// is what to say when the database does not answer.
    async fn link(
        &self,
        typed: &SlashCommand,
        target: &Target,
        deadline: Deadline,
        failed: fn() -> SlackMessageContent,
    ) -> Result<Link, SlackMessageContent> {
        self.stored(typed, target, deadline, failed).await.map(|stored| stored.connection.link)
    }

    /// The same with all that is known of its connection.
    async fn stored(
        &self,
        typed: &SlashCommand,
        target: &Target,
        deadline: Deadline,
        failed: fn() -> SlackMessageContent,
    ) -> Result<Stored, SlackMessageContent> {
        let schema = target.connection_name();
        let (store, name) = (self.store.clone(), schema.clone());
        let (team, channel) = (typed.team_id.clone(), typed.channel_id.clone());
        let stored = async move { store.connection_of_schema(&team, &channel, &name).await };
        match deadline.wait_for(stored).await.unwrap_or(Err(StoreError::Unanswered)) {
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => Err(ask::no_link(&schema, &typed.command, &typed.user_id, &typed.channel_id)),
            Err(error) => {
                tracing::error!(%error, "could not look a link up");
                Err(failed())
            }
        }
    }
}

/// An acknowledgement that only the person sees.
fn for_the_person(content: SlackMessageContent) -> SlackCommandEventResponse {
    SlackCommandEventResponse::new(content).with_response_type(SlackMessageResponseType::Ephemeral)
}
