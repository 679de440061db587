//! Settings read one by one, for whoever puts a configuration together and needs each as soon as it is
//! there.
//!
//! Owns nothing of its own: the reader's rules hold here as well.

use secrecy::SecretString;

use super::reader::{PlainHttp, Reader};
use super::{Faults, Vars};
use crate::fivetran::FivetranConfig;
use crate::outbound::Network;

/// The proxies and certificates for calls out.
///
/// # Errors
/// Every fault of them at once.
pub fn network(vars: &Vars) -> Result<Network, Faults> {
    read(vars, |reader| Some(reader.network()))
}

/// Fivetran's address and keys.
///
/// # Errors
/// Every fault of them at once.
pub fn fivetran(vars: &Vars) -> Result<FivetranConfig, Faults> {
    read(vars, |reader| reader.fivetran())
}

/// Where Slack reaches the bot.
///
/// # Errors
/// When that is no address that it could reach.
pub fn public_url(vars: &Vars) -> Result<String, Faults> {
    read(vars, |reader| {
        let text = reader.vars.get("PUBLIC_URL")?.to_owned();
        reader.url("PUBLIC_URL", &text, PlainHttp::LoopbackOnly)
    })
}

/// Where Slack's Web API is.
///
/// # Errors
/// When that is no address.
pub fn slack_api_url(vars: &Vars) -> Result<String, Faults> {
    read(vars, |reader| reader.slack_api_url())
}

/// The bot token.
///
/// # Errors
/// When it is none.
pub fn bot_token(vars: &Vars) -> Result<SecretString, Faults> {
    read(vars, |reader| reader.bot_token())
}

/// One app-level token or two.
///
/// # Errors
/// When it is neither.
pub fn app_tokens(vars: &Vars) -> Result<Vec<SecretString>, Faults> {
    read(vars, |reader| reader.app_tokens())
}

/// One signing secret or two.
///
/// # Errors
/// When it is neither.
pub fn signing_secrets(vars: &Vars) -> Result<Vec<SecretString>, Faults> {
    read(vars, |reader| reader.signing_secrets(true))
}

/// A value, unless something is wrong with it.
fn read<T>(vars: &Vars, read: impl FnOnce(&mut Reader<'_>) -> Option<T>) -> Result<T, Faults> {
    let mut reader = Reader::new(vars);
    match read(&mut reader) {
        Some(value) if reader.faults.0.is_empty() => Ok(value),
        _ => Err(reader.faults),
    }
}
