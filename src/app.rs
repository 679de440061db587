//! The bot put together: what all its parts share, and the order in which they start and stop.
//!
//! Owns the start-up and shutdown order, and nothing that happens in between.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Channels, Config, Destinations, Landing, Visibility};
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::{Catalog, Resolution, ServiceId};
use crate::permission::Gate;
use crate::seal::{Purpose, Sealer};
use crate::slack::signature::Verifier;
use crate::slack::web_api::WebApi;
use crate::store::{Claimed, OpenError, Options, Store};
use crate::telemetry::Metrics;
use crate::watch::Pace;
use crate::{outbound, server, worker};

/// How often the catalogue is fetched anew; services come and go within weeks.
const CATALOG_REFRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon it is tried again when that failed.
const CATALOG_RETRY: Duration = Duration::from_secs(5 * 60);

/// What every request and every step of a command may use. No `Debug`: it holds every secret.
pub struct Bot {
    /// The time.
    pub clock: Clock,
    /// The numbers.
    pub metrics: Metrics,
    /// The services.
    pub catalog: CurrentCatalog,
    /// The destinations.
    pub destinations: Destinations,
    /// What holds in which channel.
    pub channels: Channels,
    /// Who may.
    pub gate: Gate,
    /// Who gets to see a link.
    pub visibility: Visibility,
    /// The customer's landing page.
    pub landing: Landing,
    /// The keys of Slack's signatures.
    pub verifier: Verifier,
    /// Seals what a form has to bring back.
    pub drafts: Sealer,
    /// Where a response_url may point.
    pub response_url_origins: Vec<url::Origin>,
    /// The one HTTP client, for response_urls.
    pub http: reqwest::Client,
    /// Slack's Web API, with a bot token.
    pub web_api: Option<WebApi>,
    /// Fivetran.
    pub fivetran: Fivetran,
    /// The database.
    pub store: Store,
    /// How fast due links may be looked at.
    pub pace: Mutex<Pace>,
    /// How fast links may be looked at ahead of time.
    pub hasty_pace: Mutex<Pace>,
    /// When each link was last looked at for its customer's browser.
    pub landings: Mutex<HashMap<String, Timestamp>>,
    /// The channels in which a hint was given.
    pub hints: Hints,
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
    /// Set when a part of it has failed that it cannot do without.
    pub failed: CancellationToken,
    accepted: mpsc::UnboundedSender<Claimed>,
    random: SystemRandom,
}

impl Bot {
    /// Hands a command that was just committed to the worker.
    pub fn take_up(&self, claimed: Claimed) {
        // The receiver is gone only at the very end of a shutdown; the next process looks.
        let _ = self.accepted.send(claimed);
    }

    /// Whether links of a channel are reminded of.
    #[must_use]
    pub fn reminders(&self, channel_id: &str) -> bool {
        self.channels.of(channel_id).reminders
    }

    /// A reference for a new command: ten characters that can be read out on the phone. `None`
    /// when the system has no random numbers.
    #[must_use]
    pub fn reference(&self) -> Option<String> {
        // Crockford's base 32: no I, L, O and U.
        const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut bytes = [0_u8; 10];
        self.random.fill(&mut bytes).ok()?;
        bytes.iter().map(|byte| DIGITS.get(usize::from(byte % 32)).map(|&digit| char::from(digit))).collect()
    }
}

/// The channels in which something was said that need not be said twice.
#[derive(Default)]
pub struct Hints(Mutex<HashSet<String>>);

/// Channels remembered; beyond that, a hint may come a second time.
const HINTS: usize = 10_000;

impl Hints {
    /// Whether it has not been said in this channel since the start.
    pub fn first_time(&self, channel_id: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= HINTS {
            said.clear();
        }
        said.insert(channel_id.to_owned())
    }
}

/// The catalogue as it is now: built in, until Fivetran's own has been fetched.
pub struct CurrentCatalog(RwLock<Arc<Catalog>>);

impl Default for CurrentCatalog {
    fn default() -> Self {
        Self(RwLock::new(Arc::new(Catalog::built_in())))
    }
}

impl CurrentCatalog {
    /// The catalogue now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, catalog: Catalog) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }
}

/// Fetches Fivetran's own catalogue; `None` when it cannot be had.
pub async fn fetch_catalog(fivetran: &Fivetran) -> Option<Catalog> {
    match fivetran.connector_types().await {
        Ok(types) => Catalog::from_live(
            types.into_iter().map(|it| (it.id.clone(), it.name.unwrap_or(it.id), it.service_status)),
        ),
        Err(error) => {
            tracing::info!(%error, "could not fetch Fivetran's catalogue; using the built-in one");
            None
        }
    }
}

/// Why the bot does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP client cannot be built.
    #[error("no HTTP client: the system's root certificates cannot be read; install ca-certificates")]
    Client,
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

