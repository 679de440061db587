//! Connections that the bot did not make, in destinations with `watch = true`.
//!
//! Owns which of them are brought up, and where: what its customer can mend by signing in again, in the one
//! channel that would have given it its name. Everything else is silent here. The message is posted by the
//! [`crate::outbox`]; whose a name is, [`crate::command::owner`] knows.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::{Watcher, lock};
use crate::command::owner::{Named, Owner};
use crate::command::places::Destinations;
use crate::crash::crash_point;
use crate::fivetran::catalog::{Service, ServiceId, ServiceStatus};
use crate::fivetran::listed::Listed;
use crate::fivetran::live::CurrentCatalog;
use crate::fivetran::model::SyncState;
use crate::fivetran::schema::Target;
use crate::journal::Company;
use crate::life::{self, Event, Foundling, Seen, State};
use crate::permission::Gate;
use crate::seal;
use crate::store::{MessageWrite, StoreError, Stored, Sweep, Write, Written};
use crate::trail::Entry;
use crate::work::{Confirmed, Key, Request};

/// How often a destination is listed in which nothing of ours is watched. Half a minute, as for a customer
/// who is at work, would take a quarter of a trial account's calls for nothing.
pub(super) const SELDOM: SignedDuration = SignedDuration::from_mins(5);
/// How many connections are brought up after one list, and of how many Slack may be asked for that: a list
/// has to end within its lease, also while Slack is slow. The next list goes on with the others.
const AT_A_TIME: usize = 20;
/// How many of them in one channel: whoever switches `watch` on may have a year's worth of them.
const IN_A_CHANNEL: usize = 3;
/// How often is seen to it that they are listed at all.
const ASSURE: SignedDuration = SignedDuration::from_mins(1);
/// The command in the examples of replies: nobody has typed one. It is the manifest's.
const SLASH: &str = "/connect-card";
/// Connections of which is remembered why nothing is said, so that the log has it once; beyond that, it has
/// it again.
const REMEMBERED: usize = 10_000;

/// The destinations that are watched, and what it takes to know whose a connection is. No `Debug`: the gate
/// holds the token.
pub struct Foreign {
    /// The destinations.
    pub destinations: Destinations,
    /// The services.
    pub catalog: Arc<CurrentCatalog>,
    /// Who knows who else is in a channel.
    pub gate: Arc<Gate>,
    /// When was seen last to it that they are listed.
    assured: Mutex<Option<Timestamp>>,
    /// What the log has been told.
    told: Mutex<HashSet<(String, &'static str)>>,
    /// By group, of which connections Slack was asked after its last lists, since there were more than could
    /// be taken: the next list begins with the others.
    tried: Mutex<HashMap<String, HashSet<String>>>,
}

/// What is done after one list.
pub(super) struct Round {
    /// Of which connections Slack was asked.
    tried: HashSet<String>,
    /// Of how many.
    asked: usize,
    /// How many are brought up in each channel.
    posts: HashMap<String, usize>,
    /// Whether it is the next list's turn.
    is_over: bool,
}

/// Why nothing is said of a connection.
enum Silent {
    /// It stays so until somebody does something; the log has it once.
    Because(&'static str),
    /// It may be otherwise the next time.
    ForNow,
    /// It is the next list's turn.
    NextTime,
    /// It could not be read or written.
    Store(StoreError),
}

impl From<StoreError> for Silent {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Foreign {
    /// What is watched in these destinations; `None` if that is none.
    #[must_use]
    pub fn of(destinations: &Destinations, catalog: Arc<CurrentCatalog>, gate: Arc<Gate>) -> Option<Self> {
        let destinations = destinations.clone();
        (!destinations.watched.is_empty()).then(|| Self {
            destinations,
            catalog,
            gate,
            assured: Mutex::default(),
            told: Mutex::default(),
            tried: Mutex::default(),
        })
    }

    /// Begins with those of a list that is read next.
    pub(super) fn begin(&self, group_id: &str) -> Round {
        let tried = lock(&self.tried).remove(group_id).unwrap_or_default();
        Round { tried, asked: 0, posts: HashMap::new(), is_over: false }
    }

