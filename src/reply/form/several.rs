//! The form where more than one service is chosen: for whom, the schemas that they will get, and what is
//! said of faults.
//!
//! Which names those are is [`crate::command::several`]'s.

use slack_morphism::prelude::{
    SlackBlock, SlackBlockChoiceItem, SlackBlockOptionGroup, SlackBlockPlainText,
    SlackBlockPlainTextInputElement, SlackBlockPlainTextOnly, SlackBlockSuggestionOptionGroups,
    SlackBlockSuggestionResponse, SlackInputBlock, SlackInputBlockElement, SlackViewSubmissionResponse,
};

use super::{CHOICE_LIMIT, CHOICES, at, fault_sentence, input, option, options, text};
use crate::command::UsageError;
use crate::command::form::several::Offer;
use crate::command::form::{Fault, Field};
use crate::command::services::Found;
use crate::fivetran::schema::Why;
use crate::reply::markup::{Mrkdwn, context, cut, plain_section, sections};
use crate::reply::usage::unfit;
use crate::work::{MOST_SOURCES, Request};

/// Longest name of a service that is shown, in characters.
const NAME_LIMIT: usize = 60;

/// What takes the place of schema and table.
pub struct Several<'a> {
    /// Who they are for; `None` where no name is made of that.
    pub customer: Option<Customer<'a>>,
    /// What is shown of them.
    pub shown: Shown<'a>,
}

/// The field of the customer.
pub struct Customer<'a> {
    /// What stands in it.
    pub initial: Option<&'a str>,
    /// Whether it can be left empty.
    pub optional: bool,
}

/// What is shown of several before they are asked for.
pub enum Shown<'a> {
    /// Where their data will go.
    Names {
        /// Each of them.
        sources: &'a [Request],
        /// Whether the form was sent before its person had seen this, and is to be sent again.
        asks: bool,
    },
    /// What keeps them from being made.
    Fault(&'a Fault),
}

impl Customer<'_> {
    pub(super) fn field(&self, element: SlackBlockPlainTextInputElement) -> SlackInputBlock {
        let element = element.opt_initial_value(self.initial.map(str::to_owned));
        input(Field::Customer, "Customer", SlackInputBlockElement::PlainTextInput(element))
            .with_hint(text("The schemas are named after it. Press Enter to see them."))
            .opt_optional(self.optional.then_some(true))
            .with_dispatch_action(true)
    }
}

impl Shown<'_> {
    pub(super) fn blocks(&self, slash: &str) -> Vec<SlackBlock> {
        match self {
            // It was left empty until now; the field's own hint says what to do.
            Self::Fault(Fault { error: UsageError::CustomerMissing { .. }, .. }) => {
                vec![note("The schemas will be shown here.")]
            }
            Self::Fault(fault) => vec![plain_section(&sentence(fault, slash))],
            Self::Names { sources, asks } => {
                let title = if *asks {
                    "Nothing has been created yet. If these schemas are right, press “Post the links” again:"
                } else {
                    "They will get these schemas:"
                };
                let lines = sources.iter().map(|source| {
                    let (name, target) =
                        (cut(&source.service_name, NAME_LIMIT), source.target.connection_name());
                    Mrkdwn::default().raw("• ").text(&name).raw(" → ").code(&target)
                });
                let mut blocks = vec![Mrkdwn::default().bold(title).section()];
                blocks.extend(sections(lines));
                blocks.push(note("These names can't be changed later."));
                blocks
            }
        }
    }
}

/// What is wrong with several, at its field.
#[must_use]
pub fn several_fault(fault: &Fault, slash: &str) -> SlackViewSubmissionResponse {
    at(fault.field, sentence(fault, slash))
}

