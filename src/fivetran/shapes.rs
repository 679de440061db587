//! Tests of answers in which a field has another shape than it should.
//!
//! Owns which fields each answer can do without. Must not know how they are read.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fivetran::config_keys::Metadata;
use crate::fivetran::listed::Raw;
use crate::fivetran::model::{
    Account, Answer, ConnectCard, Connection, ConnectorType, Created, Group, Items, Minted, SystemKey,
};

/// What may stand where something else is expected; the last one is for a field that is not there.
fn odd() -> Vec<Option<Value>> {
    let odd = [
        json!(null),
        json!(5),
        json!(-0.5),
        json!(true),
        json!("odd"),
        json!(""),
        json!([]),
        json!([null, 5, "odd", [], {}]),
        json!({}),
        json!({"odd": {"odd": [1]}}),
    ];
    odd.into_iter().map(Some).chain([None]).collect()
}

fn put(whole: &Value, path: &str, odd: Option<Value>) -> Value {
    let mut whole = whole.clone();
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = whole.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    assert!(parent.remove(field).is_some(), "{path} is not in the answer");
    if let Some(odd) = odd {
        parent.insert(field.to_owned(), odd);
    }
    whole
}

/// Which of these fields can be anything without the answer becoming unreadable, and which not.
fn reads<T: DeserializeOwned>(whole: &Value, may_be_odd: &[&str], needed: &[&str]) {
    let reads = |value: Value| serde_json::from_value::<T>(value).is_ok();
    let name = std::any::type_name::<T>();
    assert!(reads(whole.clone()), "{name}");
    for path in may_be_odd {
        for odd in odd() {
            assert!(reads(put(whole, path, odd.clone())), "{name}: {path} is {odd:?}");
        }
    }
    for path in needed {
        let odd = [Some(json!(5)), Some(json!("odd odd")), Some(json!({"odd": 1})), Some(json!([5])), None];
        for odd in odd {
            assert!(!reads(put(whole, path, odd.clone())), "{name}: {path} is {odd:?}");
        }
    }
}

#[test]
fn a_field_of_another_shape_costs_no_answer_that_can_do_without_it() {
    let task = json!({"code": "reconnect", "message": "Reconnect", "details": "d"});
    let test = json!({"title": "t", "status": "PASSED", "message": "m", "details": "d"});
    let connection = json!({
        "id": "a", "service": "s", "schema": "n", "group_id": "g", "created_at": "2026-01-02T03:04:05Z",
        "paused": false, "setup_tests": [test], "status": {
            "setup_state": "broken", "sync_state": "paused", "is_historical_sync": true,
            "tasks": [task], "warnings": [task],
        },
    });
    let fields = [
        "/service",
        "/schema",
        "/group_id",
        "/created_at",
        "/paused",
        "/setup_tests",
        "/status",
        "/status/setup_state",
        "/status/sync_state",
        "/status/is_historical_sync",
        "/status/tasks",
        "/status/warnings",
    ];
    reads::<Connection>(&connection, &fields, &["/id"]);
    let card = json!({"uri": "https://f.com/card", "token": "a.b.c"});
    let mut created = connection.clone();
    created["connect_card"] = card.clone();
    let more = ["/connect_card", "/connect_card/uri", "/connect_card/token"];
    reads::<Created>(&created, &[&fields[..], &more].concat(), &["/id"]);
    reads::<ConnectCard>(&card, &["/token"], &["/uri"]);
    reads::<Minted>(
        &json!({"connect_card": card, "connector_id": "a"}),
        &["/connector_id"],
        &["/connect_card"],
    );
    // An answer without its list would say that there is nothing.
    reads::<Answer<Items<Connection>>>(
        &json!({"code": "Success", "message": "m", "data": {"items": [connection]}}),
        &["/code", "/message"],
        &["/data", "/data/items"],
    );
    // So would one without a page's end, if the next page were left out.
    let raw = json!({"items": [connection], "next_cursor": "c"});
    reads::<Raw>(&raw, &[], &[]);
    assert!(serde_json::from_value::<Raw>(put(&raw, "/next_cursor", Some(json!(5)))).is_err());
    let service = json!({
        "id": "s", "name": "S", "service_status": "beta", "type": "Marketing", "supported_features": [],
    });
    let fields = ["/name", "/service_status", "/type", "/supported_features"];
    reads::<ConnectorType>(&service, &fields, &[]);
    let metadata = json!({
        "config": {"required": ["schema"], "properties": {"schema": {"type": "string"}}}, "auth": {"properties": {}},
    });
    let fields = ["/config/required", "/config/properties/schema", "/auth", "/auth/properties"];
    reads::<Metadata>(&metadata, &fields, &[]);
    let account = json!({"account_name": "A", "account_id": "a", "system_key_id": "k"});
    reads::<Account>(&account, &["/account_name", "/account_id", "/system_key_id"], &[]);
    reads::<SystemKey>(&json!({"expired_at": "2026-01-02T03:04:05Z"}), &["/expired_at"], &[]);
    reads::<Group>(&json!({"name": "G"}), &["/name"], &[]);
}
