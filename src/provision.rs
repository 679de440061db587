//! The steps at Fivetran: create, look, mint, cancel, sync, and seeing how one connection or a
//! destination's all stand.
//!
//! Owns what each answer of Fivetran's means for a command. What is done next is
//! [`crate::journal`]'s decision. Must not know Slack or the database.

mod landing;
mod sweep;

use jiff::Timestamp;

use crate::current::Current;
use crate::fivetran::catalog::ServiceId;
use crate::fivetran::defaults::ServiceDefaults;
use crate::fivetran::error::Error;
use crate::fivetran::listed::Page;
use crate::fivetran::model::{ApiMessage, ConnectCard, Connection, SetupState, SyncState};
use crate::fivetran::schema::SchemaKind;
use crate::fivetran::{Fivetran, Named, NewConnection};
use crate::journal::{self, Failure, Found, Problem};
use crate::work::Request;
pub use landing::{Landing, Proofs};
pub use sweep::List;

/// What came of a step at Fivetran, with the card itself if it gave one.
pub type Outcome = journal::Outcome<ConnectCard>;

/// Whoever takes the steps. No `Debug`: it holds the key.
#[derive(Clone)]
pub struct Provision {
    fivetran: Fivetran,
    landing: Landing,
    proofs: Option<Proofs>,
    services: Current<ServiceDefaults>,
}

impl Provision {
    /// Steps at this Fivetran, whose customers land there afterwards.
    #[must_use]
    pub fn new(fivetran: Fivetran, landing: Landing) -> Self {
        Self { fivetran, landing, proofs: None, services: Current::new(ServiceDefaults::default()) }
    }

    /// The same, by whose cards a source's customer is known again.
    #[must_use]
    pub fn with_proofs(self, proofs: Proofs) -> Self {
        Self { proofs: Some(proofs), ..self }
    }

    /// The same, by which connections are made with these.
    #[must_use]
    pub fn with_defaults(self, services: Current<ServiceDefaults>) -> Self {
        Self { services, ..self }
    }

    /// Requests that the account may make in an hour, if Fivetran has said so yet.
    #[must_use]
    pub fn hourly_limit(&self) -> Option<u64> {
        self.fivetran.hourly_limit()
    }

    /// The variable that the key in use comes from, and when the key expires, as far as is known.
    #[must_use]
    pub fn key(&self) -> (&'static str, Option<Timestamp>) {
        (self.fivetran.key_in_use().variable, self.fivetran.known_expiry())
    }

