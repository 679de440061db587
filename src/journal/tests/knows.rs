//! What a command knows of its own trouble, and what of that others are told.

use super::*;
use crate::journal::{Others, WaitsFor};
use crate::outbound::Obstacle;

/// Each failure of a call, and what the command waits for by it, while it is being created and once its
/// connection is known.
#[test]
fn a_command_waits_for_what_failed_last() {
    use WaitsFor::{Certainty, Foreign, Limit, Reach, Recovery};
    let blocked = |obstacle| Failure::Doubtful(Problem::Blocked(obstacle));
    for (failure, creating, delivering) in [
        (Failure::Throttled(None), Limit, Limit),
        (Failure::NotSent, Reach, Reach),
        (Failure::Unclear, Certainty, Recovery),
        (Failure::Unanswered, Recovery, Recovery),
        (Failure::Doubtful(Problem::KeyRejected), Recovery, Recovery),
        (blocked(Obstacle::UnknownHost), Reach, Reach),
        (blocked(Obstacle::UnknownProxy), Reach, Reach),
        (blocked(Obstacle::ProxyRefuses), Reach, Reach),
        (blocked(Obstacle::SilentProxy), Reach, Reach),
        (blocked(Obstacle::Foreign { status: 404 }), Foreign, Foreign),
        (blocked(Obstacle::Redirect { status: 302 }), Recovery, Recovery),
    ] {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        assert_eq!(life.journal.waits_for(), None);
        life.next(failed(failure.clone()));
        assert_eq!(life.journal.waits_for(), Some(creating), "{failure:?}");
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        assert_eq!(life.next(Outcome::Created { connection: "ours".to_owned(), card: None }), Step::Mint);
        life.next(failed(failure.clone()));
        assert_eq!(life.journal.waits_for(), Some(delivering), "{failure:?}");
    }
}

#[test]
fn a_look_that_shows_nothing_is_a_trouble_only_while_a_connection_is_to_be_made() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    life.next(refused(true));
    life.next(nothing());
    assert_eq!(life.journal.waits_for(), Some(WaitsFor::Conflict));
    // Whoever takes up a command whose connection is known needs no certainty of it.
    let stage = Stage::Deliver { connection: "ours".to_owned(), existed: false };
    let mut life = Life::at(WEB_API, Progress::of(stage));
    assert_eq!(life.next(Outcome::TakenOver), Step::Look);
    assert_eq!(life.next(nothing()), Step::Mint);
    assert_eq!(life.journal.waits_for(), None);
}

#[test]
fn what_must_not_be_done_now_is_a_trouble_only_of_a_message() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    life.next(Outcome::Postponed);
    assert_eq!(life.journal.waits_for(), None);
    let mut life = Life::posting(WEB_API);
    life.next(Outcome::Postponed);
    assert_eq!(life.journal.waits_for(), Some(WaitsFor::Unknown));
    let mut life = Life::posting(WEB_API);
    life.next(post_failed(PostFailure::NotSent));
    life.next(Outcome::Postponed);
    assert_eq!(life.journal.waits_for(), Some(WaitsFor::Slack));
}

#[test]
fn only_a_link_that_was_tried_without_an_answer_is_known_to_be_unanswered() {
    for (failure, unanswered) in [
        (PostFailure::Unclear, true),
        (PostFailure::NotSent, false),
        (PostFailure::Throttled(None), false),
        (PostFailure::Refused("no".to_owned()), false),
    ] {
        let mut life = Life::posting(WEB_API);
        assert!(!life.journal.is_unanswered());
        life.next(post_failed(failure.clone()));
        assert_eq!(life.journal.is_unanswered(), unanswered, "{failure:?}");
    }
    let mut life = Life::telling(WEB_API);
    life.next(post_failed(PostFailure::Unclear));
    assert!(!life.journal.is_unanswered(), "there was no link");
}

