//! Onboardings in the app's Home: each is one entry, whatever is counted, filtered, turned or exported.

use std::time::{Duration, Instant};

use connect_card::reply::ask::{CANCEL, OPEN_MESSAGE};
use connect_card::reply::home::{BACK, EVERYBODYS, EXPORT, FILTERS, NEXT, REFRESH};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use stand_ins::slack::{Used, render};

use crate::harness::{CHANNEL, COLLEAGUE, PRIVATE, Setup, TestBot, USER, objects, say};
use crate::home::buttons;
use crate::onboarding::config;

/// Where the buttons lead that open a message.
fn addresses(home: &Value) -> Vec<String> {
    let leads = objects(home).into_iter().filter(|it| it.get("action_id") == Some(&json!(OPEN_MESSAGE)));
    leads.map(|it| it["url"].as_str().unwrap().to_owned()).collect()
}

/// The last file, line by line.
fn file(bot: &TestBot) -> Vec<String> {
    let content = bot.slack.files().pop().unwrap().content.unwrap();
    String::from_utf8(content).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_onboarding_is_one_entry_that_leads_to_its_message() {
    let (_folder, path) = config();
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    bot.send("google_ads, facebook_ads, hubspot").await;
    bot.until_all_ended().await;
    bot.types_as(USER, PRIVATE, "stripe globex").await;
    let home = bot.opens_home(USER).await;
    let shown = render(&home);
    for words in [
        "2 entries, most urgent first",
        "*acme*: 0 of 3 connected",
        "*Google Ads*, *Facebook Ads*, *HubSpot*: waiting for your customer · asked for",
        "To cancel one of several sources that share a message, or to see what else can be done about it, type \
         `/connect-card status SCHEMA` in its channel.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains(&format!("in #{CHANNEL}\n")), "{shown}");
    // What can be done about its sources can be done there.
    assert_eq!(buttons(&home, CANCEL), 1, "of the link by itself");
    let message = bot.slack.messages().into_iter().find(|it| it.channel == CHANNEL).unwrap();
    let ts = message.ts.replace('.', "");
    assert_eq!(addresses(&home), [format!("https://sandbox.slack.com/archives/{CHANNEL}/p{ts}")]);
    // Slack tells of that press too, and it changes nothing.
    let calls = bot.slack.calls_to("views.publish");
    let used = Used { action_id: OPEN_MESSAGE, ..Used::default() };
    let ack = bot.slack.use_in_view(&bot.url, home["id"].as_str().unwrap(), used, json!({}), USER).await;
    assert_eq!(ack.unwrap().status, 200);

    bot.customer_finishes("acme_hubspot");
    bot.customer_finishes("acme_google_ads");
    bot.passes(Duration::from_secs(60)).await;
    let shown = render(&bot.opens_home(USER).await);
    assert_eq!(bot.slack.calls_to("views.publish"), calls + 1);
    assert!(shown.contains("*acme*: 2 of 3 connected\n*Facebook Ads*: waiting"), "{shown}");
    // It is let through with any of its sources, and once.
    for (filter, words) in
        [(FILTERS[1], "Nothing needs attention"), (FILTERS[2], "2 entries"), (FILTERS[3], "One entry\n")]
    {
        let shown = render(&bot.presses_in_home(USER, filter).await);
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // A file has a line for each source that was let through.
    bot.presses_in_home(USER, EXPORT).await;
    let lines = file(&bot);
    assert_eq!(lines.len(), 3, "{lines:?}");
    bot.presses_in_home(USER, FILTERS[0]).await;
    bot.presses_in_home(USER, EXPORT).await;
    assert_eq!(file(&bot).len(), 5);

    bot.customer_finishes("acme_facebook_ads");
    bot.passes(Duration::from_secs(60)).await;
    let shown = render(&bot.opens_home(USER).await);
    assert!(shown.contains(":white_check_mark: *acme*: all 3 connected · since"), "{shown}");
    bot.finish().await;
}

#[tokio::test]
async fn what_others_have_added_is_shown_to_whoever_may_use_the_bot() {
    let (_folder, path) = config();
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    bot.send("google_ads, facebook_ads").await;
    bot.until_all_ended().await;
    bot.types_as(COLLEAGUE, CHANNEL, "hubspot").await;
    for user in [USER, COLLEAGUE] {
        let shown = render(&bot.opens_home(user).await);
        assert!(shown.contains("One entry\n") && shown.contains("0 of 3 connected"), "{user}: {shown}");
    }
    let shown = render(&bot.presses_in_home(COLLEAGUE, EVERYBODYS).await);
    assert!(shown.contains(&format!("in #{CHANNEL} · requested by @{USER}")), "{shown}");
    let folder = bot.stop().await;
    // Whoever has lost access sees what they asked for, and nothing of the others'.
    let setup = Setup::new().await.after(folder).with("CONFIG", &path).with("ALLOWED_USERS", USER);
    let bot = setup.start().await;
    let shown = render(&bot.opens_home(COLLEAGUE).await);
    assert!(shown.contains("*acme*: not connected yet\n*HubSpot*: waiting"), "{shown}");
    assert!(!shown.contains("Google Ads"), "{shown}");
    bot.stop().await;
}

#[tokio::test]
async fn what_others_have_added_is_shown_once_it_is_known_who_looks() {
    let (_folder, path) = config();
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    // Nobody but a press says where somebody is from then.
    bot.slack.set_scopes(&["commands", "chat:write"]);
    bot.send("google_ads, facebook_ads").await;
    bot.until_all_ended().await;
    bot.types_as(COLLEAGUE, CHANNEL, "hubspot").await;
    let shown = render(&bot.opens_home(COLLEAGUE).await);
    assert!(shown.contains("*acme*: not connected yet") && !shown.contains("Google Ads"), "{shown}");
    let shown = render(&bot.presses_in_home(COLLEAGUE, REFRESH).await);
    assert!(shown.contains("0 of 3 connected"), "{shown}");
    // That is known from then on.
    let shown = render(&bot.opens_home(COLLEAGUE).await);
    assert!(shown.contains("0 of 3 connected"), "{shown}");
    bot.finish().await;
}

#[tokio::test]
async fn five_hundred_onboardings_are_so_many_entries_and_no_page_cuts_one_in_two() {
    let (_folder, path) = config();
    let bot = Setup::new().await.with("CONFIG", &path).start().await;
    bot.send("google_ads, facebook_ads, hubspot, stripe, mailchimp").await;
    bot.until_all_ended().await;
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    let copies = "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499) \
                  SELECT i, 'O' || i AS id FROM n; \
                  INSERT INTO onboarding SELECT n.id, team_id, channel_id, 'customer_' || i, requester, opened_at, told, \
                  done_at FROM onboarding, n; \
                  CREATE TEMP TABLE s AS SELECT source.*, i, n.id FROM source, n; \
                  UPDATE s SET command = id || command, onboarding = id, name = name || i; \
                  INSERT INTO source SELECT command, onboarding, parent, at, place, service_name, group_id, name FROM s; \
                  CREATE TEMP TABLE m AS SELECT message.*, n.id AS of FROM message, n WHERE onboarding IS NOT NULL; \
                  UPDATE m SET id = of || '-0', onboarding = of; ALTER TABLE m DROP COLUMN of; \
                  INSERT INTO message SELECT * FROM m; \
                  CREATE TEMP TABLE c AS SELECT connection.*, i, n.id FROM connection, n; \
                  UPDATE c SET name = name || i, link = id || link, message = id || '-0', expires_at = expires_at - i; \
                  ALTER TABLE c DROP COLUMN i; ALTER TABLE c DROP COLUMN id; INSERT INTO connection SELECT * FROM c";
    sqlx::raw_sql(copies).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let began = Instant::now();
    let mut home = bot.opens_home(USER).await;
    say(&format!("500 onboardings in a Home after {} ms\n", began.elapsed().as_millis()));
    let shown = render(&home);
    assert!(shown.contains("500 entries, most urgent first; showing 1 to 15"), "{shown}");
    let first = "*customer_499*: 0 of 5 connected";
    assert!(shown.contains(first), "the one that was to be done first: {shown}");
    assert_eq!(bot.slack.calls_to("views.publish"), 1);
    // Each is on one page, whole.
    for page in 0..2 {
        let shown = render(&home);
        assert_eq!(shown.matches(": 0 of 5 connected").count(), 15, "page {page}: {shown}");
        assert_eq!(addresses(&home).len(), 15);
        home = bot.presses_in_home(USER, NEXT).await;
        assert!(!render(&home).contains(first));
    }
    assert_eq!((buttons(&home, BACK), buttons(&home, NEXT)), (1, 1));
    bot.stop().await;
}
