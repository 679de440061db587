//! The steps of one command, each by itself: `cargo bench -p benches`.
//!
//! Owns what is measured of each. What a command costs as a whole is measured from outside: `benches/compare`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark that meets what it did not expect ends; criterion makes undocumented items"
)]

use std::hint::black_box;

use benches::{NOW, ORIGIN, SECRET};
use connect_card::command::bundle::NO_BUNDLES;
use connect_card::command::places::{Destinations, NO_DEFAULTS};
use connect_card::command::surface::Surface;
use connect_card::command::{self, Vocabulary};
use connect_card::fivetran::catalog::Catalog;
use connect_card::fivetran::model::SetupState;
use connect_card::life::{self, Event, Seen, Trouble};
use connect_card::reply::live::{self, Note, Waiting};
use connect_card::reply::{self, Audience};
use connect_card::slack::SlashCommand;
use connect_card::slack::signature::Verifier;
use connect_card::work::Work;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};

fn verify(bench: &mut Criterion) {
    let (body, timestamp) = (benches::body(), NOW.as_second().to_string());
    let (signature, verifier) = (benches::signature(&body), Verifier::new(&[SecretString::from(SECRET)]));
    bench.bench_function("verify", |it| {
        it.iter(|| {
            let headers = ([timestamp.as_bytes()], [signature.as_bytes()]);
            verifier.verify(headers.0, headers.1, black_box(&body), NOW).unwrap()
        });
    });
}

fn decode(bench: &mut Criterion) {
    let (body, origins) = (benches::body(), [url::Url::parse(ORIGIN).unwrap().origin()]);
    bench.bench_function("decode", |it| {
        it.iter(|| SlashCommand::decode(black_box(&body), &origins).map(|_| ()).unwrap());
    });
}

fn parse(bench: &mut Criterion) {
    let (catalog, destinations) = (
        Catalog::built_in(),
        Destinations { default_group: Some("group".to_owned()), ..Destinations::default() },
    );
    let vocabulary = Vocabulary {
        slash: Surface::of("/connect-card"),
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    for (name, typed) in [("parse", "adwords customer_schema"), ("parse a slip", "gogle_ads customer_schema")]
    {
        bench.bench_function(name, |it| it.iter(|| command::parse(black_box(typed), &vocabulary).is_ok()));
    }
}

/// One command alone: what it waits for is a sync of the disk.
fn accept(bench: &mut Criterion) {
    let runtime = runtime();
    let (store, _folder) = runtime.block_on(filled(1));
    let mut next = 1;
    bench.bench_function("accept", |it| {
        it.iter(|| {
            next += 1;
            runtime.block_on(benches::accept(&store, next));
        });
    });
}

/// What is asked twice a second: whether anything is due that nobody is at work on.
fn claim(bench: &mut Criterion) {
    let runtime = runtime();
    for rows in [1, 10_000] {
        let (store, _folder) = runtime.block_on(filled(rows));
        bench.bench_with_input(BenchmarkId::new("claim", rows), &rows, |it, _| {
            it.iter(|| assert!(runtime.block_on(store.claim(NOW, 64)).unwrap().is_empty()));
        });
    }
}

fn render(bench: &mut Criterion) {
    let (request, card) = (benches::request("customer_schema"), benches::card());
    let work = Work::Connect(request.clone());
    bench.bench_function("render the acknowledgement", |it| {
        it.iter(|| serde_json::to_vec(&reply::accepted(black_box(&work), "0EXAMPLE00")).unwrap());
    });
    let waiting = Waiting {
        request: &request,
        requester: Some("U2147483697"),
        card: &card,
        note: Note::of(&work, false, false, true),
        audience: Audience::Channel,
        reference: "0EXAMPLE00",
    };
    bench.bench_function("render the link", |it| {
        it.iter(|| serde_json::to_vec(&live::waiting(black_box(&waiting), NOW)).unwrap());
    });
}

fn life(bench: &mut Criterion) {
    let connected =
        Seen::Setup { state: SetupState::Connected, trouble: Trouble::default(), first_sync: true };
    bench.bench_function("life::next", |it| {
        it.iter_batched(
            || (benches::connection(), Event::Seen(connected.clone())),
            |(connection, event)| life::next(&connection, event, true, NOW),
            BatchSize::SmallInput,
        );
    });
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn filled(rows: usize) -> (connect_card::store::Store, tempfile::TempDir) {
    let (store, folder) = benches::store().await;
    // Side by side, so that many share a sync.
    for first in (0..rows).step_by(256) {
        let accepting = (first..rows.min(first + 256)).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { benches::accept(&store, n).await })
        });
        for accepted in accepting.collect::<Vec<_>>() {
            accepted.await.unwrap();
        }
    }
    (store, folder)
}

criterion_group!(steps, verify, decode, parse, accept, claim, render, life);
criterion_main!(steps);
