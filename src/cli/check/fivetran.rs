//! The checks at Fivetran: each key, and each permission that the bot needs, tried by itself.
//!
//! Owns what a missing permission breaks and what to grant for it; `connect-card key-policy` prints
//! the same permissions. Changes nothing: what cannot be tried without doing it is not tried.

use jiff::Timestamp;

use super::Report;
use crate::config::Config;
use crate::fivetran::error::Error;
use crate::fivetran::expiry::Expiry;
use crate::fivetran::keys::ApiKey;
use crate::fivetran::live::fetch_catalog;
use crate::fivetran::model::{Account, ApiMessage};
use crate::fivetran::{Fivetran, FivetranConfig};

/// What became of a key's first call.
enum Standing {
    /// Of an account that it may read.
    Works(Account),
    /// It is known, but may not read the account.
    Narrow(ApiMessage),
    /// It is not known.
    Rejected,
    /// Nothing can be said of it.
    Failed(Error),
}

/// A key that is looked at by itself.
struct Key<'a> {
    fivetran: Fivetran,
    key: &'a ApiKey,
    /// What its lines say of it where there are two; otherwise empty.
    which: String,
    standing: Standing,
}

/// Tries everything that the bot does at Fivetran.
pub(super) async fn look(report: &mut Report, config: &Config, http: reqwest::Client, now: Timestamp) {
    let FivetranConfig { api_url, key, second_key } = &config.fivetran;
    let mut keys = Vec::new();
    for key in std::iter::once(key).chain(second_key) {
        let alone = FivetranConfig { api_url: api_url.clone(), key: key.clone(), second_key: None };
        let fivetran = Fivetran::new(http.clone(), alone);
        let standing = match fivetran.account().await {
            Ok(account) => Standing::Works(account),
            // Only Fivetran itself knows the key, and it gives a code.
            Err(Error::Forbidden(said)) if !said.code.is_empty() => Standing::Narrow(said),
            Err(Error::KeyRejected(_)) => Standing::Rejected,
            Err(error) => Standing::Failed(error),
        };
        let which = if second_key.is_some() { format!(" {}", key.variable) } else { String::new() };
        keys.push(Key { fivetran, key, which, standing });
    }
    let one_works = keys.iter().any(|key| matches!(key.standing, Standing::Works(_) | Standing::Narrow(_)));
    for key in &keys {
        key.tell(report, one_works);
    }
    same_account(report, &keys);
    for key in &keys {
        match &key.standing {
            Standing::Works(account) => key.expiry(report, account, now).await,
            Standing::Narrow(_) => key.tell_expiry(report, Expiry::of(key.key.expires, now), false),
            Standing::Rejected | Standing::Failed(_) => continue,
        }
        key.permissions(report, config).await;
    }
    let Some(works) =
        keys.iter().find(|key| matches!(key.standing, Standing::Works(_) | Standing::Narrow(_)))
    else {
        return;
    };
    match fetch_catalog(&works.fivetran).await {
        Some(catalog) => {
            report.good(&format!("Fivetran catalogue: {} services", catalog.len()));
            for line in config.channels.unknown_services(&catalog) {
                report.bad(&format!("CONFIG: {line}"));
            }
        }
        None => report.note(
            "Fivetran catalogue: cannot be had now, so the built-in one is used and newer services are not known",
        ),
    }
}

