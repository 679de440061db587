//! What passes through the sandbox on its way: the customer's browser to the bot, and in
//! `--real-fivetran` the bot to Fivetran.
//!
//! Owns what is passed on unchanged, what of it is taped, and the list of what was created. Must not
//! know what any call means, but for one that creates a connection or deletes one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::Value;
use stand_ins::tape::{self, Beginning, Party, Tape};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cli;
use crate::clock::Clock;
use crate::outbound::{self, ANSWER_LIMIT, CallError};

/// A connection that the bot has made, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) service: String,
    /// What was asked for: the schema, with the table where there is one.
    pub(super) name: String,
    /// Its id; `None` where the answer was lost.
    pub(super) id: Option<String>,
}

/// Longer than the bot itself waits: what it gives up may be created all the same.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running relay.
pub(super) struct Relay {
    /// What is taken for the address of whom it leads to.
    pub(super) url: String,
    passing: Arc<Passing>,
    task: JoinHandle<()>,
}

struct Passing {
    client: Client,
    from: Party,
    to: Party,
    /// Where that is, without a slash at its end.
    address: OnceLock<String>,
    tape: Tape,
    clock: Clock,
    made: Mutex<Vec<Made>>,
}

impl Relay {
    /// Starts on a free port of loopback; what comes is refused until it is told where to lead it.
    pub(super) async fn start(
        client: Client,
        (from, to): (Party, Party),
        tape: &Tape,
        clock: &Clock,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (tape, clock, address) = (tape.clone(), clock.clone(), OnceLock::new());
        let passing = Arc::new(Passing { client, from, to, address, tape, clock, made: Mutex::default() });
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&passing));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, passing, task })
    }

    /// What was created and not deleted again.
    pub(super) fn made(&self) -> Vec<Made> {
        self.passing.made().clone()
    }

    /// Leads there from now on; the first address is the only one.
    pub(super) fn lead_to(&self, address: &str) {
        let _ = self.passing.address.set(address.to_owned());
    }

    /// Where it leads.
    pub(super) fn address(&self) -> &str {
        self.passing.address.get().map_or("", String::as_str)
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

/// Headers that belong to a connection and not to what is sent over it.
const HOPS: [header::HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

async fn pass(
    State(passing): State<Arc<Passing>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A task of its own: whoever asked may die meanwhile, and what was asked for is done all the same.
    let passed = tokio::spawn(async move { passing.pass(method, uri, headers, body).await });
    passed.await.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

impl Passing {
    fn made(&self) -> MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(&self, method: Method, uri: Uri, mut headers: HeaderMap, body: Bytes) -> Response {
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let request = tape::body(&body);
        let creation =
            (method == Method::POST && uri.path() == "/v1/connections").then(|| self.begin(&request));
        let taped = self.tape.begin(Beginning {
            from: self.from,
            to: self.to,
            label: format!("{method} {path}"),
            at: self.clock.now(),
            request,
        });
        for hop in HOPS {
            headers.remove(hop);
        }
        let address = self.address.get().map_or("", String::as_str);
        let asked = self.client.request(method.clone(), format!("{address}{path}")).timeout(PATIENCE);
        let answered = async {
            let response =
                asked.headers(headers).body(body).send().await.map_err(|error| outbound::classify(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, CallError>((status, headers, outbound::read(response, ANSWER_LIMIT).await?))
        };
        let (status, mut headers, body) = match answered.await {
            Ok(answered) => answered,
            Err(error) => {
                if let (Some(creation), true) =
                    (creation, matches!(error, CallError::NotSent(_) | CallError::Barred(_)))
                {
                    self.forget(creation);
                }
                if self.to == Party::Fivetran {
                    cli::remark(&format!("Fivetran gave no answer to {method} {}: {error}", uri.path()));
                }
                taped.end(None, Value::from(error.to_string()), false);
                return StatusCode::BAD_GATEWAY.into_response();
            }
        };
        let is_page =
            headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let answer = if is_page { Value::from("(a page)") } else { tape::body(&body) };
        if let Some(creation) = creation {
            self.end(creation, status, &answer);
        }
        // Gone is gone, whoever has deleted it.
        if method == Method::DELETE && (status.is_success() || status == StatusCode::NOT_FOUND) {
            let is_it = |made: &Made| {
                made.id.as_ref().is_some_and(|id| uri.path() == format!("/v1/connections/{id}"))
            };
            self.made().retain(|made| !is_it(made));
        }
        taped.pass(self.from == Party::Bot && method != Method::GET).await;
        taped.end(Some(status.as_u16()), answer, false);
        for hop in HOPS {
            headers.remove(hop);
        }
        (status, headers, body).into_response()
    }

    /// A creation is asked for; gives what stands for it until its answer.
    fn begin(&self, request: &Value) -> Made {
        let word = |value: &Value, field: &str| value.get(field)?.as_str().map(str::to_owned);
        let config = request.get("config").cloned().unwrap_or_default();
        let parts = ["schema", "table", "table_group_name", "schema_prefix"]
            .iter()
            .filter_map(|part| word(&config, part));
        let name = parts.collect::<Vec<_>>().join(".");
        let made = Made { service: word(request, "service").unwrap_or_default(), name, id: None };
        self.made().push(made.clone());
        made
    }

    /// It was answered: it is there, or it is not, or who knows.
    fn end(&self, creation: Made, status: StatusCode, answer: &Value) {
        if status.is_client_error() {
            self.forget(creation);
        } else if let Some(id) = answer.pointer("/data/id").and_then(Value::as_str) {
            let mut all = self.made();
            if let Some(made) = all.iter_mut().find(|made| **made == creation) {
                made.id = Some(id.to_owned());
            }
        }
    }

    fn forget(&self, creation: Made) {
        let mut all = self.made();
        if let Some(at) = all.iter().position(|made| *made == creation) {
            all.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use stand_ins::fault::Fault;
    use stand_ins::fivetran::{API_KEY, API_SECRET, GROUP_ID};

    use super::*;

    fn passing() -> Passing {
        Passing {
            client: outbound::client(&outbound::Network::default()).unwrap(),
            from: Party::Bot,
            to: Party::Fivetran,
            address: OnceLock::new(),
            tape: Tape::default(),
            clock: Clock::default(),
            made: Mutex::default(),
        }
    }

    #[test]
    fn what_was_refused_was_not_made_and_what_was_lost_may_have_been() {
        let passing = passing();
        let asked = json!({ "service": "google_sheets", "config": { "schema": "acme", "table": "t" } });
        let refused = passing.begin(&asked);
        passing.end(refused, StatusCode::CONFLICT, &Value::Null);
        assert_eq!(*passing.made(), []);
        let lost = passing.begin(&asked);
        passing.end(lost, StatusCode::BAD_GATEWAY, &Value::Null);
        let made = passing.begin(&json!({ "service": "stripe", "config": { "schema": "acme" } }));
        passing.end(made, StatusCode::CREATED, &json!({ "data": { "id": "calm_delta" } }));
        let listed = |service: &str, name: &str, id: Option<&str>| Made {
            service: service.to_owned(),
            name: name.to_owned(),
            id: id.map(str::to_owned),
        };
        let both = [listed("google_sheets", "acme.t", None), listed("stripe", "acme", Some("calm_delta"))];
        assert_eq!(*passing.made(), both);
    }

    #[tokio::test]
    async fn what_is_asked_for_is_done_though_the_one_who_asked_has_died() {
        let (_, fivetran) = crate::cli::sandbox::stand_ins(passing().client).await.unwrap();
        fivetran.faults(|faults| {
            faults.fail_next("create_connection", Fault::SlowAfter(Duration::from_millis(300)), 1);
        });
        let (tape, clock) = (Tape::default(), Clock::default());
        let way = (Party::Bot, Party::Fivetran);
        let relay = Relay::start(passing().client, way, &tape, &clock).await.unwrap();
        relay.lead_to(&fivetran.url());
        let body = json!({
            "service": "google_ads", "group_id": GROUP_ID, "run_setup_tests": false, "paused": false,
            "destination_schema_names": "FIVETRAN_NAMING", "config": { "schema": "acme" },
            "connect_card_config": { "redirect_uri": "https://bot.example/connected/abc" },
        });
        let asked = passing()
            .client
            .post(format!("{}/v1/connections", relay.url))
            .basic_auth(API_KEY, Some(API_SECRET));
        let asking = tokio::spawn(asked.json(&body).send());
        while fivetran.connections().is_empty() {
            assert!(!asking.is_finished(), "{:?}", asking.await);
            tokio::task::yield_now().await;
        }
        asking.abort();
        let answered = async {
            while relay.made().iter().any(|made| made.id.is_none()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("the answer is heard");
        let id = fivetran.connections()[0]["id"].as_str().map(str::to_owned);
        assert_eq!(relay.made(), [Made { service: "google_ads".to_owned(), name: "acme".to_owned(), id }]);
        relay.stop();
    }
}
