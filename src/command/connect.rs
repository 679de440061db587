//! `/connect-card SERVICE SCHEMA`: a connection and the link by which the customer sets it up.
//!
//! Owns how the words are read and how each step at Fivetran is taken. What to do next is the
//! [`journal`](crate::journal)'s decision; the words of any reply are [`crate::reply`]'s.

use serde::{Deserialize, Serialize};

use crate::command::{UsageError, Verb, echo, to_destination};
use crate::config::Destinations;
use crate::fivetran::catalog::{Catalog, Resolution, Service, ServiceId};
use crate::fivetran::error::Error;
use crate::fivetran::model::{ConnectCard, Connection, SetupState};
use crate::fivetran::schema::{SchemaKind, Target};
use crate::fivetran::{Fivetran, NewConnection};
use crate::journal::{Failure, Found, Origin, Outcome, Problem, Step};
use crate::store::{Store, StoreError};

/// Its line in help.
pub const VERB: Verb = Verb {
    usage: "SERVICE SCHEMA",
    does: "posts a link by which your customer connects SERVICE; its data lands in SCHEMA",
    example: "google_ads customer_schema",
};

/// What was asked for, with every name resolved. It is stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The service's id.
    pub service: ServiceId,
    /// Its display name.
    pub service_name: String,
    /// Which config keys it wants; `None` where only Fivetran knows.
    pub kind: Option<SchemaKind>,
    /// The retired name that was typed, if one was.
    pub retired: Option<String>,
    /// Where the data will land.
    pub target: Target,
    /// The destination's group id.
    pub group_id: String,
    /// The destination's name, if one was typed.
    pub destination: Option<String>,
    /// What stands before the arguments, for the examples in replies.
    pub slash: String,
    /// What the person has said, on being asked, to posting a link for what is there already.
    #[serde(default)]
    pub confirmed: Confirmed,
}

/// What a person has said to posting a link for a connection that was there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Nothing yet.
    #[default]
    No,
    /// That its link may be posted here, though it was posted in another channel.
    PostHere,
    /// That it may be authorised again from here, though it has been connected.
    Reauthorise,
}

/// The channel from which a connection is asked for, and the links that the bot has posted.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    /// The links.
    pub store: &'a Store,
    /// The workspace.
    pub team_id: &'a str,
    /// The channel.
    pub channel_id: &'a str,
}

impl Here<'_> {
    /// Where a connection was asked for, and whether that was here.
    async fn origin(&self, connection: &str) -> Result<Option<(Origin, bool)>, StoreError> {
        let link = self.store.link_of_connection(connection).await?;
        Ok(link.map(|link| {
            let here = link.team_id == self.team_id && link.channel_id == self.channel_id;
            (Origin { channel_id: link.channel_id, user_id: link.requester }, here)
        }))
    }
}

/// Reads `SERVICE SCHEMA [to DESTINATION]`, where SERVICE may be several words.
pub(super) fn parse(
    words: &[&str],
    slash: &str,
    catalog: &Catalog,
    destinations: &Destinations,
) -> Result<Request, UsageError> {
    let (words, destination) = match words {
        [words @ .., to, name] if words.len() >= 2 && to.eq_ignore_ascii_case("to") => (words, Some(*name)),
        words => (words, None),
    };
    let whole = words.join(" ");
    let (schema, service) = match words.split_last() {
        // `Google Ads` is a service without a schema, not the service `Google` with a schema `Ads`.
        Some((schema, service)) if !service.is_empty() && known(&whole, catalog).is_none() => {
            (*schema, service.join(" "))
        }
        _ => {
            return Err(match known(&whole, catalog) {
                Some(service) => UsageError::SchemaMissing(service),
                None => unknown(&whole, None, catalog),
            });
        }
    };
    if known(&service, catalog).is_none()
        && let Some(error) = misplaced(words, destination, slash, catalog)
    {
        return Err(error);
    }
    request(&service, schema, destination, slash, catalog, destinations)
}

