//! Partners that answer with as much as anybody reads, to many commands at once: what the real process takes
//! for them is bounded, and everybody's command ends.

use std::collections::HashSet;

use futures_util::future::join_all;
use stand_ins::fault::Fault;

use crate::harness::proc::most_memory_kb;
use crate::harness::{Outside, Program, accepted, say};

/// Commands at once.
const COMMANDS: usize = 96;
/// What each is answered with, in bytes. Eight megabytes of it are read.
const FLOOD: usize = 100 << 20;
/// What all answers together may take, with what is around them: the room for large ones is 32 MB.
const MOST_KB: u64 = 150 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_in_answer_to_many_takes_no_more_memory_than_there_is_room_for() {
    let outside = Outside::start().await;
    let process = Program::against(&outside).start().await;
    let Some(before) = most_memory_kb(process.id()) else { return say("skipped: the system has no /proc") };
    let flood = Fault::Flood { bytes: FLOOD, declared: false };
    outside.fivetran.faults(|faults| faults.fail_next("create_connection", flood, COMMANDS));
    let acks = join_all(
        (0..COMMANDS)
            .map(async |at| process.send(&outside.slack, &format!("google_ads customer_{at}")).await),
    );
    let references: HashSet<_> = acks.await.iter().map(|ack| accepted(ack).unwrap()).collect();
    outside.until_all_ended(&references).await;
    let grown = most_memory_kb(process.id()).unwrap() - before;
    say(&format!("a flood in answer to {COMMANDS} commands: {} MB more than before", grown >> 10));
    assert!(grown < MOST_KB, "{grown} KB");
    assert!(outside.connections_by_name().values().all(|count| *count == 1));
    process.kill().await;
    outside.shutdown();
}
