//! The keys under which the bot calls Fivetran: two of them while one takes the other's place, and
//! system keys that may do exactly what `key-policy` prints, or less.

use std::time::Duration;

use connect_card::cli::key_policy;
use connect_card::reply::ask::{CANCEL, RENEW_HERE, SYNC_NOW};
use serde_json::{Value, json};
use stand_ins::chaos::Lasts;
use stand_ins::fault::Fault;
use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn, GROUP_ID};

use crate::harness::{Output, Outside, Program, Setup, TestBot, USER};

/// A second key of the same account.
const SECOND: (&str, &str) = ("second-key", "second-secret");

/// Longer than until the next list.
const A_LIST: Duration = Duration::from_secs(31);

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
    bot.fivetran.chaos("fivetran-key-without-permission", Lasts::Calls(1));
    bot.send("google_ads acme").await;
    let sentence = bot.message(1).await.rendered();
    assert!(sentence.contains("Access denied"), "{sentence}");
    assert_eq!(bot.fivetran.calls_to("create_connection"), 1);
    bot.finish_with_sentence().await;
}

#[tokio::test]
async fn a_sync_that_the_key_may_not_begin_is_told_at_once_with_what_it_lacks() {
    let bot = TestBot::start().await;
    bot.types("google_ads acme").await;
    bot.customer_finishes("acme");
    bot.passes(A_LIST).await;
    bot.connection_breaks_with("acme", ["unknown_sync_failure", "Sync failed", "A table was locked."]);
    bot.passes(A_LIST).await;
    let trouble = bot.private_message();
    bot.fivetran.chaos("fivetran-sync-forbidden", Lasts::UntilHealed);
    bot.presses(USER, &trouble, SYNC_NOW).await;
    let said = bot.private_message().rendered();
    for words in ["isn't allowed to do this", "User does not have permission", "needs to let it"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(bot.fivetran.calls_to("sync_connection"), 1, "it is certain to stay");
    bot.finish().await;
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

/// A system key with these permissions, as variables.
fn system_key(fivetran: &FivetranStandIn, permissions: &Value) -> [(&'static str, String); 2] {
    let body = json!({ "name": "connect_card", "permissions": permissions });
    let (key, secret) = fivetran.create_system_key(&body).unwrap();
    [("FIVETRAN_API_KEY", key), ("FIVETRAN_API_SECRET", secret)]
}

fn permissions() -> Value {
    key_policy::permissions([GROUP_ID])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_works_with_exactly_the_permissions_that_are_printed() {
    let mut setup = Setup::new().await;
    for (name, value) in system_key(&setup.fivetran, &permissions()) {
        setup = setup.with(name, &value);
    }
    setup.fivetran.revoke_key(API_KEY, API_SECRET);
    // Newer than the built-in table, so its details have to be asked for.
    setup.fivetran.list_service("brand_new", "Brand New");
    let bot = setup.start().await;
    bot.types("google_ads acme").await;
    bot.types("brand_new fresh").await;
    bot.types("list").await;
    bot.types("renew acme").await;
    let status = bot.private(&bot.types("status acme").await);
    bot.presses(USER, &status, RENEW_HERE).await;
    let asked = bot.private(&bot.types("cancel fresh").await);
    bot.presses(USER, &asked, CANCEL).await;
    bot.customer_finishes("acme");
    bot.passes(Duration::from_secs(31)).await;
    let shown: Vec<_> = bot.slack.messages().iter().map(|message| message.rendered()).collect();
    assert!(shown.iter().any(|text| text.contains("is connected (since ")), "{shown:#?}");
    let calls = bot.api_calls();
    let refused: Vec<_> = calls.iter().filter(|call| matches!(call.status, 401 | 403)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    for route in ["create_connection", "connect_card", "delete_connection", "list_page", "connector_type"] {
        assert!(bot.fivetran.calls_to(route) > 0, "{route}");
    }
    assert_eq!(bot.fivetran.connections().len(), 1, "one was made and kept, one cancelled");
    bot.finish().await;
}

fn wrong(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| line.starts_with('✗')).collect()
}

#[tokio::test]
async fn the_check_names_what_each_missing_permission_breaks() {
    let outside = Outside::start().await;
    let run = async |permissions: Value| {
        let mut program = Program::against(&outside);
        for (name, value) in system_key(&outside.fivetran, &permissions) {
            program = program.with(name, &value);
        }
        program.run(&["check"]).await
    };
    let printed = Program::bare().with("FIVETRAN_GROUP_ID", GROUP_ID).run(&["key-policy"]).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""), "{printed:?}");
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(printed, permissions());
    let output = run(printed.clone()).await;
    assert_eq!((output.code, wrong(&output)), (0, vec![]), "{output:?}");
    assert!(
        output.stdout.contains("✓ Fivetran key: works, a system key of the account “Sandbox”"),
        "{output:?}"
    );

    let [account, destination, connector] = printed.as_array().unwrap().clone().try_into().unwrap();
    let mut read_only = connector.clone();
    read_only["access_level"] = "READ".into();
    let mut elsewhere = connector.clone();
    elsewhere["resource_filter"]["group_ids"] = json!(["another_group"]);
    let cannot_create =
        ("connections in sandbox_group: the key may not create", "No link can be made, renewed");
    let cannot_read =
        ("connections in sandbox_group: the key may not read", "no message shows that a customer");
    for (policy, expected) in [
        (json!([destination, connector]), vec![("service details", "newer than this release")]),
        (json!([account, connector]), vec![("destination sandbox_group", "DESTINATION READ")]),
        (json!([account, destination, read_only]), vec![cannot_create]),
        (json!([account, destination, elsewhere]), vec![cannot_read, cannot_create]),
        (json!([account, destination]), vec![cannot_read, cannot_create]),
    ] {
        let output = run(policy.clone()).await;
        let lines = wrong(&output);
        assert_eq!((output.code, lines.len()), (1, expected.len()), "{policy}: {output:?}");
        for (line, (subject, breaks)) in lines.iter().zip(expected) {
            assert!(line.contains(subject) && line.contains(breaks) && line.contains("grant "), "{output:?}");
            assert!(line.contains("Access denied"), "{output:?}");
        }
        for further in ["✓ Slack token", "✓ database", "✓ Fivetran catalogue"] {
            assert!(output.stdout.contains(further), "it looks on: {output:?}");
        }
    }
    assert!(outside.fivetran.connections().is_empty());
    outside.shutdown();
}

#[tokio::test]
async fn a_policy_is_printed_for_every_destination_and_piped_into_fivetran() {
    let program = Program::bare();
    std::fs::write(
        program.folder().join("customers.toml"),
        "[destinations.eu]\ngroup_id = \"group_eu\"\n[destinations.us]\ngroup_id = \"group_us\"\n",
    )
    .unwrap();
    let program = program.with("CONFIG", "customers.toml");
    let output = program.run(&["key-policy", "--name", "connect_card"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    let body: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(body["permissions"], key_policy::permissions(["group_eu", "group_us"]));
    let fivetran = Outside::start().await.fivetran;
    fivetran.create_system_key(&body).unwrap();

    let bad = program.run(&["key-policy", "--name", "connect-card"]).await;
    assert_eq!((bad.code, bad.stdout.as_str()), (2, ""), "{bad:?}");
    let bare = Program::bare().run(&["key-policy"]).await;
    assert_eq!((bare.code, bare.stdout.as_str()), (2, ""), "{bare:?}");
    assert!(bare.stderr.contains("FIVETRAN_GROUP_ID is not set"), "{bare:?}");
}

#[tokio::test]
async fn the_check_tries_each_key_by_itself() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    fivetran.add_user_key(SECOND.0, SECOND.1, true);
    fivetran.add_user_key("strange", "strange", false);
    let check = async |first: &str, second: (&str, &str)| {
        let program = Program::against(&outside).with("FIVETRAN_API_KEY", first);
        let program = program.with("FIVETRAN_API_KEY_2", second.0).with("FIVETRAN_API_SECRET_2", second.1);
        program.run(&["check"]).await
    };
    let both = check(API_KEY, SECOND).await;
    assert_eq!((both.code, wrong(&both)), (0, vec![]), "{both:?}");
    for name in ["FIVETRAN_API_KEY", "FIVETRAN_API_KEY_2"] {
        assert!(both.stdout.contains(&format!("✓ Fivetran key {name}: works")), "{both:?}");
        assert!(both.stdout.contains(&format!("with {name}: can be created")), "{both:?}");
    }
    let rotated = check("revoked", SECOND).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(
        rotated.stdout.contains("· Fivetran key FIVETRAN_API_KEY: rejected, so the bot uses"),
        "{rotated:?}"
    );
    let not_yet = check(API_KEY, ("no", "no")).await;
    assert_eq!(wrong(&not_yet).len(), 1, "{not_yet:?}");
    let line = wrong(&not_yet)[0];
    assert!(line.contains("FIVETRAN_API_KEY_2: rejected"), "{line}");
    assert!(line.contains("The bot works with FIVETRAN_API_KEY, but nothing could take its place"), "{line}");
    let neither = check("revoked", ("no", "no")).await;
    assert_eq!(wrong(&neither).len(), 2, "{neither:?}");
    assert!(
        wrong(&neither).iter().all(|line| line.contains("nothing works without a valid key")),
        "{neither:?}"
    );
    let strange = check(API_KEY, ("strange", "strange")).await;
    assert!(wrong(&strange)[0].contains("they belong to two accounts"), "{strange:?}");
    outside.shutdown();
}

#[tokio::test]
async fn what_comes_of_a_keys_end_hangs_on_the_other_one() {
    let outside = Outside::start().await;
    outside.fivetran.add_user_key(SECOND.0, SECOND.1, true);
    let now = connect_card::clock::Clock::default().now();
    let day = |days: i64| (now + jiff::SignedDuration::from_hours(24 * days)).strftime("%F").to_string();
    let program = Program::against(&outside)
        .with("FIVETRAN_API_KEY_EXPIRES", &day(0))
        .with("FIVETRAN_API_KEY_2_EXPIRES", &day(-2))
        .with("FIVETRAN_API_KEY_2", SECOND.0)
        .with("FIVETRAN_API_SECRET_2", SECOND.1);
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for line in [
        &format!(
            "· Fivetran key FIVETRAN_API_KEY: expires today, {}; then the bot uses FIVETRAN_API_KEY_2",
            day(0)
        ),
        "· Fivetran key FIVETRAN_API_KEY_2: works, although by FIVETRAN_API_KEY_2_EXPIRES it expired on",
    ] {
        assert!(output.stdout.contains(line), "{line}: {output:?}");
    }
    outside.shutdown();
}

#[tokio::test]
async fn the_check_looks_on_whatever_is_answered_for_the_account() {
    let outside = Outside::start().await;
    let says = |status: u16, code: &str| Fault::Says(status, json!({ "code": code, "message": "Words" }));
    for fault in [
        says(400, "InvalidInput"),
        says(402, "PaymentRequired"),
        Fault::Status(404),
        Fault::Throttled { retry_after: None },
        Fault::Status(500),
        Fault::Redirect("https://portal.example.com/".to_owned()),
        Fault::Instead("[]"),
    ] {
        outside.fivetran.faults(|faults| faults.fail_always("account", fault.clone()));
        let output = Program::against(&outside).run(&["check"]).await;
        let lines = wrong(&output);
        assert_eq!((output.code, lines.len()), (1, 1), "{fault:?}: {output:?}");
        assert!(lines[0].contains("Fivetran account: cannot be looked at"), "{output:?}");
        assert!(!lines[0].contains("not reachable"), "{output:?}");
        for further in
            ["destination sandbox_group: “", "connections in sandbox_group: can be created", "catalogue: "]
        {
            assert!(output.stdout.contains(&format!("✓ Fivetran {further}")), "{fault:?}: {output:?}");
        }
    }
    outside.shutdown();
}

#[tokio::test]
async fn the_check_says_what_came_of_trying_to_create() {
    let outside = Outside::start().await;
    let says = |status: u16, code: &str| Fault::Says(status, json!({ "code": code, "message": "Words" }));
    for (fault, sign, words) in [
        (says(402, "PaymentRequired"), '✗', "has to put its plan or its bills in order"),
        (says(404, "NotFound_Group"), '✗', "cannot be created, so no link can be made"),
        (Fault::Status(500), '·', "not clear whether they can be created. It was tried: "),
    ] {
        outside.fivetran.faults(|faults| faults.fail_always("create_connection", fault));
        let output = Program::against(&outside).run(&["check"]).await;
        assert_eq!(output.code, i32::from(sign == '✗'), "{output:?}");
        let line = output.stdout.lines().find(|line| line.contains(words));
        assert!(line.is_some_and(|line| line.starts_with(sign)), "{words}: {output:?}");
    }
    outside.shutdown();
}

#[tokio::test]
async fn a_user_whose_role_is_a_destinations_passes_the_check() {
    let outside = Outside::start().await;
    outside.fivetran.chaos("fivetran-account-not-readable", Lasts::UntilHealed);
    let output = Program::against(&outside).run(&["check"]).await;
    assert_eq!((output.code, wrong(&output)), (0, vec![]), "{output:?}");
    assert!(output.stdout.contains("· Fivetran account: the key may not read it"), "{output:?}");
    outside.shutdown();
}

#[tokio::test]
async fn a_key_that_is_about_to_expire_is_told() {
    let outside = Outside::start().await;
    let fivetran = &outside.fivetran;
    let body = json!({
        "name": "connect_card", "permissions": permissions(), "expiration_period": "ONE_WEEK",
    });
    let (key, secret) = fivetran.create_system_key(&body).unwrap();
    let program =
        Program::against(&outside).with("FIVETRAN_API_KEY", &key).with("FIVETRAN_API_SECRET", &secret);
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("· Fivetran key: Fivetran does not tell when it expires"), "{output:?}");

    let soon = connect_card::clock::Clock::default().now() + jiff::SignedDuration::from_hours(5 * 24 + 1);
    let program = program.with("FIVETRAN_API_KEY_EXPIRES", &soon.strftime("%F").to_string());
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains(&format!("expires on {}, with ", soon.strftime("%F"))), "{output:?}");

    // Where Fivetran does tell it, its word counts.
    fivetran.show_system_keys_to_themselves();
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("with 6 days left"), "{output:?}");
    let port = crate::harness::free_port();
    let process = program.with("METRICS_ADDR", &format!("127.0.0.1:{port}")).start().await;
    crate::harness::until("the log line", async || {
        process.log().contains("the Fivetran key expires soon").then_some(())
    })
    .await;
    let page = crate::harness::client().get(format!("http://127.0.0.1:{port}/metrics")).send().await.unwrap();
    let page = page.text().await.unwrap();
    let series = "connect_card_fivetran_key_expires_timestamp_seconds{key=\"FIVETRAN_API_KEY\"} ";
    assert!(page.contains(series), "{page}");
    assert!(!process.stop().await.contains(&secret));
    outside.shutdown();
}
