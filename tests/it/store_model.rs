//! The store against a model of it in plain Rust: whatever is done to commands and connections, by two
//! processes on Postgres and by one after another on SQLite, the rows and the answers are the model's.
//!
//! `store::conditions` says of each condition of the SQL what it is for. This is for what nobody thought of: what
//! comes of several operations in an order of no plan. `CONNECT_CARD_CASES=100000` is the long run; a case that
//! fails is made as short as it can be and printed.

mod model;

use std::cell::RefCell;
use std::time::Duration;

use connect_card::journal::{Ending, Progress, Stage, Then};
use connect_card::life::Change;
use connect_card::store::{
    Accepted, Before, DatabaseUrl, KEEP, MessageWrite, NewCommand, Options, Recorded, Store, Write, Written,
};
use connect_card::telemetry::OpenStage;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::harness::{Engine, number};
use crate::plans::{Beside, engines};
use model::{Held, Lease, Model, Row, connection, key, request};

/// Cases for each engine in the suite.
const CASES: usize = 64;
/// Most operations of a case.
const LENGTH: usize = 40;

/// Something that is done to the store.
#[derive(Clone, Debug)]
enum Op {
    /// A command arrives.
    Accept { process: Index, request: u8, subject: u8, at: i64, begun: bool },
    /// A process takes what is due.
    Claim { process: Index, now: i64, limit: i64 },
    /// It prolongs what it has.
    Renew { process: Index },
    /// It writes down how a command stands.
    Record { held: Index, tries: u32, then: u8, at: i64 },
    /// It loses one without a word.
    LetGo { held: Index },
    /// A lease runs out.
    RunOut { row: Index },
    /// A process gives up what it has.
    Release { process: Index },
    /// A process ends, and another one begins.
    Die { process: Index },
    /// What is old is forgotten.
    Purge { now: i64 },
    /// A connection is written, as judged by its last version or by another, perhaps with a command's progress.
    Write { process: Index, name: u8, behind: i64, held: Option<Index>, ends: bool, mark: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let at = || (0..30_i64).prop_map(|second| second * 1000);
    let process = any::<Index>;
    prop_oneof![
        8 => (process(), 0..4_u8, 0..3_u8, at(), any::<bool>())
            .prop_map(|(process, request, subject, at, begun)| Op::Accept { process, request, subject, at, begun }),
        6 => (process(), at(), 0..4_i64).prop_map(|(process, now, limit)| Op::Claim { process, now, limit }),
        3 => process().prop_map(|process| Op::Renew { process }),
        8 => (any::<Index>(), 0..3_u32, 0..5_u8, at())
            .prop_map(|(held, tries, then, at)| Op::Record { held, tries, then, at }),
        2 => any::<Index>().prop_map(|held| Op::LetGo { held }),
        4 => any::<Index>().prop_map(|row| Op::RunOut { row }),
        1 => process().prop_map(|process| Op::Release { process }),
        1 => process().prop_map(|process| Op::Die { process }),
        1 => at().prop_map(|now| Op::Purge { now }),
        6 => (process(), 0..2_u8, -1..3_i64, proptest::option::of(any::<Index>()), any::<bool>(), any::<u8>())
            .prop_map(|(process, name, behind, held, ends, mark)| {
                Op::Write { process, name, behind, held, ends, mark }
            }),
    ]
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// A database, the processes on it, and what should be in it.
struct World {
    engine: Engine,
    url: DatabaseUrl,
    beside: Beside,
    processes: Vec<Store>,
    model: Model,
    _folder: TempDir,
}

#[test]
fn the_store_is_as_its_model_on_both_engines() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for engine in engines() {
        let world = RefCell::new(runtime.block_on(World::new(engine)));
        let cases = number("CONNECT_CARD_CASES", CASES).try_into().unwrap();
        let seed = number("CONNECT_CARD_SEED", 1).try_into().unwrap();
        let config =
            Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
        let ops = proptest::collection::vec(op(), 1..LENGTH);
        let run = TestRunner::new(config)
            .run(&ops, |ops| runtime.block_on(world.borrow_mut().plays(&ops)).map_err(TestCaseError::fail));
        match run {
            Ok(()) => {}
            Err(TestError::Fail(why, ops)) => panic!("{engine}: {why}\nafter {ops:#?}"),
            Err(error) => panic!("{engine}: {error}"),
        }
        let world = world.into_inner();
        runtime.block_on(async {
            for store in &world.processes {
                store.close().await;
            }
        });
    }
}

/// Ends a case unless the two are the same.
macro_rules! same {
    ($found:expr, $expected:expr) => {
        match (&$found, &$expected) {
            (found, expected) if found != expected => {
                return Err(format!("line {}: {found:?}, not {expected:?}", line!()));
            }
            _ => {}
        }
    };
}

impl World {
    async fn new(engine: Engine) -> Self {
        // In memory, if it can be: what is not kept needs no sync.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("model.db");
        let (url, count) = match engine {
            Engine::Sqlite => (DatabaseUrl::Sqlite(path.clone()), 1),
            Engine::Postgres(postgres) => (DatabaseUrl::Postgres(postgres.database().into()), 2),
        };
        let mut processes = Vec::new();
        for _ in 0..count {
            processes.push(open(&url).await);
        }
        let beside = match &url {
            DatabaseUrl::Sqlite(path) => {
                let url = format!("sqlite:{}", path.display());
                Beside::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            DatabaseUrl::Postgres(url) => {
                Beside::Postgres(PgConnection::connect(url.expose_secret()).await.unwrap())
            }
        };
        Self { engine, url, beside, processes, model: Model::new(count), _folder: folder }
    }

    /// One case, from an empty database on.
    async fn plays(&mut self, ops: &[Op]) -> Result<(), String> {
        self.model = Model::new(self.processes.len());
        for table in ["command", "connection", "message", "news", "sweep", "link"] {
            self.beside.run(&format!("DELETE FROM {table}")).await;
        }
        for op in ops {
            self.does(op).await.map_err(|why| format!("{op:?}: {why}"))?;
            self.stands().await.map_err(|why| format!("after {op:?}: {why}"))?;
        }
        Ok(())
    }

    async fn does(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Accept { process, request, subject, at: ms, begun } => {
                self.accept(process.index(self.processes.len()), *request, *subject, *ms, *begun).await
            }
            Op::Claim { process, now, limit } => {
                self.claim(process.index(self.processes.len()), *now, *limit).await
            }
            Op::Renew { process } => {
                let process = process.index(self.processes.len());
                self.processes[process].renew(Duration::ZERO).await.map_err(|error| error.to_string())?;
                self.model.renew(process);
                for held in &self.model.held {
                    same!(held.claimed.lease.is_held(), !held.lost);
                    same!(held.claimed.lease.left().is_zero(), held.lost);
                }
                Ok(())
            }
            Op::Record { held, tries, then, at } => self.record(held, *tries, *then, *at).await,
            Op::LetGo { held } => {
                if !self.model.held.is_empty() {
                    let at = held.index(self.model.held.len());
                    self.model.held.remove(at);
                }
                Ok(())
            }
            Op::RunOut { row } => {
                if !self.model.rows.is_empty() {
                    let at = row.index(self.model.rows.len());
                    let row = &mut self.model.rows[at];
                    if row.lease == Lease::Held {
                        row.lease = Lease::Over;
                        let sql = format!("UPDATE command SET lease_until = 1 WHERE id = '{}'", row.id);
                        self.beside.run(&sql).await;
                    }
                }
                Ok(())
            }
            Op::Release { process } => {
                let process = process.index(self.processes.len());
                self.processes[process].release().await.map_err(|error| error.to_string())?;
                self.model.release(process);
                Ok(())
            }
            Op::Die { process } => {
                let process = process.index(self.processes.len());
                self.model.die(process, matches!(self.engine, Engine::Sqlite));
                let dead = self.processes.remove(process);
                dead.close().await;
                drop(dead);
                self.processes.insert(process, open(&self.url).await);
                Ok(())
            }
            Op::Purge { now } => {
                let now = at(*now) + KEEP;
                let purged = self.processes[0].purge(now).await.map_err(|error| error.to_string())?;
                same!(purged, self.model.purge(now));
                Ok(())
            }
            Op::Write { process, name, behind, held, ends, mark } => {
                let process = process.index(self.processes.len());
                self.write(process, *name, *behind, held.as_ref(), *ends, *mark).await
            }
        }
    }

