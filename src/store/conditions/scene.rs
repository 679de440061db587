//! Two processes on one database, and what a scenario needs to look at it.
//!
//! Owns how such a database is made, emptied and asked. Must not know what is judged.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::time::Instant;

use super::super::file::SqliteFile;
use super::super::row::{NewRow, json};
use super::super::statements::Statements;
use super::super::{
    Accepted, Claimed, DatabaseUrl, MessageWrite, NewCommand, Options, Pool, Store, Write, Written,
};
use crate::journal::{Progress, Stage, Then};
use crate::life::{Change, Connection, Link, News, Place, Reminded, State};
use crate::work::Key;

/// How a scenario came out; an error says what was not as it should be.
pub(in crate::store) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Ends a scenario unless the two are the same.
macro_rules! same {
    ($found:expr, $expected:expr) => {
        match (&$found, &$expected) {
            (found, expected) => {
                if found != expected {
                    return Err(format!("line {}: {found:?}, not {expected:?}", line!()).into());
                }
            }
        }
    };
}
pub(super) use same;

/// The moment so many milliseconds after the first.
pub(in crate::store) fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs())
}

/// The two processes.
pub(in crate::store) struct Scene {
    db: SqliteFile,
    pub(super) sql: &'static Statements,
    pub(in crate::store) a: Store,
    pub(in crate::store) b: Store,
}

impl Scene {
    /// A database with its tables, and its folder. Nothing is synced: it is not kept. In memory it would be
    /// gone with its connection, which some of what fails here costs.
    pub(in crate::store) async fn database() -> (SqliteFile, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conditions.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Memory).synchronous(SqliteSynchronous::Off);
        let db = SqliteFile::open(options).await.unwrap();
        super::super::migrations::sqlite(&mut db.lock().await.unwrap(), &path).await.unwrap();
        (db, folder)
    }

    /// Both begin with an empty database.
    pub(in crate::store) async fn new(db: &SqliteFile, sql: &'static Statements) -> Self {
        for table in [
            "command",
            "connection",
            "message",
            "news",
            "sweep",
            "link",
            "probe",
            "catalogue",
            "identity",
            "audit_line",
            "audit_turn",
            "digest",
            "digest_plan",
            "onboarding",
            "source",
        ] {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::query(sql).execute(&mut *db.lock().await.unwrap()).await.unwrap();
        }
        sqlx::query("INSERT INTO audit_turn DEFAULT VALUES")
            .execute(&mut *db.lock().await.unwrap())
            .await
            .unwrap();
        let (url, secrets) = (DatabaseUrl::Sqlite("unused".into()), [SecretString::from("secret")]);
        let options = Options {
            url: &url,
            secrets: &secrets,
            lease: Duration::from_secs(300),
            metrics: crate::telemetry::Metrics::default(),
        };
        let process =
            |name: &str| Store::start(Pool::Sqlite(db.clone()), sql, name.to_owned(), None, &options);
        Self { db: db.clone(), sql, a: process("A"), b: process("B") }
    }

    /// Changes the database by hand.
    pub(in crate::store) async fn run(&self, sql: &'static str) -> Outcome {
        sqlx::query(sql).execute(&mut *self.db.lock().await?).await?;
        Ok(())
    }

    /// The first column of all rows, parted by commas.
    pub(in crate::store) async fn ask(&self, sql: &'static str) -> Outcome<String> {
        let rows = sqlx::query(sql).fetch_all(&mut *self.db.lock().await?).await?;
        let values = rows.iter().map(|row| Ok(row.try_get::<Option<String>, _>(0)?));
        let values: Vec<_> = values.collect::<Outcome<_>>()?;
        Ok(values
            .into_iter()
            .map(|value| value.unwrap_or_else(|| "-".to_owned()))
            .collect::<Vec<_>>()
            .join(","))
    }

    /// Runs a statement of the set with one parameter, and returns the ids that it returns.
    pub(super) async fn with<'q, T>(&self, sql: &'static str, parameter: T) -> Outcome<Vec<String>>
    where
        T: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'q,
    {
        let rows = sqlx::query(sql).bind(parameter).fetch_all(&mut *self.db.lock().await?).await?;
        let mut ids = rows.iter().map(|row| Ok(row.try_get("id")?)).collect::<Outcome<Vec<String>>>()?;
        ids.sort();
        Ok(ids)
    }

    /// The three statements by which a command never happens. Returns who is alive all the same.
    pub(super) async fn lay(&self, row: &NewRow) -> Outcome<Vec<String>> {
        let rows = json(&[row])?;
        self.with(self.sql.bury, rows.clone()).await?;
        self.with(self.sql.void, rows.clone()).await?;
        self.with(self.sql.alive, rows).await
    }

    /// What stands of a message, without its lease.
    pub(super) async fn messages(&self) -> Outcome<String> {
        let sql = "SELECT id || ' ' || coalesce(place_channel, '-') || '/' || coalesce(place_ts, '-') || ' ' || shown \
                   || ' of ' || wanted || ' due ' || coalesce(due, '-') || ' tries ' || tries \
                   || CASE WHEN lease_until > 0 THEN ' leased' ELSE '' END FROM message ORDER BY id";
        self.ask(sql).await
    }
}

