//! Connections that the bot did not make, in destinations with `watch = true`.
//!
//! Owns which of them are brought up, and how many at a time: what its customer can mend by signing in again.
//! Everything else is silent here. Where that may be said, [`crate::unasked`] knows; the message is posted by
//! the [`crate::outbox`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::{Watcher, lock};
use crate::crash::crash_point;
use crate::fivetran::listed::Listed;
use crate::fivetran::model::SyncState;
use crate::fivetran::schema::Target;
use crate::life::{self, Event, Foundling, Seen, State};
use crate::seal;
use crate::store::{MessageWrite, StoreError, Stored, Sweep, Write, Written};
use crate::trail::Entry;
use crate::unasked::{self, Unasked};
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
/// The destinations that are watched, and how far that has come. No `Debug`: it holds the token.
pub struct Foreign {
    unasked: Arc<Unasked>,
    /// When was seen last to it that they are listed.
    assured: Mutex<Option<Timestamp>>,
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

impl From<unasked::Silent> for Silent {
    fn from(silent: unasked::Silent) -> Self {
        match silent {
            unasked::Silent::Because(why) => Self::Because(why),
            // So it will be of the others, each after a while.
            unasked::Silent::Untold => Self::NextTime,
        }
    }
}

impl Foreign {
    /// What is watched, where that may be said.
    #[must_use]
    pub fn of(unasked: Arc<Unasked>) -> Self {
        Self { unasked, assured: Mutex::default(), tried: Mutex::default() }
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
        self.unasked.watched().contains(group_id)
    }

    /// Whether it has to be seen to now that they are listed.
    fn assures(&self, now: Timestamp) -> bool {
        lock(&self.assured).is_none_or(|last| now.duration_since(last).abs() >= ASSURE)
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
        match self.parts.store.want_lists(foreign.unasked.watched(), now).await {
            Ok(()) => *lock(&foreign.assured) = Some(now),
            Err(error) => {
                tracing::warn!(%error, "could not see to it that watched destinations are listed");
            }
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
                Err(Silent::Because(why)) if foreign.unasked.is_first(&item.id, why) => {
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
        let unasked = &foreign.unasked;
        let service = unasked.service(&item.service).ok_or(Silent::Because("its service is unknown"))?;
        let target =
            Target::parse(&item.schema).map_err(|_| Silent::Because("no pattern makes such a name"))?;
        let channel_id = unasked.channel_of(&service, &target, &group.group_id).map_err(Silent::Because)?;
        round.may_ask_about(channel_id, &item.id)?;
        unasked.company_of(channel_id, now).await?;
        let team_id = unasked.team_id(now).await.ok_or(Silent::NextTime)?;
        let reference = seal::reference().ok_or(Silent::ForNow)?;
        let request = Request {
            service: service.id,
            service_name: service.name,
            kind: service.kind,
            retired: None,
            target,
            group_id: group.group_id.clone(),
            destination: unasked.name_of(&group.group_id).map(str::to_owned),
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

impl Round {
    /// Whether it is a connection's turn, of which Slack is asked then.
    fn may_ask_about(&mut self, channel_id: &str, connection_id: &str) -> Result<(), Silent> {
        if self.tried.contains(connection_id) || self.posts.get(channel_id) >= Some(&IN_A_CHANNEL) {
            return Err(Silent::ForNow);
        }
        if self.asked >= AT_A_TIME {
            return Err(Silent::NextTime);
        }
        self.asked += 1;
        self.tried.insert(connection_id.to_owned());
        Ok(())
    }
}
