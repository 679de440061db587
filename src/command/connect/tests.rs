//! Tests of how the words are read.

mod by_pattern;

use super::*;
use crate::command::bundle::NO_BUNDLES;
use crate::command::naming::Schema;
use crate::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
use crate::command::surface::Surface;
use crate::command::{Command, LITTLE_WORDS, asks_for_help, hangs_on_the_catalogue, parse as parse_text};
use crate::fivetran::catalog::Obstacle;

fn destinations() -> Destinations {
    Destinations {
        default_group: Some("default_group".to_owned()),
        named: [("staging".to_owned(), "staging_group".to_owned())].into(),
        ..Destinations::default()
    }
}

fn read_in(channel: &ChannelDefaults, catalog: &Catalog, typed: &str) -> Result<Request, UsageError> {
    let destinations = destinations();
    let vocabulary = Vocabulary {
        slash: Surface::of("/connect-card"),
        catalog,
        destinations: &destinations,
        channel,
        bundles: &NO_BUNDLES,
    };
    match parse_text(typed, &vocabulary)? {
        Command::Connect(request) => Ok(request),
        _ => panic!("{typed} is another verb"),
    }
}

fn read(typed: &str) -> Result<Request, UsageError> {
    read_in(&NO_DEFAULTS, &Catalog::built_in(), typed)
}

#[test]
fn what_people_type_is_understood() {
    for typed in [
        "google_ads customer_schema",
        "  google_ads \t customer_schema ",
        "google_ads\u{a0}customer_schema",
        "\u{201C}google_ads\u{201D} \u{2018}customer_schema\u{2019}",
        "Google Ads customer_schema",
        "GOOGLE_ADS customer_schema",
        "google-ads customer_schema",
        "\u{200B}google_ads\u{200E} customer_schema\u{FEFF}",
        "`google_ads customer_schema`",
        "\"Google Ads\" 'customer_schema'",
    ] {
        let request = read(typed).unwrap_or_else(|error| panic!("{typed}: {error:?}"));
        assert_eq!(request.service.as_str(), "google_ads", "{typed}");
        assert_eq!(request.target.connection_name(), "customer_schema", "{typed}");
        assert_eq!(request.retired, None, "{typed}");
        assert_eq!(request.group_id, "default_group");
    }
}

#[test]
fn the_retired_name_leads_to_its_successor_and_is_remembered() {
    let request = read("adwords customer_schema").unwrap();
    assert_eq!(request.service.as_str(), "google_ads");
    assert_eq!(request.retired.as_deref(), Some("adwords"));
    let live = Catalog::from_live([("adwords".to_owned(), "Google AdWords".to_owned(), None)]).unwrap();
    let request = read_in(&NO_DEFAULTS, &live, "adwords customer_schema").unwrap();
    assert_eq!((request.service.as_str(), request.retired), ("adwords", None));
}

#[test]
fn a_service_without_a_schema_is_told_apart_from_a_schema() {
    for typed in ["google_ads", "Google Ads", "adwords"] {
        assert!(
            matches!(read(typed), Err(UsageError::SchemaMissing(service)) if service.id.as_str() == "google_ads"),
            "{typed}"
        );
    }
    assert!(matches!(read(""), Err(UsageError::Incomplete)));
    assert!(matches!(read("nonsense"), Err(UsageError::UnknownService { .. })));
}

#[test]
fn tables_are_wanted_where_the_service_wants_them() {
    assert!(read("google_sheets acme.budget").is_ok());
    assert!(matches!(read("google_sheets acme"), Err(UsageError::Misfit { .. })));
    assert!(matches!(read("google_ads acme.budget"), Err(UsageError::Misfit { .. })));
}

#[test]
fn bad_names_come_back_with_the_nearest_good_one() {
    match read("google_ads Customer-Schema") {
        Err(UsageError::BadName { name, .. }) => {
            assert_eq!(name.nearest.as_deref(), Some("customer_schema"))
        }
        other => panic!("{other:?}"),
    }
    for hostile in ["<!channel>", "@here", "a&b", "x'; drop table command; --", &"x".repeat(4096), "ａｃｍｅ"]
    {
        assert!(read(&format!("google_ads {hostile}")).is_err(), "{hostile}");
    }
}

