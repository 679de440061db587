//! What differs by what is wanted, and whose memory of a command counts.

use super::*;

#[test]
fn a_cancellation_ends_in_what_came_of_it() {
    let cancelling = || {
        let stage = Stage::Cancel { connection: "ours".to_owned() };
        let terms = Terms { intent: Intent::Cancel, ..terms(WEB_API) };
        let mut life = Life::with(terms, Progress::of(stage));
        assert_eq!(life.next(Outcome::Accepted), Step::Cancel);
        life
    };
    for (outcome, notice) in [
        (Outcome::Cancelled, Notice::Cancelled),
        (Outcome::NotCancelled, Problem::NotCancelled.into()),
        (failed(Failure::Final(Problem::KeyRejected)), Problem::KeyRejected.into()),
    ] {
        let mut life = cancelling();
        assert_eq!(life.next(outcome), Step::Tell);
        assert_eq!(life.journal.progress.stage.notice(), Some(&notice));
        assert_eq!(life.next(Outcome::Told), Step::End);
        assert_eq!((life.stage(), life.connection()), ("told", Some("ours")));
    }
    for failure in [Failure::Unclear, Failure::NotSent, Failure::Throttled(None)] {
        let mut life = cancelling();
        let step = life.next(failed(failure));
        assert_eq!(life.after_wait(&step).1, Step::Cancel);
    }
}

#[test]
fn a_sync_ends_in_what_fivetran_made_of_it() {
    let syncing = || {
        let stage = Stage::Sync { connection: "ours".to_owned() };
        let terms = Terms { intent: Intent::Sync, ..terms(WEB_API) };
        let mut life = Life::with(terms, Progress::of(stage));
        assert_eq!(life.next(Outcome::Accepted), Step::Sync);
        life
    };
    for (outcome, notice) in [
        (Outcome::SyncBegun, Notice::SyncBegun),
        (Outcome::SyncRunning, Notice::SyncRunning),
        (Outcome::Vanished, Problem::Gone.into()),
        (failed(Failure::Final(Problem::Paused)), Problem::Paused.into()),
    ] {
        let mut life = syncing();
        assert_eq!(life.next(outcome), Step::Tell);
        assert_eq!(life.journal.progress.stage.notice(), Some(&notice));
        assert_eq!(life.next(Outcome::Told), Step::End);
        assert_eq!((life.stage(), life.connection()), ("told", Some("ours")));
    }
    for failure in [Failure::Unclear, Failure::NotSent, Failure::Throttled(None)] {
        let mut life = syncing();
        let step = life.next(failed(failure));
        assert_eq!(life.after_wait(&step).1, Step::Sync);
    }
}

#[test]
fn a_renewal_is_for_its_own_connection_and_no_other() {
    let renewing = || {
        let stage = Stage::Deliver { connection: "ours".to_owned(), existed: true };
        let terms = Terms { intent: Intent::Renew, ..terms(WEB_API) };
        let mut life = Life::with(terms, Progress::of(stage));
        assert_eq!(life.next(Outcome::Accepted), Step::Look);
        life
    };
    let found = |connection: &str, broken| {
        Outcome::Found(Found::Finished { connection: connection.to_owned(), origin: None, broken })
    };
    let unfinished =
        |connection: &str| Outcome::Found(Found::Unfinished { connection: connection.to_owned(), age: None });
    for (outcome, step, problem) in [
        (unfinished("ours"), Step::Mint, None),
        (unfinished("another"), Step::Tell, Some(Problem::Gone)),
        (found("ours", true), Step::Mint, None),
        (found("ours", false), Step::Tell, Some(Problem::AlreadyConnected { origin: None })),
        (found("another", true), Step::Tell, Some(Problem::Gone)),
        // What no list shows may have been made a moment ago.
        (nothing(), Step::Mint, None),
        (Outcome::Vanished, Step::Tell, Some(Problem::Gone)),
    ] {
        let mut life = renewing();
        assert_eq!(life.next(outcome.clone()), step, "{outcome:?}");
        assert_eq!(life.problem(), problem.as_ref(), "{outcome:?}");
    }
}

/// What this process knows of a command is used only if nobody else has had it.
#[test]
fn a_command_is_gone_on_with_only_if_it_was_in_no_other_hands() {
    let rested = || {
        let mut life = Life::new(RESPONSE_URL);
        life.next(Outcome::Accepted);
        assert!(matches!(life.next(failed(Failure::Unclear)), Step::Wait(_)));
        life.journal
    };
    let progress = Progress::default;
    for (fence, expected) in [(1, "Accepted"), (7, "TakenOver"), (8, "Woken"), (9, "TakenOver")] {
        let mut resting = Resting::default();
        resting.put_down("a", 7, rested(), start());
        let (_, outcome) = resting.take_up("a", fence, terms(RESPONSE_URL), progress());
        assert_eq!(format!("{outcome:?}"), expected, "{fence}");
        // It is taken up once.
        let (_, outcome) = resting.take_up("a", 8, terms(RESPONSE_URL), progress());
        assert_eq!(format!("{outcome:?}"), "TakenOver");
    }
    let mut resting = Resting::default();
    for id in ["a", "b", "c"] {
        resting.put_down(id, 7, rested(), start());
    }
    assert_eq!(resting.until_after(start()), 0, "their rest is over");
    assert_eq!(resting.until_after(start() - SignedDuration::from_secs(1)), 3);
    resting.forget("a");
    let outcome = |resting: &mut Resting<_>, id| {
        format!("{:?}", resting.take_up(id, 8, terms(RESPONSE_URL), progress()).1)
    };
    assert_eq!(outcome(&mut resting, "a"), "TakenOver");
    resting.forget_old(start() + RESPONSE_URL_DEADLINE + LATE - SignedDuration::from_secs(1));
    assert_eq!(outcome(&mut resting, "b"), "Woken");
    resting.forget_old(start() + RESPONSE_URL_DEADLINE + LATE);
    assert_eq!(outcome(&mut resting, "c"), "TakenOver");
}

/// A link that was held up is not posted once its customer has finished by one that did arrive.
#[test]
fn a_link_is_not_posted_again_for_a_connection_that_was_finished_meanwhile() {
    let finished =
        || Outcome::Found(Found::Finished { connection: "ours".to_owned(), origin: None, broken: false });
    let mut life = Life::posting(WEB_API);
    let step = life.next(post_failed(PostFailure::Unclear));
    assert_eq!(life.after_wait(&step).1, Step::Look);
    assert_eq!(life.next(finished()), Step::Tell);
    let progress = Progress::of(Stage::Deliver { connection: "ours".to_owned(), existed: false });
    let mut life = Life::at(WEB_API, progress);
    assert_eq!(life.next(Outcome::TakenOver), Step::Look);
    assert_eq!(life.next(finished()), Step::Tell);
}
