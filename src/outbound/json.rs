//! JSON as the outside writes it.
//!
//! Owns what of it is read although it is no text: halves of characters, such as an emoji leaves where a text
//! is cut in its middle. JSON's grammar has them. Must not know what an answer is about.

use serde::de::DeserializeOwned;

/// Reads JSON of bytes.
///
/// # Errors
/// When it is no JSON, or has another shape.
pub fn of_bytes<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body).or_else(|error| match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(&without_halves(text)),
        Err(_) => Err(error),
    })
}

/// Reads JSON of a text.
///
/// # Errors
/// When it is no JSON, or has another shape.
pub fn of_text<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_halves(text)))
}

/// The JSON without halves of characters.
fn without_halves(json: &str) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let high = unit(escape).filter(|unit| (0xD800..0xDC00).contains(unit)).is_some();
        let low = |text: &str| unit(text).is_some_and(|unit| (0xDC00..0xE000).contains(&unit));
        let len = match unit(escape) {
            Some(_) if high && escape.get(6..).is_some_and(low) => 12,
            Some(_) if high || low(escape) => {
                whole.push('\u{FFFD}');
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = escape.split_at(len);
        whole.push_str(kept);
        rest = after;
    }
    whole + rest
}

/// The UTF-16 unit that an escape at the beginning of a text stands for.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