/// A command; whoever has the same request, or is about the same subject, is no second one.
pub(in crate::store) fn command(id: &str, request: &str, subject: &str) -> NewCommand {
    NewCommand {
        id: id.to_owned(),
        dedup: request.to_owned(),
        subject: subject.to_owned(),
        team_id: "T".to_owned(),
        channel_id: "C".to_owned(),
        user_id: "U".to_owned(),
        request: format!("request of {id}"),
        response_url: Some(SecretString::from("https://slack.example/response")),
        progress: Progress::default(),
        accepted_at: at(1000),
    }
}

/// Accepts a command and says who it met, if anybody.
pub(in crate::store) async fn try_accept(store: &Store, new: NewCommand) -> Outcome<Result<Claimed, String>> {
    Ok(match store.accept(new, Instant::now() + Duration::from_secs(60)).await? {
        Accepted::Committed(claimed) => Ok(claimed),
        Accepted::Before(before) => Err(format!("{} again", before.id)),
        Accepted::Twin(twin) => Err(twin.map_or_else(|| "nobody".to_owned(), |twin| twin.request)),
    })
}

/// Accepts a command that meets nobody.
pub(in crate::store) async fn accept(store: &Store, id: &str) -> Outcome<Claimed> {
    try_accept(store, command(id, id, id)).await?.map_err(|twin| format!("{id} met {twin}").into())
}

/// Takes what is due, and returns only the names.
pub(super) async fn names(store: &Store, now: i64) -> Outcome<Vec<String>> {
    let claimed = store.claim(at(now), 10).await?;
    Ok(claimed.iter().map(|claimed| format!("{} {}", claimed.id, claimed.fence)).collect())
}

/// Takes the one that is due.
pub(in crate::store) async fn take(store: &Store, now: i64) -> Outcome<Claimed> {
    Ok(store.claim(at(now), 1).await?.pop().ok_or("nothing to take")?)
}

/// A command that has come as far as its link.
pub(in crate::store) fn delivering() -> Progress {
    Progress::of(Stage::Deliver { connection: "conn".to_owned(), existed: false })
}

/// A place in the channel.
pub(in crate::store) fn place(ts: &str) -> Place {
    Place { channel: "C".to_owned(), ts: ts.to_owned() }
}

/// A connection whose link waits in channel `C`. Its link and its message have its name.
pub(in crate::store) fn connection(group_id: &str, name: &str) -> Connection {
    let request = serde_json::json!({
        "service": "google_ads", "service_name": "Google Ads", "kind": "schema", "retired": null,
        "target": { "schema": name, "table": null }, "group_id": group_id, "destination": null,
        "slash": "/connect-card",
    });
    let id = format!("{group_id}_{name}");
    Connection {
        key: Key { group_id: group_id.to_owned(), name: name.to_owned() },
        link: Link {
            id: id.clone(),
            connection_id: format!("conn_{id}"),
            team_id: "T".to_owned(),
            channel_id: "C".to_owned(),
            requester: Some("U".to_owned()),
            request: serde_json::from_value(request).unwrap(),
            message_id: id,
            message: None,
            state: State::Waiting,
            detail: None,
            trouble: None,
            posted_at: at(1000),
            expires_at: at(100_000),
            changed_at: at(1000),
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

/// A write that is judged by a version.
pub(in crate::store) struct Judged<'a> {
    pub(in crate::store) connection: &'a Connection,
    pub(in crate::store) version: i64,
    pub(in crate::store) held: Option<&'a Claimed>,
    pub(in crate::store) then: Option<Then>,
    pub(in crate::store) message: MessageWrite<'a>,
    pub(in crate::store) show: &'a [&'a str],
    pub(in crate::store) news: Option<News>,
    pub(in crate::store) now: i64,
}

impl<'a> Judged<'a> {
    pub(in crate::store) fn by(connection: &'a Connection, version: i64) -> Self {
        Self {
            connection,
            version,
            held: None,
            then: None,
            message: MessageWrite::None,
            show: &[],
            news: None,
            now: 1000,
        }
    }

    pub(in crate::store) async fn write(self, store: &Store) -> Outcome<Written> {
        let show = self.show.iter().map(|&id| id.to_owned()).collect();
        let change = Change { connection: self.connection.clone(), show, news: self.news };
        let progress = delivering();
        Ok(store
            .write(Write {
                change: &change,
                version: self.version,
                held: self.held,
                progress: self.then.map(|then| (&progress, then)),
                message: self.message,
                trail: None,
                reminders: false,
                now: at(self.now),
            })
            .await?)
    }
}

/// Keeps a connection that is not there yet.
pub(in crate::store) async fn keep(scene: &Scene, connection: &Connection) -> Outcome {
    same!(Judged::by(connection, 0).write(&scene.a).await?, Written::Committed);
    Ok(())
}

/// Keeps a connection that is not there yet, and a message that may come to stand somewhere.
pub(in crate::store) async fn intend(scene: &Scene, connection: &Connection) -> Outcome {
    let judged = Judged { message: MessageWrite::New, ..Judged::by(connection, 0) };
    same!(judged.write(&scene.a).await?, Written::Committed);
    Ok(())
}

/// The same, and its message stands there.
pub(in crate::store) async fn post(scene: &Scene, connection: &Connection, ts: &str) -> Outcome {
    intend(scene, connection).await?;
    let place = place(ts);
    let judged = Judged { message: MessageWrite::Placed(Some(&place)), ..Judged::by(connection, 1) };
    same!(judged.write(&scene.a).await?, Written::Committed);
    Ok(())
}
