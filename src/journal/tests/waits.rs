//! When a person is told that their command waits, and for what.

use super::*;
use crate::journal::{PATIENCE, Then, WaitsFor};

/// One whose creation came to nothing, and that goes on resting and trying until `until`.
fn fails(life: &mut Life, failure: impl Fn() -> Failure, until: Duration) {
    life.next(Outcome::Accepted);
    let mut step = life.next(failed(failure()));
    while life.now < start() + until {
        step = match step {
            Step::Wait(_) => life.after_wait(&step).1,
            Step::Look if life.journal.progress.stage == Stage::Create => life.next(failed(failure())),
            Step::Tell => return,
            _ => life.next(failed(failure())),
        };
    }
}

fn told(life: &Life) -> Vec<(i64, WaitsFor)> {
    let since = |at: Timestamp| at.duration_since(start()).as_secs();
    life.notes.iter().map(|(at, waiting)| (since(*at), waiting.waits_for)).collect()
}

#[test]
fn a_command_that_waits_for_fivetran_says_so_once_after_ten_seconds() {
    for (failure, waits_for) in [
        (Failure::NotSent, WaitsFor::Reach),
        (Failure::Throttled(None), WaitsFor::Limit),
        (Failure::Throttled(Some(seconds(50))), WaitsFor::Limit),
    ] {
        for web_api in [WEB_API, RESPONSE_URL] {
            let mut life = Life::new(web_api);
            fails(&mut life, || failure.clone(), seconds(26 * 60));
            assert_eq!(told(&life), [(10, waits_for)], "{failure:?}");
            let until = life.notes[0].1.until;
            assert_eq!(until.duration_since(start()).as_secs(), 25 * 60);
            let told = match failure {
                Failure::Throttled(_) => Problem::RateLimited { retry_after_s: None },
                _ => Problem::NoAnswer,
            };
            assert_eq!(life.problem(), Some(&told), "what comes of it follows");
            assert_eq!(life.journal.progress.posts, if web_api { 0 } else { 2 }, "each post is counted");
        }
    }
}

#[test]
fn what_is_not_known_of_a_creation_is_not_told_as_an_outage() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    // Its answer was lost after nearly as long as anybody waits in silence.
    life.pass(seconds(9));
    let step = life.next(failed(Failure::Unclear));
    assert_eq!(life.after_wait(&step).1, Step::Look);
    let step = life.next(nothing());
    life.after_wait(&step);
    assert_eq!(told(&life), [(10, WaitsFor::Certainty)]);
    let mut life = Life::new(WEB_API);
    fails(&mut life, || Failure::Unclear, seconds(20));
    assert_eq!(told(&life), [(10, WaitsFor::Recovery)], "a look that fails is one");
}

#[test]
fn a_rest_that_is_interrupted_lasts_as_long_as_it_was_going_to() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let Step::Wait(first) = life.next(failed(Failure::Throttled(Some(seconds(40))))) else { panic!() };
    assert_eq!(first, seconds(10));
    life.pass(first);
    let Step::Wait(rest) = life.next(Outcome::Woken) else { panic!() };
    assert_eq!(told(&life), [(10, WaitsFor::Limit)]);
    assert!((seconds(30)..=seconds(31)).contains(&rest), "{rest:?}");
    life.pass(rest);
    assert_eq!(life.next(Outcome::Woken), Step::Create);
}

#[test]
fn a_step_under_way_is_told_of_as_what_it_is_unless_something_has_failed() {
    let mut life = Life::new(WEB_API);
    assert_eq!(life.next(Outcome::Accepted), Step::Create);
    assert_eq!(life.journal.note_due(), start().checked_add(PATIENCE).ok());
    let (record, waiting) = life.journal.note(WaitsFor::Creation, Moment::by_one_clock(life.now)).unwrap();
    assert_eq!((record.then, record.progress.noted), (Then::GoOn, true));
    assert_eq!(waiting.waits_for, WaitsFor::Creation);
    assert_eq!(life.journal.note_due(), None);
    life.stored = record.progress;
    life.pass(seconds(30));
    assert_eq!(life.next(created()), Step::Post);
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let step = life.next(failed(Failure::NotSent));
    life.after_wait(&step);
    let (_, waiting) = life.journal.note(WaitsFor::Creation, Moment::by_one_clock(life.now)).unwrap();
    assert_eq!(waiting.waits_for, WaitsFor::Reach);
}

#[test]
fn a_link_that_slack_holds_up_is_told_of_where_there_is_another_way() {
    for failure in [PostFailure::NotSent, PostFailure::Unclear, PostFailure::Throttled(Some(seconds(60)))] {
        for (web_api, notes) in [(WEB_API, vec![(10, WaitsFor::Slack)]), (RESPONSE_URL, vec![])] {
            let mut life = Life::posting(web_api);
            let mut step = life.next(post_failed(failure.clone()));
            while life.now < start() + seconds(60) {
                step = match step {
                    Step::Wait(_) => life.after_wait(&step).1,
                    Step::Look => life.next(unfinished(None)),
                    Step::Mint => life.next(Outcome::Minted("card")),
                    _ => life.next(post_failed(failure.clone())),
                };
            }
            assert_eq!(told(&life), notes, "{failure:?}");
            for (_, waiting) in &life.notes {
                // One that may be there is not put there again for two hours.
                let tried = if failure == PostFailure::Unclear { CREATE_DEADLINE } else { WEB_API_DEADLINE };
                let until = start().checked_add(tried).unwrap();
                assert_eq!(waiting.until, until, "as long as Slack is tried");
            }
        }
    }
}

#[test]
fn nothing_is_said_once_there_is_something_to_tell() {
    let mut life = Life::telling(WEB_API);
    life.pass(seconds(11));
    life.next(post_failed(PostFailure::NotSent));
    assert_eq!((told(&life), life.journal.note_due()), (vec![], None));
}

