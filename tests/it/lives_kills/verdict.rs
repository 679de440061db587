//! What must hold when a run is over, by what Slack shows and Fivetran has.
//!
//! A message of which the bot cannot know where it stands is nobody's fault: the answer to its post
//! was lost, or its process was killed before it had noted it down, and it was posted again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use stand_ins::slack::{Message, Shown, Visibility, render};

use super::people::{People, promised};
use crate::harness::{Outside, button_of, reference, say, token_of};
use crate::kills::Breaks;

/// What a link's token says.
#[derive(Clone)]
pub(super) struct Card {
    /// Fivetran's id of its connection.
    pub(super) connection: String,
    /// When it was made, in seconds.
    issued: i64,
}

impl Card {
    /// The card behind a link.
    pub(super) fn of(link: &str) -> Self {
        let token = token_of(link);
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let connection = claims["d"]["connector"].as_str().unwrap().to_owned();
        Self { connection, issued: claims["iat"].as_i64().unwrap() }
    }
}

/// Whoever judges.
pub(super) struct Verdict<'a> {
    pub(super) outside: &'a Outside,
    pub(super) people: &'a People,
    /// From when to when processes were dead, or may not have noted down what they did.
    pub(super) kills: &'a Breaks,
    /// The same of processes that others may have taken for dead.
    pub(super) stops: &'a Breaks,
}

/// Something that was posted, as it was at first.
struct Post {
    reference: String,
    at: f64,
    heard: bool,
    text: String,
}

/// A message in which a link was posted.
struct Standing {
    channel: String,
    at: f64,
    /// The first link that it showed, and the last.
    first: Card,
    last: Card,
    /// Whether that is on show.
    shows_link: bool,
    text: String,
    /// Whether the bot can know where it stands.
    in_reach: bool,
}

