//! Databases of every age: with the first steps of `migrations`, and none of those after.

use std::path::Path;
use std::time::Duration;

use connect_card::store::{DatabaseUrl, OpenError, Options, Store};
use secrecy::SecretString;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

use super::{Engine, postgres};

/// The steps that the first release knew, in the table that the driver uses by default.
const FIRST: i64 = 3;

/// Both engines, or the one that is here.
pub(crate) fn engines() -> Vec<Engine> {
    [Engine::Sqlite].into_iter().chain(postgres::shared().map(Engine::Postgres)).collect()
}

/// The files of `migrations` for an engine, in their order.
pub(crate) fn steps(engine: Engine) -> Vec<(i64, String)> {
    let own = if matches!(engine, Engine::Sqlite) { "sqlite" } else { "postgres" };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut steps = Vec::new();
    for folder in [folder.clone(), folder.join(own)] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                let number = name.split('_').next().unwrap().parse().unwrap();
                steps.push((number, std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    steps.sort_unstable();
    steps
}

/// A database with the tables of an earlier release.
pub(crate) struct Aged {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Aged {
    /// As it was after step `last`.
    pub(crate) async fn at(engine: Engine, last: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.path().join("bot.db").display()),
            Engine::Postgres(postgres) => postgres.database(),
        };
        let (first, later): (Vec<_>, Vec<_>) = steps(engine)
            .into_iter()
            .filter(|(number, _)| *number <= last)
            .partition(|(number, _)| *number <= FIRST);
        for (steps, table) in [(first, "_sqlx_migrations"), (later, "connect_card_steps")] {
            if steps.is_empty() {
                continue;
            }
            let steps = steps.into_iter().map(|(number, sql)| {
                let sql = AssertSqlSafe(sql).into_sql_str();
                Migration::new(number, "".into(), MigrationType::Simple, sql, false)
            });
            let mut migrator = Migrator::with_migrations(steps.collect());
            migrator.dangerous_set_table_name(table);
            match engine {
                Engine::Sqlite => {
                    let mut db = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
                    migrator.run(&mut db).await.unwrap();
                    db.close().await.unwrap();
                }
                Engine::Postgres(_) => {
                    let mut db = PgConnection::connect(&url).await.unwrap();
                    migrator.run(&mut db).await.unwrap();
                    db.close().await.unwrap();
                }
            }
        }
        Self { engine, url, _folder: folder }
    }

    /// Has it do something.
    pub(crate) async fn run(&self, sql: String) {
        match self.engine {
            Engine::Sqlite => {
                let mut db = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
            Engine::Postgres(_) => {
                let mut db = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
        }
    }

    /// Asks it for rows of so many texts.
    pub(crate) async fn ask<T>(&self, sql: &str) -> Vec<T>
    where
        T: Send
            + Unpin
            + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let mut db = SqliteConnection::connect(&self.url).await.unwrap();
                let rows = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
                db.close().await.unwrap();
                rows
            }
            Engine::Postgres(_) => {
                let mut db = PgConnection::connect(&self.url).await.unwrap();
                let rows = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
                db.close().await.unwrap();
                rows
            }
        }
    }

    /// Opens it as this release does.
    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    /// The same where that may be refused.
    pub(crate) async fn try_open(&self) -> Result<Store, OpenError> {
        let url = match self.engine {
            Engine::Sqlite => DatabaseUrl::Sqlite(self.url.trim_start_matches("sqlite:").into()),
            Engine::Postgres(_) => DatabaseUrl::Postgres(self.url.clone().into()),
        };
        let secrets = [SecretString::from("a secret of nobody's")];
        let lease = Duration::from_secs(60);
        let metrics = connect_card::telemetry::Metrics::default();
        Store::open(Options { url: &url, secrets: &secrets, lease, metrics }).await
    }
}
