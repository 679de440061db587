//! Drives the Fivetran stand-in over real HTTP.

use reqwest::Method;
use reqwest::header::LOCATION;

use super::*;
use crate::fault::Fault;
use crate::outside::{client, now};

struct Seen {
    status: u16,
    location: String,
    text: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

async fn send(
    stand_in: &FivetranStandIn,
    method: Method,
    target: &str,
    body: Option<Value>,
) -> reqwest::Result<Seen> {
    let request = client()
        .request(method, format!("{}{target}", stand_in.url()))
        .basic_auth(API_KEY, Some(API_SECRET))
        .header("accept", "application/json;version=2")
        .header("content-type", "application/json")
        .body(body.map(|body| body.to_string()).unwrap_or_default());
    let response = request.send().await?;
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
    Ok(Seen { status, location: location.unwrap_or_default(), text: response.text().await? })
}

fn shell(schema: &str) -> Option<Value> {
    Some(json!({
        "service": "google_ads", "group_id": GROUP_ID, "run_setup_tests": false, "paused": false,
        "destination_schema_names": "FIVETRAN_NAMING", "config": { "schema": schema },
        "connect_card_config": { "redirect_uri": "https://bot.example/connected/abc" },
    }))
}

#[tokio::test]
async fn a_connection_is_made_listed_and_connected_through_its_card() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let made = send(&fivetran, Method::POST, "/v1/connections", shell("acme")).await.unwrap();
    assert_eq!(made.status, 201);
    let made = made.json();
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["data"]["status"]["setup_state"], "incomplete");

    let found = format!("/v1/connections?group_id={GROUP_ID}&schema=acme&limit=100");
    let found = send(&fivetran, Method::GET, &found, None).await.unwrap().json();
    assert_eq!(found["data"]["items"][0]["id"], json!(id));
    let twice = send(&fivetran, Method::POST, "/v1/connections", shell("acme")).await.unwrap();
    assert_eq!(twice.status, 409);
    assert_eq!(fivetran.connections().len(), 1);

    let card = send(
        &fivetran,
        Method::POST,
        &format!("/v1/connections/{id}/connect-card"),
        Some(json!({ "connect_card_config": { "redirect_uri": "https://bot.example/c/1" } })),
    )
    .await
    .unwrap();
    assert_eq!(card.status, 200);
    let card = card.json();
    assert_eq!(card["data"]["connector_id"], json!(id));
    let uri = card["data"]["connect_card"]["uri"].as_str().unwrap();
    assert!(uri.contains("redirect_uri=https://bot.example/c/1&auth="));
    let target = uri.strip_prefix(&fivetran.url()).unwrap();

    let page = send(&fivetran, Method::GET, target, None).await.unwrap();
    assert!(page.status == 200 && page.text.contains("Google Ads") && page.text.contains("acme"));
    let done = send(&fivetran, Method::POST, target, None).await.unwrap();
    assert_eq!((done.status, done.location), (303, format!("https://bot.example/c/1?id={id}")));
    let now = send(&fivetran, Method::GET, &format!("/v1/connections/{id}"), None).await.unwrap().json();
    assert_eq!(now["data"]["status"]["setup_state"], "connected");

    fivetran.advance(Duration::from_secs(24 * 60 * 60 + 1));
    assert_eq!(send(&fivetran, Method::GET, target, None).await.unwrap().status, 410);
    assert_eq!(fivetran.calls_to("create_connection"), 2);
    let calls = fivetran.calls();
    assert_eq!((calls[0].status, calls[0].authorized), (201, true));
    fivetran.shutdown();
}

