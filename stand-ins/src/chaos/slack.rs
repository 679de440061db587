//! How Slack refuses: its words, its pauses, and what a response_url answers.
//!
//! Owns those rows of the table. Must not know what the bot makes of them.

use serde_json::json;

use super::{Partner, Row};
use crate::fault::Fault;

/// Rows of the table.
pub(super) const REFUSALS: &[Row] = &[
    Row {
        name: "slack-update-inactive",
        partner: Partner::Slack,
        routes: &["chat.update"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "is_inactive" })),
        source: "docs.slack.dev, chat.update: a frozen, archived or deleted channel",
    },
    Row {
        name: "slack-update-migrating",
        partner: Partner::Slack,
        routes: &["chat.update"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "external_channel_migrating" })),
        source: "docs.slack.dev, chat.update: cannot be updated at this time",
    },
    Row {
        name: "slack-update-unheard-of",
        partner: Partner::Slack,
        routes: &["chat.update"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "a_word_of_tomorrow" })),
        source: "docs.slack.dev: other errors can be returned",
    },
    Row {
        name: "slack-workspace-moves",
        partner: Partner::Slack,
        routes: &["chat.postMessage", "chat.postEphemeral", "chat.update"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "team_added_to_org" })),
        source: "docs.slack.dev: intermittently unavailable until the transition is complete",
    },
    Row {
        name: "slack-token-revoked",
        partner: Partner::Slack,
        routes: &[
            "auth.test",
            "chat.postEphemeral",
            "chat.postMessage",
            "chat.update",
            "usergroups.users.list",
            "users.info",
            "views.open",
        ],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "token_revoked" })),
        source: "docs.slack.dev, errors of every method",
    },
    Row {
        name: "slack-token-expired",
        partner: Partner::Slack,
        routes: &[
            "auth.test",
            "chat.postEphemeral",
            "chat.postMessage",
            "chat.update",
            "usergroups.users.list",
            "users.info",
            "views.open",
        ],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "token_expired" })),
        source: "fastagent, issue 465; latitude-llm, issue 3334: twelve hours after it was made",
    },
    Row {
        name: "slack-scope-missing",
        partner: Partner::Slack,
        routes: &["chat.postMessage", "chat.postEphemeral", "chat.update"],
        fault: || {
            Fault::Says(
                200,
                json!({ "ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "commands" }),
            )
        },
        source: "docs.slack.dev, errors of every method",
    },
    Row {
        name: "slack-read-only-channel",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "restricted_action_read_only_channel" })),
        source: "docs.slack.dev, chat.postMessage",
    },
    Row {
        name: "slack-partly-done",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "fatal_error" })),
        source: "docs.slack.dev: it's possible some aspect of the operation succeeded",
    },
    Row {
        name: "slack-pause",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Throttled { retry_after: Some("30".to_owned()) },
        source: "docs.slack.dev, rate-limits: wait before calling the method with any token of the workspace",
    },
    Row {
        name: "slack-channel-pause",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "rate_limited" })),
        source: "docs.slack.dev, chat.postMessage: too many messages, said in the body",
    },
    Row {
        name: "slack-proxy-page",
        partner: Partner::Slack,
        routes: &[
            "auth.test",
            "chat.postEphemeral",
            "chat.postMessage",
            "chat.update",
            "usergroups.users.list",
            "users.info",
            "views.open",
        ],
        fault: || Fault::Page(403, "<html><head><title>Blocked</title></head></html>"),
        source: "node-slack-sdk: no meaningful status codes besides 429 and 200, so not Slack",
    },
    Row {
        name: "slack-response-url-not-yet",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Page(404, ""),
        source: "bolt-js, issue 1261: for a moment right after the command or press",
    },
    Row {
        name: "slack-response-url-used",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Says(404, json!({ "ok": false, "error": "used_url" })),
        source: "widely reported: after five uses",
    },
    Row {
        name: "slack-response-url-expired",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Says(404, json!({ "ok": false, "error": "expired_url" })),
        source: "widely reported: after thirty minutes",
    },
    Row {
        name: "slack-response-url-expired-in-words",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Says(200, json!({ "ok": false, "error": "Expired url" })),
        source: "sentry, pull request 7955: the error string has a space in it",
    },
    Row {
        name: "slack-response-url-archived",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Page(410, "channel_is_archived"),
        source: "api.slack.com, changelog of 2016-05-17",
    },
    Row {
        name: "slack-response-url-500",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Page(500, "rollup_error"),
        source: "api.slack.com, changelog of 2016-05-17",
    },
    Row {
        name: "slack-response-url-json",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Instead(r#"{"ok":true}"#),
        source: "slack.md, 1.5: JSON in the place of the text ok",
    },
    Row {
        name: "slack-response-url-empty",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Empty,
        source: "a success without a body, as proxies that rewrite answers send it",
    },
    Row {
        name: "slack-response-url-page",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::NotJson,
        source: "a page with 200, as proxies that inspect traffic send it",
    },
    Row {
        name: "slack-response-url-cut",
        partner: Partner::Slack,
        routes: &["response_url"],
        fault: || Fault::Truncated,
        source: "a connection that breaks off after the status",
    },
    Row {
        name: "slack-post-without-a-place",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Instead(r#"{"ok":true}"#),
        source: "an answer that a proxy has rewritten",
    },
    Row {
        name: "slack-post-page",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::NotJson,
        source: "a page with 200, as proxies that inspect traffic send it",
    },
    Row {
        name: "slack-post-other-json",
        partner: Partner::Slack,
        routes: &["chat.postMessage"],
        fault: || Fault::Instead("{}"),
        source: "JSON with 200 of something that is not Slack",
    },
    Row {
        name: "slack-update-page",
        partner: Partner::Slack,
        routes: &["chat.update"],
        fault: || Fault::NotJson,
        source: "a page with 200, as proxies that inspect traffic send it",
    },
];
