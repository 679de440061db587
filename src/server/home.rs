//! The app's Home: what is shown in it when somebody opens it, and what becomes of a press there.
//!
//! Owns who sees whose links in a Home, and what can be done from there. A press in a Home comes from no
//! channel and has no response_url, so what there is to say to it stands at the top of the Home that is
//! published next, or comes as a direct message if none can be; what comes of a command reaches its channel, or the person by a direct message. Must not
//! call Slack before a press is acknowledged.

use std::sync::Arc;

use slack_morphism::prelude::SlackMessageContent;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::accept::{Answered, Asked, Intake};
use super::deadline::Deadline;
use crate::clock::Clock;
use crate::command::home::{
    self as pages, About, Entry, Filter, Listed, MOST, MOST_LINKS, Page, Whose, Wish,
};
use crate::command::{cancel, renew, sync};
use crate::journal::Progress;
use crate::life::Link;
use crate::permission::{self, Admission, Gate, Person, Refused};
use crate::reply::csv::csv;
use crate::reply::home::{
    self as reply, BACK, EVERYBODYS, EXPORT, FILTERS, MINE, NEXT, NotExported, REFRESH,
};
use crate::reply::{self as replies, Audience, ask};
use crate::slack::event::HomeOpened;
use crate::slack::id;
use crate::slack::interaction::Interaction;
use crate::slack::refusal::{self, Fix};
use crate::slack::respond::PostError;
use crate::slack::web_api::{File, WebApi};
use crate::store::{Store, StoreError, Wanted};
use crate::telemetry::Answer;
use crate::work::Work;

/// How many Homes are made at a time. Each reads the database and calls Slack; more wait, and take nothing
/// from commands meanwhile.
const AT_A_TIME: usize = 8;
/// What Slack says where another view was published since.
const CONFLICT: &str = "hash_conflict";

/// What Homes are made of. No `Debug`: it holds secrets.
pub struct Homes {
    /// The time.
    pub clock: Clock,
    /// Slack's Web API, with a bot token: no Home without one.
    pub web_api: Option<WebApi>,
    /// Who may.
    pub gate: Arc<Gate>,
    /// Where commands come in.
    pub intake: Intake,
    /// Who gets to see a link.
    pub audience: Audience,
    /// The links.
    pub store: Store,
    /// Who may make one now.
    pub places: Places,
}

/// As many places as Homes are made at a time.
pub struct Places(Semaphore);

impl Default for Places {
    fn default() -> Self {
        Self(Semaphore::new(AT_A_TIME))
    }
}

/// What came of a press.
struct Pressed {
    answer: Answer,
    notice: Option<SlackMessageContent>,
}

impl From<SlackMessageContent> for Pressed {
    fn from(said: SlackMessageContent) -> Self {
        Self { answer: Answer::Replied, notice: Some(said) }
    }
}

impl Homes {
    /// Shows their Home to somebody who opens it, as they left it. An event that Slack sends again changes
    /// nothing, if the Home that it was about has been replaced.
    pub(super) fn opened(self: &Arc<Self>, opened: HomeOpened) {
        let HomeOpened { user_id, workspace, channel_id, view } = opened;
        let kept = view.as_ref().map(|view| view.private_metadata.as_str()).unwrap_or_default();
        let mut wish = Wish::read(kept);
        wish.direct = channel_id.filter(|id| id::is_of_two(id)).or(wish.direct);
        let hash = view.map(|view| view.hash).filter(|hash| !hash.is_empty());
        // Where the person is from, an event does not say. A press does.
        let person = Person { user_id, workspace, home: permission::Home::Here };
        let homes = Arc::clone(self);
        tokio::spawn(async move { homes.show(&person, wish, None, hash.as_deref()).await });
    }

