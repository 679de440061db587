//! The bot put together: what all its parts share, and the order in which they start and stop.
//!
//! Owns the start-up and shutdown order, and nothing that happens in between.

mod identity;
mod renewal;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::command::places::{Channels, Destinations};
use crate::config::Config;
use crate::current::Current;
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::expiry::{self, Expiry};
use crate::fivetran::live::CurrentCatalog;
use crate::outbox::{self, Outbox};
use crate::permission::Gate;
use crate::provision::Provision;
use crate::reply::Audience;
use crate::seal::{Purpose, Sealer};
use crate::server::accept::Intake;
use crate::server::commands::Commands;
use crate::server::connected::Connected;
use crate::server::doctor::Doctor;
use crate::server::form::Forms;
use crate::server::health::{Health, Reached};
use crate::server::interactivity::Interactivity;
use crate::server::signed::Signed;
use crate::server::sockets::{self, Open, Sockets};
use crate::server::state::RouteState;
use crate::server::words::Words;
use crate::slack::caller::Caller;
use crate::slack::pauses::Pauses;
use crate::slack::signature::Verifier;
use crate::slack::socket::Opener;
use crate::slack::web_api::WebApi;
use crate::store::{Claimed, OpenError, Options, Store};
use crate::telemetry::Metrics;
use crate::watch::{self, Watcher};
use crate::worker::{self, Delivery, Hints, Links};
use crate::{outbound, server};
use renewal::Renewal;

/// How long giving the leases up may take at a shutdown.
const RELEASE_LIMIT: Duration = Duration::from_secs(3);
/// How long before what the database did not take of the bot's identity is written again.
const IDENTITY_PAUSE: Duration = Duration::from_secs(30);

/// Why the bot does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP client cannot be built.
    #[error("no HTTP client: {0}")]
    Client(&'static str),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({cause}): choose another {variable}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's word for it.
        cause: std::io::ErrorKind,
        /// What sets it.
        variable: &'static str,
    },
}

/// A running bot. What is public is for whoever runs it beside stand-ins.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// The database.
    pub store: Store,
    /// The services as they are now.
    pub catalog: Arc<CurrentCatalog>,
    /// Whoever knows how connections stand.
    pub watcher: Arc<Watcher>,
    /// Whoever brings that to Slack.
    pub outbox: Arc<Outbox>,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
    /// Set when a part of it has failed that it cannot do without.
    pub failed: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
    worker: worker::Handle,
    watching: watch::Handle,
    editing: outbox::Handle,
    telling: Option<audit::Handle>,
    close_listeners: CancellationToken,
    renewal: Renewal,
}

