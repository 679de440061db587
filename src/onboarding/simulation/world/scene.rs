//! What a world begins with, and what is going to happen in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::people::Action;
use super::{Command, Event, NO_PLAN, Replica, World};
use crate::journal::{Progress, Resting};
use crate::life::{self, Ask, Change, Intention, Place};
use crate::onboarding::simulation::dice::Dice;
use crate::onboarding::simulation::fivetran::{Fivetran, Is};
use crate::onboarding::simulation::planted::Fault;
use crate::onboarding::simulation::slack::{Content, Message, Post, Slack};
use crate::onboarding::simulation::sources::SOURCES;
use crate::onboarding::simulation::statistics::Statistics;
use crate::onboarding::simulation::store::{MessageWrite, NewCommand, Store, Write};
use crate::onboarding::simulation::{CHANNELS, MINUTE, PEOPLE, REQUESTS, SECOND, TEAM, stamp};
use crate::work::{Confirmed, Intent, Work};

/// In one world of so many people ask for several sources at once.
const SHARE: i64 = 6;
/// Enough connections for so many to be missing that none is believed to be gone.
const MANY: usize = 7;

impl World {
    pub(super) fn new(seed: u64, several: bool, planted: Option<Fault>, traced: bool) -> Rc<RefCell<Self>> {
        let mut dice = Dice::new(seed);
        let replicas = dice.between(1, 3);
        let skew = dice.pick(&[0, 0, 0, 2_000, 10 * MINUTE]);
        let replicas = (0..usize::try_from(replicas).unwrap())
            .map(|life| Replica {
                life: Some(life),
                ahead: dice.between(0, skew),
                still_until: 0,
                stood_at: i64::MIN,
                renewed_at: None,
                resting: Resting::default(),
                unheard: HashMap::new(),
                plans: [NO_PLAN; super::CHORES.len()],
                paused_until: 0,
            })
            .collect::<Vec<_>>();
        let (mut fivetran, mut slack) = (Fivetran::new(skew >= MINUTE, &mut dice), Slack::new(&mut dice));
        // An onboarding needs a message that everybody sees and that can be edited.
        let several = dice.one_in(SHARE) || several;
        if several {
            fivetran.names_are_unique = true;
            (slack.web_api, slack.private) = (true, false);
        }
        let calm_from = fivetran.weather.ends().max(slack.weather.ends());
        let world = Rc::new_cyclic(|me| {
            RefCell::new(Self {
                me: me.clone(),
                now: 0,
                queue: std::collections::BinaryHeap::new(),
                scheduled: 0,
                tasks: Vec::new(),
                current: 0,
                works: Vec::new(),
                actions: Vec::new(),
                actions_left: 0,
                lives: replicas.len(),
                replicas,
                crash_rate: dice.pick(&[i64::MAX, 32, 8, 3]),
                faults_until: dice.pick(&[MINUTE, 5 * MINUTE, 5 * MINUTE, 30 * MINUTE]),
                crashes_left: 6,
                stills_left: if fivetran.names_are_unique { 3 } else { 0 },
                database_trouble: dice.pick(&[i64::MAX, i64::MAX, 64, 12]),
                database_until: 0,
                store: Store::with(planted),
                fivetran,
                slack,
                hands: Vec::new(),
                commands: Vec::new(),
                reminders: dice.one_in(4),
                several,
                visits: Vec::new(),
                landings: Vec::new(),
                statistics: Statistics::default(),
                lost_time: 0,
                calm_from,
                skew,
                violation: None,
                traced,
                dice,
            })
        });
        world.borrow_mut().populate();
        world
    }

    fn populate(&mut self) {
        let unique = self.fivetran.names_are_unique;
        let several = self.several;
        let names = if unique { self.dice.pick(&[1, 1, 1, 2, 2, 3]) } else { 1 };
        let names = if several { SOURCES } else { names };
        let names = if !several && unique && self.dice.one_in(24) { MANY } else { names };
        if unique && self.dice.one_in(6) {
            let (ours, is) =
                (!self.dice.one_in(3), self.dice.pick(&[Is::Incomplete, Is::Connected, Is::Broken]));
            self.fivetran.seed(0, ours, is);
        } else if unique {
            for name in 0..names {
                if names == MANY || self.dice.one_in(if several { 6 } else { 2 }) {
                    self.link_from_before(name);
                }
            }
        }
        if unique && self.dice.one_in(4) {
            for _ in 0..self.dice.between(1, 3) {
                self.fivetran.lie(names, &mut self.dice);
            }
            if names == MANY {
                self.fivetran.deny_all();
            }
            let until = self.fivetran.lies.iter().map(|lie| lie.to).max().unwrap_or_default();
            self.is_troubled(until);
        }
        let hurried = self.dice.one_in(2);
        if several {
            self.plan_several();
        }
        let most = if several { 3 } else { 6 };
        for _ in 0..self.dice.between(1, most) {
            let at = if hurried { self.dice.below(30 * SECOND) } else { self.dice.below(12 * MINUTE) };
            let action =
                if several { self.some_action_with_several() } else { self.some_action(names, unique) };
            self.plan_action(at, action);
        }
        if self.skew >= MINUTE && self.dice.one_in(2) {
            let (replica, at) = (self.one_of(self.replicas.len()), self.dice.below(5 * MINUTE));
            let ahead = self.dice.between(-5 * MINUTE, 5 * MINUTE);
            self.skew = self.skew.max(ahead.abs() + 10 * MINUTE);
            self.is_troubled(at);
            self.at(at, Event::SetClock { replica, ahead });
        }
        if self.database_trouble < i64::MAX {
            let until = self.dice.between(MINUTE, 5 * MINUTE);
            self.is_troubled(until);
            self.database_until = until;
        }
        self.store.changed = true;
    }

