//! The configuration: the only reader of the environment.
//!
//! Owns every variable's name, default, shape and remedy, and reports all faults at once. Must
//! not know what a value is used for. A fault names the variable and what to do; it never repeats
//! the value, which may be a secret in the wrong place.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::telemetry;

/// Where the variables come from: the process environment, behind it the `.env` file.
#[derive(Default)]
pub struct Vars(HashMap<String, String>);

impl Vars {
    /// The process environment and, for what it does not set, `.env` of the working folder.
    ///
    /// # Errors
    /// When there is a `.env` file that cannot be read or parsed.
    pub fn from_process() -> Result<Self, Faults> {
        let mut vars = HashMap::new();
        match dotenvy::from_path_iter(".env") {
            Ok(lines) => {
                for line in lines {
                    let Ok((name, value)) = line else {
                        let problem = "has a line that is not NAME=value".to_owned();
                        let remedy = "put values with spaces in single quotes".to_owned();
                        return Err(Faults(vec![Fault { variable: ".env".to_owned(), problem, remedy }]));
                    };
                    vars.insert(name, value);
                }
            }
            Err(error) if error.not_found() => {}
            Err(_) => {
                let problem = "cannot be read".to_owned();
                let remedy = "check who may read the file".to_owned();
                return Err(Faults(vec![Fault { variable: ".env".to_owned(), problem, remedy }]));
            }
        }
        vars.extend(Self::from_environment().0);
        Ok(Self(vars))
    }

    /// The process environment alone.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    pub fn from_environment() -> Self {
        let readable = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        // An empty one is unset, so it takes nothing away from `.env` either.
        Self(readable.filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// Variables given one by one, for tests and for the sandbox.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A variable's value; an empty or blank one counts as unset.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
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

/// What a log line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `LOG_FORMAT` and `RUST_LOG`.
#[derive(Debug)]
pub struct LogConfig {
    /// `LOG_FORMAT`; on a terminal `text`, else `json`.
    pub format: LogFormat,
    /// `RUST_LOG`; `info`.
    pub filter: String,
}

/// What is needed to call Fivetran. No `Debug`: it holds the key.
#[derive(Clone)]
pub struct FivetranConfig {
    /// `FIVETRAN_API_URL`, without `/v1` and without a slash at its end.
    pub api_url: String,
    /// `FIVETRAN_API_KEY`.
    pub api_key: SecretString,
    /// `FIVETRAN_API_SECRET`.
    pub api_secret: SecretString,
}

/// Where a connection's data can land: destinations by name, and the one meant when none is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// `FIVETRAN_GROUP_ID`.
    pub default_group: Option<String>,
    /// Names that a person may type after `to`, with their group ids.
    pub named: BTreeMap<String, String>,
}

/// What is needed to hear from and speak to Slack. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct SlackConfig {
    /// `SLACK_SIGNING_SECRET`: the one in force first, then the one being rotated out.
    pub signing_secrets: Vec<SecretString>,
    /// `SLACK_BOT_TOKEN`.
    pub bot_token: Option<SecretString>,
    /// `SLACK_API_URL`, without a slash at its end.
    pub api_url: String,
    /// Origins a response_url may have.
    pub response_url_origins: Vec<url::Origin>,
}

/// Where the bot listens and where it is reached.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `HOST` and `PORT`.
    pub listen: SocketAddr,
    /// `PUBLIC_URL`, without a slash at its end.
    pub public_url: String,
    /// `METRICS_ADDR`.
    pub metrics: Option<SocketAddr>,
}

/// `DATABASE_URL`. No `Debug`: it can hold a password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A whole `postgres://` URL.
    Postgres(SecretString),
}

/// Where the customer's browser lands after the Connect Card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// `{PUBLIC_URL}/connected/{command}`.
    OwnPage(String),
    /// The same page for every customer: `CONNECT_CARD_REDIRECT_URL`.
    Fixed(String),
}

impl Landing {
    /// The `redirect_uri` for one command. Never has `?`, `&` or `#`: Fivetran puts it unescaped
    /// into the link's own query.
    #[must_use]
    pub fn uri(&self, command: &str) -> String {
        match self {
            Self::OwnPage(public_url) => format!("{public_url}/connected/{command}"),
            Self::Fixed(url) => url.clone(),
        }
    }
}

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
    /// The customer's landing page.
    pub landing: Landing,
    /// The database.
    pub database: DatabaseUrl,
    /// `HTTPS_PROXY`.
    pub https_proxy: Option<Url>,
    /// `LEASE_SECONDS`: how long after a replica's death the others take its commands over.
    pub lease: Duration,
}

