//! The services that the stand-in offers, and the config keys which each of them wants.
//!
//! Owns the catalogue and its JSON. Must not know connections.

use serde_json::{Map, Value, json};

/// Which config keys name the connection of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Schema,
    SchemaTable,
    SchemaTableGroup,
    Prefix,
}

impl Kind {
    pub(crate) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Schema => &["schema"],
            Self::SchemaTable => &["schema", "table"],
            Self::SchemaTableGroup => &["schema", "table_group_name"],
            Self::Prefix => &["schema_prefix"],
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    category: &'static str,
    pub(crate) kind: Kind,
}

impl Service {
    pub(crate) fn new(id: &str, name: &str) -> Self {
        Self::of_kind(id, name, "API", Kind::Schema)
    }

    fn of_kind(id: &str, name: &str, category: &'static str, kind: Kind) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), category, kind }
    }

    /// The entry of a list, which has no `config`.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": self.category,
            "description": format!("{} data, brought to your destination", self.name),
            "icon_url": format!("https://fivetran.com/integrations/{}.svg", self.id),
            "icons": [],
            "link_to_docs": format!("https://fivetran.com/docs/connectors/{}", self.id),
            "link_to_erd": null,
            "connector_class": "standard",
            "supported_features": [
                { "id": "RE_SYNC", "notes": "" },
                { "id": "API_CONFIGURABLE", "notes": "" },
            ],
            "service_status": "general_availability",
            "service_status_updated_at": "2022-06-10",
        })
    }

    /// The single read, which tells the config keys.
    pub(crate) fn details(&self) -> Value {
        let mut details = self.summary();
        let named_by = self.kind.keys().iter();
        let named_by = named_by.map(|&key| (key.to_owned(), json!({ "type": "string", "description": key })));
        let properties: Map<String, Value> = named_by.chain(self.own_keys()).collect();
        details["config"] = json!({
            "type": "object", "properties": properties, "required": self.kind.keys(),
        });
        if let Some(auth) = self.auth() {
            details["auth"] = auth;
        }
        details
    }

    /// Whether its config has this key.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.kind.keys().contains(&key) || self.own_keys().contains_key(key)
    }

    /// The config keys beside those that name the connection.
    fn own_keys(&self) -> Map<String, Value> {
        let keys = match self.id.as_str() {
            // go-fivetran, metadata/metadata_details_test.go.
            "google_ads" => json!({
                "sync_mode": {
                    "type": "string", "readonly": false, "fieldStatus": "general_availability",
                    "enum": ["ManagerAccounts", "AllAccounts", "SpecificAccounts"],
                },
                "timeframe_months": {
                    "type": "string", "readonly": false,
                    "enum": ["TWENTY_FOUR", "SIX", "ALL_TIME", "TWELVE", "THREE"],
                },
                "accounts": { "type": "array", "readonly": false, "items": { "type": "string" } },
                "customer_id": { "type": "string", "readonly": false },
                "conversion_window_size": { "type": "integer", "readonly": false },
            }),
            "postgres" => json!({
                "host": { "type": "string", "readonly": false },
                "port": { "type": "integer", "readonly": false },
                "password": { "type": "string", "readonly": false, "format": "password" },
                "always_encrypted": { "type": "boolean", "readonly": false },
                "public_key": { "type": "string", "readonly": true },
            }),
            _ => Value::Null,
        };
        keys.as_object().cloned().unwrap_or_default()
    }

    /// What the customer gives access by.
    fn auth(&self) -> Option<Value> {
        (self.id == "google_ads").then(|| {
            json!({
                "type": "object", "readonly": false,
                "properties": {
                    "refresh_token": { "type": "string", "readonly": false, "format": "password" },
                    "client_access": {
                        "type": "object", "readonly": false,
                        "properties": {
                            "client_id": { "type": "string", "readonly": false },
                            "developer_token": { "type": "string", "readonly": false, "format": "password" },
                        },
                    },
                },
            })
        })
    }
}

/// What the stand-in offers at its start.
pub(crate) fn services() -> Vec<Service> {
    let plain = [
        ("google_ads", "Google Ads", "Marketing"),
        ("facebook_ads", "Facebook Ads", "Marketing"),
        ("bingads", "Microsoft Advertising", "Marketing"),
        ("linkedin_ads", "LinkedIn Ads", "Marketing"),
        ("google_analytics_4", "Google Analytics 4", "Marketing"),
        ("hubspot", "HubSpot", "Marketing"),
        ("mailchimp", "Mailchimp", "Marketing"),
        ("salesforce", "Salesforce", "Sales"),
        ("shopify", "Shopify", "Sales"),
        ("stripe", "Stripe", "Finance"),
        ("zendesk", "Zendesk Support", "Support"),
        ("jira", "Jira", "Engineering"),
    ];
    let shaped = [
        ("google_sheets", "Google Sheets", "File", Kind::SchemaTable),
        ("s3", "Amazon S3", "File", Kind::SchemaTableGroup),
        ("sftp", "SFTP", "File", Kind::SchemaTableGroup),
        ("postgres", "PostgreSQL", "Database", Kind::Prefix),
        ("mysql", "MySQL", "Database", Kind::Prefix),
        ("mongo", "MongoDB", "Database", Kind::Prefix),
        ("snowflake_db", "Snowflake", "Database", Kind::Prefix),
        ("bigquery_db", "BigQuery", "Database", Kind::Prefix),
    ];
    let plain = plain.iter().map(|(id, name, category)| Service::of_kind(id, name, category, Kind::Schema));
    let shaped = shaped.iter().map(|(id, name, category, kind)| Service::of_kind(id, name, category, *kind));
    plain.chain(shaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_single_read_tells_the_required_keys() {
        let services = services();
        let sheets = services.iter().find(|service| service.id == "google_sheets").unwrap();
        assert_eq!(sheets.details()["config"]["required"], json!(["schema", "table"]));
        assert!(sheets.summary().get("config").is_none() && sheets.details().get("auth").is_none());
        let ads = services.iter().find(|service| service.id == "google_ads").unwrap();
        assert_eq!(ads.details()["config"]["required"], json!(["schema"]));
        assert!(ads.has_key("sync_mode") && ads.has_key("schema") && !ads.has_key("table"));
        assert_eq!(ads.details()["config"]["properties"]["sync_mode"]["enum"][1], "AllAccounts");
        let client = &ads.details()["auth"]["properties"]["client_access"]["properties"];
        assert_eq!(client["developer_token"]["format"], "password");
    }
}
