//! Nobody waits in silence: a command that is not done after ten seconds says once, to its person
//! alone, what it waits for; and what comes of it follows.

use std::time::Duration;

use connect_card::reply::ask::CANCEL;
use stand_ins::fault::Fault;
use stand_ins::slack::{Message, Visibility};

use crate::harness::{COLLEAGUE, Setup, TestBot, Trick, USER, Wire, is_note, link_of, until};

/// Longer than anybody waits in silence.
const LONG: Duration = Duration::from_secs(11);

fn notes(bot: &TestBot) -> Vec<Message> {
    bot.slack.messages().into_iter().filter(is_note).collect()
}

/// Waits for the one note that there is to be, and gives what it says.
async fn note(bot: &TestBot) -> String {
    let note = until("a note", async || notes(bot).pop()).await;
    assert_eq!((note.visibility, notes(bot).len()), (Visibility::Ephemeral, 1));
    note.payload["text"].as_str().unwrap().to_owned()
}

/// Waits until Fivetran has been asked so often.
async fn until_asked(bot: &TestBot, times: usize) {
    until("a call", async || (bot.api_calls().len() >= times).then_some(())).await;
}

/// What is there when all is over, in its order: notes, links and sentences.
async fn order(bot: TestBot) -> Vec<&'static str> {
    bot.until_all_ended().await;
    let kind = |message: &Message| match (is_note(message), link_of(message)) {
        (true, _) => "note",
        (_, Some(_)) => "link",
        _ => "sentence",
    };
    let order = bot.slack.messages().iter().map(kind).collect();
    bot.finish().await;
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_told_once_and_the_link_follows() {
    let bot = TestBot::start().await;
    bot.fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Status(503)));
    bot.fivetran.faults(|faults| faults.fail_always("list_connections", Fault::Status(503)));
    bot.send("google_ads acme").await;
    until_asked(&bot, 1).await;
    assert_eq!(notes(&bot).len(), 0, "nobody is told before ten seconds are over");
    bot.advance(LONG);
    let said = note(&bot).await;
    assert!(said.starts_with("Still working on the link for Google Ads: Fivetran "), "{said}");
    assert!(
        said.contains("I'll keep trying until 20") && said.contains("don't need to do anything"),
        "{said}"
    );
    // Long after, nothing more is said; then it works.
    let before = bot.api_calls().len();
    bot.advance(Duration::from_secs(300));
    until_asked(&bot, before + 2).await;
    assert_eq!(notes(&bot).len(), 1);
    bot.fivetran.faults(|faults| faults.heal());
    bot.advance(Duration::from_secs(120));
    assert_eq!(order(bot).await, ["note", "link"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_and_the_line_behind_it_are_told_as_one() {
    let bot = TestBot::start().await;
    let throttled = Fault::Throttled { retry_after: Some("50".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("create_connection", throttled, 1));
    bot.send("google_ads acme").await;
    until_asked(&bot, 1).await;
    bot.send("google_ads second").await;
    bot.advance(LONG);
    until("both notes", async || (notes(&bot).len() == 2).then_some(())).await;
    for note in notes(&bot) {
        assert!(note.rendered().contains("rate limit is used up"), "{}", note.rendered());
    }
    bot.advance(Duration::from_secs(45));
    assert_eq!(order(bot).await, ["note", "note", "link", "link"]);
}

/// A bot whose calls to Fivetran that begin so are held back.
async fn behind_a_wire(word: &str) -> (TestBot, Wire) {
    let setup = Setup::new().await;
    let wire = Wire::to(setup.fivetran.addr(), word).await;
    let bot = setup.with("FIVETRAN_API_URL", &wire.url()).start().await;
    (bot, wire)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_creation_is_no_outage_and_its_note_does_not_hold_it_up() {
    let (bot, wire) = behind_a_wire("POST /v1/connections ").await;
    wire.arm(Trick::Hold);
    bot.send("google_ads acme").await;
    until("the creation", async || (wire.played() == 1).then_some(())).await;
    bot.advance(LONG);
    let said = note(&bot).await;
    assert!(said.contains("Fivetran is taking a long time to make the connection"), "{said}");
    wire.release();
    assert_eq!(wire.given_up(), 0, "the call goes on");
    assert_eq!(order(bot).await, ["note", "link"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_of_a_command_never_stands_above_that_it_waits() {
    let setup = Setup::new().await;
    let to_fivetran = Wire::to(setup.fivetran.addr(), "POST /v1/connections ").await;
    let to_slack = Wire::to(setup.slack.addr(), "chat.postEphemeral").await;
    let setup = setup.with("FIVETRAN_API_URL", &to_fivetran.url());
    let bot = setup.with("SLACK_API_URL", &format!("{}/api", to_slack.url())).start().await;
    to_fivetran.arm(Trick::Hold);
    to_slack.arm(Trick::Hold);
    bot.send("google_ads acme").await;
    until("the creation", async || (to_fivetran.played() == 1).then_some(())).await;
    bot.advance(LONG);
    until("the note", async || (to_slack.played() == 1).then_some(())).await;
    to_fivetran.release();
    until("the connection", async || (bot.created() == 1).then_some(())).await;
    to_slack.release();
    assert_eq!(order(bot).await, ["note", "link"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_slack_does_not_take_is_not_sent_again_and_holds_nothing_up() {
    let (bot, wire) = behind_a_wire("POST /v1/connections ").await;
    wire.arm(Trick::Hold);
    bot.slack.faults(|faults| faults.fail_always("chat.postEphemeral", Fault::DropBefore));
    bot.send("google_ads acme").await;
    until("the creation", async || (wire.played() == 1).then_some(())).await;
    bot.advance(LONG);
    until("the note", async || (bot.slack.faults(|faults| faults.applied()) == 1).then_some(())).await;
    bot.slack.faults(|faults| faults.heal());
    wire.release();
    assert_eq!(order(bot).await, ["link"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_or_outside_of_the_channel_it_is_told_by_the_response_url() {
    for (setup, channel) in [
        (Setup::new().await.without_token(), crate::harness::CHANNEL),
        (Setup::new().await, crate::harness::PRIVATE),
    ] {
        let bot = setup.start().await;
        bot.fivetran.faults(|faults| {
            faults.fail_next("create_connection", Fault::Throttled { retry_after: Some("30".to_owned()) }, 1)
        });
        bot.send_in(channel, "google_ads acme").await;
        until_asked(&bot, 1).await;
        bot.advance(LONG);
        let said = note(&bot).await;
        assert!(said.contains("rate limit"), "{said}");
        bot.advance(Duration::from_secs(30));
        let order = order(bot).await;
        assert_eq!(order[..2], ["note", "link"], "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_a_cancellation_and_a_form_say_so_too_each_to_whoever_asked() {
    let (bot, wire) = behind_a_wire("nothing yet").await;
    let view = bot.opens_form().await;
    wire.listen_for("POST /v1/connections ");
    wire.arm(Trick::Hold);
    bot.submits_meanwhile(USER, &view, ["google_ads", "acme", ""]).await;
    until("the creation", async || (wire.played() == 1).then_some(())).await;
    bot.advance(LONG);
    assert!(note(&bot).await.starts_with("Still working on the link for Google Ads"));
    wire.release();
    bot.until_all_ended().await;

    let throttled = || Fault::Throttled { retry_after: Some("30".to_owned()) };
    bot.fivetran.faults(|faults| faults.fail_next("delete_connection", throttled(), 1));
    let question = bot.private(&bot.send("cancel acme").await);
    bot.slack.press(&bot.url, &question, CANCEL, USER).await.unwrap();
    until("the limit", async || (bot.fivetran.faults(|faults| faults.applied()) == 1).then_some(())).await;
    bot.advance(LONG);
    let second = until("a second note", async || notes(&bot).get(1).cloned()).await;
    assert!(second.rendered().starts_with("Still cancelling the connection for Google Ads"), "{second:?}");
    bot.advance(Duration::from_secs(30));
    bot.until_all_ended().await;

    bot.send("google_ads renewed").await;
    bot.until_all_ended().await;
    bot.fivetran.faults(|faults| faults.fail_next("list_connections", throttled(), 1));
    bot.send_as(COLLEAGUE, crate::harness::CHANNEL, "renew renewed").await;
    until("the limit", async || (bot.fivetran.faults(|faults| faults.applied()) == 2).then_some(())).await;
    bot.advance(LONG);
    let third = until("a third note", async || notes(&bot).get(2).cloned()).await;
    assert!(third.rendered().starts_with("Still working on the new link for Google Ads"), "{third:?}");
    assert_eq!(third.user.as_deref(), Some(COLLEAGUE));
    bot.advance(Duration::from_secs(30));
    bot.finish().await;
}
