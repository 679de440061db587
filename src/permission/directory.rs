//! What Slack knows of people and channels, asked seldom.
//!
//! Owns the calls, for how long each answer is believed, what a failed call means, and what was known
//! before. Must not know who is allowed what.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use super::cache::{Answer, Cache};
use super::{Unclear, patience};
use crate::slack::refusal::{self, Sort};
use crate::slack::respond::PostError;
use crate::slack::web_api::{Conversation, Identity, NO_ANSWER, UserInfo, WebApi};

/// How long what Slack told of a person or a group is believed.
const KEEP: Duration = Duration::from_secs(5 * 60);
/// How long it is believed whose the token is. A workspace can move into an Enterprise organisation.
/// <https://docs.slack.dev/enterprise/developing-for-enterprise-orgs>
const KEEP_IDENTITY: Duration = Duration::from_secs(60 * 60);
/// The same of the scopes that it was granted, which only change when the app is installed again.
const KEEP_SCOPES: Duration = Duration::from_secs(60 * 60);
/// How long it is believed that a scope or a group is missing: somebody may be mending it.
const KEEP_REFUSAL: Duration = Duration::from_secs(60);
/// How long Slack is left in peace after it did not answer.
const KEEP_SILENCE: Duration = Duration::from_secs(10);
/// Longest wait for what Slack knows of a channel, within that of whoever asks.
const CHANNEL_PATIENCE: Duration = patience(1500);
/// People of whom something is kept.
const PEOPLE: usize = 10_000;
/// Channels of which something is kept.
const CHANNELS: usize = 10_000;
/// User groups of which the members are kept.
const GROUPS: usize = 1_000;

type Told<T> = Result<T, Unclear>;

/// The workspace, as far as Slack tells.
pub(super) struct Directory {
    pub(super) web_api: Option<WebApi>,
    own: Cache<Told<Identity>>,
    people: Cache<Told<UserInfo>>,
    groups: Cache<Told<Arc<HashSet<String>>>>,
    channels: Cache<Told<Arc<Conversation>>>,
    scopes: Cache<Option<Arc<[String]>>>,
    before: Arc<Before>,
}

/// What Slack told last, however long ago, for when it does not answer.
struct Before {
    own: watch::Sender<Option<Identity>>,
    people: Mutex<HashMap<String, UserInfo>>,
}