/// What `link` needs. No `Debug`: it holds the key.
pub struct LinkConfig {
    /// Fivetran.
    pub fivetran: FivetranConfig,
    /// Destinations.
    pub destinations: Destinations,
    /// The customer's landing page.
    pub landing: Landing,
    /// `HTTPS_PROXY`.
    pub https_proxy: Option<Url>,
}

/// Where the customer of a `link` lands when nothing else is configured.
const FIVETRAN_HOME: &str = "https://fivetran.com";
/// The two places Slack gives response_urls from (the second is GovSlack).
const SLACK_HOOKS: [&str; 2] = ["https://hooks.slack.com", "https://hooks.slack-gov.com"];
/// The default of `RUST_LOG`.
pub const LOG_FILTER: &str = "info";
const PORT: u16 = 3000;
/// Twice the longest call to Fivetran: one missed prolongation costs no lease.
const LEASE_S: u64 = 30;

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
    let mut reader = Reader { vars, faults: Faults::default() };
    let server = reader.server();
    let slack = reader.slack();
    let fivetran = reader.fivetran();
    let destinations = reader.destinations();
    let database = reader.database();
    let public_url = server.as_ref().map(|server| server.public_url.clone());
    let landing = reader.landing(public_url);
    let lease = reader.lease();
    let https_proxy = reader.https_proxy();
    reader.log_format();
    match (server, slack, fivetran, destinations, database, landing) {
        (Some(server), Some(slack), Some(fivetran), Some(destinations), Some(database), Some(landing))
            if reader.faults.0.is_empty() =>
        {
            Ok(Config { server, slack, fivetran, destinations, landing, database, https_proxy, lease })
        }
        _ => Err(reader.faults),
    }
}

/// Reads what `link` needs.
///
/// # Errors
/// Every fault of the environment at once.
pub fn link(vars: &Vars) -> Result<LinkConfig, Faults> {
    let mut reader = Reader { vars, faults: Faults::default() };
    let fivetran = reader.fivetran();
    let destinations = reader.destinations();
    // The bot's own page is of use to a link only where there is a bot.
    let public_url = vars.get("PUBLIC_URL").map(str::to_owned);
    let public_url = public_url.and_then(|text| reader.url("PUBLIC_URL", &text, PlainHttp::LoopbackOnly));
    let landing = reader.landing(public_url).or_else(|| Some(Landing::Fixed(FIVETRAN_HOME.to_owned())));
    let https_proxy = reader.https_proxy();
    reader.log_format();
    match (fivetran, destinations, landing) {
        (Some(fivetran), Some(destinations), Some(landing)) if reader.faults.0.is_empty() => {
            Ok(LinkConfig { fivetran, destinations, landing, https_proxy })
        }
        _ => Err(reader.faults),
    }
}

/// Reads the address given to `manifest`.
///
/// # Errors
/// When it is not one that Slack could reach.
pub fn public_url(text: &str) -> Result<String, Faults> {
    let mut reader = Reader { vars: &Vars::default(), faults: Faults::default() };
    reader.url("--public-url", text, PlainHttp::LoopbackOnly).ok_or(reader.faults)
}

struct Reader<'a> {
    vars: &'a Vars,
    faults: Faults,
}

