//! The form of `/connect-card` alone: opened by the command, filled in at Slack, brought back by an
//! interaction.
//!
//! Owns what the form carries with it and who may submit it. A submission says neither where the
//! form was opened nor where to answer, so both travel in it as a draft, sealed for the one person
//! it was opened for: nobody can write one, read one, or submit another's.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use slack_morphism::prelude::{
    SlackBlockSuggestionOptions, SlackMessageContent, SlackViewSubmissionResponse,
};
use tokio::time::timeout_at;

use super::accept::{Answered, Asked, Intake};
use super::deadline::Deadline;
use super::words::Words;
use crate::clock::Clock;
use crate::command::form::{self, Field, Values};
use crate::command::services;
use crate::fivetran::schema::Target;
use crate::journal::Progress;
use crate::permission::{Gate, Home, Person};
use crate::reply::Audience;
use crate::reply::form as reply;
use crate::seal::Sealer;
use crate::slack::interaction::{Interaction, View, Workspace};
use crate::slack::respond::PostError;
use crate::slack::web_api::WebApi;
use crate::slack::{ResponseUrl, SlashCommand};
use crate::telemetry::Answer;
use crate::work::{Request, Work};

/// What the form uses. No `Debug`: it holds secrets.
pub struct Forms {
    /// The time.
    pub clock: Clock,
    /// Slack's Web API, with a bot token: no form without one.
    pub web_api: Option<WebApi>,
    /// Seals what a form has to bring back.
    pub drafts: Sealer,
    /// Where a response_url may point.
    pub response_url_origins: Arc<[url::Origin]>,
    /// Who may.
    pub gate: Arc<Gate>,
    /// Who gets to see a link.
    pub audience: Audience,
    /// What the words can refer to.
    pub words: Arc<Words>,
    /// Where commands come in.
    pub intake: Intake,
}

/// How long a form may stay open. Its response_url lives 30 minutes, and the command needs some.
const LIFE: SignedDuration = SignedDuration::from_mins(25);
/// What Slack says of a trigger that has opened something already: it has two ways to write it.
/// <https://docs.slack.dev/reference/methods/views.open>
const TRIGGER_USED: [&str; 2] = ["exchanged_trigger_id", "trigger_exchanged"];
/// Slack's limit for what a view brings back, in characters.
const METADATA_LIMIT: usize = 3000;

/// What the form brings back. No `Debug`: it holds the response_url.
#[derive(Serialize, Deserialize)]
struct Draft {
    response_url: Option<String>,
    channel_id: String,
    team_id: String,
    user_id: String,
    enterprise_id: Option<String>,
    /// A form that the release before has opened is in a channel like any other.
    #[serde(default)]
    is_direct: bool,
    slash: String,
    issued_at: Timestamp,
}

impl Forms {
    /// Whether there is a way to open a form for this command.
    pub(super) fn can_open(&self, typed: &SlashCommand) -> bool {
        self.web_api.is_some() && typed.trigger_id.is_some()
    }

    /// Opens the form; the trigger lives no longer than the acknowledgement may take. What there is to
    /// say instead if it cannot be opened.
    ///
    /// # Errors
    /// The words for the person.
    pub(super) async fn open(
        &self,
        typed: &SlashCommand,
        deadline: Deadline,
    ) -> Result<(), SlackMessageContent> {
        let failed = || reply::not_opened(&typed.command, false);
        let (Some(web_api), Some(trigger)) = (&self.web_api, &typed.trigger_id) else { return Err(failed()) };
        let draft = Draft {
            response_url: typed.response_url.as_ref().map(|url| url.expose().to_owned()),
            channel_id: typed.channel_id.clone(),
            team_id: typed.team_id.clone(),
            user_id: typed.user_id.clone(),
            enterprise_id: typed.enterprise_id.clone(),
            is_direct: typed.is_direct,
            slash: typed.command.clone(),
            issued_at: self.clock.now(),
        };
        let sealed = self.seal(&draft).ok_or_else(failed)?;
        let channel = self.words.channels.of(&typed.channel_id);
        let schema = channel.one_schema().map(Target::connection_name);
        let example = channel.example(&self.words.catalog.current(), &self.words.destinations);
        let preset = match &schema {
            Some(schema) => reply::Preset::Schema(schema),
            None if channel.names_schemas() => reply::Preset::Pattern(example.as_deref()),
            None => reply::Preset::None,
        };
        let view = reply::form(reply::Form {
            channel_id: &typed.channel_id,
            audience: self.audience,
            schema: preset,
            destinations: &form::choices(&self.words.destinations, channel),
            sealed,
        });
        match timeout_at(deadline.early(), web_api.open_view(trigger, &view)).await {
            Ok(Ok(())) => Ok(()),
            // The request has come twice: what it can open was opened the first time.
            Ok(Err(PostError::Refused(word))) if TRIGGER_USED.contains(&word.as_str()) => Ok(()),
            Ok(Err(error)) => {
                tracing::info!(%error, "a form could not be opened");
                Err(reply::not_opened(&typed.command, error.may_be_done()))
            }
            Err(_) => {
                tracing::info!("a form could not be opened in time");
                Err(reply::not_opened(&typed.command, true))
            }
        }
    }

