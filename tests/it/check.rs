//! `connect-card check`: a line for everything that the bot needs, with what to do, and nothing changed.

use std::os::unix::fs::{PermissionsExt as _, chown};

use expect_test::expect;
use stand_ins::fivetran::GROUP_ID;

use crate::harness::{Outside, Program};

#[tokio::test]
async fn check_ticks_everything_off_and_changes_nothing_outside() {
    let outside = Outside::start().await;
    let Outside { slack, fivetran } = &outside;
    let output = Program::against(&outside).run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let untried = |line: &str| line.starts_with("· PUBLIC_URL: not tried");
    let (lines, summary) = output.stdout.split_once("\n\n").unwrap();
    assert!(lines.lines().all(|line| line.starts_with("✓ ") || untried(line)), "{output:?}");
    assert!(summary.starts_with("All that could be tried is well."), "{output:?}");
    for part in [
        "configuration",
        "Fivetran key",
        "Sandbox Warehouse",
        "Slack token",
        "chat:write",
        "clock",
        "database",
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
    let refused = |call: &stand_ins::fivetran::Call| call.route == "create_connection" && call.status == 400;
    assert!(fivetran.calls().iter().all(|call| call.method == "GET" || refused(call)));
    assert!(fivetran.connections().is_empty() && slack.messages().is_empty());
}

#[tokio::test]
async fn check_names_what_is_wrong_with_its_remedy() {
    let outside = Outside::start().await;
    let slack = &outside.slack;
    for (name, value, words) in [
        ("FIVETRAN_API_KEY", "revoked", ["✗ Fivetran key", "FIVETRAN_API_SECRET"]),
        ("FIVETRAN_GROUP_ID", "no_such_group", ["✗ Fivetran destination no_such_group", "FIVETRAN_GROUP_ID"]),
        ("SLACK_BOT_TOKEN", "xoxb-revoked", ["✗ Slack token", "SLACK_BOT_TOKEN"]),
        ("DATABASE_URL", "sqlite:/nonexistent/bot.db", ["✗ database", "DATABASE_URL"]),
        ("PORT", "many", ["✗ PORT", "port number"]),
        (
            "FIVETRAN_API_URL",
            "http://127.0.0.1:9",
            [
                "✗ Fivetran key",
                "not reachable (no connection); check FIVETRAN_API_URL first, which is set; if it is right, check the network, DNS, the firewall and HTTPS_PROXY",
            ],
        ),
        (
            "SLACK_API_URL",
            "http://127.0.0.1:9",
            [
                "✗ Slack",
                "not reachable (no connection); check SLACK_API_URL first, which is set; if it is right, check the network, DNS, the firewall and HTTPS_PROXY",
            ],
        ),
        ("SLACK_API_URL", &slack.url(), ["✗ Slack", "is not Slack's API"]),
        ("RUST_LOG", "everything", ["✗ RUST_LOG", "connect_card=debug"]),
    ] {
        let output = Program::against(&outside).with(name, value).run(&["check"]).await;
        assert_eq!(output.code, 1, "{name}: {output:?}");
        let wrong: Vec<_> = output.stdout.lines().filter(|line| line.starts_with('✗')).collect();
        assert_eq!(wrong.len(), 1, "{name}: {output:?}");
        assert!(words.iter().all(|word| wrong[0].contains(word)), "{name}: {output:?}");
        assert!(!output.stdout.contains("revoked"), "{output:?}");
    }
    let odd = Program::against(&outside).with("RUST_LOG", "everything").run(&["check"]).await;
    assert_eq!(odd.stderr, "", "told once");
    let odd = Program::against(&outside).with("SLACK_SIGNING_SECRET", "odd").run(&["check"]).await;
    assert!(odd.stdout.contains("· Slack signing secret: not 32 hexadecimal digits"), "{odd:?}");
    slack.set_scopes(&["commands"]);
    let output = Program::against(&outside).run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("✗ Slack scopes: chat:write is missing"), "{output:?}");
}

/// Where nothing is set but a proxy that nobody can reach, no address of a test is to blame.
#[tokio::test]
async fn check_speaks_of_the_network_where_no_address_was_set() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).without("SLACK_API_URL").without("FIVETRAN_API_URL");
    let output = program.with("HTTPS_PROXY", "http://127.0.0.1:9").run(&["check"]).await;
    assert_eq!(output.code, 1, "{output:?}");
    let wrong: Vec<_> = output.stdout.lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(wrong.len(), 2, "{output:?}");
    for line in wrong {
        assert!(line.contains("check HTTPS_PROXY, and whether the proxy works"), "{output:?}");
    }
    assert!(!output.stdout.contains("_API_URL"), "{output:?}");
}

