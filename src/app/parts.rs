//! The parts of a bot while they are put together: what each is given.
//!
//! Owns who gets what, and no more than it uses. The order in which they start is `app`'s.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::defaults;
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::command::bundle::Bundles;
use crate::command::places::{Channels, Destinations};
use crate::current::Current;
use crate::digest::{self, Digests};
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::defaults::ServiceDefaults;
use crate::fivetran::expiry::{self, Expiry};
use crate::fivetran::live::CurrentCatalog;
use crate::outbox::{Outbox, Unheard};
use crate::permission::Gate;
use crate::provision::{Proofs, Provision};
use crate::reply::Audience;
use crate::seal::Sealer;
use crate::server::accept::Intake;
use crate::server::commands::Commands;
use crate::server::connected::Connected;
use crate::server::connected::lead::Presses;
use crate::server::connected::looks::Looks;
use crate::server::connected::visit::Visits;
use crate::server::doctor::Doctor;
use crate::server::events::Events;
use crate::server::form::{Changes, Forms};
use crate::server::health::{Health, Reached};
use crate::server::home::{Homes, Places};
use crate::server::interactivity::Interactivity;
use crate::server::signed::Signed;
use crate::server::state::RouteState;
use crate::server::words::Words;
use crate::slack::caller::Caller;
use crate::slack::pauses::Pauses;
use crate::slack::signature::Verifier;
use crate::slack::web_api::WebApi;
use crate::store::{Claimed, OpenError, Store};
use crate::telemetry::Metrics;
use crate::unasked::Unasked;
use crate::watch::{self, Foreign, Watcher};
use crate::worker::{self, Delivery, Hints, Links};

/// How long after the start a file that is as it was left is checked: not in the way of the first commands.
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// What the parts are made of while they are put together; each takes what it uses.
pub(super) struct Parts {
    pub(super) verifier: Current<Verifier>,
    pub(super) drafts: Sealer,
    pub(super) visits: Sealer,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) store: Store,
    pub(super) caller: Caller,
    pub(super) web_api: Option<WebApi>,
    pub(super) response_url_origins: Arc<[url::Origin]>,
    pub(super) audience: Audience,
    pub(super) gate: Arc<Gate>,
    pub(super) provision: Provision,
    pub(super) catalog: Arc<CurrentCatalog>,
    pub(super) channels: Arc<Channels>,
    pub(super) bundles: Arc<Bundles>,
    pub(super) services: Current<ServiceDefaults>,
    pub(super) stopping: CancellationToken,
    pub(super) failed: CancellationToken,
}

impl Parts {
    pub(super) fn start_worker(
        &self,
        outbox: Arc<Outbox>,
        unasked: Arc<Unasked>,
        fresh: mpsc::UnboundedReceiver<Claimed>,
    ) -> worker::Handle {
        let delivery = Delivery {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            caller: self.caller.clone(),
            response_url_origins: Arc::clone(&self.response_url_origins),
            response_url_pauses: Pauses::new(self.clock.clone()),
            web_api: self.web_api.clone(),
            audience: self.audience,
            hints: Hints::default(),
        };
        let parts = worker::Parts {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            provision: self.provision.clone(),
            links: Links {
                delivery,
                store: self.store.clone(),
                outbox,
                channels: Arc::clone(&self.channels),
            },
            gate: Arc::clone(&self.gate),
            unasked,
            stopping: self.stopping.clone(),
            failed: self.failed.clone(),
        };
        worker::start(parts, fresh)
    }

    /// Something is said only where a message that stands in a channel can be changed later, and its link may be
    /// seen there.
    pub(super) fn unasked(&self, destinations: &Destinations) -> Arc<Unasked> {
        let shown = self.web_api.is_some() && self.audience == Audience::Channel;
        if !shown && !destinations.watched.is_empty() {
            tracing::warn!(
                "CONFIG: watch = true does nothing without SLACK_BOT_TOKEN, nor where links are private"
            );
        }
        let (channels, catalog) = (Arc::clone(&self.channels), Arc::clone(&self.catalog));
        Arc::new(Unasked::of(destinations, channels, catalog, Arc::clone(&self.gate), shown))
    }

