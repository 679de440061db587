//! The app's Home: who sees what in it, what can be done from there, and the file that it sends.

use std::time::{Duration, Instant};

use connect_card::reply::ask::{CANCEL, RENEW_HERE, SYNC_NOW};
use connect_card::reply::home::{BACK, EVERYBODYS, EXPORT, FILTERS, MINE, NEXT, REFRESH};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::fault::Fault;
use stand_ins::slack::{APP_TOKEN, Delivery, Retry, Used, block_faults, render};

use crate::harness::{
    CHANNEL, COLLEAGUE, GUEST, OUTSIDER, PRIVATE, Setup, TestBot, USER, objects, say, until,
};

impl TestBot {
    /// What somebody's Home shows, if it shows anything.
    fn home_of(&self, user: &str) -> Option<Value> {
        self.slack.homes().into_iter().find(|(whose, _)| whose == user).map(|(_, home)| home)
    }

    /// Waits until a person's Home is published that is not the one with this hash.
    async fn next_home(&self, user: &str, before: Option<&Value>) -> Value {
        let before = before.map(|home| home["hash"].clone());
        let home = until("a Home", async || {
            self.home_of(user).filter(|home| Some(&home["hash"]) != before.as_ref())
        })
        .await;
        assert_eq!(block_faults(&sent(&home)), Vec::<String>::new());
        home
    }

    /// Somebody opens their Home.
    pub(crate) async fn opens_home(&self, user: &str) -> Value {
        let before = self.home_of(user);
        let ack = self.slack.open_home(&self.url, user).await.unwrap();
        assert_eq!((ack.status, ack.text().as_str()), (200, ""));
        self.next_home(user, before.as_ref()).await
    }

    /// Somebody presses the first button of that name in their Home.
    pub(crate) async fn presses_in_home(&self, user: &str, action: &str) -> Value {
        let home = self.home_of(user).expect("a Home");
        let used = Used { action_id: action, ..Used::default() };
        let id = home["id"].as_str().unwrap();
        let ack = self.slack.use_in_view(&self.url, id, used, json!({}), user).await.unwrap();
        assert_eq!((ack.status, ack.text().as_str()), (200, ""));
        self.next_home(user, Some(&home)).await
    }
}

