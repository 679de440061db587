//! What Fivetran's metadata and its catalogue say against the defaults of a service.
//!
//! Owns the verdicts, which of them keep a value from being sent, and their sentences for whoever runs the
//! bot. Pure. Must not know when Fivetran is asked. A sentence never repeats a value.

use std::fmt;

use serde_json::Value;

use super::{PLACES, ServiceDefaults};
use crate::fivetran::catalog::{Catalog, ServiceId};
use crate::fivetran::config_keys::{ConfigKey, ConfigKeys, Type};

/// More slips than this are no misspelling.
const SLIPS: usize = 3;
/// So many of the values that a key takes are told.
const CHOICES_TOLD: usize = 12;
/// So much of each, in characters.
const CHOICE_TOLD: usize = 40;

impl ServiceDefaults {
    /// The services of which metadata can say something: those with values of config keys.
    #[must_use]
    pub fn with_config(&self) -> Vec<ServiceId> {
        let with = self.0.iter().filter(|(_, defaults)| !defaults.config.is_empty());
        with.map(|(service, _)| service.clone()).collect()
    }

    /// What there is to say against a service's config values by what Fivetran knows of its keys, in the
    /// order of the keys; nothing if all is well.
    #[must_use]
    pub fn judge(&self, service: &ServiceId, known: &ConfigKeys) -> Vec<Remark> {
        let config = self.of(service).into_iter().flat_map(|defaults| &defaults.config);
        let judged = config.filter_map(|(key, value)| {
            let verdict = match known.0.get(key) {
                Some(known) => judge(known, value)?,
                None => Verdict::Unknown { meant: meant(key, known) },
            };
            Some(Remark { service: service.clone(), key: key.clone(), verdict })
        });
        judged.collect()
    }

    /// The same without what must not be sent.
    #[must_use]
    pub fn without_what_is_dropped(&self, remarks: &[Remark]) -> Self {
        let mut left = self.clone();
        for remark in remarks.iter().filter(|remark| remark.verdict.drops()) {
            if let Some(defaults) = left.0.get_mut(&remark.service) {
                defaults.config.remove(&remark.key);
            }
        }
        left
    }

    /// What to say of each service that Fivetran does not list, with the service. Not a fault of the
    /// file, since a bot must start without Fivetran.
    pub fn unknown_services(&self, catalog: &Catalog) -> impl Iterator<Item = (&ServiceId, String)> {
        let unknown = self.0.keys().filter(|service| catalog.get(service.as_str()).is_none());
        unknown.map(|service| {
            let hint = catalog.hint(service);
            (
                service,
                format!(
                    "services.{service} is for a service which Fivetran does not list{hint}: correct the id"
                ),
            )
        })
    }
}

/// Something to say against a config value.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    service: ServiceId,
    key: String,
    /// What it is.
    pub verdict: Verdict,
}

/// What Fivetran's metadata has against a config value.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is a secret, and none belongs into a file that is read by whoever runs the bot.
    Secret,
    /// Fivetran alone sets it.
    Readonly,
    /// There is no such key.
    Unknown {
        /// The one that may have been meant.
        meant: Option<String>,
    },
    /// It takes another sort of value.
    Type(Type),
    /// It takes one of these.
    Choice(Vec<Value>),
}

impl Verdict {
    /// Whether the value is not sent. Otherwise it is: the metadata lags behind what Fivetran takes, and
    /// Fivetran has the last word.
    #[must_use]
    pub fn drops(&self) -> bool {
        matches!(self, Self::Secret | Self::Readonly)
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, key, verdict } = self;
        let at = format!("services.{service}.config.{key}");
        match verdict {
            Verdict::Secret => write!(
                f,
                "{at} is a secret by Fivetran's metadata, so it is not sent: remove it; the customer types it on the Connect Card"
            ),
            Verdict::Readonly => {
                write!(f, "{at} is set by Fivetran alone, so it is not sent: remove it")
            }
            Verdict::Unknown { meant } => {
                write!(f, "Fivetran's metadata for {service} has no config key {key}")?;
                meant.as_ref().map_or(Ok(()), |meant| write!(f, " (did you mean {meant}?)"))
            }
            Verdict::Type(wanted) => write!(f, "{at} wants {wanted}"),
            Verdict::Choice(choices) => {
                let told: Vec<_> = choices.iter().take(CHOICES_TOLD).map(bare).collect();
                let more = if choices.len() > CHOICES_TOLD { ", …" } else { "" };
                write!(f, "{at} takes {}{more}", told.join(", "))
            }
        }
    }
}

/// A value as a person reads it, on one line whatever is in it.
fn bare(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().filter(|c| !c.is_control()).take(CHOICE_TOLD).collect()
}

/// What there is to say against a value of a key that is known.
fn judge(known: &ConfigKey, value: &Value) -> Option<Verdict> {
    if known.secret {
        return Some(Verdict::Secret);
    }
    if known.readonly {
        return Some(Verdict::Readonly);
    }
    if let Some(wanted) = known.kind.filter(|kind| !kind.takes(value)) {
        return Some(Verdict::Type(wanted));
    }
    let is_choice = |value: &Value| known.choices.contains(value);
    let one_of = known.choices.is_empty()
        || value.as_array().map_or_else(|| is_choice(value), |items| items.iter().all(is_choice));
    (!one_of).then(|| Verdict::Choice(known.choices.clone()))
}

