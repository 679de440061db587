//! When Fivetran is asked about one connection, and when its answer that there is none is believed.

use super::*;

/// The moment of each look that follows, while nothing is seen by any.
fn looks(mut connection: Connection) -> Vec<i64> {
    let mut looks = Vec::new();
    while let Some(look_at) = connection.look_at
        && looks.len() < 20
    {
        looks.push(look_at.as_second());
        connection = next(&connection, Event::NotSeen, false, look_at).connection;
    }
    looks
}

fn landed(connection: &Connection, now: i64) -> Connection {
    next(connection, Event::Landed, false, at(now)).connection
}

#[test]
fn after_a_customers_return_fivetran_is_asked_for_five_minutes_ever_less_often() {
    let connection = landed(&posted(), 10);
    assert_eq!(connection.link.landed_at, Some(at(10)));
    let expected = [11, 12, 14, 18, 26, 41, 71, 101, 131, 161, 191, 221, 251, 281, 311];
    assert_eq!(looks(connection), expected);
}

#[test]
fn what_was_seen_before_a_return_does_not_answer_it() {
    let mut connection = made_for(Purpose::Reauthorise);
    connection = next(&connection, seen(SetupState::Connected, ""), false, at(5)).connection;
    assert_eq!((connection.link.state, connection.seen.as_deref()), (State::Waiting, Some("connected")));
    connection = landed(&connection, 10);
    assert_eq!(connection.seen, None, "the next list is thought about");
    connection = next(&connection, Event::NotSeen, false, at(400)).connection;
    connection = next(&connection, seen(SetupState::Connected, ""), false, at(500)).connection;
    assert_eq!(connection.link.state, State::Connected);
    // Whoever loads the page again says nothing new.
    let mut again = next(&landed(&posted(), 10), seen(SetupState::Incomplete, ""), false, at(11)).connection;
    again = landed(&again, 20);
    assert_eq!(again.seen.as_deref(), Some("incomplete"));
}

#[test]
fn a_look_without_an_answer_says_nothing_of_what_time_has_brought() {
    let unseen = next(&landed(&posted(), DAY - 1), Event::NotSeen, true, at(DAY));
    assert_eq!((unseen.connection.link.state, unseen.news, unseen.show.len()), (State::Waiting, None, 0));
    assert_eq!(unseen.connection.look_at, Some(at(DAY + 1)));
}

/// Nobody could be asked while it worked.
#[test]
fn whoever_signed_in_again_before_the_link_expired_is_believed_afterwards() {
    for (back, becomes) in [(DAY - 60, State::Connected), (DAY, State::Lapsed), (DAY + 60, State::Lapsed)] {
        let mut connection = next(&made_for(Purpose::Reauthorise), Event::Passed, false, at(DAY)).connection;
        connection.link.landed_at = Some(at(back));
        assert_eq!((connection.link.state, connection.seen.as_deref()), (State::Lapsed, None));
        // They load the page once more.
        connection = landed(&connection, DAY + 600);
        let change = next(&connection, seen(SetupState::Connected, ""), false, at(DAY + 601));
        let news = (becomes == State::Connected).then_some(News::Connected { first_sync: false });
        assert_eq!((change.connection.link.state, change.news), (becomes, news), "{back}");
    }
}

#[test]
fn a_return_may_be_confirmed_for_five_minutes() {
    let link = landed(&posted(), 10).link;
    for (now, may_be) in [(9, false), (10, true), (11, true), (309, true), (310, false)] {
        assert_eq!(link.may_be_confirmed(at(now)), may_be, "{now}");
    }
    assert!(!posted().link.may_be_confirmed(at(0)));
}

#[test]
fn whoever_loads_the_page_again_does_not_begin_the_looks_anew() {
    let mut connection = landed(&posted(), 10);
    for now in [11, 12, 14, 18, 26] {
        connection = next(&connection, Event::NotSeen, false, at(now)).connection;
    }
    assert_eq!(connection.look_at, Some(at(41)));
    let again = landed(&connection, 30);
    assert_eq!((again.link.landed_at, again.looks, again.look_at), (Some(at(10)), 5, Some(at(31))));
    assert_eq!(landed(&again, 30).look_at, Some(at(31)), "what is sooner stays");
    assert_eq!(looks(again).get(..2), Some([31, 61].as_slice()));
    let later = landed(&connection, 310);
    assert_eq!((later.link.landed_at, later.looks, later.look_at), (Some(at(310)), 0, Some(at(311))));
}

#[test]
fn a_customers_return_is_looked_at_only_while_something_is_left_to_do() {
    for state in State::ALL {
        let connection = next(&landed(&in_state(state), 10), Event::NotSeen, false, at(11)).connection;
        assert_eq!(connection.look_at.is_some(), state.is_open(), "{state:?}");
    }
    let finished = next(&landed(&posted(), 10), seen(SetupState::Connected, ""), false, at(11));
    assert_eq!(finished.connection.look_at, None);
}

