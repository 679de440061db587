//! A new command as the statements read it that insert it, or make sure that it is not there.
//!
//! Owns the names of its columns in JSON. Must not know what is done with it.

use serde::Serialize;

use super::StoreError;

/// A new row, as the statement reads it.
#[derive(Clone, Serialize)]
pub(super) struct NewRow {
    pub(super) id: String,
    pub(super) dedup: String,
    pub(super) subject: String,
    pub(super) team_id: String,
    pub(super) channel_id: String,
    pub(super) user_id: String,
    pub(super) request: String,
    pub(super) response_url: String,
    pub(super) stage: &'static str,
    pub(super) connection_id: Option<String>,
    pub(super) existed: u8,
    pub(super) accepted_at: i64,
}

/// Rows as the parameter of a statement.
pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|_| StoreError::Refused("a row that is no JSON".to_owned()))
}
