//! The gallery's onboardings: their messages, and what is said around them.

use super::Gallery;
use crate::fivetran::model::ApiMessage;
use crate::journal::{Notice, Problem, WaitsFor};
use crate::life::State;
use crate::onboarding::{Onboarding, Source, Unposted};
use crate::reply::onboarding::{self, Alone};
use crate::work::{Request, Work};

/// Sources that are more than a message has lines for.
const MANY: usize = 60;

impl Gallery<'_> {
    pub(super) fn onboardings(&mut self) {
        use State::{Broken, Cancelled, Connected, Expired, Gone, Lapsed, Waiting};
        for (name, states) in [
            ("onboarding", &[Some(Waiting)][..]),
            ("onboarding-being-set-up", &[Some(Waiting), None]),
            ("onboarding-under-way", &[Some(Connected), Some(Waiting)]),
            ("onboarding-mixed", &[Some(Broken), Some(Expired), Some(Cancelled), Some(Gone), Some(Lapsed)]),
            ("onboarding-done", &[Some(Connected)]),
            ("onboarding-over", &[Some(Cancelled)]),
        ] {
            let all = self.sample.several.onboard.sources.len();
            self.message(name, onboarding::message(&self.onboarding(states, all)));
        }
        // One that was cancelled is being made again.
        let mut again = self.onboarding(&[Some(Cancelled), Some(Connected)], 2);
        again.sources.iter_mut().take(1).for_each(|source| source.under_way = true);
        self.message("onboarding-again", onboarding::message(&again));
        let many = self.onboarding(&[Some(Connected), Some(Waiting)], MANY);
        self.message("onboarding-many", onboarding::message(&many));
        let all = self.sample.several.onboard.sources.len();
        let done = self.onboarding(&[Some(Connected)], all);
        self.message("onboarding-finished", onboarding::finished(&done));

        let reference = self.sample.reference.clone();
        let (partly, none) = (self.onboarding(&[None, Some(Waiting)], all), self.onboarding(&[None], all));
        for (name, seen, why) in [("limit", &none, WaitsFor::Limit), ("some", &partly, WaitsFor::Unknown)] {
            self.message(&format!("onboarding-waits-{name}"), onboarding::waits(seen, &reference, why));
        }
        let [partly, none] = [partly, none].map(|it| self.ended(it));
        for (name, seen, unposted) in [
            ("partly", &partly, None),
            ("none", &none, None),
            ("refused", &done, Some(Unposted::Refused("not_in_channel".to_owned()))),
            ("unclear", &done, Some(Unposted::Unclear)),
            ("silent", &partly, Some(Unposted::Silent)),
        ] {
            if let Some(report) = onboarding::report(seen, &reference, unposted.as_ref()) {
                self.message(&format!("onboarding-report-{name}"), report);
            }
        }
        let joined = Onboarding { id: "0ANOTHER00".to_owned(), ..done };
        if let Some(report) = onboarding::report(&joined, &reference, None) {
            self.message("onboarding-report-joined", report);
        }
        let name = &self.sample.request.service_name;
        self.message("onboarding-added", onboarding::added(name, &reference));
        self.message("onboarding-out-of-time", onboarding::out_of_time(3, &reference));
        for (name, address) in
            [("joining", None), ("joining-known", Some("https://example.invalid/not-a-link"))]
        {
            let address = address.and_then(|it| it.parse().ok());
            let joining = onboarding::joining(&self.sample.request, address, &reference);
            self.message(&format!("onboarding-{name}"), joining);
        }
        let single = self.onboarding(&[Some(Connected)], 1);
        self.message("onboarding-finished-single", onboarding::finished(&single));
        for customer in [None, self.sample.several.onboard.customer.as_deref()] {
            let name = if customer.is_some() { "onboarding-already" } else { "onboarding-already-nobodys" };
            self.message(name, onboarding::already(customer));
        }
        for (name, why) in
            [("no-token", Alone::NoToken), ("private", Alone::Private), ("direct", Alone::Direct)]
        {
            self.message(&format!("one-at-a-time-{name}"), onboarding::one_at_a_time(why));
        }
    }

    /// One of so many sources, which are in these states in turn; one without a state is being made.
    pub(super) fn onboarding(&self, states: &[Option<State>], count: usize) -> Onboarding {
        let sample = self.sample;
        let source = |(place, (request, state)): (usize, (&Request, &Option<State>))| {
            let link = state.map(|state| {
                let mut link = sample.link(state);
                link.id = format!("{}-{}", sample.reference, place + 1);
                link.request = request.clone();
                link.onboarding = Some(sample.reference.clone());
                link
            });
            Source {
                service_name: request.service_name.clone(),
                key: request.key(),
                parents: vec![sample.reference.clone()],
                under_way: link.is_none(),
                refused: None,
                link,
            }
        };
        let requests = sample.several.onboard.sources.iter().cycle().take(count);
        let sources = requests.zip(states.iter().cycle()).enumerate().map(source).collect();
        let ago = sample.link(State::Waiting).posted_at;
        Onboarding {
            id: sample.reference.clone(),
            channel_id: sample.channel.clone(),
            customer: sample.several.onboard.customer.clone(),
            requester: sample.user.clone(),
            opened_at: ago,
            is_told: false,
            done_at: states.iter().all(|state| *state == Some(State::Connected)).then_some(sample.now),
            message_id: String::new(),
            message: None,
            sources,
        }
    }

    /// The same once what was being made was refused, each in one of the ways in which that happens.
    fn ended(&self, mut onboarding: Onboarding) -> Onboarding {
        let said =
            ApiMessage { code: "IllegalState".to_owned(), message: "The account is suspended".to_owned() };
        let reasons = [
            Problem::SchemaTaken { service: "stripe".to_owned() },
            Problem::AlreadyConnected { origin: None },
            Problem::Refused(said),
            Problem::NoAnswer,
        ];
        let requests = self.sample.several.onboard.sources.iter().cycle();
        let refused = onboarding.sources.iter_mut().zip(requests).filter(|(source, _)| source.under_way);
        for ((source, request), problem) in refused.zip(reasons.into_iter().cycle()) {
            source.under_way = false;
            source.refused = Some((Notice::Problem(problem), Work::Connect(request.clone())));
        }
        onboarding
    }
}
