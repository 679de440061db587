//! Tells the tests whether there is a PostgreSQL, and an strace, to test with; the crate itself
//! needs nothing of this. Where there is none, its tests are counted as ignored, unless
//! `TEST_POSTGRES=required` is set: then those on Postgres run, and fail.

#![expect(clippy::disallowed_methods, reason = "a build script is configured by the environment")]

use std::path::PathBuf;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(no_postgres)");
    println!("cargo::rustc-check-cfg=cfg(no_strace)");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=TEST_POSTGRES");
    println!("cargo::rerun-if-changed=build.rs");
    let required = std::env::var("TEST_POSTGRES").is_ok_and(|it| it == "required");
    match postgres() {
        Some(folder) => println!("cargo::rustc-env=POSTGRES_BIN={}", folder.display()),
        None if required => println!("cargo::rustc-env=POSTGRES_BIN="),
        None => {
            println!("cargo::rustc-env=POSTGRES_BIN=");
            println!("cargo::rustc-cfg=no_postgres");
        }
    }
    if !path().iter().any(|folder| folder.join("strace").is_file()) {
        println!("cargo::rustc-cfg=no_strace");
    }
}

fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The newest folder that holds `initdb` and `postgres`: on the PATH, where Debian puts it, or
/// where Homebrew does.
fn postgres() -> Option<PathBuf> {
    let mut folders = Vec::new();
    for versions in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let mut found: Vec<_> = std::fs::read_dir(versions).into_iter().flatten().flatten().collect();
        found.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
        folders.extend(found.into_iter().map(|entry| entry.path().join("bin")));
    }
    folders.extend(path());
    folders.into_iter().find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}
