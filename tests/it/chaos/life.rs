//! One command's life between the journal and Fivetran's stand-in: real HTTP, and nobody waits, since
//! every rest and every slow answer is over at once.
//!
//! Owns the time that passes so. Must not know which behaviour is asked for.

use std::pin::pin;
use std::time::Duration;

use connect_card::clock::Moment;
use connect_card::fivetran::catalog::ServiceId;
use connect_card::fivetran::keys::ApiKey;
use connect_card::fivetran::schema::{SchemaKind, Target};
use connect_card::fivetran::{Fivetran, FivetranConfig};
use connect_card::journal::{Act, GRACE, Journal, Message, Outcome, Progress, Stage, Step, Terms, WaitsFor};
use connect_card::provision::{Landing, Provision};
use connect_card::reply;
use connect_card::work::{Confirmed, Request, Work};
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use secrecy::SecretString;
use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn, GROUP_ID};

/// How far the time is moved on while an answer is held back.
const STEP: Duration = Duration::from_secs(5);
/// How often is looked whether an answer is there.
const GLANCE: Duration = Duration::from_millis(2);

/// What is asked of a connection.
#[derive(Clone, Copy)]
pub(super) enum Wish {
    /// A new one of a service that the bot knows.
    Create,
    /// A new one of a service whose config keys Fivetran is asked for.
    CreateUnknown,
    Renew,
    Cancel,
    Sync,
}

impl Wish {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Create, "create"),
        (Self::CreateUnknown, "create, of a newer service"),
        (Self::Renew, "renew"),
        (Self::Cancel, "cancel"),
        (Self::Sync, "sync"),
    ];

    fn work(self, schema: &str) -> Work {
        let request = Request {
            service: ServiceId::parse("google_ads").unwrap(),
            service_name: "Google Ads".to_owned(),
            kind: Some(SchemaKind::Schema).filter(|_| !matches!(self, Self::CreateUnknown)),
            retired: None,
            target: Target::parse(schema).unwrap(),
            group_id: GROUP_ID.to_owned(),
            destination: None,
            slash: "/connect-card".to_owned(),
            in_direct_message: false,
            confirmed: Confirmed::No,
            for_all: false,
            by_channel: false,
            customer: None,
            onboarding: None,
        };
        let link = "link000001".to_owned();
        match self {
            Self::Create | Self::CreateUnknown => Work::Connect(request),
            Self::Renew => Work::Renew { link, requester: None, unasked: false, request },
            Self::Cancel => Work::Cancel { link, request },
            Self::Sync => Work::Sync { link, request },
        }
    }
}

/// A provisioner at this address, as the bot's.
pub(super) fn provision_at(api_url: &str, client: Client) -> Provision {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let key = ApiKey {
        variable: "FIVETRAN_API_KEY",
        key: secret(API_KEY),
        secret: secret(API_SECRET),
        expires: None,
    };
    let config = FivetranConfig { api_url: api_url.to_owned(), key, second_key: None };
    Provision::new(Fivetran::new(client, config), Landing::OwnPage("http://127.0.0.1:1".to_owned()))
}

/// A command at work.
pub(super) struct Life<'a> {
    pub(super) fivetran: &'a FivetranStandIn,
    pub(super) provision: &'a Provision,
}

impl Life<'_> {
    /// What the person reads from the acknowledgement to the end, a line each.
    pub(super) async fn read(&self, wish: Wish, schema: &str) -> Vec<String> {
        let work = wish.work(schema);
        let began = Timestamp::UNIX_EPOCH;
        let terms = Terms {
            accepted_at: began,
            web_api: true,
            intent: work.intent(),
            for_few: false,
            joins: false,
            grace: GRACE,
            spread: 7,
        };
        let known = match wish {
            Wish::Create | Wish::CreateUnknown => None,
            Wish::Renew | Wish::Cancel => {
                Some(self.fivetran.seed_connection("google_ads", schema, "incomplete"))
            }
            Wish::Sync => Some(self.fivetran.seed_connection("google_ads", schema, "connected")),
        };
        let stage = match (wish, known) {
            (Wish::Renew, Some(connection)) => Stage::Deliver { connection, existed: true },
            (Wish::Cancel, Some(connection)) => Stage::Cancel { connection },
            (Wish::Sync, Some(connection)) => Stage::Sync { connection },
            _ => Stage::Create,
        };
        let mut journal = Journal::new(terms, Progress { stage, ..Progress::default() });
        let (mut now, mut outcome, mut lines) = (began, Outcome::Accepted, Vec::new());
        let waits = |waits_for: WaitsFor| format!("waits: {}", reply::waits_for(waits_for));
        loop {
            outcome = match journal.next(outcome, Moment::by_one_clock(now)).act {
                Act::Provision(step) => {
                    let slow = if step == Step::Create { WaitsFor::Creation } else { WaitsFor::Answer };
                    let taken = self.take(&step, &work);
                    let (taken, held) = self.held(taken).await;
                    now += held;
                    if journal.note_due().is_some_and(|due| due <= now) {
                        lines.extend(
                            journal
                                .note(slow, Moment::by_one_clock(now))
                                .map(|(_, waiting)| waits(waiting.waits_for)),
                        );
                    }
                    taken
                }
                Act::Company => unreachable!("nobody is to be asked"),
                Act::Note(waiting) => {
                    lines.push(waits(waiting.waits_for));
                    Outcome::Noted
                }
                Act::Rest(pause) | Act::Stay(pause) => {
                    now += pause;
                    Outcome::Woken
                }
                Act::Deliver(Message::Link { .. }) => {
                    lines.push(format!("{}: a link", when(now.duration_since(began))));
                    return lines;
                }
                Act::Deliver(Message::Notice(notice)) => {
                    let sentence = reply::notice_sentence(&notice, &work);
                    lines.push(format!("{}: {sentence}", when(now.duration_since(began))));
                    return lines;
                }
                Act::End(ending) => panic!("it ends in silence: {ending:?}"),
            };
        }
    }

    async fn take(&self, step: &Step, work: &Work) -> connect_card::provision::Outcome {
        let (provision, request) = (self.provision, work.request());
        match step {
            Step::Create => match provision.kind(request).await {
                Ok(kind) => provision.create(request, kind, "link000001").await,
                Err(failure) => Outcome::Failed(failure),
            },
            Step::Look => provision.look(request).await.map_or_else(Outcome::Failed, Outcome::Found),
            Step::Mint { connection } => provision.mint(request, connection, "link000001").await,
            Step::Cancel { connection } => provision.cancel(connection).await,
            Step::Sync { connection } => provision.sync(connection).await,
        }
    }

    /// Waits for an answer; as often as it is held back, the time moves on at once. How much that was.
    async fn held<T>(&self, call: impl Future<Output = T>) -> (T, SignedDuration) {
        let mut call = pin!(call);
        let (mut held, before) = (SignedDuration::ZERO, self.fivetran.faults(|faults| faults.held()));
        loop {
            if let Ok(answer) = tokio::time::timeout(GLANCE, &mut call).await {
                return (answer, held);
            }
            if self.fivetran.faults(|faults| faults.held()) > before {
                tokio::time::pause();
                tokio::time::advance(STEP).await;
                tokio::time::resume();
                held += SignedDuration::try_from(STEP).unwrap();
            }
        }
    }
}

/// How long the person has waited, roughly.
fn when(waited: SignedDuration) -> &'static str {
    match waited.as_secs() {
        0 => "at once",
        1..=9 => "in seconds",
        10..=120 => "in a minute or two",
        _ => "in the end",
    }
}
