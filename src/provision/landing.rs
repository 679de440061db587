//! Where the customer's browser lands after the Connect Card.
//!
//! Owns the address that a link carries for it. Must not know what the page there shows.

/// Where the customer's browser lands after the Connect Card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// `{PUBLIC_URL}/connected/{command}`.
    OwnPage(String),
    /// The same page for every customer: `CONNECT_CARD_REDIRECT_URL`.
    Fixed(String),
}

impl Landing {
    /// The `redirect_uri` for one command. Never has `?`, `&` or `#`: Fivetran puts it unescaped
    /// into the link's own query.
    #[must_use]
    pub fn uri(&self, command: &str) -> String {
        match self {
            Self::OwnPage(public_url) => format!("{public_url}/connected/{command}"),
            Self::Fixed(url) => url.clone(),
        }
    }
}
