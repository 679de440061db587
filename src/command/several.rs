//! `/connect-card SERVICE, SERVICE CUSTOMER`, or a bundle's name in the place of the services: several
//! sources of one customer at once.
//!
//! Owns what their connections are called, and when that has to be shown before anything is made. Pure; how
//! a list is told from other texts is `list`'s, and the words of any reply are [`crate::reply`]'s.

mod commas;
pub(super) mod list;

use std::borrow::Cow;
use std::collections::BTreeSet;

use self::list::{Item, List};
use super::connect::{self, Found};
use super::meant::CUSTOMER;
use super::naming::{Customer, Schema, Template, Unfilled, Words};
use super::{UsageError, Verb, Vocabulary, echo, help, is_little_word, meant, verbs};
use crate::fivetran::catalog::{Catalog, Service, ServiceId};
use crate::work::{MOST_SOURCES, Onboard, Request};
pub(super) use commas::{is_split, or_both, rather_several};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "SERVICE, SERVICE CUSTOMER",
    does: "posts one message with a link for each SERVICE, into schemas named after CUSTOMER; a bundle's name stands for its services",
    example: "google_ads, facebook_ads, hubspot acme",
};

/// Services of a line that is shown with words to fill in: enough to see how it goes on.
const SHOWN: usize = 3;

/// Several sources that can be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several {
    /// What was asked for.
    pub onboard: Onboard,
    /// The line that asks for it, as a button can type it once more.
    pub line: String,
    /// Whether the person is shown the names before anything is made: they were made of a customer who was
    /// typed, and not by `CONFIG` alone.
    pub asks: bool,
}

/// What a list of services or a bundle comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Only one service is left of it.
    One(Request),
    /// Two or more, or one whose name has to be shown first.
    Several(Several),
}

/// What a word means already, so that no bundle can be called that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is a command, or a word that belongs to one.
    Command,
    /// The service of that id is meant by it.
    Service(ServiceId),
}

/// What a word means before it can be the name of a bundle.
#[must_use]
pub fn taken(name: &str, catalog: &Catalog) -> Option<Taken> {
    if verbs::is_taken(name) || help::is_help(name) || is_little_word(name) {
        return Some(Taken::Command);
    }
    meant::known(name, catalog).map(|service| Taken::Service(service.id))
}

/// Reads `SERVICE, SERVICE [CUSTOMER] [to DESTINATION]`, `SERVICE SCHEMA, SERVICE SCHEMA` or
/// `BUNDLE [CUSTOMER]`; a bundle can stand among services too. `None` for any other text, which means what it means as one command.
#[must_use]
pub fn parse(words: &[&str], vocabulary: &Vocabulary<'_>) -> Option<Result<Read, UsageError>> {
    let (said, destination) = connect::with_destination(words, vocabulary.destinations);
    let Some((bundle, List { items, customer })) = services(said, vocabulary) else {
        return misspelt(said, destination, vocabulary).map(Err);
    };
    let rest = |rest: &[&str]| parse(rest, vocabulary).transpose().map(drop);
    if let Some(error) = connect::dangling(words, vocabulary, &rest) {
        return Some(Err(error));
    }
    Some(Asked { bundle, items, customer, destination, vocabulary }.read())
}

/// The same of services that were chosen by their ids and not typed, and of a customer who was typed, or nobody.
///
/// # Errors
/// [`UsageError`].
pub(super) fn of_ids(
    ids: &[String],
    customer: &str,
    destination: Option<&str>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Read, UsageError> {
    let items = ids.iter().map(|id| {
        let found = connect::found(id, vocabulary.catalog);
        Item { service: id.clone(), found, behind: Vec::new() }
    });
    let (items, customer) = (items.collect(), customer.split_whitespace().collect());
    Asked { bundle: None, items, customer, destination, vocabulary }.read()
}

/// The services that a text names, and the bundle by whose name it does.
fn services<'a>(words: &[&'a str], vocabulary: &Vocabulary<'a>) -> Option<(Option<&'a str>, List<'a>)> {
    let (first, customer) = words.split_first()?;
    match vocabulary.bundles.called(first) {
        // A service wins over a bundle of its name, which CONFIG cannot know of.
        Some((name, services))
            if !customer.first().is_some_and(|word| word.starts_with(','))
                && !connect::begins_with_service(words, vocabulary.catalog) =>
        {
            let items = services.iter().map(|id| {
                let found = connect::found(id.as_str(), vocabulary.catalog);
                Item { service: id.to_string(), found, behind: Vec::new() }
            });
            Some((Some(name), List { items: items.collect(), customer: customer.to_vec() }))
        }
        _ => list::read(words, vocabulary.catalog, vocabulary.bundles).map(|list| (None, list)),
    }
}

