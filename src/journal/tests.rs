//! Each rule of the journal by itself.

mod company;
mod intents;
mod knows;
mod late;
mod lost;
mod pauses;
mod refusals;
mod vanished;
mod waits;

use super::failure::DOUBTS;
use super::pause::{BACKOFF, UNCLEAR_DELAYS};
use super::*;
use crate::fivetran::model::ApiMessage;

const WEB_API: bool = true;
const RESPONSE_URL: bool = false;

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn terms(web_api: bool) -> Terms {
    Terms {
        accepted_at: start(),
        web_api,
        intent: Intent::Connect,
        for_few: false,
        joins: false,
        grace: GRACE,
        spread: 7,
    }
}

/// A card says no more here than that it is one.
type Outcome = super::Outcome<&'static str>;

/// An act without what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Company,
    Create,
    Look,
    Mint,
    Cancel,
    Sync,
    Post,
    Tell,
    Wait(Duration),
    End,
}

impl From<Act<&'static str>> for Step {
    fn from(act: Act<&'static str>) -> Self {
        match act {
            Act::Provision(super::Step::Create) => Self::Create,
            Act::Provision(super::Step::Look) => Self::Look,
            Act::Provision(super::Step::Mint { .. }) => Self::Mint,
            Act::Provision(super::Step::Cancel { .. }) => Self::Cancel,
            Act::Provision(super::Step::Sync { .. }) => Self::Sync,
            Act::Company => Self::Company,
            Act::Deliver(Message::Link { .. }) => Self::Post,
            Act::Deliver(Message::Notice(_)) => Self::Tell,
            Act::Note(_) => unreachable!("it is answered at once"),
            Act::Rest(pause) | Act::Stay(pause) => Self::Wait(pause),
            Act::End(_) => Self::End,
        }
    }
}

/// A journal and the clock that it is asked by.
struct Life {
    journal: Journal<&'static str>,
    now: Timestamp,
    /// Whether the last act repeats one that failed.
    again: bool,
    /// What stands on disk.
    stored: Progress,
    /// What the person was told of waiting, and when.
    notes: Vec<(Timestamp, Waiting)>,
}

impl Life {
    fn new(web_api: bool) -> Self {
        Self::at(web_api, Progress::default())
    }

    fn at(web_api: bool, progress: Progress) -> Self {
        Self::with(terms(web_api), progress)
    }

    fn with(terms: Terms, progress: Progress) -> Self {
        let stored = progress.clone();
        Self { journal: Journal::new(terms, progress), now: start(), again: false, stored, notes: Vec::new() }
    }

    /// One in the stage of delivering, with a card in hand and about to post.
    fn posting(web_api: bool) -> Self {
        let mut life = Self::new(web_api);
        life.next(Outcome::Accepted);
        assert_eq!(life.next(created()), Step::Post);
        life
    }

    /// One in the stage of telling, and about to tell.
    fn telling(web_api: bool) -> Self {
        let mut life = Self::new(web_api);
        life.next(Outcome::Accepted);
        assert_eq!(life.next(failed(Failure::Final(Problem::KeyRejected))), Step::Tell);
        life
    }

    fn next(&mut self, outcome: Outcome) -> Step {
        let Turn { record, act, again } = self.journal.next(outcome, Moment::by_one_clock(self.now));
        if let Some(record) = record {
            self.stored = record.progress;
        }
        // No action without its progress on disk.
        assert_eq!(&self.stored, self.journal.progress());
        self.again = again;
        if let Act::Note(waiting) = act {
            self.notes.push((self.now, waiting));
            return self.next(Outcome::Noted);
        }
        act.into()
    }

