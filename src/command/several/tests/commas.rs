//! Tests of several services without commas, and of a bundle among services.

use super::*;
use crate::command::proposed::lines;
use crate::command::{Command, Doubt};

fn typed_in(channel: &ChannelDefaults, typed: &str) -> Result<Command, UsageError> {
    let (catalog, destinations, bundles) = (Catalog::built_in(), destinations(), bundles());
    let slash = Surface::of("/connect-card");
    let vocabulary =
        Vocabulary { slash, catalog: &catalog, destinations: &destinations, channel, bundles: &bundles };
    crate::command::parse(typed, &vocabulary)
}

#[test]
fn several_services_without_commas_are_shown_with_them() {
    for (typed, line) in [
        ("google_ads stripe acme", "google_ads, stripe acme"),
        ("Google Ads HubSpot Stripe for acme please", "google_ads, hubspot, stripe acme"),
        ("google ads facebook pages acme", "google_ads, facebook_pages acme"),
        ("google_ads stripe acme to staging", "google_ads, stripe acme to staging"),
        ("onboarding and mailchimp acme", "google_ads, stripe, hubspot, mailchimp acme"),
        ("mailchimp and onboarding acme", "mailchimp, google_ads, stripe, hubspot acme"),
    ] {
        let expected = UsageError::CommasMissing { instead: line.to_owned() };
        assert_eq!(typed_in(&NO_DEFAULTS, typed), Err(expected), "{typed}");
        // The line does what it says.
        assert!(matches!(typed_in(&NO_DEFAULTS, line), Ok(Command::Onboard(_))), "{line}");
    }
    let acme = by("{customer}_{service}");
    let expected = UsageError::CommasMissing { instead: "google_ads, stripe, hubspot".to_owned() };
    assert_eq!(typed_in(&acme, "google_ads stripe hubspot"), Err(expected));
    let missing = UsageError::CustomerMissing { line: "google_ads, stripe, hubspot CUSTOMER".to_owned() };
    assert_eq!(typed_in(&NO_DEFAULTS, "google_ads stripe hubspot"), Err(missing));
}

#[test]
fn a_customer_whose_first_word_is_a_service_may_be_one_all_the_same() {
    for (typed, line, several) in [
        (
            "onboarding Harvest Foods",
            "onboarding harvest_foods",
            "google_ads, stripe, hubspot, harvest foods",
        ),
        (
            "google_ads, stripe Segment Partners",
            "google_ads, stripe segment_partners",
            "google_ads, stripe, segment partners",
        ),
        (
            "google_ads, stripe hubspot acme",
            "google_ads, stripe hubspot_acme",
            "google_ads, stripe, hubspot acme",
        ),
        (
            "google_ads, stripe Harvest Foods to staging",
            "google_ads, stripe harvest_foods to staging",
            "google_ads, stripe, harvest foods to staging",
        ),
    ] {
        let error = typed_in(&NO_DEFAULTS, typed).unwrap_err();
        assert!(matches!(error, UsageError::CustomerOrServices { .. }), "{typed}: {error:?}");
        assert_eq!(lines(&error), [line, several], "{typed}");
        for line in [line, several] {
            assert!(matches!(typed_in(&NO_DEFAULTS, line), Ok(Command::Onboard(_))), "{line}");
        }
    }
}

#[test]
fn what_begins_with_and_goes_on_with_services() {
    let error = typed_in(&NO_DEFAULTS, "onboarding and mailchimp Acme").unwrap_err();
    assert!(matches!(error, UsageError::BadCustomer { .. }), "{error:?}");
    assert_eq!(lines(&error), ["google_ads, stripe, hubspot, mailchimp acme"]);
    let error = typed_in(&NO_DEFAULTS, "google_ads, stripe and hubspt acme").unwrap_err();
    assert_eq!(lines(&error), ["google_ads, stripe, hubspot acme"]);
}

#[test]
fn what_is_typed_in_a_customers_name_is_in_it() {
    for (typed, nearest) in [
        ("google_ads, stripe Acme Corp and Sons", "acme_corp_and_sons"),
        ("google_ads stripe Acme Corp and Sons", "acme_corp_and_sons"),
        ("google_ads and stripe Acme Corp and Sons", "acme_corp_and_sons"),
        ("onboarding Harvest and Sons", "harvest_and_sons"),
        ("google_ads, stripe Harvest Foods and Sons", "harvest_foods_and_sons"),
    ] {
        let error = typed_in(&NO_DEFAULTS, typed).unwrap_err();
        let UsageError::BadCustomer { name, .. } = &error else { panic!("{typed}: {error:?}") };
        assert_eq!(name.nearest.as_deref(), Some(nearest), "{typed}");
        assert_eq!(lines(&error), [""; 0], "{typed}");
    }
    // Which of these is a service, and which a customer, is not guessed.
    for typed in [
        "google_ads stripe H & M",
        "google_ads, stripe H & M",
        "google_ads, stripe Procter & Gamble",
        "google_ads, stripe Acme and Suns",
        "google_ads, stripe, Marks and Spencer",
        "google_ads stripe Harvest and Sons",
        "google_ads Harvest and Sons",
        "google_ads Acme and Sons stripe",
    ] {
        let error = typed_in(&NO_DEFAULTS, typed).unwrap_err();
        assert!(matches!(error, UsageError::Unclear { complete: false, .. }), "{typed}: {error:?}");
        assert_eq!(lines(&error), [""; 0], "{typed}");
    }
    for (typed, line) in [
        ("google_ads Acme and Sons", "google_ads acme_and_sons"),
        ("google_ads Müller & Söhne", "google_ads muller_sohne"),
    ] {
        assert_eq!(lines(&typed_in(&NO_DEFAULTS, typed).unwrap_err()), [line], "{typed}");
    }
}

