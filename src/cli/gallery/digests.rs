//! The gallery's digests.

use super::Gallery;
use crate::life::{Purpose, State};
use crate::onboarding::Onboarding;
use crate::reply::digest::{self, Item, LINES, More};

impl Gallery<'_> {
    pub(super) fn digests(&mut self) {
        use State::{Broken, Connected, Expired, Waiting};
        let sample = self.sample;
        let link = |state| Item::Link(Box::new(sample.link(state)));
        let sources_of = |states: &[Option<State>], count| {
            let message = sample.link(Waiting).message;
            Item::Onboarding(Box::new(Onboarding { message, ..self.onboarding(states, count) }))
        };
        let sources = |states| sources_of(states, sample.several.onboard.sources.len());
        let mixed = vec![
            link(Broken),
            link(Expired),
            sources(&[Some(Connected), Some(Waiting), Some(Broken)]),
            link(Waiting),
        ];
        let single = vec![sources_of(&[Some(Waiting)], 1), sources_of(&[Some(Broken)], 1)];
        let many = vec![sources(&[Some(Waiting), Some(Broken)]); LINES];
        let (none, counted, others) =
            (More::default(), More { count: 12, at_least: false }, More { count: 270, at_least: true });
        let mut again = sample.link(Waiting);
        again.purpose = Some(Purpose::Reauthorise);
        let mut nowhere =
            self.onboarding(&[Some(Connected), Some(Waiting)], sample.several.onboard.sources.len());
        nowhere.message = None;
        let for_us = [Item::Link(Box::new(again)), Item::Onboarding(Box::new(nowhere))];
        let uncounted = More { count: 0, at_least: true };
        self.message("digest-for-us-only", digest::for_us(&for_us, uncounted, sample.now));
        for (name, items, more) in [
            ("one", &vec![link(Waiting)], none),
            ("single", &single, none),
            ("mixed", &mixed, none),
            ("more", &mixed, counted),
            ("many", &many, others),
        ] {
            self.message(&format!("digest-{name}"), digest::for_channel(items, more, sample.now));
            self.message(&format!("digest-for-us-{name}"), digest::for_us(items, more, sample.now));
        }
    }
}
