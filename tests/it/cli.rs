//! What a shell gets from the binary: output, remarks and exit codes.

use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn, GROUP_ID};

use crate::harness::{Output, Outside, Program, Setup, token_of};

const EXAMPLE: [&str; 3] = ["link", "google_ads", "customer_schema"];

/// Only what `link` needs, as the README says.
fn linker(fivetran: &FivetranStandIn) -> Program {
    Program::bare()
        .with("FIVETRAN_API_URL", &fivetran.url())
        .with("FIVETRAN_API_KEY", API_KEY)
        .with("FIVETRAN_API_SECRET", API_SECRET)
        .with("FIVETRAN_GROUP_ID", GROUP_ID)
}

#[track_caller]
fn assert_link_alone(output: &Output, fivetran: &FivetranStandIn) {
    assert_eq!(output.code, 0, "{output:?}");
    let link = output.stdout.strip_suffix('\n').expect("a whole line");
    assert!(link.starts_with(&format!("{}/connect-card/setup?", fivetran.url())), "{output:?}");
    assert!(!link.contains(char::is_whitespace), "{output:?}");
    assert!(!output.stderr.contains(&token_of(link)), "{output:?}");
}

/// One line on standard error with all of these words, and nothing on standard output.
#[track_caller]
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(words.iter().all(|word| output.stderr.contains(word)), "{output:?}");
}

#[tokio::test]
async fn link_prints_the_link_alone() {
    let fivetran = Outside::start().await.fivetran;
    let output = linker(&fivetran).run(&EXAMPLE).await;
    assert_link_alone(&output, &fivetran);
    assert_eq!(output.stderr, "");
    assert_eq!(fivetran.connections().len(), 1);
}

#[tokio::test]
async fn link_prints_json_when_asked() {
    let fivetran = Outside::start().await.fivetran;
    let output = linker(&fivetran).run(&["link", "Google Ads", "customer_schema", "--json"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let object: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(object["connection_id"], fivetran.connections()[0]["id"]);
    assert_eq!((&object["service"], &object["schema"]), (&"google_ads".into(), &"customer_schema".into()));
    assert_eq!((&object["group_id"], &object["existed"]), (&GROUP_ID.into(), &false.into()));
    assert!(object["link"].as_str().unwrap().contains("/connect-card/setup?"));
    let expires: jiff::Timestamp = object["expires_at"].as_str().unwrap().parse().unwrap();
    let hours =
        (expires.as_second() - connect_card::clock::Clock::default().now().as_second()) as f64 / 3600.0;
    assert!((23.9..=24.0).contains(&hours), "{hours}");
}

#[tokio::test]
async fn link_takes_a_service_for_a_schema_if_it_is_in_quotes() {
    let fivetran = Outside::start().await.fivetran;
    let output = linker(&fivetran).run(&["link", "google_ads", "\"stripe\""]).await;
    assert_link_alone(&output, &fivetran);
    assert_eq!(fivetran.connections()[0]["schema"], "stripe");
}

#[tokio::test]
async fn link_remarks_on_a_retired_name_beside_the_link() {
    let fivetran = Outside::start().await.fivetran;
    let output = linker(&fivetran).run(&["link", "adwords", "customer_schema"]).await;
    assert_link_alone(&output, &fivetran);
    assert!(output.stderr.contains("adwords is now called google_ads"), "{output:?}");
}

#[tokio::test]
async fn link_makes_a_fresh_link_for_what_is_connected_already_and_says_so() {
    let fivetran = Outside::start().await.fivetran;
    let _ = fivetran.seed_connection("google_ads", "customer_schema", "connected");
    let output = linker(&fivetran).run(&EXAMPLE).await;
    assert_link_alone(&output, &fivetran);
    assert!(output.stderr.contains("already existed"), "{output:?}");
    assert_eq!(fivetran.connections().len(), 1);
}

#[tokio::test]
async fn link_and_the_bot_reach_the_same_connection() {
    let setup = Setup::new().await;
    let output = linker(&setup.fivetran).run(&[&EXAMPLE[..], &["--json"]].concat()).await;
    let made: Value = serde_json::from_str(&output.stdout).unwrap();
    let id = made["connection_id"].as_str().unwrap();
    let bot = setup.start().await;
    bot.send("google_ads customer_schema").await;
    bot.message(1).await;
    let again = linker(&bot.fivetran).run(&[&EXAMPLE[..], &["--json"]].concat()).await;
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["connection_id"], &again["existed"]), (&made["connection_id"], &true.into()));
    let calls = bot.api_calls();
    let minted = calls.iter().filter(|call| call.route == "connect_card");
    assert_eq!(minted.filter(|call| call.path.contains(id)).count(), 2, "once by each");
    assert_eq!(bot.fivetran.connections().len(), 1);
    bot.finish_with_link().await;
}

