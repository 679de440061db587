//! What may be said in a channel unasked: that a connection which was made elsewhere has lost its access.
//!
//! Owns in which channel that is said, by `CONFIG` and `ALLOWED_CHANNELS` as this process has them, and whether
//! its company lets it. The watcher asks before it makes a row, the outbox again before the first post, and the
//! worker once somebody presses the button there: hours may lie between them. Must not know how any of them goes
//! about it.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::command::owner::{Named, Owner};
use crate::command::places::{Channels, Destinations};
use crate::fivetran::catalog::{Service, ServiceId, ServiceStatus};
use crate::fivetran::live::CurrentCatalog;
use crate::fivetran::schema::Target;
use crate::journal::Company;
use crate::life::Link;
use crate::permission::Gate;

/// Connections of which is remembered why nothing is said, so that the log has it once; beyond that, it has
/// it again.
const REMEMBERED: usize = 10_000;

/// Why nothing is said in a channel that was a customer's before.
pub const MOVED: &str = "its customer's channel is another one by now";
/// Why nothing is said where a command would be asked first.
pub const SHARED: &str = "its channel is shared with more than one other organisation";

/// What it takes to know that. No `Debug`: the gate holds the token.
pub struct Unasked {
    destinations: Destinations,
    channels: Arc<Channels>,
    catalog: Arc<CurrentCatalog>,
    gate: Arc<Gate>,
    /// Whether a message can be changed once it stands in a channel, and its link may be seen there.
    shown: bool,
    /// What the log has been told.
    told: Mutex<HashSet<(String, &'static str)>>,
}

/// Why nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// It stays so until somebody does something.
    Because(&'static str),
    /// Slack doesn't say who else is in the channel; it may the next time.
    Untold,
}

impl Unasked {
    /// By what holds in these destinations. `shown`: whether a message can be changed once it stands in a
    /// channel, and its link may be seen there; where not, nothing is ever said.
    #[must_use]
    pub fn of(
        destinations: &Destinations,
        channels: Arc<Channels>,
        catalog: Arc<CurrentCatalog>,
        gate: Arc<Gate>,
        shown: bool,
    ) -> Self {
        Self { destinations: destinations.clone(), channels, catalog, gate, shown, told: Mutex::default() }
    }

    /// Whether anything may ever be said.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.shown && !self.destinations.watched.is_empty()
    }

    /// The group ids of the destinations that are watched.
    #[must_use]
    pub fn watched(&self) -> &BTreeSet<String> {
        &self.destinations.watched
    }

    /// A name of the destination with this group id.
    #[must_use]
    pub fn name_of(&self, group_id: &str) -> Option<&str> {
        self.destinations.name_of(group_id)
    }

    /// The service of that id; one that only Fivetran knows has no more than it.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<Service> {
        let catalog = self.catalog.current();
        catalog.get(id).cloned().or_else(|| {
            let (name, status) = (id.to_owned(), ServiceStatus::Unknown);
            Some(Service { id: ServiceId::parse(id).ok()?, name, kind: None, status, obstacle: None })
        })
    }

    /// The channel in which something may be said of a connection.
    ///
    /// # Errors
    /// Why there is none.
    pub fn channel_of(
        &self,
        service: &Service,
        target: &Target,
        group_id: &str,
    ) -> Result<&str, &'static str> {
        if !self.shown {
            return Err("links are private, or there is no SLACK_BOT_TOKEN");
        }
        if !self.watched().contains(group_id) {
            return Err("its destination isn't watched");
        }
        self.owner_of(service, target, group_id)
    }

    /// The channel whose customer a connection is, whether or not its destination is watched.
    fn owner_of(&self, service: &Service, target: &Target, group_id: &str) -> Result<&str, &'static str> {
        let channel_id = match self.channels.owner_of(Named { service, target, group_id }, &self.destinations)
        {
            Owner::Channel(channel_id) => channel_id,
            Owner::Nobody => return Err("no channel's schema is called so"),
            Owner::Several => return Err("several channels' schemas are called so"),
        };
        let allowed = &self.gate.permissions().channels;
        if !(allowed.is_empty() || allowed.iter().any(|id| id == channel_id)) {
            return Err("its channel is not among ALLOWED_CHANNELS");
        }
        Ok(channel_id)
    }

    /// Whether the company of that channel lets anything be said. Where a command would be asked first, nothing
    /// is. Takes two seconds at most.
    ///
    /// # Errors
    /// [`Silent`].
    pub async fn company_of(&self, channel_id: &str, now: Timestamp) -> Result<(), Silent> {
        match self.gate.company(channel_id, now).await {
            Company::Few | Company::Hidden => Ok(()),
            Company::Many(_) => Err(Silent::Because(SHARED)),
            Company::Untold => Err(Silent::Untold),
        }
    }

    /// The channel in which a link that stands for such a connection would be brought up now.
    ///
    /// # Errors
    /// Why there is none.
    pub fn channel_of_link(&self, link: &Link) -> Result<&str, &'static str> {
        let request = &link.request;
        let service = self.service(request.service.as_str()).ok_or("its service is unknown")?;
        self.channel_of(&service, &request.target, &request.group_id)
    }

    /// Whether a link may stand in the channel of such a connection for whoever presses the button there, also
    /// where its destination is watched no more: what was brought up stays. Takes two seconds at most.
    ///
    /// # Errors
    /// [`Silent`].
    pub async fn may_be_linked(&self, link: &Link, now: Timestamp) -> Result<(), Silent> {
        let request = &link.request;
        let service =
            self.service(request.service.as_str()).ok_or(Silent::Because("its service is unknown"))?;
        let owner = self.owner_of(&service, &request.target, &request.group_id).map_err(Silent::Because)?;
        if owner != link.channel_id {
            return Err(Silent::Because(MOVED));
        }
        self.company_of(owner, now).await
    }

    /// The workspace or organisation under which everything is kept, if Slack has ever said.
    pub async fn team_id(&self, now: Timestamp) -> Option<String> {
        self.gate.own_id(now).await
    }

    /// Whether the log has not been told yet why nothing is said of a connection.
    #[must_use]
    pub fn is_first(&self, connection_id: &str, why: &'static str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert((connection_id.to_owned(), why))
    }
}
