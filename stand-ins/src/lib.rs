//! Stand-ins for Slack and Fivetran: real HTTP on loopback, real state, and faults on request.
//!
//! The bot's tests and its `sandbox` run against them, so they must not know the bot: this crate
//! does not depend on it, and a mistake in the bot's types or its HTTP code cannot hide by being
//! made on both sides. The time, and the client with which Slack calls the bot, come from whoever
//! starts a stand-in.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value cannot panic: it gives null")]

pub mod chaos;
mod clock;
mod encoding;
pub mod fault;
pub mod fivetran;
pub mod slack;
pub mod tape;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere does not make a stand-in's data useless.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the tests give to a stand-in and call it with.
#[cfg(test)]
mod outside {
    use std::sync::OnceLock;

    use jiff::Timestamp;
    use reqwest::Client;

    pub(crate) fn now() -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the time that comes from outside")]
        Timestamp::now()
    }

    /// A client that keeps no connection, since a fault may have closed it.
    pub(crate) fn client() -> Client {
        static CLIENT: OnceLock<Client> = OnceLock::new();
        CLIENT.get_or_init(build).clone()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the client that comes from outside")]
    fn build() -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let redirect = reqwest::redirect::Policy::none();
        Client::builder().pool_max_idle_per_host(0).redirect(redirect).build().unwrap()
    }
}
