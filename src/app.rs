//! The bot put together: what all its parts share, and the order in which they start and stop.
//!
//! Owns the start-up and shutdown order, and nothing that happens in between.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, Destinations, Landing};
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
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
    /// Set when the bot shuts down.
    pub stopping: CancellationToken,
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
    pub fn reminders(&self, _channel_id: &str) -> bool {
        false
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
            tracing::info!(%error, "Fivetran's catalogue cannot be had; using the one built in");
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
        let Config { server, slack, fivetran, destinations, landing, database, https_proxy, lease } = config;
        let http = outbound::client(https_proxy.as_ref()).map_err(|_| StartError::Client)?;
        let options = Options { url: &database, secrets: &slack.signing_secrets, lease };
        let store = Store::open(options).await?;
        let (accepted, fresh) = mpsc::unbounded_channel();
        let bot = Arc::new(Bot {
            clock,
            metrics: Metrics::default(),
            catalog: CurrentCatalog::default(),
            destinations,
            landing,
            verifier: Verifier::new(&slack.signing_secrets),
            drafts: Sealer::new(&slack.signing_secrets, Purpose::Draft),
            response_url_origins: slack.response_url_origins,
            web_api: slack.bot_token.map(|token| WebApi::new(http.clone(), &slack.api_url, &token)),
            fivetran: Fivetran::new(http.clone(), fivetran),
            http,
            store,
            pace: Pace::steady(),
            hasty_pace: Pace::hasty(),
            stopping: CancellationToken::new(),
            accepted,
            random: SystemRandom::new(),
        });
        let close_listeners = CancellationToken::new();
        let address = listener.local_addr().unwrap_or(server.listen);
        let mut listeners = vec![tokio::spawn(server::serve(
            listener,
            server::routes(Arc::clone(&bot)),
            close_listeners.clone(),
        ))];
        if let Some(address) = server.metrics {
            let listener = listen(address, "METRICS_ADDR")?;
            let routes = server::metrics_routes(Arc::clone(&bot));
            listeners.push(tokio::spawn(server::serve(listener, routes, close_listeners.clone())));
        }
        tokio::spawn(keep_catalog(Arc::clone(&bot)));
        let worker = worker::start(Arc::clone(&bot), fresh);
        tracing::info!(%address, "listening");
        Ok(Self { address, bot, listeners, worker, close_listeners })
    }

    /// Stops in the order that loses nothing: not ready any more, no new requests, the steps in
    /// flight finish, what is left is given up to the next process, the database closes.
    pub async fn stop(self) {
        tracing::info!("shutting down");
        self.bot.stopping.cancel();
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
