//! The check of CONFIG's defaults against Fivetran's metadata, once, beside the bot as it runs.
//!
//! Owns when Fivetran is asked, and what the log is told. What is wrong with a value is
//! [`crate::fivetran::defaults`]'s to say. Nothing waits for it: a bot starts without Fivetran.

use std::time::Duration;

use crate::current::Current;
use crate::fivetran::Fivetran;
use crate::fivetran::catalog::ServiceId;
use crate::fivetran::defaults::ServiceDefaults;
use crate::fivetran::error::Error;
use crate::outbound::Obstacle;

/// How soon Fivetran is asked again that could not be asked; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Until it is this long, which is how often the catalogue is tried.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Asks Fivetran about each service whose config keys have defaults, one after another, and takes out of
/// `services` what must not be sent. What Fivetran does not answer is asked again.
pub(super) async fn check(fivetran: &Fivetran, services: &Current<ServiceDefaults>) {
    let mut left = services.get().with_config();
    let (count, mut well, mut pause) = (left.len(), 0, None);
    while !left.is_empty() {
        let mut unanswered = Vec::new();
        for service in left {
            match fivetran.config_keys(&service).await {
                Ok(known) => {
                    let remarks = services.get().judge(&service, &known);
                    well += usize::from(remarks.is_empty());
                    // What the log says is so by then.
                    services.replace(services.get().without_what_is_dropped(&remarks));
                    for remark in remarks {
                        if remark.verdict.drops() {
                            tracing::error!("CONFIG: {remark}");
                        } else {
                            tracing::warn!("CONFIG: {remark}");
                        }
                    }
                }
                Err(error) if may_pass(&error) => {
                    if pause.is_none() {
                        unchecked(&service, &error, "; it is tried again");
                    }
                    unanswered.push(service);
                }
                Err(error) => unchecked(&service, &error, ""),
            }
        }
        left = unanswered;
        if !left.is_empty() {
            let next = pause.map_or(FIRST_PAUSE, |pause: Duration| LONGEST_PAUSE.min(pause * 2));
            pause = Some(next);
            tokio::time::sleep(next).await;
        }
    }
    if count > 0 && well == count {
        tracing::info!(services = count, "Fivetran's metadata knows all config values of CONFIG");
    }
}

fn unchecked(service: &ServiceId, error: &Error, then: &str) {
    tracing::warn!(%error, "CONFIG: the config values of {service} could not be checked{then}");
}

/// Whether another answer can come without anybody's doing, or with another key.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::KeyRejected(_) | Error::Throttled(_) | Error::Unavailable(_) | Error::Unclear(_) => true,
        Error::Blocked(obstacle) => *obstacle != Obstacle::OddShape,
        // A key without the right to read metadata, and a service that has none.
        Error::Forbidden(_)
        | Error::NotFound(_)
        | Error::Gone(_)
        | Error::Rejected { .. }
        | Error::TooLarge { .. } => false,
    }
}
