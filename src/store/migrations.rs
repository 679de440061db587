//! The tables, made step by step from the files of the folder `migrations`.
//!
//! Owns which files make them on which engine, and in which order. A file that was released is never
//! changed, only followed by another one: each database keeps the checksums of the steps it has
//! taken, and one that differs keeps it from being opened. A step that this release does not know
//! does not: whoever goes back to it after the next one must not be locked out.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, SqlSafeStr as _};
use tokio::time::Instant;

use super::{OpenError, StoreError};

/// A file of the folder: its path there, and what is in it.
type Step = (&'static str, &'static str);

macro_rules! step {
    ($path:literal) => {
        ($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $path)))
    };
}

/// The steps that the first release knew. It refuses a database with any other step in the table
/// that the driver uses by default, so there are none to come.
const FIRST_ON_SQLITE: [Step; 3] =
    [step!("0001_command.sql"), step!("sqlite/0002_commands_view.sql"), step!("0003_link.sql")];

const FIRST_ON_POSTGRES: [Step; 3] =
    [step!("0001_command.sql"), step!("postgres/0002_commands_view.sql"), step!("0003_link.sql")];

/// The steps since, from the fourth on. A release passes over those that it does not know: it must be
/// able to work on the tables as the next one leaves them.
const LATER_ON_SQLITE: &[Step] = &[
    step!("0004_connection.sql"),
    step!("0005_catalogue.sql"),
    step!("0006_note.sql"),
    step!("0007_trouble.sql"),
    step!("0008_identity.sql"),
    step!("0009_channel.sql"),
    step!("0010_measured.sql"),
    step!("0011_audit.sql"),
    step!("0012_onboarding.sql"),
    step!("0013_home.sql"),
    step!("0014_digest.sql"),
    step!("0015_unposted.sql"),
];

const LATER_ON_POSTGRES: &[Step] = &[
    step!("0004_connection.sql"),
    step!("0005_catalogue.sql"),
    step!("0006_note.sql"),
    step!("0007_trouble.sql"),
    step!("0008_identity.sql"),
    step!("0009_channel.sql"),
    step!("0010_measured.sql"),
    step!("0011_audit.sql"),
    step!("0012_onboarding.sql"),
    step!("0013_home.sql"),
    step!("0014_digest.sql"),
    step!("0015_unposted.sql"),
];

/// Where it is written which of the later steps were taken.
const LATER_TABLE: &str = "connect_card_steps";

/// For how long a step waits for a table: an acknowledgement that queues behind it is still in time.
const TURN: &str = "SET lock_timeout = '500ms'";
/// How long it lets the others through then: longer than it has kept them.
const REST: Duration = Duration::from_secs(1);
/// How often it is said that it waits.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Takes the steps that an SQLite file lacks, all or none.
///
/// # Errors
/// [`OpenError::Migration`], or [`OpenError::File`].
pub(super) async fn sqlite(db: &mut sqlx::SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::of_sqlite(path, error);
    // All in one commit: a new file has many to take, and each would wait for the disk.
    let mut all = db.begin().await.map_err(failed)?;
    for migrator in [migrator(&FIRST_ON_SQLITE), later(LATER_ON_SQLITE)] {
        migrator.run(&mut *all).await.map_err(|error| match error {
            MigrateError::Execute(error) => failed(error),
            error => failure(error),
        })?;
    }
    all.commit().await.map_err(failed)
}

