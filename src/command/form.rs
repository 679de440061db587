//! `/connect-card` alone: the form that asks for what the command would have said.
//!
//! Owns what its fields mean and where a fault belongs. Pure: how it is opened and what it brings
//! back is [`crate::server`]'s, the words are [`crate::reply::form`]'s.

pub mod several;

use crate::command::connect;
use crate::command::places::{ChannelDefaults, Destinations};
use crate::command::{UsageError, Vocabulary, echo, plain};
use crate::fivetran::catalog::Service;
use crate::fivetran::schema::{BadName, Misfit, SchemaName, TableName, Target};
use crate::work::Request;

/// Longest name of a destination that can be chosen: Slack takes 75 characters for a choice. A
/// longer one can be typed.
const NAME_LIMIT: usize = 70;
/// Slack's limit for the choices of a list.
const CHOICES: usize = 100;
/// Stands for the default destination among the choices.
const DEFAULT: &str = "-";

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The service, chosen.
    Service,
    /// The schema, typed.
    Schema,
    /// The table, typed; most services want none.
    Table,
    /// Who several services are for, typed; there only where several are chosen.
    Customer,
    /// The destination, chosen; there only where there are several.
    Destination,
}

impl Field {
    /// Its id in the form.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Customer => "customer",
            Self::Destination => "destination",
        }
    }
}

/// What was put into the fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    /// A service's id.
    pub service: Option<&'a str>,
    /// As typed.
    pub schema: Option<&'a str>,
    /// As typed.
    pub table: Option<&'a str>,
    /// The value of a [`Choice`].
    pub destination: Option<&'a str>,
}

/// A destination that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its name; `None` for a default one without a name.
    pub name: Option<String>,
    /// What Slack brings back if it is chosen.
    pub value: String,
}

/// What is wrong, and at which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field.
    pub field: Field,
    /// What is wrong there.
    pub error: UsageError,
}

/// The destinations: the channel's first, then the default one.
#[must_use]
pub fn choices(destinations: &Destinations, channel: &ChannelDefaults) -> Vec<Choice> {
    let default = destinations.default_group.as_ref();
    let mut choices: Vec<_> = destinations
        .named
        .keys()
        .filter(|name| name.chars().count() <= NAME_LIMIT)
        .map(|name| Choice { name: Some(name.clone()), value: format!("={name}") })
        .collect();
    let named = |choice: &Choice| choice.name.as_ref().and_then(|name| destinations.named.get(name));
    match choices.iter().position(|choice| default.is_some() && named(choice) == default) {
        Some(at) => {
            if let Some(first) = choices.get_mut(..=at) {
                first.rotate_right(1);
            }
        }
        None if default.is_some() => choices.insert(0, Choice { name: None, value: DEFAULT.to_owned() }),
        None => {}
    }
    if let Some(at) = choices.iter().position(|it| it.name.is_some() && it.name == channel.destination)
        && let Some(first) = choices.get_mut(..=at)
    {
        first.rotate_right(1);
    }
    choices.truncate(CHOICES);
    choices
}

