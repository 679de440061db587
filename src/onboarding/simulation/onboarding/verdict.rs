//! What must hold of onboardings, at every moment and when all is over.
//!
//! One thing is allowed that nobody wants: where the answer to the post of a message is lost, or its process
//! dies or stands still before the place is on disk, the message is posted once more, and the first one stays as
//! it was. The one whose place is on disk is kept true.

use crate::journal::{Ending, Notice, Problem, Stage};
use crate::life::State;
use crate::onboarding::Unposted;
use crate::onboarding::simulation::fivetran::Is;
use crate::onboarding::simulation::number;
use crate::onboarding::simulation::slack::{Content, Message};
use crate::onboarding::simulation::sources::{Sources, Standing};
use crate::onboarding::simulation::statistics::{Ended, Statistics};
use crate::onboarding::simulation::store::{Row, message_of};
use crate::onboarding::simulation::verdict::must;
use crate::onboarding::simulation::world::{Command, World};

impl World {
    /// The message of an onboarding has come to show something.
    pub(in crate::onboarding::simulation) fn witness_onboarding(&mut self, message: usize, late: bool) {
        let Content::Sources(sources) = self.slack.messages[message].content.clone() else { return };
        let (connected, all) = sources.progress;
        let waits = |state| matches!(state, State::Waiting | State::Expired | State::Replaced);
        let open = sources.lines.iter().any(|line| line.stands.as_ref().is_none_or(|it| waits(it.state)));
        if connected != sources.connected() || connected > all || (sources.done && (connected < all || open))
        {
            self.violate(|| format!("message {message} does not count what it shows: {sources:?}"));
        }
        for line in &sources.lines {
            let Some(Standing { connection, state, asks, .. }) = line.stands else { continue };
            let theirs = self.fivetran.connections[connection].name == line.name;
            if !theirs || !(late || self.is_so(state, connection, asks)) {
                self.violate(|| format!("message {message} shows {line:?}, which never was"));
            }
        }
    }

    /// A thread hears that nothing is left to do.
    pub(super) fn witness_done(&mut self, message: usize, id: &str, clear: bool) {
        self.statistics.onboardings_told += 1;
        let Some(seen) = self.store.onboarding(id) else { return };
        if seen.done_at.is_none() {
            self.violate(|| format!("the thread of message {message} hears of an end that is not noted"));
        }
        let began = number(id);
        self.commands[began].ends_told += u32::from(clear);
        // Who dies, or is not answered by the database, cannot note that it was said.
        let certain = self.lost_time == 0 && self.database_until == 0;
        if self.commands[began].ends_told > 1 && certain {
            self.violate(|| format!("the thread of message {message} hears twice of its end"));
        }
    }

    /// Whoever asked is told which sources are not in the message.
    pub(super) fn witness_report(&mut self, command: usize, missing: &[usize], unposted: Option<&Unposted>) {
        self.commands[command].reported.extend_from_slice(missing);
        let Some(id) = self.store.onboarding_of(command).map(str::to_owned) else { return };
        let place = self.store.onboarding(&id).and_then(|seen| seen.message);
        // For as long as nobody may have just posted it.
        let stood = place.map(|place| place.ts.parse::<usize>().unwrap()).filter(|&at| {
            let message = &self.slack.messages[at];
            !message.deleted && self.slack.posts[message.post].at < self.now - 60_000
        });
        let denied = matches!(unposted, Some(Unposted::Refused(_) | Unposted::Silent));
        if denied && stood.is_some() && self.lost_time == 0 {
            self.violate(|| {
                format!("the person of command {command} is told that there is no message, and it is there")
            });
        }
    }

    /// A command of several sources ends once, and each is in the message or reported.
    pub(in crate::onboarding::simulation) fn judge_several(
        &self,
        id: usize,
        command: &Command,
        row: &Row,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        sum.several += 1;
        must(row.ended_at.is_some(), "it never ends")?;
        let Stage::Over { ending, notice, .. } = &row.progress.stage else {
            return Err("it has ended in the middle".to_owned());
        };
        let Some(onboard) = &row.several else { return Err("it is not one of several".to_owned()) };
        if matches!(notice, Some(Notice::Problem(Problem::Shared(_) | Problem::OutOfTime))) {
            return must(!self.store.is_expanded(id), "declined, and yet begun");
        }
        let Some(onboarding) = self.store.onboarding_of(id) else {
            return Err("it has ended and was never begun".to_owned());
        };
        let joins = self.store.joins();
        for (place, source) in onboard.sources.iter().enumerate() {
            let name = number(&source.target.connection_name());
            let part = self.store.rows[id + 1 + place].as_ref();
            must(part.is_none_or(|part| part.ended_at.is_some()), "a source of it never ends")?;
            let joined = joins.iter().any(|join| join.name == name && join.onboarding == onboarding);
            let reported = command.reported.contains(&name);
            let holds = match ending {
                Ending::Delivered => joined,
                Ending::Told => joined || reported,
                Ending::Undeliverable => true,
            };
            must(holds, &format!("source {name} is neither in the message nor reported"))?;
        }
        let fair = self.slack.weather.is_fair() && !self.slack.dead && self.database_until == 0;
        let calm = self.skew == 0 && self.slack.archived == [false; 2];
        must(*ending != Ending::Undeliverable || !fair || !calm, "undeliverable, although Slack worked well")
    }

