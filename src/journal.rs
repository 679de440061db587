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

mod pause;
mod problem;
mod progress;
mod step;
mod terms;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use pause::{CREATE_DEADLINE, RESPONSE_URL_DEADLINE, THROTTLE_LIMIT, WEB_API_DEADLINE};
use pause::{HELD_PAUSE, after};
pub use problem::{MisfitKind, Origin, Problem};
pub use progress::{Progress, Stage};
pub use step::{Failure, Found, Outcome, PostFailure, Step};
pub use terms::{Finished, First, Terms};

/// How long after a creation whose answer was lost it may still appear at Fivetran. A creation
/// before that would not double the connection, since Fivetran keeps names unique in a
/// destination under `FIVETRAN_NAMING`, but would be refused; and a person is waiting.
pub const GRACE: SignedDuration = SignedDuration::from_secs(3);
/// Posts that a response_url takes in all.
/// <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>
const RESPONSE_URL_POSTS: u32 = 5;
/// How often to look for the connection that a "name is taken" speaks of: the list can lag.
const CONFLICT_LOOKS: u32 = 3;
/// How often a connection that vanishes between its creation and its card is made anew.
const VANISH_LIMIT: u32 = 2;

/// One command's machine: what is stored of it, and what only the process at work knows.
#[derive(Clone, Debug)]
pub struct Journal {
    terms: Terms,
    /// The stored part.
    pub progress: Progress,
    /// Since when a creation may be under way that nobody has an answer of. `None`: there is none.
    maybe_sent: Option<Timestamp>,
    /// When the last look was begun: its answer may be late, and tells of this moment.
    looked_at: Option<Timestamp>,
    /// What a creation was refused with, until it is clear whether something was there already.
    refused: Option<Refusal>,
    /// Whether there is a card in hand.
    card: bool,
    /// The step that is due when a wait is over.
    due: Step,
    vanished: u32,
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

impl Journal {
    /// A command that stands at `progress`.
    #[must_use]
    pub fn new(terms: Terms, progress: Progress) -> Self {
        Self {
            terms,
            progress,
            maybe_sent: None,
            looked_at: None,
            refused: None,
            card: false,
            due: Step::Create,
            vanished: 0,
        }
    }

    /// Whether the step about to be taken repeats one that failed.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.progress.tries > 0
    }

    /// Takes note of what happened and says what to do next. When [`Self::progress`] has changed,
    /// it must be stored before the step is taken.
    pub fn next(&mut self, outcome: Outcome, now: Timestamp) -> Step {
        match outcome {
            Outcome::Accepted => {
                let step = match (self.progress.stage, self.terms.first) {
                    (Stage::Deliver, _) => Step::Look,
                    (_, First::Create) => Step::Create,
                    (_, First::Look) => Step::Look,
                    (_, First::Cancel) => Step::Cancel,
                };
                self.begin(step, now)
            }
            Outcome::TakenOver => {
                self.card = false;
                self.maybe_sent = Some(now);
                let step = match self.progress.stage {
                    // Cancelling twice is cancelling.
                    Stage::Create if self.terms.first == First::Cancel => Step::Cancel,
                    Stage::Create | Stage::Deliver => Step::Look,
                    Stage::Tell => Step::Tell,
                    Stage::Delivered | Stage::Told | Stage::Undeliverable => return Step::End,
                };
                self.begin(step, now)
            }
            Outcome::Woken => {
                // A card is not kept through a wait: it is a secret, and a fresh one is a call away.
                // Meanwhile the customer may have finished by a link that did arrive.
                self.card = false;
                let step = if self.due == Step::Post { Step::Look } else { self.due.clone() };
                self.begin(step, now)
            }
            Outcome::Held => {
                if matches!(self.due, Step::Post | Step::Tell) {
                    self.progress.posts = self.progress.posts.saturating_sub(1);
                }
                self.wait(HELD_PAUSE, now)
            }
            Outcome::Created { connection, card } => {
                self.card = card;
                self.deliver(connection, false, now)
            }
            Outcome::CreateRefused { problem, conflict } => {
                self.refused = Some(Refusal { problem, conflict, looks: 0 });
                self.begin(Step::Look, now)
            }
            Outcome::Found(found) => self.found(found, now),
            Outcome::Minted => {
                self.card = true;
                self.begin(Step::Post, now)
            }
            Outcome::Vanished => self.vanished(now),
            Outcome::Settled(problem) => self.tell(problem, now),
            Outcome::Posted => self.end(Stage::Delivered),
            Outcome::Told => self.end(Stage::Told),
            Outcome::Failed(failure) => self.failed(failure, now),
            Outcome::PostFailed(failure) => self.post_failed(failure, now),
        }
    }

