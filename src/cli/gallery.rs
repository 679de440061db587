//! `connect-card sandbox --gallery`: everything that people can be shown, with ordinary texts and
//! with the longest ones.
//!
//! Owns which messages, forms and lists of choices there are, so that a test can hold every one of
//! them to Slack's limits and a reviewer sees each change of words. What is in it is made up; its
//! links lead nowhere. Must not know how a sentence is made: it calls what `reply` offers everybody.

mod digests;
mod forms;
mod homes;
mod onboardings;
mod samples;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use slack_morphism::prelude::SlackMessageContent;
use url::Url;

use self::samples::{Sample, Samples};
use super::Exit;
use crate::command::cancel::NotCancellable;
use crate::command::list;
use crate::command::renew::NotRenewable;
use crate::command::services::{Found, How, Names};
use crate::command::several::Several;
use crate::command::status::View;
use crate::command::surface::Surface;
use crate::command::sync::NotSynced;
use crate::fivetran::tasks::Cause;
use crate::journal::{Others, Problem, Waiting, WaitsFor};
use crate::life::{Link, News, Place, State};
use crate::permission::Refused;
use crate::reply::live::{self, Note};
use crate::reply::{
    self, Audience, Share, TooMuch, UnderWay, ask, audit, doctor, list as list_reply, onboarding,
    services as services_reply, several, status as status_reply, trouble,
};
use crate::trail::{self, End, Line, What};
use crate::unasked;
use crate::work::{Onboard, Request, Work};

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message, to a channel or to one person.
    Message,
    /// A modal view.
    Modal,
    /// What the app's Home shows a person.
    Home,
    /// The answer to somebody who types into a list of choices.
    Options,
}

/// Something that people can be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its name: small letters, digits, `-`, and a dot before `longest`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// As it goes to Slack.
    pub payload: Value,
}

/// Prints everything, one JSON object a line.
pub fn run() -> Exit {
    for entry in entries() {
        let Ok(line) = serde_json::to_string(&entry) else { return Exit::Failed };
        let _ = super::print(&format!("{line}\n"));
    }
    Exit::Well
}

/// Everything, in a fixed order.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let Some(Samples { ordinary, longest }) = Samples::new() else { return Vec::new() };
    let mut entries = Entries(Vec::new());
    for (sample, suffix) in [(&ordinary, ""), (&longest, ".longest")] {
        let mut gallery = Gallery { entries: &mut entries, sample, suffix };
        gallery.acknowledgements();
        gallery.waits();
        gallery.usage();
        gallery.problems();
        gallery.pressed();
        gallery.live();
        gallery.questions();
        gallery.refusals();
        gallery.lists();
        gallery.doctor();
        gallery.status();
        gallery.form();
        gallery.homes();
        gallery.onboardings();
        gallery.digests();
        gallery.audit();
    }
    entries.0
}

struct Entries(Vec<Entry>);

struct Gallery<'a> {
    entries: &'a mut Entries,
    sample: &'a Sample,
    suffix: &'static str,
}