/// A Home as the bot has sent it.
fn sent(home: &Value) -> Value {
    let known = |name: &&str| !home[*name].is_null();
    let fields = ["type", "blocks", "private_metadata", "callback_id"].into_iter().filter(known);
    fields.map(|name| (name.to_owned(), home[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// How often a Home has a button.
pub(crate) fn buttons(home: &Value, action: &str) -> usize {
    objects(home).iter().filter(|it| it.get("action_id") == Some(&json!(action))).count()
}

#[tokio::test]
async fn a_home_shows_ones_own_links_over_all_channels_and_no_one_elses() {
    let bot = TestBot::start().await;
    let home = bot.opens_home(USER).await;
    assert!(render(&home).contains("No open links"), "{}", render(&home));
    bot.types("google_ads acme").await;
    bot.types_as(USER, PRIVATE, "stripe globex").await;
    bot.types_as(COLLEAGUE, CHANNEL, "hubspot initech").await;
    let shown = render(&bot.opens_home(USER).await);
    for word in ["As of", "acme", "globex", "C0CUSTOMER", "waiting for your customer"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("initech"), "{shown}");
    // Nothing in it opens a Connect Card.
    let home = bot.home_of(USER).unwrap();
    assert!(!home.to_string().contains("://"), "{home}");
    // All of the workspace's, for somebody who may use the bot; only one's own can be acted on.
    let all = bot.presses_in_home(USER, EVERYBODYS).await;
    let shown = render(&all);
    assert!(shown.contains("initech") && shown.contains(COLLEAGUE), "{shown}");
    assert_eq!(buttons(&all, RENEW_HERE), 2);
    assert!(!render(&bot.presses_in_home(USER, MINE).await).contains("initech"));
    bot.finish().await;
}

#[tokio::test]
async fn what_was_chosen_stays_and_an_event_that_comes_again_changes_nothing() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let first = bot.opens_home(USER).await;
    assert_eq!((buttons(&first, EXPORT), buttons(&first, NEXT)), (1, 0));
    let again = bot.slack.home_opened(USER, "home");
    let attention = bot.presses_in_home(USER, FILTERS[1]).await;
    assert!(render(&attention).contains("Nothing needs attention"), "{}", render(&attention));
    // Late, and sent again: the Home that it was about is not there any more.
    for retry in [Retry::None, Retry::Again(1), Retry::Again(3)] {
        let calls = bot.slack.calls_to("views.publish");
        bot.slack.event(&bot.url, &again, retry).await.unwrap();
        until("the call", async || (bot.slack.calls_to("views.publish") > calls).then_some(())).await;
        assert_eq!(bot.home_of(USER).unwrap(), attention);
    }
    // Opened anew, it shows what it showed.
    let opened = bot.opens_home(USER).await;
    assert_eq!(opened["private_metadata"], attention["private_metadata"]);
    // The other tab, and what nobody knows, is acknowledged and no more.
    let calls = bot.slack.calls_to("views.publish");
    for payload in [
        bot.slack.home_opened(USER, "messages"),
        json!({ "type": "event_callback", "event": { "type": "tokens_revoked" }, "event_id": "Ev1" }),
        json!({ "type": "app_rate_limited" }),
    ] {
        let ack = bot.slack.event(&bot.url, &payload, Retry::None).await.unwrap();
        assert_eq!((ack.status, ack.text().as_str()), (200, ""));
    }
    bot.presses_in_home(USER, REFRESH).await;
    assert_eq!(bot.slack.calls_to("views.publish"), calls + 1);
    bot.finish().await;
}

#[tokio::test]
async fn an_event_must_be_slacks() {
    let bot = TestBot::start().await;
    bot.slack.verify_events_url(&bot.url).await.unwrap();
    let body = bot.slack.home_opened(USER, "home").to_string().into_bytes();
    let mut headers = bot.slack.signed_request(&body);
    for (name, value) in &mut headers {
        if name == "x-slack-signature" {
            *value = format!("v0={}", "0".repeat(64));
        }
    }
    let url = format!("{}/slack/events", bot.url);
    let refused = stand_ins::slack::post(&crate::harness::client(), &url, &headers, body).await.unwrap();
    assert_eq!(refused.status, 401);
    let junk = b"payload=x".to_vec();
    let headers = bot.slack.signed_request(&junk);
    let refused = stand_ins::slack::post(&crate::harness::client(), &url, &headers, junk).await.unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(bot.home_of(USER), None);
    bot.finish().await;
}

#[tokio::test]
async fn whoever_may_not_use_the_bot_sees_what_they_asked_for_and_why() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let shown = bot.opens_home(GUEST).await;
    assert!(render(&shown).contains("Guests can't use this bot"), "{}", render(&shown));
    assert!(!render(&shown).contains("acme"));
    assert_eq!(buttons(&shown, EVERYBODYS), 0);
    // A Home that was made before they became a guest offers it still; a press is judged anew.
    let mut used = Used { action_id: REFRESH, ..Used::default() };
    let id = shown["id"].as_str().unwrap();
    bot.slack.use_in_view(&bot.url, id, used.clone(), json!({}), GUEST).await.unwrap();
    let shown = bot.next_home(GUEST, Some(&shown)).await;
    used.action_id = EVERYBODYS;
    assert!(bot.slack.use_in_view(&bot.url, id, used, json!({}), GUEST).await.is_err(), "no such button");
    assert!(!render(&shown).contains("acme"));
    let folder = bot.stop().await;
    // Whoever has lost access sees what is theirs, and can do nothing about it.
    let bot = Setup::new().await.after(folder).with("ALLOWED_USERS", COLLEAGUE).start().await;
    let shown = bot.opens_home(USER).await;
    let text = render(&shown);
    assert!(text.contains("acme") && text.contains(COLLEAGUE), "{text}");
    assert_eq!(
        (buttons(&shown, RENEW_HERE), buttons(&shown, CANCEL), buttons(&shown, EVERYBODYS)),
        (0, 0, 0)
    );
    bot.stop().await;
}

#[tokio::test]
async fn from_a_home_a_link_is_renewed_where_it_stands_and_cancelled() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let before = bot.message(1).await;
    bot.opens_home(USER).await;
    let said = render(&bot.presses_in_home(USER, RENEW_HERE).await);
    assert!(said.contains("Making a new link for Google Ads") && said.contains(CHANNEL), "{said}");
    bot.settle().await;
    let after = bot.message(1).await;
    assert_eq!(after.ts, before.ts);
    assert_ne!(after.payload, before.payload, "the link is another one");
    let said = render(&bot.presses_in_home(USER, CANCEL).await);
    assert!(said.contains("Cancelling the connection for Google Ads"), "{said}");
    bot.settle().await;
    assert!(bot.fivetran.connections().is_empty());
    // What came of it is told the person alone.
    assert!(bot.private_message().rendered().contains("Google Ads"), "{}", bot.private_message().rendered());
    let home = bot.presses_in_home(USER, REFRESH).await;
    assert!(render(&home).contains("No open links"), "{}", render(&home));
    bot.finish().await;
}

#[tokio::test]
async fn a_press_is_answered_by_a_direct_message_where_no_home_can_be_shown() {
    let bot = Setup::new().await.with("LINK_VISIBILITY", "requester").start().await;
    bot.types("google_ads acme").await;
    bot.opens_home(USER).await;
    // Where only the person may see a link, it comes to them.
    let said = render(&bot.presses_in_home(USER, RENEW_HERE).await);
    assert!(said.contains("I'll send it to you in a direct message"), "{said}");
    bot.settle().await;
    let link = bot.private_message();
    assert_eq!(Some(link.channel.clone()), bot.slack.direct_message(USER));
    assert!(crate::harness::link_of(&link).is_some(), "{}", link.rendered());
    let home = bot.home_of(USER).unwrap();
    bot.slack.faults(|faults| {
        let refusal = json!({ "ok": false, "error": "not_enabled" });
        faults.fail_next("views.publish", Fault::Says(200, refusal), 1);
    });
    let before = bot.slack.messages().len();
    let used = Used { action_id: CANCEL, ..Used::default() };
    bot.slack.use_in_view(&bot.url, home["id"].as_str().unwrap(), used, json!({}), USER).await.unwrap();
    let told = until("a direct message", async || {
        bot.slack
            .messages()
            .into_iter()
            .skip(before)
            .map(|it| it.rendered())
            .find(|it| it.contains("Cancelling"))
    });
    told.await;
    assert_eq!(bot.home_of(USER), Some(home));
    bot.settle().await;
    bot.finish().await;
}

#[tokio::test]
async fn a_button_of_a_home_is_judged_by_how_the_link_stands_now() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let home = bot.opens_home(USER).await;
    let id = home["id"].as_str().unwrap().to_owned();
    // Somebody else cannot press in it what is not theirs: the reference is looked up, not believed.
    bot.opens_home(COLLEAGUE).await;
    let value = objects(&home)
        .into_iter()
        .find(|it| it.get("action_id") == Some(&json!(CANCEL)))
        .map(|it| it["value"].clone())
        .unwrap();
    let theirs = bot.home_of(COLLEAGUE).unwrap();
    let mut payload = press(&bot, &theirs, COLLEAGUE, CANCEL, &value);
    let ack = bot.slack.interact(&bot.url, payload.clone()).await.unwrap();
    assert_eq!(ack.status, 200);
    let said = render(&bot.next_home(COLLEAGUE, Some(&theirs)).await);
    assert!(said.contains("isn't for you"), "{said}");
    // It was connected meanwhile.
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(60)).await;
    let used = Used { action_id: CANCEL, ..Used::default() };
    bot.slack.use_in_view(&bot.url, &id, used, json!({}), USER).await.unwrap();
    let said = render(&bot.next_home(USER, Some(&home)).await);
    assert!(said.contains("has been connected, so I didn't cancel it"), "{said}");
    // A button of another version, and a press in which nothing can be read.
    let home = bot.home_of(USER).unwrap();
    payload = press(&bot, &home, USER, "home_of_tomorrow", &json!("x"));
    bot.slack.interact(&bot.url, payload.clone()).await.unwrap();
    let said = render(&bot.next_home(USER, Some(&home)).await);
    assert!(said.contains("another version"), "{said}");
    payload["user"] = json!([]);
    assert_eq!(bot.slack.interact(&bot.url, payload).await.unwrap().status, 200);
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.finish().await;
}