    /// What Fivetran calls a destination; without one, whether it takes the key. May be repeated.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn destination(&self, group_id: Option<&str>) -> Result<Option<String>, Error> {
        match group_id {
            Some(group_id) => self.fivetran.group(group_id).await.map(|group| Some(group.name)),
            None => self.fivetran.account().await.map(|_| None),
        }
    }

    /// Which config keys the service wants, asked of Fivetran unless the request knows. May be repeated.
    ///
    /// # Errors
    /// [`Failure`]; nothing has been created yet, so whatever goes wrong is clear.
    pub async fn kind(&self, request: &Request) -> Result<SchemaKind, Failure> {
        match request.kind {
            Some(kind) => Ok(kind),
            None => match self.fivetran.schema_kind(&request.service).await {
                Ok(kind) => Ok(kind),
                Err(Error::Unclear(_)) => Err(Failure::Unanswered),
                // A service without metadata of its own takes what nearly all take; if not, Fivetran
                // says so in its own words.
                Err(Error::NotFound(_)) => Ok(SchemaKind::Schema),
                // Nor does a key need to be allowed to read it.
                Err(Error::Forbidden(_)) => Ok(SchemaKind::Schema),
                Err(Error::Rejected { status: 400 | 422, said }) => {
                    Err(Failure::Final(Problem::Refused(said)))
                }
                Err(error) => Err(failure(error)),
            },
        }
    }

    /// Creates the connection with its card. `landing` is the last part of the address at which the
    /// customer lands. Not repeatable after [`Failure::Unclear`]: look first.
    pub async fn create(&self, request: &Request, kind: SchemaKind, landing: &str) -> Outcome {
        if let Err(misfit) = request.target.fits(kind) {
            return Outcome::Failed(Failure::Final(Problem::Misfit(misfit.into())));
        }
        let services = self.services.get();
        let new = NewConnection {
            service: &request.service,
            group_id: &request.group_id,
            target: &request.target,
            kind,
            redirect_uri: &self.landing.uri(landing),
            defaults: services.of(&request.service),
        };
        match self.fivetran.create_connection(new).await {
            Ok(created) => Outcome::Created { connection: created.connection.id, card: created.connect_card },
            Err(Error::Rejected { status, said }) => {
                let outcome = refused(status, said);
                if new.defaults.is_some()
                    && matches!(outcome, Outcome::CreateRefused { problem: Problem::Refused(_), .. })
                {
                    // No second try without them: data that is synced otherwise than whoever runs the bot
                    // has said is worse than none.
                    tracing::warn!(
                        service = request.service.as_str(),
                        "Fivetran refused a connection that was made with defaults of CONFIG"
                    );
                }
                outcome
            }
            // What is not there then is what was asked for: the service.
            Err(Error::NotFound(said)) if !said.is_of_group() => {
                Outcome::Failed(Failure::Final(Problem::Refused(said)))
            }
            Err(error) => Outcome::Failed(failure(error)),
        }
    }

    /// Looks for the connection by its name. May be repeated.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn look(&self, request: &Request) -> Result<Found, Failure> {
        let name = request.target.connection_name();
        let connections = self.fivetran.connections_named(&request.group_id, &name).await;
        connections.map(|named| judge(named, &request.service)).map_err(failure)
    }

    /// Makes a fresh card for a connection. May be repeated; the cards made before stay valid.
    pub async fn mint(&self, request: &Request, connection: &str, landing: &str) -> Outcome {
        let (services, landing) = (self.services.get(), self.landing.uri(landing));
        match self.fivetran.connect_card(connection, &landing, services.of(&request.service)).await {
            Ok(card) => Outcome::Minted(card),
            Err(Error::Gone(_)) => Outcome::Vanished,
            Err(error) => Outcome::Failed(failure(error)),
        }
    }

    /// The same for a source of an onboarding, by its link's reference: where its customer lands, they are led
    /// on to the next.
    pub async fn mint_for_source(
        &self,
        request: &Request,
        connection: &str,
        link: &str,
        now: Timestamp,
    ) -> Outcome {
        let landing = self.proofs.as_ref().map(|proofs| proofs.landing(link, now));
        self.mint(request, connection, landing.as_deref().unwrap_or(link)).await
    }

    /// Deletes a connection unless it has been connected: what it has loaded, and whoever relies on
    /// it, is nothing that a chat command should end. May be repeated: whether [`Outcome::Vanished`] is
    /// the doing of an earlier try, the journal knows.
    pub async fn cancel(&self, connection: &str) -> Outcome {
        match self.see(connection).await {
            Ok(Some(found)) if found.status.setup_state != SetupState::Incomplete => {
                return Outcome::NotCancelled;
            }
            Ok(Some(_)) => {}
            Ok(None) => return Outcome::Vanished,
            // Nothing was deleted by being looked at.
            Err(Error::Unclear(_)) => return Outcome::Failed(Failure::Unanswered),
            Err(error) => return Outcome::Failed(failure(error)),
        }
        match self.fivetran.delete_connection(connection).await {
            Ok(()) => Outcome::Cancelled,
            Err(Error::Gone(_)) => Outcome::Vanished,
            Err(error) => Outcome::Failed(failure(error)),
        }
    }

    /// Has a connection synced, unless that is under way. May be repeated: a sync that runs is left
    /// alone, so none is begun twice.
    pub async fn sync(&self, connection: &str) -> Outcome {
        match self.see_before_sync(connection).await {
            Ok(()) => {}
            Err(outcome) => return outcome,
        }
        match self.fivetran.sync_connection(connection).await {
            Ok(()) => Outcome::SyncBegun,
            Err(Error::Gone(_)) => Outcome::Vanished,
            Err(Error::Rejected { status: 409, said }) if said.says_running() => Outcome::SyncRunning,
            // Any conflict with how it stands, and not only with a sync that runs: it is looked at again.
            Err(Error::Rejected { status: 409, said }) => match self.see_before_sync(connection).await {
                Ok(()) => Outcome::Failed(Failure::Final(Problem::Refused(said))),
                Err(outcome) => outcome,
            },
            Err(error) => Outcome::Failed(failure(error)),
        }
    }

    /// Whether a connection can be synced; fails with what there is to say instead.
    async fn see_before_sync(&self, connection: &str) -> Result<(), Outcome> {
        let found = match self.see(connection).await {
            Ok(Some(found)) => found,
            Ok(None) => return Err(Outcome::Vanished),
            // Nothing was begun by being looked at.
            Err(Error::Unclear(_)) => return Err(Outcome::Failed(Failure::Unanswered)),
            Err(error) => return Err(Outcome::Failed(failure(error))),
        };
        match (found.status.setup_state, found.status.sync_state) {
            (SetupState::Incomplete, _) => Err(Outcome::Failed(Failure::Final(Problem::Unfinished))),
            (_, SyncState::Paused) => Err(Outcome::Failed(Failure::Final(Problem::Paused))),
            _ if found.paused => Err(Outcome::Failed(Failure::Final(Problem::Paused))),
            (_, SyncState::Syncing) => Err(Outcome::SyncRunning),
            _ => Ok(()),
        }
    }

    /// How a connection stands; `None` when Fivetran itself says that this connection is not there.
    ///
    /// # Errors
    /// [`Error`]; a 404 that does not speak of this connection is one.
    pub async fn see(&self, connection: &str) -> Result<Option<Connection>, Error> {
        match self.fivetran.connection(connection).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All connections of a destination, page by page. For whoever stays until the end: it cannot go
    /// round in circles.
    #[must_use]
    pub fn list<'a>(&'a self, group_id: &'a str) -> List<'a> {
        List::new(&self.fivetran, group_id)
    }

    /// One page of the connections of a destination: the first, or the one that `cursor` names. For
    /// whoever keeps the place by itself.
    ///
    /// # Errors
    /// [`Error`]; a group that is not there is one.
    pub async fn page(&self, group_id: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.fivetran.connections_of(group_id, cursor).await
    }
}

