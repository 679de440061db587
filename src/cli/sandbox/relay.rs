//! The way to the real Fivetran in `--real-fivetran`: everything that the bot asks passes through here.
//!
//! Owns what is passed on unchanged, what of it is taped, and the list of what was created. Must not
//! know what any call means, but for one that creates a connection or deletes one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// What the bot takes for Fivetran's address.
    pub(super) url: String,
    passing: Arc<Passing>,
    task: JoinHandle<()>,
}

struct Passing {
    client: Client,
    /// Fivetran's own address, without a slash at its end.
    to: String,
    tape: Tape,
    clock: Clock,
    created: Mutex<Vec<Created>>,
}

impl Relay {
    /// Starts on a free port of loopback.
    pub(super) async fn start(
        client: Client,
        to: String,
        tape: &Tape,
        clock: &Clock,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (tape, clock) = (tape.clone(), clock.clone());
        let passing = Arc::new(Passing { client, to, tape, clock, created: Mutex::default() });
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

    /// Fivetran's own address, without a slash at its end.
    pub(super) fn fivetran(&self) -> &str {
        &self.passing.to
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
        from: Party::Bot,
        to: Party::Fivetran,
        label: format!("{method} {path}"),
        at: passing.clock.now(),
        request: tape::body(&body),
    });
    for hop in HOPS {
        headers.remove(hop);
    }
    let asked = passing.client.request(method.clone(), format!("{}{path}", passing.to));
    let answered = async {
        let response = asked.headers(headers).body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
    };
    let Ok((status, mut headers, body)) = answered.await else {
        taped.end(None, Value::Null, false);
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let answer = tape::body(&body);
    passing.note(&method, uri.path(), status, &answer);
    taped.pass(method != Method::GET).await;
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
            to: String::new(),
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
