//! The keys under which Fivetran is called: one, or two while one takes the other's place.
//!
//! Owns which of the two is in use. Must not know what is called, nor what an answer says beyond
//! its status.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use reqwest::{Client, Request, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use crate::current::Current;

/// A key with its secret. No `Debug`: it holds both.
#[derive(Clone)]
pub struct ApiKey {
    /// The variable that it comes from.
    pub variable: &'static str,
    /// What stands before the colon in HTTP's Basic authentication.
    pub key: SecretString,
    /// What stands behind it.
    pub secret: SecretString,
    /// When it expires, as far as the configuration says.
    pub expires: Option<Timestamp>,
}

impl ApiKey {
    async fn send(&self, client: &Client, request: Request) -> reqwest::Result<Response> {
        RequestBuilder::from_parts(client.clone(), request)
            .basic_auth(self.key.expose_secret(), Some(self.secret.expose_secret()))
            .send()
            .await
    }
}

/// One or two keys of the same account, and which of them is in use. Clones share that. No `Debug`.
#[derive(Clone)]
pub(super) struct Keys(Current<Pair>);

struct Pair {
    first: ApiKey,
    second: Option<ApiKey>,
    second_is_in_use: AtomicBool,
}

impl Keys {
    /// The first is in use until Fivetran rejects it.
    pub(super) fn new(first: ApiKey, second: Option<ApiKey>) -> Self {
        Self(Current::new(Pair { first, second, second_is_in_use: AtomicBool::default() }))
    }

    /// Puts others in their place, of the same account.
    pub(super) fn renew(&self, first: ApiKey, second: Option<ApiKey>) {
        self.0.replace(Pair { first, second, second_is_in_use: AtomicBool::default() });
    }

    /// The key that the next call is made with.
    pub(super) fn in_use(&self) -> ApiKey {
        self.0.get().in_use().clone()
    }

    /// The one that takes its place when Fivetran rejects it.
    pub(super) fn other(&self) -> Option<ApiKey> {
        let pair = self.0.get();
        pair.beside(pair.in_use()).cloned()
    }

    /// Sends a request with the key in use, and once more with the other one if Fivetran rejects
    /// that key.
    ///
    /// To send it once more is safe whatever it asks for, a creation too: who the caller is comes
    /// before all else, so a 401 says that nothing was done. After any other answer, and after none,
    /// nothing is repeated here.
    pub(super) async fn send(&self, client: &Client, request: Request) -> reqwest::Result<Response> {
        let again = request.try_clone();
        let pair = self.0.get();
        let key = pair.in_use();
        let response = key.send(client, request).await?;
        let (Some(other), Some(again)) = (pair.beside(key), again) else { return Ok(response) };
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let second_response = other.send(client, again).await?;
        if second_response.status() != StatusCode::UNAUTHORIZED {
            pair.use_from_now_on(other, key);
        }
        Ok(second_response)
    }
}

impl Pair {
    fn in_use(&self) -> &ApiKey {
        match &self.second {
            Some(second) if self.second_is_in_use.load(Ordering::Relaxed) => second,
            _ => &self.first,
        }
    }

    /// The other one of two.
    fn beside(&self, key: &ApiKey) -> Option<&ApiKey> {
        let second = self.second.as_ref()?;
        Some(if key.variable == second.variable { &self.first } else { second })
    }

    /// Calls that were under way together find out together: only the first of them says so.
    fn use_from_now_on(&self, other: &ApiKey, rejected: &ApiKey) {
        let second = other.variable != self.first.variable;
        if self.second_is_in_use.swap(second, Ordering::Relaxed) != second {
            tracing::warn!(
                rejected = rejected.variable,
                used = other.variable,
                "Fivetran rejects one of the two keys; the other one is used from now on"
            );
        }
    }
}
