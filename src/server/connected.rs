//! `GET /connected/{link}`: where the customer's browser lands after the Connect Card.
//!
//! Owns the page and its headers. The visit is a hint, which Fivetran has to confirm; the page
//! tells the customer what came of it, and nothing else: nothing of the request is echoed, and
//! whoever makes an address up learns nothing by it. Where the source is one of several, the page leads on
//! to the next (`connected/lead.rs`).

pub mod lead;
pub mod looks;
pub mod visit;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::digest;
use serde::Deserialize;
use tokio::time::timeout_at;

use super::deadline::{Deadline, Over};
use crate::clock::Clock;
use crate::life;
use crate::provision::Proofs;
use crate::store::{Store, Stored};
use crate::watch::{Landing, Watcher};
use lead::Presses;
use looks::Looks;
use visit::{Visit, Visits};

/// What the routes use. No `Debug`: it holds keys.
pub struct Connected {
    /// The time.
    pub clock: Clock,
    /// The links, to look at.
    pub looks: Looks<Store>,
    /// Who asks Fivetran.
    pub watcher: Arc<Watcher>,
    /// What tells a browser that comes from a Connect Card.
    pub proofs: Proofs,
    /// What such a browser keeps.
    pub visits: Visits,
    /// How often the button was pressed.
    pub presses: Presses,
}

/// What stands behind `/connected/` in an address: the link's reference, and what only its cards have.
#[derive(Debug, Deserialize)]
pub struct Address {
    link: String,
    proof: Option<String>,
}

/// What makes the page look like something, and what keeps it up to date.
const STYLE: &str = include_str!("connected.css");
const SCRIPT: &str = include_str!("connected.js");

/// The page, but for what it says.
static FRAME: LazyLock<String> =
    LazyLock::new(|| include_str!("connected.html").replace("{style}", STYLE).replace("{script}", SCRIPT));

/// The page may do what its own style and script do, which is to ask the bot again, and what its button does,
/// which is that too, and nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
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
    text: Cow<'static, str>,
    /// What its button says, if it has one.
    press: Option<String>,
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
/// How long after a source was connected its customer may still come back for the first time: Fivetran's page
/// says that all is well before it sends them, and a list of Fivetran's can be quicker than they are.
const COMING_BACK: SignedDuration = SignedDuration::from_mins(15);
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
    /// One that says no more than this.
    fn of(mark: Mark, title: String) -> Self {
        Self { mark, title, text: Cow::Borrowed(""), press: None, asks_again: None, anew: false }
    }

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

    /// The button; its form leads to the page's own address.
    fn form(&self) -> String {
        let form =
            |says: &String| format!("<form method=\"post\"><button>{}</button></form>\n", escape(says));
        self.press.as_ref().map(form).unwrap_or_default()
    }

    fn html(&self) -> String {
        FRAME
            .replace("{refresh}", &self.refresh())
            .replace("{icon}", &self.mark.icon())
            .replace("{mark}", self.mark.class())
            .replace("{asks}", &self.asks_again.unwrap_or(0).to_string())
            .replace("{next}", &self.next())
            .replace("{text}", &escape(&self.text))
            .replace("{form}", &self.form())
            .replace("{title}", &escape(&self.title))
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        (HEADERS, [(header::CONTENT_SECURITY_POLICY, POLICY.as_str())], Html(self.html())).into_response()
    }
}

/// The page for one link.
pub async fn handle(
    State(connected): State<Arc<Connected>>,
    Path(at): Path<Address>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    extensions: Extensions,
) -> impl IntoResponse {
    let (again, deadline) = (query.as_deref() == Some(AGAIN), Deadline::of(&extensions));
    let (page, cookie) = connected.page(&at, again, &headers, deadline).await;
    (cookie.map(|cookie| [(header::SET_COOKIE, cookie)]), page)
}

impl Connected {
    /// The connection whose link that is, unless the database has no answer for as long as a request may take.
    async fn stored(&self, id: &str, deadline: Deadline) -> Result<Option<Stored>, Over> {
        // Ours are ten characters; anything longer is not worth a look in the database.
        if id.len() > 16 {
            return Ok(None);
        }
        let id = id.to_owned();
        self.looks.look(deadline, |store| async move { store.connection_of_any_link(&id).await }).await
    }

