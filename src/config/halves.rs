//! A key and its secret in one text, as Fivetran's dashboard shows them beside the two halves.
//!
//! Owns how such a text is told from half a key. Pure.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Half a key in Base64 decodes to at least so many characters. Nobody would ask of a shorter text
/// whether it is Base64: too many words are.
const HALF_AT_LEAST: usize = 12;

/// With padding or without, and whatever the last bits are: other programs read both.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// What a text in the place of half a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// What is expected there.
    Half,
    /// `key:secret` in Base64, with `Basic` before it or not.
    Encoded(String, String),
    /// `key:secret` as it is; or a secret that contains a colon.
    Plain(String, String),
    /// Base64, or said to be, of something else.
    Odd,
}

impl Text {
    /// Looks at a text. Half a key can't be taken for more: it has no colon, and what it would decode
    /// to has odd characters.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let (said_to_be, text) = match text.split_once(char::is_whitespace) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("Basic") => (true, rest.trim()),
            _ => (false, text),
        };
        match decoded(text).as_deref().map(|decoded| (decoded, split(decoded))) {
            Some((_, Some((key, secret)))) => Self::Encoded(key, secret),
            // The padding shows it, or the length.
            Some((decoded, None)) if text.ends_with('=') || decoded.len() >= HALF_AT_LEAST => Self::Odd,
            _ => match split(text) {
                Some((key, secret)) => Self::Plain(key, secret),
                None if said_to_be => Self::Odd,
                None => Self::Half,
            },
        }
    }
}

/// What a text of Base64 says, if that is one word. Some programs break lines after 76 characters,
/// and `echo` puts the end of a line behind what is encoded.
fn decoded(text: &str) -> Option<String> {
    let bare: String = text.split_ascii_whitespace().collect();
    let engines = [STANDARD, URL_SAFE].map(|alphabet| GeneralPurpose::new(&alphabet, LENIENT));
    let bytes = engines.iter().find_map(|engine| engine.decode(&bare).ok())?;
    let decoded = String::from_utf8(bytes).ok()?;
    let decoded = decoded.trim();
    (!decoded.is_empty() && decoded.bytes().all(|byte| byte.is_ascii_graphic())).then(|| decoded.to_owned())
}

/// A key has no colon; a secret may.
fn split(text: &str) -> Option<(String, String)> {
    let (key, secret) = text.split_once(':')?;
    let half = |half: &str| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_graphic());
    (half(key) && half(secret)).then(|| (key.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn a_whole_key_is_told_from_half_a_key() {
        let halves = || ("fakekey123".to_owned(), "fakesecret456".to_owned());
        for whole in [
            "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2",
            "Basic ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2",
            "basic  ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2",
            "BASIC ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2\n",
            // As `echo key:secret | base64` has it, and with an end of line inside.
            "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2Cg==",
            "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2DQo",
            "ZmFrZWtleTEy\nMzpmYWtlc2Vj\r\ncmV0NDU2",
        ] {
            let (key, secret) = halves();
            assert_eq!(Text::of(whole), Text::Encoded(key, secret), "{whole}");
        }
        let (key, secret) = halves();
        assert_eq!(Text::of("fakekey123:fakesecret456"), Text::Plain(key, secret));
        for half in
            ["fakekey123", "aB3dE5gH7jK9mN1p", "", ":", "key:", ":secret", "kéyx:secret", "key secret"]
        {
            assert_eq!(Text::of(half), Text::Half, "{half}");
        }
    }

    #[test]
    fn halves_of_any_length_and_alphabet_are_read() {
        let parts = |key: &str, secret: &str| Text::Encoded(key.to_owned(), secret.to_owned());
        // The very words of Fivetran's documentation.
        assert_eq!(Text::of("a2V5OnNlY3JldA=="), parts("key", "secret"));
        assert_eq!(Text::of("a2V5OnNlY3JldA"), parts("key", "secret"), "without padding");
        assert_eq!(Text::of(&BASE64_STANDARD.encode("key:a:b")), parts("key", "a:b"), "split at the first");
        assert_eq!(Text::of("a2V5Oj4-Pj8_Pw=="), parts("key", ">>>???"), "the alphabet for URLs");
        assert_eq!(Text::of("a2V5Oj4+Pj8/Pw"), parts("key", ">>>???"));
    }

    #[test]
    fn base64_of_something_else_is_not_taken_for_half_a_key() {
        for odd in [
            BASE64_STANDARD.encode("fakekey123"),
            BASE64_STANDARD.encode("fakekey12345"),
            BASE64_STANDARD.encode("fakesecret456\n"),
            BASE64_STANDARD.encode("key:"),
            BASE64_STANDARD.encode(":fakesecret45"),
            "Basic fakekey123".to_owned(),
        ] {
            assert_eq!(Text::of(&odd), Text::Odd, "{odd}");
        }
    }
}
