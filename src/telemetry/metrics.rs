//! Every number that the bot keeps about itself.
//!
//! Owns their names, their buckets and the text that Prometheus reads. What `docs/operations.md` says of
//! them is checked against it. Must not know how anything is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::hour::CallsLeft;
use super::labels::{
    Answer, CallOutcome, Ending, OpenStage, Operation, Party, SocketEnd, SweepOutcome, Writer,
};
use super::sets::{
    AnswerLabel, BuildLabel, CallLabel, EndingLabel, KeyLabel, PartyLabel, SocketEndLabel, StageLabel,
    SweepLabel, WriterLabel,
};
use super::skew::skew;

/// A call that is under way. Whoever does not wait for its end lets it count as one without an answer.
#[derive(Debug)]
pub struct Calling {
    metrics: Metrics,
    call: Operation,
    began: Instant,
    outcome: CallOutcome,
}

impl Calling {
    /// It came to this.
    pub fn ended(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let Metrics { calls, call_seconds, .. } = &self.metrics;
        calls.get_or_create(&CallLabel::of(self.call, self.outcome)).inc();
        let party = self.call.party();
        call_seconds.get_or_create(&PartyLabel { party }).observe(self.began.elapsed().as_secs_f64());
    }
}

/// Every number that the bot keeps about itself. Clones share the numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<AnswerLabel, Counter>,
    endings: Family<EndingLabel, Counter>,
    retries: Family<PartyLabel, Counter>,
    ack_seconds: Histogram,
    command_seconds: Histogram,
    lease_lost: Counter,
    key_expires: Family<KeyLabel, Gauge>,
    calls: Family<CallLabel, Counter>,
    call_seconds: Family<PartyLabel, Histogram, fn() -> Histogram>,
    calls_left: CallsLeft,
    rate_limit: Family<PartyLabel, Gauge>,
    sweeps: Family<SweepLabel, Counter>,
    sweep_seconds: Histogram,
    message_seconds: Histogram,
    commit_seconds: Family<WriterLabel, Histogram, fn() -> Histogram>,
    clock_skew: Gauge<f64, AtomicU64>,
    open_commands: Family<StageLabel, Gauge>,
    database_up: Gauge,
    by_http: Gauge,
    sockets: Gauge,
    sockets_wanted: Gauge,
    sockets_ended: Family<SocketEndLabel, Counter>,
    socket_heard: Gauge<f64, AtomicU64>,
    /// The second of the last log line about a request that was not believed.
    refusal_logged_at: Arc<AtomicI64>,
    /// Commands that this process holds and has not finished.
    pub in_hand: Gauge,
    /// Those of them that wait for their turn at Fivetran.
    pub waiting: Gauge,
    /// Commands that this process has put down until they are due.
    pub at_rest: Gauge,
    /// Commands of the database, at the last count, that nobody could be told about.
    pub undeliverable: Gauge,
    /// Seconds since the oldest unfinished command was accepted, at the last count.
    pub oldest_open_seconds: Gauge<f64, AtomicU64>,
    /// Messages of the database, at the last count, that do not show yet what they should.
    pub messages_behind: Gauge,
    /// For how many seconds the one of them that is behind longest has not been true.
    pub message_oldest_seconds: Gauge<f64, AtomicU64>,
    /// For how many seconds the oldest line for the audit channel has waited, at the last count.
    pub audit_oldest_seconds: Gauge<f64, AtomicU64>,
    sweep_oldest: Gauge<f64, AtomicU64>,
}

/// 1 ms to 3 s, Slack's limit for an acknowledgement.
const ACK_BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.015, 0.05, 0.2, 0.5, 1.0, 3.0];
/// 100 ms to 30 min, the life of a response_url.
const COMMAND_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1800.0];
/// 50 ms to 65 s, the longest wait for a creation.
const CALL_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 65.0];
/// 100 ms to 10 min: a page of a thousand connections takes seconds, and a destination can have many.
const SWEEP_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];
/// 250 ms to an hour, after which a refused edit is tried again.
const MESSAGE_BUCKETS: [f64; 9] = [0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0, 3600.0];
/// 1 ms to 6 s, after which a statement is given up.
const COMMIT_BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 6.0];

