//! Creations whose answer was lost, and answers that somebody else gives in Fivetran's place.

use super::*;
use crate::outbound::Obstacle;

/// The longest that Fivetran works on a creation.
const LATEST: SignedDuration = SignedDuration::from_secs(60);

/// One whose creation got no answer, about to look for the first time.
fn lost() -> (Life, Step) {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let step = life.next(failed(Failure::Unclear));
    let (_, step) = life.after_wait(&step);
    assert_eq!(step, Step::Look);
    (life, step)
}

/// Looks and sees nothing, again and again, until something else is due. Gives the number of looks.
fn look_in_vain(life: &mut Life, mut step: Step) -> (u32, Step) {
    let mut looks = 0;
    loop {
        step = match step {
            Step::Look => {
                looks += 1;
                life.next(nothing())
            }
            Step::Wait(_) => life.after_wait(&step).1,
            step => return (looks, step),
        };
    }
}

#[test]
fn a_creation_without_an_answer_is_looked_for_until_it_cannot_appear_any_more() {
    let (mut life, step) = lost();
    let (looks, step) = look_in_vain(&mut life, step);
    assert_eq!(step, Step::Create);
    assert!(life.now >= start() + GRACE && GRACE > LATEST, "none is sent before");
    assert!((12..=20).contains(&looks), "{looks}: often enough for whoever waits, and not for the limit");
}

#[test]
fn what_appears_late_is_taken_for_ours() {
    let (mut life, _) = lost();
    let mut late = Duration::ZERO;
    while life.now < start() + LATEST {
        let step = match life.next(nothing()) {
            step @ Step::Wait(pause) => {
                late = late.max(pause);
                life.after_wait(&step).1
            }
            step => step,
        };
        assert_eq!(step, Step::Look);
    }
    assert!(late <= LOOK_PAUSE, "{late:?}");
    assert_eq!(life.next(unfinished(Some(SignedDuration::ZERO))), Step::Mint);
    assert!(!life.existed());
}

/// Fivetran's clock and ours may differ by any time.
#[test]
fn what_may_be_ours_is_told_as_older_only_where_it_is() {
    let age = SignedDuration::from_secs;
    for (known, existed) in [
        (Some(age(0)), false),
        (Some(age(30)), false),
        (Some(age(-7200)), false),
        (Some(age(200)), true),
        (None, false),
    ] {
        let (mut life, _) = lost();
        life.pass(seconds(40));
        assert_eq!(life.next(unfinished(known)), Step::Mint);
        assert_eq!(life.existed(), existed, "{known:?}");
    }
}

/// What a look is answered with that says nothing of a creation.
fn no_answers_of_looks() -> Vec<Failure> {
    vec![
        Failure::Final(Problem::KeyRejected),
        Failure::Final(Problem::Forbidden(ApiMessage::default())),
        Failure::Final(Problem::Declined { status: 400, said: ApiMessage::default() }),
        Failure::Final(Problem::Blocked(Obstacle::Redirect { status: 302 })),
        Failure::Doubtful(foreign()),
        Failure::Throttled(Some(seconds(1800))),
    ]
}

#[test]
fn a_look_that_fails_ends_nothing_while_a_creation_may_yet_appear() {
    for failure in no_answers_of_looks() {
        for appears in [true, false] {
            let (mut life, mut step) = lost();
            while step == Step::Look && life.now < start() + LATEST {
                let waits = life.next(failed(failure.clone()));
                step = life.after_wait(&waits).1;
            }
            assert_eq!(step, Step::Look, "{failure:?}");
            if appears {
                assert_eq!(life.next(unfinished(Some(SignedDuration::ZERO))), Step::Mint, "{failure:?}");
                continue;
            }
            while step == Step::Look {
                step = life.next(failed(failure.clone()));
                if matches!(step, Step::Wait(_)) {
                    step = life.after_wait(&step).1;
                }
            }
            assert_eq!(step, Step::Tell, "{failure:?}");
            assert!(life.now >= start() + GRACE, "{failure:?}: not before");
            assert!(matches!(life.problem(), Some(Problem::Unsure { .. })), "{:?}", life.problem());
        }
    }
}

