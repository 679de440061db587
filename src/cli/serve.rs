//! `connect-card serve`: runs the bot until a signal ends it, or until it cannot go on.
//!
//! Owns what a signal means. Must not know what the bot is made of; `app` starts and stops it.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;

/// How long requests are still taken after `/readyz` has turned: a balancer that probes every second
/// has seen it by then.
const LINGER: Duration = Duration::from_secs(1);

/// Runs the bot.
pub async fn run(config: Config, clock: Clock) -> Exit {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("the system gives no signals");
        return Exit::Failed;
    };
    let started = match app::listen(config.server.listen, "HOST or PORT") {
        Ok(listener) => App::start(config, listener, clock).await,
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