impl Default for Metrics {
    fn default() -> Self {
        let (answers, endings, retries) = (Family::default(), Family::default(), Family::default());
        // Every series is there from the start, so that the first of its events shows as a rise.
        for &answer in Answer::ALL {
            drop(answers.get_or_create(&AnswerLabel { answer }));
        }
        for ending in Ending::ALL.iter().cloned() {
            drop(endings.get_or_create(&EndingLabel { ending }));
        }
        for &party in Party::ALL {
            drop(retries.get_or_create(&PartyLabel { party }));
        }
        let (calls, sweeps, open_commands) = (Family::default(), Family::default(), Family::default());
        for &call in Operation::ALL {
            for &outcome in CallOutcome::ALL {
                drop(calls.get_or_create(&CallLabel::of(call, outcome)));
            }
        }
        for &outcome in SweepOutcome::ALL {
            drop(sweeps.get_or_create(&SweepLabel { outcome }));
        }
        for &stage in OpenStage::ALL {
            drop(open_commands.get_or_create(&StageLabel { stage }));
        }
        let call_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS));
        for &party in Party::ALL {
            drop(call_seconds.get_or_create(&PartyLabel { party }));
        }
        let commit_seconds: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(COMMIT_BUCKETS));
        for &writer in Writer::ALL {
            drop(commit_seconds.get_or_create(&WriterLabel { writer }));
        }
        let sockets_ended = Family::default();
        for &reason in SocketEnd::ALL {
            drop(sockets_ended.get_or_create(&SocketEndLabel { reason }));
        }
        Self {
            answers,
            endings,
            retries,
            ack_seconds: Histogram::new(ACK_BUCKETS),
            command_seconds: Histogram::new(COMMAND_BUCKETS),
            lease_lost: Counter::default(),
            key_expires: Family::default(),
            calls,
            call_seconds,
            calls_left: CallsLeft::default(),
            rate_limit: Family::default(),
            sweeps,
            sweep_seconds: Histogram::new(SWEEP_BUCKETS),
            message_seconds: Histogram::new(MESSAGE_BUCKETS),
            commit_seconds,
            clock_skew: unknown(),
            open_commands,
            database_up: Gauge::default(),
            by_http: Gauge::default(),
            sockets: Gauge::default(),
            sockets_wanted: Gauge::default(),
            sockets_ended,
            socket_heard: unknown(),
            refusal_logged_at: Arc::default(),
            in_hand: Gauge::default(),
            waiting: Gauge::default(),
            at_rest: Gauge::default(),
            undeliverable: Gauge::default(),
            oldest_open_seconds: Gauge::default(),
            messages_behind: Gauge::default(),
            message_oldest_seconds: Gauge::default(),
            audit_oldest_seconds: Gauge::default(),
            sweep_oldest: unknown(),
        }
    }
}

/// A gauge that has no series until something is known.
fn unknown() -> Gauge<f64, AtomicU64> {
    let gauge = Gauge::default();
    gauge.set(f64::NAN);
    gauge
}

fn is_known(gauge: &Gauge<f64, AtomicU64>) -> bool {
    !gauge.get().is_nan()
}

impl Metrics {
    /// Counts an answer and, where the request was genuine, the time it took.
    pub fn answered(&self, answer: Answer, seconds: f64) {
        if answer != Answer::Refused {
            self.ack_seconds.observe(seconds);
        }
        self.answers.get_or_create(&AnswerLabel { answer }).inc();
    }

    /// Whether a request that was not believed may be logged in this second, by the Unix clock:
    /// one a second, so that a stranger cannot fill a disk. All are counted.
    #[must_use]
    pub fn may_log_refusal(&self, second: i64) -> bool {
        self.refusal_logged_at.swap(second, Ordering::Relaxed) != second
    }

    /// Counts the end of a command, `seconds` after it was accepted.
    pub fn ended(&self, ending: Ending, seconds: f64) {
        self.command_seconds.observe(seconds);
        self.endings.get_or_create(&EndingLabel { ending }).inc();
    }

    /// Counts a call that will be made again.
    pub fn retried(&self, party: Party) {
        self.retries.get_or_create(&PartyLabel { party }).inc();
    }

    /// Keeps when the key in use expires, by the Unix clock. Of a key whose end nobody knows there is
    /// no series, nor of one that is not in use any more.
    pub fn key_expires(&self, key: &'static str, second: Option<i64>) {
        self.key_expires.clear();
        if let Some(second) = second {
            self.key_expires.get_or_create(&KeyLabel { key }).set(second);
        }
    }

    /// Begins a call, to be counted with what it comes to.
    #[must_use]
    pub fn calling(&self, call: Operation) -> Calling {
        Calling { metrics: self.clone(), call, began: Instant::now(), outcome: CallOutcome::Timeout }
    }

    /// Keeps how many calls Fivetran says are left in this hour.
    pub fn told_calls_left(&self, left: u32) {
        self.calls_left.told(left);
    }

