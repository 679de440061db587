//! The form of `/connect-card` alone: opened by the command, filled in at Slack, brought back by an
//! interaction.
//!
//! Owns what the form carries with it and who may submit it. A submission says neither where the
//! form was opened nor where to answer, so both travel in it as a draft, sealed for the one person
//! it was opened for: nobody can write one, read one, or submit another's.

mod changes;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use slack_morphism::prelude::{
    SlackBlockSuggestionResponse, SlackMessageContent, SlackView, SlackViewSubmissionResponse,
};
use tokio::time::timeout_at;

use super::accept::{Answered, Asked, Intake, hex};
use super::deadline::Deadline;
use super::words::Words;
use crate::clock::Clock;
use crate::command::form::several::{self, Offer, Picked};
use crate::command::form::{self, Fault, Field, Values};
use crate::command::several::Read;
use crate::command::{Vocabulary, services};
use crate::fivetran::catalog::Catalog;
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
use crate::work::{Onboard, Request, Work};
use changes::Change;
pub use changes::Changes;

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
    /// What was changed last in which form.
    pub changes: Changes,
}

/// How long a form may stay open. Its response_url lives 30 minutes, and the command needs some.
const LIFE: SignedDuration = SignedDuration::from_mins(25);
/// What Slack says of a trigger that has opened something already: it has two ways to write it.
/// <https://docs.slack.dev/reference/methods/views.open>
const TRIGGER_USED: [&str; 2] = ["exchanged_trigger_id", "trigger_exchanged"];
/// What Slack says where a view was changed since.
/// <https://docs.slack.dev/reference/methods/views.update>
const CONFLICT: &str = "hash_conflict";
/// Slack's limit for what a view brings back, in characters.
const METADATA_LIMIT: usize = 3000;

/// What the form brings back. No `Debug`: it holds the response_url.
#[derive(Clone, Serialize, Deserialize)]
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
    /// Where the form asks for several services, what it shows of them, see [`shown`]; `None` where it asks for
    /// one.
    #[serde(default)]
    shown: Option<String>,
}

/// What was put into the form.
#[derive(Default)]
struct FilledIn<'a> {
    chosen: Vec<&'a str>,
    customer: Option<&'a str>,
    destination: Option<&'a str>,
}

impl<'a> FilledIn<'a> {
    fn of(view: &'a View) -> Self {
        Self {
            chosen: view.chosen(Field::Service.id()),
            customer: view.input(Field::Customer.id()),
            destination: view.input(Field::Destination.id()),
        }
    }

    fn is_several(&self) -> bool {
        several::is_several(&self.chosen)
    }

    fn read(&self, vocabulary: &Vocabulary<'_>) -> Result<Read, Fault> {
        let Self { chosen, customer, destination } = self;
        several::read(Picked { chosen, customer: *customer, destination: *destination }, vocabulary)
    }
}

