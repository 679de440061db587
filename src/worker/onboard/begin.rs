//! Whether the sources of a command are made: not if it is too old, nor unasked where several organisations are in
//! the channel.
//!
//! Owns that this is seen once for all of them. For one source by itself [`crate::journal`] has the rules, which are
//! the same.

use std::time::Duration;

use slack_morphism::prelude::SlackMessageContent;

use crate::crash::crash_point;
use crate::journal::{COMPANY_LOOKS, CREATE_DEADLINE, Company, Problem, Stage};
use crate::onboarding::Posting;
use crate::reply;
use crate::store::Claimed;
use crate::work::Onboard;
use crate::worker::Worker;

impl Worker {
    /// Whether its sources may be made. If not, whoever asked has been told why, or the command is somebody else's,
    /// or the bot stops.
    pub(super) async fn may_begin(&self, claimed: &Claimed, onboard: &Onboard) -> bool {
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
        // As of one source by itself, nothing is made so late.
        if self.parts.clock.now().duration_since(claimed.accepted_at) >= CREATE_DEADLINE {
            let said = reply::onboarding::out_of_time(onboard.sources.len(), &claimed.id);
            self.declines(claimed, onboard, &said, Problem::OutOfTime).await;
            return false;
        }
        if !onboard.is_for_few() || !self.parts.links.delivery.shows_all() {
            return true;
        }
        for look in 1..=COMPANY_LOOKS {
            match self.parts.gate.company(&claimed.channel_id, self.parts.clock.now()).await {
                Company::Few | Company::Hidden => break,
                // A yes is another command.
                Company::Many(others) => {
                    let question = reply::onboarding::for_all(others, onboard.sources.len(), &claimed.id);
                    self.declines(claimed, onboard, &question, Problem::Shared(others)).await;
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

    /// Tells whoever asked why none of it is made, and ends the command.
    async fn declines(&self, claimed: &Claimed, onboard: &Onboard, said: &SlackMessageContent, why: Problem) {
        let Some(ending) = self.reported(claimed, said).await else { return };
        crash_point("onboard: reported");
        let stage = Stage::Tell { notice: why.into(), connection: None };
        self.close_onboarding(claimed, onboard, stage.over(ending), ending).await;
    }
}