    pub(super) fn watcher(&self, unasked: Arc<Unasked>) -> Arc<Watcher> {
        Arc::new(Watcher::new(watch::Parts {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            provision: self.provision.clone(),
            channels: Arc::clone(&self.channels),
            foreign: unasked.watches().then(|| Foreign::of(unasked)),
            stopping: self.stopping.clone(),
        }))
    }

    /// Tells the audit channel, and keeps from now on what there is to tell.
    pub(super) fn tell(&self, channel: String) -> Option<audit::Handle> {
        let web_api = self.web_api.clone()?;
        let (clock, store, stopping) = (self.clock.clone(), self.store.clone(), self.stopping.clone());
        store.keep_trail();
        Some(audit::start(Arc::new(Audit::new(clock, store, web_api, channel, stopping))))
    }

    /// Posts digests by this plan.
    pub(super) fn digests(
        &self,
        plan: digest::Plan,
        audit_channel: Option<String>,
    ) -> Option<digest::Handle> {
        Some(digest::start(Arc::new(Digests {
            clock: self.clock.clone(),
            store: self.store.clone(),
            web_api: self.web_api.clone()?,
            channels: Arc::clone(&self.channels),
            plan,
            audit_channel,
            stopping: self.stopping.clone(),
            told: Mutex::default(),
        })))
    }

    pub(super) fn outbox(&self, unasked: Arc<Unasked>) -> Arc<Outbox> {
        Arc::new(Outbox {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            web_api: self.web_api.clone(),
            unasked,
            unheard: Unheard::default(),
            stopping: self.stopping.clone(),
        })
    }

    /// Without one of the store's writers, what is accepted could not be kept, or not come to its end.
    pub(super) fn mind_the_writers(&self) {
        let (store, stopping, failed) = (self.store.clone(), self.stopping.clone(), self.failed.clone());
        tokio::spawn(async move {
            let ended = stopping.run_until_cancelled(store.a_writer_ended()).await.is_some();
            drop(store);
            if ended {
                tracing::error!("a writer of the database has ended");
                failed.cancel();
            }
        });
    }

    /// Checks a file that is as it was left, once the bot is at work, and stops the bot if it is damaged.
    pub(super) fn mind_the_file(&self) {
        let (store, stopping, failed) = (self.store.clone(), self.stopping.clone(), self.failed.clone());
        tokio::spawn(stopping.run_until_cancelled_owned(async move {
            tokio::time::sleep(CHECK_AFTER).await;
            match store.check().await {
                Ok(()) => {}
                Err(error @ OpenError::Damaged { .. }) => {
                    tracing::error!("{error}");
                    failed.cancel();
                }
                Err(error) => tracing::warn!(%error, "could not check the database"),
            }
        }));
    }

    /// The log and a metric say in time that the key in use expires.
    pub(super) fn mind_the_key(&self, fivetran: Fivetran) {
        let (clock, metrics, stopping) = (self.clock.clone(), self.metrics.clone(), self.stopping.clone());
        tokio::spawn(async move {
            let is_known = fivetran.key_in_use().expires.is_some();
            let first = if is_known { Duration::ZERO } else { expiry::FIRST };
            let look = || async {
                let expires = fivetran.key_expiry().await;
                (fivetran.key_in_use().variable, fivetran.other_key().map(|key| key.variable), expires)
            };
            let seen = |key, expiry| match expiry {
                Expiry::Unknown => metrics.key_expires(key, None),
                Expiry::Far(at) | Expiry::Soon(at, _) | Expiry::Today(at) | Expiry::Past(at) => {
                    metrics.key_expires(key, Some(at.as_second()));
                }
            };
            let mut first = first;
            loop {
                tokio::select! {
                    () = expiry::keep_watch(&clock, &stopping, first, &look, &seen) => break,
                    () = fivetran.renewed() => first = Duration::ZERO,
                }
            }
        });
    }

    pub(super) fn keep_catalog_fresh(&self, fivetran: Fivetran) {
        let (catalog, channels) = (Arc::clone(&self.catalog), Arc::clone(&self.channels));
        let bundles = Arc::clone(&self.bundles);
        let services = self.services.clone();
        let (stopping, store, clock) = (self.stopping.clone(), self.store.clone(), self.clock.clone());
        tokio::spawn(async move {
            let fetched = |catalog: &Catalog, body: String| {
                let services = services.get();
                let defaults = services.unknown_services(catalog).map(|(_, line)| line);
                let services = channels.unknown_services(catalog).chain(bundles.unusable_services(catalog));
                for line in services.chain(defaults) {
                    tracing::warn!("CONFIG: {line}");
                }
                let (store, now) = (store.clone(), clock.now());
                async move {
                    if let Err(error) = store.keep_catalogue(&body, now).await {
                        tracing::warn!(%error, "could not keep Fivetran's catalogue");
                    }
                }
            };
            catalog.keep_fresh(&fivetran, &stopping, fetched).await;
        });
    }