#[test]
fn a_look_that_fails_is_told_at_once_where_nothing_was_sent() {
    for failure in no_answers_of_looks().into_iter().filter(|failure| matches!(failure, Failure::Final(_))) {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        life.next(refused(true));
        assert_eq!(life.next(failed(failure.clone())), Step::Tell, "{failure:?}");
        assert!(!matches!(life.problem(), Some(Problem::Unsure { .. })), "{:?}", life.problem());
        // What the creation was refused for is so all the same.
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        life.next(refused(false));
        assert_eq!(life.next(failed(failure)), Step::Tell);
        assert_eq!(life.problem(), Some(&taken()));
    }
}

/// Each process that took it up would look for as long again, and none of several ever came to an end.
#[test]
fn it_stays_in_hand_until_that_is_certain() {
    let noted = Progress { noted: true, ..Progress::default() };
    let mut journal = Journal::<&str>::new(terms(WEB_API), noted);
    journal.next(Outcome::TakenOver, Moment::by_one_clock(start()));
    for second in 0..60 {
        let now = start() + SignedDuration::from_secs(second);
        let Turn { record, act, .. } = journal.next(nothing(), Moment::by_one_clock(now));
        assert!(matches!(act, Act::Stay(_)), "{act:?}");
        assert!(record.is_none_or(|record| record.then == Then::GoOn));
        journal.next(Outcome::Woken, Moment::by_one_clock(now));
    }
}

/// Neither is it looked for longer than that, nor by another process from the beginning.
#[test]
fn no_failure_in_between_moves_the_moment_at_which_that_is_certain() {
    for failure in [
        Failure::NotSent,
        Failure::Unclear,
        Failure::Throttled(Some(seconds(5))),
        Failure::Doubtful(Problem::Blocked(Obstacle::OddShape)),
    ] {
        let noted = Progress { noted: true, ..Progress::default() };
        let mut journal = Journal::<&str>::new(terms(WEB_API), noted);
        journal.next(Outcome::Accepted, Moment::by_one_clock(start()));
        let (mut now, mut outcome) = (start(), failed(Failure::Unclear));
        let (mut looks, mut worked) = (0_u32, false);
        loop {
            let Turn { act, record, .. } = journal.next(outcome, Moment::by_one_clock(now));
            assert!(record.is_none_or(|record| record.then == Then::GoOn), "{failure:?}: it stays in hand");
            outcome = match act {
                Act::Stay(pause) => {
                    now += pause;
                    Outcome::Woken
                }
                Act::Provision(super::super::Step::Look) => {
                    looks += 1;
                    worked = looks.is_multiple_of(2);
                    if worked { nothing() } else { failed(failure.clone()) }
                }
                act => {
                    assert_eq!(act, Act::Provision(super::super::Step::Create), "{failure:?}");
                    break;
                }
            };
        }
        // A pause that Fivetran asks for is kept.
        let late = now.duration_since(start() + GRACE);
        assert!(worked && late >= SignedDuration::ZERO && late <= SignedDuration::from_secs(8), "{late}");
    }
}

/// Nothing goes by what the wall clock is set to: neither what may yet appear, nor how long anybody waits, nor whose
/// a connection is.
#[test]
fn a_clock_that_is_set_makes_nothing_certain_and_keeps_nobody_waiting() {
    let minutes = SignedDuration::from_mins;
    for (set_by, from) in [(10, 0), (-60, 0), (10, 12), (-60, 12), (10, 30), (-60, 30), (1, 64), (-1, 64)] {
        let mut journal = Journal::<&str>::new(terms(WEB_API), Progress::default());
        let (mut passed, mut told) = (Duration::ZERO, vec![]);
        let moment = |passed: Duration| {
            let set_by = if passed >= seconds(from) { minutes(set_by) } else { SignedDuration::ZERO };
            Moment { at: start() + passed + set_by, steady: seconds(7) + passed }
        };
        journal.next(Outcome::Accepted, Moment { at: start(), steady: seconds(7) });
        let mut outcome = failed(Failure::Unclear);
        loop {
            outcome = match journal.next(outcome, moment(passed)).act {
                Act::Stay(pause) => {
                    passed += pause;
                    Outcome::Woken
                }
                Act::Note(waiting) => {
                    told.push((passed, waiting.until.duration_since(moment(passed).at)));
                    Outcome::Noted
                }
                Act::Provision(super::super::Step::Look) => nothing(),
                act => {
                    assert_eq!(act, Act::Provision(super::super::Step::Create), "{set_by} {from}");
                    break;
                }
            };
        }
        let grace = Duration::try_from(GRACE).unwrap();
        assert!(passed >= grace && passed <= grace + seconds(1), "{set_by} {from}: {passed:?}");
        let [(at, left)] = told[..] else { panic!("{told:?}") };
        assert_eq!(at, PATIENCE.unsigned_abs(), "{set_by} {from}");
        assert_eq!(left, CREATE_DEADLINE - PATIENCE, "by the clock that people see");
        journal.next(failed(Failure::Unclear), moment(passed));
        let age = Some(SignedDuration::from_secs(1));
        journal.next(unfinished(age), moment(passed + seconds(2)));
        assert!(!journal.progress().stage.existed(), "{set_by} {from}: it is ours");
    }
}