/// Whether the first words name a service.
pub(super) fn begins_with_service(words: &[&str], catalog: &Catalog) -> bool {
    (1..=words.len()).any(|count| known(&first(words, count), catalog).is_some())
}

/// What is amiss where all words but the last name no service: a schema of several words, the
/// schema before the service, or a `to` with nothing behind it.
fn misplaced(
    words: &[&str],
    destination: Option<&str>,
    slash: &str,
    catalog: &Catalog,
) -> Option<UsageError> {
    if let [_, _, .., last] = words
        && last.eq_ignore_ascii_case("to")
    {
        return Some(UsageError::NoDestination);
    }
    let proposal = |service: &Service, schema: &str| {
        let target =
            Target::parse(schema).map(|target| target.connection_name()).or_else(|bad| bad.nearest.ok_or(()));
        target.ok().map(|target| line(service, &target, destination, slash))
    };
    // The longest name wins: `Facebook Pages` before `Facebook`.
    let splits = || (1..words.len()).rev();
    if let Some((count, service)) =
        splits().find_map(|count| Some((count, known(&first(words, count), catalog)?)))
    {
        let behind: Vec<&str> = words.iter().skip(count).copied().collect();
        if behind.first().is_some_and(|word| word.eq_ignore_ascii_case("to")) {
            return Some(UsageError::SchemaMissing(service));
        }
        let schema = behind.join(" ");
        return Some(UsageError::SpacedSchema { instead: proposal(&service, &schema) });
    }
    let (count, service) = (1..words.len()).find_map(|count| {
        let behind = words.iter().skip(count).copied().collect::<Vec<_>>().join(" ");
        Some((count, known(&behind, catalog)?))
    })?;
    proposal(&service, &first(words, count)).map(|instead| UsageError::ServiceFirst { instead })
}

fn first(words: &[&str], count: usize) -> String {
    words.iter().take(count).copied().collect::<Vec<_>>().join(" ")
}

/// What to type instead, after the slash command or the name of the program.
fn line(service: &Service, target: &str, destination: Option<&str>, slash: &str) -> String {
    // A table is part of the schema only where the service wants one.
    let wants_table = service.kind.is_some_and(SchemaKind::wants_table);
    let target = match target.split_once('.') {
        None if wants_table => format!("{target}.my_table"),
        Some((schema, _)) if service.kind.is_some() && !wants_table => schema.to_owned(),
        _ => target.to_owned(),
    };
    format!("{} {target}{}", service.id, to_destination(destination, slash))
}

/// Resolves every name of a request.
pub(super) fn request(
    service: &str,
    schema: &str,
    destination: Option<&str>,
    slash: &str,
    catalog: &Catalog,
    destinations: &Destinations,
) -> Result<Request, UsageError> {
    let (service, retired) = match catalog.resolve(service) {
        Resolution::Exact(service) | Resolution::Named(service) => (service, None),
        Resolution::Retired { typed, successor } => (successor, Some(echo(&typed))),
        Resolution::Unknown { .. } => {
            return Err(unknown(service, Some((schema, destination, slash)), catalog));
        }
    };
    let rest = || to_destination(destination, slash);
    let target = Target::parse(schema).map_err(|name| UsageError::BadName {
        service: Box::new(service.clone()),
        name,
        rest: rest(),
    })?;
    if let Some(misfit) = service.kind.and_then(|kind| target.fits(kind).err()) {
        return Err(UsageError::Misfit { service: Box::new(service), target, misfit, rest: rest() });
    }
    let group_id = match destination {
        Some(name) => {
            destinations.named.get(name).cloned().ok_or_else(|| UsageError::UnknownDestination {
                typed: echo(name),
                known: destinations.named.keys().cloned().collect(),
            })?
        }
        None => destinations.default_group.clone().ok_or(UsageError::NoDestination)?,
    };
    Ok(Request {
        service: service.id,
        service_name: service.name,
        kind: service.kind,
        retired,
        target,
        group_id,
        destination: destination.map(str::to_owned),
        slash: slash.to_owned(),
        confirmed: Confirmed::No,
    })
}

