//! `connect-card check`: the doctor. Tries everything the bot will need, and says for each what it
//! found and what to do about it.
//!
//! Owns the list of checks and their remedies. Changes nothing outside: it creates no connection
//! and posts no message. It makes no database that is not there; in one that is, it makes the tables, as
//! `serve` would.

mod defaults;
mod fivetran;
mod names;
pub mod ready;

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::reach::Partner;
use crate::cli::{self, Exit};
use crate::clock::Clock;
use crate::config::{self, Config, Faults, Vars, env_file};
use crate::outbound::{self, CallError, Obstacle};
use crate::permission::{Permissions, gaps};
use crate::slack::refusal::{self, Fix};
use crate::slack::respond::PostError;
use crate::slack::socket::{Opener, advice};
use crate::slack::web_api::WebApi;
use crate::store::{
    DatabaseUrl, OpenError, Options, Store, Strangers, Undeliverable, rehearse, strangers,
    undeliverable_beside,
};

/// How far this machine's clock may be off before Slack's signatures fail, in seconds, with room
/// to spare.
const SKEW_LIMIT_S: i64 = 60;
/// Scopes that the bot works without, and what each is for.
const OPTIONAL_SCOPES: [(&str, &str); 5] = [
    ("users:read", "telling members from guests and people from other workspaces"),
    ("usergroups:read", "ALLOWED_USER_GROUPS"),
    (
        "channels:read",
        "asking before a link goes into a public channel that several other organisations share",
    ),
    (
        "groups:read",
        "asking before a link goes into a private channel that several other organisations share",
    ),
    ("files:write", "sending the list in Home as a file"),
];
/// An app that was asked for that scope has the rest, too. Whether one has it by hand, no call tells.
const HOME: &str = "Slack Home: if the app was made from an earlier manifest, turn the Home Tab on under App Home \
                    and subscribe to the bot event app_home_opened under Event Subscriptions, without Socket Mode at \
                    your PUBLIC_URL and /slack/events; see docs/home.md";
/// The folder from which `deploy/systemd` runs the bot.
pub(super) const SERVICE_FOLDER: &str = "/etc/connect-card";
/// The one in which that keeps what it writes.
const SERVICE_STATE: &str = "/var/lib/connect-card";
/// Who may do anything.
const ROOT: u32 = 0;
/// For how long it is waited for a Postgres whose tables somebody else has locked, as a start would for hours.
const OPENS_WITHIN: Duration = Duration::from_secs(20);
/// Undeliverable commands shown.
const SHOWN: i64 = 10;

/// The lines printed so far. What Fivetran and Slack call things is in some, and steers no terminal.
struct Report {
    failed: bool,
}

impl Report {
    fn good(&self, text: &str) {
        let _ = cli::print(&format!("✓ {}\n", cli::plain(text)));
    }

    fn bad(&mut self, text: &str) {
        self.failed = true;
        let _ = cli::print(&format!("✗ {}\n", cli::plain(text)));
    }

    /// Something that works with less, or cannot be tried from here; does not fail the check.
    fn note(&self, text: &str) {
        let _ = cli::print(&format!("· {}\n", cli::plain(text)));
    }
}

/// What is said at the end if all is well, and otherwise.
const WELL: &str = "All that could be tried is well. A · is just for information.";
/// The same.
const UNWELL: &str = "Each ✗ must be fixed, and says how; a · is just for information. Then run this again.";

/// Runs every check, and says what to make of the marks; fails if one does.
pub async fn run(vars: &Vars, clock: &Clock) -> Exit {
    let exit = look(vars, clock).await;
    let _ = cli::print(&format!("\n{}\n", if exit == Exit::Well { WELL } else { UNWELL }));
    exit
}

