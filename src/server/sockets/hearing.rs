//! One socket while it is open: what is heard on it, and the acknowledgements that go back.
//!
//! Owns the signs of life, and the order at the end: what was heard is acknowledged before the socket
//! closes. An acknowledgement goes over the socket that its envelope came over, for Slack looks for it
//! nowhere else. Must not know what an envelope asks for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::pace::Outcome;
use super::{Counted, Sockets};
use crate::slack::envelope::{Envelope, Frame, Reason};
use crate::slack::socket::{Heard, LINK_DISABLED, Socket};
use crate::telemetry::SocketEnd;

/// How often the other end is asked for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(2);
/// After so long without one a socket is dead, whatever the system believes: four pings were not answered.
/// An operator, and Slack, would otherwise take the bot for well while it is deaf.
const STALE_AFTER: Duration = Duration::from_secs(8);
/// How long a socket that is being replaced is listened to at most. Slack closes it before that: it says
/// "in about ten seconds".
const LEAVE_LIMIT: Duration = Duration::from_secs(60);
/// Longest wait for what is under way when a socket ends: an answer's deadline, and the way out.
const FINISH_LIMIT: Duration = Duration::from_secs(3);
/// How many envelopes of one socket are answered at a time. Of a flood, what is more is turned away at once:
/// if it were read later, it would be answered too late.
const AT_A_TIME: usize = 512;
/// How long nothing must have come on a socket that is to close: what Slack had sent by then has been heard.
const QUIET: Duration = Duration::from_millis(50);

/// An open socket and what is under way on it.
pub(super) struct Hearing {
    socket: Socket,
    sockets: Arc<Sockets>,
    /// To this socket, from whoever answers; `None` where the answering failed.
    answers: mpsc::UnboundedSender<Option<String>>,
    answered: mpsc::UnboundedReceiver<Option<String>>,
    /// How many answers are to come.
    under_way: usize,
    /// When the other end was last heard.
    heard: Instant,
    pings: Interval,
    _counted: Counted,
}

/// Why a socket is not listened to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The bot stops.
    Stopped,
    /// Slack will close it, and wants another opened.
    Replaced,
    /// Slack wants none opened, in a word of its own.
    Refused(&'static str),
    /// The app has as many as Slack allows, which passes when others end.
    TooMany,
    /// It is closed or lost.
    Closed,
    /// Nothing was heard for too long.
    Stale,
}

impl End {
    /// What it is counted as.
    pub(super) fn reason(self) -> SocketEnd {
        match self {
            Self::Stopped | Self::Replaced => SocketEnd::Asked,
            Self::Refused(_) | Self::TooMany => SocketEnd::Refused,
            Self::Closed => SocketEnd::Closed,
            Self::Stale => SocketEnd::Stale,
        }
    }

    /// What it means for when the next one is opened.
    pub(super) fn outcome(self, lasted: Duration) -> Outcome {
        match self {
            Self::Refused(word) => Outcome::refused(word),
            Self::TooMany => Outcome::Failed(Duration::ZERO),
            Self::Stopped | Self::Replaced | Self::Closed | Self::Stale => Outcome::Lasted(lasted),
        }
    }
}

impl Hearing {
    pub(super) fn new(socket: Socket, sockets: Arc<Sockets>) -> Self {
        let (answers, answered) = mpsc::unbounded_channel();
        let counted = sockets.open.one_more();
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let heard = Instant::now();
        Self { socket, sockets, answers, answered, under_way: 0, heard, pings, _counted: counted }
    }