/// What is amiss with a word that is nearly a bundle's name.
fn misspelt(words: &[&str], destination: Option<&str>, vocabulary: &Vocabulary<'_>) -> Option<UsageError> {
    let (first, customer) = words.split_first()?;
    let word = first.to_lowercase();
    let name = vocabulary.bundles.by_name.keys().find(|name| verbs::is_near(&word, name))?;
    let is_else = customer.len() > 1
        || verbs::near(&word).is_some()
        || connect::begins_with_service(words, vocabulary.catalog);
    if is_else {
        return None;
    }
    let customer: String = customer.iter().map(|customer| format!(" {customer}")).collect();
    let instead = format!("{name}{customer}{}", vocabulary.slash.to_destination(destination));
    Some(UsageError::MisspeltBundle { typed: echo(first), instead })
}

/// What was asked for, before it is known whether that can be done.
struct Asked<'a, 'v> {
    bundle: Option<&'a str>,
    items: Vec<Item<'a>>,
    customer: Vec<&'a str>,
    destination: Option<&'a str>,
    vocabulary: &'v Vocabulary<'v>,
}

/// By what the connections are named.
struct Naming<'v> {
    template: Cow<'v, Template>,
    customer: Option<Customer>,
    /// Whether the customer was typed, and is not the one whom the channel has anyway.
    by_typed: bool,
}

impl Asked<'_, '_> {
    fn read(mut self) -> Result<Read, UsageError> {
        let each_has_its_own = self.items.iter().any(|item| !item.behind.is_empty());
        if !each_has_its_own {
            self.once_each();
        }
        if self.items.len() > MOST_SOURCES {
            return Err(UsageError::TooMany { count: self.items.len() });
        }
        let mut found = Vec::with_capacity(self.items.len());
        for (at, item) in self.items.iter().enumerate() {
            let it = item.found.clone().ok_or_else(|| self.unknown(at))?;
            if let Some(error) = connect::not_here(&it.service, self.vocabulary) {
                return Err(error);
            }
            found.push(it);
        }
        if each_has_its_own { self.as_typed(&found) } else { self.by_pattern(found) }
    }

    /// Leaves out what is there already.
    fn once_each(&mut self) {
        let mut seen = BTreeSet::new();
        self.items.retain(|item| {
            let id = item.found.as_ref().map_or_else(|| item.service.clone(), |it| it.service.id.to_string());
            seen.insert(id)
        });
    }

    fn unknown(&self, at: usize) -> UsageError {
        let Some(item) = self.items.get(at) else { return UsageError::Incomplete };
        let suggestions = connect::suggestions(&item.service, self.vocabulary);
        let usable = suggestions.iter().filter(|service| service.obstacle.is_none());
        let instead = usable
            .map(|service| self.with(at, &Self::part(service.id.as_str(), &item.behind)))
            .map(|line| format!("{line}{}{}", self.customer_typed(), self.to()));
        UsageError::UnknownService { typed: echo(&item.service), instead: instead.collect(), suggestions }
    }

    /// Each with the schema that was typed for it.
    fn as_typed(&self, found: &[Found]) -> Result<Read, UsageError> {
        if self.items.iter().any(|item| item.behind.is_empty()) {
            return Err(UsageError::Mixed { line: self.each_with_a_schema() });
        }
        connect::land(self.destination, &self.line(None), self.vocabulary)?;
        let mut sources = Vec::with_capacity(found.len());
        for (at, (item, found)) in self.items.iter().zip(found).enumerate() {
            let [schema] = item.behind.as_slice() else {
                return Err(self.spaced(at, &found.service, &item.behind));
            };
            let request = connect::request(&item.service, Some(schema), self.destination, self.vocabulary)
                .map_err(|error| self.within(at, error))?;
            if !sources.contains(&request) {
                sources.push(request);
            }
        }
        self.told_apart(Onboard { customer: None, sources }, self.line(None), false)
    }

    /// A schema of several words.
    fn spaced(&self, at: usize, service: &Service, words: &[&str]) -> UsageError {
        let part = meant::line(service, words, None, self.vocabulary);
        // With a destination of its own it would be no part of a list.
        let part = part.filter(|part| part.split(' ').count() == 2);
        UsageError::SpacedSchema { instead: part.map(|part| self.with(at, &part) + &self.to()) }
    }