fn known(typed: &str, catalog: &Catalog) -> Option<Service> {
    match catalog.resolve(typed) {
        Resolution::Exact(service) | Resolution::Named(service) => Some(service),
        Resolution::Retired { successor, .. } => Some(successor),
        Resolution::Unknown { .. } => None,
    }
}

/// `rest` is what else was typed: schema, destination, slash command.
fn unknown(typed: &str, rest: Option<(&str, Option<&str>, &str)>, catalog: &Catalog) -> UsageError {
    let suggestions = match catalog.resolve(typed) {
        Resolution::Unknown { suggestions } => suggestions,
        _ => Vec::new(),
    };
    let instead = suggestions.first().zip(rest).and_then(|(service, (schema, destination, slash))| {
        // What is more than the service's name has words is the beginning of a schema with spaces.
        let mut left = service.name.split_whitespace().count();
        let more = typed.split(' ').skip_while(|word| {
            let is_name = left > 0;
            left = left.saturating_sub(word.split(['_', '-']).count());
            is_name
        });
        let schema = more.chain([schema]).collect::<Vec<_>>().join(" ");
        let target = match Target::parse(&schema) {
            Ok(target) => target.connection_name(),
            Err(bad) => bad.nearest?,
        };
        Some(line(service, &target, destination, slash))
    });
    UsageError::UnknownService { typed: echo(typed), suggestions, instead }
}

/// Takes one step at Fivetran. A card that comes of it is put into `card`; `connection` is the one
/// to mint for; without `here`, nobody asks where a connection was asked for before.
pub async fn perform(
    step: &Step,
    request: &Request,
    connection: Option<&str>,
    redirect_uri: &str,
    fivetran: &Fivetran,
    here: Option<Here<'_>>,
    card: &mut Option<ConnectCard>,
) -> Outcome {
    match step {
        Step::Create => create(request, redirect_uri, fivetran, card).await,
        Step::Look => look(request, fivetran, here).await,
        Step::Mint => match fivetran.connect_card(connection.unwrap_or_default(), redirect_uri).await {
            Ok(minted) => {
                *card = Some(minted);
                Outcome::Minted
            }
            Err(Error::NotFound(said)) if said.is_of_connection() => Outcome::Vanished,
            // Not Fivetran's own word, as it may be a proxy's: the connection may well be there.
            Err(Error::NotFound(said)) if !said.is_of_group() => Outcome::Failed(Failure::Unclear),
            Err(error) => Outcome::Failed(failure(error)),
        },
        // The others are no steps at Fivetran.
        Step::Cancel | Step::Post | Step::Tell | Step::Wait(_) | Step::End => Outcome::Woken,
    }
}

async fn create(
    request: &Request,
    redirect_uri: &str,
    fivetran: &Fivetran,
    card: &mut Option<ConnectCard>,
) -> Outcome {
    let kind = match request.kind {
        Some(kind) => kind,
        // Nothing has been created yet, so whatever goes wrong here is clear.
        None => match fivetran.schema_kind(&request.service).await {
            Ok(kind) => kind,
            Err(Error::Unclear(_)) => return Outcome::Failed(Failure::NotSent),
            // A service without metadata of its own takes what nearly all take; if not, Fivetran
            // says so in its own words.
            Err(Error::NotFound(_)) => SchemaKind::Schema,
            Err(error) => return Outcome::Failed(failure(error)),
        },
    };
    if let Err(misfit) = request.target.fits(kind) {
        return Outcome::Failed(Failure::Final(Problem::Misfit(misfit.into())));
    }
    let (service, target, group_id) = (&request.service, &request.target, request.group_id.as_str());
    match fivetran.create_connection(NewConnection { service, group_id, target, kind, redirect_uri }).await {
        Ok(created) => {
            *card = created.connect_card;
            Outcome::Created { connection: created.connection.id, card: card.is_some() }
        }
        Err(Error::Rejected { status: 409, said }) => {
            Outcome::CreateRefused { problem: Problem::NameTaken(said), conflict: true }
        }
        Err(Error::Rejected { said, .. }) => {
            Outcome::CreateRefused { problem: Problem::Refused(said), conflict: false }
        }
        Err(error) => Outcome::Failed(failure(error)),
    }
}

