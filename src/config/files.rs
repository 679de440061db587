//! The files that secrets are read from, so that a change of them is noticed.
//!
//! Owns what counts as a change: another content, whatever the file's date; and that what can be read only
//! once is left to whoever needs it. Must not know what is in them.

use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::{Vars, names};

/// The files that variables such as `SLACK_BOT_TOKEN_FILE` name.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    paths: Vec<PathBuf>,
    at_first: Vec<u8>,
}

impl SecretFiles {
    /// Those that are named, but for pipes and the like, and what is in them. To be taken before they are
    /// read: what changes after that is a change.
    #[must_use]
    pub fn of(vars: &Vars) -> Self {
        let named = names::SECRETS.iter().filter_map(|name| vars.get(&format!("{name}_FILE")));
        let paths = named.map(PathBuf::from).filter(|path| may_be_read_twice(path)).collect();
        let mut files = Self { paths, at_first: Vec::new() };
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
            let content =
                if may_be_read_twice(path) { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
            context.update(&content.len().to_be_bytes());
            context.update(&content);
        }
        context.finish().as_ref().to_vec()
    }
}

/// Whether looking at it takes nothing away, and ends: a pipe gives its content once, or waits for it. What is
/// not there may come to be a file.
fn may_be_read_twice(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.is_file())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pipe_is_left_to_whoever_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let named = |path: &Path| {
            SecretFiles::of(&Vars::from_pairs([("SLACK_BOT_TOKEN_FILE", path.to_str().unwrap())]))
        };
        // Nobody writes to it: whoever read it would wait for ever.
        assert!(named(&path).is_empty());
        // A file that gives way to a pipe is not read any more.
        let file = folder.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let files = named(&file);
        std::fs::rename(&path, &file).unwrap();
        assert_ne!(files.digest(), files.at_first());
    }

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
