//! Slack's Socket Mode: who may open a socket, which socket an envelope goes to, and what becomes of it.
//!
//! Owns tickets, the sockets that live and the envelopes that wait, by docs.slack.dev,
//! apis/events-api/using-socket-mode, and by what Slack's own SDKs read and write. Must not know what a
//! payload means, nor how frames travel.

mod ack;
mod faults;
mod link;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::ack::{Rule, Violation};
pub use self::faults::{Oddity, Opening, Rotation, Twice, Which};
pub(super) use self::link::serve;
use super::{APP_ID, PATIENCE, SlackStandIn};
use crate::encoding::{hex, random_name, random_u64};
use crate::fault::splitmix64;
use crate::lock;
use crate::wire::{Answer, Request};

/// What a socket calls the machine behind it.
const HOST: &str = "applink-sandbox";
/// How long a ticket waits for its socket. Slack does not say; what it gives out is meant for at once.
const TICKET_LIFE: SignedDuration = SignedDuration::from_secs(30);
/// "Up to 10": docs.slack.dev, using multiple connections.
const MOST_SOCKETS: usize = 10;
/// What `hello` says in the fixtures of python-slack-sdk, in seconds.
const LIFE: Duration = Duration::from_secs(18_060);
/// "You may receive a warning about 10 seconds before the disconnect": docs.slack.dev.
const WARNING: Duration = Duration::from_secs(10);
/// Well within the 30 s that Slack's SDK for Node waits for a ping.
const PING_EVERY: Duration = Duration::from_secs(10);
/// redmine_ai_helper, pull request 374: whoever does not answer pings is gone after two minutes.
const PONG_PATIENCE: Duration = Duration::from_secs(120);
/// Enough to tell a late acknowledgement from one of an envelope that never was.
const ENVELOPES_KEPT: usize = 20_000;

/// The way in which Slack calls the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// A signed request to the bot's address.
    #[default]
    Http,
    /// An envelope on one of the bot's sockets.
    Sockets,
}

/// What a socket is told to do.
#[derive(Debug)]
enum Order {
    /// Sends a text, whole.
    Text(String),
    /// Sends a text in three frames, with a ping between them.
    Pieces(String),
    /// Sends bytes.
    Binary(Vec<u8>),
    /// Says why it will be closed, and is closed after so long.
    Disconnect(&'static str, Duration),
    /// Is closed with this code.
    Close(u16, String),
    /// Is reset without a word.
    Reset,
    /// Stays open and does nothing any more.
    Hang,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has not said hello.
    Silent,
    Live,
    /// It gets nothing new.
    Leaving,
    Hung,
}

struct Socket {
    orders: mpsc::UnboundedSender<Order>,
    standing: Standing,
}

/// An envelope on one socket.
struct Sent {
    socket: u64,
    acknowledged: bool,
    gone: bool,
}

struct Envelope {
    text: String,
    accepts: bool,
    sent: Vec<Sent>,
    /// Its first acknowledgement is to be lost on the way.
    loses: bool,
    late: bool,
    /// Who waits for its acknowledgement.
    waits: Option<oneshot::Sender<(Option<Value>, Instant)>>,
}

/// How a socket is pinged, and how long it lives.
#[derive(Debug, Clone, Copy)]
struct Habits {
    ping_every: Duration,
    pong_patience: Duration,
    life: Duration,
    warning: Duration,
}

/// Everything about sockets that lasts longer than one frame.
pub(super) struct Sockets {
    delivery: Delivery,
    /// Where sockets are opened: host and port.
    at: String,
    tokens: Vec<String>,
    tickets: HashMap<String, Timestamp>,
    sockets: BTreeMap<u64, Socket>,
    envelopes: HashMap<String, Envelope>,
    /// Their ids, oldest first.
    order: VecDeque<String>,
    /// What goes to one more socket, as soon as there is one that has not had it.
    again: Vec<String>,
    violations: Vec<Violation>,
    opened: u64,
    live: watch::Sender<usize>,
    dice: u64,
    habits: Habits,
    disabled: bool,
    in_pieces: bool,
    routes_to_hung: bool,
    openings: VecDeque<Opening>,
    twice: VecDeque<Twice>,
}

impl Sockets {
    pub(super) fn new(at: String, token: &str) -> Self {
        Self {
            delivery: Delivery::default(),
            at,
            tokens: vec![token.to_owned()],
            tickets: HashMap::new(),
            sockets: BTreeMap::new(),
            envelopes: HashMap::new(),
            order: VecDeque::new(),
            again: Vec::new(),
            violations: Vec::new(),
            opened: 0,
            live: watch::Sender::new(0),
            dice: 0,
            habits: Habits {
                ping_every: PING_EVERY,
                pong_patience: PONG_PATIENCE,
                life: LIFE,
                warning: WARNING,
            },
            disabled: false,
            in_pieces: false,
            routes_to_hung: false,
            openings: VecDeque::new(),
            twice: VecDeque::new(),
        }
    }

