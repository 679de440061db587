//! `connect-card sandbox --bot`: the bot of a sandbox, in a process of its own, so that it can be killed.
//!
//! Owns the words that it exchanges with the sandbox over its standard input and output; `bot` is the
//! other end. It is the bot of `serve` with a clock that can be moved. Its variables come over the pipe,
//! since others could read them on a command line.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::app::{self, App};
use crate::cli::{self, Exit};
use crate::clock::Clock;
use crate::config::{self, Vars};

/// What the sandbox says, one JSON value a line. The first is always `Start`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// The bot starts.
    Start {
        /// Its variables.
        vars: Vec<(String, String)>,
        /// Where it listens on loopback; 0 for any.
        port: u16,
        /// How far its clock is ahead, in milliseconds.
        ahead_ms: u64,
    },
    /// Its clock moves ahead by so many milliseconds.
    Advance(u64),
    /// Is a command still open?
    IsOpen,
}

/// What the bot says, the same way. Each order has one answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// It listens at this port.
    Ready(u16),
    /// It does not start, for this reason.
    Failed(String),
    /// It is done.
    Done,
    /// Whether a command is still open, or a message not as it should be.
    Open(bool),
}

/// Runs the bot until the sandbox closes the pipe, or is gone.
pub async fn run() -> Exit {
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let Ok(Some(Order::Start { vars, port, ahead_ms })) = next(&mut orders).await else {
        cli::remark("connect-card sandbox starts this; it is of no use alone");
        return Exit::Usage;
    };
    let clock = Clock::default();
    clock.advance(Duration::from_millis(ahead_ms));
    let app = match start(&vars, port, clock.clone()).await {
        Ok(app) => app,
        Err(error) => {
            say(&Word::Failed(error.to_string()));
            return Exit::Failed;
        }
    };
    say(&Word::Ready(app.address.port()));
    loop {
        let order = tokio::select! {
            order = next(&mut orders) => order,
            () = app.failed.cancelled() => return Exit::Failed,
        };
        match order {
            Ok(Some(Order::Advance(ms))) => {
                clock.advance(Duration::from_millis(ms));
                say(&Word::Done);
            }
            Ok(Some(Order::IsOpen)) => {
                // The database is the only one who knows.
                let census = app.store.census(clock.now()).await;
                let is_open = census.is_ok_and(|census| census.oldest_open.is_some() || census.behind > 0);
                say(&Word::Open(is_open));
            }
            Ok(Some(Order::Start { .. })) | Err(_) => return Exit::Failed,
            Ok(None) => break,
        }
    }
    app.stop().await;
    Exit::Well
}

async fn start(
    vars: &[(String, String)],
    port: u16,
    clock: Clock,
) -> Result<App, Box<dyn std::error::Error>> {
    let listener = app::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "PORT")?;
    let vars = Vars::from_pairs(vars.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let app = App::start(config::serve(&vars)?, listener, clock).await?;
    // What can be typed is the same from the first command on.
    app.catalog.after_first_fetch().await;
    Ok(app)
}

async fn next(orders: &mut Lines<BufReader<Stdin>>) -> io::Result<Option<Order>> {
    match orders.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}

fn say(word: &Word) {
    if let Ok(word) = serde_json::to_string(word) {
        let _ = cli::print(&format!("{word}\n"));
    }
}