#[tokio::test]
async fn a_customer_may_fail_the_setup_tests_leave_or_sign_in() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let made = send(&fivetran, Method::POST, "/v1/connections", shell("acme")).await.unwrap().json();
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let card = json!({ "connect_card_config": { "redirect_uri": "https://bot.example/c/1" } });
    let mint = format!("/v1/connections/{id}/connect-card");
    let card = send(&fivetran, Method::POST, &mint, Some(card)).await.unwrap().json();
    let uri = card["data"]["connect_card"]["uri"].as_str().unwrap().to_owned();
    let target = uri.strip_prefix(&fivetran.url()).unwrap().to_owned();
    let press = async |outcome: &str| {
        let request = client().post(&uri).body(format!("outcome={outcome}"));
        let response = request.send().await.unwrap();
        let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned());
        (response.status().as_u16(), location.unwrap_or_default())
    };
    let page = async || send(&fivetran, Method::GET, &target, None).await.unwrap().text;
    let stands = || {
        let connection = fivetran.connection(&id).unwrap();
        let status = connection["status"]["setup_state"].as_str().unwrap().to_owned();
        (status, connection["setup_tests"][0]["status"].as_str().unwrap_or_default().to_owned())
    };
    assert!(!page().await.contains("Invalid login credentials"));
    // fivetran-openapi.json, the example of failed setup tests: the setup stays incomplete.
    assert_eq!(press("fail").await, (303, target.clone()));
    assert_eq!(stands(), ("incomplete".to_owned(), "FAILED".to_owned()));
    let failed = page().await;
    assert!(failed.contains("Validate Login") && failed.contains("Invalid login credentials"), "{failed}");
    // 2026-11.md: only a success leads back.
    assert_eq!(press("leave").await, (200, String::new()));
    assert_eq!(stands(), ("incomplete".to_owned(), "FAILED".to_owned()));
    assert_eq!(press("connect").await, (303, format!("https://bot.example/c/1?id={id}")));
    assert_eq!(stands(), ("connected".to_owned(), "PASSED".to_owned()));
    assert!(!page().await.contains("Invalid login credentials"));
    assert_eq!(press("fail").await.0, 303);
    assert_eq!(stands(), ("broken".to_owned(), "FAILED".to_owned()));

    let cut = send(&fivetran, Method::GET, &target.replace("auth=", "auth=x"), None).await.unwrap();
    assert_eq!(cut.status, 401);
    fivetran.delete(&id);
    assert_eq!(send(&fivetran, Method::GET, &target, None).await.unwrap().status, 404);
    fivetran.shutdown();
}

#[tokio::test]
async fn refusals_use_fivetrans_words() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let mut retired = shell("acme").unwrap();
    retired["service"] = json!("adwords");
    let refused = send(&fivetran, Method::POST, "/v1/connections", Some(retired.clone())).await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["message"], "Unsupported connector service 'adwords'");
    fivetran.list_service("adwords", "AdWords");
    let made = send(&fivetran, Method::POST, "/v1/connections", Some(retired)).await.unwrap();
    assert_eq!(made.status, 201);

    let mut lost = shell("other").unwrap();
    lost["group_id"] = json!("nowhere");
    let refused = send(&fivetran, Method::POST, "/v1/connections", Some(lost)).await.unwrap();
    assert_eq!((refused.status, &refused.json()["code"]), (404, &json!("NotFound_Group")));
    let unknown = send(&fivetran, Method::GET, "/v1/nothing", None).await.unwrap();
    assert_eq!(unknown.json()["message"], "HTTP 404 Not Found");
    let types = send(&fivetran, Method::GET, "/public/connector-types", None).await.unwrap().json();
    assert!(types["data"].as_array().unwrap().len() >= 20);
    fivetran.shutdown();
}

#[tokio::test]
async fn a_dropped_answer_leaves_the_work_done() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    for (schema, fault, done) in
        [("a", Fault::DropBefore, false), ("b", Fault::DropAfter, true), ("c", Fault::Truncated, true)]
    {
        fivetran.faults(|faults| faults.fail_next("create_connection", fault, 1));
        let answered = send(&fivetran, Method::POST, "/v1/connections", shell(schema)).await;
        assert!(answered.is_err(), "{schema}");
        let kept = fivetran.connections().iter().any(|connection| connection["schema"] == schema);
        assert_eq!(kept, done, "{schema}");
    }
    for (schema, fault, status) in [
        ("d", Fault::NotJson, 200),
        ("e", Fault::Empty, 201),
        ("f", Fault::Oversized, 201),
        ("g", Fault::Status(503), 503),
        ("h", Fault::Redirect("http://127.0.0.1:1/".to_owned()), 302),
    ] {
        fivetran.faults(|faults| faults.fail_next("create_connection", fault, 1));
        let answered = send(&fivetran, Method::POST, "/v1/connections", shell(schema)).await.unwrap();
        assert_eq!(answered.status, status, "{schema}");
    }
    fivetran.shutdown();
}