/// Takes the steps that a Postgres database lacks, each in a commit of its own. Holds an advisory lock
/// meanwhile, so that replicas that start together do this one after another.
///
/// A step that changes a table waits until nobody reads it, which a backup may do for hours, and whoever wants
/// to use the table queues behind the step. So it waits for [`TURN`] only, lets the others through, and tries
/// again.
///
/// # Errors
/// [`OpenError::Migration`].
pub(super) async fn postgres(session: &mut sqlx::PgConnection) -> Result<(), OpenError> {
    let limit = sqlx::query(TURN).execute(&mut *session).await;
    limit.map_err(|error| failure(MigrateError::Execute(error)))?;
    let mut said = None;
    loop {
        match steps_on_postgres(session).await {
            Err(error) if is_a_lock(&error) => {}
            taken => return taken.map_err(failure),
        }
        if said.is_none_or(|at: Instant| at.elapsed() >= SAY_EVERY) {
            said = Some(Instant::now());
            tracing::warn!(
                "the tables can't be brought up to date yet: another session holds a lock on one of them, such as a backup or another replica that starts"
            );
        }
        tokio::time::sleep(REST).await;
    }
}

async fn steps_on_postgres(session: &mut sqlx::PgConnection) -> Result<(), MigrateError> {
    for migrator in [migrator(&FIRST_ON_POSTGRES), later(LATER_ON_POSTGRES)] {
        migrator.run(&mut *session).await?;
    }
    Ok(())
}

/// Whether a step was not taken since somebody else holds a lock.
fn is_a_lock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

fn later(steps: &[Step]) -> Migrator {
    let mut migrator = migrator(steps);
    // Set before it was ever run, as the driver asks.
    migrator.dangerous_set_table_name(LATER_TABLE);
    migrator
}

/// A failure without the database's own text.
fn failure(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMismatch(version) => OpenError::OtherBuild(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            OpenError::Migration(StoreError::from(error).to_string())
        }
        error => OpenError::Migration(error.to_string()),
    }
}

