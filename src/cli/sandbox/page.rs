//! The page of a sandbox: its address, who may use it, and what it can ask for.
//!
//! Owns the routes and their rules. The page is for whoever was given its address: it has a token in it,
//! and nothing is done for another page, whose browser says where it is from. Must not know what an
//! action does; `stage` does it.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use stand_ins::slack::Used;
use tokio::net::TcpListener;

use super::bot::When;
use super::events::Told;
use super::stage::{Stage, random};
use super::world::is_person;
use crate::app::{self, StartError};
use crate::cli::gallery;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Everything that the page is made of: its name, and what it is.
macro_rules! files {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("page/", $name)))),*] };
}
const FILES: &[(&str, &str)] = files![
    "act.js"
    "app.css"
    "app.js"
    "base.css"
    "blocks.css"
    "blocks.js"
    "composer.js"
    "date.js"
    "dialogs.js"
    "dom.js"
    "elements.js"
    "emoji.js"
    "gallery.css"
    "gallery.html"
    "gallery.js"
    "guide.js"
    "icon.svg"
    "index.html"
    "levers.js"
    "mrkdwn.js"
    "panel.css"
    "panel.js"
    "panes.js"
    "places.js"
    "redraw.js"
    "rich_text.js"
    "scroll.js"
    "select.js"
    "server.js"
    "specimens.json"
    "state.js"
    "story.js"
    "suggestions.js"
    "time.js"
    "values.js"
    "wire.js"
];

/// Nothing from elsewhere, nothing inline, nothing around it.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
/// The longest time that can be moved at once: beyond it nothing new happens.
const LONGEST_LEAP: u64 = 30 * 24 * 60 * 60;

/// What the routes share.
struct Page {
    stage: Arc<Stage>,
    token: String,
    port: u16,
    gallery: String,
}

/// Takes a port of loopback, or any.
pub(super) fn listen(port: u16) -> Result<TcpListener, StartError> {
    app::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "--port")
}

