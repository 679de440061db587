//! A stateful stand-in for Fivetran's REST API and its Connect Card page.
//!
//! Owns the running stand-in and what tests may ask of it. Must not know the bot's own client.

mod card;
mod catalogue;
mod connections;
mod keys;
pub mod lies;
mod limit;
mod names;
mod page;
mod refusal;
mod routes;
mod settings;
mod setup;
mod state;
pub mod tasks;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::card::Signer;
use self::catalogue::Service;
use self::connections::Shell;
use self::keys::{Access, Keys};
use self::lies::Lies;
use self::limit::Limit;
use self::state::State;
use crate::chaos::{self, Lasts, Partner};
use crate::clock::Clock;
use crate::fault::{self, Faults};
use crate::lock;
use crate::tape::{self, Beginning, Party, Tape};
use crate::wire::{self, Listening, Outcome, Request, pause};

/// The key that the stand-in knows.
pub const API_KEY: &str = "sandbox-key";
/// The secret that belongs to `API_KEY`.
pub const API_SECRET: &str = "sandbox-secret";
/// The one group that exists from the start; also its destination's id.
pub const GROUP_ID: &str = "sandbox_group";
/// The name of that group.
pub const GROUP_NAME: &str = "Sandbox Warehouse";

const CALLS_KEPT: usize = 200_000;

/// What an answer depends on besides the request.
pub(crate) struct Context<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) signer: &'a Signer,
    pub(crate) base: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) keys: &'a mut Keys,
    /// Who calls; `None` where the key is not known.
    pub(crate) access: Option<Access>,
}

/// One call as the stand-in saw it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The route's name, such as `create_connection`.
    pub route: &'static str,
    /// The HTTP method.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The raw query, empty when there is none.
    pub query: String,
    /// The `Accept` header, empty when absent.
    pub accept: String,
    /// The `User-Agent` header, empty when absent.
    pub user_agent: String,
    /// The `Content-Type` header, empty when absent.
    pub content_type: String,
    /// Whether the right key and secret came with it.
    pub authorized: bool,
    /// The JSON body; `Null` when there was none.
    pub body: Value,
    /// The status that the work came to, even if a fault kept it from the caller; 0 when a fault
    /// dropped the call before the work.
    pub status: u16,
    /// When the request had been read.
    pub at: Instant,
}

#[derive(Default)]
struct Log {
    calls: VecDeque<Call>,
    counts: HashMap<&'static str, usize>,
}

struct Inner {
    listening: Listening,
    base: String,
    signer: Signer,
    clock: Clock,
    state: Mutex<State>,
    log: Mutex<Log>,
    faults: Mutex<Faults>,
    latency: Mutex<Duration>,
    limit: Mutex<Limit>,
    creations: Mutex<Limit>,
    keys: Mutex<Keys>,
    tape: OnceLock<Tape>,
}

/// A running stand-in for Fivetran. Clones are the same stand-in.
#[derive(Clone)]
pub struct FivetranStandIn(Arc<Inner>);

impl FivetranStandIn {
    /// Starts on a free port of 127.0.0.1. `now` tells it the time.
    ///
    /// # Errors
    /// When no port can be bound.
    #[expect(clippy::unused_async, reason = "must be called inside a runtime")]
    pub async fn start(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Self> {
        let bound = wire::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let inner = Arc::new(Inner {
            base: format!("http://{}", bound.addr),
            listening: bound.handle(),
            signer: Signer::new(),
            clock: Clock::new(now),
            state: Mutex::new(State::new(GROUP_ID, GROUP_NAME)),
            log: Mutex::default(),
            faults: Mutex::default(),
            latency: Mutex::default(),
            limit: Mutex::default(),
            creations: Mutex::default(),
            keys: Mutex::new(Keys::new(API_KEY, API_SECRET)),
            tape: OnceLock::new(),
        });
        let served = Arc::clone(&inner);
        bound.serve(&inner.listening, move |request| handle(Arc::clone(&served), request));
        Ok(Self(inner))
    }

    /// The base address, without a trailing slash and without `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.base.clone()
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.listening.addr
    }

