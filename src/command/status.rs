//! `/connect-card status SCHEMA`: how a link of this channel stands, by the database and by
//! Fivetran.
//!
//! Owns what both know together, and what can be done about a link. Pure; the words are
//! [`crate::reply::status`]'s.

use jiff::Timestamp;

use crate::command::{Verb, cancel};
use crate::fivetran::model::{SetupTest, Status};
use crate::fivetran::tasks::Cause;
use crate::journal::Problem;
use crate::life::{self, Connection, Event, Link, Seen, State};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "status SCHEMA",
    does: "shows you, and only you, the status of the link for SCHEMA",
    example: "status customer_schema",
};

/// What Fivetran says of a link's connection.
#[derive(Clone, Debug)]
pub enum View {
    /// This.
    Seen {
        /// How it stands.
        status: Status,
        /// The tests of its setup, if the answer has them.
        tests: Option<Vec<SetupTest>>,
    },
    /// That there is no such connection any more.
    Gone,
    /// Nothing, in the time there is; or nothing for this reason, which stays or lasts.
    Silent(Option<Problem>),
}

/// A link as it is known now.
#[derive(Clone, Debug)]
pub struct Report {
    /// The link, in the state that Fivetran's view of it means.
    pub link: Link,
    /// That view.
    pub view: View,
    /// Whether the link waits for its customer, but nobody can say yet that it has reached Slack.
    pub on_its_way: bool,
}

/// What can be done about a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// A new link can be put in its place.
    pub renew: bool,
    /// Its connection can be deleted.
    pub cancel: bool,
    /// A sync may make it work again.
    pub sync: bool,
}

impl Choices {
    /// What can be done about this one.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        match link.state {
            State::Waiting | State::Expired => {
                Self { renew: true, cancel: cancel::refused(link).is_none(), sync: false }
            }
            // Where nothing is known of the cause, either may help.
            State::Broken => {
                let cause = link.trouble.as_ref().map(|trouble| trouble.cause);
                let renew = matches!(cause, None | Some(Cause::Access | Cause::Network | Cause::Unknown));
                Self { renew, cancel: false, sync: !link.asks_customer() }
            }
            State::Connected
            | State::Lapsed
            | State::Cancelled
            | State::Gone
            | State::Replaced
            | State::Unposted => Self::default(),
        }
    }
}

/// What the database and Fivetran know together. Changes nothing: how a connection stands is the
/// watcher's to say.
#[must_use]
pub fn report(connection: &Connection, view: View, now: Timestamp) -> Report {
    let link = match &view {
        View::Seen { status, tests } => {
            let seen = Seen::of(status, tests.as_deref());
            life::next(connection, Event::Seen(seen), false, now).connection.link
        }
        View::Gone | View::Silent(_) => connection.link.clone(),
    };
    let state = link.state_at(now);
    let on_its_way = state == State::Waiting && connection.posting.is_some();
    Report { link: Link { state, ..link }, view, on_its_way }
}
