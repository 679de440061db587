//! `connect-card link`: the same engine as the bot's, for a shell.
//!
//! Owns what a shell sees: the link alone on standard output, every remark on standard error.
//! Decides nothing about Fivetran; that is [`crate::journal`]'s and [`crate::command::connect`]'s.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::app::fetch_catalog;
use crate::cli::{self, Exit, remark};
use crate::clock::Clock;
use crate::command::{self, UsageError, Vocabulary, connect};
use crate::config::{Destinations, LinkConfig, NO_DEFAULTS};
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::model::ConnectCard;
use crate::journal::{Failure, Finished, First, Journal, Outcome, Problem, Progress, Step, Terms};
use crate::{outbound, reply};

/// How long a person at a shell is kept waiting for Fivetran to come back.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same while no request has reached it at all.
const PATIENCE_UNREACHED: Duration = Duration::from_secs(10);
/// What stands before the arguments in an example.
const COMMAND: &str = "connect-card link";

/// A link, and what is to be said about it.
struct Made {
    card: ConnectCard,
    connection: String,
    existed: bool,
}

/// Why there is no link.
enum Trouble {
    Problem(Problem),
    /// No request has ever reached Fivetran.
    Unreachable,
}

/// Makes one link and prints it.
pub async fn run(
    config: LinkConfig,
    service: &str,
    schema: &str,
    destination: Option<&str>,
    json: bool,
    clock: Clock,
) -> Exit {
    let Ok(http) = outbound::client(config.https_proxy.as_ref()) else {
        remark("no HTTP client: the system's root certificates cannot be read; install ca-certificates");
        return Exit::Failed;
    };
    let api_url = config.fivetran.api_url.clone();
    let fivetran = Fivetran::new(http, config.fivetran);
    let request = match resolve(service, schema, destination, &config.destinations, &fivetran).await {
        Ok(request) => request,
        Err(error) => {
            remark(&reply::usage_sentence(&error, COMMAND));
            return Exit::Usage;
        }
    };
    if let Some(retired) = &request.retired {
        remark(&format!("{retired} is called {} now; using that", request.service));
    }
    let redirect_uri = config.landing.uri("link");
    match make(&request, &redirect_uri, &fivetran, &clock).await {
        Ok(made) => {
            if made.existed {
                remark(
                    "the connection already existed; this is a fresh link for it (whoever uses it signs in again)",
                );
            }
            print(&request, &made, json, &clock)
        }
        Err(Trouble::Problem(problem)) => {
            remark(&reply::problem_sentence(&problem, &request));
            Exit::Failed
        }
        Err(Trouble::Unreachable) => {
            remark(&reply::unreachable(&api_url));
            Exit::Failed
        }
    }
}

/// Reads the arguments by the built-in table; asks Fivetran's own only for a name that is not in
/// it, since that costs the person a second.
async fn resolve(
    service: &str,
    schema: &str,
    destination: Option<&str>,
    destinations: &Destinations,
    fivetran: &Fivetran,
) -> Result<connect::Request, UsageError> {
    let built_in = Catalog::built_in();
    let catalog = if built_in.get(service).is_some() { None } else { fetch_catalog(fivetran).await };
    let catalog = catalog.as_ref().unwrap_or(&built_in);
    let vocabulary = Vocabulary { slash: COMMAND, catalog, destinations, channel: &NO_DEFAULTS };
    command::parse_arguments(service, schema, destination, &vocabulary)
}

async fn make(
    request: &connect::Request,
    redirect_uri: &str,
    fivetran: &Fivetran,
    clock: &Clock,
) -> Result<Made, Trouble> {
    let began = clock.now();
    let spread = began.as_nanosecond().unsigned_abs() as u64;
    let terms = Terms {
        accepted_at: began,
        web_api: false,
        first: First::Create,
        finished: Finished::Relink,
        spread,
    };
    let mut journal = Journal::new(terms, Progress::default());
    let (mut card, mut outcome, mut waited) = (None, Outcome::Accepted, Duration::ZERO);
    let (mut reached, began_waiting) = (false, Instant::now());
    loop {
        let step = journal.next(outcome, clock.now());
        outcome = match step {
            Step::Post | Step::End | Step::Tell => break,
            Step::Wait(pause) => {
                waited += pause;
                if !reached && began_waiting.elapsed() + pause > PATIENCE_UNREACHED {
                    return Err(Trouble::Unreachable);
                }
                if waited > PATIENCE {
                    return Err(Trouble::Problem(Problem::NoAnswer));
                }
                remark(&format!(
                    "Fivetran is busy or not answering; trying again in {} s",
                    pause.as_secs().max(1)
                ));
                tokio::time::sleep(pause).await;
                Outcome::Woken
            }
            step => {
                let connection = journal.progress.connection.clone();
                let outcome = connect::perform(
                    &step,
                    request,
                    connection.as_deref(),
                    redirect_uri,
                    fivetran,
                    None,
                    &mut card,
                )
                .await;
                reached |= !matches!(outcome, Outcome::Failed(Failure::NotSent));
                outcome
            }
        };
    }
    match (card, journal.progress.connection) {
        (Some(card), Some(connection)) if journal.progress.problem.is_none() => {
            Ok(Made { card, connection, existed: journal.progress.existed })
        }
        _ => Err(Trouble::Problem(journal.progress.problem.unwrap_or(Problem::NoAnswer))),
    }
}

fn print(request: &connect::Request, made: &Made, as_json: bool, clock: &Clock) -> Exit {
    if !as_json {
        return cli::print(&format!("{}\n", made.card.link()));
    }
    let object = json!({
        "link": made.card.link(),
        "expires_at": made.card.expires_at(clock.now()).to_string(),
        "connection_id": made.connection,
        "service": request.service,
        "schema": request.target.connection_name(),
        "group_id": request.group_id,
        "existed": made.existed,
    });
    cli::print(&format!("{object}\n"))
}
