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
use crate::slack::signature::Verifier;
use crate::slack::socket::Opener;
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

/// The secrets of a configuration. No `Debug`.
#[derive(Clone)]
pub(super) struct Secrets {
    signing: Vec<SecretString>,
    app: Vec<SecretString>,
    sealing: Vec<SecretString>,
    bot: Option<SecretString>,
    keys: (ApiKey, Option<ApiKey>),
}

impl Secrets {
    pub(super) fn of(config: &Config) -> Self {
        let SlackConfig { signing_secrets, app_tokens, bot_token, .. } = &config.slack;
        Self {
            signing: signing_secrets.clone(),
            app: app_tokens.clone(),
            sealing: config.slack.sealing_secrets(),
            bot: bot_token.clone(),
            keys: (config.fivetran.key.clone(), config.fivetran.second_key.clone()),
        }
    }
}

/// Whether two lists hold the same secrets in the same order.
fn same<'a>(
    one: impl IntoIterator<Item = &'a SecretString>,
    other: impl IntoIterator<Item = &'a SecretString>,
) -> bool {
    one.into_iter().map(|it| it.expose_secret()).eq(other.into_iter().map(|it| it.expose_secret()))
}

fn halves((first, second): &(ApiKey, Option<ApiKey>)) -> impl Iterator<Item = &SecretString> {
    std::iter::once(first).chain(second).flat_map(|key| [&key.key, &key.secret])
}

/// Whether they are the same, to the day on which they expire.
fn same_keys(one: &(ApiKey, Option<ApiKey>), other: &(ApiKey, Option<ApiKey>)) -> bool {
    let expire = |(first, second): &(ApiKey, Option<ApiKey>)| {
        (first.expires, second.as_ref().and_then(|second| second.expires))
    };
    same(halves(one), halves(other)) && expire(one) == expire(other)
}

/// Whether it is the first secret of its kind, or there is none any more.
fn begins_or_ends(in_force: &[SecretString], asked: &[SecretString]) -> bool {
    in_force.is_empty() != asked.is_empty()
}

impl Renewal {
    /// Puts what has changed in the place of what was in force, and says in the log which it is.
    pub(super) async fn renew(&self, config: &Config) {
        let before = self.secrets().clone();
        let mut now = Secrets::of(config);
        if !same(&before.sealing, &now.sealing) {
            self.renew_slacks(&before, &now);
        }
        // What begins or ends with a restart has not done so yet.
        if begins_or_ends(&before.signing, &now.signing) {
            now.signing.clone_from(&before.signing);
        }
        if begins_or_ends(&before.app, &now.app) {
            now.app.clone_from(&before.app);
        }
        if !same(&before.bot, &now.bot) && !self.renew_token(&before, &now).await {
            now.bot = before.bot;
        }
        if !same_keys(&before.keys, &now.keys) && !self.renew_keys(&now).await {
            now.keys = before.keys;
        }
        *self.secrets() = now;
        tracing::info!("the configuration was read again; what is no secret takes effect with a restart");
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets by which Slack's requests and sockets are known. Only Slack can prove them right.
    fn renew_slacks(&self, before: &Secrets, now: &Secrets) {
        for sealer in &self.sealers {
            sealer.renew(&now.sealing);
        }
        if begins_or_ends(&before.signing, &now.signing) || begins_or_ends(&before.app, &now.app) {
            // `/readyz` counts on the ways that there were at the start.
            tracing::warn!("a way to the bot, by requests or by sockets, begins or ends with a restart");
        }
        if !begins_or_ends(&before.signing, &now.signing) && !same(&before.signing, &now.signing) {
            self.verifier.replace(Verifier::new(&now.signing));
            tracing::info!("SLACK_SIGNING_SECRET was replaced");
        }
        if let (Some(opener), Some(token)) = (&self.opener, now.app.first())
            && !same(&before.app, &now.app)
        {
            opener.renew(token);
            tracing::info!("SLACK_APP_TOKEN was replaced; the next socket is opened with it");
        }
    }

    /// The bot token, if Slack takes it and it is the same bot's: another one could not edit what this one
    /// has posted.
    async fn renew_token(&self, before: &Secrets, now: &Secrets) -> bool {
        let (Some(web_api), Some(_), Some(token)) = (&self.web_api, &before.bot, &now.bot) else {
            tracing::warn!("with SLACK_BOT_TOKEN, or without it, the bot goes on after a restart");
            return false;
        };
        let told = match web_api.with_token(token).auth_test().await {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(%error, "Slack does not take the new SLACK_BOT_TOKEN; the old one stays");
                return false;
            }
        };
        let known = self.gate.identities().borrow().clone();
        if known.is_some_and(|known| !known.may_be(&told)) {
            tracing::error!("the new SLACK_BOT_TOKEN is another bot's; the old one stays");
            return false;
        }
        web_api.renew(token);
        if let Some(kept) = &self.kept {
            kept.renew(token);
            kept.write(&told, self.clock.now()).await;
        }
        tracing::info!("SLACK_BOT_TOKEN was replaced");
        true
    }

    /// The keys, unless Fivetran rejects them or they are another account's.
    async fn renew_keys(&self, now: &Secrets) -> bool {
        let (first, second) = now.keys.clone();
        let tried = self.fivetran.under(first.clone(), second.clone());
        let (own, theirs) = tokio::join!(self.fivetran.account(), tried.account());
        match (own, theirs) {
            (_, Err(Error::KeyRejected(_))) => {
                tracing::error!("Fivetran rejects the new key; the old one stays");
                return false;
            }
            (Ok(own), Ok(theirs)) if own.account_id != theirs.account_id => {
                tracing::error!("the new Fivetran key is of another account; the old one stays");
                return false;
            }
            // Where Fivetran is silent it is believed, as at a start.
            _ => {}
        }
        self.fivetran.renew(first, second);
        tracing::info!("the Fivetran key was replaced");
        true
    }
}
