//! The rules of a link, each as a table of all its moments and states.

mod asked;
mod clock;
mod looks;

use super::intend::tests::{asked, becomes, intended};
use super::*;
use crate::fivetran::model::{SetupState, Status, Task};
use crate::fivetran::tasks::Cause;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// So many seconds after the link was posted.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A connection whose link was posted at 0 and works for a day.
fn posted() -> Connection {
    let mut connection = None;
    asked(|ask| connection = Some(becomes(&intended(None, &ask), Event::Posted)));
    connection.unwrap()
}

fn in_state(state: State) -> Connection {
    let mut connection = posted();
    connection.link.state = state;
    connection
}

fn made_for(purpose: Purpose) -> Connection {
    let mut connection = posted();
    connection.link.purpose = Some(purpose);
    connection
}

/// What Fivetran shows; by these tasks a broken one is the customer's to mend, or is not.
fn seen(setup_state: SetupState, code: &str) -> Event {
    let task = Task { code: code.to_owned(), message: "Label".to_owned(), details: String::new() };
    Event::Seen(Seen::of(&Status { setup_state, tasks: vec![task], ..Status::default() }, None))
}

const THE_CUSTOMERS: &str = "reconnect";
const OURS: &str = "reconnect_warehouse";

#[test]
fn each_state_has_a_name_of_its_own_and_its_place_in_a_list() {
    for (urgency, (state, name, is_open, is_over)) in [
        (State::Broken, "broken", true, false),
        (State::Expired, "expired", true, false),
        (State::Waiting, "waiting", true, false),
        (State::Connected, "connected", false, false),
        (State::Lapsed, "lapsed", true, false),
        (State::Gone, "gone", false, true),
        (State::Cancelled, "cancelled", false, true),
        (State::Replaced, "replaced", false, true),
        (State::Unposted, "unposted", false, true),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!((state.name(), State::named(name)), (name, Some(state)));
        assert_eq!(
            (state.urgency(), state.is_open(), state.is_over()),
            (urgency, is_open, is_over),
            "{name}"
        );
    }
    for (purpose, name) in [(Purpose::Repair, "broken"), (Purpose::Reauthorise, "connected")] {
        assert_eq!((purpose.name(), Purpose::named(name)), (name, Some(purpose)));
    }
    assert_eq!((State::named("of tomorrow"), Purpose::named("of tomorrow")), (None, None));
}

#[test]
fn a_list_has_the_most_urgent_first_then_what_ends_first_then_by_name() {
    let link = |state, expires_at, schema: &str, group: &str| {
        let mut link = in_state(state).link;
        link.expires_at = expires_at;
        link.request.target = crate::fivetran::schema::Target::parse(schema).unwrap();
        link.request.group_id = group.to_owned();
        link
    };
    let now = at(2 * HOUR);
    let in_order = [
        link(State::Broken, at(DAY), "b", "g"),
        // Its time is over, though nobody has looked since.
        link(State::Waiting, at(2 * HOUR), "b", "g"),
        link(State::Waiting, at(2 * HOUR + 1), "z", "g"),
        link(State::Waiting, at(DAY), "a", "h"),
        link(State::Waiting, at(DAY), "b", "g"),
        link(State::Waiting, at(DAY), "b", "h"),
        link(State::Connected, at(HOUR), "a", "g"),
    ];
    let ranks: Vec<_> = in_order.iter().map(|link| link.clone().as_of(now).rank()).collect();
    assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
    for (link, rank) in in_order.into_iter().zip(ranks) {
        let Link { state, purpose, expires_at, onboarding, ref request, .. } = link;
        let in_short = InShort { key: request.key(), onboarding, state, purpose, expires_at };
        assert_eq!(in_short.rank(now), rank);
    }
}