/// A running bot.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its parts share.
    pub bot: Arc<Bot>,
    listeners: Vec<JoinHandle<()>>,
    worker: worker::Handle,
    close_listeners: CancellationToken,
}

impl App {
    /// Starts everything on a socket from [`listen`]: the database first, the answering of requests
    /// last, so that nothing is accepted that cannot be kept. Callers wait in the socket's backlog
    /// until then.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, listener: TcpListener, clock: Clock) -> Result<Self, StartError> {
        let Config {
            server,
            slack,
            fivetran,
            destinations,
            channels,
            permissions,
            visibility,
            landing,
            database,
            https_proxy,
            lease,
        } = config;
        let http = outbound::client(https_proxy.as_ref()).map_err(|_| StartError::Client)?;
        let options = Options { url: &database, secrets: &slack.signing_secrets, lease };
        let store = Store::open(options).await?;
        let web_api = slack.bot_token.map(|token| WebApi::new(http.clone(), &slack.api_url, &token));
        let (accepted, fresh) = mpsc::unbounded_channel();
        let bot = Arc::new(Bot {
            clock,
            metrics: Metrics::default(),
            catalog: CurrentCatalog::default(),
            destinations,
            channels,
            visibility,
            landing,
            verifier: Verifier::new(&slack.signing_secrets),
            drafts: Sealer::new(&slack.signing_secrets, Purpose::Draft),
            response_url_origins: slack.response_url_origins,
            gate: Gate::new(permissions, web_api.clone()),
            web_api,
            fivetran: Fivetran::new(http.clone(), fivetran),
            http,
            store,
            pace: Pace::steady(),
            hasty_pace: Pace::hasty(),
            landings: Mutex::default(),
            hints: Hints::default(),
            stopping: CancellationToken::new(),
            failed: CancellationToken::new(),
            accepted,
            random: SystemRandom::new(),
        });
        let close_listeners = CancellationToken::new();
        let address = listener.local_addr().unwrap_or(server.listen);
        let metrics = match server.metrics {
            Some(address) => Some(listen(address, "METRICS_ADDR")?),
            None => None,
        };
        let worker = worker::start(Arc::clone(&bot), fresh);
        tokio::spawn(keep_catalog(Arc::clone(&bot)));
        tokio::spawn({
            let bot = Arc::clone(&bot);
            async move { bot.gate.announce().await }
        });
        let serve = |listener, routes| tokio::spawn(server::serve(listener, routes, close_listeners.clone()));
        let mut listeners: Vec<_> = metrics
            .map(|listener| serve(listener, server::metrics_routes(Arc::clone(&bot))))
            .into_iter()
            .collect();
        listeners.push(serve(listener, server::routes(Arc::clone(&bot))));
        tracing::info!(%address, "listening");
        Ok(Self { address, bot, listeners, worker, close_listeners })
    }

    /// Says that the bot is not ready any more, while it still takes what balancers send it.
    pub fn announce_stop(&self) {
        tracing::info!("shutting down");
        self.bot.stopping.cancel();
    }

    /// Stops in the order that loses nothing: not ready any more, no new requests, the steps in
    /// flight finish, what is left is given up to the next process, the database closes. Takes at
    /// most 5 + 12 + 3 + 3 seconds.
    pub async fn stop(self) {
        self.announce_stop();
        self.close_listeners.cancel();
        for listener in self.listeners {
            let _ = listener.await;
        }
        self.worker.stop().await;
        self.bot.store.close().await;
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

async fn keep_catalog(bot: Arc<Bot>) {
    loop {
        let pause = match fetch_catalog(&bot.fivetran).await {
            Some(catalog) => {
                tracing::debug!(services = catalog.len(), "fetched Fivetran's catalogue");
                for (channel, service) in
                    bot.channels.unknown_services(|id| catalog.get(id.as_str()).is_some())
                {
                    tracing::warn!("CONFIG: {}", unknown_service(channel, service, &catalog));
                }
                bot.catalog.replace(catalog);
                CATALOG_REFRESH
            }
            None => CATALOG_RETRY,
        };
        tokio::select! {
            () = bot.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What to say of a service that a channel allows and Fivetran does not have. Not a fault of the
/// file: a new service is not in the table built in, and a bot must start without Fivetran.
#[must_use]
pub fn unknown_service(channel_id: &str, service: &ServiceId, catalog: &Catalog) -> String {
    let hint = match catalog.resolve(service.as_str()) {
        Resolution::Retired { successor, .. } => format!(" (it is now called {})", successor.id),
        Resolution::Named(meant) => format!(" (its id is {})", meant.id),
        _ => String::new(),
    };
    format!(
        "channels.{channel_id}.services has {service}, which Fivetran does not list{hint}: correct the id"
    )
}
