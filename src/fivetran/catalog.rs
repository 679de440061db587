//! Owns the list of services: which exist, what people call them, which names each wants, and
//! what a typed service name means.
//!
//! It must not know where the list came from or how old it is: callers hand in the rows they
//! fetched, or take the built-in table.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::schema::SchemaKind;
use fold::{fold, fold_loosely};
pub use obstacle::Obstacle;
pub use row::Row;

mod fold;
mod obstacle;
mod row;
mod suggest;
#[cfg(test)]
mod tests;

/// One line per service, sorted by id: `id<TAB>kind<TAB>display name`.
const BUILT_IN: &str = include_str!("services.tsv");

/// The successor of the one name that Fivetran retired for good.
const SUCCESSOR: &str = "google_ads";

/// What that service was called, folded: its id, and what people made of it.
const RETIRED: [&str; 2] = ["adwords", "googleadwords"];

/// The services offered first, the most asked for at the front.
const POPULAR: [&str; 20] = [
    "google_ads",
    "facebook_ads",
    "salesforce",
    "hubspot",
    "google_analytics_4",
    "google_sheets",
    "linkedin_ads",
    "shopify",
    "stripe",
    "postgres",
    "mysql",
    "sql_server",
    "mongo",
    "bingads",
    "tiktok_ads",
    "netsuite_suiteanalytics",
    "zendesk",
    "jira",
    "github",
    "s3",
];

/// Only this much of what was typed is searched for or repeated, in characters.
const MAX_TYPED_LEN: usize = 64;

/// Fivetran's id of a service, as in `"service": "google_ads"`: `[a-z0-9_]+`, at most 100.
///
/// See <https://fivetran.com/docs/rest-api/api-reference/connector-metadata>.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceId(String);

/// A text that cannot be a [`ServiceId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service id is 1 to 100 lower-case letters, digits and underscores")]
pub struct BadServiceId;

impl ServiceId {
    /// Takes `id` as it stands; whether such a service exists is another question.
    ///
    /// # Errors
    /// [`BadServiceId`] if no service can have this id.
    pub fn parse(id: &str) -> Result<Self, BadServiceId> {
        let good = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if (1..=100).contains(&id.len()) && id.bytes().all(good) {
            Ok(Self(id.to_owned()))
        } else {
            Err(BadServiceId)
        }
    }

    /// The id as Fivetran takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceId {
    type Error = BadServiceId;

    fn try_from(id: String) -> Result<Self, BadServiceId> {
        Self::parse(&id)
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A kind of source that Fivetran can connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What Fivetran's API calls it.
    pub id: ServiceId,
    /// What people call it, such as `Google Ads`. Text from outside: not escaped.
    pub name: String,
    /// Which names a connection of it wants. `None` if the built-in table does not list it: ask
    /// Fivetran, and read the answer with [`config_kind`].
    pub kind: Option<SchemaKind>,
    /// How finished Fivetran says it is.
    pub status: ServiceStatus,
    /// Why a link alone is of no use for it.
    pub obstacle: Option<Obstacle>,
}

/// Fivetran's `service_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceStatus {
    /// `general_availability`.
    Available,
    /// `beta`.
    Beta,
    /// `private_preview`: may be refused to accounts that were not let in.
    PrivatePreview,
    /// `sunset`: about to be withdrawn.
    Sunset,
    /// `development`.
    Development,
    /// Not told, or a value the bot has not heard of.
    Unknown,
}

impl ServiceStatus {
    fn from_wire(status: &str) -> Self {
        match status {
            "general_availability" => Self::Available,
            "beta" => Self::Beta,
            "private_preview" => Self::PrivatePreview,
            "sunset" => Self::Sunset,
            "development" => Self::Development,
            _ => Self::Unknown,
        }
    }
}

/// What a typed service name turned out to mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It is the id of this service.
    Exact(Service),
    /// It is the display name of this service and of no other.
    Named(Service),
    /// It is a name Fivetran gave up; the successor does the same job, and the user is told.
    Retired {
        /// What was typed, trimmed, and cut if it was very long.
        typed: String,
        /// The service to use instead.
        successor: Service,
    },
    /// It names no service.
    Unknown {
        /// What may have been meant, best first, at most three.
        suggestions: Vec<Service>,
    },
}

/// A service, with what it is looked up by.
#[derive(Clone, Debug)]
struct Entry {
    service: Service,
    folded_id: String,
    folded_name: String,
    /// Lower-case id and name, and both folded, a line each.
    haystack: String,
    /// Place in [`POPULAR`], or past its end.
    popularity: usize,
}

impl Entry {
    fn new(service: Service) -> Self {
        let id = service.id.as_str();
        let folded_id = fold(id);
        let folded_name = fold(&service.name);
        let name = service.name.to_lowercase();
        Self {
            haystack: format!("{id}\n{name}\n{folded_id}\n{folded_name}"),
            popularity: POPULAR.iter().position(|popular| *popular == id).unwrap_or(POPULAR.len()),
            folded_id,
            folded_name,
            service,
        }
    }

