//! What went over the wire: who asked whom for what, how it was answered, and how long that took.
//!
//! Owns the newest exchanges, and the trap that holds one of them in its middle. Nothing is taped
//! unless whoever runs the stand-ins gives them a tape. Must not know Slack, Fivetran or the bot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::lock;

/// How many exchanges are kept: more than a person reads.
const KEPT: usize = 500;
/// The longest text that is kept of a request or an answer, in bytes: a catalogue is of no use whole.
const LONGEST: usize = 64 * 1024;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Slack.
    Slack,
    /// Fivetran.
    Fivetran,
    /// The bot.
    Bot,
    /// The customer's browser.
    Browser,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its number on the tape, from 1.
    pub n: u64,
    /// Who asked.
    pub from: Party,
    /// Who was asked.
    pub to: Party,
    /// What for, such as `POST /v1/connections`.
    pub label: String,
    /// When, by the clock of the stand-in.
    pub at: Timestamp,
    /// How long it took; `None` while it is under way.
    pub took: Option<Duration>,
    /// The status that was answered; `None` where there was no answer.
    pub status: Option<u16>,
    /// What was sent: JSON, or text.
    pub request: Value,
    /// What came back, the same way.
    pub answer: Value,
    /// Whether it met a fault that somebody had switched on.
    pub faulty: bool,
    /// Whether the one who asked died before the answer.
    pub deadly: bool,
    changed: u64,
}

/// How an exchange begins.
#[derive(Debug)]
pub struct Beginning {
    /// Who asks.
    pub from: Party,
    /// Who is asked.
    pub to: Party,
    /// What for.
    pub label: String,
    /// When.
    pub at: Timestamp,
    /// What is sent.
    pub request: Value,
}

/// An exchange that was caught in its middle: what was asked for is done, and the answer waits until
/// this is dropped.
#[derive(Debug)]
pub struct Caught {
    /// Its number on the tape.
    pub n: u64,
    /// Who was asked.
    pub to: Party,
    /// What for.
    pub label: String,
    _release: oneshot::Sender<()>,
}

#[derive(Default)]
struct Kept {
    exchanges: VecDeque<Exchange>,
    made: u64,
    revision: u64,
    trap: Option<oneshot::Sender<Caught>>,
}

struct Inner {
    kept: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

/// A tape; clones are the same one.
#[derive(Clone)]
pub struct Tape(Arc<Inner>);

impl Default for Tape {
    fn default() -> Self {
        Self(Arc::new(Inner { kept: Mutex::default(), changes: watch::Sender::new(0) }))
    }
}

/// Ends an exchange. Dropped without an end, it ends without an answer.
pub struct Open {
    tape: Tape,
    n: u64,
    began: std::time::Instant,
    ended: bool,
    faulty: bool,
}

impl Tape {
    /// Tapes the beginning of an exchange.
    #[must_use]
    pub fn begin(&self, beginning: Beginning) -> Open {
        let mut kept = lock(&self.0.kept);
        kept.made += 1;
        kept.revision += 1;
        if kept.exchanges.len() == KEPT {
            kept.exchanges.pop_front();
        }
        let Beginning { from, to, label, at, request } = beginning;
        let exchange = Exchange {
            n: kept.made,
            from,
            to,
            label,
            at,
            took: None,
            status: None,
            request: short(request),
            answer: Value::Null,
            faulty: false,
            deadly: false,
            changed: kept.revision,
        };
        let (n, revision) = (exchange.n, kept.revision);
        kept.exchanges.push_back(exchange);
        drop(kept);
        self.0.changes.send_replace(revision);
        Open { tape: self.clone(), n, began: std::time::Instant::now(), ended: false, faulty: false }
    }

    /// The exchanges that began or ended after a revision, oldest first, and the revision by now.
    #[must_use]
    pub fn since(&self, revision: u64) -> (Vec<Exchange>, u64) {
        let kept = lock(&self.0.kept);
        let newer = kept.exchanges.iter().filter(|exchange| exchange.changed > revision);
        (newer.cloned().collect(), kept.revision)
    }

    /// Tells of everything that happens from now on, be it only that somebody said so by
    /// [`Tape::touch`].
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Whoever asked in this exchange is dead, and will not hear the answer.
    pub fn bury(&self, n: u64) {
        self.change(n, |exchange| exchange.deadly = true);
    }

    /// Whether somebody waits for an answer of this party.
    #[must_use]
    pub fn is_awaited(&self, party: Party) -> bool {
        let kept = lock(&self.0.kept);
        kept.exchanges.iter().any(|exchange| exchange.to == party && exchange.took.is_none())
    }

    /// Something has changed that is seen elsewhere.
    pub fn touch(&self) {
        self.0.changes.send_modify(|_| {});
    }

    /// Catches the next step that the bot takes: a call that changes something. A trap that was set
    /// before is taken away.
    #[must_use]
    pub fn trap(&self) -> oneshot::Receiver<Caught> {
        let (set, caught) = oneshot::channel();
        lock(&self.0.kept).trap = Some(set);
        caught
    }

    fn change(&self, n: u64, change: impl FnOnce(&mut Exchange)) {
        let mut kept = lock(&self.0.kept);
        kept.revision += 1;
        let revision = kept.revision;
        if let Some(exchange) = kept.exchanges.iter_mut().rev().find(|exchange| exchange.n == n) {
            change(exchange);
            exchange.changed = revision;
        }
        drop(kept);
        self.0.changes.send_replace(revision);
    }
}

impl Open {
    /// Waits as long as a trap holds the exchange, if one is set and this is a step.
    pub async fn pass(&self, is_step: bool) {
        if !is_step {
            return;
        }
        let (release, held) = oneshot::channel();
        let caught = {
            let mut kept = lock(&self.tape.0.kept);
            let exchange = kept.exchanges.iter().rev().find(|exchange| exchange.n == self.n);
            let Some(Exchange { to, label, .. }) = exchange else { return };
            let caught = Caught { n: self.n, to: *to, label: label.clone(), _release: release };
            let Some(trap) = kept.trap.take() else { return };
            // Nobody waits there any more: then nobody is to be held.
            trap.send(caught).is_ok()
        };
        if caught {
            let _ = held.await;
        }
    }