    /// One that was asked for by itself and has joined is in the message for good: it has no link besides, and
    /// nothing that becomes of it later is told as if it had not joined.
    pub(in crate::onboarding::simulation) fn judge_added(
        &self,
        id: usize,
        ended: &Ended,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        sum.singles_joined += 1;
        let mut posts = self.slack.posts.iter().filter(|post| post.command == id && post.card.is_some());
        must(!posts.any(|post| self.is_known(post)), "it joins, and shows a link besides")?;
        let delivered = matches!(ended.stage, Stage::Over { ending: Ending::Delivered, .. });
        must(delivered, &format!("it joins, and ends as if it had not: {:?}", ended.stage))
    }

    /// A part of one says nothing by itself.
    pub(in crate::onboarding::simulation) fn judge_part(
        &self,
        id: usize,
        row: &Row,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        sum.parts += 1;
        must(row.ended_at.is_some(), "it never ends")?;
        must(!self.slack.posts.iter().any(|post| post.command == id), "a part posts something by itself")?;
        let Stage::Over { ending, .. } = &row.progress.stage else {
            return Err("it has ended in the middle".to_owned());
        };
        let joins = self.store.joins().iter().filter(|join| join.command == id).count();
        sum.parts_refused += u64::from(joins == 0);
        must(joins == usize::from(*ending == Ending::Delivered), "it joins otherwise than it ends")
    }

    /// Once faults have ended, what stands for an onboarding is what the rows say, and true.
    pub(in crate::onboarding::simulation) fn judge_onboardings(
        &self,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        for join in self.store.joins() {
            sum.joined += 1;
            must(!join.too_late, &format!("command {} joins what was done", join.command))?;
        }
        for id in self.store.onboardings() {
            self.judge_onboarding(&id, sum).map_err(|violation| format!("onboarding {id}: {violation}"))?;
        }
        Ok(())
    }

    fn judge_onboarding(&self, id: &str, sum: &mut Statistics) -> Result<(), String> {
        let began = number(id);
        let of_it = |message: &&Message| {
            let theirs = matches!(&message.content, Content::Sources(it) if it.onboarding == began);
            theirs && !message.deleted
        };
        let standing: Vec<_> = self.slack.messages.iter().filter(of_it).collect();
        let known = standing.iter().filter(|message| {
            let post = &self.slack.posts[message.post];
            post.clear && !post.late && !post.left && (post.written || !self.hands[post.hand].cut_off)
        });
        must(known.count() <= 1, "several messages of it stand")?;
        sum.onboardings_twice += u64::from(standing.len() > 1);
        let Some(seen) = self.store.onboarding(id) else { return Err("it is gone".to_owned()) };
        must(!seen.sources.iter().any(|source| source.under_way), "a source of it is still being made")?;
        let Some(place) = &seen.message else { return Ok(()) };
        let message = &self.slack.messages[place.ts.parse::<usize>().unwrap()];
        if !self.is_in_reach(message) {
            return Ok(());
        }
        let Content::Sources(shown) = &message.content else { return Err("it shows a link".to_owned()) };
        let should = Sources::of(&seen);
        must(*shown == should, &format!("{} shows {shown:?}, not {should:?}", message_of(id)))?;
        for line in &shown.lines {
            let Some(Standing { connection, state, .. }) = line.stands else { continue };
            if state != State::Waiting {
                self.judge_settled(message, state, connection)?;
                continue;
            }
            let one = &self.fivetran.connections[connection];
            let unknown = one.is() == Is::Deleted && self.many_are_gone();
            must(one.is() == Is::Incomplete || unknown, &format!("{line:?} waits and is {:?}", one.is()))?;
        }
        let (_, all) = seen.progress();
        if seen.is_done() && all > 0 {
            sum.onboardings_over += 1;
            must(seen.done_at.is_some(), "nothing is left to do, and nobody has noted it")?;
            must(seen.is_told, "nothing is left to do, and its thread has not heard of it")?;
        }
        Ok(())
    }
}
