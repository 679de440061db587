//! What the gallery's entries are made of: one ordinary sample, and one in which everything is as
//! long as it can be.

mod doctor;
mod several;
mod usage;
mod views;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use slack_morphism::prelude::SlackMessageContent;

use super::NOW;
use crate::command::UsageError;
use crate::command::form::Choice;
use crate::command::services::Names;
use crate::command::several::Several;
use crate::command::status::{View, report};
use crate::fivetran::catalog::{Service, ServiceId, ServiceStatus};
use crate::fivetran::model::{ApiMessage, ConnectCard, Task};
use crate::fivetran::schema::{SchemaKind, Target};
use crate::fivetran::tasks::Cause;
use crate::journal::{MisfitKind, Notice, Origin, Others, Problem};
use crate::life::{Connection, Link, Place, Posting, Reminded, State};
use crate::outbound;
use crate::permission::{Reason, Unclear};
use crate::reply::status;
use crate::work::{Confirmed, Request, Work};

/// Both of them.
pub(super) struct Samples {
    pub(super) ordinary: Sample,
    pub(super) longest: Sample,
}

impl Samples {
    pub(super) fn new() -> Option<Self> {
        Some(Self { ordinary: Sample::of(&Lengths::ORDINARY)?, longest: Sample::of(&Lengths::LONGEST)? })
    }
}

/// How long things are; markup and accents included where people can bring them in.
struct Lengths {
    longest: bool,
}

impl Lengths {
    const ORDINARY: Self = Self { longest: false };
    const LONGEST: Self = Self { longest: true };

    fn text(&self, ordinary: &str, piece: &str, characters: usize) -> String {
        if self.longest { piece.chars().cycle().take(characters).collect() } else { ordinary.to_owned() }
    }
}

