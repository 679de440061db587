//! What the journal is told: what came of what it asked for.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Origin, Others, Problem};

/// What came of an action, or why the journal is asked at all. `C` is a Connect Card as whoever
/// drives the journal holds it; the journal hands it on and keeps it out of everything stored.
#[derive(Clone, Debug)]
pub enum Outcome<C> {
    /// The command was just accepted, by this process, which has sent nothing yet.
    Accepted,
    /// The command was taken over from the store; another process may have sent anything.
    TakenOver,
    /// A rest is over.
    Woken,
    /// The person was told that the command waits, or could not be.
    Noted,
    /// Who else is in the channel.
    Company(Company),
    /// The action must not be taken now: too much is being repeated, or the lease is too short.
    Postponed,
    /// The connection was created.
    Created {
        /// Its id.
        connection: String,
        /// Its card, if that came along.
        card: Option<C>,
    },
    /// The creation was refused; an existing connection may be the reason.
    CreateRefused {
        /// What it is if none is there.
        problem: Problem,
        /// Whether Fivetran says outright that the name is taken.
        conflict: bool,
    },
    /// What bears the name.
    Found(Found),
    /// There is a card to post.
    Minted(C),
    /// Fivetran says that the connection is not there.
    Vanished,
    /// The link that was to be renewed is not the connection's newest any more.
    Superseded,
    /// Nobody has asked for the connection, and no link for it may stand in the channel.
    NotHere,
    /// The connection is deleted.
    Cancelled,
    /// The connection has been connected by now, so it was not deleted.
    NotCancelled,
    /// Fivetran has begun to sync the connection.
    SyncBegun,
    /// Fivetran was syncing the connection already.
    SyncRunning,
    /// The link is in the channel.
    Posted,
    /// The person knows.
    Told,
    /// A call to Fivetran failed.
    Failed(Failure),
    /// A message did not, or may not have, reached Slack.
    PostFailed(PostFailure),
}

/// Who is in a channel beside the bot's own people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// People of one other organisation at most.
    Few,
    /// People of more than one, now or soon.
    Many(Others),
    /// Slack does not show the bot this channel.
    Hidden,
    /// Slack gave no answer, and may yet give one.
    Untold,
}

/// What a look at the destination showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No connection of that name.
    Nothing,
    /// One of the same service that nobody has finished.
    Unfinished {
        /// Its id.
        connection: String,
        /// How long it had been there when it was seen, by one clock: Fivetran's.
        age: Option<SignedDuration>,
    },
    /// One of the same service that has been connected.
    Finished {
        /// Its id.
        connection: String,
        /// Where it was asked for, if it was here.
        origin: Option<Origin>,
        /// Whether it needs to be fixed.
        broken: bool,
    },
    /// One of the same service that nobody has finished, whose link is in another channel.
    Elsewhere {
        /// Its id.
        connection: String,
        /// Where its link is.
        origin: Origin,
    },
    /// One of another service.
    OtherService {
        /// That service's id.
        service: String,
    },
}

/// How a call to Fivetran failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// For good.
    Final(Problem),
    /// Nothing was done, for what mostly stays and was seen to pass.
    Doubtful(Problem),
    /// Nothing was done; a pause is asked for.
    Throttled(Option<Duration>),
    /// Nothing was sent.
    NotSent,
    /// It was asked something, which changes nothing, and gave no clear answer.
    Unanswered,
    /// It may have been done.
    Unclear,
}

/// How a post to Slack failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostFailure {
    /// For good; Slack's word for it.
    Refused(String),
    /// Nothing was posted, and it may work after a pause.
    Later {
        /// Slack's word for it.
        slack_says: String,
        /// About how long.
        pause: Duration,
    },
    /// Nothing was posted; a pause is asked for.
    Throttled(Option<Duration>),
    /// Nothing was sent.
    NotSent,
    /// It may be there.
    Unclear,
    /// It may be there, and trying again would tell no more: this try was refused for good and an
    /// earlier one, of which nothing was heard, may be there; or its answer was not Slack's.
    Unconfirmed,
}
