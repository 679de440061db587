//! What must hold at every moment, seen from outside: what stands in Slack and what people are told,
//! against what Fivetran has.

use super::fivetran::Is;
use super::slack::Content;
use super::world::{Command, World};
use super::{CHANNELS, HOUR, MINUTE, SECOND};
use crate::journal::{Notice, Problem};
use crate::life::{News, State};
use crate::work::Intent;

impl World {
    /// Names are borne once.
    pub(super) fn witness_connections(&mut self, name: usize, _command: usize) {
        if self.fivetran.bearing(name).count() > 1 {
            self.violate(|| format!("two connections bear the name {name}"));
        }
    }

    /// A link has come to be seen. At most one of a connection is on show where it can be edited.
    /// Three kinds do not count. Of one whose answer was lost, or whose process died before it had
    /// written the place down, nobody knows where it stands. One that was sent by a process that had
    /// stood still until somebody else had its command, or the message, could not be held back: Slack
    /// knows no fence; it is taken away once that process hears of it, which the verdict sees to. And
    /// what cannot be edited cannot be taken back; of that, only the channel counts.
    pub(super) fn witness_link(&mut self, message: usize) {
        let Content::Link { card, .. } = self.slack.messages[message].content else { return };
        let id = self.fivetran.cards[card].connection;
        self.witness_channel(message, id);
        self.witness_company(message);
        let counts = |message: &&super::slack::Message| {
            let (made, shown) = (&self.slack.posts[message.post], &self.slack.posts[message.shown_by]);
            let known = (made.heard && made.written) || (made.clear && self.has_its_command(made));
            let owned = shown.clear && !shown.late && !made.late && !made.left;
            message.editable && known && owned && self.slack.refuses(message.place).is_none()
        };
        let live = self.slack.messages.iter().filter(counts).filter(|one| self.shows_live(one) == Some(id));
        let live = live.count();
        if live > 1 {
            self.violate(|| format!("{live} links of connection {id} are on show"));
        }
    }

    /// Whether whoever posted is still at work, and nobody else has taken the command.
    fn has_its_command(&self, post: &super::slack::Post) -> bool {
        let hand = &self.hands[post.hand];
        hand.at_work && self.store.row(hand.command).fence == hand.fence
    }

    /// What several other organisations see, somebody has said they may, or Slack did not say that they do.
    fn witness_company(&mut self, message: usize) {
        let message = &self.slack.messages[message];
        let id = self.slack.posts[message.shown_by].command;
        let command = &self.commands[id];
        let crowded = self.slack.crowded.get(message.place) == Some(&true) && self.slack.asks_company();
        if crowded && command.new.work.is_for_few() && command.unseen == 0 && !command.prior {
            self.violate(|| {
                format!("several organisations see the link of command {id}, and nobody was asked")
            });
        }
    }

    /// A second channel gets a link only if somebody said so there.
    fn witness_channel(&mut self, message: usize, id: usize) {
        let post = &self.slack.posts[self.slack.messages[message].shown_by];
        // What somebody sees alone is in no channel.
        let alone = |command: usize| self.commands[command].new.work.intent() == Intent::Open;
        if alone(post.command) {
            return;
        }
        let confirmed = |command: usize| {
            let intent = self.commands[command].new.work.intent();
            matches!(intent, Intent::PostHere | Intent::Reauthorise)
        };
        // Their numbers go by when they were typed, and not by whose turn came first.
        let began = |post: &super::slack::Post| self.commands[post.command].began;
        let of_same = self
            .slack
            .posts
            .iter()
            .filter(|other| !alone(other.command))
            .filter(|other| other.card.is_some_and(|card| self.fivetran.cards[card].connection == id));
        for other in of_same {
            let (first, second) = if began(other) < began(post) { (other, post) } else { (post, other) };
            let (here, there) = (&self.commands[first.command].new, &self.commands[second.command].new);
            // Direct messages belong to the channel that was asked in.
            let direct = here.channel.max(there.channel) >= CHANNELS.len();
            if here.channel == there.channel || direct {
                continue;
            }
            // Somebody has moved it there before.
            let mut earlier = self.commands[..].iter().enumerate();
            let moved = earlier.any(|(id, command)| {
                confirmed(id) && command.new.channel == there.channel && command.began < began(second)
            });
            // What was believed to be gone belongs to nobody.
            let gone = self.fivetran.connections[id].denied.len() > 1;
            if !confirmed(second.command) && !moved && !gone {
                let (from, to) = (first.command, second.command);
                return self.violate(|| {
                    format!("connection {id} crosses channels from command {from} to {to} unasked")
                });
            }
        }
    }

    /// A message has come to show how its link stands.
    pub(super) fn witness_settled(&mut self, message: usize, late: bool) {
        let Content::Settled { state, connection, asks, .. } = self.slack.messages[message].content else {
            return;
        };
        if !late && !self.is_so(state, connection, asks) {
            self.violate(|| {
                format!("message {message} shows {state:?}, which nobody has said of connection {connection}")
            });
        }
    }

