//! Whether a link may go to a channel, before anything is made for it.
//!
//! Owns what is looked at for that: who else is there, and of what nobody asked for, whether the channel still
//! is its customer's. What follows is [`crate::journal`]'s decision.

use super::deliver::Job;
use super::{Outcome, Worker};
use crate::journal::Company;
use crate::unasked::Silent;
use crate::work::Work;

impl Worker {
    /// Who else is in a command's channel, as far as that matters to it. Takes two seconds at most, beside the
    /// database.
    pub(super) async fn company(&self, job: Job<'_>) -> Outcome {
        let (claimed, now) = (job.claimed, self.parts.clock.now());
        let Work::Renew { link: renewed, unasked: true, request, .. } = job.work else {
            return Outcome::Company(self.parts.gate.company(&claimed.channel_id, now).await);
        };
        let stored = match self.parts.store.connection(&request.key()).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(command = claimed.id, %error, "could not read whose connection a link is for");
                return Outcome::Postponed;
            }
        };
        // A link that was intended has been judged before, and may stand there. One that is another by now is
        // refused in any case.
        let Some(link) = stored.map(|stored| stored.connection).and_then(|it| {
            let intended = it.posting.as_ref().is_some_and(|posting| posting.command == claimed.id);
            (it.link.id == *renewed && !intended).then_some(it.link)
        }) else {
            return Outcome::Company(Company::Few);
        };
        match self.parts.unasked.may_be_linked(&link, now).await {
            Ok(()) => Outcome::Company(Company::Few),
            Err(Silent::Untold) => Outcome::Company(Company::Untold),
            Err(Silent::Because(why)) => {
                tracing::info!(
                    command = claimed.id,
                    connection = link.connection_id,
                    schema = link.request.target.connection_name(),
                    channel = link.channel_id,
                    why,
                    "no link is made for a connection that was not requested here"
                );
                Outcome::NotHere
            }
        }
    }
}
