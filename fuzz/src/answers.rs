//! The partners' answers, as their clients read them from the wire: leniency turns no refusal into a success,
//! and nothing is believed of what was not asked about.

use std::cell::LazyCell;

use connect_card::fivetran::catalog::ServiceId;
use connect_card::fivetran::error::Error;
use connect_card::fivetran::keys::ApiKey;
use connect_card::fivetran::live::CurrentCatalog;
use connect_card::fivetran::model::{Connection, LINK_LIFE, is_id};
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::fivetran::{Fivetran, FivetranConfig, NewConnection};
use connect_card::life::Trouble;
use connect_card::outbound;
use connect_card::reply;
use connect_card::slack::caller::Caller;
use connect_card::slack::respond::{self, PostError};
use connect_card::slack::web_api::WebApi;
use connect_card::slack::{Place, ResponseUrl};
use connect_card::telemetry::Metrics;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::wire::Partner;

const ID: &str = "iodize_open";
const GROUP: &str = "projected_sickle";
const NAME: &str = "acme";
/// Longest link that fits a button of Slack's.
const LINK_LIMIT: usize = 3000;

thread_local! {
    static PARTNER: LazyCell<Partner> = const { LazyCell::new(Partner::new) };
}

/// An answer of Fivetran's, in the form of [`Partner::answers`], to each call.
pub fn fivetran(data: &[u8]) {
    PARTNER.with(|partner| {
        let Some((status, body)) = partner.answers(data) else { return };
        let key = ApiKey { variable: "FIVETRAN_API_KEY", key: "k".into(), secret: "s".into(), expires: None };
        let config = FivetranConfig { api_url: partner.url.clone(), key, second_key: None };
        let fivetran = Fivetran::new(partner.http.clone(), config);
        partner.runtime.block_on(all_calls(&fivetran, status, body));
    });
    if let Some(at) = data.iter().position(|&byte| byte == b'\n') {
        from_body(&data[at + 1..]);
    }
}

async fn all_calls(fivetran: &Fivetran, status: u16, body: &[u8]) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let json: Option<Value> = outbound::json::of_bytes(body).ok();
    let judged = |error: Option<&Error>| {
        let Some(error) = error else {
            assert!((200..300).contains(&status), "a refusal is no success");
            return;
        };
        match error {
            Error::Gone(said) => {
                assert_eq!(status, 404);
                assert!(said.code.starts_with("NotFound_"), "Fivetran did not say so");
            }
            Error::Throttled(_) => assert_eq!(status, 429),
            Error::KeyRejected(_) => assert_eq!(status, 401),
            Error::Rejected { .. } | Error::Forbidden(_) | Error::NotFound(_) => {
                assert!((400..500).contains(&status), "{error}");
            }
            _ => {}
        }
        assert!(error.to_string().chars().count() < 1200, "{error}");
    };
    let service = ServiceId::parse("google_ads").unwrap();
    let target = Target::parse(NAME).unwrap();
    let redirect_uri = "https://bot.example/connected/X";
    let new = NewConnection {
        service: &service,
        group_id: GROUP,
        target: &target,
        kind: SchemaKind::Schema,
        redirect_uri,
        defaults: None,
    };
    let created = fivetran.create_connection(new).await;
    judged(created.as_ref().err());
    // Whatever may have been done is not taken for a refusal.
    if matches!(&created, Err(error) if status >= 500 || (200..300).contains(&status))
        && let Err(error) = &created
    {
        assert!(matches!(error, Error::Unclear(_) | Error::Blocked(_)), "{status}: {error}");
        assert!(status == 511 || matches!(error, Error::Unclear(_)), "{status}: {error}");
    }
    if let Ok(created) = &created {
        assert!(is_id(&created.connection.id));
        if let Some(card) = &created.connect_card {
            assert!(card.expose_link().as_str().len() <= LINK_LIMIT);
            assert!(matches!(card.expose_link().scheme(), "http" | "https"));
            let ends = card.expires_at(now);
            assert!(
                ends > now && ends <= now.saturating_add(LINK_LIFE * 2).unwrap(),
                "a link that works until {ends}"
            );
        }
    }
    let named = fivetran.connections_named(GROUP, NAME).await;
    judged(named.as_ref().err());
    if let Ok(named) = named {
        assert!(
            named.connections.iter().all(|it| it.group_id == GROUP && it.schema == NAME && is_id(&it.id))
        );
    }
    let page = fivetran.connections_of(GROUP, Some("cursor")).await;
    judged(page.as_ref().err());
    if let Ok(page) = page {
        let count = json.as_ref().and_then(|it| it.pointer("/data/items")?.as_array()).map(Vec::len);
        let known = page.items.len() + page.unreadable.len() + page.strays;
        assert!(count.is_none_or(|count| count == known), "{known} of {count:?} connections");
        assert!(page.items.iter().all(|it| it.group_id == GROUP && is_id(&it.id)));
        assert!(page.next_cursor.as_deref().is_none_or(|it| !it.is_empty() && it != "cursor"));
    }
    let seen = fivetran.connection(ID).await;
    judged(seen.as_ref().err());
    assert!(seen.is_err() || seen.is_ok_and(|it| it.id == ID), "another connection than was asked about");
    let card = fivetran.connect_card(ID, redirect_uri, None).await;
    judged(card.as_ref().err());
    if let Ok(card) = card {
        assert!(!format!("{card:?}").contains("://"), "a link is in the log");
    }
    judged(fivetran.delete_connection(ID).await.err().as_ref());
    judged(fivetran.sync_connection(ID).await.err().as_ref());
    judged(fivetran.connector_types().await.err().as_ref());
    judged(fivetran.config_keys(&service).await.err().as_ref());
    judged(fivetran.account().await.err().as_ref());
    judged(fivetran.group(GROUP).await.err().as_ref());
}

