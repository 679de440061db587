//! The file `.env` of the working folder, as it is written.
//!
//! Owns how it comes to the disk: whole or not at all, and readable for nobody else from its first byte,
//! but for another group whose members could read the old one, or whose folder it is. Owns, too, which mode
//! is too open. What the lines look like is `dotenv`'s. A fault never repeats a value.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::{Fault, Faults, dotenv, text};

/// Its name.
const NAME: &str = ".env";
/// What it is written as before it takes the place of the old one. A name of its own, so that what a run
/// leaves behind that was ended in the middle does not outlive the next.
const NEW: &str = ".env.new";
/// Only its owner may read it.
const MODE: u32 = 0o600;
/// Its owner, and its group may read it: how a service reads what belongs to root.
const GROUP_MODE: u32 = 0o640;
/// That a file's group may read it.
const GROUP_READS: u32 = 0o040;
/// What a mode says of the group and of everybody else, and of everybody else alone.
const OTHERS: u32 = 0o077;
/// The same.
const NOT_OF_GROUP: u32 = 0o007;
/// Who may do anything.
const ROOT: u32 = 0;
/// The first line of a new one.
const HEAD: &str = "# Kept by connect-card init. Its README explains every variable.\n";

/// Who may read a file.
#[derive(Clone, Copy)]
struct Readers {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Readers {
    fn of(found: &Metadata) -> Self {
        Self { owner: found.uid(), group: found.gid(), mode: found.mode() }
    }

    /// The mode in which nobody reads or changes it but who has to, unless it is in that already. A file of
    /// root's that has another group is read by a service, as `deploy/systemd` has it.
    fn mode_to_set(self) -> Option<&'static str> {
        let (kept, told) = if self.is_for_a_service() { (GROUP_MODE, "640") } else { (MODE, "600") };
        (self.mode & OTHERS & !kept != 0).then_some(told)
    }

    fn is_for_a_service(self) -> bool {
        self.owner == ROOT && self.group != ROOT
    }

    /// The group for whom a new file is, in a folder of these readers: that of a service, whose folder is
    /// root's and open to its group and nobody else.
    fn group_of_service(self) -> Option<u32> {
        let is_open = self.mode & GROUP_READS != 0 && self.mode & NOT_OF_GROUP == 0;
        (self.is_for_a_service() && is_open).then_some(self.group)
    }

    /// The group that has to stay, for a file that would be of `group` otherwise. Whoever gave it another
    /// one did so on purpose; their own may be everybody's.
    fn kept_group(self, group: u32) -> Option<u32> {
        (self.group != group && self.mode & GROUP_READS != 0).then_some(self.group)
    }
}

/// The mode, as `chmod` takes it, in which `.env` of the working folder would be read by nobody who does not
/// have to; nothing, if it is in that, or is not there.
#[must_use]
pub fn mode_to_set() -> Option<&'static str> {
    fs::metadata(NAME).ok().and_then(|found| Readers::of(&found).mode_to_set())
}

/// The file, in the folder where it is.
pub struct EnvFile {
    folder: PathBuf,
}

impl EnvFile {
    /// That of the working folder, whether it is there or not.
    ///
    /// # Errors
    /// When it is no file of its own: what a link leads to would stay as it is.
    pub fn of_this_folder() -> Result<Self, Faults> {
        Self::of(Path::new("."))
    }

    fn of(folder: &Path) -> Result<Self, Faults> {
        let file = Self { folder: folder.to_owned() };
        file.standing()?;
        Ok(file)
    }

