//! What is seen to again and again, besides the commands: leases, what the log is told, rows that nobody needs
//! any more, and what a clock that was set back or a release before has left undone.
//!
//! Owns how often that is. What is forgotten, and when, is the [`crate::store`]'s. Must not call Slack or Fivetran.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::telemetry::Party;

/// Leases are prolonged when this part of them is gone, which is asked ten times as often: where the
/// database answers, there are always three fifths of a lease left.
const LEASE_PART: u32 = 3;
/// How often the log is told what goes on with the outside parties.
const REPORT: Duration = Duration::from_secs(5);
/// How often ended commands are purged, the journals at rest looked through, and what a clock that was set
/// back has put off is made due.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

impl Worker {
    /// Prolongs the leases in a task of its own, so that busy hands never look dead.
    pub(super) async fn prolong_leases(self: Arc<Self>) {
        let age = self.parts.store.lease() / LEASE_PART;
        loop {
            tokio::time::sleep(age / 10).await;
            if let Err(error) = self.parts.store.renew(age).await {
                tracing::warn!(%error, "could not prolong the leases");
            }
        }
    }

    /// Tells the log what goes on with the outside parties.
    pub(super) async fn report(self: Arc<Self>) {
        loop {
            tokio::time::sleep(REPORT).await;
            self.trouble.pass(|party| self.waiting_for(party));
            self.rests.count();
        }
    }

    /// How many commands wait for a party, for the log.
    pub(super) fn waiting_for(&self, party: Party) -> usize {
        match party {
            Party::Fivetran => self.fivetran.waiting(),
            Party::Slack => self.rests.count(),
        }
    }

    /// Cleans up for as long as the bot runs.
    pub(super) async fn clean_up(self: Arc<Self>) {
        loop {
            let now = self.parts.clock.now();
            self.rests.forget_old();
            match self.parts.store.purge(now).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "purged old commands"),
                Err(error) => tracing::warn!(%error, "could not purge old commands"),
            }
            match self.parts.store.hasten(now).await {
                Ok(0) => {}
                Ok(rows) => tracing::warn!(rows, "the clock was set back; what it had put off is due now"),
                Err(error) => tracing::warn!(%error, "could not make due what a clock may have put off"),
            }
            // A replica of the release before may still post links.
            match self.parts.store.take_links_over(now).await {
                Ok(0) => {}
                Ok(links) => tracing::info!(links, "took over links of the release before"),
                Err(error) => tracing::warn!(%error, "could not take over links of the release before"),
            }
            // It takes a message that is still to be posted for one that can't be edited.
            match self.parts.store.rearm_messages(now).await {
                Ok(0) => {}
                Ok(messages) => tracing::debug!(messages, "posts what the release before has passed over"),
                Err(error) => tracing::warn!(%error, "could not make due what is still to be posted"),
            }
            tokio::time::sleep(HOUSEKEEPING).await;
        }
    }
}