/// A press in a Home of a button that may not be there.
fn press(bot: &TestBot, home: &Value, user: &str, action: &str, value: &Value) -> Value {
    json!({
        "type": "block_actions", "user": { "id": user, "team_id": "T0SANDBOX" },
        "team": { "id": "T0SANDBOX", "domain": "sandbox" }, "enterprise": null,
        "container": { "type": "view", "view_id": home["id"] }, "view": home,
        "trigger_id": bot.slack.trigger_id(user),
        "actions": [{ "type": "button", "action_id": action, "block_id": "b9", "value": value }],
    })
}

#[tokio::test]
async fn a_broken_connection_is_synced_from_a_home() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(60)).await;
    let id = bot.fivetran.connections()[0]["id"].as_str().unwrap().to_owned();
    bot.fivetran.break_with(&id, ["sync_failed", "Sync failed", "The table orders was locked."]);
    bot.passes(Duration::from_secs(60)).await;
    let home = bot.opens_home(USER).await;
    assert!(buttons(&home, SYNC_NOW) == 1, "{}", render(&home));
    let said = render(&bot.presses_in_home(USER, SYNC_NOW).await);
    assert!(said.contains("Asking Fivetran to sync Google Ads"), "{said}");
    bot.settle().await;
    assert_eq!(bot.fivetran.calls_to("sync_connection"), 1);
    bot.finish().await;
}

