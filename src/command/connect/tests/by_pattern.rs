//! Tests of what a channel's pattern makes of words without a schema.

use super::*;
use crate::command::naming::Customer;
use crate::fivetran::schema::Why;

/// A channel of acme's whose schemas are named by a pattern.
fn by(pattern: &str) -> ChannelDefaults {
    ChannelDefaults {
        schema: Some(Schema::parse(pattern).unwrap()),
        customer: Some(Customer::parse("acme").unwrap()),
        ..ChannelDefaults::default()
    }
}

#[test]
fn the_channels_pattern_names_each_service_and_a_typed_schema_is_used_as_typed() {
    let catalog = Catalog::built_in();
    for (pattern, typed, name, by_channel) in [
        ("{customer}_{service}", "stripe", "acme_stripe", true),
        ("{customer}_{service}", "\"Stripe\"", "acme_stripe", true),
        ("{customer}_{service}", "adwords", "acme_google_ads", true),
        ("{customer}_{service}", "google sheets", "acme_google_sheets.google_sheets", true),
        ("{customer}_{service}", "stripe other", "other", false),
        ("{customer}_{service}", "stripe \"other\"", "other", false),
        ("{customer}_{service}", "stripe acme_stripe", "acme_stripe", false),
        ("{customer}_{service}.{table}", "stripe", "acme_stripe", true),
        // Of a name that the operator chose nobody is asked what it means.
        ("{service}", "stripe", "stripe", true),
        ("_{service}_", "_stripe_", "_stripe_", true),
        ("{destination}_{service}", "stripe to staging", "staging_stripe", true),
        ("acme", "stripe", "acme", true),
        ("acme", "stripe acme", "acme", false),
    ] {
        let request = read_in(&by(pattern), &catalog, typed).unwrap();
        assert_eq!(
            (request.target.connection_name().as_str(), request.by_channel),
            (name, by_channel),
            "{pattern} {typed}"
        );
    }
    // Sheets fills one table, and a typed schema says which.
    let typed = read_in(&by("{customer}_{service}"), &catalog, "google_sheets other");
    assert!(matches!(typed, Err(UsageError::Misfit { .. })), "{typed:?}");
}

#[test]
fn a_destination_gives_its_name_however_it_is_meant() {
    let catalog = Catalog::built_in();
    let channel =
        ChannelDefaults { destination: Some("staging".to_owned()), ..by("{destination}_{service}") };
    let named = |channel: &ChannelDefaults, destinations: &Destinations, typed: &str| {
        let slash = Surface::of("/x");
        match parse_text(
            typed,
            &Vocabulary { slash, catalog: &catalog, destinations, channel, bundles: &NO_BUNDLES },
        ) {
            Ok(Command::Connect(request)) => Ok(request.target.connection_name()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    let name =
        |channel: &ChannelDefaults, destinations: &Destinations| named(channel, destinations, "stripe");
    assert_eq!(name(&channel, &destinations()).as_deref(), Ok("staging_stripe"));
    // The default one, by the name that the file has for it.
    let channel = by("{destination}_{service}");
    let default = Destinations { default_group: Some("staging_group".to_owned()), ..destinations() };
    assert_eq!(name(&channel, &default).as_deref(), Ok("staging_stripe"));
    match name(&channel, &destinations()) {
        Err(UsageError::DestinationUnnamed { line, known }) => {
            assert_eq!((line.as_str(), known), ("stripe", vec!["staging".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    let none = Destinations { default_group: None, ..destinations() };
    assert!(matches!(name(&channel, &none), Err(UsageError::NoDestination { .. })));
    // Typed it was, but not for a schema: nobody is asked whether it is one.
    let new = Destinations { named: [("new".to_owned(), "g".to_owned())].into(), ..none };
    assert_eq!(named(&by("{destination}"), &new, "stripe to new").as_deref(), Ok("new"));
}

#[test]
fn what_the_pattern_makes_and_fivetran_would_not_take_is_mended_only_if_nothing_is_lost() {
    let catalog = Catalog::built_in();
    let long = "x".repeat(60);
    for (pattern, typed, made, instead) in [
        ("{service}", "15five", "15five", Some("15five _15five")),
        ("{service}", "15five to staging", "15five", Some("15five _15five to staging")),
        (&format!("{long}_{{service}}"), "stripe", &format!("{long}_stripe"), None),
    ] {
        match read_in(&by(pattern), &catalog, typed) {
            Err(UsageError::Unnamed { name, instead: line, .. }) => {
                assert_eq!((name.typed.as_str(), line.as_deref()), (made, instead), "{typed}");
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    // With one more in front it is too long, and what would be cut off says which service it is.
    let digits = BadName {
        typed: format!("1{}", "x".repeat(62)),
        why: Why::StartsWithDigit,
        nearest: Some(format!("_1{}", "x".repeat(61))),
    };
    assert_eq!(mended(&digits), None);
}

#[test]
fn a_pattern_that_lacks_its_customer_is_as_none() {
    let channel = ChannelDefaults { customer: None, ..by("{customer}_{service}") };
    let read = |typed: &str| read_in(&channel, &Catalog::built_in(), typed);
    assert!(matches!(read("stripe"), Err(UsageError::SchemaMissing(_))));
    match read("stripe to acme") {
        Err(UsageError::SchemaBehindWord { instead, .. }) => {
            assert_eq!(instead.as_deref(), Some("stripe acme"));
        }
        other => panic!("{other:?}"),
    }
    // Where schemas have names, it is a destination.
    match read_in(&by("{customer}_{service}"), &Catalog::built_in(), "stripe to acme") {
        Err(UsageError::UnknownDestination { typed, instead, .. }) => {
            assert_eq!((typed.as_str(), instead), ("acme", None));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_channel_with_many_schemas_one_must_be_said() {
    let (catalog, destinations) = (Catalog::built_in(), destinations());
    for verb in ["renew", "cancel", "status"] {
        for (channel, is_wanted) in [(by("{customer}_{service}"), true), (by("acme"), false)] {
            let vocabulary = Vocabulary {
                slash: Surface::of("/x"),
                catalog: &catalog,
                destinations: &destinations,
                channel: &channel,
                bundles: &NO_BUNDLES,
            };
            let read = parse_text(verb, &vocabulary);
            let wanted = matches!(read, Err(UsageError::SchemaWanted { instead: None, .. }));
            assert_eq!(wanted, is_wanted, "{verb}: {read:?}");
        }
    }
}

#[test]
fn that_nobody_typed_its_name_survives_a_requests_json() {
    let request = read_in(&by("{customer}_{service}"), &Catalog::built_in(), "stripe").unwrap();
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
    assert!(json.ends_with(r#","by_channel":true,"customer":"acme"}"#), "{json}");
}
