//! The binary: parses the command line, loads the variables, runs one subcommand.

use std::process::ExitCode;

use clap::Parser as _;
use connect_card::cli::{
    self, Cli, Exit, Task, check, gallery, init, key_policy, link, manifest, sandbox, serve,
};
use connect_card::clock::Clock;
use connect_card::config::{self, Faults, SecretFiles, Vars};
use connect_card::telemetry::{self, LogConfig, LogFormat};
use connect_card::{core_dumps, crash};

fn main() -> ExitCode {
    // Before any secret is read, by whichever subcommand.
    let undumpable = core_dumps::turn_off(crash::traceable());
    let task = Cli::parse().command;
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return Exit::Failed.into() };
    let exit = runtime.block_on(run(task, undumpable)).unwrap_or_else(|faults| {
        cli::remark(&faults.to_string());
        Exit::Usage
    });
    // Without waiting for the thread that reads the keyboard, which only a key would end.
    runtime.shutdown_background();
    exit.into()
}

async fn run(task: Task, undumpable: std::io::Result<()>) -> Result<Exit, Faults> {
    let clock = Clock::default();
    Ok(match task {
        Task::Init => {
            let (vars, log) = load()?;
            log_if_asked(&log);
            init::run(vars, &clock).await?
        }
        Task::Serve => {
            let (vars, log) = load()?;
            telemetry::start(log.format, &log.filter);
            if let Err(error) = undumpable {
                tracing::warn!(%error, "core dumps can't be turned off, and would hold the secrets");
            }
            let files = SecretFiles::of(&vars);
            let config = config::serve(&vars)?;
            for remark in &config.remarks {
                tracing::warn!("{remark}");
            }
            serve::run(config, files, clock).await
        }
        Task::Link { service, schema, destination, json } => {
            let (vars, log) = load()?;
            telemetry::start(log.format, quiet(&log));
            link::run(config::link(&vars)?, &service, &schema, destination.as_deref(), json, clock).await
        }
        Task::Check { ready: true, address } => {
            let listens = || config::listen(&Vars::as_far_as_readable()).map(Into::into);
            check::ready::run(&address.map_or_else(listens, Ok)?).await
        }
        Task::Check { .. } => {
            let (vars, log) = load()?;
            log_if_asked(&log);
            check::run(&vars, &clock).await
        }
        Task::KeyPolicy { name } => {
            let (vars, log) = load()?;
            telemetry::start(log.format, quiet(&log));
            key_policy::run(&config::destinations(&vars)?, name.as_deref())
        }
        Task::Sandbox { gallery: true, .. } => gallery::run(),
        Task::Sandbox { once, port, open, real_fivetran, bot, .. } => {
            // The sandbox is the same in every folder, whatever its `.env` says.
            telemetry::start(LogFormat::Text, quiet(&config::log(&Vars::from_environment())));
            match once {
                _ if bot => sandbox::child::run().await,
                Some(typed) => sandbox::once(&typed).await,
                None => {
                    let real = if real_fivetran { Some(Vars::from_process()?) } else { None };
                    sandbox::run(&sandbox::Options { port, open }, real).await?
                }
            }
        }
        Task::Manifest { public_url, .. } => manifest::run(public_url.as_deref())?,
    })
}

fn load() -> Result<(Vars, LogConfig), Faults> {
    let vars = Vars::from_process()?;
    let log = config::log(&vars);
    Ok((vars, log))
}

/// What goes wrong, a dialogue or a list of checks itself says, so there the log is for whoever asks for it,
/// in a way that can be read.
fn log_if_asked(log: &LogConfig) {
    if log.filter != telemetry::LOG_FILTER && telemetry::is_filter(&log.filter) {
        telemetry::start(log.format, &log.filter);
    }
}

/// A person at a terminal wants the answer, and of the log only what went wrong.
fn quiet(log: &LogConfig) -> &str {
    if log.filter == telemetry::LOG_FILTER { "error" } else { &log.filter }
}