    /// Hears and answers until there is an end of it.
    pub(super) async fn listen(&mut self, stop: &CancellationToken) -> End {
        loop {
            let stale = self.heard + STALE_AFTER;
            tokio::select! {
                // In this order: after a standstill of the machine, what has come meanwhile is no silence.
                biased;
                () = stop.cancelled() => return End::Stopped,
                Some(text) = self.answered.recv() => {
                    if !self.acknowledge(text).await {
                        return End::Closed;
                    }
                }
                heard = self.socket.hear() => {
                    if !matches!(heard, Heard::Closed) {
                        self.heard = Instant::now();
                        self.sockets.metrics.socket_heard(self.sockets.clock.now());
                    }
                    match heard {
                        Heard::Frame(Frame::Envelope(envelope)) => self.take(envelope),
                        Heard::Frame(Frame::Disconnect(Reason::Refresh)) => return End::Replaced,
                        Heard::Frame(Frame::Disconnect(Reason::LinkDisabled)) => {
                            return End::Refused(LINK_DISABLED);
                        }
                        Heard::Frame(Frame::Disconnect(Reason::TooMany)) => {
                            return End::TooMany;
                        }
                        Heard::Frame(Frame::Hello { .. } | Frame::Other) | Heard::Life => {}
                        Heard::Closed => return End::Closed,
                    }
                }
                _ = self.pings.tick() => {
                    if self.socket.ping().await.is_err() {
                        return End::Closed;
                    }
                }
                () = sleep_until(stale) => return End::Stale,
            }
        }
    }

    /// Listens on while another one is opened, until Slack closes this one.
    pub(super) async fn leave(mut self, stop: &CancellationToken) {
        // Asked to stop, it listens no more once what it is writing has left; cut off, it would lose that.
        let enough = stop.child_token();
        let end = {
            let mut listening = pin!(async {
                loop {
                    match self.listen(&enough).await {
                        // Slack warns more than once.
                        End::Replaced => {}
                        end => break end,
                    }
                }
            });
            match timeout(LEAVE_LIMIT, &mut listening).await {
                Ok(end) => end,
                Err(_) => {
                    enough.cancel();
                    listening.await
                }
            }
        };
        match end {
            End::Closed | End::Stale => self.let_go(),
            End::Stopped | End::Replaced | End::Refused(_) | End::TooMany => self.finish().await,
        }
    }

    /// Acknowledges what is under way, and what comes until then, and closes: Slack goes on sending until
    /// it hears of the end.
    pub(super) async fn finish(mut self) {
        let rest = async {
            loop {
                tokio::select! {
                    Some(text) = self.answered.recv() => {
                        if !self.acknowledge(text).await {
                            return;
                        }
                    }
                    heard = self.socket.hear() => match heard {
                        Heard::Frame(Frame::Envelope(envelope)) => {
                            self.heard = Instant::now();
                            self.take(envelope);
                        }
                        Heard::Closed => return,
                        Heard::Frame(_) | Heard::Life => {}
                    },
                    () = sleep(QUIET), if self.under_way == 0 => return,
                }
            }
        };
        let _ = timeout(FINISH_LIMIT, rest).await;
        self.tell_what_is_owed();
        self.socket.close().await;
    }

    /// Lets go of a socket over which nothing can be said any more. What is under way goes on.
    pub(super) fn let_go(self) {
        self.tell_what_is_owed();
    }

    fn tell_what_is_owed(&self) {
        if self.under_way > 0 {
            let unacknowledged = self.under_way;
            tracing::warn!(unacknowledged, "a socket to Slack ended before it was all acknowledged");
        }
    }

    fn take(&mut self, envelope: Envelope) {
        self.under_way += 1;
        if self.under_way > AT_A_TIME
            && let Some(text) = self.sockets.turn_away(&envelope)
        {
            let _ = self.answers.send(Some(text));
            return;
        }
        let (sockets, answers, heard) = (Arc::clone(&self.sockets), self.answers.clone(), self.heard);
        tokio::spawn(async move {
            // In a task of its own, so that one that panics counts as answered, too.
            let text = tokio::spawn(async move { sockets.answer(envelope, heard).await }).await;
            let _ = answers.send(text.ok());
        });
    }

    /// Sends an answer back; false if the socket is of no use any more.
    async fn acknowledge(&mut self, text: Option<String>) -> bool {
        if let Some(text) = text
            && self.socket.write(text).await.is_err()
        {
            return false;
        }
        self.under_way -= 1;
        true
    }
}
