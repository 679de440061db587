//! Slack as a model: response_urls with five uses and half an hour, the Web API with or without a
//! place in the channel, and every known kind of trouble.

use std::time::Duration;

use super::dice::Dice;
use super::{CALL_TIMEOUT, Fate, Outcome, Says, Weather};
use crate::journal::PostFailure;

const USES: u32 = 5;
const LIFE: i64 = 30 * 60 * 1000;

/// A message that has come to be seen.
pub(super) struct Post {
    pub(super) command: usize,
    /// Whose link it shows; `None` for a problem.
    pub(super) link: Option<usize>,
    pub(super) at: i64,
    /// The task that posted it.
    pub(super) task: usize,
    /// Whether that task was told so.
    pub(super) clear: bool,
}

pub(super) struct Slack {
    pub(super) weather: Weather,
    pub(super) web_api: bool,
    in_channel: bool,
    /// Response_urls are dead from the start.
    pub(super) dead: bool,
    /// Per command: since when the response_url exists, and how often it was used.
    urls: Vec<(i64, u32)>,
    pub(super) posts: Vec<Post>,
}

impl Slack {
    pub(super) fn new(dice: &mut Dice) -> Self {
        Self {
            weather: Weather::new(dice),
            web_api: dice.one_in(2),
            in_channel: !dice.one_in(4),
            dead: dice.one_in(32),
            urls: Vec::new(),
            posts: Vec::new(),
        }
    }

    pub(super) fn open_url(&mut self, now: i64) {
        self.urls.push((now, 0));
    }

    /// Whether a message goes to the response_url first: one that tells, or a link.
    pub(super) fn by_url(&self, telling: bool) -> bool {
        telling || !self.web_api || !self.in_channel
    }

    pub(super) fn fate(&self, now: i64, dice: &mut Dice) -> Fate {
        let answer_at = now + dice.between(20, 800);
        let work_at = Some(dice.between(now, answer_at));
        let instead = |work_at, answer_at, failure| Fate {
            work_at,
            answer_at,
            says: Says::Instead(Outcome::PostFailed(failure)),
        };
        let too_late = now + CALL_TIMEOUT;
        if self.weather.is_out(now) {
            return match self.weather.kind {
                0 => instead(None, answer_at, PostFailure::Throttled(Some(Duration::ZERO))),
                1 => instead(work_at, answer_at, PostFailure::Unclear),
                2 => instead(None, now + 5, PostFailure::NotSent),
                _ => match dice.below(3) {
                    0 => instead(None, now + 5, PostFailure::NotSent),
                    1 => instead(None, answer_at, PostFailure::Unclear),
                    _ => instead(None, too_late, PostFailure::Unclear),
                },
            };
        }
        if !dice.one_in(self.weather.trouble) {
            return Fate { work_at, answer_at, says: Says::Truth };
        }
        match dice.below(8) {
            0 => instead(None, now + 5, PostFailure::NotSent),
            1 => {
                let pause = dice.pick(&[None, Some(0), Some(1), Some(30), Some(u64::MAX)]);
                instead(None, answer_at, PostFailure::Throttled(pause.map(Duration::from_secs)))
            }
            2 => instead(None, answer_at, PostFailure::Unclear),
            3 => instead(None, answer_at, PostFailure::Refused("channel_is_archived".to_owned())),
            4 | 5 => instead(work_at, answer_at, PostFailure::Unclear),
            6 => instead(Some(dice.between(now, too_late + 3_000)), too_late, PostFailure::Unclear),
            _ => Fate { work_at, answer_at: too_late - 1, says: Says::Truth },
        }
    }

    /// Does the work of a post as `worker::deliver` asks for it, and says what the answer would be.
    pub(super) fn work(&mut self, post: Post) -> Outcome {
        let told = post.link.is_none();
        let by_url = self.by_url(told);
        let seen = (!by_url && self.web_api)
            || self.use_url(post.command, post.at)
            // In the channel if it can be, else as a direct message.
            || (told && self.web_api);
        if !seen {
            return Outcome::PostFailed(PostFailure::Refused("used_url".to_owned()));
        }
        self.posts.push(post);
        if told { Outcome::Told } else { Outcome::Posted }
    }

    fn use_url(&mut self, command: usize, now: i64) -> bool {
        let (since, uses) = &mut self.urls[command];
        let alive = !self.dead && now < *since + LIFE && *uses < USES;
        *uses += u32::from(alive);
        alive
    }
}