/// What is in an answer, read without a wire.
fn from_body(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    let Ok(answer) = serde_json::from_str::<Value>(text) else { return };
    let catalog = CurrentCatalog::kept(Some(&answer["data"].to_string())).current();
    assert!(!catalog.is_empty());
    let data = &answer["data"];
    let Ok(connection) = serde_json::from_value::<Connection>(data.clone()) else { return };
    let trouble = Trouble::of(&connection.status, connection.setup_tests.as_deref());
    for task in &trouble.tasks {
        let _ = (task.cause(), task.says_of_access(), task.mentions_access(), task.says());
    }
    assert!(trouble.words().is_none_or(|words| !words.trim().is_empty()));
    let kept = serde_json::to_string(&trouble).unwrap();
    assert_eq!(serde_json::from_str::<Trouble>(&kept).ok(), Some(trouble), "it is stored as it is");
    // A field that an answer can do without, in whatever shape, costs no other.
    let Value::Object(fields) = data else { return };
    for field in ["service", "schema", "group_id", "created_at", "status", "setup_tests", "paused"] {
        for odd in
            [Value::Null, Value::from(true), Value::from(1e308), Value::from(vec![0]), Value::from("\u{0}")]
        {
            let mut fields = fields.clone();
            fields.insert(field.to_owned(), odd.clone());
            let read = serde_json::from_value::<Connection>(Value::Object(fields));
            let read = read.unwrap_or_else(|error| panic!("{field} = {odd}: {error}"));
            assert_eq!(read.id, connection.id);
            assert!(field == "schema" || read.schema == connection.schema);
            assert!(field == "status" || read.status.setup_state == connection.status.setup_state);
        }
    }
}

/// An answer of Slack's, in the form of [`Partner::answers`], to each call.
pub fn slack(data: &[u8]) {
    PARTNER.with(|partner| {
        let Some((status, body)) = partner.answers(data) else { return };
        let web_api = WebApi::new(partner.http.clone(), &partner.url, &SecretString::from("xoxb-1"));
        partner.runtime.block_on(all_methods(partner, &web_api, status, body));
    });
}

async fn all_methods(partner: &Partner, web_api: &WebApi, status: u16, body: &[u8]) {
    let answer: Option<Value> = outbound::json::of_bytes(body).ok();
    let ok = answer.as_ref().and_then(|it| it.get("ok")?.as_bool());
    let is_success = (200..300).contains(&status);
    let judged = |error: Option<&PostError>| match error {
        None => assert!(is_success && ok != Some(false), "a refusal is no success"),
        Some(error) => {
            // What Slack has done is never taken for not done.
            assert!(!(is_success && ok == Some(true)) || error.may_be_done(), "{error}");
            assert!(error.to_string().chars().count() < 300, "{error}");
        }
    };
    let content = || reply::unreadable();
    judged(web_api.post_message("C1", content()).await.err().as_ref());
    let at = Place { channel: "C1".to_owned(), ts: "1.2".to_owned() };
    judged(web_api.update(&at, &content()).await.err().as_ref());
    judged(web_api.post_ephemeral("C1", "U1", &content()).await.err().as_ref());
    judged(web_api.auth_test().await.err().as_ref());
    let person = web_api.users_info("U1").await;
    let is_person =
        answer.as_ref().is_some_and(|it| it["user"]["id"].as_str().is_some_and(|id| !id.is_empty()));
    assert!(
        !(is_success && ok == Some(true) && is_person) || person.is_ok(),
        "nobody knows who that is: {person:?}"
    );
    if let Ok(person) = person {
        let flag = |name: &str| answer.as_ref().is_some_and(|it| it["user"][name] == Value::Bool(true));
        let guest = flag("is_restricted") || flag("is_ultra_restricted");
        assert!(person.is_unseen || !guest || person.is_guest, "a guest passes for a member");
        assert!(person.is_unseen || !flag("deleted") || person.deleted);
        assert!(person.is_unseen || !flag("is_stranger") || person.is_stranger);
    }
    let _ = web_api.conversation("C1").await;
    let _ = web_api.user_group_members("S1").await;
    let origin = Url::parse(&partner.url).unwrap().origin();
    let url = ResponseUrl::parse(&format!("{}/commands/T1/2/x", partner.url), &[origin]).unwrap();
    let caller = Caller::new(partner.http.clone(), Metrics::default(), connect_card::clock::Clock::default());
    // Where Slack does not know the address yet, the bot waits, which is not for here.
    if status != 404 {
        let said = respond::replace(&caller, &url, &content()).await;
        assert!(said.is_err() || (is_success && ok != Some(false)), "a refusal is no success");
        assert!(said.is_ok() || !(is_success && ok == Some(true)), "what was done is not taken for not done");
    }
}
