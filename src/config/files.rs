//! The files that secrets are read from, so that a change of them is noticed.
//!
//! Owns what counts as a change: another content, whatever the file's date. Must not know what is in them.

use std::path::PathBuf;

use ring::digest::{Context, SHA256};

use super::{Vars, names};

/// The files that variables such as `SLACK_BOT_TOKEN_FILE` name.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    paths: Vec<PathBuf>,
    at_first: Vec<u8>,
}

impl SecretFiles {
    /// Those that are named, and what is in them. To be taken before they are read: what changes after that
    /// is a change.
    #[must_use]
    pub fn of(vars: &Vars) -> Self {
        let named = names::SECRETS.iter().filter_map(|name| vars.get(&format!("{name}_FILE")));
        let mut files = Self { paths: named.map(PathBuf::from).collect(), at_first: Vec::new() };
        files.at_first = files.digest();
        files
    }

    /// What told their contents from others at first.
    #[must_use]
    pub fn at_first(&self) -> Vec<u8> {
        self.at_first.clone()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// What tells their contents from others. One that cannot be read counts as empty: it is about to be
    /// replaced.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        let mut context = Context::new(&SHA256);
        for path in &self.paths {
            let content = std::fs::read(path).unwrap_or_default();
            context.update(&content.len().to_be_bytes());
            context.update(&content);
        }
        context.finish().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let files = SecretFiles::of(&Vars::from_pairs([("SLACK_BOT_TOKEN_FILE", path.to_str().unwrap())]));
        let none = files.digest();
        std::fs::write(&path, "one").unwrap();
        let one = files.digest();
        assert!(none != one && one == files.digest());
        // As an orchestrator does it: another file under the same name.
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(one, files.digest());
        assert!(SecretFiles::of(&Vars::default()).is_empty());
    }
}
