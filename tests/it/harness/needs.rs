//! What some tests need of the machine beside the program: PostgreSQL, and strace.
//!
//! Owns finding them. A test that lacks one says on standard error that it was skipped, and why;
//! where a variable requires the program, as the gate does, the test fails instead.

use std::panic::Location;
use std::path::{Path, PathBuf};

use super::say;

/// The folder with the newest PostgreSQL's programs; where there is none, the caller is to return.
#[track_caller]
pub(crate) fn postgres() -> Option<PathBuf> {
    let found = postgres_folders().into_iter().find(|folder| has(folder, &["initdb", "postgres"]));
    if found.is_none() {
        skip_or_fail("PostgreSQL (initdb and postgres)", "TEST_POSTGRES");
    }
    found
}

/// The path of strace; where there is none, the caller is to return.
#[track_caller]
pub(crate) fn strace() -> Option<PathBuf> {
    let found = path().into_iter().find(|folder| has(folder, &["strace"]));
    if found.is_none() {
        skip_or_fail("strace", "TEST_STRACE");
    }
    found.map(|folder| folder.join("strace"))
}

/// Where Debian and Homebrew put PostgreSQL, newest first, then the PATH.
fn postgres_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for versions in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let mut found: Vec<_> = std::fs::read_dir(versions).into_iter().flatten().flatten().collect();
        found.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        folders.extend(found.into_iter().map(|entry| entry.path().join("bin")));
    }
    folders.extend(path());
    folders
}

#[expect(clippy::disallowed_methods, reason = "where this machine keeps its programs")]
fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn has(folder: &Path, programs: &[&str]) -> bool {
    programs.iter().all(|name| folder.join(name).is_file())
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a variable of the tests alone")]
fn skip_or_fail(program: &str, variable: &str) {
    let required = std::env::var(variable).is_ok_and(|value| value == "required");
    assert!(!required, "{program} was not found, and {variable}=required: install it");
    let (thread, place) = (std::thread::current(), Location::caller());
    let test = thread.name().unwrap_or("a test");
    say(&format!(
        "SKIPPED {test} ({place}): {program} was not found. Install it to run this test; \
         {variable}=required makes this a failure."
    ));
}
