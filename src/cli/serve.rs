//! `connect-card serve`: runs the bot until a signal ends it, or until it cannot go on.
//!
//! Owns what a signal means, and when secrets are read again. Must not know what the bot is made of; `app`
//! starts and stops it.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::Exit;
use crate::app::{self, App, Left};
use crate::clock::Clock;
use crate::config::{self, Config, SecretFiles, Vars};

/// How long requests are still taken after `/readyz` has turned: a balancer that probes every second
/// has seen it by then.
const LINGER: Duration = Duration::from_secs(1);

/// How often the files of secrets are looked at.
const GLANCE: Duration = Duration::from_secs(2);
/// Longest that the configuration is read again. From files it takes no time.
const READING_LIMIT: Duration = Duration::from_secs(10);

/// The longest rest before a secret is tried again that could not be tried; the first is [`GLANCE`], and each
/// after it is twice as long. Slack grants so few calls for a socket's address that a minute may not do.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// Secrets that could not be tried, since a partner did not say what it makes of them.
struct Pending {
    config: Config,
    left: Left,
    rest: Duration,
    at: Instant,
}

impl Pending {
    /// What is left of a configuration, to be tried after a rest.
    fn of(config: Config, left: Left, rest: Duration) -> Option<Self> {
        left.any().then(|| Self { config, left, rest, at: Instant::now() + rest })
    }

    /// Waits until it is to be tried again; does not end where nothing is.
    async fn due(pending: Option<&Self>) {
        match pending {
            Some(pending) => sleep_until(pending.at).await,
            None => std::future::pending().await,
        }
    }

    async fn try_again(self, app: &App) -> Option<Self> {
        let left = app.try_again(&self.config, self.left).await;
        Self::of(self.config, left, (self.rest * 2).min(LONGEST_REST))
    }
}

/// Runs the bot.
pub async fn run(config: Config, files: SecretFiles, clock: Clock) -> Exit {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("the system gives no signals");
        return Exit::Failed;
    };
    let started = match app::listen(config.server.listen, "HOST or PORT") {
        Ok(listener) => tokio::select! {
            // What has begun is not left half-way where nothing has to be waited for.
            biased;
            started = App::start(config, listener, clock) => started,
            // It may wait for as long as a backup holds the tables.
            _ = terminate.recv() => return Exit::Well,
            _ = interrupt.recv() => return Exit::Well,
        },
        Err(error) => Err(error),
    };
    let app = match started {
        Ok(app) => app,
        Err(error) => {
            tracing::error!("{error}");
            return Exit::Failed;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = app.failed.cancelled() => return Exit::Failed,
        () = read_again(&app, &files, hang_up) => {}
    }
    app.announce_stop();
    let stop = async {
        tokio::time::sleep(LINGER).await;
        app.stop().await;
    };
    tokio::select! {
        () = stop => Exit::Well,
        // Whoever asks twice wants it now; what is not finished is on disk.
        _ = terminate.recv() => Exit::Failed,
        _ = interrupt.recv() => Exit::Failed,
    }
}

/// Reads the configuration again at each SIGHUP, and whenever a file with a secret has another content, and
/// has had it for a moment: until then somebody may be writing. What a partner could not be asked about is
/// tried again. Does not end.
async fn read_again(app: &App, files: &SecretFiles, mut hang_up: Signal) {
    let look = || {
        let files = files.clone();
        async move { tokio::task::spawn_blocking(move || files.digest()).await.unwrap_or_default() }
    };
    let mut known = files.at_first();
    let mut seen = known.clone();
    let mut pending: Option<Pending> = None;
    loop {
        let asked = tokio::select! {
            Some(()) = hang_up.recv() => true,
            () = tokio::time::sleep(GLANCE), if !files.is_empty() => false,
            () = Pending::due(pending.as_ref()) => {
                if let Some(due) = pending.take() {
                    pending = due.try_again(app).await;
                }
                continue;
            }
        };
        let now = look().await;
        let settled = now == seen;
        seen.clone_from(&now);
        if asked || (settled && now != known) {
            known = now;
            // A pipe in the place of a file may keep whoever reads it waiting, for ever.
            let read = || Vars::from_process().and_then(|vars| config::serve(&vars));
            let Ok(read) = tokio::time::timeout(READING_LIMIT, tokio::task::spawn_blocking(read)).await
            else {
                tracing::error!(
                    "the configuration cannot be read again: a file that a variable names does not end. It may be a pipe, which needs a restart"
                );
                continue;
            };
            // What was read before is no longer what is asked for.
            pending = None;
            match read {
                Ok(Ok(config)) => {
                    let left = app.renew(&config).await;
                    pending = Pending::of(config, left, GLANCE);
                }
                Ok(Err(faults)) => {
                    tracing::error!(
                        "the configuration cannot be read again, and nothing has changed: {faults}"
                    );
                }
                Err(error) => tracing::error!(%error, "the configuration cannot be read again"),
            }
        }
    }
}
