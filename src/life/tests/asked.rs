//! What may be asked for, by how the link before it stands; and what of it is still told.

use super::*;
use crate::life::adopt::{Foundling, adopt, let_go};
use crate::work::Intent;

fn shown(state: State) -> Connection {
    let mut connection = in_state(state);
    connection.link.message = Some(Place { channel: "C".to_owned(), ts: "1".to_owned() });
    connection
}

/// A link is renewed only where it is still the one that its button speaks of, and of a connection that is there.
#[test]
fn a_button_renews_its_own_link_and_no_other() {
    let elsewhere = || Refusal::Elsewhere { channel_id: "C".to_owned(), user_id: Some("U".to_owned()) };
    asked(|ask| {
        for state in State::ALL {
            let over = matches!(state, State::Cancelled | State::Gone);
            for (renews, channel_id, refusal) in [
                ("c", "C", over.then_some(Refusal::Over)),
                ("c", "D", over.then_some(Refusal::Over)),
                ("another", "C", Some(Refusal::Superseded)),
                ("another", "D", Some(elsewhere())),
            ] {
                let ask = Ask { intent: Intent::Renew, renews: Some(renews), channel_id, ..ask };
                let judged = intend(Some(&shown(state)), false, &ask, at(HOUR));
                let refused = match judged {
                    Intention::Refused(refusal) => Some(refusal),
                    Intention::Post(_) => None,
                    other => panic!("{other:?}"),
                };
                assert_eq!(refused, refusal, "{state:?} {renews} {channel_id}");
            }
        }
    });
}

/// The message before another one has to show that it is over; where it is renewed in its place, there is no other.
#[test]
fn a_message_that_is_left_behind_says_so_once() {
    asked(|ask| {
        for (renews, state, shows) in [
            (None, State::Expired, true),
            (None, State::Replaced, false),
            (Some("c"), State::Expired, false),
            (Some("c"), State::Replaced, false),
        ] {
            let before = shown(state);
            let ask = Ask { renews, intent: Intent::Reauthorise, ..ask };
            let Intention::Post(post) = intend(Some(&before), false, &ask, at(HOUR)) else { panic!() };
            assert_eq!(post.change.show.contains(&before.link.message_id), shows, "{renews:?} {state:?}");
        }
    });
}

/// A source's time begins anew for whoever asks for its link when less than a week of it is left.
#[test]
fn a_source_that_is_asked_for_late_is_looked_after_for_long_enough() {
    let (now, month) = (at(0), at(30 * DAY));
    for (state, left, offered) in [
        (State::Waiting, 7 * DAY, None),
        (State::Waiting, 7 * DAY - 1, Some(State::Waiting)),
        (State::Waiting, 1, Some(State::Waiting)),
        (State::Waiting, 0, Some(State::Waiting)),
        (State::Expired, 0, Some(State::Waiting)),
        (State::Expired, 30 * DAY, Some(State::Waiting)),
        (State::Connected, 0, None),
        (State::Broken, 0, None),
        (State::Cancelled, 0, None),
    ] {
        let mut connection = in_state(state);
        connection.link.expires_at = at(left);
        assert_eq!(offer(&connection, now), None, "it is no source of an onboarding");
        connection.link.onboarding = Some("o".to_owned());
        let change = offer(&connection, now);
        let found = change.as_ref().map(|change| change.connection.link.state);
        assert_eq!(found, offered, "{state:?} {left}");
        if let Some(change) = change {
            assert_eq!(change.connection.link.expires_at, month);
            assert_eq!(
                change.show.len(),
                usize::from(state == State::Expired),
                "its line says that it waits"
            );
        }
    }
}

/// Only what was let go itself comes back under its reference: its message may stand somewhere.
#[test]
fn what_is_found_again_has_its_reference_only_if_it_is_the_same() {
    asked(|ask| {
        let seen = |setup_state| {
            let task = Task { code: THE_CUSTOMERS.to_owned(), ..Task::default() };
            Seen::of(&Status { setup_state, tasks: vec![task], ..Status::default() }, None)
        };
        let broken = seen(SetupState::Broken);
        let found = |reference| Foundling {
            reference,
            connection_id: "found",
            team_id: "T",
            channel_id: "C",
            request: ask.request,
        };
        let first = adopt(None, found("first"), &broken, at(0)).unwrap().connection;
        let gone = || let_go(&first, at(1)).unwrap().connection;
        let reference = |before: &Connection, found| {
            adopt(Some(before), found, &broken, at(2)).map(|change| change.connection.link.id)
        };
        let mut requested = gone();
        requested.link.requester = Some("U".to_owned());
        let mut cancelled = gone();
        cancelled.link.state = State::Cancelled;
        for (before, connection_id, channel_id, expected) in [
            (gone(), "found", "C", "first"),
            (gone(), "other", "C", "second"),
            (gone(), "found", "D", "second"),
            (requested, "found", "C", "second"),
            (cancelled, "found", "C", "second"),
        ] {
            let found = Foundling { connection_id, channel_id, ..found("second") };
            assert_eq!(reference(&before, found).as_deref(), Some(expected), "{connection_id} {channel_id}");
        }
    });
}

/// What has been overtaken before it was told is told no more.
#[test]
fn news_hold_as_long_as_the_link_stands_so() {
    let connected = News::Connected { first_sync: true };
    for (news, holds) in [
        (connected, State::Connected),
        (News::Fixed, State::Connected),
        (News::Recovered, State::Connected),
        (News::Expired, State::Expired),
        (News::ReminderAfter, State::Expired),
        (News::Lapsed, State::Lapsed),
        (News::Broken, State::Broken),
        (News::Gone, State::Gone),
        (News::ReminderBefore, State::Waiting),
    ] {
        for state in State::ALL {
            assert_eq!(news.holds(&in_state(state).link), state == holds, "{news:?} {state:?}");
        }
    }
    for state in State::ALL {
        let mut link = in_state(state).link;
        assert!(!News::Added.holds(&link), "it is part of no message");
        link.onboarding = Some("o".to_owned());
        assert_eq!(News::Added.holds(&link), state == State::Waiting, "{state:?}");
    }
}

#[test]
fn a_trouble_that_its_customer_cannot_end_is_told_to_who_asked_alone() {
    let trouble = |cause| Some(Trouble { cause, ..Trouble::default() });
    for (news, cause, is_private, needs_no_place) in [
        (News::Broken, Cause::Access, false, true),
        (News::Broken, Cause::Sync, true, true),
        (News::Recovered, Cause::Access, true, true),
        (News::Fixed, Cause::Access, false, false),
        (News::Gone, Cause::Sync, false, false),
    ] {
        let mut link = in_state(State::Broken).link;
        link.trouble = trouble(cause);
        assert_eq!(
            (news.is_private(&link), news.needs_no_place(&link)),
            (is_private, needs_no_place),
            "{news:?}"
        );
        let (kept, private) = news.kept();
        assert_eq!((News::of_kept(kept, private), private), (news, news == News::Recovered));
    }
}
