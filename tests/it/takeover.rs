//! A database of the release before, and of one that was rolled back: every link that it has kept is
//! watched and guarded from the first start on.
//!
//! The long form says how long so many links take:
//! `CONNECT_CARD_LINKS=100000 cargo test --release --test it takeover -- --nocapture --test-threads 1`

use std::time::Duration;

use connect_card::clock::Clock;
use connect_card::life::State;
use connect_card::store::{Store, Stored};
use connect_card::work::{Key, Request};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::aged::{Aged, engines};
use crate::harness::{Engine, number, say};

/// The steps that the release before knew.
const ITS_STEPS: i64 = 3;

/// A database of the release before.
struct Before(Aged);

impl Before {
    async fn on(engine: Engine) -> Self {
        Self(Aged::at(engine, ITS_STEPS).await)
    }

    async fn run(&self, sql: String) {
        self.0.run(sql).await;
    }

    async fn open(&self) -> Store {
        self.0.open().await
    }

    /// Keeps a link of that release, with its message. `posted` ms after 1970.
    async fn keep(&self, id: &str, name: &str, channel: &str, state: &str, posted: i64, more: (u8, i64)) {
        let (stale, fence) = more;
        let request = request(name);
        let expires = posted + 86_400_000;
        self.run(format!(
            "INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, \
             message_channel, message_ts, state, detail, posted_at, expires_at, changed_at, reminded, stale, check_at, \
             fence) VALUES ('{id}', 'connection_of_{name}', 'T', '{channel}', 'U', '{request}', '{name}', '{channel}', \
             'ts_{id}', '{state}', 'in Fivetran''s words', {posted}, {expires}, {posted}, 1, {stale}, {posted}, {fence})"
        ))
        .await;
    }
}

/// What was asked for, as that release wrote it.
fn request(name: &str) -> String {
    json!({
        "service": "google_ads", "service_name": "Google Ads", "kind": "schema", "retired": null,
        "target": { "schema": name, "table": null }, "group_id": "g", "destination": null,
        "slash": "/connect-card", "confirmed": "no",
    })
    .to_string()
}

async fn stands(store: &Store, name: &str) -> Option<Stored> {
    store.connection(&Key { group_id: "g".to_owned(), name: name.to_owned() }).await.unwrap()
}

/// A connection in short: its link, its home, its state, and whether its message is behind.
async fn short(store: &Store, name: &str) -> Option<(String, String, State, bool)> {
    let stored = stands(store, name).await?;
    let link = stored.connection.link;
    assert_eq!(link.message.unwrap().ts, format!("ts_{}", link.id), "its message is where it was");
    Some((link.id, link.channel_id, link.state, stored.behind))
}