    async fn accept(
        &mut self,
        process: usize,
        dedup: u8,
        subject: u8,
        ms: i64,
        begun: bool,
    ) -> Result<(), String> {
        let id = self.model.next_id();
        let (dedup, subject) = (format!("d{dedup}"), format!("s{subject}"));
        let connection = "c0".to_owned();
        let stage = if begun { Stage::Deliver { connection, existed: true } } else { Stage::Create };
        let progress = Progress::of(stage);
        let new = NewCommand {
            id: id.clone(),
            dedup: dedup.clone(),
            subject: subject.clone(),
            team_id: "T".to_owned(),
            channel_id: "C".to_owned(),
            user_id: "U".to_owned(),
            request: request(&id),
            response_url: begun.then(|| SecretString::from("https://hooks.slack.com/commands/T1/2/x")),
            progress: progress.clone(),
            accepted_at: at(ms),
        };
        let until = Instant::now() + Duration::from_secs(60);
        let found = self.processes[process].accept(new, until).await.map_err(|error| error.to_string())?;
        let model = &mut self.model;
        let owner = model.owners[process];
        let before = model.rows.iter().find(|row| row.dedup == dedup);
        let open = model.rows.iter().find(|row| row.ended_at.is_none() && row.subject == subject);
        match found {
            Accepted::Committed(claimed) => {
                same!((before.is_some(), open.is_some()), (false, false));
                same!((claimed.fence, claimed.id.as_str()), (1, id.as_str()));
                let row = Row {
                    id,
                    dedup,
                    subject,
                    owner,
                    fence: 1,
                    lease: Lease::Held,
                    progress,
                    run_at: ms,
                    accepted_at: ms,
                    ended_at: None,
                    has_url: begun,
                };
                model.rows.push(row);
                model.held.push(Held { process, owner, claimed, lost: false });
            }
            // It can be promised once more: its own process, or what has happened since, makes sure of it.
            Accepted::Before(found) => {
                let Some(row) = before else { return Err("a request that was never there".to_owned()) };
                same!(row.owner == owner || row.fence > 1 || row.ended_at.is_some(), true);
                let (id, has_ended) = (row.id.clone(), row.ended_at.is_some());
                same!(found, Before { id, accepted_at: at(row.accepted_at), has_ended });
            }
            Accepted::Twin(twin) => {
                let is_sure = |row: &&Row| row.owner == owner || row.fence > 1 || row.ended_at.is_some();
                same!(before.filter(is_sure).map(|row| &row.id), None);
                let met: Vec<_> = before.into_iter().chain(open).map(|row| request(&row.id)).collect();
                same!(met.is_empty(), false);
                same!(twin.is_some_and(|twin| met.contains(&twin.request)), true);
            }
        }
        Ok(())
    }

