//! Tests of several services as a whole command, which is judged like any other.

use super::{bundles, destinations};
use crate::command::places::NO_DEFAULTS;
use crate::command::surface::Surface;
use crate::command::{self, Command, UsageError, Vocabulary};
use crate::fivetran::catalog::Catalog;

/// As it arrives from Slack.
fn read(typed: &str) -> (Result<Command, UsageError>, bool) {
    let (catalog, destinations, bundles) = (Catalog::built_in(), destinations(), bundles());
    let (slash, channel) = (Surface::of("/connect-card"), &NO_DEFAULTS);
    let vocabulary =
        Vocabulary { slash, catalog: &catalog, destinations: &destinations, channel, bundles: &bundles };
    let found = command::parse(typed, &vocabulary);
    let hangs = command::hangs_on_the_catalogue(typed, &found, &catalog);
    (found, hangs)
}

#[test]
fn a_typed_schema_of_several_is_judged_as_one_of_a_single_command() {
    for (typed, lines) in [
        (
            "google_ads _acme_, hubspot crm to staging",
            ["google_ads acme, hubspot crm to staging", "google_ads \"_acme_\", hubspot crm to staging"],
        ),
        (
            "google_ads acme,hubspot _crm_",
            ["google_ads acme, hubspot crm", "google_ads acme, hubspot \"_crm_\""],
        ),
    ] {
        match read(typed).0 {
            Err(UsageError::Italic { bare, quoted }) => assert_eq!([bare.as_str(), quoted.as_str()], lines),
            other => panic!("{typed}: {other:?}"),
        }
        assert!(matches!(read(lines[1]).0, Ok(Command::Onboard(_))), "{}", lines[1]);
    }
    match read("google_ads acme, hubspot none, stripe x").0 {
        Err(UsageError::Doubtful { word, quoted, .. }) => {
            assert_eq!(
                (word.as_str(), quoted.as_str()),
                ("none", "google_ads acme, hubspot \"none\", stripe x")
            );
            assert!(matches!(read(&quoted).0, Ok(Command::Onboard(_))));
        }
        other => panic!("{other:?}"),
    }
    // Nobody typed the names, and they are shown first.
    assert!(matches!(read("google_ads, hubspot _acme_").0, Ok(Command::Onboard(it)) if it.asks));
}

#[test]
fn a_line_that_was_pasted_whole_comes_back_whole() {
    let catalog = Catalog::built_in();
    let long = |id: &&str| id.len() > 15;
    let ids = catalog.iter().filter(|it| it.obstacle.is_none()).map(|it| it.id.as_str());
    let ids: Vec<_> = ids.filter(long).collect();
    let line = format!("{} acme", ids[..20].join(", "));
    assert!(line.len() > 250);
    assert_eq!(read(&format!("/connect-card {line}")).0, Err(UsageError::Repeated { instead: line }));
}

#[test]
fn whatever_may_be_a_name_that_is_still_to_come_hangs_on_the_catalogue() {
    for (typed, hangs) in [
        ("google_ads, facebook_ads acme", false),
        ("google_ads,facebook_ads acme to staging", false),
        ("google_ads acme_ads, facebook_ads acme_more", false),
        // A service may be called that.
        ("google_ads, stripe acme", true),
        ("Google Ads, facebook_ads acme", true),
        ("adwords, facebook_ads acme", true),
        ("onboarding acme", true),
        ("google_ads, brand_new acme", true),
        ("google_ads, facebook_ads", true),
    ] {
        let (command, found) = read(typed);
        assert_eq!(found, hangs, "{typed}: {command:?}");
    }
}

#[test]
fn a_command_wins_over_whatever_follows_it() {
    for (typed, expected) in [
        ("list, please", None),
        ("status acme", Some("status")),
        ("services google_ads, stripe", Some("services")),
        ("google_ads,acme", None),
    ] {
        let command = read(typed).0;
        match expected {
            Some("status") => assert!(matches!(command, Ok(Command::Status(_))), "{command:?}"),
            Some(_) => assert!(matches!(command, Ok(Command::Services(_))), "{command:?}"),
            None => assert!(command.is_err(), "{typed}: {command:?}"),
        }
    }
    assert!(matches!(read("single acme").0, Ok(Command::Onboard(several)) if several.asks));
    assert!(matches!(read("google_ads, acme").0, Ok(Command::Connect(_))));
}