    /// Stops listening and closes every connection.
    pub fn shutdown(&self) {
        self.0.listening.shutdown();
    }

    /// Tapes what is asked of it from now on; the first tape is the only one.
    pub fn tape(&self, tape: &Tape) {
        let _ = self.0.tape.set(tape.clone());
    }

    /// The calls so far, oldest first; the newest 200,000 are kept.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.0.log).calls.iter().cloned().collect()
    }

    /// How many calls a route has had.
    #[must_use]
    pub fn calls_to(&self, route: &str) -> usize {
        lock(&self.0.log).counts.get(route).copied().unwrap_or_default()
    }

    /// Every connection, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<Value> {
        lock(&self.0.state).all()
    }

    /// One connection.
    #[must_use]
    pub fn connection(&self, id: &str) -> Option<Value> {
        lock(&self.0.state).get(id).ok()
    }

    /// Adds a connection to the first group as if it had been made elsewhere; gives its id.
    #[must_use]
    pub fn seed_connection(&self, service: &str, schema_name: &str, setup_state: &str) -> String {
        let seeded = Shell {
            service: service.to_owned(),
            group: GROUP_ID.to_owned(),
            schema: schema_name.to_owned(),
            setup_state: setup_state.to_owned(),
            at: self.0.clock.now(),
        };
        lock(&self.0.state).add(seeded)
    }

    /// Adds so many connections to a group, which there will be, as if they had been made elsewhere:
    /// `{schema_prefix}_0` and on. Gives their ids in this order.
    #[must_use]
    pub fn seed_connections(
        &self,
        group: &str,
        service: &str,
        schema_prefix: &str,
        setup_state: &str,
        count: usize,
    ) -> Vec<String> {
        let at = self.0.clock.now();
        let mut state = lock(&self.0.state);
        state.groups.entry(group.to_owned()).or_insert_with(|| group.to_owned());
        let mut seed = |n: usize| {
            state.add(Shell {
                service: service.to_owned(),
                group: group.to_owned(),
                schema: format!("{schema_prefix}_{n}"),
                setup_state: setup_state.to_owned(),
                at,
            })
        };
        (0..count).map(&mut seed).collect()
    }

    /// Sets `status.setup_state`: `incomplete`, `connected` or `broken`.
    pub fn set_setup_state(&self, id: &str, state: &str) {
        self.change(id, |connection| connection["status"]["setup_state"] = json!(state));
    }

    /// Sets `status.tasks`, each as JSON: `{code, message, details}`, or whatever shall stand there.
    pub fn set_tasks(&self, id: &str, tasks: Vec<Value>) {
        self.change(id, |connection| connection["status"]["tasks"] = json!(tasks));
    }

    /// The connection is broken from now on, with one task: its code, its label, and its details or
    /// none. A sync clears it only where [`tasks::clears`] says so.
    pub fn break_with(&self, id: &str, [code, message, details]: [&str; 3]) {
        self.set_setup_state(id, "broken");
        self.change(id, |connection| {
            connection["status"]["sync_state"] = json!("scheduled");
            connection["failed_at"] = json!(self.0.clock.now().to_string());
        });
        self.set_tasks(id, vec![tasks::task(code, message, details)]);
    }

    /// Sets `setup_tests`.
    pub fn set_setup_tests(&self, id: &str, tests: Value) {
        self.change(id, |connection| connection["setup_tests"] = tests);
    }

    /// Sets `paused`, as somebody does it in Fivetran's dashboard.
    pub fn set_paused(&self, id: &str, paused: bool) {
        self.change(id, |connection| state::pause(connection, paused));
    }

    /// The sync of a connection has ended, and it went well.
    pub fn end_sync(&self, id: &str) {
        let now = self.0.clock.now();
        self.change(id, |connection| tasks::end_sync(connection, now));
    }

    /// Does what the Connect Card's button does, without a browser.
    pub fn finish_setup(&self, id: &str) {
        self.change(id, state::connect);
    }

    /// Deletes a connection, as somebody does it in Fivetran's dashboard.
    pub fn delete(&self, id: &str) {
        let _ = lock(&self.0.state).delete(id);
    }

    /// Says from now on that there is no such connection, though there is: in every answer, or only
    /// by leaving it out of lists.
    pub fn deny(&self, id: &str, only_in_lists: bool) {
        self.lies(|lies| {
            lies.omit(id, lies::ALWAYS);
            if !only_in_lists {
                lies.deny(id, lies::ALWAYS);
            }
        });
    }

    /// Denies nothing any more.
    pub fn tell_the_truth(&self) {
        self.lies(Lies::end);
    }

    /// Every answer takes this long, half of it before the work.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.0.latency) = latency;
    }

    /// From now on a request under `/v1/` is refused with 429 if so many were granted in the hour
    /// before it, by the stand-in's clock. Until then 20,000 an hour are told of, and none is refused.
    pub fn set_hourly_limit(&self, requests: u64) {
        lock(&self.0.limit).set(requests);
    }

    /// From now on a creation is refused with 429 if so many connections were asked for in the time before
    /// it, by the stand-in's clock, as Fivetran does with more than 20 a minute. Until then none is refused.
    pub fn set_creation_limit(&self, creations: u64, within: Duration) {
        let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
        lock(&self.0.creations).set_within(creations, within);
    }

    /// Somebody else makes so many requests with the same account.
    pub fn spend(&self, requests: usize) {
        lock(&self.0.limit).spend(requests, self.0.clock.now());
    }

    /// How many requests were granted in the hour before now, by the stand-in's clock.
    #[must_use]
    pub fn spent(&self) -> usize {
        lock(&self.0.limit).spent(self.0.clock.now())
    }

    /// The status of a create whose schema name is taken: 409 by default, or 400.
    pub fn set_duplicate_answer(&self, status: u16) {
        lock(&self.0.state).duplicate_status = status;
    }

    /// Adds a service to the catalogue, or renames it.
    pub fn list_service(&self, id: &str, name: &str) {
        let mut state = lock(&self.0.state);
        match state.services.iter_mut().find(|service| service.id == id) {
            Some(service) => name.clone_into(&mut service.name),
            None => state.services.push(Service::new(id, name)),
        }
    }

    /// Lets another user's key in, of this account or of another one.
    pub fn add_user_key(&self, key: &str, secret: &str, of_this_account: bool) {
        let access = if of_this_account { Access::User } else { Access::Stranger };
        lock(&self.0.keys).add(key, secret, access, None);
    }

    /// Makes a system key as `POST /v1/system-keys` does with this body; gives its key and secret.
    ///
    /// # Errors
    /// What Fivetran says of a body that it does not take.
    pub fn create_system_key(&self, body: &Value) -> Result<(String, String), String> {
        let made = lock(&self.0.keys).create(body, self.0.clock.now());
        let made = made.map_err(|refusal| refusal.message)?;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Ok((text("key"), text("secret")))
    }

    /// Rejects this key from now on.
    pub fn revoke_key(&self, key: &str, secret: &str) {
        lock(&self.0.keys).revoke(key, secret);
    }

    /// Lets a system key ask about itself, which Fivetran's documentation keeps to users' keys.
    pub fn show_system_keys_to_themselves(&self) {
        lock(&self.0.keys).show_themselves = true;
    }

    /// Adds a group with its destination.
    pub fn add_group(&self, id: &str, name: &str) {
        lock(&self.0.state).groups.insert(id.to_owned(), name.to_owned());
    }

    /// Pushes the stand-in's clock forward: new tokens, their expiry, `created_at`.
    pub fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    /// Arranges or ends lies.
    pub fn lies<R>(&self, arrange: impl FnOnce(&mut Lies) -> R) -> R {
        arrange(&mut lock(&self.0.state).lies)
    }

    /// Arranges or ends faults.
    pub fn faults<R>(&self, arrange: impl FnOnce(&mut Faults) -> R) -> R {
        arrange(&mut lock(&self.0.faults))
    }

    /// Behaves as the row of this name says.
    ///
    /// # Panics
    ///
    /// If Fivetran has no behaviour of this name.
    pub fn chaos(&self, name: &str, lasts: Lasts) {
        self.faults(|faults| chaos::befall(faults, Partner::Fivetran, name, lasts));
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        // An unknown id is a test's own mistake and shows in what it asserts next.
        let _ = lock(&self.0.state).change(id, change);
    }
}

