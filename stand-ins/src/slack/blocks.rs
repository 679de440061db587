//! Block Kit's documented limits, as Slack would enforce them.
//!
//! Owns the check of messages and views. Pure; must not know who sends them.

mod fields;

use std::collections::HashSet;

use serde_json::Value;

/// Every way in which a message or a view breaks a documented limit; empty when Slack takes it.
///
/// Slack takes no field that it does not know, and none that is null: grafana/oncall #702 met
/// "invalid additional property: emoji", java-slack-sdk #853 "must provide an object" for a null.
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

/// Every way in which an answer to somebody who types into a menu breaks a documented limit.
pub(super) fn suggestion_faults(answer: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.fields(answer, &["options", "option_groups"], "answer");
    if answer["options"].is_null() && answer["option_groups"].is_null() {
        check.fault("answer", "options or option_groups are required");
    }
    // None may be found, which no element could be made of.
    if !list(&answer["options"]).is_empty() || !answer["option_groups"].is_null() {
        check.static_select(answer, "answer");
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
        self.fields(view, fields::VIEW, "view");
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
        let kind = block["type"].as_str().unwrap_or_default();
        let Some(known) = fields::of_block(kind) else {
            return self.fault(at, format!("unknown block type '{kind}'"));
        };
        self.fields(block, known, at);
        self.longest(block, "block_id", 255, at);
        if let Some(id) = block["block_id"].as_str()
            && !self.block_ids.insert(id.to_owned())
        {
            self.fault(at, format!("block_id '{id}' is used twice"));
        }
        self.action_ids.clear();
        match kind {
            "section" => self.section(block, at),
            "header" => self.plain_text(&block["text"], 150, &format!("{at}.text")),
            "context" => self.context(block, at),
            "actions" => {
                self.count(&block["elements"], 1, 25, &format!("{at}.elements"));
                for (n, element) in list(&block["elements"]).iter().enumerate() {
                    self.element(element, fields::Place::Actions, &format!("{at}.elements[{n}]"));
                }
            }
            "input" => {
                self.plain_text(&block["label"], 2000, &format!("{at}.label"));
                if !block["hint"].is_null() {
                    self.plain_text(&block["hint"], 2000, &format!("{at}.hint"));
                }
                self.element(&block["element"], fields::Place::Input, &format!("{at}.element"));
            }
            "image" => self.image(block, at),
            "markdown" => self.longest(block, "text", 12_000, at),
            // The rest has no limits that are known here.
            _ => {}
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
            self.element(&block["accessory"], fields::Place::Section, &format!("{at}.accessory"));
        }
    }

    fn context(&mut self, block: &Value, at: &str) {
        self.count(&block["elements"], 1, 10, &format!("{at}.elements"));
        for (n, element) in list(&block["elements"]).iter().enumerate() {
            let at = format!("{at}.elements[{n}]");
            if element["type"] == "image" {
                self.fields(element, fields::IMAGE, &at);
                self.image(element, &at);
            } else {
                self.text(element, 3000, &at);
            }
        }
    }

    fn element(&mut self, element: &Value, place: fields::Place, at: &str) {
        let kind = element["type"].as_str().unwrap_or_default();
        let Some(known) = fields::of_element(kind, place) else {
            return self.fault(at, format!("unknown element type '{kind}', or one that does not go here"));
        };
        self.fields(element, known, at);
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
        match kind {
            "button" => self.button(element, at),
            "image" => self.image(element, at),
            "overflow" => self.options(element, 5, at),
            "radio_buttons" | "checkboxes" => self.options(element, 10, at),
            "static_select" | "multi_static_select" => self.static_select(element, at),
            "multi_external_select" => {
                let initial = list(&element["initial_options"]);
                for (n, option) in initial.iter().enumerate() {
                    self.option(option, kind, &format!("{at}.initial_options[{n}]"));
                }
                if !element["initial_options"].is_null() && initial.is_empty() {
                    self.fault(at, "initial_options wants 1 or more entries");
                }
                let most = element["max_selected_items"].as_u64();
                if most.is_some_and(|most| most == 0 || initial.len() as u64 > most) {
                    self.fault(at, "max_selected_items is 0, or less than the initial options");
                }
            }
            "plain_text_input" => {
                self.longest(element, "initial_value", 3000, at);
                if element["min_length"].as_u64().is_some_and(|least| least > 3000) {
                    self.fault(at, "min_length over 3000");
                }
                if element["max_length"].as_u64().is_some_and(|most| !(1..=3000).contains(&most)) {
                    self.fault(at, "max_length must be 1 to 3000");
                }
            }
            _ => {}
        }
    }

    fn button(&mut self, button: &Value, at: &str) {
        self.plain_text(&button["text"], 75, &format!("{at}.text"));
        self.longest(button, "value", 2000, at);
        self.longest(button, "url", 3000, at);
        self.longest(button, "accessibility_label", 75, at);
        let is_web =
            |url: &str| url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if button["url"].as_str().is_some_and(|url| !is_web(url)) {
            self.fault(at, "url is not a web address");
        }
        let style = &button["style"];
        if !style.is_null() && style != "primary" && style != "danger" {
            self.fault(at, "style must be primary or danger");
        }
    }

    fn static_select(&mut self, select: &Value, at: &str) {
        if select["option_groups"].is_null() {
            return self.options(select, 100, at);
        }
        if !select["options"].is_null() {
            self.fault(at, "options or option_groups, not both");
        }
        self.count(&select["option_groups"], 1, 100, &format!("{at}.option_groups"));
        for (n, group) in list(&select["option_groups"]).iter().enumerate() {
            let at = format!("{at}.option_groups[{n}]");
            self.fields(group, &["label", "options"], &at);
            self.plain_text(&group["label"], 75, &format!("{at}.label"));
            self.options(group, 100, &at);
        }
    }

    /// The options of an element, or of a group in a select.
    fn options(&mut self, holder: &Value, most: usize, at: &str) {
        let options = list(&holder["options"]);
        self.count(&holder["options"], 1, most, &format!("{at}.options"));
        let kind = holder["type"].as_str().unwrap_or_default();
        for (n, option) in options.iter().enumerate() {
            self.option(option, kind, &format!("{at}.options[{n}]"));
        }
        let initial = list(&holder["initial_options"]).iter().chain(holder.get("initial_option"));
        if !initial.into_iter().all(|initial| options.contains(initial)) {
            self.fault(at, "an initial option is none of the options");
        }
    }

    fn option(&mut self, option: &Value, holder: &str, at: &str) {
        let known: &[&str] = match holder {
            "overflow" => &["text", "value", "url"],
            _ => &["text", "value", "description"],
        };
        self.fields(option, known, at);
        // Only these show more than plain text.
        if matches!(holder, "radio_buttons" | "checkboxes") {
            self.text(&option["text"], 75, &format!("{at}.text"));
        } else {
            self.plain_text(&option["text"], 75, &format!("{at}.text"));
        }
        self.longest(option, "value", 75, at);
        self.longest(option, "url", 3000, at);
        if !option["value"].is_string() {
            self.fault(at, "value is required");
        }
        if !option["description"].is_null() {
            self.plain_text(&option["description"], 75, &format!("{at}.description"));
        }
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        self.fields(confirm, &["title", "text", "confirm", "deny", "style"], at);
        self.plain_text(&confirm["title"], 100, &format!("{at}.title"));
        self.text(&confirm["text"], 300, &format!("{at}.text"));
        self.plain_text(&confirm["confirm"], 30, &format!("{at}.confirm"));
        self.plain_text(&confirm["deny"], 30, &format!("{at}.deny"));
    }

    fn image(&mut self, image: &Value, at: &str) {
        if !image["alt_text"].is_string() {
            self.fault(at, "alt_text is required");
        }
        if image["image_url"].is_null() && image["slack_file"].is_null() {
            self.fault(at, "image_url or slack_file is required");
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
        let known = if kind == "mrkdwn" { ["type", "text", "verbatim"] } else { ["type", "text", "emoji"] };
        self.fields(text, &known, at);
        match text["text"].as_str().map(length) {
            None => self.fault(at, "text is required"),
            Some(0) => self.fault(at, "text is empty"),
            Some(length) if length > most => {
                self.fault(at, format!("{length} characters, at most {most} allowed"));
            }
            Some(_) => {}
        }
    }

    /// An object has its own fields and no others, and each that it has says something.
    fn fields(&mut self, object: &Value, known: &[&str], at: &str) {
        for (name, value) in object.as_object().into_iter().flatten() {
            if !known.contains(&name.as_str()) {
                self.fault(at, format!("invalid additional property: {name}"));
            }
            if value.is_null() {
                self.fault(at, format!("{name} is null"));
            }
            if fields::FLAGS.contains(&name.as_str()) && !value.is_boolean() {
                self.fault(at, format!("{name} is not a boolean"));
            }
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
mod tests;
