//! Who may use the bot, and where.
//!
//! Owns the rule, what of it only Slack can tell, and for how long an answer of Slack's is
//! believed. Must not know what a person wants to do, so that a slash command and a button are
//! judged alike; the words of a refusal are [`crate::reply`]'s.
//!
//! Without any list every member may use the bot, so nobody is refused because Slack is away, only
//! because of what is known, be it from before: a guest stays a guest. Somebody who may be from
//! elsewhere is never let in unseen, so it must be known, once, whose the token is. With a list, what
//! Slack does not tell counts against everybody whom `ALLOWED_USERS` does not name; only where it never
//! could, for want of a token or a scope, membership of a group is enough.

mod cache;
mod company;
mod directory;
mod standing;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::slack::web_api::{Identity, WebApi};
pub use company::unguarded;
use directory::Directory;
pub use standing::{Home, Person};
use standing::{Own, Standing, standing};

/// Longest wait for all that Slack is asked; the acknowledgement is due after three seconds.
const PATIENCE: Duration = patience(800);
/// Between two questions whose the token is, as long as Slack does not say.
const PAUSE: Duration = Duration::from_secs(15);
/// Longest wait for that at the very first start, before anybody is answered: without it everybody
/// would be refused.
const FIRST_MEETING: Duration = patience(1000);
/// How many people a refusal names.
const ASKED: usize = 3;

/// So many milliseconds. The tests beside this wait for a Slack of their own, on a machine that may be busy: what
/// takes too long is tried with the whole bot.
const fn patience(ms: u64) -> Duration {
    if cfg!(test) { Duration::from_secs(60) } else { Duration::from_millis(ms) }
}

/// Who may use the bot, and where. What is empty allows everybody, and everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// `ALLOWED_USERS`.
    pub users: Vec<String>,
    /// `ALLOWED_USER_GROUPS`.
    pub user_groups: Vec<String>,
    /// `ALLOWED_CHANNELS`.
    pub channels: Vec<String>,
}

/// A refusal: why, and who could help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Slack ids of a few people of `ALLOWED_USERS`; empty where there is no such list.
    pub ask: Vec<String>,
}

/// Why a person may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The channel is not one of `ALLOWED_CHANNELS`.
    Channel,
    /// The person is on none of the lists.
    NotListed,
    /// A guest of the workspace.
    Guest,
    /// Of another workspace.
    Outsider,
    /// On the list by name, but Slack does not know the person where the bot is.
    Unseen,
    /// A member no more.
    Deleted,
    /// Slack did not tell who this is, and a list needs to know.
    Unknown(Unclear),
    /// This may be somebody from elsewhere: the request does not say, and neither does Slack.
    Unplaced(Unclear),
    /// A list of user groups needs an answer that Slack did not give.
    Unclear(Unclear),
}

/// Why Slack does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// There is no bot token to ask with.
    NoToken,
    /// The token lacks this scope.
    MissingScope(&'static str),
    /// The workspace's plan has no user groups.
    NoUserGroups,
    /// One of the user groups does not exist.
    NoSuchGroup,
    /// Slack's word for another refusal.
    Refused(String),
    /// No answer in time.
    Silent,
    /// Slack asks for a pause before it is asked again.
    Throttled,
    /// No connection.
    Unreachable,
    /// An answer that is none, with Slack's word for it or the status, if it has any.
    Unusable(Option<String>),
    /// An answer that does not say it.
    Untold,
}

impl Unclear {
    /// Whether it is likely to pass by itself.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Silent | Self::Throttled | Self::Unreachable | Self::Unusable(_) | Self::Untold)
    }
}

/// Decides who may. No `Debug`: it holds the token.
pub struct Gate {
    permissions: Permissions,
    directory: Directory,
    /// Whether the log knows that Slack does not tell who is in a channel.
    untold: AtomicBool,
}

impl Gate {
    /// Without `web_api` nothing is known of people but their ids.
    #[must_use]
    pub fn new(permissions: Permissions, web_api: Option<WebApi>) -> Self {
        Self { permissions, directory: Directory::new(web_api), untold: AtomicBool::default() }
    }

    /// The rule.
    #[must_use]
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Takes over whose the token is, by what is known from before. If nothing is, asks, and waits for
    /// a moment.
    pub async fn recall(&self, known: Option<Identity>, now: Timestamp) {
        match known {
            Some(identity) => self.directory.recall(identity),
            None => drop(tokio::time::timeout(FIRST_MEETING, self.directory.identity(now)).await),
        }
    }

