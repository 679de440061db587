//! The bot put together: what all its parts share, and the order in which they start and stop.
//!
//! Owns the start-up and shutdown order, and nothing that happens in between.

mod defaults;
mod identity;
mod parts;
mod renewal;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::current::Current;
use crate::digest;
use crate::fivetran::Fivetran;
use crate::fivetran::live::CurrentCatalog;
use crate::outbox::{self, Outbox};
use crate::permission::Gate;
use crate::provision::{Proofs, Provision};
use crate::seal::{Purpose, Sealer};
use crate::server::accept::Intake;
use crate::server::allowance::Allowance;
use crate::server::crowd::Crowd;
use crate::server::health::Reached;
use crate::server::sockets::{self, Open, Sockets};
use crate::slack::caller::Caller;
use crate::slack::signature::Verifier;
use crate::slack::socket::Opener;
use crate::slack::web_api::WebApi;
use crate::store::{OpenError, Options, Store};
use crate::telemetry::Metrics;
use crate::watch::{self, Watcher};
use crate::worker;
use crate::{outbound, server};
use parts::Parts;
use renewal::Renewal;

pub use renewal::Left;

/// How long giving the leases up may take at a shutdown.
const RELEASE_LIMIT: Duration = Duration::from_secs(3);

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
    digests: Option<digest::Handle>,
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
        let metrics = Metrics::default();
        let opener = match config.slack.app_tokens.as_slice() {
            [token, old @ ..] => {
                let http = outbound::client_of_sockets(&config.network)
                    .map_err(|_| StartError::Client(outbound::without_client(&config.network)))?;
                let opener = Opener::new(http, &config.slack.api_url, token);
                let opener = opener.with_tokens(token, old.first());
                Some(opener.counting(metrics.clone(), clock.clone()))
            }
            [] => None,
        };
        let in_force = renewal::Secrets::of(&config);
        let secrets = &config.slack.sealing_secrets();
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
            tokio::spawn(identity.keep(gate.identities(), clock.clone()));
        }
        let services = Current::new(config.services);
        let visits = Sealer::new(secrets, Purpose::Visit);
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
            provision: Provision::new(fivetran.clone(), config.landing)
                .with_defaults(services.clone())
                .with_proofs(Proofs::new(visits.clone())),
            visits,
            catalog: Arc::new(CurrentCatalog::kept(kept.as_deref())),
            channels: Arc::new(config.channels),
            bundles: Arc::new(config.bundles),
            services,
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
        match taken.map_err(OpenError::Unready)? {
            0 => {}
            links => tracing::info!(links, "took over the links of the release before"),
        }
        if config.digest.is_none() {
            parts.store.unplan_digests().await.map_err(OpenError::Unready)?;
        }
        let digests = config.digest.and_then(|plan| parts.digests(plan, config.slack.audit_channel.clone()));
        let telling = config.slack.audit_channel.and_then(|channel| parts.tell(channel));
        let unasked = parts.unasked(&config.destinations);
        let outbox = parts.outbox(unasked.clone());
        let worker = parts.start_worker(Arc::clone(&outbox), Arc::clone(&unasked), fresh);
        let editing = outbox::start(Arc::clone(&outbox), parts.failed.clone());
        let watcher = parts.watcher(unasked);
        let watching = watch::start(Arc::clone(&watcher), parts.failed.clone());
        parts.mind_the_writers();
        parts.mind_the_file();
        parts.mind_the_key(fivetran.clone());
        parts.keep_catalog_fresh(fivetran.clone());
        parts.check_defaults(fivetran.clone());
        tokio::spawn({
            let (gate, clock) = (Arc::clone(&parts.gate), parts.clock.clone());
            let stopping = parts.stopping.clone();
            async move {
                gate.announce(clock.now()).await;
                stopping.run_until_cancelled(gate.introduce(|| clock.now())).await;
            }
        });
        let allowance = Allowance::new(config.limits, parts.metrics.clone());
        let intake = Intake::new(parts.clock.clone(), parts.store.clone(), allowance, accepted);
        let open = Open::default();
        let reached = Reached {
            by_http: !config.slack.signing_secrets.is_empty(),
            by_sockets: opener.is_some().then(|| open.clone()),
            socket_mode: opener.as_ref().map(Opener::switch).unwrap_or_default(),
        };
        let public_url = config.server.public_url.as_deref();
        let state = parts.routes(public_url, config.destinations, intake, &watcher, reached);
        let renewal = Renewal {
            clock: parts.clock.clone(),
            verifier: parts.verifier.clone(),
            sealers: vec![parts.store.sealer(), parts.drafts.clone(), parts.visits.clone()],
            opener: opener.clone(),
            web_api: parts.web_api.clone(),
            kept: kept_identity,
            gate: Arc::clone(&parts.gate),
            fivetran: fivetran.clone(),
            secrets: Mutex::new(in_force),
        };
        let crowd = Crowd::of_this_process();
        let serve = |listener, routes| {
            tokio::spawn(server::serve(listener, routes, Arc::clone(&crowd), close_listeners.clone()))
        };
        let metrics =
            metrics.map(|listener| serve(listener, server::metrics_routes(Arc::clone(&state.health))));
        let sockets = opener.map(|opener| {
            let (commands, interactivity) = (Arc::clone(&state.commands), Arc::clone(&state.interactivity));
            let events = Arc::clone(&state.events);
            let (clock, metrics) = (parts.clock.clone(), parts.metrics.clone());
            let web_api = parts.web_api.clone();
            let sockets = Sockets { clock, metrics, opener, web_api, commands, interactivity, events, open };
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
            digests,
            close_listeners,
            renewal,
        })
    }

    /// Puts the secrets of a configuration that was read again in the place of those in force. Nothing that
    /// is under way is disturbed. Everything else in it needs a restart. Gives what could not be tried.
    pub async fn renew(&self, config: &Config) -> Left {
        self.renewal.renew(config).await
    }

    /// Tries once more what could not be tried of a configuration.
    pub async fn try_again(&self, config: &Config, left: Left) -> Left {
        self.renewal.try_again(config, left).await
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
    /// 9 + 12 + 3 + 3 seconds, without sockets 5 + 12 + 3 + 3.
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
        let digested = async {
            if let Some(digests) = self.digests {
                digests.stop().await;
            }
        };
        tokio::join!(self.worker.stop(), self.watching.stop(), self.editing.stop(), told, digested);
        match tokio::time::timeout(RELEASE_LIMIT, self.store.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not give up the leases; they end by themselves"),
            Err(_) => tracing::warn!("the database does not take the leases back; they end by themselves"),
        }
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// Opens a listening socket; `variable` is what sets its address.
///
/// # Errors
/// [`StartError::Listen`].
pub fn listen(address: SocketAddr, variable: &'static str) -> Result<TcpListener, StartError> {
    server::bind(address).map_err(|error| StartError::Listen { address, cause: error.kind(), variable })
}
