//! Faults that a stand-in can be told to show: which call fails, and how.
//!
//! Owns the choice of a fault and its look on the wire. Must not know Slack or Fivetran; their
//! routes are names here.

mod body;
mod raw;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use body::{coded, dripping, flood, in_two, padded};
use hyper::body::{Bytes, Frame};
pub use raw::Broken;
use serde_json::{Value, json};

use crate::tape::{self, Open};
use crate::wire::{Answer, Outcome, Request, Resets};

const OVERSIZED: usize = 4 << 20;
/// Long enough for the first half of a truncated body to leave before the connection closes.
const FLUSH: Duration = Duration::from_millis(20);

/// Where a network sends somebody who has to sign in to it.
const ELSEWHERE: &str = "https://sign-in.portal.example/";

/// One way in which a call can go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status; the work is not done.
    Status(u16),
    /// Answered 429, with `Retry-After` as given; the work is not done.
    Throttled {
        /// The header's value, or `None` to leave it out.
        retry_after: Option<String>,
    },
    /// The connection is closed before the work.
    DropBefore,
    /// The work is done, then the connection is closed without an answer.
    DropAfter,
    /// The work is done, then the answer is held back for so long.
    SlowAfter(Duration),
    /// The work is done; half of the body is sent under its full `Content-Length`, then it closes.
    Truncated,
    /// The work is done; the answer is 200 with an HTML page.
    NotJson,
    /// The work is done; the answer has no body.
    Empty,
    /// The work is done; the answer is a body of 4 MiB.
    Oversized,
    /// The work is done; the answer is 200 with this body, in other words than the usual ones.
    Instead(&'static str),
    /// The work is done; the answer is the right one and has so many bytes more, in a field that nobody
    /// knows.
    Padded(usize),
    /// The work is done; the answer is this status and nothing else.
    Bare(u16),
    /// The work is done; the answer is the right one in another coding.
    Coded(Coding),
    /// The work is done; half of the body comes at once, and the rest after so long.
    SlowBody(Duration),
    /// The work is done, then the connection is reset without an answer.
    Reset,
    /// The work is done; half of the body is sent, then the connection is reset.
    ResetMidway,
    /// The work is done; of the body comes a byte a second.
    Drip,
    /// The work is done; the answer is a body of so many bytes, under its length or in chunks without.
    Flood {
        /// How many.
        bytes: usize,
        /// Whether the head says so.
        declared: bool,
    },
    /// The work is done; the right answer is called by another type.
    Media(&'static str),
    /// The work is done; the answer is a small file, and called compressed, that unpacks to so many bytes.
    Bomb(usize),
    /// The work is done; the answer is none by HTTP.
    Broken(Broken),
    /// Answered 302 to this address; the work is not done.
    Redirect(String),
    /// Answered with this status and another host's address, as a network does that wants somebody to
    /// sign in; the work is not done.
    Elsewhere(u16),
    /// Answered with this status and this body, be it a lie; the work is not done.
    Says(u16, Value),
    /// Answered with this status and this HTML page, as something on the way does; the work is not
    /// done.
    Page(u16, &'static str),
    /// The work is done all the same; then as this one.
    Done(Box<Fault>),
    /// Held back for so long; then as this one.
    Slow(Duration, Box<Fault>),
}

/// A coding that nobody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// UTF-8 with a byte-order mark.
    ByteOrderMark,
    /// UTF-8 that is called ISO-8859-1.
    WrongCharset,
    /// Compressed, and called so.
    Gzip,
}

impl Fault {
    /// Whether the work is done and the caller cannot know what came of it.
    pub(crate) fn spoils_the_answer(&self) -> bool {
        match self {
            Self::SlowAfter(_)
            | Self::Padded(_)
            | Self::Coded(Coding::ByteOrderMark | Coding::WrongCharset)
            | Self::SlowBody(_)
            | Self::Drip
            | Self::Media(_) => false,
            Self::Done(_) => true,
            Self::Slow(_, then) => then.spoils_the_answer(),
            other => !other.prevents_work(),
        }
    }

    /// Whether what is answered has the body of the answer, be it late.
    pub(crate) fn keeps_the_body(&self) -> bool {
        match self {
            Self::SlowAfter(_) | Self::SlowBody(_) | Self::Drip | Self::Media(_) => true,
            Self::Slow(_, then) | Self::Done(then) => then.keeps_the_body(),
            other => other.prevents_work(),
        }
    }

    /// Whether whoever waits for the answer waits for longer than a moment.
    fn holds(&self) -> bool {
        match self {
            Self::SlowAfter(_) | Self::Slow(..) | Self::SlowBody(_) | Self::Drip => true,
            Self::Broken(broken) => broken.is_endless(),
            _ => false,
        }
    }

    fn prevents_work(&self) -> bool {
        match self {
            Self::Status(_)
            | Self::Throttled { .. }
            | Self::DropBefore
            | Self::Redirect(_)
            | Self::Elsewhere(_)
            | Self::Says(..)
            | Self::Page(..) => true,
            Self::Slow(_, then) => then.prevents_work(),
            _ => false,
        }
    }
}

/// Which calls fail, by the name of their route.
#[derive(Debug, Default)]
pub struct Faults {
    next: HashMap<String, VecDeque<Fault>>,
    always: HashMap<String, Fault>,
    random: Option<Random>,
    spared: Vec<String>,
    met: HashMap<String, u64>,
    held: u64,
}

#[derive(Debug)]
struct Random {
    seed: u64,
    one_in: u32,
    faults: Vec<Fault>,
    routes: Vec<String>,
    seen: HashMap<String, u64>,
}

impl Faults {
    /// The next `times` calls of `route` fail so. Repeated use queues up.
    pub fn fail_next(&mut self, route: &str, fault: Fault, times: usize) {
        let queue = self.next.entry(route.to_owned()).or_default();
        queue.extend(std::iter::repeat_n(fault, times));
    }

    /// Every call of `route` fails so, until `heal`.
    pub fn fail_always(&mut self, route: &str, fault: Fault) {
        self.always.insert(route.to_owned(), fault);
    }

    /// About one call in `one_in` fails, with one of `faults`. The n-th call of a route meets the
    /// same fate for the same seed, however the routes interleave. Concerns every route until
    /// `only_on` narrows it.
    pub fn fail_randomly(&mut self, seed: u64, one_in: u32, faults: Vec<Fault>) {
        self.random = Some(Random { seed, one_in, faults, routes: Vec::new(), seen: HashMap::new() });
    }

    /// Limits the random faults to these routes.
    pub fn only_on(&mut self, routes: &[&str]) {
        if let Some(random) = &mut self.random {
            random.routes = routes.iter().map(|&route| route.to_owned()).collect();
        }
    }

    /// Calls that carry one of these words, in their address or their body, meet no fault.
    pub fn spare(&mut self, words: &[&str]) {
        self.spared = words.iter().map(|&word| word.to_owned()).collect();
    }

    /// Ends every fault.
    pub fn heal(&mut self) {
        self.next.clear();
        self.always.clear();
        self.random = None;
    }

    /// How many calls have met a fault so far.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.met.values().sum()
    }

    /// How many calls of `route` have met a fault so far.
    #[must_use]
    pub fn met(&self, route: &str) -> u64 {
        self.met.get(route).copied().unwrap_or_default()
    }

    /// How many calls have met a fault so far that holds their answer back.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The fault that this call of `route` meets.
    pub(crate) fn meet(&mut self, route: &str, request: &Request) -> Option<Fault> {
        let is_spared = self.spared.iter().any(|word| request.says(word));
        if is_spared { None } else { self.take(route) }
    }

    /// The fault that the present call of `route` meets.
    pub(crate) fn take(&mut self, route: &str) -> Option<Fault> {
        let fault = self
            .next
            .get_mut(route)
            .and_then(VecDeque::pop_front)
            .or_else(|| self.always.get(route).cloned())
            .or_else(|| self.random.as_mut().and_then(|random| random.draw(route)));
        if fault.is_some() {
            *self.met.entry(route.to_owned()).or_default() += 1;
        }
        self.held += u64::from(fault.as_ref().is_some_and(Fault::holds));
        fault
    }
}

