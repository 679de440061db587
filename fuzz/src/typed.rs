//! What people type and press: commands, the form's fields, and what buttons carry.

use std::sync::LazyLock;

use connect_card::command::bundle::Bundles;
use connect_card::command::form::several::{self, Offer, Picked};
use connect_card::command::form::{self, Values};
use connect_card::command::home::Wish;
use connect_card::command::naming::{Customer, Schema};
use connect_card::command::places::{ChannelDefaults, Destinations};
use connect_card::command::proposal::Proposal;
use connect_card::command::several::Read;
use connect_card::command::surface::Surface;
use connect_card::command::{self, Command, UsageError, Vocabulary, proposed, services};
use connect_card::fivetran::catalog::{Catalog, ServiceId};
use connect_card::reply;
use connect_card::work::{Onboard, Request, Work};

use crate::shown;

const SLASH: &str = "/connect-card";
/// Longest text of which the meaning is compared with that of another one, which may be three times as long.
const COMPARED: usize = 300;

/// Fivetran's services.
pub(crate) static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::built_in);

static BUNDLES: LazyLock<Bundles> = LazyLock::new(|| {
    let ids = |ids: &[&str]| ids.iter().map(|id| ServiceId::parse(id).unwrap()).collect();
    let by_name =
        [("onboarding", ids(&["google_ads", "stripe", "hubspot"])), ("shop", ids(&["shopify", "stripe"]))];
    Bundles { by_name: by_name.map(|(name, ids)| (name.to_owned(), ids)).into() }
});

/// Places in which a text may mean different things.
static PLACES: LazyLock<Vec<(Destinations, ChannelDefaults)>> = LazyLock::new(|| {
    let named = |names: &[(&str, &str)], default: Option<&str>| Destinations {
        default_group: default.map(str::to_owned),
        named: names.iter().map(|(name, group)| ((*name).to_owned(), (*group).to_owned())).collect(),
        ..Destinations::default()
    };
    let one = || named(&[], Some("g"));
    let several = || named(&[("prod", "g"), ("staging", "s"), ("eu-2", "e")], Some("g"));
    let undecided = || named(&[("prod", "g"), ("at", "s")], None);
    let by = |schema: &str, customer: Option<&str>| ChannelDefaults {
        schema: Some(Schema::parse(schema).unwrap()),
        customer: customer.map(|name| Customer::parse(name).unwrap()),
        ..ChannelDefaults::default()
    };
    let few = ["google_ads", "stripe", "google_sheets"].map(|id| ServiceId::parse(id).unwrap());
    vec![
        (one(), ChannelDefaults::default()),
        (several(), ChannelDefaults::default()),
        (undecided(), ChannelDefaults::default()),
        (several(), by("{customer}_{service}", Some("acme"))),
        (several(), by("{destination}_{service}.{table}", None)),
        (several(), by("acme", None)),
        (one(), ChannelDefaults { services: few.to_vec(), ..by("acme.rows", None) }),
        (
            several(),
            ChannelDefaults { destination: Some("staging".to_owned()), ..ChannelDefaults::default() },
        ),
    ]
});

