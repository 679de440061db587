//! The configuration: the only reader of the environment.
//!
//! Owns the names of the variables and reports all faults at once; `reader` reads the variables,
//! `slack` and `keys` those of the partners, `single` some alone, `dotenv` the file `.env`, `file` the
//! file that one of them names, and `text` any file. `env_file` writes `.env`.
//! What they are read into belongs to whoever is configured. Must not know what a value is used for.
//! A fault names the variable and what to do; it never repeats the value, which may be a secret in
//! the wrong place.

mod dotenv;
pub mod env_file;
mod file;
mod files;
mod halves;
mod keys;
mod names;
mod reader;
pub mod single;
mod slack;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use crate::command::bundle::Bundles;
use crate::command::places::{Channels, Destinations};
use crate::digest::Plan;
use crate::fivetran::FivetranConfig;
use crate::fivetran::defaults::ServiceDefaults;
use crate::outbound::Network;
use crate::permission::Permissions;
use crate::provision::Landing;
use crate::reply::Audience;
use crate::server::ServerConfig;
use crate::server::allowance::Limits;
use crate::slack::SlackConfig;
use crate::store::DatabaseUrl;
use crate::telemetry::{LOG_FILTER, LogConfig, LogFormat};
pub use files::SecretFiles;
use reader::{Places, PlainHttp, Reader};

/// Where the variables come from: the process environment, behind it the `.env` file.
#[derive(Default)]
pub struct Vars(HashMap<String, String>);

impl Vars {
    /// The process environment and, for what it does not set, `.env` of the working folder.
    ///
    /// # Errors
    /// Every fault of a `.env` file that cannot be read, or not be taken as it is written.
    pub fn from_process() -> Result<Self, Faults> {
        let mut vars = Self::default();
        match std::fs::read(".env") {
            Ok(bytes) => {
                let (pairs, faults) = dotenv::read(&bytes);
                if !faults.is_empty() {
                    return Err(Faults(faults));
                }
                vars = Self(pairs.into_iter().collect());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => {
                let problem = "cannot be read".to_owned();
                let remedy = "it must be a file that this user may read".to_owned();
                return Err(Faults(vec![Fault { variable: ".env".to_owned(), problem, remedy }]));
            }
        }
        Ok(Self::from_environment().before(vars))
    }

    /// The same, passing over what of `.env` is faulty: whether a bot runs well does not depend on what
    /// somebody writes there meanwhile.
    #[must_use]
    pub fn as_far_as_readable() -> Self {
        let bytes = std::fs::read(".env").unwrap_or_default();
        Self::from_environment().before(Self(dotenv::read(&bytes).0.into_iter().collect()))
    }

    /// These, and for what they do not set, others. A proxy's variable has two spellings: one that is
    /// set in either is not taken from the others in the other.
    fn before(self, mut others: Self) -> Self {
        for name in names::PROXIES {
            if self.in_either_case(name).is_some() {
                others.0.remove(name);
                others.0.remove(&name.to_ascii_lowercase());
            }
        }
        others.0.extend(self.0);
        others
    }

    /// The process environment alone.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    pub fn from_environment() -> Self {
        Self::from_system(std::env::vars_os())
    }

