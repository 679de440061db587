//! What the audit channel is told of a command's end.
//!
//! Owns which facts that takes. It is written in the commit of the end; how it is worded is
//! [`crate::reply::audit`]'s.

use super::deliver::Job;
use crate::journal::{Progress, Then};
use crate::life::Connection;
use crate::trail::{Ended, Entry};

/// What is told of an end; `None` if it is none. `posted`: the connection as its link was posted.
pub(super) fn entry(
    job: Job<'_>,
    progress: &Progress,
    then: Then,
    posted: Option<&Connection>,
) -> Option<Entry> {
    let Then::End(at) = then else { return None };
    let before = posted.and_then(|posted| posted.posting.as_ref()?.before.as_ref());
    let from = before.map(|link| link.channel_id.as_str()).filter(|from| *from != job.claimed.channel_id);
    let ended = Ended {
        reference: &job.claimed.id,
        by: &job.claimed.user_id,
        channel_id: &job.claimed.channel_id,
        work: job.work,
        progress,
        from,
    };
    Entry::of_end(ended, at)
}
