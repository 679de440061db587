//! `connect-card manifest`: the Slack app's manifest for the address of this bot, or for Socket Mode.

use super::Exit;
use crate::config::{self, Faults};
use crate::slack::manifest::{Reached, manifest};

/// Prints the manifest for a bot at `public_url`, or without one for a bot that opens sockets.
///
/// # Errors
/// When `public_url` is no address that Slack could reach.
pub fn run(public_url: Option<&str>) -> Result<Exit, Faults> {
    let url = public_url.map(config::public_url).transpose()?;
    Ok(super::print(&manifest(url.as_deref().map_or(Reached::BySockets, Reached::At))))
}