    async fn claim(&mut self, process: usize, now: i64, limit: i64) -> Result<(), String> {
        let claimed =
            self.processes[process].claim(at(now), limit).await.map_err(|error| error.to_string())?;
        let due = self.model.due(process, now);
        let most = usize::try_from(limit).unwrap().min(due.len());
        same!(claimed.len(), most);
        // Whoever has waited longest.
        let mut waits: Vec<i64> = due.iter().map(|&at| self.model.rows[at].run_at).collect();
        waits.sort_unstable();
        let mut taken = Vec::new();
        for claimed in claimed {
            let owner = self.model.owners[process];
            let Some(&at) = due.iter().find(|&&at| self.model.rows[at].id == claimed.id) else {
                return Err(format!("{} is not due", claimed.id));
            };
            let row = &mut self.model.rows[at];
            (row.fence, row.owner, row.lease) = (row.fence + 1, owner, Lease::Held);
            taken.push(row.run_at);
            same!(claimed.fence, row.fence);
            same!(claimed.request, request(&row.id));
            same!(claimed.progress, row.progress);
            same!(claimed.accepted_at, self::at(row.accepted_at));
            same!(claimed.response_url.is_some(), row.has_url);
            self.model.held.push(Held { process, owner, claimed, lost: false });
        }
        taken.sort_unstable();
        same!(taken, waits[..most]);
        Ok(())
    }

    async fn record(&mut self, held: &Index, tries: u32, then: u8, ms: i64) -> Result<(), String> {
        if self.model.held.is_empty() {
            return Ok(());
        }
        let Held { process, claimed, .. } = &self.model.held[held.index(self.model.held.len())];
        let stage = match then {
            0 | 1 => Stage::Deliver { connection: "c1".to_owned(), existed: false },
            2 => Stage::Create,
            3 => Stage::Over { ending: Ending::Undeliverable, notice: None, connection: None },
            _ => Stage::Over { ending: Ending::Told, notice: None, connection: None },
        };
        let then = match then {
            0 => Then::GoOn,
            1 | 2 => Then::WaitUntil(at(ms)),
            _ => Then::End(at(ms)),
        };
        let progress = Progress { tries, posts: 1, ..Progress::of(stage) };
        let (claimed, process) = (claimed.clone(), *process);
        let found = self.processes[process].record(&claimed, &progress, then).await;
        let expected = match self.model.record(&claimed.id, claimed.fence, &progress, then) {
            true => Recorded::Committed,
            false => Recorded::LeaseLost,
        };
        same!(found, expected);
        Ok(())
    }

