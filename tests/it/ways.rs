//! Slack is in trouble, or one of the ways through it: whatever is certain not to have arrived goes by
//! another way, and whoever waits is told.

use std::time::Duration;

use connect_card::journal::{Notice, Problem};
use connect_card::reply;
use connect_card::reply::live::RENEW;
use connect_card::slack::respond::PostError;
use connect_card::slack::web_api::WebApi;
use connect_card::work::Work;
use expect_test::expect;
use serde_json::json;
use stand_ins::chaos::Lasts;
use stand_ins::fault::{Fault, Faults};
use stand_ins::slack::{Message, Via, Visibility};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{CHANNEL, OUTSIDER, PRIVATE, Setup, TestBot, USER, client, is_note, link_of, until};

const COMMAND: &str = "google_ads acme";
/// Longer than anybody waits in silence.
const LONG: Duration = Duration::from_secs(11);
/// Longer than until the next list.
const A_WHILE: Duration = Duration::from_secs(31);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn throttled(seconds: u64) -> Fault {
    Fault::Throttled { retry_after: Some(seconds.to_string()) }
}

fn says(word: &str) -> Fault {
    Fault::Says(200, json!({ "ok": false, "error": word }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_waits_a_moment_for_the_way_by_which_it_can_be_edited_and_no_longer() {
    for (fault, via) in [
        (throttled(1), Via::PostMessage),
        (throttled(60), Via::ResponseUrl),
        (says("ratelimited"), Via::PostMessage),
    ] {
        let bot = TestBot::start().await;
        bot.slack.faults(|faults| faults.fail_next("chat.postMessage", fault.clone(), 1));
        bot.send(COMMAND).await;
        assert_eq!(bot.finish_with_link().await.via, via, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_slack_does_not_take_is_told_of_by_the_response_url() {
    let bot = TestBot::start().await;
    bot.slack.faults(|faults| {
        faults.fail_always("chat.postMessage", says("service_unavailable"));
        faults.fail_always("chat.postEphemeral", says("service_unavailable"));
    });
    bot.send(COMMAND).await;
    until("a try", async || (bot.slack.calls_to("chat.postMessage") > 0).then_some(())).await;
    bot.advance(LONG);
    let note = until("a note", async || bot.slack.messages().into_iter().find(is_note)).await;
    assert_eq!(note.via, Via::ResponseUrl);
    let said = note.rendered();
    assert!(said.contains("The connection is ready") || said.contains("the connection is ready"), "{said}");
    assert!(said.contains("Slack hasn't confirmed"), "{said}");
    let status = bot.private(&bot.send("status acme").await).rendered();
    assert!(status.contains("its link is on its way") && !status.contains("waiting for"), "{status}");
    bot.slack.faults(Faults::heal);
    bot.advance(Duration::from_secs(60));
    bot.finish_with_link().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_command_waits_is_told_by_the_way_that_is_open() {
    for fault in [throttled(30), says("team_added_to_org"), says("not_in_channel")] {
        let bot = TestBot::start().await;
        bot.fivetran.faults(|faults| faults.fail_next("create_connection", throttled(30), 1));
        bot.slack.faults(|faults| faults.fail_always("chat.postEphemeral", fault.clone()));
        bot.send(COMMAND).await;
        until("a call", async || (!bot.api_calls().is_empty()).then_some(())).await;
        bot.advance(LONG);
        let note = until("a note", async || bot.slack.messages().into_iter().find(is_note)).await;
        assert_eq!(note.via, Via::ResponseUrl, "{fault:?}");
        bot.advance(Duration::from_secs(30));
        bot.finish_with_link().await;
    }
}

/// A bot at whose key Fivetran rejects everything, so that there is a failure to tell.
async fn with_a_failure(arrange: impl FnOnce(&mut Faults)) -> Vec<Message> {
    let bot = TestBot::start().await;
    bot.fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Status(401)));
    bot.slack.faults(arrange);
    bot.send(COMMAND).await;
    bot.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_by_the_first_way_that_is_open() {
    for fault in [Fault::Status(503), throttled(60), Fault::DropBefore] {
        let told = with_a_failure(|faults| faults.fail_always("response_url", fault.clone())).await;
        assert_eq!((told.len(), told[0].via), (1, Via::PostEphemeral), "{fault:?}");
        let told = with_a_failure(|faults| {
            faults.fail_always("response_url", fault.clone());
            faults.fail_always("chat.postEphemeral", fault.clone());
        });
        let told = told.await;
        assert_eq!((told.len(), told[0].via), (1, Via::PostMessage), "{fault:?}");
        assert_ne!(told[0].channel, CHANNEL, "for the person alone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_a_sentence_that_may_be_lost_is_said_again() {
    let bot = Setup::new().await.without_token().start().await;
    bot.slack.chaos("slack-response-url-page", Lasts::Calls(2));
    bot.send(COMMAND).await;
    until("the second page", async || (bot.slack.faults(|faults| faults.applied()) == 2).then_some(())).await;
    bot.advance(A_WHILE);
    let messages = bot.finish().await;
    let links = messages.iter().filter(|message| link_of(message).is_some()).count();
    let told: Vec<_> =
        messages.iter().filter(|message| message.visibility == Visibility::Ephemeral).collect();
    assert_eq!((links, told.len()), (1, 2), "{messages:?}");
    assert!(
        told.iter().all(|it| it.rendered().contains("couldn't make sure that its link was posted")),
        "{told:?}"
    );
}

#[tokio::test]
async fn whoever_presses_anothers_button_reads_whom_to_ask_and_that_one_reads_why() {
    let bot = TestBot::start().await;
    bot.types(COMMAND).await;
    bot.passes(DAY).await;
    bot.begins_here();
    for route in ["connect_card", "list_connections"] {
        bot.fivetran.faults(|faults| faults.fail_always(route, Fault::Status(401)));
    }
    bot.presses(OUTSIDER, &bot.link_message(), RENEW).await;
    bot.notes("the same by who asked for it:");
    bot.presses(USER, &bot.link_message(), RENEW).await;
    bot.ends(expect![[r#"
        #customer-acme
        outsider presses [Get a new link] of message 1
        bot tells outsider alone:
            I couldn't make a new link for Google Ads just now. Please ask @alice.
            Ref R1
        #D0ALICE
        bot posts:
            @outsider asked for a new link for *Google Ads* into `acme` in #customer-acme, and was told to
            ask you.
            Fivetran rejected the API key, so I couldn't make a new link for Google Ads. Whoever runs
            connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            Ref R1
        the same by who asked for it:
        #customer-acme
        alice presses [Get a new link] of message 1
        bot tells alice alone:
            Fivetran rejected the API key, so I couldn't make a new link for Google Ads. Whoever runs
            connect-card needs to set FIVETRAN_API_KEY and FIVETRAN_API_SECRET to a valid key.
            Ref R2
    "#]])
        .await;
}

#[tokio::test]
async fn access_that_is_lost_is_told_to_who_asked_where_nobody_can_ask_the_customer() {
    let bot = TestBot::start().await;
    bot.types_as(USER, PRIVATE, COMMAND).await;
    bot.customer_finishes("acme");
    bot.passes(A_WHILE).await;
    bot.begins_here();
    bot.connection_breaks("acme", "The password was changed.");
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: reconnect / Reconnect / The password was changed.
        … 31 s later …
        #D0ALICE
        bot posts:
            :warning: *Google Ads* into `acme` was connected, but its access has stopped working. Fivetran
            says: The password was changed.
            I can't say so under its link in #leadership, so your customer doesn't know yet. To get a link
            by which they can sign in again, type `/connect-card renew acme` there.
            Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn a_person_who_may_not_have_been_told_is_told_again() {
    let bot = TestBot::start().await;
    bot.types(COMMAND).await;
    bot.customer_finishes("acme");
    bot.passes(A_WHILE).await;
    bot.slack.faults(|faults| faults.fail_next("chat.postMessage", Fault::Status(503), 1));
    bot.connection_breaks_with("acme", ["unknown_sync_failure", "Sync failed", "A table was locked."]);
    let told = || {
        let alone = |message: &Message| message.rendered().contains("isn't asked to do anything");
        bot.slack.messages().iter().filter(|message| alone(message)).count()
    };
    bot.passes(A_WHILE).await;
    for _ in 0..3 {
        bot.passes(A_WHILE).await;
    }
    assert_eq!(bot.slack.faults(|faults| faults.applied()), 1, "the first try failed");
    assert_eq!(told(), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_new_link_says_nothing_of_one_that_cannot_be_taken_back_but_that_it_may_be_there() {
    let bot = TestBot::start().await;
    for line in [COMMAND, "renew acme", COMMAND] {
        let ack = bot.types_as(USER, PRIVATE, line).await;
        assert!(!ack.text().contains("replace"), "{}", ack.text());
    }
    let messages = bot.finish().await;
    let links: Vec<_> = messages.iter().filter(|it| link_of(it).is_some()).map(Message::rendered).collect();
    assert_eq!(links.len(), 3);
    for link in &links[1..] {
        assert!(link.contains("even if an earlier message still shows another"), "{link}");
    }
}

#[tokio::test]
async fn the_form_says_who_will_see_the_link() {
    for (visibility, said) in [("channel", "for your customer"), ("requester", "only you can see it")] {
        let bot = Setup::new().await.with("LINK_VISIBILITY", visibility).start().await;
        let form = bot.opens_form().await.to_string();
        assert!(form.contains(said), "{form}");
        bot.finish().await;
    }
}

#[test]
fn a_remedy_is_one_for_the_refusal_at_hand() {
    let request = serde_json::from_value::<Work>(json!({
        "verb": "connect", "service": "google_ads", "service_name": "Google Ads", "target": { "schema": "acme", "table": null },
        "group_id": "group", "slash": "/connect-card",
    }));
    let work = request.unwrap();
    for (words, remedy) in [
        ("is_archived channel_is_archived is_inactive channel_is_frozen", "in an active channel"),
        ("restricted_action restricted_action_read_only_channel action_prohibited", "in another channel"),
        (
            "token_revoked invalid_auth missing_scope ekm_access_denied msg_too_long",
            "whoever runs connect-card",
        ),
        ("not_in_channel channel_not_found", "/invite"),
        ("a_word_of_tomorrow", "Type the command again"),
    ] {
        for word in words.split(' ') {
            let problem = Notice::Problem(Problem::CannotPost { slack_says: word.to_owned() });
            let said = reply::notice_sentence(&problem, &work);
            assert!(said.contains(remedy) && said.contains(word), "{said}");
        }
    }
}

/// A Slack that gives these answers, one to each call.
async fn that_answers(answers: Vec<&'static str>) -> WebApi {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut call, _) = listener.accept().await.unwrap();
            let _ = call.read(&mut [0; 16 * 1024]).await;
            call.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    WebApi::new(client(), &url, &"xoxb-1".to_owned().into())
}

#[tokio::test]
async fn a_pause_is_kept_for_what_slack_asks_it_for_and_as_long() {
    let head = "Content-Type: application/json\r\nConnection: close\r\nRetry-After: 25\r\n";
    let of = |status: &str, word: &str| -> &'static str {
        let body = format!("{{\"ok\":false,\"error\":\"{word}\"}}");
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\n\r\n{body}").leak()
    };
    let taken = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
    for status in ["429 Too Many Requests", "200 OK"] {
        for (word, all) in [("rate_limited", false), ("ratelimited", true)] {
            let slack = that_answers(vec![of(status, word), taken]).await;
            let post =
                async |channel: &str| slack.post_message(channel, reply::not_accepted()).await.map(drop);
            let asked = PostError::Throttled(Some(Duration::from_secs(25)));
            assert_eq!(post("C1").await, Err(asked), "{status} {word}");
            assert!(matches!(post("C1").await, Err(PostError::Throttled(Some(_)))), "{status} {word}");
            assert_eq!(post("C2").await.is_err(), all, "{status} {word}");
        }
    }
}
