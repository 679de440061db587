//! `[services.ID]` of the file that `CONFIG` names: what connections of a service are made with.
//!
//! Owns the keys of such a table, their shapes and remedies, and what sounds like a secret: none belongs
//! into the file. Must not know which config keys a service has.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};
use toml::{Table, Value};

use super::{Walk, path, quoted};
use crate::fivetran::catalog::ServiceId;
use crate::fivetran::defaults::{Defaults, NetworkingMethod, PLACES, SYNC_FREQUENCIES, ServiceDefaults, Way};
use crate::fivetran::model;

/// Most config keys of one service, more than any has that is not told by a customer.
const CONFIG_KEYS: usize = 50;
/// Longest config of one service, in bytes of JSON: it goes with each of its connections.
const CONFIG_BYTES: usize = 4096;
/// Words of a key whose value nobody but the customer should know, in the singular.
const SECRET_WORDS: [&str; 9] =
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "credential", "apikey", "passcode"];
/// Ends of such a key, in the singular.
const SECRET_ENDS: [&str; 6] =
    ["api_key", "private_key", "access_key", "secret_key", "encryption_key", "consumer_key"];

/// Why a config value is not taken: the problem and the remedy.
type Refused = (&'static str, &'static str);

const ODD_KEY: Refused = ("is not a config key", "use Fivetran's name for it: a–z, 0–9 and _");
const PLACE: Refused = ("says where data goes", "remove it; the command says that");
const SECRET: Refused = (
    "sounds like a secret, and none belongs in this file",
    "remove it; the customer types it on the Connect Card",
);
const ODD_VALUE: Refused =
    ("is neither text, a number, true or false, nor a list of these", "write config = { key = \"value\" }");

impl Walk<'_> {
    /// What the file says of services.
    pub(super) fn service_defaults(&mut self, table: &Table) -> ServiceDefaults {
        let mut services = ServiceDefaults::default();
        for (name, value) in self.section(table, "services").into_iter().flatten() {
            let at = path(&["services", name]);
            let service = ServiceId::parse(name).ok();
            if service.is_none() {
                self.fault(
                    &at,
                    "is not a service id",
                    "use the id, such as google_ads, from the address of its page in Fivetran's documentation",
                );
            }
            let Some(table) = value.as_table() else {
                self.fault(&at, "is not a table", "write [services.ID] with the keys below it");
                continue;
            };
            let defaults = self.defaults(&at, table);
            if let Some(service) = service.filter(|_| defaults != Defaults::default()) {
                services.0.insert(service, defaults);
            }
        }
        services
    }

    fn defaults(&mut self, at: &str, table: &Table) -> Defaults {
        let mut known =
            vec!["config", "hide_setup_guide", "all_fields", "sync_frequency", "networking_method"];
        known.extend(Way::ALL.map(Way::field));
        self.known(table, at, &known);
        let config = table.get("config").map(|value| self.config(&format!("{at}.config"), value));
        let mut reached_by = BTreeMap::new();
        for way in Way::ALL {
            if let Some(id) = self.id(at, table, way.field()) {
                reached_by.insert(way, id);
            }
        }
        Defaults {
            config: config.unwrap_or_default(),
            hide_setup_guide: self.flag(at, table, "hide_setup_guide"),
            all_fields: self.flag(at, table, "all_fields"),
            sync_frequency: self.sync_frequency(at, table),
            networking_method: self.networking_method(at, table),
            reached_by,
        }
    }

    fn flag(&mut self, at: &str, table: &Table, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        if value.as_bool().is_none() {
            let (problem, remedy) = ("is neither true nor false", "write one of the two, without quotes");
            self.fault(&format!("{at}.{key}"), problem, remedy);
        }
        value.as_bool()
    }

    fn id(&mut self, at: &str, table: &Table, key: &str) -> Option<String> {
        let id = table.get(key)?.as_str().filter(|id| model::is_id(id));
        if id.is_none() {
            self.fault(&format!("{at}.{key}"), "is not an id", "copy it from its page at fivetran.com");
        }
        id.map(str::to_owned)
    }

    fn sync_frequency(&mut self, at: &str, table: &Table) -> Option<u16> {
        let minutes =
            table.get("sync_frequency")?.as_integer().and_then(|minutes| u16::try_from(minutes).ok());
        let known = minutes.filter(|minutes| SYNC_FREQUENCIES.contains(minutes));
        if known.is_none() {
            let known = SYNC_FREQUENCIES.map(|minutes| minutes.to_string()).join(", ");
            self.fault(
                &format!("{at}.sync_frequency"),
                "is not how often Fivetran can sync",
                &format!("write one of these minutes, without quotes: {known}"),
            );
        }
        known
    }

    fn networking_method(&mut self, at: &str, table: &Table) -> Option<NetworkingMethod> {
        let word = table.get("networking_method")?.as_str();
        let known = NetworkingMethod::ALL.into_iter().find(|method| Some(method.as_str()) == word);
        if known.is_none() {
            let words = NetworkingMethod::ALL.map(|method| format!("{:?}", method.as_str())).join(", ");
            self.fault(
                &format!("{at}.networking_method"),
                "is not a way in which Fivetran reaches a source",
                &format!("write one of {words}"),
            );
        }
        known
    }

    fn config(&mut self, at: &str, value: &Value) -> Map<String, Json> {
        let mut config = Map::new();
        let Some(table) = value.as_table() else {
            self.fault(at, "is not a table", "write config = { key = \"value\" }");
            return config;
        };
        for (key, value) in table {
            match config_value(key, value) {
                Ok(value) => {
                    config.insert(key.clone(), value);
                }
                Err((problem, remedy)) => self.fault(&format!("{at}.{}", quoted(key)), problem, remedy),
            }
        }
        let fewer = "keep what every connection of the service needs";
        if table.len() > CONFIG_KEYS {
            self.fault(at, &format!("has more than {CONFIG_KEYS} keys"), fewer);
        }
        if serde_json::to_vec(&config).is_ok_and(|json| json.len() > CONFIG_BYTES) {
            self.fault(at, "is longer than 4 kB", fewer);
        }
        config
    }
}

