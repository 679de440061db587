//! The certificates that calls out trust, where they are not the system's.
//!
//! Owns the reading of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL understands them. Must not know
//! what is called.

use std::path::Path;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Which of the two says nothing that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// The file cannot be read.
    File,
    /// The file holds no certificate.
    EmptyFile,
    /// No folder can be read, or none has a file with a certificate.
    Folders,
}

/// The certificates of a file, and of all files in folders, which are separated as in `PATH`.
///
/// # Errors
/// [`Untrusted`].
pub fn read(file: Option<&str>, folders: Option<&str>) -> Result<Vec<Certificate>, Untrusted> {
    let mut roots = Vec::new();
    if let Some(file) = file {
        let pem = std::fs::read(file).map_err(|_| Untrusted::File)?;
        roots = certificates(&pem);
        if roots.is_empty() {
            return Err(Untrusted::EmptyFile);
        }
    }
    if let Some(folders) = folders {
        let before = roots.len();
        for folder in std::env::split_paths(folders) {
            roots.extend(in_folder(&folder));
        }
        if roots.len() == before && file.is_none() {
            return Err(Untrusted::Folders);
        }
    }
    Ok(roots)
}

fn in_folder(folder: &Path) -> Vec<Certificate> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    files.flat_map(|path| std::fs::read(path).map(|pem| certificates(&pem)).unwrap_or_default()).collect()
}

/// The certificates that can be trusted. As for OpenSSL, an odd one takes nothing from the others;
/// the client would refuse them all.
fn certificates(pem: &[u8]) -> Vec<Certificate> {
    const BEGIN: &str = "-----BEGIN ";
    let pem = String::from_utf8_lossy(pem);
    // Each block by itself: one without an end must not run into the next.
    pem.split(BEGIN).skip(1).filter_map(|block| certificate(&format!("{BEGIN}{block}"))).collect()
}

fn certificate(pem: &str) -> Option<Certificate> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    RootCertStore::empty().add(der.clone()).ok()?;
    Certificate::from_der(&der).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{Network, client};

    #[test]
    fn an_odd_certificate_takes_nothing_from_the_others() {
        let good = include_str!("../../tests/fixtures/tls/authority.pem");
        let block =
            |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
        let (no_base64, no_certificate) = (block("MII*"), block("AAAA"));
        let endless = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        let other = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        let folder = tempfile::tempdir().unwrap();
        for odd in [&no_base64, &no_certificate, endless, other, "# Zo\u{EB}\n"] {
            let path = folder.path().join("roots.pem");
            let file = path.to_str();
            std::fs::write(&path, format!("{odd}{good}{odd}{good}")).unwrap();
            let roots = read(file, None).unwrap();
            assert_eq!(roots.len(), 2, "{odd}");
            assert!(client(&Network { roots: Some(roots), ..Network::default() }).is_ok(), "{odd}");
            std::fs::write(&path, odd).unwrap();
            assert_eq!(read(file, None).err(), Some(Untrusted::EmptyFile), "{odd}");
            assert_eq!(read(None, folder.path().to_str()).err(), Some(Untrusted::Folders), "{odd}");
        }
    }
}
