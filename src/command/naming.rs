//! By which pattern a channel's connections are named.
//!
//! Owns the pattern's words and how they are filled. Pure. Must not know how `CONFIG` is written, nor who
//! typed what.

use std::fmt;

use super::meant::own_table;
use crate::fivetran::catalog::Service;
use crate::fivetran::schema::{BadName, MAX_NAME_LEN, SchemaKind, SchemaName, Target};

/// Who a channel is for: what its schemas begin with. The rule is a schema's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer(SchemaName);

impl Customer {
    /// Takes `text` as it stands.
    ///
    /// # Errors
    /// [`BadName`], if no schema can be called that.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        SchemaName::parse(text).map(Self)
    }
}

impl fmt::Display for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a channel's schema is where none is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// The same for every service.
    Plain(Target),
    /// What the pattern makes of each.
    Template(Template),
}

impl Schema {
    /// Reads a pattern wherever there is a brace, else a schema, perhaps with a table.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        if text.contains(['{', '}']) {
            Template::parse(text).map(Self::Template)
        } else {
            Target::parse(text).map(Self::Plain).map_err(|_| BadTemplate::NoName)
        }
    }
}

/// A pattern: text, and words in braces that stand for something else each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    schema: Vec<Piece>,
    table: Option<Vec<Piece>>,
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Customer,
    Service,
    Table,
    Destination,
}

/// The words, as they stand in braces.
const WORDS: [(&str, Piece); 4] = [
    ("customer", Piece::Customer),
    ("service", Piece::Service),
    ("table", Piece::Table),
    ("destination", Piece::Destination),
];

/// What the words of a pattern stand for.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// The service.
    pub service: &'a Service,
    /// Who the channel is for, if that is known.
    pub customer: Option<&'a Customer>,
    /// The destination's name, if it has one.
    pub destination: Option<&'a str>,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTemplate {
    /// A word in braces that stands for nothing.
    UnknownWord,
    /// A brace without its other one.
    Braces,
    /// Whatever its words stand for, it makes no name: a character that no name has, a digit in front, more
    /// than one dot, nothing on one side of it, or more text than a name has room for.
    NoName,
}

/// Why a pattern makes no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// Nobody said who the channel is for.
    NoCustomer,
    /// The destination has no name.
    NoDestination,
    /// What comes out, Fivetran would not take.
    BadName(BadName),
}

impl Template {
    /// Reads a pattern; what stands behind its dot, if it has one, is the table's.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = text.split('.');
        let schema = pieces(parts.next().unwrap_or_default())?;
        let table = parts.next().map(pieces).transpose()?;
        // Where there is more, a part is no name whatever is in it.
        if parts.next().is_some() { Err(BadTemplate::NoName) } else { Ok(Self { schema, table }) }
    }

    /// What is used where the customer is known and nobody has written a pattern:
    /// `{customer}_{service}`.
    #[must_use]
    pub fn usual() -> Self {
        Self { schema: vec![Piece::Customer, Piece::Text("_".to_owned()), Piece::Service], table: None }
    }

    /// Whether it says who the channel is for.
    #[must_use]
    pub fn wants_customer(&self) -> bool {
        self.has(&Piece::Customer)
    }

    /// Whether it says which destination data goes to.
    #[must_use]
    pub fn wants_destination(&self) -> bool {
        self.has(&Piece::Destination)
    }

    /// Whether each service gets a schema of its own.
    #[must_use]
    pub fn tells_services_apart(&self) -> bool {
        tell_services_apart(&self.schema)
    }

    /// Whether each service that fills one table gets a table of its own.
    #[must_use]
    pub fn tells_tables_apart(&self) -> bool {
        self.table.as_deref().is_none_or(tell_services_apart)
    }

    /// What a connection is called. A table comes of it only where the service fills one, and bears the
    /// service's name where the pattern does not say.
    ///
    /// # Errors
    /// [`Unfilled`].
    pub fn fill(&self, words: &Words<'_>) -> Result<Target, Unfilled> {
        let mut name = joined(&self.schema, words)?;
        if words.service.kind.is_some_and(SchemaKind::wants_table) {
            let table = match &self.table {
                Some(table) => joined(table, words)?,
                None => own_table(&words.service.id),
            };
            name = format!("{name}.{table}");
        }
        Target::parse(&name).map_err(Unfilled::BadName)
    }

    fn has(&self, piece: &Piece) -> bool {
        self.schema.iter().chain(self.table.iter().flatten()).any(|it| it == piece)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schema.iter().try_for_each(|piece| piece.fmt(f))?;
        let Some(table) = &self.table else { return Ok(()) };
        f.write_str(".")?;
        table.iter().try_for_each(|piece| piece.fmt(f))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            word => match WORDS.iter().find(|(_, known)| known == word) {
                Some((name, _)) => write!(f, "{{{name}}}"),
                None => Ok(()),
            },
        }
    }
}

