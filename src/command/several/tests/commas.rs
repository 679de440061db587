//! Tests of several services without commas, and of a bundle among services.

use super::*;
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
        ("google_ads, stripe hubspot acme", "google_ads, stripe, hubspot acme"),
        ("google_ads stripe acme to staging", "google_ads, stripe acme to staging"),
        ("onboarding mailchimp acme", "google_ads, stripe, hubspot, mailchimp acme"),
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