    fn found(&mut self, found: Found, now: Timestamp) -> Step {
        match found {
            Found::Nothing => self.found_nothing(now),
            Found::Unfinished { connection, .. } | Found::Finished { connection, .. }
                if self.terms.finished == Finished::Fix
                    && self.progress.connection.as_ref() != Some(&connection) =>
            {
                self.tell(Problem::Gone, now)
            }
            Found::Unfinished { connection, .. } if self.progress.stage == Stage::Deliver => {
                self.progress.connection = Some(connection);
                self.begin(Step::Mint, now)
            }
            Found::Unfinished { connection, created_at } => {
                let existed = match (self.maybe_sent, created_at) {
                    (None, _) => true,
                    // A minute for the two clocks to differ.
                    (Some(_), Some(made)) => {
                        made < after(self.terms.accepted_at, SignedDuration::from_mins(-1))
                    }
                    (Some(_), None) => false,
                };
                self.deliver(connection, existed, now)
            }
            Found::Finished { connection, origin, broken } => match self.terms.finished {
                Finished::Fix if broken => self.deliver(connection, true, now),
                Finished::Refuse | Finished::Fix => {
                    self.progress.connection = Some(connection);
                    self.tell(Problem::AlreadyConnected { origin }, now)
                }
                Finished::Relink => self.deliver(connection, true, now),
            },
            Found::Elsewhere { connection, origin } => {
                self.progress.connection = Some(connection);
                self.tell(Problem::Elsewhere { origin }, now)
            }
            Found::OtherService { service } => self.tell(Problem::SchemaTaken { service }, now),
        }
    }

    fn found_nothing(&mut self, now: Timestamp) -> Step {
        if self.progress.stage == Stage::Deliver {
            return self.vanished(now);
        }
        if let Some(refusal) = &mut self.refused {
            // A creation without an answer may be what took the name; then it will show up.
            if (refusal.conflict || self.maybe_sent.is_some()) && refusal.looks < CONFLICT_LOOKS {
                refusal.looks += 1;
                return self.again(Step::Look, now);
            }
            let problem = refusal.problem.clone();
            return self.tell(problem, now);
        }
        let Some(sent) = self.maybe_sent else { return self.begin(Step::Create, now) };
        let settled = after(sent, GRACE);
        if self.looked_at.is_some_and(|looked_at| looked_at >= settled) {
            return self.begin(Step::Create, now);
        }
        match Duration::try_from(settled.duration_since(now)) {
            Ok(rest) if !rest.is_zero() => {
                self.due = Step::Look;
                self.wait(rest, now)
            }
            _ => self.begin(Step::Look, now),
        }
    }

    fn vanished(&mut self, now: Timestamp) -> Step {
        if self.terms.finished == Finished::Fix {
            // A new one would be another connection than the message speaks of.
            return self.tell(Problem::Gone, now);
        }
        self.vanished += 1;
        if self.vanished > VANISH_LIMIT {
            return self.tell(Problem::NoAnswer, now);
        }
        self.progress = Progress { posts: self.progress.posts, ..Progress::default() };
        self.maybe_sent = None;
        self.begin(Step::Create, now)
    }