    /// The id under which everything of the bot's workspace or organisation is kept, if Slack has ever said.
    pub async fn own_id(&self, now: Timestamp) -> Option<String> {
        let identity = match self.directory.identity_before() {
            Some(identity) => identity,
            None => self.directory.identity(now).await.ok()?,
        };
        Own::told(&identity).id().map(str::to_owned)
    }

    /// The address of the bot's workspace or organisation, if Slack has ever told it.
    #[must_use]
    pub fn site(&self) -> Option<url::Url> {
        self.directory.identity_before()?.site
    }

    /// Whose the token is, whenever Slack says so for the first time or otherwise than before.
    #[must_use]
    pub fn identities(&self) -> watch::Receiver<Option<Identity>> {
        let mut told = self.directory.identities();
        // Also what was told at the start.
        told.mark_changed();
        told
    }

    /// Whether this person may use the bot in this channel. Takes 800 ms at most, and until `limit` at
    /// most. The id under which everything of the bot's workspace or organisation is kept, wherever in
    /// it the person is at work.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn authorize(
        &self,
        person: &Person,
        channel_id: &str,
        now: Timestamp,
        limit: Instant,
    ) -> Result<String, Refused> {
        let channels = &self.permissions.channels;
        let judged = if channels.is_empty() || channels.iter().any(|id| id == channel_id) {
            let Admission { team_id, refused, .. } = self.admit(person, now, limit).await;
            refused.map_or(Ok(team_id), Err)
        } else {
            Err(self.refused(Reason::Channel))
        };
        judged.inspect_err(|Refused { reason, .. }| {
            let (team, user) = (person.workspace.id(), &person.user_id);
            tracing::info!(team, channel = channel_id, user, ?reason, "somebody was not permitted");
        })
    }

    /// Whether this person may use the bot at all, as far as no channel is concerned. Takes as long as
    /// [`Self::authorize`].
    pub async fn admit(&self, person: &Person, now: Timestamp, limit: Instant) -> Admission {
        let end = limit.min(Instant::now() + PATIENCE);
        let Permissions { users, user_groups, .. } = &self.permissions;
        let named = users.contains(&person.user_id);
        let anybody = users.is_empty() && user_groups.is_empty();
        let kept_under = |own: &Own| own.id().or(Own::of_request(person).id()).unwrap_or_default().to_owned();
        if !named && !anybody && user_groups.is_empty() {
            let own = self.directory.identity_before().as_ref().map(Own::told);
            let team_id = kept_under(&own.unwrap_or_else(|| Own::of_request(person)));
            return Admission { team_id, refused: Some(self.refused(Reason::NotListed)), is_placed: false };
        }
        let in_a_group = async {
            if named || anybody {
                return Ok(true);
            }
            let asked = timeout_at(end, self.directory.in_one_of(user_groups, &person.user_id, now));
            asked.await.unwrap_or(Err(Unclear::Silent))
        };
        let (known, in_a_group) = tokio::join!(self.known(person, end, now), in_a_group);
        let team_id = kept_under(&known.own);
        let is_placed = known.standing == Standing::Member || person.home != Home::Here;
        let judged = judge(known, named, anybody, in_a_group);
        Admission { team_id, refused: judged.err().map(|reason| self.refused(reason)), is_placed }
    }

    fn refused(&self, reason: Reason) -> Refused {
        Refused { reason, ask: self.permissions.users.iter().take(ASKED).cloned().collect() }
    }

    /// What is known of a person: now, or, if that speaks against the person, from before.
    async fn known(&self, person: &Person, end: Instant, now: Timestamp) -> Known {
        let (identity, info) = tokio::join!(
            timeout_at(end, self.directory.identity(now)),
            timeout_at(end, self.directory.user(&person.user_id, now)),
        );
        let (own, why_untold) =
            match (identity.unwrap_or(Err(Unclear::Silent)), self.directory.identity_before()) {
                (Ok(identity), _) | (Err(_), Some(identity)) => (Own::told(&identity), None),
                (Err(Unclear::NoToken), None) => (Own::of_request(person), None),
                (Err(unclear), None) => (Own::untold(), Some(unclear)),
            };
        let unclear = match info.unwrap_or(Err(Unclear::Silent)) {
            Ok(info) => {
                let standing = standing(person, &own, Some(&info));
                return Known { own, standing, unclear: why_untold };
            }
            Err(unclear) => Some(why_untold.unwrap_or(unclear)),
        };
        let before = self.directory.user_before(&person.user_id);
        let before = before.map(|info| standing(person, &own, Some(&info))).filter(|it| it.keeps_out());
        let standing = before.unwrap_or_else(|| standing(person, &own, None));
        Known { own, standing, unclear }
    }

    /// Finds out whose the token is, until Slack says so: nobody has to be judged without that.
    pub async fn introduce(&self, now: impl Fn() -> Timestamp) {
        while self.directory.identity(now()).await.is_err_and(|unclear| unclear.may_pass()) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Says in the log what cannot be known here.
    pub async fn announce(&self, now: Timestamp) {
        let scopes = self.directory.scopes(now).await;
        // Slack is away, or does not list them; nothing is known to be amiss.
        if scopes.is_none() && self.directory.web_api.is_some() {
            return;
        }
        for gap in gaps(&self.permissions, scopes.as_deref()) {
            tracing::warn!("{}", gap.sentence);
        }
    }
}

