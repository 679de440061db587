//! Reads the variables one by one and collects what is wrong with them.
//!
//! Owns every variable's name, default, shape and remedy, but for those in `keys`. A fault never
//! repeats a value, which may be a secret in the wrong place.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::file::{self, File};
use super::{Fault, Faults, Misspelt, Vars, halves, text};
use crate::command::bundle::Bundles;
use crate::command::places::{Channels, Destinations};
use crate::digest::{Plan, To};
use crate::fivetran::defaults::ServiceDefaults;
use crate::fivetran::model;
use crate::outbound::proxies::{self, NoProxy, Proxies};
use crate::outbound::roots::{self, Roots};
use crate::outbound::{self, Network};
use crate::provision::Landing;
use crate::reply::Audience;
use crate::server::ServerConfig;
use crate::server::allowance::Limits;
use crate::store::DatabaseUrl;
use crate::telemetry;

const PORT: u16 = 3000;
/// Three times the longest call to Fivetran: even just before a prolongation, what is left of a
/// lease outlasts a call.
const LEASE_S: u64 = 45;

/// The highest limit of commands in ten minutes: more than the bot can do on any machine.
const MOST_COMMANDS: u32 = 1_000_000;

/// Reads variables and keeps the faults.
pub(super) struct Reader<'a> {
    pub(super) vars: &'a Vars,
    pub(super) faults: Faults,
    /// What was understood although it is not written as usual.
    pub(super) remarks: Vec<String>,
}

