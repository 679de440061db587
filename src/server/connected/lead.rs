//! From one source of an onboarding to the next: what the landing page says then, and its button.
//!
//! Owns whom the button leads on, and the words around it. Whoever presses it has come from the Connect Card
//! of a source that is connected since; anybody else gets the page as it stands. The link is minted for
//! that press. It is sent to that browser as the address to go on to, and is nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};

use super::visit::Visit;
use super::{AGAIN, Address, Connected, Deadline, HEADERS, Mark, Over, Page};
use crate::life::{self, Link};
use crate::onboarding::{Following, Onboarding};

/// How often one visit may lead on within [`WINDOW`]: often enough for whoever presses twice and tries again.
const PRESSES: usize = 5;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// The presses of the last minute, by the link at whose page they were made. In memory: each process has its
/// share, and all of them together that of the watcher.
#[derive(Default)]
pub struct Presses(Mutex<Vec<(String, Timestamp)>>);

impl Presses {
    /// Counts a press; false if there were too many.
    fn allow(&self, link: &str, now: Timestamp) -> bool {
        let mut presses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        presses.retain(|(_, at)| now.duration_since(*at).abs() < WINDOW);
        let allowed = presses.iter().filter(|(of, _)| of == link).count() < PRESSES;
        if allowed {
            presses.push((link.to_owned(), now));
        }
        allowed
    }
}

/// The answer to the button.
pub async fn handle(
    State(connected): State<Arc<Connected>>,
    Path(at): Path<Address>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let pressed = connected.pressed(&at, &headers, Deadline::of(&extensions)).await;
    let Some((finished, next)) = pressed else {
        // The same page, which says what is so by now.
        return (StatusCode::SEE_OTHER, HEADERS, [(header::LOCATION, format!("?{AGAIN}"))]).into_response();
    };
    let card = match connected.presses.allow(&finished.id, connected.clock.now()) {
        true => connected.watcher.card(&next).await,
        false => None,
    };
    let address = card.and_then(|card| {
        // Not a redirect: browsers hold the page's policy of where its form leads against those too, and no
        // policy can name an address that Fivetran has yet to give.
        HeaderValue::from_str(&format!("0; url={}", card.expose_link())).ok()
    });
    let Some(address) = address else { return unavailable(&finished, &next).into_response() };
    tracing::info!(link = next.id, after = finished.id, "led a customer on to their next source");
    ([(header::REFRESH, address)], opening(&next)).into_response()
}

impl Connected {
    /// The source that was finished and the one that is next, if the button at this address leads on.
    async fn pressed(&self, at: &Address, headers: &HeaderMap, deadline: Deadline) -> Option<(Link, Link)> {
        if !self.visits.may_be_pressed(headers) {
            return None;
        }
        let link = self.stored(&at.link, deadline).await.ok()??.connection.link;
        let visit = self.visits.shown(headers, &link.id, self.clock.now())?;
        if !has_finished(&visit, &link, link.state, link.landed_at) {
            return None;
        }
        let onboarding = self.onboarding(&link, deadline).await.ok()??;
        match onboarding.following(&link.id) {
            Following::Next(next) => Some((link, next.clone())),
            Following::Later | Following::Done => None,
        }
    }

    /// The page of a source that is connected, for the browser that it was connected with. `None`: it has
    /// nothing to add.
    ///
    /// # Errors
    /// [`Over`]: the database does not say in time.
    pub(super) async fn lead(&self, link: &Link, deadline: Deadline) -> Result<Option<Page>, Over> {
        let onboarding = self.onboarding(link, deadline).await?;
        Ok(onboarding.and_then(|onboarding| leads(link, &onboarding)))
    }

    /// The onboarding of one customer that a link's source is part of. Sources that somebody has put together
    /// without a customer may be different ones'.
    async fn onboarding(&self, link: &Link, deadline: Deadline) -> Result<Option<Onboarding>, Over> {
        let Some(id) = link.onboarding.clone() else { return Ok(None) };
        let onboarding =
            self.looks.look(deadline, |store| async move { store.onboarding(&id).await }).await?;
        Ok(onboarding.filter(Onboarding::is_of_one_customer))
    }
}

/// What the page of a source that is connected says of the others.
fn leads(link: &Link, onboarding: &Onboarding) -> Option<Page> {
    let name = &link.request.service_name;
    let (connected, all) = onboarding.progress();
    let is = if connected == 1 { "is" } else { "are" };
    let page = Page::of(Mark::Done, format!("{name} is connected"));
    Some(match onboarding.following(&link.id) {
        Following::Next(next) => {
            let next_name = &next.request.service_name;
            let what = if next.state == life::State::Broken { "Fix" } else { "Connect" };
            let text = format!(
                "Next: {next_name}. {connected} of {all} {is} connected, and you can go on later with the \
                     buttons in Slack."
            );
            Page { text: text.into(), press: Some(format!("{what} {next_name}")), ..page }
        }
        Following::Later => {
            let text = format!(
                "{connected} of {all} {is} connected. The rest is still being set up: its buttons will appear \
                     in Slack, and here."
            );
            Page { text: text.into(), asks_again: Some(10), ..page }
        }
        Following::Done if all == 1 => return None,
        Following::Done => {
            let title =
                if all == 2 { "Both are connected".to_owned() } else { format!("All {all} are connected") };
            let text = format!(
                "{name} was the last one. Your sign-ins are complete, and there's nothing more to do. You can \
                     close this window."
            );
            Page { text: text.into(), ..Page::of(Mark::Done, title) }
        }
    })
}

/// Whether a source that stands so was finished with the browser that has made this visit.
pub(super) fn has_finished(
    visit: &Visit,
    link: &Link,
    state: life::State,
    landed_at: Option<Timestamp>,
) -> bool {
    state == life::State::Connected && visit.is(link.onboarding.as_deref(), landed_at)
}

/// What is seen until the Connect Card is there.
fn opening(next: &Link) -> Page {
    let name = &next.request.service_name;
    let text =
        format!("The page to sign in opens by itself. If it doesn't, use the button for {name} in Slack.");
    Page { text: text.into(), ..Page::of(Mark::Open, format!("Opening {name}")) }
}

/// There is no card now, be it that Fivetran gives none or that too many were asked for.
fn unavailable(finished: &Link, next: &Link) -> Page {
    let (before, name) = (&finished.request.service_name, &next.request.service_name);
    let text = format!(
        "{before} is connected. Please try {name} again in a minute, or use its button in Slack later."
    );
    let title = format!("{name} can't be opened right now");
    Page { text: text.into(), press: Some("Try again".to_owned()), ..Page::of(Mark::Look, title) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_presses_again_and_again_waits() {
        let (presses, at) = (Presses::default(), |second| Timestamp::from_second(second).unwrap());
        assert!((0..5).all(|_| presses.allow("a", at(0))));
        assert!(!presses.allow("a", at(59)));
        assert!(presses.allow("b", at(59)));
        assert!(presses.allow("a", at(60)));
    }
}
