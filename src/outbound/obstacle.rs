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
    /// The proxy answers, and does not connect us: it does not want to, or cannot.
    ProxyRefuses,
    /// No name server knows the proxy.
    UnknownProxy,
    /// The proxy cannot be reached, or hangs up.
    SilentProxy,
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
            Self::UnknownHost
            | Self::ProxyRefuses
            | Self::UnknownProxy
            | Self::SilentProxy
            | Self::OddShape => true,
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
        let found = causes(error).find_map(Self::of_one);
        // What comes before the tunnel is the proxy's own.
        let of_proxy = causes(error).any(|cause| cause.to_string() == NO_WAY_TO_PROXY);
        match found {
            Some(Self::UnknownHost) if of_proxy => Some(Self::UnknownProxy),
            None if of_proxy => Some(Self::SilentProxy),
            found => found,
        }
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
            "tunnel error: unsuccessful" | "tunnel error: proxy response headers too long" => {
                Some(Self::ProxyRefuses)
            }
            "tunnel error: unexpected end of file" | "tunnel error: io error establishing tunnel" => {
                Some(Self::SilentProxy)
            }
            text => NO_SUCH_HOST.iter().any(|words| text.contains(words)).then_some(Self::UnknownHost),
        }
    }
}

/// hyper-util's words for a proxy that could not be reached; the reason is among its causes.
const NO_WAY_TO_PROXY: &str = "tunnel error: failed to create underlying connection";

/// An error and all that caused it. An I/O error names as its source the source of what is inside it
/// and not that itself, which can be an I/O error again.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<IoError>() {
        Some(io) if io.get_ref().is_some() => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        _ => error.source(),
    })
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
            Self::ProxyRefuses => "the proxy does not connect the bot",
            Self::UnknownProxy => "the proxy's name is unknown to the name server",
            Self::SilentProxy => "the proxy cannot be reached, or hangs up",
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

    /// The same from one I/O error and from two, as TLS nests them.
    fn inside(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Option<Obstacle> {
        let once = Nested(IoError::other(error));
        let told = Obstacle::of(&once);
        let Nested(once) = once;
        assert_eq!(Obstacle::of(&Nested(IoError::other(once))), told);
        told
    }

    /// hyper-util's error where a proxy cannot be reached.
    #[derive(Debug, thiserror::Error)]
    #[error("tunnel error: failed to create underlying connection")]
    struct NoWay(#[source] IoError);

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
            ("tunnel error: unexpected end of file", Some(Obstacle::SilentProxy)),
            ("failed to lookup address information: Name or service not known", Some(Obstacle::UnknownHost)),
            ("failed to lookup address information: Temporary failure in name resolution", None),
            ("Connection refused (os error 111)", None),
        ] {
            assert_eq!(inside(text), obstacle, "{text}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_reached_is_never_told_as_the_partner() {
        let unknown = "failed to lookup address information: Name or service not known";
        for (text, obstacle) in
            [(unknown, Obstacle::UnknownProxy), ("Connection refused (os error 111)", Obstacle::SilentProxy)]
        {
            assert_eq!(inside(NoWay(IoError::other(text))), Some(obstacle), "{text}");
        }
        let untrusted = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(inside(NoWay(IoError::other(untrusted))), Some(Obstacle::UntrustedCertificate));
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
