//! That an acknowledgement leaves only after the disk has its command: the order of the system
//! calls, and that the same check sees it when SQLite does not sync.
//!
//! A kill proves nothing here, since the kernel keeps what was written; only the order does.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::proc::is_traced;
use crate::harness::{Engine, Outside, accepted, needs, until};

/// Commands sent one after another.
const COMMANDS: usize = 20;
/// Fivetran's answers take so long that the bot gives them up; the stand-in notes a call when half
/// of it is over, which is before that.
const SILENCE: Duration = Duration::from_secs(24);

/// What of one line of `strace -f -y` matters.
enum Event {
    /// The write-ahead log was written to.
    Wal,
    /// The write-ahead log is on disk.
    Synced,
    /// An acknowledgement leaves.
    Ack,
}

fn event(line: &str) -> Option<Event> {
    let call = line.split_once(' ')?.1.trim_start();
    if call.contains("bot.db-wal") && (call.contains("pwrite64(") || call.contains("write(")) {
        Some(Event::Wal)
    } else if call.contains("bot.db-wal")
        && (call.contains("fdatasync(") || call.contains("fsync("))
        && !call.contains("= -1")
    {
        Some(Event::Synced)
    } else if call.contains("Making a link")
        && (call.contains("sendto(") || call.contains("write(") || call.contains("writev("))
    {
        Some(Event::Ack)
    } else {
        None
    }
}

/// Acknowledgements, and how many of them left while something written was not yet synced.
fn unsynced(trace: &str) -> (usize, usize) {
    let (mut dirty, mut acks, mut bad) = (false, 0, 0);
    // A call that is cut in two by another thread's shows its name and its end on two lines.
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let thread = line.split_whitespace().next().unwrap_or("");
        let whole;
        let line = if line.ends_with("<unfinished ...>") {
            unfinished.insert(thread, line);
            // A send counts from its beginning, a sync only when it is done.
            if !matches!(event(line), Some(Event::Synced)) { line } else { continue }
        } else if line.contains("resumed>") {
            let Some(begun) = unfinished.remove(thread) else { continue };
            whole = format!("{begun}{line}");
            if matches!(event(&whole), Some(Event::Synced)) { &whole } else { continue }
        } else {
            line
        };
        match event(line) {
            Some(Event::Wal) => dirty = true,
            Some(Event::Synced) => dirty = false,
            Some(Event::Ack) => {
                acks += 1;
                bad += usize::from(dirty);
            }
            None => {}
        }
    }
    (acks, bad)
}

/// Traces a bot while commands are accepted one after another; nothing else is written meanwhile,
/// since Fivetran does not answer before the last of them. Where the machine is too slow for that,
/// it is tried again.
async fn trace(strace: &Path, sync: Option<(&str, &str)>) -> (usize, usize) {
    loop {
        if let Some(counted) = try_to_trace(strace, sync).await {
            return counted;
        }
    }
}

/// `None` if Fivetran was through with a call too early.
async fn try_to_trace(strace: &Path, sync: Option<(&str, &str)>) -> Option<(usize, usize)> {
    let outside = Outside::start().await;
    outside.fivetran.set_latency(SILENCE);
    // A lease that is prolonged would be written, too.
    let program = Engine::Sqlite.program(&outside).with("LEASE_SECONDS", "600").with("TRACEABLE", "1");
    let program = sync.into_iter().fold(program, |program, (name, value)| program.with(name, value));
    let process = program.start().await;
    let output = program.folder().join("trace");
    let mut tracing = tokio::process::Command::new(strace)
        .args(["-f", "-y", "-s", "400", "-e", "trace=pwrite64,write,writev,sendto,fdatasync,fsync", "-o"])
        .arg(&output)
        .args(["-p", &process.id().to_string()])
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("strace to attach", async || is_traced(process.id()).then_some(())).await;
    for at in 0..COMMANDS {
        let ack = process.send(&outside.slack, &format!("google_ads sync_{at}")).await;
        assert!(accepted(&ack).is_some(), "{}", ack.text());
    }
    let interrupt = Command::new("kill").args(["-INT", &tracing.id().unwrap().to_string()]).status();
    assert!(interrupt.unwrap().success());
    tracing.wait().await.unwrap();
    let in_time = outside.fivetran.calls_to("create_connection") == 0;
    process.kill().await;
    in_time.then(|| unsynced(&std::fs::read_to_string(output).unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_has_a_command_before_its_acknowledgement_leaves() {
    let Some(strace) = needs::strace() else { return };
    let (acks, bad) = trace(&strace, None).await;
    assert_eq!((acks, bad), (COMMANDS, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_sees_a_database_that_does_not_sync() {
    let Some(strace) = needs::strace() else { return };
    let (acks, bad) = trace(&strace, Some(("UNSAFE_SYNCHRONOUS", "OFF"))).await;
    assert_eq!((acks, bad), (COMMANDS, COMMANDS));
}
