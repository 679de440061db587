//! The same signed request a hundred times, to one process, to two, and after a restart: one row,
//! one connection, one message.

use std::collections::HashSet;

use crate::harness::post;
use crate::process::{CHANNEL, Outside, Setup, USER, accepted};

/// How often the request is sent in all.
const TIMES: usize = 100;

async fn replay(database: String, replicas: usize) {
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    let request = outside.slack.command_request("/connect-card google_ads once_only", CHANNEL, USER);
    let headers = outside.slack.signed_request(request.body.as_bytes());
    let setups: Vec<_> = (0..replicas)
        .map(|at| Setup::new(database.clone(), folder.path().join(format!("{at}.log"))))
        .collect();
    let mut references = HashSet::new();
    for round in 0..2 {
        let mut processes = Vec::new();
        for setup in &setups {
            processes.push(setup.start(&outside).await);
        }
        let sends: Vec<_> = (0..TIMES / 2)
            .map(|at| {
                let url = format!("{}/slack/commands", setups[at % replicas].url());
                let (headers, body) = (headers.clone(), request.body.clone().into_bytes());
                tokio::spawn(async move { post(&url, &headers, body).await })
            })
            .collect();
        for send in sends {
            let ack = send.await.unwrap().unwrap();
            assert_eq!(ack.status, 200, "{}", ack.text());
            references.extend(accepted(&ack));
        }
        outside.until_all_ended(&references).await;
        for mut process in processes {
            process.terminate();
            assert_eq!(process.wait().await.code(), Some(0), "round {round}: {}", process.log());
        }
    }
    assert_eq!(references.len(), 1, "one row: {references:?}");
    assert_eq!(outside.fivetran.calls_to("create_connection"), 1);
    assert_eq!(outside.connections_by_name().len(), 1);
    assert_eq!(outside.slack.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_request_is_no_second_command_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    replay(format!("sqlite:{}", folder.path().join("bot.db").display()), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_request_is_no_second_command_for_two_replicas() {
    let Some(postgres) = crate::postgres::shared() else { return };
    replay(postgres.database(), 2).await;
}