    /// Variables as the system hands them over.
    fn from_system(vars: impl Iterator<Item = (OsString, OsString)>) -> Self {
        // A name that is not UTF-8 is none of ours. A value that is not keeps the mark of it, so that
        // it can be refused: if it were left out, an allow-list would let everybody in.
        let readable = vars.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        // An empty one is unset, so it takes nothing away from `.env` either. What reads a file of
        // variables into an environment may leave the mark before its first line in a name.
        let named = readable.map(|(name, value)| (name.trim_start_matches('\u{FEFF}').to_owned(), value));
        Self(named.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// Variables given one by one, for tests and for the sandbox.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// These, with other values in the place of some; an empty one unsets.
    #[must_use]
    pub fn with<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut vars = self.0.clone();
        vars.extend(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self(vars)
    }

    /// Whether a variable is set, or the one that names a file for it.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).or_else(|| self.get(&format!("{name}_FILE"))).is_some()
    }

    /// Fivetran's own variables and the file `CONFIG`, and nothing of the way there.
    #[must_use]
    pub fn of_fivetran(&self) -> Vec<(String, String)> {
        let pairs = self.0.iter().filter(|(name, _)| name.starts_with("FIVETRAN_") || *name == "CONFIG");
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether a fault is one of the file that `CONFIG` names. Its name stands before the key then.
    #[must_use]
    pub fn is_of_file(&self, fault: &Fault) -> bool {
        let key = self.get("CONFIG").and_then(|name| fault.variable.strip_prefix(name));
        key.is_some_and(|key| key.starts_with(": "))
    }

    /// A variable's value; an empty or blank one counts as unset.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A variable whose name many programs take in small letters as well, which win, as for curl;
    /// the name first.
    fn in_either_case(&self, name: &str) -> Option<(String, &str)> {
        let names = [name.to_ascii_lowercase(), name.to_owned()];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name.clone(), value)))
    }

    /// Whether one of the schemes has no proxy of its own: only then is the one for all looked at.
    fn uses_all_proxy(&self) -> bool {
        ["HTTPS_PROXY", "HTTP_PROXY"].iter().any(|name| self.in_either_case(name).is_none())
    }

    /// The names of our variables that are looked at, each in the spelling that counts.
    fn looked_at(&self) -> impl Iterator<Item = String> {
        let files = names::SECRETS.iter().map(|name| format!("{name}_FILE"));
        let names = names::NAMES.into_iter().filter(|&name| name != "ALL_PROXY" || self.uses_all_proxy());
        let spelt = |name| match self.in_either_case(name) {
            Some((spelt, _)) if names::PROXIES.contains(&name) => spelt,
            _ => name.to_owned(),
        };
        names.map(spelt).chain(files)
    }

    /// Those of our variables whose value is not UTF-8, or was not before somebody else read it: it
    /// holds the mark that then takes the place of what cannot be read.
    fn damaged(&self) -> Vec<String> {
        let damaged = |value: &str| value.contains(char::REPLACEMENT_CHARACTER);
        self.looked_at().filter(|name| self.get(name).is_some_and(damaged)).collect()
    }

    /// Those of our variables whose value has quotes around it: `docker run --env-file` and others
    /// take them for a part of it.
    fn quoted(&self) -> Vec<String> {
        self.looked_at().filter(|name| self.get(name).is_some_and(text::is_quoted)).collect()
    }

    /// Variables that name a file for an allow-list, sorted by name: the list is never read from one.
    fn lists_in_files(&self) -> Vec<Misspelt> {
        let set = self.0.keys().filter(|name| self.get(name).is_some());
        let lists =
            set.filter_map(|name| Some(Misspelt { name: name.clone(), meant: names::list_in_file(name)? }));
        let mut lists: Vec<_> = lists.collect();
        lists.sort_by(|a, b| a.name.cmp(&b.name));
        lists
    }

    /// Variables that were probably meant to be one of ours which is not set, sorted by name.
    fn misspelt(&self) -> Vec<Misspelt> {
        let set = self.0.keys().filter(|name| self.get(name).is_some());
        let slips =
            set.filter_map(|name| Some(Misspelt { name: name.clone(), meant: names::meant_by(name)? }));
        let is_set = |name: &str| self.get(name).is_some() || self.get(&format!("{name}_FILE")).is_some();
        let mut slips: Vec<_> = slips.filter(|slip| !is_set(slip.meant.trim_end_matches("_FILE"))).collect();
        slips.sort_by(|a, b| a.name.cmp(&b.name));
        slips
    }
}

/// A variable that is not ours, and the one that was probably meant.
struct Misspelt {
    name: String,
    meant: String,
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable's name.
    pub variable: String,
    /// What is wrong with it, as the rest of a sentence that begins with its name.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// Everything wrong with the configuration, a line each when printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { variable, problem, remedy }) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{variable} {problem}: {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// What `serve` needs. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// Slack.
    pub slack: SlackConfig,
    /// Fivetran.
    pub fivetran: FivetranConfig,
    /// Destinations.
    pub destinations: Destinations,
    /// What holds in which channel.
    pub channels: Channels,
    /// Services that have a name together.
    pub bundles: Bundles,
    /// What connections of a service are made with.
    pub services: ServiceDefaults,
    /// When what is unfinished is brought up, if it is.
    pub digest: Option<Plan>,
    /// Who may use the bot.
    pub permissions: Permissions,
    /// Who gets to see a link.
    pub visibility: Audience,
    /// The customer's landing page.
    pub landing: Landing,
    /// The database.
    pub database: DatabaseUrl,
    /// How to reach the world outside.
    pub network: Network,
    /// What people may ask for in ten minutes.
    pub limits: Limits,
    /// `LEASE_SECONDS`: how long after a replica's death the others take its commands over.
    pub lease: Duration,
    /// What was understood although it is not written as usual, or looks like a slip; a sentence
    /// each.
    pub remarks: Vec<String>,
}