/// What entries are made of.
pub(super) struct Sample {
    pub(super) now: Timestamp,
    pub(super) slash: String,
    pub(super) reference: String,
    pub(super) user: String,
    pub(super) channel: String,
    pub(super) typed: String,
    pub(super) sealed: String,
    pub(super) request: Request,
    pub(super) card: ConnectCard,
    pub(super) works: Vec<Work>,
    pub(super) several: Several,
    /// The same in a line that no button carries.
    pub(super) several_in_a_long_line: Several,
    pub(super) usage_errors: Vec<(&'static str, UsageError)>,
    /// Each with the verb that it is told after.
    pub(super) problems: Vec<(&'static str, &'static str, Notice)>,
    pub(super) refusals: Vec<(&'static str, Reason)>,
    pub(super) services: Vec<Service>,
    pub(super) choices: Vec<Choice>,
    detail: String,
    connection: String,
    /// Fivetran's tasks, where they are as long and as many as they can be.
    long_tasks: Option<Vec<Task>>,
    warning: Task,
}

impl Sample {
    fn of(long: &Lengths) -> Option<Self> {
        let slash = long.text("/connect-card", "/", 1) + &long.text("", "c", 31);
        let schema = long.text("customer_schema", "s", 63);
        let target = if long.longest { format!("{schema}.{}", "t".repeat(63)) } else { schema };
        let kind = if long.longest { SchemaKind::TableGroup } else { SchemaKind::Schema };
        let request = Request {
            service: ServiceId::parse(&long.text("google_ads", "service_", 100)).ok()?,
            service_name: long.text("Google Ads", "Größe & <Ads> *", 200),
            kind: Some(kind),
            retired: Some(long.text("adwords", "retired_", 41)),
            target: Target::parse(&target).ok()?,
            group_id: long.text("sandbox_group", "g", 100),
            destination: long.longest.then(|| "destination & ".repeat(15)),
            slash: slash.clone(),
            in_direct_message: false,
            confirmed: Confirmed::No,
            for_all: false,
            by_channel: false,
            customer: None,
            onboarding: None,
        };
        let address = format!("https://example.invalid/not-a-link{}", long.text("", "?x=", 2900));
        let card = serde_json::from_value(json!({ "uri": address, "token": "no.token.either" })).ok()?;
        let reference = "0EXAMPLE00".to_owned();
        let services = services(long);
        let (user, channel) = (long.text("U0ALICE", "U", 64), long.text("C0CUSTOMER", "C", 64));
        Some(Self {
            now: NOW,
            works: works(&request, &reference),
            several: several::asked(long, &request, false)?,
            several_in_a_long_line: several::asked(long, &request, true)?,
            usage_errors: usage::errors(long, &request, &services)?,
            problems: problems(long, &channel, &user),
            refusals: refusals(long),
            choices: choices(long),
            typed: long.text("google", "<!channel> ", 4000),
            sealed: long.text("sealed", "A", 3000),
            detail: long.text("The password was changed.", "Reconnect & <sign in> ", 5000),
            connection: long.text("calm_delta", "calm_", 250),
            long_tasks: long.longest.then(|| vec![long_task(long); 5]),
            warning: if long.longest {
                long_task(long)
            } else {
                Task {
                    code: "schema_changed".to_owned(),
                    message: "A column was added".to_owned(),
                    details: "campaigns has a new column, budget.".to_owned(),
                }
            },
            slash,
            reference,
            user,
            channel,
            request,
            card,
            services,
        })
    }

    /// The link in a state.
    pub(super) fn link(&self, state: State) -> Link {
        let ago = |hours: i64| NOW.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(NOW);
        let (posted, expires) = match state {
            State::Expired => (ago(30), ago(6)),
            _ => (ago(3), NOW.saturating_add(SignedDuration::from_hours(21)).unwrap_or(NOW)),
        };
        Link {
            onboarding: None,
            id: self.reference.clone(),
            connection_id: self.connection.clone(),
            team_id: "T0SANDBOX".to_owned(),
            channel_id: self.channel.clone(),
            requester: Some(self.user.clone()),
            request: self.request.clone(),
            message: Some(Place { channel: self.channel.clone(), ts: "1790000000.000100".to_owned() }),
            state,
            detail: (state == State::Broken).then(|| self.detail.clone()),
            trouble: (state == State::Broken).then(|| self.trouble(Cause::Access)),
            posted_at: posted,
            expires_at: expires,
            changed_at: ago(2),
            reminded: Reminded::default(),
            message_id: self.reference.clone(),
            landed_at: None,
            purpose: None,
        }
    }

    /// The connection of the link in a state.
    fn connection(&self, state: State) -> Connection {
        Connection {
            key: self.request.key(),
            link: self.link(state),
            generation: 1,
            posting: None,
            look_at: None,
            looks: 0,
            missing_since: None,
            seen: None,
        }
    }

    /// Bundles and destinations.
    pub(super) fn names(&self) -> Names {
        let of_one = self.services.iter().map(|service| service.id.clone()).collect::<Vec<_>>();
        let bundle =
            |n: usize| (format!("{}{n}", "onboarding".repeat(if n == 0 { 1 } else { 4 })), of_one.clone());
        match of_one.len() {
            // As many as fit, and more.
            100.. => Names {
                bundles: (1..30).map(bundle).collect(),
                destinations: (0..500).map(|n| format!("warehouse_{n}")).collect(),
            },
            _ => Names {
                bundles: vec![("onboarding".to_owned(), of_one)],
                destinations: ["eu", "staging"].map(str::to_owned).into(),
            },
        }
    }

    /// The answer of `status`.
    pub(super) fn status(&self, state: State, view: View) -> SlackMessageContent {
        status::status(&report(&self.connection(state), view, NOW))
    }

    /// The same of a link that is being posted.
    pub(super) fn status_on_its_way(&self) -> SlackMessageContent {
        let (command, before) = (self.reference.clone(), None);
        let posting = Some(Posting { command, unclear: true, in_place: false, before });
        let connection = Connection { posting, ..self.connection(State::Waiting) };
        status::status(&report(&connection, self.view(State::Waiting), NOW))
    }
}

fn long_task(long: &Lengths) -> Task {
    Task {
        code: long.text("", "reconnect_&_", 200),
        message: long.text("", "Sign in <!here> & ", 200),
        details: long.text("", "The *password* <!here> & ", 1000),
    }
}

fn works(request: &Request, reference: &str) -> Vec<Work> {
    let (link, request) = (reference.to_owned(), request.clone());
    vec![
        Work::Connect(request.clone()),
        Work::Renew { link: link.clone(), requester: None, unasked: false, request: request.clone() },
        Work::Cancel { link: link.clone(), request: request.clone() },
        Work::Sync { link, request },
    ]
}

fn services(long: &Lengths) -> Vec<Service> {
    let all = [
        ("google_ads", "Google Ads", ServiceStatus::Available),
        ("google_sheets", "Google Sheets", ServiceStatus::Available),
        ("google_analytics_4", "Google Analytics 4", ServiceStatus::Beta),
        ("google_analytics", "Google Analytics", ServiceStatus::Sunset),
        ("google_play", "Google Play", ServiceStatus::PrivatePreview),
        ("google_new", "Google New", ServiceStatus::Development),
    ];
    let number = if long.longest { 150 } else { all.len() };
    let sample = |(n, &(id, name, status)): (usize, &(&str, &str, ServiceStatus))| {
        // Some ids are longer than a choice's value may be.
        let id = if long.longest { format!("{n:03}_{}", "x".repeat(60 + n % 36)) } else { id.to_owned() };
        let name = long.text(name, "Größe & <Ads> * ", 300);
        Some(Service {
            id: ServiceId::parse(&id).ok()?,
            name,
            kind: Some(SchemaKind::Schema),
            status,
            obstacle: None,
        })
    };
    all.iter().cycle().take(number).enumerate().filter_map(sample).collect()
}

fn choices(long: &Lengths) -> Vec<Choice> {
    let number = if long.longest { 150 } else { 3 };
    let name = |n: usize| match n {
        0 => None,
        n => Some(format!("{}{n}", long.text("warehouse_", "d", 65))),
    };
    let choice = |name: Option<String>| {
        let value = name.as_ref().map_or_else(|| "-".to_owned(), |name| format!("={name}"));
        Choice { name, value }
    };
    (0..number).map(name).map(choice).collect()
}

fn refusals(long: &Lengths) -> Vec<(&'static str, Reason)> {
    let refused = Unclear::Refused(long.text("internal_error", "<!channel>", 500));
    vec![
        ("channel", Reason::Channel),
        ("not-listed", Reason::NotListed),
        ("guest", Reason::Guest),
        ("outsider", Reason::Outsider),
        ("deleted", Reason::Deleted),
        ("no-token", Reason::Unclear(Unclear::NoToken)),
        ("missing-scope", Reason::Unclear(Unclear::MissingScope("usergroups:read"))),
        ("no-user-groups", Reason::Unclear(Unclear::NoUserGroups)),
        ("no-such-group", Reason::Unclear(Unclear::NoSuchGroup)),
        ("slack-refused", Reason::Unclear(refused)),
        ("silent", Reason::Unclear(Unclear::Silent)),
        ("unknown", Reason::Unknown(Unclear::Silent)),
        ("unknown-refused", Reason::Unknown(Unclear::Refused("token_revoked".to_owned()))),
        ("unplaced", Reason::Unplaced(Unclear::MissingScope("users:read"))),
        ("unplaced-untold", Reason::Unplaced(Unclear::Untold)),
        ("unplaced-throttled", Reason::Unplaced(Unclear::Throttled)),
        ("unplaced-unreachable", Reason::Unplaced(Unclear::Unreachable)),
        ("unknown-unusable", Reason::Unknown(Unclear::Unusable(Some("internal_error".to_owned())))),
        ("unknown-unreadable", Reason::Unknown(Unclear::Unusable(None))),
        ("unseen", Reason::Unseen),
    ]
}

/// Everything that can stand between the bot and Fivetran.
pub(super) fn obstacles() -> [(&'static str, outbound::Obstacle); 15] {
    use outbound::Obstacle::{
        BadCertificate, CertificateOfAnotherHost, ExpiredCertificate, Foreign, FutureCertificate,
        NetworkSignIn, NoTls, OddShape, ProxyRefuses, ProxySignIn, Redirect, SilentProxy, UnknownHost,
        UnknownProxy, UntrustedCertificate,
    };
    [
        ("unknown-host", UnknownHost),
        ("no-tls", NoTls),
        ("untrusted", UntrustedCertificate),
        ("another-host", CertificateOfAnotherHost),
        ("expired", ExpiredCertificate),
        ("future", FutureCertificate),
        ("bad-certificate", BadCertificate),
        ("proxy-sign-in", ProxySignIn),
        ("proxy-refuses", ProxyRefuses),
        ("proxy-unknown", UnknownProxy),
        ("proxy-silent", SilentProxy),
        ("network-sign-in", NetworkSignIn),
        ("redirect", Redirect { status: 302 }),
        ("foreign", Foreign { status: 404 }),
        ("odd-shape", OddShape),
    ]
}

fn problems(long: &Lengths, channel: &str, user: &str) -> Vec<(&'static str, &'static str, Notice)> {
    let said = || ApiMessage {
        code: long.text("Forbidden", "C", 500),
        message: long.text("You do not have access.", "<!channel> & ", 500),
    };
    let origin = || Origin { channel_id: channel.to_owned(), user_id: Some(user.to_owned()) };
    let cannot_post = |word: &str| Problem::CannotPost { slack_says: word.to_owned() }.into();
    vec![
        ("key-rejected", "connect", Problem::KeyRejected.into()),
        ("forbidden", "connect", Problem::Forbidden(said()).into()),
        ("group-unknown", "connect", Problem::GroupUnknown(said()).into()),
        ("refused", "connect", Problem::Refused(said()).into()),
        ("declined-plan", "connect", Problem::Declined { status: 402, said: said() }.into()),
        ("declined-address", "connect", Problem::Declined { status: 405, said: said() }.into()),
        ("declined", "connect", Problem::Declined { status: 400, said: said() }.into()),
        ("declined-renew", "renew", Problem::Declined { status: 400, said: said() }.into()),
        ("declined-sync", "sync", Problem::Declined { status: 400, said: said() }.into()),
        ("forbidden-sync", "sync", Problem::Forbidden(said()).into()),
        ("refused-cancel", "cancel", Problem::Refused(said()).into()),
        ("refused-renew", "renew", Problem::Refused(said()).into()),
        ("sync-refused", "sync", Problem::Refused(said()).into()),
        ("conflict", "connect", Problem::Conflict(said()).into()),
        ("conflict-renew", "renew", Problem::Conflict(said()).into()),
        ("too-large", "connect", Problem::TooLarge { limit_mb: 8 }.into()),
        ("key-rejected-renew", "renew", Problem::KeyRejected.into()),
        ("forbidden-cancel", "cancel", Problem::Forbidden(said()).into()),
        ("rate-limited-renew", "renew", Problem::RateLimited { retry_after_s: Some(90) }.into()),
        ("schema-taken", "connect", Problem::SchemaTaken { service: long.text("stripe", "s", 100) }.into()),
        ("name-taken", "connect", Problem::NameTaken(said()).into()),
        ("already-connected", "connect", Problem::AlreadyConnected { origin: None }.into()),
        ("already-connected-here", "connect", Problem::AlreadyConnected { origin: Some(origin()) }.into()),
        ("already-connected-renew", "renew", Problem::AlreadyConnected { origin: None }.into()),
        ("gone", "renew", Problem::Gone.into()),
        ("gone-cancel", "cancel", Problem::Gone.into()),
        ("superseded", "renew", Problem::Superseded.into()),
        ("not-here", "renew", Problem::NotHere.into()),
        ("company-untold", "renew", Problem::CompanyUntold.into()),
        ("elsewhere", "connect", Problem::Elsewhere { origin: origin() }.into()),
        ("shared", "connect", Problem::Shared(Others { connected: 3, invited: 0 }).into()),
        ("shared-soon", "connect", Problem::Shared(Others { connected: 0, invited: 2 }).into()),
        (
            "shared-and-invited",
            "connect",
            Problem::Shared(Others {
                connected: if long.longest { u32::MAX } else { 1 },
                invited: if long.longest { u32::MAX } else { 1 },
            })
            .into(),
        ),
        ("cancelled", "cancel", Notice::Cancelled),
        ("sync-begun", "sync", Notice::SyncBegun),
        ("sync-running", "sync", Notice::SyncRunning),
        ("sync-paused", "sync", Problem::Paused.into()),
        ("sync-unfinished", "sync", Problem::Unfinished.into()),
        ("sync-gone", "sync", Problem::Gone.into()),
        ("sync-no-answer", "sync", Problem::NoAnswer.into()),
        ("not-cancelled", "cancel", Problem::NotCancelled.into()),
        ("table-missing", "connect", Problem::Misfit(MisfitKind::TableMissing).into()),
        ("table-not-wanted", "connect", Problem::Misfit(MisfitKind::TableNotWanted).into()),
        (
            "rate-limited",
            "connect",
            Problem::RateLimited { retry_after_s: Some(if long.longest { u64::MAX } else { 90 }) }.into(),
        ),
        ("rate-limited-unsaid", "connect", Problem::RateLimited { retry_after_s: None }.into()),
        ("no-answer", "connect", Problem::NoAnswer.into()),
        ("unsure-key", "connect", Problem::Unsure { why: Box::new(Problem::KeyRejected) }.into()),
        (
            "unsure-redirect",
            "connect",
            Problem::Unsure { why: Box::new(Problem::Blocked(outbound::Obstacle::Redirect { status: 302 })) }
                .into(),
        ),
        ("no-answer-cancel", "cancel", Problem::NoAnswer.into()),
        ("no-answer-renew", "renew", Problem::NoAnswer.into()),
        ("out-of-time", "connect", Problem::OutOfTime.into()),
        ("out-of-time-cancel", "cancel", Problem::OutOfTime.into()),
        ("out-of-time-renew", "renew", Problem::OutOfTime.into()),
        ("cannot-post-unconfirmed", "connect", Problem::Unconfirmed.into()),
        ("cannot-post-archived", "connect", cannot_post("is_archived")),
        ("cannot-post-closed", "connect", cannot_post("restricted_action")),
        ("cannot-post-operator", "connect", cannot_post("token_revoked")),
        (
            "cannot-post",
            "connect",
            Problem::CannotPost { slack_says: long.text("channel_not_found", "w", 5000) }.into(),
        ),
    ]
}
