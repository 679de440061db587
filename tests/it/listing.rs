//! The list of a destination's connections, as it is read page by page from Fivetran.

use connect_card::fivetran::error::Error;
use connect_card::fivetran::keys::ApiKey;
use connect_card::fivetran::model::SetupState;
use connect_card::fivetran::{Fivetran, FivetranConfig};
use connect_card::provision::{Landing, Provision};
use serde_json::json;
use stand_ins::fault::Fault;
use stand_ins::fivetran::lies::Lies;
use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn, GROUP_ID};

use crate::harness::{Outside, client};

fn api(fivetran: &FivetranStandIn) -> Fivetran {
    let key = ApiKey {
        variable: "FIVETRAN_API_KEY",
        key: API_KEY.to_owned().into(),
        secret: API_SECRET.to_owned().into(),
        expires: None,
    };
    Fivetran::new(client(), FivetranConfig { api_url: fivetran.url(), key, second_key: None })
}

#[tokio::test]
async fn every_connection_is_on_one_page_whatever_comes_and_goes_meanwhile() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    let ids = fivetran.seed_connections("g", "stripe", "s", "incomplete", 1500);
    let _ = fivetran.seed_connections("h", "stripe", "s", "connected", 10);
    fivetran.finish_setup(&ids[1200]);
    let api = api(fivetran);
    let first = api.connections_of("g", None).await.unwrap();
    assert_eq!(first.items.len(), 1000);
    assert!(first.items.iter().all(|it| it.status.setup_state == SetupState::Incomplete));
    api.delete_connection(&ids[0]).await.unwrap();
    let late = fivetran.seed_connections("g", "stripe", "late", "incomplete", 1);
    let second = api.connections_of("g", first.next_cursor.as_deref()).await.unwrap();
    let seen = first.items.iter().chain(&second.items).map(|it| it.id.as_str());
    assert!(seen.eq(ids.iter().chain(&late).map(String::as_str)));
    let finished = &second.items[200];
    assert_eq!((finished.status.setup_state, finished.schema.as_str()), (SetupState::Connected, "s_1200"));
    assert!(!first.hides() && !second.hides() && second.next_cursor.is_none());
    outside.shutdown();
}

#[tokio::test]
async fn what_is_asked_for_is_escaped_and_what_comes_must_be_a_list() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    let _ = fivetran.seed_connection("stripe", "acme", "incomplete");
    let api = api(fivetran);
    // Another group, and not the filter of another name.
    assert!(api.connections_of("g&schema=acme", None).await.unwrap().items.is_empty());
    assert!(matches!(api.connections_of(GROUP_ID, Some("a&b=c+d")).await, Err(Error::Rejected { .. })));
    let asked: Vec<_> = fivetran.calls().into_iter().map(|call| (call.route, call.query)).collect();
    assert_eq!(asked[0], ("list_page", "group_id=g%26schema%3Dacme&limit=1000".to_owned()));
    assert_eq!(asked[1].1, format!("group_id={GROUP_ID}&limit=1000&cursor=a%26b%3Dc%2Bd"));
    for (fault, foreign) in [
        (Fault::Truncated, false),
        (Fault::DropAfter, false),
        (Fault::NotJson, true),
        (Fault::Empty, true),
        (Fault::Oversized, true),
    ] {
        fivetran.faults(|faults| faults.fail_next("list_page", fault.clone(), 1));
        let listed = api.connections_of(GROUP_ID, None).await;
        assert_eq!(matches!(listed, Err(Error::Unclear(_))), !foreign, "{fault:?}");
        assert_eq!(matches!(listed, Err(Error::Blocked(_))), foreign, "{fault:?}");
    }
    // Whatever a list has in it, only what bears the name in that group is what was looked for.
    let item = |id: &str, group: &str, schema: &str| json!({"id": id, "group_id": group, "schema": schema});
    let items = [item("a_b", GROUP_ID, "other"), item("c_d", "other", "acme"), item("e_f", GROUP_ID, "acme")];
    let answer = Fault::Says(200, json!({"code": "Success", "data": {"items": items}}));
    fivetran.faults(|faults| faults.fail_next("list_connections", answer, 1));
    let found = api.connections_named(GROUP_ID, "acme").await.unwrap();
    assert_eq!(found.connections.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["e_f"]);
    outside.shutdown();
}

#[tokio::test]
async fn a_list_that_goes_round_in_a_circle_is_none() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    let ids = fivetran.seed_connections(GROUP_ID, "stripe", "s", "incomplete", 3);
    let landing = Landing::Fixed("https://bot.example".to_owned());
    let provision = Provision::new(api(fivetran), landing);
    let mut list = provision.list(GROUP_ID);
    assert_eq!(list.next().await.unwrap().unwrap().items.len(), 3);
    assert!(list.next().await.unwrap().is_none());

    fivetran.lies(Lies::never_end);
    let mut list = provision.list(GROUP_ID);
    let first = list.next().await.unwrap().unwrap();
    assert_eq!(first.items[0].id, ids[0]);
    assert!(matches!(list.next().await, Err(Error::Unclear(_))));
    assert!(matches!(provision.page(GROUP_ID, first.next_cursor.as_deref()).await, Err(Error::Unclear(_))));
    outside.shutdown();
}
