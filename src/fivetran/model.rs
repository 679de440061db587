//! The shapes of Fivetran's answers, read leniently: unknown fields grow, known ones can be null or of
//! another shape. Only what an answer is of no use without must be as it should.
//!
//! Owns the Connect Card's secret and when it expires. Knows no endpoint.
//! <https://fivetran.com/docs/rest-api/api-reference>

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::fivetran::catalog;
use crate::fivetran::lenient;
pub use crate::fivetran::said::ApiMessage;
use crate::fivetran::tasks;
pub use crate::fivetran::tasks::{SetupTest, Task};

/// How long a Connect Card's link works after it was made.
/// <https://fivetran.com/docs/rest-api/troubleshooting/uri-expires-frequently>
pub const LINK_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Longest link that is believed: also the longest URL that a Slack button takes.
const LINK_LIMIT: usize = 3000;

/// The envelope of every answer.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub(super) data: T,
}

/// A list that fits on one page. An answer without one is none: an empty one would say much.
#[derive(Deserialize)]
pub(super) struct Items<T> {
    pub(super) items: Vec<T>,
}

/// A connection (an instance of a service in a destination).
/// <https://fivetran.com/docs/rest-api/api-reference/connections/connection-details>
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// Fivetran's two-word id. It will stand in a path.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The service's id.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub service: String,
    /// Its name, which is the schema, `schema.table` or the schema prefix.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub schema: String,
    /// The destination's group.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub group_id: String,
    /// When it was made, by Fivetran's clock.
    #[serde(default, deserialize_with = "lenient::moment")]
    pub created_at: Option<Timestamp>,
    /// How far its setup is.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: Status,
    /// The tests of its setup, if the answer has them.
    #[serde(default, deserialize_with = "tasks::tests")]
    pub setup_tests: Option<Vec<SetupTest>>,
    /// Whether somebody has switched its syncs off.
    #[serde(default, deserialize_with = "lenient::is_true")]
    pub paused: bool,
}

/// The state of a connection.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Status {
    /// Whether the customer has finished.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub setup_state: SetupState,
    /// What its loading is doing.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub sync_state: SyncState,
    /// Whether the first full load is not done yet.
    #[serde(default, deserialize_with = "lenient::is_true")]
    pub is_historical_sync: bool,
    /// What somebody has to do.
    #[serde(default, deserialize_with = "tasks::tasks")]
    pub tasks: Vec<Task>,
    /// What somebody should know.
    #[serde(default, deserialize_with = "tasks::tasks")]
    pub warnings: Vec<Task>,
}

/// How far a connection's setup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetupState {
    /// Never finished: no setup test has ever passed.
    Incomplete,
    /// Set up and in order.
    Connected,
    /// Was connected and is not now.
    Broken,
    /// Not told, or a state that is new to us. Taken for finished where a link would be posted or
    /// a connection deleted, and for no news where one is watched.
    #[default]
    Unknown,
}

/// What the loading of a connection is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// It waits for its time.
    Scheduled,
    /// It is under way.
    Syncing,
    /// It is paused.
    Paused,
    /// It was put off to a later time.
    Rescheduled,
    /// Not told, or a value that is new to us.
    #[default]
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for SetupState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "incomplete" => Self::Incomplete,
            "broken" => Self::Broken,
            "connected" => Self::Connected,
            _ => Self::Unknown,
        })
    }
}

/// The answer of a creation.
#[derive(Deserialize)]
pub struct Created {
    /// The new connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// Its card; there whenever it was asked for, but nothing is lost if it is not, or cannot be read.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub connect_card: Option<ConnectCard>,
}

/// The answer of the connect-card endpoint, whose id field is called `connector_id` to this day.
#[derive(Deserialize)]
pub(super) struct Minted {
    pub(super) connect_card: ConnectCard,
    #[serde(default)]
    connector_id: Option<serde_json::Value>,
}

impl Minted {
    /// Whether it names another connection than this one: a card opens it for whoever has it.
    pub(super) fn is_of_another(&self, connection: &str) -> bool {
        let named = self.connector_id.as_ref().and_then(serde_json::Value::as_str);
        named.is_some_and(|named| named != connection)
    }
}

/// The page on which the customer signs in to the source, behind its link. Whoever has the link
/// can set up this one connection for a day, so it is a secret: `Debug` hides it, and it is never
/// stored.
#[derive(Clone)]
pub struct ConnectCard {
    link: Url,
    issued_at: Option<Timestamp>,
}

impl ConnectCard {
    /// The link itself, for the button and for standard output. Unlike the card, it prints itself.
    #[must_use]
    pub fn expose_link(&self) -> &Url {
        &self.link
    }

    /// When the link stops working, if it works at `now`: a day after the token's `iat`, or after `now` where
    /// the token cannot be read, or says what cannot be: that it is over already, or of a future that no clock is
    /// off by. Fivetran gives no expiry of its own.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        let works = |issued: &Timestamp| now.duration_since(*issued).abs() < LINK_LIFE;
        self.issued_at.filter(works).unwrap_or(now).saturating_add(LINK_LIFE).unwrap_or(now)
    }
}

impl fmt::Debug for ConnectCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectCard")
    }
}

impl<'de> Deserialize<'de> for ConnectCard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Card {
            uri: String,
            #[serde(default, deserialize_with = "lenient::or_default")]
            token: Option<String>,
        }
        let Card { uri, token } = Card::deserialize(deserializer)?;
        // serde's errors would repeat the value.
        let url = Url::parse(&uri).map_err(|_| serde::de::Error::custom("the card's uri is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") || url.as_str().len() > LINK_LIMIT {
            return Err(serde::de::Error::custom("the card's uri is not a web address that fits a button"));
        }
        Ok(Self { link: url, issued_at: token.as_deref().and_then(issued_at) })
    }
}

