//! The answers to what was asked privately before a link was posted.
//!
//! Owns who may answer, and that each answer stands beside those that were given before. Must not know why it
//! was asked: that is the command's row's.

use super::{Interactivity, Press, QUESTION_LIFE};
use crate::journal::Progress;
use crate::reply::{self, ask};
use crate::server::accept::Answered;
use crate::server::feedback::Feedback;
use crate::slack::id;
use crate::store::{CommandRow, StoreError};
use crate::work::{Confirmed, Onboard, Request, Work};

/// What a question was answered with. Each adds to what was said to the questions before it.
#[derive(Clone, Copy)]
pub(super) enum Yes {
    /// That the link may go where another channel has one.
    PostHere,
    /// That it may go where several other organisations can use it.
    PostForAll,
    /// That what is connected may be authorised again.
    Reauthorise,
}

impl Press {
    /// Only the person who was asked may answer, where they were asked.
    pub(super) async fn confirm(
        &self,
        route: &Interactivity,
        key: &[u8],
        team_id: &str,
        yes: Yes,
    ) -> Result<Feedback, StoreError> {
        let asked = self.question(route).await?.filter(|asked| {
            asked.user_id == self.user_id
                && asked.channel_id == self.channel_id
                && id::may_be_one(&asked.team_id, team_id)
        });
        let Some(asked) = asked else { return Ok(Feedback::ephemeral(ask::not_yours())) };
        let work = serde_json::from_str::<Work>(&asked.request).ok();
        let several = if work.is_none() { Onboard::from_json(&asked.request) } else { None };
        if route.clock.now().duration_since(asked.accepted_at) > QUESTION_LIFE {
            return Ok(Feedback::replace(ask::too_old()));
        }
        let mut request = match (work, several, yes) {
            (Some(Work::Connect(request)), ..) => request,
            // A renewal asks the same question when its link has moved to another channel. What was said to
            // the command that its link is of was said of that one alone.
            (Some(Work::Renew { request, .. }), ..) => Request { for_all: false, ..request },
            (None, Some(several), Yes::PostForAll) => {
                return Ok(self.set_up(route, key, &asked.team_id, &several.for_all()).await);
            }
            _ => return Ok(Feedback::ephemeral(ask::not_yours())),
        };
        match yes {
            Yes::PostHere => request.confirmed = Confirmed::PostHere,
            Yes::Reauthorise => request.confirmed = Confirmed::Reauthorise,
            Yes::PostForAll => request.for_all = true,
        }
        self.carry_out(route, key, &asked.team_id, Work::Connect(request), Progress::default()).await
    }

    /// Has several sources set up that were asked about.
    async fn set_up(&self, route: &Interactivity, key: &[u8], team_id: &str, onboard: &Onboard) -> Feedback {
        let asked = self.asked(team_id);
        let answered = route.intake.accept_onboard(key, asked, onboard, self.deadline).await;
        let told = match answered {
            Answered::Accepted(_) if self.channel_id != self.pressed_in => {
                reply::accepted_in(&self.channel_id)
            }
            _ => answered.told_several(onboard),
        };
        Feedback::replace(told).counting_as(answered.counts_as())
    }

    /// The command that asked a question.
    pub(super) async fn question(&self, route: &Interactivity) -> Result<Option<CommandRow>, StoreError> {
        let (store, id) = (route.store.clone(), self.value.clone());
        let asked = self.deadline.wait_for(async move { store.command(&id).await }).await;
        asked.unwrap_or(Err(StoreError::Unanswered))
    }
}