#[test]
fn nothing_is_made_of_what_stands_in_quotes_but_one_name() {
    for typed in [
        "google_ads \"stripe data\"",
        "google_ads “stripe data”",
        "google_ads *'stripe data'*",
        "google_ads, \"stripe data\"",
        "google_ads,\"stripe data\"",
        "google_ads, \"stripe data\", hubspot acme",
        "google_ads acme, \"stripe data\"",
        "google_ads, \"onboarding acme\"",
    ] {
        let error = typed_in(&NO_DEFAULTS, typed).unwrap_err();
        assert_eq!(error, UsageError::SpacedSchema { instead: None }, "{typed}");
    }
    let line = UsageError::SpacedSchema { instead: Some("google_ads acme_corp".to_owned()) };
    assert_eq!(typed_in(&NO_DEFAULTS, "google_ads \"Acme Corp\""), Err(line));
    for typed in ["onboarding \"Harvest Foods\"", "google_ads, stripe “Segment Partners”"] {
        let error = typed_in(&NO_DEFAULTS, typed).unwrap_err();
        assert!(matches!(error, UsageError::BadCustomer { .. }), "{typed}: {error:?}");
    }
    // A service's whole name may stand in them, and so may the line.
    for typed in [
        "\"Google Ads\", stripe acme",
        "stripe, \"Google Ads\" acme",
        "\"google_ads, stripe acme\"",
        "`google_ads, stripe` acme",
        "\"google_ads and stripe\" acme",
    ] {
        assert!(matches!(typed_in(&NO_DEFAULTS, typed), Ok(Command::Onboard(_))), "{typed}");
    }
    for typed in ["`google_ads stripe acme`", "`google_ads` stripe acme"] {
        let commas = UsageError::CommasMissing { instead: "google_ads, stripe acme".to_owned() };
        assert_eq!(typed_in(&NO_DEFAULTS, typed), Err(commas), "{typed}");
    }
}

#[test]
fn what_is_one_service_stays_one() {
    for (typed, line) in [
        ("google_ads big acme", "google_ads big_acme"),
        ("facebook pages acme corp", "facebook_pages acme_corp"),
    ] {
        let expected = UsageError::SpacedSchema { instead: Some(line.to_owned()) };
        assert_eq!(typed_in(&NO_DEFAULTS, typed), Err(expected), "{typed}");
    }
    assert!(matches!(error(&NO_DEFAULTS, "google_ads, stripe big acme"), UsageError::BadCustomer { .. }));
}

#[test]
fn two_services_may_be_a_service_and_a_schema() {
    for (channel, line) in
        [(&NO_DEFAULTS, "google_ads, stripe CUSTOMER"), (&by("{customer}_{service}"), "google_ads, stripe")]
    {
        let Err(UsageError::Doubtful { what: Doubt::Service { both, .. }, quoted, .. }) =
            typed_in(channel, "google_ads stripe")
        else {
            panic!("{line}")
        };
        assert_eq!((both.as_deref(), quoted.as_str()), (Some(line), "google_ads \"stripe\""));
    }
}

#[test]
fn a_bundle_stands_among_services_for_its_own() {
    let all = ["acme_google_ads", "acme_stripe", "acme_hubspot", "acme_mailchimp"];
    for typed in [
        "onboarding, mailchimp acme",
        "Onboarding,mailchimp acme",
        "onboarding , mailchimp acme",
        "onboarding, stripe, mailchimp, acme",
        "onboarding, mailchimp and hubspot for acme",
    ] {
        assert_eq!(
            names(&NO_DEFAULTS, typed),
            (Some("acme".to_owned()), all.map(str::to_owned).into(), true)
        );
    }
    let (_, names, _) = names(&NO_DEFAULTS, "mailchimp, onboarding acme");
    assert_eq!(names.last().map(String::as_str), Some("acme_hubspot"));
    assert_eq!(names.len(), 4);
    // Beside schemas of their own its services have none.
    assert!(matches!(error(&NO_DEFAULTS, "mailchimp a, onboarding b"), UsageError::Mixed { .. }));
    // A customer with a comma in the name is one all the same.
    assert!(matches!(error(&NO_DEFAULTS, "onboarding Acme, Inc"), UsageError::BadCustomer { .. }));
}
