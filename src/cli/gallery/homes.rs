//! The gallery's Homes, and what is said in them.

use super::{Gallery, Kind};
use crate::command::home::{Entry, Filter, MOST, PER_PAGE, Page, Whose, Wish};
use crate::life::State;
use crate::onboarding::Onboarding;
use crate::permission::{Reason, Refused};
use crate::reply::Audience;
use crate::reply::home::{self, Home, NotExported};

impl Gallery<'_> {
    pub(super) fn homes(&mut self) {
        let sample = self.sample;
        let links = |number: usize| -> Vec<Entry> {
            let state = |n: usize| State::ALL.get(n % 5).copied().unwrap_or(State::Waiting);
            (0..number).map(|n| Entry::link(sample.link(state(n)), sample.now)).collect()
        };
        let refused = Refused { reason: Reason::Guest, ask: vec![sample.user.clone(); 3] };
        let said = home::renewing(&sample.link(State::Expired), Audience::Channel);
        let mine = Wish { direct: Some("D0ALICE".to_owned()), ..Wish::default() };
        let all = Wish { whose: Whose::All, ..mine.clone() };
        let waiting = Wish { filter: Filter::Waiting, ..mine.clone() };
        let shown = |entries: Vec<Entry>, total: usize| {
            let (number, pages) = (usize::from(total > 2 * PER_PAGE), total.div_ceil(PER_PAGE).max(1));
            let onboardings = entries.iter().any(|entry| matches!(entry, Entry::Onboarding(_)));
            Page { entries, number, pages, total, more: total == MOST, onboardings }
        };
        let mixed = self.onboardings_of_home();
        let many: Vec<_> = mixed.iter().cycle().take(PER_PAGE).cloned().collect();
        for (name, wish, entries, total, refused, notice) in [
            ("home", &mine, links(3), 3, None, None),
            ("home-page", &mine, links(PER_PAGE), 5 * PER_PAGE, None, None),
            ("home-full", &all, links(PER_PAGE), MOST, None, Some(&said)),
            ("home-everybodys", &all, links(5), 5, None, None),
            ("home-onboardings", &mine, mixed, 9, None, None),
            ("home-onboardings-full", &all, many, MOST, None, Some(&said)),
            ("home-empty", &mine, links(0), 0, None, None),
            ("home-none-waiting", &waiting, links(0), 0, None, None),
            ("home-refused", &mine, links(0), 0, Some(&refused), None),
            ("home-refused-own", &mine, links(2), 2, Some(&refused), None),
            ("home-pressed", &mine, links(2), 2, None, Some(&said)),
        ] {
            let page = shown(entries, total);
            let site = "https://example.invalid/not-a-link/".parse().ok();
            let of = Home { user: &sample.user, wish, page: Some(&page), site, refused, notice };
            self.add(name, Kind::Home, home::home(&of, sample.now));
        }
        let of =
            Home { user: &sample.user, wish: &mine, page: None, site: None, refused: None, notice: None };
        self.add("home-unavailable", Kind::Home, home::home(&of, sample.now));
        let mut direct = sample.link(State::Expired);
        direct.request.in_direct_message = true;
        self.message("home-renewing", home::renewing(&sample.link(State::Expired), Audience::Channel));
        self.message(
            "home-renewing-private",
            home::renewing(&sample.link(State::Expired), Audience::Requester),
        );
        self.message("home-renewing-direct", home::renewing(&direct, Audience::Channel));
        self.message("home-exported", home::exported(37, false));
        self.message("home-exported-most", home::exported(MOST, true));
        for (name, why) in [
            ("scope", NotExported::Scope),
            ("nowhere", NotExported::Nowhere),
            ("refused", NotExported::Slack),
            ("unclear", NotExported::Unclear),
        ] {
            self.message(&format!("home-not-exported-{name}"), home::not_exported(why));
        }
    }

    /// Onboardings as they can stand, and a link among them.
    fn onboardings_of_home(&self) -> Vec<Entry> {
        use State::{Broken, Cancelled, Connected, Expired, Replaced, Waiting};
        let (sample, all) = (self.sample, self.sample.several.onboard.sources.len());
        let entry = |onboarding: Onboarding| Entry::Onboarding(Box::new(onboarding));
        let stands = |states: &[Option<State>], count| {
            let message = sample.link(Waiting).message;
            entry(Onboarding { message, ..self.onboarding(states, count) })
        };
        // Asked for again after it was cancelled.
        let mut again = self.onboarding(&[Some(Cancelled)], all);
        again.message = sample.link(Waiting).message;
        again.sources.iter_mut().take(1).for_each(|source| source.under_way = true);
        let nobodys = Onboarding { customer: None, ..self.onboarding(&[Some(Waiting), None], all) };
        vec![
            stands(&[Some(Connected), Some(Broken), Some(Waiting)], all),
            Entry::link(sample.link(Expired), sample.now),
            stands(&[Some(Expired), Some(Replaced), Some(Connected)], all),
            entry(nobodys),
            stands(&[Some(Waiting)], all),
            stands(&[Some(Waiting)], 1),
            stands(&[Some(Connected)], all),
            stands(&[Some(Cancelled)], all),
            entry(again),
        ]
    }
}