/// What the connections of our name mean. There is one at most while Fivetran keeps names unique;
/// were there more, the one that matters most is the one that must not be overlooked.
fn judge(named: Named, service: &ServiceId) -> Found {
    let mut found = Found::Nothing;
    for connection in named.connections {
        let ours = connection.service == service.as_str();
        let judged = match (ours, connection.status.setup_state) {
            (false, _) => Found::OtherService { service: connection.service },
            (true, SetupState::Incomplete) => {
                let times = named.answered_at.zip(connection.created_at);
                let age = times.map(|(answered_at, created_at)| answered_at.duration_since(created_at));
                Found::Unfinished { connection: connection.id, age }
            }
            (true, SetupState::Connected | SetupState::Broken | SetupState::Unknown) => {
                let broken = connection.status.setup_state == SetupState::Broken;
                Found::Finished { connection: connection.id, origin: None, broken }
            }
        };
        if !matches!(found, Found::Finished { .. }) {
            found = judged;
        }
    }
    found
}

/// What a refusal of a creation means. Any conflict with how things are is 409, and a name that is taken
/// may be 400: which it is, Fivetran's words and a look tell. What was asked for can be at fault only
/// where the status says so.
fn refused(status: u16, said: ApiMessage) -> Outcome {
    let taken = matches!(status, 400 | 409 | 422) && said.says_taken();
    let problem = match status {
        _ if taken => Problem::NameTaken(said),
        400 | 422 => Problem::Refused(said),
        _ => rejected(status, said),
    };
    Outcome::CreateRefused { problem, conflict: taken || status == 409 }
}

/// What another refusal means than one of what was asked for.
fn rejected(status: u16, said: ApiMessage) -> Problem {
    match status {
        // How things are now; a lock goes away.
        409 | 423 => Problem::Conflict(said),
        _ => Problem::Declined { status, said },
    }
}

/// Why Fivetran told nothing of what it was asked, as far as that stays or lasts.
#[must_use]
pub fn reason(error: Error) -> Option<Problem> {
    match failure(error) {
        Failure::Final(problem) | Failure::Doubtful(problem) => Some(problem),
        Failure::Throttled(pause) => {
            Some(Problem::RateLimited { retry_after_s: pause.map(|pause| pause.as_secs()) })
        }
        Failure::NotSent | Failure::Unanswered | Failure::Unclear => None,
    }
}