    /// Sets variables. What somebody else has written in the meantime stays.
    ///
    /// # Errors
    /// When such a file cannot hold a value, or the disk does not take it. Then it is as it was.
    pub fn set(&self, pairs: &[(&str, SecretString)]) -> Result<(), Faults> {
        let old = self.standing()?;
        let mut text = match old {
            Some(_) => {
                let bytes = fs::read(self.folder.join(NAME)).map_err(|error| unwritten(&error))?;
                // With its mark, if it has one: what is left out here would be gone.
                let is_text = text::of(&bytes).is_some();
                String::from_utf8(bytes)
                    .ok()
                    .filter(|_| is_text)
                    .ok_or_else(|| fault("is not a text in UTF-8", "save it as UTF-8"))?
            }
            None => HEAD.to_owned(),
        };
        for (name, value) in pairs {
            text = dotenv::edit::set(&text, name, value.expose_secret()).ok_or_else(|| {
                let remedy = format!("set {name}_FILE to the path of a file that holds it");
                Faults(vec![Fault {
                    variable: (*name).to_owned(),
                    problem: "is nothing that a .env file can hold".to_owned(),
                    remedy,
                }])
            })?;
        }
        let new = self.folder.join(NEW);
        let written = self.write(&new, &text, old);
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Who may read it; `None`, if it is not there.
    fn standing(&self) -> Result<Option<Readers>, Faults> {
        match fs::symlink_metadata(self.folder.join(NAME)) {
            Ok(found) if found.is_file() => Ok(Some(Readers::of(&found))),
            Ok(found) if found.is_symlink() => {
                Err(fault("is a link to another file", "run this in that file's folder, or make it a file"))
            }
            Ok(_) => Err(fault("is not a file", "move it away")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unwritten(&error)),
        }
    }

    fn write(&self, new: &Path, text: &str, old: Option<Readers>) -> Result<(), Faults> {
        let mut file = create(new).map_err(|error| unwritten(&error))?;
        let own = Readers::of(&file.metadata().map_err(|error| unwritten(&error))?);
        if old.is_some_and(|old| old.owner != own.owner) {
            return Err(fault(
                "belongs to another user",
                "run this as that user, so that the bot can read it",
            ));
        }
        let group = match old {
            Some(old) => old.kept_group(own.group),
            None => fs::metadata(&self.folder).ok().and_then(|folder| {
                Readers::of(&folder)
                    .group_of_service()
                    .filter(|group| own.owner == ROOT && own.group != *group)
            }),
        };
        if let Some(group) = group {
            // The mode comes second, so that nobody of this user's group can read it in between.
            fchown(&file, None, Some(group))
                .and_then(|()| file.set_permissions(Permissions::from_mode(GROUP_MODE)))
                .map_err(|_| {
                    fault(
                        "is read by a group that this user is not in",
                        "run this as root, so that the bot can still read it",
                    )
                })?;
        }
        let mut put = || {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(new, self.folder.join(NAME))?;
            File::open(&self.folder)?.sync_all()
        };
        put().map_err(|error| unwritten(&error))
    }
}

/// Makes a file that was not there, through no link.
fn create(new: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).mode(MODE).open(new);
    match create() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(new)?;
            create()
        }
        created => created,
    }
}

fn unwritten(error: &io::Error) -> Faults {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "run this in a folder that this user may write to"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        _ => "check the folder and the disk",
    };
    fault("cannot be written", remedy)
}

