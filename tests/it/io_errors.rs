//! A disk that fails: the n-th write, sync or read of the database comes back with an error, once or from then
//! on. Nothing is acknowledged that is not on the disk, what was acknowledged ends, nothing is made twice, and
//! the file stays whole.
//!
//! The suite tries some of the n. The long form tries the first so many, each once and from then on:
//! `CONNECT_CARD_IO_ERRORS=200 cargo test --test it io_errors -- --nocapture`

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use sqlx::Connection as _;
use stand_ins::slack;

use crate::harness::proc::is_traced;
use crate::harness::{
    CHANNEL, Engine, Outside, Process, Program, Random, accepted, needs, number, say, seed, until,
};

/// Commands that are typed while the disk fails.
const COMMANDS: usize = 3;
/// Cases at a time; most of one's time is spent waiting.
const AT_A_TIME: usize = 4;
/// Calls that some commands make of each kind, about: beyond that, nothing would be hit.
const CALLS: [(&str, &str, u64); 4] = [
    ("pwrite64", "EIO", 120),
    ("pwrite64", "ENOSPC", 120),
    ("fsync,fdatasync", "EIO", 12),
    ("pread64", "EIO", 20),
];

/// One fault: these calls, this error, from which of them on, and whether all that follow fail, too.
#[derive(Clone, Copy, Debug)]
struct Case {
    calls: &'static str,
    error: &'static str,
    at: u64,
    lasts: bool,
}

fn cases() -> Vec<Case> {
    let most = number("CONNECT_CARD_IO_ERRORS", 0) as u64;
    let seed = seed();
    say(&format!("CONNECT_CARD_SEED={seed}"));
    let mut random = Random(seed);
    let mut cases = Vec::new();
    for (calls, error, usual) in CALLS {
        let some: Vec<u64> = if most > 0 {
            (1..=usual.min(most)).collect()
        } else {
            vec![1, 2 + random.below(usual / 4), 2 + random.below(usual)]
        };
        for at in some {
            for lasts in [false, true] {
                cases.push(Case { calls, error, at, lasts });
            }
        }
    }
    cases
}

/// `strace` on a process, in which these calls fail if they are about its database.
async fn break_disk(
    strace: &Path,
    program: &Program,
    process: &Process,
    case: Case,
) -> tokio::process::Child {
    let Case { calls, error, at, lasts } = case;
    let database = program.database().display().to_string();
    let when = if lasts { "+" } else { "" };
    let mut command = tokio::process::Command::new(strace);
    command.args(["-f", "-qq", "-o"]).arg(program.folder().join("trace"));
    command.args(["-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:error={error}:when={at}{when}")]);
    for path in [database.clone(), format!("{database}-wal")] {
        command.args(["-P", &path]);
    }
    command.args(["-p", &process.id().to_string()]).stderr(Stdio::null()).kill_on_drop(true);
    let strace = command.spawn().unwrap();
    until("strace to attach", async || is_traced(process.id()).then_some(())).await;
    strace
}

/// Says whether the fault was met.
async fn survives(strace: &Path, case: Case) -> bool {
    let outside = Outside::start().await;
    let program = Engine::Sqlite.program(&outside).with("TRACEABLE", "1");
    let mut process = program.start().await;
    let mut tracing = break_disk(strace, &program, &process, case).await;
    let (mut promised, mut denied) = (HashSet::new(), Vec::new());
    for n in 0..COMMANDS {
        let schema = format!("schema_{n}");
        let answer = process.try_to_send(&outside.slack, CHANNEL, &format!("google_ads {schema}")).await;
        // A bot that has given up says nothing, and Slack tells the person so.
        let Ok(ack) = answer else { break };
        assert_eq!(ack.status, 200, "{case:?}: {}", ack.text());
        match accepted(&ack) {
            Some(reference) => drop(promised.insert(reference)),
            None if slack::render(&ack.json()).contains("I didn't do anything") => denied.push(schema),
            None => assert!(slack::render(&ack.json()).contains("may be lost"), "{case:?}: {}", ack.text()),
        }
    }
    // The disk is well again.
    let _ = Command::new("kill").args(["-INT", &tracing.id().unwrap().to_string()]).status();
    tracing.wait().await.unwrap();
    let next = until(&format!("a command to be accepted again: {case:?}"), async || {
        if let Some(status) = process.ended() {
            // It may end, but not as if all were well.
            assert_ne!(status.code(), Some(0), "{case:?}: {}", process.log());
            process = program.start().await;
        }
        let ack = process.try_to_send(&outside.slack, CHANNEL, "google_ads afterwards").await.ok()?;
        accepted(&ack)
    })
    .await;
    promised.insert(next);
    outside.until_all_ended(&promised).await;
    let log = process.log();
    assert!(!log.contains("panicked"), "{case:?}: {log}");
    process.stop().await;
    let made = outside.connections_by_name();
    for schema in denied {
        assert!(!made.contains_key(&schema), "{case:?}: {schema} was made although it was denied");
    }
    for (name, count) in made {
        assert_eq!(count, 1, "{case:?}: {name} was made {count} times");
    }
    let mut db = sqlx::SqliteConnection::connect(program.var("DATABASE_URL")).await.unwrap();
    let found: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(found, "ok", "{case:?}");
    db.close().await.unwrap();
    outside.shutdown();
    std::fs::read_to_string(program.folder().join("trace")).unwrap().contains("INJECTED")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_disk_fails_at_what_was_acknowledged_ends_and_what_was_denied_does_not() {
    let Some(strace) = needs::strace() else { return };
    let cases = cases();
    let all = cases.len();
    let met = stream::iter(cases).map(|case| survives(&strace, case)).buffer_unordered(AT_A_TIME);
    let met = met.filter(|met| std::future::ready(*met)).count().await;
    say(&format!("{all} cases, in {met} of which the fault was met"));
    // The first of each kind always is.
    assert!(met >= 2 * CALLS.len() - 2, "{met} of {all}");
}