#[test]
fn a_quote_within_a_schema_is_never_dropped_in_silence() {
    for typed in ["google_ads customer's_schema", "google_ads customer\u{2019}s_schema"] {
        match read(typed) {
            Err(UsageError::BadName { name, .. }) => {
                assert_eq!(name.nearest.as_deref(), Some("customer_s_schema"), "{typed}")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn help_is_asked_for_in_many_words_and_scouts_are_no_help() {
    let (catalog, destinations) = (Catalog::built_in(), destinations());
    let vocabulary = Vocabulary {
        slash: Surface::of("/connect-card"),
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    for typed in ["help", "help me", "HELP please now", "?", "-h"] {
        let command = parse_text(typed, &vocabulary);
        assert_eq!(command, Ok(Command::Help), "{typed}");
    }
    assert_eq!(read("help scout acme").unwrap().service.as_str(), "helpscout");
}

#[test]
fn a_destination_is_one_of_those_configured() {
    assert_eq!(read("google_ads acme to staging").unwrap().group_id, "staging_group");
    match read("google_ads acme to nowhere") {
        Err(UsageError::UnknownDestination { typed, known, .. }) => {
            assert_eq!((typed.as_str(), known), ("nowhere", vec!["staging".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
}

fn acme() -> ChannelDefaults {
    ChannelDefaults {
        schema: Some(Schema::parse("acme").unwrap()),
        customer: None,
        destination: Some("staging".to_owned()),
        services: ["google_ads", "google_sheets", "brand_new"].map(|id| ServiceId::parse(id).unwrap()).into(),
        reminders: false,
        digest: None,
    }
}

#[test]
fn what_is_left_out_is_the_channels() {
    let catalog = Catalog::built_in();
    let read = |typed: &str| read_in(&acme(), &catalog, typed);
    for typed in ["google_ads", "Google Ads", "adwords"] {
        let request = read(typed).unwrap();
        assert_eq!((request.service.as_str(), request.target.schema.as_str()), ("google_ads", "acme"));
        assert_eq!(
            (request.group_id.as_str(), request.destination.as_deref()),
            ("staging_group", Some("staging"))
        );
    }
    assert_eq!(read("google_ads other").unwrap().target.connection_name(), "other");
    assert_eq!(read("google_sheets acme.budget").unwrap().target.connection_name(), "acme.budget");
    assert!(matches!(read("google_sheets"), Err(UsageError::Misfit { .. })));
    assert!(matches!(read("nonsense"), Err(UsageError::UnknownService { .. })));
    assert_eq!(read("google_ads to STAGING").unwrap().destination.as_deref(), Some("staging"));
    match read("google_ads to nowhere") {
        Err(UsageError::UnknownDestination { typed, .. }) => assert_eq!(typed, "nowhere"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_that_the_channel_does_not_allow_is_told_before_its_schema() {
    for typed in ["stripe", "stripe acme", "Stripe Not-A-Schema"] {
        match read_in(&acme(), &Catalog::built_in(), typed) {
            Err(UsageError::ServiceNotAllowed { service, allowed }) => {
                assert_eq!(service.id.as_str(), "stripe");
                let names: Vec<_> = allowed.iter().map(|service| service.name.as_str()).collect();
                assert_eq!(names, ["Google Ads", "Google Sheets", "brand_new"]);
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn a_service_that_a_link_cannot_set_up_is_told_before_anything_is_created() {
    for (typed, expected) in [
        ("connector_sdk acme", Obstacle::OwnCode),
        ("connector_sdk", Obstacle::OwnCode),
        ("AWS Lambda acme", Obstacle::Function),
        ("azure_function acme", Obstacle::Function),
        ("google_cloud_function acme", Obstacle::Function),
        ("oracle_hva acme", Obstacle::Agent),
        ("sql_server_sap_ecc_hva acme", Obstacle::Agent),
        ("fivetran_log acme", Obstacle::Automatic),
    ] {
        match read(typed) {
            Err(UsageError::NotByLink { obstacle, .. }) => assert_eq!(obstacle, expected, "{typed}"),
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn a_little_word_is_never_a_schema() {
    for word in LITTLE_WORDS {
        for typed in
            [format!("google_ads {word}"), format!("Google Ads {word} to"), format!("adwords {word}")]
        {
            assert!(
                matches!(read(&typed), Err(UsageError::SchemaMissing(service)) if service.id.as_str() == "google_ads"),
                "{typed}"
            );
        }
        match read(&format!("google_ads acme {word}")) {
            Err(UsageError::Dangling { instead, known, .. }) => {
                assert_eq!(
                    (instead.as_deref(), known),
                    (Some("google_ads acme"), vec!["staging".to_owned()])
                );
            }
            other => panic!("{word}: {other:?}"),
        }
        match read(&format!("google_ads {word} acme")) {
            Err(UsageError::SchemaBehindWord { instead, .. }) => {
                assert_eq!(instead.as_deref(), Some("google_ads acme"), "{word}");
            }
            other => panic!("{word}: {other:?}"),
        }
        match read_in(&acme(), &Catalog::built_in(), &format!("google_ads {word}")) {
            Err(UsageError::Dangling { instead, .. }) => assert_eq!(instead.as_deref(), Some("google_ads")),
            other => panic!("{word}: {other:?}"),
        }
    }
    for arrow in ["->", "→", "-", ":"] {
        assert_eq!(read(&format!("google_ads {arrow} acme")).unwrap().target.connection_name(), "acme");
    }
    // A little word within a name is a part of it.
    assert!(
        matches!(read("db2 for i acme"), Err(UsageError::NotByLink { service, .. }) if service.id.as_str() == "db2i_hva")
    );
}

#[test]
fn a_destination_may_follow_other_words_than_to() {
    for word in TO {
        let request = read(&format!("google_ads acme {word} Staging")).unwrap();
        assert_eq!(
            (request.target.connection_name().as_str(), request.group_id.as_str()),
            ("acme", "staging_group")
        );
    }
    match read("google_ads acme in nowhere") {
        Err(UsageError::UnknownDestination { typed, .. }) => assert_eq!(typed, "nowhere"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_destination_may_be_called_by_a_little_word() {
    let destinations = Destinations {
        default_group: Some("default_group".to_owned()),
        named: [("at".to_owned(), "austria".to_owned()), ("in".to_owned(), "india".to_owned())].into(),
        ..Destinations::default()
    };
    let catalog = Catalog::built_in();
    let vocabulary = Vocabulary {
        slash: Surface::of("/x"),
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    for (typed, group) in [("google_ads acme to at", "austria"), ("google_ads acme to in", "india")] {
        match parse_text(typed, &vocabulary) {
            Ok(Command::Connect(request)) => assert_eq!(request.group_id, group),
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn marks_around_a_destination_do_not_matter() {
    for name in ["STAGING", "_staging_", "@staging", "#staging", "staging.", "*staging*"] {
        assert_eq!(read(&format!("google_ads acme to {name}")).unwrap().group_id, "staging_group", "{name}");
    }
    match read("google_ads acme to stag-ing") {
        Err(UsageError::UnknownDestination { instead, .. }) => {
            assert_eq!(instead.as_deref(), Some("google_ads acme to staging"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_schema_that_is_rather_something_else_is_made_only_in_quotes() {
    for word in ["help", "status", "list", "none", "new", "stripe", "adwords_2", "google_ads"] {
        let typed = format!("google_ads {word}");
        match read(&typed) {
            Ok(request) => {
                assert!(matches!(word, "adwords_2" | "google_ads"), "{word}");
                assert_eq!(request.target.connection_name(), word);
            }
            Err(UsageError::Doubtful { quoted, .. }) => {
                assert_eq!(quoted, format!("google_ads \"{word}\""));
                assert_eq!(read(&quoted).unwrap().target.connection_name(), word);
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    // What the operator wrote is what is meant.
    let channel =
        ChannelDefaults { schema: Some(Schema::parse("new").unwrap()), ..ChannelDefaults::default() };
    let request = read_in(&channel, &Catalog::built_in(), "google_ads").unwrap();
    assert_eq!(request.target.connection_name(), "new");
}

#[test]
fn without_a_default_a_destination_must_be_said() {
    let destinations = Destinations { default_group: None, ..destinations() };
    let catalog = Catalog::built_in();
    let vocabulary = Vocabulary {
        slash: Surface::of("/x"),
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    match parse_text("google_ads acme", &vocabulary) {
        Err(UsageError::NoDestination { known }) => assert_eq!(known, ["staging"]),
        other => panic!("{other:?}"),
    }
    assert!(parse_text("google_ads acme to staging", &vocabulary).is_ok());
}

#[test]
fn a_request_survives_its_json() {
    let request = read("google_sheets acme.budget to staging").unwrap();
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
    assert!(serde_json::from_str::<Request>(&json.replace("acme", "a c m e")).is_err());
    // As the release before writes and reads it, which knows no names of channels.
    assert_eq!(
        json,
        r#"{"service":"google_sheets","service_name":"Google Sheets","kind":"table","retired":null,"target":{"schema":"acme","table":"budget"},"group_id":"staging_group","destination":"staging","slash":"/connect-card","in_direct_message":false,"confirmed":"no"}"#
    );
}

#[test]
fn italics_are_understood_or_asked_about_before_a_schema_is_made_of_them() {
    assert_eq!(read("_google_ads acme_").unwrap().target.connection_name(), "acme");
    assert_eq!(read("google_ads \"_acme_\"").unwrap().target.connection_name(), "_acme_");
    assert_eq!(read("google_ads _acme").unwrap().target.connection_name(), "_acme");
    assert_eq!(read("google_ads acme_").unwrap().target.connection_name(), "acme_");
    match read("google_ads _italic_acme_") {
        Err(UsageError::Italic { bare, quoted }) => {
            assert_eq!(read(&bare).unwrap().target.connection_name(), "italic_acme");
            assert_eq!(read(&quoted).unwrap().target.connection_name(), "_italic_acme_");
        }
        other => panic!("{other:?}"),
    }
    for mention in ["<@U1|acme>", "<#C1|acme>", "<#C1>", "<https://acme.com|acme.com>", "<!here>"] {
        match read(&format!("google_ads {mention}")) {
            Err(UsageError::BadName { name, .. }) => {
                assert!(name.nearest.is_none_or(|it| !it.contains("u1") && !it.contains("c1")), "{mention}");
            }
            Err(UsageError::Misfit { .. }) => assert!(mention.contains("acme.com")),
            // Nothing is left of a mention whose name is not told.
            Err(UsageError::SchemaMissing(_)) => assert_eq!(mention, "<#C1>"),
            other => panic!("{mention}: {other:?}"),
        }
    }
}

#[test]
fn whatever_may_be_a_name_that_is_still_to_come_hangs_on_the_catalogue() {
    let catalog = Catalog::built_in();
    let destinations = destinations();
    let vocabulary = Vocabulary {
        slash: Surface::of("/connect-card"),
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    for (typed, hangs) in [
        ("google_ads acme", false),
        ("google_ads acme to staging", false),
        ("GOOGLE_SHEETS acme.budget", false),
        // A service may be called that.
        ("google ads manager", true),
        ("hubspot marketing", true),
        ("brand new", true),
        ("brand_new acme", true),
        ("google display and video 3600", true),
        ("adwords acme", true),
        ("google_ads", true),
        ("help", false),
        ("help scooter", true),
        ("services", false),
        ("services google", false),
        ("services brand new", true),
        ("status acme", false),
        ("renew", false),
        ("list", false),
        ("", false),
    ] {
        let read = parse_text(typed, &vocabulary);
        assert_eq!(
            crate::command::hangs_on_the_catalogue(typed, &read, &catalog),
            hangs,
            "{typed}: {read:?}"
        );
    }
}

#[test]
fn what_is_longer_than_any_command_is_refused_unread() {
    let catalog = Catalog::built_in();
    let parse = |typed: &str| read_in(&NO_DEFAULTS, &catalog, typed).err();
    for (unit, times) in
        [("a ", 301), (",", 301), ("*", 4001), ("é", 4001), ("to ", 30_000), ("*a* ", 15_000)]
    {
        let typed = unit.repeat(times);
        assert_eq!(parse(&typed), Some(UsageError::TooLong), "{unit}");
        assert!(!asks_for_help(&format!("help {typed}"), &catalog), "{unit}");
        assert!(!hangs_on_the_catalogue(&typed, &Err(UsageError::TooLong), &catalog), "{unit}");
    }
    let id = "i".repeat(40);
    let name = "n".repeat(63);
    let longest = vec![format!("{id} {name}.{name}"); 20].join(", ");
    assert_ne!(parse(&longest), Some(UsageError::TooLong));
    for (unit, times) in [("a ", 300), (",", 299), ("*", 4000)] {
        assert_ne!(parse(&unit.repeat(times)), Some(UsageError::TooLong), "{unit}");
    }
}
