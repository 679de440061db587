//! The settings of a connection that a request may give, and the values that each takes: Fivetran's
//! API definition, `NewConnectorRequestV1` and `UpdateConnectorRequest`.
//!
//! Owns those rules. Pure; must not know how connections are kept. The words of the refusals are not
//! Fivetran's, which are not documented.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// Which values a setting takes.
enum Takes {
    Flag,
    OneOf(&'static [&'static str]),
    Minutes(&'static [u64]),
    Number,
    /// In steps of an hour.
    TimeOfDay,
    /// Of something that is the account's own.
    Id,
}

/// What stays with the connection.
const STAYING: &[(&str, Takes)] = &[
    ("paused", Takes::Flag),
    ("pause_after_trial", Takes::Flag),
    ("sync_frequency", Takes::Minutes(&[1, 5, 15, 30, 60, 120, 180, 360, 480, 720, 1440])),
    ("schedule_type", Takes::OneOf(&["auto", "manual"])),
    ("daily_sync_time", Takes::TimeOfDay),
    ("data_delay_sensitivity", Takes::OneOf(&["LOW", "NORMAL", "HIGH", "CUSTOM", "SYNC_FREQUENCY"])),
    ("data_delay_threshold", Takes::Number),
    ("networking_method", Takes::OneOf(&["Directly", "PrivateLink", "SshTunnel", "ProxyAgent"])),
    ("hybrid_deployment_agent_id", Takes::Id),
    ("proxy_agent_id", Takes::Id),
    ("private_link_id", Takes::Id),
];

/// What is only about this request.
const PASSING: [&str; 3] = ["run_setup_tests", "trust_certificates", "trust_fingerprints"];

/// What a request sets.
pub(crate) struct Settings {
    /// Those that stay, by the names of their fields.
    pub(crate) staying: Map<String, Value>,
    /// Whether the setup is tested at once, which it is by default.
    pub(crate) tested: bool,
}

/// Reads what a request sets. What it has besides is not looked at, as Fivetran does not: a script of
/// theirs sends `Paused`.
pub(crate) fn read(request: &Value) -> Result<Settings, Refusal> {
    let mut staying = Map::new();
    for (name, takes) in STAYING {
        if let Some(value) = request.get(*name).filter(|value| !value.is_null()) {
            let value = takes.read(value).ok_or_else(|| invalid(value, name))?;
            staying.insert((*name).to_owned(), value);
        }
    }
    for name in PASSING {
        flag(request, name)?;
    }
    let tested = flag(request, "run_setup_tests")?.unwrap_or(true);
    Ok(Settings { staying, tested })
}

/// A boolean, which may be text: stackql-provider-fivetran's notes, 10, saw both taken.
pub(crate) fn flag(holder: &Value, name: &str) -> Result<Option<bool>, Refusal> {
    match &holder[name] {
        Value::Null => Ok(None),
        value => boolean(value).map(Some).ok_or_else(|| invalid(value, name)),
    }
}

fn invalid(value: &Value, name: &str) -> Refusal {
    Refusal::invalid(format!("Invalid value '{value}' of field '{name}'"))
}

fn boolean(value: &Value) -> Option<bool> {
    match value.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => value.as_bool(),
    }
}

/// A number, which may be text too.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Takes {
    /// The value as it is kept, or `None` for one that is not taken.
    fn read(&self, value: &Value) -> Option<Value> {
        match self {
            Self::Flag => boolean(value).map(|flag| json!(flag)),
            Self::OneOf(known) => value.as_str().filter(|text| known.contains(text)).map(|text| json!(text)),
            Self::Minutes(known) => {
                number(value).filter(|minutes| known.contains(minutes)).map(|minutes| json!(minutes))
            }
            Self::Number => number(value).map(|number| json!(number)),
            Self::Id => value.as_str().filter(|id| !id.is_empty()).map(|id| json!(id)),
            Self::TimeOfDay => {
                let hour = value.as_str()?.strip_suffix(":00").filter(|hour| hour.len() == 2)?;
                hour.parse::<u8>().ok().filter(|hour| *hour < 24).map(|_| value.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_takes_its_own_values() {
        for (name, well, ill) in [
            ("paused", json!([true, "false"]), json!(["yes", 1])),
            ("sync_frequency", json!([360, "1440"]), json!([7, "often", -1])),
            ("schedule_type", json!(["auto"]), json!(["never", true])),
            ("daily_sync_time", json!(["00:00", "23:00"]), json!(["24:00", "7:00", "07:30"])),
            ("data_delay_sensitivity", json!(["LOW"]), json!(["low"])),
            ("data_delay_threshold", json!([0, "15"]), json!(["a while"])),
            ("networking_method", json!(["Directly"]), json!(["directly"])),
            ("proxy_agent_id", json!(["calm_delta"]), json!(["", 5])),
            ("run_setup_tests", json!([false, "true"]), json!(["no", {}])),
        ] {
            for value in well.as_array().unwrap() {
                assert!(read(&json!({ name: value })).is_ok(), "{name} {value}");
            }
            for value in ill.as_array().unwrap() {
                let refused = read(&json!({ name: value })).err().map(|refusal| refusal.status);
                assert_eq!(refused, Some(400), "{name} {value}");
            }
        }
    }

    #[test]
    fn text_is_kept_as_what_it_means() {
        let settings = json!({ "paused": "true", "sync_frequency": "60", "run_setup_tests": "false" });
        let settings = read(&settings).ok().unwrap();
        assert_eq!(json!(settings.staying), json!({ "paused": true, "sync_frequency": 60 }));
        assert!(!settings.tested);
        assert!(read(&json!({ "Paused": "false" })).ok().unwrap().staying.is_empty());
    }
}
