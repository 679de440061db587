//! What is told when the time for it is over.

use super::*;

/// Long after anything is tried.
fn hours_later() -> Timestamp {
    start() + SignedDuration::from_hours(50)
}

fn taken_over(web_api: bool, progress: Progress) -> (Life, Step) {
    let mut life = Life::at(web_api, progress);
    life.now = hours_later();
    let step = life.next(Outcome::TakenOver);
    (life, step)
}

fn stages() -> [(Stage, Problem); 5] {
    let connection = || "ours".to_owned();
    let rejected = Notice::Problem(Problem::KeyRejected);
    [
        (Stage::Create, Problem::Interrupted),
        (Stage::Cancel { connection: connection() }, Problem::Interrupted),
        (Stage::Sync { connection: connection() }, Problem::Interrupted),
        (Stage::Deliver { connection: connection(), existed: false }, Problem::Unconfirmed),
        (Stage::Tell { notice: rejected, connection: None }, Problem::KeyRejected),
    ]
}

#[test]
fn whoever_takes_a_command_up_when_its_time_is_over_tells_its_person() {
    for (stage, problem) in stages() {
        let (mut life, step) = taken_over(WEB_API, Progress::of(stage));
        assert_eq!((step, life.problem()), (Step::Tell, Some(&problem)));
        assert_eq!(life.next(Outcome::Told), Step::End);
        assert_eq!(life.stage(), "told");
    }
}

#[test]
fn a_response_url_is_dead_by_then() {
    for (stage, _) in stages() {
        let (life, step) = taken_over(RESPONSE_URL, Progress::of(stage));
        assert_eq!((step, life.stage()), (Step::End, "undeliverable"));
    }
}

#[test]
fn fivetran_is_blamed_only_if_it_has_failed() {
    let progress = Progress { tries: 3, ..Progress::of(Stage::Create) };
    let (life, step) = taken_over(WEB_API, progress);
    assert_eq!((step, life.problem()), (Step::Tell, Some(&Problem::NoAnswer)));
}

#[test]
fn they_are_told_as_soon_as_slack_is_well_and_given_up_when_it_stays_away() {
    for failure in [
        PostFailure::NotSent,
        PostFailure::Throttled(Some(Duration::from_secs(40))),
        PostFailure::Later { slack_says: "internal_error".to_owned(), pause: Duration::from_secs(5) },
        PostFailure::Unclear,
    ] {
        let (mut life, mut step) = taken_over(WEB_API, Progress::of(Stage::Create));
        let mut tries = 0;
        while step != Step::End {
            assert_eq!(step, Step::Tell);
            tries += 1;
            // Nobody else takes it up in between, who would have to begin anew.
            let turn = life.journal.next(post_failed(failure.clone()), Moment::by_one_clock(life.now));
            let Act::Stay(pause) = turn.act else { panic!("{:?}", turn.act) };
            life.stored = life.journal.progress().clone();
            life.pass(pause);
            step = life.next(Outcome::Woken);
        }
        assert!(tries >= 2, "{failure:?}: {tries}");
        assert_eq!((life.now, life.stage()), (hours_later() + LATE, "undeliverable"), "{failure:?}");

        let (mut life, step) = taken_over(WEB_API, Progress::of(Stage::Create));
        assert_eq!(step, Step::Tell);
        let step = life.next(post_failed(failure));
        assert_eq!(life.after_wait(&step).1, Step::Tell);
        assert_eq!(life.next(Outcome::Told), Step::End);
    }
}

#[test]
fn who_has_just_tried_in_vain_does_not_begin_anew() {
    for (before, end) in [(SignedDuration::from_mins(1), Step::End), (LATE, Step::Tell)] {
        for mut life in [Life::posting(WEB_API), Life::telling(WEB_API)] {
            life.now = start() + WEB_API_DEADLINE - before;
            let step = life.next(post_failed(PostFailure::NotSent));
            assert!(matches!(step, Step::Wait(_)), "{step:?}");
            life.now = start() + WEB_API_DEADLINE;
            assert_eq!(life.next(Outcome::Woken), end, "{before}");
        }
    }
}
