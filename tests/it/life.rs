//! The whole life of a link: one message that is true at every moment, and a thread that tells the
//! story, by a clock that the test moves.

use std::time::Duration;

use connect_card::reply::ask::{CANCEL, POST_HERE, REAUTHORISE};
use connect_card::reply::live::RENEW;
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, Visibility, render};

use crate::harness::{
    COLLEAGUE, OUTSIDER, PRIVATE, SHARED, Setup, TestBot, USER, client, link_of, say, until,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Moves everybody's time ahead and lets the watcher look.
async fn pass(bot: &TestBot, time: Duration) {
    bot.advance(time);
    bot.fivetran.advance(time);
    bot.look_at_due_links().await;
}

/// What the link's message shows once it says `words`.
async fn message_saying(bot: &TestBot, words: &str) -> Message {
    until(&format!("the message says {words:?}"), async || {
        let message = top(bot).into_iter().next()?;
        message.rendered().contains(words).then_some(message)
    })
    .await
}

/// The channel's messages that are in no thread.
fn top(bot: &TestBot) -> Vec<Message> {
    let messages = bot.slack.messages().into_iter();
    messages
        .filter(|message| message.visibility == Visibility::Channel && message.thread_ts.is_none())
        .collect()
}

/// What the threads tell, in order.
fn thread(bot: &TestBot) -> Vec<String> {
    let messages = bot.slack.messages();
    messages.iter().filter(|message| message.thread_ts.is_some()).map(Message::rendered).collect()
}

fn connection(bot: &TestBot) -> String {
    bot.fivetran.connections()[0]["id"].as_str().unwrap().to_owned()
}

async fn land(link: &str, bot: &TestBot) -> String {
    let (_, path) = link.split_once("/connected/").unwrap();
    let id = path.split(['&', '?']).next().unwrap();
    let client = client();
    client.get(format!("{}/connected/{id}", bot.url)).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_the_life_of_a_link_is_one_true_message_and_its_thread() {
    let bot = TestBot::start().await;
    bot.send("google_ads customer_schema").await;
    let first = link_of(&message_saying(&bot, "Please connect").await).unwrap();
    assert!(land(&first, &bot).await.contains("isn't connected yet"));

    pass(&bot, DAY).await;
    let expired = message_saying(&bot, "expired").await;
    assert_eq!(link_of(&expired), None);
    assert!(land(&first, &bot).await.contains("expired"));

    // Two press at once: one of them gets the new link, and so does everybody.
    let presses = tokio::join!(
        bot.slack.press(&bot.url, &expired, RENEW, COLLEAGUE),
        bot.slack.press(&bot.url, &expired, RENEW, OUTSIDER)
    );
    assert_eq!((presses.0.unwrap().status, presses.1.unwrap().status), (200, 200));
    let renewed = message_saying(&bot, "Please connect").await;
    let second = link_of(&renewed).unwrap();
    assert_ne!(first, second);
    assert_eq!(bot.fivetran.calls_to("connect_card"), 1, "one new link for two presses");

    bot.fivetran.finish_setup(&connection(&bot));
    // A customer takes longer than that between two looks at the page.
    bot.advance(Duration::from_secs(3));
    assert!(land(&second, &bot).await.contains("Google Ads is connected"));
    // The same look that told the page brought it to Slack: nothing else was due yet.
    let connected = message_saying(&bot, "has been connected since").await;
    assert_eq!(link_of(&connected), None);

    bot.fivetran.set_setup_state(&connection(&bot), "broken");
    bot.fivetran.set_tasks(&connection(&bot), vec![("reconnect".to_owned(), "Reconnect".to_owned())]);
    pass(&bot, Duration::from_secs(3601)).await;
    let broken = message_saying(&bot, "needs attention").await;
    assert!(broken.rendered().contains("Fivetran says: Reconnect"), "{}", broken.rendered());
    // A link to fix it, which stays although the connection is as broken as before.
    bot.slack.press(&bot.url, &broken, RENEW, COLLEAGUE).await.unwrap();
    message_saying(&bot, "Please connect").await;
    pass(&bot, Duration::from_secs(30)).await;
    assert!(link_of(&top(&bot)[0]).is_some(), "{}", top(&bot)[0].rendered());
    bot.fivetran.finish_setup(&connection(&bot));
    pass(&bot, Duration::from_secs(61)).await;
    message_saying(&bot, "has been connected since").await;

    assert_eq!(top(&bot).len(), 1, "one message");
    // The message is edited first, then its thread is told.
    let story = until("the whole story", async || Some(thread(&bot)).filter(|told| told.len() >= 6)).await;
    let chapters = [
        "expired before anyone finished",
        "asked for a new link",
        "is connected",
        "needs attention",
        "asked for a new link",
        "is connected",
    ];
    assert_eq!(story.len(), chapters.len(), "{story:?}");
    for (told, chapter) in story.iter().zip(chapters) {
        assert!(told.contains(chapter), "{chapter}: {story:?}");
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_link_crosses_customers_by_a_typo() {
    let bot = TestBot::start().await;
    bot.send("google_ads acme").await;
    message_saying(&bot, "Please connect").await;
    bot.until_all_ended().await;
    // The same schema in another customer's channel.
    bot.send_in(SHARED, "google_ads acme").await;
    let asked = until("the question", async || {
        bot.slack.messages().into_iter().find(|message| message.visibility == Visibility::Ephemeral)
    })
    .await;
    assert!(asked.rendered().contains("another channel"), "{}", asked.rendered());
    assert_eq!(top(&bot).len(), 1, "nothing is posted");
    // It is one person's question.
    for (user, done) in [(COLLEAGUE, false), (OUTSIDER, false), (USER, true)] {
        let ack = bot.slack.press(&bot.url, &asked, POST_HERE, user).await.unwrap();
        assert_eq!(ack.status, 200);
        if done {
            until("the link there", async || (top(&bot).len() == 2).then_some(())).await;
        }
    }
    let there = &top(&bot)[1];
    assert_eq!(there.channel, SHARED);
    assert!(link_of(there).is_some());
    // The message in the first channel gives its place up.
    pass(&bot, Duration::from_secs(1)).await;
    message_saying(&bot, "A newer link").await;
    assert_eq!(bot.created(), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_one_is_authorised_again_only_when_its_person_says_so() {
    let bot = TestBot::start().await;
    let _ = bot.fivetran.seed_connection("google_ads", "acme", "connected");
    bot.send("google_ads acme").await;
    let asked = bot.message(1).await;
    assert_eq!(asked.visibility, Visibility::Ephemeral);
    bot.slack.press(&bot.url, &asked, REAUTHORISE, USER).await.unwrap();
    let posted = message_saying(&bot, "connected before").await;
    let link = link_of(&posted).unwrap();
    assert_eq!(bot.created(), 0);
    // That it is connected is no news; that its customer has come back is.
    pass(&bot, Duration::from_secs(30)).await;
    assert!(link_of(&top(&bot)[0]).is_some(), "{}", top(&bot)[0].rendered());
    assert!(land(&link, &bot).await.contains("is connected"));
    message_saying(&bot, "has been connected since").await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_connection_is_cancelled_and_a_connected_one_is_not() {
    let bot = TestBot::start().await;
    bot.send("google_ads acme").await;
    message_saying(&bot, "Please connect").await;
    // The link can be cancelled once it is kept, a moment after its message is there.
    bot.until_all_ended().await;
    let ack = bot.send("cancel acme").await;
    let question = render(&ack.json());
    assert!(question.contains("Delete the connection for Google Ads into acme"), "{question}");
    // The question is the acknowledgement itself; pressing its button is a press like any other.
    let mut message = top(&bot)[0].clone();
    message.payload = ack.json();
    message.visibility = Visibility::Ephemeral;
    bot.slack.press(&bot.url, &message, CANCEL, USER).await.unwrap();
    until("it is deleted", async || bot.fivetran.connections().is_empty().then_some(())).await;
    until("the person knows", async || {
        bot.slack.messages().iter().any(|message| message.rendered().contains("is deleted")).then_some(())
    })
    .await;
    pass(&bot, Duration::from_secs(1)).await;
    message_saying(&bot, "was cancelled").await;
    assert!(render(&bot.send("renew acme").await.json()).contains("was cancelled"));

    bot.send("stripe other").await;
    until("the other link", async || (top(&bot).len() == 2).then_some(())).await;
    bot.until_all_ended().await;
    bot.fivetran.finish_setup(&connection(&bot));
    let ack = bot.send("cancel other").await;
    message.payload = ack.json();
    bot.slack.press(&bot.url, &message, CANCEL, USER).await.unwrap();
    until("the person knows why not", async || {
        bot.slack
            .messages()
            .iter()
            .any(|message| message.rendered().contains("I didn't delete anything"))
            .then_some(())
    })
    .await;
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_or_misplaced_press_has_no_effect() {
    let bot = TestBot::start().await;
    bot.send("google_ads acme").await;
    let message = message_saying(&bot, "Please connect").await;
    pass(&bot, DAY).await;
    let expired = message_saying(&bot, "expired").await;
    let mut forged = expired.clone();
    let json = forged.payload.to_string();
    let reference = json.split_once(r#""value":""#).unwrap().1.split_once('"').unwrap().0.to_owned();
    for value in ["", "0123456789", "x' OR 1=1 --", &"9".repeat(2000)] {
        forged.payload = serde_json::from_str(&json.replace(&reference, value)).unwrap();
        assert_eq!(bot.slack.press(&bot.url, &forged, RENEW, USER).await.unwrap().status, 200);
    }
    // The right value from another message, or another channel.
    let mut elsewhere = expired.clone();
    elsewhere.channel = SHARED.to_owned();
    bot.slack.press(&bot.url, &elsewhere, RENEW, USER).await.unwrap();
    let mut other = expired.clone();
    other.ts = "1.000001".to_owned();
    bot.slack.press(&bot.url, &other, RENEW, USER).await.unwrap();
    until("each was told", async || {
        let told =
            bot.slack.messages().iter().filter(|message| message.rendered().contains("isn't yours")).count();
        (told >= 5).then_some(())
    })
    .await;
    assert_eq!(bot.fivetran.calls_to("connect_card"), 0);
    assert!(link_of(&message).is_some());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_could_not_be_edited_is_edited_later() {
    let bot = TestBot::start().await;
    bot.send("google_ads acme").await;
    message_saying(&bot, "Please connect").await;
    bot.fivetran.finish_setup(&connection(&bot));
    bot.slack.faults(|faults| faults.fail_next("chat.update", Fault::Status(503), 1));
    pass(&bot, Duration::from_secs(21)).await;
    until("Slack refused once", async || (bot.slack.calls_to("chat.update") == 1).then_some(())).await;
    assert!(!top(&bot)[0].rendered().contains("has been connected since"));
    // The bot's own watcher may be the one that was refused, a little later than this one.
    until("it is edited", async || {
        pass(&bot, Duration::from_secs(61)).await;
        top(&bot)[0].rendered().contains("has been connected since").then_some(())
    })
    .await;
    assert_eq!(thread(&bot).len(), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_open_links_stay_far_inside_fivetrans_limits() {
    use connect_card::command::{Command, Vocabulary, parse};
    use connect_card::config::{Destinations, NO_DEFAULTS};
    use connect_card::fivetran::catalog::Catalog;
    use connect_card::store::NewLink;

    let bot = Setup::new().await.without_token().start().await;
    let destinations = Destinations { default_group: Some("g".to_owned()), ..Destinations::default() };
    let catalog = Catalog::built_in();
    let words = Vocabulary {
        slash: "/connect-card",
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
    };
    let Ok(Command::Connect(request)) = parse("google_ads acme", &words) else { panic!("a command") };
    let connection = bot.fivetran.seed_connection("google_ads", "acme", "incomplete");
    let now = bot.clock.now();
    let ids: Vec<_> = (0..10_000).map(|n| format!("LINK{n:06}")).collect();
    let keep = ids.iter().map(|id| {
        bot.store().keep_link(NewLink {
            id,
            connection_id: &connection,
            team_id: "T",
            channel_id: "C",
            requester: "U",
            request: &request,
            message: None,
            over: None,
            posted_at: now,
            expires_at: now + connect_card::fivetran::model::LINK_LIFE,
            check_at: now,
        })
    });
    for kept in futures_util::future::join_all(keep).await {
        kept.unwrap();
    }
    // From now on it looks only when the test does: two watchers would share one pace.
    bot.announce_stop();
    let asked = || bot.fivetran.calls_to("get_connection");
    let mut hours = Vec::new();
    for _ in 0..2 {
        let before = asked();
        for _ in 0..60 {
            pass(&bot, Duration::from_secs(60)).await;
        }
        hours.push(asked() - before);
    }
    assert!(hours.iter().all(|&requests| requests < 2000), "{hours:?}");
    assert!(hours.iter().all(|&requests| requests > 1000), "they are watched: {hours:?}");
    // A customer who lands is seen at once all the same.
    bot.fivetran.finish_setup(&connection);
    assert!(land(&format!("{}/connected/{}", bot.url, ids[9_999]), &bot).await.contains("is connected"));
    say(&format!("10,000 open links: {hours:?} requests to Fivetran, hour by hour"));
    let _ = bot.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_bot_is_no_member_the_hint_to_invite_it_comes_once_and_privately() {
    let bot = TestBot::start().await;
    for (schema, expected) in [("acme", 2), ("other", 3)] {
        bot.send_in(PRIVATE, &format!("google_ads {schema}")).await;
        until("the link", async || (bot.slack.messages().len() == expected).then_some(())).await;
    }
    let messages = bot.finish().await;
    let hints: Vec<_> = messages.iter().filter(|message| message.rendered().contains("/invite me")).collect();
    assert_eq!(hints.len(), 1);
    assert_eq!(hints[0].visibility, Visibility::Ephemeral);
    assert_eq!(messages.iter().filter(|message| link_of(message).is_some()).count(), 2);
}
