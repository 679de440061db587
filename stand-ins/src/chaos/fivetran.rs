//! How Fivetran was seen to answer, and what answers in its place.
//!
//! Owns those rows of the table. Must not know what the bot makes of them.

use std::time::Duration;

use serde_json::json;

use super::Row;
use crate::fault::{Coding, Fault};

/// Every call under a key.
const ALL: &[&str] = &[
    "account",
    "connect_card",
    "connector_type",
    "create_connection",
    "delete_connection",
    "get_connection",
    "group",
    "list_connections",
    "list_page",
    "sync_connection",
];
const CREATE: &[&str] = &["create_connection"];
const SYNC: &[&str] = &["sync_connection"];
const ACCOUNT: &[&str] = &["account"];
const CATALOGUE: &[&str] = &["connector_types"];

/// Who documents or saw it.
const CODES: &str = "fivetran.com/docs/rest-api/getting-started/api-response-codes";
const HTTP: &str = "RFC 9110, 15: what a server, or something before it, may answer to anything";
const GATEWAY: &str = "a gateway or a content network before the API, in its own words";
const PROXY: &str = "a company's proxy that inspects what passes";
const NETWORK: &str = "any network";
const LIMITS: &str = "fivetran.com/docs/rest-api/getting-started/rate-limiting; RFC 9110, 10.2.3";

/// Longer than Fivetran's own limit of a minute.
const NEVER: Duration = Duration::from_secs(120);
const BLOCKED: &str = "<html><head><title>Blocked by policy</title></head></html>";
const BROKEN: &str = "<html><head><title>Error</title></head></html>";

fn says(status: u16, code: &str, message: &str) -> Fault {
    Fault::Says(status, json!({ "code": code, "message": message }))
}

fn throttled(retry_after: &str) -> Fault {
    Fault::Throttled { retry_after: Some(retry_after.to_owned()) }
}

fn slow(seconds: u64, then: Fault) -> Fault {
    Fault::Slow(Duration::from_secs(seconds), Box::new(then))
}

fn done(then: Fault) -> Fault {
    Fault::Done(Box::new(then))
}

const fn row(
    name: &'static str,
    routes: &'static [&'static str],
    fault: fn() -> Fault,
    source: &'static str,
) -> Row {
    Row { name, partner: super::Partner::Fivetran, routes, fault, source }
}

