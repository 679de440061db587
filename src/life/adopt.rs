//! A connection that was made elsewhere and has lost its access: how it becomes one of ours, and how it is let
//! go.
//!
//! Owns when it may: nothing of ours stands for its name, and its customer can mend it by signing in. Which
//! channel it belongs to is the caller's to know.

use jiff::Timestamp;

use super::{Change, Connection, Link, Reminded, Seen, State};
use crate::fivetran::model::SetupState;
use crate::work::Request;

/// What was found, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Foundling<'a> {
    /// The reference that it gets.
    pub reference: &'a str,
    /// The connection at Fivetran.
    pub connection_id: &'a str,
    /// The workspace.
    pub team_id: &'a str,
    /// Its customer's channel.
    pub channel_id: &'a str,
    /// What would have been asked for.
    pub request: &'a Request,
}

impl Seen {
    /// Whether it is broken and its customer can mend it by signing in again.
    #[must_use]
    pub fn asks_customer(&self) -> bool {
        matches!(self, Self::Setup { state: SetupState::Broken, trouble, .. } if trouble.asks_customer())
    }
}

impl Connection {
    /// Whether what is known by a name stands in the way of this connection no more: it was deleted, or its
    /// link never stood anywhere. One that is gone may come back, but only as itself.
    #[must_use]
    pub fn makes_way(&self, connection_id: &str) -> bool {
        self.posting.is_none() && !self.link.is_home_of(connection_id)
    }
}

impl Link {
    /// Whether it stood for what has been found, in the same channel, and was let go.
    fn was_let_go_as(&self, found: Foundling<'_>) -> bool {
        self.state == State::Unposted
            && self.requester.is_none()
            && self.connection_id == found.connection_id
            && self.channel_id == found.channel_id
    }
}

/// How a connection stands that is to be brought up in its customer's channel: broken, in a message that is
/// still to be posted. `before`: what was known by its name. `None` if that stands in the way, or nobody
/// would be asked.
#[must_use]
pub fn adopt(
    before: Option<&Connection>,
    found: Foundling<'_>,
    seen: &Seen,
    now: Timestamp,
) -> Option<Change> {
    let Seen::Setup { trouble, .. } = seen else { return None };
    if !seen.asks_customer() || before.is_some_and(|before| !before.makes_way(found.connection_id)) {
        return None;
    }
    let Foundling { reference, connection_id, team_id, channel_id, request } = found;
    // A copy of its message may be there, whatever Slack said of it, with a button that names this.
    let known = before.map(|before| &before.link).filter(|link| link.was_let_go_as(found));
    let reference = known.map_or(reference, |link| &link.id);
    let generation = before.map_or(0, |before| before.generation) + 1;
    let link = Link {
        id: reference.to_owned(),
        connection_id: connection_id.to_owned(),
        team_id: team_id.to_owned(),
        channel_id: channel_id.to_owned(),
        requester: None,
        request: request.clone(),
        message_id: format!("{reference}-{generation}"),
        message: None,
        state: State::Broken,
        detail: trouble.words(),
        trouble: Some(trouble.clone()),
        posted_at: now,
        expires_at: now,
        changed_at: now,
        reminded: Reminded::default(),
        purpose: None,
        landed_at: None,
        onboarding: None,
    };
    let connection = Connection {
        key: request.key(),
        link,
        generation,
        posting: None,
        look_at: None,
        looks: 0,
        missing_since: None,
        seen: Some(seen.digest()),
    };
    Some(Change { connection, show: Vec::new(), news: None })
}

