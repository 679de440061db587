//! `/connect-card cancel SCHEMA`: deletes a connection that nobody has finished, after its person
//! has confirmed it.
//!
//! Owns the deed at Fivetran. Never deletes a connection that has been connected: what it has
//! loaded, and whoever relies on it, is nothing that a chat command should end.

use crate::command::Verb;
use crate::command::connect::failure;
use crate::fivetran::Fivetran;
use crate::fivetran::error::Error;
use crate::fivetran::model::SetupState;
use crate::journal::{Outcome, Problem};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "cancel SCHEMA",
    does: "deletes the connection for SCHEMA if your customer hasn't finished it",
    example: "cancel customer_schema",
};

/// Deletes the connection unless it has been connected. May be repeated.
pub async fn perform(connection: &str, fivetran: &Fivetran) -> Outcome {
    match fivetran.connection(connection).await {
        Ok(found) if found.status.setup_state != SetupState::Incomplete => {
            return Outcome::Settled(Problem::NotCancelled);
        }
        Ok(_) => {}
        Err(Error::NotFound(said)) if said.is_of_connection() => {
            return Outcome::Settled(Problem::Cancelled);
        }
        Err(error) => return Outcome::Failed(failure(error)),
    }
    match fivetran.delete_connection(connection).await {
        Ok(()) => Outcome::Settled(Problem::Cancelled),
        Err(Error::NotFound(said)) if said.is_of_connection() => Outcome::Settled(Problem::Cancelled),
        Err(error) => Outcome::Failed(failure(error)),
    }
}
