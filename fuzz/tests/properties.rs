//! The targets on inputs that mean something: commands, patterns and names as they may be written, and texts of
//! every character. Mutation seldom makes these.
//!
//! `CONNECT_CARD_CASES=100000` is the long run; a case that fails is made as small as it can be and printed.

#![cfg(test)]

use std::sync::LazyLock;

use connect_card::command::bundle::NO_BUNDLES;
use connect_card::command::places::{Destinations, NO_DEFAULTS};
use connect_card::command::surface::Surface;
use connect_card::command::{self, Command, Vocabulary};
use connect_card::fivetran::catalog::Catalog;
use connect_card::fivetran::schema::SchemaKind;
use fuzz::{names, shown, typed};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Cases of each property in the suite.
const CASES: u32 = 200;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

fn config() -> Config {
    let rng_seed = RngSeed::Fixed(variable("CONNECT_CARD_SEED").unwrap_or(1));
    let cases = variable("CONNECT_CARD_CASES").unwrap_or(CASES);
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own variables")]
fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// A name that Fivetran takes.
fn name() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,62}"
}

/// What keyboards and Slack put around a word without changing it.
fn dressed(word: &str, how: u8) -> String {
    match how % 7 {
        0 => format!("\"{word}\""),
        1 => format!("“{word}”"),
        2 => format!("*\"{word}\"*"),
        3 => format!("`{word}`"),
        4 => format!("‘{word}’"),
        5 => format!("\u{2066}'{word}'\u{2069}"),
        _ => format!("~\"{word}\"~"),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_typed_in_quotes_is_what_is_meant(
        service in any::<prop::sample::Index>(),
        schema in name(),
        table in name(),
        to in any::<bool>(),
        how in any::<u8>(),
        space in prop::sample::select(vec![" ", "  ", "\u{a0}", "\t", " \u{200B} "]),
        capitals in any::<bool>(),
    ) {
        let services: Vec<_> = CATALOG.iter().filter(|it| it.obstacle.is_none()).collect();
        let service = services[service.index(services.len())];
        let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
        let target = if wants_table { format!("{schema}.{table}") } else { schema };
        let id = service.id.to_string();
        let id = if capitals { id.to_uppercase() } else { id };
        let behind = if to { format!("{space}to{space}staging") } else { String::new() };
        let text = format!("{id}{space}{}{behind}", dressed(&target, how));
        let destinations = Destinations {
            default_group: Some("g".to_owned()),
            named: [("staging".to_owned(), "s".to_owned())].into(),
            ..Destinations::default()
        };
        let vocabulary = Vocabulary {
            slash: Surface::of("/connect-card"),
            catalog: &CATALOG,
            destinations: &destinations,
            channel: &NO_DEFAULTS,
            bundles: &NO_BUNDLES,
        };
        match command::parse(&text, &vocabulary) {
            Ok(Command::Connect(request)) => {
                prop_assert_eq!(request.service, service.id.clone());
                prop_assert_eq!(request.target.connection_name(), target);
                prop_assert_eq!(request.group_id.as_str(), if to { "s" } else { "g" });
                prop_assert!(!request.by_channel);
            }
            other => prop_assert!(false, "{}: {:?}", text, other),
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_are_understood_or_answered(
        place in any::<u8>(),
        words in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "google_ads", "adwords", "Google", "Ads", "stripe", "google_sheets", "onboarding", "shop", "to",
                    "into", "for", "and", "&", ",", ";", "/", "->", "status", "renew", "cancel", "list", "help",
                    "services", "doctor", "staging", "prod", "eu-2", "moon", "acme", "acme.rows", "_acme_", "*acme*",
                    "\"acme", "corp\"", "“acme”", "SCHEMA", "CUSTOMER", "please", "the", "schema", "/connect-card",
                    "<@U1|bot>", "<#C1|x>", "&lt;", "- ", "\n- ", "> ", "googel_ads", "2024", "Müller", "statsu",
                ]).prop_map(str::to_owned),
                "\\PC{1,8}",
            ],
            0..9,
        ),
        joined in prop::sample::select(vec![" ", "", ", "]),
    ) {
        typed::command(&[&[place], words.join(joined).as_bytes()].concat());
    }

    #[test]
    fn foreign_text_stays_text(text in "\\PC{0,40}|[<>&@#!|*_~`\\n a-z]{0,60}|.{0,3100}") {
        shown::escape(text.as_bytes());
    }

    #[test]
    fn names_are_fivetrans(text in "[a-z_][a-z0-9_.]{0,70}|[A-Za-z0-9_. -]{0,40}|\\PC{0,30}|.{0,170}") {
        names::schema(text.as_bytes());
    }

    #[test]
    fn patterns_are_read_forwards_and_backwards(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec!["{customer}", "{service}", "{table}", "{destination}", "_", "."])
                    .prop_map(str::to_owned),
                "[a-z0-9_]{1,6}",
            ],
            1..6,
        ),
        customer in "[a-z_][a-z0-9_]{0,12}",
        destination in "[a-z0-9_-]{1,12}",
    ) {
        names::naming(format!("{}\n{customer}\n{destination}", pieces.concat()).as_bytes());
    }
}
