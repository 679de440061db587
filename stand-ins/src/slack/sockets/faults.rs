//! What can go wrong with sockets, each at one call.
//!
//! Owns the names of those faults. Refused calls of `apps.connections.open` are faults of a call like all
//! others, and are arranged where those are. Must not know how frames travel.

use std::time::Duration;

use serde_json::json;

use super::{Envelope, HOST, Order, SlackStandIn, Standing, envelope_id, ping};

/// More than any buffer on the way.
const HUGE: usize = 2 << 20;

/// Whom a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Every socket.
    All,
    /// One, by chance.
    Any,
    /// The one that was opened first.
    Oldest,
    /// The one that was opened last.
    Newest,
    /// The one with this number.
    Number(u64),
}

/// How Slack has a socket replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It says that it will close. Envelopes still come.
    Warning,
    /// It is about to close. No new envelope comes.
    RefreshRequested,
}

/// How a socket fails to open although its address is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The handshake is answered with this status.
    Refused(u16),
    /// The connection is reset.
    Reset,
    /// The handshake is never answered.
    Hangs,
    /// There is never a hello, although pings are answered.
    Silent,
}

/// How an envelope comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// On two sockets at the same time.
    AtOnce,
    /// On a second socket once it was acknowledged on the first, which Slack has not heard.
    AfterALostAck,
}

/// A frame that nobody expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Bytes.
    Binary,
    /// Text that is no JSON, as Slack has sent it: SlackNet, issue 107.
    Unauthenticated,
    /// Slack's ping as text.
    PingInText,
    /// JSON that is no object.
    Array,
    /// A type of tomorrow, in an envelope.
    UnknownEnvelope,
    /// A type of tomorrow, without one.
    Unknown,
    /// The same in two megabytes.
    Huge,
    /// The same in several frames.
    Pieces,
}

impl SlackStandIn {
    /// Resets connections without a closing frame. Gives how many.
    pub fn reset_sockets(&self, which: Which) -> usize {
        self.befall(which, Some(Standing::Leaving), || Order::Reset)
    }

    /// Closes sockets with a code and a reason. Gives how many.
    pub fn close_sockets(&self, which: Which, code: u16, reason: &str) -> usize {
        self.befall(which, Some(Standing::Leaving), || Order::Close(code, reason.to_owned()))
    }

    /// Lets sockets take bytes and answer nothing, pings included. Gives how many.
    pub fn hang_sockets(&self, which: Which) -> usize {
        self.befall(which, Some(Standing::Hung), || Order::Hang)
    }

    /// Whether envelopes still go to sockets that hang, as long as Slack has not noticed. Not by itself.
    pub fn route_to_hung_sockets(&self, routes: bool) {
        self.sockets().routes_to_hung = routes;
    }

    /// Has sockets replaced, and closes them after so long. Gives how many.
    pub fn rotate_sockets(&self, which: Which, rotation: Rotation, after: Duration) -> usize {
        match rotation {
            Rotation::Warning => self.befall(which, None, || Order::Disconnect("warning", after)),
            Rotation::RefreshRequested => {
                self.befall(which, Some(Standing::Leaving), || Order::Disconnect("refresh_requested", after))
            }
        }
    }

    /// Somebody turns Socket Mode off: every socket is told and closed, and none can be opened.
    pub fn disable_links(&self) {
        self.sockets().disabled = true;
        self.befall(Which::All, Some(Standing::Leaving), || {
            Order::Disconnect("link_disabled", Duration::ZERO)
        });
    }

    /// Somebody turns Socket Mode on again.
    pub fn enable_links(&self) {
        self.sockets().disabled = false;
    }

    /// So many of the next connections to an address for a socket fail so. Repeated use queues up.
    pub fn fail_next_links(&self, opening: Opening, times: usize) {
        self.sockets().openings.extend(std::iter::repeat_n(opening, times));
    }

    /// So many of the next envelopes come twice. Repeated use queues up.
    pub fn deliver_next_twice(&self, twice: Twice, times: usize) {
        self.sockets().twice.extend(std::iter::repeat_n(twice, times));
    }

    /// Whether envelopes come in several frames each.
    pub fn deliver_in_pieces(&self, pieces: bool) {
        self.sockets().in_pieces = pieces;
    }

    /// Sends a frame that nobody expects. Gives to how many sockets.
    pub fn send_oddity(&self, which: Which, oddity: Oddity) -> usize {
        let unknown = json!({ "type": "of_tomorrow", "debug_info": { "host": HOST } }).to_string();
        match oddity {
            Oddity::Binary => self.befall(which, None, || Order::Binary(unknown.clone().into_bytes())),
            Oddity::Unauthenticated => {
                self.befall(which, None, || Order::Text("UNAUTHENTICATED: cache_error".to_owned()))
            }
            Oddity::PingInText => self.befall(which, None, || Order::Text(ping(0))),
            Oddity::Array => self.befall(which, None, || Order::Text("[]".to_owned())),
            Oddity::Unknown => self.befall(which, None, || Order::Text(unknown.clone())),
            Oddity::Pieces => self.befall(which, None, || Order::Pieces(unknown.clone())),
            Oddity::Huge => self.befall(which, None, || {
                Order::Text(json!({ "type": "of_tomorrow", "padding": "x".repeat(HUGE) }).to_string())
            }),
            Oddity::UnknownEnvelope => {
                let those = self.those(which);
                let mut sockets = self.sockets();
                for &socket in &those {
                    let id = envelope_id();
                    let text = json!({
                        "envelope_id": id, "type": "of_tomorrow", "payload": {},
                        "accepts_response_payload": false,
                    });
                    // Nobody waits, and whoever acknowledges it is right.
                    let (accepts, loses, late) = (false, false, false);
                    let (text, sent) = (text.to_string(), Vec::new());
                    sockets.keep(&id, Envelope { text, accepts, sent, loses, late, waits: None });
                    sockets.send(&id, socket);
                }
                those.len()
            }
        }
    }

    fn befall(&self, which: Which, standing: Option<Standing>, order: impl Fn() -> Order) -> usize {
        let those = self.those(which);
        let mut sockets = self.sockets();
        for &socket in &those {
            if let Some(standing) = standing {
                sockets.stand(socket, standing);
            }
            sockets.order(socket, order());
        }
        those.len()
    }

    /// The numbers of the sockets that a fault befalls.
    fn those(&self, which: Which) -> Vec<u64> {
        let mut sockets = self.sockets();
        let all: Vec<u64> = sockets.sockets.keys().copied().collect();
        match which {
            Which::All => all,
            Which::Any => sockets.draw(&all).into_iter().collect(),
            Which::Oldest => all.first().copied().into_iter().collect(),
            Which::Newest => all.last().copied().into_iter().collect(),
            Which::Number(number) => all.into_iter().filter(|&known| known == number).collect(),
        }
    }
}
