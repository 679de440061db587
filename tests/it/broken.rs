//! A connection that stops to work: who is asked to do something about it, and who is told.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::fivetran::tasks::SEEN;
use stand_ins::slack::Message;

use crate::harness::{COLLEAGUE, OUTSIDER, PRIVATE, Setup, TestBot, USER, until};

/// Longer than until the next list.
const A_WHILE: Duration = Duration::from_secs(31);
/// What a failed sync leaves behind.
const SYNC_FAILED: [&str; 3] =
    ["unknown_sync_failure", "Sync failed", "Table `orders` was locked for more than an hour."];
/// The button.
const SYNC_NOW: &str = connect_card::reply::ask::SYNC_NOW;

/// A bot with one connected link, of which nothing was said so far.
async fn connected_in(setup: Setup, channel: &str) -> TestBot {
    let bot = setup.start().await;
    bot.types_as(USER, channel, "google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(A_WHILE).await;
    bot.begins_here();
    bot
}

async fn connected() -> TestBot {
    connected_in(Setup::new().await, crate::harness::CHANNEL).await
}

#[tokio::test]
async fn a_customer_whose_access_is_lost_is_asked_in_fivetrans_words() {
    let bot = connected().await;
    bot.connection_breaks("acme", "The password was changed.");
    bot.passes(A_WHILE).await;
    // A label alone says nothing.
    bot.connection_breaks("acme", "");
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: reconnect / Reconnect / The password was changed.
        … 31 s later …
        #customer-acme
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. Fivetran says: The
            password was changed. To fix it, get a link and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads needs to be connected again: The password was changed. (Requested by @alice.)
        the connection breaks; Fivetran says: reconnect / Reconnect
        … 31 s later …
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. To fix it, get a link
            and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `acme` · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn where_no_sign_in_can_help_the_customer_is_left_in_peace_and_the_requester_told() {
    let bot = connected().await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.notes("the same goes on, and is told once:");
    bot.passes(A_WHILE).await;
    bot.types("status acme").await;
    bot.presses(USER, &told_last(&bot), SYNC_NOW).await;
    bot.notes("the sync ends well");
    bot.fivetran.end_sync(&bot.connection_of("acme"));
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: unknown_sync_failure / Sync failed / Table `orders` was locked for more than an hour.
        … 31 s later …
        #customer-acme
        bot edits message 1:
            :information_source: *Google Ads* is set up, but isn't getting new data right now. There's
            nothing you need to do; this message will change when it's over.
            Requested by @alice · The data goes to `acme` · Ref R1
        #D0ALICE
        bot posts message 2:
            :warning: *Google Ads* into `acme` isn't getting new data. Your customer isn't asked to do
            anything.
            Fivetran says:
            • Sync failed (unknown_sync_failure): Table `orders` was locked for more than an hour.
            A sync failed. Signing in again wouldn't change that, but another sync may succeed. If it fails
            too, open the connection in Fivetran.
            [Sync now]
            Connection `amber_anchor` · Requested in #customer-acme · Ref R1
        the same goes on, and is told once:
        … 31 s later …
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :warning: *Google Ads* into `acme`
              not getting new data; your customer isn't asked to do anything · since T
              Fivetran says: set up, but not working now; the next sync is scheduled; the first sync isn't
              finished yet.
              To do:
              • Sync failed (unknown_sync_failure): Table `orders` was locked for more than an hour.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Sync now]
        #D0ALICE
        alice presses [Sync now] of message 2
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R2
        #customer-acme
        bot tells alice alone:
            Fivetran is syncing Google Ads now. To see how that goes, type /connect-card status acme. If it
            fails again, open the connection in Fivetran.
            Ref R2
        the sync ends well
        … 31 s later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R1
        #D0ALICE
        bot posts:
            :white_check_mark: *Google Ads* into `acme` is getting new data again.
    "#]]).await;
}

#[tokio::test]
async fn a_code_that_nobody_knows_asks_no_customer() {
    let bot = connected().await;
    bot.connection_breaks_with("acme", ["some_code_of_tomorrow", "Something New", ""]);
    bot.passes(A_WHILE).await;
    bot.connection_breaks_with("acme", ["reconnect_warehouse", "Reconnect Warehouse", "Out of memory."]);
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: some_code_of_tomorrow / Something New
        … 31 s later …
        #customer-acme
        bot edits message 1:
            :information_source: *Google Ads* is set up, but isn't getting new data right now. There's
            nothing you need to do; this message will change when it's over.
            Requested by @alice · The data goes to `acme` · Ref R1
        #D0ALICE
        bot posts:
            :warning: *Google Ads* into `acme` isn't getting new data. Your customer isn't asked to do
            anything.
            Fivetran says:
            • Something New (some_code_of_tomorrow)
            That doesn't tell me whether signing in again would help, so I haven't asked for it. A sync may
            clear it; if it doesn't, open the connection in Fivetran.
            [Sync now]
            [Get a link to fix it]
            Connection `amber_anchor` · Requested in #customer-acme · Ref R1
        the connection breaks; Fivetran says: reconnect_warehouse / Reconnect Warehouse / Out of memory.
        … 31 s later …
        bot posts:
            :warning: *Google Ads* into `acme` isn't getting new data. Your customer isn't asked to do
            anything.
            Fivetran says:
            • Reconnect Warehouse (reconnect_warehouse): Out of memory.
            The destination is the problem, not the sign-in. Once whoever looks after the destination has
            fixed it, start a sync.
            [Sync now]
            Connection `amber_anchor` · Requested in #customer-acme · Ref R1
    "#]])
        .await;
}

#[tokio::test]
async fn the_message_follows_when_access_is_lost_later_and_when_it_is_back() {
    let bot = connected().await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.begins_here();
    bot.connection_breaks("acme", "The password was changed.");
    bot.passes(A_WHILE).await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        the connection breaks; Fivetran says: reconnect / Reconnect / The password was changed.
        … 31 s later …
        #customer-acme
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. Fivetran says: The
            password was changed. To fix it, get a link and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads needs to be connected again: The password was changed. (Requested by @alice.)
        the connection breaks; Fivetran says: unknown_sync_failure / Sync failed / Table `orders` was locked for more than an hour.
        … 31 s later …
        bot edits message 1:
            :information_source: *Google Ads* is set up, but isn't getting new data right now. There's
            nothing you need to do; this message will change when it's over.
            Requested by @alice · The data goes to `acme` · Ref R1
        #D0ALICE
        bot posts:
            :warning: *Google Ads* into `acme` isn't getting new data. Your customer isn't asked to do
            anything.
            Fivetran says:
            • Sync failed (unknown_sync_failure): Table `orders` was locked for more than an hour.
            A sync failed. Signing in again wouldn't change that, but another sync may succeed. If it fails
            too, open the connection in Fivetran.
            [Sync now]
            Connection `amber_anchor` · Requested in #customer-acme · Ref R1
    "#]]).await;
}

#[tokio::test]
async fn tasks_of_any_shape_break_nothing_and_ask_nobody() {
    let bot = connected().await;
    let id = bot.connection_of("acme");
    bot.fivetran.set_setup_state(&id, "broken");
    for tasks in [
        json!([7, null, "reconnect", []]),
        json!([{"code": 7, "message": null, "details": {"table": "orders"}}]),
        json!([{}]),
    ] {
        bot.fivetran.set_tasks(&id, tasks.as_array().unwrap().clone());
        bot.passes(A_WHILE).await;
        let shown = bot.link_message().rendered();
        assert!(shown.contains("nothing you need to do"), "{tasks}: {shown}");
    }
    bot.finish().await;
}

#[tokio::test]
async fn of_all_tasks_that_were_seen_only_those_about_access_ask_the_customer() {
    let bot = connected().await;
    for seen in SEEN {
        bot.connection_breaks_with("acme", seen.task);
        bot.passes(A_WHILE).await;
        let asks = seen.name.starts_with("access-lost") || seen.name == "service-account-to-be-updated";
        let shown = bot.link_message().rendered();
        assert_eq!(shown.contains("Get a link to fix it"), asks, "{}: {shown}", seen.name);
        assert_eq!(shown.contains("nothing you need to do"), !asks, "{}: {shown}", seen.name);
    }
    bot.finish().await;
}

#[tokio::test]
async fn where_the_bot_cannot_send_a_direct_message_it_whispers_in_the_channel() {
    let bot = connected().await;
    bot.slack.faults(|faults| {
        let refusal = json!({ "ok": false, "error": "messages_tab_disabled" });
        faults.fail_always("chat.postMessage", Fault::Says(200, refusal));
    });
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    let told = told_last(&bot);
    assert_eq!(told.channel, crate::harness::CHANNEL);
    assert!(told.rendered().contains("isn't getting new data"), "{}", told.rendered());
    bot.finish().await;
}

#[tokio::test]
async fn who_asked_is_told_although_the_links_message_cannot_be_edited() {
    for (setup, channel) in [
        (Setup::new().await.with("LINK_VISIBILITY", "requester"), crate::harness::CHANNEL),
        (Setup::new().await, PRIVATE),
    ] {
        let bot = connected_in(setup, channel).await;
        bot.connection_breaks_with("acme", SYNC_FAILED);
        bot.passes(A_WHILE).await;
        let told = told_last(&bot).rendered();
        assert!(told.contains("isn't getting new data"), "{channel}: {told}");
        assert_eq!(bot.slack.calls_to("chat.update"), 0);
        bot.finish().await;
    }
}

/// What has failed before, such as the edit of the message, says nothing of whether they heard it.
#[tokio::test]
async fn who_may_not_have_heard_is_told_again_after_an_outage_of_slacks() {
    let bot = connected().await;
    bot.slack.faults(|faults| {
        faults.fail_next("chat.update", Fault::Says(503, json!({})), 6);
        faults.fail_next("chat.postMessage", Fault::DropAfter, 2);
    });
    bot.connection_breaks_with("acme", SYNC_FAILED);
    let told = || {
        let messages = bot.slack.messages();
        messages.iter().filter(|it| it.rendered().contains("Your customer isn't asked to do")).count()
    };
    until("it to be told a third time, and heard", async || {
        bot.advance(Duration::from_secs(20));
        (told() == 3).then_some(())
    })
    .await;
    bot.passes(Duration::from_secs(30 * 60)).await;
    assert_eq!(told(), 3, "who has heard it hears it no more");
    assert!(bot.slack.calls_to("chat.update") > 6, "its message was edited only after the outage");
    bot.finish().await;
}

#[tokio::test]
async fn without_a_token_nobody_is_told_and_status_says_it() {
    let bot = connected_in(Setup::new().await.without_token(), crate::harness::CHANNEL).await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    let status = bot.types("status acme").await;
    let note = bot.private(&status);
    assert!(note.rendered().contains("Table `orders` was locked"), "{}", note.rendered());
    bot.presses(USER, &note, SYNC_NOW).await;
    assert_eq!(bot.fivetran.calls_to("sync_connection"), 1);
    bot.finish().await;
}

#[tokio::test]
async fn a_sync_that_cannot_begin_is_told_as_what_it_is() {
    let bot = connected().await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.begins_here();
    let note = told_last(&bot);
    let id = bot.connection_of("acme");
    bot.notes("somebody pauses it");
    bot.fivetran.set_paused(&id, true);
    bot.presses(USER, &note, SYNC_NOW).await;
    bot.fivetran.set_paused(&id, false);
    bot.notes("a sync runs already");
    bot.presses(USER, &note, SYNC_NOW).await;
    bot.presses(USER, &note, SYNC_NOW).await;
    assert_eq!(bot.fivetran.calls_to("sync_connection"), 1);
    bot.notes("it works again");
    bot.fivetran.end_sync(&id);
    bot.passes(A_WHILE).await;
    bot.presses(USER, &note, SYNC_NOW).await;
    bot.ends(expect![[r#"
        somebody pauses it
        #D0ALICE
        alice presses [Sync now] of message 2
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R1
        #customer-acme
        bot tells alice alone:
            The connection for Google Ads is paused in Fivetran, so no sync was started. Resume it there
            first, then try again.
            Ref R1
        a sync runs already
        #D0ALICE
        alice presses [Sync now] of message 2
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R2
        #customer-acme
        bot tells alice alone:
            Fivetran is syncing Google Ads now. To see how that goes, type /connect-card status acme. If it
            fails again, open the connection in Fivetran.
            Ref R2
        #D0ALICE
        alice presses [Sync now] of message 2
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R3
        #customer-acme
        bot tells alice alone:
            Fivetran is already syncing Google Ads. To see how it goes, type /connect-card status acme.
            Ref R3
        it works again
        … 31 s later …
        bot edits message 1:
            :white_check_mark: *Google Ads* is connected (since T).
            Requested by @alice · The data goes to `acme` · Ref R4
        #D0ALICE
        bot posts:
            :white_check_mark: *Google Ads* into `acme` is getting new data again.
        alice presses [Sync now] of message 2
          only alice sees instead:
              Google Ads is working again, so there's nothing to do.
    "#]])
        .await;
}

#[tokio::test]
async fn fivetrans_refusals_of_a_sync_are_told_apart() {
    let bot = connected().await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.begins_here();
    let note = told_last(&bot);
    for status in [403, 409, 503] {
        let once = Fault::Status(status);
        bot.fivetran.faults(|faults| faults.fail_next("sync_connection", once, 1));
        bot.presses(USER, &note, SYNC_NOW).await;
    }
    bot.fivetran.delete(&bot.connection_of("acme"));
    bot.presses(USER, &note, SYNC_NOW).await;
    bot.ends(expect![[r#"
        #D0ALICE
        alice presses [Sync now] of message 1
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R1
        #customer-acme
        bot tells alice alone:
            The Fivetran API key isn't allowed to do this (“The key has no permission for this operation”),
            so a sync of Google Ads may not have started. Whoever runs connect-card needs to let it read and
            sync connections in this destination.
            Ref R1
        #D0ALICE
        alice presses [Sync now] of message 1
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R2
        #customer-acme
        bot tells alice alone:
            Fivetran refused to start a sync of Google Ads (“The request conflicts with the present state”).
            Open the connection in Fivetran to see why.
            Ref R2
        #D0ALICE
        alice presses [Sync now] of message 1
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R3
        #customer-acme
        bot tells alice alone:
            Fivetran is syncing Google Ads now. To see how that goes, type /connect-card status acme. If it
            fails again, open the connection in Fivetran.
            Ref R3
        #D0ALICE
        alice presses [Sync now] of message 1
          only alice sees instead:
              Asking Fivetran to sync Google Ads now. I'll tell you what it says.
              Ref R4
        #customer-acme
        bot tells alice alone:
            Fivetran doesn't show the connection for Google Ads into acme, so there was nothing to sync.
            Ref R4
    "#]])
        .await;
}

#[tokio::test]
async fn only_who_may_use_the_bot_there_has_a_connection_synced() {
    let setup = Setup::new().await.with("ALLOWED_USERS", &format!("{USER},{COLLEAGUE}"));
    let bot = connected_in(setup, crate::harness::CHANNEL).await;
    bot.connection_breaks_with("acme", SYNC_FAILED);
    bot.passes(A_WHILE).await;
    bot.begins_here();
    let note = told_last(&bot);
    bot.presses(OUTSIDER, &note, SYNC_NOW).await;
    // As it stands in the channel where no direct message can be had.
    let whispered = Message { channel: crate::harness::CHANNEL.to_owned(), ..note.clone() };
    bot.presses(OUTSIDER, &whispered, SYNC_NOW).await;
    bot.presses("U0GUEST", &whispered, SYNC_NOW).await;
    let elsewhere = Message { channel: PRIVATE.to_owned(), ..note.clone() };
    bot.presses(USER, &elsewhere, SYNC_NOW).await;
    assert_eq!(bot.fivetran.calls_to("sync_connection"), 0);
    bot.ends(expect![[r#"
        #D0ALICE
        outsider presses [Sync now] of message 1
          only outsider sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
        #customer-acme
        outsider presses [Sync now] of message 1
          only outsider sees:
              You're not on the list of people who can use this bot, so I did nothing. Ask the people who run
              this bot (for example @alice, @bob) to add you.
        guest presses [Sync now] of message 1
          only guest sees:
              You're not on the list of people who can use this bot, so I did nothing. Ask the people who run
              this bot (for example @alice, @bob) to add you.
        #leadership
        alice presses [Sync now] of message 1
          only alice sees:
              This button isn't for you, or it's out of date, so I didn't do anything. If you need it, type
              the command yourself.
    "#]])
        .await;
}

/// The last message to the person alone with the button.
fn told_last(bot: &TestBot) -> Message {
    let offers = |payload: &Value| payload.to_string().contains(SYNC_NOW);
    let mut messages = bot.slack.messages().into_iter();
    messages.rfind(|message| offers(&message.payload)).expect("a note with the button")
}