    /// How many that are, unless it is so long ago that another hour has begun.
    #[must_use]
    pub fn calls_left(&self) -> Option<u32> {
        self.calls_left.known()
    }

    /// Keeps how many calls an hour Fivetran says are allowed.
    pub fn told_rate_limit(&self, an_hour: u32) {
        self.rate_limit.get_or_create(&PartyLabel { party: Party::Fivetran }).set(an_hour.into());
    }

    /// Counts a list that was read, or was to be read, in so many seconds.
    pub fn swept(&self, outcome: SweepOutcome, seconds: f64) {
        self.sweeps.get_or_create(&SweepLabel { outcome }).inc();
        self.sweep_seconds.observe(seconds);
    }

    /// Keeps for how many seconds the destination that was listed longest ago has not been, of those with
    /// something to watch, if there is one.
    pub fn sweep_oldest(&self, seconds: Option<f64>) {
        self.sweep_oldest.set(seconds.unwrap_or(f64::NAN));
    }

    /// Keeps that a message shows a change, so many seconds after it came.
    pub fn message_shown(&self, seconds: f64) {
        self.message_seconds.observe(seconds);
    }

    /// Keeps that a commit took so many seconds, whatever came of it.
    pub fn committed(&self, writer: Writer, seconds: f64) {
        self.commit_seconds.get_or_create(&WriterLabel { writer }).observe(seconds);
    }

    /// Keeps that Slack's clock said this second when ours said `now`.
    pub fn slacks_clock(&self, second: i64, now: Timestamp) {
        self.clock_skew.set(skew(now, second));
    }

    /// By how many seconds this machine's clock is ahead of Slack's, if Slack has told its time.
    #[must_use]
    pub fn clock_skew(&self) -> Option<f64> {
        is_known(&self.clock_skew).then(|| self.clock_skew.get())
    }

    /// Keeps how many commands are open, by how far they have come; what is not named has none.
    pub fn open_commands(&self, counted: &[(OpenStage, i64)]) {
        for &stage in OpenStage::ALL {
            let here = counted.iter().filter(|(of, _)| *of == stage);
            self.open_commands.get_or_create(&StageLabel { stage }).set(here.map(|(_, open)| open).sum());
        }
    }

    /// Keeps whether the database answered when it was asked for these numbers, and takes writes.
    pub fn database_up(&self, is_up: bool) {
        self.database_up.set(is_up.into());
    }

    /// Keeps whether commands come as requests over HTTP.
    pub fn by_http(&self, they_do: bool) {
        self.by_http.set(they_do.into());
    }

    /// Keeps how many sockets to Slack live (greeted, and not stale), and how many there should be; 0
    /// without Socket Mode.
    pub fn sockets(&self, live: usize, wanted: usize) {
        let count = |sockets| i64::try_from(sockets).unwrap_or(i64::MAX);
        self.sockets.set(count(live));
        self.sockets_wanted.set(count(wanted));
    }

    /// Counts a socket that has ended, or never began.
    pub fn socket_ended(&self, reason: SocketEnd) {
        self.sockets_ended.get_or_create(&SocketEndLabel { reason }).inc();
    }

    /// Keeps when Slack was heard last on any socket, be it a ping.
    pub fn socket_heard(&self, at: Timestamp) {
        self.socket_heard.set(at.as_duration().as_secs_f64());
    }

    /// Counts a result that came after this process had lost its lease on the command.
    pub fn lease_lost(&self) {
        self.lease_lost.inc();
    }

