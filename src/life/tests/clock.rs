//! What follows from the clock alone: when a link's time is over, when it is spoken of, and until when it is
//! watched.

use super::*;

fn passed(connection: &Connection, reminders: bool, now: i64) -> Change {
    next(connection, Event::Passed, reminders, at(now))
}

#[test]
fn a_link_is_watched_for_as_long_as_something_may_become_of_it() {
    for (state, until) in [
        (State::Waiting, Some(DAY + 7 * DAY)),
        (State::Expired, Some(DAY + 7 * DAY)),
        (State::Connected, Some(HOUR + 30 * DAY)),
        (State::Lapsed, Some(HOUR + 30 * DAY)),
        (State::Broken, Some(HOUR + 365 * DAY)),
        (State::Gone, Some(HOUR + 7 * DAY)),
        (State::Cancelled, None),
        (State::Replaced, None),
        (State::Unposted, None),
    ] {
        let mut link = in_state(state).link;
        link.changed_at = at(HOUR);
        assert_eq!(link.watch_until(), until.map(at), "{state:?}");
    }
}

#[test]
fn a_day_of_a_link_and_what_its_thread_hears_of_it() {
    let before = DAY - 4 * HOUR;
    let after = DAY + 2 * HOUR;
    let mut connection = posted();
    assert_eq!(connection.tick_at(true), Some(at(before)));
    for (now, state, news, tick) in [
        (0, State::Waiting, None, Some(before)),
        (before - 1, State::Waiting, None, Some(before)),
        (before, State::Waiting, Some(News::ReminderBefore), Some(DAY)),
        (before, State::Waiting, None, Some(DAY)),
        (DAY - 1, State::Waiting, None, Some(DAY)),
        (DAY, State::Expired, Some(News::Expired), Some(after)),
        (DAY, State::Expired, None, Some(after)),
        (after - 1, State::Expired, None, Some(after)),
        (after, State::Expired, Some(News::ReminderAfter), None),
        (after, State::Expired, None, None),
        (8 * DAY, State::Expired, None, None),
    ] {
        let change = passed(&connection, true, now);
        connection = change.connection;
        assert_eq!((connection.link.state, change.news), (state, news), "{now}");
        assert_eq!(change.show.len(), usize::from(news == Some(News::Expired)), "{now}");
        assert_eq!(connection.tick_at(true), tick.map(at), "{now}");
    }
}

#[test]
fn without_reminders_a_thread_hears_only_that_the_link_has_expired() {
    let mut connection = posted();
    assert_eq!(connection.tick_at(false), Some(at(DAY)));
    for (now, state, news, tick) in [
        (DAY - 1, State::Waiting, None, Some(DAY)),
        (DAY, State::Expired, Some(News::Expired), None),
        (DAY + 2 * HOUR, State::Expired, None, None),
    ] {
        let change = passed(&connection, false, now);
        connection = change.connection;
        assert_eq!((connection.link.state, change.news), (state, news), "{now}");
        assert_eq!(connection.tick_at(false), tick.map(at), "{now}");
    }
    assert_eq!(connection.link.reminded, Reminded::default());
}

#[test]
fn a_source_of_an_onboarding_is_never_reminded_of() {
    let mut connection = posted();
    connection.link.onboarding = Some("o".to_owned());
    for now in [DAY - 4 * HOUR, DAY - 1, DAY, DAY + 2 * HOUR] {
        assert_eq!(connection.tick_at(true), (now <= DAY).then(|| at(DAY)));
        let change = passed(&connection, true, now);
        assert_eq!((change.news, change.connection.link.reminded), (None, Reminded::default()), "{now}");
        connection = change.connection;
    }
    assert_eq!(connection.link.state, State::Expired);
}

#[test]
fn a_link_by_which_a_connection_was_to_be_authorised_again_lapses() {
    for (purpose, state, news) in [
        (Purpose::Reauthorise, State::Lapsed, News::Lapsed),
        (Purpose::Repair, State::Expired, News::Expired),
    ] {
        let connection = made_for(purpose);
        assert_eq!(passed(&connection, false, DAY - 1).news, None);
        let change = passed(&connection, false, DAY);
        assert_eq!((change.connection.link.state, change.news), (state, Some(news)));
    }
}

#[test]
fn nothing_follows_from_the_clock_for_what_does_not_wait() {
    for state in State::ALL.into_iter().filter(|&state| !matches!(state, State::Waiting | State::Expired)) {
        let connection = in_state(state);
        let change = passed(&connection, true, 400 * DAY);
        assert_eq!((change.connection, change.news, change.show.len()), (connection.clone(), None, 0));
        assert_eq!(connection.tick_at(true), None, "{state:?}");
    }
}