fn fault(problem: &str, remedy: &str) -> Faults {
    let variable = NAME.to_owned();
    Faults(vec![Fault { variable, problem: problem.to_owned(), remedy: remedy.to_owned() }])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::process::Command;

    use super::*;

    fn pairs(value: &str) -> [(&'static str, SecretString); 1] {
        [("NAME", SecretString::from(value))]
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_and_an_old_one_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let file = EnvFile::of(folder.path()).unwrap();
        file.set(&pairs("one")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEAD}NAME=one\n"));
        assert_eq!(mode(&path), 0o600);
        fs::write(&path, "# mine\nNAME=one # why\nB=2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        file.set(&pairs("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\nNAME=two # why\nB=2\n");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(folder.path()), [NAME]);
    }

    /// A group that this process may give a file to, and does not by itself.
    fn another_group(own: &Readers) -> Option<u32> {
        if own.owner == 0 {
            return Some(own.group + 1);
        }
        let groups = Command::new("id").arg("-G").output().unwrap().stdout;
        let groups = String::from_utf8(groups).unwrap();
        groups.split_whitespace().map(|group| group.parse().unwrap()).find(|group| *group != own.group)
    }

    #[test]
    fn the_group_that_could_read_the_old_one_can_read_the_new_one() {
        for (group, mode, kept) in [
            (7, 0o640, Some(7)),
            (7, 0o644, Some(7)),
            (7, 0o600, None),
            (7, 0o604, None),
            // This user's own.
            (5, 0o640, None),
        ] {
            assert_eq!(Readers { owner: 0, group, mode }.kept_group(5), kept, "{group} {mode:o}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, "NAME=one\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let own = Readers::of(&fs::metadata(&path).unwrap());
        let group = another_group(&own);
        chown(&path, None, group).unwrap();
        EnvFile::of(folder.path()).unwrap().set(&pairs("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "NAME=two\n");
        let new = Readers::of(&fs::metadata(&path).unwrap());
        assert_eq!(new.group, group.unwrap_or(own.group));
        assert_eq!(mode(&path), if group.is_some() { 0o640 } else { 0o600 });
        assert_eq!(names(folder.path()), [NAME]);
    }

    #[test]
    fn a_new_file_in_a_folder_of_a_service_is_for_its_group_as_well() {
        for (owner, group, mode, service) in [
            (0, 7, 0o750, Some(7)),
            (0, 7, 0o770, Some(7)),
            (0, 0, 0o750, None),
            (0, 7, 0o755, None),
            (0, 7, 0o700, None),
            (1000, 7, 0o750, None),
        ] {
            let folder = Readers { owner, group, mode };
            assert_eq!(folder.group_of_service(), service, "{owner} {group} {mode:o}");
        }
        let folder = tempfile::tempdir().unwrap();
        let own = Readers::of(&fs::metadata(folder.path()).unwrap());
        let service = if own.owner == ROOT { own.group + 1 } else { own.group };
        chown(folder.path(), None, Some(service)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o750)).unwrap();
        EnvFile::of(folder.path()).unwrap().set(&pairs("one")).unwrap();
        let path = folder.path().join(NAME);
        let new = Readers::of(&fs::metadata(&path).unwrap());
        let expected = if own.owner == ROOT { (service, 0o640) } else { (own.group, 0o600) };
        assert_eq!((new.group, mode(&path)), expected);
    }

    #[test]
    fn a_mode_is_named_where_somebody_can_read_it_who_need_not() {
        for (owner, group, mode, told) in [
            (1000, 1000, 0o600, None),
            (1000, 1000, 0o400, None),
            (1000, 1000, 0o700, None),
            (1000, 1000, 0o644, Some("600")),
            (1000, 100, 0o640, Some("600")),
            (1000, 100, 0o602, Some("600")),
            (0, 0, 0o640, Some("600")),
            (0, 7, 0o640, None),
            (0, 7, 0o644, Some("640")),
            (0, 7, 0o660, Some("640")),
        ] {
            assert_eq!(Readers { owner, group, mode }.mode_to_set(), told, "{owner} {group} {mode:o}");
        }
    }

    #[test]
    fn a_link_or_a_folder_in_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "NAME=one\n").unwrap();
        let file = EnvFile::of(folder.path()).unwrap();
        symlink(&elsewhere, folder.path().join(NAME)).unwrap();
        assert!(EnvFile::of(folder.path()).is_err() && file.set(&pairs("two")).is_err());
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "NAME=one\n");
        fs::remove_file(folder.path().join(NAME)).unwrap();
        fs::create_dir(folder.path().join(NAME)).unwrap();
        assert!(file.set(&pairs("two")).is_err());
        // What lies in the new one's place, a trap or a leftover, is replaced and not followed.
        fs::remove_dir(folder.path().join(NAME)).unwrap();
        symlink(&elsewhere, folder.path().join(NEW)).unwrap();
        file.set(&pairs("two")).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "NAME=one\n");
        assert_eq!(names(folder.path()), [NAME, "elsewhere"]);
    }

    #[test]
    fn what_it_cannot_hold_leaves_it_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let file = EnvFile::of(folder.path()).unwrap();
        assert!(file.set(&pairs("canary\nB=2")).is_err());
        assert_eq!(names(folder.path()), Vec::<String>::new());
        fs::write(&path, b"NAME=\xe4\n").unwrap();
        let faults = file.set(&pairs("canary")).unwrap_err();
        assert!(!faults.to_string().contains("canary"), "{faults}");
        assert_eq!(fs::read(&path).unwrap(), b"NAME=\xe4\n");
        assert_eq!(names(folder.path()), [NAME]);
    }
}
