//! Why it cannot be seen what Fivetran says of a connection, and who can do what about that.
//!
//! Owns these sentences. Must not know what is shown in the place of an answer.

use super::in_the_way::in_the_way;
use super::problem::{group_variable, pause, quoted};
use crate::journal::Problem;
use crate::outbound::Obstacle;
use crate::work::Request;

/// In sentences; `None`: nothing stands in the way, and it passes.
pub(super) fn unseen(problem: &Problem, request: &Request) -> Option<String> {
    Some(match problem {
        Problem::KeyRejected => "Fivetran rejected the API key. Whoever runs connect-card needs to set \
             FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key."
            .to_owned(),
        Problem::Forbidden(said) => format!(
            "The Fivetran API key isn't allowed to see it{}. Whoever runs connect-card needs to let it read the connections \
             of this destination.",
            quoted(said)
        ),
        Problem::GroupUnknown(said) => format!(
            "Fivetran doesn't know this destination{}. Whoever runs connect-card needs to check {}.",
            quoted(said),
            group_variable(request)
        ),
        Problem::Blocked(Obstacle::OddShape) => {
            "I can't read Fivetran's answer: it has a form that I don't know. Open the connection in Fivetran to see how \
             it stands."
                .to_owned()
        }
        Problem::Blocked(obstacle) => {
            let (what, remedy) = in_the_way(*obstacle);
            format!("I can't reach Fivetran: {what}. Whoever runs connect-card needs to {remedy}.")
        }
        Problem::TooLarge { limit_mb } => format!(
            "Fivetran's answer about this connection is larger than the {limit_mb} MB that I read. Open the connection \
             in Fivetran to see how it stands."
        ),
        Problem::RateLimited { retry_after_s } => format!(
            "Fivetran's rate limit has been reached; try again in {}.",
            retry_after_s.map_or_else(|| "an hour".to_owned(), pause)
        ),
        Problem::Declined { status: 402, said } => format!(
            "Fivetran refused to tell{}. This is about the Fivetran account's plan, trial or payment: one of its \
             administrators needs to look into that in Fivetran.",
            quoted(said)
        ),
        Problem::Refused(said) | Problem::Declined { said, .. } | Problem::Conflict(said) => format!(
            "Fivetran refused to tell{}. Open the connection in Fivetran to see how it stands.",
            quoted(said)
        ),
        _ => return None,
    })
}
