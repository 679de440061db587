//! `GET /connected/{link}`: where the customer's browser lands after the Connect Card.
//!
//! Owns the page and its headers. The visit is a hint, which Fivetran has to confirm; the page
//! tells the customer what came of it, and nothing else: nothing of the request is echoed, and
//! whoever makes an address up learns nothing by it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};

use crate::life;
use crate::store::Store;
use crate::watch::{Landing, Watcher};

/// What the route uses.
pub struct Connected {
    /// The links, to look at.
    pub store: Store,
    /// Who asks Fivetran.
    pub watcher: Arc<Watcher>,
}

/// Nothing may be loaded, framed, sent on or kept.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// What the page says.
struct Page {
    mark: &'static str,
    title: String,
    text: &'static str,
}

/// The page for one link.
pub async fn handle(State(connected): State<Arc<Connected>>, Path(id): Path<String>) -> impl IntoResponse {
    let page = connected.page(&id).await;
    let html = include_str!("connected.html")
        .replace("{mark}", page.mark)
        .replace("{text}", page.text)
        .replace("{title}", &escape(&page.title));
    (HEADERS, Html(html))
}

impl Connected {
    async fn page(&self, id: &str) -> Page {
        let unknown = Page {
            mark: "done",
            title: "Thank you".to_owned(),
            text: "If you've finished signing in, there's nothing more to do. You can close this window.",
        };
        // Ours are ten characters; anything longer is not worth a look in the database.
        let stored =
            if id.len() <= 16 { self.store.connection_of_any_link(id).await.ok().flatten() } else { None };
        let Some(stored) = stored else { return unknown };
        let link = &stored.connection.link;
        let name = link.request.service_name.clone();
        let landing = match link.state {
            state if state == life::State::Connected || state.is_over() => Landing { state, checking: false },
            _ => self.watcher.landed(stored).await,
        };
        match landing.state {
            life::State::Connected | life::State::Lapsed => Page {
                mark: "done",
                title: format!("{name} is connected"),
                text: "Your sign-in is complete, and there's nothing more to do. You can close this window and go back to where you found the link.",
            },
            life::State::Waiting => Page {
                mark: "open",
                title: format!("{name} isn't connected yet"),
                text: "Go back to your link and finish signing in there; this page will open again when you're done.",
            },
            life::State::Expired => Page {
                mark: "open",
                title: format!("{name} isn't connected"),
                text: "Your link has expired. Ask whoever sent it to you for a new one.",
            },
            life::State::Broken => Page {
                mark: "open",
                title: format!("{name} needs another look"),
                text: "Your sign-in was saved, but something isn't working yet. Go back to your link and try again.",
            },
            life::State::Cancelled | life::State::Gone => Page {
                mark: "open",
                title: "This link no longer works".to_owned(),
                text: "The request was cancelled, or the connection was removed. If you didn't expect that, ask whoever sent you the link.",
            },
            life::State::Replaced | life::State::Unposted => unknown,
        }
    }
}

/// A service's name in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