/// The value of a config key, if it may stand in the file.
fn config_value(key: &str, value: &Value) -> Result<Json, Refused> {
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(ODD_KEY);
    }
    if PLACES.contains(&key) {
        return Err(PLACE);
    }
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if names_a_secret(key) || items.iter().filter_map(Value::as_str).any(is_a_secret) {
        return Err(SECRET);
    }
    let items: Option<Vec<_>> = items.iter().map(plain).collect();
    let json = if value.is_array() { items.map(Json::Array) } else { plain(value) };
    json.ok_or(ODD_VALUE)
}

/// Whether a key sounds like one of a secret. A few are none, as `token_url`: rather one value too many
/// typed on the card than one secret in a file.
fn names_a_secret(key: &str) -> bool {
    let singular = |text: &'_ str| text.strip_suffix('s').unwrap_or(text).to_owned();
    let mut words = key.split('_').map(|word| (word, singular(word)));
    let is_secret = |text: &str| SECRET_WORDS.contains(&text);
    words.any(|(word, one)| is_secret(word) || is_secret(&one))
        || SECRET_ENDS.iter().any(|end| key.ends_with(end) || singular(key).ends_with(end))
}

/// Whether a text is a key in PEM, or an address with a password in it.
fn is_a_secret(text: &str) -> bool {
    let with_password =
        |(_, rest): (&str, &str)| rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    text.trim_start().starts_with("-----BEGIN") || text.split_once("://").is_some_and(with_password)
}

