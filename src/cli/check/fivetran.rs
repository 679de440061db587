//! The checks at Fivetran: each key, and each permission that the bot needs, tried by itself.
//!
//! Owns what a missing permission breaks and what to grant for it; `connect-card key-policy` prints
//! the same permissions. Changes nothing: what cannot be tried without doing it is not tried.

use jiff::Timestamp;

use super::{Report, defaults, names};
use crate::cli::reach::Partner;
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
    /// Something was answered that says nothing of the key: the rest is tried all the same.
    Unclear(Error),
    /// Nobody answered, and nobody would answer anything else.
    Silent(Error),
}

impl Standing {
    fn works(&self) -> bool {
        matches!(self, Self::Works(_) | Self::Narrow(_))
    }
}

/// A key that is looked at by itself.
struct Key<'a> {
    fivetran: Fivetran,
    partner: Partner<'a>,
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
            Err(error) if error.is_silence() => Standing::Silent(error),
            Err(error) => Standing::Unclear(error),
        };
        let which = if second_key.is_some() { format!(" {}", key.variable) } else { String::new() };
        keys.push(Key { fivetran, partner: Partner::fivetran(api_url), key, which, standing });
    }
    for (key, other) in keys.iter().zip(others(&keys)) {
        key.tell(report, other);
    }
    same_account(report, &keys);
    for (key, other) in keys.iter().zip(others(&keys)) {
        match &key.standing {
            Standing::Works(account) => key.expiry(report, account, other, now).await,
            Standing::Narrow(_) | Standing::Unclear(_) => {
                let told = Told { expiry: Expiry::of(key.key.expires, now), by_fivetran: false };
                key.tell_expiry(report, told, other, false);
            }
            Standing::Rejected | Standing::Silent(_) => continue,
        }
        key.permissions(report, config).await;
    }
    let answers = |key: &&Key<'_>| !matches!(key.standing, Standing::Rejected | Standing::Silent(_));
    let Some(answers) = keys.iter().find(answers) else {
        return;
    };
    let catalog = fetch_catalog(&answers.fivetran).await;
    match &catalog {
        Some(catalog) => {
            let services = if catalog.len() == 1 { "service" } else { "services" };
            report.good(&format!("Fivetran catalogue: {} {services}", catalog.len()));
            let misnamed = config.channels.misnamed(catalog, &config.destinations);
            let bundles = config.bundles.unusable_services(catalog);
            let misnamed = misnamed.chain(config.bundles.misnamed(
                &config.channels,
                catalog,
                &config.destinations,
            ));
            for line in config.channels.unknown_services(catalog).chain(bundles).chain(misnamed) {
                report.bad(&format!("CONFIG: {line}"));
            }
            names::bundles(report, config, catalog);
        }
        None => report.note(
            "Fivetran catalogue: cannot be had now, so the built-in one is used and newer services are not known",
        ),
    }
    defaults::look(report, config, &answers.fivetran, catalog.as_ref()).await;
}

/// Of each key the other one, if there are two.
fn others<'k, 'a>(keys: &'k [Key<'a>]) -> impl Iterator<Item = Option<&'k Key<'a>>> {
    let second = if keys.len() > 1 { keys.last() } else { None };
    [second, second.and(keys.first())].into_iter()
}

/// When a key expires, and who says so.
struct Told {
    expiry: Expiry,
    by_fivetran: bool,
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
    fn tell(&self, report: &mut Report, other: Option<&Self>) {
        let (which, of) = (&self.which, self.of());
        let (variable, secret) = (self.key.variable, self.secret());
        match &self.standing {
            Standing::Works(account) => {
                let system = account.system_key_id.is_some();
                let whose = match (system, account.account_name.as_str()) {
                    (false, "") => String::new(),
                    (true, "") => ", a system key".to_owned(),
                    (false, name) => format!(", account “{name}”"),
                    (true, name) => format!(", a system key of the account “{name}”"),
                };
                report.good(&format!("Fivetran key{which}: works{whose}"));
            }
            Standing::Narrow(said) => {
                report.good(&format!("Fivetran key{which}: works"));
                report.note(&format!(
                    "Fivetran account{of}: the key may not read it{}, so its name is not shown here; the bot works without that. To see it, grant ACCOUNT READ",
                    words(said)
                ));
            }
            Standing::Rejected => self.tell_rejected(report, other),
            Standing::Unclear(error) => report.bad(&format!(
                "Fivetran account{of}: cannot be looked at, which says nothing of the key: {}",
                self.remedy(error, &format!("check {variable} and {secret}"))
            )),
            Standing::Silent(error) => report.bad(&format!(
                "Fivetran key{which}: {}",
                self.remedy(error, &format!("check {variable} and {secret}"))
            )),
        }
    }

    fn tell_rejected(&self, report: &mut Report, other: Option<&Self>) {
        let which = &self.which;
        let (name, secret) = (self.key.variable, self.secret());
        let why = "It was replaced or has expired, or one of its halves is mistyped";
        match other {
            // The bot tries the other key by itself, and stays with it.
            Some(other) if other.standing.works() && !name.ends_with("_2") => report.note(&format!(
                "Fivetran key{which}: rejected, so the bot uses {}; move that one to {name} and {secret}, and unset the other two",
                other.key.variable
            )),
            Some(other) if other.standing.works() => report.bad(&format!(
                "Fivetran key{which}: rejected. {why}. The bot works with {}, but nothing could take its place; set {name} and {secret} to both halves of a valid key, or unset them",
                other.key.variable
            )),
            Some(Self { standing: Standing::Rejected, .. }) | None => report.bad(&format!(
                "Fivetran key{which}: rejected. {why}, and nothing works without a valid key; set {name} and {secret} to both halves of one"
            )),
            Some(_) => report.bad(&format!(
                "Fivetran key{which}: rejected. {why}; set {name} and {secret} to both halves of a valid key"
            )),
        }
    }