/// Runs every check; fails if one does.
pub(super) async fn look(vars: &Vars, clock: &Clock) -> Exit {
    let mut report = Report { failed: false };
    let config = match config::serve(vars) {
        Ok(config) => config,
        Err(faults) => {
            for line in faults.to_string().lines() {
                report.bad(line);
            }
            who_helps(&report, vars, &faults);
            return Exit::Failed;
        }
    };
    report.good("configuration: all variables are valid");
    if let Some(mode) = env_file::mode_to_set() {
        report.note(&format!(
            ".env: others on this machine can read or change it, and it holds secrets; run: chmod {mode} .env"
        ));
    }
    for remark in &config.remarks {
        report.note(&format!("configuration: {remark}"));
    }
    names::tell(&report, &config, clock.now());
    names::watched(&report, &config);
    if let Some(url) = &config.server.public_url {
        let is_here = url.parse().is_ok_and(|url| outbound::is_here(&url));
        let from = if is_here { "on this machine" } else { "from another machine" };
        report.note(&format!("PUBLIC_URL: not tried; {from}, run: curl {url}/readyz"));
    }
    match outbound::client(&config.network) {
        Ok(http) => {
            fivetran::look(&mut report, &config, http.clone(), clock.now()).await;
            signing_secrets(&report, &config);
            if skew(&mut report, &config, &http, clock).await {
                sockets(&mut report, &config, &http).await;
                slack(&mut report, &config, http).await;
            }
        }
        Err(_) => report.bad(&format!("HTTPS: {}", outbound::without_client(&config.network))),
    }
    database(&mut report, &config).await;
    if report.failed { Exit::Failed } else { Exit::Well }
}

/// Where to read on about what is wrong with the configuration: `init` asks for variables, and leaves the file
/// `CONFIG` to whoever wrote it.
fn who_helps(report: &Report, vars: &Vars, faults: &Faults) {
    let of_file = faults.0.iter().filter(|fault| vars.is_of_file(fault)).count();
    if of_file > 0 {
        report.note("docs/channels.md explains every key of the file that CONFIG names; correct it by hand");
    }
    if of_file < faults.0.len() {
        report.note(if Path::new(".env").exists() {
            "connect-card init asks for what is missing or wrong; README.md explains every variable"
        } else {
            "there is no .env in this folder; connect-card init asks for what is needed and makes one; README.md explains every variable"
        });
    }
}

/// Compares this machine's clock with the `Date` of Slack's answers; false if there are none.
async fn skew(report: &mut Report, config: &Config, http: &reqwest::Client, clock: &Clock) -> bool {
    let partner = Partner::slack(&config.slack.api_url);
    let response = match http.post(format!("{}/api.test", config.slack.api_url)).send().await {
        Ok(response) => response,
        Err(error) => {
            let error = outbound::classify(&error);
            let obstacle = if let CallError::Barred(obstacle) = error { Some(obstacle) } else { None };
            report.bad(&format!("Slack: {}; {}", PostError::from(error), partner.advice(obstacle)));
            return false;
        }
    };
    if response.status() == StatusCode::NOT_FOUND && partner.is_elsewhere() {
        report.bad("Slack: what answers at SLACK_API_URL is not Slack's API; unset it, or end it with /api/");
        return false;
    }
    if let Some(obstacle) = not_slack(response.status()) {
        let advice = partner.advice(Some(obstacle));
        report.bad(&format!("Slack: something else answers in its place: {obstacle}; {advice}"));
        return false;
    }
    let date = response.headers().get("date").and_then(|value| value.to_str().ok()?.parse_http_date());
    match date.map(|date| clock.now().as_second() - date) {
        Some(skew) if skew.abs() <= SKEW_LIMIT_S => {
            report.good(&format!("clock: {} s off Slack's", skew.abs()))
        }
        Some(skew) => report
            .bad(&format!("clock: {} s off Slack's; at 300 s every signature fails. Set up NTP", skew.abs())),
        None => report.note("clock: Slack's answer had no date to compare with"),
    }
    true
}

/// What answers with a status that Slack's `api.test` never has, if it has one.
fn not_slack(status: StatusCode) -> Option<Obstacle> {
    let number = status.as_u16();
    match number {
        301 | 302 | 303 | 307 | 308 => Some(Obstacle::Redirect { status: number }),
        407 => Some(Obstacle::ProxySignIn),
        511 => Some(Obstacle::NetworkSignIn),
        // Slack itself asks for a pause.
        429 => None,
        400..=499 => Some(Obstacle::Foreign { status: number }),
        _ => None,
    }
}

trait HttpDate {
    /// `Sun, 22 Nov 2026 12:00:00 GMT` as Unix seconds.
    fn parse_http_date(&self) -> Option<i64>;
}

impl HttpDate for str {
    fn parse_http_date(&self) -> Option<i64> {
        jiff::fmt::rfc2822::parse(self).ok().map(|date| date.timestamp().as_second())
    }
}

