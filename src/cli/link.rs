//! `connect-card link`: the same engine as the bot's, for a shell.
//!
//! Owns what a shell sees: the link alone on standard output, every remark on standard error.
//! Decides nothing about Fivetran; that is [`crate::journal`]'s.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::reach::Partner;
use super::{Exit, print, remark};
use crate::clock::Clock;
use crate::command::bundle::NO_BUNDLES;
use crate::command::places::{Destinations, NO_DEFAULTS};
use crate::command::surface::Surface;
use crate::command::{self, UsageError, Vocabulary};
use crate::config::LinkConfig;
use crate::current::Current;
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::live::fetch_catalog;
use crate::fivetran::model::ConnectCard;
use crate::journal::{
    Act, Company, Failure, GRACE, Journal, Message, Notice, Outcome, Problem, Progress, Step, Terms, Turn,
    Waiting, WaitsFor,
};
use crate::outbound::{self, Obstacle};
use crate::provision::{self, Provision};
use crate::reply;
use crate::work::{Intent, Request, Work};

/// How long a person at a shell is kept waiting in all, calls included: for the longest creation, and
/// then for what may yet come of it ([`GRACE`]), and some for the looks. Only a call that is under way
/// then is waited for beyond it.
const PATIENCE: Duration = Duration::from_secs(150);
/// The same while no request has reached it at all.
const PATIENCE_UNREACHED: Duration = Duration::from_secs(10);
/// How long Fivetran's catalogue is waited for where the built-in one would do. It has a megabyte.
const CATALOGUE_PATIENCE: Duration = Duration::from_secs(3);
/// The last part of the address at which the customer of such a link lands.
const LANDING: &str = "link";
/// What stands before the arguments in an example.
const COMMAND: Surface<'_> = Surface::Shell("connect-card link");

/// A link, and what is to be said about it.
struct Made {
    card: ConnectCard,
    connection: String,
    existed: bool,
}

/// Why there is no link.
enum Trouble {
    Notice(Notice),
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
    let Ok(http) = outbound::client(&config.network) else {
        remark(&format!("no HTTP client: {}", outbound::without_client(&config.network)));
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
        remark(&format!("{retired} is now called {}; using that", request.service));
    }
    let provision = Provision::new(fivetran, config.landing).with_defaults(Current::new(config.services));
    match make(&request, &provision, &clock).await {
        Ok(made) => {
            if made.existed {
                remark(
                    "the connection already existed; this is a fresh link for it (if it was connected, signing in replaces the earlier sign-in)",
                );
            }
            show(&request, &made, json, &clock)
        }
        Err(Trouble::Notice(notice)) => {
            let sentence = reply::notice_sentence(&notice, &Work::Connect(request));
            let partner = Partner::fivetran(&api_url);
            let first = in_the_way(&notice).and_then(|obstacle| partner.about_the_address(Some(obstacle)));
            remark(&first.map(|first| format!("{sentence} Here, {first}.")).unwrap_or(sentence));
            Exit::Failed
        }
        Err(Trouble::Unreachable) => {
            remark(&reply::unreachable(&api_url, &Partner::fivetran(&api_url).advice(None)));
            Exit::Failed
        }
    }
}

/// Reads the arguments by Fivetran's own table, which knows more than the built-in one: what is newer, and
/// what a link cannot set up. For a name that the built-in one has, it is not waited for without end.
async fn resolve(
    service: &str,
    schema: &str,
    destination: Option<&str>,
    destinations: &Destinations,
    fivetran: &Fivetran,
) -> Result<Request, UsageError> {
    let built_in = Catalog::built_in();
    let catalog = match built_in.get(service) {
        Some(_) => tokio::time::timeout(CATALOGUE_PATIENCE, fetch_catalog(fivetran)).await.ok().flatten(),
        None => fetch_catalog(fivetran).await,
    };
    let catalog = catalog.as_ref().unwrap_or(&built_in);
    let vocabulary =
        Vocabulary { slash: COMMAND, catalog, destinations, channel: &NO_DEFAULTS, bundles: &NO_BUNDLES };
    command::parse_arguments(service, schema, destination, &vocabulary)
}

