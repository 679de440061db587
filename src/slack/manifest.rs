//! The Slack app's manifest with the bot's own URLs, or with none.
//!
//! Owns the text of `manifest.yml`, which is this manifest for the example address.
//! <https://docs.slack.dev/reference/app-manifest>

/// The address that stands in the repository's `manifest.yml`.
pub const EXAMPLE_URL: &str = "https://connect-card.example.com";

/// How Slack is to reach the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached<'a> {
    /// At this address, without a slash at its end.
    At(&'a str),
    /// Over sockets that the bot opens.
    BySockets,
}

/// The manifest for a bot that is reached so.
#[must_use]
pub fn manifest(reached: Reached<'_>) -> String {
    let example = include_str!("../../manifest.yml");
    match reached {
        Reached::At(public_url) => example.replace(EXAMPLE_URL, public_url),
        Reached::BySockets => {
            // What names an address is what falls away.
            let names_one = |line: &&str| line.contains(EXAMPLE_URL) || line.contains("--public-url");
            let lines = example.lines().filter(|line| !names_one(line)).map(|line| format!("{line}\n"));
            lines.collect::<String>().replace("socket_mode_enabled: false", "socket_mode_enabled: true")
        }
    }
}
