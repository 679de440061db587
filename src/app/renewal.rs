//! New secrets for a bot that runs: those of the configuration that was read again.
//!
//! Owns what is replaced, and that a key or token which the partner does not take replaces none that it
//! does. What is under way ends with the secret that it began with. Must not know where secrets are read
//! from, nor when. Everything else of a configuration needs a restart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::identity::Kept;
use crate::clock::Clock;
use crate::config::Config;
use crate::current::Current;
use crate::fivetran::Fivetran;
use crate::fivetran::error::Error;
use crate::fivetran::keys::ApiKey;
use crate::permission::Gate;
use crate::seal::Sealer;
use crate::slack::SlackConfig;
use crate::slack::respond::PostError;
use crate::slack::signature::Verifier;
use crate::slack::socket::{self, Opener};
use crate::slack::web_api::WebApi;

/// Whoever holds a secret that can be replaced. No `Debug`.
pub(super) struct Renewal {
    pub(super) clock: Clock,
    pub(super) verifier: Current<Verifier>,
    pub(super) sealers: Vec<Sealer>,
    pub(super) opener: Option<Opener>,
    pub(super) web_api: Option<WebApi>,
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) gate: Arc<Gate>,
    pub(super) fivetran: Fivetran,
    /// What is in force.
    pub(super) secrets: Mutex<Secrets>,
}

/// One key of Fivetran's, or two.
type Keys = (ApiKey, Option<ApiKey>);

/// The secrets of a configuration. No `Debug`.
#[derive(Clone)]
pub(super) struct Secrets {
    signing: Vec<SecretString>,
    app: Vec<SecretString>,
    bot: Option<SecretString>,
    keys: Keys,
}

impl Secrets {
    pub(super) fn of(config: &Config) -> Self {
        let SlackConfig { signing_secrets, app_tokens, bot_token, .. } = &config.slack;
        Self {
            signing: signing_secrets.clone(),
            app: app_tokens.clone(),
            bot: bot_token.clone(),
            keys: (config.fivetran.key.clone(), config.fivetran.second_key.clone()),
        }
    }
}

/// Which secrets could not be tried, since the partner did not say what it makes of them. They are to be tried
/// again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    app: bool,
    bot: bool,
    keys: bool,
}

impl Left {
    const ALL: Self = Self { app: true, bot: true, keys: true };

    /// Whether there is one.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// What became of a new secret.
enum Tried<T> {
    /// This one is in force now.
    Taken(T),
    /// The old one stays, until somebody does something.
    Refused,
    /// The old one stays, and the new one is to be tried again.
    Unknown,
}

/// Whether two lists hold the same secrets in the same order.
fn same<'a>(
    one: impl IntoIterator<Item = &'a SecretString>,
    other: impl IntoIterator<Item = &'a SecretString>,
) -> bool {
    one.into_iter().map(|it| it.expose_secret()).eq(other.into_iter().map(|it| it.expose_secret()))
}

fn each((first, second): &Keys) -> impl Iterator<Item = &ApiKey> {
    std::iter::once(first).chain(second)
}

fn halves(keys: &Keys) -> impl Iterator<Item = &SecretString> {
    each(keys).flat_map(|key| [&key.key, &key.secret])
}

/// Whether they are the same, to the day on which they expire.
fn same_keys(one: &Keys, other: &Keys) -> bool {
    same(halves(one), halves(other))
        && each(one).map(|key| key.expires).eq(each(other).map(|key| key.expires))
}

/// The app of an app-level token, as far as it can be read in it: `xapp-1-A0123456789-…`.
fn app_of(token: &SecretString) -> Option<&str> {
    let mut parts = token.expose_secret().strip_prefix("xapp-")?.split('-').skip(1);
    parts.next().filter(|app| app.starts_with('A'))
}

/// Whether it is the first secret of its kind, or there is none any more.
fn begins_or_ends(in_force: &[SecretString], asked: &[SecretString]) -> bool {
    in_force.is_empty() != asked.is_empty()
}

/// Whether Fivetran has said what it makes of a key.
fn is_answer(error: &Error) -> bool {
    match error {
        Error::KeyRejected(_)
        | Error::Forbidden(_)
        | Error::Gone(_)
        | Error::NotFound(_)
        | Error::Rejected { .. } => true,
        Error::Throttled(_)
        | Error::Blocked(_)
        | Error::TooLarge { .. }
        | Error::Unavailable(_)
        | Error::Unclear(_) => false,
    }
}

