//! `GET /connected/{link}`: where the customer's browser lands after the Connect Card.
//!
//! Owns the page and its headers. The visit is a hint, which Fivetran has to confirm; the page
//! tells the customer what came of it, and nothing else: nothing of the request is echoed, and
//! whoever makes an address up learns nothing by it.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, HeaderName, header};
use axum::response::{Html, IntoResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use ring::digest;
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

/// What makes the page look like something, and what keeps it up to date.
const STYLE: &str = include_str!("connected.css");
const SCRIPT: &str = include_str!("connected.js");

/// The page, but for what it says.
static FRAME: LazyLock<String> =
    LazyLock::new(|| include_str!("connected.html").replace("{style}", STYLE).replace("{script}", SCRIPT));

/// The page may do what its own style and script do, which is to ask the bot again, and nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        source(SCRIPT),
        source(STYLE)
    )
});

/// Nothing may be framed, sent on or kept.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// How a policy names a text that stands in the page.
fn source(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

/// What the page says.
struct Page {
    mark: Mark,
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

/// What the page says at a glance.
#[derive(Clone, Copy)]
enum Mark {
    /// All is well, and there is nothing to do.
    Done,
    /// Something is still to come.
    Open,
    /// The customer has to do something.
    Look,
    /// The link is of no use any more.
    Over,
}

impl Mark {
    /// Its class in the page.
    fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Open => "open",
            Self::Look => "look",
            Self::Over => "over",
        }
    }

    /// The same as an icon for the browser's tab, as a `data:` address has it.
    fn icon(self) -> String {
        let (colour, path) = match self {
            Self::Done => ("1f8a53", "m4.6 8.3 2.3 2.3L11.4 6"),
            Self::Open => ("3f66b5", "M8 4v4l2.8 1.7"),
            Self::Look => ("a86008", "M8 4v4.6m0 2.9v.1"),
            Self::Over => ("6b7686", "M5 8h6"),
        };
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='8' fill='%23{colour}'/>\
             <path d='{path}' fill='none' stroke='white' stroke-width='1.6' stroke-linecap='round' stroke-linejoin='round'/></svg>"
        )
    }
}

impl Page {
    /// What the script asks for; empty if that is what it asked for before.
    fn next(&self) -> String {
        if self.anew { String::new() } else { format!("?{AGAIN}") }
    }

    /// What makes a browser without scripts load the page again.
    fn refresh(&self) -> String {
        let url = if self.anew { String::new() } else { format!("; url={}", self.next()) };
        let tag = |seconds| {
            format!("<noscript><meta http-equiv=\"refresh\" content=\"{seconds}{url}\"></noscript>\n")
        };
        self.asks_again.map(tag).unwrap_or_default()
    }

    fn html(&self) -> String {
        // The title comes last: it is the only part that is not ours.
        FRAME
            .replace("{refresh}", &self.refresh())
            .replace("{icon}", &self.mark.icon())
            .replace("{mark}", self.mark.class())
            .replace("{asks}", &self.asks_again.unwrap_or(0).to_string())
            .replace("{next}", &self.next())
            .replace("{text}", self.text)
            .replace("{title}", &escape(&self.title))
    }
}

/// The page for one link.
pub async fn handle(
    State(connected): State<Arc<Connected>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    extensions: Extensions,
) -> impl IntoResponse {
    let page = connected.page(&id, query.as_deref() == Some(AGAIN), Deadline::of(&extensions)).await;
    (HEADERS, [(header::CONTENT_SECURITY_POLICY, POLICY.as_str())], Html(page.html()))
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
            mark: Mark::Done,
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
                Mark::Done,
                format!("{name} is connected"),
                "Your link has expired, and everything works as before. If you meant to sign in again, ask whoever sent you the link for a new one.",
            ),
            life::State::Connected => (
                Mark::Done,
                format!("{name} is connected"),
                "Your sign-in is complete, and there's nothing more to do. You can close this window and go back to where you found the link.",
            ),
            life::State::Waiting => (
                Mark::Open,
                format!("{name} isn't connected yet"),
                "Go back to your link and finish signing in there; this page updates when you're done.",
            ),
            life::State::Expired => (
                Mark::Over,
                format!("{name} isn't connected"),
                "Your link has expired. Ask whoever sent it to you for a new one.",
            ),
            life::State::Broken if !landing.asks_customer => (
                Mark::Done,
                format!("{name} is set up"),
                "Your sign-in was saved, and there's nothing more for you to do. You can close this window.",
            ),
            life::State::Broken => (
                Mark::Look,
                format!("{name} needs another look"),
                "Your sign-in was saved, but something isn't working yet. Go back to your link and try again.",
            ),
            life::State::Cancelled | life::State::Gone => (
                Mark::Over,
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
        mark: Mark::Open,
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
