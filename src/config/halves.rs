//! A key and its secret in one text, as Fivetran's dashboard shows them beside the two halves.
//!
//! Owns how such a text is told from half a key. Pure.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// The halves of `key:secret`, in Base64 or not, with `Basic` before it or not. Neither half alone
/// can be taken for that: it has no colon, and what it would decode to has odd characters.
pub(super) fn of(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix("Basic ").unwrap_or(text).trim();
    let decoded = [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| String::from_utf8(engine.decode(text).ok()?).ok());
    let (key, secret) = decoded.as_deref().unwrap_or(text).split_once(':')?;
    let half =
        |half: &str| half.len() >= 4 && half.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    (half(key) && half(secret)).then(|| (key.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_key_is_told_from_half_a_key() {
        let halves = Some(("fakekey123".to_owned(), "fakesecret456".to_owned()));
        for whole in [
            "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2",
            "Basic ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2",
            "fakekey123:fakesecret456",
        ] {
            assert_eq!(of(whole), halves, "{whole}");
        }
        assert_eq!(of("a2V5eDpzZWNyZXQ="), of("a2V5eDpzZWNyZXQ"), "padded or not");
        assert!(of("a2V5eDpzZWNyZXQ=").is_some());
        for half in
            ["fakekey123", "aB3dE5gH7jK9mN1p", "", ":", "a:b", "keyx:a:b", "ZmFrZWtleTEyMw==", "kéyx:secret"]
        {
            assert_eq!(of(half), None, "{half}");
        }
    }
}
