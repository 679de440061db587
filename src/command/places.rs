//! Where data can land, and what holds in which channel.
//!
//! Owns these types, their lookups, and what to say of a service that Fivetran does not have and of names
//! that will not do. Must not know how they are read.

use std::collections::{BTreeMap, BTreeSet};

use super::naming::{Customer, Schema, Template, Unfilled, Words};
use crate::fivetran::catalog::{Catalog, Service, ServiceId};
use crate::fivetran::schema::{BadName, MAX_NAME_LEN, SchemaKind, Target, Why};

/// The service in an example, where the channel names none.
pub(super) const EXAMPLE: &str = "google_ads";
/// Any channel that the file does not name.
pub(super) const UNNAMED: &str = "a channel that isn't in the file";

/// Where a connection's data can land: destinations by name, and the one meant when none is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// `FIVETRAN_GROUP_ID`, else what the file `CONFIG` says, else the only destination there is.
    pub default_group: Option<String>,
    /// Names that a person may type after `to`, with their group ids.
    pub named: BTreeMap<String, String>,
    /// The group ids of those in which what the bot did not make is watched too.
    pub watched: BTreeSet<String>,
}

impl Destinations {
    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.named.keys().cloned().collect()
    }

    /// The name of the destination that a word means: in whatever case, and with marks around it.
    #[must_use]
    pub fn called(&self, word: &str) -> Option<String> {
        let lower = word.to_lowercase();
        let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
        [lower.as_str(), bare].into_iter().find(|name| self.named.contains_key(*name)).map(str::to_owned)
    }

    /// The one whose name has the same letters and digits as a word.
    #[must_use]
    pub fn like(&self, word: &str) -> Option<&str> {
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let (word, mut named) = (plain(&word.to_lowercase()), self.named.keys());
        named.find(|name| plain(name) == word).map(String::as_str)
    }

    /// A name of the destination with this group id.
    #[must_use]
    pub fn name_of(&self, group_id: &str) -> Option<&str> {
        self.named.iter().find(|(_, id)| *id == group_id).map(|(name, _)| name.as_str())
    }

    /// All names of the destination with this group id.
    pub fn names_of(&self, group_id: &str) -> impl Iterator<Item = &str> {
        self.named.iter().filter(move |(_, id)| *id == group_id).map(|(name, _)| name.as_str())
    }

    /// Every group id once, each with the name to show for it.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<&str, Option<&str>> {
        let default = self.default_group.iter().map(|id| (id.as_str(), None));
        default.chain(self.named.iter().map(|(name, id)| (id.as_str(), Some(name.as_str())))).collect()
    }
}

/// What holds in one channel unless a person says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelDefaults {
    /// Where data lands when none is typed.
    pub schema: Option<Schema>,
    /// Who the channel is for.
    pub customer: Option<Customer>,
    /// The name of the destination when none is typed.
    pub destination: Option<String>,
    /// The services that may be asked for here; empty: all.
    pub services: Vec<ServiceId>,
    /// Whether an unfinished link is brought up again.
    pub reminders: bool,
    /// Whether it has a digest of its own, if that was said.
    pub digest: Option<bool>,
}

/// Of a channel that is not configured.
pub static NO_DEFAULTS: ChannelDefaults = ChannelDefaults {
    schema: None,
    customer: None,
    destination: None,
    services: Vec::new(),
    reminders: false,
    digest: None,
};

