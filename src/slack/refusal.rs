//! What Slack's refusals mean: what can still help, for every error that the methods in use are
//! documented to answer, and for what a response_url says.
//!
//! Owns the table. Knows neither a call nor a message: the same word means the same everywhere.
//! Sources: the section *Errors* of each method's page at <https://docs.slack.dev/reference/methods>,
//! <https://docs.slack.dev/apis/web-api/rate-limits>, and for response_urls
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>. Slack
//! adds words at will ("other errors can be returned"), so one that is not here has a meaning too.

use std::time::Duration;

/// What can still help after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Nothing: not this message, or not in this place, however often it is tried.
    Final,
    /// Time. Nothing was done; it may work after about so long.
    Later(Duration),
    /// Somebody who does this. Until then it is tried rarely.
    Operator(Fix),
    /// It may have been done: "some aspect of the operation succeeded before the error was raised".
    Unclear,
    /// A pause: there were too many calls. Nothing was done.
    Throttled,
    /// Nobody knows. Nothing was done; what cannot be left undone is tried ever more rarely.
    Unknown,
}

/// What has to be done before Slack lets the bot do what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fix {
    /// The token is none, or not any more, or not from this address.
    Token,
    /// The token has run out.
    Rotation,
    /// A scope is missing.
    Scope,
    /// The app is not installed in this workspace.
    Installation,
    /// The app cannot write to people directly.
    MessagesTab,
    /// The app has no Home.
    HomeTab,
    /// The workspace's rules forbid it.
    Admin,
    /// A user group is asked for that is not there, or cannot be.
    UserGroup,
    /// The bot sent what Slack does not take: it is too old, or has a mistake.
    Program,
}

impl Fix {
    /// What to do, for whoever runs the bot.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Token => {
                "reinstall the app, copy the Bot User OAuth Token from OAuth & Permissions into SLACK_BOT_TOKEN and restart; if the token is right, allow the bot's address under Restrict API Token Usage"
            }
            Self::Rotation => {
                "the token has expired because token rotation is on, which Slack cannot switch off for an app; create a new app from what `connect-card manifest --socket-mode` (or `--public-url https://…`) prints, and use its token"
            }
            Self::Scope => "add the missing scope under OAuth & Permissions and reinstall the app",
            Self::Installation => "install the app in this workspace",
            Self::MessagesTab => "turn the Messages Tab on under App Home in the app's settings",
            Self::HomeTab => "turn the Home Tab on under App Home in the app's settings",
            Self::Admin => "ask a Slack admin: a rule of the workspace forbids it",
            Self::UserGroup => {
                "correct ALLOWED_USER_GROUPS; user groups need a paid Slack plan, and the group has to exist"
            }
            Self::Program => "update connect-card; if it is up to date, this is a mistake in it: report it",
        }
    }

    /// Whether every call with this token meets it.
    #[must_use]
    pub fn concerns_the_token(self) -> bool {
        matches!(self, Self::Token | Self::Rotation | Self::Installation)
    }
}

/// While a workspace or a channel moves, which takes from minutes to hours.
const MOVING: Duration = Duration::from_secs(5 * 60);
/// While a message is being written.
const BUSY: Duration = Duration::from_secs(10);
/// No error of Slack's is longer, in bytes.
const LONGEST_WORD: usize = 60;

/// Whether a word says of what a message has in it that Slack takes no such message, or no one of that
/// length.
#[must_use]
pub fn is_about_the_content(word: &str) -> bool {
    matches!(
        word,
        "invalid_blocks" | "invalid_blocks_format" | "msg_too_long" | "msg_blocks_too_long" | "no_text"
    )
}

/// Whether a word is what Slack says to a bot that is not in the channel: of a private one, that there is
/// none.
#[must_use]
pub fn is_about_membership(word: &str) -> bool {
    matches!(word, "not_in_channel" | "channel_not_found")
}

/// Whether a word says of a message, and not of where it stands, that it cannot be edited.
#[must_use]
pub fn is_about_the_message(word: &str) -> bool {
    matches!(word, "message_not_found" | "cant_update_message" | "edit_window_closed" | "block_mismatch")
}

/// Whether a word says that nobody, or none of those who are not asked in, can post in a place: whatever
/// else was refused there, this stays.
#[must_use]
pub fn closes_the_place(word: &str) -> bool {
    is_archived(word)
        || matches!(
            word,
            "restricted_action"
                | "restricted_action_non_threadable_channel"
                | "restricted_action_read_only_channel"
                | "restricted_action_thread_locked"
                | "restricted_action_thread_only_channel"
                | "posting_to_channel_denied"
                | "posting_to_general_channel_denied"
                | "action_prohibited"
        )
}

