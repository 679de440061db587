//! `connect-card manifest`: the Slack app's manifest for the address of this bot.

use super::Exit;
use crate::config::{self, Faults};
use crate::slack::manifest::manifest;

/// Prints the manifest.
///
/// # Errors
/// When `public_url` is no address that Slack could reach.
pub fn run(public_url: &str) -> Result<Exit, Faults> {
    let url = config::public_url(public_url)?;
    Ok(super::print(&manifest(&url)))
}
