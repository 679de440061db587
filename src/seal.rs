//! Sealing: how a secret is kept where others can read, so that reading is not enough to use it. A
//! response_url in the database, the draft behind a form that Slack keeps for us, and what a customer's browser
//! keeps of its visit.
//!
//! Owns the key derivation and the sealed form. A seal is bound to what it belongs to (a command's
//! id, a form and its person, a link), so that it cannot be moved to another. Authenticated encryption is
//! ChaCha20-Poly1305 (RFC 8439) under a key that HKDF-SHA256 (RFC 5869) derives from Slack's signing
//! secret, or without one from the app-level token, for each purpose another; what is known of a token, from
//! that token.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use crate::current::Current;

/// How many keys are kept: what a seal is for lives half an hour, or a day, and secrets change rarely.
const KEPT: usize = 16;

/// What is sealed. What was sealed for one purpose does not open for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A response_url in the database, under its command's id.
    ResponseUrl,
    /// What a form has to bring back, under the form and its person.
    Draft,
    /// Whose a token is, by that token.
    Identity,
    /// That a browser has come from a Connect Card, under the link whose card that was.
    Visit,
}

impl Purpose {
    /// Keeps each key apart from any other that is derived from the same secret.
    fn salt(self) -> &'static [u8] {
        match self {
            Self::ResponseUrl => b"connect-card response_url v1",
            Self::Draft => b"connect-card draft v1",
            Self::Identity => b"connect-card identity v1",
            Self::Visit => b"connect-card visit v1",
        }
    }
}

/// The keys of one purpose: one for each secret in force, the newest first. Clones share them.
#[derive(Clone)]
pub struct Sealer {
    purpose: Purpose,
    keys: Current<Vec<Arc<Key>>>,
    random: SystemRandom,
}

/// The key that a secret gives for a purpose, and what tells it from others.
struct Key {
    name: [u8; 32],
    key: LessSafeKey,
}

/// The system's random numbers failed.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// A new reference: ten characters that can be read out on the phone, and that nobody guesses. `None`
/// when the system has no random numbers.
#[must_use]
pub fn reference() -> Option<String> {
    // Crockford's base 32: no I, L, O and U.
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = [0_u8; 10];
    SystemRandom::new().fill(&mut bytes).ok()?;
    bytes.iter().map(|byte| DIGITS.get(usize::from(byte % 32)).map(|&digit| char::from(digit))).collect()
}

impl Sealer {
    /// Derives the keys. Seals with the first secret, opens with any.
    #[must_use]
    pub fn new(secrets: &[SecretString], purpose: Purpose) -> Self {
        Self { purpose, keys: Current::new(keys(secrets, purpose)), random: SystemRandom::new() }
    }

    /// Seals with the first of these from now on. What was sealed before still opens, until the process
    /// ends or `KEPT` others have come.
    pub fn renew(&self, secrets: &[SecretString]) {
        let mut renewed = keys(secrets, self.purpose);
        for before in self.keys.get().iter() {
            // Many a reload brings the same once more, which must push no other one out.
            if renewed.iter().all(|key| key.name != before.name) {
                renewed.push(Arc::clone(before));
            }
        }
        renewed.truncate(KEPT);
        self.keys.replace(renewed);
    }

    /// Seals `secret` for `id`: a nonce and the ciphertext, in base64.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn seal(&self, secret: &str, id: &str) -> Result<String, NoRandomness> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| NoRandomness)?;
        let keys = self.keys.get();
        let key = keys.first().ok_or(NoRandomness)?;
        let mut sealed = secret.as_bytes().to_vec();
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id), &mut sealed)
            .map_err(|_| NoRandomness)?;
        Ok(BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what [`Self::seal`] made for `id`; `None` if no key in force fits.
    #[must_use]
    pub fn open(&self, sealed: &str, id: &str) -> Option<SecretString> {
        let bytes = BASE64_STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.keys.get().iter().find_map(|key| {
            let mut buffer = ciphertext.to_vec();
            let plain = key
                .key
                .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(id), &mut buffer)
                .ok()?;
            Some(SecretString::from(std::str::from_utf8(plain).ok()?.to_owned()))
        })
    }
}

