//! The pages behind a Connect Card's link, as a browser gets them.
//!
//! Owns the HTML, its words and its headers. Must not know tokens, or how connections are kept.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ring::digest;

use crate::encoding::base64;
use crate::wire::Answer;

const STYLE: &str = include_str!("page.css");

/// How the policy names the style that stands in every page.
static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| {
    format!("sha256-{}", base64(digest::digest(&digest::SHA256, STYLE.as_bytes()).as_ref()))
});

/// What the page to sign in at shows.
pub(crate) struct Setup<'a> {
    /// The service by the name that people know.
    pub(crate) service: &'a str,
    pub(crate) schema: &'a str,
    pub(crate) state: &'a str,
    /// The title and the message of each setup test that has failed.
    pub(crate) failed: Vec<[&'a str; 2]>,
    /// The origin that a browser is sent on to after the sign-in.
    pub(crate) leads_to: Option<&'a str>,
}

/// How the customer does, as the form's `outcome` says it.
pub(crate) mod outcome {
    /// The access is lost later on: no button does that, since no customer would.
    pub(crate) const BREAK: &str = "break";
    pub(crate) const CONNECT: &str = "connect";
    pub(crate) const FAIL: &str = "fail";
    pub(crate) const LEAVE: &str = "leave";
}

/// The page to sign in at.
pub(crate) fn setup(setup: &Setup<'_>) -> Answer {
    let [service, schema, state] = [setup.service, setup.schema, setup.state].map(escape);
    let sign_in = if setup.failed.is_empty() { "Sign in" } else { "Try again: sign in" };
    let ways = [
        way(outcome::CONNECT, sign_in, "The setup tests pass, and the bot's page comes next."),
        way(outcome::FAIL, "Let the setup tests fail", "As with a wrong password."),
        way(outcome::LEAVE, "Leave without finishing", "As when the window is closed."),
    ];
    let content = format!(
        r#"<div><h1>Connect {service}</h1>
<p>On the real page, a customer signs in to {service} here. On this one nothing is real, and you choose how it goes.</p></div>
<dl><dt>Service</dt><dd>{service}</dd><dt>Schema</dt><dd><code>{schema}</code></dd><dt>State</dt><dd class="{state}">{state}</dd></dl>
{failed}<form method="post">
<fieldset><legend>Sign-in</legend>
<div class="fields">
<div><label for="account">Account</label><input id="account" value="someone@example.com" readonly autocomplete="off" aria-describedby="note"></div>
<div><label for="password">Password</label><input id="password" value="made-up-password" readonly autocomplete="off" aria-describedby="note"></div>
</div>
<p class="note" id="note">Both are made up and can't be changed. Never type a real password into a stand-in.</p>
</fieldset>
<div class="ways">
{}
</div>
</form>"#,
        ways.join("\n"),
        failed = failed(&setup.failed),
    );
    let before = if setup.failed.is_empty() { "" } else { "Setup tests failed: " };
    page(200, &format!("{before}Connect {service}"), &content, setup.leads_to)
}

/// One way on.
fn way(outcome: &str, label: &str, about: &str) -> String {
    format!(
        r#"<div class="way"><button name="outcome" value="{outcome}" aria-describedby="about-{outcome}">{label}</button><p id="about-{outcome}">{about}</p></div>"#
    )
}

fn failed(tests: &[[&str; 2]]) -> String {
    if tests.is_empty() {
        return String::new();
    }
    let mut items = String::new();
    for [title, message] in tests.iter().map(|test| test.map(escape)) {
        let _ = write!(items, "<li><strong>{title}:</strong> {message}</li>");
    }
    format!(
        r#"<section class="failed" aria-labelledby="failed"><h2 id="failed">The setup tests failed</h2>
<ul>{items}</ul>
<p>The link still works, so the customer can try again.</p></section>
"#
    )
}

/// A page that only says something, with a way back to the card or without.
pub(crate) fn notice(status: u16, title: &str, text: &str, back: bool) -> Answer {
    let (title, text) = (escape(title), escape(text));
    // An empty reference is the address itself, without the press that led here.
    let back = if back { "\n<a class=\"back\" href=\"\">Back to the Connect Card</a>" } else { "" };
    page(status, &title, &format!("<div><h1>{title}</h1>\n<p>{text}</p></div>{back}"), None)
}

fn page(status: u16, title: &str, content: &str, leads_to: Option<&str>) -> Answer {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
<p class="stand-in">Stand-in for Fivetran's Connect Card</p>
<div class="content">
{content}
</div>
<footer>This is a sandbox: no account is touched, and nothing is sent anywhere.</footer>
</main>
</body>
</html>
"#
    );
    // Some browsers hold a policy's `form-action` against what the answer to a form redirects to.
    let targets = leads_to.map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src '{}'; img-src data:; form-action 'self'{targets}; \
         base-uri 'none'; frame-ancestors 'self'",
        *STYLE_SOURCE
    );
    Answer::html(status, html)
        .with("content-security-policy", policy)
        .with("cache-control", "no-store")
        .with("x-content-type-options", "nosniff")
        .with("x-frame-options", "SAMEORIGIN")
        .with("referrer-policy", "no-referrer")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(failed: Vec<[&str; 2]>) -> (String, String) {
        let leads_to = Some("https://bot.example");
        let answer = setup(&Setup { service: "<b>", schema: "a&b", state: "incomplete", failed, leads_to });
        let policy = answer.headers.iter().find(|(name, _)| *name == "content-security-policy");
        (String::from_utf8(answer.body.to_vec()).unwrap(), policy.unwrap().1.clone())
    }

    #[test]
    fn what_a_page_shows_is_escaped() {
        let (html, _) = shown(vec![["<i>", "\"no\""]]);
        assert!(html.contains("<h1>Connect &lt;b&gt;</h1>") && html.contains("a&amp;b"), "{html}");
        assert!(html.contains("<strong>&lt;i&gt;:</strong> &quot;no&quot;"), "{html}");
        assert!(html.contains("Try again"), "{html}");
        assert!(!shown(Vec::new()).0.contains("Try again"));
    }

    #[test]
    fn the_policy_lets_in_the_style_that_is_served_and_no_other() {
        let (html, policy) = shown(Vec::new());
        let (_, style) = html.split_once("<style>").unwrap();
        let (style, rest) = style.split_once("</style>").unwrap();
        let hash = base64(digest::digest(&digest::SHA256, style.as_bytes()).as_ref());
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
        assert!(policy.contains("form-action 'self' https://bot.example;"), "{policy}");
        assert!(!policy.contains("unsafe") && !rest.contains("style=") && !html.contains("<script"));
    }
}
