//! The certificates that calls out trust, where they are not the system's.
//!
//! Owns the reading of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL understands them. Must not know
//! what is called.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
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
    let mut found = Found::default();
    if let Some(file) = file {
        found.read_file(Path::new(file))?;
    }
    let mut is_passed_over = false;
    for folder in folders.map(std::env::split_paths).into_iter().flatten() {
        is_passed_over |= found.read_folder(&folder) == 0;
    }
    let certificates: Vec<_> = found.all.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    if certificates.is_empty() { Err(Untrusted::Folders) } else { Ok(Roots { certificates, is_passed_over }) }
}

/// What has been read. A system's folder has each certificate under two names, and its bundle has them all
/// once more.
#[derive(Default)]
struct Found {
    all: HashSet<CertificateDer<'static>>,
    /// The files of folders, by device and number, with what each holds.
    files: HashMap<(u64, u64), usize>,
}

impl Found {
    fn read_file(&mut self, path: &Path) -> Result<(), Untrusted> {
        if path.is_dir() {
            return Err(Untrusted::FileIsFolder);
        }
        let bytes = std::fs::read(path).map_err(|_| Untrusted::File)?;
        if self.add(&bytes) > 0 {
            Ok(())
        } else if RootCertStore::empty().add(CertificateDer::from(bytes)).is_ok() {
            Err(Untrusted::NotPem)
        } else {
            Err(Untrusted::EmptyFile)
        }
    }

    /// How many certificates it holds.
    fn read_folder(&mut self, folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| self.read_entry(&entry.path())).sum()
    }

    fn read_entry(&mut self, path: &Path) -> usize {
        let Some(file) = std::fs::metadata(path).ok().filter(Metadata::is_file) else { return 0 };
        let file = (file.dev(), file.ino());
        if let Some(held) = self.files.get(&file) {
            return *held;
        }
        let held = std::fs::read(path).map_or(0, |pem| self.add(&pem));
        self.files.insert(file, held);
        held
    }

    /// Adds the certificates that can be trusted, and says how many there are. As for OpenSSL, an odd one
    /// takes nothing from the others; the client would refuse them all.
    fn add(&mut self, pem: &[u8]) -> usize {
        const BEGIN: &str = "-----BEGIN ";
        let pem = String::from_utf8_lossy(pem);
        // Each block by itself: one without an end must not run into the next.
        let blocks = pem.split(BEGIN).skip(1);
        blocks.filter(|block| self.add_block(&format!("{BEGIN}{block}"))).count()
    }

    fn add_block(&mut self, pem: &str) -> bool {
        let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return false };
        if self.all.contains(&der) {
            return true;
        }
        let is_good = RootCertStore::empty().add(der.clone()).is_ok();
        is_good && self.all.insert(der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{Network, client};

    #[test]
    fn an_odd_certificate_takes_nothing_from_the_others() {
        let good = include_str!("../../tests/fixtures/tls/authority.pem");
        let another = include_str!("../../tests/fixtures/tls/elsewhere.pem");
        let block =
            |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
        let (no_base64, no_certificate) = (block("MII*"), block("AAAA"));
        let endless = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        let list = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        let folder = tempfile::tempdir().unwrap();
        for odd in [&no_base64, &no_certificate, endless, list, "# Zo\u{EB}\n"] {
            let path = folder.path().join("roots.pem");
            let file = path.to_str();
            std::fs::write(&path, format!("{odd}{good}{odd}{another}")).unwrap();
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
    }

    /// As a system has them: each in a file, under a second name too, and all of them in one file.
    #[test]
    fn each_certificate_is_trusted_once() {
        let folder = tempfile::tempdir().unwrap();
        let [authority, elsewhere] =
            ["authority", "elsewhere"].map(|name| format!("tests/fixtures/tls/{name}.pem"));
        let [authority, elsewhere] =
            [authority, elsewhere].map(|path| std::fs::read_to_string(path).unwrap());
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("bundle.pem"), format!("{authority}{elsewhere}")).unwrap();
        std::fs::write(path("authority.pem"), &authority).unwrap();
        std::os::unix::fs::symlink(path("authority.pem"), path("9d66eef0.0")).unwrap();
        let again = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(path("authority.pem"), again.path().join("authority.pem")).unwrap();
        let folders = std::env::join_paths([folder.path(), again.path()]).unwrap();
        let roots = read(path("bundle.pem").to_str(), folders.to_str()).unwrap();
        // The other folder has one, though it was read before.
        assert_eq!((roots.certificates.len(), roots.is_passed_over), (2, false));
    }
}
