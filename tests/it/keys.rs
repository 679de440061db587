//! The keys under which the bot calls Fivetran: two of them while one takes the other's place.

use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn};

use crate::harness::{Outside, Program, Setup};

/// A second key of the same account.
const SECOND: (&str, &str) = ("second-key", "second-secret");

/// How many calls were made, and how many of them with a key that was rejected.
fn calls_and_rejected(fivetran: &FivetranStandIn) -> (usize, usize) {
    let calls = fivetran.calls();
    let keyed = calls.iter().filter(|call| call.path.starts_with("/v1/"));
    (keyed.clone().count(), keyed.filter(|call| call.status == 401).count())
}

#[tokio::test]
async fn a_key_that_is_rejected_gives_way_to_the_other_one() {
    let outside = Outside::start().await;
    let Outside { slack, fivetran } = &outside;
    fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let program = Program::against(&outside)
        .with("FIVETRAN_API_KEY_2", SECOND.0)
        .with("FIVETRAN_API_SECRET_2", SECOND.1);
    let process = program.start().await;
    let send = async |schema: &str, links: usize| {
        process.send(slack, &format!("google_ads {schema}")).await;
        crate::harness::until("the link", async || (slack.messages().len() == links).then_some(())).await;
    };
    send("with_the_first", 1).await;
    assert_eq!(calls_and_rejected(fivetran).1, 0);

    fivetran.revoke_key(API_KEY, API_SECRET);
    send("with_the_second", 2).await;
    let (before, rejected) = calls_and_rejected(fivetran);
    assert!(rejected > 0, "the first was tried");
    send("and_stays_with_it", 3).await;
    let (after, rejected_since) = calls_and_rejected(fivetran);
    assert!(after > before);
    assert_eq!(rejected_since, rejected, "the first is not tried again");
    assert_eq!(fivetran.connections().len(), 3, "one each");

    // The first is valid again, and the second is not.
    fivetran.add_user_key(API_KEY, API_SECRET, true);
    fivetran.revoke_key(SECOND.0, SECOND.1);
    send("and_back", 4).await;
    let log = process.stop().await;
    for (rejected, used) in
        [("FIVETRAN_API_KEY", "FIVETRAN_API_KEY_2"), ("FIVETRAN_API_KEY_2", "FIVETRAN_API_KEY")]
    {
        let fields = format!("\"rejected\":\"{rejected}\",\"used\":\"{used}\"");
        assert_eq!(log.matches(&fields).count(), 1, "{fields}: {log}");
    }
    assert!(!log.contains(SECOND.1) && !log.contains(API_SECRET), "{log}");
    outside.shutdown();
}

#[tokio::test]
async fn only_a_401_is_repeated_with_the_other_key() {
    let setup = Setup::new().await;
    setup.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let bot = setup.with("FIVETRAN_API_KEY_2", SECOND.0).with("FIVETRAN_API_SECRET_2", SECOND.1);
    let bot = bot.start().await;
    bot.fivetran.chaos("fivetran-key-without-permission", stand_ins::chaos::Lasts::Calls(1));
    bot.send("google_ads acme").await;
    let sentence = bot.message(1).await.rendered();
    assert!(sentence.contains("Access denied"), "{sentence}");
    assert_eq!(bot.fivetran.calls_to("create_connection"), 1);
    bot.finish_with_sentence().await;
}

#[tokio::test]
async fn two_keys_that_are_rejected_are_one_rejected_key() {
    let setup = Setup::new().await.with("FIVETRAN_API_KEY_2", "no").with("FIVETRAN_API_SECRET_2", "no");
    setup.fivetran.revoke_key(API_KEY, API_SECRET);
    let bot = setup.start().await;
    bot.send("google_ads acme").await;
    let sentence = bot.finish_with_sentence().await;
    assert!(sentence.contains("Fivetran rejected the API key"), "{sentence}");
}
