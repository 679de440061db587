//! What Fivetran says of the sample's connection, and why it says nothing.
//!
//! Owns these answers. Must not know a sentence.

use super::Sample;
use crate::command::status::View;
use crate::fivetran::model::{ApiMessage, SetupState, SetupTest, Status, SyncState, Task};
use crate::fivetran::tasks::Cause;
use crate::journal::Problem;
use crate::life::{Link, State, Trouble};
use crate::outbound::Obstacle;

impl Sample {
    /// A broken one's trouble.
    pub(super) fn trouble(&self, cause: Cause) -> Trouble {
        Trouble { cause, tasks: self.tasks(cause), tested: false }
    }

    /// What Fivetran says of it.
    fn tasks(&self, cause: Cause) -> Vec<Task> {
        let (code, message, details) = match cause {
            Cause::Access => ("reconnect", "Reconnect", "The password was changed."),
            Cause::Sync => ("sync_failed", "Sync failed", "The table orders was locked."),
            Cause::Destination => {
                ("destination_unreachable", "Destination unreachable", "The warehouse is suspended.")
            }
            Cause::Transformation => {
                ("transformation_failed", "Transformation failed", "A dbt model failed.")
            }
            Cause::Account => ("plan_ended", "Plan ended", "Your Fivetran trial has ended."),
            Cause::Network => ("sync_failed", "Sync failed", "Connection refused by the source's firewall."),
            Cause::Unknown => ("resync_table_warning", "Re-sync a table", "The table orders has changed."),
        };
        let ordinary =
            || Task { code: code.to_owned(), message: message.to_owned(), details: details.to_owned() };
        self.long_tasks.clone().unwrap_or_else(|| vec![ordinary()])
    }

    /// The link of a connection that does not work for this reason.
    pub(in super::super) fn broken_by(&self, cause: Cause) -> Link {
        Link { trouble: Some(self.trouble(cause)), ..self.link(State::Broken) }
    }

    /// The link of a connection of which Fivetran says no more than this.
    pub(in super::super) fn broken_for_unknown(&self, said: Option<&str>) -> Link {
        let task = |said: &str| Task {
            code: "sync_failed".to_owned(),
            message: "Sync failed".to_owned(),
            details: said.to_owned(),
        };
        let tasks = said.map(task).into_iter().collect();
        Link {
            trouble: Some(Trouble { cause: Cause::Unknown, tasks, tested: true }),
            ..self.link(State::Broken)
        }
    }

    /// Why Fivetran could not be asked how a connection stands.
    pub(in super::super) fn unseen(&self) -> Vec<(&'static str, Problem)> {
        let said = |message: &str| ApiMessage { code: "Code".to_owned(), message: message.to_owned() };
        vec![
            ("key-rejected", Problem::KeyRejected),
            ("forbidden", Problem::Forbidden(said("The key has no permission for this operation."))),
            ("group-unknown", Problem::GroupUnknown(said("Cannot find group with id 'sandbox_group'"))),
            ("unpaid", Problem::Declined { status: 402, said: said("Your Fivetran trial has ended.") }),
            ("refused", Problem::Declined { status: 410, said: said("Not any more.") }),
            ("rate-limited", Problem::RateLimited { retry_after_s: Some(90) }),
            ("too-large", Problem::TooLarge { limit_mb: 8 }),
            ("blocked", Problem::Blocked(Obstacle::Redirect { status: 302 })),
            ("odd", Problem::Blocked(Obstacle::OddShape)),
        ]
    }

    /// A connection that does not work, of which only a test of its setup says why.
    pub(in super::super) fn failed_login(&self) -> View {
        let test = SetupTest {
            title: "Validate Login".to_owned(),
            status: "FAILED".to_owned(),
            message: "Invalid login credentials.".to_owned(),
            details: String::new(),
        };
        let status = Status { setup_state: SetupState::Broken, ..Status::default() };
        View::Seen { status, tests: Some(vec![test]) }
    }

    /// A connection of which Fivetran says nothing.
    pub(in super::super) fn untold(&self) -> View {
        View::Seen { status: Status::default(), tests: None }
    }

    /// What Fivetran says of a link in a state.
    pub(in super::super) fn view(&self, state: State) -> View {
        let (setup_state, sync_state) = match state {
            State::Connected => (SetupState::Connected, SyncState::Syncing),
            State::Lapsed => (SetupState::Connected, SyncState::Scheduled),
            State::Broken => (SetupState::Broken, SyncState::Paused),
            _ => (SetupState::Incomplete, SyncState::Scheduled),
        };
        let status = Status {
            setup_state,
            sync_state,
            is_historical_sync: state == State::Connected,
            tasks: if state == State::Broken { self.tasks(Cause::Access) } else { Vec::new() },
            warnings: if state == State::Connected { vec![self.warning.clone()] } else { Vec::new() },
        };
        View::Seen { status, tests: None }
    }
}
