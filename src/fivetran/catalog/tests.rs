//! Tests of the catalogue: the built-in table against Fivetran's own description of each service,
//! and the rules by which a typed name is understood.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::fivetran::schema::Target;

/// Service id to `config` keys, `*` behind each required one.
fn described() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../tests/fixtures/fivetran-schema-kinds.json");
    serde_json::from_str(text).unwrap()
}

fn live(rows: &[(&str, &str)]) -> Catalog {
    let row = |&(id, name): &(&str, &str)| (id.to_owned(), name.to_owned(), None);
    Catalog::from_live(rows.iter().map(row)).unwrap()
}

/// `exact:`, `named:` or `retired:` and the id, or `?` and the suggested ids.
fn meaning(catalog: &Catalog, typed: &str) -> String {
    match catalog.resolve(typed) {
        Resolution::Exact(service) => format!("exact:{}", service.id),
        Resolution::Named(service) => format!("named:{}", service.id),
        Resolution::Retired { successor, .. } => format!("retired:{}", successor.id),
        Resolution::Unknown { suggestions } => {
            suggestions.iter().fold("?".to_owned(), |text, service| format!("{text} {}", service.id))
        }
    }
}

fn ids(services: &[&Service]) -> Vec<String> {
    services.iter().map(|service| service.id.to_string()).collect()
}

#[test]
fn the_built_in_table_lists_exactly_the_described_services() {
    let catalog = Catalog::built_in();
    let listed: BTreeSet<_> = catalog.iter().map(|service| service.id.to_string()).collect();
    assert_eq!(listed, described().into_keys().collect());
    assert_eq!(catalog.len(), 773);
    assert_eq!(BUILT_IN.lines().count(), 773);
    assert!(BUILT_IN.lines().map(|line| line.split('\t').next()).is_sorted());
}

#[test]
fn every_service_is_given_exactly_its_required_keys() {
    let catalog = Catalog::built_in();
    let plain = Target::parse("acme").unwrap();
    let pair = Target::parse("acme.orders").unwrap();
    for (id, keys) in described() {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let required: BTreeSet<&str> = keys.iter().filter_map(|key| key.strip_suffix('*')).collect();
        let kind = catalog.get(&id).unwrap().kind.unwrap();

        let fitting: Vec<_> = [&plain, &pair].into_iter().filter(|t| t.fits(kind).is_ok()).collect();
        assert_eq!(fitting.len(), 1, "{id}");
        let config = fitting[0].config(kind);
        assert_eq!(config.keys().map(String::as_str).collect::<BTreeSet<_>>(), required, "{id}");
        for (key, value) in &config {
            let expected = if key.starts_with("table") { "orders" } else { "acme" };
            assert_eq!(value, expected, "{id}");
        }

        let required: Vec<&str> = required.into_iter().collect();
        assert_eq!(config_kind(&required, &[]), kind, "{id}");
        assert_eq!(config_kind(&[], &required), kind, "{id}");
    }
}

#[test]
fn required_keys_outweigh_properties() {
    let all = ["schema", "table", "table_group_name", "schema_prefix"];
    assert_eq!(config_kind(&["schema"], &all), SchemaKind::Schema);
    assert_eq!(config_kind(&["schema", "schema_prefix"], &[]), SchemaKind::Prefix);
    assert_eq!(config_kind(&["api_token"], &["schema", "table"]), SchemaKind::Table);
    assert_eq!(config_kind(&[], &["host"]), SchemaKind::Schema);
}

#[test]
fn built_in_names_are_told_apart_and_written_as_their_makers_do() {
    let catalog = Catalog::built_in();
    assert!(catalog.by_name.values().all(Option::is_some));
    for (id, name) in [
        ("bingads", "Microsoft Advertising"),
        ("mongo", "MongoDB"),
        ("hubspot", "HubSpot"),
        ("s3", "Amazon S3"),
        ("sftp", "SFTP"),
        ("absorb_lms", "Absorb LMS"),
        ("culture_amp", "Culture Amp"),
    ] {
        assert_eq!(catalog.get(id).unwrap().name, name);
    }
    for service in catalog.iter() {
        assert_eq!(service.name.trim(), service.name);
        assert!(!service.name.is_empty());
    }
}

