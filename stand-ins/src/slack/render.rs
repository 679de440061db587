//! A Slack message as a person would read it in a terminal.
//!
//! Owns the way from payload to plain text. Pure; must not know where messages come from.

use serde_json::Value;

/// Plain text for a message's payload: its blocks, or its text when there are none.
#[must_use]
pub fn render(message: &Value) -> String {
    let blocks = list(&message["blocks"]);
    if blocks.is_empty() {
        return plain(message["text"].as_str().unwrap_or_default());
    }
    let lines: Vec<String> = blocks.iter().map(block).filter(|text| !text.is_empty()).collect();
    lines.join("\n")
}

fn block(block: &Value) -> String {
    let mut lines = Vec::new();
    match block["type"].as_str().unwrap_or_default() {
        "divider" => lines.push("─".repeat(24)),
        "context" => {
            let parts: Vec<String> = list(&block["elements"]).iter().map(text).collect();
            lines.push(parts.join("  "));
        }
        "actions" => lines.extend(list(&block["elements"]).iter().map(element)),
        "input" => {
            lines.push(format!("{}:", text(&block["label"])));
            lines.push(element(&block["element"]));
        }
        "markdown" => lines.push(block["text"].as_str().unwrap_or_default().to_owned()),
        _ => {
            lines.push(text(&block["text"]));
            lines.extend(list(&block["fields"]).iter().map(text));
            lines.push(element(&block["accessory"]));
            lines.push(block["alt_text"].as_str().unwrap_or_default().to_owned());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn element(element: &Value) -> String {
    match element["type"].as_str().unwrap_or_default() {
        "" => String::new(),
        "button" => {
            let label = format!("[ {} ]", text(&element["text"]));
            match element["url"].as_str() {
                Some(url) => format!("{label}\n  ↳ {url}"),
                None => label,
            }
        }
        "image" => element["alt_text"].as_str().unwrap_or_default().to_owned(),
        "plain_text_input" => match element["initial_value"].as_str() {
            Some(value) => format!("[ {value} ]"),
            None => format!("[ … ]  such as {}", text(&element["placeholder"])),
        },
        _ => format!("[ {} ▾ ]", text(&element["placeholder"])),
    }
}

/// A text object, or an image's alternative text.
fn text(object: &Value) -> String {
    let content = object["text"].as_str().or(object["alt_text"].as_str()).unwrap_or_default();
    if object["type"] == "mrkdwn" { plain(content) } else { content.to_owned() }
}

/// Resolves `<…>` and the three escapes of mrkdwn.
fn plain(mrkdwn: &str) -> String {
    let mut shown = String::with_capacity(mrkdwn.len());
    let mut rest = mrkdwn;
    while let Some((before, after)) = rest.split_once('<') {
        shown.push_str(before);
        let Some((inside, after)) = after.split_once('>') else {
            shown.push('<');
            rest = after;
            continue;
        };
        shown.push_str(&reference(inside));
        rest = after;
    }
    shown.push_str(rest);
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn reference(inside: &str) -> String {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inside, None),
    };
    if target.starts_with("!date^") {
        return label.unwrap_or(target).to_owned();
    }
    if let Some(group) = target.strip_prefix("!subteam^") {
        return label.map_or_else(|| format!("@{group}"), str::to_owned);
    }
    if let Some(everyone) = target.strip_prefix('!') {
        return format!("@{everyone}");
    }
    if target.starts_with('@') {
        return label.map_or_else(|| target.to_owned(), |label| format!("@{label}"));
    }
    if target.starts_with('#') {
        return label.map_or_else(|| target.to_owned(), |label| format!("#{label}"));
    }
    match label {
        Some(label) => format!("{label} ({target})"),
        None => target.to_owned(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_shown_as_a_person_sees_them() {
        let message = json!({ "text": "fallback", "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": "Ready" } },
            { "type": "section", "text": { "type": "mrkdwn", "text": "<@U0ALICE>: a &lt; b &amp;amp; c" } },
            { "type": "actions", "elements": [
                { "type": "button", "text": { "type": "plain_text", "text": "Connect" }, "url": "https://x.test/a" },
                { "type": "button", "text": { "type": "plain_text", "text": "Renew" } },
            ] },
            { "type": "context", "elements": [
                { "type": "mrkdwn", "text": "Until <!date^1^{time}|noon UTC>" },
            ] },
        ] });
        assert_eq!(
            render(&message),
            "Ready\n@U0ALICE: a < b &amp; c\n[ Connect ]\n  ↳ https://x.test/a\n[ Renew ]\nUntil noon UTC"
        );
    }

    #[test]
    fn a_field_to_type_into_is_no_menu() {
        let field = |element| json!({ "blocks": [{ "type": "input", "label": { "text": "Schema" }, "element": element }] });
        let empty = field(json!({ "type": "plain_text_input", "placeholder": { "text": "acme" } }));
        assert_eq!(render(&empty), "Schema:\n[ … ]  such as acme");
        let filled = field(json!({ "type": "plain_text_input", "initial_value": "globex" }));
        assert_eq!(render(&filled), "Schema:\n[ globex ]");
        let menu = field(json!({ "type": "static_select", "placeholder": { "text": "Choose" } }));
        assert_eq!(render(&menu), "Schema:\n[ Choose ▾ ]");
    }

    #[test]
    fn text_alone_is_shown_when_there_are_no_blocks() {
        let message = json!({ "text": "see <https://x.test|the page>, <!here> <#C1|general>" });
        assert_eq!(render(&message), "see the page (https://x.test), @here #general");
        assert_eq!(render(&json!({ "text": "1 < 2" })), "1 < 2");
        assert_eq!(render(&json!({})), "");
    }
}
