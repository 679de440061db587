//! A customer's browser, from a Connect Card to the landing page and on: what it keeps and what it shows.

use std::collections::BTreeMap;

use super::{client, token_of};

/// What a browser gets for a request.
pub(crate) struct Page {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the customer reads.
    pub(crate) fn said(&self) -> [&str; 2] {
        ["h1", "p"].map(|tag| self.within(tag).expect("the page has it"))
    }

    /// What its button says.
    pub(crate) fn button(&self) -> Option<&str> {
        self.within("button")
    }

    fn within(&self, tag: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(within, _)| within)
    }

    /// The Connect Card that it sends the browser on to.
    pub(crate) fn leads_to(&self) -> Option<String> {
        let card = self.header("refresh").strip_prefix("0; url=")?.to_owned();
        assert_eq!((self.status, self.header("location")), (200, ""));
        // Nowhere but there.
        assert!(!self.text.contains(&token_of(&card)), "{}", self.text);
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        assert_eq!(self.header("cache-control"), "no-store");
        Some(card)
    }
}

/// A customer's browser: it keeps cookies, each for its path, and goes nowhere by itself.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Sends a request with the cookies that are for its address.
    pub(crate) async fn request(&mut self, request: reqwest::RequestBuilder, url: &str) -> Page {
        let path = url::Url::parse(url).unwrap().path().to_owned();
        let is_for =
            |of: &str| path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let cookies: Vec<_> =
            self.cookies.iter().filter(|(of, _)| is_for(of)).map(|(_, cookie)| cookie.as_str()).collect();
        let request = if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            assert!(attributes.ends_with("; Max-Age=3600; HttpOnly; SameSite=Lax"), "{attributes}");
            let (_, path) = attributes.split_once("Path=").unwrap();
            self.cookies.insert(path.split(';').next().unwrap().to_owned(), pair.to_owned());
        }
        Page { status, headers, text: answer.text().await.unwrap() }
    }

    /// Goes to an address.
    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.request(client().get(url), url).await
    }

    /// Presses the page's button, as Chromium 156 says of a form on a page without referrer.
    pub(crate) async fn presses(&mut self, url: &str) -> Page {
        let form = client().post(url).header("content-type", "application/x-www-form-urlencoded");
        let form = form.header("origin", "null").header("sec-fetch-site", "same-origin");
        self.request(form, url).await
    }

    /// Signs in at a Connect Card. Gives the address at which the browser lands.
    pub(crate) async fn signs_in(&mut self, card: &str) -> String {
        let page = self.request(client().post(card).body("outcome=connect"), card).await;
        assert_eq!(page.status, 303, "{}", page.text);
        page.header("location").to_owned()
    }

    /// Signs in, and lands on a page that says so at once.
    pub(crate) async fn connects(&mut self, card: &str) -> (String, Page) {
        let landing = self.signs_in(card).await;
        let page = self.get(&landing).await;
        (landing, page)
    }
}
