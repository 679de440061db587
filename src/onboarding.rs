//! One customer's sources in one message, as they stand.
//!
//! Owns what an onboarding comes to: which sources its message shows, how many of them are connected, and
//! what its command does next. Pure: must not know a clock, a database, Slack or a sentence.

mod posting;
#[cfg(test)]
mod simulation;
mod sources;

use jiff::{SignedDuration, Timestamp};

use crate::journal::Notice;
use crate::life::{Link, Place, State};
use crate::work::{Key, Work};
pub use posting::{GLANCE, LATE_GLANCE, Posting, Step, Unposted, is_too_late};
pub use sources::{Asked, together};

/// How long the message is held back for sources that are still being made: most take half a second, and
/// nobody is to see them come one by one. After that it says of each how it stands.
const HELD_BACK: SignedDuration = SignedDuration::from_secs(3);

/// An onboarding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// Its reference.
    pub id: String,
    /// The channel.
    pub channel_id: String,
    /// Who the sources belong to, if that was said.
    pub customer: Option<String>,
    /// Who began it.
    pub requester: String,
    /// When.
    pub opened_at: Timestamp,
    /// Whether the thread of its message has heard of that.
    pub is_told: bool,
    /// When nothing was left to do.
    pub done_at: Option<Timestamp>,
    /// Its message, by its id in the database.
    pub message_id: String,
    /// Where that stands, if it does.
    pub message: Option<Place>,
    /// What was asked for in it, in that order.
    pub sources: Vec<Source>,
}

/// One of its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The service's display name.
    pub service_name: String,
    /// What names its connection.
    pub key: Key,
    /// The commands in which it was asked for with others.
    pub parents: Vec<String>,
    /// Whether it is being made at this moment.
    pub under_way: bool,
    /// Why it was not made, and what was asked for.
    pub refused: Option<(Notice, Work)>,
    /// How it stands in the message.
    pub link: Option<Link>,
}

/// What the command of an onboarding does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Its message is posted.
    Post,
    /// Its sources are waited for.
    Wait,
    /// Whoever asked is told what was not made, and it ends.
    End,
}

/// What follows for a customer who has just finished a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following<'a> {
    /// This one, which waits for its customer.
    Next(&'a Link),
    /// None that they could do something about yet: others are still being made.
    Later,
    /// Nothing.
    Done,
}

impl Source {
    /// Whether its customer has nothing left to do for it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| match link.state {
            State::Connected | State::Lapsed => true,
            State::Broken => !link.asks_customer(),
            _ => false,
        })
    }

    /// Whether it is being made, for the first time or after it was cancelled or removed.
    #[must_use]
    pub fn is_being_made(&self) -> bool {
        self.under_way && !self.stands()
    }

    /// Whether it is one of those that the customer is asked for, or was.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.under_way || self.stands()
    }

    fn stands(&self) -> bool {
        let is_over = |state| matches!(state, State::Cancelled | State::Gone | State::Unposted);
        self.link.as_ref().is_some_and(|link| !is_over(link.state))
    }
}

