//! The life of one command, as a pure state machine: where it stands, what has just happened,
//! what time it is, and so what to do next.
//!
//! Owns every rule about repeating: what is looked up before it is repeated, how long to wait
//! (`pause`), when to give up and what then. Must not know a clock, a socket, a database or a sentence.
//!
//! The rule behind the rules: a connection must never be made twice and Fivetran has no
//! idempotency key, so a creation that *may* have happened is looked up by its name, which is
//! unique in the destination. Accepting a command is the record of the intent to create: a row
//! that any other process than the accepting one picks up is taken to have been sent already.

mod failure;
mod outcome;
mod pause;
mod post;
mod problem;
mod progress;
mod turn;
mod wait;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Moment;
use crate::life::Purpose;
use crate::work::Intent;
pub use outcome::{Company, Failure, Found, Outcome, PostFailure};
#[cfg(test)]
pub(crate) use pause::mix;
pub use pause::{CREATE_DEADLINE, LATE, LATEST, RESPONSE_URL_DEADLINE, THROTTLE_LIMIT, WEB_API_DEADLINE};
use pause::{POSTPONED_PAUSE, after};
pub use problem::{MisfitKind, Notice, Origin, Others, Problem};
pub use progress::{Ending, Progress, Stage};
pub use turn::{Act, FIRST_FENCE, Message, Record, Resting, Step, Then, Turn};
use wait::Waits;
pub use wait::{PATIENCE, Waiting, WaitsFor};

/// How long after a creation whose answer was lost it may still appear at Fivetran, which works on it
/// for up to a minute ([`crate::fivetran::call::CREATE_LIMIT`]), and then for a list to show it. Until
/// then it is looked for, and nothing is created.
pub const GRACE: SignedDuration = SignedDuration::from_secs(65);
/// Posts that a response_url takes in all.
/// <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>
const RESPONSE_URL_POSTS: u32 = 5;
/// Longest pause between two looks for what may yet appear: somebody waits for it.
const LOOK_PAUSE: Duration = Duration::from_secs(6);
/// How often to look for the connection that a "name is taken" speaks of: the list can lag.
const CONFLICT_LOOKS: u32 = 3;
/// How long a card that could not be posted is still good to post: its link works for a day, and
/// whoever gets it is to have nearly all of that.
const CARD_KEPT: SignedDuration = SignedDuration::from_mins(15);
/// How often Slack is asked who else is in a channel before a command goes on without an answer: with the backoff
/// and what each may take, as long as a person waits without a word. A link that was asked for goes there then as
/// if it could not be asked; since without an answer of Slack's it cannot be posted either, few go there unseen.
/// One for a message that nobody requested does not.
pub const COMPANY_LOOKS: u32 = 3;
/// How often a connection that vanishes between its creation and its card is made anew.
const VANISH_LIMIT: u32 = 2;

/// What does not change during a command's life.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether there is a bot token.
    pub web_api: bool,
    /// What is wanted.
    pub intent: Intent,
    /// Whether it matters who else is in the channel, so that it is seen before anything is made; of a
    /// renewal, whether nobody has asked for what it renews.
    pub for_few: bool,
    /// Whether its link is never posted: it becomes part of a message of several.
    pub joins: bool,
    /// For how long what was sent without an answer may yet be done: [`GRACE`].
    pub grace: SignedDuration,
    /// Any number that differs between commands; spreads their retries.
    pub spread: u64,
}

/// One command's machine: what is stored of it, and what only the process at work knows. No
/// [`Progress`] is changed but by [`Self::next`]. `C` is a Connect Card as its driver holds it.
#[derive(Clone, Debug)]
pub struct Journal<C> {
    terms: Terms,
    progress: Progress,
    /// What is on disk.
    stored: Progress,
    /// When this process first turned it. Every time in here is this one and what has passed since, whatever the
    /// wall clock is set to meanwhile.
    began: Option<Moment>,
    /// How far the wall clock was set since then.
    set_by: SignedDuration,
    /// Since when a creation may be under way that nobody has an answer of. `None`: there is none.
    maybe_sent: Option<Timestamp>,
    /// When the last look was begun: its answer may be late, and tells of this moment.
    looked_at: Option<Timestamp>,
    /// What a creation was refused with, until it is clear whether something was there already.
    refused: Option<Refusal>,
    /// A card that is still to be posted, and since when it is here. It is a secret, so that it is in
    /// this process's memory and nowhere else; through a rest too, or a message that is held up would
    /// have a fresh card made, and so one more link that works, each time it is tried. It is let go where a list
    /// shows nothing of its connection.
    card: Option<(C, Timestamp)>,
    /// Whether the link may have been posted: a try was not answered, or another process may have tried.
    maybe_posted: bool,
    /// Whether a try of this process was not answered, which no connection's row may remember.
    unanswered: bool,
    /// What a link is for, if the last look has shown that the connection had been set up.
    purpose: Option<Purpose>,
    due: Due,
    /// How often it was asked in vain who else is in the channel; `None` once that matters no more.
    unseen: Option<u32>,
    vanished: u32,
    /// How often in a row it failed for what mostly stays.
    doubts: u32,
    /// Whether another process had the command until its time was over.
    found_late: bool,
    /// Whether a call to Fivetran has failed in this process.
    fivetran_failed: bool,
    /// When a message of this process has failed to reach Slack last.
    post_failed_at: Option<Timestamp>,
    /// Until when this process goes on though the time for it is over.
    late_until: Option<Timestamp>,
    /// What this process knows of how long its person waits, and for what.
    waits: Waits,
}