    /// `apps.connections.open`: an address for one socket.
    /// <https://docs.slack.dev/reference/methods/apps.connections.open>
    pub(super) fn open(
        &mut self,
        request: &Request,
        arguments: &Value,
        bots: &[String],
        now: Timestamp,
    ) -> Answer {
        let no = |error: &str| Answer::json(200, &json!({ "ok": false, "error": error }));
        if request.method != hyper::Method::POST {
            return no("insecure_request");
        }
        // "Passing it as a POST parameter will result in an error", which is said to be this one.
        let Some(token) = request.header("authorization").strip_prefix("Bearer ") else {
            return no(if arguments["token"].is_null() { "not_authed" } else { "invalid_auth" });
        };
        if bots.iter().any(|known| known == token) {
            return no("not_allowed_token_type");
        }
        if !self.tokens.iter().any(|known| known == token) {
            return no("invalid_auth");
        }
        // The reference has no error for this; it is the word that open sockets are closed with.
        if self.disabled {
            return no("link_disabled");
        }
        self.tickets.retain(|_, made| now.duration_since(*made) <= TICKET_LIFE);
        let ticket = random_name();
        let url = format!("ws://{}/link/?ticket={ticket}&app_id={APP_ID}", self.at);
        self.tickets.insert(ticket, now);
        Answer::json(200, &json!({ "ok": true, "url": url })).with("x-oauth-scopes", "connections:write")
    }

    /// Uses up a ticket.
    fn redeem(&mut self, ticket: &str, now: Timestamp) -> bool {
        self.tickets.remove(ticket).is_some_and(|made| now.duration_since(made) <= TICKET_LIFE)
    }

    /// A place for one more socket, if there is one.
    fn admit(&mut self, orders: mpsc::UnboundedSender<Order>) -> Option<u64> {
        if self.sockets.len() >= MOST_SOCKETS {
            return None;
        }
        self.opened += 1;
        self.sockets.insert(self.opened, Socket { orders, standing: Standing::Silent });
        Some(self.opened)
    }

    fn stand(&mut self, socket: u64, standing: Standing) {
        if let Some(known) = self.sockets.get_mut(&socket) {
            known.standing = standing;
        }
        self.send_again();
        self.tell();
    }

    /// Forgets a socket. What waits for it alone waits in vain.
    fn leave(&mut self, socket: u64) {
        self.sockets.remove(&socket);
        let again = &self.again;
        for (id, envelope) in &mut self.envelopes {
            for sent in envelope.sent.iter_mut().filter(|sent| sent.socket == socket) {
                sent.gone = true;
            }
            if envelope.sent.iter().all(|sent| sent.gone || sent.acknowledged) && !again.contains(id) {
                envelope.waits = None;
            }
        }
        self.tell();
    }

    fn tell(&self) {
        self.live
            .send_replace(self.sockets.values().filter(|known| known.standing == Standing::Live).count());
    }