    /// Since when answers count that something shown or told now goes by. What one has said may be ten minutes old
    /// before that arrives in Slack; and it is the newest that is known for as long as no other answer
    /// arrives, however long that is.
    fn known_since(&self, connection: usize) -> i64 {
        let old = self.now - 10 * MINUTE - self.skew - self.lost_time;
        let heard = self.fivetran.connections[connection].heard.iter().copied();
        heard.filter(|&at| at <= old).max().unwrap_or(old)
    }

    /// Whether a message may say that a connection is so: it was, and where only an answer can have told, one has.
    pub(super) fn is_so(&self, state: State, connection: usize, asks: bool) -> bool {
        let one = &self.fivetran.connections[connection];
        let old = self.known_since(connection);
        match state {
            State::Connected => one.was_said(Is::Connected, old),
            // One that nobody could look at is judged by what the command was for.
            State::Lapsed => one.was_said(Is::Connected, old) || !self.was_seen(connection),
            State::Broken if asks => one.was_said_to_lose_access(old) || one.was_said(Is::Incomplete, old),
            State::Broken => one.was_said(Is::Broken, old),
            State::Gone if one.is_deleted() => true,
            State::Gone => {
                // An answer that was not heard, or not written down, has told nobody.
                let heard =
                    self.fivetran.weather.is_fair() && self.lost_time == 0 && self.database_until == 0;
                let few = self.skew > 0 || !heard || !self.many_are_denied(connection);
                one.was(Is::Deleted, old) || (few && self.was_denied_twice(connection))
            }
            State::Cancelled => one.was(Is::Deleted, old),
            _ => true,
        }
    }

    /// Whether so many others are denied at the same time that none may be believed to be gone: the
    /// last word of each was that it is not there, and others can know it by now.
    fn many_are_denied(&self, connection: usize) -> bool {
        let known = self.now - MINUTE;
        let denied = |(id, one): &(usize, &super::fivetran::Connection)| {
            let last = one.denied.last().copied().unwrap_or(i64::MIN);
            let again = self.store.found_again.iter().filter(|(again, _)| again == id).map(|(_, at)| at);
            let seen = one.seen.iter().chain(again).copied();
            let last_seen = seen.clone().max();
            let first =
                one.denied.iter().copied().find(|&at| seen.clone().all(|seen| seen < at || seen > last));
            let shown_gone = self.slack.messages.iter().any(|message| match &message.content {
                Content::Settled { state, connection, .. } => *state == State::Gone && connection == id,
                Content::Sources(sources) => sources.shows_gone(*id),
                Content::Link { .. } => false,
            });
            *id != connection
                && self.was_shown(*id)
                && !one.is_deleted()
                && last_seen.is_none_or(|seen| seen < last)
                && first.is_some_and(|first| first < known)
                && !shown_gone
        };
        self.fivetran.connections.iter().enumerate().filter(denied).count() as u64 > crate::life::FEW
    }

    /// Whether a connection has ever been shown to anybody: only by its link is one the bot's to watch. What
    /// somebody else has made in the same group is denied by the same answers, and counts for nothing.
    fn was_shown(&self, id: usize) -> bool {
        let cards = self.slack.posts.iter().filter_map(|post| post.card);
        let mut shown = cards.map(|card| self.fivetran.cards[card].connection);
        let lines = |message: &super::slack::Message| matches!(&message.content, Content::Sources(it) if it.shows(id));
        shown.any(|one| one == id) || self.slack.messages.iter().any(lines)
    }

    /// A process sends something about a command that somebody else has. It cannot know that if it has
    /// stood still since it made sure; otherwise it has not made sure since it waited.
    pub(super) fn witness_late(&mut self, replica: usize, hand: usize) {
        let command = self.hands[hand].command;
        if self.replicas[replica].stood_at < self.hands[hand].checked_at {
            self.violate(|| {
                format!("replica {replica} sends something for command {command}, which it has lost")
            });
        }
    }

    /// Whether two answers denied a connection, minutes apart. By clocks that differ, minutes are not.
    fn was_denied_twice(&self, connection: usize) -> bool {
        let denied = &self.fivetran.connections[connection].denied;
        let apart = if self.skew > 0 { 0 } else { MINUTE };
        denied.iter().any(|&first| denied.iter().any(|&second| second > first && second - first >= apart))
    }

    /// A person is told something alone.
    pub(super) fn witness_whisper(&mut self, news: News, connection: usize) {
        let is = if news == News::Broken { Is::Broken } else { Is::Connected };
        // By an answer: how it has become since, nobody knows.
        if !self.fivetran.connections[connection].was_said(is, self.known_since(connection)) {
            self.violate(|| format!("somebody is told {news:?} of connection {connection}, which is not so"));
        }
    }