/// A text, a number, true or false.
fn plain(value: &Value) -> Option<Json> {
    match value {
        Value::String(text) => Some(Json::from(text.as_str())),
        Value::Integer(number) => Some(Json::from(*number)),
        // What is infinite, or no number, JSON cannot say.
        Value::Float(number) => Number::from_f64(*number).map(Json::Number),
        Value::Boolean(flag) => Some(Json::from(*flag)),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Faults;
    use crate::config::file::read;

    fn of(text: &str, service: &str) -> Defaults {
        let (file, faults) = read("customers.toml", text);
        assert_eq!(faults, Vec::new());
        file.services.of(&ServiceId::parse(service).unwrap()).cloned().unwrap_or_default()
    }

    /// What is told of a file, without the file's name.
    fn told(text: &str) -> Vec<String> {
        let told = Faults(read("customers.toml", text).1).to_string();
        told.lines().map(|line| line.trim_start_matches("customers.toml: ").to_owned()).collect()
    }

    const EXAMPLE: &str = r#"
        [services.google_ads]
        sync_frequency = 60
        hide_setup_guide = true
        config = { sync_mode = "SpecificAccounts", timeframe_months = "TWELVE", window = 30, ratio = 0.5 }

        [services.postgres]
        networking_method = "ProxyAgent"
        proxy_agent_id = "calm_delta"
        hybrid_deployment_agent_id = "steadfast_otter"
        private_link_id = "wide_river"
        all_fields = false
        config.always_encrypted = true
        config.update_methods = ["XMIN", "WAL"]

        [services.stripe]
    "#;

    #[test]
    fn what_is_written_for_two_services_is_read_for_each() {
        let config = json!({
            "sync_mode": "SpecificAccounts", "timeframe_months": "TWELVE", "window": 30, "ratio": 0.5,
        });
        assert_eq!(
            of(EXAMPLE, "google_ads"),
            Defaults {
                config: config.as_object().unwrap().clone(),
                hide_setup_guide: Some(true),
                sync_frequency: Some(60),
                ..Defaults::default()
            }
        );
        let config = json!({ "always_encrypted": true, "update_methods": ["XMIN", "WAL"] });
        let ids = [
            (Way::HybridDeploymentAgent, "steadfast_otter"),
            (Way::ProxyAgent, "calm_delta"),
            (Way::PrivateLink, "wide_river"),
        ];
        assert_eq!(
            of(EXAMPLE, "postgres"),
            Defaults {
                config: config.as_object().unwrap().clone(),
                all_fields: Some(false),
                networking_method: Some(NetworkingMethod::ProxyAgent),
                reached_by: ids.map(|(way, id)| (way, id.to_owned())).into(),
                ..Defaults::default()
            }
        );
    }

    #[test]
    fn a_table_that_says_nothing_is_none() {
        assert_eq!(read("customers.toml", EXAMPLE).0.services.0.len(), 2, "stripe has none");
        assert_eq!(of("[services]", "stripe"), Defaults::default());
    }

    #[test]
    fn each_fault_has_its_remedy() {
        for (line, told_of_it) in [
            (
                "hide_setup_guide = \"canary\"",
                "hide_setup_guide is neither true nor false: write one of the two, without quotes",
            ),
            ("all_fields = 1", "all_fields is neither true nor false: write one of the two, without quotes"),
            (
                "sync_frequency = 7",
                "sync_frequency is not how often Fivetran can sync: write one of these minutes, without quotes: 1, 5, 15, 30, 60, 120, 180, 360, 480, 720, 1440",
            ),
            (
                "networking_method = \"canary\"",
                r#"networking_method is not a way in which Fivetran reaches a source: write one of "Directly", "PrivateLink", "SshTunnel", "ProxyAgent""#,
            ),
            (
                "hybrid_deployment_agent_id = \"can ary\"",
                "hybrid_deployment_agent_id is not an id: copy it from its page at fivetran.com",
            ),
            ("proxy_agent_id = 5", "proxy_agent_id is not an id: copy it from its page at fivetran.com"),
            ("private_link_id = \"\"", "private_link_id is not an id: copy it from its page at fivetran.com"),
            ("config = \"canary\"", "config is not a table: write config = { key = \"value\" }"),
            (
                "config = { Sync_Mode = \"canary\" }",
                "config.Sync_Mode is not a config key: use Fivetran's name for it: a–z, 0–9 and _",
            ),
            (
                "config = { schema = \"canary\" }",
                "config.schema says where data goes: remove it; the command says that",
            ),
            (
                "config = { developer_token = \"canary\" }",
                "config.developer_token sounds like a secret, and none belongs in this file: remove it; the customer types it on the Connect Card",
            ),
            (
                "config = { since = 1979-05-27 }",
                "config.since is neither text, a number, true or false, nor a list of these: write config = { key = \"value\" }",
            ),
        ] {
            assert_eq!(
                told(&format!("[services.s]\n{line}")),
                [format!("services.s.{told_of_it}")],
                "{line}"
            );
        }
        let unknown = told("[services.s]\ncanary = 1");
        assert!(unknown[0].starts_with("services.s.canary is not a known key: "), "{unknown:?}");
        assert!(
            unknown[0]
                .ends_with("networking_method, hybrid_deployment_agent_id, proxy_agent_id, private_link_id")
        );
        assert_eq!(
            told("services = 1"),
            ["services is not a table: write [services.…] with the keys below it"]
        );
        assert_eq!(
            told("[services]\nstripe = 1"),
            ["services.stripe is not a table: write [services.ID] with the keys below it"]
        );
        assert_eq!(
            told("[services.\"Google Ads\"]\nall_fields = 1").len(),
            2,
            "what is below a bad name is read all the same"
        );
    }

    #[test]
    fn a_sync_frequency_is_one_of_fivetrans_numbers() {
        for minutes in SYNC_FREQUENCIES {
            let text = format!("[services.s]\nsync_frequency = {minutes}");
            assert_eq!(of(&text, "s").sync_frequency, Some(minutes));
        }
        for odd in ["0", "2", "-60", "65596", "60.0", "\"60\"", "true"] {
            assert_eq!(told(&format!("[services.s]\nsync_frequency = {odd}")).len(), 1, "{odd}");
        }
    }

    #[test]
    fn a_config_value_is_plain_or_a_list_of_plain_ones() {
        for odd in ["inf", "nan", "07:32:00", "[[1]]", "[{ a = 1 }]", "{ a = 1 }", "[nan]"] {
            let told = told(&format!("[services.s.config]\nkey = {odd}"));
            assert!(told.len() == 1 && told[0].contains("is neither text"), "{odd}: {told:?}");
        }
        for place in PLACES {
            assert!(
                told(&format!("[services.s.config]\n{place} = \"x\""))[0].contains("says where data goes")
            );
        }
    }

    #[test]
    fn a_config_has_its_limits() {
        let keys = |count: usize, value: &str| {
            let lines: Vec<_> = (0..count).map(|at| format!("k{at} = \"{value}\"")).collect();
            told(&format!("[services.s.config]\n{}", lines.join("\n")))
        };
        assert_eq!(keys(50, "x"), Vec::<String>::new());
        assert_eq!(keys(51, "x").len(), 1);
        assert!(keys(51, "x")[0].starts_with("services.s.config has more than 50 keys: "));
        // `{"k0":"…"}` takes nine bytes more than the value.
        assert_eq!(keys(1, &"x".repeat(4096 - 9)), Vec::<String>::new());
        assert!(keys(1, &"x".repeat(4096 - 8))[0].starts_with("services.s.config is longer than 4 kB: "));
    }

    #[test]
    fn what_sounds_like_a_secret_is_kept_out() {
        for word in SECRET_WORDS {
            for key in [word.to_owned(), format!("my_{word}"), format!("{word}_url"), format!("all_{word}s")]
            {
                assert!(names_a_secret(&key), "{key}");
            }
            assert!(!names_a_secret(&format!("un{word}ed")), "{word}");
        }
        for end in SECRET_ENDS {
            for key in [end.to_owned(), format!("my_{end}"), format!("my{end}s")] {
                assert!(names_a_secret(&key), "{key}");
            }
        }
        for key in ["keyspace", "primary_keys", "secretary", "access_key_id", "sync_mode", "pass"] {
            assert!(!names_a_secret(key), "{key}");
        }
        for text in ["-----BEGIN PRIVATE KEY-----", "https://user:canary@host/", "jdbc:x://a:b/c@d"] {
            assert!(is_a_secret(text), "{text}");
            for value in [format!("{text:?}"), format!("[\"x\", {text:?}]")] {
                let told = told(&format!("[services.s.config]\nkey = {value}"));
                assert!(told.len() == 1 && told[0].contains("sounds like a secret"), "{value}: {told:?}");
            }
        }
        for text in ["https://host:8080/path", "someone@example.com", "ssh://git@host/path", "a:b@c", ""] {
            assert!(!is_a_secret(text), "{text}");
        }
    }

    #[test]
    fn no_fault_repeats_a_value() {
        let faults = told(
            r#"
            [services.google_ads]
            colour = "canary"
            sync_frequency = "canary"
            networking_method = "canary"
            hybrid_deployment_agent_id = "can/ary"
            hide_setup_guide = "canary"
            all_fields = "canary"
            [services.google_ads.config]
            schema = "canary"
            password = "canary"
            address = "https://canary:canary@canary"
            nested = { deeper = "canary" }
            "Odd Key" = "canary"
            [services.stripe]
            config = "canary"
            "#,
        );
        assert_eq!(faults.len(), 12, "{faults:#?}");
        assert!(!faults.concat().contains("ary"), "{faults:#?}");
    }
}