impl Reader<'_> {
    fn fault(&mut self, variable: &str, problem: &str, remedy: &str) {
        self.faults.0.push(Fault {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    fn required(&mut self, name: &str, remedy: &str) -> Option<String> {
        let value = self.vars.get(name).map(str::to_owned);
        if value.is_none() {
            self.fault(name, "is not set", remedy);
        }
        value
    }

    /// A secret from `NAME` or from the file that `NAME_FILE` names.
    fn secret(&mut self, name: &str) -> Option<SecretString> {
        let in_file = format!("{name}_FILE");
        let Some(path) = self.vars.get(&in_file).map(str::to_owned) else {
            return self.vars.get(name).map(|value| SecretString::from(value.to_owned()));
        };
        if self.vars.get(name).is_some() {
            self.fault(name, &format!("is set, and {in_file} too"), "keep one of the two");
            return None;
        }
        match std::fs::read_to_string(Path::new(&path)) {
            Ok(text) if !text.trim().is_empty() => Some(SecretString::from(text.trim().to_owned())),
            Ok(_) => {
                self.fault(&in_file, "names an empty file", "put the secret in it");
                None
            }
            Err(_) => {
                self.fault(
                    &in_file,
                    "names a file that cannot be read",
                    "check its path and who may read it",
                );
                None
            }
        }
    }

    fn required_secret(&mut self, name: &str, remedy: &str) -> Option<SecretString> {
        let before = self.faults.0.len();
        let secret = self.secret(name);
        if secret.is_none() && self.faults.0.len() == before {
            self.fault(name, "is not set", remedy);
        }
        secret
    }

    /// An `http` or `https` URL with no user, query or fragment, and no slash at its end.
    fn url(&mut self, name: &str, text: &str, plain_http: PlainHttp) -> Option<String> {
        let remedy = "write it as https://host, with a path if need be, and nothing after that";
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
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() == "http" && plain_http == PlainHttp::LoopbackOnly && !loopback {
            self.fault(name, "is plain http", "use https; http is for this machine alone (127.0.0.1)");
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

    fn server(&mut self) -> Option<ServerConfig> {
        let host = self.parsed(
            "HOST",
            IpAddr::from([0, 0, 0, 0]),
            "give an IP address such as 0.0.0.0 or 127.0.0.1",
        );
        let port = self.parsed("PORT", PORT, "give a port number, 0 to 65535");
        let public_url = self
            .required(
                "PUBLIC_URL",
                "set it to where Slack reaches the bot, e.g. https://connect-card.example.com",
            )
            .and_then(|text| self.url("PUBLIC_URL", &text, PlainHttp::LoopbackOnly));
        let metrics = match self.vars.get("METRICS_ADDR").map(str::parse) {
            None => Some(None),
            Some(Ok(address)) => Some(Some(address)),
            Some(Err(_)) => {
                self.fault(
                    "METRICS_ADDR",
                    "cannot be read",
                    "give an address and a port such as 127.0.0.1:9000",
                );
                None
            }
        };
        Some(ServerConfig {
            listen: SocketAddr::new(host?, port?),
            public_url: public_url?,
            metrics: metrics?,
        })
    }

    fn slack(&mut self) -> Option<SlackConfig> {
        let signing_secrets = self
            .required_secret(
                "SLACK_SIGNING_SECRET",
                "copy it from Basic Information of your app at api.slack.com/apps",
            )
            .and_then(|secret| self.signing_secrets(&secret));
        let bot_token = self.secret("SLACK_BOT_TOKEN");
        if bot_token.as_ref().is_some_and(|token| !token.expose_secret().starts_with("xoxb-")) {
            self.fault(
                "SLACK_BOT_TOKEN",
                "is not a bot token",
                "use the one that starts with xoxb-, of OAuth & Permissions, or unset it",
            );
        }
        let api_url = self.vars.get("SLACK_API_URL").unwrap_or("https://slack.com/api/").to_owned();
        let api_url = self.url("SLACK_API_URL", &api_url, PlainHttp::LoopbackOnly);
        let origins = self.response_url_origins();
        Some(SlackConfig {
            signing_secrets: signing_secrets?,
            bot_token,
            api_url: api_url?,
            response_url_origins: origins?,
        })
    }

    fn signing_secrets(&mut self, joined: &SecretString) -> Option<Vec<SecretString>> {
        let secrets: Vec<_> = joined.expose_secret().split(',').map(str::trim).collect();
        if secrets.iter().any(|secret| secret.is_empty()) || secrets.len() > 2 {
            self.fault(
                "SLACK_SIGNING_SECRET",
                "is not one secret, or two with a comma between them",
                "put the new one first while you rotate, then only the new one",
            );
            return None;
        }
        Some(secrets.into_iter().map(|secret| SecretString::from(secret.to_owned())).collect())
    }

    fn response_url_origins(&mut self) -> Option<Vec<url::Origin>> {
        let name = "SLACK_RESPONSE_URL_ORIGINS";
        let extra = self.vars.get(name).unwrap_or("").to_owned();
        let mut origins = Vec::new();
        for text in
            SLACK_HOOKS.into_iter().chain(extra.split(',').map(str::trim)).filter(|text| !text.is_empty())
        {
            let url = self.url(name, text, PlainHttp::LoopbackOnly)?;
            origins.push(Url::parse(&url).ok()?.origin());
        }
        Some(origins)
    }

    fn fivetran(&mut self) -> Option<FivetranConfig> {
        let remedy =
            "make a key under your name > API key at fivetran.com/account/settings, and copy both halves";
        let api_key = self.required_secret("FIVETRAN_API_KEY", remedy);
        let api_secret = self.required_secret("FIVETRAN_API_SECRET", remedy);
        let api_url = self.vars.get("FIVETRAN_API_URL").unwrap_or("https://api.fivetran.com").to_owned();
        let api_url = self.url("FIVETRAN_API_URL", &api_url, PlainHttp::LoopbackOnly)?;
        if api_url.ends_with("/v1") {
            self.fault("FIVETRAN_API_URL", "ends with /v1", "leave that part out");
            return None;
        }
        Some(FivetranConfig { api_url, api_key: api_key?, api_secret: api_secret? })
    }

    fn destinations(&mut self) -> Option<Destinations> {
        let group = self.required(
            "FIVETRAN_GROUP_ID",
            "copy it from the destination's Overview page at fivetran.com (Destination Group ID)",
        )?;
        if !is_fivetran_id(&group) {
            self.fault(
                "FIVETRAN_GROUP_ID",
                "is not a group id",
                "it is one word of letters, digits and underscores, such as projected_sickle",
            );
            return None;
        }
        Some(Destinations { default_group: Some(group), named: BTreeMap::new() })
    }

    fn redirect_url(&mut self) -> Option<String> {
        let name = "CONNECT_CARD_REDIRECT_URL";
        let text = self.vars.get(name)?.to_owned();
        self.url(name, &text, PlainHttp::Anywhere)
    }

    fn landing(&mut self, public_url: Option<String>) -> Option<Landing> {
        match self.redirect_url() {
            Some(url) => Some(Landing::Fixed(url)),
            None => public_url.map(Landing::OwnPage),
        }
    }

    fn database(&mut self) -> Option<DatabaseUrl> {
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
            "write e.g. sqlite:connect-card.db, a file on a local disk",
        );
        None
    }

    /// The proxy for calls out. Its URL may hold a password, so it is never printed.
    fn https_proxy(&mut self) -> Option<Url> {
        let name = if self.vars.get("https_proxy").is_some() { "https_proxy" } else { "HTTPS_PROXY" };
        let text = self.vars.get(name)?;
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                self.fault(name, "is not the URL of a proxy", "write it as http://host:port, or unset it");
                None
            }
        }
    }

    fn lease(&mut self) -> Duration {
        let seconds = self.parsed("LEASE_SECONDS", LEASE_S, "give a whole number of seconds, 1 to 600");
        if seconds.is_some_and(|seconds| !(1..=600).contains(&seconds)) {
            self.fault("LEASE_SECONDS", "is out of range", "give a whole number of seconds, 1 to 600");
        }
        Duration::from_secs(seconds.unwrap_or(LEASE_S))
    }

    fn log_format(&mut self) {
        if self.vars.get("RUST_LOG").is_some_and(|filter| !telemetry::is_filter(filter)) {
            self.fault("RUST_LOG", "cannot be read", "write it as info, or as connect_card=debug");
        }
        if !matches!(self.vars.get("LOG_FORMAT"), None | Some("text" | "json")) {
            self.fault("LOG_FORMAT", "is neither text nor json", "use one of the two, or unset it");
        }
    }
}

/// Where a URL may be plain http.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PlainHttp {
    Anywhere,
    LoopbackOnly,
}

