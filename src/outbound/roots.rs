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
    /// It is a folder.
    FileIsFolder,
    /// The file holds a certificate in another form than PEM.
    NotPem,
    /// The file holds no certificate.
    EmptyFile,
    /// No folder can be read, or none has a file with a certificate.
    Folders,
}

impl Untrusted {
    /// The variable, what is wrong with it, and what to do.
    #[must_use]
    pub fn told(self) -> [&'static str; 3] {
        const PEM: &str = "name one with certificates in PEM, or unset it to trust the system's";
        match self {
            Self::File => ["SSL_CERT_FILE", "names a file that cannot be read", PEM],
            Self::FileIsFolder => {
                ["SSL_CERT_FILE", "names a folder", "put it into SSL_CERT_DIR, and unset SSL_CERT_FILE"]
            }
            Self::NotPem => [
                "SSL_CERT_FILE",
                "names a certificate that is not in PEM",
                "convert it: openssl x509 -inform DER -in FILE -out FILE.pem",
            ],
            Self::EmptyFile => ["SSL_CERT_FILE", "names a file without a certificate", PEM],
            Self::Folders => ["SSL_CERT_DIR", "names no folder with a certificate in PEM", PEM],
        }
    }
}

/// The certificates to trust.
#[derive(Debug)]
pub struct Roots {
    /// All of them.
    pub certificates: Vec<Certificate>,
    /// Whether one of the folders has none, or cannot be read.
    pub is_passed_over: bool,
}

/// The certificates of a file, and of all files in folders, which are separated as in `PATH`.
///
/// # Errors
/// [`Untrusted`].
pub fn read(file: Option<&str>, folders: Option<&str>) -> Result<Roots, Untrusted> {
    let mut roots = Roots { certificates: Vec::new(), is_passed_over: false };
    if let Some(file) = file {
        roots.certificates = in_file(Path::new(file))?;
    }
    for folder in folders.map(std::env::split_paths).into_iter().flatten() {
        let found = in_folder(&folder);
        roots.is_passed_over |= found.is_empty();
        roots.certificates.extend(found);
    }
    if roots.certificates.is_empty() { Err(Untrusted::Folders) } else { Ok(roots) }
}

fn in_file(path: &Path) -> Result<Vec<Certificate>, Untrusted> {
    if path.is_dir() {
        return Err(Untrusted::FileIsFolder);
    }
    let bytes = std::fs::read(path).map_err(|_| Untrusted::File)?;
    let found = certificates(&bytes);
    if !found.is_empty() {
        Ok(found)
    } else if RootCertStore::empty().add(CertificateDer::from(bytes)).is_ok() {
        Err(Untrusted::NotPem)
    } else {
        Err(Untrusted::EmptyFile)
    }
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
            let roots = read(file, None).unwrap().certificates;
            assert_eq!(roots.len(), 2, "{odd}");
            assert!(client(&Network { roots: Some(roots), ..Network::default() }).is_ok(), "{odd}");
            std::fs::write(&path, odd).unwrap();
            assert_eq!(read(file, None).err(), Some(Untrusted::EmptyFile), "{odd}");
            assert_eq!(read(None, folder.path().to_str()).err(), Some(Untrusted::Folders), "{odd}");
        }
    }

    #[test]
    fn what_cannot_be_trusted_is_told_as_what_it_is() {
        let good = include_str!("../../tests/fixtures/tls/authority.pem");
        let folder = tempfile::tempdir().unwrap();
        let empty = tempfile::tempdir().unwrap();
        let (pem, other) = (folder.path().join("roots.pem"), empty.path().join("other"));
        std::fs::write(&pem, good).unwrap();
        let [pem, other, folder, empty] =
            [&*pem, &*other, folder.path(), empty.path()].map(|path| path.to_str().unwrap());
        let nowhere = format!("{empty}/nowhere");
        let der = CertificateDer::from_pem_slice(good.as_bytes()).unwrap();
        for (bytes, told) in [(&b""[..], Untrusted::EmptyFile), (&der, Untrusted::NotPem)] {
            std::fs::write(other, bytes).unwrap();
            assert_eq!(read(Some(other), None).err(), Some(told));
            assert_eq!(read(Some(other), Some(folder)).err(), Some(told), "whatever else there is");
        }
        assert_eq!(read(Some(&nowhere), Some(folder)).err(), Some(Untrusted::File));
        assert_eq!(read(Some(folder), None).err(), Some(Untrusted::FileIsFolder));
        for useless in [empty, &nowhere, other] {
            assert_eq!(read(None, Some(useless)).err(), Some(Untrusted::Folders), "{useless}");
            for (file, folders) in [(Some(pem), useless.to_owned()), (None, format!("{folder}:{useless}"))] {
                let roots = read(file, Some(&folders)).unwrap();
                assert_eq!((roots.certificates.len(), roots.is_passed_over), (1, true), "{folders}");
            }
        }
        let roots = read(Some(pem), Some(folder)).unwrap();
        assert_eq!((roots.certificates.len(), roots.is_passed_over), (2, false));
    }
}
