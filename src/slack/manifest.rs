//! The Slack app's manifest with the bot's own URLs.
//!
//! Owns the text of `manifest.yml`, which is this manifest for the example address.
//! <https://docs.slack.dev/reference/app-manifest>

/// The address that stands in the repository's `manifest.yml`.
pub const EXAMPLE_URL: &str = "https://connect-card.example.com";

/// The manifest for a bot that Slack reaches at `public_url` (without a slash at its end).
#[must_use]
pub fn manifest(public_url: &str) -> String {
    include_str!("../../manifest.yml").replace(EXAMPLE_URL, public_url)
}
