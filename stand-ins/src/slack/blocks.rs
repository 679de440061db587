//! Block Kit's documented limits, as Slack would enforce them.
//!
//! Owns the check of messages and views. Pure; must not know who sends them.

use std::collections::HashSet;

use serde_json::Value;

/// Every way in which a message or a view breaks a documented limit; empty when Slack takes it.
#[must_use]
pub fn block_faults(message_or_view: &Value) -> Vec<String> {
    let mut check = Check::default();
    let kind = message_or_view["type"].as_str().unwrap_or_default();
    if matches!(kind, "modal" | "home") {
        check.view(message_or_view, kind);
    } else {
        check.message(message_or_view);
    }
    check.faults
}

#[derive(Default)]
struct Check {
    faults: Vec<String>,
    block_ids: HashSet<String>,
    action_ids: HashSet<String>,
}

impl Check {
    fn fault(&mut self, at: &str, what: impl AsRef<str>) {
        self.faults.push(format!("{at}: {}", what.as_ref()));
    }

    fn message(&mut self, message: &Value) {
        self.longest(message, "text", 40_000, "message");
        if list(&message["attachments"]).len() > 100 {
            self.fault("message", "more than 100 attachments");
        }
        self.blocks(message, 50);
        for block in list(&message["blocks"]) {
            if block["type"] == "input" {
                self.fault("message", "an input block belongs in a view");
            }
        }
    }

    fn view(&mut self, view: &Value, kind: &str) {
        if view.to_string().len() > 250_000 {
            self.fault("view", "larger than 250 kB");
        }
        for field in ["callback_id", "external_id"] {
            self.longest(view, field, 255, "view");
        }
        self.longest(view, "private_metadata", 3000, "view");
        if !view["blocks"].is_array() {
            self.fault("view", "blocks are required");
        }
        if kind == "modal" {
            self.plain_text(&view["title"], 24, "view.title");
            for field in ["submit", "close"] {
                if !view[field].is_null() {
                    self.plain_text(&view[field], 24, &format!("view.{field}"));
                }
            }
            let has_input = list(&view["blocks"]).iter().any(|block| block["type"] == "input");
            if has_input && view["submit"].is_null() {
                self.fault("view", "submit is required with input blocks");
            }
        }
        self.blocks(view, 100);
    }