    /// The words of the id: `google` and `ads` of `google_ads`.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.service.id.as_str().split('_')
    }
}

/// The services there are. Never changes once made: a refresh makes a new one.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Sorted by name as people sort, then by id.
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
    /// By folded display name; `None` where two services share it.
    by_name: HashMap<String, Option<usize>>,
    /// By what else a service may be called, folded loosely; `None` where two services share it.
    by_other_name: HashMap<String, Option<usize>>,
    /// Whether Fivetran lists a name of [`RETIRED`] again.
    lists_retired: bool,
}

impl Catalog {
    /// The table compiled into the bot, for when Fivetran's own list cannot be had.
    pub fn built_in() -> Self {
        Self::new(built_in_rows().filter_map(|(id, kind, name)| {
            Some(Service {
                id: ServiceId::parse(id).ok()?,
                name: name.to_owned(),
                kind: Some(kind),
                status: ServiceStatus::Unknown,
                obstacle: obstacle::of_id(id),
            })
        }))
    }

    /// Fivetran's own list. It does not tell kinds, so these come from the built-in table.
    ///
    /// Rows whose id is malformed or repeated are left out; one without a name goes by its id.
    /// `None` if no row is usable.
    ///
    /// See <https://fivetran.com/docs/rest-api/api-reference/connector-metadata>.
    pub fn from_live(rows: impl IntoIterator<Item: Into<Row>>) -> Option<Self> {
        let mut kinds: HashMap<_, _> = built_in_rows().map(|(id, kind, _)| (id, kind)).collect();
        // Where Fivetran still lists a retired id, it takes what its successor does.
        kinds.extend(RETIRED.iter().copied().zip(std::iter::repeat(SchemaKind::Schema)));
        let rows: Vec<Row> = rows.into_iter().map(Into::into).collect();
        let features_are_told = rows.iter().any(|row| row.by_api == Some(true));
        let services = rows.iter().filter_map(|row| {
            let name = match row.name.trim() {
                "" => &row.id,
                name => name,
            };
            Some(Service {
                name: name.to_owned(),
                kind: kinds.get(row.id.as_str()).copied(),
                status: row.status.as_deref().map_or(ServiceStatus::Unknown, ServiceStatus::from_wire),
                obstacle: obstacle::of_row(row, features_are_told),
                id: ServiceId::parse(&row.id).ok()?,
            })
        });
        Some(Self::new(services)).filter(|catalog| !catalog.is_empty())
    }

