//! What people read, whatever Slack answers, or the network in its place.

use std::time::Duration;

use expect_test::expect;
use futures_util::{StreamExt as _, stream};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use stand_ins::chaos::{self, Lasts, Partner, Row};
use stand_ins::fault::Faults;
use stand_ins::slack::{Message, SlackStandIn, Via, Visibility};

use super::table::Table;
use crate::harness::{CHANNEL, GUEST, OUTSIDER, SHARED, Setup, TestBot, USER, is_note, link_of, until};

const MINUTE: Duration = Duration::from_secs(60);
/// Bots at a time.
const AT_ONCE: usize = 8;
/// How often a post meets what is asked for: whatever may pass has passed then.
const MET: usize = 2;
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(20);
const HOUR: Duration = Duration::from_secs(3600);

/// The calls that each of the tests here asks about.
pub(super) const ASKED: [&[&str]; 4] = [
    &["chat.postMessage", "response_url"],
    &["chat.update"],
    &["users.info", "auth.test", "usergroups.users.list"],
    &["views.open"],
];

/// The rows about any of these calls.
fn rows(routes: &[&str]) -> Vec<&'static Row> {
    let concerns =
        |row: &&Row| row.partner == Partner::Slack && row.routes.iter().any(|it| routes.contains(it));
    chaos::all().filter(concerns).collect()
}

/// Several at once, since most of them wait; in the order of the rows.
async fn table(rows: Vec<&'static Row>, read: impl AsyncFn(&'static Row) -> Vec<String>) -> String {
    let read = async |row: &'static Row| (row.name, read(row).await);
    let all: Vec<_> = stream::iter(rows).map(read).buffered(AT_ONCE).collect().await;
    let mut table = Table::default();
    all.into_iter().for_each(|(name, lines)| table.row(name, lines));
    table.to_string()
}

fn way(message: &Message) -> &'static str {
    match (message.via, message.visibility) {
        (Via::PostMessage, _) => "by chat.postMessage",
        (Via::PostEphemeral, _) => "by chat.postEphemeral",
        (Via::ResponseUrl, _) => "by the response_url",
        (Via::Ack, _) => "by the acknowledgement",
        (Via::Typed, _) => "by a keyboard",
    }
}

/// What stands in Slack.
fn seen(slack: &SlackStandIn) -> Vec<String> {
    let messages = slack.messages().into_iter().filter(|message| !is_note(message));
    let told = |message: Message| match (link_of(&message), message.visibility) {
        (Some(_), Visibility::Channel) => format!("the link, {}", way(&message)),
        (Some(_), Visibility::Ephemeral) => format!("the link for one person, {}", way(&message)),
        (None, _) => {
            let text = message.payload["text"].as_str().unwrap_or_default();
            format!("{}: {}", way(&message), text.split(" (ref ").next().unwrap_or_default())
        }
    };
    messages.map(told).collect()
}