    fn blocks(&mut self, holder: &Value, most: usize) {
        if !holder["blocks"].is_null() && !holder["blocks"].is_array() {
            self.fault("blocks", "not a list");
        }
        let blocks = list(&holder["blocks"]);
        if blocks.len() > most {
            self.fault("blocks", format!("more than {most}"));
        }
        for (n, block) in blocks.iter().enumerate() {
            self.block(block, &format!("blocks[{n}]"));
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        self.longest(block, "block_id", 255, at);
        if let Some(id) = block["block_id"].as_str()
            && !self.block_ids.insert(id.to_owned())
        {
            self.fault(at, format!("block_id '{id}' is used twice"));
        }
        self.action_ids.clear();
        match block["type"].as_str().unwrap_or_default() {
            "section" => self.section(block, at),
            "header" => self.plain_text(&block["text"], 150, &format!("{at}.text")),
            "divider" | "rich_text" | "video" | "file" | "table" => {}
            "context" => self.context(block, at),
            "actions" => {
                self.count(&block["elements"], 1, 25, &format!("{at}.elements"));
                for (n, element) in list(&block["elements"]).iter().enumerate() {
                    self.element(element, &format!("{at}.elements[{n}]"));
                }
            }
            "input" => {
                self.plain_text(&block["label"], 2000, &format!("{at}.label"));
                if !block["hint"].is_null() {
                    self.plain_text(&block["hint"], 2000, &format!("{at}.hint"));
                }
                self.element(&block["element"], &format!("{at}.element"));
            }
            "image" => self.image(block, at),
            "markdown" => self.longest(block, "text", 12_000, at),
            other => self.fault(at, format!("unknown block type '{other}'")),
        }
    }

    fn section(&mut self, block: &Value, at: &str) {
        if block["text"].is_null() && block["fields"].is_null() {
            self.fault(at, "a section wants text or fields");
        }
        if !block["text"].is_null() {
            self.text(&block["text"], 3000, &format!("{at}.text"));
        }
        if !block["fields"].is_null() {
            self.count(&block["fields"], 1, 10, &format!("{at}.fields"));
            for (n, field) in list(&block["fields"]).iter().enumerate() {
                self.text(field, 2000, &format!("{at}.fields[{n}]"));
            }
        }
        if !block["accessory"].is_null() {
            self.element(&block["accessory"], &format!("{at}.accessory"));
        }
    }

    fn context(&mut self, block: &Value, at: &str) {
        self.count(&block["elements"], 1, 10, &format!("{at}.elements"));
        for (n, element) in list(&block["elements"]).iter().enumerate() {
            let at = format!("{at}.elements[{n}]");
            if element["type"] == "image" {
                self.image(element, &at);
            } else {
                self.text(element, 3000, &at);
            }
        }
    }

    fn element(&mut self, element: &Value, at: &str) {
        self.longest(element, "action_id", 255, at);
        if let Some(id) = element["action_id"].as_str()
            && !self.action_ids.insert(id.to_owned())
        {
            self.fault(at, format!("action_id '{id}' is used twice in its block"));
        }
        if !element["placeholder"].is_null() {
            self.plain_text(&element["placeholder"], 150, &format!("{at}.placeholder"));
        }
        if !element["confirm"].is_null() {
            self.confirm(&element["confirm"], &format!("{at}.confirm"));
        }
        match element["type"].as_str().unwrap_or_default() {
            "button" => self.button(element, at),
            "image" => self.image(element, at),
            "overflow" => self.options(&element["options"], 5, &format!("{at}.options")),
            "radio_buttons" | "checkboxes" => {
                self.options(&element["options"], 10, &format!("{at}.options"));
            }
            "static_select" | "multi_static_select" => self.static_select(element, at),
            "plain_text_input" => {
                if element["min_length"].as_u64().is_some_and(|least| least > 3000) {
                    self.fault(at, "min_length over 3000");
                }
                if element["max_length"].as_u64().is_some_and(|most| !(1..=3000).contains(&most)) {
                    self.fault(at, "max_length must be 1 to 3000");
                }
            }
            "external_select"
            | "multi_external_select"
            | "users_select"
            | "multi_users_select"
            | "conversations_select"
            | "multi_conversations_select"
            | "channels_select"
            | "multi_channels_select"
            | "datepicker"
            | "timepicker"
            | "datetimepicker"
            | "number_input"
            | "email_text_input"
            | "url_text_input"
            | "rich_text_input" => {}
            other => self.fault(at, format!("unknown element type '{other}'")),
        }
    }

    fn button(&mut self, button: &Value, at: &str) {
        self.plain_text(&button["text"], 75, &format!("{at}.text"));
        self.longest(button, "value", 2000, at);
        self.longest(button, "url", 3000, at);
        self.longest(button, "accessibility_label", 75, at);
        if let Some(url) = button["url"].as_str()
            && !url.starts_with("http://")
            && !url.starts_with("https://")
        {
            self.fault(at, "url is not a web address");
        }
        let style = &button["style"];
        if !style.is_null() && style != "primary" && style != "danger" {
            self.fault(at, "style must be primary or danger");
        }
    }

    fn static_select(&mut self, select: &Value, at: &str) {
        if select["option_groups"].is_null() {
            return self.options(&select["options"], 100, &format!("{at}.options"));
        }
        self.count(&select["option_groups"], 1, 100, &format!("{at}.option_groups"));
        for (n, group) in list(&select["option_groups"]).iter().enumerate() {
            let at = format!("{at}.option_groups[{n}]");
            self.plain_text(&group["label"], 75, &format!("{at}.label"));
            self.options(&group["options"], 100, &format!("{at}.options"));
        }
    }

    fn options(&mut self, options: &Value, most: usize, at: &str) {
        self.count(options, 1, most, at);
        for (n, option) in list(options).iter().enumerate() {
            let at = format!("{at}[{n}]");
            self.text(&option["text"], 75, &format!("{at}.text"));
            self.longest(option, "value", 75, &at);
            if !option["value"].is_string() {
                self.fault(&at, "value is required");
            }
            if !option["description"].is_null() {
                self.plain_text(&option["description"], 75, &format!("{at}.description"));
            }
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.plain_text(&confirm["title"], 100, &format!("{at}.title"));
        self.text(&confirm["text"], 300, &format!("{at}.text"));
        self.plain_text(&confirm["confirm"], 30, &format!("{at}.confirm"));
        self.plain_text(&confirm["deny"], 30, &format!("{at}.deny"));
    }

    fn image(&mut self, image: &Value, at: &str) {
        if !image["alt_text"].is_string() {
            self.fault(at, "alt_text is required");
        }
        self.longest(image, "alt_text", 2000, at);
        self.longest(image, "image_url", 3000, at);
    }

    fn plain_text(&mut self, text: &Value, most: usize, at: &str) {
        if text["type"] == "mrkdwn" {
            self.fault(at, "must be plain_text");
        }
        self.text(text, most, at);
    }

    fn text(&mut self, text: &Value, most: usize, at: &str) {
        let kind = text["type"].as_str().unwrap_or_default();
        if !matches!(kind, "plain_text" | "mrkdwn") {
            return self.fault(at, "not a text object");
        }
        if kind == "mrkdwn" && !text["emoji"].is_null() {
            self.fault(at, "emoji belongs to plain_text");
        }
        if kind == "plain_text" && !text["verbatim"].is_null() {
            self.fault(at, "verbatim belongs to mrkdwn");
        }
        match text["text"].as_str().map(length) {
            None => self.fault(at, "text is required"),
            Some(0) => self.fault(at, "text is empty"),
            Some(length) if length > most => {
                self.fault(at, format!("{length} characters, at most {most} allowed"));
            }
            Some(_) => {}
        }
    }

    fn longest(&mut self, holder: &Value, field: &str, most: usize, at: &str) {
        let value = &holder[field];
        if !value.is_null() && !value.is_string() {
            return self.fault(at, format!("{field} is not text"));
        }
        let length = value.as_str().map_or(0, length);
        if length > most {
            self.fault(at, format!("{field} has {length} characters, at most {most} allowed"));
        }
    }

    fn count(&mut self, items: &Value, least: usize, most: usize, at: &str) {
        if !(least..=most).contains(&list(items).len()) {
            self.fault(at, format!("wants {least} to {most} entries"));
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn button(text: &str, url: &str) -> Value {
        json!({ "type": "actions", "elements": [{
            "type": "button", "action_id": "open", "url": url,
            "text": { "type": "plain_text", "text": text },
        }] })
    }

    #[test]
    fn a_usual_message_passes() {
        let message = json!({ "text": "hello", "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": "*Hi*", "verbatim": true } },
            button("Connect", "https://fivetran.com/x"),
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": "until tomorrow" }] },
        ] });
        assert_eq!(block_faults(&message), Vec::<String>::new());
    }

    #[test]
    fn every_limit_is_met_exactly() {
        for (length, faults) in [(75, 0), (76, 1)] {
            let message = json!({ "blocks": [button(&"ä".repeat(length), "https://x.test")] });
            assert_eq!(block_faults(&message).len(), faults, "button text {length}");
        }
        for (length, faults) in [(3000, 0), (3001, 1)] {
            let url = format!("https://{}", "x".repeat(length - 8));
            let message = json!({ "blocks": [button("Go", &url)] });
            assert_eq!(block_faults(&message).len(), faults, "button url {length}");
        }
        for (count, faults) in [(50, 0), (51, 1)] {
            let message = json!({ "blocks": vec![json!({ "type": "divider" }); count] });
            assert_eq!(block_faults(&message).len(), faults, "{count} blocks");
        }
    }

    #[test]
    fn a_modal_with_inputs_wants_submit() {
        let mut modal = json!({
            "type": "modal", "title": { "type": "plain_text", "text": "New" },
            "blocks": [{ "type": "input", "block_id": "s",
                "label": { "type": "plain_text", "text": "Schema" },
                "element": { "type": "plain_text_input", "action_id": "a" } }],
        });
        assert_eq!(block_faults(&modal), ["view: submit is required with input blocks"]);
        modal["submit"] = json!({ "type": "plain_text", "text": "Create" });
        assert!(block_faults(&modal).is_empty());
        modal["title"]["text"] = json!("x".repeat(25));
        assert_eq!(block_faults(&modal).len(), 1);
    }

    #[test]
    fn unknown_things_and_twins_are_refused() {
        let message = json!({ "blocks": [
            { "type": "sektion" },
            { "type": "divider", "block_id": "b" },
            { "type": "divider", "block_id": "b" },
            { "type": "actions", "elements": [{ "type": "knob", "action_id": "k" }] },
        ] });
        assert_eq!(block_faults(&message).len(), 3);
    }
}
