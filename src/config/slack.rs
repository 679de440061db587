//! The variables of Slack: how it is reached, how it reaches the bot, and who may use that.
//!
//! Owns their shapes and remedies, as `reader` does for the others. Must not know what is done with them.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::reader::{PlainHttp, Reader};
use crate::permission::Permissions;
use crate::slack::id::{self, Kind};
use crate::slack::{API_URL, SlackConfig, token};

/// The two places Slack gives response_urls from (the second is GovSlack).
const SLACK_HOOKS: [&str; 2] = ["https://hooks.slack.com", "https://hooks.slack-gov.com"];

impl Reader<'_> {
    /// Slack needs one of two ways to the bot: requests with signatures, or sockets that the bot opens.
    pub(super) fn slack(&mut self) -> Option<SlackConfig> {
        let app_tokens = self.app_tokens();
        let signing_secrets =
            if self.by_sockets() { self.signing_secrets(false) } else { self.signing_secrets(true) };
        let bot_token = self.bot_token();
        let api_url = self.slack_api_url();
        let origins = self.response_url_origins();
        let audit_channel = self.audit_channel();
        Some(SlackConfig {
            signing_secrets: signing_secrets?,
            app_tokens: app_tokens?,
            bot_token,
            api_url: api_url?,
            response_url_origins: origins?,
            audit_channel,
        })
    }

    /// Only the Web API reaches a channel in which nobody has typed anything.
    fn audit_channel(&mut self) -> Option<String> {
        let name = "AUDIT_CHANNEL";
        let channel = self.vars.get(name)?.to_owned();
        if !Kind::Channel.has(&channel) || id::is_of_two(&channel) {
            self.fault(
                name,
                "is not the id of a channel",
                "use one such as C0123ABC, from the channel's details in Slack",
            );
        } else if !self.has_secret("SLACK_BOT_TOKEN") {
            self.fault(name, "is set, but SLACK_BOT_TOKEN isn't", "set the token, or unset AUDIT_CHANNEL");
        }
        Some(channel)
    }

    /// Whether the bot opens sockets to Slack, so that Slack need not reach it.
    pub(super) fn by_sockets(&self) -> bool {
        self.has_secret("SLACK_APP_TOKEN")
    }

    pub(super) fn bot_token(&mut self) -> Option<SecretString> {
        let bot_token = self.secret("SLACK_BOT_TOKEN");
        if let Some(Err(token::Fault { what, remedy })) =
            bot_token.as_ref().map(|secret| token::check(secret.expose_secret()))
        {
            self.fault("SLACK_BOT_TOKEN", what, remedy);
        }
        bot_token
    }

    pub(super) fn slack_api_url(&mut self) -> Option<String> {
        let api_url = self.vars.get("SLACK_API_URL").unwrap_or(API_URL).to_owned();
        self.url("SLACK_API_URL", &api_url, PlainHttp::LoopbackOnly)
    }

    pub(super) fn app_tokens(&mut self) -> Option<Vec<SecretString>> {
        let name = "SLACK_APP_TOKEN";
        let before = self.faults.0.len();
        let Some(joined) = self.secret(name) else {
            return (self.faults.0.len() == before).then(Vec::new);
        };
        let tokens = self.one_or_two(name, &joined)?;
        let fault = tokens.iter().find_map(|token| token::check_app(token.expose_secret()).err());
        if let Some(token::Fault { what, remedy }) = fault {
            self.fault(name, what, remedy);
            return None;
        }
        Some(tokens)
    }

    pub(super) fn signing_secrets(&mut self, required: bool) -> Option<Vec<SecretString>> {
        let name = "SLACK_SIGNING_SECRET";
        let before = self.faults.0.len();
        match self.secret(name) {
            Some(joined) => self.one_or_two(name, &joined),
            None if self.faults.0.len() > before => None,
            None if !required => Some(Vec::new()),
            None => {
                self.not_set(
                    name,
                    "copy it from your app's Basic Information at api.slack.com/apps; or set SLACK_APP_TOKEN instead, then Slack need not reach the bot",
                );
                None
            }
        }
    }

    /// The secret in force, and the one being rotated out.
    fn one_or_two(&mut self, name: &str, joined: &SecretString) -> Option<Vec<SecretString>> {
        let secrets: Vec<_> = joined.expose_secret().split(',').map(str::trim).collect();
        if secrets.iter().any(|secret| secret.is_empty()) || secrets.len() > 2 {
            self.fault(
                name,
                "is neither one secret nor two separated by a comma",
                "put the new one first while you rotate, then keep only that",
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

    pub(super) fn permissions(&mut self) -> Permissions {
        Permissions {
            users: self.ids("ALLOWED_USERS", Kind::User, "U0123ABC, from a person's profile in Slack"),
            user_groups: self.ids(
                "ALLOWED_USER_GROUPS",
                Kind::UserGroup,
                "S0123ABC, from a user group's page in Slack",
            ),
            channels: self.ids(
                "ALLOWED_CHANNELS",
                Kind::Channel,
                "C0123ABC, from a channel's details in Slack",
            ),
        }
    }

    /// Slack's ids with commas between them. A variable that is set has at least one: an allow-list
    /// must not open up by a slip.
    fn ids(&mut self, name: &str, kind: Kind, example: &str) -> Vec<String> {
        let Some(text) = self.vars.get(name) else { return Vec::new() };
        let mut ids: Vec<String> = Vec::new();
        for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            if !kind.has(id) {
                let remedy = format!("use ids such as {example}, separated by commas");
                self.fault(name, "contains something that is not an id of this kind", &remedy);
                return Vec::new();
            }
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        if ids.is_empty() {
            self.fault(name, "contains no id", &format!("use ids such as {example}, or unset it"));
        }
        ids
    }
}
