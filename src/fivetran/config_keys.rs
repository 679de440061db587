//! What Fivetran's metadata says of a service: which config keys it has, and what each of them takes.
//!
//! Owns what can be believed of it. Only by which keys there are is judged where data goes, so without
//! those an answer is of no use; what else cannot be read is not known. Pure: must not know who asks.
//! <https://fivetran.com/docs/rest-api/api-reference/connector-metadata>

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fivetran::catalog;
use crate::fivetran::lenient;
use crate::fivetran::schema::SchemaKind;

/// A service's metadata: a JSON schema of its config, and one of its authorisation.
#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    config: Option<ConfigSchema>,
    #[serde(default)]
    auth: Value,
}

#[derive(Default, Deserialize)]
struct ConfigSchema {
    #[serde(default)]
    required: Value,
    // Needed: by which keys there are, people's words are judged.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    properties: Map<String, Value>,
}

impl Metadata {
    pub(super) fn schema_kind(self) -> SchemaKind {
        let ConfigSchema { required, properties } = self.config.unwrap_or_default();
        let required = required.as_array().into_iter().flatten();
        let required: Vec<_> = required.filter_map(Value::as_str).collect();
        let properties: Vec<_> = properties.keys().map(String::as_str).collect();
        catalog::config_kind(&required, &properties)
    }

    /// The keys of the config, and of the authorisation, which all are secrets or a consent. `None` if
    /// it tells none of the config's: a service without any could not say where data goes.
    pub(super) fn config_keys(self) -> Option<ConfigKeys> {
        let config = self.config.unwrap_or_default().properties;
        if config.is_empty() {
            return None;
        }
        let mut keys = BTreeMap::new();
        let mut schemas = vec![&self.auth];
        while let Some(schema) = schemas.pop() {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                keys.insert(name.clone(), ConfigKey { secret: true, ..ConfigKey::default() });
                schemas.push(schema);
            }
        }
        // Of a name that stands in both, the config's word counts: that is where the key is written.
        keys.extend(config.into_iter().map(|(name, schema)| (name, ConfigKey::of(&schema))));
        Some(ConfigKeys(keys))
    }
}

/// The config keys of a service, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigKeys(pub BTreeMap<String, ConfigKey>);

/// What is known of a config key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigKey {
    /// What sort of value it takes; `None` if that is not known.
    pub kind: Option<Type>,
    /// The values that it takes, or that its list may hold; empty: any.
    pub choices: Vec<Value>,
    /// Whether nobody but the customer should know its value.
    pub secret: bool,
    /// Whether Fivetran alone sets it.
    pub readonly: bool,
}

impl ConfigKey {
    fn of(schema: &Value) -> Self {
        let items = &schema["items"];
        let choices = [schema, items].into_iter().find_map(|schema| schema["enum"].as_array());
        Self {
            kind: schema["type"].as_str().and_then(Type::named),
            choices: choices.cloned().unwrap_or_default(),
            secret: [schema, items].into_iter().any(|schema| schema["format"] == "password"),
            readonly: schema["readonly"] == true,
        }
    }
}