#[test]
fn a_response_url_keeps_what_the_link_and_the_failure_need() {
    for (posts, due) in [(0, true), (2, true), (3, false), (4, false)] {
        let life = Life::at(RESPONSE_URL, Progress { posts, ..Progress::default() });
        assert_eq!(life.journal.note_due().is_some(), due, "{posts}");
    }
}

#[test]
fn whoever_takes_a_command_over_says_it_only_if_nobody_has() {
    let mut life = Life::at(WEB_API, Progress { noted: true, ..Progress::default() });
    life.pass(seconds(40));
    life.next(Outcome::TakenOver);
    let step = life.next(failed(Failure::NotSent));
    life.after_wait(&step);
    assert_eq!(told(&life), []);
    // Most that are taken over end at once.
    let mut life = Life::new(WEB_API);
    life.pass(seconds(40));
    life.next(Outcome::TakenOver);
    assert_eq!(life.journal.note_due(), Some(life.now + seconds(2)));
    let mut step = life.next(failed(Failure::NotSent));
    while told(&life).is_empty() {
        step = match step {
            Step::Wait(_) => life.after_wait(&step).1,
            _ => life.next(failed(Failure::NotSent)),
        };
    }
    assert_eq!(told(&life), [(42, WaitsFor::Reach)]);
    // What is made anew has been told of all the same.
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    life.stored = life.journal.note(WaitsFor::Answer, Moment::by_one_clock(life.now)).unwrap().0.progress;
    life.next(Outcome::Created { connection: "ours".to_owned(), card: None });
    assert_eq!(life.next(Outcome::Vanished), Step::Create);
    assert!(life.journal.progress.noted);
}

#[test]
fn a_command_that_is_kept_in_hand_stays_there_when_its_person_is_told() {
    let mut journal = Journal::<&str>::new(terms(WEB_API), Progress::default());
    journal.next(Outcome::Accepted, Moment::by_one_clock(start()));
    journal.next(failed(Failure::Unclear), Moment::by_one_clock(start() + seconds(9)));
    let mut outcome = Outcome::Woken;
    let mut noted = 0;
    for second in 9..40 {
        let now = start() + seconds(second);
        let Turn { record, act, .. } = journal.next(outcome, Moment::by_one_clock(now));
        assert!(record.is_none_or(|record| record.then == Then::GoOn), "{act:?}");
        outcome = match act {
            Act::Provision(_) => nothing(),
            Act::Note(waiting) => {
                assert_eq!(waiting.waits_for, WaitsFor::Certainty);
                noted += 1;
                Outcome::Noted
            }
            Act::Stay(_) => Outcome::Woken,
            act => panic!("{act:?}"),
        };
    }
    assert_eq!(noted, 1);
}

#[test]
fn a_link_on_its_way_is_spoken_of_only_once_something_holds_it_up() {
    let mut life = Life::posting(WEB_API);
    assert_eq!(life.journal.note_due(), None, "it is there in a moment");
    life.next(post_failed(PostFailure::NotSent));
    assert!(life.journal.note_due().is_some());
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    assert_eq!(life.next(Outcome::Created { connection: "ours".to_owned(), card: None }), Step::Mint);
    assert!(life.journal.note_due().is_some(), "a card is waited for at Fivetran");
}

#[test]
fn nobody_is_told_of_a_wait_that_is_over_by_then() {
    let (second, patience) = (SignedDuration::from_secs(1), SignedDuration::from_secs(2));
    for (taken_over, due) in
        [(CREATE_DEADLINE - patience - second, true), (CREATE_DEADLINE - patience, false)]
    {
        let mut life = Life::new(WEB_API);
        life.now = start() + taken_over;
        life.next(Outcome::TakenOver);
        assert_eq!(life.journal.note_due().is_some(), due, "{taken_over:?}");
    }
}

/// A machine can stand still while a step is under way.
#[test]
fn nobody_is_told_of_a_time_that_has_passed() {
    let second = SignedDuration::from_secs(1);
    for (woken, told) in [(CREATE_DEADLINE - second, true), (CREATE_DEADLINE, false)] {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        life.now = start() + woken;
        let noted = life.journal.note(WaitsFor::Answer, Moment::by_one_clock(life.now));
        assert_eq!(noted.map(|(_, waiting)| waiting.until), told.then_some(start() + CREATE_DEADLINE));
        assert_eq!(life.journal.progress().noted, told, "{woken:?}");
    }
}

#[test]
fn a_look_that_fails_while_a_creation_may_yet_appear_leaves_that_to_be_waited_for() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let step = life.next(failed(Failure::Unclear));
    assert_eq!(life.after_wait(&step).1, Step::Look);
    assert!(matches!(life.next(failed(Failure::Final(Problem::KeyRejected))), Step::Wait(_)));
    assert_eq!(life.journal.waits_for(), Some(WaitsFor::Certainty));
}

/// Only what has changed is written, but that a command rests, so that others may take it up, always.
#[test]
fn a_rest_is_always_on_disk_and_a_step_only_if_something_has_changed() {
    let mut life = Life::new(WEB_API);
    let recorded = |life: &mut Life, outcome| {
        life.journal.next(outcome, Moment::by_one_clock(life.now)).record.map(|it| it.then)
    };
    assert_eq!(recorded(&mut life, Outcome::Accepted), None);
    let until = start() + SignedDuration::from_secs(1);
    assert_eq!(recorded(&mut life, Outcome::Postponed), Some(Then::WaitUntil(until)));
    assert_eq!(recorded(&mut life, Outcome::Woken), None);
    assert_eq!(recorded(&mut life, created()), Some(Then::GoOn));
}
