//! Before a link is posted: whether it still may be, and how its connection stands from then on.
//!
//! Owns the rule that a connection belongs to one channel, and that the link on show is taken back
//! before another one takes its place. What is decided here is on disk before Slack hears of it.

use jiff::Timestamp;

use super::{Change, Connection, Link, Place, Posting, Purpose, Reminded, Seen, State, Trouble};
use crate::fivetran::model::SetupState;
use crate::slack::id;
use crate::work::{Intent, Request};

/// What a command wants to post.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The command.
    pub command: &'a str,
    /// What it wants.
    pub intent: Intent,
    /// The link that it renews, by its reference.
    pub renews: Option<&'a str>,
    /// The connection at Fivetran.
    pub connection_id: &'a str,
    /// What the link is for, if the connection had been set up when Fivetran was asked last.
    pub purpose: Option<Purpose>,
    /// The workspace.
    pub team_id: &'a str,
    /// The channel.
    pub channel_id: &'a str,
    /// Who asks.
    pub requester: &'a str,
    /// What was asked for.
    pub request: &'a Request,
    /// When the new link stops working.
    pub expires_at: Timestamp,
    /// Whether messages can be edited so that the channel sees the link.
    pub edits: bool,
    /// Whether messages can be edited at all. Without a token they stay as they are, and whoever moves
    /// the connection has been asked.
    pub takes_back: bool,
}

/// What may be done about it: by a post, or by a change that shows no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intention<P = Post> {
    /// The link may be posted once this is on disk.
    Post(P),
    /// First the link that is on show has to be taken back.
    TakeBack(Box<Change>),
    /// The link on show is being taken back; until its message shows that, nothing may be posted.
    Wait {
        /// Its message.
        message_id: String,
    },
    /// It may not be posted.
    Refused(Refusal),
}

/// A link that may be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// How its connection stands from now on.
    pub change: Change,
    /// The message of its own that it gets, or the one that it is put into.
    pub at: At,
}

/// Where a link goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Into a new message.
    New,
    /// Into the message that stands there.
    Place(Place),
}

/// Why a link may not be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The connection belongs to another channel.
    Elsewhere {
        /// Which.
        channel_id: String,
        /// Who asked for it there, if anybody did.
        user_id: Option<String>,
    },
    /// The link that was to be renewed has made way for a newer one.
    Superseded,
    /// Its connection is gone.
    Over,
}

/// Judges a post by how the connection stands; `None`: it is not known yet. `behind`: its message does
/// not show yet how its link stands.
#[must_use]
pub fn intend(connection: Option<&Connection>, behind: bool, ask: &Ask<'_>, now: Timestamp) -> Intention {
    connection
        .and_then(|connection| first(connection, behind, ask, now))
        .unwrap_or_else(|| Intention::Post(post(connection, ask, now)))
}

/// What comes first, or stands in the way.
pub(super) fn first<P>(
    connection: &Connection,
    behind: bool,
    ask: &Ask<'_>,
    now: Timestamp,
) -> Option<Intention<P>> {
    let link = &connection.link;
    if let Some(refusal) = refuse(link, ask) {
        return Some(Intention::Refused(refusal));
    }
    let in_place = ask.renews.is_some() && ask.edits && link.message.is_some();
    // In an onboarding's message no link is on show.
    if link.message.is_some() && !in_place && ask.takes_back && link.onboarding.is_none() {
        // One that has expired by the clock still shows its button.
        if link.state == State::Waiting {
            let mut change = Change { connection: connection.clone(), show: Vec::new(), news: None };
            change.connection.posting = None;
            change.becomes(State::Replaced, now);
            return Some(Intention::TakeBack(Box::new(change)));
        }
        // Whatever it is to show by now, it may still show the link.
        if behind {
            return Some(Intention::Wait { message_id: link.message_id.clone() });
        }
    }
    None
}

fn refuse(link: &Link, ask: &Ask<'_>) -> Option<Refusal> {
    match ask.renews {
        Some(renewed) if link.id != renewed => Some(if link.belongs_to(ask) {
            Refusal::Superseded
        } else {
            Refusal::Elsewhere { channel_id: link.channel_id.clone(), user_id: link.requester.clone() }
        }),
        // A post that failed after the link on show was taken back leaves it to be renewed.
        Some(_) if matches!(link.state, State::Cancelled | State::Gone) => Some(Refusal::Over),
        Some(_) => None,
        None if ask.intent == Intent::Connect
            && link.is_home_of(ask.connection_id)
            && !link.belongs_to(ask) =>
        {
            Some(Refusal::Elsewhere { channel_id: link.channel_id.clone(), user_id: link.requester.clone() })
        }
        None => None,
    }
}

impl Link {
    /// Whether its connection belongs to its channel: a link was asked for there, and stood there or
    /// may have.
    #[must_use]
    pub fn has_home(&self) -> bool {
        !matches!(self.state, State::Unposted | State::Cancelled | State::Gone)
    }

    /// The same for what Fivetran shows by this id: one that was believed to be gone has come back.
    #[must_use]
    pub fn is_home_of(&self, connection_id: &str) -> bool {
        self.has_home() || (self.state == State::Gone && self.connection_id == connection_id)
    }

    fn belongs_to(&self, ask: &Ask<'_>) -> bool {
        id::may_be_one(&self.team_id, ask.team_id) && self.channel_id == ask.channel_id
    }
}

