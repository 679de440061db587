//! What Fivetran says about a refusal: its words, read leniently, and what some of them mean.
//!
//! Owns the words that are looked for. Pure. Knows no status and no sentence for users.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What Fivetran says about a refusal, cut to what can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiMessage {
    /// For programs, e.g. `NotFound_Group`. Can be empty.
    pub code: String,
    /// For people. Can be empty.
    pub message: String,
}

/// Longest message of Fivetran's that is kept, in characters.
const MESSAGE_LIMIT: usize = 500;

impl ApiMessage {
    /// Reads an error's body, field by field: what one has in another shape costs no other. `None` if it
    /// is no JSON object, as an HTML page of a gateway.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let body = body.as_object()?;
        let cut = |field: &str| {
            let text = body.get(field).map(words).unwrap_or_default();
            text.chars().filter(|c| !c.is_control()).take(MESSAGE_LIMIT).collect::<String>()
        };
        Some(Self { code: cut("code"), message: cut("message") })
    }
}

/// The words in a value, whatever its shape.
fn words(value: &Value) -> String {
    let joined = |values: &mut dyn Iterator<Item = &Value>| {
        values.map(words).filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ")
    };
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => joined(&mut values.iter()),
        Value::Object(fields) => joined(&mut fields.values()),
    }
}

/// The codes for a connection that is not found. `Connector` is what it was called before, and
/// `Integration` before that; Fivetran's own Terraform provider knows the first two.
const CONNECTION_NOT_FOUND: [&str; 3] = ["NotFound_Connection", "NotFound_Connector", "NotFound_Integration"];
/// Words by which a refusal says that something is taken. Nobody documents them; without one of them a
/// person is told Fivetran's sentence as it is.
const TAKEN: [&str; 8] = [
    "already exist",
    "already taken",
    "already in use",
    "already used",
    "already been used",
    "is taken",
    "unique",
    "duplicate",
];
/// What is taken then, if it is a name.
const NAMES: [&str; 4] = ["schema", "name", "connection", "connector"];
/// What is taken instead: a value of the config.
const NO_NAMES: [&str; 3] = ["config key", "config param", "config value"];
/// Words by which a refusal of a sync says that one is under way.
const RUNNING: [&str; 5] =
    ["already running", "already syncing", "already in progress", "is in progress", "currently syncing"];

impl ApiMessage {
    /// Whether this connection is what is not found: its code says so, and its message speaks of no
    /// other one.
    pub(super) fn says_gone(&self, connection: &str) -> bool {
        let spoken_of = self.message.split_once("id '").and_then(|(_, rest)| rest.split_once('\''));
        CONNECTION_NOT_FOUND.contains(&self.code.as_str()) && spoken_of.is_none_or(|(id, _)| id == connection)
    }

    /// Whether it says what is not found, rather than that there is no such address.
    pub(super) fn names_what_is_missing(&self) -> bool {
        self.code.starts_with("NotFound_") || self.is_of_group()
    }

    /// Whether it is the destination's group that is not found. Destinations say so in the message
    /// alone. <https://fivetran.com/docs/rest-api/api-reference/destinations>
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        matches!(self.code.as_str(), "NotFound_Group" | "NotFound_Destination")
            || (self.code == "NotFound" && self.message.starts_with("Destination with id"))
    }

    /// Whether a refusal says that the name is taken.
    #[must_use]
    pub fn says_taken(&self) -> bool {
        self.has(&TAKEN) && self.has(&NAMES) && !self.has(&NO_NAMES)
    }

    /// Whether a refusal of a sync says that one is under way.
    #[must_use]
    pub fn says_running(&self) -> bool {
        self.has(&RUNNING)
    }

    fn has(&self, any: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        any.iter().any(|words| message.contains(words))
    }
}

impl fmt::Display for ApiMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> ApiMessage {
        ApiMessage { code: "InvalidInput".to_owned(), message: message.to_owned() }
    }

    #[test]
    fn what_fivetran_says_is_cut_to_what_can_be_shown() {
        let body = serde_json::json!({"code": "A", "message": "x".repeat(9000)});
        let said = ApiMessage::read(&serde_json::to_vec(&body).unwrap()).unwrap();
        assert_eq!((said.code.as_str(), said.message.len()), ("A", MESSAGE_LIMIT));
        assert_eq!(ApiMessage::read(b"<html>502</html>"), None);
        assert_eq!(ApiMessage::read(br#"{"code":null}"#), Some(ApiMessage::default()));
    }

    #[test]
    fn a_field_of_another_shape_costs_no_word() {
        for (body, code, message) in [
            (r#"{"code":"InvalidInput","message":["a","b"]}"#, "InvalidInput", "a; b"),
            (
                r#"{"code":"InvalidInput","message":{"field":"schema","text":"bad"}}"#,
                "InvalidInput",
                "schema; bad",
            ),
            (r#"{"code":"InvalidInput","message":{"errors":[{"m":"a"},null]}}"#, "InvalidInput", "a"),
            (r#"{"code":"InvalidInput","message":7}"#, "InvalidInput", "7"),
            (r#"{"code":400,"message":"a"}"#, "400", "a"),
            (r#"{"code":[],"message":"a"}"#, "", "a"),
        ] {
            let read = ApiMessage::read(body.as_bytes()).unwrap();
            assert_eq!((read.code.as_str(), read.message.as_str()), (code, message), "{body}");
        }
    }

    #[test]
    fn a_name_is_taken_only_where_it_is_a_name_that_is() {
        for (message, taken) in [
            ("Connection with schema name 'acme' already exists in the group", true),
            ("Destination schema must be unique", true),
            ("A connector with this name is taken", true),
            (
                "Connection name must be a unique value; \"facebook\" has the duplicate config key account_id",
                false,
            ),
            ("The account id is already used", false),
            ("Duplicate entry", false),
            ("Unsupported connector service 'x'", false),
        ] {
            assert_eq!(said(message).says_taken(), taken, "{message}");
        }
    }
}
