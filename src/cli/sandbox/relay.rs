//! What passes through the sandbox on its way: the customer's browser to the bot, and in
//! `--real-fivetran` the bot to Fivetran.
//!
//! Owns what is passed on unchanged, what of it is taped, and the list of what was created. Must not
//! know what any call means, but for one that creates a connection or deletes one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

use crate::clock::Clock;

/// A connection that the bot has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Created {
    pub(super) id: String,
    pub(super) service: String,
    pub(super) schema: String,
}

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
    created: Mutex<Vec<Created>>,
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
        let passing = Arc::new(Passing { client, from, to, address, tape, clock, created: Mutex::default() });
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&passing));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, passing, task })
    }

    /// What was created and is still there.
    pub(super) fn created(&self) -> Vec<Created> {
        self.passing.created.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let taped = passing.tape.begin(Beginning {
        from: passing.from,
        to: passing.to,
        label: format!("{method} {path}"),
        at: passing.clock.now(),
        request: tape::body(&body),
    });
    for hop in HOPS {
        headers.remove(hop);
    }
    let address = passing.address.get().map_or("", String::as_str);
    let asked = passing.client.request(method.clone(), format!("{address}{path}"));
    let answered = async {
        let response = asked.headers(headers).body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
    };
    let Ok((status, mut headers, body)) = answered.await else {
        taped.end(None, Value::Null, false);
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let is_page =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let answer = if is_page { Value::from("(a page)") } else { tape::body(&body) };
    passing.note(&method, uri.path(), status, &answer);
    taped.pass(passing.from == Party::Bot && method != Method::GET).await;
    taped.end(Some(status.as_u16()), answer, false);
    for hop in HOPS {
        headers.remove(hop);
    }
    (status, headers, body).into_response()
}

impl Passing {
    fn note(&self, method: &Method, path: &str, status: StatusCode, answer: &Value) {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        let data = answer.get("data");
        let word = |field: &str| data.and_then(|it| it.get(field)?.as_str()).unwrap_or_default().to_owned();
        if method == Method::POST && path == "/v1/connections" && status == StatusCode::CREATED {
            created.push(Created { id: word("id"), service: word("service"), schema: word("schema") });
        }
        if method == Method::DELETE && status.is_success() {
            created.retain(|it| path != format!("/v1/connections/{}", it.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_created_is_listed_until_it_is_deleted() {
        let passing = Passing {
            client: crate::outbound::client(&crate::outbound::Network::default()).unwrap(),
            from: Party::Bot,
            to: Party::Fivetran,
            address: OnceLock::new(),
            tape: Tape::default(),
            clock: Clock::default(),
            created: Mutex::default(),
        };
        let answer = json!({ "data": { "id": "calm_delta", "service": "stripe", "schema": "acme" } });
        let created = || passing.created.lock().unwrap().clone();
        passing.note(&Method::POST, "/v1/connections", StatusCode::CONFLICT, &answer);
        passing.note(&Method::POST, "/v1/connections/calm_delta/connect-card", StatusCode::CREATED, &answer);
        assert_eq!(created(), []);
        passing.note(&Method::POST, "/v1/connections", StatusCode::CREATED, &answer);
        assert_eq!(created().len(), 1);
        passing.note(&Method::DELETE, "/v1/connections/another", StatusCode::OK, &Value::Null);
        assert_eq!(created()[0].id, "calm_delta");
        passing.note(&Method::DELETE, "/v1/connections/calm_delta", StatusCode::OK, &Value::Null);
        assert_eq!(created(), []);
    }
}