    /// Ends that. Where all had their turn, the next list begins anew.
    pub(super) fn end(&self, group_id: &str, round: Round) {
        if round.is_over {
            lock(&self.tried).insert(group_id.to_owned(), round.tried);
        }
    }

    fn watches(&self, group_id: &str) -> bool {
        self.destinations.watched.contains(group_id)
    }

    /// Whether it has to be seen to now that they are listed.
    fn assures(&self, now: Timestamp) -> bool {
        let mut assured = lock(&self.assured);
        let due = assured.is_none_or(|last| now.duration_since(last).abs() >= ASSURE);
        if due {
            *assured = Some(now);
        }
        due
    }

    fn is_first(&self, connection_id: &str, why: &'static str) -> bool {
        let mut told = lock(&self.told);
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert((connection_id.to_owned(), why))
    }

    /// The service of that id; one that only Fivetran knows has no more than it.
    fn service(&self, id: &str) -> Option<Service> {
        let catalog = self.catalog.current();
        catalog.get(id).cloned().or_else(|| {
            let (name, status) = (id.to_owned(), ServiceStatus::Unknown);
            Some(Service { id: ServiceId::parse(id).ok()?, name, kind: None, status, obstacle: None })
        })
    }
}

impl Watcher {
    /// Whether all in a group is watched.
    pub(super) fn watches(&self, group_id: &str) -> bool {
        self.parts.foreign.as_ref().is_some_and(|foreign| foreign.watches(group_id))
    }

    /// Sees to it that the watched destinations are listed, whether or not anything of ours is in them.
    pub(super) async fn assure_lists(&self, now: Timestamp) {
        let Some(foreign) = self.parts.foreign.as_ref().filter(|foreign| foreign.assures(now)) else {
            return;
        };
        if let Err(error) = self.parts.store.want_lists(&foreign.destinations.watched, now).await {
            tracing::warn!(%error, "could not see to it that watched destinations are listed");
            *lock(&foreign.assured) = None;
        }
    }

    /// Brings up those of a list that are not ours and that have lost their access.
    pub(super) async fn bring_up(&self, group: &Sweep, strangers: Vec<Listed>, round: &mut Round) {
        let Some(foreign) = &self.parts.foreign else { return };
        for item in strangers {
            if round.is_over {
                return;
            }
            match self.try_to_bring_up(foreign, group, &item, round).await {
                Ok(()) | Err(Silent::ForNow) => {}
                Err(Silent::NextTime) => round.is_over = true,
                Err(Silent::Because(why)) if foreign.is_first(&item.id, why) => {
                    tracing::info!(
                        connection = item.id,
                        service = item.service,
                        schema = item.schema,
                        group = group.group_id,
                        why,
                        "a connection that was not requested here is broken; nobody is told"
                    );
                }
                Err(Silent::Because(_)) => {}
                Err(Silent::Store(error)) => {
                    tracing::warn!(connection = item.id, %error, "could not bring up a connection");
                }
            }
        }
    }