    /// The whole of it in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut registry = Registry::with_prefix("connect_card");
        registry.register("answers", "Requests answered", self.answers.clone());
        registry.register("commands_ended", "Commands ended", self.endings.clone());
        registry.register("retries", "Calls that were repeated", self.retries.clone());
        registry.register("ack_seconds", "Time to acknowledge", self.ack_seconds.clone());
        registry.register("command_seconds", "Time from acceptance to the end", self.command_seconds.clone());
        registry.register("lease_lost", "Results dropped for a lost lease", self.lease_lost.clone());
        registry.register(
            "fivetran_key_expires_timestamp_seconds",
            "When the Fivetran key in use expires",
            self.key_expires.clone(),
        );
        registry.register("calls", "Calls to Fivetran and Slack", self.calls.clone());
        registry.register("call_seconds", "Time that a call took", self.call_seconds.clone());
        let rate_limit_remaining = Family::<PartyLabel, Gauge>::default();
        if let Some(left) = self.calls_left() {
            rate_limit_remaining.get_or_create(&PartyLabel { party: Party::Fivetran }).set(left.into());
        }
        registry.register(
            "rate_limit_remaining",
            "Calls left in the hour, as the party said last",
            rate_limit_remaining,
        );
        registry.register(
            "rate_limit",
            "Calls allowed in an hour, as the party said last",
            self.rate_limit.clone(),
        );
        registry.register(
            "sweeps",
            "Lists of a destination's connections that were read",
            self.sweeps.clone(),
        );
        registry.register("sweep_seconds", "Time to read such a list", self.sweep_seconds.clone());
        if is_known(&self.sweep_oldest) {
            registry.register(
                "sweep_oldest_seconds",
                "Time since the destination that was listed longest ago was",
                self.sweep_oldest.clone(),
            );
        }
        registry.register(
            "messages_behind",
            "Messages that are not up to date",
            self.messages_behind.clone(),
        );
        registry.register(
            "message_oldest_seconds",
            "For how long the message that is behind longest has not been true",
            self.message_oldest_seconds.clone(),
        );
        registry.register(
            "audit_oldest_seconds",
            "Age of the oldest line that waits for the audit channel",
            self.audit_oldest_seconds.clone(),
        );
        registry.register("message_seconds", "Time until Slack shows a change", self.message_seconds.clone());
        registry.register("commit_seconds", "Time that a commit took", self.commit_seconds.clone());
        registry.register("open_commands", "Unfinished commands", self.open_commands.clone());
        registry.register("database_up", "Whether the database can be used", self.database_up.clone());
        if is_known(&self.clock_skew) {
            registry.register(
                "clock_skew_seconds",
                "This machine's clock less Slack's",
                self.clock_skew.clone(),
            );
        }
        registry.register("in_hand", "Commands held by this process", self.in_hand.clone());
        registry.register("at_rest", "Commands put down until they are due", self.at_rest.clone());
        registry.register("waiting", "Commands that wait for their turn at Fivetran", self.waiting.clone());
        registry.register(
            "undeliverable",
            "Commands whose person could not be told",
            self.undeliverable.clone(),
        );
        registry.register(
            "oldest_open_seconds",
            "Age of the oldest unfinished command",
            self.oldest_open_seconds.clone(),
        );
        registry.register("by_http", "Whether commands come as requests over HTTP", self.by_http.clone());
        registry.register("sockets", "Live sockets to Slack", self.sockets.clone());
        registry.register(
            "sockets_wanted",
            "Sockets to Slack that there should be",
            self.sockets_wanted.clone(),
        );
        registry.register("sockets_ended", "Sockets to Slack that ended", self.sockets_ended.clone());
        if is_known(&self.socket_heard) {
            registry.register(
                "socket_heard_timestamp_seconds",
                "When Slack was last heard on a socket",
                self.socket_heard.clone(),
            );
        }
        let build = Family::<BuildLabel, Gauge>::default();
        build.get_or_create(&BuildLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "What this program is", build);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_yet_has_no_series() {
        let metrics = Metrics::default();
        assert!(!metrics.render().contains("socket_heard") && !metrics.render().contains("remaining{"));
        metrics.told_calls_left(7);
        assert!(metrics.render().contains("rate_limit_remaining{party=\"fivetran\"} 7\n"));
        assert!(!metrics.render().contains("rate_limit{"));
        metrics.told_rate_limit(500);
        assert!(metrics.render().contains("connect_card_rate_limit{party=\"fivetran\"} 500\n"));
        for (seconds, known) in [(None, false), (Some(7.5), true), (None, false)] {
            metrics.sweep_oldest(seconds);
            assert_eq!(metrics.render().contains("connect_card_sweep_oldest_seconds 7.5\n"), known);
            assert_eq!(metrics.render().contains("sweep_oldest"), known);
        }
        metrics.socket_heard(Timestamp::from_millisecond(1_795_000_000_250).unwrap());
        assert!(metrics.render().contains("connect_card_socket_heard_timestamp_seconds 1795000000.25\n"));
    }

    #[test]
    fn every_series_of_a_counter_is_there_from_the_start() {
        let metrics = Metrics::default();
        let text = metrics.render();
        for reason in SocketEnd::ALL {
            let series = format!("connect_card_sockets_ended_total{{reason=\"{}\"}} 0\n", reason.name());
            assert!(text.contains(&series), "{series}");
        }
        metrics.socket_ended(SocketEnd::Stale);
        metrics.sockets(1, 2);
        let text = metrics.render();
        for series in ["sockets_ended_total{reason=\"stale\"} 1", "sockets 1", "sockets_wanted 2"] {
            assert!(text.contains(&format!("connect_card_{series}\n")), "{series}");
        }
    }
}