    /// Does what was pressed in a Home, and shows it anew. `key` names the request: a replay has the same.
    pub(super) async fn pressed(
        self: &Arc<Self>,
        key: &[u8],
        interaction: &Interaction,
        deadline: Deadline,
    ) -> Answer {
        let (Some(view), Some(user_id), Some(action)) =
            (interaction.home(), interaction.user_id.clone(), interaction.action.as_ref())
        else {
            tracing::warn!("a press in a Home that cannot be read");
            return Answer::Replied;
        };
        let home = permission::Home::Told(interaction.user_team.clone());
        let person = Person { user_id, workspace: interaction.workspace.clone(), home };
        let mut wish = Wish::read(&view.private_metadata);
        let value = action.value.as_deref().unwrap_or_default();
        let filter = FILTERS.iter().position(|&id| id == action.id).and_then(|at| Filter::ALL.get(at));
        let mut exports = false;
        let mut pressed = Pressed { answer: Answer::Replied, notice: None };
        match action.id.as_str() {
            EVERYBODYS => wish = Wish { whose: Whose::All, page: 0, ..wish },
            MINE => wish = Wish { whose: Whose::Mine, page: 0, ..wish },
            NEXT | BACK => wish.page = value.parse().unwrap_or_default(),
            // Slack has led the person there.
            ask::OPEN_MESSAGE => return Answer::Replied,
            REFRESH => {}
            EXPORT => match self.intake.look(&person.user_id) {
                Ok(()) => exports = true,
                Err(too_much) => {
                    pressed = Pressed { answer: Answer::TooMuch, notice: Some(replies::too_much(too_much)) };
                }
            },
            ask::RENEW_HERE | ask::CANCEL | ask::SYNC_NOW => {
                pressed = self.act(key, &person, &action.id, value, deadline).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "could not look up what a button is about");
                    Pressed { answer: Answer::NotAccepted, ..replies::not_accepted().into() }
                });
            }
            _ => match filter {
                Some(&filter) => wish = Wish { filter, page: 0, ..wish },
                None => {
                    tracing::warn!("a press of a button that this version does not have");
                    pressed = ask::unknown().into();
                }
            },
        }
        let (homes, answer) = (Arc::clone(self), pressed.answer);
        tokio::spawn(async move {
            let notice = if exports { homes.export(&person, &wish).await } else { pressed.notice };
            homes.show(&person, wish, notice, None).await;
        });
        answer
    }

    /// Begins what a button asks for about a link: its requester may from here what they may in its channel.
    async fn act(
        &self,
        key: &[u8],
        person: &Person,
        action: &str,
        value: &str,
        deadline: Deadline,
    ) -> Result<Pressed, StoreError> {
        let (store, reference) = (self.store.clone(), value.to_owned());
        let stored = deadline.wait_for(async move { store.connection_of_link(&reference).await }).await;
        let link = stored.unwrap_or(Err(StoreError::Unanswered))?.map(|stored| stored.connection.link);
        let Some(link) = link.filter(|link| link.requester.as_ref() == Some(&person.user_id)) else {
            return Ok(ask::not_yours().into());
        };
        let (now, limit) = (self.clock.now(), deadline.early());
        match self.gate.authorize(person, &link.channel_id, now, limit).await {
            Ok(team_id) if id::may_be_one(&link.team_id, &team_id) => {}
            Ok(_) => return Ok(ask::not_yours().into()),
            Err(refused) => return Ok(replies::refused(&refused).into()),
        }
        // It may have changed since the Home was made.
        let begun = match action {
            ask::RENEW_HERE if link.onboarding.is_some() => Err(ask::not_yours()),
            ask::RENEW_HERE => renew::work(&link).map_err(|why| ask::not_renewable(why, &link)),
            ask::SYNC_NOW => sync::work(&link).map_err(|why| ask::not_synced(why, &link)),
            _ => match cancel::refused(&link) {
                Some(why) => Err(ask::not_cancellable(why, &link)),
                None => Ok(cancel::work(&link)),
            },
        };
        Ok(match begun {
            Ok((work, progress)) => self.begin(key, person, &link, work, progress, deadline).await,
            Err(said) => said.into(),
        })
    }

    async fn begin(
        &self,
        key: &[u8],
        person: &Person,
        link: &Link,
        work: Work,
        progress: Progress,
        deadline: Deadline,
    ) -> Pressed {
        let asked = Asked {
            team_id: link.team_id.clone(),
            channel_id: link.channel_id.clone(),
            user_id: person.user_id.clone(),
            response_url: None,
        };
        let answered = self.intake.accept(key, asked, &work, progress, deadline).await;
        let said = match (&answered, &work) {
            (Answered::Accepted(_), Work::Renew { .. }) => reply::renewing(link, self.audience),
            _ => answered.told(&work),
        };
        Pressed { answer: answered.counts_as(), notice: Some(said) }
    }

    /// Publishes somebody's Home as it is now.
    async fn show(
        &self,
        person: &Person,
        mut wish: Wish,
        notice: Option<SlackMessageContent>,
        hash: Option<&str>,
    ) {
        let Some(web_api) = &self.web_api else { return };
        let Ok(_place) = self.places.0.acquire().await else { return };
        let (refused, wanted) = self.admit(person, &mut wish).await;
        let now = self.clock.now();
        // Whoever may not use the bot sees what they asked for and nothing besides; nor does anybody else as long
        // as they may be from elsewhere, for want of a scope, and have pressed nothing.
        let only = (!wish.placed).then_some(person.user_id.as_str());
        let page = match self.page(&wanted, &mut wish, only).await {
            Ok(page) => Some(page),
            Err(error) => {
                tracing::error!(%error, "could not look up what a Home shows");
                None
            }
        };
        let home = reply::Home {
            user: &person.user_id,
            wish: &wish,
            page: page.as_ref(),
            site: self.gate.site(),
            refused: refused.as_ref(),
            notice: notice.as_ref(),
        };
        match web_api.publish_view(&person.user_id, &reply::home(&home, now), hash).await {
            Ok(()) => {}
            // Somebody has opened it twice, or pressed something in it meanwhile.
            Err(PostError::Refused(word)) if word == CONFLICT => {}
            Err(error) => {
                tracing::info!(%error, "a Home could not be shown");
                // What was pressed has an answer all the same.
                let told = match notice {
                    Some(notice) => web_api.post_message(&person.user_id, notice).await.map(drop),
                    None => Ok(()),
                };
                if let Err(error) = told {
                    tracing::warn!(%error, "a press could not be answered");
                }
            }
        }
    }

    /// Why the person may not use the bot, if that is so, and which links they may see: whoever may not
    /// sees their own.
    async fn admit(&self, person: &Person, wish: &mut Wish) -> (Option<Refused>, Wanted) {
        let limit = Deadline::since(Instant::now()).early();
        let Admission { team_id, refused, is_placed } =
            self.gate.admit(person, self.clock.now(), limit).await;
        wish.placed = refused.is_none() && (is_placed || wish.placed);
        if !wish.placed {
            wish.whose = Whose::Mine;
        }
        let wanted = Wanted {
            team_id,
            requester: (wish.whose == Whose::Mine).then(|| person.user_id.clone()),
            urgencies: wish.filter.urgencies(),
        };
        (refused, wanted)
    }

    /// The page that is wished for; `only`: what an onboarding shows of it.
    async fn page(&self, wanted: &Wanted, wish: &mut Wish, only: Option<&str>) -> Result<Page, StoreError> {
        let now = self.clock.now();
        let listed = Listed::of(self.store.links_in_short(wanted, MOST_LINKS + 1).await?, now);
        wish.page = pages::number(wish.page, listed.entries.len());
        let mut entries = Vec::new();
        for about in listed.on(wish.page) {
            let entry = match about {
                About::Link(key) => {
                    let stored = self.store.connection(key).await;
                    stored.map(|it| {
                        let link = it.map(|stored| stored.connection.link);
                        link.filter(|link| is_of(link, wanted)).map(|link| Entry::link(link, now))
                    })
                }
                About::Onboarding(id) => {
                    let onboarding = self.store.onboarding(id).await;
                    onboarding.map(|it| it.and_then(|it| Entry::onboarding(it, only, now)))
                }
            };
            match entry {
                Ok(entry) => entries.extend(entry),
                // One of another version is left out.
                Err(error @ StoreError::Unreadable(_)) => {
                    tracing::warn!(%error, "an entry of a Home is left out")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(listed.page(wish.page, entries))
    }

    /// Sends what a Home lists, all pages of it, as a file. What there is to say then.
    async fn export(&self, person: &Person, wish: &Wish) -> Option<SlackMessageContent> {
        let web_api = self.web_api.as_ref()?;
        let Ok(_place) = self.places.0.acquire().await else { return None };
        let Some(direct) = &wish.direct else { return Some(reply::not_exported(NotExported::Nowhere)) };
        let (_, wanted) = self.admit(person, &mut wish.clone()).await;
        // One more than is sent, to know whether there are more.
        let links = match self.store.links_of_home(&wanted, 0, MOST + 1).await {
            Ok(links) => links,
            Err(error) => {
                tracing::error!(%error, "could not look up what is to be exported");
                return Some(replies::status::unavailable());
            }
        };
        let now = self.clock.now();
        let more = links.len() > MOST;
        let mut links = pages::links(links, now);
        links.truncate(MOST);
        let comment = reply::with_file(links.len(), more, now);
        let file = File { name: reply::FILE, comment: &comment, content: &csv(&links) };
        Some(match web_api.send_file(direct, file).await {
            Ok(()) => reply::exported(links.len(), more),
            Err(error) => {
                tracing::info!(%error, "a list could not be sent as a file");
                reply::not_exported(match &error {
                    PostError::Refused(word) if refusal::fix(word) == Some(Fix::Scope) => NotExported::Scope,
                    error if error.may_be_done() => NotExported::Unclear,
                    _ => NotExported::Slack,
                })
            }
        })
    }
}

/// Whether a link is one of those that were wanted still, whatever it was when it was listed: what somebody else
/// takes over is theirs from then on.
fn is_of(link: &Link, wanted: &Wanted) -> bool {
    let is_theirs = wanted.requester.is_none() || wanted.requester == link.requester;
    is_theirs && id::may_be_one(&wanted.team_id, &link.team_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_somebody_else_has_taken_over_is_not_theirs_any_more() {
        let of = |team: &str, requester: Option<&str>| -> Link {
            let request = json!({
                "service": "stripe", "service_name": "Stripe", "target": { "schema": "acme", "table": null },
                "group_id": "g", "slash": "/connect-card",
            });
            let at = jiff::Timestamp::UNIX_EPOCH;
            let link = json!({
                "id": "L", "connection_id": "c", "team_id": team, "channel_id": "C", "requester": requester,
                "request": request, "message_id": "M", "state": "waiting", "detail": null, "posted_at": at,
                "expires_at": at, "changed_at": at, "reminded": { "before": false, "after": false },
                "purpose": null, "landed_at": null, "onboarding": null,
            });
            serde_json::from_value(link).unwrap()
        };
        let wanted = |requester: Option<&str>| Wanted {
            team_id: "T".to_owned(),
            requester: requester.map(str::to_owned),
            urgencies: 0..9,
        };
        for (link, mine, everybodys) in [
            (of("T", Some("U")), true, true),
            (of("T", Some("V")), false, true),
            (of("T", None), false, true),
            (of("S", Some("U")), false, false),
            // An organisation may be of every workspace.
            (of("E", Some("U")), true, true),
        ] {
            assert_eq!(is_of(&link, &wanted(Some("U"))), mine, "{link:?}");
            assert_eq!(is_of(&link, &wanted(None)), everybodys, "{link:?}");
        }
    }
}