/// What was asked for.
///
/// # Errors
/// Every [`Fault`], at most one for each field.
pub fn read(values: Values<'_>, vocabulary: &Vocabulary<'_>) -> Result<Request, Vec<Fault>> {
    let mut schema = plain(values.schema.unwrap_or_default());
    let table = plain(values.table.unwrap_or_default());
    // The field needs a text, and held this one at first. In a form that was changed while it was open,
    // Slack forgets what nobody touched: <https://github.com/slackapi/bolt-js/issues/1073>
    if let Some(preset) = vocabulary.channel.one_schema().filter(|_| schema.is_empty()) {
        schema = preset.connection_name();
    }
    let by_pattern = schema.is_empty() && vocabulary.channel.pattern().is_some();
    // People know the dotted form from the command.
    let dotted = schema.split_once('.').filter(|_| table.is_empty());
    let (schema, table, table_field) = match dotted {
        Some((schema, table)) => (schema, Some(table), Field::Schema),
        None => (schema.as_str(), Some(table.as_str()).filter(|table| !table.is_empty()), Field::Table),
    };
    let mut faults = Faults::default();
    // An id and nothing else: what is chosen is not typed.
    let service = values.service.and_then(|id| vocabulary.catalog.get(id));
    if service.is_none() {
        let typed = echo(values.service.unwrap_or_default());
        faults.add(
            Field::Service,
            UsageError::UnknownService { typed, suggestions: Vec::new(), instead: Vec::new() },
        );
    }
    if let Some(service) = service
        && let Some(obstacle) = service.obstacle
    {
        faults.add(Field::Service, UsageError::NotByLink { service: service.clone(), obstacle });
    }
    let schema = match by_pattern {
        true => Some(None),
        false => faults.name(Field::Schema, SchemaName::parse(schema)).map(Some),
    };
    let table = match table {
        Some(table) => faults.name(table_field, TableName::parse(table)).map(Some),
        None => Some(None),
    };
    if let (Some(service), Some(schema), Some(table)) = (service, schema, table) {
        let target = schema.map(|schema| Target { schema, table: table.clone() });
        let misfit = |target: &Target| service.kind.and_then(|kind| target.fits(kind).err());
        if let Some((target, misfit)) = target.clone().and_then(|it| misfit(&it).map(|why| (it, why))) {
            faults.misfit(service, target, misfit, table_field);
        } else if faults.0.is_empty() {
            let typed = target.map(|target| target.connection_name());
            match ask(service, typed.as_deref(), values, vocabulary).map(|it| with_table(it, table)) {
                Ok(Ok(request)) => return Ok(request),
                Ok(Err((target, misfit))) => faults.misfit(service, target, misfit, table_field),
                Err(fault) => faults.add(fault.field, fault.error),
            }
        }
    }
    Err(faults.0)
}

/// The request for a service, at the destination that was chosen.
fn ask(
    service: &Service,
    schema: Option<&str>,
    values: Values<'_>,
    vocabulary: &Vocabulary<'_>,
) -> Result<Request, Fault> {
    let (destination, channel) = destination(values.destination, vocabulary);
    let vocabulary = Vocabulary { channel: &channel, ..*vocabulary };
    connect::request(service.id.as_str(), schema, destination.as_deref(), &vocabulary)
        .map_err(|error| Fault { field: field_of(&error, values), error })
}

/// What was asked for, with the table that was typed, if one was: it need not be the channel's.
fn with_table(request: Request, table: Option<TableName>) -> Result<Request, (Target, Misfit)> {
    let Some(table) = table else { return Ok(request) };
    let target = Target { table: Some(table), ..request.target };
    match request.kind.and_then(|kind| target.fits(kind).err()) {
        Some(misfit) => Err((target, misfit)),
        None => Ok(Request { target, ..request }),
    }
}

/// The name of the destination that was chosen, or the only one there is, and what the channel has
/// for the rest: no destination of its own where the default one was chosen.
fn destination(chosen: Option<&str>, vocabulary: &Vocabulary<'_>) -> (Option<String>, ChannelDefaults) {
    let mut channel = vocabulary.channel.clone();
    let value = match chosen {
        Some(value) => value.to_owned(),
        None => match choices(vocabulary.destinations, &channel).as_slice() {
            [only] if channel.destination.is_none() => only.value.clone(),
            _ => return (None, channel),
        },
    };
    if value == DEFAULT {
        channel.destination = None;
        return (None, channel);
    }
    (Some(value.strip_prefix('=').unwrap_or(&value).to_owned()), channel)
}

