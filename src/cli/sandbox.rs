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

use self::relay::Relay;
use self::stage::{Fivetran, Stage};
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
    let exit = Terminal::before(&stage).once(typed).await;
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
    let stage = match Stage::start(real.as_ref()).await {
        Ok(stage) => Arc::new(stage),
        Err(error) => return Ok(failed(&*error)),
    };
    let exit = match page::serve(&stage, options.port).await {
        Ok(page) => {
            if options.open {
                open(&page.url);
            }
            let exit = Terminal::before(&stage).converse(keyboard, &page.url).await;
            page.stop();
            exit
        }
        Err(error) => failed(&*error),
    };
    if let Fivetran::Real(relay) = &stage.fivetran {
        say_what_is_left(relay);
    }
    stage.stop().await;
    Ok(exit)
}

const WARNING: &str = "\
This drives your real Fivetran account with the FIVETRAN_* variables. Each link that you make creates a
real connection there, and a real customer could use it. Slack is simulated. At the end you are told what
was created and how to delete it. Type yes to go on:";

/// Tells what was created at the real Fivetran, with a line that deletes it.
fn say_what_is_left(relay: &Relay) {
    let created = relay.created();
    if created.is_empty() {
        let _ = cli::print("Nothing that was created at Fivetran is left.\n");
        return;
    }
    let mut text = "Created at Fivetran and still there; each line deletes one:\n".to_owned();
    for relay::Created { id, service, schema } in created {
        text.push_str(&format!(
            "    # {service} {schema}\n    curl -X DELETE -u \"$FIVETRAN_API_KEY:$FIVETRAN_API_SECRET\" {}/v1/connections/{id}\n",
            relay.address()
        ));
    }
    let _ = cli::print(&text);
}

fn failed(error: &dyn std::error::Error) -> Exit {
    cli::remark(&format!("the sandbox could not start: {error}"));
    Exit::Failed
}

/// Opens an address in the browser of this system; whoever has none reads it in the terminal.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = std::process::Command::new(program)
        .arg(url)
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
    stage::slack_vars(slack).into_iter().chain(stage::fivetran_vars(fivetran))
}
