//! A database full of rows, as years of use leave them: nearly all are over or at rest, and what is
//! due is the same few however many there are.

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::fivetran::catalog::ServiceId;
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::store::{DatabaseUrl, Options, Store};
use connect_card::work::{Confirmed, Request};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

use crate::harness::{Engine, postgres};

/// Rows of each kind that are due.
pub(super) const DUE: usize = 200;
/// Connections of the group `g0` that are watched, at the least.
pub(super) const WATCHED: usize = 500;

/// A database that a store has open, and a connection beside it.
pub(super) struct Filled {
    pub(super) store: Store,
    pub(super) beside: Beside,
    _folder: TempDir,
}

/// A connection beside the store's own.
pub(crate) enum Beside {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Both engines, as far as they are there.
pub(crate) fn engines() -> Vec<Engine> {
    let postgres = postgres::shared().map(Engine::Postgres);
    [Engine::Sqlite].into_iter().chain(postgres).collect()
}

impl Filled {
    /// A database with so many rows in each table that grows.
    pub(super) async fn with(engine: Engine, rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filled.db");
        let url = match engine {
            Engine::Sqlite => DatabaseUrl::Sqlite(path.clone()),
            Engine::Postgres(postgres) => DatabaseUrl::Postgres(postgres.database().into()),
        };
        let secrets = [SecretString::from("a secret of nobody's")];
        let lease = Duration::from_secs(60);
        let store = Store::open(Options {
            url: &url,
            secrets: &secrets,
            lease,
            metrics: connect_card::telemetry::Metrics::default(),
        })
        .await
        .unwrap();
        let mut beside = match &url {
            DatabaseUrl::Sqlite(path) => {
                let url = format!("sqlite:{}", path.display());
                Beside::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            DatabaseUrl::Postgres(url) => {
                use secrecy::ExposeSecret as _;
                Beside::Postgres(PgConnection::connect(url.expose_secret()).await.unwrap())
            }
        };
        for insert in inserts(rows) {
            beside.run(&insert).await;
        }
        if let Beside::Postgres(_) = beside {
            // As autovacuum does by itself.
            beside.run("VACUUM ANALYZE").await;
        }
        Self { store, beside, _folder: folder }
    }
}

impl Beside {
    /// Runs statements whose rows nobody wants.
    pub(crate) async fn run(&mut self, sql: &str) {
        self.lines(sql, "").await;
    }

    /// Runs a statement, and gives the column of that name of each row.
    pub(crate) async fn lines(&mut self, sql: &str, column: &str) -> Vec<String> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(db) => {
                let rows = query.fetch_all(db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                rows.iter().map(|row| row.get::<String, _>(column)).collect()
            }
            Self::Postgres(db) => {
                let rows = query.fetch_all(db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                rows.iter().map(|row| row.get::<String, _>(column)).collect()
            }
        }
    }
}

/// What a command of these rows asks for.
pub(super) fn request() -> Request {
    Request {
        service: ServiceId::parse("google_ads").unwrap(),
        service_name: "Google Ads".to_owned(),
        kind: Some(SchemaKind::Schema),
        retired: None,
        target: Target::parse("customer").unwrap(),
        group_id: "g0".to_owned(),
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

/// The statements that fill the tables; both engines understand them.
fn inserts(rows: usize) -> Vec<String> {
    let now = Clock::default().now().as_millisecond();
    let request = serde_json::to_string(&request()).unwrap();
    let due = DUE;
    let insert = |table: &str, columns: &str, values: &str, rows: usize| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
             INSERT INTO {table} ({columns}) SELECT {values} FROM n"
        )
    };
    vec![
        insert(
            "command",
            "id, dedup, subject, team_id, channel_id, user_id, request, stage, connection_id, existed, accepted_at, \
             run_at, ended_at, owner, fence, lease_until",
            &format!(
                "'K' || i, 'd' || i, CASE WHEN i <= {due} THEN 's' || i END, 'T', 'C0', 'U', '{request}', \
                 CASE WHEN i <= {due} THEN 'create' WHEN i % 1000 = 0 THEN 'undeliverable' ELSE 'delivered' END, \
                 'connection_' || i, 0, {now} - i, {now} - i, \
                 CASE WHEN i > {due} THEN {now} - (i % 2592000) * CAST(1000 AS BIGINT) END, 'o' || (i % 3), 1, 0"
            ),
            rows,
        ),
        insert(
            "connection",
            "group_id, name, connection_id, team_id, channel_id, requester, request, link, generation, message, state, \
             posted_at, expires_at, changed_at, reminded, looks, look_at, missing_since, seen, tick_at, watch_until, \
             urgency, version",
            &format!(
                "CASE WHEN i <= {WATCHED} THEN 'g0' ELSE 'g' || (i % 50) END, 'name_' || i, 'connection_' || i, 'T', \
                 CASE WHEN i <= {WATCHED} THEN 'C0' ELSE 'C' || (i % 3) END, 'U', '{request}', 'K' || i, 1, \
                 'K' || i || '-1', \
                 CASE WHEN i <= {WATCHED} OR i % 10 < 2 THEN 'waiting' WHEN i % 1000 = 999 THEN 'gone' \
                 WHEN i % 10 = 9 THEN 'cancelled' WHEN i % 10 = 8 THEN 'broken' ELSE 'connected' END, \
                 {now} - i, {now} + (i % 86400) * CAST(1000 AS BIGINT), {now} - i, 0, 0, \
                 CASE WHEN i <= {due} THEN {now} - 1 END, CASE WHEN i % 1000 = 999 THEN {now} END, 'incomplete', \
                 CASE WHEN i <= {WATCHED} OR i % 10 < 2 THEN {now} + (i % 86400) * CAST(1000 AS BIGINT) END, \
                 CASE WHEN i <= {WATCHED} OR i % 10 < 3 THEN {now} + CAST(86400000 AS BIGINT) + i \
                 WHEN i % 10 = 9 THEN 0 ELSE {now} - i END, \
                 CASE WHEN i <= {WATCHED} OR i % 10 < 2 THEN 2 WHEN i % 10 = 9 THEN 9 WHEN i % 10 = 8 THEN 0 \
                 ELSE 3 END, 1"
            ),
            rows,
        ),
        insert(
            "message",
            "id, group_id, name, link, requester, place_channel, place_ts, wanted, shown, due, tries, posted_at, left_at",
            &format!(
                "'K' || i || '-1', CASE WHEN i <= {WATCHED} THEN 'g0' ELSE 'g' || (i % 50) END, 'name_' || i, \
                 'K' || i, 'U', 'C0', 'ts' || i, CASE WHEN i <= {due} THEN 2 ELSE 1 END, 1, \
                 CASE WHEN i <= {due} THEN {now} - 1 END, 0, {now} - i, CASE WHEN i % 20 = 19 THEN {now} - i END"
            ),
            rows,
        ),
        insert(
            "news",
            "id, message, body, at",
            &format!("'n' || i, 'K' || i || '-1', '{{}}', {now} - i"),
            rows,
        ),
        insert(
            "link",
            "id, connection_id, team_id, channel_id, requester, request, schema_name, state, posted_at, expires_at, \
             changed_at, taken",
            &format!(
                "'L' || i, 'connection_' || i, 'T', 'C0', 'U', '{request}', 'name_' || i, 'connected', {now} - i, \
                 {now}, {now}, 0"
            ),
            rows,
        ),
        insert("sweep", "group_id, next_at", &format!("'g' || i, {now} + i"), 49),
    ]
}