    fn failed(&mut self, failure: Failure, now: Timestamp) -> Step {
        let step = match self.progress.stage {
            Stage::Deliver if self.due == Step::Look => Step::Look,
            Stage::Deliver => Step::Mint,
            _ if self.terms.first == First::Cancel => Step::Cancel,
            _ if self.refused.is_some() || self.due == Step::Look => Step::Look,
            _ => Step::Create,
        };
        match failure {
            Failure::Final(problem) => self.tell(problem, now),
            _ if now >= after(self.terms.accepted_at, CREATE_DEADLINE) => self.tell(Problem::NoAnswer, now),
            Failure::Throttled(Some(pause)) if pause > THROTTLE_LIMIT => {
                self.tell(Problem::RateLimited { retry_after_s: Some(pause.as_secs()) }, now)
            }
            Failure::Throttled(pause) => self.throttled(pause, step, now),
            Failure::NotSent => self.again(step, now),
            Failure::Unclear if step == Step::Create => {
                self.maybe_sent = Some(now);
                self.again(Step::Look, now)
            }
            Failure::Unclear => self.again(step, now),
        }
    }

    fn post_failed(&mut self, failure: PostFailure, now: Timestamp) -> Step {
        let telling = self.progress.stage == Stage::Tell;
        let step = if telling { Step::Tell } else { Step::Post };
        match failure {
            PostFailure::Refused(_) if telling => self.end(Stage::Undeliverable),
            PostFailure::Refused(slack_says) => self.tell(Problem::CannotPost { slack_says }, now),
            PostFailure::Throttled(pause) => {
                self.progress.posts = self.progress.posts.saturating_sub(1);
                self.throttled(pause, step, now)
            }
            PostFailure::NotSent => {
                self.progress.posts = self.progress.posts.saturating_sub(1);
                self.again(step, now)
            }
            PostFailure::Unclear if telling && !self.may_post(&step) => self.end(Stage::Undeliverable),
            PostFailure::Unclear => {
                let step = if self.may_post(&step) { step } else { self.unconfirmed() };
                self.again_unclear(step, now)
            }
        }
    }

    /// Whether the response_url has a post left for this. Its last is kept for telling the person.
    fn may_post(&self, step: &Step) -> bool {
        let limit = match step {
            Step::Post => RESPONSE_URL_POSTS - 1,
            _ => RESPONSE_URL_POSTS,
        };
        self.terms.web_api || self.progress.posts < limit
    }

    /// Gives up on the link: it may be there, but Slack never said so.
    fn unconfirmed(&mut self) -> Step {
        self.progress.stage = Stage::Tell;
        self.progress.problem = Some(Problem::CannotPost { slack_says: "no clear answer".to_owned() });
        Step::Tell
    }

    /// Begins a step, unless its time is over.
    fn begin(&mut self, step: Step, now: Timestamp) -> Step {
        if now >= self.limit(&step) {
            return match step {
                Step::Create | Step::Look | Step::Cancel if self.progress.stage == Stage::Create => {
                    self.tell(Problem::NoAnswer, now)
                }
                _ => self.end(Stage::Undeliverable),
            };
        }
        let step = match step {
            // So often, and each time the process died.
            Step::Post if !self.may_post(&step) => self.unconfirmed(),
            step => step,
        };
        if matches!(step, Step::Post | Step::Tell) && !self.terms.web_api {
            if !self.may_post(&step) {
                return self.end(Stage::Undeliverable);
            }
            // Before it is made, so that no crash can hide it.
            self.progress.posts += 1;
        }
        if step == Step::Look {
            self.looked_at = Some(now);
        }
        self.due = step.clone();
        step
    }

    fn deliver(&mut self, connection: String, existed: bool, now: Timestamp) -> Step {
        self.progress = Progress {
            stage: Stage::Deliver,
            connection: Some(connection),
            existed,
            posts: self.progress.posts,
            ..Progress::default()
        };
        self.refused = None;
        self.maybe_sent = None;
        self.begin(if self.card { Step::Post } else { Step::Mint }, now)
    }

    fn tell(&mut self, problem: Problem, now: Timestamp) -> Step {
        self.card = false;
        self.progress.stage = Stage::Tell;
        self.progress.problem = Some(problem);
        self.progress.tries = 0;
        self.begin(Step::Tell, now)
    }

    fn end(&mut self, stage: Stage) -> Step {
        self.card = false;
        self.progress.stage = stage;
        Step::End
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
