//! Where data can land, and what holds in which channel.
//!
//! Owns these types, their lookups, and what to say of a service that Fivetran does not have. Must
//! not know how they are read.

use std::collections::BTreeMap;

use crate::fivetran::catalog::{Catalog, ServiceId};
use crate::fivetran::schema::Target;

/// Where a connection's data can land: destinations by name, and the one meant when none is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// `FIVETRAN_GROUP_ID`, else what the file `CONFIG` says, else the only destination there is.
    pub default_group: Option<String>,
    /// Names that a person may type after `to`, with their group ids.
    pub named: BTreeMap<String, String>,
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
    pub schema: Option<Target>,
    /// The name of the destination when none is typed.
    pub destination: Option<String>,
    /// The services that may be asked for here; empty: all.
    pub services: Vec<ServiceId>,
    /// Whether an unfinished link is brought up again.
    pub reminders: bool,
}

/// Of a channel that is not configured.
pub static NO_DEFAULTS: ChannelDefaults =
    ChannelDefaults { schema: None, destination: None, services: Vec::new(), reminders: false };

impl ChannelDefaults {
    /// Whether a service may be asked for here.
    #[must_use]
    pub fn allows(&self, service: &ServiceId) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }
}

/// The channels of the file `CONFIG`, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels(pub BTreeMap<String, ChannelDefaults>);

impl Channels {
    /// What holds in a channel.
    #[must_use]
    pub fn of(&self, channel_id: &str) -> &ChannelDefaults {
        self.0.get(channel_id).unwrap_or(&NO_DEFAULTS)
    }

    /// What to say of each service that a channel allows and Fivetran does not list, a line each. Not
    /// a fault of the file: a new service is not in the built-in catalogue, and a bot must start
    /// without Fivetran.
    pub fn unknown_services(&self, catalog: &Catalog) -> impl Iterator<Item = String> {
        let allowed =
            self.0.iter().flat_map(|(id, channel)| channel.services.iter().map(move |it| (id.as_str(), it)));
        let unknown = allowed.filter(|(_, service)| catalog.get(service.as_str()).is_none());
        unknown.map(|(channel_id, service)| unknown_service(channel_id, service, catalog))
    }
}

fn unknown_service(channel_id: &str, service: &ServiceId, catalog: &Catalog) -> String {
    let hint = catalog.hint(service);
    format!(
        "channels.{channel_id}.services has {service}, which Fivetran does not list{hint}: correct the id"
    )
}
