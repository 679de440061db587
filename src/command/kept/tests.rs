//! Tests of what is proposed, against everything that was typed.

use super::*;
use crate::command::bundle::Bundles;
use crate::command::naming::Schema;
use crate::command::parse;
use crate::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
use crate::fivetran::catalog::ServiceId;

const MARKS: [&str; 7] = [",", ";", "/", "+", " and ", "\u{3001}", " "];

struct Setting {
    catalog: Catalog,
    destinations: Destinations,
    bundles: Bundles,
    channels: Vec<ChannelDefaults>,
}

fn setting() -> Setting {
    let pattern = |pattern: &str| ChannelDefaults {
        schema: Some(Schema::parse(pattern).unwrap()),
        customer: Some(Customer::parse("initech").unwrap()),
        ..ChannelDefaults::default()
    };
    let ids = ["stripe", "hubspot"].map(|id| ServiceId::parse(id).unwrap());
    Setting {
        catalog: Catalog::built_in(),
        destinations: Destinations {
            default_group: Some("default_group".to_owned()),
            named: [("eu".to_owned(), "eu_group".to_owned())].into(),
            ..Destinations::default()
        },
        bundles: Bundles { by_name: [("onboarding".to_owned(), ids.to_vec())].into() },
        channels: vec![NO_DEFAULTS.clone(), pattern("{customer}_{service}"), pattern("{service}")],
    }
}

impl Setting {
    fn parse(&self, typed: &str, channel: &ChannelDefaults) -> Result<Command, UsageError> {
        let Self { catalog, destinations, bundles, .. } = self;
        let slash = Surface::of("/connect-card");
        parse(typed, &Vocabulary { slash, catalog, destinations, channel, bundles })
    }

    fn error(&self, typed: &str) -> UsageError {
        self.parse(typed, &NO_DEFAULTS).map_or_else(|error| error, |command| panic!("{typed}: {command:?}"))
    }
}

/// The services, the schemas that come of typed words, and where to, of what a line makes.
fn made(command: &Command) -> Option<(Vec<&str>, Vec<String>, Option<&str>)> {
    let sources = match command {
        Command::Connect(request) => std::slice::from_ref(request),
        Command::Onboard(several) => several.onboard.sources.as_slice(),
        _ => return None,
    };
    let names = sources.iter().map(|source| source.target.schema.to_string()).collect();
    let services = sources.iter().map(|source| source.service.as_str()).collect();
    Some((services, names, sources.first().and_then(|source| source.destination.as_deref())))
}

#[test]
fn what_can_be_pressed_has_every_service_and_nobodys_word_as_another_kind() {
    let setting = setting();
    let mut pressed = 0;
    let orders = [
        ["google_ads", "stripe", "acme"],
        ["google_ads", "acme", "stripe"],
        ["acme", "google_ads", "stripe"],
    ];
    let plain = &setting.channels[0];
    let around = [("to eu ", ""), ("eu ", "")].map(|around| (around, plain));
    let bare = setting.channels.iter().map(|channel| (("", ""), channel));
    let places: Vec<_> = around.into_iter().chain(bare).collect();
    for order in orders {
        for first in MARKS {
            for second in MARKS {
                for ((before, behind), channel) in &places {
                    let [a, b, c] = order;
                    let typed = format!("{before}{a}{first}{b}{second}{c}{behind}");
                    pressed += setting.try_all(&typed, &order, channel);
                }
            }
        }
    }
    // It can fail: many have a proposal.
    assert!(pressed > 100, "{pressed}");
}

