//! Whose the bot's token is, kept across restarts.
//!
//! Owns the form in which it is kept: sealed by the token itself, so that what Slack told of another
//! token is never taken for this one's. Must not know what hangs on it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::seal::{Purpose, Sealer};
use crate::slack::people::Identity;
use crate::store::Store;

/// What a seal is bound to besides the token.
const ID: &str = "identity";

/// How long before what the database did not take is written again.
const PAUSE: Duration = Duration::from_secs(30);

/// What is kept of one token. No `Debug`: it holds a key.
pub(super) struct Kept {
    store: Store,
    sealer: Sealer,
}

impl Kept {
    /// What is kept of `token`.
    pub(super) fn of(token: SecretString, store: Store) -> Self {
        Self { store, sealer: Sealer::new(&[token], Purpose::Identity) }
    }

    /// Keeps it by another token from now on.
    pub(super) fn renew(&self, token: &SecretString) {
        self.sealer.renew(std::slice::from_ref(token));
    }

    /// What Slack told last of this token.
    pub(super) async fn read(&self) -> Option<Identity> {
        let kept = self.store.kept_identity().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read which workspace the bot belongs to");
            None
        })?;
        serde_json::from_str(self.sealer.open(&kept, ID)?.expose_secret()).ok()
    }

    /// Keeps whatever Slack tells of it from now on.
    pub(super) async fn keep(self: Arc<Self>, mut told: watch::Receiver<Option<Identity>>, clock: Clock) {
        while told.changed().await.is_ok() {
            loop {
                // The newest, also where an older one could not be written.
                let known = told.borrow_and_update().clone();
                let Some(known) = known else { break };
                if self.write(&known, clock.now()).await {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Keeps what Slack tells of it now. Whether it is kept: what could not be written is to be written
    /// again, since Slack tells the same only once.
    pub(super) async fn write(&self, identity: &Identity, now: Timestamp) -> bool {
        let Identity { team_id, enterprise_id, site, .. } = identity;
        let site = site.as_ref().map(url::Url::as_str);
        let body = json!({ "team_id": team_id, "enterprise_id": enterprise_id, "url": site }).to_string();
        let Ok(sealed) = self.sealer.seal(&body, ID) else { return true };
        let kept = self.store.keep_identity(&sealed, now).await;
        if let Err(error) = &kept {
            tracing::warn!(%error, "could not keep which workspace the bot belongs to");
        }
        kept.is_ok()
    }
}
