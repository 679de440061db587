//! The Slack app's manifest with the bot's own URLs, or with none.
//!
//! Owns the text of `manifest.yml`, which is this manifest for the example address and says how to print
//! it for another one.
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
    // How to print another one stands in the file alone.
    let lines = example.lines().filter(|line| !line.contains("--public-url"));
    let whole = |line: &str| format!("{line}\n");
    match reached {
        Reached::At(public_url) => lines.map(|line| whole(&line.replace(EXAMPLE_URL, public_url))).collect(),
        Reached::BySockets => {
            // What names an address is what falls away.
            let lines = lines.filter(|line| !line.contains(EXAMPLE_URL)).map(whole);
            lines.collect::<String>().replace("socket_mode_enabled: false", "socket_mode_enabled: true")
        }
    }
}

/// Slack's page for a new app with this manifest in it, to be clicked. Remarks are left out, so that it
/// stays short: browsers and servers take at least 8,000 characters.
/// <https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests>
#[must_use]
pub fn link(manifest: &str) -> String {
    let lines = manifest.lines().filter(|line| !line.trim_start().starts_with('#'));
    let bare = lines.collect::<Vec<_>>().join("\n");
    // A blank is %20 wherever it stands; + is one only for those who read forms.
    let encoded = form_urlencoded::byte_serialize(bare.as_bytes()).collect::<String>().replace('+', "%20");
    format!("https://api.slack.com/apps?new_app=1&manifest_yaml={encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_carries_the_whole_manifest_and_is_short_enough() {
        let address = "https://a-rather-long-name-for-a-bot.of-an-organisation.example.com/below/a/path";
        for reached in [Reached::At(address), Reached::BySockets] {
            let manifest = manifest(reached);
            let link = link(&manifest);
            assert!(link.len() < 3000, "{}", link.len());
            assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
            assert!(!link.contains(['+', '#', '"']), "{link}");
            let url = url::Url::parse(&link).unwrap();
            let pairs: Vec<_> = url.query_pairs().collect();
            assert_eq!((pairs.len(), &*pairs[0].1, &*pairs[1].0), (2, "1", "manifest_yaml"));
            let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&pairs[1].1), read(&manifest));
        }
    }
}