#[tokio::test]
async fn a_group_is_read_in_pages_and_each_is_counted() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let ids = fivetran.seed_connections("big", "stripe", "s", "incomplete", 2500);
    let _ = fivetran.seed_connections("small", "stripe", "s", "incomplete", 10);
    fivetran.finish_setup(&ids[7]);
    let mut seen = Vec::new();
    let mut target = "/v1/connections?group_id=big&limit=1000".to_owned();
    loop {
        let page = send(&fivetran, Method::GET, &target, None).await.unwrap().json();
        seen.extend(page["data"]["items"].as_array().unwrap().clone());
        let Some(cursor) = page["data"]["next_cursor"].as_str() else { break };
        target = format!("/v1/connections?group_id=big&limit=1000&cursor={cursor}");
    }
    assert!(seen.iter().map(|item| item["id"].as_str().unwrap()).eq(ids.iter().map(String::as_str)));
    assert_eq!(seen[7], fivetran.connection(&ids[7]).unwrap());
    assert_eq!(seen[7]["status"]["setup_state"], "connected");
    assert_eq!(seen[8], fivetran.connection(&ids[8]).unwrap());
    assert_eq!((fivetran.calls_to("list_page"), fivetran.calls_to("list_connections")), (3, 0));
    let odd = send(&fivetran, Method::GET, "/v1/connections?cursor=odd", None).await.unwrap();
    assert_eq!(odd.status, 400);
    fivetran.shutdown();
}

#[tokio::test]
async fn an_account_that_asks_too_often_waits_until_the_hour_has_rolled_on() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let id = fivetran.seed_connection("stripe", "acme", "incomplete");
    let look = format!("/v1/connections/{id}");
    fivetran.set_hourly_limit(500);
    fivetran.spend(499);
    let head = async || {
        let request = client().get(format!("{}{look}", fivetran.url())).basic_auth(API_KEY, Some(API_SECRET));
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        };
        let rate = [header("x-rate-limit"), header("x-rate-limit-remaining")];
        (response.status().as_u16(), rate, header("retry-after"))
    };
    assert_eq!(head().await, (200, [Some(500), Some(0)], None));
    let (status, rate, wait) = head().await;
    assert_eq!((status, rate), (429, [Some(500), Some(0)]));
    let wait = wait.unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    // The catalogue is not the account's.
    assert_eq!(send(&fivetran, Method::GET, "/public/connector-types", None).await.unwrap().status, 200);
    assert_eq!(fivetran.spent(), 500);
    fivetran.advance(Duration::from_secs(wait));
    assert_eq!(head().await.0, 200);
    fivetran.shutdown();
}

#[tokio::test]
async fn lies_are_fivetrans_own_words_and_change_nothing() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let ids = fivetran.seed_connections(GROUP_ID, "stripe", "s", "connected", 3);
    let one = format!("/v1/connections/{}", ids[1]);
    let listed = async || {
        let list = format!("/v1/connections?group_id={GROUP_ID}");
        let list = send(&fivetran, Method::GET, &list, None).await.unwrap();
        let json = list.json();
        let items = json["data"]["items"].as_array().cloned().unwrap_or_default();
        let states = items.iter().map(|it| it["status"]["setup_state"].as_str().unwrap_or("?").to_owned());
        (list.status, states.collect::<Vec<_>>())
    };
    fivetran.lies(|lies| {
        lies.deny(&ids[1], 2);
        lies.list_as(&ids[0], "incomplete", 1);
        lies.omit(&ids[2], 1);
    });
    let denied = send(&fivetran, Method::GET, &one, None).await.unwrap();
    assert_eq!((denied.status, &denied.json()["code"]), (404, &json!("NotFound_Connection")));
    let denied = send(&fivetran, Method::DELETE, &one, None).await.unwrap();
    assert_eq!((denied.status, &denied.json()["code"]), (404, &json!("NotFound_Connection")));
    assert_eq!(send(&fivetran, Method::GET, &one, None).await.unwrap().status, 200);
    assert_eq!(listed().await, (200, vec!["incomplete".to_owned(), "connected".to_owned()]));
    assert_eq!(listed().await.1, ["connected"; 3]);

    for (stranger, status) in [(lies::Stranger::Empty, 200), (lies::Stranger::NoGroup, 404)] {
        fivetran.lies(|lies| lies.be_of_another_account(stranger));
        assert_eq!(listed().await, (status, Vec::new()), "{stranger:?}");
        assert_eq!(send(&fivetran, Method::GET, &one, None).await.unwrap().status, 404);
        let group = format!("/v1/groups/{GROUP_ID}");
        assert_eq!(send(&fivetran, Method::GET, &group, None).await.unwrap().status, 404);
        let made = send(&fivetran, Method::POST, "/v1/connections", shell("acme")).await.unwrap();
        assert_eq!((made.status, &made.json()["code"]), (404, &json!("NotFound_Group")));
    }
    fivetran.lies(lies::Lies::end);
    assert_eq!(listed().await.1, ["connected"; 3]);
    fivetran.shutdown();
}

