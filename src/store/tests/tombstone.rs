//! What cannot be made void any more is said by the whole store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::doomed;
use crate::store::conditions::scene::Scene;
use crate::store::tombstone::Graveyard;
use crate::store::{Pool, statements};

#[tokio::test]
async fn once_the_database_is_closed_nothing_is_tried_any_more_and_the_store_says_so() {
    let (file, _folder) = Scene::database().await;
    let mut store = Scene::new(&file, &statements::SQLITE).await.a;
    let (other, _other_folder) = Scene::database().await;
    other.close().await;
    let graveyard = Graveyard::open(Pool::Sqlite(other), &statements::SQLITE);
    tokio::time::pause();
    graveyard.bury(doomed("x"));
    tokio::time::timeout(Duration::from_secs(10), graveyard.closed()).await.expect("it ends");
    assert!(graveyard.is_closed() && graveyard.is_at_work());
    store.0.probe.is_answered(true);
    assert!(store.is_writable(Timestamp::UNIX_EPOCH).await, "it was a moment ago");
    Arc::get_mut(&mut store.0).unwrap().graveyard = graveyard;
    store.a_writer_ended().await;
    assert!(!store.is_writable(Timestamp::UNIX_EPOCH).await);
}
