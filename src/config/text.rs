//! Files that a variable names, as text.
//!
//! Owns what of a file is no text: the mark that some editors put first, and bytes of another
//! encoding. A fault never repeats what is in a file. Must not know what a file is for.

use std::io::ErrorKind;
use std::path::Path;

/// Why a file cannot be had as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// There is none.
    Missing,
    /// It is a folder.
    Folder,
    /// This user may not read it.
    Forbidden,
    /// It is in another encoding.
    NotUtf8,
    /// The system says something else.
    Otherwise,
}

impl Unreadable {
    /// What is wrong, behind the name of a variable.
    pub(super) fn problem(self) -> &'static str {
        match self {
            Self::Missing => "names a file that is not there",
            Self::Folder => "names a folder",
            Self::Forbidden => "names a file that this user may not read",
            Self::NotUtf8 => "names a file that is not a text in UTF-8",
            Self::Otherwise => "names a file that cannot be read",
        }
    }

    /// What to do about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "check its path, as it is where the bot runs",
            Self::Folder => "name a file; Docker makes a folder where the file to mount is missing",
            Self::Forbidden => "check its permissions, and those of its folders",
            Self::NotUtf8 => "save it as UTF-8",
            Self::Otherwise => "check its path and permissions",
        }
    }
}

/// The text of a file, without the mark that some editors put before it.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unreadable::Missing,
        ErrorKind::IsADirectory => Unreadable::Folder,
        ErrorKind::PermissionDenied => Unreadable::Forbidden,
        _ => Unreadable::Otherwise,
    })?;
    of(&bytes).map(str::to_owned).ok_or(Unreadable::NotUtf8)
}

/// The text in bytes, without that mark.
pub(super) fn of(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    // A text in UTF-16 has a zero in every second byte.
    (!text.contains('\0')).then(|| text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// What is in the way of a secret: it is one line without anything around it.
pub(super) fn trouble_in_secret(name: &str, secret: &str) -> Option<(&'static str, &'static str)> {
    let first = secret.trim_start();
    let first = first.strip_prefix("export").map_or(first, str::trim_start);
    if first.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')) {
        return Some(("holds NAME=value", "leave only the value"));
    }
    if is_quoted(secret) {
        return Some(("begins and ends with a quote", "remove both"));
    }
    if secret.contains(['\n', '\r']) {
        return Some(("has more than one line", "leave only the secret"));
    }
    None
}

/// Whether a text has quotes around it.
pub(super) fn is_quoted(text: &str) -> bool {
    let around = |quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    around('"') || around('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_editor_is_read_or_refused_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let utf_16 =
            |text: &str, byte: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(byte).collect::<Vec<_>>();
        for (bytes, read_as) in [
            (b"a = 1\r\n".to_vec(), Ok("a = 1\r\n".to_owned())),
            ("\u{FEFF}a = 1".into(), Ok("a = 1".to_owned())),
            ("ä".into(), Ok("ä".to_owned())),
            (b"\xE4".to_vec(), Err(Unreadable::NotUtf8)),
            (utf_16("a = 1", u16::to_le_bytes), Err(Unreadable::NotUtf8)),
            (utf_16("\u{FEFF}a = 1", u16::to_le_bytes), Err(Unreadable::NotUtf8)),
            (utf_16("\u{FEFF}a = 1", u16::to_be_bytes), Err(Unreadable::NotUtf8)),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path), read_as, "{bytes:?}");
        }
        assert_eq!(read(folder.path()), Err(Unreadable::Folder));
        assert_eq!(read(&folder.path().join("none")), Err(Unreadable::Missing));
        assert_eq!(read(&path.join("below-a-file")), Err(Unreadable::Missing));
    }

    #[test]
    fn a_secret_is_one_line_and_nothing_around_it() {
        let trouble = |secret: &str| trouble_in_secret("NAME", secret).map(|(what, _)| what);
        for fine in ["canary", "ca=nary", "NAMES=x", "canary\"", "\"", "export"] {
            assert_eq!(trouble(fine), None, "{fine}");
        }
        for (secret, what) in [
            ("NAME=canary", "holds NAME=value"),
            ("export NAME = canary", "holds NAME=value"),
            ("# mine\ncanary", "has more than one line"),
            ("canary\r\ncanary", "has more than one line"),
            ("'canary'", "begins and ends with a quote"),
            ("\"canary\"", "begins and ends with a quote"),
        ] {
            assert_eq!(trouble(secret), Some(what), "{secret}");
        }
    }
}