    async fn write(
        &mut self,
        process: usize,
        name: u8,
        behind: i64,
        held: Option<&Index>,
        ends: bool,
        mark: u8,
    ) -> Result<(), String> {
        let stands = self.model.connections.get(&name).map_or(0, |(version, _)| *version);
        // Mostly the last version; one that it has not is as far from the truth as one that it had.
        let version = (stands - behind.max(0)).max(0) + i64::from(behind < 0);
        let of_process: Vec<&Held> = self.model.held.iter().filter(|held| held.process == process).collect();
        let held = held.filter(|_| !of_process.is_empty()).map(|at| of_process[at.index(of_process.len())]);
        let held = held.map(|held| held.claimed.clone());
        let connection = connection(name, mark);
        let change = Change { connection: connection.clone(), show: Vec::new(), news: None };
        let then = if ends { Then::End(at(9000)) } else { Then::GoOn };
        let connection_id = "c2".to_owned();
        let stage = match ends {
            true => Stage::Over { ending: Ending::Delivered, notice: None, connection: Some(connection_id) },
            false => Stage::Deliver { connection: connection_id, existed: false },
        };
        let progress = Progress::of(stage);
        let found = self.processes[process]
            .write(Write {
                change: &change,
                version,
                held: held.as_ref(),
                progress: held.as_ref().map(|_| (&progress, then)),
                message: MessageWrite::None,
                trail: None,
                reminders: false,
                now: at(1000),
            })
            .await
            .map_err(|error| error.to_string())?;
        let is_ours = held.as_ref().is_none_or(|held| self.model.is_open_at(&held.id, held.fence));
        let expected = match (version == stands, is_ours) {
            (true, true) => Written::Committed,
            (true, false) => Written::LeaseLost,
            (false, _) => Written::Conflict,
        };
        same!(found, expected);
        if found == Written::Committed {
            self.model.connections.insert(name, (version + 1, connection));
            if let Some(held) = held {
                same!(self.model.record(&held.id, held.fence, &progress, then), true);
            }
        }
        Ok(())
    }

    /// Whether all is as the model has it.
    async fn stands(&mut self) -> Result<(), String> {
        let sql = "SELECT id || ' ' || dedup || ' ' || coalesce(subject, '-') || ' ' || stage || ' ' || CAST(fence AS TEXT) \
                   || ' ' || CASE lease_until WHEN 0 THEN 'free' WHEN 1 THEN 'over' ELSE 'held' END \
                   || ' ' || CAST(run_at AS TEXT) || ' ' || coalesce(CAST(ended_at AS TEXT), '-') || ' ' \
                   || CAST(tries AS TEXT) || ' ' || CASE WHEN response_url IS NULL THEN 'none' ELSE 'url' END AS line \
                   FROM command ORDER BY id";
        same!(self.beside.lines(sql, "line").await, self.model.lines());
        let now = at(10_000);
        let census = self.processes[0].census(now).await.map_err(|error| error.to_string())?;
        let open = |stage: &str| {
            let rows = self.model.rows.iter().filter(|row| row.ended_at.is_none());
            rows.filter(|row| row.progress.stage.name() == stage).count()
        };
        for (stage, name) in [(OpenStage::Create, "create"), (OpenStage::Deliver, "deliver")] {
            let counted = census.open.iter().find(|(of, _)| *of == stage).map_or(0, |(_, count)| *count);
            same!(usize::try_from(counted).unwrap(), open(name));
        }
        same!(census.oldest_open, self.model.oldest().map(at));
        same!(usize::try_from(census.undeliverable).unwrap(), self.model.undeliverable());
        for name in 0..2 {
            let last = self.processes.len() - 1;
            let found =
                self.processes[last].connection(&key(name)).await.map_err(|error| error.to_string())?;
            let found = found.map(|stored| (stored.version, stored.connection));
            same!(found.as_ref(), self.model.connections.get(&name));
        }
        Ok(())
    }
}

async fn open(url: &DatabaseUrl) -> Store {
    let secrets = [SecretString::from("a secret of nobody's")];
    let metrics = connect_card::telemetry::Metrics::default();
    let options = Options { url, secrets: &secrets, lease: Duration::from_secs(3600), metrics };
    Store::open(options).await.unwrap()
}