    fn seal(&self, draft: &Draft) -> Option<String> {
        let json = serde_json::to_string(draft).ok()?;
        let sealed = self.drafts.seal(&json, &belongs_to(&draft.user_id)).ok()?;
        (sealed.len() <= METADATA_LIMIT).then_some(sealed)
    }

    /// The draft of a form, if the person who submits it is who it was opened for.
    fn draft(&self, user_id: &str, interaction: &Interaction, view: &View) -> Option<Draft> {
        let json = self.drafts.open(&view.private_metadata, &belongs_to(user_id))?;
        let draft: Draft = serde_json::from_str(json.expose_secret()).ok()?;
        // In an organisation Slack tells one and the same workspace of a person wherever the form was
        // opened, or none.
        let workspace = &interaction.workspace;
        let same =
            draft.enterprise_id.is_some() || workspace.id().is_none() || workspace.may_be(&draft.team_id);
        (same && draft.user_id == user_id).then_some(draft)
    }

    /// Takes a submitted form: the same path from here on as a typed command's. What that counts as, and
    /// the answer; none for a view that is none of ours.
    pub(super) async fn submit(
        &self,
        key: &[u8],
        interaction: &Interaction,
        deadline: Deadline,
    ) -> (Answer, Option<SlackViewSubmissionResponse>) {
        match self.wanted(interaction, deadline).await {
            Ok((asked, work)) => {
                let answered = self.intake.accept(key, asked, &work, Progress::default(), deadline).await;
                let response = match &answered {
                    Answered::Accepted(_) => reply::close(),
                    Answered::AlreadyOnIt(under_way) => reply::already_on_it(&work, under_way),
                    Answered::NotAccepted => reply::not_accepted(),
                    Answered::Unsure => reply::unsure(),
                };
                (answered.counts_as(), Some(response))
            }
            Err(response) => (Answer::Replied, response),
        }
    }

    /// What a form asks for, and who does.
    ///
    /// # Errors
    /// What there is to say instead, if anything.
    async fn wanted(
        &self,
        interaction: &Interaction,
        deadline: Deadline,
    ) -> Result<(Asked, Work), Option<SlackViewSubmissionResponse>> {
        let instead = |sentence| Some(reply::instead(sentence));
        let view = interaction.view.as_ref().filter(|view| !view.callback_id.is_empty());
        let (Some(view), Some(user_id)) = (view, interaction.user_id.as_deref()) else {
            tracing::warn!("a form came back that cannot be read");
            return Err(instead(reply::unreadable()));
        };
        if view.callback_id != reply::CALLBACK {
            return Err(None);
        }
        let Some(draft) = self.draft(user_id, interaction, view) else {
            tracing::warn!(
                "a form came back from somebody it was not opened for, or with a draft that does not open"
            );
            return Err(instead(reply::not_yours()));
        };
        if self.clock.now().duration_since(draft.issued_at) > LIFE {
            return Err(instead(reply::too_old(&draft.slash)));
        }
        let url = draft.response_url.as_deref();
        let response_url = url.and_then(|url| ResponseUrl::parse(url, &self.response_url_origins));
        let values = Values {
            service: view.input(Field::Service.id()),
            schema: view.input(Field::Schema.id()),
            table: view.input(Field::Table.id()),
            destination: view.input(Field::Destination.id()),
        };
        // Whoever submits it has typed the command that opened it.
        let person = Person {
            user_id: draft.user_id.clone(),
            workspace: Workspace::new(Some(draft.team_id.clone()), draft.enterprise_id.clone()),
            home: Home::Here,
        };
        let allowed = self.gate.authorize(&person, &draft.channel_id, self.clock.now(), deadline.early());
        let team_id = match allowed.await {
            Ok(team_id) => team_id,
            Err(refused) => return Err(instead(reply::refused(&refused))),
        };
        let mut catalog = self.words.catalog.current();
        if values.service.is_some_and(|id| catalog.get(id).is_none()) {
            catalog = self.words.newest(deadline).await;
        }
        let vocabulary = self.words.in_channel(&catalog, &draft.slash, &draft.channel_id);
        let request = match form::read(values, &vocabulary) {
            Ok(request) => Request { in_direct_message: draft.is_direct, ..request },
            Err(faults) => return Err(Some(reply::faults(&faults, &draft.slash))),
        };
        let Draft { channel_id, user_id, .. } = draft;
        Ok((Asked { team_id, channel_id, user_id, response_url }, Work::Connect(request)))
    }

    /// The choices for what somebody has typed into a select so far.
    pub(super) async fn suggest(
        &self,
        interaction: &Interaction,
        deadline: Deadline,
    ) -> SlackBlockSuggestionOptions {
        if interaction.typed_into.as_deref() != Some(Field::Service.id()) {
            tracing::warn!("choices are asked for, for a field that is none of ours");
            return reply::no_options();
        }
        let mut catalog = self.words.catalog.current();
        if !services::is_known(&interaction.typed, &catalog) {
            catalog = self.words.newest(deadline).await;
        }
        reply::options(&services::find(&interaction.typed, &catalog, reply::CHOICES))
    }
}

/// What a draft is sealed for: this form, and one person.
fn belongs_to(user_id: &str) -> String {
    format!("{} {user_id}", reply::CALLBACK)
}
