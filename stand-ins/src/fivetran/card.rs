//! The Connect Card's token and link, and where it leads back to.
//!
//! Owns the JWT and the addresses. Must not know the page, or how connections are kept.

use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::encoding::{base64url, from_base64url, random_u64};

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
pub(crate) fn return_address(redirect_uri: &str, connection: &str) -> Option<url::Url> {
    let mut address = url::Url::parse(redirect_uri).ok()?;
    if !matches!(address.scheme(), "http" | "https") {
        return None;
    }
    address.query_pairs_mut().append_pair("id", connection);
    Some(address)
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
        for (redirect_uri, address) in [
            ("https://bot.example/done/abc", "https://bot.example/done/abc?id=calm_delta"),
            ("http://bot.example/?a=1", "http://bot.example/?a=1&id=calm_delta"),
        ] {
            assert_eq!(return_address(redirect_uri, "calm_delta").unwrap().as_str(), address);
        }
        assert_eq!(return_address("javascript:alert(1)", "x"), None);
    }
}
