//! An app with sockets, as the tests play it.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::*;
use super::json;
use crate::outside::{client, now};

pub(super) const TYPED: &str = "/connect-card adwords customer_schema";
pub(super) const SOON: Duration = Duration::from_millis(20);
pub(super) const JSON: &str = "application/json";

pub(super) async fn stand_in() -> SlackStandIn {
    let slack = SlackStandIn::start(now, client()).await.unwrap();
    slack.deliver_by(Delivery::Sockets);
    slack
}

/// Asks for an address with this `Authorization` and this body.
pub(super) async fn ask(slack: &SlackStandIn, authorization: Option<&str>, body: &str) -> Ack {
    let mut headers = vec![("content-type".to_owned(), JSON.to_owned())];
    headers.extend(authorization.map(|value| ("authorization".to_owned(), value.to_owned())));
    let url = format!("{}apps.connections.open", slack.api_url());
    post(&client(), &url, &headers, body.as_bytes().to_vec()).await.unwrap()
}

pub(super) async fn address(slack: &SlackStandIn) -> String {
    let opened = ask(slack, Some(&format!("Bearer {APP_TOKEN}")), "{}").await.json();
    assert_eq!(opened["ok"], true, "{opened}");
    opened["url"].as_str().unwrap().to_owned()
}

/// An app's end of a socket.
pub(super) struct App(pub(super) WebSocketStream<TcpStream>);

impl App {
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let to = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap();
        let stream = TcpStream::connect(to).await.unwrap();
        Ok(Self(client_async(url, stream).await?.0))
    }

    /// Opens a socket and waits until it gets envelopes.
    pub(super) async fn open(slack: &SlackStandIn) -> Self {
        let before = slack.live_sockets().len();
        let mut app = Self::connect(&address(slack).await).await.unwrap();
        assert_eq!(app.next().await["type"], "hello");
        slack.wait_for_sockets(|count| count > before).await;
        app
    }

    pub(super) async fn frame(&mut self) -> Option<Message> {
        self.0.next().await.and_then(Result::ok)
    }

    /// The next text as JSON; whatever else comes is passed over.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            match self.frame().await.expect("the socket is open") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                other => assert!(other.is_ping() || other.is_pong(), "{other:?}"),
            }
        }
    }

    pub(super) async fn say(&mut self, text: impl ToString) {
        self.0.send(Message::text(text.to_string())).await.unwrap();
    }

    /// Acknowledges an envelope, with a payload if it is one.
    pub(super) async fn ack(&mut self, envelope: &Value, payload: &Value) {
        let mut ack = json!({ "envelope_id": envelope["envelope_id"] });
        if !payload.is_null() {
            ack["payload"] = payload.clone();
        }
        self.say(ack).await;
    }

    /// Takes the next envelope and acknowledges it.
    pub(super) async fn serve(&mut self, payload: &Value) -> Value {
        let envelope = self.next().await;
        self.ack(&envelope, payload).await;
        envelope
    }

    /// Whether a ping is answered, and by nothing else before.
    pub(super) async fn pongs(&mut self) -> bool {
        self.0.send(Message::Ping("x".into())).await.unwrap();
        match tokio::time::timeout(Duration::from_millis(300), self.frame()).await {
            Ok(frame) => frame.is_some_and(|frame| frame.into_data() == "x"),
            Err(_) => false,
        }
    }

    /// What comes until the socket ends: the texts' reasons, and the code of the closing frame.
    pub(super) async fn last(&mut self) -> (Vec<String>, Option<u16>) {
        let mut reasons = Vec::new();
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    reasons.push(frame["reason"].as_str().unwrap_or_default().to_owned());
                }
                Some(Message::Close(frame)) => return (reasons, frame.map(|frame| frame.code.into())),
                Some(_) => {}
                None => return (reasons, None),
            }
        }
    }
}

/// Types a command without waiting for what comes of it.
pub(super) fn type_command(slack: &SlackStandIn) -> JoinHandle<io::Result<Ack>> {
    let slack = slack.clone();
    tokio::spawn(async move { slack.command("", TYPED, "C0CUSTOMER", "U0ALICE").await })
}

pub(super) fn type_into_a_menu(slack: &SlackStandIn) -> JoinHandle<io::Result<Ack>> {
    let slack = slack.clone();
    tokio::spawn(async move { slack.suggest("", "service", "b", "ad", "U0ALICE", None).await })
}

pub(super) fn rules(slack: &SlackStandIn) -> Vec<Rule> {
    slack.violations().into_iter().map(|violation| violation.rule).collect()
}
