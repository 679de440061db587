//! What can stand between the bot and a partner that goes on standing there until somebody takes it
//! away: most of it belongs to the network, or to the configuration.
//!
//! Owns how each is recognised in an error of the transport, and its name in the database. Knows no
//! sentence for users, and neither Slack nor Fivetran.

use std::error::Error as StdError;
use std::fmt;
use std::io::Error as IoError;

use rustls::{CertificateError, Error as TlsError};
use serde::{Deserialize, Serialize};

/// Something in the way. Whatever was asked for while it stood there was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// No name server knows the host.
    UnknownHost,
    /// What listens there does not speak TLS as we do.
    NoTls,
    /// The certificate is signed by nobody that this machine trusts.
    UntrustedCertificate,
    /// The certificate belongs to another host.
    CertificateOfAnotherHost,
    /// The certificate has expired.
    ExpiredCertificate,
    /// The certificate is not valid yet: then mostly this machine's clock is wrong.
    FutureCertificate,
    /// Another fault of the certificate.
    BadCertificate,
    /// The proxy wants to be signed in to: status 407.
    ProxySignIn,
    /// The proxy does not let us through.
    ProxyRefuses,
    /// The network wants somebody to sign in first: status 511.
    NetworkSignIn,
    /// We are sent elsewhere, and follow nobody.
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// What answers is not the partner's API, or knows nothing of what was asked for.
    Foreign {
        /// The HTTP status.
        status: u16,
    },
    /// An answer of the partner's in a shape that we do not know.
    OddShape,
}

impl Obstacle {
    /// Whether it was seen to go away by itself, so that a few more tries may help: a gateway that
    /// is being replaced answers 404 or 403 for a moment, a proxy or a name server is restarted.
    #[must_use]
    pub fn may_pass(self) -> bool {
        match self {
            Self::UnknownHost | Self::ProxyRefuses | Self::OddShape => true,
            Self::Foreign { status } => matches!(status, 403 | 404),
            Self::NoTls
            | Self::UntrustedCertificate
            | Self::CertificateOfAnotherHost
            | Self::ExpiredCertificate
            | Self::FutureCertificate
            | Self::BadCertificate
            | Self::ProxySignIn
            | Self::NetworkSignIn
            | Self::Redirect { .. } => false,
        }
    }

    /// What an error of the transport speaks of, if it is any of these.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        causes(error).find_map(|cause| match cause.downcast_ref::<IoError>().and_then(IoError::get_ref) {
            // An I/O error names the cause of what is inside it, not what is inside it.
            Some(inner) => Self::of_one(inner),
            None => Self::of_one(cause),
        })
    }

    fn of_one(cause: &(dyn StdError + 'static)) -> Option<Self> {
        match cause.downcast_ref::<TlsError>() {
            Some(TlsError::InvalidCertificate(fault)) => Some(Self::of_certificate(fault)),
            Some(TlsError::InvalidMessage(_) | TlsError::PeerIncompatible(_)) => Some(Self::NoTls),
            Some(_) => None,
            None => Self::of_text(&cause.to_string()),
        }
    }

    fn of_certificate(fault: &CertificateError) -> Self {
        match fault {
            CertificateError::UnknownIssuer => Self::UntrustedCertificate,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::CertificateOfAnotherHost
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::ExpiredCertificate,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::FutureCertificate
            }
            _ => Self::BadCertificate,
        }
    }

    /// What has no type that could be asked for. The words are hyper-util's and those of the systems'
    /// resolvers; a word that changes makes an obstacle a failure that is tried again, no more.
    fn of_text(text: &str) -> Option<Self> {
        const NO_SUCH_HOST: [&str; 3] =
            ["Name or service not known", "Name does not resolve", "nodename nor servname"];
        match text {
            "tunnel error: proxy authorization required" => Some(Self::ProxySignIn),
            "tunnel error: unsuccessful" => Some(Self::ProxyRefuses),
            text => NO_SUCH_HOST.iter().any(|words| text.contains(words)).then_some(Self::UnknownHost),
        }
    }
}

/// An error and all that caused it.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

impl Obstacle {
    /// What it is, for whoever runs the bot.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::UnknownHost => "the host name is unknown to the name server",
            Self::NoTls => "what listens there does not speak TLS",
            Self::UntrustedCertificate => "the certificate is signed by nobody that this machine trusts",
            Self::CertificateOfAnotherHost => "the certificate belongs to another host",
            Self::ExpiredCertificate => "the certificate has expired",
            Self::FutureCertificate => "the certificate is not valid yet; is this machine's clock right?",
            Self::BadCertificate => "the certificate is not valid",
            Self::ProxySignIn => "the proxy wants to be signed in to",
            Self::ProxyRefuses => "the proxy does not let the bot through",
            Self::NetworkSignIn => "the network wants somebody to sign in first",
            Self::Redirect { .. } => "a redirect, which is not followed",
            Self::Foreign { .. } => "an answer that is not its API's",
            Self::OddShape => "an answer of an unknown shape",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())?;
        match self {
            Self::Redirect { status } | Self::Foreign { status } => write!(f, " (status {status})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error in another, as the transport nests them.
    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Nested(#[source] IoError);

    fn inside(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Option<Obstacle> {
        Obstacle::of(&Nested(IoError::other(error)))
    }

    #[test]
    fn a_fault_of_the_certificate_is_told_as_what_it_is() {
        for (fault, obstacle) in [
            (CertificateError::UnknownIssuer, Obstacle::UntrustedCertificate),
            (CertificateError::NotValidForName, Obstacle::CertificateOfAnotherHost),
            (CertificateError::Expired, Obstacle::ExpiredCertificate),
            (CertificateError::NotValidYet, Obstacle::FutureCertificate),
            (CertificateError::Revoked, Obstacle::BadCertificate),
        ] {
            assert_eq!(inside(TlsError::InvalidCertificate(fault.clone())), Some(obstacle), "{fault:?}");
        }
        let plain = TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(inside(plain), Some(Obstacle::NoTls));
        // The other side's complaint, or a cut in the middle, may pass.
        let alert = TlsError::AlertReceived(rustls::AlertDescription::InternalError);
        assert_eq!(inside(alert), None);
    }

    #[test]
    fn a_proxy_and_a_name_server_are_told_by_their_words() {
        for (text, obstacle) in [
            ("tunnel error: proxy authorization required", Some(Obstacle::ProxySignIn)),
            ("tunnel error: unsuccessful", Some(Obstacle::ProxyRefuses)),
            ("failed to lookup address information: Name or service not known", Some(Obstacle::UnknownHost)),
            ("failed to lookup address information: Temporary failure in name resolution", None),
            ("Connection refused (os error 111)", None),
        ] {
            assert_eq!(inside(text), obstacle, "{text}");
        }
    }

    #[test]
    fn its_name_in_the_database_stays() {
        for (obstacle, json) in [
            (Obstacle::UnknownHost, r#"{"obstacle":"unknown_host"}"#),
            (Obstacle::Redirect { status: 302 }, r#"{"obstacle":"redirect","status":302}"#),
        ] {
            assert_eq!(serde_json::to_string(&obstacle).unwrap(), json);
            assert_eq!(serde_json::from_str::<Obstacle>(json).unwrap(), obstacle);
        }
    }
}
