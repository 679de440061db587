//! The binary: reads the command line and the configuration and runs one task.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use connect_card::app::{self, App};
use connect_card::cli::{self, Cli, Exit, Task};
use connect_card::clock::Clock;
use connect_card::config::{self, Faults, Vars};
use connect_card::slack::manifest;
use connect_card::telemetry::{self, LogConfig, LogFormat};
use connect_card::{check, link, sandbox};
use tokio::signal::unix::{SignalKind, signal};

/// How long requests are still taken after `/readyz` has turned: a balancer that probes every second
/// has seen it by then.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(_) => return Exit::Failed.into(),
    };
    let exit = runtime.block_on(run()).into();
    // Without waiting for the thread that reads the keyboard, which only a key would end.
    runtime.shutdown_background();
    exit
}

async fn run() -> Exit {
    match Cli::parse().command {
        Task::Serve => match settings(false) {
            Ok(vars) => serve(&vars).await,
            Err(exit) => exit,
        },
        Task::Link { service, schema, destination, json } => {
            match settings(true).and_then(|vars| config::link(&vars).map_err(|faults| misconfigured(&faults)))
            {
                Ok(config) => {
                    link::run(config, &service, &schema, destination.as_deref(), json, Clock::default()).await
                }
                Err(exit) => exit,
            }
        }
        Task::Check => match settings(true) {
            Ok(vars) => check::run(&vars, &Clock::default()).await,
            Err(exit) => exit,
        },
        Task::Sandbox { gallery: true, .. } => sandbox::gallery(),
        // The sandbox is the same in every folder, whatever its `.env` says.
        Task::Sandbox { once, .. } => {
            let log = config::log(&Vars::from_environment());
            telemetry::start(LogFormat::Text, quiet(&log));
            sandbox::run(once.as_deref()).await
        }
        Task::Manifest { public_url } => match config::public_url(&public_url) {
            Ok(url) => cli::print(&manifest::manifest(&url)),
            Err(faults) => misconfigured(&faults),
        },
    }
}

/// Reads the variables and starts the log.
fn settings(for_a_person: bool) -> Result<Vars, Exit> {
    let vars = Vars::from_process().map_err(|faults| misconfigured(&faults))?;
    let log = config::log(&vars);
    telemetry::start(log.format, if for_a_person { quiet(&log) } else { &log.filter });
    Ok(vars)
}

/// A person at a terminal wants the answer, and of the log only what went wrong.
fn quiet(log: &LogConfig) -> &str {
    if log.filter == telemetry::LOG_FILTER { "error" } else { &log.filter }
}

async fn serve(vars: &Vars) -> Exit {
    let config = match config::serve(vars) {
        Ok(config) => config,
        Err(faults) => return misconfigured(&faults),
    };
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("the system gives no signals");
        return Exit::Failed;
    };
    let started = match app::listen(config.server.listen, "HOST or PORT") {
        Ok(listener) => App::start(config, listener, Clock::default()).await,
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
        () = app.bot.failed.cancelled() => return Exit::Failed,
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

fn misconfigured(faults: &Faults) -> Exit {
    cli::remark(&faults.to_string());
    Exit::Usage
}