/// Whether a word says that a channel takes no messages of anybody's any more.
#[must_use]
pub fn is_archived(word: &str) -> bool {
    matches!(word, "is_archived" | "channel_is_archived" | "is_inactive" | "channel_is_frozen")
}

/// What a word of Slack's means.
#[must_use]
pub fn sort(word: &str) -> Sort {
    match word {
        "fatal_error" | "internal_error" | "request_timeout" | "service_unavailable" | "update_failed"
        // Of a response_url: "something strange and unusual happened".
        | "rollup_error" => Sort::Unclear,

        "ratelimited" | "rate_limited" => Sort::Throttled,

        // The place.
        "channel_not_found" | "channel_is_limited_access" | "is_archived" | "channel_is_archived" | "is_inactive" | "channel_is_frozen"
        | "not_in_channel"
        | "no_permission" | "team_not_found" | "restricted_action" | "restricted_action_non_threadable_channel"
        | "restricted_action_read_only_channel" | "restricted_action_thread_locked"
        | "restricted_action_thread_only_channel" | "posting_to_channel_denied"
        | "posting_to_general_channel_denied"
        // The message.
        | "message_not_found" | "cant_update_message" | "edit_window_closed" | "block_mismatch"
        | "cannot_reply_to_message" | "cant_broadcast_message" | "no_dual_broadcast_content_update"
        // The person, or the bot.
        | "user_not_found" | "user_not_visible" | "user_not_in_channel" | "too_many_users"
        | "bot_not_found" | "bots_not_found"
        // The trigger of a view; the guide and the reference write it in two ways.
        | "expired_trigger_id" | "exchanged_trigger_id" | "invalid_trigger_id" | "trigger_expired"
        | "trigger_exchanged"
        // The view that another was published for meanwhile.
        | "hash_conflict"
        | "not_found"
        // The response_url.
        | "expired_url" | "used_url" | "no_active_hooks" | "no_service" | "no_service_id" | "no_team"
        | "team_disabled" | "invalid_token" => Sort::Final,

        "org_login_required" | "team_added_to_org" | "external_channel_migrating" | "message_limit_exceeded" => {
            Sort::Later(MOVING)
        }
        "streaming_state_conflict" => Sort::Later(BUSY),

        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "not_allowed_token_type" => {
            Sort::Operator(Fix::Token)
        }
        "token_expired" => Sort::Operator(Fix::Rotation),
        "missing_scope" => Sort::Operator(Fix::Scope),
        "team_access_not_granted" => Sort::Operator(Fix::Installation),
        "messages_tab_disabled" => Sort::Operator(Fix::MessagesTab),
        "not_enabled" => Sort::Operator(Fix::HomeTab),
        "access_denied" | "accesslimited" | "ekm_access_denied" | "enterprise_is_restricted"
        | "two_factor_setup_required" | "action_prohibited" | "blocked_file_type"
        | "file_uploads_disabled" | "file_uploads_except_images_disabled" | "storage_limit_reached"
        | "slack_connect_blocked_file_type" | "slack_connect_canvas_sharing_blocked"
        | "slack_connect_clip_sharing_blocked" | "slack_connect_file_link_sharing_blocked"
        | "slack_connect_file_upload_sharing_blocked" | "slack_connect_lists_sharing_blocked" => {
            Sort::Operator(Fix::Admin)
        }
        "no_such_subteam" | "subteam_not_found" | "plan_upgrade_required" | "paid_teams_only" => {
            Sort::Operator(Fix::UserGroup)
        }

        // How the call is made.
        "invalid_arg_name" | "invalid_arguments" | "invalid_array_arg" | "missing_argument" | "invalid_charset" | "invalid_cursor"
        | "invalid_form_data" | "invalid_post_type" | "missing_post_type" | "deprecated_endpoint"
        | "method_deprecated" | "unknown_method" | "as_user_not_supported" | "invalid_payload"
        // What it carries.
        | "no_text" | "missing_text_or_fallback_or_attachments" | "invalid_blocks" | "invalid_blocks_format"
        | "invalid_attachments" | "too_many_attachments" | "attachment_payload_limit_exceeded"
        | "too_many_contact_cards" | "msg_too_long" | "msg_blocks_too_long" | "markdown_text_conflict"
        | "metadata_must_be_sent_from_app" | "metadata_too_large" | "invalid_metadata_format"
        | "invalid_metadata_schema" | "view_too_large" | "duplicate_external_id"
        // What the bot never sends: drafts, files, ids of its own for messages.
        | "draft_already_deleted" | "draft_already_sent" | "draft_has_conflict" | "draft_not_found"
        | "duplicate_channel_not_found" | "duplicate_message_not_found" | "missing_file_data" | "file_deleted"
        | "file_is_deleted" | "file_not_found" | "file_share_limit_reached" | "max_file_sharing_exceeded"
        | "unable_to_share_files" => Sort::Operator(Fix::Program),

        _ => Sort::Unknown,
    }
}