impl Renewal {
    /// Puts what has changed in the place of what was in force, and says in the log which it is. Gives what
    /// could not be tried.
    pub(super) async fn renew(&self, config: &Config) -> Left {
        let (in_force, asked) = (self.secrets().clone(), Secrets::of(config));
        if begins_or_ends(&in_force.signing, &asked.signing) || begins_or_ends(&in_force.app, &asked.app) {
            // `/readyz` counts on the ways that there were at the start.
            tracing::warn!("a way to the bot, by requests or by sockets, begins or ends with a restart");
        }
        self.renew_signing_secrets(&in_force.signing, &asked.signing);
        let left = self.try_again(config, Left::ALL).await;
        tracing::info!("the configuration was read again; what is no secret takes effect with a restart");
        left
    }

    /// Tries what is left of a configuration, and gives what is left then.
    pub(super) async fn try_again(&self, config: &Config, due: Left) -> Left {
        let (in_force, asked) = (self.secrets().clone(), Secrets::of(config));
        let mut left = Left::default();
        if due.app && !same(&in_force.app, &asked.app) {
            let tried = self.renew_app_tokens(&in_force.app, &asked.app).await;
            left.app = self.settle(tried, |secrets, app| secrets.app = app);
        }
        if due.app {
            self.renew_sealers(&asked);
        }
        if due.bot && !same(&in_force.bot, &asked.bot) {
            let tried = self.renew_bot_token(in_force.bot.as_ref(), asked.bot.as_ref()).await;
            left.bot = self.settle(tried, |secrets, bot| secrets.bot = Some(bot));
        }
        if due.keys && !same_keys(&in_force.keys, &asked.keys) {
            let tried = self.renew_keys(&in_force.keys, &asked.keys).await;
            left.keys = self.settle(tried, |secrets, keys| secrets.keys = keys);
        }
        left
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps in mind what is in force. Whether the secret is to be tried again.
    fn settle<T>(&self, tried: Tried<T>, note: impl FnOnce(&mut Secrets, T)) -> bool {
        match tried {
            Tried::Taken(new) => {
                note(&mut self.secrets(), new);
                false
            }
            Tried::Refused => false,
            Tried::Unknown => true,
        }
    }

    /// Only Slack could prove them right, and it cannot be asked.
    fn renew_signing_secrets(&self, in_force: &[SecretString], asked: &[SecretString]) {
        if begins_or_ends(in_force, asked) || same(in_force, asked) {
            return;
        }
        self.verifier.replace(Verifier::new(asked));
        self.secrets().signing = asked.to_vec();
        tracing::info!("SLACK_SIGNING_SECRET was replaced");
    }

    /// Seals with what a restart would seal with, so that what is sealed until then opens after it; but not
    /// with a token that Slack does not take.
    fn renew_sealers(&self, asked: &Secrets) {
        let in_force = self.secrets().app.clone();
        let app = if begins_or_ends(&in_force, &asked.app) { &asked.app } else { &in_force };
        let sealing: Vec<_> = asked.signing.iter().chain(app).cloned().collect();
        for sealer in &self.sealers {
            sealer.renew(&sealing);
        }
    }

    /// The app-level tokens that Slack takes. A bad one would show only when the sockets that are open end.
    async fn renew_app_tokens(
        &self,
        in_force: &[SecretString],
        asked: &[SecretString],
    ) -> Tried<Vec<SecretString>> {
        let Some(opener) = self.opener.as_ref().filter(|_| !begins_or_ends(in_force, asked)) else {
            return Tried::Refused;
        };
        let is_known = |token: &&SecretString| in_force.iter().any(|known| same([known], [*token]));
        // Slack grants few of these calls, so a token in force is believed while there is a new one to try.
        let are_known = asked.iter().all(|token| is_known(&token));
        let (mut taken, mut refused) = (Vec::new(), None);
        for token in asked {
            if in_force.iter().filter_map(app_of).any(|app| app_of(token).is_some_and(|other| other != app)) {
                tracing::error!(
                    "the new SLACK_APP_TOKEN is another app's, and the old one stays: a change of app needs a restart"
                );
                return Tried::Refused;
            }
            let tried = match is_known(&token) && !are_known {
                true => Ok(()),
                false => opener.with_tokens(token, None).try_token().await,
            };
            match tried {
                Ok(()) => taken.push(token.clone()),
                Err(PostError::Refused(word)) if word != socket::LINK_DISABLED => refused = Some(word),
                Err(error) => {
                    tracing::warn!(%error, "the new SLACK_APP_TOKEN could not be tried; it is tried again");
                    return Tried::Unknown;
                }
            }
        }
        let [first, rest @ ..] = taken.as_slice() else {
            let word = refused.unwrap_or_default();
            tracing::error!(
                slack_says = word,
                "Slack refuses the new SLACK_APP_TOKEN; the old one stays: {}",
                socket::advice(&word)
            );
            return Tried::Refused;
        };
        if let Some(word) = refused {
            tracing::error!(
                slack_says = word,
                "Slack refuses one of the two tokens in SLACK_APP_TOKEN; sockets are opened with the other one"
            );
        }
        if same(in_force, &taken) {
            return Tried::Refused;
        }
        opener.renew(first, rest.first());
        tracing::info!("SLACK_APP_TOKEN was replaced; the next socket is opened with it");
        Tried::Taken(taken)
    }

    /// The bot token, if Slack takes it and it is the same bot's: another one could not edit what this one
    /// has posted.
    async fn renew_bot_token(
        &self,
        in_force: Option<&SecretString>,
        asked: Option<&SecretString>,
    ) -> Tried<SecretString> {
        let (Some(web_api), Some(_), Some(token)) = (&self.web_api, in_force, asked) else {
            tracing::warn!("with SLACK_BOT_TOKEN, or without it, the bot goes on after a restart");
            return Tried::Refused;
        };
        let told = match web_api.with_token(token).auth_test().await {
            Ok(told) => told,
            Err(error @ PostError::Refused(_)) => {
                tracing::error!(%error, "Slack does not take the new SLACK_BOT_TOKEN; the old one stays");
                return Tried::Refused;
            }
            Err(error) => {
                tracing::warn!(%error, "the new SLACK_BOT_TOKEN could not be tried; it is tried again");
                return Tried::Unknown;
            }
        };
        let known = self.gate.identities().borrow().clone();
        if known.is_some_and(|known| !known.may_be(&told)) {
            tracing::error!("the new SLACK_BOT_TOKEN is another bot's; the old one stays");
            return Tried::Refused;
        }
        web_api.renew(token);
        if let Some(kept) = &self.kept {
            kept.renew(token);
            kept.write(&told, self.clock.now()).await;
        }
        tracing::info!("SLACK_BOT_TOKEN was replaced");
        Tried::Taken(token.clone())
    }

    /// The keys, unless Fivetran rejects a new one, or one is another account's. Each is tried by itself: of two
    /// the first would answer for both.
    async fn renew_keys(&self, in_force: &Keys, asked: &Keys) -> Tried<Keys> {
        let could_not = |error: &Error| {
            tracing::warn!(%error, "the new Fivetran key could not be tried; it is tried again");
            Tried::Unknown
        };
        // Once it is known, the old key need not work any more: a new secret ends the old one at once.
        if self.fivetran.account_id().is_none()
            && let Err(error) = self.fivetran.account().await
            && !is_answer(&error)
        {
            return could_not(&error);
        }
        let known = self.fivetran.account_id().map(str::to_owned);
        let mut account = known.clone();
        let mut one_is_taken = false;
        for key in each(asked) {
            let is_known = each(in_force).any(|old| same([&old.key, &old.secret], [&key.key, &key.secret]));
            match self.fivetran.under(key.clone(), None).account().await {
                Ok(told) => {
                    one_is_taken = true;
                    if !told.account_id.is_empty()
                        && *account.get_or_insert(told.account_id.clone()) != told.account_id
                    {
                        tracing::error!(
                            key = key.variable,
                            "the new Fivetran key is of another account; the old one stays"
                        );
                        return Tried::Refused;
                    }
                }
                Err(error) if !is_answer(&error) => return could_not(&error),
                // One that has ended may stay beside the one that takes its place.
                Err(Error::KeyRejected(_)) if is_known => {}
                Err(Error::KeyRejected(_)) => {
                    tracing::error!(key = key.variable, "Fivetran rejects the new key; the old one stays");
                    return Tried::Refused;
                }
                // It knows the key, which may not ask this.
                Err(_) => one_is_taken = true,
            }
        }
        if !one_is_taken {
            tracing::error!("Fivetran rejects the key that is left; nothing was replaced");
            return Tried::Refused;
        }
        if known.is_none() {
            tracing::warn!(
                "the old Fivetran key does not tell its account, so the new one's was not compared"
            );
        }
        let (first, second) = asked.clone();
        self.fivetran.renew(first, second);
        tracing::info!("the Fivetran key was replaced");
        Tried::Taken(asked.clone())
    }
}
