//! What Slack tells, what it told before, and what follows when it tells nothing: the gate beside a
//! stand-in for Slack.

use std::io;
use std::sync::Mutex;

use serde_json::{Value, json};
use stand_ins::fault::Fault;
use stand_ins::slack::{OTHER_TEAM_ID, SlackStandIn, TEAM_ID};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::journal::{Company, Others};
use crate::outbound::{self, Network};

const MEMBER: &str = "U0ALICE";
const GUEST: &str = "U0GUEST";
const OUTSIDER: &str = "U0OUTSIDER";
const GROUP: &str = "S0SETUP";
const CHANNEL: &str = "C0CUSTOMER";

/// So many seconds after the first question.
fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

async fn slack() -> SlackStandIn {
    let client = outbound::client(&Network::default()).unwrap();
    SlackStandIn::start(|| after(0), client).await.unwrap()
}

/// A gate that asks there.
fn gate(slack: &SlackStandIn, users: &[&str], groups: &[&str]) -> Gate {
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    let permissions = Permissions { users: ids(users), user_groups: ids(groups), channels: Vec::new() };
    Gate::new(permissions, Some(web_api(slack)))
}

fn web_api(slack: &SlackStandIn) -> WebApi {
    let client = outbound::client(&Network::default()).unwrap();
    WebApi::new(client, slack.api_url().trim_end_matches('/'), &stand_ins::slack::BOT_TOKEN.to_owned().into())
}

