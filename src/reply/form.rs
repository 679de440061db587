//! The form of `/connect-card` alone: its fields, its lists of choices, and what it says of faults.

mod several;

use std::collections::HashMap;

use slack_morphism::prelude::{
    SlackBlock, SlackBlockChoiceItem, SlackBlockExternalSelectElement, SlackBlockMultiExternalSelectElement,
    SlackBlockPlainText, SlackBlockPlainTextInputElement, SlackBlockPlainTextOnly,
    SlackBlockStaticSelectElement, SlackBlockSuggestionOptions, SlackBlockSuggestionResponse,
    SlackInputBlock, SlackInputBlockElement, SlackMessageContent, SlackModalView, SlackView,
    SlackViewSubmissionClearResponse, SlackViewSubmissionErrorsResponse, SlackViewSubmissionResponse,
    SlackViewSubmissionUpdateResponse,
};

use super::markup::{Mrkdwn, cut, plain_section, sentences};
use super::usage::unnamed;
use super::{
    Audience, NOT_ACCEPTED, TooMuch, UNSURE, UnderWay, already_on_it_sentence, services, too_much_sentence,
    usage_sentence,
};
use crate::command::form::several::Offer;
use crate::command::form::{Choice, Fault, Field};
use crate::command::services::Found;
use crate::command::surface::Surface;
use crate::command::{UsageError, VERBS};
use crate::fivetran::catalog::Service;
use crate::fivetran::schema::{Misfit, SchemaKind};
use crate::permission::Refused;
use crate::work::{MOST_SOURCES, Work};

pub use self::several::{
    Customer, Several, Shown, options_with, several_fault, several_under_way, several_unwanted,
};

/// Identifies the form among views.
pub const CALLBACK: &str = "connect_form";

/// Slack's limit for a choice's text and for its value, in characters.
const CHOICE_LIMIT: usize = 75;
/// Slack's limit for the choices of a list.
pub const CHOICES: usize = 100;
/// Longest text that a field takes: more than a name may have, so that a long one is explained and
/// not cut.
const TYPED_LIMIT: u64 = 150;
const TITLE: &str = "Connect a source";
const SCHEMA_HINT: &str = "Where the data goes. Use a–z, 0–9 and _, not starting with a digit.";

/// What goes into the form.
pub struct Form<'a> {
    /// Where the link will appear.
    pub channel_id: &'a str,
    /// Who will see it.
    pub audience: Audience,
    /// What the channel has for the field of the schema.
    pub schema: Preset<'a>,
    /// The destinations; there is a field for them if there are several.
    pub destinations: &'a [Choice],
    /// The value of the one that is chosen.
    pub destination: Option<&'a str>,
    /// Whether more than one service can be chosen.
    pub takes_several: bool,
    /// What is chosen already.
    pub chosen: &'a [Offer],
    /// What takes the place of schema and table where more than one service is chosen.
    pub several: Option<Several<'a>>,
    /// What the form brings back, sealed.
    pub sealed: String,
}

