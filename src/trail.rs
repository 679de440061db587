//! The audit trail: what the bot did and what became of links, as it is kept until the audit channel
//! has been told.
//!
//! Owns which things those are, and their JSON. Pure: must not know a database, Slack or a sentence.
//! Never a link, nor a word of Fivetran's: those can hold one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fivetran::model::ApiMessage;
use crate::fivetran::tasks::Cause;
use crate::journal::{Ending, Notice, Problem, Progress, Stage};
use crate::life::{Link, State};
use crate::work::{Intent, Request, Work};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The command's or the link's reference.
    pub reference: String,
    /// The channel that it is about.
    pub channel_id: String,
    /// The service's display name; empty where it cannot be read.
    pub service: String,
    /// The connection's name; likewise.
    pub schema: String,
    /// The destination's name, if it has one here.
    pub destination: Option<String>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A command has ended.
    Ended {
        /// Who typed it, or pressed its button.
        by: String,
        /// What it came to.
        end: End,
        /// Whether nobody could be told.
        untold: bool,
    },
    /// The customer has finished.
    Connected,
    /// The link has expired unfinished.
    Expired,
    /// The link by which a connection could be authorised again has expired unused.
    Lapsed,
    /// The connection needs attention.
    Broken {
        /// Why, as far as that is known.
        cause: Cause,
        /// Whether its customer is asked to do something.
        asks_customer: bool,
    },
    /// One that was made elsewhere has lost its access and is to be brought up in its customer's channel.
    BroughtUp,
    /// It is not for that channel any more, whether or not what was posted there has arrived.
    LetGo {
        /// Why, in our words.
        why: String,
    },
    /// It works again.
    Fixed,
    /// One that was gone is there again, unfinished.
    Back,
    /// The connection is gone.
    Gone,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// Its link was posted.
    Posted,
    /// Its connection is part of an onboarding's message.
    Added,
    /// Its link was posted in the place of another channel's.
    Moved {
        /// Which, if a link of it stood there.
        from: Option<String>,
    },
    /// A new link was posted.
    Renewed,
    /// A link was shown to whoever pressed its button in an onboarding's message.
    Shown,
    /// A link was posted by which a connection can be authorised again.
    Reauthorised,
    /// The connection was deleted.
    Cancelled,
    /// A sync was begun.
    SyncBegun,
    /// One was under way already.
    SyncRunning,
    /// Nothing came of it.
    Failed {
        /// What was wanted, by the verb's name.
        verb: String,
        /// Why; `None`: Slack was out of reach for as long as was tried.
        why: Option<Problem>,
    },
    /// No version could read it in time.
    Unreadable,
}

/// A line as it waits for the audit channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What names it.
    pub id: String,
    /// What it tells; `None` if this version cannot read that.
    pub entry: Option<Entry>,
}

/// A command that has ended.
#[derive(Clone, Copy)]
pub struct Ended<'a> {
    /// Its reference.
    pub reference: &'a str,
    /// Who typed it.
    pub by: &'a str,
    /// The channel.
    pub channel_id: &'a str,
    /// What was asked for.
    pub work: &'a Work,
    /// How it stands.
    pub progress: &'a Progress,
    /// The channel in which a link of the connection stood before, if another one.
    pub from: Option<&'a str>,
}

impl Entry {
    /// What is kept of a command's end; `None` if it has not ended.
    #[must_use]
    pub fn of_end(ended: Ended<'_>, at: Timestamp) -> Option<Self> {
        let Ended { reference, by, channel_id, work, progress, from } = ended;
        let Stage::Over { ending, notice, .. } = &progress.stage else { return None };
        let verb = || work.verb().to_owned();
        let end = match (ending, notice) {
            (_, Some(Notice::Cancelled)) => End::Cancelled,
            (_, Some(Notice::SyncBegun)) => End::SyncBegun,
            (_, Some(Notice::SyncRunning)) => End::SyncRunning,
            (_, Some(Notice::Problem(why))) => End::Failed { verb: verb(), why: Some(wordless(why)) },
            (Ending::Delivered, None) => match work.intent() {
                Intent::PostHere => End::Moved { from: from.map(str::to_owned) },
                Intent::Reauthorise => End::Reauthorised,
                Intent::Renew => End::Renewed,
                Intent::Open => End::Shown,
                Intent::Connect | Intent::Print | Intent::Cancel | Intent::Sync => End::Posted,
            },
            (Ending::Told | Ending::Undeliverable, None) => End::Failed { verb: verb(), why: None },
        };
        let untold = *ending == Ending::Undeliverable;
        let what = What::Ended { by: by.to_owned(), end, untold };
        Some(Self::about(work.request(), reference, channel_id, what, at))
    }

