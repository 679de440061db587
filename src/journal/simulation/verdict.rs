//! What must hold of every run, read from the models' logs.

use super::statistics::Statistics;
use super::store::Row;
use super::world::{Command, World};
use super::{MINUTE, Outcome};
use crate::journal::{Ending, Notice, PostFailure, Problem, RESPONSE_URL_DEADLINE, Stage, WEB_API_DEADLINE};

/// Largest difference of two replicas' clocks, and what the last calls may take.
const SLACKNESS: i64 = 10 * MINUTE + 2 * MINUTE;
/// Calls to either party of one task that meets nothing but failures until the deadline.
const CALLS: u32 = 400;

impl World {
    /// Held after every call that has done its work.
    pub(super) fn check_connections(&mut self, command: usize) {
        let name = self.commands[command].name;
        if self.fivetran.bearing(name).count() > 1 {
            self.violation = Some(format!("two connections bear the name {name}"));
        }
    }

    /// Held when all is over.
    pub(super) fn judge(mut self) -> Result<Statistics, String> {
        let mut statistics = std::mem::take(&mut self.statistics);
        statistics.runs = 1;
        statistics.commands = self.commands.len() as u64;
        for (id, command) in self.commands.iter().enumerate() {
            let row = &self.store.rows[id];
            self.judge_command(id, command, row, &mut statistics)
                .map_err(|violation| format!("command {id}: {violation}"))?;
        }
        Ok(statistics)
    }

    fn judge_command(
        &self,
        id: usize,
        command: &Command,
        row: &Row,
        sum: &mut Statistics,
    ) -> Result<(), String> {
        let Some(ended) = &command.ended else { return Err("it never ends".to_owned()) };
        let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        let life = if self.slack.web_api { WEB_API_DEADLINE } else { RESPONSE_URL_DEADLINE };
        let life = i64::try_from(life.as_millis()).unwrap();
        must(ended.at <= command.accepted_at + life + SLACKNESS + self.lost_time, "it ends too late")?;
        must(row.progress.stage == ended.stage, "the store knows another end")?;

        let posts = || self.slack.posts.iter().filter(|post| post.command == id);
        // A process that has died, or was given up for dead, cannot say what it has posted.
        let known = |post: &&super::slack::Post| post.clear && !self.tasks[post.task].cut_off;
        let links = posts().filter(|post| post.link.is_some()).count();
        let known_links = posts().filter(|post| post.link.is_some()).filter(known).count();
        let problems = posts().filter(|post| post.link.is_none()).count();
        let known_problems = posts().filter(|post| post.link.is_none()).filter(known).count();
        let Stage::Over { ending, notice, .. } = &ended.stage else {
            return Err("it has ended in the middle".to_owned());
        };
        match ending {
            Ending::Delivered => {
                sum.delivered += 1;
                must(known_links == 1, "delivered, but not by one known post")?;
            }
            Ending::Told => {
                sum.told += 1;
                must(problems > 0, "told, but nothing was said")?;
                must(known_links == 0, "told, although a link was posted")?;
                let blamed = *notice == Some(Notice::Problem(Problem::NoAnswer));
                let fair = self.fivetran.weather.is_fair();
                let deleted = self.fivetran.connections.iter().any(|connection| connection.deleted);
                must(
                    !blamed || !fair || deleted || self.lost_time > MINUTE,
                    "Fivetran is blamed for nothing",
                )?;
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
                let fair = self.slack.weather.is_fair() && !self.slack.dead;
                must(!fair || self.lost_time > MINUTE, "undeliverable, although Slack worked well")?;
            }
        }
        let foreign = |one: &super::fivetran::Connection| !one.ours || one.finished || one.deleted;
        let plain = !self.fivetran.connections.iter().any(foreign)
            && self.fivetran.weather.is_fair()
            && self.slack.weather.is_fair()
            && !self.slack.dead
            && self.lost_time == 0
            // "Taken" that is neither said nor seen is not known.
            && (self.fivetran.conflict || !self.fivetran.lists_lag());
        must(!plain || *ending == Ending::Delivered, "not delivered, although nothing went wrong")?;
        must(known_links <= 1 && known_problems <= 1, "shown again without need")?;
        let unclear_links = posts().filter(|post| post.link.is_some() && !post.clear).count();
        sum.unclear_links += u64::try_from(unclear_links).unwrap();
        sum.cut_off_links += u64::try_from(links - known_links - unclear_links).unwrap();
        sum.links_shown_again += u64::try_from(links.saturating_sub(1)).unwrap();
        sum.most_links_of_one_command = sum.most_links_of_one_command.max(u32::try_from(links).unwrap());

        for post in posts() {
            if post.at > ended.at {
                sum.posts_after_the_end += 1;
                must(!known(&post), "something is posted after the end")?;
            }
            let Some(link) = post.link.map(|link| &self.fivetran.connections[link]) else { continue };
            must(link.name == command.name, "a link for another name")?;
            must(link.ours, "a link for another service's connection")?;
            must(!link.finished_before_all, "a link for a finished connection")?;
            sum.adopted += u64::from(link.made_by != Some(id));
        }

        let made = self.fivetran.connections.iter().filter(|one| one.made_by == Some(id) && !one.deleted);
        must(made.count() <= 1, "it made two connections")?;

        sum.most_posts = sum.most_posts.max(command.posts);
        must(command.posts <= CALLS * (1 + command.cut_offs), "too many calls to Slack")?;
        sum.most_fivetran_calls = sum.most_fivetran_calls.max(command.fivetran_calls);
        must(command.fivetran_calls <= CALLS * (1 + command.cut_offs), "too many calls to Fivetran")?;
        if !self.slack.web_api {
            let (links, problems) = (command.url_links, command.url_problems);
            sum.most_url_links = sum.most_url_links.max(links);
            sum.most_url_problems = sum.most_url_problems.max(problems);
            must(links <= 4 && links + problems <= 5, "more posts than a response_url takes")?;
        }
        Ok(())
    }
}
