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
        let properties: Map<String, Value> = self
            .kind
            .keys()
            .iter()
            .map(|&key| (key.to_owned(), json!({ "type": "string", "description": key })))
            .collect();
        details["config"] = json!({
            "type": "object", "properties": properties, "required": self.kind.keys(),
        });
        details
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
        assert!(sheets.summary().get("config").is_none());
    }
}
