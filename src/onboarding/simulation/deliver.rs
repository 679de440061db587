//! Mirrors `worker::deliver` and the edits of `outbox`: the ways to Slack. What has come to be seen is
//! shown to the witness at once.

use std::time::Duration;

use super::job::{Job, place_name};
use super::planted::Fault;
use super::process::{Bot, Sent};
use super::slack::{Content, Message, Post, is_out_of_reach};
use super::store::ClaimedMessage;
use super::world::World;
use super::{CALL_TIMEOUT, CHANNELS, Outcome, number, stamp};
use crate::journal::{Notice, PostFailure};
use crate::life::{Link, News, Place, State};
use crate::slack::refusal;

/// As in `worker::deliver`.
const WORTH_WAITING: Duration = Duration::from_secs(5);
const HICCUPS: u32 = 2;
const SHORT_PAUSES: u32 = 6;

/// The message that stands at a place.
pub(super) fn edited(place: &Place) -> usize {
    place.ts.parse().unwrap()
}

/// Where a link or a sentence is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `chat.postMessage`, to a channel or a person.
    WebApi(usize),
    /// The response_url, for all or for the person.
    Url,
}

/// `PostError::leaves_other_ways`.
pub(super) fn leaves_other_ways(failure: &PostFailure) -> bool {
    !matches!(failure, PostFailure::Unclear | PostFailure::Unconfirmed)
}

/// `PostError::or`.
pub(super) fn or(first: PostFailure, second: PostFailure) -> PostFailure {
    let others = match (&first, &second) {
        (PostFailure::Refused(word), PostFailure::Refused(others)) => {
            refusal::closes_the_place(others) && !refusal::closes_the_place(word)
        }
        (_, PostFailure::Refused(_)) => false,
        (PostFailure::Refused(_), _) => true,
        _ => pause_of(&second) < pause_of(&first),
    };
    if others { second } else { first }
}