    /// The step must be a wait; it is waited out.
    fn after_wait(&mut self, step: &Step) -> (Duration, Step) {
        let Step::Wait(pause) = step else { panic!("{step:?} is no wait") };
        self.pass(*pause);
        match self.next(Outcome::Woken) {
            // It was interrupted to tell the person that the command waits.
            Step::Wait(more) => {
                self.pass(more);
                (*pause + more, self.next(Outcome::Woken))
            }
            step => (*pause, step),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// The stage's name in the database.
    fn stage(&self) -> &'static str {
        self.journal.progress.stage.name()
    }

    fn connection(&self) -> Option<&str> {
        self.journal.progress.stage.connection()
    }

    fn existed(&self) -> bool {
        self.journal.progress.stage.existed()
    }

    fn problem(&self) -> Option<&Problem> {
        match self.journal.progress.stage.notice()? {
            Notice::Problem(problem) => Some(problem),
            Notice::Cancelled | Notice::SyncBegun | Notice::SyncRunning => None,
        }
    }
}

fn created() -> Outcome {
    Outcome::Created { connection: "ours".to_owned(), card: Some("card") }
}

fn refused(conflict: bool) -> Outcome {
    Outcome::CreateRefused { problem: taken(), conflict }
}

fn taken() -> Problem {
    Problem::NameTaken(ApiMessage::default())
}

fn unfinished(age: Option<SignedDuration>) -> Outcome {
    Outcome::Found(Found::Unfinished { connection: "there".to_owned(), age })
}

fn nothing() -> Outcome {
    Outcome::Found(Found::Nothing)
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}

fn post_failed(failure: PostFailure) -> Outcome {
    Outcome::PostFailed(failure)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn without_trouble_it_takes_two_calls() {
    let mut life = Life::new(RESPONSE_URL);
    assert_eq!(life.next(Outcome::Accepted), Step::Create);
    assert_eq!(life.journal.progress, Progress::default());
    assert_eq!(life.next(created()), Step::Post);
    assert_eq!((life.stage(), life.connection(), life.existed()), ("deliver", Some("ours"), false));
    assert_eq!(life.next(Outcome::Posted), Step::End);
    assert_eq!((life.stage(), life.connection()), ("delivered", Some("ours")));
}

#[test]
fn a_card_that_did_not_come_along_is_minted() {
    let mut life = Life::new(RESPONSE_URL);
    life.next(Outcome::Accepted);
    let step = life.next(Outcome::Created { connection: "ours".to_owned(), card: None });
    assert_eq!((step, life.stage()), (Step::Mint, "deliver"));
    assert_eq!(life.next(Outcome::Minted("card")), Step::Post);
}

#[test]
fn what_a_refused_creation_leads_to() {
    let service = "stripe".to_owned();
    let finished =
        || Outcome::Found(Found::Finished { connection: "there".to_owned(), origin: None, broken: false });
    for (found, intent, step, problem) in [
        (unfinished(None), Intent::Connect, Step::Mint, None),
        (finished(), Intent::Connect, Step::Tell, Some(Problem::AlreadyConnected { origin: None })),
        (finished(), Intent::Reauthorise, Step::Mint, None),
        (
            Outcome::Found(Found::OtherService { service: service.clone() }),
            Intent::Reauthorise,
            Step::Tell,
            Some(Problem::SchemaTaken { service }),
        ),
        (nothing(), Intent::Connect, Step::Tell, Some(taken())),
    ] {
        let mut life = Life::new(RESPONSE_URL);
        life.next(Outcome::Accepted);
        life.journal.terms.intent = intent;
        assert_eq!(life.next(refused(false)), Step::Look);
        assert_eq!(life.next(found.clone()), step, "{found:?}");
        assert_eq!(life.problem(), problem.as_ref(), "{found:?}");
        // What this command did not make existed before it.
        assert_eq!(life.existed(), step == Step::Mint, "{found:?}");
    }
}

#[test]
fn a_conflict_with_nothing_is_looked_for_three_times_more() {
    let mut life = Life::new(RESPONSE_URL);
    life.next(Outcome::Accepted);
    // What failed before does not count.
    for _ in 0..4 {
        let step = life.next(failed(Failure::NotSent));
        assert_eq!(life.after_wait(&step).1, Step::Create);
    }
    assert_eq!(life.next(refused(true)), Step::Look);
    for _ in 0..CONFLICT_LOOKS {
        let step = life.next(nothing());
        assert_eq!(life.after_wait(&step).1, Step::Look);
    }
    assert_eq!(life.next(nothing()), Step::Tell);
    assert_eq!(life.problem(), Some(&taken()));
}

#[test]
fn a_connection_found_after_an_unclear_creation_is_told_from_an_older_one() {
    for (made, existed) in [(Some(5), false), (Some(-30), false), (Some(-3600), true), (None, false)] {
        let mut life = Life::new(RESPONSE_URL);
        life.next(Outcome::Accepted);
        let step = life.next(failed(Failure::Unclear));
        life.after_wait(&step);
        let age = made.map(|second| life.now.duration_since(start() + SignedDuration::from_secs(second)));
        assert_eq!(life.next(unfinished(age)), Step::Mint);
        assert_eq!(life.existed(), existed, "{made:?}");
    }
}

#[test]
fn whoever_takes_a_command_over_goes_on_from_its_stage() {
    let connection = || "ours".to_owned();
    let tell = || Stage::Tell { notice: Problem::NoAnswer.into(), connection: None };
    for (stage, step) in [
        (Stage::Create, Step::Look),
        // Cancelling twice is cancelling.
        (Stage::Cancel { connection: connection() }, Step::Cancel),
        // And a sync that runs is not begun again.
        (Stage::Sync { connection: connection() }, Step::Sync),
        (Stage::Deliver { connection: connection(), existed: false }, Step::Look),
        (tell(), Step::Tell),
        (tell().over(Ending::Delivered), Step::End),
        (tell().over(Ending::Told), Step::End),
        (tell().over(Ending::Undeliverable), Step::End),
    ] {
        let over = match &stage {
            Stage::Over { .. } => stage.name(),
            _ => "undeliverable",
        };
        let mut life = Life::at(RESPONSE_URL, Progress::of(stage.clone()));
        assert_eq!(life.next(Outcome::TakenOver), step, "{stage:?}");
        let mut life = Life::at(RESPONSE_URL, Progress::of(stage.clone()));
        life.pass(seconds(86_400));
        assert_eq!(life.next(Outcome::TakenOver), Step::End, "{stage:?} a day later");
        assert_eq!(life.stage(), over);
    }
}

/// Fails until the end, and returns how often something was tried, and the last moment.
fn fail_for_ever(life: &mut Life, mut step: Step, fails: impl Fn(&Step) -> Outcome) -> u32 {
    let mut tries = 0;
    let mut idle = 0;
    while step != Step::End {
        assert!(life.now <= life.journal.deadline());
        step = if let Step::Wait(pause) = step {
            idle = if pause.is_zero() { idle + 1 } else { 0 };
            assert!(idle < 2, "it waits for nothing, again and again");
            life.after_wait(&step).1
        } else {
            tries += 1;
            life.next(fails(&step))
        };
        assert!(tries < 600, "it does not end");
    }
    tries
}

#[test]
fn whatever_fails_for_ever_ends_in_time_and_without_haste() {
    let at_fivetran = [
        Failure::NotSent,
        Failure::Unclear,
        Failure::Throttled(None),
        Failure::Throttled(Some(Duration::ZERO)),
    ];
    let at_slack = [
        PostFailure::NotSent,
        PostFailure::Unclear,
        PostFailure::Throttled(None),
        PostFailure::Throttled(Some(Duration::ZERO)),
    ];
    for web_api in [WEB_API, RESPONSE_URL] {
        for failure in &at_fivetran {
            let mut life = Life::new(web_api);
            let step = life.next(Outcome::Accepted);
            let tries = fail_for_ever(&mut life, step, |step| match step {
                Step::Tell => Outcome::Told,
                _ => failed(failure.clone()),
            });
            let told = match failure {
                Failure::Throttled(_) => Problem::RateLimited { retry_after_s: None },
                _ => Problem::NoAnswer,
            };
            assert_eq!((life.stage(), life.problem()), ("told", Some(&told)));
            // The last creation is begun a while before that.
            let made_until = start() + (CREATE_DEADLINE - super::pause::CREATE_MARGIN);
            assert!((made_until..=start() + CREATE_DEADLINE).contains(&life.now), "{failure:?}");
            assert!(tries < 60, "{tries} tries, {failure:?}");
        }
        for failure in &at_slack {
            let mut life = Life::posting(web_api);
            fail_for_ever(&mut life, Step::Post, |step| match step {
                Step::Look => unfinished(None),
                Step::Mint => Outcome::Minted("card"),
                _ => post_failed(failure.clone()),
            });
            assert_eq!(life.stage(), "undeliverable");
            if web_api || *failure != PostFailure::Unclear {
                assert_eq!(life.now, life.journal.deadline(), "{failure:?}");
            }
        }
    }
}

#[test]
fn a_link_that_only_slack_held_up_is_posted_until_the_very_deadline() {
    for web_api in [WEB_API, RESPONSE_URL] {
        let mut life = Life::posting(web_api);
        life.now = life.journal.deadline() - SignedDuration::from_secs(20);
        let step = life.next(post_failed(PostFailure::NotSent));
        assert_eq!(life.after_wait(&step).1, Step::Look);
        assert_eq!(life.next(unfinished(None)), Step::Mint);
        assert_eq!(life.next(Outcome::Minted("card")), Step::Post);
        assert_eq!(life.next(Outcome::Posted), Step::End);
        // But a card that fails so late is not tried again.
        let mut life = Life::posting(web_api);
        let step = life.next(post_failed(PostFailure::NotSent));
        life.after_wait(&step);
        life.now = start() + CREATE_DEADLINE;
        assert_eq!(life.next(failed(Failure::NotSent)), Step::Tell);
        assert_eq!(life.problem(), Some(&Problem::NoAnswer));
    }
}

#[test]
fn nothing_is_posted_after_the_deadline() {
    for (web_api, deadline) in [(RESPONSE_URL, RESPONSE_URL_DEADLINE), (WEB_API, WEB_API_DEADLINE)] {
        for mut life in [Life::posting(web_api), Life::telling(web_api)] {
            life.now = start() + deadline;
            let step = life.next(post_failed(PostFailure::NotSent));
            assert_eq!(step, Step::Wait(Duration::ZERO));
            assert_eq!(life.after_wait(&step).1, Step::End);
            assert_eq!(life.stage(), "undeliverable");
        }
    }
}

#[test]
fn a_response_url_is_asked_five_times_at_the_most_and_the_last_is_for_telling() {
    for (mut life, links) in [(Life::posting(RESPONSE_URL), 4), (Life::telling(RESPONSE_URL), 0)] {
        for made in 1..=5 {
            let expected = if made <= links { "deliver" } else { "tell" };
            assert_eq!((life.stage(), life.journal.progress.posts), (expected, made));
            let step = life.next(post_failed(PostFailure::Unclear));
            let Some(base) = UNCLEAR_DELAYS.get(made as usize - 1).copied() else {
                assert_eq!((step, made), (Step::End, 5));
                continue;
            };
            let (pause, step) = life.after_wait(&step);
            assert!(pause >= base / 2 && pause <= base, "{pause:?}");
            let step = if step == Step::Look { life.next(unfinished(None)) } else { step };
            let step = if step == Step::Mint { life.next(Outcome::Minted("card")) } else { step };
            assert!(matches!(step, Step::Post | Step::Tell), "{step:?}");
        }
        assert_eq!(life.stage(), "undeliverable");
    }
}

#[test]
fn a_post_that_was_not_made_is_given_back() {
    for failure in [PostFailure::NotSent, PostFailure::Throttled(None)] {
        let mut life = Life::telling(RESPONSE_URL);
        for _ in 0..20 {
            assert_eq!(life.journal.progress.posts, 1);
            let step = life.next(post_failed(failure.clone()));
            assert_eq!(life.journal.progress.posts, 0);
            assert_eq!(life.after_wait(&step).1, Step::Tell);
        }
    }
}

#[test]
fn a_refused_link_is_told_and_a_refused_problem_is_the_end() {
    let mut life = Life::posting(RESPONSE_URL);
    assert_eq!(life.next(post_failed(PostFailure::Refused("no".to_owned()))), Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::CannotPost { slack_says: "no".to_owned() }));
    assert_eq!(life.connection(), Some("ours"));
    assert_eq!(life.next(post_failed(PostFailure::Refused("no".to_owned()))), Step::End);
    assert_eq!(life.stage(), "undeliverable");
}

#[test]
fn a_problem_is_called_the_same_in_the_log_and_in_the_database() {
    let said = ApiMessage::default;
    for problem in [
        Problem::KeyRejected,
        Problem::Forbidden(said()),
        Problem::GroupUnknown(said()),
        Problem::Refused(said()),
        Problem::Declined { status: 402, said: said() },
        Problem::Unsure { why: Box::new(Problem::KeyRejected) },
        Problem::SchemaTaken { service: "s".to_owned() },
        Problem::NameTaken(said()),
        Problem::AlreadyConnected { origin: None },
        Problem::Elsewhere { origin: Origin { channel_id: "C".to_owned(), user_id: Some("U".to_owned()) } },
        Problem::Gone,
        Problem::NotCancelled,
        Problem::Misfit(MisfitKind::TableMissing),
        Problem::RateLimited { retry_after_s: None },
        Problem::NoAnswer,
        Problem::OutOfTime,
        Problem::CannotPost { slack_says: "w".to_owned() },
    ] {
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["problem"], problem.name(), "{json}");
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }
}
