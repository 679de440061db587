//! The catalogue that is in force: the built-in one until Fivetran's own has been fetched.
//!
//! Owns how it is fetched and how often. Must not know who looks things up in it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Fivetran;
use super::catalog::Catalog;

/// How often the catalogue is fetched; services come and go within weeks.
const REFRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon a fetch that failed is repeated.
const RETRY: Duration = Duration::from_secs(5 * 60);

/// The catalogue in force, which a fetched one replaces.
pub struct CurrentCatalog(RwLock<Arc<Catalog>>);

impl Default for CurrentCatalog {
    fn default() -> Self {
        Self(RwLock::new(Arc::new(Catalog::built_in())))
    }
}

impl CurrentCatalog {
    /// The catalogue now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the catalogue at once and then again and again until `stop`; each one goes to
    /// `fetched` before it is in force.
    pub async fn keep_fresh(
        &self,
        fivetran: &Fivetran,
        stop: &CancellationToken,
        fetched: impl Fn(&Catalog),
    ) {
        loop {
            let pause = match fetch_catalog(fivetran).await {
                Some(catalog) => {
                    tracing::debug!(services = catalog.len(), "fetched Fivetran's catalogue");
                    fetched(&catalog);
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
                    REFRESH
                }
                None => RETRY,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Fetches Fivetran's own catalogue; `None` when it cannot be had.
pub async fn fetch_catalog(fivetran: &Fivetran) -> Option<Catalog> {
    match fivetran.connector_types().await {
        Ok(types) => Catalog::from_live(
            types.into_iter().map(|it| (it.id.clone(), it.name.unwrap_or(it.id), it.service_status)),
        ),
        Err(error) => {
            tracing::info!(%error, "could not fetch Fivetran's catalogue; using the built-in one");
            None
        }
    }
}
