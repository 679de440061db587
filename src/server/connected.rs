//! `GET /connected/{link}`: where the customer's browser lands after the Connect Card.
//!
//! Owns the page and its headers. The visit is a hint, which Fivetran has to confirm; the page
//! tells the customer what came of it, and nothing else: nothing of the request is echoed, and
//! whoever makes an address up learns nothing by it.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, HeaderName, header};
use axum::response::{Html, IntoResponse};
use jiff::SignedDuration;
use tokio::time::timeout_at;

use super::deadline::{Deadline, Over};
use crate::life;
use crate::store::{Store, Stored};
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
    /// After how many seconds it asks again by itself, if it does.
    asks_again: Option<u32>,
    /// Whether that is the same request once more: this one has come to nothing.
    anew: bool,
}

/// How a page says that it was loaded by itself: then the customer has not come back once more.
const AGAIN: &str = "again";
/// How long Fivetran is given to notice what the customer has done, before the page says that they
/// have not finished.
const NOTICING: SignedDuration = SignedDuration::from_secs(30);
/// From when on nobody waits at the page, and it asks less often.
const WAITING: SignedDuration = SignedDuration::from_mins(5);

/// What makes the browser load the page again: its policy allows no script.
fn refresh(page: &Page) -> String {
    let url = if page.anew { String::new() } else { format!("; url=?{AGAIN}") };
    let tag = |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}{url}\">\n");
    page.asks_again.map(tag).unwrap_or_default()
}

/// The page for one link.
pub async fn handle(
    State(connected): State<Arc<Connected>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
) -> impl IntoResponse {
    let page = connected.page(&id, query.as_deref() == Some(AGAIN), Deadline::of(&extensions)).await;
    let html = include_str!("connected.html")
        .replace("{refresh}", &refresh(&page))
        .replace("{mark}", page.mark)
        .replace("{text}", page.text)
        .replace("{title}", &escape(&page.title));
    (HEADERS, Html(html))
}

impl Connected {
    /// The connection whose link that is, unless the database is slower than a request may be.
    async fn stored(&self, id: &str, deadline: Deadline) -> Result<Option<Stored>, Over> {
        // Ours are ten characters; anything longer is not worth a look in the database.
        if id.len() > 16 {
            return Ok(None);
        }
        let (store, id) = (self.store.clone(), id.to_owned());
        let found = deadline.wait_for(async move { store.connection_of_any_link(&id).await }).await?;
        Ok(found.ok().flatten())
    }

    async fn page(&self, id: &str, again: bool, deadline: Deadline) -> Page {
        let unknown = Page {
            mark: "done",
            title: "Thank you".to_owned(),
            text: "If you've finished signing in, there's nothing more to do. You can close this window.",
            asks_again: None,
            anew: false,
        };
        let stored = match self.stored(id, deadline).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return unknown,
            // Said of any address while the database is slow.
            Err(Over) => return Page { anew: true, ..checking("your connection".to_owned(), 10) },
        };
        let link = stored.connection.link.clone();
        let name = link.request.service_name.clone();
        let landing = match link.state {
            state if state == life::State::Connected || state.is_over() => {
                Landing { state, asks_customer: false, open_for: None }
            }
            // The quick looks that the landing began go on by themselves.
            _ if again => self.watcher.landing(&link),
            // The look goes on in a task of its own, whoever waits for it.
            _ => match timeout_at(deadline.end(), self.watcher.landed(stored)).await {
                Ok(landing) => landing,
                Err(_) => return checking(name, 2),
            },
        };
        if landing.open_for.is_some_and(|open| open < NOTICING) {
            return checking(name, 2);
        }
        let asks_again = landing.open_for.map(|open| if open < WAITING { 10 } else { 30 });
        let (mark, title, text) = match landing.state {
            life::State::Lapsed => (
                "done",
                format!("{name} is connected"),
                "Your link has expired, and everything works as before. If you meant to sign in again, ask whoever sent you the link for a new one.",
            ),
            life::State::Connected => (
                "done",
                format!("{name} is connected"),
                "Your sign-in is complete, and there's nothing more to do. You can close this window and go back to where you found the link.",
            ),
            life::State::Waiting => (
                "open",
                format!("{name} isn't connected yet"),
                "Go back to your link and finish signing in there; this page updates when you're done.",
            ),
            life::State::Expired => (
                "open",
                format!("{name} isn't connected"),
                "Your link has expired. Ask whoever sent it to you for a new one.",
            ),
            life::State::Broken if !landing.asks_customer => (
                "done",
                format!("{name} is set up"),
                "Your sign-in was saved, and there's nothing more for you to do. You can close this window.",
            ),
            life::State::Broken => (
                "open",
                format!("{name} needs another look"),
                "Your sign-in was saved, but something isn't working yet. Go back to your link and try again.",
            ),
            life::State::Cancelled | life::State::Gone => (
                "open",
                "This link no longer works".to_owned(),
                "The request was cancelled, or the connection was removed. If you didn't expect that, ask whoever sent you the link.",
            ),
            life::State::Replaced | life::State::Unposted => return unknown,
        };
        Page { mark, title, text, asks_again, anew: false }
    }
}

/// A page that asks again after so many seconds.
fn checking(what: String, seconds: u32) -> Page {
    Page {
        mark: "open",
        title: format!("Checking {what}"),
        text: "This takes a moment, and the page updates by itself. If you've finished signing in, you can also close it.",
        asks_again: Some(seconds),
        anew: false,
    }
}

/// A service's name in HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