/// A sort of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    Text,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `boolean`.
    Flag,
    /// `array`.
    List,
    /// `object`.
    Object,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Flag,
            "array" => Self::List,
            "object" => Self::Object,
            _ => return None,
        })
    }

    /// Whether a value is of this sort.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text, in quotes",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::List => "a list",
            Self::Object => "values with names of their own, which this file cannot say",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(metadata: &Value) -> Option<ConfigKeys> {
        serde_json::from_value::<Metadata>(metadata.clone()).unwrap().config_keys()
    }

    /// As Fivetran's documentation shows it, cut to what is looked at.
    fn metadata() -> Value {
        json!({
            "config": {
                "required": ["schema"],
                "properties": {
                    "schema": {"type": "string", "readonly": false, "immutable": true},
                    "sync_mode": {"type": "string", "enum": ["AllAccounts", "SpecificAccounts"]},
                    "window": {"type": "integer", "format": "int32"},
                    "accounts": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "pass_phrases": {"type": "array", "items": {"type": "string", "format": "password"}},
                    "password": {"type": "string", "format": "password", "nullable": true},
                    "public_key": {"type": "string", "readonly": true},
                    "both": {"type": "boolean"},
                },
            },
            "auth": {"type": "object", "properties": {
                "both": {"type": "string"},
                "client_access": {"type": "object", "properties": {"client_id": {"type": "string"}}},
            }},
        })
    }

    #[test]
    fn the_keys_of_a_service_are_read_with_what_each_takes() {
        let ConfigKeys(keys) = keys(&metadata()).unwrap();
        let key = |name: &str| keys.get(name).cloned().unwrap_or_else(|| panic!("{name}"));
        let plain = |kind| ConfigKey { kind: Some(kind), ..ConfigKey::default() };
        assert_eq!(key("schema"), plain(Type::Text));
        assert_eq!(key("window"), plain(Type::Integer));
        let choices = vec![json!("AllAccounts"), json!("SpecificAccounts")];
        assert_eq!(key("sync_mode"), ConfigKey { choices, ..plain(Type::Text) });
        let choices = vec![json!("a"), json!("b")];
        assert_eq!(key("accounts"), ConfigKey { choices, ..plain(Type::List) });
        assert_eq!(key("password"), ConfigKey { secret: true, ..plain(Type::Text) });
        assert_eq!(key("pass_phrases"), ConfigKey { secret: true, ..plain(Type::List) });
        assert_eq!(key("public_key"), ConfigKey { readonly: true, ..plain(Type::Text) });
        for name in ["client_access", "client_id"] {
            assert_eq!(key(name), ConfigKey { secret: true, ..ConfigKey::default() }, "{name}");
        }
        assert_eq!(key("both"), plain(Type::Flag), "the config's word counts");
    }

    #[test]
    fn what_cannot_be_read_is_not_known_and_costs_no_other_key() {
        let whole = metadata();
        for odd in [json!(null), json!(["string"]), json!("odd"), json!(5), json!({"odd": [1]})] {
            for (path, unknown) in [
                ("/config/properties/sync_mode", ConfigKey::default()),
                (
                    "/config/properties/sync_mode/type",
                    ConfigKey {
                        kind: None,
                        choices: vec![json!("AllAccounts"), json!("SpecificAccounts")],
                        ..ConfigKey::default()
                    },
                ),
            ] {
                let mut metadata = whole.clone();
                *metadata.pointer_mut(path).unwrap() = odd.clone();
                let ConfigKeys(keys) = keys(&metadata).unwrap();
                assert_eq!(keys["sync_mode"], unknown, "{path} is {odd}");
                assert_eq!(keys["window"].kind, Some(Type::Integer), "{path} is {odd}");
            }
            for path in ["/config/properties/password/format", "/config/properties/public_key/readonly"] {
                let mut metadata = whole.clone();
                *metadata.pointer_mut(path).unwrap() = odd.clone();
                let ConfigKeys(keys) = keys(&metadata).unwrap();
                let name = path.rsplit('/').nth(1).unwrap();
                assert!(!keys[name].secret && !keys[name].readonly, "{path} is {odd}");
            }
            let mut metadata = whole.clone();
            metadata["auth"] = odd.clone();
            let ConfigKeys(keys) = keys(&metadata).unwrap();
            assert!(!keys.contains_key("client_id") && keys["password"].secret, "auth is {odd}");
        }
        // A list is not a choice of one.
        let mut metadata = whole;
        metadata["config"]["properties"]["sync_mode"]["enum"] = json!("AllAccounts");
        assert_eq!(keys(&metadata).unwrap().0["sync_mode"].choices, Vec::<Value>::new());
    }

    #[test]
    fn without_keys_of_the_config_nothing_is_known() {
        for metadata in [
            json!({}),
            json!({"config": null}),
            json!({"config": {"properties": {}}}),
            json!({"config": {}, "auth": {"properties": {"token": {}}}}),
        ] {
            assert_eq!(keys(&metadata), None, "{metadata}");
        }
    }

    #[test]
    fn a_value_is_of_its_own_sort_alone() {
        let values = [json!("5"), json!(5), json!(0.5), json!(true), json!(["5"]), json!({})];
        for (name, taken) in [
            ("string", vec![0]),
            ("integer", vec![1]),
            ("number", vec![1, 2]),
            ("boolean", vec![3]),
            ("array", vec![4]),
            ("object", vec![5]),
        ] {
            let kind = Type::named(name).unwrap();
            let takes = |(at, value)| Type::takes(kind, value).then_some(at);
            assert_eq!(values.iter().enumerate().filter_map(takes).collect::<Vec<_>>(), taken, "{name}");
        }
        assert_eq!(Type::named("String"), None);
    }
}