/// `PostError::pause`.
fn pause_of(failure: &PostFailure) -> Duration {
    match failure {
        PostFailure::Later { pause, .. } => *pause,
        PostFailure::Throttled(pause) => pause.unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

impl Bot {
    /// `Delivery::post` and `Delivery::post_privately`: the post, and where it can be edited.
    pub(super) async fn deliver_link(
        &self,
        job: &Job,
        card: usize,
        link: &str,
        tried: (bool, u32),
    ) -> Result<(usize, Option<Place>), PostFailure> {
        self.world().commands[job.command].posts += 1;
        let (web_api, private) = {
            let world = self.world();
            (world.slack.web_api, world.slack.private)
        };
        let person = CHANNELS.len() + job.user;
        let (first, second) = match (private, web_api) {
            (true, true) => (Way::Url, Some(Way::WebApi(person))),
            (false, true) => (Way::WebApi(job.channel), Some(Way::Url)),
            (_, false) => (Way::Url, None),
        };
        match (self.post_link_by(job, card, link, first).await, second) {
            (Err(error), Some(Way::Url)) if self.is_worth_waiting_for(&error, job, tried) => Err(error),
            (Err(refused), Some(second)) if leaves_other_ways(&refused) => {
                if !self.holds_for(job.hand, CALL_TIMEOUT) {
                    return Err(PostFailure::NotSent);
                }
                let sent = self.post_link_by(job, card, link, second).await;
                sent.map_err(|error| if leaves_other_ways(&error) { or(refused, error) } else { error })
            }
            (sent, _) => sent,
        }
    }

    /// `Delivery::is_worth_waiting_for`.
    fn is_worth_waiting_for(&self, failure: &PostFailure, job: &Job, (unclear, tries): (bool, u32)) -> bool {
        match failure {
            PostFailure::Later { .. } | PostFailure::Throttled(_) | PostFailure::NotSent if unclear => {
                return true;
            }
            PostFailure::Throttled(_) | PostFailure::NotSent => {}
            _ => return false,
        }
        let pause = pause_of(failure);
        if !pause.is_zero() && pause <= WORTH_WAITING && tries < SHORT_PAUSES {
            return true;
        }
        let age = self.clock() - self.world().commands[job.command].accepted_at;
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let waited = if tries < HICCUPS { Duration::ZERO } else { age };
        waited.saturating_add(pause) <= WORTH_WAITING
    }

    async fn post_link_by(
        &self,
        job: &Job,
        card: usize,
        link: &str,
        way: Way,
    ) -> Result<(usize, Option<Place>), PostFailure> {
        let (command, hand, link, channel) = (job.command, job.hand, number(link), job.channel);
        let sent = self
            .slack(Some(job), None, move |world, sent| {
                let place = if let Way::WebApi(place) = way { place } else { channel };
                world.reaches(way, command)?;
                let post = world.posted(command, Some(card), place, hand, sent);
                world.slack.messages.push(Message {
                    place,
                    content: Content::Link { card, link },
                    since: world.now,
                    settled_at: i64::MAX,
                    editable: way != Way::Url,
                    deleted: false,
                    post,
                    shown_by: post,
                    late_by: None,
                });
                world.witness_link(world.slack.messages.len() - 1);
                Ok((post, world.slack.messages.len() - 1))
            })
            .await;
        if way == Way::Url {
            self.count_url(job, &sent, false);
        }
        let (post, message) = sent?;
        self.world().slack.posts[post].heard = true;
        let place = if let Way::WebApi(place) = way { Some(place) } else { None };
        Ok((post, place.map(|place| Place { channel: place_name(place), ts: message.to_string() })))
    }

    /// Puts a link into the message that stands there.
    pub(super) async fn put_link(
        &self,
        job: &Job,
        message: usize,
        held: &ClaimedMessage,
        card: usize,
    ) -> Result<usize, PostFailure> {
        self.world().commands[job.command].posts += 1;
        let (command, hand, link) = (job.command, job.hand, number(&held.link));
        let (life, claimed, sent_at) = ((self.replica, self.life), held.clone(), self.moment());
        let sent = self
            .slack(Some(job), Some(held), move |world, sent| {
                world.slack.update(message)?;
                let post = world.posted(command, Some(card), world.slack.messages[message].place, hand, sent);
                world.statistics.late_edits += u64::from(sent.late);
                world.slack.messages[message].shown_by = post;
                world.shows(message, Content::Link { card, link });
                world.came_late(message, life, &claimed, sent.late, sent_at);
                world.witness_link(message);
                Ok(post)
            })
            .await;
        let post = sent?;
        self.world().slack.posts[post].heard = true;
        Ok(post)
    }

    /// `Delivery::tell`.
    pub(super) async fn deliver_notice(&self, job: &Job, notice: &Notice) -> Outcome {
        self.world().commands[job.command].posts += 1;
        let person = CHANNELS.len() + job.user;
        let mut ways = vec![Way::Url];
        if self.world().slack.web_api {
            ways.extend([Way::WebApi(job.channel), Way::WebApi(person)]);
        }
        let mut failure = PostFailure::Refused("the response_url is dead".to_owned());
        for way in ways {
            if !self.holds_for(job.hand, CALL_TIMEOUT) {
                return Outcome::PostFailed(PostFailure::NotSent);
            }
            let (command, hand, notice) = (job.command, job.hand, notice.clone());
            let sent = self
                .slack(Some(job), None, move |world, sent| {
                    world.reaches(way, command)?;
                    world.posted(command, None, person, hand, sent);
                    world.witness_notice(command, &notice, sent.late);
                    Ok(())
                })
                .await;
            if way == Way::Url {
                self.count_url(job, &sent, true);
            }
            match sent {
                Ok(()) => return Outcome::Told,
                Err(error) => failure = or(failure, error),
            }
        }
        Outcome::PostFailed(failure)
    }

    fn count_url<T>(&self, job: &Job, sent: &Result<T, PostFailure>, telling: bool) {
        // What was surely not sent, or turned away, costs none of its uses.
        if sent.as_ref().is_err_and(leaves_other_ways) {
            return;
        }
        let command = &mut self.world().commands[job.command];
        *(if telling { &mut command.url_problems } else { &mut command.url_links }) += 1;
    }

    /// `WebApi::update`, as the outbox calls it.
    pub(super) async fn put_settled(
        &self,
        place: &Place,
        held: &ClaimedMessage,
        link: &Link,
    ) -> Result<(), PostFailure> {
        let message = edited(place);
        let (state, id, connection) = (link.state, number(&link.id), link.connection_id.parse().unwrap());
        let asks = link.asks_customer();
        let (life, claimed, sent_at) = ((self.replica, self.life), held.clone(), self.moment());
        self.slack(None, Some(held), move |world, sent| {
            world.slack.update(message)?;
            world.statistics.edits += 1;
            world.statistics.late_edits += u64::from(sent.late);
            world.count_shown(state);
            world.statistics.customers_asked += u64::from(asks);
            world.shows(message, Content::Settled { state, link: id, connection, asks });
            world.came_late(message, life, &claimed, sent.late, sent_at);
            world.witness_settled(message, sent.late);
            Ok(())
        })
        .await
    }

    /// `outbox::tell_one`.
    pub(super) async fn put_news(
        &self,
        place: Option<&Place>,
        news: News,
        link: &Link,
    ) -> Result<(), PostFailure> {
        let (place, connection) = (place.map(edited), link.connection_id.parse().unwrap());
        let Some(message) = place.filter(|_| !news.is_private(link)) else {
            // Of what a message cannot say to all, only a loss of access is told to its person.
            return match news.needs_no_place(link) {
                true => self.whisper(news, connection).await,
                false => Ok(()),
            };
        };
        let (replica, began) = (self.replica, self.moment());
        let told = self.slack(None, None, move |world, _| {
            world.slack.update(message)?;
            world.statistics.told_threads += 1;
            // Whoever stands still between looking and telling tells what was so, and so does one whose
            // words are under way while a new link comes to be shown.
            let renewed = world.slack.posts[world.slack.messages[message].shown_by].at >= began;
            if world.replicas[replica].stood_at < began && !renewed {
                world.witness_news(message, news, connection);
            }
            Ok(())
        });
        match told.await {
            Err(error) if is_out_of_reach(&error) && news == News::Broken => {
                self.whisper(news, connection).await
            }
            Err(PostFailure::Unclear) => Ok(()),
            told => told,
        }
    }

    /// `WebApi::tell_alone`.
    async fn whisper(&self, news: News, connection: usize) -> Result<(), PostFailure> {
        let wrong = self.world().store.has(Fault::WrongWord);
        let news = if wrong && news == News::Broken { News::Recovered } else { news };
        self.slack(None, None, move |world, _| {
            world.statistics.told_alone += 1;
            world.witness_whisper(news, connection);
            Ok(())
        })
        .await
    }
}

impl World {
    pub(super) fn reaches(&mut self, way: Way, command: usize) -> Result<(), PostFailure> {
        match way {
            Way::WebApi(place) => self.slack.post(place),
            Way::Url => self.slack.use_url(command, self.now),
        }
    }

    pub(super) fn posted(
        &mut self,
        command: usize,
        card: Option<usize>,
        place: usize,
        hand: usize,
        sent: Sent,
    ) -> usize {
        self.trace(|| {
            format!("    Slack shows command {command}'s {card:?} in {place}, late: {}", sent.late)
        });
        self.statistics.late_posts += u64::from(sent.late);
        let at = self.now;
        let Sent { clear, late } = sent;
        self.slack.posts.push(Post {
            command,
            card,
            at,
            hand,
            clear,
            late,
            heard: false,
            written: false,
            left: false,
        });
        self.slack.posts.len() - 1
    }

    pub(super) fn shows(&mut self, message: usize, content: Content) {
        self.trace(|| format!("    Slack's message {message} shows {content:?}"));
        let now = self.now;
        let message = &mut self.slack.messages[message];
        if matches!(message.content, Content::Link { .. }) {
            message.settled_at = now;
        }
        (message.content, message.since, message.late_by) = (content, now, None);
    }

    /// Notes who has edited a message that they did not have any more when Slack came to show that: they did not
    /// when they sent it, or they have stood still since they set about it, and had it until its lease ran out.
    pub(super) fn came_late(
        &mut self,
        message: usize,
        (replica, life): (usize, usize),
        claimed: &ClaimedMessage,
        late: bool,
        since: i64,
    ) {
        let stood = self.replicas[replica].stood_at >= since;
        let lost = !self.store.holds_message(claimed) && (late || stood);
        self.slack.messages[message].late_by = lost.then_some(life);
    }

    /// A process has written down where a post stands, or left it to the outbox.
    pub(super) fn wrote_down(&mut self, post: usize, left: bool) {
        self.slack.posts[post].written = true;
        self.slack.posts[post].left = left;
    }

    fn count_shown(&mut self, state: State) {
        let sum = &mut self.statistics;
        match state {
            State::Connected => sum.shown_connected += 1,
            State::Expired => sum.shown_expired += 1,
            State::Lapsed => sum.shown_lapsed += 1,
            State::Broken => sum.shown_broken += 1,
            State::Cancelled => sum.shown_cancelled += 1,
            State::Gone => sum.shown_gone += 1,
            State::Replaced => sum.shown_replaced += 1,
            State::Unposted | State::Waiting => {}
        }
    }

    /// When a link stops working, as the machines take it.
    pub(super) fn expiry(&self, card: usize) -> jiff::Timestamp {
        stamp(self.fivetran.cards[card].expires_at)
    }
}
