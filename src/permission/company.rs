//! Who else is in a channel: whether a link that is posted there would be for more than one customer.
//!
//! Owns how many are too many to be posted to unasked, how long Slack is waited for, and that without Slack's
//! scopes nothing is asked. What follows is [`crate::journal`]'s decision.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{Gap, Gate, Unclear, patience};
use crate::journal::{Company, Others};

/// Longest wait for one look, with all that it takes. The command has been acknowledged, and nothing is made
/// before; three of them in vain are still less than anybody waits without a word.
const PATIENCE: Duration = patience(2000);
/// Organisations besides the bot's own to which a link is posted unasked: its customer's.
const CUSTOMERS: u32 = 1;
/// By either of these some channels are shown.
const SCOPES: [&str; 2] = ["channels:read", "groups:read"];

impl Gate {
    /// Who else is in a channel. Takes two seconds at most.
    pub async fn company(&self, channel_id: &str, now: Timestamp) -> Company {
        let seen = timeout(PATIENCE, self.look_around(channel_id, now)).await;
        let company = seen.unwrap_or(Err(Unclear::Silent)).unwrap_or_else(|unclear| match unclear {
            unclear if unclear.may_pass() => {
                if !self.untold.swap(true, Ordering::Relaxed) {
                    tracing::warn!(?unclear, "Slack doesn't say who else is in a channel; it is asked again");
                }
                Company::Untold
            }
            unclear => {
                tracing::debug!(channel = channel_id, ?unclear, "who else is in a channel is not shown");
                Company::Hidden
            }
        });
        if matches!(company, Company::Few | Company::Many(_)) {
            self.untold.store(false, Ordering::Relaxed);
        }
        company
    }

    async fn look_around(&self, channel_id: &str, now: Timestamp) -> Result<Company, Unclear> {
        if self.directory.scopes(now).await.is_some_and(|granted| !is_guarded(&granted)) {
            return Err(Unclear::MissingScope(SCOPES[0]));
        }
        let (channel, own) =
            tokio::join!(self.directory.channel(channel_id, now), self.directory.identity(now));
        let own = own.ok().or_else(|| self.directory.identity_before());
        let (connected, invited) = channel?.others(own.as_ref());
        let others = Others { connected, invited };
        Ok(if others.all() > CUSTOMERS { Company::Many(others) } else { Company::Few })
    }
}

/// What is posted unasked with these scopes, where links are shown to whole channels.
pub fn unguarded(scopes: &[String]) -> impl Iterator<Item = Gap> {
    let sentences = [
        "without the scope channels:read, nobody is asked before a link goes into a public channel that several other \
         organisations share; add it under OAuth & Permissions and reinstall the app",
        "without the scope groups:read, nobody is asked before a link goes into a private channel that several other \
         organisations share; add it under OAuth & Permissions and reinstall the app",
    ];
    let missing = SCOPES.into_iter().zip(sentences).filter(|(scope, _)| !scopes.iter().any(|it| it == scope));
    missing.map(|(_, sentence)| Gap { sentence, shuts_out: false })
}

/// Whether any channel is shown by these scopes.
fn is_guarded(granted: &[String]) -> bool {
    SCOPES.iter().any(|scope| granted.iter().any(|known| known == scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_unasked_follows_from_the_scopes() {
        for (granted, unasked, guarded) in [
            (&[][..], &["channels:read", "groups:read"][..], false),
            (&["chat:write"], &["channels:read", "groups:read"], false),
            (&["channels:read"], &["groups:read"], true),
            (&["chat:write", "groups:read"], &["channels:read"], true),
            (&["groups:read", "channels:read"], &[], true),
        ] {
            let scopes: Vec<_> = granted.iter().map(|&scope| scope.to_owned()).collect();
            let gaps: Vec<_> = unguarded(&scopes).collect();
            assert_eq!(gaps.len(), unasked.len(), "{granted:?}");
            for (gap, scope) in gaps.iter().zip(unasked) {
                assert!(gap.sentence.contains(scope) && !gap.shuts_out, "{granted:?}");
            }
            assert_eq!(is_guarded(&scopes), guarded, "{granted:?}");
        }
    }
}
