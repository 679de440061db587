//! The lock file beside an SQLite file: which process uses that, and how the last one left it.
//!
//! Owns what is written in there: the id of the process, and, once that has closed the database cleanly, by what it
//! is known again. Nobody has to read all of a database first that is as it was left. Must not know what is in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::OpenError;

/// A lock that is held. No second process uses the database until it is given back or its holder dies.
pub(super) struct Lock {
    file: File,
    database: PathBuf,
    /// Whether the database was as it had been left.
    untouched: bool,
    /// Whether that is all right, as far as is known.
    whole: AtomicBool,
}

impl Lock {
    /// Takes the lock of a database.
    ///
    /// # Errors
    /// [`OpenError::Locked`], or [`OpenError::File`].
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = Path::new(&path);
        let failed = |cause: std::io::Error| OpenError::of_file(path, cause.kind());
        private(path).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let locked = file.try_lock();
        // It may be cut short, and then it says nothing.
        let mut found = String::new();
        let _ = file.read_to_string(&mut found);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = Some(found.trim()).filter(|id| !id.is_empty()).unwrap_or("unknown").to_owned();
                return Err(OpenError::Locked { file: database.display().to_string(), holder });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let untouched = look_of(database).is_some_and(|look| look == found);
        let lock = Self { file, database: database.to_owned(), untouched, whole: AtomicBool::new(untouched) };
        lock.write(&std::process::id().to_string()).map_err(failed)?;
        Ok(lock)
    }

    /// The database's path, if that is as it was left.
    pub(super) fn untouched(&self) -> Option<&Path> {
        self.untouched.then_some(&self.database)
    }

    /// What was found of the database when all of it was read.
    pub(super) fn found(&self, whole: bool) {
        self.whole.store(whole, Ordering::Relaxed);
    }

    /// Gives the lock back. `closed`: the database was closed, and nothing is written to it any more.
    pub(super) fn leave(&self, closed: bool) {
        if closed
            && self.whole.load(Ordering::Relaxed)
            && let Some(look) = look_of(&self.database)
        {
            // Otherwise whoever comes next reads all of it, which is no harm.
            let _ = self.write(&look);
        }
        // What cannot be released now is when the last clone is dropped.
        let _ = self.file.unlock();
    }

    fn write(&self, text: &str) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

/// By what a file is known again: a copy that was put in its place, or a change to it, has another look.
fn look_of(database: &Path) -> Option<String> {
    let it = std::fs::metadata(database).ok()?;
    Some(format!("closed {} {} {}.{:09}", it.ino(), it.len(), it.mtime(), it.mtime_nsec()))
}

/// Makes the file, if it is not there, so that only its owner can read it. SQLite gives its
/// write-ahead log the same mode.
pub(super) fn private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // One that was there, from a backup perhaps, may be open to others.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_untouched_only_as_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bot.db");
        std::fs::write(&database, "new").unwrap();
        let untouched = || Lock::take(&database).unwrap().untouched().is_some();
        assert!(!untouched(), "nobody has left it");
        // By a process that has died since.
        assert!(!untouched());
        let leave = |whole, closed| {
            let lock = Lock::take(&database).unwrap();
            lock.found(whole);
            lock.leave(closed);
        };
        for (whole, closed) in [(true, true), (true, false), (false, true)] {
            leave(whole, closed);
            assert_eq!(untouched(), whole && closed);
        }
        leave(true, true);
        let left = std::fs::metadata(&database).unwrap().modified().unwrap();
        let copy = folder.path().join("copy.db");
        std::fs::copy(&database, &copy).unwrap();
        File::options().write(true).open(&copy).unwrap().set_modified(left).unwrap();
        std::fs::rename(&copy, &database).unwrap();
        assert!(!untouched(), "it is another file");
        leave(true, true);
        std::fs::write(&database, "newer").unwrap();
        assert!(!untouched(), "it is longer");
    }

    #[test]
    fn whoever_finds_it_locked_is_told_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bot.db");
        let held = Lock::take(&database).unwrap();
        let refused = Lock::take(&database).err().unwrap().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        held.leave(false);
        assert!(Lock::take(&database).is_ok());
    }
}
