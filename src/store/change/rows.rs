//! The rows that one change of a connection writes.
//!
//! Owns their columns, as the statements read them. Must not know when they are committed, nor with
//! what.

use jiff::Timestamp;
use serde::Serialize;

use super::{MessageWrite, Write};
use crate::life::{Purpose, State};
use crate::store::row::{NOBODY, bits, place_of};
use crate::work::Key;

/// The rows of one change.
pub(super) struct Rows {
    pub(super) connection: ConnectionRow,
    pub(super) new: Option<NewMessage>,
    pub(super) placed: Option<PlacedMessage>,
    pub(super) shown: Vec<ShownMessage>,
    pub(super) news: Option<NewsRow>,
    pub(super) group: Option<GroupRow>,
    pub(super) now: i64,
}

#[derive(Serialize)]
pub(super) struct ConnectionRow {
    group_id: String,
    name: String,
    connection_id: String,
    team_id: String,
    channel_id: String,
    requester: String,
    request: String,
    link: String,
    generation: i64,
    message: String,
    posting: Option<String>,
    state: &'static str,
    purpose: Option<&'static str>,
    detail: Option<String>,
    trouble: Option<String>,
    posted_at: i64,
    expires_at: i64,
    changed_at: i64,
    reminded: i64,
    landed_at: Option<i64>,
    looks: u32,
    look_at: Option<i64>,
    missing_since: Option<i64>,
    seen: Option<String>,
    tick_at: Option<i64>,
    watch_until: i64,
    urgency: usize,
    expected: i64,
    command: Option<String>,
    fence: Option<i64>,
    joins: Option<String>,
}

#[derive(Serialize)]
pub(super) struct NewMessage {
    id: String,
    group_id: String,
    name: String,
    link: String,
    requester: String,
    wanted: i64,
    due: Option<i64>,
    posted_at: i64,
    left_at: Option<i64>,
    place_channel: Option<String>,
    place_ts: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PlacedMessage {
    id: String,
    fence: Option<i64>,
    place_channel: Option<String>,
    place_ts: Option<String>,
    shown: Option<i64>,
    /// 1 if nobody has waited for it.
    found: u8,
    /// 1: only if it stands nowhere yet.
    once: u8,
    at: i64,
}

#[derive(Serialize)]
pub(super) struct ShownMessage {
    id: String,
    /// 1 if what it should show has changed; 0 if only somebody is to be told.
    changed: u8,
    /// 1 if one person alone is to be told, for which nothing has to stand anywhere.
    private: u8,
}

/// Which message shows a connection's link.
#[derive(Serialize)]
pub(super) struct Stands<'a> {
    group_id: &'a str,
    name: &'a str,
    /// Empty: none, since there is no connection, or no link.
    message: &'a str,
}

#[derive(Serialize)]
pub(super) struct NewsRow {
    id: String,
    message: String,
    body: String,
}

#[derive(Serialize)]
pub(super) struct GroupRow {
    pub(super) group_id: String,
    next_at: i64,
}

/// How long after a link is posted in a group in which nothing was watched its list is read, in ms:
/// nobody finishes a setup sooner.
const FIRST_SWEEP_MS: i64 = 20_000;

/// The place in a list of a link that stands in none.
const UNLISTED: usize = 9;

