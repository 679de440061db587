//! A disk that is full or read-only: nothing is acknowledged that is not on it, the person is
//! told, and work goes on when there is room again.
//!
//! The disk is a small file system in memory. Mounting one takes root; where the tests do not run
//! as root, the file-size limit of the process stands in for it.

use std::path::Path;
use std::process::Command;

use sqlx::Connection as _;
use stand_ins::slack;

use crate::harness::{Outside, Process, Program, accepted, say, until};

/// A mounted file system, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where the system does not let us mount.
    fn mount(kilobytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kilobytes}k");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|it| it.status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", how]).arg(self.path()).status().unwrap();
        assert!(done.success(), "remount {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l".as_ref(), self.path().as_os_str()]).status();
    }
}

/// Sends a command; returns its reference, or the sentence by which it was not accepted.
async fn type_in(process: &Process, outside: &Outside, schema: &str) -> Result<String, String> {
    let ack = process.send(&outside.slack, &format!("google_ads {schema}")).await;
    accepted(&ack).ok_or_else(|| slack::render(&ack.json()))
}

/// That nothing was done for a schema, and its person was told so.
fn assert_refused(answer: Result<String, String>, outside: &Outside, schema: &str) {
    let sentence = answer.expect_err("not accepted without a commit");
    assert!(sentence.contains("I didn't do anything") && sentence.contains("try again"), "{sentence}");
    assert!(!outside.connections_by_name().contains_key(schema), "{schema} was made all the same");
}

async fn integrity(program: &Program) {
    let mut db = sqlx::SqliteConnection::connect(program.var("DATABASE_URL")).await.unwrap();
    let found: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(found, "ok");
    db.close().await.unwrap();
}

/// A program whose database is on this disk, and its stand-ins.
async fn on(folder: &Path) -> (Outside, Program) {
    let outside = Outside::start().await;
    let database = format!("sqlite:{}", folder.join("bot.db").display());
    let program = Program::against(&outside).without("SLACK_BOT_TOKEN").with("DATABASE_URL", &database);
    (outside, program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_accepts_nothing_and_says_so_until_there_is_room() {
    let Some(disk) = Disk::mount(4096) else { return without_root().await };
    let (outside, program) = on(disk.path()).await;
    let process = program.start().await;
    let first = type_in(&process, &outside, "before").await.unwrap();
    outside.until_all_ended(&[first].into()).await;

    let filler = disk.path().join("filler");
    let _ = std::fs::write(&filler, vec![0; 8 * 1024 * 1024]);
    let mut refused = 0;
    // The write-ahead log may have room for some rows yet.
    for at in 0..400 {
        let schema = format!("full_{at}");
        let answer = type_in(&process, &outside, &schema).await;
        if answer.is_err() {
            assert_refused(answer, &outside, &schema);
            refused += 1;
        }
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3, "the disk became full");

    std::fs::remove_file(&filler).unwrap();
    let after = type_in(&process, &outside, "after").await.expect("accepted again");
    outside.until_all_ended(&[after].into()).await;
    // What was accepted while there was no room to record its end has ended, too.
    until("nothing is open", async || {
        let (links, made) = (outside.slack.messages().len(), outside.connections_by_name().len());
        (links >= made).then_some(())
    })
    .await;
    process.stop().await;
    integrity(&program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_accepts_nothing_and_says_so() {
    let Some(disk) = Disk::mount(4096) else { return without_root().await };
    let (_outside, program) = on(disk.path()).await;
    // A start on it refuses, with the cause and the remedy.
    disk.remount("remount,ro");
    let mut process = program.spawn();
    assert_eq!(process.wait().await.code(), Some(1));
    assert!(process.log().contains("DATABASE_URL must name a file that can be written"), "{}", process.log());
    disk.remount("remount,rw");
    program.start().await.stop().await;
    integrity(&program).await;
}

/// The same promise, by the file-size limit: writes beyond it fail.
async fn without_root() {
    say("cannot mount here; using the file-size limit instead");
    let folder = tempfile::tempdir().unwrap();
    let (outside, program) = on(folder.path()).await;
    let process = program.start().await;
    let limit = Command::new("prlimit").args([&format!("--pid={}", process.id()), "--fsize=4096"]).status();
    assert!(limit.is_ok_and(|it| it.success()), "prlimit of util-linux is needed");
    assert_refused(type_in(&process, &outside, "full").await, &outside, "full");
    let unlimited =
        Command::new("prlimit").args([&format!("--pid={}", process.id()), "--fsize=unlimited"]).status();
    assert!(unlimited.unwrap().success());
    let after = type_in(&process, &outside, "after").await.expect("accepted again");
    outside.until_all_ended(&[after].into()).await;
}