/// Reads in one of the places.
fn within<T>(which: u8, look: impl FnOnce(&Vocabulary<'_>) -> T) -> T {
    let (destinations, channel) = &PLACES[usize::from(which) % PLACES.len()];
    let slash = Surface::of(SLASH);
    look(&Vocabulary { slash, catalog: &CATALOG, destinations, channel, bundles: &BUNDLES })
}

/// A command: the first byte says where, the others are the text. What is understood can be written again so
/// that it means the same, what is not is answered within Slack's limits, and what is proposed leads on.
pub fn command(data: &[u8]) {
    let Some((&which, typed)) = data.split_first() else { return };
    let Ok(typed) = std::str::from_utf8(typed) else { return };
    within(which, |vocabulary| understood(typed, vocabulary));
}

fn understood(typed: &str, vocabulary: &Vocabulary<'_>) {
    let read = command::parse(typed, vocabulary);
    let _ = command::hangs_on_the_catalogue(typed, &read, vocabulary.catalog);
    if command::asks_for_help(typed, vocabulary.catalog) {
        assert_eq!(read, Ok(Command::Help), "everybody may ask for help, and for nothing else");
    }
    if typed.len() <= COMPARED {
        let unseen: String = typed.chars().flat_map(|it| ['\u{200B}', it]).collect();
        assert_eq!(command::parse(&unseen, vocabulary), read, "what nobody sees means something");
    }
    match &read {
        Ok(command) => means_the_same_again(command, vocabulary),
        Err(error) => leads_on(error, vocabulary),
    }
}

fn means_the_same_again(command: &Command, vocabulary: &Vocabulary<'_>) {
    let again = |line: &str| {
        command::parse(line, vocabulary).unwrap_or_else(|error| panic!("{line}, of {command:?}: {error:?}"))
    };
    let to = |request: &Request| vocabulary.slash.to_destination(request.destination.as_deref());
    match command {
        Command::Connect(request) => {
            assert!(is_sound(request, vocabulary), "{request:?}");
            stored_as_it_is(&Work::Connect(request.clone()));
            // What the channel calls it, or a bundle of one service, is not typed.
            let target = request.target.connection_name();
            let expected = Request { retired: None, by_channel: false, customer: None, ..request.clone() };
            let line = format!("{} \"{target}\"{}", request.service, to(request));
            assert_eq!(again(&line), Command::Connect(expected), "{line}");
        }
        Command::Onboard(several) => {
            let sources = &several.onboard.sources;
            assert!(sources.len() > 1 || several.asks, "{several:?}");
            assert!(sources.iter().all(|source| is_sound(source, vocabulary)), "{several:?}");
            let mut keys: Vec<_> = sources.iter().map(Request::key).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), sources.len(), "two sources of one name");
            let kept = several.onboard.to_json().and_then(|json| Onboard::from_json(&json));
            assert_eq!(kept.as_ref(), Some(&several.onboard));
            let Command::Onboard(mut read) = again(&several.line) else { panic!("{} is one", several.line) };
            // Ids are in the line, and not what they were called.
            for (read, source) in read.onboard.sources.iter_mut().zip(sources) {
                read.retired.clone_from(&source.retired);
            }
            assert_eq!(&read, several);
            shown::within_limits(&reply::several::preview(several, SLASH, "U1", "C1"));
        }
        Command::Renew(target) | Command::Cancel(target) | Command::Status(target) => {
            let verb = match command {
                Command::Renew(_) => "renew",
                Command::Cancel(_) => "cancel",
                _ => "status",
            };
            let line = format!("{verb} \"{}\"", target.connection_name());
            assert_eq!(again(&line), *command, "{line}");
        }
        Command::Services(words) => {
            assert_eq!(again(&format!("services {words}")), *command);
            let found = services::find(words, vocabulary.catalog, services::SHOWN);
            let names = services::Names::find(words, vocabulary.bundles, vocabulary.destinations);
            shown::within_limits(&reply::services::services(&found, &names, words, SLASH));
        }
        Command::List | Command::Doctor | Command::Help => {}
    }
}

/// Whether every name in it is one that there is, and that may be used.
fn is_sound(request: &Request, vocabulary: &Vocabulary<'_>) -> bool {
    let destinations = vocabulary.destinations;
    let place = match &request.destination {
        Some(name) => destinations.named.get(name),
        None => destinations.default_group.as_ref(),
    };
    let service = vocabulary.catalog.get(request.service.as_str());
    place == Some(&request.group_id)
        && vocabulary.channel.allows(&request.service)
        && service.is_some_and(|it| it.obstacle.is_none() && it.kind == request.kind)
        && request.kind.is_none_or(|kind| request.target.fits(kind).is_ok())
}

