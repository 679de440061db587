//! Tests of several services at once: what a list or a bundle's name comes to.

mod as_typed;
mod commas;

use super::*;
use crate::command::Command;
use crate::command::bundle::{Bundles, NO_BUNDLES};
use crate::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
use crate::command::surface::Surface;

fn destinations() -> Destinations {
    Destinations {
        default_group: Some("default_group".to_owned()),
        named: [("staging".to_owned(), "staging_group".to_owned())].into(),
        ..Destinations::default()
    }
}

fn bundles() -> Bundles {
    let ids = |ids: &[&str]| ids.iter().map(|id| ServiceId::parse(id).unwrap()).collect();
    let onboarding = ids(&["google_ads", "stripe", "hubspot"]);
    Bundles {
        by_name: [
            ("onboarding".to_owned(), onboarding),
            ("single".to_owned(), ids(&["stripe"])),
            ("outdated".to_owned(), ids(&["stripe", "hubspott"])),
        ]
        .into(),
    }
}

/// A channel of acme's whose schemas are named by a pattern.
fn by(pattern: &str) -> ChannelDefaults {
    ChannelDefaults { customer: Some(Customer::parse("acme").unwrap()), ..of_nobody(pattern) }
}

fn of_nobody(pattern: &str) -> ChannelDefaults {
    ChannelDefaults { schema: Some(Schema::parse(pattern).unwrap()), ..ChannelDefaults::default() }
}

fn read_in(channel: &ChannelDefaults, typed: &str) -> Option<Result<Read, UsageError>> {
    let (catalog, destinations, bundles) = (Catalog::built_in(), destinations(), bundles());
    let slash = Surface::of("/connect-card");
    let vocabulary =
        Vocabulary { slash, catalog: &catalog, destinations: &destinations, channel, bundles: &bundles };
    let words: Vec<&str> = typed.split(' ').filter(|word| !word.is_empty()).collect();
    parse(&words, &vocabulary)
}

fn several(channel: &ChannelDefaults, typed: &str) -> Several {
    match read_in(channel, typed) {
        Some(Ok(Read::Several(several))) => several,
        other => panic!("{typed}: {other:?}"),
    }
}

/// The names that are made, with the customer in front and whether they are shown first.
fn names(channel: &ChannelDefaults, typed: &str) -> (Option<String>, Vec<String>, bool) {
    let Several { onboard, asks, .. } = several(channel, typed);
    let names = onboard.sources.iter().map(|source| source.target.connection_name());
    (onboard.customer.clone(), names.collect(), asks)
}

fn error(channel: &ChannelDefaults, typed: &str) -> UsageError {
    match read_in(channel, typed) {
        Some(Err(error)) => error,
        other => panic!("{typed}: {other:?}"),
    }
}

#[test]
fn a_list_is_understood_however_people_write_it() {
    for typed in [
        "google_ads, facebook_ads, hubspot acme",
        "google_ads,facebook_ads,hubspot acme",
        "google_ads ,facebook_ads , hubspot acme",
        "google_ads, facebook_ads, hubspot, acme",
        "google_ads, facebook_ads, hubspot for acme",
        "google_ads, facebook_ads, hubspot acme please",
        "Google Ads, Facebook Ads and HubSpot acme",
        "Google Ads, Facebook Ads, and HubSpot acme",
        "Google Ads, Facebook Ads & HubSpot acme",
        "adwords, facebook-ads, HUBSPOT acme",
        "google_ads\", \u{201C}facebook_ads\u{201D}, hubspot acme",
        "google_ads, facebook_ads, google_ads, adwords, hubspot acme",
    ] {
        let (customer, names, asks) = names(&NO_DEFAULTS, typed);
        assert_eq!(customer.as_deref(), Some("acme"), "{typed}");
        assert_eq!(names, ["acme_google_ads", "acme_facebook_ads", "acme_hubspot"], "{typed}");
        assert!(asks, "{typed}");
    }
    assert_eq!(names(&NO_DEFAULTS, "Google Ads and HubSpot acme").1, ["acme_google_ads", "acme_hubspot"]);
    // Without a customer, what follows `and` is a service all the same.
    for typed in
        ["Google Ads, Facebook Ads and HubSpot", "google_ads, facebook_ads & hubspot", "stripe and hubspot"]
    {
        let (_, names, asks) = names(&by("{customer}_{service}"), typed);
        assert_eq!(names.last().map(String::as_str), Some("acme_hubspot"), "{typed}");
        assert!(!asks, "{typed}");
    }
    // A name with `&` in it is one service.
    let (_, names, _) = names(&NO_DEFAULTS, "Google Display & Video 360, stripe acme");
    assert_eq!(names.len(), 2);
    assert!(names[0].starts_with("acme_google_display_and_video_360."), "{names:?}");
}