/// Nobody else could know since when a creation may be under way; everything else can be gone on with by all.
#[test]
fn a_command_is_kept_in_hand_only_while_its_creation_may_be_under_way() {
    let act = |life: &mut Life, outcome| life.journal.next(outcome, Moment::by_one_clock(life.now)).act;
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    assert!(matches!(act(&mut life, failed(Failure::NotSent)), Act::Rest(_)));
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    assert!(matches!(act(&mut life, failed(Failure::Unclear)), Act::Stay(_)));
    let mut life = Life::posting(WEB_API);
    assert!(matches!(act(&mut life, post_failed(PostFailure::NotSent)), Act::Rest(_)));
}

#[test]
fn tries_are_counted_from_the_beginning_of_a_stage() {
    let at = |stage| Progress { tries: 3, ..Progress::of(stage) };
    let mut life = Life::at(WEB_API, at(Stage::Create));
    life.next(Outcome::Accepted);
    life.next(created());
    assert_eq!(life.journal.progress.tries, 0);
    // Another look is no new beginning.
    let stage = Stage::Deliver { connection: "there".to_owned(), existed: true };
    let mut life = Life::with(Terms { intent: Intent::Reauthorise, ..terms(WEB_API) }, at(stage));
    life.next(Outcome::TakenOver);
    let found = Found::Finished { connection: "there".to_owned(), origin: None, broken: false };
    assert_eq!(life.next(Outcome::Found(found)), Step::Mint);
    assert_eq!(life.journal.progress.tries, 3);
}

/// At the end of its time a person is told what was in the way, if that was seen often enough to be sure of.
#[test]
fn at_the_deadline_a_doubt_is_told_only_where_it_was_confirmed() {
    let problem = Problem::Blocked(Obstacle::Foreign { status: 404 });
    for (doubts, told) in [(0, Problem::NoAnswer), (DOUBTS - 1, Problem::NoAnswer), (DOUBTS, problem.clone())]
    {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        for _ in 0..doubts {
            assert!(matches!(life.next(failed(Failure::Doubtful(problem.clone()))), Step::Wait(_)));
            life.next(Outcome::Woken);
        }
        life.now = start() + CREATE_DEADLINE;
        assert_eq!(life.next(failed(Failure::Doubtful(problem.clone()))), Step::Tell);
        assert_eq!(life.problem(), Some(&told), "{doubts}");
    }
}

#[test]
fn a_look_that_fails_after_a_refusal_tells_the_refusal_unless_the_name_may_be_ours_to_see() {
    for (conflict, told) in [(false, taken()), (true, Problem::KeyRejected)] {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        assert_eq!(life.next(refused(conflict)), Step::Look);
        assert_eq!(life.next(failed(Failure::Final(Problem::KeyRejected))), Step::Tell);
        assert_eq!(life.problem(), Some(&told), "{conflict}");
    }
}

#[test]
fn late_in_its_life_a_link_waits_for_short_pauses_of_slacks_alone() {
    let early = CREATE_DEADLINE - SignedDuration::from_secs(1);
    for (age, pause, waits) in [
        (early, None, true),
        (early, Some(seconds(61)), true),
        (CREATE_DEADLINE, Some(seconds(60)), true),
        (CREATE_DEADLINE, Some(seconds(61)), false),
        (CREATE_DEADLINE, None, false),
    ] {
        let mut life = Life::posting(WEB_API);
        life.now = start() + age;
        let step = life.next(post_failed(PostFailure::Throttled(pause)));
        assert_eq!(matches!(step, Step::Wait(_)), waits, "{age:?} {pause:?}");
        assert_eq!(step == Step::Tell, !waits, "{age:?} {pause:?}");
    }
}

#[test]
fn whoever_is_connected_and_whoever_is_invited_can_read_a_channel() {
    for (connected, invited, all) in [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 3, 5), (u32::MAX, 1, u32::MAX)] {
        assert_eq!(Others { connected, invited }.all(), all);
    }
}

#[test]
fn a_command_that_nobody_can_go_on_with_ends_with_what_is_known_of_it() {
    let told = || Some(Notice::Problem(Problem::NoAnswer));
    for (stage, connection, notice) in [
        (Stage::Create, None, None),
        (Stage::Cancel { connection: "c".to_owned() }, Some("c"), None),
        (Stage::Deliver { connection: "c".to_owned(), existed: true }, Some("c"), None),
        (Stage::Tell { notice: told().unwrap(), connection: Some("c".to_owned()) }, Some("c"), told()),
    ] {
        let over = Progress { posts: 2, noted: true, ..Progress::of(stage) }.over(Ending::Undeliverable);
        assert_eq!((over.stage.name(), over.stage.connection()), ("undeliverable", connection));
        assert_eq!((over.stage.notice(), over.posts, over.noted), (notice.as_ref(), 2, true));
    }
}

