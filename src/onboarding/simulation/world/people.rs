//! What people do: those who type and press, those who go through a card, and those who do something
//! at Fivetran or in Slack by themselves.

use super::World;
use crate::journal::{Notice, Problem};
use crate::life::State;
use crate::onboarding::simulation::fivetran::Is;
use crate::onboarding::simulation::slack::Content;
use crate::onboarding::simulation::sources::Several;
use crate::onboarding::simulation::{CHANNELS, MINUTE, SECOND};
use crate::work::{Confirmed, Work};

/// What somebody does at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Somebody asks for several sources at once.
    Several(Several),
    /// Somebody asks for one source of a customer.
    Single {
        name: usize,
        channel: usize,
        user: usize,
        customer: usize,
    },
    PressSource {
        name: usize,
        user: usize,
    },
    /// A customer goes through all sources, one after another.
    WalkThrough {
        user: usize,
    },
    Connect {
        name: usize,
        channel: usize,
        user: usize,
    },
    /// Somebody says yes, to a question or unasked.
    Confirm {
        name: usize,
        channel: usize,
        user: usize,
        confirmed: Confirmed,
        for_all: bool,
    },
    RenewTyped {
        name: usize,
        channel: usize,
        user: usize,
    },
    RenewPressed {
        name: usize,
        user: usize,
    },
    Cancel {
        name: usize,
        channel: usize,
        user: usize,
    },
    Sync {
        name: usize,
        channel: usize,
        user: usize,
    },
    /// A customer goes through a card, and comes back to the landing page or not.
    Finish {
        name: usize,
        lands: bool,
    },
    /// A customer comes back without having finished.
    Land {
        name: usize,
    },
    Break {
        name: usize,
    },
    Fix {
        name: usize,
    },
    /// Somebody deletes the connection in Fivetran's dashboard.
    Delete {
        name: usize,
    },
    /// Somebody asks for the status.
    Ask {
        name: usize,
    },
    Archive {
        channel: usize,
    },
    /// Somebody deletes a message in Slack.
    DeleteMessage,
}

impl World {
    pub(super) fn act(&mut self, action: usize) {
        let action = self.actions[action];
        self.trace(|| format!("{action:?}"));
        match action {
            Action::Several(asked) => self.served(move |bot| bot.ask_for_all_of(asked)),
            Action::Single { name, channel, user, customer } => {
                self.served(move |bot| bot.ask_for_single(name, channel, user, customer));
            }
            Action::PressSource { name, user } => self.press_source(name, user),
            Action::WalkThrough { user } => self.walk_through(user),
            Action::Connect { name, channel, user } => {
                self.served(move |bot| bot.connect(name, channel, user, Confirmed::No, false));
            }
            Action::Confirm { name, channel, user, confirmed, for_all } => {
                self.served(move |bot| bot.connect(name, channel, user, confirmed, for_all));
            }
            Action::RenewTyped { name, channel, user } => {
                self.served(move |bot| bot.renew_typed(name, channel, user));
            }
            Action::RenewPressed { name, user } => self.press_renew(name, user),
            Action::Cancel { name, channel, user } => {
                self.served(move |bot| bot.cancel_typed(name, channel, user));
            }
            Action::Sync { name, channel, user } => {
                self.served(move |bot| bot.sync_pressed(name, channel, user));
            }
            Action::Ask { name } => self.served(move |bot| bot.asked(name)),
            Action::Finish { name, lands } => self.go_through(name, true, lands),
            Action::Land { name } => self.go_through(name, false, true),
            Action::Break { name } => self.becomes(name, Is::Connected, Is::Broken),
            Action::Fix { name } => self.becomes(name, Is::Broken, Is::Connected),
            Action::Delete { name } => {
                let there: Vec<_> = self.fivetran.bearing(name).map(|(id, _)| id).collect();
                there.into_iter().for_each(|id| self.fivetran.becomes(id, Is::Deleted, self.now));
            }
            Action::Archive { channel } => {
                self.statistics.channels_archived += 1;
                self.slack.archived[channel] = true;
            }
            Action::DeleteMessage => {
                let many = self.slack.messages.len();
                if many > 0 {
                    self.statistics.messages_deleted += 1;
                    let one = self.one_of(many);
                    self.slack.messages[one].deleted = true;
                }
            }
        }
    }

    /// Somebody presses the button of a message that offers a new link.
    fn press_renew(&mut self, name: usize, user: usize) {
        let offers = |content: &Content| match content {
            Content::Settled { state: State::Expired | State::Lapsed | State::Replaced, link, .. }
            | Content::Settled { state: State::Broken, link, asks: true, .. } => Some(*link),
            _ => None,
        };
        let fits = |link: &usize| self.commands[*link].new.name == name;
        let messages = self.slack.messages.iter().enumerate().rev().filter(|(_, message)| !message.deleted);
        let pressed =
            messages.filter_map(|(at, message)| Some((at, offers(&message.content).filter(fits)?))).next();
        if let Some((message, link)) = pressed {
            self.served(move |bot| bot.renew_pressed(link, message, user));
        }
    }

    /// A customer uses the newest link that can be seen and still works.
    fn go_through(&mut self, name: usize, finishes: bool, lands: bool) {
        let seen = self.slack.messages.iter().rev().find_map(|message| match message.content {
            Content::Link { card, link } if !message.deleted => {
                let card = &self.fivetran.cards[card];
                let theirs =
                    self.fivetran.connections[card.connection].name == name && card.expires_at > self.now;
                theirs.then_some((card.connection, link))
            }
            _ => None,
        });
        let Some((connection, link)) = seen else { return };
        if finishes {
            self.fivetran.finish(connection, self.now);
        }
        if lands && self.fivetran.exists(connection) {
            self.served(move |bot| bot.landed(connection, format!("c{link}")));
        }
    }

    fn becomes(&mut self, name: usize, from: Is, to: Is) {
        let there: Vec<_> =
            self.fivetran.bearing(name).filter(|(_, one)| one.is() == from).map(|(id, _)| id).collect();
        there.into_iter().for_each(|id| self.fivetran.becomes(id, to, self.now));
    }

    /// Whoever is told something may press the button that comes with it.
    pub(in crate::onboarding::simulation) fn may_answer(&mut self, command: usize, notice: &Notice) {
        let (name, channel, user, work) = {
            let new = &self.commands[command].new;
            (new.name, new.channel, new.user, &new.work)
        };
        // `server::interactivity`: an answer stands beside what was said to the questions before.
        let (confirmed, for_all) = match work {
            Work::Connect(request) => (request.confirmed, request.for_all),
            _ => (Confirmed::No, false),
        };
        // Only where Fivetran keeps names unique can two commands have one name.
        if channel >= CHANNELS.len() || !self.fivetran.names_are_unique || self.dice.one_in(3) {
            return;
        }
        let (confirmed, for_all) = match notice {
            Notice::Problem(Problem::Elsewhere { .. }) => (Confirmed::PostHere, for_all),
            Notice::Problem(Problem::AlreadyConnected { .. }) => (Confirmed::Reauthorise, for_all),
            Notice::Problem(Problem::Shared(_)) => (confirmed, true),
            _ => return,
        };
        let action = Action::Confirm { name, channel, user, confirmed, for_all };
        let at = self.now + SECOND + self.dice.below(MINUTE);
        self.plan_action(at, action);
    }
}
