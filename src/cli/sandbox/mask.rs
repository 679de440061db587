//! What the wire shows of a secret: nothing.
//!
//! Owns which fields and which parts of a text are secrets. Pure.

use serde_json::Value;

/// What stands in a secret's place.
const MASK: &str = "•••";
/// Fields that hold one.
const FIELDS: [&str; 5] = ["token", "response_url", "trigger_id", "password", "secret"];
/// What a Connect Card's token comes after in a link, and a response URL's in an address.
const BEFORE: [&str; 2] = ["auth=", "/commands/"];

/// The same without its secrets.
pub(super) fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => {
            for before in BEFORE {
                if text.contains(before) {
                    *text = without(text, before);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => {
            for (name, value) in fields {
                if FIELDS.contains(&name.as_str()) && !value.is_null() {
                    *value = Value::from(MASK);
                } else {
                    mask(value);
                }
            }
        }
        _ => {}
    }
}

/// A text without what follows this, wherever it stands.
fn without(text: &str, before: &str) -> String {
    let mut parts = text.split(before);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| "&|>\"'\\) \n".contains(c)).unwrap_or(part.len());
        masked.push_str(before);
        masked.push_str(MASK);
        masked.push_str(part.get(end..).unwrap_or_default());
    }
    masked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_links_token_is_masked_wherever_the_link_is() {
        let link = "http://127.0.0.1:1/connect-card/setup?redirect_uri=x&auth=eyJ.a.b&hide_setup_guide=true";
        let shown = "http://127.0.0.1:1/connect-card/setup?redirect_uri=x&auth=•••&hide_setup_guide=true";
        let exchange =
            json!({ "uri": link, "blocks": [{ "url": link, "text": format!("<{link}|go> {link}") }] });
        let masked = masked(exchange);
        assert_eq!(masked["uri"], shown);
        assert_eq!(masked["blocks"][0]["text"], format!("<{shown}|go> {shown}"));
        assert!(!masked.to_string().contains("eyJ"));
    }

    #[test]
    fn what_lets_somebody_in_is_masked_by_its_name() {
        let asked =
            json!({ "token": "t", "response_url": "https://x/commands/T/1/abc", "text": "token", "n": 1 });
        assert_eq!(masked(asked), json!({ "token": "•••", "response_url": "•••", "text": "token", "n": 1 }));
        let said = json!({ "x": "at https://x/commands/T/1/abc now", "trigger_id": null });
        assert_eq!(masked(said), json!({ "x": "at https://x/commands/••• now", "trigger_id": null }));
    }
}