/// Where data can land, and what holds where.
pub(super) struct Places {
    pub(super) destinations: Destinations,
    pub(super) channels: Channels,
    pub(super) bundles: Bundles,
    pub(super) services: ServiceDefaults,
    pub(super) digest: Option<Plan>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(vars: &'a Vars) -> Self {
        Self { vars, faults: Faults::default(), remarks: Vec::new() }
    }
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, variable: &str, problem: &str, remedy: &str) {
        self.faults.0.push(Fault {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    /// A secret from `NAME` or from the file that `NAME_FILE` names.
    pub(super) fn secret(&mut self, name: &str) -> Option<SecretString> {
        let in_file = format!("{name}_FILE");
        let in_variable = self.vars.get(name).map(str::to_owned);
        let (holder, found) = match (self.vars.get(&in_file), in_variable) {
            (None, None) => return None,
            (None, Some(value)) => (name, Ok(value)),
            (Some(path), None) => (in_file.as_str(), text::read(Path::new(path))),
            (Some(_), Some(_)) => {
                self.fault(name, &format!("is set, and so is {in_file}"), "keep one of the two");
                return None;
            }
        };
        let (problem, remedy) = match found {
            Ok(text) if text.trim().is_empty() => ("names an empty file".to_owned(), "put the secret in it"),
            Ok(text) => {
                let secret = text.trim();
                // Some programs break Base64 into lines.
                let whole = matches!(halves::Text::of(secret), halves::Text::Encoded(..));
                match text::trouble_in_secret(name, secret).filter(|_| !whole) {
                    None => return Some(SecretString::from(secret.to_owned())),
                    Some((what, remedy)) if holder == name => (what.to_owned(), remedy),
                    Some((what, remedy)) => (format!("names a file that {what}"), remedy),
                }
            }
            Err(unreadable) => (unreadable.problem().to_owned(), unreadable.remedy()),
        };
        self.fault(holder, &problem, remedy);
        None
    }

    /// Whether a secret is set, in one of the two ways.
    pub(super) fn has_secret(&self, name: &str) -> bool {
        self.vars.get(name).or_else(|| self.vars.get(&format!("{name}_FILE"))).is_some()
    }

    pub(super) fn not_set(&mut self, name: &str, remedy: &str) {
        let meant = |slip: &Misspelt| slip.meant.trim_end_matches("_FILE") == name;
        match self.vars.misspelt().into_iter().find(meant) {
            Some(slip) => {
                let remedy = format!("{} is set; rename it to {}", slip.name, slip.meant);
                self.fault(name, "is not set", &remedy);
            }
            None => self.fault(name, "is not set", remedy),
        }
    }

    /// An `http` or `https` URL with no user, query or fragment, and no slash at its end.
    pub(super) fn url(&mut self, name: &str, text: &str, plain_http: PlainHttp) -> Option<String> {
        let remedy = "write it as https://host, with a path if needed and nothing after it";
        let Ok(url) = Url::parse(text) else {
            self.fault(name, "is not a URL", remedy);
            return None;
        };
        let bare = url.query().is_none() && url.fragment().is_none();
        let bare = bare && url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !bare {
            self.fault(name, "is not a plain web address", remedy);
            return None;
        }
        // The address stands as it is in the query of a Connect Card's own, where & would end it.
        if url.path().contains('&') {
            self.fault(name, "has & in its path", "use an address without &");
            return None;
        }
        if url.scheme() == "http" && plain_http == PlainHttp::LoopbackOnly && !outbound::is_here(&url) {
            self.fault(name, "is plain http", "use https; plain http is only for this machine (127.0.0.1)");
            return None;
        }
        Some(url.as_str().trim_end_matches('/').to_owned())
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, default: T, remedy: &str) -> Option<T> {
        match self.vars.get(name).map(str::parse) {
            None => Some(default),
            Some(Ok(value)) => Some(value),
            Some(Err(_)) => {
                self.fault(name, "cannot be read", remedy);
                None
            }
        }
    }

    /// Where the bot listens.
    pub(super) fn listen(&mut self) -> Option<SocketAddr> {
        let host =
            self.parsed("HOST", IpAddr::from([0, 0, 0, 0]), "use an IP address such as 0.0.0.0 or 127.0.0.1");
        let port = self.parsed("PORT", PORT, "use a port number from 0 to 65535");
        Some(SocketAddr::new(host?, port?))
    }

    pub(super) fn server(&mut self) -> Option<ServerConfig> {
        let listen = self.listen();
        let public_url = match self.vars.get("PUBLIC_URL").map(str::to_owned) {
            Some(text) => self.url("PUBLIC_URL", &text, PlainHttp::LoopbackOnly).map(Some),
            None if self.by_sockets() => Some(None),
            None => {
                self.not_set(
                    "PUBLIC_URL",
                    "set it to the address where Slack reaches the bot, e.g. https://connect-card.example.com; or set SLACK_APP_TOKEN, then Slack need not reach it",
                );
                None
            }
        };
        let metrics = match self.vars.get("METRICS_ADDR").map(str::parse) {
            None => Some(None),
            Some(Ok(address)) => Some(Some(address)),
            Some(Err(_)) => {
                self.fault(
                    "METRICS_ADDR",
                    "cannot be read",
                    "use an address and port such as 127.0.0.1:9000",
                );
                None
            }
        };
        Some(ServerConfig { listen: listen?, public_url: public_url?, metrics: metrics? })
    }

    /// What `FIVETRAN_GROUP_ID` and the file `CONFIG` say.
    pub(super) fn places(&mut self) -> Option<Places> {
        let before = self.faults.0.len();
        let file = self.file();
        let file_is_faulty = self.faults.0.len() > before;
        let group = self.vars.get("FIVETRAN_GROUP_ID").map(str::to_owned);
        if group.is_none() && file.destinations.is_empty() && !file_is_faulty {
            self.not_set(
                "FIVETRAN_GROUP_ID",
                "copy it from the destination's Overview page at fivetran.com (Destination Group ID)",
            );
            return None;
        }
        if group.as_deref().is_some_and(|group| !model::is_id(group)) {
            self.fault(
                "FIVETRAN_GROUP_ID",
                "is not a group id",
                "use a single word of letters, digits and underscores, such as projected_sickle",
            );
            return None;
        }
        let File { destinations: named, watched, default_group, channels, bundles, services, digest } = file;
        let only = named.values().next().filter(|_| named.len() == 1).cloned();
        let default_group = group.or(default_group).or(only);
        let destinations = Destinations { default_group, named, watched };
        Some(Places { destinations, channels, bundles, services, digest })
    }

    /// A digest goes by the Web API, and to where those are who may know of what is in it.
    pub(super) fn digest(&mut self, places: Option<&Places>, visibility: Audience, has_audit_channel: bool) {
        let Some(Places { digest: Some(Plan { to, .. }), channels, .. }) = places else { return };
        let name = |key: &str| format!("{}: {key}", self.vars.get("CONFIG").unwrap_or("CONFIG"));
        let (digest, to_key) = (name("digest"), name("digest.to"));
        if !self.has_secret("SLACK_BOT_TOKEN") {
            self.fault(&digest, "is there, but SLACK_BOT_TOKEN isn't", "set the token, or remove the table");
        }
        if *to == To::Audit && !has_audit_channel {
            self.fault(&to_key, "is audit, but AUDIT_CHANNEL isn't set", "set it, or write \"channels\"");
        }
        let some = *to == To::Channels || channels.by_id.values().any(|channel| channel.digest == Some(true));
        if some && visibility == Audience::Requester {
            self.fault(
                &digest,
                "goes to channels, but LINK_VISIBILITY is requester, so they know of no links",
                "write to = \"audit\", and digest = true in no channel; or unset LINK_VISIBILITY",
            );
        }
    }

    fn file(&mut self) -> File {
        let Some(path) = self.vars.get("CONFIG") else { return File::default() };
        let text = match text::read(Path::new(path)) {
            Ok(text) => text,
            Err(unreadable) => {
                self.fault("CONFIG", unreadable.problem(), unreadable.remedy());
                return File::default();
            }
        };
        let (file, faults) = file::read(path, &text);
        self.faults.0.extend(faults);
        file
    }

    pub(super) fn visibility(&mut self) -> Audience {
        match self.vars.get("LINK_VISIBILITY") {
            None | Some("channel") => Audience::Channel,
            Some("requester") => Audience::Requester,
            Some(_) => {
                self.fault(
                    "LINK_VISIBILITY",
                    "is neither channel nor requester",
                    "use one of the two, or unset it",
                );
                Audience::Channel
            }
        }
    }

    pub(super) fn redirect_url(&mut self) -> Option<String> {
        let name = "CONNECT_CARD_REDIRECT_URL";
        let text = self.vars.get(name)?.to_owned();
        self.url(name, &text, PlainHttp::Anywhere)
    }

    pub(super) fn landing(&mut self, public_url: Option<String>) -> Option<Landing> {
        match self.redirect_url() {
            Some(url) => Some(Landing::Fixed(url)),
            None => public_url.map(Landing::OwnPage),
        }
    }

    pub(super) fn database(&mut self) -> Option<DatabaseUrl> {
        let before = self.faults.0.len();
        let url = self.secret("DATABASE_URL");
        if self.faults.0.len() > before {
            return None;
        }
        let Some(url) = url else { return Some(DatabaseUrl::Sqlite("connect-card.db".into())) };
        let text = url.expose_secret();
        if let Some(path) = text.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//")) {
            // `sqlite:///a/b` is the absolute path `/a/b`, as others write it.
            let path = if text.starts_with("sqlite:///") {
                format!("/{}", path.trim_start_matches('/'))
            } else {
                path.to_owned()
            };
            if !path.is_empty() && !path.contains(['?', ':']) {
                return Some(DatabaseUrl::Sqlite(path.into()));
            }
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Some(DatabaseUrl::Postgres(url));
        }
        self.fault(
            "DATABASE_URL",
            "is neither sqlite:PATH nor postgres://…",
            "use for example sqlite:connect-card.db, a file on a local disk",
        );
        None
    }

    /// The proxies and certificates for calls out. A proxy's URL may hold a password, so it is never
    /// printed.
    pub(super) fn network(&mut self) -> Network {
        let all = if self.vars.uses_all_proxy() { self.proxy("ALL_PROXY") } else { None };
        let https = self.proxy("HTTPS_PROXY").or_else(|| all.clone());
        let http = self.proxy("HTTP_PROXY").or(all);
        let (name, list) = self.vars.in_either_case("NO_PROXY").unwrap_or_default();
        let (without, whole) = NoProxy::read(list);
        if !whole {
            let what = "is neither a host nor an address nor a network such as 10.0.0.0/8";
            self.remarks.push(format!("{name} has something in it that {what}; the bot passes over it"));
        }
        Network { proxies: Proxies { http, https, without }, roots: self.roots() }
    }

    fn proxy(&mut self, name: &str) -> Option<Url> {
        let (name, text) = self.vars.in_either_case(name)?;
        let url = proxies::proxy_url(text);
        if url.is_none() {
            self.fault(
                &name,
                "is not the URL of an HTTP proxy",
                "write it as http://host:port, with user:password@ before the host if needed, or unset it",
            );
        }
        url
    }

    /// The certificates to trust in the place of the system's.
    fn roots(&mut self) -> Option<Vec<Certificate>> {
        let (file, folders) = (self.vars.get("SSL_CERT_FILE"), self.vars.get("SSL_CERT_DIR"));
        if file.is_none() && folders.is_none() {
            return None;
        }
        match roots::read(file, folders) {
            Ok(Roots { certificates, is_passed_over }) => {
                if is_passed_over {
                    let what = "names a folder without a certificate in PEM; the bot passes over it";
                    self.remarks.push(format!("SSL_CERT_DIR {what}"));
                }
                Some(certificates)
            }
            Err(untrusted) => {
                let [name, problem, remedy] = untrusted.told();
                self.fault(name, problem, remedy);
                None
            }
        }
    }

    /// Values that are damaged, or have quotes around them. What else is wrong with such a value
    /// comes of that.
    pub(super) fn spoilt(&mut self) {
        for name in self.vars.damaged() {
            self.faults.0.retain(|fault| fault.variable != name);
            self.fault(&name, "is not a text in UTF-8", "write it again, or unset it");
        }
        for name in self.vars.quoted() {
            self.faults.0.retain(|fault| fault.variable != name);
            self.fault(
                &name,
                "begins and ends with a quote",
                "remove both; outside of a .env file that the bot itself reads, as with docker run --env-file, quotes are part of the value",
            );
        }
    }

    /// Variables that look like one of ours. An allow-list must not be open by a slip, nor a link be shown to
    /// more people; what is required says so itself.
    pub(super) fn slips(&mut self) {
        for Misspelt { name, meant } in self.vars.lists_in_files() {
            let remedy = format!("put the ids themselves into {meant}, or remove it");
            self.fault(&name, "is no variable of this bot, so it would keep nobody out", &remedy);
        }
        for Misspelt { name, meant } in self.vars.misspelt() {
            if meant.starts_with("ALLOWED_") {
                let remedy = format!("rename it to {meant}, or remove it");
                self.fault(&name, "is no variable of this bot, so it would keep nobody out", &remedy);
            } else if meant == "LINK_VISIBILITY" {
                let remedy = format!("rename it to {meant}, or remove it");
                self.fault(
                    &name,
                    "is no variable of this bot, so everybody in a channel would see its links",
                    &remedy,
                );
            } else if !self.faults.0.iter().any(|fault| fault.remedy.contains(&name)) {
                self.remarks.push(format!("{name} is no variable of this bot; did you mean {meant}?"));
            }
        }
    }

    pub(super) fn lease(&mut self) -> Duration {
        let seconds = self.parsed("LEASE_SECONDS", LEASE_S, "use a whole number of seconds from 1 to 600");
        if seconds.is_some_and(|seconds| !(1..=600).contains(&seconds)) {
            self.fault("LEASE_SECONDS", "is out of range", "use a whole number of seconds from 1 to 600");
        }
        Duration::from_secs(seconds.unwrap_or(LEASE_S))
    }

    /// What people may ask for in ten minutes.
    pub(super) fn limits(&mut self) -> Limits {
        let Limits { person, workspace } = Limits::default();
        Limits {
            person: self.limit("COMMANDS_PER_PERSON", person),
            workspace: self.limit("COMMANDS_PER_WORKSPACE", workspace),
        }
    }

    fn limit(&mut self, name: &str, default: u32) -> u32 {
        let remedy = "use a whole number from 1 to 1000000: how many commands are taken within ten minutes";
        let limit = self.parsed(name, default, remedy);
        if limit.is_some_and(|limit| !(1..=MOST_COMMANDS).contains(&limit)) {
            self.fault(name, "is out of range", remedy);
        }
        limit.unwrap_or(default)
    }

    pub(super) fn log_format(&mut self) {
        if self.vars.get("RUST_LOG").is_some_and(|filter| !telemetry::is_filter(filter)) {
            self.fault("RUST_LOG", "cannot be read", telemetry::FILTER_REMEDY);
        }
        if !matches!(self.vars.get("LOG_FORMAT"), None | Some("text" | "json")) {
            self.fault("LOG_FORMAT", "is neither text nor json", "use one of the two, or unset it");
        }
    }
}

/// Where a URL may be plain http.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    Anywhere,
    LoopbackOnly,
}
