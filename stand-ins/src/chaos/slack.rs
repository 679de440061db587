//! How Slack refuses: its words, its pauses, and what a response_url answers; and what answers in its
//! place.
//!
//! Owns those rows of the table. Must not know what the bot makes of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::Row;
use crate::fault::Fault;

const POST: &[&str] = &["chat.postMessage"];
const UPDATE: &[&str] = &["chat.update"];
const WRITE: &[&str] = &["chat.postMessage", "chat.postEphemeral", "chat.update"];
const ALL: &[&str] = &[
    "auth.test",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.update",
    "usergroups.users.list",
    "users.info",
    "views.open",
];
/// The same with what takes no token.
const EVERYWHERE: &[&str] = &[
    "auth.test",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.update",
    "response_url",
    "usergroups.users.list",
    "users.info",
    "views.open",
];
const HOOK: &[&str] = &["response_url"];
const VIEW: &[&str] = &["views.open"];
const PERSON: &[&str] = &["users.info"];
const IDENTITY: &[&str] = &["auth.test"];
const GROUP: &[&str] = &["usergroups.users.list"];

/// Who documents or saw it.
const EVERY_METHOD: &str = "docs.slack.dev, errors of every method";
const OF_POST: &str = "docs.slack.dev, chat.postMessage";
const OF_UPDATE: &str = "docs.slack.dev, chat.update";
const OF_VIEW: &str = "docs.slack.dev, views.open";
const LIMITS: &str = "docs.slack.dev, rate-limits: for the method, with any token of the workspace";
const PROXY: &str = "a company's proxy that inspects what passes";
const NETWORK: &str = "any network";
const HOOKS: &str = "api.slack.com, changelog of 2016-05-17: how incoming webhooks refuse";
const REPORTED: &str = "widely reported: after five uses, or thirty minutes";

/// Longer than anything waits for Slack.
const NEVER: Duration = Duration::from_secs(120);
const BLOCKED: &str = "<html><head><title>Blocked</title></head></html>";

fn no(word: &str) -> Fault {
    Fault::Says(200, json!({ "ok": false, "error": word }))
}

fn says(answer: Value) -> Fault {
    Fault::Says(200, answer)
}

fn throttled(retry_after: &str) -> Fault {
    Fault::Throttled { retry_after: Some(retry_after.to_owned()) }
}

const fn row(
    name: &'static str,
    routes: &'static [&'static str],
    fault: fn() -> Fault,
    source: &'static str,
) -> Row {
    Row { name, partner: super::Partner::Slack, routes, fault, source }
}