/// Waits until the one command has ended; whenever it rests, that is over at once.
async fn ends(bot: &TestBot) {
    let mut db = SqliteConnection::connect(&bot.database()).await.unwrap();
    until("the end of a command", async || {
        let open = "SELECT run_at, lease_until FROM command WHERE ended_at IS NULL";
        let Some(row) = sqlx::query(open).fetch_optional(&mut db).await.unwrap() else { return Some(()) };
        let (run_at, lease_until): (i64, i64) = (row.get(0), row.get(1));
        let rest = run_at - bot.clock.now().as_millisecond();
        if lease_until == 0 && rest > 0 {
            bot.advance(Duration::from_millis(rest.unsigned_abs()));
        }
        tokio::time::sleep(GLANCE).await;
        None
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_or_a_sentence_arrives_once_whatever_answers_a_post() {
    let told = table(rows(ASKED[0]), async |row| {
        let mut lines = Vec::new();
        for (who, route) in [("with a token", "chat.postMessage"), ("without one", "response_url")] {
            // What stands in the way of both is read once.
            let both = ["chat.postMessage", "response_url"].iter().all(|it| row.routes.contains(it));
            if !row.routes.contains(&route) || (both && route == "response_url") {
                continue;
            }
            let setup = Setup::new().await;
            let setup = if route == "response_url" { setup.without_token() } else { setup };
            let bot = setup.start().await;
            bot.slack.chaos(row.name, Lasts::Calls(MET));
            bot.send("google_ads acme").await;
            ends(&bot).await;
            let tries = match bot.slack.calls_to(route) {
                1 => "at once".to_owned(),
                tries => format!("by {tries} tries"),
            };
            let (untold, slack) = (bot.census().await.undeliverable, bot.slack.clone());
            // What is said beside a link comes after the end of its command.
            bot.stop().await;
            let mut seen = seen(&slack);
            if untold > 0 {
                seen.push("nobody could be told".to_owned());
            }
            lines.push(format!("{who}, {tries}: {}", seen.join("; ")));
        }
        lines
    })
    .await;
    expect![[r#"
        slack-post-archived, slack-read-only-channel, slack-workspace-moves, slack-post-limit, slack-token-revoked, slack-token-expired, slack-account-inactive, slack-app-not-installed, slack-two-factor, slack-scope-missing, slack-post-blocks, slack-post-unheard-of, slack-pause, slack-pause-absurd, slack-proxy-page
            with a token, at once: the link, by the response_url
        slack-post-not-in-channel, slack-post-channel-unknown
            with a token, at once: the link, by the response_url; by the response_url: The link is posted, but I'm not in this channel, so the message won't update when your customer finishes. /invite me, and future ones will.
        slack-partly-done, slack-500, slack-503, slack-pause-unsaid, slack-channel-pause, slack-dropped
            with a token, by 3 tries: the link, by chat.postMessage
        slack-proxy-sign-in, slack-portal
            with a token, by 2 tries: the link, by the response_url
        slack-post-without-a-place
            with a token, at once: the link, by chat.postMessage
        slack-post-page, slack-post-other-json, slack-post-empty
            with a token, at once: the link, by chat.postMessage; by the response_url: The connection for Google Ads is ready, but I couldn't make sure that its link was posted. The link may already be in the channel; if it isn't, type the command again for a fresh one.
        slack-post-cut, slack-post-dropped-after, slack-reset
            with a token, by 3 tries: the link, by chat.postMessage; the link, by chat.postMessage; the link, by chat.postMessage
        slack-response-url-not-yet, slack-response-url-500, slack-response-url-pause
            without one, by 3 tries: the link, by the response_url
        slack-response-url-used, slack-response-url-expired, slack-response-url-expired-in-words, slack-response-url-archived, slack-response-url-forbidden
            without one, by 2 tries: nobody could be told
        slack-response-url-json, slack-response-url-empty, slack-response-url-cut
            without one, at once: the link, by the response_url
        slack-response-url-page
            without one, by 3 tries: the link, by the response_url; by the response_url: The connection for Google Ads is ready, but I couldn't make sure that its link was posted. The link may already be in the channel; if it isn't, type the command again for a fresh one.; by the response_url: The connection for Google Ads is ready, but I couldn't make sure that its link was posted. The link may already be in the channel; if it isn't, type the command again for a fresh one.
    "#]].assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_says_in_the_end_what_is_so_whatever_answers_an_edit() {
    let told = table(rows(ASKED[1]), async |row| {
        let bot = TestBot::start().await;
        bot.types("google_ads acme").await;
        bot.slack.chaos(row.name, Lasts::UntilHealed);
        bot.customer_finishes("acme");
        bot.passes(MINUTE).await;
        let says = |bot: &TestBot| bot.link_message().rendered().contains("is connected");
        let at_once = says(&bot);
        bot.passes(HOUR).await;
        let in_an_hour = says(&bot);
        bot.slack.faults(Faults::heal);
        for _ in 0..3 {
            bot.passes(HOUR).await;
        }
        let line = match (at_once, in_an_hour, says(&bot)) {
            (true, ..) => "edited at once",
            (_, true, _) => "edited later",
            (_, _, true) => "edited once that is over",
            _ => "left as it is",
        };
        bot.stop().await;
        vec![line.to_owned()]
    })
    .await;
    expect![[r#"
        slack-update-inactive, slack-update-message-gone, slack-update-forbidden
            left as it is
        slack-update-migrating, slack-update-streaming, slack-workspace-moves, slack-token-revoked, slack-token-expired, slack-account-inactive, slack-app-not-installed, slack-two-factor, slack-scope-missing, slack-update-failed, slack-500, slack-503, slack-update-unheard-of, slack-pause-of-edits, slack-proxy-page, slack-proxy-sign-in, slack-portal, slack-dropped
            edited once that is over
        slack-reset, slack-update-page
            edited at once
    "#]].assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_is_judged_by_what_is_known_whatever_answers_the_question() {
    let told = table(rows(ASKED[2]), async |row| {
        let mut lines = Vec::new();
        for (list, groups) in [("without a list", ""), ("with a list of groups", "S0SETUP")] {
            if groups.is_empty() && row.routes == ["usergroups.users.list"] {
                continue;
            }
            let bot = Setup::new().await.with("ALLOWED_USER_GROUPS", groups).start().await;
            // The guest is known; the two others are not.
            bot.send_as(GUEST, CHANNEL, "status acme").await;
            bot.advance(HOUR);
            bot.slack.chaos(row.name, Lasts::UntilHealed);
            for (who, user, channel) in [
                ("a member", USER, CHANNEL),
                ("a guest known as one", GUEST, CHANNEL),
                ("an outsider", OUTSIDER, SHARED),
            ] {
                let said = bot.send_as(user, channel, "status acme").await;
                let said = bot.private_in(channel, &said).payload["text"].as_str().unwrap().to_owned();
                let said = if said.starts_with("No link for acme has been posted") {
                    "is let in".to_owned()
                } else {
                    said
                };
                lines.push(format!("{list}, {who}: {said}"));
            }
            bot.stop().await;
        }
        lines
    })
    .await;
    expect![[r#"
        slack-token-revoked, slack-token-expired, slack-account-inactive, slack-app-not-installed, slack-two-factor
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: is let in
            with a list of groups, a member: Only certain people can use this bot, and I couldn't find out who you are: Slack refused to tell me (…). So I did nothing. Ask the people who run this bot to run connect-card check.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only certain people can use this bot, and I couldn't find out who you are: Slack refused to tell me (…). So I did nothing. Ask the people who run this bot to run connect-card check.
        slack-500, slack-503, slack-proxy-page, slack-proxy-sign-in, slack-portal
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: is let in
            with a list of groups, a member: Only certain people can use this bot, and I couldn't find out who you are: Slack answered with an error (…). So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only certain people can use this bot, and I couldn't find out who you are: Slack answered with an error (…). So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
        slack-reset, slack-dropped, slack-person-late
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: is let in
            with a list of groups, a member: Slack didn't answer in time when I asked who you are, so I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Slack didn't answer in time when I asked who you are, so I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
        slack-person-throttled
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: is let in
            with a list of groups, a member: Only certain people can use this bot, and I couldn't find out who you are: Slack is limiting how often I may ask. So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only certain people can use this bot, and I couldn't find out who you are: Slack is limiting how often I may ask. So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
        slack-person-broken, slack-person-is-a-list
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: is let in
            with a list of groups, a member: Only certain people can use this bot, and I couldn't find out who you are: I couldn't read Slack's answer. So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only certain people can use this bot, and I couldn't find out who you are: I couldn't read Slack's answer. So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
        slack-person-unknown
            without a list, a member: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            without a list, a guest known as one: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            without a list, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            with a list of groups, a member: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            with a list of groups, a guest known as one: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            with a list of groups, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
        slack-identity-refused, slack-identity-late, slack-identity-of-nothing
            without a list, a member: is let in
            without a list, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            without a list, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
            with a list of groups, a member: is let in
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
        slack-group-throttled
            with a list of groups, a member: Only certain user groups can use this bot, and I couldn't check whether you're in one: Slack is limiting how often I may ask. So I did nothing. Try again in a minute. Ask the people who run this bot to look into it if this keeps happening.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
        slack-group-gone
            with a list of groups, a member: Only certain user groups can use this bot, and I couldn't check whether you're in one: one of those groups doesn't exist. So I did nothing. Ask the people who run this bot to correct ALLOWED_USER_GROUPS.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
        slack-group-needs-a-plan
            with a list of groups, a member: Only certain user groups can use this bot, and I couldn't check whether you're in one: this workspace's Slack plan has no user groups. So I did nothing. Ask the people who run this bot to add you to ALLOWED_USERS by name.
            with a list of groups, a guest known as one: Guests can't use this bot, so I did nothing. Ask the people who run this bot to do it for you, or to give you access.
            with a list of groups, an outsider: Only people from this bot's own workspace can use it, so I did nothing. Ask the people who run this bot to do it for you.
    "#]].assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gets_no_form_is_told_what_to_type() {
    let told = table(rows(ASKED[3]), async |row| {
        let bot = TestBot::start().await;
        bot.slack.chaos(row.name, Lasts::UntilHealed);
        let said = bot.send("").await;
        let said = bot.private(&said).rendered();
        let opened = if bot.slack.views().is_empty() { "no form" } else { "a form" };
        bot.stop().await;
        vec![format!("{opened}; {}", said.lines().next().unwrap_or_default())]
    })
    .await;
    expect![[r#"
        slack-token-revoked, slack-token-expired, slack-account-inactive, slack-app-not-installed, slack-two-factor, slack-proxy-page, slack-proxy-sign-in, slack-portal, slack-view-too-late, slack-view-refused, slack-view-throttled
            no form; I couldn't open the form. Type the command instead: /connect-card SERVICE SCHEMA. To see everything you can type: /connect-card help
        slack-500, slack-503, slack-dropped
            no form; The form may not have opened. If it hasn't, type the command instead: /connect-card SERVICE SCHEMA. To see everything you can type: /connect-card help
        slack-reset, slack-view-late
            a form; The form may not have opened. If it hasn't, type the command instead: /connect-card SERVICE SCHEMA. To see everything you can type: /connect-card help
    "#]].assert_eq(&told);
}
