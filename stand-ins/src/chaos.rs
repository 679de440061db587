//! The table of behaviours in the wild: what each partner, or something on the way to it, was seen
//! to do, under a name that a test or a person can ask for.
//!
//! Owns the names and what each stands for on the wire. Must not know what the bot makes of it.

mod slack;

use serde_json::json;

use crate::fault::{Fault, Faults};

/// Whose calls a row concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    /// Calls to Fivetran.
    Fivetran,
    /// Calls to Slack.
    Slack,
}

/// One behaviour in the wild.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What to ask for, in kebab case, unique in the table.
    pub name: &'static str,
    /// Whose calls it concerns.
    pub partner: Partner,
    /// The routes that behave so, by the names that the stand-in counts calls by.
    pub routes: &'static [&'static str],
    /// How they behave.
    pub fault: fn() -> Fault,
    /// Who saw or documents it.
    pub source: &'static str,
}

/// For how long a behaviour lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// For so many calls of each of its routes.
    Calls(usize),
    /// Until `heal`.
    UntilHealed,
}

/// Every behaviour that can be asked for, without those in which Slack refuses (`slack`).
pub const TABLE: &[Row] = &[
    Row {
        name: "fivetran-route-not-found",
        partner: Partner::Fivetran,
        routes: &["get_connection"],
        fault: || Fault::Says(404, json!({ "code": "NotFound", "message": "Not found" })),
        source: "airflow-provider-fivetran-async, issue 217: of connections that exist",
    },
    Row {
        name: "fivetran-sync-running",
        partner: Partner::Fivetran,
        routes: &["sync_connection"],
        fault: || Fault::Says(409, json!({ "code": "Conflict", "message": "Sync is already in progress" })),
        source: "api-response-codes: a 409 is any conflict with the present state, such as a sync that runs",
    },
    Row {
        name: "fivetran-sync-forbidden",
        partner: Partner::Fivetran,
        routes: &["sync_connection"],
        fault: || {
            let message = "User does not have permission to perform this action";
            Fault::Says(403, json!({ "code": "Forbidden", "message": message }))
        },
        source: "fivetran-openapi.json, POST /v1/connections/{id}/sync",
    },
    Row {
        name: "fivetran-gateway-404",
        partner: Partner::Fivetran,
        routes: &["get_connection"],
        fault: || Fault::Page(404, "<html><head><title>404 Not Found</title></head></html>"),
        source: "fivetran_connector_sdk, issue 547: a gateway's page",
    },
    Row {
        name: "fivetran-key-without-permission",
        partner: Partner::Fivetran,
        routes: &["create_connection"],
        fault: || {
            let message = "Access denied. Required permission: CONNECTOR_MANAGE";
            Fault::Says(403, json!({ "code": "Forbidden", "message": message }))
        },
        source: "airflow-provider-fivetran-async, issue 60: the words, there with ACCOUNT_READ",
    },
    Row {
        name: "fivetran-account-not-readable",
        partner: Partner::Fivetran,
        routes: &["account"],
        fault: || {
            let message = "Access denied. Required permission: ACCOUNT_READ";
            Fault::Says(403, json!({ "code": "Forbidden", "message": message }))
        },
        source: "airflow-provider-fivetran-async, issue 60: of a user whose role is a destination's",
    },
];

fn all() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().chain(slack::REFUSALS)
}

/// The row of this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static Row> {
    all().find(|row| row.name == name)
}

/// Lets a stand-in behave so.
///
/// # Panics
///
/// If no row has this name, or it is another partner's: a test that asks for it is wrong.
#[expect(clippy::panic, reason = "only tests call it, and theirs is the mistake")]
pub(crate) fn befall(faults: &mut Faults, partner: Partner, name: &str, lasts: Lasts) {
    let row = row(name).filter(|row| row.partner == partner);
    let Some(row) = row else { panic!("{partner:?} has no behaviour called {name}") };
    for route in row.routes {
        match lasts {
            Lasts::Calls(times) => faults.fail_next(route, (row.fault)(), times),
            Lasts::UntilHealed => faults.fail_always(route, (row.fault)()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_routes_and_a_source() {
        let names: BTreeSet<_> = all().map(|row| row.name).collect();
        assert_eq!(names.len(), all().count());
        for row in all() {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(row.name.chars().all(kebab), "{}", row.name);
            assert!(!row.routes.is_empty() && !row.source.is_empty(), "{}", row.name);
        }
    }

    #[test]
    #[should_panic(expected = "no behaviour called fivetran-gateway-404")]
    fn a_behaviour_of_the_other_partner_cannot_be_asked_for() {
        befall(&mut Faults::default(), Partner::Slack, "fivetran-gateway-404", Lasts::UntilHealed);
    }
}
