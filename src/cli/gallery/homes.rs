//! The gallery's Homes, and what is said in them.

use super::{Gallery, Kind};
use crate::command::home::{Filter, MOST, PER_PAGE, Page, Whose, Wish};
use crate::life::{Link, State};
use crate::permission::{Reason, Refused};
use crate::reply::Audience;
use crate::reply::home::{self, Home, NotExported};

impl Gallery<'_> {
    pub(super) fn homes(&mut self) {
        let sample = self.sample;
        let links = |number: usize| -> Vec<Link> {
            let state = |n: usize| State::ALL.get(n % 5).copied().unwrap_or(State::Waiting);
            (0..number).map(|n| sample.link(state(n))).collect()
        };
        let refused = Refused { reason: Reason::Guest, ask: vec![sample.user.clone(); 3] };
        let said = home::renewing(&sample.link(State::Expired), Audience::Channel);
        let mine = Wish { direct: Some("D0ALICE".to_owned()), ..Wish::default() };
        let all = Wish { whose: Whose::All, ..mine.clone() };
        let waiting = Wish { filter: Filter::Waiting, ..mine.clone() };
        for (name, wish, shown, total, refused, notice) in [
            ("home", &mine, 3, 3, None, None),
            ("home-page", &mine, PER_PAGE, 5 * PER_PAGE, None, None),
            ("home-full", &all, PER_PAGE, MOST, None, Some(&said)),
            ("home-everybodys", &all, 5, 5, None, None),
            ("home-empty", &mine, 0, 0, None, None),
            ("home-none-waiting", &waiting, 0, 0, None, None),
            ("home-refused", &mine, 0, 0, Some(&refused), None),
            ("home-refused-own", &mine, 2, 2, Some(&refused), None),
            ("home-pressed", &mine, 2, 2, None, Some(&said)),
        ] {
            let number = if total > 2 * PER_PAGE { 1 } else { 0 };
            let page = Page::of(links(shown), number, total, sample.now);
            let of = Home { user: &sample.user, wish, page: Some(&page), refused, notice };
            self.add(name, Kind::Home, home::home(&of, sample.now));
        }
        let of = Home { user: &sample.user, wish: &mine, page: None, refused: None, notice: None };
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
}
