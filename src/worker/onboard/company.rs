//! Who else is in the channel of a command of several sources, before any of them is made.
//!
//! Owns that it is asked once for all of them. For one source by itself [`crate::journal`] has the rule, which
//! is the same.

use std::time::Duration;

use crate::crash::crash_point;
use crate::journal::{COMPANY_LOOKS, Company, Others, Problem, Stage};
use crate::onboarding::Posting;
use crate::reply;
use crate::store::Claimed;
use crate::work::Onboard;
use crate::worker::Worker;

impl Worker {
    /// Whether its sources may be made. If not, whoever asked has been asked in return, or the command is
    /// somebody else's, or the bot stops.
    pub(super) async fn may_be_seen(&self, claimed: &Claimed, onboard: &Onboard) -> bool {
        if !onboard.is_for_few() || !self.parts.links.delivery.shows_all() {
            return true;
        }
        let mut pauses = Posting::default();
        loop {
            match self.parts.store.is_expanded(&claimed.id).await {
                // Whoever had it before has seen to this.
                Ok(true) => return true,
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(command = claimed.id, %error, "could not read how far an onboarding is");
                    if !self.stay(pauses.pause(Duration::ZERO)).await {
                        return false;
                    }
                }
            }
        }
        for look in 1..=COMPANY_LOOKS {
            match self.parts.gate.company(&claimed.channel_id, self.parts.clock.now()).await {
                Company::Few | Company::Hidden => break,
                Company::Many(others) => {
                    self.ask_for_all(claimed, onboard, others).await;
                    return false;
                }
                Company::Untold if look == COMPANY_LOOKS => {}
                Company::Untold => {
                    if !self.stay(pauses.pause(Duration::ZERO)).await {
                        return false;
                    }
                }
            }
        }
        crash_point("onboard: company seen");
        true
    }

    /// Asks whoever asked for the sources, and ends the command: a yes is another one.
    async fn ask_for_all(&self, claimed: &Claimed, onboard: &Onboard, others: Others) {
        let question = reply::onboarding::for_all(others, onboard.sources.len(), &claimed.id);
        let Some(ending) = self.reported(claimed, &question).await else { return };
        crash_point("onboard: reported");
        let stage = Stage::Tell { notice: Problem::Shared(others).into(), connection: None };
        self.close_onboarding(claimed, onboard, stage.over(ending), ending).await;
    }
}