#[tokio::test]
async fn link_refuses_in_one_line_that_names_the_remedy() {
    let fivetran = Outside::start().await.fivetran;
    let wrong = linker(&fivetran).with("FIVETRAN_API_KEY", "revoked");
    assert_refused(&wrong.run(&EXAMPLE).await, 1, &["rejected the API key", "FIVETRAN_API_KEY"]);
    let nowhere = linker(&fivetran).with("FIVETRAN_GROUP_ID", "no_such_group");
    assert_refused(&nowhere.run(&EXAMPLE).await, 1, &["FIVETRAN_GROUP_ID"]);
    let _ = fivetran.seed_connection("hubspot", "customer_schema", "incomplete");
    assert_refused(&linker(&fivetran).run(&EXAMPLE).await, 1, &["HubSpot", "customer_schema_2"]);
    assert_eq!(fivetran.connections().len(), 1);
}

#[tokio::test]
async fn link_explains_what_cannot_be_meant_without_calling_fivetran() {
    let fivetran = Outside::start().await.fivetran;
    let program = linker(&fivetran);
    for (arguments, words) in [
        (vec!["link", "gogle_ads", "x"], ["Did you mean google_ads", "Try: connect-card link google_ads x"]),
        (vec!["link", "google_ads", "Customer-Schema"], ["capital letters", "customer_schema"]),
        (vec!["link", "google_ads", "stripe"], ["“stripe” is a service too", "link google_ads '\"stripe\"'"]),
        (vec!["link", "google_ads", "status"], ["one of my commands", "link google_ads '\"status\"'"]),
        (vec!["link", "google_ads,stripe", "acme"], ["One link is made at a time", "link google_ads SCHEMA"]),
        (vec!["link", "google_sheets", "budget"], ["one table", "budget.google_sheets"]),
        (vec!["link", "google_ads", "x", "--destination", "nowhere"], ["nowhere", "Leave out --destination"]),
    ] {
        assert_refused(&program.run(&arguments).await, 2, &words);
    }
    assert!(fivetran.calls().iter().all(|call| call.route == "connector_types"), "{:#?}", fivetran.calls());
    for arguments in [&["link", "google_ads"][..], &[], &["nonsense"], &["serve", "--port", "1"]] {
        assert_eq!(program.run(arguments).await.code, 2, "{arguments:?}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_all_at_once() {
    let output = Program::bare().run(&EXAMPLE).await;
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
    let named: Vec<_> = output.stderr.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(named, ["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET", "FIVETRAN_GROUP_ID"]);
    let output = Program::bare().run(&["serve"]).await;
    assert_eq!(output.code, 2, "{output:?}");
    for name in ["PUBLIC_URL", "SLACK_SIGNING_SECRET", "FIVETRAN_API_KEY", "FIVETRAN_GROUP_ID"] {
        assert!(output.stderr.lines().any(|line| line.starts_with(name)), "{name}: {output:?}");
    }
}

#[tokio::test]
async fn variables_come_from_dotenv_and_files_and_an_empty_one_is_unset() {
    let fivetran = Outside::start().await.fivetran;
    let program = linker(&fivetran).without("FIVETRAN_API_KEY").without("FIVETRAN_API_SECRET");
    let secret = program.folder().join("api-secret");
    std::fs::write(&secret, format!("{API_SECRET}\n")).unwrap();
    std::fs::write(
        program.folder().join(".env"),
        format!("# the key\nFIVETRAN_API_KEY='{API_KEY}'\nFIVETRAN_API_SECRET_FILE={}\n", secret.display()),
    )
    .unwrap();
    assert_link_alone(&program.run(&EXAMPLE).await, &fivetran);

    // The environment is stronger than the file, but an empty variable is none.
    let wrong = program.with("FIVETRAN_API_KEY", "revoked");
    assert_refused(&wrong.run(&EXAMPLE).await, 1, &["FIVETRAN_API_KEY"]);
    let empty = wrong.with("FIVETRAN_API_KEY", "").with("CONNECT_CARD_REDIRECT_URL", " ");
    assert_link_alone(&empty.run(&EXAMPLE).await, &fivetran);

    let both = empty.with("FIVETRAN_API_SECRET", API_SECRET);
    assert_refused(&both.run(&EXAMPLE).await, 2, &["FIVETRAN_API_SECRET", "keep one of the two"]);
}

/// A secret with a `$` was once sent up to there.
#[tokio::test]
async fn a_value_of_dotenv_reaches_fivetran_as_it_is_written() {
    let fivetran = Outside::start().await.fivetran;
    let whole = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{API_KEY}:{API_SECRET}"));
    let program = linker(&fivetran).without("FIVETRAN_API_KEY").without("FIVETRAN_API_SECRET");
    let env = program.folder().join(".env");
    let url = format!("{}/v1/", fivetran.url());
    std::fs::write(&env, format!("\u{FEFF}export FIVETRAN_API_KEY={whole} # both\r\n")).unwrap();
    let program = program.with("FIVETRAN_API_URL", &url);
    assert_link_alone(&program.run(&EXAMPLE).await, &fivetran);

    for (line, reason) in [
        ("FIVETRAN_API_SECRET='cana'ry", "has something behind the closing quote"),
        ("FIVETRAN_API_SECRET=#canary", "has a # right after the ="),
        ("canary", "is not NAME=value"),
    ] {
        std::fs::write(&env, format!("FIVETRAN_API_KEY={API_KEY}\n{line}\n")).unwrap();
        assert_refused(&program.run(&EXAMPLE).await, 2, &[".env: line 2", reason]);
    }
    let quoted = program.with("FIVETRAN_API_SECRET", &format!("'{API_SECRET}'"));
    std::fs::write(&env, format!("FIVETRAN_API_KEY={API_KEY}\n")).unwrap();
    assert_refused(&quoted.run(&EXAMPLE).await, 2, &["FIVETRAN_API_SECRET begins and ends with a quote"]);
}

#[tokio::test]
async fn help_says_where_settings_come_from_and_nothing_of_a_port_that_nobody_can_use() {
    let program = Program::bare();
    for task in [None, Some("serve"), Some("check"), Some("link"), Some("key-policy")] {
        let arguments: Vec<_> = task.into_iter().chain(["--help"]).collect();
        let output = program.run(&arguments).await;
        assert_eq!(output.code, 0, "{output:?}");
        for word in ["environment", ".env in this folder", "CONFIG", "README.md", "docs/channels.md"] {
            assert!(output.stdout.contains(word), "{word}: {output:?}");
        }
    }
    let sandbox = program.run(&["sandbox", "--help"]).await;
    assert!(sandbox.stdout.contains("a free one") && !sandbox.stdout.contains("default: 0"), "{sandbox:?}");
    assert!(sandbox.stdout.contains("needs no settings"), "{sandbox:?}");
    let manifest = program.run(&["manifest", "--help"]).await;
    assert!(manifest.stdout.contains("e.g. https://") && !manifest.stdout.contains('`'), "{manifest:?}");
}

/// A filter that is meant for something else must not hide why the bot does not start.
#[tokio::test]
async fn no_filter_silences_why_the_bot_does_not_start() {
    for filter in ["connect-card=debug", "hyper=debug", "off"] {
        let program = Program::against(&Outside::start().await).with("RUST_LOG", filter);
        let program = program.with("DATABASE_URL", "sqlite:/nonexistent/folder/bot.db");
        let output = program.run(&["serve"]).await;
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains("/nonexistent/folder"), "{filter}: {output:?}");
    }
}

#[tokio::test]
async fn the_manifest_is_what_slack_takes() {
    let program = Program::bare();
    let example = program.run(&["manifest", "--public-url", "https://connect-card.example.com"]).await;
    assert_eq!((example.code, example.stderr.as_str()), (0, ""), "{example:?}");
    let file = include_str!("../../manifest.yml");
    let how = file.lines().find(|line| line.contains("--public-url")).unwrap();
    assert_eq!(example.stdout, file.replace(&format!("{how}\n"), ""));

    let output = program.run(&["manifest", "--public-url", "https://bot.test/slack-bot/"]).await;
    let manifest: Value = serde_saphyr::from_str(&output.stdout).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../fixtures/slack-manifest.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<_> = validator.iter_errors(&manifest).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
    let mut broken = manifest.clone();
    broken["settings"]["no_such_setting"] = true.into();
    assert!(!validator.is_valid(&broken), "the schema is in force");

    let scopes = &manifest["oauth_config"]["scopes"];
    let optional = ["users:read", "usergroups:read", "files:write", "channels:read", "groups:read"];
    assert_eq!(scopes["bot_optional"], serde_json::json!(optional));
    // What is optional has to be among what is asked for.
    let all = [&["commands", "chat:write"], &optional[..]].concat();
    assert_eq!(scopes["bot"], serde_json::json!(all));
    assert_eq!(manifest["features"]["app_home"]["messages_tab_enabled"], true);
    assert_eq!(manifest["features"]["app_home"]["home_tab_enabled"], true);
    let events = &manifest["settings"]["event_subscriptions"];
    assert_eq!(events["request_url"], "https://bot.test/slack-bot/slack/events");
    assert_eq!(events["bot_events"], serde_json::json!(["app_home_opened"]));
    assert_eq!(manifest["settings"]["token_rotation_enabled"], false);
    let command = &manifest["features"]["slash_commands"][0];
    assert_eq!(command["url"], "https://bot.test/slack-bot/slack/commands");
    assert_eq!(command["command"], "/connect-card");
    let interactivity = &manifest["settings"]["interactivity"];
    assert_eq!(interactivity["request_url"], "https://bot.test/slack-bot/slack/interactivity");
    assert!(!output.stdout.contains("example"), "{output:?}");

    let neither = program.run(&["manifest"]).await;
    assert_eq!((neither.code, neither.stdout.as_str()), (2, ""), "{neither:?}");
    for way in ["--public-url <URL>", "--socket-mode"] {
        assert!(neither.stderr.contains(way), "{neither:?}");
    }
    for url in ["bot.test", "http://bot.test", "https://bot.test/?x=1", "ftp://bot.test", ""] {
        let output = program.run(&["manifest", "--public-url", url]).await;
        assert_refused(&output, 2, &["--public-url"]);
    }
}

#[tokio::test]
async fn the_sandbox_needs_nothing_and_shows_the_link() {
    let program = Program::bare();
    let output = program.run(&["sandbox", "--once", "/connect-card adwords customer_schema"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    for part in [
        "POST /v1/connections -> 201",
        "Everyone in #customer-acme sees",
        "customer_schema",
        "↳ http://127.0.0.1:",
        "To play the customer",
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
    assert_eq!(output.stdout.matches("auth=").count(), 1, "the link is there once");
    let unslashed = program.run(&["sandbox", "--once", "connect-card adwords x"]).await;
    assert_refused(&unslashed, 2, &["starts with a slash"]);
    let several = "/connect-card google_ads acme_ads, stripe acme_stripe";
    let several = program.run(&["sandbox", "--once", several]).await;
    assert_eq!((several.code, several.stderr.as_str()), (0, ""), "{several:?}");
    assert!(
        several.stdout.contains("[ Connect Stripe ]") && !several.stdout.contains("auth="),
        "{several:?}"
    );
    let nonsense = program.run(&["sandbox", "--once", "/connect-card nonsense x"]).await;
    assert_eq!(nonsense.code, 1, "{nonsense:?}");
    assert!(
        nonsense.stdout.contains("I don't know a service") && !nonsense.stdout.contains("auth="),
        "{nonsense:?}"
    );
    for (typed, shown) in [
        ("/connect-card doctor", "Everything looks fine."),
        ("/connect-card list", "links in this channel"),
        ("/connect-card google_ads, stripe acme", "acme_stripe"),
        ("/connect-card", "A form opens for U0ALICE"),
    ] {
        let looked = program.run(&["sandbox", "--once", typed]).await;
        assert_eq!((looked.code, looked.stderr.as_str()), (0, ""), "{typed}: {looked:?}");
        assert!(looked.stdout.contains(shown) && !looked.stdout.contains('✗'), "{typed}: {}", looked.stdout);
    }
    assert_eq!(std::fs::read_dir(program.folder()).unwrap().count(), 0, "nothing is left in the folder");
}

#[tokio::test]
async fn the_sandbox_knows_from_the_first_command_on_what_its_fivetran_has() {
    let program = Program::bare();
    for _ in 0..3 {
        // The built-in catalogue has it, and the stand-in's doesn't.
        let looked = program.run(&["sandbox", "--once", "/connect-card services ramp"]).await;
        assert!(looked.stdout.contains("No service matches “ramp”"), "{}", looked.stdout);
    }
}

#[tokio::test]
async fn the_sandbox_draws_a_form_as_one_and_names_the_channel() {
    let shown = Program::bare().run(&["sandbox", "--once", "/connect-card"]).await.stdout;
    for part in [
        "The link will appear in #customer-acme",
        "[ … ]  such as customer_schema",
        "[ Type part of a name ▾ ]",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("C0CUSTOMER"), "{shown}");
}

#[tokio::test]
async fn several_sources_are_played_by_typing() {
    let typed = "/connect-card google_ads, stripe acme\npress 1\nquit\n";
    let output = Program::bare().run_typing(&["sandbox"], typed).await;
    for words in
        ["[Create both]: type press 1", "[Connect Google Ads]: type press", "[Connect Stripe]: type press"]
    {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }
}

/// A transcript without what differs from run to run: the link, the reference, the time, the pace.
fn without_chance(transcript: &str) -> Vec<String> {
    let (link, reference, pace) = ("  ↳ ", "Ref `", "200 after ");
    transcript
        .lines()
        .map(|line| {
            let mut line = line.to_owned();
            for (before, kept) in [(link, ""), (reference, "`"), (pace, " ms"), ("Works until ", " UTC")] {
                if let Some((start, rest)) = line.clone().split_once(before) {
                    let end = if kept.is_empty() { "" } else { rest.find(kept).map_or("", |at| &rest[at..]) };
                    line = format!("{start}{before}…{end}");
                }
            }
            line
        })
        .collect()
}

#[tokio::test]
async fn the_manual_shows_what_the_sandbox_prints() {
    let output = Program::bare().run(&["sandbox", "--once", "/connect-card adwords customer_schema"]).await;
    let manual = include_str!("../../docs/sandbox.md");
    let shown = manual.split("```").find(|block| block.contains("U0ALICE types in")).unwrap();
    assert_eq!(without_chance(shown.trim()), without_chance(output.stdout.trim()));
}

#[tokio::test]
async fn buttons_are_pressed_in_the_sandbox_by_typing() {
    let typed = "/connect-card customer google_ads\npress 2\npress 1\nquit\n";
    let output = Program::bare().run_typing(&["sandbox"], typed).await;
    assert_eq!(output.code, 0, "{}", output.stderr);
    for words in [
        "[Use google_ads customer]: type press 1",
        "There's no button with that number.",
        "U0ALICE presses [Use google_ads customer] in #customer-acme.",
        "Everyone in #customer-acme sees:",
    ] {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }
}

#[tokio::test]
async fn the_sandbox_ends_when_told_so_and_shows_everything_until_then() {
    let program = Program::bare();
    std::fs::write(program.folder().join(".env"), "RUST_LOG=trace\nLOG_FORMAT=json\nnot a line\n").unwrap();
    for end in ["quit\n", "exit\n", ""] {
        let typed = format!("/connect-card adwords acme\nwhat now\n{end}");
        let output = program.run_typing(&["sandbox"], &typed).await;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        for part in [
            "SLACK_API_URL=http://127.0.0.1:",
            "FIVETRAN_API_SECRET=",
            "FIVETRAN_GROUP_ID=",
            "Fivetran was asked: POST /v1/connections -> 201",
            "[ Connect Google Ads ]",
            "starts with a slash",
            "What you can type",
        ] {
            assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
        }
    }
}

#[tokio::test]
async fn a_closed_pipe_ends_nothing_in_a_panic() {
    let program = Program::against(&Outside::start().await);
    for arguments in [
        &["check"][..],
        &EXAMPLE,
        &["manifest", "--public-url", "https://bot.test"],
        &["sandbox", "--once", "/x help"],
    ] {
        let stderr = program.run_into_closed_pipe(arguments).await;
        assert_eq!(stderr, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn link_says_at_once_that_fivetran_is_out_of_reach() {
    let fivetran = Outside::start().await.fivetran;
    let program = linker(&fivetran).with("FIVETRAN_API_URL", "http://127.0.0.1:9");
    let output = program.run(&EXAMPLE).await;
    // Not for the minute that it would wait for a Fivetran that answers at all.
    let pauses = output
        .stderr
        .lines()
        .filter_map(|line| line.split_once("trying again in ")?.1.strip_suffix(" s")?.parse::<u64>().ok());
    let pauses: Vec<_> = pauses.collect();
    assert!(!pauses.is_empty() && pauses.iter().sum::<u64>() <= 12, "{output:?}");
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    let last = output.stderr.lines().last().unwrap();
    assert!(
        last.contains("not reachable (no connection) at http://127.0.0.1:9; nothing was created"),
        "{last}"
    );
}

#[tokio::test]
async fn link_says_what_it_waits_for() {
    let conflict = json!({"code": "Conflict", "message": "The destination is being migrated"});
    let told = async |fault: Fault, words: &str| {
        let fivetran = Outside::start().await.fivetran;
        fivetran.faults(|faults| faults.fail_next("create_connection", fault, 1));
        let output = linker(&fivetran).run(&EXAMPLE).await;
        let waits = output.stderr.lines().find(|line| line.contains("; trying again in "));
        assert!(waits.is_some_and(|line| line.contains(words)), "{words}: {output:?}");
        assert!(!output.stderr.contains("the log"), "{output:?}");
    };
    tokio::join!(
        told(Fault::Says(409, conflict), "refused to make the connection"),
        told(Fault::Page(403, "<html>"), "something other than Fivetran answers"),
        told(Fault::Throttled { retry_after: Some("1".to_owned()) }, "rate limit"),
    );
}

#[tokio::test]
async fn link_says_in_a_shell_what_can_be_done_there() {
    let fivetran = Outside::start().await.fivetran;
    fivetran.faults(|faults| faults.fail_always("create_connection", Fault::Elsewhere(302)));
    let output = linker(&fivetran).run(&EXAMPLE).await;
    assert_refused(&output, 1, &["redirects me", "check FIVETRAN_API_URL first, which is set"]);
    assert!(!output.stderr.contains("the log"), "{output:?}");
}

/// As in Slack, where the live catalogue is in force.
#[tokio::test]
async fn link_makes_nothing_that_fivetran_says_a_link_cannot_set_up() {
    let fivetran = Outside::start().await.fivetran;
    let row = |id: &str, name: &str, feature: &str| json!({"id": id, "name": name, "supported_features": [{"id": feature}]});
    let rows = [row("google_ads", "Google Ads", "API_CONFIGURABLE"), row("stripe", "Stripe", "RE_SYNC")];
    let catalogue = json!({"code": "Success", "data": rows});
    fivetran.faults(|faults| faults.fail_always("connector_types", Fault::Says(200, catalogue)));
    let output = linker(&fivetran).run(&["link", "stripe", "customer_schema"]).await;
    assert_refused(&output, 2, &["Stripe"]);
    assert_eq!(fivetran.calls_to("create_connection"), 0, "{output:?}");
}

#[tokio::test]
async fn the_bots_own_page_is_the_landing_of_a_link_where_there_is_a_bot() {
    let fivetran = Outside::start().await.fivetran;
    let program = linker(&fivetran).with("PUBLIC_URL", "https://bot.test/");
    assert_link_alone(&program.run(&EXAMPLE).await, &fivetran);
    let call = fivetran.calls().into_iter().find(|call| call.route == "create_connection").unwrap();
    assert_eq!(call.body["connect_card_config"]["redirect_uri"], "https://bot.test/connected/link");
}
