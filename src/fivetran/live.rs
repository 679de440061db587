//! The catalogue that is in force: the one that was kept last, or else the built-in one, until
//! Fivetran's own has been fetched.
//!
//! Owns how it is fetched and how often, and the shape in which it is kept. Must not know who looks
//! things up in it, nor where it is kept.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Fivetran;
use super::catalog::{Catalog, Row};

/// How often the catalogue is fetched; services come and go within weeks.
const REFRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon a fetch that failed is repeated.
const RETRY: Duration = Duration::from_secs(5 * 60);
/// How long somebody waits for the first fetch whose word may be newer than what is known. With what
/// else is done before an acknowledgement that is within Slack's three seconds.
const FIRST_FETCH: Duration = Duration::from_secs(1);

/// The catalogue in force, which a fetched one replaces.
pub struct CurrentCatalog {
    catalog: RwLock<Arc<Catalog>>,
    /// Set when the first fetch has come to its end, whichever.
    tried: CancellationToken,
}

impl Default for CurrentCatalog {
    fn default() -> Self {
        Self::of(Catalog::built_in())
    }
}

impl CurrentCatalog {
    /// Begins with the catalogue that was kept, if it can still be read.
    #[must_use]
    pub fn kept(body: Option<&str>) -> Self {
        let rows = body.and_then(|body| serde_json::from_str::<Vec<Row>>(body).ok());
        rows.and_then(Catalog::from_live).map_or_else(Self::default, Self::of)
    }

    fn of(catalog: Catalog) -> Self {
        Self { catalog: RwLock::new(Arc::new(catalog)), tried: CancellationToken::new() }
    }

    /// The catalogue now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The catalogue once the first fetch is over, or after a second.
    pub async fn after_first_fetch(&self) -> Arc<Catalog> {
        let _ = tokio::time::timeout(FIRST_FETCH, self.tried.cancelled()).await;
        self.current()
    }

    /// Fetches the catalogue at once and then again and again until `stop`; each one goes to
    /// `fetched`, with the shape in which it may be kept, once it is in force.
    pub async fn keep_fresh<F: Future<Output = ()> + Send>(
        &self,
        fivetran: &Fivetran,
        stop: &CancellationToken,
        fetched: impl Fn(&Catalog, String) -> F,
    ) {
        loop {
            let rows = fetch(fivetran).await;
            let body = rows.as_ref().map(|rows| serde_json::to_string(rows).unwrap_or_default());
            let catalog = rows.and_then(Catalog::from_live).map(Arc::new);
            if let Some(catalog) = &catalog {
                *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(catalog);
            }
            self.tried.cancel();
            let pause = match (catalog, body) {
                (Some(catalog), Some(body)) => {
                    tracing::debug!(services = catalog.len(), "fetched Fivetran's catalogue");
                    fetched(&catalog, body).await;
                    REFRESH
                }
                _ => RETRY,
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
    fetch(fivetran).await.and_then(Catalog::from_live)
}

async fn fetch(fivetran: &Fivetran) -> Option<Vec<Row>> {
    match fivetran.connector_types().await {
        Ok(types) => Some(types.into_iter().map(super::model::ConnectorType::row).collect()),
        Err(error) => {
            tracing::info!(%error, "could not fetch Fivetran's catalogue; using the last one known");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_a_second_and_nobody_after_the_first_fetch() {
        let catalog = CurrentCatalog::default();
        let began = tokio::time::Instant::now();
        catalog.after_first_fetch().await;
        assert_eq!(began.elapsed(), FIRST_FETCH);
        catalog.tried.cancel();
        catalog.after_first_fetch().await;
        assert_eq!(began.elapsed(), FIRST_FETCH);
    }

    #[test]
    fn what_was_kept_is_in_force_and_what_cannot_be_read_is_not() {
        let rows = vec![Row::from(("brand_new".to_owned(), "Brand New".to_owned(), None))];
        let body = serde_json::to_string(&rows).unwrap();
        let kept = CurrentCatalog::kept(Some(&body)).current();
        assert_eq!((kept.len(), kept.get("brand_new").is_some()), (1, true));
        for body in [None, Some("[]"), Some("{"), Some("[5]")] {
            assert_eq!(CurrentCatalog::kept(body).current().len(), Catalog::built_in().len(), "{body:?}");
        }
    }
}