impl Random {
    fn draw(&mut self, route: &str) -> Option<Fault> {
        if !self.routes.is_empty() && !self.routes.iter().any(|known| known == route) {
            return None;
        }
        let seen = self.seen.entry(route.to_owned()).or_default();
        *seen += 1;
        let salt = route.bytes().fold(self.seed, |salt, byte| splitmix64(salt ^ u64::from(byte)));
        let draw = splitmix64(salt.wrapping_add(*seen));
        if self.one_in == 0 || !draw.is_multiple_of(u64::from(self.one_in)) {
            return None;
        }
        let count = u64::try_from(self.faults.len()).ok().filter(|&count| count > 0)?;
        let pick = usize::try_from(splitmix64(draw) % count).ok()?;
        self.faults.get(pick).cloned()
    }
}

pub(crate) fn splitmix64(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Does the work unless the fault prevents it. `None` means that nothing shall be answered and
/// nothing was done.
pub(crate) fn work_unless(
    fault: Option<&Fault>,
    refusal: impl FnOnce(u16) -> Value,
    work: impl FnOnce() -> Answer,
) -> Option<Answer> {
    let (mut fault, mut is_done) = (fault, false);
    while let Some(Fault::Slow(_, then) | Fault::Done(then)) = fault {
        is_done |= matches!(fault, Some(Fault::Done(_)));
        fault = Some(then);
    }
    let mut work = Some(work);
    let done = if is_done { work.take().map(|work| work()) } else { None };
    match fault {
        Some(Fault::DropBefore) => None,
        Some(Fault::Status(status)) => Some(Answer::json(*status, &refusal(*status))),
        Some(Fault::Says(status, body)) => Some(Answer::json(*status, body)),
        Some(Fault::Page(status, page)) => Some(Answer::html(*status, (*page).to_owned())),
        Some(Fault::Redirect(to)) => Some(Answer::redirect(302, to.clone())),
        Some(Fault::Elsewhere(status)) => Some(Answer::redirect(*status, ELSEWHERE.to_owned())),
        Some(Fault::Throttled { retry_after }) => {
            let answer = Answer::json(429, &refusal(429));
            Some(match retry_after {
                Some(value) => answer.with("retry-after", value.clone()),
                None => answer,
            })
        }
        _ => done.or_else(|| work.map(|work| work())),
    }
}

/// Sends the answer the way the fault wants it sent, and tapes what is sent.
pub(crate) async fn deliver(fault: Option<Fault>, answer: Option<Answer>, taped: Option<Open>) -> Outcome {
    let kept =
        taped.as_ref().and(answer.as_ref()).filter(|_| fault.as_ref().is_none_or(Fault::keeps_the_body));
    let body = kept.map(|answer| match answer.content_type.starts_with("text/html") {
        true => Value::from("(a page)"),
        false => tape::body(&answer.body),
    });
    let faulty = fault.is_some();
    let outcome = send(fault, answer).await;
    if let Some(taped) = taped {
        let status = outcome.as_ref().ok().map(|response| response.status().as_u16());
        taped.end(status, status.and(body).unwrap_or_default(), faulty);
    }
    outcome
}

async fn send(mut fault: Option<Fault>, answer: Option<Answer>) -> Outcome {
    // What is wrong with the answer comes last.
    loop {
        fault = match fault {
            Some(Fault::Slow(delay, then)) => {
                tokio::time::sleep(delay).await;
                Some(*then)
            }
            Some(Fault::Done(then)) => Some(*then),
            _ => break,
        };
    }
    let Some(mut answer) = answer else {
        return Err(dropped());
    };
    let Some(fault) = fault else { return Ok(answer.into_response()) };
    match fault {
        Fault::DropBefore | Fault::DropAfter => return Err(dropped()),
        Fault::Reset => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        Fault::SlowAfter(delay) => tokio::time::sleep(delay).await,
        Fault::Truncated => return Ok(in_two(&answer, FLUSH, Err(dropped()))),
        Fault::ResetMidway => {
            let mut cut = in_two(&answer, FLUSH, Err(dropped()));
            cut.extensions_mut().insert(Resets);
            return Ok(cut);
        }
        Fault::Drip => return Ok(dripping(&answer)),
        Fault::Flood { bytes, declared } => return Ok(flood(&answer, bytes, declared)),
        Fault::Broken(broken) => return Err(io::Error::other(broken.bytes(&answer.body))),
        Fault::Media(media) => answer.content_type = media,
        Fault::Bomb(bytes) => {
            answer.body = Bytes::from(raw::bomb(bytes));
            answer = answer.with("content-encoding", "gzip");
        }
        Fault::SlowBody(delay) => {
            let rest = answer.body.slice(answer.body.len() / 2..);
            return Ok(in_two(&answer, delay, Ok(Frame::data(rest))));
        }
        Fault::NotJson => {
            answer = Answer::html(200, "<!doctype html><title>Bad gateway</title><h1>502</h1>".to_owned());
        }
        Fault::Empty => answer.body = Bytes::new(),
        Fault::Bare(status) => (answer.status, answer.body) = (status, Bytes::new()),
        Fault::Instead(body) => answer = Answer::text(200, body),
        Fault::Oversized => {
            answer = Answer::json(answer.status, &json!({ "padding": "x".repeat(OVERSIZED) }));
        }
        Fault::Padded(bytes) => answer.body = padded(&answer.body, bytes),
        Fault::Coded(coding) => answer = coded(answer, coding),
        Fault::Status(_)
        | Fault::Throttled { .. }
        | Fault::Redirect(_)
        | Fault::Elsewhere(_)
        | Fault::Says(..)
        | Fault::Page(..)
        | Fault::Slow(..)
        | Fault::Done(_) => {}
    }
    Ok(answer.into_response())
}

fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped on purpose")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_faults_come_first_then_the_standing_one_until_healed() {
        let mut faults = Faults::default();
        faults.fail_always("a", Fault::Empty);
        faults.fail_next("a", Fault::Status(500), 2);
        let met: Vec<_> = (0..3).map(|_| faults.take("a")).collect();
        assert_eq!(met, [Some(Fault::Status(500)), Some(Fault::Status(500)), Some(Fault::Empty)]);
        assert_eq!(faults.take("b"), None);
        faults.heal();
        assert_eq!(faults.take("a"), None);
        assert_eq!(faults.applied(), 3);
    }

    #[test]
    fn random_faults_follow_the_seed_whatever_the_interleaving() {
        let draws = |noise: bool| -> Vec<Option<Fault>> {
            let mut faults = Faults::default();
            faults.fail_randomly(7, 3, vec![Fault::DropAfter, Fault::Status(503)]);
            faults.only_on(&["a", "b"]);
            (0..300)
                .map(|_| {
                    if noise {
                        faults.take("b");
                    }
                    faults.take("a")
                })
                .collect()
        };
        let alone = draws(false);
        assert_eq!(alone, draws(true));
        let hits = alone.iter().flatten().count();
        assert!((60..140).contains(&hits), "{hits}");
    }

    fn work(fault: &Fault) -> (bool, Option<u16>) {
        let mut done = false;
        let answer = work_unless(
            Some(fault),
            |_| json!({}),
            || {
                done = true;
                Answer::text(200, "ok")
            },
        );
        (done, answer.map(|answer| answer.status))
    }

    #[test]
    fn what_is_done_all_the_same_is_answered_as_if_it_were_not() {
        let failed = Fault::Status(500);
        assert_eq!(work(&failed), (false, Some(500)));
        assert_eq!(work(&Fault::Done(Box::new(failed.clone()))), (true, Some(500)));
        let slow = Fault::Slow(FLUSH, Box::new(Fault::Done(Box::new(failed))));
        assert_eq!(work(&slow), (true, Some(500)));
        assert!(slow.spoils_the_answer() && !slow.prevents_work());
        assert_eq!(work(&Fault::Slow(FLUSH, Box::new(Fault::DropBefore))), (false, None));
    }

    #[test]
    fn random_faults_spare_other_routes() {
        let mut faults = Faults::default();
        faults.fail_randomly(1, 1, vec![Fault::Empty]);
        faults.only_on(&["a"]);
        assert_eq!(faults.take("b"), None);
        assert_eq!(faults.take("a"), Some(Fault::Empty));
    }
}