/// The key that is spelt most like this one, if one is. Nobody is led to a secret.
fn meant(key: &str, known: &ConfigKeys) -> Option<String> {
    let usable = known.0.iter().filter(|(name, known)| {
        let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_word && !known.secret && !known.readonly && !PLACES.contains(&name.as_str())
    });
    let near = usable.map(|(name, _)| (strsim::osa_distance(key, name), name));
    // A short word is soon another one.
    let most = SLIPS.min(key.len() / 3);
    near.filter(|(slips, _)| *slips <= most).min().map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::fivetran::defaults::Defaults;

    fn services(config: Value) -> (ServiceId, ServiceDefaults) {
        let service = ServiceId::parse("google_ads").unwrap();
        let config = config.as_object().unwrap().clone();
        let defaults = Defaults { config, ..Defaults::default() };
        (service.clone(), ServiceDefaults(BTreeMap::from([(service, defaults)])))
    }

    fn known() -> ConfigKeys {
        let text = ConfigKey { kind: Some(Type::Text), ..ConfigKey::default() };
        let months: Vec<_> = ["THREE", "SIX", "TWELVE"].map(Value::from).into();
        let keys = [
            ("schema", text.clone()),
            ("sync_mode", text.clone()),
            ("timeframe_months", ConfigKey { choices: months.clone(), ..text.clone() }),
            ("reports", ConfigKey { kind: Some(Type::List), choices: months, ..text.clone() }),
            ("window", ConfigKey { kind: Some(Type::Integer), ..text.clone() }),
            ("odd", ConfigKey::default()),
            ("client_id", ConfigKey { secret: true, ..text.clone() }),
            ("public_key", ConfigKey { readonly: true, ..text }),
        ];
        ConfigKeys(keys.map(|(name, key)| (name.to_owned(), key)).into())
    }

    fn remarks(config: Value) -> Vec<String> {
        let (service, services) = services(config);
        services.judge(&service, &known()).iter().map(Remark::to_string).collect()
    }

    #[test]
    fn what_the_metadata_knows_is_told_by_the_key_and_never_with_the_value() {
        let good = json!({
            "sync_mode": "any", "timeframe_months": "SIX", "reports": ["SIX", "THREE"], "window": 3, "odd": [1],
        });
        assert_eq!(remarks(good), Vec::<String>::new());
        for (config, told) in [
            (
                json!({"client_id": "canary"}),
                "services.google_ads.config.client_id is a secret by Fivetran's metadata, so it is not sent: remove it; the customer types it on the Connect Card",
            ),
            (
                json!({"public_key": "canary"}),
                "services.google_ads.config.public_key is set by Fivetran alone, so it is not sent: remove it",
            ),
            (
                json!({"sync_mod": "canary"}),
                "Fivetran's metadata for google_ads has no config key sync_mod (did you mean sync_mode?)",
            ),
            (json!({"colour": "canary"}), "Fivetran's metadata for google_ads has no config key colour"),
            (
                json!({"client_ib": "canary"}),
                "Fivetran's metadata for google_ads has no config key client_ib",
            ),
            (json!({"window": "canary"}), "services.google_ads.config.window wants a whole number"),
            (
                json!({"timeframe_months": "canary"}),
                "services.google_ads.config.timeframe_months takes THREE, SIX, TWELVE",
            ),
            (
                json!({"reports": ["SIX", "canary"]}),
                "services.google_ads.config.reports takes THREE, SIX, TWELVE",
            ),
        ] {
            assert_eq!(remarks(config), [told]);
        }
    }

    #[test]
    fn many_choices_and_long_ones_are_cut() {
        let told = |choices: Vec<Value>| {
            let service = ServiceId::parse("s").unwrap();
            Remark { service, key: "k".to_owned(), verdict: Verdict::Choice(choices) }.to_string()
        };
        assert_eq!(
            told((1..=20).map(Value::from).collect()),
            "services.s.config.k takes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …"
        );
        assert_eq!(told(vec![json!("two\nlines"), json!(true)]), "services.s.config.k takes twolines, true");
        assert_eq!(told(vec![json!("x".repeat(99))]).len(), "services.s.config.k takes ".len() + CHOICE_TOLD);
    }

    #[test]
    fn a_secret_and_what_fivetran_sets_are_dropped_and_the_rest_is_sent_all_the_same() {
        let (service, services) = services(json!({
            "client_id": "x", "public_key": "x", "colour": "x", "window": "x", "timeframe_months": "x", "odd": "x",
        }));
        let left = services.without_what_is_dropped(&services.judge(&service, &known()));
        let sent = left.of(&service).unwrap().config.keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(sent, ["colour", "odd", "timeframe_months", "window"]);
    }

    #[test]
    fn a_service_that_fivetran_does_not_list_is_told_with_what_is_meant() {
        let catalog = Catalog::built_in();
        let of = |id: &str| (ServiceId::parse(id).unwrap(), Defaults::default());
        let services = ServiceDefaults(BTreeMap::from([of("adwords"), of("gogle_ads"), of("google_ads")]));
        let told: Vec<_> = services.unknown_services(&catalog).map(|(_, line)| line).collect();
        assert_eq!(
            told,
            [
                "services.adwords is for a service which Fivetran does not list (it is now called google_ads): correct the id",
                "services.gogle_ads is for a service which Fivetran does not list: correct the id",
            ]
        );
    }
}
