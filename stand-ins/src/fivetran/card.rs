//! The Connect Card's token and link, and the page behind it.
//!
//! Owns the JWT and the HTML. Must not know how connections are kept.

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::encoding::{base64url, from_base64url, random_u64};
use crate::wire::Answer;

const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// Signs tokens with a key that dies with the process.
pub(crate) struct Signer(hmac::Key);

/// What a token says, once its signature is known to be good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) connection: String,
    issued_at: i64,
}

impl Claims {
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now.as_second() - self.issued_at > LIFETIME_SECONDS
    }
}

impl Signer {
    pub(crate) fn new() -> Self {
        let key: Vec<u8> = (0..4).flat_map(|_| random_u64().to_be_bytes()).collect();
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    pub(crate) fn token(&self, group: &str, connection: &str, now: Timestamp) -> String {
        let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
        let claims = json!({
            "d": {
                "login": true, "user": "sandbox", "account": "sandbox", "group": group,
                "connector": connection, "method": "PbfCard",
            },
            "iat": now.as_second(),
        })
        .to_string();
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        let signature = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", base64url(signature.as_ref()))
    }

    /// The claims of a token of this signer's own; expiry is the caller's to judge.
    pub(crate) fn read(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (_, claims) = signed.split_once('.')?;
        hmac::verify(&self.0, signed.as_bytes(), &from_base64url(signature)?).ok()?;
        let claims: Value = serde_json::from_slice(&from_base64url(claims)?).ok()?;
        Some(Claims {
            connection: claims["d"]["connector"].as_str()?.to_owned(),
            issued_at: claims["iat"].as_i64()?,
        })
    }
}

/// The link, with `redirect_uri` as raw as Fivetran writes it.
pub(crate) fn uri(base: &str, token: &str, redirect_uri: &str, hide_setup_guide: bool) -> String {
    format!(
        "{base}/connect-card/setup?redirect_uri={redirect_uri}&auth={token}\
         &hide_setup_guide={hide_setup_guide}"
    )
}

/// Where the customer's browser goes after the setup: the connection's id is appended.
pub(crate) fn return_address(redirect_uri: &str, connection: &str) -> Option<String> {
    let mut address = url::Url::parse(redirect_uri).ok()?;
    if !matches!(address.scheme(), "http" | "https") {
        return None;
    }
    address.query_pairs_mut().append_pair("id", connection);
    Some(address.into())
}

/// The form which plays the Connect Card.
pub(crate) fn setup_page(service: &str, schema: &str, state: &str) -> Answer {
    let (service, schema, state) = (escape(service), escape(schema), escape(state));
    page(
        200,
        &format!("Connect {service}"),
        &format!(
            r#"<p class="eyebrow">Connect Card</p>
<h1>Connect {service}</h1>
<dl><dt>Schema</dt><dd><code>{schema}</code></dd><dt>State</dt><dd>{state}</dd></dl>
<p>Here a customer would enter the credentials of {service}. In the sandbox one press is enough.</p>
<form method="post">
<button name="outcome" value="connect">Connect</button>
<button name="outcome" value="break" class="quiet">Break it</button>
</form>"#
        ),
    )
}

/// A page which only says something.
pub(crate) fn notice(status: u16, title: &str, text: &str) -> Answer {
    let (title, text) = (escape(title), escape(text));
    let content = format!(r#"<p class="eyebrow">Connect Card</p><h1>{title}</h1><p>{text}</p>"#);
    page(status, &title, &content)
}

fn page(status: u16, title: &str, content: &str) -> Answer {
    let html = format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">
<style>
:root{{color-scheme:light dark}}
body{{margin:0;min-height:100vh;display:grid;place-items:center;font:16px/1.5 system-ui,sans-serif;
background:light-dark(#f2f5fa,#12161d);color:light-dark(#1b2430,#e6ebf2)}}
main{{box-sizing:border-box;width:min(28rem,calc(100% - 2rem));padding:2rem;border-radius:14px;
background:light-dark(#fff,#1b222c);box-shadow:0 8px 32px #0002}}
h1{{margin:.1rem 0 1rem;font-size:1.5rem}} .eyebrow{{margin:0;font-size:.85rem;opacity:.7}}
dl{{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}} dt{{opacity:.7}} dd{{margin:0;overflow-wrap:anywhere}}
form{{display:flex;gap:.75rem;margin-top:1.5rem}}
button{{flex:1;padding:.7rem;border:1px solid #1f5eff;border-radius:8px;background:#1f5eff;color:#fff;font:inherit;cursor:pointer}}
button.quiet{{flex:0 auto;background:none;color:inherit;border-color:#8885}}
footer{{margin-top:1.5rem;padding-top:1rem;border-top:1px solid #8883;font-size:.85rem;opacity:.7}}
</style></head><body><main>
{content}
<footer>This is a sandbox. No account is touched and nothing is sent anywhere.</footer>
</main></body></html>
"#
    );
    Answer::html(status, html)
        .with("cache-control", "no-store")
        .with("x-frame-options", "SAMEORIGIN")
        .with("referrer-policy", "no-referrer")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_a_tampered_one_is_not() {
        let signer = Signer::new();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let token = signer.token("g", "calm_delta", now);
        let claims = signer.read(&token).unwrap();
        assert_eq!(claims.connection, "calm_delta");
        let day = 24 * 60 * 60;
        assert!(!claims.has_expired(Timestamp::from_second(1_700_000_000 + day).unwrap()));
        assert!(claims.has_expired(Timestamp::from_second(1_700_000_001 + day).unwrap()));
        assert_eq!(signer.read(&token.replacen('.', "x.", 1)), None);
        assert_eq!(Signer::new().read(&token), None);
    }

    #[test]
    fn the_return_address_carries_the_id() {
        assert_eq!(
            return_address("https://bot.example/done/abc", "calm_delta").as_deref(),
            Some("https://bot.example/done/abc?id=calm_delta")
        );
        assert_eq!(
            return_address("http://bot.example/?a=1", "x").as_deref(),
            Some("http://bot.example/?a=1&id=x")
        );
        assert_eq!(return_address("javascript:alert(1)", "x"), None);
    }

    #[test]
    fn what_a_page_shows_is_escaped() {
        let page = setup_page("<b>", "a&b", "incomplete");
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(html.contains("Connect &lt;b&gt;") && html.contains("a&amp;b"));
    }
}
