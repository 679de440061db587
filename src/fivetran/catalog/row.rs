//! A line of Fivetran's list of services, as far as the bot looks at it and keeps it.
//!
//! Owns the shape in which it is kept. Must not know where it is kept.

use serde::{Deserialize, Serialize};

/// A line of Fivetran's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// `id`
    pub id: String,
    /// `name`, which may be empty.
    pub name: String,
    /// `service_status`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `type`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether `supported_features` has `API_CONFIGURABLE`; `None` if it lists no feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_api: Option<bool>,
}

/// Id, name and status.
impl From<(String, String, Option<String>)> for Row {
    fn from((id, name, status): (String, String, Option<String>)) -> Self {
        Self { id, name, status, ..Self::default() }
    }
}
