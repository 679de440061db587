//! What can be wrong with what was typed, in the gallery's two lengths.
//!
//! Owns which mistakes the gallery shows. Must not know what is said of one.

use super::{Lengths, several};
use crate::command::renew;
use crate::command::{Doubt, UsageError};
use crate::fivetran::catalog::{Obstacle, Service, ServiceStatus};
use crate::fivetran::schema::{Misfit, SchemaKind, SchemaName, Why};
use crate::work::Request;

/// Each with its name in the gallery.
pub(super) fn errors(
    long: &Lengths,
    request: &Request,
    services: &[Service],
) -> Option<Vec<(&'static str, UsageError)>> {
    let service = Service {
        id: request.service.clone(),
        name: request.service_name.clone(),
        kind: request.kind,
        status: ServiceStatus::Available,
        obstacle: None,
    };
    let typed = long.text("nowhere", "<!channel>", 41);
    let known: Vec<_> = (0..if long.longest { 500 } else { 2 }).map(|n| format!("warehouse_{n}")).collect();
    let bad = |typed: &str| SchemaName::parse(typed).err();
    let not_a_schema = |ordinary: &str, piece: &str| {
        let name = bad(&long.text(ordinary, piece, 4000))?;
        let instead = name.nearest.as_ref().map(|nearest| format!("renew {nearest}"));
        Some(UsageError::NotASchema { name, instead })
    };
    let rest = long.text("", " to destination", 45);
    let instead = || {
        let target = request.target.connection_name();
        format!("{} {target}{rest}", request.service)
    };
    let quoted = || format!("{} \"_{}_\"{rest}", request.service, request.target.schema);
    let doubtful = |word: &str, what| UsageError::Doubtful {
        word: word.to_owned(),
        what,
        quoted: format!("{} \"{word}\"{rest}", request.service),
    };
    let instead_of = |services: &[Service]| {
        services.iter().map(|it| format!("{} {}{rest}", it.id, request.target.connection_name())).collect()
    };
    let unclear = |line, complete, several| UsageError::Unclear { line, complete, several };
    let not_by_link = |obstacle| UsageError::NotByLink { service: service.clone(), obstacle };
    let misfit = |misfit| UsageError::Misfit {
        service: Box::new(service.clone()),
        target: request.target.clone(),
        misfit,
        rest: rest.clone(),
    };
    let unnamed = |ordinary: &str, piece: &str, characters: usize| {
        let name = bad(&long.text(ordinary, piece, characters))?;
        let nearest = name.nearest.as_ref().filter(|_| name.why == Why::StartsWithDigit);
        let instead = nearest.map(|nearest| format!("{} {nearest}{rest}", service.id));
        let service = Box::new(service.clone());
        Some(UsageError::Unnamed { service, name, instead, rest: rest.clone() })
    };
    let suggestions: Vec<_> = services.iter().take(3).cloned().collect();
    let several = several::errors(long, &service)?;
    let alone = vec![
        ("incomplete", UsageError::Incomplete),
        ("too-long", UsageError::TooLong),
        ("schema-wanted", UsageError::SchemaWanted { verb: renew::VERB, instead: None }),
        ("not-a-schema", not_a_schema("Customer-Schema", "Ümlaut ")?),
        ("not-a-schema-at-all", not_a_schema("日本", "日本 ")?),
        (
            "unknown-service",
            UsageError::UnknownService {
                typed: typed.clone(),
                instead: instead_of(&suggestions),
                suggestions,
            },
        ),
        (
            "unknown-service-at-all",
            UsageError::UnknownService { typed: typed.clone(), suggestions: vec![], instead: vec![] },
        ),
        ("spaced-schema", UsageError::SpacedSchema { instead: Some(instead()) }),
        ("italic", UsageError::Italic { bare: instead(), quoted: quoted() }),
        ("spaced-schema-at-all", UsageError::SpacedSchema { instead: None }),
        ("repeated", UsageError::Repeated { instead: instead() }),
        (
            "dangling",
            UsageError::Dangling { word: "to".to_owned(), known: known.clone(), instead: Some(instead()) },
        ),
        (
            "dangling-no-destinations",
            UsageError::Dangling { word: "to".to_owned(), known: vec![], instead: Some(instead()) },
        ),
        (
            "schema-behind-word",
            UsageError::SchemaBehindWord { word: "for".to_owned(), instead: Some(instead()) },
        ),
        (
            "misspelt-verb",
            UsageError::MisspeltVerb {
                typed: typed.clone(),
                verb: renew::VERB,
                instead: Some(format!("renew {}", request.target.connection_name())),
            },
        ),
        ("unclear", unclear(instead(), true, false)),
        ("unclear-schema", unclear(format!("{} SCHEMA{rest}", service.id), false, false)),
        ("unclear-several", unclear(format!("{}, stripe acme{rest}", service.id), true, true)),
        ("unclear-customer", unclear(format!("{}, stripe CUSTOMER{rest}", service.id), false, true)),
        ("unparted", UsageError::Unparted { instead: instead() }),
        ("doubtful-verb", doubtful("status", Doubt::Verb)),
        ("doubtful-no-name", doubtful("none", Doubt::NoName)),
        (
            "doubtful-service",
            doubtful(
                "stripe",
                Doubt::Service {
                    name: request.service_name.clone(),
                    both: Some(format!("{}, stripe CUSTOMER{rest}", request.service)),
                },
            ),
        ),
        ("service-first", UsageError::ServiceFirst { instead: instead() }),
        (
            "service-not-allowed",
            UsageError::ServiceNotAllowed { service: service.clone(), allowed: services.to_vec() },
        ),
        ("not-by-link-own-code", not_by_link(Obstacle::OwnCode)),
        ("not-by-link-function", not_by_link(Obstacle::Function)),
        ("not-by-link-agent", not_by_link(Obstacle::Agent)),
        ("not-by-link-automatic", not_by_link(Obstacle::Automatic)),
        ("not-by-link-not-by-api", not_by_link(Obstacle::NotByApi)),
        ("schema-missing", UsageError::SchemaMissing(service.clone())),
        (
            "bad-name",
            UsageError::BadName {
                service: Box::new(service.clone()),
                name: bad(&long.text("Customer-Schema", "Ümlaut ", 4000))?,
                rest: rest.clone(),
            },
        ),
        ("unnamed", unnamed("15five", "9", 62)?),
        ("unnamed-too-long", unnamed(&format!("acme_{}_google_ads", "x".repeat(60)), "s", 160)?),
        (
            "unnamed-destination",
            UsageError::DestinationUnnamed { line: service.id.to_string(), known: known.clone() },
        ),
        ("table-missing", misfit(Misfit::TableMissing { kind: SchemaKind::TableGroup })),
        ("table-not-wanted", misfit(Misfit::TableNotWanted)),
        (
            "unknown-destination",
            UsageError::UnknownDestination { typed: typed.clone(), known: known.clone(), instead: None },
        ),
        ("no-destinations", UsageError::UnknownDestination { typed, known: vec![], instead: None }),
        ("no-destination", UsageError::NoDestination { known }),
    ];
    Some(alone.into_iter().chain(several).collect())
}
