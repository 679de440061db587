//! What comes of a command whose time is over when somebody takes it up.

use super::*;

/// Long after anything is tried.
fn hours_later() -> Timestamp {
    start() + SignedDuration::from_hours(50)
}

fn taken_over(web_api: bool, stage: Stage, at: Timestamp) -> (Life, Step) {
    let mut life = Life::at(web_api, Progress::of(stage));
    life.now = at;
    let step = life.next(Outcome::TakenOver);
    (life, step)
}

fn delivering() -> Stage {
    Stage::Deliver { connection: "there".to_owned(), existed: false }
}

fn telling() -> [(Stage, Problem); 4] {
    let connection = || "ours".to_owned();
    let rejected = Notice::Problem(Problem::KeyRejected);
    [
        (Stage::Create, Problem::OutOfTime),
        (Stage::Cancel { connection: connection() }, Problem::OutOfTime),
        (Stage::Sync { connection: connection() }, Problem::OutOfTime),
        (Stage::Tell { notice: rejected, connection: None }, Problem::KeyRejected),
    ]
}

#[test]
fn whoever_takes_a_command_up_when_its_time_is_over_tells_its_person() {
    for (stage, problem) in telling() {
        let (mut life, step) = taken_over(WEB_API, stage, hours_later());
        assert_eq!((step, life.problem()), (Step::Tell, Some(&problem)));
        assert_eq!(life.next(Outcome::Told), Step::End);
        assert_eq!(life.stage(), "told");
    }
}

#[test]
fn what_is_there_gets_its_link_all_the_same() {
    let (mut life, step) = taken_over(WEB_API, delivering(), hours_later());
    assert_eq!(step, Step::Look);
    assert_eq!(life.next(unfinished(None)), Step::Mint);
    assert_eq!(life.next(Outcome::Minted("card")), Step::Post);
    assert_eq!(life.next(Outcome::Posted), Step::End);
    assert_eq!(life.stage(), "delivered");

    // What fails is tried again for a while; of a link that an earlier process may have posted, that is said.
    for (joins, problem) in [(false, Problem::Unconfirmed), (true, Problem::NoAnswer)] {
        let mut life = Life::with(Terms { joins, ..terms(WEB_API) }, Progress::of(delivering()));
        life.now = hours_later();
        let mut step = life.next(Outcome::TakenOver);
        while step != Step::Tell {
            assert_eq!(step, Step::Look);
            let rest = life.next(failed(Failure::NotSent));
            step = if rest == Step::Tell { rest } else { life.after_wait(&rest).1 };
        }
        let ten_minutes = SignedDuration::from_mins(10);
        assert!(life.now >= hours_later() + ten_minutes && life.now < hours_later() + LATE, "{}", life.now);
        assert_eq!(life.problem(), Some(&problem));
        assert_eq!(life.next(Outcome::Told), Step::End);
    }
    let (mut life, _) = taken_over(WEB_API, delivering(), hours_later());
    life.next(unfinished(None));
    life.next(Outcome::Minted("card"));
    let throttled = || post_failed(PostFailure::Throttled(Some(Duration::from_secs(9))));
    let rest = life.next(throttled());
    assert!(matches!(rest, Step::Wait(_)), "{rest:?}");
    // What is left is for telling them.
    life.now = hours_later() + SignedDuration::from_mins(10);
    assert_eq!(life.next(throttled()), Step::Tell);
    let rest = life.next(throttled());
    assert_eq!(life.after_wait(&rest).1, Step::Tell);
}

#[test]
fn who_else_is_in_the_channel_by_then_is_seen_again() {
    for (for_few, at, step) in [
        (true, hours_later(), Step::Company),
        (true, start() + WEB_API_DEADLINE, Step::Company),
        (true, start() + SignedDuration::from_mins(1), Step::Look),
        (false, hours_later(), Step::Look),
    ] {
        let mut life = Life::with(Terms { for_few, ..terms(WEB_API) }, Progress::of(delivering()));
        life.now = at;
        assert_eq!(life.next(Outcome::TakenOver), step, "{for_few} {at}");
        if step == Step::Company {
            assert_eq!(life.next(Outcome::Company(Company::Few)), Step::Look);
        }
    }
}

#[test]
fn a_response_url_is_dead_by_then_and_after_a_week_nobody_waits() {
    let stages = || telling().into_iter().map(|(stage, _)| stage).chain([delivering()]);
    let (day, second) = (SignedDuration::from_hours(24), SignedDuration::from_secs(1));
    for (web_api, at, ends) in [
        (RESPONSE_URL, hours_later(), true),
        (WEB_API, start() + day * 7 - second, false),
        (WEB_API, start() + day * 7, true),
    ] {
        for stage in stages() {
            let is_there = matches!(stage, Stage::Deliver { .. });
            let (life, step) = taken_over(web_api, stage, at);
            assert_eq!(step == Step::End, ends, "{step:?}");
            assert_eq!(life.stage() == "undeliverable", ends);
            assert_eq!(life.problem().is_none(), is_there, "of a link that is there, nothing was to be told");
        }
    }
}

#[test]
fn fivetran_is_blamed_only_for_what_is_known() {
    // Most of its time was over when it was taken up, and each look is answered.
    let late = start() + CREATE_DEADLINE - SignedDuration::from_secs(30);
    let (mut life, mut step) = taken_over(WEB_API, Stage::Create, late);
    while step == Step::Look {
        let rest = life.next(nothing());
        step = if rest == Step::Tell { rest } else { life.after_wait(&rest).1 };
    }
    assert_eq!((step, life.problem()), (Step::Tell, Some(&Problem::OutOfTime)));

    let (mut life, _) = taken_over(WEB_API, Stage::Create, late);
    let rest = life.next(failed(Failure::NotSent));
    life.after_wait(&rest);
    life.now = start() + CREATE_DEADLINE;
    let rest = life.next(nothing());
    assert_eq!(life.after_wait(&rest).1, Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::NoAnswer));
}

#[test]
fn they_are_told_as_soon_as_slack_is_well_and_given_up_when_it_stays_away() {
    for failure in [
        PostFailure::NotSent,
        PostFailure::Throttled(Some(Duration::from_secs(40))),
        PostFailure::Later { slack_says: "internal_error".to_owned(), pause: Duration::from_secs(5) },
        PostFailure::Unclear,
    ] {
        let (mut life, mut step) = taken_over(WEB_API, Stage::Create, hours_later());
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

        let (mut life, step) = taken_over(WEB_API, Stage::Create, hours_later());
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

/// As where the message that is to show the link can't be edited.
#[test]
fn what_was_put_off_to_the_end_is_told() {
    let mut life = Life::posting(WEB_API);
    life.now = start() + WEB_API_DEADLINE;
    let step = life.next(Outcome::Postponed);
    assert_eq!(life.after_wait(&step).1, Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::OutOfTime));
    assert_eq!(life.next(Outcome::Told), Step::End);
}
