//! The sessions with Postgres: on which server, and whether it is any good.
//!
//! Owns that a session is looked at before its first use, given up after an error that says it or its
//! server is of no use, and that of several servers one is used that takes writes. Must not know
//! what is asked on a session.

use std::ops::{Deref, DerefMut};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Postgres, Row as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::{OpenError, StoreError, migrations};

/// Longest wait for a free session.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(2);
/// Sessions: one for each of the three writers, one for tombstones, and two for all other
/// statements, such as claims and renewals, which are short.
const SESSIONS: u32 = 6;
/// Longest wait for a sign of life of a session or a server.
const SIGN_LIMIT: Duration = Duration::from_secs(1);
/// A session that is not there by then may be one of a server that has gone.
const SOON: Duration = Duration::from_millis(300);
/// Pause after a server that was of no use, before the next try.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the log says that new sessions are of no use.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Longest wait at the start for a server that takes writes.
const START_LIMIT: Duration = Duration::from_secs(2);

/// The servers of a `DATABASE_URL`, in its order. No `Debug`: they hold a password.
pub(super) struct Servers(Vec<PgConnectOptions>);

impl Servers {
    /// Reads a URL with one host or several, as in `postgres://user@a:5432,b:5432/db`. The driver
    /// knows URLs of one host only.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn read(url: &SecretString) -> Result<Self, OpenError> {
        let urls = split(url.expose_secret()).map_err(OpenError::Address)?;
        let servers = urls.iter().map(|url| PgConnectOptions::from_str(url.expose_secret()));
        // Its own words could repeat the URL.
        let servers: Result<_, _> = servers.collect();
        servers.map(Self).map_err(|_| OpenError::Address("cannot be read"))
    }

    /// Finds a server that takes writes, brings its tables up to date, and returns its place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) async fn prepare(&self) -> Result<usize, OpenError> {
        let (place, mut session) = self.find().await?;
        // Not under the limits of the pool's sessions: a step may take its time, and waits for other
        // replicas that take it.
        migrations::postgres(&mut session).await?;
        let _ = session.close().await;
        Ok(place)
    }

    async fn find(&self) -> Result<(usize, PgConnection), OpenError> {
        let end = Instant::now() + START_LIMIT;
        loop {
            let mut found = None;
            for (place, options) in self.0.iter().enumerate() {
                match connect(options, START_LIMIT).await {
                    Ok(session) => return Ok((place, session)),
                    Err(error) => {
                        // The one that speaks of a setting has an answer to it.
                        if !matches!(found, Some(OpenError::Unsafe { .. })) {
                            found = Some(error);
                        }
                    }
                }
            }
            let Some(error) = found else { return Err(OpenError::Address("names no server")) };
            // A server that starts, or is being promoted, may need a moment.
            if Instant::now() >= end || matches!(error, OpenError::Unsafe { .. }) {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The place of a server that takes writes: of the one in use if it does.
    async fn writable(&self, in_use: usize) -> Option<usize> {
        let looks = self.0.iter().map(|options| async {
            let session = connect(options, SIGN_LIMIT).await.ok()?;
            let _ = session.close().await;
            Some(())
        });
        let found = futures_util::future::join_all(looks).await;
        let writable = |&place: &usize| found.get(place).is_some_and(Option::is_some);
        std::iter::once(in_use).chain(0..found.len()).find(writable)
    }
}

/// A session without limits, on a server that is good.
async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, OpenError> {
    let unlimited = options.clone().options([
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ]);
    let connected = timeout(limit, async {
        let mut session = unlimited.connect().await.map_err(unreachable)?;
        judge(&mut session).await.map(|()| session)
    });
    connected.await.unwrap_or(Err(OpenError::Unreachable(StoreError::Unanswered)))
}

fn unreachable(error: sqlx::Error) -> OpenError {
    OpenError::Unreachable(StoreError::without_session(error))
}

/// Whether a session's server takes writes and keeps what it has committed.
async fn judge(session: &mut PgConnection) -> Result<(), OpenError> {
    let look = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, \
                current_setting('fsync'), current_setting('synchronous_commit')";
    let row = sqlx::query(look).fetch_one(session).await.map_err(unreachable)?;
    let column = |column: usize| row.try_get(column).map_err(unreachable);
    judge_settings(row.try_get(0).map_err(unreachable)?, column(1)?, column(2)?)
}

/// The same by what the server says of itself.
fn judge_settings(is_read_only: bool, fsync: String, synchronous_commit: String) -> Result<(), OpenError> {
    if is_read_only {
        return Err(OpenError::ReadOnly);
    }
    for (setting, found, remedy) in [
        ("fsync", fsync, "turn it on in postgresql.conf and reload"),
        ("synchronous_commit", synchronous_commit, "turn it on for this database or user"),
    ] {
        if found == "off" {
            return Err(OpenError::Unsafe { setting, found, remedy });
        }
    }
    Ok(())
}

/// A session in use. It is closed afterwards unless it is kept: of one whose user is gone before the
/// answer came, nobody knows what it is at.
pub(super) struct Session {
    held: PoolConnection<Postgres>,
    keep: bool,
}

impl Session {
    /// Nothing is under way on it, and it is good.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.held
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.held
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.keep {
            self.held.close_on_drop();
        }
    }
}

/// The sessions in use. Clones share them.
#[derive(Clone)]
pub(super) struct Sessions {
    pool: PgPool,
    trust: Arc<Trust>,
}

/// What is known to be of no use.
#[derive(Default)]
struct Trust {
    /// Sessions that are not younger than this are not used again.
    distrusted: Mutex<Option<Instant>>,
    /// When it was last said in the log that a new session was rejected.
    said: Mutex<Option<Instant>>,
    /// Says that another server may have to be found.
    look: Notify,
}

impl Trust {
    fn distrust_all(&self) {
        *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.look.notify_one();
    }

    /// Notes that a new session is of no use, and says so in the log once a minute.
    fn reject(&self, error: &OpenError) {
        self.look.notify_one();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            *said = Some(Instant::now());
            tracing::error!(%error, "a new session with the database is of no use");
        }
    }

    fn trusts(&self, age: Duration) -> bool {
        let distrusted = *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner);
        distrusted.is_none_or(|at| at.elapsed() > age)
    }
}

