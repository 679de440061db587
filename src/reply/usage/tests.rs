//! Tests of what is said of a text that is no command.

use super::*;
use crate::command::bundle::NO_BUNDLES;
use crate::command::naming::{Customer, Schema};
use crate::command::places::{ChannelDefaults, Destinations, NO_DEFAULTS};
use crate::command::{Vocabulary, parse};
use crate::fivetran::catalog::Catalog;

#[test]
fn words_in_the_wrong_place_are_put_right() {
    let slash = Surface::of("/connect-card");
    let catalog = Catalog::built_in();
    let destinations = Destinations {
        default_group: Some("default_group".to_owned()),
        named: [("staging".to_owned(), "staging_group".to_owned())].into(),
        ..Destinations::default()
    };
    let vocabulary = Vocabulary {
        slash,
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    let said = |typed: &str| usage_sentence(&parse(typed, &vocabulary).unwrap_err(), slash);
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
        ("acme Google Sheets", "The service comes first: /connect-card google_sheets acme.google_sheets"),
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
            "Amazon S3 needs SCHEMA.TABLE: add the name of the table group. Try: /connect-card s3 lake.s3 to staging",
        ),
        (
            "google_ads to staging",
            "Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA",
        ),
        (
            "google_sheets",
            "Where should the data from Google Sheets go? Add a schema: /connect-card google_sheets SCHEMA.TABLE",
        ),
        (
            "google_ads acme to",
            "Nothing comes after “to”. Add the name of a destination (staging), or leave it out: /connect-card google_ads acme",
        ),
        (
            "google_ads to",
            "Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA",
        ),
        (
            "google_ads to acme",
            "The schema comes right after the service, without “to”. Try: /connect-card google_ads acme",
        ),
        (
            "google_ads for Big Acme to staging",
            "The schema comes right after the service, without “for”. Try: /connect-card google_ads big_acme to staging",
        ),
        (
            "/connect-card google_ads acme to staging",
            "There's a word too many at the start. Try: /connect-card google_ads acme to staging",
        ),
        ("connect-card status acme", "There's a word too many at the start. Try: /connect-card status acme"),
        (
            "/connect-card googel_ads acme",
            "I don't know a service called “googel_ads”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads acme",
        ),
        // Whatever is proposed stays for good: nothing is made of half a sentence.
        (
            "google_ads acme to destination staging",
            "A schema can't contain spaces. Try: /connect-card google_ads acme to staging",
        ),
        (
            "google_ads acme staging",
            "A schema can't contain spaces. Try: /connect-card google_ads acme to staging",
        ),
        (
            "google_ads acme for staging",
            "A schema can't contain spaces. Try: /connect-card google_ads acme to staging",
        ),
        (
            "google_ads acme --destination staging",
            "A schema can't contain spaces. Try: /connect-card google_ads acme to staging",
        ),
        (
            "google_ads acme to staging please",
            "A schema can't contain spaces. Try: /connect-card google_ads acme to staging",
        ),
        ("google_ads acme please", "A schema can't contain spaces. Try: /connect-card google_ads acme"),
        ("google_ads acme for bob", "A schema can't contain spaces. Use a–z, 0–9 and _."),
        ("google_ads acme to nowhere please", "I don't know a destination called “nowhere”. I know staging."),
        ("acme to staging google_ads", "The service comes first: /connect-card google_ads acme to staging"),
        ("for acme google_ads", "The service comes first: /connect-card google_ads acme"),
        (
            "to staging google_ads acme",
            "I'm not sure which of these is the schema, so I didn't do anything. The service comes first, then the schema: /connect-card google_ads acme to staging",
        ),
        ("google_ads acme google_ads acme", "A schema can't contain spaces. Use a–z, 0–9 and _."),
        (
            "google_ads x3 /connect-card stripe x4",
            "I'm not sure which of these belong together, so I didn't do anything. Put commas between the services, and the customer's name behind the last one: /connect-card google_ads, stripe CUSTOMER",
        ),
        (
            "google_sheets acme sheet1",
            "A schema can't contain spaces. Try: /connect-card google_sheets acme.sheet1",
        ),
        (
            "google_ads Škoda",
            "“Škoda” isn't a valid schema: it has “Š” (use a–z, 0–9 and _). Try: /connect-card google_ads skoda",
        ),
        (
            "google_ads \u{0430}cme",
            "“\u{0430}cme” isn't a valid schema: it has “\u{0430}” (use a–z, 0–9 and _).",
        ),
        (
            "google_ads https://acme.com",
            "“https://acme.com” isn't a valid schema: it has “:” and “/” (use a–z, 0–9 and _).",
        ),
        ("google_ads.acme", "Put a space between the service and the schema: /connect-card google_ads acme"),
        ("google_ads:acme", "Put a space between the service and the schema: /connect-card google_ads acme"),
        ("google_ads->acme", "Put a space between the service and the schema: /connect-card google_ads acme"),
        (
            "@connect-card google_ads acme",
            "There's a word too many at the start. Try: /connect-card google_ads acme",
        ),
        (
            "<@U0BOT> google_ads acme",
            "There's a word too many at the start. Try: /connect-card google_ads acme",
        ),
        (
            "/connect-card: google_ads acme",
            "There's a word too many at the start. Try: /connect-card google_ads acme",
        ),
        ("status google_ads acme", "Type one schema: /connect-card status acme"),
        ("cancel acme please", "Type one schema: /connect-card cancel acme"),
        ("status ACME", "“ACME” isn't a valid schema. Try: /connect-card status acme"),
        (
            "google_ads status",
            "“status” is one of my commands, and a schema can't be renamed later, so I didn't create anything. If it's what you want, put it in quotes: /connect-card google_ads \"status\"",
        ),
        (
            "acme connector_sdk",
            "Connector SDK runs code of your own that has to be uploaded first, so a link alone isn't enough and I didn't create anything. Fivetran's documentation says how, under Connector SDK.",
        ),
        ("cancle acme", "I don't know the command “cancle”. Try: /connect-card cancel acme"),
        ("stauts for acme", "I don't know the command “stauts”. Try: /connect-card status acme"),
        ("connect stripe", "Where should the data from Stripe go? Add a schema: /connect-card stripe SCHEMA"),
        (
            "google_ads please",
            "“please” doesn't look like the name of a schema, and a schema can't be renamed later, so I didn't create anything. If it's what you want, put it in quotes: /connect-card google_ads \"please\"",
        ),
        (
            "google_sheets help.google_sheets",
            "“help” is one of my commands, and a schema can't be renamed later, so I didn't create anything. If it's what you want, put it in quotes: /connect-card google_sheets \"help.google_sheets\"",
        ),
        ("google_sheets SCHEMA.TABLE please", "A schema can't contain spaces. Use a–z, 0–9 and _."),
        ("Chanel google_ads", "The service comes first: /connect-card google_ads chanel"),
        (
            "search console acme",
            "I don't know a service called “search console”. Did you mean google_search_console (Google Search Console)? Try: /connect-card google_search_console acme",
        ),
        ("search google ads", "I don't know the command “search”. Try: /connect-card services google ads"),
        ("SERVICE SCHEMA", "Type a service and a schema: /connect-card SERVICE SCHEMA"),
        ("renw", "I don't know the command “renw”. Try: /connect-card renew SCHEMA"),
        ("delete google_ads acme", "I don't know the command “delete”. Try: /connect-card cancel acme"),
        ("servces google", "I don't know the command “servces”. Try: /connect-card services google"),
        ("lst", "I don't know the command “lst”. Try: /connect-card list"),
        (
            "google_ads YOUR_SCHEMA",
            "Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA",
        ),
        // Our own lines, sent as they stand.
        (
            "google_ads SCHEMA",
            "Where should the data from Google Ads go? Add a schema: /connect-card google_ads SCHEMA",
        ),
        (
            "google_sheets SCHEMA.TABLE",
            "Where should the data from Google Sheets go? Add a schema: /connect-card google_sheets SCHEMA.TABLE",
        ),
        (
            "googel_ads SCHEMA",
            "I don't know a service called “googel_ads”. Did you mean google_ads (Google Ads)?",
        ),
        ("renew SCHEMA", "Type one schema: /connect-card renew SCHEMA"),
        ("status to", "Type one schema: /connect-card status SCHEMA"),
        ("renew acme into", "Type one schema: /connect-card renew SCHEMA"),
        ("cancel acme for bob", "Type one schema: /connect-card cancel SCHEMA"),
        (
            "s3 lake",
            "Amazon S3 needs SCHEMA.TABLE: add the name of the table group. Try: /connect-card s3 lake.s3",
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
        // The button types the very line that is shown, and that is a command.
        let error = parse(typed, &vocabulary).unwrap_err();
        let shown = answer.rsplit_once("/connect-card ").map(|(_, line)| line);
        match lines(&error).first() {
            Some(line) => {
                assert_eq!(Some(line.as_str()), shown, "{typed}");
                assert!(parse(line, &vocabulary).is_ok(), "{line}");
            }
            None => assert!(
                shown.is_none_or(|line| line.contains(" SCHEMA") || line.contains(" CUSTOMER")),
                "{typed}"
            ),
        }
    }
    assert!(said("tiktok acme").ends_with("Try: /connect-card tiktok_ads acme"), "{}", said("tiktok acme"));
    // Nobody's password becomes a schema.
    let address = parse("postgres://fivetran:s3cr3t@db.acme.com:5432/prod", &vocabulary).unwrap_err();
    assert_eq!(lines(&address), Vec::<String>::new());
    let unknown = "\u{FFFD}\u{FFFD} acme";
    assert!(said(unknown).contains("I don't know a service"), "{}", said(unknown));
}