fn field_of(error: &UsageError, values: Values<'_>) -> Field {
    match error {
        UsageError::UnknownDestination { .. }
        | UsageError::NoDestination { .. }
        | UsageError::DestinationUnnamed { .. }
            if values.destination.is_some() =>
        {
            Field::Destination
        }
        UsageError::UnknownDestination { .. }
        | UsageError::NoDestination { .. }
        | UsageError::DestinationUnnamed { .. }
        | UsageError::Unnamed { .. }
        | UsageError::BadName { .. } => Field::Schema,
        _ => Field::Service,
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: Field, error: UsageError) {
        if !self.0.iter().any(|fault| fault.field == field) {
            self.0.push(Fault { field, error });
        }
    }

    fn name<T>(&mut self, field: Field, name: Result<T, BadName>) -> Option<T> {
        name.map_err(|name| self.add(field, UsageError::NotASchema { name, instead: None })).ok()
    }

    fn misfit(&mut self, service: &Service, target: Target, misfit: Misfit, table_field: Field) {
        let field = match misfit {
            Misfit::TableMissing { .. } => Field::Table,
            Misfit::TableNotWanted => table_field,
        };
        self.add(
            field,
            UsageError::Misfit { service: Box::new(service.clone()), target, misfit, rest: String::new() },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bundle::NO_BUNDLES;
    use crate::command::naming::{Customer, Schema};
    use crate::command::places::NO_DEFAULTS;
    use crate::command::surface::Surface;
    use crate::fivetran::catalog::Catalog;

    fn destinations(default: Option<&str>, named: &[(&str, &str)]) -> Destinations {
        let named = named.iter().map(|&(name, id)| (name.to_owned(), id.to_owned())).collect();
        Destinations { default_group: default.map(str::to_owned), named, ..Destinations::default() }
    }

    fn read_in(
        channel: &ChannelDefaults,
        values: Values<'_>,
        destinations: &Destinations,
    ) -> Result<Request, Vec<Fault>> {
        let catalog = Catalog::built_in();
        read(
            values,
            &Vocabulary {
                slash: Surface::of("/connect-card"),
                catalog: &catalog,
                destinations,
                channel,
                bundles: &NO_BUNDLES,
            },
        )
    }

    fn faults(service: &str, schema: &str, table: &str) -> Vec<Field> {
        let values =
            Values { service: Some(service), schema: Some(schema), table: Some(table), destination: None };
        match read_in(&NO_DEFAULTS, values, &destinations(Some("g"), &[])) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|fault| fault.field).collect(),
        }
    }

    #[test]
    fn each_fault_is_at_its_field() {
        use Field::{Schema, Service, Table};
        for (service, schema, table, fields) in [
            ("google_ads", "acme", "", vec![]),
            ("google_ads", " acme\u{200B} ", "", vec![]),
            ("google_sheets", "acme", "budget", vec![]),
            ("google_sheets", "acme.budget", "", vec![]),
            ("google_sheets", "acme", "", vec![Table]),
            ("google_ads", "acme", "budget", vec![Table]),
            ("google_ads", "acme.budget", "", vec![Schema]),
            ("google_sheets", "Acme", "1", vec![Schema, Table]),
            ("Google Ads", "acme", "", vec![Service]),
            ("adwords", "acme", "", vec![Service]),
            ("", "", "", vec![Service, Schema]),
            ("google_sheets", "a.b", "c", vec![Schema]),
        ] {
            assert_eq!(faults(service, schema, table), fields, "{service} {schema} {table}");
        }
    }

    #[test]
    fn a_field_that_is_left_empty_is_the_patterns() {
        let by = |pattern: &str| ChannelDefaults {
            schema: Some(Schema::parse(pattern).unwrap()),
            customer: Some(Customer::parse("acme").unwrap()),
            ..NO_DEFAULTS.clone()
        };
        let read = |channel: &ChannelDefaults, [service, schema, table]: [&str; 3]| {
            let values = Values {
                service: Some(service),
                schema: Some(schema),
                table: Some(table),
                destination: None,
            };
            read_in(channel, values, &destinations(Some("g"), &[("eu", "e")]))
                .map(|request| (request.target.connection_name(), request.by_channel))
                .map_err(|faults| faults.iter().map(|fault| fault.field).collect::<Vec<_>>())
        };
        let usual = by("{customer}_{service}");
        for (filled_in, name, by_channel) in [
            (["stripe", "", ""], "acme_stripe", true),
            (["google_sheets", " ", ""], "acme_google_sheets.google_sheets", true),
            (["google_sheets", "", "budget"], "acme_google_sheets.budget", true),
            (["stripe", "other", ""], "other", false),
            (["google_sheets", "other.budget", ""], "other.budget", false),
        ] {
            assert_eq!(read(&usual, filled_in), Ok((name.to_owned(), by_channel)), "{filled_in:?}");
        }
        // What stood in the field at first.
        assert_eq!(read(&by("acme"), ["stripe", "", ""]), Ok(("acme".to_owned(), false)));
        for (channel, filled_in, field) in [
            (&usual, ["stripe", "", "budget"], Field::Table),
            (&usual, ["google_sheets", "", "1"], Field::Table),
            (&usual, ["google_sheets", "other", ""], Field::Table),
            (&usual, ["no_such", "", ""], Field::Service),
            (&by("{service}"), ["15five", "", ""], Field::Schema),
            (&by("{destination}"), ["stripe", "", ""], Field::Schema),
            (&NO_DEFAULTS, ["stripe", "", ""], Field::Schema),
            (&by("acme"), ["google_sheets", "", ""], Field::Table),
        ] {
            assert_eq!(read(channel, filled_in), Err(vec![field]), "{filled_in:?}");
        }
    }

    #[test]
    fn the_default_destination_comes_first_and_once() {
        let values = |destinations: &Destinations| -> Vec<String> {
            choices(destinations, &NO_DEFAULTS).into_iter().map(|choice| choice.value).collect()
        };
        let named = [("eu", "g1"), ("us", "g2")];
        assert_eq!(values(&destinations(Some("g"), &[])), ["-"]);
        assert_eq!(values(&destinations(Some("g"), &named)), ["-", "=eu", "=us"]);
        assert_eq!(values(&destinations(Some("g2"), &named)), ["=us", "=eu"]);
        assert_eq!(values(&destinations(None, &named)), ["=eu", "=us"]);
        assert_eq!(values(&destinations(None, &[(&"x".repeat(71), "g")])), Vec::<String>::new());
    }

    #[test]
    fn what_is_chosen_is_looked_up() {
        let several = destinations(Some("g"), &[("eu", "g1")]);
        let with = |chosen, destinations: &Destinations| {
            let values = Values {
                service: Some("google_ads"),
                schema: Some("acme"),
                table: None,
                destination: chosen,
            };
            read_in(&NO_DEFAULTS, values, destinations)
        };
        assert_eq!(with(Some("-"), &several).unwrap().group_id, "g");
        assert_eq!(with(Some("=eu"), &several).unwrap().group_id, "g1");
        assert_eq!(with(None, &several).unwrap().group_id, "g");
        assert_eq!(with(None, &destinations(None, &[("eu", "g1")])).unwrap().group_id, "g1");
        for forged in ["=nowhere", "g1", "="] {
            let faults = with(Some(forged), &several).unwrap_err();
            assert_eq!(
                faults.iter().map(|it| it.field).collect::<Vec<_>>(),
                [Field::Destination],
                "{forged}"
            );
        }
        let faults = with(None, &destinations(None, &[("eu", "g1"), ("us", "g2")])).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [Field::Schema]);
    }

    #[test]
    fn the_channels_destination_comes_first_and_the_default_one_can_be_chosen_all_the_same() {
        let several = destinations(Some("g"), &[("eu", "g1"), ("us", "g2")]);
        let channel = ChannelDefaults { destination: Some("us".to_owned()), ..NO_DEFAULTS.clone() };
        let names: Vec<_> = choices(&several, &channel).into_iter().map(|choice| choice.value).collect();
        assert_eq!(names, ["=us", "-", "=eu"]);
        for (chosen, group) in [(None, "g2"), (Some("=us"), "g2"), (Some("-"), "g"), (Some("=eu"), "g1")] {
            let values = Values {
                service: Some("google_ads"),
                schema: Some("acme"),
                table: None,
                destination: chosen,
            };
            assert_eq!(read_in(&channel, values, &several).unwrap().group_id, group, "{chosen:?}");
        }
    }
}