/// What a failed call means for the command.
fn failure(error: Error) -> Failure {
    match error {
        Error::KeyRejected(_) => Failure::Final(Problem::KeyRejected),
        Error::Forbidden(said) => Failure::Final(Problem::Forbidden(said)),
        Error::NotFound(said) if said.is_of_group() => Failure::Final(Problem::GroupUnknown(said)),
        Error::Gone(said) | Error::NotFound(said) => Failure::Final(rejected(404, said)),
        Error::Rejected { status, said } => Failure::Final(rejected(status, said)),
        Error::Blocked(obstacle) if obstacle.may_pass() => Failure::Doubtful(Problem::Blocked(obstacle)),
        Error::Blocked(obstacle) => Failure::Final(Problem::Blocked(obstacle)),
        Error::TooLarge { call } => Failure::Final(Problem::TooLarge { limit_mb: call.limit_mb() }),
        Error::Throttled(pause) => Failure::Throttled(pause),
        Error::Unavailable(_) => Failure::NotSent,
        Error::Unclear(_) => Failure::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Obstacle;

    fn said(code: &str, message: &str) -> ApiMessage {
        ApiMessage { code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn what_is_not_found_is_told_by_its_code() {
        let told = |code: &str| failure(Error::NotFound(said(code, "")));
        assert!(matches!(told("NotFound_Group"), Failure::Final(Problem::GroupUnknown(_))));
        for code in ["NotFound_Service", "NotFound_Connection", ""] {
            assert!(matches!(told(code), Failure::Final(Problem::Declined { status: 404, .. })), "{code}");
        }
    }

    #[test]
    fn a_conflict_is_a_taken_name_only_where_fivetran_says_so() {
        let name = |status, message: &str| match refused(status, said("Conflict", message)) {
            Outcome::CreateRefused { problem, conflict } => (problem.name(), conflict),
            outcome => panic!("{outcome:?}"),
        };
        for (status, message, told) in [
            (409, "Connection with schema name 'acme' already exists in the group", ("name_taken", true)),
            (400, "Destination schema must be unique", ("name_taken", true)),
            (409, "The destination is being migrated", ("conflict", true)),
            (409, "", ("conflict", true)),
            (423, "The destination is locked", ("conflict", false)),
            (400, "Unsupported connector service 'x'", ("refused", false)),
            (422, "", ("refused", false)),
            (402, "Your account is suspended", ("declined", false)),
            (405, "", ("declined", false)),
            (410, "The schema already exists no more", ("declined", false)),
            (423, "The connection is locked", ("conflict", false)),
        ] {
            assert_eq!(name(status, message), told, "{status} {message}");
        }
    }

    #[test]
    fn no_refusal_of_a_look_blames_what_was_asked_for() {
        for status in [400, 402, 405, 409, 410, 422, 423] {
            let error = Error::Rejected { status, said: said("InvalidInput", "the schema is taken") };
            let told =
                matches!(failure(error), Failure::Final(Problem::Declined { .. } | Problem::Conflict(_)));
            assert!(told, "{status}");
        }
    }

    #[test]
    fn what_stands_in_the_way_for_good_is_told_at_once() {
        for (obstacle, at_once) in [
            (Obstacle::Redirect { status: 302 }, true),
            (Obstacle::UntrustedCertificate, true),
            (Obstacle::Foreign { status: 200 }, true),
            (Obstacle::Foreign { status: 404 }, false),
            (Obstacle::UnknownHost, false),
        ] {
            let failure = failure(Error::Blocked(obstacle));
            assert_eq!(matches!(failure, Failure::Final(_)), at_once, "{failure:?}");
            assert_eq!(matches!(failure, Failure::Doubtful(_)), !at_once, "{failure:?}");
        }
    }

    #[test]
    fn how_old_a_connection_is_fivetran_says_by_one_clock() {
        let service = ServiceId::parse("google_ads").unwrap();
        let age = |created_at, answered_at: Option<&str>| {
            let connection = serde_json::json!({
                "id": "a", "service": "google_ads", "created_at": created_at,
                "status": {"setup_state": "incomplete"},
            });
            let connections = vec![serde_json::from_value(connection).unwrap()];
            let answered_at = answered_at.map(|at| at.parse().unwrap());
            match judge(Named { connections, answered_at }, &service) {
                Found::Unfinished { age, .. } => age.map(|age| age.as_secs()),
                found => panic!("{found:?}"),
            }
        };
        let (made, seen) = (Some("2026-11-26T12:00:00Z"), Some("2026-11-26T12:00:05Z"));
        assert_eq!(age(made, seen), Some(5));
        assert_eq!(age(made, None), None);
        assert_eq!(age(None, seen), None);
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
        let judge =
            |connections, service: &ServiceId| judge(Named { connections, answered_at: None }, service);
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