impl Verdict<'_> {
    /// The commands that were acknowledged and have not ended.
    pub(super) fn unended(&self) -> Vec<String> {
        let promises = self.people.diary.promises.lock().unwrap();
        self.outside.slack.read(|_, history| {
            let mut told = HashSet::new();
            let mut confirmed = Vec::new();
            let mut last_link = HashMap::new();
            for (at, shown) in history.iter().enumerate() {
                let text = render(&shown.payload);
                confirmed.extend(promised(&text));
                told.extend(answered(&text));
                if button_of(&shown.payload).is_some() {
                    last_link.extend(schema_in(&text).map(|schema| (schema, at)));
                }
            }
            let typed = promises.iter().filter(|it| {
                let renewed = it.renews && last_link.get(&it.schema).is_some_and(|&at| at >= it.from);
                !renewed && !told.contains(&it.reference)
            });
            let typed: Vec<_> = typed.map(|it| format!("{} of {}", it.reference, it.schema)).collect();
            typed.into_iter().chain(confirmed.into_iter().filter(|it| !told.contains(it))).collect()
        })
    }

    /// What is not as it should be of messages that can be edited.
    pub(super) fn untrue(&self) -> Vec<String> {
        let standing = self.outside.slack.read(|messages, history| self.standing(messages, history));
        let mut untrue: Vec<_> = standing.iter().filter_map(|message| self.is_untrue(message)).collect();
        let mut live: BTreeMap<&str, Vec<&Standing>> = BTreeMap::new();
        for message in standing.iter().filter(|it| it.in_reach && it.shows_link) {
            live.entry(&message.last.connection).or_default().push(message);
        }
        for (connection, shown) in live {
            let home = self.home(connection, &standing);
            if shown.len() > 1 || shown.iter().any(|it| Some(&it.channel) != home) {
                let places: Vec<_> = shown.iter().map(|it| format!("{} {}", it.channel, it.at)).collect();
                untrue.push(format!("{connection} is live at {places:?}, its home is {home:?}"));
            }
        }
        untrue
    }

    /// The channel of a connection's last post, but for those that came late.
    fn home<'s>(&self, connection: &str, standing: &'s [Standing]) -> Option<&'s String> {
        let of_it = standing.iter().filter(|it| it.first.connection == connection);
        let last =
            of_it.filter(|it| !it.text.starts_with("A newer link for")).max_by(|a, b| a.at.total_cmp(&b.at));
        last.map(|it| &it.channel)
    }

    fn is_untrue(&self, message: &Standing) -> Option<String> {
        let Standing { channel, at, last, shows_link, text, in_reach, .. } = message;
        let connection = self.outside.fivetran.connection(&last.connection);
        let is = connection.as_ref().map_or("deleted", |it| it["status"]["setup_state"].as_str().unwrap());
        let is_true = if *shows_link {
            // A link to repair what is broken was made when that had been finished once.
            let finished = self.people.diary.finished.lock().unwrap();
            let repairs =
                finished.iter().any(|(id, at)| *id == last.connection && *at < last.issued as f64 + 1.0);
            is == "incomplete" || (is == "broken" && repairs)
        } else {
            let states = [
                (" is connected (since ", "connected"),
                (" is connected as before", "connected"),
                ("If the setup isn't finished yet", "incomplete"),
                ("but its access has stopped working", "broken"),
                ("but isn't getting new data right now", "broken"),
                ("was cancelled, so its link", "deleted"),
                ("was removed, so its link", "deleted"),
                ("so this one is no longer in use", is),
            ];
            states.iter().any(|(words, state)| text.contains(words) && is == *state)
        };
        (*in_reach && !is_true)
            .then(|| format!("{channel} {at}: {} is {is}, and it says {text}", last.connection))
    }

    fn posts(messages: &[Message], history: &[Shown]) -> Vec<Post> {
        let mut first = HashMap::new();
        for shown in history {
            first.entry(shown.message).or_insert(&shown.payload);
        }
        let posts = messages.iter().filter_map(|message| {
            let text = render(first[&message.id]);
            let reference = answered(&text)?;
            Some(Post { reference, at: message.ts.parse().unwrap(), heard: message.heard, text })
        });
        posts.collect()
    }

    fn standing(&self, messages: &[Message], history: &[Shown]) -> Vec<Standing> {
        let mut times: HashMap<String, Vec<f64>> = HashMap::new();
        for Post { reference, at, .. } in Self::posts(messages, history) {
            times.entry(reference).or_default().push(at);
        }
        let mut links: HashMap<u64, (Card, Card)> = HashMap::new();
        for shown in history {
            let Some(card) = button_of(&shown.payload).map(|link| Card::of(&link)) else { continue };
            links.entry(shown.message).and_modify(|it| it.1 = card.clone()).or_insert((card.clone(), card));
        }
        let in_channel = messages.iter().filter(|it| it.visibility == Visibility::Channel && !it.deleted);
        let standing = in_channel.filter_map(|message| {
            let (first, last) = links.remove(&message.id)?;
            let (at, text) = (message.ts.parse().unwrap(), message.rendered());
            let again =
                reference(&text).and_then(|it| times.get(&it)?.iter().copied().find(|&next| next > at));
            let cut_off = again.is_some_and(|next| self.kills.cut_off(&[at, next]));
            Some(Standing {
                channel: message.channel.clone(),
                at,
                first,
                last,
                shows_link: button_of(&message.payload).is_some(),
                text,
                in_reach: message.heard && !cut_off,
            })
        });
        standing.collect()
    }

    /// Judges all when all is over.
    pub(super) fn judge(&self, what: &str) {
        assert_eq!((self.unended(), self.untrue()), (Vec::new(), Vec::new()), "{what}: when all has ended");
        for (name, count) in self.outside.connections_by_name() {
            assert_eq!(count, 1, "{what}: {name} was made {count} times");
        }
        let (posts, standing) = self
            .outside
            .slack
            .read(|messages, history| (Self::posts(messages, history), self.standing(messages, history)));
        let doubles = self.doubles(what, posts);
        let moves = self.moves(what, &standing);
        let diary = &self.people.diary;
        let out_of_reach = standing.iter().filter(|it| !it.in_reach).count();
        say(&format!(
            "{what}: {} kills, {} standstills, {} commands and presses ({} unanswered), {} promised, \
             {} links ({out_of_reach} out of reach), {doubles} messages twice, {moves} moves",
            self.kills.count(),
            self.stops.count(),
            diary.sent.load(Ordering::Relaxed),
            diary.unanswered.load(Ordering::Relaxed),
            diary.promises.lock().unwrap().len(),
            standing.len(),
        ));
    }

    /// Nothing came twice without a cause. How much did with one.
    fn doubles(&self, what: &str, posts: Vec<Post>) -> usize {
        let mut doubles = 0;
        let mut last: HashMap<String, Post> = HashMap::new();
        for post in posts {
            if let Some(before) = last.get(&post.reference) {
                let pair = [before.at, post.at];
                let cause = !before.heard || self.kills.cut_off(&pair) || self.stops.cut_off(&pair);
                assert!(cause, "{what}: twice without a cause: {pair:?}, {} … {}", before.text, post.text);
                doubles += 1;
            }
            last.insert(post.reference.clone(), post);
        }
        doubles
    }

    /// No link of a connection came to another channel without somebody's wish. How many did by it.
    fn moves(&self, what: &str, standing: &[Standing]) -> usize {
        let wishes = self.people.diary.moves.lock().unwrap();
        let mut by_connection: BTreeMap<&str, Vec<&Standing>> = BTreeMap::new();
        for message in standing {
            by_connection.entry(&message.first.connection).or_default().push(message);
        }
        let mut moves = 0;
        for (connection, posts) in by_connection {
            for pair in posts.windows(2).filter(|pair| pair[0].channel != pair[1].channel) {
                let [from, to] = [pair[0].at, pair[1].at];
                let wished = wishes.iter().any(|it| {
                    schema_in(&pair[1].text).as_ref() == Some(&it.schema)
                        && it.channel == pair[1].channel
                        && it.at < to
                });
                // Who was stopped in the middle of a post may make it when the link has moved on.
                let late = self.stops.cut_off(&[from, to]);
                assert!(wished || late, "{what}: {connection} moved without a wish, at {from} and {to}");
                moves += 1;
            }
        }
        moves
    }
}

/// The reference of the command of which a text says what it came to.
fn answered(text: &str) -> Option<String> {
    let answers = promised(text).is_none() && !is_note(text) && !is_news(text) && !is_for_requester(text);
    answers.then(|| reference(text)).flatten()
}

/// Whether a text says only that a command waits.
fn is_note(text: &str) -> bool {
    text.starts_with("Still ")
}

/// Whether a text tells whoever had asked for a link what another person was told who wanted a new one.
fn is_for_requester(text: &str) -> bool {
    text.contains(" asked for a new link for ") && text.contains(", and was told to ask you.")
}

/// Whether a text tells a person alone how a link stands by now, beside what its command came to.
fn is_news(text: &str) -> bool {
    let words = [" isn't getting new data. ", " was connected, but its access has stopped working."];
    text.starts_with(":warning: ") && words.iter().any(|words| text.contains(words))
}

/// The schema that a message is about.
fn schema_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("The data goes to `")?;
    Some(rest.split_once('`')?.0.to_owned())
}
