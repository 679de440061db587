//! What connections of a service are made with, besides where their data goes.
//!
//! Owns which of Fivetran's settings these are, and where each stands in a body; `judge` has what
//! Fivetran's own metadata says against them. Pure. Must not know how `CONFIG` is written.

mod judge;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::fivetran::catalog::ServiceId;
pub use judge::{Remark, Verdict};

/// How often a connection can sync, in minutes.
/// <https://fivetran.com/docs/rest-api/api-reference/connections/create-connection>
pub const SYNC_FREQUENCIES: [u16; 11] = [1, 5, 15, 30, 60, 120, 180, 360, 480, 720, 1440];
/// The config keys that say where data goes, whatever the service.
pub const PLACES: [&str; 4] = ["schema", "table", "schema_prefix", "table_group_name"];

/// What every connection of one service is made with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Values of the service's own config keys; never one of [`PLACES`].
    pub config: Map<String, Value>,
    /// Whether the Connect Card leaves the setup guide out.
    pub hide_setup_guide: Option<bool>,
    /// Whether the Connect Card shows what it otherwise hides of some services.
    pub all_fields: Option<bool>,
    /// One of [`SYNC_FREQUENCIES`].
    pub sync_frequency: Option<u16>,
    /// How Fivetran reaches the source.
    pub networking_method: Option<NetworkingMethod>,
    /// What it is reached by.
    pub reached_by: BTreeMap<Way, String>,
}

/// How Fivetran reaches a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkingMethod {
    /// Over the internet.
    Directly,
    /// Over a private link.
    PrivateLink,
    /// By an SSH tunnel.
    SshTunnel,
    /// By a proxy agent.
    ProxyAgent,
}

impl NetworkingMethod {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Directly, Self::PrivateLink, Self::SshTunnel, Self::ProxyAgent];

    /// Fivetran's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directly => "Directly",
            Self::PrivateLink => "PrivateLink",
            Self::SshTunnel => "SshTunnel",
            Self::ProxyAgent => "ProxyAgent",
        }
    }
}

/// Something of the account's own that stands between Fivetran and a source, and has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// An agent that moves the data itself.
    HybridDeploymentAgent,
    /// The agent of [`NetworkingMethod::ProxyAgent`].
    ProxyAgent,
    /// The link of [`NetworkingMethod::PrivateLink`].
    PrivateLink,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HybridDeploymentAgent, Self::ProxyAgent, Self::PrivateLink];

    /// The field that its id stands in.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::HybridDeploymentAgent => "hybrid_deployment_agent_id",
            Self::ProxyAgent => "proxy_agent_id",
            Self::PrivateLink => "private_link_id",
        }
    }
}

impl Defaults {
    /// Puts into the body of a creation what does not stand there yet. What says where the data goes
    /// does, so that no default can ever move a connection; and the card is [`card_config`]'s.
    pub(super) fn put_into(&self, body: &mut Value) {
        let Some(body) = body.as_object_mut() else { return };
        if let Some(config) = body.get_mut("config").and_then(Value::as_object_mut) {
            for (key, value) in &self.config {
                config.entry(key).or_insert_with(|| value.clone());
            }
        }
        if let Some(minutes) = self.sync_frequency {
            body.insert("sync_frequency".to_owned(), json!(minutes));
        }
        if let Some(method) = self.networking_method {
            body.insert("networking_method".to_owned(), json!(method.as_str()));
        }
        for (way, id) in &self.reached_by {
            body.insert(way.field().to_owned(), json!(id));
        }
    }
}

/// The `connect_card_config` of a card that leads back to this address.
pub(super) fn card_config(defaults: Option<&Defaults>, redirect_uri: &str) -> Value {
    let mut card = Map::from_iter([("redirect_uri".to_owned(), json!(redirect_uri))]);
    if let Some(hide) = defaults.and_then(|defaults| defaults.hide_setup_guide) {
        card.insert("hide_setup_guide".to_owned(), json!(hide));
    }
    if let Some(all) = defaults.and_then(|defaults| defaults.all_fields) {
        card.insert("all_fields".to_owned(), json!(all));
    }
    Value::Object(card)
}

/// By service; most have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceDefaults(pub BTreeMap<ServiceId, Defaults>);

impl ServiceDefaults {
    /// Those of one service.
    #[must_use]
    pub fn of(&self, service: &ServiceId) -> Option<&Defaults> {
        self.0.get(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fivetran::NewConnection;
    use crate::fivetran::schema::{SchemaKind, Target};

    const HOME: &str = "https://bot.example/connected/1";

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn all() -> Defaults {
        Defaults {
            config: map(json!({"sync_mode": "SpecificAccounts", "accounts": ["1", "2"], "window": 30})),
            hide_setup_guide: Some(true),
            all_fields: Some(false),
            sync_frequency: Some(60),
            networking_method: Some(NetworkingMethod::ProxyAgent),
            reached_by: Way::ALL.map(|way| (way, format!("{way:?}"))).into(),
        }
    }

    fn body(defaults: Option<&Defaults>, kind: SchemaKind) -> Value {
        let service = ServiceId::parse("google_ads").unwrap();
        let target = Target::parse("acme").unwrap();
        let group_id = "g";
        NewConnection { service: &service, group_id, target: &target, kind, redirect_uri: HOME, defaults }
            .body()
    }

    #[test]
    fn without_defaults_a_body_is_to_the_letter_what_it_was() {
        let literal = r#"{"config":{"schema":"acme"},"connect_card_config":{"redirect_uri":"https://bot.example/connected/1"},"destination_schema_names":"FIVETRAN_NAMING","group_id":"g","paused":false,"run_setup_tests":false,"service":"google_ads"}"#;
        assert_eq!(body(None, SchemaKind::Schema).to_string(), literal);
        assert_eq!(body(Some(&Defaults::default()), SchemaKind::Schema).to_string(), literal);
        let card = r#"{"redirect_uri":"https://bot.example/connected/1"}"#;
        assert_eq!(card_config(None, HOME).to_string(), card);
    }

    #[test]
    fn each_setting_stands_where_fivetran_reads_it() {
        let card = json!({ "redirect_uri": HOME, "hide_setup_guide": true, "all_fields": false });
        assert_eq!(
            body(Some(&all()), SchemaKind::Schema),
            json!({
                "service": "google_ads",
                "group_id": "g",
                "run_setup_tests": false,
                "paused": false,
                "destination_schema_names": "FIVETRAN_NAMING",
                "sync_frequency": 60,
                "networking_method": "ProxyAgent",
                "hybrid_deployment_agent_id": "HybridDeploymentAgent",
                "proxy_agent_id": "ProxyAgent",
                "private_link_id": "PrivateLink",
                "config": {
                    "schema": "acme", "sync_mode": "SpecificAccounts", "accounts": ["1", "2"], "window": 30,
                },
                "connect_card_config": card,
            })
        );
        assert_eq!(card_config(Some(&all()), HOME), card);
    }

    #[test]
    fn no_default_moves_a_connection() {
        for kind in [SchemaKind::Schema, SchemaKind::Prefix] {
            let config = map(json!({"schema": "elsewhere", "schema_prefix": "elsewhere", "region": "EU"}));
            let sent = body(Some(&Defaults { config, ..Defaults::default() }), kind);
            assert_eq!(sent["config"][kind.config_keys()[0]], "acme", "{kind:?}");
            assert_eq!(sent["config"]["region"], "EU", "{kind:?}");
        }
    }
}
