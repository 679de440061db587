//! What a connection has to have done about it, and what a sync does to that.
//!
//! Owns which tasks a sync clears, and which syncs are refused. Must not know HTTP.

use jiff::Timestamp;
use serde_json::{Value, json};

/// A task as Fivetran sends it: `details` is null where there is none.
/// <https://fivetran.com/docs/rest-api/api-reference/connections/connection-details>
#[must_use]
pub fn task(code: &str, message: &str, details: &str) -> Value {
    json!({ "code": code, "message": message, "details": Some(details).filter(|it| !it.is_empty()) })
}

/// A task that was seen, or is documented, under a name that a test can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// In kebab case, unique in the table.
    pub name: &'static str,
    /// Its code, its label, and its details; those can be empty.
    pub task: [&'static str; 3],
    /// Who saw or documents it.
    pub source: &'static str,
}

/// Every task that can be asked for.
pub const SEEN: &[Seen] = &[
    Seen {
        name: "access-lost",
        task: ["reconnect", "Reconnect", "Credentials were rejected by the source."],
        source: "fivetran-openapi.json, the example of a broken connection",
    },
    Seen {
        name: "access-lost-and-no-more-said",
        task: ["reconnect", "Reconnect", ""],
        source: "terraform-provider-fivetran, the mocks of its tests",
    },
    Seen {
        name: "service-account-to-be-updated",
        task: ["update_service_account", "Update Service Account", ""],
        source: "pyatlan, the task types of a failed sync",
    },
    Seen {
        name: "too-many-connections",
        task: ["reconnect", "Reconnect", "FATAL: too many connections for role \"fivetran\""],
        source: "DataHub, the fixture of a failed sync",
    },
    Seen {
        name: "table-locked",
        task: ["reconnect", "Reconnect", "Table orders is locked by another transaction"],
        source: "airflow-provider-fivetran-async, issue 234: what a sync clears is no setup",
    },
    Seen {
        name: "sync-failed",
        task: ["unknown_sync_failure", "Unknown Sync Failure", "One of three endpoints was unavailable."],
        source: "connection-errors, the common codes; airflow-provider-fivetran-async, issue 234",
    },
    Seen {
        name: "warehouse-too-small",
        task: ["reconnect_warehouse", "Reconnect Warehouse", "innodb_buffer_pool_size is very low"],
        source: "a sync_end event that somebody has posted, 2023",
    },
    Seen {
        name: "sync-met-a-closed-door",
        task: [
            "unknown_sync_failure",
            "Unknown Sync Failure",
            "FATAL: password authentication failed for user \"fivetran\"",
        ],
        source: "the words are Postgres's own; a sync's code says nothing of access",
    },
    Seen {
        name: "destination-rejects-us",
        task: ["reconnect", "Reconnect", "The destination Snowflake rejected the password of FIVETRAN_USER"],
        source: "none: details are free text, which says more than the code",
    },
    Seen {
        name: "account-suspended",
        task: ["reconnect", "Reconnect", "Your Fivetran account is suspended because the trial has ended"],
        source: "none: the same",
    },
    Seen {
        name: "source-behind-a-firewall",
        task: ["reconnect", "Reconnect", "Connection refused: the host is not reachable (firewall)"],
        source: "none: the same",
    },
    Seen {
        name: "transformation-without-permission",
        task: ["transformation_permission_denied", "Transformation", "A dbt model failed"],
        source: "none: codes are not listed anywhere",
    },
    Seen {
        name: "resync-table",
        task: ["resync_table_warning", "Resync Table Warning", ""],
        source: "fivetran-openapi.json, ConnectionTask",
    },
    Seen {
        name: "code-of-tomorrow",
        task: ["code_of_tomorrow", "Something New", "Nobody has seen this yet."],
        source: "none: codes are not listed anywhere",
    },
];