#[tokio::test]
async fn pages_are_turned_and_stay_within_what_is_there() {
    let bot = TestBot::start().await;
    for n in 0..17 {
        bot.send(&format!("google_ads acme_{n}")).await;
    }
    bot.until_all_ended().await;
    let first = bot.opens_home(USER).await;
    assert!(render(&first).contains("17 links, most urgent first; showing 1 to 15"), "{}", render(&first));
    assert_eq!((buttons(&first, NEXT), buttons(&first, BACK)), (1, 0));
    let second = bot.presses_in_home(USER, NEXT).await;
    assert!(render(&second).contains("showing 16 to 17"), "{}", render(&second));
    assert_eq!((buttons(&second, NEXT), buttons(&second, BACK)), (0, 1));
    // A filter begins with its first page.
    let waiting = bot.presses_in_home(USER, FILTERS[2]).await;
    assert!(render(&waiting).contains("showing 1 to 15"), "{}", render(&waiting));
    bot.finish().await;
}

#[tokio::test]
async fn the_list_is_sent_as_a_file_with_no_link_and_no_formula_in_it() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.types_as(COLLEAGUE, CHANNEL, "stripe globex").await;
    bot.opens_home(USER).await;
    let said = render(&bot.presses_in_home(USER, EXPORT).await);
    assert!(said.contains("I've sent you a file with one link"), "{said}");
    let file = bot.slack.files().pop().unwrap();
    let content = String::from_utf8(file.content.unwrap()).unwrap();
    let lines: Vec<_> = content.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{content}");
    assert!(lines[0].starts_with("service,service_id,schema,"), "{content}");
    assert!(lines[1].starts_with("Google Ads,google_ads,acme,,waiting,"), "{content}");
    assert!(!content.contains("://") && !content.contains("globex"), "{content}");
    assert_eq!(file.channel, bot.slack.direct_message(USER));
    // Without the scope it says so; a refusal of Slack's is another one.
    bot.slack.set_scopes(&["commands", "chat:write", "users:read"]);
    let said = render(&bot.presses_in_home(USER, EXPORT).await);
    assert!(said.contains("files:write"), "{said}");
    bot.slack.set_scopes(&["commands", "chat:write", "users:read", "files:write"]);
    bot.slack.faults(|faults| {
        let refusal = json!({ "ok": false, "error": "file_not_found" });
        faults.fail_next("files.completeUploadExternal", Fault::Says(200, refusal), 1);
    });
    let said = render(&bot.presses_in_home(USER, EXPORT).await);
    assert!(said.contains("Slack didn't take the file"), "{said}");
    bot.finish().await;
}

