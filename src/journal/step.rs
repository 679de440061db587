//! What the journal asks for, and what it is told came of it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Origin, Problem};

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the connection.
    Create,
    /// Look for the connection by its name.
    Look,
    /// Make a card for the connection.
    Mint,
    /// Delete the connection, if nobody has finished it.
    Cancel,
    /// Post the card's link.
    Post,
    /// Tell the person of the problem.
    Tell,
    /// Nothing for so long; then report [`Outcome::Woken`].
    Wait(Duration),
    /// Nothing more.
    End,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The command was just accepted, by this process, which has sent nothing yet.
    Accepted,
    /// The command was taken over from the store; another process may have sent anything.
    TakenOver,
    /// A wait is over.
    Woken,
    /// The step must not be taken now: too many others are being repeated.
    Held,
    /// The connection was created; `card` says whether its card came along.
    Created {
        /// Its id.
        connection: String,
        /// Whether there is a card to post.
        card: bool,
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
    Minted,
    /// The connection is no longer there.
    Vanished,
    /// What was to be done is done, or will never be; this is to be told.
    Settled(Problem),
    /// The link is in the channel.
    Posted,
    /// The person knows.
    Told,
    /// A call to Fivetran failed.
    Failed(Failure),
    /// A message did not, or may not have, reached Slack.
    PostFailed(PostFailure),
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
        /// When it was made, by Fivetran's clock.
        created_at: Option<Timestamp>,
    },
    /// One of the same service that has been connected.
    Finished {
        /// Its id.
        connection: String,
        /// Where it was asked for, if it was here.
        origin: Option<Origin>,
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
    /// Nothing was done; a pause is asked for.
    Throttled(Option<Duration>),
    /// Nothing was sent.
    NotSent,
    /// It may have been done.
    Unclear,
}

/// How a post to Slack failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostFailure {
    /// For good; Slack's word for it.
    Refused(String),
    /// Nothing was posted; a pause is asked for.
    Throttled(Option<Duration>),
    /// Nothing was sent.
    NotSent,
    /// It may be there.
    Unclear,
}