/// What is in the database reads as what was put there.
fn stored_as_it_is(work: &Work) {
    let stored = serde_json::to_string(work).unwrap();
    assert_eq!(serde_json::from_str::<Work>(&stored).ok().as_ref(), Some(work));
}

fn leads_on(error: &UsageError, vocabulary: &Vocabulary<'_>) {
    shown::within_limits(&reply::usage_for(error, SLASH, "U1", "C1"));
    for line in proposed::lines(error) {
        match command::parse(&line, vocabulary) {
            Ok(_) => {}
            Err(next) => assert!(
                !proposed::lines(&next).contains(&line),
                "“{line}”, proposed for {error:?}, is answered with itself: {next:?}"
            ),
        }
        let proposal = Proposal { user: "U1", channel: "C1", slash: SLASH, line: &line };
        if let Some(value) = proposal.value() {
            assert_eq!(Proposal::parse(&value), Some(proposal));
        }
    }
}

/// The form: the first byte says where, and each line is a field's value; a first line of several words is
/// several choices. What is read of it is sound, and what is not says at which field.
pub fn modal(data: &[u8]) {
    let Some((&which, fields)) = data.split_first() else { return };
    let Ok(fields) = std::str::from_utf8(fields) else { return };
    let mut lines = fields.split('\n').map(|it| Some(it).filter(|it| !it.is_empty()));
    let mut field = || lines.next().flatten();
    let (service, schema, table, customer, destination) = (field(), field(), field(), field(), field());
    let chosen: Vec<&str> = service.unwrap_or_default().split(' ').filter(|it| !it.is_empty()).collect();
    within(which, |vocabulary| {
        let values = Values { service, schema, table, destination };
        match form::read(values, vocabulary) {
            Ok(request) => {
                assert!(is_sound(&request, vocabulary), "{request:?}");
                assert_eq!(Some(request.service.as_str()), service);
                stored_as_it_is(&Work::Connect(request));
            }
            Err(faults) => {
                assert!(!faults.is_empty());
                shown::answer_within_limits(&reply::form::faults(&faults, SLASH));
            }
        }
        let picked = Picked { chosen: &chosen, customer, destination };
        match several::read(picked, vocabulary) {
            Ok(Read::One(request)) => assert!(is_sound(&request, vocabulary), "{request:?}"),
            Ok(Read::Several(several)) => {
                assert!(several.onboard.sources.iter().all(|it| is_sound(it, vocabulary)), "{several:?}");
            }
            Err(fault) => shown::answer_within_limits(&reply::form::faults(&[fault], SLASH)),
        }
        for value in &chosen {
            assert!(Offer::of(value, vocabulary).is_none_or(|offer| offer.value() == *value));
        }
        for typed in [service, customer].into_iter().flatten() {
            let _ = several::bundles(typed, vocabulary);
            let found = services::find(typed, vocabulary.catalog, services::SHOWN);
            assert!(found.services.len() <= services::SHOWN);
            let _ = reply::form::options(&found);
        }
    });
}

/// What a button or a view brings back: it was ours once, but may be anything.
pub fn carried(data: &[u8]) {
    let Ok(value) = std::str::from_utf8(data) else { return };
    if let Some(proposal) = Proposal::parse(value) {
        assert_eq!(proposal.value().as_deref(), Some(value), "what it carries is what it was");
        let typed = command::parse(proposal.line, &vocabulary_of(proposal.slash));
        assert!(
            typed.is_ok()
                || typed.is_err_and(|error| shown::is_within_limits(&reply::usage_for(
                    &error,
                    proposal.slash,
                    proposal.user,
                    proposal.channel
                )))
        );
    }
    let wish = Wish::read(value);
    assert_eq!(Wish::read(&wish.kept()), wish);
}

fn vocabulary_of(slash: &str) -> Vocabulary<'_> {
    let (destinations, channel) = &PLACES[1];
    Vocabulary { slash: Surface::of(slash), catalog: &CATALOG, destinations, channel, bundles: &BUNDLES }
}
