//! What `status` says and what the channel shows come of one judgement; and where Fivetran cannot be
//! asked, who can do what about it.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use stand_ins::fault::Fault;

use crate::harness::{Setup, TestBot, USER};

/// Longer than until the next list.
const A_WHILE: Duration = Duration::from_secs(31);

async fn connected() -> TestBot {
    let bot = Setup::new().await.start().await;
    bot.types_as(USER, crate::harness::CHANNEL, "google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(A_WHILE).await;
    bot.begins_here();
    bot
}

#[tokio::test]
async fn a_failed_test_of_the_setup_counts_for_status_as_for_the_channel() {
    let bot = connected().await;
    let id = bot.connection_of("acme");
    bot.fivetran.set_setup_tests(
        &id,
        json!([
            { "title": "Connecting to the host", "status": "PASSED", "message": "" },
            { "title": "Validate Login", "status": "FAILED", "message": "Invalid login credentials." },
        ]),
    );
    bot.fivetran.set_tasks(&id, Vec::new());
    bot.fivetran.set_setup_state(&id, "broken");
    bot.notes("it breaks, and only a test of its setup says why");
    bot.types("status acme").await;
    bot.passes(A_WHILE).await;
    bot.ends(expect![[r#"
        it breaks, and only a test of its setup says why
        #customer-acme
        alice: /connect-card status acme
          only alice sees:
              :warning: *Google Ads* into `acme`
              needs to be connected again · since T
              Fivetran says: set up, but not working now; a sync is running; the first sync isn't finished
              yet.
              To do:
              • Validate Login: Invalid login credentials.
              Requested by @alice · Link created T, T · Connection `amber_anchor` · Ref R1
              [Get a link to fix it]
        bot edits message 1:
            :warning: *Google Ads* was connected, but its access has stopped working. Fivetran says: Invalid
            login credentials. To fix it, get a link and sign in again.
            [Get a link to fix it]
            Requested by @alice · The data goes to `acme` · Ref R1
          in the thread of message 1:
              Google Ads needs to be connected again: Invalid login credentials. (Requested by @alice.)
        … 31 s later …
    "#]])
        .await;
}

#[tokio::test]
async fn what_fivetran_does_not_say_is_not_said_for_it() {
    let bot = connected().await;
    let id = bot.connection_of("acme");
    for (state, words) in [
        ("of_tomorrow", "Fivetran doesn't say, in words that I know, how far the setup is"),
        ("incomplete", "Fivetran says: the setup needs to be finished again"),
    ] {
        bot.fivetran.set_setup_state(&id, state);
        let told = bot.private(&bot.types("status acme").await).rendered();
        assert!(told.contains(words), "{state}: {told}");
    }
    bot.finish().await;
}

#[tokio::test]
async fn why_fivetran_cannot_be_asked_is_told_with_who_can_help() {
    let bot = connected().await;
    let says = |status: u16, code: &str| Fault::Says(status, json!({ "code": code, "message": "Words." }));
    for (fault, why, who) in [
        (says(401, "AuthFailed"), "rejected the API key.", "needs to set FIVETRAN_API_KEY"),
        (says(403, "Forbidden"), "isn't allowed to see it (“Words”)", "needs to let it"),
        (says(402, "PaymentRequired"), "refused to tell (“Words”)", "one of its administrators"),
        (says(410, "Gone"), "refused to tell (“Words”)", "Open the connection in Fivetran"),
        (says(404, "NotFound_Group"), "doesn't know this destination (“Words”)", "check FIVETRAN_GROUP_ID"),
        (Fault::Redirect("https://a.example/".to_owned()), "redirects me", "check HTTPS_PROXY"),
        (Fault::Page(403, "<html></html>"), "isn't Fivetran", "the firewall and HTTPS_PROXY"),
        (Fault::Throttled { retry_after: Some("90".to_owned()) }, "rate limit", "try again in 90 seconds"),
        (Fault::Instead("[]"), "a form that I don't know", "Open the connection in Fivetran"),
        (Fault::Padded(9 << 20), "larger than the 8 MB", "Open the connection in Fivetran"),
        (Fault::Status(503), "what Fivetran says just now", "the last known status."),
    ] {
        bot.fivetran.faults(|faults| faults.fail_next("get_connection", fault.clone(), 1));
        let told = bot.private(&bot.types("status acme").await).rendered().replace("\n", " ");
        let whole = [why, who, "I couldn't see what Fivetran says", "this is the last known status."];
        assert!(whole.iter().all(|words| told.contains(words)), "{fault:?}: {told}");
    }
    bot.finish().await;
}
