//! The elements of a message or a view, and what Slack says of one that somebody used.
//!
//! Owns how an element is found and how a choice is told. Pure; must not know who is told.

use std::io;

use serde_json::{Value, json};

use super::state::block_id;

/// An element that somebody used, and what they chose.
#[derive(Debug, Clone, Default)]
pub struct Used<'a> {
    /// Its block's id; `None` where its own name is enough.
    pub block_id: Option<&'a str>,
    /// Its name.
    pub action_id: &'a str,
    /// What Slack says of the choice, such as `{"selected_option": …}`; `Null` for a button.
    pub choice: Value,
}

impl Used<'_> {
    /// The action as a payload tells it.
    pub(super) fn action(&self, surface: &Value, ts: &str) -> io::Result<Value> {
        let (block, element) =
            self.find(surface).ok_or_else(|| invalid(format!("there is no element '{}'", self.action_id)))?;
        let mut action = json!({
            "type": element["type"], "action_id": self.action_id, "block_id": block, "action_ts": ts,
        });
        if element["type"] == "button" {
            action["text"] = element["text"].clone();
            action["value"] = element["value"].clone();
        }
        for (field, value) in self.choice.as_object().into_iter().flatten() {
            // What a button stands for is not for whoever presses it to say.
            if field.starts_with("selected") || (field == "value" && element["type"] != "button") {
                action[field] = value.clone();
            }
        }
        Ok(action)
    }

    /// The element with its block's id.
    fn find<'v>(&self, surface: &'v Value) -> Option<(String, &'v Value)> {
        let blocks = surface["blocks"].as_array()?;
        blocks.iter().enumerate().find_map(|(n, block)| {
            let id = block["block_id"].as_str().map_or_else(|| block_id(n), str::to_owned);
            if self.block_id.is_some_and(|wanted| wanted != id) {
                return None;
            }
            // docs.slack.dev, reference/block-kit/blocks/input-block: "A boolean that indicates whether or not the
            // use of elements in this block should dispatch a block_actions payload. Defaults to false."
            if block["type"] == "input" && block["dispatch_action"] != true {
                return None;
            }
            let elements = block["elements"].as_array().into_iter().flatten();
            let mut all = elements.chain([&block["accessory"], &block["element"]]);
            Some((id, all.find(|element| element["action_id"] == self.action_id)?))
        })
    }
}

/// A mistake of whoever asks.
pub(super) fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(action_id: &str) -> Used<'_> {
        Used { action_id, ..Used::default() }
    }

    #[test]
    fn an_element_is_found_wherever_it_sits() {
        let surface = json!({ "blocks": [
            { "type": "section", "accessory": { "type": "button", "action_id": "b", "value": "2" } },
            { "type": "actions", "block_id": "x", "elements": [{ "type": "button", "action_id": "a", "value": "1" }] },
            { "type": "input", "element": { "type": "static_select", "action_id": "c" } },
        ] });
        let action = |used: Used<'_>| used.action(&surface, "1.0").unwrap();
        assert_eq!((&action(used("a"))["block_id"], &action(used("a"))["value"]), (&json!("x"), &json!("1")));
        assert_eq!(action(used("b"))["block_id"], "b0");
        // An input tells nobody what is put into it, unless it says so.
        assert!(used("c").action(&surface, "1.0").is_err());
        let mut telling = surface.clone();
        telling["blocks"][2]["dispatch_action"] = json!(true);
        assert_eq!(used("c").action(&telling, "1.0").unwrap()["block_id"], "b2");
        assert!(used("d").action(&surface, "1.0").is_err());
        assert!(Used { block_id: Some("b0"), ..used("a") }.action(&surface, "1.0").is_err());
    }

    #[test]
    fn a_choice_is_told_and_a_buttons_value_cannot_be_changed() {
        let surface = json!({ "blocks": [{ "type": "actions", "elements": [
            { "type": "button", "action_id": "a", "value": "1" }, { "type": "overflow", "action_id": "o" },
        ] }] });
        let pressed = Used { choice: json!({ "value": "2" }), ..used("a") }.action(&surface, "1.0").unwrap();
        assert_eq!(pressed["value"], "1");
        let option = json!({ "selected_option": { "value": "x" }, "type": "button" });
        let chosen = Used { choice: option, ..used("o") }.action(&surface, "1.0").unwrap();
        assert_eq!((&chosen["selected_option"]["value"], &chosen["type"]), (&json!("x"), &json!("overflow")));
    }
}
