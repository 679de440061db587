//! The way out: through which proxy, and trusting which certificates; and what is told of what stands
//! in it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use connect_card::outbound::proxies::{NoProxy, Proxies, proxy_url};
use connect_card::outbound::{self, CallError, Network, Obstacle, roots};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::harness::Outside;

/// Where nobody listens, so that only a proxy has an answer.
const NOWHERE: &str = "http://127.0.0.1:1/public/connector-types";

#[tokio::test]
async fn a_call_goes_through_its_proxy_unless_no_proxy_has_its_host() {
    let proxy = Outside::start().await.fivetran;
    let call = async |no_proxy: &str| {
        let without = NoProxy::read(no_proxy).0;
        let proxies = Proxies { http: proxy_url(&proxy.url()), https: None, without };
        let client = outbound::client(&Network { proxies, roots: None }).unwrap();
        client.get(NOWHERE).send().await.map(|response| response.status().as_u16()).ok()
    };
    assert_eq!(call("").await, Some(200));
    assert_eq!(call("example.com,10.0.0.0/8").await, Some(200));
    assert_eq!(call("127.0.0.0/8").await, None);
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name);
    path.to_str().unwrap().to_owned()
}

/// Answers every request over TLS, as a server with this certificate of the tests' own authority.
pub(crate) fn tls_server(certificate: &str) -> String {
    outbound::client(&Network::default()).unwrap();
    let chain = CertificateDer::pem_file_iter(fixture(certificate)).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("server-key.pem")).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let server = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(server, socket.unwrap());
            // Who does not trust the certificate hangs up.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    format!("https://localhost:{port}/")
}

#[tokio::test]
async fn a_companys_own_authority_is_trusted_where_it_is_named() {
    let url = tls_server("server.pem");
    let call = async |roots| {
        let client = outbound::client(&Network { roots, ..Network::default() }).unwrap();
        client.get(&url).send().await.map(|response| response.status().as_u16()).ok()
    };
    assert_eq!(call(None).await, None, "the system does not know it");
    let file = fixture("authority.pem");
    assert_eq!(call(roots::read(Some(&file), None).ok().map(|roots| roots.certificates)).await, Some(204));

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&file, folder.path().join("0123abcd.0")).unwrap();
    std::fs::write(folder.path().join("README"), "no certificate").unwrap();
    let folders = format!("/nonexistent:{}", folder.path().display());
    assert_eq!(call(roots::read(None, Some(&folders)).ok().map(|roots| roots.certificates)).await, Some(204));
    assert_eq!(roots::read(Some(&fixture("server-key.pem")), None).err(), Some(roots::Untrusted::EmptyFile));
}

/// What a call is told to have failed by.
async fn obstacle(network: &Network, url: &str) -> Obstacle {
    let error = outbound::client(network).unwrap().get(url).send().await.unwrap_err();
    match outbound::classify(&error) {
        CallError::Barred(obstacle) => obstacle,
        other => panic!("{url}: {other}"),
    }
}

/// Real handshakes, since what matters is how the errors are nested in one another.
#[tokio::test]
async fn a_fault_of_tls_is_told_as_what_it_is_and_at_once() {
    let trusting = Network {
        roots: roots::read(Some(&fixture("authority.pem")), None).ok().map(|roots| roots.certificates),
        ..Network::default()
    };
    let plain = Outside::start().await.fivetran.url().replace("http:", "https:");
    for (network, url, told) in [
        (&Network::default(), tls_server("server.pem"), Obstacle::UntrustedCertificate),
        (&trusting, tls_server("elsewhere.pem"), Obstacle::CertificateOfAnotherHost),
        (&trusting, tls_server("expired.pem"), Obstacle::ExpiredCertificate),
        (&trusting, plain, Obstacle::NoTls),
    ] {
        assert_eq!(obstacle(network, &url).await, told);
        assert!(!told.may_pass(), "{told:?}: nobody waits for it to go away");
    }
}

/// A proxy that gives this in answer to every request for a tunnel, and hangs up.
fn proxy_that_answers(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn a_proxy_that_fails_is_named_and_not_the_partner() {
    for (proxy, told) in [
        ("http://127.0.0.1:1".to_owned(), Obstacle::SilentProxy),
        (proxy_that_answers(""), Obstacle::SilentProxy),
        (proxy_that_answers("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Obstacle::ProxyRefuses),
        (proxy_that_answers("HTTP/1.1 403 Forbidden\r\n\r\n"), Obstacle::ProxyRefuses),
        (proxy_that_answers("HTTP/1.1 502 Bad Gateway\r\n\r\n"), Obstacle::ProxyRefuses),
        (proxy_that_answers("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), Obstacle::ProxySignIn),
    ] {
        let proxies = Proxies { https: proxy_url(&proxy), ..Proxies::default() };
        let network = Network { proxies, roots: None };
        assert_eq!(obstacle(&network, "https://api.fivetran.invalid/").await, told, "{proxy}");
    }
}