#[tokio::test]
async fn check_leaves_a_database_to_the_bot_and_says_so() {
    let outside = Outside::start().await;
    let program = Program::against(&outside);
    let names = || {
        let names = std::fs::read_dir(program.folder()).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains("bot.db isn't there yet; it will be made at the first start"),
        "{output:?}"
    );
    assert_eq!(names(), Vec::<String>::new());

    program.start().await.stop().await;
    let output = program.run(&["check"]).await;
    assert!(output.stdout.contains("✓ database: opens"), "{output:?}");

    // Only root can give a file away. What it would make beside it, its new owner could not use.
    std::fs::remove_file(program.folder().join("bot.db.lock")).unwrap();
    let given = chown(program.database(), Some(12_345), None).is_ok();
    let output = program.run(&["check"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let told = output.stdout.contains("bot.db belongs to user 12345, and this runs as root");
    assert_eq!((told, program.folder().join("bot.db.lock").exists()), (given, !given), "{output:?}");
}

#[tokio::test]
async fn check_notes_an_env_that_others_can_read_and_says_how_to_mend_it() {
    let program = Program::against(&Outside::start().await);
    let env = program.folder().join(".env");
    std::fs::write(&env, "LOG_FORMAT=text\n").unwrap();
    for (mode, told) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(&env, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = program.run(&["check"]).await;
        assert_eq!(output.code, 0, "{output:?}");
        let note = output.stdout.lines().find(|line| line.starts_with("· .env: "));
        assert_eq!(note.is_some_and(|line| line.ends_with("run: chmod 600 .env")), told, "{output:?}");
    }
}

#[tokio::test]
async fn check_sends_whoever_has_set_nothing_to_init() {
    let program = Program::bare();
    let ends = |output: &crate::harness::Output| {
        assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{output:?}");
        let (lines, summary) = output.stdout.split_once("\n\n").unwrap();
        assert!(summary.starts_with("Each ✗ must be fixed, and says how;"), "{output:?}");
        lines.lines().last().unwrap().to_owned()
    };
    let last = ends(&program.run(&["check"]).await);
    assert!(last.starts_with("· there is no .env in this folder; connect-card init asks"), "{last}");
    std::fs::write(program.folder().join(".env"), "PORT=3000\n").unwrap();
    let last = ends(&program.run(&["check"]).await);
    assert!(last.starts_with("· connect-card init asks for what is missing or wrong"), "{last}");
}

/// What the log would say of a refusal, the lines say.
#[tokio::test]
async fn check_says_everything_once() {
    let outside = Outside::start().await;
    let output = Program::against(&outside).with("SLACK_BOT_TOKEN", "xoxb-revoked").run(&["check"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (1, ""), "{output:?}");
    assert_eq!(output.stdout.matches("invalid_auth").count(), 1, "{output:?}");
}

/// What `check` says of a file `CONFIG`, besides how each channel names its schemas, and its exit code.
async fn told_of(outside: &Outside, text: &str) -> (i32, String) {
    let program = Program::against(outside).with("CONFIG", "customers.toml").without("FIVETRAN_GROUP_ID");
    std::fs::write(program.folder().join("customers.toml"), text).unwrap();
    let output = program.run(&["check"]).await;
    let is_of_config = |line: &&str| line.contains(" CONFIG: ") && !line.contains(" names its schemas by ");
    let lines = output.stdout.lines().filter(is_of_config);
    (output.code, lines.map(|line| format!("{line}\n")).collect())
}

fn prod() -> String {
    format!("[destinations.prod]\ngroup_id = \"{GROUP_ID}\"\n")
}

#[tokio::test]
async fn check_says_where_a_bundle_is_refused() {
    let outside = Outside::start().await;
    let text = prod()
        + "[bundles.crm]\nservices = [\"hubspot\"]\n\
           [bundles.onboarding]\nservices = [\"google_ads\", \"stripe\", \"hubspot\"]\n\
           [bundles.slip]\nservices = [\"stripe\", \"hubspott\"]\n\
           [channels.C1]\ncustomer = \"acme\"\n\
           [channels.C2]\ncustomer = \"globex\"\nservices = [\"stripe\", \"google_ads\"]\n\
           [channels.C3]\nschema = \"initech\"\nservices = [\"google_ads\", \"stripe\", \"hubspot\"]\n\
           [channels.C4]\ncustomer = \"hooli\"\nschema = \"{customer}\"\nservices = [\"google_ads\", \"stripe\", \"hubspot\"]\n";
    let (code, told) = told_of(&outside, &text).await;
    expect![[r#"
        · CONFIG: channels.C3 has the schema initech for every service: only one source fits in it, and the second is refused. A pattern such as "{customer}_{service}" gives each its own
        · CONFIG: channels.C4 has the pattern {customer} for every service: only one source fits in it, and the second is refused. A pattern such as "{customer}_{service}" gives each its own
        ✗ CONFIG: bundles.slip.services has hubspott, which Fivetran does not list: correct the id
        ✓ CONFIG: bundles.crm: a link can set up its one service
        ✓ CONFIG: bundles.onboarding: a link can set up each of its 3 services
        · CONFIG: bundles.crm is refused in channels.C2, whose services leave out hubspot
        · CONFIG: bundles.crm wants a customer in channels.C3, which has the schema initech for every service: type crm CUSTOMER there
        · CONFIG: bundles.onboarding is refused in channels.C2, whose services leave out hubspot
        · CONFIG: bundles.onboarding wants a customer in channels.C3, which has the schema initech for every service: type onboarding CUSTOMER there
        · CONFIG: bundles.onboarding is refused in channels.C4, whose pattern {customer} gives two of its services one name
        · CONFIG: and 3 more
    "#]].assert_eq(&told);
    assert_eq!(code, 1, "for the service that nobody has");
}

#[tokio::test]
async fn check_sends_whoever_mistyped_the_file_to_its_guide() {
    let outside = Outside::start().await;
    let program = Program::against(&outside).with("CONFIG", "customers.toml");
    std::fs::write(program.folder().join("customers.toml"), "[channels.C1]\nshema = \"acme\"\n").unwrap();
    let wrong = program.run(&["check"]).await;
    let lines: Vec<_> = wrong.stdout.lines().take(3).collect();
    assert_eq!(
        lines,
        [
            "✗ customers.toml: channels.C1.shema is not a known key: did you mean schema? Known here: schema, customer, destination, services, reminders, digest",
            "· docs/channels.md explains every key of the file that CONFIG names; correct it by hand",
            "",
        ]
    );
    let both = program.with("PORT", "many").run(&["check"]).await;
    assert!(both.stdout.contains("· docs/channels.md explains"), "{both:?}");
    assert!(both.stdout.contains("connect-card init asks for what is needed"), "{both:?}");
}

#[tokio::test]
async fn check_says_what_has_no_effect_and_what_has_to_be_typed_each_time() {
    let outside = Outside::start().await;
    outside.fivetran.add_group("calm_delta", "EU Lake");
    let text = prod()
        + "[destinations.eu]\ngroup_id = \"calm_delta\"\n\
           [channels.C1]\ncustomer = \"acme\"\nschema = \"acme_raw\"\nservices = [\"stripe\"]\n\
           [channels.C2]\ncustomer = \"globex\"\nschema = \"globex_{service}\"\n\
           [channels.C3]\ncustomer = \"initech\"\n";
    let (code, told) = told_of(&outside, &text).await;
    expect![[r#"
        · CONFIG: channels.C1: its customer, acme, isn't used, since the schema acme_raw has no {customer} in it
        · CONFIG: channels.C2: its customer, globex, isn't used, since the pattern globex_{service} has no {customer} in it
        · CONFIG: 2 destinations and no default: in a channel without one of its own, every command needs “to” and a name; set default_destination to spare people that
    "#]].assert_eq(&told);
    assert_eq!(code, 0);
    let (_, told) = told_of(&outside, &format!("default_destination = \"eu\"\n{text}")).await;
    assert!(!told.contains("no default"), "{told}");
}

#[tokio::test]
async fn check_knows_no_customer_whose_names_two_channels_give() {
    let outside = Outside::start().await;
    let watched = prod() + "watch = true\n";
    let channel = |id: &str, customer: &str| format!("[channels.{id}]\ncustomer = \"{customer}\"\n");
    let twice = watched + &channel("C1", "acme") + &channel("C2", "acme");
    let (_, told) = told_of(&outside, &twice).await;
    expect![[r#"
        · CONFIG: watch = true for prod, but nothing can be brought up: no names are one channel's alone
        · CONFIG: channels.C1 and channels.C2 give connections the same names, so these are nobody's and aren't brought up: a customer belongs to one channel
        · CONFIG: channels.C2 and channels.C1 give connections the same names, so these are nobody's and aren't brought up: a customer belongs to one channel
    "#]].assert_eq(&told);
    let (_, told) = told_of(&outside, &(twice + &channel("C3", "globex"))).await;
    let watches = "✓ CONFIG: watches prod for connections that were not requested here; one channel's customer is known\n";
    assert!(told.starts_with(watches) && told.contains("channels.C2 and channels.C1"), "{told}");
}