impl Onboarding {
    /// The sources that its message has a line for.
    pub fn shown(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.link.is_some() || source.under_way)
    }

    /// How many of its sources are connected, and of how many.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let connected = self.sources.iter().filter(|source| source.is_connected()).count();
        (connected, self.sources.iter().filter(|source| source.counts()).count())
    }

    /// Whether nothing in it is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let (connected, all) = self.progress();
        connected == all
    }

    /// Whether its thread is still to hear that nothing is left to do.
    #[must_use]
    pub fn is_news(&self) -> bool {
        let (_, all) = self.progress();
        !self.is_told && self.done_at.is_some() && self.is_done() && all > 0
    }

    /// Whether all of it is surely for one customer: whoever has signed in to one source may go on to the next.
    #[must_use]
    pub fn is_of_one_customer(&self) -> bool {
        let named = |source: &Source| source.link.as_ref().is_none_or(|link| link.request.by_channel);
        self.customer.is_some() || self.sources.iter().all(named)
    }

    /// What follows for a customer who has finished the source with this link: of those that wait for their
    /// customer the first one after it, in the order of the message, or else the first. Whoever began in the
    /// middle has passed the ones before over.
    #[must_use]
    pub fn following(&self, finished: &str) -> Following<'_> {
        let links = || self.shown().filter_map(|source| source.link.as_ref());
        let asks = |link: &&Link| {
            let waits = matches!(link.state, State::Waiting | State::Expired | State::Replaced);
            let is_open = waits || link.asks_customer();
            is_open && link.onboarding.as_ref() == Some(&self.id)
        };
        let mut after = links().skip_while(|link| link.id != finished).filter(asks);
        let next = after.find(|link| link.id != finished).or_else(|| links().find(asks));
        match next {
            Some(link) => Following::Next(link),
            None if self.is_done() => Following::Done,
            None => Following::Later,
        }
    }

    /// The sources that were asked for in this command.
    pub fn of<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(move |source| source.parents.iter().any(|it| it == parent))
    }

    /// Those of them that its message does not show.
    pub fn missing<'a>(&'a self, parent: &'a str) -> impl Iterator<Item = &'a Source> {
        self.of(parent).filter(|source| source.link.is_none())
    }

    /// Whether some of them are still being made.
    #[must_use]
    pub fn waits(&self, parent: &str) -> bool {
        self.of(parent).any(|source| source.under_way)
    }

    /// What this command of it does next; `age`: how long ago it was accepted.
    #[must_use]
    pub fn next(&self, parent: &str, age: SignedDuration) -> Next {
        let waits = self.waits(parent);
        let has_something = self.shown().next().is_some();
        if self.message.is_none() && has_something && (!waits || age >= HELD_BACK) {
            Next::Post
        } else if waits {
            Next::Wait
        } else {
            Next::End
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(under_way: bool) -> Source {
        Source {
            service_name: "Stripe".to_owned(),
            key: Key { group_id: "g".to_owned(), name: "acme_stripe".to_owned() },
            parents: vec!["P".to_owned()],
            under_way,
            refused: None,
            link: None,
        }
    }

    fn onboarding(sources: Vec<Source>, stands: bool) -> Onboarding {
        Onboarding {
            id: "P".to_owned(),
            channel_id: "C".to_owned(),
            customer: None,
            requester: "U".to_owned(),
            opened_at: Timestamp::UNIX_EPOCH,
            is_told: false,
            done_at: None,
            message_id: "P-0".to_owned(),
            message: stands.then(|| Place { channel: "C".to_owned(), ts: "1".to_owned() }),
            sources,
        }
    }

    #[test]
    fn a_message_waits_a_moment_for_its_sources_and_its_command_for_all() {
        let (soon, late) = (SignedDuration::from_secs(1), HELD_BACK);
        for (sources, stands, age, next) in [
            (vec![source(true)], false, soon, Next::Wait),
            (vec![source(true)], false, late, Next::Post),
            (vec![source(true)], true, late, Next::Wait),
            // None was made, and there is nothing to show.
            (vec![source(false)], false, soon, Next::End),
            (vec![source(false)], true, late, Next::End),
        ] {
            assert_eq!(onboarding(sources, stands).next("P", age), next);
        }
        let other = Source { parents: vec!["Q".to_owned()], ..source(true) };
        assert_eq!(onboarding(vec![source(false), other], true).next("P", soon), Next::End);
    }

    fn linked(id: &str, state: &str) -> Source {
        let request = serde_json::json!({
            "service": "stripe", "service_name": "Stripe", "target": { "schema": "acme_stripe", "table": null },
            "group_id": "g", "slash": "/connect-card",
        });
        let link = serde_json::json!({
            "id": id, "connection_id": id, "team_id": "T", "channel_id": "C", "requester": "U", "request": request,
            "message_id": "P-0", "state": state, "detail": null, "posted_at": Timestamp::UNIX_EPOCH,
            "expires_at": Timestamp::UNIX_EPOCH, "changed_at": Timestamp::UNIX_EPOCH,
            "reminded": { "before": false, "after": false }, "purpose": null, "landed_at": null, "onboarding": "P",
        });
        Source { link: Some(serde_json::from_value(link).unwrap()), ..source(false) }
    }

    #[test]
    fn what_was_cancelled_counts_again_while_it_is_made_again() {
        let cancelled = |under_way| Source { under_way, ..linked("a", "cancelled") };
        let read = |source: Source| {
            let onboarding = onboarding(vec![source, linked("b", "connected")], true);
            (onboarding.progress(), onboarding.is_done(), onboarding.sources[0].is_being_made())
        };
        assert_eq!(read(cancelled(false)), ((1, 1), true, false));
        assert_eq!(read(cancelled(true)), ((1, 2), false, true));
        assert_eq!(read(Source { under_way: true, ..linked("a", "waiting") }), ((1, 2), false, false));
    }

    #[test]
    fn what_waits_after_the_one_that_was_finished_is_next_and_then_what_was_passed_over() {
        let following = |sources: Vec<Source>| {
            let onboarding = onboarding(sources, true);
            match onboarding.following("b") {
                Following::Next(link) => link.id.clone(),
                other => format!("{other:?}"),
            }
        };
        let b = || linked("b", "connected");
        for (sources, next) in [
            (vec![linked("a", "waiting"), b(), linked("c", "cancelled"), linked("d", "expired")], "d"),
            (vec![linked("a", "waiting"), b(), linked("c", "connected"), source(true)], "a"),
            // It asks its customer: nothing is known of what is wrong.
            (vec![linked("a", "gone"), b(), linked("c", "broken")], "c"),
            (vec![linked("a", "lapsed"), b(), source(true)], "Later"),
            (vec![b(), Source { under_way: true, ..linked("c", "cancelled") }], "Later"),
            (vec![linked("a", "replaced"), b(), source(false)], "a"),
            (vec![b()], "Done"),
        ] {
            assert_eq!(following(sources), next);
        }
    }
}