#[test]
fn whoever_asks_is_answered_by_one_look_as_long_as_the_link_is_watched() {
    let asked =
        |connection: &Connection, now| next(connection, Event::Asked, false, at(now)).connection.look_at;
    let connection = posted();
    assert_eq!(asked(&connection, 5), Some(at(5)));
    assert_eq!(asked(&connection, 8 * DAY - 1), Some(at(8 * DAY - 1)));
    assert_eq!(asked(&connection, 8 * DAY), None);
    let mut planned = connection;
    planned.look_at = Some(at(7));
    assert_eq!((asked(&planned, 6), asked(&planned, 9)), (Some(at(6)), Some(at(7))));
}

fn missing(connection: &Connection, others: u64, now: i64) -> Change {
    next(connection, Event::Seen(Seen::Missing { others, asked_at: at(now) }), false, at(now))
}

#[test]
fn a_connection_is_gone_by_two_answers_two_minutes_apart_and_never_one_of_many() {
    for state in [State::Waiting, State::Connected, State::Expired, State::Lapsed, State::Broken] {
        let first = missing(&in_state(state), 0, 10);
        assert_eq!((first.connection.link.state, first.news), (state, None));
        assert_eq!(first.connection.look_at, Some(at(190)), "it is asked about again");
        for (others, now, gone) in [
            (0, 11, false),
            (0, 129, false),
            (0, 130, true),
            (3, 130, true),
            (4, 130, false),
            (u64::MAX, 1000, false),
        ] {
            let second = missing(&first.connection, others, now);
            let expected = if gone { (State::Gone, Some(News::Gone)) } else { (state, None) };
            assert_eq!((second.connection.link.state, second.news), expected, "{others} {now}");
            let (since, look_at) = if gone { (None, None) } else { (Some(at(10)), Some(at(now + 180))) };
            assert_eq!((second.connection.missing_since, second.connection.look_at), (since, look_at));
        }
        let there = next(&first.connection, seen(SetupState::Connected, ""), false, at(60)).connection;
        assert_eq!(missing(&there, 0, 130).news, None, "it was seen in between");
        // The clock was set back: what it said before counts no more.
        let back = missing(&first.connection, 0, 5);
        assert_eq!((back.news, back.connection.missing_since), (None, Some(at(5))));
    }
}

/// As of a process that stands still between an answer and what it makes of it.
#[test]
fn an_answer_that_has_waited_tells_of_when_it_was_asked_for() {
    let first = missing(&in_state(State::Connected), 0, 10).connection;
    let waited = Seen::Missing { others: 0, asked_at: at(129) };
    let second = next(&first, Event::Seen(waited), false, at(1000));
    assert_eq!((second.news, second.connection.look_at), (None, Some(at(1180))));
    let asked_late = Seen::Missing { others: 0, asked_at: at(130) };
    assert_eq!(next(&first, Event::Seen(asked_late), false, at(1000)).news, Some(News::Gone));
}

#[test]
fn one_that_is_gone_already_is_not_told_again_nor_asked_about() {
    let mut gone = in_state(State::Gone);
    gone.look_at = Some(at(10));
    let change = missing(&gone, 0, 10);
    assert_eq!((change.news, change.show.len(), change.connection.look_at), (None, 0, None));
    assert_eq!(change.connection.missing_since, None);
}

#[test]
fn an_absence_is_asked_about_again_though_a_look_was_not_answered() {
    let first = missing(&in_state(State::Connected), 0, 10).connection;
    let unseen = next(&first, Event::NotSeen, false, at(190)).connection;
    assert_eq!((unseen.look_at, unseen.missing_since), (Some(at(370)), Some(at(10))));
    // A look that is due sooner stays.
    let sooner = next(&landed(&missing(&posted(), 0, 10).connection, 20), Event::NotSeen, false, at(21));
    assert_eq!(sooner.connection.look_at, Some(at(22)));
    assert_eq!(next(&in_state(State::Connected), Event::NotSeen, false, at(190)).connection.look_at, None);
}

/// What was seen is kept in short, and what looks the same needs no second thought.
#[test]
fn what_differs_in_what_is_shown_looks_different_in_short() {
    let seen = |setup_state, details: &str| {
        let task = Task { code: OURS.to_owned(), message: "Label".to_owned(), details: details.to_owned() };
        Seen::of(&Status { setup_state, tasks: vec![task], ..Status::default() }, None).digest()
    };
    use SetupState::{Broken, Connected, Incomplete, Unknown};
    for (setup_state, in_short) in [(Incomplete, "incomplete"), (Connected, "connected")] {
        assert_eq!(seen(setup_state, "one"), in_short, "what it says then is shown nowhere");
    }
    let missing = |others, now| Seen::Missing { others, asked_at: at(now) }.digest();
    assert_eq!(missing(0, 1), missing(7, 2));
    assert!(seen(Broken, "one").starts_with("broken ") && seen(Unknown, "one").starts_with("unknown "));
    let digests: std::collections::BTreeSet<_> = (0..2000).map(|n| seen(Broken, &n.to_string())).collect();
    assert_eq!(digests.len(), 2000);
    assert_eq!(seen(Broken, "one"), seen(Broken, "one"));
}
