//! The fields of Block Kit's objects, and which element goes where, by Slack's reference and the
//! models of `slack_sdk`.
//!
//! Owns the names. Pure; must not know their limits.

/// Of a view, with what Slack adds: whether an app may send that back is not documented.
pub(super) const VIEW: &[&str] = &[
    "id",
    "team_id",
    "bot_id",
    "app_id",
    "root_view_id",
    "previous_view_id",
    "state",
    "hash",
    "type",
    "title",
    "blocks",
    "close",
    "submit",
    "private_metadata",
    "callback_id",
    "clear_on_close",
    "notify_on_close",
    "external_id",
    "submit_disabled",
];

/// Of an image within another block.
pub(super) const IMAGE: &[&str] = &["type", "alt_text", "image_url", "slack_file"];

/// What is a boolean, wherever it stands.
pub(super) const FLAGS: &[&str] = &[
    "verbatim",
    "emoji",
    "optional",
    "dispatch_action",
    "expand",
    "multiline",
    "focus_on_load",
    "clear_on_close",
    "notify_on_close",
    "submit_disabled",
    "default_to_current_conversation",
    "response_url_enabled",
    "is_decimal_allowed",
];

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Section,
    Actions,
    Input,
}

/// The fields of a block of this type, or `None` when there is no such type.
pub(super) fn of_block(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "actions" | "context" | "rich_text" => &["type", "block_id", "elements"],
        "divider" => &["type", "block_id"],
        "file" => &["type", "block_id", "external_id", "source"],
        "header" | "markdown" => &["type", "block_id", "text"],
        "image" => &["type", "block_id", "alt_text", "image_url", "slack_file", "title"],
        "input" => &["type", "block_id", "label", "element", "dispatch_action", "hint", "optional"],
        "section" => &["type", "block_id", "text", "fields", "accessory", "expand"],
        "table" => &["type", "block_id", "column_settings", "rows"],
        "video" => &[
            "type",
            "block_id",
            "alt_text",
            "author_name",
            "description",
            "provider_icon_url",
            "provider_name",
            "thumbnail_url",
            "title",
            "title_url",
            "video_url",
        ],
        _ => return None,
    })
}

/// The fields of an element of this type, or `None` when there is no such type in this place.
pub(super) fn of_element(kind: &str, place: Place) -> Option<&'static [&'static str]> {
    use Place::{Actions, Input, Section};
    let (places, fields): (&[Place], &'static [&'static str]) = match kind {
        "button" => (
            &[Section, Actions],
            &["type", "action_id", "text", "url", "value", "style", "confirm", "accessibility_label"],
        ),
        "image" => (&[Section], IMAGE),
        "overflow" => (&[Section, Actions], &["type", "action_id", "options", "confirm"]),
        "radio_buttons" => (
            &[Section, Actions, Input],
            &["type", "action_id", "options", "initial_option", "confirm", "focus_on_load"],
        ),
        "checkboxes" => (
            &[Section, Actions, Input],
            &["type", "action_id", "options", "initial_options", "confirm", "focus_on_load"],
        ),
        _ => menu(kind).or_else(|| entry(kind))?,
    };
    places.contains(&place).then_some(fields)
}

type Element = (&'static [Place], &'static [&'static str]);

/// What one picks from.
fn menu(kind: &str) -> Option<Element> {
    const EVERYWHERE: &[Place] = &[Place::Section, Place::Actions, Place::Input];
    let fields: &[&str] = match kind {
        "static_select" => &[
            "type",
            "action_id",
            "placeholder",
            "options",
            "option_groups",
            "initial_option",
            "confirm",
            "focus_on_load",
        ],
        "multi_static_select" => &[
            "type",
            "action_id",
            "placeholder",
            "options",
            "option_groups",
            "initial_options",
            "max_selected_items",
            "confirm",
            "focus_on_load",
        ],
        "external_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_option",
            "min_query_length",
            "confirm",
            "focus_on_load",
        ],
        "multi_external_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_options",
            "min_query_length",
            "max_selected_items",
            "confirm",
            "focus_on_load",
        ],
        "users_select" => &["type", "action_id", "placeholder", "initial_user", "confirm", "focus_on_load"],
        "channels_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_channel",
            "response_url_enabled",
            "confirm",
            "focus_on_load",
        ],
        "conversations_select" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_conversation",
            "default_to_current_conversation",
            "filter",
            "response_url_enabled",
            "confirm",
            "focus_on_load",
        ],
        "datepicker" => &["type", "action_id", "placeholder", "initial_date", "confirm", "focus_on_load"],
        "timepicker" => {
            &["type", "action_id", "placeholder", "initial_time", "timezone", "confirm", "focus_on_load"]
        }
        _ => return None,
    };
    Some((EVERYWHERE, fields))
}

/// What one types into.
fn entry(kind: &str) -> Option<Element> {
    let fields: &[&str] = match kind {
        "plain_text_input" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_value",
            "multiline",
            "min_length",
            "max_length",
            "dispatch_action_config",
            "focus_on_load",
        ],
        "number_input" => &[
            "type",
            "action_id",
            "placeholder",
            "initial_value",
            "is_decimal_allowed",
            "min_value",
            "max_value",
            "dispatch_action_config",
            "focus_on_load",
        ],
        "email_text_input" | "url_text_input" => {
            &["type", "action_id", "placeholder", "initial_value", "dispatch_action_config", "focus_on_load"]
        }
        _ => return None,
    };
    Some((&[Place::Input], fields))
}