#[test]
fn each_is_a_request_of_the_channels_naming() {
    let Several { onboard, .. } = several(&NO_DEFAULTS, "adwords, google_sheets acme to staging");
    let [ads, sheets] = onboard.sources.as_slice() else { panic!("{onboard:?}") };
    assert_eq!((ads.service.as_str(), ads.retired.as_deref()), ("google_ads", Some("adwords")));
    assert_eq!(sheets.target.connection_name(), "acme_google_sheets.google_sheets");
    for source in [ads, sheets] {
        assert!(source.by_channel);
        assert_eq!(source.customer.as_deref(), Some("acme"));
        assert_eq!(
            (source.group_id.as_str(), source.destination.as_deref()),
            ("staging_group", Some("staging"))
        );
        assert_eq!(source.slash, "/connect-card");
    }
}

#[test]
fn the_line_that_asks_for_it_asks_for_the_same_once_more() {
    for (typed, line) in [
        ("Google Ads,adwords and HubSpot for acme to STAGING", "google_ads, hubspot acme to STAGING"),
        ("onboarding acme", "onboarding acme"),
        ("adwords a, Google Sheets b.c to staging", "google_ads a, google_sheets b.c to staging"),
    ] {
        let first = several(&NO_DEFAULTS, typed);
        assert_eq!(first.line, line);
        let again = several(&NO_DEFAULTS, line);
        let keys = |it: &Several| it.onboard.sources.iter().map(Request::key).collect::<Vec<_>>();
        assert_eq!((keys(&again), &again.line), (keys(&first), &first.line));
    }
}

#[test]
fn a_typed_customer_takes_the_patterns_place_and_wins_over_the_channels() {
    let globex = Some("globex".to_owned());
    for (channel, typed, customer, first, asks) in [
        (by("{customer}_{service}"), "stripe, hubspot globex", globex.clone(), "globex_stripe", true),
        (
            of_nobody("raw_{customer}_{service}"),
            "stripe, hubspot globex",
            globex.clone(),
            "raw_globex_stripe",
            true,
        ),
        // A plain schema fits one only.
        (by("acme"), "stripe, hubspot globex", globex, "globex_stripe", true),
        // What CONFIG makes anyway.
        (by("{customer}_{service}"), "stripe, hubspot", Some("acme".to_owned()), "acme_stripe", false),
        (by("{customer}_{service}"), "stripe, hubspot acme", Some("acme".to_owned()), "acme_stripe", false),
        (by("raw_{service}"), "stripe, hubspot", None, "raw_stripe", false),
        (of_nobody("{destination}_{service}"), "stripe, hubspot to staging", None, "staging_stripe", false),
    ] {
        let (found, names, asked) = names(&channel, typed);
        assert_eq!((&found, names[0].as_str(), asked), (&customer, first, asks), "{typed}");
        for source in several(&channel, typed).onboard.sources {
            assert_eq!((source.customer, source.by_channel), (customer.clone(), true), "{typed}");
        }
    }
}

#[test]
fn schemas_that_are_typed_are_used_as_typed() {
    let typed = "google_ads acme_ads, hubspot acme_crm and google_sheets acme.budget to staging";
    let (customer, names, asks) = names(&by("{customer}_{service}"), typed);
    assert_eq!(names, ["acme_ads", "acme_crm", "acme.budget"]);
    assert_eq!((customer, asks), (None, false));
    for source in several(&NO_DEFAULTS, typed).onboard.sources {
        assert_eq!((source.by_channel, source.customer), (false, None));
        assert_eq!(source.group_id, "staging_group");
    }
    // One service twice, each time into another schema.
    assert_eq!(self::names(&NO_DEFAULTS, "stripe a, stripe b").1, ["a", "b"]);
}