/// Rows of the table.
pub(super) const ROWS: &[Row] = &[
    // For good.
    row("slack-post-archived", POST, || no("is_archived"), OF_POST),
    row("slack-post-not-in-channel", POST, || no("not_in_channel"), OF_POST),
    row("slack-post-channel-unknown", POST, || no("channel_not_found"), OF_POST),
    row("slack-read-only-channel", POST, || no("restricted_action_read_only_channel"), OF_POST),
    row(
        "slack-update-inactive",
        UPDATE,
        || no("is_inactive"),
        "docs.slack.dev, chat.update: a frozen, archived or deleted channel",
    ),
    row("slack-update-message-gone", UPDATE, || no("message_not_found"), OF_UPDATE),
    row("slack-update-forbidden", UPDATE, || no("cant_update_message"), OF_UPDATE),
    // For now.
    row(
        "slack-update-migrating",
        UPDATE,
        || no("external_channel_migrating"),
        "docs.slack.dev, chat.update: cannot be updated at this time",
    ),
    row("slack-update-streaming", UPDATE, || no("streaming_state_conflict"), OF_UPDATE),
    row(
        "slack-workspace-moves",
        WRITE,
        || no("team_added_to_org"),
        "docs.slack.dev: intermittently unavailable until the transition is complete",
    ),
    row("slack-post-limit", POST, || no("message_limit_exceeded"), OF_POST),
    // Until somebody does something.
    row("slack-token-revoked", ALL, || no("token_revoked"), EVERY_METHOD),
    row(
        "slack-token-expired",
        ALL,
        || no("token_expired"),
        "fastagent, issue 465; latitude-llm, issue 3334: twelve hours after it was made",
    ),
    row("slack-account-inactive", ALL, || no("account_inactive"), EVERY_METHOD),
    row("slack-app-not-installed", ALL, || no("team_access_not_granted"), EVERY_METHOD),
    row("slack-two-factor", ALL, || no("two_factor_setup_required"), EVERY_METHOD),
    row(
        "slack-scope-missing",
        WRITE,
        || {
            says(
                json!({ "ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "commands" }),
            )
        },
        EVERY_METHOD,
    ),
    row("slack-post-blocks", POST, || no("invalid_blocks"), OF_POST),
    // Perhaps.
    row(
        "slack-partly-done",
        POST,
        || no("fatal_error"),
        "docs.slack.dev: it's possible some aspect of the operation succeeded",
    ),
    row("slack-update-failed", UPDATE, || no("update_failed"), OF_UPDATE),
    row(
        "slack-500",
        ALL,
        || Fault::Status(500),
        "node-slack-sdk: no meaningful status codes besides 429 and 200",
    ),
    row("slack-503", EVERYWHERE, || Fault::Page(503, BLOCKED), "slack-status.com: of whole outages"),
    // In a word of its own.
    row(
        "slack-post-unheard-of",
        POST,
        || no("a_word_of_tomorrow"),
        "docs.slack.dev: other errors can be returned",
    ),
    row(
        "slack-update-unheard-of",
        UPDATE,
        || no("a_word_of_tomorrow"),
        "docs.slack.dev: other errors can be returned",
    ),
    // It asks for a pause.
    row("slack-pause", POST, || throttled("30"), LIMITS),
    row("slack-pause-unsaid", POST, || Fault::Throttled { retry_after: None }, LIMITS),
    row("slack-pause-absurd", POST, || throttled("99999999999"), LIMITS),
    row("slack-pause-of-edits", UPDATE, || throttled("30"), LIMITS),
    row(
        "slack-channel-pause",
        POST,
        || no("rate_limited"),
        "docs.slack.dev, chat.postMessage: too many messages, said in the body",
    ),
    // It is not Slack that answers, or nobody does.
    row(
        "slack-proxy-page",
        ALL,
        || Fault::Page(403, BLOCKED),
        "node-slack-sdk: no meaningful status codes besides 429 and 200, so not Slack",
    ),
    row("slack-proxy-sign-in", EVERYWHERE, || Fault::Page(407, BLOCKED), PROXY),
    row("slack-portal", EVERYWHERE, || Fault::Elsewhere(302), "a network that wants somebody to sign in"),
    row(
        "slack-post-without-a-place",
        POST,
        || Fault::Instead(r#"{"ok":true}"#),
        "an answer that a proxy has rewritten",
    ),
    row("slack-post-page", POST, || Fault::NotJson, PROXY),
    row(
        "slack-post-other-json",
        POST,
        || Fault::Instead("{}"),
        "JSON with 200 of something that is not Slack",
    ),
    row("slack-post-empty", POST, || Fault::Empty, PROXY),
    row("slack-post-cut", POST, || Fault::Truncated, NETWORK),
    row("slack-post-dropped-after", POST, || Fault::DropAfter, NETWORK),
    row("slack-reset", EVERYWHERE, || Fault::Reset, NETWORK),
    row("slack-dropped", EVERYWHERE, || Fault::DropBefore, NETWORK),
    row("slack-update-page", UPDATE, || Fault::NotJson, PROXY),
    // A response_url.
    row(
        "slack-response-url-not-yet",
        HOOK,
        || Fault::Page(404, ""),
        "bolt-js, issue 1261: for a moment right after the command or press",
    ),
    row(
        "slack-response-url-used",
        HOOK,
        || Fault::Says(404, json!({ "ok": false, "error": "used_url" })),
        REPORTED,
    ),
    row(
        "slack-response-url-expired",
        HOOK,
        || Fault::Says(404, json!({ "ok": false, "error": "expired_url" })),
        REPORTED,
    ),
    row(
        "slack-response-url-expired-in-words",
        HOOK,
        || no("Expired url"),
        "sentry, pull request 7955: the error string has a space in it",
    ),
    row("slack-response-url-archived", HOOK, || Fault::Page(410, "channel_is_archived"), HOOKS),
    row("slack-response-url-forbidden", HOOK, || Fault::Page(403, "action_prohibited"), HOOKS),
    row("slack-response-url-500", HOOK, || Fault::Page(500, "rollup_error"), HOOKS),
    row("slack-response-url-pause", HOOK, || throttled("30"), LIMITS),
    row(
        "slack-response-url-json",
        HOOK,
        || Fault::Instead(r#"{"ok":true}"#),
        "slack.md, 1.5: JSON in the place of the text ok",
    ),
    row(
        "slack-response-url-empty",
        HOOK,
        || Fault::Empty,
        "a success without a body, as proxies that rewrite answers send it",
    ),
    row(
        "slack-response-url-page",
        HOOK,
        || Fault::NotJson,
        "a page with 200, as proxies that inspect traffic send it",
    ),
    row("slack-response-url-cut", HOOK, || Fault::Truncated, "a connection that breaks off after the status"),
    // Who somebody is.
    row("slack-person-throttled", PERSON, || throttled("30"), LIMITS),
    row("slack-person-late", PERSON, || Fault::SlowAfter(NEVER), NETWORK),
    row("slack-person-broken", PERSON, || Fault::NotJson, PROXY),
    row(
        "slack-person-is-a-list",
        PERSON,
        || says(json!({ "ok": true, "user": [] })),
        "slack-go, 943: an empty map as a list",
    ),
    row("slack-person-unknown", PERSON, || no("user_not_found"), "docs.slack.dev, users.info"),
    row("slack-identity-refused", IDENTITY, || no("invalid_auth"), EVERY_METHOD),
    row("slack-identity-late", IDENTITY, || Fault::SlowAfter(NEVER), NETWORK),
    row(
        "slack-identity-of-nothing",
        IDENTITY,
        || says(json!({ "ok": true, "team_id": null, "team": null })),
        "docs.slack.dev: fields vary",
    ),
    row("slack-group-throttled", GROUP, || throttled("30"), LIMITS),
    row("slack-group-gone", GROUP, || no("no_such_subteam"), "docs.slack.dev, usergroups.users.list"),
    row(
        "slack-group-needs-a-plan",
        GROUP,
        || no("plan_upgrade_required"),
        "docs.slack.dev, usergroups.users.list",
    ),
    // The form.
    row("slack-view-too-late", VIEW, || no("expired_trigger_id"), OF_VIEW),
    row("slack-view-refused", VIEW, || no("invalid_arguments"), OF_VIEW),
    row("slack-view-throttled", VIEW, || throttled("30"), LIMITS),
    row("slack-view-late", VIEW, || Fault::SlowAfter(NEVER), NETWORK),
];