fn signing_secrets(report: &Report, config: &Config) {
    let secrets = &config.slack.signing_secrets;
    if secrets.is_empty() {
        return report.note("Slack signing secret: none; commands come over sockets alone");
    }
    let usual = |secret: &SecretString| {
        let secret = secret.expose_secret();
        secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if secrets.iter().all(usual) {
        let count = secrets.len();
        report.good(&format!(
            "Slack signing secret: {count} set; only a command from Slack can prove it right"
        ));
    } else {
        report.note(
            "Slack signing secret: not 32 hexadecimal digits, as Slack's are; compare SLACK_SIGNING_SECRET with Basic Information > App Credentials",
        );
    }
}

/// Whether each app-level token may open sockets. None is opened: Slack would send it commands.
async fn sockets(report: &mut Report, config: &Config, http: &reqwest::Client) {
    for token in &config.slack.app_tokens {
        match Opener::new(http.clone(), &config.slack.api_url, token).try_token().await {
            Ok(()) => report.good("Slack sockets: the app-level token may open them"),
            Err(PostError::Refused(word)) => {
                report.bad(&format!("Slack sockets: {word}; {}", advice(&word)));
            }
            Err(error) => {
                let advice = unanswered(&error, &config.slack.api_url);
                report.bad(&format!("Slack sockets: {error}; {advice}"));
            }
        }
    }
}

async fn slack(report: &mut Report, config: &Config, http: reqwest::Client) {
    let Some(token) = &config.slack.bot_token else {
        report.note("Slack token: none; links are posted through response_url and can't be updated later, and nobody is asked before one goes into a channel that several other organisations share (set SLACK_BOT_TOKEN)");
        who_may(report, &config.permissions, None);
        return;
    };
    let web_api = WebApi::new(http, &config.slack.api_url, token);
    match web_api.auth_test().await {
        Ok(identity) => {
            report.good(&format!("Slack token: {} in workspace “{}”", identity.user, identity.team))
        }
        Err(PostError::Refused(word)) => {
            let advice = refusal::fix(&word).unwrap_or(Fix::Token).advice();
            report.bad(&format!("Slack token: {word}; {advice}"));
            return;
        }
        Err(error) => {
            let advice = unanswered(&error, &config.slack.api_url);
            report.bad(&format!("Slack token: {error}; {advice}"));
            return;
        }
    }
    let scopes = match web_api.scopes().await {
        Ok(Some(scopes)) => scopes,
        Ok(None) | Err(_) => return report.note("Slack scopes: could not be read"),
    };
    let granted = |scope: &str| scopes.iter().any(|known| known == scope);
    if granted("chat:write") {
        report.good("Slack scopes: chat:write is granted");
    } else {
        report.bad(
            "Slack scopes: chat:write is missing; add it under OAuth & Permissions and reinstall the app",
        );
    }
    for (scope, feature) in OPTIONAL_SCOPES {
        if granted(scope) {
            report.good(&format!("Slack scopes: {scope} is granted, for {feature}"));
        } else {
            report.note(&format!(
                "Slack scopes: {scope} is not granted; it is only needed for {feature}; to grant it, reinstall the app and allow it"
            ));
        }
    }
    if !granted("files:write") {
        report.note(HOME);
    }
    audit_channel(report, config);
    who_may(report, &config.permissions, Some(&scopes));
    if granted("usergroups:read") {
        for group in &config.permissions.user_groups {
            match web_api.user_group_members(group).await {
                Ok(members) => report.good(&format!("user group {group}: {} members", members.len())),
                Err(error) => {
                    report.bad(&format!("user group {group}: {error}; correct ALLOWED_USER_GROUPS"))
                }
            }
        }
    }
}

/// What to do about a call that Slack itself did not refuse.
pub(super) fn unanswered(error: &PostError, api_url: &str) -> String {
    match error {
        PostError::Throttled(_) => "run this again in a minute".to_owned(),
        _ => Partner::slack(api_url).advice(None),
    }
}

/// Whether the bot may post there, only a post can tell: to look a channel up takes a scope that it does
/// without.
fn audit_channel(report: &Report, config: &Config) {
    if let Some(channel) = &config.slack.audit_channel {
        report.note(&format!(
            "audit channel: {channel}, not tried, since that would post in it; invite the bot there, and nobody of a customer's"
        ));
    }
}

/// What cannot be known about people.
fn who_may(report: &mut Report, permissions: &Permissions, scopes: Option<&[String]>) {
    for gap in gaps(permissions, scopes) {
        let line = format!("access: {}", gap.sentence);
        if gap.shuts_out { report.bad(&line) } else { report.note(&line) }
    }
}

async fn database(report: &mut Report, config: &Config) {
    if let DatabaseUrl::Sqlite(path) = &config.database {
        // To make it is for the bot, and so for the user that it runs as.
        if !path.exists() {
            if is_to_be_made_by_systemd(path, std::env::current_dir().ok().as_deref()) {
                return report.note(&format!(
                    "database: {SERVICE_STATE} isn't there yet; the service makes it at its first start, and the database in it"
                ));
            }
            return match rehearse(path).await {
                Ok(()) => report.good(&format!(
                    "database: {} isn't there yet; it will be made at the first start (this user may write there, and SQLite works there)",
                    path.display()
                )),
                Err(error) => report.bad(&format!("database: {error}")),
            };
        }
        if let Some(Strangers { user, owner }) = strangers(path) {
            let (owner, runner, path) = (user_name(owner), user_name(user), path.display());
            let line = format!(
                "database: not opened: {path} belongs to {owner}, and this runs as {runner}; to have a look into it, run this as {owner}"
            );
            // Root can do anything; anybody else could not start the bot either.
            return if user == ROOT { report.note(&line) } else { report.bad(&line) };
        }
    }
    let options = Options {
        url: &config.database,
        secrets: &config.slack.sealing_secrets(),
        lease: config.lease,
        metrics: crate::telemetry::Metrics::default(),
    };
    // A file is read to its end, however long that takes.
    let is_file = matches!(config.database, DatabaseUrl::Sqlite(_));
    let limit = if is_file { Duration::MAX } else { OPENS_WITHIN };
    let Ok(opened) = tokio::time::timeout(limit, Store::open(options)).await else {
        report.bad(
            "database: not opened in 20 s: another session may hold a lock on its tables, such as a backup's; run this again when that is over",
        );
        return;
    };
    let lost = match (opened, &config.database) {
        (Ok(store), _) => {
            match store.check().await {
                Ok(()) => report.good("database: opens, and its settings are safe"),
                Err(error) => report.bad(&format!("database: {error}")),
            }
            let lost = store.undeliverable(SHOWN).await;
            store.close().await;
            lost
        }
        (Err(OpenError::Locked { holder, .. }), DatabaseUrl::Sqlite(path)) => {
            report
                .note(&format!("database: in use by process {holder}, as expected while the bot is running"));
            undeliverable_beside(path, SHOWN).await
        }
        (Err(error), _) => {
            report.bad(&format!("database: {error}"));
            return;
        }
    };
    match lost {
        Ok(lost) => lost.iter().for_each(|command| report.note(&undeliverable(command))),
        Err(error) => report.bad(&format!("database: {error}")),
    }
}

/// Whether a database's folder is that of the service of `deploy/systemd`, and this runs in the other one.
fn is_to_be_made_by_systemd(database: &Path, here: Option<&Path>) -> bool {
    here == Some(Path::new(SERVICE_FOLDER))
        && database.parent() == Some(Path::new(SERVICE_STATE))
        && !Path::new(SERVICE_STATE).exists()
}

/// What the system calls a user, where it keeps that in the usual file.
fn user_name(id: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then_some(name)
    });
    named.map_or_else(|| format!("user {id}"), str::to_owned)
}