impl Gallery<'_> {
    fn add(&mut self, name: &str, kind: Kind, payload: impl Serialize) {
        // What does not serialise is missing, which its golden file brings to light.
        if let Ok(payload) = serde_json::to_value(payload)
            // Words with nothing in them that could be longer are there once.
            && !self.entries.0.iter().any(|entry| entry.name == name && entry.payload == payload)
        {
            self.entries.0.push(Entry { name: format!("{name}{}", self.suffix), kind, payload });
        }
    }

    fn message(&mut self, name: &str, content: SlackMessageContent) {
        self.add(name, Kind::Message, content);
    }

    /// What the audit channel is told.
    fn audit(&mut self) {
        let Sample { now, reference, request, user, channel, .. } = self.sample;
        let by = || user.clone();
        let ended = |end| What::Ended { by: by(), end, untold: false };
        let failed = |verb: &str, why| End::Failed { verb: verb.to_owned(), why };
        let whats = vec![
            ended(End::Posted),
            ended(End::Moved { from: Some(channel.clone()) }),
            ended(End::Renewed),
            ended(End::Reauthorised),
            ended(End::Cancelled),
            ended(End::SyncBegun),
            ended(End::SyncRunning),
            ended(failed("connect", Some(Problem::AlreadyConnected { origin: None }))),
            What::Ended { by: by(), end: failed("renew", None), untold: true },
            What::Ended { by: by(), end: End::Unreadable, untold: true },
            What::Connected,
            What::Expired,
            What::Lapsed,
            What::Broken { cause: Cause::Access, asks_customer: true },
            What::Broken { cause: Cause::Sync, asks_customer: false },
            What::Fixed,
            What::Back,
            What::Gone,
        ];
        let line = |what| Line {
            id: reference.clone(),
            entry: Some(trail::Entry {
                at: *now,
                reference: reference.clone(),
                channel_id: channel.clone(),
                service: request.service_name.clone(),
                schema: request.target.connection_name(),
                destination: request.destination.clone(),
                what,
            }),
        };
        let let_go = What::LetGo { why: unasked::SHARED.to_owned() };
        let watched: Vec<_> = [What::BroughtUp, let_go].into_iter().map(line).collect();
        self.message("audit-watched", audit::lines(&watched, 0, *now).0);
        let lines: Vec<_> = whats.into_iter().map(line).collect();
        let (one, _) = audit::lines(lines.get(..1).unwrap_or_default(), 0, *now);
        self.message("audit-line", one);
        // As they come after an outage.
        let later = now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(*now);
        let (many, _) = audit::lines(&lines, 12, later);
        self.message("audit-lines", many);
    }

    fn acknowledgements(&mut self) {
        let sample = self.sample;
        for work in &sample.works {
            let verb = work.verb();
            self.message(&format!("accepted-{verb}"), reply::accepted(work, &sample.reference));
            self.message(&format!("already-on-it-{verb}"), reply::already_on_it(work, &UnderWay::Same));
        }
        let named = Work::Connect(Request { by_channel: true, ..sample.request.clone() });
        self.message("accepted-connect-named", reply::accepted(&named, &sample.reference));
        let work = Work::Connect(sample.request.clone());
        for (name, under_way) in [
            ("another", UnderWay::Another(Box::new(sample.request.clone()))),
            ("elsewhere", UnderWay::Elsewhere),
            ("unknown", UnderWay::Unknown),
        ] {
            self.message(&format!("already-on-it-{name}"), reply::already_on_it(&work, &under_way));
        }
        self.message("accepted-several", onboarding::accepted(&sample.several.onboard, &sample.reference));
        let others = Others { connected: 3, invited: 0 };
        let sources = sample.several.onboard.sources.len();
        self.message("several-shared", onboarding::for_all(others, sources, &sample.reference));
        for (name, several) in
            [("preview", &sample.several), ("preview-long-line", &sample.several_in_a_long_line)]
        {
            let content = several::preview(several, &sample.slash, &sample.user, &sample.channel);
            self.message(&format!("several-{name}"), content);
        }
        let one = Several {
            onboard: Onboard { sources: vec![sample.request.clone()], ..sample.several.onboard.clone() },
            ..sample.several.clone()
        };
        let content = several::preview(&one, &sample.slash, &sample.user, &sample.channel);
        self.message("several-preview-one", content);
        self.message("not-accepted", reply::not_accepted());
        for (name, too_much) in [
            ("too-much-from-one-person", TooMuch::FromPerson(Share { limit: 100, asked: 1 })),
            ("too-much-from-a-workspace", TooMuch::FromWorkspace(Share { limit: 60_000, asked: 1 })),
            ("too-much-is-waiting", TooMuch::Waiting),
        ] {
            self.message(name, reply::too_much(too_much));
        }
        self.message("unsure", reply::unsure());
        self.message("help", reply::help(Surface::of(&sample.slash), true));
        self.message("help-without-form", reply::help(Surface::of(&sample.slash), false));
    }

    fn waits(&mut self) {
        let sample = self.sample;
        for work in &sample.works {
            for (name, waits_for) in [
                ("limit", WaitsFor::Limit),
                ("reach", WaitsFor::Reach),
                ("recovery", WaitsFor::Recovery),
                ("certainty", WaitsFor::Certainty),
                ("conflict", WaitsFor::Conflict),
                ("foreign", WaitsFor::Foreign),
                ("creation", WaitsFor::Creation),
                ("answer", WaitsFor::Answer),
                ("slack", WaitsFor::Slack),
                ("turn", WaitsFor::Turn),
                ("unknown", WaitsFor::Unknown),
            ] {
                // The reason reads the same whatever was asked for.
                if work.verb() != "connect" && waits_for != WaitsFor::Answer {
                    continue;
                }
                let waiting = Waiting { waits_for, until: sample.now };
                let content = reply::waits(&waiting, work, &sample.reference);
                self.message(&format!("waits-{}-{name}", work.verb()), content);
            }
        }
    }

    fn usage(&mut self) {
        let sample = self.sample;
        for (name, error) in &sample.usage_errors {
            self.message(
                &format!("usage-{name}"),
                reply::usage_for(error, &sample.slash, &sample.user, &sample.channel),
            );
        }
    }

    fn problems(&mut self) {
        let sample = self.sample;
        for work in &sample.works {
            let of_work = sample.problems.iter().filter(|(_, verb, _)| *verb == work.verb());
            for (name, _, notice) in of_work {
                let content = reply::notice(notice, work, &sample.reference, &sample.user, &sample.channel);
                self.message(&format!("problem-{name}"), content);
            }
            for (name, obstacle) in samples::obstacles() {
                // What stands there reads the same whatever was asked for.
                if work.verb() != "connect" && name != "redirect" {
                    continue;
                }
                let notice = Problem::Blocked(obstacle).into();
                let content = reply::notice(&notice, work, &sample.reference, &sample.user, &sample.channel);
                self.message(&format!("problem-blocked-{}-{name}", work.verb()), content);
            }
        }
    }

    /// What others read where somebody else's link gets no new one.
    fn pressed(&mut self) {
        let sample = self.sample;
        let Sample { request, reference, user, channel, .. } = sample;
        let requester = Some(sample.user.clone());
        let work =
            Work::Renew { link: reference.clone(), requester, unasked: false, request: request.clone() };
        for (name, problem) in [("failed", Problem::KeyRejected), ("unconfirmed", Problem::Unconfirmed)] {
            let notice = problem.into();
            self.message(&format!("pressed-{name}"), reply::notice(&notice, &work, reference, user, channel));
            if let Some(content) = reply::behind(&notice, &work, reference, user, channel) {
                self.message(&format!("pressed-{name}-behind"), content);
            }
        }
        let waiting = Waiting { waits_for: WaitsFor::Reach, until: sample.now };
        self.message("pressed-waits", reply::waits(&waiting, &work, reference));
    }

    fn live(&mut self) {
        let sample = self.sample;
        for (name, note, audience) in [
            ("first", Note::None, Audience::Channel),
            ("existed", Note::Existed, Audience::Channel),
            ("reauthorise", Note::Reauthorise, Audience::Channel),
            ("renewed", Note::Renewed, Audience::Channel),
            ("beside", Note::Beside, Audience::Channel),
            ("private", Note::None, Audience::Requester),
        ] {
            let waiting = live::Waiting {
                request: &sample.request,
                requester: Some(&sample.user),
                card: &sample.card,
                note,
                audience,
                reference: &sample.reference,
            };
            self.message(&format!("link-waiting-{name}"), live::waiting(&waiting, sample.now));
        }
        for state in State::ALL {
            let name = format!("link-{}", if state == State::Waiting { "unfinished" } else { state.name() });
            self.message(&name, live::settled(&sample.link(state)));
        }
        // Nobody has asked for these: they were made elsewhere.
        for state in [State::Broken, State::Connected, State::Replaced] {
            let link = Link { requester: None, ..sample.link(state) };
            self.message(&format!("brought-up-{}", state.name()), live::settled(&link));
        }
        for (name, cause) in causes() {
            let link = sample.broken_by(cause);
            self.message(&format!("trouble-{name}"), trouble::trouble(&link));
            self.message(&format!("link-broken-{name}"), live::settled(&link));
        }
        for (name, said) in [("unsaid", None), ("access", Some("The token was revoked."))] {
            let link = sample.broken_for_unknown(said);
            self.message(&format!("trouble-unknown-{name}"), trouble::trouble(&link));
        }
        self.message("trouble-access", trouble::nobody_asked(&sample.link(State::Broken)));
        self.message("recovered", trouble::recovered(&sample.link(State::Connected)));
        for (name, news) in [
            ("connected-first-sync", News::Connected { first_sync: true }),
            ("connected", News::Connected { first_sync: false }),
            ("expired", News::Expired),
            ("lapsed", News::Lapsed),
            ("broken", News::Broken),
            ("fixed", News::Fixed),
            ("gone", News::Gone),
            ("reminder-before", News::ReminderBefore),
            ("reminder-after", News::ReminderAfter),
        ] {
            self.message(&format!("thread-{name}"), live::news(news, &sample.link(State::Broken)));
        }
        self.message("thread-renewed", live::renewed_by(&sample.user));
    }

    fn questions(&mut self) {
        let sample = self.sample;
        let link = sample.link(State::Waiting);
        self.message("ask-cancel", ask::cancel(&link));
        for (name, why) in
            [("not-cancellable", NotCancellable::Connected), ("not-cancellable-over", NotCancellable::Over)]
        {
            self.message(name, ask::not_cancellable(why, &link));
        }
        self.message(
            "no-link",
            ask::no_link(
                &sample.request.target.connection_name(),
                &sample.slash,
                &sample.user,
                &sample.channel,
            ),
        );
        for (name, why) in [
            ("connected", NotRenewable::Connected),
            ("cancelled", NotRenewable::Cancelled),
            ("let-go", NotRenewable::LetGo),
        ] {
            self.message(&format!("not-renewable-{name}"), ask::not_renewable(why, &link));
        }
        for (name, why) in
            [("works", NotSynced::Works), ("unfinished", NotSynced::Unfinished), ("gone", NotSynced::Gone)]
        {
            self.message(&format!("not-synced-{name}"), ask::not_synced(why, &link));
        }
        self.message("not-yours", ask::not_yours());
        self.message("not-yours-outside", ask::not_yours_outside());
        self.message("dismissed", ask::dismissed());
        self.message("too-old", ask::too_old());
        self.message("unreadable", ask::unreadable());
        self.message("unreadable-command", reply::unreadable());
        self.message("given-up-on", reply::given_up_on(&link.id));
        self.message("accepted-in", reply::accepted_in(&link.channel_id));
        let site = Url::parse("https://example.invalid/not-a-link/").ok();
        let there = Place { channel: sample.channel.clone(), ts: "1790000000.000100".to_owned() };
        let there = site.and_then(|site| there.permalink(&site));
        for (name, there) in [("in-place", there), ("in-place-unknown", None)] {
            let content = reply::renewing_in_place(&link, there.as_ref(), &sample.reference);
            self.message(&format!("renewing-{name}"), content);
        }
        self.message("unknown-button", ask::unknown());
        self.message("invite", ask::not_a_member(&sample.request));
        let direct = Request { in_direct_message: true, ..sample.request.clone() };
        self.message("invite-direct", ask::not_a_member(&direct));
        self.message("unavailable", status_reply::unavailable());
    }

    fn refusals(&mut self) {
        let sample = self.sample;
        for (name, reason) in &sample.refusals {
            for (suffix, asked) in [("", 0), ("-named", 3)] {
                let refused = Refused { reason: reason.clone(), ask: vec![sample.user.clone(); asked] };
                self.message(&format!("refused-{name}{suffix}"), reply::refused(&refused));
            }
        }
    }

    fn lists(&mut self) {
        let sample = self.sample;
        let links = |number: usize| -> Vec<_> {
            // Most urgent first, as they are read.
            let state = |n: usize| State::ALL.get(n * 4 / number.max(1)).copied().unwrap_or(State::Waiting);
            (0..number).map(|n| sample.link(state(n))).collect()
        };
        for (name, number, page) in [("empty", 0, 0), ("one", 1, 0), ("page", 25, 1), ("last-page", 25, 2)] {
            let shown = links(number).into_iter().skip(page * list::PER_PAGE).take(list::PER_PAGE);
            let page = list::page(shown.collect(), page, number, sample.now);
            self.message(&format!("list-{name}"), list_reply::list(&page, Some(&sample.slash)));
        }
        let some = |how: How, number: usize, more: usize| Found {
            how,
            services: sample.services.iter().take(number).cloned().collect(),
            more,
        };
        let none = Names::default;
        for (name, found, names) in [
            ("popular", some(How::Popular, 15, 758), sample.names()),
            ("matching", some(How::Matching, 15, 3), none()),
            ("retired", some(How::Retired, 1, 0), none()),
            ("nearest", some(How::Nearest, 3, 0), none()),
            ("none", some(How::Nearest, 0, 0), none()),
            ("named", some(How::Nearest, 3, 0), sample.names()),
        ] {
            let content = services_reply::services(&found, &names, &sample.typed, &sample.slash);
            self.message(&format!("services-{name}"), content);
        }
    }

    fn doctor(&mut self) {
        let sample = self.sample;
        for (name, findings) in sample.findings() {
            self.message(&format!("doctor-{name}"), doctor::doctor(&findings, &sample.slash));
        }
    }

    fn status(&mut self) {
        let sample = self.sample;
        let views = |state: State| match state {
            State::Cancelled | State::Gone => View::Gone,
            state => sample.view(state),
        };
        for state in State::ALL {
            self.message(&format!("status-{}", state.name()), sample.status(state, views(state)));
        }
        self.message("status-on-its-way", sample.status_on_its_way());
        self.message("status-silent", sample.status(State::Waiting, View::Silent(None)));
        for (name, why) in sample.unseen() {
            self.message(
                &format!("status-unseen-{name}"),
                sample.status(State::Waiting, View::Silent(Some(why))),
            );
        }
        self.message("status-broken-untested", sample.status(State::Broken, sample.failed_login()));
        self.message("status-unfinished-again", sample.status(State::Connected, sample.view(State::Waiting)));
        self.message("status-untold", sample.status(State::Waiting, sample.untold()));
    }
}

/// Why a connection can be broken though its customer can do nothing about it.
fn causes() -> [(&'static str, Cause); 6] {
    [
        ("sync", Cause::Sync),
        ("destination", Cause::Destination),
        ("transformation", Cause::Transformation),
        ("account", Cause::Account),
        ("network", Cause::Network),
        ("unknown", Cause::Unknown),
    ]
}

/// The time in the gallery.
const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);