/// Fivetran's ids are words of letters, digits and underscores; nothing else goes into a path.
fn is_fivetran_id(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: [(&str, &str); 6] = [
        ("SLACK_SIGNING_SECRET", "one"),
        ("FIVETRAN_API_KEY", "key"),
        ("FIVETRAN_API_SECRET", "canary-secret"),
        ("FIVETRAN_GROUP_ID", "projected_sickle"),
        ("PUBLIC_URL", "https://bot.example.com/"),
        ("SLACK_BOT_TOKEN", ""),
    ];

    fn with(changes: &[(&str, &str)]) -> Result<Config, Faults> {
        serve(&Vars::from_pairs(FULL.into_iter().chain(changes.iter().copied())))
    }

    fn faulty(changes: &[(&str, &str)]) -> Vec<String> {
        with(changes).err().unwrap_or_default().0.into_iter().map(|fault| fault.variable).collect()
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let faults = serve(&Vars::default()).err().unwrap_or_default();
        let names: Vec<_> = faults.0.iter().map(|fault| fault.variable.as_str()).collect();
        assert_eq!(
            names,
            [
                "PUBLIC_URL",
                "SLACK_SIGNING_SECRET",
                "FIVETRAN_API_KEY",
                "FIVETRAN_API_SECRET",
                "FIVETRAN_GROUP_ID"
            ]
        );
        assert_eq!(faults.to_string().lines().count(), 5);
    }

    #[test]
    fn a_full_environment_is_read_and_slashes_are_trimmed() {
        let config = with(&[]).ok();
        assert_eq!(
            config.as_ref().map(|config| config.server.public_url.as_str()),
            Some("https://bot.example.com")
        );
        assert_eq!(
            config.as_ref().map(|config| config.slack.api_url.as_str()),
            Some("https://slack.com/api")
        );
        assert!(config.is_some_and(|config| config.slack.bot_token.is_none()), "an empty variable is unset");
    }

    #[test]
    fn each_bad_value_is_blamed_on_its_variable_without_being_repeated() {
        for (name, value) in [
            ("PUBLIC_URL", "http://bot.example.com"),
            ("PUBLIC_URL", "https://bot.example.com/?canary=1"),
            ("PUBLIC_URL", "canary"),
            ("SLACK_SIGNING_SECRET", "canary,"),
            ("SLACK_SIGNING_SECRET", "canary,b,c"),
            ("SLACK_BOT_TOKEN", "canary"),
            ("SLACK_RESPONSE_URL_ORIGINS", "http://canary.example.com"),
            ("FIVETRAN_GROUP_ID", "canary/../x"),
            ("FIVETRAN_API_URL", "https://api.example.com/v1"),
            ("FIVETRAN_API_KEY_FILE", "/nonexistent/canary"),
            ("DATABASE_URL", "mysql://canary"),
            ("DATABASE_URL", "sqlite:"),
            ("PORT", "canary"),
            ("HOST", "canary"),
            ("METRICS_ADDR", "canary"),
            ("LOG_FORMAT", "canary"),
            ("RUST_LOG", "canary"),
            ("RUST_LOG", "info,connect_card=canary"),
            ("PUBLIC_URL", "https://:canary@bot.example.com"),
            ("LEASE_SECONDS", "canary"),
            ("LEASE_SECONDS", "0"),
            ("HTTPS_PROXY", "canary"),
        ] {
            let faults = with(&[(name, value)]).err().unwrap_or_default();
            assert_eq!(faults.0.len(), 1, "{name}={value}: {faults}");
            assert!(name.starts_with(&faults.0[0].variable), "{name}: {faults}");
            assert!(!faults.to_string().contains("canary"), "{faults}");
        }
    }

    #[test]
    fn two_signing_secrets_are_kept_in_order() {
        let config = with(&[("SLACK_SIGNING_SECRET", "new, old")]).ok();
        let secrets: Vec<_> = config
            .iter()
            .flat_map(|config| &config.slack.signing_secrets)
            .map(|secret| secret.expose_secret().to_owned())
            .collect();
        assert_eq!(secrets, ["new", "old"]);
    }

    #[test]
    fn plain_http_is_for_loopback() {
        assert_eq!(faulty(&[("PUBLIC_URL", "http://127.0.0.1:3000")]), Vec::<String>::new());
        assert_eq!(faulty(&[("PUBLIC_URL", "http://localhost:3000")]), Vec::<String>::new());
        assert_eq!(faulty(&[("FIVETRAN_API_URL", "http://10.0.0.1")]), ["FIVETRAN_API_URL"]);
    }

    #[test]
    fn database_urls_name_a_file_or_a_server() {
        for (text, path) in [
            ("sqlite:bot.db", "bot.db"),
            ("sqlite:///var/lib/bot.db", "/var/lib/bot.db"),
            ("sqlite:/var/lib/bot.db", "/var/lib/bot.db"),
        ] {
            match with(&[("DATABASE_URL", text)]).map(|config| config.database) {
                Ok(DatabaseUrl::Sqlite(found)) => assert_eq!(found, Path::new(path)),
                _ => panic!("{text} names a file"),
            }
        }
        assert!(matches!(
            with(&[("DATABASE_URL", "postgres://u:p@db/bot")]).map(|config| config.database),
            Ok(DatabaseUrl::Postgres(_))
        ));
    }

    #[test]
    fn link_needs_fivetran_alone() {
        let vars = Vars::from_pairs(FULL.into_iter().filter(|(name, _)| name.starts_with("FIVETRAN")));
        let config = link(&vars).ok();
        assert_eq!(config.map(|config| config.landing), Some(Landing::Fixed(FIVETRAN_HOME.to_owned())));
        let config = link(&Vars::from_pairs(FULL)).ok();
        let uri = config.map(|config| config.landing.uri("link"));
        assert_eq!(uri.as_deref(), Some("https://bot.example.com/connected/link"));
    }
}