/// The task of this name.
#[must_use]
pub fn seen(name: &str) -> Option<&'static Seen> {
    SEEN.iter().find(|seen| seen.name == name)
}

/// Whether a sync that went well leaves nothing of a task with this code: what syncs leave behind
/// another one clears, and no sync goes well without access to both ends.
/// <https://github.com/astronomer/airflow-provider-fivetran-async/issues/234>
#[must_use]
pub fn clears(code: &str) -> bool {
    !matches!(code, "reconnect" | "update_service_account" | "reconnect_warehouse")
}

/// Why a sync does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSync {
    Unfinished,
    Paused,
    Running,
}

/// `POST /v1/connections/{id}/sync`. Without `force` nothing happens to a sync that runs; that it is a
/// conflict is how the documents of response codes put it.
/// <https://fivetran.com/docs/rest-api/getting-started/api-response-codes>
pub(crate) fn begin_sync(connection: &mut Value, force: bool) -> Result<(), NoSync> {
    let state = |connection: &Value, field: &str| -> String {
        connection["status"][field].as_str().unwrap_or_default().to_owned()
    };
    if state(connection, "setup_state") == "incomplete" {
        return Err(NoSync::Unfinished);
    }
    if connection["paused"] == json!(true) {
        return Err(NoSync::Paused);
    }
    if state(connection, "sync_state") == "syncing" && !force {
        return Err(NoSync::Running);
    }
    connection["status"]["sync_state"] = json!("syncing");
    Ok(())
}

/// The sync has ended; what was left of the ones before it is gone if it could work at all.
pub(crate) fn end_sync(connection: &mut Value, now: Timestamp) {
    connection["status"]["sync_state"] = json!("scheduled");
    let tasks = connection["status"]["tasks"].as_array().cloned().unwrap_or_default();
    let stays = |task: &Value| !clears(task["code"].as_str().unwrap_or_default());
    if tasks.iter().any(stays) {
        connection["failed_at"] = json!(now.to_string());
        return;
    }
    connection["status"]["tasks"] = json!([]);
    connection["status"]["setup_state"] = json!("connected");
    connection["succeeded_at"] = json!(now.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(code: &str) -> Value {
        json!({ "paused": false, "status": {
            "setup_state": "broken", "sync_state": "scheduled", "tasks": [task(code, "Label", "")],
        } })
    }

    #[test]
    fn every_task_that_was_seen_has_a_name_of_its_own_and_a_source() {
        let names: std::collections::BTreeSet<_> = SEEN.iter().map(|seen| seen.name).collect();
        assert_eq!(names.len(), SEEN.len());
        assert!(SEEN.iter().all(|it| !it.source.is_empty() && seen(it.name).is_some()));
    }

    #[test]
    fn a_sync_clears_what_syncs_have_left_and_nothing_else() {
        for (code, state) in [("unknown_sync_failure", "connected"), ("reconnect", "broken")] {
            let mut connection = broken(code);
            begin_sync(&mut connection, false).unwrap();
            assert_eq!(connection["status"]["sync_state"], "syncing");
            end_sync(&mut connection, Timestamp::UNIX_EPOCH);
            assert_eq!(connection["status"]["setup_state"], state, "{code}");
        }
    }

    #[test]
    fn a_sync_that_runs_a_pause_and_an_unfinished_setup_refuse_another() {
        let mut syncing = broken("x");
        begin_sync(&mut syncing, false).unwrap();
        assert_eq!(begin_sync(&mut syncing, false), Err(NoSync::Running));
        assert!(begin_sync(&mut syncing, true).is_ok());
        let mut paused = broken("x");
        paused["paused"] = json!(true);
        assert_eq!(begin_sync(&mut paused, false), Err(NoSync::Paused));
        let mut unfinished = broken("x");
        unfinished["status"]["setup_state"] = json!("incomplete");
        assert_eq!(begin_sync(&mut unfinished, false), Err(NoSync::Unfinished));
    }
}