/// The `iat` of a JWT, whose signature is none of our business.
fn issued_at(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        iat: i64,
    }
    let payload = token.split('.').nth(1)?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Claims { iat } = serde_json::from_slice(&json).ok()?;
    Timestamp::from_second(iat).ok()
}

/// One line of the catalogue.
/// <https://fivetran.com/docs/rest-api/api-reference/connector-metadata>
#[derive(Deserialize)]
pub struct ConnectorType {
    /// The service's id.
    id: String,
    /// Its display name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    name: Option<String>,
    /// `general_availability`, `beta`, `sunset`, ….
    #[serde(default, deserialize_with = "lenient::or_default")]
    service_status: Option<String>,
    /// What sort of source it is.
    #[serde(default, rename = "type")]
    category: Option<serde_json::Value>,
    /// What can be done with it.
    #[serde(default)]
    supported_features: Option<serde_json::Value>,
}

impl ConnectorType {
    /// What of it is looked at. What has another shape says nothing.
    #[must_use]
    pub fn row(self) -> catalog::Row {
        let features = self.supported_features.as_ref().and_then(serde_json::Value::as_array);
        let features = features.filter(|features| !features.is_empty());
        catalog::Row {
            id: self.id,
            name: self.name.unwrap_or_default(),
            status: self.service_status,
            category: self.category.and_then(|category| category.as_str().map(str::to_owned)),
            by_api: features.map(|features| features.iter().any(|it| it["id"] == "API_CONFIGURABLE")),
        }
    }
}

/// Whose key it is.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// The account's name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub account_name: String,
    /// The account's id.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub account_id: String,
    /// The key's own id, if it is a system key.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub system_key_id: Option<String>,
}

/// A system key.
#[derive(Deserialize)]
pub(super) struct SystemKey {
    /// When it expires, if it does.
    #[serde(default, deserialize_with = "lenient::moment")]
    pub(super) expired_at: Option<Timestamp>,
}

/// A destination's group; its id is the destination's too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Its id; empty if Fivetran tells none that can be one.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub id: String,
    /// The destination's name.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
}

/// Whether a text can be an id of Fivetran's, of a connection or of a group: a word of letters,
/// digits, underscores and dashes. Nothing else goes into a path.
#[must_use]
pub fn is_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if is_id(&id) { Ok(id) } else { Err(serde::de::Error::custom("an id with odd characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_created_connection_is_read_with_its_nulls() {
        let answer = json!({"code": "Success", "data": {
            "id": "speak_inexpensive", "service": "google_ads", "schema": "acme", "group_id": "g",
            "created_at": "2026-01-02T03:04:05.123456Z", "succeeded_at": null, "sync_frequency": null,
            "status": {"setup_state": "incomplete", "tasks": null}, "setup_tests": null, "new_field": {"a": [1]},
            "connect_card": {"token": "x.eyJpYXQiOjE3MDAwMDAwMDB9.y", "uri": "https://fivetran.com/connect-card/setup?auth=x"},
        }});
        let created: Created = serde_json::from_value::<Answer<_>>(answer).unwrap().data;
        assert_eq!(created.connection.id, "speak_inexpensive");
        assert_eq!(created.connection.status.setup_state, SetupState::Incomplete);
        let card = created.connect_card.unwrap();
        assert_eq!(card.expose_link().as_str(), "https://fivetran.com/connect-card/setup?auth=x");
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        // One of the two clocks may be off.
        for now in [-86_399, -1, 0, 60, 86_399] {
            assert_eq!(card.expires_at(at(now)), at(86_400), "{now}");
        }
        // It can't have been made in days to come, nor can it have expired when it was made.
        for now in [-200_000, -86_400, 86_400, 200_000] {
            assert_eq!(card.expires_at(at(now)), at(now + 86_400), "{now}");
        }
    }

    #[test]
    fn what_is_missing_or_null_is_no_fault() {
        for status in [json!(null), json!({}), json!({"setup_state": null})] {
            let connection: Connection =
                serde_json::from_value(json!({"id": "a", "status": status})).unwrap();
            assert_eq!(connection.status.setup_state, SetupState::Unknown);
        }
        let connection: Connection =
            serde_json::from_value(json!({"id": "a", "status": {"setup_state": "rehearsing"}})).unwrap();
        assert_eq!(connection.status.setup_state, SetupState::Unknown);
        for id in ["", "../x", "a b", "a/b", "é"] {
            assert!(serde_json::from_value::<Created>(json!({ "id": id })).is_err(), "{id}");
        }
    }

    #[test]
    fn an_odd_link_or_token_is_no_card_or_no_time() {
        for uri in ["javascript:alert(1)", "not a url", "", &format!("https://f.com/{}", "x".repeat(3000))] {
            let error =
                serde_json::from_value::<ConnectCard>(json!({"uri": uri, "token": "t"})).err().unwrap();
            assert!(!error.to_string().contains("alert"), "{error}");
        }
        for token in ["", "a", "a.b.c", "a.e30.c"] {
            let card: ConnectCard =
                serde_json::from_value(json!({"uri": "https://f.com", "token": token})).unwrap();
            assert_eq!(card.expires_at(Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH + LINK_LIFE);
        }
    }
}