#[tokio::test]
async fn over_a_socket_it_is_the_same() {
    let setup = Setup::new().await.with("SLACK_SIGNING_SECRET", "").with("PUBLIC_URL", "");
    setup.slack.deliver_by(Delivery::Sockets);
    let bot = setup.with("SLACK_APP_TOKEN", APP_TOKEN).start().await;
    bot.slack.wait_for_sockets(|live| live > 0).await;
    bot.types("google_ads acme").await;
    let home = bot.opens_home(USER).await;
    assert!(render(&home).contains("acme"), "{}", render(&home));
    let said = render(&bot.presses_in_home(USER, RENEW_HERE).await);
    assert!(said.contains("Making a new link"), "{said}");
    bot.settle().await;
    bot.finish().await;
}

#[tokio::test]
async fn five_hundred_links_are_one_page_the_most_urgent_first_and_one_file() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let copies = "CREATE TEMP TABLE copy AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499) \
                  SELECT connection.* FROM connection, n; \
                  UPDATE copy SET name = 'n' || rowid, link = 'L' || rowid, urgency = rowid % 3, \
                  state = CASE rowid % 3 WHEN 0 THEN 'broken' WHEN 1 THEN 'expired' ELSE 'waiting' END; \
                  INSERT INTO connection SELECT * FROM copy";
    sqlx::raw_sql(copies).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let began = Instant::now();
    let home = bot.opens_home(USER).await;
    say(&format!("500 links in a Home after {} ms\n", began.elapsed().as_millis()));
    let shown = render(&home);
    assert!(shown.contains("500 links, most urgent first; showing 1 to 15"), "{shown}");
    assert_eq!(shown.matches("needs to be connected again").count(), 15, "{shown}");
    assert!(home["blocks"].as_array().unwrap().len() <= 100);
    // One call shows it, whatever it has in it.
    assert_eq!(bot.slack.calls_to("views.publish"), 1);
    let said = render(&bot.presses_in_home(USER, EXPORT).await);
    assert!(said.contains("a file with 500 links"), "{said}");
    let content = bot.slack.files().pop().unwrap().content.unwrap();
    assert_eq!(String::from_utf8(content).unwrap().matches("\r\n").count(), 501);
    bot.stop().await;
}

#[tokio::test]
async fn who_somebody_is_need_not_be_told_by_slack_for_a_home() {
    let bot = TestBot::start().await;
    // Whoever installs the app may leave this scope out.
    bot.slack.set_scopes(&["commands", "chat:write"]);
    bot.types("google_ads acme").await;
    let home = bot.opens_home(USER).await;
    assert_eq!((buttons(&home, RENEW_HERE), buttons(&home, EVERYBODYS)), (1, 1), "{}", render(&home));
    bot.presses_in_home(USER, EVERYBODYS).await;
    // From another company, as a press tells.
    let home = bot.opens_home(OUTSIDER).await;
    assert!(!render(&home).contains("acme"), "{}", render(&home));
    let mut pressed = press(&bot, &home, OUTSIDER, EVERYBODYS, &json!("-"));
    pressed["user"]["team_id"] = json!("T0OTHER");
    bot.slack.interact(&bot.url, pressed).await.unwrap();
    let home = bot.next_home(OUTSIDER, Some(&home)).await;
    let shown = render(&home);
    assert!(!shown.contains("acme") && buttons(&home, EVERYBODYS) == 0, "{shown}");
    bot.finish().await;
}

#[tokio::test]
async fn in_an_organisation_a_home_shows_what_was_asked_for_in_any_of_its_workspaces() {
    for installed in [true, false] {
        let setup = Setup::new().await;
        if installed {
            setup.slack.install_in_organisation();
        } else {
            setup.slack.join_organisation();
        }
        let bot = setup.start().await;
        bot.types("google_ads acme").await;
        let home = bot.opens_home(USER).await;
        assert!(render(&home).contains("acme"), "{}", render(&home));
        let said = render(&bot.presses_in_home(USER, RENEW_HERE).await);
        assert!(said.contains("Making a new link"), "{said}");
        bot.settle().await;
        bot.finish().await;
    }
}