    /// The same of one whose link was not posted: its connection is in an onboarding's message.
    #[must_use]
    pub fn added(mut self) -> Self {
        if let What::Ended { end, .. } = &mut self.what
            && *end == End::Posted
        {
            *end = End::Added;
        }
        self
    }

    /// What is kept of the end of a command that no version could read in time; `request`: what it asks for,
    /// if that can be read. `untold`: nobody could be told.
    #[must_use]
    pub fn of_unreadable(
        reference: &str,
        by: &str,
        channel_id: &str,
        request: Option<&Request>,
        untold: bool,
        at: Timestamp,
    ) -> Self {
        let what = What::Ended { by: by.to_owned(), end: End::Unreadable, untold };
        match request {
            Some(request) => Self::about(request, reference, channel_id, what, at),
            None => Self {
                at,
                reference: reference.to_owned(),
                channel_id: channel_id.to_owned(),
                service: String::new(),
                schema: String::new(),
                destination: None,
                what,
            },
        }
    }

    /// What is kept of a link that stood so and stands so now; `None` if nothing has become of it that
    /// its command's end does not say.
    #[must_use]
    pub fn of_change(before: &Link, after: &Link, at: Timestamp) -> Option<Self> {
        let cause = |link: &Link| link.trouble.as_ref().map(|trouble| trouble.cause);
        // A link that could not be posted makes room for the one before it, of which that is known since.
        let same = before.id == after.id;
        if same && before.state == after.state && cause(before) == cause(after) {
            return None;
        }
        let what = match after.state {
            State::Gone => What::Gone,
            _ if !same => return None,
            State::Connected if matches!(before.state, State::Broken | State::Gone) => What::Fixed,
            State::Connected => What::Connected,
            State::Expired if before.state == State::Gone => What::Back,
            State::Expired => What::Expired,
            State::Lapsed => What::Lapsed,
            State::Broken => {
                What::Broken { cause: cause(after).unwrap_or_default(), asks_customer: after.asks_customer() }
            }
            State::Unposted | State::Waiting | State::Cancelled | State::Replaced => return None,
        };
        Some(Self::about(&after.request, &after.id, &after.channel_id, what, at))
    }

    /// What is kept of one that was made elsewhere and is brought up by this link.
    #[must_use]
    pub fn of_brought_up(link: &Link, at: Timestamp) -> Self {
        Self::about(&link.request, &link.id, &link.channel_id, What::BroughtUp, at)
    }

    /// What is kept of one that was to be brought up by this link, and for this reason no more is.
    #[must_use]
    pub fn of_let_go(link: &Link, why: &str, at: Timestamp) -> Self {
        let what = What::LetGo { why: why.to_owned() };
        Self::about(&link.request, &link.id, &link.channel_id, what, at)
    }

    fn about(request: &Request, reference: &str, channel_id: &str, what: What, at: Timestamp) -> Self {
        Self {
            at,
            reference: reference.to_owned(),
            channel_id: channel_id.to_owned(),
            service: request.service_name.clone(),
            schema: request.target.connection_name(),
            destination: request.destination.clone(),
            what,
        }
    }
}