/// The key that each secret gives for a purpose.
fn keys(secrets: &[SecretString], purpose: Purpose) -> Vec<Arc<Key>> {
    let keys = secrets.iter().filter_map(|secret| {
        let prk =
            hkdf::Salt::new(hkdf::HKDF_SHA256, purpose.salt()).extract(secret.expose_secret().as_bytes());
        let okm = prk.expand(&[b"seal"], &CHACHA20_POLY1305).ok()?;
        let mut name = [0; 32];
        prk.expand(&[b"name"], hkdf::HKDF_SHA256).ok()?.fill(&mut name).ok()?;
        Some(Arc::new(Key { name, key: LessSafeKey::new(UnboundKey::from(okm)) }))
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secrets: &[&str]) -> Sealer {
        of(Purpose::ResponseUrl, secrets)
    }

    fn of(purpose: Purpose, secrets: &[&str]) -> Sealer {
        let secrets: Vec<_> = secrets.iter().map(|&secret| SecretString::from(secret.to_owned())).collect();
        Sealer::new(&secrets, purpose)
    }

    fn opened(sealer: &Sealer, sealed: &str, id: &str) -> Option<String> {
        sealer.open(sealed, id).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_seal_opens_with_its_secret_for_its_command_alone() {
        let url = "https://hooks.slack.com/commands/T1/2/abc";
        let sealed = sealer(&["one"]).seal(url, "id").unwrap();
        assert!(!sealed.contains("hooks"));
        assert_eq!(opened(&sealer(&["one"]), &sealed, "id").as_deref(), Some(url));
        assert_eq!(opened(&sealer(&["one"]), &sealed, "other"), None);
        assert_eq!(opened(&sealer(&["two"]), &sealed, "id"), None);
        assert_ne!(sealer(&["one"]).seal(url, "id").unwrap(), sealed, "each seal has a nonce of its own");
    }

    #[test]
    fn a_seal_opens_for_its_purpose_alone() {
        let sealed = of(Purpose::Draft, &["one"]).seal("x", "id").unwrap();
        assert_eq!(opened(&of(Purpose::Draft, &["one"]), &sealed, "id").as_deref(), Some("x"));
        assert_eq!(opened(&sealer(&["one"]), &sealed, "id"), None);
    }

    #[test]
    fn a_seal_outlives_the_rotation_of_the_secret() {
        let sealed = sealer(&["old"]).seal("x", "id").unwrap();
        assert_eq!(opened(&sealer(&["new", "old"]), &sealed, "id").as_deref(), Some("x"));
        assert_eq!(opened(&sealer(&["new"]), &sealed, "id"), None);
    }

    #[test]
    fn a_seal_outlives_a_secret_that_is_replaced_while_it_is_in_force() {
        let one = sealer(&["old"]);
        let sealed = one.seal("x", "id").unwrap();
        one.clone().renew(&[SecretString::from("new".to_owned())]);
        assert_eq!(opened(&one, &sealed, "id").as_deref(), Some("x"));
        let sealed = one.seal("y", "id").unwrap();
        assert_eq!(opened(&sealer(&["new"]), &sealed, "id").as_deref(), Some("y"));
    }

    #[test]
    fn what_is_named_again_and_again_pushes_out_no_other_secret() {
        let secrets = |names: &[&str]| -> Vec<_> {
            names.iter().map(|&name| SecretString::from(name.to_owned())).collect()
        };
        let one = sealer(&["old"]);
        let sealed = one.seal("x", "id").unwrap();
        for _ in 0..KEPT {
            one.renew(&secrets(&["a", "b", "c", "d"]));
            one.renew(&secrets(&["b", "a", "c", "d"]));
        }
        assert_eq!(opened(&one, &sealed, "id").as_deref(), Some("x"));
        // The first seals, also where it has been there before.
        one.renew(&secrets(&["old"]));
        let sealed = one.seal("y", "id").unwrap();
        assert_eq!(opened(&sealer(&["old"]), &sealed, "id").as_deref(), Some("y"));
    }

    #[test]
    fn what_is_damaged_does_not_open() {
        let sealed = sealer(&["one"]).seal("x", "id").unwrap();
        for damaged in ["", "AAAA", "!", &sealed[..sealed.len() - 1], &format!("B{}", &sealed[1..])] {
            if damaged != sealed {
                assert_eq!(opened(&sealer(&["one"]), damaged, "id"), None, "{damaged}");
            }
        }
    }

    #[test]
    fn references_can_be_read_out_and_are_not_guessed() {
        let references: Vec<_> = (0..500).map(|_| reference().unwrap()).collect();
        let used: std::collections::BTreeSet<char> = references.iter().flat_map(|it| it.chars()).collect();
        assert_eq!(String::from_iter(used), "0123456789ABCDEFGHJKMNPQRSTVWXYZ", "each of them, and no other");
        assert!(references.iter().all(|reference| reference.len() == 10));
        assert_eq!(references.iter().collect::<std::collections::HashSet<_>>().len(), references.len());
    }
}