/// What is decided of somebody who types in the bot's workspace.
async fn admitted(gate: &Gate, user_id: &str, now: Timestamp) -> (Option<Reason>, bool) {
    let workspace = Workspace::new(Some(TEAM_ID.to_owned()), None);
    let person = Person { user_id: user_id.to_owned(), workspace, home: Home::Here };
    let admission = gate.admit(&person, now, Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(admission.team_id, TEAM_ID);
    (admission.refused.map(|refused| refused.reason), admission.is_placed)
}

/// Slack says no to this, and why.
fn refuses(slack: &SlackStandIn, method: &str, word: &str) {
    slack.faults(|faults| {
        faults.fail_always(method, Fault::Says(200, json!({ "ok": false, "error": word })));
    });
}

/// Slack says this instead of what is so.
fn says(slack: &SlackStandIn, method: &str, answer: Value) {
    slack.faults(|faults| faults.fail_always(method, Fault::Says(200, answer)));
}

fn is_away(slack: &SlackStandIn, methods: &[&str]) {
    slack.faults(|faults| {
        for method in methods {
            faults.fail_always(method, Fault::Status(500));
        }
    });
}

/// What is known of it then.
fn away() -> Unclear {
    Unclear::Unusable(Some("internal_error".to_owned()))
}

#[tokio::test]
async fn people_are_what_slack_tells_and_are_asked_about_seldom() {
    let slack = slack().await;
    let all = gate(&slack, &[], &[]);
    assert_eq!(admitted(&all, MEMBER, after(0)).await, (None, true));
    assert_eq!(admitted(&all, GUEST, after(0)).await, (Some(Reason::Guest), false));
    assert_eq!(admitted(&all, OUTSIDER, after(0)).await, (Some(Reason::Outsider), false));
    // Nobody whom Slack knows: from elsewhere, unless somebody put the id on the list.
    assert_eq!(admitted(&all, "U0NOBODY", after(0)).await, (Some(Reason::Outsider), false));
    let by_name = gate(&slack, &["U0NOBODY", GUEST], &[]);
    assert_eq!(admitted(&by_name, "U0NOBODY", after(0)).await, (Some(Reason::Unseen), false));
    assert_eq!(admitted(&by_name, GUEST, after(0)).await, (None, false));

    let asked = slack.calls_to("users.info");
    for (seconds, calls) in [(299, 0), (300, 1), (301, 1)] {
        assert_eq!(admitted(&all, MEMBER, after(seconds)).await, (None, true));
        assert_eq!(slack.calls_to("users.info"), asked + calls, "{seconds}");
    }
}

#[tokio::test]
async fn what_is_known_against_somebody_holds_while_slack_is_away() {
    let slack = slack().await;
    let all = gate(&slack, &[], &[]);
    for user in [MEMBER, GUEST, OUTSIDER] {
        admitted(&all, user, after(0)).await;
    }
    is_away(&slack, &["users.info", "auth.test"]);
    let later = after(2 * 60 * 60);
    // A member before may be a guest by now, which keeps nobody out of where everybody may.
    assert_eq!(admitted(&all, MEMBER, later).await, (None, false));
    assert_eq!(admitted(&all, "U0BOB", later).await, (None, false));
    assert_eq!(admitted(&all, GUEST, later).await, (Some(Reason::Guest), false));
    assert_eq!(admitted(&all, OUTSIDER, later).await, (Some(Reason::Outsider), false));
    // Where a list has to know, it matters.
    let listed = gate(&slack, &[], &[GROUP]);
    listed.recall(Some(Identity { team_id: TEAM_ID.to_owned(), ..Identity::default() }), later).await;
    assert_eq!(admitted(&listed, MEMBER, later).await, (Some(Reason::Unknown(away())), false));
    // Nobody is let in by a token of which it was never known whose it is.
    let stranger = gate(&slack, &[], &[]);
    let person = Person {
        user_id: MEMBER.to_owned(),
        workspace: Workspace::new(Some(TEAM_ID.to_owned()), None),
        home: Home::Here,
    };
    let admission = stranger.admit(&person, later, Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(admission.refused.map(|it| it.reason), Some(Reason::Unplaced(away())));
}

#[tokio::test]
async fn a_word_of_slacks_is_taken_for_what_it_says() {
    let slack = slack().await;
    let by_name = gate(&slack, &["U0A", "U0B", "U0C"], &[]);
    // Two of Slack's words are about the person, and one about the token.
    for (user, word, refused) in [
        ("U0A", "user_not_found", Some(Reason::Unseen)),
        ("U0B", "user_not_visible", Some(Reason::Unseen)),
        ("U0C", "account_inactive", None),
    ] {
        refuses(&slack, "users.info", word);
        assert_eq!(admitted(&by_name, user, after(0)).await, (refused, false), "{word}");
        slack.faults(|faults| faults.heal());
    }
}

#[tokio::test]
async fn whose_the_token_is_changes_only_when_slack_says_so() {
    let slack = slack().await;
    let gate = gate(&slack, &[], &[]);
    let mut identities = gate.identities();
    identities.mark_unchanged();
    gate.introduce(|| after(0)).await;
    let own = gate.own_id(after(0)).await;
    assert_eq!(own.as_deref(), Some(TEAM_ID));
    assert!(identities.has_changed().unwrap(), "the first time");
    identities.mark_unchanged();

    // An hour later it is asked again, and is the same.
    assert!(gate.directory.identity(after(60 * 60)).await.is_ok());
    assert_eq!(slack.calls_to("auth.test"), 2);
    assert!(!identities.has_changed().unwrap());

    // A yes that says nothing is no reason to forget, nor is one that never comes.
    says(&slack, "auth.test", json!({ "ok": true }));
    assert_eq!(gate.directory.identity(after(2 * 60 * 60)).await, Err(Unclear::Untold));
    is_away(&slack, &["auth.test"]);
    assert_eq!(gate.directory.identity(after(3 * 60 * 60)).await, Err(away()));
    assert_eq!(gate.own_id(after(3 * 60 * 60)).await, own);
    assert!(!identities.has_changed().unwrap());

    says(&slack, "auth.test", json!({ "ok": true, "team_id": "T0MOVED", "enterprise_id": "E0NEW" }));
    assert!(gate.directory.identity(after(4 * 60 * 60)).await.is_ok());
    assert!(identities.has_changed().unwrap());
    assert_eq!(gate.own_id(after(4 * 60 * 60)).await.as_deref(), Some("E0NEW"));
}

#[tokio::test]
async fn at_the_first_start_slack_is_asked_before_anybody_is_judged() {
    let slack = slack().await;
    let first = gate(&slack, &[], &[]);
    first.recall(None, after(0)).await;
    assert_eq!(first.directory.identity_before().map(|it| it.team_id).as_deref(), Some(TEAM_ID));
    let again = gate(&slack, &[], &[]);
    again.recall(first.directory.identity_before(), after(0)).await;
    assert_eq!(slack.calls_to("auth.test"), 1, "what is known from before is not asked for");
    assert_eq!(again.directory.identity_before(), first.directory.identity_before());
    // What somebody has to mend is not waited for.
    refuses(&slack, "auth.test", "token_revoked");
    let revoked = gate(&slack, &[], &[]);
    let introduced = tokio::time::timeout(PAUSE, revoked.introduce(|| after(0))).await;
    assert!(introduced.is_ok(), "it asks again and again");
    assert_eq!(revoked.own_id(after(0)).await, None);
}

#[tokio::test]
async fn a_group_that_cannot_be_read_matters_only_to_who_is_in_no_other() {
    let slack = slack().await;
    slack.set_user_group("S0OTHERS", &["U0BOB"]);
    let groups = gate(&slack, &[], &["S0GONE", GROUP, "S0OTHERS"]);
    assert_eq!(admitted(&groups, MEMBER, after(0)).await, (None, true));
    assert_eq!(admitted(&groups, "U0BOB", after(0)).await, (None, true));
    let unclear = Some(Reason::Unclear(Unclear::NoSuchGroup));
    assert_eq!(admitted(&groups, "U0NOBODY", after(0)).await.0, Some(Reason::Outsider));
    slack.set_user_group("S0OTHERS", &[]);
    assert_eq!(admitted(&groups, "U0BOB", after(299)).await, (None, true), "believed for five minutes");
    assert_eq!(admitted(&groups, "U0BOB", after(300)).await, (unclear, true));
    let read = gate(&slack, &[], &[GROUP, "S0OTHERS"]);
    assert_eq!(admitted(&read, "U0BOB", after(300)).await, (Some(Reason::NotListed), true));
    // A guest in a listed group is a guest.
    slack.set_user_group("S0OTHERS", &[GUEST]);
    let guests = gate(&slack, &[], &["S0OTHERS"]);
    assert_eq!(admitted(&guests, GUEST, after(0)).await, (Some(Reason::Guest), false));
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.with_max_level(tracing::Level::WARN).finish())
    }

    /// The lines since it was last asked.
    fn lines(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_said_at_the_start_unless_slack_is_away() {
    let (slack, log) = (slack().await, Log::default());
    let _listening = log.listen();
    gate(&slack, &[], &[GROUP]).announce(after(0)).await;
    assert_eq!(log.lines(), <[&str; 0]>::default(), "everything is granted");

    slack.set_scopes(&["commands", "chat:write", "users:read"]);
    let listed = gate(&slack, &[], &[GROUP]);
    listed.announce(after(0)).await;
    let lines = log.lines();
    assert!(lines.len() == 1 && lines[0].contains("the scope usergroups:read"), "{lines:?}");
    let tokenless = Gate::new(listed.permissions().clone(), None);
    tokenless.announce(after(0)).await;
    let lines = log.lines();
    assert!(lines.len() == 2 && lines.iter().all(|it| it.contains("without SLACK_BOT_TOKEN")), "{lines:?}");

    // They are believed for an hour; afterwards, an absent Slack is no gap.
    is_away(&slack, &["auth.test"]);
    assert!(listed.directory.scopes(after(60 * 60 - 1)).await.is_some());
    assert_eq!(listed.directory.scopes(after(60 * 60)).await, None);
    listed.announce(after(60 * 60)).await;
    assert_eq!(log.lines(), <[&str; 0]>::default());
}

#[tokio::test]
async fn who_else_is_in_a_channel_is_counted_hidden_or_not_told() {
    let (slack, log) = (slack().await, Log::default());
    let _listening = log.listen();
    let gate = gate(&slack, &[], &[]);
    for (minutes, with, invited, company) in [
        (0, &[][..], &[][..], Company::Few),
        (5, &[OTHER_TEAM_ID][..], &[][..], Company::Few),
        (10, &[][..], &["T0THIRD"][..], Company::Few),
        (15, &[OTHER_TEAM_ID, "T0THIRD"][..], &[][..], Company::Many(Others { connected: 2, invited: 0 })),
        (20, &[OTHER_TEAM_ID][..], &["T0THIRD"][..], Company::Many(Others { connected: 1, invited: 1 })),
    ] {
        slack.share(CHANNEL, with, invited);
        assert_eq!(gate.company(CHANNEL, after(minutes * 60)).await, company, "{with:?} {invited:?}");
    }
    assert_eq!(log.lines(), <[&str; 0]>::default());

    // Slack doesn't answer: the log says so once, and again only after it did.
    let warned = |log: &Log| {
        let lines = log.lines();
        assert!(lines.iter().all(|line| line.contains("who else is in a channel")), "{lines:?}");
        lines.len()
    };
    for (minutes, warnings) in [(30, [1, 0]), (60, [1, 0])] {
        is_away(&slack, &["conversations.info"]);
        for warnings in warnings {
            assert_eq!(gate.company(CHANNEL, after(minutes * 60)).await, Company::Untold);
            assert_eq!(warned(&log), warnings, "{minutes}");
        }
        slack.faults(|faults| faults.heal());
        let shown = gate.company(CHANNEL, after(minutes * 60)).await;
        assert!(matches!(shown, Company::Many(_)), "a failure that passes is not kept");
    }

    // What is not shown to the bot is nobody's business, and nothing to warn of.
    assert_eq!(gate.company("C0PRIVATE", after(0)).await, Company::Hidden);
    slack.set_scopes(&["commands", "chat:write"]);
    let asked = slack.calls_to("conversations.info");
    let blind = super::Gate::new(Permissions::default(), Some(web_api(&slack)));
    assert_eq!(blind.company(CHANNEL, after(0)).await, Company::Hidden);
    assert_eq!(slack.calls_to("conversations.info"), asked, "without a scope it is not asked");
    assert_eq!(warned(&log), 0);
}
