//! A connection that becomes part of an onboarding's message.
//!
//! Owns how it stands from then on. Nothing is posted for it: the message shows no link, so nothing can be left
//! unclear. A link of its own is taken back before all the same: from then on nobody knows of that message.

use jiff::{SignedDuration, Timestamp};

use super::intend::{Ask, Intention, first, post};
use super::{Change, Connection, News, State, later};

/// How long a customer is expected to finish a source; then its line says that nobody has, and it is watched
/// for a week more.
const EXPECTED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An onboarding, as far as a connection has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// Its reference.
    pub id: String,
    /// The message of it, by its id in the database.
    pub message_id: String,
}

/// What remains of that time when it begins anew: a link works for a day, and whoever has got one is looked
/// after for long enough.
const RENEWED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How a source stands once a link for it is shown to somebody; `None`: as it did.
#[must_use]
pub fn offer(connection: &Connection, now: Timestamp) -> Option<Change> {
    let link = &connection.link;
    let expired = link.state_at(now) == State::Expired;
    let soon = link.state == State::Waiting && link.expires_at < later(now, RENEWED);
    if link.onboarding.is_none() || !(expired || soon) {
        return None;
    }
    let mut change = Change { connection: connection.clone(), show: Vec::new(), news: None };
    change.connection.link.expires_at = later(now, EXPECTED);
    if link.state != State::Waiting {
        change.becomes(State::Waiting, now);
        change.connection.seen = None;
    }
    Some(change)
}

/// Judges whether a connection may become part of an onboarding, and how it stands then; `connection` is how it
/// stood, if it is known. `behind`: its message does not show yet how its link stands.
#[must_use]
pub fn join(
    connection: Option<&Connection>,
    behind: bool,
    ask: &Ask<'_>,
    onboarding: &Onboarding,
    now: Timestamp,
) -> Intention<Change> {
    if let Some(before) = connection.and_then(|connection| first(connection, behind, ask, now)) {
        return before;
    }
    let mut change = post(connection, ask, now).change;
    change.connection.posting = None;
    let link = &mut change.connection.link;
    link.message_id.clone_from(&onboarding.message_id);
    link.onboarding = Some(onboarding.id.clone());
    link.expires_at = later(now, EXPECTED);
    // Where a link of its own stands that nobody can edit, that message says by this that another has taken its
    // place, should its place be found.
    change.show.retain(|message| *message != onboarding.message_id);
    change.show.push(onboarding.message_id.clone());
    // Nobody is told by Slack that a message was edited. What its own command asked for is in it from the start.
    change.news = (!is_begun_by(&onboarding.id, ask.command)).then_some(News::Added);
    Intention::Post(change)
}

/// Whether a source's command is of the command that began the onboarding, whose reference begins with it.
fn is_begun_by(onboarding: &str, command: &str) -> bool {
    command.strip_prefix(onboarding).is_some_and(|place| place.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::intend::tests::{asked, becomes, intended};
    use crate::life::{Event, Place, Refusal, intend, next};
    use crate::work::Intent;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn onboarding() -> Onboarding {
        Onboarding { id: "o".to_owned(), message_id: "m".to_owned() }
    }

    fn joined(connection: Option<&Connection>, ask: &Ask<'_>) -> Change {
        let Intention::Post(change) = join(connection, false, ask, &onboarding(), NOW) else { panic!() };
        change
    }

    #[test]
    fn a_source_waits_in_the_message_of_its_onboarding_and_has_no_link_there() {
        asked(|ask| {
            let change = joined(None, &ask);
            assert_eq!(change.show, ["m"]);
            let link = &change.connection.link;
            assert_eq!((link.message_id.as_str(), link.onboarding.as_deref()), ("m", Some("o")));
            assert_eq!((link.state, &change.connection.posting), (State::Waiting, &None));
            let late = later(NOW, SignedDuration::from_hours(31 * 24));
            let passed = next(&change.connection, Event::Passed, true, late);
            assert_eq!((passed.connection.link.state, passed.news), (State::Expired, None));
            let offered = offer(&passed.connection, late).unwrap();
            assert_eq!((offered.connection.link.state, offered.show.len()), (State::Waiting, 1));
            assert_eq!(offered.connection.link.expires_at, later(late, EXPECTED));
            assert_eq!(offer(&change.connection, NOW), None, "there is time enough");
            assert_eq!(passed.show, ["m"]);
            let before = later(NOW, SignedDuration::from_hours(30 * 24 - 1));
            assert_eq!(
                next(&change.connection, Event::Passed, true, before).news,
                None,
                "nobody is reminded"
            );
            assert_eq!(change.connection.tick_at(true), Some(link.expires_at));
        });
    }

    #[test]
    fn the_thread_hears_of_a_source_that_came_later() {
        asked(|ask| {
            let news = |command: &str| joined(None, &Ask { command, ..ask }).news;
            assert_eq!(
                ["o-1", "o-12", "p-1", "oo-1", "p"].map(news),
                [None, None, Some(News::Added), Some(News::Added), Some(News::Added)]
            );
        });
    }

    #[test]
    fn a_link_of_its_own_makes_way_for_the_message_of_the_onboarding() {
        asked(|ask| {
            let mut old = becomes(&intended(None, &ask), Event::Posted);
            // Nobody knows where it stands.
            let change = joined(Some(&old), &ask);
            assert_eq!(change.show, [old.link.message_id.clone(), "m".to_owned()]);
            assert_eq!(change.connection.generation, old.generation + 1);
            old.link.message = Some(Place { channel: "C".to_owned(), ts: "1".to_owned() });
            let judge = |it: &Connection, behind| join(Some(it), behind, &ask, &onboarding(), NOW);
            let Intention::TakeBack(change) = judge(&old, false) else { panic!() };
            assert_eq!(change.show, [old.link.message_id.clone()]);
            let left = change.connection;
            assert_eq!(judge(&left, true), Intention::Wait { message_id: old.link.message_id });
            assert_eq!(judge(&left, false), Intention::Post(joined(Some(&left), &ask)));
        });
    }

    #[test]
    fn a_connection_of_another_channel_joins_nothing() {
        asked(|ask| {
            let there = becomes(&intended(None, &ask), Event::Posted);
            let here = Ask { channel_id: "D", ..ask };
            let refusal = Refusal::Elsewhere { channel_id: "C".to_owned(), user_id: Some("U".to_owned()) };
            let judged = join(Some(&there), false, &here, &onboarding(), NOW);
            assert_eq!(judged, Intention::Refused(refusal));
            // Somebody who was asked may take it along.
            let moved = joined(Some(&there), &Ask { intent: Intent::PostHere, ..here });
            assert_eq!(moved.connection.link.channel_id, "D");
        });
    }

    #[test]
    fn a_source_that_gets_a_link_of_its_own_leaves_the_message() {
        asked(|ask| {
            let source = joined(None, &ask).connection;
            let Intention::Post(post) = intend(Some(&source), false, &ask, NOW) else { panic!() };
            assert_eq!(post.change.connection.link.onboarding, None);
            assert_eq!(post.change.show, ["m"]);
        });
    }
}