/// What is due in a stage that knows more than one action; the others ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Company,
    Create,
    Look,
    Mint,
    Post,
}

/// What a judgement comes to.
enum Next {
    /// What is due, now.
    Act,
    Rest(Duration),
    /// The same, and nobody else may go on meanwhile.
    Stay(Duration),
    /// The person is told that it waits.
    Note(Waiting),
    End(Ending),
}

/// A creation that was refused.
#[derive(Clone, Debug)]
struct Refusal {
    problem: Problem,
    /// Whether Fivetran says outright that the name is taken.
    conflict: bool,
    /// How often nothing of that name was to be seen since.
    looks: u32,
}

impl<C> Journal<C> {
    /// A command that stands at `progress`, by its row.
    #[must_use]
    pub fn new(terms: Terms, progress: Progress) -> Self {
        Self {
            terms,
            stored: progress.clone(),
            progress,
            began: None,
            set_by: SignedDuration::ZERO,
            maybe_sent: None,
            looked_at: None,
            refused: None,
            card: None,
            maybe_posted: false,
            unanswered: false,
            purpose: None,
            due: Due::Look,
            unseen: terms.for_few.then_some(0),
            vanished: 0,
            doubts: 0,
            found_late: false,
            fivetran_failed: false,
            post_failed_at: None,
            late_until: None,
            waits: Waits::since(terms.accepted_at),
        }
    }

