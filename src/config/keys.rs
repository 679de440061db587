//! Reads the variables of Fivetran's keys.
//!
//! Owns what makes a key whole: its two halves, in one variable or two, and the day on which it
//! expires. A fault never repeats a value.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::halves::Text;
use super::reader::{PlainHttp, Reader};
use crate::fivetran::keys::ApiKey;
use crate::fivetran::{API_URL, FivetranConfig};

/// Of both halves of a key.
const KEY_REMEDY: &str = "copy both halves of your key; if you have none, make one at fivetran.com/account/settings, under your name > API key (that ends an earlier one)";

/// The key that takes the first one's place.
const SECOND_KEY: &str = "FIVETRAN_API_KEY_2";
/// Of both halves of the second one: a person has one key, so a new one of theirs would end the first.
const SECOND_KEY_REMEDY: &str =
    "copy both halves of the second key, which is another user's or a system key, or unset it";

impl Reader<'_> {
    /// The beginning of a day in UTC: whatever hour is meant, it is not earlier.
    fn day(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.vars.get(name)?;
        let day: Option<jiff::civil::Date> = text.parse().ok();
        let begins = day.and_then(|day| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp()));
        if begins.is_none() {
            self.fault(name, "is not a date", "write the day on which the key expires as 2027-03-31");
        }
        begins
    }

    pub(super) fn fivetran(&mut self) -> Option<FivetranConfig> {
        let expires = self.day("FIVETRAN_API_KEY_EXPIRES");
        let key = self.api_key("FIVETRAN_API_KEY", "FIVETRAN_API_SECRET", expires);
        // Two keys are valid at once only while one takes the other's place.
        let (key_2, secret_2) = (SECOND_KEY, "FIVETRAN_API_SECRET_2");
        let expires_2 = self.day("FIVETRAN_API_KEY_2_EXPIRES");
        let second_key = if self.has_secret(key_2) || self.has_secret(secret_2) {
            Some(self.api_key(key_2, secret_2, expires_2))
        } else {
            if expires_2.is_some() {
                self.remarks.push(format!(
                    "{key_2}_EXPIRES is set, but {key_2} is not; did you mean FIVETRAN_API_KEY_EXPIRES?"
                ));
            }
            None
        };
        let name = "FIVETRAN_API_URL";
        let api_url = self.vars.get(name).unwrap_or(API_URL).to_owned();
        let mut api_url = self.url(name, &api_url, PlainHttp::LoopbackOnly)?;
        if let Some(without) = api_url.strip_suffix("/v1") {
            api_url = without.trim_end_matches('/').to_owned();
            self.remarks.push(format!("{name} ends with /v1, which isn't needed; the bot leaves it out"));
        }
        let second_key = second_key.map_or(Some(None), |key| key.map(Some))?;
        let key = key?;
        let same = |second: &ApiKey| {
            second.key.expose_secret() == key.key.expose_secret()
                && second.secret.expose_secret() == key.secret.expose_secret()
        };
        let (twice, second_key) = match second_key {
            Some(second) if same(&second) => (true, None),
            second => (false, second),
        };
        if twice {
            self.remarks.push(format!(
                "{key_2} is the same key as FIVETRAN_API_KEY, so it cannot take its place; the bot passes over it"
            ));
        }
        Some(FivetranConfig { api_url, key, second_key })
    }

    /// Both halves of a key. One variable alone may hold both, as `fivetran-cli` wants it.
    fn api_key(
        &mut self,
        variable: &'static str,
        secret_variable: &str,
        expires: Option<Timestamp>,
    ) -> Option<ApiKey> {
        let (key, key_is_faulty) = self.half(variable);
        let (secret, secret_is_faulty) = self.half(secret_variable);
        let text = |half: &Option<SecretString>| half.as_ref().map(|half| Text::of(half.expose_secret()));
        let same = |whole: &(String, String), other: &Option<SecretString>, other_text: &Option<Text>| {
            let (first, second) = whole;
            other.as_ref().is_none_or(|other| other.expose_secret() == second)
                || matches!(other_text, Some(Text::Encoded(a, b) | Text::Plain(a, b)) if a == first && b == second)
        };
        let (key_text, secret_text) = (text(&key), text(&secret));
        let remark = |holder: &str| format!("{holder} holds a key and its secret in one; both are used");
        match (key_text, secret_text) {
            (Some(Text::Encoded(first, second) | Text::Plain(first, second)), secret_text) => {
                let whole = (first, second);
                if secret_is_faulty {
                    return None;
                }
                if !same(&whole, &secret, &secret_text) {
                    let problem = format!("is not the secret that {variable} holds behind its key");
                    self.fault(secret_variable, &problem, "unset it, or set the two to one key's halves");
                    return None;
                }
                self.remarks.push(remark(variable));
                Some(ApiKey { variable, key: whole.0.into(), secret: whole.1.into(), expires })
            }
            (None, Some(Text::Encoded(first, second))) if !key_is_faulty => {
                self.remarks.push(remark(secret_variable));
                Some(ApiKey { variable, key: first.into(), secret: second.into(), expires })
            }
            (key_text, secret_text) => {
                let mut odd = false;
                for (name, text) in [(variable, &key_text), (secret_variable, &secret_text)] {
                    if *text == Some(Text::Odd) {
                        odd = true;
                        self.fault(
                            name,
                            "looks like Base64, but there is no key:secret in it",
                            "set it to its half of the key as Fivetran shows it, or to the Base64 of key:secret",
                        );
                    }
                }
                let remedy = if variable == SECOND_KEY { SECOND_KEY_REMEDY } else { KEY_REMEDY };
                if key.is_none() && !key_is_faulty {
                    self.not_set(variable, remedy);
                }
                if secret.is_none() && !secret_is_faulty {
                    self.not_set(secret_variable, remedy);
                }
                let (key, mut secret) = (key?, secret?);
                if odd {
                    return None;
                }
                match secret_text {
                    Some(Text::Encoded(first, second) | Text::Plain(first, second))
                        if first == key.expose_secret() =>
                    {
                        self.remarks
                            .push(format!("{secret_variable} holds the key too; only its secret is used"));
                        secret = second.into();
                    }
                    Some(Text::Encoded(..)) => {
                        let problem =
                            format!("holds a key and its secret, and the key is not the one in {variable}");
                        self.fault(secret_variable, &problem, "set the two to one key's halves");
                        return None;
                    }
                    _ => {}
                }
                Some(ApiKey { variable, key, secret, expires })
            }
        }
    }

    /// What a variable holds, if anything; and whether that was faulty, so that it is not missing.
    fn half(&mut self, name: &str) -> (Option<SecretString>, bool) {
        let before = self.faults.0.len();
        let half = self.secret(name);
        (half, self.faults.0.len() > before)
    }
}