/// What a form asks for.
enum Wanted {
    /// One connection, and the field at which there is room for what is said of it.
    One(Box<Work>, Field),
    Several(Onboard),
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
            shown: None,
        };
        let catalog = self.words.catalog.current();
        let vocabulary = self.words.in_channel(&catalog, &typed.command, &typed.channel_id);
        let view = self.view(draft, &FilledIn::default(), &vocabulary, false).ok_or_else(failed)?;
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

    /// The form for what was put into it so far. `asks`: it was submitted before its person had seen what it
    /// shows now.
    fn view(
        &self,
        draft: Draft,
        filled_in: &FilledIn<'_>,
        vocabulary: &Vocabulary<'_>,
        asks: bool,
    ) -> Option<SlackView> {
        let channel = vocabulary.channel;
        let schema = channel.one_schema().map(Target::connection_name);
        let example = channel.example(vocabulary.catalog, vocabulary.destinations);
        let preset = match &schema {
            Some(schema) => reply::Preset::Schema(schema),
            None if channel.names_schemas() => reply::Preset::Pattern(example.as_deref()),
            None => reply::Preset::None,
        };
        let takes_several = self.takes_several(draft.is_direct);
        let read = (takes_several && filled_in.is_several()).then(|| filled_in.read(vocabulary));
        let sources = read.as_ref().and_then(|read| read.as_ref().ok()).map(sources_of).unwrap_or_default();
        // Where no pattern names what is made here, a customer counts only if one is typed.
        let channels = channel.pattern().and(channel.customer.as_ref());
        let typed = filled_in.customer.map(str::to_owned);
        let customer = typed.or_else(|| channels.map(ToString::to_string));
        let several = read.as_ref().map(|read| reply::Several {
            customer: channel.takes_customer().then_some(reply::Customer {
                initial: customer.as_deref(),
                optional: channel.pattern().is_some(),
            }),
            shown: match read {
                Ok(_) => reply::Shown::Names { sources, asks },
                Err(fault) => reply::Shown::Fault(fault),
            },
        });
        let offers = filled_in.chosen.iter().filter_map(|value| Offer::of(value, vocabulary));
        let offers: Vec<_> = offers.collect();
        let sealed = self.seal(&Draft { shown: read.is_some().then(|| shown(sources)), ..draft.clone() })?;
        let form = reply::Form {
            channel_id: &draft.channel_id,
            audience: self.audience,
            schema: preset,
            destinations: &form::choices(vocabulary.destinations, channel),
            destination: filled_in.destination,
            takes_several,
            chosen: &offers,
            several,
            sealed,
        };
        Some(reply::form(form, &draft.slash))
    }

    /// Whether one message can be kept true for several sources.
    fn takes_several(&self, is_direct: bool) -> bool {
        self.web_api.is_some() && !is_direct && self.audience == Audience::Channel
    }

    /// Shows what becomes of what was just put into a form. Nobody waits for it, and whatever it shows, a
    /// submission is judged by itself.
    pub(super) fn changed(self: &Arc<Self>, interaction: &Interaction) {
        let (Some(view), Some(user_id)) = (&interaction.view, interaction.user_id.as_deref()) else { return };
        let (Some(web_api), Some(draft)) = (self.web_api.clone(), self.draft(user_id, interaction, view))
        else {
            return;
        };
        let Some(action) = interaction.action.as_ref().filter(|_| !self.is_too_old(&draft)) else { return };
        let filled_in = FilledIn::of(view);
        let shows = filled_in.is_several() || draft.shown.is_some();
        let change = Change { ts: action.ts.clone(), hash: view.hash.clone() };
        if !self.changes.note(&view.id, &change, shows) {
            return;
        }
        let catalog = self.words.catalog.current();
        let (slash, channel_id) = (draft.slash.clone(), draft.channel_id.clone());
        let vocabulary = self.words.in_channel(&catalog, &slash, &channel_id);
        let Some(new) = self.view(draft, &filled_in, &vocabulary, false) else { return };
        let id = view.id.clone();
        let forms = Arc::clone(self);
        tokio::spawn(async move {
            let hash = Some(change.hash.as_str()).filter(|hash| !hash.is_empty());
            let mut updated = web_api.update_view(&id, &new, hash).await;
            // What was chosen before has got there first.
            if matches!(&updated, Err(PostError::Refused(word)) if word == CONFLICT)
                && forms.changes.is_newest(&id, &change)
            {
                updated = web_api.update_view(&id, &new, None).await;
            }
            if let Err(error) = updated {
                tracing::info!(%error, "a form could not show what was chosen");
            }
        });
    }

    fn is_too_old(&self, draft: &Draft) -> bool {
        self.clock.now().duration_since(draft.issued_at) > LIFE
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
        let (answer, response) = self.taken(key, interaction, deadline).await;
        if let (Some(SlackViewSubmissionResponse::Update(_)), Some(view)) = (&response, &interaction.view) {
            self.changes.replaced(&view.id, &view.hash);
        }
        (answer, response)
    }

    async fn taken(
        &self,
        key: &[u8],
        interaction: &Interaction,
        deadline: Deadline,
    ) -> (Answer, Option<SlackViewSubmissionResponse>) {
        match self.wanted(interaction, deadline).await {
            Ok((asked, Wanted::One(work, field))) => {
                let answered = self.intake.accept(key, asked, &work, Progress::default(), deadline).await;
                let response = match &answered {
                    Answered::Accepted(_) => reply::close(),
                    Answered::AlreadyOnIt(under_way) => reply::already_on_it(field, &work, under_way),
                    Answered::NotAccepted => reply::not_accepted(field),
                    Answered::Unsure => reply::unsure(field),
                    Answered::TooMuch(too_much) => reply::too_much(field, *too_much),
                };
                (answered.counts_as(), Some(response))
            }
            Ok((asked, Wanted::Several(onboard))) => {
                let answered = self.intake.accept_onboard(key, asked, &onboard, deadline).await;
                let response = match &answered {
                    Answered::Accepted(_) => reply::close(),
                    Answered::AlreadyOnIt(_) => reply::several_under_way(onboard.customer.as_deref()),
                    Answered::NotAccepted => reply::not_accepted(Field::Service),
                    Answered::Unsure => reply::unsure(Field::Service),
                    Answered::TooMuch(too_much) => reply::too_much(Field::Service, *too_much),
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
    ) -> Result<(Asked, Wanted), Option<SlackViewSubmissionResponse>> {
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
        if self.is_too_old(&draft) {
            return Err(instead(reply::too_old(&draft.slash)));
        }
        let url = draft.response_url.as_deref();
        let response_url = url.and_then(|url| ResponseUrl::parse(url, &self.response_url_origins));
        let filled_in = FilledIn::of(view);
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
        let (slash, channel_id) = (draft.slash.clone(), draft.channel_id.clone());
        let mut catalog = self.words.catalog.current();
        let is_new =
            |value: &&str| Offer::of(value, &self.words.in_channel(&catalog, &slash, &channel_id)).is_none();
        if filled_in.chosen.iter().any(is_new) {
            catalog = self.words.newest(deadline).await;
        }
        let vocabulary = self.words.in_channel(&catalog, &slash, &channel_id);
        let is_several = filled_in.is_several();
        if is_several && !self.takes_several(draft.is_direct) {
            return Err(Some(reply::several_unwanted()));
        }
        // It was sent before it could be changed to what is chosen now.
        if is_several != draft.shown.is_some() {
            return Err(self.view(draft, &filled_in, &vocabulary, true).map(reply::instead));
        }
        let wanted = if is_several {
            match filled_in.read(&vocabulary) {
                // Its person has not seen these names, or saw others.
                Ok(read) if draft.shown != Some(shown(sources_of(&read))) => {
                    return Err(self.view(draft, &filled_in, &vocabulary, true).map(reply::instead));
                }
                Ok(Read::One(request)) => Wanted::One(Box::new(Work::Connect(request)), Field::Service),
                Ok(Read::Several(several)) => Wanted::Several(several.onboard),
                Err(fault) => return Err(Some(reply::several_fault(&fault, &slash))),
            }
        } else {
            let values = Values {
                service: filled_in.chosen.first().copied(),
                schema: view.input(Field::Schema.id()),
                table: view.input(Field::Table.id()),
                destination: filled_in.destination,
            };
            match form::read(values, &vocabulary) {
                Ok(request) => {
                    let request = Request { in_direct_message: draft.is_direct, ..request };
                    Wanted::One(Box::new(Work::Connect(request)), Field::Schema)
                }
                Err(faults) => return Err(Some(reply::faults(&faults, &slash))),
            }
        };
        let Draft { channel_id, user_id, .. } = draft;
        Ok((Asked { team_id, channel_id, user_id, response_url }, wanted))
    }

    /// The choices for what somebody has typed into a select so far.
    pub(super) async fn suggest(
        &self,
        interaction: &Interaction,
        deadline: Deadline,
    ) -> SlackBlockSuggestionResponse {
        if interaction.typed_into.as_deref() != Some(Field::Service.id()) {
            tracing::warn!("choices are asked for, for a field that is none of ours");
            return reply::no_options();
        }
        let mut catalog = self.words.catalog.current();
        if !services::is_known(&interaction.typed, &catalog) {
            catalog = self.words.newest(deadline).await;
        }
        let found = services::find(&interaction.typed, &catalog, reply::CHOICES);
        reply::options_with(&self.bundles(interaction, &catalog), &found)
    }

    /// The bundles for it, in a form that takes several.
    fn bundles(&self, interaction: &Interaction, catalog: &Catalog) -> Vec<Offer> {
        let view = interaction.view.as_ref().zip(interaction.user_id.as_deref());
        let draft = view.and_then(|(view, user_id)| self.draft(user_id, interaction, view));
        let Some(draft) = draft.filter(|draft| self.takes_several(draft.is_direct)) else {
            return Vec::new();
        };
        let vocabulary = self.words.in_channel(catalog, &draft.slash, &draft.channel_id);
        several::bundles(&interaction.typed, &vocabulary)
    }
}

/// Each that is asked for.
fn sources_of(read: &Read) -> &[Request] {
    match read {
        Read::One(request) => std::slice::from_ref(request),
        Read::Several(several) => &several.onboard.sources,
    }
}

/// What a form shows of several sources, in brief: the form brings it back, so that what is made is what its
/// person has seen.
fn shown(sources: &[Request]) -> String {
    let keys: Vec<_> =
        sources.iter().map(|source| source.key()).map(|it| format!("{} {}", it.group_id, it.name)).collect();
    hex(digest(&SHA256, keys.join("\n").as_bytes()).as_ref())
}

/// What a draft is sealed for: this form, and one person.
fn belongs_to(user_id: &str) -> String {
    format!("{} {user_id}", reply::CALLBACK)
}