#[test]
fn a_bundle_stands_for_its_services() {
    let all = ["acme_google_ads", "acme_stripe", "acme_hubspot"];
    for typed in ["onboarding acme", "Onboarding for acme", "onboarding acme to staging"] {
        let (customer, names, asks) = names(&NO_DEFAULTS, typed);
        assert_eq!((customer.as_deref(), names, asks), (Some("acme"), all.map(str::to_owned).to_vec(), true));
    }
    for typed in ["onboarding", "onboarding to staging"] {
        let (_, names, asks) = names(&by("{customer}_{service}"), typed);
        assert_eq!((names, asks), (all.map(str::to_owned).to_vec(), false));
    }
    match read_in(&by("{customer}_{service}"), "single") {
        Some(Ok(Read::One(request))) => {
            assert_eq!(
                (request.target.connection_name().as_str(), request.by_channel),
                ("acme_stripe", true)
            );
        }
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "onboarding") {
        UsageError::CustomerMissing { line } => assert_eq!(line, "onboarding CUSTOMER"),
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "outdated acme") {
        UsageError::UnknownService { typed, instead, .. } => {
            assert_eq!((typed.as_str(), instead[0].as_str()), ("hubspott", "stripe, hubspot acme"));
        }
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "onbording acme to staging") {
        UsageError::MisspeltBundle { typed, instead } => {
            assert_eq!((typed.as_str(), instead.as_str()), ("onbording", "onboarding acme to staging"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_is_left_of_several_is_shown_by_its_name_before_it_is_made() {
    for (typed, line) in [
        ("stripe, Stripe acme", "stripe, stripe acme"),
        ("stripe, stripe acme to staging", "stripe, stripe acme to staging"),
        ("single acme", "single acme"),
    ] {
        let (customer, made, asks) = names(&NO_DEFAULTS, typed);
        assert_eq!((customer.as_deref(), made, asks), (Some("acme"), vec!["acme_stripe".to_owned()], true));
        let first = several(&NO_DEFAULTS, typed);
        assert_eq!(first.line, line);
        assert_eq!(several(&NO_DEFAULTS, line), first);
        match Command::Onboard(first).agreed() {
            Command::Connect(request) => assert_eq!(request.target.connection_name(), "acme_stripe"),
            other => panic!("{other:?}"),
        }
    }
    // What CONFIG makes anyway, and what was typed.
    for typed in ["stripe, stripe", "single", "stripe a, stripe a"] {
        assert!(matches!(read_in(&by("{customer}_{service}"), typed), Some(Ok(Read::One(_)))), "{typed}");
    }
}

#[test]
fn a_service_wins_over_a_bundle_of_its_name() {
    let live = [("onboarding", "Onboarding"), ("stripe", "Stripe")];
    let live = live.map(|(id, name)| (id.to_owned(), name.to_owned(), None));
    let (catalog, destinations, bundles) = (Catalog::from_live(live).unwrap(), destinations(), bundles());
    let slash = Surface::of("/connect-card");
    let channel = &NO_DEFAULTS;
    let vocabulary =
        Vocabulary { slash, catalog: &catalog, destinations: &destinations, channel, bundles: &bundles };
    assert_eq!(parse(&["onboarding", "acme"], &vocabulary), None);
    let without = Vocabulary { bundles: &NO_BUNDLES, ..vocabulary };
    assert_eq!(parse(&["onbording", "acme"], &without), None);
}

#[test]
fn what_is_no_list_means_what_it_means_as_one_command() {
    for typed in [
        "",
        "google_ads",
        "google_ads acme",
        "google_ads,",
        "google_ads,acme",
        "google_ads, acme",
        "google_ads, acme to staging",
        "google_ads acme, please",
        "google_ads Acme, Inc",
        "acme, google_ads",
        "hello, world",
        "postgres postgres://user:pass@host/db,x stripe",
        "Display & Video 360 acme",
        "this and that",
        "google_ads for acme and co",
        "renw acme",
    ] {
        assert_eq!(read_in(&NO_DEFAULTS, typed), None, "{typed}");
    }
}

#[test]
fn one_that_is_not_known_is_named_and_nothing_is_done() {
    for (typed, unknown, instead) in [
        ("google_ads, hubspt acme", "hubspt", "google_ads, hubspot acme"),
        ("google_ads, hubspt", "hubspt", "google_ads, hubspot"),
        ("hubspt, google_ads acme", "hubspt", "hubspot, google_ads acme"),
        (
            "gogle ads, hubspot, stripe acme to staging",
            "gogle ads",
            "google_ads, hubspot, stripe acme to staging",
        ),
        ("google_ads acme_ads, hubspt acme_crm", "hubspt", "google_ads acme_ads, hubspot acme_crm"),
        ("google_ads, stripe, hubspt", "hubspt", "google_ads, stripe, hubspot"),
        ("Google Ads, Stripe and hubspt acme", "hubspt", "google_ads, stripe, hubspot acme"),
    ] {
        match error(&NO_DEFAULTS, typed) {
            UsageError::UnknownService { typed: found, instead: lines, .. } => {
                assert_eq!(found, unknown, "{typed}");
                assert!(lines.iter().any(|line| line == instead), "{typed}: {lines:?}");
                for line in lines {
                    assert!(read_in(&NO_DEFAULTS, &line).is_some(), "{line}");
                }
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    assert!(matches!(error(&NO_DEFAULTS, "stripe, connector_sdk acme"), UsageError::NotByLink { .. }));
    let channel =
        ChannelDefaults { services: vec![ServiceId::parse("stripe").unwrap()], ..by("{customer}_{service}") };
    assert!(matches!(error(&channel, "onboarding"), UsageError::ServiceNotAllowed { .. }));
}

#[test]
fn who_they_are_for_must_be_said_once() {
    let missing = |channel: &ChannelDefaults, typed: &str| match error(channel, typed) {
        UsageError::CustomerMissing { line } => line,
        other => panic!("{typed}: {other:?}"),
    };
    assert_eq!(missing(&NO_DEFAULTS, "stripe, hubspot"), "stripe, hubspot CUSTOMER");
    assert_eq!(missing(&NO_DEFAULTS, "stripe, hubspot CUSTOMER"), "stripe, hubspot CUSTOMER");
    let pattern = of_nobody("{customer}_{service}");
    assert_eq!(missing(&pattern, "stripe, hubspot to staging"), "stripe, hubspot CUSTOMER to staging");
    match error(&NO_DEFAULTS, "stripe, hubspot Big-Acme to staging") {
        UsageError::BadCustomer { instead, .. } => {
            assert_eq!(instead.as_deref(), Some("stripe, hubspot big_acme to staging"));
        }
        other => panic!("{other:?}"),
    }
    match error(&by("raw_{service}"), "stripe, hubspot globex") {
        UsageError::CustomerUnused { customer, pattern, instead } => assert_eq!(
            (customer.as_str(), pattern.as_str(), instead.as_str()),
            ("globex", "raw_{service}", "stripe, hubspot")
        ),
        other => panic!("{other:?}"),
    }
    match error(&by("acme"), "stripe, hubspot") {
        UsageError::OneSchema { schema, line } => {
            assert_eq!((schema.as_str(), line.as_str()), ("acme", "stripe, hubspot CUSTOMER"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn some_with_a_schema_and_some_without_are_asked_about() {
    for (typed, line) in [
        ("google_ads acme_ads, hubspot", "google_ads acme_ads, hubspot SCHEMA"),
        (
            "google_ads acme_ads, google_sheets, stripe acme",
            "google_ads acme_ads, google_sheets SCHEMA.TABLE, stripe acme",
        ),
        ("stripe a, hubspot, shopify, google_ads b", "stripe a, hubspot SCHEMA, shopify SCHEMA, …"),
    ] {
        match error(&NO_DEFAULTS, typed) {
            UsageError::Mixed { line: found } => assert_eq!(found, line, "{typed}"),
            other => panic!("{typed}: {other:?}"),
        }
    }
    // Sent as it stood, our own line makes nothing.
    match error(&NO_DEFAULTS, "google_ads acme_ads, hubspot SCHEMA") {
        UsageError::InList { before, error } => {
            assert_eq!(before, "google_ads acme_ads, ");
            assert!(matches!(*error, UsageError::SchemaMissing(_)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_schema_that_would_not_do_is_told_with_the_others_around_it() {
    match error(&NO_DEFAULTS, "stripe acme, google_ads Acme-Ads, hubspot crm to staging") {
        UsageError::InList { before, error } => match *error {
            UsageError::BadName { rest, name, .. } => {
                assert_eq!((before.as_str(), rest.as_str()), ("stripe acme, ", ", hubspot crm to staging"));
                assert_eq!(name.nearest.as_deref(), Some("acme_ads"));
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "google_sheets acme, stripe other") {
        UsageError::InList { error, .. } => assert!(matches!(*error, UsageError::Misfit { .. })),
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "stripe Big Acme, hubspot crm to staging") {
        UsageError::SpacedSchema { instead } => {
            assert_eq!(instead.as_deref(), Some("stripe big_acme, hubspot crm to staging"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_two_of_them_get_one_name() {
    match error(&by("{customer}"), "onboarding") {
        UsageError::SameName { name, services, line } => {
            assert_eq!((name.as_str(), services), ("acme", ["Google Ads", "Stripe"].map(str::to_owned)));
            assert_eq!(line, "google_ads SCHEMA, stripe SCHEMA, hubspot SCHEMA");
        }
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "stripe acme, hubspot acme to staging") {
        UsageError::SameName { line, .. } => assert_eq!(line, "stripe SCHEMA, hubspot SCHEMA to staging"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_is_made_and_would_not_do_is_told() {
    match error(&NO_DEFAULTS, &format!("stripe, google_ads {}", "x".repeat(55))) {
        UsageError::Misnamed { service, by_customer, line, .. } => {
            assert_eq!((service.id.as_str(), by_customer), ("google_ads", true));
            assert_eq!(line, "stripe SCHEMA, google_ads SCHEMA");
        }
        other => panic!("{other:?}"),
    }
    match error(&by("{service}"), "stripe, 15five") {
        UsageError::Misnamed { by_customer, .. } => assert!(!by_customer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_destination_holds_for_all() {
    match error(&NO_DEFAULTS, "stripe, hubspot acme to nowhere") {
        UsageError::UnknownDestination { typed, instead, .. } => {
            assert_eq!((typed.as_str(), instead), ("nowhere", None))
        }
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "stripe, hubspot acme to stag-ing") {
        UsageError::UnknownDestination { instead, .. } => {
            assert_eq!(instead.as_deref(), Some("stripe, hubspot acme to staging"));
        }
        other => panic!("{other:?}"),
    }
    // It was rather the customer.
    match error(&NO_DEFAULTS, "stripe, hubspot to acme") {
        UsageError::UnknownDestination { instead, .. } => {
            assert_eq!(instead.as_deref(), Some("stripe, hubspot acme"));
        }
        other => panic!("{other:?}"),
    }
    match error(&NO_DEFAULTS, "stripe, hubspot acme to") {
        UsageError::Dangling { instead, .. } => assert_eq!(instead.as_deref(), Some("stripe, hubspot acme")),
        other => panic!("{other:?}"),
    }
    match error(&by("{destination}_{service}"), "stripe, hubspot") {
        UsageError::DestinationUnnamed { line, .. } => assert_eq!(line, "stripe, hubspot"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_than_fit_into_a_message_are_refused() {
    let catalog = Catalog::built_in();
    let ids: Vec<_> = catalog.iter().filter(|it| it.obstacle.is_none()).map(|it| it.id.as_str()).collect();
    let typed = |count: usize| format!("{} acme", ids[..count].join(","));
    assert_eq!(error(&NO_DEFAULTS, &typed(21)), UsageError::TooMany { count: 21 });
    assert_eq!(several(&NO_DEFAULTS, &typed(20)).onboard.sources.len(), 20);
    // Whatever most of it is.
    let many: String = (0..5000).map(|n| format!(",x{n}")).collect();
    assert_eq!(
        error(&NO_DEFAULTS, &format!("stripe,hubspot{many} acme")),
        UsageError::TooMany { count: 5002 }
    );
}

#[test]
fn what_a_word_means_already_is_no_name() {
    let catalog = Catalog::built_in();
    for word in ["status", "help", "delete", "sync", "ls", "to", "for", "-h"] {
        assert_eq!(taken(word, &catalog), Some(Taken::Command), "{word}");
    }
    for (word, id) in [("stripe", "stripe"), ("adwords", "google_ads"), ("google-ads", "google_ads")] {
        let service = Taken::Service(ServiceId::parse(id).unwrap());
        assert_eq!(taken(word, &catalog), Some(service), "{word}");
    }
    for word in ["onboarding", "starter", "shop-2"] {
        assert_eq!(taken(word, &catalog), None, "{word}");
    }
}