/// The pieces of one side of the dot.
fn pieces(text: &str) -> Result<Vec<Piece>, BadTemplate> {
    let mut pieces = Vec::new();
    let (mut rest, mut length) = (text, 0);
    while !rest.is_empty() {
        let (before, behind) = rest.split_once('{').map_or((rest, None), |(it, behind)| (it, Some(behind)));
        if before.contains('}') {
            return Err(BadTemplate::Braces);
        }
        if !before.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return Err(BadTemplate::NoName);
        }
        length += before.len();
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some(behind) = behind else { break };
        let (word, after) = behind.split_once('}').ok_or(BadTemplate::Braces)?;
        if word.contains('{') {
            return Err(BadTemplate::Braces);
        }
        let known = WORDS.into_iter().find(|(name, _)| *name == word).ok_or(BadTemplate::UnknownWord)?;
        pieces.push(known.1);
        rest = after;
    }
    let begins_badly = text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit());
    if begins_badly || length > MAX_NAME_LEN { Err(BadTemplate::NoName) } else { Ok(pieces) }
}

fn tell_services_apart(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, Piece::Service | Piece::Table))
}

fn joined(pieces: &[Piece], words: &Words<'_>) -> Result<String, Unfilled> {
    pieces
        .iter()
        .map(|piece| {
            Ok(match piece {
                Piece::Text(text) => text.clone(),
                Piece::Customer => words.customer.ok_or(Unfilled::NoCustomer)?.to_string(),
                Piece::Service => words.service.id.to_string(),
                Piece::Table => own_table(&words.service.id),
                // Its name may have a dash; a schema's may not.
                Piece::Destination => words.destination.ok_or(Unfilled::NoDestination)?.replace('-', "_"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fivetran::catalog::{Catalog, ServiceId, ServiceStatus};
    use crate::fivetran::schema::Why;

    fn service(id: &str) -> Service {
        Catalog::built_in().get(id).unwrap().clone()
    }

    fn filled(pattern: &str, service: &Service) -> Result<String, Unfilled> {
        let customer = Customer::parse("acme").unwrap();
        let words = Words { service, customer: Some(&customer), destination: Some("eu-2") };
        Template::parse(pattern).unwrap().fill(&words).map(|target| target.connection_name())
    }

    #[test]
    fn each_word_stands_for_what_it_says() {
        for (pattern, id, name) in [
            ("{customer}_{service}", "google_ads", "acme_google_ads"),
            ("{service}", "stripe", "stripe"),
            ("{destination}_{customer}", "stripe", "eu_2_acme"),
            ("x_{customer}{service}_y", "stripe", "x_acmestripe_y"),
            ("raw_{table}", "15five", "raw__15five"),
            ("raw_{service}", "15five", "raw_15five"),
            // One table: named by the pattern, else after the service.
            ("{customer}_{service}", "google_sheets", "acme_google_sheets.google_sheets"),
            ("{customer}.{service}", "google_sheets", "acme.google_sheets"),
            ("{customer}.t_{table}_{destination}", "s3", "acme.t_s3_eu_2"),
            // Whoever names its own tables takes none.
            ("{customer}_{service}.{table}", "google_ads", "acme_google_ads"),
        ] {
            assert_eq!(filled(pattern, &service(id)), Ok(name.to_owned()), "{pattern} {id}");
        }
        assert_eq!(Template::usual(), Template::parse("{customer}_{service}").unwrap());
    }

    #[test]
    fn a_service_that_only_fivetran_knows_gets_no_table() {
        let unknown = Service {
            id: ServiceId::parse("brand_new").unwrap(),
            name: "Brand New".to_owned(),
            kind: None,
            status: ServiceStatus::Unknown,
            obstacle: None,
        };
        assert_eq!(filled("{customer}_{service}.{table}", &unknown), Ok("acme_brand_new".to_owned()));
    }

    #[test]
    fn what_comes_out_is_judged_as_what_is_typed() {
        let why = |pattern: &str, id: &str| match filled(pattern, &service(id)) {
            Err(Unfilled::BadName(bad)) => Some(bad.why),
            _ => None,
        };
        // `stripe` has six letters.
        assert_eq!(why(&format!("{}{{service}}", "x".repeat(57)), "stripe"), None);
        assert_eq!(why(&format!("{}{{service}}", "x".repeat(58)), "stripe"), Some(Why::TooLong));
        assert_eq!(why(&format!("a.{}{{service}}", "x".repeat(51)), "google_sheets"), Some(Why::TooLong));
        assert_eq!(why("{service}", "15five"), Some(Why::StartsWithDigit));
        assert_eq!(why("{table}", "15five"), None);
    }

    #[test]
    fn what_nobody_said_is_missed_only_where_it_is_wanted() {
        let sheets = service("google_sheets");
        let words = Words { service: &sheets, customer: None, destination: None };
        let fill = |pattern: &str| Template::parse(pattern).unwrap().fill(&words);
        assert_eq!(fill("{customer}_{service}"), Err(Unfilled::NoCustomer));
        assert_eq!(fill("{service}.{customer}"), Err(Unfilled::NoCustomer));
        assert_eq!(fill("{service}_{destination}"), Err(Unfilled::NoDestination));
        assert!(fill("{service}.{table}").is_ok());
    }

    #[test]
    fn a_pattern_says_what_it_wants() {
        for (pattern, [customer, destination, services, tables]) in [
            ("{customer}", [true, false, false, true]),
            ("{customer}_{service}", [true, false, true, true]),
            ("{table}.{destination}", [false, true, true, false]),
            ("raw.{customer}_{service}", [true, false, false, true]),
        ] {
            let it = Template::parse(pattern).unwrap();
            let found = [
                it.wants_customer(),
                it.wants_destination(),
                it.tells_services_apart(),
                it.tells_tables_apart(),
            ];
            assert_eq!(found, [customer, destination, services, tables], "{pattern}");
            assert_eq!(it.to_string(), pattern);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_for_what_it_is() {
        let long = format!("{}{{service}}", "x".repeat(64));
        for (text, fault) in [
            ("{client}_{service}", BadTemplate::UnknownWord),
            ("{Customer}", BadTemplate::UnknownWord),
            ("{}", BadTemplate::UnknownWord),
            ("{customer", BadTemplate::Braces),
            ("customer}", BadTemplate::Braces),
            ("{{customer}}", BadTemplate::Braces),
            ("{customer}}", BadTemplate::Braces),
            ("{a.b}", BadTemplate::Braces),
            ("{customer}-{service}", BadTemplate::NoName),
            ("Raw_{service}", BadTemplate::NoName),
            ("2024_{service}", BadTemplate::NoName),
            ("{customer}.{service}.{table}", BadTemplate::NoName),
            (".{service}", BadTemplate::NoName),
            ("{service}.", BadTemplate::NoName),
            (&long, BadTemplate::NoName),
        ] {
            assert_eq!(Schema::parse(text), Err(fault), "{text}");
        }
        assert_eq!(Schema::parse("Acme"), Err(BadTemplate::NoName));
        assert_eq!(Schema::parse(""), Err(BadTemplate::NoName));
        assert_eq!(Schema::parse("acme.budget"), Ok(Schema::Plain(Target::parse("acme.budget").unwrap())));
    }
}
