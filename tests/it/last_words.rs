//! The end of a socket: what was heard on it is answered, and so is what comes until Slack knows that nobody
//! hears any more.

use std::collections::HashSet;
use std::time::Duration;

use stand_ins::fault::Fault;
use stand_ins::slack::{APP_TOKEN, Delivery};

use crate::harness::{CHANNEL, Outside, Program, Setup, USER, accepted, until};
use crate::sockets;

#[tokio::test]
async fn what_was_heard_is_acknowledged_before_a_bot_stops() {
    let outside = Outside::start().await;
    outside.slack.deliver_by(Delivery::Sockets);
    let program = Program::against(&outside).with("SLACK_APP_TOKEN", APP_TOKEN);
    let mut process = program.start().await;
    outside.slack.wait_for_sockets(|count| count == 2).await;
    outside
        .slack
        .command("http://nowhere.test", "/connect-card google_ads acme", CHANNEL, USER)
        .await
        .unwrap();
    until("the link", async || (outside.slack.messages().len() == 1).then_some(())).await;
    // Longer than the bot stays after it has been asked to end, and not too long for Slack.
    let slow = Fault::SlowAfter(Duration::from_millis(1800));
    outside.fivetran.faults(|faults| faults.fail_next("get_connection", slow, 1));
    let slack = outside.slack.clone();
    let status = "/connect-card status acme";
    let asked =
        tokio::spawn(async move { slack.command("http://nowhere.test", status, CHANNEL, USER).await });
    until("the look", async || (outside.fivetran.calls_to("get_connection") > 0).then_some(())).await;
    process.terminate().await;
    let ack = asked.await.unwrap().expect("it was heard before the end");
    assert!(ack.text().contains("acme"), "{}", ack.text());
    assert!(process.wait().await.success(), "{}", process.log());
    assert_eq!(outside.slack.violations(), []);
    assert!(outside.slack.live_sockets().is_empty(), "Slack was told that nobody hears any more");
}

#[tokio::test]
async fn what_comes_while_a_socket_ends_is_accepted_and_carried_out() {
    let bot = sockets::start().await;
    bot.send("google_ads acme").await;
    bot.until_all_ended().await;
    let slow = Fault::SlowAfter(Duration::from_secs(2));
    bot.fivetran.faults(|faults| faults.fail_next("get_connection", slow, 1));
    let looks = bot.fivetran.calls_to("get_connection");
    let outside = bot.outside();
    let typed = |line: &'static str| {
        let slack = outside.slack.clone();
        tokio::spawn(async move { slack.command("http://nowhere.test", line, CHANNEL, USER).await })
    };
    let asked = typed("/connect-card status acme");
    until("the look", async || (outside.fivetran.calls_to("get_connection") > looks).then_some(())).await;
    let stopping = tokio::spawn(bot.stop());
    // The one over which nothing is under way ends at once; the other is waited for.
    outside.slack.wait_for_sockets(|count| count == 1).await;
    let ack = typed("/connect-card google_ads late").await.unwrap().expect("somebody hears it");
    let reference = accepted(&ack).unwrap_or_else(|| panic!("{}", ack.text()));
    assert!(asked.await.unwrap().is_ok(), "the one before is answered, too");
    let folder = stopping.await.unwrap();
    assert!(outside.slack.live_sockets().is_empty(), "Slack was told that nobody hears any more");
    assert_eq!(outside.slack.violations(), []);
    // Whatever is not done by then is the next one's.
    let next = Setup::beside(outside.clone()).after(folder).start().await;
    outside.until_all_ended(&HashSet::from([reference])).await;
    next.finish().await;
}