impl Sessions {
    /// Opens sessions on the server at `place`, and on another one when that is of no use any more.
    pub(super) fn open(servers: Servers, place: usize) -> Result<Self, OpenError> {
        let limited = |options: &PgConnectOptions| {
            options.clone().options([
                ("statement_timeout", "5s"),
                ("lock_timeout", "2s"),
                ("idle_in_transaction_session_timeout", "10s"),
            ])
        };
        let first = servers.0.get(place).ok_or(OpenError::Address("names no server"))?;
        let trust = Arc::<Trust>::default();
        let (new, old) = (Arc::clone(&trust), Arc::clone(&trust));
        let pool = PgPoolOptions::new()
            .max_connections(SESSIONS)
            .acquire_timeout(ACQUIRE_LIMIT)
            // Looked at below, and not for as long as the other end likes.
            .test_before_acquire(false)
            .after_connect(move |session, _| {
                let trust = Arc::clone(&new);
                Box::pin(async move {
                    let Err(error) = judge(session).await else { return Ok(()) };
                    trust.reject(&error);
                    // The pool tries again at once, and until nobody waits for the session any more.
                    tokio::time::sleep(PAUSE).await;
                    Err(sqlx::Error::InvalidArgument("this server takes no writes".to_owned()))
                })
            })
            .before_acquire(move |session, meta| {
                let trust = Arc::clone(&old);
                Box::pin(async move {
                    if !trust.trusts(meta.age) {
                        return Ok(false);
                    }
                    if matches!(timeout(SIGN_LIMIT, session.ping()).await, Ok(Ok(()))) {
                        return Ok(true);
                    }
                    trust.distrust_all();
                    Ok(false)
                })
            })
            .connect_lazy_with(limited(first));
        let sessions = Self { pool, trust };
        if servers.0.len() > 1 {
            tokio::spawn(sessions.clone().follow(servers, place, limited));
        }
        Ok(sessions)
    }

    /// Turns to a server that takes writes whenever the one in use seems to be of no use, until the
    /// sessions are closed.
    async fn follow(
        self,
        servers: Servers,
        mut in_use: usize,
        limited: impl Fn(&PgConnectOptions) -> PgConnectOptions,
    ) {
        let follow = async {
            loop {
                self.trust.look.notified().await;
                let found = servers.writable(in_use).await;
                if let Some(place) = found.filter(|&place| place != in_use)
                    && let Some(options) = servers.0.get(place)
                {
                    tracing::warn!(server = place + 1, "turning to another server of DATABASE_URL");
                    self.pool.set_connect_options(limited(options));
                    in_use = place;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _: Result<(), _> = self.pool.close_event().do_until(follow).await;
    }

    /// A session that is good as far as is known.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was asked then.
    pub(super) async fn acquire(&self) -> Result<Session, StoreError> {
        let mut acquiring = std::pin::pin!(self.pool.acquire());
        let acquired = match timeout(SOON, &mut acquiring).await {
            Ok(acquired) => acquired,
            Err(_) => {
                self.trust.look.notify_one();
                acquiring.await
            }
        };
        let held = acquired.map_err(|error| {
            self.trust.look.notify_one();
            StoreError::without_session(error)
        });
        Ok(Session { held: held?, keep: false })
    }

    /// Whether the session on which this error came is to be given up. One that says that its server
    /// takes no writes says it of all sessions with it.
    pub(super) fn gives_up(&self, error: &StoreError) -> bool {
        if error.is_read_only() {
            self.trust.distrust_all();
        }
        error.spoils_its_session()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The URLs of the single hosts that a URL names.
fn split(url: &str) -> Result<Vec<SecretString>, &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err("cannot be read") };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let tail = without_session_attrs(tail)?;
    if hosts.contains(',') && hosts.split(',').any(str::is_empty) {
        return Err("names several servers, and the name of one of them is missing");
    }
    Ok(hosts.split(',').map(|host| SecretString::from(format!("{scheme}://{user}{host}{tail}"))).collect())
}

/// What follows the hosts, without what the driver does not know.
fn without_session_attrs(tail: &str) -> Result<String, &'static str> {
    let Some((path, query)) = tail.split_once('?') else { return Ok(tail.to_owned()) };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            // The bot uses no other server, whether it is told so or not.
            Some(("target_session_attrs", "read-write" | "primary" | "any")) => {}
            Some(("target_session_attrs", _)) => {
                return Err(
                    "asks for a server that takes no writes; the bot needs target_session_attrs=read-write",
                );
            }
            Some(("host" | "hostaddr" | "port", several)) if several.contains(',') => {
                return Err("names several servers after the “?”; \
                            name them before the database, as in postgres://user@a:5432,b:5432/db");
            }
            _ => kept.push(pair),
        }
    }
    Ok(if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) })
}

#[cfg(test)]
mod tests;