/// A word of Slack's as the table has it: of response_urls one is known as `Expired url`. What is no
/// word at all is left out, since it may hold anything.
#[must_use]
pub fn word(text: &str) -> String {
    let text = text.trim();
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ';
    if text.len() > LONGEST_WORD || !text.chars().all(known) {
        return "an unreadable error".to_owned();
    }
    text.replace(' ', "_").to_ascii_lowercase()
}

/// What somebody has to do about a word, where that helps.
#[must_use]
pub fn fix(word: &str) -> Option<Fix> {
    match sort(word) {
        Sort::Operator(fix) => Some(fix),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;

    /// What every method may answer.
    const COMMON: &str = "access_denied accesslimited account_inactive deprecated_endpoint ekm_access_denied \
        enterprise_is_restricted fatal_error internal_error invalid_arg_name invalid_arguments \
        invalid_array_arg invalid_auth invalid_charset invalid_form_data invalid_post_type method_deprecated \
        missing_post_type missing_scope no_permission not_allowed_token_type not_authed org_login_required \
        ratelimited request_timeout service_unavailable team_access_not_granted team_added_to_org \
        token_expired token_revoked two_factor_setup_required";
    /// What each of the methods that the bot calls may answer besides, by its page.
    const METHODS: [(&str, &str); 13] = [
        ("auth.test", ""),
        ("bots.info", "bot_not_found bots_not_found missing_argument team_not_found"),
        (
            "chat.postEphemeral",
            "cannot_reply_to_message channel_not_found invalid_attachments invalid_blocks invalid_blocks_format \
             is_archived markdown_text_conflict message_limit_exceeded messages_tab_disabled msg_too_long \
             no_text not_in_channel restricted_action too_many_attachments user_not_in_channel",
        ),
        (
            "chat.postMessage",
            "as_user_not_supported attachment_payload_limit_exceeded cannot_reply_to_message channel_not_found \
             draft_already_deleted draft_already_sent draft_has_conflict draft_not_found \
             duplicate_channel_not_found duplicate_message_not_found invalid_blocks invalid_blocks_format \
             invalid_metadata_format invalid_metadata_schema is_archived markdown_text_conflict \
             message_limit_exceeded messages_tab_disabled metadata_must_be_sent_from_app metadata_too_large \
             missing_file_data msg_blocks_too_long no_text not_in_channel rate_limited restricted_action \
             restricted_action_non_threadable_channel restricted_action_read_only_channel \
             restricted_action_thread_locked restricted_action_thread_only_channel \
             slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked \
             slack_connect_lists_sharing_blocked team_not_found too_many_attachments too_many_contact_cards",
        ),
        (
            "chat.update",
            "as_user_not_supported block_mismatch blocked_file_type cant_broadcast_message cant_update_message \
             channel_not_found edit_window_closed external_channel_migrating file_deleted file_is_deleted \
             file_not_found file_share_limit_reached invalid_attachments invalid_blocks invalid_blocks_format \
             invalid_metadata_format invalid_metadata_schema is_inactive markdown_text_conflict \
             max_file_sharing_exceeded message_limit_exceeded message_not_found \
             metadata_must_be_sent_from_app metadata_too_large msg_too_long no_dual_broadcast_content_update \
             no_text posting_to_channel_denied slack_connect_blocked_file_type \
             slack_connect_canvas_sharing_blocked slack_connect_clip_sharing_blocked \
             slack_connect_file_link_sharing_blocked slack_connect_file_upload_sharing_blocked \
             streaming_state_conflict team_not_found too_many_attachments unable_to_share_files update_failed",
        ),
        ("conversations.info", "channel_is_limited_access channel_not_found"),
        ("usergroups.users.list", "invalid_cursor no_such_subteam plan_upgrade_required"),
        ("users.info", "too_many_users user_not_found user_not_visible"),
        (
            "views.open",
            "duplicate_external_id exchanged_trigger_id expired_trigger_id invalid_trigger_id view_too_large",
        ),
        ("views.update", "duplicate_external_id hash_conflict not_found view_too_large"),
        ("views.publish", "duplicate_external_id hash_conflict not_enabled user_not_found view_too_large"),
        (
            "files.completeUploadExternal",
            "channel_not_found file_not_found file_uploads_disabled file_uploads_except_images_disabled \
             invalid_arguments missing_argument not_in_channel posting_to_general_channel_denied \
             slack_connect_file_upload_sharing_blocked storage_limit_reached",
        ),
        (
            "response_url",
            "action_prohibited channel_is_archived channel_not_found expired_url invalid_payload invalid_token \
             no_active_hooks no_service no_service_id no_team no_text posting_to_general_channel_denied \
             rollup_error team_disabled too_many_attachments used_url user_not_found",
        ),
    ];

    fn documented() -> impl Iterator<Item = &'static str> {
        METHODS.iter().map(|(_, own)| *own).chain([COMMON]).flat_map(str::split_ascii_whitespace)
    }

    #[test]
    fn every_documented_error_has_its_place() {
        for word in documented() {
            assert_ne!(sort(word), Sort::Unknown, "{word}");
        }
        assert_eq!(sort("a_word_of_tomorrow"), Sort::Unknown);
        assert_eq!(sort(""), Sort::Unknown);
    }

    #[test]
    fn every_documented_error_is_sorted_by_what_can_still_help() {
        let mut sorted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for word in documented() {
            let words = sorted.entry(format!("{:?}", sort(word))).or_default();
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let mut table = String::new();
        for (sort, mut words) in sorted {
            words.sort_unstable();
            table += &format!("{sort}: {}\n", words.join(" "));
        }
        expect![[r#"
            Final: block_mismatch bot_not_found bots_not_found cannot_reply_to_message cant_broadcast_message cant_update_message channel_is_archived channel_is_limited_access channel_not_found edit_window_closed exchanged_trigger_id expired_trigger_id expired_url hash_conflict invalid_token invalid_trigger_id is_archived is_inactive message_not_found no_active_hooks no_dual_broadcast_content_update no_permission no_service no_service_id no_team not_found not_in_channel posting_to_channel_denied posting_to_general_channel_denied restricted_action restricted_action_non_threadable_channel restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel team_disabled team_not_found too_many_users used_url user_not_found user_not_in_channel user_not_visible
            Later(10s): streaming_state_conflict
            Later(300s): external_channel_migrating message_limit_exceeded org_login_required team_added_to_org
            Operator(Admin): access_denied accesslimited action_prohibited blocked_file_type ekm_access_denied enterprise_is_restricted file_uploads_disabled file_uploads_except_images_disabled slack_connect_blocked_file_type slack_connect_canvas_sharing_blocked slack_connect_clip_sharing_blocked slack_connect_file_link_sharing_blocked slack_connect_file_upload_sharing_blocked slack_connect_lists_sharing_blocked storage_limit_reached two_factor_setup_required
            Operator(HomeTab): not_enabled
            Operator(Installation): team_access_not_granted
            Operator(MessagesTab): messages_tab_disabled
            Operator(Program): as_user_not_supported attachment_payload_limit_exceeded deprecated_endpoint draft_already_deleted draft_already_sent draft_has_conflict draft_not_found duplicate_channel_not_found duplicate_external_id duplicate_message_not_found file_deleted file_is_deleted file_not_found file_share_limit_reached invalid_arg_name invalid_arguments invalid_array_arg invalid_attachments invalid_blocks invalid_blocks_format invalid_charset invalid_cursor invalid_form_data invalid_metadata_format invalid_metadata_schema invalid_payload invalid_post_type markdown_text_conflict max_file_sharing_exceeded metadata_must_be_sent_from_app metadata_too_large method_deprecated missing_argument missing_file_data missing_post_type msg_blocks_too_long msg_too_long no_text too_many_attachments too_many_contact_cards unable_to_share_files view_too_large
            Operator(Rotation): token_expired
            Operator(Scope): missing_scope
            Operator(Token): account_inactive invalid_auth not_allowed_token_type not_authed token_revoked
            Operator(UserGroup): no_such_subteam plan_upgrade_required
            Throttled: rate_limited ratelimited
            Unclear: fatal_error internal_error request_timeout rollup_error service_unavailable update_failed
        "#]].assert_eq(&table);
    }

    #[test]
    fn a_word_is_read_however_it_is_spelt() {
        for (text, expected) in [
            ("Expired url", "expired_url"),
            (" used_url\n", "used_url"),
            ("https://hooks.slack.com/commands/T1/2/secret", "an unreadable error"),
        ] {
            assert_eq!(word(text), expected);
        }
        assert_eq!(word(&"x".repeat(500)), "an unreadable error");
    }

    #[test]
    fn whoever_runs_the_bot_learns_what_to_do() {
        assert_eq!(fix("token_revoked"), Some(Fix::Token));
        assert!(Fix::Token.advice().contains("SLACK_BOT_TOKEN"));
        assert!(Fix::Rotation.advice().contains("connect-card manifest --socket-mode"));
        assert!(Fix::Rotation.advice().contains("--public-url https://"));
        assert_eq!(fix("is_archived"), None);
        assert!(Fix::Token.concerns_the_token() && !Fix::Scope.concerns_the_token());
    }
}