#[tokio::test]
async fn a_card_wants_its_settings_and_each_of_them_its_values() {
    // fivetran-openapi.json, ConnectCardConfigRequest: `connect_card_config` is required, and in it
    // `redirect_uri`; the others are booleans.
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let target =
        format!("/v1/connections/{}/connect-card", fivetran.seed_connection("stripe", "acme", "incomplete"));
    let ask = async |body: Value| {
        let answer = send(&fivetran, Method::POST, &target, Some(body)).await.unwrap();
        (answer.status, answer.json()["message"].as_str().unwrap().to_owned())
    };
    let config = |config: Value| json!({ "connect_card_config": config });
    let home = "https://bot.example/c/1";
    for (body, message) in [
        (json!({}), "Field 'connect_card_config' is required"),
        (config(json!({})), "Field 'redirect_uri' is required"),
        (config(json!({ "redirect_uri": 1 })), "Field 'redirect_uri' is required"),
        (
            config(json!({ "redirect_uri": home, "hide_setup_guide": "maybe" })),
            "Invalid value '\"maybe\"' of field 'hide_setup_guide'",
        ),
    ] {
        assert_eq!(ask(body).await, (400, message.to_owned()));
    }
    let shown = json!({ "redirect_uri": home, "hide_setup_guide": "true", "all_fields": true });
    assert_eq!(ask(config(shown)).await.0, 200);
    fivetran.shutdown();
}

#[tokio::test]
async fn a_post_says_that_its_body_is_json() {
    // fivetran.md, 1: else 415; 2: 406 for another media type to accept, 405 for another method.
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    let ask = async |method: Method, path: &str, header: (&'static str, &'static str)| {
        let request = client().request(method, format!("{}{path}", fivetran.url()));
        let request = request.basic_auth(API_KEY, Some(API_SECRET)).header(header.0, header.1).body("{}");
        request.send().await.unwrap().status().as_u16()
    };
    for media in ["", "text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(ask(Method::POST, "/v1/connections", ("content-type", media)).await, 415, "{media}");
    }
    assert_eq!(ask(Method::GET, "/v1/connections", ("accept", "text/html")).await, 406);
    assert_eq!(ask(Method::DELETE, "/v1/groups", ("accept", "*/*")).await, 405);
    for limit in ["0", "1001", "many"] {
        let path = format!("/v1/connections?limit={limit}");
        assert_eq!(ask(Method::GET, &path, ("accept", "*/*")).await, 400, "{limit}");
    }
    fivetran.shutdown();
}

#[tokio::test]
async fn creations_have_a_limit_of_their_own() {
    let fivetran = FivetranStandIn::start(now).await.unwrap();
    fivetran.set_creation_limit(2, Duration::from_secs(60));
    let create =
        async |schema: &str| send(&fivetran, Method::POST, "/v1/connections", shell(schema)).await.unwrap();
    for schema in ["one", "two"] {
        assert_eq!(create(schema).await.status, 201, "{schema}");
    }
    let refused = create("three").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("TooManyRequests")));
    // It is about nothing else, and over in a minute.
    assert_eq!(send(&fivetran, Method::GET, "/v1/account/info", None).await.unwrap().status, 200);
    fivetran.advance(Duration::from_secs(60));
    let third = create("three").await;
    assert_eq!(third.status, 201, "{}", third.text);
    fivetran.shutdown();
}
