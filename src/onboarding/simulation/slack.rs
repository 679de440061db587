//! Slack as a model: response_urls with five uses and half an hour, channels with and without the bot,
//! messages that can be edited or not, threads, and every known kind of trouble.

use std::time::Duration;

use super::dice::Dice;
use super::sources::Sources;
use super::{CALL_TIMEOUT, CHANNELS, Fate, MINUTE, Weather};
use crate::journal::PostFailure;
use crate::life::State;
use crate::slack::refusal::{self, Sort};

const USES: u32 = 5;
const LIFE: i64 = 30 * MINUTE;

/// What a message shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A link that works, until its card expires.
    Link { card: usize, link: usize },
    /// How a link stands, and whether its customer is asked to do something about it.
    Settled { state: State, link: usize, connection: usize, asks: bool },
    /// How the sources of one customer stand; never a link.
    Sources(Sources),
}

pub(super) struct Message {
    /// Where: a channel, or the direct messages of a person.
    pub(super) place: usize,
    pub(super) content: Content,
    /// When it came to show that.
    pub(super) since: i64,
    /// When it ceased to show its last link.
    pub(super) settled_at: i64,
    /// Whether it can be edited at all.
    pub(super) editable: bool,
    pub(super) deleted: bool,
    /// The post that made it.
    pub(super) post: usize,
    /// The edit or post that shows its link now.
    pub(super) shown_by: usize,
    /// The process that edited it last, if it did not have it any more by then.
    pub(super) late_by: Option<usize>,
}

/// A link or a sentence that has come to be seen.
pub(super) struct Post {
    pub(super) command: usize,
    /// The card behind the link; `None` for a sentence.
    pub(super) card: Option<usize>,
    pub(super) at: i64,
    /// The hand that posted it.
    pub(super) hand: usize,
    /// Whether that hand was told so.
    pub(super) clear: bool,
    /// Whether it was sent by somebody who had lost the command, or the message, by then.
    pub(super) late: bool,
    /// Whether the answer reached a process, which has not died before it wrote the place down.
    pub(super) heard: bool,
    pub(super) written: bool,
    /// It was written down by a process that had lost the command: to be taken away.
    pub(super) left: bool,
}

pub(super) struct Slack {
    pub(super) weather: Weather,
    pub(super) web_api: bool,
    /// Links go to the person alone.
    pub(super) private: bool,
    /// Where the bot is.
    pub(super) member: [bool; CHANNELS.len()],
    pub(super) archived: [bool; CHANNELS.len()],
    /// Which are shared with several other organisations.
    pub(super) crowded: [bool; CHANNELS.len()],
    /// Whether the bot has the scopes to see that.
    pub(super) shows_company: bool,
    /// Response_urls are dead from the start.
    pub(super) dead: bool,
    /// Per command: since when the response_url exists, and how often it was used.
    urls: Vec<(i64, u32)>,
    pub(super) messages: Vec<Message>,
    pub(super) posts: Vec<Post>,
}

impl Slack {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let web_api = !dice.one_in(3);
        Self {
            weather: Weather::new(dice),
            web_api,
            private: dice.one_in(8),
            member: [!dice.one_in(5), !dice.one_in(5)],
            archived: [false; 2],
            crowded: [dice.one_in(6), dice.one_in(6)],
            shows_company: !dice.one_in(6),
            dead: dice.one_in(if web_api { 10 } else { 32 }),
            urls: Vec::new(),
            messages: Vec::new(),
            posts: Vec::new(),
        }
    }

    /// Whether messages of links can be edited so that the channel sees the link.
    pub(super) fn edits(&self) -> bool {
        self.web_api && !self.private
    }

    /// Whether anybody is asked before a link goes where several other organisations see it.
    pub(super) fn asks_company(&self) -> bool {
        self.edits() && self.shows_company
    }

    pub(super) fn open_url(&mut self, now: i64) {
        self.urls.push((now, 0));
    }

    /// A command that has none.
    pub(super) fn no_url(&mut self) {
        self.urls.push((i64::MIN / 2, USES));
    }

    pub(super) fn fate(&self, now: i64, dice: &mut Dice) -> Fate<PostFailure> {
        let answer_at = now + dice.between(20, 800);
        let work_at = Some(dice.between(now, answer_at));
        let instead = |work_at, answer_at, failure| Fate { work_at, answer_at, instead: Some(failure) };
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
        if !self.weather.troubles(now, dice) {
            return Fate { work_at, answer_at, instead: None };
        }
        match dice.below(10) {
            0 => instead(None, now + 5, PostFailure::NotSent),
            1 => {
                let pause = dice.pick(&[None, Some(0), Some(1), Some(30), Some(u64::MAX)]);
                instead(None, answer_at, PostFailure::Throttled(pause.map(Duration::from_secs)))
            }
            2 => instead(None, answer_at, PostFailure::Unclear),
            3 => instead(None, answer_at, PostFailure::Refused("invalid_auth".to_owned())),
            9 => {
                let slack_says = "team_added_to_org".to_owned();
                let pause = Duration::from_secs(dice.pick(&[1, 60, 300]));
                instead(None, answer_at, PostFailure::Later { slack_says, pause })
            }
            4 | 5 => instead(work_at, answer_at, PostFailure::Unclear),
            6 => instead(Some(dice.between(now, too_late + 3_000)), too_late, PostFailure::Unclear),
            7 => instead(Some(dice.between(now, too_late)), too_late, PostFailure::Unclear),
            _ => Fate { work_at, answer_at: too_late - 1, instead: None },
        }
    }

    /// Why nothing can be posted there by the Web API.
    pub(super) fn refuses(&self, place: usize) -> Option<&'static str> {
        match place {
            channel if channel >= CHANNELS.len() => None,
            channel if self.archived[channel] => Some("is_archived"),
            channel if !self.member[channel] => Some("channel_not_found"),
            _ => None,
        }
    }

    /// `chat.postMessage`.
    pub(super) fn post(&mut self, place: usize) -> Result<(), PostFailure> {
        self.refuses(place).map_or(Ok(()), |word| Err(PostFailure::Refused(word.to_owned())))
    }

    /// A post to the response_url of a command.
    pub(super) fn use_url(&mut self, command: usize, now: i64) -> Result<(), PostFailure> {
        let (since, uses) = &mut self.urls[command];
        let alive = !self.dead && now < *since + LIFE && *uses < USES;
        *uses += u32::from(alive);
        if alive { Ok(()) } else { Err(PostFailure::Refused("used_url".to_owned())) }
    }

    /// `chat.update`, as far as it is refused.
    pub(super) fn update(&self, message: usize) -> Result<(), PostFailure> {
        let there = &self.messages[message];
        let word = match self.refuses(there.place) {
            Some(word) => word,
            None if there.deleted => "message_not_found",
            None => return Ok(()),
        };
        Err(PostFailure::Refused(word.to_owned()))
    }
}

/// `PostError::message_is_out_of_reach`.
pub(super) fn is_out_of_reach(failure: &PostFailure) -> bool {
    matches!(failure, PostFailure::Refused(word) if refusal::sort(word) == Sort::Final)
}
