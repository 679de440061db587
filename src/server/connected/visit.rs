//! A visit to the landing page, as the browser that made it keeps it: in a cookie of that page.
//!
//! Owns the cookie's form and how long it counts, and whether a press comes from the page. Nothing is stored
//! for it: what it says is sealed, under the link that the page is about. Must not know what it leads to.

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::seal::Sealer;

/// The cookie's name.
const NAME: &str = "connect_card_visit";
/// How long a visit leads on: nobody who reads the page waits longer, and whoever comes to the same browser
/// later is not led on.
const LIFE: SignedDuration = SignedDuration::from_hours(1);
/// By this a browser says from where a request comes, whatever the page's referrer policy is.
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// A visit from a Connect Card, at a source of an onboarding that was open then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    onboarding: String,
    /// The landing that it was, in milliseconds: the database knows no parts of these.
    landed_ms: i64,
}

impl Visit {
    pub(super) fn new(onboarding: &str, landed_at: Timestamp) -> Self {
        Self { onboarding: onboarding.to_owned(), landed_ms: landed_at.as_millisecond() }
    }

    /// Whether it is the last landing at a source of this onboarding: that one Fivetran has confirmed, if the
    /// source is connected.
    pub(super) fn is(&self, onboarding: Option<&str>, landed_at: Option<Timestamp>) -> bool {
        onboarding == Some(&self.onboarding)
            && landed_at.map(Timestamp::as_millisecond) == Some(self.landed_ms)
    }
}

/// How visits are given and taken. No `Debug`: it holds keys.
pub struct Visits {
    sealer: Sealer,
    /// Where the page is, without the link, as browsers see it.
    path: String,
    origin: Option<String>,
    /// Whether browsers reach the page by https.
    is_secure: bool,
}

impl Visits {
    /// Of the page at this `PUBLIC_URL`.
    #[must_use]
    pub fn new(public_url: Option<&str>, sealer: Sealer) -> Self {
        let url = public_url.and_then(|url| Url::parse(url).ok());
        let before = url.as_ref().map_or("", |url| url.path().trim_end_matches('/'));
        Self {
            sealer,
            path: format!("{before}/connected/"),
            is_secure: url.as_ref().is_some_and(|url| url.scheme() == "https"),
            origin: url.map(|url| url.origin().ascii_serialization()),
        }
    }

    /// What makes the browser keep a visit to this link's page. `None`: it keeps none.
    pub(super) fn cookie(&self, link: &str, visit: &Visit) -> Option<HeaderValue> {
        let Visit { onboarding, landed_ms } = visit;
        let sealed = self.sealer.seal(&format!("{landed_ms} {onboarding}"), &bound_to(link)).ok()?;
        let (path, life) = (&self.path, LIFE.as_secs());
        let secure = if self.is_secure { "; Secure" } else { "" };
        // For this page alone, so that those of several sources are beside one another. Lax: the browser comes
        // from Fivetran, and what another site makes it send has none.
        let cookie =
            format!("{NAME}={sealed}; Path={path}{link}; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&cookie).ok()
    }

    /// The visit to this link's page that a request shows, if it is recent.
    pub(super) fn shown(&self, headers: &HeaderMap, link: &str, now: Timestamp) -> Option<Visit> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut sealed = pairs.filter(|(name, _)| *name == NAME).map(|(_, sealed)| sealed);
        let visit = sealed.find_map(|sealed| {
            let opened = self.sealer.open(sealed, &bound_to(link))?;
            let (landed_ms, onboarding) = opened.expose_secret().split_once(' ')?;
            Some(Visit { onboarding: onboarding.to_owned(), landed_ms: landed_ms.parse().ok()? })
        })?;
        let landed_at = Timestamp::from_millisecond(visit.landed_ms).ok()?;
        (now.duration_since(landed_at) < LIFE).then_some(visit)
    }

    /// Whether a press may come from the page itself, by what the browser says of that. A page that sends no
    /// referrer has the origin `null`, so that says nothing.
    pub(super) fn may_be_pressed(&self, headers: &HeaderMap) -> bool {
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match (said(SEC_FETCH_SITE), said("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == "null" || self.origin.as_deref() == Some(origin),
            (None, None) => true,
        }
    }
}

/// What a cookie is bound to. What proves that a browser comes from a card has another form.
fn bound_to(link: &str) -> String {
    format!("visit to {link}")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::seal::Purpose;

    fn visits(public_url: &str, secret: &str) -> Visits {
        let sealer = Sealer::new(&[SecretString::from(secret.to_owned())], Purpose::Visit);
        Visits::new(Some(public_url), sealer)
    }

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_visit_is_kept_for_its_page_and_for_an_hour() {
        let visits = visits("https://bot.example/under", "one");
        let visit = Visit::new("0123456789", at(0));
        let cookie = visits.cookie("0123456789-1", &visit).unwrap();
        let cookie = cookie.to_str().unwrap();
        let (pair, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(
            attributes,
            " Path=/under/connected/0123456789-1; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(!pair.contains("0123456789"), "{pair}");
        let other = "connect_card_visit=AAAA";
        let shown = |cookie: &str, link, second| {
            visits.shown(&headers(&[("cookie", &format!("a=b; {other}; {cookie}"))]), link, at(second))
        };
        assert_eq!(shown(pair, "0123456789-1", 3599), Some(visit.clone()));
        assert_eq!(shown(pair, "0123456789-1", 3600), None);
        assert_eq!(shown(pair, "0123456789-2", 0), None);
        assert_eq!(shown(&pair[..pair.len() - 1], "0123456789-1", 0), None);
        assert!(visit.is(Some("0123456789"), Some(at(0))));
        for (onboarding, landed_at) in
            [(None, Some(at(0))), (Some("other"), Some(at(0))), (Some("0123456789"), Some(at(1)))]
        {
            assert!(!visit.is(onboarding, landed_at));
        }
        assert!(!visit.is(Some("0123456789"), None));
    }

    #[test]
    fn by_plain_http_the_cookie_is_sent_too() {
        let cookie = visits("http://127.0.0.1:8080", "one").cookie("a", &Visit::new("b", at(0))).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.contains("; Path=/connected/a; ") && !cookie.contains("Secure"), "{cookie}");
    }

    #[test]
    fn a_press_from_elsewhere_is_none() {
        let visits = visits("https://bot.example/under", "one");
        for (said, may) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://bot.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "null")], true),
            (&[("origin", "https://bot.example")], true),
            (&[("origin", "https://bot.example.evil.example")], false),
            (&[("origin", "http://bot.example")], false),
        ] {
            assert_eq!(visits.may_be_pressed(&headers(said)), may, "{said:?}");
        }
    }
}