impl Setting {
    /// Tries every proposal for a text; how many there were.
    fn try_all(&self, typed: &str, words: &[&str], channel: &ChannelDefaults) -> usize {
        let is_name = |word: &&&str| word.eq_ignore_ascii_case("acme");
        let ids: Vec<_> =
            words.iter().filter(|it| !is_name(it)).map(|it| it.to_lowercase().replace(' ', "_")).collect();
        let Err(error) = self.parse(typed, channel) else { return 0 };
        let lines = lines(&error);
        for line in &lines {
            let read = self.parse(line, channel);
            let said = format!("{typed:?} -> {line:?}: {read:?}");
            for id in ids.iter().map(String::as_str).chain(["acme"]) {
                assert!(line.split([' ', ',']).any(|word| word == id), "{id} is lost: {said}");
            }
            let Ok(command) = &read else { continue };
            let (services, names, landed) = made(command).unwrap_or_else(|| panic!("{said}"));
            assert!(ids.iter().all(|id| services.contains(&id.as_str())), "{said}");
            assert_eq!(services.len(), ids.len(), "{said}");
            if typed.contains("to eu") {
                assert_eq!(landed, Some("eu"), "{said}");
            }
            for (service, name) in services.iter().zip(&names) {
                assert!(!name.split('_').any(|part| part == "eu"), "{said}");
                let others = ids.iter().filter(|id| id != service);
                assert!(others.into_iter().all(|id| !name.contains(id.as_str())), "{said}");
            }
        }
        lines.len()
    }
}

#[test]
fn of_two_names_none_is_made_one() {
    let setting = setting();
    for first in MARKS {
        for second in MARKS {
            for third in [",", "/", "\u{3001}"] {
                let typed = format!("google_ads{first}stripe{second}acme{third}globex");
                let Err(error) = setting.parse(&typed, &NO_DEFAULTS) else { continue };
                for line in lines(&error) {
                    assert!(line.contains("acme") && line.contains("globex"), "{typed:?} -> {line}");
                    let joined = line.contains("acme_globex") || line.contains("acmeglobex");
                    assert!(!joined, "{typed:?} -> {line}");
                }
            }
        }
    }
    for typed in
        ["google_ads, stripe acme globex", "google_ads; stripe acme globex to eu", "onboarding acme globex"]
    {
        match setting.error(typed) {
            error @ UsageError::BadCustomer { .. } => assert_eq!(lines(&error), [""; 0], "{typed}"),
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_told_is_asked_for_in_order() {
    let setting = setting();
    for (typed, line, complete) in [
        ("google_ads acme stripe", "google_ads, stripe acme", true),
        ("google_ads/acme stripe", "google_ads, stripe acme", true),
        ("to eu google_ads", "google_ads SCHEMA to eu", false),
        ("eu google_ads", "google_ads SCHEMA to eu", false),
        ("to eu google_ads acme", "google_ads acme to eu", true),
        ("google_ads to eu acme", "google_ads acme to eu", true),
    ] {
        match setting.error(typed) {
            UsageError::Unclear { line: found, complete: is, .. } => {
                assert_eq!((found.as_str(), is), (line, complete), "{typed}");
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
}

#[test]
fn a_comma_too_late_is_put_right() {
    let setting = setting();
    for (typed, line) in [
        ("google_ads stripe, acme", "google_ads, stripe acme"),
        ("google_ads stripe, acme to eu", "google_ads, stripe acme to eu"),
    ] {
        assert_eq!(lines(&setting.error(typed)), [line], "{typed}");
    }
}

#[test]
fn other_marks_between_services_are_commas() {
    let setting = setting();
    for typed in [
        "google_ads/stripe acme",
        "google_ads / stripe acme",
        "google_ads+stripe acme",
        "google_ads + stripe + acme",
        "google_ads&stripe acme",
        "google_ads|stripe acme",
        "google_ads; stripe acme",
        "google_ads; stripe; acme",
        "google_ads\u{3001}stripe acme",
        "google_ads\u{FF0C}stripe\u{FF0C}acme",
        "Google Ads/Stripe acme",
    ] {
        match setting.parse(typed, &NO_DEFAULTS) {
            Ok(Command::Onboard(several)) => {
                assert_eq!(
                    (several.line.as_str(), several.asks),
                    ("google_ads, stripe acme", true),
                    "{typed}"
                );
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    // A name with such a mark in it is one service, and behind a service it parts no list.
    for typed in ["Google Display & Video 360 acme.x", "Db2 for z/OS acme"] {
        assert!(!matches!(setting.parse(typed, &NO_DEFAULTS), Ok(Command::Onboard(_))), "{typed}");
    }
}
