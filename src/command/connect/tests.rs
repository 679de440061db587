//! Tests of how the words are read, and of what a look at Fivetran means.

use super::*;
use crate::command::{Command, parse as parse_text};
use crate::config::{ChannelDefaults, Destinations, NO_DEFAULTS};
use crate::fivetran::model::Said;

fn destinations() -> Destinations {
    Destinations {
        default_group: Some("default_group".to_owned()),
        named: [("staging".to_owned(), "staging_group".to_owned())].into(),
    }
}

fn read_in(channel: &ChannelDefaults, catalog: &Catalog, typed: &str) -> Result<Request, UsageError> {
    let destinations = destinations();
    let vocabulary = Vocabulary { slash: "/connect-card", catalog, destinations: &destinations, channel };
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
fn words_in_the_wrong_place_are_put_right() {
    let said = |typed: &str| crate::reply::usage_sentence(&read(typed).unwrap_err(), "/connect-card");
    for (typed, answer) in [
        ("google_ads Schema 7", "A schema can't contain spaces. Try: /connect-card google_ads schema_7"),
        (
            "Google Ads big customer",
            "A schema can't contain spaces. Try: /connect-card google_ads big_customer",
        ),
        (
            "adwords my schema to staging",
            "A schema can't contain spaces. Try: /connect-card google_ads my_schema to staging",
        ),
        ("customer_schema google_ads", "The service comes first: /connect-card google_ads customer_schema"),
        ("acme Google Sheets", "The service comes first: /connect-card google_sheets acme.my_table"),
        (
            "googel_ads acme",
            "I don't know a service called “googel_ads”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads acme",
        ),
        (
            "googel_ads my schema",
            "I don't know a service called “googel_ads my”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads my_schema",
        ),
        (
            "Googel Ads acme to staging",
            "I don't know a service called “Googel Ads”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads acme to staging",
        ),
        (
            "s3 lake to staging",
            "Amazon S3 needs SCHEMA.TABLE: add the name of the table group. Try: /connect-card s3 lake.my_table to staging",
        ),
        (
            "google_ads to staging",
            "Where should the data from Google Ads go? Add a schema: /connect-card google_ads customer_schema",
        ),
        ("google_ads acme to", "Where should the data go? Add “to” and one of these: staging."),
        (
            "s3 lake",
            "Amazon S3 needs SCHEMA.TABLE: add the name of the table group. Try: /connect-card s3 lake.my_table",
        ),
        (
            "s3 a.b.c",
            "“a.b.c” has more than one dot; SCHEMA.TABLE takes only one. Try: /connect-card s3 a.b_c",
        ),
        (
            "google_ads 1st-Client!",
            "“1st-Client!” isn't a valid schema: it has capital letters, “-” and “!” and it starts with a digit (use a–z, 0–9 and _). Try: /connect-card google_ads _1st_client",
        ),
    ] {
        assert_eq!(said(typed), answer, "{typed}");
    }
    assert!(said("tiktok acme").ends_with("Try: /connect-card tiktok_ads acme"), "{}", said("tiktok acme"));
    let unknown = "\u{FFFD}\u{FFFD} acme";
    assert!(said(unknown).contains("I don't know a service"), "{}", said(unknown));
}

#[test]
fn help_is_asked_for_in_many_words_and_scouts_are_no_help() {
    let (catalog, destinations) = (Catalog::built_in(), destinations());
    let vocabulary = Vocabulary {
        slash: "/connect-card",
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
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
        Err(UsageError::UnknownDestination { typed, known }) => {
            assert_eq!((typed.as_str(), known), ("nowhere", vec!["staging".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
}

fn acme() -> ChannelDefaults {
    ChannelDefaults {
        schema: Some(Target::parse("acme").unwrap()),
        destination: Some("staging".to_owned()),
        services: ["google_ads", "google_sheets", "brand_new"].map(|id| ServiceId::parse(id).unwrap()).into(),
        reminders: false,
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
fn without_a_default_a_destination_must_be_said() {
    let destinations = Destinations { default_group: None, ..destinations() };
    let catalog = Catalog::built_in();
    let vocabulary =
        Vocabulary { slash: "/x", catalog: &catalog, destinations: &destinations, channel: &NO_DEFAULTS };
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
}

#[test]
fn what_is_not_found_is_told_by_its_code() {
    let said = |code: &str| Said { code: code.to_owned(), message: String::new() };
    let told = |code: &str| failure(Error::NotFound(said(code)));
    assert!(matches!(told("NotFound_Group"), Failure::Final(Problem::GroupUnknown(_))));
    for code in ["NotFound_Service", "NotFound_Connection", ""] {
        assert!(matches!(told(code), Failure::Final(Problem::Refused(_))), "{code}");
    }
    assert!(said("NotFound_Connection").is_of_connection() && said("NotFound_Connector").is_of_connection());
    assert!(!said("").is_of_connection() && !said("NotFound_Group").is_of_connection());
}

#[test]
fn of_several_connections_a_finished_one_is_never_overlooked() {
    let connection = |service: &str, state: &str| -> Connection {
        serde_json::from_value(serde_json::json!({
            "id": state, "service": service, "status": {"setup_state": state},
        }))
        .unwrap()
    };
    let service = ServiceId::parse("google_ads").unwrap();
    assert_eq!(judge(vec![], &service), Found::Nothing);
    assert_eq!(
        judge(vec![connection("stripe", "incomplete")], &service),
        Found::OtherService { service: "stripe".to_owned() }
    );
    for order in [["connected", "incomplete"], ["incomplete", "broken"]] {
        let found = judge(order.map(|state| connection("google_ads", state)).to_vec(), &service);
        assert!(matches!(found, Found::Finished { .. }), "{order:?}");
    }
}
