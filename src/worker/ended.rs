//! What is told of a command's end: to the numbers, to the log, and to the audit channel.
//!
//! Owns which facts that takes. What the audit channel is told is written in the commit of the end; how it
//! is worded is [`crate::reply::audit`]'s.

use serde_json::Value;

use super::Worker;
use super::deliver::Job;
use crate::journal::{CREATE_DEADLINE, Ending, Notice, Progress, Stage, Then, WEB_API_DEADLINE};
use crate::life::Connection;
use crate::reply;
use crate::store::{Claimed, Recorded};
use crate::telemetry;
use crate::trail::{Ended, Entry};
use crate::work::Request;

/// What is told of an end; `None` if it is none. `posted`: the connection as its link was posted.
pub(super) fn entry(
    job: Job<'_>,
    progress: &Progress,
    then: Then,
    posted: Option<&Connection>,
) -> Option<Entry> {
    let Then::End(at) = then else { return None };
    let before = posted.and_then(|posted| posted.posting.as_ref()?.before.as_ref());
    let from = before.map(|link| link.channel_id.as_str()).filter(|from| *from != job.claimed.channel_id);
    let ended = Ended {
        reference: &job.claimed.id,
        by: &job.claimed.user_id,
        channel_id: &job.claimed.channel_id,
        work: job.work,
        progress,
        from,
    };
    Entry::of_end(ended, at)
}

impl Worker {
    /// Leaves a command to a version that can read it: its lease ends by itself. Of one that none has read in
    /// time, which is while there is a way to do so, its person is told.
    pub(super) async fn leave_unreadable(&self, claimed: &Claimed) {
        tracing::error!(command = claimed.id, "a command that this version cannot read");
        let deadline =
            if self.parts.links.delivery.has_web_api() { WEB_API_DEADLINE } else { CREATE_DEADLINE };
        if self.parts.clock.now().duration_since(claimed.accepted_at) <= deadline {
            return;
        }
        let Claimed { id, user_id, channel_id, progress, .. } = claimed;
        // What a later version has added to it may leave the rest as it was.
        let request = serde_json::from_str::<Request>(&claimed.request).ok();
        let ending = match is_unreadable_part(&claimed.request) {
            // The command that it is a part of reports it, with the others.
            true => Ending::Told,
            false => match self.reported(claimed, &reply::given_up_on(id)).await {
                Some(ending) => ending,
                None => return,
            },
        };
        let now = self.parts.clock.now();
        let progress = progress.clone().over(ending);
        let untold = ending == Ending::Undeliverable;
        let entry = Entry::of_unreadable(id, user_id, channel_id, request.as_ref(), untold, now);
        let recorded = self.parts.store.record_with(claimed, &progress, Then::End(now), Some(&entry));
        if recorded.await == Recorded::Committed {
            self.ended(claimed, None, request.as_ref(), ending, &progress.stage);
        } else {
            self.lost(claimed);
        }
    }

    /// Tells the numbers and the log that a command has ended. `verb` and `request`: as far as they can
    /// be read.
    pub(super) fn ended(
        &self,
        claimed: &Claimed,
        verb: Option<&str>,
        request: Option<&Request>,
        ending: Ending,
        stage: &Stage,
    ) {
        let age = self.parts.clock.now().duration_since(claimed.accepted_at).as_secs_f64();
        let result = match ending {
            Ending::Delivered => telemetry::Ending::Delivered,
            Ending::Told => telemetry::Ending::Told,
            Ending::Undeliverable => telemetry::Ending::Undeliverable,
        };
        self.parts.metrics.ended(result.clone(), age);
        // The audit line: who, where, what, with what result. Never a link.
        tracing::info!(
            command = claimed.id,
            verb,
            team = claimed.team_id,
            channel = claimed.channel_id,
            user = claimed.user_id,
            service = request.map(|request| request.service.as_str()),
            schema = request.map(|request| request.target.connection_name()),
            group = request.map(|request| request.group_id.as_str()),
            connection = stage.connection(),
            problem = stage.notice().map(Notice::name),
            seconds = age,
            ?result,
            "command ended"
        );
        if ending == Ending::Undeliverable {
            tracing::error!(command = claimed.id, "nobody could be told how this command ended");
        }
    }
}

/// Whether what this version cannot read is part of a command of several sources, as far as that can be told. A press
/// for one of them says to which it belongs, too.
fn is_unreadable_part(request: &str) -> bool {
    let it = serde_json::from_str::<Value>(request).unwrap_or_default();
    let says = |key: &str| it.get(key).and_then(Value::as_str);
    says("onboarding").is_some() && says("verb") == Some("connect")
}

#[cfg(test)]
mod tests {
    use super::is_unreadable_part;

    #[test]
    fn only_a_source_that_is_set_up_is_a_part() {
        for (request, is_part) in [
            (r#"{"verb":"connect","onboarding":"R1"}"#, true),
            (r#"{"verb":"connect","onboarding":null}"#, false),
            (r#"{"verb":"sync","onboarding":"R1"}"#, false),
            (r#"{"verb":"later","onboarding":"R1"}"#, false),
            ("nothing", false),
        ] {
            assert_eq!(is_unreadable_part(request), is_part, "{request}");
        }
    }
}
