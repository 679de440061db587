//! Whether an answer is right: by its shape at once, and then by asking whom it is for.
//!
//! Owns what is tried, and what each outcome says to whoever typed it. Changes nothing outside. Must not
//! know where the answers come from.

use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};

use super::plan::Item;
use crate::cli::reach::Partner;
use crate::cli::{check, plain};
use crate::config::{self, Faults, Vars, single};
use crate::fivetran::Fivetran;
use crate::fivetran::error::Error;
use crate::slack::respond::PostError;
use crate::slack::socket::{Opener, advice};
use crate::slack::web_api::WebApi;

/// What a trial came to.
pub(super) enum Verdict {
    /// It is right, and this is what it is.
    Good(String),
    /// It cannot be right, for this reason.
    Wrong(String),
    /// Nobody could be asked, or it looks odd.
    Unclear(String),
}

/// Tries what the variables say of an item.
pub(super) async fn of(item: Item, vars: &Vars, http: &Client) -> Verdict {
    let tried = match item {
        Item::PublicUrl => address(vars),
        Item::AppToken => app_token(vars, http).await,
        Item::SigningSecret => signing_secret(vars),
        Item::BotToken => bot_token(vars, http).await,
        Item::Key => key(vars, http).await,
        Item::Destination => destination(vars, http).await,
    };
    tried.unwrap_or_else(|faults| Verdict::Wrong(faults.to_string()))
}

fn address(vars: &Vars) -> Result<Verdict, Faults> {
    let url = single::public_url(vars)?;
    Ok(Verdict::Good(format!("Address: {url}")))
}

async fn app_token(vars: &Vars, http: &Client) -> Result<Verdict, Faults> {
    let api_url = single::slack_api_url(vars)?;
    for token in single::app_tokens(vars)? {
        match Opener::new(http.clone(), &api_url, &token).try_token().await {
            Ok(()) => {}
            Err(PostError::Refused(word)) => {
                return Ok(Verdict::Wrong(format!("Slack refuses this token ({word}): {}", advice(&word))));
            }
            Err(error) => return Ok(of_slack(&error, &api_url)),
        }
    }
    Ok(Verdict::Good("App-level token: opens sockets".to_owned()))
}

fn signing_secret(vars: &Vars) -> Result<Verdict, Faults> {
    let usual = |secret: &SecretString| {
        let secret = secret.expose_secret();
        secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    Ok(if single::signing_secrets(vars)?.iter().all(usual) {
        Verdict::Good(
            "Signing secret: has the right shape; only a command from Slack can prove it".to_owned(),
        )
    } else {
        Verdict::Unclear("Slack's signing secrets are 32 digits of 0-9 and a-f, and this is not.".to_owned())
    })
}

async fn bot_token(vars: &Vars, http: &Client) -> Result<Verdict, Faults> {
    let token = single::bot_token(vars)?;
    let api_url = single::slack_api_url(vars)?;
    let web_api = WebApi::new(http.clone(), &api_url, &token);
    Ok(match web_api.auth_test().await {
        Ok(identity) => Verdict::Good(format!(
            "Bot token: {} in workspace “{}”",
            plain(&identity.user),
            plain(&identity.team)
        )),
        Err(PostError::Refused(word)) => Verdict::Wrong(format!(
            "Slack refuses this token ({word}): install the app in the workspace and copy the Bot User OAuth Token from OAuth & Permissions"
        )),
        Err(error) => of_slack(&error, &api_url),
    })
}

async fn key(vars: &Vars, http: &Client) -> Result<Verdict, Faults> {
    let config = single::fivetran(vars)?;
    let api_url = config.api_url.clone();
    let fivetran = Fivetran::new(http.clone(), config);
    Ok(match fivetran.account().await {
        Ok(account) if account.account_name.is_empty() => Verdict::Good("Fivetran key: works".to_owned()),
        Ok(account) => {
            Verdict::Good(format!("Fivetran key: works, account “{}”", plain(&account.account_name)))
        }
        // Only Fivetran itself knows the key, and it gives a code.
        Err(Error::Forbidden(said)) if !said.code.is_empty() => {
            Verdict::Good("Fivetran key: works".to_owned())
        }
        Err(Error::KeyRejected(_)) => Verdict::Wrong(
            "Fivetran rejects this key: it was replaced or has expired, or one of its halves is mistyped"
                .to_owned(),
        ),
        Err(error) => of_fivetran(&error, &api_url),
    })
}

async fn destination(vars: &Vars, http: &Client) -> Result<Verdict, Faults> {
    let destinations = config::destinations(vars)?;
    let Ok(config) = single::fivetran(vars) else {
        return Ok(Verdict::Unclear(
            "Without a key, Fivetran can't be asked about the destination.".to_owned(),
        ));
    };
    let api_url = config.api_url.clone();
    let fivetran = Fivetran::new(http.clone(), config);
    let mut lines = Vec::new();
    for (id, _) in destinations.groups() {
        match fivetran.group(id).await {
            Ok(group) => lines.push(format!("Destination: {} ({id})", plain(&group.name))),
            // The bot works without that.
            Err(Error::Forbidden(_)) => {
                lines.push(format!("Destination: {id}, whose name this key may not read"))
            }
            Err(Error::NotFound(_)) => {
                return Ok(Verdict::Wrong(format!("This account has no destination with the id {id}")));
            }
            Err(error) => return Ok(of_fivetran(&error, &api_url)),
        }
    }
    Ok(Verdict::Good(lines.join("\n✓ ")))
}

/// What Slack did not say.
fn of_slack(error: &PostError, api_url: &str) -> Verdict {
    Verdict::Unclear(format!("{error}; {}.", check::unanswered(error, api_url)))
}

/// What Fivetran did not say.
fn of_fivetran(error: &Error, api_url: &str) -> Verdict {
    let partner = Partner::fivetran(api_url);
    Verdict::Unclear(match error {
        Error::Blocked(obstacle) => format!("{error}; {}.", partner.advice(Some(*obstacle))),
        error if error.is_silence() => format!("{error}; {}.", partner.advice(None)),
        error => format!("{error}."),
    })
}