async fn look(request: &Request, fivetran: &Fivetran, here: Option<Here<'_>>) -> Outcome {
    let found = match fivetran.connections_named(&request.group_id, &request.target.connection_name()).await {
        Ok(connections) => judge(connections, &request.service),
        Err(error) => return Outcome::Failed(failure(error)),
    };
    let (Found::Unfinished { connection, .. } | Found::Finished { connection, .. }, Some(here)) =
        (&found, here)
    else {
        return Outcome::Found(found);
    };
    let known = match here.origin(connection).await {
        Ok(known) => known,
        // Without knowing where its link is, none may be posted: it is asked again.
        Err(_) => return Outcome::Failed(Failure::NotSent),
    };
    Outcome::Found(match (found, known) {
        (Found::Finished { connection, .. }, Some((origin, _))) => {
            Found::Finished { connection, origin: Some(origin) }
        }
        (Found::Unfinished { connection, .. }, Some((origin, false)))
            if request.confirmed == Confirmed::No =>
        {
            Found::Elsewhere { connection, origin }
        }
        (found, _) => found,
    })
}

/// What the connections of our name mean. There is one at most while Fivetran keeps names unique;
/// were there more, the one that matters most is the one that must not be overlooked.
fn judge(connections: Vec<Connection>, service: &ServiceId) -> Found {
    let mut found = Found::Nothing;
    for connection in connections {
        let ours = connection.service == service.as_str();
        let judged = match (ours, connection.status.setup_state) {
            (false, _) => Found::OtherService { service: connection.service },
            (true, SetupState::Incomplete) => {
                Found::Unfinished { connection: connection.id, created_at: connection.created_at }
            }
            (true, SetupState::Connected | SetupState::Broken | SetupState::Unknown) => {
                Found::Finished { connection: connection.id, origin: None }
            }
        };
        if !matches!(found, Found::Finished { .. }) {
            found = judged;
        }
    }
    found
}

