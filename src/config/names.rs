//! The names of the variables, and names that were probably meant to be one of them.
//!
//! Owns the list. Must not know what a variable is for.

/// Every variable that is read, but for the secrets' `NAME_FILE`.
pub(super) const NAMES: [&str; 36] = [
    "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN",
    "SLACK_BOT_TOKEN",
    "FIVETRAN_API_KEY",
    "FIVETRAN_API_SECRET",
    "FIVETRAN_API_KEY_2",
    "FIVETRAN_API_SECRET_2",
    "FIVETRAN_API_KEY_EXPIRES",
    "FIVETRAN_API_KEY_2_EXPIRES",
    "FIVETRAN_GROUP_ID",
    "CONFIG",
    "ALLOWED_USERS",
    "ALLOWED_USER_GROUPS",
    "ALLOWED_CHANNELS",
    "LINK_VISIBILITY",
    "AUDIT_CHANNEL",
    "PUBLIC_URL",
    "CONNECT_CARD_REDIRECT_URL",
    "HOST",
    "PORT",
    "DATABASE_URL",
    "LEASE_SECONDS",
    "COMMANDS_PER_PERSON",
    "COMMANDS_PER_WORKSPACE",
    "METRICS_ADDR",
    "LOG_FORMAT",
    "RUST_LOG",
    "SLACK_API_URL",
    "SLACK_RESPONSE_URL_ORIGINS",
    "FIVETRAN_API_URL",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Those of them that can come from a file.
pub(super) const SECRETS: [&str; 8] = [
    "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN",
    "SLACK_BOT_TOKEN",
    "FIVETRAN_API_KEY",
    "FIVETRAN_API_SECRET",
    "FIVETRAN_API_KEY_2",
    "FIVETRAN_API_SECRET_2",
    "DATABASE_URL",
];

/// Those of them that many programs take in small letters as well.
pub(super) const PROXIES: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];

/// What other programs call them, without underscores.
const OTHERWISE: [(&str, &str); 14] = [
    ("SLACKAPPLEVELTOKEN", "SLACK_APP_TOKEN"),
    ("SLACKSOCKETTOKEN", "SLACK_APP_TOKEN"),
    ("SLACKTOKEN", "SLACK_BOT_TOKEN"),
    ("SLACKSECRET", "SLACK_SIGNING_SECRET"),
    ("FIVETRANKEY", "FIVETRAN_API_KEY"),
    ("FIVETRANSECRET", "FIVETRAN_API_SECRET"),
    ("FIVETRANGROUP", "FIVETRAN_GROUP_ID"),
    ("FIVETRANDESTINATIONID", "FIVETRAN_GROUP_ID"),
    ("FIVETRANDESTINATIONGROUPID", "FIVETRAN_GROUP_ID"),
    ("ALLOWEDGROUPS", "ALLOWED_USER_GROUPS"),
    ("ALLOWGROUPS", "ALLOWED_USER_GROUPS"),
    ("ALLOWLISTUSERS", "ALLOWED_USERS"),
    ("USERALLOWLIST", "ALLOWED_USERS"),
    ("REDIRECTURL", "CONNECT_CARD_REDIRECT_URL"),
];

/// Slips of the keyboard that a name may hold and still be taken for another.
const SLIPS: usize = 2;
/// Shorter names are too easily somebody else's: `HOST` and `HOME`, `CONFIG` and `CONFIGS`.
const SHORTEST: usize = 8;

/// The variable that a name was probably meant to be; `None` for one that is ours, and for
/// everybody else's.
pub(super) fn meant_by(name: &str) -> Option<String> {
    let files = SECRETS.iter().map(|name| format!("{name}_FILE"));
    let ours: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).chain(files).collect();
    if ours.iter().any(|known| known == name) {
        return None;
    }
    let bare = |name: &str| name.replace(['_', '-'], "").to_ascii_uppercase();
    let found = bare(name);
    if let Some((_, meant)) = OTHERWISE.iter().find(|(other, _)| *other == found) {
        return Some((*meant).to_owned());
    }
    let first = |name: &str| name.split(['_', '-']).next().unwrap_or_default().to_ascii_uppercase();
    let near = ours.into_iter().filter(|known| bare(known).len() >= SHORTEST && !known.contains("PROXY"));
    near.filter_map(|known| {
        // Each slip makes it longer or shorter by one at most, and this is asked of a whole environment.
        if bare(&known).len().abs_diff(found.chars().count()) > SLIPS {
            return None;
        }
        let slips = strsim::osa_distance(&found, &bare(&known));
        // `ALLOW` and `ALLOWED`, `FIVETRANN` and `FIVETRAN`: the first words are about the same.
        let related = strsim::osa_distance(&first(name), &first(&known)) <= SLIPS || found == bare(&known);
        (slips <= SLIPS && related).then_some((slips, known))
    })
    .min()
    .map(|(_, known)| known)
}