impl Before {
    fn keep_person(&self, id: String, info: UserInfo) {
        let mut people = lock(&self.people);
        // So many are no workspace that we know of; what is forgotten is asked for again.
        if people.len() >= PEOPLE && !people.contains_key(&id) {
            people.clear();
        }
        people.insert(id, info);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Directory {
    pub(super) fn new(web_api: Option<WebApi>) -> Self {
        Self {
            web_api,
            own: Cache::new(1),
            people: Cache::new(PEOPLE),
            groups: Cache::new(GROUPS),
            channels: Cache::new(CHANNELS),
            scopes: Cache::new(1),
            before: Arc::new(Before { own: watch::Sender::new(None), people: Mutex::default() }),
        }
    }

    /// Takes over whose the token is, from before the start.
    pub(super) fn recall(&self, identity: Identity) {
        self.before.own.send_replace(Some(identity));
    }

    /// Tells what Slack says of that when it says something else than before.
    pub(super) fn identities(&self) -> watch::Receiver<Option<Identity>> {
        self.before.own.subscribe()
    }

    /// What Slack said last of whose the token is.
    pub(super) fn identity_before(&self) -> Option<Identity> {
        self.before.own.borrow().clone()
    }

    /// What Slack said last of a person.
    pub(super) fn user_before(&self, user_id: &str) -> Option<UserInfo> {
        lock(&self.before.people).get(user_id).cloned()
    }

    /// The bot's own workspace.
    pub(super) async fn identity(&self, now: Timestamp) -> Told<Identity> {
        let web_api = self.web_api.clone().ok_or(Unclear::NoToken)?;
        let before = Arc::clone(&self.before);
        let ask = || async move {
            match web_api.auth_test().await {
                // A yes that does not say whose: of no use, and no reason to forget what is known.
                Ok(identity) if identity.workspace().id().is_none() => (Err(Unclear::Untold), KEEP_SILENCE),
                Ok(identity) => {
                    before.own.send_if_modified(|known| {
                        known.replace(identity.clone()).as_ref() != Some(&identity)
                    });
                    (Ok(identity), KEEP_IDENTITY)
                }
                Err(error) => failed(error, ""),
            }
        };
        self.own.get("", now, ask).await.unwrap_or(Err(Unclear::Silent))
    }

    /// A person.
    pub(super) async fn user(&self, user_id: &str, now: Timestamp) -> Told<UserInfo> {
        let web_api = self.web_api.clone().ok_or(Unclear::NoToken)?;
        let (id, before) = (user_id.to_owned(), Arc::clone(&self.before));
        let ask = || async move {
            let told = match web_api.users_info(&id).await {
                // Nobody whom the workspace can see.
                Err(PostError::Refused(word)) if word == "user_not_found" || word == "user_not_visible" => {
                    Ok(UserInfo { is_unseen: true, ..UserInfo::default() })
                }
                told => told,
            };
            match told {
                Ok(info) => {
                    before.keep_person(id, info.clone());
                    (Ok(info), KEEP)
                }
                Err(error) => failed(error, "users:read"),
            }
        };
        self.people.get(user_id, now, ask).await.unwrap_or(Err(Unclear::Silent))
    }

    /// The scopes that the token was granted, as far as Slack tells.
    pub(super) async fn scopes(&self, now: Timestamp) -> Option<Arc<[String]>> {
        let web_api = self.web_api.clone()?;
        let ask = || async move {
            match web_api.scopes().await {
                Ok(scopes) => (scopes.map(Arc::from), KEEP_SCOPES),
                Err(_) => (None, KEEP_SILENCE),
            }
        };
        self.scopes.get("", now, ask).await.flatten()
    }

    /// A channel. What is not shown to the bot is not asked for again and again; a failure that passes by
    /// itself is not kept at all, since somebody waits for the answer.
    pub(super) async fn channel(&self, channel_id: &str, now: Timestamp) -> Told<Arc<Conversation>> {
        let web_api = self.web_api.clone().ok_or(Unclear::NoToken)?;
        let id = channel_id.to_owned();
        let ask = || async move {
            // One that hangs is given up, so that the next try is another call.
            let asked = timeout(CHANNEL_PATIENCE, web_api.conversation(&id)).await;
            match asked.unwrap_or_else(|_| Err(PostError::Unclear(NO_ANSWER.to_owned()))) {
                Ok(channel) => (Ok(Arc::new(channel)), KEEP),
                Err(error) => {
                    let (told, _) = failed(error, "channels:read or groups:read");
                    let passes = told.as_ref().is_err_and(Unclear::may_pass);
                    // Whoever is told to invite the bot may do so at once, and is to be asked then.
                    (told, if passes { Duration::ZERO } else { KEEP_SILENCE })
                }
            }
        };
        self.channels.get(channel_id, now, ask).await.unwrap_or(Err(Unclear::Silent))
    }

    /// Whether a person is in one of the groups. A group that cannot be read matters only if the
    /// person is in none of the others.
    pub(super) async fn in_one_of(&self, groups: &[String], user_id: &str, now: Timestamp) -> Told<bool> {
        let looks = join_all(groups.iter().map(|group| self.members(group, now))).await;
        let mut answer = Ok(false);
        for look in looks {
            match look {
                Ok(members) if members.contains(user_id) => return Ok(true),
                Ok(_) => {}
                Err(unclear) => answer = Err(unclear),
            }
        }
        answer
    }

    async fn members(&self, group: &str, now: Timestamp) -> Told<Arc<HashSet<String>>> {
        let web_api = self.web_api.clone().ok_or(Unclear::NoToken)?;
        let id = group.to_owned();
        let ask = || async move {
            match web_api.user_group_members(&id).await {
                Ok(members) => (Ok(Arc::new(members.into_iter().collect())), KEEP),
                Err(error) => failed(error, "usergroups:read"),
            }
        };
        self.groups.get(group, now, ask).await.unwrap_or(Err(Unclear::Silent))
    }
}

/// What a failed call means, and for how long. `scope` is the one it takes.
fn failed<T>(error: PostError, scope: &'static str) -> Answer<Told<T>> {
    let (unclear, keep) = match error {
        PostError::Refused(word) => {
            let unclear = match word.as_str() {
                "missing_scope" => Unclear::MissingScope(scope),
                "plan_upgrade_required" | "paid_teams_only" => Unclear::NoUserGroups,
                "no_such_subteam" | "subteam_not_found" => Unclear::NoSuchGroup,
                _ => Unclear::Refused(word),
            };
            (unclear, KEEP_REFUSAL)
        }
        PostError::Throttled(pause) => {
            (Unclear::Throttled, pause.unwrap_or(KEEP_SILENCE).clamp(KEEP_SILENCE, KEEP_REFUSAL))
        }
        PostError::Later { word, pause } => {
            (Unclear::Unusable(Some(word)), pause.clamp(KEEP_SILENCE, KEEP_REFUSAL))
        }
        PostError::NotSent(_) => (Unclear::Unreachable, KEEP_SILENCE),
        PostError::Unclear(word) if word == NO_ANSWER => (Unclear::Silent, KEEP_SILENCE),
        PostError::Unclear(word) => {
            let is_told = refusal::sort(&word) != Sort::Unknown || word.starts_with("status ");
            (Unclear::Unusable(is_told.then_some(word)), KEEP_SILENCE)
        }
        PostError::Unconfirmed(_) => (Unclear::Unusable(None), KEEP_SILENCE),
    };
    (Err(unclear), keep)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn what_was_told_of_people_is_kept_until_there_is_no_room() {
        let before = Before { own: watch::Sender::new(None), people: Mutex::default() };
        let kept = |before: &Before| lock(&before.people).len();
        for person in 0..PEOPLE {
            before.keep_person(person.to_string(), UserInfo::default());
        }
        assert_eq!(kept(&before), PEOPLE);
        // What is told of one who is known takes no room.
        before.keep_person("7".to_owned(), UserInfo { deleted: true, ..UserInfo::default() });
        assert_eq!(kept(&before), PEOPLE);
        assert!(lock(&before.people)["7"].deleted);
        before.keep_person("one more".to_owned(), UserInfo::default());
        assert_eq!(kept(&before), 1);
    }

    #[test]
    fn a_failed_call_is_told_by_what_mends_it() {
        let refused = |word: &str| PostError::Refused(word.to_owned());
        let unusable = |word: &str| Unclear::Unusable(Some(word.to_owned()));
        for (error, unclear, keep) in [
            (refused("missing_scope"), Unclear::MissingScope("usergroups:read"), KEEP_REFUSAL),
            (refused("plan_upgrade_required"), Unclear::NoUserGroups, KEEP_REFUSAL),
            (refused("no_such_subteam"), Unclear::NoSuchGroup, KEEP_REFUSAL),
            (refused("token_revoked"), Unclear::Refused("token_revoked".to_owned()), KEEP_REFUSAL),
            (PostError::Throttled(None), Unclear::Throttled, KEEP_SILENCE),
            (
                PostError::Throttled(Some(Duration::from_secs(30))),
                Unclear::Throttled,
                Duration::from_secs(30),
            ),
            (PostError::Throttled(Some(Duration::MAX)), Unclear::Throttled, KEEP_REFUSAL),
            (PostError::of_word("ratelimited"), Unclear::Throttled, KEEP_SILENCE),
            (PostError::of_word("internal_error"), unusable("internal_error"), KEEP_SILENCE),
            (PostError::of_word("org_login_required"), unusable("org_login_required"), KEEP_REFUSAL),
            (PostError::of_status(StatusCode::BAD_GATEWAY), unusable("status 502"), KEEP_SILENCE),
            (PostError::NotSent("no connection"), Unclear::Unreachable, KEEP_SILENCE),
            (PostError::Unclear(NO_ANSWER.to_owned()), Unclear::Silent, KEEP_SILENCE),
            (PostError::Unclear("a page".to_owned()), Unclear::Unusable(None), KEEP_SILENCE),
            (PostError::Unconfirmed("a page"), Unclear::Unusable(None), KEEP_SILENCE),
        ] {
            assert_eq!(failed::<()>(error, "usergroups:read"), (Err(unclear), keep));
        }
    }
}
