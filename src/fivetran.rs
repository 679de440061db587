//! Fivetran's REST API: one method per endpoint that the bot uses.
//!
//! Owns the requests, their headers and what an answer means. Must not know Slack, the store or
//! any sentence a user sees. Nothing is retried here: whoever calls knows whether a repetition is
//! safe. <https://fivetran.com/docs/rest-api/api-reference>

mod answer;
pub mod call;
pub mod catalog;
mod cause;
mod complaints;
pub mod config_keys;
pub mod defaults;
pub mod error;
pub mod expiry;
mod groups;
pub mod keys;
mod lenient;
mod letters;
pub mod listed;
pub mod live;
pub mod model;
mod probe;
pub mod said;
pub mod schema;
#[cfg(test)]
mod shapes;
pub mod tasks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use reqwest::{Client as Http, Method, Request, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::outbound::{self, CallError, Obstacle};
use crate::telemetry::{CallOutcome, Calling, Metrics};
use answer::{Answer, Heard};
use call::Call;
use catalog::ServiceId;
use complaints::Complaints;
use config_keys::{ConfigKeys, Metadata};
use defaults::Defaults;
use error::Error;
use keys::{ApiKey, Keys};
use listed::Page;
use model::{Account, ConnectCard, Connection, ConnectorType, Created, Group};
use schema::{SchemaKind, Target};

/// Where it is, unless `FIVETRAN_API_URL` says otherwise.
pub const API_URL: &str = "https://api.fivetran.com";
/// What Fivetran asks clients of its current connection endpoints to accept.
const ACCEPT: &str = "application/json;version=2";
/// Connections on one page of a list, the most that Fivetran gives: what it counts is calls.
/// <https://fivetran.com/docs/rest-api/pagination>
const PAGE_ITEMS: &str = "1000";

/// What is needed to call Fivetran. No `Debug`: it holds the key.
#[derive(Clone)]
pub struct FivetranConfig {
    /// `FIVETRAN_API_URL`, without `/v1` and without a slash at its end.
    pub api_url: String,
    /// `FIVETRAN_API_KEY` with its secret.
    pub key: ApiKey,
    /// `FIVETRAN_API_KEY_2` with its secret, while one key takes the other's place.
    pub second_key: Option<ApiKey>,
}

/// The API under the keys of one account.
#[derive(Clone)]
pub struct Fivetran {
    http: Http,
    api_url: String,
    keys: Keys,
    /// As the last answer said it; 0 until one has.
    hourly_limit: Arc<AtomicU64>,
    /// When a key expires, as Fivetran said last, with the variable that the key comes from.
    told_expiry: Arc<Mutex<Option<(&'static str, Timestamp)>>>,
    /// The account's id, once Fivetran has told it. It outlives the key: a new secret ends the old one at once.
    account_id: Arc<OnceLock<String>>,
    renewed: Arc<Notify>,
    complaints: Arc<Complaints>,
    metrics: Metrics,
}

/// The connections of one name.
pub struct Named {
    /// None or one, while Fivetran keeps names unique.
    pub connections: Vec<Connection>,
    /// When that was so, by Fivetran's own clock.
    pub answered_at: Option<Timestamp>,
}

/// Everything that decides which connection is made.
#[derive(Clone, Copy)]
pub struct NewConnection<'a> {
    /// Its service.
    pub service: &'a ServiceId,
    /// The destination's group id.
    pub group_id: &'a str,
    /// Where the data will go.
    pub target: &'a Target,
    /// Which of the service's config keys hold that.
    pub kind: SchemaKind,
    /// Where the customer's browser lands afterwards: http or https, without `?`, `&` and `#`.
    pub redirect_uri: &'a str,
    /// What else it is made with, if anything is.
    pub defaults: Option<&'a Defaults>,
}

impl NewConnection<'_> {
    /// The body of `POST /v1/connections`.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "service": self.service.as_str(),
            "group_id": self.group_id,
            // The Connect Card runs them when the customer saves; here they could only fail.
            "run_setup_tests": false,
            // So that the first sync starts by itself once the customer has finished.
            "paused": false,
            "destination_schema_names": "FIVETRAN_NAMING",
            "config": self.target.config(self.kind),
            "connect_card_config": defaults::card_config(self.defaults, self.redirect_uri),
        });
        if let Some(defaults) = self.defaults {
            defaults.put_into(&mut body);
        }
        body
    }
}