#[test]
fn typed_names_are_understood_in_order() {
    let catalog = Catalog::built_in();
    for (typed, expected) in [
        ("google_ads", "exact:google_ads"),
        (" Google_ads ", "exact:google_ads"),
        ("Google Ads", "named:google_ads"),
        ("google-ads", "named:google_ads"),
        ("GOOGLE ADS", "named:google_ads"),
        ("google\u{2013}ads", "named:google_ads"),
        ("sales force", "named:salesforce"),
        ("microsoft_advertising", "named:bingads"),
        ("postgresql", "named:postgres"),
        ("S3", "exact:s3"),
        ("adwords", "retired:google_ads"),
        ("AdWords", "retired:google_ads"),
        ("google_adwords", "retired:google_ads"),
        ("Google AdWords", "retired:google_ads"),
        ("", "?"),
        ("<!channel>", "?"),
    ] {
        assert_eq!(meaning(&catalog, typed), expected, "{typed:?}");
    }
    for (typed, first) in [
        ("googel_ads", "? google_ads"),
        ("hubspto", "? hubspot"),
        ("google_analytics", "? google_analytics_4"),
        ("facebook", "? facebook_ads"),
        ("facebook_ad_account", "? facebook_ads"),
    ] {
        let meaning = meaning(&catalog, typed);
        assert!(meaning.starts_with(first), "{typed}: {meaning}");
    }
}

#[test]
fn a_name_is_understood_however_it_is_written() {
    let catalog = Catalog::built_in();
    for typed in [
        "google display and video 360",
        "Google Display & Video 360",
        "Google Display &amp; Video 360",
        "google display + video 360",
        "Google Display/Video 360",
        "google display, video 360",
        "google_display_video_360",
        "Google Displ\u{e1}y & Vid\u{e9}o 360",
    ] {
        assert_eq!(meaning(&catalog, typed), "named:google_display_and_video_360", "{typed}");
    }
    for (typed, expected) in [
        ("cal com", "named:calcom"),
        ("e-conomic", "named:economic"),
        ("Yahoo Search Ads Yahoo Japan", "named:yahoo_search_ads_yahoo_japan"),
        ("google ad", "named:google_ads"),
        ("Google Sheet", "named:google_sheets"),
        ("facebook page", "named:facebook_pages"),
        ("stripes", "named:stripe"),
        ("Stripe (payments)", "named:stripe"),
        ("x (formerly Twitter)", "named:twitter"),
        ("X Ads (formerly Twitter Ads)", "named:twitter_ads"),
        ("SQL Server (high-volume agent)", "named:sql_server_hva"),
    ] {
        assert_eq!(meaning(&catalog, typed), expected, "{typed}");
    }
    let catalog = live(&[("twitter_ads", "X Ads (formerly Twitter Ads)"), ("x_a", "X A"), ("x_as", "X As")]);
    for typed in ["X Ads", "x ad", "Twitter Ads", "X Ads formerly Twitter Ads"] {
        assert!(meaning(&catalog, typed).ends_with(":twitter_ads"), "{typed}");
    }
    assert!(meaning(&catalog, "XA").ends_with(":x_a"), "a whole name goes before a singular");
}

#[test]
fn absent_names_are_hinted_at_under_fivetrans_own_display_names() {
    let catalog = live(&[
        ("bigquery_db", "BigQuery Source"),
        ("bingads", "Microsoft Ads Connector"),
        ("mongo", "Mongo"),
        ("postgres", "Generic"),
        ("snowflake_db", "Snowflake DB"),
    ]);
    for (typed, expected) in [
        ("bigquery", "? bigquery_db"),
        ("microsoft_advertising", "? bingads"),
        ("mongodb", "? mongo"),
        ("postgresql", "? postgres"),
        ("snowflake", "? snowflake_db"),
        ("adwords", "?"),
    ] {
        assert_eq!(meaning(&catalog, typed), expected, "{typed}");
    }
}

#[test]
fn a_retired_name_that_fivetran_lists_is_not_replaced() {
    let catalog = live(&[("adwords", "Old Ads"), ("google_ads", "Google Ads")]);
    assert_eq!(meaning(&catalog, "AdWords"), "exact:adwords");
    assert!(meaning(&catalog, "google_adwords").starts_with('?'));
    let catalog = live(&[("aw_old", "Google AdWords"), ("google_ads", "Google Ads")]);
    assert_eq!(meaning(&catalog, "google_adwords"), "named:aw_old");
}

#[test]
fn a_shared_display_name_is_a_question() {
    let catalog = live(&[("ads_two", "Some Ads"), ("ads_one", "some ads")]);
    assert_eq!(meaning(&catalog, "Some Ads"), "? ads_one ads_two");
}

#[test]
fn what_was_typed_is_repeated_only_in_part() {
    let padded = format!("adwords{}", "-".repeat(4096));
    let Resolution::Retired { typed, .. } = Catalog::built_in().resolve(&padded) else {
        panic!("not retired")
    };
    assert_eq!(typed.chars().count(), MAX_TYPED_LEN);
}