/// What `link` needs. No `Debug`: it holds the key.
pub struct LinkConfig {
    /// Fivetran.
    pub fivetran: FivetranConfig,
    /// Destinations.
    pub destinations: Destinations,
    /// What connections of a service are made with.
    pub services: ServiceDefaults,
    /// The customer's landing page.
    pub landing: Landing,
    /// How to reach the world outside.
    pub network: Network,
}

/// Where a customer lands when nothing else is configured and nobody can reach the bot.
const FIVETRAN_HOME: &str = "https://fivetran.com";

fn plain_page() -> Landing {
    Landing::Fixed(FIVETRAN_HOME.to_owned())
}

/// Reads the logging variables; there is always an answer, so that a fault elsewhere can be told.
#[must_use]
pub fn log(vars: &Vars) -> LogConfig {
    let format = match vars.get("LOG_FORMAT") {
        Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        _ if std::io::stderr().is_terminal() => LogFormat::Text,
        _ => LogFormat::Json,
    };
    LogConfig { format, filter: vars.get("RUST_LOG").unwrap_or(LOG_FILTER).to_owned() }
}

/// Reads what `serve` needs.
///
/// # Errors
/// Every fault of the environment at once.
pub fn serve(vars: &Vars) -> Result<Config, Faults> {
    let mut reader = Reader::new(vars);
    let server = reader.server();
    let slack = reader.slack();
    let fivetran = reader.fivetran();
    let places = reader.places();
    let permissions = reader.permissions();
    let visibility = reader.visibility();
    let database = reader.database();
    let public_url = server.as_ref().and_then(|server| server.public_url.clone());
    let landing = reader.landing(public_url).unwrap_or_else(plain_page);
    let limits = reader.limits();
    let lease = reader.lease();
    let network = reader.network();
    let has_audit_channel = vars.is_set("AUDIT_CHANNEL");
    reader.digest(places.as_ref(), visibility, has_audit_channel);
    reader.log_format();
    reader.spoilt();
    reader.slips();
    match (server, slack, fivetran, places, database) {
        (Some(server), Some(slack), Some(fivetran), Some(places), Some(database))
            if reader.faults.0.is_empty() =>
        {
            let Places { destinations, channels, bundles, services, digest } = places;
            Ok(Config {
                server,
                slack,
                fivetran,
                destinations,
                channels,
                bundles,
                services,
                digest,
                permissions,
                visibility,
                landing,
                database,
                network,
                limits,
                lease,
                remarks: reader.remarks,
            })
        }
        _ => Err(reader.faults),
    }
}

/// Reads what `link` needs.
///
/// # Errors
/// Every fault of the environment at once.
pub fn link(vars: &Vars) -> Result<LinkConfig, Faults> {
    let mut reader = Reader::new(vars);
    let fivetran = reader.fivetran();
    let places = reader.places();
    // The bot's own page is of use to a link only where there is a bot.
    let public_url = vars.get("PUBLIC_URL").map(str::to_owned);
    let public_url = public_url.and_then(|text| reader.url("PUBLIC_URL", &text, PlainHttp::LoopbackOnly));
    let landing = reader.landing(public_url).unwrap_or_else(plain_page);
    let network = reader.network();
    reader.log_format();
    reader.spoilt();
    match (fivetran, places) {
        (Some(fivetran), Some(Places { destinations, services, .. })) if reader.faults.0.is_empty() => {
            Ok(LinkConfig { fivetran, destinations, services, landing, network })
        }
        _ => Err(reader.faults),
    }
}

/// Reads where data can land, which is all that `key-policy` needs.
///
/// # Errors
/// Every fault of the environment at once.
pub fn destinations(vars: &Vars) -> Result<Destinations, Faults> {
    let mut reader = Reader::new(vars);
    let places = reader.places();
    reader.log_format();
    match places {
        Some(Places { destinations, .. }) if reader.faults.0.is_empty() => Ok(destinations),
        _ => Err(reader.faults),
    }
}

/// Reads where a bot of this environment listens.
///
/// # Errors
/// When that is not said, or only the system knows the port.
pub fn listen(vars: &Vars) -> Result<SocketAddr, Faults> {
    let mut reader = Reader::new(vars);
    match reader.listen() {
        Some(address) if address.port() == 0 => {
            reader.fault("PORT", "is 0, so that the system chooses one", "name it with --address HOST:PORT");
            Err(reader.faults)
        }
        Some(address) => Ok(address),
        None => Err(reader.faults),
    }
}

/// Reads the address given to `manifest`.
///
/// # Errors
/// When it is not one that Slack could reach.
pub fn public_url(text: &str) -> Result<String, Faults> {
    let vars = Vars::default();
    let mut reader = Reader::new(&vars);
    reader.url("--public-url", text, PlainHttp::LoopbackOnly).ok_or(reader.faults)
}
