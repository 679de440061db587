//! What a key may do, found out one permission at a time and without changing anything; and when it
//! expires.
//!
//! Owns the requests that only ask for that. Must not know who asks, nor any sentence.

use std::sync::PoisonError;

use jiff::Timestamp;
use reqwest::Method;
use serde::de::IgnoredAny;
use serde_json::json;

use super::call::Call;
use super::error::Error;
use super::{Fivetran, model, segment};

/// A service that Fivetran does not have.
const NO_SERVICE: &str = "connect_card_check";
/// A service that it has had for years.
const A_SERVICE: &str = "google_ads";

impl Fivetran {
    /// Reads a connection of a group, if there is one. `GET /v1/connections?group_id&limit`
    ///
    /// # Errors
    /// [`Error`]; without the permission it is [`Error::Forbidden`].
    pub async fn try_to_list(&self, group_id: &str) -> Result<(), Error> {
        let path = format!("/v1/connections?group_id={}&limit=1", segment(group_id)?);
        self.send::<IgnoredAny>(Call::List, self.request(Method::GET, &path)).await.map(drop)
    }

    /// Asks for a connection that cannot be made, since there is no such service: Fivetran refuses
    /// it either for want of permission or for that. Which of the two it looks at first is not
    /// documented, so what passes here is likely and not certain. `POST /v1/connections`
    ///
    /// # Errors
    /// [`Error`]; without the permission it is [`Error::Forbidden`].
    pub async fn try_to_create(&self, group_id: &str) -> Result<(), Error> {
        let body = json!({
            "service": NO_SERVICE,
            "group_id": group_id,
            "run_setup_tests": false,
            "paused": true,
            "destination_schema_names": "FIVETRAN_NAMING",
            "config": { "schema": NO_SERVICE },
        });
        let request = self.request(Method::POST, "/v1/connections").json(&body);
        match self.send::<IgnoredAny>(Call::Create, request).await {
            Ok(_) | Err(Error::Rejected { status: 400 | 409 | 422, .. }) => Ok(()),
            Err(Error::NotFound(said)) if said.code.starts_with("NotFound_") && !said.is_of_group() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what a service wants. `GET /v1/metadata/connector-types/{service}`
    ///
    /// # Errors
    /// [`Error`]; without the permission it is [`Error::Forbidden`].
    pub async fn try_to_read_a_service(&self) -> Result<(), Error> {
        let path = format!("/v1/metadata/connector-types/{A_SERVICE}");
        let request = self.request(Method::GET, &path).header("Accept", "application/json");
        match self.send::<IgnoredAny>(Call::Metadata, request).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound(said)) if said.code.starts_with("NotFound_") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// When a system key expires, if Fivetran tells it. Its documentation leaves system keys to users'
    /// keys, and a user's key does not expire. `GET /v1/system-keys/{id}`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn system_key_expiry(&self, id: &str) -> Result<Option<Timestamp>, Error> {
        let path = format!("/v1/system-keys/{}", segment(id)?);
        let request = self.request(Method::GET, &path).header("Accept", "application/json");
        self.send::<model::SystemKey>(Call::Account, request).await.map(|key| key.expired_at)
    }

    /// When the key in use expires: as Fivetran says it, if it does, or else the configuration.
    pub async fn key_expiry(&self) -> Option<Timestamp> {
        let (variable, configured) = (self.key_in_use().variable, self.key_in_use().expires);
        let id = self.account().await.ok().and_then(|account| account.system_key_id);
        let told = match id {
            Some(id) => self.system_key_expiry(&id).await.ok().flatten(),
            None => None,
        };
        if let Some(told) = told {
            *self.told_expiry.lock().unwrap_or_else(PoisonError::into_inner) = Some((variable, told));
        }
        told.or(configured)
    }

    /// The same by what is known already.
    #[must_use]
    pub fn known_expiry(&self) -> Option<Timestamp> {
        let key = self.key_in_use();
        let told = *self.told_expiry.lock().unwrap_or_else(PoisonError::into_inner);
        told.filter(|(variable, _)| *variable == key.variable).map(|(_, at)| at).or(key.expires)
    }
}