    /// A thread is told something.
    pub(super) fn witness_news(&mut self, message: usize, news: News, connection: usize) {
        let old = self.known_since(connection);
        let one = &self.fivetran.connections[connection];
        let so = match news {
            News::Connected { .. } | News::Fixed | News::Recovered => {
                one.was_said(Is::Connected, old) && self.was_used(message, connection)
            }
            News::Broken => one.was_said_to_lose_access(old) || one.was_said(Is::Incomplete, old),
            News::Gone => one.was(Is::Deleted, old) || self.was_denied_twice(connection),
            News::Lapsed => one.was_said(Is::Connected, old) || !self.was_seen(connection),
            News::Expired | News::ReminderAfter => {
                let shown = &self.slack.messages[message];
                let fresh = self.slack.posts[shown.shown_by].clear && !self.slack.posts[shown.shown_by].late;
                !(fresh && self.shows_live(shown).is_some() && self.works_for(message) > self.skew)
            }
            News::ReminderBefore | News::Added => true,
        };
        if !so {
            self.violate(|| format!("the thread of message {message} is told {news:?}, which is not so"));
        }
    }

    /// Whether somebody has written down how a connection stands since its newest link was to be posted. What a
    /// process has heard and not written down, because it died or the row had changed, nobody else knows.
    fn was_seen(&self, connection: usize) -> bool {
        let stands = self.store.connection(self.fivetran.connections[connection].name);
        let newest = stands.map(|stored| stored.connection.generation);
        self.store.noted.iter().any(|&(id, generation)| id == connection && Some(generation) == newest)
    }

    /// For how long the link in a message still works.
    fn works_for(&self, message: usize) -> i64 {
        match self.slack.messages[message].content {
            Content::Link { card, .. } => self.fivetran.cards[card].expires_at - self.now,
            Content::Settled { .. } | Content::Sources(_) => 0,
        }
    }

    /// Whether a connection has come to work by a customer's doing, or again, since it was first shown:
    /// a link that nobody used to authorise it again has connected nothing.
    fn was_used(&self, message: usize, connection: usize) -> bool {
        let since = self.slack.posts[self.slack.messages[message].shown_by].at;
        let one = &self.fivetran.connections[connection];
        let landed = self.visits.iter().any(|&(id, at)| id == connection && at >= since - HOUR);
        let turned = one.history.iter().any(|&(at, is)| is == Is::Connected && at >= since - HOUR);
        !one.denied.is_empty() || landed || turned
    }

    /// Whether the connection of a command was synced since that was asked for.
    fn was_synced(&self, command: usize) -> bool {
        let Command { new, accepted_at, .. } = &self.commands[command];
        let id = new.progress.stage.connection().and_then(|id| id.parse::<usize>().ok());
        id.is_some_and(|id| self.fivetran.connections[id].syncs.iter().any(|at| at >= accepted_at))
    }

    /// Whether a link of a command is on show, be it where nobody can edit it.
    fn shows_link_of(&self, command: usize) -> bool {
        let posted = |message: &&super::slack::Message| self.slack.posts[message.shown_by].command == command;
        self.slack.messages.iter().filter(posted).any(|message| self.shows_live(message).is_some())
    }

    /// A person is told what came of a command.
    pub(super) fn witness_notice(&mut self, command: usize, notice: &Notice, late: bool) {
        self.may_answer(command, notice);
        let cancelled = *notice == Notice::Cancelled;
        if *notice == Notice::SyncBegun && !late && !self.was_synced(command) {
            self.violate(|| format!("the person of command {command} is told of a sync that nobody began"));
        }
        let crowded = self.slack.crowded.get(self.commands[command].new.channel) == Some(&true);
        if matches!(notice, Notice::Problem(Problem::Shared(_))) && !crowded {
            self.violate(|| {
                format!("the person of command {command} is asked about organisations that are not there")
            });
        }
        let none = matches!(notice, Notice::Problem(Problem::CannotPost { .. }));
        if none && !late && self.shows_link_of(command) {
            self.violate(|| {
                format!("the person of command {command} is told that there is no link, and it is there")
            });
        }
        let name = self.commands[command].new.name;
        let link = self.commands[command].new.progress.stage.connection().map(str::to_owned);
        let there = link.is_some_and(|id| self.fivetran.exists(id.parse().unwrap()));
        if cancelled && there && !late {
            self.violate(|| {
                format!("the person of command {command} is told that {name} was cancelled, and it is there")
            });
        }
    }

    /// A person is told that their command waits. Nothing that comes of it is above that, unless the
    /// note was on its way for longer than anybody waits.
    pub(super) fn witness_note(&mut self, command: usize, late: bool) {
        self.trace(|| format!("    Slack tells that command {command} waits, late: {late}"));
        self.statistics.notes += 1;
        self.statistics.late_notes += u64::from(late);
        self.commands[command].notes += 1;
        if self.commands[command].notes > 1 {
            self.violate(|| format!("it is told twice that command {command} waits"));
        }
        let ended = self.store.row(command).ended_at.is_some();
        // What somebody has posted who stood still until another took over, that one cannot know.
        let fence = self.store.row(command).fence;
        let over = self.slack.posts.iter().any(|post| {
            let hand = &self.hands[post.hand];
            post.command == command && post.clear && !post.late && hand.fence == fence && !hand.cut_off
        });
        if (ended || over) && !late {
            self.violate(|| format!("it is told that command {command} waits, below what came of it"));
        }
        let age = self.now - self.commands[command].accepted_at;
        if age < 10 * SECOND - self.skew {
            self.violate(|| format!("it is told that command {command} waits after {age} ms"));
        }
    }
}