    fn some_action(&mut self, names: usize, unique: bool) -> Action {
        let name = usize::try_from(self.dice.below(names as i64)).unwrap();
        let (channel, user) = (self.one_of(CHANNELS.len()), self.one_of(PEOPLE.len()));
        if !unique {
            return match self.dice.below(4) {
                // Only where Fivetran keeps names unique can two commands have one name.
                0..3 => Action::Connect { name: self.next_name(), channel, user },
                _ => Action::Finish { name, lands: true },
            };
        }
        match self.dice.below(35) {
            0..9 => Action::Connect { name, channel, user },
            9..12 => Action::RenewTyped { name, channel, user },
            12..15 => Action::RenewPressed { name, user },
            15..17 => Action::Cancel { name, channel, user },
            17..21 => Action::Finish { name, lands: self.dice.one_in(2) },
            21 => Action::Land { name },
            22..24 => Action::Break { name },
            24 => Action::Fix { name },
            25..27 => Action::Delete { name },
            27 => Action::Ask { name },
            28 | 29 => Action::Archive { channel },
            30 => Action::DeleteMessage,
            31..34 => Action::Sync { name, channel, user },
            _ => {
                let confirmed = Confirmed::Reauthorise;
                Action::Confirm { name, channel, user, confirmed, for_all: false }
            }
        }
    }

    pub(in crate::onboarding::simulation) fn one_of(&mut self, many: usize) -> usize {
        usize::try_from(self.dice.below(many as i64)).unwrap()
    }

    fn next_name(&self) -> usize {
        self.actions.iter().filter(|action| matches!(action, Action::Connect { .. })).count()
    }

    pub(super) fn plan_action(&mut self, at: i64, action: Action) {
        self.actions.push(action);
        self.actions_left += 1;
        self.is_troubled(at);
        self.at(at, Event::Action { action: self.actions.len() - 1 });
    }

    /// A link that was posted before all this, by the same rules.
    fn link_from_before(&mut self, name: usize) {
        let is = self.dice.pick(&[Is::Incomplete, Is::Incomplete, Is::Incomplete, Is::Connected, Is::Broken]);
        let (channel, user) = (self.one_of(CHANNELS.len()), self.one_of(PEOPLE.len()));
        let at = -self.dice.below(80 * SECOND) - SECOND;
        let id = self.fivetran.seed(name, true, Is::Incomplete);
        let card = self.fivetran.card(id, at);
        let editable = self.slack.edits() && self.slack.member[channel];
        let command = self.commands.len();
        let request = REQUESTS[name].clone();
        let ask = Ask {
            command: &format!("c{command}"),
            intent: Intent::Connect,
            renews: None,
            connection_id: &id.to_string(),
            purpose: None,
            team_id: TEAM,
            channel_id: CHANNELS[channel],
            requester: PEOPLE[user],
            request: &request,
            expires_at: self.expiry(card),
            edits: self.slack.edits(),
            takes_back: self.slack.web_api,
        };
        let Intention::Post(post) = life::intend(None, false, &ask, stamp(at)) else { return };
        let place =
            Place { channel: CHANNELS[channel].to_owned(), ts: self.slack.messages.len().to_string() };
        self.put_down(&post.change, 0, MessageWrite::New, at);
        let posted = life::next(&post.change.connection, life::Event::Posted, false, stamp(at));
        self.put_down(&posted, 1, MessageWrite::Placed(editable.then_some(&place)), at);
        let new = NewCommand {
            work: Work::Connect(request),
            several: None,
            name,
            channel,
            user,
            progress: Progress::default(),
            accepted_at: at,
        };
        self.commands.push(Command {
            prior: true,
            promised: true,
            began: self.hands.len(),
            ..Command::new(new, at)
        });
        self.store.room(command);
        self.slack.open_url(at);
        self.hands.push(super::Hand {
            command,
            life: usize::MAX,
            fence: 1,
            at_work: false,
            cut_off: false,
            lost: false,
            checked_at: 0,
        });
        let post = Post {
            command,
            card: Some(card),
            at,
            hand: self.hands.len() - 1,
            clear: true,
            late: false,
            heard: true,
            written: true,
            left: false,
        };
        self.slack.posts.push(post);
        self.slack.messages.push(Message {
            place: channel,
            content: Content::Link { card, link: command },
            since: at,
            settled_at: i64::MAX,
            editable: self.slack.edits() && editable,
            deleted: false,
            post: self.slack.posts.len() - 1,
            shown_by: self.slack.posts.len() - 1,
            late_by: None,
        });
        if is != Is::Incomplete {
            self.fivetran.finish(id, at + 1);
            self.fivetran.becomes(id, is, at + 2);
        }
    }

    fn put_down(&mut self, change: &Change, version: i64, message: MessageWrite<'_>, now: i64) {
        let write =
            Write { change, version, held: None, progress: None, message, reminders: self.reminders, now };
        self.store.write(None, &write);
    }
}