/// A page that is served.
pub(super) struct Served {
    /// What to open in a browser.
    pub(super) url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

/// Serves the page.
pub(super) fn serve(stage: &Arc<Stage>, listener: TcpListener) -> io::Result<Served> {
    let (port, token) = (listener.local_addr()?.port(), random()?);
    let url = format!("http://127.0.0.1:{port}/{token}/");
    let gallery = serde_json::to_string(&gallery::entries())?;
    let page = Arc::new(Page { stage: Arc::clone(stage), token, port, gallery });
    let routes = Router::new()
        .route("/{token}/events", get(events))
        .route("/{token}/gallery.json", get(all_of_the_gallery))
        .route("/{token}/", get(index))
        .route("/{token}/{name}", get(file).merge(post(act)))
        .layer(middleware::from_fn_with_state(Arc::clone(&page), guard))
        .with_state(page);
    let task = tokio::spawn(async move {
        let _ = axum::serve(listener, routes).await;
    });
    Ok(Served { url, task })
}

/// Lets in who knows the token and asks from the page itself.
async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let path = request.uri().path();
    let mut response = if !page.is_host(headers) || !page.knows_token(path) {
        (StatusCode::NOT_FOUND, "There's nothing here. Use the whole address that the sandbox printed.\n")
            .into_response()
    } else if !Page::is_own(request.method().is_safe(), headers) {
        (StatusCode::FORBIDDEN, "Another page can't use the sandbox.\n").into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Page {
    /// Whether the request is for this host by a name of its own: another name that leads here is
    /// somebody else's page.
    fn is_host(&self, headers: &HeaderMap) -> bool {
        let host = text(headers, &header::HOST);
        let port = self.port;
        // Nobody names the port of every web server.
        let own = |name: &str| host == format!("{name}:{port}") || (port == 80 && host == name);
        ["127.0.0.1", "localhost"].iter().any(|name| own(name))
    }

    fn knows_token(&self, path: &str) -> bool {
        path.split('/').nth(1) == Some(self.token.as_str())
    }

    /// Whether it is the page that asks, or a person who opens it: whatever changes something names its
    /// origin, and a browser says where it looks from.
    fn is_own(is_safe: bool, headers: &HeaderMap) -> bool {
        let origin = text(headers, &header::ORIGIN);
        if !origin.is_empty() {
            return origin == format!("http://{}", text(headers, &header::HOST));
        }
        let says = |name: &'static str| text(headers, &HeaderName::from_static(name));
        // A link to the page, as in a terminal or a chat, may come from anywhere.
        let is_opened = says("sec-fetch-dest") == "document" && says("sec-fetch-mode") == "navigate";
        is_safe && (is_opened || ["", "none", "same-origin"].contains(&says("sec-fetch-site")))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn index() -> Response {
    embedded("index.html")
}

async fn file(Path((_, name)): Path<(String, String)>) -> Response {
    embedded(if name == "gallery" { "gallery.html" } else { &name })
}

fn embedded(name: &str) -> Response {
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((name, content)) => ([(header::CONTENT_TYPE, kind(name))], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => JSON,
        Some("svg") => "image/svg+xml",
        _ => HTML,
    }
}

async fn all_of_the_gallery(State(page): State<Arc<Page>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, JSON)], page.gallery.clone())
}

async fn events(State(page): State<Arc<Page>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (tape, health) = (page.stage.tape.changes(), page.stage.bot.health());
    let news = stream::unfold(
        (page, tape, health, Told::default()),
        |(page, mut tape, mut health, mut told)| async {
            loop {
                tape.mark_unchanged();
                health.mark_unchanged();
                if let Some(news) = told.news(&page.stage) {
                    return Some((Ok(Event::default().data(news.to_string())), (page, tape, health, told)));
                }
                tokio::select! {
                    changed = tape.changed() => changed.ok()?,
                    changed = health.changed() => changed.ok()?,
                }
            }
        },
    );
    Sse::new(news.boxed()).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// Something that a person does.
async fn act(
    State(page): State<Arc<Page>>,
    Path((_, name)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return refused("This isn't JSON.");
    };
    match perform(&page.stage, &name, &asked).await {
        Ok(answer) => ([(header::CONTENT_TYPE, JSON)], answer.to_string()).into_response(),
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &str) -> Response {
    let body = json!({ "error": problem }).to_string();
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

async fn perform(stage: &Stage, name: &str, asked: &Value) -> Result<Value, String> {
    let word = |name: &str| asked[name].as_str().unwrap_or_default();
    let done = json!({});
    match name {
        "clock" => {
            let seconds = asked["seconds"].as_u64().filter(|seconds| *seconds <= LONGEST_LEAP);
            let seconds = seconds.ok_or("The time can be moved by at most thirty days at once.")?;
            stage.advance(Duration::from_secs(seconds)).await?;
            return Ok(done);
        }
        "fault" => {
            stage.switch(word("name"), asked["on"].as_bool().unwrap_or_default())?;
            return Ok(done);
        }
        "kill" => {
            let when = if word("when") == "now" { When::Now } else { When::InAStep };
            stage.bot.kill(when).await;
            return Ok(done);
        }
        _ => {}
    }
    let user = word("user");
    if !is_person(user) {
        return Err("There's nobody of that name here.".to_owned());
    }
    let view = word("view");
    if matches!(name, "act" | "submit" | "close" | "suggest") && !stage.slack.has_view(user, view) {
        return Err("This form is gone.".to_owned());
    }
    let choice = asked["choice"].clone();
    let used = Used { block_id: asked["block_id"].as_str(), action_id: word("action_id"), choice };
    let said = match name {
        "say" => {
            let channel = word("channel");
            if !stage.slack.sees(user, channel) {
                return Err("This person isn't in that channel.".to_owned());
            }
            stage.write(word("text").trim_end(), channel, user).await;
            Ok(done)
        }
        "press" => {
            let id = asked["message"].as_u64();
            let message = stage.slack.messages().into_iter().find(|message| Some(message.id) == id);
            let message = message.filter(|it| stage.slack.reads(user, it)).ok_or("This message is gone.")?;
            let used =
                stage.with_slack(async |slack, bot| slack.use_in_message(bot, &message, used, user).await);
            used.await.and_then(acknowledged).map(|()| done)
        }
        "act" => {
            let values = asked["values"].clone();
            let used =
                stage.with_slack(async |slack, bot| slack.use_in_view(bot, view, used, values, user).await);
            used.await.and_then(acknowledged).map(|()| done)
        }
        "submit" => {
            let values = asked["values"].clone();
            let submitted = stage.with_slack(async |slack, bot| slack.submit(bot, view, values, user).await);
            submitted.await.map(|errors| match errors.as_object().is_some_and(|it| !it.is_empty()) {
                true => json!({ "errors": errors }),
                false => done,
            })
        }
        "close" => {
            stage.slack.close_view(view);
            Ok(done)
        }
        "suggest" => {
            let text = word("text");
            let suggested = stage.with_slack(async |slack, bot| {
                slack.suggest(bot, used.action_id, word("block_id"), text, user, Some(view)).await
            });
            suggested.await.map(|ack| ack.json())
        }
        _ => return Err("Nothing of that name can be done.".to_owned()),
    };
    said.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => "The app didn't answer within three seconds.".to_owned(),
        io::ErrorKind::InvalidInput => "This is no longer there.".to_owned(),
        io::ErrorKind::InvalidData => error.to_string(),
        _ => "The app didn't answer. Try again.".to_owned(),
    })
}

fn acknowledged(ack: stand_ins::slack::Ack) -> io::Result<()> {
    if ack.status == 200 { Ok(()) } else { Err(io::Error::other(format!("the bot answered {}", ack.status))) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/sandbox/page");
        let there = std::fs::read_dir(folder).unwrap();
        let there: BTreeSet<_> = there.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        let served: BTreeSet<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }

    /// Who asks, and whether that is let through.
    #[test]
    fn only_the_page_itself_changes_something() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            let named = |(name, value): &(&'static str, &str)| {
                (HeaderName::from_static(name), value.parse().unwrap())
            };
            [("host", "127.0.0.1:7")].iter().chain(pairs).map(named).collect()
        };
        let own = ("origin", "http://127.0.0.1:7");
        for (is_safe, pairs, lets_in) in [
            (false, vec![own], true),
            (false, vec![], false),
            (false, vec![("origin", "http://127.0.0.1:8")], false),
            (false, vec![("origin", "null")], false),
            (false, vec![("origin", "http://localhost:7")], false),
            (true, vec![], true),
            (true, vec![("sec-fetch-site", "same-origin")], true),
            (true, vec![("sec-fetch-site", "same-site")], false),
            (true, vec![("sec-fetch-site", "cross-site")], false),
            (true, vec![("origin", "http://127.0.0.1:8")], false),
            (
                true,
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-dest", "document"),
                    ("sec-fetch-mode", "navigate"),
                ],
                true,
            ),
            (
                true,
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-dest", "iframe"),
                    ("sec-fetch-mode", "navigate"),
                ],
                false,
            ),
        ] {
            assert_eq!(Page::is_own(is_safe, &headers(&pairs)), lets_in, "{is_safe} {pairs:?}");
        }
    }
}