    /// One of the sockets that get envelopes: "it's best not to assume any particular pattern".
    fn pick(&mut self, without: &[u64]) -> Option<u64> {
        let gets = |standing: Standing| match standing {
            Standing::Live => true,
            Standing::Hung => self.routes_to_hung,
            Standing::Silent | Standing::Leaving => false,
        };
        let those = self.sockets.iter().filter(|(number, it)| gets(it.standing) && !without.contains(number));
        let those: Vec<u64> = those.map(|(&number, _)| number).collect();
        self.draw(&those)
    }

    fn draw(&mut self, from: &[u64]) -> Option<u64> {
        let count = u64::try_from(from.len()).ok().filter(|&count| count > 0)?;
        self.dice = splitmix64(self.dice);
        from.get(usize::try_from(self.dice % count).ok()?).copied()
    }

    fn order(&self, socket: u64, order: Order) {
        if let Some(known) = self.sockets.get(&socket) {
            // A socket that has just gone takes no orders; it is on its way out of the table.
            let _ = known.orders.send(order);
        }
    }

    /// Keeps an envelope that was not sent yet.
    fn keep(&mut self, id: &str, envelope: Envelope) {
        if self.order.len() == ENVELOPES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.envelopes.remove(&oldest);
        }
        self.order.push_back(id.to_owned());
        self.envelopes.insert(id.to_owned(), envelope);
    }

    /// Sends an envelope on a socket.
    fn send(&mut self, id: &str, socket: u64) {
        let Some(envelope) = self.envelopes.get_mut(id) else { return };
        envelope.sent.push(Sent { socket, acknowledged: false, gone: false });
        let text = envelope.text.clone();
        self.order(socket, if self.in_pieces { Order::Pieces(text) } else { Order::Text(text) });
    }

    /// Sends what is to go to one more socket, where there is one.
    fn send_again(&mut self) {
        for id in std::mem::take(&mut self.again) {
            let had = self.envelopes.get(&id).map(|it| it.sent.iter().map(|sent| sent.socket).collect());
            let had: Vec<u64> = had.unwrap_or_default();
            match self.pick(&had) {
                Some(socket) => self.send(&id, socket),
                None => self.again.push(id),
            }
        }
    }

    /// Sends a new envelope to one of the sockets; gives what will tell of its acknowledgement.
    fn begin(
        &mut self,
        id: &str,
        text: String,
        accepts: bool,
    ) -> Option<oneshot::Receiver<(Option<Value>, Instant)>> {
        let socket = self.pick(&[])?;
        let twice = self.twice.pop_front();
        let (waits, acknowledged) = oneshot::channel();
        let loses = twice == Some(Twice::AfterALostAck);
        let envelope = Envelope { text, accepts, sent: Vec::new(), loses, late: false, waits: Some(waits) };
        self.keep(id, envelope);
        self.send(id, socket);
        if twice == Some(Twice::AtOnce) {
            self.again.push(id.to_owned());
            self.send_again();
        }
        Some(acknowledged)
    }

    /// Hears what an app said on a socket.
    fn hear(&mut self, socket: u64, said: &str, at: Instant) {
        if let Err(rule) = self.acknowledge(socket, said, at) {
            self.breach(rule, said);
        }
    }

    fn acknowledge(&mut self, socket: u64, said: &str, at: Instant) -> Result<(), Rule> {
        let ack = ack::read(said)?;
        let envelope = self.envelopes.get_mut(&ack.envelope_id).ok_or(Rule::Known)?;
        let sent = envelope.sent.iter_mut().find(|sent| sent.socket == socket).ok_or(Rule::SameSocket)?;
        if std::mem::replace(&mut sent.acknowledged, true) {
            return Err(Rule::Once);
        }
        if envelope.late {
            return Err(Rule::InTime);
        }
        if std::mem::take(&mut envelope.loses) {
            self.again.push(ack.envelope_id);
            self.send_again();
            return Ok(());
        }
        let accepted = envelope.accepts || ack.payload.is_none();
        if let Some(waits) = envelope.waits.take() {
            let _ = waits.send((ack.payload.filter(|_| accepted), at));
        }
        if accepted { Ok(()) } else { Err(Rule::Accepted) }
    }

    fn breach(&mut self, rule: Rule, said: &str) {
        self.violations.push(Violation { rule, said: said.to_owned() });
    }
}

