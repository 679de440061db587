//! The app's Home and its files, by the Web API.

use super::{api, json, stand_in};
use crate::outside::client;

/// slack.md, 5, and docs.slack.dev, views.publish: a Home keeps its id, and a hash guards what it shows.
#[tokio::test]
async fn a_home_is_published_over_the_one_that_its_hash_names() {
    let slack = stand_in().await;
    let blocks = json!([{ "type": "section", "text": { "type": "plain_text", "text": "Hello" } }]);
    let view = json!({ "type": "home", "blocks": blocks });
    let home = json!({ "user_id": "U0ALICE", "view": view });
    let first = api(&slack, "views.publish", home.clone()).await["view"].clone();
    let mut guarded = home.clone();
    guarded["hash"] = first["hash"].clone();
    let second = api(&slack, "views.publish", guarded.clone()).await["view"].clone();
    assert_eq!(first["id"], second["id"]);
    assert_eq!(api(&slack, "views.publish", guarded).await["error"], "hash_conflict");
    assert_eq!(slack.view(first["id"].as_str().unwrap()), Some(second.clone()));
    // What an event tells of it.
    let opened = slack.home_opened("U0ALICE", "home");
    assert_eq!((&opened["event"]["view"], &opened["event"]["channel"]), (&second, &json!("D0ALICE")));
    assert!(slack.home_opened("U0ALICE", "messages")["event"]["view"].is_null());
    assert!(slack.home_opened("U0BOB", "home")["event"]["view"].is_null());
    assert_ne!(opened["event_id"], slack.home_opened("U0ALICE", "home")["event_id"]);
}

/// docs.slack.dev, messaging/working-with-files: an address, the bytes, and then where they belong.
#[tokio::test]
async fn a_file_takes_three_steps_in_their_order() {
    let slack = stand_in().await;
    let announced =
        api(&slack, "files.getUploadURLExternal", json!({ "filename": "a.csv", "length": 3 })).await;
    let complete =
        json!({ "files": [{ "id": announced["file_id"], "title": "A" }], "channel_id": "C0CUSTOMER" });
    assert_eq!(
        api(&slack, "files.completeUploadExternal", complete.clone()).await["error"],
        "file_not_found"
    );
    let post = async |body: &'static str| {
        let address = announced["upload_url"].as_str().unwrap();
        client().post(address).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!((post("abcd").await, post("abc").await, post("abc").await), (400, 200, 404));
    assert_eq!(api(&slack, "files.completeUploadExternal", complete.clone()).await["ok"], true);
    assert_eq!(api(&slack, "files.completeUploadExternal", complete).await["error"], "file_not_found");
    let file = slack.files().pop().unwrap();
    assert_eq!((file.content.as_deref(), file.channel.as_deref()), (Some(&b"abc"[..]), Some("C0CUSTOMER")));
    for odd in [json!({ "filename": "a.csv", "length": 0 }), json!({ "filename": "a.csv" })] {
        assert_eq!(api(&slack, "files.getUploadURLExternal", odd).await["error"], "invalid_arguments");
    }
    slack.set_scopes(&["chat:write"]);
    let asked = json!({ "filename": "a.csv", "length": "3" });
    assert_eq!(api(&slack, "files.getUploadURLExternal", asked).await["needed"], "files:write");
}