    async fn try_to_bring_up(
        &self,
        foreign: &Foreign,
        group: &Sweep,
        item: &Listed,
        round: &mut Round,
    ) -> Result<(), Silent> {
        let (store, channels) = (&self.parts.store, &self.parts.channels);
        let key = Key { group_id: group.group_id.clone(), name: item.schema.clone() };
        let (seen, now) = (Seen::from(item), self.parts.clock.now());
        let stored = store.connection(&key).await?;
        if let Some(ours) = stored.as_ref().filter(|stored| is_ours(stored, item)) {
            // It has a message: it was watched for as long as usual, and goes on being watched here. Before that,
            // it is the sweep's: this list may have been read before the row was written.
            let is_over = ours.connection.link.watch_until().is_none_or(|until| until <= now);
            if is_over && ours.connection.seen.as_deref() != Some(seen.digest().as_str()) {
                self.happens(ours, Event::Seen(seen)).await;
            }
            return Ok(());
        }
        if let Some(Stored { connection, .. }) =
            stored.as_ref().filter(|it| !it.connection.makes_way(&item.id))
        {
            return Err(match connection.posting {
                Some(_) => Silent::ForNow,
                None => Silent::Because("a link that was requested here has its name"),
            });
        }
        let service = foreign.service(&item.service).ok_or(Silent::Because("its service is unknown"))?;
        let target =
            Target::parse(&item.schema).map_err(|_| Silent::Because("no pattern makes such a name"))?;
        let named = Named { service: &service, target: &target, group_id: &group.group_id };
        let channel_id = match channels.owner_of(named, &foreign.destinations) {
            Owner::Channel(channel_id) => channel_id,
            Owner::Nobody => return Err(Silent::Because("no channel's schema is called so")),
            Owner::Several => return Err(Silent::Because("several channels' schemas are called so")),
        };
        foreign.may_post_in(channel_id, &item.id, round, now).await?;
        let team_id = foreign.gate.own_id(now).await.ok_or(Silent::NextTime)?;
        let reference = seal::reference().ok_or(Silent::ForNow)?;
        let request = Request {
            service: service.id,
            service_name: service.name,
            kind: service.kind,
            retired: None,
            target,
            group_id: group.group_id.clone(),
            destination: foreign.destinations.name_of(&group.group_id).map(str::to_owned),
            slash: SLASH.to_owned(),
            in_direct_message: false,
            confirmed: Confirmed::No,
            for_all: false,
            by_channel: true,
            customer: None,
            onboarding: None,
        };
        let found = Foundling {
            reference: &reference,
            connection_id: &item.id,
            team_id: &team_id,
            channel_id,
            request: &request,
        };
        let before = stored.as_ref().map(|stored| &stored.connection);
        let change = life::adopt(before, found, &seen, now).ok_or(Silent::ForNow)?;
        let link = &change.connection.link;
        let entry = Entry::of_brought_up(link, now);
        let write = Write {
            change: &change,
            version: stored.as_ref().map_or(0, |stored| stored.version),
            held: None,
            progress: None,
            message: MessageWrite::Due,
            trail: Some(&entry),
            reminders: channels.of(channel_id).reminders,
            now,
        };
        if store.write(write).await? == Written::Committed {
            crash_point("bring up: recorded");
            *round.posts.entry(channel_id.to_owned()).or_default() += 1;
            super::audit(link);
        }
        Ok(())
    }
}

/// Whether a connection has a message here already, or is being given one.
fn is_ours(Stored { connection, .. }: &Stored, item: &Listed) -> bool {
    let link = &connection.link;
    connection.posting.is_none()
        && link.state != State::Replaced
        && link.connection_id == item.id
        && link.is_home_of(&item.id)
}

/// Whether a list says that somebody has switched a connection's syncs off.
pub(super) fn is_paused(item: &Listed) -> bool {
    item.paused || item.status.sync_state == SyncState::Paused
}

impl Foreign {
    /// Whether the bot may say something of a connection in a channel unasked. Where a command would be asked
    /// first, nothing is said.
    async fn may_post_in(
        &self,
        channel_id: &str,
        connection_id: &str,
        round: &mut Round,
        now: Timestamp,
    ) -> Result<(), Silent> {
        let allowed = &self.gate.permissions().channels;
        if !(allowed.is_empty() || allowed.iter().any(|id| id == channel_id)) {
            return Err(Silent::Because("its channel is not among ALLOWED_CHANNELS"));
        }
        if round.tried.contains(connection_id) || round.posts.get(channel_id) >= Some(&IN_A_CHANNEL) {
            return Err(Silent::ForNow);
        }
        if round.asked >= AT_A_TIME {
            return Err(Silent::NextTime);
        }
        round.asked += 1;
        round.tried.insert(connection_id.to_owned());
        match self.gate.company(channel_id, now).await {
            Company::Few | Company::Hidden => Ok(()),
            Company::Many(_) => {
                Err(Silent::Because("its channel is shared with more than one other organisation"))
            }
            // So it will be of the others, each after a while.
            Company::Untold => Err(Silent::NextTime),
        }
    }
}