    /// The variable of its other half.
    fn secret(&self) -> &'static str {
        if self.key.variable.ends_with("_2") { "FIVETRAN_API_SECRET_2" } else { "FIVETRAN_API_SECRET" }
    }

    async fn expiry(&self, report: &Report, account: &Account, other: Option<&Self>, now: Timestamp) {
        let told = match &account.system_key_id {
            Some(id) => self.fivetran.system_key_expiry(id).await.ok().flatten(),
            None => None,
        };
        let expiry = Expiry::of(told.or(self.key.expires), now);
        let told = Told { expiry, by_fivetran: told.is_some() };
        self.tell_expiry(report, told, other, account.system_key_id.is_some());
    }

    fn tell_expiry(&self, report: &Report, told: Told, other: Option<&Self>, is_system_key: bool) {
        let Self { which, key, .. } = self;
        let Told { expiry, by_fivetran } = told;
        let day = |at: Timestamp| at.strftime("%F").to_string();
        let then = match other {
            Some(other) if other.standing.works() => {
                format!("then the bot uses {} alone, and nothing could take its place", other.key.variable)
            }
            Some(_) => "then it no longer works. Create another one now and set it".to_owned(),
            None => {
                "then nothing works any more. Create another one now and set it as the second key".to_owned()
            }
        };
        match expiry {
            Expiry::Unknown if is_system_key => report.note(&format!(
                "Fivetran key{which}: Fivetran does not tell when it expires; if it does, set {}_EXPIRES to the day, and the log says so in time",
                key.variable
            )),
            Expiry::Unknown => {}
            Expiry::Far(at) => report.good(&format!("Fivetran key{which}: valid until {}", day(at))),
            Expiry::Soon(at, _) => report.note(&format!(
                "Fivetran key{which}: expires on {}, with {}; {then}",
                day(at),
                expiry.left_in_words().unwrap_or_default()
            )),
            Expiry::Today(at) => {
                report.note(&format!("Fivetran key{which}: expires today, {}; {then}", day(at)));
            }
            Expiry::Past(at) if matches!(self.standing, Standing::Unclear(_)) => report.note(&format!(
                "Fivetran key{which}: by {}_EXPIRES it expired on {}; whether it still works can't be told now",
                key.variable,
                day(at)
            )),
            Expiry::Past(at) if by_fivetran => report.note(&format!(
                "Fivetran key{which}: works, although Fivetran says that it expired on {}; create another one and set it",
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
        let subject = format!("Fivetran service details{}", self.of());
        match self.fivetran.try_to_read_a_service().await {
            Ok(()) => report.good(&format!("{subject}: can be read")),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not read them{}. A service that is newer than this release cannot be connected; grant ACCOUNT READ",
                words(&said)
            )),
            Err(error) => report.note(&format!("{subject}: not clear whether they can be read, since {error}")),
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
            Err(error) => {
                report.bad(&format!("{subject}: {}", self.remedy(&error, &format!("check {variable}"))));
            }
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
            Err(error) => report.bad(&format!("{subject}: {}", self.remedy(&error, "run this again later"))),
        }
        match self.fivetran.try_to_create(group_id).await {
            Ok(()) => report.good(&format!(
                "{subject}: can be created, as far as can be told without creating one; renew, cancel and sync would change something and are not tried"
            )),
            Err(Error::Forbidden(said)) => report.bad(&format!(
                "{subject}: the key may not create or change them{}. No link can be made, renewed or cancelled, and no sync started; {grant}",
                words(&said)
            )),
            // Its own word, which it would say to the bot as well.
            Err(error @ (Error::Rejected { .. } | Error::NotFound(_) | Error::KeyRejected(_))) => {
                report.bad(&format!(
                    "{subject}: cannot be created, so no link can be made: {}",
                    self.remedy(&error, "check the group's id")
                ));
            }
            Err(error) => report.note(&format!(
                "{subject}: not clear whether they can be created. It was tried: {}",
                self.remedy(&error, "run this again later")
            )),
        }
    }

    /// What went wrong, and what to do; `check` is for what only the configuration can have caused.
    fn remedy(&self, error: &Error, check: &str) -> String {
        let what = match error {
            Error::KeyRejected(_) => format!("check {} and {}", self.key.variable, self.secret()),
            Error::Gone(_) | Error::NotFound(_) => check.to_owned(),
            Error::Rejected { status: 402, .. } => {
                "whoever looks after the Fivetran account has to put its plan or its bills in order"
                    .to_owned()
            }
            Error::Forbidden(_) | Error::Rejected { .. } => {
                "if Fivetran's words don't say what to do, ask its support".to_owned()
            }
            Error::Throttled(_) | Error::Unclear(_) | Error::TooLarge { .. } if !error.is_silence() => {
                "run this again later".to_owned()
            }
            Error::Blocked(obstacle) => self.partner.advice(Some(*obstacle)),
            _ => self.partner.advice(None),
        };
        format!("{error}; {what}")
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