#[test]
fn a_look_that_was_begun_within_the_grace_proves_nothing() {
    let mut life = Life::new(RESPONSE_URL);
    assert_eq!(life.next(Outcome::TakenOver), Step::Look);
    life.now = start() + GRACE;
    assert_eq!(life.next(nothing()), Step::Look);
    assert_eq!(life.next(nothing()), Step::Create);
}

/// Whoever took the name of a creation without an answer may be that creation.
#[test]
fn our_own_late_creation_is_never_told_as_a_strangers() {
    for (conflict, told) in [(true, Problem::NoAnswer), (false, taken())] {
        let (mut life, step) = lost();
        assert_eq!(look_in_vain(&mut life, step).1, Step::Create);
        let refused_at = life.now;
        let step = life.next(refused(conflict));
        assert_eq!(step, Step::Look);
        let (_, step) = look_in_vain(&mut life, step);
        assert_eq!((step, life.problem()), (Step::Tell, Some(&told)), "{conflict}");
        assert!(life.now >= refused_at + GRACE, "it is looked for as long as before");

        let (mut life, step) = lost();
        assert_eq!(look_in_vain(&mut life, step).1, Step::Create);
        life.next(refused(conflict));
        life.next(nothing());
        assert_eq!(life.next(unfinished(None)), Step::Mint, "and taken when it shows up");
    }
    // Without such a creation it is a stranger's.
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let step = life.next(refused(true));
    assert_eq!(look_in_vain(&mut life, step).1, Step::Tell);
    assert_eq!(life.problem(), Some(&taken()));
}

#[test]
fn none_is_begun_that_could_not_be_looked_for_until_the_end() {
    assert!(super::super::pause::CREATE_MARGIN >= GRACE + SignedDuration::from_secs(65));
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let step = life.next(failed(Failure::NotSent));
    life.now = start() + (CREATE_DEADLINE - super::super::pause::CREATE_MARGIN);
    assert!(matches!(step, Step::Wait(_)));
    assert_eq!(life.next(Outcome::Woken), Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::NoAnswer));
}

fn foreign() -> Problem {
    Problem::Blocked(Obstacle::Foreign { status: 404 })
}

#[test]
fn what_mostly_stays_is_tried_again_for_some_seconds_and_then_told() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let mut step = life.next(Outcome::Created { connection: "ours".to_owned(), card: None });
    for _ in 0..DOUBTS {
        assert_eq!(step, Step::Mint);
        step = life.next(failed(Failure::Doubtful(foreign())));
        step = life.after_wait(&step).1;
    }
    assert_eq!(step, Step::Mint);
    assert_eq!(life.next(failed(Failure::Doubtful(foreign()))), Step::Tell);
    assert_eq!(life.problem(), Some(&foreign()));
    assert!(life.now <= start() + SignedDuration::from_secs(8));
}

/// A gateway that lets looks through and no creation must not be asked until the deadline.
#[test]
fn a_creation_that_somebody_else_answers_is_looked_for_before_it_is_repeated() {
    let mut life = Life::new(WEB_API);
    let mut step = life.next(Outcome::Accepted);
    for _ in 0..DOUBTS {
        assert_eq!(step, Step::Create);
        step = life.next(failed(Failure::Doubtful(foreign())));
        step = life.after_wait(&step).1;
        assert_eq!(step, Step::Look);
        step = life.next(nothing());
    }
    assert_eq!(life.next(failed(Failure::Doubtful(foreign()))), Step::Tell);
    assert_eq!(life.problem(), Some(&foreign()));
}

#[test]
fn an_outage_in_between_begins_the_doubts_anew() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    life.next(failed(Failure::Unclear));
    for _ in 0..DOUBTS * 2 {
        for failure in [Failure::Doubtful(foreign()), Failure::Unclear] {
            let step = life.next(failed(failure));
            assert_eq!(life.after_wait(&step).1, Step::Look);
        }
    }
}
