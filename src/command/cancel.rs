//! `/connect-card cancel SCHEMA`: deletes a connection that nobody has finished, after its person
//! has confirmed it.

use crate::command::Verb;
use crate::journal::{Progress, Stage};
use crate::life::Link;
use crate::work::Work;

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "cancel SCHEMA",
    does: "deletes the connection for SCHEMA if your customer hasn't finished it",
    example: "cancel customer_schema",
};

/// The command that cancels a link, and where it begins: the connection is known.
#[must_use]
pub fn work(link: &Link) -> (Work, Progress) {
    let work = Work::Cancel { link: link.id.clone(), request: link.request.clone() };
    (work, Progress::of(Stage::Cancel { connection: link.connection_id.clone() }))
}
