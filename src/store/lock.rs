//! The lock file beside an SQLite file: which process uses that, and how the last one left it.
//!
//! Owns what stands there: the id of the process that holds it, or, after a clean close, the look of the database.
//! Whoever finds it with that look again need not read all of it first. Must not know what is in it.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::OpenError;

/// A lock that is held. No second process uses the database until it is given back or its holder dies.
pub(super) struct Lock {
    file: File,
    database: PathBuf,
    /// Whether the database was as it had been left.
    untouched: bool,
    /// Whether that is whole, as far as is known.
    whole: AtomicBool,
    left: AtomicBool,
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
                let id = found.trim().parse::<u32>();
                let holder = id.map_or_else(|_| "unknown".to_owned(), |id| id.to_string());
                return Err(OpenError::Locked { file: database.display().to_string(), holder });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let untouched = look_of(database).is_some_and(|look| look == found);
        let (whole, left) = (AtomicBool::new(untouched), AtomicBool::default());
        let lock = Self { file, database: database.to_owned(), untouched, whole, left };
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

    /// Gives the lock back, if the database was closed; else its holder's end does. `clean`: nothing went wrong
    /// with it meanwhile.
    pub(super) fn leave(&self, closed: bool, clean: bool) {
        if !closed || self.left.swap(true, Ordering::Relaxed) {
            return;
        }
        if clean
            && self.whole.load(Ordering::Relaxed)
            && let Some(look) = look_of(&self.database)
        {
            // If that fails, whoever comes next reads all of the database, which is no harm.
            let _ = self.write(&look);
        }
        let _ = self.file.unlock();
    }

    fn write(&self, text: &str) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

/// By what a database is known again that nobody has touched: no other file has been put in its place, and nobody
/// has written to it. None for one that is not all there: what was committed last is in its write-ahead log.
fn look_of(database: &Path) -> Option<String> {
    let it = std::fs::metadata(database).ok()?;
    // Where SQLite puts it, which follows links.
    let mut log = database.canonicalize().ok()?.into_os_string();
    log.push("-wal");
    let is_all = !Path::new(&log).try_exists().ok()?;
    is_all.then(|| {
        let (written, changed) = ((it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec()));
        format!(
            "closed {} {} {}.{:09} {}.{:09}",
            it.ino(),
            it.len(),
            written.0,
            written.1,
            changed.0,
            changed.1
        )
    })
}

/// Makes the file, if it is not there, so that only its owner can read it. SQLite gives its
/// write-ahead log the same mode.
pub(super) fn private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.mode(0o600).open(path)?;
    // One that was there, from a backup perhaps, may be open to others.
    file.set_permissions(Permissions::from_mode(0o600))
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
        let leave = |whole, closed, clean| {
            let lock = Lock::take(&database).unwrap();
            lock.found(whole);
            lock.leave(closed, clean);
        };
        for ways in [[true, true, true], [false, true, true], [true, false, true], [true, true, false]] {
            let [whole, closed, clean] = ways;
            leave(whole, closed, clean);
            assert_eq!(untouched(), ways == [true; 3], "{ways:?}");
        }
        leave(true, true, true);
        let copy = folder.path().join("copy.db");
        std::fs::copy(&database, &copy).unwrap();
        std::fs::rename(&copy, &database).unwrap();
        assert!(!untouched(), "it is another file");
        leave(true, true, true);
        std::fs::write(&database, "old").unwrap();
        assert!(!untouched(), "somebody has written to it");
        let log = folder.path().join("bot.db-wal");
        leave(true, true, true);
        std::fs::write(&log, "").unwrap();
        assert!(!untouched(), "some of it is in its log");
        leave(true, true, true);
        std::fs::remove_file(&log).unwrap();
        assert!(!untouched(), "some of it was in its log");
    }

    #[test]
    fn a_lock_is_given_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bot.db");
        std::fs::write(&database, "new").unwrap();
        let lock = Lock::take(&database).unwrap();
        lock.leave(true, true);
        let next = Lock::take(&database).unwrap();
        lock.leave(true, true);
        assert!(Lock::take(&database).is_err(), "it is the next one's");
        drop(next);
    }

    #[test]
    fn whoever_finds_it_locked_is_told_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bot.db");
        let held = Lock::take(&database).unwrap();
        let refused = Lock::take(&database).err().unwrap().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        held.leave(true, false);
        assert!(Lock::take(&database).is_ok());
    }
}
