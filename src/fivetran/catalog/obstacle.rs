//! Services that a customer cannot set up by a Connect Card alone, and why.
//!
//! Owns how they are known: by what Fivetran's catalogue says of a service, else by a list. It must
//! not know what a person is told.

use super::Row;

/// Why a link alone is of no use for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It runs the account's own code, which has to be uploaded first.
    /// <https://fivetran.com/docs/connector-sdk/tutorials/connect-card-support>
    OwnCode,
    /// It calls a function in somebody's cloud, which has to be written first, and accounts made since
    /// July 2025 have no such services. <https://fivetran.com/docs/functions/aws-lambda>
    Function,
    /// It needs an agent beside the database.
    /// <https://fivetran.com/docs/connectors/databases/oracle/hva-oracle/setup-guide>
    Agent,
    /// Fivetran adds it to every destination by itself, and there is nothing to sign in to.
    /// <https://fivetran.com/docs/logs/fivetran-log/setup-guide>
    Automatic,
    /// Fivetran's catalogue does not say `API_CONFIGURABLE` of it.
    /// <https://fivetran.com/docs/rest-api/troubleshooting/unsupported-connector-service>
    NotByApi,
}

/// Of a service that is known by its id alone.
pub(super) fn of_id(id: &str) -> Option<Obstacle> {
    match id {
        "connector_sdk" => Some(Obstacle::OwnCode),
        "aws_lambda" | "azure_function" | "google_cloud_function" => Some(Obstacle::Function),
        "fivetran_log" => Some(Obstacle::Automatic),
        id if id.split('_').any(|word| word == "hva") => Some(Obstacle::Agent),
        _ => None,
    }
}

/// Of a service as Fivetran's catalogue lists it. `features_are_told`: some service there is said to be
/// configurable by the API, so that not to be said so means something.
pub(super) fn of_row(row: &Row, features_are_told: bool) -> Option<Obstacle> {
    let by_type = match row.category.as_deref() {
        Some("Function") => Some(Obstacle::Function),
        Some("Hvr") => Some(Obstacle::Agent),
        _ => None,
    };
    let not_by_api = features_are_told && row.by_api == Some(false);
    of_id(&row.id).or(by_type).or(not_by_api.then_some(Obstacle::NotByApi))
}
