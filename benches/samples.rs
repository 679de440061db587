//! What the benchmarks work with: one command as Slack sends it, and what becomes of it.
//!
//! Owns the samples and a database with as many rows as asked for. Must not measure anything.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that meets what it did not expect ends"
)]

use std::time::Duration;

use connect_card::fivetran::catalog::Catalog;
use connect_card::fivetran::model::ConnectCard;
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::journal::Progress;
use connect_card::life::{Connection, Link, Reminded, State};
use connect_card::store::{Accepted, DatabaseUrl, NewCommand, Options, Store};
use connect_card::telemetry::Metrics;
use connect_card::work::{Confirmed, Request, Work};
use jiff::Timestamp;
use ring::hmac;
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

/// Slack's own example of a signing secret.
/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>
pub const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// When everything happens.
pub const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// Where a response_url may point.
pub const ORIGIN: &str = "https://hooks.slack.com";

/// The body of a slash command.
#[must_use]
pub fn body() -> Vec<u8> {
    b"token=gIkuvaNzQIHg97ATvDxqgjtO&team_id=T0001&team_domain=example&enterprise_id=E0001\
      &enterprise_name=Globular%20Construct%20Inc&channel_id=C2147483705&channel_name=acme\
      &user_id=U2147483697&user_name=steve&command=%2Fconnect-card&text=adwords%20customer_schema\
      &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT0001%2F1234%2F5678\
      &trigger_id=13345224609.738474920.8088930838d88f008e0&api_app_id=A123456"
        .to_vec()
}

/// The header of its signature, made at [`NOW`].
#[must_use]
pub fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let mut signed = format!("v0:{}:", NOW.as_second()).into_bytes();
    signed.extend_from_slice(body);
    let hex = hmac::sign(&key, &signed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("v0={hex}")
}

/// What that command asks for.
#[must_use]
pub fn request(schema: &str) -> Request {
    let catalog = Catalog::built_in();
    let service = catalog.get("google_ads").unwrap();
    Request {
        service: service.id.clone(),
        service_name: service.name.clone(),
        kind: Some(SchemaKind::Schema),
        retired: Some("adwords".to_owned()),
        target: Target::parse(schema).unwrap(),
        group_id: "group".to_owned(),
        destination: None,
        slash: "/connect-card".to_owned(),
        in_direct_message: false,
        confirmed: Confirmed::No,
        for_all: false,
        by_channel: false,
        customer: None,
        onboarding: None,
    }
}

/// A Connect Card.
#[must_use]
pub fn card() -> ConnectCard {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE4MDAwMDAwMDB9.c2lnbmF0dXJl";
    let uri = format!("https://fivetran.com/connect-card/setup?auth={token}");
    serde_json::from_value(json!({ "uri": uri, "token": token })).unwrap()
}

/// A connection whose link waits.
#[must_use]
pub fn connection() -> Connection {
    let request = request("customer_schema");
    Connection {
        key: request.key(),
        link: Link {
            id: "0EXAMPLE00".to_owned(),
            connection_id: "warn_enormously".to_owned(),
            team_id: "T0001".to_owned(),
            channel_id: "C2147483705".to_owned(),
            requester: Some("U2147483697".to_owned()),
            request,
            message_id: "0EXAMPLE00".to_owned(),
            message: None,
            state: State::Waiting,
            detail: None,
            trouble: None,
            posted_at: NOW,
            expires_at: NOW + Duration::from_secs(24 * 60 * 60),
            changed_at: NOW,
            reminded: Reminded::default(),
            purpose: None,
            landed_at: None,
            onboarding: None,
        },
        generation: 1,
        posting: None,
        look_at: None,
        looks: 0,
        missing_since: None,
        seen: None,
    }
}

/// A command to accept, the `n`th.
#[must_use]
pub fn command(n: usize) -> NewCommand {
    let work = Work::Connect(request(&format!("customer_{n}")));
    NewCommand {
        id: format!("{n:010}"),
        dedup: format!("{n:064x}"),
        subject: work.subject(),
        team_id: "T0001".to_owned(),
        channel_id: "C2147483705".to_owned(),
        user_id: "U2147483697".to_owned(),
        request: serde_json::to_string(&work).unwrap(),
        response_url: Some(SecretString::from(format!("{ORIGIN}/commands/T0001/1234/{n}"))),
        progress: Progress::default(),
        accepted_at: NOW,
    }
}

/// An SQLite database. The folder goes with it.
pub async fn store() -> (Store, TempDir) {
    // On the disk that is built on: a folder for what is temporary is often in memory, where a sync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("bot.db"));
    let secrets = [SecretString::from(SECRET)];
    let (lease, metrics) = (Duration::from_secs(60 * 60), Metrics::default());
    let store = Store::open(Options { url: &url, secrets: &secrets, lease, metrics }).await.unwrap();
    (store, folder)
}

/// Accepts the `n`th command, or ends.
pub async fn accept(store: &Store, n: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    assert!(matches!(store.accept(command(n), until).await, Ok(Accepted::Committed(_))));
}
