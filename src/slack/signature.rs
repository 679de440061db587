//! Whether a request is Slack's: the `v0` signature over the raw bytes.
//!
//! Pure: takes the headers' values, the body and `now`. Knows nothing of what the body says.
//!
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use slack_morphism::signature_verifier::SlackEventSignatureVerifier as Slack;

/// Header with the signature, `v0=` and 64 lower-case hex digits.
pub const SIGNATURE_HEADER: &str = Slack::SLACK_SIGNED_HASH_HEADER;
/// Header with the Unix time in seconds at which Slack signed.
pub const TIMESTAMP_HEADER: &str = Slack::SLACK_SIGNED_TIMESTAMP;
/// How far the signer's clock and ours may be apart, in seconds, both ways.
pub const TOLERANCE_S: i64 = Slack::MAX_TIMESTAMP_AGE_SECONDS;

/// Why a request is not believed. The text is for the log; the sender only gets a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// One of the two headers is absent or there more than once.
    #[error("a signature header is missing or doubled")]
    Headers,
    /// The timestamp is not made of one to twelve digits.
    #[error("the timestamp is not a number")]
    Timestamp,
    /// The timestamp is more than [`TOLERANCE_S`] away; check this machine's clock.
    #[error("the timestamp is too old or in the future")]
    Stale,
    /// The signature was not made with one of our secrets over this body.
    #[error("the signature does not match")]
    Signature,
}

/// The keys by which a signature may have been made.
pub struct Verifier(Vec<hmac::Key>);

impl Verifier {
    /// One secret, or during a rotation two.
    #[must_use]
    pub fn new(secrets: &[SecretString]) -> Self {
        Self(
            secrets
                .iter()
                .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()))
                .collect(),
        )
    }

    /// Checks one request. `timestamp` and `signature` are every value of their header.
    ///
    /// Returns the signature's 32 bytes, which name this request: they cover the whole body with
    /// its single-use `trigger_id`, and the second at which it was signed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify<'a>(
        &self,
        timestamp: impl IntoIterator<Item = &'a [u8]>,
        signature: impl IntoIterator<Item = &'a [u8]>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<[u8; 32], SignatureError> {
        let timestamp = only(timestamp).ok_or(SignatureError::Headers)?;
        let signature = only(signature).ok_or(SignatureError::Headers)?;
        let seconds = digits(timestamp).ok_or(SignatureError::Timestamp)?;
        if now.as_second().abs_diff(seconds) > TOLERANCE_S.unsigned_abs() {
            return Err(SignatureError::Stale);
        }
        let signature = unhex(signature).ok_or(SignatureError::Signature)?;
        let mut signed = Vec::with_capacity(body.len() + timestamp.len() + 4);
        for part in [b"v0:".as_slice(), timestamp, b":", body] {
            signed.extend_from_slice(part);
        }
        // Compares in constant time; which of two secrets matched is no secret.
        if self.0.iter().any(|key| hmac::verify(key, &signed, &signature).is_ok()) {
            Ok(signature)
        } else {
            Err(SignatureError::Signature)
        }
    }
}