/// Rows of the table.
pub(super) const ROWS: &[Row] = &[
    // Fivetran itself refuses.
    row("fivetran-400", ALL, || Fault::Status(400), CODES),
    row("fivetran-401", ALL, || Fault::Status(401), CODES),
    row("fivetran-403", ALL, || Fault::Status(403), CODES),
    row("fivetran-405", ALL, || says(405, "MethodNotAllowed", "HTTP 405 Method Not Allowed"), CODES),
    row("fivetran-406", ALL, || says(406, "NotAcceptable", "HTTP 406 Not Acceptable"), CODES),
    row("fivetran-409", ALL, || Fault::Status(409), CODES),
    row("fivetran-410", ALL, || says(410, "Gone", "HTTP 410 Gone"), HTTP),
    row("fivetran-413", ALL, || says(413, "PayloadTooLarge", "HTTP 413 Request Entity Too Large"), HTTP),
    row("fivetran-415", ALL, || says(415, "UnsupportedMediaType", "HTTP 415 Unsupported Media Type"), CODES),
    row("fivetran-422", ALL, || says(422, "InvalidInput", "Invalid value of field 'schema'"), HTTP),
    row("fivetran-423", ALL, || says(423, "Locked", "The destination is locked for maintenance"), HTTP),
    row("fivetran-451", ALL, || says(451, "Unavailable", "Unavailable for legal reasons"), HTTP),
    row(
        "fivetran-name-taken-unseen",
        CREATE,
        || says(409, "Conflict", "Connection with schema name 'acme' already exists"),
        "fivetran.com/docs/core-concepts/no-renaming: of a connection that the key cannot see",
    ),
    row(
        "fivetran-group-unknown",
        CREATE,
        || says(404, "NotFound_Group", "Cannot find group with id 'x'"),
        "fivetran-openapi.json, POST /v1/connections",
    ),
    row(
        "fivetran-key-without-permission",
        CREATE,
        || says(403, "Forbidden", "Access denied. Required permission: CONNECTOR_MANAGE"),
        "airflow-provider-fivetran-async, issue 60: the words, there with ACCOUNT_READ",
    ),
    row(
        "fivetran-account-not-readable",
        ACCOUNT,
        || says(403, "Forbidden", "Access denied. Required permission: ACCOUNT_READ"),
        "airflow-provider-fivetran-async, issue 60: of a user whose role is a destination's",
    ),
    row(
        "fivetran-sync-running",
        SYNC,
        || says(409, "Conflict", "Sync is already in progress"),
        "api-response-codes: a 409 is any conflict with the present state, such as a sync that runs",
    ),
    row(
        "fivetran-sync-forbidden",
        SYNC,
        || says(403, "Forbidden", "User does not have permission to perform this action"),
        "fivetran-openapi.json, POST /v1/connections/{id}/sync",
    ),
    // It asks for a pause.
    row("fivetran-pause-of-seconds", ALL, || throttled("30"), LIMITS),
    row("fivetran-pause-of-an-hour", ALL, || throttled("3600"), LIMITS),
    row("fivetran-pause-until-a-date", ALL, || throttled("Fri, 31 Dec 2100 23:59:59 GMT"), LIMITS),
    row("fivetran-pause-unsaid", ALL, || Fault::Throttled { retry_after: None }, LIMITS),
    row("fivetran-pause-absurd", ALL, || throttled("99999999999"), LIMITS),
    // It does not say what it did.
    row(
        "fivetran-500-done",
        CREATE,
        || done(Fault::Status(500)),
        "fivetran.com/docs/rest-api/troubleshooting/pause-connector-500-error: 500 for what was done",
    ),
    row(
        "fivetran-500-done-after-40-s",
        CREATE,
        || slow(40, done(Fault::Status(500))),
        "fivetran.com/docs/rest-api/troubleshooting/pause-connector-500-error: up to a minute",
    ),
    row("fivetran-500", ALL, || Fault::Status(500), CODES),
    row("fivetran-501", ALL, || Fault::Status(501), HTTP),
    row("fivetran-503", ALL, || Fault::Status(503), CODES),
    row("fivetran-408", ALL, || Fault::Page(408, BROKEN), HTTP),
    row("fivetran-425", ALL, || Fault::Page(425, BROKEN), HTTP),
    row("fivetran-502", ALL, || Fault::Page(502, BROKEN), GATEWAY),
    row("fivetran-504", ALL, || Fault::Page(504, BROKEN), GATEWAY),
    row("fivetran-504-done", CREATE, || done(Fault::Page(504, BROKEN)), GATEWAY),
    row("fivetran-520", ALL, || Fault::Page(520, BROKEN), GATEWAY),
    row("fivetran-522", ALL, || Fault::Page(522, BROKEN), GATEWAY),
    row("fivetran-524", ALL, || Fault::Page(524, BROKEN), GATEWAY),
    row("fivetran-598", ALL, || Fault::Page(598, BROKEN), PROXY),
    row("fivetran-empty", ALL, || Fault::Empty, PROXY),
    row("fivetran-204", ALL, || Fault::Bare(204), PROXY),
    row("fivetran-cut", ALL, || Fault::Truncated, NETWORK),
    row("fivetran-dropped-before", ALL, || Fault::DropBefore, NETWORK),
    row("fivetran-dropped-after", ALL, || Fault::DropAfter, NETWORK),
    row("fivetran-reset", ALL, || Fault::Reset, NETWORK),
    row("fivetran-slow-head", ALL, || Fault::SlowAfter(NEVER), NETWORK),
    row("fivetran-slow-body", ALL, || Fault::SlowBody(NEVER), NETWORK),
    row("fivetran-gzip", ALL, || Fault::Coded(Coding::Gzip), PROXY),
    row("fivetran-byte-order-mark", ALL, || Fault::Coded(Coding::ByteOrderMark), PROXY),
    row("fivetran-wrong-charset", ALL, || Fault::Coded(Coding::WrongCharset), PROXY),
    row("fivetran-large", ALL, || Fault::Padded(405_000), "an account whose details were so large"),
    row("fivetran-too-large", LOOK_AND_ACT, || Fault::Padded(9 << 20), "more than any account has"),
    // Somebody else answers.
    row(
        "fivetran-route-not-found",
        ALL,
        || says(404, "NotFound", "Not found"),
        "airflow-provider-fivetran-async, issue 217: of connections that exist",
    ),
    row(
        "fivetran-gateway-404",
        ALL,
        || Fault::Page(404, "<html><head><title>404 Not Found</title></head></html>"),
        "fivetran_connector_sdk, issue 547: a gateway's page",
    ),
    row("fivetran-proxy-403", ALL, || Fault::Page(403, BLOCKED), PROXY),
    row("fivetran-proxy-401", ALL, || Fault::Page(401, BLOCKED), PROXY),
    row("fivetran-proxy-405", ALL, || Fault::Page(405, BLOCKED), PROXY),
    row("fivetran-proxy-407", ALL, || Fault::Page(407, BLOCKED), PROXY),
    row("fivetran-proxy-451", ALL, || Fault::Page(451, BLOCKED), PROXY),
    row("fivetran-portal-511", ALL, || Fault::Page(511, BLOCKED), "RFC 6585, 6"),
    row("fivetran-portal-302", ALL, || Fault::Elsewhere(302), "a network that wants somebody to sign in"),
    row("fivetran-portal-307", ALL, || Fault::Elsewhere(307), "a network that wants somebody to sign in"),
    row("fivetran-moved-301", ALL, || Fault::Elsewhere(301), "an address without its https"),
    row("fivetran-moved-308", ALL, || Fault::Elsewhere(308), "an address without its https"),
    row("fivetran-portal-200", ALL, || Fault::NotJson, "a network's page in the place of any answer"),
    row(
        "fivetran-other-json",
        ALL,
        || Fault::Instead("{}"),
        "JSON with 200 of something that is not Fivetran",
    ),
    // Its catalogue, which takes no key.
    row("fivetran-catalogue-late", CATALOGUE, || Fault::SlowAfter(NEVER), NETWORK),
    row("fivetran-catalogue-broken", CATALOGUE, || Fault::NotJson, PROXY),
    row("fivetran-catalogue-empty", CATALOGUE, || Fault::Instead(r#"{"code":"Success","data":[]}"#), HTTP),
    row("fivetran-catalogue-down", CATALOGUE, || Fault::Status(503), CODES),
];

/// What one connection's answers can be too large for.
const LOOK_AND_ACT: &[&str] = &["create_connection", "get_connection", "list_connections", "connect_card"];
