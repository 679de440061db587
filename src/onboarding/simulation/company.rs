//! Mirrors `permission::company`: the look at a channel before anything is made for it. That an answer is kept
//! for a while does not matter here: with whom a channel is shared stays as it is.

use super::Fate;
use super::job::Job;
use super::process::Bot;
use crate::journal::{Company, Others, PostFailure};

/// As in `permission::company`, in ms.
const PATIENCE: i64 = 2_000;

impl Bot {
    /// `Gate::company`.
    pub(super) async fn company(&self, job: &Job) -> Company {
        let fate = {
            let world = &mut *self.world();
            if !world.slack.shows_company {
                return Company::Hidden;
            }
            let too_late = world.now + PATIENCE;
            match world.slack.fate(world.now, &mut world.dice) {
                fate if fate.answer_at <= too_late => fate,
                _ => Fate { work_at: None, answer_at: too_late, instead: Some(PostFailure::Unclear) },
            }
        };
        let channel = job.channel;
        let crowded = self.call(fate, move |world| world.slack.crowded[channel]).await;
        let company = match crowded {
            Ok(true) => return Company::Many(Others { connected: 2, invited: 0 }),
            Ok(false) => return Company::Few,
            Err(PostFailure::Refused(_)) => Company::Hidden,
            Err(_) => Company::Untold,
        };
        self.world().commands[job.command].unseen += 1;
        company
    }
}