    /// A mistake in one of them, with the others around it.
    fn within(&self, at: usize, error: UsageError) -> UsageError {
        let around = |items: Option<&[Item<'_>]>| {
            let items = items.unwrap_or_default().iter();
            items.map(|item| Self::part(&item.service, &item.behind)).collect::<Vec<_>>()
        };
        let before = around(self.items.get(..at)).iter().map(|part| format!("{part}, ")).collect();
        let after: String = around(self.items.get(at + 1..)).iter().map(|part| format!(", {part}")).collect();
        let behind = after + &self.to();
        let error = match error {
            UsageError::BadName { service, name, .. } => UsageError::BadName { service, name, rest: behind },
            UsageError::Misfit { service, target, misfit, .. } => {
                UsageError::Misfit { service, target, misfit, rest: behind }
            }
            other => other,
        };
        UsageError::InList { before, error: Box::new(error) }
    }

    /// Each with the name that the pattern makes.
    fn by_pattern(&self, found: Vec<Found>) -> Result<Read, UsageError> {
        let typed = self.typed_customer()?;
        let line = self.line(typed.as_ref().map(ToString::to_string).as_deref());
        let place = connect::land(self.destination, &line, self.vocabulary)
            .map_err(|error| self.rather_a_customer(error))?;
        let naming = self.naming(typed)?;
        let customer = naming.customer.as_ref().filter(|_| naming.template.wants_customer());
        let customer = customer.map(ToString::to_string);
        let mut sources = Vec::with_capacity(found.len());
        for found in found {
            let destination = place.in_pattern(self.vocabulary.destinations);
            let words = Words { service: &found.service, customer: naming.customer.as_ref(), destination };
            let target = naming.template.fill(&words).map_err(|unfilled| match unfilled {
                Unfilled::NoCustomer => self.customer_missing(),
                Unfilled::NoDestination => UsageError::DestinationUnnamed {
                    line: line.clone(),
                    known: self.vocabulary.destinations.names(),
                },
                Unfilled::BadName(name) => UsageError::Misnamed {
                    service: Box::new(found.service.clone()),
                    name,
                    by_customer: naming.by_typed,
                    line: self.each_with_a_schema(),
                },
            })?;
            let request = connect::resolved(found, target, place.clone(), self.vocabulary);
            sources.push(Request { by_channel: true, customer: customer.clone(), ..request });
        }
        self.told_apart(Onboard { customer, sources }, line, naming.by_typed)
    }

    /// Who was typed.
    fn typed_customer(&self) -> Result<Option<Customer>, UsageError> {
        let words = meant::without_manners(&self.customer);
        match words {
            [] => return Ok(None),
            // Our own line, sent as it stands.
            [word] if *word == CUSTOMER || meant::is_placeholder(word) => {
                return Err(self.customer_missing());
            }
            _ => {}
        }
        let parsed = Customer::parse(&words.join(" "));
        parsed.map(Some).map_err(|name| {
            let instead = name.nearest.as_ref().map(|customer| self.line(Some(customer)) + &self.to());
            UsageError::BadCustomer { name, instead }
        })
    }

