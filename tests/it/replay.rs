//! The same signed request a hundred times, to one process, to two, and after a restart: one row,
//! one connection, one message.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::harness::{CHANNEL, Engine, Outside, Process, Program, USER, accepted, post, postgres};

/// How often the request is sent in all.
const TIMES: usize = 100;

async fn replay(engine: Engine, replicas: usize) {
    let outside = Outside::start().await;
    let request = outside.slack.command_request("/connect-card google_ads once_only", CHANNEL, USER);
    let headers = outside.slack.signed_request(request.body.as_bytes());
    let program = engine.program(&outside);
    let programs: Vec<_> = (0..replicas).map(|_| program.clone().on_another_port()).collect();
    let (mut references, mut answered_alike) = (HashSet::new(), 0);
    for _ in 0..2 {
        let processes = join_all(programs.iter().map(Program::start)).await;
        let sends: Vec<_> = (0..TIMES / 2)
            .map(|at| {
                let url = format!("{}/slack/commands", programs[at % replicas].url());
                let (headers, body) = (headers.clone(), request.body.clone().into_bytes());
                tokio::spawn(async move { post(&url, &headers, body).await })
            })
            .collect();
        for send in sends {
            let ack = send.await.unwrap().unwrap();
            assert_eq!(ack.status, 200, "{}", ack.text());
            answered_alike += usize::from(accepted(&ack).is_some());
            references.extend(accepted(&ack));
        }
        outside.until_all_ended(&references).await;
        join_all(processes.into_iter().map(Process::stop)).await;
    }
    assert_eq!(references.len(), 1, "one row: {references:?}");
    // Another replica cannot know whether the promise will be kept until the command is on its way.
    assert!(answered_alike >= TIMES / 2 / replicas, "{answered_alike}");
    assert_eq!(outside.fivetran.calls_to("create_connection"), 1);
    assert_eq!(outside.connections_by_name().len(), 1);
    assert_eq!(outside.slack.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_request_is_no_second_command_on_sqlite() {
    replay(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_request_is_no_second_command_for_two_replicas() {
    let Some(postgres) = postgres::shared() else { return };
    replay(Engine::Postgres(postgres), 2).await;
}
