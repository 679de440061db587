//! Those who ask for several sources, add to them, press their buttons and go through them.

use super::World;
use super::people::Action;
use crate::life::State;
use crate::onboarding::simulation::slack::Content;
use crate::onboarding::simulation::sources::{CUSTOMERS, SOURCES, Several};
use crate::onboarding::simulation::{MINUTE, PEOPLE, SECOND};
use crate::work::Request;

impl World {
    /// What somebody does where customers have several sources.
    pub(super) fn some_action_with_several(&mut self) -> Action {
        let (name, channel) = (self.one_of(SOURCES), self.one_of(8) / 7);
        let (user, customer) = (self.one_of(PEOPLE.len()), self.one_of(8) / 7);
        match self.dice.below(24) {
            0..9 => self.ask_for_several(channel, user, customer),
            9..12 => Action::Single { name, channel, user, customer },
            12..14 => Action::PressSource { name, user },
            14 => Action::Cancel { name, channel, user },
            15 => Action::Finish { name, lands: self.dice.one_in(2) },
            16 => Action::Break { name },
            17 => Action::Fix { name },
            18 => Action::Delete { name },
            19 => Action::RenewTyped { name, channel, user },
            20 if self.dice.one_in(3) => Action::DeleteMessage,
            20 if self.dice.one_in(2) => Action::Archive { channel },
            _ => Action::WalkThrough { user },
        }
    }

    /// Somebody asks for several, and mostly somebody goes through them.
    pub(super) fn plan_several(&mut self) {
        let user = self.one_of(PEOPLE.len());
        let action = self.ask_for_several(0, user, 0);
        let at = self.dice.below(20 * SECOND);
        self.plan_action(at, action);
        if !self.dice.one_in(4) {
            let later = self.dice.pick(&[20 * SECOND, MINUTE, 5 * MINUTE]);
            self.plan_action(at + later, Action::WalkThrough { user });
        }
    }

    fn ask_for_several(&mut self, channel: usize, user: usize, customer: usize) -> Action {
        let count = self.dice.pick(&[2, 2, 3, 4]);
        let customer = (!self.dice.one_in(4)).then_some(customer);
        let for_all = self.dice.one_in(6);
        let first = self.one_of(SOURCES);
        Action::Several(Several { first, count, customer, channel, user, for_all })
    }

    /// Whoever is asked whether several organisations may see the message may say yes.
    pub(in crate::onboarding::simulation) fn may_answer_for_all(&mut self, command: usize) {
        let asked = self.actions_for(command);
        if let Some(several) = asked.filter(|_| !self.dice.one_in(3)) {
            let at = self.now + SECOND + self.dice.below(MINUTE);
            self.plan_action(at, Action::Several(Several { for_all: true, ..several }));
        }
    }

    fn actions_for(&self, command: usize) -> Option<Several> {
        let new = &self.commands[command].new;
        let onboard = new.several.as_ref()?;
        let name = |source: &Request| crate::onboarding::simulation::number(&source.target.connection_name());
        Some(Several {
            first: onboard.sources.first().map(name)?,
            count: onboard.sources.len(),
            customer: CUSTOMERS.iter().position(|customer| Some(*customer) == onboard.customer.as_deref()),
            channel: new.channel,
            user: new.user,
            for_all: false,
        })
    }

    /// Somebody presses the button of a source.
    pub(super) fn press_source(&mut self, name: usize, user: usize) {
        let offered = self.slack.messages.iter().enumerate().rev().find_map(|(at, message)| {
            let Content::Sources(sources) = &message.content else { return None };
            let line = sources.lines.iter().find(|line| line.name == name && !message.deleted)?;
            let stands = line.stands.as_ref()?;
            let offers = matches!(stands.state, State::Waiting | State::Expired | State::Replaced);
            (offers || stands.asks).then_some((at, stands.link))
        });
        if let Some((message, link)) = offered {
            self.served(move |bot| bot.renew_pressed(link, message, user));
        }
    }

    /// A customer goes through all of it, one after another.
    pub(super) fn walk_through(&mut self, user: usize) {
        for name in 0..SOURCES {
            let at = self.now + 30 * SECOND * (name as i64) + self.dice.below(10 * SECOND);
            self.plan_action(at, Action::PressSource { name, user });
            let lands = !self.dice.one_in(3);
            self.plan_action(at + 20 * SECOND, Action::Finish { name, lands });
        }
        // Somebody thinks of one more, be it as the last is finished.
        if self.dice.one_in(2) {
            let (name, channel, customer) = (self.one_of(SOURCES), 0, 0);
            let at = self.now + self.dice.below(30 * SECOND * (SOURCES as i64));
            self.plan_action(at, Action::Single { name, channel, user, customer });
        }
    }
}