#[test]
fn what_a_pattern_cannot_name_is_said_with_what_to_type() {
    let slash = Surface::of("/connect-card");
    let catalog = Catalog::built_in();
    let destinations = Destinations {
        default_group: Some("default_group".to_owned()),
        named: ["eu", "staging"].map(|name| (name.to_owned(), format!("{name}_group"))).into(),
        ..Destinations::default()
    };
    let long = format!("{}_{{service}}", "x".repeat(60));
    for (pattern, typed, answer, line) in [
        (
            long.as_str(),
            "google_ads",
            format!(
                "By this channel's pattern Google Ads would go to “{}_google_ads”, which is longer than 63 characters. Type a shorter schema: /connect-card google_ads SCHEMA",
                "x".repeat(60)
            ),
            None,
        ),
        (
            &long,
            "google_sheets to eu",
            format!(
                "By this channel's pattern Google Sheets would go to “{}_google_sheets.google_sheets”, which is longer than 63 characters. Type a shorter schema: /connect-card google_sheets SCHEMA.TABLE to eu",
                "x".repeat(60)
            ),
            None,
        ),
        (
            "{service}",
            "15five to eu",
            "By this channel's pattern 15Five would go to “15five”, which isn't a valid schema. Try: /connect-card 15five _15five to eu".to_owned(),
            Some("15five _15five to eu"),
        ),
        (
            "{destination}_{service}",
            "google_ads",
            "This channel's schemas are named after the destination, so say which: /connect-card google_ads to DESTINATION. I know eu and staging.".to_owned(),
            None,
        ),
    ] {
        let channel = ChannelDefaults {
            schema: Some(Schema::parse(pattern).unwrap()),
            customer: Some(Customer::parse("acme").unwrap()),
            ..ChannelDefaults::default()
        };
        let vocabulary =
            Vocabulary { slash, catalog: &catalog, destinations: &destinations, channel: &channel, bundles: &NO_BUNDLES };
        let error = parse(typed, &vocabulary).unwrap_err();
        assert_eq!(usage_sentence(&error, slash), answer);
        assert_eq!(lines(&error), Vec::from_iter(line.map(str::to_owned)));
        if let Some(line) = line {
            assert!(parse(line, &vocabulary).is_ok(), "{line}");
        }
    }
}