impl ChannelDefaults {
    /// Whether a service may be asked for here.
    #[must_use]
    pub fn allows(&self, service: &ServiceId) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }

    /// Whether a service may be asked for without a schema.
    #[must_use]
    pub fn names_schemas(&self) -> bool {
        self.one_schema().is_some() || self.pattern().is_some()
    }

    /// The one schema that everything here goes to, if there is one.
    #[must_use]
    pub fn one_schema(&self) -> Option<&Target> {
        match &self.schema {
            Some(Schema::Plain(target)) => Some(target),
            Some(Schema::Template(_)) | None => None,
        }
    }

    /// The pattern by which connections here are named. One that wants a customer whom nobody named says
    /// nothing.
    #[must_use]
    pub fn pattern(&self) -> Option<&Template> {
        match &self.schema {
            Some(Schema::Template(it)) if self.customer.is_some() || !it.wants_customer() => Some(it),
            _ => None,
        }
    }

    /// Whether several services asked for at once are named after a customer.
    #[must_use]
    pub fn takes_customer(&self) -> bool {
        !matches!(&self.schema, Some(Schema::Template(it)) if !it.wants_customer())
    }

    /// What a connection is called here when nothing is typed; `None`: it must be typed.
    #[must_use]
    pub fn name(&self, service: &Service, destination: Option<&str>) -> Option<Result<Target, Unfilled>> {
        if let Some(target) = self.one_schema() {
            return Some(Ok(target.clone()));
        }
        let words = Words { service, customer: self.customer.as_ref(), destination };
        self.pattern().map(|pattern| pattern.fill(&words))
    }

    /// A name that the channel's pattern makes, of a service that it allows; `None` where it makes none.
    #[must_use]
    pub fn example(&self, catalog: &Catalog, destinations: &Destinations) -> Option<String> {
        self.pattern()?;
        let mut allowed = self.services.iter().map(ServiceId::as_str).chain([EXAMPLE]);
        let service = allowed.find_map(|id| catalog.get(id))?;
        let name = self.name(service, self.usual_destination(destinations))?;
        name.ok().map(|target| target.connection_name())
    }

    /// The name of the destination when none is typed, if it has one.
    pub(super) fn usual_destination<'a>(&'a self, destinations: &'a Destinations) -> Option<&'a str> {
        let default = || destinations.name_of(destinations.default_group.as_deref()?);
        self.destination.as_deref().or_else(default)
    }

    /// Whether of two services here the second finds its schema taken.
    fn takes_one_source_only(&self, catalog: &Catalog) -> bool {
        let wants_table =
            |id: &str| catalog.get(id).and_then(|it| it.kind).is_some_and(SchemaKind::wants_table);
        // Several tables fit into one schema.
        let only_tables =
            !self.services.is_empty() && self.services.iter().all(|it| wants_table(it.as_str()));
        if let Some(target) = self.one_schema() {
            // Without a table it is asked for each time.
            return self.services.len() != 1 && !(only_tables && target.table.is_none());
        }
        self.pattern().is_some_and(|pattern| {
            let apart = pattern.tells_services_apart() || (only_tables && pattern.tells_tables_apart());
            self.services.len() != 1 && !apart
        })
    }

    /// Whether the channel's pattern gives two of these services one name, whoever the customer is.
    pub(super) fn names_alike(&self, services: &[ServiceId], catalog: &Catalog) -> bool {
        let Some(Schema::Template(pattern)) = &self.schema else { return false };
        let (customer, destination) = (Customer::parse("a").ok(), Some("b"));
        let mut names = BTreeSet::new();
        let named = services.iter().filter_map(|id| catalog.get(id.as_str())).filter_map(|service| {
            pattern.fill(&Words { service, customer: customer.as_ref(), destination }).ok()
        });
        named.map(|target| target.connection_name()).any(|name| !names.insert(name))
    }

    /// The names that the channel's pattern makes of services and that would not do.
    fn misnamed<'a>(
        &'a self,
        services: &'a [ServiceId],
        catalog: &'a Catalog,
        destinations: &'a Destinations,
    ) -> impl Iterator<Item = (&'a ServiceId, BadName)> {
        let named = self.pattern().is_some_and(Template::wants_destination);
        // Whichever is typed.
        let places: Vec<_> = match named {
            true => destinations.named.keys().map(|name| Some(name.as_str())).collect(),
            false => vec![None],
        };
        let services = services.iter().filter(|id| self.pattern().is_some() && self.allows(id));
        services.filter_map(move |id| {
            let service = catalog.get(id.as_str()).filter(|service| service.obstacle.is_none())?;
            let mut names = places.iter().filter_map(|place| self.name(service, *place));
            names.find_map(|name| match name {
                Err(Unfilled::BadName(bad)) => Some((id, bad)),
                _ => None,
            })
        })
    }
}

/// What the file `CONFIG` says of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Those that it names, by their ids.
    pub by_id: BTreeMap<String, ChannelDefaults>,
    /// What holds in all others.
    pub others: ChannelDefaults,
}

impl Channels {
    /// What holds in a channel.
    #[must_use]
    pub fn of(&self, channel_id: &str) -> &ChannelDefaults {
        self.by_id.get(channel_id).unwrap_or(&self.others)
    }

    /// What to say of each service that a channel allows and Fivetran does not list, a line each. Not
    /// a fault of the file: a new service is not in the built-in catalogue, and a bot must start
    /// without Fivetran.
    pub fn unknown_services(&self, catalog: &Catalog) -> impl Iterator<Item = String> {
        let allowed =
            self.by_id.iter().flat_map(|(id, channel)| channel.services.iter().map(move |it| (id, it)));
        let unknown = allowed.filter(|(_, service)| catalog.get(service.as_str()).is_none());
        unknown.map(|(channel_id, service)| unknown_service(channel_id, service, catalog))
    }

