//! What Slack takes as an answer to its own calls; whatever else it shows nobody, or as an error.
//!
//! Owns those rules, by docs.slack.dev, interactivity/handling-user-interaction and surfaces/modals.
//! Pure; must not know who answers.

use serde_json::Value;

use super::blocks::{block_faults, suggestion_faults};

/// Every reason for which Slack would not do what an answer with status 200 says.
///
/// `asked` is an interaction's payload, or `Null` for a command.
pub(super) fn faults(asked: &Value, content_type: &str, body: &[u8]) -> Vec<String> {
    let kind = asked["type"].as_str().unwrap_or("command");
    if body.is_empty() && kind != "block_suggestion" {
        return Vec::new();
    }
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let json = media.eq_ignore_ascii_case("application/json");
    // Any other text is shown as it is.
    if kind == "command" && !json {
        return Vec::new();
    }
    let answer = serde_json::from_slice::<Value>(body).ok().filter(|body| json && body.is_object());
    let Some(answer) = answer else {
        return vec![format!("{kind}: the answer is not a JSON object")];
    };
    match kind {
        "command" => message(&answer),
        "view_submission" => submission(&answer, &asked["view"]),
        "block_suggestion" => suggestion_faults(&answer),
        _ => vec![format!("{kind}: nobody sees the answer")],
    }
}

fn message(answer: &Value) -> Vec<String> {
    let mut faults = block_faults(answer);
    let visibility = &answer["response_type"];
    if !visibility.is_null() && visibility != "ephemeral" && visibility != "in_channel" {
        faults.push(format!("response_type is {visibility}"));
    }
    faults
}

fn submission(answer: &Value, view: &Value) -> Vec<String> {
    match answer["response_action"].as_str().unwrap_or_default() {
        "clear" => Vec::new(),
        "update" | "push" if answer["view"]["type"] == "modal" => block_faults(&answer["view"]),
        "errors" => errors(&answer["errors"], view),
        other => vec![format!("response_action is '{other}', or has no modal")],
    }
}

/// Each error stands under an input of the view.
fn errors(errors: &Value, view: &Value) -> Vec<String> {
    let Some(errors) = errors.as_object().filter(|errors| !errors.is_empty()) else {
        return vec!["errors are required".to_owned()];
    };
    let inputs = view["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] == "input");
    let inputs: Vec<_> = inputs.filter_map(|block| block["block_id"].as_str()).collect();
    let said = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
    let good = |(block, text): &(&String, &Value)| inputs.contains(&block.as_str()) && said(text);
    let bad = errors.iter().filter(|error| !good(error));
    bad.map(|(block, text)| format!("no input '{block}', or no text: {text}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JSON: &str = "application/json; charset=utf-8";

    fn faults_of(asked: &Value, answer: &Value) -> usize {
        faults(asked, JSON, answer.to_string().as_bytes()).len()
    }

    #[test]
    fn a_command_is_answered_by_a_message_or_by_nothing() {
        let command = Value::Null;
        assert!(faults(&command, "", b"").is_empty());
        assert!(faults(&command, "text/plain", b"Wait").is_empty());
        assert_eq!(faults_of(&command, &json!({ "response_type": "ephemeral", "text": "Wait" })), 0);
        assert_eq!(faults_of(&command, &json!({ "blocks": [{ "type": "no" }] })), 1);
        assert_eq!(faults_of(&command, &json!({ "response_type": "everywhere", "text": "x" })), 1);
        assert_eq!(faults(&command, JSON, b"Wait").len(), 1);
    }

    #[test]
    fn a_press_is_answered_by_nothing() {
        // slack.md, 6.5: what is to be seen goes to the response_url.
        let press = json!({ "type": "block_actions" });
        assert!(faults(&press, "", b"").is_empty());
        assert_eq!(faults_of(&press, &json!({ "text": "Done" })), 1);
    }

    #[test]
    fn a_form_is_answered_by_what_becomes_of_it() {
        // slack.md, 6.3: empty, errors by the block_ids of inputs, update or push with a view, clear.
        let form = json!({ "type": "view_submission", "view": { "blocks": [
            { "type": "input", "block_id": "schema" }, { "type": "section", "block_id": "hint" },
        ] } });
        let modal = json!({
            "type": "modal", "title": { "type": "plain_text", "text": "New" }, "blocks": [],
        });
        assert!(faults(&form, "", b"").is_empty());
        for well in [
            json!({ "response_action": "clear" }),
            json!({ "response_action": "errors", "errors": { "schema": "Taken" } }),
            json!({ "response_action": "update", "view": modal }),
        ] {
            assert_eq!(faults_of(&form, &well), 0, "{well}");
        }
        for ill in [
            json!({}),
            json!({ "response_action": "errors" }),
            json!({ "response_action": "errors", "errors": { "hint": "Taken" } }),
            json!({ "response_action": "errors", "errors": { "schema": "" } }),
            json!({ "response_action": "update" }),
            json!({ "response_action": "close" }),
        ] {
            assert_eq!(faults_of(&form, &ill), 1, "{ill}");
        }
    }

    #[test]
    fn what_is_typed_into_a_menu_is_answered_by_options() {
        let typed = json!({ "type": "block_suggestion" });
        assert_eq!(faults_of(&typed, &json!({ "options": [] })), 0);
        assert_eq!(faults_of(&typed, &json!({})), 1);
        assert_eq!(faults(&typed, "", b"").len(), 1);
    }
}
