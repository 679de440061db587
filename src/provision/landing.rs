//! Where the customer's browser lands after the Connect Card.
//!
//! Owns the address that a link carries for it, and what in that tells a browser which comes from a card from
//! one whose user has made the address up. Must not know what the page there shows.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::fivetran::model::LINK_LIFE;
use crate::seal::Sealer;

/// How long a sign-in may take that was begun just before its link stopped working.
const SIGN_IN: SignedDuration = SignedDuration::from_hours(2);

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

/// What only a Connect Card's landing address has: a reference stands in Slack, and the references of one
/// message are much alike. No `Debug`: it holds keys.
#[derive(Clone)]
pub struct Proofs(Sealer);

impl Proofs {
    /// Proofs that are sealed with this.
    #[must_use]
    pub fn new(sealer: Sealer) -> Self {
        Self(sealer)
    }

    /// The end of the landing address in a card that is made now for this link.
    #[must_use]
    pub fn landing(&self, link: &str, now: Timestamp) -> String {
        match self.0.seal(&now.as_millisecond().to_string(), &bound_to(link)) {
            Ok(proof) => format!("{link}/{}", proof.replace('+', "-").replace('/', "_")),
            // It leads to the same page, which then leads nowhere.
            Err(_) => link.to_owned(),
        }
    }

    /// When the card of this link was made from which a browser with this in its address has come, if that
    /// worked not long ago.
    #[must_use]
    pub fn made_at(&self, proof: &str, link: &str, now: Timestamp) -> Option<Timestamp> {
        let opened = self.0.open(&proof.replace('-', "+").replace('_', "/"), &bound_to(link))?;
        let made_at = Timestamp::from_millisecond(opened.expose_secret().parse().ok()?).ok()?;
        (now.duration_since(made_at) < LINK_LIFE + SIGN_IN).then_some(made_at)
    }
}

/// What a proof is bound to. What a visit's cookie is sealed for has another form.
fn bound_to(link: &str) -> String {
    format!("card of {link}")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::seal::Purpose;

    #[test]
    fn an_address_proves_that_it_stood_in_a_card_of_its_link_that_worked_not_long_ago() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let proofs =
            |secret: &str| Proofs::new(Sealer::new(&[SecretString::from(secret.to_owned())], Purpose::Visit));
        let landing = proofs("one").landing("0123456789-1", now);
        // Any of these would end the address in Fivetran's own query.
        assert!(!landing.contains(['?', '&', '#', '+', '%']), "{landing}");
        let (link, proof) = landing.split_once('/').unwrap();
        assert!(!proof.contains('/'), "{landing}");
        for (secret, proof, link, hours, made_at) in [
            ("one", proof, link, 0, Some(now)),
            ("one", proof, link, 25, Some(now)),
            ("one", proof, link, 26, None),
            ("one", proof, "0123456789-2", 0, None),
            ("two", proof, link, 0, None),
            ("one", "", link, 0, None),
        ] {
            let then = now + SignedDuration::from_hours(hours);
            assert_eq!(proofs(secret).made_at(proof, link, then), made_at, "{secret} {proof} {link} {hours}");
        }
    }
}