impl Fivetran {
    /// A client of `config`'s API over `http`.
    #[must_use]
    pub fn new(http: Http, config: FivetranConfig) -> Self {
        let FivetranConfig { api_url, key, second_key } = config;
        Self {
            http,
            api_url,
            keys: Keys::new(key, second_key),
            hourly_limit: Arc::default(),
            told_expiry: Arc::default(),
            account_id: Arc::default(),
            renewed: Arc::default(),
            complaints: Arc::default(),
            metrics: Metrics::default(),
        }
    }

    /// The same, whose calls are counted there.
    #[must_use]
    pub fn counting(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The key that the next call is made with.
    #[must_use]
    pub fn key_in_use(&self) -> ApiKey {
        self.keys.in_use()
    }

    /// The one that takes its place when Fivetran rejects it, if there are two.
    #[must_use]
    pub fn other_key(&self) -> Option<ApiKey> {
        self.keys.other()
    }

    /// The same API under other keys, for the first call with those.
    #[must_use]
    pub fn under(&self, key: ApiKey, second_key: Option<ApiKey>) -> Self {
        let (keys, complaints, told_expiry) = (Keys::new(key, second_key), Arc::default(), Arc::default());
        Self { keys, complaints, told_expiry, account_id: Arc::default(), ..self.clone() }
    }

    /// Which account it is, if Fivetran has told since the start.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.get().map(String::as_str)
    }

    /// Calls under other keys from now on; so do the clones.
    pub fn renew(&self, key: ApiKey, second_key: Option<ApiKey>) {
        self.keys.renew(key, second_key);
        *self.told_expiry.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.renewed.notify_one();
    }

    /// Waits until it has other keys.
    pub async fn renewed(&self) {
        self.renewed.notified().await;
    }

    /// Creates a connection and its Connect Card in one call. Not repeatable: after
    /// [`Error::Unclear`] look first. `POST /v1/connections`
    ///
    /// # Errors
    /// [`Error`]; a name that is taken is [`Error::Rejected`].
    pub async fn create_connection(&self, new: NewConnection<'_>) -> Result<Created, Error> {
        self.send(Call::Create, self.request(Method::POST, "/v1/connections").json(&new.body())).await
    }