    /// How each channel with a pattern names its schemas, a line each.
    pub fn patterns(&self, catalog: &Catalog, destinations: &Destinations) -> impl Iterator<Item = String> {
        self.each().filter_map(move |(channel_id, channel)| {
            let pattern = channel.pattern()?;
            let who = match (channel_id, &channel.customer) {
                (None, _) => UNNAMED.to_owned(),
                (Some(id), Some(customer)) => format!("{customer}'s channel {id}"),
                (Some(id), None) => format!("channel {id}"),
            };
            let example = channel.example(catalog, destinations);
            let such_as = example.map(|name| format!(", such as {name}")).unwrap_or_default();
            Some(format!("{who} names its schemas by {pattern}{such_as}"))
        })
    }

    /// What to say of each channel in which the second source is refused, a line each.
    pub fn one_source_only(&self, catalog: &Catalog) -> impl Iterator<Item = String> {
        self.each().filter(|(_, channel)| channel.takes_one_source_only(catalog)).map(|(channel_id, channel)| {
            let what = match (channel.one_schema(), channel.pattern()) {
                (Some(target), _) => format!("has the schema {}", target.connection_name()),
                (None, Some(pattern)) => format!("has the pattern {pattern}"),
                (None, None) => String::new(),
            };
            let who = channel_id.map_or_else(|| UNNAMED.to_owned(), |id| format!("channels.{id}"));
            format!(
                "{who} {what} for every service: only one source fits in it, and the second is refused. A pattern \
                 such as \"{{customer}}_{{service}}\" gives each its own"
            )
        })
    }

    /// What to say of each channel whose customer is in no name, a line each.
    pub fn unused_customers(&self) -> impl Iterator<Item = String> {
        self.by_id.iter().filter_map(|(channel_id, channel)| {
            let customer = channel.customer.as_ref()?;
            let why = match channel.schema.as_ref()? {
                Schema::Plain(target) => format!("the schema {}", target.connection_name()),
                Schema::Template(pattern) if !pattern.wants_customer() => format!("the pattern {pattern}"),
                Schema::Template(_) => return None,
            };
            Some(format!(
                "channels.{channel_id}: its customer, {customer}, isn't used, since {why} has no {{customer}} in it"
            ))
        })
    }

    /// What to say of each service that a channel allows and whose name would not do, a line each.
    pub fn misnamed<'a>(
        &'a self,
        catalog: &'a Catalog,
        destinations: &'a Destinations,
    ) -> impl Iterator<Item = String> {
        self.by_id.iter().flat_map(move |(channel_id, channel)| {
            let misnamed = channel.misnamed(&channel.services, catalog, destinations);
            misnamed
                .map(move |(service, bad)| format!("channels.{channel_id}: {}", misnamed_as(service, &bad)))
        })
    }

    /// The same of these services, in every channel that allows them: with the channel's id.
    pub(super) fn misnamed_among<'a>(
        &'a self,
        services: &'a [ServiceId],
        catalog: &'a Catalog,
        destinations: &'a Destinations,
    ) -> impl Iterator<Item = (&'a str, String)> {
        self.by_id.iter().flat_map(move |(channel_id, channel)| {
            let misnamed = channel.misnamed(services, catalog, destinations);
            misnamed.map(move |(service, bad)| (channel_id.as_str(), misnamed_as(service, &bad)))
        })
    }

    /// Every channel of the file, and at last what holds in the others.
    pub(super) fn each(&self) -> impl Iterator<Item = (Option<&str>, &ChannelDefaults)> {
        let named = self.by_id.iter().map(|(id, channel)| (Some(id.as_str()), channel));
        named.chain([(None, &self.others)])
    }
}

/// What would be made of a service's name, and what to do about it.
fn misnamed_as(service: &ServiceId, bad: &BadName) -> String {
    let (why, remedy) = match bad.why {
        Why::TooLong => {
            (format!("is longer than {MAX_NAME_LEN} characters"), "shorten the pattern, or the customer")
        }
        _ => ("isn't a valid schema".to_owned(), "begin the pattern with a letter"),
    };
    format!("{service} would be called “{}”, which {why}; {remedy}", bad.typed)
}

fn unknown_service(channel_id: &str, service: &ServiceId, catalog: &Catalog) -> String {
    let hint = catalog.hint(service);
    format!(
        "channels.{channel_id}.services has {service}, which Fivetran does not list{hint}: correct the id"
    )
}
