//! What can be wrong with a text that is no command.
//!
//! Owns the kinds of mistakes, with what is needed to say what to type instead. Must not know how one is
//! found, nor a word of what is said of it.

use super::Verb;
use crate::fivetran::catalog::{Obstacle, Service};
use crate::fivetran::schema::{BadName, Misfit, Target};

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// Nothing, or one word that is no verb and no service.
    Incomplete,
    /// More than any command has, so that it was not read.
    TooLong,
    /// A verb that takes a schema, and none or more than one was typed.
    SchemaWanted {
        /// The verb.
        verb: Verb,
        /// What to type instead, if that can be told.
        instead: Option<String>,
    },
    /// A verb, or a field of the form, with a schema that cannot be one.
    NotASchema {
        /// What is wrong and the nearest good name.
        name: BadName,
        /// What to type instead, if there is such a name and a verb.
        instead: Option<String>,
    },
    /// A schema that is rather a word of the language of commands: typed in Slack, it is made only if it
    /// is in quotes.
    Doubtful {
        /// The word.
        word: String,
        /// What else it is.
        what: Doubt,
        /// What to type if it is a schema all the same.
        quoted: String,
    },
    /// A word that is close to a verb and begins no service.
    MisspeltVerb {
        /// What was typed, cut to what can be shown.
        typed: String,
        /// The verb.
        verb: Verb,
        /// What to type instead, if that can be told.
        instead: Option<String>,
    },
    /// A service and a schema in one word.
    Unparted {
        /// What to type instead.
        instead: String,
    },
    /// No service has that name.
    UnknownService {
        /// What was typed for the service, cut to what can be shown.
        typed: String,
        /// At most three that may be meant.
        suggestions: Vec<Service>,
        /// What to type instead with each of them, the likeliest first; none without a schema.
        instead: Vec<String>,
    },
    /// A service, and a schema of several words.
    SpacedSchema {
        /// What to type instead.
        instead: Option<String>,
    },
    /// A schema, and behind it the service.
    ServiceFirst {
        /// What to type instead.
        instead: String,
    },
    /// The slash command, and behind it itself once more.
    Repeated {
        /// What to type instead.
        instead: String,
    },
    /// A word such as `to` with nothing behind it.
    Dangling {
        /// That word.
        word: String,
        /// The destinations there are.
        known: Vec<String>,
        /// The same line without it, if that says enough.
        instead: Option<String>,
    },
    /// A word such as `to` between a service and its schema.
    SchemaBehindWord {
        /// That word.
        word: String,
        /// What to type instead.
        instead: Option<String>,
    },
    /// A schema that stands in italics, or whose name begins and ends with `_`.
    Italic {
        /// What to type if the marks do not belong to its name.
        bare: String,
        /// What to type if they do.
        quoted: String,
    },
    /// A service that this channel does not allow.
    ServiceNotAllowed {
        /// The service that was meant.
        service: Service,
        /// Those that are allowed.
        allowed: Vec<Service>,
    },
    /// A service that a customer cannot set up by a link alone.
    NotByLink {
        /// The service that was meant.
        service: Service,
        /// Why.
        obstacle: Obstacle,
    },
    /// A service without a schema, in a channel that has none for it.
    SchemaMissing(Service),
    /// A schema or table that Fivetran would not take.
    BadName {
        /// The service it was for.
        service: Box<Service>,
        /// What is wrong and the nearest good name.
        name: BadName,
        /// The rest of the line, with a space before it: where a destination was typed.
        rest: String,
    },
    /// The channel's pattern makes no name that Fivetran would take.
    Unnamed {
        /// The service it was for.
        service: Box<Service>,
        /// What it makes, and what is wrong with that.
        name: BadName,
        /// What to type instead, if all of the name is in the nearest good one.
        instead: Option<String>,
        /// The rest of the line, with a space before it: where a destination was typed.
        rest: String,
    },
    /// The channel's schemas are named after destinations, and the default one has no name.
    DestinationUnnamed {
        /// What to type before a destination.
        line: String,
        /// The destinations there are.
        known: Vec<String>,
    },
    /// A table where none is wanted, or none where one is.
    Misfit {
        /// The service it was for.
        service: Box<Service>,
        /// The target as typed.
        target: Target,
        /// Which of the two.
        misfit: Misfit,
        /// The rest of the line, with a space before it: where a destination was typed.
        rest: String,
    },
    /// No destination has that name.
    UnknownDestination {
        /// What was typed, cut to what can be shown.
        typed: String,
        /// Those there are.
        known: Vec<String>,
        /// What to type instead, if one of them is likely to be meant.
        instead: Option<String>,
    },
    /// No destination was named and there is no default one.
    NoDestination {
        /// Those there are.
        known: Vec<String>,
    },
    /// What one of several services was typed with.
    InList {
        /// The services before it as they were typed, with a space behind them; what follows is in the mistake.
        before: String,
        /// The mistake, as if that service were the only one.
        error: Box<UsageError>,
    },
    /// More services than one command takes.
    TooMany {
        /// How many.
        count: usize,
    },
    /// Several services with no commas between them.
    CommasMissing {
        /// What to type instead.
        instead: String,
    },
    /// Of several services some have a schema of their own, and others have none.
    Mixed {
        /// What to type, with words to fill in.
        line: String,
    },
    /// Several services, and nobody said for whom.
    CustomerMissing {
        /// What to type, with a word to fill in.
        line: String,
    },
    /// A customer with whom no schema can begin.
    BadCustomer {
        /// What is wrong and the nearest good name.
        name: BadName,
        /// What to type instead, if there is such a name. Of several words it is no proposal: they may be two
        /// customers.
        instead: Option<String>,
    },
    /// The same of several words, of which the first are services too.
    CustomerOrServices {
        /// What is wrong and the nearest good name.
        name: BadName,
        /// What to type if all of it is one customer.
        line: String,
        /// What to type if some of it is services.
        several: String,
    },
    /// A customer, in a channel whose pattern has no place for one.
    CustomerUnused {
        /// Who was typed.
        customer: String,
        /// The pattern.
        pattern: String,
        /// The same line without them.
        instead: String,
    },
    /// Several services, in a channel with one schema for all.
    OneSchema {
        /// The schema.
        schema: String,
        /// What to type, with a word to fill in.
        line: String,
    },
    /// Two connections of one name.
    SameName {
        /// The name.
        name: String,
        /// The services that would have it.
        services: [String; 2],
        /// What to type, with words to fill in.
        line: String,
    },
    /// One of several services, with a name made for it that Fivetran would not take.
    Misnamed {
        /// The service it was for.
        service: Box<Service>,
        /// What was made, and what is wrong with that.
        name: BadName,
        /// Whether the customer in it was typed.
        by_customer: bool,
        /// What to type, with words to fill in.
        line: String,
    },
    /// Words of which nobody can tell how they belong together.
    Unclear {
        /// What to type, in the right order.
        line: String,
        /// Whether all that was typed is in it; else it has words to fill in.
        complete: bool,
        /// Whether several services were typed.
        several: bool,
    },
    /// A word that is close to a bundle's name and begins no service.
    MisspeltBundle {
        /// What was typed, cut to what can be shown.
        typed: String,
        /// What to type instead.
        instead: String,
    },
}

/// What a word is that was typed where the schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// One of the commands.
    Verb,
    /// Another service.
    Service {
        /// Its name.
        name: String,
        /// What to type if both services are meant, perhaps with a word to fill in.
        both: Option<String>,
    },
    /// A word for a schema, or for none.
    NoName,
}