pub(super) fn post(before: Option<&Connection>, ask: &Ask<'_>, now: Timestamp) -> Post {
    let generation = before.map_or(0, |before| before.generation) + 1;
    // An earlier try of which nothing was heard may be there; what stood before it, stood before this.
    let (unclear, stood) = match before {
        Some(Connection { posting: Some(posting), .. }) => (true, posting.before.clone()),
        Some(Connection { link, .. }) => (false, link.has_home().then(|| Box::new(link.clone()))),
        None => (false, None),
    };
    let old = before.map(|before| &before.link);
    let renewed = old.filter(|_| ask.renews.is_some());
    let place = renewed.filter(|_| ask.edits).and_then(|link| link.message.clone());
    let message_id = match (&place, old) {
        (Some(_), Some(old)) => old.message_id.clone(),
        _ => format!("{}-{generation}", ask.command),
    };
    let link = Link {
        id: ask.renews.unwrap_or(ask.command).to_owned(),
        connection_id: ask.connection_id.to_owned(),
        // Whoever asks for a new link in the old one's place does not move the connection.
        team_id: renewed.map_or(ask.team_id, |old| &old.team_id).to_owned(),
        channel_id: renewed.map_or(ask.channel_id, |old| &old.channel_id).to_owned(),
        requester: renewed.map_or_else(|| Some(ask.requester.to_owned()), |old| old.requester.clone()),
        request: renewed.map_or(ask.request, |old| &old.request).clone(),
        message_id,
        message: place.clone(),
        state: State::Waiting,
        detail: None,
        trouble: None,
        posted_at: now,
        expires_at: ask.expires_at,
        changed_at: now,
        reminded: Reminded::default(),
        purpose: ask.purpose,
        landed_at: None,
        onboarding: None,
    };
    let trouble = Trouble::default();
    let incomplete = Seen::Setup { state: SetupState::Incomplete, trouble, first_sync: false };
    let connection = Connection {
        key: ask.request.key(),
        link,
        generation,
        posting: Some(Posting {
            command: ask.command.to_owned(),
            unclear,
            in_place: place.is_some(),
            before: stood,
        }),
        look_at: None,
        looks: 0,
        missing_since: None,
        // Nobody posts a link for one that is finished but to repair it or to authorise it again.
        seen: ask.purpose.is_none().then(|| incomplete.digest()),
    };
    // What the message before says is over once another one has the link. Where it stands may become
    // known only at this moment: by the row it might be nowhere.
    let left = old.filter(|old| place.is_none() && old.state != State::Replaced);
    let show = left.map(|old| old.message_id.clone()).into_iter().collect();
    let at = place.map_or(At::New, At::Place);
    Post { change: Change { connection, show, news: None }, at }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::life::{Event, next};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A connection once its link is intended, by a process that takes up the command or has it.
    pub(in crate::life) fn intended(before: Option<&Connection>, ask: &Ask<'_>) -> Connection {
        match intend(before, false, ask, NOW) {
            Intention::Post(post) => post.change.connection,
            other => panic!("{other:?}"),
        }
    }

    fn is_unclear(connection: &Connection) -> bool {
        connection.posting.as_ref().is_some_and(|posting| posting.unclear)
    }

    pub(in crate::life) fn becomes(connection: &Connection, event: Event) -> Connection {
        next(connection, event, false, NOW).connection
    }

    pub(in crate::life) fn asked(judged: impl FnOnce(Ask<'_>)) {
        let request = serde_json::from_value(serde_json::json!({
            "service": "google_ads", "service_name": "Google Ads",
            "target": { "schema": "acme", "table": null }, "group_id": "g", "slash": "/connect-card",
        }))
        .unwrap();
        judged(Ask {
            command: "c",
            intent: Intent::Connect,
            renews: None,
            connection_id: "there",
            purpose: None,
            team_id: "T",
            channel_id: "C",
            requester: "U",
            request: &request,
            expires_at: NOW + SignedDuration::from_hours(24),
            edits: true,
            takes_back: true,
        });
    }

    /// Each try may be another process's, which knows of those before it only by this.
    #[test]
    fn that_a_link_may_be_there_is_known_until_its_command_has_ended() {
        asked(|ask| {
            for unheard in [true, false] {
                let first = intended(None, &ask);
                assert!(!is_unclear(&first));
                let mut stands = if unheard { first } else { becomes(&first, Event::NotPosted) };
                for _ in 0..3 {
                    let tried = intended(Some(&stands), &ask);
                    assert_eq!(is_unclear(&tried), unheard);
                    stands = becomes(&tried, Event::NotPosted);
                    assert_eq!(stands.posting.is_some(), unheard, "only what is sure is settled");
                    let state = if unheard { State::Waiting } else { State::Unposted };
                    assert_eq!(stands.link.state, state);
                }
                let tried = intended(Some(&stands), &ask);
                for over in [Event::Posted, Event::MaybePosted] {
                    assert_eq!(becomes(&tried, over).posting, None);
                }
            }
        });
    }

    #[test]
    fn a_message_that_may_show_a_link_is_put_right_and_that_it_may_is_still_known() {
        asked(|ask| {
            let mut old = becomes(&intended(None, &ask), Event::Posted);
            old.link.message = Some(Place { channel: "C".to_owned(), ts: "1".to_owned() });
            let ask = Ask { intent: Intent::Renew, renews: Some("c"), command: "renewal", ..ask };
            let first = intended(Some(&old), &ask);
            let tried = intended(Some(&first), &ask);
            let change = next(&tried, Event::NotPosted, false, NOW);
            assert_eq!(change.show, [old.link.message_id], "it shows no link that nobody stands by");
            assert_ne!(change.connection.link.state, State::Waiting);
            assert!(is_unclear(&intended(Some(&change.connection), &ask)));
            assert_eq!(becomes(&change.connection, Event::MaybePosted).posting, None);
        });
    }
}