fn sentence(fault: &Fault, slash: &str) -> String {
    match &fault.error {
        // There is no field for a schema.
        UsageError::DestinationUnnamed { .. } => {
            let why = "The schemas are named after the destination, and the default one has no name.";
            match fault.field {
                Field::Destination => format!("{why} Choose another."),
                _ => format!("{why} Choose one service, and enter a schema for it."),
            }
        }
        UsageError::CustomerMissing { .. } => {
            "Enter the customer; the schemas will start with it.".to_owned()
        }
        UsageError::OneSchema { schema, .. } => format!(
            "Everything in this channel goes to one schema, {}, and only one source fits in it. Enter the customer, \
             and each gets a schema of its own.",
            cut(schema, 130)
        ),
        UsageError::BadCustomer { name, .. } => {
            let rule = "Use only a–z, 0–9 and _, at most 63 characters, not starting with a digit.";
            match &name.nearest {
                Some(nearest) => format!("{rule} Try: {nearest}"),
                None => rule.to_owned(),
            }
        }
        UsageError::CustomerUnused { pattern, .. } => format!(
            "Schemas are named by {} here, which has no customer in it. Leave this field empty.",
            cut(pattern, 100)
        ),
        UsageError::TooMany { count } => {
            format!("That's {count} services, and one message has room for {MOST_SOURCES}. Choose fewer.")
        }
        UsageError::SameName { name, services: [one, other], .. } => format!(
            "{} and {} would both go to “{name}”, and only one of them fits there. Take one out, and connect it by \
             itself.",
            cut(one, NAME_LIMIT),
            cut(other, NAME_LIMIT)
        ),
        UsageError::Misnamed { service, name, by_customer, .. } => {
            let (service, made, why) = (cut(&service.name, NAME_LIMIT), cut(&name.typed, 100), unfit(name));
            let remedy = if *by_customer && name.why == Why::TooLong {
                "Shorten the customer's name, or take the service out and connect it by itself."
            } else {
                "Take it out, and connect it by itself."
            };
            format!("{service} would go to “{made}”, which {why}. {remedy}")
        }
        // The same words do as for one.
        _ => fault_sentence(fault, slash),
    }
}

/// The bundles, then the services, for what was typed into the field of the service.
#[must_use]
pub fn options_with(bundles: &[Offer], found: &Found) -> SlackBlockSuggestionResponse {
    let services = options(found);
    let bundles: Vec<_> = bundles.iter().filter_map(choice).take(CHOICES).collect();
    if bundles.is_empty() {
        return SlackBlockSuggestionResponse::Options(services);
    }
    let mut groups = vec![SlackBlockOptionGroup::new(text("Bundles"), bundles)];
    // Slack refuses a group of none.
    if !services.options.is_empty() {
        groups.push(SlackBlockOptionGroup::new(text("Services"), services.options));
    }
    SlackBlockSuggestionResponse::OptionGroups(SlackBlockSuggestionOptionGroups::new(groups))
}

/// As it can be chosen; `None` for one whose value is longer than Slack takes.
pub(super) fn choice(offer: &Offer) -> Option<SlackBlockChoiceItem<SlackBlockPlainTextOnly>> {
    let value = offer.value();
    (value.chars().count() <= CHOICE_LIMIT).then(|| match offer {
        Offer::Service(service) => option(service),
        Offer::Bundle { name, services } => SlackBlockChoiceItem::new(text(&cut(name, CHOICE_LIMIT)), value)
            .with_description(text(&cut(&services.join(", "), CHOICE_LIMIT))),
    })
}

/// One customer's sources are being set up in the channel already.
#[must_use]
pub fn several_under_way(customer: Option<&str>) -> SlackViewSubmissionResponse {
    let whose = customer.map(|customer| format!(" for {customer}")).unwrap_or_default();
    at(
        Field::Service,
        format!(
            "I'm setting up sources{whose} in this channel already, or just have. If you don't see them in a minute, please \
         try again."
        ),
    )
}

/// Several at once cannot be kept in one message here.
#[must_use]
pub fn several_unwanted() -> SlackViewSubmissionResponse {
    at(Field::Service, "Several sources can't share a message here. Choose one service.".to_owned())
}

fn note(sentence: &str) -> SlackBlock {
    context(vec![SlackBlockPlainText::new(sentence.to_owned()).into()])
}