    /// The page as it stands, and what the browser is to keep of its visit.
    async fn page(
        &self,
        at: &Address,
        again: bool,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> (Page, Option<HeaderValue>) {
        let stored = match self.stored(&at.link, deadline).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return (unknown(), None),
            // Said of any address while the database is slow.
            Err(Over) => return (Page { anew: true, ..checking("your connection".to_owned(), 10) }, None),
        };
        let link = stored.connection.link.clone();
        let mut visit = self.visits.shown(headers, &link.id, self.clock.now());
        let mut cookie = None;
        let landing = match link.state {
            state
                if state.is_over()
                    || (state == life::State::Connected && !self.comes_back_late(at, &link)) =>
            {
                Landing { state, asks_customer: false, open_for: None, landed_at: link.landed_at }
            }
            // The quick looks that the landing began go on by themselves.
            _ if again => self.watcher.landing(&link),
            // The look goes on in a task of its own, whoever waits for it.
            _ => match timeout_at(deadline.end(), self.watcher.landed(stored)).await {
                // The database has not taken it that they came back.
                Ok(Landing { state: life::State::Waiting | life::State::Broken, open_for: None, .. }) => {
                    return (Page { anew: true, ..checking(link.request.service_name, 10) }, None);
                }
                Ok(landing) => {
                    if let Some(made) = self.visit(at, &link, &landing) {
                        cookie = self.visits.cookie(&link.id, &made);
                        visit = Some(made);
                    }
                    landing
                }
                Err(_) => return (Page { anew: true, ..checking(link.request.service_name, 2) }, None),
            },
        };
        let finished = |visit: &Visit| lead::has_finished(visit, &link, landing.state, landing.landed_at);
        let lead = match visit.is_some_and(|visit| finished(&visit)) {
            true => self.lead(&link, deadline).await,
            false => Ok(None),
        };
        let Ok(lead) = lead else { return (checking(link.request.service_name, 10), cookie) };
        (lead.unwrap_or_else(|| stands(link.request.service_name, landing)), cookie)
    }

    /// What a browser that has come from a Connect Card of an onboarding has made by this.
    fn visit(&self, at: &Address, link: &life::Link, landing: &Landing) -> Option<Visit> {
        let (onboarding, landed_at) = (link.onboarding.as_deref()?, landing.landed_at?);
        self.card_made_at(at, link).map(|_| Visit::new(onboarding, landed_at))
    }

    /// When the Connect Card was made that the browser at this address has come from.
    fn card_made_at(&self, at: &Address, link: &life::Link) -> Option<Timestamp> {
        self.proofs.made_at(at.proof.as_ref()?, &link.id, self.clock.now())
    }

    /// Whether a source is known to be connected before its customer was back, and this is the browser that it
    /// was connected with: it comes soon, from a card that was made before, and no other came since.
    fn comes_back_late(&self, at: &Address, link: &life::Link) -> bool {
        let (now, connected_at) = (self.clock.now(), link.changed_at);
        // A visit just before is what Fivetran was asked after, and it has confirmed that one.
        let is_first =
            link.landed_at.is_none_or(|landed| landed < connected_at) && !link.may_be_confirmed(connected_at);
        link.onboarding.is_some()
            && is_first
            && now.duration_since(connected_at) < COMING_BACK
            && self.card_made_at(at, link).is_some_and(|made_at| made_at <= connected_at)
    }
}

/// What whoever makes an address up is told.
fn unknown() -> Page {
    Page {
        text: "If you've finished signing in, there's nothing more to do. You can close this window.".into(),
        ..Page::of(Mark::Done, "Thank you".to_owned())
    }
}

/// How a link stands whose service has this name.
fn stands(name: String, landing: Landing) -> Page {
    if landing.open_for.is_some_and(|open| open < NOTICING) {
        return checking(name, 2);
    }
    let asks_again = landing.open_for.map(|open| if open < WAITING { 10 } else { 30 });
    // One that was renewed meanwhile has seen nobody come back; the page says that it goes on.
    let asks_again = asks_again.or((landing.state == life::State::Waiting).then_some(30));
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
        life::State::Replaced | life::State::Unposted => return unknown(),
    };
    Page { text: text.into(), asks_again, ..Page::of(mark, title) }
}

/// A page that asks again after so many seconds.
fn checking(what: String, seconds: u32) -> Page {
    Page {
        text: "This takes a moment, and the page updates by itself. If you've finished signing in, you can also close it.".into(),
        asks_again: Some(seconds),
        ..Page::of(Mark::Open, format!("Checking {what}"))
    }
}

/// A text with a service's name in HTML. What it has of a brace is no place of ours to be filled.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    text.replace('{', "&#123;")
}