impl App {
    /// Starts everything on a socket from [`listen`]: the database first, the answering of requests
    /// last, so that nothing is accepted that cannot be kept. Callers wait in the socket's backlog
    /// until then.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, listener: TcpListener, clock: Clock) -> Result<Self, StartError> {
        let http = outbound::client(&config.network)
            .map_err(|_| StartError::Client(outbound::without_client(&config.network)))?;
        let in_force = renewal::Secrets::of(&config);
        let secrets = &config.slack.sealing_secrets();
        let metrics = Metrics::default();
        let options =
            Options { url: &config.database, secrets, lease: config.lease, metrics: metrics.clone() };
        let store = Store::open(options).await?;
        let web_api = config.slack.bot_token.as_ref();
        let api_url = &config.slack.api_url;
        let web_api = web_api.map(|token| {
            WebApi::new(http.clone(), api_url, token).by(clock.clone()).counting(metrics.clone())
        });
        let fivetran = Fivetran::new(http.clone(), config.fivetran).counting(metrics.clone());
        let kept = store.kept_catalogue().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read the catalogue that was kept");
            None
        });
        let gate = Gate::new(config.permissions, web_api.clone());
        let kept_identity =
            config.slack.bot_token.map(|token| Arc::new(identity::Kept::of(token, store.clone())));
        if let Some(identity) = kept_identity.clone() {
            gate.recall(identity.read().await, clock.now()).await;
            let (mut told, clock) = (gate.identities(), clock.clone());
            tokio::spawn(async move {
                while told.changed().await.is_ok() {
                    loop {
                        // The newest, also where an older one could not be written.
                        let known = told.borrow_and_update().clone();
                        let Some(known) = known else { break };
                        if identity.write(&known, clock.now()).await {
                            break;
                        }
                        tokio::time::sleep(IDENTITY_PAUSE).await;
                    }
                }
            });
        }
        let parts = Parts {
            caller: Caller::new(http, metrics.clone(), clock.clone()),
            verifier: Current::new(Verifier::new(&config.slack.signing_secrets)),
            drafts: Sealer::new(secrets, Purpose::Draft),
            clock,
            metrics,
            store,
            gate: Arc::new(gate),
            web_api,
            response_url_origins: config.slack.response_url_origins.into(),
            audience: config.visibility,
            provision: Provision::new(fivetran.clone(), config.landing),
            catalog: Arc::new(CurrentCatalog::kept(kept.as_deref())),
            channels: Arc::new(config.channels),
            stopping: CancellationToken::new(),
            failed: CancellationToken::new(),
        };
        let close_listeners = CancellationToken::new();
        let address = listener.local_addr().unwrap_or(config.server.listen);
        let metrics = match config.server.metrics {
            Some(address) => Some(listen(address, "METRICS_ADDR")?),
            None => None,
        };
        let (accepted, fresh) = mpsc::unbounded_channel();
        // What the release before has kept is watched, and guarded, like everything else.
        let taken = parts.store.take_links_over(parts.clock.now()).await;
        match taken.map_err(OpenError::Unreachable)? {
            0 => {}
            links => tracing::info!(links, "took over the links of the release before"),
        }
        let telling = config.slack.audit_channel.and_then(|channel| parts.tell(channel));
        let outbox = parts.outbox();
        let worker = parts.start_worker(Arc::clone(&outbox), fresh);
        let editing = outbox::start(Arc::clone(&outbox), parts.failed.clone());
        let watcher = parts.watcher();
        let watching = watch::start(Arc::clone(&watcher), parts.failed.clone());
        parts.mind_the_writers();
        parts.mind_the_key(fivetran.clone());
        parts.keep_catalog_fresh(fivetran.clone());
        tokio::spawn({
            let (gate, clock) = (Arc::clone(&parts.gate), parts.clock.clone());
            let stopping = parts.stopping.clone();
            async move {
                gate.announce().await;
                stopping.run_until_cancelled(gate.introduce(|| clock.now())).await;
            }
        });
        let intake = Intake::new(parts.clock.clone(), parts.store.clone(), accepted);
        let open = Open::default();
        let app_token = config.slack.app_tokens.first();
        let opener = match app_token {
            Some(token) => {
                let http = outbound::client_of_sockets(&config.network)
                    .map_err(|_| StartError::Client(outbound::without_client(&config.network)))?;
                Some(Opener::new(http, api_url, token))
            }
            None => None,
        };
        let reached = Reached {
            by_http: !config.slack.signing_secrets.is_empty(),
            by_sockets: opener.is_some().then(|| open.clone()),
        };
        let state = parts.routes(config.destinations, intake, &watcher, reached);
        let renewal = Renewal {
            clock: parts.clock.clone(),
            verifier: parts.verifier.clone(),
            sealers: vec![parts.store.sealer(), parts.drafts.clone()],
            opener: opener.clone(),
            web_api: parts.web_api.clone(),
            kept: kept_identity,
            gate: Arc::clone(&parts.gate),
            fivetran: fivetran.clone(),
            secrets: Mutex::new(in_force),
        };
        let serve = |listener, routes| tokio::spawn(server::serve(listener, routes, close_listeners.clone()));
        let metrics =
            metrics.map(|listener| serve(listener, server::metrics_routes(Arc::clone(&state.health))));
        let sockets = opener.map(|opener| {
            let (commands, interactivity) = (Arc::clone(&state.commands), Arc::clone(&state.interactivity));
            let (clock, metrics) = (parts.clock.clone(), parts.metrics.clone());
            let sockets = Sockets { clock, metrics, opener, commands, interactivity, open };
            tokio::spawn(sockets::keep(sockets, close_listeners.clone()))
        });
        let requests = serve(listener, server::routes(state));
        let listeners = metrics.into_iter().chain(sockets).chain([requests]).collect();
        tracing::info!(%address, "listening");
        let Parts { store, catalog, stopping, failed, .. } = parts;
        Ok(Self {
            address,
            store,
            catalog,
            watcher,
            outbox,
            stopping,
            failed,
            listeners,
            worker,
            watching,
            editing,
            telling,
            close_listeners,
            renewal,
        })
    }

    /// Puts the secrets of a configuration that was read again in the place of those in force. Nothing that
    /// is under way is disturbed. Everything else in it needs a restart.
    pub async fn renew(&self, config: &Config) {
        self.renewal.renew(config).await;
    }

    /// Says that the bot is not ready any more, while it still takes what balancers send it.
    pub fn announce_stop(&self) {
        if !self.stopping.is_cancelled() {
            tracing::info!("shutting down");
        }
        self.stopping.cancel();
    }

    /// Stops in the order that loses nothing: not ready any more, no new requests, what is in flight
    /// finishes, what is left is given up to the next process, the database closes. Takes at most
    /// 5 + 12 + 3 + 3 seconds.
    pub async fn stop(self) {
        self.announce_stop();
        self.close_listeners.cancel();
        for listener in self.listeners {
            let _ = listener.await;
        }
        let told = async {
            if let Some(telling) = self.telling {
                telling.stop().await;
            }
        };
        tokio::join!(self.worker.stop(), self.watching.stop(), self.editing.stop(), told);
        match tokio::time::timeout(RELEASE_LIMIT, self.store.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not give up the leases; they end by themselves"),
            Err(_) => tracing::warn!("the database does not take the leases back; they end by themselves"),
        }
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// What the parts are made of while they are put together; each takes what it uses.
struct Parts {
    verifier: Current<Verifier>,
    drafts: Sealer,
    clock: Clock,
    metrics: Metrics,
    store: Store,
    caller: Caller,
    web_api: Option<WebApi>,
    response_url_origins: Arc<[url::Origin]>,
    audience: Audience,
    gate: Arc<Gate>,
    provision: Provision,
    catalog: Arc<CurrentCatalog>,
    channels: Arc<Channels>,
    stopping: CancellationToken,
    failed: CancellationToken,
}

impl Parts {
    fn start_worker(&self, outbox: Arc<Outbox>, fresh: mpsc::UnboundedReceiver<Claimed>) -> worker::Handle {
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
            stopping: self.stopping.clone(),
            failed: self.failed.clone(),
        };
        worker::start(parts, fresh)
    }

    fn watcher(&self) -> Arc<Watcher> {
        Arc::new(Watcher::new(watch::Parts {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            provision: self.provision.clone(),
            channels: Arc::clone(&self.channels),
            stopping: self.stopping.clone(),
        }))
    }

    /// Tells the audit channel, and keeps from now on what there is to tell.
    fn tell(&self, channel: String) -> Option<audit::Handle> {
        let web_api = self.web_api.clone()?;
        let (clock, store, stopping) = (self.clock.clone(), self.store.clone(), self.stopping.clone());
        store.keep_trail();
        Some(audit::start(Arc::new(Audit::new(clock, store, web_api, channel, stopping))))
    }

    fn outbox(&self) -> Arc<Outbox> {
        Arc::new(Outbox {
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            store: self.store.clone(),
            web_api: self.web_api.clone(),
            stopping: self.stopping.clone(),
        })
    }

    /// Without one of the store's writers, what is accepted could not be kept, or not come to its end.
    fn mind_the_writers(&self) {
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

    /// The log and a metric say in time that the key in use expires.
    fn mind_the_key(&self, fivetran: Fivetran) {
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
            expiry::keep_watch(&clock, &stopping, first, look, seen).await;
        });
    }

    fn keep_catalog_fresh(&self, fivetran: Fivetran) {
        let (catalog, channels) = (Arc::clone(&self.catalog), Arc::clone(&self.channels));
        let (stopping, store, clock) = (self.stopping.clone(), self.store.clone(), self.clock.clone());
        tokio::spawn(async move {
            let fetched = |catalog: &Catalog, body: String| {
                for line in channels.unknown_services(catalog) {
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

    fn routes(
        &self,
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
        });
        let words = Arc::new(Words {
            catalog: Arc::clone(&self.catalog),
            destinations,
            channels: Arc::clone(&self.channels),
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
        });
        let doctor = Doctor {
            clock: clock.clone(),
            started_at: clock.now(),
            metrics: metrics.clone(),
            store: store.clone(),
            gate: Arc::clone(gate),
            web_api: self.web_api.clone(),
            provision: self.provision.clone(),
            words: Arc::clone(&words),
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
            doctor,
        });
        RouteState {
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
            }),
            connected: Arc::new(Connected { store: store.clone(), watcher: Arc::clone(watcher) }),
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

/// Opens a listening socket; `variable` is what sets its address.
///
/// # Errors
/// [`StartError::Listen`].
pub fn listen(address: SocketAddr, variable: &'static str) -> Result<TcpListener, StartError> {
    server::bind(address).map_err(|error| StartError::Listen { address, cause: error.kind(), variable })
}