#[test]
fn who_can_do_something_about_a_link() {
    for state in State::ALL {
        for (purpose, works) in
            [(None, false), (Some(Purpose::Repair), false), (Some(Purpose::Reauthorise), true)]
        {
            let mut link = in_state(state).link;
            link.purpose = purpose;
            assert_eq!(
                link.is_only_to_reauthorise(),
                works && state == State::Waiting,
                "{state:?} {purpose:?}"
            );
        }
        for (cause, customers) in [(None, true), (Some(Cause::Access), true), (Some(Cause::Sync), false)] {
            let mut link = in_state(state).link;
            link.trouble = cause.map(|cause| Trouble { cause, ..Trouble::default() });
            assert_eq!(link.asks_customer(), customers && state == State::Broken, "{state:?} {cause:?}");
        }
    }
}

/// What follows from each state by what is seen, and what is told.
#[test]
fn what_a_look_means_depends_on_how_the_link_stood() {
    use SetupState::{Broken, Connected, Incomplete, Unknown};
    let finished = Some(News::Connected { first_sync: false });
    let broken = (State::Broken, Some(News::Broken));
    for (before, incomplete, connected, is_broken, unknown) in [
        (
            State::Waiting,
            (State::Waiting, None),
            (State::Connected, finished),
            broken,
            (State::Waiting, None),
        ),
        (
            State::Expired,
            (State::Expired, None),
            (State::Connected, finished),
            broken,
            (State::Expired, None),
        ),
        (State::Connected, broken, (State::Connected, None), broken, (State::Connected, None)),
        (State::Lapsed, broken, (State::Lapsed, None), broken, (State::Lapsed, None)),
        // It is back, and its link is not.
        (
            State::Gone,
            (State::Expired, None),
            (State::Connected, Some(News::Fixed)),
            broken,
            (State::Gone, None),
        ),
        (
            State::Broken,
            (State::Broken, None),
            (State::Connected, Some(News::Fixed)),
            (State::Broken, None),
            (State::Broken, None),
        ),
    ] {
        for (setup, follows) in
            [(Incomplete, incomplete), (Connected, connected), (Broken, is_broken), (Unknown, unknown)]
        {
            let now = at(HOUR);
            let mut connection = in_state(before);
            connection.look_at = Some(now);
            connection.missing_since = Some(at(0));
            let change = next(&connection, seen(setup, THE_CUSTOMERS), false, now);
            let after = change.connection.link.state;
            assert_eq!((after, change.news), follows, "{before:?} {setup:?}");
            assert_eq!(change.connection.look_at, None, "{before:?} {setup:?}");
            if after != before {
                assert_eq!((change.show.len(), change.connection.link.changed_at), (1, now));
                assert_eq!(change.connection.link.trouble.is_some(), after == State::Broken);
            }
            assert_eq!(change.connection.missing_since, None, "{before:?} {setup:?}");
        }
    }
    let back = next(&in_state(State::Gone), seen(Incomplete, ""), false, at(HOUR)).connection.link;
    assert_eq!(back.expires_at, at(HOUR), "its link does not work any more");
}

#[test]
fn nothing_becomes_of_a_link_that_is_not_there_whatever_is_seen() {
    use SetupState::{Broken, Connected, Incomplete, Unknown};
    for state in [State::Cancelled, State::Replaced, State::Unposted] {
        let mut connection = in_state(state);
        connection.look_at = Some(at(HOUR));
        for event in [Incomplete, Connected, Broken, Unknown].map(|setup| seen(setup, THE_CUSTOMERS)) {
            let change = next(&connection, event, true, at(HOUR));
            assert_eq!((change.connection.link, change.news), (connection.link.clone(), None));
            assert_eq!((change.connection.look_at, change.show.len()), (None, 0), "{state:?}");
        }
    }
}

#[test]
fn only_the_connection_that_was_cancelled_is_shown_as_such() {
    let mut connection = in_state(State::Waiting);
    connection.posting =
        Some(Posting { command: "c".to_owned(), unclear: true, in_place: true, before: None });
    let other = next(&connection, Event::Cancelled("another".to_owned()), false, at(HOUR));
    assert_eq!((other.connection, other.show.len()), (connection.clone(), 0));
    let id = connection.link.connection_id.clone();
    let change = next(&connection, Event::Cancelled(id), false, at(HOUR));
    assert_eq!((change.connection.link.state, change.connection.posting), (State::Cancelled, None));
    assert_eq!(change.show, [connection.link.message_id]);
}

