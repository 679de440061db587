//! The certificates that calls out trust, where they are not the system's.
//!
//! Owns the reading of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL understands them. Must not know
//! what is called.

use std::path::Path;

use reqwest::Certificate;

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

fn certificates(pem: &[u8]) -> Vec<Certificate> {
    Certificate::from_pem_bundle(pem).unwrap_or_default()
}
