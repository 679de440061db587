//! A connection that is not there any more, and one that a list only does not show.

use super::*;

#[test]
fn a_connection_that_vanishes_is_made_anew_twice() {
    let mut life = Life::new(RESPONSE_URL);
    let mut step = life.next(Outcome::Accepted);
    for _ in 0..VANISH_LIMIT {
        assert_eq!(step, Step::Create);
        life.next(Outcome::Created { connection: "ours".to_owned(), card: None });
        step = life.next(Outcome::Vanished);
        assert_eq!((life.stage(), life.connection()), ("create", None));
    }
    assert_eq!(step, Step::Create);
    life.next(Outcome::Created { connection: "ours".to_owned(), card: None });
    assert_eq!(life.next(Outcome::Vanished), Step::Tell);
    assert_eq!(life.problem(), Some(&Problem::NoAnswer));
}

/// Fivetran's lists can lag behind what was just made; a card that cannot be made by its id is proof.
#[test]
fn what_a_list_does_not_show_is_not_made_anew() {
    let mut life = Life::new(WEB_API);
    life.next(Outcome::Accepted);
    let mut step = life.next(created());
    for _ in 0..3 {
        assert_eq!(step, Step::Post);
        let pause = life.next(post_failed(PostFailure::NotSent));
        assert_eq!(life.after_wait(&pause).1, Step::Look);
        // Not the card at hand: if the connection is gone, so is its page.
        assert_eq!(life.next(nothing()), Step::Mint);
        assert_eq!((life.stage(), life.connection()), ("deliver", Some("ours")));
        step = life.next(Outcome::Minted("fresh"));
    }
    let pause = life.next(post_failed(PostFailure::NotSent));
    life.after_wait(&pause);
    life.next(nothing());
    assert_eq!(life.next(Outcome::Vanished), Step::Create);
}

#[test]
fn what_a_link_is_for_is_kept_while_a_list_shows_nothing() {
    let stage = Stage::Deliver { connection: "ours".to_owned(), existed: true };
    let terms = Terms { intent: Intent::Renew, ..terms(WEB_API) };
    let mut life = Life::with(terms, Progress::of(stage));
    life.next(Outcome::Accepted);
    let broken = Found::Finished { connection: "ours".to_owned(), origin: None, broken: true };
    life.next(Outcome::Found(broken));
    life.next(Outcome::Minted("card"));
    let pause = life.next(post_failed(PostFailure::NotSent));
    life.after_wait(&pause);
    life.next(nothing());
    assert_eq!(life.next(Outcome::Minted("fresh")), Step::Post);
    assert_eq!(life.journal.purpose, Some(Purpose::Repair));
}