async fn handle(inner: Arc<Inner>, request: Request) -> Outcome {
    let at = Instant::now();
    let latency = *lock(&inner.latency);
    let route = routes::name(request.method.as_str(), &request.path, &request.query);
    let fault = lock(&inner.faults).meet(route, &request);
    let by_browser = !request.path.starts_with("/v1/") && request.path != "/public/connector-types";
    let taped = inner.tape.get().map(|tape| {
        let (from, request_body) = match by_browser {
            true => (Party::Browser, tape::form(&request.body)),
            false => (Party::Bot, tape::body(&request.body)),
        };
        let label = request.label();
        tape.begin(Beginning {
            from,
            to: Party::Fivetran,
            label,
            at: inner.clock.now(),
            request: request_body,
        })
    });
    let taped = taped.map(|taped| if latency.is_zero() { taped } else { taped.faulty() });
    let is_step = !by_browser && matches!(request.method.as_str(), "POST" | "PATCH" | "DELETE");
    pause(latency / 2).await;
    let now = inner.clock.now();
    let access = lock(&inner.keys).access(request.header("authorization"), now);
    let authorized = access.is_some();
    let verdict = request.path.starts_with("/v1/").then(|| lock(&inner.limit).ask(now));
    let is_creation = request.method == "POST" && request.path == "/v1/connections";
    let answer = fault::work_unless(fault.as_ref(), routes::refusal_body, || {
        if let Some(refused) = verdict.as_ref().and_then(limit::Verdict::refusal) {
            return refused;
        }
        if is_creation {
            let creations = lock(&inner.creations).ask(now);
            if creations.retry_after.is_some() {
                return limit::too_many_creations(creations.limit);
            }
        }
        let context = Context {
            state: &mut lock(&inner.state),
            keys: &mut lock(&inner.keys),
            signer: &inner.signer,
            base: &inner.base,
            now,
            access,
        };
        routes::answer(&request, context)
    });
    // By the same clock as everything that it tells of.
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = answer.map(|answer| answer.with("date", date)).map(|answer| match &verdict {
        Some(verdict) => answer
            .with("x-rate-limit", verdict.limit.to_string())
            .with("x-rate-limit-remaining", verdict.remaining.to_string()),
        None => answer,
    });
    let status = answer.as_ref().map_or(0, |answer| answer.status);
    inner.record(Call {
        route,
        method: request.method.to_string(),
        accept: request.header("accept").to_owned(),
        user_agent: request.header("user-agent").to_owned(),
        content_type: request.header("content-type").to_owned(),
        authorized,
        body: request.json().unwrap_or_default(),
        path: request.path,
        query: request.query,
        status,
        at,
    });
    if let Some(taped) = &taped {
        taped.pass(is_step && fault.is_none()).await;
    }
    pause(latency / 2).await;
    fault::deliver(fault, answer, taped).await
}

impl Inner {
    fn record(&self, call: Call) {
        let mut log = lock(&self.log);
        *log.counts.entry(call.route).or_default() += 1;
        if log.calls.len() == CALLS_KEPT {
            log.calls.pop_front();
        }
        log.calls.push_back(call);
    }
}

#[cfg(test)]
mod tests;