/// The text of a ping.
fn ping(n: u64) -> String {
    format!("Ping from {HOST} ({n})")
}

/// Whether Slack takes an answer in the acknowledgement, as the fixtures of its SDKs have it: of what
/// somebody typed, submitted or typed into a menu.
fn accepts_payload(kind: &str, payload: &Value) -> bool {
    let answered = ["view_submission", "block_suggestion"];
    kind == "slash_commands" || payload["type"].as_str().is_some_and(|it| answered.contains(&it))
}

/// An id in the form of a UUID, as Slack's are.
fn envelope_id() -> String {
    let digits = hex(&[random_u64().to_be_bytes(), random_u64().to_be_bytes()].concat());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

impl SlackStandIn {
    /// Calls the bot by HTTP or by sockets from now on, whatever address a call is given.
    pub fn deliver_by(&self, delivery: Delivery) {
        self.sockets().delivery = delivery;
    }

    /// How it calls the bot.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.sockets().delivery
    }

    /// The app-level tokens that may open sockets, in the place of those before.
    pub fn set_app_tokens(&self, tokens: &[&str]) {
        self.sockets().tokens = tokens.iter().map(|&token| token.to_owned()).collect();
    }

    /// What the bot said on its sockets that Slack makes nothing of, oldest first.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.sockets().violations.clone()
    }

    /// The numbers of the sockets that live, oldest first: they have said hello and get envelopes.
    #[must_use]
    pub fn live_sockets(&self) -> Vec<u64> {
        let sockets = self.sockets();
        let live = sockets.sockets.iter().filter(|(_, it)| it.standing == Standing::Live);
        live.map(|(&number, _)| number).collect()
    }

    /// How many sockets there have been.
    #[must_use]
    pub fn sockets_opened(&self) -> u64 {
        self.sockets().opened
    }

    /// Waits until as many sockets live as are enough.
    pub async fn wait_for_sockets(&self, enough: impl Fn(usize) -> bool) {
        let mut live = self.sockets().live.subscribe();
        let _ = live.wait_for(|&count| enough(count)).await;
    }

    /// Pings the sockets opened from now on so often, and gives up one that answers none for so long.
    pub fn ping_sockets(&self, every: Duration, patience: Duration) {
        let mut sockets = self.sockets();
        sockets.habits.ping_every = every;
        sockets.habits.pong_patience = patience;
    }

    /// The sockets opened from now on live so long, and are warned so long before.
    pub fn set_socket_life(&self, life: Duration, warning: Duration) {
        let mut sockets = self.sockets();
        sockets.habits.life = life;
        sockets.habits.warning = warning;
    }

    /// Sends an envelope to one of the sockets; gives what its acknowledgement carries, and how long that
    /// took.
    pub(super) async fn send_envelope(
        &self,
        kind: &str,
        payload: &Value,
    ) -> io::Result<(Option<Value>, Duration)> {
        let id = envelope_id();
        let accepts = accepts_payload(kind, payload);
        let mut envelope = json!({
            "envelope_id": id, "payload": payload, "type": kind, "accepts_response_payload": accepts,
        });
        if kind == "events_api" {
            envelope["retry_attempt"] = json!(0);
            envelope["retry_reason"] = json!("");
        }
        let began = Instant::now();
        let Some(acknowledged) = self.sockets().begin(&id, envelope.to_string(), accepts) else {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "no socket lives"));
        };
        let Ok(heard) = tokio::time::timeout(PATIENCE, acknowledged).await else {
            if let Some(envelope) = self.sockets().envelopes.get_mut(&id) {
                envelope.late = true;
            }
            return Err(io::Error::new(io::ErrorKind::TimedOut, "operation_timeout"));
        };
        let Ok((payload, at)) = heard else {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the socket closed first"));
        };
        Ok((payload, at.duration_since(began)))
    }

    /// Notes that Slack does not take an answer that came on a socket.
    pub(super) fn refuse_payload(&self, faults: &str) {
        self.sockets().breach(Rule::Payload, faults);
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        lock(&self.0.sockets)
    }
}
