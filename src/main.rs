//! The binary: reads the command line and the configuration and runs one task.

use std::process::ExitCode;

use clap::Parser as _;
use connect_card::app::{self, App};
use connect_card::cli::{Cli, Exit, Task};
use connect_card::clock::Clock;
use connect_card::config::{self, Faults, Vars};
use connect_card::slack::manifest;
use connect_card::{check, link, sandbox, telemetry};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(_) => return Exit::Failed.into(),
    };
    let exit = runtime.block_on(run());
    // Without waiting for the thread that reads the keyboard, which only a key would end.
    runtime.shutdown_background();
    exit
}

async fn run() -> ExitCode {
    let cli = Cli::parse();
    let vars = match Vars::from_process() {
        Ok(vars) => vars,
        Err(faults) => return misconfigured(&faults).into(),
    };
    let log = config::log(&vars);
    // A person at a terminal wants the answer, and of the log only what went wrong.
    let quiet = !matches!(cli.command, Task::Serve) && log.filter == config::LOG_FILTER;
    telemetry::start(log.format, if quiet { "error" } else { &log.filter });
    let exit = match cli.command {
        Task::Serve => serve(&vars).await,
        Task::Link { service, schema, destination, json } => match config::link(&vars) {
            Ok(config) => {
                link::run(config, &service, &schema, destination.as_deref(), json, Clock::default()).await
            }
            Err(faults) => misconfigured(&faults),
        },
        Task::Sandbox { gallery: true, .. } => sandbox::gallery(),
        Task::Sandbox { once, .. } => sandbox::run(once.as_deref()).await,
        Task::Check => check::run(&vars, &Clock::default()).await,
        Task::Manifest { public_url } => match config::public_url(&public_url) {
            Ok(url) => print(&manifest::manifest(&url)),
            Err(faults) => misconfigured(&faults),
        },
    };
    exit.into()
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
    }
    tokio::select! {
        () = app.stop() => Exit::Well,
        // Whoever asks twice wants it now; what is not finished is on disk.
        _ = terminate.recv() => Exit::Failed,
        _ = interrupt.recv() => Exit::Failed,
    }
}

#[expect(clippy::print_stderr, reason = "configuration faults are for the person who starts the program")]
fn misconfigured(faults: &Faults) -> Exit {
    for line in faults.to_string().lines() {
        eprintln!("{line}");
    }
    Exit::Usage
}

#[expect(clippy::print_stdout, reason = "this is what the task is for")]
fn print(text: &str) -> Exit {
    print!("{text}");
    Exit::Well
}