#[test]
fn live_rows_are_taken_leniently() {
    let row = |id: &str, name: &str, status: Option<&str>| {
        (id.to_owned(), name.to_owned(), status.map(str::to_owned))
    };
    assert!(Catalog::from_live(Vec::<Row>::new()).is_none());
    assert!(Catalog::from_live([row("Not An Id", "x", None), row("", "x", None)]).is_none());

    let catalog = Catalog::from_live([
        row("s3", " Amazon S3 ", Some("general_availability")),
        row("s3", "Again", Some("beta")),
        row("brand_new", "", Some("marvellous")),
        row("old", "Old", Some("sunset")),
        row(&"x".repeat(101), "Too long", None),
    ])
    .unwrap();
    assert_eq!(catalog.len(), 3);
    let s3 = catalog.get("s3").unwrap();
    assert_eq!((s3.name.as_str(), s3.kind), ("Amazon S3", Some(SchemaKind::TableGroup)));
    assert_eq!(s3.status, ServiceStatus::Available);
    let new = catalog.get("brand_new").unwrap();
    assert_eq!((new.name.as_str(), new.kind), ("brand_new", None));
    assert_eq!(new.status, ServiceStatus::Unknown);
    assert_eq!(catalog.get("old").unwrap().status, ServiceStatus::Sunset);
}

#[test]
fn search_wants_every_word_and_puts_beginnings_first() {
    let catalog = Catalog::built_in();
    let found = ids(&catalog.search("google ads", 10));
    assert_eq!(found, ["google_ads", "google_search_ads_360"]);
    assert_eq!(ids(&catalog.search("GOOGLE_A", 1)), ["google_ads"]);
    assert_eq!(ids(&catalog.search("advert micro", 9)), ["bingads"]);
    assert_eq!(ids(&catalog.search("face", 2)), ["facebook_ads", "facebook_pages"]);
    assert!(ids(&catalog.search("force", 9)).contains(&"salesforce".to_owned()));
    assert!(catalog.search("no such thing", 10).is_empty());
    assert!(catalog.search("google", 0).is_empty());

    let all = catalog.search(" _ ", 1000);
    assert_eq!(all.len(), catalog.len());
    assert_eq!(ids(&all[..POPULAR.len()]), POPULAR);
    assert!(all[POPULAR.len()..].is_sorted_by_key(|service| service.name.to_lowercase()));
}

/// What is looked for is bounded, so that whatever is typed costs no more than a long name does.
#[test]
fn of_a_long_text_only_the_beginning_is_looked_for() {
    let catalog = Catalog::built_in();
    let long = "b".repeat(64);
    let live = Catalog::from_live([("long".to_owned(), long.clone(), None)]).unwrap();
    let misspelt = long.replacen('b', "c", 1) + &"x".repeat(4000);
    let Resolution::Unknown { suggestions } = live.resolve(&misspelt) else { panic!("it is misspelt") };
    assert_eq!(suggestions.len(), 1, "the first 64 characters are near its name");
    let words = "google ads".to_owned() + &" ".repeat(MAX_TYPED_LEN);
    assert!(!catalog.search(&words, 100).is_empty());
    assert_eq!(catalog.search(&(words.clone() + "stripe"), 100), catalog.search(&words, 100));
}

#[test]
fn the_live_list_says_what_a_link_cannot_set_up() {
    let row = |id: &str, category: &str, by_api: Option<bool>| Row {
        id: id.to_owned(),
        category: Some(category.to_owned()),
        by_api,
        ..Row::default()
    };
    let rows = [
        row("google_ads", "Marketing", Some(true)),
        row("brand_new_function", "Function", Some(true)),
        row("new_agent", "Hvr", Some(true)),
        row("site_only", "Marketing", Some(false)),
        row("quiet", "Marketing", None),
        row("connector_sdk", "Function", Some(true)),
    ];
    let obstacles = |rows: &[Row]| -> Vec<_> {
        let catalog = Catalog::from_live(rows.to_vec()).unwrap();
        rows.iter().map(|row| catalog.get(&row.id).unwrap().obstacle).collect()
    };
    let (function, agent, code) = (Some(Obstacle::Function), Some(Obstacle::Agent), Some(Obstacle::OwnCode));
    assert_eq!(obstacles(&rows), [None, function, agent, Some(Obstacle::NotByApi), None, code]);
    // Where the feature is never told, its absence says nothing.
    assert_eq!(obstacles(&rows[3..5]), [None, None]);
}