impl Rows {
    /// `joins`: the onboarding that must be open.
    pub(super) fn of(write: &Write<'_>, joins: Option<&str>) -> Option<Self> {
        let Write { change, version, held, ref message, reminders, now, .. } = *write;
        let (connection, link) = (&change.connection, &change.connection.link);
        let ms = |moment: Timestamp| moment.as_millisecond();
        let now_ms = ms(now);
        let watch_until = connection.link.watch_until();
        let posting = connection.posting.as_ref().map(serde_json::to_string).transpose().ok()?;
        let row = ConnectionRow {
            group_id: connection.key.group_id.clone(),
            name: connection.key.name.clone(),
            connection_id: link.connection_id.clone(),
            team_id: link.team_id.clone(),
            channel_id: link.channel_id.clone(),
            requester: link.requester.clone().unwrap_or_else(|| NOBODY.to_owned()),
            request: serde_json::to_string(&link.request).ok()?,
            link: link.id.clone(),
            generation: connection.generation,
            message: link.message_id.clone(),
            posting,
            state: link.state.name(),
            purpose: link.purpose.map(Purpose::name),
            detail: link.detail.clone(),
            trouble: link.trouble.as_ref().map(serde_json::to_string).transpose().ok()?,
            posted_at: ms(link.posted_at),
            expires_at: ms(link.expires_at),
            changed_at: ms(link.changed_at),
            reminded: bits(link.reminded),
            landed_at: link.landed_at.map(ms),
            looks: connection.looks,
            look_at: connection.look_at.map(ms),
            missing_since: connection.missing_since.map(ms),
            seen: connection.seen.clone(),
            tick_at: connection.tick_at(reminders).map(ms),
            watch_until: watch_until.map_or(0, ms),
            urgency: if link.state.is_over() { UNLISTED } else { link.state.urgency() },
            expected: version,
            command: held.map(|held| held.id.clone()),
            fence: held.map(|held| held.fence),
            joins: joins.map(str::to_owned),
        };
        // While it is on its way to Slack, where it stands may become known at any moment.
        let private =
            change.news.is_some_and(|news| news.needs_no_place(link)) && connection.posting.is_none();
        let shows = |id: &String, changed| ShownMessage {
            id: id.clone(),
            changed,
            private: u8::from(private && *id == link.message_id),
        };
        let mut shown: Vec<_> = change.show.iter().map(|id| shows(id, 1)).collect();
        if change.news.is_some() && !change.show.contains(&link.message_id) {
            shown.push(shows(&link.message_id, 0));
        }
        shown.sort_by(|a, b| a.id.cmp(&b.id));
        let news = change.news.map(|news| -> Option<_> {
            Some(NewsRow {
                id: format!("{} {} {}", row.group_id, row.name, version + 1),
                message: link.message_id.clone(),
                body: serde_json::to_string(&News::of(&connection.key, news)).ok()?,
            })
        });
        let is_due = matches!(message, MessageWrite::Due);
        // A group is listed from its first link on, and again when something is to be watched in it.
        let begins = version == 0 || connection.posting.is_some();
        let group = (begins || (!change.show.is_empty() && watch_until.is_some()))
            .then(|| GroupRow { group_id: row.group_id.clone(), next_at: now_ms + FIRST_SWEEP_MS });
        Some(Self {
            new: matches!(message, MessageWrite::New | MessageWrite::Due).then(|| NewMessage {
                id: link.message_id.clone(),
                group_id: row.group_id.clone(),
                name: row.name.clone(),
                link: link.id.clone(),
                requester: row.requester.clone(),
                // What it shows so far is nothing.
                wanted: if is_due { 2 } else { 1 },
                due: is_due.then_some(now_ms),
                posted_at: now_ms,
                left_at: None,
                place_channel: is_due.then(|| row.channel_id.clone()),
                place_ts: None,
            }),
            placed: PlacedMessage::of(message, &link.message_id, now_ms),
            shown,
            news: match news {
                Some(news) => Some(news?),
                None => None,
            },
            group,
            connection: row,
            now: now_ms,
        })
    }

    pub(super) fn key(&self) -> (&str, &str) {
        (&self.connection.group_id, &self.connection.name)
    }
}

impl<'a> Stands<'a> {
    pub(super) fn of(row: &'a ConnectionRow) -> Self {
        let ConnectionRow { group_id, name, message, .. } = row;
        let none = [State::Cancelled, State::Unposted].map(State::name).contains(&row.state);
        Self { group_id, name, message: if none { "" } else { message } }
    }
}

/// News as it is kept.
#[derive(Serialize)]
struct News<'a> {
    connection: &'a Key,
    news: crate::life::News,
    private: bool,
}

impl<'a> News<'a> {
    fn of(connection: &'a Key, news: crate::life::News) -> Self {
        let (news, private) = news.kept();
        Self { connection, news, private }
    }
}

impl PlacedMessage {
    fn of(message: &MessageWrite<'_>, id: &str, at: i64) -> Option<Self> {
        let (fence, place, shown) = match message {
            MessageWrite::None | MessageWrite::New | MessageWrite::Due => return None,
            MessageWrite::Placed(place) => (None, *place, None),
            MessageWrite::Shown(held) => (Some(held.fence), held.place.as_ref(), Some(held.wanted)),
            MessageWrite::Untouched(held) => (Some(held.fence), held.place.as_ref(), None),
        };
        let (place_channel, place_ts) = place_of(place);
        Some(Self { id: id.to_owned(), fence, place_channel, place_ts, shown, found: 0, once: 0, at })
    }
}