/// Whether somebody may use the bot where no channel is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What everything of the bot's workspace or organisation is kept under.
    pub team_id: String,
    /// Why the person may not, if that is so.
    pub refused: Option<Refused>,
    /// Whether it is known where the person is from: Slack tells it, or a press has said so.
    pub is_placed: bool,
}

/// Whether somebody of whom so much is known may use the bot.
fn judge(known: Known, named: bool, anybody: bool, in_a_group: Result<bool, Unclear>) -> Result<(), Reason> {
    let Known { standing, unclear, .. } = known;
    match standing {
        Standing::Unseen if named => return Err(Reason::Unseen),
        Standing::Outsider | Standing::Unseen => return Err(Reason::Outsider),
        Standing::Deleted => return Err(Reason::Deleted),
        // Whoever put a person on the list by name meant it.
        _ if named => {}
        Standing::Guest => return Err(Reason::Guest),
        Standing::Unplaced => return Err(Reason::Unplaced(unclear.unwrap_or(Unclear::Untold))),
        Standing::FromHere if !anybody => match unclear {
            // Nobody will ever know here, as the log at start says; the group is what there is.
            None | Some(Unclear::NoToken | Unclear::MissingScope(_)) => {}
            Some(unclear) => return Err(Reason::Unknown(unclear)),
        },
        Standing::FromHere | Standing::Member => {}
    }
    match in_a_group {
        Ok(true) => Ok(()),
        Ok(false) => Err(Reason::NotListed),
        Err(unclear) => Err(Reason::Unclear(unclear)),
    }
}

/// What is known of somebody.
struct Known {
    own: Own,
    standing: Standing,
    /// Why Slack does not tell who this is.
    unclear: Option<Unclear>,
}

/// Something that cannot be known with the token and scopes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What follows, and what to do about it.
    pub sentence: &'static str,
    /// Whether people are refused for it who should not be.
    pub shuts_out: bool,
}

/// What cannot be known with these scopes; `None` is no token at all.
#[must_use]
pub fn gaps(permissions: &Permissions, scopes: Option<&[String]>) -> Vec<Gap> {
    let granted = |scope: &str| scopes.is_some_and(|scopes| scopes.iter().any(|known| known == scope));
    let mut gaps = Vec::new();
    // Whoever is on the list by name may be a guest.
    let by_name_alone = !permissions.users.is_empty() && permissions.user_groups.is_empty();
    if !by_name_alone && !granted("users:read") {
        let sentence = match scopes {
            None => {
                "without SLACK_BOT_TOKEN, guests cannot be told from members, so they can use the bot too; \
                 set it and grant the scope users:read, or set ALLOWED_USERS"
            }
            Some(_) => {
                "without the scope users:read, guests cannot be told from members, so they can use the bot \
                 too; add it under OAuth & Permissions and reinstall the app, or set ALLOWED_USERS"
            }
        };
        gaps.push(Gap { sentence, shuts_out: false });
    }
    if !permissions.user_groups.is_empty() && !granted("usergroups:read") {
        let sentence = match scopes {
            None => {
                "ALLOWED_USER_GROUPS lets nobody in without SLACK_BOT_TOKEN; set it and grant the scope \
                 usergroups:read, or use ALLOWED_USERS"
            }
            Some(_) => {
                "ALLOWED_USER_GROUPS lets nobody in without the scope usergroups:read; add it under OAuth & \
                 Permissions and reinstall the app, or use ALLOWED_USERS"
            }
        };
        gaps.push(Gap { sentence, shuts_out: true });
    }
    gaps
}

#[cfg(test)]
mod tests;
