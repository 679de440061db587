//! What stands between the bot and Fivetran, as the parts of a sentence.
//!
//! Owns the words for each obstacle and its remedy. Must not know what was asked for, nor at which
//! address: one that somebody has set is spoken of at a shell.

use crate::outbound::Obstacle;

/// What stands between the bot and Fivetran, and what whoever can take it away has to do.
pub(super) fn in_the_way(obstacle: Obstacle) -> (String, &'static str) {
    match obstacle {
        Obstacle::UnknownHost => {
            ("its name can't be resolved".to_owned(), "check the network, DNS and HTTPS_PROXY")
        }
        Obstacle::NoTls => (
            "what answers at its address doesn't speak HTTPS".to_owned(),
            "check DNS, the firewall and HTTPS_PROXY",
        ),
        Obstacle::UntrustedCertificate => (
            "its certificate isn't trusted here, as happens where a company's proxy reads along".to_owned(),
            "make the proxy's root certificate known (SSL_CERT_FILE)",
        ),
        Obstacle::CertificateOfAnotherHost => (
            "the certificate of what answers belongs to another address".to_owned(),
            "check DNS, the firewall and HTTPS_PROXY",
        ),
        Obstacle::ExpiredCertificate => (
            "the certificate of what answers has expired".to_owned(),
            "check HTTPS_PROXY, and this machine's clock",
        ),
        Obstacle::FutureCertificate => {
            ("the certificate of what answers isn't valid yet".to_owned(), "set this machine's clock")
        }
        Obstacle::BadCertificate => (
            "the certificate of what answers isn't valid".to_owned(),
            "check DNS, the firewall and HTTPS_PROXY",
        ),
        Obstacle::ProxySignIn => {
            ("the proxy on the way wants a name and a password".to_owned(), "put both into HTTPS_PROXY")
        }
        Obstacle::ProxyRefuses => (
            "the proxy on the way answers, but doesn't connect me".to_owned(),
            "check HTTPS_PROXY, and whether the proxy works and lets Fivetran's address through",
        ),
        Obstacle::UnknownProxy => ("the proxy's name can't be resolved".to_owned(), "check HTTPS_PROXY"),
        Obstacle::SilentProxy => (
            "the proxy on the way can't be reached, or hangs up".to_owned(),
            "check HTTPS_PROXY, and whether the proxy works",
        ),
        Obstacle::NetworkSignIn => (
            "the network wants somebody to sign in first".to_owned(),
            "sign this machine in to the network, or check HTTPS_PROXY",
        ),
        Obstacle::Redirect { status } => (
            format!("its address redirects me (status {status})"),
            "check HTTPS_PROXY, and whether the network wants somebody to sign in",
        ),
        Obstacle::Foreign { status } => (
            format!(
                "what answers at its address isn't Fivetran, or doesn't know what I asked for (status {status})"
            ),
            "check DNS, the firewall and HTTPS_PROXY",
        ),
        Obstacle::OddShape => {
            ("it has a form that I don't know".to_owned(), "check whether there is a newer connect-card")
        }
    }
}