/// What a channel has for the field of the schema.
#[derive(Clone, Copy, Debug)]
pub enum Preset<'a> {
    /// Nothing.
    None,
    /// What stands in it at first.
    Schema(&'a str),
    /// A name for each service, so that it can be left empty; one of them, if there is one to show.
    Pattern(Option<&'a str>),
}

/// The form.
#[must_use]
pub fn form(form: Form<'_>, slash: &str) -> SlackView {
    let Form { channel_id, audience, schema, takes_several, chosen, several, sealed, .. } = form;
    let destination = destination_field(form.destinations, form.destination, several.is_some());
    // A bundle is one choice, and several all the same.
    let are_several = several.is_some() || chosen.len() > 1;
    let (what, post) =
        if are_several { ("The links", "Post the links") } else { ("The link", "Post the link") };
    let lead = Mrkdwn::default().raw(what).raw(" will appear in <#").text(channel_id).raw(match audience {
        Audience::Channel => ">, for your customer.",
        Audience::Requester => ">, where only you can see it; then send it to your customer.",
    });
    let typed = |field: Field, placeholder: &str| {
        SlackBlockPlainTextInputElement::new()
            .with_action_id(field.id().into())
            .with_placeholder(text(placeholder))
            .with_max_length(TYPED_LIMIT)
    };
    let mut blocks = vec![lead.section(), service(takes_several, are_several, chosen).into()];
    if let Some(several) = &several {
        blocks.extend(several.customer.as_ref().map(|it| it.field(typed(Field::Customer, "acme")).into()));
        blocks.extend(destination);
        blocks.extend(several.shown.blocks(slash));
        return finished(blocks, post, sealed);
    }
    let (initial, hint) = match schema {
        Preset::None => (None, SCHEMA_HINT.to_owned()),
        Preset::Schema(schema) => (Some(schema.to_owned()), SCHEMA_HINT.to_owned()),
        Preset::Pattern(example) => {
            let such_as = example.map(|name| format!(", such as {name}")).unwrap_or_default();
            (None, format!("Leave it empty for the channel's own{such_as}."))
        }
    };
    let by_pattern = matches!(schema, Preset::Pattern(_));
    let schema = typed(Field::Schema, "customer_schema").opt_initial_value(initial);
    blocks.push(
        input(Field::Schema, "Schema", SlackInputBlockElement::PlainTextInput(schema))
            .with_hint(text(&format!("{hint} It can't be changed later.")))
            .opt_optional(by_pattern.then_some(true))
            .into(),
    );
    blocks.push(
        input(Field::Table, "Table", SlackInputBlockElement::PlainTextInput(typed(Field::Table, "my_table")))
            .with_hint(text(
                "Only for services that fill a single table or table group, such as Google Sheets or Amazon S3.",
            ))
            .with_optional(true)
            .into(),
    );
    blocks.extend(destination);
    finished(blocks, post, sealed)
}

fn finished(blocks: Vec<SlackBlock>, post: &str, sealed: String) -> SlackView {
    let form = modal(blocks)
        .with_submit(text(post))
        .with_close(text("Never mind"))
        .with_private_metadata(sealed)
        .with_callback_id(CALLBACK.into());
    SlackView::Modal(form)
}

/// The field of the service. Where it takes several, each change of it is told, so that the form can go by
/// how many there are.
fn service(takes_several: bool, are_several: bool, chosen: &[Offer]) -> SlackInputBlock {
    let (id, placeholder) = (Field::Service.id(), text("Type part of a name"));
    if !takes_several {
        let select = SlackBlockExternalSelectElement::new()
            .with_action_id(id.into())
            .with_placeholder(placeholder)
            .with_min_query_length(0);
        return input(Field::Service, "Service", SlackInputBlockElement::ExternalSelect(select));
    }
    let initial: Vec<_> = chosen.iter().filter_map(several::choice).collect();
    let select = SlackBlockMultiExternalSelectElement::new()
        .with_action_id(id.into())
        .with_placeholder(placeholder)
        .with_min_query_length(0)
        .with_max_selected_items(MOST_SOURCES as u64)
        .opt_initial_options(Some(initial).filter(|initial| !initial.is_empty()));
    let label = if are_several { "Services" } else { "Service" };
    input(Field::Service, label, SlackInputBlockElement::MultiExternalSelect(select))
        .with_dispatch_action(true)
}

/// The field of the destination, if there are several. `speaks`: what the form shows hangs on it.
fn destination_field(destinations: &[Choice], chosen: Option<&str>, speaks: bool) -> Option<SlackBlock> {
    if destinations.len() < 2 {
        return None;
    }
    let options: Vec<_> = destinations.iter().take(CHOICES).map(destination).collect();
    let initial = options.iter().find(|option| Some(option.value.as_str()) == chosen);
    let select = SlackBlockStaticSelectElement::new()
        .with_action_id(Field::Destination.id().into())
        .opt_initial_option(initial.or(options.first()).cloned())
        .with_options(options);
    let element = SlackInputBlockElement::StaticSelect(select);
    let block = input(Field::Destination, "Destination", element);
    Some(block.opt_dispatch_action(speaks.then_some(true)).into())
}

/// The choices for what was typed into the field of the service.
#[must_use]
pub fn options(found: &Found) -> SlackBlockSuggestionOptions {
    let fits = |service: &&Service| service.id.as_str().len() <= CHOICE_LIMIT;
    let options = found.services.iter().filter(fits).take(CHOICES).map(option);
    SlackBlockSuggestionOptions::new(options.collect())
}

fn option(service: &Service) -> SlackBlockChoiceItem<SlackBlockPlainTextOnly> {
    let id = service.id.as_str();
    let mark = services::mark(service).map_or_else(String::new, |mark| format!(", {}", mark.short));
    let rest = format!(" ({id}{mark})");
    // The name gives way to the id, by which people tell namesakes apart.
    let room = CHOICE_LIMIT.saturating_sub(rest.chars().count());
    let label = if room < 10 { cut(id, CHOICE_LIMIT) } else { format!("{}{rest}", cut(&service.name, room)) };
    SlackBlockChoiceItem::new(text(&label), id.to_owned())
}

/// No choices: somebody is typing into a field that is not ours.
#[must_use]
pub fn no_options() -> SlackBlockSuggestionResponse {
    SlackBlockSuggestionResponse::Options(SlackBlockSuggestionOptions::new(Vec::new()))
}

/// Every fault at its field.
#[must_use]
pub fn faults(faults: &[Fault], slash: &str) -> SlackViewSubmissionResponse {
    let at = faults.iter().map(|fault| (fault.field.id().to_owned(), fault_sentence(fault, slash)));
    errors(at.collect())
}

fn fault_sentence(Fault { field, error }: &Fault, slash: &str) -> String {
    match error {
        UsageError::UnknownService { .. } => "Choose a service from the list.".to_owned(),
        UsageError::NotASchema { name: bad, .. } => {
            let rule = "Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit.";
            match &bad.nearest {
                Some(nearest) => format!("{rule} Try: {nearest}"),
                None => rule.to_owned(),
            }
        }
        UsageError::Misfit { service, misfit: Misfit::TableMissing { kind }, .. } => {
            let what = if *kind == SchemaKind::TableGroup { "a table group" } else { "one table" };
            format!("{} fills {what}, so enter a name for it here.", cut(&service.name, 100))
        }
        UsageError::Misfit { service, misfit: Misfit::TableNotWanted, .. } => {
            let name = cut(&service.name, 100);
            match field {
                Field::Table => format!("{name} names its own tables; leave this field empty."),
                _ => format!("{name} names its own tables; enter only the schema, without a dot."),
            }
        }
        UsageError::Unnamed { service, name, .. } => {
            format!("{} Enter another one here.", unnamed(service, name))
        }
        UsageError::DestinationUnnamed { .. } => {
            "This channel's schemas are named after the destination, and the \
             default one has no name. Choose another, or enter a schema."
                .to_owned()
        }
        error => cut(&usage_sentence(error, Surface::of(slash)), 500),
    }
}

/// Something is under way for the same connection.
#[must_use]
pub fn already_on_it(field: Field, work: &Work, under_way: &UnderWay) -> SlackViewSubmissionResponse {
    at(field, already_on_it_sentence(work, under_way))
}

/// The database did not take it, and never will.
#[must_use]
pub fn not_accepted(field: Field) -> SlackViewSubmissionResponse {
    at(field, NOT_ACCEPTED.to_owned())
}

/// The database may have taken it.
#[must_use]
pub fn unsure(field: Field) -> SlackViewSubmissionResponse {
    at(field, UNSURE.to_owned())
}

/// It would have been too much.
#[must_use]
pub fn too_much(field: Field, too_much: TooMuch) -> SlackViewSubmissionResponse {
    at(field, too_much_sentence(too_much))
}

fn at(field: Field, sentence: String) -> SlackViewSubmissionResponse {
    errors(HashMap::from([(field.id().to_owned(), sentence)]))
}

fn errors(errors: HashMap<String, String>) -> SlackViewSubmissionResponse {
    SlackViewSubmissionResponse::Errors(SlackViewSubmissionErrorsResponse::new(errors))
}

/// It is done: the form closes.
#[must_use]
pub fn close() -> SlackViewSubmissionResponse {
    SlackViewSubmissionResponse::Clear(SlackViewSubmissionClearResponse::new())
}

/// The form gives way to a few words.
#[must_use]
pub fn instead(view: SlackView) -> SlackViewSubmissionResponse {
    SlackViewSubmissionResponse::Update(SlackViewSubmissionUpdateResponse::new(view))
}

/// The form was open for too long.
#[must_use]
pub fn too_old(slash: &str) -> SlackView {
    words(&format!(
        "This form was open for too long, so nothing was created. Type {slash} for a new one, or the whole command: \
         {slash} {}",
        VERBS[0].usage
    ))
}

/// The person is not allowed to, or no longer is.
#[must_use]
pub fn refused(refused: &Refused) -> SlackView {
    SlackView::Modal(modal(vec![super::refused::section(refused)]).with_close(text("Close")))
}

/// The form was opened by somebody else, or not by this bot.
#[must_use]
pub fn not_yours() -> SlackView {
    words("You didn't open this form, or it can no longer be used, so nothing was created.")
}

/// A form that came back in a shape that cannot be read.
#[must_use]
pub fn unreadable() -> SlackView {
    words(
        "I couldn't read this form, so nothing was created. Close it and try again, or type the \
         whole command. If it keeps happening, tell the people who run this bot.",
    )
}

fn words(sentence: &str) -> SlackView {
    SlackView::Modal(modal(vec![plain_section(sentence)]).with_close(text("Close")))
}

/// The form could not be opened or, if it `may_be_open`, Slack did not say that it was; for the person
/// alone.
#[must_use]
pub fn not_opened(slash: &str, may_be_open: bool) -> SlackMessageContent {
    let what = match may_be_open {
        true => "The form may not have opened. If it hasn't, type the command instead",
        false => "I couldn't open the form. Type the command instead",
    };
    let usage = VERBS[0].usage;
    sentences(&format!("{what}: {slash} {usage}. To see everything you can type: {slash} help"))
}

fn modal(blocks: Vec<SlackBlock>) -> SlackModalView {
    SlackModalView::new(text(TITLE), blocks)
}

fn input(field: Field, label: &str, element: SlackInputBlockElement) -> SlackInputBlock {
    SlackInputBlock::new(text(label), element).with_block_id(field.id().into())
}

fn destination(choice: &Choice) -> SlackBlockChoiceItem<SlackBlockPlainTextOnly> {
    let label = choice.name.as_deref().unwrap_or("Default destination");
    SlackBlockChoiceItem::new(text(&cut(label, CHOICE_LIMIT)), choice.value.clone())
}

fn text(text: &str) -> SlackBlockPlainTextOnly {
    SlackBlockPlainText::new(text.to_owned()).into()
}