/// What one key has made, the other must see: two accounts would make two connections of one name.
fn same_account(report: &mut Report, keys: &[Key<'_>]) {
    let ids: Vec<&str> = keys
        .iter()
        .filter_map(|key| match &key.standing {
            Standing::Works(account) => Some(account.account_id.as_str()),
            _ => None,
        })
        .collect();
    if ids.windows(2).any(|pair| pair.first() != pair.last()) {
        report.bad(
            "Fivetran keys: they belong to two accounts, so after a change of keys the bot would see none of its connections; set both of the same account",
        );
    }
}

impl Key<'_> {
    fn tell(&self, report: &mut Report, one_works: bool) {
        let which = &self.which;
        let secret =
            if self.key.variable.ends_with("_2") { "FIVETRAN_API_SECRET_2" } else { "FIVETRAN_API_SECRET" };
        match &self.standing {
            Standing::Works(account) => {
                let kind = if account.system_key_id.is_some() { "a system key of the" } else { "" };
                let account = format!("{kind} account “{}”", account.account_name);
                report.good(&format!("Fivetran key{which}: works, {}", account.trim_start()));
            }
            Standing::Narrow(said) => {
                report.good(&format!("Fivetran key{which}: works"));
                report.note(&format!(
                    "Fivetran account{which}: the key may not read it{}, so its name is not shown here; the bot works without that. To see it, grant ACCOUNT READ",
                    words(said)
                ));
            }
            // The bot tries the second key by itself, and stays with it.
            Standing::Rejected if one_works && !self.key.variable.ends_with("_2") => report.note(&format!(
                "Fivetran key{which}: rejected, so the bot uses FIVETRAN_API_KEY_2; move that one to {} and {secret}, and unset the other two",
                self.key.variable
            )),
            Standing::Rejected => report.bad(&format!(
                "Fivetran key{which}: rejected. It was replaced or has expired, or one of its halves is mistyped, and nothing works without it; set {} and {secret} to both halves of a valid key",
                self.key.variable
            )),
            Standing::Failed(error) => report.bad(&format!(
                "Fivetran key{which}: {}",
                remedy(error, &format!("check {} and {secret}", self.key.variable))
            )),
        }
    }

    async fn expiry(&self, report: &Report, account: &Account, now: Timestamp) {
        let told = match &account.system_key_id {
            Some(id) => self.fivetran.system_key_expiry(id).await.ok().flatten(),
            None => None,
        };
        let expiry = Expiry::of(told.or(self.key.expires), now);
        self.tell_expiry(report, expiry, account.system_key_id.is_some());
    }

    fn tell_expiry(&self, report: &Report, expiry: Expiry, is_system_key: bool) {
        let Self { which, key, .. } = self;
        let day = |at: Timestamp| at.strftime("%F").to_string();
        match expiry {
            Expiry::Unknown if is_system_key => report.note(&format!(
                "Fivetran key{which}: Fivetran does not tell when it expires; if it does, set {}_EXPIRES to the day, and the log says so in time",
                key.variable
            )),
            Expiry::Unknown => {}
            Expiry::Far(at) => report.good(&format!("Fivetran key{which}: valid until {}", day(at))),
            Expiry::Soon(at, days) => report.note(&format!(
                "Fivetran key{which}: expires on {}, with {days} whole days left; then nothing works any more. Create another one now and set it as the second key",
                day(at)
            )),
            Expiry::Past(at) => report.note(&format!(
                "Fivetran key{which}: works, although by {}_EXPIRES it expired on {}; correct that variable",
                key.variable,
                day(at)
            )),
        }
    }

    async fn permissions(&self, report: &mut Report, config: &Config) {
        for (group_id, name) in config.destinations.groups() {
            let (shown, variable) = match name {
                Some(name) => (format!("{name} ({group_id})"), "its group_id in the CONFIG file"),
                None => (group_id.to_owned(), "FIVETRAN_GROUP_ID"),
            };
            if self.destination(report, group_id, &shown, variable).await {
                self.connections(report, group_id, &shown).await;
            }
        }
        let subject = format!("Fivetran service details{}", self.which);
        match self.fivetran.try_to_read_a_service().await {
            Ok(()) => report.good(&format!("{subject}: can be read")),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not read them{}. A service that is newer than this release cannot be connected; grant ACCOUNT READ",
                words(&said)
            )),
            Err(error) => report.note(&format!("{subject}: not tried, since {error}")),
        }
    }

    /// False if there is no such group, so that nothing else of it can be tried.
    async fn destination(&self, report: &mut Report, group_id: &str, shown: &str, variable: &str) -> bool {
        let subject = format!("Fivetran destination {shown}{}", self.of());
        match self.fivetran.group(group_id).await {
            Ok(group) => report.good(&format!("{subject}: “{}”", group.name)),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not read it{}. The bot works without that, but this check cannot tell whether the id is the right one; grant DESTINATION READ for {group_id}",
                words(&said)
            )),
            Err(Error::NotFound(_)) => {
                report.bad(&format!(
                    "{subject}: this account has no such destination, so no link can be made there; correct {variable}"
                ));
                return false;
            }
            Err(error) => report.bad(&format!("{subject}: {}", remedy(&error, &format!("check {variable}")))),
        }
        true
    }

    async fn connections(&self, report: &mut Report, group_id: &str, shown: &str) {
        let subject = format!("Fivetran connections in {shown}{}", self.of());
        let grant = format!("grant CONNECTOR MANAGE for the group {group_id}");
        match self.fivetran.try_to_list(group_id).await {
            Ok(()) => report.good(&format!("{subject}: can be read")),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not read them{}. No link can be made safely, status and renew do not work, and no message shows that a customer has finished; {grant}",
                words(&said)
            )),
            Err(error) => report.bad(&format!("{subject}: {}", remedy(&error, "run this again later"))),
        }
        match self.fivetran.try_to_create(group_id).await {
            Ok(()) => report.good(&format!(
                "{subject}: can be created, as far as can be told without creating one; renew, cancel and sync would change something and are not tried"
            )),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not create or change them{}. No link can be made, renewed or cancelled, and no sync started; {grant}",
                words(&said)
            )),
            Err(error) => report.note(&format!("{subject}: not tried whether they can be created, since {error}")),
        }
    }

    /// Which key a line is about, behind another subject.
    fn of(&self) -> String {
        if self.which.is_empty() { String::new() } else { format!(" with{}", self.which) }
    }
}

/// Fivetran's own words, in parentheses.
fn words(said: &ApiMessage) -> String {
    let text = said.message.trim();
    if text.is_empty() { String::new() } else { format!(" (Fivetran says: {text})") }
}

/// What went wrong, and what to do; `check` is for what only the configuration can have caused.
fn remedy(error: &Error, check: &str) -> String {
    match error {
        Error::KeyRejected(_) | Error::NotFound(_) | Error::Rejected { .. } => format!("{error}; {check}"),
        Error::Throttled(_) => format!("{error}; run this again later"),
        error => format!("{error}; check the network and FIVETRAN_API_URL"),
    }
}
