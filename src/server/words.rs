//! What the words of a command can refer to, whichever way it comes in.
//!
//! Owns nothing but what is configured and the catalogue in force. Must not know a request.

use std::sync::Arc;

use tokio::time::timeout_at;

use super::deadline::Deadline;
use crate::command::Vocabulary;
use crate::command::bundle::Bundles;
use crate::command::places::{Channels, Destinations};
use crate::command::surface::Surface;
use crate::fivetran::catalog::Catalog;
use crate::fivetran::live::CurrentCatalog;

/// What the words of a command can refer to, in every channel.
pub struct Words {
    /// The services as they are now.
    pub catalog: Arc<CurrentCatalog>,
    /// The destinations.
    pub destinations: Destinations,
    /// What holds in which channel.
    pub channels: Arc<Channels>,
    /// Services that have a name together.
    pub bundles: Arc<Bundles>,
}

impl Words {
    /// The catalogue that a word is looked up in which the one in force does not know: right after a
    /// start, the last word is still to come from Fivetran.
    pub(super) async fn newest(&self, deadline: Deadline) -> Arc<Catalog> {
        let newest = timeout_at(deadline.early(), self.catalog.after_first_fetch()).await;
        newest.unwrap_or_else(|_| self.catalog.current())
    }

    /// What they can refer to in one channel.
    pub(super) fn in_channel<'a>(
        &'a self,
        catalog: &'a Catalog,
        slash: &'a str,
        channel_id: &str,
    ) -> Vocabulary<'a> {
        Vocabulary {
            slash: Surface::of(slash),
            catalog,
            destinations: &self.destinations,
            channel: self.channels.of(channel_id),
            bundles: &self.bundles,
        }
    }
}
