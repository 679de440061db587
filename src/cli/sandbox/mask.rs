//! What the wire shows of a secret: nothing.
//!
//! Owns which fields and which parts of a text are secrets. Pure.

use serde_json::Value;

/// What stands in a secret's place.
const MASK: &str = "•••";
/// What the name of a field that holds one has in it.
const NAMES: [&str; 8] =
    ["token", "secret", "password", "credential", "api_key", "private_key", "response_url", "trigger_id"];
/// What Fivetran keeps of a source. Only where the data goes is shown of it: all else may let somebody in.
const SETTINGS: [&str; 2] = ["config", "auth"];
const SHOWN: [&str; 5] = ["schema", "table", "schema_prefix", "table_group_name", "is_new_package"];
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
                if NAMES.iter().any(|secret| name.to_ascii_lowercase().contains(secret)) && !value.is_null() {
                    *value = Value::from(MASK);
                } else if let (true, Value::Object(settings)) =
                    (SETTINGS.contains(&name.as_str()), &mut *value)
                {
                    let hidden = settings.iter_mut().filter(|(name, _)| !SHOWN.contains(&name.as_str()));
                    hidden.for_each(|(_, value)| *value = Value::from(MASK));
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
        let kept = json!({ "config": { "schema": "acme", "host": "db.example", "update_method": "x" }, "clientSecret": 1 });
        let shown = json!({ "config": { "schema": "acme", "host": "•••", "update_method": "•••" }, "clientSecret": "•••" });
        assert_eq!(masked(kept), shown);
        let said = json!({ "x": "at https://x/commands/T/1/abc now", "trigger_id": null });
        assert_eq!(masked(said), json!({ "x": "at https://x/commands/••• now", "trigger_id": null }));
    }
}