#[test]
fn how_many_commands_have_been_put_down_is_known() {
    let mut resting = Resting::default();
    for (n, id) in ["a", "b"].into_iter().enumerate() {
        assert_eq!(resting.until_after(Timestamp::MIN), n);
        resting.put_down(id, 1, Life::new(WEB_API).journal, start());
    }
    resting.forget("a");
    assert_eq!(resting.until_after(Timestamp::MIN), 1);
}

/// Clocks may tell different times; that a minute has passed, they agree on.
#[test]
fn what_is_found_was_there_before_if_it_is_older_than_the_command_by_more_than_a_minute() {
    for (age, existed) in [(59, false), (60, false), (61, true)] {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        let step = life.next(failed(Failure::Unclear));
        assert_eq!(life.after_wait(&step).1, Step::Look);
        life.now = start();
        life.next(unfinished(Some(SignedDuration::from_secs(age))));
        assert_eq!((life.connection(), life.existed()), (Some("there"), existed), "{age}");
    }
}

#[test]
fn a_look_that_was_begun_once_nothing_can_appear_any_more_is_believed() {
    for (begun, ends) in [(GRACE - SignedDuration::from_millis(1), false), (GRACE, true)] {
        let mut life = Life::new(WEB_API);
        life.next(Outcome::Accepted);
        life.next(failed(Failure::Unclear));
        life.now = start() + begun;
        assert_eq!(life.next(Outcome::Woken), Step::Look);
        let step = life.next(failed(Failure::Final(Problem::KeyRejected)));
        assert_eq!(step == Step::Tell, ends, "{begun:?}");
    }
}

#[test]
fn what_vanished_is_made_anew_without_a_rest_for_what_failed_before() {
    let stage = Stage::Deliver { connection: "gone".to_owned(), existed: false };
    let mut life = Life::at(WEB_API, Progress { tries: 5, ..Progress::of(stage) });
    life.next(Outcome::TakenOver);
    assert_eq!(life.next(Outcome::Vanished), Step::Create);
    assert_eq!((life.journal.progress.tries, life.again), (0, false));
}

#[test]
fn a_card_is_posted_for_its_own_connection_alone() {
    for (found, step) in [("ours", Step::Post), ("another", Step::Mint)] {
        let mut life =
            Life::with(Terms { intent: Intent::Reauthorise, ..terms(WEB_API) }, Progress::default());
        life.next(Outcome::Accepted);
        let origin = None;
        let finished = |id: &str| {
            Outcome::Found(Found::Finished {
                connection: id.to_owned(),
                origin: origin.clone(),
                broken: false,
            })
        };
        assert_eq!(life.next(finished("ours")), Step::Mint);
        assert_eq!(life.next(Outcome::Minted("card")), Step::Post);
        let wait = life.next(post_failed(PostFailure::NotSent));
        assert_eq!(life.after_wait(&wait).1, Step::Look);
        assert_eq!(life.next(finished(found)), step, "{found}");
    }
}

#[test]
fn what_is_gone_after_a_cancellation_without_an_answer_was_cancelled_by_it() {
    for (unheard, notice) in [(true, Notice::Cancelled), (false, Notice::Problem(Problem::Gone))] {
        let stage = Stage::Cancel { connection: "there".to_owned() };
        let mut life = Life::with(Terms { intent: Intent::Cancel, ..terms(WEB_API) }, Progress::of(stage));
        life.next(Outcome::Accepted);
        if unheard {
            let step = life.next(failed(Failure::Unclear));
            life.after_wait(&step);
        }
        assert_eq!(life.next(Outcome::Vanished), Step::Tell);
        assert_eq!(life.journal.progress.stage.notice(), Some(&notice));
    }
}