fn undeliverable(command: &Undeliverable) -> String {
    let Undeliverable { id, user_id, channel_id, connection_id } = command;
    let connection = connection_id.as_deref().unwrap_or("none");
    format!("undeliverable: {id} from user {user_id} in channel {channel_id}, connection {connection}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_systemd_makes_is_missed_only_elsewhere() {
        let database = Path::new("/var/lib/connect-card/connect-card.db");
        let is_missing = !Path::new(SERVICE_STATE).exists();
        let here = Some(Path::new(SERVICE_FOLDER));
        assert_eq!(is_to_be_made_by_systemd(database, here), is_missing);
        assert!(!is_to_be_made_by_systemd(database, Some(Path::new("/srv"))));
        assert!(!is_to_be_made_by_systemd(Path::new("/var/lib/other/connect-card.db"), here));
    }

    #[test]
    fn what_is_not_slack_is_told_by_its_status() {
        for status in [200, 429, 500, 503] {
            assert_eq!(not_slack(StatusCode::from_u16(status).unwrap()), None);
        }
        for (status, obstacle) in [
            (302, Obstacle::Redirect { status: 302 }),
            (403, Obstacle::Foreign { status: 403 }),
            (407, Obstacle::ProxySignIn),
            (511, Obstacle::NetworkSignIn),
        ] {
            assert_eq!(not_slack(StatusCode::from_u16(status).unwrap()), Some(obstacle));
        }
    }
}