    /// Whether this process has tried to post the link and heard nothing.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// How the command stands.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    fn judge(&mut self, outcome: Outcome<C>, now: Timestamp) -> Next {
        let next = self.judge_by_outcome(outcome, now);
        // Since when a creation may be under way only this process knows: whoever else took the command
        // up would have to begin anew with looking for it; and with what is late already.
        let unsure = self.progress.stage == Stage::Create && self.maybe_sent.is_some();
        if unsure || self.late_until.is_some() { self.in_hand(next) } else { next }
    }

    fn judge_by_outcome(&mut self, outcome: Outcome<C>, now: Timestamp) -> Next {
        self.notice_trouble(&outcome, now);
        // A look in between that works says nothing of what is tried again.
        if !matches!(
            outcome,
            Outcome::Failed(Failure::Doubtful(_))
                | Outcome::Found(_)
                | Outcome::Woken
                | Outcome::Noted
                | Outcome::Postponed
        ) {
            self.doubts = 0;
        }
        match outcome {
            Outcome::Accepted => self.begin(self.first(now), now),
            Outcome::TakenOver => {
                self.card = None;
                self.found_late = now >= self.limit();
                self.maybe_sent = Some(now);
                // Posts to a response_url are counted beforehand; of others nothing is known here.
                let posts_of_links = self.progress.posts.saturating_sub(self.progress.noted.into());
                self.maybe_posted = matches!(self.progress.stage, Stage::Deliver { .. })
                    && !self.terms.joins
                    && (self.terms.web_api || posts_of_links > 0);
                self.begin(self.first(now), now)
            }
            Outcome::Company(company) => self.company(company, now),
            Outcome::Woken | Outcome::Noted => {
                if let Some(next) = self.interrupted(now) {
                    return next;
                }
                // While a link was held up, the customer may have finished by one that did arrive.
                let due = if self.due == Due::Post { Due::Look } else { self.due };
                self.begin(due, now)
            }
            Outcome::Postponed => {
                if self.is_posting() {
                    self.progress.posts = self.progress.posts.saturating_sub(1);
                    // What holds it up may last, and each new try costs a look and a card.
                    return self.again(self.due, now);
                }
                self.rest(POSTPONED_PAUSE, now)
            }
            Outcome::Created { connection, card } => {
                self.card = card.map(|card| (card, now));
                self.purpose = None;
                self.deliver(connection, false, now)
            }
            Outcome::CreateRefused { problem, conflict } => {
                // What took the name may be a creation of ours without an answer: then it will show up.
                self.maybe_sent = self.maybe_sent.map(|_| now);
                self.refused = Some(Refusal { problem, conflict, looks: 0 });
                self.begin(Due::Look, now)
            }
            Outcome::Found(found) => self.found(found, now),
            Outcome::Minted(card) => {
                self.card = Some((card, now));
                self.begin(Due::Post, now)
            }
            Outcome::Vanished => self.vanished(now),
            Outcome::Superseded => self.tell(Problem::Superseded, now),
            Outcome::NotHere => self.tell(Problem::NotHere, now),
            Outcome::Cancelled => self.tell(Notice::Cancelled, now),
            Outcome::SyncBegun => self.tell(Notice::SyncBegun, now),
            Outcome::SyncRunning => self.tell(Notice::SyncRunning, now),
            Outcome::NotCancelled => self.tell(Problem::NotCancelled, now),
            Outcome::Posted => self.end(Ending::Delivered),
            Outcome::Told => self.end(Ending::Told),
            Outcome::Failed(failure) => self.failed(failure, now),
            Outcome::PostFailed(failure) => self.post_failed(failure, now),
        }
    }

    /// What is due first. What stands in a later stage has been through this: who else is in the channel
    /// was seen before anything was made.
    fn first(&self, now: Timestamp) -> Due {
        let creates = matches!(self.terms.intent, Intent::Connect | Intent::Print);
        // Of what nobody asked for a link is no matter of course. Hours later others may be in the channel.
        let sees_first = self.terms.intent == Intent::Renew || now >= self.limit();
        match self.progress.stage {
            Stage::Create if self.unseen.is_some() => Due::Company,
            Stage::Deliver { .. } if self.unseen.is_some() && sees_first => Due::Company,
            Stage::Create if creates && self.maybe_sent.is_none() => Due::Create,
            _ => Due::Look,
        }
    }

    /// A person is asked before a link goes where several other organisations can use it. Where Slack does
    /// not say, after a few looks, it goes there unasked: every command comes to its end. Only where nobody
    /// has asked for the connection, whoever pressed is told that instead.
    fn company(&mut self, company: Company, now: Timestamp) -> Next {
        match (company, self.unseen) {
            (Company::Many(others), _) => return self.tell(Problem::Shared(others), now),
            (Company::Untold, Some(looks)) if looks + 1 < COMPANY_LOOKS => {
                self.unseen = Some(looks + 1);
                return self.again(Due::Company, now);
            }
            (Company::Untold, _) if self.terms.intent == Intent::Renew => {
                return self.tell(Problem::CompanyUntold, now);
            }
            (Company::Untold | Company::Few | Company::Hidden, _) => {}
        }
        self.unseen = None;
        self.progress.tries = 0;
        self.begin(self.first(now), now)
    }

    fn found(&mut self, found: Found, now: Timestamp) -> Next {
        let renewing = matches!(self.terms.intent, Intent::Renew | Intent::Open);
        self.purpose = match found {
            Found::Finished { broken: true, .. } => Some(Purpose::Repair),
            Found::Finished { broken: false, .. } => Some(Purpose::Reauthorise),
            // A list that shows nothing says nothing, either.
            Found::Nothing => self.purpose,
            _ => None,
        };
        match found {
            Found::Nothing => self.found_nothing(now),
            Found::Unfinished { connection, .. } | Found::Finished { connection, .. }
                if renewing && self.progress.stage.connection() != Some(&connection) =>
            {
                self.tell(Problem::Gone, now)
            }
            Found::Unfinished { connection, age } => {
                if let Stage::Deliver { connection: known, .. } = &mut self.progress.stage {
                    if *known != connection {
                        *known = connection;
                        self.card = None;
                    }
                    let due = self.due_of_link(now);
                    return self.begin(due, now);
                }
                let existed = match (self.maybe_sent, age) {
                    (None, _) => true,
                    // Fivetran's clock and ours may tell different times; that a minute has passed, they agree on.
                    (Some(_), Some(age)) => {
                        after(now, -age) < after(self.terms.accepted_at, SignedDuration::from_mins(-1))
                    }
                    // Of what we may have made, nobody is told that it was there before.
                    (Some(_), None) => false,
                };
                self.deliver(connection, existed, now)
            }
            Found::Finished { connection, origin, broken } => {
                let gets_a_link = match self.terms.intent {
                    Intent::Reauthorise | Intent::Print => true,
                    Intent::Renew | Intent::Open => broken,
                    Intent::Connect | Intent::PostHere | Intent::Cancel | Intent::Sync => false,
                };
                if gets_a_link {
                    self.deliver(connection, true, now)
                } else {
                    self.tell_of(Problem::AlreadyConnected { origin }, Some(connection), now)
                }
            }
            Found::Elsewhere { connection, origin } => {
                self.tell_of(Problem::Elsewhere { origin }, Some(connection), now)
            }
            Found::OtherService { service } => self.tell(Problem::SchemaTaken { service }, now),
        }
    }

    fn found_nothing(&mut self, now: Timestamp) -> Next {
        if let Stage::Deliver { .. } = self.progress.stage {
            // A list can lag behind a connection that was just made. A card is made by its id, and that
            // says for sure whether it is there.
            self.card = None;
            return self.begin(Due::Mint, now);
        }
        if let Some(sent) = self.maybe_sent {
            let settled = after(sent, self.terms.grace);
            // A look that was begun before that proves nothing.
            if self.looked_at.is_none_or(|looked_at| looked_at < settled) {
                return self.look_until(settled, now);
            }
        }
        if let Some(refusal) = &mut self.refused {
            if refusal.conflict && refusal.looks < CONFLICT_LOOKS {
                refusal.looks += 1;
                return self.again(Due::Look, now);
            }
            // Whose it is that took the name, nobody knows: it may be ours all the same.
            let may_be_ours = refusal.conflict && self.maybe_sent.is_some();
            let problem = if may_be_ours { Problem::NoAnswer } else { refusal.problem.clone() };
            return self.tell(problem, now);
        }
        self.begin(Due::Create, now)
    }

    /// Looks again and again until then, and once more after it.
    fn look_until(&mut self, settled: Timestamp, now: Timestamp) -> Next {
        self.due = Due::Look;
        match Duration::try_from(settled.duration_since(now)) {
            Ok(left) if !left.is_zero() => {
                let pause = self.backoff().min(LOOK_PAUSE).min(left);
                self.rest(pause, now)
            }
            _ => self.begin(Due::Look, now),
        }
    }

    fn vanished(&mut self, now: Timestamp) -> Next {
        if let Stage::Cancel { .. } = self.progress.stage {
            // Gone by an earlier try of ours, which was not heard of; else one answer is no proof.
            let ours = self.maybe_sent.is_some();
            return if ours { self.tell(Notice::Cancelled, now) } else { self.tell(Problem::Gone, now) };
        }
        if matches!(self.terms.intent, Intent::Renew | Intent::Open | Intent::Sync) {
            // A new one would be another connection than the message speaks of.
            return self.tell(Problem::Gone, now);
        }
        self.vanished += 1;
        if self.vanished > VANISH_LIMIT {
            return self.tell(Problem::NoAnswer, now);
        }
        self.progress = Progress { stage: Stage::Create, tries: 0, ..self.progress.clone() };
        self.maybe_sent = None;
        self.card = None;
        self.begin(Due::Create, now)
    }

    /// Begins what is due, unless the time for it is over.
    fn begin(&mut self, due: Due, now: Timestamp) -> Next {
        if let Stage::Over { ending, .. } = self.progress.stage {
            return Next::End(ending);
        }
        self.due = due;
        if now >= self.limit() && !self.goes_on_late(now) {
            return match self.progress.stage {
                Stage::Create | Stage::Cancel { .. } | Stage::Sync { .. } => self.tell(self.in_vain(), now),
                Stage::Deliver { .. } if self.may_be_late(now) => self.tell(self.in_vain(), now),
                _ => self.end(Ending::Undeliverable),
            };
        }
        // So often, and each time the process died.
        if self.is_posting() && !self.may_post() && matches!(self.progress.stage, Stage::Deliver { .. }) {
            self.unconfirmed();
        }
        if self.is_posting() && !self.terms.web_api {
            if !self.may_post() {
                return self.end(Ending::Undeliverable);
            }
            // Before it is made, so that no crash can hide it.
            self.progress.posts += 1;
        }
        if due == Due::Look {
            self.looked_at = Some(now);
        }
        Next::Act
    }

    fn deliver(&mut self, connection: String, existed: bool, now: Timestamp) -> Next {
        // Another look is no new beginning: a post that goes on failing is repeated ever less often.
        if !matches!(self.progress.stage, Stage::Deliver { .. }) {
            self.progress.tries = 0;
        }
        if self.progress.stage.connection().is_some_and(|known| known != connection) {
            self.card = None;
        }
        self.progress.stage = Stage::Deliver { connection, existed };
        self.refused = None;
        self.maybe_sent = None;
        let due = self.due_of_link(now);
        self.begin(due, now)
    }

    /// What is due of a link whose connection is known: a card that is fresh enough is posted.
    fn due_of_link(&self, now: Timestamp) -> Due {
        let fresh = |(_, since): &(C, Timestamp)| now < after(*since, CARD_KEPT);
        if self.card.as_ref().is_some_and(fresh) { Due::Post } else { Due::Mint }
    }

    fn end(&mut self, ending: Ending) -> Next {
        self.progress.stage = std::mem::take(&mut self.progress.stage).over(ending);
        Next::End(ending)
    }
}

#[cfg(test)]
mod tests;