#[test]
fn a_customer_who_was_never_told_of_a_trouble_is_not_told_that_it_is_over() {
    use SetupState::{Broken, Connected};
    for (code, over) in [(THE_CUSTOMERS, News::Fixed), (OURS, News::Recovered)] {
        let troubled = next(&in_state(State::Connected), seen(Broken, code), false, at(1));
        assert_eq!(troubled.news, Some(News::Broken));
        assert_eq!(troubled.connection.link.asks_customer(), code == THE_CUSTOMERS);
        let works = next(&troubled.connection, seen(Connected, ""), false, at(2));
        assert_eq!(works.news, Some(over));
    }
}

#[test]
fn what_is_wrong_may_become_the_customers_turn_and_end_to_be_it() {
    use SetupState::Broken;
    let broken = |code| next(&in_state(State::Connected), seen(Broken, code), false, at(1)).connection;
    for (before, after, shown, news) in [
        (OURS, OURS, false, false),
        (OURS, "sync_warning", false, true),
        (OURS, THE_CUSTOMERS, true, true),
        (THE_CUSTOMERS, THE_CUSTOMERS, false, false),
        (THE_CUSTOMERS, OURS, true, true),
    ] {
        let change = next(&broken(before), seen(Broken, after), false, at(2));
        assert_eq!((!change.show.is_empty(), change.news.is_some()), (shown, news), "{before} {after}");
        assert_eq!(change.connection.link.changed_at, at(1), "it has been broken since then");
    }
    // Fivetran's words are part of the message that asks the customer.
    let mut known = broken(THE_CUSTOMERS);
    known.link.detail = Some("Other words.".to_owned());
    let change = next(&known, seen(Broken, THE_CUSTOMERS), false, at(2));
    assert_eq!((change.show.len(), change.news), (1, None));
}

/// Of a connection that works, or is broken, while a link waits to change just that.
#[test]
fn a_link_for_a_connection_that_was_set_up_is_used_only_by_its_customers_return() {
    use Purpose::{Reauthorise, Repair};
    use SetupState::{Broken, Connected, Incomplete, Unknown};
    let finished = Some(News::Connected { first_sync: false });
    for (purpose, landed, setup, early, late, purpose_after) in [
        (
            Reauthorise,
            false,
            Connected,
            (State::Waiting, None),
            (State::Lapsed, Some(News::Lapsed)),
            Some(Reauthorise),
        ),
        (Reauthorise, true, Connected, (State::Connected, finished), (State::Connected, finished), None),
        (
            Reauthorise,
            false,
            Broken,
            (State::Waiting, None),
            (State::Broken, Some(News::Broken)),
            Some(Repair),
        ),
        (Reauthorise, false, Incomplete, (State::Waiting, None), (State::Expired, Some(News::Expired)), None),
        (
            Reauthorise,
            false,
            Unknown,
            (State::Waiting, None),
            (State::Lapsed, Some(News::Lapsed)),
            Some(Reauthorise),
        ),
        (Repair, false, Broken, (State::Waiting, None), (State::Broken, Some(News::Broken)), Some(Repair)),
        (Repair, true, Broken, (State::Waiting, None), (State::Broken, Some(News::Broken)), Some(Repair)),
        (Repair, false, Connected, (State::Connected, finished), (State::Connected, finished), None),
        (
            Repair,
            false,
            Incomplete,
            (State::Waiting, None),
            (State::Expired, Some(News::Expired)),
            Some(Repair),
        ),
    ] {
        for (now, follows) in [(DAY - 1, early), (DAY, late)] {
            let mut connection = made_for(purpose);
            connection.link.landed_at = landed.then(|| at(HOUR));
            let change = next(&connection, seen(setup, THE_CUSTOMERS), false, at(now));
            let link = &change.connection.link;
            assert_eq!((link.state, change.news), follows, "{purpose:?} {landed} {setup:?} {now}");
            if link.state == State::Waiting {
                assert_eq!(link.purpose, purpose_after, "{purpose:?} {landed} {setup:?} {now}");
            }
        }
    }
}