#[test]
fn the_release_before_wrote_what_this_one_reads() {
    serde_json::from_str::<Request>(&request("acme")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_the_release_before_are_taken_over_and_again_after_it_was_rolled_back_to() {
    let now = Clock::default().now();
    let ms = now.as_millisecond();
    let hour = 3_600_000;
    for engine in engines() {
        let before = Before::on(engine).await;
        let states = ["waiting", "connected", "expired", "broken", "cancelled", "replaced"];
        for (state, n) in states.into_iter().zip(1..) {
            before.keep(&format!("{n}"), state, "C1", state, ms - n * hour, (0, 3)).await;
        }
        before.keep("STALE", "stale", "C1", "connected", ms - hour, (1, 1)).await;
        // The same connection in two channels; the older link was posted first.
        before.keep("OLD", "moved", "C1", "replaced", ms - 3 * hour, (0, 1)).await;
        before.keep("NEW", "moved", "C2", "waiting", ms - 2 * hour, (0, 1)).await;
        // And where the newer one had gone when the older one stood still.
        before.keep("STOOD", "back", "C1", "connected", ms - 3 * hour, (0, 1)).await;
        before.keep("WENT", "back", "C2", "replaced", ms - 2 * hour, (0, 1)).await;
        before.keep("ODD", "odd", "C1", "rehearsed", ms - hour, (0, 1)).await;

        let store = before.open().await;
        assert_eq!(store.take_links_over(now).await.unwrap(), 12, "{engine}");
        assert_eq!(store.take_links_over(now).await.unwrap(), 0, "{engine}: once is enough");
        for (state, n) in states.into_iter().zip(1..) {
            let expected = (format!("{n}"), "C1".to_owned(), State::named(state).unwrap(), false);
            assert_eq!(short(&store, state).await, Some(expected), "{engine}");
        }
        let is =
            |id: &str, channel: &str, state, behind| Some((id.to_owned(), channel.to_owned(), state, behind));
        assert_eq!(short(&store, "stale").await, is("STALE", "C1", State::Connected, true), "{engine}");
        assert_eq!(short(&store, "moved").await, is("NEW", "C2", State::Waiting, false), "{engine}");
        assert_eq!(short(&store, "back").await, is("STOOD", "C1", State::Connected, false), "{engine}");
        assert!(stands(&store, "odd").await.is_none(), "{engine}");
        let reminded = stands(&store, "waiting").await.unwrap().connection.link.reminded;
        assert!(reminded.before && !reminded.after, "{engine}");
        assert_eq!(store.count_links_of_channel("T", "C2", 9).await.unwrap(), 1, "{engine}");
        let watched = store.watched("g", now, None, 99).await.unwrap();
        // Neither what is cancelled nor what is replaced is watched any more.
        assert_eq!(watched.len(), 7, "{engine}: {watched:?}");
        assert_eq!(store.claim_sweeps(now + Duration::from_secs(60), 9).await.unwrap().len(), 1, "{engine}");
        store.close().await;

        // That release again: its customer finishes, and one more link is posted.
        before
            .run(
                "UPDATE link SET state = 'connected', fence = fence + 1, stale = 1 WHERE id = '1'".to_owned(),
            )
            .await;
        before.keep("NEXT", "expired", "C1", "waiting", ms, (0, 0)).await;
        before
            .run("UPDATE link SET state = 'replaced', fence = fence + 1, stale = 1 WHERE id = '3'".to_owned())
            .await;
        let store = before.open().await;
        assert_eq!(store.take_links_over(now).await.unwrap(), 3, "{engine}");
        assert_eq!(short(&store, "waiting").await, is("1", "C1", State::Connected, true), "{engine}");
        assert_eq!(short(&store, "expired").await, is("NEXT", "C1", State::Waiting, false), "{engine}");
        assert_eq!(short(&store, "broken").await, is("4", "C1", State::Broken, false), "{engine}");
        // The message of the link that was replaced does not say so yet.
        let behind = store.claim_messages(now, 9).await.unwrap();
        let mut behind: Vec<_> = behind.iter().map(|message| message.id.as_str()).collect();
        behind.sort_unstable();
        assert_eq!(behind, ["1", "3", "STALE"], "{engine}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_links_there_are_none_is_lost() {
    let links = number("CONNECT_CARD_LINKS", 1000);
    let now = Clock::default().now();
    let ms = now.as_millisecond();
    for engine in engines() {
        let before = Before::on(engine).await;
        let one = request("NAME").replace('\'', "''");
        let (head, tail) = one.split_once("NAME").unwrap();
        before
            .run(format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {links}) \
                 INSERT INTO link (id, connection_id, team_id, channel_id, requester, request, schema_name, \
                 message_channel, message_ts, state, posted_at, expires_at, changed_at, check_at) \
                 SELECT 'L' || i, 'connection_' || i, 'T', 'C1', 'U', '{head}name_' || i || '{tail}', 'name_' || i, 'C1', \
                 'ts_L' || i, 'waiting', {ms} - i, {ms} + 86400000, {ms} - i, {ms} FROM n"
            ))
            .await;
        let start = Instant::now();
        let store = before.open().await;
        let migrated = start.elapsed();
        let taken = store.take_links_over(now).await.unwrap();
        say(&format!(
            "{links} links on {engine}: {migrated:.1?} for the tables, {:.1?} for the links",
            start.elapsed() - migrated
        ));
        assert_eq!(taken, links as u64, "{engine}");
        for n in [1, 2, links / 2, links] {
            let expected = (format!("L{n}"), "C1".to_owned(), State::Waiting, false);
            assert_eq!(short(&store, &format!("name_{n}")).await, Some(expected), "{engine}");
        }
        let mut watched = 0;
        let mut after = None;
        loop {
            let page = store.watched("g", now, after.as_ref(), 500).await.unwrap();
            watched += page.len();
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
        }
        assert_eq!(watched, links, "{engine}: each of them once");
        store.close().await;
    }
}
