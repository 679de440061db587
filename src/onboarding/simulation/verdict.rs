//! What must hold when all is over, read from the models' logs.

use super::fivetran::{Connection, Is};
use super::slack::{Content, Message, Post};
use super::statistics::{Ended, Statistics};
use super::store::Row;
use super::world::{Command, World};
use super::{MINUTE, Outcome};
use crate::fivetran::tasks::Cause;
use crate::journal::{
    Ending, LATE, Notice, PostFailure, Problem, RESPONSE_URL_DEADLINE, Stage, WEB_API_DEADLINE,
};
use crate::life::State;
use crate::work::{Intent, Work};

/// Largest difference of two replicas' clocks, and what the last calls may take.
const SLACKNESS: i64 = 15 * MINUTE + 4 * MINUTE;
/// Calls to either party of one task that meets nothing but failures until the deadline.
const CALLS: u32 = 400;
/// How soon a landing is answered: the looks of the first minute, and an edit.
const SOON: i64 = 20_000;

pub(super) fn must(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl World {
    /// Held when all is over.
    pub(super) fn judge(&mut self) -> Result<Statistics, String> {
        let mut sum = std::mem::take(&mut self.statistics);
        sum.runs = 1;
        sum.events = self.events() as u64;
        sum.most_events = u32::try_from(self.events()).unwrap();
        sum.denials = self.fivetran.connections.iter().map(|one| one.denied.len() as u64).sum();
        for (id, command) in self.commands.iter().enumerate().filter(|(_, command)| !command.prior) {
            let judged = match self.store.rows[id].as_ref() {
                // One that was neither promised nor taken by anybody is void, though nobody lived to say so.
                Some(row)
                    if !command.refused
                        && (command.promised || row.fence > 1 || !command.ends.is_empty()) =>
                {
                    self.judge_command(id, command, row, &mut sum)
                }
                _ => self.judge_nothing(id, command),
            };
            judged.map_err(|violation| format!("command {id}: {violation}"))?;
        }
        for (id, message) in self.slack.messages.iter().enumerate() {
            self.judge_message(message).map_err(|violation| format!("message {id}: {violation}"))?;
        }
        self.judge_onboardings(&mut sum)?;
        self.judge_live_links()?;
        self.judge_landings()?;
        let told = !self.slack.web_api || self.store.news_are_looked_at();
        must(told, "news that can be told wait for something else to happen")?;
        Ok(sum)
    }

    /// What was said not to happen has not.
    fn judge_nothing(&self, id: usize, command: &Command) -> Result<(), String> {
        must(!command.promised, "it was promised and is not there")?;
        must(
            !self.slack.posts.iter().any(|post| post.command == id),
            "refused, and yet something was posted",
        )?;
        must(!self.fivetran.connections.iter().any(|one| one.made_by == Some(id)), "refused, and yet made")
    }

    fn judge_command(
        &self,
        id: usize,
        command: &Command,
        row: &Row,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        if row.several.is_some() {
            return self.judge_several(id, command, row, sum);
        }
        if super::sources::is_part(&row.work) {
            return self.judge_part(id, row, sum);
        }
        sum.commands += 1;
        let Some(ended_at) = row.ended_at else { return Err("it never ends".to_owned()) };
        let ends = command.ends.iter().filter(|(fence, _)| *fence == row.fence);
        let Some((_, ended)) = ends.max_by_key(|(_, ended)| ended.at) else {
            return Err(format!("it has ended at {ended_at} by nobody"));
        };
        // What is late already may be tried to be delivered, and then told.
        let life = if self.slack.web_api { WEB_API_DEADLINE + LATE * 2 } else { RESPONSE_URL_DEADLINE };
        let life = i64::try_from(life.as_millis()).unwrap();
        must(ended.at <= command.accepted_at + life + SLACKNESS + self.lost_time, "it ends too late")?;
        must(row.progress.stage == ended.stage, "the store knows another end")?;
        if self.store.joins().iter().any(|join| join.command == id) {
            self.judge_added(id, ended, sum)?;
            return self.judge_calls(command, sum);
        }
        self.judge_end(id, row, ended, sum)?;
        self.judge_links(id, command, ended, sum)?;
        self.judge_calls(command, sum)
    }

    fn posts(&self, id: usize) -> impl Iterator<Item = &Post> {
        self.slack.posts.iter().filter(move |post| post.command == id)
    }

    /// A process that has died, or was given up for dead, cannot say what it has posted.
    pub(super) fn is_known(&self, post: &Post) -> bool {
        post.clear && !self.hands[post.hand].cut_off
    }

    fn judge_end(&self, id: usize, row: &Row, ended: &Ended, sum: &mut Statistics) -> Result<(), String> {
        let known_links = self.posts(id).filter(|post| post.card.is_some() && self.is_known(post)).count();
        let known_problems = self.posts(id).filter(|post| post.card.is_none() && self.is_known(post)).count();
        let problems = self.posts(id).filter(|post| post.card.is_none()).count();
        let Stage::Over { ending, notice, .. } = &ended.stage else {
            return Err("it has ended in the middle".to_owned());
        };
        match ending {
            Ending::Delivered => {
                sum.delivered += 1;
                let new = &self.commands[id].new;
                let crowded = self.slack.crowded.get(new.channel) == Some(&true) && self.slack.asks_company();
                let is_new = matches!(new.work, Work::Connect(_));
                sum.posted_for_all += u64::from(crowded && is_new && !new.work.is_for_few());
                sum.went_unseen += u64::from(crowded && new.work.is_for_few());
                must(known_links == 1, "delivered, but not by one known post")?;
                *match row.work.intent() {
                    Intent::PostHere => &mut sum.posted_here,
                    Intent::Reauthorise => &mut sum.reauthorised,
                    Intent::Renew => &mut sum.renewed_anew,
                    Intent::Open => &mut sum.opened,
                    _ => &mut sum.connected,
                } += 1;
            }
            Ending::Told => {
                sum.told += 1;
                must(problems > 0, "told, but nothing was said")?;
                must(known_links == 0, "told, although a link was posted")?;
                let blamed = *notice == Some(Notice::Problem(Problem::NoAnswer));
                let fair = self.fivetran.weather.is_fair() && self.database_until == 0;
                let deleted = self.fivetran.connections.iter().any(Connection::is_deleted);
                must(!blamed || !fair || deleted, "Fivetran is blamed for nothing")?;
                let certain = matches!(
                    notice,
                    Some(Notice::Problem(
                        Problem::Forbidden(_) | Problem::Blocked(_) | Problem::RateLimited { .. }
                    ))
                );
                let mut made = self.fivetran.connections.iter().filter(|one| one.made_by == Some(id));
                let an_orphan = ended.stage.connection().is_none() && made.any(|one| !one.is_deleted());
                must(
                    !certain || !an_orphan || self.lost_time > 0 || self.skew > 0,
                    "told that there is nothing, and yet a connection was made",
                )?;
                let slack = self.slack.weather.is_fair() && !self.slack.dead;
                let noted = row.progress.noted || !slack || self.lost_time > 0 || self.skew > 0;
                must(!blamed || noted, "nobody was told for 25 minutes that it waits")?;
                match notice {
                    Some(Notice::Cancelled) => sum.cancelled += 1,
                    Some(Notice::SyncBegun) => sum.synced += 1,
                    Some(Notice::Problem(Problem::NotCancelled)) => sum.not_cancelled += 1,
                    Some(Notice::Problem(Problem::Elsewhere { .. })) => sum.sent_elsewhere += 1,
                    Some(Notice::Problem(Problem::Shared(_))) => sum.asked_in_company += 1,
                    _ => {}
                }
            }
            Ending::Undeliverable => {
                sum.undeliverable += 1;
                must(known_links + known_problems == 0, "undeliverable, although something was posted")?;
                let refused = matches!(ended.last, Outcome::PostFailed(PostFailure::Refused(_)));
                sum.undeliverable_early += u64::from(!ended.past_deadline && !refused);
                must(
                    ended.past_deadline || refused || (!self.slack.web_api && row.progress.posts == 5),
                    "given up although nothing speaks against posting",
                )?;
                let fair = self.slack.weather.is_fair() && !self.slack.dead && self.database_until == 0;
                // A response_url is dead when nobody was there for half an hour; by a clock that was set back it is
                // younger than it is. Of a token, neither holds.
                let on_time = self.lost_time <= MINUTE && self.skew <= MINUTE;
                must(!fair || !(on_time || self.slack.web_api), "undeliverable, although Slack worked well")?;
            }
        }
        must(known_links <= 1 && known_problems <= 1, "shown again without need")?;
        must(!self.is_plain(id) || *ending == Ending::Delivered, "not delivered, although nothing went wrong")
    }

    /// Whether nothing stands between a command and its link.
    fn is_plain(&self, id: usize) -> bool {
        let foreign = |one: &Connection| {
            !one.ours || one.is() != Is::Incomplete || one.history.len() > 1 || !one.denied.is_empty()
        };
        let Command { new, .. } = &self.commands[id];
        let others = self.commands.iter().filter(|other| other.new.name == new.name).count();
        new.work.intent() == Intent::Connect
            && others == 1
            && !self.fivetran.connections.iter().any(foreign)
            && self.fivetran.weather.is_fair()
            && self.slack.weather.is_fair()
            && !self.slack.dead
            && self.slack.archived == [false; 2]
            && self.slack.crowded == [false; 2]
            && self.lost_time == 0
            && self.database_until == 0
            // "Taken" that is neither said nor seen is not known.
            && (self.fivetran.conflict || !self.fivetran.lists_lag())
    }

    fn judge_links(
        &self,
        id: usize,
        command: &Command,
        ended: &Ended,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        let links: Vec<_> = self.posts(id).filter(|post| post.card.is_some()).collect();
        let (all, clear) = (links.len(), links.iter().filter(|post| post.clear).count());
        let known = links.iter().filter(|post| self.is_known(post)).count();
        sum.unclear_links += (all - clear) as u64;
        sum.cut_off_links += (clear - known) as u64;
        sum.links_shown_again += all.saturating_sub(1) as u64;
        sum.most_links_of_one_command = sum.most_links_of_one_command.max(u32::try_from(all).unwrap());
        for post in self.posts(id) {
            if post.at > ended.at {
                sum.posts_after_the_end += 1;
                must(!self.is_known(post), "something is posted after the end")?;
            }
            let Some(card) = post.card else { continue };
            let link = &self.fivetran.connections[self.fivetran.cards[card].connection];
            must(link.name == command.new.name, "a link for another name")?;
            must(link.ours, "a link for another service's connection")?;
            let finished = link.finished_before_all && command.new.work.intent() == Intent::Connect;
            must(!finished, "a link for a finished connection")?;
            sum.adopted += u64::from(link.made_by != Some(id));
        }
        let made =
            self.fivetran.connections.iter().filter(|one| one.made_by == Some(id) && !one.is_deleted());
        must(made.count() <= 1, "it made two connections")
    }

    fn judge_calls(&self, command: &Command, sum: &mut Statistics) -> Result<(), String> {
        // A clock that is ahead finds everything due that others have put off.
        let calls = CALLS * (1 + command.cut_offs) * if self.skew >= MINUTE { 3 } else { 1 };
        sum.most_posts = sum.most_posts.max(command.posts);
        must(command.posts <= calls, "too many calls to Slack")?;
        sum.most_fivetran_calls = sum.most_fivetran_calls.max(command.fivetran_calls);
        must(command.fivetran_calls <= calls, "too many calls to Fivetran")?;
        if !self.slack.web_api {
            let (links, problems) = (command.url_links, command.url_problems);
            sum.most_url_links = sum.most_url_links.max(links);
            sum.most_url_problems = sum.most_url_problems.max(problems);
            let all = links + problems + command.url_notes;
            must(links <= 4 && all <= 5, "more posts than a response_url takes")?;
        }
        Ok(())
    }

    /// Whether the bot can know where a message stands and may edit it.
    pub(super) fn is_in_reach(&self, message: &Message) -> bool {
        let post = &self.slack.posts[message.post];
        // An edit that came too late is found out by whoever made it, unless they die before.
        let unheard = message.late_by.is_some_and(|by| self.replicas.iter().all(|one| one.life != Some(by)));
        let there = message.editable && !message.deleted && post.heard && !unheard;
        there && self.slack.refuses(message.place).is_none()
    }

    /// Once faults have ended, what can be edited is true.
    fn judge_message(&self, message: &Message) -> Result<(), String> {
        if !self.is_in_reach(message) {
            return Ok(());
        }
        match &message.content {
            &Content::Link { card, .. } => {
                let card = &self.fivetran.cards[card];
                let connection = &self.fivetran.connections[card.connection];
                let expired = card.expires_at + self.bound() < self.now;
                must(!expired, "it shows a link that has expired")?;
                // Absences of many at once are believed of none.
                must(!connection.is_deleted() || self.many_are_gone(), "it shows a link of what is gone")?;
                let used = connection.finished.iter().any(|&at| at >= message.since);
                let landed =
                    self.landings.iter().any(|&(one, at)| one == card.connection && at >= message.since);
                let repairs = self.was_finished(card.connection, message.since);
                // Of one that was finished before, only the customer's return tells that a link was used.
                let told = if repairs {
                    connection.is() == Is::Connected && used && landed
                } else {
                    connection.is() != Is::Incomplete
                };
                must(!told, "it shows a link although the customer has finished")
            }
            // Judged with the rows of their onboarding.
            Content::Sources(_) => Ok(()),
            &Content::Settled { state, connection, asks, .. } => {
                self.judge_settled(message, state, connection)?;
                let connection = &self.fivetran.connections[connection];
                let lost = connection.cause() == Cause::Access;
                let holds = state != State::Broken || connection.is() != Is::Broken || asks == lost;
                must(
                    holds,
                    &format!("whether it asks its customer is {asks}, and the access is lost: {lost}"),
                )
            }
        }
    }

    pub(super) fn judge_settled(&self, message: &Message, state: State, id: usize) -> Result<(), String> {
        let connection = &self.fivetran.connections[id];
        let is = connection.is();
        let set_up = connection.was(Is::Connected, i64::MIN) || connection.was(Is::Broken, i64::MIN);
        let holds = match state {
            State::Connected => is == Is::Connected,
            State::Lapsed => is == Is::Connected && !self.was_used_in_time(message, id),
            // A link to fix what is broken has expired, and the next list says what is wrong.
            State::Expired if is == Is::Broken => self.now - message.since < 2 * self.fivetran.tick,
            State::Expired => is == Is::Incomplete,
            State::Broken => is == Is::Broken || (is == Is::Incomplete && set_up),
            State::Gone | State::Cancelled => is == Is::Deleted,
            State::Replaced => true,
            State::Unposted | State::Waiting => false,
        };
        let unknown =
            is == Is::Deleted && !matches!(state, State::Gone | State::Cancelled) && self.many_are_gone();
        must(
            holds || unknown,
            &format!("it shows {state:?} since {} of a connection that is {is:?}", message.since),
        )
    }

    /// Whether its customer has used a link and come back while it worked, and that is known.
    fn was_used_in_time(&self, message: &Message, id: usize) -> bool {
        let shown = &self.slack.posts[message.shown_by];
        let Some(card) = shown.card.filter(|_| self.skew == 0) else { return false };
        let worked = shown.at..self.fivetran.cards[card].expires_at;
        let finished = self.fivetran.connections[id].finished.iter().filter(|at| worked.contains(at)).min();
        let landed = |at: &i64| {
            self.landings.iter().any(|(one, back)| *one == id && back >= at && worked.contains(back))
        };
        finished.is_some_and(landed)
    }

    /// Whether more of ours are gone than are believed to be at once.
    pub(super) fn many_are_gone(&self) -> bool {
        self.fivetran.connections.iter().filter(|one| one.is_deleted()).count() as u64 > crate::life::FEW
    }

    /// Whether a connection had been finished before that time.
    pub(super) fn was_finished(&self, connection: usize, before: i64) -> bool {
        let history = &self.fivetran.connections[connection].history;
        history.iter().any(|&(at, is)| at < before && is != Is::Incomplete)
    }

    /// Once faults have ended, at most one link is on show, and in its home.
    fn judge_live_links(&self) -> Result<(), String> {
        let live = |id: usize| {
            let messages = self.slack.messages.iter().filter(|message| self.is_in_reach(message));
            messages.filter(move |message| self.shows_live(message) == Some(id)).count()
        };
        for id in 0..self.fivetran.connections.len() {
            must(live(id) <= 1, &format!("connection {id} shows several links in the end"))?;
        }
        Ok(())
    }

    /// Where nothing goes wrong, a customer who comes back when all is done sees it said at once.
    fn judge_landings(&self) -> Result<(), String> {
        let calm = self.fivetran.weather.is_fair()
            && self.slack.weather.is_fair()
            && self.lost_time == 0
            && self.database_until == 0
            && self.skew == 0
            && self.fivetran.lies.is_empty();
        for &(id, at) in self.landings.iter().filter(|_| calm) {
            let connection = &self.fivetran.connections[id];
            let finished = connection.finished.iter().any(|&finished| finished <= at);
            if !finished || connection.was(Is::Broken, at - MINUTE) || connection.was(Is::Deleted, at) {
                continue;
            }
            let link = |message: &&Message| {
                let card = self.slack.posts[message.shown_by].card;
                card.is_some_and(|card| self.fivetran.cards[card].connection == id)
                    && self.slack.posts[message.shown_by].at < at
                    && self.is_in_reach(message)
            };
            for message in self.slack.messages.iter().filter(link) {
                let told =
                    matches!(message.content, Content::Settled { .. }) && message.settled_at <= at + SOON;
                must(told, "a customer who has finished and come back is not told so soon")?;
            }
        }
        Ok(())
    }

    /// The connection whose link a message shows, if that still works.
    pub(super) fn shows_live(&self, message: &Message) -> Option<usize> {
        let Content::Link { card, .. } = message.content else { return None };
        let card = &self.fivetran.cards[card];
        let works = card.expires_at > self.now && self.fivetran.exists(card.connection);
        (works && !message.deleted).then_some(card.connection)
    }
}