fn only<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// One to twelve ASCII digits. `str::parse` would also take a sign.
fn digits(text: &[u8]) -> Option<i64> {
    let shape = (1..=12).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !shape {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `v0=` and exactly 64 lower-case hex digits.
fn unhex(signature: &[u8]) -> Option<[u8; 32]> {
    let hex: &[u8; 64] = signature.strip_prefix(b"v0=")?.try_into().ok()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = 16 * digit(high)? + digit(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use slack_morphism::SlackSigningSecret;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIME: i64 = 1_531_420_618;
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const PUBLISHED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn sign(secret: &str, timestamp: &[u8], body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &[b"v0:", timestamp, b":", body].concat());
        tag.as_ref().iter().fold("v0=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn verifier(secrets: &[&str]) -> Verifier {
        Verifier::new(
            &secrets.iter().map(|&secret| SecretString::from(secret.to_owned())).collect::<Vec<_>>(),
        )
    }

    fn check(timestamp: &str, signature: &str, body: &[u8], now: i64) -> Option<SignatureError> {
        verifier(&[SECRET]).verify([timestamp.as_bytes()], [signature.as_bytes()], body, at(now)).err()
    }

    #[test]
    fn the_published_example_verifies_at_its_own_time() {
        assert_eq!(check("1531420618", PUBLISHED, BODY.as_bytes(), TIME), None);
        assert_eq!(
            check("1531420618", PUBLISHED, format!("{BODY}-").as_bytes(), TIME),
            Some(SignatureError::Signature)
        );
    }

    #[test]
    fn five_minutes_both_ways_and_not_a_second_more() {
        for (off, fault) in [
            (-300, None),
            (300, None),
            (-301, Some(SignatureError::Stale)),
            (301, Some(SignatureError::Stale)),
            (3600, Some(SignatureError::Stale)),
        ] {
            assert_eq!(check("1531420618", PUBLISHED, BODY.as_bytes(), TIME - off), fault, "{off}");
        }
    }

    #[test]
    fn odd_timestamps_are_refused_though_they_are_signed() {
        for odd in [
            "",
            "+1531420618",
            "-1531420618",
            " 1531420618",
            "1531420618 ",
            "1_531_420_618",
            "1531420618.5",
            "0x5b47a",
            "1531420618000",
            "9999999999999999999",
            "nan",
            "\u{661}\u{665}",
        ] {
            let signature = sign(SECRET, odd.as_bytes(), b"x");
            assert!(check(odd, &signature, b"x", TIME).is_some(), "{odd:?}");
        }
        assert_eq!(
            check("01531420618", &sign(SECRET, b"01531420618", b"x"), b"x", TIME),
            None,
            "digits are digits"
        );
    }

    #[test]
    fn odd_signatures_are_refused() {
        let good = sign(SECRET, b"1531420618", b"x");
        let upper = format!("v0={}", good[3..].to_uppercase());
        for odd in [
            &upper,
            &good[3..],
            &format!("v1={}", &good[3..]),
            &format!("{good}=junk"),
            &good[..66],
            "v0=",
            "",
        ] {
            assert_eq!(check("1531420618", odd, b"x", TIME), Some(SignatureError::Signature), "{odd}");
        }
        for at in 0..64 {
            let mut flipped = good.clone().into_bytes();
            flipped[3 + at] = if flipped[3 + at] == b'0' { b'1' } else { b'0' };
            let flipped = String::from_utf8(flipped).unwrap();
            assert_eq!(check("1531420618", &flipped, b"x", TIME), Some(SignatureError::Signature), "{at}");
        }
    }

    #[test]
    fn a_header_that_is_missing_or_doubled_is_refused() {
        let verifier = verifier(&[SECRET]);
        let (time, signature) = (b"1531420618".as_slice(), PUBLISHED.as_bytes());
        for (times, signatures) in [
            (vec![], vec![signature]),
            (vec![time], vec![]),
            (vec![time, time], vec![signature]),
            (vec![time], vec![signature, signature]),
        ] {
            assert_eq!(
                verifier.verify(times, signatures, BODY.as_bytes(), at(TIME)),
                Err(SignatureError::Headers)
            );
        }
    }

    #[test]
    fn bodies_are_bytes() {
        for body in [b"".as_slice(), b"\xff\xfe\x00", "ü".as_bytes()] {
            assert_eq!(check("1531420618", &sign(SECRET, b"1531420618", body), body, TIME), None);
        }
    }

    #[test]
    fn either_of_two_secrets_serves_during_a_rotation() {
        let both = verifier(&["new", "old"]);
        for (secret, good) in [("new", true), ("old", true), ("other", false)] {
            let signature = sign(secret, b"1531420618", b"x");
            let result = both.verify([b"1531420618".as_slice()], [signature.as_bytes()], b"x", at(TIME));
            assert_eq!(result.is_ok(), good, "{secret}");
        }
    }

    /// The library's verifier is a second opinion; it reads the real clock, so the request is fresh.
    #[test]
    fn the_library_agrees() {
        let now = crate::clock::Clock::default().now();
        let timestamp = now.as_second().to_string();
        let library = Slack::new(&SlackSigningSecret(SECRET.to_owned()));
        for (secret, body) in [(SECRET, "a=b"), (SECRET, ""), ("other", "a=b"), (SECRET, "ü=%FC")] {
            let signature = sign(secret, timestamp.as_bytes(), body.as_bytes());
            let ours = verifier(&[SECRET]).verify(
                [timestamp.as_bytes()],
                [signature.as_bytes()],
                body.as_bytes(),
                now,
            );
            assert_eq!(ours.is_ok(), library.verify(&signature, body, &timestamp).is_ok(), "{secret} {body}");
        }
    }
}