/// The allow-list that a name would have come from a file, as the secrets can.
pub(super) fn list_in_file(name: &str) -> Option<String> {
    let name = name.to_ascii_uppercase();
    let list = name.strip_suffix("_FILE")?;
    let meant = if NAMES.contains(&list) { list.to_owned() } else { meant_by(list)? };
    meant.starts_with("ALLOWED_").then_some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allow_list_in_a_file_is_told_from_other_files() {
        for (name, list) in [
            ("ALLOWED_USERS_FILE", "ALLOWED_USERS"),
            ("ALLOWED_USER_GROUPS_FILE", "ALLOWED_USER_GROUPS"),
            ("ALLOWED_CHANNELS_FILE", "ALLOWED_CHANNELS"),
            ("allowed_user_file", "ALLOWED_USERS"),
        ] {
            assert_eq!(list_in_file(name).as_deref(), Some(list), "{name}");
        }
        for other in ["ALLOWED_USERS", "ALLOWED_HOSTS_FILE", "DATABASE_URL_FILE", "_FILE"] {
            assert_eq!(list_in_file(other), None, "{other}");
        }
    }

    #[test]
    fn a_slip_is_told_from_somebody_elses_variable() {
        for (name, meant) in [
            ("FIVETRAN_APIKEY", "FIVETRAN_API_KEY"),
            ("FIVETRAN_APISECRET", "FIVETRAN_API_SECRET"),
            ("FIVETRAN_APIKEY_FILE", "FIVETRAN_API_KEY_FILE"),
            ("FIVETRAN_KEY", "FIVETRAN_API_KEY"),
            ("fivetran_api_key", "FIVETRAN_API_KEY"),
            ("SLACK_SIGNING_SECRETS", "SLACK_SIGNING_SECRET"),
            ("SLACK_TOKEN", "SLACK_BOT_TOKEN"),
            ("SLACKBOT_TOKEN", "SLACK_BOT_TOKEN"),
            ("ALLOWED_USER", "ALLOWED_USERS"),
            ("ALLOW_USERS", "ALLOWED_USERS"),
            ("allowed_users", "ALLOWED_USERS"),
            ("ALOWED_USERS", "ALLOWED_USERS"),
            ("ALLOWED_CHANNEL", "ALLOWED_CHANNELS"),
            ("ALLOWED_USERGROUPS", "ALLOWED_USER_GROUPS"),
            ("ALLOWED_GROUPS", "ALLOWED_USER_GROUPS"),
            ("LINK_VISIBILTY", "LINK_VISIBILITY"),
            ("PUBLIC_URI", "PUBLIC_URL"),
            ("DATABASE_URI", "DATABASE_URL"),
        ] {
            assert_eq!(meant_by(name).as_deref(), Some(meant), "{name}");
        }
        for other in [
            "HOME",
            "HOSTNAME",
            "HOST",
            "PATH",
            "SLACK_WEBHOOK_URL",
            "SLACK_APP_TOKEN",
            "CONNECT_CARD_PORT",
            "ALLOWED_HOSTS",
            "ALLOWED_ORIGINS",
            "http_proxy",
            "NO_PROXY",
            "FTP_PROXY",
            "RUST_BACKTRACE",
            "LOGNAME",
            "FIVETRAN_API_KEY",
            "DATABASE_URL_FILE",
            "POSTGRES_PASSWORD",
        ] {
            assert_eq!(meant_by(other), None, "{other}");
        }
    }
}
