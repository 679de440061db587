//! The gallery's digests.

use super::Gallery;
use crate::life::State;
use crate::reply::digest::{self, Item, LINES, More};

impl Gallery<'_> {
    pub(super) fn digests(&mut self) {
        use State::{Broken, Connected, Expired, Waiting};
        let sample = self.sample;
        let link = |state| Item::Link(Box::new(sample.link(state)));
        let sources = |states: &[Option<State>]| {
            let all = sample.several.onboard.sources.len();
            Item::Onboarding(Box::new(self.onboarding(states, all)))
        };
        let mut nowhere = sample.link(Expired);
        nowhere.message = None;
        let mixed = vec![
            link(Broken),
            link(Expired),
            Item::Link(Box::new(nowhere)),
            sources(&[Some(Connected), Some(Waiting), Some(Broken)]),
            link(Waiting),
        ];
        let many = vec![sources(&[Some(Waiting), Some(Broken)]); LINES];
        let (none, counted, others) =
            (More::default(), More { count: 12, at_least: false }, More { count: 270, at_least: true });
        for (name, items, more) in [
            ("one", &vec![link(Waiting)], none),
            ("mixed", &mixed, none),
            ("more", &mixed, counted),
            ("many", &many, others),
        ] {
            self.message(&format!("digest-{name}"), digest::for_channel(items, more));
            self.message(&format!("digest-for-us-{name}"), digest::for_us(items, more));
        }
    }
}
