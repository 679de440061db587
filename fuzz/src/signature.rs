//! Slack's signature: believed are exactly those requests that another implementation of the rule believes.

use connect_card::slack::signature::{SignatureError, TOLERANCE_S, Verifier};
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use secrecy::SecretString;

use crate::line;

const SECRETS: [&str; 2] = ["8f742231b10e8888abcd99yyyzzz85a5", "another"];
/// When the requests come.
const NOW: i64 = 1_800_000_000;

/// Three lines and the body. The first is the timestamp, or `+5` and the like for one that is so many seconds
/// from now. The second is the signature, which a `!` in its place stands for, and a `?` for the other secret's;
/// what stands behind either is put in the place of its first characters. The third says how often each header
/// is there.
pub fn signature(data: &[u8]) {
    let (timestamp, rest) = line(data);
    let (signature, rest) = line(rest);
    let (times, body) = line(rest);
    let timestamp = relative(timestamp).unwrap_or_else(|| timestamp.to_vec());
    let signature = match signature.split_first() {
        Some((b'!', with)) => with_prefix(with, &sign(SECRETS[0], &timestamp, body)),
        Some((b'?', with)) => with_prefix(with, &sign(SECRETS[1], &timestamp, body)),
        _ => signature.to_vec(),
    };
    let count = |at: usize| usize::from(times.get(at).map_or(1, |byte| byte % 3));
    let (timestamps, signatures) =
        (vec![timestamp.as_slice(); count(0)], vec![signature.as_slice(); count(1)]);

    let verifier = Verifier::new(&SECRETS.map(SecretString::from));
    let now = Timestamp::from_second(NOW).unwrap();
    let found = verifier.verify(timestamps.iter().copied(), signatures.iter().copied(), body, now);

    let expected = if (timestamps.len(), signatures.len()) != (1, 1) {
        Err(SignatureError::Headers)
    } else if timestamp.is_empty() || timestamp.len() > 12 || !timestamp.iter().all(u8::is_ascii_digit) {
        Err(SignatureError::Timestamp)
    } else if (i128::from(NOW) - number(&timestamp)).abs() > i128::from(TOLERANCE_S) {
        Err(SignatureError::Stale)
    } else if SECRETS.iter().any(|secret| sign(secret, &timestamp, body) == signature) {
        Ok(())
    } else {
        Err(SignatureError::Signature)
    };
    assert_eq!(found.map(drop), expected);
    if let Ok(bytes) = found {
        assert_eq!(hex(&bytes), signature[3..], "what names the request is its signature");
    }
}

fn relative(text: &[u8]) -> Option<Vec<u8>> {
    let (sign, digits) = text.split_first()?;
    let by: i64 = std::str::from_utf8(digits).ok()?.parse().ok().filter(|by| (0..100_000).contains(by))?;
    match sign {
        b'+' => Some((NOW + by).to_string().into_bytes()),
        b'-' => Some((NOW - by).to_string().into_bytes()),
        _ => None,
    }
}

fn with_prefix(prefix: &[u8], whole: &[u8]) -> Vec<u8> {
    prefix.iter().chain(whole.iter().skip(prefix.len())).copied().collect()
}

fn number(digits: &[u8]) -> i128 {
    digits.iter().fold(0, |number, digit| number * 10 + i128::from(digit - b'0'))
}

/// `v0=` and HMAC-SHA256, by its definition in RFC 2104 and a hash alone.
fn sign(secret: &str, timestamp: &[u8], body: &[u8]) -> Vec<u8> {
    let mut key = [0_u8; 64];
    key[..secret.len()].copy_from_slice(secret.as_bytes());
    let hash = |pad: u8, parts: &[&[u8]]| {
        let mut context = Context::new(&SHA256);
        context.update(&key.map(|byte| byte ^ pad));
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let inner = hash(0x36, &[b"v0:", timestamp, b":", body]);
    [b"v0=".as_slice(), &hex(hash(0x5c, &[inner.as_ref()]).as_ref())].concat()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}