/// A step's version is the number in its name.
fn migrator(steps: &[Step]) -> Migrator {
    let migrations = steps.iter().filter_map(|(path, sql)| {
        // Without a description: databases that are in use have none.
        Some(Migration::new(version(path)?, "".into(), MigrationType::Simple, sql.into_sql_str(), false))
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_ignore_missing(true);
    migrator
}

/// The number with which a file's name begins.
fn version(path: &str) -> Option<i64> {
    path.rsplit('/').next()?.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::failure::tests::Said;

    /// The checksums that databases in use have, SHA-384 in hexadecimal. Add to them; a test that
    /// fails here says that no existing database would open.
    const COMMAND: &str =
        "62d8de46a3264aafe3106c9c5e7c4e82a953bd2b5694b54ee5daee68abb9b233282ef6d24349d42b85bbb1d410857e96";
    const VIEW_ON_SQLITE: &str =
        "8bee8aab2cb26a9d63eaff77a0bfb2d4291439487a5de9c758da71e578f442a36653e963abd7078bf3aa8719164301ba";
    const VIEW_ON_POSTGRES: &str =
        "3578a47b799dd1d47a4ada2b629b1010b7311dda6304d6b890636f4fcb9c98fefd675e8d51245a315cb1762e7fbb843a";
    const LINK: &str =
        "81824aa14cfd3d8cd32fb93a94c8e9b2c48a034078517c65000d19f1dc1c1e0f05839065d22cf3c36f14aae19b4c0b2b";

    fn steps(migrator: &Migrator) -> Vec<(i64, String)> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        migrator.iter().map(|step| (step.version, hex(&step.checksum))).collect()
    }

    /// Those of the later steps, which are the same for both engines.
    const LATER: [&str; 12] = [
        "5301c40e88b132b2afa94b4f1f5c65061262c299633f0b9be62f7af782b6cfb2abb2580fc1b7e793a79d422a91b9aae6",
        "f5568437bc15543446b51085d568332f6334532115a062abf1f1648523d38998ea7f9209393d9ad8dbd8b90ac72fa7c0",
        "d6e50add0eee3a9274593392d02e7f0b5d6b38340ded3853e50816ae2cae2428c289a985c68a2e7ce54b5600e9f4570c",
        "bd9820ae11b8603c19eb5a84ac9cb2b568f3007dd4d530ca8e6e3a1cc7c90b6a17051ae1725e8ec1856fdf85213b66c8",
        "aeb68ddd6e1cc2339daebd960624bd2e2615665d987980fcd56d26d49972b67b55c2501c1519916e2a2034787be1944c",
        "f3c062ef883132f649379a4dd0d7bb0e25f9c20dc86839edae25b170b20fbf78fe16dd7dd22422a625dd529a996c4eae",
        "83c2d47de235e0df6cc99d03ab6aa0e2a7d9c75997e18da80b0ada87aebab34e4231069076cef3995c1eaa6fb0525899",
        "907cb4fa28e2bb2598e4c33ee9284be59a38383f96a2dbbb6b729177e3ff543ea5f53498b85de5f2e7963422eaf45f97",
        "2f27c0804a61d7105c0e99824cef3dd587b53f2d3ae63ddf9a216a4500e8e4266b66416c8742ad3539c464667555ece8",
        "542da1463faf68216d6e5cd789627dfd1143f4d86c655a8cdfbc08eb79eada4ca396c4d8b68748dfe589a9e47210e6bf",
        "b08e91e321d822bc6fc6b5a983072db4b2d0f980bb29218bdf17d0df04924a392f36050bb7d32ab04264c38ec71b7097",
        "37a53c872a91664401b8e29811cd9e67e940a68d6e1e28493ba9c54b8293badd3a05bec97e038e70eca3e3c6e7bdd25f",
    ];

    #[test]
    fn databases_that_are_in_use_still_open() {
        let expected = |view: &str| vec![(1, COMMAND.to_owned()), (2, view.to_owned()), (3, LINK.to_owned())];
        assert_eq!(steps(&migrator(&FIRST_ON_SQLITE)), expected(VIEW_ON_SQLITE));
        assert_eq!(steps(&migrator(&FIRST_ON_POSTGRES)), expected(VIEW_ON_POSTGRES));
        let expected: Vec<_> = (4..).zip(LATER.map(str::to_owned)).collect();
        assert_eq!(steps(&migrator(LATER_ON_SQLITE)), expected);
        assert_eq!(steps(&migrator(LATER_ON_POSTGRES)), expected);
    }

    #[test]
    fn every_file_of_the_folder_is_a_step_under_its_number() {
        for (steps, from) in [
            (FIRST_ON_SQLITE.as_slice(), 1),
            (&FIRST_ON_POSTGRES, 1),
            (LATER_ON_SQLITE, 4),
            (LATER_ON_POSTGRES, 4),
        ] {
            let versions: Vec<_> = steps.iter().map(|(path, _)| version(path).expect(path)).collect();
            assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
            assert_eq!(versions.first(), Some(&from));
            assert_eq!(migrator(steps).iter().count(), steps.len());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut there = BTreeSet::new();
        for under in ["", "sqlite/", "postgres/"] {
            for entry in std::fs::read_dir(folder.join(under)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    there.insert(format!("{under}{}", entry.file_name().to_str().unwrap()));
                }
            }
        }
        let first = FIRST_ON_SQLITE.iter().chain(&FIRST_ON_POSTGRES);
        let taken = first.chain(LATER_ON_SQLITE).chain(LATER_ON_POSTGRES);
        assert_eq!(there, taken.map(|(path, _)| (*path).to_owned()).collect());
    }

    /// Whoever holds a lock lets it go; what else keeps a step from being taken does not go by itself.
    #[test]
    fn a_step_is_tried_again_only_where_somebody_else_holds_a_lock() {
        let said = |code| sqlx::Error::Database(Box::new(Said(code)));
        for (error, is_tried) in [
            (MigrateError::Execute(said("55P03")), true),
            (MigrateError::ExecuteMigration(said("55P03"), 7), true),
            (MigrateError::ExecuteMigration(said("42501"), 7), false),
            (MigrateError::Execute(sqlx::Error::PoolTimedOut), false),
            (MigrateError::VersionMismatch(7), false),
        ] {
            assert_eq!(is_a_lock(&error), is_tried, "{error}");
        }
    }
}
