//! What Fivetran is asked for while a customer's browser waits: how their connection stands, and a card for
//! the next.
//!
//! Owns how long a browser is kept waiting, and that what it brings about stays within the share of
//! Fivetran's limit that single looks have. A visit is a hint, whoever it is from. Must not know a page.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Watcher, lock};
use crate::fivetran::model::ConnectCard;
use crate::journal::{Failure, Outcome};
use crate::life::{Event, Link, State};
use crate::store::Stored;

/// How often a landing is noted anew when something else happens to its connection meanwhile.
const JUDGEMENTS: u32 = 16;
/// Longest that a customer's browser is kept waiting for Fivetran after a visit.
const BROWSER_LIMIT: Duration = Duration::from_millis(2500);
/// Longest that it is kept waiting for a card. Making one can take Fivetran seconds, and whoever has pressed a
/// button waits a little; a proxy in between waits longer.
const CARD_LIMIT: Duration = Duration::from_secs(8);

/// How a link stands, for the customer's browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its state.
    pub state: State,
    /// Whether the customer can do something about a broken one.
    pub asks_customer: bool,
    /// How long ago the browser came back, if Fivetran may yet confirm that the customer has finished.
    pub open_for: Option<SignedDuration>,
    /// When a browser came back last: visits that Fivetran confirms together have one moment.
    pub landed_at: Option<Timestamp>,
}

/// What a browser came back from: a link, which keeps its reference when it is renewed, and which link of its
/// connection that was.
pub(super) type Visit = (String, i64);

/// A look for a browser, while it is under way.
struct Visited {
    watcher: Arc<Watcher>,
    visit: Visit,
}

impl Drop for Visited {
    fn drop(&mut self) {
        lock(&self.watcher.visited).remove(&self.visit);
    }
}

impl Watcher {
    /// The customer's browser has just come back from a link: a hint, which Fivetran has to confirm.
    /// Returns how the link stands as far as is known in the time that a browser waits.
    pub async fn landed(self: &Arc<Self>, stored: Stored) -> Landing {
        let mut stands = self.visit(stored);
        let _ = timeout(BROWSER_LIMIT, async { while stands.changed().await.is_ok() {} }).await;
        let link = stands.borrow().clone();
        self.landing(&link)
    }

    /// Begins a look for a browser, unless one for the same link is under way: that one is theirs too, however
    /// many they are.
    fn visit(self: &Arc<Self>, stored: Stored) -> watch::Receiver<Link> {
        let link = stored.connection.link.clone();
        let visit = (link.id.clone(), stored.connection.generation);
        let (known, stands) = watch::channel(link);
        match lock(&self.visited).entry(visit.clone()) {
            Entry::Occupied(under_way) => return under_way.get().clone(),
            Entry::Vacant(nobody) => drop(nobody.insert(stands.clone())),
        }
        let visited = Visited { watcher: Arc::clone(self), visit };
        // A task of its own: neither the end of a browser's patience nor a closed tab may cut off a look.
        tokio::spawn(async move {
            visited.watcher.look_for_browser(stored, &known).await;
            // Nobody joins it any more once its answer is final.
            drop(visited);
            drop(known);
        });
        stands
    }

    /// How a link stands, for a page that asks again.
    #[must_use]
    pub fn landing(&self, link: &Link) -> Landing {
        let now = self.parts.clock.now();
        let state = link.state_at(now);
        let landed = match state {
            State::Waiting | State::Broken => link.landed_at,
            State::Expired | State::Lapsed => link.landed_at.filter(|_| link.may_be_confirmed(now)),
            _ => None,
        };
        let open_for = landed.map(|landed| now.duration_since(landed));
        Landing { state, asks_customer: link.asks_customer(), open_for, landed_at: link.landed_at }
    }

    /// Notes a visit and looks. `known` is told how the link stands as soon as more of it is known.
    async fn look_for_browser(&self, mut stored: Stored, known: &watch::Sender<Link>) {
        let store = &self.parts.store;
        let key = stored.connection.key.clone();
        // Others may be at work on it: whatever they find, the browser was here.
        for _ in 0..JUDGEMENTS {
            if let Some(link) = self.happens(&stored, Event::Landed).await {
                known.send_replace(link);
                break;
            }
            let Ok(Some(again)) = store.connection(&key).await else { return };
            // Nothing else happened: the database takes no writes, and what Fivetran says could not be kept either.
            if again.version == stored.version {
                return;
            }
            stored = again;
        }
        if self.may_ask() {
            self.look(&key).await;
        }
        if let Ok(Some(stored)) = store.connection(&key).await {
            known.send_replace(stored.connection.link);
        }
    }

    /// A fresh card for a source, whose link is this, for a browser that waits to be led on. `None`: there is
    /// none now.
    pub async fn card(&self, link: &Link) -> Option<ConnectCard> {
        if !self.may_ask() {
            return None;
        }
        let (provision, now) = (&self.parts.provision, self.parts.clock.now());
        if !self.parts.store.offer(&link.request.key(), now).await {
            tracing::info!(
                link = link.id,
                "no card to lead a customer on with: its source could not be offered anew"
            );
            return None;
        }
        let minting = provision.mint_for_source(&link.request, &link.connection_id, &link.id, now);
        // Whatever is made when nobody waits any more is of no use to anybody, and does no harm.
        match timeout(CARD_LIMIT, minting).await {
            Ok(Outcome::Minted(card)) => return Some(card),
            Ok(Outcome::Failed(Failure::Throttled(pause))) => {
                self.rest(pause);
                tracing::info!(
                    link = link.id,
                    "no card to lead a customer on with: Fivetran asks for a pause"
                );
            }
            Ok(outcome) => {
                tracing::info!(link = link.id, ?outcome, "no card to lead a customer on with");
            }
            Err(_) => tracing::info!(link = link.id, "no card to lead a customer on with: Fivetran is slow"),
        }
        None
    }

    /// Whether Fivetran may be asked now for a browser that waits.
    fn may_ask(&self) -> bool {
        lock(&self.hasty_pace).urge(self.limit(), self.parts.clock.now())
    }
}
