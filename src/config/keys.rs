//! Reads the variables of Fivetran's keys.
//!
//! Owns what makes a key whole: its two halves, in one variable or two, and the day on which it
//! expires. A fault never repeats a value.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::halves;
use super::reader::{PlainHttp, Reader};
use crate::fivetran::FivetranConfig;
use crate::fivetran::keys::ApiKey;

/// Of both halves of a key.
const KEY_REMEDY: &str =
    "create a key at fivetran.com/account/settings, under your name > API key, and copy both halves";

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
        let (key_2, secret_2) = ("FIVETRAN_API_KEY_2", "FIVETRAN_API_SECRET_2");
        let second_key = if self.has_secret(key_2) || self.has_secret(secret_2) {
            let expires = self.day("FIVETRAN_API_KEY_2_EXPIRES");
            Some(self.api_key(key_2, secret_2, expires))
        } else {
            None
        };
        let name = "FIVETRAN_API_URL";
        let api_url = self.vars.get(name).unwrap_or("https://api.fivetran.com").to_owned();
        let mut api_url = self.url(name, &api_url, PlainHttp::LoopbackOnly)?;
        if let Some(without) = api_url.strip_suffix("/v1") {
            api_url = without.trim_end_matches('/').to_owned();
            self.remarks.push(format!("{name} ends with /v1, which isn't needed; the bot leaves it out"));
        }
        let second_key = second_key.map_or(Some(None), |key| key.map(Some))?;
        Some(FivetranConfig { api_url, key: key?, second_key })
    }

    /// Both halves of a key. The first variable alone may hold both, as `fivetran-cli` wants it.
    fn api_key(
        &mut self,
        variable: &'static str,
        secret_variable: &str,
        expires: Option<Timestamp>,
    ) -> Option<ApiKey> {
        let key = self.required_secret(variable, KEY_REMEDY);
        if let Some((first, second)) = key.as_ref().and_then(|key| halves::of(key.expose_secret())) {
            let before = self.faults.0.len();
            let other = self.secret(secret_variable);
            if self.faults.0.len() > before {
                return None;
            }
            let same = |other: &SecretString| {
                let other = other.expose_secret();
                other == second || key.as_ref().is_some_and(|key| key.expose_secret() == other)
            };
            if other.is_some_and(|other| !same(&other)) {
                let problem = format!("is not the secret that {variable} holds behind its key");
                self.fault(secret_variable, &problem, "unset it, or set the two to one key's halves");
                return None;
            }
            self.remarks.push(format!("{variable} holds a key and its secret in one; both are used"));
            return Some(ApiKey { variable, key: first.into(), secret: second.into(), expires });
        }
        let secret = self.required_secret(secret_variable, KEY_REMEDY);
        let (key, mut secret) = (key?, secret?);
        let joined = halves::of(secret.expose_secret()).filter(|(first, _)| key.expose_secret() == first);
        if let Some((_, second)) = joined {
            self.remarks.push(format!("{secret_variable} holds the key too; only its secret is used"));
            secret = second.into();
        }
        Some(ApiKey { variable, key, secret, expires })
    }
}