    /// By what they are named: a customer who was typed wins over the channel's.
    fn naming(&self, typed: Option<Customer>) -> Result<Naming<'_>, UsageError> {
        let channel = self.vocabulary.channel;
        match (&channel.schema, typed) {
            (Some(Schema::Template(template)), Some(typed)) if template.wants_customer() => {
                let by_typed = channel.customer.as_ref() != Some(&typed);
                Ok(Naming { template: Cow::Borrowed(template), customer: Some(typed), by_typed })
            }
            (Some(Schema::Template(template)), Some(typed)) => Err(UsageError::CustomerUnused {
                customer: typed.to_string(),
                pattern: template.to_string(),
                instead: self.line(None) + &self.to(),
            }),
            (Some(Schema::Plain(_)) | None, Some(typed)) => {
                Ok(Naming { template: Cow::Owned(Template::usual()), customer: Some(typed), by_typed: true })
            }
            (Some(Schema::Template(template)), None) => match &channel.customer {
                None if template.wants_customer() => Err(self.customer_missing()),
                customer => {
                    let template = Cow::Borrowed(template);
                    Ok(Naming { template, customer: customer.clone(), by_typed: false })
                }
            },
            (Some(Schema::Plain(target)), None) => Err(UsageError::OneSchema {
                schema: target.connection_name(),
                line: self.line(Some(CUSTOMER)) + &self.to(),
            }),
            (None, None) => Err(self.customer_missing()),
        }
    }

    fn customer_missing(&self) -> UsageError {
        UsageError::CustomerMissing { line: self.line(Some(CUSTOMER)) + &self.to() }
    }

    /// `google_ads, stripe to acme`, where acme is no destination and nobody was named, means a customer.
    fn rather_a_customer(&self, error: UsageError) -> UsageError {
        match (error, self.destination) {
            (UsageError::UnknownDestination { typed, known, instead: None }, Some(name))
                if self.customer.is_empty() && !self.vocabulary.channel.names_schemas() =>
            {
                let customer = Customer::parse(name).map(|it| it.to_string());
                let customer = customer.or_else(|bad| bad.nearest.ok_or(())).ok();
                let instead = customer.map(|customer| self.line(Some(&customer)));
                UsageError::UnknownDestination { typed, known, instead }
            }
            (error, _) => error,
        }
    }

    /// What is left of it, if no two of them have one name.
    fn told_apart(&self, mut onboard: Onboard, line: String, asks: bool) -> Result<Read, UsageError> {
        for (at, source) in onboard.sources.iter().enumerate() {
            let mut before = onboard.sources.iter().take(at);
            if let Some(other) = before.find(|other| other.key() == source.key()) {
                return Err(UsageError::SameName {
                    name: source.target.connection_name(),
                    services: [other.service_name.clone(), source.service_name.clone()],
                    // What was typed is what cannot be.
                    line: self.each_with(|_| true),
                });
            }
        }
        Ok(match onboard.sources.pop() {
            // Nobody has seen the name that was made of what they typed.
            Some(only) if onboard.sources.is_empty() && asks => {
                let line = match self.bundle {
                    Some(_) => line,
                    // By itself it would be a service and its schema.
                    None => format!("{}, {line}", only.service),
                };
                onboard.sources.push(only);
                Read::Several(Several { onboard, line: line + &self.to(), asks })
            }
            Some(only) if onboard.sources.is_empty() => Read::One(only),
            last => {
                onboard.sources.extend(last);
                Read::Several(Several { onboard, line: line + &self.to(), asks })
            }
        })
    }

    /// The line before a destination, for another customer or none.
    fn line(&self, customer: Option<&str>) -> String {
        let customer = customer.map(|customer| format!(" {customer}")).unwrap_or_default();
        match self.bundle {
            Some(name) => format!("{name}{customer}"),
            None => self.listed(|item| Self::part(Self::id(item), &item.behind)).join(", ") + &customer,
        }
    }

    /// The services with another text in the place of one.
    fn with(&self, at: usize, part: &str) -> String {
        let mut parts = self.listed(|item| Self::part(Self::id(item), &item.behind));
        if let Some(other) = parts.get_mut(at) {
            part.clone_into(other);
        }
        parts.join(", ")
    }

    /// A line with a word to fill in for each schema that is not typed.
    fn each_with_a_schema(&self) -> String {
        self.each_with(|item| item.behind.is_empty())
    }

    /// A line with a word to fill in for the schema of each of which that is `wanted`.
    fn each_with(&self, wanted: impl Fn(&Item<'_>) -> bool) -> String {
        let mut parts = self.listed(|item| {
            let target = [meant::wanted_target(item.found.as_ref().and_then(|it| it.service.kind))];
            Self::part(Self::id(item), if wanted(item) { &target } else { &item.behind })
        });
        if parts.len() > SHOWN {
            parts.truncate(SHOWN);
            parts.push("…".to_owned());
            return parts.join(", ");
        }
        parts.join(", ") + &self.to()
    }

    fn listed(&self, part: impl Fn(&Item<'_>) -> String) -> Vec<String> {
        self.items.iter().map(part).collect()
    }

    fn id<'i>(item: &'i Item<'_>) -> &'i str {
        item.found.as_ref().map_or(&item.service, |it| it.service.id.as_str())
    }

    fn part(service: &str, behind: &[&str]) -> String {
        std::iter::once(service).chain(behind.iter().copied()).collect::<Vec<_>>().join(" ")
    }

    fn customer_typed(&self) -> String {
        self.customer.iter().map(|word| format!(" {word}")).collect()
    }

    fn to(&self) -> String {
        self.vocabulary.slash.to_destination(self.destination)
    }
}

#[cfg(test)]
mod tests;