/// A problem without what Fivetran said, which may hold anything.
fn wordless(problem: &Problem) -> Problem {
    let mut problem = problem.clone();
    match &mut problem {
        Problem::Forbidden(said)
        | Problem::GroupUnknown(said)
        | Problem::Refused(said)
        | Problem::Declined { said, .. }
        | Problem::Conflict(said)
        | Problem::NameTaken(said) => *said = ApiMessage::default(),
        Problem::Unsure { why } => **why = wordless(why),
        _ => {}
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::Trouble;

    fn request() -> Request {
        serde_json::from_value(serde_json::json!({
            "service": "google_ads", "service_name": "Google Ads", "kind": "schema", "retired": null,
            "target": { "schema": "acme", "table": null }, "group_id": "g", "destination": "warehouse",
            "slash": "/connect-card",
        }))
        .unwrap()
    }

    fn ended(work: &Work, stage: Stage) -> Option<What> {
        let progress = Progress::of(stage);
        let ended =
            Ended { reference: "R", by: "U", channel_id: "C", work, progress: &progress, from: Some("COLD") };
        Entry::of_end(ended, Timestamp::UNIX_EPOCH).map(|entry| entry.what)
    }

    fn over(ending: Ending, notice: Option<Notice>) -> Stage {
        Stage::Over { ending, notice, connection: None }
    }

    #[test]
    fn an_end_is_what_was_wanted_and_what_came_of_it() {
        use crate::work::Confirmed::{No, PostHere, Reauthorise};
        let connect = |confirmed| Work::Connect(Request { confirmed, ..request() });
        let link = || "L".to_owned();
        let renew = Work::Renew { link: link(), requester: None, unasked: false, request: request() };
        let cancel = Work::Cancel { link: link(), request: request() };
        let sync = Work::Sync { link: link(), request: request() };
        let delivered = || over(Ending::Delivered, None);
        let told = |notice| over(Ending::Told, Some(notice));
        for (work, stage, expected) in [
            (connect(No), delivered(), End::Posted),
            (connect(PostHere), delivered(), End::Moved { from: Some("COLD".to_owned()) }),
            (connect(Reauthorise), delivered(), End::Reauthorised),
            (renew, delivered(), End::Renewed),
            (cancel, told(Notice::Cancelled), End::Cancelled),
            (sync.clone(), told(Notice::SyncBegun), End::SyncBegun),
            (sync.clone(), told(Notice::SyncRunning), End::SyncRunning),
            (
                sync,
                told(Problem::Paused.into()),
                End::Failed { verb: "sync".to_owned(), why: Some(Problem::Paused) },
            ),
        ] {
            let expected = What::Ended { by: "U".to_owned(), end: expected, untold: false };
            assert_eq!(ended(&work, stage), Some(expected));
        }
        assert_eq!(ended(&connect(No), Stage::Create), None, "it has not ended");
        let lost = ended(&connect(No), over(Ending::Undeliverable, None)).unwrap();
        assert!(matches!(lost, What::Ended { untold: true, end: End::Failed { why: None, .. }, .. }));
    }

    #[test]
    fn no_word_of_fivetrans_is_kept() {
        let said = || ApiMessage { code: "CANARY".to_owned(), message: "https://canary.example".to_owned() };
        for problem in [
            Problem::Forbidden(said()),
            Problem::GroupUnknown(said()),
            Problem::Refused(said()),
            Problem::Declined { status: 400, said: said() },
            Problem::Conflict(said()),
            Problem::NameTaken(said()),
            Problem::Unsure { why: Box::new(Problem::Forbidden(said())) },
        ] {
            let name = problem.name();
            let what = ended(&Work::Connect(request()), over(Ending::Told, Some(problem.into()))).unwrap();
            let json = serde_json::to_string(&what).unwrap();
            assert!(!json.to_lowercase().contains("canary") && json.contains(name), "{json}");
        }
    }

    #[test]
    fn a_link_is_told_of_when_it_stands_otherwise() {
        let link = |state| -> Link {
            let at = Timestamp::UNIX_EPOCH;
            serde_json::from_value(serde_json::json!({
                "id": "L", "connection_id": "there", "team_id": "T", "channel_id": "C", "requester": "U",
                "request": request(), "message_id": "M", "state": state, "detail": "https://canary.example",
                "posted_at": at, "expires_at": at, "changed_at": at,
                "reminded": { "before": false, "after": false }, "purpose": null, "landed_at": null,
            }))
            .unwrap()
        };
        let told = |before: &Link, after: &Link| {
            Entry::of_change(before, after, Timestamp::UNIX_EPOCH).map(|entry| entry.what)
        };
        let broken = What::Broken { cause: Cause::default(), asks_customer: true };
        use State::{Broken, Cancelled, Connected, Expired, Gone, Lapsed, Replaced, Waiting};
        for (before, after, expected) in [
            (Waiting, Waiting, None),
            (Waiting, Connected, Some(What::Connected)),
            (Broken, Connected, Some(What::Fixed)),
            (Waiting, Expired, Some(What::Expired)),
            (Gone, Expired, Some(What::Back)),
            (Waiting, Lapsed, Some(What::Lapsed)),
            (Lapsed, Connected, Some(What::Connected)),
            (Connected, Broken, Some(broken)),
            (Connected, Gone, Some(What::Gone)),
            (Waiting, Cancelled, None),
            (Waiting, Replaced, None),
        ] {
            assert_eq!(told(&link(before), &link(after)), expected, "{before:?} {after:?}");
        }
        let trouble = |cause| Link { trouble: Some(Trouble { cause, ..Trouble::default() }), ..link(Broken) };
        assert_eq!(
            told(&trouble(Cause::Access), &trouble(Cause::Sync)),
            Some(What::Broken { cause: Cause::Sync, asks_customer: false }),
            "another cause"
        );
        let old = Link { id: "older".to_owned(), ..link(Gone) };
        assert_eq!(told(&link(Waiting), &old), Some(What::Gone), "it has made way for one that never came");
        let old = Link { state: Waiting, ..old };
        assert_eq!(told(&link(Waiting), &old), None);
    }

    #[test]
    fn an_entry_comes_back_as_it_was_kept() {
        let work = Work::Connect(request());
        let progress = Progress::of(over(
            Ending::Told,
            Some(Problem::CannotPost { slack_says: "is_archived".to_owned() }.into()),
        ));
        let ended =
            Ended { reference: "R", by: "U", channel_id: "C", work: &work, progress: &progress, from: None };
        let entry = Entry::of_end(ended, Timestamp::UNIX_EPOCH).unwrap();
        let kept = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&kept).ok(), Some(entry));
    }
}