    /// The same exchange, under a fault that somebody had switched on.
    #[must_use]
    pub fn faulty(mut self) -> Self {
        self.faulty = true;
        self
    }

    /// The exchange has ended with this answer.
    pub fn end(mut self, status: Option<u16>, answer: Value, faulty: bool) {
        self.close(status, answer, faulty);
    }

    fn close(&mut self, status: Option<u16>, answer: Value, faulty: bool) {
        self.ended = true;
        let (took, blamed) = (self.began.elapsed(), self.faulty);
        self.tape.change(self.n, |exchange| {
            exchange.took = Some(took);
            exchange.status = status;
            exchange.answer = short(answer);
            exchange.faulty = faulty || blamed;
        });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended {
            self.close(None, Value::Null, false);
        }
    }
}

/// A body as the tape keeps it: JSON where it is some, else text.
#[must_use]
pub fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// A form as an object of its fields, a payload within read as the JSON that it is.
#[must_use]
pub fn form(bytes: &[u8]) -> Value {
    let fields = form_urlencoded::parse(bytes).map(|(name, value)| {
        let value = if name == "payload" { body(value.as_bytes()) } else { Value::from(value.into_owned()) };
        (name.into_owned(), value)
    });
    Value::Object(fields.collect())
}

fn short(value: Value) -> Value {
    let length = match &value {
        Value::String(text) => text.len(),
        Value::Object(_) | Value::Array(_) => value.to_string().len(),
        _ => 0,
    };
    if length > LONGEST { Value::from(format!("({length} bytes)")) } else { value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn beginning(label: &str) -> Beginning {
        Beginning {
            from: Party::Bot,
            to: Party::Fivetran,
            label: label.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            request: json!({ "a": 1 }),
        }
    }

    #[test]
    fn what_began_or_ended_since_is_told_once_each() {
        let tape = Tape::default();
        let (first, second) = (tape.begin(beginning("GET /a")), tape.begin(beginning("GET /b")));
        let (began, revision) = tape.since(0);
        assert_eq!(
            began.iter().map(|it| (it.n, it.took.is_some())).collect::<Vec<_>>(),
            [(1, false), (2, false)]
        );
        first.end(Some(201), json!({ "ok": true }), true);
        let (ended, revision) = tape.since(revision);
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].label.as_str(), ended[0].status, ended[0].faulty), ("GET /a", Some(201), true));
        assert!(ended[0].took.is_some());
        assert!(tape.is_awaited(Party::Fivetran) && !tape.is_awaited(Party::Bot));
        drop(second);
        assert!(!tape.is_awaited(Party::Fivetran));
        let (ended, revision) = tape.since(revision);
        assert_eq!((ended.len(), ended[0].status), (1, None));
        assert!(ended[0].took.is_some());
        assert!(tape.since(revision).0.is_empty());
    }

    #[test]
    fn only_the_newest_are_kept_and_nothing_endless_of_them() {
        let tape = Tape::default();
        for _ in 0..=KEPT {
            let open =
                tape.begin(Beginning { request: json!("x".repeat(LONGEST + 1)), ..beginning("GET /a") });
            open.end(Some(200), Value::Null, false);
        }
        let (kept, _) = tape.since(0);
        assert_eq!((kept.len(), kept[0].n), (KEPT, 2));
        assert_eq!(kept[0].request, json!("(65537 bytes)"));
    }

    #[tokio::test]
    async fn a_trap_holds_the_next_step_and_no_other_call_until_it_is_let_go() {
        let tape = Tape::default();
        let mut trap = tape.trap();
        let look = tape.begin(beginning("GET /v1/connections"));
        look.pass(false).await;
        assert!(trap.try_recv().is_err());
        let step = tape.begin(beginning("POST /v1/connections"));
        let passing = tokio::spawn(async move {
            step.pass(true).await;
            step.end(Some(201), Value::Null, false);
        });
        let caught = trap.await.unwrap();
        assert_eq!((caught.n, caught.label.as_str()), (2, "POST /v1/connections"));
        let (kept, _) = tape.since(0);
        assert!(!kept[1].deadly && kept[1].took.is_none());
        tape.bury(caught.n);
        assert!(tape.since(0).0[1].deadly);
        drop(caught);
        passing.await.unwrap();
        // It springs once.
        tape.begin(beginning("POST /v1/connections")).pass(true).await;
    }

    #[tokio::test]
    async fn a_trap_that_nobody_waits_at_holds_nobody() {
        let tape = Tape::default();
        drop(tape.trap());
        let step = tape.begin(beginning("POST /v1/connections"));
        step.pass(true).await;
        step.end(Some(201), Value::Null, false);
        assert!(!tape.since(0).0[0].deadly);
    }

    #[test]
    fn a_form_is_kept_as_its_fields() {
        assert_eq!(
            form(b"text=a+b&payload=%7B%22type%22%3A1%7D"),
            json!({ "text": "a b", "payload": { "type": 1 } })
        );
        assert_eq!((body(b""), body(b"[1]"), body(b"ok")), (Value::Null, json!([1]), json!("ok")));
    }
}