    /// The log says what of CONFIG's defaults Fivetran's metadata does not know.
    pub(super) fn check_defaults(&self, fivetran: Fivetran) {
        let (services, stopping) = (self.services.clone(), self.stopping.clone());
        tokio::spawn(async move {
            stopping.run_until_cancelled(defaults::check(&fivetran, &services)).await;
        });
    }

    pub(super) fn routes(
        &self,
        public_url: Option<&str>,
        destinations: Destinations,
        intake: Intake,
        watcher: &Arc<Watcher>,
        reached: Reached,
    ) -> RouteState {
        let (clock, metrics, store) = (&self.clock, &self.metrics, &self.store);
        let (gate, origins) = (&self.gate, &self.response_url_origins);
        let signed = Arc::new(Signed {
            clock: clock.clone(),
            metrics: metrics.clone(),
            verifier: self.verifier.clone(),
            socket_mode: reached.socket_mode.clone(),
        });
        let words = Arc::new(Words {
            catalog: Arc::clone(&self.catalog),
            destinations,
            channels: Arc::clone(&self.channels),
            bundles: Arc::clone(&self.bundles),
        });
        let forms = Arc::new(Forms {
            clock: clock.clone(),
            web_api: self.web_api.clone(),
            drafts: self.drafts.clone(),
            response_url_origins: Arc::clone(origins),
            gate: Arc::clone(gate),
            audience: self.audience,
            words: Arc::clone(&words),
            intake: intake.clone(),
            changes: Changes::default(),
        });
        let doctor = Doctor {
            clock: clock.clone(),
            started_at: clock.now(),
            metrics: metrics.clone(),
            store: store.clone(),
            gate: Arc::clone(gate),
            audience: self.audience,
            web_api: self.web_api.clone(),
            provision: self.provision.clone(),
            words: Arc::clone(&words),
            by_http: Box::new({
                let reached = reached.clone();
                move || reached.by_requests()
            }),
            sockets: Box::new({
                let reached = reached.clone();
                move || reached.open_sockets()
            }),
        };
        let commands = Arc::new(Commands {
            clock: clock.clone(),
            metrics: metrics.clone(),
            signed: Arc::clone(&signed),
            response_url_origins: Arc::clone(origins),
            gate: Arc::clone(gate),
            words,
            intake: intake.clone(),
            store: store.clone(),
            provision: self.provision.clone(),
            forms: Arc::clone(&forms),
            audience: self.audience,
            doctor,
        });
        let homes = Arc::new(Homes {
            clock: clock.clone(),
            web_api: self.web_api.clone(),
            gate: Arc::clone(gate),
            intake: intake.clone(),
            audience: self.audience,
            store: store.clone(),
            places: Places::default(),
        });
        RouteState {
            events: Arc::new(Events {
                metrics: metrics.clone(),
                signed: Arc::clone(&signed),
                homes: Arc::clone(&homes),
            }),
            commands: Arc::clone(&commands),
            interactivity: Arc::new(Interactivity {
                clock: clock.clone(),
                metrics: metrics.clone(),
                signed,
                caller: self.caller.clone(),
                response_url_origins: Arc::clone(origins),
                gate: Arc::clone(gate),
                intake,
                store: store.clone(),
                forms,
                commands,
                homes,
            }),
            connected: Arc::new(Connected {
                clock: clock.clone(),
                looks: Looks::at(store.clone()),
                watcher: Arc::clone(watcher),
                proofs: Proofs::new(self.visits.clone()),
                visits: Visits::new(public_url, self.visits.clone()),
                presses: Presses::default(),
            }),
            health: Arc::new(Health {
                clock: clock.clone(),
                metrics: metrics.clone(),
                store: store.clone(),
                reached,
                stopping: self.stopping.clone(),
            }),
        }
    }
}