/// What a failed call means for the command.
pub(super) fn failure(error: Error) -> Failure {
    match error {
        Error::KeyRejected(_) => Failure::Final(Problem::KeyRejected),
        Error::Forbidden(said) => Failure::Final(Problem::Forbidden(said)),
        Error::NotFound(said) if said.is_of_group() => Failure::Final(Problem::GroupUnknown(said)),
        Error::NotFound(said) => Failure::Final(Problem::Refused(said)),
        Error::Rejected { said, .. } => Failure::Final(Problem::Refused(said)),
        Error::Throttled(pause) => Failure::Throttled(pause),
        Error::Unavailable(_) => Failure::NotSent,
        Error::Unclear(_) => Failure::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, parse as parse_text};
    use crate::fivetran::model::Said;

    fn destinations() -> Destinations {
        Destinations {
            default_group: Some("default_group".to_owned()),
            named: [("staging".to_owned(), "staging_group".to_owned())].into(),
        }
    }

    fn read(typed: &str) -> Result<Request, UsageError> {
        match parse_text(typed, "/connect-card", &Catalog::built_in(), &destinations())? {
            Command::Connect(request) => Ok(request),
            _ => panic!("{typed} is another verb"),
        }
    }

    #[test]
    fn what_people_type_is_understood() {
        for typed in [
            "google_ads customer_schema",
            "  google_ads \t customer_schema ",
            "google_ads\u{a0}customer_schema",
            "\u{201C}google_ads\u{201D} \u{2018}customer_schema\u{2019}",
            "Google Ads customer_schema",
            "GOOGLE_ADS customer_schema",
            "google-ads customer_schema",
            "\u{200B}google_ads\u{200E} customer_schema\u{FEFF}",
            "`google_ads customer_schema`",
            "\"Google Ads\" 'customer_schema'",
        ] {
            let request = read(typed).unwrap_or_else(|error| panic!("{typed}: {error:?}"));
            assert_eq!(request.service.as_str(), "google_ads", "{typed}");
            assert_eq!(request.target.connection_name(), "customer_schema", "{typed}");
            assert_eq!(request.retired, None, "{typed}");
            assert_eq!(request.group_id, "default_group");
        }
    }

    #[test]
    fn the_retired_name_leads_to_its_successor_and_is_remembered() {
        let request = read("adwords customer_schema").unwrap();
        assert_eq!(request.service.as_str(), "google_ads");
        assert_eq!(request.retired.as_deref(), Some("adwords"));
        let live = Catalog::from_live([("adwords".to_owned(), "Google AdWords".to_owned(), None)]).unwrap();
        match parse_text("adwords customer_schema", "/connect-card", &live, &destinations()) {
            Ok(Command::Connect(request)) => {
                assert_eq!((request.service.as_str(), request.retired), ("adwords", None));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_service_without_a_schema_is_told_apart_from_a_schema() {
        for typed in ["google_ads", "Google Ads", "adwords"] {
            assert!(
                matches!(read(typed), Err(UsageError::SchemaMissing(service)) if service.id.as_str() == "google_ads"),
                "{typed}"
            );
        }
        assert!(matches!(read(""), Err(UsageError::Incomplete)));
        assert!(matches!(read("nonsense"), Err(UsageError::UnknownService { .. })));
    }

    #[test]
    fn tables_are_wanted_where_the_service_wants_them() {
        assert!(read("google_sheets acme.budget").is_ok());
        assert!(matches!(read("google_sheets acme"), Err(UsageError::Misfit { .. })));
        assert!(matches!(read("google_ads acme.budget"), Err(UsageError::Misfit { .. })));
    }

    #[test]
    fn bad_names_come_back_with_the_nearest_good_one() {
        match read("google_ads Customer-Schema") {
            Err(UsageError::BadName { name, .. }) => {
                assert_eq!(name.nearest.as_deref(), Some("customer_schema"))
            }
            other => panic!("{other:?}"),
        }
        for hostile in
            ["<!channel>", "@here", "a&b", "x'; drop table command; --", &"x".repeat(4096), "ａｃｍｅ"]
        {
            assert!(read(&format!("google_ads {hostile}")).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_quote_within_a_schema_is_never_dropped_in_silence() {
        for typed in ["google_ads customer's_schema", "google_ads customer\u{2019}s_schema"] {
            match read(typed) {
                Err(UsageError::BadName { name, .. }) => {
                    assert_eq!(name.nearest.as_deref(), Some("customer_s_schema"), "{typed}")
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn words_in_the_wrong_place_are_put_right() {
        let said = |typed: &str| crate::reply::usage_sentence(&read(typed).unwrap_err(), "/connect-card");
        for (typed, answer) in [
            ("google_ads Schema 7", "A schema has no spaces. Try: /connect-card google_ads schema_7"),
            ("Google Ads big customer", "A schema has no spaces. Try: /connect-card google_ads big_customer"),
            (
                "adwords my schema to staging",
                "A schema has no spaces. Try: /connect-card google_ads my_schema to staging",
            ),
            (
                "customer_schema google_ads",
                "The service comes first: /connect-card google_ads customer_schema",
            ),
            ("acme Google Sheets", "The service comes first: /connect-card google_sheets acme.my_table"),
            (
                "googel_ads acme",
                "I know no service called “googel_ads”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads acme",
            ),
            (
                "googel_ads my schema",
                "I know no service called “googel_ads my”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads my_schema",
            ),
            (
                "Googel Ads acme to staging",
                "I know no service called “Googel Ads”. Did you mean google_ads (Google Ads)? Try: /connect-card google_ads acme to staging",
            ),
            (
                "s3 lake to staging",
                "Amazon S3 needs SCHEMA.TABLE: name the table group as well. Try: /connect-card s3 lake.my_table to staging",
            ),
            (
                "google_ads to staging",
                "Where should the data of Google Ads land? Add a schema: /connect-card google_ads customer_schema",
            ),
            ("google_ads acme to", "Say where the data should land: add “to” and a destination's name."),
            (
                "s3 lake",
                "Amazon S3 needs SCHEMA.TABLE: name the table group as well. Try: /connect-card s3 lake.my_table",
            ),
            (
                "s3 a.b.c",
                "“a.b.c” has more than one dot; SCHEMA.TABLE takes one. Try: /connect-card s3 a.b_c",
            ),
            (
                "google_ads 1st-Client!",
                "“1st-Client!” cannot be a schema: it has capital letters, “-” and “!” and it starts with a digit (a schema is made of a–z, 0–9 and _). Try: /connect-card google_ads _1st_client",
            ),
        ] {
            assert_eq!(said(typed), answer, "{typed}");
        }
        assert!(
            said("tiktok acme").ends_with("Try: /connect-card tiktok_ads acme"),
            "{}",
            said("tiktok acme")
        );
        let unknown = "\u{FFFD}\u{FFFD} acme";
        assert!(said(unknown).contains("I know no service"), "{}", said(unknown));
    }

    #[test]
    fn help_is_asked_for_in_many_words_and_scouts_are_no_help() {
        for typed in ["help", "help me", "HELP please now", "?", "-h"] {
            let command = parse_text(typed, "/connect-card", &Catalog::built_in(), &destinations());
            assert_eq!(command, Ok(Command::Help), "{typed}");
        }
        assert_eq!(read("help scout acme").unwrap().service.as_str(), "helpscout");
    }

    #[test]
    fn a_destination_is_one_of_those_configured() {
        assert_eq!(read("google_ads acme to staging").unwrap().group_id, "staging_group");
        match read("google_ads acme to nowhere") {
            Err(UsageError::UnknownDestination { typed, known }) => {
                assert_eq!((typed.as_str(), known), ("nowhere", vec!["staging".to_owned()]));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_survives_its_json() {
        let request = read("google_sheets acme.budget to staging").unwrap();
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
        assert!(serde_json::from_str::<Request>(&json.replace("acme", "a c m e")).is_err());
    }

    #[test]
    fn what_is_not_found_is_told_by_its_code() {
        let said = |code: &str| Said { code: code.to_owned(), message: String::new() };
        let told = |code: &str| failure(Error::NotFound(said(code)));
        assert!(matches!(told("NotFound_Group"), Failure::Final(Problem::GroupUnknown(_))));
        for code in ["NotFound_Service", "NotFound_Connection", ""] {
            assert!(matches!(told(code), Failure::Final(Problem::Refused(_))), "{code}");
        }
        assert!(
            said("NotFound_Connection").is_of_connection() && said("NotFound_Connector").is_of_connection()
        );
        assert!(!said("").is_of_connection() && !said("NotFound_Group").is_of_connection());
    }

    #[test]
    fn of_several_connections_a_finished_one_is_never_overlooked() {
        let connection = |service: &str, state: &str| -> Connection {
            serde_json::from_value(serde_json::json!({
                "id": state, "service": service, "status": {"setup_state": state},
            }))
            .unwrap()
        };
        let service = ServiceId::parse("google_ads").unwrap();
        assert_eq!(judge(vec![], &service), Found::Nothing);
        assert_eq!(
            judge(vec![connection("stripe", "incomplete")], &service),
            Found::OtherService { service: "stripe".to_owned() }
        );
        for order in [["connected", "incomplete"], ["incomplete", "broken"]] {
            let found = judge(order.map(|state| connection("google_ads", state)).to_vec(), &service);
            assert!(matches!(found, Found::Finished { .. }), "{order:?}");
        }
    }
}
