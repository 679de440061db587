//! Several services at once, in the gallery's two lengths.
//!
//! Owns what is asked for, and what can be wrong with it. Must not know what is said of either.

use super::Lengths;
use crate::command::UsageError;
use crate::command::several::Several;
use crate::fivetran::catalog::{Service, ServiceId};
use crate::fivetran::schema::{SchemaName, Target};
use crate::work::{MOST_SOURCES, Onboard, Request};

/// What is asked for; where `long_line` is set, in a line that no button carries.
pub(super) fn asked(long: &Lengths, request: &Request, long_line: bool) -> Option<Several> {
    let ordinary = [("google_ads", "Google Ads"), ("facebook_ads", "Facebook Ads"), ("hubspot", "HubSpot")];
    let customer = long.text("acme", "c", 63);
    let count = if long.longest { MOST_SOURCES } else { ordinary.len() };
    let source = |(at, (id, name)): (usize, &(&str, &str))| {
        let name = if long.longest { request.service_name.clone() } else { (*name).to_owned() };
        let target = if long.longest {
            format!("{at:02}{}.{}", "s".repeat(61), "t".repeat(63)).replacen(['0', '1'], "s", 1)
        } else {
            format!("{customer}_{id}")
        };
        Some(Request {
            service: ServiceId::parse(id).ok()?,
            service_name: name,
            retired: (at == 0).then(|| request.retired.clone()).flatten(),
            target: Target::parse(&target).ok()?,
            by_channel: true,
            customer: Some(customer.clone()),
            ..request.clone()
        })
    };
    let sources = ordinary.iter().cycle().take(count).enumerate().filter_map(source).collect();
    let line =
        if long_line { "google_ads, ".repeat(200) } else { "google_ads, facebook_ads, hubspot".to_owned() };
    let line = format!("{line} {customer}");
    Some(Several { onboard: Onboard { customer: Some(customer), sources }, line, asks: true })
}

/// What can be wrong with it, each with its name in the gallery.
pub(super) fn errors(long: &Lengths, service: &Service) -> Option<Vec<(&'static str, UsageError)>> {
    let ids = if long.longest {
        vec![long.text("", "service_", 100); MOST_SOURCES]
    } else {
        ["google_ads", "facebook_ads", "hubspot"].map(str::to_owned).to_vec()
    };
    let services = ids.join(", ");
    let customer = long.text("acme", "c", 63);
    let to = long.text("", " to destination", 45);
    let with = |customer: &str| format!("{services} {customer}{to}");
    let each = || match ids.get(..3) {
        Some([first, second, third]) if long.longest => {
            format!("{first} SCHEMA.TABLE, {second} SCHEMA.TABLE, {third} SCHEMA.TABLE, …")
        }
        Some([first, second, third]) => format!("{first} SCHEMA, {second} SCHEMA, {third} SCHEMA"),
        _ => String::new(),
    };
    let bad = |ordinary: &str, piece: &str, characters: usize| {
        SchemaName::parse(&long.text(ordinary, piece, characters)).err()
    };
    let in_list = || {
        let name = bad("Acme-Crm", "Ümlaut ", 4000)?;
        let service = Box::new(service.clone());
        let rest = format!(", stripe acme_stripe{to}");
        Some(UsageError::InList {
            before: format!("{}, ", long.text("google_ads acme_ads", "google_ads acme_ads, ", 1500)),
            error: Box::new(UsageError::BadName { service, name, rest }),
        })
    };
    Some(vec![
        ("several-one-wrong", in_list()?),
        ("several-too-many", UsageError::TooMany { count: if long.longest { 1500 } else { 23 } }),
        ("several-commas-missing", UsageError::CommasMissing { instead: with(&customer) }),
        ("several-mixed", UsageError::Mixed { line: each() }),
        ("several-customer-missing", UsageError::CustomerMissing { line: with("CUSTOMER") }),
        (
            "several-bad-customer",
            UsageError::BadCustomer {
                name: bad("Big Acme", "Ümlaut ", 4000)?,
                instead: Some(with(&long.text("big_acme", "c", 63))),
            },
        ),
        (
            "several-customer-or-services",
            UsageError::CustomerOrServices {
                name: bad("Harvest Foods", "Ümlaut ", 4000)?,
                line: with(&long.text("harvest_foods", "c", 63)),
                several: format!("{services}, harvest {}{to}", long.text("foods", "c", 63)),
            },
        ),
        (
            "several-customer-unused",
            UsageError::CustomerUnused {
                customer: customer.clone(),
                pattern: long.text("raw_{service}", "{service}", 200),
                instead: format!("{services}{to}"),
            },
        ),
        (
            "several-one-schema",
            UsageError::OneSchema {
                schema: long.text("acme", "s", 63) + &long.text("", ".", 1) + &long.text("", "t", 63),
                line: with("CUSTOMER"),
            },
        ),
        (
            "several-same-name",
            UsageError::SameName {
                name: customer.clone(),
                services: ["Google Ads", "Facebook Ads"].map(|name| long.text(name, "Größe & <Ads> *", 200)),
                line: each(),
            },
        ),
        (
            "several-misnamed",
            UsageError::Misnamed {
                service: Box::new(service.clone()),
                name: bad(&format!("{}_google_ads", "x".repeat(55)), "s", 160)?,
                by_customer: true,
                line: each(),
            },
        ),
        (
            "several-misnamed-by-channel",
            UsageError::Misnamed {
                service: Box::new(service.clone()),
                name: bad("15five", "9", 62)?,
                by_customer: false,
                line: each(),
            },
        ),
        (
            "misspelt-bundle",
            UsageError::MisspeltBundle {
                typed: long.text("onbording", "<!channel>", 41),
                instead: format!("{} {customer}{to}", long.text("onboarding", "b", 50)),
            },
        ),
    ])
}