    /// The connections of a destination with exactly this name: none or one.
    /// `GET /v1/connections?group_id&schema`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn connections_named(&self, group_id: &str, name: &str) -> Result<Named, Error> {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("group_id", group_id)
            .append_pair("schema", name)
            .append_pair("limit", "100")
            .finish();
        let request = self.request(Method::GET, &format!("/v1/connections?{query}"));
        let (found, answered_at) =
            self.exchange::<model::Items<Connection>>(Call::Look, None, request).await?;
        // One whose name or group cannot be read is not one that is not there.
        if found.items.iter().any(|found| found.schema.is_empty() || found.group_id.is_empty()) {
            return Err(Error::Blocked(Obstacle::OddShape));
        }
        // The filter is exact, and a stranger's connection is never to be taken for ours.
        let ours = |found: &Connection| found.schema == name && found.group_id == group_id;
        Ok(Named { connections: found.items.into_iter().filter(ours).collect(), answered_at })
    }

    /// A page of the connections of a destination, in Fivetran's order: the first one, or the one
    /// that `cursor` names. `GET /v1/connections?group_id&limit&cursor`
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unclear`] also where the next page would be this one again.
    pub async fn connections_of(&self, group_id: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let pairs = [("group_id", group_id), ("limit", PAGE_ITEMS)].into_iter();
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs.chain(cursor.map(|cursor| ("cursor", cursor))))
            .finish();
        let request = self.request(Method::GET, &format!("/v1/connections?{query}"));
        let group = group_id.to_owned();
        let read = move |answer: &Answer| Ok(answer.read::<listed::Raw>()?.of_group(&group));
        let page = self.exchange_at_length(Call::List, request, read).await?;
        if page.next_cursor.is_some() && page.next_cursor.as_deref() == cursor {
            return Err(Error::Unclear(CallError::Unanswered("a list without an end")));
        }
        Ok(page)
    }

    /// One connection. `GET /v1/connections/{id}`
    ///
    /// # Errors
    /// [`Error`]; a deleted one is [`Error::Gone`].
    pub async fn connection(&self, id: &str) -> Result<Connection, Error> {
        let path = format!("/v1/connections/{}", segment(id)?);
        let found: Connection = self.send_about(Call::See, id, self.request(Method::GET, &path)).await?;
        if found.id == id { Ok(found) } else { Err(self.of_another(Call::See)) }
    }

    /// Deletes a connection; what it has loaded stays in the destination. May be repeated: then it
    /// is [`Error::Gone`]. `DELETE /v1/connections/{id}`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_connection(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/connections/{}", segment(id)?);
        let request = self.request(Method::DELETE, &path);
        self.send_about::<Option<serde::de::IgnoredAny>>(Call::Delete, id, request).await.map(drop)
    }

    /// Has a connection synced now, unless a sync of it runs. May be repeated.
    /// `POST /v1/connections/{id}/sync`
    ///
    /// # Errors
    /// [`Error`]; where a sync runs already, that can be a conflict, which is [`Error::Rejected`].
    pub async fn sync_connection(&self, id: &str) -> Result<(), Error> {
        let path = format!("/v1/connections/{}/sync", segment(id)?);
        // Otherwise one that runs would be stopped for it.
        let request = self.request(Method::POST, &path).json(&json!({ "force": false }));
        self.send_about::<Option<serde::de::IgnoredAny>>(Call::Sync, id, request).await.map(drop)
    }

    /// Requests an hour that Fivetran last said it grants this account.
    #[must_use]
    pub fn hourly_limit(&self) -> Option<u64> {
        Some(self.hourly_limit.load(Ordering::Relaxed)).filter(|&limit| limit > 0)
    }

    /// Makes a fresh Connect Card for a connection, as the defaults of its service have it; may be
    /// repeated. `POST /v1/connections/{id}/connect-card`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn connect_card(
        &self,
        connection: &str,
        redirect_uri: &str,
        defaults: Option<&Defaults>,
    ) -> Result<ConnectCard, Error> {
        let path = format!("/v1/connections/{}/connect-card", segment(connection)?);
        let body = json!({ "connect_card_config": defaults::card_config(defaults, redirect_uri) });
        let request = self.request(Method::POST, &path).json(&body);
        let minted: model::Minted = self.send_about(Call::Card, connection, request).await?;
        if minted.is_of_another(connection) {
            Err(self.of_another(Call::Card))
        } else {
            Ok(minted.connect_card)
        }
    }

    /// What an answer is worth that is about another connection than was asked about.
    fn of_another(&self, call: Call) -> Error {
        let error = Error::Blocked(Obstacle::OddShape);
        self.complaints.note(call, &error);
        error
    }

    /// The catalogue, without a key and in one page. `GET /public/connector-types`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn connector_types(&self) -> Result<Vec<ConnectorType>, Error> {
        let request = self.http.get(format!("{}/public/connector-types", self.api_url));
        let request = request.header("Accept", "application/json");
        // A row that cannot be read costs its own service alone.
        let read = |answer: &Answer| {
            let rows: Vec<Value> = answer.read()?;
            Ok(rows.into_iter().filter_map(|row| serde_json::from_value(row).ok()).collect())
        };
        self.exchange_at_length(Call::Catalogue, request, read).await
    }

    /// Which config keys a service wants. `GET /v1/metadata/connector-types/{service}`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn schema_kind(&self, service: &ServiceId) -> Result<SchemaKind, Error> {
        Ok(self.metadata(service).await?.schema_kind())
    }

    /// Which config keys a service has, and what each takes. `GET /v1/metadata/connector-types/{service}`
    ///
    /// # Errors
    /// [`Error`]; that it tells none is one.
    pub async fn config_keys(&self, service: &ServiceId) -> Result<ConfigKeys, Error> {
        self.metadata(service).await?.config_keys().ok_or(Error::Blocked(Obstacle::OddShape))
    }

    async fn metadata(&self, service: &ServiceId) -> Result<Metadata, Error> {
        let path = format!("/v1/metadata/connector-types/{}", service.as_str());
        let request = self.request(Method::GET, &path).header("Accept", "application/json");
        self.send(Call::Metadata, request).await
    }

    /// Whose key this is. `GET /v1/account/info`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn account(&self) -> Result<Account, Error> {
        let request = self.request(Method::GET, "/v1/account/info").header("Accept", "application/json");
        let account: Account = self.send(Call::Account, request).await?;
        if !account.account_id.is_empty() {
            self.account_id.get_or_init(|| account.account_id.clone());
        }
        Ok(account)
    }

    /// A destination's group. `GET /v1/groups/{id}`
    ///
    /// # Errors
    /// [`Error`].
    pub async fn group(&self, group_id: &str) -> Result<Group, Error> {
        let path = format!("/v1/groups/{}", segment(group_id)?);
        let request = self.request(Method::GET, &path).header("Accept", "application/json");
        self.send(Call::Group, request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api_url))
    }

    async fn send<T: DeserializeOwned>(&self, call: Call, request: RequestBuilder) -> Result<T, Error> {
        Ok(self.exchange(call, None, request).await?.0)
    }

    /// Sends what is about one connection, which alone can be said to be gone.
    async fn send_about<T: DeserializeOwned>(
        &self,
        call: Call,
        connection: &str,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        Ok(self.exchange(call, Some(connection), request).await?.0)
    }

    /// The answer, and when it was given.
    async fn exchange<T: DeserializeOwned>(
        &self,
        call: Call,
        connection: Option<&str>,
        request: RequestBuilder,
    ) -> Result<(T, Option<Timestamp>), Error> {
        let calling = self.metrics.calling(call.operation());
        let answer = self.hear(call, connection, request).await;
        self.counted(calling, call, answer.and_then(|answer| Ok((answer.read()?, answer.answered_at))))
    }

    /// The same of an answer that can be so large that nothing else must wait until it is read.
    async fn exchange_at_length<T: Send + 'static>(
        &self,
        call: Call,
        request: RequestBuilder,
        read: impl FnOnce(&Answer) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let calling = self.metrics.calling(call.operation());
        let read = match self.hear(call, None, request).await {
            Ok(answer) => tokio::task::spawn_blocking(move || read(&answer)).await,
            Err(error) => Ok(Err(error)),
        };
        let broken = |_| Err(Error::Unclear(CallError::Unanswered("an answer that breaks its reader")));
        self.counted(calling, call, read.unwrap_or_else(broken))
    }

    fn counted<T>(&self, calling: Calling, call: Call, answer: Result<T, Error>) -> Result<T, Error> {
        calling.ended(answer.as_ref().err().map_or(CallOutcome::Ok, Error::outcome));
        if let Err(error) = &answer {
            self.complaints.note(call, error);
        }
        answer
    }

    async fn hear(
        &self,
        call: Call,
        connection: Option<&str>,
        request: RequestBuilder,
    ) -> Result<Answer, Error> {
        let failed = |error| Error::of(call, error);
        let request = prepared(call, request).map_err(failed)?;
        // The catalogue is everybody's, and a key is for none but its account.
        let sent = match call {
            Call::Catalogue => self.http.execute(request).await,
            _ => self.keys.send(&self.http, request).await,
        };
        let response = sent.map_err(|error| failed(outbound::classify(&error)))?;
        let status = response.status().as_u16();
        let retry_after = outbound::retry_after(&response);
        let answered_at = outbound::answered_at(&response);
        let said = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u32>().ok();
        if let Some(hourly_limit) = said("x-rate-limit") {
            self.hourly_limit.store(hourly_limit.into(), Ordering::Relaxed);
            self.metrics.told_rate_limit(hourly_limit);
        }
        if let Some(left) = said("x-rate-limit-remaining") {
            self.metrics.told_calls_left(left);
        }
        let body = outbound::read(response, call.limit()).await.map_err(failed)?;
        answer::judge(call, connection, &Heard { status, retry_after, body: &body })?;
        Ok(Answer { call, status, answered_at, body })
    }
}

/// A request with all that every one has.
fn prepared(call: Call, request: RequestBuilder) -> Result<Request, CallError> {
    let mut request = request.timeout(call.timeout()).build().map_err(|error| outbound::classify(&error))?;
    request
        .headers_mut()
        .entry("accept")
        .or_insert_with(|| reqwest::header::HeaderValue::from_static(ACCEPT));
    Ok(request)
}

/// An id that may stand in a path. Ids come from Fivetran itself or from the configuration.
fn segment(id: &str) -> Result<&str, Error> {
    model::is_id(id).then_some(id).ok_or(Error::Unavailable(CallError::NotSent("an id with odd characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_waited_for_without_end_and_a_creation_until_fivetran_gives_up() {
        let http = outbound::client(&outbound::Network::default()).unwrap();
        for call in Call::ALL {
            let request = prepared(call, http.get("http://127.0.0.1/")).unwrap();
            assert_eq!(request.timeout(), Some(&call.timeout()), "{call}");
            assert_eq!(call.timeout() > call::CREATE_LIMIT, call == Call::Create, "{call}");
        }
    }
}