async fn make(request: &Request, provision: &Provision, clock: &Clock) -> Result<Made, Trouble> {
    let accepted_at = clock.now();
    let spread = accepted_at.as_nanosecond().unsigned_abs() as u64;
    let terms = Terms {
        accepted_at,
        web_api: false,
        intent: Intent::Print,
        for_few: false,
        joins: false,
        grace: GRACE,
        spread,
    };
    let mut journal = Journal::new(terms, Progress::default());
    let mut outcome = Outcome::Accepted;
    let (mut reached, began) = (false, Instant::now());
    loop {
        // Nothing is recorded: a person at a shell sees whether it worked.
        let Turn { act, .. } = journal.next(outcome, clock.moment());
        outcome = match act {
            Act::Provision(step) => {
                let outcome = take_aloud(&step, request, provision, &mut journal, clock).await;
                reached |= !matches!(outcome, Outcome::Failed(Failure::NotSent));
                outcome
            }
            // Whoever has the shell has the link, and nobody else.
            Act::Company => Outcome::Company(Company::Few),
            Act::Note(waiting) => {
                // Where nobody was reached, it is given up by now.
                if reached {
                    say_what_it_waits_for(&waiting);
                }
                Outcome::Noted
            }
            Act::Rest(pause) | Act::Stay(pause) => {
                if !reached && began.elapsed() + pause > PATIENCE_UNREACHED {
                    return Err(Trouble::Unreachable);
                }
                if began.elapsed() + pause > PATIENCE {
                    return Err(Trouble::Notice(journal.in_vain().into()));
                }
                let why = reply::waits_for(journal.waits_for().unwrap_or(WaitsFor::Unknown));
                remark(&format!("{why}; trying again in {} s", pause.as_secs().max(1)));
                tokio::time::sleep(pause).await;
                Outcome::Woken
            }
            Act::Deliver(Message::Link { connection, existed, card, .. }) => {
                return Ok(Made { card, connection, existed });
            }
            Act::Deliver(Message::Notice(notice)) => return Err(Trouble::Notice(notice)),
            // The machine slept through the deadline.
            Act::End(_) => {
                let notice = journal.progress().stage.notice().cloned();
                return Err(Trouble::Notice(notice.unwrap_or_else(|| journal.in_vain().into())));
            }
        };
    }
}

/// What stood between here and Fivetran, if that is why there is no link.
fn in_the_way(notice: &Notice) -> Option<Obstacle> {
    let mut problem = if let Notice::Problem(problem) = notice { problem } else { return None };
    while let Problem::Unsure { why } = problem {
        problem = why;
    }
    if let Problem::Blocked(obstacle) = problem { Some(*obstacle) } else { None }
}

/// Takes a step. If it is still under way when the person has waited for long, they are told.
async fn take_aloud(
    step: &Step,
    request: &Request,
    provision: &Provision,
    journal: &mut Journal<ConnectCard>,
    clock: &Clock,
) -> provision::Outcome {
    let slow = if *step == Step::Create { WaitsFor::Creation } else { WaitsFor::Answer };
    let mut taken = pin!(take(step, request, provision));
    if let Some(due) = journal.note_due() {
        let left = Duration::try_from(due.duration_since(clock.now())).unwrap_or_default();
        if let Ok(outcome) = tokio::time::timeout(left, &mut taken).await {
            return outcome;
        }
        if let Some((_, waiting)) = journal.note(slow, clock.moment()) {
            say_what_it_waits_for(&waiting);
        }
    }
    taken.await
}

fn say_what_it_waits_for(waiting: &Waiting) {
    remark(&format!(
        "still waiting: {}. I'll go on for about {} s in all; there's nothing to repeat",
        reply::waits_for(waiting.waits_for),
        PATIENCE.as_secs()
    ));
}

async fn take(step: &Step, request: &Request, provision: &Provision) -> provision::Outcome {
    match step {
        Step::Create => match provision.kind(request).await {
            Ok(kind) => provision.create(request, kind, LANDING).await,
            Err(failure) => Outcome::Failed(failure),
        },
        Step::Look => provision.look(request).await.map_or_else(Outcome::Failed, Outcome::Found),
        Step::Mint { connection } => provision.mint(request, connection, LANDING).await,
        // Nothing is ever deleted from here, whatever the journal asks for.
        Step::Cancel { .. } => Outcome::NotCancelled,
        // Nor synced.
        Step::Sync { .. } => Outcome::Vanished,
    }
}

fn show(request: &Request, made: &Made, as_json: bool, clock: &Clock) -> Exit {
    if !as_json {
        return print(&format!("{}\n", made.card.expose_link()));
    }
    let object = json!({
        "link": made.card.expose_link(),
        "expires_at": made.card.expires_at(clock.now()).to_string(),
        "connection_id": made.connection,
        "service": request.service,
        "schema": request.target.connection_name(),
        "group_id": request.group_id,
        "existed": made.existed,
    });
    print(&format!("{object}\n"))
}
