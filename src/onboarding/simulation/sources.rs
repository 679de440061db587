//! Several sources of one customer: as they are asked for, and what their message shows, as far as it can be
//! true or not.

use super::{REQUESTS, name_of, number};
use crate::life::State;
use crate::onboarding::Onboarding;
use crate::work::{Onboard, Request, Work};

/// The message of an onboarding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// The command that began it.
    pub(super) onboarding: usize,
    pub(super) lines: Vec<Line>,
    /// How many are connected, and of how many.
    pub(super) progress: (usize, usize),
    /// Whether it says since when nothing is left to do.
    pub(super) done: bool,
}

/// One of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: usize,
    /// How it stands; `None`: it is being made.
    pub(super) stands: Option<Standing>,
    connected: bool,
}

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) connection: usize,
    /// What its button says.
    pub(super) link: usize,
    pub(super) state: State,
    /// Whether the customer is asked to do something about it.
    pub(super) asks: bool,
}

impl Sources {
    /// `reply::onboarding::message`.
    pub(super) fn of(onboarding: &Onboarding) -> Self {
        let lines = onboarding.shown().map(|source| Line {
            name: name_of(&source.key),
            stands: source.link.as_ref().map(|link| Standing {
                connection: link.connection_id.parse().unwrap(),
                link: number(&link.id),
                state: link.state,
                asks: link.asks_customer(),
            }),
            connected: source.is_connected(),
        });
        let (connected, all) = onboarding.progress();
        Self {
            onboarding: number(&onboarding.id),
            lines: lines.collect(),
            progress: (connected, all),
            done: connected == all && all > 0 && onboarding.done_at.is_some(),
        }
    }

    /// The lines that say that something is connected.
    pub(super) fn connected(&self) -> usize {
        self.lines.iter().filter(|line| line.connected).count()
    }

    /// Whether it has a line for a connection.
    pub(super) fn shows(&self, connection: usize) -> bool {
        self.lines.iter().any(|line| line.stands.as_ref().is_some_and(|it| it.connection == connection))
    }

    /// Whether it says that a connection is gone.
    pub(super) fn shows_gone(&self, connection: usize) -> bool {
        let gone = |it: &Standing| it.connection == connection && it.state == State::Gone;
        self.lines.iter().any(|line| line.stands.as_ref().is_some_and(gone))
    }
}

/// `onboard::is_part`.
pub(super) fn is_part(work: &Work) -> bool {
    matches!(work, Work::Connect(request) if request.onboarding.is_some())
}

/// Who the sources are for.
pub(super) const CUSTOMERS: [&str; 2] = ["acme", "bolt"];
/// Connections that there are in worlds with onboardings.
pub(super) const SOURCES: usize = 6;

/// Several sources as somebody asks for them: so many from the first on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Several {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) customer: Option<usize>,
    pub(super) channel: usize,
    pub(super) user: usize,
    pub(super) for_all: bool,
}

impl Several {
    pub(super) fn request(name: usize, customer: Option<usize>, for_all: bool) -> Request {
        let customer = customer.map(|customer| CUSTOMERS[customer].to_owned());
        Request { customer, for_all, ..REQUESTS[name].clone() }
    }

    pub(super) fn onboard(&self) -> Onboard {
        let names = (self.first..self.first + self.count).map(|name| name % SOURCES);
        Onboard {
            customer: self.customer.map(|customer| CUSTOMERS[customer].to_owned()),
            sources: names.map(|name| Self::request(name, self.customer, self.for_all)).collect(),
        }
    }
}