    fn new(services: impl Iterator<Item = Service>) -> Self {
        let mut entries: Vec<Entry> = services.map(Entry::new).collect();
        // Stable, so that of two rows with one id the first stays.
        entries.sort_by(|a, b| a.service.id.cmp(&b.service.id));
        entries.dedup_by(|b, a| a.service.id == b.service.id);
        entries.sort_by_cached_key(|entry| entry.service.name.to_lowercase());

        let mut by_id = HashMap::with_capacity(entries.len());
        let mut by_name = HashMap::with_capacity(entries.len());
        let mut by_other_name = HashMap::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            by_id.insert(entry.service.id.to_string(), at);
            called(&mut by_name, entry.folded_name.clone(), at);
            let (id, name) = (entry.service.id.as_str(), &entry.service.name);
            for other in fold::other_names(name).iter().map(String::as_str).chain([id, name]) {
                called(&mut by_other_name, fold_loosely(other), at);
            }
        }
        let is_retired = |name: &String| RETIRED.contains(&name.as_str());
        let lists_retired =
            entries.iter().any(|entry| is_retired(&entry.folded_id) || is_retired(&entry.folded_name));
        Self { entries, by_id, by_name, by_other_name, lists_retired }
    }

    /// What to put behind the id of a service that is not here, in brackets: what it is called by now, or
    /// the id of which it is the name. Empty if nobody can know.
    pub fn hint(&self, unknown: &ServiceId) -> String {
        match self.known(unknown.as_str()) {
            Some(Resolution::Retired { successor, .. }) => format!(" (it is now called {})", successor.id),
            Some(Resolution::Named(meant)) => format!(" (its id is {})", meant.id),
            _ => String::new(),
        }
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none, which no catalogue made by the functions above is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The service with exactly this id.
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.at(*self.by_id.get(id)?)
    }

    fn at(&self, at: usize) -> Option<&Service> {
        self.entries.get(at).map(|entry| &entry.service)
    }

    /// All services, by display name.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.entries.iter().map(|entry| &entry.service)
    }

    /// What `typed` means: an id, else a display name (case, accents, spaces and punctuation do not
    /// matter, nor whether `&` is written `and`), else a retired name, else a name in the singular or
    /// a former one in brackets, else a guess for the user to judge.
    ///
    /// Only `adwords` and `google_adwords` are ever replaced, and not where Fivetran lists them.
    pub fn resolve(&self, typed: &str) -> Resolution {
        let known = self.known(typed);
        known.unwrap_or_else(|| Resolution::Unknown { suggestions: suggest::nearest(self, typed.trim()) })
    }

    /// The service that `typed` names, by whatever name. Other than [`Catalog::resolve`], it guesses nothing,
    /// which takes long.
    pub fn named(&self, typed: &str) -> Option<Service> {
        match self.known(typed)? {
            Resolution::Exact(service) | Resolution::Named(service) => Some(service),
            Resolution::Retired { successor, .. } => Some(successor),
            Resolution::Unknown { .. } => None,
        }
    }

    /// What `typed` stands for, unless that is unknown; nothing is guessed.
    pub fn known(&self, typed: &str) -> Option<Resolution> {
        let typed = typed.trim();
        if let Some(service) = self.get(&typed.to_ascii_lowercase()) {
            return Some(Resolution::Exact(service.clone()));
        }
        let words = fold::words(typed);
        let folded = words.concat();
        let named = self.by_name.get(&folded).copied().flatten();
        if let Some(service) = named.and_then(|at| self.at(at)) {
            return Some(Resolution::Named(service.clone()));
        }
        if RETIRED.contains(&folded.as_str())
            && !self.lists_retired
            && let Some(successor) = self.get(SUCCESSOR)
        {
            return Some(Resolution::Retired {
                typed: typed.chars().take(MAX_TYPED_LEN).collect(),
                successor: successor.clone(),
            });
        }
        let others = fold::other_names(typed).into_iter().map(|name| fold::words(&name));
        let service = [words].into_iter().chain(others).find_map(|name| self.called_otherwise(&name));
        service.map(|service| Resolution::Named(service.clone()))
    }

    /// The one service that has a name of these words or one of its other names, in the plural or not.
    fn called_otherwise(&self, words: &[String]) -> Option<&Service> {
        let folded = words.concat();
        let named = self.by_id.get(&folded).or_else(|| self.by_name.get(&folded)?.as_ref());
        let at = named.or_else(|| self.by_other_name.get(&fold::loosely(words))?.as_ref());
        at.and_then(|&at| self.at(at))
    }

    /// At most `limit` services for type-ahead: those whose id or name contains every word, in
    /// any case; those that begin with the text first, then by name. Without words, popular
    /// services come first. Only the first 64 characters count.
    pub fn search(&self, words: &str, limit: usize) -> Vec<&Service> {
        let typed: String = words.chars().take(MAX_TYPED_LEN).collect();
        let words = fold::words(&typed);
        // Nothing but marks is no wish to see everything.
        if words.is_empty() && !typed.trim_matches([' ', '_', '-']).is_empty() {
            return Vec::new();
        }
        let text = words.concat();

        let mut found: Vec<(usize, &Entry)> = self
            .entries
            .iter()
            .filter(|entry| words.iter().all(|word| entry.haystack.contains(word.as_str())))
            .map(|entry| {
                let starts = entry.folded_id.starts_with(&text) || entry.folded_name.starts_with(&text);
                let rank = match (words.is_empty(), starts) {
                    (true, _) => entry.popularity,
                    (false, starts) => usize::from(!starts),
                };
                (rank, entry)
            })
            .collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().take(limit).map(|(_, entry)| &entry.service).collect()
    }
}

/// The kind of a service, from the `required` and `properties` keys of `data.config` in
/// `GET /v1/metadata/connector-types/{service}`. The properties decide only where no required key
/// says anything. A service that lists both a schema and a prefix is of the prefix kind.
///
/// See <https://fivetran.com/docs/rest-api/api-reference/connector-metadata>.
pub fn config_kind(required: &[&str], properties: &[&str]) -> SchemaKind {
    let telling = |keys: &[&str]| {
        [
            ("schema_prefix", SchemaKind::Prefix),
            ("table", SchemaKind::Table),
            ("table_group_name", SchemaKind::TableGroup),
            ("schema", SchemaKind::Schema),
        ]
        .into_iter()
        .find_map(|(key, kind)| keys.contains(&key).then_some(kind))
    };
    telling(required).or_else(|| telling(properties)).unwrap_or(SchemaKind::Schema)
}

/// Notes what a service may be called; what two are called is nobody's name.
fn called(names: &mut HashMap<String, Option<usize>>, name: String, at: usize) {
    let unique = names.entry(name).or_insert(Some(at));
    unique.take_if(|other| *other != at);
}

/// The display name of a service in the built-in table.
#[must_use]
pub fn built_in_name(id: &str) -> Option<&'static str> {
    built_in_rows().find_map(|(known, _, name)| (known == id).then_some(name))
}

/// The lines of the built-in table.
fn built_in_rows() -> impl Iterator<Item = (&'static str, SchemaKind, &'static str)> {
    BUILT_IN.lines().filter_map(|line| {
        let (id, rest) = line.split_once('\t')?;
        let (kind, name) = rest.split_once('\t')?;
        let kind = match kind {
            "schema" => SchemaKind::Schema,
            "table" => SchemaKind::Table,
            "prefix" => SchemaKind::Prefix,
            "group" => SchemaKind::TableGroup,
            _ => return None,
        };
        Some((id, kind, name))
    })
}