/// How one stands that nobody has asked for and nobody reads of: as if it had never been found, so that it may
/// be found anew. `None` if that is not so, or it asks for nothing now.
#[must_use]
pub fn let_go(connection: &Connection, now: Timestamp) -> Option<Change> {
    let link = &connection.link;
    if !link.asks_customer() || link.requester.is_some() || connection.posting.is_some() {
        return None;
    }
    let mut change = Change { connection: connection.clone(), show: Vec::new(), news: None };
    change.becomes(State::Unposted, now);
    change.connection.seen = None;
    // Its message stands nowhere.
    change.show.clear();
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fivetran::model::{Status, Task};
    use crate::life::intend::tests::{asked, becomes, intended};
    use crate::life::{Event, News, next};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn seen(setup_state: SetupState, code: &str) -> Seen {
        let task = Task { code: code.to_owned(), message: "Reconnect".to_owned(), details: String::new() };
        Seen::of(&Status { setup_state, tasks: vec![task], ..Status::default() }, None)
    }

    fn foundling(request: &Request) -> Foundling<'_> {
        Foundling { reference: "R", connection_id: "found", team_id: "T", channel_id: "C", request }
    }

    #[test]
    fn only_what_its_customer_can_mend_is_brought_up() {
        asked(|ask| {
            for (state, code, brought_up) in [
                (SetupState::Broken, "reconnect", true),
                (SetupState::Broken, "reconnect_warehouse", false),
                (SetupState::Broken, "unknown_sync_failure", false),
                (SetupState::Broken, "", false),
                (SetupState::Incomplete, "reconnect", false),
                (SetupState::Connected, "reconnect", false),
                (SetupState::Unknown, "reconnect", false),
            ] {
                let change = adopt(None, foundling(ask.request), &seen(state, code), NOW);
                assert_eq!(change.is_some(), brought_up, "{state:?} {code}");
            }
            assert_eq!(
                adopt(None, foundling(ask.request), &Seen::Missing { others: 0, asked_at: NOW }, NOW),
                None
            );
        });
    }

    #[test]
    fn nothing_of_ours_makes_way_unless_it_is_over() {
        asked(|ask| {
            let broken = seen(SetupState::Broken, "reconnect");
            let adopted = |before: &Connection| adopt(Some(before), foundling(ask.request), &broken, NOW);
            let intended = intended(None, &ask);
            assert_eq!(adopted(&intended), None, "its link is on its way");
            let posted = becomes(&intended, Event::Posted);
            for state in State::ALL {
                let mut before = posted.clone();
                before.link.state = state;
                let over = matches!(state, State::Unposted | State::Cancelled | State::Gone);
                assert_eq!(adopted(&before).is_some(), over, "{state:?}");
            }
            let mut before = posted;
            before.link.state = State::Gone;
            before.link.connection_id = "found".to_owned();
            assert_eq!(adopted(&before), None, "it has come back");
            before.link.state = State::Cancelled;
            assert_eq!(adopted(&before).map(|change| change.connection.generation), Some(2));
        });
    }

    #[test]
    fn from_then_on_it_lives_as_every_other_one() {
        asked(|ask| {
            let broken = seen(SetupState::Broken, "reconnect");
            let change = adopt(None, foundling(ask.request), &broken, NOW).unwrap();
            let same = next(&change.connection, Event::Seen(broken.clone()), true, NOW);
            assert_eq!((same.show.len(), same.news), (0, None));
            let works = next(&change.connection, Event::Seen(seen(SetupState::Connected, "")), true, NOW);
            assert_eq!((works.show.len(), works.news), (1, Some(News::Fixed)));
            let again = next(&works.connection, Event::Seen(broken), true, NOW);
            assert_eq!((again.show.len(), again.news), (1, Some(News::Broken)));
        });
    }
    #[test]
    fn one_that_nobody_asked_for_is_let_go_and_found_anew() {
        asked(|ask| {
            let broken = seen(SetupState::Broken, "reconnect");
            let found = adopt(None, foundling(ask.request), &broken, NOW).unwrap().connection;
            let gone = let_go(&found, NOW).unwrap();
            assert_eq!((gone.show.len(), gone.news), (0, None));
            assert_eq!(gone.connection.link.watch_until(), None);
            for (channel_id, reference) in [("C", "R"), ("D", "S")] {
                let anew = Foundling { reference: "S", channel_id, ..foundling(ask.request) };
                let again = adopt(Some(&gone.connection), anew, &broken, NOW).unwrap().connection;
                assert_eq!((again.link.id.as_str(), again.link.channel_id.as_str()), (reference, channel_id));
                assert_eq!(again.link.message_id, format!("{reference}-2"));
            }
        });
    }

    #[test]
    fn whatever_somebody_has_to_do_with_is_not_let_go() {
        asked(|ask| {
            let broken = seen(SetupState::Broken, "reconnect");
            let found = adopt(None, foundling(ask.request), &broken, NOW).unwrap().connection;
            let works = next(&found, Event::Seen(seen(SetupState::Connected, "")), true, NOW).connection;
            let ours = seen(SetupState::Broken, "reconnect_warehouse");
            let not_the_customers = next(&found, Event::Seen(ours), true, NOW).connection;
            let mut requested = found.clone();
            requested.link.requester = Some("U".to_owned());
            let on_its_way = intended(Some(&found), &ask);
            for kept in [works, not_the_customers, requested, on_its_way] {
                assert_eq!(let_go(&kept, NOW), None, "{kept:?}");
            }
        });
    }
}
