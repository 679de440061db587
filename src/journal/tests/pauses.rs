//! How long a command rests.

use super::super::pause::CREATE_MARGIN;
use super::*;

#[test]
fn a_short_throttle_is_waited_out_and_a_long_one_is_told() {
    for (asked, waits) in [(0, true), (30, true), (60, true), (61, false), (u64::MAX, false)] {
        let mut life = Life::new(RESPONSE_URL);
        life.next(Outcome::Accepted);
        let step = life.next(failed(Failure::Throttled(Some(seconds(asked)))));
        if waits {
            let (pause, step) = life.after_wait(&step);
            assert_eq!(step, Step::Create);
            assert!(pause > seconds(asked) && pause <= seconds(asked + 1), "{pause:?}");
        } else {
            assert_eq!(step, Step::Tell);
            assert_eq!(life.problem(), Some(&Problem::RateLimited { retry_after_s: Some(asked) }));
        }
    }
    let mut life = Life::posting(RESPONSE_URL);
    let step = life.next(post_failed(PostFailure::Throttled(Some(Duration::MAX))));
    let (pause, step) = life.after_wait(&step);
    assert!(pause >= THROTTLE_LIMIT && pause <= THROTTLE_LIMIT + seconds(1), "{pause:?}");
    assert_eq!(step, Step::Look);
}

#[test]
fn whoever_was_asked_to_wait_to_the_end_is_told_that_and_no_silence() {
    for (sent_before, problem) in
        [(false, Problem::RateLimited { retry_after_s: None }), (true, Problem::NoAnswer)]
    {
        let mut life = Life::new(RESPONSE_URL);
        let mut step = life.next(Outcome::Accepted);
        if sent_before {
            step = life.next(failed(Failure::Unclear));
        }
        while step != Step::Tell {
            step = match step {
                Step::Wait(_) => life.after_wait(&step).1,
                _ => life.next(failed(Failure::Throttled(None))),
            };
        }
        assert_eq!(life.problem(), Some(&problem));
    }
}

#[test]
fn the_backoff_doubles_up_to_a_minute_within_its_jitter() {
    let mut life = Life::new(RESPONSE_URL);
    life.next(Outcome::Accepted);
    for tries in 0..12 {
        let whole = (BACKOFF.0 * (1 << tries)).min(BACKOFF.1);
        let step = life.next(failed(Failure::NotSent));
        let (pause, _) = life.after_wait(&step);
        assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
    }
}

#[test]
fn commands_do_not_wait_in_step() {
    let waits: std::collections::BTreeSet<_> = (0..100)
        .map(|spread| {
            let mut life = Life::with(Terms { spread, ..terms(RESPONSE_URL) }, Progress::default());
            life.next(Outcome::Accepted);
            format!("{:?}", life.next(failed(Failure::NotSent)))
        })
        .collect();
    assert!(waits.len() > 50, "{waits:?}");
}

#[test]
fn a_step_that_is_held_back_comes_again_and_is_no_failure() {
    let mut life = Life::new(RESPONSE_URL);
    life.next(Outcome::Accepted);
    let step = life.next(Outcome::Postponed);
    let (pause, step) = life.after_wait(&step);
    assert_eq!((pause, step), (seconds(1), Step::Create));
    assert!(!life.again);
    let step = life.next(failed(Failure::Unclear));
    assert!(life.again);
    life.after_wait(&step);
    let step = life.next(Outcome::Postponed);
    assert_eq!(life.after_wait(&step).1, Step::Look);
}

#[test]
fn a_message_that_is_held_up_keeps_its_card() {
    let held_up = [
        Outcome::Postponed,
        post_failed(PostFailure::NotSent),
        post_failed(PostFailure::Throttled(Some(seconds(1)))),
        post_failed(PostFailure::Unclear),
    ];
    for outcome in held_up {
        let mut life = Life::posting(WEB_API);
        for _ in 0..2 {
            let step = life.next(outcome.clone());
            // In case the customer has finished, or somebody has deleted it.
            assert_eq!(life.after_wait(&step).1, Step::Look);
            let ours = Found::Unfinished { connection: "ours".to_owned(), age: None };
            assert_eq!(life.next(Outcome::Found(ours)), Step::Post, "{outcome:?}");
        }
    }
}

#[test]
fn a_card_is_not_posted_for_another_connection_nor_after_a_quarter_of_an_hour() {
    let mut life = Life::posting(WEB_API);
    let step = life.next(Outcome::Postponed);
    assert_eq!(life.after_wait(&step).1, Step::Look);
    assert_eq!(life.next(unfinished(None)), Step::Mint, "it was made for another");

    let mut life = Life::posting(WEB_API);
    life.next(Outcome::Postponed);
    life.pass(Duration::try_from(CARD_KEPT).unwrap());
    assert_eq!(life.next(Outcome::Woken), Step::Look);
    let ours = Found::Unfinished { connection: "ours".to_owned(), age: None };
    assert_eq!(life.next(Outcome::Found(ours)), Step::Mint);
}

#[test]
fn a_step_may_wait_for_its_turn_until_nothing_is_made_any_more() {
    let made_until = after(start(), CREATE_DEADLINE - CREATE_MARGIN);
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    assert_eq!(life.journal.turn_limit(life.now), made_until);
    // Who has waited in vain until then is told so at once.
    life.now = made_until;
    let step = life.next(failed(Failure::NotSent));
    assert_eq!(step, Step::Wait(Duration::ZERO));
    assert_eq!(life.after_wait(&step).1, Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::NoAnswer));

    // What may have been made can be looked for until later.
    let mut life = Life::new(WEB_API);
    life.next(Outcome::TakenOver);
    assert_eq!(life.journal.turn_limit(life.now), after(start(), CREATE_DEADLINE));

    // A card that is wanted later than that may still stand in line for a moment.
    let life = Life::posting(WEB_API);
    let late = after(start(), SignedDuration::from_hours(1));
    assert_eq!(life.journal.turn_limit(late), after(late, SignedDuration::from_mins(1)));
    assert_eq!(life.journal.turn_limit(life.journal.deadline()), life.journal.deadline());
}

/// The published values of SplitMix64 for the seed 0.
#[test]
fn close_numbers_are_spread_as_splitmix64_does() {
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    let spread = [1, 2, 3].map(|n| mix(golden.wrapping_mul(n)));
    assert_eq!(spread, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
}

#[test]
fn no_commands_tries_wait_equally_long() {
    for spread in [0, 7, u64::MAX] {
        let pauses: std::collections::BTreeSet<_> = (10..20)
            .map(|tries| {
                let progress = Progress { tries, ..Progress::default() };
                let mut life = Life::with(Terms { spread, ..terms(WEB_API) }, progress);
                life.next(Outcome::Accepted);
                life.journal.backoff()
            })
            .collect();
        assert!(pauses.len() > 5, "{spread}: {pauses:?}");
    }
}