#[test]
fn a_mistake_in_a_list_names_the_one_and_proposes_the_whole_line() {
    let slash = Surface::of("/connect-card");
    let (catalog, destinations) = (
        Catalog::built_in(),
        Destinations { default_group: Some("default_group".to_owned()), ..Destinations::default() },
    );
    let vocabulary = Vocabulary {
        slash,
        catalog: &catalog,
        destinations: &destinations,
        channel: &NO_DEFAULTS,
        bundles: &NO_BUNDLES,
    };
    for (typed, said, labels) in [
        (
            "google_ads, hubspt acme",
            "I don't know a service called “hubspt”. Did you mean hubspot (HubSpot)? Try: /connect-card google_ads, hubspot acme",
            vec!["hubspot"],
        ),
        (
            "stripe acme_pay, google_ads Acme-Ads, hubspot acme_crm",
            "“Acme-Ads” isn't a valid schema: it has capital letters and “-” (use a–z, 0–9 and _). Try: /connect-card stripe acme_pay, google_ads acme_ads, hubspot acme_crm",
            vec!["stripe acme_pay, google_ads acme_ads, hubspot acme_crm"],
        ),
        (
            "stripe acme_pay, google_sheets acme",
            "Google Sheets fills one table, so it needs SCHEMA.TABLE: add the name of the table. Try: /connect-card stripe acme_pay, google_sheets acme.google_sheets",
            vec!["stripe acme_pay, google_sheets acme.google_sheets"],
        ),
        (
            "stripe, hubspot Acme",
            "“Acme” can't be used as a customer name, because schema names start with it: it has capital letters (use a–z, 0–9 and _). Try: /connect-card stripe, hubspot acme",
            vec!["stripe, hubspot acme"],
        ),
    ] {
        let error = parse(typed, &vocabulary).unwrap_err();
        assert_eq!(usage_sentence(&error, slash), said, "{typed}");
        let lines = lines(&error);
        assert_eq!(lines.iter().map(|line| label(&error, line)).collect::<Vec<_>>(), labels, "{typed}");
        for line in lines {
            assert!(parse(&line, &vocabulary).is_ok(), "{line}");
        }
    }
}
