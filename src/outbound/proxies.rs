//! Which proxy a call goes through, by the rules that curl and others share.
//!
//! Owns the reading of `NO_PROXY` and of a proxy's URL. Pure: must not know where they come from,
//! nor how a call is made.

use std::net::IpAddr;

use url::{Host, Url};

/// The proxies for calls out. No `Debug`: a proxy's URL can hold a password.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For plain http.
    pub http: Option<Url>,
    /// For https.
    pub https: Option<Url>,
    /// What is reached without one.
    pub without: NoProxy,
}

impl Proxies {
    /// The proxy that a call to `url` goes through.
    #[must_use]
    pub fn of(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.without.has(url))
    }
}

/// Reads a proxy's URL. One without a scheme, `proxy:3128`, is spoken to in plain http, as curl does.
#[must_use]
pub fn proxy_url(text: &str) -> Option<Url> {
    let url = match text.split_once("://") {
        Some(_) => Url::parse(text),
        // Without a port a word could be anything.
        None if text.contains(':') => Url::parse(&format!("http://{text}")),
        None => return None,
    };
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `NO_PROXY`: what is reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    what: What,
    /// Only this port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// `*`
    Everything,
    /// A name and all below it, in small letters, without dots at its ends.
    Name(String),
    /// The addresses that share these bits with this one.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list with commas or spaces between its entries: `*`, a host with all below it (dots
    /// and `*.` before it do not matter), an address, a network such as `10.0.0.0/8`; behind a host or
    /// an address a port may stand. The second value says whether all of it could be read.
    #[must_use]
    pub fn read(list: &str) -> (Self, bool) {
        let texts = list.split([',', ' ', '\t', ';']).filter(|text| !text.is_empty());
        let entries: Vec<Option<Entry>> = texts.map(entry).collect();
        let whole = entries.iter().all(Option::is_some);
        (Self(entries.into_iter().flatten().collect()), whole)
    }

    /// Whether what a URL names is reached without a proxy.
    fn has(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        let Some(host) = url.host() else { return false };
        self.0
            .iter()
            .filter(|entry| entry.port.is_none() || entry.port == port)
            .any(|entry| entry.what.has(&host))
    }
}

impl What {
    fn has(&self, host: &Host<&str>) -> bool {
        let address = match *host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address).to_canonical()),
            Host::Domain(_) => None,
        };
        match (self, host, address) {
            (Self::Everything, ..) => true,
            (Self::Network(network, bits), _, Some(address)) => shares(*network, address, *bits),
            (Self::Name(name), Host::Domain(host), _) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            // Whoever keeps this machine's name off the proxy means its addresses as well.
            (Self::Name(name), _, Some(address)) => name == "localhost" && address.is_loopback(),
            _ => false,
        }
    }
}

fn entry(text: &str) -> Option<Entry> {
    let everywhere = |what| Some(Entry { what, port: None });
    if text == "*" {
        return everywhere(What::Everything);
    }
    if let Some((address, bits)) = text.split_once('/') {
        let address: IpAddr = bare_address(address)?;
        let bits = bits.parse().ok().filter(|&bits| bits <= width(address))?;
        return everywhere(What::Network(address, bits));
    }
    if let Some(address) = bare_address(text) {
        return everywhere(What::Network(address, width(address)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    if let Some(address) = bare_address(host) {
        return Some(Entry { what: What::Network(address, width(address)), port });
    }
    let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.').to_ascii_lowercase();
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!name.is_empty() && name.chars().all(good)).then_some(Entry { what: What::Name(name), port })
}

/// An address, in brackets or not.
fn bare_address(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inside.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn shares(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    bits == 0 || (network ^ address) >> (width - bits) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn no_proxy_is_read_as_others_read_it() {
        for (list, target, without) in [
            ("", "https://slack.com", false),
            ("*", "https://slack.com", true),
            ("slack.com", "https://slack.com", true),
            ("slack.com", "https://hooks.slack.com/x", true),
            (".slack.com", "https://slack.com", true),
            ("*.slack.com", "https://hooks.slack.com", true),
            ("SLACK.com.", "https://hooks.Slack.com", true),
            ("slack.com", "https://notslack.com", false),
            ("hooks.slack.com", "https://slack.com", false),
            ("a.b, slack.com", "https://slack.com", true),
            ("a.b slack.com", "https://slack.com", true),
            ("slack.com:443", "https://slack.com", true),
            ("slack.com:8443", "https://slack.com", false),
            ("slack.com:8443", "https://slack.com:8443", true),
            ("127.0.0.1", "http://127.0.0.1:9000", true),
            ("127.0.0.1:9000", "http://127.0.0.1:9000", true),
            ("127.0.0.1:9001", "http://127.0.0.1:9000", false),
            ("127.0.0.0/8", "http://127.1.2.3", true),
            ("10.0.0.0/8", "http://127.0.0.1", false),
            ("10.0.0.0/8", "https://11.0.0.1", false),
            ("192.168.1.0/24", "https://192.168.1.77", true),
            ("0.0.0.0/0", "https://8.8.8.8", true),
            ("0.0.0.0/0", "https://slack.com", false),
            ("::1", "http://[::1]:9000", true),
            ("[::1]:9000", "http://[::1]:9000", true),
            ("fd00::/8", "https://[fd12::1]", true),
            ("localhost", "http://localhost:9000", true),
            ("localhost", "http://127.0.0.1:9000", true),
            ("localhost", "http://[::1]:9000", true),
            ("localhost", "https://10.0.0.1", false),
            ("0.1", "http://127.0.0.1", false),
        ] {
            let (no_proxy, whole) = NoProxy::read(list);
            assert!(whole, "{list}");
            assert_eq!(no_proxy.has(&url(target)), without, "{list} {target}");
        }
    }

    #[test]
    fn what_cannot_be_read_hides_nothing_else() {
        for list in ["10.0.0.0/33,slack.com", "192.168.*,slack.com", "<local> slack.com", "a:b,slack.com"] {
            let (no_proxy, whole) = NoProxy::read(list);
            assert!(!whole && no_proxy.has(&url("https://slack.com")), "{list}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = Proxies {
            http: proxy_url("http://plain:1"),
            https: proxy_url("tls:2"),
            without: NoProxy::read("slack.com").0,
        };
        let host = |target: &str| proxies.of(&url(target)).and_then(|url| url.host_str().map(str::to_owned));
        assert_eq!(host("http://127.0.0.1:9000").as_deref(), Some("plain"));
        assert_eq!(host("https://api.fivetran.com").as_deref(), Some("tls"));
        assert_eq!(host("https://slack.com"), None);
    }

    #[test]
    fn a_proxy_is_a_host_that_speaks_http() {
        for (text, good) in [
            ("http://proxy.example.com:3128", true),
            ("https://proxy.example.com", true),
            ("http://user:p%40ss@proxy:3128/", true),
            ("proxy.example.com:3128", true),
            ("user:secret@proxy:3128", true),
            ("10.0.0.1:3128", true),
            ("socks5://proxy:1080", false),
            ("proxy", false),
            ("http://", false),
            ("http://proxy:port", false),
        ] {
            assert_eq!(proxy_url(text).is_some(), good, "{text}");
        }
    }
}
