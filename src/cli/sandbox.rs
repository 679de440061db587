//! `connect-card sandbox`: the real bot against stand-ins for Slack and Fivetran, on loopback and
//! without any account, in a browser and in the terminal.
//!
//! Owns what can be asked of it and the order in which it starts and stops. The stand-ins are a crate of
//! their own, which the tests use too.

mod bot;
pub mod child;
mod events;
mod faults;
mod mask;
mod page;
mod relay;
mod stage;
mod terminal;
mod world;

use std::io;
use std::sync::Arc;

use stand_ins::fivetran::FivetranStandIn;
use stand_ins::slack::SlackStandIn;

use self::relay::{Made, Relay};
use self::stage::{Fivetran, Secrets, Stage};
use self::terminal::Terminal;
use crate::cli::{self, Exit};
use crate::clock::Clock;
use crate::config::{Faults, Vars};

/// What can be tried.
const EXAMPLE: &str = "/connect-card adwords customer_schema";

/// What was asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// The port of the page; 0 for any.
    pub port: u16,
    /// Whether to open the page in the browser of this system.
    pub open: bool,
}

/// Sends one command and shows what came of it.
pub async fn once(typed: &str) -> Exit {
    let typed = typed.trim();
    if !typed.starts_with('/') {
        cli::remark(&format!("A slash command starts with a slash: connect-card sandbox --once '{EXAMPLE}'"));
        return Exit::Usage;
    }
    let stage = match Stage::start(None).await {
        Ok(stage) => stage,
        Err(error) => return failed(&*error),
    };
    let terminal = Terminal::before(&stage);
    let exit = tokio::select! {
        exit = terminal.once(typed) => exit,
        () = terminal::interrupted() => Exit::Failed,
    };
    stage.stop().await;
    exit
}

/// Lets a person play, in the terminal and on the page; with the variables of a real Fivetran, with
/// that.
///
/// # Errors
/// What is wrong with those variables.
pub async fn run(options: &Options, real: Option<Vars>) -> Result<Exit, Faults> {
    let mut keyboard = terminal::keyboard();
    if let Some(vars) = &real {
        crate::config::link(vars)?;
        cli::remark(WARNING);
        let answer = keyboard.next_line().await.ok().flatten();
        if answer.is_none_or(|answer| answer.trim() != "yes") {
            cli::remark("Nothing was done.");
            return Ok(Exit::Failed);
        }
    }
    let listener = match page::listen(options.port) {
        Ok(listener) => listener,
        Err(error) => return Ok(failed(&error)),
    };
    let stage = tokio::select! {
        stage = Stage::start(real.as_ref()) => stage,
        () = terminal::interrupted() => return Ok(Exit::Failed),
    };
    let stage = match stage {
        Ok(stage) => Arc::new(stage),
        Err(error) => return Ok(failed(&*error)),
    };
    let exit = match page::serve(&stage, listener) {
        Ok(page) => {
            if options.open {
                open(&stage, &page.url);
            }
            let exit = Terminal::before(&stage).converse(keyboard, &page.url).await;
            page.stop();
            exit
        }
        Err(error) => failed(&error),
    };
    stage.stop().await;
    // What the bot had in hand it has finished, or left.
    if let Fivetran::Real(relay) = &stage.fivetran {
        say_what_is_left(relay);
    }
    Ok(exit)
}

const WARNING: &str = "\
This drives your real Fivetran account with the FIVETRAN_* variables; only Slack is simulated. A link
creates a real connection, or reaches one of that name that is there already; cancel deletes one that
nobody has finished, and the button \"Sync now\" starts a real sync. The page shows what Fivetran answers, without
secrets. At the end you are told what was created and how to delete it. Type yes to go on:";

/// Tells what was created at the real Fivetran, with a line that deletes it.
fn say_what_is_left(relay: &Relay) {
    let mut text = String::new();
    for Made { service, name, id } in relay.made() {
        match id {
            Some(id) => text.push_str(&format!(
                "    # {service} {name}\n    curl -X DELETE -u KEY:SECRET {}/v1/connections/{id}\n",
                relay.address()
            )),
            None => text.push_str(&format!(
                "    # {service} {name}: Fivetran's answer was lost; look in its dashboard whether it is there\n"
            )),
        }
    }
    let _ = cli::print(&match text.as_str() {
        "" => "Nothing that was created at Fivetran is left.\n".to_owned(),
        _ => format!("Created at Fivetran. Each line deletes one, with your key:\n{text}"),
    });
}

fn failed(error: &dyn std::error::Error) -> Exit {
    cli::remark(&format!("the sandbox could not start: {error}"));
    Exit::Failed
}

/// Opens the page in the browser of this system, by a file that only this user can read: a command line
/// everybody can. Whoever has no browser reads the address in the terminal.
fn open(stage: &Stage, url: &str) {
    let file = stage.file("open.html");
    let html = format!(
        "<!doctype html><title>connect-card sandbox</title><meta http-equiv=refresh content=\"0;url={url}\">"
    );
    if std::fs::write(&file, html).is_err() {
        return cli::remark("the page could not be opened; open the address yourself");
    }
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = std::process::Command::new(program)
        .arg(file)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if opened.is_err() {
        cli::remark(&format!("there is no {program} to open a browser with; open the address yourself"));
    }
}

/// Starts both outside parties, by the real time; with `client`, Slack calls the bot.
///
/// # Errors
/// When no port can be bound.
pub async fn stand_ins(client: reqwest::Client) -> io::Result<(SlackStandIn, FivetranStandIn)> {
    let clock = Clock::default();
    let now = move || clock.now();
    Ok((SlackStandIn::start(now.clone(), client).await?, FivetranStandIn::start(now).await?))
}

/// The variables that lead a bot to these stand-ins instead of to Slack and Fivetran.
pub fn stand_in_vars(
    slack: &SlackStandIn,
    fivetran: &FivetranStandIn,
) -> impl Iterator<Item = (&'static str, String)> {
    stage::slack_vars(slack, &Secrets::default()).into_iter().chain(stage::fivetran_vars(fivetran))
}
